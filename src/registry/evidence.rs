//! What a report says of the version that is promoted.
//!
//! Owns whether a report is of that version, and which of several arms is. What gates make of the
//! facts is [`super::promotion`]'s.

use sha2::{Digest, Sha256};

use crate::count::listed;
use crate::digest::hexadecimal;
use crate::error::{Error, Result};
use crate::report::facts::find;
use crate::report::stored::StoredReport;
use crate::report::{Fact, arms, comparison, evaluation};
use crate::storage::{Location, read};

/// The most bytes of a report.
const BYTES_LIMIT: u64 = 64 << 20;

/// The most arms that an error names.
const ARMS_NAMED: usize = 5;

/// The version that is promoted.
#[derive(Debug)]
pub(super) struct Promoted {
    /// `NAME:VERSION`.
    pub(super) reference: String,
    /// The digest of its list of files.
    pub(super) digest: String,
    /// The version that its package gives itself.
    pub(super) label: Option<String>,
}

impl Promoted {
    /// Adds the facts of a report, if it is of this version as far as both say. Returns the
    /// report's digest: `sha256:…`.
    ///
    /// # Errors
    /// A contract error if it is of another one; fails if it cannot be read.
    pub(super) fn add_facts(&self, path: &Location, all: &mut Vec<Fact>) -> Result<String> {
        let bytes = read(path, BYTES_LIMIT)?;
        let reports = StoredReport::read(path)?;
        let facts = reports.last().map_or(&[][..], |report| &report.facts[..]);
        let own = self.own(facts).map_err(|error| error.at_path(path))?;
        all.extend(own);
        Ok(format!("sha256:{}", hexadecimal(&Sha256::digest(bytes))))
    }

    /// What of the facts is of this version.
    fn own(&self, facts: &[Fact]) -> Result<Vec<Fact>> {
        if let Some(arm) = self.arm(facts)? {
            return Ok(of_arm(facts, arm));
        }
        self.check_version(facts)?;
        Ok(facts.to_vec())
    }

    /// The arm of an evaluation that is of this version: by the registry's digest, else by the
    /// version of its package where the model was scored by its path. None if arms do not say.
    fn arm<'a>(&self, facts: &'a [Fact]) -> Result<Option<&'a str>> {
        let names = subjects(facts);
        let text = |name: &str, metric: &str| {
            let fact = find(facts, arms::SECTION, name, metric);
            fact.and_then(Fact::as_text)
        };
        let of_version = |name: &&str| text(name, "registry_digest") == Some(&self.digest);
        let of_label = |name: &&str| {
            let label = self.label.as_deref();
            text(name, "registry_digest").is_none()
                && label.is_some()
                && text(name, "version") == label
        };
        let mut found: Vec<&str> = names.iter().copied().filter(of_version).collect();
        if found.is_empty() {
            found = names.iter().copied().filter(of_label).collect();
        }
        if let [first, _, ..] = found[..] {
            let error = Error::contract(format!(
                "several arms of the report are of `{}`: {}",
                self.reference,
                listed(
                    found.iter().map(|name| format!("`{name}`")),
                    ARMS_NAMED,
                    ", ",
                    "arm"
                )
            ));
            return Err(error.hint(format!("evaluate `{first}` alone")));
        }
        Ok(found.first().copied())
    }

    /// The model of an evaluation, or that of a comparison's second table, must be this version: by
    /// the registry's digest where a name was scored, else by the version of its package.
    fn check_version(&self, facts: &[Fact]) -> Result<()> {
        let text = |metric: &str| {
            let of = |section: &str, subject: &str| {
                find(facts, section, subject, metric).and_then(Fact::as_text)
            };
            of("model", "").or_else(|| of(comparison::MODELS, "b"))
        };
        let message = match (text("registry_digest"), text("version"), &self.label) {
            (Some(digest), ..) if digest == self.digest => return Ok(()),
            (Some(_), ..) => {
                let [model, number] = ["registry_model", "registry_version"]
                    .map(|metric| text(metric).unwrap_or("?"));
                format!(
                    "the report is of `{model}:{number}`, not of `{}`",
                    self.reference
                )
            }
            (None, Some(found), Some(label)) if found != label => format!(
                "the report is of version {found} of a model, and `{}` is version {label}",
                self.reference
            ),
            (None, ..) => return Ok(()),
        };
        let error = Error::contract(message);
        Err(error.hint("score with the version that is promoted, and evaluate that"))
    }
}

/// The names of the arms, in the order of their ranks.
fn subjects(facts: &[Fact]) -> Vec<&str> {
    let ranks = facts
        .iter()
        .filter(|fact| fact.section == arms::SECTION && fact.metric == "rank");
    ranks.map(|fact| fact.subject.as_str()).collect()
}

/// The facts of a report as if the arm had been evaluated alone, with what ranks it. Segments and
/// tables are those of the first arm.
fn of_arm(facts: &[Fact], arm: &str) -> Vec<Fact> {
    let is_first = find(facts, arms::SECTION, "", "first").and_then(Fact::as_text) == Some(arm);
    let is_kept = |fact: &&Fact| {
        if fact.section == arms::SECTION {
            fact.subject == arm
        } else {
            is_first
        }
    };
    let mut own: Vec<Fact> = facts.iter().filter(is_kept).cloned().collect();
    let is_known =
        |fact: &&Fact| is_first && find(facts, evaluation::SECTION, "", &fact.metric).is_some();
    let numbers: Vec<Fact> = own
        .iter()
        .filter(|fact| fact.section == arms::SECTION && fact.as_number().is_some())
        .filter(|fact| !is_known(fact))
        .map(|fact| Fact {
            section: evaluation::SECTION.into(),
            subject: String::new(),
            ..fact.clone()
        })
        .collect();
    own.extend(numbers);
    own
}
