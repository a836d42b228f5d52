//! `GraphProto` to a graph that runs: names resolved, functions put in place, unknown operators
//! named all at once.
//!
//! Owns the scopes of names: a subgraph sees the names around it, a function body only its own.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::attribute::{AttributeProto, StringList};
use super::schema::{Function, Graph as GraphProto, Model, Node, OperatorSet};
use super::tensor::{External, decode, decode_sparse, text};
use crate::error::{Error, Result};
use crate::graph::build::Builder;
use crate::graph::lists::TextList;
use crate::graph::operator::{Attribute, Definition, Subgraph};
use crate::graph::{Graph, ValueId, known, registry};

/// Functions inside functions.
const FUNCTION_DEPTH_LIMIT: usize = 32;

/// Nodes of a model, functions put in place.
const NODE_LIMIT: usize = 1 << 20;

/// Versions by domain; `ai.onnx` and the empty name are the same domain.
type Versions<'a> = HashMap<&'a str, i64>;

/// The domain's name as the registry has it.
pub(super) fn plain_domain(domain: &str) -> &str {
    if domain == "ai.onnx" { "" } else { domain }
}

fn versions<'a>(sets: &[OperatorSet<'a>]) -> Versions<'a> {
    sets.iter()
        .map(|set| (plain_domain(set.domain), set.version))
        .collect()
}

/// The names of one graph, the values that they stand for, and what it takes from the graph around
/// it.
struct Scope<'a> {
    builder: Builder,
    names: HashMap<&'a str, ValueId>,
    /// (number in the graph around, number here).
    captures: Vec<(ValueId, ValueId)>,
    /// Whether names of the graph around are hidden: inside a function.
    is_sealed: bool,
}

impl Scope<'_> {
    fn new() -> Self {
        Self {
            builder: Builder::default(),
            names: HashMap::new(),
            captures: Vec::new(),
            is_sealed: false,
        }
    }
}

/// The translation of one model.
struct Translator<'m, 'a> {
    model: &'m Model<'a>,
    external: &'m External<'m>,
    scopes: Vec<Scope<'a>>,
    node_count: usize,
    function_depth: usize,
    /// (operator, version, node) of the ones that are not known; they are dropped, so that all
    /// can be named.
    unknown: BTreeSet<(String, String)>,
}

/// Translates a model's graph. `outputs` are named by the file.
///
/// # Errors
/// A contract error that names every operator that is not supported; [`crate::error::Kind::Failed`]
/// for a broken graph.
pub(super) fn translate(model: &Model, graph: &GraphProto, external: &External) -> Result<Graph> {
    let mut translator = Translator {
        model,
        external,
        scopes: Vec::new(),
        node_count: 0,
        function_depth: 0,
        unknown: BTreeSet::new(),
    };
    let versions = versions(&model.opset_import);
    let (graph, _) = translator.graph(graph, &versions, &HashMap::new())?;
    translator.refuse_unknown()?;
    Ok(graph)
}

