//! The bin of every number of a column among ascending edges, counted.
//!
//! Owns a table through which a number finds its bin: a monotone function gives the number's cell,
//! the table the first edge that may lie within the cell, and comparisons with it, or with three,
//! give the bin. The functions, the table's size and the number of comparisons are tried on the
//! edges, and the cheapest stay; numbers in cells of more edges are searched for. The table is
//! small, because it shares the first-level cache with edges, counts and numbers. Nothing is
//! gathered: processors that guard against reading other users' data (Downfall) take longer for it
//! than for single loads.
//!
//! Must not know columns or baselines.

#![expect(
    clippy::inline_always,
    reason = "a part that is not inlined is compiled without the instructions it was written for"
)]

use super::processor::Instructions;
use super::product::lanes::{Lanes, Task};
use super::tally::{Number, is_nan};

/// Numbers whose cells are worked out together.
const TOGETHER: usize = 256;

/// The sizes of tables that are tried.
const SIZES: [usize; 7] = [1, 16, 128, 1024, 2048, 4096, 8192];

/// The numbers of edges that a number may be compared with, each with its cost.
const COMPARED: [(usize, u64); 2] = [(1, 15), (MAX_COMPARED, 21)];

/// The most of them.
const MAX_COMPARED: usize = 3;

/// What a thousand cells cost each number, in the same unit: they push others out of the cache.
const THOUSAND_CELLS: u64 = 1;

/// What it costs to search for a number.
const SEARCH: u64 = 100;

/// Shares of the rows below and above which no cells are spent, one in so many: numbers there are
/// rare, but may lie far out.
const TRIMMED: [u64; 3] = [u64::MAX, 256, 32];

/// Stands for the first edge of a cell of more edges than are compared.
const CROWDED: u16 = u16::MAX;

/// Numbers that have cells.
pub trait Sorted: Number {
    /// The smallest number that is not below an edge.
    fn not_below(edge: f64) -> Self;
    /// The number nearest to one in double precision.
    fn nearest(value: f64) -> Self;
    /// A key of the number's order in single precision; both zeros have the same.
    fn key(self) -> u32;
    /// `(self − origin) · per_cell`, between 0 and `last`, as the nearest integer; 0 for NaN.
    fn scaled(self, origin: Self, per_cell: Self, last: Self) -> u32;
}

macro_rules! sorted {
    ($type:ty, $rounder:expr) => {
        #[inline(always)]
        fn scaled(self, origin: Self, per_cell: Self, last: Self) -> u32 {
            const ROUNDER: $type = $rounder;
            let cell = (self - origin) * per_cell;
            let cell = if cell > 0.0 { cell } else { 0.0 };
            let cell = if cell < last { cell } else { last };
            (cell + ROUNDER).to_bits() as u32 & 0xFFFF
        }
    };
}

impl Sorted for f32 {
    fn not_below(edge: f64) -> Self {
        let nearest = edge as f32;
        if f64::from(nearest) < edge {
            nearest.next_up()
        } else {
            nearest
        }
    }

    fn nearest(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn key(self) -> u32 {
        let bits = (self + 0.0).to_bits();
        if bits >> 31 == 1 {
            !bits
        } else {
            bits | (1 << 31)
        }
    }

    // An integer below 2²³ in the last bits.
    sorted!(f32, 8_388_608.0);
}

impl Sorted for f64 {
    fn not_below(edge: f64) -> Self {
        edge
    }

