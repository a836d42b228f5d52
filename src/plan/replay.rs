//! A package's golden rows, scored again: does this model on this machine still give the answers
//! that came with it?
//!
//! The rows go the whole way that any rows go, through binding, derived columns and policies, with
//! none of the user's own flags.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Schema, SchemaRef};

use super::Plan;
use super::agreement::difference;
use super::signed;
use crate::error::{Error, Result};
use crate::package::GoldenRows;
use crate::package::open::golden_rows;
use crate::pipeline::observer::Partials;
use crate::pipeline::part::PartAccount;
use crate::pipeline::run::{Control, Input, Outcomes, Receiver, run};
use crate::pipeline::scoring::Rejection;
use crate::request::challenger::Challengers;
use crate::request::rows::{Dialect, OnBadFile};
use crate::request::text::TextModel;
use crate::request::work::{Quality, Work};
use crate::storage::Location;
use crate::table::ReadOptions;
use crate::table::dataset::{Dataset, Position};

/// How columns of expected answers begin that the original library gave.
pub const ORIGINAL_PREFIX: &str = "original_";

/// Golden rows that agree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Replay {
    /// The number of rows.
    pub row_count: usize,
    /// The largest difference of a number, relative to the number, or to 1 if that is more.
    pub max_difference: f64,
    /// The difference that the package allows.
    pub tolerance: f64,
}

/// Scores the golden rows of the model's package, if it has any, and compares.
///
/// # Errors
/// A contract error that names the first column and row that differ; whatever ends the run of the
/// rows.
pub fn replay(args: &Work) -> Result<Option<Replay>> {
    let (vouched, _) = signed::verified(args)?;
    let golden = signed::guarded(vouched.as_ref(), || golden_rows(&args.model))?;
    let Some(golden) = golden else {
        return Ok(None);
    };
    let _pins = signed::pinned(vouched.as_ref(), [&golden.rows, &golden.expected])?;
    let found = scored(&golden, args).map_err(|error| {
        let message = "the package's golden rows cannot be scored";
        Error::new(error.kind(), message)
            .at_path(&golden.rows)
            .because(error)
    })?;
    let expected = read(&golden.expected)?;
    if expected.num_rows() != found.num_rows() {
        let message = format!(
            "{} golden rows were scored, and {} answers expected",
            found.num_rows(),
            expected.num_rows()
        );
        return Err(Error::contract(message).at_path(&golden.expected));
    }
    let mut max_difference = 0.0_f64;
    for (field, expected) in expected.schema().fields().iter().zip(expected.columns()) {
        let actual = answer(&found, field.name()).ok_or_else(|| {
            Error::contract("the golden rows expect a column that the model does not give")
                .at_path(&golden.expected)
                .at_column(field.name())
        })?;
        let difference = difference(expected, actual, golden.tolerance)
            .map_err(|error| error.at_path(&golden.expected).at_column(field.name()))?;
        max_difference = max_difference.max(difference);
    }
    Ok(Some(Replay {
        row_count: found.num_rows(),
        max_difference,
        tolerance: golden.tolerance,
    }))
}

/// The answers that a column of expected ones is compared with: those of the same name, or for
/// `original_NAME` those of `NAME`.
fn answer<'a>(found: &'a RecordBatch, name: &str) -> Option<&'a ArrayRef> {
    let original = || found.column_by_name(name.strip_prefix(ORIGINAL_PREFIX)?);
    found.column_by_name(name).or_else(original)
}

/// The answers that the model gives, without the rows' own columns.
fn scored(golden: &GoldenRows, args: &Work) -> Result<RecordBatch> {
    let mut own = args.clone();
    own.challengers = Challengers::default();
    own.inputs = vec![golden.rows.clone()];
    (
        own.binding.features,
        own.rows.filter,
        own.rows.limit,
        own.outcome.threshold,
    ) = (None, None, None, None);
    own.binding.rename.clear();
    own.binding.on_null.clear();
    own.binding.on_unseen.clear();
    own.binding.offset.clear();
    own.outcome.virtual_ensembles = None;
    own.outcome.trees = None;
    own.rows.missing.clear();
    own.rows.on_bad_file = OnBadFile::Fail;
    own.rows.text = Dialect::default();
    own.outcome.passthrough = Some(vec!["none".into()]);
    own.outcome.raw = false;
    own.outcome.hash_columns.clear();
    own.outcome.drop_columns.clear();
    own.quality = Quality {
        is_off: true,
        ..Quality::default()
    };
    // Where a text model runs is no matter of its answers.
    own.text = TextModel {
        device: own.text.device,
        ..TextModel::default()
    };
    let plan = Plan::bind(&own)?;
    let mut answers = Collected {
        schema: plan.job.output_schema.clone(),
        batches: Vec::new(),
    };
    run(
        &plan.job,
        Input::whole(&plan.job),
        &mut answers,
        &Control::default(),
        &mut Outcomes::new(&plan.job),
        Vec::new(),
        &|_| {},
    )?;
    concat_batches(&answers.schema, &answers.batches)
        .map_err(|error| Error::internal("answers of different columns").because(error))
}

