//! Counts of things as people read them: `1 row`, `2,000 rows`.
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
