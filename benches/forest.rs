//! How many rows × trees a second does each forest kernel score, on one core, rows in memory?
//!
//! `cargo bench --bench forest`. The ensembles are random, of the shapes that users train:
//! complete trees of depth 6 and 8 in single precision (XGBoost), 255 leaves in double
//! precision (LightGBM), symmetric trees (CatBoost), deep trees of thousands of nodes that share no
//! thresholds (random forests), and blocks of few rows. The estimates in `forest/choice.rs` come
//! from here.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use tallow::feature::{Columns, FeatureBlock, Precision};
use tallow::forest::{
    Child, Condition, Ensemble, Forest, Frame, Kernel, Missing, Node, Shape, Target, Test, Tree,
};
use tallow::kernel::processor::Instructions;
use tallow::model::{NumericModel, Scores, Wants};

const FEATURES: usize = 28;
const ROWS: usize = 4_096;
const KERNELS: [Kernel; 4] = [
    Kernel::Walking,
    Kernel::Sliced(Instructions::Portable),
    Kernel::Sliced(Instructions::Avx2),
    Kernel::Sliced(Instructions::Avx512),
];

fn main() {
    divan::main();
}

/// A small generator of the same numbers on every machine (splitmix64), and what is made of them.
struct Maker {
    state: u64,
    /// Thresholds of a feature to choose from.
    grid: f64,
    /// Categories of a feature, if conditions ask for them.
    categories: u32,
    precision: Precision,
}

impl Maker {
    fn number(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 40) as f64 / (1_u64 << 24) as f64
    }

    fn condition(&mut self) -> Condition {
        let threshold = (self.number() * self.grid).floor() / self.grid;
        let test = if self.precision == Precision::Single {
            Test::Less(threshold)
        } else {
            Test::LessOrEqual(threshold)
        };
        Condition {
            feature: (self.number() * FEATURES as f64) as u32,
            test,
            missing: Missing::Nan {
                left: self.number() < 0.5,
            },
        }
    }

    /// A set of a third of a feature's categories.
    fn membership(&mut self, categories: u32) -> Condition {
        self.categories = categories;
        let categories = (0..categories).filter(|_| self.number() < 0.3).collect();
        Condition {
            test: Test::In(categories),
            ..self.condition()
        }
    }

    fn tree(&mut self, shape: Shape, leaf_count: usize) -> Tree {
        Tree {
            shape,
            leaf_values: (0..leaf_count).map(|_| self.number()).collect(),
            target: Target::Margin(0),
            linear: Vec::new(),
        }
    }

    /// Node i has the children 2i + 1 and 2i + 2.
    fn complete(&mut self, depth: u32) -> Tree {
        let inner = (1_u32 << depth) - 1;
        let child = |node: u32| {
            if node < inner {
                Child::Node(node)
            } else {
                Child::Leaf(node - inner)
            }
        };
        let nodes = (0..inner)
            .map(|node| Node {
                condition: self.condition(),
                left: child(2 * node + 1),
                right: child(2 * node + 2),
            })
            .collect();
        self.tree(
            Shape::Branching {
                root: Child::Node(0),
                nodes,
            },
            inner as usize + 1,
        )
    }

    /// Random leaves are split until there are enough, as leaf-wise growing does: some twice as
    /// deep as a complete tree's.
    fn grown(
        &mut self,
        leaf_count: usize,
        mut condition: impl FnMut(&mut Self) -> Condition,
    ) -> Tree {
        let mut nodes: Vec<Node> = Vec::new();
        let mut leaves: Vec<Option<(usize, bool)>> = vec![None];
        while leaves.len() < leaf_count {
            let position = (self.number() * leaves.len() as f64) as usize;
            let parent = leaves.swap_remove(position);
            let index = nodes.len();
            attach(&mut nodes, parent, Child::Node(index as u32));
            leaves.extend([Some((index, true)), Some((index, false))]);
            nodes.push(Node {
                condition: condition(self),
                left: Child::Leaf(0),
                right: Child::Leaf(0),
            });
        }
        leaves
            .into_iter()
            .enumerate()
            .for_each(|(leaf, parent)| attach(&mut nodes, parent, Child::Leaf(leaf as u32)));
        self.tree(
            Shape::Branching {
                root: Child::Node(0),
                nodes,
            },
            leaf_count,
        )
    }

    fn symmetric(&mut self, depth: usize) -> Tree {
        let conditions = (0..depth).map(|_| self.condition()).collect();
        self.tree(Shape::Symmetric(conditions), 1 << depth)
    }

    fn block(&mut self, rows: usize) -> FeatureBlock {
        let precision = self.precision;
        // Some categories are known to no condition.
        let categories = f64::from(self.categories) * 1.1;
        let mut value = || match (self.number(), self.number()) {
            (missing, _) if missing < 0.02 => f64::NAN,
            (_, number) if categories > 0.0 => (number * categories).floor(),
            (_, number) => number,
        };
        match precision {
            Precision::Single => {
                let mut columns = Columns::filled(rows, FEATURES, 0.0_f32);
                (0..FEATURES)
                    .for_each(|feature| columns.column_mut(feature).fill_with(|| value() as f32));
                FeatureBlock::Single(columns)
            }
            Precision::Double => {
                let mut columns = Columns::filled(rows, FEATURES, 0.0);
                (0..FEATURES).for_each(|feature| columns.column_mut(feature).fill_with(&mut value));
                FeatureBlock::Double(columns)
            }
        }
    }
}

