//! CatBoost's JSON file as it is: its fields under their own names, nothing translated.
//!
//! Owns the reading of JSON and what may be absent or null in it (the writer leaves empty lists as
//! `null`). It must not know what the fields mean for scoring: that is [`crate::format::catboost`]. The
//! source is CatBoost's own `json_model_helpers.cpp`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::Value;

use crate::error::{Error, Result};

/// The whole file.
#[derive(Debug, serde::Deserialize)]
pub(super) struct File {
    pub(super) features_info: FeaturesInfo,
    #[serde(default)]
    pub(super) model_info: ModelInfo,
    /// Trees whose levels each ask one question.
    pub(super) oblivious_trees: Option<Vec<SymmetricTree>>,
    /// Trees that branch (depthwise and lossguide).
    pub(super) trees: Option<Vec<Branch>>,
    /// What the sum is multiplied by, and what is added then; absent before version 0.23.
    pub(super) scale_and_bias: Option<(f64, Numbers)>,
}

/// What the features are; the two index spaces are a feature's place among its kind and its place
/// among all (`flat`).
#[derive(Debug, serde::Deserialize)]
pub(super) struct FeaturesInfo {
    pub(super) float_features: Option<Vec<FloatFeature>>,
    pub(super) categorical_features: Option<Vec<CategoricalFeature>>,
    pub(super) text_features: Option<Vec<OtherFeature>>,
    pub(super) embedding_features: Option<Vec<OtherFeature>>,
    pub(super) ctrs: Option<Vec<Ctr>>,
    /// Present only where the model was saved with `pool=`.
    pub(super) cat_features_hash: Option<Vec<HashedValue>>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct FloatFeature {
    pub(super) feature_index: u32,
    pub(super) flat_feature_index: u32,
    pub(super) feature_id: Option<String>,
    pub(super) feature_name: Option<String>,
    #[serde(default)]
    pub(super) has_nans: bool,
    pub(super) nan_value_treatment: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct CategoricalFeature {
    pub(super) feature_index: u32,
    pub(super) flat_feature_index: u32,
    pub(super) feature_id: Option<String>,
    pub(super) feature_name: Option<String>,
}

/// A feature of a kind that is only ever named in a refusal.
#[derive(Debug, serde::Deserialize)]
pub(super) struct OtherFeature {
    pub(super) flat_feature_index: Option<u32>,
    pub(super) feature_id: Option<String>,
    pub(super) feature_name: Option<String>,
}

/// A statistic of categories (a counter or a target mean) that splits may ask about.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Ctr {
    pub(super) elements: Option<Vec<CtrElement>>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct CtrElement {
    pub(super) cat_feature_index: Option<u32>,
}

/// A category's text and its hash.
#[derive(Debug, serde::Deserialize)]
pub(super) struct HashedValue {
    pub(super) hash: i64,
    pub(super) value: String,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct SymmetricTree {
    pub(super) leaf_values: Option<Vec<f64>>,
    pub(super) splits: Option<Vec<Split>>,
}

/// A question; which fields are there depends on `split_type`.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Split {
    #[serde(rename = "split_type")]
    pub(super) kind: String,
    pub(super) float_feature_index: Option<u32>,
    pub(super) border: Option<f64>,
    pub(super) cat_feature_index: Option<u32>,
    pub(super) value: Option<i64>,
}

/// A node (`split`, `left`, `right`) or a leaf (`value`).
#[derive(Debug, serde::Deserialize)]
pub(super) struct Branch {
    pub(super) split: Option<Split>,
    pub(super) left: Option<Box<Branch>>,
    pub(super) right: Option<Box<Branch>>,
    pub(super) value: Option<Numbers>,
}

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

/// A number, a list of numbers, or nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Numbers(pub(super) Vec<f64>);

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Numbers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a list of numbers")
            }

            fn visit_f64<E>(self, value: f64) -> std::result::Result<Numbers, E> {
                Ok(Numbers(vec![value]))
            }

            fn visit_i64<E>(self, value: i64) -> std::result::Result<Numbers, E> {
                Ok(Numbers(vec![value as f64]))
            }

            fn visit_u64<E>(self, value: u64) -> std::result::Result<Numbers, E> {
                Ok(Numbers(vec![value as f64]))
            }

            fn visit_unit<E>(self) -> std::result::Result<Numbers, E> {
                Ok(Numbers::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut sequence: A,
            ) -> std::result::Result<Numbers, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = sequence.next_element()? {
                    values.push(value);
                }
                Ok(Numbers(values))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

impl File {
    /// Reads the file.
    ///
    /// # Errors
    /// Names the line and column where it is no JSON or not of CatBoost's shape. Nesting beyond 128
    /// levels is refused, which also bounds the depth of every tree.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|error| {
            Error::failed("cannot read the CatBoost model")
                .because(error)
                .hint(
                    "the file is cut short or changed: save it again with \
                     `save_model(\"model.json\", format=\"json\")`",
                )
        })
    }
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

/// The value itself, or the JSON that its text holds; none for null and for text that is no JSON.
fn unfold(value: Option<&Value>) -> Option<Value> {
    match value? {
        Value::Null => None,
        Value::String(text) => serde_json::from_str(text).ok(),
        other => Some(other.clone()),
    }
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
    fn a_version_is_cut_out_of_the_build_information() {
        let info: ModelInfo = serde_json::from_str(
            r#"{"catboost_version_info": "Git info:\n    Branch: tags/v1.2.10\n    Author: x"}"#,
        )
        .unwrap();
        assert_eq!(info.version().as_deref(), Some("1.2.10"));
    }
}
