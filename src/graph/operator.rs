//! One operator of a graph, ready to run: what a node says of itself, and how it is called.
//!
//! Owns attributes and their defaults, and access to a call's inputs. It must not know any operator
//! in particular.

use std::collections::HashMap;
use std::sync::Arc;

use super::fuel::Fuel;
use super::lists::{IntegerList, TextList};
use super::tensor::Tensor;
use super::value::Value;
use crate::error::{Error, Result};

/// A node's computation, with its attributes read and checked.
pub(super) type Kernel = Box<dyn Fn(&mut Call) -> Result<Vec<Value>> + Send + Sync>;

/// What an operator builds of a node.
pub(super) struct Built {
    pub(super) kernel: Kernel,
    /// The bytes that the kernel holds in addition to its inputs.
    pub(super) memory_bytes: usize,
}

impl Built {
    /// The same kernel, which holds so many bytes.
    pub(super) fn holding(self, memory_bytes: usize) -> Self {
        Self {
            memory_bytes,
            ..self
        }
    }
}

/// A value that a node gives by name.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are those of `AttributeProto`")]
pub enum Attribute {
    Float(f32),
    Int(i64),
    String(String),
    Tensor(Tensor),
    Graph(Arc<Subgraph>),
    Floats(Arc<Vec<f32>>),
    Ints(Arc<IntegerList>),
    Strings(TextList),
    Tensors(Vec<Tensor>),
}

#[cfg(test)]
impl Attribute {
    pub(super) fn integers(values: impl IntoIterator<Item = i64>) -> Self {
        Self::Ints(Arc::new(values.into_iter().collect()))
    }

    pub(super) fn floats(values: impl IntoIterator<Item = f32>) -> Self {
        Self::Floats(Arc::new(values.into_iter().collect()))
    }
}

/// What runs inside a node: a graph, whatever it is made of.
pub(crate) trait Body: std::fmt::Debug + Send + Sync {
    /// The number of its outputs.
    fn output_count(&self) -> usize;

    /// Runs it on its inputs, in their order; returns its outputs in theirs.
    ///
    /// # Errors
    /// Fails at the first node that cannot be computed, naming it, and where the fuel is out.
    fn run(&self, inputs: Vec<Value>, fuel: &Fuel) -> Result<Vec<Value>>;
}

/// A graph inside a node; what it reads of the graph around it comes as further inputs.
#[derive(Debug)]
pub struct Subgraph {
    /// The graph; its inputs are its own ones first, then what it captures.
    pub(crate) body: Box<dyn Body>,
    /// The number of its own inputs.
    pub input_count: usize,
    /// The position of its first capture among the captures of the node.
    pub first_capture: usize,
    /// The number of its captures.
    pub capture_count: usize,
}

/// What a node says of itself.
#[derive(Debug)]
pub struct Definition {
    /// The node's name, or its first output's.
    pub name: String,
    /// The operator, such as `Conv`.
    pub operator: String,
    /// The operator's domain; empty for `ai.onnx`.
    pub domain: String,
    /// The version of the domain's operator set that the model was made for.
    pub version: i64,
    /// The attributes by name.
    pub attributes: HashMap<String, Attribute>,
    /// For each input that the node lists, whether it is given.
    pub inputs: Vec<bool>,
    /// For each output that the node lists, whether somebody wants it.
    pub outputs: Vec<bool>,
}

macro_rules! getters {
    ($($name:ident, $variant:ident, $type:ty;)*) => {
        $(pub(super) fn $name(&self, name: &str) -> Result<Option<$type>> {
            match self.attributes.get(name) {
                None => Ok(None),
                Some(Attribute::$variant(value)) => Ok(Some(value.clone())),
                Some(_) => Err(of_another_type(name)),
            }
        })*
    };
}

macro_rules! borrowers {
    ($($name:ident, $variant:ident, $type:ty;)*) => {
        $(pub(super) fn $name(&self, name: &str) -> Result<Option<&$type>> {
            match self.attributes.get(name) {
                None => Ok(None),
                Some(Attribute::$variant(values)) => Ok(Some(values)),
                Some(_) => Err(of_another_type(name)),
            }
        })*
    };
}

impl Definition {
    borrowers! {
        floats_of, Floats, [f32];
        integer_list_of, Ints, IntegerList;
        text_list_of, Strings, TextList;
    }

    getters! {
        find_float, Float, f32;
        find_int, Int, i64;
        find_string, String, String;
        find_tensor, Tensor, Tensor;
        find_graph, Graph, Arc<Subgraph>;
    }

    pub(super) fn find_ints(&self, name: &str) -> Result<Option<Vec<i64>>> {
        Ok(self.integer_list_of(name)?.map(IntegerList::to_vec))
    }

