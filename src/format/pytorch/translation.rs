//! From a program's calls to a graph: names resolved, what nothing reads dropped, operators that
//! are not known collected so that all can be named.
//!
//! Owns the order of the work and the small steps that operators are written with. What each
//! operator becomes is in the families next door.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::call::{Call, DECOMPOSE, output_names};
use super::known::Known;
use super::operator::{find, parts};
use super::program::{Argument, Graph as Program, Node};
use super::value::Written;
use super::writer::Writer;
use crate::error::{Error, Result};

/// Nodes of one program.
const NODE_LIMIT: usize = 200_000;

/// Operators that return another view of their first argument, or that argument.
const VIEWS: [&str; 32] = [
    "alias",
    "chunk",
    "contiguous",
    "detach",
    "diagonal",
    "dropout",
    "expand",
    "expand_as",
    "feature_dropout",
    "flatten",
    "lift_fresh_copy",
    "movedim",
    "mT",
    "narrow",
    "numpy_T",
    "permute",
    "reshape",
    "select",
    "slice",
    "split",
    "split_with_sizes",
    "squeeze",
    "swapaxes",
    "t",
    "tensor_split",
    "to",
    "transpose",
    "unbind",
    "unflatten",
    "unsqueeze",
    "view",
    "view_as",
];

fn names_of(argument: &Argument) -> Vec<&str> {
    let list = argument.as_tensors.iter().flatten();
    let optional = argument.as_optional_tensors.iter().flatten();
    let tensors = argument
        .as_tensor
        .iter()
        .chain(list)
        .chain(optional.filter_map(|one| one.as_tensor.as_ref()));
    let sizes = argument
        .as_sym_int
        .iter()
        .chain(argument.as_sym_ints.iter().flatten());
    tensors
        .map(|one| one.name.as_str())
        .chain(sizes.filter_map(|one| one.as_name.as_deref()))
        .collect()
}

fn inputs_of(node: &Node) -> impl Iterator<Item = &str> {
    node.inputs.iter().flat_map(|input| names_of(&input.arg))
}

/// The value that a node changes in place, if it does.
fn changed(node: &Node) -> Option<&str> {
    let (_, true) = find(&node.target)? else {
        return None;
    };
    node.inputs
        .first()
        .and_then(|input| input.arg.as_tensor.as_ref())
        .map(|named| named.name.as_str())
}

/// The nodes that the outputs need, in order, and the names of all that these read.
pub(super) fn needed<'p>(
    program: &'p Program,
    outputs: &[&'p str],
) -> Result<(Vec<&'p Node>, HashSet<&'p str>)> {
    if program.nodes.len() > NODE_LIMIT {
        return Err(Error::failed(format!("more than {NODE_LIMIT} nodes")));
    }
    let mut read: HashSet<&str> = outputs.iter().copied().collect();
    let mut nodes = Vec::new();
    for node in program.nodes.iter().rev() {
        let is_read = output_names(node).iter().any(|name| read.contains(name))
            || changed(node).is_some_and(|name| read.contains(name));
        if is_read {
            read.extend(inputs_of(node));
            nodes.push(node);
        }
    }
    nodes.reverse();
    Ok((nodes, read))
}

/// Refuses programs that read a tensor under one name after it was changed under another.
pub(super) fn check_changes(nodes: &[&Node], outputs: &[&str]) -> Result<()> {
    if nodes.iter().all(|node| changed(node).is_none()) {
        return Ok(());
    }
    // The last reader of each name, and the tensor that each name is a view of.
    let mut last = HashMap::<&str, usize>::new();
    let mut origins = HashMap::<&str, &str>::new();
    for (index, node) in nodes.iter().enumerate() {
        inputs_of(node).for_each(|name| {
            last.insert(name, index);
        });
        let first = node
            .inputs
            .first()
            .and_then(|input| input.arg.as_tensor.as_ref());
        if let Some(first) = first
            && (VIEWS.contains(&parts(&node.target).0) || changed(node).is_some())
        {
            let origin = origins
                .get(first.name.as_str())
                .copied()
                .unwrap_or(&first.name);
            for name in output_names(node) {
                origins.insert(name, origin);
            }
        }
    }
    outputs.iter().for_each(|name| {
        last.insert(name, nodes.len());
    });
    let origin = |name| origins.get(name).copied().unwrap_or(name);
    for (index, node) in nodes.iter().enumerate() {
        let Some(name) = changed(node) else { continue };
        let own = output_names(node);
        let stale = last.iter().find(|(other, read)| {
            **read > index
                && **other != name
                && !own.contains(other)
                && origin(other) == origin(name)
                && nodes[..index]
                    .iter()
                    .any(|earlier| output_names(earlier).contains(other))
        });
        if let Some((other, _)) = stale {
            return Err(Error::contract(format!(
                "the program changes `{name}` in place, which is also read as `{other}`"
            ))
            .at_node(format!("`{}` ({})", label_of(node), node.target))
            .hint("export without operators in place, `run_decompositions()` of the program"));
        }
    }
    Ok(())
}

fn label_of(node: &Node) -> &str {
    let first = || output_names(node).first().copied().unwrap_or("?");
    node.name.as_deref().unwrap_or_else(first)
}

/// Every operator that is not known, with its first node.
pub(super) fn refuse_unknown(nodes: &[&Node]) -> Result<()> {
    let mut unknown = BTreeSet::new();
    for node in nodes.iter().filter(|node| find(&node.target).is_none()) {
        let name = node
            .target
            .strip_prefix("torch.ops.")
            .unwrap_or(&node.target);
        unknown.insert(format!("`{name}` at `{}`", label_of(node)));
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let count = unknown.len();
    let mut names: Vec<String> = unknown.into_iter().take(20).collect();
    if count > names.len() {
        names.push(format!("and {} more", count - names.len()));
    }
    let word = if count == 1 {
        "an operator"
    } else {
        "operators"
    };
    Err(Error::contract(format!(
        "the program uses {word} that tallow does not have: {}",
        names.join(", ")
    ))
    .hint(DECOMPOSE))
}

/// Writes a node to a graph, and makes its outputs known.
pub(super) fn write<'p>(known: &mut Known<'p>, node: &'p Node, graph: &mut Writer) -> Result<()> {
    let label = format!("`{}` ({})", label_of(node), node.target);
    graph.begin(label_of(node));
    let written = written(known, node, graph);
    let (made, is_change) = written.map_err(|error| error.at_node(label))?;
    let names = output_names(node);
    match made {
        Written::Size(size) => {
            if let Some(name) = names.first() {
                known.define_size(name, size);
            }
        }
        Written::Tensors(tensors) => {
            if is_change && let (Some(name), Some(value)) = (changed(node), tensors.first()) {
                known.define(name, value.clone());
            }
            for (name, value) in names.into_iter().zip(tensors) {
                known.define(name, value);
            }
        }
    }
    Ok(())
}

fn written<'p>(known: &Known<'p>, node: &'p Node, graph: &mut Writer) -> Result<(Written, bool)> {
    let overload = parts(&node.target).1;
    let (write, is_change) =
        find(&node.target).ok_or_else(|| Error::contract("the operator is not supported"))?;
    let call = Call {
        node,
        overload,
        known,
    };
    Ok((write(graph, &call)?, is_change))
}
