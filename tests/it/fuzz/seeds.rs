//! What the fuzzer begins with: golden models and tables, hostile ones, tables of every type and
//! compression, states of unfinished runs.

use std::borrow::Cow;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array,
    Int64Array, ListArray, RecordBatch,
};
use arrow::array::{StringArray, StructArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Int32Type};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

use super::seeds_further::{
    dialects, encoders, expressions, flags, greedy, jobs, mlflow, nodes, paths,
};
use crate::harness::{Room, data};
use crate::mutation::Generator;

/// Files, and how a run names the model and the data among them.
#[derive(Clone)]
pub(crate) struct Case {
    /// Paths below the working directory, with their content. A name that begins with `@` is not
    /// written: `{@name}` in the run's arguments and in other names stands for its content.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) model: String,
    pub(crate) data: String,
    /// The run's arguments; empty: any.
    pub(crate) line: Cow<'static, str>,
}

/// Cases of one kind, so that one with many of them does not crowd out the others.
pub(crate) struct Group {
    name: &'static str,
    cases: Vec<Case>,
}

impl Group {
    fn new(name: &'static str, cases: Vec<Case>) -> Self {
        assert!(!cases.is_empty(), "{name} has no seeds");
        Self { name, cases }
    }

    /// One of its cases.
    pub(crate) fn case(&self, random: &mut Generator) -> Case {
        random.pick(&self.cases).clone()
    }
}

pub(crate) fn read(path: impl AsRef<Path>) -> Vec<u8> {
    std::fs::read(data("").join(path)).unwrap()
}

/// All seeds, or those of the group that `TALLOW_FUZZ_GROUP` names.
pub(crate) fn groups() -> Vec<Group> {
    let all = [
        Group::new("xgboost", golden("xgboost")),
        Group::new("lightgbm", golden("lightgbm")),
        Group::new("catboost", golden("catboost")),
        Group::new("cbm", cbm()),
        Group::new("sklearn", golden("sklearn")),
        Group::new("pickles", pickles()),
        Group::new("archives", archives()),
        Group::new("pt2", golden("pt2")),
        Group::new("network", golden("network")),
        Group::new("onnx", golden("onnx")),
        Group::new("nodes", nodes()),
        Group::new("greedy", greedy()),
        Group::new("hostile", hostile()),
        Group::new("typed", typed()),
        Group::new("text", text()),
        Group::new("packages", packages()),
        Group::new("states", states()),
        Group::new("encoders", encoders()),
        Group::new("mlflow", mlflow()),
        Group::new("jobs", jobs()),
        Group::new("sql", expressions()),
        Group::new("flags", flags()),
        Group::new("dialects", dialects()),
        Group::new("paths", paths()),
    ];
    let chosen = std::env::var("TALLOW_FUZZ_GROUP").ok();
    let is_chosen = |group: &Group| chosen.as_ref().is_none_or(|name| name == group.name);
    all.into_iter().filter(is_chosen).collect()
}

/// All files below a directory, by their path in it.
pub(crate) fn tree(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push((
                    path.strip_prefix(directory)
                        .unwrap()
                        .to_string_lossy()
                        .into_owned(),
                    std::fs::read(&path).unwrap(),
                ));
            }
        }
    }
    found.sort();
    found
}

fn golden(library: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(data("golden")).unwrap() {
        let path = entry.unwrap().path();
        if !path.join("case.json").exists()
            || !path
                .file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with(library)
        {
            continue;
        }
        let mut files = tree(&path);
        files.retain(|(name, _)| !["case.json", "expected.parquet"].contains(&name.as_str()));
        // One of the kind is enough for large ones: time goes into small files, where a mutation
        // hits something.
        if files.iter().all(|(_, bytes)| bytes.len() < 60_000) {
            let model = files
                .iter()
                .map(|(name, _)| name.split('/').next().unwrap())
                .find(|name| name.starts_with("model"))
                .unwrap()
                .to_owned();
            cases.push(Case {
                files,
                model,
                data: "input.parquet".to_owned(),
                line: "".into(),
            });
        }
    }
    cases.sort_by(|left, right| left.files.cmp(&right.files));
    cases
}

