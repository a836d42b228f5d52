//! Graphs inside nodes: conditions, loops and scans; and sequences and optionals, which they carry.

use std::sync::Arc;

use super::movement::{concatenated, part, split_into};
use crate::error::{Error, Result};
use crate::graph::entry::{ANY, Entry};
use crate::graph::layout::{axis_of, length_of};
use crate::graph::operator::{Built, Call, Definition, Subgraph, several, single};
use crate::graph::tensor::{ELEMENT_LIMIT, Tensor};
use crate::graph::value::Value;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("If", 1, 1, condition),
    // Both the limit and the condition may be missing.
    Entry::new("Loop", 0, ANY, repeat),
    Entry::new("Scan", 1, ANY, scan).since(9),
    Entry::new("SequenceConstruct", 1, ANY, |_| {
        several(|call| {
            Ok(vec![Value::Sequence(
                call.inputs.drain(..).flatten().collect(),
            )])
        })
    }),
    Entry::new("SequenceEmpty", 0, 0, |_| {
        several(|_| Ok(vec![Value::Sequence(Vec::new())]))
    }),
    Entry::new("SequenceAt", 2, 2, |_| several(sequence_at)),
    Entry::new("SequenceInsert", 2, 3, |_| several(sequence_insert)),
    Entry::new("SequenceErase", 1, 2, |_| several(sequence_erase)),
    Entry::new("SequenceLength", 1, 1, |_| {
        single(|call| Ok(Tensor::scalar(sequence(call.value(0)?)?.len() as i64)))
    }),
    Entry::new("SequenceMap", 1, ANY, sequence_map),
    Entry::new("SplitToSequence", 1, 2, split_to_sequence),
    Entry::new("ConcatFromSequence", 1, 1, concat_from_sequence),
    Entry::new("Optional", 0, 1, |_| {
        several(|call| Ok(vec![Value::Optional(call.take_value(0).ok().map(Box::new))]))
    }),
    Entry::new("OptionalHasElement", 0, 1, |_| {
        single(|call| Ok(has_element(call)))
    }),
    Entry::new("OptionalGetElement", 1, 1, |_| several(get_element)),
];

/// The most turns of a loop without a limit of its own.
const TURN_LIMIT: i64 = 1 << 20;

/// Results of turns that are kept to be stacked.
const STACK_LIMIT: usize = 1 << 20;

/// Runs a subgraph on its own inputs and what it captures of the call's, which begin at `first`
/// among them.
fn run(body: &Subgraph, mut own: Vec<Value>, call: &Call, first: usize) -> Result<Vec<Value>> {
    let start = first + body.first_capture;
    for position in start..start + body.capture_count {
        own.push(call.value(position)?.clone());
    }
    // A body without nodes is a step too.
    call.fuel.burn(1)?;
    body.body.run(own, call.fuel)
}

fn is_true(tensor: &Tensor) -> Result<bool> {
    Ok(tensor.number()? != 0.0)
}

fn condition(node: &Definition) -> Result<Built> {
    let (yes, no) = (
        node.requested_graph("then_branch")?,
        node.requested_graph("else_branch")?,
    );
    several(move |call| {
        let branch = if is_true(call.tensor(0)?)? { &yes } else { &no };
        run(branch, Vec::new(), call, 1)
    })
}

/// Inputs: the number of turns, the condition, the carried values. Outputs: the carried values,
/// then each turn's results stacked.
fn repeat(node: &Definition) -> Result<Built> {
    let body = node.requested_graph("body")?;
    let carried_count = node.inputs.len().saturating_sub(2);
    if body.input_count != carried_count + 2 {
        return Err(Error::failed(format!(
            "a loop of {} inputs with a body of {}",
            carried_count + 2,
            body.input_count
        )));
    }
    several(move |call| {
        let limit = call.optional(0)?.map(Tensor::integer).transpose()?;
        let mut goes_on = call.optional(1)?.map_or(Ok(true), is_true)?;
        let mut carried = (0..carried_count)
            .map(|position| call.value(position + 2).cloned())
            .collect::<Result<Vec<Value>>>()?;
        let mut stacked: Vec<Vec<Tensor>> = Vec::new();
        let mut turn = 0;
        while goes_on && turn < limit.unwrap_or(TURN_LIMIT) {
            let mut own = vec![
                Value::Tensor(Tensor::scalar(turn)),
                Value::Tensor(Tensor::scalar(goes_on)),
            ];
            own.append(&mut carried);
            let mut results = run(&body, own, call, carried_count + 2)?;
            if results.len() <= carried_count {
                return Err(Error::failed(
                    "a loop's body gives fewer values than it carries",
                ));
            }
            let extra = results.split_off(carried_count + 1);
            goes_on = is_true(results[0].tensor()?)?;
            carried = results.split_off(1);
            stacked.resize_with(extra.len(), Vec::new);
            for (stack, value) in stacked.iter_mut().zip(extra) {
                push(stack, value)?;
            }
            turn += 1;
        }
        if goes_on && limit.is_none() && turn == TURN_LIMIT {
            return Err(Error::failed(format!(
                "a loop without a limit goes on after {TURN_LIMIT} turns"
            )));
        }
        let scans = (body.body.output_count()).saturating_sub(carried_count + 1);
        stacked.resize_with(scans, Vec::new);
        let mut outputs = carried;
        for stack in &stacked {
            outputs.push(Value::Tensor(stack_up(stack, 0, false)?));
        }
        Ok(outputs)
    })
}

