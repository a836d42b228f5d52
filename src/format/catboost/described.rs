//! CatBoost's JSON fields as the neutral structure: what a split asks, which table a CTR reads.
//!
//! Owns the meaning of the JSON file. It must not know how the model is scored.

use std::collections::HashMap;

use super::info::ModelInfo;
use super::json::{
    Branch, CategoricalFeature as JsonCategory, Ctr as JsonCtr, CtrData, File,
    FloatFeature as JsonFloat, HashedValue, Numbers, OtherFeature, Split, SymmetricTree,
};
use super::stored::{
    CategoricalFeature, Counts, Ctr, CtrTable, CtrType, DEPTH_LIMIT, EMPTY_HASH, FloatFeature,
    Projection, Question, Stored, StoredTree, missing_rule, number, refuse_features,
};
use crate::error::{Error, Result};
use crate::forest::Child;

impl File {
    /// What the file says.
    ///
    /// # Errors
    /// Names the feature, CTR, tree or split that is broken, and features that are not supported.
    pub(super) fn stored(self) -> Result<Stored> {
        let info = self.features_info;
        for (kind, features) in [
            ("text", &info.text_features),
            ("embedding", &info.embedding_features),
        ] {
            let names: Vec<String> = features.iter().flatten().map(other_name).collect();
            refuse_features(kind, &names)?;
        }
        let output_count = output_count(self.oblivious_trees.as_deref(), self.trees.as_deref())?;
        let (ctrs, tables) = ctrs(
            info.ctrs.as_deref().unwrap_or_default(),
            self.ctr_data.unwrap_or_default(),
        )?;
        refuse_ambiguous(&ctrs, &tables, &self.model_info)?;
        let asked = questions(
            info.float_features.as_deref().unwrap_or_default(),
            info.categorical_features.as_deref().unwrap_or_default(),
            info.ctrs.as_deref().unwrap_or_default(),
        )?;
        let is_symmetric = self.oblivious_trees.is_some();
        let trees = match (self.oblivious_trees, self.trees) {
            (Some(trees), _) => trees
                .into_iter()
                .enumerate()
                .map(|(index, tree)| symmetric(tree, &asked, index))
                .collect::<Result<_>>()?,
            (None, trees) => trees
                .into_iter()
                .flatten()
                .enumerate()
                .map(|(index, tree)| {
                    branching(&tree, &asked, output_count)
                        .map_err(|error| error.at_node(format!("tree {index}")))
                })
                .collect::<Result<_>>()?,
        };
        let (scale, bias) = self.scale_and_bias.unwrap_or((1.0, Numbers::default()));
        let floats = info.float_features.into_iter().flatten().map(float);
        let categories = info.categorical_features.into_iter().flatten();
        Ok(Stored {
            floats: floats.collect::<Result<_>>()?,
            categories: categories.map(category).collect(),
            texts: info
                .cat_features_hash
                .map(|texts| texts.into_iter().filter_map(text).collect()),
            ctrs,
            tables,
            trees,
            is_symmetric,
            output_count,
            scale,
            bias: bias.0,
            info: self.model_info,
        })
    }
}

fn float(feature: JsonFloat) -> Result<FloatFeature> {
    let treatment = feature.nan_value_treatment.as_deref().unwrap_or("AsIs");
    Ok(FloatFeature {
        index: feature.feature_index,
        flat: feature.flat_feature_index,
        missing: missing_rule(treatment, feature.has_nans, feature.feature_index)?,
        name: name_of(feature.feature_name, feature.feature_id),
    })
}

fn category(feature: JsonCategory) -> CategoricalFeature {
    CategoricalFeature {
        index: feature.feature_index,
        flat: feature.flat_feature_index,
        name: name_of(feature.feature_name, feature.feature_id),
    }
}

fn name_of(name: Option<String>, id: Option<String>) -> Option<String> {
    name.filter(|name| !name.is_empty())
        .or(id.filter(|id| !id.is_empty()))
}

