//! The hash that CatBoost takes of a category: the lower half of `CityHash64`, version 1.0, of the
//! value's text.
//!
//! Owns the hash alone. It must not know columns or models. Source: G. Pike and J. Alakuijala,
//! "Introducing `CityHash`" (2011), in the first version of the algorithm, whose constants and
//! steps for short texts differ from later ones; CatBoost's `CalcCatFeatureHash`.

/// The algorithm's primes.
const K0: u64 = 0xc3a5_c85c_97cb_3127;
const K1: u64 = 0xb492_b66f_be98_f273;
const K2: u64 = 0x9ae1_6a3b_2f90_404f;
const K3: u64 = 0xc949_d7c7_509e_6557;

/// What two words are multiplied by when they become one.
const PAIR_FACTOR: u64 = 0x9ddf_ea08_eb38_2d69;

/// The bytes that a long text is read in.
const BLOCK_BYTES: usize = 64;

/// The hash of a category's text.
#[must_use]
pub fn category_hash(text: &str) -> u32 {
    city_hash(text.as_bytes()) as u32
}

fn city_hash(text: &[u8]) -> u64 {
    match text.len() {
        0..=16 => short(text),
        17..=32 => medium(text),
        33..=64 => two_halves(text),
        _ => long(text),
    }
}

fn short(text: &[u8]) -> u64 {
    let length = text.len();
    match length {
        0 => K2,
        1..=3 => {
            let low = u64::from(text[0]) + (u64::from(text[length / 2]) << 8);
            let high = length as u64 + (u64::from(text[length - 1]) << 2);
            fold(low.wrapping_mul(K2) ^ high.wrapping_mul(K3)).wrapping_mul(K2)
        }
        4..=8 => pair(
            (half_word(text, 0) << 3).wrapping_add(length as u64),
            half_word(text, length - 4),
        ),
        _ => {
            let (begin, end) = (word(text, 0), word(text, length - 8));
            pair(
                begin,
                end.wrapping_add(length as u64).rotate_right(length as u32),
            ) ^ end
        }
    }
}

fn medium(text: &[u8]) -> u64 {
    let length = text.len();
    let (a, b) = (word(text, 0).wrapping_mul(K1), word(text, 8));
    let (c, d) = (
        word(text, length - 8).wrapping_mul(K2),
        word(text, length - 16).wrapping_mul(K0),
    );
    let left = a
        .wrapping_sub(b)
        .rotate_right(43)
        .wrapping_add(c.rotate_right(30))
        .wrapping_add(d);
    let right = a
        .wrapping_add((b ^ K3).rotate_right(20))
        .wrapping_sub(c)
        .wrapping_add(length as u64);
    pair(left, right)
}

fn two_halves(text: &[u8]) -> u64 {
    let length = text.len();
    let seed = (length as u64)
        .wrapping_add(word(text, length - 16))
        .wrapping_mul(K0);
    let (first, first_mixed) = half(text, 0, word(text, 0).wrapping_add(seed), word(text, 24));
    let start = word(text, 16).wrapping_add(word(text, length - 32));
    let (second, second_mixed) = half(text, length - 32, start, word(text, length - 8));
    let sum = first
        .wrapping_add(second_mixed)
        .wrapping_mul(K2)
        .wrapping_add(second.wrapping_add(first_mixed).wrapping_mul(K0));
    fold(fold(sum).wrapping_mul(K0).wrapping_add(first_mixed)).wrapping_mul(K2)
}

/// Two words of the 24 bytes from `offset` on, begun with `start`; `end` is the word after them.
fn half(text: &[u8], offset: usize, start: u64, end: u64) -> (u64, u64) {
    let (mut a, b, mut c) = (
        start,
        start.wrapping_add(end).rotate_right(52),
        start.rotate_right(37),
    );
    a = a.wrapping_add(word(text, offset + 8));
    c = c.wrapping_add(a.rotate_right(7));
    a = a.wrapping_add(word(text, offset + 16));
    (
        a.wrapping_add(end),
        b.wrapping_add(a.rotate_right(31)).wrapping_add(c),
    )
}

