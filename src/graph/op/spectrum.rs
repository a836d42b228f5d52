//! Spectra: Fourier transforms of signals and of their frames, and the windows and filters that go
//! with them.
//!
//! Transforms run in double precision in n·log n steps for every length: by halves where it is a
//! power of two, else by Bluestein's convolution.

use std::f64::consts::{LN_10, PI};

use crate::error::{Error, Result};
use crate::graph::cast::cast;
use crate::graph::element::ElementType;
use crate::graph::entry::Entry;
use crate::graph::layout::{axis_of, length_of, split_at_axis};
use crate::graph::operator::{Built, Call, Definition, single};
use crate::graph::tensor::{ELEMENT_LIMIT, Tensor, element_count};

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("DFT", 1, 3, transform).since(17).floats(),
    Entry::new("STFT", 2, 4, frames).since(17).floats(),
    Entry::new("HannWindow", 1, 1, |node| {
        window(node, |turn| (turn / 2.0).sin().powi(2))
    })
    .since(17),
    Entry::new("HammingWindow", 1, 1, |node| {
        window(node, |turn| 25.0 / 46.0 - 21.0 / 46.0 * turn.cos())
    })
    .since(17),
    Entry::new("BlackmanWindow", 1, 1, |node| {
        window(node, |turn| {
            0.42 - 0.5 * turn.cos() + 0.08 * (2.0 * turn).cos()
        })
    })
    .since(17),
    Entry::new("MelWeightMatrix", 5, 5, mel_weights).since(17),
];

/// A complex number: real and imaginary part.
type Complex = (f64, f64);

fn times(a: Complex, b: Complex) -> Complex {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

fn turn(angle: f64) -> Complex {
    (angle.cos(), angle.sin())
}

/// The transform of a signal whose length is a power of two.
fn halved(signal: &mut [Complex], sign: f64) {
    let length = signal.len();
    let bits = length.trailing_zeros();
    for index in 0..length {
        let other = if bits == 0 {
            index
        } else {
            index.reverse_bits() >> (usize::BITS - bits)
        };
        if index < other {
            signal.swap(index, other);
        }
    }
    let mut half = 1;
    while half < length {
        let step = sign * PI / half as f64;
        for block in signal.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (slot, (a, b)) in low.iter_mut().zip(high).enumerate() {
                let transposed = times(*b, turn(step * slot as f64));
                (*a, *b) = (
                    (a.0 + transposed.0, a.1 + transposed.1),
                    (a.0 - transposed.0, a.1 - transposed.1),
                );
            }
        }
        half *= 2;
    }
}

/// The transform of a signal of any length; `sign` is -1 forwards and 1 backwards, which is not
/// divided by the length.
fn transformed(signal: &[Complex], sign: f64) -> Vec<Complex> {
    let length = signal.len();
    let mut padded = signal.to_vec();
    if length.is_power_of_two() || length == 0 {
        halved(&mut padded, sign);
        return padded;
    }
    let size = (2 * length).next_power_of_two();
    // The square of a place, kept small so that its angle stays exact.
    let chirp = |slot: usize| {
        turn(
            sign * PI * ((slot as u128 * slot as u128) % (2 * length as u128)) as f64
                / length as f64,
        )
    };
    padded
        .iter_mut()
        .enumerate()
        .for_each(|(slot, value)| *value = times(*value, chirp(slot)));
    padded.resize(size, (0.0, 0.0));
    let mut factors = vec![(0.0, 0.0); size];
    for slot in 0..length {
        let (real, imaginary) = chirp(slot);
        factors[slot] = (real, -imaginary);
        factors[(size - slot) % size] = (real, -imaginary);
    }
    halved(&mut padded, -1.0);
    halved(&mut factors, -1.0);
    padded
        .iter_mut()
        .zip(&factors)
        .for_each(|(value, factor)| *value = times(*value, *factor));
    halved(&mut padded, 1.0);
    let scale = 1.0 / size as f64;
    (0..length)
        .map(|slot| {
            times(
                (padded[slot].0 * scale, padded[slot].1 * scale),
                chirp(slot),
            )
        })
        .collect()
}

/// What one transform takes and gives.
#[derive(Clone, Copy)]
struct Transform {
    length: usize,
    is_inverse: bool,
    is_one_sided: bool,
}

