//! Trees as bit logic: which masks are combined, and where the leaf of each outcome lies in a
//! table.
//!
//! Two ways to a leaf's number. **By choice**, for shallow trees: the tree is filled up to a
//! complete one, and from the bottom up each node chooses between the bits of its left and its
//! right subtree and puts its own answer on top. **By boundaries**, for any shape: let `T(j)` be
//! the rows whose leaf lies at position j or further right; a node whose subtree covers the
//! positions a..b and whose right child begins at m is one operation, `T(m) = T(b) | (T(a) &
//! !condition)`, and bit i of the Gray-coded position is the exclusive or of all `T(j)` whose j
//! ends in exactly i zeros. Knows nothing of how conditions are answered or masks combined.

use std::ops::Range;

use super::ensemble::{Child, Node, Shape, Target, Tree, Visit};
use super::lane_number::LaneNumber;
use super::processor::Processor;
use super::slice::NARROW_LEAVES;

/// The deepest tree that is filled up.
pub(super) const MAX_LEVELS: u32 = 8;

/// How a tree's leaf is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// A complete tree of so many levels, its conditions in [`Program::codes`] in preorder; left is
    /// 1.
    Choose(u32),
    /// All of so many conditions, bit i is the answer of condition i.
    All(u32),
    /// The boundaries between so many leaves, in [`Program::boundaries`].
    Boundaries(u32),
}

impl Method {
    /// The bits of a leaf's number.
    pub(super) fn planes(self) -> u32 {
        match self {
            Self::Choose(levels) | Self::All(levels) => levels,
            Self::Boundaries(leaves) => leaves.next_power_of_two().trailing_zeros(),
        }
    }
}

/// A node: `T(middle) = T(below) | (T(above) & !condition)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Boundary(u64);

impl Boundary {
    fn new(condition: u16, above: u16, below: u16, middle: u16) -> Self {
        Self(
            u64::from(condition)
                | u64::from(above) << 16
                | u64::from(below) << 32
                | u64::from(middle) << 48,
        )
    }

    /// The index of the condition's mask.
    #[inline(always)]
    pub(super) fn condition(self) -> u16 {
        self.0 as u16
    }

    /// The position of the subtree's first leaf.
    #[inline(always)]
    pub(super) fn above(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The position after the subtree's last leaf, less 1.
    #[inline(always)]
    pub(super) fn below(self) -> u16 {
        (self.0 >> 32) as u16
    }

    /// The position of the right child's first leaf.
    #[inline(always)]
    pub(super) fn middle(self) -> u16 {
        (self.0 >> 48) as u16
    }
}

/// One tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// How its leaf is found.
    pub(super) method: Method,
    /// Where its codes or boundaries begin.
    pub(super) start: usize,
    /// Where its leaf values begin.
    pub(super) table: usize,
    /// Where the leaves of its leaf numbers begin.
    pub(super) leaves: usize,
    /// Where the numbers of the values of its leaves begin, and the bits of such a number; none if
    /// the leaf's own number finds its value.
    pub(super) numbers: Option<(usize, u32)>,
    /// For [`Target::All`], where the next margin's leaf values begin, seen from this one's.
    pub(super) stride: usize,
    /// The most questions to a leaf.
    pub(super) depth: u32,
    /// What it adds to.
    pub(super) target: Target,
}

impl Step {
    /// The margins that it adds to, of so many.
    #[inline(always)]
    pub(super) fn margins(&self, count: usize) -> Range<usize> {
        match self.target {
            Target::Margin(margin) => margin as usize..margin as usize + 1,
            Target::All => 0..count,
        }
    }
}

/// Trees, one after the other.
#[derive(Debug)]
pub(super) struct Program<T> {
    /// What the tables are arranged for.
    pub(super) processor: Processor,
    pub(super) steps: Vec<Step>,
    /// Conditions of trees that are chosen or all asked.
    pub(super) codes: Vec<u16>,
    pub(super) boundaries: Vec<Boundary>,
    /// Leaf values in the order of the leaf numbers, or distinct ones in that of their own.
    pub(super) tables: Vec<T>,
    /// For each leaf number of a large tree the number of its value among distinct ones.
    pub(super) numbers: Vec<u8>,
    /// Leaves of the trees in the same order, as the trees number them.
    pub(super) leaves: Vec<u32>,
    /// The trees, those that are alike side by side.
    pub(super) alike: Vec<u32>,
}

