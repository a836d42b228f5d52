//! Which axis of a graph's inputs and outputs counts the rows: by what the file calls its axes, and
//! by what inputs and outputs share.
//!
//! Owns the reading of axis names. PyTorch's sequence layers put time first and rows second; a file
//! that does not distinguish the two is in doubt, which trial runs or the user settle. It must not
//! know tables.

use std::collections::BTreeSet;

use super::port::{Port, PortKind};
use crate::error::{Error, Result, shell_word};
use crate::format::RowsAxis;
use crate::table::spelling::did_you_mean;

/// Names of the axis that counts rows, besides those that hold `batch`.
const ROW_NAMES: [&str; 17] = [
    "n",
    "b",
    "bs",
    "bsz",
    "row",
    "rows",
    "nrows",
    "n_rows",
    "num_rows",
    "sample",
    "samples",
    "nsamples",
    "n_samples",
    "num_samples",
    "examples",
    "instances",
    "records",
];

/// Names of axes inside a row, and parts of such names.
const INNER_NAMES: [&str; 8] = ["t", "l", "s", "c", "h", "w", "d", "f"];
const INNER_PARTS: [&str; 14] = [
    "seq", "time", "step", "token", "len", "word", "frame", "window", "height", "width", "channel",
    "feature", "class", "hidden",
];

/// What an axis is by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Batch,
    Rows,
    Inner,
    Unknown,
}

fn meaning(name: &str) -> Meaning {
    let lower = name.to_lowercase();
    let is_inner = INNER_PARTS.iter().any(|part| lower.contains(part));
    match lower.as_str() {
        _ if lower.contains("batch") && !is_inner => Meaning::Batch,
        plain if ROW_NAMES.contains(&plain) => Meaning::Rows,
        plain if is_inner || INNER_NAMES.contains(&plain) => Meaning::Inner,
        _ => Meaning::Unknown,
    }
}

/// Where an input's rows are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InputRows {
    /// The axis that counts them; none for an input that holds one row.
    pub(super) axis: Option<usize>,
    /// Axes that may count them just as well, by all that the file states.
    pub(super) others: Vec<usize>,
}

impl InputRows {
    fn certain(axis: Option<usize>) -> Self {
        Self {
            axis,
            others: Vec::new(),
        }
    }
}

/// Where the rows of all inputs are, and of those outputs whose axes the file names.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) inputs: Vec<InputRows>,
    pub(super) outputs: Vec<Option<usize>>,
}

/// An axis of an input or output.
#[derive(Clone, Copy, Debug)]
struct Axis<'a> {
    length: Option<usize>,
    name: &'a str,
}

fn axes(port: &Port) -> Option<Vec<Axis<'_>>> {
    let PortKind::Tensor {
        shape: Some(shape), ..
    } = &port.kind
    else {
        return None;
    };
    let name = |axis: usize| port.axis_names.get(axis).map_or("", String::as_str);
    Some(
        shape
            .iter()
            .enumerate()
            .map(|(axis, length)| Axis {
                length: *length,
                name: name(axis),
            })
            .collect(),
    )
}

/// Finds the rows. `asked` are the axes that the user names.
///
/// # Errors
/// A usage error for an input or an axis that there is not.
pub(super) fn rows(inputs: &[Port], outputs: &[Port], asked: &[RowsAxis]) -> Result<Rows> {
    check(inputs, asked)?;
    let shapes: Vec<Option<Vec<Axis>>> = inputs.iter().map(axes).collect();
    let answers: Vec<Vec<Axis>> = outputs
        .iter()
        .filter_map(axes)
        .filter(|axes| !axes.is_empty())
        .collect();
    let wish = |port: &Port| {
        asked
            .iter()
            .rev()
            .find(|one| one.input == port.name)
            .map(|one| InputRows::certain(one.axis))
    };
    // What is certain by itself, then what that says of the rest.
    let mut found: Vec<Option<InputRows>> = inputs
        .iter()
        .zip(&shapes)
        .map(|(port, axes)| {
            wish(port).or_else(|| {
                axes.as_ref().map_or_else(
                    || Some(InputRows::certain(Some(0))),
                    |axes| by_name(axes, &answers),
                )
            })
        })
        .collect();
    let symbols = symbols(&found, &shapes);
    for (one, axes) in found
        .iter_mut()
        .zip(&shapes)
        .filter(|(one, _)| one.is_none())
    {
        *one = axes.as_ref().and_then(|axes| by_symbol(axes, &symbols));
    }
    let has_open = |one: &InputRows, axes: &Option<Vec<Axis>>| {
        one.axis.is_some_and(|axis| {
            axes.as_ref()
                .and_then(|axes| axes.get(axis))
                .is_some_and(|axis| axis.length.is_none())
        })
    };
    let is_open_elsewhere = found
        .iter()
        .zip(&shapes)
        .any(|(one, axes)| one.as_ref().is_some_and(|one| has_open(one, axes)))
        || shapes
            .iter()
            .flatten()
            .any(|axes| axes.first().is_some_and(|first| first.length.is_none()));
    let inputs: Vec<InputRows> = found
        .into_iter()
        .zip(&shapes)
        .map(|(one, axes)| {
            one.unwrap_or_else(|| {
                by_lengths(
                    axes.as_deref().unwrap_or_default(),
                    &answers,
                    is_open_elsewhere,
                )
            })
        })
        .collect();
    let symbols = self::symbols(
        &inputs.iter().cloned().map(Some).collect::<Vec<_>>(),
        &shapes,
    );
    let named = |port: &Port| axes(port).and_then(|axes| output_axis(&axes, &symbols));
    Ok(Rows {
        inputs,
        outputs: outputs.iter().map(named).collect(),
    })
}

