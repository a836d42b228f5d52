//! How do I score rows from a Rust program? Opens a model once and scores record batches as they
//! come; here they come from a Parquet file, as rows from anywhere would.
//!
//! `cargo run --release --example score_from_rust -- data/demo/churn data/demo/customers.parquet`

#![expect(clippy::print_stdout, reason = "a program, not a library")]

use std::fs::File;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tallow::Predictor;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments.next().ok_or("which model?")?;
    let rows = arguments.next().ok_or("which Parquet file?")?;

    let predictor = Predictor::open(model)?;
    let identity = predictor.identity();
    println!("{} {}", identity.name, identity.digest);
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(rows)?)?;
    // What does not fit is an error here, before there is a row.
    let predictor = predictor.bind(reader.schema())?;
    for (input, column) in predictor.columns() {
        println!("{input} <- {column}");
    }
    for batch in reader.build()? {
        let answers = predictor.predict(&batch?)?;
        let rejected = answers.rejected.len();
        println!("{} rows, {rejected} rejected", answers.batch.num_rows());
        let first = answers.batch.slice(0, answers.batch.num_rows().min(1));
        for (field, column) in answers.batch.schema().fields().iter().zip(first.columns()) {
            println!("  {}: {column:?}", field.name());
        }
    }
    Ok(())
}
