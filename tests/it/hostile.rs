//! Broken, mislabelled and malicious files: each gets one message with its place, and leaves
//! nothing behind.
//!
//! `data/hostile` holds the files, `hostile.py` in it makes them. A file that is in no list here
//! fails the test.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, RecordBatch, StringArray};

use crate::harness::{Room, data, table};

/// (model, its exit code, the first line of the message).
const MODELS: [(&str, i32, &str); 30] = [
    (
        "absurd_count.json",
        1,
        "error: `num_nodes` says 4000000000, but `left_children` has 7 entries \
         (`absurd_count.json`, tree 1)",
    ),
    (
        "child_out_of_range.json",
        1,
        "error: a child of the node is not among the 7 nodes (`child_out_of_range.json`, tree 1, \
         node 0)",
    ),
    (
        "cycle.json",
        1,
        "error: the node is reached twice: the tree has a cycle (`cycle.json`, tree 1, node 0)",
    ),
    (
        "bomb.joblib",
        3,
        "contract error: the file is not in a model format that tallow can read (`bomb.joblib`)",
    ),
    (
        "boosting_on_bayes.joblib",
        3,
        "contract error: `sklearn.ensemble.GradientBoostingClassifier`: scikit-learn before \
         1.3 adds the trees of one row to another row of the same call where `init` is naive \
         Bayes or `QuadraticDiscriminantAnalysis` (`boosting_on_bayes.joblib`)",
    ),
    (
        "cut.pkl",
        1,
        "error: the pickle ends after 1000 bytes in the middle of a value (`cut.pkl`)",
    ),
    (
        "by_value.pkl",
        3,
        "contract error: `__main__.Scale` is not supported (`by_value.pkl`)",
    ),
    (
        "calls_in_pipeline.pkl",
        6,
        "trust error: the file would call `posix.system` when Python loads it; tallow has called \
         nothing (`calls_in_pipeline.pkl`)",
    ),
    (
        "methods_by_value.pkl",
        6,
        "trust error: the file would call a function that the file holds as code, `fit`, a \
         function that the file holds as code, `transform` when Python loads it (it holds the \
         class `__main__.Scale` as code); tallow has called nothing (`methods_by_value.pkl`)",
    ),
    (
        "os_system.pkl",
        6,
        "trust error: the file would call `os.system` when Python loads it; tallow has called \
         nothing (`os_system.pkl`)",
    ),
    (
        "classes_of_one_name.onnx",
        3,
        "contract error: the model adds two columns of this name (column `probability_low`)",
    ),
    (
        "empty.model",
        1,
        "error: the model file is empty (`empty.model`)",
    ),
    (
        "feature_out_of_range.json",
        1,
        "error: splits on feature 7 of 2 (`feature_out_of_range.json`, tree 1, node 0)",
    ),
    (
        "nan_threshold.json",
        1,
        "error: the threshold is NaN (`nan_threshold.json`, tree 1, node 0)",
    ),
    (
        "not_a_model.json",
        3,
        "contract error: the file is not in a model format that tallow can read \
         (`not_a_model.json`)",
    ),
    (
        "checkpoint.pt",
        3,
        "contract error: the checkpoint holds no tensors (`checkpoint.pt`)",
    ),
    (
        "catboost_embedding.cbm",
        3,
        "contract error: embedding features are not supported: `vector` \
         (`catboost_embedding.cbm`)",
    ),
    (
        "catboost_text.cbm",
        3,
        "contract error: text features are not supported: `review` (`catboost_text.cbm`)",
    ),
    (
        "network.keras",
        6,
        "trust error: refusing a Keras file: its layers may hold code (`network.keras`)",
    ),
    (
        "pipeline.skops",
        3,
        "contract error: `sklearn.linear_model.LogisticRegression`: it does not say how many \
         columns it reads (`pipeline.skops`)",
    ),
    (
        "saved_model.pb",
        6,
        "trust error: refusing a TensorFlow SavedModel: its graph is a program that may read and \
         write files (`saved_model.pb`)",
    ),
    (
        "scripted.pt",
        6,
        "trust error: refusing TorchScript: it is a program, and running it could do anything \
         (`scripted.pt`)",
    ),
    (
        "script.pt",
        6,
        "trust error: refusing TorchScript: it is a program, and running it could do anything \
         (`script.pt`)",
    ),
    (
        "pickled.pkl",
        3,
        "contract error: the file holds a dictionary of 1, not a model (`pickled.pkl`)",
    ),
    (
        "short_array.json",
        1,
        "error: `num_nodes` says 7, but `split_conditions` has 6 entries (`short_array.json`, \
         tree 1)",
    ),
    (
        "truncated.json",
        1,
        "error: cannot read the JSON: expected `,` or `]` at byte 1500, but the file ends \
         (`truncated.json`)",
    ),
    (
        "truncated.onnx",
        1,
        "error: the file is not a complete ONNX model (`truncated.onnx`)",
    ),
    (
        "truncated.ubj",
        1,
        "error: cannot read the UBJSON: a count of 7 with 9 bytes left at byte 891 \
         (`truncated.ubj`)",
    ),
    (
        "unknown_objective.json",
        3,
        "contract error: the objective `binary:astrology` is not supported \
         (`unknown_objective.json`)",
    ),
    (
        "good.parquet",
        3,
        "contract error: the file is not in a model format that tallow can read (`good.parquet`)",
    ),
];

