//! Programs of `torch.export`, `.pt2`: the JSON of a graph and raw weights, run by the graph
//! engine.
//!
//! Owns recognition, the names of inputs and outputs, and what users are shown. The program becomes
//! an ONNX graph in memory, which [`super::onnx`] opens, so that rows, columns and types are bound
//! as those of ONNX files are. Nothing in an archive is run: Python objects in it are passed over,
//! or read as data, and machine code is refused.
//!
//! | file | owns |
//! |---|---|
//! | [`layout`] | where program and weights lie in an archive |
//! | [`program`] | the JSON's fields |
//! | [`translation`] | from calls to nodes: names, order, operators that are not known |
//! | [`operator`] | the list of operators |
//! | [`known`], [`call`], [`value`] | values so far, the arguments of one call, what they are |
//! | [`writer`], [`message`] | nodes being written |
//! | the others | what PyTorch's operators become, by family |

mod activation;
mod arithmetic;
mod call;
mod comparison;
mod convolution;
mod known;
mod layout;
mod message;
mod movement;
mod normalization;
mod operator;
mod product;
mod program;
mod recurrent;
mod reduction;
mod selection;
mod size;
#[cfg(test)]
mod tests;
mod translation;
mod value;
mod writer;

use std::collections::{BTreeMap, HashSet};

use self::known::Known;
use self::layout::Saved;
use self::program::{InputSpec, Program};
use self::translation::{check_changes, needed, refuse_unknown, write};
use self::value::Tensor;
use self::writer::Writer;
use super::importer::{Artefact, FileImporter, ImportOptions};
use super::inert::inert;
use super::onnx::Onnx;
use crate::error::{Error, Kind, Result};
use crate::model::{Description, LoadedModel};

/// The operator set of ONNX that the operators are written in.
const OPERATOR_SET: i64 = 23;

/// The schema that is read; a larger one may mean something else.
const SCHEMA: i64 = 8;

/// The importer of exported programs.
#[derive(Debug)]
pub(crate) struct ExportedProgram;

impl FileImporter for ExportedProgram {
    fn name(&self) -> &'static str {
        "pt2"
    }

    fn recognises(&self, artefact: &Artefact) -> bool {
        layout::is_program(&artefact.bytes)
    }

    fn may_begin(&self, head: &Artefact) -> bool {
        layout::may_begin(&head.bytes)
    }

    fn import(&self, artefact: &Artefact, options: &ImportOptions) -> Result<LoadedModel> {
        let (mut saved, program) = Saved::open(artefact.bytes.clone())?;
        let mut description = describe(&program)?;
        let graph = written(&mut saved, &program);
        let graph = graph.map(|graph| Artefact::new(artefact.path.clone(), graph));
        match graph.and_then(|graph| Onnx.import(&graph, options)) {
            Ok(loaded) => {
                let facts = loaded.description.facts.into_iter();
                description
                    .facts
                    .extend(facts.filter(|(name, _)| name == "runs_as"));
                Ok(LoadedModel {
                    description,
                    ..loaded
                })
            }
            Err(error) if options.for_inspection && error.kind() == Kind::Contract => {
                let input_count = inputs(&program).len();
                Ok(inert("graph", description, input_count, &error))
            }
            Err(error) => Err(error),
        }
    }
}

/// The names of the tensors that a user feeds.
fn inputs(program: &Program) -> Vec<&str> {
    let specs = program.graph_module.signature.input_specs.iter();
    specs
        .filter_map(|spec| spec.user_input.as_ref()?.arg.as_tensor.as_ref())
        .map(|named| named.name.as_str())
        .collect()
}

/// The names of the tensors that come out.
fn outputs(program: &Program) -> Result<Vec<&str>> {
    let specs = program.graph_module.signature.output_specs.iter();
    let names: Vec<&str> = specs
        .filter_map(|spec| spec.user_output.as_ref()?.arg.as_tensor.as_ref())
        .map(|named| named.name.as_str())
        .collect();
    if names.is_empty() {
        return Err(Error::contract(
            "the program has no tensor among its outputs",
        ));
    }
    Ok(names)
}

/// What the outputs are called: by the keys of a dictionary, `output` for one, else by number.
fn output_names(program: &Program, count: usize) -> Vec<String> {
    let calls = &program.graph_module.module_call_graph;
    let whole = calls.iter().find(|call| call.fqn.is_empty());
    let keys = whole
        .and_then(|call| call.signature.as_ref())
        .and_then(|signature| keys(&signature.out_spec))
        .filter(|keys| keys.len() == count && keys.iter().collect::<HashSet<_>>().len() == count);
    match (keys, count) {
        (Some(keys), _) => keys,
        (None, 1) => vec!["output".to_owned()],
        (None, _) => (0..count).map(|index| format!("output_{index}")).collect(),
    }
}

/// The keys of a dictionary of tensors in the description of a value's tree.
fn keys(tree: &str) -> Option<Vec<String>> {
    let tree: serde_json::Value = serde_json::from_str(tree).ok()?;
    let root = tree.get(1)?;
    if !root.get("type")?.as_str()?.to_lowercase().ends_with("dict") {
        return None;
    }
    let children = root.get("children_spec")?.as_array()?;
    if !children
        .iter()
        .all(|child| child.get("type").is_some_and(serde_json::Value::is_null))
    {
        return None;
    }
    serde_json::from_str(root.get("context")?.as_str()?).ok()
}

