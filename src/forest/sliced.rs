//! The bit-sliced kernel: a group of trees, all rows of a slice at once, unless they are few: those
//! go alone ([`small_batch`]).
//!
//! For 512 rows it answers every distinct condition of the group as a mask, then runs each tree as
//! bit logic on masks, turns the bits of the leaf numbers into bytes, looks the leaf values up and
//! adds them, tree after tree, in the ensemble's order and precision. No step branches on a row's
//! values.

use super::collector::Collector;
use super::conditions::{Bins, Conditions};
use super::cost_model::{Counts, MAX_CONDITIONS};
use super::ensemble::{Shape, Tree};
use super::lane_number::{LaneNumber, Ranked};
use super::lanes::{Lanes, Task};
use super::processor::Processor;
use super::program::{Boundary, Method, Outline, Program};
use super::slice::{Mask, Masks, NARROW_LEAVES, Rows, SLICE, Slice};
use super::small_batch::{self, Notes};

/// Nodes in a line of the cache.
const NODES_IN_LINE: usize = 8;

/// So many lines before it is read, a line of nodes is fetched.
const NODE_LINES_AHEAD: usize = 8;

/// So many lines of nodes before they are read, masks are fetched.
const MASK_LINES_AHEAD: usize = 2;

/// Trees and the distinct conditions that they ask.
#[derive(Debug)]
pub(super) struct Group<T> {
    pub(super) conditions: Conditions<T>,
    pub(super) program: Program<T>,
    /// So many rows of a slice, or fewer, are cheaper one by one.
    small_batch: usize,
}

/// Trees are added while their conditions fit.
#[derive(Debug)]
pub(super) struct Builder<T: LaneNumber> {
    collector: Collector<T>,
    program: Program<T>,
    margin_count: usize,
}

impl<T: LaneNumber> Builder<T> {
    /// No tree yet.
    pub(super) fn new(margin_count: usize, processor: Processor) -> Self {
        Self {
            collector: Collector::default(),
            program: Program::new(processor),
            margin_count,
        }
    }

    /// Adds a tree, or says no if the group is full or `judge` does of what it would ask; an empty
    /// group takes any tree.
    pub(super) fn push(
        &mut self,
        tree: &Tree,
        outline: &Outline,
        judge: impl FnOnce(Counts) -> bool,
    ) -> bool {
        let before = self.collector.len();
        let numbers: Vec<u32> = match &tree.shape {
            Shape::Branching { nodes, .. } => nodes
                .iter()
                .map(|node| self.collector.number(&node.condition))
                .collect(),
            Shape::Symmetric(conditions) => conditions
                .iter()
                .map(|condition| self.collector.number(condition))
                .collect(),
        };
        let is_welcome = judge(self.collector.counts()) && self.collector.len() <= MAX_CONDITIONS;
        // Trees that are one leaf ask nothing: what is empty is reported by trees, not by
        // conditions.
        if !self.program.steps.is_empty() && !is_welcome {
            self.collector.truncate(before);
            return false;
        }
        self.program
            .push(tree, outline, &numbers, self.margin_count);
        true
    }

    /// The group of the trees so far, of which so many rows are few; the next tree begins another.
    pub(super) fn finish(&mut self, small_batch: usize) -> Group<T> {
        let (conditions, indices) = Conditions::of(&self.collector);
        let mut program = self.program.take();
        program.finish(&indices);
        self.collector.clear();
        Group {
            conditions,
            program,
            small_batch,
        }
    }

    /// Forgets the trees so far.
    pub(super) fn clear(&mut self) {
        self.program.take();
        self.collector.clear();
    }
}

/// What the kernel writes on.
#[derive(Debug)]
pub(super) struct Workspace {
    bins: Bins,
    masks: Box<Masks>,
    slots: Slots,
    notes: Notes,
}

/// `T(j)` of the tree that is being run.
#[derive(Debug)]
struct Slots {
    /// Of trees of at most [`NARROW_LEAVES`] leaves, and eight more that are empty.
    narrow: Box<NarrowSlots>,
    /// Of larger ones.
    wide: Vec<Mask>,
}

type NarrowSlots = [Mask; NARROW_LEAVES + 8];

impl Default for Workspace {
    fn default() -> Self {
        Self {
            bins: Bins::default(),
            masks: empty(),
            slots: Slots {
                narrow: empty(),
                wide: Vec::new(),
            },
            notes: Notes::default(),
        }
    }
}

/// Masks without a row, on the heap, in memory that is not touched before it is used.
#[expect(unsafe_code, reason = "memory that comes zeroed is given as it is")]
#[expect(
    clippy::unnecessary_box_returns,
    reason = "up to 4 MiB, which no stack should hold"
)]
fn empty<const COUNT: usize>() -> Box<[Mask; COUNT]> {
    // SAFETY: masks are numbers, for which all bits zero is a value.
    unsafe { Box::new_zeroed().assume_init() }
}

