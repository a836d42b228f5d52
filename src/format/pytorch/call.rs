//! One call of an operator: its arguments by name, with the defaults that PyTorch gives them.

use super::known::Known;
use super::program::{Argument, Node, SymbolicInteger};
use super::value::{Number, Operand, Size, Tensor, Written};
use super::writer::Writer;
use crate::error::{Error, Result};

/// What to try with a program of operators that are not known, or are used in unknown ways.
pub(super) const DECOMPOSE: &str = "try the program after `run_decompositions()`, which splits \
                                    operators into simpler ones, or `torch.onnx.export(model, \
                                    (x,), \"model.onnx\")`";

/// Writes one operator.
pub(super) type Write = fn(&mut Writer, &Call<'_, '_>) -> Result<Written>;

/// A call, and the values that its arguments name.
pub(super) struct Call<'c, 'p> {
    pub(super) node: &'p Node,
    /// The overload, such as `Tensor`.
    pub(super) overload: &'p str,
    pub(super) known: &'c Known<'p>,
}

impl<'p> Call<'_, 'p> {
    /// The argument, unless it is `None` or omitted.
    fn find(&self, name: &str) -> Option<&'p Argument> {
        let found = self.node.inputs.iter().find(|input| input.name == name)?;
        Some(&found.arg)
    }

    fn missing<T>(name: &str) -> Result<T> {
        Err(Error::failed(format!(
            "the argument `{name}` is missing, or of another kind than expected"
        )))
    }

    /// The tensor that an argument names, if there is one.
    pub(super) fn find_tensor(&self, name: &str) -> Result<Option<Tensor>> {
        let named = self.find(name).and_then(|found| found.as_tensor.as_ref());
        named
            .map(|named| self.known.tensor(&named.name))
            .transpose()
    }

    pub(super) fn tensor(&self, name: &str) -> Result<Tensor> {
        self.find_tensor(name)?
            .map_or_else(|| Self::missing(name), Ok)
    }

    /// A list of tensors.
    pub(super) fn tensors(&self, name: &str) -> Result<Vec<Tensor>> {
        let Some(named) = self.find(name).and_then(|found| found.as_tensors.as_ref()) else {
            return Self::missing(name);
        };
        named
            .iter()
            .map(|named| self.known.tensor(&named.name))
            .collect()
    }

    /// A list of tensors some of which may be `None`.
    pub(super) fn optional_tensors(&self, name: &str) -> Result<Vec<Option<Tensor>>> {
        let Some(found) = self.find(name) else {
            return Self::missing(name);
        };
        if found.as_tensors.is_some() {
            return Ok(self.tensors(name)?.into_iter().map(Some).collect());
        }
        let Some(list) = &found.as_optional_tensors else {
            return Self::missing(name);
        };
        list.iter()
            .map(|one| {
                let named = one.as_tensor.as_ref();
                named
                    .map(|named| self.known.tensor(&named.name))
                    .transpose()
            })
            .collect()
    }

    /// A tensor, a number or an integer that a run makes.
    pub(super) fn operand(&self, name: &str) -> Result<Operand> {
        if let Some(tensor) = self.find_tensor(name)? {
            return Ok(Operand::Tensor(tensor));
        }
        if let Some(number) = self.find_number(name) {
            return Ok(Operand::Number(number));
        }
        match self.find_size(name)? {
            Some(Size::Fixed(value)) => Ok(Operand::Number(Number::Integer(value))),
            Some(Size::Made(name)) => Ok(Operand::Made(name)),
            None => Self::missing(name),
        }
    }

    /// A number that is written in the program.
    pub(super) fn find_number(&self, name: &str) -> Option<Number> {
        let found = self.find(name)?;
        let boolean = found.as_bool.map(Number::Boolean);
        let integer = || found.as_int.map(Number::Integer);
        let real = || found.as_float.as_ref()?.value().map(Number::Real);
        boolean.or_else(integer).or_else(real)
    }

    pub(super) fn number(&self, name: &str) -> Result<Number> {
        self.find_number(name)
            .map_or_else(|| Self::missing(name), Ok)
    }

    pub(super) fn real(&self, name: &str, default: f64) -> f64 {
        self.find_number(name).map_or(default, Number::real)
    }

    pub(super) fn find_integer(&self, name: &str) -> Option<i64> {
        match self.find_number(name)? {
            Number::Integer(value) => Some(value),
            Number::Boolean(value) => Some(i64::from(value)),
            Number::Real(_) => None,
        }
    }

    pub(super) fn integer(&self, name: &str, default: i64) -> i64 {
        self.find_integer(name).unwrap_or(default)
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        self.find(name)
            .and_then(|found| found.as_bool)
            .unwrap_or(default)
    }

    pub(super) fn text(&self, name: &str) -> Option<&'p str> {
        self.find(name)?.as_string.as_deref()
    }

    fn size(&self, size: &SymbolicInteger) -> Result<Size> {
        match (&size.as_name, size.as_int) {
            (Some(name), _) => self.known.size(name),
            (None, Some(value)) => Ok(Size::Fixed(value)),
            (None, None) => Err(Error::failed("an integer without a value")),
        }
    }

    /// An integer that may be one that a run makes.
    pub(super) fn find_size(&self, name: &str) -> Result<Option<Size>> {
        let Some(found) = self.find(name) else {
            return Ok(None);
        };
        let made = found.as_sym_int.as_ref().map(|size| self.size(size));
        let fixed = found.as_int.map(|value| Ok(Size::Fixed(value)));
        made.or(fixed).transpose()
    }

    /// A list of integers; a single one counts as a list.
    pub(super) fn find_sizes(&self, name: &str) -> Result<Option<Vec<Size>>> {
        let Some(found) = self.find(name) else {
            return Ok(None);
        };
        if let Some(values) = &found.as_ints {
            return Ok(Some(values.iter().copied().map(Size::Fixed).collect()));
        }
        if let Some(sizes) = &found.as_sym_ints {
            return sizes
                .iter()
                .map(|size| self.size(size))
                .collect::<Result<_>>()
                .map(Some);
        }
        Ok(self.find_size(name)?.map(|size| vec![size]))
    }

    pub(super) fn sizes(&self, name: &str) -> Result<Vec<Size>> {
        self.find_sizes(name)?
            .map_or_else(|| Self::missing(name), Ok)
    }

    /// A list of known integers.
    pub(super) fn find_integers(&self, name: &str) -> Result<Option<Vec<i64>>> {
        let fixed = |size| match size {
            Size::Fixed(value) => Ok(value),
            Size::Made(_) => Err(Error::contract(format!(
                "the argument `{name}` depends on the number of rows"
            ))),
        };
        self.find_sizes(name)?
            .map(|sizes| sizes.into_iter().map(fixed).collect())
            .transpose()
    }

    pub(super) fn integers(&self, name: &str) -> Result<Vec<i64>> {
        self.find_integers(name)?
            .map_or_else(|| Self::missing(name), Ok)
    }

    /// The names of the outputs, lists among them flattened.
    pub(super) fn output_names(&self) -> Vec<&'p str> {
        output_names(self.node)
    }

    /// What an output is, by what the program declares.
    pub(super) fn output(&self, index: usize) -> Result<Tensor> {
        let names = self.output_names();
        let name = names
            .get(index)
            .ok_or_else(|| Error::failed("the operator has no output"))?;
        self.known.declared(name)
    }
}

/// The names of a node's outputs, lists among them flattened.
pub(super) fn output_names(node: &Node) -> Vec<&str> {
    let mut names = Vec::new();
    for output in &node.outputs {
        let tensors = output.as_tensors.iter().flatten();
        names.extend(
            output
                .as_tensor
                .iter()
                .chain(tensors)
                .map(|one| one.name.as_str()),
        );
        let made = output.as_sym_int.as_ref();
        names.extend(made.and_then(|made| made.as_name.as_deref()));
    }
    names
}
