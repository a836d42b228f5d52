//! The page of many nights: how each ended, the trends of the main facts, and the last night.

use std::collections::BTreeSet;

use super::block::{Block, Section, State, Trend, with_minus};
use super::calendar::{Slot, calendar, slots, strip};
use super::document::{Key, Options, Page, Step, safe};
use super::evaluation;
use super::night::Night;
use super::one_night::sections;
use super::runs;
use super::svg::key;
use super::trend::{Calendar, Controlled, Series};
use super::verdict::verdict;
use crate::count::{counted, listed};
use crate::monitor::control::{Observation, Side};
use crate::report::evaluation::SECTION;
use crate::report::number;

/// The most trends of facts about columns; of many nights fewer, so that the page stays small.
const COLUMN_TRENDS: usize = 20;
const LONG_TRENDS: usize = 10;

/// From so many nights on trends are long.
const MANY_NIGHTS: usize = 120;

/// Facts about the whole: (section, metric, name, side of trouble, whether it is one of the model).
const FACTS: [(&str, &str, &str, Side, bool); 16] = [
    ("ledger", "rows_in", "rows in", Side::Both, false),
    ("ledger", "scored", "rows scored", Side::Both, false),
    ("ledger", "rejected", "rows rejected", Side::High, false),
    ("drift", "drifted_share", "drifted_share", Side::High, false),
    ("evaluation", "roc_auc", "roc_auc", Side::Low, true),
    (
        "evaluation",
        "average_precision",
        "average_precision",
        Side::Low,
        true,
    ),
    (
        "estimates",
        "estimated_roc_auc",
        "estimated_roc_auc",
        Side::Low,
        true,
    ),
    ("estimates", "estimated_f1", "estimated_f1", Side::Low, true),
    ("evaluation", "accuracy", "accuracy", Side::Low, true),
    ("evaluation", "log_loss", "log_loss", Side::High, true),
    ("evaluation", "ece", "ece", Side::High, true),
    ("evaluation", "rmse", "rmse", Side::High, true),
    (
        "performance",
        "wall_seconds",
        "wall time",
        Side::High,
        false,
    ),
    (
        "performance",
        "rows_per_second",
        "rows per second",
        Side::Low,
        false,
    ),
    (
        "performance",
        "peak_memory_bytes",
        "peak memory",
        Side::High,
        false,
    ),
    (
        "performance",
        "processor_seconds_per_million_rows",
        "CPU time per million rows",
        Side::High,
        false,
    ),
];

/// Facts about columns: (section, metric, side, whether of the model).
const COLUMN_FACTS: [(&str, &str, Side, bool); 4] = [
    ("scores", "mean", Side::Both, true),
    ("drift", "js", Side::High, false),
    ("drift", "missing_rate", Side::High, false),
    ("drift", "unseen_rate", Side::High, false),
];

/// The page.
#[must_use]
pub(super) fn page(nights: &[Night], options: Options) -> Page {
    let states: Vec<State> = nights.iter().map(Night::state).collect();
    let slots = slots(nights, &states);
    let calendar = calendar(&slots);
    let (facts, columns) = trends(&slots);
    let mut runs = nights.iter().rev();
    let last = runs.find(|night| night.main().has("ledger"));
    let last = last.unwrap_or(&nights[nights.len() - 1]);
    let last_verdict = verdict(last);
    let outside: Vec<&str> = facts
        .iter()
        .chain(&columns)
        .filter(|one| one.state() == State::Fail)
        .map(|one| one.series.name.as_str())
        .collect();
    let failed = states.iter().filter(|state| **state == State::Fail).count();
    let (trouble, mut text) = if last_verdict.trouble.is_empty() {
        (String::new(), last_verdict.text.clone())
    } else {
        (
            format!("Last run: {}", last_verdict.trouble),
            last_verdict.text.clone(),
        )
    };
    if !outside.is_empty() {
        let verb = if outside.len() == 1 { "is" } else { "are" };
        text.push_str(&format!(
            " {} {verb} outside the usual range.",
            listed(&outside, 2, " and ", "fact")
        ));
    }
    let name = last.name();
    let mut page_sections = vec![
        key_facts(&facts, &calendar),
        column_facts(&columns, &calendar),
        runs::section(nights, &states),
    ];
    page_sections.retain(|section| !section.blocks.is_empty());
    page_sections.extend(sections(last, options).into_iter().map(|section| Section {
        is_of_last_run: true,
        ..section
    }));
    page_sections.extend(latest_evaluation(nights, last));
    let ends = [&nights[0], &nights[nights.len() - 1]]
        .map(|night| number::day(night.started_at()).to_owned());
    let mut versions: Vec<String> = Vec::new();
    for (_, version) in &calendar.versions {
        if !versions.contains(version) {
            versions.push(version.clone());
        }
    }
    let detail = match versions.as_slice() {
        [] => String::new(),
        [one] => format!("version {one}"),
        all => format!("versions {}", listed(all, 4, ", ", "")),
    };
    Page {
        title: safe(&format!(
            "{name}: {} from {} to {}",
            counted(nights.len(), "run"),
            ends[0],
            ends[1]
        )),
        eyebrow: vec![
            "tallow report".to_owned(),
            counted(nights.len(), "run"),
            format!("{} to {}", ends[0], ends[1]),
        ],
        name: safe(&name),
        detail: safe(&detail),
        trouble: safe(&trouble),
        verdict: safe(&with_minus(&text)),
        next: last_verdict
            .next
            .iter()
            .map(|(text, code)| Step {
                text: safe(text),
                code: code.clone(),
            })
            .collect(),
        keys: keys(nights, &states, failed, outside.len()),
        strip: strip(&calendar, &slots),
        sections: page_sections,
        ..Page::default()
    }
}

