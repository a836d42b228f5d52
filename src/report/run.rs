//! The facts of one scoring run, gathered from what the pipeline counted.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::cost::{self, Cost};
use super::facts::Fact;
use super::{estimates, quality, scores};
use crate::model::Counter;
use crate::package::open::Identity;
use crate::pipeline::rule::Ask;
use crate::pipeline::stage::Stage;
use crate::pipeline::{Job, Outcomes};
use crate::process;
use crate::storage::Location;
use crate::table::dataset_file::BadFile;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All rows are in the output.
    Done,
    /// The output was published although more rows were rejected than the budget allows.
    OverBudget,
    /// The output was published although a gate failed.
    GatesFailed,
    /// More rows were rejected than the budget allows, or a gate failed, and the output was
    /// withheld.
    Withheld,
    /// A signal stopped it.
    Interrupted,
    /// It failed.
    Failed,
}

impl Status {
    /// The word in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::OverBudget => "over_budget",
            Self::GatesFailed => "gates_failed",
            Self::Withheld => "withheld",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}

/// What is known of a run alongside the pipeline's counts.
#[derive(Clone, Debug)]
pub struct RunContext {
    /// The run's name: the same work has the same.
    pub run_id: String,
    /// The name of this attempt at it: a UUID of its own.
    pub invocation_id: String,
    /// How it ended.
    pub status: Status,
    /// When it began, RFC 3339, UTC.
    pub started_at: String,
    /// Wall time from start to the last byte written.
    pub wall: Duration,
    /// Processor seconds of the whole process, where the system reports it.
    pub processor_seconds: Option<f64>,
    /// Peak resident size of the process in bytes, where the system reports it.
    pub peak_memory_bytes: Option<u64>,
    /// What it cost, as far as the system reports it.
    pub cost: Cost,
    /// Which model scored.
    pub model: Identity,
    /// The output's path.
    pub output: String,
    /// The output's size in bytes.
    pub output_bytes: u64,
    /// Files that could not be read and were dropped.
    pub bad_files: Vec<BadFile>,
    /// Files in directories that were not read, because their names do not end as those of tables
    /// do.
    pub ignored: Vec<Location>,
    /// What the scheduler said of the run.
    pub scheduler: BTreeMap<String, String>,
}

impl RunContext {
    /// The context of a run that did not begin.
    #[must_use]
    pub fn of_nothing(model: Identity) -> Self {
        Self {
            run_id: String::new(),
            invocation_id: String::new(),
            status: Status::Done,
            started_at: String::new(),
            wall: Duration::ZERO,
            processor_seconds: Some(0.0),
            peak_memory_bytes: Some(0),
            cost: Cost::default(),
            model,
            output: String::new(),
            output_bytes: 0,
            bad_files: Vec::new(),
            ignored: Vec::new(),
            scheduler: BTreeMap::new(),
        }
    }
}

/// All facts of a run, section after section.
#[must_use]
pub fn facts(job: &Job, outcomes: &Outcomes, context: &RunContext) -> Vec<Fact> {
    let mut facts = run_facts(context);
    facts.extend(ledger_facts(job, outcomes));
    facts.extend(context.bad_files.iter().map(|file| {
        Fact::text(
            "bad_files",
            file.path.display().to_string(),
            "reason",
            &file.reason,
        )
    }));
    facts.extend(context.ignored.iter().map(|path| {
        Fact::text(
            "ignored_files",
            path.display().to_string(),
            "reason",
            "ending",
        )
    }));
    facts.extend(
        context
            .scheduler
            .iter()
            .map(|(name, value)| Fact::text("scheduler", "", name, value)),
    );
    facts.extend(coercion_facts(job, outcomes));
    facts.extend(context.model.named().into_iter().map(|(metric, value)| {
        match context.model.number(&metric) {
            Some(number) => Fact::number("model", "", metric, number, ""),
            None => Fact::text("model", "", metric, value),
        }
    }));
    facts.extend(performance_facts(job, outcomes, context));
    facts.extend(outcomes.seen.get().map(scores::facts).into_iter().flatten());
    facts.extend(estimates::facts(outcomes));
    facts.extend(quality::facts(&quality::findings(
        job,
        outcomes,
        process::seconds_now(),
    )));
    facts
}

fn run_facts(context: &RunContext) -> Vec<Fact> {
    vec![
        Fact::text("run", "", "status", context.status.name()),
        Fact::text("run", "", "tool_version", env!("CARGO_PKG_VERSION")),
        Fact::text("run", "", "invocation_id", &context.invocation_id),
        Fact::text("run", "", "started_at", &context.started_at),
        Fact::text("run", "", "output", &context.output),
        Fact::count("run", "", "output_bytes", context.output_bytes, "bytes"),
    ]
}

fn ledger_facts(job: &Job, outcomes: &Outcomes) -> Vec<Fact> {
    let total = outcomes.ledger.total();
    let files = numbered(
        outcomes
            .ledger
            .files
            .iter()
            .map(|file| file.path.display().to_string()),
    );
    let files = files
        .into_iter()
        .zip(&outcomes.ledger.files)
        .map(|(subject, file)| ("files", subject, file.rows));
    let accounts = std::iter::once(("ledger", String::new(), total)).chain(files);
    let rows = accounts.flat_map(|(section, subject, account)| {
        [
            ("rows_in", account.rows_in),
            ("scored", account.scored),
            ("rejected", account.rejected),
            ("filtered", account.filtered),
        ]
        .map(|(metric, count)| Fact::count(section, subject.clone(), metric, count, "rows"))
    });
    let refusing = job.refusing();
    let reasons = outcomes.ledger.reasons.iter();
    let reasons = summed(reasons.map(|(&(input, reason), &count)| {
        let column = refusing[input].to_owned();
        (column, reason.code(), count)
    }));
    let reasons = reasons
        .into_iter()
        .map(|(column, reason, count)| Fact::count("rejections", column, reason, count, "rows"));
    rows.chain(reasons).collect()
}

