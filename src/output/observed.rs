//! What observers saw of a part, as a table that is stored with it.
//!
//! Owns the table: a row for each observer, with the version and the bytes of its partial. A run
//! that goes on after the part reads it. Where there is none for an observer, or one of another
//! version, the part's output is read instead; what that does not show makes the part be made
//! again.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};

use super::checkpoint::{Checkpoint, PartRecord};
use super::names::{OBSERVED, part_sidecar, staged};
use super::reading;
use super::table_writer::{TableWriter, WrittenFile};
use crate::error::{Error, Result};
use crate::pipeline::Job;
use crate::pipeline::observer::{Observer, Partial, Partials, observe_scores};
use crate::pipeline::part::PartAccount;
use crate::storage::{Location, PendingFile};
use crate::table::dataset::Dataset;

/// Names and versions of a run's observers: what the rows of the table begin with.
#[derive(Clone, Debug)]
pub struct Observed(Vec<(&'static str, u32)>);

impl Observed {
    /// The table of these observers.
    #[must_use]
    pub fn new(observers: &[Box<dyn Observer>]) -> Self {
        let named = observers
            .iter()
            .map(|observer| (observer.name(), observer.version()));
        Self(named.collect())
    }

    /// Writes what they saw of a part among the hidden files of a data set; none if there are no
    /// observers.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub fn stage(
        &self,
        directory: &Location,
        part: u64,
        seen: &Partials,
    ) -> Result<Option<WrittenFile>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let path = part_sidecar(OBSERVED, part);
        let file = PendingFile::create_below(directory, staged(&path))?;
        self.write(file, path, seen).map(Some)
    }

    /// Writes what they saw to `file`, which is called `path` in accounts.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub fn write(&self, file: PendingFile, path: String, seen: &Partials) -> Result<WrittenFile> {
        let mut writer = TableWriter::plain(file, schema(), &[])?;
        writer.write(&self.table(seen)?)?;
        let (file, written) = writer.finish(path)?;
        file.publish(true)?;
        Ok(written)
    }

    fn table(&self, seen: &Partials) -> Result<RecordBatch> {
        let names: StringArray = self.0.iter().map(|(name, _)| Some(*name)).collect();
        let versions: Int64Array = self
            .0
            .iter()
            .map(|(_, version)| i64::from(*version))
            .collect();
        let states: BinaryArray = seen
            .iter()
            .map(|partial| Some(partial.to_bytes()))
            .collect();
        let columns: Vec<ArrayRef> = vec![Arc::new(names), Arc::new(versions), Arc::new(states)];
        RecordBatch::try_new(schema(), columns).map_err(|error| {
            Error::internal("what observers saw does not fit its table").because(error)
        })
    }
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("observer", DataType::Utf8, false),
        Field::new("version", DataType::Int64, false),
        Field::new("state", DataType::Binary, false),
    ]))
}

/// The account of a finished part, and what the job's observers saw of it. None if that cannot be
/// known any more: the part then counts as unfinished.
///
/// # Errors
/// Fails if the part's output cannot be read where it must be.
pub fn restore(
    job: &Job,
    checkpoint: &mut Checkpoint,
    part: u64,
) -> Result<Option<(PartAccount, Partials)>> {
    let Some(record) = checkpoint.parts.get(&part) else {
        return Ok(None);
    };
    let mut known = stored(&job.observers, checkpoint, record)?;
    if known.iter().any(Option::is_none) {
        read_again(job, checkpoint, record, &mut known)?;
    }
    let known: Option<Vec<_>> = known.into_iter().collect();
    let restored = known.map(|known| (record.account.clone(), Partials::new(known)));
    if restored.is_none() {
        checkpoint.reopen(part);
    }
    Ok(restored)
}

/// As [`restore`], of a part that a challenger made: its output does not show what its observers
/// saw.
///
/// # Errors
/// Fails if the file system refuses to say where it was stored.
pub fn restore_challenger(
    observers: &[Box<dyn Observer>],
    checkpoint: &Checkpoint,
    part: u64,
) -> Result<Option<(PartAccount, Partials)>> {
    let Some(record) = checkpoint.parts.get(&part) else {
        return Ok(None);
    };
    let known: Option<Vec<_>> = stored(observers, checkpoint, record)?.into_iter().collect();
    Ok(known.map(|known| (record.account.clone(), Partials::new(known))))
}

