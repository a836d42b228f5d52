//! What the beginning of a text says of how it is to be read.

use super::csv::is_text;
use super::csv_record::Dialect;
use super::{ReadOptions, compression};
use crate::error::shell_word;
use crate::storage::Location;

/// Lines in which the names of columns are looked for.
const SEARCHED_LINES: usize = 40;

/// What to type so that a text with this beginning has these columns: another delimiter, lines to
/// skip, spaces to drop.
#[must_use]
pub(super) fn other_reading(
    head: &[u8],
    names: &[&str],
    options: &ReadOptions,
    path: &Location,
) -> Option<String> {
    let text = options.encoding.decode_head(&compression::peek(head));
    let own = Dialect::new(options, path).ok()?;
    let mut lines = text.split(|byte| *byte == b'\n').take(SEARCHED_LINES);
    let plain = |field: Vec<u8>| {
        String::from_utf8_lossy(&field)
            .trim_start_matches('\u{feff}')
            .to_owned()
    };
    let has_names = |dialect: Dialect, line: &[u8]| {
        let fields: Vec<String> = dialect.fields(line).into_iter().map(plain).collect();
        names
            .iter()
            .all(|name| fields.iter().any(|field| field == name))
    };
    let delimiters = [own.delimiter()].into_iter().chain(
        b",;\t|"
            .iter()
            .copied()
            .filter(|byte| *byte != own.delimiter()),
    );
    let dialects: Vec<Dialect> = delimiters
        .flat_map(|byte| {
            [
                own.with_delimiter(byte),
                own.with_delimiter(byte).trimming(),
            ]
        })
        .collect();
    let (index, dialect) = lines.by_ref().enumerate().find_map(|(index, line)| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        dialects
            .iter()
            .find(|dialect| has_names(**dialect, line))
            .map(|dialect| (index, *dialect))
    })?;
    let before: Vec<&[u8]> = text.split(|byte| *byte == b'\n').take(index).collect();
    let are_comments = index > 0 && before.iter().all(|line| line.starts_with(b"#"));
    if !options.has_header && index as u64 == options.skipped_lines && dialect == own {
        return Some(format!(
            "line {} of the file names them: remove `--no-header`",
            index + 1
        ));
    }
    let mut flags = Vec::new();
    if are_comments {
        flags.push("--comment '#'".to_owned());
    } else if index as u64 != options.skipped_lines {
        flags.push(format!("--skip-rows {index}"));
    }
    if dialect.delimiter() != own.delimiter() {
        let byte = dialect.delimiter();
        let name = if byte == b'\t' {
            "tab".to_owned()
        } else {
            shell_word(&char::from(byte).to_string())
        };
        flags.push(format!("--delimiter {name}"));
    }
    if dialect.trimming() == dialect && own.trimming() != own {
        flags.push("--trim".to_owned());
    }
    (!flags.is_empty()).then(|| {
        format!(
            "line {} of the file names them: pass `{}`",
            index + 1,
            flags.join(" ")
        )
    })
}

/// Whether the beginning of a file is text whose lines have the same number of fields, more than
/// one: what shows a table from any other text.
#[must_use]
pub fn looks_delimited(head: &[u8]) -> bool {
    let head = compression::peek(head);
    is_text(&head)
        && !is_binary(&head)
        && b",;\t|"
            .iter()
            .any(|delimiter| has_even_lines(&head, *delimiter))
}

/// Whether the first line holds bytes that no text does. A compressed model may be so short that it
/// has no NUL byte.
fn is_binary(head: &[u8]) -> bool {
    // In UTF-16 they are halves of characters.
    let is_wide = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    let is_binary = |byte: &u8| matches!(byte, 1..=6 | 8 | 0x0e..=0x1a | 0x1c..=0x1f);
    let mut lines = head.split(|byte| *byte == b'\n');
    !is_wide
        && lines
            .next()
            .is_some_and(|first| first.iter().any(is_binary))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_bytes_are_no_table_though_they_hold_delimiters() {
        assert!(looks_delimited(b"a,b\n1,2\n"));
        assert!(looks_delimited(b"\xff\xfe\x04\x04,\0\x05\x04\n\0"));
        assert!(!looks_delimited(b"x\xda\x95T,\x16\n\x13,\xde\n"));
    }

    #[test]
    fn the_line_that_names_the_columns_is_found_with_what_reads_it() {
        let hint = |text: &str| {
            other_reading(
                text.as_bytes(),
                &["a", "b"],
                &ReadOptions::default(),
                &Location::from("x.csv"),
            )
        };
        for (text, flags) in [
            (
                "id;a;b\n1;2;3\n",
                "line 1 of the file names them: pass `--delimiter ';'`",
            ),
            (
                "id\ta\tb\r\n",
                "line 1 of the file names them: pass `--delimiter tab`",
            ),
            (
                "Report\n\nid,a,b\n",
                "line 3 of the file names them: pass `--skip-rows 2`",
            ),
            (
                "# made by x\n# on monday\nid|a|b\n",
                "line 3 of the file names them: pass `--comment '#' --delimiter '|'`",
            ),
            (
                "id, a, \"b\"\n",
                "line 1 of the file names them: pass `--trim`",
            ),
        ] {
            assert_eq!(hint(text).as_deref(), Some(flags), "{text}");
        }
        assert_eq!(
            [hint("id,x\n"), hint("a,b\n"), hint("")],
            [None, None, None]
        );
        let headerless = ReadOptions {
            has_header: false,
            ..ReadOptions::default()
        };
        let hint = |text: &str| {
            let path = Location::from("x.csv");
            other_reading(text.as_bytes(), &["a", "b"], &headerless, &path)
        };
        assert_eq!(
            hint("id,a,b\n1,2,3\n").as_deref(),
            Some("line 1 of the file names them: remove `--no-header`")
        );
        assert_eq!(hint("1,2,3\n"), None);
    }
}
