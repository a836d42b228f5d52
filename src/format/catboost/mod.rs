//! CatBoost JSON: what the file's features mean.
//!
//! Owns recognition, the contract and what is refused. The file's fields are
//! [`self::file`]'s, the trees [`self::trees`]'s, classes and losses
//! [`self::outcome`](mod@self::outcome)'s. It must not know columns of a table. Source: CatBoost's
//! `json_model_helpers.cpp`, `evaluator_impl.cpp` and `quantization.h`, 1.2.

mod file;
mod outcome;
mod trees;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::file::{CategoricalFeature, File, FloatFeature, HashedValue, OtherFeature};
use self::outcome::outcome;
use self::trees::{HashCodes, Positions, asked_hashes, ensemble, hash, missing_rule, output_count};
use super::rounds::{Rounds, UsedRounds};
use super::{Artefact, ImportOptions, Importer};
use crate::contract::{
    CategoryValue, Contract, HashedCategories, Input, InputKind, Policy, Vocabulary,
};
use crate::error::{Error, Result};
use crate::forest::Forest;
use crate::forest::virtual_ensembles::VirtualEnsembles;
use crate::model::{Description, LoadedModel, Model, OffsetRule};
use crate::outcome::uncertainty::{Measure, Uncertain};
use crate::outcome::{Outcome, Task};

/// Reads CatBoost's JSON.
#[derive(Debug)]
pub(super) struct CatBoost;

/// Top-level keys of which one stands near the beginning of every file: the writer sorts them.
const KEYS: [&[u8]; 4] = [
    b"\"features_info\"",
    b"\"ctr_data\"",
    b"\"oblivious_trees\"",
    b"\"catboost_version_info\"",
];

/// How CatBoost's own binary format begins.
const BINARY_MAGIC: &[u8] = b"CBM1";

/// The code of a value that no split knows.
const UNSEEN_CODE: f64 = -1.0;

/// What a feature without a place among all features may at most leave open, so that a hostile
/// index costs no memory.
const NAMELESS_LIMIT: u32 = 1 << 20;

impl Importer for CatBoost {
    fn name(&self) -> &'static str {
        "catboost"
    }

    fn reads(&self) -> &'static str {
        "CatBoost JSON (`save_model(\"model.json\", format=\"json\")`): symmetric, depthwise and \
         lossguide trees; float and one-hot features"
    }

    fn recognises(&self, artefact: &Artefact) -> bool {
        let head = artefact.head();
        let is_object = head.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        head.starts_with(BINARY_MAGIC)
            || is_object
                && KEYS
                    .iter()
                    .any(|key| head.windows(key.len()).any(|window| window == *key))
    }

    fn import(&self, artefact: &Artefact, options: &ImportOptions) -> Result<LoadedModel> {
        if artefact.bytes.starts_with(BINARY_MAGIC) {
            return Err(
                Error::contract("CatBoost's binary format is not supported").hint(
                    "write the model as JSON: \
                     `CatBoost().load_model(\"model.cbm\").save_model(\"model.json\", \
                     format=\"json\")`",
                ),
            );
        }
        let file = File::parse(&artefact.bytes)?;
        refuse_unsupported(&file)?;
        translate(&file, options)
    }
}

