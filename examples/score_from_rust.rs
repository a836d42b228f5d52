//! How do I score rows from a Rust program, without files of rows? Loads a model and scores two
//! rows held in memory.
//!
//! `cargo run --release --example score_from_rust -- MODEL`

#![expect(clippy::print_stdout, reason = "a program, not a library")]

use std::path::Path;

use tallow::feature::{Columns, FeatureBlock, Precision};
use tallow::format::ImportOptions;
use tallow::model::Margins;
use tallow::package::open::open;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("which model?")?;
    let loaded = open(Path::new(&path), &ImportOptions::default())?.loaded;
    let (model, rows) = (&loaded.model, 2);
    // One run of values per feature; NaN is a missing value. Here every feature of the first row is
    // missing, of the second row 1.
    let block = match model.precision() {
        Precision::Single => {
            FeatureBlock::Single(filled(rows, model.feature_count(), f32::NAN, 1.0))
        }
        Precision::Double => {
            FeatureBlock::Double(filled(rows, model.feature_count(), f64::NAN, 1.0))
        }
        Precision::Native => return Err("a graph reads columns in types of its own".into()),
    };
    let mut margins = Margins::empty(model.precision());
    model.score(&block, &mut model.scratch(), &mut margins)?;
    let fields = loaded
        .outcome
        .fields(model.margin_count(), model.precision(), false);
    for (field, column) in fields.iter().zip(loaded.outcome.columns(
        &margins,
        model.margin_count(),
        false,
    )) {
        println!("{}: {column:?}", field.name());
    }
    Ok(())
}

fn filled<T: Copy>(rows: usize, features: usize, first: T, second: T) -> Columns<T> {
    let mut columns = Columns::filled(rows, features, first);
    for feature in 0..features {
        columns.column_mut(feature)[1] = second;
    }
    columns
}
