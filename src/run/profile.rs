//! The profile of a table as a model reads it, and of the scores that it gives: a run that writes
//! nothing else.

use super::check::Nowhere;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::monitor::profile::Profile;
use crate::monitor::profiling::RunProfile;
use crate::pipeline::budget::Budget;
use crate::pipeline::{self, Control, Input, Outcomes};
use crate::plan::Plan;
use crate::plan::monitoring::profile_observer;
use crate::request::work::Work;

/// Scores every row and profiles inputs and scores.
///
/// # Errors
/// Whatever ends a run.
pub fn profile_as_read(work: &Work, interrupt: &Interrupt) -> Result<Profile> {
    let mut plan = Plan::bind(work)?;
    let arm = plan.job.arms.iter().next();
    let arm = arm.ok_or_else(|| Error::internal("a run without a model"))?;
    plan.job.observers = vec![Box::new(profile_observer(&arm.scoring, &plan.job.mask))];
    let control = Control {
        interrupt: interrupt.clone(),
        budget: Budget::default(),
    };
    let mut outcomes = Outcomes::new(&plan.job);
    let input = Input::whole(&plan.job);
    pipeline::run(
        &plan.job,
        input,
        &mut Nowhere,
        &control,
        &mut outcomes,
        Vec::new(),
        &|_| {},
    )?;
    let profile = outcomes.seen.get::<RunProfile>();
    let profile = profile.ok_or_else(|| Error::internal("a run without its profile"))?;
    Ok(profile.profile.clone())
}
