//! Reading without scoring: which files can be read to their end?

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::Job;
use super::ordered::for_each_in_order;
use super::pieces::Whole;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::table::dataset::{Dataset, FilePortion, FilePortions, Position};
use crate::table::dataset_file::BadFile;

/// The files of a job of which a portion cannot be cut or decoded, by index, each with its first
/// failure.
///
/// # Errors
/// Fails if a worker cannot be started; [`Kind::Signal`](crate::error::Kind::Signal) if `interrupt`
/// says so.
pub fn unreadable(job: &Job, interrupt: &Interrupt) -> Result<Vec<(usize, BadFile)>> {
    let (dataset, read_schema) = (&job.dataset, &job.read_schema);
    let mut failures: BTreeMap<usize, Error> = BTreeMap::new();
    let deliver = |(file, failure): (usize, Option<Error>)| {
        match failure {
            // The run was asked to stop: nothing is wrong with the file.
            Some(error) if error.is_signal() => return Err(error),
            Some(error) => _ = failures.entry(file).or_insert(error),
            None => {}
        }
        Ok(())
    };
    let source = (0..dataset.files.len()).flat_map(|file| Cutting::new(dataset, read_schema, file));
    let decode = |(): &mut (), (file, portion): (usize, Result<FilePortion>)| {
        let decoded = portion.and_then(|portion| (portion.portion.decode)());
        Ok((file, decoded.err()))
    };
    let source = source.map(|item| interrupt.check().map(|()| item));
    for_each_in_order(
        job.threads,
        &job.pressure(),
        source,
        &Whole::new(|| (), decode),
        deliver,
    )?;
    let bad_file =
        |(file, error): (usize, Error)| (file, BadFile::new(&dataset.files[file].path, &error));
    Ok(failures.into_iter().map(bad_file).collect())
}

/// The portions of one file, up to the first that cannot be cut.
struct Cutting {
    portions: Option<FilePortions>,
    file: usize,
}

impl Cutting {
    fn new(dataset: &Arc<Dataset>, read_schema: &SchemaRef, file: usize) -> Self {
        Self {
            portions: Some(dataset.portions(read_schema, Position { file, row: 0 })),
            file,
        }
    }
}

impl Iterator for Cutting {
    type Item = (usize, Result<FilePortion>);

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.portions.as_mut()?.next_portion(u64::MAX).transpose();
        let own = next.filter(|next| {
            next.as_ref()
                .map_or(true, |portion| portion.file == self.file)
        });
        if !matches!(own, Some(Ok(_))) {
            self.portions = None;
        }
        own.map(|portion| (self.file, portion))
    }
}