/// The name that the module gives an input's tensor: a weight, a buffer or a constant.
fn stored(spec: &InputSpec) -> Option<(&str, &str)> {
    let parameter = spec.parameter.as_ref();
    let parameter = parameter.map(|one| (one.arg.name.as_str(), one.parameter_name.as_str()));
    let buffer = spec.buffer.as_ref();
    let buffer = buffer.map(|one| (one.arg.name.as_str(), one.buffer_name.as_str()));
    let constant = spec.tensor_constant.as_ref();
    let constant = constant.map(|one| (one.arg.name.as_str(), one.tensor_constant_name.as_str()));
    parameter.or(buffer).or(constant)
}

/// The program as an ONNX file.
fn written(saved: &mut Saved, program: &Program) -> Result<Vec<u8>> {
    let outputs = outputs(program)?;
    let (nodes, read) = needed(&program.graph_module.graph, &outputs)?;
    refuse_unknown(&nodes)?;
    check_changes(&nodes, &outputs)?;
    let (mut known, mut graph) = (Known::new(&program.graph_module.graph), Writer::default());
    for spec in &program.graph_module.signature.input_specs {
        if let Some((name, own)) = stored(spec).filter(|(name, _)| read.contains(name)) {
            let tensor = saved.tensor(own)?;
            graph
                .graph
                .constant(name, tensor.element, &tensor.shape, &tensor.bytes);
            let declared = known.declared(name)?;
            check_declared(&declared, &tensor).map_err(|error| error.at_node(own.to_owned()))?;
            known.define(name, name.to_owned());
        }
    }
    for name in inputs(program) {
        let Tensor { element, shape, .. } = known.declared(name)?;
        graph.graph.input(name, element, &shape);
        known.define(name, name.to_owned());
    }
    for node in nodes {
        write(&mut known, node, &mut graph)?;
    }
    for (name, mut public) in outputs.iter().zip(output_names(program, outputs.len())) {
        let Tensor {
            name,
            element,
            shape,
        } = known.tensor(name)?;
        // Weights and inputs have names of their own.
        while program
            .graph_module
            .graph
            .tensor_values
            .contains_key(&public)
        {
            public.push_str("_output");
        }
        graph.graph.node(
            &public,
            "Identity",
            &[&name],
            std::slice::from_ref(&public),
            &[],
        );
        graph.graph.output(&public, element, &shape);
    }
    Ok(graph.graph.file(OPERATOR_SET))
}

/// Checks that a weight is what the program says that it is.
fn check_declared(declared: &Tensor, stored: &layout::Stored) -> Result<()> {
    let shape: Vec<message::Length> = stored
        .shape
        .iter()
        .copied()
        .map(message::Length::Fixed)
        .collect();
    if declared.element == stored.element && declared.shape == shape {
        return Ok(());
    }
    Err(
        Error::failed("the weight has another type or shape than the program declares")
            .hint("the file is damaged: copy or save it again"),
    )
}

fn describe(program: &Program) -> Result<Description> {
    let version = program.schema_version.as_ref();
    if let Some(version) = version.filter(|version| version.major > SCHEMA) {
        return Err(Error::contract(format!(
            "the program has the schema {}.{}, and tallow reads up to {SCHEMA}",
            version.major, version.minor
        ))
        .hint("save it with an older PyTorch, or use `torch.onnx.export`"));
    }
    let graph = &program.graph_module.graph;
    let mut counts = BTreeMap::<&str, usize>::new();
    for node in &graph.nodes {
        let name = node
            .target
            .strip_prefix("torch.ops.")
            .unwrap_or(&node.target);
        *counts.entry(name).or_default() += 1;
    }
    let counts = counts
        .iter()
        .map(|(name, count)| format!("{name} × {count}"));
    let known = Known::new(graph);
    let port = |name: &str, public: &str| match known.declared(name) {
        Ok(tensor) => format!("{public}: {}", shown(&tensor)),
        Err(_) => public.to_owned(),
    };
    let listed = |ports: Vec<String>| ports.join(", ");
    let made = outputs(program).unwrap_or_default();
    let names = output_names(program, made.len());
    let made = made
        .iter()
        .zip(&names)
        .map(|(name, public)| port(name, public))
        .collect();
    let fed = inputs(program)
        .into_iter()
        .map(|name| port(name, name))
        .collect();
    let mut facts = vec![
        ("nodes".to_owned(), graph.nodes.len().to_string()),
        (
            "operators".to_owned(),
            counts.collect::<Vec<_>>().join(", "),
        ),
        ("graph_inputs".to_owned(), listed(fed)),
        ("graph_outputs".to_owned(), listed(made)),
    ];
    let producer = program
        .torch_version
        .as_ref()
        .filter(|version| !version.is_empty());
    if let Some(version) = producer {
        facts.insert(0, ("producer".to_owned(), format!("PyTorch {version}")));
    }
    Ok(Description {
        format: "pt2".into(),
        format_version: version.map(|version| format!("{}.{}", version.major, version.minor)),
        facts,
        sidecars: Vec::new(),
    })
}

/// A tensor's type and shape, such as `float[batch × 4]`.
fn shown(tensor: &Tensor) -> String {
    let length = |length: &message::Length| match length {
        message::Length::Fixed(length) => length.to_string(),
        message::Length::Named(_) => "?".to_owned(),
    };
    let lengths: Vec<String> = tensor.shape.iter().map(length).collect();
    format!("{}[{}]", tensor.element.name(), lengths.join(" × "))
}
