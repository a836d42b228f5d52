//! How many rows a second are read, from Parquet and from CSV, all columns, on one core?
//!
//! `cargo bench --bench read`. The files are made first, in a temporary directory.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, RecordBatch};
use divan::Bencher;
use divan::counter::ItemsCount;
use tallow::table::ReadOptions;
use tallow::table::Sink;
use tallow::table::csv_sink::CsvSink;
use tallow::table::dataset::{Dataset, Position};
use tallow::table::parquet_sink::ParquetSink;

const COLUMNS: usize = 28;
const ROWS: usize = 200_000;

fn main() {
    divan::main();
}

fn batch() -> RecordBatch {
    let column = |index: usize| {
        (0..ROWS)
            .map(|row| ((row * 2_654_435_761 + index * 40_503) % 1_000_003) as f32 / 7.0)
            .collect::<Float32Array>()
    };
    RecordBatch::try_from_iter(
        (0..COLUMNS).map(|index| (format!("f{index}"), Arc::new(column(index)) as ArrayRef)),
    )
    .expect("columns of one length")
}

fn read(bencher: Bencher, path: &Path) {
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        let dataset = Arc::new(
            Dataset::open(
                &[tallow::storage::Location::from(path)],
                &[],
                &ReadOptions::default(),
            )
            .expect("a file that was just written"),
        );
        let mut portions =
            dataset.portions(&dataset.as_read(&dataset.schema()), Position::default());
        let mut rows = 0;
        while let Some(portion) = portions
            .next_portion(u64::MAX)
            .expect("a file that can be cut")
        {
            rows += (portion.portion.decode)().expect("rows").num_rows();
        }
        assert_eq!(rows, ROWS);
    });
}

#[divan::bench]
fn parquet(bencher: Bencher) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("rows.parquet");
    let batch = batch();
    let file = std::fs::File::create(&path).expect("a new file");
    let mut sink = Box::new(ParquetSink::new(file, batch.schema(), &[], None).expect("a sink"));
    sink.write(&batch).expect("rows");
    sink.finish().expect("the end");
    read(bencher, &path);
}

#[divan::bench]
fn csv(bencher: Bencher) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("rows.csv");
    let batch = batch();
    let file = std::fs::File::create(&path).expect("a new file");
    let mut sink = Box::new(CsvSink::new(file, batch.schema(), b',').expect("a sink"));
    sink.write(&batch).expect("rows");
    sink.finish().expect("the end");
    read(bencher, &path);
}
