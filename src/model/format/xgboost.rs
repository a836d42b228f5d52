//! XGBoost: `save_model` files of 1.x to 3.x, JSON and UBJSON, boosters `gbtree`, `dart` and `gblinear`.
//!
//! Owns recognition, and the way from a parsed file to a model with its contract, outcome and description. The encodings are read by
//! [`super::xgboost_json`] and [`super::ubjson`], sorted into fields by [`super::xgboost_schema`], and the trees translated by
//! [`super::xgboost_forest`].

use super::xgboost_forest::chosen_rounds;
use super::xgboost_objective::Objective;
use super::xgboost_schema::{Booster, File, Trees};
use super::{Artefact, ImportOptions, Importer, TreeSelection, ubjson, xgboost_json};
use crate::contract::{CategoryValue, Contract, Input, InputKind, Policy, Vocabulary};
use crate::error::{Error, Result};
use crate::model::forest::Forest;
use crate::model::linear::Linear;
use crate::model::{Description, LoadedModel, Model};

/// The importer of XGBoost's model files.
#[derive(Debug)]
pub struct XgboostImporter;

/// Features of a model without names: each becomes a placeholder, so that a count in a small file must not allocate without bound.
const NAMELESS_FEATURE_LIMIT: usize = 1 << 20;

/// What follows the parameters in the old binary format: 136 bytes, then the objective's name with its length.
const BINARY_PARAMETER_BYTES: usize = 136;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Json,
    Ubjson,
    /// The binary format of 0.x and 1.x.
    Binary,
    /// What pickling keeps: a configuration with the model inside.
    Snapshot,
}

impl Importer for XgboostImporter {
    fn name(&self) -> &'static str {
        "xgboost"
    }

    fn reads(&self) -> &'static str {
        "XGBoost 1.x to 3.x, saved with save_model as .json or .ubj: gbtree, dart and gblinear"
    }

    fn recognises(&self, artefact: &Artefact) -> bool {
        encoding(artefact.head()).is_some()
    }

    fn import(&self, artefact: &Artefact, options: &ImportOptions) -> Result<LoadedModel> {
        let bytes = artefact.bytes.as_slice();
        let root = match encoding(artefact.head()) {
            Some(Encoding::Ubjson) => ubjson::read(bytes)?,
            Some(Encoding::Binary) => return Err(refused("the binary format that XGBoost gave up")),
            Some(Encoding::Snapshot) => return Err(refused("a snapshot of XGBoost's memory, not a saved model")),
            Some(Encoding::Json) | None => xgboost_json::read(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))?,
        };
        load(&File::new(root)?, bytes.len(), options)
    }
}

fn refused(what: &str) -> Error {
    let hint =
        "in Python, with the XGBoost that wrote the file: `booster = xgboost.Booster(model_file=\"old.model\"); booster.save_model(\"model.ubj\")`";
    Error::contract(format!("cannot read {what}")).hint(hint)
}

fn encoding(head: &[u8]) -> Option<Encoding> {
    if head.starts_with(b"binf") || head.starts_with(b"bs64") || is_headless_binary(head) {
        return Some(Encoding::Binary);
    }
    if head.starts_with(b"CONFIG-offset:") {
        return Some(Encoding::Snapshot);
    }
    let (encoding, key) = match ubjson::first_key(head) {
        Some(key) => (Encoding::Ubjson, key),
        None => (Encoding::Json, first_json_key(head)?),
    };
    let learner_follows = head.windows(7).any(|window| window == b"learner");
    match key {
        b"learner" => Some(encoding),
        b"version" if learner_follows => Some(encoding),
        b"Config" if learner_follows => Some(Encoding::Snapshot),
        _ => None,
    }
}

fn first_json_key(head: &[u8]) -> Option<&[u8]> {
    let rest = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start().strip_prefix(b"{")?;
    let rest = rest.trim_ascii_start().strip_prefix(b"\"")?;
    rest.split(|&byte| byte == b'"').next()
}

/// The binary format without its later mark: the objective's name lies at a fixed place.
fn is_headless_binary(head: &[u8]) -> bool {
    let name = head.get(BINARY_PARAMETER_BYTES + 8..).unwrap_or_default();
    ["reg:", "binary:", "multi:", "rank:", "count:", "survival:"].iter().any(|prefix| name.starts_with(prefix.as_bytes()))
        && head[BINARY_PARAMETER_BYTES + 1..BINARY_PARAMETER_BYTES + 8].iter().all(|&byte| byte == 0)
}

fn load(file: &File, byte_count: usize, options: &ImportOptions) -> Result<LoadedModel> {
    let objective = Objective::named(&file.objective)?;
    let margin_count = file.class_count.max(file.target_count).max(1);
    if margin_count > byte_count {
        return Err(Error::failed(format!("`num_class` or `num_target` asks for {margin_count} outputs of a file of {byte_count} bytes")));
    }
    let base = base_margins(file, objective, margin_count)?;
    let contract = contract(file)?;
    let mut description = describe(file, margin_count);
    let model: Box<dyn Model> = match &file.booster {
        Booster::Trees(trees) => Box::new(forest(file, trees, &base, options, &mut description)?),
        Booster::Linear { weights } => Box::new(linear(file, weights, &base, options)?),
    };
    Ok(LoadedModel { model, contract, outcome: objective.outcome(margin_count), description })
}

/// One number stands for all outputs.
fn base_margins(file: &File, objective: Objective, margin_count: usize) -> Result<Vec<f32>> {
    let margins: Vec<f32> = match file.base_score.as_slice() {
        [one] => vec![objective.margin(*one); margin_count],
        several if several.len() == margin_count => several.iter().map(|&base| objective.margin(base)).collect(),
        several => return Err(Error::failed(format!("`base_score` holds {} numbers for {margin_count} outputs", several.len()))),
    };
    if margins.iter().all(|margin| margin.is_finite()) {
        return Ok(margins);
    }
    Err(Error::failed(format!("`base_score` holds a number that the objective `{}` cannot start from", file.objective)))
}