    pub(super) fn find_floats(&self, name: &str) -> Result<Option<Vec<f32>>> {
        Ok(self.floats_of(name)?.map(<[f32]>::to_vec))
    }

    pub(super) fn find_strings(&self, name: &str) -> Result<Option<Vec<Arc<str>>>> {
        Ok(self.text_list_of(name)?.map(TextList::to_vec))
    }

    pub(super) fn float(&self, name: &str, default: f32) -> Result<f32> {
        Ok(self.find_float(name)?.unwrap_or(default))
    }

    pub(super) fn int(&self, name: &str, default: i64) -> Result<i64> {
        Ok(self.find_int(name)?.unwrap_or(default))
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool> {
        Ok(self.find_int(name)?.map_or(default, |value| value != 0))
    }

    pub(super) fn string(&self, name: &str, default: &str) -> Result<String> {
        Ok(self
            .find_string(name)?
            .unwrap_or_else(|| default.to_owned()))
    }

    pub(super) fn required_int(&self, name: &str) -> Result<i64> {
        self.find_int(name)?.ok_or_else(|| missing_attribute(name))
    }

    pub(super) fn requested_graph(&self, name: &str) -> Result<Arc<Subgraph>> {
        self.find_graph(name)?
            .ok_or_else(|| missing_attribute(name))
    }

    /// One of a few words, as its position among them.
    pub(super) fn choice(&self, name: &str, words: &[&str], default: usize) -> Result<usize> {
        let Some(word) = self.find_string(name)? else {
            return Ok(default);
        };
        words
            .iter()
            .position(|known| *known == word)
            .ok_or_else(|| Error::contract(format!("`{name} = {word}` is not supported")))
    }

    /// Whether the input of this position is given.
    pub(super) fn has_input(&self, position: usize) -> bool {
        self.inputs.get(position).copied().unwrap_or(false)
    }

    /// Whether the output of this position is needed.
    pub(super) fn has_output(&self, position: usize) -> bool {
        self.outputs.get(position).copied().unwrap_or(false)
    }
}

fn of_another_type(name: &str) -> Error {
    Error::failed(format!(
        "the attribute `{name}` is of another type than the operator's"
    ))
}

/// The error for an attribute that the operator cannot do without.
pub(super) fn missing_attribute(name: &str) -> Error {
    Error::failed(format!("the attribute `{name}` is missing"))
}

/// One execution of a node.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// The inputs in order, then what its subgraphs capture.
    pub(super) inputs: Vec<Option<Value>>,
    /// What the run may still do.
    pub(super) fuel: &'a Fuel,
}

impl Call<'_> {
    /// An input that must be a tensor.
    pub(super) fn tensor(&self, position: usize) -> Result<&Tensor> {
        self.optional(position)?.ok_or_else(|| missing(position))
    }

    /// An input that may be dropped.
    pub(super) fn optional(&self, position: usize) -> Result<Option<&Tensor>> {
        self.inputs
            .get(position)
            .and_then(Option::as_ref)
            .map(Value::tensor)
            .transpose()
    }

    /// Any input.
    pub(super) fn value(&self, position: usize) -> Result<&Value> {
        self.inputs
            .get(position)
            .and_then(Option::as_ref)
            .ok_or_else(|| missing(position))
    }

    /// A tensor, to be changed or passed on.
    pub(super) fn take(&mut self, position: usize) -> Result<Tensor> {
        self.inputs
            .get_mut(position)
            .and_then(Option::take)
            .ok_or_else(|| missing(position))?
            .into_tensor()
    }

    /// Any input, to be passed on.
    pub(super) fn take_value(&mut self, position: usize) -> Result<Value> {
        self.inputs
            .get_mut(position)
            .and_then(Option::take)
            .ok_or_else(|| missing(position))
    }

    /// All inputs, which must be tensors.
    pub(super) fn tensors(&self) -> Result<Vec<&Tensor>> {
        (0..self.inputs.len())
            .map(|position| self.tensor(position))
            .collect()
    }

    /// The integers of an input, if it is given.
    pub(super) fn integers(&self, position: usize) -> Result<Option<Vec<i64>>> {
        self.optional(position)?.map(Tensor::integers).transpose()
    }
}

fn missing(position: usize) -> Error {
    Error::failed(format!("input {position} is missing"))
}

/// A kernel of any outputs.
#[expect(
    clippy::unnecessary_wraps,
    reason = "the last line of every `build`, which may fail before it"
)]
pub(super) fn several(
    run: impl Fn(&mut Call) -> Result<Vec<Value>> + Send + Sync + 'static,
) -> Result<Built> {
    Ok(Built {
        kernel: Box::new(run),
        memory_bytes: 0,
    })
}

/// A kernel whose one output is a tensor.
pub(super) fn single(
    run: impl Fn(&mut Call) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Built> {
    several(move |call| Ok(vec![Value::Tensor(run(call)?)]))
}
