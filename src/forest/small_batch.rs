//! Few rows through trees that are laid out for slicing: each row goes its own way, node after
//! node, from the root to a leaf.
//!
//! A slice costs nearly the same however few its rows. A row alone costs its answers to all
//! conditions, those of a column a run of bits, and a step for each level of each tree. Nothing is
//! laid out for it: nodes stand in preorder, so that the left child is the next one and the right
//! child stands behind the left subtree, whose size both layouts tell; leaf values are read as the
//! slice's look-up left them. The numbers of leaves are the slice's, and so are the order and the
//! precision of the additions.
//!
//! Microseconds for a row through 500 trees of depth 8 and of 255 leaves (`cargo bench --bench
//! forest -- few_rows`, November 2026): choices as branches, of which half are guessed wrongly, 27
//! and 27; without branches, one tree after the other, 14 and 16; eight trees at the same time
//! **9** and **16**. Those eight are alike: trees are visited in the order of their layout and
//! depth, so that none waits for a deeper one, and added in their own. With AVX-512 the bytes of
//! leaf values lie apart: 1 to 3 more.

use super::lane_number::{LaneNumber, Ranked};
use super::lanes::{Lanes, Task};
use super::leaf_lookup::ConditionBits;
use super::program::{Boundary, Method, Program, Step};
use super::slice::{NARROW_LEAVES, Rows, Slice};
use super::sliced::Group;

/// Trees whose ways are gone at the same time, to hide the latency of the loads.
const IN_FLIGHT: usize = 8;

/// Steps between two checks whether all have arrived.
const STEPS_PER_CHECK: usize = 4;

/// What a row that goes alone writes on.
#[derive(Debug, Default)]
pub(super) struct Notes {
    answers: ConditionBits,
    /// For each tree the number of the row's leaf.
    numbers: Vec<u16>,
}

impl<T: LaneNumber> Program<T> {
    /// Finds the numbers of the leaves that a row of these answers reaches.
    #[inline(always)]
    fn find(&self, Notes { answers, numbers }: &mut Notes) {
        numbers.resize(self.steps.len(), 0);
        let (eights, rest) = self.alike.as_chunks::<IN_FLIGHT>();
        for trees in eights {
            let found = self.together(trees.map(|tree| &self.steps[tree as usize]), answers);
            trees
                .iter()
                .zip(found)
                .for_each(|(&tree, number)| numbers[tree as usize] = number as u16);
        }
        for &tree in rest {
            numbers[tree as usize] = self.number(&self.steps[tree as usize], answers) as u16;
        }
    }

    /// The leaves' numbers in trees, which go at the same time if they are alike.
    #[inline(always)]
    fn together(&self, steps: [&Step; IN_FLIGHT], answers: &ConditionBits) -> [usize; IN_FLIGHT] {
        match (steps[0].method, steps[IN_FLIGHT - 1].method) {
            (Method::Choose(levels), Method::Choose(most)) if levels == most => {
                chosen(steps.map(|step| self.codes(step)), levels, answers)
            }
            (Method::Boundaries(_), Method::Boundaries(_)) => {
                between(steps.map(|step| self.nodes(step)), answers)
            }
            _ => steps.map(|step| self.number(step, answers)),
        }
    }

    /// The leaf's number in one tree.
    #[inline(always)]
    fn number(&self, step: &Step, answers: &ConditionBits) -> usize {
        let [number] = match step.method {
            Method::Choose(levels) => chosen([self.codes(step)], levels, answers),
            Method::All(_) => [self.codes(step).iter().rev().fold(0, |number, &code| {
                number << 1 | usize::from(answers.yes(code))
            })],
            Method::Boundaries(_) => between([self.nodes(step)], answers),
        };
        number
    }
}

/// The leaves' numbers in complete trees of so many levels, their codes in preorder.
#[inline(always)]
fn chosen<const COUNT: usize>(
    trees: [&[u16]; COUNT],
    levels: u32,
    answers: &ConditionBits,
) -> [usize; COUNT] {
    let (mut nodes, mut numbers) = ([0; COUNT], [0; COUNT]);
    for level in (0..levels).rev() {
        for ((node, number), codes) in nodes.iter_mut().zip(&mut numbers).zip(trees) {
            let left = usize::from(answers.yes(codes[*node]));
            *number = *number << 1 | left;
            // The left subtree has 2^level − 1 nodes; a choice that is a branch would be guessed
            // wrongly half the time.
            *node += 1 + (left.wrapping_sub(1) & ((1 << level) - 1));
        }
    }
    numbers
}

