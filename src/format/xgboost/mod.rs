//! XGBoost: `save_model` files of 1.x to 3.x, JSON and UBJSON, boosters `gbtree`, `dart` and
//! `gblinear`.
//!
//! Owns recognition, and the way from a parsed file to a model with its contract, outcome and
//! description. The encodings are read by [`super::wire::json`] and [`super::wire::ubjson`], sorted
//! into fields by [`self::schema`], and the trees translated by [`self::forest`](mod@self::forest).

mod estimator;
mod forest;
mod objective;
mod schema;

use self::estimator::{ATTRIBUTE, Estimator};
use self::objective::Objective;
use self::schema::{Booster, File, Forest as StoredForest, StoredCategories, UNREAD};
use super::rounds::Rounds;
use super::wire::value::Value;
use super::wire::{json, ubjson};
use super::{Artefact, FileImporter, ImportOptions, SavedFrom, TreeSelection};
use crate::contract::{Contract, Input, InputKind, Policy, Vocabulary};
use crate::count::counted;
use crate::error::{Error, Result};
use crate::forest::Forest;
use crate::linear::Linear;
use crate::model::{Description, LoadedModel, NumericModel, OffsetRule, TrainedModel};

/// The importer of XGBoost's model files.
#[derive(Debug)]
pub struct XgboostImporter;

/// Features of a model without names: each becomes a placeholder, so that a count in a small file
/// must not allocate without bound.
const NAMELESS_FEATURE_LIMIT: usize = 1 << 20;

/// What follows the parameters in the old binary format: 136 bytes, then the objective's name with
/// its length.
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

impl FileImporter for XgboostImporter {
    fn name(&self) -> &'static str {
        "xgboost"
    }

    fn recognises(&self, artefact: &Artefact) -> bool {
        encoding(artefact.head()).is_some()
    }

    fn import(&self, artefact: &Artefact, options: &ImportOptions) -> Result<LoadedModel> {
        let bytes = &artefact.bytes[..];
        let root = match encoding(artefact.head()) {
            Some(Encoding::Ubjson) => ubjson::read(bytes, UNREAD)?,
            Some(Encoding::Binary) => {
                return Err(refused("the binary format that XGBoost gave up"));
            }
            Some(Encoding::Snapshot) => {
                return Err(refused("a snapshot of XGBoost's memory, not a saved model"));
            }
            Some(Encoding::Json) | None => {
                json::read(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes), UNREAD)?
            }
        };
        load(&File::new(root)?, bytes.len(), options)
    }
}

/// The model in what pickling keeps of a booster: a configuration and the model, in one document.
///
/// # Errors
/// Those of [`FileImporter::import`]; a contract error for the
/// forms of XGBoost before 1.6.
pub(crate) fn import_snapshot(bytes: &[u8], options: &ImportOptions) -> Result<LoadedModel> {
    if bytes.first() != Some(&b'{') {
        return Err(refused("a booster that XGBoost before 1.6 pickled"));
    }
    let root = if ubjson::first_key(bytes).is_some() {
        ubjson::read(bytes, UNREAD)?
    } else {
        json::read(bytes, UNREAD)?
    };
    let Value::Object(mut root) = root else {
        return Err(Error::failed("the booster holds no object"));
    };
    let model = if root.has("Model") {
        Value::Object(root.object("Model")?)
    } else {
        Value::Object(root)
    };
    load(&File::new(model)?, bytes.len(), options)
}

fn refused(what: &str) -> Error {
    let hint = "in Python, with the XGBoost that wrote the file: `booster = \
                xgboost.Booster(model_file=\"old.model\"); booster.save_model(\"model.ubj\")`";
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
    let rest = head
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(head)
        .trim_ascii_start()
        .strip_prefix(b"{")?;
    let rest = rest.trim_ascii_start().strip_prefix(b"\"")?;
    rest.split(|&byte| byte == b'"').next()
}

/// The binary format without its later mark: the objective's name lies at a fixed place.
fn is_headless_binary(head: &[u8]) -> bool {
    let name = head.get(BINARY_PARAMETER_BYTES + 8..).unwrap_or_default();
    ["reg:", "binary:", "multi:", "rank:", "count:", "survival:"]
        .iter()
        .any(|prefix| name.starts_with(prefix.as_bytes()))
        && head[BINARY_PARAMETER_BYTES + 1..BINARY_PARAMETER_BYTES + 8]
            .iter()
            .all(|&byte| byte == 0)
}

