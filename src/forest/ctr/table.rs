//! The values that categories stand for: a table from 64-bit hashes to rows of numbers.
//!
//! Every hash has two slots and lies in one of them (cuckoo hashing), so that a look-up reads both
//! and branches nowhere; with linear probing it took a sixth longer. A table in which no room can
//! be made grows; hashes that somebody chose would make it grow without end, and are refused. It
//! must not know where hashes come from or what the numbers mean.

use crate::error::{Error, Result};
use crate::memory::{self, Reservation};

/// The row of hashes that are not known, which unused slots lead to.
const UNKNOWN: u32 = 0;

/// How many hashes are moved to make room for another.
const MOVE_LIMIT: usize = 256;

/// The slots for each hash beyond which a table does not grow.
const SLOTS_LIMIT: usize = 32;

/// The fewest slots.
const MIN_SLOTS: usize = 4;

/// Spread hashes over slots by their upper bits: the golden ratio of 2^64, made odd, and another
/// odd number without a pattern.
const SPREAD: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xd6e8_feb8_6659_fd93];

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
    held: Reservation,
}

impl Table {
    /// A table without hashes, for about as many as `hash_count`; `unknown` are the numbers of a
    /// hash that is not in the table.
    ///
    /// # Errors
    /// Fails if so much memory is not left.
    pub fn new(hash_count: usize, unknown: &[f32]) -> Result<Self> {
        let slot_count = slot_count(hash_count);
        let held = reserve(slot_count, hash_count, unknown.len())?;
        let mut values = Vec::with_capacity((hash_count + 1) * unknown.len());
        values.extend_from_slice(unknown);
        Ok(Self {
            slots: unused(slot_count),
            shift: shift(slot_count),
            values,
            width: unknown.len(),
            row_count: 1,
            held,
        })
    }

    /// The numbers of a hash, to be filled in; those of an unknown one if it is new.
    ///
    /// # Errors
    /// Fails if there is no memory for it, or if no room can be made for its slot.
    pub fn row_mut(&mut self, hash: u64) -> Result<&mut [f32]> {
        let mut row = self.row(hash);
        if row == UNKNOWN {
            row = u32::try_from(self.row_count)
                .map_err(|_| Error::failed("too many categories in one table"))?;
            self.add(Slot { hash, row })?;
            self.values.extend_from_within(..self.width);
            self.row_count += 1;
        }
        let first = row as usize * self.width;
        Ok(&mut self.values[first..first + self.width])
    }

    fn add(&mut self, slot: Slot) -> Result<()> {
        if self.slots.len() < slot_count(self.row_count) {
            self.grow()?;
        }
        let mut homeless = self.slot_index(slot);
        while let Some(slot) = homeless {
            self.grow()?;
            homeless = self.slot_index(slot);
        }
        Ok(())
    }

    /// Puts a slot into one of its two, moving others to their other one; returns one for which
    /// there is no room.
    fn slot_index(&mut self, slot: Slot) -> Option<Slot> {
        let mut homeless = slot;
        let mut slot_index = self.slot_indices(slot.hash)[0];
        for _ in 0..MOVE_LIMIT {
            let [first, second] = self.slot_indices(homeless.hash);
            // Anyone who was moved out of one goes to the other.
            slot_index = if slot_index == first { second } else { first };
            if self.slots[first].row == UNKNOWN {
                slot_index = first;
            }
            homeless = std::mem::replace(&mut self.slots[slot_index], homeless);
            if homeless.row == UNKNOWN {
                return None;
            }
        }
        Some(homeless)
    }

    fn grow(&mut self) -> Result<()> {
        let mut slot_count = self.slots.len();
        loop {
            slot_count *= 2;
            if slot_count > (self.row_count + MIN_SLOTS) * SLOTS_LIMIT {
                return Err(Error::failed("the hashes of too many categories collide"));
            }
            let held = reserve(slot_count, self.row_count.max(slot_count / 4), self.width)?;
            let old = std::mem::replace(&mut self.slots, unused(slot_count));
            self.shift = shift(slot_count);
            let mut used = old.iter().filter(|slot| slot.row != UNKNOWN);
            if used.all(|slot| self.slot_index(*slot).is_none()) {
                self.held = held;
                return Ok(());
            }
            self.slots = old;
        }
    }

    #[inline(always)]
    fn slot_indices(&self, hash: u64) -> [usize; 2] {
        SPREAD.map(|spread| (hash.wrapping_mul(spread) >> self.shift) as usize)
    }

    /// The row of a hash.
    #[inline(always)]
    pub(super) fn row(&self, hash: u64) -> u32 {
        let rows = self.slot_indices(hash).map(|slot_index| {
            let slot = self.slots[slot_index];
            if slot.hash == hash { slot.row } else { UNKNOWN }
        });
        // One of them is the unknown row, which is the first.
        rows[0].max(rows[1])
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

/// The slots with which a table of so many hashes begins, at most half of them used.
fn slot_count(hash_count: usize) -> usize {
    let twice = hash_count.saturating_mul(2).max(MIN_SLOTS);
    twice.checked_next_power_of_two().unwrap_or(usize::MAX)
}

fn unused(count: usize) -> Vec<Slot> {
    vec![
        Slot {
            hash: 0,
            row: UNKNOWN
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
    fn hash_zero_is_a_hash_like_others() {
        let mut table = Table::new(3, &[5.0]).unwrap();
        assert_eq!(table.row(0), 0);
        table.row_mut(0).unwrap()[0] = 6.0;
        table.row_mut(u64::MAX).unwrap()[0] = 7.0;
        let mut found = [0.0; 3];
        let rows = [0, u64::MAX, 1].map(|hash| table.row(hash));
        table.gather(&rows, 0, &mut found);
        assert_eq!(found, [6.0, 7.0, 5.0]);
    }

    #[test]
    fn chosen_hashes_are_refused_before_they_cost_time() {
        // Small multiples of the inverse of the first factor: all begin at the first slot, and
        // those of them whose second slot is the same come thick enough to be collected.
        let mut inverse = SPREAD[0];
        for _ in 0..6 {
            inverse = inverse.wrapping_mul(2_u64.wrapping_sub(SPREAD[0].wrapping_mul(inverse)));
        }
        let hashes = (0..1 << 16).map(|number: u64| inverse.wrapping_mul(number));
        let same = hashes.filter(|hash| hash.wrapping_mul(SPREAD[1]) >> 54 == 0);
        let mut table = Table::new(1 << 10, &[0.0]).unwrap();
        let refused = same
            .into_iter()
            .find_map(|hash| table.row_mut(hash).err())
            .map(|error| error.to_string());
        assert!(refused.is_some_and(|message| message.contains("collide")));
        assert!(table.memory_bytes() < 1 << 20);
    }
}
