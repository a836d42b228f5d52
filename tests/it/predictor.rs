//! The front door for Rust programs: the numbers of the original libraries, whatever the batches.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray,
};
use arrow::compute::{concat_batches, filter_record_batch};
use tallow::Predictor;
use tallow::contract::Policy;
use tallow::error::Kind;
use tallow::feature::verdict::Reason;
use tallow::predictor::{Predictions, PredictorOptions};

use crate::golden::{cases, differences, read};
use crate::harness::{data, table};

fn churn(options: PredictorOptions) -> Predictor {
    Predictor::with_options(data("demo/churn"), options).unwrap()
}

fn customers() -> RecordBatch {
    table(&data("demo/customers.parquet"))
}

/// The rows that have an answer.
fn answered(answers: &Predictions) -> RecordBatch {
    let is_rejected = |row: usize| answers.rejected.iter().any(|one| one.row == row);
    let kept = (0..answers.batch.num_rows()).map(|row| Some(!is_rejected(row)));
    filter_record_batch(&answers.batch, &kept.collect::<BooleanArray>()).unwrap()
}

#[test]
fn every_case_without_options_scores_as_its_library_does() {
    let (mut failures, mut count) = (Vec::new(), 0);
    for directory in cases() {
        let case = read(&directory);
        if !case.arguments.is_empty() {
            continue;
        }
        let name = directory.file_name().unwrap().to_string_lossy();
        let options = PredictorOptions {
            raw: !name.starts_with("onnx") && case.raw,
            ..PredictorOptions::default()
        };
        let answers = Predictor::with_options(directory.join(&case.model), options)
            .and_then(|predictor| predictor.predict(&table(&directory.join("input.parquet"))));
        count += 1;
        match answers {
            Ok(answers) => failures.extend(
                differences(
                    &case,
                    &table(&directory.join("expected.parquet")),
                    &answered(&answers),
                )
                .into_iter()
                .map(|difference| format!("{name}: {difference}")),
            ),
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(count > 100, "{count} cases");
}

#[test]
fn batches_of_any_size_and_threads_give_the_same_rows() {
    let (predictor, rows) = (churn(PredictorOptions::default()), customers());
    let whole = predictor.predict(&rows).unwrap().batch;
    let cuts = [0, 1, 8, 600, 601, rows.num_rows()];
    let pieces = std::thread::scope(|scope| {
        let cut = |pair: &[usize]| {
            let rows = rows.slice(pair[0], pair[1] - pair[0]);
            let predictor = &predictor;
            scope.spawn(move || predictor.predict(&rows).unwrap().batch)
        };
        let workers: Vec<_> = cuts.windows(2).map(cut).collect();
        let pieces = workers.into_iter().map(|worker| worker.join().unwrap());
        pieces.collect::<Vec<_>>()
    });
    assert_eq!(concat_batches(&whole.schema(), &pieces).unwrap(), whole);
    let none = predictor.predict(&rows.slice(0, 0)).unwrap().batch;
    assert_eq!((none.num_rows(), none.schema()), (0, whole.schema()));
}

#[test]
fn a_rejected_row_is_null_and_explains_why_and_the_others_stay() {
    let mut options = PredictorOptions::default();
    options.binding.on_null = vec![("tenure_months".to_owned(), Policy::Reject)];
    let (predictor, rows) = (churn(options), customers().slice(0, 4));
    let whole = predictor.predict(&rows).unwrap().batch;
    let schema = rows.schema();
    let (index, field) = schema.column_with_name("tenure_months").unwrap();
    let mut columns = rows.columns().to_vec();
    let tenure: ArrayRef = Arc::new(Float64Array::from(vec![Some(3.0), None, Some(3.0), None]));
    columns[index] = arrow::compute::cast(&tenure, field.data_type()).unwrap();
    let answers = predictor
        .predict(&RecordBatch::try_new(schema.clone(), columns).unwrap())
        .unwrap();
    let rejected: Vec<_> = answers
        .rejected
        .iter()
        .map(|one| (one.row, one.column.as_str(), one.reason))
        .collect();
    assert_eq!(
        rejected,
        [
            (1, "tenure_months", Reason::Null),
            (3, "tenure_months", Reason::Null)
        ]
    );
    for column in answers.batch.columns() {
        let nulls: Vec<bool> = (0..4).map(|row| column.is_null(row)).collect();
        assert_eq!(nulls, [false, true, false, true]);
    }
    assert_eq!(answers.batch.schema(), whole.schema());
}

#[test]
fn a_threshold_decides_the_label() {
    let options = PredictorOptions {
        threshold: Some(0.0),
        ..PredictorOptions::default()
    };
    let answers = churn(options).predict(&customers()).unwrap().batch;
    let labels = answers.column_by_name("prediction").unwrap();
    let own = churn(PredictorOptions::default())
        .predict(&customers())
        .unwrap()
        .batch;
    assert_ne!(own.column_by_name("prediction").unwrap(), labels);
    let texts = arrow::compute::cast(labels, &arrow::datatypes::DataType::Utf8).unwrap();
    let first = texts.as_string::<i32>().value(0).to_owned();
    assert!(
        texts
            .as_string::<i32>()
            .iter()
            .all(|label| label == Some(first.as_str()))
    );
    let options = PredictorOptions {
        threshold: Some(1.5),
        ..PredictorOptions::default()
    };
    let error = Predictor::with_options(data("demo/churn"), options).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
}

#[test]
fn columns_that_do_not_fit_are_contract_errors_and_the_predictor_goes_on() {
    let (predictor, rows) = (churn(PredictorOptions::default()), customers());
    let text: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    let wrong = RecordBatch::try_from_iter([("age", text)]).unwrap();
    assert_eq!(
        predictor.predict(&wrong).unwrap_err().kind(),
        Kind::Contract
    );
    assert_eq!(
        predictor.predict(&rows).unwrap().batch.num_rows(),
        rows.num_rows()
    );
    assert!(Predictor::open(data("demo/absent")).is_err());
}

#[test]
fn a_bound_predictor_knows_its_columns_and_refuses_batches_of_others() {
    let (predictor, rows) = (churn(PredictorOptions::default()), customers());
    let bound = predictor.bind(&rows.schema()).unwrap();
    let columns: Vec<_> = bound.columns().collect();
    assert!(
        columns.contains(&("tenure_months", "tenure_months")),
        "{columns:?}"
    );
    assert_eq!(bound.fields(), predictor.fields());
    let (bound_rows, own_rows) = (bound.predict(&rows), predictor.predict(&rows));
    assert_eq!(bound_rows.unwrap().batch, own_rows.unwrap().batch);
    let fewer = rows.project(&[0, 1]).unwrap();
    let error = bound.predict(&fewer).unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (
            Kind::Contract,
            "the batch has other columns than those that were bound"
        )
    );
    // What is missing is found before there is a row.
    let error = predictor.bind(&fewer.schema()).unwrap_err();
    assert_eq!(error.kind(), Kind::Contract);
    assert!(error.message().contains("`tenure_months`"), "{error}");
}