/// Keeps what comes out.
struct Collected {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl Receiver for Collected {
    fn write(&mut self, _part: u64, output: &RecordBatch) -> Result<()> {
        self.batches.push(output.clone());
        Ok(())
    }

    fn reject(
        &mut self,
        _part: u64,
        _file: usize,
        _rows: &RecordBatch,
        rejections: &[Rejection],
    ) -> Result<()> {
        match rejections.first() {
            Some(first) => Err(Error::contract(format!(
                "a golden row is rejected: {}",
                first.reason.message()
            ))
            .at_row(first.number)),
            None => Ok(()),
        }
    }

    fn end_part(&mut self, _account: &PartAccount, _seen: &Partials) -> Result<()> {
        Ok(())
    }
}

/// A whole table, small enough to hold.
fn read(path: &Location) -> Result<RecordBatch> {
    let dataset = std::sync::Arc::new(Dataset::open(
        &[path.to_owned()],
        &[],
        &ReadOptions::default(),
    )?);
    let schema: SchemaRef = std::sync::Arc::new(Schema::new(
        dataset
            .schema()
            .fields()
            .iter()
            .cloned()
            .collect::<Vec<_>>(),
    ));
    let read = dataset.as_read(&schema);
    let mut portions = dataset.portions(&read, Position::default());
    let mut batches = Vec::new();
    while let Some(portion) = portions.next_portion(u64::MAX)? {
        batches.push((portion.portion.decode)()?);
    }
    let schema = batches.first().map_or(read, RecordBatch::schema);
    concat_batches(&schema, &batches).map_err(|error| {
        Error::internal("portions of different columns")
            .because(error)
            .at_path(path)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sha2::{Digest, Sha256};

    use super::*;
    use crate::storage::Vouched;

    #[test]
    fn pinned_tables_are_read_as_they_were_verified() {
        let directory = tempfile::tempdir().unwrap();
        let csv: Vec<String> = (0..5_000).map(|row| format!("{row},{row}.5\n")).collect();
        let csv = format!("a,b\n{}", csv.concat());
        std::fs::write(directory.path().join("rows.csv"), csv).unwrap();
        let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/data/demo/customers.parquet");
        std::fs::copy(demo, directory.path().join("rows.parquet")).unwrap();
        let names = ["rows.csv", "rows.parquet"];
        let paths = names.map(|name| Location::from(directory.path().join(name)));
        let bytes = names.map(|name| std::fs::read(directory.path().join(name)).unwrap());
        let digests = bytes.iter().map(|bytes| Sha256::digest(bytes).into());
        let files: BTreeMap<Location, [u8; 32]> =
            names.map(Location::from).into_iter().zip(digests).collect();
        let vouched = Vouched::new(directory.path(), files).unwrap();
        let before = [read(&paths[0]).unwrap(), read(&paths[1]).unwrap()];
        let pins = signed::pinned(Some(&vouched), &paths).unwrap();
        for (name, bytes) in names.iter().zip(&bytes) {
            // As long as before, so that only what is in it has changed.
            let path = directory.path().join(name);
            let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
            std::fs::write(&path, vec![b'x'; bytes.len()]).unwrap();
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(modified).unwrap();
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&path, private).unwrap();
        }
        for (path, before) in paths.iter().zip(&before) {
            assert_eq!(read(path).unwrap(), *before);
        }
        drop(pins);
        for (path, before) in paths.iter().zip(&before) {
            assert_ne!(read(path).ok().as_ref(), Some(before));
        }
        let error = signed::pinned(Some(&vouched), &paths).unwrap_err();
        assert!(error.message().contains("it changed meanwhile"), "{error}");
    }
}
