//! The faithful structs of an exported program's JSON, as far as a graph of tensors needs them.
//!
//! Owns field names and nothing else. Source: `torch/_export/serde/schema.py` of PyTorch 2.5 to
//! 2.15, schema version 8.

use std::collections::HashMap;

use serde::Deserialize;

/// The program and what saved it.
#[derive(Debug, Deserialize)]
pub(super) struct Program {
    pub(super) graph_module: GraphModule,
    pub(super) schema_version: Option<SchemaVersion>,
    pub(super) torch_version: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SchemaVersion {
    pub(super) major: i64,
    pub(super) minor: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct GraphModule {
    pub(super) graph: Graph,
    pub(super) signature: Signature,
    #[serde(default)]
    pub(super) module_call_graph: Vec<ModuleCall>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) tensor_values: HashMap<String, TensorMeta>,
}

/// One step of the program.
#[derive(Debug, Deserialize)]
pub(super) struct Node {
    pub(super) target: String,
    #[serde(default)]
    pub(super) inputs: Vec<NamedArgument>,
    #[serde(default)]
    pub(super) outputs: Vec<Argument>,
    pub(super) name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct NamedArgument {
    pub(super) name: String,
    pub(super) arg: Argument,
}

/// One of the kinds of values; all fields are empty for `None` and for kinds that no operator here
/// reads.
#[derive(Debug, Default, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names of the format")]
pub(super) struct Argument {
    pub(super) as_tensor: Option<Named>,
    pub(super) as_tensors: Option<Vec<Named>>,
    pub(super) as_optional_tensors: Option<Vec<OptionalTensor>>,
    pub(super) as_int: Option<i64>,
    pub(super) as_ints: Option<Vec<i64>>,
    pub(super) as_float: Option<Real>,
    pub(super) as_string: Option<String>,
    pub(super) as_bool: Option<bool>,
    pub(super) as_sym_int: Option<SymbolicInteger>,
    pub(super) as_sym_ints: Option<Vec<SymbolicInteger>>,
}

/// A value's name.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct OptionalTensor {
    pub(super) as_tensor: Option<Named>,
}

/// A number, or the name of one that JSON does not have.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Real {
    Number(f64),
    Text(String),
}

impl Real {
    pub(super) fn value(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

/// An integer that is known, or the name of one that a run makes.
#[derive(Debug, Deserialize)]
pub(super) struct SymbolicInteger {
    pub(super) as_int: Option<i64>,
    pub(super) as_name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TensorMeta {
    pub(super) dtype: i64,
    pub(super) sizes: Vec<SymbolicLength>,
    pub(super) strides: Vec<SymbolicLength>,
    pub(super) storage_offset: Option<SymbolicLength>,
    #[serde(default)]
    pub(super) layout: i64,
}

/// A length that is known, or an expression of symbols.
#[derive(Debug, Deserialize)]
pub(super) struct SymbolicLength {
    pub(super) as_int: Option<i64>,
    pub(super) as_expr: Option<Expression>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Expression {
    pub(super) expr_str: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Signature {
    pub(super) input_specs: Vec<InputSpec>,
    pub(super) output_specs: Vec<OutputSpec>,
}

/// One of the kinds of inputs; all fields are empty for constants and kinds that nothing reads.
#[derive(Debug, Deserialize)]
pub(super) struct InputSpec {
    pub(super) user_input: Option<ArgumentSpec>,
    pub(super) parameter: Option<Parameter>,
    pub(super) buffer: Option<Buffer>,
    pub(super) tensor_constant: Option<Constant>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ArgumentSpec {
    pub(super) arg: Argument,
}

#[derive(Debug, Deserialize)]
pub(super) struct Parameter {
    pub(super) arg: Named,
    pub(super) parameter_name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Buffer {
    pub(super) arg: Named,
    pub(super) buffer_name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Constant {
    pub(super) arg: Named,
    pub(super) tensor_constant_name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct OutputSpec {
    pub(super) user_output: Option<ArgumentSpec>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ModuleCall {
    pub(super) fqn: String,
    pub(super) signature: Option<CallSignature>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CallSignature {
    pub(super) out_spec: String,
}

/// Where the bytes of weights or constants lie, by their names in the module.
#[derive(Debug, Deserialize)]
pub(super) struct Payloads {
    pub(super) config: HashMap<String, Payload>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Payload {
    pub(super) path_name: String,
    #[serde(default)]
    pub(super) use_pickle: bool,
    pub(super) tensor_meta: Option<TensorMeta>,
}
