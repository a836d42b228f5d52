//! The section of scores: the distribution of every column that came out.

use super::block::{Block, Cell, Figure, Section, State, Table, on_page};
use super::night::{Indexed, Night};
use super::svg::{Chart, Svg, round_ticks, steps, tick_text};
use crate::report::facts::Fact;
use crate::report::number;

/// The most columns that are shown.
const COLUMNS: usize = 12;

/// The most labels of a column that are shown.
const LABELS: usize = 20;

/// The section, if a report has it.
#[must_use]
pub fn section(night: &Night) -> Option<Section> {
    let report = night.with("scores")?;
    let subjects = report.subjects("scores");
    let mut columns: Vec<(&str, &[&Fact])> = subjects
        .iter()
        .map(|(name, facts)| (*name, facts.as_slice()))
        .filter(|(name, _)| !name.starts_with("margin"))
        .collect();
    let hidden = columns.len().saturating_sub(COLUMNS);
    columns.truncate(COLUMNS);
    let is_probability = |name: &str| name.starts_with("probability");
    let has_probabilities = columns.iter().any(|(name, _)| is_probability(name));
    let mut blocks = Vec::new();
    for (name, facts) in &columns {
        let is_of_numbers = report.number("scores", name, "null_count").is_some();
        let predicted = (has_probabilities && !is_probability(name))
            .then(|| labels_in_bins(&bins(facts)))
            .flatten();
        if let Some(predicted) = predicted {
            blocks.push(label_table(name, predicted));
        } else if is_of_numbers {
            blocks.push(Block::Grid("two", numbers(night, report, name, facts)));
        } else {
            blocks.extend(labels(name, facts));
        }
    }
    if hidden > 0 {
        blocks.push(Block::Note(format!(
            "{hidden} more columns are in the report file."
        )));
    }
    let main = columns
        .iter()
        .find_map(|(name, _)| Some((*name, report.number("scores", name, "mean")?)));
    let bad: f64 = columns
        .iter()
        .flat_map(|(name, _)| {
            ["nan_count", "infinite_count"].map(|metric| report.number("scores", name, metric))
        })
        .flatten()
        .sum();
    let mut note = main.map_or(String::new(), |(_, mean)| {
        format!("mean {}", on_page(&number::short(mean)))
    });
    let mut lead = main.map_or(String::new(), |(name, mean)| {
        let before = night
            .of("drift", name, "baseline_mean")
            .map_or(String::new(), |before| {
                format!(" (baseline {})", on_page(&number::short(before)))
            });
        format!(
            "The mean {name} is {}{before}.",
            on_page(&number::short(mean))
        )
    });
    if bad > 0.0 {
        note = format!("{} not finite", number::count(bad));
        lead.push_str(" Some scores are not finite numbers.");
    }
    Some(Section {
        id: "scores",
        title: "Scores".to_owned(),
        note,
        state: if bad > 0.0 { State::Warn } else { State::Ok },
        lead,
        blocks,
        ..Section::default()
    })
}

/// A histogram and a table of moments and quantiles.
fn numbers(night: &Night, report: &Indexed, name: &str, facts: &[&Fact]) -> Vec<Block> {
    let bins = bins(facts);
    let mut blocks = Vec::new();
    if bins.len() > 1 {
        blocks.push(Block::Figure(Figure {
            title: name.to_owned(),
            is_code: true,
            class: "xt",
            chart: histogram(name, &bins),
            values: values(&bins).to_string(),
            ..Figure::default()
        }));
    }
    let mut table = Table::new("Statistics of scores", &[("", ""), ("Value", "r")]);
    let mut add = |label: &str, value: Option<String>| {
        if let Some(value) = value {
            table
                .rows
                .push(vec![Cell::head(label), Cell::number(value)]);
        }
    };
    let number = |metric: &str| report.number("scores", name, metric);
    add("rows", number("count").map(number::count));
    for (metric, label) in [
        ("mean", "mean"),
        ("standard_deviation", "standard deviation"),
        ("min", "smallest"),
        ("quantile_0.05", "5th percentile"),
        ("quantile_0.25", "25th percentile"),
        ("quantile_0.5", "median"),
        ("quantile_0.75", "75th percentile"),
        ("quantile_0.95", "95th percentile"),
        ("max", "largest"),
    ] {
        add(
            label,
            number(metric).map(|value| number::significant(value, 4)),
        );
    }
    add("missing", number("null_count").map(number::count));
    add("not a number", number("nan_count").map(number::count));
    add("infinite", number("infinite_count").map(number::count));
    add(
        "JS to the baseline",
        night.of("drift", name, "js").map(|js| number::share(js, 3)),
    );
    blocks.push(Block::Table(table));
    blocks
}

/// (low, high, count) of a histogram.
pub(super) type Bins = Vec<(f64, f64, f64)>;

fn bins(facts: &[&Fact]) -> Bins {
    let mut bins: std::collections::BTreeMap<&str, [f64; 3]> = std::collections::BTreeMap::new();
    for fact in facts {
        let Some((index, what)) = fact
            .metric
            .strip_prefix("histogram_")
            .and_then(|rest| rest.split_once('_'))
        else {
            continue;
        };
        let (Some(value), Some(side)) = (
            fact.as_number(),
            ["low", "high", "count"]
                .iter()
                .position(|name| *name == what),
        ) else {
            continue;
        };
        bins.entry(index).or_default()[side] = value;
    }
    bins.into_values()
        .map(|[low, high, count]| (low, high, count))
        .collect()
}

