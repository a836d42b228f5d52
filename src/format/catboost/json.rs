//! CatBoost's JSON file: its fields under their own names.
//!
//! Owns the reading of JSON and what may be absent or null in it (the writer leaves empty lists as
//! `null`). What the fields say together is [`super::described`]'s. The source is CatBoost's own
//! `json_model_helpers.cpp`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use super::info::ModelInfo;
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
    /// The tables of the CTRs, by identifier.
    pub(super) ctr_data: Option<BTreeMap<String, CtrData>>,
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
    pub(super) borders: Option<Vec<f64>>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct CategoricalFeature {
    pub(super) feature_index: u32,
    pub(super) flat_feature_index: u32,
    pub(super) feature_id: Option<String>,
    pub(super) feature_name: Option<String>,
    /// The hashes that one-hot splits ask for.
    pub(super) values: Option<Vec<i64>>,
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
    pub(super) identifier: String,
    #[serde(rename = "ctr_type")]
    pub(super) kind: String,
    pub(super) elements: Option<Vec<CtrElement>>,
    pub(super) borders: Option<Vec<f64>>,
    pub(super) target_border_idx: Option<u32>,
    pub(super) prior_numerator: Option<f64>,
    /// Spelt so by CatBoost.
    pub(super) prior_denomerator: Option<f64>,
    pub(super) shift: Option<f64>,
    pub(super) scale: Option<f64>,
}

/// A part of what a CTR counts; which fields are there depends on the first.
#[derive(Debug, serde::Deserialize)]
pub(super) struct CtrElement {
    #[serde(rename = "combination_element")]
    pub(super) kind: String,
    pub(super) cat_feature_index: Option<u32>,
    pub(super) float_feature_index: Option<u32>,
    pub(super) border: Option<f64>,
    pub(super) value: Option<i64>,
}

/// The table of a CTR.
#[derive(Debug, serde::Deserialize)]
pub(super) struct CtrData {
    pub(super) hash_map: HashMap,
    pub(super) hash_stride: usize,
    pub(super) counter_denominator: Option<i32>,
}

/// A flat list in which every hash, a text of decimal digits, precedes its counts.
#[derive(Debug, Default, PartialEq)]
pub(super) struct HashMap {
    pub(super) hashes: Vec<u64>,
    /// The counts of all hashes, one after the other.
    pub(super) counts: Vec<f64>,
    /// The length of the list.
    pub(super) length: usize,
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
    /// The position among the borders and values of all features.
    #[serde(rename = "split_index")]
    pub(super) position: Option<usize>,
}

/// A node (`split`, `left`, `right`) or a leaf (`value`).
#[derive(Debug, serde::Deserialize)]
pub(super) struct Branch {
    pub(super) split: Option<Split>,
    pub(super) left: Option<Box<Branch>>,
    pub(super) right: Option<Box<Branch>>,
    pub(super) value: Option<Numbers>,
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

impl<'de> Deserialize<'de> for HashMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Item {
            Count(f64),
            Hash(String),
        }
        struct Flat;
        impl<'de> Visitor<'de> for Flat {
            type Value = HashMap;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of hashes and counts")
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut sequence: A,
            ) -> std::result::Result<HashMap, A::Error> {
                let mut map = HashMap::default();
                while let Some(item) = sequence.next_element()? {
                    match item {
                        Item::Count(count) => map.counts.push(count),
                        Item::Hash(hash) => map.hashes.push(hash.parse().map_err(|_| {
                            serde::de::Error::custom(format_args!("`{hash}` is not a hash"))
                        })?),
                    }
                    map.length += 1;
                }
                Ok(map)
            }
        }
        deserializer.deserialize_seq(Flat)
    }
}

impl File {
    /// Reads the file.
    ///
    /// # Errors
    /// Names the line and column where it is not JSON or not of CatBoost's shape. Nesting beyond
    /// 128 levels is refused, which also bounds the depth of every tree.
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