/// (table, its exit code, the first line of the message); an exit code of 0 and no message for what
/// is only named wrongly.
const TABLES: [(&str, i32, &str); 21] = [
    (
        "blank_first_line.csv",
        1,
        "error: cannot read the file: its first line is blank (`blank_first_line.csv`)",
    ),
    ("csv_named.parquet", 0, ""),
    (
        "cut_in_half.parquet",
        1,
        "error: cannot read the Parquet footer (`cut_in_half.parquet`)",
    ),
    (
        "deep_schema.parquet",
        1,
        "error: cannot read the Parquet footer (`deep_schema.parquet`)",
    ),
    (
        "doubled_name.csv",
        3,
        "contract error: the data has two columns of this name (`doubled_name.csv`, column `a`)",
    ),
    (
        "empty.parquet",
        1,
        "error: the file is empty (`empty.parquet`)",
    ),
    (
        "endless_header.parquet",
        1,
        "error: cannot decode row group 0 (`endless_header.parquet`)",
    ),
    (
        "footer_of_truths.parquet",
        1,
        "error: cannot read the Parquet footer (`footer_of_truths.parquet`)",
    ),
    (
        "footer_too_long.parquet",
        1,
        "error: cannot read the Parquet footer (`footer_too_long.parquet`)",
    ),
    (
        "header_of_truths.parquet",
        1,
        "error: cannot decode row group 0 (`header_of_truths.parquet`)",
    ),
    (
        "latin1.csv",
        1,
        "error: cannot read the value: it is not UTF-8 (`latin1.csv`, row 1, column `id`)",
    ),
    (
        "many_children.parquet",
        1,
        "error: cannot read the Parquet footer (`many_children.parquet`)",
    ),
    (
        "no_footer.parquet",
        1,
        "error: cannot read the Parquet footer (`no_footer.parquet`)",
    ),
    (
        "other_case.parquet",
        3,
        "contract error: the model needs the column `b`, which is not in the data \
         (`other_case.parquet`)",
    ),
    ("parquet_named.csv", 0, ""),
    (
        "ragged.csv",
        1,
        "error: cannot read the row: expected 3 fields, found 2 (`ragged.csv`, row 2)",
    ),
    (
        "spoiled_page.parquet",
        1,
        "error: cannot decode row group 0 (`spoiled_page.parquet`)",
    ),
    (
        "text_column.parquet",
        3,
        "contract error: the column is string, the model reads numbers (`text_column.parquet`, \
         column `a`)",
    ),
    (
        "unclosed_quote.csv",
        1,
        "error: cannot read the record: a quote in it is never closed (`unclosed_quote.csv`, row \
         2)",
    ),
    (
        "words.csv",
        1,
        "error: a text is not a number (`words.csv`, row 2, column `a`)",
    ),
    ("good.parquet", 0, ""),
];

fn room_with(names: &[&str]) -> Room {
    let room = Room::new();
    for name in names {
        room.file(name, std::fs::read(data("hostile").join(name)).unwrap());
    }
    room
}

