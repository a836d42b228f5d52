//! What is kept of a finished run, so that it can be done again and its rows explained: the
//! manifest of a data set, or for a single file the same in the footer of its report.
//!
//! Owns where records lie. It must not know what is done with them.

use super::{Run, challenger_record};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::output::checkpoint::{PartRecord, sha256_of};
use crate::output::manifest::Manifest;
use crate::output::names;
use crate::output::table_writer::WrittenFile;
use crate::package::Resolved;
use crate::pipeline::part::PartAccount;
use crate::plan::identity;
use crate::report::facts::{Fact, find as find_fact};
use crate::report::stored::StoredReport;
use crate::storage::{Location, find};
use crate::table::origin::RUN_ID;
use crate::table::parquet::footer_value;

/// The key of a record in the footer of a report.
pub(super) const RECORD: &str = "tallow.record";

/// A run's record.
pub(super) struct Recorded {
    /// What it says. Of a single file it has one part, and inputs without digests: that the bytes
    /// are the same proves that the inputs were.
    pub(super) manifest: Manifest,
    /// The directory that the paths of its files begin at.
    pub(super) directory: Location,
    /// Whether the output is a single file.
    pub(super) is_file: bool,
    /// The output of the run whose challenger gave these answers, if one did.
    pub(super) champion: Option<Location>,
}

impl Recorded {
    /// Checks that what is there at `path` is what the run wrote: a record outlives its output.
    ///
    /// # Errors
    /// A contract error for an output, or a file of one, that was replaced since.
    pub(super) fn refuse_replaced(&self, path: &Location, interrupt: &Interrupt) -> Result<()> {
        let message = "the output is another one than the recorded run's: it was replaced since";
        // Rejected rows are there to be corrected.
        for file in self.manifest.parts.iter().flat_map(|part| &part.files) {
            if !self.is_file {
                let (own, found) = (path.join(&file.path), find(path.join(&file.path))?);
                if found.is_some_and(|found| found.byte_count != file.bytes) {
                    let error = Error::contract(message).at_path(own);
                    return Err(error.hint("restore the data set as the run made it"));
                }
            } else if self.is_replaced(path, file, interrupt)? {
                let report = names::report(path, false);
                let error = Error::contract(message).at_path(path);
                return Err(error.hint(format!(
                    "name the report, `{}`, if the run that it records is meant",
                    report.display()
                )));
            }
        }
        Ok(())
    }

    /// Whether a single output is not the file that was written.
    fn is_replaced(
        &self,
        path: &Location,
        file: &WrittenFile,
        interrupt: &Interrupt,
    ) -> Result<bool> {
        let Some(found) = find(path)? else {
            return Ok(false);
        };
        // The report itself was named, or the answers of a challenger, whose footer was checked.
        if self.champion.is_some() || footer_value(path, RECORD).is_some() {
            return Ok(false);
        }
        let is_of_run = footer_value(path, RUN_ID).as_ref() == Some(&self.manifest.run_id);
        Ok(found.byte_count != file.bytes
            || !is_of_run && sha256_of(path, interrupt)? != file.sha256)
    }
}

/// The record of a run into a single file.
pub(super) fn of_file(run: &Run<'_>, written: &WrittenFile, facts: &[Fact]) -> Result<String> {
    let plan = run.plan();
    let mut manifest = Manifest::new(
        (plan.run_id.clone(), run.caller.invocation_id.clone()),
        identity::without_digests(plan)?,
        plan.request.clone().into(),
        run.caller.working_directory.clone(),
    );
    manifest.actor.clone_from(&run.caller.actor);
    let counted = facts.iter().find(|fact| {
        let of = (&*fact.section, fact.subject.as_str(), fact.metric.as_str());
        of == ("ledger", "", "rows_in")
    });
    let rows_in = counted.and_then(Fact::as_number).unwrap_or(0.0);
    manifest.ledger.rows_in = rows_in as u64;
    manifest.baseline_digest = plan.monitor.baseline_digest();
    let path = Location::from(&written.path);
    manifest.parts = vec![only_part(&path, written.clone())];
    serde_json::to_string(&manifest)
        .map_err(|error| Error::internal("a record that has no form as JSON").because(error))
}

/// The part of a run into a single file, which is named by its last name.
pub(super) fn only_part(path: &Location, written: WrittenFile) -> PartRecord {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    PartRecord {
        account: PartAccount::default(),
        files: vec![WrittenFile {
            path: name.into_owned(),
            ..written
        }],
        rejected: None,
        corrections: None,
        observed: None,
    }
}