impl<T: LaneNumber> Program<T> {
    /// No tree yet.
    pub(super) fn new(processor: Processor) -> Self {
        Self {
            processor,
            steps: Vec::new(),
            codes: Vec::new(),
            boundaries: Vec::new(),
            tables: Vec::new(),
            numbers: Vec::new(),
            leaves: Vec::new(),
            alike: Vec::new(),
        }
    }

    /// The trees so far; the next tree begins another program.
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.processor))
    }

    /// Adds a tree; `numbers` are those of its conditions, node after node.
    pub(super) fn push(
        &mut self,
        tree: &Tree,
        outline: &Outline,
        numbers: &[u32],
        margin_count: usize,
    ) {
        let (start, positions) = match &tree.shape {
            Shape::Symmetric(conditions) => self.push_symmetric(conditions.len(), numbers),
            Shape::Branching { root, nodes } => match levels(outline) {
                Some(levels) => self.push_levels(levels, *root, nodes, numbers),
                None => self.push_boundaries(outline, *root, nodes, numbers),
            },
        };
        let table = self.tables.len();
        let width = if tree.target == Target::All {
            margin_count
        } else {
            1
        };
        let numbers = self.push_tables(tree, width, &positions);
        let stride = (self.tables.len() - table) / width.max(1);
        let depth = outline.visit.depth;
        self.steps.push(Step {
            method: start.0,
            start: start.1,
            table,
            leaves: self.leaves.len(),
            numbers,
            stride,
            depth,
            target: tree.target,
        });
        self.leaves.extend(positions);
    }

    fn push_symmetric(&mut self, count: usize, numbers: &[u32]) -> ((Method, usize), Vec<u32>) {
        let start = self.codes.len();
        self.codes
            .extend(numbers.iter().map(|&number| number as u16));
        // A leaf's number counts the answers no.
        (
            (Method::All(count as u32), start),
            (0..1_u32 << count).rev().collect(),
        )
    }

    fn push_levels(
        &mut self,
        levels: u32,
        root: Child,
        nodes: &[Node],
        numbers: &[u32],
    ) -> ((Method, usize), Vec<u32>) {
        let start = self.codes.len();
        let mut leaves = vec![0; 1 << levels];
        self.push_level(
            levels,
            root,
            numbers.first().copied().unwrap_or(0),
            nodes,
            numbers,
            &mut leaves,
        );
        ((Method::Choose(levels), start), leaves)
    }

    /// The complete tree of so many levels below `child`; under a leaf any question will do, so its
    /// parent's is asked again.
    fn push_level(
        &mut self,
        levels: u32,
        child: Child,
        asked: u32,
        nodes: &[Node],
        numbers: &[u32],
        leaves: &mut [u32],
    ) {
        if levels == 0 {
            let Child::Leaf(leaf) = child else { return };
            leaves[0] = leaf;
            return;
        }
        let (number, left, right) = match child {
            Child::Leaf(_) => (asked, child, child),
            Child::Node(node) => (
                numbers[node as usize],
                nodes[node as usize].left,
                nodes[node as usize].right,
            ),
        };
        self.codes.push(number as u16);
        let (of_right, of_left) = leaves.split_at_mut(1 << (levels - 1));
        self.push_level(levels - 1, left, number, nodes, numbers, of_left);
        self.push_level(levels - 1, right, number, nodes, numbers, of_right);
    }

    fn push_boundaries(
        &mut self,
        outline: &Outline,
        root: Child,
        nodes: &[Node],
        numbers: &[u32],
    ) -> ((Method, usize), Vec<u32>) {
        let start = self.boundaries.len();
        let leaf_count = outline.count(root);
        let method = Method::Boundaries(leaf_count);
        let mut leaves = vec![0; 1 << method.planes()];
        let mut first = vec![0_u32; nodes.len()];
        let mut slot = |child: Child, position: u32, first: &mut [u32]| match child {
            Child::Leaf(leaf) => leaves[(position ^ position >> 1) as usize] = leaf,
            Child::Node(node) => first[node as usize] = position,
        };
        slot(root, 0, &mut first);
        for &index in &outline.visit.preorder {
            let node = &nodes[index as usize];
            let above = first[index as usize];
            let middle = above + outline.count(node.left);
            let below = middle + outline.count(node.right) - 1;
            slot(node.left, above, &mut first);
            slot(node.right, middle, &mut first);
            self.boundaries.push(Boundary::new(
                numbers[index as usize] as u16,
                above as u16,
                below as u16,
                middle as u16,
            ));
        }
        ((method, start), leaves)
    }

    /// The codes of a tree that is chosen or of which all is asked.
    #[inline(always)]
    pub(super) fn codes(&self, step: &Step) -> &[u16] {
        match step.method {
            Method::Choose(levels) => &self.codes[step.start..][..(1 << levels) - 1],
            Method::All(count) => &self.codes[step.start..][..count as usize],
            Method::Boundaries(_) => &[],
        }
    }

    /// The nodes of a tree between whose leaves there are boundaries.
    #[inline(always)]
    pub(super) fn nodes(&self, step: &Step) -> &[Boundary] {
        match step.method {
            Method::Boundaries(leaves) => &self.boundaries[step.start..][..leaves as usize - 1],
            Method::Choose(_) | Method::All(_) => &[],
        }
    }

    /// Replaces the numbers of conditions by the indices of their masks, and rounds the tables up.
    pub(super) fn finish(&mut self, indices: &[u16]) {
        for code in &mut self.codes {
            *code = indices[usize::from(*code)];
        }
        for boundary in &mut self.boundaries {
            let index = indices[usize::from(boundary.condition())];
            *boundary = Boundary(boundary.0 & !0xFFFF | u64::from(index));
        }
        // A table is read as an array of NARROW_LEAVES, of which only its own are looked up.
        self.tables
            .resize(self.tables.len() + NARROW_LEAVES, T::default());
        self.alike = (0..self.steps.len() as u32).collect();
        self.alike.sort_by_key(|&tree| {
            let step = &self.steps[tree as usize];
            match step.method {
                Method::All(count) => (0, count),
                Method::Choose(levels) => (1, levels),
                Method::Boundaries(_) => (2, step.depth),
            }
        });
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(self.steps.as_slice())
            + size_of_val(self.codes.as_slice())
            + size_of_val(self.boundaries.as_slice())
            + size_of_val(self.tables.as_slice())
            + size_of_val(self.numbers.as_slice())
            + size_of_val(self.leaves.as_slice())
            + size_of_val(self.alike.as_slice())
    }
}