/// For each observer, its partial as it was stored; none where it was not, or by another version.
fn stored(
    observers: &[Box<dyn Observer>],
    checkpoint: &Checkpoint,
    record: &PartRecord,
) -> Result<Vec<Option<Box<dyn Partial>>>> {
    let rows = match &record.observed {
        Some(file) => read(&checkpoint.location(file)?).unwrap_or_default(),
        None => Vec::new(),
    };
    Ok(of_rows(observers, &rows))
}

/// What the observers saw, as it was written to `path`; none unless all of it is there.
#[must_use]
pub fn partials(observers: &[Box<dyn Observer>], path: &Location) -> Option<Partials> {
    let known: Option<Vec<_>> = of_rows(observers, &read(path)?).into_iter().collect();
    known.map(Partials::new)
}

fn of_rows(
    observers: &[Box<dyn Observer>],
    rows: &[(String, i64, Vec<u8>)],
) -> Vec<Option<Box<dyn Partial>>> {
    let of_observer = |observer: &dyn Observer| {
        let row = rows.iter().find(|(name, version, _)| {
            name == observer.name() && *version == i64::from(observer.version())
        });
        row.and_then(|(.., state)| observer.partial_of(state))
    };
    observers
        .iter()
        .map(|observer| of_observer(&**observer))
        .collect()
}

/// The rows of the table: observer, version, state. A table that cannot be read shows nothing: what
/// it held is found out in another way.
fn read(path: &Location) -> Option<Vec<(String, i64, Vec<u8>)>> {
    let dataset = Dataset::of_file(path).ok()?;
    let mut rows = Vec::new();
    for batch in dataset.batches(&dataset.as_read(&schema())) {
        let batch = batch.ok()?;
        let column = |name: &str, data_type: &DataType| {
            cast(batch.column_by_name(name)?, data_type)
                .ok()
                .filter(|column| column.null_count() == 0)
        };
        let (names, versions, states) = (
            column("observer", &DataType::Utf8)?,
            column("version", &DataType::Int64)?,
            column("state", &DataType::Binary)?,
        );
        let (names, versions) = (
            names.as_string::<i32>(),
            versions.as_primitive::<Int64Type>(),
        );
        let states = states.as_binary::<i32>();
        rows.extend((0..batch.num_rows()).map(|row| {
            (
                names.value(row).to_owned(),
                versions.value(row),
                states.value(row).to_vec(),
            )
        }));
    }
    Some(rows)
}

/// Fills what is not known from the part's output, as far as scores alone show it.
fn read_again(
    job: &Job,
    checkpoint: &Checkpoint,
    record: &PartRecord,
    known: &mut [Option<Box<dyn Partial>>],
) -> Result<()> {
    let mut again: Vec<_> = known
        .iter_mut()
        .zip(&job.observers)
        .filter(|(known, observer)| known.is_none() && observer.needs_only_scores())
        .map(|(known, observer)| (known.insert(observer.empty()), observer))
        .collect();
    if again.is_empty() {
        return Ok(());
    }
    reading::for_each_batch(job, checkpoint.files_of(record)?, |scores| {
        again.iter_mut().try_for_each(|(known, observer)| {
            known.merge(&*observe_scores(&***observer, &job.read_schema, scores)?)
        })
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::Float32Array;

    use super::*;
    use crate::monitor::scores::{ScoreObserver, ScoreStatistics};

    #[test]
    fn what_was_seen_of_a_part_is_read_back_as_it_was_stored() {
        let room = tempfile::tempdir().unwrap();
        let fields = vec![Field::new("probability", DataType::Float32, true)];
        let mut seen = ScoreStatistics::new(&fields);
        let scores: ArrayRef = Arc::new(Float32Array::from(vec![0.25, 0.5, 0.75]));
        seen.observe(&[scores]).unwrap();
        let observers: Vec<Box<dyn Observer>> = vec![Box::new(ScoreObserver::new(fields))];
        let partials = Partials::new(vec![Box::new(seen.clone())]);
        let table = Observed::new(&observers);
        let written = table
            .stage(&Location::from(room.path()), 3, &partials)
            .unwrap()
            .unwrap();
        assert_eq!(written.path, "_tallow/observed/part-00003.pq");
        let rows = read(&Location::from(&room.path().join(staged(&written.path)))).unwrap();
        assert_eq!(rows, [("scores".to_owned(), 1, seen.to_bytes())]);
        assert!(
            Observed::new(&[])
                .stage(&Location::from(room.path()), 4, &partials)
                .unwrap()
                .is_none()
        );
        std::fs::write(room.path().join("damaged.pq"), b"PAR1").unwrap();
        assert!(read(&Location::from(&room.path().join("damaged.pq"))).is_none());
    }
}
