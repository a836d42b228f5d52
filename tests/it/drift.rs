//! `tallow profile` and `tallow drift`: what columns hold, and how that changed.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Date32Array, Decimal128Array, Float64Array, Int64Array, ListArray,
    NullArray, RecordBatch, StringArray, TimestampNanosecondArray, UInt32Array,
};
use arrow::compute::take_record_batch;
use arrow::datatypes::Int32Type;

use crate::harness::{Room, data, table};

fn reversed(batch: &RecordBatch) -> RecordBatch {
    let rows = batch.num_rows() as u32;
    take_record_batch(batch, &UInt32Array::from_iter_values((0..rows).rev())).unwrap()
}

#[test]
fn a_profile_depends_on_the_values_alone() {
    let room = Room::new();
    let whole = table(&data("demo/customers.parquet"));
    room.parquet("whole.parquet", &whole, 10_000);
    room.parquet("b.parquet", &reversed(&whole.slice(0, 700)), 100);
    room.parquet("a.parquet", &whole.slice(700, whole.num_rows() - 700), 333);
    room.tallow("profile whole.parquet --output one.pq").ok();
    room.tallow("profile a.parquet b.parquet --output two.pq")
        .ok();
    room.tallow("profile b.parquet a.parquet --output three.pq")
        .ok();
    let bytes = |name: &str| std::fs::read(room.path(name)).unwrap();
    assert!(bytes("one.pq") == bytes("two.pq") && bytes("two.pq") == bytes("three.pq"));
    let columns = table(&room.path("one.pq"));
    assert_eq!(columns.num_rows(), whole.num_columns(), "one row a column");
}

#[test]
fn a_profile_stands_for_its_table() {
    let room = Room::new();
    let whole = table(&data("demo/customers.parquet"));
    room.parquet("old.parquet", &whole.slice(0, 1200), 500);
    room.parquet("new.parquet", &whole.slice(1200, 800), 500);
    room.tallow("profile old.parquet --output old.pq").ok();
    room.tallow("profile new.parquet --output new.pq").ok();
    let drift = |pair: &str| room.tallow(&format!("drift {pair}")).ok().stdout;
    let expected = drift("old.parquet new.parquet");
    assert_eq!(drift("old.pq new.parquet"), expected);
    assert_eq!(drift("old.pq new.pq"), expected);
    let same = room
        .tallow("drift old.pq old.parquet --format json")
        .ok()
        .json();
    assert_eq!(same["drift"]["drifted_share"], 0);
    assert_eq!(same["drift"]["age"]["js"], 0);
    assert_eq!(same["drift"]["contract"]["verdict"], "ok");
}

#[test]
fn what_changed_is_found_and_what_did_not_is_ok() {
    let room = Room::new();
    let rows = |shift: f64, plans: &[&str], missing: usize| {
        let mut text = "amount,plan,constant,gone,city\n".to_owned();
        for row in 0..3000_usize {
            let amount = ((row * 7919) % 1009) as f64 / 10.0 + shift;
            let amount = if row % 10 < missing {
                String::new()
            } else {
                amount.to_string()
            };
            let plan = plans[row % plans.len()];
            writeln!(text, "{amount},{plan},1,x,c{}", row % 7).unwrap();
        }
        text
    };
    room.file("old.csv", rows(0.0, &["a", "b", "b"], 1));
    room.file(
        "new.csv",
        rows(30.0, &["a", "b", "c"], 3).replace(",gone,", ",fresh,"),
    );
    let run = room.tallow("drift old.csv new.csv --output r.csv").ok();
    insta::assert_snapshot!("drift_of_two_tables", run.stdout);
    let found = room
        .tallow("drift old.csv new.csv --format json")
        .ok()
        .json();
    let found = &found["drift"];
    for (column, verdict) in [
        ("amount", "drift"),
        ("plan", "drift"),
        ("constant", "ok"),
        ("city", "ok"),
        ("gone", "missing"),
        ("fresh", "new"),
    ] {
        assert_eq!(found[column]["verdict"], verdict, "{column}");
    }
    assert_eq!(found["plan"]["unseen_rate"].as_f64(), Some(1.0 / 3.0));
    assert_eq!(found["amount"]["missing_rate"].as_f64(), Some(0.3));
    assert_eq!(found["amount"]["baseline_missing_rate"].as_f64(), Some(0.1));
    assert_eq!(found["drifted_share"], 0.5);
    let low = found["amount"]["ks_low"].as_f64().unwrap();
    assert!(
        (low - 0.3).abs() < 0.02,
        "30 of 100.9 are below the shifted range: {low}"
    );
}

