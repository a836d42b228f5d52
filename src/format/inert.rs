//! A model that can be looked at and not run: what `inspect` shows of a file that is not supported.

use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::feature::{FeatureBlock, Precision};
use crate::model::{Description, LoadedModel, Model, Scores, Wants, Worker};
use crate::outcome::{Finished, Link, Outcome, Task};

#[derive(Debug)]
struct Inert {
    family: &'static str,
    reason: String,
    feature_count: usize,
}

/// The model that stands for a file of this family, whose description then says why it is not
/// supported.
pub(super) fn inert(
    family: &'static str,
    mut description: Description,
    feature_count: usize,
    error: &Error,
) -> LoadedModel {
    description
        .facts
        .push(("not_supported".into(), error.to_string()));
    let model = Inert {
        family,
        reason: error.to_string(),
        feature_count,
    };
    let outcome = Outcome {
        task: Task::Columns(Finished::default()),
        link: Link::Identity,
    };
    LoadedModel {
        model: Box::new(model),
        contract: Contract::default(),
        outcome,
        description,
    }
}

impl Model for Inert {
    fn family(&self) -> &'static str {
        self.family
    }

    fn precision(&self) -> Precision {
        Precision::Native
    }

    fn feature_count(&self) -> usize {
        self.feature_count
    }

    fn margin_count(&self) -> usize {
        1
    }

    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(self)
    }

    fn memory_bytes(&self) -> usize {
        0
    }
}

impl Worker for &Inert {
    fn score(
        &mut self,
        _block: &FeatureBlock,
        _wants: &Wants<'_>,
        _scores: &mut Scores,
    ) -> Result<()> {
        Err(Error::contract(self.reason.clone()))
    }
}
