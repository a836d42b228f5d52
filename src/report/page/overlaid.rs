//! Histograms over a baseline as charts.
//!
//! Owns how a histogram is drawn, large and in a row of a table. It must not know what it says.

use std::collections::BTreeSet;

use super::block::{Cell, Table, on_page};
use super::svg::{Chart, Svg, excess, round_ticks, steps, tick_text};
use super::wording;
use crate::monitor::overlay::{Counts, Overlay, OverlayBin};
use crate::monitor::profile::Kind;
use crate::report::{moment, number};

/// The most ticks below a histogram of times.
const TIME_TICKS: usize = 3;

/// The most categories in a chart of a table's row.
const SMALL_CATEGORIES: usize = 12;

/// Shares of the present values of both sides.
fn shares(counts: &(impl Iterator<Item = Counts> + Clone)) -> [Vec<f64>; 2] {
    [0, 1].map(|side| {
        let total: u64 = counts.clone().map(|both| both[side]).sum();
        let total = total.max(1) as f64;
        counts
            .clone()
            .map(|both| both[side] as f64 / total)
            .collect()
    })
}

fn largest(shares: &[Vec<f64>; 2]) -> f64 {
    shares.iter().flatten().copied().fold(0.0, f64::max)
}

/// A histogram in the row of a table.
#[must_use]
pub fn small(overlay: &Overlay, is_drifted: bool, label: &str) -> Svg {
    let mut chart = Chart::of_width("132", 34, label);
    match overlay {
        Overlay::Numbers { bins, .. } => numbers(&mut chart, bins, is_drifted),
        Overlay::Categories { named, other, new } => {
            let named = named
                .iter()
                .take(SMALL_CATEGORIES)
                .map(|(_, counts)| *counts);
            let mut counts: Vec<Counts> = named.collect();
            counts.extend((*other != [0, 0]).then_some(*other));
            let known = counts.len();
            counts.extend((*new > 0).then_some([0, *new]));
            let shares = shares(&counts.iter().copied());
            let full = largest(&shares);
            let width = 100.0 / counts.len().max(1) as f64;
            for (index, (before, now)) in shares[0].iter().zip(&shares[1]).enumerate() {
                let (x, inner) = (width * (index as f64 + 0.12), width * 0.76);
                let height = |share: f64| if full > 0.0 { 96.2 * share / full } else { 0.0 };
                let (before, now) = (height(*before), height(*now));
                let class = if index < known { "q" } else { "hx" };
                chart.rect(class, x, inner, 100.0 - now, now);
                if index < known {
                    chart.rect("p", x, inner, 100.0 - before, before);
                }
            }
        }
    }
    chart.axis();
    chart.finish()
}

/// A histogram of numbers.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a> {
    /// Its bins.
    pub bins: &'a [OverlayBin],
    /// Whether they are of equal width on a logarithmic scale.
    pub is_log: bool,
    /// What kind of times the numbers are, if they are some.
    pub times: Option<Kind>,
}

/// A histogram of numbers of a drifted column, large, with ticks below.
#[must_use]
pub fn large(numbers: &Numbers<'_>, height: u32, label: &str) -> Svg {
    let Numbers {
        bins,
        is_log,
        times,
    } = *numbers;
    let mut chart = Chart::new(height, label);
    self::numbers(&mut chart, bins, true);
    chart.axis();
    chart.x_ticks(&match times {
        Some(kind) => times_of_edges(bins, kind),
        None => ticks(bins, is_log),
    });
    chart.finish()
}

/// Edges of bins of times, each with what it says, in percent.
fn times_of_edges(bins: &[OverlayBin], kind: Kind) -> Vec<(f64, String)> {
    let step = bins.len().div_ceil(TIME_TICKS).max(1);
    let edges = bins.iter().enumerate().skip(step / 2).step_by(step);
    let edges: Vec<(usize, String)> = edges
        .filter_map(|(index, bin)| Some((index, moment::text(kind, bin.low?)?)))
        .collect();
    // Days are told apart by their dates.
    let day = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
    let days: BTreeSet<String> = edges.iter().map(|(_, text)| day(text)).collect();
    let has_days = kind == Kind::Times && days.len() == edges.len();
    edges
        .into_iter()
        .map(|(index, text)| {
            let at = 100.0 * index as f64 / bins.len() as f64;
            let text = if has_days { day(&text) } else { shorter(&text) };
            (at, text)
        })
        .collect()
}

/// A time to the minute; a duration as it is.
fn shorter(text: &str) -> String {
    let mut parts = text.rsplitn(2, ':');
    match (parts.next(), parts.next()) {
        (Some(_), Some(minutes)) => minutes.to_owned(),
        _ => text.to_owned(),
    }
}

