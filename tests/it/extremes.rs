//! Numbers that a model's own library refuses: too large, infinite, or not a category.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::DataType;

use crate::harness::{Room, data, table};

/// The rows of a golden case with `value` in one column of the second row.
fn rows_with(case: &str, column: &str, value: f64) -> RecordBatch {
    let rows = table(&data("golden").join(case).join("input.parquet")).slice(0, 4);
    let mut columns: Vec<(String, ArrayRef)> = rows
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .zip(rows.columns().iter().cloned())
        .collect();
    let changed = columns.iter_mut().find(|(name, _)| name == column);
    let mut values = vec![1.0; 4];
    values[1] = value;
    changed.unwrap().1 = Arc::new(Float64Array::from(values));
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Its file names no columns.
const NAMELESS: &str = "sklearn_0_24_2_isolation";

/// What scikit-learn 1.9.1 does with each: it rounds the features of trees to single precision and
/// raises "Input X contains infinity or a value too large for dtype('float32')"; since 1.4
/// isolation forests take all, and so does histogram boosting, which does not round.
#[test]
fn numbers_beyond_single_precision_are_refused_where_scikit_learn_refuses_them() {
    let beyond = [1e39, -1e39, 3.402_823_6e38, f64::INFINITY];
    let within = [3.402_823_4e38, -3.402_823_4e38];
    let cases = [
        ("sklearn_1_9_1_forest_three", &within[..], &beyond[..]),
        ("sklearn_1_9_1_boosting_two", &within, &beyond),
        ("sklearn_1_9_1_isolation", &beyond, &[]),
        (NAMELESS, &within, &beyond),
        ("sklearn_1_9_1_histogram_value", &beyond, &[]),
    ];
    for (case, taken, refused) in cases {
        let room = Room::new();
        let model = data("golden").join(case).join("model.joblib");
        let score = |value: f64, flags: &str| {
            room.parquet("rows.parquet", &rows_with(case, "age", value), 10);
            let line = "rows.parquet --output out.parquet --overwrite";
            let line = line.split_whitespace().chain(flags.split_whitespace());
            let start = ["score", "--model", model.to_str().unwrap()];
            let names = ["--features", "age,income,ratio"];
            let names = names.into_iter().take(if case == NAMELESS { 2 } else { 0 });
            room.run(start.into_iter().chain(names).chain(line))
        };
        for value in taken {
            let run = score(*value, "");
            assert_eq!(run.code, 0, "{case}, {value}: {run}");
        }
        for value in refused {
            let run = score(*value, "").fails(1);
            assert!(
                run.stderr.contains("infinite or too large")
                    && run.stderr.contains("row 2, column `age`"),
                "{case}, {value}: {run}"
            );
            let run = score(*value, "--on-unseen reject").ok();
            assert!(run.stderr.contains("1 row: infinite in `age`"), "{run}");
            assert!(
                !run.stderr.contains("warning"),
                "the flag has an effect: {run}"
            );
        }
    }
}

/// scikit-learn 1.9.1 raises "Input X contains infinity or a value too large" for each: what a step
/// makes of a number that the table may hold is infinite where the next part reads it.
#[test]
fn numbers_that_a_step_makes_infinite_are_refused_at_their_row() {
    for (case, column, value) in [
        // Scaled, and beyond the single precision of trees.
        ("sklearn_1_9_1_mixed_forest", "age", 1e60),
        // Squared, and read by a linear model.
        ("sklearn_1_9_1_step_polynomial", "ratio", 1e200),
    ] {
        let room = Room::new();
        let model = data("golden").join(case).join("model.joblib");
        room.parquet("rows.parquet", &rows_with(case, column, value), 10);
        let score = |flags: &str| {
            let line = "rows.parquet --output out.parquet --overwrite";
            let line = line.split_whitespace().chain(flags.split_whitespace());
            room.run(
                ["score", "--model", model.to_str().unwrap()]
                    .into_iter()
                    .chain(line),
            )
        };
        let run = score("").fails(1);
        let location = format!("row 2, column `{column}`");
        assert!(
            run.stderr
                .contains("a step of the model makes an infinite number")
                && run.stderr.contains(&location),
            "{case}: {run}"
        );
        let run = score("--on-unseen reject").ok();
        let counted = format!("1 row: infinite in `{column}`");
        assert!(run.stderr.contains(&counted), "{case}: {run}");
        assert_eq!(room.table("out.parquet").num_rows(), 3, "{case}");
        score(&format!("--on-unseen {column}=null")).ok();
        let found = room.table("out.parquet");
        let prediction = found.column_by_name("prediction").unwrap();
        let missing: Vec<bool> = (0..4).map(|row| prediction.is_null(row)).collect();
        assert_eq!(missing, [false, true, false, false], "{case}");
    }
}

/// Columns of single precision are read as they are; the same numbers as doubles take another way
/// to the same bits, profiles and counts.
#[test]
fn singles_and_the_same_numbers_as_doubles_have_the_same_scores_and_profile() {
    for case in [
        "sklearn_1_9_1_forest_three",
        "sklearn_1_9_1_boosting_two",
        "sklearn_1_9_1_bagging_features",
        "sklearn_1_9_1_isolation",
        "sklearn_1_9_1_histogram_value",
    ] {
        let room = Room::new();
        let model = data("golden").join(case).join("model.joblib");
        let rows = table(&data("golden").join(case).join("input.parquet"));
        // Enough rows for whole slices and a rest.
        let indices = UInt32Array::from_iter_values((0..1_300).map(|row| row * 7 % 60));
        let rows = take_record_batch(&rows, &indices).unwrap();
        for (name, types) in [
            ("singles", &[DataType::Float32][..]),
            ("doubles", &[DataType::Float32, DataType::Float64]),
        ] {
            let columns = rows.columns().iter().map(|column| {
                let cast = |column: ArrayRef, to| arrow::compute::cast(&column, to).unwrap();
                types.iter().fold(column.clone(), cast)
            });
            let names = rows.schema();
            let names = names.fields().iter().map(|field| field.name().clone());
            let rows = RecordBatch::try_from_iter(names.zip(columns)).unwrap();
            room.parquet(&format!("{name}.parquet"), &rows, 700);
            let line = format!(
                "{name}.parquet --output {name}.out.parquet --profile {name}.pq --batch-rows 650"
            );
            let start = ["score", "--model", model.to_str().unwrap()];
            room.run(start.into_iter().chain(line.split_whitespace()))
                .ok();
        }
        let [singles, doubles] =
            ["singles", "doubles"].map(|name| room.table(&format!("{name}.out.parquet")));
        assert!(singles == doubles, "{case}");
        let [singles, doubles] =
            ["singles.pq", "doubles.pq"].map(|name| std::fs::read(room.path(name)).unwrap());
        assert!(singles == doubles, "{case}");
    }
}

/// CatBoost 1.2 raises for every float in a category column; those that are integers are taken,
/// because pandas makes floats of integers with gaps.
#[test]
fn numbers_without_a_text_of_digits_are_not_categories_of_catboost() {
    let room = Room::new();
    let case = "catboost_hashes";
    let model = data("golden").join(case).join("model.json");
    for (value, is_taken) in [
        (7.0, true),
        (-3.0, true),
        (1.5, false),
        (1e300, false),
        (f64::INFINITY, false),
    ] {
        room.parquet("rows.parquet", &rows_with(case, "whole", value), 10);
        let score = |flags: &str| {
            let line = "rows.parquet --output out.parquet --overwrite";
            let line = line.split_whitespace().chain(flags.split_whitespace());
            let start = ["score", "--model", model.to_str().unwrap()];
            room.run(start.into_iter().chain(line))
        };
        let run = score("");
        assert_eq!(run.code, i32::from(!is_taken), "{value}: {run}");
        if !is_taken {
            let message = "a category is a number that is not an integer of 64 bits";
            assert!(run.stderr.contains(message), "{run}");
            assert!(run.stderr.contains("row 2, column `whole`"), "{run}");
            assert!(
                score("--on-unseen whole=reject")
                    .ok()
                    .stderr
                    .contains("1 rejected")
            );
        }
    }
}
