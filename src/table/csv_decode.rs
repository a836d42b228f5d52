//! Pieces of delimited text into record batches of text columns.
//!
//! Owns the choice of columns, the check that rows have as many fields as there are columns, and
//! that text is UTF-8. It must not read files.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::ColumnRequest;
use super::batch::of_columns;
use super::csv_find::Finder;
use super::csv_record::{Dialect, Next};
use super::csv_split::Piece;
use super::csv_text_column::TextColumn;
use super::csv_typed::Reading;
use crate::count::counted;
use crate::error::{Error, Result};
use crate::storage::Location;

/// What to take from each record, prepared once for all pieces of a file.
#[derive(Debug)]
pub struct Projection {
    path: Location,
    dialect: Dialect,
    /// Of each of the file's columns the place among the collected ones, if it is needed.
    slots: Vec<Option<usize>>,
    /// The names of the collected columns.
    names: Vec<String>,
    /// Of each requested column the place among the collected ones.
    outputs: Vec<usize>,
    schema: SchemaRef,
    /// How texts stand for values of columns that are not text.
    reading: Reading,
}

impl Projection {
    /// Of several columns of one name the first is meant; anyone who binds names refuses such a
    /// file before.
    ///
    /// # Errors
    /// Fails if a request names no column of the file, or a type that text is not read as.
    pub(super) fn new(
        path: Location,
        dialect: Dialect,
        names: &[String],
        requests: &[ColumnRequest],
        reading: Reading,
    ) -> Result<Self> {
        let mut indices: HashMap<&str, usize> = HashMap::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            indices.entry(name).or_insert(index);
        }
        let mut projection = Self {
            path,
            dialect,
            slots: vec![None; names.len()],
            names: Vec::new(),
            outputs: Vec::new(),
            schema: Arc::new(Schema::empty()),
            reading,
        };
        for request in requests {
            if request.data_type.is_nested() {
                let message = format!(
                    "delimited text has no columns of type `{}`",
                    request.data_type
                );
                return Err(Error::contract(message)
                    .at_path(&projection.path)
                    .at_column(&request.name));
            }
            let slot = indices
                .get(request.name.as_str())
                .and_then(|index| projection.slots.get_mut(*index));
            let missing = || {
                Error::internal("a column was requested that the file does not have")
                    .at_column(&request.name)
            };
            let slot = slot.ok_or_else(missing)?;
            projection.outputs.push(*slot.get_or_insert_with(|| {
                projection.names.push(request.name.clone());
                projection.names.len() - 1
            }));
        }
        let fields: Vec<Field> = requests
            .iter()
            .map(|request| Field::new(&request.name, request.data_type.clone(), true))
            .collect();
        projection.schema = Arc::new(Schema::new(fields));
        Ok(projection)
    }

    /// The file, for errors.
    #[must_use]
    pub fn path(&self) -> &Location {
        &self.path
    }

    /// Decodes a piece into one row for each of its records.
    ///
    /// # Errors
    /// Fails at the first row that has too few or too many fields or, in a requested column, a
    /// value that is not UTF-8.
    pub fn decode(&self, piece: &Piece) -> Result<RecordBatch> {
        self.try_decode(piece)
            .map_err(|error| error.at_path(&self.path))
    }

    fn try_decode(&self, piece: &Piece) -> Result<RecordBatch> {
        // A record has at least one byte for each field, so that no hostile count of columns asks
        // for more than the text's own size.
        let capacity = piece
            .row_count
            .min(piece.text.len() / self.slots.len().max(1) + 1);
        let mean_bytes = piece.text.len() / self.slots.len().max(1);
        let mut columns: Vec<TextColumn> = self
            .names
            .iter()
            .map(|_| TextColumn::with_capacity(capacity, mean_bytes))
            .collect();
        let complete = self.read_records(piece, &mut columns);
        if let Err((row, error)) = complete {
            // The first bad row is reported, whatever is wrong with it and wherever the piece
            // began.
            let earlier = self
                .first_invalid(&columns)
                .filter(|(invalid, _)| *invalid < row);
            let (row, error) = earlier.unwrap_or((row, error));
            return Err(error.at_row(piece.first_row + row as u64 + 1));
        }
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
        let mut columns = columns.into_iter();
        while let Some(column) = columns.next() {
            match column.finish() {
                Ok(array) => arrays.push(Arc::new(array)),
                Err(column) => {
                    // Columns before this one are valid.
                    let mut rest = vec![TextColumn::with_capacity(0, 0); arrays.len()];
                    rest.push(column);
                    rest.extend(columns);
                    let found = self.first_invalid(&rest);
                    let (row, error) = found.unwrap_or_else(|| {
                        (0, Error::internal("a text column could not be built"))
                    });
                    return Err(error.at_row(piece.first_row + row as u64 + 1));
                }
            }
        }
        self.batch(&arrays, piece)
    }

    fn batch(&self, arrays: &[ArrayRef], piece: &Piece) -> Result<RecordBatch> {
        let internal =
            |error| Error::internal("the columns of a file do not fit each other").because(error);
        let (mut built, mut unreadable): (Vec<ArrayRef>, Option<(usize, Error)>) =
            (Vec::new(), None);
        for (slot, field) in self.outputs.iter().zip(self.schema.fields()) {
            let array = arrays
                .get(*slot)
                .expect("each output is one of the collected columns");
            match field.data_type() {
                DataType::Utf8 => built.push(Arc::clone(array)),
                text if is_text(text) => built.push(cast(array, text).map_err(internal)?),
                other => match self.reading.typed(array, other) {
                    Ok(typed) => built.push(typed),
                    // The first bad row is reported, whichever column it is in.
                    Err((row, error))
                        if unreadable.as_ref().is_none_or(|(first, _)| row < *first) =>
                    {
                        unreadable = Some((row, error.at_column(field.name())));
                    }
                    Err(_) => {}
                },
            }
        }
        if let Some((row, error)) = unreadable {
            return Err(error.at_row(piece.first_row + row as u64 + 1));
        }
        of_columns(self.schema.clone(), built, piece.row_count).map_err(internal)
    }

    /// Appends all records; the error is with its row, counted from 0 in the piece.
    fn read_records(
        &self,
        piece: &Piece,
        columns: &mut [TextColumn],
    ) -> Result<(), (usize, Error)> {
        let mut ends = self.dialect.field_ends();
        let mut position = 0;
        for row in 0..piece.row_count {
            while self.dialect.is_comment(piece.text.get(position)) {
                position = self.dialect.after_comment(&piece.text, position);
            }
            let is_blank = matches!(piece.text.get(position), Some(b'\n' | b'\r'));
            let record = self.read_record(&piece.text, &mut ends, position, columns);
            if record.is_suspicious {
                return Err((row, backslashes()));
            }
            if record.field_count != self.slots.len() {
                let text = &piece.text[position..record.end];
                let is_blank = is_blank || text.iter().all(u8::is_ascii_whitespace);
                return Err((row, self.ragged(record.field_count, is_blank, text)));
            }
            position = record.end;
        }
        if position == piece.text.len() {
            Ok(())
        } else {
            Err((
                piece.row_count,
                Error::internal("records were not cut where they end"),
            ))
        }
    }

    fn read_record(
        &self,
        text: &[u8],
        ends: &mut Finder<3>,
        mut position: usize,
        columns: &mut [TextColumn],
    ) -> Record {
        let mut record = Record {
            end: position,
            field_count: 0,
            is_suspicious: false,
        };
        let is_intricate = self.dialect.is_intricate();
        let mut end_of = |start| ends.find(text, start).unwrap_or(text.len());
        loop {
            let column = self
                .slots
                .get(record.field_count)
                .copied()
                .flatten()
                .and_then(|slot| columns.get_mut(slot));
            record.field_count += 1;
            let is_read = is_intricate
                || text
                    .get(position)
                    .is_some_and(|byte| self.dialect.is_quote(*byte));
            let end = match (column, is_read) {
                (None, false) => end_of(position),
                (Some(column), false) => {
                    let end = end_of(position);
                    column.push(text, position, end);
                    end
                }
                (column, true) => {
                    let mut column = column;
                    let field = self.dialect.read_field(
                        text,
                        position,
                        column.as_mut().map(|column| &mut column.bytes),
                    );
                    if let Some(column) = column {
                        column.end_value();
                    }
                    record.is_suspicious |= field.is_suspicious;
                    field.position
                }
            };
            match self.dialect.after_field(text, end) {
                Next::Field(next) => position = next,
                Next::Record(next) => {
                    return Record {
                        end: next,
                        ..record
                    };
                }
            }
        }
    }

    fn ragged(&self, found: usize, is_blank: bool, text: &[u8]) -> Error {
        let expected = counted(self.slots.len(), "field");
        let rendered = if is_blank {
            "a blank line".to_owned()
        } else {
            found.to_string()
        };
        let error = Error::failed(format!(
            "cannot read the row: expected {expected}, found {rendered}"
        ));
        if is_blank {
            return error.hint(
                "remove blank lines, such as with `grep -v '^[[:space:]]*$' old.csv > new.csv` \
                 where no value in quotes has any",
            );
        }
        if let Some(hint) = self.delimiter_of_header() {
            return error.hint(hint);
        }
        error.hint(
            self.dialect
                .other_dialect(text, self.slots.len())
                .unwrap_or_else(|| {
                    "a value that holds the delimiter must be in quotes; the first line decides \
                     how many fields there are"
                        .to_owned()
                }),
        )
    }

    /// What to type where the line of names is one field that holds another delimiter.
    fn delimiter_of_header(&self) -> Option<String> {
        let [name] = self.names.as_slice() else {
            return None;
        };
        let delimiters = [(';', "';'"), ('\t', "tab"), ('|', "'|'")];
        let (_, flag) = delimiters
            .iter()
            .find(|(delimiter, _)| name.contains(*delimiter))?;
        Some(format!(
            "the first line is one field: pass `--delimiter {flag}`"
        ))
    }

    /// The first row with a value that is not UTF-8, and what to say of it.
    fn first_invalid(&self, columns: &[TextColumn]) -> Option<(usize, Error)> {
        let rows = columns
            .iter()
            .zip(&self.names)
            .filter_map(|(column, name)| Some((column.first_invalid()?, name)));
        let (row, name) = rows.min_by_key(|(row, _)| *row)?;
        let error = Error::failed("cannot read the value: it is not UTF-8").at_column(name);
        Some((
            row,
            error.hint(
                "say how the file is encoded, such as `--encoding windows-1252` or `--encoding \
                 latin1`",
            ),
        ))
    }
}