fn check(inputs: &[Port], asked: &[RowsAxis]) -> Result<()> {
    for RowsAxis { input, axis } in asked {
        let Some(port) = inputs.iter().find(|port| port.name == *input) else {
            let names = inputs.iter().map(|port| port.name.as_str());
            let error = Error::usage(format!(
                "`--rows-axis` names `{input}`, which is not an input of the graph"
            ));
            return Err(error.hint(did_you_mean(
                input,
                &names,
                "`tallow inspect MODEL` lists the graph's inputs",
            )));
        };
        let rank = axes(port).map(|axes| axes.len());
        if let (Some(axis), Some(rank)) = (axis, rank)
            && *axis >= rank
        {
            let message = format!(
                "`--rows-axis {input}={axis}`: the input{} has {rank} axes, counted from 0",
                port.kind
            );
            return Err(Error::usage(message));
        }
    }
    Ok(())
}

/// The axis whose name says that it counts rows, if one does.
fn by_name(axes: &[Axis], answers: &[Vec<Axis>]) -> Option<InputRows> {
    if axes.is_empty() {
        return Some(InputRows::certain(None));
    }
    let of = |expected: Meaning| {
        (0..axes.len())
            .filter(|axis| meaning(axes[*axis].name) == expected)
            .collect::<Vec<usize>>()
    };
    if let [axis] = of(Meaning::Batch).as_slice() {
        return Some(InputRows::certain(Some(*axis)));
    }
    let [axis] = *of(Meaning::Rows).as_slice() else {
        return None;
    };
    // `M × N`, of which the outputs have M alone.
    let is_shared = |axis: usize| in_all(axes[axis], answers);
    let is_second = axis > 0
        && axes[0].length.is_none()
        && meaning(axes[0].name) == Meaning::Unknown
        && is_shared(0)
        && !is_shared(axis);
    Some(InputRows::certain(Some(if is_second { 0 } else { axis })))
}

/// Whether an axis is named and every output has one of its name.
fn in_all(axis: Axis, answers: &[Vec<Axis>]) -> bool {
    !axis.name.is_empty()
        && !answers.is_empty()
        && answers
            .iter()
            .all(|axes| axes.iter().any(|other| other.name == axis.name))
}

/// The names of the axes that count rows.
fn symbols<'a>(found: &[Option<InputRows>], shapes: &[Option<Vec<Axis<'a>>>]) -> BTreeSet<&'a str> {
    let name = |(one, axes): (&Option<InputRows>, &Option<Vec<Axis<'a>>>)| {
        let one = one.as_ref().filter(|one| one.others.is_empty())?;
        Some(axes.as_ref()?.get(one.axis?)?.name).filter(|name| !name.is_empty())
    };
    found.iter().zip(shapes).filter_map(name).collect()
}

fn by_symbol(axes: &[Axis], symbols: &BTreeSet<&str>) -> Option<InputRows> {
    let own: Vec<usize> = (0..axes.len())
        .filter(|axis| symbols.contains(axes[*axis].name))
        .collect();
    if let [axis] = own.as_slice() {
        Some(InputRows::certain(Some(*axis)))
    } else {
        None
    }
}

