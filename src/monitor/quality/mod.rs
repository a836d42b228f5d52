//! How well rows obey the run's rules: counts of a portion, merged, and what they come to.
//!
//! Owns the observer. What is counted is [`counts`]', what it comes to [`finding`]'s; the rules
//! themselves are [`crate::pipeline::rule`]'s. Counts are a function of the rows alone, whatever
//! their order or grouping. It must not know reports.

mod counts;
mod finding;

use std::any::Any;
use std::sync::Arc;

use self::counts::Counts;
pub use self::finding::{Finding, Verdict, findings};
use crate::error::{Error, Result};
use crate::pipeline::observer::{Observer, Partial, ScoredPortion};
use crate::pipeline::rule::Rules;
use crate::statistics::bytes::{Reader, Writer};

/// What was counted for all rules of a run.
#[derive(Debug)]
pub struct QualityCounts {
    rules: Vec<Counts>,
    example_count: usize,
}

/// Counts how rows obey the rules.
#[derive(Debug)]
pub struct QualityObserver {
    rules: Arc<Rules>,
}

impl QualityObserver {
    /// The observer of these rules.
    #[must_use]
    pub fn new(rules: Arc<Rules>) -> Self {
        Self { rules }
    }

    fn nothing(&self) -> QualityCounts {
        QualityCounts {
            rules: self.rules.iter().map(Counts::nothing).collect(),
            example_count: self.rules.example_count(),
        }
    }
}

impl Observer for QualityObserver {
    fn name(&self) -> &'static str {
        "quality"
    }

    fn version(&self) -> u32 {
        1
    }

    fn empty(&self) -> Box<dyn Partial> {
        Box::new(self.nothing())
    }

    fn observe(&self, portion: &ScoredPortion<'_>) -> Result<Box<dyn Partial>> {
        let mut counts = self.nothing();
        for (counts, rule) in counts.rules.iter_mut().zip(self.rules.iter()) {
            counts
                .observe(rule, &self.rules, portion)
                .map_err(|error| error.adding(&format!(", in the rule `{}`", rule.name)))?;
        }
        Ok(Box::new(counts))
    }

    fn needs_only_scores(&self) -> bool {
        false
    }

    fn partial_of(&self, bytes: &[u8]) -> Option<Box<dyn Partial>> {
        let mut reader = Reader::new(bytes);
        if reader.integer()? != self.rules.iter().len() as u64 {
            return None;
        }
        let rules = self.rules.iter();
        let rules = rules.map(|rule| Counts::read(&Counts::nothing(rule), &mut reader));
        let rules = rules.collect::<Option<Vec<_>>>()?;
        reader.is_at_end().then(|| {
            Box::new(QualityCounts {
                rules,
                example_count: self.rules.example_count(),
            }) as Box<dyn Partial>
        })
    }
}

impl Partial for QualityCounts {
    fn merge(&mut self, other: &dyn Partial) -> Result<()> {
        let other: &dyn Any = other;
        let other = other
            .downcast_ref::<Self>()
            .filter(|other| other.rules.len() == self.rules.len())
            .ok_or_else(|| Error::internal("counts of other rules"))?;
        let example_count = self.example_count;
        self.rules
            .iter_mut()
            .zip(&other.rules)
            .try_for_each(|(own, other)| own.merge(other, example_count))
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.integer(self.rules.len() as u64);
        self.rules
            .iter()
            .for_each(|counts| counts.write(&mut writer));
        writer.into_bytes()
    }
}
