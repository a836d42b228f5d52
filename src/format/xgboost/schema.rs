//! An XGBoost model as its file says it, field by field, in the words of XGBoost's own
//! `model.schema`.
//!
//! Owns the names of the fields, what old versions leave out, and the lengths that must agree. What
//! the numbers mean is decided in [`crate::format::xgboost`] and
//! [`super::forest`](mod@super::forest).

use crate::contract::CategoryValue;
use crate::error::{Error, Result};
use crate::format::wire::value::{Object, Value, short};

/// Fields of a tree that say how it grew, not what it answers.
pub(super) const UNREAD: &[&str] = &["loss_changes", "parents", "sum_hessian"];

/// A whole model file.
#[derive(Debug)]
pub(super) struct File {
    /// The version that wrote it: major, minor, patch.
    pub version: Vec<i64>,
    /// Free notes, among them `best_iteration`.
    pub attributes: Vec<(String, String)>,
    pub feature_names: Vec<String>,
    /// `float`, `int`, `i`, `q` or `c` for categorical; empty or one per feature.
    pub feature_types: Vec<String>,
    pub feature_count: usize,
    pub class_count: usize,
    pub target_count: usize,
    /// The intercepts as the user gave them, before any link; one for all outputs or one each.
    pub base_score: Vec<f32>,
    pub objective: String,
    pub booster: Booster,
}

/// `gradient_booster`.
#[derive(Debug)]
pub(super) enum Booster {
    Forest(Forest),
    Linear {
        /// One for each output, feature after feature, then the intercepts.
        weights: Vec<f32>,
    },
}

/// `gbtree`, and `dart` around it.
#[derive(Debug)]
pub(super) struct Forest {
    pub trees: Vec<Tree>,
    /// The output that each tree adds to.
    pub tree_info: Vec<i64>,
    /// Where each boosting round begins, and the end; none before 2.0.
    pub iteration_indptr: Option<Vec<i64>>,
    pub parallel_tree_count: usize,
    /// The categories of each feature in the order of their codes; empty before 3.1 and for models
    /// without names for them.
    pub categories: Vec<StoredCategories>,
    /// What `dart` multiplies each tree by.
    pub weight_drop: Option<Vec<f32>>,
}

/// What a file holds of a feature's categories.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum StoredCategories {
    /// Nothing: the feature is a number, or its categories are codes.
    None,
    /// The categories in the order of their codes.
    Known(Vec<CategoryValue>),
    /// Texts that may be cut at wrong offsets: their lengths, and their bytes one after the other,
    /// of which the last ones may be missing. XGBoost 3.1 and 3.2 count the letters
    /// of pandas' categories where they should count bytes: from the first letter outside ASCII on,
    /// every stored category is shifted, and the last ones are lost. Nothing in the file
    /// distinguishes such a model from a sound one.
    Cut { lengths: Vec<usize>, bytes: Vec<u8> },
}

/// One tree: parallel lists, one entry per node.
#[derive(Debug)]
pub(super) struct Tree {
    /// −1 for a leaf.
    pub left: Vec<i32>,
    /// For a leaf of several values since 3.2: its place in `leaf_weights`.
    pub right: Vec<i32>,
    pub feature: Vec<i32>,
    /// The threshold; for a leaf of one value that value.
    pub condition: Vec<f32>,
    pub default_left: Vec<bool>,
    /// Values a leaf holds; 0 and 1 both mean one.
    pub leaf_width: usize,
    /// Values of leaves with several, `leaf_width` for each node.
    pub base_weights: Vec<f32>,
    /// The same since 3.2, `leaf_width` for each leaf.
    pub leaf_weights: Option<Vec<f32>>,
    /// The categories that go right, for categorical nodes.
    pub categories: Vec<(usize, Vec<i64>)>,
}

impl File {
    /// Sorts the values of a file into their fields.
    ///
    /// # Errors
    /// Names the field that is missing or of another type, and the tree.
    pub(super) fn new(root: Value) -> Result<Self> {
        let Value::Object(mut root) = root else {
            return Err(Error::failed("the model file holds no object"));
        };
        let mut learner = root.object("learner")?;
        let mut parameters = learner.object("learner_model_param")?;
        let booster = learner.object("gradient_booster")?;
        Ok(Self {
            version: if root.has("version") {
                root.integers("version")?
            } else {
                Vec::new()
            },
            attributes: if learner.has("attributes") {
                attributes(learner.object("attributes")?)
            } else {
                Vec::new()
            },
            feature_names: if learner.has("feature_names") {
                learner.texts("feature_names")?
            } else {
                Vec::new()
            },
            feature_types: if learner.has("feature_types") {
                learner.texts("feature_types")?
            } else {
                Vec::new()
            },
            feature_count: parameters
                .parameter("num_feature")?
                .ok_or_else(|| Error::failed("the field `num_feature` is missing"))?,
            class_count: parameters.parameter("num_class")?.unwrap_or(0),
            target_count: parameters.parameter("num_target")?.unwrap_or(1),
            base_score: base_score(&parameters.numbers_as_text("base_score")?)?,
            objective: learner.object("objective")?.text("name")?,
            booster: Booster::new(booster)?,
        })
    }