fn translate(file: &File, options: &ImportOptions) -> Result<LoadedModel> {
    let (contract, positions) = contract(file)?;
    let (outcome, outputs) = outcome(file, output_count(file)?)?;
    let held = file
        .oblivious_trees
        .as_ref()
        .map(Vec::len)
        .or(file.trees.as_ref().map(Vec::len))
        .unwrap_or(0);
    // `use_best_model` has cut the trees at the best iteration before the file was saved.
    let rounds = Rounds::plain(held);
    let used = rounds.used(options.trees)?;
    let ensemble = ensemble(
        file,
        &positions,
        contract.inputs.len(),
        used.count,
        &outputs,
    )?;
    let description = description(file, rounds, used);
    if let Some(count) = options.virtual_ensembles {
        let outcome = uncertain(outcome, count)?;
        let model = Box::new(VirtualEnsembles::new(
            &ensemble,
            count,
            file.model_info.shrinkage()?,
        )?);
        return Ok(LoadedModel {
            model,
            contract,
            outcome,
            description,
        });
    }
    let model: Box<dyn Model> =
        Box::new(Forest::of(ensemble)?.with_offsets(OffsetRule::AddedSingle));
    Ok(LoadedModel {
        model,
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

fn description(file: &File, rounds: Rounds, used: UsedRounds) -> Description {
    let loss = file
        .model_info
        .loss()
        .map_or_else(|| "unknown".to_owned(), |(name, _)| name);
    let shape = if file.oblivious_trees.is_some() {
        "symmetric"
    } else {
        "branching"
    };
    let mut facts = vec![("objective".to_owned(), loss)];
    facts.extend(rounds.facts(used, rounds.available, used.count));
    facts.push(("tree_shape".to_owned(), shape.to_owned()));
    Description {
        format: "catboost".to_owned(),
        format_version: file.model_info.version(),
        facts,
        beside: Vec::new(),
    }
}

fn refuse_unsupported(file: &File) -> Result<()> {
    let info = &file.features_info;
    for (kind, features) in [
        ("text", &info.text_features),
        ("embedding", &info.embedding_features),
    ] {
        if let Some(features) = features.as_deref().filter(|features| !features.is_empty()) {
            let names: Vec<String> = features.iter().map(other_name).collect();
            return Err(Error::contract(format!(
                "{kind} features are not supported: {}",
                quoted(&names)
            ))
            .hint("train without these features"));
        }
    }
    let splits_on_ctr = file
        .oblivious_trees
        .iter()
        .flatten()
        .flat_map(|tree| tree.splits.iter().flatten())
        .any(|split| split.kind == "OnlineCtr");
    let ctrs = info.ctrs.as_deref().unwrap_or_default();
    if !splits_on_ctr && ctrs.is_empty() {
        return Ok(());
    }
    let used: Vec<u32> = ctrs
        .iter()
        .flat_map(|ctr| ctr.elements.iter().flatten())
        .filter_map(|element| element.cat_feature_index)
        .collect();
    let categorical = info.categorical_features.as_deref().unwrap_or_default();
    let names: Vec<String> = categorical
        .iter()
        .filter(|feature| used.contains(&feature.feature_index))
        .map(category_name)
        .collect();
    Err(Error::contract(format!(
        "CTR features (target statistics of categories) are not supported: {}",
        quoted(&names)
    ))
    .hint(
        "train with `one_hot_max_size` of at least the number of categories, so that these \
         features are one-hot encoded, or encode them before training",
    ))
}

fn quoted(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn given_name<'a>(name: Option<&'a String>, id: Option<&'a String>) -> Option<&'a String> {
    name.filter(|name| !name.is_empty())
        .or(id.filter(|id| !id.is_empty()))
}

/// A feature without a name is called by its place among all features, as CatBoost itself does.
fn float_name(feature: &FloatFeature) -> String {
    given_name(feature.feature_name.as_ref(), feature.feature_id.as_ref())
        .map_or_else(|| feature.flat_feature_index.to_string(), Clone::clone)
}

fn category_name(feature: &CategoricalFeature) -> String {
    given_name(feature.feature_name.as_ref(), feature.feature_id.as_ref())
        .map_or_else(|| feature.flat_feature_index.to_string(), Clone::clone)
}

fn other_name(feature: &OtherFeature) -> String {
    let place = feature
        .flat_feature_index
        .map(|index| index.to_string())
        .unwrap_or_default();
    given_name(feature.feature_name.as_ref(), feature.feature_id.as_ref())
        .map_or(place, Clone::clone)
}

enum Feature<'a> {
    Float(&'a FloatFeature),
    Categorical(&'a CategoricalFeature),
}

/// The inputs in the order of all features, and how splits find them.
fn contract(file: &File) -> Result<(Contract, Positions)> {
    let info = &file.features_info;
    let floats = info
        .float_features
        .iter()
        .flatten()
        .map(|feature| (feature.flat_feature_index, Feature::Float(feature)));
    let categorical = info
        .categorical_features
        .iter()
        .flatten()
        .map(|feature| (feature.flat_feature_index, Feature::Categorical(feature)));
    let mut features: BTreeMap<u32, Feature> = BTreeMap::new();
    for (place, feature) in floats.chain(categorical) {
        if features.insert(place, feature).is_some() {
            return Err(Error::failed(format!(
                "two features have the place {place} among all features"
            ))
            .at_node("features_info"));
        }
    }
    let named = features.values().any(is_named);
    if !named {
        refuse_gaps(&features)?;
    }
    let (vocabulary, codes) = vocabulary(info.cat_features_hash.as_deref().unwrap_or_default());
    let (codes, asked) = (Arc::new(codes), asked_hashes(file));
    let mut positions = Positions::default();
    let mut inputs = Vec::with_capacity(features.len());
    for (position, feature) in features.values().enumerate() {
        let position = u32::try_from(position).map_err(|_| Error::failed("too many features"))?;
        let repeated = match feature {
            Feature::Float(feature) => {
                inputs.push(Input::number(float_name(feature)));
                positions
                    .floats
                    .insert(feature.feature_index, (position, missing_rule(feature)?))
                    .is_some()
            }
            Feature::Categorical(feature) => {
                let asked = asked.get(&feature.feature_index);
                let is_listed = info.cat_features_hash.is_some()
                    && asked
                        .into_iter()
                        .flatten()
                        .all(|hash| codes.contains_key(hash));
                let (kind, codes) = if is_listed {
                    (InputKind::Category(vocabulary.clone()), codes.clone())
                } else {
                    hashed(asked)
                };
                // CatBoost refuses null and NaN in a categorical feature, so a row that has one is
                // no row that the model knows.
                inputs.push(Input {
                    on_null: Policy::Error,
                    ..Input::of_kind(category_name(feature), kind)
                });
                positions
                    .categories
                    .insert(feature.feature_index, (position, codes))
                    .is_some()
            }
        };
        if repeated {
            return Err(Error::failed("two features have the same index").at_node("features_info"));
        }
    }
    Ok((
        Contract {
            inputs,
            named,
            vector: None,
        },
        positions,
    ))
}

fn is_named(feature: &Feature) -> bool {
    match feature {
        Feature::Float(feature) => {
            given_name(feature.feature_name.as_ref(), feature.feature_id.as_ref()).is_some()
        }
        Feature::Categorical(feature) => {
            given_name(feature.feature_name.as_ref(), feature.feature_id.as_ref()).is_some()
        }
    }
}

/// Without names only the order says which column is which, so no place may be left out.
fn refuse_gaps(features: &BTreeMap<u32, Feature>) -> Result<()> {
    let expected = 0..NAMELESS_LIMIT;
    match features
        .keys()
        .zip(expected)
        .find(|(place, expected)| *place != expected)
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
            other_code: UNSEEN_CODE,
        }),
        Arc::new(codes),
    )
}

/// All categories that the training pool held, whatever their feature (the file does not tell them
/// apart), and the codes of each hash. CatBoost turns a number into text before it hashes it, so
/// `7` the text and 7 the number are both listed.
fn vocabulary(hashed: &[HashedValue]) -> (Vocabulary, HashCodes) {
    let mut sorted: Vec<(&str, u32)> = hashed
        .iter()
        .filter_map(|entry| Some((entry.value.as_str(), hash(entry.hash)?)))
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

/// The number that is written exactly like this.
pub(super) fn whole(text: &str) -> Option<i64> {
    text.parse()
        .ok()
        .filter(|whole: &i64| whole.to_string() == text)
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
        let margins = loaded
            .model
            .margins(&FeatureBlock::Double(columns))
            .unwrap();
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
                .contains("class `2` is no class's place, or comes twice")
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
        loaded
            .model
            .worker()
            .score(&block, &wants, &mut scores)
            .unwrap();
        assert_eq!(scores.leaves.unwrap(), [1, 0, 1, 0]);
        let hashes_only = with(categorical.split_once(",\n").unwrap().1);
        let kind = &load(&hashes_only).unwrap().contract.inputs[2].kind;
        assert_eq!(
            *kind,
            InputKind::HashedCategory(HashedCategories {
                hashes: vec![u32::MAX],
                other_code: UNSEEN_CODE
            })
        );
        assert!(
            refusal(&hashes_only.replace("\"value\": -1", "\"value\": 5000000000"))
                .contains("`5000000000`, which is no hash")
        );
    }

    #[test]
    fn what_is_not_supported_is_named() {
        let info = |more: &str| symmetric().replace(FLOATS, &format!("{FLOATS}, {more}"));
        let ctr = r#""ctrs": [{"elements": [{"cat_feature_index": 0, "combination_element": "cat_feature_value"}]}],
            "categorical_features": [{"feature_index": 0, "flat_feature_index": 2, "feature_id": "city"}]"#;
        assert!(refusal(&info(ctr)).starts_with(
            "CTR features (target statistics of categories) are not supported: `city`"
        ));
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
        let binary = Artefact::new("model.cbm", b"CBM1....".to_vec());
        assert!(CatBoost.recognises(&binary));
        assert!(
            CatBoost
                .import(&binary, &ImportOptions::default())
                .unwrap_err()
                .hint_text()
                .unwrap()
                .contains("format=\"json\"")
        );
    }

    #[test]
    fn a_broken_file_says_where() {
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
                "lacks its feature or its value (tree 0, split 0)",
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
