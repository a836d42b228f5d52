//! Rows that go alone: trees that go at the same time and trees that cannot, and how many rows are
//! few.

use super::cost_model::Plan;
use super::ensemble::{
    Child, Condition, Ensemble, Frame, Missing, Node, Shape, Target, Test, Tree,
};
use super::slice::SLICE;
use super::tests::{RECIPE, Recipe, every_kernel_agrees_on};
use super::{Forest, Kernel};
use crate::feature::Precision;
use crate::kernel::processor::Instructions;

const ALL: [Instructions; 3] = [
    Instructions::Portable,
    Instructions::Avx2,
    Instructions::Avx512,
];

/// The number of features of these trees.
const FEATURES: u32 = 5;

/// A question of one of seven hundred.
fn condition(number: u32) -> Condition {
    let threshold = f64::from(number * 37 % 139) / 7.0 - 3.0;
    Condition {
        feature: number % FEATURES,
        test: Test::Less(threshold),
        missing: Missing::Nan {
            left: number.is_multiple_of(3),
        },
    }
}

/// A tree of `width` values for each leaf, all different.
fn tree(shape: Shape, leaf_count: u32, seed: u32, width: u32) -> Tree {
    let target = if width == 1 {
        Target::Margin(seed % 3)
    } else {
        Target::All
    };
    let values = (0..leaf_count * width)
        .map(|leaf| f64::from(leaf * 8 + seed % 8) / 1_024.0)
        .collect();
    Tree {
        shape,
        leaf_values: values,
        target,
        linear: Vec::new(),
    }
}

fn complete(depth: u32, seed: u32, width: u32) -> Tree {
    let inner = (1 << depth) - 1;
    let child = |node: u32| {
        if node < inner {
            Child::Node(node)
        } else {
            Child::Leaf(node - inner)
        }
    };
    let nodes = (0..inner).map(|node| Node {
        condition: condition(node + seed),
        left: child(2 * node + 1),
        right: child(2 * node + 2),
    });
    tree(
        Shape::Branching {
            root: child(0),
            nodes: nodes.collect(),
        },
        inner + 1,
        seed,
        width,
    )
}

/// As deep as it has questions; left and right in turn.
fn winding(leaf_count: u32, seed: u32, width: u32) -> Tree {
    let nodes = (0..leaf_count - 1).map(|node| {
        let next = if node + 2 == leaf_count {
            Child::Leaf(node + 1)
        } else {
            Child::Node(node + 1)
        };
        let [left, right] = if (node + seed).is_multiple_of(2) {
            [next, Child::Leaf(node)]
        } else {
            [Child::Leaf(node), next]
        };
        Node {
            condition: condition(node + seed),
            left,
            right,
        }
    });
    tree(
        Shape::Branching {
            root: Child::Node(0),
            nodes: nodes.collect(),
        },
        leaf_count,
        seed,
        width,
    )
}

fn symmetric(count: u32, seed: u32, width: u32) -> Tree {
    tree(
        Shape::Symmetric(
            (0..count)
                .map(|number| condition(number * 5 + seed))
                .collect(),
        ),
        1 << count,
        seed,
        width,
    )
}

fn frame(precision: Precision) -> Frame {
    Frame {
        precision,
        feature_count: FEATURES as usize,
        base: vec![0.5, -1.0, 0.0],
        scale: 1.0,
        bias: Vec::new(),
    }
}

fn all_kernels_agree(trees: &[Tree]) {
    for precision in [Precision::Single, Precision::Double] {
        let recipe = Recipe {
            precision,
            feature_count: FEATURES as usize,
            margin_count: 3,
            row_count: 40,
            ..RECIPE
        };
        every_kernel_agrees_on(
            &Ensemble {
                frame: frame(precision),
                trees: trees.to_vec(),
            },
            recipe,
        );
    }
}

#[test]
fn trees_that_are_alike_go_together_and_others_alone() {
    let complete_ones: Vec<Tree> = (0..17).map(|seed| complete(5, seed, 1)).collect();
    let winding_ones: Vec<Tree> = (0..17)
        .map(|seed| winding(if seed == 9 { 300 } else { 20 + seed }, seed, 1))
        .collect();
    let symmetric_ones: Vec<Tree> = (0..9)
        .map(|seed| symmetric(if seed == 4 { 16 } else { seed }, seed, 1))
        .collect();
    all_kernels_agree(&complete_ones);
    all_kernels_agree(&winding_ones);
    all_kernels_agree(&symmetric_ones);
    let mixed = (0..17).flat_map(|index| {
        [
            &complete_ones[index],
            &winding_ones[index],
            &symmetric_ones[index / 2],
        ]
    });
    let depths = (0..30).map(|seed| complete(seed % 9, seed, 1));
    all_kernels_agree(&mixed.cloned().chain(depths).collect::<Vec<_>>());
}

#[test]
fn leaves_of_several_values_are_added_to_every_margin() {
    let trees = (0..12).flat_map(|seed| {
        [
            complete(4, seed, 3),
            winding(if seed < 6 { 30 } else { 400 }, seed, 3),
            symmetric(seed, seed, 3),
        ]
    });
    all_kernels_agree(&trees.collect::<Vec<_>>());
}

