//! Predictions of two models, or of two runs, of the same rows.
//!
//! Owns the way from two tables to measures: rows are read once, joined by key or by their order,
//! and sorted by score and by difference, all in bounded memory. Every measure is a function of the
//! pairs alone, whatever the order of files and rows. It must not know how measures are named in a
//! report or shown.

mod found;
mod gather;
mod measure;
mod pair;
mod question;
mod unpaired;

use std::sync::Arc;

use arrow::datatypes::Field;

pub use self::found::{Comparison, Decision, MovedRow, PairCounts, Paired, Segment, Verdict};
use self::gather::Gather;
use self::measure::{QUANTILES, Whole};
use self::pair::{Pair, Pairing};
pub use self::question::Question;
pub use self::unpaired::compare_unpaired;
use crate::count::counted;
use crate::error::{Error, Kind, Result, shell_word};
use crate::interrupt::Interrupt;
use crate::monitor::evaluate::columns::{Columns, LabelColumns};
use crate::monitor::evaluate::gather::ordered_number;
use crate::monitor::evaluate::label::{Labels, positive};
use crate::monitor::evaluate::mismatch::disjoint;
use crate::monitor::evaluate::{Question as Evaluated, Task};
use crate::storage::Location;
use crate::table::ReadOptions;
use crate::table::dataset::Dataset;
use crate::table::location::locate;
use crate::table::sorted::Sorted;

/// Bins of the histogram of differences.
const HISTOGRAM_BINS: usize = 20;

/// Rows between two checks whether the process was asked to stop.
const ROWS_BETWEEN_CHECKS: u64 = 1 << 16;

/// Columns that a model makes.
const ANSWERS: [&str; 4] = ["probability", "prediction", "margin", "model"];

/// Opens a table of predictions.
///
/// # Errors
/// Fails if it cannot be read.
pub fn open(path: &Location, options: &ReadOptions) -> Result<Arc<Dataset>> {
    let found = locate(&[path.to_owned()], false)?;
    Dataset::open(&found.files, &[], options).map(Arc::new)
}

/// Two tables, as far as their rows could be joined.
#[derive(Debug)]
pub enum Joined {
    /// Rows of both were compared.
    Rows(Box<Comparison>),
    /// They share no rows, for this reason.
    Nothing(Error),
}

impl Joined {
    /// The comparison.
    ///
    /// # Errors
    /// A contract error if the tables share no rows.
    pub fn rows(self) -> Result<Comparison> {
        match self {
            Self::Rows(comparison) => Ok(*comparison),
            Self::Nothing(error) => Err(error),
        }
    }
}

