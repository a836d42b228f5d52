//! Mutations of pickles, opcode by opcode: one is taken out, doubled, swapped with another's or
//! with a donor's, or its argument becomes a value at an edge. Arrays that joblib writes between
//! opcodes stay as they are.

use crate::mutation::{Generator, mutate};

/// What follows an opcode.
#[derive(Clone, Copy)]
enum Argument {
    Bytes(usize),
    /// A length of so many bytes, and then as many bytes.
    Counted(usize),
    Lines(usize),
}

/// The argument of an opcode, as `pickletools` of Python 3.13 lists them; none for another byte.
fn argument(opcode: u8) -> Option<Argument> {
    use Argument::{Bytes, Counted, Lines};
    Some(match opcode {
        b'('
        | b'.'
        | b'0'
        | b'1'
        | b'2'
        | b'N'
        | b'Q'
        | b'R'
        | b'a'
        | b'b'
        | b'd'
        | b'}'
        | b'e'
        | b'l'
        | b']'
        | b'o'
        | b's'
        | b't'
        | b')'
        | b'u'
        | 0x81
        | 0x85..=0x89
        | 0x8f..=0x94
        | 0x97
        | 0x98 => Bytes(0),
        b'K' | b'q' | b'h' | 0x80 | 0x82 => Bytes(1),
        b'M' | 0x83 => Bytes(2),
        b'J' | b'r' | b'j' | 0x84 => Bytes(4),
        b'G' | 0x95 => Bytes(8),
        b'U' | b'C' | 0x8a | 0x8c => Counted(1),
        b'T' | b'X' | b'B' | 0x8b => Counted(4),
        0x8d | 0x8e | 0x96 => Counted(8),
        b'F' | b'I' | b'L' | b'P' | b'S' | b'V' | b'g' | b'p' => Lines(1),
        b'c' | b'i' => Lines(2),
        _ => return None,
    })
}

/// The opcodes with their arguments, as ranges; what lies between or behind them is none of them.
fn opcodes(bytes: &[u8]) -> Vec<(usize, usize)> {
    let (mut found, mut index) = (Vec::new(), 0);
    while index < bytes.len() {
        let rest = &bytes[index + 1..];
        let length = argument(bytes[index]).and_then(|argument| match argument {
            Argument::Bytes(count) => Some(count),
            Argument::Counted(width) => {
                let count = rest.get(..width)?.iter().rev();
                let count = count.fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
                count.checked_add(width)
            }
            Argument::Lines(count) => {
                let ends = rest.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
                ends.map(|(end, _)| end + 1).nth(count - 1)
            }
        });
        match length.filter(|length| *length <= rest.len()) {
            Some(length) => {
                found.push((index, index + 1 + length));
                index += 1 + length;
            }
            None => index += 1,
        }
    }
    found
}

/// Whether the bytes begin as a pickle of protocol 2 or later does.
pub(crate) fn is_pickle(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, 2..=5, ..])
}

/// Mutates a pickle; none if it has too few opcodes for one.
pub(crate) fn mutated(random: &mut Generator, bytes: &[u8], donor: &[u8]) -> Option<Vec<u8>> {
    let mut all = bytes.to_vec();
    for _ in 0..=random.below(3) {
        let own = opcodes(&all);
        if own.len() < 4 {
            return None;
        }
        // The first says which protocol it is, the last that it has ended.
        let (start, end) = own[1 + random.below(own.len() - 2)];
        let other = own[random.below(own.len())];
        let piece = match random.below(6) {
            0 => Vec::new(),
            1 => all[start..end].repeat(2),
            2 => all[other.0..other.1].to_vec(),
            3 if is_pickle(donor) => {
                let theirs = opcodes(donor);
                let (start, end) = theirs[random.below(theirs.len())];
                donor[start..end].to_vec()
            }
            4 => vec![*random.pick(b"N)]}(t\x85\x86\x87RbsueaQ.0\x81\x94\x93h2")],
            _ => edged(random, &all[start..end]),
        };
        all.splice(start..end, piece);
    }
    Some(all)
}

/// An opcode whose argument is at an edge, with the length that it states.
fn edged(random: &mut Generator, opcode: &[u8]) -> Vec<u8> {
    const EDGES: [u64; 8] = [
        0,
        1,
        0xff,
        0x7fff_ffff,
        0xffff_ffff,
        1 << 62,
        u64::MAX,
        u64::MAX - 1,
    ];
    let mut new = opcode.to_vec();
    match argument(opcode[0]) {
        Some(Argument::Bytes(count @ 1..)) => {
            let edge = random.pick(&EDGES).to_le_bytes();
            new[1..].copy_from_slice(&edge[..count]);
        }
        Some(Argument::Counted(width)) => {
            let mut value = new.split_off(1 + width);
            mutate(random, &mut value, b"numpy\0\xff");
            let length = (value.len() as u64).to_le_bytes();
            new[1..].copy_from_slice(&length[..width]);
            new.extend(value);
        }
        _ => mutate(random, &mut new, b"-1\n"),
    }
    new
}

#[test]
fn opcodes_are_found_with_their_arguments() {
    // pickle.dumps({"a": [1, 300, 2.5], "b": ("x", None)}, 2)
    let bytes = b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01]q\x02(K\x01M,\x01G@\x04\x00\x00\x00\x00\
                  \x00\x00eX\x01\x00\x00\x00bq\x03X\x01\x00\x00\x00xq\x04N\x86q\x05u.";
    let found = opcodes(bytes);
    assert_eq!(found.len(), 22, "{found:?}");
    let joined: Vec<u8> = found
        .iter()
        .flat_map(|(start, end)| bytes[*start..*end].to_vec())
        .collect();
    assert_eq!(joined, bytes);
    let changed = (0..200)
        .filter(|seed| mutated(&mut Generator::new(*seed), bytes, bytes).unwrap() != bytes)
        .count();
    assert!(changed > 150, "{changed}");
}
