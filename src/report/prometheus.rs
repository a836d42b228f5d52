//! The report as metrics in Prometheus' text format, for the textfile collector of its node
//! exporter.
//!
//! Every metric is a gauge about the last run, so that a job that runs once a day and is gone again
//! can be alerted on. Each is always there, 0 where nothing was counted, because an alert on a
//! metric that is missing never fires; but a run that had nothing to do counted no rows, so it says
//! that and leaves their metrics out: an alert on too few rows must not fire for it. Costs are
//! there where they are known: no energy is not 0 joules. Samples carry no time stamps: the
//! collector refuses them. Owns names, help and the text; it must not know where the text is
//! written.
//!
//! Source: Prometheus, "Exposition formats", text format 0.0.4.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::facts::{Fact, Value};
use super::renderer::{Rendered, Renderer, Report};
use super::value_group::value_group;
use super::watch_metrics;
use crate::error::{Error, Result};
use crate::escape::escaped;

/// How every file of ours begins, to know one from what is not ours.
pub const OPENING: &str = "# HELP tallow_";

/// The metric that outlives a failed run.
const LAST_SUCCESS: &str = "tallow_last_success_timestamp_seconds";

/// What all samples say of their origin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Labels(String);

impl Labels {
    /// The labels `job` and `model`.
    #[must_use]
    pub fn new(job: &str, model: &str) -> Self {
        Self(format!(
            "job=\"{}\",model=\"{}\"",
            escape(job),
            escape(model)
        ))
    }
}

/// What an earlier run's file says.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviousMetrics {
    /// The labels of its samples.
    pub labels: Labels,
    /// When the job last succeeded, in seconds since 1970; 0 for never.
    pub last_success: f64,
}

impl PreviousMetrics {
    /// Reads an earlier run's file; none if it does not say when the job last succeeded.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let sample = text
            .lines()
            .find_map(|line| line.strip_prefix(LAST_SUCCESS)?.strip_prefix('{'))?;
        let (labels, value) = sample.rsplit_once("} ")?;
        Some(Self {
            labels: Labels(labels.to_owned()),
            last_success: value.trim().parse().ok()?,
        })
    }

    /// Whether it is about this job.
    #[must_use]
    pub fn is_of(&self, job: &str) -> bool {
        self.labels
            .0
            .starts_with(&format!("job=\"{}\",", escape(job)))
    }
}

/// How the run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct RunEnd {
    /// The process's exit code.
    pub exit_code: u8,
    /// Whether it found its output made already.
    pub had_nothing_to_do: bool,
    /// When it ended, in seconds since 1970.
    pub finished_at: f64,
    /// When the job last succeeded, in seconds since 1970; 0 for never.
    pub last_success: f64,
    /// Wall time.
    pub duration_seconds: f64,
    /// Processor seconds of the process, where the system reports it.
    pub processor_seconds: Option<f64>,
    /// Peak resident size in bytes, where the system reports it.
    pub peak_memory_bytes: Option<u64>,
}

/// The head of a report whose metrics are rendered.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Head {
    /// The labels of all samples.
    pub labels: Labels,
    /// How the run ended.
    pub end: RunEnd,
}

impl Head {
    /// The head as a [`Report`] takes it.
    ///
    /// # Errors
    /// An internal error if it has no form in JSON.
    pub fn into_object(self) -> Result<Map<String, Json>> {
        let internal = |error| Error::internal("a head without a form in JSON").because(error);
        match serde_json::to_value(self).map_err(internal)? {
            Json::Object(head) => Ok(head),
            _ => Ok(Map::new()),
        }
    }
}

/// Renders gauges about the last run.
#[derive(Clone, Copy, Debug)]
pub struct Prometheus;

impl Prometheus {
    /// A head without a [`Head`] gives metrics without labels of a run that just ended.
    #[must_use]
    pub fn text(&self, report: &Report<'_>) -> String {
        let head = serde_json::from_value(Json::Object(report.head.clone()));
        let Head { labels, end } = head.unwrap_or_default();
        text(&labels, &end, report.facts)
    }
}