impl<T: LaneNumber> Group<T> {
    /// The number of trees.
    pub(super) fn tree_count(&self) -> usize {
        self.program.steps.len()
    }

    /// So many rows, or fewer, go alone.
    #[cfg(test)]
    pub(super) fn small_batch(&self) -> usize {
        self.small_batch
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.conditions.memory_bytes() + self.program.memory_bytes()
    }

    /// Adds the group's trees for these rows, at most [`SLICE`], to `sums`: a slice for each
    /// margin.
    pub(super) fn add<V: Ranked<T>>(
        &self,
        rows: Rows<'_, V>,
        sums: &mut [Slice<T>],
        processor: Processor,
        workspace: &mut Workspace,
    ) {
        if rows.count <= self.small_batch {
            processor.run(small_batch::Addition {
                group: self,
                rows,
                sums,
                notes: &mut workspace.notes,
            });
        } else {
            processor.run(Addition {
                group: self,
                rows,
                sums,
                workspace,
            });
        }
    }

    /// Calls `put` with each of these rows, at most [`SLICE`] and counted from the first, each
    /// tree, counted likewise, and the row's leaf; gives the number of trees.
    pub(super) fn leaves(
        &self,
        rows: Rows<'_, T>,
        processor: Processor,
        workspace: &mut Workspace,
        put: impl FnMut(usize, usize, u32),
    ) -> usize {
        if rows.count <= self.small_batch {
            small_batch::leaves(self, rows, &mut workspace.notes, put);
        } else {
            processor.run(Finding {
                group: self,
                rows,
                workspace,
                put,
            });
        }
        self.tree_count()
    }
}

struct Addition<'a, T, V> {
    group: &'a Group<T>,
    rows: Rows<'a, V>,
    sums: &'a mut [Slice<T>],
    workspace: &'a mut Workspace,
}

impl<T: LaneNumber, V: Ranked<T>> Task for Addition<'_, T, V> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Workspace {
            bins, masks, slots, ..
        } = self.workspace;
        let Group {
            conditions,
            program,
            ..
        } = self.group;
        conditions.answer(lanes, self.rows, bins, masks.as_mut_slice());
        let mut planes = [Mask::default(); 16];
        let mut low = Slice::default();
        for step in &program.steps {
            lanes.vectorised(Numbering {
                method: step.method,
                codes: program.codes(step),
                nodes: program.nodes(step),
                masks,
                slots,
                planes: &mut planes,
            });
            lanes.bytes(planes.first_chunk().expect("16 planes"), &mut low);
            let size = 1 << step.method.planes();
            let range = step.margins(self.sums.len());
            if size <= NARROW_LEAVES {
                for (position, sums) in self.sums[range].iter_mut().enumerate() {
                    let table = program.tables[step.table + position * step.stride..]
                        .first_chunk()
                        .expect("tables are rounded up");
                    T::add_leaves(lanes, &low, step.method.planes(), table, sums);
                }
            } else {
                let mut high = Slice::default();
                lanes.bytes(planes.last_chunk().expect("16 planes"), &mut high);
                if let Some((start, bits)) = step.numbers {
                    number_values(&mut low, &high, &program.numbers[start..][..size]);
                    for (position, sums) in self.sums[range].iter_mut().enumerate() {
                        let table = program.tables[step.table + position * step.stride..]
                            .first_chunk()
                            .expect("tables are rounded up");
                        T::add_leaves(lanes, &low, bits, table, sums);
                    }
                    continue;
                }
                for (position, sums) in self.sums[range].iter_mut().enumerate() {
                    add_wide(
                        &low,
                        &high,
                        &program.tables[step.table + position * step.stride..][..size],
                        sums,
                    );
                }
            }
        }
    }
}

struct Finding<'a, T, P> {
    group: &'a Group<T>,
    rows: Rows<'a, T>,
    workspace: &'a mut Workspace,
    put: P,
}

impl<T: LaneNumber, P: FnMut(usize, usize, u32)> Task for Finding<'_, T, P> {
    #[inline(always)]
    fn run<L: Lanes>(mut self, lanes: L) {
        let Workspace {
            bins, masks, slots, ..
        } = self.workspace;
        let Group {
            conditions,
            program,
            ..
        } = self.group;
        conditions.answer(lanes, self.rows, bins, masks.as_mut_slice());
        let mut planes = [Mask::default(); 16];
        for (tree, step) in program.steps.iter().enumerate() {
            lanes.vectorised(Numbering {
                method: step.method,
                codes: program.codes(step),
                nodes: program.nodes(step),
                masks,
                slots,
                planes: &mut planes,
            });
            for row in 0..self.rows.count {
                let bit = |plane: &Mask| (plane.0[row / 64] >> (row % 64) & 1) as usize;
                let number = planes
                    .iter()
                    .rev()
                    .fold(0, |number, plane| number << 1 | bit(plane));
                (self.put)(row, tree, program.leaves[step.leaves + number]);
            }
        }
    }
}

