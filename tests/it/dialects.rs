//! How delimited text is written, and which files count as inputs.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use crate::harness::{Room, Run, column, data, numbers, texts};

/// A model of the columns `a` and `b`.
fn room() -> Room {
    let room = Room::new();
    room.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    room
}

fn score(room: &Room, input: &str, flags: &[&str]) -> Run {
    let fixed = [
        "score",
        "--model",
        "good.json",
        input,
        "--output",
        "out.parquet",
        "--overwrite",
    ];
    room.run(fixed.iter().chain(flags))
}

/// What a file gives: the texts of `note`, and the probabilities.
fn scored(room: &Room, input: &str, flags: &[&str]) -> (Vec<Option<String>>, Vec<f64>) {
    score(room, input, flags).ok();
    let out = room.table("out.parquet");
    (
        texts(column(&out, "note")),
        numbers(column(&out, "probability")),
    )
}

/// `a`, `b` and what comes along; 0.5 is a split of the model.
const PLAIN: &str =
    "id,note,a,b\n1,Größe,0.1,0.9\n2,\"say \"\"hi\"\", ok\",0.8,1234.5\n3,\"two\nlines\",-0.25,\n";

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars()
        .map(|character| u8::try_from(u32::from(character)).unwrap())
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_dialect_gives_the_rows_of_the_plain_file() {
    let room = room();
    room.file("plain.csv", PLAIN);
    let plain = scored(&room, "plain.csv", &[]);
    assert_eq!(plain.0[1].as_deref(), Some("say \"hi\", ok"));
    let european = PLAIN
        .replace(',', ";")
        .replace("0.", "0,")
        .replace("1234.5", "1.234,5")
        .replace("; ok", ", ok");
    let american = PLAIN.replace("1234.5", "\"1,234.5\"");
    let escaped = PLAIN.replace("\"\"hi\"\"", "\\\"hi\\\"");
    let commented = format!(
        "# made \"by\n#x\n{}#end\n",
        PLAIN.replacen("\n2,", "\n# \"a\n2,", 1)
    );
    let spaced = PLAIN
        .replace(",0.1,", " , 0.1 ,")
        .replace("2,\"say", " 2 , \"say")
        .replace("ok\",", "ok\" ,");
    let preamble = format!("Report \"x\r\n\n{PLAIN}");
    let excel = format!("\u{feff}sep=;\r\n{european}");
    let tagged = [b"\xff\xfe".to_vec(), utf16(PLAIN)].concat();
    let cases: Vec<(&str, Vec<u8>, Vec<&str>)> = vec![
        (
            "european.csv",
            european.clone().into(),
            vec!["--delimiter", ";", "--decimal", ",", "--thousands", "."],
        ),
        ("american.csv", american.into(), vec!["--thousands", ","]),
        ("escaped.csv", escaped.into(), vec!["--escape", "\\"]),
        ("commented.csv", commented.into(), vec!["--comment", "#"]),
        ("spaced.csv", spaced.into(), vec!["--trim"]),
        ("preamble.csv", preamble.into(), vec!["--skip-rows", "2"]),
        (
            "excel.csv",
            excel.into(),
            vec!["--decimal", ",", "--thousands", "."],
        ),
        ("utf16.csv", tagged, vec!["--encoding", "utf-16"]),
        ("utf16le.csv", utf16(PLAIN), vec!["--encoding", "utf-16le"]),
        ("latin1.csv", latin1(PLAIN), vec!["--encoding", "latin1"]),
        (
            "windows.csv",
            latin1(PLAIN),
            vec!["--encoding", "windows-1252"],
        ),
        (
            "cr.csv",
            PLAIN
                .replace("two\nlines", "two lines")
                .replace('\n', "\r")
                .replace("two lines", "two\nlines")
                .into(),
            vec![],
        ),
        (
            "crlf.csv",
            PLAIN
                .replace('\n', "\r\n")
                .replace("two\r\n", "two\n")
                .into(),
            vec![],
        ),
        ("no_end.csv", PLAIN.trim_end().into(), vec![]),
    ];
    for (name, bytes, flags) in cases {
        room.file(name, &bytes);
        assert_eq!(scored(&room, name, &flags), plain, "{name}");
        let small = [flags.as_slice(), &["--batch-rows", "1", "--threads", "2"]].concat();
        assert_eq!(scored(&room, name, &small), plain, "{name} a row at a time");
        let packed = format!("{name}.gz");
        room.file(&packed, gzip(&bytes));
        assert_eq!(scored(&room, &packed, &flags), plain, "{packed}");
    }
}

