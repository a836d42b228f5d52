//! Whether the models of a plan are those of a recorded run.

use crate::error::{Error, Result};
use crate::output::manifest::Manifest;
use crate::package::open::Identity;
use crate::plan::Plan;

/// Checks that every model of the plan is the one that the manifest records.
///
/// # Errors
/// A contract error for the first that is another one.
pub(super) fn check_models(plan: &Plan, manifest: &Manifest) -> Result<()> {
    if plan.model.digest != manifest.identity.model_digest {
        return Err(another("the model", &plan.model));
    }
    let recorded = manifest.identity.configuration.get("--split");
    for (index, arm) in plan.split.iter().enumerate() {
        let digest = recorded.and_then(|split| split["arms"][index]["digest"].as_str());
        if digest != Some(&arm.identity.digest) {
            return Err(another(&format!("the model `{}`", arm.name), &arm.identity));
        }
    }
    Ok(())
}

fn another(what: &str, model: &Identity) -> Error {
    Error::contract(format!("{what} is another one than the run's"))
        .at_path(&model.path)
        .hint("restore the model as it was when the data set was made")
}
