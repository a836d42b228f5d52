//! The section of drift: what changed against the baseline, the worst first.

use super::block::{Block, Cell, Figure, Section, State, Table};
use super::document::Options;
use super::night::{Column, DriftCounts, Night};
use super::overlaid::{self, Numbers};
use super::svg::key;
use super::wording;
use crate::count::{counted, listed};
use crate::monitor::overlay::Overlay;
use crate::report::{moment, number};

/// The most columns that have a chart of their own.
const CHARTS: usize = 6;

/// The most columns that are ok in the table; all others are.
const OK_ROWS: usize = 20;

/// The most rows of the table.
const MAX_ROWS: usize = 60;

/// The section, if a report has it.
#[must_use]
pub fn section(night: &Night, options: Options) -> Option<Section> {
    let report = night.with("drift")?;
    let columns = night.columns();
    let DriftCounts {
        compared,
        drifted,
        gone,
    } = DriftCounts::of(&columns);
    let undecided = columns
        .iter()
        .filter(|one| one.state == State::Undecided)
        .count();
    let state = columns.first().map_or(State::Ok, |one| one.state);
    let baseline = report.text("drift", "", "baseline");
    let baseline = baseline.map_or("the baseline".to_owned(), |path| {
        format!("the baseline {}", wording::path(path, options.show_values))
    });
    let rows = columns.iter().filter_map(|one| one.number("baseline_rows"));
    let rows = rows.max_by(f64::total_cmp);
    let rows = rows.map_or(String::new(), |rows| {
        format!(" ({} rows)", number::count(rows))
    });
    let undecided_text = match undecided {
        0 => String::new(),
        some => format!(
            " {} undecided: the limit lies inside its bracket.",
            is_or_are(some)
        ),
    };
    let gone_text = match gone {
        0 => String::new(),
        some => format!(" {} missing or of another type.", is_or_are(some)),
    };
    let mut blocks = Vec::new();
    if columns.iter().any(|one| one.overlay().is_some()) {
        blocks.push(legend(&columns));
    }
    let charts: Vec<Block> = columns
        .iter()
        .filter(|one| one.state < State::Undecided)
        .take(CHARTS)
        .filter_map(chart)
        .collect();
    if !charts.is_empty() {
        blocks.push(Block::Grid("grid", charts));
    }
    blocks.push(Block::Table(table(&columns)));
    let hidden = columns.len() - shown(&columns).len();
    if hidden > 0 {
        let hidden = counted(hidden, "more column");
        blocks.push(Block::Note(format!(
            "{hidden} are not shown; the report file has all of them."
        )));
    }
    blocks.push(Block::Note(
        "JS: Jensen\u{2013}Shannon distance, base 2, over the bins of the baseline; 0 is equal, 1 \
         is disjoint. KS: the Kolmogorov\u{2013}Smirnov distance lies in the bracket. PSI: \
         population stability index. W\u{2081} / \u{3c3}: Wasserstein distance in standard \
         deviations of the baseline. Sorted by verdict, then JS."
            .to_owned(),
    ));
    Some(Section {
        id: "drift",
        title: "Drift".to_owned(),
        note: format!("{drifted} of {compared}"),
        state,
        lead: format!(
            "{drifted} of {} changed against {baseline}{rows}.{gone_text}{undecided_text}",
            counted(compared, "column")
        ),
        blocks,
        ..Section::default()
    })
}

fn is_or_are(count: usize) -> String {
    let verb = if count == 1 { "is" } else { "are" };
    format!("{} {verb}", counted(count, "column"))
}

fn legend(columns: &[Column]) -> Block {
    let has_new = columns
        .iter()
        .any(|one| matches!(one.overlay(), Some(Overlay::Categories { new, .. }) if new > 0));
    let mut items = vec![
        (key("q"), "today".to_owned()),
        (key("p"), "baseline".to_owned()),
    ];
    if columns.iter().any(|one| one.state < State::Undecided) {
        items.push((
            key("x"),
            "today above the baseline, in drifted columns".to_owned(),
        ));
    }
    if has_new {
        items.push((key("hx"), "new categories".to_owned()));
    }
    Block::Legend(items)
}

/// The chart of a column that changed.
fn chart(column: &Column) -> Option<Block> {
    let overlay = column.overlay()?;
    let mut figure = Figure {
        title: column.name.to_owned(),
        is_code: true,
        caption: caption(column),
        class: "noy",
        ..Figure::default()
    };
    match overlay {
        Overlay::Numbers { bins, is_log } => {
            let label = format!("Histogram of {}, today over the baseline", column.name);
            let numbers = Numbers {
                bins: &bins,
                is_log,
                times: column.times(),
            };
            figure.chart = overlaid::large(&numbers, 150, &label);
            figure.values = overlaid::values(&numbers).to_string();
            if is_log {
                figure.caption.push_str(" Log scale.");
            }
            Some(Block::Figure(figure))
        }
        Overlay::Categories { named, other, new } => {
            figure.values = overlaid::categories(&named, other, new).to_string();
            figure.caption.push_str(" Line: baseline.");
            Some(Block::Figure(figure))
        }
    }
}

/// The share of rows in new categories, or what it is at least and at most; none for none.
fn unseen(column: &Column) -> Option<String> {
    let [low, high] = ["unseen_rate", "unseen_rate_high"].map(|metric| column.number(metric));
    match (low?, high) {
        (low, Some(high)) => {
            let [low, high] = [low, high].map(number::percent);
            Some(format!("{low}\u{2013}{high}"))
        }
        (rate, None) => (rate > 0.0).then(|| number::percent(rate)),
    }
}

