//! Text from data, made safe to show: no character of it moves the cursor, changes a colour, ends a
//! line or reverses the order of what is read.
//!
//! Owns which characters those are and how they are shown. Everything that goes to a terminal, a
//! log or a metrics file passes through here.

use std::borrow::Cow;
use std::fmt::Write;

/// The most bytes of a line that are shown.
const LINE_BYTES: usize = 16 << 10;

/// Whether a character does something to a terminal, or to the order in which a reader sees the
/// others, instead of showing itself.
#[must_use]
pub fn is_unsafe(character: char) -> bool {
    // C0, DEL and C1, of which U+009B begins sequences just as ESC [ does.
    character.is_control()
        || matches!(character,
            // Directions of writing (Unicode Standard Annex 9), which let a name read backwards.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Line ends of Unicode's own.
            | '\u{2028}' | '\u{2029}'
            // What is invisible and makes two names look alike; joiners are left, which scripts and
            // emoji need.
            | '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text as one line, unsafe characters written as Rust writes them: `\n`, `\u{1b}`.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            other if is_unsafe(other) => _ = write!(safe, "\\u{{{:x}}}", u32::from(other)),
            other => safe.push(other),
        }
    }
    Cow::Owned(safe)
}

/// The text as one line of bounded length.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    if text.len() <= LINE_BYTES {
        return escaped(text);
    }
    let end = (0..=LINE_BYTES)
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    Cow::Owned(format!(
        "{}… ({} more bytes)",
        escaped(&text[..end]),
        text.len() - end
    ))
}

/// The lines of a text, each escaped, those behind the first one indented so that none can pass for
/// a line of ours.
#[must_use]
pub fn lines(text: &str, indent: &str) -> String {
    text.lines()
        .map(line)
        .collect::<Vec<_>>()
        .join(&format!("\n{indent}"))
}

/// JSON whose strings are safe to show: characters that JSON leaves as they are, and a terminal
/// does not, as `\u009b`.
#[must_use]
pub fn json(text: &str) -> Cow<'_, str> {
    // In JSON that is written without line breaks such characters are within strings only.
    let is_left =
        |character: char| is_unsafe(character) && !matches!(character, '\n' | '\r' | '\t');
    if !text.contains(is_left) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_left(character) {
            character
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| _ = write!(safe, "\\u{unit:04x}"));
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_instead() {
        let cases = [
            (
                "\u{1b}]0;pwned\u{7}\u{1b}[31mred",
                r"\u{1b}]0;pwned\u{7}\u{1b}[31mred",
            ),
            ("a\nerror: b\r\tc\0", r"a\nerror: b\r\tc\u{0}"),
            ("\u{9b}31m\u{85}\u{7f}", r"\u{9b}31m\u{85}\u{7f}"),
            (
                "user\u{202e}txt.exe\u{2066}x\u{2069}\u{200f}",
                r"user\u{202e}txt.exe\u{2066}x\u{2069}\u{200f}",
            ),
            (
                "a\u{2028}b\u{2029}c\u{feff}\u{200b}\u{e0041}",
                r"a\u{2028}b\u{2029}c\u{feff}\u{200b}\u{e0041}",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(escaped(text), expected);
        }
        for text in [
            "Größe in €",
            "数量",
            "x\\n",
            "👩\u{200d}💻",
            "می\u{200c}خواهم",
            "a\u{a0}b",
        ] {
            assert!(
                matches!(escaped(text), Cow::Borrowed(same) if same == text),
                "{text}"
            );
        }
    }

    #[test]
    fn a_line_stays_one_line_of_bounded_length() {
        let long = "ä".repeat(1 << 20);
        assert!(line(&long).len() < LINE_BYTES + 50 && line(&long).ends_with(" more bytes)"));
        assert_eq!(
            lines("a\n\u{1b}b\nerror: c", "    "),
            "a\n    \\u{1b}b\n    error: c"
        );
    }

    #[test]
    fn json_stays_json_of_the_same_value() {
        let value = serde_json::json!({
            "name": "\u{9b}31m\u{7f}\u{202e}\u{e0041}\n\u{1b} ok ä", "x\u{85}": 1});
        let shown = json(&value.to_string()).into_owned();
        assert!(!shown.contains(is_unsafe), "{shown}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).unwrap(),
            value
        );
    }
}