/// Cases of `CatBoost` whose model is a `.cbm` file.
fn cbm() -> Vec<Case> {
    let mut cases = golden("catboost");
    cases.retain(|case| case.model.strip_suffix(".cbm").is_some());
    cases
}

/// The files of `data/golden/pickles`: every protocol and container, with other names too.
fn pickles() -> Vec<Case> {
    let files = tree(&data("golden/pickles")).into_iter();
    let files = files.filter(|(name, bytes)| !name.ends_with(".outline") && bytes.len() < 60_000);
    let rows = "x0,x1,x2,x3\n0.5,1,2,3\n,0,0,0\n-1,1e3,7,7\n";
    let named = |(index, (name, bytes)): (usize, (String, Vec<u8>))| {
        let ending = ["pkl", "joblib", "skops", "json"][index % 4];
        let ending = if name.contains("skops") {
            "skops"
        } else {
            ending
        };
        let model = format!("model.{ending}");
        Case {
            files: vec![(model.clone(), bytes), ("rows.csv".to_owned(), rows.into())],
            model,
            data: "rows.csv".to_owned(),
            line: "".into(),
        }
    };
    files.enumerate().map(named).collect()
}

/// Archives and streams around models and tables, also within each other.
fn archives() -> Vec<Case> {
    let skops = tree(&data("golden/pickles")).into_iter();
    let skops = skops.filter(|(name, _)| name.contains("skops"));
    let inner = skops.chain([
        ("good.json".to_owned(), read("hostile/good.json")),
        ("data.pkl".to_owned(), b"\x80\x02}q\x00.".to_vec()),
        ("rows.csv".to_owned(), b"id,a,b\n1,0.5,1\n".to_vec()),
    ]);
    let packed = |(name, bytes): (String, Vec<u8>)| {
        let zlib = |bytes: &[u8]| {
            let mut encoder =
                flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let zip = super::archive::archive(&[(name.into_bytes(), bytes.clone())]);
        [zlib(&bytes), zlib(&zip), zip, bytes]
    };
    let rows = b"id,a,b\n1,0.5,1\n".to_vec();
    let cases = inner
        .flat_map(packed)
        .enumerate()
        .flat_map(|(index, bytes)| {
            let model = ["model.skops", "model.joblib", "model.zip"][index % 3].to_owned();
            let of_model = Case {
                files: vec![
                    (model.clone(), bytes.clone()),
                    ("rows.csv".to_owned(), rows.clone()),
                ],
                model,
                data: "rows.csv".to_owned(),
                line: "".into(),
            };
            [of_model, with_good_model("rows.csv", bytes)]
        });
    cases.collect()
}

pub(crate) fn with_good_model(name: &str, bytes: Vec<u8>) -> Case {
    Case {
        files: vec![
            (name.to_owned(), bytes),
            ("good.json".to_owned(), read("hostile/good.json")),
        ],
        model: "good.json".into(),
        data: name.into(),
        line: "".into(),
    }
}

/// Every table in `data/hostile`; the models there are mutated alongside a good table.
fn hostile() -> Vec<Case> {
    let mut names: Vec<String> = std::fs::read_dir(data("hostile"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let ends_in = |name: &str, ends: &[&str]| {
        ends.iter()
            .any(|end| Path::new(name).extension().is_some_and(|own| own == *end))
    };
    let cases = names
        .into_iter()
        .filter(|name| !ends_in(name, &["py"]) && name != "good.json");
    let cases = cases.map(|name| {
        let bytes = read(Path::new("hostile").join(&name));
        if ends_in(&name, &["parquet", "csv"]) {
            return with_good_model(&name, bytes);
        }
        Case {
            files: vec![
                (name.clone(), bytes),
                ("good.parquet".into(), read("hostile/good.parquet")),
            ],
            model: name,
            data: "good.parquet".into(),
            line: "".into(),
        }
    });
    cases.collect()
}

/// Small Parquet files with columns of many types, in every compression and encoding.
fn typed() -> Vec<Case> {
    let compressions = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(parquet::basic::GzipLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::BROTLI(parquet::basic::BrotliLevel::default()),
        Compression::ZSTD(parquet::basic::ZstdLevel::default()),
    ];
    let encodings = [
        Encoding::PLAIN,
        Encoding::DELTA_BINARY_PACKED,
        Encoding::BYTE_STREAM_SPLIT,
    ];
    let mut cases = Vec::new();
    for (index, compression) in compressions.into_iter().enumerate() {
        for dictionary in [true, false] {
            let builder = WriterProperties::builder()
                .set_compression(compression)
                .set_dictionary_enabled(dictionary);
            let builder = builder
                .set_max_row_group_row_count(Some(16))
                .set_data_page_row_count_limit(8)
                .set_write_batch_size(4);
            let builder = builder.set_statistics_enabled(
                [EnabledStatistics::Page, EnabledStatistics::None][index % 2],
            );
            let builder = builder.set_writer_version(
                [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0][index % 2],
            );
            let mut builder = builder.set_bloom_filter_enabled(index == 3);
            if !dictionary {
                builder = builder
                    .set_column_encoding("a".into(), encodings[2 * (index % 2)])
                    .set_column_encoding("id".into(), encodings[index % 2]);
                builder = builder.set_column_encoding(
                    "name".into(),
                    [
                        Encoding::DELTA_BYTE_ARRAY,
                        Encoding::DELTA_LENGTH_BYTE_ARRAY,
                    ][index % 2],
                );
            }
            let batch = if index % 3 == 0 { narrow() } else { wide() };
            let mut writer =
                ArrowWriter::try_new(Vec::new(), batch.schema(), Some(builder.build())).unwrap();
            writer.write(&batch).unwrap();
            cases.push(with_good_model(
                "typed.parquet",
                writer.into_inner().unwrap(),
            ));
        }
    }
    cases
}

fn narrow() -> RecordBatch {
    let number = |row: i64| (row % 7 != 3).then_some(row as f64 / 32.0);
    RecordBatch::try_from_iter([
        ("id", Arc::new((0..32).collect::<Int64Array>()) as ArrayRef),
        (
            "name",
            Arc::new(
                (0..32)
                    .map(|row| Some(format!("name {row}")))
                    .collect::<StringArray>(),
            ) as ArrayRef,
        ),
        (
            "a",
            Arc::new((0..32).map(number).collect::<Float64Array>()) as ArrayRef,
        ),
        (
            "b",
            Arc::new((0..32).map(Some).collect::<Int64Array>()) as ArrayRef,
        ),
    ])
    .unwrap()
}

pub(crate) fn wide() -> RecordBatch {
    let whole = |row: i64| (row % 5 != 1).then_some(row);
    let inner: Vec<Option<Vec<Option<i32>>>> = (0..32)
        .map(|row| (row % 4 != 0).then(|| (0..row % 3).map(Some).collect()))
        .collect();
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(inner);
    let narrow = narrow();
    let structure = StructArray::from(vec![(
        Arc::new(Field::new("x", DataType::Float64, true)),
        narrow.column(2).clone(),
    )]);
    let further: [(&str, ArrayRef); 7] = [
        (
            "flag",
            Arc::new(
                (0..32)
                    .map(|row| whole(row).map(|row| row % 2 == 0))
                    .collect::<BooleanArray>(),
            ),
        ),
        (
            "day",
            Arc::new(
                (0..32)
                    .map(|row| whole(row).map(|row| row as i32))
                    .collect::<Date32Array>(),
            ),
        ),
        (
            "price",
            Arc::new(
                (0..32)
                    .map(|row| whole(row).map(i128::from))
                    .collect::<Decimal128Array>()
                    .with_precision_and_scale(20, 2)
                    .unwrap(),
            ),
        ),
        (
            "shop",
            Arc::new(
                (0..32)
                    .map(|row| Some(["north", "south"][row % 2]))
                    .collect::<DictionaryArray<Int32Type>>(),
            ),
        ),
        (
            "at",
            Arc::new(
                (0..32)
                    .map(whole)
                    .collect::<TimestampMicrosecondArray>()
                    .with_timezone("Europe/Berlin"),
            ),
        ),
        ("list", Arc::new(list)),
        ("pair", Arc::new(structure)),
    ];
    let fields = narrow.schema();
    let own = fields
        .fields()
        .iter()
        .zip(narrow.columns())
        .map(|(field, column)| (field.name().as_str(), column.clone()));
    RecordBatch::try_from_iter(own.chain(further)).unwrap()
}

/// Delimited text, plain and compressed.
fn text() -> Vec<Case> {
    let plain = b"id,a,b,note\n1,0.25,0.5,x\n2,,NA,\"quoted, with\n\"\"breaks\"\"\"\r\n\
        3,1e3,-0.5,\xc3\xa4\n4,0.75,7,\n"
        .to_vec();
    let tabs = b"id\ta\tb\n1\t0.25\t0.5\n2\t\t3\n".to_vec();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    let gzip = gzip.finish().unwrap();
    let two_members = gzip.repeat(2);
    let zstd = zstd::encode_all(&plain[..], 1).unwrap();
    let files = [
        ("rows.csv", plain),
        ("rows.tsv", tabs),
        ("rows.csv.gz", gzip),
        ("twice.csv.gz", two_members),
        ("rows.csv.zst", zstd),
    ];
    files
        .into_iter()
        .map(|(name, bytes)| with_good_model(name, bytes))
        .collect()
}

/// A manifest that uses what manifests can say, over a small model.
fn packages() -> Vec<Case> {
    let manifest = r#"name = "small"
version = "3"
task = "binary"
description = """
Two numbers.
"""

[[artefacts]]
path = "good.json"

[[inputs]]
name = "a"
type = "float"
on_null = "reject"
on_unseen = "null"

[[inputs]]
name = "b"
on_null = "null"
required = false

[[derived]]
name = "c"
expression = "id / 50.0 + b"

[outputs]
labels = ["no", "yes"]
threshold = 0.4
"#;
    let files = vec![
        (
            "package/tallow.toml".to_owned(),
            manifest.as_bytes().to_vec(),
        ),
        ("package/good.json".to_owned(), read("hostile/good.json")),
        ("good.parquet".to_owned(), read("hostile/good.parquet")),
    ];
    vec![Case {
        files,
        model: "package".into(),
        data: "good.parquet".into(),
        line: "".into(),
    }]
}

/// What an unfinished and a finished run left, with the command that goes on.
fn states() -> Vec<Case> {
    const AGAIN: &str = "score --model good.json rows.csv --output out/ --rows-per-part 2 \
                         --on-null a=reject --overwrite";
    const OTHER: &str = "score --model good.json rows.csv --output out/ --rows-per-part 3 \
                         --on-null a=reject --overwrite";
    const DELTA: &str = "score --model good.json rows.csv --output out.csv --on-null a=null \
                         --max-row-delta 30% --previous-report out/_tallow/report.pq";
    let room = Room::new();
    room.file("good.json", read("hostile/good.json"));
    room.file(
        "rows.csv",
        "id,a,b\n1,0.25,0.5\n2,0.5,0.5\n3,,1\n4,1,1\n5,,1\n6,0,0\n",
    );
    room.tallow(&format!("{AGAIN} --max-errors 1")).fails(4);
    let case = |line: &'static str| Case {
        files: tree(&room.path("")),
        model: String::new(),
        data: String::new(),
        line: line.into(),
    };
    let mut cases = vec![case(AGAIN)];
    room.tallow(AGAIN).ok();
    cases.extend(
        [
            AGAIN,
            OTHER,
            DELTA,
            "retry out",
            "inspect out/_tallow/report.pq",
            "inspect out",
        ]
        .map(case),
    );
    cases
}
