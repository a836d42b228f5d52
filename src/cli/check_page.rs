//! What `tallow check` found, as text and as JSON.

use indicatif::{HumanBytes, HumanCount};
use serde_json::{Map, Value as Json, json};

use super::page::Page;
use super::run_events::{BINDING, bound_object};
use crate::count::counted;
use crate::monitor::gate::Gate;
use crate::monitor::judgement::Severity;
use crate::monitor::quality::{self, Verdict};
use crate::plan::replay::Replay;
use crate::process;
use crate::report::monitoring::Offer;
use crate::report::summary::ignored_text;
use crate::run::check::Found;
use crate::storage::Location;
use crate::table::shown_type::shown_type;

/// How near the answers to golden rows are.
fn golden_line(replay: &Replay) -> String {
    let Replay {
        row_count,
        max_difference,
        tolerance,
    } = replay;
    let difference = if *max_difference == 0.0 {
        "0".to_owned()
    } else {
        format!("{max_difference:.1e}")
    };
    format!(
        "  golden  {} agree (largest difference {difference}, allowed {tolerance:e})",
        counted(*row_count as u64, "row")
    )
}

/// The lines for the user.
pub(super) fn page(found: &Found) -> Page {
    let Found {
        plan,
        estimated_bytes,
        replay,
        scanned,
        challengers,
    } = found;
    let job = &plan.job;
    let mut page = Page::new("model and data fit");
    let arms = job.arms.iter();
    let model_bytes = arms.map(|arm| arm.scoring.model().model.memory_bytes() as u64);
    let model_bytes = HumanBytes(model_bytes.sum());
    page.line(format!(
        "  model   {} ({}, {model_bytes})",
        plan.model.name, plan.model.format
    ));
    for (name, dropped) in challengers {
        let state = dropped.as_ref().map_or_else(
            || "fits".to_owned(),
            |reason| format!("would drop out: {reason}"),
        );
        page.line(format!("  challenger {name} {state}"));
    }
    if let Some(replay) = replay {
        page.line(golden_line(replay));
    }
    for file in &job.dataset.files {
        let rows = file.table.row_count().map_or_else(
            || "rows not counted".to_owned(),
            |rows| counted(rows, "row"),
        );
        let groups = file
            .table
            .row_group_count()
            .map_or(String::new(), |groups| {
                format!(", {}", counted(groups, "row group"))
            });
        let bytes = HumanBytes(file.table.identity().byte_count());
        page.line(format!(
            "  input   {} ({}, {rows}{groups}, {bytes})",
            file.path.display(),
            file.format
        ));
    }
    page.line(match scanned {
        Some(outcomes) => {
            let total = outcomes.ledger.total();
            let (scored, rejected, filtered) = (
                HumanCount(total.scored),
                HumanCount(total.rejected),
                HumanCount(total.filtered),
            );
            let rows = counted(total.rows_in, "row");
            format!(
                "  scanned {rows} = {scored} that would be scored + {rejected} rejected + \
                 {filtered} filtered"
            )
        }
        None => "  scanned no row: `--scan` reads and scores them all".to_owned(),
    });
    rule_lines(found, &mut page);
    page.line(format!("  threads {}", job.threads));
    page.line(format!(
        "  memory  about {} at most",
        HumanBytes(*estimated_bytes)
    ));
    plan.bad_files.iter().for_each(|file| {
        page.line(format!(
            "  dropped {}: {}",
            file.path.display(),
            file.reason
        ));
    });
    let ignored = plan.ignored.iter().map(|path| path.display().to_string());
    ignored_text(&ignored.collect::<Vec<_>>())
        .iter()
        .for_each(|text| page.line(format!("  ignored {text}")));
    let monitor = &plan.monitor;
    if let Some(baseline) = &monitor.baseline {
        page.line(format!("  baseline {}", baseline.path.display()));
    }
    if let Some(reference) = &plan.reference {
        page.line(format!("  reference {}", reference.display()));
    }
    if !monitor.gates.is_empty() {
        page.line("gates, judged after the last row and before publication");
    }
    for planned in &monitor.gates {
        let warns = match planned.severity {
            Severity::Fail => "",
            Severity::Warn => " (warns)",
        };
        let read = facts_read(&planned.gate, &monitor.offers);
        page.line(format!("  {}{warns}  reads {read}", planned.gate));
    }
    if !monitor.other_gates.is_empty() {
        page.line("gates of the package that a run cannot judge: `evaluate --model` may");
    }
    for gate in &monitor.other_gates {
        page.line(format!("  {gate}"));
    }
    if !monitor.gates.is_empty() || monitor.baseline.is_some() {
        page.line("facts that gates can read");
        fact_lines(&monitor.offers)
            .iter()
            .for_each(|text| page.line(text));
    }
    page.line(BINDING);
    job.arms
        .inputs()
        .for_each(|bound| page.line(format!("  {bound}")));
    page.line("columns of the output");
    job.output_schema.fields().iter().for_each(|field| {
        let data_type = shown_type(field.data_type());
        page.line(format!("  {} ({data_type})", field.name()));
    });
    page
}