fn forest(file: &File, trees: &Trees, base: &[f32], options: &ImportOptions, description: &mut Description) -> Result<Forest> {
    let bounds = trees.round_bounds()?;
    let round_count = bounds.len() - 1;
    let best_iteration = best_iteration(file)?;
    let rounds = chosen_rounds(options.trees, best_iteration, round_count)?;
    // All means all, also trees that no full round holds.
    let tree_count = if rounds == round_count { trees.trees.len() } else { bounds[rounds] };
    let mut facts = vec![("trees", trees.trees.len().to_string()), ("rounds", round_count.to_string())];
    facts.extend(best_iteration.map(|best| ("best iteration", best.to_string())));
    if tree_count < trees.trees.len() {
        facts.push(("rounds used", format!("{rounds} ({tree_count} trees)")));
    }
    description.facts.extend(facts.into_iter().map(|(name, value)| (name.to_owned(), value)));
    let ensemble = trees.ensemble(tree_count, base.iter().map(|&margin| f64::from(margin)).collect(), file.feature_count)?;
    Forest::new(&ensemble)
}

fn best_iteration(file: &File) -> Result<Option<usize>> {
    let Some(text) = file.attribute("best_iteration") else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Error::failed(format!("the attribute `best_iteration` holds `{text}`, which is no round")))
}

/// The library starts every output at the first intercept, and adds the bias to it before any feature.
fn linear(file: &File, weights: &[f32], base: &[f32], options: &ImportOptions) -> Result<Linear> {
    if let TreeSelection::First(_) = options.trees {
        return Err(Error::usage("cannot use some of the trees of a linear booster: it has none").hint("leave `--trees` out"));
    }
    let feature_weights = file.feature_count.checked_mul(base.len()).filter(|count| count.checked_add(base.len()) == Some(weights.len()));
    let Some((weights, biases)) = feature_weights.map(|count| weights.split_at(count)) else {
        let message = format!("`weights` has {} entries for {} features and {} outputs", weights.len(), file.feature_count, base.len());
        return Err(Error::failed(message));
    };
    let start = base.first().copied().unwrap_or_default();
    Linear::new(file.feature_count, biases.iter().map(|bias| bias + start).collect(), weights.to_vec())
}

fn contract(file: &File) -> Result<Contract> {
    let count = file.feature_count;
    let named = !file.feature_names.is_empty();
    if named && file.feature_names.len() != count {
        return Err(Error::failed(format!("{} feature names for {count} features", file.feature_names.len())));
    }
    if !file.feature_types.is_empty() && file.feature_types.len() != count {
        return Err(Error::failed(format!("{} feature types for {count} features", file.feature_types.len())));
    }
    if !named && count > NAMELESS_FEATURE_LIMIT {
        let message = format!("{count} features without names are more than the {NAMELESS_FEATURE_LIMIT} that are supported");
        return Err(Error::contract(message).hint("set `booster.feature_names` before saving the model"));
    }
    let categories = vocabularies(file)?;
    let inputs = (0..count).map(|feature| {
        let name = file.feature_names.get(feature).cloned().unwrap_or_else(|| format!("f{feature}"));
        let values = categories.get(feature).and_then(Option::as_ref);
        input(name, values, file.feature_types.get(feature).is_some_and(|kind| kind == "c"))
    });
    Ok(Contract { inputs: inputs.collect(), named })
}

fn vocabularies(file: &File) -> Result<&[Option<Vec<CategoryValue>>]> {
    let Booster::Trees(Trees { categories, .. }) = &file.booster else { return Ok(&[]) };
    if categories.is_empty() || categories.len() == file.feature_count {
        return Ok(categories);
    }
    Err(Error::failed(format!("`cats` describes {} features of {}", categories.len(), file.feature_count)))
}

/// Since 3.1 the library refuses a category that it has not seen, so the row is refused here too.
fn input(name: String, values: Option<&Vec<CategoryValue>>, categorical: bool) -> Input {
    match values {
        Some(values) => {
            let vocabulary = Vocabulary { values: values.clone(), unseen_code: f64::NAN };
            Input { on_unseen: Policy::Reject, ..Input::of_kind(name, InputKind::Category(vocabulary)) }
        }
        None if categorical => Input::of_kind(name, InputKind::CategoryCode),
        None => Input::number(name),
    }
}

fn describe(file: &File, margin_count: usize) -> Description {
    let (booster, parallel) = match &file.booster {
        Booster::Trees(trees) => (if trees.weight_drop.is_some() { "dart" } else { "gbtree" }, trees.parallel_tree_count),
        Booster::Linear { .. } => ("gblinear", 1),
    };
    let base: Vec<String> = file.base_score.iter().take(8).map(ToString::to_string).collect();
    let more = if file.base_score.len() > base.len() { ", …" } else { "" };
    let mut facts = vec![
        ("objective".to_owned(), file.objective.clone()),
        ("booster".to_owned(), booster.to_owned()),
        ("base score".to_owned(), format!("{}{more}", base.join(", "))),
    ];
    if margin_count > 1 {
        facts.push(("outputs".to_owned(), margin_count.to_string()));
    }
    if parallel > 1 {
        facts.push(("parallel trees".to_owned(), parallel.to_string()));
    }
    let version: Vec<String> = file.version.iter().take(3).map(ToString::to_string).collect();
    Description { format: "xgboost".to_owned(), format_version: (!version.is_empty()).then(|| version.join(".")), facts }
}
