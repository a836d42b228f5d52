//! Where in a text certain bytes are, sixteen or sixty-four bytes at a time.
//!
//! Owns the shape of the loops that lets the compiler use vector instructions without unsafe code. It must not know what the
//! bytes mean.

/// A bit for each of sixteen bytes: whether it is one of the needles.
#[inline]
fn hits<const N: usize>(bytes: &[u8; 16], needles: [u8; N]) -> u16 {
    // This loop becomes a few vector instructions.
    let mut equal = [0_u8; 16];
    for (equal, byte) in equal.iter_mut().zip(bytes) {
        *equal = u8::from(needles.iter().fold(false, |any, needle| any | (byte == needle)));
    }
    // The multiplication gathers the lowest bits of eight bytes in the highest byte.
    let gather = |bytes: u64| (bytes.wrapping_mul(0x0102_0408_1020_4080) >> 56) as u16;
    let both = u128::from_le_bytes(equal);
    gather(both as u64) | gather((both >> 64) as u64) << 8
}

/// The first place from `start` on where one of the needles is.
#[must_use]
pub fn find<const N: usize>(text: &[u8], start: usize, needles: [u8; N]) -> Option<usize> {
    let (blocks, tail) = text.get(start..)?.as_chunks::<16>();
    for (index, block) in blocks.iter().enumerate() {
        let hits = hits(block, needles);
        if hits != 0 {
            return Some(start + index * 16 + hits.trailing_zeros() as usize);
        }
    }
    let place = tail.iter().position(|byte| needles.contains(byte))?;
    Some(start + blocks.len() * 16 + place)
}

/// [`find`] for needles that are a few bytes apart: remembers what it found in the sixty-four bytes that it looked at last.
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
        let mut finder = Self { text, needles, block_start: 0, block_hits: 0 };
        finder.look_at(0);
        finder
    }

    /// The first place from `start` on where one of the needles is; the end of the text, if there is none. `start` must not go back.
    #[inline]
    pub fn find(&mut self, start: usize) -> usize {
        let offset = start - self.block_start;
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
            padded.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            &padded
        });
        let (quarters, _) = block.as_chunks::<16>();
        self.block_hits = quarters.iter().rev().fold(0, |all, quarter| all << 16 | u64::from(hits(quarter, self.needles)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn all_places_are_found_by_every_way(text in proptest::collection::vec(prop::sample::select(b"\n\x0b\x8a,-\xac\"a\0\x7f\xff".as_slice()), 0..300)) {
            let needles = *b"\n,\"";
            let expected: Vec<usize> = (0..text.len()).filter(|place| needles.contains(&text[*place])).collect();
            let (mut found, mut start) = (Vec::new(), 0);
            while let Some(place) = find(&text, start, needles) {
                found.push(place);
                start = place + 1;
            }
            prop_assert_eq!(&found, &expected);
            let mut finder = Finder::new(&text, needles);
            for start in 0..=text.len() {
                let next = expected.iter().copied().find(|place| *place >= start);
                prop_assert_eq!(finder.find(start), next.unwrap_or(text.len()));
            }
            let mut leaping = Finder::new(&text, needles);
            for start in (0..=text.len()).step_by(97) {
                prop_assert_eq!(leaping.find(start), find(&text, start, needles).unwrap_or(text.len()));
            }
        }
    }
}
