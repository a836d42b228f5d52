//! A vocabulary, ready to be looked up: which code has this text, or this number?
//!
//! Numbers are compared as what they are, not as what a float would make of them: two ids beyond 2^53 that differ by one are two
//! categories. It must not know columns or policies.

use std::collections::HashMap;

use crate::contract::{CategoryValue, InputKind, Vocabulary};

/// A number of a column, exactly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    /// A whole number of any integer type, or of text.
    Integer(i128),
    /// A floating-point number.
    Real(f64),
}

/// The categories of a vocabulary. It may hold texts and numbers side by side.
#[derive(Debug)]
pub(super) enum Lookup {
    /// The input is no category with a vocabulary.
    None,
    /// Codes by value.
    Values {
        texts: HashMap<String, f64>,
        /// By [`key`].
        numbers: HashMap<i128, f64>,
    },
}

impl Lookup {
    pub(super) fn new(kind: &InputKind) -> Self {
        let InputKind::Category(Vocabulary { values, .. }) = kind else { return Self::None };
        let (mut texts, mut numbers) = (HashMap::new(), HashMap::new());
        for (code, value) in values.iter().enumerate().rev() {
            let number = match value {
                CategoryValue::Text(text) => {
                    texts.insert(text.clone(), code as f64);
                    continue;
                }
                CategoryValue::Integer(value) => Number::Integer(i128::from(*value)),
                CategoryValue::Number(value) => Number::Real(*value),
                CategoryValue::Boolean(value) => Number::Integer(i128::from(*value)),
            };
            numbers.insert(key(number), code as f64);
        }
        Self::Values { texts, numbers }
    }
}

/// One number's key, whatever its type: a whole number is its own, any other has the bits of its float, below all integers.
pub(super) fn key(number: Number) -> i128 {
    /// Beyond every integer that a column holds, and still exact as a float.
    const WHOLE_LIMIT: f64 = 36_893_488_147_419_103_232.0;
    match number {
        Number::Integer(value) => value,
        Number::Real(value) if value.fract() == 0.0 && value.abs() <= WHOLE_LIMIT => value as i128,
        Number::Real(value) => i128::MIN + i128::from(value.to_bits()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_have_one_key_whatever_their_type() {
        assert_eq!(key(Number::Integer(7)), key(Number::Real(7.0)));
        assert_eq!(key(Number::Real(-0.0)), key(Number::Integer(0)));
        assert_eq!(key(Number::Integer(i128::from(u64::MAX) + 1)), key(Number::Real(18_446_744_073_709_551_616.0)));
        let keys = [Number::Real(0.5), Number::Real(-0.5), Number::Real(f64::INFINITY), Number::Real(f64::MIN), Number::Integer(0)].map(key);
        assert!((0..keys.len()).all(|index| !keys[..index].contains(&keys[index])));
    }

    #[test]
    fn neighbours_beyond_the_precision_of_floats_are_two_categories() {
        let values = vec![CategoryValue::Integer((1 << 53) + 1), CategoryValue::Integer(1 << 53), CategoryValue::Boolean(true)];
        let Lookup::Values { numbers, .. } = Lookup::new(&InputKind::Category(Vocabulary { values, unseen_code: f64::NAN })) else { panic!("none") };
        let code = |number| numbers.get(&key(number)).copied();
        assert_eq!(
            (code(Number::Integer((1 << 53) + 1)), code(Number::Integer(1 << 53)), code(Number::Real(2_f64.powi(53)))),
            (Some(0.0), Some(1.0), Some(1.0))
        );
        assert_eq!((code(Number::Real(1.0)), code(Number::Real(2.0))), (Some(2.0), None));
    }
}