/// The axis that counts rows where no name says so.
#[expect(clippy::match_same_arms, reason = "the order of the arms decides")]
fn by_lengths(axes: &[Axis], answers: &[Vec<Axis>], is_open_elsewhere: bool) -> InputRows {
    let open: Vec<usize> = (0..axes.len())
        .filter(|axis| axes[*axis].length.is_none() && meaning(axes[*axis].name) != Meaning::Inner)
        .collect();
    let leads = |axis: usize| {
        let name = axes[axis].name;
        !name.is_empty()
            && !answers.is_empty()
            && answers.iter().all(|answer| answer[0].name == name)
    };
    let others = |chosen: usize| {
        (0..axes.len())
            .filter(|axis| *axis != chosen)
            .collect::<Vec<usize>>()
    };
    match (axes[0].length, open.as_slice()) {
        (Some(_), []) if is_open_elsewhere => InputRows::certain(None),
        (_, [axis]) if leads(*axis) => InputRows::certain(Some(*axis)),
        // One row at a time is right wherever the rows are.
        (Some(1), _) => InputRows::certain(Some(0)),
        (Some(_), []) => InputRows {
            axis: Some(0),
            others: others(0),
        },
        (None, [axis]) => InputRows::certain(Some(*axis)),
        (Some(length), [axis]) => {
            let stays = |answer: &Vec<Axis>| {
                answer[0].length == Some(length)
                    && answer.iter().all(|other| other.name != axes[*axis].name)
            };
            let is_fixed =
                !answers.is_empty() && !axes[*axis].name.is_empty() && answers.iter().all(stays);
            if is_fixed {
                InputRows::certain(Some(0))
            } else {
                InputRows {
                    axis: Some(*axis),
                    others: others(*axis),
                }
            }
        }
        // All open axes are inside a row by their names.
        (None, []) => InputRows {
            axis: Some(0),
            others: others(0),
        },
        (_, several) => {
            let shared: Vec<usize> = several
                .iter()
                .copied()
                .filter(|axis| in_all(axes[*axis], answers))
                .collect();
            match shared.as_slice() {
                [axis] => InputRows::certain(Some(*axis)),
                _ => InputRows {
                    axis: Some(several[0]),
                    others: several[1..].to_vec(),
                },
            }
        }
    }
}

/// The axis of an output that bears the rows' name, if that is not the first.
fn output_axis(axes: &[Axis], symbols: &BTreeSet<&str>) -> Option<usize> {
    let own = |axis: &usize| symbols.contains(axes[*axis].name);
    let named = (0..axes.len()).find(own).or_else(|| {
        let batch: Vec<usize> = (0..axes.len())
            .filter(|axis| meaning(axes[*axis].name) == Meaning::Batch)
            .collect();
        if let [axis] = batch.as_slice() {
            Some(*axis)
        } else {
            None
        }
    });
    named.filter(|axis| *axis > 0)
}

/// The rows of an input whose axis no output follows, if another of its axes is open: the name that
/// chose the axis says something else then. None where the user named the axis.
pub(super) fn contradicted(port: &Port, rows: &InputRows, asked: &[RowsAxis]) -> Option<InputRows> {
    let is_open = |(axis, found): (usize, Axis)| {
        (Some(axis) != rows.axis && found.length.is_none()).then_some(axis)
    };
    let others: Vec<usize> = axes(port)?
        .into_iter()
        .enumerate()
        .filter_map(is_open)
        .collect();
    let is_asked = asked.iter().any(|one| one.input == port.name);
    (rows.axis.is_some() && !others.is_empty() && !is_asked).then_some(InputRows {
        axis: rows.axis,
        others,
    })
}

