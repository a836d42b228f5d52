//! CatBoost JSON: what the file's features mean.
//!
//! Owns recognition, the contract and what is refused. The file's fields are [`super::catboost_file`]'s, the trees
//! [`super::catboost_trees`]'s, classes and losses [`super::catboost_outcome`]'s. It must not know columns of a table. Source: CatBoost's `json_model_helpers.cpp`, `evaluator_impl.cpp`
//! and `quantization.h`, 1.2.

use std::collections::{BTreeMap, HashMap};

use super::catboost_file::{CategoricalFeature, File, FloatFeature, HashedValue, OtherFeature};
use super::catboost_outcome::outcome;
use super::catboost_trees::{Positions, ensemble, hash, missing_rule, output_count};
use super::{Artefact, ImportOptions, Importer, TreeSelection};
use crate::contract::{CategoryValue, Contract, Input, InputKind, Policy, Vocabulary};
use crate::error::{Error, Result};
use crate::model::forest::Forest;
use crate::model::{Description, LoadedModel, Model};

/// Reads CatBoost's JSON.
#[derive(Debug)]
pub(super) struct CatBoost;

/// Top-level keys of which one stands near the beginning of every file: the writer sorts them.
const KEYS: [&[u8]; 4] = [b"\"features_info\"", b"\"ctr_data\"", b"\"oblivious_trees\"", b"\"catboost_version_info\""];

/// How CatBoost's own binary format begins.
const BINARY_MAGIC: &[u8] = b"CBM1";

/// The code of a value that no split knows.
const UNSEEN_CODE: f64 = -1.0;

/// What a feature without a place among all features may at most leave open, so that a hostile index costs no memory.
const NAMELESS_LIMIT: u32 = 1 << 20;

impl Importer for CatBoost {
    fn name(&self) -> &'static str {
        "catboost"
    }

    fn reads(&self) -> &'static str {
        "CatBoost JSON (`save_model(\"model.json\", format=\"json\")`): symmetric, depthwise and lossguide trees; float and one-hot features"
    }

    fn recognises(&self, artefact: &Artefact) -> bool {
        let head = artefact.head();
        let is_object = head.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        head.starts_with(BINARY_MAGIC) || is_object && KEYS.iter().any(|key| head.windows(key.len()).any(|window| window == *key))
    }

    fn import(&self, artefact: &Artefact, options: &ImportOptions) -> Result<LoadedModel> {
        if artefact.bytes.starts_with(BINARY_MAGIC) {
            return Err(Error::contract("CatBoost's binary format is not supported").hint(
                "write the model as JSON: `CatBoost().load_model(\"model.cbm\").save_model(\"model.json\", format=\"json\")`, \
                 with `pool=train_pool` if it has categorical features",
            ));
        }
        let file = File::parse(&artefact.bytes)?;
        refuse_unsupported(&file)?;
        translate(&file, options)
    }
}

fn translate(file: &File, options: &ImportOptions) -> Result<LoadedModel> {
    let (contract, positions) = contract(file)?;
    let (outcome, outputs) = outcome(file, output_count(file)?)?;
    let held = file.oblivious_trees.as_ref().map(Vec::len).or(file.trees.as_ref().map(Vec::len)).unwrap_or(0);
    let tree_count = if let TreeSelection::First(count) = options.trees { count.min(held) } else { held };
    let ensemble = ensemble(file, &positions, contract.inputs.len(), tree_count, &outputs)?;
    let model: Box<dyn Model> = Box::new(Forest::new(&ensemble)?);
    Ok(LoadedModel { model, contract, outcome, description: description(file, tree_count, held) })
}

fn description(file: &File, tree_count: usize, held: usize) -> Description {
    let loss = file.model_info.loss().map_or_else(|| "unknown".to_owned(), |(name, _)| name);
    let shape = if file.oblivious_trees.is_some() { "symmetric" } else { "branching" };
    let trees = if tree_count == held { held.to_string() } else { format!("{tree_count} of {held}") };
    let facts = vec![("objective".to_owned(), loss), ("trees".to_owned(), trees), ("tree shape".to_owned(), shape.to_owned())];
    Description { format: "catboost".to_owned(), format_version: file.model_info.version(), facts }
}

fn refuse_unsupported(file: &File) -> Result<()> {
    let info = &file.features_info;
    for (kind, features) in [("text", &info.text_features), ("embedding", &info.embedding_features)] {
        if let Some(features) = features.as_deref().filter(|features| !features.is_empty()) {
            let names: Vec<String> = features.iter().map(other_name).collect();
            return Err(Error::contract(format!("{kind} features are not supported: {}", quoted(&names))).hint("train without these features"));
        }
    }
    let splits_on_ctr =
        file.oblivious_trees.iter().flatten().flat_map(|tree| tree.splits.iter().flatten()).any(|split| split.split_type == "OnlineCtr");
    let ctrs = info.ctrs.as_deref().unwrap_or_default();
    if !splits_on_ctr && ctrs.is_empty() {
        return Ok(());
    }
    let used: Vec<u32> = ctrs.iter().flat_map(|ctr| ctr.elements.iter().flatten()).filter_map(|element| element.cat_feature_index).collect();
    let categorical = info.categorical_features.as_deref().unwrap_or_default();
    let names: Vec<String> = categorical.iter().filter(|feature| used.contains(&feature.feature_index)).map(category_name).collect();
    Err(Error::contract(format!("CTR features (target statistics of categories) are not supported: {}", quoted(&names))).hint(
        "train with `one_hot_max_size` of at least the number of categories, so that these features are one-hot encoded, \
         or encode them before training",
    ))
}

