//! The values of a program that there are so far, by the names that the program gives them.

use std::collections::HashMap;

use super::layout::element_type;
use super::message::Length;
use super::program::{Graph as Program, SymbolicLength, TensorMeta};
use super::value::{Size, Tensor};
use crate::error::{Error, Result};

/// Axes of one tensor.
const RANK_LIMIT: usize = 16;

/// The values of a program that there are so far.
pub(super) struct Known<'p> {
    program: &'p Program,
    /// The name in the graph of each tensor that there is.
    values: HashMap<&'p str, String>,
    sizes: HashMap<&'p str, Size>,
}

impl<'p> Known<'p> {
    pub(super) fn new(program: &'p Program) -> Self {
        Self {
            program,
            values: HashMap::new(),
            sizes: HashMap::new(),
        }
    }

    /// Makes a tensor of this name known.
    pub(super) fn define(&mut self, name: &'p str, value: String) {
        self.values.insert(name, value);
    }

    /// What the program declares a tensor to be; its name in the graph is empty until it is made.
    pub(super) fn declared(&self, name: &str) -> Result<Tensor> {
        let meta = self.program.tensor_values.get(name);
        let meta = meta.ok_or_else(|| Error::failed(format!("`{name}` is not declared")))?;
        Ok(Tensor {
            name: self.values.get(name).cloned().unwrap_or_default(),
            element: element_type(meta.dtype)?,
            shape: lengths(meta)?,
        })
    }

    /// A tensor that there is.
    pub(super) fn tensor(&self, name: &str) -> Result<Tensor> {
        if self.values.contains_key(name) {
            return self.declared(name);
        }
        Err(Error::failed(format!(
            "`{name}` is read before anything makes it, or nothing does"
        )))
    }

    /// An integer that a run makes.
    pub(super) fn size(&self, name: &str) -> Result<Size> {
        let found = self.sizes.get(name).cloned();
        found
            .ok_or_else(|| Error::failed(format!("the integer `{name}` is read before it is made")))
    }

    /// Makes an integer of this name known.
    pub(super) fn define_size(&mut self, name: &'p str, size: Size) {
        self.sizes.insert(name, size);
    }
}

/// The lengths of a tensor's axes.
fn lengths(meta: &TensorMeta) -> Result<Vec<Length>> {
    if meta.sizes.len() > RANK_LIMIT {
        return Err(Error::contract(format!(
            "a tensor of more than {RANK_LIMIT} axes"
        )));
    }
    let length = |size: &SymbolicLength| match (size.as_int, &size.as_expr) {
        (Some(value), _) if value >= 0 => Ok(Length::Fixed(value)),
        (None, Some(expression)) => Ok(Length::Named(expression.expr_str.clone())),
        _ => Err(Error::failed("a tensor with an axis of no length")),
    };
    meta.sizes.iter().map(length).collect()
}
