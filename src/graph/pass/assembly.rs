//! Tables that a graph makes of its inputs column by column, found among its nodes: imputers,
//! scalers, encoders and what joins and picks columns become one node that computes each column
//! straight from the table's own, without a tensor in between.
//!
//! The forest kernels, the linear models and the chains of dense layers read such a block as it is;
//! everything else gets it as a tensor. Inputs that only such nodes read are never made tensors of:
//! for texts that is most of the work.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::column::{Column, ColumnRef, Encoder, Kind, MAX_COLUMNS, Source, Step, computed};
use super::role::ColumnRole;
use crate::error::{Error, Result};
use crate::feature::FeatureBlock;
use crate::graph::entry::RowMixing;
use crate::graph::ir::{Graph, Node};
use crate::graph::op::category::Categories;
use crate::graph::operator::{Call, several};
use crate::graph::tensor::{ElementType, Tensor, element_count};
use crate::graph::value::{Value, ValueId, by_rows};
use crate::graph::widening::Widening;

/// A table, still to be computed: its columns in row-major order of the axes behind the first.
#[derive(Clone, Debug)]
struct Table {
    columns: Vec<Column>,
    rest: Vec<usize>,
}

/// The table of a node's result, if the tables that it reads are known.
fn table(role: &ColumnRole, known: &HashMap<ValueId, Table>) -> Option<Table> {
    match role {
        ColumnRole::Concat { tables, axis } => joined(
            &tables
                .iter()
                .map(|id| known.get(id))
                .collect::<Option<Vec<&Table>>>()?,
            *axis,
        ),
        ColumnRole::OneHot {
            data,
            encoder,
            count,
        } => encoded(known.get(data)?, encoder, Some(*count), Kind::Real),
        ColumnRole::Code {
            data,
            encoder,
            kind,
        } => encoded(known.get(data)?, encoder, None, *kind),
        ColumnRole::Reshape { data, shape } => {
            let data = known.get(data)?;
            let [0 | -1, rest @ ..] = shape.as_slice() else {
                return None;
            };
            let rest = rest
                .iter()
                .map(|length| usize::try_from(*length).ok().filter(|length| *length > 0))
                .collect::<Option<Vec<usize>>>()?;
            let count = rest
                .iter()
                .try_fold(1_usize, |product, length| product.checked_mul(*length));
            (count == Some(data.columns.len())).then(|| Table {
                columns: data.columns.clone(),
                rest,
            })
        }
        ColumnRole::Steps { data, steps } => stepped(known.get(data)?, steps),
        ColumnRole::Float { data } => {
            let mut data = known.get(data)?.clone();
            let is_number = data.columns.iter().all(|column| column.kind != Kind::Text);
            data.columns
                .iter_mut()
                .for_each(|column| column.kind = Kind::Real);
            is_number.then_some(data)
        }
        ColumnRole::Same { data } => known.get(data).cloned(),
        ColumnRole::Pick { data, columns } => {
            let data = known.get(data).filter(|data| data.rest.len() == 1)?;
            let pick =
                |reference: &i64| data.columns.get(usize::try_from(*reference).ok()?).cloned();
            let columns = columns.iter().map(pick).collect::<Option<Vec<Column>>>()?;
            Some(Table {
                rest: vec![columns.len()],
                columns,
            })
        }
    }
    .filter(|table| (1..=MAX_COLUMNS).contains(&table.columns.len()))
}

fn joined(tables: &[&Table], axis: i64) -> Option<Table> {
    let first = tables.first()?;
    let rank = first.rest.len();
    let axis = usize::try_from(if axis < 0 {
        axis + rank as i64 + 1
    } else {
        axis
    })
    .ok()?
    .checked_sub(1)
    .filter(|axis| *axis < rank)?;
    let alike = |table: &&Table| {
        let others = table
            .rest
            .iter()
            .zip(&first.rest)
            .enumerate()
            .all(|(reference, (a, b))| reference == axis || a == b);
        table.rest.len() == rank
            && others
            && table.rest[..axis].iter().all(|length| *length == 1)
            && table.columns[0].kind == first.columns[0].kind
    };
    let mut rest = first.rest.clone();
    rest[axis] = tables
        .iter()
        .map(|table| table.rest.get(axis).copied().unwrap_or(0))
        .sum();
    tables.iter().all(alike).then(|| Table {
        columns: tables
            .iter()
            .flat_map(|table| table.columns.clone())
            .collect(),
        rest,
    })
}

