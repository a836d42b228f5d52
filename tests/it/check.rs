//! `tallow check`: the dry run.

use crate::harness::{Room, data};

#[test]
fn a_fit_shows_the_binding_and_writes_nothing() {
    let room = Room::new();
    room.file("model.ubj", std::fs::read(data("demo/churn/model.ubj")).unwrap());
    room.file("customers.parquet", std::fs::read(data("demo/customers.parquet")).unwrap());
    let run = room.tallow("check --model model.ubj customers.parquet").ok();
    for part in ["model and data fit", "2,000 rows", "tenure_months (Int32)", "probability (Float32)"] {
        assert!(run.stdout.contains(part), "{part}: {run}");
    }
    let json = room.tallow("check --model model.ubj customers.parquet --format json").ok().json();
    assert_eq!((&json["status"], &json["rows"], json["binding"].as_array().unwrap().len()), (&"fits".into(), &2_000.into(), 11));
    let expected = json["estimated_memory_bytes"].as_u64().unwrap();
    assert!((80 << 20..120 << 20).contains(&expected), "{expected} bytes for 2,000 rows");
    assert_eq!(room.listing(), ["customers.parquet", "model.ubj"]);
}

#[test]
fn a_misfit_has_the_exit_code_and_message_that_score_has() {
    let room = Room::new();
    room.file("model.ubj", std::fs::read(data("demo/churn/model.ubj")).unwrap());
    room.file("rows.csv", "age\n1\n");
    let (check, score) =
        (room.tallow("check --model model.ubj rows.csv").fails(3), room.tallow("score --model model.ubj rows.csv --output x.parquet").fails(3));
    assert_eq!(check.stderr, score.stderr);
}
