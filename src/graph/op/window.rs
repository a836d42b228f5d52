//! Windows that slide over the last axes of a tensor, as convolutions and pools have them.

use crate::error::{Error, Result};
use crate::graph::layout::{length_of, product, strides_of};
use crate::graph::operator::Definition;
use crate::graph::tensor::element_count;

/// Stands for a place outside the tensor.
pub(crate) const OUTSIDE: usize = usize::MAX;

/// How pads are found where the model does not give them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Padding {
    Given,
    Upper,
    Lower,
    Valid,
}

/// What a node says of its window; lengths that it drops are found from the tensors.
#[derive(Clone, Debug)]
pub(crate) struct Sliding {
    pub(crate) kernel: Option<Vec<usize>>,
    strides: Option<Vec<usize>>,
    dilations: Option<Vec<usize>>,
    pads: Option<Vec<i64>>,
    pub(crate) padding: Padding,
    rounds_up: bool,
}

/// Strides, dilations, and pads (before, after), one each for every axis.
pub(super) type Parameters = (Vec<usize>, Vec<usize>, Vec<(i64, i64)>);

/// A window over axes of known lengths.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    /// The lengths of the axes that it slides over.
    pub(crate) input: Vec<usize>,
    /// The lengths of the window.
    pub(crate) kernel: Vec<usize>,
    pub(crate) strides: Vec<usize>,
    pub(crate) dilations: Vec<usize>,
    /// (before, after) each axis.
    pub(crate) pads: Vec<(i64, i64)>,
    /// The number of its positions along each axis.
    pub(crate) output: Vec<usize>,
}

impl Sliding {
    pub(crate) fn of(node: &Definition) -> Result<Self> {
        let lengths = |name: &str| -> Result<Option<Vec<usize>>> {
            let found = node
                .find_ints(name)?
                .map(|values| {
                    values
                        .into_iter()
                        .map(length_of)
                        .collect::<Result<Vec<usize>>>()
                })
                .transpose()?;
            match found {
                Some(values) if values.contains(&0) => {
                    Err(Error::failed(format!("a zero in `{name}`")))
                }
                found => Ok(found),
            }
        };
        let all = [
            Padding::Given,
            Padding::Upper,
            Padding::Lower,
            Padding::Valid,
        ];
        Ok(Self {
            kernel: lengths("kernel_shape")?,
            strides: lengths("strides")?,
            dilations: lengths("dilations")?,
            pads: node.find_ints("pads")?,
            padding: all[node.choice(
                "auto_pad",
                &["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"],
                0,
            )?],
            rounds_up: node.flag("ceil_mode", false)?,
        })
    }

    /// (strides, dilations, pads) for this many axes.
    pub(crate) fn parameters(&self, rank: usize) -> Result<Parameters> {
        let ones = |values: &Option<Vec<usize>>| values.clone().unwrap_or_else(|| vec![1; rank]);
        let (strides, dilations) = (ones(&self.strides), ones(&self.dilations));
        let pads = self.pads.clone().unwrap_or_else(|| vec![0; 2 * rank]);
        if strides.len() != rank || dilations.len() != rank || pads.len() != 2 * rank {
            return Err(Error::failed(format!(
                "strides, dilations and pads are not for {rank} axes"
            )));
        }
        Ok((
            strides,
            dilations,
            (0..rank)
                .map(|axis| (pads[axis], pads[axis + rank]))
                .collect(),
        ))
    }

