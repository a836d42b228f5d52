//! The operators that are known.
//!
//! Owns the list and the search in it. What each operator becomes is in the families.

use super::call::Write;
use super::{
    activation, arithmetic, comparison, convolution, movement, normalization, product, recurrent,
    reduction, selection, size,
};

/// Every operator, without `torch.ops.aten.`.
static FAMILIES: &[&[(&str, Write)]] = &[
    activation::OPERATORS,
    arithmetic::OPERATORS,
    comparison::OPERATORS,
    convolution::OPERATORS,
    movement::OPERATORS,
    normalization::OPERATORS,
    product::OPERATORS,
    recurrent::OPERATORS,
    reduction::OPERATORS,
    selection::OPERATORS,
    size::OPERATORS,
];

/// The parts of an operator's name, such as `torch.ops.aten.add.Tensor`.
pub(super) fn parts(target: &str) -> (&str, &str) {
    let short = target.strip_prefix("torch.ops.aten.").unwrap_or(target);
    if short.len() == target.len() {
        return (target, "");
    }
    short.split_once('.').unwrap_or((short, ""))
}

/// What writes an operator, and whether it changes its first argument.
pub(super) fn find(target: &str) -> Option<(Write, bool)> {
    let operator = parts(target).0;
    let named = |name: &str| {
        let mut all = FAMILIES.iter().flat_map(|family| family.iter());
        all.find(|(known, _)| *known == name)
            .map(|(_, write)| *write)
    };
    let in_place = || {
        let plain = operator
            .strip_suffix('_')
            .filter(|name| !name.ends_with('_'))?;
        named(plain).map(|write| (write, true))
    };
    named(operator)
        .map(|write| (write, false))
        .or_else(in_place)
}
