//! What a footer says of columns that come along: carried with them, or a reason to refuse them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BinaryArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::data_type::{DoubleType, Int96, Int96Type};
use parquet::file::metadata::KeyValue;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;

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

/// pandas writes integers with a gap as doubles, so one day's file may differ from the next.
#[test]
fn integers_that_the_floats_of_another_file_cannot_hold_stop_the_run() {
    let room = Room::new();
    let ids = |ids: [i64; 3]| vec![("id", Arc::new(Int64Array::from(ids.to_vec())) as ArrayRef)];
    let gaps = Float64Array::from(vec![Some(4.0), None, Some(5.0)]);
    let gaps = vec![("id", Arc::new(gaps) as ArrayRef)];
    write(&room, "tuesday.parquet", gaps, &[]);
    write(&room, "monday.parquet", ids([1, 1 << 53, 3]), &[]);
    score(&room, "monday.parquet tuesday.parquet --output out.parquet").ok();
    write(&room, "monday.parquet", ids([1, 2, (1 << 53) + 1]), &[]);
    for line in [
        "monday.parquet tuesday.parquet",
        "tuesday.parquet monday.parquet",
    ] {
        let run = score(&room, &format!("{line} --output out.parquet --overwrite")).fails(3);
        assert!(
            run.stderr
                .contains("(`monday.parquet`, row 3, column `id`)"),
            "{run}"
        );
    }
    score(&room, "monday.parquet --output out.parquet --overwrite").ok();
}

#[test]
fn texts_that_become_null_as_partitions_are_warned_of() {
    let room = Room::new();
    for (texts, warning) in [
        ([Some("north"), Some(""), None], Some("is the empty text")),
        (
            [Some("north"), Some("__HIVE_DEFAULT_PARTITION__"), None],
            Some("is the text `__HIVE_DEFAULT_PARTITION__`"),
        ),
        ([Some("north"), Some("south"), None], None),
    ] {
        let texts = Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
        write(&room, "rows.parquet", vec![("region", texts)], &[]);
        let run = score(
            &room,
            "rows.parquet --output out/ --partition-by region --overwrite",
        );
        let run = run.ok();
        assert_eq!(run.stderr.contains("warning"), warning.is_some(), "{run}");
        let warning = warning.unwrap_or_default();
        assert!(run.stderr.contains(warning), "{run}");
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

/// Writes two features and a time of the type INT96, 2026-01-01 11:00:00.
fn write_int96(room: &Room, pairs: &[(&str, &str)]) {
    let schema = "message schema { required double a; required double b; required int96 t; }";
    let schema = Arc::new(parquet::schema::parser::parse_message_type(schema).unwrap());
    let pairs = pairs
        .iter()
        .map(|(key, value)| KeyValue::new((*key).to_owned(), (*value).to_owned()));
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_key_value_metadata(Some(pairs.collect()))
        .build();
    let file = std::fs::File::create(room.path("rows.parquet")).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for value in [0.1, 0.9] {
        let mut column = group.next_column().unwrap().unwrap();
        column
            .typed::<DoubleType>()
            .write_batch(&[value], None, None)
            .unwrap();
        column.close().unwrap();
    }
    let (nanoseconds, day) = (39_600_000_000_000_u64, 2_461_042);
    let mut time = Int96::new();
    time.set_data(nanoseconds as u32, (nanoseconds >> 32) as u32, day);
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<Int96Type>()
        .write_batch(&[time], None, None)
        .unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
}

/// Spark 4.3 writes its `timestamp` as INT96 and reads any INT96 as one; pyarrow 23, pandas 3,
/// DuckDB 2 and polars 2 read a clock without a zone.
#[test]
fn int96_of_spark_comes_out_as_an_instant_and_others_as_a_clock() {
    let row_type = "org.apache.spark.sql.parquet.row.metadata";
    for (pairs, zone) in [
        (&[("org.apache.spark.version", "4.3.0")][..], Some("UTC")),
        (&[(row_type, "{}")], Some("UTC")),
        (&[("pandas", "{}")], None),
        (&[], None),
    ] {
        let room = Room::new();
        write_int96(&room, pairs);
        score(&room, "rows.parquet --output out.parquet").ok();
        let found = room.table("out.parquet");
        let times = found.column_by_name("t").unwrap();
        assert_eq!(
            *times.data_type(),
            DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into)),
            "{pairs:?}"
        );
        let times = times.as_primitive::<TimestampMicrosecondType>();
        assert_eq!(times.value(0), 1_767_265_200_000_000, "{pairs:?}");
    }
}
