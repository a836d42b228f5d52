//! Gates of a promotion: conditions of the package, and of the user, on an evaluation.
//!
//! Owns which gates are checked and when a promotion is refused. What a gate means is
//! [`crate::monitor::gate`]'s.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::name::Reference;
use super::object;
use super::{Registry, record};
use crate::count::counted;
use crate::digest::hexadecimal;
use crate::error::{Error, Kind, Result, shell_word};
use crate::monitor::gate::{Gate, Trip};
use crate::package::MANIFEST_NAME;
use crate::package::manifest::{GateLevel, Manifest};
use crate::report::stored::StoredReport;
use crate::storage::read;

/// The most bytes of a manifest or an evaluation's report.
const BYTES_LIMIT: u64 = 64 << 20;

/// What a promotion is checked against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Promotion<'a> {
    /// The report of an evaluation.
    pub evaluation: Option<&'a Path>,
    /// Gates besides those of the package.
    pub gates: &'a [String],
    /// Whether no gate is checked.
    pub skips_gates: bool,
}

/// Gates that were checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CheckedGates {
    /// Those that hold.
    pub held: Vec<String>,
    /// Those that do not, and only warn.
    pub warnings: Vec<Trip>,
    /// The digest of the evaluation: `sha256:…`.
    pub evaluation: Option<String>,
}

impl Registry {
    /// Checks the gates of a version's package and of the user.
    ///
    /// # Errors
    /// [`Kind::Gate`] if one trips; a usage error if the package has gates and no evaluation is
    /// named, or a gate is about a fact that the evaluation does not have.
    pub fn check_gates(&self, to: &Reference, promotion: &Promotion<'_>) -> Result<CheckedGates> {
        if promotion.skips_gates {
            return Ok(CheckedGates::default());
        }
        let mut gates = self.gates(to)?;
        for text in promotion.gates {
            gates.push((Gate::parse(text)?, GateLevel::Fail));
        }
        let Some(path) = promotion.evaluation else {
            return if gates.is_empty() {
                Ok(CheckedGates::default())
            } else {
                Err(no_evaluation(to, &gates))
            };
        };
        let bytes = read(path, BYTES_LIMIT)?;
        let mut checked = CheckedGates {
            evaluation: Some(format!("sha256:{}", hexadecimal(&Sha256::digest(bytes)))),
            ..CheckedGates::default()
        };
        let reports = StoredReport::read(path)?;
        let facts = reports.last().map(|report| &report.facts[..]);
        let facts: Vec<_> = facts
            .unwrap_or_default()
            .iter()
            .filter_map(|fact| Some((&*fact.subject, &*fact.metric, fact.as_number()?)))
            .collect();
        let mut tripped = Vec::new();
        for (gate, level) in &gates {
            let trips = gate
                .check(facts.iter().copied())
                .map_err(|error| error.at_path(path))?;
            match level {
                _ if trips.is_empty() => checked.held.push(gate.to_string()),
                GateLevel::Fail => tripped.extend(trips),
                GateLevel::Warn => checked.warnings.extend(trips),
            }
        }
        if tripped.is_empty() {
            return Ok(checked);
        }
        let listed: Vec<String> = tripped.iter().map(ToString::to_string).collect();
        Err(Error::new(
            Kind::Gate,
            format!("`{to}` is not promoted: {}", listed.join("; ")),
        )
        .at_path(path))
    }

    /// The gates of a version's package.
    fn gates(&self, to: &Reference) -> Result<Vec<(Gate, GateLevel)>> {
        let digest = self.resolve(to, None)?.digest;
        let record = record::read(&*self.store, &digest)?;
        let manifest = record.files.iter().find(|file| file.path == MANIFEST_NAME);
        let Some(file) = manifest else {
            return Ok(Vec::new());
        };
        let bytes = object::whole(&*self.store, &file.sha256, BYTES_LIMIT)?;
        let manifest = Manifest::parse(&bytes)?;
        let gates = manifest.gates.iter();
        gates
            .map(|entry| Ok((Gate::parse(&entry.expression)?, entry.level)))
            .collect()
    }
}

fn no_evaluation(to: &Reference, gates: &[(Gate, GateLevel)]) -> Error {
    let listed: Vec<String> = gates.iter().map(|(gate, _)| format!("`{gate}`")).collect();
    Error::usage(format!(
        "`{to}` has {}, and no evaluation is named: {}",
        counted(gates.len(), "gate"),
        listed.join(", ")
    ))
    .hint(format!(
        "`tallow evaluate … --output FILE` and `--evaluation FILE`; or promote {} with \
         `--skip-gates`",
        shell_word(&to.to_string())
    ))
}
