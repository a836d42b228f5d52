//! A copy of the trees that a forest is laid out from, and a row's way through them, for
//! explanations.
//!
//! Owns the record: forests that are imported to be followed keep their trees, which others do not,
//! since they are laid out for speed. It must not know what features stand for.

use std::sync::{Arc, Mutex, PoisonError};

use super::ensemble::{Child, Condition, Ensemble, Frame, Missing, Shape, Target, Test, Tree};
use crate::feature::{Columns, FeatureBlock, Precision};
use crate::model::trace::{self, Branch, Keep, TreePath};
use crate::outcome::Margins;

/// The trees of a forest while they pass.
type Trees = Arc<Mutex<Vec<Tree>>>;

/// The trees that a forest was made of.
#[derive(Debug)]
pub(super) struct Kept {
    frame: Frame,
    trees: Trees,
}

impl Kept {
    /// A record for a new forest; none if it will not be followed.
    pub(super) fn begun(frame: &Frame) -> Option<Self> {
        (trace::kept() > Keep::Nothing).then(|| Self {
            frame: frame.clone(),
            trees: Trees::default(),
        })
    }

    /// What keeps a tree that passes.
    pub(super) fn keeper(&self) -> impl FnMut(&Tree) + Send + use<> {
        let trees = self.trees.clone();
        move |tree| {
            let mut trees = trees.lock().unwrap_or_else(PoisonError::into_inner);
            trees.push(tree.clone());
        }
    }

    /// Notes the way of the first row of a block through every tree, unless the trees give other
    /// margins than the forest did; those of rows with offsets are not compared.
    pub(super) fn follow(&self, block: &FeatureBlock, margins: &Margins, has_offsets: bool) {
        let Some(row) = first_row(block, self.frame.feature_count) else {
            return;
        };
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        let ensemble = Ensemble {
            frame: self.frame.clone(),
            trees: std::mem::take(&mut *trees),
        };
        let width = self.frame.base.len();
        let own: Vec<f64> = match margins {
            Margins::Single(values) => values.iter().take(width).map(|&one| one.into()).collect(),
            Margins::Double(values) => values.iter().take(width).copied().collect(),
        };
        if has_offsets || ensemble.score_row(&row) == own {
            let numbered = ensemble.trees.iter().enumerate();
            numbered.for_each(|(number, tree)| trace::note_tree(self.path(&row, number, tree)));
        }
        *trees = ensemble.trees;
    }

    fn path(&self, row: &[f64], number: usize, tree: &Tree) -> TreePath {
        let mut path = Vec::new();
        match &tree.shape {
            Shape::Symmetric(conditions) => {
                let nodes = conditions.iter().enumerate();
                path.extend(nodes.map(|(node, condition)| self.branch(row, node, condition)));
            }
            Shape::Branching { root, nodes } => {
                let mut child = *root;
                while let Child::Node(node) = child {
                    let Some(found) = nodes.get(node as usize) else {
                        break;
                    };
                    let branch = self.branch(row, node as usize, &found.condition);
                    child = if branch.is_left {
                        found.left
                    } else {
                        found.right
                    };
                    path.push(branch);
                }
            }
        }
        let leaf = tree.leaf(row);
        let linear = tree.linear.get(leaf).and_then(|linear| linear.value(row));
        let width = self.frame.base.len();
        let margins = match tree.target {
            _ if width == 1 => Vec::new(),
            Target::Margin(margin) => vec![margin as usize],
            Target::All => (0..width).collect(),
        };
        let values = match (tree.target, linear) {
            (Target::Margin(_), Some(value)) => Some(vec![value]),
            (Target::Margin(_), None) => tree.leaf_values.get(leaf..=leaf).map(<[f64]>::to_vec),
            (Target::All, _) => {
                let own = tree.leaf_values.get(leaf * width..(leaf + 1) * width);
                own.map(<[f64]>::to_vec)
            }
        };
        TreePath {
            step: String::new(),
            tree: number,
            path,
            leaf,
            values: values.unwrap_or_default(),
            margins,
            outputs: Vec::new(),
        }
    }

    fn branch(&self, row: &[f64], node: usize, condition: &Condition) -> Branch {
        let feature = condition.feature as usize;
        let value = row.get(feature).copied().unwrap_or(f64::NAN);
        let missing = match condition.missing {
            Missing::Nan { left: true } => " or missing",
            Missing::ZeroOrNan { left: true } => ", or 0 or missing",
            Missing::ZeroOrNan { left: false } => ", and neither 0 nor missing",
            Missing::Nan { left: false } | Missing::NanIsZero => "",
        };
        let is_single = self.frame.precision == Precision::Single;
        let test = match &condition.test {
            Test::Less(threshold) => format!("< {}", number_text(*threshold, is_single)),
            Test::LessOrEqual(threshold) => format!("<= {}", number_text(*threshold, is_single)),
            Test::In(categories) => format!("in {}", set_text(feature, categories)),
            Test::NotIn(categories) => format!("not in {}", set_text(feature, categories)),
        };
        let category = (value >= 0.0).then(|| trace::category_of_feature(feature, value as usize));
        Branch {
            node,
            feature: trace::name(feature),
            test: format!("{test}{missing}"),
            value: category
                .flatten()
                .unwrap_or_else(|| number_text(value, is_single)),
            is_left: condition.goes_left(value),
        }
    }
}

/// The values of the first row; none if there is no row, or it has other features.
fn first_row(block: &FeatureBlock, feature_count: usize) -> Option<Vec<f64>> {
    fn of<T: Copy + Into<f64>>(columns: &Columns<T>, feature_count: usize) -> Option<Vec<f64>> {
        let fits = columns.row_count() > 0 && columns.feature_count() == feature_count;
        let value = |feature| columns.column(feature)[0].into();
        fits.then(|| (0..feature_count).map(value).collect())
    }
    match block {
        FeatureBlock::Single(columns) => of(columns, feature_count),
        FeatureBlock::Double(columns) => of(columns, feature_count),
    }
}

/// Categories by their names, or by their codes where those are not known.
fn set_text(feature: usize, categories: &[u32]) -> String {
    let name = |code: &u32| {
        let name = trace::category_of_feature(feature, *code as usize);
        name.unwrap_or_else(|| code.to_string())
    };
    let names: Vec<String> = categories.iter().map(name).collect();
    format!("[{}]", names.join(", "))
}

/// A number with the digits of its precision.
fn number_text(value: f64, is_single: bool) -> String {
    let is_short = value == 0.0 || !value.is_finite() || (1e-5..1e16).contains(&value.abs());
    match (is_single, is_short) {
        (true, true) => (value as f32).to_string(),
        (true, false) => format!("{:e}", value as f32),
        (false, true) => value.to_string(),
        (false, false) => format!("{value:e}"),
    }
}