/// Keeps a turn's result.
fn push(stack: &mut Vec<Tensor>, value: Value) -> Result<()> {
    let tensor = value.into_tensor()?;
    // Results of one shape are as large together as each times their number.
    let so_far = stack.len().saturating_add(1);
    if so_far > STACK_LIMIT || so_far.saturating_mul(tensor.len()) > ELEMENT_LIMIT {
        return Err(Error::failed(format!(
            "a loop stacks more than {STACK_LIMIT} results, or {ELEMENT_LIMIT} elements"
        )));
    }
    stack.push(tensor);
    Ok(())
}

/// The tensors along a new axis.
fn stack_up(tensors: &[Tensor], axis: i64, is_reverse: bool) -> Result<Tensor> {
    let Some(first) = tensors.first() else {
        return Ok(Tensor::vector(Vec::<f32>::new()));
    };
    let axis = axis_of(axis, first.rank() + 1)?;
    let raised = |tensor: &Tensor| {
        let mut shape = tensor.shape().to_vec();
        shape.insert(axis.min(shape.len()), 1);
        tensor.clone().reshaped(shape)
    };
    let mut raised = tensors
        .iter()
        .map(raised)
        .collect::<Result<Vec<Tensor>>>()?;
    if is_reverse {
        raised.reverse();
    }
    concatenated(&raised.iter().collect::<Vec<_>>(), axis as i64)
}

/// Inputs: states, then tensors that are walked along an axis. Outputs: the last states, then each
/// step's results stacked.
fn scan(node: &Definition) -> Result<Built> {
    let body = node.requested_graph("body")?;
    let walked_count = length_of(node.required_int("num_scan_inputs")?)?;
    let state_count = node
        .inputs
        .len()
        .checked_sub(walked_count)
        .ok_or_else(|| Error::failed("more inputs are walked than there are"))?;
    if body.input_count != node.inputs.len()
        || body.body.output_count() < state_count
        || walked_count == 0
    {
        return Err(Error::failed(
            "a scan whose body has other inputs or outputs",
        ));
    }
    let result_count = body.body.output_count() - state_count;
    let listed = |name: &str, count: usize| -> Result<Vec<i64>> {
        let values = node.find_ints(name)?.unwrap_or_else(|| vec![0; count]);
        if values.len() == count {
            Ok(values)
        } else {
            Err(Error::failed(format!(
                "`{name}` has {} values for {count}",
                values.len()
            )))
        }
    };
    let (in_axes, in_directions) = (
        listed("scan_input_axes", walked_count)?,
        listed("scan_input_directions", walked_count)?,
    );
    let (out_axes, out_directions) = (
        listed("scan_output_axes", result_count)?,
        listed("scan_output_directions", result_count)?,
    );
    several(move |call| {
        let mut states = (0..state_count)
            .map(|position| call.value(position).cloned())
            .collect::<Result<Vec<Value>>>()?;
        let mut slices: Vec<Vec<Tensor>> = Vec::with_capacity(walked_count);
        for slot in 0..walked_count {
            let mut steps = unstacked(call.tensor(state_count + slot)?, in_axes[slot])?;
            if in_directions[slot] == 1 {
                steps.reverse();
            }
            slices.push(steps);
        }
        let length = slices[0].len();
        if slices.iter().any(|steps| steps.len() != length) {
            return Err(Error::failed("the walked inputs have different lengths"));
        }
        let mut stacks: Vec<Vec<Tensor>> = vec![Vec::with_capacity(length); result_count];
        for step in 0..length {
            let mut own = std::mem::take(&mut states);
            own.extend(
                slices
                    .iter()
                    .map(|steps| Value::Tensor(steps[step].clone())),
            );
            let mut results = run(&body, own, call, state_count + walked_count)?;
            let extra = results.split_off(state_count);
            states = results;
            for (stack, value) in stacks.iter_mut().zip(extra) {
                push(stack, value)?;
            }
        }
        let mut outputs = states;
        for ((stack, axis), direction) in stacks.iter().zip(&out_axes).zip(&out_directions) {
            outputs.push(Value::Tensor(stack_up(stack, *axis, *direction == 1)?));
        }
        Ok(outputs)
    })
}

/// The slices along an axis, which they lose.
fn unstacked(tensor: &Tensor, axis: i64) -> Result<Vec<Tensor>> {
    let axis = axis_of(axis, tensor.rank())?;
    let mut shape = tensor.shape().to_vec();
    shape.remove(axis);
    (0..tensor.shape()[axis])
        .map(|step| part(tensor, axis, step, 1)?.reshaped(shape.clone()))
        .collect()
}