fn other_name(feature: &OtherFeature) -> String {
    name_of(feature.feature_name.clone(), feature.feature_id.clone()).unwrap_or_else(|| {
        feature
            .flat_feature_index
            .map(|index| index.to_string())
            .unwrap_or_default()
    })
}

fn text(entry: HashedValue) -> Option<(String, u32)> {
    let hash = hash(entry.hash)?;
    Some((entry.value, hash))
}

/// The 32 bits of a category's hash, which the file writes signed at some fields and unsigned at
/// others.
pub(super) fn hash(value: i64) -> Option<u32> {
    u32::try_from(value)
        .ok()
        .or_else(|| i32::try_from(value).ok().map(i32::cast_unsigned))
}

fn known_hash(value: i64) -> Result<u32> {
    hash(value)
        .ok_or_else(|| Error::failed(format!("a split asks for `{value}`, which is not a hash")))
}

/// The CTRs and the tables that they read.
fn ctrs(
    ctrs: &[JsonCtr],
    mut data: std::collections::BTreeMap<String, CtrData>,
) -> Result<(Vec<Ctr>, Vec<CtrTable>)> {
    let (mut tables, mut indices) = (Vec::new(), HashMap::new());
    let mut read = |ctr: &JsonCtr| {
        let table = if let Some(&index) = indices.get(&ctr.identifier) {
            index
        } else {
            let data = data.remove(&ctr.identifier).ok_or_else(|| {
                Error::failed("the file has no counts of the CTR").hint(
                    "the file is cut short or changed: save it again with \
                     `save_model(\"model.json\", format=\"json\")`",
                )
            })?;
            tables.push(table(ctr, data)?);
            indices.insert(ctr.identifier.clone(), tables.len() - 1);
            tables.len() - 1
        };
        let single = |value: Option<f64>, default: f32| value.map_or(default, |value| value as f32);
        Ok(Ctr {
            table,
            target_border: ctr.target_border_idx.unwrap_or(0) as usize,
            prior: [
                single(ctr.prior_numerator, 0.0),
                single(ctr.prior_denomerator, 1.0),
            ],
            shift: single(ctr.shift, 0.0),
            scale: single(ctr.scale, 1.0),
        })
    };
    let read: Result<Vec<Ctr>> = ctrs
        .iter()
        .enumerate()
        .map(|(index, ctr)| read(ctr).map_err(|error: Error| error.at_node(format!("CTR {index}"))))
        .collect();
    Ok((read?, tables))
}

/// Refuses CTRs whose counts the file mixes up: JSON names a table by its elements and its type,
/// not by the way in which the target was cut into classes, so that of several tables it holds one.
fn refuse_ambiguous(ctrs: &[Ctr], tables: &[CtrTable], info: &ModelInfo) -> Result<()> {
    let mut readers = vec![0_usize; tables.len()];
    ctrs.iter().for_each(|ctr| readers[ctr.table] += 1);
    let is_mixed = |(table, readers): (&CtrTable, usize)| {
        let has_several = || info.has_several_targets() || info.target_cuts(table.kind.name()) > 1;
        readers > 1 && table.kind.reads_target() && has_several()
    };
    match tables.iter().zip(readers).find(|one| is_mixed(*one)) {
        Some((table, _)) => Err(Error::contract(format!(
            "CTRs of type {} count several targets, or several cuts of the target, which \
             CatBoost's JSON does not distinguish",
            table.kind.name()
        ))
        .hint("save the model as `.cbm`: `model.save_model(\"model.cbm\")`")),
        None => Ok(()),
    }
}

