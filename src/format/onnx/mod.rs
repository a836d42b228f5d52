//! ONNX: files of PyTorch, Keras, scikit-learn and the tree libraries, opened and fitted to tables.
//!
//! Owns how a file is recognised, what it needs of a table and what its outputs are called. The
//! graph itself is translated in `onnx_graph`, tensors in `onnx_tensor`. Source:
//! <https://github.com/onnx/onnx/blob/main/docs/IR.md>.

mod attribute;
mod contract;
mod decision;
mod graph;
mod missing;
mod order;
mod outline;
mod outputs;
mod port;
mod rows;
mod schema;
mod tensor;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use self::contract::{Inputs, inputs};
use self::graph::{plain_domain, translate};
use self::outline::{agrees, declared};
use self::outputs::{Outputs, answers};
pub use self::port::{Port, PortKind, read_value};
use self::rows::{Rows, contradicted, in_doubt, rows};
use self::schema::{Graph as GraphProto, Model as ModelProto, SparseTensorProto};
use self::tensor::External;
use super::inert::inert;
use super::wire::protobuf::{Budget, Message, Wire};
use super::{Artefact, FileImporter, ImportOptions};
use crate::contract::Contract;
use crate::error::{Error, Kind, Result};
use crate::graph::table::{GraphModel, RUNS_AS};
use crate::graph::{Following, Graph, Value};
use crate::model::{Description, LoadedModel, TrainedModel};
use crate::outcome::{Finished, Link, Outcome, Task};

/// The fields of `ModelProto`.
const KNOWN_FIELDS: [u64; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26];

/// The longest open axis that is tried, and how many lengths are.
const MAX_SAMPLE: usize = 1 << 16;
const MAX_TRIALS: usize = 64;

/// A graph with its inputs and outputs.
#[derive(Debug)]
pub struct OpenGraph {
    /// The graph.
    pub graph: Graph,
    /// Its inputs, in order, without those that the file gives values.
    pub inputs: Vec<Port>,
    /// Its outputs, in order.
    pub outputs: Vec<Port>,
}

/// Reads a model and makes its graph ready to run.
///
/// # Errors
/// Fails for a broken file; a contract error for operators and types that are not supported.
pub fn open_graph(bytes: &[u8]) -> Result<OpenGraph> {
    open_graph_with(bytes, Vec::new())
}

/// As [`open_graph`], of a model that keeps tensors in these files, (name, content).
///
/// # Errors
/// As [`open_graph`]; a contract error for data in another file.
pub fn open_graph_with(bytes: &[u8], files: Vec<(String, Vec<u8>)>) -> Result<OpenGraph> {
    let budget = Budget::new();
    let model = read_model(bytes, &budget)?;
    let graph = graph_of(&model)?;
    let (inputs, outputs) = ports(graph)?;
    Ok(OpenGraph {
        graph: translate(&model, graph, &External::holding(files))?,
        inputs,
        outputs,
    })
}

/// The fields of a file, the nodes of its graphs in an order in which they can run.
fn read_model<'a>(bytes: &'a [u8], budget: &'a Budget) -> Result<ModelProto<'a>> {
    let mut model = ModelProto::read(Message::new(bytes, budget))?;
    order::sort_model(&mut model);
    Ok(model)
}

fn graph_of<'m, 'a>(model: &'m ModelProto<'a>) -> Result<&'m GraphProto<'a>> {
    model
        .graph
        .as_ref()
        .ok_or_else(|| Error::failed("the file holds no graph"))
}

fn ports(graph: &GraphProto) -> Result<(Vec<Port>, Vec<Port>)> {
    let sparse = graph
        .sparse_initializers
        .iter()
        .map(SparseTensorProto::name);
    let initialised: std::collections::HashSet<&str> = graph
        .initializers
        .iter()
        .map(|tensor| tensor.name)
        .chain(sparse)
        .collect();
    let inputs = graph
        .inputs
        .iter()
        .filter(|input| !initialised.contains(input.name))
        .map(Port::of)
        .collect::<Result<Vec<Port>>>()?;
    let outputs = graph
        .outputs
        .iter()
        .map(Port::of)
        .collect::<Result<Vec<Port>>>()?;
    Ok((inputs, outputs))
}

/// Recognises and imports ONNX files.
#[derive(Debug)]
pub struct Onnx;

