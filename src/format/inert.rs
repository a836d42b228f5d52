//! A model that can be looked at and not run: what `inspect` shows of a file that is not supported.

use arrow::array::ArrayRef;

use crate::contract::Contract;
use crate::error::{Error, Result};
use crate::model::{
    ColumnModel, ColumnScores, ColumnWorker, Description, LoadedModel, Model, TrainedModel,
};
use crate::outcome::{Finished, Link, Outcome, Task};

#[derive(Debug)]
struct Inert {
    family: &'static str,
    reason: String,
    feature_count: usize,
}

/// The fact that says why a file is not to be trusted.
pub(crate) const NOT_TRUSTED: &str = "not_trusted";

/// The model that stands for a file of this family, whose description then says why it is not
/// supported.
pub(super) fn inert(
    family: &'static str,
    description: Description,
    feature_count: usize,
    error: &Error,
) -> LoadedModel {
    because("not_supported", family, description, feature_count, error)
}

/// The same for a file that is not to be trusted.
pub(super) fn untrusted(
    family: &'static str,
    description: Description,
    error: &Error,
) -> LoadedModel {
    because(NOT_TRUSTED, family, description, 0, error)
}

fn because(
    fact: &str,
    family: &'static str,
    mut description: Description,
    feature_count: usize,
    error: &Error,
) -> LoadedModel {
    description.facts.push((fact.into(), error.to_string()));
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
        model: TrainedModel::columnar(model),
        contract: Contract::default(),
        outcome,
        description,
    }
}

impl Model for Inert {
    fn family(&self) -> &'static str {
        self.family
    }

    fn feature_count(&self) -> usize {
        self.feature_count
    }

    fn memory_bytes(&self) -> usize {
        0
    }
}

impl ColumnModel for Inert {
    fn worker(&self) -> Box<dyn ColumnWorker + '_> {
        Box::new(self)
    }
}

impl ColumnWorker for &Inert {
    fn score(&mut self, _columns: &[ArrayRef]) -> Result<ColumnScores> {
        Err(Error::contract(self.reason.clone()))
    }
}