/// What was read of one record.
struct Record {
    end: usize,
    field_count: usize,
    is_suspicious: bool,
}

fn backslashes() -> Error {
    let error = Error::failed(
        "cannot read the row: a backslash stands before a quote within quotes, which may be an \
         escape or text",
    );
    error.hint(
        "pass `--escape '\\'` if backslashes take the meaning of quotes, as Spark and MySQL write \
         them, or `--escape none` if they are text",
    )
}

fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;

    use super::*;
    use crate::table::ReadOptions;

    fn projection(names: &[&str], requested: &[(&str, DataType)]) -> Result<Projection> {
        let path = Location::from("rows.csv");
        let dialect = Dialect::new(&ReadOptions::default(), &path).unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let requests: Vec<_> = requested
            .iter()
            .map(|(name, data_type)| ColumnRequest {
                name: (*name).into(),
                data_type: data_type.clone(),
            })
            .collect();
        Projection::new(path, dialect, &names, &requests, Reading::default())
    }

    fn decode(projection: &Projection, text: &[u8], row_count: usize) -> Result<RecordBatch> {
        projection.decode(&Piece {
            text: text.to_vec(),
            first_row: 10,
            row_count,
            end_byte: None,
        })
    }

    #[test]
    fn only_the_requested_columns_are_collected_in_their_order() {
        let both = projection(
            &["a", "b", "c"],
            &[
                ("c", DataType::Utf8),
                ("a", DataType::LargeUtf8),
                ("c", DataType::Utf8View),
            ],
        )
        .unwrap();
        let batch = decode(&both, b"1,\xff,x\r\n,,\"y \"\"z\"\"\"\n", 2).unwrap();
        assert_eq!(
            batch
                .column(0)
                .as_string::<i32>()
                .iter()
                .collect::<Vec<_>>(),
            [Some("x"), Some("y \"z\"")]
        );
        assert_eq!(
            batch
                .column(1)
                .as_string::<i64>()
                .iter()
                .collect::<Vec<_>>(),
            [Some("1"), Some("")]
        );
        assert_eq!(batch.column(2).as_string_view().value(1), "y \"z\"");
        let none = projection(&["a", "b"], &[]).unwrap();
        assert_eq!(decode(&none, b"1,2\n3,4", 2).unwrap().num_rows(), 2);
    }

    #[test]
    fn the_first_bad_row_is_named_whatever_is_wrong_with_it() {
        let both =
            projection(&["a", "b"], &[("b", DataType::Utf8), ("a", DataType::Utf8)]).unwrap();
        let message =
            |text: &[u8], row_count| decode(&both, text, row_count).unwrap_err().to_string();
        assert_eq!(
            message(b"1,2\n3\n", 2),
            "cannot read the row: expected 2 fields, found 1 (`rows.csv`, row 12)"
        );
        assert_eq!(
            message(b"1,2,3\n", 1),
            "cannot read the row: expected 2 fields, found 3 (`rows.csv`, row 11)"
        );
        assert_eq!(
            message(b"1,2\n\n3,4\n", 3),
            "cannot read the row: expected 2 fields, found a blank line (`rows.csv`, row 12)"
        );
        assert_eq!(
            message(b"1,2\n \t\n3,4\n", 3),
            "cannot read the row: expected 2 fields, found a blank line (`rows.csv`, row 12)"
        );
        assert_eq!(
            message(b"1,2\n3,\xc3\n\xa9,4\n5", 4),
            "cannot read the value: it is not UTF-8 (`rows.csv`, row 12, column `b`)"
        );
        assert_eq!(
            message(b"1,2\n\xff,4\n5,\xff\n", 3),
            "cannot read the value: it is not UTF-8 (`rows.csv`, row 12, column `a`)"
        );
    }

    #[test]
    fn a_value_cut_within_a_character_is_noticed_though_the_column_as_a_whole_is_utf8() {
        let one = projection(&["a"], &[("a", DataType::Utf8)]).unwrap();
        assert_eq!(
            decode(&one, b"\xc3\n\xa9\n", 2).unwrap_err().location().row,
            Some(11)
        );
    }

    #[test]
    fn a_table_of_one_column_may_have_blank_lines() {
        let one = projection(&["a"], &[("a", DataType::Utf8)]).unwrap();
        let batch = decode(&one, b"\n1\n\r\n", 3).unwrap();
        assert_eq!(
            batch
                .column(0)
                .as_string::<i32>()
                .iter()
                .collect::<Vec<_>>(),
            [Some(""), Some("1"), Some("")]
        );
    }

    #[test]
    fn values_are_read_in_the_type_that_is_requested_and_the_first_bad_row_is_named() {
        let both = projection(
            &["a", "b"],
            &[("a", DataType::Int64), ("b", DataType::Date32)],
        )
        .unwrap();
        let batch = decode(&both, b"7,2024-01-31\n,\n", 2).unwrap();
        assert_eq!(
            (batch.column(0).null_count(), batch.column(1).null_count()),
            (1, 1)
        );
        let error = decode(&both, b"7,2024-01-31\n8,no\nx,2024-01-01\n", 3).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read the value as date (`rows.csv`, row 12, column `b`)"
        );
        let lists = DataType::new_list(DataType::Int64, true);
        assert_eq!(
            projection(&["a"], &[("a", lists)]).unwrap_err().kind(),
            crate::error::Kind::Contract
        );
        assert_eq!(
            projection(&["a"], &[("b", DataType::Utf8)])
                .unwrap_err()
                .kind(),
            crate::error::Kind::Internal
        );
    }

    #[test]
    fn a_backslash_that_may_be_an_escape_stops_at_its_row() {
        let both = projection(&["a", "b"], &[("a", DataType::Utf8)]).unwrap();
        for text in [
            b"1,2\n\"He said \\\"no\\\"\",3\n".as_slice(),
            b"1,2\n3,\"a\\\"b\"\n",
            b"1,2\n3,\"5\\\"\"\n4,\"x\"\n",
        ] {
            let error = decode(&both, text, 2).unwrap_err();
            assert!(
                error.message().contains("backslash") && error.location().row == Some(12),
                "{error}"
            );
            assert!(
                error
                    .hint_text()
                    .is_some_and(|hint| hint.contains("--escape"))
            );
        }
        assert_eq!(
            decode(&both, b"\"C:\\\",2\n", 1)
                .unwrap()
                .column(0)
                .as_string::<i32>()
                .value(0),
            "C:\\"
        );
    }
}
