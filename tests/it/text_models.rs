//! Text models, end to end: the answers of transformers and sentence-transformers, and what a user
//! meets on the way.
//!
//! `data/golden/text` holds small random models of every architecture with their libraries'
//! answers; `data/golden/text_models.py` makes them.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, StringViewArray,
};
use arrow::datatypes::{Float32Type, Int64Type};
use serde_json::Value as Json;
use tallow::format::ImportOptions;
use tallow::package::open::open;

use crate::harness::{Room, Run, column, data, numbers, texts};

/// Least cosine between a vector and the library's.
const MIN_COSINE: f64 = 0.99999;

/// The largest difference of a logit or a probability.
const TOLERANCE: f64 = 1e-4;

fn json(path: &str) -> Json {
    serde_json::from_slice(&std::fs::read(data("golden/text").join(path)).unwrap()).unwrap()
}

/// The golden cases.
fn cases() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(data("golden/text"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("case.json").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Lays a case's model out in the room as the hub does, under the name `model`.
pub(crate) fn lay_out(room: &Room, case: &str) -> PathBuf {
    let source = data("golden/text").join(case).join("model");
    drop(std::fs::remove_dir_all(room.path("model")));
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(source.join(&folder)).unwrap() {
            let name = folder.join(entry.unwrap().file_name());
            if source.join(&name).is_dir() {
                open.push(name);
            } else {
                room.file(
                    &format!("model/{}", name.display()),
                    std::fs::read(source.join(&name)).unwrap(),
                );
            }
        }
    }
    let kind = json(&format!("{case}/case.json"))["tokenizer"]
        .as_str()
        .unwrap()
        .to_owned();
    room.file(
        "model/tokenizer.json",
        std::fs::read(data("golden/text/tokenizers").join(format!("{kind}.json"))).unwrap(),
    );
    room.path("model")
}

fn strings(values: impl IntoIterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

/// A table of texts, with numbers alongside them.
pub(crate) fn table_of(room: &Room, values: &[Option<&str>]) -> PathBuf {
    let ids: ArrayRef = Arc::new((0..values.len() as i64).collect::<Int64Array>());
    let batch = RecordBatch::try_from_iter([
        ("id", ids),
        (
            "text",
            strings(values.iter().map(|value| value.map(str::to_owned))),
        ),
    ])
    .unwrap();
    room.parquet("texts.parquet", &batch, 1_000)
}

fn golden_texts(room: &Room) {
    let all = json("texts.json");
    let text = |value: &Json| Some(value.as_str().unwrap().to_owned());
    let single = RecordBatch::try_from_iter([(
        "text",
        strings(all["texts"].as_array().unwrap().iter().map(text)),
    )])
    .unwrap();
    room.parquet("texts.parquet", &single, 1_000);
    let pairs = all["pairs"].as_array().unwrap();
    let side = |index: usize| strings(pairs.iter().map(move |pair| text(&pair[index])));
    room.parquet(
        "pairs.parquet",
        &RecordBatch::try_from_iter([("text", side(0)), ("other", side(1))]).unwrap(),
        1_000,
    );
}

fn cosine(left: &[f64], right: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(left, right) / (dot(left, left) * dot(right, right)).sqrt()
}

/// What is wrong with a column, if anything is.
fn difference(name: &str, found: &ArrayRef, expected: &Json) -> Option<String> {
    let rows = expected.as_array().unwrap();
    if found.len() != rows.len() {
        return Some(format!(
            "{name}: {} rows, expected {}",
            found.len(),
            rows.len()
        ));
    }
    let wrong = |row: usize| -> Option<String> {
        let expected = &rows[row];
        match name {
            "embedding" => {
                let vector = numbers(&found.as_list::<i32>().value(row));
                let requested: Vec<f64> = expected
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|value| value.as_f64().unwrap())
                    .collect();
                // An empty text has no token, so a mean of nothing.
                if requested.iter().all(|value| *value == 0.0) {
                    return (vector != requested).then(|| format!("{vector:?}, expected only 0"));
                }
                let cosine = if vector.len() == requested.len() {
                    cosine(&vector, &requested)
                } else {
                    f64::NAN
                };
                let length =
                    |vector: &[f64]| vector.iter().map(|value| value * value).sum::<f64>().sqrt();
                let is_near = cosine >= MIN_COSINE
                    && (length(&vector) / length(&requested) - 1.0).abs() < TOLERANCE;
                (!is_near).then(|| {
                    format!(
                        "cosine {cosine}, {} numbers, expected {}",
                        vector.len(),
                        requested.len()
                    )
                })
            }
            "entities" => entities_differ(&found.as_list::<i32>().value(row), expected),
            _ if expected.is_array() => {
                let labels = texts(&found.as_list::<i32>().value(row));
                let requested: Vec<Option<String>> = expected
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|label| label.as_str().map(str::to_owned))
                    .collect();
                (labels != requested).then(|| format!("{labels:?}, expected {requested:?}"))
            }
            _ if expected.is_string() => {
                let label = texts(&found.slice(row, 1)).remove(0);
                (label.as_deref() != expected.as_str())
                    .then(|| format!("{label:?}, expected {expected}"))
            }
            _ => {
                let (value, requested) =
                    (numbers(&found.slice(row, 1))[0], expected.as_f64().unwrap());
                let is_near = (value - requested).abs() <= TOLERANCE * requested.abs().max(1.0);
                (!is_near).then(|| format!("{value}, expected {requested}"))
            }
        }
    };
    (0..rows.len()).find_map(|row| wrong(row).map(|wrong| format!("{name}, row {row}: {wrong}")))
}

