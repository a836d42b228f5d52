//! Columns of the data that no output shows as they are: some are replaced by a keyed hash of their
//! values, others are left out.
//!
//! Owns the hash, which never changes: with the same key a value of one type has the same hash on
//! every machine, in every run and version, and in every format of tables. Of other types, integers
//! and floats that are integers below 2^53 have the same hash; a decimal's `7.00` is not `7`. It
//! must not know where rows go.
//!
//! The hash is HMAC-SHA-256 under the key's bytes, of the value's text in UTF-8, in 64 hexadecimal
//! digits. Texts are those that the outputs in CSV have, but for floats that are integers below
//! 2^53, which have no decimal point: `7`, not `7.0`. Null, NaN and the empty text become null.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::digest::hexadecimal;
use crate::error::{Error, Result};
use crate::table::shown_type::shown_type;
use crate::table::texts_of;

/// Numbers of this size and above are not all integers that a double can hold.
const MAX_INTEGER: f64 = 9_007_199_254_740_992.0;

/// The key of hashes.
#[derive(Clone)]
pub struct HashKey(Hmac<Sha256>);

impl HashKey {
    /// The key of these bytes.
    ///
    /// # Errors
    /// Never: keys of all lengths are keys.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        Hmac::<Sha256>::new_from_slice(bytes)
            .map(Self)
            .map_err(|error| Error::internal("a key of hashes").because(error.to_string()))
    }

    /// The hash of a value's text.
    #[must_use]
    pub fn hash(&self, text: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(text.as_bytes());
        hexadecimal(&mac.finalize().into_bytes())
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey")
    }
}

/// Which columns are hashed, and which are left out.
#[derive(Clone, Debug, Default)]
pub struct Mask {
    key: Option<HashKey>,
    hashed: Vec<String>,
    dropped: Vec<String>,
}

impl Mask {
    /// A mask that hashes these columns with the key and leaves the others out. Without a key it
    /// hashes none.
    #[must_use]
    pub fn new(key: Option<HashKey>, hashed: Vec<String>, dropped: Vec<String>) -> Self {
        Self {
            hashed: if key.is_some() { hashed } else { Vec::new() },
            key,
            dropped,
        }
    }