#[test]
#[expect(clippy::format_collect, reason = "a few rows of a test")]
fn a_data_set_of_another_dialect_is_the_same_in_parts_and_records_how_it_was_read() {
    let room = room();
    let rows: String = (0..50)
        .map(|row| format!("{row};v\\;{row};0,{row:02};1,5\n"))
        .collect();
    room.file(
        "rows.csv",
        latin1(&format!("Bericht für\nid;note;a;b\n{rows}")),
    );
    let flags = [
        "--delimiter",
        ";",
        "--escape",
        "\\",
        "--decimal",
        ",",
        "--skip-rows",
        "1",
        "--encoding",
        "latin1",
        "--types",
        "id=int64",
    ];
    let whole = scored(&room, "rows.csv", &flags);
    let fixed = [
        "score",
        "--model",
        "good.json",
        "rows.csv",
        "--output",
        "parts/",
        "--rows-per-part",
        "7",
    ];
    room.run(fixed.iter().chain(&flags)).ok();
    let parts: Vec<RecordBatch> = (0..8)
        .map(|part| room.table(&format!("parts/part-{part:05}.parquet")))
        .collect();
    let notes: Vec<_> = parts
        .iter()
        .flat_map(|part| texts(column(part, "note")))
        .collect();
    let probabilities: Vec<f64> = parts
        .iter()
        .flat_map(|part| numbers(column(part, "probability")))
        .collect();
    assert_eq!((notes, probabilities), whole);
    assert_eq!(column(&parts[0], "id").data_type(), &DataType::Int64);
    let manifest: serde_json::Value = room
        .listing_of("parts")
        .iter()
        .chain([&"_tallow/manifest.json".to_owned()])
        .find_map(|name| {
            let text = std::fs::read_to_string(room.path(&format!("parts/{name}"))).ok()?;
            serde_json::from_str(&text)
                .ok()
                .filter(|value: &serde_json::Value| value["configuration"].is_object())
        })
        .expect("a manifest");
    assert_eq!(manifest["configuration"]["--decimal"], ",");
    assert_eq!(manifest["configuration"]["--encoding"], "latin1");
    let other = [
        "score",
        "--model",
        "good.json",
        "rows.csv",
        "--output",
        "parts/",
        "--rows-per-part",
        "7",
        "--trim",
    ];
    let run = room.run(other.iter().chain(&flags)).fails(1);
    assert!(
        run.stderr
            .contains("since it was made these changed: `--trim`"),
        "{run}"
    );
}

