//! The order of a graph's nodes: each after those whose outputs it reads.
//!
//! The specification asks files for that order, but some tools append nodes at the end
//! (`onnxruntime.transformers.float16` its casts), and ONNX Runtime sorts the nodes itself. Nodes
//! that are in order stay as they are. It must not know operators.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::schema::{Graph, Model, Node};

/// Puts the nodes of a model in order: those of its graph, of the graphs inside, and of functions.
pub(super) fn sort_model(model: &mut Model<'_>) {
    model.graph.iter_mut().for_each(sort_graph);
    for function in &mut model.functions {
        sort(&mut function.nodes);
    }
}

fn sort_graph(graph: &mut Graph<'_>) {
    sort(&mut graph.nodes);
}

/// Nodes that read each other in a circle, or what nothing makes, keep their order: translating
/// them finds what is wrong.
fn sort(nodes: &mut Vec<Node<'_>>) {
    for node in nodes.iter_mut() {
        let inner = node.attributes.iter_mut();
        inner
            .filter_map(|attribute| attribute.graph.as_deref_mut())
            .for_each(sort_graph);
    }
    let Some(order) = order(nodes) else { return };
    let mut taken: Vec<Option<Node<'_>>> = std::mem::take(nodes).into_iter().map(Some).collect();
    nodes.extend(order.into_iter().filter_map(|index| taken[index].take()));
}

/// The nodes' indices in an order in which they can run, the first of those that can run first;
/// none if they are in such an order, or if there is none.
fn order(nodes: &[Node<'_>]) -> Option<Vec<usize>> {
    let mut makers = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        for name in node.outputs.iter().filter(|name| !name.is_empty()) {
            makers.entry(*name).or_insert(index);
        }
    }
    let sources: Vec<Vec<usize>> = nodes
        .iter()
        .map(|node| {
            let mut sources = Vec::new();
            visit(node, &mut |name| sources.extend(makers.get(name).copied()));
            sources.sort_unstable();
            sources.dedup();
            sources
        })
        .collect();
    let is_late = |(index, sources): (usize, &Vec<usize>)| sources.iter().any(|one| *one >= index);
    if !sources.iter().enumerate().any(is_late) {
        return None;
    }
    let mut readers = vec![Vec::new(); nodes.len()];
    for (index, sources) in sources.iter().enumerate() {
        sources
            .iter()
            .for_each(|source| readers[*source].push(index));
    }
    let mut open: Vec<usize> = sources.iter().map(Vec::len).collect();
    let mut ready: BinaryHeap<Reverse<usize>> = (0..nodes.len())
        .filter(|index| open[*index] == 0)
        .map(Reverse)
        .collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(Reverse(index)) = ready.pop() {
        order.push(index);
        for reader in &readers[index] {
            open[*reader] -= 1;
            if open[*reader] == 0 {
                ready.push(Reverse(*reader));
            }
        }
    }
    (order.len() == nodes.len()).then_some(order)
}

/// Visits the names that a node reads, also those that the graphs inside it may capture.
fn visit<'a>(node: &Node<'a>, read: &mut impl FnMut(&'a str)) {
    fn all<'a>(node: &Node<'a>, read: &mut dyn FnMut(&'a str)) {
        node.inputs.iter().for_each(|name| read(name));
        for graph in node
            .attributes
            .iter()
            .filter_map(|one| one.graph.as_deref())
        {
            graph.nodes.iter().for_each(|inner| all(inner, read));
            graph.outputs.iter().for_each(|output| read(output.name));
        }
    }
    all(node, read);
}
