//! What a file holds that is not a table tallow reads: other formats by their first bytes.
//!
//! Owns the names of these formats and what to type about each. Without it, anything that is text
//! would be taken for delimited text. It must not open files.

use Remedy::{Do, Run};

use super::compression::{self, EMPTY_ZIP_START, ZIP_START};
use super::headerless;
use super::magic::{JSON_TO_PARQUET, MAGIC, MARKUP, Remedy, WEB_PAGE, ZIPPED};
use crate::error::{Error, shell_word};
use crate::storage::{self, Location};

/// The error for a file with this beginning, if it is known to hold something else than a table.
#[must_use]
pub(crate) fn refusal(head: &[u8], path: &Location) -> Option<Error> {
    let (what, remedy) = what_it_is(head)?;
    let error = Error::failed(format!(
        "cannot read the file: it is {what}, not Parquet or delimited text"
    ))
    .at_path(path);
    Some(error.hint(match remedy {
        Do(words) => words.to_owned(),
        Run(command) => with_names(command, path),
    }))
}

/// What a file with this beginning is, if it is known not to be a table; looks through gzip and
/// zstd.
fn what_it_is(head: &[u8]) -> Option<(String, Remedy)> {
    if let Some((what, remedy)) = plainly(head) {
        return Some((what.to_owned(), remedy));
    }
    let inner = compression::peek(head);
    if inner.starts_with(head) || inner.is_empty() {
        return None;
    }
    let (what, remedy) = plainly(&inner)?;
    let remedy = if what == "a tar archive" {
        remedy
    } else {
        Do("uncompress it, then convert what is in it to Parquet or CSV")
    };
    Some((format!("compressed, and holds {what}"), remedy))
}

fn plainly(head: &[u8]) -> Option<(&'static str, Remedy)> {
    let is_control =
        |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r' | b'\x0c');
    let is_utf8 = !matches!(std::str::from_utf8(head), Err(error) if error.error_len().is_some());
    let is_text = is_utf8 && !head.iter().any(is_control);
    // A short word may also be the name of a column.
    let is_word = |magic: &[u8]| magic.len() < 6 && magic.iter().all(u8::is_ascii_alphanumeric);
    let has = |offset: usize, magic: &[u8]| {
        head.get(offset..)
            .is_some_and(|rest| rest.starts_with(magic))
            && !(is_text && is_word(magic))
    };
    if let Some((_, _, what, remedy)) = MAGIC.iter().find(|(offset, magic, ..)| has(*offset, magic))
    {
        return Some((what, *remedy));
    }
    if has(0, ZIP_START) || has(0, EMPTY_ZIP_START) {
        let holds = |part: &[u8]| head.windows(part.len()).any(|window| window == part);
        let known = ZIPPED.iter().find(|(part, ..)| holds(part));
        return Some(
            known.map_or(("a zip archive", Run("unzip FILE")), |(_, what, remedy)| {
                (*what, *remedy)
            }),
        );
    }
    if matches!(
        head,
        [
            0x80,
            2..=5,
            b'}' | b']' | b')' | b'(' | b'c' | b'K' | b'J' | b'X' | 0x8c | 0x95,
            ..
        ]
    ) {
        return Some((
            "a pickle",
            Do(
                "where you trust it, read it with `pandas.read_pickle` and write it with \
                 `to_parquet`",
            ),
        ));
    }
    if matches!(head, [105 | 108 | 110..=121, 1 | 2, 1, 0, ..]) && head.len() > 109 {
        return Some((
            "a Stata file",
            Run(
                "python -c \"import pandas; pandas.read_stata('FILE').to_parquet('STEM.parquet')\"",
            ),
        ));
    }
    if let Some(what) = headerless::format_of(head) {
        return Some((
            what,
            Do("decompress it, or compress it with gzip or zstd instead"),
        ));
    }
    let text = head
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(head)
        .trim_ascii_start();
    let begins = |start: &str| {
        text.get(..start.len())
            .is_some_and(|own| own.eq_ignore_ascii_case(start.as_bytes()))
    };
    if let Some((_, what)) = MARKUP.iter().find(|(start, _)| begins(start)) {
        return Some((what, Do(WEB_PAGE)));
    }
    is_json(text).map(|what| (what, Run(JSON_TO_PARQUET)))
}

