//! The section of a comparison of two outputs: its verdict, metrics of both, differences, decisions
//! and segments.
//!
//! Owns the layout. It must not know how measures are computed.

use super::block::{Block, Cell, Figure, Head, Section, State, Table, on_page, with_minus};
use super::night::{Indexed, Night};
use super::scores::{histogram, values};
use super::verdict::verdict;
use super::wording;
use crate::count::{counted, listed};
use crate::report::attribution;
use crate::report::comparison::{MODELS, SECTION, SIDES};
use crate::report::number;

/// The most segments that are listed.
const SEGMENTS: usize = 40;

/// The most classes of a matrix of decisions.
const CLASSES: usize = 8;

/// Deciles of each table.
const DECILES: usize = 10;

/// Rows that are not compared, in the facts of each side.
const LEFT_OUT: [&str; 4] = [
    "rows_without_prediction",
    "rows_without_key",
    "rows_with_duplicate_key",
    "rows_without_partner",
];

/// Measures of both tables, where there are any.
const MEASURES: [&str; 9] = [
    "rows_compared",
    "rows_with_label",
    "agreement",
    "flips",
    "rank_correlation",
    "psi",
    "decile_swaps",
    "mean_difference",
    "mean_absolute_difference",
];

/// The section, if a report has it.
#[must_use]
pub fn section(night: &Night) -> Option<Section> {
    let report = night.with(SECTION)?;
    let sentence = report.text(SECTION, "", "sentence")?;
    // The head of the page says it, unless gates or drift come first.
    let is_said = verdict(night).text.contains(sentence);
    let mut lead = if is_said {
        String::new()
    } else {
        format!("{}. ", with_minus(sentence))
    };
    lead.push_str("Differences are b less a; intervals are 95%.");
    let left_out = LEFT_OUT.iter().flat_map(|metric| {
        SIDES.into_iter().filter_map(move |side| {
            let count = report.number(SECTION, "", &format!("{metric}_{side}"))?;
            let words = wording::words(metric);
            let words = words.strip_prefix("rows ").unwrap_or(&words);
            (count > 0.0).then(|| format!("{} of {side} {words}", counted(count as u64, "row")))
        })
    });
    let left_out: Vec<String> = left_out.collect();
    if !left_out.is_empty() {
        let count = left_out.len();
        lead.push_str(&format!(
            " Not compared: {}.",
            listed(left_out, count, ", ", "")
        ));
    }
    let mut pair = vec![Block::Table(measures(report))];
    pair.extend(models(report).map(Block::Table));
    pair.extend(decisions(report).map(Block::Table));
    let mut blocks = vec![Block::Grid("two sp", pair)];
    blocks.extend(metrics(report).map(Block::Table));
    blocks.extend(differences(report));
    blocks.extend(deciles(report).map(Block::Table));
    blocks.extend(segments(report));
    blocks.extend(attributed(report));
    let found = report.text(SECTION, "", "verdict");
    Some(Section {
        id: "comparison",
        title: "Comparison".to_owned(),
        note: found.map_or_else(String::new, |found| format!("b: {}", wording::words(found))),
        state: State::Ok,
        lead,
        blocks,
        ..Section::default()
    })
}

fn measures(report: &Indexed) -> Table {
    let mut table = Table::new("Measures", &[("Measure", ""), ("Value", "r")]);
    let rows = MEASURES.iter().filter_map(|metric| {
        let value = report.number(SECTION, "", metric)?;
        let text = if metric.starts_with("rows") || *metric == "flips" {
            number::count(value)
        } else if *metric == "agreement" {
            number::percent(value)
        } else {
            on_page(&wording::value(metric, value))
        };
        Some(vec![
            Cell::head(wording::metric_name(metric)),
            Cell::number(text),
        ])
    });
    table.rows = rows.collect();
    table
}

/// The models that made the tables, where that is known.
fn models(report: &Indexed) -> Option<Table> {
    let mut table = Table::new("Models", &[("Table", ""), ("Model", "")]);
    let version = |side: &str| {
        let registered = report.text(MODELS, side, "registry_version");
        registered.or_else(|| report.text(MODELS, side, "version"))
    };
    let has_versions = SIDES.iter().any(|side| version(side).is_some());
    let head = Head::new("Version", "");
    table.heads.extend(has_versions.then_some(head));
    let rows = SIDES.into_iter().filter_map(|side| {
        let text = |metric: &str| report.text(MODELS, side, metric);
        let name = text("registry_model").or_else(|| text("name"))?;
        let digest = text("digest").unwrap_or_default();
        let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
        let digest: String = digest.chars().take(8).collect();
        let mut row = vec![Cell::head(side), Cell::text(name).noted(digest)];
        let version = version(side).unwrap_or(number::UNKNOWN);
        row.extend(has_versions.then(|| Cell::text(version)));
        Some(row)
    });
    table.rows = rows.collect();
    (!table.rows.is_empty()).then_some(table)
}