fn attach(nodes: &mut [Node], parent: Option<(usize, bool)>, child: Child) {
    match parent {
        Some((node, true)) => nodes[node].left = child,
        Some((node, false)) => nodes[node].right = child,
        None => {}
    }
}

fn score(
    bencher: Bencher,
    kernel: Option<Kernel>,
    precision: Precision,
    grid: f64,
    rows: usize,
    tree_count: usize,
    tree: impl Fn(&mut Maker) -> Tree,
) {
    let mut maker = Maker {
        state: 7,
        grid,
        categories: 0,
        precision,
    };
    let trees: Vec<Tree> = (0..tree_count).map(|_| tree(&mut maker)).collect();
    let margin_count = trees
        .iter()
        .map(|tree| if tree.target == Target::All { 8 } else { 1 })
        .max()
        .unwrap_or(1);
    let frame = Frame {
        precision,
        feature_count: FEATURES,
        base: vec![0.0; margin_count],
        scale: 1.0,
        bias: Vec::new(),
    };
    let ensemble = Ensemble { frame, trees };
    let forest = match kernel {
        Some(kernel) => Forest::with_kernel(ensemble, kernel).expect("a well-formed ensemble"),
        None => Some(Forest::of(ensemble).expect("a well-formed ensemble")),
    };
    let Some(forest) = forest else { return };
    // Rows that always come again would be learnt by the branch predictor.
    let blocks: Vec<FeatureBlock> = (0..(ROWS / rows).min(64))
        .map(|_| maker.block(rows))
        .collect();
    let mut blocks = blocks.iter().cycle();
    let (mut worker, mut scores) = (forest.worker(), Scores::empty(precision));
    bencher
        .counter(ItemsCount::new(rows * tree_count))
        .bench_local(|| {
            let block = blocks.next().expect("a cycle of at least one block");
            worker
                .score(black_box(block), &Wants::default(), &mut scores)
                .expect("a block of the forest's shape");
        });
}

#[divan::bench(args = KERNELS)]
fn depth_6(bencher: Bencher, kernel: Kernel) {
    score(
        bencher,
        Some(kernel),
        Precision::Single,
        255.0,
        ROWS,
        500,
        |maker| maker.complete(6),
    );
}

#[divan::bench(args = KERNELS)]
fn depth_8(bencher: Bencher, kernel: Kernel) {
    score(
        bencher,
        Some(kernel),
        Precision::Single,
        255.0,
        ROWS,
        500,
        |maker| maker.complete(8),
    );
}

#[divan::bench(args = KERNELS)]
fn leaves_255(bencher: Bencher, kernel: Kernel) {
    score(
        bencher,
        Some(kernel),
        Precision::Double,
        254.0,
        ROWS,
        500,
        |maker| maker.grown(255, Maker::condition),
    );
}

#[divan::bench(args = KERNELS)]
fn symmetric_6(bencher: Bencher, kernel: Kernel) {
    score(
        bencher,
        Some(kernel),
        Precision::Double,
        254.0,
        ROWS,
        500,
        |maker| maker.symmetric(6),
    );
}

#[divan::bench(args = KERNELS, consts = [500, 1_000, 2_000, 4_000, 8_000])]
fn leaves_of_a_random_forest<const LEAVES: usize>(bencher: Bencher, kernel: Kernel) {
    score(
        bencher,
        Some(kernel),
        Precision::Single,
        1e9,
        ROWS,
        50,
        |maker| maker.grown(LEAVES, Maker::condition),
    );
}

