//! CatBoost's model files, JSON and `.cbm`: what the file's features mean.
//!
//! Owns recognition, the contract and what is refused. The JSON file's fields are [`self::json`]'s
//! and their meaning [`self::described`]'s, the binary file is [`self::binary`]'s; both give what
//! [`self::stored`] holds. Trees are [`self::trees`]'s, CTRs [`self::ctrs`]'s, classes and losses
//! [`self::outcome`](mod@self::outcome)'s. It must not know columns of a table. Source: CatBoost's
//! `json_model_helpers.cpp`, `evaluator_impl.cpp` and `quantization.h`, 1.2.

mod binary;
mod binary_trees;
mod ctrs;
mod described;
mod info;
mod json;
mod outcome;
mod stored;
mod trees;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::ctrs::Statistics;
use self::info::whole;
use self::json::File;
use self::outcome::outcome;
use self::stored::{CategoricalFeature, FloatFeature, Stored};
use self::trees::{HashCodes, Positions, asked_hashes, ensemble};
use super::rounds::{Rounds, UsedRounds};
use super::{Artefact, FileImporter, ImportOptions};
use crate::contract::{
    CategoryValue, Contract, HashedCategories, HashedCode, Input, InputKind, Policy, Vocabulary,
};
use crate::error::{Error, Result};
use crate::forest::Forest;
use crate::forest::virtual_ensembles::VirtualEnsembles;
use crate::model::{Description, LoadedModel, NumericModel, OffsetRule, TrainedModel};
use crate::outcome::uncertainty::{Measure, Uncertain};
use crate::outcome::{Outcome, Task};

/// Reads CatBoost's JSON and `.cbm`.
#[derive(Debug)]
pub(super) struct CatBoost;

/// Top-level keys of which one stands near the beginning of every file: the writer sorts them.
const KEYS: [&[u8]; 4] = [
    b"\"features_info\"",
    b"\"ctr_data\"",
    b"\"oblivious_trees\"",
    b"\"catboost_version_info\"",
];

/// The code of a value that no split knows.
const UNSEEN_CODE: f64 = -1.0;

/// What a feature without a place among all features may at most leave open, so that a hostile
/// index costs no memory.
const NAMELESS_LIMIT: u32 = 1 << 20;

impl FileImporter for CatBoost {
    fn name(&self) -> &'static str {
        "catboost"
    }

    fn recognises(&self, artefact: &Artefact) -> bool {
        let head = artefact.head();
        let is_object = head.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        head.starts_with(binary::MAGIC)
            || is_object
                && KEYS
                    .iter()
                    .any(|key| head.windows(key.len()).any(|window| window == *key))
    }

    fn import(&self, artefact: &Artefact, options: &ImportOptions) -> Result<LoadedModel> {
        import(&artefact.bytes, options)
    }
}

/// The model in the bytes of a `.cbm` or a JSON file, wherever they come from: a file, or an object
/// of Python's that holds them.
///
/// # Errors
/// Those of [`FileImporter::import`].
pub(crate) fn import(bytes: &[u8], options: &ImportOptions) -> Result<LoadedModel> {
    let stored = if bytes.starts_with(binary::MAGIC) {
        binary::read(bytes)?
    } else {
        File::parse(bytes)?.stored()?
    };
    translate(&stored, options)
}

fn translate(stored: &Stored, options: &ImportOptions) -> Result<LoadedModel> {
    // `use_best_model` has cut the trees at the best iteration before the file was saved.
    let rounds = Rounds::plain(stored.trees.len());
    let used = rounds.used(options.trees)?;
    let statistics = Statistics::new(stored, used.count)?;
    let (contract, positions) = contract(stored, &statistics)?;
    let (outcome, outputs) = outcome(&stored.info, stored.output_count)?;
    let ensemble = ensemble(stored, &positions, used.count, &outputs)?;
    let mut description = description(stored, rounds, used);
    let (inner, outcome): (Box<dyn NumericModel>, Outcome) =
        if let Some(count) = options.virtual_ensembles {
            let outcome = uncertain(outcome, count)?;
            let shrinkage = stored.info.shrinkage()?;
            let inner = VirtualEnsembles::new(&ensemble, count, shrinkage)?;
            (Box::new(inner), outcome)
        } else {
            let inner = Forest::of(ensemble)?.with_offsets(OffsetRule::AddedSingle);
            (Box::new(inner), outcome)
        };
    let model = statistics.over(inner, stored, &contract, &positions, &mut description)?;
    Ok(LoadedModel {
        model: TrainedModel::Numeric(model),
        contract,
        outcome,
        description,
    })
}

