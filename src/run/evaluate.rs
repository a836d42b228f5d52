//! An evaluation from its request to its report.
//!
//! Owns which flags fit together, and the order of the steps: metrics, arms, gates, report and
//! reference. It must not know how it is shown.

use std::io::Write;

use super::arms::{self, Arm, Ranking, Reading};
use super::caller::Caller;
use super::events::Events;
use super::findings::{Findings, head};
use super::named_model;
use super::record;
use super::report_path::refuse_taken;
use super::split_record;
use crate::count::counted;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::monitor::evaluate::{self as measures, Evaluation};
use crate::monitor::judgement::PlannedGate;
use crate::output::report as report_file;
use crate::package::Resolved;
use crate::plan::list::all_items;
use crate::plan::monitoring::package_gates;
use crate::plan::reading::dialect_options;
use crate::process;
use crate::report::evaluation::{self, SECTION};
use crate::report::gate_names::{self, Verb};
use crate::report::gates::{Judged, planned};
use crate::report::{Fact, arms as report_arms};
use crate::request::evaluation::Evaluation as Request;
use crate::request::work::Work;
use crate::storage::{Location, PendingFile};
use crate::table::output_format::OutputFormat;
use crate::table::sorted::DEFAULT_RUN_BYTES;

/// Evaluates predictions, and writes the report and the reference. Rows that do not fit into memory
/// are put aside next to the report, or in `temporary`.
///
/// # Errors
/// A usage error for flags that do not fit together; fails if a table or the package cannot be
/// read, or a file cannot be written.
pub fn evaluate(
    request: Request,
    temporary: &Location,
    caller: &Caller,
    interrupt: &Interrupt,
    events: &dyn Events,
) -> Result<Findings> {
    let request = checked(request)?;
    let own = planned(&request.gate)?;
    gate_names::check(&own, Verb::Evaluate)?;
    let (of_package, resolved) = gates_of_package(&request, caller, events)?;
    let options = dialect_options(&request.text, &[])?;
    let started_at = process::now();
    let output = request.output.as_ref();
    let directory = output.map_or_else(|| temporary.clone(), Location::directory);
    let found = measures::evaluate(
        &request.question,
        &options,
        &directory,
        DEFAULT_RUN_BYTES,
        interrupt,
    )?;
    if let Some(disjoint) = &found.disjoint {
        events.warned(&disjoint.warning());
    }
    if found.counts.labels_not_numbers > 0 {
        events.warned(&not_numbers(found.counts.labels_not_numbers));
    }
    let mut facts = head(started_at);
    let split = match request.question.predictions.as_slice() {
        [path] => split_record::models(path, &found.split),
        _ => Vec::new(),
    };
    if split.is_empty() {
        let texts = model_texts(&request, &found, resolved.as_ref(), events);
        let texts = texts.into_iter();
        facts.extend(texts.map(|(metric, value)| Fact::text("model", "", metric, value)));
    }
    facts.extend(evaluation::facts(&found));
    facts.extend(run_fact(&request, &found));
    for (arm, texts) in split {
        let texts = texts.into_iter();
        facts.extend(
            texts.map(|(metric, value)| Fact::text(evaluation::SPLIT, &*arm, metric, value)),
        );
    }
    let reading = Reading {
        options: &options,
        directory: &directory,
        run_bytes: DEFAULT_RUN_BYTES,
    };
    if let Some(ranking) = ranking(&request, &found, reading, interrupt)? {
        let of = (ranking.metric.as_str(), ranking.first.as_str());
        facts.extend(report_arms::facts(of, &ranking.lines()));
    }
    let judged = judged(own, of_package, &mut facts, &request, events)?;
    if let Some(path) = output {
        report_file::create(path, process::unique_text().trim(), &facts)?;
    }
    save_reference(&request, &found)?;
    let failure = judged.failure("");
    Ok(Findings { facts, failure })
}

/// The run that made the predictions, by their files or by its record.
fn run_fact(request: &Request, found: &Evaluation) -> Option<Fact> {
    let recorded = || match request.question.predictions.as_slice() {
        [path] => record::run_id(path),
        _ => None,
    };
    let run_id = found.run_id.clone().or_else(recorded)?;
    Some(Fact::text(SECTION, "", evaluation::RUN_ID, run_id))
}

/// The warning of labels that are texts where numbers are predicted.
fn not_numbers(count: u64) -> Error {
    let (labels, verb) = (
        counted(count, "label"),
        if count == 1 { "is" } else { "are" },
    );
    let message = format!("{labels} {verb} no number: the rows are not evaluated");
    Error::contract(message).hint("write decimal points, and nothing for a label that is unknown")
}

/// Writes the reference for estimates without labels, if it was asked for.
fn save_reference(request: &Request, found: &Evaluation) -> Result<()> {
    let (Some(path), Some(reference)) = (&request.save_reference, &found.reference) else {
        return Ok(());
    };
    let bytes = reference.to_bytes()?;
    let mut file = PendingFile::create(path, request.overwrite)?;
    file.write_all(&bytes)
        .map_err(|error| Error::failed("cannot write the reference").because(error))
        .map_err(|error| error.at_path(path))?;
    file.publish(request.overwrite)?;
    Ok(())
}

