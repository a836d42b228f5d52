//! Names that are nearly the one that somebody typed.
//!
//! Owns how near is near enough to suggest. It must not know what the names are of.

use crate::count::listed;

/// Columns of a table that a hint lists.
const COLUMNS_LISTED: usize = 8;

/// Letters by which a long name may differ and still be meant; a short one by a third of its own.
const MAX_TYPING_ERRORS: usize = 2;

/// The name most like this one, if any is like it: the same but for case and punctuation, or but
/// for few letters.
pub(crate) fn nearest<'a>(
    name: &str,
    names: &(impl Iterator<Item = &'a str> + Clone),
) -> Option<&'a str> {
    let most = MAX_TYPING_ERRORS.min(name.len() / 3);
    let near = || {
        names
            .clone()
            .filter(|other| distance(name, other) <= most)
            .min_by_key(|other| distance(name, other))
    };
    names
        .clone()
        .find(|other| is_alike(name, other))
        .or_else(near)
}

/// Asks whether the nearest of `names` is meant; `otherwise` is what to say if none is near.
pub(crate) fn did_you_mean<'a>(
    name: &str,
    names: &(impl Iterator<Item = &'a str> + Clone),
    otherwise: &str,
) -> String {
    nearest(name, names).map_or_else(
        || otherwise.to_owned(),
        |near| format!("did you mean `{near}`?"),
    )
}

/// Asks whether the nearest of a table's columns is meant, or lists the first of them.
pub(crate) fn did_you_mean_column<'a>(
    name: &str,
    names: &(impl Iterator<Item = &'a str> + Clone),
) -> String {
    let quoted = names.clone().map(|name| format!("`{name}`"));
    let otherwise = format!(
        "the columns are {}",
        listed(quoted, COLUMNS_LISTED, ", ", "")
    );
    did_you_mean(name, names, &otherwise)
}

/// Whether two names differ only in case, blanks, dashes and underscores.
fn is_alike(left: &str, right: &str) -> bool {
    let plain = |name: &str| {
        name.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect::<String>()
    };
    plain(left) == plain(right)
}

/// Levenshtein's distance between two names, letters of either case being equal.
pub(crate) fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, letter) in left.to_lowercase().chars().enumerate() {
        let mut diagonal = above;
        let mut before = above + 1;
        row[0] = before;
        for (cell, other) in row[1..].iter_mut().zip(&right) {
            before = (diagonal + usize::from(letter != *other))
                .min(before + 1)
                .min(*cell + 1);
            diagonal = std::mem::replace(cell, before);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_near_by_its_letters_or_but_for_case_and_punctuation() {
        let near = |name: &str| {
            nearest(
                name,
                &["age", "tenure_months", "Signup Date", "b"].into_iter(),
            )
        };
        assert_eq!(
            [
                near("tenure_mnths"),
                near("tenuremonths"),
                near("signup-date")
            ],
            [
                Some("tenure_months"),
                Some("tenure_months"),
                Some("Signup Date")
            ]
        );
        assert_eq!(
            [near("agee"), near("income"), near("a")],
            [Some("age"), None, None]
        );
    }
}
