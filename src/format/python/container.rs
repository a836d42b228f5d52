//! Kinds of Python files by their first bytes, and what they are compressed with.
//!
//! Owns inflation in bounds: what comes out is counted by the accountant as it grows, and must
//! begin as a pickle does before the rest is inflated. One layer is taken off, never two.

use std::io::Read;

use bytes::Bytes;
use bzip2::read::MultiBzDecoder;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use lz4_flex::frame::FrameDecoder;
use lzma_rust2::{LzmaReader, XzReader};

use super::cursor::Cursor;
use super::machine::load;
use super::record::{Arena, Id};
use super::trust::Calls;
use crate::error::{Error, Result};
use crate::memory::{self, Reservation};
use crate::table::compression::{GZIP_START, LZ4_START, XZ_START};

/// What is made, in refusals of the accountant.
const SUBJECT: &str = "decompressing the Python file";

/// Bytes that are inflated before the accountant is asked again, at least.
const STEP_BYTES: usize = 1 << 20;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Zlib,
    Gzip,
    Lz4,
    Bzip2,
    Lzma,
}

impl Compression {
    /// How bytes that begin so are compressed, by joblib's own magic numbers.
    pub(crate) fn find(head: &[u8]) -> Self {
        match head {
            [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => Self::Zlib,
            _ if head.starts_with(GZIP_START) => Self::Gzip,
            _ if head.starts_with(LZ4_START) => Self::Lz4,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Bzip2,
            [0x5d, 0, 0, ..] => Self::Lzma,
            _ if head.starts_with(XZ_START) => Self::Lzma,
            _ => Self::None,
        }
    }

    /// The first bytes of what is compressed; none where it is broken, or cut within a block.
    pub(crate) fn start(self, bytes: &[u8]) -> Vec<u8> {
        fn first(reader: impl Read) -> Vec<u8> {
            let mut start = Vec::new();
            // What is broken further on does not matter here.
            let _ = reader.take(32).read_to_end(&mut start);
            start
        }
        match self {
            Self::Zlib => first(ZlibDecoder::new(bytes)),
            Self::Gzip => first(MultiGzDecoder::new(bytes)),
            Self::Lz4 => first(FrameDecoder::new(bytes)),
            Self::Bzip2 => first(MultiBzDecoder::new(bytes)),
            Self::Lzma => lzma(bytes).map_or_else(|_| Vec::new(), first),
            Self::None => Vec::new(),
        }
    }

    /// The name that users know.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Zlib => "zlib",
            Self::Gzip => "gzip",
            Self::Lz4 => "lz4",
            Self::Bzip2 => "bz2",
            Self::Lzma => "xz or lzma",
        }
    }
}

/// A Python file that was read.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its values.
    pub(crate) arena: Arena,
    /// The object that was saved.
    pub(crate) root: Id,
    /// What it is: `pickle`, `joblib` or `skops`.
    pub(crate) kind: &'static str,
    /// The protocol of a pickle, where it states one.
    pub(crate) protocol: Option<u8>,
    /// How it is compressed.
    pub(crate) compression: Compression,
    /// Calls that no model needs.
    pub(crate) calls: Calls,
    /// What was inflated, as it is counted.
    _inflated: Option<Reservation>,
}

impl Document {
    /// A document of a file that is not inflated as a whole.
    pub(super) fn new(
        arena: Arena,
        root: Id,
        kind: &'static str,
        protocol: Option<u8>,
        compression: Compression,
        calls: Calls,
    ) -> Self {
        Self {
            arena,
            root,
            kind,
            protocol,
            compression,
            calls,
            _inflated: None,
        }
    }
}

/// Whether bytes begin as a pickle of protocols 2 to 5 does.
pub(crate) fn is_pickle_start(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, 1..=5, _, ..])
}

/// Whether bytes begin as the oldest protocols write objects of some size; they have no magic
/// number.
pub(crate) fn is_old_pickle(bytes: &[u8]) -> bool {
    let starts = [
        &b"ccopy_reg\n"[..],
        b"ccopyreg\n",
        b"c__builtin__\n",
        b"cbuiltins\n",
        b"ccollections\n",
        b"(dp",
        b"(lp",
        b"(i",
        b"}q",
        b"]q",
        b"csklearn.",
        b"cnumpy",
    ];
    starts.iter().any(|start| bytes.starts_with(start))
}

/// Whether bytes begin as protocol 0 names a class or function (`c`, a module and a name, a line
/// each), or as a call's arguments there.
pub(crate) fn names_global(bytes: &[u8]) -> bool {
    let is_name = |line: &[u8]| {
        line.first()
            .is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_')
            && line
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(byte))
    };
    let lines: Vec<&[u8]> = bytes.splitn(3, |byte| *byte == b'\n').collect();
    let is_class = match lines.as_slice() {
        [[b'c', module @ ..], name, _] => is_name(module) && is_name(name),
        _ => false,
    };
    is_class || bytes.starts_with(b"(S'") || bytes.starts_with(b"(V")
}

