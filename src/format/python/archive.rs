//! ZIP archives as untrusted bytes.
//!
//! Owns the directory of an archive and its entries, stored or deflated. Names are keys and never
//! paths. Entries that overlap, lie outside the file, go by one name twice or are encrypted make
//! the whole archive broken; an entry's bytes must have the size and the checksum that it states.
//! Source: PKWARE's `APPNOTE.TXT`, sections 4.3 and 4.5.3.

use std::collections::HashMap;
use std::io::Read;

use bytes::Bytes;
use flate2::read::DeflateDecoder;

use crate::error::{Error, Result};
use crate::memory::{self, Reservation};

/// What an archive begins with.
pub(crate) use crate::table::compression::ZIP_START as START;

const ENTRY: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END64: &[u8] = b"PK\x06\x06";
const END64_LOCATOR: &[u8] = b"PK\x06\x07";

/// The longest comment of an archive.
const COMMENT_BYTES: usize = 1 << 16;

/// The bytes of the record at the end, and of an entry's header in the directory and in front of
/// its data.
const END_BYTES: usize = 22;
const END64_BYTES: usize = 56;
const LOCATOR64_BYTES: usize = 20;
const ENTRY_BYTES: usize = 46;
const LOCAL_BYTES: usize = 30;

/// Deflate never makes more of a byte than this.
const DEFLATE_RATIO: u64 = 1032;

/// Where an entry lies and what it says of itself.
#[derive(Clone, Debug)]
struct Entry {
    /// Compressed bytes in the file.
    data: std::ops::Range<usize>,
    size: u64,
    is_deflated: bool,
    checksum: u32,
}

/// An archive's entries by name.
#[derive(Debug)]
pub(crate) struct Archive {
    bytes: Bytes,
    entries: HashMap<String, Entry>,
    /// What was inflated, as it is counted.
    reservation: Reservation,
}

fn broken(message: &str) -> Error {
    Error::failed(format!("cannot read the archive: {message}"))
        .hint("the file is cut short or damaged: copy or save the model again")
}

