//! Record batches as delimited text.
//!
//! Owns lines and quotes: null is nothing (and so like an empty text), and in quotes is only what
//! needs them. How values look as text is `value_text`'s. It must not know where the text goes.

use std::io::Write;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;

use super::csv_find::find;
use super::csv_record::check_mark;
use super::keyring::Encryption;
use super::value_text::{Values, printable};
use super::{FormatWriter, Sink, parquet};
use crate::error::{Error, Result};
use crate::storage;

/// Lines are handed on once they take this much memory.
const TEXT_BYTES: usize = 1 << 20;

/// What to do about columns that delimited text has no form for.
const WRITE_PARQUET: &str = "write Parquet: give the file a name that does not end in `.csv`; a \
                             column that only comes along can be dropped with `--passthrough`";

/// A nested type as users call it.
fn spelled(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Struct(_) => "structs",
        DataType::Map(..) => "maps",
        DataType::List(item) | DataType::LargeList(item) if item.data_type().is_nested() => {
            "lists of structs or lists"
        }
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::FixedSizeList(..)
        | DataType::ListView(_)
        | DataType::LargeListView(_) => "lists",
        _ => "nested values",
    }
}

/// How delimited text is written: with commas.
#[derive(Debug)]
pub struct CsvWriter;

impl FormatWriter for CsvWriter {
    fn about(&self) -> &'static str {
        "Comma-separated values with a header"
    }

    fn keeps_metadata(&self) -> bool {
        false
    }

    fn may_have_written(&self, head: &[u8]) -> bool {
        !head.starts_with(parquet::MAGIC) && !head.starts_with(parquet::ENCRYPTED_MAGIC)
    }

    fn sink<'a>(
        &self,
        stream: Box<dyn Write + Send + 'a>,
        schema: SchemaRef,
        _metadata: &[(String, String)],
        encryption: Option<&Encryption>,
    ) -> Result<Box<dyn Sink + 'a>> {
        if encryption.is_some() {
            return Err(Error::usage("CSV cannot be encrypted")
                .hint("write Parquet: end the name in `.parquet`"));
        }
        Ok(Box::new(CsvSink::new(stream, schema, b',')?))
    }
}

/// Writes a line of names and a line for each row, ended by `\n`.
#[derive(Debug)]
pub struct CsvSink<W: Write + Send> {
    writer: W,
    delimiter: u8,
    schema: SchemaRef,
}

impl<W: Write + Send> CsvSink<W> {
    /// Writes the names of the columns.
    ///
    /// # Errors
    /// Fails if a column has no form as one field of text, or if the bytes cannot be written.
    pub fn new(writer: W, schema: SchemaRef, delimiter: u8) -> Result<Self> {
        check_mark("delimiter", delimiter)?;
        if delimiter == b'"' {
            return Err(Error::usage(
                "`\"` cannot be the delimiter of delimited text: it is the quote",
            ));
        }
        if let Some(field) = schema
            .fields()
            .iter()
            .find(|field| field.data_type().is_nested())
        {
            let error = Error::contract(format!(
                "a column of {} cannot be written as CSV",
                spelled(field.data_type())
            ));
            return Err(error.at_column(field.name()).hint(WRITE_PARQUET));
        }
        let mut sink = Self {
            writer,
            delimiter,
            schema,
        };
        let mut lines = Lines::new(delimiter);
        for field in sink.schema.fields() {
            lines.text.push_str(field.name());
            lines.end_value();
        }
        lines.end_line();
        sink.write_text(&lines.text)?;
        Ok(sink)
    }

    fn write_text(&mut self, text: &str) -> Result<()> {
        self.writer
            .write_all(text.as_bytes())
            .map_err(|error| storage::io_error("cannot write the table", error))
    }

    fn write_lines(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns: Vec<ArrayRef> = self.each(batch.columns(), |_, column| printable(column))?;
        let values: Vec<Values> = self.each(&columns, |index, column| {
            Values::new(column, self.schema.field(index))
        })?;
        let mut lines = Lines::new(self.delimiter);
        for row in 0..batch.num_rows() {
            for (index, values) in values.iter().enumerate() {
                values
                    .write(row, &mut lines.text)
                    .map_err(|error| self.unprintable(index, error))?;
                lines.end_value();
            }
            lines.end_line();
            if lines.text.len() >= TEXT_BYTES {
                self.write_text(&lines.text)?;
                lines = Lines::new(self.delimiter);
            }
        }
        self.write_text(&lines.text)
    }

    fn each<'a, T>(
        &self,
        columns: &'a [ArrayRef],
        of: impl Fn(usize, &'a ArrayRef) -> Result<T, ArrowError>,
    ) -> Result<Vec<T>> {
        columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                of(index, column).map_err(|error| self.unprintable(index, error))
            })
            .collect()
    }

    fn unprintable(&self, index: usize, error: ArrowError) -> Error {
        let name = self
            .schema
            .fields()
            .get(index)
            .map(|field| field.name().clone())
            .unwrap_or_default();
        Error::failed("cannot write a value as text")
            .at_column(name)
            .because(error)
            .hint(
                "write Parquet, which keeps every value, or omit the column with \
                 `--passthrough`",
            )
    }
}

