//! What operators can be in a chain of layers.
//!
//! Owns how a node's definition and constants become a [`Role`]; the operators name these
//! functions. It must not know how chains are joined.

use super::role::{Matrix, Part, Role};
use crate::graph::operand::Operands;
use crate::graph::operator::Definition;
use crate::graph::tensor::Tensor;
use crate::network::step::Activation;

/// `MatMul` by a constant.
pub(crate) fn product(_node: &Definition, operands: &Operands<'_>) -> Option<Role> {
    Some(Role {
        data: operands.id(0)?,
        part: Part::Product(matrix(operands.single(1)?, false)?),
    })
}

fn matrix(weight: Tensor, is_transposed: bool) -> Option<Matrix> {
    let is_matrix = weight.rank() == 2 && !weight.is_empty();
    is_matrix.then_some(Matrix {
        weight,
        is_transposed,
        scale: 1.0,
        bias: None,
        is_strict: false,
    })
}

/// `Gemm`.
pub(crate) fn general_product(node: &Definition, operands: &Operands<'_>) -> Option<Role> {
    let (data, weight, addend) = (operands.id(0)?, operands.single(1)?, operands.single(2));
    let is_added = operands.id(2).is_some();
    if node.flag("transA", false).ok()?
        || is_added && addend.as_ref().and_then(columns_of).is_none()
    {
        return None;
    }
    let (alpha, beta) = (
        node.float("alpha", 1.0).ok()?,
        node.float("beta", 1.0).ok()?,
    );
    let matrix = matrix(weight, node.flag("transB", false).ok()?)?;
    let bias = addend.map(|addend| (addend, beta));
    Some(Role {
        data,
        part: Part::Product(Matrix {
            scale: alpha,
            bias,
            is_strict: true,
            ..matrix
        }),
    })
}

/// `Add` of a constant.
pub(crate) fn add(node: &Definition, operands: &Operands<'_>) -> Option<Role> {
    either(node, operands, Part::Add)
}

/// `Mul` by a constant, or with another value.
pub(crate) fn multiply(node: &Definition, operands: &Operands<'_>) -> Option<Role> {
    if operands.single(0).is_some() || operands.single(1).is_some() {
        return either(node, operands, Part::Multiply);
    }
    Some(Role {
        data: operands.id(0)?,
        part: Part::Times(operands.id(1)?),
    })
}

/// `Div` by a constant.
pub(crate) fn divide(_node: &Definition, operands: &Operands<'_>) -> Option<Role> {
    Some(Role {
        data: operands.id(0)?,
        part: Part::Divide(operands.single(1)?),
    })
}

/// `Erf`.
pub(crate) fn error_function(_node: &Definition, operands: &Operands<'_>) -> Option<Role> {
    Some(Role {
        data: operands.id(0)?,
        part: Part::Erf,
    })
}

/// `Relu`.
pub(crate) fn relu(_node: &Definition, operands: &Operands<'_>) -> Option<Role> {
    activation(operands, Activation::Relu)
}

/// `Sigmoid`.
pub(crate) fn sigmoid(_node: &Definition, operands: &Operands<'_>) -> Option<Role> {
    activation(operands, Activation::Sigmoid)
}

/// `Tanh`.
pub(crate) fn tanh(_node: &Definition, operands: &Operands<'_>) -> Option<Role> {
    activation(operands, Activation::Tanh)
}

/// `LeakyRelu`.
pub(crate) fn leaky_relu(node: &Definition, operands: &Operands<'_>) -> Option<Role> {
    let alpha = node.float("alpha", 0.01).ok()?;
    activation(operands, Activation::LeakyRelu(alpha))
}

/// `Elu`.
pub(crate) fn elu(node: &Definition, operands: &Operands<'_>) -> Option<Role> {
    let alpha = node.float("alpha", 1.0).ok()?;
    activation(operands, Activation::Elu(alpha))
}

/// `Gelu`.
pub(crate) fn gelu(node: &Definition, operands: &Operands<'_>) -> Option<Role> {
    let form = node.choice("approximate", &["none", "tanh"], 0).ok()?;
    let gelu = if form == 0 {
        Activation::Gelu
    } else {
        Activation::GeluTanh
    };
    activation(operands, gelu)
}

fn activation(operands: &Operands<'_>, activation: Activation) -> Option<Role> {
    Some(Role {
        data: operands.id(0)?,
        part: Part::Activation(activation),
    })
}

/// An operator of two inputs, one of which is constant.
fn either(node: &Definition, operands: &Operands<'_>, part: fn(Tensor) -> Part) -> Option<Role> {
    let (data, tensor) = match (operands.single(0), operands.single(1)) {
        (None, Some(tensor)) => (operands.id(0)?, tensor),
        (Some(tensor), None) => (operands.id(1)?, tensor),
        _ => return None,
    };
    // Before version 7 inputs of two shapes had rules of their own.
    (columns_of(&tensor).is_some() && node.version >= 7).then(|| Role {
        data,
        part: part(tensor),
    })
}

/// The length of a constant that has one number for each column, or one for all.
fn columns_of(tensor: &Tensor) -> Option<usize> {
    match *tensor.shape() {
        [] => Some(1),
        [count] | [1, count] => Some(count),
        _ => None,
    }
}
