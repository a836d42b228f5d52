//! The distinct values of a tree's leaves, numbered in a byte.
//!
//! The leaves of a classifier's tree hold fractions of few rows: of 500 leaves some hundred are
//! distinct. A byte for each leaf and a short table of values stay in the first-level cache where
//! eight bytes for each leaf do not. Knows nothing of how a leaf is found, only in which order a
//! program's tables stand.

use std::collections::HashMap;

use super::ensemble::Tree;
use super::lane_number::LaneNumber;
use super::program::Program;
use super::slice::NARROW_LEAVES;

/// What the leaves of one tree hold.
#[derive(Debug, PartialEq)]
pub(super) struct Distinct<T> {
    /// For each leaf the number of what it holds.
    pub(super) numbers: Vec<u8>,
    /// For each margin the values in the order of their numbers; as many as a power of two.
    pub(super) tables: Vec<Vec<T>>,
}

impl<T: LaneNumber> Distinct<T> {
    /// Of leaves that hold `width` values each, one leaf after the other; none if there are more
    /// than [`NARROW_LEAVES`] distinct ones.
    pub(super) fn of(leaf_values: &[f64], width: usize) -> Option<Self> {
        let leaf_count = leaf_values.len() / width;
        let mut numbers = vec![0_u8; leaf_count];
        let mut firsts = Vec::new();
        for margin in 0..width {
            // Leaves that were alike in the margins before, and are in this one.
            let mut seen = HashMap::with_hasher(ahash::RandomState::new());
            firsts.clear();
            for (leaf, number) in numbers.iter_mut().enumerate() {
                let value = T::from_double(leaf_values[leaf * width + margin]);
                let next = seen.len();
                let own = *seen
                    .entry((*number, value.to_double().to_bits()))
                    .or_insert(next);
                if own == firsts.len() {
                    firsts.push(leaf);
                }
                *number = u8::try_from(own).ok()?;
            }
        }
        let size = firsts.len().next_power_of_two();
        debug_assert!(size <= NARROW_LEAVES, "a byte numbers them");
        let table = |margin: usize| {
            let value = |leaf: &usize| T::from_double(leaf_values[leaf * width + margin]);
            let mut values: Vec<T> = firsts.iter().map(value).collect();
            values.resize(size, T::default());
            values
        };
        Some(Self {
            numbers,
            tables: (0..width).map(table).collect(),
        })
    }
}

impl<T: LaneNumber> Program<T> {
    /// Adds the values of the leaves at these positions, a table for each of `width` margins; gives
    /// [`Step::numbers`](super::program::Step::numbers).
    pub(super) fn push_tables(
        &mut self,
        tree: &Tree,
        width: usize,
        positions: &[u32],
    ) -> Option<(usize, u32)> {
        let is_narrow = positions.len() <= NARROW_LEAVES;
        let distinct = if is_narrow {
            None
        } else {
            Distinct::<T>::of(&tree.leaf_values, width)
        };
        if let Some(Distinct { numbers, tables }) = distinct {
            let start = self.numbers.len();
            let bits = tables.first().map_or(0, |table| table.len().ilog2());
            let of_positions = positions.iter().map(|&leaf| numbers[leaf as usize]);
            self.numbers.extend(of_positions);
            for mut values in tables {
                T::arrange(self.processor, &mut values);
                self.tables.append(&mut values);
            }
            return Some((start, bits));
        }
        for margin in 0..width {
            let mut values = positions
                .iter()
                .map(|&leaf| T::from_double(tree.leaf_values[leaf as usize * width + margin]))
                .collect();
            if is_narrow {
                T::arrange(self.processor, &mut values);
            }
            self.tables.append(&mut values);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Distinct;

    #[test]
    fn every_leaf_keeps_its_values() {
        let values = [0.5, 1.0, 0.25, 1.0, 0.5, 1.0, 0.5, 2.0, -0.0, 0.0, 0.0, 0.0];
        for width in [1, 2, 3] {
            let distinct = Distinct::<f64>::of(&values, width).expect("few are distinct");
            for (leaf, held) in values.chunks(width).enumerate() {
                let number = usize::from(distinct.numbers[leaf]);
                for (margin, value) in held.iter().enumerate() {
                    let table = &distinct.tables[margin];
                    assert_eq!(table[number].to_bits(), value.to_bits());
                    assert!(table.len().is_power_of_two());
                }
            }
        }
        assert_eq!(
            Distinct::<f64>::of(&values, 2).map(|all| all.tables[0].len()),
            Some(8),
            "five pairs are distinct"
        );
    }

    #[test]
    fn more_than_a_byte_can_number_are_not_numbered() {
        let values: Vec<f64> = (0..257).map(f64::from).collect();
        assert!(Distinct::<f64>::of(&values[..256], 1).is_some());
        assert_eq!(Distinct::<f64>::of(&values, 1), None);
        // In single precision these are one value.
        let close = vec![1.0 + f64::EPSILON; 300];
        let distinct = Distinct::<f32>::of(&close, 1).expect("one value");
        assert_eq!(distinct.tables, [[1.0_f32]]);
    }
}
