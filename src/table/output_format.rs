//! A format that tables can be written in, by its value of `--output-format` or by a file's name.
//!
//! Owns which formats these are. It must not know what is written.

use std::fmt;
use std::io::{self, Write};

use arrow::datatypes::SchemaRef;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::keyring::Encryption;
use super::{FORMATS, FormatWriter, Sink};
use crate::error::{Error, Result};
use crate::storage::Location;

/// The format of a file whose name decides nothing.
const DEFAULT: &str = "parquet";

/// The format of standard output, which the next program of a pipe reads.
const OF_STREAM: OutputFormat = OutputFormat {
    name: "csv",
    writer: &super::csv_sink::CsvWriter,
};

/// Extensions that stand for formats that are not written.
const NOT_WRITTEN: [&str; 9] = [
    "tsv", "txt", "gz", "zst", "json", "jsonl", "arrow", "feather", "xlsx",
];

/// One of [`FORMATS`] that has a writing half.
#[derive(Clone, Copy)]
pub struct OutputFormat {
    name: &'static str,
    writer: &'static dyn FormatWriter,
}

impl OutputFormat {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        FORMATS.iter().filter_map(|format| {
            let writer = format.writer?;
            let name = format.name;
            Some(Self { name, writer })
        })
    }

    /// The one of a name, such as `csv`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|format| format.name == name)
    }

    /// Apache Parquet, in which everything is written whose name asks for nothing else.
    #[must_use]
    pub fn parquet() -> Self {
        let name = DEFAULT;
        let writer = &super::parquet_sink::ParquetWriter;
        Self { name, writer }
    }

    /// The format of standard output where none is named: CSV.
    #[must_use]
    pub const fn of_stream() -> Self {
        OF_STREAM
    }

    /// The format that a file's name asks for by its extension, Parquet for any other extension.
    ///
    /// # Errors
    /// A usage error for an extension of a format that is not written.
    pub fn of_name(path: &Location) -> Result<Self> {
        let extension = path
            .extension()
            .map(|extension| extension.to_string_lossy().to_ascii_lowercase())
            .unwrap_or_default();
        if let Some(format) = Self::named(&extension) {
            return Ok(format);
        }
        if NOT_WRITTEN.contains(&extension.as_str()) {
            let error =
                Error::usage(format!("no table is written as `.{extension}`")).at_path(path);
            return Err(error.hint(format!("end the name in {}", Self::extensions())));
        }
        Ok(Self::parquet())
    }

    /// What names of files may end in, for a message: `.parquet` or `.csv`.
    #[must_use]
    pub fn extensions() -> String {
        let all: Vec<String> = Self::all()
            .map(|format| format!("`.{}`", format.name))
            .collect();
        match all.as_slice() {
            [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
            all => all.concat(),
        }
    }

    /// Its name, as in `--output-format`; file names end in it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// A line about it for `--help`.
    #[must_use]
    pub fn about(self) -> &'static str {
        self.writer.about()
    }

    /// Whether a file of it keeps metadata, such as the id of the run that wrote it.
    #[must_use]
    pub fn keeps_metadata(self) -> bool {
        self.writer.keeps_metadata()
    }

    /// Whether a file with this beginning may be one that was written in it.
    #[must_use]
    pub fn may_have_written(self, head: &[u8]) -> bool {
        self.writer.may_have_written(head)
    }

    /// Checks that columns have a form in the format.
    ///
    /// # Errors
    /// A contract error for one that has none.
    pub fn check(self, schema: &SchemaRef) -> Result<()> {
        self.sink(Box::new(io::sink()), schema.clone(), &[], None)
            .map(|_| ())
    }

    /// A sink that writes batches of `schema` to a stream of bytes; see [`FormatWriter::sink`].
    ///
    /// # Errors
    /// A contract error for a column that has no form in the format.
    pub fn sink<'a>(
        self,
        stream: Box<dyn Write + Send + 'a>,
        schema: SchemaRef,
        metadata: &[(String, String)],
        encryption: Option<&Encryption>,
    ) -> Result<Box<dyn Sink + 'a>> {
        self.writer.sink(stream, schema, metadata, encryption)
    }
}

impl PartialEq for OutputFormat {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for OutputFormat {}

impl fmt::Debug for OutputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OutputFormat").field(&self.name).finish()
    }
}

impl Serialize for OutputFormat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl<'de> Deserialize<'de> for OutputFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| {
            let known: Vec<String> = Self::all()
                .map(|format| format!("`{}`", format.name))
                .collect();
            D::Error::custom(format!(
                "unknown variant `{name}`, expected {}",
                known.join(" or ")
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_decides_the_format_and_parquet_is_the_default() {
        let formats = ["a.csv", "a.CSV", "a.parquet", "a.pq", "a", "csv", "a.csv.x"]
            .map(|name| OutputFormat::of_name(&Location::from(name)).unwrap().name());
        let expected = [
            "csv", "csv", "parquet", "parquet", "parquet", "parquet", "parquet",
        ];
        assert_eq!(formats, expected);
        for extension in NOT_WRITTEN {
            let path = format!("a.{extension}");
            let error = OutputFormat::of_name(&Location::from(&path)).unwrap_err();
            assert_eq!(
                error.message(),
                format!("no table is written as `.{extension}`")
            );
            assert_eq!(
                error.hint_text(),
                Some("end the name in `.parquet` or `.csv`")
            );
        }
    }

    #[test]
    fn every_format_goes_through_its_stored_name() {
        for format in OutputFormat::all() {
            let stored = serde_json::to_string(&format).unwrap();
            assert_eq!(stored, format!("\"{}\"", format.name()));
            assert_eq!(
                serde_json::from_str::<OutputFormat>(&stored).unwrap(),
                format
            );
        }
        assert_eq!(
            OutputFormat::named(DEFAULT),
            Some(OutputFormat::parquet()),
            "the default is one of the formats"
        );
        let error = serde_json::from_str::<OutputFormat>("\"orc\"").unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown variant `orc`, expected `parquet` or `csv`"
        );
    }
}