/// Compares two tables. Rows that do not fit into memory are put aside in `directory`.
///
/// # Errors
/// Fails if a table cannot be read, a column is missing, a table has no predictions, or labels do
/// not fit the task.
pub fn compare(
    question: &Question,
    tables: &[Arc<Dataset>; 2],
    options: &ReadOptions,
    directory: &Location,
    run_bytes: usize,
    interrupt: &Interrupt,
) -> Result<Joined> {
    let shared = if question.key.is_empty() {
        shared_column(question, tables)
    } else {
        None
    };
    let sides = columns_of(question, tables, shared.as_deref())?;
    let [first, second] = &sides;
    let mut labels = Labels::new(first.task, &first.classes);
    let mut pairing = Pairing::new(directory, run_bytes, question.key.is_empty());
    for (side, (columns, table)) in sides.iter().zip(tables).enumerate() {
        pairing.read(side, (columns, table), &mut labels, interrupt)?;
    }
    if question.key.is_empty() && pairing.counts.read[0] != pairing.counts.read[1] {
        return Ok(Joined::Nothing(other_row_count(
            pairing.counts.read,
            tables,
        )));
    }
    if !question.labels.is_empty() {
        let found = locate(&question.labels, false)?;
        let table = Dataset::open(&found.files, &[], options).map(Arc::new)?;
        let request = evaluated(question, 0, None);
        let mut counts = crate::monitor::evaluate::Counts::default();
        LabelColumns::of(&request, &table)?.read(
            &table,
            first.task,
            &mut labels,
            &mut counts,
            interrupt,
            |key, actual| pairing.label(key, actual),
        )?;
    }
    let order = class_order(first, second)?;
    let epsilons = [first.epsilon, second.epsilon];
    let mut gather = Gather::new(question, first.task, epsilons, (directory, run_bytes));
    let paired = pairing.finish(interrupt, |mut pair: Pair| {
        if let Some(order) = &order {
            let scores = &pair.predictions[1].scores;
            let scores = order.iter().map(|index| scores[*index]).collect();
            pair.predictions[1].scores = scores;
        }
        gather.add(&pair)
    });
    let counts = match paired {
        Ok(counts) => counts,
        // By their order rows are others.
        Err(error) if error.kind() == Kind::Contract => {
            return Ok(Joined::Nothing(match shared {
                Some(column) => with_key_hint(error, column),
                None => error,
            }));
        }
        Err(error) => return Err(error),
    };
    if counts.compared == 0 {
        let error = no_row(question, &counts, &tables[1]);
        let has_predictions = |side: usize| counts.read[side] > counts.without_prediction[side];
        return if has_predictions(0) && has_predictions(1) {
            Ok(Joined::Nothing(error))
        } else {
            Err(error)
        };
    }
    let comparison = finish(question, first.task, &labels, gather, counts, interrupt)?;
    Ok(Joined::Rows(Box::new(comparison)))
}

fn with_key_hint(error: Error, column: String) -> Error {
    let hint = format!(
        "join them by a column of both: `--key {}`",
        shell_word(&column)
    );
    error.at_column(column).hint(hint)
}

/// The request of an evaluation that reads one side.
fn evaluated(question: &Question, side: usize, task: Option<Task>) -> Evaluated {
    let is_first = side == 0;
    let label = question.label.clone().filter(|_| is_first);
    Evaluated {
        label: label.unwrap_or_default(),
        labels: if is_first {
            question.labels.clone()
        } else {
            Vec::new()
        },
        key: question.key.clone(),
        by: if is_first {
            question.by.clone()
        } else {
            Vec::new()
        },
        task: task.or(question.task),
        score: question.score.clone(),
        prediction: question.prediction.clone(),
        threshold: question.threshold,
        ..Evaluated::default()
    }
}

/// The columns of both sides; `shared` is one whose values must be the same in every row.
fn columns_of(
    question: &Question,
    tables: &[Arc<Dataset>; 2],
    shared: Option<&str>,
) -> Result<[Columns; 2]> {
    let of = |side: usize, task| {
        let mut request = evaluated(question, side, task);
        request.key.extend(shared.map(str::to_owned));
        Columns::of_predictions(&request, &tables[side])
    };
    let first = of(0, None)?;
    let second = of(1, Some(first.task))?;
    Ok([first, second])
}

/// The first column of both tables that no model made and whose values have one spelling: rows that
/// are joined by their order must have the same values there.
fn shared_column(question: &Question, tables: &[Arc<Dataset>; 2]) -> Option<String> {
    let [first, second] = tables.each_ref().map(|table| table.schema());
    let is_answer = |name: &str| {
        ANSWERS.contains(&name)
            || name.starts_with("probability_")
            || [&question.score, &question.prediction, &question.label]
                .into_iter()
                .any(|flag| flag.as_deref() == Some(name))
    };
    let has_one_spelling =
        |field: &Field| field.data_type().is_string() || field.data_type().is_integer();
    let fields = first.fields().iter();
    fields
        .filter(|field| !is_answer(field.name()) && has_one_spelling(field))
        .find(|field| {
            let other = second.field_with_name(field.name());
            other.is_ok_and(has_one_spelling)
        })
        .map(|field| field.name().clone())
}

