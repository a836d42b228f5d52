//! The page of one night: its sentence, its numbers and its sections.

use super::block::{Section, State, with_minus};
use super::document::{Key, Options, Page, Step, safe};
use super::night::{DriftCounts, Night};
use super::verdict::verdict;
use super::{
    comparison, drift, earlier, estimates, evaluation, gates, inputs, models, origin, performance,
    rows, scores, wording,
};
use crate::count::counted;
use crate::report::number;

/// The page of one night.
pub(super) fn page(night: &Night, options: Options) -> Page {
    let verdict = verdict(night);
    let name = night.name();
    let day = number::day(night.started_at());
    let summary = if verdict.trouble.is_empty() {
        &verdict.text
    } else {
        &verdict.trouble
    };
    Page {
        title: safe(&format!("{name}, {day}: {}", summary.trim_end_matches('.'))),
        eyebrow: eyebrow(night),
        name: safe(&name),
        detail: safe(&detail(night)),
        keys: keys(night),
        trouble: safe(&verdict.trouble),
        verdict: safe(&with_minus(&verdict.text)),
        next: verdict
            .next
            .iter()
            .map(|(text, code)| Step {
                text: safe(text),
                code: code.clone(),
            })
            .collect(),
        sections: sections(night, options),
        ..Page::default()
    }
}

/// Every section that the reports of a night have something for.
pub(super) fn sections(night: &Night, options: Options) -> Vec<Section> {
    let found = [
        gates::section(night),
        rows::section(night, options),
        drift::section(night, options),
        earlier::section(night),
        scores::section(night),
        gates::rules(night),
        inputs::section(night, options),
        estimates::section(night),
        comparison::section(night),
        models::ranking(night),
        evaluation::section(night),
        models::section(night),
        performance::section(night),
        origin::others(night),
        Some(origin::section(night, options)),
    ];
    found.into_iter().flatten().collect()
}

fn eyebrow(night: &Night) -> Vec<String> {
    let mut parts = vec!["tallow report".to_owned()];
    let started_at = number::time(night.started_at());
    parts.extend((!started_at.is_empty()).then_some(started_at));
    let run: String = night.main().report.run_id.chars().take(12).collect();
    parts.push(format!("run {}", safe(&run)));
    parts
}

/// The model's version, format and objective.
fn detail(night: &Night) -> String {
    let version = night.version().map(|version| {
        if version.starts_with("digest ") {
            version
        } else {
            format!("version {version}")
        }
    });
    let text = |metric: &str| night.text("model", metric).map(str::to_owned);
    let parts = [
        version,
        text("format"),
        text("objective"),
        night.text("evaluation", "task").map(str::to_owned),
    ];
    parts
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" \u{b7} ")
}

/// At most six numbers that a reader looks for first.
fn keys(night: &Night) -> Vec<Key> {
    let mut keys = Vec::new();
    if let Some(scored) = night.number("ledger", "scored") {
        let all = night.number("ledger", "rows_in").unwrap_or(scored);
        let rejected = night.number("ledger", "rejected").unwrap_or(0.0);
        let note = match rejected {
            0.0 => format!("of {} in", number::count(all)),
            some => format!(
                "of {} in, {} rejected",
                number::count(all),
                number::count(some)
            ),
        };
        keys.push(Key::new("Rows scored", number::count(scored), note));
    }
    let gates = night.gates();
    if !gates.is_empty() {
        let count = |state: State| gates.iter().filter(|gate| gate.state == state).count();
        let (failed, warned) = (count(State::Fail), count(State::Warn));
        let passed = gates.len() - failed - warned;
        let (value, note) = match failed {
            0 if warned > 0 => (format!("{passed} ok"), counted(warned, "warning")),
            0 => (format!("{passed} ok"), "none failed".to_owned()),
            _ => (
                format!("{failed} failed"),
                format!("{warned} with a warning, {passed} ok"),
            ),
        };
        let mut key = Key::new("Gates", value, note);
        key.state = gates[0].state;
        keys.push(key);
    }
    let columns = night.columns();
    let DriftCounts {
        compared,
        drifted,
        gone,
    } = DriftCounts::of(&columns);
    if compared + gone > 0 {
        let count = |state: State| columns.iter().filter(|one| one.state == state).count();
        let gone_text = if gone > 0 {
            format!(", {gone} missing or of another type")
        } else {
            String::new()
        };
        let note = format!("{} undecided{gone_text}", count(State::Undecided));
        let mut key = Key::new(
            "Columns that drifted",
            format!("{drifted} of {compared}"),
            note,
        );
        key.state = if drifted + gone > 0 {
            columns[0].state
        } else {
            State::Ok
        };
        keys.push(key);
    }
    if let Some(report) = night.with("scores") {
        let subjects = report.subjects("scores");
        let mean = subjects
            .iter()
            .find_map(|(name, _)| Some((*name, report.number("scores", name, "mean")?)));
        if let Some((name, mean)) = mean {
            let before = night.of("drift", name, "baseline_mean");
            let note = match (before, report.number("scores", name, "quantile_0.5")) {
                (Some(before), _) => format!("baseline {}", number::short(before)),
                (None, Some(median)) => format!("median {}", number::short(median)),
                (None, None) => String::new(),
            };
            keys.push(Key::new(&format!("Mean {name}"), number::short(mean), note));
        }
    }
    if let Some(report) = night.with("evaluation")
        && let Some(headline) = evaluation::headline(report)
    {
        let ends = headline.ends.map(|ends| ends.map(number::metric));
        let ends = ends.map(|[low, high]| format!("{low} to {high}"));
        let best = headline.best.map(|(best, _)| best.to_owned());
        let note: Vec<String> = best.into_iter().chain(ends).collect();
        keys.push(Key::new(
            &wording::metric_name(headline.metric),
            number::metric(headline.value),
            note.join(", "),
        ));
    }
    if let Some(wall) = night.number("performance", "wall_seconds") {
        let rate = night.number("performance", "rows_per_second");
        let note = rate.map_or(String::new(), |rate| {
            format!("{} rows/s", number::short(rate))
        });
        keys.push(Key::new("Wall time", number::seconds(wall), note));
    }
    keys.truncate(6);
    keys
}
