//! Nodes of ONNX's operators being written, with the small steps that PyTorch's are made of.
//!
//! Owns the names of what is made, constants, changes of type and shapes. It must not know any
//! operator of PyTorch.

use half::{bf16, f16};

use super::message::{Attribute, Graph, Length};
use super::value::{Number, Operand, Size, Tensor};
use crate::error::{Error, Result};
use crate::graph::ElementType;

/// A graph being written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) graph: Graph,
    made_count: usize,
    /// The node of the program that is being written, for messages.
    label: String,
}

/// Whether a type is one of integers.
pub(super) const fn is_integer(element: ElementType) -> bool {
    !element.is_float() && !matches!(element, ElementType::Bool | ElementType::String)
}

/// The bytes of a number as an element.
pub(super) fn bytes_of(element: ElementType, number: Number) -> Result<Vec<u8>> {
    let real = number.real();
    let integer = match number {
        Number::Integer(value) => value,
        Number::Boolean(value) => i64::from(value),
        Number::Real(value) => value as i64,
    };
    Ok(match element {
        ElementType::Float => (real as f32).to_le_bytes().to_vec(),
        ElementType::Double => real.to_le_bytes().to_vec(),
        ElementType::Float16 => f16::from_f64(real).to_le_bytes().to_vec(),
        ElementType::Bfloat16 => bf16::from_f64(real).to_le_bytes().to_vec(),
        ElementType::Bool => vec![u8::from(real != 0.0)],
        ElementType::String => return Err(Error::failed("a number where a text is expected")),
        other => integer.to_le_bytes()[..other.bytes()].to_vec(),
    })
}

impl Writer {
    /// Begins with the nodes of a node of the program.
    pub(super) fn begin(&mut self, label: &str) {
        label.clone_into(&mut self.label);
    }

    fn name(&mut self) -> String {
        self.made_count += 1;
        format!("%{}", self.made_count)
    }

    /// A node of several outputs.
    pub(super) fn several(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute<'_>)],
        count: usize,
    ) -> Vec<String> {
        let outputs: Vec<String> = (0..count).map(|_| self.name()).collect();
        self.graph
            .node(&self.label, operator, inputs, &outputs, attributes);
        outputs
    }

    /// A node with attributes.
    pub(super) fn with(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute<'_>)],
    ) -> String {
        let output = self.name();
        let outputs = std::slice::from_ref(&output);
        self.graph
            .node(&self.label, operator, inputs, outputs, attributes);
        output
    }

    /// A node without attributes.
    pub(super) fn node(&mut self, operator: &str, inputs: &[&str]) -> String {
        self.with(operator, inputs, &[])
    }

    fn constant(&mut self, element: ElementType, shape: &[i64], bytes: &[u8]) -> String {
        let name = self.name();
        self.graph.constant(&name, element, shape, bytes);
        name
    }

    /// A constant list of integers.
    pub(super) fn integers(&mut self, values: &[i64]) -> String {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.constant(ElementType::Int64, &[values.len() as i64], &bytes)
    }

    /// A constant integer of no axes.
    pub(super) fn integer(&mut self, value: i64) -> String {
        self.constant(ElementType::Int64, &[], &value.to_le_bytes())
    }

    /// A constant of no axes.
    pub(super) fn number(&mut self, element: ElementType, number: Number) -> Result<String> {
        let bytes = bytes_of(element, number)?;
        Ok(self.constant(element, &[], &bytes))
    }

    /// A constant real number of no axes.
    pub(super) fn real(&mut self, element: ElementType, value: f64) -> Result<String> {
        self.number(element, Number::Real(value))
    }

    /// A tensor of this shape, which is a list of integers, full of one number.
    pub(super) fn of_shape(
        &mut self,
        element: ElementType,
        shape: &str,
        number: Number,
    ) -> Result<String> {
        let value = Attribute::One(element, bytes_of(element, number)?);
        Ok(self.with("ConstantOfShape", &[shape], &[("value", value)]))
    }

    /// A value of one type as one of another.
    pub(super) fn cast(&mut self, name: &str, from: ElementType, to: ElementType) -> String {
        if from == to {
            return name.to_owned();
        }
        let code = Attribute::Integer(super::message::code(to));
        self.with("Cast", &[name], &[("to", code)])
    }

    /// A tensor as one of another type.
    pub(super) fn as_type(&mut self, tensor: &Tensor, to: ElementType) -> String {
        self.cast(&tensor.name, tensor.element, to)
    }

