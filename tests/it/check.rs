//! `tallow check`: the dry run.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float32Array, RecordBatch};
use arrow::datatypes::Float32Type;

use crate::harness::{Room, column, data, table};

#[test]
fn a_fit_shows_the_binding_and_writes_nothing() {
    let room = Room::new();
    room.file(
        "model.ubj",
        std::fs::read(data("demo/churn/model.ubj")).unwrap(),
    );
    room.file(
        "customers.parquet",
        std::fs::read(data("demo/customers.parquet")).unwrap(),
    );
    let run = room
        .tallow("check --model model.ubj customers.parquet")
        .ok();
    for part in [
        "model and data fit",
        "2,000 rows",
        "tenure_months (int32)",
        "probability (float)",
    ] {
        assert!(run.stdout.contains(part), "{part}: {run}");
    }
    let json = room
        .tallow("check --model model.ubj customers.parquet --format json")
        .ok()
        .json();
    assert_eq!(
        (
            &json["status"],
            &json["rows"],
            json["binding"].as_array().unwrap().len()
        ),
        (&"fits".into(), &2_000.into(), 11)
    );
    let expected = json["estimated_memory_bytes"].as_u64().unwrap();
    assert!(
        (40 << 20..80 << 20).contains(&expected),
        "{expected} bytes for 2,000 rows"
    );
    assert_eq!(room.listing(), ["customers.parquet", "model.ubj"]);
}

#[test]
fn a_misfit_has_the_exit_code_and_message_that_score_has() {
    let room = Room::new();
    room.file(
        "model.ubj",
        std::fs::read(data("demo/churn/model.ubj")).unwrap(),
    );
    room.file("rows.csv", "age\n1\n");
    let (check, score) = (
        room.tallow("check --model model.ubj rows.csv").fails(3),
        room.tallow("score --model model.ubj rows.csv --output x.parquet")
            .fails(3),
    );
    assert_eq!(check.stderr, score.stderr);
}

/// The demo's model as a package whose golden rows are the first of its customers, with these
/// answers for them.
fn package(room: &Room, answers: impl Fn(&mut Vec<f32>)) {
    room.file(
        "package/model.ubj",
        std::fs::read(data("demo/churn/model.ubj")).unwrap(),
    );
    let rows = table(&data("demo/customers.parquet")).slice(0, 20);
    room.parquet("package/rows.parquet", &rows, 20);
    room.tallow(
        "score --model package/model.ubj package/rows.parquet --output scores.parquet \
         --passthrough none --quiet",
    )
    .ok();
    let scores = table(&room.path("scores.parquet"));
    let mut values = column(&scores, "probability")
        .as_primitive::<Float32Type>()
        .values()
        .to_vec();
    answers(&mut values);
    let expected: [(&str, ArrayRef); 2] = [
        ("probability", Arc::new(Float32Array::from(values))),
        ("prediction", column(&scores, "prediction").clone()),
    ];
    room.parquet(
        "package/expected.parquet",
        &RecordBatch::try_from_iter(expected).unwrap(),
        20,
    );
    room.file(
        "package/tallow.toml",
        "name = \"churn\"\n[[artefacts]]\npath = \"model.ubj\"\n[golden]\nrows = \
         \"rows.parquet\"\nexpected = \"expected.parquet\"\n",
    );
}

#[test]
fn golden_rows_are_replayed() {
    let room = Room::new();
    package(&room, |values| values[3] += 1e-7);
    let run = room
        .tallow("check --model package package/rows.parquet --format json")
        .ok();
    assert_eq!(
        (
            &run.json()["golden"]["rows"],
            &run.json()["golden"]["tolerance"]
        ),
        (&20.into(), &1e-5.into())
    );
    // The user's flags are about the user's data.
    let run = room
        .tallow(
            "check --model package package/rows.parquet --where false --limit 1 --threshold 0.9",
        )
        .ok();
    assert!(run.stdout.contains("golden  20 rows agree"), "{run}");
}

#[test]
fn golden_rows_that_differ_stop_the_check_with_row_and_column() {
    let room = Room::new();
    package(&room, |values| values[3] += 0.001);
    let run = room
        .tallow("check --model package package/rows.parquet")
        .fails(3);
    assert!(
        run.stderr
            .contains("the model does not give its golden rows' answers"),
        "{run}"
    );
    assert!(run.stderr.contains("row 4, column `probability`"), "{run}");
    room.file("package/expected.parquet", "no table");
    let run = room
        .tallow("check --model package package/rows.parquet")
        .fails(3);
    assert!(
        run.stderr
            .contains("20 golden rows were scored, and 0 answers expected"),
        "{run}"
    );
}

#[test]
fn golden_rows_outside_the_package_are_not_read() {
    let room = Room::new();
    package(&room, |_| {});
    let manifest = std::fs::read_to_string(room.path("package/tallow.toml")).unwrap();
    room.file(
        "package/tallow.toml",
        manifest.replace("\"rows.parquet\"", "\"../scores.parquet\""),
    );
    room.tallow("check --model package package/rows.parquet")
        .fails(6);
}