#[test]
fn a_file_of_another_dialect_stops_with_the_flag_that_reads_it() {
    let room = room();
    let cases: [(&str, Vec<u8>, &str); 9] = [
        (
            "decimal.csv",
            b"id;a;b\n1;0,5;1\n".to_vec(),
            "pass `--decimal ,`",
        ),
        (
            "thousands.csv",
            b"a,b\n\"1,234.5\",1\n".to_vec(),
            "pass `--thousands ,`",
        ),
        (
            "spark.csv",
            b"a,b,note\n1,2,\"He said \\\"no\\\"\"\n".to_vec(),
            "`--escape '\\'`",
        ),
        (
            "unquoted.csv",
            b"a,b,note\n1,2,x\\,y\n".to_vec(),
            "`--escape '\\'`",
        ),
        (
            "utf16.csv",
            [b"\xff\xfe".to_vec(), utf16("a,b\n1,2\n")].concat(),
            "pass `--encoding utf-16le`",
        ),
        (
            "utf16_no_mark.csv",
            utf16("a,b\n1,2\n"),
            "pass `--encoding utf-16le`",
        ),
        (
            "latin1.csv",
            b"a,b,note\n1,2,Gr\xf6\xdfe\n".to_vec(),
            "`--encoding windows-1252`",
        ),
        (
            "preamble.csv",
            b"Report\n\na,b\n1,2\n".to_vec(),
            "pass `--skip-rows 2`",
        ),
        (
            "comment.csv",
            b"a,b\n# \"x\n1,2\n".to_vec(),
            "`--comment '#'`",
        ),
    ];
    for (name, bytes, hint) in cases {
        room.file(name, bytes);
        let flags: &[&str] = if name == "decimal.csv" {
            &["--delimiter", ";"]
        } else {
            &[]
        };
        let run = score(&room, name, flags);
        assert!(run.code != 0 && run.stderr.contains(hint), "{name}: {run}");
    }
    // A backslash that is text is taken for that once the user says so.
    room.file("text.csv", "a,b,note\n1,2,\"He said \\\"no\"\n");
    assert_eq!(
        scored(&room, "text.csv", &["--escape", "none"]).0,
        [Some("He said \\no\"".to_owned())]
    );
    room.file("quotes.tsv", "a\tb\tnote\n1\t2\t\"5 inch\n");
    assert_eq!(
        scored(&room, "quotes.tsv", &["--quote", "none"]).0,
        [Some("\"5 inch".to_owned())]
    );
}

#[test]
fn columns_of_text_take_the_types_that_they_are_given() {
    let room = room();
    room.file(
        "rows.csv",
        "id,day,amount,note,a,b\n9007199254740993,2024-01-31,1.10,x,1,2\n,NA,,y,1,2\n",
    );
    score(
        &room,
        "rows.csv",
        &[
            "--types",
            "id=int64,day=date",
            "--types",
            "amount=decimal(9,2)",
            "--where",
            "id > 0 OR day IS NULL",
        ],
    )
    .ok();
    let out = room.table("out.parquet");
    let types = ["id", "day", "amount", "note"].map(|name| column(&out, name).data_type().clone());
    assert_eq!(
        types,
        [
            DataType::Int64,
            DataType::Date32,
            DataType::Decimal128(9, 2),
            DataType::Utf8
        ]
    );
    assert_eq!(
        texts(column(&out, "id")),
        [Some("9007199254740993".to_owned()), None]
    );
    assert_eq!(
        texts(column(&out, "amount")),
        [Some("1.10".to_owned()), None]
    );
    room.file("bad.csv", "id,a,b\n1,1,2\nx7,1,2\n");
    let run = score(&room, "bad.csv", &["--types", "id=int64"]).fails(1);
    assert!(
        run.stderr
            .contains("cannot read the value as int64 (`bad.csv`, row 2, column `id`)"),
        "{run}"
    );
    let run = score(&room, "bad.csv", &["--types", "ID=int64"]).fails(3);
    assert!(run.stderr.contains("did you mean `id`?"), "{run}");
    score(&room, "bad.csv", &["--types", "id=int63"]).fails(2);
}

#[test]
fn flags_about_text_that_nothing_reads_are_warned_of() {
    let room = room();
    let number = || -> ArrayRef { Arc::new(Float64Array::from(vec![0.1, 0.2])) };
    room.parquet(
        "rows.parquet",
        &RecordBatch::try_from_iter([("a", number()), ("b", number())]).unwrap(),
        10,
    );
    let run = score(
        &room,
        "rows.parquet",
        &["--delimiter", ";", "--decimal", ","],
    )
    .ok();
    assert!(
        run.stderr.contains(
            "warning: the data is not delimited text, so nothing reads `--delimiter`, `--decimal`"
        ),
        "{run}"
    );
    assert!(
        !score(&room, "rows.parquet", &[])
            .ok()
            .stderr
            .contains("warning")
    );
    let run = score(&room, "rows.parquet", &["--types", "a=int64"]).fails(3);
    assert!(run.stderr.contains("has a type of its own"), "{run}");
}

