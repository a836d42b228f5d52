//! Drift as lines to read, from the facts of a report: the columns that changed, each with its
//! histogram over that of the baseline.
//!
//! Owns the layout. It must not know how distances are computed.

use super::drift::{self, SECTION};
use super::facts::{self, Fact, of_section};
use super::renderer::Detail;
use super::width::shortened;
use super::{number, overlay, spark, watch_lines};
use crate::count::{and_more, counted, listed};
use crate::monitor::overlay::Overlay;
use crate::monitor::profile::{Kind, OLD_TIMES};

/// The most columns that are listed; the report has them all.
const COLUMNS_SHOWN: usize = 20;

/// The most lines of a summary, so that one that states where the report is makes ten.
const SUMMARY_LINES: usize = 9;

/// The fewest lines of columns, whatever gates say below: the heading, the worst or how many there
/// are, and those that are ok.
const TABLE_LINES: usize = 4;

/// The most columns of a summary that could not be compared and are named.
const OTHERS_NAMED: usize = 3;

/// Up to so many columns are all listed; of more, those that are ok are counted.
const FEW_COLUMNS: usize = 8;

/// The most cells of a histogram.
const CELLS: usize = 20;

/// Verdicts of columns that were compared, the worst first.
const COMPARED: [&str; 3] = ["drift", "undecided", "ok"];

/// A column of the report.
struct Column<'a> {
    name: &'a str,
    verdict: &'a str,
    facts: Vec<&'a Fact>,
}

impl Column<'_> {
    fn number(&self, metric: &str) -> Option<f64> {
        let fact = self.facts.iter().find(|fact| fact.metric == metric)?;
        fact.as_number()
    }

    fn text(&self, metric: &str) -> Option<&str> {
        let fact = self.facts.iter().find(|fact| fact.metric == metric)?;
        fact.as_text()
    }

    /// What a column of another kind holds in the baseline, and now.
    fn kinds(&self) -> Option<[&str; 2]> {
        Some([self.text("baseline_kind")?, self.text("kind")?])
    }

    /// Whether one side has times and the other what an earlier version stored of them.
    fn has_old_times(&self) -> bool {
        let times = [Kind::Times, Kind::TimesOfDay, Kind::Durations].map(Kind::name);
        self.kinds().is_some_and(|kinds| {
            kinds.contains(&Kind::Numbers.name()) && kinds.iter().any(|kind| times.contains(kind))
        })
    }

    fn is_compared(&self) -> bool {
        COMPARED.contains(&self.verdict)
    }
}

/// The columns with a verdict, in the order of the report.
fn columns(facts: &[Fact]) -> Vec<Column<'_>> {
    let mut columns: Vec<Column<'_>> = Vec::new();
    let mut indices = std::collections::HashMap::new();
    for fact in of_section(facts, SECTION).filter(|fact| !fact.subject.is_empty()) {
        let name = fact.subject.as_str();
        let index = *indices.entry(name).or_insert(columns.len());
        if index == columns.len() {
            columns.push(Column {
                name,
                verdict: "",
                facts: Vec::new(),
            });
        }
        if fact.metric == "verdict" {
            columns[index].verdict = fact.as_text().unwrap_or_default();
        }
        columns[index].facts.push(fact);
    }
    columns.retain(|column| !column.verdict.is_empty());
    columns
}

/// The columns that have drifted first, then by distance.
fn by_severity(columns: &mut [Column<'_>]) {
    columns.sort_by(|left, right| {
        let severity = |one: &Column<'_>| {
            let is_drifted = one.verdict == "drift";
            (is_drifted, drift::severity(|metric| one.number(metric)))
        };
        let (left, right) = (severity(left), severity(right));
        right.0.cmp(&left.0).then(right.1.total_cmp(&left.1))
    });
}

