//! `Einsum`: sums over products of tensors, as an equation of letters states them.
//!
//! Owns the equation. Where two operands make a matrix product, [`product`](super::product) does
//! it.

use super::elementwise::{Arithmetic, combine};
use super::product::matrix_product;
use crate::error::{Error, Result};
use crate::graph::entry::{ANY, Entry};
use crate::graph::layout::{transposed, viewed};
use crate::graph::operator::{Built, Call, Definition, single};
use crate::graph::tensor::{Tensor, element_count};

pub(crate) const OPERATORS: &[Entry] = &[Entry::new("Einsum", 1, ANY, einsum).widened()];

/// One letter per axis for each operand and for the result; a letter that the result is missing is
/// summed over.
struct Equation {
    operands: Vec<Vec<u8>>,
    result: Vec<u8>,
}

/// Stands for the axes of an ellipsis, which are numbered from the last one.
const ELLIPSIS: u8 = b'.';

fn einsum(node: &Definition) -> Result<Built> {
    let text = node
        .find_string("equation")?
        .ok_or_else(|| crate::graph::operator::missing_attribute("equation"))?;
    let text: String = text
        .replace("...", ".")
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .collect();
    if !text
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic() || b".,->".contains(&byte))
    {
        return Err(Error::failed(format!("the equation `{text}` is broken")));
    }
    let (left, result) = text
        .split_once("->")
        .map_or((text.as_str(), None), |(left, right)| (left, Some(right)));
    let operands: Vec<Vec<u8>> = left
        .split(',')
        .map(|operand| operand.as_bytes().to_vec())
        .collect();
    let result = result.map_or_else(|| implied(&operands), |result| result.as_bytes().to_vec());
    if operands.len() != node.inputs.len() {
        return Err(Error::failed(format!(
            "the equation `{text}` is not for {} inputs",
            node.inputs.len()
        )));
    }
    single(move |call| {
        evaluate(
            &Equation {
                operands: operands.clone(),
                result: result.clone(),
            },
            call,
        )
    })
}

/// Whether a letter occurs in one place alone.
fn is_once(letters: &[u8], letter: u8) -> bool {
    letters.iter().position(|other| *other == letter)
        == letters.iter().rposition(|other| *other == letter)
}

/// Without a result, the letters that occur once, in alphabetical order, after the ellipsis.
fn implied(operands: &[Vec<u8>]) -> Vec<u8> {
    let all: Vec<u8> = operands.concat();
    let mut once: Vec<u8> = all
        .iter()
        .copied()
        .filter(|letter| *letter == ELLIPSIS || is_once(&all, *letter))
        .collect();
    once.sort_unstable();
    once.dedup();
    once
}

fn evaluate(equation: &Equation, call: &Call) -> Result<Tensor> {
    let tensors = call.tensors()?;
    // Ellipsis axes become letters below 64, counted from the last.
    let spelled = |letters: &[u8], more: usize| -> Vec<u8> {
        letters
            .iter()
            .flat_map(|&letter| {
                if letter == ELLIPSIS {
                    (0..more as u8).rev().collect()
                } else {
                    vec![letter]
                }
            })
            .collect()
    };
    let extra = |letters: &[u8], rank: usize| {
        if letters.contains(&ELLIPSIS) {
            (rank + 1).checked_sub(letters.len())
        } else {
            (rank == letters.len()).then_some(0)
        }
    };
    let mut lengths = std::collections::BTreeMap::<u8, usize>::new();
    let (mut operands, mut most) = (Vec::new(), 0);
    for (letters, tensor) in equation.operands.iter().zip(&tensors) {
        let more = extra(letters, tensor.rank()).ok_or_else(|| {
            Error::failed(format!(
                "an operand of {} axes does not fit the equation",
                tensor.rank()
            ))
        })?;
        most = most.max(more);
        let letters = spelled(letters, more);
        for (letter, &length) in letters.iter().zip(tensor.shape()) {
            let known = lengths.entry(*letter).or_insert(length);
            if *known == 1 {
                *known = length;
            } else if length != 1 && *known != length {
                return Err(Error::failed("axes of one letter have different lengths"));
            }
        }
        operands.push(letters);
    }
    let result = spelled(&equation.result, most);
    let mut sums: Vec<u8> = lengths
        .keys()
        .copied()
        .filter(|letter| !result.contains(letter))
        .collect();
    sums.sort_unstable();
    let all = [result.clone(), sums].concat();
    let length = |letter: &u8| {
        lengths
            .get(letter)
            .copied()
            .ok_or_else(|| Error::failed("the result has a letter that no operand has"))
    };
    let shape = all.iter().map(length).collect::<Result<Vec<usize>>>()?;
    if let Some(fast) = as_product(&tensors, &operands, &result, &lengths)? {
        return Ok(fast);
    }
    element_count(&shape)?;
    let strides = tensors
        .iter()
        .zip(&operands)
        .map(|(tensor, letters)| diagonal_strides(tensor, letters, &all))
        .collect::<Vec<_>>();
    let mut total: Option<Tensor> = None;
    for (tensor, strides) in tensors.iter().zip(&strides) {
        let spread = viewed(tensor, 0, &shape, strides)?;
        total = Some(match total {
            None => spread,
            Some(total) => combine(Arithmetic::Multiply, &total, &spread)?,
        });
    }
    let total = total.ok_or_else(|| Error::failed("no operand"))?;
    super::reduction::reduced(
        &total,
        &(result.len()..all.len()).collect::<Vec<_>>(),
        false,
        super::reduction::Reduction::Sum,
    )
}