/// How many rules are bound; of rows that were read, which rules do not hold.
fn rule_lines(found: &Found, page: &mut Page) {
    let job = &found.plan.job;
    if job.rules.is_empty() {
        return;
    }
    let rules = counted(job.rules.iter().len(), "rule");
    page.line(format!("  rules   {rules}"));
    let findings = found.scanned.as_ref().map_or_else(Vec::new, |outcomes| {
        quality::findings(job, outcomes, process::seconds_now())
    });
    for finding in findings {
        if finding.verdict != Verdict::Ok {
            page.line(format!(
                "  {:7} `{}`: {}",
                finding.verdict.name(),
                finding.name,
                finding.text()
            ));
        }
        finding
            .examples
            .iter()
            .for_each(|example| page.line(format!("          {example}")));
    }
}

/// Which facts a gate reads: `js of 12 subjects in drift`, or the fact by its name.
fn facts_read(gate: &Gate, offers: &[Offer]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for offer in offers.iter().filter(|one| one.has_metric(gate.metric())) {
        let section = offer.section;
        let text = match gate.subject() {
            "*" => {
                let count = offer.subjects().count();
                format!(
                    "{} of {} in {section}",
                    gate.metric(),
                    counted(count, "subject")
                )
            }
            "" => format!("{} in {section}", gate.metric()),
            subject => format!("{}({subject}) in {section}", gate.metric()),
        };
        if offer.has_subject(gate.subject()) && !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.join(", ")
}

/// Metrics by section, with the number of their subjects.
fn fact_lines(offers: &[Offer]) -> Vec<String> {
    let mut sections: Vec<(&str, Vec<String>)> = Vec::new();
    for offer in offers {
        let has_name = offer.subjects().next().is_some();
        let metric = offer.metric.strip_suffix('_').map_or_else(
            || offer.metric.clone(),
            |beginning| format!("{beginning}_…"),
        );
        let text = if has_name {
            format!("{metric}(…)")
        } else {
            metric
        };
        match sections.iter_mut().find(|one| one.0 == offer.section) {
            Some((_, texts)) if texts.contains(&text) => {}
            Some((_, texts)) => texts.push(text),
            None => sections.push((offer.section, vec![text])),
        }
    }
    let lines = sections.into_iter();
    lines
        .map(|(section, texts)| format!("  {section:12} {}", texts.join(" ")))
        .collect()
}

/// The object on standard output.
pub(super) fn object(found: &Found) -> Json {
    let Found {
        plan,
        estimated_bytes,
        replay,
        scanned,
        challengers,
    } = found;
    let job = &plan.job;
    json!({
        "status": "fits",
        "run_id": plan.run_id,
        "model": plan.model.named().into_iter()
            .map(|(name, value)| (name, Json::from(value))).collect::<Map<_, _>>(),
        "challengers": challengers.iter()
            .map(|(name, dropped)| json!({"name": name, "dropped": dropped}))
            .collect::<Vec<_>>(),
        "rows": job.row_count(),
        "golden": replay.map(|replay| json!({
            "rows": replay.row_count,
            "greatest_difference": replay.max_difference, "tolerance": replay.tolerance
        })),
        "scanned": scanned.as_ref().map(|outcomes| {
            let total = outcomes.ledger.total();
            json!({"rows_in": total.rows_in, "scored": total.scored,
                "rejected": total.rejected, "filtered": total.filtered})
        }),
        "rules": job.rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>(),
        "quality": scanned.as_ref().map(|outcomes| {
            let findings = quality::findings(job, outcomes, process::seconds_now());
            findings.iter().map(|finding| (finding.name.clone(), json!({
                "compliance": finding.compliance, "failed_count": finding.failed,
                "tested_count": finding.tested, "verdict": finding.verdict.name(),
                "examples": finding.examples,
            }))).collect::<Map<_, _>>()
        }),
        "baseline": plan.monitor.baseline.as_ref().map(|one| one.path.text()),
        "reference": plan.reference.as_ref().map(Location::text),
        "gates": plan.monitor.gates.iter().map(|planned| json!({
            "expression": planned.gate.to_string(),
            "metric": planned.gate.metric(),
            "subject": planned.gate.subject(),
            "level": planned.severity.name(),
            "reads": facts_read(&planned.gate, &plan.monitor.offers),
        })).collect::<Vec<_>>(),
        "threads": job.threads,
        "estimated_memory_bytes": estimated_bytes,
        "warnings": plan.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "ignored_files": plan.ignored.iter().map(Location::text).collect::<Vec<_>>(),
        "bad_files": plan.bad_files.iter()
            .map(|file| json!({"path": file.path.text(), "reason": file.reason}))
            .collect::<Vec<_>>(),
        "inputs": job.dataset.files.iter().map(|file| json!({
            "path": file.path.text(), "format": file.format,
            "rows": file.table.row_count(), "row_groups": file.table.row_group_count(),
            "bytes": file.table.identity().byte_count()
        })).collect::<Vec<_>>(),
        "binding": job.arms.inputs().map(bound_object).collect::<Vec<_>>(),
        "output": job.output_schema.fields().iter()
            .map(|field| json!({"name": field.name(), "type": field.data_type().to_string()}))
            .collect::<Vec<_>>(),
    })
}
