//! What must hold whatever the model and the data: threads, batches, row groups, order and formats
//! change nothing.
//!
//! Every law runs over golden models of every family, on a few thousand rows made of the case's own
//! rows.

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::DataType;
use serde_json::Value;

use crate::harness::{Room, data, table, texts};

/// Rows of a law's table: several batches and row groups, and no multiple of either.
const ROWS: u64 = 5_003;

/// Cases of each family that the laws run over; all would take minutes and break no other law.
const CASES_PER_FAMILY: usize = 6;

/// Cases that go ways of their own: columns made by one node for a linear model, trees and a chain
/// of dense layers, and such a chain alone.
const ALWAYS: [&str; 4] = [
    "onnx_mixed",
    "onnx_mixed_forest",
    "onnx_mixed_known",
    "onnx_perceptron",
];

struct Law {
    name: String,
    model: PathBuf,
    input: RecordBatch,
    arguments: Vec<String>,
}

/// The first cases of each family and some others, with their rows repeated in a scrambled order.
fn laws() -> Vec<Law> {
    let mut names: Vec<String> = std::fs::read_dir(data("golden"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let mut families: BTreeMap<String, usize> = BTreeMap::new();
    let mut laws = Vec::new();
    for name in names {
        let directory = data("golden").join(&name);
        let Ok(text) = std::fs::read(directory.join("case.json")) else {
            continue;
        };
        let count = families
            .entry(name.split('_').next().unwrap().to_owned())
            .or_default();
        *count += 1;
        if *count <= CASES_PER_FAMILY || ALWAYS.contains(&name.as_str()) {
            let case: Value = serde_json::from_slice(&text).unwrap();
            let arguments = case["arguments"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|one| one.as_str().unwrap().to_owned())
                .collect();
            let input = scrambled(&table(&directory.join("input.parquet")));
            laws.push(Law {
                model: directory.join(case["model"].as_str().unwrap()),
                name,
                input,
                arguments,
            });
        }
    }
    laws
}

fn scrambled(batch: &RecordBatch) -> RecordBatch {
    let rows = batch.num_rows() as u64;
    let indices: UInt64Array = (0..ROWS)
        .map(|row| row.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 11)
        .map(|mixed| mixed % rows)
        .collect();
    take_record_batch(batch, &indices).unwrap()
}

impl Law {
    /// The output's bytes with these further arguments.
    fn bytes(&self, room: &Room, input: &str, further: &[&str]) -> Vec<u8> {
        let fixed = [
            "score",
            "--model",
            self.model.to_str().unwrap(),
            input,
            "--output",
            "out.parquet",
            "--overwrite",
            "--quiet",
            "--report",
            "none",
        ];
        // A graph finishes its own columns: it has no margins to add.
        let model = self.model.to_string_lossy();
        let is_graph = model.contains("/onnx") || model.contains("/pt2");
        let raw = (!is_graph).then_some("--raw");
        room.run(
            fixed
                .iter()
                .copied()
                .chain(raw)
                .chain(self.arguments.iter().map(String::as_str))
                .chain(further.iter().copied()),
        )
        .ok();
        std::fs::read(room.path("out.parquet")).unwrap()
    }
}

#[test]
fn threads_and_batches_do_not_change_a_byte() {
    for law in laws() {
        let room = Room::new();
        room.parquet("in.parquet", &law.input, 1_000);
        let whole = law.bytes(&room, "in.parquet", &["--threads", "1"]);
        for further in [
            ["--threads", "2", "--batch-rows", "64"],
            ["--threads", "3", "--batch-rows", "613"],
            ["--threads", "1", "--batch-rows", "7"],
        ] {
            assert!(
                whole == law.bytes(&room, "in.parquet", &further),
                "{}: {further:?} gives other bytes",
                law.name
            );
        }
    }
}

#[test]
fn row_groups_do_not_change_a_score() {
    for law in laws() {
        let room = Room::new();
        room.parquet("one.parquet", &law.input, 10_000);
        room.parquet("many.parquet", &law.input, 37);
        law.bytes(&room, "one.parquet", &[]);
        let one = room.table("out.parquet");
        law.bytes(&room, "many.parquet", &[]);
        assert_eq!(one, room.table("out.parquet"), "{}", law.name);
    }
}

#[test]
fn permuting_rows_permutes_scores() {
    for law in laws() {
        let room = Room::new();
        let backwards: UInt64Array = (0..ROWS).rev().collect();
        room.parquet("in.parquet", &law.input, 1_000);
        room.parquet(
            "back.parquet",
            &take_record_batch(&law.input, &backwards).unwrap(),
            1_000,
        );
        law.bytes(&room, "in.parquet", &[]);
        let forwards = room.table("out.parquet");
        law.bytes(&room, "back.parquet", &[]);
        assert_eq!(
            take_record_batch(&forwards, &backwards).unwrap(),
            room.table("out.parquet"),
            "{}",
            law.name
        );
    }
}

#[test]
fn a_row_alone_scores_as_in_a_batch() {
    for law in laws() {
        let room = Room::new();
        room.parquet("in.parquet", &law.input, 10_000);
        law.bytes(&room, "in.parquet", &[]);
        let all = room.table("out.parquet");
        for row in [0, 63, 64, 4_031, 4_032, 5_002] {
            room.parquet("row.parquet", &law.input.slice(row, 1), 10);
            law.bytes(&room, "row.parquet", &[]);
            assert_eq!(
                all.slice(row, 1),
                room.table("out.parquet"),
                "{} row {row}",
                law.name
            );
        }
    }
}

#[test]
fn files_in_a_row_score_as_one_file() {
    for law in laws() {
        let room = Room::new();
        room.parquet("in.parquet", &law.input, 10_000);
        law.bytes(&room, "in.parquet", &[]);
        let whole = room.table("out.parquet");
        for (part, start) in [(0, 0), (1, 2_000), (2, 2_001)] {
            let end = [2_000, 2_001, ROWS as usize][part];
            room.file(&format!("parts/part-{part}.parquet"), "");
            room.parquet(
                &format!("parts/part-{part}.parquet"),
                &law.input.slice(start, end - start),
                500,
            );
        }
        law.bytes(&room, "parts", &[]);
        assert_eq!(whole, room.table("out.parquet"), "{}", law.name);
        law.bytes(&room, "parts/*.parquet", &["--limit", "2500"]);
        assert_eq!(
            whole.slice(0, 2_500),
            room.table("out.parquet"),
            "{}",
            law.name
        );
    }
}

#[test]
fn no_rows_in_gives_a_valid_empty_output() {
    for law in laws() {
        let room = Room::new();
        room.parquet("in.parquet", &law.input.slice(0, 0), 10);
        law.bytes(&room, "in.parquet", &[]);
        let empty = room.table("out.parquet");
        assert_eq!(empty.num_rows(), 0, "{}", law.name);
        assert!(empty.num_columns() > 0, "{}", law.name);
    }
}

/// Columns as pandas writes them into delimited text: booleans with a capital letter, whole
/// numbers with a point once there were gaps.
fn as_pandas_writes(column: &ArrayRef) -> Vec<String> {
    let texts = texts(column).into_iter().map(Option::unwrap_or_default);
    match column.data_type() {
        DataType::Boolean => texts
            .map(|text| {
                if text == "true" {
                    "True".into()
                } else {
                    "False".into()
                }
            })
            .collect(),
        DataType::Int8 | DataType::Int64 | DataType::UInt64 => {
            texts.map(|text| format!("{text}.0")).collect()
        }
        _ => texts
            .map(|text| format!("\"{}\"", text.replace('"', "\"\"")))
            .collect(),
    }
}

#[test]
fn categories_of_any_type_are_the_same_in_delimited_text() {
    for case in [
        "catboost_one_hot",
        "catboost_hashes",
        "catboost_ctr_kinds",
        "lightgbm_4_7_0_pandas_floats",
    ] {
        let room = Room::new();
        let directory = data("golden").join(case);
        let rows = table(&directory.join("input.parquet"));
        let columns: Vec<Vec<String>> = rows.columns().iter().map(as_pandas_writes).collect();
        let names: Vec<String> = rows
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        let lines = (0..rows.num_rows()).map(|row| {
            columns
                .iter()
                .map(|column| column[row].as_str())
                .collect::<Vec<_>>()
                .join(",")
                + "\n"
        });
        room.file(
            "rows.csv",
            names.join(",") + "\n" + &lines.collect::<String>(),
        );
        let model = std::fs::read_dir(&directory)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let model = model
            .into_iter()
            .find(|path| path.file_stem().is_some_and(|name| name == "model"))
            .unwrap();
        let predictions = |input: &str, output: &str| {
            let line = format!(
                "score --model {} {input} --output {output} --passthrough id --missing '' \
                 --on-unseen null --on-null null",
                model.display()
            );
            room.tallow(&line).ok();
            room.table(output)
        };
        let (typed, text) = (
            predictions(
                &directory.join("input.parquet").display().to_string(),
                "typed.parquet",
            ),
            predictions("rows.csv", "text.parquet"),
        );
        assert_eq!(typed.columns()[1..], text.columns()[1..], "{case}");
    }
}