/// Leaf numbers of more than a byte to the numbers of their values, into the lower byte.
#[inline(always)]
fn number_values(low: &mut Slice<u8>, high: &Slice<u8>, numbers: &[u8]) {
    for (low, high) in low.0.iter_mut().zip(&high.0) {
        *low = numbers[usize::from(*low) | usize::from(*high) << 8];
    }
}

/// Leaf numbers of more than a byte.
#[inline(always)]
fn add_wide<T: LaneNumber>(low: &Slice<u8>, high: &Slice<u8>, values: &[T], sums: &mut Slice<T>) {
    for row in 0..SLICE {
        sums.0[row] = sums.0[row] + values[usize::from(low.0[row]) | usize::from(high.0[row]) << 8];
    }
}

/// The bits of each row's leaf number. A task of its own: it is the same for both precisions, and
/// most of what the compiler has to do here.
struct Numbering<'a> {
    method: Method,
    codes: &'a [u16],
    nodes: &'a [Boundary],
    masks: &'a Masks,
    slots: &'a mut Slots,
    planes: &'a mut [Mask; 16],
}

impl Task for Numbering<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        number(lanes, self);
    }
}

#[inline(always)]
fn number<L: Lanes>(
    lanes: L,
    Numbering {
        method,
        codes,
        nodes,
        masks,
        slots,
        planes,
    }: Numbering,
) {
    planes[method.planes() as usize..].fill(Mask::default());
    match method {
        Method::Choose(levels) => {
            for part in 0..L::PARTS {
                choose(lanes, levels, codes, masks, part, planes);
            }
        }
        Method::All(_) => {
            for (plane, &code) in planes.iter_mut().zip(codes) {
                *plane = masks[usize::from(code)];
            }
        }
        Method::Boundaries(leaves) => {
            let leaves = leaves as usize;
            if leaves <= NARROW_LEAVES {
                prepare(leaves, slots.narrow.as_mut_slice());
                cut(lanes, nodes, masks, &mut slots.narrow);
                for part in 0..L::PARTS {
                    gray(
                        lanes,
                        &slots.narrow[..leaves.next_multiple_of(8)],
                        part,
                        planes,
                    );
                }
            } else {
                slots
                    .wide
                    .resize(slots.wide.len().max(leaves + 8), Mask::default());
                prepare(leaves, &mut slots.wide);
                cut_wide(lanes, nodes, masks, &mut slots.wide);
                for part in 0..L::PARTS {
                    gray(
                        lanes,
                        &slots.wide[..leaves.next_multiple_of(8)],
                        part,
                        planes,
                    );
                }
            }
        }
    }
}

/// All rows lie at the first leaf or further right, none behind the last.
#[inline(always)]
fn prepare(leaves: usize, slots: &mut [Mask]) {
    slots[0] = Mask([u64::MAX; 8]);
    slots[leaves..leaves + 8].fill(Mask::default());
}

/// `T(j)` for every j of a tree of at most [`NARROW_LEAVES`] leaves.
#[inline(always)]
fn cut<L: Lanes>(lanes: L, nodes: &[Boundary], masks: &Masks, slots: &mut NarrowSlots) {
    let (lines, rest) = nodes.as_chunks::<NODES_IN_LINE>();
    for (index, line) in lines.iter().enumerate() {
        fetch_ahead(lanes, lines, index, masks);
        for node in line {
            cut_at(lanes, *node, masks, slots);
        }
    }
    for node in rest {
        cut_at(lanes, *node, masks, slots);
    }
}

#[inline(always)]
fn cut_at<L: Lanes>(lanes: L, node: Boundary, masks: &Masks, slots: &mut NarrowSlots) {
    let (above, below, middle) = (node.above() as u8, node.below() as u8, node.middle() as u8);
    for part in 0..L::PARTS {
        let low = lanes.load(&slots[usize::from(below) + 1], part);
        let high = lanes.load(&slots[usize::from(above)], part);
        let condition = lanes.load(&masks[usize::from(node.condition())], part);
        let rows = lanes.split(low, high, condition);
        lanes.store(rows, &mut slots[usize::from(middle)], part);
    }
}

/// `T(j)` for every j.
#[inline(always)]
fn cut_wide<L: Lanes>(lanes: L, nodes: &[Boundary], masks: &Masks, slots: &mut [Mask]) {
    let (lines, rest) = nodes.as_chunks::<NODES_IN_LINE>();
    for (index, line) in lines.iter().enumerate() {
        fetch_ahead(lanes, lines, index, masks);
        for node in line {
            cut_wide_at(lanes, *node, masks, slots);
        }
    }
    for node in rest {
        cut_wide_at(lanes, *node, masks, slots);
    }
}