/// The evaluation of the latest night that has one, where the last run has no labels yet.
fn latest_evaluation(nights: &[Night], last: &Night) -> Option<Section> {
    if last.with(SECTION).is_some() {
        return None;
    }
    let mut nights = nights.iter().rev();
    let night = nights.find(|night| night.with(SECTION).is_some())?;
    let section = evaluation::section(night)?;
    let day = number::day(night.started_at());
    Some(Section {
        title: format!("{} of {day}, the latest", section.title),
        ..section
    })
}

fn keys(nights: &[Night], states: &[State], failed: usize, outside: usize) -> Vec<Key> {
    let warned = states.iter().filter(|state| **state == State::Warn).count();
    let mut runs = Key::new(
        "Runs",
        nights.len().to_string(),
        format!("{warned} with a warning"),
    );
    runs.state = State::Ok;
    let mut bad = Key::new(
        "Failed runs",
        failed.to_string(),
        "withheld, stopped or over a limit".to_owned(),
    );
    bad.state = if failed > 0 { State::Fail } else { State::Ok };
    let mut facts = Key::new(
        "Facts outside",
        outside.to_string(),
        "of their usual range, in the last run".to_owned(),
    );
    facts.state = if outside > 0 { State::Fail } else { State::Ok };
    let rows: f64 = nights
        .iter()
        .filter_map(|night| night.number("ledger", "scored"))
        .sum();
    let mut keys = vec![runs, bad, facts];
    if rows > 0.0 {
        keys.push(Key::new(
            "Rows scored",
            number::count(rows),
            "in all runs".to_owned(),
        ));
    }
    keys
}

