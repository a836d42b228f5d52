//! Rows that come as columns of lists: which column is taken, what becomes of lists that do not
//! fit, and rows of different lengths.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, FixedSizeListArray, Float32Array, ListArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Int64Type};

use crate::harness::{Room, column, data, numbers, table};

/// The rows of a model whose input is a matrix of six numbers, called `X`.
fn rows() -> Vec<Vec<f32>> {
    let input = table(&data("golden/onnx_logistic_nameless/input.parquet"));
    let columns: Vec<Vec<f64>> = (0..6)
        .map(|index| numbers(column(&input, &format!("x{index}"))))
        .collect();
    (0..input.num_rows())
        .map(|row| columns.iter().map(|column| column[row] as f32).collect())
        .collect()
}

fn fixed(rows: &[Vec<f32>]) -> ArrayRef {
    let field = Arc::new(Field::new_list_field(DataType::Float32, true));
    Arc::new(FixedSizeListArray::new(
        field,
        rows[0].len() as i32,
        Arc::new(Float32Array::from(rows.concat())),
        None,
    ))
}

fn batch(name: &str, lists: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter([(name, lists)]).unwrap()
}

fn line(rows: &str, further: &str) -> String {
    let model = data("golden/onnx_logistic_nameless/model.onnx");
    format!(
        "score --model {} {rows} --output out.parquet --overwrite --passthrough none --format \
         json {further}",
        model.display()
    )
}

fn probabilities(room: &Room) -> Vec<f64> {
    numbers(column(&room.table("out.parquet"), "probability"))
}

#[test]
fn a_matrix_is_fed_by_one_column_of_lists_as_by_columns() {
    let room = Room::new();
    std::fs::copy(
        data("golden/onnx_logistic_nameless/input.parquet"),
        room.path("plain.parquet"),
    )
    .unwrap();
    room.tallow(&line("plain.parquet", "--features x0,x1,x2,x3,x4,x5"))
        .ok();
    let expected = probabilities(&room);
    let rows = rows();
    room.parquet("fixed.parquet", &batch("X", fixed(&rows)), 64);
    room.tallow(&line("fixed.parquet", "")).ok();
    assert_eq!(probabilities(&room), expected);
    let doubles = rows.iter().map(|row| {
        Some(
            row.iter()
                .map(|value| Some(f64::from(*value)))
                .collect::<Vec<_>>(),
        )
    });
    let lists = ListArray::from_iter_primitive::<Float64Type, _, _>(doubles);
    room.parquet("lists.parquet", &batch("embedding", Arc::new(lists)), 64);
    room.tallow(&line("lists.parquet", "--features embedding"))
        .ok();
    assert_eq!(probabilities(&room), expected);
    room.tallow(&line("lists.parquet", "--rename embedding=X"))
        .ok();
    assert_eq!(probabilities(&room), expected);
}

#[test]
fn lists_of_another_length_by_their_type_stop_the_run_before_the_first_row() {
    let room = Room::new();
    let short: Vec<Vec<f32>> = rows().into_iter().map(|row| row[..5].to_vec()).collect();
    room.parquet("short.parquet", &batch("X", fixed(&short)), 64);
    let run = room.tallow(&line("short.parquet", "")).fails(3);
    assert!(
        run.stderr.contains("the model reads lists of 6 numbers"),
        "{run}"
    );
    room.file("text.csv", "X\n[1 2 3 4 5 6]\n");
    let run = room.tallow(&line("text.csv", "--features X")).fails(3);
    assert!(
        run.stderr
            .contains("`--features` gives 1 column, the model reads 6"),
        "{run}"
    );
}

