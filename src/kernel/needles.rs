//! Which of 64 bytes are ones that are looked for, a bit each.
//!
//! Owns the comparison of whole registers, and its twin of eight bytes at a time. It must not know
//! what the bytes mean.
//!
//! The instructions (SSE2) are part of every x86-64 processor, so nothing is asked and the step is
//! inlined where it is used.

/// Bytes that are looked at together.
pub const BLOCK: usize = 64;

/// For each byte, the first lowest, whether it is one of `needles`.
#[inline]
#[must_use]
pub fn hits<const N: usize>(block: &[u8; BLOCK], needles: [u8; N]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    let hits = registers::hits(block, needles);
    #[cfg(not(target_arch = "x86_64"))]
    let hits = portable(block, needles);
    hits
}

/// [`hits`], eight bytes at a time.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn portable<const N: usize>(block: &[u8; BLOCK], needles: [u8; N]) -> u64 {
    // The multiplication gathers the lowest bits of eight bytes in the highest byte.
    let gathered = |hits: u64| (hits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    let words = block.as_chunks::<8>().0;
    words.iter().rev().fold(0, |all, word| {
        all << 8 | gathered(highest_bits(*word, needles))
    })
}

/// The highest bit of each of eight bytes: set where the byte is one of the needles, and only
/// there.
#[inline]
#[must_use]
pub fn highest_bits<const N: usize>(bytes: [u8; 8], needles: [u8; N]) -> u64 {
    const LOWS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let word = u64::from_le_bytes(bytes);
    let different = needles.iter().fold(!LOWS, |all, needle| {
        let difference = word ^ u64::from_le_bytes([*needle; 8]);
        all & (((difference & LOWS) + LOWS) | difference)
    });
    different ^ !LOWS
}

#[cfg(target_arch = "x86_64")]
mod registers {
    #![expect(unsafe_code, reason = "reads of whole registers")]

    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
        _mm_setzero_si128,
    };

    use super::BLOCK;

    #[inline]
    pub(super) fn hits<const N: usize>(block: &[u8; BLOCK], needles: [u8; N]) -> u64 {
        let registers = block.as_chunks::<16>().0;
        // SAFETY: every x86-64 processor has SSE2, and each read is of 16 bytes that are there.
        unsafe {
            let needles = needles.map(|needle| _mm_set1_epi8(needle.cast_signed()));
            registers.iter().rev().fold(0, |all, bytes| {
                let bytes = _mm_loadu_si128(bytes.as_ptr().cast());
                let found = needles.iter().fold(_mm_setzero_si128(), |found, needle| {
                    _mm_or_si128(found, _mm_cmpeq_epi8(bytes, *needle))
                });
                all << 16 | u64::from(_mm_movemask_epi8(found) as u16)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn registers_and_words_find_the_same(
            bytes in proptest::collection::vec(
                prop::sample::select(b"\n\x0b\x8a,-\xac\"a\0\x7f\xff".as_slice()), BLOCK),
        ) {
            let block: &[u8; BLOCK] = bytes.as_slice().try_into().expect("a block");
            for needles in [*b"\n,\"", *b"\0\xff\x7f", *b"aaa"] {
                let expected = (0..BLOCK)
                    .filter(|slot| needles.contains(&block[*slot]))
                    .fold(0, |all, slot| all | 1_u64 << slot);
                prop_assert_eq!(hits(block, needles), expected);
                prop_assert_eq!(portable(block, needles), expected);
            }
        }
    }
}