fn entities_differ(found: &ArrayRef, expected: &Json) -> Option<String> {
    let parts = found.as_struct();
    let part = |name: &str| parts.column_by_name(name).unwrap();
    let (words, labels, scores) = (
        texts(part("word")),
        texts(part("entity_group")),
        part("score").as_primitive::<Float32Type>(),
    );
    let (starts, ends) = (
        part("start").as_primitive::<Int64Type>(),
        part("end").as_primitive::<Int64Type>(),
    );
    let requested = expected.as_array().unwrap();
    if requested.len() != found.len() {
        return Some(format!(
            "{} entities ({words:?}), expected {}",
            found.len(),
            requested.len()
        ));
    }
    requested.iter().enumerate().find_map(|(index, entity)| {
        let same = words[index].as_deref() == entity["word"].as_str()
            && labels[index].as_deref() == entity["entity_group"].as_str()
            && Some(starts.value(index)) == entity["start"].as_i64()
            && Some(ends.value(index)) == entity["end"].as_i64()
            && (f64::from(scores.value(index)) - entity["score"].as_f64().unwrap()).abs()
                <= TOLERANCE;
        (!same).then(|| {
            let found = (
                &words[index],
                &labels[index],
                scores.value(index),
                starts.value(index),
                ends.value(index),
            );
            format!("entity {index} is {found:?}, expected {entity}")
        })
    })
}

/// Where the golden cases' answers differ from their libraries', with these arguments alongside the
/// cases' own.
fn golden_differences(arguments: &[&str]) -> Vec<String> {
    let mut failures = Vec::new();
    let all = cases();
    for case in &all {
        let room = Room::new();
        lay_out(&room, case);
        golden_texts(&room);
        for (number, run) in json(&format!("{case}/case.json"))["runs"]
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
        {
            let own: Vec<String> = run["arguments"]
                .as_array()
                .unwrap()
                .iter()
                .map(|argument| argument.as_str().unwrap().to_owned())
                .collect();
            let input = if own.contains(&"--text-pair".to_owned()) {
                "pairs.parquet"
            } else {
                "texts.parquet"
            };
            let fixed = [
                "score",
                "--model",
                "model",
                input,
                "--text",
                "text",
                "--output",
                "out.parquet",
                "--passthrough",
                "none",
                "--overwrite",
            ];
            let done = room.run(
                fixed
                    .iter()
                    .chain(arguments)
                    .map(|part| (*part).to_owned())
                    .chain(own.iter().cloned()),
            );
            if done.code != 0 {
                failures.push(format!("{case} {own:?}: {done}"));
                continue;
            }
            let found = room.table("out.parquet");
            let expected = run["expected"].as_object().unwrap();
            let mut names: Vec<String> = found
                .schema()
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .collect();
            let mut requested: Vec<String> = expected.keys().cloned().collect();
            names.sort();
            requested.sort();
            if names != requested {
                failures.push(format!(
                    "{case} run {number}: columns {names:?}, expected {requested:?}"
                ));
                continue;
            }
            let differences = expected
                .iter()
                .filter_map(|(name, expected)| difference(name, column(&found, name), expected));
            failures.extend(differences.map(|difference| format!("{case} {own:?}: {difference}")));
        }
    }
    assert!(all.len() >= 26, "{all:?}");
    failures
}