/// What kind of JSON a text is that begins like this.
fn is_json(text: &[u8]) -> Option<&'static str> {
    let first = *text.first()?;
    let after = text
        .get(1..)
        .unwrap_or_default()
        .trim_ascii_start()
        .first()
        .copied();
    let may_be = match first {
        b'{' => matches!(after, None | Some(b'"' | b'}')),
        b'[' => matches!(
            after,
            None | Some(b'{' | b'[' | b']' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n')
        ),
        _ => false,
    };
    if !may_be {
        return None;
    }
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match serde_json::from_slice::<serde::de::IgnoredAny>(line) {
        Ok(_) => Some(if first == b'{' { "JSON lines" } else { "JSON" }),
        // A value that goes on in the next lines, or beyond the bytes that were looked at.
        Err(error) => error.is_eof().then_some("JSON"),
    }
}

/// The command with the names of the file and of what it writes, which is none that is there.
fn with_names(command: &str, path: &Location) -> String {
    let file = path.display().to_string();
    let stem = path.with_extension("").display().to_string();
    let ending = [".parquet", ".csv"]
        .into_iter()
        .find(|ending| command.contains(&format!("STEM{ending}")))
        .unwrap_or_default();
    let stem = unused(&stem, ending);
    let unpacked = match path.extension().map(|ending| ending.to_string_lossy()) {
        Some(ending) if !PACKED.contains(&&*ending.to_ascii_lowercase()) => {
            let ending = format!(".{ending}");
            unused(&path.with_extension("").display().to_string(), &ending) + &ending
        }
        _ => unused(&path.with_extension("").display().to_string(), ""),
    };
    let is_quoted = command.contains('"');
    let is_plain = |text: &str| shell_word(text) == text;
    if is_quoted && !(is_plain(&file) && is_plain(&stem)) {
        return command.to_owned();
    }
    let word = |text: &str| {
        if is_quoted {
            text.to_owned()
        } else {
            shell_word(text)
        }
    };
    command
        .replace("FILE", &word(&file))
        .replace("STEM", &word(&stem))
        .replace("UNPACKED", &word(&unpacked))
}

/// Endings of compressed files, which their tools take off.
const PACKED: [&str; 6] = ["bz2", "xz", "lzma", "lz4", "z", "lzo"];

