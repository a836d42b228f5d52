//! Texts of the oldest protocols: Python's own escapes, to Unicode.

/// The text of a line that opcode `V` reads: UTF-16 and UTF-32 escapes in latin-1; none if it is
/// broken. Surrogates make it broken too.
pub(super) fn raw_unicode_escape(line: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let length = match (byte, rest.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                text.push(char::from(byte));
                continue;
            }
        };
        text.push(char::from_u32(code(rest.get(1..=length)?, 16)?)?);
        rest = &rest[length + 1..];
    }
    Some(text)
}

/// The bytes of a quoted Python 2 text, as opcode `S` has it; none if it is broken.
pub(super) fn quoted(line: &[u8]) -> Option<Vec<u8>> {
    let [quote @ (b'\'' | b'"'), inner @ .., last] = line.trim_ascii() else {
        return None;
    };
    if quote != last {
        return None;
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let (&kind, after) = rest.split_first()?;
        rest = after;
        let value = match kind {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'a' => 7,
            b'b' => 8,
            b'v' => 11,
            b'f' => 12,
            b'\\' | b'\'' | b'"' => kind,
            b'x' => {
                let value = code(rest.get(..2)?, 16)?;
                rest = &rest[2..];
                value as u8
            }
            b'0'..=b'7' => {
                let more = rest
                    .iter()
                    .take(2)
                    .take_while(|byte| (b'0'..=b'7').contains(byte));
                let length = more.count();
                let start = line_offset(inner, rest) - 1;
                let value = code(&inner[start..=start + length], 8)?;
                rest = &rest[length..];
                value as u8
            }
            _ => {
                bytes.push(b'\\');
                kind
            }
        };
        bytes.push(value);
    }
    Some(bytes)
}

/// Where the rest of a line begins in it.
fn line_offset(line: &[u8], rest: &[u8]) -> usize {
    line.len() - rest.len()
}

fn code(digits: &[u8], radix: u32) -> Option<u32> {
    let is_plain = digits.iter().all(u8::is_ascii_alphanumeric);
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_plain)?;
    u32::from_str_radix(digits, radix).ok()
}

/// Latin-1 as a text.
pub(super) fn from_latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// A text as latin-1; none if it has other characters.
pub(super) fn to_latin1(text: &str) -> Option<Vec<u8>> {
    text.chars()
        .map(|character| u8::try_from(u32::from(character)).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_as_python_reads_them() {
        // `pickle.dumps("a\u20ac\n\\x", 0)` holds the first line.
        assert_eq!(
            raw_unicode_escape(br"a\u20ac\u000a\u005cx").as_deref(),
            Some("a€\n\\x")
        );
        assert_eq!(raw_unicode_escape(b"\xe4").as_deref(), Some("ä"));
        assert_eq!(raw_unicode_escape(br"\U0001f600").as_deref(), Some("😀"));
        for broken in [&br"\u12"[..], br"\u+123", br"\ud800", br"\U00110000"] {
            assert_eq!(
                raw_unicode_escape(broken),
                None,
                "{}",
                broken.escape_ascii()
            );
        }
    }

    #[test]
    fn quoted_texts_are_read_as_python_reads_them() {
        assert_eq!(
            quoted(br"'a\'b\x00\xff\n\101\0z\q'"),
            Some(b"a'b\0\xff\nA\0z\\q".to_vec())
        );
        assert_eq!(quoted(b"\"it's\""), Some(b"it's".to_vec()));
        for broken in [&b"'"[..], b"'a", b"a", br"'\", br"'\x1'", b""] {
            assert_eq!(quoted(broken), None, "{}", broken.escape_ascii());
        }
    }

    #[test]
    fn latin1_goes_both_ways() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(to_latin1(&from_latin1(&bytes)), Some(bytes));
        assert_eq!(to_latin1("€"), None);
    }
}
