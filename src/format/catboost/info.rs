//! What training left behind in a CatBoost model file: the loss, the classes, the version.
//!
//! Owns these facts in both formats. It must not know features, trees or what the facts mean for
//! scoring.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::error::{Error, Result};

/// What training left behind; objects in this version, texts that hold JSON in older ones.
#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct ModelInfo {
    params: Option<Value>,
    class_params: Option<Value>,
    /// The name of `class_params` before version 0.22.
    multiclass_params: Option<Value>,
    /// Only of summed models, which have no `params`.
    loss_function: Option<Value>,
    binclass_probability_threshold: Option<Value>,
    catboost_version_info: Option<Value>,
    /// Among others, of a summed model, `model0:params` and the like.
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// Names and order of the classes.
#[derive(Debug, serde::Deserialize)]
pub(super) struct ClassParams {
    pub(super) class_label_type: Option<String>,
    pub(super) class_names: Option<Vec<Value>>,
    /// The class of each output.
    pub(super) class_to_label: Option<Vec<f64>>,
    pub(super) classes_count: Option<u32>,
}

impl ModelInfo {
    /// The loss that was trained, with its parameters, such as (`Quantile`, `{"alpha": "0.9"}`).
    pub(super) fn loss(&self) -> Option<(String, Value)> {
        let trained = unfold(self.params.as_ref())
            .and_then(|mut params| params.get_mut("loss_function").map(Value::take));
        let loss = unfold(trained.as_ref())
            .or(trained)
            .or_else(|| unfold(self.loss_function.as_ref()))?;
        if let Some(text) = loss.as_str() {
            return Some((
                text.split(':').next().unwrap_or(text).to_owned(),
                Value::Null,
            ));
        }
        let name = loss.get("type")?.as_str()?.to_owned();
        Some((name, loss.get("params").cloned().unwrap_or(Value::Null)))
    }

    /// What each iteration takes from all trees before it (`GetActualShrinkCoef`); 0 where training
    /// did not shrink.
    ///
    /// # Errors
    /// Fails if the model does not say how it was trained.
    pub(super) fn shrinkage(&self) -> Result<f32> {
        let params = unfold(self.params.as_ref());
        let option = |name: &str| {
            params
                .as_ref()?
                .get("boosting_options")?
                .get(name)?
                .as_f64()
        };
        let broken = || {
            Error::contract(
                "the model does not say how it was trained, which virtual ensembles need",
            )
            .at_node("boosting_options")
        };
        Ok((option("learning_rate").ok_or_else(broken)?
            * option("model_shrink_rate").ok_or_else(broken)?) as f32)
    }

    /// Whether the loss has several targets a row.
    pub(super) fn has_several_targets(&self) -> bool {
        self.losses().iter().any(|loss| {
            // The targets of `SurvivalAft` are the two ends of an interval.
            ["MultiRMSE", "SurvivalAft"]
                .iter()
                .any(|name| loss.starts_with(name))
                || matches!(loss.as_str(), "MultiLogloss" | "MultiCrossEntropy")
        })
    }

    fn losses(&self) -> Vec<String> {
        let summed = self.all_params().filter_map(|params| {
            let loss = params.get("loss_function")?;
            loss.as_str()
                .or_else(|| loss.get("type")?.as_str())
                .map(str::to_owned)
        });
        self.loss()
            .map(|(name, _)| name)
            .into_iter()
            .chain(summed)
            .collect()
    }

    /// The parameters of training, of a summed model those of each.
    fn all_params(&self) -> impl Iterator<Item = Value> {
        let others = self.others.iter();
        let summed = others.filter_map(|(key, value)| key.ends_with(":params").then_some(value));
        self.params
            .iter()
            .chain(summed)
            .filter_map(|params| unfold(Some(params)))
    }

    /// In how many ways the CTRs of a type cut the target into classes.
    pub(super) fn target_cuts(&self, kind: &str) -> usize {
        let mut cuts = BTreeSet::new();
        for params in self.all_params() {
            let Some(features) = params.get("cat_feature_params") else {
                continue;
            };
            let of_feature = features
                .get("per_feature_ctrs")
                .and_then(Value::as_object)
                .into_iter()
                .flat_map(serde_json::Map::values);
            let lists = ["simple_ctrs", "combinations_ctrs"];
            let lists = lists.into_iter().filter_map(|name| features.get(name));
            let ctrs = lists
                .chain(of_feature)
                .filter_map(Value::as_array)
                .flatten();
            cuts.extend(
                ctrs.filter(|ctr| ctr.get("ctr_type").and_then(Value::as_str) == Some(kind))
                    .filter_map(|ctr| ctr.get("target_binarization").map(Value::to_string)),
            );
        }
        cuts.len()
    }

