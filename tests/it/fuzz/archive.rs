//! Mutations of what zip archives and zlib streams hold, with sizes and checksums that fit.

use std::io::{Read, Write};

use crate::mutation::Generator;

/// Larger entries are left alone.
const MAX_BYTES: u64 = 4 << 20;

/// A change to what is packed.
pub(crate) type Change<'a> = &'a mut dyn FnMut(&mut Generator, &mut Vec<u8>);

pub(crate) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// Whether the bytes begin as a stream of zlib does.
pub(crate) fn is_zlib(bytes: &[u8]) -> bool {
    matches!(bytes, [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..])
}

/// The archive with an entry changed, taken out, doubled or renamed; none if it is not one that is
/// understood.
pub(crate) fn zip(random: &mut Generator, bytes: &[u8], change: Change<'_>) -> Option<Vec<u8>> {
    let mut entries = entries(bytes)?;
    let target = random.below(entries.len());
    match random.below(12) {
        0 => _ = entries.remove(target),
        1 => {
            let again = entries[target].clone();
            entries.push(again);
        }
        2 => {
            let names = [
                "",
                "..",
                "/etc/x",
                "a/../b",
                "schema.json",
                "0.npy",
                "data.pkl",
                "model/models/model.json",
                "model/data/weights/weight_0",
                "serialized_state_dict.pt",
            ];
            random
                .pick(&names)
                .as_bytes()
                .clone_into(&mut entries[target].0);
        }
        _ => change(random, &mut entries[target].1),
    }
    Some(archive(&entries))
}

/// The stream with its content changed.
pub(crate) fn zlib(random: &mut Generator, bytes: &[u8], change: Change<'_>) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let decoder = flate2::read::ZlibDecoder::new(bytes);
    decoder.take(MAX_BYTES).read_to_end(&mut content).ok()?;
    change(random, &mut content);
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&content).ok()?;
    encoder.finish().ok()
}

fn number(bytes: &[u8], start: usize, width: usize) -> Option<usize> {
    let bytes = bytes.get(start..start + width)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
    )
}

/// (name, content) of each entry, by the local headers; none if one does not state its size.
fn entries(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let (mut rest, mut found) = (bytes, Vec::new());
    while is_zip(rest) {
        let (method, packed) = (number(rest, 8, 2)?, number(rest, 18, 4)?);
        let (name, extra) = (number(rest, 26, 2)?, number(rest, 28, 2)?);
        let start = 30 + name + extra;
        let content = rest.get(start..start.checked_add(packed)?)?;
        let content = match method {
            0 => content.to_vec(),
            8 => {
                let mut plain = Vec::new();
                let decoder = flate2::read::DeflateDecoder::new(content);
                decoder.take(MAX_BYTES).read_to_end(&mut plain).ok()?;
                plain
            }
            _ => return None,
        };
        found.push((rest.get(30..30 + name)?.to_vec(), content));
        rest = &rest[start + packed..];
    }
    (!found.is_empty()).then_some(found)
}

/// An archive of these entries, not compressed.
pub(crate) fn archive(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let (mut all, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let mut sum = flate2::Crc::new();
        sum.update(content);
        let mut facts = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        facts.extend(sum.sum().to_le_bytes());
        facts.extend((content.len() as u32).to_le_bytes().repeat(2));
        facts.extend((name.len() as u16).to_le_bytes());
        facts.extend([0, 0]);
        directory.extend(*b"PK\x01\x02\x14\x00");
        directory.extend(&facts);
        directory.extend([0; 10]);
        directory.extend((all.len() as u32).to_le_bytes());
        directory.extend(name);
        all.extend(*b"PK\x03\x04");
        all.extend(&facts);
        all.extend(name);
        all.extend(content);
    }
    let start = all.len() as u32;
    all.extend(&directory);
    all.extend(*b"PK\x05\x06\0\0\0\0");
    all.extend((entries.len() as u16).to_le_bytes().repeat(2));
    all.extend((directory.len() as u32).to_le_bytes());
    all.extend(start.to_le_bytes());
    all.extend([0, 0]);
    all
}

#[test]
fn an_archive_is_read_back_and_its_entries_are_changed() {
    let entries_in = [
        (b"schema.json".to_vec(), b"{}".to_vec()),
        (b"0.npy".to_vec(), vec![7; 300]),
    ];
    let bytes = archive(&entries_in);
    assert_eq!(entries(&bytes).unwrap(), entries_in);
    let mut change = |_: &mut Generator, bytes: &mut Vec<u8>| bytes.push(9);
    let changed = (0..50)
        .filter(|seed| zip(&mut Generator::new(*seed), &bytes, &mut change).unwrap() != bytes)
        .count();
    assert!(changed > 40, "{changed}");
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"abc").unwrap();
    let packed = encoder.finish().unwrap();
    assert!(is_zlib(&packed), "{packed:x?}");
    let changed = zlib(&mut Generator::new(1), &packed, &mut change).unwrap();
    let mut plain = Vec::new();
    flate2::read::ZlibDecoder::new(&changed[..])
        .read_to_end(&mut plain)
        .unwrap();
    assert_eq!(plain, b"abc\t");
}