impl Renderer for Prometheus {
    fn name(&self) -> &'static str {
        "prometheus"
    }

    fn render(&self, report: &Report<'_>) -> Result<Rendered> {
        Ok(Rendered::Text(self.text(report)))
    }
}

/// The whole file. Of `facts` those about rows, files, bytes and values are taken; a run that ended
/// before there were any has none.
fn text(labels: &Labels, end: &RunEnd, facts: &[Fact]) -> String {
    let known = |section: &str, metric: &str| {
        let found = facts.iter().find(|fact| {
            fact.section == section && fact.subject.is_empty() && fact.metric == metric
        });
        found.map(|fact| number(&fact.value))
    };
    let counted = |section: &str, metric: &str| {
        (!end.had_nothing_to_do).then(|| known(section, metric).unwrap_or(0.0))
    };
    let skipped = facts
        .iter()
        .filter(|fact| fact.section == "bad_files")
        .count() as f64;
    let gauges = [
        (
            "tallow_last_run_timestamp_seconds",
            "When the last run ended, in seconds since 1970.",
            Some(end.finished_at),
        ),
        (
            LAST_SUCCESS,
            "When the last run that succeeded ended, in seconds since 1970; 0 if none did.",
            Some(end.last_success),
        ),
        (
            "tallow_last_exit_code",
            "Exit code of the last run.",
            Some(f64::from(end.exit_code)),
        ),
        (
            "tallow_nothing_to_do",
            "1 if the last run found its output made already and counted no rows, else 0.",
            Some(f64::from(end.had_nothing_to_do)),
        ),
        (
            "tallow_rows_in",
            "Rows that the last run read.",
            counted("ledger", "rows_in"),
        ),
        (
            "tallow_rows_scored",
            "Rows that the last run scored.",
            counted("ledger", "scored"),
        ),
        (
            "tallow_rows_rejected",
            "Rows that the last run rejected.",
            counted("ledger", "rejected"),
        ),
        (
            "tallow_rows_filtered",
            "Rows that the last run filtered out.",
            counted("ledger", "filtered"),
        ),
        (
            "tallow_files_skipped",
            "Files that the last run could not read and dropped.",
            (!end.had_nothing_to_do).then_some(skipped),
        ),
        (
            "tallow_output_bytes",
            "Bytes of predictions that the last run published.",
            counted("run", "output_bytes"),
        ),
        (
            "tallow_duration_seconds",
            "Wall time of the last run.",
            Some(end.duration_seconds),
        ),
        (
            "tallow_processor_seconds",
            "Processor time of the last run, all threads together.",
            end.processor_seconds,
        ),
        (
            "tallow_peak_memory_bytes",
            "Peak resident size of the last run.",
            end.peak_memory_bytes.map(|bytes| bytes as f64),
        ),
        (
            "tallow_read_bytes",
            "Bytes that the last run read.",
            known("performance", "bytes_read"),
        ),
        (
            "tallow_written_bytes",
            "Bytes that the last run wrote.",
            known("performance", "bytes_written"),
        ),
        (
            "tallow_energy_joules",
            "Energy that the processors used during the last run.",
            known("performance", "energy_joules"),
        ),
        (
            "tallow_price",
            "What the last run cost, at the price of the machine for an hour.",
            known("performance", "price"),
        ),
    ];
    let mut text = String::new();
    for (name, help, value) in gauges {
        let Some(value) = value else { continue };
        text.push_str(&format!(
            "# HELP {name} {help}\n# TYPE {name} gauge\n{name}{{{}}} {value}\n",
            labels.0
        ));
    }
    text.push_str(&registry(labels, facts));
    text.push_str(&values(labels, facts));
    text.push_str(&watch_metrics::prometheus(&labels.0, facts, escape));
    text
}

