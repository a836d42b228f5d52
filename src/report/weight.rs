//! A line of a summary, how much it matters, and what is kept where there is room for a few.
//!
//! Owns the order of importance. It must not know what a line says.

use crate::count::and_more;

/// A label and its text.
pub(super) type Line = (String, String);

/// The label and its text, as a line.
pub(super) fn line(label: &str, text: &str) -> Line {
    (label.to_owned(), text.to_owned())
}

/// How much a line matters, from the least on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// A histogram.
    Picture,
    /// What is as always: converted values, arithmetic, tokens.
    Detail,
    /// What is good to know.
    Note,
    /// The scores.
    Score,
    /// A column, a fact or rows that are not as before.
    Change,
    /// A file that was dropped, a model of which not all is used, the first rule that does not
    /// hold, whether anything drifted and what did most, the first challenger.
    Broken,
    /// The rows, and where the output and the report are.
    Whole,
}

/// At most `max` lines in their order, those that matter most; of the others, but for pictures, how
/// many there are, and what shows them.
pub(super) fn fit(lines: Vec<(Weight, Line)>, max: usize, all: &str) -> Vec<Line> {
    let mut lines = lines;
    if lines.len() > max {
        lines.retain(|(weight, _)| *weight != Weight::Picture);
    }
    let count = lines.len();
    if count <= max {
        return lines.into_iter().map(|(_, line)| line).collect();
    }
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|index| std::cmp::Reverse(lines[*index].0));
    let mut kept = order[..max.saturating_sub(1).min(count)].to_vec();
    kept.sort_unstable();
    let is_whole = |index: &usize| lines[*index].0 == Weight::Whole;
    let last = kept.iter().rposition(|index| !is_whole(index));
    let more = and_more(count - kept.len(), "line");
    let more = (String::new(), format!("\u{2026}{more}: {all}"));
    let mut shown: Vec<Line> = kept.iter().map(|index| lines[*index].1.clone()).collect();
    // Where all that is kept is whole, the first line of the others was here.
    let first = kept
        .iter()
        .enumerate()
        .take_while(|(index, kept)| index == *kept);
    let index = last.map_or(first.count(), |last| last + 1);
    shown.insert(index, more);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_most_stays_in_its_order_and_the_rest_is_counted() {
        let lines = |max| {
            let all = [
                (Weight::Whole, "rows"),
                (Weight::Score, "probability"),
                (Weight::Picture, "picture"),
                (Weight::Change, "age"),
                (Weight::Change, "income"),
                (Weight::Broken, "rule"),
                (Weight::Whole, "report"),
            ];
            let all = all.map(|(weight, label)| (weight, (label.to_owned(), String::new())));
            let shown = fit(all.to_vec(), max, "see there");
            let texts = shown.into_iter().map(|(label, text)| label + &text);
            texts.collect::<Vec<_>>().join(" | ")
        };
        assert_eq!(
            lines(7),
            "rows | probability | picture | age | income | rule | report"
        );
        assert_eq!(
            lines(6),
            "rows | probability | age | income | rule | report"
        );
        assert_eq!(
            lines(5),
            "rows | age | rule | \u{2026} and 2 more lines: see there | report"
        );
        assert_eq!(
            lines(3),
            "rows | \u{2026} and 4 more lines: see there | report"
        );
        assert_eq!(lines(1), "\u{2026} and 6 more lines: see there");
    }
}
