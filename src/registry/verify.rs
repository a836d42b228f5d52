//! Checking everything that a registry holds.
//!
//! Owns what is checked: every entry of every log, and every byte of every object that a version
//! refers to. It must not repair anything.

use std::collections::BTreeSet;

use super::Registry;
use super::history::History;
use super::log::Head;
use super::object;
use super::record::SHA256;
use crate::error::{Error, Result};

/// What was checked, and what is wrong.
#[derive(Debug, Default)]
pub struct Verified {
    /// Models.
    pub model_count: u64,
    /// Entries of their logs.
    pub entry_count: u64,
    /// Versions.
    pub version_count: u64,
    /// Objects that versions refer to.
    pub object_count: u64,
    /// (model, head) of each log that could be read.
    pub heads: Vec<(String, Head)>,
    /// What is wrong, with its path.
    pub errors: Vec<Error>,
}

impl Registry {
    /// Checks logs and objects of one model, or of all; everything that is wrong is collected.
    /// `heads` are heads that the model's log had before and must still contain.
    ///
    /// # Errors
    /// Fails if the registry cannot be listed.
    pub fn verify(&self, model: Option<&str>, heads: &[Head]) -> Result<Verified> {
        let models = match model {
            Some(model) => vec![model.to_owned()],
            None => self.models()?,
        };
        let (mut verified, mut checked) = (Verified::default(), BTreeSet::new());
        for model in models {
            verified.model_count += 1;
            let log = match self.existing_log(&model) {
                Ok(log) => log,
                Err(error) => {
                    verified.errors.push(error);
                    continue;
                }
            };
            verified.entry_count += log.entries().len() as u64;
            verified
                .heads
                .extend(log.head().map(|head| (model.clone(), head)));
            let lost = heads
                .iter()
                .filter_map(|head| log.check_contains(head).err());
            verified.errors.extend(lost);
            for version in History::of(&log, None).versions() {
                verified.version_count += 1;
                let name = format!("version {} of `{model}`", version.number);
                self.verify_version(&version.digest, &name, &mut checked, &mut verified);
            }
        }
        verified.object_count = checked.len() as u64;
        Ok(verified)
    }

    fn verify_version(
        &self,
        digest: &str,
        name: &str,
        checked: &mut BTreeSet<String>,
        verified: &mut Verified,
    ) {
        checked.insert(digest.strip_prefix(SHA256).unwrap_or(digest).to_owned());
        let record = match self.record(digest) {
            Ok(record) => record,
            Err(error) => return verified.errors.push(error.adding(&format!(": {name}"))),
        };
        for file in record.files {
            if checked.insert(file.sha256.clone())
                && let Err(error) = object::check(&*self.store, &file.sha256)
            {
                let of = format!(": `{}` of {name}", file.path);
                verified.errors.push(error.adding(&of));
            }
        }
    }
}
