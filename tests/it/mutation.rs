//! Mutations of bytes: a generator of its own, so that a seed makes the same file on every machine
//! and in every year.

/// `SplitMix64`: small, and good enough to choose positions.
pub(crate) struct Generator(u64);

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, 0 for an `end` of 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

/// Texts that mean something to a reader of JSON, TOML, CSV or model text.
const TOKENS: [&str; 40] = [
    "-1",
    "0",
    "1",
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "1e999",
    "-1e999",
    "1e-400",
    "0.1",
    "-0",
    "NaN",
    "nan",
    "inf",
    "-inf",
    "Infinity",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "\"\\ud800\"",
    "\"\\u0000\"",
    ",",
    ":",
    "\"",
    "\n",
    "\r\n",
    "\t",
    "\u{feff}",
    "\u{0}",
    "==",
    "=",
    "999999999",
    "tree_sizes",
    "..",
];

/// Bytes that mean something to a reader of UBJSON, Thrift, safetensors or a compressed stream.
const BYTES: [&[u8]; 14] = [
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x00\x00\x00\x80",
    b"[$d#l\x7f\xff\xff\xff",
    b"[$L#L\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"[#i\xff",
    b"SL\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"PAR1",
    b"{",
];

/// Changes `bytes` in one to four positions; `donor` gives pieces of another file.
pub(crate) fn mutate(random: &mut Generator, bytes: &mut Vec<u8>, donor: &[u8]) {
    for _ in 0..=random.below(4) {
        let is_text = std::str::from_utf8(bytes).is_ok();
        match random.below(if is_text { 14 } else { 10 }) {
            0 => flip(random, bytes),
            1 => insert(random, bytes),
            2 => remove(random, bytes),
            3 => {
                let length = random.below(bytes.len() + 1);
                bytes.truncate(length);
            }
            4 => swap(random, bytes),
            5 => splice(random, bytes, donor),
            6 | 7 => overwrite(random, bytes),
            8 => repeat(random, bytes),
            9 => step(random, bytes),
            10 => deepen(random, bytes),
            _ => garble_text(random, bytes),
        }
    }
}

/// A place in a file: anywhere, or near its end or beginning, where headers and footers are.
fn index(random: &mut Generator, length: usize) -> usize {
    match random.below(4) {
        0 => length - random.below(length.min(600) + 1),
        1 => random.below(length.min(100) + 1),
        _ => random.below(length + 1),
    }
    .min(length.saturating_sub(1))
}

fn range(random: &mut Generator, length: usize) -> std::ops::Range<usize> {
    let start = index(random, length);
    let most = if random.below(3) == 0 {
        length - start
    } else {
        16
    };
    start..(start + 1 + random.below(most)).min(length)
}

fn flip(random: &mut Generator, bytes: &mut [u8]) {
    let index = index(random, bytes.len());
    if let Some(byte) = bytes.get_mut(index) {
        *byte ^= 1 << random.below(8);
    }
}

/// A neighbouring value: counts and offsets that are wrong by one.
fn step(random: &mut Generator, bytes: &mut [u8]) {
    let index = index(random, bytes.len());
    if let Some(byte) = bytes.get_mut(index) {
        *byte = byte.wrapping_add(*random.pick(&[1, 2, 254, 255]));
    }
}

fn insert(random: &mut Generator, bytes: &mut Vec<u8>) {
    let index = index(random, bytes.len());
    let new: Vec<u8> = (0..=random.below(8)).map(|_| random.next() as u8).collect();
    bytes.splice(index..index, new);
}

fn remove(random: &mut Generator, bytes: &mut Vec<u8>) {
    let range = range(random, bytes.len());
    bytes.drain(range);
}

fn swap(random: &mut Generator, bytes: &mut [u8]) {
    let (left, right) = (index(random, bytes.len()), index(random, bytes.len()));
    let (left, right) = (left.min(right), left.max(right));
    let length = random.below(64).min(right - left).min(bytes.len() - right);
    let (head, tail) = bytes.split_at_mut(right);
    head[left..left + length].swap_with_slice(&mut tail[..length]);
}

fn splice(random: &mut Generator, bytes: &mut Vec<u8>, donor: &[u8]) {
    let (index, piece) = (index(random, bytes.len()), range(random, donor.len()));
    bytes.splice(index..index, donor[piece].iter().copied());
}

fn overwrite(random: &mut Generator, bytes: &mut Vec<u8>) {
    let (index, new) = (index(random, bytes.len()), *random.pick(&BYTES));
    let end = (index + new.len()).min(bytes.len());
    bytes.splice(index..end, new.iter().copied());
}

fn repeat(random: &mut Generator, bytes: &mut Vec<u8>) {
    let range = range(random, bytes.len());
    let piece =
        bytes[range.clone()].repeat(1 + random.below(200).min(100_000 / range.len().max(1)));
    bytes.splice(range.end..range.end, piece);
}

/// Brackets within brackets.
fn deepen(random: &mut Generator, bytes: &mut Vec<u8>) {
    let index = index(random, bytes.len());
    let piece = random
        .pick(&["[", "{\"a\":", "(", "[[a]]\n", "a.", "\"\"\"", "'''"])
        .repeat(1 + random.below(50_000));
    bytes.splice(index..index, piece.into_bytes());
}

/// Puts a token, or another token of the same text, in the place of one.
fn garble_text(random: &mut Generator, bytes: &mut Vec<u8>) {
    let target = token(random, bytes);
    let new = if random.below(3) == 0 {
        bytes[token(random, bytes)].to_vec()
    } else {
        random.pick(&TOKENS).as_bytes().to_vec()
    };
    bytes.splice(target, new);
}

/// A run of characters that belong together, around or after a place.
fn token(random: &mut Generator, bytes: &[u8]) -> std::ops::Range<usize> {
    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-._".contains(byte);
    let start = index(random, bytes.len());
    let start = start + bytes[start..].iter().position(is_inside).unwrap_or(0);
    let start = start
        - bytes[..start]
            .iter()
            .rev()
            .take_while(|byte| is_inside(byte))
            .count();
    start
        ..start
            + bytes[start..]
                .iter()
                .take_while(|byte| is_inside(byte))
                .count()
}
