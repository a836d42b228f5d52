//! A data set cut into portions, file after file.
//!
//! Owns the order of portions and the columns that a file does not have. It must not open files.

use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::SchemaRef;

use super::batch::of_columns;
use super::dataset::{Dataset, Position};
use super::dataset_file::DatasetFile;
use super::{Portion, Portions, Start};
use crate::error::{Error, Result};
use crate::storage::check_unchanged;

/// One portion and the file that it comes from.
#[derive(Debug)]
pub struct FilePortion {
    /// The file's index in [`Dataset::files`].
    pub file: usize,
    /// The portion; decoding gives the requested columns under their new names.
    pub portion: Portion,
}

/// A file being cut, and which of the needed columns it has.
pub(super) struct Current {
    pub(super) portions: Box<dyn Portions>,
    pub(super) present: Arc<[bool]>,
}

/// Cuts a data set into portions, file after file; one file is open at a time, and those whose
/// portions are at work.
pub struct FilePortions {
    dataset: Arc<Dataset>,
    schema: SchemaRef,
    next: Position,
    byte: Option<u64>,
    current: Option<Current>,
}

impl FilePortions {
    /// Cuts `dataset` from `start` on, where `byte` is the byte of the file there, if that is
    /// known.
    pub(super) fn new(
        dataset: Arc<Dataset>,
        schema: SchemaRef,
        start: Position,
        byte: Option<u64>,
    ) -> Self {
        Self {
            dataset,
            schema,
            next: start,
            byte,
            current: None,
        }
    }

    /// The next rows, at most `max_rows` of them, all of one file; none at the end.
    ///
    /// # Errors
    /// Fails if a file cannot be opened again or cut further.
    pub fn next_portion(&mut self, max_rows: u64) -> Result<Option<FilePortion>> {
        while self.next.file < self.dataset.files.len() {
            if self.current.is_none() {
                let start = Start {
                    row: self.next.row,
                    byte: self.byte.take(),
                };
                self.current = Some(self.dataset.open_portions(
                    &self.schema,
                    self.next.file,
                    start,
                )?);
            }
            let Some(Current { portions, present }) = &mut self.current else {
                break;
            };
            let portion = portions.next_portion(max_rows);
            if !matches!(portion, Some(Ok(_))) {
                // Neither an end nor damage is what it seems in a file that is written to.
                let DatasetFile { path, table, .. } = &self.dataset.files[self.next.file];
                check_unchanged(path, &table.identity())?;
            }
            if let Some(portion) = portion {
                let Portion {
                    first_row,
                    row_count,
                    end_byte,
                    decode,
                } = portion?;
                let (schema, present) = (self.schema.clone(), Arc::clone(present));
                let decode = Box::new(move || fill(&decode()?, &schema, &present));
                self.next.row = first_row + row_count;
                return Ok(Some(FilePortion {
                    file: self.next.file,
                    portion: Portion {
                        first_row,
                        row_count,
                        end_byte,
                        decode,
                    },
                }));
            }
            self.current = None;
            self.next = Position {
                file: self.next.file + 1,
                row: 0,
            };
        }
        Ok(None)
    }
}

/// The batch with the data set's schema: nulls where the file is missing a column.
fn fill(batch: &RecordBatch, schema: &SchemaRef, present: &[bool]) -> Result<RecordBatch> {
    let mut delivered = batch.columns().iter();
    let columns = schema.fields().iter().zip(present).map(|(field, present)| {
        let column = if *present {
            delivered.next().cloned()
        } else {
            None
        };
        column.unwrap_or_else(|| new_null_array(field.data_type(), batch.num_rows()))
    });
    let columns = columns.collect();
    of_columns(schema.clone(), columns, batch.num_rows()).map_err(|error| {
        Error::internal("a portion does not have the columns that were asked for").because(error)
    })
}