#[test]
fn directories_give_files_of_known_endings_and_the_others_are_counted() {
    let room = room();
    room.file("in/rows.csv", "a,b\n0.1,0.2\n");
    room.file("in/README.txt", "About, these\nrows, of ours\n");
    room.file("in/deep/notes.md", "x");
    let run = score(&room, "in", &["--format", "json"]).ok();
    assert!(
        run.stderr
            .contains("2 files not read because of the ending: in/README.txt, in/deep/notes.md"),
        "{run}"
    );
    assert_eq!(run.json()["ledger"]["rows_in"], 1);
    let report = room
        .listing()
        .into_iter()
        .find(|name| name.starts_with("out.report"))
        .unwrap();
    let shown = room.tallow(&format!("inspect {report}")).ok().stdout;
    assert!(
        shown.contains("2 files not read because of the ending"),
        "{shown}"
    );
    let run = score(&room, "in", &["--any-ending"]);
    assert!(
        run.code != 0 && run.stderr.contains("in/README.txt"),
        "the file has no column `a`: {run}"
    );
    room.file("hive/000000_0", "a,b\n0.1,0.2\n");
    let run = score(&room, "hive", &[]).fails(1);
    assert!(
        run.stderr
            .contains("`--any-ending` to read `hive/000000_0`"),
        "{run}"
    );
    score(&room, "hive", &["--any-ending"]).ok();
    score(&room, "hive/*", &[]).ok();
}

#[test]
fn what_is_not_a_table_is_named_whatever_it_is_called() {
    let room = room();
    let cases: [(&str, &[u8], &str); 8] = [
        (
            "rows.parquet",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 3\n",
            "git lfs pull",
        ),
        ("rows.csv", b"{\"a\": 1, \"b\": 2}\n", "JSON lines"),
        ("page.csv", b"<!DOCTYPE html><html>", "an HTML page"),
        (
            "rows.csv.zip",
            b"PK\x03\x04\x14\0\0\0rows.csv",
            "a zip archive",
        ),
        ("rows.csv.bz2", b"BZh91AY&SY\0\0\0\0", "a bzip2 file"),
        ("rows.arrow", b"ARROW1\0\0", "an Arrow IPC file"),
        ("rows.orc", b"ORC\0\0\0\0", "an ORC file"),
        ("rows.pkl", b"\x80\x04\x95\x10\0\0", "a pickle"),
    ];
    for (name, bytes, rendered) in cases {
        room.file(name, bytes);
        let run = score(&room, name, &[]).fails(1);
        assert!(
            run.stderr.contains(rendered) && run.stderr.contains("hint: "),
            "{name}: {run}"
        );
        let run = room.tallow(&format!("inspect {name}"));
        assert!(run.code != 0, "{name}: {run}");
    }
}

