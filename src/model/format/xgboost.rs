//! XGBoost: `save_model` files of 1.x to 3.x, JSON and UBJSON, boosters `gbtree`, `dart` and `gblinear`.
//!
//! Owns recognition, and the way from a parsed file to a model with its contract, outcome and description. The encodings are read by
//! [`super::xgboost_json`] and [`super::ubjson`], sorted into fields by [`super::xgboost_schema`], and the trees translated by
//! [`super::xgboost_forest`].

use super::xgboost_forest::chosen_rounds;
use super::xgboost_objective::Objective;
use super::xgboost_schema::{Booster, File, Forest as StoredForest, UNREAD};
use super::{Artefact, ImportOptions, Importer, TreeSelection, ubjson, xgboost_json};
use crate::contract::{CategoryValue, Contract, Input, InputKind, Policy, Vocabulary};
use crate::count::counted;
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
            Some(Encoding::Ubjson) => ubjson::read(bytes, UNREAD)?,
            Some(Encoding::Binary) => return Err(refused("the binary format that XGBoost gave up")),
            Some(Encoding::Snapshot) => return Err(refused("a snapshot of XGBoost's memory, not a saved model")),
            Some(Encoding::Json) | None => xgboost_json::read(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes), UNREAD)?,
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
        Booster::Forest(trees) => Box::new(forest(file, trees, &base, options, &mut description)?),
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

fn forest(file: &File, trees: &StoredForest, base: &[f32], options: &ImportOptions, description: &mut Description) -> Result<Forest> {
    let bounds = trees.round_bounds()?;
    let round_count = bounds.len() - 1;
    let best_iteration = best_iteration(file)?;
    let rounds = chosen_rounds(options.trees, best_iteration, round_count)?;
    // All means all, also trees that no full round holds.
    let tree_count = if rounds == round_count { trees.trees.len() } else { bounds[rounds] };
    let mut facts = vec![("trees", trees.trees.len().to_string()), ("rounds", round_count.to_string())];
    facts.extend(best_iteration.map(|best| ("best iteration", best.to_string())));
    if tree_count < trees.trees.len() {
        facts.push(("rounds used", format!("{rounds} ({})", counted(tree_count, "tree"))));
    }
    description.facts.extend(facts.into_iter().map(|(name, value)| (name.to_owned(), value)));
    trees.forest(tree_count, base.iter().map(|&margin| f64::from(margin)).collect(), file.feature_count)
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
    Ok(Contract { inputs: inputs.collect(), named, vector: None })
}

fn vocabularies(file: &File) -> Result<&[Option<Vec<CategoryValue>>]> {
    let Booster::Forest(StoredForest { categories, .. }) = &file.booster else { return Ok(&[]) };
    if categories.is_empty() || categories.len() == file.feature_count {
        return Ok(categories);
    }
    Err(Error::failed(format!("`cats` describes {} features of {}", categories.len(), file.feature_count)))
}

/// Since 3.1 the library refuses a category that it has not seen, and so the whole table; a run stops here too unless a policy says otherwise.
fn input(name: String, values: Option<&Vec<CategoryValue>>, categorical: bool) -> Input {
    match values {
        Some(values) => {
            let vocabulary = Vocabulary { values: values.clone(), unseen_code: f64::NAN };
            Input { on_unseen: Policy::Error, ..Input::of_kind(name, InputKind::Category(vocabulary)) }
        }
        None if categorical => Input::of_kind(name, InputKind::CategoryCode),
        None => Input::number(name),
    }
}