/// All series: of facts about the whole, and of facts about columns, the worst first.
fn trends(slots: &[(String, Slot)]) -> (Vec<Controlled>, Vec<Controlled>) {
    let mut epoch = 0;
    let mut before = None;
    let epochs: Vec<usize> = slots
        .iter()
        .map(|(_, slot)| {
            let version = slot.and_then(|(night, _)| night.version());
            if version.is_some() && version != before {
                epoch += usize::from(before.is_some());
                before = version;
            }
            epoch
        })
        .collect();
    let series = |section: &str, subject: &str, metric: &str, side: Side, is_of_model: bool| {
        let observations: Vec<Observation> = slots
            .iter()
            .enumerate()
            .map(|(index, (_, slot))| Observation {
                value: slot.and_then(|(night, _)| night.of(section, subject, metric)),
                is_reference: slot.is_some_and(|(_, state)| state != State::Fail),
                epoch: if is_of_model { epochs[index] } else { 0 },
            })
            .collect();
        let known = observations
            .iter()
            .filter(|one| one.value.is_some())
            .count();
        (known > 1).then_some((side, observations))
    };
    let facts = FACTS
        .iter()
        .filter_map(|(section, metric, name, side, is_of_model)| {
            let (side, observations) = series(section, "", metric, *side, *is_of_model)?;
            Some(Controlled::new(Series {
                name: (*name).to_owned(),
                metric: (*metric).to_owned(),
                side,
                observations,
            }))
        });
    let mut columns: Vec<Controlled> = Vec::new();
    for (section, metric, side, is_of_model) in COLUMN_FACTS {
        let subjects: BTreeSet<&str> = slots
            .iter()
            .filter_map(|(_, slot)| slot.and_then(|(night, _)| night.with(section)))
            .flat_map(|report| report.subjects(section))
            .map(|(name, _)| *name)
            .filter(|name| !name.starts_with("margin"))
            .collect();
        columns.extend(subjects.into_iter().filter_map(|subject| {
            let (side, observations) = series(section, subject, metric, side, is_of_model)?;
            let is_zero = observations
                .iter()
                .all(|one| one.value.unwrap_or(0.0) == 0.0);
            (!is_zero).then(|| {
                Controlled::new(Series {
                    name: format!("{metric}({subject})"),
                    metric: metric.to_owned(),
                    side,
                    observations,
                })
            })
        }));
    }
    let is_score = |one: &Controlled| one.series.metric == "mean";
    columns.sort_by(|left, right| {
        let value = |one: &Controlled| one.last().map_or(0.0, |last| last.1);
        let order = left.state().cmp(&right.state());
        order
            .then(is_score(right).cmp(&is_score(left)))
            .then(right.outside().cmp(&left.outside()))
            .then(value(right).total_cmp(&value(left)))
            .then(left.series.name.cmp(&right.series.name))
    });
    (facts.collect(), columns)
}

fn legend() -> Block {
    let items = [
        ("fb", "usual range, median"),
        ("ln", "value"),
        ("ew", "moving average"),
        ("out", "outside its usual range"),
        ("tl", "run that failed"),
        ("vl", "model version changed"),
    ];
    Block::Legend(
        items
            .map(|(shape, text)| (key(shape), text.to_owned()))
            .into(),
    )
}

fn blocks<'a>(all: impl Iterator<Item = &'a Controlled>, calendar: &Calendar) -> Vec<Block> {
    let trends: Vec<Trend> = all.filter_map(|one| one.trend(calendar)).collect();
    trends.into_iter().map(Block::Trend).collect()
}

fn key_facts(facts: &[Controlled], calendar: &Calendar) -> Section {
    let outside = facts
        .iter()
        .filter(|one| one.state() == State::Fail)
        .count();
    let mut all = blocks(facts.iter(), calendar);
    if !all.is_empty() {
        all.insert(0, legend());
    }
    let state = facts
        .iter()
        .map(Controlled::state)
        .min()
        .unwrap_or_default();
    Section {
        id: "facts",
        title: "Key facts".to_owned(),
        note: match outside {
            0 => String::new(),
            some => format!("{some} outside"),
        },
        state,
        lead: "Each against its own history: median \u{b1} 4 MAD (scaled to \u{3c3}) of up to 30 \
               runs before that did not fail, from 14 runs on, wider where those are few. Facts of \
               the model start anew with a model version. The blue line is the exponentially \
               weighted moving average: it leaves its limits when a small change lasts. Values \
               beyond the chart are triangles at its edge."
            .to_owned(),
        blocks: all,
        ..Section::default()
    }
}

fn column_facts(columns: &[Controlled], calendar: &Calendar) -> Section {
    let is_long = calendar.labels.len() > MANY_NIGHTS;
    let shown = if is_long { LONG_TRENDS } else { COLUMN_TRENDS };
    let mut all = blocks(columns.iter().take(shown), calendar);
    if columns.len() > shown {
        let more = counted(columns.len() - shown, "more fact");
        all.push(Block::Note(format!(
            "{more} of columns are not shown; the report files have all of them."
        )));
    }
    let outside = columns
        .iter()
        .filter(|one| one.state() == State::Fail)
        .count();
    Section {
        id: "columns",
        title: "Columns over time".to_owned(),
        note: match outside {
            0 => String::new(),
            some => format!("{some} outside"),
        },
        state: columns
            .iter()
            .map(Controlled::state)
            .min()
            .unwrap_or_default(),
        lead: "Scores and inputs, those outside their usual range first.".to_owned(),
        blocks: all,
        ..Section::default()
    }
}
