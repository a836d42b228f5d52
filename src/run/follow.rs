//! A row followed through the model of a run.
//!
//! Owns the imports of the model that can be followed. They must give what the run's own gives, to
//! the bit: one that does not is not shown.

use std::cell::OnceCell;

use arrow::array::RecordBatch;

use crate::contract::InputKind;
use crate::error::{Error, Result};
use crate::feature::verdict::Origin;
use crate::format::ImportOptions;
use crate::model::TrainedModel;
use crate::model::trace::{Feature, Keep, Trace, followed, keeping};
use crate::outcome::Margins;
use crate::package::open::open;
use crate::pipeline::scoring::{OneRow, Scoring};
use crate::plan::Plan;
use crate::plan::challenger::own_work;
use crate::plan::import::import_options;
use crate::request::Request;
use crate::request::work::Work;
use crate::storage::Location;

/// A model to be followed.
pub(super) struct Followed {
    path: Location,
    options: ImportOptions,
    /// Step by step, as the file has it.
    by_steps: OnceCell<TrainedModel>,
    /// As it runs otherwise.
    as_run: OnceCell<TrainedModel>,
}

impl Followed {
    /// The models of a request, in the order of the arms.
    ///
    /// # Errors
    /// A usage error for an option that has no meaning.
    pub(super) fn all(request: &Request, plan: &Plan) -> Result<Vec<Self>> {
        let mut all = vec![Self::of(&request.work)?];
        for arm in &plan.split {
            let mut located = request.work.challengers.located.iter();
            let located = located.find(|located| located.name == arm.name);
            let located =
                located.ok_or_else(|| Error::internal("an arm that was not looked up"))?;
            all.push(Self::of(&own_work(&request.work, located)?)?);
        }
        Ok(all)
    }

    fn of(work: &Work) -> Result<Self> {
        Ok(Self {
            path: work.model.clone(),
            options: import_options(&work.binding, &work.outcome, &work.text)?,
            by_steps: OnceCell::new(),
            as_run: OnceCell::new(),
        })
    }

    /// What the model computes on the way to the score of a row, of which it makes these margins;
    /// nothing where another import of it does not make the same.
    ///
    /// # Errors
    /// What importing the model again, or scoring the row, fails with.
    pub(super) fn follow(
        &self,
        scoring: &Scoring,
        row: &RecordBatch,
        origin: Origin,
        margins: Option<&Margins>,
    ) -> Result<Trace> {
        let features = features(scoring);
        let expected = match margins {
            Some(margins) => OneRow::Margins(margins.clone()),
            None => scoring.scored_by(&scoring.model().model, row, 0, origin)?,
        };
        // What runs step by step may differ in the last digits from what is joined.
        for (model, keep) in [(&self.by_steps, Keep::Steps), (&self.as_run, Keep::Names)] {
            let model = self.imported(model, keep)?;
            let score = || scoring.scored_by(model, row, 0, origin);
            let (scored, trace) = followed(features.clone(), score);
            if is_same(&scored?, &expected) {
                return Ok(trace);
            }
        }
        Ok(Trace::default())
    }

    fn imported<'a>(
        &self,
        cell: &'a OnceCell<TrainedModel>,
        keep: Keep,
    ) -> Result<&'a TrainedModel> {
        if let Some(model) = cell.get() {
            return Ok(model);
        }
        let opened = keeping(keep, || open(&self.path, &self.options))?;
        Ok(cell.get_or_init(|| opened.loaded.model))
    }
}

/// Whether two results are the same; missing numbers are.
fn is_same(left: &OneRow, right: &OneRow) -> bool {
    match (left, right) {
        (OneRow::Margins(Margins::Single(left)), OneRow::Margins(Margins::Single(right))) => left
            .iter()
            .map(|one| one.to_bits())
            .eq(right.iter().map(|one| one.to_bits())),
        (OneRow::Margins(Margins::Double(left)), OneRow::Margins(Margins::Double(right))) => left
            .iter()
            .map(|one| one.to_bits())
            .eq(right.iter().map(|one| one.to_bits())),
        _ => left == right,
    }
}

/// The features of the model, and what their codes stand for.
fn features(scoring: &Scoring) -> Vec<Feature> {
    let inputs = scoring.encoder().inputs();
    inputs
        .map(|bound| Feature {
            name: bound.input.name.clone(),
            categories: match &bound.input.kind {
                InputKind::Category(vocabulary) => {
                    let values = vocabulary.values.iter();
                    values.map(ToString::to_string).collect()
                }
                _ => Vec::new(),
            },
        })
        .collect()
}
