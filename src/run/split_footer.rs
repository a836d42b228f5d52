//! What the footer of an output says of the models of an A/B test.
//!
//! Owns which models it names, and in which order. It must not know how rows are split.

use crate::package::open::Identity;
use crate::plan::Plan;
use crate::table::origin::SplitModel;

/// The models of an A/B test, the run's own first; none of a run of one model.
pub(super) fn footer(plan: &Plan) -> Option<String> {
    if plan.split.is_empty() {
        return None;
    }
    let of = |arm: &str, identity: &Identity| SplitModel {
        arm: arm.to_owned(),
        name: Some(identity.name.clone()),
        version: identity.version.clone(),
        digest: identity.digest.clone(),
    };
    let others = plan.split.iter().map(|arm| of(&arm.name, &arm.identity));
    let models: Vec<SplitModel> = std::iter::once(of(&plan.model.name, &plan.model))
        .chain(others)
        .collect();
    serde_json::to_string(&models).ok()
}
