//! The section of an evaluation: metrics with their intervals, ROC, calibration, gains, segments.

use super::block::{Block, Cell, Head, Section, State, Table, on_page};
use super::curves::{calibration, gains, roc};
use super::night::{Indexed, Night};
use super::svg::{Chart, Svg};
use super::{costs, wording};
use crate::count::counted;
use crate::report::{arms, number};

/// The section in reports.
pub(super) const SECTION: &str = "evaluation";

/// The most segments that are listed.
const SEGMENTS: usize = 40;

/// The most classes of a confusion matrix.
const CLASSES: usize = 8;

/// Counts of rows that are listed if they are not zero.
const COUNTS: [&str; 7] = [
    "rows_without_label",
    "rows_without_prediction",
    "rows_with_conflicting_labels",
    "duplicate_labels",
    "duplicate_predictions",
    "labels_without_prediction",
    "labels_not_numbers",
];

/// The section, if a report has it.
#[must_use]
pub fn section(night: &Night) -> Option<Section> {
    let report = night.with(SECTION)?;
    let number = |metric: &str| report.number(SECTION, "", metric);
    let rows = number("rows_evaluated")?;
    let positive = number("positive_rate");
    let mut lead = format!("{} with a label", counted(rows as u64, "row"));
    if let Some(rate) = positive {
        let label = report.text(SECTION, "", "positive").unwrap_or("positive");
        lead.push_str(&format!(", of which {} are {label}", number::percent(rate)));
    }
    lead.push_str(". Intervals are 95%.");
    for metric in COUNTS {
        if let Some(count) = number(metric).filter(|count| *count > 0.0) {
            let name = wording::words(metric);
            lead.push_str(&format!(" {}: {}.", capital(&name), number::count(count)));
        }
    }
    let mut blocks = Vec::new();
    let charts: Vec<Block> = [
        roc(report),
        calibration(report),
        gains(report),
        costs::figure(report),
    ]
    .into_iter()
    .flatten()
    .map(Block::Figure)
    .collect();
    if !charts.is_empty() {
        let class = if charts.len() == 4 {
            "grid four"
        } else {
            "grid"
        };
        blocks.push(Block::Grid(class, charts));
    }
    let mut pair = vec![Block::Table(metrics(report))];
    pair.extend(confusion(report).map(Block::Table));
    blocks.push(Block::Grid(
        if pair.len() > 1 { "two sp" } else { "sp" },
        pair,
    ));
    blocks.extend(costs::table(report).map(|table| Block::Grid("sp", vec![Block::Table(table)])));
    blocks.extend(segments(report));
    let main = main_metric(report);
    Some(Section {
        id: "evaluation",
        title: "Evaluation".to_owned(),
        note: main.map_or(String::new(), |(name, value)| {
            format!(
                "{} {}",
                wording::metric_name(name),
                on_page(&number::metric(value))
            )
        }),
        state: State::Ok,
        lead,
        blocks,
        ..Section::default()
    })
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// The metric that an evaluation is called by, and its value.
#[must_use]
pub fn main_metric<'a>(report: &Indexed) -> Option<(&'a str, f64)> {
    let all = [
        "roc_auc",
        "macro_roc_auc",
        "accuracy",
        "rmse",
        "ndcg",
        "log_loss",
        "mae",
    ];
    all.into_iter()
        .find_map(|name| Some((name, report.number(SECTION, "", name)?)))
}

/// What an evaluation is called by: its number or, of several arms, that of the best.
#[derive(Debug)]
pub struct Headline<'a> {
    /// The metric.
    pub metric: &'a str,
    /// Its value.
    pub value: f64,
    /// The ends of its interval.
    pub ends: Option<[f64; 2]>,
    /// The rows that were evaluated.
    pub rows: f64,
    /// The best of several arms, and how many there are.
    pub best: Option<(&'a str, f64)>,
}

/// The headline of an evaluation.
#[must_use]
pub fn headline<'a>(report: &Indexed<'a>) -> Option<Headline<'a>> {
    let of_arms = |metric: &str| report.text(arms::SECTION, "", metric);
    let best = of_arms("best").zip(of_arms("metric"));
    let (section, subject, metric) = match best {
        Some((best, metric)) => (arms::SECTION, best, metric),
        None => (SECTION, "", main_metric(report)?.0),
    };
    let of = |metric: &str| report.number(section, subject, metric);
    let [low, high] = ["low", "high"].map(|end| of(&format!("{metric}_{end}")));
    Some(Headline {
        metric,
        value: of(metric)?,
        ends: low.zip(high).map(<[f64; 2]>::from),
        rows: of("rows_evaluated").unwrap_or(0.0),
        best: best.map(|(best, _)| {
            let count = report.number(arms::SECTION, "", "count");
            (best, count.unwrap_or(1.0))
        }),
    })
}

/// The interval of a metric, as one text.
pub(super) fn interval(report: &Indexed, subject: &str, metric: &str) -> Option<String> {
    let end = |end: &str| report.number(SECTION, subject, &format!("{metric}_{end}"));
    let [low, high] = [end("low")?, end("high")?].map(|end| on_page(&number::metric(end)));
    Some(format!("{low} to {high}"))
}

/// Metrics of a subject: those that are no ends of intervals and no counts.
fn metric_names<'a>(report: &Indexed<'a>, subject: &str) -> Vec<&'a str> {
    let facts = if subject.is_empty() {
        report.whole(SECTION).to_vec()
    } else {
        let all = report.subjects(SECTION);
        let own = all.into_iter().find(|(name, _)| *name == subject);
        own.map_or(Vec::new(), |(_, facts)| facts.clone())
    };
    let is_end = |metric: &str| {
        ["_low", "_high"].iter().any(|end| {
            let base = metric.strip_suffix(end);
            base.is_some_and(|base| report.number(SECTION, subject, base).is_some())
        })
    };
    facts
        .into_iter()
        .filter(|fact| fact.unit != "rows" && fact.as_number().is_some())
        .map(|fact| fact.metric.as_str())
        .filter(|metric| !is_end(metric))
        .collect()
}