/// The outcome with the measures of uncertainty that `CatBoost` has for it.
fn uncertain(outcome: Outcome, readings: usize) -> Result<Outcome> {
    let Some(measure) = Measure::of(&outcome.task, outcome.link) else {
        return Err(Error::contract(
            "virtual ensembles have no measure of uncertainty for the loss of this model",
        )
        .hint(
            "leave `--virtual-ensembles` out; they are for RMSE and alike, RMSEWithUncertainty, \
             Logloss and MultiClass",
        ));
    };
    let task = Task::Uncertain(Box::new(Uncertain {
        own: outcome.task,
        readings,
        measure,
    }));
    Ok(Outcome {
        task,
        link: outcome.link,
    })
}

fn description(stored: &Stored, rounds: Rounds, used: UsedRounds) -> Description {
    let loss = stored
        .info
        .loss()
        .map_or_else(|| "unknown".to_owned(), |(name, _)| name);
    let shape = if stored.is_symmetric {
        "symmetric"
    } else {
        "branching"
    };
    let mut facts = vec![("objective".to_owned(), loss)];
    facts.extend(rounds.facts(used, rounds.available, used.count));
    facts.push(("tree_shape".to_owned(), shape.to_owned()));
    Description {
        format: "catboost".to_owned(),
        format_version: stored.info.version(),
        facts,
        sidecars: Vec::new(),
    }
}

#[derive(Clone, Copy)]
enum Feature<'a> {
    Float(&'a FloatFeature),
    Categorical(&'a CategoricalFeature),
}

impl Feature<'_> {
    fn requested_name(&self) -> Option<&String> {
        match self {
            Self::Float(feature) => feature.name.as_ref(),
            Self::Categorical(feature) => feature.name.as_ref(),
        }
    }

    /// A feature without a name is called by its position among all features, as CatBoost itself
    /// does.
    fn name(&self, flat: u32) -> String {
        self.requested_name()
            .map_or_else(|| flat.to_string(), Clone::clone)
    }
}

/// The features in the order of all features.
fn features(stored: &Stored) -> Result<BTreeMap<u32, Feature<'_>>> {
    let floats = stored.floats.iter();
    let categories = stored.categories.iter();
    let mut features = BTreeMap::new();
    for (slot, feature) in floats
        .map(|feature| (feature.flat, Feature::Float(feature)))
        .chain(categories.map(|feature| (feature.flat, Feature::Categorical(feature))))
    {
        if features.insert(slot, feature).is_some() {
            return Err(Error::failed(format!(
                "two features have the place {slot} among all features"
            ))
            .at_node("features_info"));
        }
    }
    Ok(features)
}

/// The inputs in the order of all features, and how splits find them.
fn contract(stored: &Stored, statistics: &Statistics) -> Result<(Contract, Positions)> {
    let features = features(stored)?;
    let named = features
        .values()
        .any(|feature| feature.requested_name().is_some());
    if !named {
        refuse_gaps(&features)?;
    }
    let (vocabulary, codes) = vocabulary(stored.texts.as_deref().unwrap_or_default());
    let (codes, asked) = (Arc::new(codes), asked_hashes(stored));
    // Vocabularies hold integers of 64 bits with a sign: wider ones are known by hash.
    let has_wide = stored.texts.iter().flatten().any(|(text, _)| is_wide(text));
    let mut positions = Positions::default();
    let mut inputs = Vec::with_capacity(features.len());
    for (position, (&flat, feature)) in features.iter().enumerate() {
        let position = u32::try_from(position).map_err(|_| Error::failed("too many features"))?;
        let repeated = match feature {
            Feature::Float(own) => {
                inputs.push(Input::number(feature.name(flat)));
                let slot = (position, own.missing);
                positions.floats.insert(own.index, slot).is_some()
            }
            Feature::Categorical(own) => {
                let asked = asked.get(&own.index);
                let is_listed = stored.texts.is_some()
                    && !has_wide
                    && asked
                        .into_iter()
                        .flatten()
                        .all(|hash| codes.contains_key(hash));
                let (kind, codes) = if statistics.is_empty() {
                    if is_listed {
                        (InputKind::Category(vocabulary.clone()), codes.clone())
                    } else {
                        hashed(asked)
                    }
                } else {
                    let own = Statistics::categories(stored, own.index, asked);
                    (InputKind::HashedCategory(own), hashed(asked).1)
                };
                // CatBoost refuses null and NaN in a categorical feature, so a row that has one is
                // not a row that the model knows.
                inputs.push(Input {
                    on_null: Policy::Error,
                    ..Input::of_kind(feature.name(flat), kind)
                });
                let slot = (position, codes);
                positions.categories.insert(own.index, slot).is_some()
            }
        };
        if repeated {
            return Err(Error::failed("two features have the same index").at_node("features_info"));
        }
    }
    positions.ctrs = statistics.positions(inputs.len())?;
    positions.count = inputs.len() + statistics.ctr_count();
    let contract = Contract {
        inputs,
        named,
        vector: None,
    };
    Ok((contract, positions))
}

