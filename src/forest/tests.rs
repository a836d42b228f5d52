//! Every kernel against the definition, bit for bit, on random ensembles and rows that sit on every
//! edge.

use proptest::prelude::*;

use super::cost_model::Plan;
use super::ensemble::{
    Child, Condition, Ensemble, Frame, LinearLeaf, Missing, Node, Shape, Target, Test, Tree,
    ZERO_THRESHOLD,
};
use super::{Forest, Kernel};
use crate::feature::{Columns, FeatureBlock, Precision};
use crate::kernel::processor::Instructions;
use crate::model::{NumericModel, Scores, Wants, Worker};
use crate::outcome::Margins;

const KERNELS: [Kernel; 7] = [
    Kernel::Walking,
    Kernel::Sliced(Instructions::Portable),
    Kernel::Sliced(Instructions::Avx2),
    Kernel::Sliced(Instructions::Avx512),
    Kernel::SmallBatch(Instructions::Portable),
    Kernel::SmallBatch(Instructions::Avx2),
    Kernel::SmallBatch(Instructions::Avx512),
];

/// What a random ensemble looks like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe {
    pub(super) seed: u64,
    pub(super) precision: Precision,
    pub(super) feature_count: usize,
    pub(super) margin_count: usize,
    pub(super) tree_count: usize,
    pub(super) max_leaves: usize,
    /// Thresholds of a feature to choose from.
    pub(super) threshold_count: u64,
    /// Categories to choose from; 0 for none.
    pub(super) category_count: u64,
    pub(super) row_count: usize,
}

/// Random numbers (splitmix64), and the things made of them.
struct Maker {
    state: u64,
    recipe: Recipe,
}