/// What happened to a column, in a sentence or two.
fn caption(column: &Column) -> String {
    let mut parts = Vec::new();
    if let Some(js) = column.number("js") {
        let high = column.number("js_high");
        let high = high.map_or(String::new(), |high| {
            format!(" to {}", number::share(high, 3))
        });
        parts.push(format!("JS {}{high}", number::share(js, 3)));
    }
    if let Some((before, now)) = means(column) {
        parts.push(format!("mean {before} \u{2192} {now}"));
    }
    if let (Some(before), Some(now)) = rates(column)
        && (now - before).abs() >= 0.001
    {
        let [before, now] = [before, now].map(number::percent);
        parts.push(format!("missing {before} \u{2192} {now}"));
    }
    if let Some(rates) = unseen(column) {
        parts.push(format!("new categories in {rates} of rows"));
    }
    if let Some(owner) = column.text("owner") {
        parts.push(format!("owner {owner}"));
    }
    let text = parts.join(", ");
    if text.is_empty() {
        text
    } else {
        format!("{text}.")
    }
}

fn rates(column: &Column) -> (Option<f64>, Option<f64>) {
    (
        column.number("baseline_missing_rate"),
        column.number("missing_rate"),
    )
}

fn means(column: &Column) -> Option<(String, String)> {
    let both = [column.number("baseline_mean")?, column.number("mean")?];
    let [before, now] = both.map(|mean| {
        let text = moment::or_number(column.times(), mean, number::short);
        super::block::on_page(&text)
    });
    Some((before, now))
}

/// Those columns that are in the table.
fn shown<'a, 'b>(columns: &'b [Column<'a>]) -> Vec<&'b Column<'a>> {
    let (bad, ok): (Vec<&Column>, Vec<&Column>) =
        columns.iter().partition(|one| one.state < State::Ok);
    let all = bad.into_iter().chain(ok.into_iter().take(OK_ROWS));
    all.take(MAX_ROWS).collect()
}

fn table(columns: &[Column]) -> Table {
    let mut table = Table::new(
        "Drift by column",
        &[
            ("Column", ""),
            ("Verdict", ""),
            ("Today over baseline", ""),
            ("JS", "r"),
            ("Missing, before \u{2192} now", "r"),
            ("New categories", "r"),
            ("KS", "r"),
            ("PSI", "r"),
            ("W\u{2081} / \u{3c3}", "r"),
            ("Mean, before \u{2192} now", "r"),
        ],
    );
    table.is_sticky = true;
    table.rows = shown(columns).into_iter().map(row).collect();
    table
}

fn row(column: &Column) -> Vec<Cell> {
    let unknown = || Cell::number(number::UNKNOWN);
    let distance = |metric: &str| {
        let found = column.number(metric);
        found.map_or_else(unknown, |value| Cell::number(number::share(value, 3)))
    };
    let overlay = column.overlay();
    let kind = match &overlay {
        Some(Overlay::Numbers { .. }) if column.times().is_some() => "time".to_owned(),
        Some(Overlay::Numbers { is_log: true, .. }) => "number, log scale".to_owned(),
        Some(Overlay::Numbers { .. }) => "number".to_owned(),
        Some(Overlay::Categories { .. }) => "category".to_owned(),
        None => String::new(),
    };
    let kind = column.text("owner").map_or(kind.clone(), |owner| {
        listed(
            [kind.as_str(), owner]
                .iter()
                .filter(|text| !text.is_empty()),
            2,
            "; ",
            "",
        )
    });
    let is_drifted = column.state < State::Undecided;
    let spark = overlay.map_or_else(Cell::default, |overlay| {
        let label = format!("{}: today over the baseline", column.name);
        Cell::chart("spark", overlaid::small(&overlay, is_drifted, &label))
    });
    let js = match (column.number("js"), column.number("js_high")) {
        (Some(low), Some(high)) => {
            let [low, high] = [low, high].map(|end| number::share(end, 3));
            Cell::number(format!("{low}\u{2013}{high}"))
        }
        _ => distance("js"),
    };
    let js = if column.word == "drift" {
        js.marked(column.state)
    } else {
        js
    };
    let missing = match rates(column) {
        (Some(before), Some(now)) if before == now => Cell::number(number::percent(now)),
        (Some(before), Some(now)) => {
            let [before, now] = [before, now].map(number::percent);
            let cell = Cell::number(format!("{before} \u{2192} {now}"));
            if column.word == "missing" {
                cell.marked(column.state)
            } else {
                cell
            }
        }
        (_, Some(now)) => Cell::number(number::percent(now)),
        _ => unknown(),
    };
    let unseen = match (unseen(column), column.number("unseen_rate")) {
        (Some(rates), Some(rate)) if rate > 0.0 => Cell::number(rates).with_class("hotw"),
        (Some(rates), _) => Cell::number(rates),
        (None, Some(_)) => Cell::number("0%"),
        (None, None) => unknown(),
    };
    let ks = match (column.number("ks_low"), column.number("ks_high")) {
        (Some(low), Some(high)) => {
            let [low, high] = [low, high].map(|end| number::share(end, 3));
            let text = if low == high {
                low
            } else {
                format!("{low}\u{2013}{high}")
            };
            Cell::number(text)
        }
        _ => unknown(),
    };
    let mean = means(column).map_or_else(unknown, |(before, now)| {
        Cell::number(format!("{before} \u{2192} {now}"))
    });
    vec![
        Cell::code(column.name).noted(kind),
        Cell::state(column.state, column.word),
        spark,
        js,
        missing,
        unseen,
        ks,
        distance("psi"),
        distance("wasserstein"),
        mean,
    ]
}
