//! Threads, batches, memory, row groups and containers change no byte of an output, whatever the
//! model.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchReader};
use arrow::compute::concat_batches;
use arrow::datatypes::DataType;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::Sweep;
use crate::harness::{Room, data, table};
use crate::mutation::Generator;
use crate::recovery::files;

/// Rows of an input: several row groups, portions and parts.
const ROWS: usize = 3_000;

/// Golden cases that are tried besides the first one of each library.
const MODELS: [&str; 5] = [
    "lightgbm_4_7_0_multiclass",
    "lightgbm_4_7_0_pandas_categorical",
    "catboost_multiclass_text",
    "catboost_hashes",
    "catboost_ctr_combined",
];

/// Golden cases, with their model's file name and arguments.
fn models() -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(data("golden")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let family = name.split('_').next().unwrap().to_owned();
        let Ok(case) = std::fs::read(path.join("case.json")) else {
            continue;
        };
        let case: serde_json::Value = serde_json::from_slice(&case).unwrap();
        let arguments: Vec<&str> = case["arguments"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(serde_json::Value::as_str)
            .collect();
        let is_named = MODELS.contains(&name.as_str());
        let is_first = !found
            .iter()
            .any(|(other, ..): &(String, String, String)| other.starts_with(&family));
        if (is_named || is_first) && !arguments.iter().any(|argument| argument.contains(' ')) {
            found.push((
                name,
                case["model"].as_str().unwrap().to_owned(),
                arguments.join(" "),
            ));
        }
    }
    found.sort();
    assert!(found.len() >= 4, "{found:?}");
    found
}

/// The rows of a case, again and again.
fn repeated(batch: &RecordBatch) -> RecordBatch {
    let copies = ROWS.div_ceil(batch.num_rows());
    concat_batches(&batch.schema(), &vec![batch.clone(); copies])
        .unwrap()
        .slice(0, ROWS)
}

fn is_plain(column: &ArrayRef) -> bool {
    column.data_type().is_numeric()
        || matches!(
            column.data_type(),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean
        )
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Writes the rows in every container of one kind of table; what outputs say is compared within a
/// kind, because text has no types.
fn inputs(room: &Room, rows: &RecordBatch) -> Vec<Vec<String>> {
    let mut kinds = vec![Vec::new()];
    for group in [ROWS, 1_000, 173] {
        let name = format!("rows-{group}.parquet");
        room.parquet(&name, rows, group);
        kinds[0].push(name);
    }
    if rows.columns().iter().all(is_plain) {
        let mut text = Vec::new();
        let mut writer = arrow::csv::WriterBuilder::new()
            .with_header(true)
            .build(&mut text);
        writer.write(rows).unwrap();
        drop(writer);
        room.file("rows.csv", &text);
        room.file("rows.csv.gz", gzip(&text));
        room.file("rows.csv.zst", zstd::encode_all(&text[..], 1).unwrap());
        kinds.push(
            ["rows.csv", "rows.csv.gz", "rows.csv.zst"]
                .map(str::to_owned)
                .into(),
        );
    }
    kinds
}

/// Settings that must not show.
fn settings(random: &mut Generator) -> String {
    let threads = random.pick(&[
        "",
        "--threads 1",
        "--threads 2",
        "--threads 5",
        "--threads 16",
    ]);
    let rows = random.pick(&[
        "",
        "--batch-rows 1",
        "--batch-rows 7",
        "--batch-rows 61",
        "--batch-rows 1000",
        "--batch-rows 100000",
    ]);
    let memory = random.pick(&[
        "",
        "",
        "--memory 250MiB",
        "--memory 400MiB",
        "--memory 2GiB",
    ]);
    format!("{threads} {rows} {memory}")
}

/// What an output holds, apart from times.
fn output(path: &Path) -> BTreeMap<String, Vec<u8>> {
    if path.is_dir() {
        files(path)
    } else {
        BTreeMap::from([(String::new(), std::fs::read(path).unwrap())])
    }
}

/// The rows of an output's files, whatever else their bytes hold: of Parquet the table, of others
/// the text.
fn rows_of(path: &Path) -> Vec<(Option<RecordBatch>, Vec<u8>)> {
    let of_file = |name: &str, bytes: Vec<u8>| {
        if !name.ends_with("parquet") {
            return (None, bytes);
        }
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes))
            .unwrap()
            .build()
            .unwrap();
        let schema = RecordBatchReader::schema(&reader);
        let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        (Some(concat_batches(&schema, &batches).unwrap()), Vec::new())
    };
    let own = path.to_string_lossy();
    output(path)
        .into_iter()
        .map(|(name, bytes)| of_file(if name.is_empty() { &own } else { &name }, bytes))
        .collect()
}

#[test]
fn no_setting_changes_a_byte_of_an_output() {
    let models = models();
    let mut tried = 0;
    for (seed, mut random) in Sweep::new(6) {
        let (name, model, arguments) = random.pick(&models).clone();
        let directory = data("golden").join(&name);
        let room = Room::new();
        let kinds = inputs(&room, &repeated(&table(&directory.join("input.parquet"))));
        let target = random.pick(&["out.parquet", "out.csv", "out/ --rows-per-part 700"]);
        let (path, further) = target.split_once(' ').unwrap_or((target, ""));
        for names in kinds {
            let line = |input: &str, settings: &str| {
                let model = directory.join(&model);
                format!(
                    "score --quiet --overwrite --model {} {input} --output {path} {further} \
                     --passthrough all {arguments} {settings}",
                    model.display()
                )
            };
            let first = room.tallow(&line(&names[0], "--threads 1"));
            if first.code != 0 {
                // Some models take no text: then none of its containers does.
                assert!(names[0].contains("csv"), "{name}: {first}");
                continue;
            }
            let rows = rows_of(&room.path(path));
            // The run's name, which the output holds, is that of its input's bytes: bytes are
            // compared for one input.
            for _ in 0..2 {
                let input = random.pick(&names).clone();
                let made = |settings: &str| {
                    let _ = std::fs::remove_dir_all(room.path("out"));
                    room.tallow(&line(&input, settings)).ok();
                    output(&room.path(path))
                };
                let expected = made("--threads 1");
                assert!(
                    rows_of(&room.path(path)) == rows,
                    "seed {seed}: {name}, {input} -> {path}"
                );
                for settings in [settings(&mut random), settings(&mut random)] {
                    assert!(
                        made(&settings) == expected,
                        "seed {seed}: {name}, {input}, {settings} -> {path}"
                    );
                    tried += 1;
                }
            }
        }
    }
    assert!(tried >= 24, "only {tried} settings were tried");
}
