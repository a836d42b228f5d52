//! What footers of the input say of columns that come along unchanged, for the output's footer.

use arrow::datatypes::DataType;

use crate::pipeline::Job;
use crate::table::geo;
use crate::table::name_index::NameIndex;
use crate::table::parquet::footer_value;

/// The key-value pairs of the input's footers that are true of the output too.
#[must_use]
pub fn carried(job: &Job) -> Vec<(String, String)> {
    let along = || {
        job.output_schema
            .fields()
            .iter()
            .take(job.passthrough.len())
    };
    // Footers are read again: only where there may be geometries, and no more of them once one has
    // no such key.
    if !along().any(|field| may_be_geometry(field.data_type())) {
        return Vec::new();
    }
    let schema = job.dataset.schema();
    let names = NameIndex::new(&schema);
    let columns: Vec<(String, String)> = along()
        .filter(|field| names.position(field.name()).is_some())
        .map(|field| {
            let own = job.dataset.original(field.name());
            (own.to_owned(), field.name().clone())
        })
        .collect();
    let files = job.dataset.files.iter();
    let files: Option<Vec<String>> = files
        .map(|file| footer_value(&file.path, geo::KEY))
        .collect();
    files
        .and_then(|files| geo::carried(&files, &columns))
        .map(|value| vec![(geo::KEY.to_owned(), value)])
        .unwrap_or_default()
}

/// Geometries are bytes, or structs and lists of coordinates.
fn may_be_geometry(data_type: &DataType) -> bool {
    data_type.is_nested()
        || matches!(
            data_type,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView
        )
}
