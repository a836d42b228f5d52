//! What a report says of the version that is promoted.
//!
//! Owns whether a report is of that version, and which of several arms is. What gates make of the
//! facts is [`super::promotion`]'s.

use sha2::{Digest, Sha256};

use crate::count::listed;
use crate::digest::hexadecimal;
use crate::error::{Error, Result};
use crate::pipeline::arm::MODEL;
use crate::report::facts::find;
use crate::report::stored::StoredReport;
use crate::report::{Fact, arms, comparison, evaluation, models};
use crate::storage::{Location, read};

/// The most bytes of a report.
const BYTES_LIMIT: u64 = 64 << 20;

/// The most arms that an error names.
const ARMS_NAMED: usize = 5;

/// Which report a promotion asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// One of `evaluate`.
    Evaluation,
    /// One of `compare`, or of a run with challengers.
    Comparison,
}

impl Sort {
    /// Refuses a report that is of the other sort.
    fn check(self, facts: &[Fact]) -> Result<()> {
        let has = |section: &str| facts.iter().any(|fact| fact.section == section);
        let is_other = match self {
            Self::Evaluation => has(comparison::SECTION) && !has(evaluation::SECTION),
            Self::Comparison => has(evaluation::SECTION) && !has(comparison::SECTION),
        };
        if !is_other {
            return Ok(());
        }
        let (what, flag) = match self {
            Self::Evaluation => ("a comparison", "--comparison"),
            Self::Comparison => ("an evaluation", "--evaluation"),
        };
        let error = Error::usage(format!("the report is of {what}"));
        Err(error.hint(format!("name it with `{flag}`")))
    }
}

/// The version that is promoted.
#[derive(Debug)]
pub(super) struct Promoted {
    /// `NAME:VERSION`.
    pub(super) reference: String,
    /// The digest of its list of files.
    pub(super) digest: String,
    /// The digests that its model has when it is scored by its path.
    pub(super) own_digests: Vec<String>,
    /// The name that its package gives itself.
    pub(super) name: Option<String>,
    /// The version that its package gives itself.
    pub(super) label: Option<String>,
}

/// What a report says of the version that is promoted.
enum Claim {
    /// It is of that version.
    Own,
    /// It is of another one: the message.
    Other(String),
    /// It does not say.
    Unnamed,
}

/// What a report is to a promotion.
#[derive(Debug)]
pub(super) struct Evidence {
    /// The report's digest: `sha256:…`.
    pub(super) digest: String,
    /// The facts that are of the version.
    pub(super) facts: Vec<Fact>,
    /// Whether the report says that they are.
    pub(super) is_named: bool,
}

impl Promoted {
    /// Reads a report, which must be of this version; with `accepts_unnamed` it need not say so.
    ///
    /// # Errors
    /// A usage error if it is of the other sort; a contract error if it is of another version, of
    /// several models, or does not say of which; fails if it cannot be read.
    pub(super) fn evidence(
        &self,
        sort: Sort,
        path: &Location,
        accepts_unnamed: bool,
    ) -> Result<Evidence> {
        let bytes = read(path, BYTES_LIMIT)?;
        let reports = StoredReport::read(path)?;
        let facts = reports.last().map_or(&[][..], |report| &report.facts[..]);
        sort.check(facts).map_err(|error| error.at_path(path))?;
        let own = self.own(facts).map_err(|error| error.at_path(path))?;
        if own.is_none() && !accepts_unnamed {
            let message = format!("the report does not name the version `{}`", self.reference);
            return Err(Error::contract(message).at_path(path).hint(format!(
                "score with `{}`, and keep the run's report next to the output; \
                 `--accept-unnamed` promotes without",
                self.reference
            )));
        }
        Ok(Evidence {
            digest: format!("sha256:{}", hexadecimal(&Sha256::digest(bytes))),
            is_named: own.is_some(),
            facts: own.unwrap_or_else(|| facts.to_vec()),
        })
    }

    /// What of the facts is of this version; none if the report does not say whether it is.
    fn own(&self, facts: &[Fact]) -> Result<Option<Vec<Fact>>> {
        if let Some(arm) = self.arm(facts)? {
            return Ok(Some(of_arm(facts, arm)));
        }
        if is_of_several(facts) {
            return self.segment(facts).map(Some);
        }
        // The model of an evaluation, or that of a comparison's second table.
        let claim = self.claim(|metric| {
            let of = |section: &str, subject: &str| text(facts, section, subject, metric);
            of("model", "").or_else(|| of(comparison::MODELS, "b"))
        });
        match claim {
            Claim::Own => Ok(Some(facts.to_vec())),
            Claim::Unnamed => Ok(None),
            Claim::Other(message) => Err(Error::contract(message)
                .hint("score with the version that is promoted, and evaluate that")),
        }
    }

