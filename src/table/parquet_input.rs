//! A Parquet file's bytes for the reader underneath, by position.
//!
//! Owns that pages are checked against their headers before they are decoded. What headers say is
//! `parquet_page_check`'s.

use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};

use super::parquet_encryption::is_encrypted;
use super::parquet_header::HeaderReader;
use super::parquet_page_check::{ChunkFacts, PageChecks};
use crate::storage::SharedFile;

/// A file read by position, so that workers share one handle; and what is known of the pages that
/// this reader is about to read.
#[derive(Clone, Debug)]
pub(super) struct Input(pub(super) SharedFile, pub(super) PageChecks);

impl Input {
    /// The same file for another reader, of these column chunks.
    pub(super) fn for_reader<'a>(
        &self,
        chunks: impl Iterator<Item = (&'a RowGroupMetaData, &'a ColumnChunkMetaData)>,
    ) -> Self {
        let facts = |(group, chunk): (&RowGroupMetaData, &ColumnChunkMetaData)| {
            let (start, length) = chunk.byte_range();
            let facts = ChunkFacts {
                end: start.saturating_add(length),
                is_encrypted: is_encrypted(chunk),
                value_count: u64::try_from(chunk.num_values()).unwrap_or(0),
                encodings: chunk.encodings_mask().as_i32(),
                is_flat: chunk.column_descr().max_rep_level() == 0,
                null_bits: 16 - chunk.column_descr().max_def_level().leading_zeros(),
                row_count: u64::try_from(group.num_rows()).unwrap_or(0),
                so_far: 0,
                rows_so_far: Some(0),
            };
            (start, facts)
        };
        Self(self.0.clone(), PageChecks::new(chunks.map(facts)))
    }
}

impl Length for Input {
    fn len(&self) -> u64 {
        self.0.byte_count()
    }
}

impl ChunkReader for Input {
    type T = HeaderReader;

    /// Only page headers are read so.
    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(HeaderReader::new(
            self.0.reader_from(start),
            start,
            self.1.clone(),
        ))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<bytes::Bytes> {
        if start
            .checked_add(length as u64)
            .is_none_or(|end| end > self.0.byte_count())
        {
            return Err(ParquetError::EOF(format!(
                "{length} bytes expected at {start} of {}",
                self.0.byte_count()
            )));
        }
        let bytes = self
            .0
            .bytes_at(length, start)
            .map_err(|error| ParquetError::External(Box::new(error)))?;
        if !self.1.agree(start, &bytes) {
            return Err(ParquetError::General(format!(
                "the page at byte {start} has another checksum than its header gives"
            )));
        }
        Ok(bytes.into())
    }
}