fn try_one(model: &str, table: &str, code: i32, message: &str) {
    let room = room_with(&[model, table]);
    let run = room.tallow(&format!(
        "score --quiet --model {model} {table} --output out.parquet"
    ));
    assert_eq!(
        (run.code, run.stderr.lines().next().unwrap_or_default()),
        (code, message),
        "{model} on {table}: {run}"
    );
    if code != 0 {
        let mut expected = vec![model.to_owned(), table.to_owned()];
        expected.sort();
        assert_eq!(room.listing(), expected, "something was left behind");
        assert!(
            run.stderr.contains("\nhint: ") || code == 1,
            "no hint: {run}"
        );
    }
}

#[test]
fn every_hostile_model_gets_its_message() {
    for (model, code, message) in MODELS {
        let table = if model == "good.parquet" {
            "cut_in_half.parquet"
        } else {
            "good.parquet"
        };
        try_one(model, table, code, message);
    }
}

#[test]
fn a_directory_of_refused_files_names_it_and_how_to_export_instead() {
    let room = Room::new();
    room.file(
        "saved/saved_model.pb",
        std::fs::read(data("hostile/saved_model.pb")).unwrap(),
    );
    room.file("saved/fingerprint.pb", b"x");
    let run = room.tallow("inspect saved").fails(6);
    assert!(
        run.stderr.contains("refusing a TensorFlow SavedModel")
            && run.stderr.contains("tf2onnx.convert"),
        "{run}"
    );
}

#[test]
fn every_hostile_table_gets_its_message() {
    for (table, code, message) in TABLES {
        try_one("good.json", table, code, message);
    }
}

#[test]
fn what_is_wrong_with_the_records_of_a_parquet_file_is_said_at_once() {
    let causes = [
        ("deep_schema", "the schema is more than 100 levels deep"),
        (
            "endless_header",
            "cannot read the page header: the file ends in it",
        ),
        ("footer_of_truths", "it ends in the middle of a field"),
        (
            "header_of_truths",
            "cannot read the page header: a list of 2147483647 booleans, of which the format \
             has none",
        ),
        (
            "many_children",
            "element 0 of the schema claims 2147483647 children, but 1 elements follow",
        ),
    ];
    for (name, cause) in causes {
        let room = room_with(&["good.json", &format!("{name}.parquet")]);
        // Two seconds of work: no list is counted through.
        let program = env!("CARGO_BIN_EXE_tallow");
        let script = format!(
            "ulimit -t 2; exec {program} score --quiet --threads 1 --model good.json \
             {name}.parquet --output out.parquet"
        );
        let output = std::process::Command::new("bash")
            .arg("-c")
            .arg(script)
            .current_dir(room.path(""))
            .output()
            .unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{name}: {message}");
        assert!(message.contains(cause), "{name}: {message}");
    }
}

