//! What operators do to the columns of a table.
//!
//! Owns how a node's definition and constants become a [`ColumnRole`]; the operators name these
//! functions. It must not know how tables are put together.

use std::sync::Arc;

use super::column::{Encoder, Kind, MAX_COLUMNS, Step};
use super::role::ColumnRole;
use crate::graph::op::category::Categories;
use crate::graph::operand::Operands;
use crate::graph::operator::{Attribute, Definition};

/// `Concat`.
pub(crate) fn joined(node: &Definition, operands: &Operands<'_>) -> Option<ColumnRole> {
    operands.id(0)?;
    Some(ColumnRole::Concat {
        tables: operands.ids.iter().copied().collect::<Option<_>>()?,
        axis: node.required_int("axis").ok()?,
    })
}

/// `Reshape` to a constant shape.
pub(crate) fn reshaped(node: &Definition, operands: &Operands<'_>) -> Option<ColumnRole> {
    if node.flag("allowzero", false).ok()? {
        return None;
    }
    Some(ColumnRole::Reshape {
        data: operands.id(0)?,
        shape: operands.constant(1)?.integers().ok()?,
    })
}

/// `Identity`.
pub(crate) fn same(_node: &Definition, operands: &Operands<'_>) -> Option<ColumnRole> {
    let data = operands.id(0)?;
    Some(ColumnRole::Same { data })
}

/// `Cast` to single precision.
pub(crate) fn float(node: &Definition, operands: &Operands<'_>) -> Option<ColumnRole> {
    let data = operands.id(0)?;
    (node.required_int("to").ok()? == 1).then_some(ColumnRole::Float { data })
}

/// `Gather` of columns.
pub(crate) fn gathered(node: &Definition, operands: &Operands<'_>) -> Option<ColumnRole> {
    let is_list = operands.constant(1)?.rank() == 1;
    if node.int("axis", 0).ok()? != 1 || !is_list {
        return None;
    }
    picked(node, operands)
}

/// `ArrayFeatureExtractor`.
pub(crate) fn picked(_node: &Definition, operands: &Operands<'_>) -> Option<ColumnRole> {
    Some(ColumnRole::Pick {
        data: operands.id(0)?,
        columns: operands.constant(1)?.integers().ok()?,
    })
}

/// `Add` of a constant.
pub(crate) fn add(node: &Definition, operands: &Operands<'_>) -> Option<ColumnRole> {
    arithmetic(node, operands, Step::Add)
}

/// `Sub` of a constant.
pub(crate) fn subtract(node: &Definition, operands: &Operands<'_>) -> Option<ColumnRole> {
    arithmetic(node, operands, Step::Subtract)
}

/// `Mul` by a constant.
pub(crate) fn multiply(node: &Definition, operands: &Operands<'_>) -> Option<ColumnRole> {
    arithmetic(node, operands, Step::Multiply)
}

/// `Div` by a constant.
pub(crate) fn divide(node: &Definition, operands: &Operands<'_>) -> Option<ColumnRole> {
    arithmetic(node, operands, Step::Divide)
}

fn arithmetic(
    node: &Definition,
    operands: &Operands<'_>,
    step: fn(f32) -> Step,
) -> Option<ColumnRole> {
    if node.version < 7 {
        return None;
    }
    let (data, constant) = (operands.id(0)?, operands.constant(1)?);
    let is_row = matches!(*constant.shape(), [_] | [1, _]);
    let values = constant.values::<f32>().ok().filter(|_| is_row)?;
    Some(ColumnRole::Steps {
        data,
        steps: values.iter().copied().map(step).collect(),
    })
}

/// `Scaler`.
pub(crate) fn scaled(node: &Definition, operands: &Operands<'_>) -> Option<ColumnRole> {
    let data = operands.id(0)?;
    let (offset, scale) = (
        node.find_floats("offset").ok()??,
        node.find_floats("scale").ok()??,
    );
    let steps = offset
        .iter()
        .zip(&scale)
        .map(|(&offset, &scale)| Step::Scale { offset, scale })
        .collect();
    (offset.len() == scale.len()).then_some(ColumnRole::Steps { data, steps })
}

/// `Imputer`.
pub(crate) fn imputed(node: &Definition, operands: &Operands<'_>) -> Option<ColumnRole> {
    let data = operands.id(0)?;
    let (missing, by) = (
        node.float("replaced_value_float", 0.0).ok()?,
        node.find_floats("imputed_value_floats").ok()??,
    );
    let steps = by.into_iter().map(|by| Step::Impute { missing, by });
    Some(ColumnRole::Steps {
        data,
        steps: steps.collect(),
    })
}

/// `OneHotEncoder`.
pub(crate) fn one_hot(node: &Definition, operands: &Operands<'_>) -> Option<ColumnRole> {
    let data = operands.id(0)?;
    let (categories, count) = Categories::of(node, "cats_strings", "cats_int64s").ok()??;
    let refuses_unknown = !node.flag("zeros", true).ok()?;
    let encoder = Arc::new(Encoder {
        categories,
        refuses_unknown,
        codes: Vec::new(),
        unknown_code: 0.0,
    });
    (1..=MAX_COLUMNS)
        .contains(&count)
        .then_some(ColumnRole::OneHot {
            data,
            encoder,
            count,
        })
}

/// `LabelEncoder`: texts or integers to numbers that single precision holds.
pub(crate) fn coded(node: &Definition, operands: &Operands<'_>) -> Option<ColumnRole> {
    let data = operands.id(0)?;
    let (categories, count) = Categories::of(node, "keys_strings", "keys_int64s").ok()??;
    let exact =
        |value: i64| (value.unsigned_abs() < 1 << f32::MANTISSA_DIGITS).then_some(value as f32);
    let (codes, unknown_code, kind) = match (
        node.attributes.get("values_floats"),
        node.attributes.get("values_int64s"),
    ) {
        (Some(Attribute::Floats(codes)), _) => (
            codes.to_vec(),
            node.float("default_float", -0.0).ok()?,
            Kind::Real,
        ),
        (None, Some(Attribute::Ints(codes))) => {
            let codes = codes.iter().map(exact).collect::<Option<Vec<f32>>>()?;
            (
                codes,
                exact(node.int("default_int64", -1).ok()?)?,
                Kind::Whole,
            )
        }
        _ => return None,
    };
    let encoder = Arc::new(Encoder {
        categories,
        refuses_unknown: false,
        codes,
        unknown_code,
    });
    (encoder.codes.len() == count && node.find_tensor("default_tensor").ok()?.is_none()).then_some(
        ColumnRole::Code {
            data,
            encoder,
            kind,
        },
    )
}
