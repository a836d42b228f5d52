//! Ranges of rows of a Parquet file, decoded by any worker.
//!
//! Owns the decoding of a portion. How large one is, is `parquet_portions`'s; what a file is, and
//! how its footer is read, `parquet_open`'s.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

use super::ColumnRequest;
use super::batch::of_columns;
use super::cast::cast_column;
use super::compact::compacted;
use super::int96::has_times;
use super::name_index::NameIndex;
use super::parquet_calendar::Calendar;
use super::parquet_encryption::is_encrypted;
use super::parquet_input::Input;
use super::parquet_open::{Footer, footer, read_type, with_types};
use crate::error::{Error, Result, shell_word};

/// What to do about texts that are not UTF-8.
const NOT_UTF8: &str = "its texts are not UTF-8, as the file declares: exclude the column with \
                        `--passthrough`, or write it again as UTF-8 or as binary";

fn is_not_utf8(error: &ParquetError) -> bool {
    error.to_string().contains("non UTF-8 data")
}

pub(super) fn row_count(group: &RowGroupMetaData) -> usize {
    usize::try_from(group.num_rows()).unwrap_or(0)
}

/// The most groups of columns that are read one after the other. Each is laid out anew for each
/// portion, which walks all of the file's columns.
const MAX_GROUPS: usize = 128;

/// All that a worker needs to decode any range of one file.
#[derive(Debug)]
pub(super) struct Decoder {
    pub(super) input: Input,
    pub(super) footer: ArrowReaderMetadata,
    /// Groups of the needed columns. While a column is read, its pages are in memory, a dictionary
    /// and a page of values, often 2 MiB and more; so only a few are read at once.
    pub(super) groups: Vec<ProjectionMask>,
    mask: ProjectionMask,
    schema: SchemaRef,
    /// The position of each requested column among the columns of all groups.
    positions: Vec<usize>,
    /// Which of its days may be of another calendar.
    calendar: Calendar,
}

impl Decoder {
    pub(super) fn new(input: Input, columns: &[ColumnRequest]) -> Result<Self> {
        let Footer {
            metadata: footer,
            unreadable,
        } = footer(&input)?;
        let viewed =
            |data_type: &DataType| Some(read_type(data_type)).filter(|viewed| viewed != data_type);
        let footer = with_types(&footer, viewed).map_err(|error| {
            Error::failed("cannot read the Parquet schema")
                .at_path(input.0.path())
                .because(error)
        })?;
        let names = NameIndex::new(footer.schema());
        let root = |column: &ColumnRequest| {
            names.position(&column.name).ok_or_else(|| {
                Error::internal("a column that the file is missing").at_column(&column.name)
            })
        };
        let roots: Vec<usize> = columns.iter().map(root).collect::<Result<_>>()?;
        let mut ascending = roots.clone();
        ascending.sort_unstable();
        ascending.dedup();
        let positions = roots
            .iter()
            .filter_map(|root| ascending.binary_search(root).ok())
            .collect();
        let mask = |roots: &[usize]| {
            ProjectionMask::roots(
                footer.metadata().file_metadata().schema_descr(),
                roots.iter().copied(),
            )
        };
        let groups = ascending
            .chunks(ascending.len().div_ceil(MAX_GROUPS).max(1))
            .map(mask)
            .collect();
        let mask = mask(&ascending);
        if let Some((leaf, reason)) = unreadable
            .iter()
            .find(|(leaf, _)| mask.leaf_included(*leaf))
        {
            let name = footer.parquet_schema().column(*leaf).path().string();
            let error = Error::failed(format!("cannot read the column: {reason}"))
                .at_path(input.0.path())
                .at_column(&name);
            return Err(if reason.contains("encrypted") {
                let column = shell_word(&format!("{name}=FILE"));
                error.hint(format!(
                    "pass the footer's key, and the column's if it has its own: `--decryption-key \
                     FILE --decryption-key {column}`"
                ))
            } else {
                error.hint("write it with another encoding or compression")
            });
        }
        let calendar = Calendar::of(footer.metadata().file_metadata().key_value_metadata());
        let fields = columns
            .iter()
            .map(|column| Field::new(&column.name, column.data_type.clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self {
            input,
            footer,
            groups,
            mask,
            schema,
            positions,
            calendar,
        })
    }

    /// The column chunks of a row group that are needed, each with its number among the leaves.
    pub(super) fn requested<'a>(
        &'a self,
        group: &'a RowGroupMetaData,
    ) -> impl Iterator<Item = (usize, &'a ColumnChunkMetaData)> {
        group
            .columns()
            .iter()
            .enumerate()
            .filter(|(leaf, _)| self.mask.leaf_included(*leaf))
    }

    pub(super) fn row_group(&self, index: usize) -> Option<&RowGroupMetaData> {
        self.footer.metadata().row_groups().get(index)
    }

