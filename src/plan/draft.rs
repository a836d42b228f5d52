//! A plan before it is final: whether every input file can be read to its end, and whether an
//! output that is there may be replaced, is found out after data and model were bound.
//!
//! Owns what may still change. A [`Plan`] made of it never does.

use std::collections::HashMap;
use std::sync::Arc;

use super::guard::Guards;
use super::target::Target;
use super::{Plan, budget, effect, keys};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::package::manifest::OnFail;
use crate::pipeline::verification;
use crate::request::Request;
use crate::request::rows::OnBadFile;
use crate::storage::Location;
use crate::table::dataset::Dataset;
use crate::table::dataset_file::BadFile;

/// A plan whose files and target are still open.
#[derive(Debug)]
pub struct Draft {
    plan: Plan,
    is_skipping: bool,
    /// What the user should look at once the run is over.
    pub doubt: Option<Error>,
}

impl Draft {
    /// The draft for a request whose results go to `target`; `names` are those of input files that
    /// are recorded under other names than their paths.
    ///
    /// # Errors
    /// As [`Plan::bind`]; a usage error if the run would write over what it reads, or for a limit
    /// that is not one.
    pub fn resolve(
        request: &Request,
        target: Option<Target>,
        names: &HashMap<Location, Location>,
    ) -> Result<Self> {
        let mut plan = Plan::bind_priced(request)?;
        own_dataset(&mut plan)?.name_files(names);
        keys::check_columns(&plan.job.output_schema, &plan.job.dataset.schema())?;
        if let Some(target) = &target {
            target.refuse_inputs(&request.work.model, &plan.job.dataset)?;
        }
        let report = match &target {
            Some(target) => target.last_report()?,
            None => None,
        };
        let (guards, doubt) = Guards::resolve(&request.limits, report.as_ref())?;
        plan.guards = guards;
        plan.budget = budget(&request.limits, plan.job.row_count())?;
        plan.skip_code = request.limits.skip_code;
        plan.request = request
            .to_json()
            .map_err(|error| Error::internal("options that have no form as JSON").because(error))?;
        let may_reject =
            effect::may_reject(plan.job.arms.inputs()) || plan.job.rules.may(OnFail::Reject);
        let output = target.as_ref().map(|_| &request.output);
        plan.warnings
            .extend(effect::of_rejections(output, &request.limits, may_reject));
        plan.target = target;
        Ok(Self {
            plan,
            is_skipping: request.work.rows.on_bad_file == OnBadFile::Skip,
            doubt,
        })
    }

    /// The files of which every row is to be read before the first is scored, so that a file is
    /// scored whole or not at all: those that cannot be read to their end, by their indices.
    ///
    /// # Errors
    /// Fails if a worker cannot be started; [`crate::error::Kind::Signal`] if `interrupt` says so.
    pub fn unreadable(&self, interrupt: &Interrupt) -> Result<Vec<(usize, BadFile)>> {
        if self.is_skipping {
            verification::unreadable(&self.plan.job, interrupt)
        } else {
            Ok(Vec::new())
        }
    }

    /// The plan without files that cannot be read to their end; `may_replace` answers, for the name
    /// of the run, whether an output that is there may be replaced though the user did not ask for
    /// it.
    ///
    /// # Errors
    /// Fails if no file is left, and as `may_replace`.
    pub fn finish(
        self,
        unreadable: Vec<(usize, BadFile)>,
        may_replace: impl FnOnce(&str) -> Result<bool>,
    ) -> Result<Plan> {
        let mut plan = self.plan;
        if !unreadable.is_empty() {
            own_dataset(&mut plan)?.remove_nodes(&unreadable)?;
            plan.bad_files
                .extend(unreadable.into_iter().map(|(_, bad_file)| bad_file));
            plan.run_id = plan.name.run_id(&plan.job.dataset)?;
        }
        plan.budget.row_count = plan.job.row_count();
        let may_replace = may_replace(&plan.run_id)?;
        if let Some(target) = &mut plan.target {
            plan.job.rows_per_part = target.rows_per_part(&plan.job);
            target.overwrite |= may_replace;
        }
        Ok(plan)
    }
}

/// The data set, while nothing else holds it.
fn own_dataset(plan: &mut Plan) -> Result<&mut Dataset> {
    Arc::get_mut(&mut plan.job.dataset).ok_or_else(|| Error::internal("the data set is in use"))
}
