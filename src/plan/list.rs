//! Lists that flags take: `a,b,c`, where a name that holds a comma stands in double quotes, as in
//! CSV.
//!
//! It must not know what the names are of.

use crate::error::{Error, Result};

/// The items of a list. `""` inside a quoted item is one quote; an empty text is one empty item.
///
/// # Errors
/// A usage error for a quote that nothing closes, and for letters behind a closing quote.
pub fn items(flag: &str, text: &str) -> Result<Vec<String>> {
    let mut items = Vec::new();
    let mut rest = text;
    loop {
        let (item, behind) = first(rest).ok_or_else(|| {
            let error = Error::usage(format!(
                "`{flag} {text}`: a double quote is not closed, or something follows it"
            ));
            error.hint(
                "quote a name that holds a comma as in CSV: `'\"a,b\",c'` are the names `a,b` and \
                 `c`",
            )
        })?;
        items.push(item);
        match behind {
            Some(next) => rest = next,
            None => return Ok(items),
        }
    }
}

/// All items of a flag that may be repeated.
///
/// # Errors
/// As [`items`].
pub fn all_items(flag: &str, texts: &[String]) -> Result<Vec<String>> {
    Ok(texts
        .iter()
        .map(|text| items(flag, text))
        .collect::<Result<Vec<_>>>()?
        .concat())
}

/// `NAME=REST`, where a name that holds a `=` stands in double quotes, as an empty one does; none
/// for a text without a name.
#[must_use]
pub fn assignment(text: &str) -> Option<(String, &str)> {
    let (name, rest) = match text.strip_prefix('"') {
        Some(_) => {
            let (name, behind) = quoted(text)?;
            (name, behind.strip_prefix('=')?)
        }
        None => text
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, rest)| (name.to_owned(), rest))?,
    };
    Some((name, rest))
}

/// One name, in double quotes or as it is; none where something follows the quotes.
#[must_use]
pub fn name(text: &str) -> Option<String> {
    if !text.starts_with('"') {
        return Some(text.to_owned());
    }
    quoted(text).and_then(|(name, behind)| behind.is_empty().then_some(name))
}

/// A name as [`items`] reads it back.
#[must_use]
pub fn written(name: &str) -> String {
    if name.contains(',') || name.starts_with('"') {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.to_owned()
    }
}

/// The first item, and what follows its comma.
fn first(text: &str) -> Option<(String, Option<&str>)> {
    if text.starts_with('"') {
        let (item, behind) = quoted(text)?;
        return if behind.is_empty() {
            Some((item, None))
        } else {
            behind.strip_prefix(',').map(|rest| (item, Some(rest)))
        };
    }
    Some(
        text.split_once(',')
            .map_or((text.to_owned(), None), |(item, rest)| {
                (item.to_owned(), Some(rest))
            }),
    )
}

/// A quoted item at the beginning of a text, and what follows its closing quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut item = String::new();
    let mut rest = text.strip_prefix('"')?;
    loop {
        let (part, behind) = rest.split_once('"')?;
        item.push_str(part);
        match behind.strip_prefix('"') {
            Some(more) => {
                item.push('"');
                rest = more;
            }
            None => return Some((item, behind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_commas_and_quotes_are_written_as_in_csv() {
        for (text, names) in [
            ("a,b", &["a", "b"][..]),
            ("", &[""]),
            (",NA", &["", "NA"]),
            ("-999,", &["-999", ""]),
            ("\"a,b\",c", &["a,b", "c"]),
            ("c,\"a,b\"", &["c", "a,b"]),
            ("\"say \"\"hi\"\", you\"", &["say \"hi\", you"]),
            ("5\" disk,b", &["5\" disk", "b"]),
            ("\"\"", &[""]),
        ] {
            assert_eq!(items("--x", text).unwrap(), names, "{text}");
            assert_eq!(
                items(
                    "--x",
                    &names
                        .iter()
                        .map(|name| written(name))
                        .collect::<Vec<_>>()
                        .join(",")
                )
                .unwrap(),
                names
            );
        }
        for text in ["\"a", "\"a\"b", "a,\"b", "\"\"\""] {
            assert!(items("--x", text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_ends_at_its_first_equals_sign_outside_quotes() {
        assert_eq!(assignment("a=-1,"), Some(("a".to_owned(), "-1,")));
        assert_eq!(assignment("\"a=b\"=c=d"), Some(("a=b".to_owned(), "c=d")));
        assert_eq!(assignment("\"\"=c"), Some((String::new(), "c")));
        let names = ["k", "\"k,=z\"", "\"k\"z", "\"k"].map(name);
        assert_eq!(names, [Some("k".into()), Some("k,=z".into()), None, None]);
        assert_eq!(
            [
                assignment("NA"),
                assignment("=1"),
                assignment("\"a=b\""),
                assignment("\"a")
            ],
            [const { None }; 4]
        );
    }
}