/// The leaves' numbers in trees of these nodes, in preorder.
#[inline(always)]
fn between<const COUNT: usize>(
    trees: [&[Boundary]; COUNT],
    answers: &ConditionBits,
) -> [usize; COUNT] {
    let mut ways = trees.map(|nodes| Way {
        node: 0,
        first: 0,
        last: nodes.len(),
    });
    while ways.iter().any(|way| way.first < way.last) {
        for _ in 0..STEPS_PER_CHECK {
            for (way, nodes) in ways.iter_mut().zip(trees) {
                way.step(nodes, answers);
            }
        }
    }
    ways.map(|way| way.first ^ way.first >> 1)
}

/// How far a row has come in a tree.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// The node that it is at, or the last one once it has arrived.
    node: usize,
    /// The positions of the first and the last leaf that it may still reach.
    first: usize,
    last: usize,
}

impl Way {
    /// The next step. Where a row has arrived, its last answer is asked for again, and leads
    /// nowhere else. There is a node: a tree of one leaf is a complete one of no level.
    #[inline(always)]
    fn step(&mut self, nodes: &[Boundary], answers: &ConditionBits) {
        let node = nodes[self.node];
        let (above, middle) = (usize::from(node.above()), usize::from(node.middle()));
        let left = usize::from(answers.yes(node.condition()));
        let (if_left, if_right) = (left.wrapping_neg(), left.wrapping_sub(1));
        self.first = self.first & if_left | middle & if_right;
        self.last = (middle - 1) & if_left | self.last & if_right;
        // The left subtree has middle − above leaves, and one node less.
        let way = 1 + ((middle - above - 1) & if_right);
        self.node += way & usize::from(self.first < self.last).wrapping_neg();
    }
}

/// Adds the group's trees for each of these rows to its sums.
pub(super) struct Addition<'a, T, V> {
    pub(super) group: &'a Group<T>,
    pub(super) rows: Rows<'a, V>,
    pub(super) sums: &'a mut [Slice<T>],
    pub(super) notes: &'a mut Notes,
}

impl<T: LaneNumber, V: Ranked<T>> Task for Addition<'_, T, V> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Group {
            conditions,
            program,
            ..
        } = self.group;
        let margin_count = self.sums.len();
        for row in 0..self.rows.count {
            conditions.answer_one(self.rows, row, &mut self.notes.answers);
            program.find(self.notes);
            for (step, &number) in program.steps.iter().zip(&self.notes.numbers) {
                let is_arranged =
                    step.numbers.is_some() || step.method.planes() <= NARROW_LEAVES.ilog2();
                let number = match step.numbers {
                    Some((start, _)) => usize::from(program.numbers[start + usize::from(number)]),
                    None => usize::from(number),
                };
                for (position, sums) in self.sums[step.margins(margin_count)].iter_mut().enumerate()
                {
                    let table =
                        &program.tables[step.table + position * step.stride..][..step.stride];
                    let value = if is_arranged {
                        T::leaf(lanes, table, number)
                    } else {
                        table[number]
                    };
                    sums.0[row] = sums.0[row] + value;
                }
            }
        }
    }
}

/// Calls `put` with each of these rows, each tree and the row's leaf.
pub(super) fn leaves<T: LaneNumber>(
    group: &Group<T>,
    rows: Rows<'_, T>,
    notes: &mut Notes,
    mut put: impl FnMut(usize, usize, u32),
) {
    for row in 0..rows.count {
        group.conditions.answer_one(rows, row, &mut notes.answers);
        group.program.find(notes);
        for (tree, (step, &number)) in group.program.steps.iter().zip(&notes.numbers).enumerate() {
            put(
                row,
                tree,
                group.program.leaves[step.leaves + usize::from(number)],
            );
        }
    }
}