    fn nearest(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn key(self) -> u32 {
        (self as f32).key()
    }

    // An integer below 2⁵² in the last bits.
    sorted!(f64, 4_503_599_627_370_496.0);
}

/// A monotone function from numbers to cells.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut<T> {
    /// Cells of equal width.
    Even { origin: T, per_cell: T },
    /// Cells of equally many numbers in single precision: of equal width between powers of two.
    Keys { first: u32, shift: u32 },
}

impl<T: Sorted> Cut<T> {
    #[inline(always)]
    fn cell(self, value: T, last: u32) -> u32 {
        match self {
            Self::Even { origin, per_cell } => {
                value.scaled(origin, per_cell, T::nearest(f64::from(last)))
            }
            Self::Keys { first, shift } => {
                let cell = value.key().saturating_sub(first) >> shift;
                let cell = cell.min(last);
                if is_nan(value) { 0 } else { cell }
            }
        }
    }
}

/// Edges and the table to find bins through.
#[derive(Clone, Debug, PartialEq)]
pub struct Cells<T> {
    cut: Cut<T>,
    /// For each cell the number of edges below it: the bin of its smallest numbers.
    firsts: Vec<u16>,
    /// The edges; after them NaN, which is below nothing, so that every cell has edges to compare.
    edges: Vec<T>,
    /// How many edges a number is compared with.
    compared: usize,
}

/// A way to find bins, and what it costs.
#[derive(Clone, Copy, Debug)]
struct Layout<T> {
    cut: Cut<T>,
    size: usize,
    compared: usize,
    cost: u64,
}

impl<T: Sorted> Cells<T> {
    /// The cells of ascending edges; of the bins between them it is known how many rows they may
    /// have.
    #[must_use]
    pub fn new(edges: &[f64], rows: &[u64]) -> Self {
        let mut edges: Vec<T> = edges.iter().map(|edge| T::not_below(*edge)).collect();
        let Layout {
            cut,
            size,
            compared,
            ..
        } = layout(&edges, rows);
        let firsts = if edges.len() < usize::from(CROWDED) {
            firsts(&edges, cut, size, compared)
        } else {
            vec![CROWDED; size]
        };
        edges.extend([T::nearest(f64::NAN); MAX_COMPARED]);
        Self {
            cut,
            firsts,
            edges,
            compared,
        }
    }

    /// What so many edges take at most.
    #[must_use]
    pub fn max_bytes(edge_count: usize) -> usize {
        SIZES[SIZES.len() - 1] * size_of::<u16>() + (edge_count + MAX_COMPARED) * size_of::<T>()
    }

    /// Counts numbers in their bins: bin i holds those from edge i − 1 on and below edge i. NaN
    /// falls into bin 0.
    pub fn count(&self, values: &[T], counts: &mut [u64]) {
        // Wider registers save nothing here.
        self.count_with(values, counts, Instructions::Avx2);
    }

    fn count_with(&self, values: &[T], counts: &mut [u64], instructions: Instructions) {
        let mut cells = [0; TOGETHER];
        for values in values.chunks(TOGETHER) {
            let cells = &mut cells[..values.len()];
            instructions.run(FindCells {
                cut: self.cut,
                last: self.firsts.len() as u32 - 1,
                values,
                cells,
            });
            match self.compared {
                1 => self.tally::<1>(values, cells, counts),
                _ => self.tally::<MAX_COMPARED>(values, cells, counts),
            }
        }
    }

    #[inline(always)]
    fn tally<const COMPARED: usize>(&self, values: &[T], cells: &[u16], counts: &mut [u64]) {
        // There are as many cells as a power of two, so that a mask says that each is there.
        let last = self.firsts.len() - 1;
        let firsts = &self.firsts[..=last];
        for (value, cell) in values.iter().zip(cells) {
            let first = usize::from(firsts[usize::from(*cell) & last]);
            let bin = self.bin::<COMPARED>(*value, first);
            if let Some(count) = counts.get_mut(bin) {
                *count += 1;
            }
        }
    }

    #[inline(always)]
    fn bin<const COMPARED: usize>(&self, value: T, first: usize) -> usize {
        // Behind the last edge, where there is nothing to compare, lies what is crowded.
        match self.edges.get(first..first + COMPARED) {
            Some(edges) => edges
                .iter()
                .fold(first, |bin, edge| bin + usize::from(*edge <= value)),
            None => self.search(value),
        }
    }

