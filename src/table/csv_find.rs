//! Where in a text certain bytes are.
//!
//! Owns how far a search has come. It must not know what the bytes mean.

use crate::kernel::needles::{BLOCK, highest_bits, hits};

/// The first place from `start` on where one of the needles is.
#[must_use]
pub fn find<const N: usize>(text: &[u8], start: usize, needles: [u8; N]) -> Option<usize> {
    let (words, tail) = text.get(start..)?.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let hits = highest_bits(*word, needles);
        if hits != 0 {
            return Some(start + index * 8 + hits.trailing_zeros() as usize / 8);
        }
    }
    let slot = tail.iter().position(|byte| needles.contains(byte))?;
    Some(start + words.len() * 8 + slot)
}

/// Where the block lies before one was looked at: far from every place of a text.
const NOWHERE: usize = usize::MAX - BLOCK;

/// [`find`] for needles that are a few bytes apart: remembers what it found in the sixty-four bytes
/// it looked at last.
#[derive(Debug)]
pub struct Finder<const N: usize> {
    needles: [u8; N],
    block_start: usize,
    block_hits: u64,
}

impl<const N: usize> Finder<N> {
    /// Looks for any of `needles`.
    #[must_use]
    pub fn new(needles: [u8; N]) -> Self {
        Self {
            needles,
            block_start: NOWHERE,
            block_hits: 0,
        }
    }

    /// The first place from `start` on where one of the needles is. The text must be that of the
    /// search before or begin with it, and `start` must not go back.
    #[inline]
    #[must_use]
    pub fn find(&mut self, text: &[u8], start: usize) -> Option<usize> {
        // The block that the last search ended in may lie beyond `start`: then the difference
        // wraps, and is far.
        let offset = start.wrapping_sub(self.block_start);
        if offset >= BLOCK {
            return self.find_further(text, start);
        }
        let hits = self.block_hits >> offset;
        if hits == 0 {
            return self.find_further(text, self.block_start + BLOCK);
        }
        Some(start + hits.trailing_zeros() as usize)
    }

    /// Tells that the first bytes of the text were taken away.
    pub fn forget(&mut self) {
        self.block_start = NOWHERE;
    }

    #[inline]
    fn find_further(&mut self, text: &[u8], start: usize) -> Option<usize> {
        let mut next = start;
        while let Some(block) = text.get(next..).and_then(<[u8]>::first_chunk) {
            let hits = hits(block, self.needles);
            if hits != 0 {
                (self.block_start, self.block_hits) = (next, hits);
                return Some(next + hits.trailing_zeros() as usize);
            }
            next += BLOCK;
        }
        find(text, next, self.needles)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn all_positions_are_found_by_every_way(
            text in proptest::collection::vec(
                prop::sample::select(b"\n\x0b\x8a,-\xac\"a\0\x7f\xff".as_slice()), 0..300),
        ) {
            let needles = *b"\n,\"";
            let expected: Vec<usize> = (0..text.len())
                .filter(|slot| needles.contains(&text[*slot]))
                .collect();
            let (mut found, mut start) = (Vec::new(), 0);
            while let Some(slot) = find(&text, start, needles) {
                found.push(slot);
                start = slot + 1;
            }
            prop_assert_eq!(&found, &expected);
            for step in [1, 5, 64, 97] {
                let (mut whole, mut growing) = (Finder::new(needles), Finder::new(needles));
                for start in (0..=text.len()).step_by(step) {
                    let next = expected.iter().copied().find(|slot| *slot >= start);
                    prop_assert_eq!(whole.find(&text, start), next);
                    let known = text.len().min(start + 70);
                    prop_assert_eq!(
                        growing.find(&text[..known], start),
                        next.filter(|slot| *slot < known)
                    );
                }
            }
        }
    }
}
