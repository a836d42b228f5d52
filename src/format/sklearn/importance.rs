//! Importances of features by impurity, for selectors that choose by them.
//!
//! Sources: `Tree.compute_feature_importances` and the `feature_importances_` of scikit-learn's
//! forests and gradient boosting, 0.24 to 1.9.

use super::object::Object;
use crate::error::Result;

/// The decrease of impurity by each feature of a tree, as shares of the whole if `shares`.
pub(super) fn of_tree(object: &Object, shares: bool) -> Result<Vec<f64>> {
    let tree = object.attribute("tree_")?;
    let nodes = tree.array("nodes")?;
    let left = nodes.field_integers("left_child")?;
    let right = nodes.field_integers("right_child")?;
    let feature = nodes.field_integers("feature")?;
    let impurity = nodes.field_reals("impurity")?;
    let weight = nodes.field_reals("weighted_n_node_samples")?;
    let count = object.real("n_features_in_")? as usize;
    if count > 1 << 20 {
        return Err(object.refuse("it reads more than a million columns"));
    }
    let mut sums = vec![0.0; count];
    let part = |index: usize| Some(weight.get(index)? * impurity.get(index)?);
    for (index, one) in left.iter().enumerate() {
        let (Ok(one), Ok(other)) = (
            usize::try_from(*one),
            usize::try_from(right.get(index).copied().unwrap_or(-1)),
        ) else {
            continue;
        };
        let at = feature
            .get(index)
            .and_then(|one| usize::try_from(*one).ok());
        let to = at.and_then(|at| sums.get_mut(at));
        let (Some(to), Some(own), Some(one), Some(other)) =
            (to, part(index), part(one), part(other))
        else {
            return Err(object.refuse("its nodes do not fit each other"));
        };
        *to += own - one - other;
    }
    let total = weight.first().copied().unwrap_or(1.0);
    sums.iter_mut().for_each(|sum| *sum /= total);
    let sum: f64 = sums.iter().sum();
    if shares && sum > 0.0 {
        sums.iter_mut().for_each(|one| *one /= sum);
    }
    Ok(sums)
}

/// The mean of the trees' importances by their weights in `AdaBoost`.
fn of_weighted(object: &Object) -> Result<Vec<f64>> {
    let weights = object.reals("estimator_weights_")?;
    let sum: f64 = weights.iter().sum();
    let mut sums: Vec<f64> = Vec::new();
    for (index, id) in object.list("estimators_")?.iter().enumerate() {
        let member = object.part(&format!("estimators_[{index}]"), *id)?;
        let weight = weights.get(index).copied().unwrap_or(0.0);
        let own = of_tree(&member, true)?;
        sums.resize(own.len(), 0.0);
        let pairs = sums.iter_mut().zip(&own);
        pairs.for_each(|(sum, one)| *sum += weight * one);
    }
    sums.iter_mut().for_each(|one| *one /= sum);
    Ok(sums)
}

/// The mean of the trees' importances, as shares.
pub(super) fn of_ensemble(object: &Object) -> Result<Vec<f64>> {
    let name = object.class().1;
    if name.starts_with("AdaBoost") {
        return of_weighted(object);
    }
    let is_boosting = name.starts_with("GradientBoosting");
    let is_forest = name.starts_with("RandomForest") || name.starts_with("ExtraTrees");
    if !is_boosting && !is_forest {
        return Err(object.refuse("its importances are not stored"));
    }
    let mut sums: Vec<f64> = Vec::new();
    let mut count = 0.0;
    for (index, id) in object.list("estimators_")?.iter().enumerate() {
        let member = object.part(&format!("estimators_[{index}]"), *id)?;
        if member.attribute("tree_")?.array("nodes")?.len() <= 1 {
            continue;
        }
        let own = of_tree(&member, !is_boosting)?;
        sums.resize(own.len(), 0.0);
        sums.iter_mut().zip(&own).for_each(|(sum, one)| *sum += one);
        count += 1.0;
    }
    sums.iter_mut().for_each(|sum| *sum /= count);
    let sum: f64 = sums.iter().sum();
    sums.iter_mut().for_each(|one| *one /= sum);
    Ok(sums)
}
