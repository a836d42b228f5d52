//! Parquet files with one bit changed: an error, or the same rows. What pyarrow does not notice
//! either, `data/parquet/bits.json` lists.

use std::collections::BTreeSet;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use tallow::error::Error;
use tallow::table::dataset::Dataset;

use crate::harness::{Room, data};

/// The columns' names and the rows' values; names inside lists are nobody's business.
fn rows(path: &Path) -> Result<String, Error> {
    let dataset = Dataset::of_file(path)?;
    let schema = dataset.as_read(&dataset.schema());
    let batches = dataset.batches(&schema).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let row = |batch: &RecordBatch, row: usize| {
        batch
            .columns()
            .iter()
            .map(|column| array_value_to_string(column, row).unwrap())
            .collect::<Vec<_>>()
            .join("|")
            + "\n"
    };
    let rows = batches.iter().map(|batch| {
        (0..batch.num_rows())
            .map(|index| row(batch, index))
            .collect::<String>()
    });
    Ok(names.join("|") + "\n" + &rows.collect::<String>())
}

#[test]
fn a_changed_bit_is_an_error_or_changes_no_row_that_pyarrow_sees() {
    let room = Room::new();
    let listed: serde_json::Value =
        serde_json::from_slice(&std::fs::read(data("parquet/bits.json")).unwrap()).unwrap();
    let mut faults = Vec::new();
    for (name, listed) in listed.as_object().unwrap() {
        let listed: BTreeSet<u64> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|bit| bit.as_u64().unwrap())
            .collect();
        let bytes = std::fs::read(data(&format!("parquet/bits_{name}.parquet"))).unwrap();
        let right = rows(&room.file("x.parquet", &bytes)).unwrap();
        assert_eq!(right.lines().count(), 1 + 6, "{name}");
        for bit in 0..8 * bytes.len() {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            match rows(&room.file("x.parquet", &changed)) {
                Ok(found) if found != right && !listed.contains(&(bit as u64)) => {
                    faults.push(format!("{name}: bit {bit} (byte {}): {found}", bit / 8));
                }
                _ => {}
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{} bits change rows in silence:\n{}",
        faults.len(),
        faults.join("\n")
    );
}