/// What must be known of a branching tree before it is laid out; nothing of a symmetric one.
#[derive(Debug)]
pub(super) struct Outline {
    pub(super) visit: Visit,
    /// For each node the leaves below it.
    leaf_counts: Vec<u32>,
}

impl Outline {
    /// Of a tree that was visited.
    pub(super) fn new(tree: &Tree, visit: Visit) -> Self {
        let Shape::Branching { nodes, .. } = &tree.shape else {
            return Self {
                visit,
                leaf_counts: Vec::new(),
            };
        };
        let mut leaf_counts = vec![0; nodes.len()];
        for &index in visit.preorder.iter().rev() {
            let node = &nodes[index as usize];
            leaf_counts[index as usize] =
                count(&leaf_counts, node.left) + count(&leaf_counts, node.right);
        }
        Self { visit, leaf_counts }
    }

    /// What the tree's shape takes, in nodes.
    pub(super) fn weight(&self) -> usize {
        1 + self.leaf_counts.len()
    }

    /// The questions to a leaf, all leaves alike.
    pub(super) fn mean_depth(&self) -> f64 {
        self.visit.total_depth as f64 / self.visit.leaf_count.max(1) as f64
    }

    fn count(&self, child: Child) -> u32 {
        count(&self.leaf_counts, child)
    }
}

fn count(leaf_counts: &[u32], child: Child) -> u32 {
    match child {
        Child::Leaf(_) => 1,
        Child::Node(node) => leaf_counts[node as usize],
    }
}

/// How many levels a branching tree is filled up to; none if boundaries are cheaper.
pub(super) fn levels(outline: &Outline) -> Option<u32> {
    (outline.visit.depth <= MAX_LEVELS
        && (1 << outline.visit.depth) <= FILLING * (outline.visit.preorder.len() + 1))
        .then_some(outline.visit.depth)
}

/// How many times more nodes a tree may be filled up to: a node of a complete tree costs a third of
/// one between boundaries.
const FILLING: usize = 3;
