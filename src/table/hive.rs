//! Rows sorted into Hive's directories: `column=value/column=value`.
//!
//! Owns the directories' names and the split of a batch. Values are written as text, with Hive's
//! percent-encoding; null and the empty text, which no directory can be named for, share Hive's
//! default name.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;

use super::value_text::{Values, printable};
use crate::error::{Error, Result};

/// The value in the name of null's directory, as Hive and Spark write it.
pub const NAME_OF_NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// What Hive writes as `%XX`, alongside control characters.
const ENCODED: &[u8] = b"\"#%'*/:=?\\{[]^\x7f";

/// The most bytes of a name in a directory, in all file systems of Linux.
const MAX_NAME_BYTES: usize = 255;

/// Which columns of a table decide a row's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partitioning {
    /// (name, position), in the order of the directories; empty if all rows lie in one.
    columns: Vec<(String, usize)>,
    /// The positions of the other columns, which the files hold.
    kept: Vec<usize>,
    /// Texts that became the name of null; shared by all clones.
    met: Met,
}

/// Whether the empty text, or the name of null itself, was the value of a row.
#[derive(Clone, Debug, Default)]
struct Met {
    empty_text: Arc<AtomicBool>,
    name_of_null: Arc<AtomicBool>,
}

/// What rows held is no part of how a table is partitioned.
impl PartialEq for Met {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Met {}

impl Partitioning {
    /// Partitions a table of `column_count` columns by those at these positions.
    #[must_use]
    pub fn new(columns: Vec<(String, usize)>, column_count: usize) -> Self {
        let kept = (0..column_count)
            .filter(|position| !columns.iter().any(|(_, taken)| taken == position))
            .collect();
        Self {
            columns,
            kept,
            met: Met::default(),
        }
    }

    /// Whether all rows lie in one directory.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.columns.is_empty()
    }

    /// The positions of the columns that files hold.
    #[must_use]
    pub fn kept(&self) -> &[usize] {
        &self.kept
    }

    /// Whether rows of the empty text lie in the directory of null.
    #[must_use]
    pub fn met_empty_text(&self) -> bool {
        self.met.empty_text.load(Ordering::Relaxed)
    }

    /// Whether rows whose value is the text that names the directory of null lie in it.
    #[must_use]
    pub fn met_name_of_null(&self) -> bool {
        self.met.name_of_null.load(Ordering::Relaxed)
    }

    /// The rows of each directory, in their order, without the columns that name it; sorted by
    /// directory, whose name is empty without partitioning.
    ///
    /// # Errors
    /// Fails if a value cannot be determined as text, or is too long for the name of a directory.
    pub fn split(&self, batch: &RecordBatch) -> Result<Vec<(String, RecordBatch)>> {
        let internal = |error| Error::internal("cannot sort rows into directories").because(error);
        if self.columns.is_empty() {
            return Ok(vec![(String::new(), batch.clone())]);
        }
        let kept = batch.project(&self.kept).map_err(internal)?;
        let columns = self
            .columns
            .iter()
            .map(|(_, position)| printable(batch.column(*position)))
            .collect::<Result<Vec<_>, _>>();
        let columns = columns.map_err(internal)?;
        let schema = batch.schema();
        let texts = self
            .columns
            .iter()
            .zip(&columns)
            .map(|((_, position), column)| Values::new(column, schema.field(*position)));
        let texts = texts.collect::<Result<Vec<_>, _>>().map_err(internal)?;
        let mut rows: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for row in 0..batch.num_rows() {
            let mut directory = String::new();
            for ((name, position), text) in self.columns.iter().zip(&texts) {
                let mut value = String::new();
                text.write(row, &mut value).map_err(internal)?;
                let value = if value.is_empty() {
                    if batch.column(*position).is_valid(row) {
                        self.met.empty_text.store(true, Ordering::Relaxed);
                    }
                    NAME_OF_NULL.to_owned()
                } else {
                    if value == NAME_OF_NULL {
                        self.met.name_of_null.store(true, Ordering::Relaxed);
                    }
                    encoded(&value)
                };
                let own = format!("{}={value}", encoded(name));
                if own.len() > MAX_NAME_BYTES {
                    return Err(too_long(name, own.len()));
                }
                if !directory.is_empty() {
                    directory.push('/');
                }
                directory.push_str(&own);
            }
            rows.entry(directory).or_default().push(row as u32);
        }
        rows.into_iter()
            .map(|(directory, rows)| {
                Ok((
                    directory,
                    take_record_batch(&kept, &UInt32Array::from(rows)).map_err(internal)?,
                ))
            })
            .collect()
    }
}