fn numbers(chart: &mut Chart, bins: &[OverlayBin], is_drifted: bool) {
    let shares = shares(&bins.iter().map(|bin| bin.counts));
    let full = largest(&shares);
    let [before, now] = &shares;
    let above = if is_drifted {
        excess(now, before, full)
    } else {
        String::new()
    };
    chart.stretched(
        [bins.len() as f64, 100.0],
        &[
            ("q", steps(now, full, true)),
            ("x", above),
            ("p", steps(before, full, false)),
        ],
    );
}

/// Where a round number lies among bins of equal width, in percent.
fn ticks(bins: &[OverlayBin], is_log: bool) -> Vec<(f64, String)> {
    let edges = bins.iter().enumerate();
    let edges = edges.filter_map(|(index, bin)| Some((index, bin.low?)));
    let edges: Vec<(usize, f64)> = edges.collect();
    let last = bins.iter().enumerate().rev();
    let mut last = last.filter_map(|(index, bin)| Some((index + 1, bin.high?)));
    let (Some(&(first, low)), Some((end, high))) = (edges.first(), last.next()) else {
        return Vec::new();
    };
    let share = |value: f64| {
        if is_log {
            (value.ln() - low.ln()) / (high.ln() - low.ln())
        } else {
            (value - low) / (high - low)
        }
    };
    let all = if is_log {
        log_ticks(low, high)
    } else {
        round_ticks(low, high, 5)
    };
    let width = (end - first) as f64;
    let at = |value: f64| 100.0 * (first as f64 + width * share(value)) / bins.len() as f64;
    let mut shown: Vec<(f64, String)> = Vec::new();
    for value in all {
        let x = at(value);
        // A tick takes about a seventh of a narrow chart.
        if x.is_finite() && shown.last().is_none_or(|(before, _)| x - before > 13.0) {
            shown.push((x, tick_text(value)));
        }
    }
    shown
}

/// 1, 3, 10, 30, … between two positive numbers; powers of ten alone for wide ranges.
fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let step = ((last - first) / 6).max(1);
    let factors: &[f64] = if last - first > 4 {
        &[1.0]
    } else {
        &[1.0, 3.0]
    };
    (first..=last)
        .step_by(step as usize)
        .flat_map(|power| {
            factors
                .iter()
                .map(move |factor| factor * 10_f64.powi(power))
        })
        .filter(|value| (low..=high).contains(value))
        .collect()
}

/// Categories as a table of bars.
#[must_use]
pub fn categories(named: &[(String, Counts)], other: Counts, new: u64) -> Table {
    let all = named
        .iter()
        .map(|(_, counts)| *counts)
        .chain([other, [0, new]]);
    let shares = shares(&all);
    let full = largest(&shares).max(f64::MIN_POSITIVE);
    let mut table = Table::new(
        "Categories",
        &[
            ("Category", ""),
            ("", ""),
            ("Today", "r"),
            ("Baseline", "r"),
        ],
    );
    let mut add = |name: Cell, index: usize, class: &str| {
        let (before, now) = (shares[0][index], shares[1][index]);
        let mut chart = Chart::new(10, "");
        chart.rect(class, 0.0, 95.0 * now / full, 0.0, 100.0);
        if before > 0.0 {
            chart.vertical("lim", 95.0 * before / full, 2);
        }
        let mut today = Cell::number(number::percent(now));
        if class == "hx" {
            today = today.with_class("hotw");
        }
        table.rows.push(vec![
            name,
            Cell::chart("share", chart.finish()),
            today,
            Cell::number(number::percent(before)),
        ]);
    };
    for (index, (name, _)) in named.iter().enumerate() {
        add(Cell::head(name), index, "q");
    }
    if other != [0, 0] {
        add(
            Cell::head("all others").with_class("mute"),
            named.len(),
            "q",
        );
    }
    if new > 0 {
        add(
            Cell::head("new categories").with_class("hotw"),
            named.len() + 1,
            "hx",
        );
    }
    table
}

/// The bins as a table.
#[must_use]
pub fn values(numbers: &Numbers<'_>) -> Table {
    let Numbers { bins, times, .. } = *numbers;
    let shares = shares(&bins.iter().map(|bin| bin.counts));
    let mut table = Table::new("Bins", &[("Bin", ""), ("Baseline", "r"), ("Today", "r")]);
    "Values as a table".clone_into(&mut table.fold);
    table.rows = bins
        .iter()
        .enumerate()
        .map(|(index, bin)| {
            vec![
                Cell::head(bin_text(bin, times)),
                Cell::number(number::percent(shares[0][index])),
                Cell::number(number::percent(shares[1][index])),
            ]
        })
        .collect();
    table
}

/// The range of a bin.
fn bin_text(bin: &OverlayBin, times: Option<Kind>) -> String {
    let number = |edge: f64| wording::value("edge", edge);
    let text = |edge: f64| on_page(&moment::or_number(times, edge, number));
    match (bin.low, bin.high) {
        (None, Some(high)) => format!("below {}", text(high)),
        (Some(low), None) => format!("from {}", text(low)),
        (Some(low), Some(high)) => format!("{} to {}", text(low), text(high)),
        (None, None) => "all".to_owned(),
    }
}
