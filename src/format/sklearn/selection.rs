//! Selectors: which columns stay.
//!
//! Sources: `sklearn/feature_selection` of 0.24 to 1.9.

use super::column::Column;
use super::fitted::same_count;
use super::object::Object;
use super::steps::bare;
use crate::error::Result;

/// The columns that a selector keeps.
///
/// # Errors
/// A contract error for selectors, or ways of them, that are not supported.
pub(super) fn selected(object: &Object, columns: Vec<Column>) -> Result<Vec<Column>> {
    let mask = mask(object, columns.len())?;
    same_count(object, mask.len(), columns.len())?;
    let kept = columns.into_iter().zip(mask).filter(|(_, kept)| *kept);
    Ok(kept.map(|(column, _)| column).collect())
}

fn mask(object: &Object, count: usize) -> Result<Vec<bool>> {
    let above = |name: &str, threshold: f64| -> Result<Vec<bool>> {
        let values = object.reals(name)?;
        Ok(values.into_iter().map(|value| value > threshold).collect())
    };
    let below = |threshold: f64| -> Result<Vec<bool>> {
        let values = object.reals("pvalues_")?;
        Ok(values.into_iter().map(|value| value < threshold).collect())
    };
    match object.class().1 {
        "VarianceThreshold" => above("variances_", object.real("threshold")?),
        "RFE" | "RFECV" | "SequentialFeatureSelector" => above("support_", 0.5),
        "SelectKBest" => best(object, "k"),
        "SelectPercentile" => percentile(object, object.real("percentile")?),
        "SelectFpr" => below(object.real("alpha")?),
        "SelectFwe" => below(object.real("alpha")? / count as f64),
        "SelectFdr" => false_discovery(object, object.real("alpha")?),
        "GenericUnivariateSelect" => generic(object, count),
        "SelectFromModel" => from_model(object),
        _ => Err(object.unknown()),
    }
}

/// Scores with NaN as the least of all.
fn scores(object: &Object) -> Result<Vec<f64>> {
    let scores = object.reals("scores_")?;
    Ok(scores
        .into_iter()
        .map(|score| if score.is_nan() { f64::MIN } else { score })
        .collect())
}

/// The last of the scores in stable order.
fn last(scores: &[f64], count: usize) -> Vec<bool> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|one, other| scores[*one].total_cmp(&scores[*other]));
    let mut mask = vec![false; scores.len()];
    let kept = order.len().saturating_sub(count);
    order[kept..].iter().for_each(|index| mask[*index] = true);
    mask
}

fn best(object: &Object, parameter: &str) -> Result<Vec<bool>> {
    let scores = scores(object)?;
    if object.text(parameter) == "all" {
        return Ok(vec![true; scores.len()]);
    }
    Ok(last(&scores, object.real(parameter)? as usize))
}

/// A percentile as `numpy.percentile` computes it: linear between the two nearest.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = share * (sorted.len() - 1) as f64;
    let (low, part) = (at.floor() as usize, at - at.floor());
    let (one, other) = (sorted[low], sorted[(low + 1).min(sorted.len() - 1)]);
    if part >= 0.5 {
        other - (other - one) * (1.0 - part)
    } else {
        one + (other - one) * part
    }
}

fn percentile(object: &Object, share: f64) -> Result<Vec<bool>> {
    let scores = scores(object)?;
    if scores.is_empty() || share == 100.0 || share == 0.0 {
        return Ok(vec![share == 100.0; scores.len()]);
    }
    let threshold = quantile(&scores, (100.0 - share) / 100.0);
    let mut mask: Vec<bool> = scores.iter().map(|score| *score > threshold).collect();
    let most = (scores.len() as f64 * share / 100.0) as usize;
    let mut left = most.saturating_sub(mask.iter().filter(|kept| **kept).count());
    for (kept, score) in mask.iter_mut().zip(&scores) {
        if *score == threshold && left > 0 {
            *kept = true;
            left -= 1;
        }
    }
    Ok(mask)
}

fn false_discovery(object: &Object, alpha: f64) -> Result<Vec<bool>> {
    let values = object.reals("pvalues_")?;
    let alpha = alpha / values.len() as f64;
    let mut sorted = values.clone();
    sorted.sort_by(f64::total_cmp);
    let chosen = sorted.iter().enumerate();
    let chosen = chosen.filter(|(index, value)| **value <= alpha * (*index as f64 + 1.0));
    let most = chosen.map(|(_, value)| *value).fold(f64::NAN, f64::max);
    Ok(values.into_iter().map(|value| value <= most).collect())
}