fn load(file: &File, byte_count: usize, options: &ImportOptions) -> Result<LoadedModel> {
    let objective = Objective::named(&file.objective)?;
    let margin_count = file.class_count.max(file.target_count).max(1);
    if margin_count > byte_count {
        return Err(Error::failed(format!(
            "`num_class` or `num_target` asks for {margin_count} outputs of a file of \
             {byte_count} bytes"
        )));
    }
    let base = base_margins(file, objective, margin_count)?;
    let mut contract = contract(file, options)?;
    let mut description = describe(file, margin_count);
    let model: Box<dyn NumericModel> = match &file.booster {
        Booster::Forest(trees) => Box::new(forest(file, trees, &base, options, &mut description)?),
        Booster::Linear { weights } => Box::new(linear(file, weights, &base, options)?),
    };
    let mut outcome = objective.outcome(margin_count);
    let estimator = file
        .attribute(ATTRIBUTE)
        .map(Estimator::parse)
        .unwrap_or_default();
    estimator.name_classes(&mut outcome);
    estimator.mark_missing(&mut contract, &mut description);
    Ok(LoadedModel {
        model: TrainedModel::Numeric(model),
        contract,
        outcome,
        description,
    })
}

/// One number stands for all outputs.
fn base_margins(file: &File, objective: Objective, margin_count: usize) -> Result<Vec<f32>> {
    let margins: Vec<f32> = match file.base_score.as_slice() {
        [one] => vec![objective.margin(*one); margin_count],
        several if several.len() == margin_count => {
            several.iter().map(|&base| objective.margin(base)).collect()
        }
        several => {
            return Err(Error::failed(format!(
                "`base_score` holds {} numbers for {margin_count} outputs",
                several.len()
            )));
        }
    };
    if margins.iter().all(|margin| margin.is_finite()) {
        return Ok(margins);
    }
    Err(Error::failed(format!(
        "`base_score` holds a number that the objective `{}` cannot start from",
        file.objective
    )))
}

fn forest(
    file: &File,
    trees: &StoredForest,
    base: &[f32],
    options: &ImportOptions,
    description: &mut Description,
) -> Result<Forest> {
    let bounds = trees.round_bounds()?;
    let available = bounds.len() - 1;
    let best = best_iteration(file)?.map(|best| best.saturating_add(1));
    let rounds = Rounds {
        available,
        best,
        library_stops: is_estimator(file, options.saved_from),
    };
    let used = rounds.used(options.trees)?;
    // All means all, also trees that no full round holds.
    let tree_count = if used.count == available {
        trees.trees.len()
    } else {
        bounds[used.count]
    };
    description
        .facts
        .extend(rounds.facts(used, trees.trees.len(), tree_count));
    let forest = trees.forest(
        tree_count,
        base.iter().map(|&margin| f64::from(margin)).collect(),
        file.feature_count,
    )?;
    Ok(forest.with_offsets(OffsetRule::Start))
}

/// Whether `predict` of the scikit-learn interface would score the file, which stops at the best
/// iteration; a booster's uses all trees. `save_model` of an estimator leaves the attribute
/// `scikit_learn`, that of its booster does not.
fn is_estimator(file: &File, saved_from: SavedFrom) -> bool {
    match saved_from {
        SavedFrom::Unknown => file.attribute(ATTRIBUTE).is_some(),
        SavedFrom::Booster => false,
        SavedFrom::Estimator => true,
    }
}

fn best_iteration(file: &File) -> Result<Option<usize>> {
    let Some(text) = file.attribute("best_iteration") else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|_| {
        Error::failed(format!(
            "the attribute `best_iteration` holds `{text}`, which is not a round"
        ))
    })
}

/// The library starts every output at the first intercept, and adds the bias to it before any
/// feature.
fn linear(file: &File, weights: &[f32], base: &[f32], options: &ImportOptions) -> Result<Linear> {
    if let TreeSelection::First(_) = options.trees {
        return Err(
            Error::usage("cannot use some of the trees of a linear booster: it has none")
                .hint("remove `--trees`"),
        );
    }
    let feature_weights = file
        .feature_count
        .checked_mul(base.len())
        .filter(|count| count.checked_add(base.len()) == Some(weights.len()));
    let Some((weights, biases)) = feature_weights.map(|count| weights.split_at(count)) else {
        let message = format!(
            "`weights` has {} entries for {} features and {} outputs",
            weights.len(),
            file.feature_count,
            base.len()
        );
        return Err(Error::failed(message));
    };
    let start = base.first().copied().unwrap_or_default();
    Linear::new(file.feature_count, start, biases.to_vec(), weights.to_vec())
}

fn contract(file: &File, options: &ImportOptions) -> Result<Contract> {
    let count = file.feature_count;
    let named = !file.feature_names.is_empty();
    if named && file.feature_names.len() != count {
        return Err(Error::failed(format!(
            "{} feature names for {count} features",
            file.feature_names.len()
        )));
    }
    if !file.feature_types.is_empty() && file.feature_types.len() != count {
        return Err(Error::failed(format!(
            "{} feature types for {count} features",
            file.feature_types.len()
        )));
    }
    if !named && count > NAMELESS_FEATURE_LIMIT {
        let message = format!(
            "{count} features without names are more than the {NAMELESS_FEATURE_LIMIT} that are \
             supported"
        );
        return Err(
            Error::contract(message).hint("set `booster.feature_names` before saving the model")
        );
    }
    let categories = vocabularies(file)?;
    let inputs = (0..count).map(|feature| {
        let name = file
            .feature_names
            .get(feature)
            .cloned()
            .unwrap_or_else(|| format!("f{feature}"));
        let values = categories.get(feature).unwrap_or(&StoredCategories::None);
        input(
            name,
            values,
            file.feature_types
                .get(feature)
                .is_some_and(|kind| kind == "c"),
            options,
        )
    });
    Ok(Contract {
        inputs: inputs.collect::<Result<_>>()?,
        named,
        ..Contract::default()
    })
}

