//! Names of bounded width.
//!
//! Owns how a long name is cut.

/// The longest name that is shown whole.
const MAX_NAME: usize = 24;

/// A name of bounded length: a longer one loses its middle.
#[must_use]
pub fn shortened(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    if characters.len() <= MAX_NAME {
        return name.to_owned();
    }
    let (start, end) = (&characters[..12], &characters[characters.len() - 11..]);
    format!(
        "{}\u{2026}{}",
        String::from_iter(start),
        String::from_iter(end)
    )
}
