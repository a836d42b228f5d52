//! A report read back from its file, and what a person wants to know of it.
//!
//! Owns the reading of facts from a table of [`super::facts::schema`], Parquet or CSV. It must not
//! know how a run is made.

use std::path::{Path, PathBuf};

use arrow::datatypes::Schema;
use indicatif::{HumanBytes, HumanCount};

use super::facts::{Fact, Value, from_table, schema};
use super::scores::four_digits;
use super::summary::{ignored_told, rows_told, tokens_told, value_lines};
use crate::count::{counted, listed};
use crate::error::{Error, Result};
use crate::pipeline::part::RowCounts;
use crate::table::dataset::Dataset;

/// Labels of a column that are told; the report has them all.
const LABELS_TOLD: usize = 8;

/// The facts of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredReport {
    /// The run's name.
    pub run_id: String,
    /// In the order of the file.
    pub facts: Vec<Fact>,
}

/// Whether a table of these columns is one of facts.
#[must_use]
pub fn is_report(found: &Schema) -> bool {
    schema()
        .fields()
        .iter()
        .all(|field| found.column_with_name(field.name()).is_some())
}

impl StoredReport {
    /// Reads the reports of all runs in a file, in its order; people join them.
    ///
    /// # Errors
    /// Fails if the file is no report of a run.
    pub fn read(path: &Path) -> Result<Vec<Self>> {
        let no_report = || {
            Error::failed("the file is no report of a run")
                .at_path(path)
                .hint("a report is what a run writes beside its output")
        };
        let dataset = Dataset::of_file(path)?;
        let mut reports: Vec<Self> = Vec::new();
        for batch in dataset.batches(&dataset.as_read(&dataset.schema())) {
            for (run_id, fact) in from_table(&batch?).ok_or_else(no_report)? {
                // The same work done again has the same name; each account of it begins with its
                // status.
                match reports
                    .last_mut()
                    .filter(|last| last.run_id == run_id && fact.as_status().is_none())
                {
                    Some(last) => last.facts.push(fact),
                    None => reports.push(Self {
                        run_id,
                        facts: vec![fact],
                    }),
                }
            }
        }
        if reports.iter().any(|report| report.status().is_some()) {
            Ok(reports)
        } else {
            Err(no_report())
        }
    }

    /// How the run ended.
    #[must_use]
    pub fn status(&self) -> Option<&str> {
        self.facts.iter().find_map(Fact::as_status)
    }

    /// A text about the run as a whole.
    #[must_use]
    pub fn text(&self, section: &str, metric: &str) -> Option<&str> {
        match &self.find(section, "", metric)?.value {
            Value::Text(text) => Some(text),
            Value::Number(_) => None,
        }
    }

    /// A number about `subject`, or the run as a whole.
    #[must_use]
    pub fn number(&self, section: &str, subject: &str, metric: &str) -> Option<f64> {
        match self.find(section, subject, metric)?.value {
            Value::Number(number) => Some(number),
            Value::Text(_) => None,
        }
    }

    fn find(&self, section: &str, subject: &str, metric: &str) -> Option<&Fact> {
        self.facts.iter().find(|fact| {
            fact.section == section && fact.subject == subject && fact.metric == metric
        })
    }

    fn section<'a>(&'a self, section: &'a str) -> impl Iterator<Item = &'a Fact> {
        self.facts
            .iter()
            .filter(move |fact| fact.section == section)
    }

    /// (label, text) of what a person wants to know, in the order of a run's own summary.
    #[must_use]
    pub fn described(&self) -> Vec<(String, String)> {
        let mut lines: Vec<(String, String)> = Vec::new();
        let mut line = |label: &str, text: Option<String>| {
            lines.extend(text.map(|text| (label.to_owned(), text)));
        };
        line("run_id", Some(self.run_id.clone()));
        for metric in ["invocation_id", "status", "started_at", "tool_version"] {
            line(metric, self.text("run", metric).map(str::to_owned));
        }
        let format = self
            .text("model", "format")
            .map_or(String::new(), |format| format!(" ({format})"));
        line(
            "model",
            self.text("model", "name")
                .map(|name| format!("{name}{format}")),
        );
        line(
            "model_version",
            self.text("model", "version").map(str::to_owned),
        );
        line(
            "model_digest",
            self.text("model", "digest").map(str::to_owned),
        );
        line("rows", self.rows());
        line("time", self.time());
        let size = self
            .number("run", "", "output_bytes")
            .map_or(String::new(), |bytes| {
                format!(" ({})", HumanBytes(bytes as u64))
            });
        line(
            "output",
            self.text("run", "output")
                .map(|output| format!("{output}{size}")),
        );
        lines.extend(self.section("rejections").filter_map(rejection));
        lines.extend(self.score_lines());
        lines.extend(self.coercions());
        lines.extend(self.tokens().map(|tokens| ("tokens".to_owned(), tokens)));
        lines.extend(
            self.text("model", "arithmetic")
                .map(|arithmetic| ("arithmetic".to_owned(), arithmetic.to_owned())),
        );
        let ignored: Vec<PathBuf> = self
            .section("ignored_files")
            .map(|fact| fact.subject.clone().into())
            .collect();
        lines.extend(ignored_told(&ignored).map(|told| ("ignored".to_owned(), told)));
        lines.extend(self.section("bad_files").map(|fact| {
            (
                "left out".to_owned(),
                format!("{}: {}", fact.subject, told(&fact.value)),
            )
        }));
        lines
    }