    /// The window over axes of these lengths.
    pub(crate) fn over(&self, input: &[usize], kernel: &[usize]) -> Result<Window> {
        let rank = input.len();
        if kernel.len() != rank {
            return Err(Error::failed(format!(
                "a window of {} axes over {rank}",
                kernel.len()
            )));
        }
        let (strides, dilations, mut pads) = self.parameters(rank)?;
        let mut output = Vec::with_capacity(rank);
        for axis in 0..rank {
            let extent = (kernel[axis].max(1) - 1)
                .saturating_mul(dilations[axis])
                .saturating_add(1) as i64;
            let (length, stride) = (input[axis] as i64, strides[axis] as i64);
            if matches!(self.padding, Padding::Upper | Padding::Lower) {
                let count = (length + stride - 1) / stride;
                let total =
                    ((count - 1).saturating_mul(stride).saturating_add(extent) - length).max(0);
                pads[axis] = if self.padding == Padding::Upper {
                    (total / 2, total - total / 2)
                } else {
                    (total - total / 2, total / 2)
                };
            } else if self.padding == Padding::Valid {
                pads[axis] = (0, 0);
            }
            let room = length
                .saturating_add(pads[axis].0)
                .saturating_add(pads[axis].1)
                .saturating_sub(extent);
            let mut count = if room < 0 { 0 } else { room / stride + 1 };
            if self.rounds_up && room >= 0 && room % stride != 0 {
                // The last window must begin inside the tensor or the pads before it.
                count +=
                    i64::from(count.saturating_mul(stride) < length.saturating_add(pads[axis].0));
            }
            output.push(length_of(count)?);
        }
        element_count(&[element_count(&output)?, element_count(kernel)?])?;
        Ok(Window {
            input: input.to_vec(),
            kernel: kernel.to_vec(),
            strides,
            dilations,
            pads,
            output,
        })
    }
}

impl Window {
    pub(crate) fn kernel_size(&self) -> usize {
        product(&self.kernel)
    }

    pub(crate) fn output_size(&self) -> usize {
        product(&self.output)
    }

    /// For each place in the window, for each of its positions, the element of the tensor, or
    /// [`OUTSIDE`].
    pub(crate) fn offsets(&self) -> Vec<usize> {
        let own = strides_of(&self.input);
        self.by_axis(|axis, position| {
            if (0..self.input[axis] as i64).contains(&position) {
                position as usize * own[axis]
            } else {
                OUTSIDE
            }
        })
    }

    /// For each place in the window, for each of its positions, whether it lies in the tensor or
    /// its pads.
    pub(crate) fn covered(&self) -> Vec<bool> {
        let inside = |axis: usize, position: i64| {
            position >= -self.pads[axis].0 && position < self.input[axis] as i64 + self.pads[axis].1
        };
        self.by_axis(|axis, position| if inside(axis, position) { 0 } else { OUTSIDE })
            .into_iter()
            .map(|slot| slot != OUTSIDE)
            .collect()
    }

    fn by_axis(&self, slot: impl Fn(usize, i64) -> usize) -> Vec<usize> {
        let mut all = Vec::with_capacity(self.kernel_size() * self.output_size());
        let kernel_strides = strides_of(&self.kernel);
        for window_offset in 0..self.kernel_size() {
            let mut offsets = vec![0];
            for (axis, stride) in kernel_strides.iter().enumerate() {
                let step = window_offset / stride % self.kernel[axis];
                let along: Vec<usize> = (0..self.output[axis])
                    .map(|index| {
                        slot(
                            axis,
                            (index * self.strides[axis] + step * self.dilations[axis]) as i64
                                - self.pads[axis].0,
                        )
                    })
                    .collect();
                let sum = |outer: usize, inner: usize| {
                    if outer == OUTSIDE || inner == OUTSIDE {
                        OUTSIDE
                    } else {
                        outer + inner
                    }
                };
                offsets = offsets
                    .iter()
                    .flat_map(|outer| along.iter().map(move |inner| sum(*outer, *inner)))
                    .collect();
            }
            all.extend(offsets);
        }
        all
    }
}

pub(crate) fn group_count(node: &Definition) -> Result<usize> {
    let groups = length_of(node.int("group", 1)?)?;
    if groups == 0 {
        Err(Error::failed("a convolution in no groups"))
    } else {
        Ok(groups)
    }
}