fn quoted(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn given_name<'a>(name: Option<&'a String>, id: Option<&'a String>) -> Option<&'a String> {
    name.filter(|name| !name.is_empty()).or(id.filter(|id| !id.is_empty()))
}

/// A feature without a name is called by its place among all features, as CatBoost itself does.
fn float_name(feature: &FloatFeature) -> String {
    given_name(feature.feature_name.as_ref(), feature.feature_id.as_ref()).map_or_else(|| feature.flat_feature_index.to_string(), Clone::clone)
}

fn category_name(feature: &CategoricalFeature) -> String {
    given_name(feature.feature_name.as_ref(), feature.feature_id.as_ref()).map_or_else(|| feature.flat_feature_index.to_string(), Clone::clone)
}

fn other_name(feature: &OtherFeature) -> String {
    let place = feature.flat_feature_index.map(|index| index.to_string()).unwrap_or_default();
    given_name(feature.feature_name.as_ref(), feature.feature_id.as_ref()).map_or(place, Clone::clone)
}

enum Feature<'a> {
    Float(&'a FloatFeature),
    Categorical(&'a CategoricalFeature),
}

/// The inputs in the order of all features, and how splits find them.
fn contract(file: &File) -> Result<(Contract, Positions)> {
    let info = &file.features_info;
    let floats = info.float_features.iter().flatten().map(|feature| (feature.flat_feature_index, Feature::Float(feature)));
    let categorical = info.categorical_features.iter().flatten().map(|feature| (feature.flat_feature_index, Feature::Categorical(feature)));
    let mut features: BTreeMap<u32, Feature> = BTreeMap::new();
    for (place, feature) in floats.chain(categorical) {
        if features.insert(place, feature).is_some() {
            return Err(Error::failed(format!("two features have the place {place} among all features")).at_node("features_info"));
        }
    }
    let named = features.values().any(is_named);
    if !named {
        refuse_gaps(&features)?;
    }
    let (vocabulary, codes) = vocabulary(info.cat_features_hash.as_deref().unwrap_or_default());
    let mut positions = Positions { codes, ..Positions::default() };
    let mut inputs = Vec::with_capacity(features.len());
    for (position, feature) in features.values().enumerate() {
        let position = u32::try_from(position).map_err(|_| Error::failed("too many features"))?;
        let repeated = match feature {
            Feature::Float(feature) => {
                inputs.push(Input::number(float_name(feature)));
                positions.floats.insert(feature.feature_index, (position, missing_rule(feature)?)).is_some()
            }
            Feature::Categorical(feature) => {
                inputs.push(category_input(feature, &vocabulary));
                positions.categories.insert(feature.feature_index, (position, category_name(feature))).is_some()
            }
        };
        if repeated {
            return Err(Error::failed("two features have the same index").at_node("features_info"));
        }
    }
    Ok((Contract { inputs, named }, positions))
}

fn is_named(feature: &Feature) -> bool {
    match feature {
        Feature::Float(feature) => given_name(feature.feature_name.as_ref(), feature.feature_id.as_ref()).is_some(),
        Feature::Categorical(feature) => given_name(feature.feature_name.as_ref(), feature.feature_id.as_ref()).is_some(),
    }
}

/// Without names only the order says which column is which, so no place may be left out.
fn refuse_gaps(features: &BTreeMap<u32, Feature>) -> Result<()> {
    let expected = 0..NAMELESS_LIMIT;
    match features.keys().zip(expected).find(|(place, expected)| *place != expected) {
        Some((_, gap)) => Err(Error::contract(format!("the model's features have no names and feature {gap} is not described"))
            .hint("train with named features, such as the columns of a data frame")),
        None => Ok(()),
    }
}

/// CatBoost refuses null and NaN in a categorical feature, so a row that has one is no row that the model knows.
fn category_input(feature: &CategoricalFeature, vocabulary: &Vocabulary) -> Input {
    Input { on_null: Policy::Error, ..Input::of_kind(category_name(feature), InputKind::Category(vocabulary.clone())) }
}

/// All categories that the training pool held, whatever their feature (the file does not tell them apart), and the codes of each
/// hash. CatBoost turns a number into text before it hashes it, so `7` the text and 7 the number are both listed.
fn vocabulary(hashed: &[HashedValue]) -> (Vocabulary, HashMap<u32, Vec<u32>>) {
    let mut sorted: Vec<(&str, u32)> = hashed.iter().filter_map(|entry| Some((entry.value.as_str(), hash(entry.hash)?))).collect();
    sorted.sort_unstable();
    sorted.dedup();
    let mut values = Vec::with_capacity(sorted.len());
    let mut codes: HashMap<u32, Vec<u32>> = HashMap::new();
    let spellings: [fn(&str) -> Option<CategoryValue>; 2] = [as_text, as_integer];
    for spelling in spellings {
        for &(text, hash) in &sorted {
            if let Some(value) = spelling(text) {
                codes.entry(hash).or_default().push(u32::try_from(values.len()).unwrap_or(u32::MAX));
                values.push(value);
            }
        }
    }
    (Vocabulary { values, unseen_code: UNSEEN_CODE }, codes)
}

fn as_text(text: &str) -> Option<CategoryValue> {
    Some(CategoryValue::Text(text.to_owned()))
}

fn as_integer(text: &str) -> Option<CategoryValue> {
    text.parse::<i64>().ok().filter(|whole| whole.to_string() == text).map(CategoryValue::Integer)
}