/// What `a` decides against what `b` does.
fn decisions(report: &Indexed) -> Option<Table> {
    let whole = report.whole("decisions");
    let mut classes: Vec<&str> = Vec::new();
    for fact in whole {
        let pair = fact.metric.strip_prefix("a=")?.split_once(",b=")?;
        for class in [pair.0, pair.1] {
            if !classes.contains(&class) {
                classes.push(class);
            }
        }
    }
    if classes.is_empty() || classes.len() > CLASSES {
        return None;
    }
    classes.sort_unstable();
    let mut table = Table::new("Decisions", &[("Decisions", "")]);
    table.class = "cm";
    let heads = classes.iter();
    table
        .heads
        .extend(heads.map(|class| Head::new(format!("b: {class}"), "r")));
    let total: f64 = whole.iter().filter_map(|fact| fact.as_number()).sum();
    for first in &classes {
        let mut row = vec![Cell::head(format!("a: {first}"))];
        for second in &classes {
            let metric = format!("a={first},b={second}");
            let count = report.number("decisions", "", &metric).unwrap_or(0.0);
            let share = number::percent(if total > 0.0 { count / total } else { 0.0 });
            let cell = Cell::number(number::count(count)).noted(share);
            row.push(if first == second {
                cell.with_class("hit")
            } else {
                cell
            });
        }
        table.rows.push(row);
    }
    Some(table)
}

/// The metrics of a subject that both tables have.
fn metric_names<'a>(report: &Indexed<'a>, subject: &str) -> Vec<&'a str> {
    let facts = if subject.is_empty() {
        report.whole(SECTION)
    } else {
        let all = report.subjects(SECTION);
        all.into_iter()
            .find(|(name, _)| *name == subject)
            .map_or(&[][..], |(_, facts)| facts)
    };
    let names = facts
        .iter()
        .filter_map(|fact| fact.metric.strip_suffix("_difference"));
    names
        .filter(|name| {
            report
                .number(SECTION, subject, &format!("{name}_a"))
                .is_some()
        })
        .collect()
}

/// The difference of a metric, and its interval or nothing.
fn difference(report: &Indexed, subject: &str, metric: &str) -> Cell {
    let of = |end: &str| report.number(SECTION, subject, &format!("{metric}_difference{end}"));
    let text = of("").map_or_else(|| number::UNKNOWN.to_owned(), number::metric);
    let text = on_page(&text);
    let ends = of("_low").zip(of("_high"));
    let ends = ends.map(|(low, high)| {
        let [low, high] = [low, high].map(|end| on_page(&number::metric(end)));
        format!("{low} to {high}")
    });
    Cell::number(text).noted(ends.unwrap_or_default())
}

fn metrics(report: &Indexed) -> Option<Table> {
    let heads = [
        ("Metric", ""),
        ("a", "r"),
        ("b", "r"),
        ("Difference", "r"),
        ("p", "r opt"),
        ("Test", "opt"),
    ];
    let mut table = Table::new("Metrics of both", &heads);
    let rows = metric_names(report, "").into_iter().map(|name| {
        let side = |side: &str| report.number(SECTION, "", &format!("{name}_{side}"));
        let [first, second] = SIDES.map(|one| {
            Cell::number(side(one).map_or_else(|| number::UNKNOWN.to_owned(), number::metric))
        });
        let p = side("p").map_or_else(String::new, |p| number::share(p, 4));
        let test = report.text(SECTION, "", &format!("{name}_test"));
        vec![
            Cell::head(wording::metric_name(name)),
            first,
            second,
            difference(report, "", name),
            Cell::number(p).with_class("opt"),
            Cell::text(test.map_or_else(String::new, wording::test_name)).with_class("opt"),
        ]
    });
    table.rows = rows.collect();
    (!table.rows.is_empty()).then_some(table)
}