fn sequence(value: &Value) -> Result<&Vec<Value>> {
    match value {
        Value::Sequence(values) => Ok(values),
        Value::Optional(Some(inner)) => sequence(inner),
        other => Err(Error::contract(format!(
            "{} where a sequence is expected",
            other.kind()
        ))),
    }
}

/// A place in a sequence, counted from the end where it is negative; one past the end is allowed
/// for what is inserted.
fn slot(call: &Call, position: usize, length: usize, past: usize) -> Result<Option<usize>> {
    let Some(index) = call.optional(position)?.map(Tensor::integer).transpose()? else {
        return Ok(None);
    };
    let counted = if index < 0 {
        index.saturating_add(length as i64)
    } else {
        index
    };
    let found = usize::try_from(counted)
        .ok()
        .filter(|&found| found < length + past);
    found
        .map(Some)
        .ok_or_else(|| Error::failed(format!("index {index} in a sequence of length {length}")))
}

fn sequence_at(call: &mut Call) -> Result<Vec<Value>> {
    let values = sequence(call.value(0)?)?;
    let slot =
        slot(call, 1, values.len(), 0)?.ok_or_else(|| Error::failed("the index is missing"))?;
    Ok(vec![values[slot].clone()])
}

fn sequence_insert(call: &mut Call) -> Result<Vec<Value>> {
    let mut values = sequence(call.value(0)?)?.clone();
    let slot = slot(call, 2, values.len(), 1)?.unwrap_or(values.len());
    values.insert(slot, call.take_value(1)?);
    Ok(vec![Value::Sequence(values)])
}

fn sequence_erase(call: &mut Call) -> Result<Vec<Value>> {
    let mut values = sequence(call.value(0)?)?.clone();
    if values.is_empty() {
        return Err(Error::failed("an empty sequence has nothing to erase"));
    }
    let slot = slot(call, 1, values.len(), 0)?.unwrap_or(values.len() - 1);
    values.remove(slot);
    Ok(vec![Value::Sequence(values)])
}

/// Runs its body once for each value of the first sequence; tensors among the other inputs are the
/// same every time.
fn sequence_map(node: &Definition) -> Result<Built> {
    let body: Arc<Subgraph> = node.requested_graph("body")?;
    let count = node.inputs.len();
    several(move |call| {
        let length = sequence(call.value(0)?)?.len();
        let mut outputs: Vec<Vec<Value>> =
            vec![Vec::with_capacity(length); body.body.output_count()];
        for turn in 0..length {
            let pick = |position: usize| match call.value(position)? {
                Value::Sequence(values) => values
                    .get(turn)
                    .cloned()
                    .ok_or_else(|| Error::failed("sequences of different lengths")),
                other => Ok(other.clone()),
            };
            let own = (0..count).map(pick).collect::<Result<Vec<Value>>>()?;
            run(&body, own, call, count)?
                .into_iter()
                .zip(&mut outputs)
                .for_each(|(value, output)| output.push(value));
        }
        Ok(outputs.into_iter().map(Value::Sequence).collect())
    })
}

fn split_to_sequence(node: &Definition) -> Result<Built> {
    let (axis, keeps) = (node.int("axis", 0)?, node.flag("keepdims", true)?);
    several(move |call| {
        let data = call.tensor(0)?;
        let slot = axis_of(axis, data.rank())?;
        let length = data.shape()[slot];
        let parts = match call.optional(1)? {
            None if !keeps => unstacked(data, axis)?,
            None => split_into(data, slot, &vec![1; length])?,
            Some(split) if split.rank() == 0 => {
                let size = length_of(split.integer()?)?;
                if size == 0 {
                    return Err(Error::failed("parts of length 0"));
                }
                let lengths: Vec<usize> = (0..length.div_ceil(size))
                    .map(|index| size.min(length - index * size))
                    .collect();
                split_into(data, slot, &lengths)?
            }
            Some(split) => split_into(
                data,
                slot,
                &split
                    .integers()?
                    .into_iter()
                    .map(length_of)
                    .collect::<Result<Vec<usize>>>()?,
            )?,
        };
        Ok(vec![Value::Sequence(
            parts.into_iter().map(Value::Tensor).collect(),
        )])
    })
}

fn concat_from_sequence(node: &Definition) -> Result<Built> {
    let (axis, is_new) = (node.required_int("axis")?, node.flag("new_axis", false)?);
    single(move |call| {
        let tensors = sequence(call.value(0)?)?
            .iter()
            .map(|value| value.tensor().cloned())
            .collect::<Result<Vec<Tensor>>>()?;
        if is_new {
            stack_up(&tensors, axis, false)
        } else {
            concatenated(&tensors.iter().collect::<Vec<_>>(), axis)
        }
    })
}

fn has_element(call: &Call) -> Tensor {
    let found = call.inputs.first().and_then(Option::as_ref);
    Tensor::scalar(!matches!(found, None | Some(Value::Optional(None))))
}

fn get_element(call: &mut Call) -> Result<Vec<Value>> {
    match call.take_value(0)? {
        Value::Optional(Some(inner)) => Ok(vec![*inner]),
        Value::Optional(None) => Err(Error::failed("the optional holds nothing")),
        other => Ok(vec![other]),
    }
}