/// Without names only the order says which column is which, so no place may be dropped.
fn refuse_gaps(features: &BTreeMap<u32, Feature>) -> Result<()> {
    let expected = 0..NAMELESS_LIMIT;
    match features
        .keys()
        .zip(expected)
        .find(|(slot, expected)| *slot != expected)
    {
        Some((_, gap)) => Err(Error::contract(format!(
            "the model's features have no names and feature {gap} is not described"
        ))
        .hint("train with named features, such as the columns of a data frame")),
        None => Ok(()),
    }
}

/// The categories of a feature of which the file holds hashes alone, those that its splits ask for.
fn hashed(asked: Option<&BTreeSet<u32>>) -> (InputKind, Arc<HashCodes>) {
    let hashes: Vec<u32> = asked.into_iter().flatten().copied().collect();
    let codes = hashes
        .iter()
        .zip(0..)
        .map(|(&hash, code)| (hash, vec![code]))
        .collect();
    (
        InputKind::HashedCategory(HashedCategories {
            hashes,
            code: HashedCode::Position { other: UNSEEN_CODE },
        }),
        Arc::new(codes),
    )
}

/// All categories that the training pool held, whatever their feature (the file does not tell them
/// apart), and the codes of each hash. CatBoost turns a number into text before it hashes it, so
/// `7` the text and 7 the number are both listed.
fn vocabulary(hashed: &[(String, u32)]) -> (Vocabulary, HashCodes) {
    let mut sorted: Vec<(&str, u32)> = hashed
        .iter()
        .map(|(text, hash)| (text.as_str(), *hash))
        .collect();
    sorted.sort_unstable();
    sorted.dedup();
    let mut values = Vec::with_capacity(sorted.len());
    let mut codes = HashCodes::new();
    let texts = sorted
        .iter()
        .map(|&(text, hash)| (CategoryValue::Text(text.to_owned()), hash));
    let integers = sorted
        .iter()
        .filter_map(|&(text, hash)| Some((CategoryValue::Integer(whole(text)?), hash)));
    for (value, hash) in texts.chain(integers) {
        codes
            .entry(hash)
            .or_default()
            .push(u32::try_from(values.len()).unwrap_or(u32::MAX));
        values.push(value);
    }
    (
        Vocabulary {
            values,
            unseen_code: UNSEEN_CODE,
        },
        codes,
    )
}

