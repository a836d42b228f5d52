//! The values that categories stand for: a table from 64-bit hashes to rows of numbers.
//!
//! Open addressing with linear probing, at most half full. Probes are bounded when the table is
//! filled, so that hashes which somebody chose cost no more than others. It must not know where
//! hashes come from or what the numbers mean.

use crate::error::{Error, Result};
use crate::memory::{self, Reservation};

/// The row of an unused slot.
const UNUSED: u32 = u32::MAX;

/// The most slots that are looked at for one hash. Of a million random hashes none takes more than
/// some 60.
const PROBE_LIMIT: usize = 1 << 10;

/// Spreads hashes over slots by their upper bits: the golden ratio of 2^64, made odd.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u64,
    row: u32,
}

/// Rows of `width` numbers by hash; row 0 belongs to every hash that is not known.
#[derive(Debug)]
pub struct Table {
    slots: Vec<Slot>,
    /// How far a spread hash is shifted to be a slot's index.
    shift: u32,
    values: Vec<f32>,
    width: usize,
    row_count: usize,
    _held: Reservation,
}

impl Table {
    /// A table without hashes, for about as many as `hash_count`; `unknown` are the numbers of a
    /// hash that is not in the table.
    ///
    /// # Errors
    /// Fails if so much memory is not left.
    pub fn new(hash_count: usize, unknown: &[f32]) -> Result<Self> {
        let slot_count = hash_count.saturating_mul(2).next_power_of_two().max(2);
        let held = reserve(slot_count, hash_count, unknown.len())?;
        let mut values = Vec::with_capacity((hash_count + 1) * unknown.len());
        values.extend_from_slice(unknown);
        Ok(Self {
            slots: unused(slot_count),
            shift: shift(slot_count),
            values,
            width: unknown.len(),
            row_count: 1,
            _held: held,
        })
    }

    /// The numbers of a hash, to be filled in; those of an unknown one if it is new.
    ///
    /// # Errors
    /// Fails if there is no memory for it, or if its slot is hidden behind too many others.
    pub fn row_mut(&mut self, hash: u64) -> Result<&mut [f32]> {
        if self.row_count * 2 > self.slots.len() {
            self.grow()?;
        }
        let index = self.place(hash)?;
        if self.slots[index].row == UNUSED {
            let row = u32::try_from(self.row_count)
                .map_err(|_| Error::failed("too many categories in one table"))?;
            self.slots[index] = Slot { hash, row };
            self.values.extend_from_within(..self.width);
            self.row_count += 1;
        }
        let first = self.slots[index].row as usize * self.width;
        Ok(&mut self.values[first..first + self.width])
    }

    fn place(&self, hash: u64) -> Result<usize> {
        let start = self.start(hash);
        (start..start + PROBE_LIMIT.min(self.slots.len()))
            .map(|index| index & (self.slots.len() - 1))
            .find(|&index| {
                let slot = &self.slots[index];
                slot.row == UNUSED || slot.hash == hash
            })
            .ok_or_else(|| Error::failed("the hashes of too many categories collide"))
    }

    fn grow(&mut self) -> Result<()> {
        let slot_count = self.slots.len() * 2;
        let held = reserve(slot_count, slot_count / 2, self.width)?;
        let old = std::mem::replace(&mut self.slots, unused(slot_count));
        self.shift = shift(slot_count);
        for slot in old.into_iter().filter(|slot| slot.row != UNUSED) {
            let index = self.place(slot.hash)?;
            self.slots[index] = slot;
        }
        self._held = held;
        Ok(())
    }

    #[inline(always)]
    fn start(&self, hash: u64) -> usize {
        (hash.wrapping_mul(SPREAD) >> self.shift) as usize
    }

    /// The row of a hash.
    #[inline(always)]
    pub(super) fn row(&self, hash: u64) -> u32 {
        let mask = self.slots.len() - 1;
        let mut index = self.start(hash);
        loop {
            let slot = self.slots[index & mask];
            if slot.row == UNUSED {
                return 0;
            }
            if slot.hash == hash {
                return slot.row;
            }
            index += 1;
        }
    }

    /// The numbers in a row of the table.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Number `column` of each of these rows.
    pub(super) fn gather(&self, rows: &[u32], column: usize, out: &mut [f64]) {
        for (out, &row) in out.iter_mut().zip(rows) {
            *out = f64::from(self.values[row as usize * self.width + column]);
        }
    }

    /// The hashes that the table knows.
    pub(super) fn known_count(&self) -> usize {
        self.row_count - 1
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>() + self.values.capacity() * size_of::<f32>()
    }
}

fn unused(count: usize) -> Vec<Slot> {
    vec![
        Slot {
            hash: 0,
            row: UNUSED
        };
        count
    ]
}

fn shift(slot_count: usize) -> u32 {
    u64::BITS - slot_count.trailing_zeros()
}

fn reserve(slot_count: usize, row_count: usize, width: usize) -> Result<Reservation> {
    let values = (row_count as u64 + 1)
        .saturating_mul(width as u64)
        .saturating_mul(size_of::<f32>() as u64);
    let slots = (slot_count as u64).saturating_mul(size_of::<Slot>() as u64);
    memory::reserve(
        slots.saturating_add(values),
        "the table of a CTR's categories",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hash_has_its_row_and_others_the_first() {
        let mut table = Table::new(1, &[-1.0, -2.0]).unwrap();
        let hash = |number: u64| number.wrapping_mul(0x1234_5678_9abc_def1);
        for number in 0..10_000 {
            let row = table.row_mut(hash(number)).unwrap();
            assert_eq!(row, [-1.0, -2.0]);
            row[1] = number as f32;
        }
        table.row_mut(hash(7)).unwrap()[0] = 0.5;
        let rows: Vec<u32> = [7, 9_999, 10_000]
            .map(|number| table.row(hash(number)))
            .into();
        let (mut first, mut second) = ([0.0; 3], [0.0; 3]);
        table.gather(&rows, 0, &mut first);
        table.gather(&rows, 1, &mut second);
        assert_eq!((first, second), ([0.5, -1.0, -1.0], [7.0, 9_999.0, -2.0]));
        assert_eq!(table.known_count(), 10_000);
    }

    #[test]
    fn chosen_hashes_are_refused_before_they_cost_time() {
        // All begin at the same slot, whatever the number of slots.
        let inverse = {
            let mut inverse = SPREAD;
            for _ in 0..6 {
                inverse = inverse.wrapping_mul(2_u64.wrapping_sub(SPREAD.wrapping_mul(inverse)));
            }
            inverse
        };
        let mut table = Table::new(1 << 16, &[0.0]).unwrap();
        let refused =
            (0..1 << 16).find_map(|number: u64| table.row_mut(inverse.wrapping_mul(number)).err());
        assert!(refused.is_some_and(|error| error.to_string().contains("collide")));
    }
}
