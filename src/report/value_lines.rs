//! Lines of a summary about the values of columns: missing, unseen, coerced.
//!
//! Owns how many columns are named. It must not know what a policy does with a value.

use indicatif::HumanCount;

use super::drift;
use super::facts::{Fact, of_section};
use super::renderer::Detail;
use super::value_group::{GROUPS, value_group};
use super::weight::{Line, line};
use crate::count::{and_more, listed};

/// The most columns of a group of values that are listed in a summary.
const COLUMNS_SHOWN: usize = 6;

/// The widest list of columns in a summary, so that it stays on one line of a terminal.
const LINE_WIDTH: usize = 60;

/// Lines about the values of columns, group after group.
pub(super) fn values(facts: &[Fact], detail: Detail) -> Vec<Line> {
    // Reports of earlier versions have other names.
    let kind = |metric: &'_ str| match metric {
        "null" => "missing".to_owned(),
        "unseen_category" => "unseen".to_owned(),
        metric => metric.to_owned(),
    };
    let counts = of_section(facts, "coercions").filter_map(|fact| {
        let count = fact.as_number()? as u64;
        Some((fact.subject.as_str(), kind(&fact.metric), count))
    });
    let counts: Vec<(&str, String, u64)> = counts.collect();
    let counts: Vec<(&str, &str, u64)> = counts
        .iter()
        .map(|(column, kind, count)| (*column, kind.as_str(), *count))
        .collect();
    let mut lines = Vec::new();
    // Next to a baseline missing values are shown where their share changed.
    let is_compared = of_section(facts, drift::SECTION).next().is_some();
    let is_hidden = |label: &str| is_compared && detail == Detail::Summary && label == "missing";
    let all = value_lines(&counts).into_iter();
    for (label, mut texts) in all.filter(|(label, _)| !is_hidden(label)) {
        if detail == Detail::Summary {
            lines.push(line(label, &on_one_line(&texts)));
            continue;
        }
        let hidden = match detail {
            Detail::All => 0,
            Detail::Summary | Detail::Verbose => texts.len().saturating_sub(COLUMNS_SHOWN),
        };
        texts.truncate(texts.len() - hidden);
        if hidden > 0 {
            let more = and_more(hidden, "column");
            texts.push(format!("{} (the report has them all)", more.trim_start()));
        }
        let labels = std::iter::once(label).chain(std::iter::repeat(match detail {
            Detail::All => label,
            Detail::Summary | Detail::Verbose => "",
        }));
        lines.extend(labels.zip(&texts).map(|(label, text)| line(label, text)));
    }
    lines
}

/// As many of the texts as a line holds, but at least one, and how many more there are.
fn on_one_line(texts: &[String]) -> String {
    let mut widths = texts.iter().scan(0, |width, text| {
        *width += text.chars().count() + 2;
        Some(*width)
    });
    let shown = widths.position(|width| width > LINE_WIDTH);
    let shown = shown.unwrap_or(texts.len()).clamp(1, COLUMNS_SHOWN);
    listed(texts, shown, ", ", "column")
}

/// For each group that has any: a text for each column, from (column, kind, count), which go column
/// after column.
fn value_lines(counts: &[(&str, &str, u64)]) -> Vec<(&'static str, Vec<String>)> {
    let texts = |group: &'static str| {
        let own: Vec<_> = counts
            .iter()
            .filter(|(_, kind, count)| *count > 0 && value_group(kind) == Some(group))
            .collect();
        let one = |&&(_, kind, count): &&(&str, &str, u64)| {
            if group == "coerced" {
                format!("{} {kind}", HumanCount(count))
            } else {
                HumanCount(count).to_string()
            }
        };
        let columns = own.chunk_by(|one, other| one.0 == other.0);
        let texts = columns.map(|counts| {
            format!(
                "{}: {}",
                counts[0].0,
                counts.iter().map(one).collect::<Vec<_>>().join(", ")
            )
        });
        (group, texts.collect::<Vec<_>>())
    };
    GROUPS
        .map(texts)
        .into_iter()
        .filter(|(_, texts)| !texts.is_empty())
        .collect()
}