#[inline(always)]
fn cut_wide_at<L: Lanes>(lanes: L, node: Boundary, masks: &Masks, slots: &mut [Mask]) {
    for part in 0..L::PARTS {
        let low = lanes.load(&slots[usize::from(node.below()) + 1], part);
        let high = lanes.load(&slots[usize::from(node.above())], part);
        let condition = lanes.load(&masks[usize::from(node.condition())], part);
        let rows = lanes.split(low, high, condition);
        lanes.store(rows, &mut slots[usize::from(node.middle())], part);
    }
}

/// Asks for the nodes and masks that come soon after a line of nodes.
#[inline(always)]
fn fetch_ahead<L: Lanes>(
    lanes: L,
    lines: &[[Boundary; NODES_IN_LINE]],
    index: usize,
    masks: &Masks,
) {
    if let Some(line) = lines.get(index + NODE_LINES_AHEAD) {
        lanes.fetch(line);
    }
    if let Some(line) = lines.get(index + MASK_LINES_AHEAD) {
        for node in line {
            lanes.fetch(&masks[usize::from(node.condition())]);
        }
    }
}

/// The bits of the Gray-coded positions, from the `T(j)`, eight by eight.
#[inline(always)]
fn gray<L: Lanes>(lanes: L, slots: &[Mask], part: usize, planes: &mut [Mask; 16]) {
    let mut low = [lanes.none(); 3];
    for plane in &mut planes[3..] {
        lanes.store(lanes.none(), plane, part);
    }
    for (eight, slots) in slots.as_chunks::<8>().0.iter().enumerate() {
        let [first, second, third, fourth, fifth, sixth, seventh, eighth] =
            std::array::from_fn(|slot| lanes.load(&slots[slot], part));
        low[0] = lanes.xor(
            low[0],
            lanes.xor(lanes.xor(second, fourth), lanes.xor(sixth, eighth)),
        );
        low[1] = lanes.xor(low[1], lanes.xor(third, seventh));
        low[2] = lanes.xor(low[2], fifth);
        if eight > 0 {
            let plane = &mut planes[3 + eight.trailing_zeros() as usize];
            lanes.store(lanes.xor(lanes.load(plane, part), first), plane, part);
        }
    }
    for (plane, rows) in planes.iter_mut().zip(low) {
        lanes.store(rows, plane, part);
    }
}

macro_rules! levels {
    ($name:ident, $levels:literal, $below:ident) => {
        #[inline(always)]
        fn $name<L: Lanes>(
            lanes: L,
            codes: &[u16; (1 << $levels) - 1],
            masks: &Masks,
            part: usize,
        ) -> [L::Part; $levels] {
            const HALF: usize = (1 << ($levels - 1)) - 1;
            let condition = lanes.load(&masks[usize::from(codes[0])], part);
            let left = $below(
                lanes,
                codes[1..1 + HALF].as_array().expect("half of the rest"),
                masks,
                part,
            );
            let right = $below(
                lanes,
                codes[1 + HALF..].as_array().expect("half of the rest"),
                masks,
                part,
            );
            let mut planes = [condition; $levels];
            for plane in 0..$levels - 1 {
                planes[plane] = lanes.choose(condition, left[plane], right[plane]);
            }
            planes
        }
    };
}

levels!(choose_2, 2, choose_1);
levels!(choose_3, 3, choose_2);
levels!(choose_4, 4, choose_3);
levels!(choose_5, 5, choose_4);
levels!(choose_6, 6, choose_5);
levels!(choose_7, 7, choose_6);
levels!(choose_8, 8, choose_7);

#[inline(always)]
fn choose_1<L: Lanes>(lanes: L, codes: &[u16; 1], masks: &Masks, part: usize) -> [L::Part; 1] {
    [lanes.load(&masks[usize::from(codes[0])], part)]
}

/// The bits of the leaf's number in a complete tree.
#[inline(always)]
fn choose<L: Lanes>(
    lanes: L,
    levels: u32,
    codes: &[u16],
    masks: &Masks,
    part: usize,
    planes: &mut [Mask; 16],
) {
    macro_rules! of_levels {
        ($($levels:literal $name:ident),*) => {
            match levels {
                $($levels => {
                    let rows = $name(lanes, codes.first_chunk().expect("a complete tree"),
                        masks, part);
                    for (plane, rows) in planes.iter_mut().zip(rows) {
                        lanes.store(rows, plane, part);
                    }
                })*
                _ => {}
            }
        };
    }
    of_levels!(1 choose_1, 2 choose_2, 3 choose_3, 4 choose_4, 5 choose_5, 6 choose_6, 7 choose_7,
        8 choose_8);
}