    /// Whether a model is this version, by what a report says of it: by the registry's digest where
    /// a name was scored, else by the model's own, or by the name and version of its package.
    fn claim<'a>(&self, text: impl Fn(&str) -> Option<&'a str>) -> Claim {
        if let Some(digest) = text("registry_digest") {
            if digest == self.digest {
                return Claim::Own;
            }
            let [model, number] =
                ["registry_model", "registry_version"].map(|name| text(name).unwrap_or("?"));
            return Claim::Other(format!(
                "the report is of `{model}:{number}`, not of `{}`",
                self.reference
            ));
        }
        let is_own = |digest: &str| self.own_digests.iter().any(|own| own == digest);
        if text("digest").is_some_and(is_own) {
            return Claim::Own;
        }
        if let (Some(found), Some(own)) = (text("name"), self.name.as_deref())
            && found != own
        {
            return Claim::Other(format!(
                "the report is of the model `{found}`, and `{}` is of `{own}`",
                self.reference
            ));
        }
        match (text("version"), self.label.as_deref()) {
            (Some(found), Some(label)) if found != label => Claim::Other(format!(
                "the report is of version {found} of a model, and `{}` is version {label}",
                self.reference
            )),
            (Some(_), Some(_)) if text("name") == self.name.as_deref() => Claim::Own,
            _ => Claim::Unnamed,
        }
    }

    /// The arm of an evaluation that is of this version; none if arms do not say.
    fn arm<'a>(&self, facts: &'a [Fact]) -> Result<Option<&'a str>> {
        self.only(&subjects(facts, arms::SECTION), facts, arms::SECTION)
    }

    /// The one of several models of a report that is of this version: one that names the version
    /// comes before one that has its package's version.
    fn only<'a>(
        &self,
        names: &[&'a str],
        facts: &[Fact],
        section: &str,
    ) -> Result<Option<&'a str>> {
        let of = |name: &str, metric: &str| text(facts, section, name, metric);
        let is_own = |name: &&&str| matches!(self.claim(|metric| of(name, metric)), Claim::Own);
        let own: Vec<&str> = names.iter().filter(is_own).copied().collect();
        let is_exact = |name: &&str| of(name, "registry_digest").is_some();
        let exact: Vec<&str> = own.iter().filter(|name| is_exact(name)).copied().collect();
        let found = if exact.is_empty() { own } else { exact };
        if let [first, _, ..] = found[..] {
            let error = Error::contract(format!(
                "several arms of the report are of `{}`: {}",
                self.reference,
                all_named(&found)
            ));
            return Err(error.hint(format!("evaluate `{first}` alone")));
        }
        Ok(found.first().copied())
    }

    /// The facts of the rows of an A/B test that this version answered, as if they had been
    /// evaluated alone.
    fn segment(&self, facts: &[Fact]) -> Result<Vec<Fact>> {
        let names = subjects(facts, evaluation::SPLIT);
        let message = "the report is of an A/B test, whose rows several models answered";
        let Some(arm) = self.only(&names, facts, evaluation::SPLIT)? else {
            let message = if names.is_empty() {
                message.to_owned()
            } else {
                let named = all_named(&names);
                format!(
                    "{message}: {named}; none is known to be `{}`",
                    self.reference
                )
            };
            return Err(Error::contract(message)
                .hint("score with the version that is promoted, and evaluate that"));
        };
        let segment = format!("{MODEL}={arm}");
        let own = facts.iter().filter(|fact| fact.subject == segment);
        let own: Vec<Fact> = own
            .map(|fact| Fact {
                subject: String::new(),
                ..fact.clone()
            })
            .collect();
        if own.is_empty() {
            let message = format!("{message}, and has no segment of `{arm}`");
            return Err(Error::contract(message)
                .hint("evaluate the output with `--by model`; its segment is judged then"));
        }
        Ok(own)
    }
}

/// A text of a report.
fn text<'a>(facts: &'a [Fact], section: &str, subject: &str, metric: &str) -> Option<&'a str> {
    find(facts, section, subject, metric).and_then(Fact::as_text)
}

/// Whether several models answered the rows that a report is about.
fn is_of_several(facts: &[Fact]) -> bool {
    facts.iter().any(|fact| {
        fact.section == evaluation::SPLIT
            || fact.section == comparison::MODELS
                && (fact.metric == models::SHARE
                    || (fact.subject == "b" && fact.metric == evaluation::SPLIT))
    })
}

/// Names in backticks.
fn all_named(names: &[&str]) -> String {
    let named = names.iter().map(|name| format!("`{name}`"));
    listed(named, ARMS_NAMED, ", ", "arm")
}

/// The names of the models of a section, in its order.
fn subjects<'a>(facts: &'a [Fact], section: &str) -> Vec<&'a str> {
    let own = facts.iter().filter(|fact| fact.section == section);
    let mut names: Vec<&str> = own
        .map(|fact| fact.subject.as_str())
        .filter(|name| !name.is_empty())
        .collect();
    names.dedup();
    names
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
