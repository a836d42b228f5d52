//! Gates of a promotion: conditions of the package, and of the user, on an evaluation.
//!
//! Owns which gates are checked and when a promotion is refused. What a gate means is
//! [`crate::monitor::gate`]'s.

use super::evidence::{Promoted, Sort};
use sha2::{Digest, Sha256};

use super::name::Reference;
use super::object;
use super::record::SHA256;
use super::{Registry, record};
use crate::count::counted;
use crate::digest::hexadecimal;
use crate::error::{Error, Kind, Result, shell_word};
use crate::monitor::judgement::{PlannedGate, State};
use crate::package::MANIFEST_NAME;
use crate::package::manifest::Manifest;
use crate::report::gate_hints::absent as absent_hint;
use crate::report::gate_names;
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
    /// Whether reports are read that do not say which model they are of.
    pub accepts_unnamed: bool,
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
    /// [`Kind::Gate`] if one trips, or there is no value that it could hold for; a usage error if
    /// the package has gates and no evaluation is named, or a gate of the user is about a fact that
    /// no evaluation has.
    pub fn check_gates(&self, to: &Reference, promotion: &Promotion<'_>) -> Result<CheckedGates> {
        if promotion.skips_gates {
            return Ok(CheckedGates::default());
        }
        let (of_package, version) = self.gates(to)?;
        let own = gates::planned(promotion.gates)?;
        let paths: Vec<&Location> = promotion
            .evaluation
            .into_iter()
            .chain(promotion.comparison)
            .collect();
        let Some(path) = paths.first() else {
            let gates = [of_package, own].concat();
            return if gates.is_empty() {
                Ok(CheckedGates::default())
            } else {
                Err(no_evaluation(to, &gates))
            };
        };
        let mut checked = CheckedGates::default();
        let mut facts = Vec::new();
        let reports = [
            (
                Sort::Evaluation,
                promotion.evaluation,
                &mut checked.evaluation,
            ),
            (
                Sort::Comparison,
                promotion.comparison,
                &mut checked.comparison,
            ),
        ];
        for (sort, path, digest) in reports {
            let Some(path) = path else {
                continue;
            };
            let evidence = version.evidence(sort, path, promotion.accepts_unnamed)?;
            *digest = Some(evidence.digest);
            facts.extend(evidence.facts);
            if !evidence.is_named {
                let path = path.display();
                let warning = format!("`{path}` does not name the version `{to}`");
                checked.warnings.push(warning);
            }
        }
        // Gates of a package about what a run watches are judged by runs.
        let is_of_reports = |PlannedGate { gate, .. }: &PlannedGate| {
            facts.iter().any(|fact| fact.metric == gate.metric())
                || !(INPUT_METRICS.contains(&gate.metric())
                    || DRIFT_METRICS.contains(&gate.metric()))
        };
        let mut gates: Vec<PlannedGate> = of_package.into_iter().filter(is_of_reports).collect();
        let package_count = gates.len();
        gates.extend(own);
        let judged = Judged::new(&gates, &facts, &[], false);
        // A package's gate without a value, or one about what these rows do not have, does not
        // hold. One of the user's about what no report has is misspelt.
        let unknown = judged.0.iter().enumerate().find_map(|(index, one)| {
            let metric = one.planned.gate.metric();
            let is_there = facts.iter().any(|fact| fact.metric == metric);
            let is_meant = index < package_count || !is_there && gate_names::is_of_reports(metric);
            let alone = Judged(vec![one.clone()]);
            alone.unknown(&facts).filter(|_| !is_meant)
        });
        if let Some(error) = unknown {
            return Err(error.at_path(path));
        }
        let failed: Vec<String> = judged.of(State::Fail).map(ToString::to_string).collect();
        if !failed.is_empty() {
            let message = format!("`{to}` is not promoted: {}", failed.join("; "));
            let error = Error::new(Kind::Gate, message).at_path(path);
            let mut absent = judged
                .of(State::Fail)
                .filter(|one| one.decided_by.is_none());
            return Err(match absent.next() {
                Some(one) => error.hint(absent_hint(&one.planned.gate, &facts)),
                None => error,
            });
        }
        let held = judged.of(State::Ok);
        checked.held = held.map(|one| one.planned.gate.to_string()).collect();
        let warned = judged.of(State::Warn).chain(judged.of(State::Undecided));
        checked.warnings.extend(warned.map(ToString::to_string));
        Ok(checked)
    }

    /// The gates of a version's package, and which version it is.
    fn gates(&self, to: &Reference) -> Result<(Vec<PlannedGate>, Promoted)> {
        let digest = self.resolve(to, None)?.digest;
        let record = record::read(&*self.store, &digest)?;
        let files = record.files.iter();
        let mut promoted = Promoted {
            reference: to.to_string(),
            digest,
            own_digests: files
                .map(|file| format!("{SHA256}{}", file.sha256))
                .collect(),
            name: None,
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
        promoted.own_digests.push(package_digest(&bytes, &manifest));
        promoted.name = Some(manifest.name);
        promoted.label = manifest.version;
        Ok((gates, promoted))
    }
}

/// The digest that a package of this manifest has when it is scored by its path, if its artefacts
/// have no further files that hold parts of them.
fn package_digest(bytes: &[u8], manifest: &Manifest) -> String {
    let artefacts = manifest.artefacts.iter();
    let digest = artefacts.fold(Sha256::new().chain_update(bytes), |digest, artefact| {
        digest.chain_update(artefact.sha256.as_deref().unwrap_or_default())
    });
    format!("{SHA256}{}", hexadecimal(&digest.finalize()))
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