/// Which version of a registry's model the last run scored with, and the last entry of the log that
/// it saw; nothing of a model that comes from no registry.
fn registry(labels: &Labels, facts: &[Fact]) -> String {
    const NAME: &str = "tallow_registry_info";
    let known = |metric: &str| {
        let is_it = |fact: &&Fact| {
            fact.section == "model" && fact.subject.is_empty() && fact.metric == metric
        };
        match facts.iter().find(is_it).map(|fact| &fact.value) {
            Some(Value::Text(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        }
    };
    let head = known("log_head");
    if head.is_empty() {
        return head;
    }
    format!(
        "# HELP {NAME} 1: the version of the registry's model, and the head of its log.\n# TYPE \
         {NAME} gauge\n{NAME}{{{},version=\"{}\",log_head=\"{}\"}} 1\n",
        labels.0,
        escape(&known("registry_version")),
        escape(&head)
    )
}

/// (name, help, group of values) of metrics with a sample for each column.
const VALUES: [(&str, &str, &str); 4] = [
    (
        "tallow_missing_values",
        "Values that were missing in the last run, by column.",
        "missing",
    ),
    (
        "tallow_unseen_values",
        "Categories that training never saw in the last run, by column.",
        "unseen",
    ),
    (
        "tallow_invalid_values",
        "Texts that are not numbers and lists of a wrong length in the last run, by column.",
        "invalid",
    ),
    (
        "tallow_coerced_values",
        "Values that the last run changed, by column and kind.",
        "coerced",
    ),
];

/// One sample for each column, and kind where values were changed; no metric of a group that was
/// not counted.
fn values(labels: &Labels, facts: &[Fact]) -> String {
    let metric = |(name, help, group): (&str, &str, &str)| {
        let counted = facts
            .iter()
            .filter(|fact| fact.section == "coercions" && value_group(&fact.metric) == Some(group));
        let sample = |fact: &Fact| {
            let kind = if group == "coerced" {
                format!(",kind=\"{}\"", escape(&fact.metric))
            } else {
                String::new()
            };
            format!(
                "{name}{{{},column=\"{}\"{kind}}} {}\n",
                labels.0,
                escape(&fact.subject),
                number(&fact.value)
            )
        };
        let samples: String = counted.map(sample).collect();
        if samples.is_empty() {
            samples
        } else {
            format!("# HELP {name} {help}\n# TYPE {name} gauge\n{samples}")
        }
    };
    VALUES.map(metric).concat()
}

fn number(value: &Value) -> f64 {
    if let Value::Number(number) = value {
        *number
    } else {
        0.0
    }
}

/// A label's value between its quotes.
fn escape(text: &str) -> String {
    let shown: Vec<_> = text.split('\n').map(escaped).collect();
    shown
        .join("\n")
        .replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end() -> RunEnd {
        RunEnd {
            exit_code: 4,
            had_nothing_to_do: false,
            finished_at: 1_795_260_841.0,
            last_success: 1_795_174_441.25,
            duration_seconds: 0.125,
            processor_seconds: Some(0.25),
            peak_memory_bytes: Some(1 << 26),
        }
    }

    #[test]
    fn the_file_is_what_the_collector_reads() {
        let facts = [
            Fact::count("ledger", "", "rows_in", 10_000_000_000, "rows"),
            Fact::count("ledger", "", "scored", 7, "rows"),
            Fact::count("ledger", "a.csv", "scored", 5, "rows"),
            Fact::count(
                "coercions",
                "a \"quoted\" \\ column\nof two lines",
                "missing",
                3,
                "values",
            ),
            Fact::count("coercions", "b", "unseen", 1, "values"),
            Fact::count("coercions", "b", "rounded", 2, "values"),
            Fact::count("coercions", "b", "text_to_number", 9, "values"),
            Fact::text("bad_files", "b.csv", "reason", "broken"),
        ];
        insta::assert_snapshot!(text(&Labels::new("nightly", "churn"), &end(), &facts), @r#"
        # HELP tallow_last_run_timestamp_seconds When the last run ended, in seconds since 1970.
        # TYPE tallow_last_run_timestamp_seconds gauge
        tallow_last_run_timestamp_seconds{job="nightly",model="churn"} 1795260841
        # HELP tallow_last_success_timestamp_seconds When the last run that succeeded ended, in seconds since 1970; 0 if none did.
        # TYPE tallow_last_success_timestamp_seconds gauge
        tallow_last_success_timestamp_seconds{job="nightly",model="churn"} 1795174441.25
        # HELP tallow_last_exit_code Exit code of the last run.
        # TYPE tallow_last_exit_code gauge
        tallow_last_exit_code{job="nightly",model="churn"} 4
        # HELP tallow_nothing_to_do 1 if the last run found its output made already and counted no rows, else 0.
        # TYPE tallow_nothing_to_do gauge
        tallow_nothing_to_do{job="nightly",model="churn"} 0
        # HELP tallow_rows_in Rows that the last run read.
        # TYPE tallow_rows_in gauge
        tallow_rows_in{job="nightly",model="churn"} 10000000000
        # HELP tallow_rows_scored Rows that the last run scored.
        # TYPE tallow_rows_scored gauge
        tallow_rows_scored{job="nightly",model="churn"} 7
        # HELP tallow_rows_rejected Rows that the last run rejected.
        # TYPE tallow_rows_rejected gauge
        tallow_rows_rejected{job="nightly",model="churn"} 0
        # HELP tallow_rows_filtered Rows that the last run filtered out.
        # TYPE tallow_rows_filtered gauge
        tallow_rows_filtered{job="nightly",model="churn"} 0
        # HELP tallow_files_skipped Files that the last run could not read and dropped.
        # TYPE tallow_files_skipped gauge
        tallow_files_skipped{job="nightly",model="churn"} 1
        # HELP tallow_output_bytes Bytes of predictions that the last run published.
        # TYPE tallow_output_bytes gauge
        tallow_output_bytes{job="nightly",model="churn"} 0
        # HELP tallow_duration_seconds Wall time of the last run.
        # TYPE tallow_duration_seconds gauge
        tallow_duration_seconds{job="nightly",model="churn"} 0.125
        # HELP tallow_processor_seconds Processor time of the last run, all threads together.
        # TYPE tallow_processor_seconds gauge
        tallow_processor_seconds{job="nightly",model="churn"} 0.25
        # HELP tallow_peak_memory_bytes Peak resident size of the last run.
        # TYPE tallow_peak_memory_bytes gauge
        tallow_peak_memory_bytes{job="nightly",model="churn"} 67108864
        # HELP tallow_missing_values Values that were missing in the last run, by column.
        # TYPE tallow_missing_values gauge
        tallow_missing_values{job="nightly",model="churn",column="a \"quoted\" \\ column\nof two lines"} 3
        # HELP tallow_unseen_values Categories that training never saw in the last run, by column.
        # TYPE tallow_unseen_values gauge
        tallow_unseen_values{job="nightly",model="churn",column="b"} 1
        # HELP tallow_coerced_values Values that the last run changed, by column and kind.
        # TYPE tallow_coerced_values gauge
        tallow_coerced_values{job="nightly",model="churn",column="b",kind="rounded"} 2
        "#);
    }

    #[test]
    fn a_run_with_nothing_to_do_reports_it_and_counts_no_rows() {
        let end = RunEnd {
            exit_code: 99,
            had_nothing_to_do: true,
            ..end()
        };
        let text = text(&Labels::new("nightly", "churn"), &end, &[]);
        assert!(
            text.contains("tallow_nothing_to_do{job=\"nightly\",model=\"churn\"} 1\n")
                && text.contains("tallow_duration_seconds{"),
            "{text}"
        );
        assert!(
            !text.contains("tallow_rows_") && !text.contains("tallow_output_bytes"),
            "{text}"
        );
    }

    #[test]
    fn the_time_of_the_last_success_is_read_back_whatever_the_labels() {
        for job in ["nightly", "a } 1 \" \\ {\n", ""] {
            let labels = Labels::new(job, "m} 2");
            let previous = PreviousMetrics::read(&text(&labels, &end(), &[])).unwrap();
            assert_eq!(
                previous,
                PreviousMetrics {
                    labels,
                    last_success: 1_795_174_441.25
                }
            );
            assert!(previous.is_of(job) && !previous.is_of("night"));
        }
        for text in [
            "",
            "tallow_last_success_timestamp_seconds 1",
            "tallow_last_success_timestamp_seconds{} soon",
            "\u{0}{}",
        ] {
            assert_eq!(PreviousMetrics::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_file_is_known_by_its_opening() {
        assert!(text(&Labels::new("", ""), &RunEnd::default(), &[]).starts_with(OPENING));
    }
}