/// Begins with the last 64 bytes, then takes the text in blocks from its beginning; the last block
/// may not be full.
fn long(text: &[u8]) -> u64 {
    let length = text.len();
    let (mut first, mut second, mut third) = (
        word(text, 0),
        word(text, length - 16) ^ K1,
        word(text, length - 56) ^ K0,
    );
    let mut front = weak(text, length - 64, length as u64, second);
    let mut back = weak(text, length - 32, (length as u64).wrapping_mul(K1), K0);
    third = third.wrapping_add(fold(front.1).wrapping_mul(K1));
    first = third.wrapping_add(first).rotate_right(39).wrapping_mul(K1);
    second = second.rotate_right(33).wrapping_mul(K1);
    for block in text[..length - 1].chunks_exact(BLOCK_BYTES) {
        first = first
            .wrapping_add(second)
            .wrapping_add(front.0)
            .wrapping_add(word(block, 16))
            .rotate_right(37)
            .wrapping_mul(K1);
        second = second
            .wrapping_add(front.1)
            .wrapping_add(word(block, 48))
            .rotate_right(42)
            .wrapping_mul(K1);
        first ^= back.1;
        second ^= front.0;
        third = (third ^ back.0).rotate_right(33);
        front = weak(
            block,
            0,
            front.1.wrapping_mul(K1),
            first.wrapping_add(back.0),
        );
        back = weak(block, 32, third.wrapping_add(back.1), second);
        std::mem::swap(&mut third, &mut first);
    }
    let left = pair(front.0, back.0)
        .wrapping_add(fold(second).wrapping_mul(K1))
        .wrapping_add(third);
    pair(left, pair(front.1, back.1).wrapping_add(first))
}

/// Two words of 32 bytes and two seeds.
fn weak(text: &[u8], offset: usize, seed: u64, other: u64) -> (u64, u64) {
    let last = word(text, offset + 24);
    let start = seed.wrapping_add(word(text, offset));
    let mixed = other
        .wrapping_add(start)
        .wrapping_add(last)
        .rotate_right(21);
    let sum = start
        .wrapping_add(word(text, offset + 8))
        .wrapping_add(word(text, offset + 16));
    (
        sum.wrapping_add(last),
        mixed.wrapping_add(sum.rotate_right(44)).wrapping_add(start),
    )
}

/// One word of two.
fn pair(left: u64, right: u64) -> u64 {
    let first = fold((left ^ right).wrapping_mul(PAIR_FACTOR));
    fold((right ^ first).wrapping_mul(PAIR_FACTOR)).wrapping_mul(PAIR_FACTOR)
}

fn fold(value: u64) -> u64 {
    value ^ (value >> 47)
}

fn word(text: &[u8], offset: usize) -> u64 {
    text[offset..]
        .first_chunk()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn half_word(text: &[u8], offset: usize) -> u64 {
    text[offset..]
        .first_chunk()
        .map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (bytes of [`LETTERS`], repeated; what CatBoost 1.2.10 wrote for them under
    /// `cat_features_hash`).
    const KNOWN: [(usize, u32); 23] = [
        (0, 797_982_799),
        (1, 311_401_451),
        (2, 1_391_204_213),
        (3, 802_589_044),
        (4, 3_051_752_953),
        (7, 3_950_516_137),
        (8, 3_664_305_727),
        (9, 62_722_841),
        (15, 2_874_732_688),
        (16, 3_688_493_868),
        (17, 2_361_206_127),
        (31, 1_752_146_168),
        (32, 704_156_603),
        (33, 2_239_288_843),
        (63, 361_797_315),
        (64, 731_159_888),
        (65, 624_330_018),
        (127, 2_186_297_078),
        (128, 2_860_449_730),
        (129, 3_570_744_398),
        (192, 4_102_926_599),
        (193, 3_549_085_226),
        (300, 4_212_975_382),
    ];

    const LETTERS: &str = "The quick brown fox jumps over the lazy dog; pack my box with five \
                           dozen jugs. 0123456789 ";

    #[test]
    fn texts_of_every_length_have_the_hash_that_catboost_stores() {
        let text = LETTERS.repeat(4);
        for (length, hash) in KNOWN {
            assert_eq!(category_hash(&text[..length]), hash, "{length} bytes");
        }
        assert_eq!(category_hash("gr\u{f6}\u{df}e"), 3_429_406_764);
    }
}