/// Whether the last byte is the opcode that ends every pickle.
pub(crate) fn ends_as_pickle(bytes: &[u8]) -> bool {
    bytes.trim_ascii_end().last() == Some(&b'.')
}

/// Reads a pickle or a joblib file.
///
/// # Errors
/// Fails for a broken file; a contract error for what is not supported; the accountant's where it
/// is too large.
pub(crate) fn read(bytes: Bytes) -> Result<Document> {
    let compression = Compression::find(&bytes);
    let (bytes, inflated) = inflate(bytes, compression)?;
    let mut arena = Arena::new(bytes.len())?;
    let mut calls = Calls::default();
    let kind = if compression != Compression::None || has(&bytes, b"joblib.numpy_pickle") {
        "joblib"
    } else {
        "pickle"
    };
    let loaded = load(&mut arena, &mut calls, Cursor { bytes, position: 0 }, true)?;
    let protocol = Some(loaded.protocol).filter(|protocol| *protocol > 0);
    let document = Document::new(arena, loaded.root, kind, protocol, compression, calls);
    Ok(Document {
        _inflated: inflated,
        ..document
    })
}

fn has(bytes: &[u8], text: &[u8]) -> bool {
    /// What a file is it says near its beginning.
    const LOOKED_AT: usize = 1 << 20;
    bytes[..bytes.len().min(LOOKED_AT)]
        .windows(text.len())
        .any(|window| window == text)
}

fn inflate(bytes: Bytes, compression: Compression) -> Result<(Bytes, Option<Reservation>)> {
    let result = match compression {
        Compression::None => return Ok((bytes, None)),
        Compression::Zlib => inflated(ZlibDecoder::new(bytes.as_ref())),
        Compression::Gzip => inflated(MultiGzDecoder::new(bytes.as_ref())),
        Compression::Lz4 => inflated(FrameDecoder::new(bytes.as_ref())),
        Compression::Bzip2 => inflated(MultiBzDecoder::new(bytes.as_ref())),
        Compression::Lzma => inflated(lzma(&bytes)?),
    };
    result.map(|(bytes, reservation)| (bytes.into(), Some(reservation)))
}

/// A decoder of xz, or of the older form alone.
fn lzma(bytes: &[u8]) -> Result<Box<dyn Read + '_>> {
    /// What a decoder may take for its dictionary, in KiB: more than `xz -9` asks for.
    const MEMORY_KIB: u32 = 160 << 10;
    if bytes.first() == Some(&0xfd) {
        return Ok(Box::new(XzReader::new_mem_limit(bytes, true, MEMORY_KIB)));
    }
    let reader = LzmaReader::new_mem_limit(bytes, MEMORY_KIB, None);
    let reader = reader.map_err(|error| {
        Error::failed("cannot decompress the file")
            .because(error)
            .hint("the file is cut short or damaged: copy or save the model again")
    })?;
    Ok(Box::new(reader))
}

/// All that a decoder gives, if it begins as a pickle.
fn inflated(mut decoder: impl Read) -> Result<(Vec<u8>, Reservation)> {
    let mut reservation = memory::reserve(0, SUBJECT)?;
    let mut bytes = Vec::new();
    loop {
        let step = bytes.len().max(STEP_BYTES);
        reservation.grow(step as u64, SUBJECT)?;
        bytes.try_reserve_exact(step).map_err(|error| {
            Error::failed("there is no memory for the decompressed file").because(error)
        })?;
        let before = bytes.len();
        (&mut decoder)
            .take(step as u64)
            .read_to_end(&mut bytes)
            .map_err(|error| {
                Error::failed("cannot decompress the file")
                    .because(error)
                    .hint("the file is cut short or damaged: copy or save the model again")
            })?;
        if before == 0 && !(is_pickle_start(&bytes) || is_old_pickle(&bytes)) {
            return Err(Error::contract("the compressed file holds no pickle")
                .hint("decompress it, and score what is in it"));
        }
        if bytes.len() - before < step {
            return Ok((bytes, reservation));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_pickles_are_known_by_their_first_lines_and_their_last_byte() {
        let is_pickle = |bytes: &[u8]| names_global(bytes) && ends_as_pickle(bytes);
        for pickle in [
            &b"cos\nsystem\n(S'id'\ntR."[..],
            b"cmylib.models\nModel\n.\n",
            b"(S'id'\nios\nsystem\n.",
        ] {
            assert!(is_pickle(pickle), "{pickle:?}");
        }
        for other in [
            &b"customer\nage\n12\n"[..],
            b"class,score\na b\n.",
            b"c\n\n.",
            b"tree\nversion=v4\n.",
            b"",
        ] {
            assert!(!is_pickle(other), "{other:?}");
        }
    }
}