/// What a report says of drift; nothing if it does not compare columns.
#[must_use]
pub fn lines(facts: &[Fact], detail: Detail) -> Vec<String> {
    if facts::number(facts, SECTION, "", "columns").is_none() {
        return Vec::new();
    }
    let (mut compared, others): (Vec<Column<'_>>, Vec<Column<'_>>) =
        columns(facts).into_iter().partition(Column::is_compared);
    by_severity(&mut compared);
    let mut lines = vec![headline(&compared, &others), String::new()];
    let others = uncompared(&others, detail);
    let max = match detail {
        Detail::Summary => {
            let taken = lines.len() + others.len() + watch_lines::lines_after(facts);
            SUMMARY_LINES.saturating_sub(taken).max(TABLE_LINES)
        }
        Detail::Verbose | Detail::All => usize::MAX,
    };
    lines.extend(table(&compared, max));
    lines.extend(others);
    lines
}

/// The columns that only one side has, that are of another kind, or of which nothing is counted.
fn uncompared(columns: &[Column<'_>], detail: Detail) -> Vec<String> {
    let what = |column: &Column<'_>| column.verdict.replace('_', " ");
    let mut lines = if detail != Detail::Summary || columns.len() < 2 {
        let line = |column: &Column<'_>| {
            let kinds = column.kinds().map_or(String::new(), |[before, now]| {
                format!(": {now}, the baseline has {before}")
            });
            format!("  {:24} {}{kinds}", column.name, what(column))
        };
        columns.iter().map(line).collect()
    } else {
        let named = columns
            .iter()
            .map(|column| format!("{} {}", shortened(column.name), what(column)));
        vec![format!("  {}", listed(named, OTHERS_NAMED, ", ", "column"))]
    };
    if columns.iter().any(Column::has_old_times) {
        lines.push(format!("  {OLD_TIMES}"));
    }
    lines
}

fn headline(columns: &[Column<'_>], others: &[Column<'_>]) -> String {
    let of = |columns: &[Column<'_>], verdict: &str| {
        columns.iter().filter(|one| one.verdict == verdict).count()
    };
    let count = |verdict: &str| of(columns, verdict);
    let rows = |metric: &str| {
        let all = columns.iter().filter_map(|one| one.number(metric));
        number::count(all.fold(0.0, f64::max))
    };
    let undecided = match count("undecided") {
        0 => String::new(),
        some => format!(", {some} undecided"),
    };
    let missing = match of(others, "missing") {
        0 => String::new(),
        some => format!(", {some} missing"),
    };
    format!(
        "drift: {} of {} drifted{undecided}{missing}  ({} rows against {})",
        count("drift"),
        counted(columns.len(), "column"),
        rows("rows"),
        rows("baseline_rows")
    )
}