impl<'a> Translator<'_, 'a> {
    fn refuse_unknown(&self) -> Result<()> {
        if self.unknown.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = self
            .unknown
            .iter()
            .map(|(operator, node)| format!("{operator} at {node}"))
            .collect();
        let word = if names.len() == 1 {
            "an operator"
        } else {
            "operators"
        };
        let has = |domain: &str| {
            self.unknown
                .iter()
                .any(|(operator, _)| operator.contains(domain))
        };
        let hint = if has("com.microsoft.nchwc") || has("com.ms.internal") {
            "ONNX Runtime saved the model for one processor: save it with `ORT_ENABLE_EXTENDED` \
             instead of `ORT_ENABLE_ALL`, or use the original export"
        } else if has("com.microsoft") {
            "ONNX Runtime's optimizer or quantizer made these: use the original export, or \
             `ORT_ENABLE_BASIC`"
        } else {
            "`tallow inspect MODEL` lists all operators of the model; export it without these, or \
             to another operator set"
        };
        Err(Error::contract(format!(
            "the model uses {word} that tallow does not have: {}",
            names.join(", ")
        ))
        .hint(hint))
    }

    /// Translates a graph in a scope of its own; gives it with what it captures of the scope
    /// around.
    fn graph(
        &mut self,
        graph: &GraphProto<'a>,
        versions: &Versions<'a>,
        arguments: &HashMap<&'a str, Attribute>,
    ) -> Result<(Graph, Vec<ValueId>)> {
        self.scopes.push(Scope::new());
        for tensor in &graph.initializers {
            let value = decode(tensor, self.external)?;
            let scope = self.scope();
            let id = scope.builder.constant(value.into());
            scope.names.insert(tensor.name, id);
        }
        for sparse in &graph.sparse_initializers {
            let value = decode_sparse(sparse, self.external)?;
            let scope = self.scope();
            let id = scope.builder.constant(value.into());
            scope.names.insert(sparse.name(), id);
        }
        for input in &graph.inputs {
            let scope = self.scope();
            if !scope.names.contains_key(input.name) {
                let id = scope.builder.input();
                scope.builder.name(id, input.name);
                scope.names.insert(input.name, id);
            }
        }
        self.nodes(&graph.nodes, versions, arguments)?;
        let outputs = graph
            .outputs
            .iter()
            .map(|output| self.resolve(output.name))
            .collect::<Result<Vec<ValueId>>>();
        let outputs = if self.unknown.is_empty() {
            outputs?
        } else {
            outputs.unwrap_or_default()
        };
        let scope = self
            .scopes
            .pop()
            .ok_or_else(|| Error::internal("a graph without a scope"))?;
        let captures = scope.captures.iter().map(|(outer, _)| *outer).collect();
        Ok((scope.builder.finish(outputs), captures))
    }

    fn scope(&mut self) -> &mut Scope<'a> {
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }

    /// The value of this name, here or in the graphs around.
    fn resolve(&mut self, name: &str) -> Result<ValueId> {
        let depth = self.scopes.len() - 1;
        self.resolve_at(name, depth).ok_or_else(|| {
            Error::failed(format!(
                "`{name}` is read before anything makes it, or nothing does"
            ))
        })
    }

    fn resolve_at(&mut self, name: &str, depth: usize) -> Option<ValueId> {
        if let Some(id) = self.scopes[depth].names.get(name) {
            return Some(*id);
        }
        if depth == 0 || self.scopes[depth].is_sealed {
            return None;
        }
        let outer = self.resolve_at(name, depth - 1)?;
        if let Some((_, here)) = self.scopes[depth]
            .captures
            .iter()
            .find(|(known, _)| *known == outer)
        {
            return Some(*here);
        }
        if let Some(constant) = self.scopes[depth - 1].builder.find_constant(outer).cloned() {
            return Some(self.scopes[depth].builder.constant(constant));
        }
        let here = self.scopes[depth].builder.input();
        self.scopes[depth].captures.push((outer, here));
        Some(here)
    }

    fn nodes(
        &mut self,
        nodes: &[Node<'a>],
        versions: &Versions<'a>,
        arguments: &HashMap<&'a str, Attribute>,
    ) -> Result<()> {
        for node in nodes {
            self.node_count += 1;
            if self.node_count > NODE_LIMIT {
                return Err(Error::failed(format!("more than {NODE_LIMIT} nodes")));
            }
            self.node(node, versions, arguments)
                .map_err(|error| error.at_node(label(node)))?;
        }
        Ok(())
    }

    fn node(
        &mut self,
        node: &Node<'a>,
        versions: &Versions<'a>,
        arguments: &HashMap<&'a str, Attribute>,
    ) -> Result<()> {
        let domain = plain_domain(node.domain);
        let model = self.model;
        let mut captures = Vec::new();
        let attributes = self.attributes(&node.attributes, versions, arguments, &mut captures)?;
        let is_called = |function: &&Function| {
            function.name == node.operator
                && plain_domain(function.domain) == domain
                && function.overload == node.overload
        };
        if let Some(function) = model.functions.iter().find(is_called) {
            return self.call(function, node, attributes);
        }
        let Some(&version) = versions.get(domain) else {
            self.unknown.insert((
                format!(
                    "`{}` of the domain `{}`, which the model does not import",
                    node.operator, node.domain
                ),
                label(node),
            ));
            return Ok(self.define(node, None));
        };
        if !known::is_known(domain, node.operator, version) || registry::is_too_new(domain, version)
        {
            let domain = if domain.is_empty() { "ai.onnx" } else { domain };
            self.unknown.insert((
                format!("`{}` ({domain} {version})", node.operator),
                label(node),
            ));
            return Ok(self.define(node, None));
        }
        let expected = |name: &&'a str| {
            if name.is_empty() {
                Ok(None)
            } else {
                self.resolve(name).map(Some)
            }
        };
        let resolved = node
            .inputs
            .iter()
            .map(expected)
            .collect::<Result<Vec<Option<ValueId>>>>();
        let mut inputs = match resolved {
            Ok(inputs) => inputs,
            Err(_) if !self.unknown.is_empty() => return Ok(self.define(node, None)),
            Err(error) => return Err(error),
        };
        let definition = Definition {
            name: if node.name.is_empty() {
                node.outputs.first().copied().unwrap_or_default()
            } else {
                node.name
            }
            .to_owned(),
            operator: node.operator.to_owned(),
            domain: domain.to_owned(),
            version,
            attributes,
            inputs: inputs.iter().map(Option::is_some).collect(),
            outputs: node.outputs.iter().map(|name| !name.is_empty()).collect(),
        };
        inputs.extend(captures.into_iter().map(Some));
        let outputs = self.scope().builder.node(&definition, &inputs)?;
        self.define(node, Some(&outputs));
        Ok(())
    }

    /// Gives the node's outputs their numbers; without numbers, names that no one knows, so that
    /// later errors are not about them.
    fn define(&mut self, node: &Node<'a>, outputs: Option<&[ValueId]>) {
        for (position, name) in node
            .outputs
            .iter()
            .enumerate()
            .filter(|(_, name)| !name.is_empty())
        {
            if let Some(id) = outputs.and_then(|outputs| outputs.get(position)) {
                let scope = self.scope();
                scope.builder.name(*id, name);
                scope.names.insert(name, *id);
            }
        }
    }

    /// Puts a function's body in the place of the node that calls it.
    fn call(
        &mut self,
        function: &Function<'a>,
        node: &Node<'a>,
        mut attributes: HashMap<String, Attribute>,
    ) -> Result<()> {
        self.function_depth += 1;
        if self.function_depth > FUNCTION_DEPTH_LIMIT {
            return Err(Error::failed(format!(
                "functions call each other more than {FUNCTION_DEPTH_LIMIT} deep"
            )));
        }
        let mut names = HashMap::new();
        for (inner, outer) in function
            .inputs
            .iter()
            .zip(&node.inputs)
            .filter(|(_, outer)| !outer.is_empty())
        {
            names.insert(*inner, self.resolve(outer)?);
        }
        let mut arguments = HashMap::new();
        for attribute in &function.defaults {
            if let Some(value) =
                self.attribute(attribute, &HashMap::new(), &HashMap::new(), &mut Vec::new())?
            {
                arguments.insert(attribute.name, value);
            }
        }
        for attribute in &node.attributes {
            arguments.extend(
                attributes
                    .remove(attribute.name)
                    .map(|value| (attribute.name, value)),
            );
        }
        let scope = self.scope();
        let saved = (
            std::mem::replace(&mut scope.names, names),
            std::mem::replace(&mut scope.is_sealed, true),
        );
        self.nodes(
            &function.nodes,
            &versions(&function.opset_import),
            &arguments,
        )?;
        let outputs = function
            .outputs
            .iter()
            .map(|name| self.resolve(name))
            .collect::<Result<Vec<ValueId>>>();
        let scope = self.scope();
        (scope.names, scope.is_sealed) = saved;
        self.function_depth -= 1;
        match outputs {
            Ok(outputs) => self.define(node, Some(&outputs)),
            Err(_) if !self.unknown.is_empty() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn attributes(
        &mut self,
        attributes: &[AttributeProto<'a>],
        versions: &Versions<'a>,
        arguments: &HashMap<&'a str, Attribute>,
        captures: &mut Vec<ValueId>,
    ) -> Result<HashMap<String, Attribute>> {
        let mut named = HashMap::new();
        for attribute in attributes {
            if let Some(value) = self.attribute(attribute, versions, arguments, captures)? {
                named.insert(attribute.name.to_owned(), value);
            }
        }
        Ok(named)
    }

    /// The attribute's value; none if it refers to one that the function's caller dropped.
    fn attribute(
        &mut self,
        attribute: &AttributeProto<'a>,
        versions: &Versions<'a>,
        arguments: &HashMap<&'a str, Attribute>,
        captures: &mut Vec<ValueId>,
    ) -> Result<Option<Attribute>> {
        if !attribute.reference.is_empty() {
            return Ok(arguments.get(attribute.reference).cloned());
        }
        let value = match attribute.kind {
            1 => Attribute::Float(attribute.float),
            2 => Attribute::Int(attribute.int),
            3 => Attribute::String(text(attribute.string)?.to_string()),
            4 => Attribute::Tensor(decode(
                attribute.tensor.as_ref().ok_or_else(|| empty(attribute))?,
                self.external,
            )?),
            5 => {
                let body = attribute.graph.as_ref().ok_or_else(|| empty(attribute))?;
                let (graph, taken) = self.graph(body, versions, arguments)?;
                let first_capture = captures.len();
                captures.extend(&taken);
                let input_count = graph.input_count() - taken.len();
                Attribute::Graph(Arc::new(Subgraph {
                    body: Box::new(graph),
                    input_count,
                    first_capture,
                    capture_count: taken.len(),
                }))
            }
            6 => Attribute::Floats(Arc::clone(&attribute.floats)),
            7 => Attribute::Ints(Arc::clone(&attribute.ints)),
            8 => Attribute::Strings(texts(&attribute.strings)?),
            11 => Attribute::Tensor(decode_sparse(
                attribute.sparse.as_ref().ok_or_else(|| empty(attribute))?,
                self.external,
            )?),
            9 => Attribute::Tensors(
                attribute
                    .tensors
                    .iter()
                    .map(|tensor| decode(tensor, self.external))
                    .collect::<Result<_>>()?,
            ),
            other => {
                return Err(Error::contract(format!(
                    "the attribute `{}` is of the kind {other}, which is not supported",
                    attribute.name
                )));
            }
        };
        Ok(Some(value))
    }
}

/// The texts of a list.
fn texts(list: &StringList) -> Result<TextList> {
    let distinct = list
        .distinct
        .iter()
        .map(|bytes| text(bytes))
        .collect::<Result<_>>()?;
    Ok(TextList {
        distinct,
        indices: Arc::clone(&list.indices),
    })
}

fn empty(attribute: &AttributeProto) -> Error {
    Error::failed(format!("the attribute `{}` is empty", attribute.name))
}

/// What messages call a node.
pub(super) fn label(node: &Node) -> String {
    let name = if node.name.is_empty() {
        node.outputs.first().copied().unwrap_or_default()
    } else {
        node.name
    };
    format!("`{name}` ({})", node.operator)
}