/// The counts of each column and kind, which several inputs may have in common, in their order.
fn summed<'a>(counts: impl Iterator<Item = (String, &'a str, u64)>) -> Vec<(String, &'a str, u64)> {
    let mut sums: Vec<(String, &str, u64)> = Vec::new();
    let mut known: HashMap<(String, &str), usize> = HashMap::new();
    for (column, kind, count) in counts {
        let index = *known.entry((column.clone(), kind)).or_insert(sums.len());
        match sums.get_mut(index) {
            Some(sum) => sum.2 += count,
            None => sums.push((column, kind, count)),
        }
    }
    sums
}

/// Names of their own for files that were given more than once: `path`, `path (2)`, …; subjects are
/// keys in JSON.
fn numbered(paths: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    let mut times: HashMap<String, u64> = HashMap::new();
    for path in paths {
        let mut name = path.clone();
        // A file may itself be called `path (2)`.
        while !seen.insert(name.clone()) {
            let time = times.entry(path.clone()).or_insert(1);
            *time += 1;
            name = format!("{path} ({time})");
        }
        names.push(name);
    }
    names
}

/// The rows that an earlier run had read already, if there are any.
pub const ROWS_BEFORE: &str = "rows_before";

/// Every input's counts that are not zero, so that a column in perfect order takes no room.
fn coercion_facts(job: &Job, outcomes: &Outcomes) -> Vec<Fact> {
    let inputs = job.arms.inputs().zip(&outcomes.coercions);
    let named = inputs.flat_map(|(bound, counts)| {
        counts
            .named()
            .map(|(metric, count)| (bound.column.clone(), metric, count))
    });
    summed(named.filter(|(.., count)| *count > 0))
        .into_iter()
        .map(|(column, metric, count)| Fact::count("coercions", column, metric, count, "values"))
        .collect()
}

/// Facts that a run has only if it has rows, all zero: costs that this system counts, what its
/// counters come to, and ages.
#[must_use]
pub fn facts_of_rows(job: &Job, cost: &Cost) -> Vec<Fact> {
    let mut facts = cost::facts(cost, 0.0, 1);
    if job.arms.counters().any(|counter| counter.metric == TOKENS) {
        facts.push(tokens_per_second(0.0));
    }
    let fresh = job
        .rules
        .iter()
        .filter(|rule| matches!(rule.ask, Ask::Fresh { .. }));
    facts.extend(fresh.map(|rule| quality::age(&rule.name, 0.0)));
    facts
}

/// The counter of text models.
const TOKENS: &str = "tokens";

fn tokens_per_second(value: f64) -> Fact {
    Fact::number(
        "performance",
        "",
        "tokens_per_second",
        value,
        "tokens/second",
    )
}

fn performance_facts(job: &Job, outcomes: &Outcomes, context: &RunContext) -> Vec<Fact> {
    let seconds = context.wall.as_secs_f64();
    let rows = outcomes.rows_read() as f64;
    let mut facts = vec![
        Fact::count("performance", "", "threads", job.threads as u64, "threads"),
        Fact::number("performance", "", "wall_seconds", seconds, "seconds"),
        Fact::number(
            "performance",
            "",
            "rows_per_second",
            if seconds > 0.0 { rows / seconds } else { 0.0 },
            "rows/second",
        ),
    ];
    facts.extend(
        context
            .processor_seconds
            .map(|value| Fact::number("performance", "", "processor_seconds", value, "seconds")),
    );
    facts.extend(
        context
            .peak_memory_bytes
            .map(|value| Fact::count("performance", "", "peak_memory_bytes", value, "bytes")),
    );
    if outcomes.rows_before > 0 {
        let before = outcomes.rows_before;
        facts.push(Fact::count("performance", "", ROWS_BEFORE, before, "rows"));
    }
    facts.extend(cost::facts(&context.cost, seconds, outcomes.rows_read()));
    let counted = job.arms.counters().zip(&outcomes.counts);
    for (&Counter { metric, unit }, &count) in counted {
        facts.push(Fact::count("performance", "", metric, count, unit));
        if metric == TOKENS && seconds > 0.0 {
            facts.push(tokens_per_second(count as f64 / seconds));
        }
    }
    let stage = |stage: &Stage| {
        Fact::number(
            "performance",
            stage.name(),
            "work_seconds",
            outcomes.times.of(*stage).as_secs_f64(),
            "seconds",
        )
    };
    facts.extend(Stage::ALL.iter().map(stage));
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_that_several_models_read_has_one_count() {
        let counts = [
            ("a", "null", 2),
            ("b", "null", 1),
            ("a", "null", 3),
            ("a", "unseen", 1),
        ];
        let counts = counts.map(|(column, kind, count)| (column.to_owned(), kind, count));
        let found = summed(counts.into_iter());
        let found: Vec<_> = found
            .iter()
            .map(|(column, kind, count)| (column.as_str(), *kind, *count))
            .collect();
        assert_eq!(
            found,
            [("a", "null", 5), ("b", "null", 1), ("a", "unseen", 1)]
        );
    }

    #[test]
    fn files_repeated_have_names_of_their_own() {
        let named = |paths: &[&str]| numbered(paths.iter().map(|&path| path.to_owned()));
        assert_eq!(named(&["a", "b", "a", "a"]), ["a", "b", "a (2)", "a (3)"]);
        assert_eq!(
            named(&["a", "a (2)", "a", "a"]),
            ["a", "a (2)", "a (3)", "a (4)"]
        );
    }
}
