//! Gates of a promotion: conditions of the package, and of the user, on an evaluation.
//!
//! Owns which gates are checked and when a promotion is refused. What a gate means is
//! [`crate::monitor::gate`]'s.

use super::evidence::Promoted;
use super::name::Reference;
use super::object;
use super::{Registry, record};
use crate::count::counted;
use crate::error::{Error, Kind, Result, shell_word};
use crate::monitor::judgement::{PlannedGate, State};
use crate::package::MANIFEST_NAME;
use crate::package::manifest::Manifest;
use crate::report::gates::{self, Judged};
use crate::report::monitoring::{DRIFT_METRICS, INPUT_METRICS};
use crate::storage::Location;

/// The most bytes of a manifest.
const BYTES_LIMIT: u64 = 64 << 20;

/// What a promotion is checked against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Promotion<'a> {
    /// The report of an evaluation.
    pub evaluation: Option<&'a Location>,
    /// The report of a comparison whose second table is of the version.
    pub comparison: Option<&'a Location>,
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
    /// Those that do not and only warn, each with its value.
    pub warnings: Vec<String>,
    /// The digest of the evaluation: `sha256:…`.
    pub evaluation: Option<String>,
    /// The digest of the comparison: `sha256:…`.
    pub comparison: Option<String>,
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
        let (mut gates, version) = self.gates(to)?;
        gates.extend(gates::planned(promotion.gates)?);
        let paths: Vec<&Location> = promotion
            .evaluation
            .into_iter()
            .chain(promotion.comparison)
            .collect();
        let Some(path) = paths.first() else {
            return if gates.is_empty() {
                Ok(CheckedGates::default())
            } else {
                Err(no_evaluation(to, &gates))
            };
        };
        let mut checked = CheckedGates::default();
        let mut facts = Vec::new();
        if let Some(path) = promotion.evaluation {
            checked.evaluation = Some(version.add_facts(path, &mut facts)?);
        }
        if let Some(path) = promotion.comparison {
            checked.comparison = Some(version.add_facts(path, &mut facts)?);
        }
        // Gates of a package about what a run watches are judged by runs.
        gates.retain(|PlannedGate { gate, .. }| {
            facts.iter().any(|fact| fact.metric == gate.metric())
                || !(INPUT_METRICS.contains(&gate.metric())
                    || DRIFT_METRICS.contains(&gate.metric()))
        });
        let judged = Judged::new(&gates, &facts, &[], false);
        if let Some(error) = judged.unknown(&facts) {
            return Err(error.at_path(path));
        }
        let failed: Vec<String> = judged.of(State::Fail).map(ToString::to_string).collect();
        if !failed.is_empty() {
            let message = format!("`{to}` is not promoted: {}", failed.join("; "));
            return Err(Error::new(Kind::Gate, message).at_path(path));
        }
        let held = judged.of(State::Ok);
        checked.held = held.map(|one| one.planned.gate.to_string()).collect();
        let warned = judged.of(State::Warn).chain(judged.of(State::Undecided));
        checked.warnings = warned.map(ToString::to_string).collect();
        Ok(checked)
    }

    /// The gates of a version's package, and which version it is.
    fn gates(&self, to: &Reference) -> Result<(Vec<PlannedGate>, Promoted)> {
        let digest = self.resolve(to, None)?.digest;
        let record = record::read(&*self.store, &digest)?;
        let mut promoted = Promoted {
            reference: to.to_string(),
            digest,
            label: None,
        };
        let manifest = record.files.iter().find(|file| file.path == MANIFEST_NAME);
        let Some(file) = manifest else {
            return Ok((Vec::new(), promoted));
        };
        let bytes = object::whole(&*self.store, &file.sha256, BYTES_LIMIT)?;
        let manifest = Manifest::parse(&bytes)?;
        let gates = manifest.gates.iter();
        let gates = gates.map(PlannedGate::of_package).collect::<Result<_>>()?;
        promoted.label = manifest.version;
        Ok((gates, promoted))
    }
}

fn no_evaluation(to: &Reference, gates: &[PlannedGate]) -> Error {
    let gates = gates.iter().map(|planned| &planned.gate);
    let listed: Vec<String> = gates.map(|gate| format!("`{gate}`")).collect();
    Error::usage(format!(
        "`{to}` has {}, and no evaluation is named: {}",
        counted(listed.len(), "gate"),
        listed.join(", ")
    ))
    .hint(format!(
        "`tallow evaluate … --output FILE` and `--evaluation FILE` (`tallow compare` and \
         `--comparison`); or promote {} with `--skip-gates`",
        shell_word(&to.to_string())
    ))
}