/// A histogram of so many rows in each bin.
pub(super) fn histogram(name: &str, bins: &Bins) -> Svg {
    let total: f64 = bins.iter().map(|bin| bin.2).sum();
    let shares: Vec<f64> = bins.iter().map(|bin| bin.2 / total.max(1.0)).collect();
    let full = shares.iter().copied().fold(0.0, f64::max);
    let label = format!("Histogram of {name} in {} bins", bins.len());
    let mut chart = Chart::new(240, &label);
    let ticks: Vec<(f64, String)> = round_ticks(0.0, full, 4)
        .into_iter()
        .map(|share| {
            let text = format!("{}%", tick_text((1e6 * share).round() / 1e4));
            (super::svg::level(share, full), text)
        })
        .collect();
    chart.y_ticks(&ticks);
    chart.stretched(
        [bins.len() as f64, 100.0],
        &[("q", steps(&shares, full, true))],
    );
    chart.axis();
    if let (Some(first), Some(last)) = (bins.first(), bins.last()) {
        let (low, high) = (first.0, last.1);
        let ticks: Vec<(f64, String)> = round_ticks(low, high, 5)
            .into_iter()
            .map(|value| (100.0 * (value - low) / (high - low), tick_text(value)))
            .collect();
        chart.x_ticks(&ticks);
    }
    chart.text("", [50.0, 100.0], [0, 36], "middle", name);
    chart.finish()
}

/// The bins of a histogram, folded away.
pub(super) fn values(bins: &Bins) -> Table {
    let total: f64 = bins.iter().map(|bin| bin.2).sum();
    let mut table = Table::new("Bins", &[("Bin", ""), ("Rows", "r"), ("Share", "r")]);
    "Values as a table".clone_into(&mut table.fold);
    table.rows = bins
        .iter()
        .map(|(low, high, count)| {
            let [low, high] = [low, high].map(|edge| on_page(&number::short(*edge)));
            vec![
                Cell::head(format!("{low} to {high}")),
                Cell::number(number::count(*count)),
                Cell::number(number::percent(count / total.max(1.0))),
            ]
        })
        .collect();
    table
}

/// How often each label is predicted.
fn labels(name: &str, facts: &[&Fact]) -> Option<Block> {
    let labels: Vec<(String, f64)> = facts
        .iter()
        .filter_map(|fact| {
            let label = fact.metric.strip_prefix("count_")?;
            Some((label.to_owned(), fact.as_number()?))
        })
        .collect();
    (!labels.is_empty()).then(|| label_table(name, labels))
}

/// The labels that a histogram is of, with their rows: every bin that has rows holds one integer.
fn labels_in_bins(bins: &Bins) -> Option<Vec<(String, f64)>> {
    let last = bins.len().checked_sub(1)?;
    let label = |index: usize, (low, high, rows): (f64, f64, f64)| {
        let first = low.ceil();
        let is_within = |value: f64| value < high || index == last && value <= high;
        (is_within(first) && !is_within(first + 1.0)).then(|| (first.to_string(), rows))
    };
    let counted = bins.iter().enumerate().filter(|(_, bin)| bin.2 > 0.0);
    counted.map(|(index, bin)| label(index, *bin)).collect()
}

/// How often each label is predicted, as bars.
fn label_table(name: &str, mut labels: Vec<(String, f64)>) -> Block {
    labels.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
    let total: f64 = labels.iter().map(|label| label.1).sum();
    let full = labels.iter().map(|label| label.1).fold(1.0, f64::max);
    let mut table = Table::new(
        "Predicted labels",
        &[("Label", ""), ("", "mid"), ("Rows", "r"), ("Share", "r")],
    );
    table.rows = labels
        .iter()
        .take(LABELS)
        .map(|(label, count)| {
            let mut chart = Chart::new(10, "");
            chart.rect("q", 0.0, 100.0 * count / full, 0.0, 100.0);
            vec![
                Cell::head(label).noted(name),
                Cell::chart("mid", chart.finish()),
                Cell::number(number::count(*count)),
                Cell::number(number::percent(count / total.max(1.0))),
            ]
        })
        .collect();
    Block::Table(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_of_one_integer_each_are_labels_and_others_are_not() {
        let binary = [(0.0, 0.5, 70.0), (0.5, 0.9, 0.0), (0.9, 1.0, 30.0)];
        let expected = [("0".to_owned(), 70.0), ("1".to_owned(), 30.0)];
        assert_eq!(labels_in_bins(&binary.to_vec()).unwrap(), expected);
        for other in [
            vec![(0.0, 2.0, 70.0), (2.0, 4.0, 1.0)],
            vec![(0.1, 0.5, 70.0), (0.5, 1.0, 30.0)],
            vec![],
        ] {
            assert_eq!(labels_in_bins(&other), None, "{other:?}");
        }
    }
}