impl Maker {
    fn below(&mut self, limit: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn number(&mut self) -> f64 {
        let number = self.below(1 << 24) as f64 / 4096.0 - 2048.0;
        if self.recipe.precision == Precision::Single {
            f64::from(number as f32)
        } else {
            number + self.below(1 << 20) as f64 * 1e-12
        }
    }

    /// Thresholds that no `f32` is equal to are among them.
    fn threshold(&mut self) -> f64 {
        match self.below(24) {
            0 => 0.0,
            1 => -0.0,
            2 => ZERO_THRESHOLD,
            3 => f64::INFINITY,
            4 => f64::NEG_INFINITY,
            5 => f64::from(f32::MAX),
            6 => 5e-324,
            7 => 0.1,
            _ => (self.below(self.recipe.threshold_count) as f64 - 3.0) / 7.0,
        }
    }

    fn condition(&mut self) -> Condition {
        let left = self.below(2) == 0;
        let missing = [
            Missing::Nan { left },
            Missing::Nan { left },
            Missing::ZeroOrNan { left },
            Missing::NanIsZero,
        ][self.below(4) as usize];
        let kind = if self.recipe.category_count > 0 {
            self.below(4)
        } else {
            2 + self.below(2)
        };
        let test = match kind {
            0 => Test::In(self.categories().into()),
            1 => Test::NotIn(self.categories().into()),
            2 => Test::Less(self.threshold()),
            _ => Test::LessOrEqual(self.threshold()),
        };
        Condition {
            feature: self.below(self.recipe.feature_count as u64) as u32,
            test,
            missing,
        }
    }

    fn categories(&mut self) -> Vec<u32> {
        let mut codes: Vec<u32> = (0..self.below(8))
            .map(|_| self.below(self.recipe.category_count) as u32)
            .collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }

    fn tree(&mut self) -> Tree {
        let target = if self.below(4) == 0 {
            Target::All
        } else {
            Target::Margin(self.below(self.recipe.margin_count as u64) as u32)
        };
        let width = if target == Target::All {
            self.recipe.margin_count
        } else {
            1
        };
        let (shape, leaf_count) = if self.below(5) == 0 {
            self.symmetric()
        } else {
            self.branching()
        };
        let is_linear = target != Target::All && self.below(8) == 0;
        let linear = (0..if is_linear { leaf_count } else { 0 })
            .map(|_| self.linear())
            .collect();
        Tree {
            shape,
            leaf_values: (0..leaf_count * width).map(|_| self.number()).collect(),
            target,
            linear,
        }
    }

    fn linear(&mut self) -> LinearLeaf {
        let terms = (0..self.below(3))
            .map(|_| {
                (
                    self.below(self.recipe.feature_count as u64) as u32,
                    self.number(),
                )
            })
            .collect();
        LinearLeaf {
            constant: self.number(),
            terms,
        }
    }

    fn symmetric(&mut self) -> (Shape, usize) {
        let depth = self.below(u64::from(self.recipe.max_leaves.ilog2()) + 1) as usize;
        (
            Shape::Symmetric((0..depth).map(|_| self.condition()).collect()),
            1 << depth,
        )
    }

    /// Splits a random leaf until there are enough; sometimes always the last one, which makes a
    /// chain.
    fn branching(&mut self) -> (Shape, usize) {
        let leaf_count = 1 + self.below(self.recipe.max_leaves as u64) as usize;
        let is_chain = self.below(4) == 0;
        let mut nodes: Vec<Node> = Vec::new();
        let mut leaves: Vec<Option<(usize, bool)>> = vec![None];
        while leaves.len() < leaf_count {
            let slot = if is_chain {
                leaves.len() - 1
            } else {
                self.below(leaves.len() as u64) as usize
            };
            let parent = leaves.swap_remove(slot);
            let index = nodes.len() as u32;
            link(&mut nodes, parent, Child::Node(index));
            leaves.extend([Some((nodes.len(), true)), Some((nodes.len(), false))]);
            nodes.push(Node {
                condition: self.condition(),
                left: Child::Leaf(0),
                right: Child::Leaf(0),
            });
        }
        let root = if nodes.is_empty() {
            Child::Leaf(0)
        } else {
            Child::Node(0)
        };
        for (leaf, parent) in leaves.into_iter().enumerate() {
            link(&mut nodes, parent, Child::Leaf(leaf as u32));
        }
        (Shape::Branching { root, nodes }, leaf_count)
    }

    fn ensemble(&mut self) -> Ensemble {
        let Recipe {
            precision,
            feature_count,
            margin_count,
            tree_count,
            ..
        } = self.recipe;
        let numbers = |maker: &mut Self| {
            (0..margin_count)
                .map(|_| maker.number())
                .collect::<Vec<_>>()
        };
        let base = numbers(self);
        let bias = if self.below(2) == 0 {
            numbers(self)
        } else {
            Vec::new()
        };
        let scale = if self.below(2) == 0 {
            1.0
        } else {
            self.number()
        };
        let frame = Frame {
            precision,
            feature_count,
            base,
            scale,
            bias,
        };
        Ensemble {
            frame,
            trees: (0..tree_count).map(|_| self.tree()).collect(),
        }
    }

    fn value(&mut self) -> f64 {
        let value = match self.below(16) {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => f64::NEG_INFINITY,
            3 => -0.0,
            4 => self.number(),
            5 => 1e-36,
            6 => [-0.5, -1e-36, -1.0, -1.5, -5e-324][self.below(5) as usize],
            7 | 8 => self.below(self.recipe.category_count.max(1) + 3) as f64,
            9 => 4e9,
            10 => self.threshold().next_up(),
            11 => self.threshold().next_down(),
            _ => self.threshold(),
        };
        // Doubles that single precision holds are ranked in it.
        if self.recipe.precision == Precision::Single || self.recipe.seed.is_multiple_of(2) {
            f64::from(value as f32)
        } else {
            value
        }
    }
}

fn link(nodes: &mut [Node], parent: Option<(usize, bool)>, child: Child) {
    match parent {
        Some((node, true)) => nodes[node].left = child,
        Some((node, false)) => nodes[node].right = child,
        None => {}
    }
}

fn block(rows: &[Vec<f64>], recipe: &Recipe) -> FeatureBlock {
    match recipe.precision {
        Precision::Single => {
            let mut columns = Columns::filled(rows.len(), recipe.feature_count, 0.0_f32);
            (0..recipe.feature_count).for_each(|feature| {
                columns
                    .column_mut(feature)
                    .iter_mut()
                    .zip(rows)
                    .for_each(|(value, row)| *value = row[feature] as f32);
            });
            FeatureBlock::Single(columns)
        }
        Precision::Double => {
            let mut columns = Columns::filled(rows.len(), recipe.feature_count, 0.0);
            (0..recipe.feature_count).for_each(|feature| {
                columns
                    .column_mut(feature)
                    .iter_mut()
                    .zip(rows)
                    .for_each(|(value, row)| *value = row[feature]);
            });
            FeatureBlock::Double(columns)
        }
    }
}

fn bits(margins: &Margins) -> Vec<u64> {
    match margins {
        Margins::Single(values) => values
            .iter()
            .map(|value| u64::from(value.to_bits()))
            .collect(),
        Margins::Double(values) => values.iter().map(|value| value.to_bits()).collect(),
    }
}

fn score(block: &FeatureBlock, worker: &mut dyn Worker, precision: Precision) -> Vec<u64> {
    let mut scores = Scores::empty(precision);
    worker.score(block, &Wants::default(), &mut scores).unwrap();
    bits(&scores.margins)
}

/// Scores random rows with every kernel that this processor has, and as the library does by itself.
fn every_kernel_agrees(recipe: Recipe) {
    let ensemble = Maker {
        state: recipe.seed,
        recipe,
    }
    .ensemble();
    every_kernel_agrees_on(&ensemble, recipe);
}

/// The same of an ensemble that is at hand.
pub(super) fn every_kernel_agrees_on(ensemble: &Ensemble, recipe: Recipe) {
    let mut maker = Maker {
        state: recipe.seed.wrapping_add(1),
        recipe,
    };
    let rows: Vec<Vec<f64>> = (0..recipe.row_count)
        .map(|_| (0..recipe.feature_count).map(|_| maker.value()).collect())
        .collect();
    let plain = rows
        .iter()
        .flat_map(|row| ensemble.score_row(row))
        .collect::<Vec<f64>>();
    let expected = match recipe.precision {
        Precision::Single => bits(&Margins::Single(
            plain.iter().map(|&margin| margin as f32).collect(),
        )),
        Precision::Double => bits(&Margins::Double(plain)),
    };
    let block = block(&rows, &recipe);
    let narrow = narrow(&rows, ensemble, recipe);
    let forests = KERNELS.iter().filter_map(|&kernel| {
        Forest::with_kernel(ensemble.clone(), kernel)
            .unwrap()
            .map(|forest| (format!("{kernel:?}"), forest))
    });
    let estimated = [
        Instructions::Portable,
        Instructions::Avx2,
        Instructions::Avx512,
    ]
    .map(|instructions| {
        let trees = ensemble.trees.iter().cloned().map(Ok);
        (
            format!("as if {instructions:?}"),
            Forest::planned(&ensemble.frame, trees, &Plan::of(instructions)).unwrap(),
        )
    });
    for (name, forest) in forests
        .chain(estimated)
        .chain([("the fastest".into(), Forest::of(ensemble.clone()).unwrap())])
    {
        let mut worker = forest.worker();
        for _again in 0..2 {
            let scored = score(&block, &mut *worker, forest.precision());
            assert_eq!(
                scored
                    .iter()
                    .zip(&expected)
                    .position(|(one, other)| one != other),
                None,
                "{name}, {recipe:?}"
            );
            assert_eq!(scored.len(), expected.len());
        }
        if let Some((block, expected)) = &narrow
            && forest.takes_single()
        {
            let scored = score(block, &mut *worker, forest.precision());
            assert!(
                scored == *expected,
                "in single precision: {name}, {recipe:?}"
            );
        }
        let leaves: Vec<u32> = rows
            .iter()
            .flat_map(|row| ensemble.trees.iter().map(|tree| tree.leaf(row) as u32))
            .collect();
        assert_eq!(forest.leaves(&block).unwrap(), leaves, "{name}, {recipe:?}");
    }
}

/// For a forest in double precision, the rows rounded to single precision as such a block, and what
/// the library makes of them.
fn narrow(
    rows: &[Vec<f64>],
    ensemble: &Ensemble,
    recipe: Recipe,
) -> Option<(FeatureBlock, Vec<u64>)> {
    if recipe.precision == Precision::Single {
        return None;
    }
    let single = Recipe {
        precision: Precision::Single,
        ..recipe
    };
    let rounded = |row: &Vec<f64>| row.iter().map(|value| f64::from(*value as f32)).collect();
    let rounded: Vec<Vec<f64>> = rows.iter().map(rounded).collect();
    let margins = rounded.iter().flat_map(|row| ensemble.score_row(row));
    let expected = bits(&Margins::Double(margins.collect()));
    Some((block(&rounded, &single), expected))
}

#[test]
fn a_forest_in_double_precision_takes_singles_where_no_tree_is_walked() {
    let recipe = Recipe {
        precision: Precision::Double,
        ..RECIPE
    };
    let ensemble = || {
        Maker {
            state: recipe.seed,
            recipe,
        }
        .ensemble()
    };
    let takes: Vec<bool> = KERNELS
        .iter()
        .filter_map(|kernel| Forest::with_kernel(ensemble(), *kernel).unwrap())
        .map(|forest| forest.takes_single())
        .collect();
    assert!(takes.contains(&true) && takes.contains(&false), "{takes:?}");
}

fn recipes() -> impl Strategy<Value = Recipe> {
    let sizes = (
        prop_oneof![1..6_usize, Just(60)],
        1..4_usize,
        1..12_usize,
        prop_oneof![Just(2_usize), Just(9), Just(40), Just(300), Just(700)],
    );
    let values = (
        prop_oneof![Just(4_u64), Just(60), Just(2_000)],
        prop_oneof![Just(0_u64), Just(5), Just(200), Just(3_000), Just(100_000)],
        1..1_100_usize,
    );
    (any::<u64>(), any::<bool>(), sizes, values).prop_map(
        |(seed, is_single, (feature_count, margin_count, tree_count, max_leaves), values)| Recipe {
            seed,
            precision: if is_single {
                Precision::Single
            } else {
                Precision::Double
            },
            feature_count,
            margin_count,
            tree_count,
            max_leaves,
            threshold_count: values.0,
            category_count: values.1,
            row_count: values.2,
        },
    )
}

pub(super) const RECIPE: Recipe = Recipe {
    seed: 1,
    precision: Precision::Single,
    feature_count: 3,
    margin_count: 1,
    tree_count: 20,
    max_leaves: 20,
    threshold_count: 100,
    category_count: 0,
    row_count: 600,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn every_kernel_gives_the_bits_of_the_definition(recipe in recipes()) {
        every_kernel_agrees(recipe);
    }
}

#[test]
fn a_column_may_have_more_thresholds_than_a_byte_counts() {
    for precision in [Precision::Single, Precision::Double] {
        every_kernel_agrees(Recipe {
            precision,
            feature_count: 1,
            tree_count: 40,
            max_leaves: 200,
            threshold_count: 5_000,
            ..RECIPE
        });
    }
}

#[test]
fn exactly_as_many_thresholds_as_a_chunk_and_one_more() {
    for leaves in [254, 255, 256, 257, 509, 510] {
        let nodes = (0..leaves - 1).map(|node| Node {
            condition: Condition {
                feature: 0,
                test: Test::Less(f64::from(node)),
                missing: Missing::Nan {
                    left: node % 2 == 0,
                },
            },
            left: Child::Leaf(node),
            right: if node + 2 == leaves {
                Child::Leaf(node + 1)
            } else {
                Child::Node(node + 1)
            },
        });
        let shape = Shape::Branching {
            root: Child::Node(0),
            nodes: nodes.collect(),
        };
        let tree = Tree {
            shape,
            leaf_values: (0..leaves).map(f64::from).collect(),
            target: Target::Margin(0),
            linear: Vec::new(),
        };
        let frame = Frame {
            precision: Precision::Single,
            feature_count: 1,
            base: vec![0.0],
            scale: 1.0,
            bias: vec![],
        };
        let ensemble = Ensemble {
            frame,
            trees: vec![tree],
        };
        let rows: Vec<Vec<f64>> = (0..1_030)
            .map(|row| {
                vec![if row % 50 == 7 {
                    f64::NAN
                } else {
                    f64::from(row) / 2.0 - 1.0
                }]
            })
            .collect();
        let expected: Vec<u64> = rows
            .iter()
            .map(|row| u64::from((ensemble.score_row(row)[0] as f32).to_bits()))
            .collect();
        for kernel in KERNELS {
            let Some(forest) = Forest::with_kernel(ensemble.clone(), kernel).unwrap() else {
                continue;
            };
            assert_eq!(
                bits(
                    &forest
                        .margins(&block(
                            &rows,
                            &Recipe {
                                feature_count: 1,
                                ..RECIPE
                            }
                        ))
                        .unwrap()
                ),
                expected,
                "{kernel:?}, {leaves} leaves"
            );
        }
    }
}

#[test]
fn many_features_and_many_conditions_make_several_groups() {
    every_kernel_agrees(Recipe {
        feature_count: 900,
        tree_count: 150,
        max_leaves: 700,
        threshold_count: 3_000,
        row_count: 70,
        ..RECIPE
    });
}

#[test]
fn a_forest_without_features_is_its_constants() {
    let tree = Tree {
        shape: Shape::Branching {
            root: Child::Leaf(0),
            nodes: vec![],
        },
        leaf_values: vec![1.5],
        target: Target::Margin(0),
        linear: vec![],
    };
    let frame = Frame {
        precision: Precision::Double,
        feature_count: 1,
        base: vec![0.25],
        scale: 1.0,
        bias: vec![],
    };
    let ensemble = Ensemble {
        frame,
        trees: vec![tree],
    };
    for kernel in KERNELS {
        let Some(forest) = Forest::with_kernel(ensemble.clone(), kernel).unwrap() else {
            continue;
        };
        let block = FeatureBlock::Double(Columns::filled(3, 1, f64::NAN));
        assert_eq!(
            bits(&forest.margins(&block).unwrap()),
            [1.75_f64.to_bits(); 3]
        );
    }
}

#[test]
fn a_block_of_other_features_is_refused() {
    let ensemble = Maker {
        state: 1,
        recipe: RECIPE,
    }
    .ensemble();
    let forest = Forest::of(ensemble.clone()).unwrap();
    let block = FeatureBlock::Single(Columns::filled(2, 2, 0.0));
    assert!(forest.margins(&block).is_err());
    assert!(forest.leaves(&block).is_err());
}

/// A tree of so many leaves whose questions are all its own, or the same as every other tree's.
fn chain(leaves: u32, first_cut: u32) -> Tree {
    let nodes = (0..leaves - 1).map(|node| Node {
        condition: Condition {
            feature: 0,
            test: Test::Less(f64::from(first_cut + node)),
            missing: Missing::Nan { left: true },
        },
        left: Child::Leaf(node),
        right: if node + 2 == leaves {
            Child::Leaf(node + 1)
        } else {
            Child::Node(node + 1)
        },
    });
    let shape = Shape::Branching {
        root: Child::Node(0),
        nodes: nodes.collect(),
    };
    Tree {
        shape,
        leaf_values: (0..leaves).map(f64::from).collect(),
        target: Target::Margin(0),
        linear: Vec::new(),
    }
}

#[test]
fn groups_begin_and_end_wherever_trees_stop_sharing_and_nothing_changes() {
    let trees = (0..60)
        .map(|tree| chain(180, if tree % 20 < 10 { 0 } else { tree * 180 }))
        .collect();
    let ensemble = Ensemble {
        frame: Frame {
            precision: Precision::Single,
            feature_count: 1,
            base: vec![0.5],
            scale: 1.0,
            bias: vec![],
        },
        trees,
    };
    let forest = Forest::of(ensemble.clone()).unwrap();
    let rows: Vec<Vec<f64>> = (0..1_100)
        .map(|row| vec![f64::from(row) * 11.0 - 3.5])
        .collect();
    let expected: Vec<u64> = rows
        .iter()
        .map(|row| u64::from((ensemble.score_row(row)[0] as f32).to_bits()))
        .collect();
    let block = block(
        &rows,
        &Recipe {
            feature_count: 1,
            ..RECIPE
        },
    );
    assert_eq!(bits(&forest.margins(&block).unwrap()), expected);
    let leaves: Vec<u32> = rows
        .iter()
        .flat_map(|row| ensemble.trees.iter().map(|tree| tree.leaf(row) as u32))
        .collect();
    assert_eq!(forest.leaves(&block).unwrap(), leaves);
}

#[test]
fn trees_of_one_leaf_are_not_lost_before_trees_that_are_walked() {
    let constant = Tree {
        shape: Shape::Branching {
            root: Child::Leaf(0),
            nodes: vec![],
        },
        leaf_values: vec![0.25],
        target: Target::Margin(0),
        linear: vec![],
    };
    // One question for each of 60 columns: too dear to rank them all for one tree.
    let mut wide = chain(61, 0);
    let Shape::Branching { nodes, .. } = &mut wide.shape else {
        unreachable!("a chain branches")
    };
    nodes
        .iter_mut()
        .zip(0..)
        .for_each(|(node, feature)| node.condition.feature = feature);
    let frame = Frame {
        precision: Precision::Single,
        feature_count: 60,
        base: vec![0.0],
        scale: 1.0,
        bias: vec![],
    };
    let rows: Vec<Vec<f64>> = (0..600)
        .map(|row| {
            (0..60)
                .map(|feature| f64::from((row * 7 + feature * 13) % 100))
                .collect()
        })
        .collect();
    let block = block(
        &rows,
        &Recipe {
            feature_count: 60,
            ..RECIPE
        },
    );
    for trees in [
        vec![constant.clone(), wide.clone()],
        vec![wide.clone(), constant.clone(), wide.clone()],
        vec![constant.clone(), constant, wide],
    ] {
        let ensemble = Ensemble {
            frame: frame.clone(),
            trees,
        };
        let expected: Vec<u64> = rows
            .iter()
            .map(|row| u64::from((ensemble.score_row(row)[0] as f32).to_bits()))
            .collect();
        for instructions in [
            Instructions::Portable,
            Instructions::Avx2,
            Instructions::Avx512,
        ] {
            let forest = Forest::planned(
                &frame,
                ensemble.trees.iter().cloned().map(Ok),
                &Plan::of(instructions),
            )
            .unwrap();
            assert_eq!(
                bits(&forest.margins(&block).unwrap()),
                expected,
                "{instructions:?}"
            );
            assert_eq!(
                forest.leaves(&block).unwrap().len(),
                600 * ensemble.trees.len()
            );
        }
    }
}

#[test]
fn nothing_is_read_after_a_tree_that_is_broken() {
    let frame = Frame {
        precision: Precision::Single,
        feature_count: 1,
        base: vec![0.0],
        scale: 1.0,
        bias: vec![],
    };
    let mut read = 0;
    let trees = (0..1_000).map(|tree| {
        read = tree;
        if tree == 3 {
            Err(crate::error::Error::failed("broken"))
        } else {
            Ok(chain(3, 0))
        }
    });
    assert_eq!(
        Forest::new(&frame, trees).unwrap_err().to_string(),
        "broken"
    );
    assert_eq!(read, 3);
}

#[test]
fn what_a_tree_that_comes_later_is_missing_is_reported_as_of_that_tree() {
    let frame = Frame {
        precision: Precision::Double,
        feature_count: 1,
        base: vec![0.0],
        scale: 1.0,
        bias: vec![],
    };
    let mut trees: Vec<Tree> = (0..300).map(|_| chain(40, 0)).collect();
    trees[217].leaf_values.pop();
    let error = Forest::of(Ensemble {
        frame: frame.clone(),
        trees,
    })
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "leads to leaf 39 of 39 (tree 217, node 38)"
    );
    let trees = (0..300).map(|tree| {
        if tree < 150 {
            Ok(chain(40, 0))
        } else {
            Err(crate::error::Error::failed(format!("tree {tree} is gone")))
        }
    });
    assert_eq!(
        Forest::new(&frame, trees).unwrap_err().to_string(),
        "tree 150 is gone"
    );
    let wide = Frame {
        feature_count: 1 << 30,
        ..frame
    };
    assert!(
        Forest::new(&wide, [])
            .unwrap_err()
            .to_string()
            .starts_with("1073741824 features are more than")
    );
}

#[test]
fn a_node_that_is_never_reached_is_checked_all_the_same() {
    let mut tree = chain(3, 0);
    let Shape::Branching { nodes, .. } = &mut tree.shape else {
        unreachable!("a chain branches")
    };
    nodes.push(Node {
        condition: Condition {
            feature: 7,
            ..nodes[0].condition.clone()
        },
        left: Child::Leaf(0),
        right: Child::Leaf(1),
    });
    let frame = Frame {
        precision: Precision::Single,
        feature_count: 1,
        base: vec![0.0],
        scale: 1.0,
        bias: vec![],
    };
    let error = Forest::of(Ensemble {
        frame,
        trees: vec![tree; 20],
    })
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "splits on feature 7 of 1 (tree 0, node 2)"
    );
}