#[test]
fn every_hostile_file_is_listed() {
    for entry in std::fs::read_dir(data("hostile")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let listed = MODELS
            .iter()
            .map(|case| case.0)
            .chain(TABLES.iter().map(|case| case.0))
            .chain(["good.json", "hostile.py"])
            .any(|known| known == name);
        assert!(listed, "{name} is in no list");
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error_and_never_a_panic() {
    let table = std::fs::read(data("hostile/good.parquet")).unwrap();
    let model = std::fs::read(data("hostile/good.json")).unwrap();
    for step in 0..24 {
        let room = room_with(&["good.json", "good.parquet"]);
        room.file("cut.parquet", &table[..table.len() * step / 24]);
        room.file("cut.json", &model[..(model.len() - 2) * step / 24]);
        for line in [
            "--model good.json cut.parquet",
            "--model cut.json good.parquet",
        ] {
            let run = room.tallow(&format!("score --quiet {line} --output out.parquet"));
            assert!(
                matches!(run.code, 1 | 3) && !run.stderr.contains("panick"),
                "{step}: {run}"
            );
        }
    }
}

#[test]
fn a_flipped_byte_never_panics() {
    let table = std::fs::read(data("hostile/good.parquet")).unwrap();
    for index in (0..table.len()).step_by(17) {
        let room = room_with(&["good.json"]);
        let mut spoiled = table.clone();
        spoiled[index] ^= 0xff;
        room.file("spoiled.parquet", spoiled);
        let run =
            room.tallow("score --quiet --model good.json spoiled.parquet --output out.parquet");
        assert!(matches!(run.code, 0 | 1 | 3), "byte {index}: {run}");
    }
}

#[test]
fn a_column_that_turns_to_text_in_row_900_000_names_the_row() {
    let room = room_with(&["good.json"]);
    let mut text = String::from("id,a,b\n");
    for row in 1..=900_100 {
        if row == 900_000 {
            text.push_str("900000,n/k,0.5\n");
        } else {
            writeln!(text, "{row},0.25,0.5").unwrap();
        }
    }
    room.file("long.csv", text);
    let run = room
        .tallow("score --quiet --model good.json long.csv --output out.parquet")
        .fails(1);
    assert_eq!(
        run.stderr.lines().next(),
        Some("error: a text is not a number (`long.csv`, row 900000, column `a`)"),
        "{run}"
    );
    assert_eq!(room.listing(), ["good.json", "long.csv"]);
    let run = room
        .tallow(
            "score --model good.json long.csv --output out.parquet --on-unseen a=reject --format \
             json",
        )
        .ok();
    assert_eq!(run.json()["ledger"]["rejected"], 1);
    assert_eq!(run.json()["ledger"]["scored"], 900_099);
    assert_eq!(run.json()["rejections"]["a"]["not_a_number"], 1);
}

#[test]
fn an_output_that_cannot_be_written_is_said_before_any_work() {
    let room = room_with(&["good.json", "good.parquet"]);
    let run = room
        .tallow("score --model good.json good.parquet --output nowhere/out.parquet")
        .fails(1);
    assert!(run.stderr.contains("`nowhere"), "{run}");
    room.file("out.parquet", "precious");
    let run = room
        .tallow("score --model good.json good.parquet --output out.parquet")
        .fails(1);
    assert!(run.stderr.contains("--overwrite"), "{run}");
    assert_eq!(
        std::fs::read(room.path("out.parquet")).unwrap(),
        b"precious"
    );
    let run = room
        .tallow("score --model good.json good.parquet --output good.parquet --overwrite")
        .fails(2);
    assert!(run.stderr.contains("one of the inputs"), "{run}");
    room.tallow("score --model good.json good.parquet --output /proc/out.parquet")
        .fails(1);
    room.tallow("score --model good.json missing.parquet --output new.parquet")
        .fails(1);
    room.tallow("score --model missing.json good.parquet --output new.parquet")
        .fails(1);
    assert_eq!(room.listing(), ["good.json", "good.parquet", "out.parquet"]);
}

#[test]
fn output_and_report_need_names_of_their_own() {
    let room = room_with(&["good.json", "good.parquet"]);
    std::fs::create_dir(room.path("d")).unwrap();
    let score = |flags: &str| {
        room.tallow(&format!(
            "score --quiet --model good.json good.parquet {flags}"
        ))
    };
    for flags in [
        "-o o.parquet --report o.parquet",
        "-o o.parquet --report ./o.parquet",
        "-o d/../o.parquet --report o.parquet",
    ] {
        let run = score(flags).fails(2);
        assert!(
            run.stderr
                .starts_with("usage error: output and report have the same name"),
            "{run}"
        );
    }
    let run = score("-o o.parquet --report d").fails(2);
    assert!(
        run.stderr.contains("names a directory, not a file")
            && run.stderr.contains("`--report d/predictions.report.pq`"),
        "{run}"
    );
    let run = score("-o .").fails(1);
    assert!(
        run.stderr
            .contains("the directory holds files that tallow did not write"),
        "{run}"
    );
    assert_eq!(room.listing(), ["d", "good.json", "good.parquet"]);
}

#[test]
fn a_mark_with_content_is_somebodys_file() {
    let room = room_with(&["good.json", "good.parquet"]);
    let line = "score --quiet --model good.json good.parquet -o out/ --overwrite";
    room.file("out/_SUCCESS", "2026-11-29 rows=12\n");
    let run = room.tallow(line).fails(1);
    assert!(
        run.stderr.contains("files that tallow did not write"),
        "{run}"
    );
    std::fs::remove_file(room.path("out/_SUCCESS")).unwrap();
    std::os::unix::fs::symlink("../good.json", room.path("out/_SUCCESS")).unwrap();
    room.tallow(line).fails(1);
    std::fs::remove_file(room.path("out/_SUCCESS")).unwrap();
    // What Spark leaves of an empty table.
    room.file("out/_SUCCESS", "");
    room.tallow(line).ok();
}

#[test]
fn lines_are_not_added_through_a_link_to_nothing() {
    let room = room_with(&["good.json", "good.parquet"]);
    std::os::unix::fs::symlink("elsewhere.jsonl", room.path("lineage.jsonl")).unwrap();
    let line = "score --quiet --model good.json good.parquet -o out.csv --lineage-file \
                lineage.jsonl";
    let run = room.tallow(line).fails(1);
    assert!(
        run.stderr.contains("a link to a file that does not exist"),
        "{run}"
    );
    assert!(!room.path("elsewhere.jsonl").exists());
}

#[test]
fn a_report_whose_usual_name_is_taken_explains_how_to_name_it() {
    let room = room_with(&["good.json", "good.parquet"]);
    let score = |flags: &str| {
        room.tallow(&format!(
            "score --quiet --model good.json good.parquet {flags}"
        ))
    };
    score("-o out.csv").ok();
    let run = score("-o out.parquet").fails(1);
    assert!(
        run.stderr.contains("`out.report.pq`")
            && run.stderr.contains("name it with `--report FILE`"),
        "{run}"
    );
    assert_eq!(
        room.listing(),
        ["good.json", "good.parquet", "out.csv", "out.report.pq"]
    );
    score("-o out.parquet --report second.parquet").ok();
}

#[test]
fn a_full_disk_leaves_the_old_output_and_nothing_else() {
    let room = room_with(&["good.json", "good.parquet"]);
    room.file("out.parquet", "precious");
    // A limit on the size of files stands for a full disk where mounting is not allowed: writes
    // fail in the middle.
    let program = env!("CARGO_BIN_EXE_tallow");
    let script = format!(
        "trap '' XFSZ; ulimit -f 1; exec {program} score --quiet --model good.json good.parquet \
         --output out.parquet --overwrite --raw --passthrough all"
    );
    let output = std::process::Command::new("bash")
        .arg("-c")
        .arg(script)
        .current_dir(room.path(""))
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("cannot write"), "{message}");
    assert_eq!(
        std::fs::read(room.path("out.parquet")).unwrap(),
        b"precious"
    );
    assert_eq!(room.listing(), ["good.json", "good.parquet", "out.parquet"]);
}

#[test]
fn a_dictionary_of_long_texts_is_spelt_out_in_bounded_memory() {
    let room = room_with(&["good.json"]);
    // 1.3 GB of text in a file of some kilobytes, in one row group.
    let rows = 20_000;
    let long: Vec<String> = ["x", "y"].map(|letter| letter.repeat(65_536)).into();
    let numbers = || {
        Arc::new(
            (0..rows)
                .map(|row| row as f32 / 1e4)
                .collect::<Float32Array>(),
        ) as ArrayRef
    };
    let texts = Arc::new(
        (0..rows)
            .map(|row| Some(long[row % 2].as_str()))
            .collect::<StringArray>(),
    ) as ArrayRef;
    let batch =
        RecordBatch::try_from_iter([("note", texts), ("a", numbers()), ("b", numbers())]).unwrap();
    room.parquet("long.parquet", &batch, rows);
    let run = room
        .tallow("score --model good.json long.parquet --output out.parquet --format json")
        .ok();
    let peak = run.json()["performance"]["peak_memory_bytes"]
        .as_u64()
        .unwrap();
    assert!(peak < 400 << 20, "{} MiB", peak >> 20);
    assert_eq!(run.json()["ledger"]["scored"], rows);
}

#[test]
fn more_files_than_may_be_open_are_no_burden() {
    let room = room_with(&["good.json"]);
    let bytes = std::fs::read(data("hostile/good.parquet")).unwrap();
    for number in 0..200 {
        room.file(&format!("parts/{number:03}.parquet"), &bytes);
    }
    let program = env!("CARGO_BIN_EXE_tallow");
    let script = format!(
        "ulimit -n 48; exec {program} score --quiet --model good.json parts --output out.parquet"
    );
    let output = std::process::Command::new("bash")
        .arg("-c")
        .arg(script)
        .current_dir(room.path(""))
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(
        room.table("out.parquet").num_rows(),
        200 * table(&data("hostile/good.parquet")).num_rows()
    );
}