/// Whether a text is an integer beyond those of 64 bits with a sign.
fn is_wide(text: &str) -> bool {
    let wide = |number: &i128| number.to_string() == text && i64::try_from(*number).is_err();
    text.parse().is_ok_and(|number: i128| wide(&number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::{Columns, FeatureBlock, Precision};
    use crate::model::Scores;
    use crate::model::Wants;
    use crate::outcome::Margins;
    use crate::outcome::{Label, Link};

    const FLOATS: &str = r#""float_features": [
        {"feature_index": 0, "flat_feature_index": 1, "feature_id": "b", "has_nans": false, "nan_value_treatment": "AsTrue", "borders": [0.5]},
        {"feature_index": 1, "flat_feature_index": 0, "feature_id": "a", "has_nans": true, "nan_value_treatment": "AsTrue", "borders": [1.5]}]"#;
    const SPLITS: &str = r#"{"split_type": "FloatFeature", "float_feature_index": 0, "border": 0.5, "split_index": 0},
        {"split_type": "FloatFeature", "float_feature_index": 1, "border": 1.5, "split_index": 1}"#;

    fn symmetric() -> String {
        format!(
            r#"{{"features_info": {{{FLOATS}}}, "model_info": {{"params": {{"loss_function": {{"type": "RMSE", "params": {{}}}}}}}},
            "oblivious_trees": [{{"leaf_values": [1, 2, 4, 8], "leaf_weights": [1, 1, 1, 1], "splits": [{SPLITS}]}}], "scale_and_bias": [10, [0.5]]}}"#
        )
    }

    fn branching() -> String {
        let split = SPLITS.split_inclusive('}').next().unwrap();
        format!(
            r#"{{"features_info": {{{FLOATS}}}, "model_info": {{}},
            "trees": [{{"split": {split}, "left": {{"value": 1.25, "weight": 3}}, "right": {{"value": 2, "weight": 1}}}}], "scale_and_bias": [1, [0]]}}"#
        )
    }

    fn load(json: &str) -> Result<LoadedModel> {
        let artefact = Artefact::new("model.json", json.as_bytes().to_vec());
        assert!(CatBoost.recognises(&artefact));
        CatBoost.import(&artefact, &ImportOptions::default())
    }

    fn refusal(json: &str) -> String {
        let error = load(json).unwrap_err();
        format!(
            "{error}{}",
            std::error::Error::source(&error)
                .map(|source| format!(": {source}"))
                .unwrap_or_default()
        )
    }

    /// Margins of rows given as (a, b).
    fn score(loaded: &LoadedModel, rows: &[(f64, f64)]) -> Vec<f64> {
        let mut columns = Columns::filled(rows.len(), 2, 0.0);
        columns
            .column_mut(0)
            .iter_mut()
            .zip(rows)
            .for_each(|(value, row)| *value = row.0);
        columns
            .column_mut(1)
            .iter_mut()
            .zip(rows)
            .for_each(|(value, row)| *value = row.1);
        let model = loaded.model.as_numeric().unwrap();
        let margins = model.margins(&FeatureBlock::Double(columns)).unwrap();
        let Margins::Double(margins) = margins else {
            panic!("single precision")
        };
        margins
    }

    #[test]
    fn the_first_split_is_the_lowest_bit_and_scale_and_bias_come_last() {
        let loaded = load(&symmetric()).unwrap();
        assert_eq!(
            loaded
                .contract
                .inputs
                .iter()
                .map(|input| input.name.as_str())
                .collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert_eq!(
            score(&loaded, &[(0.0, 0.0), (0.0, 1.0), (2.0, 0.0), (2.0, 1.0)]),
            [10.5, 20.5, 40.5, 80.5]
        );
    }

    #[test]
    fn nan_goes_right_only_where_training_had_nan_and_the_border_itself_goes_left() {
        let loaded = load(&symmetric()).unwrap();
        assert_eq!(
            score(
                &loaded,
                &[
                    (f64::NAN, f64::NAN),
                    (1.5, 0.5),
                    (1.500_000_01, 0.500_000_1)
                ]
            ),
            [40.5, 10.5, 20.5]
        );
    }

    #[test]
    fn a_branching_tree_goes_right_above_its_border() {
        assert_eq!(
            score(&load(&branching()).unwrap(), &[(0.0, 0.5), (0.0, 0.6)]),
            [1.25, 2.0]
        );
    }

    #[test]
    fn classes_that_training_lacked_have_a_margin_of_minus_infinity() {
        let json = symmetric()
            .replace("[1, 2, 4, 8]", "[1, 2, 3, 4, 5, 6, 7, 8]")
            .replace("[10, [0.5]]", "[1, [0, 0]]")
            .replace("\"RMSE\"", "\"MultiClass\"")
            .replace("\"model_info\": {", r#""model_info": {"class_params": {"class_to_label": [0, 2], "classes_count": 3, "class_names": []}, "#);
        let loaded = load(&json).unwrap();
        assert_eq!(score(&loaded, &[(0.0, 1.0)]), [3.0, f64::NEG_INFINITY, 4.0]);
        assert_eq!(
            loaded.outcome.task,
            Task::Classes {
                labels: (0..3).map(Label::Integer).collect(),
                probabilities: true
            }
        );
        assert!(
            refusal(&json.replace("\"classes_count\": 3", "\"classes_count\": 4000000000"))
                .contains("4000000000 classes")
        );
        assert!(
            refusal(&json.replace("[0, 2]", "[2, 2]"))
                .contains("class `2` is not a class's place, or comes twice")
        );
        assert!(refusal(&json.replace("[0, 2]", "[0, 1, 2]")).contains("3 classes for 2 outputs"));
    }

    #[test]
    fn a_binary_model_calls_a_margin_of_zero_negative() {
        let json = symmetric().replace("\"RMSE\"", "\"Logloss\"").replace(
            "\"model_info\": {",
            r#""model_info": {"class_params": {"class_label_type": "String", "class_to_label": [0, 1], "class_names": ["no", "yes"]}, "#,
        );
        let outcome = load(&json).unwrap().outcome;
        let labels = [Label::Text("no".into()), Label::Text("yes".into())];
        assert_eq!(
            outcome.task,
            Task::Binary {
                labels,
                threshold: 0.5_f64.next_up()
            }
        );
        assert_eq!(outcome.link, Link::Logistic { slope: 1.0 });
    }

    #[test]
    fn a_category_is_found_as_text_and_as_a_number_by_its_hash() {
        let categorical = r#""cat_features_hash": [{"hash": 4294967295, "value": "7"}, {"hash": 5, "value": "x"}],
            "categorical_features": [{"feature_index": 0, "flat_feature_index": 2, "feature_id": "c", "values": [-1]}]"#;
        let with = |categories: &str| {
            let split = r#"{"split_type": "OneHotFeature", "cat_feature_index": 0, "value": -1, "split_index": 2}"#;
            let json = symmetric().replace(FLOATS, &format!("{FLOATS}, {categories}"));
            json.replace(SPLITS.split_inclusive('}').next().unwrap(), split)
        };
        let loaded = load(&with(categorical)).unwrap();
        let values = [
            CategoryValue::Text("7".into()),
            CategoryValue::Text("x".into()),
            CategoryValue::Integer(7),
        ];
        let InputKind::Category(vocabulary) = &loaded.contract.inputs[2].kind else {
            panic!("no category")
        };
        assert_eq!(vocabulary.values, values);
        let mut columns = Columns::filled(4, 3, 0.0);
        columns
            .column_mut(2)
            .copy_from_slice(&[0.0, 1.0, 2.0, UNSEEN_CODE]);
        let wants = Wants {
            offsets: None,
            leaves: true,
        };
        let mut scores = Scores::empty(Precision::Double);
        let block = FeatureBlock::Double(columns);
        let model = loaded.model.as_numeric().unwrap();
        model.worker().score(&block, &wants, &mut scores).unwrap();
        assert_eq!(scores.leaves.unwrap(), [1, 0, 1, 0]);
        let hashes_only = with(categorical.split_once(",\n").unwrap().1);
        let kind = &load(&hashes_only).unwrap().contract.inputs[2].kind;
        assert_eq!(
            *kind,
            InputKind::HashedCategory(HashedCategories {
                hashes: vec![u32::MAX],
                code: HashedCode::Position { other: UNSEEN_CODE }
            })
        );
        assert!(
            refusal(&hashes_only.replace("\"value\": -1", "\"value\": 5000000000"))
                .contains("`5000000000`, which is not a hash")
        );
    }

    #[test]
    fn what_is_not_supported_is_named() {
        let info = |more: &str| symmetric().replace(FLOATS, &format!("{FLOATS}, {more}"));
        assert!(
            refusal(&info(r#""text_features": [{"feature_id": "review"}]"#))
                .starts_with("text features are not supported: `review`")
        );
        assert!(
            refusal(&symmetric().replace("RMSE", "RMSEWithUncertainty"))
                .contains("`RMSEWithUncertainty` has two values a leaf")
        );
        assert!(
            refusal(&symmetric().replacen("FloatFeature", "EstimatedFeature", 1))
                .contains("`EstimatedFeature` is not supported (tree 0, split 0)")
        );
    }

    /// A CTR of one category, `red` of which training saw 3 of 4 in the second class; JSON without
    /// its numbers.
    fn counted(data: &str, split: &str) -> String {
        let features = r#""categorical_features": [{"feature_index": 0, "flat_feature_index": 2,
            "feature_id": "c"}], "ctrs": [{"identifier": "i", "ctr_type": "Borders",
            "borders": [7.5], "elements": [{"cat_feature_index": 0,
            "combination_element": "cat_feature_value"}], "target_border_idx": 0,
            "prior_numerator": 0.5, "prior_denomerator": 1, "shift": 0, "scale": 15}]"#;
        symmetric()
            .replace(FLOATS, &format!("{FLOATS}, {features}"))
            .replace(
                "\"oblivious_trees\"",
                &format!("\"ctr_data\": {data}, \"oblivious_trees\""),
            )
            .replace(SPLITS.split_inclusive('}').next().unwrap(), split)
    }

    /// The hash of the category 7 alone.
    const COUNTS: &str = r#"{"i": {"hash_map": ["18446744073709551615", 9, 9, "HASH", 1, 3],
        "hash_stride": 3, "counter_denominator": 0}}"#;
    const CTR_SPLIT: &str = r#"{"split_type": "OnlineCtr", "border": 7.5, "split_index": 2}"#;

    fn counts() -> String {
        let hash = crate::forest::ctr::step(0, crate::forest::ctr::part(7));
        COUNTS.replace("HASH", &hash.to_string())
    }

    #[test]
    fn a_ctr_is_read_from_its_table_and_the_empty_bucket_is_not() {
        let loaded = load(&counted(&counts(), CTR_SPLIT)).unwrap();
        assert_eq!(
            loaded.contract.inputs[2].kind,
            InputKind::HashedCategory(HashedCategories {
                hashes: vec![7],
                code: HashedCode::Hash { is_complete: true }
            })
        );
        let mut columns = Columns::filled(4, 3, 0.0);
        columns
            .column_mut(2)
            .copy_from_slice(&[7.0, 8.0, f64::NAN, f64::from(u32::MAX)]);
        let block = FeatureBlock::Double(columns);
        let margins = loaded.model.as_numeric().unwrap().margins(&block).unwrap();
        // (3 + 0.5) / (4 + 1) · 15 = 10.5 is above the border, (0 + 0.5) / (0 + 1) · 15 = 7.5 not.
        assert_eq!(margins, Margins::Double(vec![20.5, 10.5, 10.5, 10.5]));
    }

    #[test]
    fn a_broken_ctr_names_its_location() {
        let cases = [
            (
                counts(),
                CTR_SPLIT.replace("\"split_index\": 2", "\"split_index\": 1"),
                "the index 1, which is not a CTR's (tree 0, split 0)",
            ),
            (
                counts(),
                CTR_SPLIT.replace(", \"split_index\": 2", ""),
                "is missing its feature or its value (tree 0, split 0)",
            ),
            (
                "{}".to_owned(),
                CTR_SPLIT.to_owned(),
                "the file has no counts of the CTR (CTR 0)",
            ),
            (
                counts().replace("\"hash_stride\": 3", "\"hash_stride\": 4"),
                CTR_SPLIT.to_owned(),
                "4 numbers for 2 hashes, 3 a hash (CTR 0)",
            ),
            (
                counts().replace("\"hash_stride\": 3", "\"hash_stride\": 0"),
                CTR_SPLIT.to_owned(),
                "4 numbers for 2 hashes, 0 a hash (CTR 0)",
            ),
            (
                counts().replace(", 9, 9", ", 9, 9, 9, 9, 9"),
                CTR_SPLIT.to_owned(),
                "7 numbers for 2 hashes, 2 a hash (CTR 0)",
            ),
            (
                counts().replace("\"184", "\"-184"),
                CTR_SPLIT.to_owned(),
                "`-18446744073709551615` is not a hash",
            ),
        ];
        for (data, split, expected) in cases {
            let message = refusal(&counted(&data, &split));
            assert!(message.contains(expected), "{message}");
        }
        let json = counted(&counts(), CTR_SPLIT);
        for (from, to, expected) in [
            (
                "\"ctr_type\": \"Borders\"",
                "\"ctr_type\": \"Guess\"",
                "CTRs of type `Guess` are not supported (CTR 0)",
            ),
            (
                "cat_feature_value",
                "text_value",
                "elements of type `text_value` are not supported (CTR 0)",
            ),
            (
                "[{\"cat_feature_index\": 0,",
                "[{\"cat_feature_index\": 3,",
                "categorical feature 3, which the file does not list",
            ),
        ] {
            let message = refusal(&json.replace(from, to));
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn several_cuts_of_the_target_are_refused_in_json_which_does_not_report_them_apart() {
        let json = counted(&counts(), CTR_SPLIT);
        let one = json
            .split("\"ctrs\": [")
            .nth(1)
            .unwrap()
            .split("}]")
            .next()
            .unwrap();
        let (start, rest) = json.split_once("\"ctrs\": [").unwrap();
        let end = rest.find("\"scale\": 15}]").unwrap() + "\"scale\": 15}".len();
        assert!(one.starts_with("{\"identifier\""));
        let twice = format!("{start}\"ctrs\": [{0}, {0}{1}", &rest[..end], &rest[end..]);
        assert!(load(&twice).is_ok());
        let several = twice.replace("\"RMSE\"", "\"MultiRMSE\"");
        let message = refusal(&several);
        assert!(
            message.contains("which CatBoost's JSON does not distinguish"),
            "{message}"
        );
    }

    #[test]
    fn a_broken_file_names_its_location() {
        let cases = [
            (
                "\"float_feature_index\": 0",
                "\"float_feature_index\": 9",
                "float feature 9, which the file does not list (tree 0, split 0)",
            ),
            ("[1, 2, 4, 8]", "[1, 2, 4]", "the tree has no leaf values"),
            (
                "[1, 2, 4, 8]",
                "[1, 2, 4, 8, 9]",
                "5 leaf values for 2 splits and 1 outputs a leaf (tree 0)",
            ),
            ("[1, 2, 4, 8]", "[]", "the tree has no leaf values"),
            (
                "\"border\": 0.5",
                "\"border\": NaN",
                "cannot read the CatBoost model",
            ),
            (
                "\"border\": 0.5",
                "\"border\": null",
                "is missing its feature or its value (tree 0, split 0)",
            ),
            (
                "\"border\": 0.5",
                "\"border\": 1e999",
                "cannot read the CatBoost model",
            ),
            (
                "\"flat_feature_index\": 1",
                "\"flat_feature_index\": 0",
                "two features have the place 0",
            ),
            (
                "\"feature_index\": 1",
                "\"feature_index\": 0",
                "two features have the same index",
            ),
            (
                "[10, [0.5]]",
                "[1, [1, 2, 3]]",
                "3 biases for 1 outputs (scale_and_bias)",
            ),
            (
                "\"AsTrue\"",
                "\"AsHeLikes\"",
                "unknown treatment of NaN `AsHeLikes` (float feature 0)",
            ),
            (
                "oblivious_trees\": [",
                "oblivious_trees\": [], \"x\": [",
                "the model holds no trees",
            ),
        ];
        for (from, to, expected) in cases {
            let message = refusal(&symmetric().replacen(from, to, 1));
            assert!(message.contains(expected), "{message}");
        }
        assert!(
            refusal(&branching().replace("\"right\"", "\"wrong\""))
                .contains("node 0 has neither a value nor a split with two branches (tree 0)")
        );
        assert!(
            refusal(&branching().replace("\"value\": 2,", "\"value\": [2, 3],"))
                .contains("leaf 1 has 2 values for 1 outputs (tree 0)")
        );
        let nameless = symmetric().replace("\"feature_id\"", "\"x\"");
        assert!(
            refusal(&nameless.replace(
                "\"flat_feature_index\": 1",
                "\"flat_feature_index\": 4000000000"
            ))
            .contains("feature 1 is not described")
        );
    }

    #[test]
    fn absurd_depths_are_refused() {
        let many: Vec<&str> = vec![SPLITS; 40];
        assert!(
            refusal(&symmetric().replace(SPLITS, &many.join(", ")))
                .contains("too many splits (tree 0)")
        );
        let deep = format!(
            "{{\"features_info\": {{}}, \"trees\": [{}",
            "{\"left\": ".repeat(100_000)
        );
        assert!(refusal(&deep).contains("recursion limit exceeded"));
    }

    #[test]
    fn no_truncation_panics_and_none_is_accepted() {
        for json in [symmetric(), branching()] {
            for length in 0..json.len() - 1 {
                let artefact = Artefact::new("model.json", json.as_bytes()[..length].to_vec());
                assert!(
                    CatBoost
                        .import(&artefact, &ImportOptions::default())
                        .is_err(),
                    "the first {length} bytes"
                );
            }
        }
    }
}