/// A name, without its ending, that no file has: a command must not write over its own input.
fn unused(stem: &str, ending: &str) -> String {
    let is_free = |stem: &str| {
        storage::find(Location::from(&format!("{stem}{ending}"))).is_ok_and(|found| found.is_none())
    };
    std::iter::once(stem.to_owned())
        .chain((1..100).map(|number| format!("{stem}-{number}")))
        .find(|stem| is_free(stem))
        .unwrap_or_else(|| stem.to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn what(head: &[u8]) -> Option<String> {
        what_it_is(head).map(|(what, _)| what)
    }

    #[test]
    fn other_formats_are_known_by_their_beginning() {
        let tar = [vec![0; 257], b"ustar\0".to_vec(), vec![0; 100]].concat();
        let cases: [(&[u8], &str); 24] = [
            (b"ARROW1\0\0", "an Arrow IPC file (Feather)"),
            (b"\xff\xff\xff\xff\x10\0\0\0", "an Arrow IPC stream"),
            (b"ORC\x08", "an ORC file"),
            (b"Obj\x01\x04", "an Avro file"),
            (b"SQLite format 3\0\x10", "an SQLite database"),
            (b"\0\0\0\0\0\0\0\0DUCK", "a DuckDB database"),
            (
                b"PK\x03\x04\x14\0xl/workbook.xml",
                "an Excel workbook (xlsx)",
            ),
            (b"PK\x03\x04\x14\0rows.csv", "a zip archive"),
            (
                b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0",
                "an Excel workbook (xls) or another Office file",
            ),
            (b"%PDF-1.7\n", "a PDF file"),
            (b"\x80\x04\x95\x10", "a pickle"),
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 3\n",
                "a Git LFS pointer, not the file itself",
            ),
            (b"BZh91AY&SY\x90\0", "a bzip2 file"),
            (&tar, "a tar archive"),
            (b"\n  <!DOCTYPE HTML><html>", "an HTML page"),
            (b"\xef\xbb\xbf<?xml version=\"1.0\"?>", "an XML file"),
            (b"{\"a\": 1}\n{\"a\": 2}\n", "JSON lines"),
            (b"{\n  \"a\": [1,\n", "JSON"),
            (b"[{\"a\": 1}, {\"a\": 2}]", "JSON"),
            (b"[1, 2, 3]\n", "JSON"),
            (b"[\n", "JSON"),
            (b"{}\n", "JSON lines"),
            (b"RDX2\n", "an R workspace"),
            (b"{\\rtf1", "an RTF file"),
        ];
        for (head, expected) in cases {
            assert_eq!(
                what(head).as_deref(),
                Some(expected),
                "{}",
                head.escape_ascii()
            );
        }
        let long = format!("{{\"a\": \"{}", "x".repeat(4000));
        assert_eq!(what(long.as_bytes()).as_deref(), Some("JSON"));
    }

    #[test]
    fn delimited_text_of_any_kind_is_not_taken_for_something_else() {
        for head in [
            "a,b\n1,2\n",
            "{a},b\n1,2\n",
            "[a],[b]\n1,2\n",
            "\"{\"\"a\"\": 1}\",2\n",
            "{\"a\": 1},5\n",
            "[1],5\n",
            "<5,b\n1,2\n",
            "<name>,b\n",
            "ORCID,b\n",
            "id,name,DUCK\n",
            "BZh,b\n",
            "GGUF\n",
            "PK,a\n",
            "#,a\n",
            "-,a\n",
            "version,a\n",
            "\u{feff}id\n",
            "",
            "x",
            "n1\n",
        ] {
            assert_eq!(what(head.as_bytes()), None, "{head}");
        }
    }

    #[test]
    fn what_lies_in_a_compressed_file_is_named_too() {
        let gzip = |bytes: &[u8]| {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let tar = [
            b"rows.csv".to_vec(),
            vec![0; 249],
            b"ustar\0".to_vec(),
            vec![0; 250],
        ]
        .concat();
        assert_eq!(
            what(&gzip(&tar)).as_deref(),
            Some("compressed, and holds a tar archive")
        );
        assert_eq!(
            what(&gzip(b"{\"a\": 1}\n")).as_deref(),
            Some("compressed, and holds JSON lines")
        );
        assert_eq!(what(&gzip(b"a,b\n1,2\n")), None);
    }

    #[test]
    fn the_hint_is_a_command_for_this_very_file() {
        let hint = |head: &[u8], name: &str| {
            refusal(head, &Location::from(name))
                .unwrap()
                .hint_text()
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            hint(b"BZh91AY&SY\0", "in/x.csv.bz2"),
            "bzip2 -dc < in/x.csv.bz2 > in/x.csv"
        );
        assert_eq!(
            hint(b"BZh91AY&SY\0", "in/my x.csv.bz2"),
            "bzip2 -dc < 'in/my x.csv.bz2' > 'in/my x.csv'"
        );
        // Nothing that is there is written over, the file itself least of all.
        let room = tempfile::tempdir().unwrap();
        let path = |name: &str| room.path().join(name).display().to_string();
        for name in ["x.csv", "y.parquet"] {
            std::fs::write(path(name), "").unwrap();
        }
        let (csv, parquet) = (path("x.csv"), path("y.parquet"));
        assert_eq!(
            hint(b"SQLite format 3\0", &csv),
            format!(
                "sqlite3 -header -csv {csv} 'select * from the_table' > {}",
                path("x-1.csv")
            )
        );
        assert_eq!(
            hint(b"\xfd7zXZ\0", &csv),
            format!("xz -dc < {csv} > {}", path("x-1.csv"))
        );
        assert!(hint(b"ARROW1\0\0", &parquet).ends_with("y-1.parquet')\""));
        assert_eq!(
            hint(b"{\"a\": 1}\n", "x.jsonl"),
            "duckdb -c \"COPY (FROM read_json('x.jsonl')) TO 'x.parquet'\""
        );
        assert!(
            hint(b"{\"a\": 1}\n", "it's.jsonl").contains("'FILE'"),
            "a name with quotes is not put between quotes"
        );
    }
}