/// A line or two for each column that is shown, then how many are not: at most `max` lines.
fn table(columns: &[Column<'_>], max: usize) -> Vec<String> {
    let is_open = |one: &Column<'_>| one.number("js_high").is_some() && one.verdict != "ok";
    let js_width = if columns.iter().any(is_open) { 14 } else { 5 };
    // Columns that are ok are listed where they take no line from others.
    let bad = columns.iter().filter(|one| one.verdict != "ok").count();
    let is_few = columns.len() <= FEW_COLUMNS && bad + columns.len() < max;
    let is_shown = |one: &&Column<'_>| one.verdict != "ok" || is_few;
    let (mut shown, calm): (Vec<&Column<'_>>, Vec<&Column<'_>>) =
        columns.iter().partition(is_shown);
    let calm_lines = calm_lines(&calm, !shown.is_empty());
    // Without the heading and what is counted.
    let room = max - calm_lines.len() - 1;
    let count = shown.len();
    shown.truncate(if count > room.min(COLUMNS_SHOWN) {
        (room - 1).min(COLUMNS_SHOWN)
    } else {
        count
    });
    let hidden = count - shown.len();
    // The worst have a histogram of the baseline too.
    let mut spare = room - shown.len() - usize::from(hidden > 0);
    let width = shown.iter().map(|one| shortened(one.name).chars().count());
    let width = width.max().unwrap_or(0).max("column".len());
    let mut lines = Vec::new();
    if !shown.is_empty() {
        lines.push(format!(
            "  {:width$}  {:9}  {:CELLS$}  {:>js_width$}  {:>14}  KS",
            "column", "verdict", "today over baseline", "JS", "missing"
        ));
    }
    lines.extend(shown.iter().flat_map(|one| {
        let mut lines = column_lines(one, [width, js_width]);
        lines.truncate(1 + spare);
        spare -= lines.len() - 1;
        lines
    }));
    if hidden > 0 {
        lines.push(format!("  \u{2026}{}", and_more(hidden, "column")));
    }
    lines.extend(calm_lines);
    lines
}

/// What is said of columns that are ok: of how many, and of those whose distance is above the limit
/// that so few rows do not show a change.
fn calm_lines(calm: &[&Column<'_>], has_others: bool) -> Vec<String> {
    let is_above = |one: &&&Column<'_>| {
        let both = one.number("js").zip(one.number("max_js"));
        both.is_some_and(|(js, limit)| js >= limit)
    };
    let (chance, below): (Vec<&Column<'_>>, Vec<&Column<'_>>) =
        calm.iter().partition(|one| is_above(one));
    let share = |js: f64| number::share(js, 3);
    let more = if has_others { " more" } else { "" };
    let are = if calm.len() == 1 { "is" } else { "are" };
    let mut lines = Vec::new();
    if !calm.is_empty() {
        let largest = below.first().and_then(|one| Some((one.number("js")?, one)));
        let largest = largest.map_or(String::new(), |(js, one)| {
            format!(", largest JS {} ({})", share(js), one.name)
        });
        lines.push(format!("  {}{more} {are} ok{largest}", calm.len()));
    }
    if let Some(first) = chance.first() {
        let js = first.number("js").map_or(String::new(), share);
        lines.push(format!(
            "  {} of them by chance: for so few rows or so many categories, JS {js} ({}) is not \
             unusual",
            chance.len(),
            first.name
        ));
    }
    lines
}

/// The distances, and of a column that is not ok the histogram of the baseline below.
fn column_lines(column: &Column<'_>, [width, js_width]: [usize; 2]) -> Vec<String> {
    let share = |value: f64| number::share(value, 3);
    let js = match (column.number("js"), column.number("js_high")) {
        (Some(low), Some(high)) => format!("{} to {}", share(low), share(high)),
        (js, _) => js.map_or("-".to_owned(), share),
    };
    let ks = column.number("ks_low").zip(column.number("ks_high"));
    let ks = ks.map_or("-".to_owned(), |(low, high)| {
        let (low, high) = (share(low), share(high));
        if low == high {
            low
        } else {
            format!("{low} to {high}")
        }
    });
    let missing_rates = (
        column.number("baseline_missing_rate"),
        column.number("missing_rate"),
    );
    let missing = match missing_rates {
        (Some(before), Some(now)) if before != now => {
            format!("{} -> {}", number::percent(before), number::percent(now))
        }
        (_, now) => now.map_or("-".to_owned(), number::percent),
    };
    let unseen = (
        column.number("unseen_rate"),
        column.number("unseen_rate_high"),
    );
    let unseen = match unseen {
        (Some(low), Some(high)) => {
            let (low, high) = (number::percent(low), number::percent(high));
            format!("new categories in {low} to {high} of rows")
        }
        (Some(rate), None) if rate > 0.0 => {
            format!("new categories in {} of rows", number::percent(rate))
        }
        _ => String::new(),
    };
    let [before, now] = histograms(column);
    let (name, verdict) = (shortened(column.name), column.verdict);
    let mut lines = vec![format!(
        "  {name:width$}  {verdict:9}  {now:CELLS$}  {js:>js_width$}  {missing:>14}  {ks}"
    )];
    let second = format!("{before:CELLS$}  {unseen}");
    if verdict != "ok" && !second.trim().is_empty() {
        let second = format!("  {:width$}  {:9}  {second}", "", "");
        lines.push(second.trim_end().to_owned());
    }
    lines
}

/// The histogram of the baseline and that of now, on one scale.
fn histograms(column: &Column<'_>) -> [String; 2] {
    let counts: Vec<[u64; 2]> = match overlay::read(column.facts.iter().copied()) {
        Some(Overlay::Numbers { bins, .. }) => bins.iter().map(|bin| bin.counts).collect(),
        Some(Overlay::Categories { named, other, new }) => {
            let named = named.iter().map(|(_, counts)| *counts);
            named.chain([other, [0, new]]).collect()
        }
        None => Vec::new(),
    };
    let shares = [0, 1].map(|side| {
        let total: u64 = counts.iter().map(|both| both[side]).sum();
        let share = |both: &[u64; 2]| both[side] as f64 / total.max(1) as f64;
        counts.iter().map(share).take(CELLS).collect::<Vec<f64>>()
    });
    let full = spark::largest(shares.iter().flatten());
    shares.map(|side| spark::cells(&side, full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_that_few_rows_give_by_chance_is_not_the_largest_one_that_counts() {
        let column = |name: &str, verdict: &str, js: f64| {
            let number = |metric: &str, value: f64| Fact::number(SECTION, name, metric, value, "");
            [
                Fact::text(SECTION, name, "verdict", verdict),
                number("js", js),
                number("max_js", 0.1),
            ]
        };
        let calm: Vec<Fact> = (0..9)
            .flat_map(|index| column(&format!("f{index}"), "ok", f64::from(index) / 100.0))
            .chain([Fact::count(SECTION, "", "columns", 9, "columns")])
            .collect();
        let last = |facts: &[Fact], count: usize| {
            let lines = lines(facts, Detail::All);
            lines[lines.len() - count..].to_vec()
        };
        assert_eq!(last(&calm, 1), ["  9 are ok, largest JS 0.080 (f8)"]);
        let with_id = [&calm[..], &column("id", "ok", 0.702)].concat();
        assert_eq!(
            last(&with_id, 2),
            [
                "  10 are ok, largest JS 0.080 (f8)",
                "  1 of them by chance: for so few rows or so many categories, JS 0.702 (id) is \
                 not unusual",
            ]
        );
        let with_drift = [&with_id[..], &column("age", "drift", 0.4)].concat();
        assert_eq!(
            last(&with_drift, 2)[0],
            "  10 more are ok, largest JS 0.080 (f8)"
        );
    }

    #[test]
    fn a_summary_has_the_worst_columns_in_nine_lines_and_counts_the_others() {
        let column = |index: usize, verdict: &str| {
            let name = format!("f{index:02}");
            let number = |metric: &str, value: f64| Fact::number(SECTION, &name, metric, value, "");
            vec![
                Fact::text(SECTION, &name, "verdict", verdict),
                number("js", index as f64 / 100.0),
                number("unseen_rate", 0.25),
            ]
        };
        for (drifted, others) in [(0, 0), (1, 0), (2, 0), (4, 1), (9, 3), (60, 9)] {
            let facts: Vec<Fact> = (0..drifted)
                .flat_map(|index| column(index, "drift"))
                .chain((60..60 + others).flat_map(|index| column(index, "missing")))
                .chain((90..99).flat_map(|index| column(index, "ok")))
                .chain([Fact::count(SECTION, "", "columns", 9, "columns")])
                .collect();
            let [summary, all] = [Detail::Summary, Detail::All].map(|detail| lines(&facts, detail));
            assert!(summary.len() <= SUMMARY_LINES, "{summary:#?}");
            // A failed gate is named below, in two lines at most.
            let gate = Fact::text("gates", "js(*) < 0.1", "state", "fail");
            let failed = lines(&[&facts[..], &[gate]].concat(), Detail::Summary);
            assert!(failed.len() + 2 <= SUMMARY_LINES, "{failed:#?}");
            assert!(summary.len() <= all.len());
            assert!(all.len() >= 2 * drifted.min(COLUMNS_SHOWN) + others);
            if drifted > 0 {
                assert_eq!(summary[..4], all[..4], "the worst comes first");
            }
            let is_counted = summary.iter().any(|line| line.contains("more column"));
            assert_eq!(is_counted, drifted > 5 || others > 3, "{summary:#?}");
        }
    }
}
