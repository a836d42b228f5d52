//! How many rows a second does each stage between reading and the model do, and those behind it, on
//! one core, rows in memory?
//!
//! `cargo bench --bench stages`. Query, encode, finish and write are the stages whose times reports
//! tell; reading has a bench of its own, and so have the families of models. 28 columns, 64 512
//! rows, in blocks as the workers take them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float32Array, Float64Array, Int64Array, RecordBatch, StringViewArray,
};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use tallow::contract::binding::BoundInput;
use tallow::contract::{CategoryValue, Input, InputKind, Policy, Vocabulary};
use tallow::feature::encode::Encoder;
use tallow::feature::missing::MissingValues;
use tallow::feature::verdict::{Coercions, Origin};
use tallow::feature::{FeatureBlock, Precision};
use tallow::outcome::Margins;
use tallow::outcome::{Label, Link, Outcome, Task};
use tallow::pipeline::scoring::BLOCK_ROWS;
use tallow::pipeline::selection::Selection;
use tallow::table::Sink;
use tallow::table::csv_sink::CsvSink;
use tallow::table::parquet_sink::ParquetSink;

const COLUMNS: usize = 28;
const ROWS: usize = 16 * BLOCK_ROWS;

fn main() {
    divan::main();
}

/// Some number of a row and column, the same on every machine.
fn number(row: usize, column: usize) -> usize {
    (row * 2_654_435_761 + column * 40_503) % 1_000_003
}

fn batch(column: impl Fn(usize) -> ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter((0..COLUMNS).map(|index| (format!("f{index}"), column(index))))
        .expect("columns of one length")
}

fn singles(index: usize) -> ArrayRef {
    Arc::new(
        (0..ROWS)
            .map(|row| number(row, index) as f32 / 7.0)
            .collect::<Float32Array>(),
    )
}

fn singles_with_nulls(index: usize) -> ArrayRef {
    Arc::new(
        (0..ROWS)
            .map(|row| {
                (!number(row, index).is_multiple_of(50)).then_some(number(row, index) as f32 / 7.0)
            })
            .collect::<Float32Array>(),
    )
}

fn doubles(index: usize) -> ArrayRef {
    Arc::new(
        (0..ROWS)
            .map(|row| number(row, index) as f64 / 7.0)
            .collect::<Float64Array>(),
    )
}

fn integers(index: usize) -> ArrayRef {
    Arc::new(
        (0..ROWS)
            .map(|row| number(row, index) as i64)
            .collect::<Int64Array>(),
    )
}

fn texts_of_numbers(index: usize) -> ArrayRef {
    Arc::new(
        (0..ROWS)
            .map(|row| Some(format!("{}.25", number(row, index))))
            .collect::<StringViewArray>(),
    )
}

fn categories(index: usize) -> ArrayRef {
    Arc::new(
        (0..ROWS)
            .map(|row| Some(format!("category {}", number(row, index) % 100)))
            .collect::<StringViewArray>(),
    )
}

fn encode(bencher: Bencher, column: impl Fn(usize) -> ArrayRef, kind: &InputKind) {
    let batch = batch(column);
    let input = |name: &str| Input {
        kind: kind.clone(),
        on_unseen: Policy::Null,
        ..Input::number(name)
    };
    let bound = |field: &Arc<arrow::datatypes::Field>| BoundInput {
        input: input(field.name()),
        column: field.name().clone(),
        data_type: field.data_type().clone(),
    };
    let encoder = Encoder::new(
        batch.schema().fields().iter().map(bound).collect(),
        &MissingValues::default(),
        Some(Precision::Single),
    );
    let origin = Origin {
        path: &tallow::storage::Location::from("rows"),
        kept_rows: None,
        first_row: 0,
    };
    let (mut block, mut counts) = (
        FeatureBlock::empty(Precision::Single),
        vec![Coercions::default(); COLUMNS],
    );
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        for start in (0..ROWS).step_by(BLOCK_ROWS) {
            let columns: Vec<ArrayRef> = batch
                .columns()
                .iter()
                .map(|column| column.slice(start, BLOCK_ROWS))
                .collect();
            let verdicts = encoder.encode(
                &columns,
                BLOCK_ROWS,
                &mut block,
                &mut counts,
                origin.from(start, BLOCK_ROWS),
            );
            black_box(verdicts.expect("values that are taken"));
        }
    });
}

