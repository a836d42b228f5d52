//! Ids to the rows that enter the first layer: rows of tables added, normalised and perhaps
//! projected.

use super::grid::Grid;
use super::linear::{Linear, Prepared};
use crate::error::{Error, Result};
use crate::kernel::norm::Norm;
use crate::kernel::processor::Instructions;
use crate::kernel::product::Finish;
use crate::text::encoder::architecture::Projection;
use crate::text::encoder::packed::PackedTokens;

/// Rows that are found by a number.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) values: Vec<f32>,
    pub(super) width: usize,
}

/// All that ids pass before the first layer.
#[derive(Debug)]
pub(super) struct Embed {
    pub(super) words: Table,
    pub(super) types: Option<Table>,
    pub(super) positions: Option<Table>,
    pub(super) norm: Option<Norm>,
    pub(super) projection: Option<(Projection, Linear)>,
}

impl Table {
    /// The row of this number; a number without a row is a broken promise of the caller.
    fn row(&self, number: u32) -> &[f32] {
        &self.values[number as usize * self.width..][..self.width]
    }

    /// Rows.
    pub(super) fn count(&self) -> usize {
        self.values.len() / self.width.max(1)
    }
}

impl Embed {
    /// Writes the rows of tokens, `[id, type, position]` each, from the first row on.
    pub(super) fn enter(
        &self,
        instructions: Instructions,
        tokens: impl ExactSizeIterator<Item = [u32; 3]>,
        narrow: &mut Grid,
        prepared: &mut Prepared,
        out: &mut Grid,
    ) {
        let count = tokens.len();
        let Some((slot, projection)) = &self.projection else {
            self.add(tokens, out);
            return self.normalise(instructions, out, count);
        };
        narrow.shape(count, self.words.width);
        self.add(tokens, narrow);
        if *slot == Projection::AfterNorm {
            self.normalise(instructions, narrow, count);
        }
        let stride = out.stride();
        projection.prepare(instructions, narrow.rows([0, count]), prepared);
        projection.multiply(
            narrow.rows([0, count]),
            prepared,
            Finish::Store,
            out.from(0),
            stride,
        );
        if *slot == Projection::BeforeNorm {
            self.normalise(instructions, out, count);
        }
    }

    /// Whether every token has its rows.
    pub(super) fn check(&self, tokens: &PackedTokens) -> Result<()> {
        let tables = [
            ("an id", tokens.ids(), Some(&self.words)),
            ("a type", tokens.types(), self.types.as_ref()),
        ];
        for (what, numbers, table) in
            tables
                .into_iter()
                .chain([("a position", tokens.positions(), self.positions.as_ref())])
        {
            let Some(table) = table else { continue };
            if let Some(number) = numbers
                .iter()
                .find(|number| **number as usize >= table.count())
            {
                return Err(Error::contract(format!(
                    "a token has {what} of {number}, but the model's table has {} rows",
                    table.count()
                )));
            }
        }
        Ok(())
    }

    fn add(&self, tokens: impl Iterator<Item = [u32; 3]>, out: &mut Grid) {
        for (index, [id, kind, position]) in tokens.enumerate() {
            let row = out.row_mut(index);
            row.copy_from_slice(self.words.row(id));
            // In transformers' order: sums of three numbers depend on it.
            for table in self
                .types
                .iter()
                .map(|table| table.row(kind))
                .chain(self.positions.iter().map(|table| table.row(position)))
            {
                row.iter_mut()
                    .zip(table)
                    .for_each(|(value, more)| *value += more);
            }
        }
    }

    fn normalise(&self, instructions: Instructions, rows: &mut Grid, count: usize) {
        if let Some(norm) = &self.norm {
            let stride = rows.stride();
            norm.apply(instructions, rows.from(0), stride, count);
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let tables = [
            Some(&self.words),
            self.types.as_ref(),
            self.positions.as_ref(),
        ]
        .into_iter()
        .flatten();
        let projection = self
            .projection
            .as_ref()
            .map_or(0, |(_, linear)| linear.memory_bytes());
        tables
            .map(|table| size_of_val(table.values.as_slice()))
            .sum::<usize>()
            + projection
            + self.norm.as_ref().map_or(0, Norm::memory_bytes)
    }
}