/// How much of the change of the mean is due to the data, and how much to the model.
fn attributed(report: &Indexed) -> Vec<Block> {
    let of = |metric: &str| report.number(attribution::SECTION, "", metric);
    let Some(column) = report.text(attribution::SECTION, "", "column") else {
        return Vec::new();
    };
    let mut table = Table::new(
        "Cause of the change",
        &[("", ""), ("Value", "r"), ("Share", "r")],
    );
    let rows = [
        ("inputs and model of a", "mean_a", ""),
        ("inputs of a, model of b", "mean_data_a_model_b", ""),
        ("inputs of b, model of a", "mean_data_b_model_a", ""),
        ("inputs and model of b", "mean_b", ""),
        ("change", "change", ""),
        ("due to the data", "change_by_data", "share_of_data"),
        ("due to the model", "change_by_model", "share_of_model"),
    ];
    let rows = rows.into_iter().filter_map(|(name, metric, share)| {
        let value = on_page(&number::metric(of(metric)?));
        let share = of(share).map_or_else(String::new, |share| on_page(&number::percent(share)));
        Some(vec![
            Cell::head(name),
            Cell::number(value),
            Cell::number(share),
        ])
    });
    table.rows = rows.collect();
    vec![
        Block::Heading(format!("Mean {column}: data or model")),
        Block::Table(table),
    ]
}

/// The distribution of what `b` says less what `a` says.
fn differences(report: &Indexed) -> Option<Block> {
    let bins = report.subjects("differences").into_iter();
    let bins: Vec<(f64, f64, f64)> = bins
        .filter_map(|(bin, _)| {
            let of = |metric: &str| report.number("differences", bin, metric);
            Some((of("low")?, of("high")?, of("rows")?))
        })
        .collect();
    (bins.len() > 1).then(|| {
        Block::Figure(Figure {
            title: "Differences of scores".to_owned(),
            class: "xt",
            chart: histogram("b less a", &bins),
            values: values(&bins).to_string(),
            ..Figure::default()
        })
    })
}

/// Into which decile of `b` the rows of each decile of `a` come.
fn deciles(report: &Indexed) -> Option<Table> {
    report.has("deciles").then(|| {
        let mut table = Table::new("Deciles", &[("Decile of a", "")]);
        table.class = "cm";
        "Deciles of a in deciles of b".clone_into(&mut table.fold);
        let heads = (1..=DECILES).map(|decile| Head::new(format!("b: {decile}"), "r"));
        table.heads.extend(heads);
        for first in 1..=DECILES {
            let subject = format!("a=decile_{first}");
            let mut row = vec![Cell::head(format!("a: {first}"))];
            row.extend((1..=DECILES).map(|second| {
                let count = report.number("deciles", &subject, &format!("b=decile_{second}"));
                let cell = Cell::number(number::count(count.unwrap_or(0.0)));
                if first == second {
                    cell.with_class("hit")
                } else {
                    cell
                }
            }));
            table.rows.push(row);
        }
        table
    })
}

fn segments(report: &Indexed) -> Vec<Block> {
    let mut names: Vec<&str> = report
        .subjects(SECTION)
        .into_iter()
        .map(|(name, _)| *name)
        .collect();
    let Some(first) = names.first() else {
        return Vec::new();
    };
    let decides = report.text(SECTION, "", "metric");
    let metric = decides.or_else(|| metric_names(report, first).first().copied());
    let mut table = Table::new(
        "Segments",
        &[("Segment", ""), ("Rows", "r"), ("Agreement", "r")],
    );
    table
        .heads
        .extend(metric.map(|metric| Head::new(wording::metric_name(metric), "r")));
    let rows = |name: &str| report.number(SECTION, name, "rows_compared").unwrap_or(0.0);
    names.sort_by(|left, right| rows(right).total_cmp(&rows(left)).then(left.cmp(right)));
    let hidden = names.len().saturating_sub(SEGMENTS);
    names.truncate(SEGMENTS);
    table.rows = names
        .into_iter()
        .map(|name| {
            let agreement = report.number(SECTION, name, "agreement");
            let agreement = agreement.map_or_else(|| number::UNKNOWN.to_owned(), number::percent);
            let mut row = vec![
                Cell::head(name),
                Cell::number(number::count(rows(name))),
                Cell::number(agreement),
            ];
            row.extend(metric.map(|metric| difference(report, name, metric)));
            row
        })
        .collect();
    let mut blocks = vec![Block::Table(table)];
    if hidden > 0 {
        let more = counted(hidden, "more segment");
        blocks.push(Block::Note(format!("{more} are in the report file.")));
    }
    blocks
}
