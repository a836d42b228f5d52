//! The page of many nights: how each ended, the trends of the main facts, and the last night.

use std::collections::BTreeSet;

use super::block::{Block, Cell, Section, State, Table, Trend, on_page};
use super::document::{Key, Options, Page, Step, safe};
use super::evaluation::main_metric;
use super::night::Night;
use super::one_night::sections;
use super::svg::{Chart, key};
use super::trend::{Calendar, Controlled, Series};
use super::verdict::verdict;
use super::wording;
use crate::count::{counted, listed};
use crate::monitor::control::{Observation, Side};
use crate::process::rfc3339;
use crate::report::number;

/// The most trends of facts about columns.
const COLUMN_TRENDS: usize = 20;

/// The most nights in the table; those that failed are always there.
const TABLE_NIGHTS: usize = 60;

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
    let last = &nights[nights.len() - 1];
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
        table(nights, &states),
    ];
    page_sections.retain(|section| !section.blocks.is_empty());
    page_sections.extend(sections(last, options).into_iter().map(|section| Section {
        is_of_last_run: true,
        ..section
    }));
    let ends = [&nights[0], last].map(|night| number::day(night.started_at()).to_owned());
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
        verdict: safe(&text),
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

/// A run with its state, or a day without one.
type Slot<'a, 'b> = Option<(&'b Night<'a>, State)>;

/// The most days without a run that are drawn for each run.
const MAX_GAPS: usize = 3;

/// The runs, and where there is one a day, the days between them that have none.
fn slots<'a, 'b>(nights: &'b [Night<'a>], states: &[State]) -> Vec<(String, Slot<'a, 'b>)> {
    let days: Vec<Option<i64>> = nights
        .iter()
        .map(|night| day_number(number::day(night.started_at())))
        .collect();
    let is_daily = days
        .windows(2)
        .all(|pair| pair[0].is_some() && pair[0] < pair[1]);
    let span = match (days.first(), days.last()) {
        (Some(Some(first)), Some(Some(last))) => usize::try_from(last - first + 1).unwrap_or(0),
        _ => 0,
    };
    let has_days = nights.len() > 1 && is_daily && span <= (MAX_GAPS + 1) * nights.len();
    let is_one_day = days.windows(2).all(|pair| pair[0] == pair[1]);
    let mut slots = Vec::new();
    let mut expected = None;
    for ((night, state), day) in nights.iter().zip(states).zip(days) {
        if let (true, Some(day), Some(expected)) = (has_days, day, expected) {
            slots.extend((expected..day).map(|missing| (day_name(missing), None)));
        }
        expected = day.map(|day| day + 1);
        let started_at = night.started_at();
        let label = if is_one_day {
            started_at.get(11..19).unwrap_or(started_at)
        } else {
            number::day(started_at)
        };
        slots.push((label.to_owned(), Some((night, *state))));
    }
    slots
}