fn vocabularies(file: &File) -> Result<&[StoredCategories]> {
    let Booster::Forest(StoredForest { categories, .. }) = &file.booster else {
        return Ok(&[]);
    };
    if categories.is_empty() || categories.len() == file.feature_count {
        return Ok(categories);
    }
    Err(Error::failed(format!(
        "`cats` describes {} features of {}",
        categories.len(),
        file.feature_count
    )))
}

/// Since 3.1 the library refuses a category that it has not seen, and so the whole table; a run
/// stops here too unless a policy says otherwise. It has always refused infinite numbers that do
/// not stand for a missing value (`DMatrix`: "Input data contains `inf` or a value too large").
fn input(
    name: String,
    values: &StoredCategories,
    categorical: bool,
    options: &ImportOptions,
) -> Result<Input> {
    Ok(match values {
        StoredCategories::Known(values) => {
            let vocabulary = Vocabulary {
                values: values.clone(),
                unseen_code: f64::NAN,
            };
            Input {
                on_unseen: Policy::Error,
                ..Input::of_kind(name, InputKind::Category(vocabulary))
            }
        }
        StoredCategories::Cut { lengths, bytes } => {
            check_cut_categories(&name, lengths, bytes, options)?;
            Input {
                on_unseen: Policy::Error,
                ..Input::of_kind(name, InputKind::CategoryCode)
            }
        }
        StoredCategories::None if categorical => Input::of_kind(name, InputKind::CategoryCode),
        StoredCategories::None => Input::number(name),
    })
}

/// Categories whose texts the file does not hold whole must come of a package; the lengths and the
/// bytes in the file show whether they are right.
fn check_cut_categories(
    name: &str,
    lengths: &[usize],
    bytes: &[u8],
    options: &ImportOptions,
) -> Result<()> {
    if options.for_inspection {
        return Ok(());
    }
    let Some((_, listed)) = options.categories.iter().find(|(input, _)| input == name) else {
        let message = "the feature has categories with letters outside ASCII, which XGBoost cuts \
                       at wrong offsets when it stores them";
        return Err(Error::contract(message).at_column(name).hint(format!(
            "list them in the package's `tallow.toml`, in the order of training (pandas: \
             `list(x[{name:?}].cat.categories)`): `[[inputs]]`, `name = {name:?}`, `categories = \
             [\"…\", \"…\"]`"
        )));
    };
    let fits = |length: fn(&str) -> usize| {
        listed
            .iter()
            .map(|text| length(text))
            .eq(lengths.iter().copied())
    };
    let has_lengths = fits(|text| text.chars().count()) || fits(str::len);
    if has_lengths && listed.concat().as_bytes().starts_with(bytes) {
        return Ok(());
    }
    let what = if has_lengths { "texts" } else { "lengths" };
    let message = format!(
        "the manifest's `categories` are not those that the model was trained with: the file \
         holds {} of other {what}",
        counted(lengths.len(), "category")
    );
    Err(Error::contract(message)
        .at_column(name)
        .hint("list all of them, in the order of training: pandas' `.cat.categories`"))
}

fn describe(file: &File, margin_count: usize) -> Description {
    let (booster, parallel) = match &file.booster {
        Booster::Forest(trees) => (
            if trees.weight_drop.is_some() {
                "dart"
            } else {
                "gbtree"
            },
            trees.parallel_tree_count,
        ),
        Booster::Linear { .. } => ("gblinear", 1),
    };
    let base: Vec<String> = file
        .base_score
        .iter()
        .take(8)
        .map(ToString::to_string)
        .collect();
    let more = if file.base_score.len() > base.len() {
        ", …"
    } else {
        ""
    };
    let mut facts = vec![
        ("objective".to_owned(), file.objective.clone()),
        ("booster".to_owned(), booster.to_owned()),
        (
            "base_score".to_owned(),
            format!("{}{more}", base.join(", ")),
        ),
    ];
    if margin_count > 1 {
        facts.push(("outputs".to_owned(), margin_count.to_string()));
    }
    if parallel > 1 {
        facts.push(("parallel_trees".to_owned(), parallel.to_string()));
    }
    let version: Vec<String> = file
        .version
        .iter()
        .take(3)
        .map(ToString::to_string)
        .collect();
    Description {
        format: "xgboost".to_owned(),
        format_version: (!version.is_empty()).then(|| version.join(".")),
        facts,
        sidecars: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