/// Where the second table has the classes of the first; none if it has them in the same order.
fn class_order(first: &Columns, second: &Columns) -> Result<Option<Vec<usize>>> {
    if first.classes == second.classes {
        return Ok(None);
    }
    let index = |class: &String| second.classes.iter().position(|other| other == class);
    let order: Option<Vec<usize>> = first.classes.iter().map(index).collect();
    order
        .filter(|order| order.len() == second.classes.len())
        .map(Some)
        .ok_or_else(|| {
            let names = |columns: &Columns| columns.classes.join(", ");
            Error::contract("the two tables have probabilities of other classes").hint(format!(
                "the classes are {} and {}",
                names(first),
                names(second)
            ))
        })
}

fn other_row_count(read: [u64; 2], tables: &[Arc<Dataset>; 2]) -> Error {
    let mut error = Error::contract(format!(
        "the tables have {} and {}, so rows cannot be joined by their order",
        counted(read[0], "row"),
        counted(read[1], "row")
    ));
    if let Some(file) = tables[1].files.first() {
        error = error.at_path(&file.path);
    }
    error.hint("name the columns that both have with `--key`, such as `--key customer_id`")
}

fn no_row(question: &Question, counts: &PairCounts, second: &Dataset) -> Error {
    let mut error = Error::contract("no row has a prediction in both tables");
    if let Some(file) = second.files.first() {
        error = error.at_path(&file.path);
    }
    error.hint(if counts.read.contains(&0) {
        "a table has no rows"
    } else if !question.key.is_empty() {
        "no key of one table is a key of the other, or keys are not unique: check `--key`"
    } else {
        "the predictions are missing or no numbers; for labels in text pass `--task classes`"
    })
}

fn finish(
    question: &Question,
    task: Task,
    labels: &Labels,
    mut gather: Gather,
    counts: PairCounts,
    interrupt: &Interrupt,
) -> Result<Comparison> {
    let classes = labels.classes.names();
    let positive = match task {
        Task::Binary if counts.labelled > 0 || question.positive.is_some() => {
            Some(positive(question.positive.as_deref(), classes)?)
        }
        Task::Binary => positive(None, classes).ok(),
        _ => None,
    };
    let whole = Whole::new(task, classes, positive.as_ref());
    let moved = gather
        .moved()
        .into_iter()
        .map(|(key, moved)| MovedRow {
            key: key_texts(&key, question.key.is_empty()),
            scores: moved.scores(),
            decisions: moved.decisions.map(|decision| whole.decision(decision)),
        })
        .collect();
    let ranks = gather.scores.finish(whole.positive, interrupt)?;
    let disjoint = gather.sums.get(&0).map_or([None, None], |all| {
        [0, 1].map(|side| {
            let outcomes = all.outcomes.keys();
            let pairs = outcomes.map(|(actual, decisions)| (*actual, decisions[side]));
            disjoint(pairs, classes)
        })
    });
    let names = labels.segments.names();
    let mut segments: Vec<(u32, Segment)> = gather
        .sums
        .iter()
        .map(|(number, sums)| {
            let name = number
                .checked_sub(1)
                .map_or_else(String::new, |index| names[index as usize].clone());
            let ranks = ranks.get(number);
            (*number, measure::segment(&whole, name, sums, ranks))
        })
        .collect();
    add_differences(&mut segments, gather.differences.finish()?, interrupt)?;
    let mut segments: Vec<Segment> = segments.into_iter().map(|(_, segment)| segment).collect();
    segments.sort_by(|left, right| left.name.cmp(&right.name));
    let verdict = verdict(question, task, &segments)?;
    Ok(Comparison {
        counts,
        task,
        positive,
        segments,
        moved,
        verdict,
        disjoint,
    })
}

/// The values of a key, as `key_bytes` packed them, or the number of a row.
fn key_texts(key: &[u8], is_by_row: bool) -> Vec<String> {
    if is_by_row {
        let row = key
            .first_chunk::<8>()
            .map(|bytes| u64::from_be_bytes(*bytes) + 1);
        return row.map(|row| row.to_string()).into_iter().collect();
    }
    let (mut texts, mut rest) = (Vec::new(), key);
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some((text, behind)) = behind.split_at_checked(length) else {
            break;
        };
        texts.push(String::from_utf8_lossy(text).into_owned());
        rest = behind;
    }
    texts
}

