//! The name of a run's work.
//!
//! Owns what of a run enters its name. It must not know who shows it.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::digest::hexadecimal;
use crate::error::Result;
use crate::package::open::OpenedModel;
use crate::storage::SharedFile;
use crate::table::dataset::Dataset;

/// Bytes at each end of an input that enter the run's name.
const FINGERPRINT_BYTES: u64 = 65_536;

/// A name for the work: the digest of tool version, model, options that show in the output, and the
/// inputs' sizes and both ends (for Parquet that holds the footer). The same command on the same
/// data has the same name, so the same output bytes.
#[derive(Clone, Debug)]
pub(super) struct Name(Sha256);

impl Name {
    /// All of it but the inputs.
    pub(super) fn new(configuration: &BTreeMap<String, Json>, opened: &OpenedModel) -> Self {
        let mut digest = Sha256::new();
        digest.update(env!("CARGO_PKG_VERSION"));
        digest.update(&opened.digest);
        for (name, value) in configuration {
            digest.update(format!("{name}={value}\n"));
        }
        Self(digest)
    }

    pub(super) fn run_id(&self, dataset: &Dataset) -> Result<String> {
        let mut digest = self.0.clone();
        for file in &dataset.files {
            let content = SharedFile::open(&file.path)?;
            digest.update(content.byte_count().to_le_bytes());
            for (column, value) in &file.partitions {
                digest.update(format!("{column:?}={value:?}\n"));
            }
            let ends = [0, content.byte_count().saturating_sub(FINGERPRINT_BYTES)];
            for start in ends {
                let mut buffer = vec![0; FINGERPRINT_BYTES.min(content.byte_count()) as usize];
                content.read_exact_at(&mut buffer, start)?;
                digest.update(&buffer);
            }
        }
        Ok(hexadecimal(&digest.finalize()[..16]))
    }
}