/// Every column through an encoder: an indicator for each category on a new axis, or one number.
fn encoded(
    data: &Table,
    encoder: &Arc<Encoder>,
    count: Option<usize>,
    kind: Kind,
) -> Option<Table> {
    let expected = if matches!(encoder.categories, Categories::Texts(_)) {
        Kind::Text
    } else {
        Kind::Whole
    };
    let mut columns = Vec::new();
    for column in &data.columns {
        let Source::Input(reference) = column.source else {
            return None;
        };
        if column.kind != expected || !column.steps.is_empty() || columns.len() > MAX_COLUMNS {
            return None;
        }
        let source = |category: u32| Source::Indicator {
            reference,
            encoder: encoder.clone(),
            category,
        };
        match count {
            Some(count) => columns.extend((0..count as u32).map(|category| Column {
                source: source(category),
                steps: Vec::new(),
                kind,
            })),
            None => columns.push(Column {
                source: Source::Code {
                    reference,
                    encoder: encoder.clone(),
                },
                steps: Vec::new(),
                kind,
            }),
        }
    }
    Some(Table {
        columns,
        rest: data.rest.iter().copied().chain(count).collect(),
    })
}

fn stepped(data: &Table, steps: &[Step]) -> Option<Table> {
    let width = data.columns.len();
    let all_real = data.columns.iter().all(|column| column.kind == Kind::Real);
    if data.rest.len() != 1 || !all_real || !(steps.len() == 1 || steps.len() == width) {
        return None;
    }
    let mut table = data.clone();
    for (reference, column) in table.columns.iter_mut().enumerate() {
        column
            .steps
            .push(steps[if steps.len() == 1 { 0 } else { reference }]);
    }
    Some(table)
}

/// A table to be computed by one node.
struct Assembly {
    columns: Vec<Column>,
    rest: Vec<usize>,
    /// Whether the readers take a block as it is.
    as_block: bool,
    /// The graph's numbers of the inputs that it reads.
    inputs: Vec<usize>,
}

impl Assembly {
    fn run(&self, call: &Call) -> Result<Vec<Value>> {
        let columns = |value: &Option<Value>| match value {
            Some(Value::Columns(columns)) => Ok(columns.clone()),
            _ => Err(Error::internal("a table of an input that is not columns")),
        };
        let inputs = call
            .inputs
            .iter()
            .map(columns)
            .collect::<Result<Vec<_>>>()?;
        let inputs: Vec<_> = inputs.iter().map(Vec::as_slice).collect();
        let row_count = inputs
            .first()
            .and_then(|columns| columns.first())
            .map_or(0, arrow::array::Array::len);
        let unseen = |reference: ColumnRef, count: u64| {
            call.fuel
                .met_unseen(self.inputs[reference.input], reference.column, count);
        };
        let block = computed(&self.columns, &inputs, row_count, unseen)?;
        if self.as_block {
            return Ok(vec![Value::Block(Arc::new(FeatureBlock::Single(block)))]);
        }
        let shape = [&[row_count], self.rest.as_slice()].concat();
        element_count(&shape)?;
        Ok(vec![Value::Tensor(Tensor::new(
            shape,
            by_rows(&block, self.columns.len()),
        )?)])
    }
}

impl Graph {
    /// Lets one node compute what is made of the inputs column by column. `feeds` are, for each
    /// input, its elements and the number of its columns, if it is a plain table; returns for each
    /// whether it wants its columns as they are ([`Value::Columns`]).
    pub fn assemble(&mut self, feeds: &[Option<(ElementType, usize)>]) -> Vec<bool> {
        assemble(self, feeds)
    }
}

/// Puts one node in the place of all that makes a table. `feeds` are, for each input, its elements
/// and the number of its columns if it is a plain table. Returns for each input whether it is taken
/// as columns.
fn assemble(graph: &mut Graph, feeds: &[Option<(ElementType, usize)>]) -> Vec<bool> {
    let mut takes = vec![false; feeds.len()];
    let mut usable: BTreeSet<usize> = (0..feeds.len())
        .filter(|input| feeds[*input].is_some())
        .collect();
    loop {
        let known = tables(graph, feeds, &usable);
        let expected = expected(graph, &known);
        // What is needed as a tensor of texts or of integers, the operators must make.
        let is_real = |id: &ValueId| {
            known
                .get(id)
                .is_some_and(|table| table.columns.iter().all(|column| column.kind == Kind::Real))
        };
        let spoilt: Vec<usize> = expected
            .iter()
            .filter(|id| !is_real(id))
            .flat_map(|id| known[id].columns.iter().map(Column::input))
            .collect();
        if spoilt.is_empty() {
            let nodes: Vec<Node> = expected
                .into_iter()
                .filter_map(|id| replaced(graph, id, &known, &mut takes))
                .collect();
            graph.nodes.splice(0..0, nodes);
            graph.relink();
            return takes;
        }
        spoilt.iter().for_each(|input| {
            usable.remove(input);
        });
    }
}