/// What the footer of a report records of its run; none if it records nothing.
pub(super) fn of_report(report: &Location) -> Option<Manifest> {
    serde_json::from_str(&footer_value(report, RECORD)?).ok()
}

/// The record of the run that made a data set or a file.
///
/// # Errors
/// Fails if there is none.
pub(super) fn recorded(path: &Location) -> Result<Recorded> {
    let found = find(path)?;
    if found.is_some_and(|found| found.is_directory)
        && let Some(manifest) = Manifest::find(path)?
    {
        let is_challengers = challenger_record::is_of_challenger(&manifest);
        return Ok(Recorded {
            manifest,
            directory: path.clone(),
            is_file: false,
            champion: is_challengers.then(|| names::challenged(path)).flatten(),
        });
    }
    if let Some((manifest, output)) = challenger_record::of_file(path)? {
        return Ok(Recorded {
            manifest,
            directory: path.directory(),
            is_file: true,
            champion: Some(output),
        });
    }
    let reports = [names::report(path, false), path.clone()];
    let mut texts = reports
        .iter()
        .filter_map(|report| footer_value(report, RECORD));
    let Some(text) = texts.next() else {
        let error = Error::failed("no run is recorded here").at_path(path);
        return Err(error.hint(
            "name a data set, or an output whose report is next to it: its footer records inputs \
             and options",
        ));
    };
    let manifest = serde_json::from_str(&text).map_err(|error| {
        let error = Error::failed("cannot read the record of the run").because(error);
        error.at_path(path)
    })?;
    Ok(Recorded {
        manifest,
        directory: path.directory(),
        is_file: true,
        champion: None,
    })
}

/// The run that made a data set or a file; none if it is not recorded.
pub(super) fn run_id(path: &Location) -> Option<String> {
    Some(recorded(path).ok()?.manifest.run_id)
}

/// The version of a registry's model that made a data set or a file; none if its run is not
/// recorded, named no version, or split the rows between models.
pub(super) fn version(path: &Location) -> Option<Resolved> {
    let manifest = recorded(path).ok()?.manifest;
    let is_whole = !is_split(&manifest);
    manifest.identity.model_version.filter(|_| is_whole)
}

/// What files say of their model themselves, where they say anything.
const OF_FILES: [&str; 3] = ["name", "version", "digest"];

/// As [`model_texts`], without what files that name their model say themselves.
pub(super) fn model_texts_besides(path: &Location, is_named: bool) -> Vec<(String, String)> {
    let mut texts = model_texts(path);
    texts.retain(|(name, _)| !is_named || !OF_FILES.contains(&name.as_str()));
    texts
}

/// (name, value) of what the record of a run says of the model that made a data set or a file:
/// its digest and its version in a registry, and its name and version, where a report is next to
/// it; nothing if several did.
pub(super) fn model_texts(path: &Location) -> Vec<(String, String)> {
    let Ok(Recorded {
        manifest,
        is_file,
        champion,
        ..
    }) = recorded(path)
    else {
        return Vec::new();
    };
    let identity = manifest.identity.clone();
    if is_split(&manifest) || identity.model_digest.is_empty() {
        return Vec::new();
    }
    let digest = ("digest".to_owned(), identity.model_digest);
    let resolved = identity.model_version.iter().flat_map(Resolved::facts);
    let named = if champion.is_none() {
        named(&names::report(path, !is_file), &digest.1)
    } else {
        Vec::new()
    };
    named.into_iter().chain([digest]).chain(resolved).collect()
}

/// The name and the version in a run's report, if it is of the model with this digest.
fn named(report: &Location, digest: &str) -> Vec<(String, String)> {
    let reports = StoredReport::read(report).unwrap_or_default();
    let facts = reports.last().map_or(&[][..], |report| &report.facts[..]);
    let text = |metric: &str| find_fact(facts, "model", "", metric).and_then(Fact::as_text);
    if text("digest") != Some(digest) {
        return Vec::new();
    }
    let known = ["name", "version"].into_iter();
    known
        .filter_map(|metric| Some((metric.to_owned(), text(metric)?.to_owned())))
        .collect()
}

/// Whether the rows of a recorded run were split between models.
pub(super) fn is_split(manifest: &Manifest) -> bool {
    manifest.identity.configuration.contains_key("--split")
}
