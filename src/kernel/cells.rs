//! The bin of every number of a column among ascending edges, counted.
//!
//! Owns a table through which a number finds its bin: a monotone function gives the number's cell,
//! a cell holds the few edges within it, and comparisons with those give the bin. The functions and
//! the table's size are tried on the edges, and those stay under which the fewest rows fall into
//! cells of more edges, which are searched. Nothing is gathered: processors that guard against
//! reading other users' data (Downfall) take longer for it than for single loads.
//!
//! Must not know columns or baselines.

#![expect(
    clippy::inline_always,
    reason = "a part that is not inlined is compiled without the instructions it was written for"
)]

use super::processor::Instructions;
use super::product::lanes::{Lanes, Task};
use super::tally::{Number, is_nan};

/// The edges that a cell holds.
const EDGES: usize = 3;

/// Numbers whose cells are worked out together.
const TOGETHER: usize = 256;

/// What the table takes at most: it shares the first-level cache with the counts.
const MAX_TABLE_BYTES: usize = 64 << 10;

/// The sizes that are tried.
const SIZES: [usize; 5] = [1, 16, 128, 1024, 2048];

/// Shares of the rows below and above which no cells are spent, one in so many: numbers there are
/// rare, but may lie far out.
const TRIMMED: [u64; 3] = [u64::MAX, 256, 32];

/// Marks the first bin of a cell of more edges than it holds.
const CROWDED: u32 = 1 << 31;

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

/// The edges within a cell, and the bin below them; missing edges are NaN, which is below nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Cell<T> {
    edges: [T; EDGES],
    first: u32,
}

/// Edges and the table to find bins through.
#[derive(Clone, Debug, PartialEq)]
pub struct Cells<T> {
    cut: Cut<T>,
    table: Vec<Cell<T>>,
    edges: Vec<T>,
}

impl<T: Sorted> Cells<T> {
    /// The cells of ascending edges; of the bins between them it is known how many rows they may
    /// have.
    #[must_use]
    pub fn new(edges: &[f64], rows: &[u64]) -> Self {
        let edges: Vec<T> = edges.iter().map(|edge| T::not_below(*edge)).collect();
        let mut best = (
            Cut::Keys {
                first: 0,
                shift: 31,
            },
            1,
            u64::MAX,
        );
        let largest = MAX_TABLE_BYTES / size_of::<Cell<T>>();
        for size in SIZES.into_iter().filter(|size| *size <= largest) {
            for cut in cuts(&edges, rows, size) {
                let searched = searched(&edges, rows, cut, size);
                if searched < best.2 {
                    best = (cut, size, searched);
                }
            }
            if best.2 == 0 {
                break;
            }
        }
        let (cut, size, _) = best;
        Self {
            cut,
            table: table(&edges, cut, size),
            edges,
        }
    }

    /// What so many edges take at most.
    #[must_use]
    pub fn max_bytes(edge_count: usize) -> usize {
        MAX_TABLE_BYTES + edge_count * size_of::<T>()
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
                last: self.table.len() as u32 - 1,
                values,
                cells,
            });
            for (value, cell) in values.iter().zip(cells) {
                let bin = self.bin(*value, *cell as usize);
                if let Some(count) = counts.get_mut(bin) {
                    *count += 1;
                }
            }
        }
    }

    #[inline(always)]
    fn bin(&self, value: T, index: usize) -> usize {
        let Cell { edges, first } = self.table[index];
        if first & CROWDED != 0 {
            return self.search(value, index, (first & !CROWDED) as usize);
        }
        let below = edges.map(|edge| u32::from(edge <= value));
        (first + below[0] + below[1] + below[2]) as usize
    }

    #[cold]
    fn search(&self, value: T, index: usize, first: usize) -> usize {
        let next = self.table.get(index + 1);
        let end = next.map_or(self.edges.len(), |next| (next.first & !CROWDED) as usize);
        first + self.edges[first..end].partition_point(|edge| *edge <= value)
    }
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

/// How many rows lie near edges of crowded cells.
fn searched<T: Sorted>(edges: &[T], rows: &[u64], cut: Cut<T>, size: usize) -> u64 {
    let cells: Vec<u32> = edges
        .iter()
        .map(|edge| cut.cell(*edge, size as u32 - 1))
        .collect();
    let (mut searched, mut first) = (0, 0);
    for together in cells.chunk_by(|one, next| one == next) {
        let end = first + together.len();
        if together.len() > EDGES {
            searched += rows
                .iter()
                .skip(first)
                .take(together.len() + 1)
                .sum::<u64>();
        }
        first = end;
    }
    searched
}

fn table<T: Sorted>(edges: &[T], cut: Cut<T>, size: usize) -> Vec<Cell<T>> {
    let nan = T::nearest(f64::NAN);
    let mut table = Vec::with_capacity(size);
    let mut first = 0;
    for cell in 0..size as u32 {
        let own = edges[first..]
            .iter()
            .take_while(|edge| cut.cell(**edge, size as u32 - 1) == cell)
            .count();
        let mut held = [nan; EDGES];
        held.iter_mut()
            .zip(&edges[first..first + own])
            .for_each(|(held, edge)| *held = *edge);
        let crowded = if own > EDGES { CROWDED } else { 0 };
        table.push(Cell {
            edges: held,
            first: first as u32 | crowded,
        });
        first += own;
    }
    table
}

struct FindCells<'a, T> {
    cut: Cut<T>,
    last: u32,
    values: &'a [T],
    cells: &'a mut [u32],
}

impl<T: Sorted> Task for FindCells<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _lanes: L) {
        let pairs = self.cells.iter_mut().zip(self.values);
        // A loop for each, which the compiler turns into vectors.
        match self.cut {
            cut @ Cut::Even { .. } => {
                pairs.for_each(|(cell, value)| *cell = cut.cell(*value, self.last));
            }
            cut @ Cut::Keys { .. } => {
                pairs.for_each(|(cell, value)| *cell = cut.cell(*value, self.last));
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
        assert!(cells.table.len() * size_of::<Cell<T>>() <= MAX_TABLE_BYTES);
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
