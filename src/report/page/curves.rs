//! The charts of an evaluation: ROC, calibration and gains.

use super::block::Figure;
use super::evaluation::{SECTION, interval};
use super::night::Indexed;
use super::svg::{Chart, line};
use crate::report::number;

/// A square chart from 0 to 1 on both sides.
fn square(label: &str, x: &str, is_percent: bool) -> Chart {
    let y: Vec<(f64, String)> = (0..=4)
        .map(|quarter| (100.0 - at(quarter), quarter_text(quarter, is_percent)))
        .collect();
    square_of(label, x, is_percent, &y)
}

/// Where a quarter is, in percent.
fn at(quarter: u32) -> f64 {
    25.0 * f64::from(quarter)
}

fn quarter_text(quarter: u32, is_percent: bool) -> String {
    match (quarter, is_percent) {
        (0, _) => "0".to_owned(),
        (quarter, true) => format!("{}%", 25 * quarter),
        (4, false) => "1".to_owned(),
        (2, false) => "0.5".to_owned(),
        (quarter, false) => format!("0.{}", 25 * quarter),
    }
}

/// A square chart from 0 to 1 from left to right, with these ticks from top to bottom.
pub(super) fn square_of(
    label: &str,
    x: &str,
    is_percent: bool,
    y_ticks: &[(f64, String)],
) -> Chart {
    let mut chart = Chart::new(220, label);
    let x_ticks: Vec<(f64, String)> = (0..=4)
        .map(|quarter| (at(quarter), quarter_text(quarter, is_percent)))
        .collect();
    chart.y_ticks(y_ticks);
    chart.x_ticks(&x_ticks);
    chart.text("", [50.0, 100.0], [0, 36], "middle", x);
    chart
}

/// The side of the box that lines are drawn in.
pub(super) const BOX: f64 = 1000.0;

fn in_box(points: &[[f64; 2]]) -> String {
    line(points.iter().map(|[x, y]| [BOX * x, BOX * (1.0 - y)]))
}

/// The ROC curve through the thresholds of the sweep.
pub(super) fn roc(report: &Indexed) -> Option<Figure> {
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
    let area_text = area.map_or(String::new(), number::metric);
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
pub(super) fn calibration(report: &Indexed) -> Option<Figure> {
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
pub(super) fn gains(report: &Indexed) -> Option<Figure> {
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