#[divan::bench]
fn encode_single(bencher: Bencher) {
    encode(bencher, singles, &InputKind::Number);
}

#[divan::bench]
fn encode_single_with_nulls(bencher: Bencher) {
    encode(bencher, singles_with_nulls, &InputKind::Number);
}

#[divan::bench]
fn encode_double(bencher: Bencher) {
    encode(bencher, doubles, &InputKind::Number);
}

#[divan::bench]
fn encode_integers(bencher: Bencher) {
    encode(bencher, integers, &InputKind::Number);
}

#[divan::bench]
fn encode_texts_of_numbers(bencher: Bencher) {
    encode(bencher, texts_of_numbers, &InputKind::Number);
}

#[divan::bench]
fn encode_categories(bencher: Bencher) {
    let values = (0..100)
        .map(|code| CategoryValue::Text(format!("category {code}")))
        .collect();
    encode(
        bencher,
        categories,
        &InputKind::Category(Vocabulary {
            values,
            unseen_code: -1.0,
        }),
    );
}

#[divan::bench(args = ["f0 > 70000", "f0 > 70000 AND f1 < f2 * 2 OR f3 IS NULL"])]
fn query(bencher: Bencher, filter: &str) {
    let batch = batch(singles_with_nulls);
    let selection = Selection::new(
        Some(filter),
        &[],
        &batch.schema(),
        &[],
        &MissingValues::default(),
    )
    .expect("a filter that fits")
    .expect("a filter");
    bencher
        .counter(ItemsCount::new(ROWS))
        .bench_local(|| selection.apply(&batch).expect("rows").0.num_rows());
}

#[divan::bench]
fn finish_binary(bencher: Bencher) {
    let labels = [Label::Integer(0), Label::Integer(1)];
    let outcome = Outcome {
        task: Task::Binary {
            labels,
            threshold: 0.5,
        },
        link: Link::Logistic { slope: 1.0 },
    };
    finish(bencher, &outcome, 1);
}

#[divan::bench]
fn finish_five_classes(bencher: Bencher) {
    let labels = (0..5)
        .map(|label| Label::Text(format!("label {label}")))
        .collect();
    finish(
        bencher,
        &Outcome {
            task: Task::Classes {
                labels,
                probabilities: true,
            },
            link: Link::Softmax,
        },
        5,
    );
}

fn finish(bencher: Bencher, outcome: &Outcome, margin_count: usize) {
    let margins = Margins::Single(
        (0..ROWS * margin_count)
            .map(|position| number(position, 1) as f32 / 125_000.0 - 4.0)
            .collect(),
    );
    bencher
        .counter(ItemsCount::new(ROWS))
        .bench_local(|| outcome.columns(&margins, margin_count, false));
}

/// What comes out of most runs: an id, a probability, a label.
fn answers() -> RecordBatch {
    let probability: Float32Array = (0..ROWS)
        .map(|row| number(row, 2) as f32 / 1_000_003.0)
        .collect();
    let label: Int64Array = (0..ROWS)
        .map(|row| i64::from(number(row, 2) > 500_000))
        .collect();
    let id: Int64Array = (0..ROWS as i64).collect();
    let columns: [(&str, ArrayRef); 3] = [
        ("id", Arc::new(id)),
        ("probability", Arc::new(probability)),
        ("prediction", Arc::new(label)),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

#[divan::bench]
fn write_parquet(bencher: Bencher) {
    let batch = answers();
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        let mut sink =
            Box::new(ParquetSink::new(Vec::new(), batch.schema(), &[], None).expect("a sink"));
        sink.write(&batch).expect("rows");
        sink.finish().expect("the end");
    });
}

#[divan::bench]
fn write_csv(bencher: Bencher) {
    let batch = answers();
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        let mut sink = Box::new(CsvSink::new(Vec::new(), batch.schema(), b',').expect("a sink"));
        sink.write(&batch).expect("rows");
        sink.finish().expect("the end");
    });
}
