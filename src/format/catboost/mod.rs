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
#[cfg(test)]
mod tests;
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
            "remove `--virtual-ensembles`; they are for RMSE and alike, RMSEWithUncertainty, \
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
                "two features have the index {slot} among all features"
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
        ..Contract::default()
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
