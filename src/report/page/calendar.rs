//! The nights of a history in their order, with the days that have no run.
//!
//! Owns which nights there are, their names, and the strip of marks at the top of the page.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::block::{Block, State};
use super::night::Night;
use super::svg::{Chart, coordinate, key};
use super::trend::Calendar;
use crate::count::counted;
use crate::process::rfc3339;
use crate::report::number;

/// A run with its state, or a day without one.
pub(super) type Slot<'a, 'b> = Option<(&'b Night<'a>, State)>;

/// The most days without a run that are drawn for each run.
const MAX_GAPS: usize = 3;

/// The runs, and where there is one a day, the days between them that have none.
pub(super) fn slots<'a, 'b>(
    nights: &'b [Night<'a>],
    states: &[State],
) -> Vec<(String, Slot<'a, 'b>)> {
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

pub(super) fn calendar(slots: &[(String, Slot)]) -> Calendar {
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

/// One mark for each night: how it ended.
pub(super) fn strip(calendar: &Calendar, slots: &[(String, Slot)]) -> String {
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
    // One path for all that passed: a year of them would be a tenth of the page.
    let mut passed_marks = String::new();
    let side = coordinate(width.max(0.1));
    for (night, (day, slot)) in slots.iter().enumerate() {
        let x = calendar.at(night) - width / 2.0;
        match slot.map(|(_, state)| state) {
            Some(State::Fail) => chart.rect("bx", x, width, 0.0, 100.0),
            Some(State::Warn) => chart.rect("wx", x, width, 45.0, 54.0),
            Some(State::Undecided | State::Ok) => {
                let x = coordinate(x);
                let _ = write!(passed_marks, "M{x} 76h{side}v24h-{side}z");
            }
            None => {
                let title = format!("{day}: no run");
                chart.dot("none", [calendar.at(night), 88.0], 3.0, &title);
            }
        }
    }
    chart.stretched([100.0, 100.0], &[("q", passed_marks)]);
    for (night, version) in calendar.versions.iter().skip(1) {
        let x = calendar.at(*night) - 50.0 / slots.len() as f64;
        chart.vertical("vl", x, 6);
        // A long name is on the side that has room for it.
        let (dx, anchor) = if x > 50.0 { (-5, "end") } else { (5, "start") };
        chart.text("k", [x, 0.0], [dx, 4], anchor, version);
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