    pub(super) fn decode(&self, row_group: usize, rows: Range<usize>) -> Result<RecordBatch> {
        let count = rows.len();
        let broken = |error: Box<dyn std::error::Error + Send + Sync>| {
            let is_sealed = self
                .row_group(row_group)
                .is_some_and(|group| self.requested(group).any(|(_, one)| is_encrypted(one)));
            let hint = if is_sealed {
                "its encrypted pages were changed or damaged since they were written: write or \
                 copy the file again"
            } else if let Some(ParquetError::NYI(_)) = error.downcast_ref() {
                "the file uses a feature of Parquet that is not supported: write it with another \
                 encoding or compression"
            } else {
                "the file is damaged: write or copy it again"
            };
            Error::failed(format!("cannot decode row group {row_group}"))
                .at_path(self.input.0.path())
                .because(error)
                .hint(hint)
        };
        // The decoder underneath panics on some damaged files.
        let read = catch_unwind(AssertUnwindSafe(|| {
            self.groups
                .iter()
                .map(|group| self.read(group, row_group, &rows))
                .collect::<Result<Vec<_>, _>>()
        }));
        let groups = read
            .map_err(|_| broken("its pages contradict each other".into()))?
            .map_err(
                |error| match self.badly_encoded_column(&error, row_group, &rows) {
                    Some(column) => broken(Box::new(error)).at_column(column).hint(NOT_UTF8),
                    None => broken(Box::new(error)),
                },
            )?;
        if let Some(short) = groups.iter().find(|batch| batch.num_rows() != count) {
            return Err(broken(
                format!("{count} rows were promised, {} are there", short.num_rows()).into(),
            ));
        }
        let read: Vec<&ArrayRef> = groups.iter().flat_map(RecordBatch::columns).collect();
        let columns = self
            .positions
            .iter()
            .zip(self.schema.fields())
            .map(|(&position, field)| self.column(read[position], field));
        of_columns(self.schema.clone(), columns.collect::<Result<_>>()?, count)
            .map_err(|error| broken(Box::new(error)))
    }

    fn column(&self, column: &ArrayRef, field: &Field) -> Result<ArrayRef> {
        let is_int96 = has_times(column.data_type(), field.data_type());
        let checked = |column: ArrayRef| {
            self.calendar.check(&column, is_int96)?;
            Ok(column)
        };
        cast_column(column, field.data_type())
            .and_then(checked)
            .map_err(|error| error.at_path(self.input.0.path()).at_column(field.name()))
    }

    /// The column whose texts are not UTF-8, if that is what `error` says.
    fn badly_encoded_column(
        &self,
        error: &ParquetError,
        row_group: usize,
        rows: &Range<usize>,
    ) -> Option<&str> {
        if !is_not_utf8(error) {
            return None;
        }
        let schema = self.footer.parquet_schema();
        let group = self.row_group(row_group)?;
        let mut roots: Vec<usize> = self
            .requested(group)
            .map(|(leaf, _)| schema.get_column_root_idx(leaf))
            .collect();
        roots.dedup();
        let is_bad = |root: &usize| {
            let mask = ProjectionMask::roots(schema, [*root]);
            self.read(&mask, row_group, rows)
                .is_err_and(|error| is_not_utf8(&error))
        };
        let root = roots.into_iter().find(is_bad)?;
        Some(self.footer.schema().fields().get(root)?.name())
    }

    /// The rows of one group of columns; its pages are gone when this returns, but for those that
    /// texts are views of.
    fn read(
        &self,
        group: &ProjectionMask,
        row_group: usize,
        rows: &Range<usize>,
    ) -> Result<RecordBatch, ParquetError> {
        let all =
            usize::try_from(self.footer.metadata().row_group(row_group).num_rows()).unwrap_or(0);
        let facts = self.footer.metadata().row_group(row_group);
        let chunks = facts.columns().iter().enumerate();
        let input = self.input.for_reader(
            chunks
                .filter(|(leaf, _)| group.leaf_included(*leaf))
                .map(|(_, chunk)| (facts, chunk)),
        );
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(input, self.footer.clone());
        let builder = builder
            .with_projection(group.clone())
            .with_row_groups(vec![row_group])
            .with_batch_size(rows.len().max(1));
        let builder = if rows.len() == all {
            builder
        } else {
            builder.with_row_selection(RowSelection::from(vec![
                RowSelector::skip(rows.start),
                RowSelector::select(rows.len()),
            ]))
        };
        let reader = builder.build()?;
        let schema = arrow::array::RecordBatchReader::schema(&reader);
        let batches = reader.collect::<Result<Vec<_>, _>>()?;
        let batch = if let [batch] = batches.as_slice() {
            batch.clone()
        } else {
            concat_batches(&schema, &batches)?
        };
        drop(batches);
        let (schema, columns, count) = batch.into_parts();
        let columns = columns.into_iter().map(compacted).collect();
        Ok(of_columns(schema, columns, count)?)
    }
}