impl FileImporter for Onnx {
    fn name(&self) -> &'static str {
        "onnx"
    }

    /// The format has no magic number: every field must be one of `ModelProto`, a graph and a
    /// version among them.
    fn recognises(&self, artefact: &Artefact) -> bool {
        let budget = Budget::new();
        let mut message = Message::new(&artefact.bytes, &budget);
        let (mut has_version, mut has_graph) = (false, false);
        loop {
            match message.next() {
                Ok(Some((1, Wire::Varint(version)))) if (1..=64).contains(&version) => {
                    has_version = true;
                }
                Ok(Some((7, Wire::Bytes(_)))) => has_graph = true,
                Ok(Some((5, Wire::Varint(_)))) => {}
                Ok(Some((number, Wire::Bytes(_)))) if KNOWN_FIELDS.contains(&number) => {}
                Ok(None) => return has_version && has_graph,
                _ => return false,
            }
        }
    }

    /// The fields that end within the head are ones of `ModelProto`, and so is the first one that
    /// does not.
    fn may_begin(&self, head: &Artefact) -> bool {
        let budget = Budget::new();
        let mut message = Message::new(&head.bytes, &budget);
        loop {
            let key = message.key();
            match message.next() {
                Ok(Some((number, _))) if KNOWN_FIELDS.contains(&number) => {}
                Ok(None) => return true,
                Ok(Some(_)) => return false,
                Err(_) => {
                    return key.is_some_and(|(number, is_bytes)| {
                        is_bytes && KNOWN_FIELDS.contains(&number)
                    });
                }
            }
        }
    }

    fn import(&self, artefact: &Artefact, options: &ImportOptions) -> Result<LoadedModel> {
        let budget = Budget::new();
        let model = read_model(&artefact.bytes, &budget)?;
        let graph = graph_of(&model)?;
        let mut description = describe(&model, graph);
        let external = External::new(Some(artefact));
        match load(&model, graph, &external, options) {
            Ok((model, contract, outcome)) => {
                description.sidecars = external.digests();
                let names: Vec<&str> = description
                    .sidecars
                    .iter()
                    .map(|(name, _)| name.as_str())
                    .collect();
                description.facts.extend(
                    (!names.is_empty()).then(|| ("external_data".to_owned(), names.join(", "))),
                );
                description.facts.push((RUNS_AS.into(), model.runs_as()));
                Ok(LoadedModel {
                    model: TrainedModel::columnar(model),
                    contract,
                    outcome,
                    description,
                })
            }
            Err(error) if options.for_inspection && error.kind() == Kind::Contract => {
                Ok(inert("graph", description, graph.inputs.len(), &error))
            }
            Err(error) => Err(error),
        }
    }
}

fn load(
    model: &ModelProto,
    graph: &GraphProto,
    external: &External,
    options: &ImportOptions,
) -> Result<(GraphModel, Contract, Outcome)> {
    let translated = translate(model, graph, external)?;
    let (input_ports, output_ports) = ports(graph)?;
    let Rows {
        inputs: rows,
        outputs: axes,
    } = rows(&input_ports, &output_ports, &options.rows_axes)?;
    let Inputs {
        contract,
        feeds,
        batch,
    } = inputs(model, &input_ports, &rows, options)?;
    let runner = GraphModel::new(translated, feeds, batch)?.with_output_axes(axes);
    let Sampled {
        runner,
        outline,
        following,
    } = sampled(runner, graph, &output_ports)?;
    // Where rows go through one by one, no trial run shows which axis counts them.
    let goes_alone = runner.batch() == Some(1);
    // A graph need not take zeros.
    let trial = || runner.run_zeros().unwrap_or_default();
    let Outputs { answers, classes } = answers(graph, &output_ports, &outline, &trial)?;
    let runner = runner.answered(answers, &outline)?;
    let doubtful = input_ports
        .iter()
        .zip(&rows)
        .find(|(_, rows)| !rows.others.is_empty());
    if let Some((port, rows)) = doubtful.filter(|_| goes_alone || runner.mixes_rows()) {
        return Err(in_doubt(port, rows));
    }
    let mut inputs = input_ports.iter().zip(&rows);
    let contradicted = |(port, rows)| Some((port, contradicted(port, rows, &options.rows_axes)?));
    if let Some((port, rows)) = inputs
        .find_map(contradicted)
        .filter(|_| following == Following::None)
    {
        return Err(in_doubt(port, &rows));
    }
    let columns = Finished {
        fields: runner.fields().to_vec(),
        classes,
        threshold: None,
    };
    let outcome = Outcome {
        task: Task::Columns(columns),
        link: Link::Identity,
    };
    Ok((runner, contract, outcome))
}

