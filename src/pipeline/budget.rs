//! How many rows a run may lose before it counts as failed.
//!
//! Judged as rows come, as soon as the answer is certain, and at the end. Owns the limits and their
//! messages. It must not know why rows are rejected.

use indicatif::HumanCount;

use crate::count::counted;
use crate::error::{Error, Kind};
use crate::pipeline::part::RowCounts;

/// The most rows that may be rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    /// The most rejected rows.
    pub max_errors: Option<u64>,
    /// The most rejected rows as a share of the rows read, 0 to 1.
    pub max_error_rate: Option<f64>,
    /// The rows to be read, where that is known before.
    pub row_count: Option<u64>,
    /// Whether the output is published all the same; the run fails in either case.
    pub publishes: bool,
}

impl Budget {
    /// How many of `more` further rejections may be noted if the run must stop now, because more
    /// than the budget are certain; none if it may go on. The first one that is too many is noted
    /// too.
    #[must_use]
    pub fn overrun(&self, rejected: u64, more: u64) -> Option<u64> {
        let max_by_rate = self
            .max_error_rate
            .zip(self.row_count)
            .map(|(rate, rows)| (rate * rows as f64).floor() as u64);
        let most = [self.max_errors, max_by_rate].into_iter().flatten().min()?;
        (!self.publishes && rejected + more > most)
            .then(|| (most + 1).saturating_sub(rejected).min(more))
    }

    /// The error of a run with this account, if it rejected more rows than it may, or all of them
    /// without leave.
    #[must_use]
    pub fn judge(&self, total: &RowCounts) -> Option<Error> {
        let RowCounts {
            rows_in,
            scored,
            rejected,
            filtered: _,
        } = *total;
        let may_reject_all = self.max_error_rate.is_some_and(|rate| rate >= 1.0);
        if scored == 0 && rejected > 0 && !may_reject_all {
            let message = format!(
                "no row was scored: {} was rejected",
                if rejected == 1 {
                    "the only one".to_owned()
                } else {
                    format!("each of {}", counted(rejected, "row"))
                }
            );
            return Some(Error::new(Kind::ErrorBudget, message).hint(
                "the rejected rows, with the reason for each, are in the file that the summary \
                 names",
            ));
        }
        let too_many = self.max_errors.is_some_and(|most| rejected > most);
        let too_large = self
            .max_error_rate
            .is_some_and(|rate| rejected as f64 > rate * rows_in as f64);
        (too_many || too_large).then(|| self.exceeded(rejected, Some(rows_in)))
    }

    /// The error; without `rows_in` the run stopped at once.
    #[must_use]
    pub fn exceeded(&self, rejected: u64, rows_in: Option<u64>) -> Error {
        let all = rows_in.or(self.row_count);
        let rows = all.map_or_else(
            || counted(rejected, "row"),
            |rows| format!("{} of {}", HumanCount(rejected), counted(rows, "row")),
        );
        let verb = if all.is_none() && rejected == 1 {
            "was"
        } else {
            "were"
        };
        let limits = [
            self.max_errors.map(|most| format!("`--max-errors {most}`")),
            self.max_error_rate
                .map(|rate| format!("`--max-error-rate {rate}`")),
        ];
        let limits: Vec<String> = limits.into_iter().flatten().collect();
        let so_far = if rows_in.is_none() { " so far" } else { "" };
        let message = format!(
            "{rows} {verb} rejected{so_far}, more than {} allows",
            limits.join(" or ")
        );
        Error::new(Kind::ErrorBudget, message).hint(
            "the rejected rows, with the reason for each, are in the file that the summary names",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rejected: u64, rows_in: u64) -> RowCounts {
        RowCounts {
            rows_in,
            scored: rows_in - rejected,
            rejected,
            filtered: 0,
        }
    }

    #[test]
    fn a_run_that_rejects_every_row_fails_unless_that_was_allowed() {
        let budget = Budget {
            max_errors: Some(9),
            ..Budget::default()
        };
        assert_eq!(
            budget.judge(&rows(5, 5)).unwrap().message(),
            "no row was scored: each of 5 rows was rejected"
        );
        assert_eq!(
            Budget::default().judge(&rows(1, 1)).unwrap().message(),
            "no row was scored: the only one was rejected"
        );
        assert!(
            Budget {
                max_error_rate: Some(1.0),
                ..Budget::default()
            }
            .judge(&rows(5, 5))
            .is_none()
        );
        assert!(
            Budget::default().judge(&rows(0, 0)).is_none()
                && Budget::default().judge(&rows(4, 5)).is_none()
        );
    }

    #[test]
    fn a_budget_of_rows_stops_at_the_first_row_too_many() {
        let budget = Budget {
            max_errors: Some(3),
            ..Budget::default()
        };
        assert_eq!(budget.overrun(1, 2), None);
        assert_eq!(budget.overrun(1, 9), Some(3));
        assert_eq!(budget.overrun(3, 1), Some(1));
        assert!(budget.judge(&rows(3, 10)).is_none() && budget.judge(&rows(4, 10)).is_some());
    }

    #[test]
    fn a_share_stops_a_run_only_when_no_further_row_could_save_it() {
        let unknown = Budget {
            max_error_rate: Some(0.1),
            ..Budget::default()
        };
        assert_eq!(unknown.overrun(0, 1_000), None);
        let known = Budget {
            row_count: Some(100),
            ..unknown
        };
        assert_eq!(
            (known.overrun(0, 10), known.overrun(0, 11)),
            (None, Some(11))
        );
        assert!(known.judge(&rows(10, 100)).is_none() && known.judge(&rows(11, 100)).is_some());
    }

    #[test]
    fn a_run_that_publishes_anyway_goes_on_to_its_end() {
        let budget = Budget {
            max_errors: Some(0),
            publishes: true,
            ..Budget::default()
        };
        assert_eq!(budget.overrun(0, 5), None);
        assert_eq!(
            budget.judge(&rows(5, 6)).map(|error| error.kind()),
            Some(Kind::ErrorBudget)
        );
    }
}