/// The tree with only so many distinct values in its leaves.
fn with_distinct(tree: Tree, count: usize) -> Tree {
    let values = 0..tree.leaf_values.len();
    Tree {
        leaf_values: values.map(|leaf| (leaf % count) as f64 / 3.0).collect(),
        ..tree
    }
}

#[test]
fn large_trees_of_few_distinct_values_give_the_bits_of_the_definition() {
    // Of 1 to 256 values a byte numbers them all; of 257 leaves have their own.
    for distinct in [1, 2, 65, 129, 256, 257] {
        for width in [1, 3] {
            let trees = (0..2).flat_map(|seed| {
                [
                    winding(600, seed, width),
                    complete(9, seed, width),
                    symmetric(9, seed, width),
                    complete(3, seed, width),
                ]
                .map(|tree| with_distinct(tree, distinct))
            });
            all_kernels_agree(&trees.collect::<Vec<_>>());
        }
    }
}

#[test]
fn the_kernel_that_is_asked_for_is_the_one_that_runs() {
    let trees: Vec<Tree> = (0..20).map(|seed| complete(6, seed, 1)).collect();
    for instructions in ALL {
        for (kernel, small_batch) in [
            (Kernel::SmallBatch(instructions), Some(SLICE)),
            (Kernel::Sliced(instructions), Some(0)),
            (Kernel::Walking, None),
        ] {
            let Some(forest) = Forest::with_kernel(
                Ensemble {
                    frame: frame(Precision::Single),
                    trees: trees.clone(),
                },
                kernel,
            )
            .unwrap() else {
                continue;
            };
            assert_eq!(forest.small_batch(), [small_batch], "{kernel:?}");
        }
    }
}

fn small_batch(trees: Vec<Tree>, instructions: Instructions) -> Vec<Option<usize>> {
    Forest::planned(
        &frame(Precision::Single),
        trees.into_iter().map(Ok),
        &Plan::of(instructions),
    )
    .unwrap()
    .small_batch()
}

#[test]
fn a_few_rows_go_alone_and_most_of_a_slice_together() {
    for (instructions, expected) in ALL.into_iter().zip([60..220, 15..60, 6..25]) {
        let of = |trees: Vec<Tree>| small_batch(trees, instructions)[0].unwrap();
        let [shallow, deep] =
            [5, 8].map(|depth| of((0..200).map(|seed| complete(depth, seed, 1)).collect()));
        assert!(
            expected.contains(&shallow) && expected.contains(&deep),
            "{instructions:?}: {shallow}, {deep}"
        );
        let long = of((0..200).map(|seed| winding(120, seed, 1)).collect());
        let bushy = of((0..200).map(|seed| complete(7, seed, 1)).collect());
        assert!(
            long < bushy,
            "{instructions:?}: 119 steps {long}, 7 steps {bushy}"
        );
    }
}

/// A complete tree that asks for categories only, of which the last one is above `largest`.
fn memberships(depth: u32, largest: u32) -> Tree {
    let mut tree = complete(depth, 0, 1);
    let Shape::Branching { nodes, .. } = &mut tree.shape else {
        unreachable!("a complete tree branches")
    };
    for (number, node) in (0..).zip(nodes) {
        node.condition.test = Test::In(vec![number, largest + number].into());
    }
    tree
}

#[test]
fn a_tree_that_a_group_refuses_does_not_count_among_its_own() {
    // A stump that asks for a category is worth no ranking of a column, the leaf before it is.
    let leaf = tree(
        Shape::Branching {
            root: Child::Leaf(0),
            nodes: Vec::new(),
        },
        1,
        0,
        1,
    );
    assert_eq!(
        small_batch(vec![leaf.clone(), memberships(1, 3)], Instructions::Avx2),
        [small_batch(vec![leaf], Instructions::Avx2)[0], None]
    );
    // 255 sets that are looked up row by row are dearer than walking; the trees before them are
    // not.
    let small: Vec<Tree> = (0..20).map(|seed| complete(3, seed, 1)).collect();
    let all: Vec<Tree> = small
        .iter()
        .cloned()
        .chain([memberships(8, 5_000)])
        .collect();
    for instructions in ALL {
        assert_eq!(
            small_batch(all.clone(), instructions)[0],
            small_batch(small.clone(), instructions)[0],
            "{instructions:?}"
        );
        assert!(
            small_batch(all.clone(), instructions).len() > 1,
            "{instructions:?}: nothing was refused"
        );
    }
}

#[test]
fn the_last_of_few_rows_and_the_first_of_many_agree() {
    let trees: Vec<Tree> = (0..60)
        .flat_map(|seed| [complete(6, seed, 1), winding(40, seed, 1)])
        .collect();
    let few = small_batch(trees.clone(), Instructions::Portable)[0].unwrap();
    for row_count in [few, few + 1, SLICE + few, SLICE + few + 1] {
        let recipe = Recipe {
            feature_count: FEATURES as usize,
            margin_count: 3,
            row_count,
            ..RECIPE
        };
        every_kernel_agrees_on(
            &Ensemble {
                frame: frame(Precision::Single),
                trees: trees.clone(),
            },
            recipe,
        );
    }
}