    /// Whether no column is hashed or left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hashed.is_empty() && self.dropped.is_empty()
    }

    /// Whether a column is hashed or left out.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        self.is_hashed(name) || self.drops(name)
    }

    /// Whether a column is left out.
    #[must_use]
    pub fn drops(&self, name: &str) -> bool {
        self.dropped.iter().any(|own| own == name)
    }

    fn is_hashed(&self, name: &str) -> bool {
        self.hashed.iter().any(|own| own == name)
    }

    /// The columns that a table with these columns has in an output.
    #[must_use]
    pub fn schema(&self, table: &SchemaRef) -> SchemaRef {
        if self.is_empty() {
            return Arc::clone(table);
        }
        let fields = table.fields().iter();
        let fields = fields.filter(|field| !self.drops(field.name()));
        let fields = fields.map(|field| {
            if self.is_hashed(field.name()) {
                Arc::new(Field::new(field.name(), DataType::Utf8, true))
            } else {
                Arc::clone(field)
            }
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// Rows as an output has them. Only the first `count` of their columns are the data's.
    ///
    /// # Errors
    /// A contract error for a column whose values have no text.
    pub fn apply(&self, rows: RecordBatch, count: usize) -> Result<RecordBatch> {
        if self.is_empty() {
            return Ok(rows);
        }
        let schema = rows.schema();
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for (index, (field, column)) in schema.fields().iter().zip(rows.columns()).enumerate() {
            let name = field.name();
            if index < count && self.drops(name) {
                continue;
            }
            match self
                .key
                .as_ref()
                .filter(|_| index < count && self.is_hashed(name))
            {
                None => {
                    fields.push(Arc::clone(field));
                    columns.push(Arc::clone(column));
                }
                Some(key) => {
                    fields.push(Arc::new(Field::new(name, DataType::Utf8, true)));
                    columns.push(hashes(key, field, column)?);
                }
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
            .map_err(|error| Error::internal("hashed columns do not fit").because(error))
    }
}

/// The hash of each value.
fn hashes(key: &HashKey, field: &Field, column: &ArrayRef) -> Result<ArrayRef> {
    let texts = texts(field, column).map_err(|error| error.at_column(field.name()))?;
    let hashed = texts.iter().map(|text| {
        let text = text.filter(|text| !text.is_empty())?;
        Some(key.hash(text))
    });
    Ok(Arc::new(hashed.collect::<StringArray>()))
}

/// The text of each value, as it is hashed.
fn texts(field: &Field, column: &ArrayRef) -> Result<StringArray> {
    if !column.data_type().is_floating() {
        return texts_of(column, field);
    }
    let numbers = cast(column, &DataType::Float64)
        .map_err(|error| Error::internal("a float without a text").because(error))?;
    let plain = texts_of(column, field)?;
    let numbers = numbers.as_primitive::<Float64Type>().iter();
    let text = |(number, plain): (Option<f64>, Option<&str>)| {
        let number = number.filter(|number| !number.is_nan())?;
        Some(if number.fract() == 0.0 && number.abs() < MAX_INTEGER {
            (number as i64).to_string()
        } else {
            plain?.to_owned()
        })
    };
    Ok(numbers.zip(plain.iter()).map(text).collect())
}

/// Checks that the values of a column have texts that can be hashed.
///
/// # Errors
/// A contract error for lists, structs and maps.
pub fn check_hashed(field: &Field) -> Result<()> {
    let data_type = field.data_type();
    if !data_type.is_nested() || matches!(data_type, DataType::Dictionary(..)) {
        return Ok(());
    }
    let error = Error::contract(format!(
        "a column of type {} cannot be hashed",
        shown_type(data_type)
    ));
    Err(error
        .at_column(field.name())
        .hint("drop it from the outputs: `--drop-columns`"))
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array,
        Int64Array, StringViewArray, TimestampMicrosecondArray, UInt8Array,
    };
    use arrow::datatypes::Int32Type;

    use super::*;

    /// `hmac.new(b"0123456789abcdef", text.encode(), "sha256").hexdigest()` of Python.
    const GOLDEN: [(&str, &str); 4] = [
        (
            "C-00021",
            "9fe56749bb52f3dc647d86f7bfbdb651adc9bc1033952b1b114c5d80ceb2cad2",
        ),
        (
            "7",
            "f69cf4852626eee19b92af564b9413e44aa526cc9e726ab9b8972af1d3b39092",
        ),
        (
            "0.1",
            "dc5c1a329ba856271ddcb1bb5c015ba2a5151b59b63fdd9e3af74ebcf9018ffd",
        ),
        (
            "\u{fc}",
            "78819d75f11e8a8d51253e9f2192750605a41fba49733557fae1502f5afd99fc",
        ),
    ];

    fn key() -> HashKey {
        HashKey::new(b"0123456789abcdef").unwrap()
    }

    #[test]
    fn the_hash_is_the_one_that_is_written_down() {
        for (text, expected) in GOLDEN {
            assert_eq!(key().hash(text), expected, "{text}");
        }
        assert_eq!(format!("{:?}", key()), "HashKey");
    }

    fn of(column: impl Array + 'static) -> Vec<Option<String>> {
        let column: ArrayRef = Arc::new(column);
        let field = Field::new("x", column.data_type().clone(), true);
        let texts = texts(&field, &column).unwrap();
        texts.iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn a_value_has_one_text_whatever_its_type_and_format() {
        let expected = |texts: &[Option<&str>]| -> Vec<Option<String>> {
            texts.iter().map(|text| text.map(str::to_owned)).collect()
        };
        // These have texts of their own, as the guide says.
        let large = Float64Array::from(vec![9_007_199_254_740_992.0, 1e20]);
        assert_eq!(
            of(large),
            expected(&[Some("9007199254740992.0"), Some("1e20")])
        );
        assert_eq!(
            of(Int64Array::from(vec![9_007_199_254_740_992])),
            expected(&[Some("9007199254740992")])
        );
        let decimal = Decimal128Array::from(vec![700]);
        let decimal = decimal.with_precision_and_scale(9, 2).unwrap();
        assert_eq!(of(decimal), expected(&[Some("7.00")]));
        let seven = expected(&[Some("7"), None]);
        assert_eq!(of(Int64Array::from(vec![Some(7), None])), seven);
        assert_eq!(of(UInt8Array::from(vec![Some(7), None])), seven);
        assert_eq!(of(Float64Array::from(vec![Some(7.0), None])), seven);
        assert_eq!(
            of(Float32Array::from(vec![Some(7.0), Some(f32::NAN)])),
            seven
        );
        assert_eq!(of(StringArray::from(vec![Some("7"), None])), seven);
        assert_eq!(of(StringViewArray::from(vec![Some("7"), None])), seven);
        let words: DictionaryArray<Int32Type> = vec![Some("7"), None].into_iter().collect();
        assert_eq!(of(words), seven);
        assert_eq!(
            of(Float64Array::from(vec![-0.0, 0.1, 1.5, -2.25])),
            expected(&[Some("0"), Some("0.1"), Some("1.5"), Some("-2.25")])
        );
        assert_eq!(
            of(Float32Array::from(vec![0.1])),
            expected(&[Some("0.1")]),
            "the shortest digits of its own precision"
        );
        assert_eq!(
            of(Date32Array::from(vec![0])),
            expected(&[Some("1970-01-01")])
        );
        assert_eq!(
            of(BooleanArray::from(vec![true, false])),
            expected(&[Some("true"), Some("false")])
        );
        let decimals = Decimal128Array::from(vec![1250]).with_precision_and_scale(9, 2);
        assert_eq!(of(decimals.unwrap()), expected(&[Some("12.50")]));
        assert_eq!(
            of(TimestampMicrosecondArray::from(vec![1_500_000])),
            expected(&[Some("1970-01-01T00:00:01.500")])
        );
    }

    #[test]
    fn columns_are_hashed_or_left_out_and_scores_are_neither() {
        let texts = |values: &[&str]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
        let rows = RecordBatch::try_from_iter([
            ("id", texts(&["7", ""])),
            ("name", texts(&["x", "y"])),
            ("region", texts(&["n", "s"])),
            ("name", texts(&["p", "q"])),
        ])
        .unwrap();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mask = Mask::new(Some(key()), names(&["id", "score"]), names(&["name"]));
        let masked = mask.apply(rows.clone(), 3).unwrap();
        let schema = masked.schema();
        let found: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(found, ["id", "region", "name"]);
        let ids = masked.column(0).as_string::<i32>();
        assert_eq!((ids.value(0), ids.is_null(1)), (GOLDEN[1].1, true));
        assert_eq!(mask.schema(&rows.schema()).fields().len(), 2);
        let all = Mask::default().apply(rows.clone(), 3).unwrap();
        assert_eq!(all, rows);
        assert!(
            check_hashed(&Field::new_list(
                "x",
                Field::new("i", DataType::Utf8, true),
                true
            ))
            .is_err()
        );
    }
}