/// The error for an input whose rows may lie along several axes.
pub(super) fn in_doubt(port: &Port, rows: &InputRows) -> Error {
    let first = rows.axis.unwrap_or(0);
    let all: BTreeSet<usize> = rows.others.iter().copied().chain([first]).collect();
    let axes: Vec<String> = all.iter().map(ToString::to_string).collect();
    let flags: Vec<String> = all
        .iter()
        .map(|axis| shell_word(&format!("{}={axis}", port.name)))
        .map(|axis| format!("`--rows-axis {axis}`"))
        .collect();
    let message = format!(
        "the file does not say which axis of the input `{}`{} counts the rows ({}), and rows \
         along axis {first} would not be scored apart",
        port.name,
        port.kind,
        axes.join(" or ")
    );
    Error::contract(message).hint(format!(
        "name it: {}; or export with the name `batch` for that axis (`dynamic_axes`, \
         `dynamic_shapes`)",
        flags.join(" or ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::ElementType;

    /// A port of this shape: lengths, names, and `?` for neither.
    fn port(name: &str, shape: &str) -> Port {
        let words: Vec<&str> = shape.split_whitespace().collect();
        let lengths = words.iter().map(|word| word.parse().ok()).collect();
        let names = words
            .iter()
            .map(|word| {
                if *word == "?" || word.parse::<usize>().is_ok() {
                    ""
                } else {
                    word
                }
                .to_owned()
            })
            .collect();
        Port {
            name: name.into(),
            kind: PortKind::Tensor {
                element: Some(ElementType::Float),
                shape: Some(lengths),
            },
            axis_names: names,
        }
    }

    /// The rows' axis of each input, `?` if it is in doubt; and of each output.
    fn found(inputs: &[&str], outputs: &[&str]) -> (String, Vec<usize>) {
        let ports = |shapes: &[&str]| {
            shapes
                .iter()
                .map(|shape| port("x", shape))
                .collect::<Vec<Port>>()
        };
        let rows = rows(&ports(inputs), &ports(outputs), &[]).unwrap();
        let axis = |one: &InputRows| {
            one.axis.map_or("-".into(), |axis| axis.to_string())
                + if one.others.is_empty() { "" } else { "?" }
        };
        let inputs = rows
            .inputs
            .iter()
            .map(axis)
            .collect::<Vec<String>>()
            .join(" ");
        (
            inputs,
            rows.outputs
                .into_iter()
                .map(|axis| axis.unwrap_or(0))
                .collect(),
        )
    }

    #[test]
    fn the_rows_are_found_by_names_and_by_what_inputs_and_outputs_share() {
        type Case<'a> = (&'a [&'a str], &'a [&'a str], &'a str, &'a [usize]);
        let cases: [Case<'_>; 28] = [
            (&["batch 4"], &["batch 1"], "0", &[0]),
            (&["3 batch 2"], &["batch 1"], "1", &[0]),
            (&["time batch 2"], &["time batch 5"], "1", &[1]),
            (&["time batch_size 2"], &["1 batch_size 5"], "1", &[1]),
            (&["L N 2"], &["L N 1"], "1", &[1]),
            (&["N T 2"], &["N 1"], "0", &[0]),
            (&["N C H W"], &["N 10"], "0", &[0]),
            (
                &["batch_size sequence_length"],
                &["batch_size 2"],
                "0",
                &[0],
            ),
            (&["4 batch"], &["1 batch"], "1", &[1]),
            (&["M N"], &["M 1"], "0", &[0]),
            (&["time ? 2"], &["? 1"], "1", &[0]),
            (&["? 4"], &["? 1"], "0", &[0]),
            (&["? ? 2"], &["? 1"], "0?", &[0]),
            (&["s0 s1 2"], &["s1 4"], "1", &[0]),
            (&["s0 s1 2"], &["s0 4"], "0", &[0]),
            (&["s0 s1 2"], &["s0 s1 4"], "0?", &[0]),
            (&["1 seq"], &["1 seq 4"], "0", &[0]),
            (&["1 8"], &["1 3"], "0", &[0]),
            (&["1 3 224 224"], &["1 1000"], "0", &[0]),
            (&["1 s0 2"], &["s0 4"], "1", &[0]),
            (&["1 s0 2"], &["1 s0 4"], "0", &[0]),
            (&["3 s0 2"], &["3 1"], "0", &[0]),
            (&["3 ? 2"], &["? 1"], "1?", &[0]),
            (&["time 8"], &["time 1"], "0?", &[0]),
            (&["4 8"], &["4 1"], "0?", &[0]),
            (
                &["time batch 2", "1 batch 4"],
                &["time batch 4", "1 batch 4"],
                "1 1",
                &[1, 1],
            ),
            (&["? 3", "3", ""], &["? 1"], "0 - -", &[0]),
            (&["batch 3", "items s1"], &["batch 1"], "0 0?", &[0]),
        ];
        for (inputs, outputs, axes, answers) in cases {
            assert_eq!(
                found(inputs, outputs),
                (axes.to_owned(), answers.to_vec()),
                "{inputs:?} -> {outputs:?}"
            );
        }
    }

    #[test]
    fn what_the_user_names_comes_first_and_must_be_there() {
        let inputs = [port("x", "batch 4 2")];
        let asked = |input: &str, axis| {
            [RowsAxis {
                input: input.into(),
                axis,
            }]
        };
        assert_eq!(
            rows(&inputs, &[], &asked("x", Some(1))).unwrap().inputs[0].axis,
            Some(1)
        );
        assert_eq!(
            rows(&inputs, &[], &asked("x", None)).unwrap().inputs[0].axis,
            None
        );
        assert!(
            rows(&inputs, &[], &asked("y", Some(1)))
                .unwrap_err()
                .message()
                .contains("not an input")
        );
        assert!(
            rows(&inputs, &[], &asked("x", Some(3)))
                .unwrap_err()
                .message()
                .contains("3 axes")
        );
    }
}
