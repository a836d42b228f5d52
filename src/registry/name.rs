//! Names of models and aliases, and references to versions: `churn@champion`, `churn:7`.
//!
//! Owns their spelling. It must not know what exists.

use std::fmt;

use crate::error::{Error, Result};

/// The most characters of a name.
const LONGEST_NAME: usize = 100;

/// Checks the name of a model or an alias.
///
/// Names consist of `a` to `z`, digits, `.`, `_` and `-`, and begin with a letter or a digit: they
/// are file names on every system, and none differs from another only by case. An alias is not a
/// number.
///
/// # Errors
/// A usage error if it is not one; `what` is `model` or `alias`.
pub fn check_name(name: &str, what: &str) -> Result<()> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_name = name.bytes().next().is_some_and(is_plain)
        && name
            .bytes()
            .all(|byte| is_plain(byte) || b"._-".contains(&byte))
        && name.len() <= LONGEST_NAME;
    let is_number = what == "alias" && name.bytes().all(|byte| byte.is_ascii_digit());
    if is_name && !is_number {
        return Ok(());
    }
    let article = if what == "alias" { "an" } else { "a" };
    Err(
        Error::usage(format!("`{name}` is not {article} {what} name")).hint(format!(
            "use `a` to `z`, `0` to `9`, `.`, `_` and `-`, at most {LONGEST_NAME} characters, and \
         begin with a letter or a digit{}",
            if what == "alias" {
                "; a number is not an alias"
            } else {
                ""
            }
        )),
    )
}

/// A name that registries take for a model whose own they do not: `NAME` if nothing is left of it.
#[must_use]
pub fn nearest_name(name: &str) -> String {
    let lower = name.to_lowercase();
    let is_plain = |letter: &char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let begun = lower.chars().skip_while(|letter| !is_plain(letter));
    let plain = begun.map(|letter| {
        if is_plain(&letter) || "._-".contains(letter) {
            letter
        } else {
            '-'
        }
    });
    let near: String = plain.take(LONGEST_NAME).collect();
    let near = near.trim_end_matches('-');
    if near.is_empty() {
        "NAME".to_owned()
    } else {
        near.to_owned()
    }
}

/// Which version of a model is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The model's name.
    pub model: String,
    /// Which of its versions.
    pub selector: Selector,
}

/// Which version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The one that an alias points at: `@champion`.
    Alias(String),
    /// The one of a number: `:7`.
    Number(u64),
    /// The one of a digest: `@sha256:…`.
    Digest(String),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.selector {
            Selector::Alias(alias) => write!(f, "{}@{alias}", self.model),
            Selector::Number(number) => write!(f, "{}:{number}", self.model),
            Selector::Digest(digest) => write!(f, "{}@{digest}", self.model),
        }
    }
}

impl Reference {
    /// The reference that a text spells, if it has the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (model, selector) = if let Some((model, digest)) = text.split_once("@sha256:") {
            (
                model,
                Selector::Digest(format!("sha256:{}", digest_digits(digest)?)),
            )
        } else if let Some((model, alias)) = text.split_once('@') {
            check_name(alias, "alias").ok()?;
            (model, Selector::Alias(alias.to_owned()))
        } else {
            let (model, number) = text.split_once(':')?;
            let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
            (
                model,
                Selector::Number(number.parse().ok().filter(|_| is_number)?),
            )
        };
        check_name(model, "model").ok()?;
        Some(Self {
            model: model.to_owned(),
            selector,
        })
    }

    /// The reference that a text must spell.
    ///
    /// # Errors
    /// A usage error if it does not.
    pub fn expect(text: &str) -> Result<Self> {
        Self::parse(text).ok_or_else(|| {
            Error::usage(format!("`{text}` does not name a version of a model"))
                .hint("write `NAME:VERSION` or `NAME@ALIAS`, such as `churn:7` or `churn@champion`")
        })
    }
}

/// The digits of a SHA-256, if these are.
pub(super) fn digest_digits(text: &str) -> Option<&str> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (text.len() == 64 && text.bytes().all(is_digit)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_one_that_registries_take() {
        for (name, near) in [
            ("Churn Model (EU)", "churn-model--eu"),
            ("XGBClassifier", "xgbclassifier"),
            ("_v2.bin", "v2.bin"),
            ("Größe", "gr--e"),
        ] {
            assert_eq!(nearest_name(name), near);
            assert!(check_name(near, "model").is_ok(), "{near}");
        }
        assert_eq!(nearest_name("模型"), "NAME");
    }

    #[test]
    fn a_reference_is_distinguished_from_a_path() {
        let digest = "a".repeat(64);
        for (text, model, selector) in [
            (
                "churn@champion",
                "churn",
                Selector::Alias("champion".into()),
            ),
            ("churn:7", "churn", Selector::Number(7)),
            ("a.b-c_1@x2", "a.b-c_1", Selector::Alias("x2".into())),
            (
                &format!("churn@sha256:{digest}"),
                "churn",
                Selector::Digest(format!("sha256:{digest}")),
            ),
        ] {
            let reference = Reference::parse(text).unwrap();
            assert_eq!(
                (reference.model.as_str(), &reference.selector),
                (model, &selector)
            );
            assert_eq!(reference.to_string(), text);
        }
        for text in [
            "churn",
            "model.json",
            "./churn@champion",
            "a/b:7",
            "churn@7",
            "churn:",
            "churn:-1",
            "churn:+1",
            "churn:7x",
            "Churn@champion",
            "churn@Champion",
            "@champion",
            "churn@",
            "churn@sha256:abc",
            "s3://bucket/churn:7",
            "churn@a@b",
            "churn:99999999999999999999",
            "..:7",
            "",
        ] {
            assert_eq!(Reference::parse(text), None, "{text}");
        }
    }
}
