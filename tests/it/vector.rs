//! Rows of a matrix that come as one column of lists: which column is taken, and what becomes of lists that do not fit.

use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeListArray, Float32Array, ListArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type};

use crate::harness::{Room, column, data, numbers, table};

/// The rows of a model whose input is a matrix of six numbers, called `X`.
fn rows() -> Vec<Vec<f32>> {
    let input = table(&data("golden/onnx_logistic_nameless/input.parquet"));
    let columns: Vec<Vec<f64>> = (0..6).map(|place| numbers(column(&input, &format!("x{place}")))).collect();
    (0..input.num_rows()).map(|row| columns.iter().map(|column| column[row] as f32).collect()).collect()
}

fn fixed(rows: &[Vec<f32>]) -> ArrayRef {
    let field = Arc::new(Field::new_list_field(DataType::Float32, true));
    Arc::new(FixedSizeListArray::new(field, rows[0].len() as i32, Arc::new(Float32Array::from(rows.concat())), None))
}

fn batch(name: &str, lists: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter([(name, lists)]).unwrap()
}

fn line(rows: &str, further: &str) -> String {
    let model = data("golden/onnx_logistic_nameless/model.onnx");
    format!("score --model {} {rows} --output out.parquet --overwrite --passthrough none --format json {further}", model.display())
}

fn probabilities(room: &Room) -> Vec<f64> {
    numbers(column(&room.table("out.parquet"), "probability"))
}

#[test]
fn a_matrix_is_fed_by_one_column_of_lists_as_by_columns() {
    let room = Room::new();
    std::fs::copy(data("golden/onnx_logistic_nameless/input.parquet"), room.path("plain.parquet")).unwrap();
    room.tallow(&line("plain.parquet", "--features x0,x1,x2,x3,x4,x5")).ok();
    let expected = probabilities(&room);
    let rows = rows();
    room.parquet("fixed.parquet", &batch("X", fixed(&rows)), 64);
    room.tallow(&line("fixed.parquet", "")).ok();
    assert_eq!(probabilities(&room), expected);
    let doubles = rows.iter().map(|row| Some(row.iter().map(|value| Some(f64::from(*value))).collect::<Vec<_>>()));
    let lists = ListArray::from_iter_primitive::<Float64Type, _, _>(doubles);
    room.parquet("lists.parquet", &batch("embedding", Arc::new(lists)), 64);
    room.tallow(&line("lists.parquet", "--features embedding")).ok();
    assert_eq!(probabilities(&room), expected);
    room.tallow(&line("lists.parquet", "--rename embedding=X")).ok();
    assert_eq!(probabilities(&room), expected);
}

#[test]
fn lists_of_another_length_by_their_type_stop_the_run_before_the_first_row() {
    let room = Room::new();
    let short: Vec<Vec<f32>> = rows().into_iter().map(|row| row[..5].to_vec()).collect();
    room.parquet("short.parquet", &batch("X", fixed(&short)), 64);
    let run = room.tallow(&line("short.parquet", "")).fails(3);
    assert!(run.stderr.contains("the model reads lists of 6 numbers"), "{run}");
    room.file("text.csv", "X\n[1 2 3 4 5 6]\n");
    let run = room.tallow(&line("text.csv", "--features X")).fails(3);
    assert!(run.stderr.contains("`--features` gives 1 column, the model reads 6"), "{run}");
}

#[test]
fn lists_that_are_missing_or_of_another_length_are_bad_rows() {
    let room = Room::new();
    let whole = |value: f32| Some(vec![Some(value); 6]);
    let lists = [whole(0.5), None, whole(0.25), Some(vec![Some(1.0); 4]), Some(vec![None; 6])];
    room.parquet("bad.parquet", &batch("X", Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(lists))), 64);
    let run = room.tallow(&line("bad.parquet", "")).fails(1);
    assert!(run.stderr.contains("a list is of another length than the model reads") && run.stderr.contains("row 4"), "{run}");
    let run = room.tallow(&line("bad.parquet", "--on-unseen reject --on-null reject")).ok();
    assert_eq!((&run.json()["ledger"]["scored"], &run.json()["ledger"]["rejected"]), (&2.into(), &3.into()));
    let kept = probabilities(&room);
    let run = room.tallow(&line("bad.parquet", "--on-unseen X=0.5 --on-null X=0.25")).ok();
    assert_eq!(run.json()["ledger"]["scored"], 5);
    let all = probabilities(&room);
    assert_eq!((all[0], all[2]), (kept[0], kept[1]));
    assert_eq!((all[1], all[3], all[4]), (kept[1], kept[0], kept[1]));
}
