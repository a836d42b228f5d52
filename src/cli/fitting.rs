//! How text fits the terminal: lines of its width, and characters that its locale has.
//!
//! Owns where a line is broken and what stands for a character that cannot be shown. It must not
//! know what a line says.

/// The narrowest and the widest lines that text is made for.
const WIDTHS: [usize; 2] = [60, 120];

/// The width where that of the terminal is unknown.
pub(super) const USUAL_WIDTH: usize = 80;

/// The variables that name the locale of characters; the first that is set counts.
const LOCALE: [&str; 3] = ["LC_ALL", "LC_CTYPE", "LANG"];

/// The width of lines on a terminal of so many columns.
pub(super) fn line_width(columns: u16) -> Option<usize> {
    let [min, max] = WIDTHS;
    (columns > 0).then(|| usize::from(columns).clamp(min, max))
}

/// Whether the environment wants no color.
pub(super) fn is_plain() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Whether the locale that is named cannot show more than ASCII. Where none is named, as under cron
/// and in containers, UTF-8 is what reads the log.
pub(super) fn needs_ascii() -> bool {
    let named = LOCALE.iter().find_map(|name| {
        let value = std::env::var(name).ok()?;
        (!value.is_empty()).then_some(value)
    });
    named.is_some_and(|name| {
        let name = name.to_lowercase();
        !name.contains("utf-8") && !name.contains("utf8")
    })
}

/// The text with lines of at most `width` characters, broken between words; the rest of a line
/// stands below its own text, behind the label.
pub(super) fn broken(text: &str, width: usize) -> String {
    let lines = text.split_inclusive('\n').map(|line| {
        let (line, end) = match line.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (line, ""),
        };
        broken_line(line, width) + end
    });
    lines.collect()
}

fn broken_line(line: &str, width: usize) -> String {
    let indent = text_column(line);
    let (mut broken, mut length) = (String::new(), 0);
    // Spaces between words are part of the picture where a line is not broken.
    for word in line.split_inclusive(' ') {
        let own = word.trim_end_matches(' ').chars().count();
        if length > indent && length + own > width && own > 0 {
            broken.truncate(broken.trim_end_matches(' ').len());
            broken.push('\n');
            broken.push_str(&" ".repeat(indent));
            length = indent;
        }
        broken.push_str(word);
        length += word.chars().count();
    }
    broken
}

/// Where the text of a line begins, behind its label: `  rows         2,000 in`.
fn text_column(line: &str) -> usize {
    let start = line.chars().take_while(|letter| *letter == ' ').count();
    if start == 0 {
        return 2;
    }
    let characters: Vec<char> = line.chars().collect();
    let label = characters[start..]
        .windows(2)
        .position(|pair| pair == [' ', ' ']);
    let Some(label) = label.map(|label| start + label) else {
        return start + 2;
    };
    let gap = characters[label..]
        .iter()
        .take_while(|letter| **letter == ' ');
    label + gap.count()
}

/// The text with pictures and signs in ASCII. Names from data stay as they are.
pub(super) fn in_ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for letter in text.chars() {
        let instead = match letter {
            '▁' => ".",
            '▂' => ":",
            '▃' | '–' | '—' | '−' => "-",
            '▄' => "=",
            '▅' => "+",
            '▆' | '·' | '×' => "*",
            '▇' | '█' | '▉' | '▊' | '▋' | '▌' | '▍' | '▎' | '▏' => "#",
            '…' => "...",
            '→' => "->",
            '±' => "+-",
            '≤' => "<=",
            '≥' => ">=",
            '’' | '‘' => "'",
            '“' | '”' => "\"",
            letter => {
                ascii.push(letter);
                continue;
            }
        };
        ascii.push_str(instead);
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_below_their_own_text() {
        let text = [
            "churn (xgboost) scored 5,253,000 rows in 13.07 s (459,163 rows/s): passed",
            "",
            "  rows         2,021,664 in = 2,009,336 scored + 246 rejected + 12 filtered",
            "  probability  mean 0.294  █▅▄▃▃",
        ];
        let expected = [
            "churn (xgboost) scored 5,253,000 rows in 13.07 s (459,163",
            "  rows/s): passed",
            "",
            "  rows         2,021,664 in = 2,009,336 scored + 246 rejected +",
            "               12 filtered",
            "  probability  mean 0.294  █▅▄▃▃",
        ];
        let (text, expected) = (text.join("\n"), expected.join("\n"));
        let text = text.as_str();
        assert_eq!(broken(text, 64), expected);
        assert_eq!(broken(text, 120), text);
        let long = format!("  path         {}\n", "x".repeat(200));
        assert_eq!(broken(&long, 60), long);
        assert_eq!(broken("", 60), "");
    }

    #[test]
    fn pictures_have_forms_in_ascii() {
        let text = in_ascii("▁▂▃▄▅▆▇█ a…b → 5 ± 1 Köln");
        assert_eq!(text, ".:-=+*## a...b -> 5 +- 1 Köln");
    }
}
