//! Guards: what is too strange about an input to score it unattended.

use indicatif::HumanCount;

use super::options::{seconds, share};
use crate::count::counted;
use crate::error::{Error, Kind, Result, shell_word};
use crate::pipeline::budget::Budget;
use crate::report::previous::{PreviousRun, newest};
use crate::request::output::Limits;
use crate::storage::Location;
use crate::table::dataset::Dataset;

/// Units of time with their seconds, and the seconds from which on they are used.
const UNITS: [(&str, f64, f64); 4] = [
    ("d", 86_400.0, 172_800.0),
    ("h", 3_600.0, 7_200.0),
    ("m", 60.0, 120.0),
    ("s", 1.0, 0.0),
];

/// Guards, read and ready.
#[derive(Clone, Debug, Default)]
pub struct Guards {
    min_rows: Option<u64>,
    max_age_seconds: Option<f64>,
    max_row_delta: Option<f64>,
    previous: Option<PreviousRun>,
}

impl Guards {
    /// Reads the flags, and the last good run's report if rows are to be compared with it;
    /// `own_report` is the one that this run would replace. With a warning if there is no such run.
    ///
    /// # Errors
    /// A usage error for texts that are no spans or shares; fails if a report that was named cannot
    /// be read.
    pub fn resolve(args: &Limits, own_report: Option<&Location>) -> Result<(Self, Option<Error>)> {
        let max_row_delta = args
            .max_row_delta
            .as_deref()
            .map(|text| share("--max-row-delta", text, false))
            .transpose()?;
        let guards = Self {
            min_rows: args.min_rows,
            max_age_seconds: args
                .max_age
                .as_deref()
                .map(|text| seconds("--max-age", text))
                .transpose()?,
            previous: if max_row_delta.is_some() {
                newest(args.previous_report.as_ref(), own_report)?
            } else {
                None
            },
            max_row_delta,
        };
        let compares_nothing = guards.max_row_delta.is_some() && guards.previous.is_none();
        Ok((guards, compares_nothing.then(|| no_previous_run(args))))
    }

    /// Judges what is known before the first row; `row_count` are the rows to read, if that is
    /// known.
    ///
    /// # Errors
    /// [`Kind::Gate`] for the first guard that trips.
    pub fn before(
        &self,
        dataset: &Dataset,
        row_count: Option<u64>,
        seconds_now: u64,
    ) -> Result<()> {
        if let Some(most) = self.max_age_seconds {
            let youngest = dataset
                .files
                .iter()
                .max_by_key(|file| file.table.identity().modified_seconds());
            let age = youngest.map(|file| {
                (
                    file,
                    seconds_now as f64 - file.table.identity().modified_seconds() as f64,
                )
            });
            if let Some((file, age)) = age.filter(|(_, age)| *age > most) {
                let message = format!(
                    "the newest input is {} old, more than the {} of `--max-age`",
                    span(age),
                    span(most)
                );
                return Err(Error::new(Kind::Gate, message)
                    .at_path(&file.path)
                    .hint("find out why no new data came"));
            }
        }
        row_count.map_or(Ok(()), |rows| self.rows(rows))
    }

    /// Judges the number of rows read.
    ///
    /// # Errors
    /// [`Kind::Gate`] for the first guard that trips.
    pub fn rows(&self, rows: u64) -> Result<()> {
        if let Some(least) = self.min_rows.filter(|least| rows < *least) {
            return Err(Error::new(
                Kind::Gate,
                format!(
                    "the input has {}, fewer than the {least} of `--min-rows`",
                    counted(rows, "row")
                ),
            ));
        }
        let (Some(most), Some(previous)) = (self.max_row_delta, &self.previous) else {
            return Ok(());
        };
        let delta = (rows as f64 - previous.rows.rows_in as f64).abs()
            / (previous.rows.rows_in as f64).max(1.0);
        if delta > most {
            let message = format!(
                "the input has {}, the last good run had {}: {:.1} % apart, more than the {:.1} % \
                 of `--max-row-delta`",
                counted(rows, "row"),
                HumanCount(previous.rows.rows_in),
                100.0 * delta,
                100.0 * most
            );
            let error = Error::new(Kind::Gate, message).at_path(&previous.path);
            return Err(error.hint(
                "if the data is right, run once without `--max-row-delta`: later runs are \
                 compared with that one",
            ));
        }
        Ok(())
    }
}

/// The warning that rows are compared with nothing.
fn no_previous_run(args: &Limits) -> Error {
    let named = args
        .previous_report
        .as_ref()
        .map_or_else(String::new, |path| {
            format!(
                " among `--previous-report {}`",
                shell_word(&path.to_string_lossy())
            )
        });
    let error = Error::new(
        Kind::Gate,
        format!(
            "`--max-row-delta` compares with nothing: there is no report of a good earlier \
             run{named}"
        ),
    );
    error.hint("on the first run that is right: the next one compares with this run's report")
}

/// A time span as `--max-age` reads it, in the unit that suits it: `26 h`, `1.5 d`, `3 s`.
fn span(seconds: f64) -> String {
    let (unit, length, _) = UNITS
        .into_iter()
        .find(|(.., from)| seconds >= *from)
        .unwrap_or(("s", 1.0, 0.0));
    format!("{} {unit}", (seconds / length * 10.0).round() / 10.0)
}

/// The error budget of a run that reads `row_count` rows, if that is known.
///
/// # Errors
/// A usage error for a text that is not a share.
pub fn budget(args: &Limits, row_count: Option<u64>) -> Result<Budget> {
    Ok(Budget {
        max_errors: args.max_errors,
        max_error_rate: args
            .max_error_rate
            .as_deref()
            .map(|text| share("--max-error-rate", text, true))
            .transpose()?,
        row_count,
        publishes: args.on_budget == crate::request::output::OnBudget::Publish,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_the_unit_that_suits_it() {
        assert_eq!(
            [0.0, 1.0, 90.0, 600.0, 93_600.0, 216_000.0].map(span),
            ["0 s", "1 s", "90 s", "10 m", "26 h", "2.5 d"]
        );
    }
}
