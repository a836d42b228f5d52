//! Categories of several readers of one input: all of them, and the codes that each reader has.
//!
//! Owns which categories are the same value. It must not know what reads them.

use std::collections::HashMap;
use std::sync::Arc;

use super::column::{Step, UNSEEN};
use crate::contract::CategoryValue;

/// How a reader's categories relate to those of the input.
#[derive(Debug)]
pub(super) enum Codes {
    /// They are the same.
    Own,
    /// For each code of the input its own, and [`UNSEEN`] where it has none.
    Other(Arc<[f64]>),
}

impl Codes {
    pub(super) fn of(all: &[CategoryValue], own: &[CategoryValue]) -> Self {
        let own = codes(own);
        let code = |value| own.get(&key(value)).map_or(UNSEEN, |code| *code as f64);
        Self::Other(all.iter().map(code).collect())
    }

    /// The steps from the codes of the input to its own.
    pub(super) fn steps(self) -> Option<Step> {
        match self {
            Self::Own => None,
            Self::Other(codes) => Some(Step::Recode(codes)),
        }
    }
}

/// The code of each category by [`key`].
fn codes(values: &[CategoryValue]) -> HashMap<String, usize> {
    let mut codes = HashMap::with_capacity(values.len());
    for (code, value) in values.iter().enumerate() {
        codes.entry(key(value)).or_insert(code);
    }
    codes
}

/// What equal categories have in common: 1 and 1.0 are the same.
fn key(value: &CategoryValue) -> String {
    let number = |value: f64| format!("number {:x}", (value + 0.0).to_bits());
    match value {
        CategoryValue::Text(value) => format!("text {value}"),
        CategoryValue::Boolean(value) => format!("boolean {value}"),
        CategoryValue::Integer(value) if *value as f64 as i64 == *value => number(*value as f64),
        CategoryValue::Integer(value) => format!("integer {value}"),
        CategoryValue::Number(value) => number(*value),
    }
}

/// Adds the categories that are not among these yet.
pub(super) fn add(all: &mut Vec<CategoryValue>, values: &[CategoryValue]) {
    let known = codes(all);
    let new = values
        .iter()
        .filter(|value| !known.contains_key(&key(value)));
    all.extend(new.cloned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_a_code_and_unknown_ones_have_none() {
        let text = |value: &str| CategoryValue::Text(value.to_owned());
        let mut all = vec![text("1"), CategoryValue::Integer(1), text("b")];
        let own = [
            CategoryValue::Number(1.0),
            text("c"),
            CategoryValue::Boolean(true),
            text("1"),
        ];
        add(&mut all, &own);
        let added = [text("c"), CategoryValue::Boolean(true)];
        assert_eq!(all[3..], added, "1 and 1.0 are the same, true is not");
        let Codes::Other(codes) = Codes::of(&all, &own) else {
            panic!("the categories differ");
        };
        assert_eq!(codes[..], [3.0, 0.0, UNSEEN, 1.0, 2.0]);
    }

    #[test]
    fn large_integers_are_distinct() {
        let integer = CategoryValue::Integer;
        assert_ne!(key(&integer(1 << 53)), key(&integer((1 << 53) + 1)));
        assert_eq!(key(&integer(0)), key(&CategoryValue::Number(-0.0)));
    }
}