    /// An operand as a tensor of a type; numbers have no axes.
    pub(super) fn operand(&mut self, operand: &Operand, to: ElementType) -> Result<String> {
        match operand {
            Operand::Tensor(tensor) => Ok(self.as_type(tensor, to)),
            Operand::Number(number) => self.number(to, *number),
            Operand::Made(name) => Ok(self.cast(name, ElementType::Int64, to)),
        }
    }

    /// An integer as a tensor of no axes.
    pub(super) fn size(&mut self, size: &Size) -> String {
        match size {
            Size::Fixed(value) => self.integer(*value),
            Size::Made(name) => name.clone(),
        }
    }

    /// Integers as a list.
    pub(super) fn sizes(&mut self, sizes: &[Size]) -> String {
        let fixed = |size: &Size| match size {
            Size::Fixed(value) => Some(*value),
            Size::Made(_) => None,
        };
        if let Some(values) = sizes.iter().map(fixed).collect::<Option<Vec<i64>>>() {
            return self.integers(&values);
        }
        let axes = self.integers(&[0]);
        let parts: Vec<String> = sizes
            .iter()
            .map(|size| match size {
                Size::Fixed(value) => self.integers(&[*value]),
                Size::Made(name) => self.node("Unsqueeze", &[name, &axes]),
            })
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.with("Concat", &parts, &[("axis", Attribute::Integer(0))])
    }

    /// The length of an axis.
    pub(super) fn length(&mut self, tensor: &Tensor, axis: usize) -> Size {
        if let Some(Length::Fixed(length)) = tensor.shape.get(axis) {
            return Size::Fixed(*length);
        }
        let shape = self.node("Shape", &[&tensor.name]);
        let index = self.integer(axis as i64);
        Size::Made(self.node("Gather", &[&shape, &index]))
    }

    /// A tensor in another shape, which the program declares. `sizes` are the lengths that the
    /// call names, for axes that are open and not the tensor's own.
    pub(super) fn reshaped(
        &mut self,
        tensor: &Tensor,
        shape: &[Length],
        sizes: &[Size],
    ) -> Result<String> {
        if tensor.shape == shape {
            return Ok(tensor.name.clone());
        }
        let mut has_rest = false;
        let mut lengths = Vec::with_capacity(shape.len());
        for (axis, length) in shape.iter().enumerate() {
            let size = match length {
                Length::Fixed(value) => Size::Fixed(*value),
                Length::Named(_) if !has_rest => {
                    has_rest = true;
                    Size::Fixed(-1)
                }
                Length::Named(_) => {
                    let own = tensor.shape.iter().position(|other| other == length);
                    match (own, sizes.get(axis)) {
                        (Some(own), _) => self.length(tensor, own),
                        (None, Some(Size::Made(name))) => Size::Made(name.clone()),
                        _ => {
                            return Err(Error::contract(
                                "a shape with several open axes is not supported",
                            ));
                        }
                    }
                }
            };
            lengths.push(size);
        }
        let lengths = self.sizes(&lengths);
        // A length of 0 means the tensor's own otherwise.
        let is_empty = shape.contains(&Length::Fixed(0));
        let zeros = [("allowzero", Attribute::Integer(i64::from(is_empty)))];
        Ok(self.with("Reshape", &[&tensor.name, &lengths], &zeros))
    }

    /// A part of an axis; `steps` may be negative.
    pub(super) fn slice(&mut self, name: &str, axis: usize, [from, to, step]: [i64; 3]) -> String {
        let [from, to, axes, step] =
            [from, to, axis as i64, step].map(|value| self.integers(&[value]));
        self.node("Slice", &[name, &from, &to, &axes, &step])
    }

    /// Axes of length 1 put in.
    pub(super) fn unsqueezed(&mut self, name: &str, axes: &[i64]) -> String {
        let axes = self.integers(axes);
        self.node("Unsqueeze", &[name, &axes])
    }

    /// Axes of length 1 taken out.
    pub(super) fn squeezed(&mut self, name: &str, axes: &[i64]) -> String {
        let axes = self.integers(axes);
        self.node("Squeeze", &[name, &axes])
    }

    /// Axes in another order.
    pub(super) fn transposed(&mut self, name: &str, order: &[i64]) -> String {
        self.with(
            "Transpose",
            &[name],
            &[("perm", Attribute::Integers(order))],
        )
    }

    /// Tensors one behind the other.
    pub(super) fn joined(&mut self, parts: &[String], axis: usize) -> String {
        if let [one] = parts {
            return one.clone();
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.with(
            "Concat",
            &parts,
            &[("axis", Attribute::Integer(axis as i64))],
        )
    }
}