#[test]
fn directories_of_unfinished_jobs_are_refused_and_finished_ones_are_read() {
    let room = room();
    let number = || -> ArrayRef { Arc::new(Float64Array::from(vec![0.1, 0.2])) };
    let batch = RecordBatch::try_from_iter([("a", number()), ("b", number())]).unwrap();
    let [first, second] = ["part-0-tid-1-c000.parquet", "part-0-tid-2-c000.parquet"];
    let commit = |added: &str, removed: &str| {
        format!("{{\"added\": [\"{added}\"], \"removed\": [{removed}]}}")
    };
    let make = |name: &str, files: &[&str], marks: &[(&str, String)]| {
        for file in files {
            let path = format!("{name}/{file}");
            std::fs::create_dir_all(room.path(&path).parent().unwrap()).unwrap();
            room.parquet(&path, &batch, 2);
        }
        for (mark, text) in marks {
            let path = room.path(&format!("{name}/{mark}"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    };
    let none = String::new;
    let one = || ("_committed_1", commit(first, ""));
    let replaced = commit(second, &format!("\"{first}\""));
    make(
        "begun",
        &[first, second],
        &[("_started_1", none()), one(), ("_started_2", none())],
    );
    make(
        "replaced",
        &[first, second],
        &[one(), ("_committed_2", replaced.clone())],
    );
    make(
        "day/d=1",
        &[first, second],
        &[one(), ("_started_2", none())],
    );
    make(
        "settled",
        &[first],
        &[("_started_1", none()), one(), ("_SUCCESS", none())],
    );
    make("vacuumed", &[second], &[one(), ("_committed_2", replaced)]);
    make("odd", &[first], &[("_committed_x", "no JSON".to_owned())]);
    make("running", &[first], &[("_temporary/0/part", none())]);
    make(
        "appending",
        &[first],
        &[("_temporary/0/part", none()), ("_SUCCESS", none())],
    );
    for (name, why) in [
        ("begun", "transactions of Databricks"),
        ("begun/*.parquet", "transactions of Databricks"),
        ("replaced", "transactions of Databricks"),
        ("day", "transactions of Databricks"),
        ("running", "has not finished"),
        ("running/../running", "has not finished"),
    ] {
        let run = score(&room, name, &[]).fails(1);
        assert!(run.stderr.contains(why), "{name}: {run}");
        assert!(run.stderr.contains("hint: "), "{name}: {run}");
    }
    for name in [
        "settled",
        "vacuumed",
        "odd",
        "appending",
        "running/*.parquet",
    ] {
        score(&room, name, &[]).ok();
        std::fs::remove_file(room.path("out.parquet")).unwrap();
    }
}

#[test]
fn files_copied_out_of_a_table_with_a_log_are_warned_of() {
    let room = room();
    let number = || -> ArrayRef { Arc::new(Float64Array::from(vec![0.1, 0.2])) };
    let columns = [
        ("a", number()),
        ("b", number()),
        ("_hoodie_commit_time", number()),
    ];
    room.parquet(
        "hudi.parquet",
        &RecordBatch::try_from_iter(columns).unwrap(),
        2,
    );
    let run = score(&room, "hudi.parquet", &[]).ok();
    assert!(
        run.stderr.contains("Apache Hudi table without its log"),
        "{run}"
    );
    std::fs::remove_file(room.path("out.parquet")).unwrap();
    let plain = RecordBatch::try_from_iter([("a", number()), ("b", number())]).unwrap();
    let pair = KeyValue::new("iceberg.schema".to_owned(), "{}".to_owned());
    let properties = WriterProperties::builder().set_key_value_metadata(Some(vec![pair]));
    let file = std::fs::File::create(room.path("iceberg.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, plain.schema(), Some(properties.build())).unwrap();
    writer.write(&plain).unwrap();
    writer.close().unwrap();
    let run = score(&room, "iceberg.parquet", &[]).ok();
    assert!(
        run.stderr.contains("Apache Iceberg table without its log"),
        "{run}"
    );
}

#[test]
fn tables_with_a_log_are_refused_by_every_path_into_them() {
    let room = room();
    let number = || -> ArrayRef { Arc::new(Float64Array::from(vec![0.1, 0.2])) };
    let batch = RecordBatch::try_from_iter([("a", number()), ("b", number())]).unwrap();
    let cases = [
        (
            "delta",
            "part-0.parquet",
            "_delta_log/00000000000000000000.json",
            "a Delta Lake table",
            "delta_scan",
        ),
        (
            "delta_hive",
            "day=1/part-0.parquet",
            "_delta_log/00000000000000000000.json",
            "a Delta Lake table",
            "delta_scan",
        ),
        (
            "iceberg",
            "data/day=1/x.parquet",
            "metadata/00000-ab.metadata.json",
            "an Apache Iceberg table",
            "iceberg_scan",
        ),
        (
            "hudi",
            "north/x.parquet",
            ".hoodie/hoodie.properties",
            "an Apache Hudi table",
            "hudi",
        ),
        (
            "hudi-partition",
            "x.parquet",
            ".hoodie_partition_metadata",
            "an Apache Hudi table",
            "hudi",
        ),
        (
            "paimon",
            "bucket-0/x.parquet",
            "snapshot/snapshot-1",
            "an Apache Paimon table",
            "paimon",
        ),
        (
            "acid",
            "base_0000005/bucket_0.parquet",
            "_orc_acid_version",
            "a transactional Hive table",
            "INSERT OVERWRITE",
        ),
        (
            "lance",
            "data/x.parquet",
            "_versions/1.manifest",
            "a Lance data set",
            "lance",
        ),
        (
            "meta.ducklake.files",
            "main/the_table/year=2024/added.parquet",
            "notes.txt",
            "a DuckLake table",
            "ATTACH 'ducklake:CATALOG'",
        ),
        (
            "ducks/main/the_table",
            "ducklake-019a.parquet",
            "notes.txt",
            "a DuckLake table",
            "ATTACH 'ducklake:CATALOG'",
        ),
    ];
    for (table, file, log, kind, export) in cases {
        room.file(&format!("{table}/{log}"), "{}");
        if table == "paimon" {
            room.file("paimon/schema/schema-0", "{}");
            room.file("paimon/manifest/manifest-0", "");
        }
        let path = format!("{table}/{file}");
        room.file(&path, "");
        room.parquet(&path, &batch, 10);
        let parent = path.rsplit_once('/').unwrap().0.to_owned();
        // A link to one file of a table, under a name that says nothing.
        let links = format!("links-{}", table.replace('/', "-"));
        std::fs::create_dir(room.path(&links)).unwrap();
        let link = format!("{links}/rows.parquet");
        std::os::unix::fs::symlink(room.path(&path), room.path(&link)).unwrap();
        for input in [
            table.to_owned(),
            format!("{parent}/*.parquet"),
            path.clone(),
            parent,
            format!("{table}/**/*.parquet"),
            link,
            format!("{links}/*.parquet"),
            links,
        ] {
            let run = score(&room, &input, &[]).fails(1);
            assert!(
                run.stderr.contains(kind) && run.stderr.contains(export),
                "{input}: {run}"
            );
        }
        let run = room.tallow(&format!("inspect {table}")).fails(1);
        assert!(run.stderr.contains(kind), "{run}");
    }
    for content in [&b"\0\0\0\0\0\0\0\0DUCK"[..], b"", b"a,b\n1,2\n"] {
        room.file("meta.ducklake", content);
        for run in [
            score(&room, "meta.ducklake", &[]),
            room.tallow("inspect meta.ducklake"),
        ] {
            assert_eq!(
                run.fails(1).stderr,
                "error: cannot read the file: it is a DuckLake catalog, not a table \
                 (`meta.ducklake`)\nhint: export the table first: duckdb -c \"ATTACH \
                 'ducklake:meta.ducklake' AS lake; COPY lake.the_table TO 'export.parquet'\"\n"
            );
        }
    }
    room.file("plain/metadata/notes.json", "{}");
    room.file("plain/data/x.parquet", "");
    room.parquet("plain/data/x.parquet", &batch, 10);
    score(&room, "plain/data", &[]).ok();
}

#[test]
fn directories_give_numbers_and_texts_as_they_are_spelt() {
    let room = room();
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let number = |value: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![value])) };
    for (hour, value) in [
        ("00", 0.0),
        ("09", 9.0),
        ("__HIVE_DEFAULT_PARTITION__", f64::NAN),
    ] {
        let batch = RecordBatch::try_from_iter([
            ("b", number(0.2)),
            ("note", text("x")),
            ("plain", number(value)),
        ])
        .unwrap();
        let path = format!("in/a={hour}/x.parquet");
        room.file(&path, "");
        room.parquet(&path, &batch, 10);
    }
    let by_directory = scored(&room, "in", &["--passthrough", "note,a,plain"]).1;
    assert_eq!(
        texts(column(&room.table("out.parquet"), "a")),
        [Some("00".to_owned()), Some("09".to_owned()), None]
    );
    let by_file = scored(
        &room,
        "in/*/x.parquet",
        &["--rename", "a=directory", "--rename", "plain=a"],
    )
    .1;
    assert_eq!(by_directory, by_file);
    let filtered = scored(&room, "in", &["--where", "a >= 9"]).0;
    assert_eq!(filtered.len(), 1);
    let run = score(&room, "in/a=09", &[]).fails(3);
    assert!(
        run.stderr
            .contains("name the one above it, in, as the input"),
        "{run}"
    );
    room.file("mixed/a=north/x.csv", "b\n1\n");
    score(&room, "mixed", &[]).fails(1);
    let batch = RecordBatch::try_from_iter([("b", number(0.2)), ("a", number(1.0))]).unwrap();
    room.file("both/a=1/x.parquet", "");
    room.parquet("both/a=1/x.parquet", &batch, 10);
    score(&room, "both", &[]).ok();
    std::fs::rename(room.path("both/a=1"), room.path("both/a=2")).unwrap();
    let run = score(&room, "both", &[]).fails(1);
    assert!(
        run.stderr
            .contains("one value in the file and another in the directory's name")
            && run.stderr.contains("column `a`"),
        "{run}"
    );
    room.file("odd/a=%F6/x.csv", "b\n1\n");
    let run = score(&room, "odd", &[]).fails(1);
    assert!(run.stderr.contains("it is not UTF-8"), "{run}");
    room.file("twice/a=1/a=2/x.csv", "b\n1\n");
    let run = score(&room, "twice", &[]).fails(1);
    assert!(
        run.stderr.contains("different values of one column"),
        "{run}"
    );
}

#[test]
fn paths_that_are_not_utf8_work_as_any_other() {
    use std::os::unix::ffi::OsStrExt;
    let room = room();
    let odd = room.path("").join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    std::fs::create_dir(&odd).unwrap();
    let input = odd.join(std::ffi::OsStr::from_bytes(b"d\xe9.csv"));
    std::fs::write(&input, "id,a,b\n1,0.1,0.2\n2,,0.3\n").unwrap();
    let inside = odd.join("parts/");
    for output in [
        std::path::Path::new("o.parquet"),
        std::path::Path::new("o/"),
        &inside,
    ] {
        let mut command = room.command();
        command
            .args(["score", "--model", "good.json", "--on-null", "reject"])
            .arg(&input)
            .arg("--output")
            .arg(output);
        let run = command.output().unwrap();
        assert!(
            run.status.success(),
            "{}",
            String::from_utf8_lossy(&run.stderr)
        );
    }
    for verb in ["check", "inspect"] {
        let mut command = room.command();
        command.arg(verb);
        if verb == "check" {
            command.args(["--model", "good.json"]);
        }
        let run = command
            .arg(&input)
            .args(["--format", "json"])
            .output()
            .unwrap();
        assert!(
            run.status.success(),
            "{verb}: {}",
            String::from_utf8_lossy(&run.stderr)
        );
    }
    // The same command again finds its work done: what the manifest says of the paths was read
    // back.
    let mut again = room.command();
    again
        .args([
            "score",
            "--model",
            "good.json",
            "--on-null",
            "reject",
            "--skip-code",
            "99",
        ])
        .arg(&input)
        .arg("--output")
        .arg(&inside);
    assert_eq!(again.output().unwrap().status.code(), Some(99));
    let run = room.command().arg("retry").arg(&inside).output().unwrap();
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
}

#[test]
fn a_pattern_is_inspected() {
    let room = room();
    room.file("x1.csv", "a,b\n1,2\n");
    room.file("x2.csv", "a,b\n1,2\n");
    room.file("x.tab", utf16("id;size\n1;2\n"));
    let run = room
        .tallow("inspect x.tab --encoding utf-16le --delimiter ; --types id=int64")
        .ok();
    assert!(
        run.stdout.contains("id                       int64")
            && run.stdout.contains("size                     string"),
        "{run}"
    );
    let run = room.tallow("inspect x*.csv").ok();
    assert!(
        run.stdout.starts_with("data\n") && run.stdout.contains("files            2"),
        "{run}"
    );
}

#[test]
fn skipping_more_lines_than_there_are_ends_at_the_end_of_the_file() {
    let room = Room::new();
    room.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    for text in ["x", "x\n", "x\r\ny", "id,a,b\r1,0.5,0.5\r", "\u{feff}x"] {
        room.file("rows.csv", text);
        for count in ["5", "4294967296", "18446744073709551615"] {
            let line = format!(
                "score --model good.json rows.csv --output out.parquet --skip-rows {count}"
            );
            let run = room.tallow(&line).fails(1);
            assert!(
                run.stderr.contains(&format!(
                    "nothing follows the lines that `--skip-rows {count}` passes over"
                )),
                "{text:?}: {run}"
            );
        }
    }
    // Lines of any end, across what is read at once.
    let before = "a line\r\n\"an open quote\nanother\r".repeat(30_000);
    room.file("rows.csv", format!("{before}id,a,b\n1,0.5,0.5\n"));
    room.tallow("score --model good.json rows.csv --output out.parquet --skip-rows 90000")
        .ok();
    assert_eq!(room.table("out.parquet").num_rows(), 1);
}

#[test]
fn text_that_is_compressed_without_a_header_is_refused_by_name() {
    let room = Room::new();
    let good = std::fs::read(data("hostile/good.json")).unwrap();
    room.file("good.json", good);
    let rows = (0..40).map(|row| format!("{row},0.5,{}\n", row % 7));
    let text = rows.collect::<Vec<_>>().concat();
    let text = format!("id,a,b\n{text}");
    let short = "id,a,b\n1,0.5,0.5\n";
    let compress = |text: &str| {
        snap::raw::Encoder::new()
            .compress_vec(text.as_bytes())
            .unwrap()
    };
    let names = [
        "rows.csv",
        "rows.tsv",
        "rows.csv.snappy",
        "rows.snappy",
        "rows",
    ];
    for (name, text) in names
        .iter()
        .flat_map(|name| [(name, &*text), (name, short)])
    {
        room.file(name, compress(text));
        for more in ["", " --no-header", " --encoding latin1", " --skip-rows 1"] {
            let line = format!("score --model good.json {name} --output out.parquet{more}");
            let run = room.tallow(&line).fails(1);
            let expected = "it is text compressed by Snappy, without a header, not Parquet";
            assert!(run.stderr.contains(expected), "{name}{more}: {run}");
        }
        let run = room.tallow(&format!("inspect {name}"));
        assert!(
            run.code != 0 && run.stderr.contains("Snappy"),
            "{name}: {run}"
        );
    }
    // No format is known by these, and no header is made of them.
    for byte in [1, 8, 0x1a, 0x1c] {
        room.file(
            "rows.csv",
            [b"id,a,b".as_slice(), &[byte], b"\n1,0.5,0.5\n"].concat(),
        );
        let run = room.tallow("score --model good.json rows.csv --output out.parquet");
        let expected =
            format!("it is binary, not text: the name of column 3 holds the byte 0x{byte:02x}");
        assert!(run.fails(1).stderr.contains(&expected), "{byte}");
    }
    // A delimiter may be any byte.
    room.file("rows.csv", b"id\x01a\x01b\n1\x010.5\x010.5\n");
    let score = [
        "score",
        "--model",
        "good.json",
        "rows.csv",
        "--output",
        "out.csv",
    ];
    room.run([&score[..], &["--delimiter", "\u{1}"]].concat())
        .ok();
}
