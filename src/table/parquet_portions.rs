//! Row groups of a Parquet file cut into portions by what they take in memory.
//!
//! Owns the size of a portion. How one is decoded is `parquet_decode`'s.

use std::sync::Arc;

use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::ColumnChunkMetaData;

use super::parquet_decode::{Decoder, row_count};
use super::{Portion, Portions, ReadOptions};
use crate::error::Result;

/// Cuts row groups into ranges of rows by what they take in memory.
pub(super) struct ParquetPortions {
    decoder: Arc<Decoder>,
    cut: Cut,
    /// Where the next portion begins: a row group, and a row inside it.
    row_group: usize,
    row: usize,
    /// Where it begins in the file.
    first_row: u64,
}

impl ParquetPortions {
    /// The portions from row `first_row` of the file on.
    pub(super) fn new(decoder: Decoder, options: &ReadOptions, first_row: u64) -> Self {
        let mut row = usize::try_from(first_row).unwrap_or(usize::MAX);
        let mut row_group = 0;
        while let Some(group) = decoder
            .row_group(row_group)
            .filter(|group| row_count(group) <= row)
        {
            row -= row_count(group);
            row_group += 1;
        }
        Self {
            decoder: Arc::new(decoder),
            cut: Cut::new(options),
            row_group,
            row,
            first_row,
        }
    }
}

/// How large portions may be.
pub(super) struct Cut {
    portion_bytes: usize,
    max_portion_bytes: usize,
    portion_rows: usize,
}

impl Cut {
    pub(super) fn new(options: &ReadOptions) -> Self {
        let ReadOptions {
            portion_bytes,
            max_portion_bytes,
            portion_rows,
            ..
        } = *options;
        Self {
            portion_bytes: portion_bytes.max(1),
            max_portion_bytes: max_portion_bytes.max(1),
            portion_rows: portion_rows.max(1),
        }
    }

    /// How many portions so many decoded bytes become. A page is decompressed for every portion
    /// that has rows of it, so a row group of few pages is cut into no more portions than that, if
    /// they do not become too large: 100 columns of one page each, cut into four, took more
    /// than twice as long to read.
    fn parts(&self, bytes: usize, pages: usize) -> usize {
        let requested = bytes.div_ceil(self.portion_bytes);
        if pages > FEW_PAGES {
            requested
        } else {
            requested.min(pages.max(bytes.div_ceil(self.max_portion_bytes)))
        }
    }

    /// Rows of each portion of a row group of which these column chunks are needed, the same for
    /// all but the last.
    pub(super) fn step<'a>(
        &self,
        rows: usize,
        requested: impl Iterator<Item = &'a ColumnChunkMetaData>,
    ) -> usize {
        let (bytes, largest) = requested.fold((0_usize, 0), |(bytes, largest), column| {
            let uncompressed = usize::try_from(column.uncompressed_size()).unwrap_or(0);
            (
                bytes.saturating_add(decoded_bytes(column)),
                uncompressed.max(largest),
            )
        });
        let pages = largest.div_ceil(PAGE_BYTES).max(1);
        let parts = self
            .parts(bytes, pages)
            .max(rows.div_ceil(self.portion_rows))
            .clamp(1, rows.max(1));
        rows.div_ceil(parts).max(1)
    }
}

impl Portions for ParquetPortions {
    fn next_portion(&mut self, max_rows: u64) -> Option<Result<Portion>> {
        let group = loop {
            let group = self.decoder.row_group(self.row_group)?;
            if self.row < row_count(group) {
                break group;
            }
            (self.row_group, self.row) = (self.row_group + 1, 0);
        };
        let max_rows = usize::try_from(max_rows).unwrap_or(usize::MAX).max(1);
        let step = self.cut.step(
            row_count(group),
            self.decoder.requested(group).map(|(_, column)| column),
        );
        let rows = self.row..(self.row + step.min(max_rows)).min(row_count(group));
        let (decoder, row_group, count) =
            (Arc::clone(&self.decoder), self.row_group, rows.len() as u64);
        let first_row = self.first_row;
        self.row = rows.end;
        self.first_row += count;
        Some(Ok(Portion {
            first_row,
            row_count: count,
            end_byte: None,
            decode: Box::new(move || {
                let decoded = decoder.decode(row_group, rows);
                decoded.map_err(|error| error.map_row(|row| row + first_row))
            }),
        }))
    }
}

/// What a column chunk takes in memory, at most: its pages, or its values once an encoding is
/// undone.
fn decoded_bytes(column: &ColumnChunkMetaData) -> usize {
    let width = match column.column_type() {
        PhysicalType::BOOLEAN => 1,
        PhysicalType::INT32 | PhysicalType::FLOAT => 4,
        PhysicalType::INT64 | PhysicalType::DOUBLE => 8,
        // Arrow's timestamps, and views of texts.
        PhysicalType::INT96 | PhysicalType::BYTE_ARRAY => 16,
        PhysicalType::FIXED_LEN_BYTE_ARRAY => {
            usize::try_from(column.column_descr().type_length()).unwrap_or(0)
        }
    };
    let values = usize::try_from(column.num_values())
        .unwrap_or(0)
        .saturating_mul(width);
    values.max(usize::try_from(column.uncompressed_size()).unwrap_or(0))
}

/// What writers put in a page, before it is compressed.
const PAGE_BYTES: usize = 1 << 20;

/// With more pages than this, sharing one between two portions costs little.
const FEW_PAGES: usize = 4;
