//! Two tables of predictions that share no rows, such as those of two days.
//!
//! Owns what can be said of them all the same: the mean score and the share of positive rows of
//! each, and how far apart their scores lie. It must not know why rows could not be joined.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::gather::decision;
use super::measure::Whole;
use super::{Comparison, PairCounts, Question, Segment, columns_of};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::monitor::divergence::psi;
use crate::monitor::evaluate::columns::Columns;
use crate::monitor::evaluate::gather::{order_bytes, ordered_number};
use crate::monitor::evaluate::label::{Labels, positive};
use crate::monitor::evaluate::{Counts, Task};
use crate::monitor::interval::Mean;
use crate::monitor::tenths::Tenths;
use crate::storage::Location;
use crate::table::dataset::Dataset;
use crate::table::sorted::{Sorted, Sorter};

/// Rows between two checks whether the process was asked to stop.
const ROWS_BETWEEN_CHECKS: u64 = 1 << 16;

/// The measures of each table: `mean_score`, of all scores that are not NaN; and of two classes
/// `positive_rate`.
const MEAN_SCORES: [&str; 2] = ["mean_score_a", "mean_score_b"];
const POSITIVE_RATES: [&str; 2] = ["positive_rate_a", "positive_rate_b"];

/// One of the tables.
#[derive(Default)]
struct Side {
    scores: Mean,
    decisions: BTreeMap<u32, u64>,
}

/// Compares two tables without joining their rows. Scores that do not fit into memory are put aside
/// in `directory`.
///
/// # Errors
/// Fails if a table cannot be read, or a column is missing.
pub fn compare_unpaired(
    question: &Question,
    tables: &[Arc<Dataset>; 2],
    directory: &Location,
    run_bytes: usize,
    interrupt: &Interrupt,
) -> Result<Comparison> {
    let question = Question {
        key: Vec::new(),
        label: None,
        ..question.clone()
    };
    let sides = columns_of(&question, tables, None)?;
    let task = sides[0].task;
    let mut labels = Labels::new(task, &sides[0].classes);
    let mut counts = PairCounts::default();
    let mut found = [Side::default(), Side::default()];
    let mut scores = [0, 1].map(|_| Sorter::new(directory, run_bytes));
    for (index, (columns, table)) in sides.iter().zip(tables).enumerate() {
        let (side, scores) = (&mut found[index], &mut scores[index]);
        let read = side.read((columns, table), &question, &mut labels, scores, interrupt)?;
        counts.read[index] = read.predictions;
        counts.without_prediction[index] = read.without_prediction;
    }
    let classes = labels.classes.names();
    let positive = match task {
        Task::Binary => positive(question.positive.as_deref(), classes).ok(),
        _ => None,
    };
    let whole = Whole::new(task, classes, positive.as_ref());
    let [first, second] = scores;
    let sorted = [first.finish()?, second.finish()?];
    let psi = match task {
        Task::Classes => psi_of_classes(&found),
        _ => psi_of_scores(sorted, found[0].rows(), interrupt)?,
    };
    let segment = Segment {
        measures: measures(&whole, &found, psi),
        ..Segment::default()
    };
    Ok(Comparison {
        counts,
        task,
        positive,
        segments: vec![segment],
        moved: Vec::new(),
        verdict: None,
        disjoint: [None, None],
    })
}

impl Side {
    fn read(
        &mut self,
        (columns, table): (&Columns, &Arc<Dataset>),
        question: &Question,
        labels: &mut Labels,
        scores: &mut Sorter,
        interrupt: &Interrupt,
    ) -> Result<Counts> {
        let mut counts = Counts::default();
        columns.read(table, labels, &mut counts, interrupt, |_, _, _, rows| {
            for (_, prediction) in rows {
                let decision = decision(columns.task, question.threshold, &prediction);
                *self.decisions.entry(decision).or_default() += 1;
                if let [score] = prediction.scores[..] {
                    self.scores.add(score);
                    scores.push(&order_bytes(score), &[])?;
                }
            }
            Ok(())
        })?;
        Ok(counts)
    }

    fn rows(&self) -> u64 {
        self.decisions.values().sum()
    }
}

fn measures(whole: &Whole, found: &[Side; 2], psi: Option<f64>) -> Vec<(&'static str, f64)> {
    let mut measures = Vec::new();
    let means = found.each_ref().map(|side| side.scores.value());
    if let [Some(first), Some(second)] = means {
        measures.extend(MEAN_SCORES.into_iter().zip([first, second]));
        measures.push(("mean_difference", second - first));
    }
    if whole.task == Task::Binary {
        let rates = found.each_ref().map(|side| {
            let called = side.decisions.iter();
            let called = called.filter(|(decision, _)| whole.is_called(**decision));
            called.map(|(_, rows)| rows).sum::<u64>() as f64 / side.rows() as f64
        });
        let rates = POSITIVE_RATES.into_iter().zip(rates);
        measures.extend(rates.filter(|(_, rate)| rate.is_finite()));
    }
    measures.extend(psi.map(|psi| ("psi", psi)));
    measures
}

/// The population stability index of decided classes.
fn psi_of_classes([first, second]: &[Side; 2]) -> Option<f64> {
    let mut classes: Vec<&u32> = first
        .decisions
        .keys()
        .chain(second.decisions.keys())
        .collect();
    classes.sort_unstable();
    classes.dedup();
    let of = |side: &Side| -> Vec<u64> {
        let rows = |class: &&u32| side.decisions.get(class).copied().unwrap_or(0);
        classes.iter().map(rows).collect()
    };
    psi(&of(first), &of(second))
}

/// The population stability index of the second scores in tenths of the first.
fn psi_of_scores(
    [first, second]: [Sorted; 2],
    total: u64,
    interrupt: &Interrupt,
) -> Result<Option<f64>> {
    let mut tenths = Tenths::new(total);
    each_tie(first, interrupt, |score, rows| {
        tenths.add_first(score, rows);
    })?;
    each_tie(second, interrupt, |score, rows| {
        tenths.add_second(score, rows);
    })?;
    Ok(tenths.psi())
}

/// Gives every score, the lowest first, with the number of its rows.
fn each_tie(
    mut sorted: Sorted,
    interrupt: &Interrupt,
    mut take: impl FnMut(f64, u64),
) -> Result<()> {
    let (mut walked, mut tie) = (0_u64, None);
    while let Some((key, _)) = sorted.next_record()? {
        walked += 1;
        if walked.is_multiple_of(ROWS_BETWEEN_CHECKS) {
            interrupt.check()?;
        }
        let bytes = key.try_into().map_err(|_| damaged())?;
        let score = ordered_number(bytes);
        match &mut tie {
            Some((known, rows)) if *known == score => *rows += 1,
            _ => {
                if let Some((known, rows)) = tie.replace((score, 1)) {
                    take(known, rows);
                }
            }
        }
    }
    if let Some((known, rows)) = tie {
        take(known, rows);
    }
    Ok(())
}

fn damaged() -> Error {
    Error::internal("a score that was put aside is damaged")
}
