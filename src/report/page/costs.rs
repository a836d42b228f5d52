//! What decisions cost: the cost of errors at every threshold, and what the best thresholds do.
//!
//! Owns this part of the section of an evaluation. It must not know the rest of it.

use super::block::{Cell, Figure, Table};
use super::curves::{BOX, square_of};
use super::evaluation::SECTION;
use super::night::Indexed;
use super::svg::{line, round_ticks, tick_text};
use crate::report::evaluation::THRESHOLDS;
use crate::report::number;

/// The decisions that are listed: the subject of their facts and their name.
const DECISIONS: [(&str, &str); 3] = [
    ("lowest_cost", "lowest cost"),
    ("best_f1", "highest F1"),
    ("0.50", "threshold 0.5"),
];

/// Costs of errors by threshold, with a dot at the lowest.
pub(super) fn figure(report: &Indexed) -> Option<Figure> {
    let of = |subject: &str, metric: &str| report.number(THRESHOLDS, subject, metric);
    let [false_positive, false_negative] =
        ["false_positive_cost", "false_negative_cost"].map(|metric| of("", metric));
    let unit_costs = format!(
        "a false positive costs {}, a false negative {}",
        number::count(false_positive?),
        number::count(false_negative?)
    );
    let subjects = report.subjects(THRESHOLDS);
    let mut points: Vec<[f64; 2]> = subjects
        .iter()
        .filter_map(|(subject, _)| Some([of(subject, "threshold")?, of(subject, "cost")?]))
        .filter(|[threshold, _]| (0.0..=1.0).contains(threshold))
        .collect();
    points.sort_by(|left, right| left[0].total_cmp(&right[0]));
    let highest = points.iter().map(|point| point[1]).fold(0.0, f64::max);
    if points.len() < 3 || highest <= 0.0 || !highest.is_finite() {
        return None;
    }
    let height = |cost: f64| 1.0 - cost / highest;
    let ticks: Vec<(f64, String)> = round_ticks(0.0, highest, 4)
        .into_iter()
        .map(|tick| (100.0 * height(tick), tick_text(tick)))
        .collect();
    let label = format!("Cost of errors by threshold: {unit_costs}");
    let mut chart = square_of(&label, "threshold", false, &ticks);
    let path = points
        .iter()
        .map(|[x, cost]| [BOX * x, BOX * height(*cost)]);
    chart.stretched([BOX, BOX], &[("l", line(path))]);
    let lowest = of("lowest_cost", "cost")?;
    let threshold = of("lowest_cost", "threshold")?;
    if (0.0..=1.0).contains(&threshold) {
        let title = format!(
            "{} at {}",
            number::count(lowest),
            number::share(threshold, 4)
        );
        chart.dot(
            "dot",
            [100.0 * threshold, 100.0 * height(lowest)],
            4.5,
            &title,
        );
    }
    chart.axis();
    Some(Figure {
        title: "Cost".to_owned(),
        caption: format!("Lowest {}; {unit_costs}", number::count(lowest)),
        class: "xt",
        chart: chart.finish(),
        ..Figure::default()
    })
}

/// What the best thresholds do.
pub(super) fn table(report: &Indexed) -> Option<Table> {
    let mut table = Table::new(
        "Thresholds",
        &[
            ("Decision", ""),
            ("Threshold", "r"),
            ("Called positive", "r"),
            ("Precision", "r"),
            ("Recall", "r"),
            ("F1", "r"),
            ("Cost", "r"),
        ],
    );
    let rows = report.number(SECTION, "", "rows_evaluated");
    for (subject, name) in DECISIONS {
        let of = |metric: &str| report.number(THRESHOLDS, subject, metric);
        let (Some(threshold), Some(hits), Some(alarms)) =
            (of("threshold"), of("true_positives"), of("false_positives"))
        else {
            continue;
        };
        let called = hits + alarms;
        let note = match called {
            0.0 => "no row is called positive",
            all if Some(all) == rows => "every row is called positive",
            _ => "",
        };
        let metric = |name: &str| {
            let value = of(name).map_or_else(|| number::UNKNOWN.to_owned(), number::metric);
            Cell::number(value)
        };
        let shown = if called == 0.0 {
            format!("above {}", number::share(threshold, 4))
        } else {
            number::share(threshold, 4)
        };
        table.rows.push(vec![
            Cell::head(name).noted(note),
            Cell::number(shown),
            Cell::number(number::count(called)),
            metric("precision"),
            metric("recall"),
            metric("f1"),
            Cell::number(of("cost").map_or_else(|| number::UNKNOWN.to_owned(), number::count)),
        ]);
    }
    (!table.rows.is_empty()).then_some(table)
}
