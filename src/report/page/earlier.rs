//! The section of earlier runs: today's facts that left their control limits, the worst first.
//!
//! Owns its table; the facts within their limits are counted. It must not know how limits are
//! computed.

use super::block::{Block, Cell, Section, State, Table, on_page};
use super::night::{Indexed, Night};
use super::wording;
use crate::count::counted;
use crate::report::control::{self, SECTION};
use crate::report::number;

/// The most facts that are listed.
const FACTS: usize = 40;

/// A fact that left its limits.
struct Outside<'a> {
    name: &'a str,
    verdict: &'a str,
    zscore: f64,
}

/// The section, if a report has it.
#[must_use]
pub fn section(night: &Night) -> Option<Section> {
    let report = night.with(SECTION)?;
    let mut outside = Vec::new();
    let mut within = 0_u64;
    let mut nights = 0.0;
    for (name, _) in report.subjects(SECTION) {
        let Some(verdict) = report.text(SECTION, name, "verdict") else {
            continue;
        };
        let of = |metric: &str| report.number(SECTION, name, metric);
        nights = of("nights").map_or(nights, |own| own.max(nights));
        if verdict == "ok" {
            within += 1;
        } else {
            outside.push(Outside {
                name,
                verdict,
                zscore: of("zscore").unwrap_or(0.0),
            });
        }
    }
    if outside.is_empty() && within == 0 {
        return None;
    }
    outside.sort_by(|left, right| {
        let order = right.zscore.abs().total_cmp(&left.zscore.abs());
        order.then(left.name.cmp(right.name))
    });
    let count = outside.len();
    let within_text = match (count, within) {
        (0, all) => format!("{} within its limits.", all_of(all)),
        (_, 0) => String::new(),
        (_, 1) => "1 more fact is within its limits.".to_owned(),
        (_, more) => format!("{more} more facts are within their limits."),
    };
    let hidden = count.saturating_sub(FACTS);
    let mut blocks = Vec::new();
    if count > 0 {
        outside.truncate(FACTS);
        blocks.push(Block::Table(table(report, &outside)));
        let more = if hidden > 0 {
            format!(" {} are in the report file.", counted(hidden, "more fact"))
        } else {
            String::new()
        };
        blocks.push(Block::Note(
            format!("{within_text}{more}").trim().to_owned(),
        ));
    }
    let lead = if count > 0 {
        format!(
            "Limits: median \u{b1} 4 MAD (scaled to \u{3c3}) of up to {} before, wider \
             where those are few.",
            counted(nights as u64, "run")
        )
    } else {
        format!(
            "{within_text} They are those of {} before.",
            counted(nights as u64, "run")
        )
    };
    Some(Section {
        id: "earlier",
        title: "Against earlier runs".to_owned(),
        note: if count > 0 {
            format!("{count} outside")
        } else {
            String::new()
        },
        state: if count > 0 { State::Warn } else { State::Ok },
        lead,
        blocks,
        ..Section::default()
    })
}

/// `Each of 12 facts is`.
fn all_of(count: u64) -> String {
    if count == 1 {
        "The fact that is followed is".to_owned()
    } else {
        format!("Each of {count} facts is")
    }
}

fn table(report: &Indexed, outside: &[Outside]) -> Table {
    let mut table = Table::new(
        "Facts outside their limits",
        &[
            ("Fact", ""),
            ("State", ""),
            ("Value", "r"),
            ("Limits", "r"),
            ("Distance", "r opt"),
            ("Moving average", "r opt"),
        ],
    );
    table.is_sticky = true;
    table.rows = outside.iter().map(|one| row(report, one)).collect();
    table
}

fn row(report: &Indexed, one: &Outside) -> Vec<Cell> {
    let metric = one.name.split('(').next().unwrap_or(one.name);
    // A limit below what is never negative says nothing.
    let least = if metric == "mean" {
        f64::NEG_INFINITY
    } else {
        0.0
    };
    let of = |name: &str| report.number(SECTION, one.name, name);
    let shown = |name: &str| Some(on_page(&wording::value(metric, of(name)?.max(least))));
    let known = |text: Option<String>| text.unwrap_or_else(|| number::UNKNOWN.to_owned());
    let limits = |low: &str, high: &str| {
        let (from, to) = shown(low).zip(shown(high))?;
        Some(if from == to {
            from
        } else {
            format!("{from} to {to}")
        })
    };
    // Of a fact that never changed no distance says anything.
    let width = of("limit_low").zip(of("limit_high"));
    let has_varied = control::has_varied(width);
    let usual = if has_varied {
        limits("limit_low", "limit_high")
    } else {
        shown("median").map(|median| format!("always {median}"))
    };
    let distance = if has_varied {
        on_page(&number::short(one.zscore))
    } else {
        number::UNKNOWN.to_owned()
    };
    let state = if one.verdict == "shift" {
        "shifted"
    } else {
        "outside"
    };
    let changes = [("adwin", "ADWIN"), ("page_hinkley", "Page\u{2013}Hinkley")];
    let changes: Vec<&str> = changes
        .into_iter()
        .filter(|(metric, _)| report.number(SECTION, one.name, metric) == Some(1.0))
        .map(|(_, name)| name)
        .collect();
    let lasting = if changes.is_empty() {
        String::new()
    } else {
        format!("lasting change: {}", changes.join(", "))
    };
    let average = limits("ewma_limit_low", "ewma_limit_high").filter(|_| has_varied);
    vec![
        Cell::code(one.name).noted(lasting),
        Cell::state(State::Warn, state),
        Cell::number(known(shown("value"))),
        Cell::number(known(usual)),
        Cell::number(distance).with_class("opt"),
        Cell::number(known(shown("ewma")))
            .noted(average.unwrap_or_default())
            .with_class("opt"),
    ]
}