    /// Names and order of the classes, for classifiers.
    ///
    /// # Errors
    /// Fails if they are not of CatBoost's shape.
    pub(super) fn classes(&self) -> Result<Option<ClassParams>> {
        let Some(value) =
            unfold(self.class_params.as_ref()).or_else(|| unfold(self.multiclass_params.as_ref()))
        else {
            return Ok(None);
        };
        serde_json::from_value(value).map(Some).map_err(|error| {
            Error::failed("cannot read the classes of the model")
                .at_node("class_params")
                .because(error)
        })
    }

    /// The probability above which the positive class is predicted, where the model says so.
    pub(super) fn probability_threshold(&self) -> Option<f64> {
        let value = self.binclass_probability_threshold.as_ref()?;
        value
            .as_f64()
            .or_else(|| value.as_str()?.trim().parse().ok())
    }

    /// The version of CatBoost that wrote the file, such as `1.2.10`.
    pub(super) fn version(&self) -> Option<String> {
        let text = self.catboost_version_info.as_ref()?.as_str()?;
        let tag = text.split("tags/v").nth(1)?;
        Some(
            tag.chars()
                .take_while(|letter| !letter.is_whitespace())
                .take(32)
                .collect(),
        )
    }
}

/// The value itself, or the JSON that its text holds; none for null and for text that is not JSON.
fn unfold(value: Option<&Value>) -> Option<Value> {
    match value? {
        Value::Null => None,
        Value::String(text) => serde_json::from_str(text).ok(),
        other => Some(other.clone()),
    }
}

/// The number that is written exactly like this.
pub(super) fn whole(text: &str) -> Option<i64> {
    text.parse()
        .ok()
        .filter(|whole: &i64| whole.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_found_in_an_object_in_a_text_and_in_a_summed_model() {
        let loss = |json: &str| {
            serde_json::from_str::<ModelInfo>(json)
                .unwrap()
                .loss()
                .map(|(name, _)| name)
        };
        assert_eq!(
            loss(r#"{"params": {"loss_function": {"type": "RMSE", "params": {}}}}"#).as_deref(),
            Some("RMSE")
        );
        assert_eq!(
            loss(r#"{"params": "{\"loss_function\": {\"type\": \"MAE\"}}"}"#).as_deref(),
            Some("MAE")
        );
        assert_eq!(
            loss(r#"{"params": {"loss_function": "Quantile:alpha=0.9"}}"#).as_deref(),
            Some("Quantile")
        );
        assert_eq!(
            loss(r#"{"loss_function": "{\"type\":\"Logloss\",\"params\":{}}"}"#).as_deref(),
            Some("Logloss")
        );
        assert_eq!(loss("{}"), None);
    }

    #[test]
    fn cuts_of_the_target_are_counted_in_all_parts_of_a_summed_model() {
        let params = |count: u32| {
            format!(
                r#"{{"cat_feature_params": {{"per_feature_ctrs": {{"1": [{{"ctr_type": "Buckets",
                "target_binarization": {{"border_count": {count}}}}}]}}, "combinations_ctrs": [],
                "simple_ctrs": [{{"ctr_type": "Borders",
                "target_binarization": {{"border_count": {count}}}}}]}}}}"#
            )
        };
        let one: ModelInfo =
            serde_json::from_str(&format!(r#"{{"params": {}}}"#, params(1))).unwrap();
        assert_eq!(one.target_cuts("Borders"), 1);
        assert_eq!(one.target_cuts("Counter"), 0);
        let text = serde_json::to_string(&params(3)).unwrap();
        let two: ModelInfo = serde_json::from_str(&format!(
            r#"{{"model0:params": {}, "model1:params": {text}}}"#,
            params(1)
        ))
        .unwrap();
        assert_eq!(two.target_cuts("Buckets"), 2);
    }

    #[test]
    fn a_version_is_cut_out_of_the_build_information() {
        let info: ModelInfo = serde_json::from_str(
            r#"{"catboost_version_info": "Git info:\n    Branch: tags/v1.2.10\n    Author: x"}"#,
        )
        .unwrap();
        assert_eq!(info.version().as_deref(), Some("1.2.10"));
    }
}