fn table(ctr: &JsonCtr, data: CtrData) -> Result<CtrTable> {
    let kind = CtrType::named(&ctr.kind)?;
    let map = data.hash_map;
    let width = data.hash_stride.saturating_sub(1);
    let is_of_shape = match kind {
        CtrType::Borders | CtrType::Buckets => width > 0,
        CtrType::BinarizedTargetMeanValue | CtrType::FloatTargetMeanValue => width == 2,
        CtrType::Counter | CtrType::FeatureFreq => width == 1,
    };
    let expected = map.hashes.len().checked_mul(width);
    if !is_of_shape || expected != Some(map.counts.len()) {
        return Err(Error::failed(format!(
            "{} numbers for {} hashes, {} a hash",
            map.counts.len(),
            map.hashes.len(),
            width
        )));
    }
    let rows = map.hashes.iter().zip(map.counts.chunks_exact(width.max(1)));
    let filled: Vec<(u64, &[f64])> = rows
        .filter(|(hash, _)| **hash != EMPTY_HASH)
        .map(|(hash, row)| (*hash, row))
        .collect();
    let whole = |count: &f64| *count as i32;
    let counts = match kind {
        CtrType::Borders | CtrType::Buckets => Counts::Classes(
            width,
            filled
                .iter()
                .flat_map(|(_, row)| row.iter().map(whole))
                .collect(),
        ),
        CtrType::BinarizedTargetMeanValue | CtrType::FloatTargetMeanValue => Counts::Means(
            filled
                .iter()
                .map(|(_, row)| (row[0] as f32, whole(&row[1])))
                .collect(),
        ),
        CtrType::Counter | CtrType::FeatureFreq => {
            Counts::Single(filled.iter().map(|(_, row)| whole(&row[0])).collect())
        }
    };
    Ok(CtrTable {
        projection: projection(ctr)?,
        kind,
        classifier: 0,
        hashes: filled.iter().map(|(hash, _)| *hash).collect(),
        counts,
        denominator: data.counter_denominator.unwrap_or(0),
    })
}

fn projection(ctr: &JsonCtr) -> Result<Projection> {
    let mut projection = Projection::default();
    let incomplete = || Error::failed("an element of the CTR has no feature or no value");
    for element in ctr.elements.iter().flatten() {
        let category = || element.cat_feature_index.ok_or_else(incomplete);
        match element.kind.as_str() {
            "cat_feature_value" => projection.categories.push(category()?),
            "float_feature" => projection.floats.push((
                element.float_feature_index.ok_or_else(incomplete)?,
                element.border.ok_or_else(incomplete)? as f32,
            )),
            "cat_feature_exact_value" => projection.one_hots.push((
                category()?,
                known_hash(element.value.ok_or_else(incomplete)?)?,
            )),
            other => {
                return Err(Error::contract(format!(
                    "CTRs with elements of type `{other}` are not supported"
                )));
            }
        }
    }
    Ok(projection)
}

/// What each `split_index` asks.
fn questions(
    floats: &[JsonFloat],
    categories: &[JsonCategory],
    ctrs: &[JsonCtr],
) -> Result<Vec<Question>> {
    let mut questions = Vec::new();
    for feature in floats {
        questions.extend(
            feature
                .borders
                .iter()
                .flatten()
                .map(|&border| Question::Float {
                    feature: feature.feature_index,
                    border: border as f32,
                }),
        );
    }
    for feature in categories {
        for &value in feature.values.iter().flatten() {
            questions.push(Question::OneHot {
                feature: feature.feature_index,
                hash: known_hash(value)?,
            });
        }
    }
    for (ctr, stored) in ctrs.iter().enumerate() {
        questions.extend(
            stored
                .borders
                .iter()
                .flatten()
                .map(|&border| Question::Ctr {
                    ctr,
                    border: border as f32,
                }),
        );
    }
    Ok(questions)
}

/// A split's own fields say what it asks, except of a CTR.
fn question(split: &Split, asked: &[Question]) -> Result<Question> {
    let incomplete = || {
        Error::failed(format!(
            "a split of type `{}` is missing its feature or its value",
            split.kind
        ))
    };
    match split.kind.as_str() {
        "FloatFeature" => Ok(Question::Float {
            feature: split.float_feature_index.ok_or_else(incomplete)?,
            border: split.border.ok_or_else(incomplete)? as f32,
        }),
        "OneHotFeature" => Ok(Question::OneHot {
            feature: split.cat_feature_index.ok_or_else(incomplete)?,
            hash: known_hash(split.value.ok_or_else(incomplete)?)?,
        }),
        "OnlineCtr" => {
            let index = split.position.ok_or_else(incomplete)?;
            match asked.get(index) {
                Some(&found @ Question::Ctr { .. }) => Ok(found),
                _ => Err(Error::failed(format!(
                    "a split of type `OnlineCtr` has the index {index}, which is not a CTR's"
                ))),
            }
        }
        other => Err(Error::contract(format!(
            "a split of type `{other}` is not supported"
        ))),
    }
}