/// A model whose trial runs are done.
struct Sampled {
    runner: GraphModel,
    /// What its outputs are.
    outline: Vec<Value>,
    following: Following,
}

/// The model with a length of its open axes that the graph takes, and what its outputs then are. A
/// graph that is open by its file may yet insist on one length, which is then that of some constant
/// of it.
fn sampled(runner: GraphModel, graph: &GraphProto, ports: &[Port]) -> Result<Sampled> {
    let lengths = graph
        .initializers
        .iter()
        .flat_map(|tensor| tensor.dims.iter())
        .filter_map(|length| usize::try_from(*length).ok());
    let lengths: BTreeSet<usize> = lengths
        .filter(|length| (1..=MAX_SAMPLE).contains(length))
        .collect();
    let mut runner = runner.sampled(lengths.into_iter().take(MAX_TRIALS));
    // An output that does not grow with the rows is what one row gives.
    let following = runner.find_output_axes();
    if following != Following::All {
        runner = runner.alone();
    }
    let of_one = if runner.batch() == Some(1) {
        runner.run_zeros().ok()
    } else {
        None
    };
    let outline = of_one.map_or_else(|| outline(&runner, graph, ports), Ok)?;
    Ok(Sampled {
        runner,
        outline,
        following,
    })
}

/// What the outputs are, as values of no rows, or of as many as the fixed batch size: by running it
/// on no rows, which no operator can refuse a value of; else by what the file declares; else by
/// running it on zeros.
fn outline(runner: &GraphModel, graph: &GraphProto, ports: &[Port]) -> Result<Vec<Value>> {
    let empty = runner.run_empty();
    let declared = || {
        declared(
            graph,
            ports,
            runner.output_axes(),
            runner.batch().unwrap_or(0),
        )
    };
    match empty {
        Ok(values) if agrees(&values, ports, runner.output_axes()) => return Ok(values),
        // Two sayings: the run on zeros decides.
        Ok(_) => {
            if let Some(values) = runner.run_zeros().ok().or_else(declared) {
                return Ok(values);
            }
        }
        Err(_) => {
            if let Some(values) = declared() {
                return Ok(values);
            }
        }
    }
    let message = "the file does not say what the graph's outputs are, and the graph does not run \
                   on rows of zeros";
    runner.run_zeros().map_err(|error| {
        let hint = "export the model with the types and shapes of its outputs \
                    (`onnx.shape_inference.infer_shapes`)";
        Error::contract(message).because(error).hint(hint)
    })
}

fn describe(model: &ModelProto, graph: &GraphProto) -> Description {
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
    if !model.producer_name.is_empty() {
        fact(
            "producer",
            format!("{} {}", model.producer_name, model.producer_version)
                .trim()
                .to_owned(),
        );
    }
    let set = |set: &self::schema::OperatorSet| {
        format!(
            "{} {}",
            if plain_domain(set.domain).is_empty() {
                "ai.onnx"
            } else {
                set.domain
            },
            set.version
        )
    };
    fact(
        "operator_sets",
        model
            .opset_import
            .iter()
            .map(set)
            .collect::<Vec<_>>()
            .join(", "),
    );
    let mut counts = std::collections::BTreeMap::<&str, usize>::new();
    graph
        .nodes
        .iter()
        .for_each(|node| *counts.entry(node.operator).or_default() += 1);
    fact("nodes", graph.nodes.len().to_string());
    fact(
        "operators",
        counts
            .iter()
            .map(|(name, count)| format!("{name} × {count}"))
            .collect::<Vec<_>>()
            .join(", "),
    );
    fact("graph_inputs", names(&graph.inputs));
    fact("graph_outputs", names(&graph.outputs));
    Description {
        format: "onnx".into(),
        format_version: Some(model.ir_version.to_string()),
        facts,
        sidecars: Vec::new(),
    }
}

fn names(infos: &[self::schema::ValueInfo]) -> String {
    let shown = |info: &self::schema::ValueInfo| {
        format!(
            "{}{}",
            info.name,
            Port::of(info).map_or_else(|_| String::new(), |port| port.kind.to_string())
        )
    };
    infos.iter().map(shown).collect::<Vec<_>>().join(", ")
}