/// The strides with which a tensor is read over all letters: 0 where it is missing one, added up
/// where it has one twice.
fn diagonal_strides(tensor: &Tensor, letters: &[u8], all: &[u8]) -> Vec<usize> {
    let own = crate::graph::layout::strides_of(tensor.shape());
    let stride = |letter: &u8| {
        letters
            .iter()
            .enumerate()
            .filter(|(axis, other)| *other == letter && tensor.shape()[*axis] != 1)
            .map(|(axis, _)| own[axis])
            .sum()
    };
    all.iter().map(stride).collect()
}

/// Two operands without doubled or stretched letters are one matrix product between transpositions.
fn as_product(
    tensors: &[&Tensor],
    operands: &[Vec<u8>],
    result: &[u8],
    lengths: &std::collections::BTreeMap<u8, usize>,
) -> Result<Option<Tensor>> {
    let ([left, right], [a, b]) = (tensors, operands) else {
        return Ok(None);
    };
    let is_plain = |tensor: &Tensor, letters: &[u8]| {
        letters
            .iter()
            .zip(tensor.shape())
            .all(|(letter, length)| lengths[letter] == *length)
            && letters.iter().all(|letter| is_once(letters, *letter))
    };
    let lonely = |own: &[u8], other: &[u8]| {
        own.iter()
            .any(|letter| !other.contains(letter) && !result.contains(letter))
    };
    if !is_plain(left, a) || !is_plain(right, b) || lonely(a, b) || lonely(b, a) {
        return Ok(None);
    }
    let (batch, sums): (Vec<u8>, Vec<u8>) = a
        .iter()
        .copied()
        .filter(|letter| b.contains(letter))
        .partition(|letter| result.contains(letter));
    let rows: Vec<u8> = a
        .iter()
        .copied()
        .filter(|letter| !b.contains(letter))
        .collect();
    let columns: Vec<u8> = b
        .iter()
        .copied()
        .filter(|letter| !a.contains(letter))
        .collect();
    let size = |letters: &[u8]| {
        letters
            .iter()
            .map(|letter| lengths[letter])
            .product::<usize>()
    };
    let ordered = |tensor: &Tensor, own: &[u8], expected: &[u8]| {
        let order: Vec<usize> = expected
            .iter()
            .filter_map(|letter| own.iter().position(|other| other == letter))
            .collect();
        transposed(tensor, &order)
    };
    let left = ordered(
        left,
        a,
        &[batch.clone(), rows.clone(), sums.clone()].concat(),
    )?
    .reshaped(vec![size(&batch), size(&rows), size(&sums)])?;
    let right = ordered(
        right,
        b,
        &[batch.clone(), sums.clone(), columns.clone()].concat(),
    )?
    .reshaped(vec![size(&batch), size(&sums), size(&columns)])?;
    let letters = [batch, rows, columns].concat();
    let shape = letters.iter().map(|letter| lengths[letter]).collect();
    let product = matrix_product(&left, &right)?.reshaped(shape)?;
    ordered(&product, &letters, result).map(Some)
}
