//! What a footer says of columns that come along: carried with them, or a reason to refuse them.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Date32Array, Float64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::KeyValue;
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::harness::{Room, Run, data};

/// Writes rows with these pairs in the footer, without an Arrow schema, as Spark does.
fn write(room: &Room, name: &str, further: Vec<(&str, ArrayRef)>, pairs: &[(&str, &str)]) {
    let numbers = || Arc::new(Float64Array::from(vec![0.1, 0.9, 0.5])) as ArrayRef;
    let columns = [("a", numbers()), ("b", numbers())];
    let rows = RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .chain(further)
            .map(|(name, column)| (name, column, true)),
    );
    let rows = rows.unwrap();
    let pairs = pairs
        .iter()
        .map(|(key, value)| KeyValue::new((*key).to_owned(), (*value).to_owned()));
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_key_value_metadata(Some(pairs.collect()))
        .build();
    let file = std::fs::File::create(room.path(name)).unwrap();
    let options = parquet::arrow::arrow_writer::ArrowWriterOptions::new()
        .with_properties(properties)
        .with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(file, rows.schema(), options).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
}

fn score(room: &Room, line: &str) -> Run {
    let model = data("hostile/good.json");
    room.tallow(&format!("score --model {} {line}", model.display()))
}

/// The value of a key in a file's footer.
fn footer(room: &Room, name: &str, key: &str) -> Option<String> {
    let file = std::fs::File::open(room.path(name)).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let pairs = reader.metadata().file_metadata().key_value_metadata()?;
    pairs.iter().find(|pair| pair.key == key)?.value.clone()
}

#[test]
fn what_geoparquet_says_of_a_geometry_comes_along_with_it() {
    let room = Room::new();
    let shapes = Arc::new(BinaryArray::from(vec![Some(&b"\x01"[..]), None, None])) as ArrayRef;
    let geo = "{\"version\":\"1.1.0\",\"primary_column\":\"geometry\",\"columns\":{\"geometry\":\
               {\"encoding\":\"WKB\",\"geometry_types\":[\"Point\"],\"crs\":{\"id\":25832},\
               \"bbox\":[0,0,1,1]}}}";
    write(
        &room,
        "rows.parquet",
        vec![("geometry", shapes)],
        &[("geo", geo)],
    );
    score(&room, "rows.parquet --output out.parquet").ok();
    let expected = "{\"columns\":{\"geometry\":{\"crs\":{\"id\":25832},\"encoding\":\"WKB\",\
                    \"geometry_types\":[\"Point\"]}},\"primary_column\":\"geometry\",\
                    \"version\":\"1.1.0\"}";
    assert_eq!(footer(&room, "out.parquet", "geo").unwrap(), expected);
    // geopandas looks at the Arrow schema, as pyarrow reads it.
    let file = std::fs::File::open(room.path("out.parquet")).unwrap();
    let arrow = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    assert_eq!(arrow.schema().metadata().get("geo").unwrap(), expected);
    score(&room, "rows.parquet --output out/").ok();
    assert_eq!(
        footer(&room, "out/part-00000.parquet", "geo").unwrap(),
        expected
    );
    score(
        &room,
        "rows.parquet --output none.parquet --passthrough none",
    )
    .ok();
    assert_eq!(footer(&room, "none.parquet", "geo"), None);
}

/// Spark 4 reads the first day as 1500-01-01; pyarrow 23 and DuckDB 1.4 as 1500-01-10.
#[test]
fn days_of_sparks_legacy_calendar_are_refused_and_others_pass() {
    let days = |first: i32| {
        vec![(
            "day",
            Arc::new(Date32Array::from(vec![first, 0, 1])) as ArrayRef,
        )]
    };
    let (legacy, version) = (
        "org.apache.spark.legacyDateTime",
        "org.apache.spark.version",
    );
    for (first, pairs, is_refused) in [
        (-171_654, &[(version, "3.5.1"), (legacy, "")][..], true),
        (-171_654, &[(version, "2.4.8")], true),
        (-171_654, &[(version, "3.5.1")], false),
        (-141_427, &[(version, "3.5.1"), (legacy, "")], false),
        (-171_654, &[], false),
    ] {
        let room = Room::new();
        write(&room, "rows.parquet", days(first), pairs);
        let run = score(&room, "rows.parquet --output out.parquet");
        assert_eq!(run.code, i32::from(is_refused), "{first}, {pairs:?}: {run}");
        if is_refused {
            assert!(
                run.stderr.contains("before the Gregorian calendar"),
                "{run}"
            );
            assert!(run.stderr.contains("column `day`"), "{run}");
            score(
                &room,
                "rows.parquet --output out.parquet --passthrough none",
            )
            .ok();
        }
    }
}

#[test]
fn texts_that_become_null_as_partitions_are_warned_of() {
    let room = Room::new();
    for (texts, is_warned) in [
        ([Some("north"), Some(""), None], true),
        ([Some("north"), Some("south"), None], false),
    ] {
        let texts = Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
        write(&room, "rows.parquet", vec![("region", texts)], &[]);
        let run = score(
            &room,
            "rows.parquet --output out/ --partition-by region --overwrite",
        );
        let run = run.ok();
        assert_eq!(run.stderr.contains("is the empty text"), is_warned, "{run}");
    }
    // An empty field of delimited text says no more than null.
    room.file("rows.csv", "a,b,region\n0.1,0.9,\n0.1,0.9,north\n");
    let run = score(&room, "rows.csv --output csv/ --partition-by region").ok();
    assert!(!run.stderr.contains("warning"), "{run}");
}

#[test]
fn corrected_rows_may_be_written_in_another_dialect() {
    let header = "a,b,rejected_file,rejected_row";
    let rows = format!("{header}\n\"0,5\",\"0,7\",rows.csv,2\n");
    let semicolons = "a;b;rejected_file;rejected_row\n0,5;0,7;rows.csv;2\n";
    let utf16: Vec<u8> = rows.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: [(&[u8], &str, Result<(), &str>); 6] = [
        (rows.as_bytes(), "", Ok(())),
        (semicolons.as_bytes(), "", Err("pass `--delimiter ';'`")),
        (semicolons.as_bytes(), "--delimiter ;", Ok(())),
        (&utf16, "", Err("pass `--encoding utf-16le`")),
        (&utf16, "--encoding utf-16le", Ok(())),
        (
            rows.as_bytes(),
            "--delimiter tab",
            Err("it was read as one column"),
        ),
    ];
    let mut bytes = Vec::new();
    for (corrected, flags, expected) in cases {
        let room = Room::new();
        room.file("rows.csv", "a;b\n0,1;0,9\n0,5;x\n");
        score(
            &room,
            "rows.csv --output out/ --delimiter ; --decimal , --on-unseen reject",
        )
        .ok();
        room.file("corrected.csv", corrected);
        let run = room.tallow(&format!("retry out --corrected corrected.csv {flags}"));
        match expected {
            Ok(()) => {
                let run = run.ok();
                assert!(!run.stderr.contains("warning"), "{run}");
                bytes.push(std::fs::read(room.path("out/part-00000.parquet")).unwrap());
            }
            Err(hint) => {
                let run = run.fails(if hint.contains("one column") { 3 } else { 1 });
                assert!(run.stderr.contains(hint), "{run}");
            }
        }
    }
    assert!(bytes.windows(2).all(|pair| pair[0] == pair[1]));
}