/// The ways of few rows: through trees laid out for walking, in a slice, each alone through what is
/// laid out for slices, and as the estimate says.
const WAYS: [Option<Kernel>; 8] = [
    Some(Kernel::Walking),
    Some(Kernel::Sliced(Instructions::Avx512)),
    Some(Kernel::Sliced(Instructions::Avx2)),
    Some(Kernel::Sliced(Instructions::Portable)),
    Some(Kernel::SmallBatch(Instructions::Avx512)),
    Some(Kernel::SmallBatch(Instructions::Avx2)),
    Some(Kernel::SmallBatch(Instructions::Portable)),
    None,
];

fn ways(rows: &[usize]) -> impl Iterator<Item = Way> {
    rows.iter()
        .flat_map(|&rows| WAYS.map(|kernel| Way { kernel, rows }))
}

#[derive(Debug)]
struct Way {
    kernel: Option<Kernel>,
    rows: usize,
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kernel {
            Some(kernel) => write!(f, "{} rows, {kernel:?}", self.rows),
            None => write!(f, "{} rows, chosen", self.rows),
        }
    }
}

#[divan::bench(args = ways(&[1, 16, 64]))]
fn small_batch_depth_8(bencher: Bencher, way: &Way) {
    score(
        bencher,
        way.kernel,
        Precision::Single,
        255.0,
        way.rows,
        500,
        |maker| maker.complete(8),
    );
}

#[divan::bench(args = ways(&[1, 16, 64]))]
fn small_batch_leaves_255(bencher: Bencher, way: &Way) {
    score(
        bencher,
        way.kernel,
        Precision::Double,
        254.0,
        way.rows,
        500,
        |maker| maker.grown(255, Maker::condition),
    );
}

#[divan::bench(args = ways(&[1, 16, 64]))]
fn small_batch_symmetric_6(bencher: Bencher, way: &Way) {
    score(
        bencher,
        way.kernel,
        Precision::Double,
        254.0,
        way.rows,
        500,
        |maker| maker.symmetric(6),
    );
}

#[divan::bench(args = ways(&[1, 16, 64]))]
fn small_batch_of_a_random_forest(bencher: Bencher, way: &Way) {
    score(
        bencher,
        way.kernel,
        Precision::Single,
        1e9,
        way.rows,
        50,
        |maker| maker.grown(1_000, Maker::condition),
    );
}

#[divan::bench(args = ways(&[1, 16, 64]))]
fn small_batch_of_categories(bencher: Bencher, way: &Way) {
    score(
        bencher,
        way.kernel,
        Precision::Double,
        254.0,
        way.rows,
        300,
        |maker| maker.grown(31, |maker| maker.membership(200)),
    );
}

#[divan::bench(args = ways(&[1, 16, 64]))]
fn small_batch_of_many_categories(bencher: Bencher, way: &Way) {
    score(
        bencher,
        way.kernel,
        Precision::Double,
        254.0,
        way.rows,
        50,
        |maker| maker.grown(31, |maker| maker.membership(2_000)),
    );
}

/// Trees of all depths, as pruning leaves them.
#[divan::bench(args = ways(&[1, 16, 64]))]
fn small_batch_of_mixed_depths(bencher: Bencher, way: &Way) {
    score(
        bencher,
        way.kernel,
        Precision::Single,
        255.0,
        way.rows,
        500,
        |maker| {
            let depth = 3 + (maker.number() * 6.0) as u32;
            if maker.number() < 0.5 {
                maker.complete(depth)
            } else {
                maker.grown(1 << depth, Maker::condition)
            }
        },
    );
}

/// Large trees that share their conditions.
#[divan::bench(args = ways(&[1, 16, 64, 256]))]
fn small_batch_of_large_trees(bencher: Bencher, way: &Way) {
    score(
        bencher,
        way.kernel,
        Precision::Double,
        254.0,
        way.rows,
        50,
        |maker| maker.grown(4_000, Maker::condition),
    );
}

#[divan::bench(args = ways(&[1, 16, 64]))]
fn small_batch_of_eight_margins(bencher: Bencher, way: &Way) {
    score(
        bencher,
        way.kernel,
        Precision::Double,
        254.0,
        way.rows,
        200,
        |maker| {
            let tree = maker.complete(6);
            Tree {
                leaf_values: (0..64 * 8).map(|_| maker.number()).collect(),
                target: Target::All,
                ..tree
            }
        },
    );
}
