//! Records in the order of their bytes, in bounded memory.
//!
//! Owns the sort: records are collected up to a limit, sorted, put aside as a run and merged when
//! they are read. The order is that of (key, payload), so it depends on the records alone. It must
//! not know what the bytes mean.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

use crate::error::{Error, Result};
use crate::storage::{Extent, Location, SpillFile};

/// The bytes of records that are collected before they are put aside.
pub const DEFAULT_RUN_BYTES: usize = if cfg!(test) { 256 } else { 64 << 20 };

/// The size of a block of a run: one of every run is in memory while runs are merged.
const BLOCK_BYTES: usize = 64 << 10;

/// Bytes of the two lengths before a record.
const HEADER_BYTES: usize = 8;

/// A record as it is held: where it begins, and the lengths of its key and payload.
#[derive(Clone, Copy, Debug)]
struct Entry {
    offset: usize,
    key: usize,
    payload: usize,
}

/// Records being collected.
#[derive(Debug)]
pub struct Sorter {
    directory: Location,
    run_bytes: usize,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    spill: Option<SpillFile>,
    runs: Vec<VecDeque<Extent>>,
}

/// A record: its key and its payload.
pub type Record = (Vec<u8>, Vec<u8>);

impl Sorter {
    /// Records that are put aside in a directory once they take more than `run_bytes`.
    #[must_use]
    pub fn new(directory: &Location, run_bytes: usize) -> Self {
        Self {
            directory: directory.to_owned(),
            run_bytes,
            bytes: Vec::new(),
            entries: Vec::new(),
            spill: None,
            runs: Vec::new(),
        }
    }

    /// Takes a record.
    ///
    /// # Errors
    /// Fails if records cannot be put aside.
    pub fn push(&mut self, key: &[u8], payload: &[u8]) -> Result<()> {
        self.entries.push(Entry {
            offset: self.bytes.len(),
            key: key.len(),
            payload: payload.len(),
        });
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(payload);
        if self.bytes.len() + self.entries.len() * size_of::<Entry>() > self.run_bytes {
            self.put_aside()?;
        }
        Ok(())
    }

    /// Ends the collection.
    ///
    /// # Errors
    /// Fails if records cannot be put aside or read back.
    pub fn finish(mut self) -> Result<Sorted> {
        if self.runs.is_empty() {
            self.sort();
            let Self { bytes, entries, .. } = self;
            return Ok(Sorted(Order::InMemory(bytes, entries.into_iter())));
        }
        self.put_aside()?;
        let spill = self
            .spill
            .ok_or_else(|| Error::internal("runs without a file"))?;
        let merge = Merge::new(spill, self.runs)?;
        Ok(Sorted(Order::Merged(merge)))
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        let parts = |entry: &Entry| {
            let (middle, end) = (
                entry.offset + entry.key,
                entry.offset + entry.key + entry.payload,
            );
            (&bytes[entry.offset..middle], &bytes[middle..end])
        };
        self.entries
            .sort_unstable_by(|left, right| parts(left).cmp(&parts(right)));
    }

    fn put_aside(&mut self) -> Result<()> {
        if self.entries.is_empty() {
            return Ok(());
        }
        self.sort();
        let spill = match &mut self.spill {
            Some(spill) => spill,
            None => self.spill.insert(SpillFile::of_rows(&self.directory)?),
        };
        let (mut run, mut block) = (VecDeque::new(), Vec::with_capacity(BLOCK_BYTES));
        for Entry {
            offset,
            key,
            payload,
        } in &self.entries
        {
            block.extend_from_slice(&length(*key)?);
            block.extend_from_slice(&length(*payload)?);
            block.extend_from_slice(&self.bytes[*offset..offset + key + payload]);
            if block.len() >= BLOCK_BYTES {
                run.push_back(spill.append(&block)?);
                block.clear();
            }
        }
        if !block.is_empty() {
            run.push_back(spill.append(&block)?);
        }
        self.runs.push(run);
        self.bytes.clear();
        self.entries.clear();
        Ok(())
    }
}

fn length(length: usize) -> Result<[u8; 4]> {
    u32::try_from(length)
        .map(u32::to_le_bytes)
        .map_err(|_| Error::failed("a key or a value takes more than 4 GiB"))
}

/// Records in order.
#[derive(Debug)]
pub struct Sorted(Order);

