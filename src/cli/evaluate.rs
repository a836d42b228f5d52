//! `tallow evaluate`: predictions against labels.

use std::io::Write;

use serde_json::{Map, json};

use super::console::Console;
use super::drift::refuse_taken;
use super::evaluate_args::EvaluateArgs;
use super::page::Page;
use super::user::local;
use super::{signal, trust};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::monitor::evaluate::{Evaluation, evaluate};
use crate::monitor::judgement::PlannedGate;
use crate::output::report as report_file;
use crate::plan::list::all_items;
use crate::plan::monitoring::package_gates;
use crate::plan::reading::dialect_options;
use crate::process;
use crate::report::arms::{self as report_arms, ArmLine};
use crate::report::evaluation::SECTION;
use crate::report::gates::{Judged, planned};
use crate::report::json::sections;
use crate::report::renderer::{Detail, Report};
use crate::report::{Fact, evaluation};
use crate::request::evaluation::Evaluation as Request;
use crate::request::work::Work;
use crate::run::arms::{self, Arm, Ranking, Reading};
use crate::run::ending::Failure;
use crate::run::named_model;
use crate::storage::{Location, PendingFile};
use crate::table::ReadOptions;
use crate::table::output_format::OutputFormat;
use crate::table::sorted::DEFAULT_RUN_BYTES;

pub(super) fn run(args: EvaluateArgs, console: &Console) -> Result<(), Failure> {
    let request = checked(args.into())?;
    let (own, of_package) = (planned(&request.gate)?, gates_of_package(&request)?);
    let options = dialect_options(&request.text, &[])?;
    let interrupt = signal::watch(console)?;
    let output = request.output.as_ref();
    let started_at = process::now();
    let directory = output.map_or_else(|| std::env::temp_dir().into(), Location::directory);
    let found = evaluate(
        &request.question,
        &options,
        &directory,
        DEFAULT_RUN_BYTES,
        &interrupt,
    )?;
    let mut facts = vec![
        Fact::text("run", "", "status", "done"),
        Fact::text("run", "", "tool_version", env!("CARGO_PKG_VERSION")),
        Fact::text("run", "", "started_at", started_at),
    ];
    facts.extend(evaluation::facts(&found));
    let ranking = ranking(&request, &found, &options, &directory, &interrupt)?;
    let arms: Option<(&str, Vec<ArmLine>)> = ranking.as_ref().map(|ranking| {
        let lines = ranking.arms.iter().map(|arm| ArmLine {
            name: &arm.name,
            rows: arm.rows,
            estimate: arm.estimate,
            difference: arm.difference.as_ref(),
            p_adjusted: arm.p_adjusted,
            standing: arm.standing.name(),
        });
        (ranking.metric.as_str(), lines.collect())
    });
    if let Some((metric, arms)) = &arms {
        facts.extend(report_arms::facts(metric, arms));
    }
    let judged = judged(own, of_package, &mut facts, &request, console)?;
    let failure = judged.failure("");
    if let Some(path) = output {
        report_file::create(path, process::unique_text().trim(), &facts)?;
    }
    if let (Some(path), Some(reference)) = (&request.save_reference, &found.reference) {
        let bytes = reference.to_bytes()?;
        let mut file = PendingFile::create(path, request.overwrite)?;
        file.write_all(&bytes)
            .map_err(|error| Error::failed("cannot write the reference").because(error))
            .map_err(|error| error.at_path(path))?;
        file.publish(request.overwrite)?;
    }
    if console.is_json() {
        return shown_as_json(&facts, failure, console);
    }
    console.report(&Report {
        head: Map::new(),
        facts: &facts,
        detail: Detail::Summary,
    })?;
    let mut page = Page::default();
    if let Some((metric, arms)) = &arms {
        report_arms::lines(metric, arms)
            .iter()
            .for_each(|line| page.line(line));
    }
    if let Some(path) = output {
        page.line(format!("report {}", path.display()));
    }
    if let Some(path) = &request.save_reference {
        page.line(format!("reference {}", path.display()));
    }
    console.show(&page)?;
    failure.map_or(Ok(()), |error| Err(error.into()))
}

/// The facts as an object; of gates that failed the console adds the error to it.
fn shown_as_json(facts: &[Fact], failure: Option<Error>, console: &Console) -> Result<(), Failure> {
    if let Some(error) = failure {
        return Err(Failure {
            object: sections(facts),
            ..error.into()
        });
    }
    let head = Map::from_iter([("status".to_owned(), json!("done"))]);
    Ok(console.report(&Report {
        head,
        facts,
        detail: Detail::All,
    })?)
}

/// The gates of the package that is named.
fn gates_of_package(request: &Request) -> Result<Vec<PlannedGate>> {
    let Some(model) = &request.model else {
        return Ok(Vec::new());
    };
    let mut work = Work {
        model: model.clone(),
        ..Work::default()
    };
    named_model::locate(&mut work, None, &local(), &trust::configured()?)?;
    package_gates(&work)
}

/// Judges gates over the facts, to which what they say is added, and warns. Gates of the package
/// about facts that the evaluation does not have are not judged: those that no run has are named.
fn judged(
    own: Vec<PlannedGate>,
    of_package: Vec<PlannedGate>,
    facts: &mut Vec<Fact>,
    request: &Request,
    console: &Console,
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
        console.warning(&Error::failed(message).hint(hint));
    }
    let warnings = judged.warnings();
    warnings.iter().for_each(|warning| console.warning(warning));
    Ok(judged)
}

/// The arms in their order, if there are several.
fn ranking(
    request: &Request,
    found: &Evaluation,
    options: &ReadOptions,
    directory: &Location,
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
    let reading = Reading {
        options,
        directory,
        run_bytes: DEFAULT_RUN_BYTES,
    };
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