fn symmetric(tree: SymmetricTree, asked: &[Question], index: usize) -> Result<StoredTree> {
    let splits = tree.splits.unwrap_or_default();
    let questions = splits.iter().enumerate().map(|(node, split)| {
        question(split, asked).map_err(|error| error.at_node(format!("tree {index}, split {node}")))
    });
    Ok(StoredTree::Symmetric {
        questions: questions.collect::<Result<_>>()?,
        values: tree.leaf_values.unwrap_or_default(),
    })
}

/// The number of values in a leaf, by the first tree.
fn output_count(
    symmetric: Option<&[SymmetricTree]>,
    branching: Option<&[Branch]>,
) -> Result<usize> {
    let broken = |message: &str| Error::failed(message).at_node("tree 0");
    let count = match (symmetric, branching) {
        (Some([tree, ..]), _) => {
            let depth = tree.splits.as_ref().map_or(0, Vec::len);
            if depth > DEPTH_LIMIT {
                return Err(broken("too many splits"));
            }
            tree.leaf_values.as_ref().map_or(0, Vec::len) >> depth
        }
        (None, Some([branch, ..])) => first_leaf(branch).map_or(0, |value| value.0.len()),
        _ => return Err(Error::failed("the model holds no trees")),
    };
    if count == 0 {
        Err(broken("the tree has no leaf values"))
    } else {
        Ok(count)
    }
}

fn first_leaf(branch: &Branch) -> Option<&Numbers> {
    branch
        .value
        .as_ref()
        .or_else(|| first_leaf(branch.left.as_deref()?))
}

fn branching(root: &Branch, asked: &[Question], output_count: usize) -> Result<StoredTree> {
    let mut numbering = Numbering {
        asked,
        output_count,
        nodes: Vec::new(),
        values: Vec::new(),
    };
    let root = numbering.number(root)?;
    Ok(StoredTree::Branching {
        root,
        nodes: numbering.nodes,
        values: numbering.values,
    })
}

/// Numbers nodes and leaves depth first, left before right, as CatBoost does when it reads the
/// file.
struct Numbering<'a> {
    asked: &'a [Question],
    output_count: usize,
    nodes: Vec<(Question, Child, Child)>,
    values: Vec<f64>,
}

impl Numbering<'_> {
    /// Recursion is bounded by the reader's limit on nesting.
    fn number(&mut self, branch: &Branch) -> Result<Child> {
        match branch {
            Branch {
                value: Some(value), ..
            } => self.leaf(value),
            Branch {
                split: Some(split),
                left: Some(left),
                right: Some(right),
                ..
            } => {
                let slot = self.nodes.len();
                let question = question(split, self.asked)?;
                self.nodes.push((question, Child::Leaf(0), Child::Leaf(0)));
                let (left, right) = (self.number(left)?, self.number(right)?);
                self.nodes[slot] = (question, left, right);
                Ok(Child::Node(number(slot)?))
            }
            _ => Err(Error::failed(format!(
                "node {} has neither a value nor a split with two branches",
                self.nodes.len()
            ))),
        }
    }

    fn leaf(&mut self, value: &Numbers) -> Result<Child> {
        let leaf = self.values.len() / self.output_count;
        if value.0.len() != self.output_count {
            return Err(Error::failed(format!(
                "leaf {leaf} has {} values for {} outputs",
                value.0.len(),
                self.output_count
            )));
        }
        self.values.extend_from_slice(&value.0);
        Ok(Child::Leaf(number(leaf)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_the_same_signed_and_unsigned() {
        assert_eq!(hash(-784_473_192), hash(3_510_494_104));
        assert_eq!(hash(1 << 40), None);
    }
}
