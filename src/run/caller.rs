//! Who started a run, as far as its environment shows.
//!
//! The environment is read by the command line alone; this is what it found.

use std::collections::BTreeMap;

use crate::process;
use crate::registry::model::Local;
use crate::report::openlineage::{ParentRun, time_ordered_uuid};
use crate::request::signature::TrustRequest;
use crate::storage::Location;

/// Who started a run, and where.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The name of this one attempt: a UUID, another one for every process. In lineage it is the
    /// run's identifier.
    pub invocation_id: String,
    /// The user and the host: `ann@host`.
    pub actor: String,
    /// The directory that relative paths begin at.
    pub working_directory: Location,
    /// What the scheduler says of the run.
    pub scheduler: BTreeMap<String, String>,
    /// The namespace of jobs in lineage.
    pub namespace: String,
    /// The run that started this one.
    pub parent: Option<ParentRun>,
    /// Where this machine keeps what it read of registries.
    pub local: Local,
    /// Whose signature every model must have, and what was revoked.
    pub trust: TrustRequest,
}

/// A new name for an attempt at a run.
#[must_use]
pub fn invocation_id() -> String {
    let milliseconds = u64::try_from(process::since_1970().as_millis()).unwrap_or(u64::MAX);
    time_ordered_uuid(milliseconds, &process::unique_text())
}