fn describe(file: &File, margin_count: usize) -> Description {
    let (booster, parallel) = match &file.booster {
        Booster::Forest(trees) => (if trees.weight_drop.is_some() { "dart" } else { "gbtree" }, trees.parallel_tree_count),
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
    Description { format: "xgboost".to_owned(), format_version: (!version.is_empty()).then(|| version.join(".")), facts, beside: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::feature::{Columns, FeatureBlock, Precision};
    use crate::model::{Margins, Scratch};
    use crate::outcome::Task;

    /// Two features, two trees: `x < 0.5` with a missing value to the left, then a category of 1 or 3 to the right.
    const MODEL: &str = r#"{"learner":{"attributes":{"best_iteration":"0"},"feature_names":["x","c"],"feature_types":["float","c"],
        "gradient_booster":{"model":{"gbtree_model_param":{"num_parallel_tree":"1","num_trees":"2"},"iteration_indptr":[0,1,2],"tree_info":[0,0],
        "trees":[
        {"base_weights":[0E0,1E0,2E0],"default_left":[1,0,0],"id":0,"left_children":[1,-1,-1],"right_children":[2,-1,-1],"parents":[2147483647,0,0],
        "split_conditions":[5E-1,1E0,2E0],"split_indices":[0,0,0],"tree_param":{"num_deleted":"0","num_feature":"2","num_nodes":"3","size_leaf_vector":"0"}},
        {"base_weights":[0E0,1E1,2E1],"categories":[1,3],"categories_nodes":[0],"categories_segments":[0],"categories_sizes":[2],"default_left":[0,0,0],
        "id":1,"left_children":[1,-1,-1],"right_children":[2,-1,-1],"parents":[2147483647,0,0],"split_conditions":[NaN,1E1,2E1],"split_indices":[1,0,0],
        "split_type":[1,0,0],"tree_param":{"num_deleted":"0","num_feature":"2","num_nodes":"3","size_leaf_vector":"0"}}]},"name":"gbtree"},
        "learner_model_param":{"base_score":"1E2","num_class":"0","num_feature":"2","num_target":"1"},"objective":{"name":"reg:squarederror"}},
        "version":[2,1,4]}"#;

    fn load_bytes(bytes: &[u8], trees: TreeSelection) -> Result<LoadedModel> {
        let artefact = Artefact::new("model", bytes.to_vec());
        XgboostImporter.import(&artefact, &ImportOptions { trees, ..ImportOptions::default() })
    }

    fn margins(model: &dyn Model, rows: &[&[f32]]) -> Vec<f32> {
        let mut columns = Columns::filled(rows.len(), model.feature_count(), 0.0);
        for (index, row) in rows.iter().enumerate() {
            row.iter().enumerate().for_each(|(feature, value)| columns.column_mut(feature)[index] = *value);
        }
        let mut margins = Margins::empty(Precision::Single);
        model.score(&FeatureBlock::Single(columns), &mut Scratch::default(), &mut margins).expect("the block fits");
        if let Margins::Single(margins) = margins { margins } else { Vec::new() }
    }

    #[test]
    fn trees_are_walked_and_added_as_the_file_says() {
        let loaded = load_bytes(MODEL.as_bytes(), TreeSelection::All).expect("a sound model");
        let rows: &[&[f32]] = &[&[0.4, 1.0], &[0.5, 2.0], &[f32::NAN, f32::NAN], &[0.0, 3.9], &[0.0, 1e9], &[0.0, -1.0]];
        assert_eq!(margins(loaded.model.as_ref(), rows), [121.0, 112.0, 121.0, 121.0, 111.0, 111.0]);
        assert_eq!(loaded.outcome.task, Task::Value);
        assert_eq!(loaded.contract.inputs[1].kind, InputKind::CategoryCode);
        assert_eq!(loaded.description.format_version.as_deref(), Some("2.1.4"));
    }

    #[test]
    fn the_best_iteration_is_taken_where_it_is_stored_and_shown() {
        let best = load_bytes(MODEL.as_bytes(), TreeSelection::Best).expect("a sound model");
        assert_eq!(margins(best.model.as_ref(), &[&[0.0, 1.0]]), [101.0]);
        let fact = |name: &str| best.description.facts.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!((fact("best iteration"), fact("rounds used")), (Some("0"), Some("1 (1 tree)")));
        let error = load_bytes(MODEL.as_bytes(), TreeSelection::First(3)).expect_err("too many");
        assert_eq!((error.kind(), error.message()), (Kind::Usage, "cannot use 3 boosting rounds of a model that has 2"));
        assert!(load_bytes(MODEL.as_bytes(), TreeSelection::First(0)).is_err());
    }

    #[test]
    fn stored_categories_become_a_vocabulary_that_refuses_others() {
        let with = |categories: &str| MODEL.replace(r#""iteration_indptr""#, &format!(r#""cats":{{"enc":[{categories}]}},"iteration_indptr""#));
        let text = with(r#"{"offsets":[],"values":[]},{"offsets":[0,1,3],"values":[97,98,99]}"#);
        let input = load_bytes(text.as_bytes(), TreeSelection::All).expect("a sound model").contract.inputs.remove(1);
        let InputKind::Category(vocabulary) = input.kind else { panic!("a vocabulary") };
        assert_eq!(vocabulary.values, [CategoryValue::Text("a".into()), CategoryValue::Text("bc".into())]);
        assert_eq!(input.on_unseen, Policy::Error);
        let shifted = with(r#"{"offsets":[],"values":[]},{"offsets":[0,2,3],"values":[-61,-68,97]}"#);
        let error = load_bytes(shifted.as_bytes(), TreeSelection::All).expect_err("letters outside ASCII");
        assert_eq!((error.kind(), error.place().node.as_deref()), (Kind::Contract, Some("the categories of feature 1")));
        assert!(load_bytes(with(r#"{"offsets":[0,9],"values":[97]},{"offsets":[],"values":[]}"#).as_bytes(), TreeSelection::All).is_err());
        assert!(load_bytes(with(r#"{"offsets":[],"values":[]}"#).as_bytes(), TreeSelection::All).is_err());
    }

    #[test]
    fn broken_models_name_what_is_wrong() {
        for (from, to, expected) in [
            (r#""left_children":[1,-1,-1]"#, r#""left_children":[0,-1,-1]"#, "the node is reached twice: the tree has a cycle (tree 0, node 0)"),
            (r#""right_children":[2,-1,-1]"#, r#""right_children":[1,-1,-1]"#, "the node is reached twice: the tree has a cycle (tree 0, node 1)"),
            (r#""left_children":[1,-1,-1]"#, r#""left_children":[7,-1,-1]"#, "a child of the node is not among the 3 nodes (tree 0, node 0)"),
            (r#""right_children":[2,-1,-1]"#, r#""right_children":[-2,-1,-1]"#, "a child of the node is not among the 3 nodes (tree 0, node 0)"),
            ("[5E-1,1E0,2E0]", "[NaN,1E0,2E0]", "the threshold is NaN (tree 0, node 0)"),
            ("[5E-1,1E0,2E0]", "[5E-1,1E0]", "`num_nodes` says 3, but `split_conditions` has 2 entries (tree 0)"),
            ("[5E-1,1E0,2E0]", r#"["x"]"#, "the field `split_conditions` should hold a list of numbers, not a text (tree 0)"),
            (r#""split_indices":[0,0,0]"#, r#""split_indices":[2,0,0]"#, "splits on feature 2 of 2 (tree 0, node 0)"),
            (r#""num_nodes":"3""#, r#""num_nodes":"4000000000""#, "`num_nodes` says 4000000000, but `left_children` has 3 entries (tree 0)"),
            (r#""num_trees":"2""#, r#""num_trees":"99999999999""#, "`num_trees` says 99999999999, but there are 2 trees"),
            (r#""num_class":"0""#, r#""num_class":"2000000000""#, "asks for 2000000000 outputs of a file of"),
            (r#""num_target":"1""#, r#""num_target":"2""#, "prediction"),
            (r#""num_feature":"2","num_target""#, r#""num_feature":"4000000000","num_target""#, "2 feature names for 4000000000 features"),
            (r#""size_leaf_vector":"0""#, r#""size_leaf_vector":"3""#, "leaves of 3 values in a model of 1 outputs (tree 0)"),
            (r#""tree_info":[0,0]"#, r#""tree_info":[1,0]"#, "adds to output 1 of 1 (tree 0)"),
            (r#""iteration_indptr":[0,1,2]"#, r#""iteration_indptr":[0,3,2]"#, "`iteration_indptr` does not rise from 0 to the 2 trees"),
            (r#""iteration_indptr":[0,1,2]"#, r#""iteration_indptr":[]"#, "`iteration_indptr` does not rise from 0 to the 2 trees"),
            (
                r#""categories_sizes":[2]"#,
                r#""categories_sizes":[9223372036854775807]"#,
                "node 0 has its categories at 0 + 9223372036854775807 of 2 (tree 1)",
            ),
            (r#""categories":[1,3]"#, r#""categories":[1,-3]"#, "a category code is negative or above 2^24 (tree 1, node 0)"),
            (r#""split_type":[1,0,0]"#, r#""split_type":[1,1,0]"#, "do not agree (tree 1)"),
            (r#""id":1"#, r#""id":0"#, "the field `id` holds 0, which is taken or too large (tree 1)"),
            (r#""base_score":"1E2""#, r#""base_score":"nan""#, "the field `base_score` holds `nan`, which is no finite number"),
            (r#""base_score":"1E2""#, r#""base_score":"[1E0,2E0]""#, "`base_score` holds 2 numbers for 1 outputs"),
            (r#""best_iteration":"0""#, r#""best_iteration":"x""#, "the attribute `best_iteration` holds `x`, which is no round"),
            ("reg:squarederror", "reg:other", "the objective `reg:other` is not supported"),
            (r#""name":"gbtree""#, r#""name":"gbforest""#, "the booster `gbforest` is not supported"),
            (r#""gradient_booster""#, r#""booster""#, "the field `gradient_booster` is missing"),
        ] {
            assert!(MODEL.contains(from), "{from}");
            match load_bytes(MODEL.replacen(from, to, 1).as_bytes(), TreeSelection::All) {
                Ok(loaded) => assert!(format!("{:?}", loaded.outcome.task) == r#"Values(["0", "1"])"#, "{to}"),
                Err(error) => assert!(error.to_string().contains(expected), "{to}: {error}"),
            }
        }
    }

    #[test]
    fn truncated_and_damaged_files_fail_without_a_panic() {
        let ubjson = include_bytes!("../../../data/golden/xgboost_3.2_stored_ubj/model.ubj").as_slice();
        for bytes in [MODEL.as_bytes(), ubjson] {
            assert!(load_bytes(bytes, TreeSelection::All).is_ok());
            for length in 0..bytes.len() {
                assert!(load_bytes(&bytes[..length], TreeSelection::All).is_err(), "{length} bytes");
            }
            for position in 0..bytes.len() {
                for byte in [0, 0xff, bytes[position] ^ 1, bytes[position] ^ 0x80] {
                    let mut damaged = bytes.to_vec();
                    damaged[position] = byte;
                    if let Ok(loaded) = load_bytes(&damaged, TreeSelection::All) {
                        let row = vec![0.0; loaded.model.feature_count()];
                        assert_eq!(margins(loaded.model.as_ref(), &[&row]).len(), loaded.model.margin_count());
                    }
                }
            }
        }
    }

    #[test]
    fn content_decides_and_old_formats_are_refused_with_a_way_out() {
        let binary = [vec![0; BINARY_PARAMETER_BYTES], 12_u64.to_le_bytes().to_vec(), b"reg:logistic".to_vec()].concat();
        for (head, expected) in [
            (b"{\"learner\":{".as_slice(), Some(Encoding::Json)),
            (b"\xef\xbb\xbf {\n \"version\": [1, 0, 0], \"learner\": {", Some(Encoding::Json)),
            (b"{L\0\0\0\0\0\0\0\x07learner{", Some(Encoding::Ubjson)),
            (b"{i\x07learner{", Some(Encoding::Ubjson)),
            (b"binf\0\0\0\x3f", Some(Encoding::Binary)),
            (&binary, Some(Encoding::Binary)),
            (b"CONFIG-offset:\0", Some(Encoding::Snapshot)),
            (b"{\"Config\":{\"learner\":{", Some(Encoding::Snapshot)),
            (b"{\"features_info\":{", None),
            (b"tree\nversion=v4", None),
            (b"{", None),
            (b"", None),
        ] {
            assert_eq!(encoding(head), expected, "{}", head.escape_ascii());
        }
        let error = load_bytes(&binary, TreeSelection::All).expect_err("refused");
        assert_eq!((error.kind(), error.message()), (Kind::Contract, "cannot read the binary format that XGBoost gave up"));
        assert!(error.hint_text().is_some_and(|hint| hint.contains("save_model(\"model.ubj\")")));
    }

    #[test]
    fn a_linear_booster_starts_every_output_at_the_first_intercept() {
        let text = r#"{"learner":{"attributes":{},"feature_names":[],"feature_types":[],
            "gradient_booster":{"model":{"weights":[1,2E0,1E1,2E1,5E-1,2.5E-1]},"name":"gblinear"},
            "learner_model_param":{"base_score":"[1E0,3E0]","num_class":"2","num_feature":"2"},"objective":{"name":"multi:softprob"}},"version":[3,2,0]}"#;
        let loaded = load_bytes(text.as_bytes(), TreeSelection::Best).expect("a sound model");
        assert_eq!(margins(loaded.model.as_ref(), &[&[1.0, 1.0], &[f32::NAN, 1.0]]), [12.5, 23.25, 11.5, 21.25]);
        assert!(!loaded.contract.named);
        assert_eq!(load_bytes(text.as_bytes(), TreeSelection::First(1)).expect_err("no trees").kind(), Kind::Usage);
        let error = load_bytes(text.replace(",2.5E-1]", "]").as_bytes(), TreeSelection::Best).expect_err("too few weights");
        assert_eq!(error.message(), "`weights` has 5 entries for 2 features and 2 outputs");
    }
}