fn too_long(column: &str, byte_count: usize) -> Error {
    let message = format!(
        "a value is too long for a partition: its directory's name would have {byte_count} bytes \
         of {MAX_NAME_BYTES}"
    );
    let hint = "partition by another column, or by a derived one that shortens it; `--where` can \
                exclude such rows";
    Error::failed(message).at_column(column).hint(hint)
}

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii()
            && (character.is_ascii_control() || ENCODED.contains(&(character as u8)))
        {
            let _ = write!(encoded, "%{:02X}", character as u32);
        } else {
            encoded.push(character);
        }
    }
    // Names of one or two dots mean other directories.
    if encoded.chars().all(|character| character == '.') {
        encoded.replace('.', "%2E")
    } else {
        encoded
    }
}

/// What the name of a directory says, `column=value`: the column, and the value, which is none for
/// null; nothing if it says nothing.
///
/// # Errors
/// Fails if the name, or what its `%XX` stand for, is not UTF-8.
pub fn partition(name: &OsStr) -> Result<Option<(String, Option<String>)>> {
    let bytes = name.as_encoded_bytes();
    let Some(split) = bytes
        .iter()
        .position(|byte| *byte == b'=')
        .filter(|split| *split > 0)
    else {
        return Ok(None);
    };
    let decode = |part: &[u8]| {
        String::from_utf8(decoded(part)).map_err(|error| {
            let name = bytes.escape_ascii();
            let error = Error::failed(format!(
                "cannot read the directory's name `{name}` as `column=value`: it is not UTF-8"
            ))
            .because(error);
            error.hint(
                "rename the directory, writing what is not ASCII as UTF-8 or its `%XX`; or name \
                 the directories below it as inputs",
            )
        })
    };
    let value = &bytes[split + 1..];
    Ok(Some((
        decode(&bytes[..split])?,
        if value == NAME_OF_NULL.as_bytes() {
            None
        } else {
            Some(decode(value)?)
        },
    )))
}

