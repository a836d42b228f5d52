//! Operators whose outputs' sizes or order the data decide: the largest few, distinct values,
//! boxes that do not overlap.

use std::cmp::Ordering;

use crate::error::{Error, Result};
use crate::graph::element::any;
use crate::graph::entry::Entry;
use crate::graph::layout::{axis_of, length_of, split_at_axis, transposed};
use crate::graph::operator::{Built, Call, Definition, several, single};
use crate::graph::tensor::{Element, Tensor};
use crate::graph::value::Value;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("TopK", 1, 2, top),
    Entry::new("Unique", 1, 1, unique),
    Entry::new("NonMaxSuppression", 2, 5, non_max_suppression),
];

fn top(node: &Definition) -> Result<Built> {
    let (attribute, axis) = (node.find_int("k")?, node.int("axis", -1)?);
    let wants_max = node.flag("largest", true)?;
    several(move |call| {
        fn ordered<T: Element>(
            values: &[T],
            (outer, length, inner): (usize, usize, usize),
            count: usize,
            wants_max: bool,
        ) -> Vec<usize> {
            let mut chosen = vec![0; outer * count * inner];
            for (block, lane) in
                (0..outer).flat_map(|block| (0..inner).map(move |lane| (block, lane)))
            {
                let slot = |index: usize| (block * length + index) * inner + lane;
                let mut order: Vec<usize> = (0..length).collect();
                order.sort_by(|&a, &b| {
                    let ordering = compared(&values[slot(a)], &values[slot(b)]);
                    if wants_max {
                        ordering.reverse()
                    } else {
                        ordering
                    }
                });
                order
                    .iter()
                    .take(count)
                    .enumerate()
                    .for_each(|(rank, &index)| {
                        chosen[(block * count + rank) * inner + lane] = index;
                    });
            }
            chosen
        }
        let count = match call.integers(1)? {
            Some(count) => count.first().copied(),
            None => attribute,
        };
        let data = call.tensor(0)?;
        let axis = axis_of(axis, data.rank())?;
        let cut = split_at_axis(data.shape(), axis);
        let count =
            length_of(count.ok_or_else(|| crate::graph::operator::missing_attribute("k"))?)?;
        if count > cut.1 {
            return Err(Error::failed(format!("the largest {count} of {}", cut.1)));
        }
        let chosen = any!(data.data(), values => ordered(values, cut, count, wants_max));
        let mut shape = data.shape().to_vec();
        shape[axis] = count;
        let per_block = count * cut.2;
        let starts: Vec<usize> = chosen
            .iter()
            .enumerate()
            .map(|(slot, index)| (slot / per_block * cut.1 + index) * cut.2 + slot % cut.2)
            .collect();
        let indices = Tensor::new(
            shape.clone(),
            chosen.iter().map(|&index| index as i64).collect(),
        )?;
        Ok(vec![
            Value::Tensor(data.runs(&starts, 1, shape)?),
            Value::Tensor(indices),
        ])
    })
}

/// An order of all values: NaN comes after every number and equals itself.
fn compared<T: PartialOrd>(a: &T, b: &T) -> Ordering {
    let is_nan = |value: &T| value.partial_cmp(value).is_none();
    a.partial_cmp(b)
        .unwrap_or_else(|| is_nan(a).cmp(&is_nan(b)))
}

