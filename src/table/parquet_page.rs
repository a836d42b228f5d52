//! Pages on their way into a file: each gets the checksum of its bytes, which the encoder
//! underneath drops.
//!
//! Owns the store in which a column chunk's pages wait, the checksum in their headers, and what of
//! the chunk's description moves with it. Source: `parquet.thrift` of Apache Parquet's format 2.12,
//! `PageHeader.crc`: the standard CRC of the page as it is stored, without its header.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::arrow::arrow_writer::ArrowColumnChunk;
use parquet::column::page_store::{PageKey, PageStore, PageStoreArgs, PageStoreFactory};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::writer::SerializedRowGroupWriter;

use super::parquet_page_check::CHECKSUM;
use super::thrift::leading_numbers;
use super::thrift_tree::with_number;

/// The field of a page header that holds the page's type.
const TYPE: i16 = 1;

/// The type of a page that is a dictionary.
const DICTIONARY: i64 = 2;

/// The pages of each column chunk that is encoded, as they come: a header and then its bytes.
#[derive(Debug, Default)]
pub(super) struct PageStores {
    columns: Mutex<Vec<Arc<Pages>>>,
}

#[derive(Debug, Default)]
struct Pages(Mutex<Vec<Bytes>>);

impl Pages {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One column chunk's store.
struct Store(Arc<Pages>);

impl PageStore for Store {
    fn put(&mut self, value: Bytes) -> Result<PageKey> {
        let mut pages = self.0.lock();
        pages.push(value);
        Ok(PageKey::new(pages.len() as u64 - 1))
    }

    fn take(&mut self, key: PageKey) -> Result<Bytes> {
        let index = usize::try_from(key.get()).unwrap_or(usize::MAX);
        self.0
            .lock()
            .get_mut(index)
            .map(take)
            .ok_or_else(|| ParquetError::General(format!("there is no page {index}")))
    }
}

impl PageStoreFactory for PageStores {
    fn create(&self, _args: &PageStoreArgs<'_>) -> Result<Box<dyn PageStore>> {
        let pages = Arc::new(Pages::default());
        self.columns
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&pages));
        Ok(Box::new(Store(pages)))
    }
}

impl PageStores {
    /// The column chunks that were encoded, with the pages of each.
    pub(super) fn take_chunks(&self, chunks: Vec<ArrowColumnChunk>) -> Result<Vec<CheckedChunk>> {
        let stores = take(&mut *self.columns.lock().unwrap_or_else(PoisonError::into_inner));
        if stores.len() != chunks.len() {
            return Err(ParquetError::General(
                "a column chunk has no store of its own".to_owned(),
            ));
        }
        stores
            .iter()
            .zip(chunks)
            .map(|(pages, chunk)| {
                CheckedChunk::new(take(&mut *pages.lock()), chunk.close().clone())
            })
            .collect()
    }
}

/// A column chunk whose pages have checksums.
pub(super) struct CheckedChunk {
    pages: Mutex<VecDeque<Bytes>>,
    bytes: u64,
    close: ColumnCloseResult,
}

impl CheckedChunk {
    #[expect(clippy::needless_pass_by_value, reason = "the pages are taken over")]
    fn new(pages: Vec<Bytes>, mut close: ColumnCloseResult) -> Result<Self> {
        let (mut dictionary, mut data, mut lengths, mut added) =
            (Vec::new(), VecDeque::new(), Vec::new(), 0);
        for page in pages.chunks_exact(2) {
            let (header, bytes) = (&page[0], page[1].clone());
            let checked = with_checksum(header, &bytes)?;
            added += checked.len() as i64 - header.len() as i64;
            if page_type(header)? == DICTIONARY {
                dictionary.extend([checked, bytes]);
            } else {
                lengths.push((checked.len() + bytes.len()) as i64);
                data.extend([checked, bytes]);
            }
        }
        let first = dictionary
            .iter()
            .map(|bytes| bytes.len() as i64)
            .sum::<i64>();
        let metadata = &close.metadata;
        let (compressed, uncompressed) = (
            metadata.compressed_size() + added,
            metadata.uncompressed_size() + added,
        );
        let builder = close
            .metadata
            .into_builder()
            .set_total_compressed_size(compressed)
            .set_total_uncompressed_size(uncompressed);
        let builder = builder
            .set_dictionary_page_offset((first > 0).then_some(0))
            .set_data_page_offset(first);
        close.metadata = builder.build()?;
        close.bytes_written = compressed as u64;
        if let Some(index) = &mut close.offset_index {
            let mut offset = first;
            for (location, length) in index.page_locations.iter_mut().zip(lengths) {
                (location.offset, location.compressed_page_size) = (offset, length as i32);
                offset += length;
            }
        }
        dictionary
            .into_iter()
            .rev()
            .for_each(|bytes| data.push_front(bytes));
        Ok(Self {
            pages: Mutex::new(data),
            bytes: compressed as u64,
            close,
        })
    }

    /// Writes the chunk as the next one of a row group.
    pub(super) fn append_to_row_group<W: Write + Send>(
        self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<()> {
        let close = self.close.clone();
        group.append_column(&self, close)
    }
}

impl Length for CheckedChunk {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for CheckedChunk {
    type T = PageReader;

    /// All pages; they are gone once they are read.
    fn get_read(&self, _start: u64) -> Result<PageReader> {
        Ok(PageReader {
            pages: take(&mut *self.pages.lock().unwrap_or_else(PoisonError::into_inner)),
            position: 0,
        })
    }

    fn get_bytes(&self, _start: u64, _length: usize) -> Result<Bytes> {
        Err(ParquetError::General(
            "pages that are written are read from the first to the last".to_owned(),
        ))
    }
}

/// Pages one after the other.
pub(super) struct PageReader {
    pages: VecDeque<Bytes>,
    position: usize,
}

impl Read for PageReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(page) = self.pages.front() {
            let count = (&page[self.position..]).read(buffer)?;
            if count > 0 || buffer.is_empty() {
                self.position += count;
                return Ok(count);
            }
            self.pages.pop_front();
            self.position = 0;
        }
        Ok(0)
    }
}

fn page_type(header: &[u8]) -> Result<i64> {
    let (numbers, _) =
        leading_numbers(header).map_err(|refusal| ParquetError::General(refusal.to_string()))?;
    Ok(numbers
        .iter()
        .find(|(identifier, _)| *identifier == TYPE)
        .map_or(0, |(_, value)| *value))
}

fn with_checksum(header: &[u8], bytes: &[u8]) -> Result<Bytes> {
    let checksum = crc32fast::hash(bytes).cast_signed();
    with_number(header, CHECKSUM, i64::from(checksum))
        .map(Bytes::from)
        .map_err(|refusal| ParquetError::General(refusal.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_gets_the_checksum_of_its_bytes() {
        // A data page; the check value of the standard CRC is that of `123456789`, 0xCBF43926.
        let header = [
            0x15, 0, 0x15, 8, 0x15, 8, 0x2c, 0x15, 4, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0,
        ];
        let checked = with_checksum(&header, b"123456789").unwrap();
        assert_eq!(
            leading_numbers(&checked).unwrap().0[3],
            (4, i64::from(0xcbf4_3926_u32.cast_signed()))
        );
        assert_eq!(checked[..6], header[..6]);
        assert_eq!(
            checked[checked.len() - 11],
            0x1c,
            "the data page's header is the next field now"
        );
        assert_eq!(checked[checked.len() - 10..], header[7..]);
    }
}
