//! Removing what nothing refers to: objects of pushes that never finished, temporary files of
//! writers that died.
//!
//! Owns what may be removed. Versions and logs are never touched.

use std::collections::BTreeSet;

use super::Registry;
use super::history::History;
use super::object;
use super::record::SHA256;
use crate::error::{Error, Result};

/// The least age of what is removed, in seconds: a push that is going on has not finished its
/// objects' log entry yet.
pub const MIN_AGE_SECONDS: u64 = 2 * 3600;

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Objects that no version refers to.
    pub object_count: u64,
    /// Temporary files.
    pub leftover_count: u64,
    /// Objects that stay because they are too young.
    pub young_count: u64,
}

impl Registry {
    /// Removes objects that no version refers to, and temporary files, if they are older than
    /// `age_seconds`. Removes nothing if `is_dry`, or if a log cannot be read.
    ///
    /// # Errors
    /// A usage error if the age is less than [`MIN_AGE_SECONDS`]; fails if a log or a list of files
    /// cannot be read, or the storage fails.
    pub fn collect(&self, age_seconds: u64, is_dry: bool) -> Result<Collected> {
        if age_seconds < MIN_AGE_SECONDS {
            return Err(Error::usage(format!(
                "`--older-than` must be at least {} hours, the longest time that a push may take",
                MIN_AGE_SECONDS / 3600
            )));
        }
        // Objects are listed before logs are read: what a log refers to later is younger.
        let objects = self.store.list("objects")?;
        let used = self.used_objects()?;
        let mut collected = Collected::default();
        let is_old = |name: &str| {
            Ok::<_, Error>(
                self.store
                    .age_seconds(name)?
                    .is_some_and(|age| age >= age_seconds),
            )
        };
        for name in objects {
            if object::digest_of(&name).is_none_or(|digest| used.contains(digest)) {
                continue;
            }
            if is_old(&name)? {
                collected.object_count += 1;
                self.remove(&name, is_dry)?;
            } else {
                collected.young_count += 1;
            }
        }
        for name in self.store.leftovers()? {
            if is_old(&name)? {
                collected.leftover_count += 1;
                self.remove(&name, is_dry)?;
            }
        }
        Ok(collected)
    }

    fn remove(&self, name: &str, is_dry: bool) -> Result<()> {
        if is_dry {
            Ok(())
        } else {
            self.store.remove(name)
        }
    }

    fn used_objects(&self) -> Result<BTreeSet<String>> {
        let mut used = BTreeSet::new();
        for model in self.models()? {
            for version in History::of(&self.existing_log(&model)?, None).versions() {
                let digits = version
                    .digest
                    .strip_prefix(SHA256)
                    .unwrap_or(&version.digest);
                used.insert(digits.to_owned());
                used.extend(
                    self.record(&version.digest)?
                        .files
                        .into_iter()
                        .map(|file| file.sha256),
                );
            }
        }
        Ok(used)
    }
}
