//! Matrices whose columns are kept in blocks of numbers of few bits, each block with a scale and a
//! zero point: `MatMulNBits` of ONNX Runtime.
//!
//! Owns the layout, and where ONNX Runtime rounds the other factor (`accuracy_level`). The matrix
//! becomes one of reals when the model is read.

use crate::error::{Error, Result};
use crate::graph::cast::cast;
use crate::graph::layout::length_of;
use crate::graph::operator::{Definition, missing_attribute};
use crate::graph::tensor::{Tensor, element_count};

/// How a matrix lies in blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockLayout {
    rows: usize,
    columns: usize,
    bits: usize,
    block: usize,
}

impl BlockLayout {
    pub(crate) fn of(node: &Definition) -> Result<Self> {
        let size = |name: &str| {
            length_of(
                node.find_int(name)?
                    .ok_or_else(|| missing_attribute(name))?,
            )
        };
        let (rows, columns, block) = (size("K")?, size("N")?, size("block_size")?);
        let bits = length_of(node.int("bits", 4)?)?;
        if !matches!(bits, 2 | 4 | 8) {
            return Err(Error::contract(format!(
                "weights of {bits} bits are not supported"
            )));
        }
        if block < 16 || !block.is_power_of_two() || node.flag("weight_prepacked", false)? {
            return Err(Error::contract(format!(
                "weights in blocks of {block}, or packed for one processor, are not supported"
            )));
        }
        element_count(&[rows, columns])?;
        Ok(Self {
            rows,
            columns,
            bits,
            block,
        })
    }

    /// The rows of the matrix.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// How many of them are in a block.
    pub(crate) fn block(&self) -> usize {
        self.block
    }

    /// Whether ONNX Runtime 1.31 rounds the other factor to bytes at this `accuracy_level`: at 4,
    /// but for blocks of 16 weights of 2 bits, which it has no such kernel for.
    pub(crate) fn rounds_factor(&self, accuracy_level: i64) -> bool {
        accuracy_level == 4 && (self.bits, self.block) != (2, 16)
    }

    fn blocks(&self) -> usize {
        self.rows.div_ceil(self.block)
    }
}

/// Numbers of so many bits, the lowest bits of a byte first.
fn number(bytes: &[u8], index: usize, bits: usize) -> u8 {
    let per_byte = 8 / bits;
    bytes[index / per_byte] >> (index % per_byte * bits) & ((1_u16 << bits) - 1) as u8
}

/// The matrix as reals, rows × columns, in the scales' type.
pub(crate) fn unpacked(
    layout: &BlockLayout,
    packed: &Tensor,
    scales: &Tensor,
    zeros: Option<&Tensor>,
    groups: Option<&Tensor>,
) -> Result<Tensor> {
    let BlockLayout {
        rows,
        columns,
        bits,
        block,
    } = *layout;
    let (blocks, bytes) = (layout.blocks(), packed.values::<u8>()?);
    let blob = block * bits / 8;
    let column_bytes = blocks * blob;
    let numbers = scales.doubles()?;
    let zeros = zeros.map(|zeros| Zeros::of(zeros, layout)).transpose()?;
    let groups = groups.map(Tensor::integers).transpose()?;
    let fits = bytes.len() == columns * column_bytes && numbers.len() == columns * blocks;
    let is_grouped = |groups: &Vec<i64>| {
        groups.len() == rows
            && groups
                .iter()
                .all(|group| usize::try_from(*group).is_ok_and(|group| group < blocks))
    };
    if !fits || !groups.as_ref().is_none_or(is_grouped) {
        let message = format!(
            "{} bytes and {} scales for {columns} columns of {blocks} blocks",
            bytes.len(),
            numbers.len()
        );
        return Err(Error::failed(message));
    }
    let mut out = vec![0.0_f32; element_count(&[rows, columns])?];
    for column in 0..columns {
        let own = &bytes[column * column_bytes..(column + 1) * column_bytes];
        for row in 0..rows {
            let group = groups
                .as_ref()
                .map_or(row / block, |groups| groups[row] as usize);
            let zero = zeros
                .as_ref()
                .map_or(f32::from(1_u8 << (bits - 1)), |zeros| {
                    zeros.at(column, group)
                });
            out[row * columns + column] = (f32::from(number(own, row, bits)) - zero)
                * numbers[column * blocks + group] as f32;
        }
    }
    cast(
        &Tensor::new(vec![rows, columns], out)?,
        scales.element_type(),
    )
}

/// The zero point of each block: packed as the weights are, each column from a byte of its own on,
/// or reals.
enum Zeros {
    Packed {
        bytes: Vec<u8>,
        column_bytes: usize,
        bits: usize,
    },
    Real {
        values: Vec<f64>,
        blocks: usize,
    },
}

impl Zeros {
    fn of(zeros: &Tensor, layout: &BlockLayout) -> Result<Self> {
        let blocks = layout.blocks();
        let found = match zeros.values::<u8>() {
            Ok(bytes) => {
                let column_bytes = (blocks * layout.bits).div_ceil(8);
                (bytes.len() == column_bytes * layout.columns).then(|| Self::Packed {
                    bytes: bytes.to_vec(),
                    column_bytes,
                    bits: layout.bits,
                })
            }
            Err(_) => (zeros.len() == blocks * layout.columns)
                .then(|| zeros.doubles().map(|values| Self::Real { values, blocks }))
                .transpose()?,
        };
        found.ok_or_else(|| {
            Error::failed(format!(
                "{} zero points for {} columns of {blocks} blocks",
                zeros.len(),
                layout.columns
            ))
        })
    }

    fn at(&self, column: usize, block: usize) -> f32 {
        match self {
            Self::Packed {
                bytes,
                column_bytes,
                bits,
            } => f32::from(number(&bytes[column * column_bytes..], block, *bits)),
            Self::Real { values, blocks } => values[column * blocks + block] as f32,
        }
    }
}