    #[cold]
    fn search(&self, value: T) -> usize {
        self.edges.partition_point(|edge| *edge <= value)
    }
}

/// The cheapest way to find bins between these edges.
fn layout<T: Sorted>(edges: &[T], rows: &[u64]) -> Layout<T> {
    let total: u64 = rows.iter().sum();
    let cost = |size: usize, each: u64, searched: u64| {
        let cells = size as u64 * THOUSAND_CELLS / 1024;
        total
            .saturating_mul(each + cells)
            .saturating_add(searched.saturating_mul(SEARCH))
    };
    let mut best = Layout {
        cut: Cut::Keys {
            first: 0,
            shift: 31,
        },
        size: 1,
        compared: COMPARED[0].0,
        cost: u64::MAX,
    };
    // With fewer cells, some hold more edges than are compared.
    let enough = SIZES
        .into_iter()
        .filter(|size| size * MAX_COMPARED >= edges.len());
    for size in enough {
        let mut is_sparse = false;
        for cut in cuts(edges, rows, size) {
            let cells: Vec<u32> = edges
                .iter()
                .map(|edge| cut.cell(*edge, size as u32 - 1))
                .collect();
            for (compared, each) in COMPARED {
                let searched = searched(&cells, rows, compared);
                is_sparse |= searched == 0 && compared == COMPARED[0].0;
                let cost = cost(size, each, searched);
                if cost < best.cost {
                    best = Layout {
                        cut,
                        size,
                        compared,
                        cost,
                    };
                }
            }
        }
        // More cells only cost more.
        if is_sparse {
            break;
        }
    }
    best
}

/// The functions that are worth a trial.
fn cuts<T: Sorted>(edges: &[T], rows: &[u64], size: usize) -> Vec<Cut<T>> {
    let mut cuts = Vec::new();
    for share in TRIMMED {
        let Some([low, high]) = span(edges, rows, share) else {
            continue;
        };
        // Differences from a subnormal number would be slow.
        let origin = if low.double().abs() < f64::from(f32::MIN_POSITIVE) {
            T::nearest(0.0)
        } else {
            low
        };
        let per_cell = T::nearest((size - 1) as f64 / (high.double() - low.double()));
        if per_cell.double() > 0.0 && per_cell.double().is_finite() {
            cuts.push(Cut::Even { origin, per_cell });
        }
        let (first, last) = (low.key(), high.key());
        let bits = u32::BITS - (last - first).leading_zeros();
        cuts.push(Cut::Keys {
            first,
            shift: bits.saturating_sub(size.ilog2()).min(31),
        });
    }
    cuts
}

/// The edges between which all rows lie but one in so many on either side.
fn span<T: Sorted>(edges: &[T], rows: &[u64], share: u64) -> Option<[T; 2]> {
    let total: u64 = rows.iter().sum();
    let index = |mut counts: Box<dyn Iterator<Item = &u64> + '_>| {
        let mut before = 0;
        counts
            .position(|count| {
                before += count;
                before > total / share
            })
            .unwrap_or(0)
    };
    let last = edges.len().checked_sub(1)?;
    let low = index(Box::new(rows.iter())).min(last);
    let high = last - index(Box::new(rows.iter().rev())).min(last);
    (low <= high).then(|| [edges[low], edges[high]])
}

/// About how many rows lie in cells of more edges than are compared: all of the bins within, and
/// half of those at the cell's ends.
fn searched(cells: &[u32], rows: &[u64], compared: usize) -> u64 {
    let row_count = |bin: usize| rows.get(bin).copied().unwrap_or(0);
    let (mut searched, mut first) = (0, 0);
    for together in cells.chunk_by(|one, next| one == next) {
        let end = first + together.len();
        if together.len() > compared {
            let within: u64 = (first + 1..end).map(row_count).sum();
            searched += within + u64::midpoint(row_count(first), row_count(end));
        }
        first = end;
    }
    searched
}

fn firsts<T: Sorted>(edges: &[T], cut: Cut<T>, size: usize, compared: usize) -> Vec<u16> {
    let mut firsts = Vec::with_capacity(size);
    let mut first = 0;
    for cell in 0..size as u32 {
        let own = edges[first..]
            .iter()
            .take_while(|edge| cut.cell(**edge, size as u32 - 1) == cell)
            .count();
        firsts.push(if own > compared {
            CROWDED
        } else {
            first as u16
        });
        first += own;
    }
    firsts
}

struct FindCells<'a, T> {
    cut: Cut<T>,
    last: u32,
    values: &'a [T],
    cells: &'a mut [u16],
}

