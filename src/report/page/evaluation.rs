//! The section of an evaluation: metrics with their intervals, ROC, calibration, gains, segments.

use super::block::{Block, Cell, Figure, Head, Section, State, Table, on_page};
use super::night::{Indexed, Night};
use super::svg::{Chart, Svg, line};
use super::wording;
use crate::count::counted;
use crate::report::number;

const SECTION: &str = "evaluation";

/// The most segments that are listed.
const SEGMENTS: usize = 40;

/// The most classes of a confusion matrix.
const CLASSES: usize = 8;

/// Counts of rows that are listed if they are not zero.
const COUNTS: [&str; 6] = [
    "rows_without_label",
    "rows_without_prediction",
    "rows_with_conflicting_labels",
    "duplicate_labels",
    "duplicate_predictions",
    "labels_without_prediction",
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
    let charts: Vec<Block> = [roc(report), calibration(report), gains(report)]
        .into_iter()
        .flatten()
        .map(Block::Figure)
        .collect();
    if !charts.is_empty() {
        blocks.push(Block::Grid("grid", charts));
    }
    let mut pair = vec![Block::Table(metrics(report))];
    pair.extend(confusion(report).map(Block::Table));
    blocks.push(Block::Grid(
        if pair.len() > 1 { "two sp" } else { "sp" },
        pair,
    ));
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

/// The interval of a metric, as one text.
fn interval(report: &Indexed, subject: &str, metric: &str) -> Option<String> {
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

/// A square chart from 0 to 1 on both sides.
fn square(label: &str, x: &str, is_percent: bool) -> Chart {
    let mut chart = Chart::new(220, label);
    let text = |quarter: u32| match (quarter, is_percent) {
        (0, _) => "0".to_owned(),
        (quarter, true) => format!("{}%", 25 * quarter),
        (4, false) => "1".to_owned(),
        (2, false) => "0.5".to_owned(),
        (quarter, false) => format!("0.{}", 25 * quarter),
    };
    let at = |quarter: u32| 25.0 * f64::from(quarter);
    let y: Vec<(f64, String)> = (0..=4)
        .map(|quarter| (100.0 - at(quarter), text(quarter)))
        .collect();
    let x_ticks: Vec<(f64, String)> = (0..=4)
        .map(|quarter| (at(quarter), text(quarter)))
        .collect();
    chart.y_ticks(&y);
    chart.x_ticks(&x_ticks);
    chart.text("", [50.0, 100.0], [0, 36], "middle", x);
    chart
}

const BOX: f64 = 1000.0;

fn in_box(points: &[[f64; 2]]) -> String {
    line(points.iter().map(|[x, y]| [BOX * x, BOX * (1.0 - y)]))
}

/// The ROC curve through the thresholds of the sweep.
fn roc(report: &Indexed) -> Option<Figure> {
    let rows = report.number(SECTION, "", "rows_evaluated")?;
    let mut points = vec![[0.0, 0.0], [1.0, 1.0]];
    let mut dot = None;
    for (subject, _) in report.subjects("thresholds") {
        let number = |metric: &str| report.number("thresholds", subject, metric);
        let (Some(hits), Some(alarms), Some(misses)) = (
            number("true_positives"),
            number("false_positives"),
            number("false_negatives"),
        ) else {
            continue;
        };
        let positives = hits + misses;
        let negatives = rows - positives;
        if positives <= 0.0 || negatives <= 0.0 {
            return None;
        }
        let point = [alarms / negatives, hits / positives];
        points.push(point);
        if number("threshold") == Some(0.5) {
            dot = Some(point);
        }
    }
    if points.len() < 4 {
        return None;
    }
    points.sort_by(|left, right| {
        left[0]
            .total_cmp(&right[0])
            .then(left[1].total_cmp(&right[1]))
    });
    let area = report.number(SECTION, "", "roc_auc");
    let area_text = area.map_or(String::new(), |area| number::metric(area));
    let mut chart = square(
        &format!("ROC curve, area {area_text}"),
        "false positive rate",
        false,
    );
    chart.stretched(
        [BOX, BOX],
        &[
            ("diag", in_box(&[[0.0, 0.0], [1.0, 1.0]])),
            ("l", in_box(&points)),
        ],
    );
    if let Some([x, y]) = dot {
        chart.dot("dot", [100.0 * x, 100.0 - 100.0 * y], 4.5, "threshold 0.5");
    }
    chart.axis();
    let ends = interval(report, "", "roc_auc").map_or(String::new(), |ends| format!(" ({ends})"));
    let dot = if dot.is_some() {
        "; dot: threshold 0.5"
    } else {
        ""
    };
    Some(Figure {
        title: "ROC".to_owned(),
        caption: format!("AUC {area_text}{ends}{dot}"),
        class: "xt",
        chart: chart.finish(),
        ..Figure::default()
    })
}

/// Observed rates against predicted probabilities.
fn calibration(report: &Indexed) -> Option<Figure> {
    let bins: Vec<(&str, f64, f64, f64)> = report
        .subjects("reliability")
        .into_iter()
        .filter_map(|(subject, _)| {
            let number = |metric: &str| report.number("reliability", subject, metric);
            let rows = number("rows")?;
            Some((
                *subject,
                number("mean_probability")?,
                number("positive_rate")?,
                rows,
            ))
        })
        .collect();
    if bins.is_empty() {
        return None;
    }
    let mut chart = square(
        "Observed rates against predicted probabilities",
        "predicted",
        false,
    );
    let total: f64 = bins.iter().map(|bin| bin.3).sum();
    for (index, (subject, ..)) in bins.iter().enumerate() {
        let low = subject
            .split('-')
            .next()
            .and_then(|low| low.parse::<f64>().ok());
        let low = low.unwrap_or(index as f64 / bins.len() as f64);
        let height = 50.0 * bins[index].3 / total;
        chart.rect("q faint", 100.0 * low + 1.0, 8.0, 100.0 - height, height);
    }
    let points: Vec<[f64; 2]> = bins.iter().map(|bin| [bin.1, bin.2]).collect();
    chart.stretched(
        [BOX, BOX],
        &[
            ("diag", in_box(&[[0.0, 0.0], [1.0, 1.0]])),
            ("l", in_box(&points)),
        ],
    );
    for (_, predicted, observed, rows) in &bins {
        let title = format!(
            "predicted {}, observed {}, {} rows",
            number::share(*predicted, 3),
            number::share(*observed, 3),
            number::count(*rows)
        );
        chart.dot(
            "dot",
            [100.0 * predicted, 100.0 - 100.0 * observed],
            3.2,
            &title,
        );
    }
    chart.axis();
    let ece = report.number(SECTION, "", "ece");
    let ece = ece.map_or(String::new(), |ece| {
        format!("ECE {}; ", number::metric(ece))
    });
    Some(Figure {
        title: "Calibration".to_owned(),
        caption: format!("{ece}bars: rows per bin"),
        class: "xt",
        chart: chart.finish(),
        ..Figure::default()
    })
}

/// The share of positives among the highest scores.
fn gains(report: &Indexed) -> Option<Figure> {
    let mut deciles: Vec<(usize, f64)> = report
        .subjects("gains")
        .into_iter()
        .filter_map(|(subject, _)| {
            let index = subject.strip_prefix("decile_")?.parse().ok()?;
            Some((index, report.number("gains", subject, "captured")?))
        })
        .collect();
    deciles.sort_by_key(|decile| decile.0);
    let first = deciles.first()?.1;
    let count = deciles.last()?.0.max(1) as f64;
    let mut chart = square(
        "Cumulative gains by decile",
        "rows, highest scores first",
        true,
    );
    let mut points = vec![[0.0, 0.0]];
    points.extend(
        deciles
            .iter()
            .map(|(index, captured)| [*index as f64 / count, *captured]),
    );
    chart.stretched(
        [BOX, BOX],
        &[
            ("diag", in_box(&[[0.0, 0.0], [1.0, 1.0]])),
            ("l", in_box(&points)),
        ],
    );
    for [x, y] in points.iter().skip(1) {
        let title = format!(
            "{} of positives in the top {}",
            number::percent(*y),
            number::percent(*x)
        );
        chart.dot("dot", [100.0 * x, 100.0 - 100.0 * y], 3.0, &title);
    }
    chart.axis();
    let third = deciles.iter().find(|decile| decile.0 == 3);
    let third = third.map_or(String::new(), |(_, captured)| {
        format!(", the top 30% hold {}", number::percent(*captured))
    });
    Some(Figure {
        title: "Gains".to_owned(),
        caption: format!(
            "The top 10% of scores hold {} of positives{third}",
            number::percent(first)
        ),
        class: "xt",
        chart: chart.finish(),
        ..Figure::default()
    })
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
