//! A fact over many nights as a chart with its control limits.
//!
//! Owns how a series is drawn. It must not know which facts there are.

use super::block::{State, Trend, on_page};
use super::grid::{dots, line, verticals};
use super::svg::Chart;
use super::wording;
use crate::count::counted;
use crate::monitor::control::{Control, Observation, Side, control};

/// The height of a chart in pixels.
const HEIGHT: u32 = 72;

/// The most points of a line of limits.
const LIMIT_POINTS: usize = 70;

/// The height of the grid that lines are drawn on; each night is two wide.
const GRID_HEIGHT: f64 = 240.0;

/// How far beyond the usual range the chart reaches, in widths of the range.
const MARGIN: f64 = 1.5;

/// A fact over time.
#[derive(Debug)]
pub struct Series {
    /// Its name, as gates write it.
    pub name: String,
    /// The fact alone, which decides on digits.
    pub metric: String,
    /// Which side is trouble.
    pub side: Side,
    /// A value for each night.
    pub observations: Vec<Observation>,
}

/// What the chart of a series needs of the nights.
#[derive(Debug)]
pub struct Calendar {
    /// The name of each night.
    pub labels: Vec<String>,
    /// Which nights failed.
    pub failed: Vec<bool>,
    /// Where a model version begins: night and version.
    pub versions: Vec<(usize, String)>,
}

impl Calendar {
    /// Where a night lies, in percent.
    #[must_use]
    pub fn at(&self, night: usize) -> f64 {
        100.0 * (night as f64 + 0.5) / self.labels.len().max(1) as f64
    }
}

/// A series with its limits.
#[derive(Debug)]
pub struct Controlled {
    /// The series.
    pub series: Series,
    controls: Vec<Option<Control>>,
}

impl Controlled {
    /// Finds the limits.
    #[must_use]
    pub fn new(series: Series) -> Self {
        Self {
            controls: control(&series.observations),
            series,
        }
    }

    fn value(&self, night: usize) -> Option<f64> {
        self.series.observations[night]
            .value
            .filter(|value| value.is_finite())
    }

    fn is_outside(&self, night: usize) -> bool {
        match (self.value(night), self.controls[night]) {
            (Some(value), Some(control)) => control.is_outside(value, self.series.side),
            _ => false,
        }
    }

    /// The last night that has a value.
    #[must_use]
    pub fn last(&self) -> Option<(usize, f64)> {
        let mut nights = (0..self.series.observations.len()).rev();
        nights.find_map(|night| Some((night, self.value(night)?)))
    }

    /// How the last night stands: outside its range, or shifted for a while.
    #[must_use]
    pub fn state(&self) -> State {
        let Some((night, _)) = self.last() else {
            return State::Ok;
        };
        let shifted = self.controls[night].is_some_and(|one| one.is_shifted(self.series.side));
        if self.is_outside(night) {
            State::Fail
        } else if shifted {
            State::Warn
        } else {
            State::Ok
        }
    }

    /// How many nights were outside.
    #[must_use]
    pub fn outside(&self) -> usize {
        (0..self.controls.len())
            .filter(|night| self.is_outside(*night))
            .count()
    }

    /// The range of the chart: of the limits with some room, or of the values.
    fn range(&self) -> (f64, f64) {
        let values = (0..self.controls.len()).filter_map(|night| self.value(night));
        let (low, high) = ends(values);
        let limits = self.controls.iter().flatten();
        let (bottom, top) = ends(limits.flat_map(|one| [one.low(), one.high()]));
        let (from, to) = if top > bottom {
            let room = MARGIN * (top - bottom);
            (
                low.max(bottom - room).min(bottom),
                high.min(top + room).max(top),
            )
        } else {
            (low, high)
        };
        let room = if to > from {
            0.06 * (to - from)
        } else {
            (0.05 * to.abs()).max(0.5)
        };
        // What is never negative has an axis that is not.
        let from = if low >= 0.0 {
            (from - room).max(0.0)
        } else {
            from - room
        };
        (from, to + room)
    }