/// Adds the quantiles and the histogram of the sorted differences.
fn add_differences(
    segments: &mut [(u32, Segment)],
    mut sorted: Sorted,
    interrupt: &Interrupt,
) -> Result<()> {
    let damaged = || Error::internal("a difference that was put aside is damaged");
    let mut walked = 0_u64;
    let mut rank = 0_u64;
    let mut current = None;
    let mut quantiles = [[f64::NAN; 2]; QUANTILES.len()];
    while let Some((key, _)) = sorted.next_record()? {
        walked += 1;
        if walked.is_multiple_of(ROWS_BETWEEN_CHECKS) {
            interrupt.check()?;
        }
        let (number, difference) = key.split_first_chunk::<4>().ok_or_else(damaged)?;
        let number = u32::from_be_bytes(*number);
        let difference = ordered_number(difference.try_into().map_err(|_| damaged())?);
        if current != Some(number) {
            (current, rank) = (Some(number), 0);
        }
        let at = segments.binary_search_by_key(&number, |(number, _)| *number);
        let (_, segment) = &mut segments[at.map_err(|_| damaged())?];
        let last = segment.rows - 1;
        for ((_, share), ends) in QUANTILES.iter().zip(&mut quantiles) {
            let position = share * last as f64;
            if rank == position.floor() as u64 {
                ends[0] = difference;
            }
            if rank == position.ceil() as u64 {
                ends[1] = difference;
            }
        }
        segment.count_difference(difference);
        if rank == last {
            for ((name, share), [low, high]) in QUANTILES.iter().zip(quantiles) {
                let part = (share * last as f64).fract();
                let value = if low == high {
                    low
                } else {
                    low + part * (high - low)
                };
                segment.measures.push((name, value));
            }
        }
        rank += 1;
    }
    Ok(())
}

impl Segment {
    /// Counts a difference in the histogram, whose bins are equally wide from the least difference
    /// to the largest.
    fn count_difference(&mut self, difference: f64) {
        let of = |name: &str| {
            let found = self.measures.iter().find(|(measure, _)| *measure == name);
            found.map_or(f64::NAN, |(_, value)| *value)
        };
        let (low, high) = (of("difference_min"), of("difference_max"));
        let width = (high - low) / HISTOGRAM_BINS as f64;
        if !(width > 0.0 && width.is_finite()) {
            if self.histogram.is_empty() {
                self.histogram.push(([low, high], 0));
            }
            self.histogram[0].1 += 1;
            return;
        }
        if self.histogram.is_empty() {
            let edge = |index: usize| low + width * index as f64;
            self.histogram = (0..HISTOGRAM_BINS)
                .map(|index| ([edge(index), edge(index + 1)], 0))
                .collect();
        }
        let bin = ((difference - low) / width) as usize;
        self.histogram[bin.min(HISTOGRAM_BINS - 1)].1 += 1;
    }
}

/// What the labels say, of the metric that was asked for or of the task's own.
fn verdict(question: &Question, task: Task, segments: &[Segment]) -> Result<Option<Verdict>> {
    let metrics = segments.first().map_or(&[][..], |all| &all.metrics);
    let name = question.metric.as_deref().unwrap_or(match task {
        Task::Binary => "roc_auc",
        Task::Classes => "accuracy",
        Task::Regression | Task::Ranking => "mae",
    });
    if let Some(metric) = metrics.iter().find(|metric| metric.name == name) {
        return Ok(Some(Verdict::of(metric, question.margin)));
    }
    let is_asked = question.metric.is_some() || question.margin.is_some();
    if !is_asked {
        return Ok(None);
    }
    let names: Vec<&str> = metrics.iter().map(|metric| metric.name).collect();
    let error = Error::usage(format!("the comparison has no metric `{name}`"));
    Err(error.hint(if names.is_empty() {
        "metrics need labels: `--label COLUMN`, and `--labels FILE` if they are a table".to_owned()
    } else {
        format!("the metrics are {}", names.join(", "))
    }))
}
