//! What rows and scores should be like: rules, the reference, and what watches the rows for them.
//!
//! Owns the text of `--rule`: `[NAME:] EXPRESSION[; mostly=SHARE][; on-fail=warn|reject|fail]`. The
//! package's rules come first. It must not know what an expression means.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::options::share;
use crate::digest::hexadecimal;
use crate::error::{Error, Result};
use crate::monitor::estimate::loss::LossObserver;
use crate::monitor::estimate::observer::PerformanceObserver;
use crate::monitor::estimate::reference::{MAX_BYTES, Reference};
use crate::monitor::quality::QualityObserver;
use crate::monitor::scores::ScoreObserver;
use crate::package::manifest::{OnFail, RuleEntry};
use crate::package::open::Identity;
use crate::pipeline::arm::Arms;
use crate::pipeline::observer::Observer;
use crate::pipeline::rule::Rules;
use crate::request::work::Quality;
use crate::storage::{Location, read};

/// The rules of a package and of the flags.
///
/// # Errors
/// A usage error for the text of a flag that is not a rule.
pub(super) fn entries(of_package: &[RuleEntry], quality: &Quality) -> Result<Vec<RuleEntry>> {
    if quality.is_off {
        return Ok(Vec::new());
    }
    let flags = quality.rule.iter().map(|text| rule(text));
    let own = of_package.iter().cloned().map(Ok);
    own.chain(flags).collect()
}

/// What watches the rows of a run.
///
/// # Errors
/// A contract error for a reference that is not of the model's scores.
pub(super) fn observers(
    arms: &Arms,
    rules: &Arc<Rules>,
    reference: Option<Reference>,
    quality: &Quality,
) -> Result<Vec<Box<dyn Observer>>> {
    let mut observers: Vec<Box<dyn Observer>> =
        vec![Box::new(ScoreObserver::new(arms.observed_fields()))];
    if !rules.is_empty() {
        observers.push(Box::new(QualityObserver::new(rules.clone())));
    }
    if let Some(reference) = reference {
        let observer = PerformanceObserver::new(Arc::new(reference), &arms.fields())?;
        observers.push(Box::new(observer));
    }
    if let Some(column) = &quality.loss_column {
        observers.push(Box::new(LossObserver::new(column)));
    }
    Ok(observers)
}

/// The file with what labelled rows of the model showed: the one that is named, or `of_package`;
/// none for the name `none`.
pub(super) fn reference<'a>(
    quality: &'a Quality,
    of_package: Option<&'a Location>,
) -> Option<&'a Location> {
    match &quality.reference {
        _ if quality.is_off => None,
        Some(path) => Some(path).filter(|path| path.as_os_str() != "none"),
        None => of_package,
    }
}

/// Refuses a reference of another model than the one that scores.
///
/// # Errors
/// A contract error that names the model of the reference.
pub fn check_model(reference: &Reference, model: &Identity) -> Result<()> {
    let other = reference.model.as_ref();
    match other.filter(|_| !reference.is_of([&model.digest, &model.file_digest])) {
        None => Ok(()),
        Some(other) => Err(
            Error::contract(format!("the reference is of another model, {other}")).hint(
                "score rows whose labels are known with this model, then `tallow evaluate \
             --save-reference FILE`",
            ),
        ),
    }
}

/// The reference at a path, if it is of the model; the digest of its file; the error of one that is
/// of another model.
type OfModel = (Option<(Reference, Location)>, Option<String>, Option<Error>);

/// Reads the reference at a path, and drops one of another model.
///
/// # Errors
/// Fails if the file cannot be read or is another.
pub(super) fn of_model(path: Option<&Location>, model: &Identity) -> Result<OfModel> {
    let Some(path) = path else {
        return Ok((None, None, None));
    };
    let (reference, digest) = read_reference(path)?;
    Ok(match check_model(&reference, model) {
        Ok(()) => (Some((reference, path.clone())), Some(digest), None),
        Err(error) => (None, Some(digest), Some(error.at_path(path))),
    })
}

/// A reference, and the digest of its file.
///
/// # Errors
/// Fails if the file cannot be read or is another.
pub fn read_reference(path: &Location) -> Result<(Reference, String)> {
    let bytes = read(path, MAX_BYTES)?;
    let reference = Reference::parse(&bytes).map_err(|error| error.at_path(path))?;
    Ok((reference, hexadecimal(&Sha256::digest(&bytes))))
}

/// The rule that the text of a flag states.
///
/// # Errors
/// A usage error for a text that is not a rule.
pub fn rule(text: &str) -> Result<RuleEntry> {
    let (mut expression, mut mostly, mut on_fail) = (text.trim(), 1.0, OnFail::default());
    // From the end: an expression may hold a semicolon in a text.
    while let Some((rest, option)) = expression.rsplit_once(';') {
        let Some((key, value)) = option.split_once('=') else {
            break;
        };
        let value = value.trim();
        match key.trim() {
            "mostly" => mostly = share("--rule mostly", value, true)?,
            "on-fail" | "on_fail" => on_fail = named(value)?,
            _ => break,
        }
        expression = rest.trim_end();
    }
    let (name, expression) = match expression.split_once(':') {
        Some((name, rest)) if is_name(name) && !rest.starts_with(':') => {
            (Some(name.trim().to_owned()), rest.trim())
        }
        _ => (None, expression),
    };
    if expression.is_empty() {
        return Err(Error::usage(format!("`--rule {text}` has no expression"))
            .hint("write `--rule 'NAME: EXPRESSION'`, such as `--rule 'adult: age >= 18'`"));
    }
    Ok(RuleEntry {
        name,
        expression: expression.to_owned(),
        mostly,
        on_fail,
    })
}

fn is_name(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty()
        && text
            .chars()
            .all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.' | ' '))
}

fn named(text: &str) -> Result<OnFail> {
    [OnFail::Warn, OnFail::Reject, OnFail::Fail]
        .into_iter()
        .find(|one| one.name() == text)
        .ok_or_else(|| {
            Error::usage(format!("`on-fail={text}` is not known"))
                .hint("write `on-fail=warn`, `on-fail=reject` or `on-fail=fail`")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_has_a_name_an_expression_and_options() {
        let entry = |name: Option<&str>, expression: &str, mostly, on_fail| RuleEntry {
            name: name.map(str::to_owned),
            expression: expression.to_owned(),
            mostly,
            on_fail,
        };
        for (text, expected) in [
            ("age > 0", entry(None, "age > 0", 1.0, OnFail::Warn)),
            (
                "adult: age >= 18; mostly=99%; on-fail=reject",
                entry(Some("adult"), "age >= 18", 0.99, OnFail::Reject),
            ),
            (
                "note <> 'a; b=c' ;on_fail = fail",
                entry(None, "note <> 'a; b=c'", 1.0, OnFail::Fail),
            ),
            (
                "age::DOUBLE > 0",
                entry(None, "age::DOUBLE > 0", 1.0, OnFail::Warn),
            ),
            (
                "the age: note <> ':'",
                entry(Some("the age"), "note <> ':'", 1.0, OnFail::Warn),
            ),
            (
                "day > '10:00'",
                entry(None, "day > '10:00'", 1.0, OnFail::Warn),
            ),
        ] {
            assert_eq!(rule(text).unwrap(), expected, "{text}");
        }
        for text in ["", "name:", "a > 1; mostly=2", "a > 1; on-fail=stop"] {
            assert!(rule(text).is_err(), "{text}");
        }
    }
}