fn metrics(report: &Indexed) -> Table {
    let mut table = Table::new(
        "Metrics",
        &[("Metric", ""), ("Value", "r"), ("95% interval", "r")],
    );
    table.rows = metric_names(report, "")
        .into_iter()
        .filter_map(|metric| {
            let value = report.number(SECTION, "", metric)?;
            let ends = interval(report, "", metric);
            Some(vec![
                Cell::head(wording::metric_name(metric)),
                Cell::number(number::metric(value)),
                Cell::number(ends.unwrap_or_else(|| number::UNKNOWN.to_owned())),
            ])
        })
        .collect();
    table
}

/// Actual against predicted classes.
fn confusion(report: &Indexed) -> Option<Table> {
    let whole = report.whole("confusion");
    let mut classes: Vec<&str> = Vec::new();
    for fact in whole {
        let (actual, _) = fact
            .metric
            .strip_prefix("actual=")?
            .split_once(",predicted=")?;
        if !classes.contains(&actual) {
            classes.push(actual);
        }
    }
    if classes.is_empty() || classes.len() > CLASSES {
        return None;
    }
    let mut table = Table::new("Confusion matrix", &[("Actual", "")]);
    table.class = "cm";
    let total: f64 = whole.iter().filter_map(|fact| fact.as_number()).sum();
    let heads = classes
        .iter()
        .map(|class| Head::new(format!("predicted {class}"), "r"));
    table.heads.extend(heads);
    for actual in &classes {
        let mut row = vec![Cell::head(*actual)];
        for predicted in &classes {
            let metric = format!("actual={actual},predicted={predicted}");
            let count = report.number("confusion", "", &metric).unwrap_or(0.0);
            let share = number::percent(if total > 0.0 { count / total } else { 0.0 });
            let cell = Cell::number(number::count(count)).noted(share);
            row.push(if actual == predicted {
                cell.with_class("hit")
            } else {
                cell
            });
        }
        table.rows.push(row);
    }
    Some(table)
}

fn segments(report: &Indexed) -> Vec<Block> {
    let segments = report.subjects(SECTION);
    if segments.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = metric_names(report, segments[0].0)
        .into_iter()
        .filter(|name| *name != "gini")
        .take(3)
        .collect();
    let Some(first) = names.first() else {
        return Vec::new();
    };
    let mut table = Table::new("Metrics by segment", &[("Segment", ""), ("Rows", "r")]);
    table.heads.extend(names.iter().flat_map(|name| {
        [
            Head::new(wording::metric_name(name), "r"),
            Head::new("", "mid opt"),
        ]
    }));
    let mut sorted: Vec<&str> = segments.iter().map(|(name, _)| *name).collect();
    let rows = |name: &str| {
        report
            .number(SECTION, name, "rows_evaluated")
            .unwrap_or(0.0)
    };
    sorted.sort_by(|left, right| rows(right).total_cmp(&rows(left)).then(left.cmp(right)));
    for name in sorted.iter().take(SEGMENTS) {
        let mut row = vec![Cell::head(*name), Cell::number(number::count(rows(name)))];
        for metric in &names {
            let value = report.number(SECTION, name, metric);
            let ends = interval(report, name, metric);
            let text = value.map_or_else(|| number::UNKNOWN.to_owned(), number::metric);
            row.push(Cell::number(text).noted(ends.unwrap_or_default()));
            row.push(Cell::chart("mid opt", bracket(report, name, metric)));
        }
        table.rows.push(row);
    }
    let mut blocks = vec![Block::Grid("sp", vec![Block::Table(table)])];
    let hidden = sorted.len().saturating_sub(SEGMENTS);
    let more = if hidden > 0 {
        format!(
            " {} are in the report file.",
            counted(hidden, "more segment")
        )
    } else {
        String::new()
    };
    blocks.push(Block::Note(format!(
        "By segment: value with its 95% interval, on the scale of all segments. Compare {} with \
         care where intervals overlap.{more}",
        wording::metric_name(first)
    )));
    blocks
}

/// A value with its interval among those of all segments.
fn bracket(report: &Indexed, segment: &str, metric: &str) -> Svg {
    let of = |name: &str| {
        let value = report.number(SECTION, name, metric)?;
        let end = |end: &str| report.number(SECTION, name, &format!("{metric}_{end}"));
        Some((
            end("low").unwrap_or(value),
            value,
            end("high").unwrap_or(value),
        ))
    };
    let segments = report.subjects(SECTION);
    let all: Vec<(f64, f64, f64)> = segments.iter().filter_map(|(name, _)| of(name)).collect();
    let low = all.iter().map(|one| one.0).fold(f64::INFINITY, f64::min);
    let high = all
        .iter()
        .map(|one| one.2)
        .fold(f64::NEG_INFINITY, f64::max);
    let (Some((from, value, to)), true) = (of(segment), high > low) else {
        return Svg::default();
    };
    let at = |value: f64| 2.0 + 96.0 * (value - low) / (high - low);
    let mut chart = Chart::new(12, "");
    chart.rect("track", 0.0, 100.0, 25.0, 50.0);
    chart.rect("q", at(from), at(to) - at(from), 25.0, 50.0);
    if let Some(whole) = report.number(SECTION, "", metric)
        && (low..=high).contains(&whole)
    {
        chart.vertical("lim", at(whole), 0);
    }
    chart.dot("dot", [at(value), 50.0], 3.0, &number::metric(value));
    chart.finish()
}
