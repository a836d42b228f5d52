//! Runs as a list: who ran what, when.
//!
//! Owns the columns of the list. It must not know where runs are recorded.

use serde::Serialize;

use super::facts::{Fact, number, text};
use super::stored::StoredReport;
use crate::count::counted;
use crate::escape;

/// Reports that are not of a run: the section, the word for it, and the metric of its rows.
const OTHERS: [(&str, &str, &str); 3] = [
    ("evaluation", "evaluation", "rows_evaluated"),
    ("comparison", "comparison", "rows_compared"),
    ("drift", "drift", "rows"),
];

/// A run that was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RecordedRun {
    /// When it ended, or began where only that is known: RFC 3339, UTC.
    pub time: String,
    /// Who ran it: `ann@host`; empty where that is not recorded.
    pub actor: String,
    /// How it ended.
    pub status: String,
    /// The model: name, with the version if it has one.
    pub model: String,
    /// The version of a registry's model that it was: `churn:7`.
    pub registered: Option<String>,
    /// The last entry of the registry's log then.
    pub log_head: Option<String>,
    /// The model's digest.
    pub model_digest: String,
    /// Rows of the input, where that is known.
    pub rows: Option<u64>,
    /// The output.
    pub output: String,
    /// The name of the run.
    pub run_id: String,
    /// The version of tallow.
    pub tool_version: String,
}

impl RecordedRun {
    /// The run of a report. Of one that scored nothing, how it ended is what it is of.
    #[must_use]
    pub fn of_report(report: &StoredReport) -> Self {
        let text = |section: &str, metric: &str| {
            report.text(section, metric).unwrap_or_default().to_owned()
        };
        let kind = OTHERS.iter().find(|(section, ..)| {
            let mut facts = report.facts.iter();
            facts.any(|fact| fact.section == *section)
        });
        let is_run = report.number("ledger", "", "rows_in").is_some();
        let kind = kind.filter(|_| !is_run);
        let (section, metric) = kind.map_or(("ledger", "rows_in"), |one| (one.0, one.2));
        let rows = report.number(section, "", metric).map(|rows| rows as u64);
        let kind = kind.map(|one| one.1);
        Self {
            time: text("run", "started_at"),
            actor: String::new(),
            status: kind.map_or_else(|| text("run", "status"), str::to_owned),
            model: model_text(&text("model", "name"), report.text("model", "version")),
            registered: registered(&report.facts),
            log_head: report.text("model", "log_head").map(str::to_owned),
            model_digest: text("model", "digest"),
            rows,
            output: text("run", "output"),
            run_id: report.run_id.clone(),
            tool_version: text("run", "tool_version"),
        }
    }

    /// The model, with the version of the registry if it came from one: `churn 1.0 (churn:7)`.
    fn model_name(&self) -> String {
        match &self.registered {
            Some(registered) => format!("{} ({registered})", self.model),
            None => self.model.clone(),
        }
    }

    /// The row of the list.
    #[must_use]
    pub fn row(&self) -> [String; 6] {
        let rows = self
            .rows
            .map_or_else(String::new, |rows| counted(rows, "row"));
        let shown = |text: &str| escape::line(text).into_owned();
        [
            self.time.clone(),
            shown(&self.actor),
            shown(&self.status),
            shown(&self.model_name()),
            rows,
            shown(&self.output),
        ]
    }
}

/// The version of a registry's model that a report is of: `churn:7`; none if it names none.
#[must_use]
pub fn registered(facts: &[Fact]) -> Option<String> {
    let model = text(facts, "model", "registry_model")?;
    let version = number(facts, "model", "", "registry_version").map(|number| number.to_string());
    let version = version.or_else(|| {
        let text = text(facts, "model", "registry_version");
        text.map(str::to_owned)
    })?;
    Some(format!("{model}:{version}"))
}

/// A model's name and version.
#[must_use]
pub fn model_text(name: &str, version: Option<&str>) -> String {
    version.map_or_else(|| name.to_owned(), |version| format!("{name} {version}"))
}