fn generic(object: &Object, count: usize) -> Result<Vec<bool>> {
    match object.text("mode") {
        "k_best" => best(object, "param"),
        "percentile" => percentile(object, object.real("param")?),
        "fdr" => false_discovery(object, object.real("param")?),
        "fpr" => {
            let alpha = object.real("param")?;
            let values = object.reals("pvalues_")?;
            Ok(values.into_iter().map(|value| value < alpha).collect())
        }
        "fwe" => {
            let alpha = object.real("param")? / count as f64;
            let values = object.reals("pvalues_")?;
            Ok(values.into_iter().map(|value| value < alpha).collect())
        }
        mode => Err(object.refuse(&format!("the mode `{mode}` is not supported"))),
    }
}

/// How much each column counts for an estimator.
fn importances(object: &Object, estimator: &Object) -> Result<Vec<f64>> {
    if object.find("importance_getter").is_some() && object.text("importance_getter") != "auto" {
        return Err(object.refuse("an `importance_getter` of its own is not supported"));
    }
    if estimator.find("coef_").is_some() {
        let matrix = estimator.matrix("coef_")?;
        let order = object
            .find("norm_order")
            .map_or(Ok(1.0), |_| object.real("norm_order"))?;
        let of_column = |column: usize| {
            let values = matrix.values.chunks_exact(matrix.columns.max(1));
            let values = values.map(|row| row[column].abs());
            if matrix.rows == 1 || order == 1.0 {
                values.sum::<f64>()
            } else if order.is_infinite() {
                values.fold(0.0, f64::max)
            } else {
                values
                    .map(|value| value.powf(order))
                    .sum::<f64>()
                    .powf(1.0 / order)
            }
        };
        return Ok((0..matrix.columns).map(of_column).collect());
    }
    match estimator.class().0 {
        "tree" => super::importance::of_tree(estimator, true),
        "ensemble" => super::importance::of_ensemble(estimator),
        _ => Err(object.refuse("the importances of its estimator are not stored")),
    }
}

/// Whether the estimator's penalty makes coefficients 0.
fn is_sparse(estimator: &Object) -> bool {
    let name = estimator.class().1;
    let is_one = |attribute: &str| {
        estimator
            .real(attribute)
            .is_ok_and(|value| (value - 1.0).abs() <= 1e-8 + 1e-5)
    };
    estimator.text("penalty") == "l1"
        || name.contains("Lasso")
        || matches!(name, "ElasticNet" | "LogisticRegression") && is_one("l1_ratio")
        || matches!(name, "ElasticNetCV" | "LogisticRegressionCV") && is_one("l1_ratio_")
}

fn from_model(object: &Object) -> Result<Vec<bool>> {
    let name = if object.find("estimator_").is_some() {
        "estimator_"
    } else {
        "estimator"
    };
    let estimator = bare(&object.attribute(name)?)?;
    let scores = importances(object, &estimator)?;
    if scores.is_empty() {
        return Err(object.refuse("its estimator has no importances"));
    }
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    let reference = |name: &str| match name.trim() {
        "mean" => Ok(mean),
        "median" => Ok(quantile(&scores, 0.5)),
        other => Err(object.refuse(&format!("the threshold `{other}` is not known"))),
    };
    let threshold = match object.find("threshold") {
        None if is_sparse(&estimator) => 1e-5,
        None => mean,
        Some(id) => match object.arena.text(id) {
            Some(text) => match text.split_once('*') {
                Some((scale, name)) => {
                    let scale = scale.trim().parse::<f64>();
                    let scale = scale.map_err(|_| object.refuse("its threshold is not known"))?;
                    scale * reference(name)?
                }
                None => reference(text)?,
            },
            None => object.real("threshold")?,
        },
    };
    let mut mask = vec![true; scores.len()];
    if object.find("max_features").is_some() {
        let name = if object.find("max_features_").is_some() {
            "max_features_"
        } else {
            "max_features"
        };
        let most = object.real(name)? as usize;
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|one, other| scores[*other].total_cmp(&scores[*one]));
        mask.fill(false);
        order
            .iter()
            .take(most)
            .for_each(|index| mask[*index] = true);
    }
    for (kept, score) in mask.iter_mut().zip(&scores) {
        *kept &= *score >= threshold;
    }
    Ok(mask)
}