#[derive(Debug)]
enum Order {
    /// All records fitted into memory.
    InMemory(Vec<u8>, std::vec::IntoIter<Entry>),
    /// Runs, merged while they are read.
    Merged(Merge),
}

impl Sorted {
    /// The next record; none after the last.
    ///
    /// # Errors
    /// Fails if records cannot be read back.
    pub fn next_record(&mut self) -> Result<Option<Record>> {
        match &mut self.0 {
            Order::InMemory(bytes, entries) => Ok(entries.next().map(|entry| {
                let middle = entry.offset + entry.key;
                let key = bytes[entry.offset..middle].to_vec();
                (key, bytes[middle..middle + entry.payload].to_vec())
            })),
            Order::Merged(merge) => merge.next_record(),
        }
    }
}

/// Runs being merged.
#[derive(Debug)]
struct Merge {
    spill: SpillFile,
    runs: Vec<Run>,
    heads: BinaryHeap<Reverse<Head>>,
}

#[derive(Debug)]
struct Run {
    blocks: VecDeque<Extent>,
    block: Vec<u8>,
    offset: usize,
}

/// The first record of a run that was not read yet.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    record: Record,
    run: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_run = || self.run.cmp(&other.run);
        self.record.cmp(&other.record).then_with(by_run)
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Merge {
    fn new(spill: SpillFile, runs: Vec<VecDeque<Extent>>) -> Result<Self> {
        let run = |blocks| Run {
            blocks,
            block: Vec::new(),
            offset: 0,
        };
        let mut merge = Self {
            spill,
            runs: runs.into_iter().map(run).collect(),
            heads: BinaryHeap::new(),
        };
        (0..merge.runs.len()).try_for_each(|run| merge.advance(run))?;
        Ok(merge)
    }

    fn next_record(&mut self) -> Result<Option<Record>> {
        let Some(Reverse(Head { record, run })) = self.heads.pop() else {
            return Ok(None);
        };
        self.advance(run)?;
        Ok(Some(record))
    }

    /// Reads the next record of a run, if there is one.
    fn advance(&mut self, index: usize) -> Result<()> {
        let run = &mut self.runs[index];
        if run.offset == run.block.len() {
            let Some(extent) = run.blocks.pop_front() else {
                return Ok(());
            };
            run.block = self.spill.read(extent)?;
            run.offset = 0;
        }
        let rest = &run.block[run.offset..];
        let (record, taken) = record(rest)
            .ok_or_else(|| Error::internal("a record that was put aside is damaged"))?;
        run.offset += taken;
        self.heads.push(Reverse(Head { record, run: index }));
        Ok(())
    }
}

/// The record at the beginning of a block, and the bytes that it takes.
fn record(block: &[u8]) -> Option<(Record, usize)> {
    let (lengths, rest) = block.split_first_chunk::<HEADER_BYTES>()?;
    let both = u64::from_le_bytes(*lengths);
    let (key, payload) = (both as u32 as usize, (both >> 32) as usize);
    let (key_bytes, rest) = rest.split_at_checked(key)?;
    let record = (key_bytes.to_vec(), rest.get(..payload)?.to_vec());
    Some((record, HEADER_BYTES + key + payload))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(records: &[Record], run_bytes: usize) -> Vec<Record> {
        let directory = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(&Location::from(directory.path()), run_bytes);
        records
            .iter()
            .for_each(|(key, payload)| sorter.push(key, payload).unwrap());
        let mut sorted = sorter.finish().unwrap();
        std::iter::from_fn(|| sorted.next_record().unwrap()).collect()
    }

    #[test]
    fn records_larger_than_a_block_and_empty_ones_come_back() {
        let large = (vec![7; 3 * BLOCK_BYTES], vec![1; BLOCK_BYTES]);
        let records = [large.clone(), (Vec::new(), Vec::new()), (vec![7], vec![9])];
        let expected = [(Vec::new(), Vec::new()), (vec![7], vec![9]), large];
        assert_eq!(sorted(&records, 100), expected);
        assert_eq!(sorted(&[], 100), []);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn runs_change_nothing(
            records in proptest::collection::vec((
                proptest::collection::vec(0u8..4, 0..5),
                proptest::collection::vec(any::<u8>(), 0..5)), 0..200),
            run_bytes in 1usize..3000,
        ) {
            let mut expected = records.clone();
            expected.sort();
            prop_assert!(sorted(&records, run_bytes) == expected);
            prop_assert!(sorted(&records, 1 << 20) == expected);
        }
    }
}