impl<T: Sorted> Task for FindCells<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _lanes: L) {
        let pairs = self.cells.iter_mut().zip(self.values);
        // A loop for each, which the compiler turns into vectors.
        match self.cut {
            cut @ Cut::Even { .. } => {
                pairs.for_each(|(cell, value)| *cell = cut.cell(*value, self.last) as u16);
            }
            cut @ Cut::Keys { .. } => {
                pairs.for_each(|(cell, value)| *cell = cut.cell(*value, self.last) as u16);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Numbers from 0 to 1 that look random and are the same everywhere.
    pub(crate) fn noise(count: usize, seed: u64) -> Vec<f64> {
        let mut state = seed | 1;
        let uniform = |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        (0..count).map(uniform).collect()
    }

    /// Edges at every `step`-th of the values, with those next to values that occur often.
    fn edges(values: &[f64], step: usize) -> Vec<f64> {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let chosen = sorted.into_iter().step_by(step);
        let mut edges: Vec<f64> = chosen
            .flat_map(|edge| [edge + 0.0, edge.next_up()])
            .collect();
        edges.dedup();
        edges.sort_unstable_by(f64::total_cmp);
        edges.dedup();
        edges
    }

    fn plain<T: Sorted>(edges: &[f64], values: &[T]) -> Vec<u64> {
        let mut counts = vec![0; edges.len() + 1];
        for value in values {
            let below = edges.partition_point(|edge| *edge <= value.double());
            counts[if is_nan(*value) { 0 } else { below }] += 1;
        }
        counts
    }

    fn check<T: Sorted>(values: &[T], edges: &[f64], rows: &[u64], shape: usize) {
        let cells = Cells::<T>::new(edges, rows);
        let bytes = size_of_val(&*cells.firsts) + size_of_val(&*cells.edges);
        assert!(bytes <= Cells::<T>::max_bytes(edges.len()));
        for instructions in Instructions::available() {
            let mut counts = vec![0; edges.len() + 1];
            cells.count_with(values, &mut counts, instructions);
            assert_eq!(
                counts,
                plain(edges, values),
                "shape {shape}, {} edges, {instructions:?}",
                edges.len()
            );
        }
    }

    #[test]
    fn all_instructions_find_the_bins_of_a_binary_search() {
        let shapes: [fn(f64) -> f64; 9] = [
            |x| x - 0.5,
            |x| (x * 40.0 - 20.0).exp(),
            |x| (x * 300.0).floor(),
            |x| 1e6 + x,
            |x| if x < 0.4 { 0.0 } else { x * x * 1e6 },
            |x| (x - 0.5) * 1e300,
            |x| (x * 9.0).floor() * 5e-324,
            |_| 3.0,
            |x| if x < 0.01 { -999_999.0 } else { x / (1.0 - x) },
        ];
        for (index, shape) in shapes.into_iter().enumerate() {
            let mut values: Vec<f64> = noise(3000, 11).into_iter().map(shape).collect();
            let odd = [
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                -0.0,
                f64::MIN,
                f64::MAX,
            ];
            values.extend(odd);
            let singles: Vec<f32> = values.iter().map(|value| *value as f32).collect();
            let of_singles: Vec<f64> = singles.iter().map(|value| f64::from(*value)).collect();
            for step in [1, 5, 700] {
                let edges = edges(&values[..3000], step);
                check(&values, &edges, &plain(&edges, &values), index);
                // Edges between two singles, and those that are singles.
                check(&singles, &edges, &plain(&edges, &values), index);
                let edges = self::edges(&of_singles[..3000], step);
                check(&singles, &edges, &plain(&edges, &singles), index);
            }
        }
    }

    #[test]
    fn every_number_next_to_an_edge_falls_on_its_side() {
        let edges = edges(&noise(400, 11), 1);
        let near: Vec<f64> = edges
            .iter()
            .flat_map(|edge| [edge.next_down(), *edge, edge.next_up()])
            .collect();
        let rows = vec![1; edges.len() + 1];
        check(&near, &edges, &rows, 0);
        let singles: Vec<f32> = near
            .iter()
            .map(|value| *value as f32)
            .flat_map(|value| [value.next_down(), value, value.next_up()])
            .collect();
        check(&singles, &edges, &rows, 0);
        // Nothing is known of the rows: all are searched for.
        check(&near, &edges, &vec![0; edges.len() + 1], 0);
    }
}
