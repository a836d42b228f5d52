//! Names of bounded width.
//!
//! Owns how a long name is cut.

/// The longest name that is shown whole.
const MAX_NAME: usize = 24;

/// A name of bounded length: a longer one loses its middle.
#[must_use]
pub fn shortened(name: &str) -> String {
    shortened_to(MAX_NAME, name)
}

/// The same with another bound, of at least two characters.
#[must_use]
pub fn shortened_to(max: usize, name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    if characters.len() <= max {
        return name.to_owned();
    }
    let (start, end) = (
        &characters[..max / 2],
        &characters[characters.len() + max / 2 + 1 - max..],
    );
    format!(
        "{}\u{2026}{}",
        String::from_iter(start),
        String::from_iter(end)
    )
}