/// Days since 1970-01-01 of a date as `2026-11-28` (Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms").
fn day_number(date: &str) -> Option<i64> {
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = (month + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// The date of a day since 1970-01-01.
fn day_name(day: i64) -> String {
    let text = rfc3339(u64::try_from(day).unwrap_or(0) * 86_400);
    number::day(&text).to_owned()
}

fn calendar(slots: &[(String, Slot)]) -> Calendar {
    let mut versions: Vec<(usize, String)> = Vec::new();
    for (index, (_, slot)) in slots.iter().enumerate() {
        if let Some(version) = slot.and_then(|(night, _)| night.version())
            && versions.last().is_none_or(|(_, before)| *before != version)
        {
            versions.push((index, version));
        }
    }
    let is_failed = |slot: &Slot| slot.is_some_and(|(_, state)| state == State::Fail);
    Calendar {
        labels: slots.iter().map(|(label, _)| label.clone()).collect(),
        failed: slots.iter().map(|(_, slot)| is_failed(slot)).collect(),
        versions,
    }
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
               runs before that did not fail, from 14 runs on. Facts of the model start anew with \
               a model version. The blue line is the exponentially weighted moving average: it \
               leaves its limits when a small change lasts. Values beyond the chart are triangles \
               at its edge."
            .to_owned(),
        blocks: all,
        ..Section::default()
    }
}

fn column_facts(columns: &[Controlled], calendar: &Calendar) -> Section {
    let mut all = blocks(columns.iter().take(COLUMN_TRENDS), calendar);
    if columns.len() > COLUMN_TRENDS {
        let more = counted(columns.len() - COLUMN_TRENDS, "more fact");
        all.push(Block::Note(format!(
            "{more} of columns are within their usual range."
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

/// One mark for each night: how it ended.
fn strip(calendar: &Calendar, slots: &[(String, Slot)]) -> String {
    let states = slots.iter().filter_map(|(_, slot)| Some(slot.as_ref()?.1));
    let states: Vec<State> = states.collect();
    let count = |state: State| states.iter().filter(|one| **one == state).count();
    let (failed, warned) = (count(State::Fail), count(State::Warn));
    let passed = states.len() - failed - warned;
    let missing = slots.len() - states.len();
    let mut label = format!(
        "{}: {failed} failed, {warned} with a warning, {passed} passed",
        counted(states.len(), "run")
    );
    if missing > 0 {
        label.push_str(&format!("; {} without a run", counted(missing, "day")));
    }
    let mut chart = Chart::new(42, &label);
    let width = 70.0 / slots.len() as f64;
    for (night, (day, slot)) in slots.iter().enumerate() {
        let x = calendar.at(night) - width / 2.0;
        match slot.map(|(_, state)| state) {
            Some(State::Fail) => chart.rect("bx", x, width, 0.0, 100.0),
            Some(State::Warn) => chart.rect("wx", x, width, 45.0, 54.0),
            Some(State::Undecided | State::Ok) => chart.rect("q", x, width, 76.0, 24.0),
            None => {
                let title = format!("{day}: no run");
                chart.dot("none", [calendar.at(night), 88.0], 3.0, &title);
            }
        }
    }
    for (night, version) in calendar.versions.iter().skip(1) {
        let x = calendar.at(*night) - 50.0 / slots.len() as f64;
        chart.vertical("vl", x, 6);
        chart.text("k", [x, 0.0], [5, 4], "start", version);
    }
    let ticks: BTreeSet<usize> = [0, slots.len() / 2, slots.len() - 1].into();
    let ticks: Vec<(f64, String)> = ticks
        .into_iter()
        .map(|night| (calendar.at(night), calendar.labels[night].clone()))
        .collect();
    chart.x_ticks(&ticks);
    let mut legend = vec![
        (key("fail"), format!("failed, {failed}")),
        (key("warn"), format!("warning, {warned}")),
        (key("ok"), format!("passed, {passed}")),
    ];
    legend.extend((missing > 0).then(|| (key("none"), format!("no run, {missing}"))));
    let legend = Block::Legend(legend);
    format!(
        "<figure class=\"strip\">{}</figure>{legend}",
        chart.finish().0
    )
}

/// All runs, the newest first.
fn table(nights: &[Night], states: &[State]) -> Section {
    let has = |of: &dyn Fn(&Night) -> bool| nights.iter().any(of);
    let score = nights.iter().rev().find_map(|night| {
        let report = night.with("scores")?;
        let subjects = report.subjects("scores");
        let mut all = subjects.into_iter();
        all.find(|(name, _)| report.number("scores", name, "mean").is_some())
            .map(|(name, _)| *name)
    });
    let has_drift = has(&|night| night.with("drift").is_some());
    let has_gates = has(&|night| !night.gates().is_empty());
    let has_rows = has(&|night| night.with("ledger").is_some());
    let has_time = has(&|night| night.number("performance", "wall_seconds").is_some());
    let metric = nights
        .iter()
        .rev()
        .find_map(|night| main_metric(night.with("evaluation")?).map(|metric| metric.0));
    let mut table = Table::new("All runs", &[("Run", ""), ("State", "")]);
    let score_head = score.map(|name| format!("Mean {name}"));
    let metric_head = metric.map(wording::metric_name);
    let mut head = |is_there: bool, text: &str| {
        if is_there {
            table.heads.push(super::block::Head::new(text, "r"));
        }
    };
    head(has_rows, "Rows in");
    head(has_rows, "Rejected");
    head(score.is_some(), score_head.as_deref().unwrap_or_default());
    head(has_drift, "Drifted");
    head(has_gates, "Gates failed");
    head(metric.is_some(), metric_head.as_deref().unwrap_or_default());
    head(has_time, "Wall time");
    head(true, "Version");
    let newest = nights.len().saturating_sub(TABLE_NIGHTS);
    let shown = (0..nights.len())
        .rev()
        .filter(|night| *night >= newest || states[*night] == State::Fail);
    for index in shown {
        let (night, state) = (&nights[index], states[index]);
        let word = match state {
            State::Fail => night
                .main()
                .report
                .status()
                .filter(|status| *status != "done"),
            State::Warn => Some("warning"),
            State::Undecided | State::Ok => Some("passed"),
        };
        let word = wording::words(word.unwrap_or("failed"));
        let number = |value: Option<f64>, text: &dyn Fn(f64) -> String| {
            let text = value.map_or_else(|| number::UNKNOWN.to_owned(), text);
            Cell::number(text)
        };
        let mut row = vec![
            Cell::head(number::time(night.started_at())).with_class("nw"),
            Cell::state(state, word),
        ];
        if has_rows {
            row.push(number(night.number("ledger", "rows_in"), &number::count));
            row.push(number(night.number("ledger", "rejected"), &number::count));
        }
        if let Some(score) = score {
            row.push(number(night.of("scores", score, "mean"), &|mean| {
                on_page(&number::short(mean))
            }));
        }
        if has_drift {
            let columns = night.columns();
            let drifted = columns
                .iter()
                .filter(|one| one.state < State::Undecided)
                .count();
            let known = night.with("drift").map(|_| drifted as f64);
            row.push(number(known, &number::count));
        }
        if has_gates {
            let gates = night.gates();
            let failed = gates
                .iter()
                .filter(|gate| gate.state == State::Fail)
                .count();
            let known = (!gates.is_empty()).then_some(failed as f64);
            row.push(number(known, &number::count));
        }
        if let Some(metric) = metric {
            row.push(number(night.number("evaluation", metric), &number::metric));
        }
        if has_time {
            row.push(number(
                night.number("performance", "wall_seconds"),
                &number::seconds,
            ));
        }
        let version = night
            .version()
            .unwrap_or_else(|| number::UNKNOWN.to_owned());
        row.push(Cell::text(version).with_class("r mono"));
        table.rows.push(row);
    }
    table.class = "runs";
    table.is_sticky = true;
    let failed = states.iter().filter(|state| **state == State::Fail).count();
    Section {
        id: "runs",
        title: "All runs".to_owned(),
        note: if failed > 0 {
            format!("{failed} failed")
        } else {
            nights.len().to_string()
        },
        state: if failed > 0 { State::Fail } else { State::Ok },
        lead: "The newest first.".to_owned(),
        blocks: vec![Block::Table(table)],
        ..Section::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_and_named() {
        assert_eq!(day_number("1970-01-01"), Some(0));
        assert_eq!(day_number("2000-02-29"), Some(11_016));
        assert_eq!(day_number("2026-11-21"), Some(20_778));
        assert_eq!(day_name(20_778), "2026-11-21");
        for text in ["", "2026", "2026-13-01", "x-1-1", "9999999999999-1-1"] {
            assert_eq!(day_number(text), None, "{text}");
        }
    }
}