/// The bytes that were written with `%XX`. A `%` without two digits stands for itself.
fn decoded(bytes: &[u8]) -> Vec<u8> {
    let (mut decoded, mut position) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(position) {
        let digits = bytes
            .get(position + 1..position + 3)
            .filter(|digits| byte == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let code = digits
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        decoded.push(code.unwrap_or(byte));
        position += if code.is_some() { 3 } else { 1 };
    }
    decoded
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    #[test]
    fn rows_keep_their_order_and_lose_the_columns_that_name_their_directory() {
        let columns: [(&str, ArrayRef); 3] = [
            ("id", Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5]))),
            (
                "day",
                Arc::new(StringArray::from(vec![
                    Some("a/b"),
                    None,
                    Some("x y"),
                    Some(""),
                    Some("a/b"),
                ])),
            ),
            ("n", Arc::new(Int64Array::from(vec![7, 7, 7, 7, 7]))),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.map(|(name, array)| (name, array, true)),
        )
        .unwrap();
        let split = Partitioning::new(vec![("day".into(), 1), ("n".into(), 2)], 3)
            .split(&batch)
            .unwrap();
        let seen: Vec<(String, Vec<i64>)> = split
            .into_iter()
            .map(|(directory, rows)| {
                (
                    directory,
                    rows.column(0)
                        .as_any()
                        .downcast_ref::<Int64Array>()
                        .unwrap()
                        .values()
                        .to_vec(),
                )
            })
            .collect();
        let expected = [
            ("day=__HIVE_DEFAULT_PARTITION__/n=7", vec![2, 4]),
            ("day=a%2Fb/n=7", vec![1, 5]),
            ("day=x y/n=7", vec![3]),
        ];
        assert_eq!(
            seen,
            expected.map(|(directory, rows)| (directory.to_owned(), rows))
        );
        assert_eq!(encoded(".."), "%2E%2E");
    }

    #[test]
    fn texts_that_are_read_back_as_null_are_noticed() {
        for (value, is_empty, is_name) in [
            (Some("north"), false, false),
            (None, false, false),
            (Some(""), true, false),
            (Some(NAME_OF_NULL), false, true),
            (Some("x__HIVE_DEFAULT_PARTITION__"), false, false),
        ] {
            let days: ArrayRef = Arc::new(StringArray::from(vec![value]));
            let ids: ArrayRef = Arc::new(Int64Array::from(vec![1]));
            let columns = [("id", ids, false), ("day", days, true)];
            let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
            let partitioning = Partitioning::new(vec![("day".into(), 1)], 2);
            let directory = partitioning.clone().split(&batch).unwrap().remove(0).0;
            let read = partition(OsStr::new(&directory)).unwrap().unwrap().1;
            assert_eq!(partitioning.met_empty_text(), is_empty, "{value:?}");
            assert_eq!(partitioning.met_name_of_null(), is_name, "{value:?}");
            let is_kept = read.as_deref() == value;
            assert_eq!(is_kept, !is_empty && !is_name, "{value:?}");
        }
    }

    #[test]
    fn a_value_that_no_directory_can_be_named_for_is_refused() {
        let split = |value: String| {
            let text: ArrayRef = Arc::new(StringArray::from(vec!["short".to_owned(), value]));
            let batch = RecordBatch::try_from_iter([
                ("id", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
                ("day", text),
            ])
            .unwrap();
            Partitioning::new(vec![("day".into(), 1)], 2)
                .split(&batch)
                .map(|rows| rows.len())
        };
        assert_eq!(split("x".repeat(251)).unwrap(), 2);
        // Each slash is three bytes of a name.
        for value in ["x".repeat(252), "/".repeat(84), "ä".repeat(126)] {
            let error = split(value).unwrap_err();
            assert!(
                error
                    .message()
                    .starts_with("a value is too long for a partition")
                    && error.location().column.as_deref() == Some("day"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_was_written_as_a_directory_is_read_from_it() {
        let read = |name: &str| partition(OsStr::new(name)).unwrap();
        for value in ["north", "a/b=c", "x y", "50%", "ä%41", "..", "1.10", "00"] {
            assert_eq!(
                read(&format!("day={}", encoded(value))),
                Some(("day".to_owned(), Some(value.to_owned())))
            );
        }
        assert_eq!(
            read("a%3Db=__HIVE_DEFAULT_PARTITION__"),
            Some(("a=b".to_owned(), None))
        );
        assert_eq!(
            read("day=50%"),
            Some(("day".to_owned(), Some("50%".to_owned()))),
            "not ours, but plain"
        );
        assert_eq!([read("day"), read("=x")], [None, None]);
    }

    #[test]
    fn a_value_that_is_not_utf8_is_an_error_and_no_missing_column() {
        use std::os::unix::ffi::OsStrExt;
        for name in [b"city=K%F6ln".as_slice(), b"city=K\xf6ln", b"st%E4dte=x"] {
            let error = partition(OsStr::from_bytes(name)).unwrap_err();
            assert!(error.message().ends_with("it is not UTF-8"), "{error}");
            assert!(error.hint_text().is_some());
        }
        assert_eq!(
            partition(OsStr::from_bytes(b"K\xf6ln")).unwrap(),
            None,
            "a directory that says nothing may be called anything"
        );
    }
}