impl Transform {
    /// The number of complex numbers that come out.
    fn output_length(&self) -> usize {
        if self.is_one_sided && !self.is_inverse {
            self.length / 2 + usize::from(self.length > 0)
        } else {
            self.length
        }
    }

    fn run(&self, signal: &[Complex]) -> Vec<Complex> {
        let mut own = signal.to_vec();
        own.resize(self.length, (0.0, 0.0));
        if self.is_inverse && self.is_one_sided {
            // The half that is dropped mirrors the one that is given.
            for slot in self.length / 2 + 1..self.length {
                let (real, imaginary) = own[self.length - slot];
                own[slot] = (real, -imaginary);
            }
        }
        let mut all = transformed(&own, if self.is_inverse { 1.0 } else { -1.0 });
        if self.is_inverse {
            all.iter_mut().for_each(|value| {
                *value = (value.0 / self.length as f64, value.1 / self.length as f64);
            });
        }
        all.truncate(self.output_length());
        all
    }
}

/// The one number of an input, if it is given.
fn number(call: &Call, position: usize) -> Result<Option<i64>> {
    call.optional(position)?.map(Tensor::integer).transpose()
}

fn transform(node: &Definition) -> Result<Built> {
    let (is_inverse, is_one_sided) = (node.flag("inverse", false)?, node.flag("onesided", false)?);
    let own_axis = if node.version < 20 {
        Some(node.int("axis", 1)?)
    } else {
        None
    };
    single(move |call| {
        let data = call.tensor(0)?;
        let parts = data
            .shape()
            .last()
            .copied()
            .filter(|parts| *parts == 1 || *parts == 2);
        let parts = parts.ok_or_else(|| {
            Error::failed(format!(
                "a signal of shape {:?}, whose last axis is not a real or complex number",
                data.shape()
            ))
        })?;
        let axis = own_axis.map_or_else(|| number(call, 2).map(|axis| axis.unwrap_or(-2)), Ok)?;
        let axis = axis_of(axis, data.rank())?;
        if axis + 1 == data.rank() {
            return Err(Error::failed(
                "a transform along the parts of complex numbers",
            ));
        }
        let (outer, signal_length, inner) = split_at_axis(&data.shape()[..data.rank() - 1], axis);
        let default = if is_inverse && is_one_sided {
            2 * signal_length.saturating_sub(1)
        } else {
            signal_length
        };
        let length = number(call, 1)?.map_or(Ok(default), length_of)?;
        element_count(&[length, 4])?;
        let transform = Transform {
            length,
            is_inverse,
            is_one_sided,
        };
        let is_real = is_inverse && is_one_sided;
        let (out_length, out_parts) = (transform.output_length(), if is_real { 1 } else { 2 });
        let mut shape = data.shape().to_vec();
        (shape[axis], shape[data.rank() - 1]) = (out_length, out_parts);
        let mut out = vec![0.0; element_count(&shape)?];
        let values = data.doubles()?;
        for (block, lane) in (0..outer).flat_map(|block| (0..inner).map(move |lane| (block, lane)))
        {
            let at = |slot: usize| ((block * signal_length + slot) * inner + lane) * parts;
            let signal: Vec<Complex> = (0..signal_length)
                .map(|slot| {
                    (
                        values[at(slot)],
                        if parts == 2 {
                            values[at(slot) + 1]
                        } else {
                            0.0
                        },
                    )
                })
                .collect();
            for (slot, (real, imaginary)) in transform.run(&signal).into_iter().enumerate() {
                let to = ((block * out_length + slot) * inner + lane) * out_parts;
                out[to] = real;
                if out_parts == 2 {
                    out[to + 1] = imaginary;
                }
            }
        }
        cast(&Tensor::new(shape, out)?, data.element_type())
    })
}

