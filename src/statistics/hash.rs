//! One hash of values for every statistic that is stored.
//!
//! Owns the function: `MurmurHash3` by A. Appleby, in the form `x64_128` with the seed 0, which is
//! what Apache `DataSketches` uses too. Stored statistics depend on it, so it never changes; it
//! does not resist values that were made to collide on purpose.

const FIRST: u64 = 0x87c3_7b91_1142_53d5;
const SECOND: u64 = 0x4cf5_ad43_2745_937f;

/// The hash of a value's bytes.
#[must_use]
pub fn of_bytes(bytes: &[u8]) -> u128 {
    let (mut low, mut high) = (0_u64, 0_u64);
    let (blocks, tail) = bytes.as_chunks::<16>();
    for block in blocks {
        let [one, other] = halves(block);
        low = (low ^ first(one)).rotate_left(27).wrapping_add(high);
        low = low.wrapping_mul(5).wrapping_add(0x52dc_e729);
        high = (high ^ second(other)).rotate_left(31).wrapping_add(low);
        high = high.wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let mut block = [0; 16];
    block[..tail.len()].copy_from_slice(tail);
    let [one, other] = halves(&block);
    let length = bytes.len() as u64;
    low ^= first(one) ^ length;
    high ^= second(other) ^ length;
    low = low.wrapping_add(high);
    high = high.wrapping_add(low);
    (low, high) = (mixed(low), mixed(high));
    low = low.wrapping_add(high);
    high = high.wrapping_add(low);
    u128::from(high) << 64 | u128::from(low)
}

fn halves(block: &[u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(*block);
    [both as u64, (both >> 64) as u64]
}

fn first(value: u64) -> u64 {
    value
        .wrapping_mul(FIRST)
        .rotate_left(31)
        .wrapping_mul(SECOND)
}

fn second(value: u64) -> u64 {
    value
        .wrapping_mul(SECOND)
        .rotate_left(33)
        .wrapping_mul(FIRST)
}

fn mixed(mut value: u64) -> u64 {
    value ^= value >> 33;
    value = value.wrapping_mul(0xff51_afd7_ed55_8ccd);
    value ^= value >> 33;
    value = value.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    value ^ (value >> 33)
}

/// The hash of a number: both zeros are one value, and so are all NaNs.
#[must_use]
pub fn of_number(value: f64) -> u128 {
    let value = if value.is_nan() {
        f64::NAN
    } else {
        value + 0.0
    };
    of_bytes(&value.to_bits().to_le_bytes())
}

/// Up to here double precision holds every integer.
const MAX_EXACT_INTEGER: u128 = 1 << 53;

/// The hash of an integer: that of [`of_number`] where double precision holds it.
#[must_use]
#[inline]
pub fn of_integer(value: i128) -> u128 {
    let double = value as f64;
    // The largest double of an `i128` is 2¹²⁷, which comes back as one less.
    let is_exact = value.unsigned_abs() <= MAX_EXACT_INTEGER || double as i128 == value;
    if is_exact && value != i128::MAX {
        of_number(double)
    } else {
        of_bytes(&value.to_le_bytes())
    }
}

/// A well-spread integer for an integer: the finaliser of `SplitMix64`.
#[must_use]
pub fn spread(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_specification() {
        // The package mmh3 5 of Python: hash128(text, seed=0, x64arch=True)
        assert_eq!(of_bytes(b""), 0);
        assert_eq!(
            of_bytes(b"tallow"),
            0x1a69_e924_ca8c_5e0e_329c_face_e4e1_0591
        );
        assert_eq!(
            of_bytes(b"the quick brown fox jumps"),
            0xaeb5_10b4_ec59_8c0f_90ac_cf02_4387_340d
        );
        assert_eq!(of_number(0.0), of_number(-0.0));
        assert_eq!(of_number(f64::NAN), of_number(-f64::NAN));
        assert_ne!(of_number(1.0), of_number(2.0));
        for integer in [
            0,
            -3,
            1 << 53,
            -(1 << 53),
            (1 << 53) + 2,
            1 << 90,
            i128::MIN,
        ] {
            assert_eq!(of_integer(integer), of_number(integer as f64), "{integer}");
        }
        for integer in [(1 << 53) + 1, i128::from(u64::MAX), i128::MAX] {
            assert_ne!(of_integer(integer), of_number(integer as f64), "{integer}");
        }
        // Java's SplittableRandom(0).nextLong()
        assert_eq!(spread(0), 0xe220_a839_7b1d_cdaf);
    }
}