impl<W: Write + Send> Sink for CsvSink<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_columns() != self.schema.fields().len() {
            return Err(Error::internal(
                "a batch has other columns than the table it is written to",
            ));
        }
        self.write_lines(batch)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.writer
            .flush()
            .map_err(|error| storage::io_error("cannot write the table", error))
    }
}

/// Lines in the making: values are appended to `text` and then ended, which puts those in quotes
/// that need them.
struct Lines {
    text: String,
    delimiter: u8,
    line_start: usize,
    value_start: usize,
}

impl Lines {
    fn new(delimiter: u8) -> Self {
        Self {
            text: String::new(),
            delimiter,
            line_start: 0,
            value_start: 0,
        }
    }

    fn end_value(&mut self) {
        if find(
            self.text.as_bytes(),
            self.value_start,
            [self.delimiter, b'"', b'\n', b'\r'],
        )
        .is_some()
        {
            let value = self.text.split_off(self.value_start);
            self.text.push('"');
            self.text.push_str(&value.replace('"', "\"\""));
            self.text.push('"');
        }
        self.text.push(char::from(self.delimiter));
        self.value_start = self.text.len();
    }

    fn end_line(&mut self) {
        // The delimiter after the last value is one too many.
        self.text
            .truncate(self.text.len().max(self.line_start + 1) - 1);
        // A line with nothing on it would be taken for no row.
        if self.text.len() == self.line_start {
            self.text.push_str("\"\"");
        }
        self.text.push('\n');
        self.line_start = self.text.len();
        self.value_start = self.line_start;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::*;
    use arrow::datatypes::{Field, Int32Type, Schema, i256};

    use super::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(
            columns
                .into_iter()
                .map(|(name, column)| (name, column, true)),
        )
        .unwrap()
    }

    fn written(batches: &[RecordBatch], schema: SchemaRef) -> String {
        let mut text = Vec::new();
        let mut sink = Box::new(CsvSink::new(&mut text, schema, b',').unwrap());
        for batch in batches {
            sink.write(batch).unwrap();
        }
        sink.finish().unwrap();
        String::from_utf8(text).unwrap()
    }

    fn column(values: impl Array + 'static) -> String {
        let batch = batch(vec![("x", Arc::new(values))]);
        written(std::slice::from_ref(&batch), batch.schema()).replace('\n', "|")
    }

    #[test]
    fn floats_read_back_as_the_same_number_of_the_same_precision() {
        let singles = [
            0.1_f32,
            f32::MIN_POSITIVE,
            f32::MAX,
            1e-45,
            16_777_216.0,
            -0.0,
            1.0 / 3.0,
        ];
        let text = column(Float32Array::from(singles.to_vec()));
        let lines: Vec<f32> = text
            .trim_end_matches('|')
            .split('|')
            .skip(1)
            .map(|line| line.parse().unwrap())
            .collect();
        assert_eq!(
            lines
                .iter()
                .map(|value| value.to_bits())
                .collect::<Vec<_>>(),
            singles.map(f32::to_bits)
        );
        assert!(text.starts_with("x|0.1|"), "{text}");
        let doubles = [
            0.1_f64,
            5e-324,
            f64::MAX,
            0.1 + 0.2,
            9_007_199_254_740_993.0,
            f64::NEG_INFINITY,
        ];
        let text = column(Float64Array::from(doubles.to_vec()));
        let lines: Vec<f64> = text
            .trim_end_matches('|')
            .split('|')
            .skip(1)
            .map(|line| line.parse().unwrap())
            .collect();
        assert_eq!(lines, doubles);
        assert_eq!(
            column(Float64Array::from(vec![f64::NAN, 1e16])),
            "x|NaN|1e16|"
        );
    }