    /// The chart, with the fact's name and last value.
    #[must_use]
    pub fn trend(&self, calendar: &Calendar) -> Option<Trend> {
        let (last, value) = self.last()?;
        let text = |value: f64| on_page(&wording::value(&self.series.metric, value));
        let control = self.controls[last];
        let state = self.state();
        // A limit below what is never negative says nothing.
        let values = (0..self.controls.len()).filter_map(|night| self.value(night));
        let least = if ends(values).0 >= 0.0 {
            0.0
        } else {
            f64::NEG_INFINITY
        };
        let low = |control: Control| text(control.low().max(least));
        let usual = control.map_or_else(
            || "no range yet: fewer than 14 nights".to_owned(),
            |control| match self.series.side {
                _ if control.sigma == 0.0 => format!("usual {}", text(control.median)),
                Side::High => format!("usual up to {}", text(control.high())),
                Side::Low => format!("usual from {}", low(control)),
                Side::Both => format!("usual {} to {}", low(control), text(control.high())),
            },
        );
        let remark = match state {
            State::Fail => "outside",
            State::Warn => "shifted (EWMA)",
            State::Undecided | State::Ok => "",
        };
        let outside: Vec<usize> = (0..calendar.labels.len())
            .filter(|night| self.is_outside(*night))
            .collect();
        let mut label = format!("{}: last {}, {usual}", self.series.name, text(value));
        if let Some(last) = outside.last() {
            let runs = counted(outside.len(), "run");
            let day = &calendar.labels[*last];
            label.push_str(&format!("; outside in {runs}, the last on {day}"));
        }
        Some(Trend {
            name: self.series.name.clone(),
            value: text(value),
            state: if state == State::Fail {
                State::Fail
            } else {
                State::Ok
            },
            remark: remark.to_owned(),
            usual,
            chart: self.chart(calendar, &label, last, &text),
        })
    }

    fn chart(
        &self,
        calendar: &Calendar,
        label: &str,
        last: usize,
        text: &dyn Fn(f64) -> String,
    ) -> super::svg::Svg {
        let (from, to) = self.range();
        let y = |value: f64| 100.0 * (to - value) / (to - from);
        let inside = |value: f64| y(value).clamp(0.0, 100.0);
        let drawn = |value: f64| GRID_HEIGHT * inside(value) / 100.0;
        let mut chart = Chart::new(HEIGHT, label);
        let nights = 0..calendar.labels.len();
        // Lines break where nights have no value or no limits.
        let runs = |has: &dyn Fn(usize) -> Option<f64>, step: usize| {
            let mut runs: Vec<Vec<[f64; 2]>> = vec![Vec::new()];
            let is_drawn = |night: &usize| night.is_multiple_of(step) || night + 1 == nights.len();
            for night in nights.clone().filter(is_drawn) {
                match (has(night), runs.last_mut()) {
                    (Some(value), Some(run)) => run.push([2.0 * night as f64 + 1.0, drawn(value)]),
                    (None, Some(run)) if !run.is_empty() => runs.push(Vec::new()),
                    _ => {}
                }
            }
            runs
        };
        let lines = |has: &dyn Fn(usize) -> Option<f64>, step: usize| {
            let runs = runs(has, step).into_iter().filter(|run| run.len() > 1);
            runs.map(line).collect::<String>()
        };
        // Limits move slowly: over many nights a point of them every few nights is enough.
        let step = nights.len().div_ceil(LIMIT_POINTS).max(1);
        let high = runs(&|night| Some(self.controls[night]?.high()), step);
        let low = runs(&|night| Some(self.controls[night]?.low()), step);
        let bands = high.into_iter().zip(low).filter(|(high, _)| high.len() > 1);
        let bands: String = bands
            .map(|(high, mut low)| {
                low.reverse();
                line(high.into_iter().chain(low)) + "Z"
            })
            .collect();
        let failed = nights.clone().filter(|night| calendar.failed[*night]);
        let failed = failed.map(|night| 2.0 * night as f64 + 1.0);
        let alone = runs(&|night| self.value(night), 1).into_iter();
        let alone = alone.filter(|run| run.len() == 1).flatten();
        chart.stretched(
            [2.0 * nights.len() as f64, GRID_HEIGHT],
            &[
                ("fb", bands),
                ("tl", verticals(failed, GRID_HEIGHT)),
                (
                    "md",
                    lines(&|night| Some(self.controls[night]?.median), step),
                ),
                (
                    "md2",
                    lines(&|night| Some(self.controls[night]?.average), step),
                ),
                ("ln", lines(&|night| self.value(night), 1)),
                // A night between two without a value is a dot: a line needs two.
                ("pt", dots(alone)),
            ],
        );
        for (night, _) in calendar.versions.iter().skip(1) {
            chart.vertical(
                "vl",
                calendar.at(*night) - 50.0 / calendar.labels.len() as f64,
                6,
            );
        }
        for night in nights {
            let Some(value) = self.value(night).filter(|_| self.is_outside(night)) else {
                continue;
            };
            let title = format!("{}: {}", calendar.labels[night], text(value));
            let position = y(value);
            if (0.0..=100.0).contains(&position) {
                chart.dot("out", [calendar.at(night), position], 4.5, &title);
            } else {
                chart.triangle(calendar.at(night), position < 0.0, &title);
            }
        }
        if let Some(value) = self.value(last).filter(|_| !self.is_outside(last)) {
            let title = format!("{}: {}", calendar.labels[last], text(value));
            chart.dot("last", [calendar.at(last), inside(value)], 3.0, &title);
        }
        chart.text("pl", [100.0, 0.0], [10, 10], "start", &text(to));
        chart.text("pl", [100.0, 100.0], [10, 0], "start", &text(from));
        chart.finish()
    }
}

fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}