    /// The value of an attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

fn attributes(object: Object) -> Vec<(String, String)> {
    object
        .0
        .into_iter()
        .filter_map(|(key, value)| {
            if let Value::Text(text) = value {
                Some((key, text))
            } else {
                None
            }
        })
        .collect()
}

/// `5E-1` up to 3.0, `[5E-1]` or `[1E0,2E0]` since 3.1.
fn base_score(text: &str) -> Result<Vec<f32>> {
    let broken = || {
        Error::failed(format!(
            "the field `base_score` holds `{}`, which is not a finite number",
            short(text)
        ))
    };
    let trimmed = text.trim();
    let list = trimmed
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(trimmed);
    let numbers = list.split(',').map(|number| {
        number
            .trim()
            .parse::<f32>()
            .ok()
            .filter(|value| value.is_finite())
    });
    numbers.collect::<Option<Vec<f32>>>().ok_or_else(broken)
}

impl Booster {
    fn new(mut booster: Object) -> Result<Self> {
        let name = booster.text("name")?;
        match name.as_str() {
            "gbtree" => Ok(Self::Forest(Forest::new(booster.object("model")?, None)?)),
            "dart" => {
                let weights = booster.floats("weight_drop")?;
                Ok(Self::Forest(Forest::new(
                    booster.object("gbtree")?.object("model")?,
                    Some(weights),
                )?))
            }
            "gblinear" => Ok(Self::Linear {
                weights: booster.object("model")?.floats("weights")?,
            }),
            other => Err(Error::contract(format!(
                "the booster `{}` is not supported",
                short(other)
            ))
            .hint("gbtree, dart and gblinear are")),
        }
    }
}

impl Forest {
    fn new(mut model: Object, weight_drop: Option<Vec<f32>>) -> Result<Self> {
        let mut parameters = model.object("gbtree_model_param")?;
        let tree_info = model.integers("tree_info")?;
        let iteration_indptr = if model.has("iteration_indptr") {
            Some(model.integers("iteration_indptr")?)
        } else {
            None
        };
        let categories = if model.has("cats") {
            categories(model.object("cats")?)?
        } else {
            Vec::new()
        };
        let trees = in_order_of_their_ids(model.objects("trees")?)?;
        let tree_count: usize = parameters.parameter("num_trees")?.unwrap_or(trees.len());
        let lengths = [
            trees.len(),
            tree_info.len(),
            weight_drop.as_ref().map_or(tree_count, Vec::len),
        ];
        if lengths != [tree_count; 3] {
            return Err(Error::failed(format!(
                "`num_trees` says {tree_count}, but there are {} trees, {} entries in `tree_info` \
                 and {} weights",
                lengths[0], lengths[1], lengths[2]
            )));
        }
        let parallel_tree_count = parameters.parameter("num_parallel_tree")?.unwrap_or(1);
        Ok(Self {
            trees,
            tree_info,
            iteration_indptr,
            parallel_tree_count,
            categories,
            weight_drop,
        })
    }
}

fn in_order_of_their_ids(objects: Vec<Object>) -> Result<Vec<Tree>> {
    let mut indices: Vec<Option<Tree>> = objects.iter().map(|_| None).collect();
    for (position, mut object) in objects.into_iter().enumerate() {
        let at = |error: Error| error.at_node(format!("tree {position}"));
        let id = object.parameter("id").map_err(at)?.unwrap_or(position);
        let tree = Tree::new(object).map_err(at)?;
        match indices.get_mut(id) {
            Some(index @ None) => *index = Some(tree),
            _ => {
                return Err(at(Error::failed(format!(
                    "the field `id` holds {id}, which is taken or too large"
                ))));
            }
        }
    }
    Ok(indices.into_iter().flatten().collect())
}

impl Tree {
    fn new(mut tree: Object) -> Result<Self> {
        let mut parameters = tree.object("tree_param")?;
        let built = Self {
            left: tree.words("left_children")?,
            right: tree.words("right_children")?,
            feature: tree.words("split_indices")?,
            condition: tree.floats("split_conditions")?,
            default_left: tree.booleans("default_left")?,
            leaf_width: parameters.parameter("size_leaf_vector")?.unwrap_or(1),
            base_weights: tree.floats("base_weights")?,
            leaf_weights: if tree.has("leaf_weights") {
                Some(tree.floats("leaf_weights")?)
            } else {
                None
            },
            categories: if tree.has("split_type") {
                node_categories(&mut tree)?
            } else {
                Vec::new()
            },
        };
        let node_count = parameters
            .parameter("num_nodes")?
            .unwrap_or(built.left.len());
        let lengths = [
            ("left_children", built.left.len()),
            ("right_children", built.right.len()),
            ("split_indices", built.feature.len()),
            ("split_conditions", built.condition.len()),
            ("default_left", built.default_left.len()),
        ];
        match lengths
            .into_iter()
            .find(|(_, length)| *length != node_count)
        {
            Some((name, length)) => Err(Error::failed(format!(
                "`num_nodes` says {node_count}, but `{name}` has {length} entries"
            ))),
            None if node_count == 0 => Err(Error::failed("the tree has no nodes")),
            None => Ok(built),
        }
    }
}

/// The categorical nodes: for the n-th of `categories_nodes`, the n-th segment of `categories`.
fn node_categories(tree: &mut Object) -> Result<Vec<(usize, Vec<i64>)>> {
    let types = tree.integers("split_type")?;
    let nodes = tree.integers("categories_nodes")?;
    let starts = tree.integers("categories_segments")?;
    let sizes = tree.integers("categories_sizes")?;
    let categories = tree.integers("categories")?;
    let categorical: Vec<i64> = types
        .iter()
        .enumerate()
        .filter(|(_, kind)| **kind == 1)
        .map(|(node, _)| node as i64)
        .collect();
    if nodes != categorical || starts.len() != nodes.len() || sizes.len() != nodes.len() {
        return Err(Error::failed(
            "`split_type`, `categories_nodes`, `categories_segments` and `categories_sizes` do \
             not agree",
        ));
    }
    let mut left = categories.len();
    let segments =
        categorical
            .iter()
            .zip(starts.iter().zip(&sizes))
            .map(|(&node, (&start, &size))| {
                let range = usize::try_from(start)
                    .ok()
                    .zip(usize::try_from(size).ok())
                    .and_then(|(start, size)| Some(start..start.checked_add(size)?));
                let segment = range
                    .and_then(|range| categories.get(range))
                    .filter(|segment| !segment.is_empty() && segment.len() <= left);
                let segment = segment.ok_or_else(|| {
                    Error::failed(format!(
                        "node {node} has its categories at {start} + {size} of {}",
                        categories.len()
                    ))
                })?;
                left -= segment.len();
                Ok((node as usize, segment.to_vec()))
            });
    segments.collect()
}

/// `cats.enc`: for each feature the categories as text (offsets into bytes) or as integers;
/// empty for numeric features.
fn categories(mut cats: Object) -> Result<Vec<StoredCategories>> {
    let columns = cats.objects("enc")?.into_iter().enumerate();
    columns
        .map(|(feature, column)| {
            column_categories(column)
                .map_err(|error| error.at_node(format!("the categories of feature {feature}")))
        })
        .collect()
}

fn column_categories(mut column: Object) -> Result<StoredCategories> {
    let values = column.integers("values")?;
    if !column.has("offsets") {
        let values: Vec<CategoryValue> = values.into_iter().map(CategoryValue::Integer).collect();
        return Ok(if values.is_empty() {
            StoredCategories::None
        } else {
            StoredCategories::Known(values)
        });
    }
    let bytes: Vec<u8> = values.iter().map(|&byte| byte as u8).collect();
    let offsets = column.integers("offsets")?;
    let texts = offsets
        .windows(2)
        .map(|window| text_category(&bytes, window))
        .collect::<Result<Vec<&[u8]>>>()?;
    if texts.is_empty() {
        return Ok(StoredCategories::None);
    }
    if !texts.iter().all(|text| text.is_ascii()) {
        return Ok(StoredCategories::Cut {
            lengths: texts.iter().map(|text| text.len()).collect(),
            bytes: texts.concat(),
        });
    }
    let value = |text: &&[u8]| CategoryValue::Text(String::from_utf8_lossy(text).into_owned());
    Ok(StoredCategories::Known(texts.iter().map(value).collect()))
}

fn text_category<'a>(bytes: &'a [u8], window: &[i64]) -> Result<&'a [u8]> {
    let range = match *window {
        [start, end] => usize::try_from(start)
            .ok()
            .zip(usize::try_from(end).ok())
            .map(|(start, end)| start..end),
        _ => None,
    };
    range
        .and_then(|range| bytes.get(range))
        .ok_or_else(|| Error::failed("a category's offsets lie outside its bytes"))
}