fn frames(node: &Definition) -> Result<Built> {
    let is_one_sided = node.flag("onesided", true)?;
    single(move |call| {
        let data = call.tensor(0)?;
        let (batch, length, parts) = match *data.shape() {
            [batch, length] => (batch, length, 1),
            [batch, length, parts @ (1 | 2)] => (batch, length, parts),
            _ => {
                return Err(Error::failed(format!(
                    "a signal of shape {:?}",
                    data.shape()
                )));
            }
        };
        let step = length_of(number(call, 1)?.unwrap_or(0))?;
        let window = call.optional(2)?.map(Tensor::doubles).transpose()?;
        let frame = number(call, 3)?
            .map(length_of)
            .transpose()?
            .or(window.as_ref().map(Vec::len))
            .unwrap_or(length);
        if step == 0
            || frame == 0
            || frame > length
            || window.as_ref().is_some_and(|window| window.len() > frame)
        {
            return Err(Error::failed(format!(
                "frames of {frame} every {step} of a signal of {length}"
            )));
        }
        let count = 1 + (length - frame) / step;
        let transform = Transform {
            length: frame,
            is_inverse: false,
            is_one_sided,
        };
        let shape = vec![batch, count, transform.output_length(), 2];
        let mut out = Vec::with_capacity(element_count(&shape)?);
        element_count(&[frame, 4])?;
        let values = data.doubles()?;
        for (entry, start) in
            (0..batch).flat_map(|entry| (0..count).map(move |number| (entry, number * step)))
        {
            let value = |slot: usize| {
                let at = (entry * length + start + slot) * parts;
                let factor = window
                    .as_ref()
                    .map_or(1.0, |window| window.get(slot).copied().unwrap_or(0.0));
                (
                    factor * values[at],
                    if parts == 2 {
                        factor * values[at + 1]
                    } else {
                        0.0
                    },
                )
            };
            let signal: Vec<Complex> = (0..frame).map(value).collect();
            out.extend(
                transform
                    .run(&signal)
                    .into_iter()
                    .flat_map(|(real, imaginary)| [real, imaginary]),
            );
        }
        cast(&Tensor::new(shape, out)?, data.element_type())
    })
}

fn output_type(node: &Definition) -> Result<ElementType> {
    ElementType::from_code(node.int("output_datatype", 1)?)
}

fn window(node: &Definition, shape: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Result<Built> {
    let (is_periodic, element) = (node.flag("periodic", true)?, output_type(node)?);
    single(move |call| {
        let size = length_of(call.tensor(0)?.integer()?)?;
        element_count(&[size])?;
        let span = if is_periodic {
            size
        } else {
            size.saturating_sub(1)
        } as f64;
        let value = |slot: usize| {
            if span == 0.0 {
                1.0
            } else {
                shape(2.0 * PI * slot as f64 / span)
            }
        };
        cast(
            &Tensor::vector((0..size).map(value).collect::<Vec<f64>>()),
            element,
        )
    })
}

fn mel_weights(node: &Definition) -> Result<Built> {
    let element = output_type(node)?;
    single(move |call| {
        let whole = |position: usize| length_of(call.tensor(position)?.integer()?);
        let (bands, length, rate) = (whole(0)?, whole(1)?, whole(2)?);
        let (low, high) = (call.tensor(3)?.number()?, call.tensor(4)?.number()?);
        let bins = length / 2 + 1;
        let shape = vec![bins, bands];
        let mut out = vec![0.0; element_count(&shape)?];
        if rate == 0 || length >= ELEMENT_LIMIT {
            return Err(Error::failed(format!(
                "a rate of {rate} over a transform of {length}"
            )));
        }
        let mel = |hertz: f64| 2595.0 * (hertz / 700.0).ln_1p() / LN_10;
        let step = (mel(high) - mel(low)) / (bands + 2) as f64;
        let edge = |slot: usize| {
            let hertz = 700.0 * ((slot as f64 * step + mel(low)) / 2595.0 * LN_10).exp_m1();
            ((length + 1) as f64 * hertz / rate as f64).floor() as i64
        };
        for band in 0..bands {
            let (left, center, right) = (edge(band), edge(band + 1), edge(band + 2));
            let mut set = |bin: i64, weight: f64| {
                if let Some(bin) = usize::try_from(bin).ok().filter(|bin| *bin < bins) {
                    out[bin * bands + band] = weight;
                }
            };
            if left == center {
                set(center, 1.0);
            }
            let last = bins as i64;
            (left.max(0)..=center.min(last))
                .filter(|_| left != center)
                .for_each(|bin| set(bin, (bin - left) as f64 / (center - left) as f64));
            (center.max(0)..right.min(last))
                .for_each(|bin| set(bin, (right - bin) as f64 / (right - center) as f64));
        }
        cast(&Tensor::new(shape, out)?, element)
    })
}
