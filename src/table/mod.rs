//! Rows in and out: files of tables as portions of record batches, and record batches as files.
//!
//! Owns the formats and their options. A [`TableFile`] cuts itself into [`Portion`]s: numbered,
//! independent pieces of work that any worker may decode, so that reading is as parallel as scoring
//! and a checkpoint is (file, row). A [`Sink`] takes batches in order. Nothing here knows models.
//! Only `storage` touches `std::fs`.

use crate::storage::Location;

pub mod batch;
pub mod cast;
pub mod challenger;
pub mod chunk;
mod compact;
pub mod compression;
pub(crate) mod content;
pub mod csv;
pub mod csv_decode;
pub mod csv_find;
pub mod csv_guess;
pub mod csv_record;
pub mod csv_scan;
pub mod csv_sink;
pub mod csv_split;
mod csv_text_column;
pub mod csv_typed;
pub mod dataset;
pub mod dataset_file;
pub mod demand;
pub mod encoding;
mod file_portions;
mod format;
pub mod geo;
mod headerless;
pub mod hive;
pub mod hive_file;
mod int96;
pub mod keyring;
pub mod lake;
pub mod location;
mod magic;
pub mod name_index;
pub mod nested;
pub mod number_format;
pub mod origin;
pub mod output_format;
pub mod parquet;
mod parquet_annotation;
mod parquet_calendar;
mod parquet_check;
mod parquet_decode;
mod parquet_demand;
mod parquet_encryption;
mod parquet_footer;
mod parquet_header;
mod parquet_input;
mod parquet_open;
mod parquet_page;
mod parquet_page_check;
mod parquet_portions;
pub mod parquet_sink;
mod parquet_stored_schema;
mod parquet_times;
mod parquet_types;
mod parquet_zones;
pub mod row_size;
pub mod shown_type;
pub mod sorted;
pub(crate) mod spelling;
mod thrift;
mod thrift_kind;
mod thrift_refusal;
mod thrift_tree;
mod union;
mod value_text;
pub mod walk;
pub(crate) use self::format::room_for_columns;
pub use self::format::{
    ColumnRequest, DEFAULT_PORTION_BYTES, DEFAULT_PORTION_ROWS, Decode, Escape, Format,
    FormatReader, FormatWriter, MAX_PORTION_BYTES, Portion, Portions, ReadOptions, Sink, Start,
    TableFile,
};
pub use self::value_text::texts_of;

/// Every format, in the order of recognition: text without a magic number comes last.
pub static FORMATS: &[Format] = &[
    Format {
        name: "parquet",
        reader: &parquet::Parquet,
        writer: Some(&parquet_sink::ParquetWriter),
    },
    Format {
        name: "csv",
        reader: &csv::Csv,
        writer: Some(&csv_sink::CsvWriter),
    },
];

/// Endings of compressed files, of which gzip and zstd are read; the others are refused by name
/// rather than passed over.
const COMPRESSED: [&str; 12] = [
    "gz", "gzip", "zst", "zstd", "bz2", "xz", "lzma", "lz4", "zip", "7z", "z", "snappy",
];

/// What files next to an output end in that are not predictions.
const OWN_ENDINGS: [&str; 2] = [".report.pq", ".rejected.pq"];

/// Whether a file in a directory is taken for a table by its name: one that ends as some format's
/// files do, compressed or not.
#[must_use]
pub fn has_known_ending(path: &Location) -> bool {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    // Our own reports and rejected rows lie next to predictions and are not data.
    if OWN_ENDINGS.iter().any(|own| name.ends_with(own)) {
        return false;
    }
    let mut endings = name.rsplit('.').take(name.matches('.').count());
    let last = endings.next();
    let ending = if last.is_some_and(|last| COMPRESSED.contains(&last)) {
        endings.next()
    } else {
        last
    };
    ending.is_some_and(|ending| {
        FORMATS
            .iter()
            .any(|format| format.reader.endings().contains(&ending))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_tables_are_known_by_their_endings_compressed_or_not() {
        let known = |name: &&str| has_known_ending(&Location::from(name));
        let tables = [
            "a.csv",
            "A.CSV",
            "a.tsv.gz",
            "a.b.parquet",
            "part-0.snappy.parquet",
            "a.pq",
            "x.csv.zst",
            "x.csv.bz2",
            "d.x/a.tab",
        ];
        assert_eq!(
            tables
                .iter()
                .filter(|name| !known(name))
                .collect::<Vec<_>>(),
            Vec::<&&str>::new()
        );
        let others = [
            "README.txt",
            "README",
            "a.md",
            "csv",
            ".csv/a",
            "a.gz",
            "a.csv.bak",
            "a.parquet.tmp",
            "a.json",
            "000000_0",
            "a.csv.crc",
            "",
            "a.report.pq",
            "a.rejected.pq",
        ];
        assert_eq!(
            others.iter().filter(|name| known(name)).collect::<Vec<_>>(),
            Vec::<&&str>::new()
        );
    }
}