#[test]
fn lists_that_are_missing_or_of_another_length_are_bad_rows() {
    let room = Room::new();
    let whole = |value: f32| Some(vec![Some(value); 6]);
    let lists = [
        whole(0.5),
        None,
        whole(0.25),
        Some(vec![Some(1.0); 4]),
        Some(vec![None; 6]),
    ];
    room.parquet(
        "bad.parquet",
        &batch(
            "X",
            Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(lists)),
        ),
        64,
    );
    let run = room.tallow(&line("bad.parquet", "")).fails(1);
    assert!(
        run.stderr
            .contains("a value is missing (`bad.parquet`, row 2, column `X`)")
            && run.stderr.contains("X=null` reads them as NaN"),
        "{run}"
    );
    let run = room.tallow(&line("bad.parquet", "--on-null null")).fails(1);
    assert!(
        run.stderr
            .contains("a list is of another length: the model reads lists of 6 numbers")
            && run.stderr.contains("row 4"),
        "{run}"
    );
    let run = room
        .tallow(&line("bad.parquet", "--on-unseen reject --on-null reject"))
        .ok();
    assert_eq!(
        (
            &run.json()["ledger"]["scored"],
            &run.json()["ledger"]["rejected"]
        ),
        (&2.into(), &3.into())
    );
    let kept = probabilities(&room);
    let run = room
        .tallow(&line("bad.parquet", "--on-unseen X=0.5 --on-null X=0.25"))
        .ok();
    assert_eq!(run.json()["ledger"]["scored"], 5);
    let all = probabilities(&room);
    assert_eq!((all[0], all[2]), (kept[0], kept[1]));
    assert_eq!((all[1], all[3], all[4]), (kept[1], kept[0], kept[1]));
}

/// Rows of the graph that reads tokens of any number, with a mask of the same lengths.
fn token_lists(lists: &[Option<Vec<i64>>]) -> RecordBatch {
    let ones = |list: &Option<Vec<i64>>| list.as_ref().map(|list| vec![Some(1); list.len()]);
    let tokens = lists.iter().map(|list| {
        list.as_ref()
            .map(|list| list.iter().copied().map(Some).collect::<Vec<_>>())
    });
    let tokens: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(tokens));
    let mask: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(
        lists.iter().map(ones),
    ));
    RecordBatch::try_from_iter([("tokens", tokens), ("mask", mask)]).unwrap()
}

#[test]
fn rows_of_different_lengths_keep_their_order_and_score_as_they_do_alone() {
    let (room, model) = (Room::new(), data("golden/onnx_lengths/model.onnx"));
    let score = |rows: &str, further: &str| {
        let line = format!(
            "score --model {} {rows} --output out.parquet --overwrite --passthrough none --format \
             json {further}",
            model.display()
        );
        room.tallow(&line)
    };
    let lists: Vec<Option<Vec<i64>>> = (0..700_i64)
        .map(|row| Some((0..=row * 7 % 23).map(|index| (row + index) % 50).collect()))
        .collect();
    room.parquet("all.parquet", &token_lists(&lists), 128);
    score("all.parquet", "").ok();
    let all = room.table("out.parquet");
    let scores = numbers(column(&all, "score"));
    for row in [0, 1, 22, 699] {
        room.parquet("one.parquet", &token_lists(&lists[row..=row]), 1);
        score("one.parquet", "").ok();
        let one = room.table("out.parquet");
        assert_eq!(
            numbers(column(&one, "score")),
            scores[row..=row],
            "row {row}"
        );
        assert_eq!(
            column(&one, "scores").as_ref(),
            column(&all, "scores").slice(row, 1).as_ref(),
            "row {row}"
        );
    }
    room.parquet(
        "bad.parquet",
        &token_lists(&[Some(vec![1, 2]), None, Some(vec![]), Some(vec![3])]),
        4,
    );
    score("bad.parquet", "--on-null reject").fails(1);
    let run = score("bad.parquet", "--on-null reject --on-unseen reject").ok();
    assert_eq!(
        (
            &run.json()["ledger"]["scored"],
            &run.json()["ledger"]["rejected"]
        ),
        (&2.into(), &2.into())
    );
    room.file("rows.csv", "tokens,mask\n1,1\n");
    assert!(
        score("rows.csv", "")
            .fails(3)
            .stderr
            .contains("delimited text holds no lists")
    );
}

#[test]
fn a_matrix_of_any_width_asks_for_its_columns() {
    let (room, model) = (Room::new(), data("golden/onnx_lengths_open/model.onnx"));
    let input = data("golden/onnx_lengths_open/input.parquet");
    let line = format!(
        "score --model {} {} --output out.parquet --passthrough none",
        model.display(),
        input.display()
    );
    assert!(
        room.tallow(&line)
            .fails(3)
            .stderr
            .contains("`--features a,b,c`")
    );
    room.tallow(&format!("{line} --features a,b,c,d")).ok();
    room.tallow(&format!("inspect {}", model.display())).ok();
}
