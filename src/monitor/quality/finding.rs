//! What the counts of a rule come to: how many rows do not meet it, and whether it holds.
//!
//! Owns the verdict, its words, and what a rule that does not hold does to the run. It must not
//! know how rows are counted.

use indicatif::HumanCount;

use super::QualityCounts;
use super::counts::Counts;
use crate::count::counted;
use crate::package::manifest::OnFail;
use crate::pipeline::rule::{Ask, Rule};
use crate::pipeline::{Job, Outcomes};
use crate::statistics::distinct::RELATIVE_ERROR;

/// Beyond so many standard errors of an estimate, values are repeated for sure.
const SURE: f64 = 4.0;

/// Whether a rule holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Ok,
    /// It does not.
    Broken,
    /// The estimate does not say.
    Undecided,
}

impl Verdict {
    /// The word in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Broken => "broken",
            Self::Undecided => "undecided",
        }
    }
}

/// What became of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The rule's name.
    pub name: String,
    /// What the user wrote.
    pub expression: String,
    /// What happens if it does not hold.
    pub on_fail: OnFail,
    /// The least share that must meet it.
    pub mostly: f64,
    /// The rows or values that were tested.
    pub tested: u64,
    /// Those that do not meet it, estimated where `is_estimate`.
    pub failed: u64,
    /// Whether `failed` is an estimate.
    pub is_estimate: bool,
    /// The share that meets it: 1 where nothing was tested.
    pub compliance: f64,
    /// Whether it holds.
    pub verdict: Verdict,
    /// Of a rule about freshness: the age of the newest value, in seconds.
    pub age_seconds: Option<f64>,
    /// Of a rule about the number of rows: that.
    pub row_count: Option<u64>,
    /// Whether it is about the table, which meets it or not.
    pub is_of_table: bool,
    /// Whether it is about the values of a column.
    pub is_of_column: bool,
    /// Rows that do not meet it, if they were asked for.
    pub examples: Vec<String>,
}

/// What became of each rule; `seconds_now` is what ages are counted from.
#[must_use]
pub fn findings(job: &Job, outcomes: &Outcomes, seconds_now: u64) -> Vec<Finding> {
    let Some(counts) = outcomes.seen.get::<QualityCounts>() else {
        return Vec::new();
    };
    let rows_in = outcomes.ledger.total().rows_in;
    job.rules
        .iter()
        .zip(&counts.rules)
        .map(|(rule, counts)| finding(rule, counts, rows_in, seconds_now))
        .collect()
}

fn finding(rule: &Rule, counts: &Counts, rows_in: u64, seconds_now: u64) -> Finding {
    let whole = |is_met: bool| (1, u64::from(!is_met));
    let (mut age_seconds, mut is_estimate) = (None, false);
    let mut undecided = false;
    let (tested, failed) = match (counts, &rule.ask) {
        (Counts::Row { tested, failed, .. }, _) => (*tested, *failed),
        (
            Counts::Distinct {
                tested,
                few: Some(hashes),
                ..
            },
            _,
        ) => (*tested, tested - hashes.len() as u64),
        (
            Counts::Distinct {
                tested, distinct, ..
            },
            _,
        ) => {
            is_estimate = !distinct.is_exact();
            let estimate = distinct.estimate();
            let repeated = (*tested as f64 - estimate).max(0.0).round() as u64;
            // With the error of the estimate on its side the rule might hold.
            let best = estimate * (1.0 + SURE * RELATIVE_ERROR);
            undecided = is_estimate
                && best >= rule.mostly * *tested as f64
                && estimate * (1.0 - SURE * RELATIVE_ERROR) < rule.mostly * *tested as f64;
            (*tested, repeated)
        }
        (Counts::Keys { tested, keys }, _) => (*tested, tested - keys.hashes.len() as u64),
        (
            Counts::Newest { newest, .. },
            Ask::Fresh {
                max_age_seconds, ..
            },
        ) => {
            age_seconds = newest.map(|newest| seconds_now as f64 - newest as f64 / 1e6);
            whole(age_seconds.is_some_and(|age| age <= *max_age_seconds))
        }
        (_, Ask::RowCount { min, max }) => whole((*min..=*max).contains(&rows_in)),
        _ => whole(true),
    };
    let compliance = if tested == 0 {
        1.0
    } else {
        (tested - failed) as f64 / tested as f64
    };
    let verdict = if undecided {
        Verdict::Undecided
    } else if compliance >= rule.mostly {
        Verdict::Ok
    } else {
        Verdict::Broken
    };
    let examples = match counts {
        Counts::Row { examples, .. } => examples.clone(),
        _ => Vec::new(),
    };
    Finding {
        name: rule.name.clone(),
        expression: rule.expression.clone(),
        on_fail: rule.on_fail,
        mostly: rule.mostly,
        tested,
        failed,
        is_estimate,
        compliance,
        verdict,
        age_seconds,
        row_count: matches!(rule.ask, Ask::RowCount { .. }).then_some(rows_in),
        is_of_table: matches!(rule.ask, Ask::RowCount { .. } | Ask::Fresh { .. }),
        is_of_column: matches!(rule.ask, Ask::Unique { .. }),
        examples,
    }
}

impl Finding {
    /// How many rows do not meet it, in words.
    #[must_use]
    pub fn text(&self) -> String {
        if let Some(age) = self.age_seconds {
            return format!("the newest value is {:.1} h old", age / 3_600.0);
        }
        if let Some(rows) = self.row_count {
            return format!("the table has {}", counted(rows, "row"));
        }
        if self.tested == 1 && self.is_of_table {
            return "the column has no value".to_owned();
        }
        let about = if self.is_estimate { "about " } else { "" };
        format!(
            "{about}{} of {} do not meet it ({} % do, at least {} % must)",
            HumanCount(self.failed),
            counted(self.tested, if self.is_of_column { "value" } else { "row" }),
            percent(self.compliance),
            percent(self.mostly)
        )
    }
}

/// A share in percent, with the digits that tell it from 100.
fn percent(share: f64) -> String {
    let text = format!("{:.4}", 100.0 * share);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