    #[test]
    fn every_flat_type_has_its_plain_form() {
        assert_eq!(
            column(BooleanArray::from(vec![Some(true), None, Some(false)])),
            "x|true|\"\"|false|"
        );
        assert_eq!(
            column(Int64Array::from(vec![9_007_199_254_740_993, i64::MIN])),
            "x|9007199254740993|-9223372036854775808|"
        );
        assert_eq!(
            column(UInt64Array::from(vec![u64::MAX])),
            "x|18446744073709551615|"
        );
        assert_eq!(
            column(Date64Array::from(vec![
                Some(0),
                None,
                Some(-86_400_000),
                Some(1)
            ])),
            "x|1970-01-01|\"\"|1969-12-31|1970-01-01T00:00:00.001|"
        );
        assert_eq!(
            column(Date32Array::from(vec![0, -1])),
            "x|1970-01-01|1969-12-31|"
        );
        assert_eq!(
            column(TimestampMicrosecondArray::from(vec![1, 0])),
            "x|1970-01-01T00:00:00.000001|1970-01-01T00:00:00|"
        );
        assert_eq!(
            column(TimestampNanosecondArray::from(vec![1]).with_timezone("+02:00")),
            "x|1970-01-01T02:00:00.000000001+02:00|"
        );
        assert_eq!(
            column(TimestampSecondArray::from(vec![0]).with_timezone("UTC")),
            "x|1970-01-01T00:00:00Z|"
        );
        assert_eq!(
            column(TimestampSecondArray::from(vec![0]).with_timezone("Europe/Berlin")),
            "x|1970-01-01T00:00:00Z|"
        );
        assert_eq!(
            column(Time64MicrosecondArray::from(vec![1])),
            "x|00:00:00.000001|"
        );
        assert_eq!(
            column(
                Decimal128Array::from(vec![110, -1])
                    .with_precision_and_scale(5, 2)
                    .unwrap()
            ),
            "x|1.10|-0.01|"
        );
        assert_eq!(
            column(
                Decimal256Array::from(vec![i256::from(5)])
                    .with_precision_and_scale(5, 1)
                    .unwrap()
            ),
            "x|0.5|"
        );
        assert_eq!(
            column(BinaryArray::from(vec![b"\x00\xff".as_slice()])),
            "x|00ff|"
        );
        assert_eq!(
            column(
                vec!["b", "a", "b"]
                    .into_iter()
                    .collect::<DictionaryArray<Int32Type>>()
            ),
            "x|b|a|b|"
        );
        assert_eq!(
            column(StringViewArray::from(vec!["00123", " 1.10"])),
            "x|00123| 1.10|"
        );
        assert_eq!(column(NullArray::new(1)), "x|\"\"|");
    }

    #[test]
    fn only_what_needs_quotes_has_them() {
        let batch = batch(vec![
            (
                "a,b",
                Arc::new(StringArray::from(vec![
                    Some("x y"),
                    Some("\""),
                    Some("\n"),
                    None,
                ])) as ArrayRef,
            ),
            ("c", Arc::new(StringArray::from(vec!["1,5", "\r", "#", ""]))),
        ]);
        assert_eq!(
            written(std::slice::from_ref(&batch), batch.schema()),
            "\"a,b\",c\nx y,\"1,5\"\n\"\"\"\",\"\r\"\n\"\n\",#\n,\n"
        );
    }

    #[test]
    fn the_bytes_do_not_depend_on_the_batches() {
        let whole = batch(vec![(
            "a",
            Arc::new(StringArray::from(vec!["", "1", "", "x,y"])) as ArrayRef,
        )]);
        let text = written(std::slice::from_ref(&whole), whole.schema());
        assert_eq!(text, "a\n\"\"\n1\n\"\"\n\"x,y\"\n");
        for cut in 0..=4 {
            assert_eq!(
                written(
                    &[whole.slice(0, cut), whole.slice(cut, 4 - cut)],
                    whole.schema()
                ),
                text
            );
        }
        assert_eq!(written(&[], whole.schema()), "a\n");
    }

    #[test]
    fn what_is_written_reads_as_it_was_with_any_delimiter() {
        let values = ["", "a", "\"", "a;b", "a,b", "\r\n", "\t", "\u{e4}\"\"x"];
        let whole = batch(vec![
            (
                "n;\"",
                Arc::new(StringArray::from(values.to_vec())) as ArrayRef,
            ),
            ("m", Arc::new(StringViewArray::from(values.to_vec()))),
        ]);
        for delimiter in *b",;\t|" {
            let mut text = Vec::new();
            let mut sink = CsvSink::new(&mut text, whole.schema(), delimiter).unwrap();
            sink.write(&whole).unwrap();
            let mut reader = csv::ReaderBuilder::new()
                .delimiter(delimiter)
                .from_reader(text.as_slice());
            assert_eq!(reader.headers().unwrap(), vec!["n;\"", "m"]);
            for (record, value) in reader.records().zip(values) {
                assert_eq!(record.unwrap(), vec![value, value]);
            }
        }
        for delimiter in *b"\n\"\xe4" {
            assert_eq!(
                CsvSink::new(Vec::new(), whole.schema(), delimiter)
                    .unwrap_err()
                    .kind(),
                crate::error::Kind::Usage
            );
        }
    }

    #[test]
    fn nested_columns_and_values_without_a_form_are_refused_by_name() {
        let field = Field::new_list("e", Field::new_list_field(DataType::Float32, false), false);
        let error = CsvSink::new(Vec::new(), Arc::new(Schema::new(vec![field])), b',').unwrap_err();
        assert_eq!(
            error.to_string(),
            "a column of lists cannot be written as CSV (column `e`)"
        );
        assert!(
            error
                .hint_text()
                .is_some_and(|hint| hint.starts_with("write Parquet: give the file a name")),
            "{error}"
        );
        let far = batch(vec![(
            "t",
            Arc::new(TimestampSecondArray::from(vec![i64::MAX])),
        )]);
        let mut sink = CsvSink::new(Vec::new(), far.schema(), b',').unwrap();
        assert_eq!(
            sink.write(&far).unwrap_err().to_string(),
            "cannot write a value as text (column `t`)"
        );
    }

    #[test]
    fn a_reader_that_went_away_is_recognised() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let error = CsvSink::new(Gone, Arc::new(Schema::empty()), b',')
            .map(|_| ())
            .unwrap_err();
        assert!(error.is_broken_pipe());
    }
}