#[test]
fn every_text_model_answers_as_its_library_does() {
    let failures = golden_differences(&[]);
    assert!(
        failures.is_empty(),
        "{} differences:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// All that runs on a CUDA device, but the device.
#[test]
fn every_text_model_answers_as_its_library_does_by_candles_operations_too() {
    let failures = golden_differences(&["--device", "reference"]);
    assert!(
        failures.is_empty(),
        "{} differences:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn a_device_is_named_in_the_report_and_takes_no_bytes() {
    let room = Room::new();
    lay_out(&room, "bert_mean");
    table_of(
        &room,
        &[Some("the quick brown fox"), None, Some(""), Some("a")],
    );
    let report = score(&room, "--device reference --format json --threads 2")
        .ok()
        .json();
    assert_eq!(
        (&report["model"]["arithmetic"], &report["model"]["device"]),
        (&Json::from("f32"), &Json::from("reference")),
        "{report:#}"
    );
    assert!(
        score(&room, "--device reference --precision int8")
            .fails(2)
            .stderr
            .contains("`--precision int8` runs on the CPU only")
    );
    score(&room, "--device reference --precision f32-exact").ok();
}

/// Skipped, with a line that says so, where the build or the machine has no such device.
#[cfg(feature = "cuda")]
#[test]
fn every_text_model_answers_as_its_library_does_on_a_cuda_device() {
    let room = Room::new();
    lay_out(&room, "bert_mean");
    table_of(&room, &[Some("the quick brown fox")]);
    let run = score(&room, "--device cuda:0 --format json");
    if run.code != 0 {
        // Only what says that there is no device: one that does not run the kernels is a failure.
        assert!(
            run.code == 1
                && run
                    .stderr
                    .starts_with("error: cannot use the CUDA device 0"),
            "{run}"
        );
        assert!(
            run.stderr.contains("`nvidia-smi` lists the devices"),
            "{run}"
        );
        println!("skipped, no CUDA device:\n{run}");
        return;
    }
    assert_eq!(run.json()["model"]["device"], "cuda:0", "{run}");
    let failures = golden_differences(&["--device", "cuda:0", "--threads", "4"]);
    assert!(
        failures.is_empty(),
        "{} differences:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

pub(crate) fn score(room: &Room, line: &str) -> Run {
    room.tallow(&format!(
        "score --model model texts.parquet --output out.parquet --overwrite {line}"
    ))
}

#[test]
fn a_missing_text_gives_a_missing_answer_and_an_empty_one_the_models_own() {
    let room = Room::new();
    table_of(
        &room,
        &[Some("the quick brown fox"), None, Some(""), Some("a")],
    );
    for (case, name) in [
        ("bert_mean", "embedding"),
        ("bert_two", "probability"),
        ("bert_entities", "entities"),
    ] {
        lay_out(&room, case);
        let run = score(&room, "").ok();
        assert!(run.stderr.contains("  missing      text: 1\n"), "{run}");
        assert!(
            !run.stderr.contains("min 0,"),
            "a missing answer is not a 0: {run}"
        );
        let found = room.table("out.parquet");
        let column = column(&found, name);
        assert_eq!(
            [0, 1, 2, 3].map(|row| column.is_null(row)),
            [false, true, false, false],
            "{case}"
        );
    }
    lay_out(&room, "bert_mean");
    let run = score(&room, "--on-null reject").ok();
    assert!(run.stderr.contains("4 in = 3 scored + 1 rejected"), "{run}");
    assert!(
        score(&room, "--on-null error")
            .fails(1)
            .stderr
            .contains("a value is missing")
    );
}

#[test]
fn a_row_has_the_same_bits_alone_in_any_batch_and_on_any_number_of_threads() {
    let room = Room::new();
    let all = json("texts.json");
    let values: Vec<String> = all["texts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect();
    let many: Vec<Option<&str>> = (0..700)
        .map(|row| Some(values[row * 7 % values.len()].as_str()))
        .collect();
    table_of(&room, &many);
    for case in ["bert_mean", "modernbert_mean", "deberta_hidden"] {
        lay_out(&room, case);
        let bytes = |line: &str| {
            score(&room, &format!("--passthrough none --report none {line}")).ok();
            let found = room.table("out.parquet");
            let vectors = column(&found, "embedding").as_list::<i32>().clone();
            vectors
                .values()
                .as_primitive::<Float32Type>()
                .values()
                .iter()
                .map(|value| value.to_bits())
                .collect::<Vec<u32>>()
        };
        let alone = bytes("--batch-rows 1 --threads 1 --task embedding");
        assert_eq!(alone, bytes("--threads 2 --task embedding"), "{case}");
        assert_eq!(
            alone,
            bytes("--batch-rows 600 --threads 3 --task embedding"),
            "{case}"
        );
    }
}

#[test]
fn bytes_are_near_single_precision_and_have_the_same_bits_alone() {
    let room = Room::new();
    golden_texts(&room);
    lay_out(&room, "bert_mean");
    let vectors = |line: &str| {
        let run = score(&room, &format!("--format json {line}")).ok();
        let found = room.table("out.parquet");
        let rows = column(&found, "embedding").as_list::<i32>().clone();
        (
            run.json()["model"]["arithmetic"]
                .as_str()
                .unwrap()
                .to_owned(),
            (0..rows.len())
                .map(|row| numbers(&rows.value(row)))
                .collect::<Vec<_>>(),
        )
    };
    let ((f32, single), (exact, all_bits), (int8, bytes)) = (
        vectors("--precision f32"),
        vectors("--precision f32-exact"),
        vectors("--precision int8"),
    );
    assert!(
        f32.starts_with("f32") && (exact.as_str(), int8.as_str()) == ("f32", "int8"),
        "{f32}, {exact}, {int8}"
    );
    assert!(
        single
            .iter()
            .flatten()
            .zip(all_bits.iter().flatten())
            .all(|(single, exact)| (single - exact).abs() < 2e-5)
    );
    let cosines: Vec<f64> = single
        .iter()
        .zip(&bytes)
        .map(|(single, bytes)| cosine(single, bytes))
        .collect();
    assert!(cosines.iter().all(|cosine| *cosine > 0.995), "{cosines:?}");
    assert!(single != bytes, "bytes change something");
    assert_eq!(
        vectors("--precision int8 --batch-rows 1 --threads 2").1,
        bytes
    );
}

#[test]
fn the_report_counts_tokens_cut_texts_and_padding_that_was_not_needed() {
    let room = Room::new();
    lay_out(&room, "bert_mean");
    let long = "the lazy dog ".repeat(100);
    table_of(
        &room,
        &[Some("the quick brown fox"), Some(&long), Some("a"), None],
    );
    let run = score(&room, "--max-tokens 20 --format json").ok();
    let report = run.json();
    let performance = &report["performance"];
    let tokens = performance["tokens"].as_f64().unwrap();
    // All are padded to the longest, which has 20.
    assert!(
        tokens > 23.0 && performance["padding_avoided"].as_f64() == Some(3.0 * 20.0 - tokens),
        "{report:#}"
    );
    assert!(performance["tokens_per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(report["coercions"]["text"]["truncated"], 1.0, "{report:#}");
    assert!(
        report["model"]["arithmetic"]
            .as_str()
            .unwrap()
            .starts_with("f32"),
        "{report:#}"
    );
    let text = score(&room, "--precision int8").ok().stderr;
    assert!(
        text.contains("  tokens  ") && text.contains("padding avoided"),
        "{text}"
    );
    assert!(text.contains("  arithmetic   int8"), "{text}");
    let stored = room.tallow("inspect out.report.pq").ok().stdout;
    assert!(
        stored.contains("  tokens  ")
            && stored.contains("padding avoided")
            && stored.contains("  arithmetic       int8"),
        "{stored}"
    );
}

#[test]
fn a_text_of_ten_megabytes_is_read_as_far_as_the_model_reads() {
    let room = Room::new();
    let long = "the quick brown fox jumps over the lazy dog ".repeat(250_000);
    let start = "the quick brown fox jumps over the lazy dog ".repeat(40);
    let word = "x".repeat(10 << 20);
    table_of(&room, &[Some(&long), Some(&start), Some(&word)]);
    for case in ["bert_mean", "roberta_cls", "xlm_roberta_weighted"] {
        lay_out(&room, case);
        score(&room, "").ok();
        let found = room.table("out.parquet");
        let vectors = column(&found, "embedding").as_list::<i32>();
        assert_eq!(
            numbers(&vectors.value(0)),
            numbers(&vectors.value(1)),
            "{case}"
        );
    }
}

#[test]
fn long_texts_in_chunks_give_the_mean_of_their_chunks() {
    let room = Room::new();
    lay_out(&room, "roberta_cls");
    // Byte-level tokens of one letter: each chunk of 12 tokens holds 10 letters between its marks.
    table_of(
        &room,
        &[
            Some("qzjqzjqzjqkvkvkvkvkv"),
            Some("qzjqzjqzjq"),
            Some("kvkvkvkvkv"),
        ],
    );
    score(&room, "--chunk 12").ok();
    let found = room.table("out.parquet");
    let vectors = column(&found, "embedding").as_list::<i32>();
    let [both, first, second] = [0, 1, 2].map(|row| numbers(&vectors.value(row)));
    for ((both, first), second) in both.iter().zip(&first).zip(&second) {
        assert!(
            (both - (first + second) / 2.0).abs() < 1e-6,
            "{both} is not between {first} and {second}"
        );
    }
    let words = "the quick brown fox jumps over the lazy dog ".repeat(30);
    table_of(&room, &[Some(&words)]);
    let tokens = score(&room, "--chunk 12 --format json").ok().json()["performance"]["tokens"]
        .as_f64()
        .unwrap();
    assert!(tokens >= 270.0, "{tokens} tokens of 270 words");
    // One text alone: all of its chunks but the last are full.
    let padding =
        score(&room, "--chunk 12 --format json").ok().json()["performance"]["padding_avoided"]
            .as_f64()
            .unwrap();
    table_of(&room, &[Some(&words), Some("a")]);
    let alongside =
        score(&room, "--chunk 12 --format json").ok().json()["performance"]["padding_avoided"]
            .as_f64()
            .unwrap();
    assert!(
        padding < 12.0 && alongside - padding < 12.0,
        "{padding}, {alongside}: chunks are padded to the longest chunk"
    );
    assert!(
        score(&room, "--stride 3")
            .fails(2)
            .stderr
            .contains("`--stride` needs `--chunk`")
    );
    assert!(
        score(&room, "--chunk 4 --stride 2")
            .fails(3)
            .stderr
            .contains("give at least 5")
    );
    assert!(
        score(&room, "--chunk 12 --stride 12")
            .fails(3)
            .stderr
            .contains("chunks of 12 tokens cannot share so many")
    );
    table_of(&room, &[Some("qzjqzjqzjqkvkvkvkvkv")]);
    score(&room, "--chunk 12 --stride 4").ok();
    assert_ne!(
        numbers(
            &column(&room.table("out.parquet"), "embedding")
                .as_list::<i32>()
                .value(0)
        ),
        both
    );
}

#[test]
fn the_column_of_texts_is_found_or_asked_for() {
    let room = Room::new();
    lay_out(&room, "bert_two");
    room.file("one.csv", "id,text\n1,hello\n2,\n");
    room.tallow("score --model model one.csv --output out.parquet")
        .ok();
    room.file("two.csv", "review,other\nhello,world\n");
    let refused = room
        .tallow("score --model model two.csv --output out2.parquet")
        .fails(3)
        .stderr;
    assert!(
        refused.contains("several columns could be meant")
            && refused.contains("`--text COLUMN`; the data has `review`, `other`"),
        "{refused}"
    );
    room.tallow("score --model model two.csv --text review --output out3.parquet")
        .ok();
    let missing = room
        .tallow("score --model model two.csv --text reviews --output out4.parquet")
        .fails(3)
        .stderr;
    assert!(
        missing.contains("`--text reviews`") && missing.contains("did you mean `review`?"),
        "{missing}"
    );
    room.tallow(
        "score --model model two.csv --text review --text-pair other --output out5.parquet",
    )
    .ok();
    let latin = room.file("latin.csv", b"text\ncaf\xe9\n");
    assert!(
        room.tallow(&format!(
            "score --model model {} --output out6.parquet",
            latin.display()
        ))
        .fails(1)
        .stderr
        .contains("it is not UTF-8")
    );
    let numbers =
        RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![1])) as ArrayRef)])
            .unwrap();
    room.parquet("numbers.parquet", &numbers, 10);
    assert!(
        room.tallow("score --model model numbers.parquet --output out7.parquet")
            .fails(3)
            .stderr
            .contains("no column of texts")
    );
    assert!(
        room.tallow("score --model model numbers.parquet --text id --output out8.parquet")
            .fails(3)
            .stderr
            .contains("name a column of texts with `--text`")
    );
}

#[test]
fn a_word_of_thousands_of_letters_moves_no_position_behind_it() {
    let room = Room::new();
    lay_out(&room, "bert_entities");
    table_of(&room, &[Some(&format!("{} fox", "x".repeat(5_000)))]);
    score(&room, "--aggregation none").ok();
    let found = room.table("out.parquet");
    let entities = column(&found, "entities").as_list::<i32>().value(0);
    let index = |name: &str| {
        entities
            .as_struct()
            .column_by_name(name)
            .unwrap()
            .as_primitive::<Int64Type>()
            .values()
            .to_vec()
    };
    assert_eq!(
        (
            index("start")[..2].to_vec(),
            index("end")[0],
            *index("end").last().unwrap()
        ),
        (vec![0, 5_001], 5_000, 5_004)
    );
}

#[test]
fn answers_that_delimited_text_has_no_form_for_are_refused_before_the_run() {
    let room = Room::new();
    table_of(&room, &[Some("hello")]);
    for (case, name) in [
        (
            "bert_mean",
            "lists cannot be written as CSV (column `embedding`)",
        ),
        ("bert_entities", "CSV (column `entities`)"),
    ] {
        lay_out(&room, case);
        let run = room
            .tallow("score --model model texts.parquet --output out.csv")
            .fails(3);
        assert!(
            run.stderr.contains(name) && run.stderr.contains("write Parquet: give the file a name"),
            "{run}"
        );
        assert!(!room.path("out.csv").exists());
    }
}

/// Makes the second row of a table of two rows in a safetensors file what the first is.
fn duplicate_first_row(bytes: &[u8], name: &str) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Json = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let [start, end] = [0, 1]
        .map(|side| 8 + length + header[name]["data_offsets"][side].as_u64().unwrap() as usize);
    let (mut changed, middle) = (bytes.to_vec(), usize::midpoint(start, end));
    changed.copy_within(start..middle, middle);
    changed
}

#[test]
fn tokens_of_pairs_have_types_only_where_transformers_gives_them() {
    let room = Room::new();
    let pairs = RecordBatch::try_from_iter([
        (
            "query",
            Arc::new(StringArray::from(vec!["the quick brown fox"])) as ArrayRef,
        ),
        (
            "passage",
            Arc::new(StringArray::from(vec!["jumps over the lazy dog"])) as ArrayRef,
        ),
    ]);
    room.parquet("texts.parquet", &pairs.unwrap(), 10);
    let model = lay_out(&room, "bert_reranking");
    let answer = || {
        score(&room, "--text query --text-pair passage").ok();
        numbers(column(&room.table("out.parquet"), "prediction"))[0]
    };
    let with_types = answer();
    let settings = std::fs::read_to_string(model.join("tokenizer_config.json")).unwrap();
    let weights = std::fs::read(model.join("model.safetensors")).unwrap();
    // With both types alike it does not matter which a token has.
    std::fs::write(
        model.join("model.safetensors"),
        duplicate_first_row(&weights, "bert.embeddings.token_type_embeddings.weight"),
    )
    .unwrap();
    let without_types = answer();
    assert_ne!(with_types, without_types);
    std::fs::write(model.join("model.safetensors"), &weights).unwrap();
    let answer_with = |change: &dyn Fn(&mut serde_json::Map<String, Json>)| {
        let mut changed: Json = serde_json::from_str(&settings).unwrap();
        change(changed.as_object_mut().unwrap());
        std::fs::write(model.join("tokenizer_config.json"), changed.to_string()).unwrap();
        answer()
    };
    let named = |names: Json| {
        answer_with(&|settings| drop(settings.insert("model_input_names".into(), names.clone())))
    };
    assert_eq!(
        named(serde_json::json!(["input_ids", "attention_mask"])),
        without_types
    );
    assert_eq!(
        answer_with(&|settings| drop(settings.remove("model_input_names"))),
        without_types,
        "what transformers 5 writes by itself"
    );
    let older = |settings: &mut serde_json::Map<String, Json>| {
        settings.remove("model_input_names");
        settings.insert("tokenizer_class".into(), "BertTokenizer".into());
    };
    assert_eq!(answer_with(&older), with_types);
}

fn changed_json(path: &std::path::Path, change: &dyn Fn(&mut serde_json::Map<String, Json>)) {
    let mut json: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    change(json.as_object_mut().unwrap());
    std::fs::write(path, json.to_string()).unwrap();
}

/// transformers takes the side from `tokenizer.json` where `tokenizer_config.json` names none.
#[test]
fn the_tokenizer_says_at_which_end_long_texts_are_cut() {
    let room = Room::new();
    let text = format!(
        "{}{}",
        "the quick brown fox ".repeat(40),
        "lazy dog ".repeat(40)
    );
    table_of(&room, &[Some(&text)]);
    let model = lay_out(&room, "bert_two");
    let answer = |side: Option<&str>, direction: &str| {
        changed_json(&model.join("tokenizer_config.json"), &|settings| {
            settings.remove("truncation_side");
            settings.extend(side.map(|side| ("truncation_side".to_owned(), side.into())));
        });
        changed_json(&model.join("tokenizer.json"), &|tokenizer| {
            let truncation = serde_json::json!({
                "direction": direction, "max_length": 48, "strategy": "LongestFirst", "stride": 0
            });
            tokenizer.insert("truncation".into(), truncation);
        });
        score(&room, "").ok();
        numbers(column(&room.table("out.parquet"), "probability"))[0]
    };
    let [left, right] = ["left", "right"].map(|side| answer(Some(side), "Right"));
    assert_ne!(left, right);
    assert_eq!(answer(None, "Left"), left);
    assert_eq!(answer(None, "Right"), right);
    assert_eq!(answer(Some("right"), "Left"), right);
}

/// transformers 5.24 names such labels 0 and 1, False and True, 1, 2 and 3; keys that are no
/// numbers, gaps and lists are errors there, too.
#[test]
fn labels_that_are_numbers_or_booleans_are_texts_and_odd_ones_are_refused() {
    let room = Room::new();
    table_of(&room, &[Some("the quick brown fox"), Some("lazy dog")]);
    let run = |case: &str, labels: Json| {
        let model = lay_out(&room, case);
        changed_json(&model.join("config.json"), &|settings| {
            settings.insert("id2label".into(), labels.clone());
        });
        score(&room, "")
    };
    let found = |case: &str, labels: Json| {
        run(case, labels).ok();
        let batch = room.table("out.parquet");
        let schema = batch.schema();
        let names = schema.fields().iter().map(|field| field.name().clone());
        let labels = texts(column(&batch, "prediction"));
        (names.collect::<Vec<_>>(), labels)
    };
    let named = |labels: Json| found("bert_two", labels).1;
    let plain = named(serde_json::json!({"0": "n", "1": "y"}));
    for (labels, no, yes) in [
        (serde_json::json!({"0": 0, "1": 1}), "0", "1"),
        (serde_json::json!({"1": true, "0": false}), "False", "True"),
    ] {
        let expected: Vec<_> = plain
            .iter()
            .map(|label| {
                if label.as_deref() == Some("y") {
                    yes
                } else {
                    no
                }
            })
            .collect();
        let found = named(labels);
        let found: Vec<_> = found
            .iter()
            .map(|label| label.as_deref().unwrap())
            .collect();
        assert_eq!(found, expected);
    }
    let (names, _) = found(
        "distilbert_three",
        serde_json::json!({"0": 1, "1": 2, "2": 3}),
    );
    for name in ["probability_1", "probability_2", "probability_3"] {
        assert!(names.iter().any(|own| own == name), "{names:?}");
    }
    for (labels, why) in [
        (
            serde_json::json!({"0": "a", "1": "b", "3": "c"}),
            "has no label 2",
        ),
        (
            serde_json::json!({"neg": "0", "pos": "1"}),
            "is not a number",
        ),
        (serde_json::json!(["A", "B", "C"]), "is not an object"),
        (
            serde_json::json!({"0": "A", "1": "A", "2": "B"}),
            "two labels `A`",
        ),
        (
            serde_json::json!({"0": [1], "1": "b", "2": "c"}),
            "is not a string",
        ),
    ] {
        let refused = run("distilbert_three", labels).fails(3);
        assert!(
            refused.stderr.contains(why) && refused.stderr.contains("hint: name each class"),
            "{refused}"
        );
    }
}

#[test]
fn a_task_that_the_models_head_is_not_for_is_refused() {
    let room = Room::new();
    table_of(&room, &[Some("hello")]);
    lay_out(&room, "bert_two");
    let run = score(&room, "--task token-classification").fails(3);
    assert!(
        run.stderr.contains(
            "needs a head that the model has not: it is a `BertForSequenceClassification`"
        ),
        "{run}"
    );
    score(&room, "--task embedding").ok();
    lay_out(&room, "bert_mean");
    let run = score(&room, "--task classification").fails(3);
    assert!(
        run.stderr.contains("it is a `BertModel`") && run.stderr.contains("remove `--task`"),
        "{run}"
    );
}

#[test]
fn pairs_prompts_and_dimensions_that_do_not_fit_are_refused_by_name() {
    let room = Room::new();
    table_of(&room, &[Some("hello")]);
    lay_out(&room, "bert_reranking");
    assert!(
        score(&room, "")
            .fails(3)
            .stderr
            .contains("--text query --text-pair passage")
    );
    lay_out(&room, "nomic_prompts");
    assert!(
        score(&room, "--prompt qurey")
            .fails(3)
            .stderr
            .contains("the model has `document`, `query`")
    );
    assert!(
        score(&room, "--dimensions 33")
            .fails(3)
            .stderr
            .contains("give 1 to 32")
    );
    for flag in ["--aggregation max", "--raw"] {
        assert!(
            score(&room, flag)
                .fails(2)
                .stderr
                .contains("has no effect on a model whose task is embedding"),
            "{flag}"
        );
    }
    assert!(
        score(&room, "--max-tokens 65")
            .fails(3)
            .stderr
            .contains("room for 64 tokens")
    );
    assert!(
        score(&room, "--max-tokens 2")
            .fails(3)
            .stderr
            .contains("give at least 3")
    );
    #[cfg(not(feature = "cuda"))]
    assert!(
        score(&room, "--device cuda:0")
            .fails(2)
            .stderr
            .contains("--features cuda")
    );
    for unknown in ["tpu", "cuda:", "cuda:-1", "cuda:4294967296"] {
        assert!(
            score(&room, &format!("--device {unknown}"))
                .fails(2)
                .stderr
                .contains("neither `cpu` nor `cuda:0`"),
            "{unknown}"
        );
    }
    score(&room, "--dimensions 5 --normalize").ok();
    let vector = numbers(
        &column(&room.table("out.parquet"), "embedding")
            .as_list::<i32>()
            .value(0),
    );
    assert!(
        vector.len() == 5
            && (vector.iter().map(|value| value * value).sum::<f64>() - 1.0).abs() < 1e-6,
        "{vector:?}"
    );
    room.file("customers.csv", "age\n1\n");
    let demo = data("demo/churn");
    let run = room
        .tallow(&format!(
            "score --model {} customers.csv --text age --output x.parquet",
            demo.display()
        ))
        .fails(2);
    assert!(run.stderr.contains("`--text` is for text models"), "{run}");
}

#[test]
fn inspect_and_check_report_what_a_text_model_is() {
    let room = Room::new();
    lay_out(&room, "bert_mean");
    table_of(&room, &[Some("hello")]);
    let shown = room.tallow("inspect model").ok().stdout;
    for part in [
        "format           huggingface",
        "architecture     bert",
        "task             embedding",
        "dimensions       32",
        "max_tokens       48",
        "mean, normalised",
        "text                     text",
    ] {
        assert!(shown.contains(part), "no `{part}` in\n{shown}");
    }
    let shown = room.tallow("check --model model texts.parquet").ok().stdout;
    assert!(
        shown.contains("text                     <- text (string)")
            && shown.contains("embedding (list of 32 float)"),
        "{shown}"
    );
    lay_out(&room, "roberta_three");
    assert!(
        room.tallow("inspect model")
            .ok()
            .stdout
            .contains("labels           negative, neutral, positive")
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn a_directory_that_is_not_a_complete_text_model_explains_what_is_missing() {
    const LAYERS: &str = "\"num_hidden_layers\": 2";
    let room = Room::new();
    table_of(&room, &[Some("hello")]);
    let hub = room
        .tallow(
            "score --model sentence-transformers/all-MiniLM-L6-v2 texts.parquet --output \
             out.parquet",
        )
        .fails(1);
    assert!(
        hub.stderr.contains(
            "`hf download sentence-transformers/all-MiniLM-L6-v2 --local-dir all-MiniLM-L6-v2` \
             gets one"
        ),
        "{hub}"
    );
    let model = lay_out(&room, "bert_two");
    let refused = |what: &str, code: i32| {
        let run = score(&room, "").fails(code);
        assert!(run.stderr.contains(what), "no `{what}` in {run}");
    };
    let kept = |name: &str| std::fs::read(model.join(name)).unwrap();
    let with = |name: &str, content: &[u8], what: &str, code: i32| {
        let before = kept(name);
        std::fs::write(model.join(name), content).unwrap();
        refused(what, code);
        std::fs::write(model.join(name), before).unwrap();
    };
    let changed = |from: &str, to: &str| {
        String::from_utf8(kept("config.json"))
            .unwrap()
            .replace(from, to)
            .into_bytes()
    };
    for (from, to, what) in [
        (
            "\"bert\"",
            "\"t5\"",
            "text models of type `t5` are not supported",
        ),
        (
            "\"hidden_size\": 32",
            "\"hidden_size\": 48",
            "has the shape [32, 32], expected [48, 48] and",
        ),
        (
            LAYERS,
            "\"num_hidden_layers\": 1",
            "`bert.encoder.layer.1.attention.output.LayerNorm.bias` is of a layer more than there \
             should be",
        ),
        (
            LAYERS,
            "\"num_hidden_layers\": 3",
            "no tensor `bert.encoder.layer.2.attention.self.query.weight`",
        ),
        (
            LAYERS,
            "\"num_hidden_layers\": 4000000000",
            "expected an integer from 1 to 1024",
        ),
        (
            "\"num_attention_heads\": 4",
            "\"num_attention_heads\": 5",
            "not a multiple of 5 heads",
        ),
        (
            "\"hidden_act\": \"gelu\"",
            "\"hidden_act\": \"snake\"",
            "the activation \"snake\" is not supported",
        ),
    ] {
        with("config.json", &changed(from, to), what, 3);
    }
    with("config.json", b"[1]", "not a JSON object", 1);
    with(
        "model.safetensors",
        &kept("model.safetensors")[..900],
        "cannot read the weights",
        1,
    );
    with(
        "model.safetensors",
        b"version https://git-lfs.github.com/spec/v1\n",
        "download it again",
        1,
    );
    with("tokenizer.json", b"{}", "cannot read `tokenizer.json`", 1);
    let other = std::fs::read(data("golden/text/tokenizers/bytelevel.json")).unwrap();
    with(
        "tokenizer.json",
        &other,
        "the tokenizer has 420 tokens, the model 384",
        3,
    );
    std::fs::rename(model.join("tokenizer.json"), room.path("kept.json")).unwrap();
    refused("the text model has no `tokenizer.json`", 3);
    refused("AutoTokenizer", 3);
    std::fs::rename(room.path("kept.json"), model.join("tokenizer.json")).unwrap();
    room.file(
        "model/model.safetensors.index.json",
        r#"{"weight_map": {"a": "../../secret"}}"#,
    );
    let weights = kept("model.safetensors");
    std::fs::remove_file(model.join("model.safetensors")).unwrap();
    refused("is outside its directory", 6);
    room.file(
        "model/model.safetensors.index.json",
        r#"{"weight_map": {"a": "model-00001-of-00001.safetensors"}}"#,
    );
    refused("download all parts of the weights", 3);
    room.file("model/model-00001-of-00001.safetensors", &weights);
    score(&room, "").ok();
    std::fs::remove_file(model.join("model.safetensors.index.json")).unwrap();
    room.file("model/pytorch_model.bin", b"PK");
    refused("the file holds no weights of PyTorch", 1);
    // `AutoModel` would leave the head out.
    refused(
        "from transformers import BertForSequenceClassification; \
         BertForSequenceClassification.from_pretrained('DIRECTORY')",
        1,
    );
    with(
        "config.json",
        &changed("BertForSequenceClassification", "A\\\"; import os; B"),
        "from transformers import AutoModel; AutoModel.",
        1,
    );
    std::fs::remove_file(model.join("pytorch_model.bin")).unwrap();
    std::fs::remove_file(model.join("model-00001-of-00001.safetensors")).unwrap();
    refused("the text model has no `model.safetensors`", 3);
    room.file("model/model.safetensors", &weights);
    std::fs::remove_file(model.join("config.json")).unwrap();
    refused("the text model has no `config.json`", 3);
}

/// Bytes changed or cut off, the same ones on every machine.
fn spoilt(bytes: &[u8], number: usize) -> Vec<u8> {
    let mut state = number as u64 * 7_919 + 17;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let mut spoilt = bytes.to_vec();
    if number.is_multiple_of(4) {
        spoilt.truncate(next(bytes.len()));
        return spoilt;
    }
    for _ in 0..=number % 3 {
        // Headers and settings are at the beginning.
        let index = next(if number.is_multiple_of(2) {
            bytes.len()
        } else {
            bytes.len().min(3_000)
        });
        spoilt[index] = [b'0', b'9', b'"', b'{', b'-', 0xff, b'e', b' '][next(8)];
    }
    spoilt
}

#[test]
fn a_spoilt_directory_is_refused_or_read_and_never_panics() {
    let room = Room::new();
    let texts: Vec<ArrayRef> = vec![Arc::new(StringViewArray::from(vec![
        Some("the quick brown fox"),
        None,
        Some(""),
    ]))];
    let mut refused = 0;
    for case in [
        "bert_mean",
        "albert_dense",
        "deberta_hidden",
        "bert_entities",
    ] {
        let model = lay_out(&room, case);
        for name in [
            "config.json",
            "tokenizer.json",
            "model.safetensors",
            "modules.json",
            "1_Pooling/config.json",
        ] {
            let path = model.join(name);
            let Ok(whole) = std::fs::read(&path) else {
                continue;
            };
            for number in 0..24 {
                std::fs::write(&path, spoilt(&whole, number)).unwrap();
                match open(&(&model).into(), &ImportOptions::default()) {
                    Err(_) => refused += 1,
                    Ok(opened) => {
                        drop(
                            opened
                                .loaded
                                .model
                                .as_columnar()
                                .unwrap()
                                .worker()
                                .score(&texts),
                        );
                    }
                }
            }
            std::fs::write(&path, whole).unwrap();
        }
        open(&model.into(), &ImportOptions::default()).unwrap();
    }
    assert!(refused > 150, "{refused} refused");
}

#[test]
fn booleans_are_read_as_the_texts_that_python_makes_of_them() {
    // `str(True)` is what a script gives to a tokenizer, which takes no booleans.
    let room = Room::new();
    let model = lay_out(&room, "bert_mean");
    let score = |name: &str, texts: ArrayRef| {
        let batch = RecordBatch::try_from_iter([("text", texts)]).unwrap();
        room.parquet(&format!("{name}.parquet"), &batch, 10);
        let arguments = [
            "score",
            "--model",
            model.to_str().unwrap(),
            &format!("{name}.parquet"),
            "--text",
            "text",
            "--output",
            &format!("{name}.out.parquet"),
        ];
        room.run(arguments).ok();
        let table = room.table(&format!("{name}.out.parquet"));
        column(&table, "embedding").clone()
    };
    let booleans = arrow::array::BooleanArray::from(vec![Some(true), Some(false), None]);
    let words = arrow::array::StringArray::from(vec![Some("True"), Some("False"), None]);
    assert_eq!(
        &score("booleans", Arc::new(booleans)),
        &score("words", Arc::new(words))
    );
}
