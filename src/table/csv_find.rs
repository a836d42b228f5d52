//! Where in a text certain bytes are, eight bytes at a time.
//!
//! Owns the arithmetic for that, which needs no vector instructions and no unsafe code. It must not
//! know what the bytes mean.

/// The highest bit of each of eight bytes: set where the byte is one of the needles, and only
/// there.
#[inline]
fn hits<const N: usize>(bytes: [u8; 8], needles: [u8; N]) -> u64 {
    const LOWS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let word = u64::from_le_bytes(bytes);
    let different = needles.iter().fold(!LOWS, |all, needle| {
        let difference = word ^ u64::from_le_bytes([*needle; 8]);
        all & (((difference & LOWS) + LOWS) | difference)
    });
    different ^ !LOWS
}

/// The first place from `start` on where one of the needles is.
#[must_use]
pub fn find<const N: usize>(text: &[u8], start: usize, needles: [u8; N]) -> Option<usize> {
    let (words, tail) = text.get(start..)?.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let hits = hits(*word, needles);
        if hits != 0 {
            return Some(start + index * 8 + hits.trailing_zeros() as usize / 8);
        }
    }
    let slot = tail.iter().position(|byte| needles.contains(byte))?;
    Some(start + words.len() * 8 + slot)
}

/// [`find`] for needles that are a few bytes apart: remembers what it found in the sixty-four bytes
/// it looked at last.
#[derive(Debug)]
pub struct Finder<'a, const N: usize> {
    text: &'a [u8],
    needles: [u8; N],
    block_start: usize,
    block_hits: u64,
}

impl<'a, const N: usize> Finder<'a, N> {
    /// Looks for any of `needles`, none of which may be NUL.
    #[must_use]
    pub fn new(text: &'a [u8], needles: [u8; N]) -> Self {
        let mut finder = Self {
            text,
            needles,
            block_start: 0,
            block_hits: 0,
        };
        finder.look_at(0);
        finder
    }

    /// The first place from `start` on where one of the needles is; the end of the text, if there
    /// is none. `start` must not go back.
    #[inline]
    pub fn find(&mut self, start: usize) -> usize {
        // The block that the last search ended in may lie beyond `start`: then the difference
        // wraps, and is far.
        let offset = start.wrapping_sub(self.block_start);
        if offset < 64 {
            let hits = self.block_hits >> offset;
            if hits != 0 {
                return start + hits.trailing_zeros() as usize;
            }
            self.look_at(self.block_start + 64);
        } else {
            self.look_at(start);
        }
        while self.block_hits == 0 {
            if self.block_start >= self.text.len() {
                return self.text.len();
            }
            self.look_at(self.block_start + 64);
        }
        self.block_start + self.block_hits.trailing_zeros() as usize
    }

    #[inline]
    fn look_at(&mut self, start: usize) {
        self.block_start = start;
        let rest = self.text.get(start..).unwrap_or_default();
        let mut padded = [0; 64];
        let block = rest.first_chunk::<64>().unwrap_or_else(|| {
            padded
                .iter_mut()
                .zip(rest)
                .for_each(|(to, from)| *to = *from);
            &padded
        });
        let (words, _) = block.as_chunks::<8>();
        // The multiplication gathers the lowest bits of eight bytes in the highest byte.
        let gathered = |hits: u64| (hits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        self.block_hits = words.iter().rev().fold(0, |all, word| {
            all << 8 | gathered(hits(*word, self.needles))
        });
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
            let mut finder = Finder::new(&text, needles);
            for start in 0..=text.len() {
                let next = expected.iter().copied().find(|slot| *slot >= start);
                prop_assert_eq!(finder.find(start), next.unwrap_or(text.len()));
            }
            let mut leaping = Finder::new(&text, needles);
            for start in (0..=text.len()).step_by(97) {
                prop_assert_eq!(
                    leaping.find(start),
                    find(&text, start, needles).unwrap_or(text.len())
                );
            }
        }
    }
}
