//! `tallow profile` and `tallow drift`: what columns hold, and how that changed.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BinaryArray, Date32Array, Decimal128Array, Float64Array, Int32Array,
    Int64Array, ListArray, NullArray, RecordBatch, StringArray, TimestampNanosecondArray,
    UInt32Array, UInt64Array,
};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, Float64Type, Int32Type, TimeUnit};

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

#[test]
fn large_integers_and_long_decimals_are_counted_as_what_they_are() {
    let room = Room::new();
    let rows = 0..2_000_i64;
    let decimals = rows.clone().map(|row| 10_i128.pow(20) + i128::from(row));
    let decimals = Decimal128Array::from_iter_values(decimals);
    let ids = RecordBatch::try_from_iter([
        (
            "signed",
            Arc::new(Int64Array::from_iter_values(
                rows.clone().map(|row| (1 << 60) + row),
            )) as ArrayRef,
        ),
        (
            "unsigned",
            Arc::new(UInt64Array::from_iter_values(
                rows.map(|row| (1 << 63) + row as u64),
            )),
        ),
        (
            "decimal",
            Arc::new(decimals.with_precision_and_scale(38, 10).unwrap()),
        ),
    ]);
    room.parquet("ids.parquet", &ids.unwrap(), 700);
    room.tallow("profile ids.parquet --output ids.pq").ok();
    let found = table(&room.path("ids.pq"));
    let distinct = found.column_by_name("distinct").unwrap();
    for count in distinct.as_primitive::<Float64Type>().values() {
        assert!((count / 2_000.0 - 1.0).abs() < 0.08, "{distinct:?}");
    }
}

/// Every minute of two weeks.
const MINUTES: i64 = 14 * 24 * 60;

/// The same instants, days, times of day and durations, in seconds of which each is `per_second`.
fn moments(unit: TimeUnit, per_second: i64, day: &DataType) -> RecordBatch {
    let seconds = || (0..MINUTES).map(|row| 1_767_225_600 + row * 60);
    let times = Int64Array::from_iter_values(seconds().map(|one| one * per_second));
    let times: ArrayRef = Arc::new(times);
    let days = Int32Array::from_iter_values(seconds().map(|one| (one / 86_400) as i32));
    let days = cast(&(Arc::new(days) as ArrayRef), &DataType::Date32).unwrap();
    let spans = Int64Array::from_iter_values((0..MINUTES).map(|row| row * per_second));
    let spans: ArrayRef = Arc::new(spans);
    let to = |column: &ArrayRef, data_type: &DataType| cast(column, data_type).unwrap();
    RecordBatch::try_from_iter([
        ("at", to(&times, &DataType::Timestamp(unit, None))),
        ("day", to(&days, day)),
        ("span", to(&spans, &DataType::Duration(unit))),
    ])
    .unwrap()
}

#[test]
fn the_same_instants_in_another_unit_are_no_drift() {
    let room = Room::new();
    let micro = moments(TimeUnit::Microsecond, 1_000_000, &DataType::Date32);
    let nano = moments(
        TimeUnit::Nanosecond,
        1_000_000_000,
        &DataType::Timestamp(TimeUnit::Second, None),
    );
    room.parquet("micro.parquet", &micro, 5_000);
    room.parquet("nano.parquet", &nano, 5_000);
    room.tallow("profile micro.parquet --output micro.pq").ok();
    let found = room.tallow("drift micro.pq nano.parquet --format json");
    let found = found.ok().json();
    for column in ["at", "day", "span"] {
        assert_eq!(found["drift"][column]["js"], 0, "{column}");
        assert_eq!(found["drift"][column]["verdict"], "ok", "{column}");
    }
    let shown = room.tallow("inspect micro.pq").ok().stdout;
    let (_, columns) = shown.split_once("\n\n").unwrap();
    insta::assert_snapshot!("inspect_of_times", columns);
}

#[test]
fn columns_that_cannot_be_compared_are_listed() {
    let room = Room::new();
    let columns = |flag: ArrayRef| {
        let lists = (0..30).map(|row| Some(vec![Some(row)]));
        RecordBatch::try_from_iter([
            (
                "number",
                Arc::new(Int32Array::from_iter_values(0..30)) as ArrayRef,
            ),
            (
                "bytes",
                Arc::new(BinaryArray::from_iter_values((0..30_u8).map(|row| [row]))),
            ),
            (
                "list",
                Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists)),
            ),
            ("flag", flag),
        ])
        .unwrap()
    };
    let days: ArrayRef = Arc::new(Date32Array::from_iter_values(0..30));
    room.parquet(
        "old.parquet",
        &columns(Arc::new(Int64Array::from_iter_values(0..30))),
        30,
    );
    room.parquet("new.parquet", &columns(days), 30);
    let run = room.tallow("drift old.parquet new.parquet -v").ok();
    insta::assert_snapshot!("drift_of_columns_of_other_kinds", run.stdout);
    let found = room.tallow("drift old.parquet new.parquet --format json");
    let found = &found.ok().json()["drift"];
    assert_eq!(found["list"]["verdict"], "not_compared");
    assert_eq!(found["flag"]["kind"], "times");
    assert_eq!(found["columns"], 1);
}