fn unique(node: &Definition) -> Result<Built> {
    let (axis, is_sorted) = (node.find_int("axis")?, node.flag("sorted", true)?);
    several(move |call| {
        fn compare<T: Element>(values: &[T], run: usize, a: usize, b: usize) -> Ordering {
            let pairs = values[a * run..(a + 1) * run]
                .iter()
                .zip(&values[b * run..(b + 1) * run]);
            pairs
                .map(|(a, b)| compared(a, b))
                .find(|ordering| ordering.is_ne())
                .unwrap_or(Ordering::Equal)
        }
        let data = call.tensor(0)?;
        let (rows, order) = match axis {
            None => (data.clone().reshaped(vec![data.len()])?, vec![0]),
            Some(axis) => {
                let axis = axis_of(axis, data.rank())?;
                let order: Vec<usize> = std::iter::once(axis)
                    .chain((0..data.rank()).filter(|other| *other != axis))
                    .collect();
                (transposed(data, &order)?, order)
            }
        };
        let count = rows.shape()[0];
        let run = rows.len().checked_div(count).unwrap_or(0);
        let compare = |a: usize, b: usize| any!(rows.data(), values => compare(values, run, a, b));
        let mut sorted: Vec<usize> = (0..count).collect();
        sorted.sort_by(|&a, &b| compare(a, b));
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for row in sorted {
            match groups.last_mut() {
                Some(group) if compare(group[0], row).is_eq() => group.push(row),
                _ => groups.push(vec![row]),
            }
        }
        if !is_sorted {
            groups.sort_by_key(|group| group[0]);
        }
        let mut inverse = vec![0; count];
        groups
            .iter()
            .enumerate()
            .for_each(|(slot, group)| group.iter().for_each(|&row| inverse[row] = slot as i64));
        let firsts: Vec<usize> = groups.iter().map(|group| group[0] * run).collect();
        let mut shape = rows.shape().to_vec();
        shape[0] = groups.len();
        let distinct = if run == 0 {
            rows.runs(&[], 0, shape)?
        } else {
            rows.runs(&firsts, run, shape)?
        };
        let mut back = vec![0; order.len()];
        order
            .iter()
            .enumerate()
            .for_each(|(slot, &axis)| back[axis] = slot);
        let first_indices = groups.iter().map(|group| group[0] as i64).collect();
        let counts = groups.iter().map(|group| group.len() as i64).collect();
        let tensors = [
            transposed(&distinct, &back)?,
            Tensor::vector(first_indices),
            Tensor::vector(inverse),
            Tensor::vector(counts),
        ];
        Ok(tensors.into_iter().map(Value::Tensor).collect())
    })
}

/// Boxes as (top, left, bottom, right).
fn corners(box_values: &[f32], is_centred: bool) -> [f32; 4] {
    let [a, b, c, d] = [box_values[0], box_values[1], box_values[2], box_values[3]];
    if is_centred {
        [b - d / 2.0, a - c / 2.0, b + d / 2.0, a + c / 2.0]
    } else {
        [a.min(c), b.min(d), a.max(c), b.max(d)]
    }
}

/// The area that two boxes share, by the area that they cover.
fn overlap(a: [f32; 4], b: [f32; 4]) -> f32 {
    let area = |one: [f32; 4]| (one[2] - one[0]) * (one[3] - one[1]);
    let height = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let width = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let shared = height * width;
    if shared <= 0.0 {
        0.0
    } else {
        shared / (area(a) + area(b) - shared)
    }
}

fn non_max_suppression(node: &Definition) -> Result<Built> {
    let is_centred = node.flag("center_point_box", false)?;
    single(move |call: &mut Call| {
        let (boxes, scores) = (call.tensor(0)?, call.tensor(1)?);
        let number = |position: usize| call.optional(position)?.map(Tensor::number).transpose();
        let most = number(2)?.unwrap_or(0.0) as usize;
        let (max_overlap, min_score) = (
            number(3)?.unwrap_or(0.0) as f32,
            number(4)?.map(|score| score as f32),
        );
        let (&[batch, count, 4], &[score_batch, classes, score_count]) =
            (boxes.shape(), scores.shape())
        else {
            return Err(Error::failed("boxes or scores of a wrong shape"));
        };
        if batch != score_batch || count != score_count {
            return Err(Error::failed("not a score for each box"));
        }
        let (box_values, score_values) = (boxes.values::<f32>()?, scores.values::<f32>()?);
        let mut chosen: Vec<i64> = Vec::new();
        for (image, class) in
            (0..batch).flat_map(|image| (0..classes).map(move |class| (image, class)))
        {
            let score = |one: usize| score_values[(image * classes + class) * count + one];
            let slot =
                |one: usize| corners(&box_values[(image * count + one) * 4..][..4], is_centred);
            let mut order: Vec<usize> = (0..count)
                .filter(|&one| min_score.is_none_or(|least| score(one) > least))
                .collect();
            order.sort_by(|&a, &b| compared(&score(b), &score(a)));
            let mut kept: Vec<usize> = Vec::new();
            for one in order {
                if kept.len() >= most {
                    break;
                }
                if kept
                    .iter()
                    .all(|&other| overlap(slot(one), slot(other)) <= max_overlap)
                {
                    kept.push(one);
                }
            }
            chosen.extend(
                kept.iter()
                    .flat_map(|&one| [image as i64, class as i64, one as i64]),
            );
        }
        Tensor::new(vec![chosen.len() / 3, 3], chosen)
    })
}
