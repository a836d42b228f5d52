//! A comparison from its request to its report.
//!
//! Owns which flags fit together, and the order of the steps. It must not know how it is shown.

use serde_json::{Value as Json, json};

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::monitor::compare::{self, Comparison, Joined, Question, compare_unpaired};
use crate::monitor::evaluate::Disjoint;
use crate::output::report as report_file;
use crate::plan::list::all_items;
use crate::plan::reading::dialect_options;
use crate::process;
use crate::report::Fact;
use crate::report::attribution::Attribution;
use crate::report::comparison::{MODELS, SIDES, facts};
use crate::report::comparison_verdict;
use crate::report::evaluation::SPLIT;
use crate::report::gate_names::{self, Verb};
use crate::report::gates::{Judged, planned};
use crate::request::compare::Compare;
use crate::storage::Location;
use crate::table::dataset::Dataset;
use crate::table::origin::{names_models, origin, split_models};
use crate::table::output_format::OutputFormat;
use crate::table::sorted::DEFAULT_RUN_BYTES;

use super::attribute::attribute;
use super::caller::Caller;
use super::findings::{Findings, head};
use super::record;
use super::report_path::refuse_taken;
use super::split_record;

/// The most rows that `--moved` lists.
const MAX_MOVED: usize = 10_000;

/// What was compared, and its facts.
#[derive(Debug)]
pub struct Compared {
    /// The measures.
    pub found: Comparison,
    /// Facts for the report, and the gate that failed.
    pub findings: Findings,
    /// Gates that only warn, and those that cannot be decided.
    pub warnings: Vec<Error>,
}

impl Compared {
    /// The most moved rows as JSON, if there are any.
    #[must_use]
    pub fn moved(&self) -> Option<Json> {
        let rows = self.found.moved.iter();
        let rows = rows
            .map(|row| json!({"key": row.key, "scores": row.scores, "decisions": row.decisions}));
        (!self.found.moved.is_empty()).then(|| rows.collect())
    }
}

/// Compares two tables and writes the report. Rows that do not fit into memory are put aside next
/// to it, or in `temporary`.
///
/// # Errors
/// A usage error for flags that do not fit together; fails if a table cannot be read or compared.
pub fn compare(
    request: &Compare,
    temporary: &Location,
    caller: &Caller,
    interrupt: &Interrupt,
) -> Result<Compared> {
    let question = checked(request)?;
    let gates = planned(&request.gate)?;
    gate_names::check(&gates, Verb::Compare)?;
    let options = dialect_options(&request.text, &[])?;
    let started_at = process::now();
    let output = request.output.as_ref();
    let directory = output.map_or_else(|| temporary.clone(), Location::directory);
    let tables = [&question.first, &question.second].map(|path| compare::open(path, &options));
    let [first, second] = tables;
    let tables = [first?, second?];
    let found = compare::compare(
        &question,
        &tables,
        &options,
        &directory,
        DEFAULT_RUN_BYTES,
        interrupt,
    )?;
    let found = match found {
        // The change from one day to another.
        Joined::Nothing(_) if request.attribute && !needs_rows(&question) => {
            compare_unpaired(&question, &tables, &directory, DEFAULT_RUN_BYTES, interrupt)?
        }
        joined => joined.rows()?,
    };
    let mut all = head(started_at);
    let origins = tables.each_ref().map(|table| origin(table));
    all.extend(facts(&found, origins.each_ref().map(Option::as_ref)));
    let paths = [&question.first, &question.second];
    for ((side, path), table) in SIDES.into_iter().zip(paths).zip(&tables) {
        all.extend(model_facts(side, path, table));
    }
    all.push(comparison_verdict::fact(&all));
    let attribution = request
        .attribute
        .then(|| attribute(paths, question.score.as_deref(), caller, interrupt))
        .transpose()?;
    all.extend(attribution.iter().flat_map(Attribution::facts));
    let judged = Judged::of_known(&gates, &mut all, request.strict_gates)?;
    if let Some(path) = output {
        report_file::create(path, process::unique_text().trim(), &all)?;
    }
    let mut warnings: Vec<Error> = found
        .disjoint
        .iter()
        .flatten()
        .map(Disjoint::warning)
        .collect();
    warnings.dedup_by(|one, other| one.message() == other.message());
    warnings.extend(judged.warnings());
    Ok(Compared {
        found,
        warnings,
        findings: Findings {
            failure: judged.failure(""),
            facts: all,
        },
    })
}

/// Whether what is asked for is about rows of both tables.
fn needs_rows(question: &Question) -> bool {
    let is_of_rows = question.label.is_some() || !question.by.is_empty() || question.moved > 0;
    is_of_rows || question.metric.is_some() || question.margin.is_some()
}

/// Which model made a table, besides what its files say; of an A/B test, which models did.
fn model_facts(side: &str, path: &Location, table: &Dataset) -> Vec<Fact> {
    let split = split_record::models(path, &split_models(table));
    if !split.is_empty() {
        let names: Vec<String> = split.into_iter().map(|(arm, _)| arm).collect();
        return vec![Fact::text(MODELS, side, SPLIT, names.join(", "))];
    }
    let is_named = names_models(table);
    let texts = record::model_texts_besides(path, is_named).into_iter();
    let fact = |(metric, value)| Fact::text(MODELS, side, metric, value);
    texts.map(fact).collect()
}

/// What is asked, its lists of columns split, if its flags fit together.
fn checked(request: &Compare) -> Result<Question> {
    let mut question = request.question.clone();
    question.key = all_items("--key", &question.key)?;
    question.by = all_items("--by", &question.by)?;
    let hint = "such as `--label churned --labels outcomes.csv --key customer_id`";
    if !question.labels.is_empty() && question.key.is_empty() {
        let message = "`--labels` needs `--key`, the columns that join labels to predictions";
        return Err(Error::usage(message).hint(hint));
    }
    if !question.labels.is_empty() && question.label.is_none() {
        return Err(Error::usage("`--labels` needs `--label`, the column of labels").hint(hint));
    }
    for (flag, number) in [
        ("--tolerance", Some(question.tolerance)),
        ("--margin", question.margin),
    ] {
        if number.is_some_and(|number| !number.is_finite() || number < 0.0) {
            let message = format!("`{flag}` needs a number that is not negative");
            return Err(Error::usage(message));
        }
    }
    if question.threshold.is_some_and(f64::is_nan) {
        return Err(Error::usage("`--threshold` needs a number"));
    }
    if question.moved > MAX_MOVED {
        let message = format!("`--moved` lists at most {MAX_MOVED} rows");
        return Err(Error::usage(message));
    }
    if let Some(path) = request.output.as_ref() {
        OutputFormat::of_name(path)?;
        let mut inputs: Vec<Location> = vec![question.first.clone(), question.second.clone()];
        inputs.extend(question.labels.clone());
        refuse_taken(path, request.overwrite, &inputs)?;
    }
    Ok(question)
}