/// The gates of the package that is named, and which version of a registry's model it is.
fn gates_of_package(
    request: &Request,
    caller: &Caller,
    events: &dyn Events,
) -> Result<(Vec<PlannedGate>, Option<Resolved>)> {
    let Some(model) = &request.model else {
        return Ok((Vec::new(), None));
    };
    let mut work = Work {
        model: model.clone(),
        registry: request.registry.clone(),
        ..Work::default()
    };
    named_model::locate(&mut work, None, &caller.local, &caller.trust)?
        .iter()
        .for_each(|warning| events.warned(warning));
    Ok((package_gates(&work)?, work.resolved))
}

/// What the record of the predictions' run says of the model that made them; where neither a record
/// nor a file names a model, the version whose gates are judged. Warns if they differ.
fn model_texts(
    request: &Request,
    found: &Evaluation,
    named: Option<&Resolved>,
    events: &dyn Events,
) -> Vec<(String, String)> {
    let (recorded, texts) = match request.question.predictions.as_slice() {
        [path] => {
            let is_named = found.origin.is_some();
            let texts = record::model_texts_besides(path, is_named);
            (record::version(path), texts)
        }
        _ => (None, Vec::new()),
    };
    if let (Some(recorded), Some(named)) = (&recorded, named)
        && recorded.digest != named.digest
    {
        let [made, judged] = [recorded, named].map(Resolved::name);
        let message = format!("the predictions are of `{made}`, and the gates of `{judged}`");
        events.warned(&Error::failed(message).hint("score with the version that is evaluated"));
    }
    if texts.is_empty() && !found.names_models {
        return named.map_or_else(Vec::new, Resolved::facts);
    }
    texts
}

/// Judges gates over the facts, to which what they say is added, and warns. Gates of the package
/// about facts that the evaluation does not have are not judged: those that no run has are named.
fn judged(
    own: Vec<PlannedGate>,
    of_package: Vec<PlannedGate>,
    facts: &mut Vec<Fact>,
    request: &Request,
    events: &dyn Events,
) -> Result<Judged> {
    let (known, others): (Vec<PlannedGate>, Vec<PlannedGate>) =
        of_package.into_iter().partition(|one| {
            let alone = std::slice::from_ref(one);
            Judged::new(alone, facts, &[], false)
                .unknown(facts)
                .is_none()
        });
    let gates: Vec<PlannedGate> = known.into_iter().chain(own).collect();
    let judged = Judged::of_known(&gates, facts, request.strict_gates)?;
    let is_of_evaluation = |one: &&PlannedGate| {
        let metric = one.gate.metric();
        facts
            .iter()
            .any(|fact| fact.section == SECTION && fact.metric == metric)
    };
    let unjudged: Vec<String> = others
        .iter()
        .filter(is_of_evaluation)
        .map(|one| format!("`{}`", one.gate))
        .collect();
    if !unjudged.is_empty() {
        let message = format!(
            "gates of the package are not judged, because the evaluation does not have their \
             segments: {}",
            unjudged.join(", ")
        );
        let hint = "`--by COLUMNS` cuts the rows into segments";
        events.warned(&Error::failed(message).hint(hint));
    }
    let warnings = judged.warnings();
    warnings.iter().for_each(|warning| events.warned(warning));
    Ok(judged)
}

/// The arms in their order, if there are several.
fn ranking(
    request: &Request,
    found: &Evaluation,
    reading: Reading<'_>,
    interrupt: &Interrupt,
) -> Result<Option<Ranking>> {
    if request.arm.is_empty() {
        return Ok(None);
    }
    let [own] = request.question.predictions.as_slice() else {
        return Err(
            Error::usage("`--arm` compares with one table of predictions")
                .hint("name one file, directory or glob, then one `--arm` for each other model"),
        );
    };
    let others = request.arm.iter().map(|text| arms::parse(text));
    let all: Vec<Arm> = std::iter::once(arms::of_path(own)).chain(others).collect();
    let metric = request.metric.as_deref();
    arms::rank(&request.question, &all, found, metric, reading, interrupt).map(Some)
}

/// The request with its lists of columns split, if its flags fit together.
fn checked(mut request: Request) -> Result<Request> {
    let question = &mut request.question;
    question.key = all_items("--key", &question.key)?;
    question.by = all_items("--by", &question.by)?;
    if question.labels.is_empty() != question.key.is_empty() {
        let message = if question.key.is_empty() {
            "`--labels` needs `--key`, the columns that join labels to predictions"
        } else {
            "`--key` joins `--labels` to predictions, and there are no `--labels`"
        };
        return Err(Error::usage(message).hint("such as `--labels outcomes.csv --key customer_id`"));
    }
    let costs = [
        ("--cost-fp", question.cost_fp),
        ("--cost-fn", question.cost_fn),
    ];
    for (flag, cost) in costs {
        if cost.is_some_and(|cost| !cost.is_finite() || cost < 0.0) {
            let message = format!("`{flag}` needs a number that is not negative");
            return Err(Error::usage(message));
        }
    }
    if question.threshold.is_some_and(f64::is_nan) {
        return Err(Error::usage("`--threshold` needs a number"));
    }
    let mut inputs = [&question.predictions[..], &question.labels].concat();
    inputs.extend(request.arm.iter().map(|text| arms::parse(text).path));
    if let Some(path) = request.output.as_ref() {
        OutputFormat::of_name(path)?;
        refuse_taken(path, request.overwrite, &inputs)?;
    }
    if let Some(path) = request.save_reference.as_ref() {
        let others: Vec<Location> = inputs.into_iter().chain(request.output.clone()).collect();
        refuse_taken(path, request.overwrite, &others)?;
    }
    Ok(request)
}
