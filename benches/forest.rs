//! How many rows a second does the forest kernel score, on one core, rows in memory?
//!
//! `cargo bench --bench forest`. The ensembles are random, of the shapes that people train: complete trees of depth 6 and 8.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use tallow::feature::{Columns, FeatureBlock, Precision};
use tallow::model::forest::{Child, Condition, Ensemble, Forest, Missing, Node, Shape, Target, Test, Tree};
use tallow::model::{Margins, Model};

const FEATURES: usize = 28;
const ROWS: usize = 4_032;
const TREES: usize = 100;

fn main() {
    divan::main();
}

/// A small generator of the same numbers on every machine (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 40) as f64 / (1_u64 << 24) as f64
    }
}

/// A complete tree: node i has the children 2i + 1 and 2i + 2.
fn tree(depth: u32, numbers: &mut Numbers) -> Tree {
    let inner = (1_u32 << depth) - 1;
    let child = |node: u32| if node < inner { Child::Node(node) } else { Child::Leaf(node - inner) };
    let nodes = (0..inner).map(|node| {
        let test = Test::Less(f64::from(numbers.next() as f32));
        let condition = Condition { feature: (numbers.next() * FEATURES as f64) as u32, test, missing: Missing::Nan { left: numbers.next() < 0.5 } };
        Node { condition, left: child(2 * node + 1), right: child(2 * node + 2) }
    });
    let shape = Shape::Branching { root: Child::Node(0), nodes: nodes.collect() };
    Tree { shape, leaf_values: (0..=inner).map(|_| f64::from(numbers.next() as f32)).collect(), target: Target::Margin(0), linear: Vec::new() }
}

#[divan::bench(args = [6, 8])]
fn complete_trees(bencher: Bencher, depth: u32) {
    let mut numbers = Numbers(7);
    let trees = (0..TREES).map(|_| tree(depth, &mut numbers)).collect();
    let ensemble = Ensemble { precision: Precision::Single, feature_count: FEATURES, base: vec![0.0], scale: 1.0, bias: Vec::new(), trees };
    let forest = Forest::new(&ensemble).expect("a well-formed ensemble");
    let mut columns = Columns::filled(ROWS, FEATURES, 0.0_f32);
    for feature in 0..FEATURES {
        columns.column_mut(feature).fill_with(|| numbers.next() as f32);
    }
    let block = FeatureBlock::Single(columns);
    let (mut scratch, mut margins) = (forest.scratch(), Margins::empty(Precision::Single));
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        forest.score(black_box(&block), &mut scratch, &mut margins).expect("a block of the forest's shape");
    });
}
