//! The rows of a part, sorted by the directory that they belong to.
//!
//! Rows come in the input's order, and a file is written from its first row to its last. So they
//! wait here until the part has all of them: in memory while they are few, then in a file that
//! no one else sees. What is written does not depend on which of them were put aside.

use std::collections::BTreeMap;
use std::io::Cursor;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;

use crate::error::{Error, Result};
use crate::storage::{Extent, Location, SpillFile, make_directory};
use crate::table::chunk::declared;
use crate::table::row_size::RowSizes;

/// What waits in memory before it is put aside; nearly nothing in unit tests, whose failing disks
/// are to be met here too.
pub const WAITING_BYTES: usize = if cfg!(test) { 64 } else { 16 << 20 };

/// What a column of a batch takes alongside its values: pointers, and the ends of what is allocated
/// for them.
const ARRAY_BYTES: usize = 512;

/// The most directories of one part. Each gets a file of its own, which is made durable on its own;
/// anyone who has more has taken an id for a partition.
const MAX_PARTITIONS: usize = 10_000;

/// Rows by their directory.
pub struct PartitionedRows {
    schema: SchemaRef,
    /// Where rows are put aside.
    directory: Location,
    partitions: BTreeMap<String, Partition>,
    waiting_bytes: usize,
    max_waiting_bytes: usize,
    spill: Option<SpillFile>,
}

/// The rows of one directory: first those that were put aside, then those that wait.
#[derive(Default)]
struct Partition {
    aside: Vec<Extent>,
    waiting: Vec<RecordBatch>,
}

impl PartitionedRows {
    /// No rows yet; they will have the columns of `schema`, in its types, and are put aside in
    /// `directory`, which need not be there yet, once `max_waiting_bytes` of them wait.
    #[must_use]
    pub fn new(schema: SchemaRef, directory: &Location, max_waiting_bytes: usize) -> Self {
        Self {
            schema,
            directory: directory.to_owned(),
            partitions: BTreeMap::new(),
            waiting_bytes: 0,
            max_waiting_bytes,
            spill: None,
        }
    }

    /// Takes rows of a directory, in the types of the schema or as they were read.
    ///
    /// # Errors
    /// Fails if there are too many directories, or if rows cannot be put aside.
    pub fn push(&mut self, directory: &str, rows: &RecordBatch) -> Result<()> {
        if self.partitions.len() == MAX_PARTITIONS && !self.partitions.contains_key(directory) {
            let error = Error::failed(format!("a part has more than {MAX_PARTITIONS} partitions"));
            return Err(error.hint(
                "partition by columns with fewer values, or pass a lower `--rows-per-part`",
            ));
        }
        // Rows that were read share their texts; in the types of the schema each has its own.
        let sizes = RowSizes::new(rows);
        let mut start = 0;
        while start < rows.num_rows() {
            let left = rows.num_rows() - start;
            let count = sizes.rows_until(start, left, &mut 0, self.max_waiting_bytes);
            let some = declared(&rows.slice(start, count), &self.schema)?;
            start += count;
            self.waiting_bytes += some.get_array_memory_size() + ARRAY_BYTES * some.num_columns();
            let partition = self.partitions.entry(directory.to_owned()).or_default();
            partition.waiting.push(some);
            if self.waiting_bytes >= self.max_waiting_bytes {
                self.put_aside()?;
            }
        }
        Ok(())
    }

    fn put_aside(&mut self) -> Result<()> {
        if self.spill.is_none() {
            make_directory(&self.directory)?;
            self.spill = Some(SpillFile::of_rows(&self.directory)?);
        }
        let Some(spill) = &mut self.spill else {
            return Err(Error::internal("rows without a file to put them in"));
        };
        for partition in self
            .partitions
            .values_mut()
            .filter(|partition| !partition.waiting.is_empty())
        {
            let bytes =
                to_bytes(&self.schema, std::mem::take(&mut partition.waiting)).map_err(internal)?;
            partition.aside.push(spill.append(&bytes)?);
        }
        self.waiting_bytes = 0;
        Ok(())
    }

    /// Gives the rows of each directory, in its order, to `write`, batch by batch; `write` also
    /// hears when a directory has no more.
    ///
    /// # Errors
    /// Fails if rows cannot be read back, or as `write` does.
    pub fn drain(
        mut self,
        mut write: impl FnMut(&str, Option<&RecordBatch>) -> Result<()>,
    ) -> Result<()> {
        if self.spill.is_some() {
            self.put_aside()?;
        }
        for (directory, Partition { aside, waiting }) in self.partitions {
            for extent in aside {
                let Some(spill) = &self.spill else {
                    return Err(Error::internal("rows were put aside nowhere"));
                };
                let reader = StreamReader::try_new(Cursor::new(spill.read(extent)?), None)
                    .map_err(internal)?;
                for rows in reader {
                    write(&directory, Some(&rows.map_err(internal)?))?;
                }
            }
            waiting
                .iter()
                .try_for_each(|rows| write(&directory, Some(rows)))?;
            write(&directory, None)?;
        }
        Ok(())
    }
}

/// Rows as a stream of Arrow IPC; they are gone when this returns.
fn to_bytes(schema: &SchemaRef, rows: Vec<RecordBatch>) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), schema)?;
    for rows in rows {
        writer.write(&rows)?;
    }
    writer.into_inner()
}

fn internal(error: ArrowError) -> Error {
    Error::internal("cannot put rows aside").because(error)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringViewArray};
    use arrow::compute::concat_batches;
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    #[test]
    fn rows_come_back_by_directory_and_in_order_whether_they_were_put_aside_or_not() {
        let index = tempfile::tempdir().unwrap();
        let schema: SchemaRef = Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("text", DataType::Utf8, true),
        ]));
        for text_bytes in [0, 40_000] {
            let mut rows = PartitionedRows::new(
                schema.clone(),
                &Location::from(&index.path().join("staged")),
                1 << 20,
            );
            let batch = |first: i64| {
                let texts: StringViewArray = (first..first + 10)
                    .map(|id| (id % 5 != 0).then(|| format!("{id}{}", "x".repeat(text_bytes))))
                    .collect();
                let columns: [(&str, ArrayRef); 2] = [
                    ("id", Arc::new((first..first + 10).collect::<Int64Array>())),
                    ("text", Arc::new(texts)),
                ];
                RecordBatch::try_from_iter_with_nullable(
                    columns.map(|(name, column)| (name, column, true)),
                )
                .unwrap()
            };
            (0..100).for_each(|number| {
                rows.push(&format!("day={}", number % 3), &batch(10 * number))
                    .unwrap();
            });
            assert_eq!(rows.spill.is_some(), text_bytes > 0);
            let mut found: BTreeMap<String, Vec<RecordBatch>> = BTreeMap::new();
            rows.drain(|directory, rows| {
                Ok(rows.iter().for_each(|rows| {
                    found
                        .entry(directory.to_owned())
                        .or_default()
                        .push((*rows).clone());
                }))
            })
            .unwrap();
            for (day, found) in found.values().enumerate() {
                let requested: Vec<RecordBatch> = (0..100)
                    .filter(|number| number % 3 == day as i64)
                    .map(|number| batch(10 * number))
                    .collect();
                let requested: Vec<RecordBatch> = requested
                    .iter()
                    .map(|batch| declared(batch, &schema).unwrap())
                    .collect();
                assert_eq!(
                    concat_batches(&schema, found).unwrap(),
                    concat_batches(&schema, &requested).unwrap()
                );
            }
            assert_eq!(found.len(), 3);
        }
    }
}