    fn rows(&self) -> Option<String> {
        let count = |metric: &str| Some(self.number("ledger", "", metric)? as u64);
        Some(rows_told(&RowCounts {
            rows_in: count("rows_in")?,
            scored: count("scored")?,
            rejected: count("rejected")?,
            filtered: count("filtered")?,
        }))
    }

    fn time(&self) -> Option<String> {
        let number = |metric: &str| self.number("performance", "", metric);
        let speed = HumanCount(number("rows_per_second")? as u64);
        let memory = number("peak_memory_bytes").map_or(String::new(), |bytes| {
            format!(", {} peak", HumanBytes(bytes as u64))
        });
        Some(format!(
            "{:.2} s ({speed} rows/s{memory})",
            number("wall_seconds")?
        ))
    }

    /// One line for each column of each group.
    fn coercions(&self) -> Vec<(String, String)> {
        // Reports of earlier versions have other names.
        let kind = |metric: &'_ str| match metric {
            "null" => "missing".to_owned(),
            "unseen_category" => "unseen".to_owned(),
            metric => metric.to_owned(),
        };
        let facts = self.section("coercions").filter_map(|fact| {
            Some((
                fact.subject.as_str(),
                kind(&fact.metric),
                fact.as_number()? as u64,
            ))
        });
        let facts: Vec<(&str, String, u64)> = facts.collect();
        let counts: Vec<(&str, &str, u64)> = facts
            .iter()
            .map(|(column, kind, count)| (*column, kind.as_str(), *count))
            .collect();
        let lines = |(label, texts): (&'static str, Vec<String>)| {
            texts.into_iter().map(move |text| (label.to_owned(), text))
        };
        value_lines(&counts).into_iter().flat_map(lines).collect()
    }

    /// What a text model read.
    fn tokens(&self) -> Option<String> {
        let number = |metric: &str| Some(self.number("performance", "", metric)? as u64);
        Some(tokens_told(
            number("tokens")?,
            number("tokens_per_second")?,
            number("padding_avoided")?,
        ))
    }

    /// One line for each column of scores: moments of numbers, counts of labels.
    fn score_lines(&self) -> Vec<(String, String)> {
        let mut columns: Vec<&str> = self
            .section("scores")
            .map(|fact| fact.subject.as_str())
            .collect();
        columns.dedup();
        columns
            .into_iter()
            .map(|column| (column.to_owned(), self.scores_of(column)))
            .collect()
    }

    fn scores_of(&self, column: &str) -> String {
        let number = |metric: &str| self.number("scores", column, metric);
        if let Some(mean) = number("mean") {
            let shown =
                |metric: &str| number(metric).map_or_else(|| "none".to_owned(), four_digits);
            let nan = number("nan_count")
                .filter(|count| *count > 0.0)
                .map_or(String::new(), |count| format!(", {count} NaN"));
            return format!(
                "mean {}, min {}, median {}, max {}{nan}",
                four_digits(mean),
                shown("min"),
                shown("quantile_0.5"),
                shown("max")
            );
        }
        let labels = self.section("scores").filter(|fact| fact.subject == column);
        let labels = labels.filter_map(|fact| {
            Some((
                fact.metric.strip_prefix("count_")?,
                fact.as_number()? as u64,
            ))
        });
        let labels: Vec<String> = labels
            .map(|(label, count)| format!("{label}: {}", HumanCount(count)))
            .collect();
        if labels.is_empty() {
            "no number".to_owned()
        } else {
            listed(labels, LABELS_TOLD, ", ", "label")
        }
    }
}

fn rejection(fact: &Fact) -> Option<(String, String)> {
    Some((
        "rejected".to_owned(),
        format!(
            "{}: {} in `{}`",
            counted(fact.as_number()? as u64, "row"),
            fact.metric,
            fact.subject
        ),
    ))
}

fn told(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.to_string(),
    }
}