/// A little-endian number of the file.
fn number(bytes: &[u8], at: usize, length: usize) -> Result<u64> {
    let end = at.checked_add(length);
    let found = end
        .and_then(|end| bytes.get(at..end))
        .ok_or_else(|| broken("it ends too early"))?;
    Ok(found
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn index(number: u64) -> Result<usize> {
    usize::try_from(number).map_err(|_| broken("a position is outside the file"))
}

/// Where the record at the end begins.
fn end_record(bytes: &[u8]) -> Option<usize> {
    let tail = bytes.len().saturating_sub(COMMENT_BYTES + END_BYTES);
    let end = bytes[tail..]
        .windows(END.len())
        .rposition(|window| window == END)?;
    Some(tail + end)
}

/// The names in an archive's directory, as far as it can be read; none if it is no such archive.
/// Of a large archive the two ends are enough: the directory is found from its own end.
pub(crate) fn names(bytes: &[u8]) -> Option<Vec<String>> {
    if !bytes.starts_with(START) {
        return None;
    }
    let start = |end: usize| {
        // Records of 64 bits, as PyTorch writes them, lie between the directory and its end.
        let is = |at: &usize, what: &[u8]| bytes[*at..].starts_with(what);
        let locator = end.checked_sub(LOCATOR64_BYTES);
        let (end, size) = match locator.filter(|at| is(at, END64_LOCATOR)) {
            None => (end, number(bytes, end + 12, 4)),
            Some(at) => {
                let end = at.checked_sub(END64_BYTES).filter(|at| is(at, END64))?;
                (end, number(bytes, end + 40, 8))
            }
        };
        end.checked_sub(size.and_then(index).ok()?)
    };
    let mut names = Vec::new();
    let mut at = end_record(bytes).and_then(start);
    while let Some((name, next)) = at.and_then(|at| named(bytes, at).ok()) {
        names.push(String::from_utf8_lossy(name).into_owned());
        at = Some(next);
    }
    Some(names)
}

/// The name of the directory's entry that begins at a position, and where the next one begins.
fn named(bytes: &[u8], at: usize) -> Result<(&[u8], usize)> {
    if !bytes.get(at..).is_some_and(|rest| rest.starts_with(ENTRY)) {
        return Err(broken("its directory is damaged"));
    }
    let length = |offset: usize| Ok(number(bytes, at + offset, 2)? as usize);
    let (name, further) = (length(28)?, length(30)? + length(32)?);
    let end = at + ENTRY_BYTES + name;
    let name = bytes.get(at + ENTRY_BYTES..end);
    let name = name.ok_or_else(|| broken("a name is not UTF-8"))?;
    Ok((name, end + further))
}

/// Number of entries and offset of the directory.
fn directory(bytes: &[u8]) -> Result<(u64, usize)> {
    let end = end_record(bytes).ok_or_else(|| broken("it has no directory"))?;
    let (count, offset) = (number(bytes, end + 10, 2)?, number(bytes, end + 16, 4)?);
    let locator = end
        .checked_sub(20)
        .filter(|at| bytes[*at..].starts_with(END64_LOCATOR));
    let Some(locator) = locator else {
        return Ok((count, index(offset)?));
    };
    let end64 = index(number(bytes, locator + 8, 8)?)?;
    if !bytes
        .get(end64..)
        .is_some_and(|rest| rest.starts_with(END64))
    {
        return Err(broken("its directory is not where it says"));
    }
    Ok((
        number(bytes, end64 + 32, 8)?,
        index(number(bytes, end64 + 48, 8)?)?,
    ))
}

/// An entry of the directory that begins at a position, and where the next one begins.
fn entry(bytes: &[u8], at: usize) -> Result<(String, Entry, usize)> {
    let (name, next) = named(bytes, at)?;
    let field = |offset: usize, length: usize| number(bytes, at + offset, length);
    let (flags, method) = (field(8, 2)?, field(10, 2)?);
    let checksum = field(16, 4)? as u32;
    let (mut packed, mut size, mut local) = (field(20, 4)?, field(24, 4)?, field(42, 4)?);
    let (extra, extra_length) = (at + ENTRY_BYTES + name.len(), field(30, 2)? as usize);
    let name = std::str::from_utf8(name)
        .map_err(|_| broken("a name is not UTF-8"))?
        .to_owned();
    if flags & 1 != 0 {
        return Err(Error::contract(format!(
            "the archive's entry `{}` is encrypted",
            short(&name)
        ))
        .hint("save the model without a password"));
    }
    if method != 0 && method != 8 {
        return Err(Error::contract(format!(
            "the archive's entry `{}` is compressed in a way that is not read (method {method})",
            short(&name)
        ))
        .hint("save it with `zipfile.ZIP_STORED` or `zipfile.ZIP_DEFLATED`"));
    }
    let wide = [&mut size, &mut packed, &mut local];
    read_wide(bytes, extra..extra + extra_length, wide)?;
    let data = data_of(bytes, index(local)?, index(packed)?)?;
    let is_deflated = method == 8;
    let most = if is_deflated {
        packed.saturating_mul(DEFLATE_RATIO)
    } else {
        packed
    };
    if size > most || !is_deflated && size != packed {
        return Err(broken(&format!(
            "the size of `{}` is impossible",
            short(&name)
        )));
    }
    Ok((
        name,
        Entry {
            data,
            size,
            is_deflated,
            checksum,
        },
        next,
    ))
}

/// Reads numbers of 64 bits in the place of those that 32 bits cannot hold.
fn read_wide(bytes: &[u8], mut extra: std::ops::Range<usize>, wide: [&mut u64; 3]) -> Result<()> {
    const NARROW: u64 = 0xffff_ffff;
    const WIDE: u64 = 1;
    while extra.len() >= 4 {
        let (kind, length) = (
            number(bytes, extra.start, 2)?,
            number(bytes, extra.start + 2, 2)?,
        );
        let mut at = extra.start + 4;
        extra.start = at + length as usize;
        if kind == WIDE {
            for value in wide {
                if *value == NARROW {
                    *value = number(bytes, at, 8)?;
                    at += 8;
                }
            }
            return Ok(());
        }
    }
    Ok(())
}

/// Where the data of an entry lies whose own header begins at a position.
fn data_of(bytes: &[u8], local: usize, length: usize) -> Result<std::ops::Range<usize>> {
    if !bytes
        .get(local..)
        .is_some_and(|rest| rest.starts_with(START))
    {
        return Err(broken("an entry is not where its directory says"));
    }
    let names = number(bytes, local + 26, 2)? + number(bytes, local + 28, 2)?;
    let start = local + LOCAL_BYTES + names as usize;
    let end = start.checked_add(length).filter(|end| *end <= bytes.len());
    Ok(start..end.ok_or_else(|| broken("an entry lies outside the file"))?)
}

fn short(name: &str) -> String {
    name.chars()
        .filter(|one| !one.is_control())
        .take(60)
        .collect()
}

/// The names in an archive's directory, as far as it can be read; none if there is none.
pub(crate) fn directory_names(bytes: &[u8]) -> Option<Vec<String>> {
    let (count, mut at) = directory(bytes).ok()?;
    let mut names = Vec::new();
    for _ in 0..count.min((bytes.len() / ENTRY_BYTES) as u64) {
        if !bytes.get(at..).is_some_and(|rest| rest.starts_with(ENTRY)) {
            break;
        }
        let lengths = [28, 30, 32].map(|field| number(bytes, at + field, 2).ok());
        let [Some(name), Some(extra), Some(comment)] = lengths else {
            break;
        };
        let start = at + ENTRY_BYTES;
        let Some(text) = bytes.get(start..start + name as usize) else {
            break;
        };
        names.push(String::from_utf8_lossy(text).into_owned());
        at = start + (name + extra + comment) as usize;
    }
    Some(names)
}

/// The name of an archive's first entry, by its own header.
pub(crate) fn first_name(bytes: &[u8]) -> Option<&str> {
    let length = number(bytes, 26, 2)
        .ok()
        .filter(|_| bytes.starts_with(START))?;
    std::str::from_utf8(bytes.get(LOCAL_BYTES..LOCAL_BYTES + length as usize)?).ok()
}

impl Archive {
    /// Reads the directory.
    ///
    /// # Errors
    /// Fails for a broken archive; a contract error for encryption and unknown compression.
    pub(crate) fn open(bytes: Bytes) -> Result<Self> {
        let (count, mut at) = directory(&bytes)?;
        if count > (bytes.len() / ENTRY_BYTES) as u64 {
            return Err(broken("it has more entries than bytes for them"));
        }
        let mut reservation = memory::reserve(0, "the directory of the archive")?;
        let mut entries = HashMap::new();
        for _ in 0..count {
            let (name, entry, next) = entry(&bytes, at)?;
            reservation.grow(
                2 * size_of::<Entry>() as u64 + name.len() as u64,
                "the directory",
            )?;
            let shown = short(&name);
            if entries.insert(name, entry).is_some() {
                return Err(broken(&format!("it holds `{shown}` twice")));
            }
            at = next;
        }
        let mut ranges: Vec<_> = entries.values().map(|entry| entry.data.clone()).collect();
        ranges.sort_by_key(|range| (range.start, range.end));
        if ranges.windows(2).any(|pair| pair[0].end > pair[1].start) {
            return Err(broken("its entries overlap"));
        }
        Ok(Self {
            bytes,
            entries,
            reservation,
        })
    }

    /// The content of an entry.
    ///
    /// # Errors
    /// Fails if there is none, if it is broken, or if there is no memory for it.
    pub(crate) fn read(&mut self, name: &str) -> Result<Bytes> {
        let entry = self.entries.get(name);
        let entry = entry.ok_or_else(|| broken(&format!("it has no entry `{}`", short(name))))?;
        let packed = self.bytes.slice(entry.data.clone());
        let content = if entry.is_deflated {
            self.reservation
                .grow(entry.size, "decompressing the archive")?;
            let mut content = Vec::new();
            content
                .try_reserve_exact(entry.size as usize)
                .map_err(|error| {
                    Error::failed("there is no memory for an entry of the archive").because(error)
                })?;
            // One byte more shows that the entry is larger than it says.
            DeflateDecoder::new(packed.as_ref())
                .take(entry.size + 1)
                .read_to_end(&mut content)
                .map_err(|error| {
                    broken(&format!("`{}` cannot be decompressed", short(name))).because(error)
                })?;
            Bytes::from(content)
        } else {
            packed
        };
        let is_whole =
            content.len() as u64 == entry.size && crc32fast::hash(&content) == entry.checksum;
        if is_whole {
            Ok(content)
        } else {
            Err(broken(&format!("`{}` is damaged", short(name))))
        }
    }
}
