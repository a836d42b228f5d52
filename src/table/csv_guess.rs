//! Whether text without a name that says so is delimited text.

use super::compression;
use super::csv::is_text;

/// Whether the beginning of a file is text whose lines have the same number of fields, more than one: what tells a table from any other text.
#[must_use]
pub fn looks_delimited(head: &[u8]) -> bool {
    let head = compression::peek(head);
    is_text(&head) && b",;\t|".iter().any(|delimiter| has_even_lines(&head, *delimiter))
}

fn has_even_lines(head: &[u8], delimiter: u8) -> bool {
    let (mut counts, mut count, mut is_quoted, mut is_empty) = (Vec::new(), 0, false, true);
    for &byte in head {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\n' if !is_quoted => {
                counts.extend((!is_empty).then_some(count));
                (count, is_empty) = (0, true);
                continue;
            }
            _ if byte == delimiter && !is_quoted => count += 1,
            _ => {}
        }
        is_empty &= byte.is_ascii_whitespace() && byte != delimiter;
    }
    // The last line may be cut off where the head ends, but not if it is all there is.
    if counts.is_empty() {
        counts.push(count);
    }
    counts[0] > 0 && counts.iter().all(|count| *count == counts[0])
}
