//! What reading a Parquet file takes in memory: from its footer, and where that does not say
//! enough, from the headers of its pages.
//!
//! A footer says how large a column chunk is, not how large its pages are, and a page is
//! decompressed whole. Owns that arithmetic. How portions are cut and decoded is
//! `parquet_decode`'s.

use std::io;

use arrow::datatypes::{DataType, Field};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use super::ReadOptions;
use super::compact::{MAX_RETAINED, MIN_RETAINED};
use super::demand::Demand;
use super::parquet_decode::{Decoder, row_count};
use super::parquet_encryption::is_encrypted;
use super::parquet_header::page_facts;
use super::parquet_portions::Cut;
use super::row_size::fixed_width;

/// The width of a view.
const VIEW_BYTES: u64 = 16;

/// What reading takes, for each of the ways to cut portions; `looks_into_pages` says whether page
/// headers are read, or chunks taken for one page.
pub(super) fn demands(
    decoder: &Decoder,
    options: &[ReadOptions],
    looks_into_pages: bool,
) -> Vec<Demand> {
    let mut demands = vec![Demand::none(); options.len()];
    for group in decoder.footer.metadata().row_groups() {
        let facts = GroupFacts::new(decoder, group, looks_into_pages);
        for (demand, options) in demands.iter_mut().zip(options) {
            let step = Cut::new(options).step(
                row_count(group),
                decoder.requested(group).map(|(_, column)| column),
            );
            *demand = std::mem::take(demand).then(facts.demand(step as u64));
        }
    }
    demands
}

/// A row group's needed columns, in the groups that are read at once.
struct GroupFacts {
    rows: u64,
    reads: Vec<Vec<ColumnFacts>>,
}

struct ColumnFacts {
    name: String,
    kind: ColumnKind,
    /// The chunk without compression.
    bytes: u64,
    /// The largest page, without compression and with it.
    page: u64,
    compressed_page: u64,
    dictionary: u64,
}

enum ColumnKind {
    /// Values of this width.
    Fixed(u64),
    /// Views; the mean length of the texts, where that is known.
    Text(Option<u64>),
    Nested,
}

impl GroupFacts {
    fn new(decoder: &Decoder, group: &RowGroupMetaData, looks: bool) -> Self {
        let fields = decoder.footer.schema().fields();
        let root = |leaf: usize| decoder.footer.parquet_schema().get_column_root_idx(leaf);
        let facts = |leaf: usize, column: &ColumnChunkMetaData| {
            fields
                .get(root(leaf))
                .map(|field| ColumnFacts::new(decoder, field, column, looks))
        };
        let read = |mask: &parquet::arrow::ProjectionMask| {
            decoder
                .requested(group)
                .filter(|(leaf, _)| mask.leaf_included(*leaf))
                .filter_map(|(leaf, column)| facts(leaf, column))
                .collect()
        };
        Self {
            rows: row_count(group) as u64,
            reads: decoder.groups.iter().map(read).collect(),
        }
    }

    fn demand(&self, step: u64) -> Demand {
        let columns = || self.reads.iter().flatten();
        let largest = columns().max_by_key(|column| column.page + column.dictionary);
        Demand {
            portion_bytes: columns().map(|column| column.kept(step, self.rows)).sum(),
            decoding_bytes: self
                .reads
                .iter()
                .map(|read| {
                    read.iter()
                        .map(|column| column.passing(step, self.rows))
                        .sum()
                })
                .max()
                .unwrap_or(0),
            portion_rows: Some(step.min(self.rows)),
            text_row_bytes: columns()
                .map(|column| {
                    if let ColumnKind::Text(mean) = column.kind {
                        mean
                    } else {
                        Some(0)
                    }
                })
                .sum(),
            portion_count: self.rows.div_ceil(step.max(1)),
            largest_page: largest.map(|column| (column.name.clone(), column.page)),
        }
    }
}