#[test]
fn hostile_columns_are_profiled_and_compared() {
    let room = Room::new();
    let numbers = [
        0.0,
        -0.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        1e300,
        5e-324,
        -1e300,
    ];
    let rows = numbers.len();
    let lists = (0..rows).map(|row| Some(vec![Some(row as i32)]));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("numbers", Arc::new(Float64Array::from(numbers.to_vec()))),
        ("nothing", Arc::new(NullArray::new(rows))),
        ("null", Arc::new(Float64Array::from(vec![None; rows]))),
        ("one", Arc::new(Int64Array::from(vec![i64::MAX; rows]))),
        (
            "texts",
            Arc::new(StringArray::from_iter_values(
                (0..rows).map(|row| "é".repeat(row * 99)),
            )),
        ),
        (
            "bytes",
            Arc::new(BinaryArray::from_iter_values(
                (0..rows).map(|row| [row as u8]),
            )),
        ),
        (
            "dates",
            Arc::new(Date32Array::from(vec![
                i32::MIN,
                -1,
                0,
                1,
                2,
                3,
                4,
                i32::MAX,
            ])),
        ),
        (
            "times",
            Arc::new(TimestampNanosecondArray::from(vec![
                i64::MIN,
                -1,
                0,
                1,
                2,
                3,
                4,
                i64::MAX,
            ])),
        ),
        (
            "decimals",
            Arc::new(Decimal128Array::from(vec![10_i128.pow(37); rows])),
        ),
        (
            "lists",
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists)),
        ),
        (
            "new\nline \u{1b}[31m",
            Arc::new(Int64Array::from_iter_values(0..rows as i64)),
        ),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, column)| (name, column, true)),
    );
    room.parquet("hostile.parquet", &batch.unwrap(), 3);
    room.tallow("profile hostile.parquet --output h.pq").ok();
    let run = room.tallow("drift h.pq hostile.parquet").ok();
    assert!(run.stdout.starts_with("drift: 0 of "), "{run}");
    assert!(!run.stdout.contains('\u{1b}'), "{run}");
    let found = room
        .tallow("drift h.pq hostile.parquet --format json")
        .ok()
        .json();
    assert_eq!(found["drift"]["numbers"]["missing_rate"], 0.125);
    assert_eq!(found["drift"]["null"]["missing_rate"], 1);
    assert!(found["drift"]["null"]["js"].is_null());
}

#[test]
fn requests_that_do_not_fit_are_refused() {
    let room = Room::new();
    room.file("a.csv", "x\n1\n");
    room.tallow("profile a.csv --output a.pq").ok();
    let mut damaged = table(&room.path("a.pq"));
    let state = damaged.schema().index_of("profile_state").unwrap();
    let mut columns = damaged.columns().to_vec();
    columns[state] = Arc::new(BinaryArray::from_iter_values([b"\xff\xff"]));
    damaged = RecordBatch::try_new(damaged.schema(), columns).unwrap();
    room.parquet("damaged.pq", &damaged, 10);
    let refusals: Vec<String> = [
        "profile a.csv --output a.pq",
        "profile a.csv --output b.csv",
        "profile a.csv --output a.csv --overwrite",
        "profile none.csv --output b.pq",
        "drift a.csv none.csv",
        "drift a.csv a.pq --max-js 2",
        "drift a.csv a.pq --output a.pq --overwrite",
        "drift a.csv damaged.pq",
    ]
    .into_iter()
    .map(|line| {
        let run = room.tallow(line);
        assert!([1, 2, 3].contains(&run.code), "{line}: {run}");
        format!("$ tallow {line}\n{}", run.stderr)
    })
    .collect();
    insta::assert_snapshot!("refused_drift", refusals.join("\n"));
}
