//! Counts of things as users read them: `1 row`, `2,000 rows`.
//!
//! Owns the grammar of a number before its noun. It must not know what is counted.

use indicatif::HumanCount;

/// The count, with a comma between its thousands, and the noun, in the plural unless there is one.
#[must_use]
pub fn counted(count: impl TryInto<u64>, noun: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    let noun = if count == 1 {
        noun.to_owned()
    } else {
        plural(noun)
    };
    format!("{} {noun}", HumanCount(count))
}

/// Some of all: `2 of 3 gates`, or `the only gate`.
#[must_use]
pub fn some_of(count: usize, all: usize, noun: &str) -> String {
    match (count, all) {
        (1, 1) => format!("the only {noun}"),
        _ => format!("{count} of {}", counted(all as u64, noun)),
    }
}

/// The first `most` of the texts with the separator between them, then how many more there are:
/// `a, b and 3 more files`; `and 3 more` without a noun.
#[must_use]
pub fn listed(
    texts: impl IntoIterator<Item = impl ToString>,
    most: usize,
    separator: &str,
    noun: &str,
) -> String {
    let mut texts = texts.into_iter();
    let shown: Vec<String> = texts
        .by_ref()
        .take(most)
        .map(|text| text.to_string())
        .collect();
    shown.join(separator) + &and_more(texts.count(), noun)
}

/// ` and 3 more files`, ` and 3 more` without a noun; nothing for none.
#[must_use]
pub fn and_more(count: usize, noun: &str) -> String {
    match (count, noun) {
        (0, _) => String::new(),
        (_, "") => format!(" and {} more", HumanCount(count as u64)),
        _ => format!(" and {}", counted(count, &format!("more {noun}"))),
    }
}

/// `entry` → `entries`, `bias` → `biases`, `row` → `rows`.
fn plural(noun: &str) -> String {
    let ends_in_hiss = ["s", "x", "ch", "sh"].iter().any(|end| noun.ends_with(end));
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if ends_in_hiss => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_is_counted() {
        let listed = |most, noun| listed(["a", "b", "c", "d"], most, ", ", noun);
        assert_eq!(listed(4, "file"), "a, b, c, d");
        assert_eq!(listed(3, "file"), "a, b, c and 1 more file");
        assert_eq!(listed(1, "entry"), "a and 3 more entries");
        assert_eq!(listed(2, ""), "a, b and 2 more");
    }

    #[test]
    fn one_of_one_is_the_only_one() {
        assert_eq!(some_of(1, 1, "gate"), "the only gate");
        assert_eq!(some_of(1, 2, "gate"), "1 of 2 gates");
        assert_eq!(some_of(0, 1, "gate"), "0 of 1 gate");
    }

    #[test]
    fn one_thing_stands_in_the_singular() {
        assert_eq!(
            [0_u64, 1, 2, 1_000].map(|count| counted(count, "row")),
            ["0 rows", "1 row", "2 rows", "1,000 rows"]
        );
        assert_eq!(counted(1_usize, "row group"), "1 row group");
        assert_eq!(
            ["entry", "key", "class", "leaf value"].map(|noun| counted(2_usize, noun)),
            ["2 entries", "2 keys", "2 classes", "2 leaf values"]
        );
    }
}