impl ColumnFacts {
    fn new(decoder: &Decoder, field: &Field, column: &ColumnChunkMetaData, looks: bool) -> Self {
        let number = |value: i64| u64::try_from(value).unwrap_or(0);
        let (bytes, compressed) = (
            number(column.uncompressed_size()),
            number(column.compressed_size()),
        );
        let pages = Pages::unknown(bytes, compressed);
        let pages = if looks && !is_encrypted(column) {
            Pages::look(decoder, column).unwrap_or(pages)
        } else {
            pages
        };
        let plain = bytes.checked_div(number(column.num_values()));
        let kind = match field.data_type() {
            DataType::Utf8View | DataType::BinaryView => ColumnKind::Text(if pages.are_known {
                pages.word.or(plain)
            } else {
                None
            }),
            nested if nested.is_nested() && !matches!(nested, DataType::Dictionary(..)) => {
                ColumnKind::Nested
            }
            other => ColumnKind::Fixed(fixed_width(other) as u64),
        };
        let Pages {
            page,
            compressed_page,
            dictionary,
            ..
        } = pages;
        Self {
            name: field.name().clone(),
            kind,
            bytes,
            page,
            compressed_page,
            dictionary,
        }
    }

    /// The pages that `step` of the chunk's `rows` may lie in: they may begin and end within one.
    fn pages(&self, step: u64, rows: u64) -> u64 {
        let share = (u128::from(self.bytes) * u128::from(step) / u128::from(rows.max(1))) as u64;
        self.bytes
            .min(self.dictionary + share + if step < rows { 2 * self.page } else { 0 })
    }

    /// What `step` of the chunk's `rows` take once they are decoded.
    fn kept(&self, step: u64, rows: u64) -> u64 {
        let pages = self.pages(step, rows);
        match self.kind {
            ColumnKind::Fixed(width) => step * width + step / 8,
            ColumnKind::Text(mean) => {
                let own = mean.map_or(u64::MAX, |mean| {
                    (step * mean).saturating_mul(MAX_RETAINED as u64) + MIN_RETAINED as u64
                });
                step * VIEW_BYTES + pages.min(own)
            }
            ColumnKind::Nested => pages + pages / 2,
        }
    }

    /// What decoding them takes alongside that: a page of numbers at a time, or all pages that
    /// views lie in.
    fn passing(&self, step: u64, rows: u64) -> u64 {
        let (pages, growing) = match self.kind {
            ColumnKind::Fixed(width) => (self.page + self.dictionary, step * width),
            ColumnKind::Text(_) | ColumnKind::Nested => (self.pages(step, rows), step * VIEW_BYTES),
        };
        pages + self.compressed_page + growing
    }
}

/// The pages of a column chunk.
struct Pages {
    page: u64,
    compressed_page: u64,
    dictionary: u64,
    /// The mean length of a dictionary's words.
    word: Option<u64>,
    are_known: bool,
}

impl Pages {
    fn unknown(bytes: u64, compressed: u64) -> Self {
        Self {
            page: bytes,
            compressed_page: compressed,
            dictionary: 0,
            word: None,
            are_known: false,
        }
    }

    fn look(decoder: &Decoder, column: &ColumnChunkMetaData) -> io::Result<Self> {
        let (start, length) = column.byte_range();
        let end = start
            .saturating_add(length)
            .min(decoder.input.0.byte_count());
        let mut pages = Self {
            page: 0,
            compressed_page: 0,
            dictionary: 0,
            word: None,
            are_known: true,
        };
        let mut position = start;
        while position < end {
            let facts = page_facts(decoder.input.0.reader_from(position))?;
            if let Some(words) = facts.words {
                pages.dictionary = facts.uncompressed_bytes;
                pages.word = facts.uncompressed_bytes.checked_div(words);
            } else {
                pages.page = pages.page.max(facts.uncompressed_bytes);
            }
            pages.compressed_page = pages.compressed_page.max(facts.compressed_bytes);
            position = position.saturating_add(facts.header_bytes + facts.compressed_bytes);
        }
        Ok(pages)
    }
}