/// Every value that is a table of the usable inputs' columns.
fn tables(
    graph: &Graph,
    feeds: &[Option<(ElementType, usize)>],
    usable: &BTreeSet<usize>,
) -> HashMap<ValueId, Table> {
    let mut known = HashMap::new();
    for &input in usable {
        let Some((element, width)) = feeds[input] else {
            continue;
        };
        let kind = match element {
            ElementType::String => Kind::Text,
            ElementType::Int64 => Kind::Whole,
            ElementType::Float => Kind::Real,
            _ => continue,
        };
        let column = |column: usize| Column {
            source: Source::Input(ColumnRef { input, column }),
            steps: Vec::new(),
            kind,
        };
        known.insert(
            graph.inputs[input],
            Table {
                columns: (0..width).map(column).collect(),
                rest: vec![width],
            },
        );
    }
    for node in &graph.nodes {
        let made = node
            .column_role
            .as_ref()
            .and_then(|role| table(role, &known));
        if let (Some(table), [Some(output)]) = (made, node.outputs.as_slice()) {
            known.insert(*output, table);
        }
    }
    known
}

/// Whether a node makes a table and is needed for nothing else.
fn is_maker(node: &Node, known: &HashMap<ValueId, Table>) -> bool {
    matches!(node.outputs.as_slice(), [Some(output)] if known.contains_key(output))
}

/// The tables that somebody reads who is not a maker of tables.
fn expected(graph: &Graph, known: &HashMap<ValueId, Table>) -> BTreeSet<ValueId> {
    let readers = graph.nodes.iter().filter(|node| !is_maker(node, known));
    let read = readers.flat_map(|node| node.inputs.iter().flatten().map(|(id, _)| *id));
    read.chain(graph.outputs.iter().copied())
        .filter(|id| known.contains_key(id))
        .collect()
}

/// Points all readers of a table to a new value, and gives the node that makes it.
fn replaced(
    graph: &mut Graph,
    id: ValueId,
    known: &HashMap<ValueId, Table>,
    takes: &mut [bool],
) -> Option<Node> {
    let table = &known[&id];
    let mut inputs: Vec<usize> = table.columns.iter().map(Column::input).collect();
    inputs.sort_unstable();
    inputs.dedup();
    let mut columns = table.columns.clone();
    for column in &mut columns {
        let (Source::Input(reference)
        | Source::Indicator { reference, .. }
        | Source::Code { reference, .. }) = &mut column.source;
        reference.input = inputs.binary_search(&reference.input).ok()?;
    }
    let reads = |node: &&Node| {
        !is_maker(node, known) && node.inputs.iter().flatten().any(|(read, _)| *read == id)
    };
    let is_first_alone = |node: &Node| {
        node.takes_blocks
            && node.inputs.iter().enumerate().all(|(reference, input)| {
                input.is_none_or(|(read, _)| (read == id) == (reference == 0))
            })
    };
    let as_block = table.rest.len() == 1
        && !graph.outputs.contains(&id)
        && graph.nodes.iter().filter(reads).all(is_first_alone);
    let assembly = Assembly {
        columns,
        rest: table.rest.clone(),
        as_block,
        inputs: inputs.clone(),
    };
    let kernel = several(move |call| assembly.run(call)).ok()?.kernel;
    let made = graph.value_count;
    graph.value_count += 1;
    let reading = graph
        .nodes
        .iter_mut()
        .flat_map(|node| node.inputs.iter_mut().flatten())
        .map(|(read, _)| read);
    reading
        .chain(&mut graph.outputs)
        .filter(|read| **read == id)
        .for_each(|read| *read = made);
    inputs.iter().for_each(|input| takes[*input] = true);
    Some(Node {
        label: "the table of the inputs' columns".into(),
        kernel,
        widening: Widening::None,
        inputs: inputs
            .iter()
            .map(|input| Some((graph.inputs[*input], false)))
            .collect(),
        outputs: vec![Some(made)],
        role: None,
        joint: None,
        column_role: None,
        takes_blocks: false,
        memory_bytes: 0,
        family: None,
        row_mixing: RowMixing::Nothing,
    })
}
