//! Compressed streams, recognised by their first bytes: gzip of any number of members, zstd of any
//! number of frames.
//!
//! Owns the undoing of compression, streamed in bounded memory. It must not know what the text
//! inside means.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use super::encoding::{Encoding, Malformed};
use crate::error::{Error, Result};
use crate::interrupt::check_process;
use crate::storage;

/// What gzip streams begin with.
pub const GZIP_START: &[u8] = b"\x1f\x8b";

/// What ZIP archives begin with that hold a file, and empty ones.
pub const ZIP_START: &[u8] = b"PK\x03\x04";
pub(super) const EMPTY_ZIP_START: &[u8] = b"PK\x05\x06";

/// What frames of LZ4 begin with.
pub const LZ4_START: &[u8] = b"\x04\x22\x4d\x18";

/// What streams of xz begin with.
pub const XZ_START: &[u8] = b"\xfd7zXZ\0";

/// No mark of a compression is longer.
const MAGIC_BYTES: usize = 8;

/// What is read from the disk at once.
const READ_BUFFER_BYTES: usize = 256 << 10;

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Compression {
    /// The compression of a stream with this beginning; a name's ending says nothing certain.
    ///
    /// # Errors
    /// Fails if it is an archive or a compression that is not read.
    pub fn of(head: &[u8]) -> Result<Self> {
        const UNREAD: [(&[u8], &str); 4] = [
            (ZIP_START, "zip"),
            (XZ_START, "xz"),
            (LZ4_START, "lz4"),
            (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
        ];
        // A zstd stream may begin with a skippable frame, as pzstd's do; the low four bits of its
        // first byte are free.
        let is_skippable = matches!(head, [first, 0x2a, 0x4d, 0x18, ..] if first & 0xf0 == 0x50);
        if head.starts_with(GZIP_START) {
            Ok(Self::Gzip)
        } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || is_skippable {
            Ok(Self::Zstd)
        } else if let Some((_, name)) = UNREAD.iter().find(|(magic, _)| head.starts_with(magic)) {
            Err(Error::failed(format!("cannot read {name} files"))
                .hint("unpack it, or compress it with gzip or zstd instead"))
        } else {
            Ok(Self::Plain)
        }
    }

    /// Turns a failure while reading the uncompressed stream into an error that says which layer
    /// broke.
    #[must_use]
    pub fn error(self, error: io::Error) -> Error {
        let error = match error.downcast::<Error>() {
            Ok(stopped) => return stopped,
            Err(error) => error,
        };
        if error
            .get_ref()
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<Malformed>)
        {
            let hint = "say how the text is encoded with `--encoding`, such as `utf-8`, `utf-16`, \
                        `latin1` or `windows-1252`";
            return Error::failed("cannot decode the file's text")
                .because(error)
                .hint(hint);
        }
        let name = match self {
            Self::Plain => return storage::io_error("cannot read the file", error),
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        };
        if error.kind() == io::ErrorKind::UnexpectedEof {
            let error = Error::failed(format!(
                "cannot read the file: its {name} stream is truncated"
            ))
            .because(error);
            return error.hint(self.broken_hint());
        }
        // The operating system's errors carry its number, the decoders' own do not.
        if error.raw_os_error().is_some() {
            return storage::io_error("cannot read the file", error);
        }
        Error::failed(format!(
            "cannot read the file: its {name} stream is damaged"
        ))
        .because(error)
        .hint(self.broken_hint())
    }

    fn broken_hint(self) -> &'static str {
        if self == Self::Gzip {
            // The decoder does not say which of them it met.
            "copy or download it again; if only bytes after its end are wrong, or zeros, `gunzip \
             -c FILE | gzip > NEW` drops them"
        } else {
            "copy or download it again"
        }
    }
}

/// Fails once the process was asked to stop: a decoder may read for long before it has something to
/// return, for example from empty members of gzip.
struct Stoppable<R>(R);

impl<R: Read> Read for Stoppable<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        check_process().map_err(io::Error::other)?;
        self.0.read(buffer)
    }
}

/// The uncompressed stream.
pub struct Stream {
    compression: Compression,
    encoding: Encoding,
    reader: Box<dyn Read + Send>,
}

impl Stream {
    /// Whether there was something to undo.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.compression != Compression::Plain
    }

    /// Undoes what [`Compression::of`] finds.
    ///
    /// # Errors
    /// Fails if the beginning cannot be read or its compression is not supported.
    pub fn new(reader: impl Read + Send + 'static) -> Result<Self> {
        Self::encoded(reader, Encoding::Utf8)
    }

    /// As [`Stream::new`]; text of another encoding comes out as UTF-8.
    ///
    /// # Errors
    /// As [`Stream::new`].
    pub fn encoded(reader: impl Read + Send + 'static, encoding: Encoding) -> Result<Self> {
        let mut reader = Stoppable(reader);
        let mut head = Vec::with_capacity(MAGIC_BYTES);
        // One read may return less than the mark of a compression.
        (&mut reader)
            .take(MAGIC_BYTES as u64)
            .read_to_end(&mut head)
            .map_err(|error| Compression::Plain.error(error))?;
        let compression = Compression::of(&head)?;
        let whole = io::Cursor::new(head).chain(reader);
        let buffered = BufReader::with_capacity(READ_BUFFER_BYTES, whole);
        let reader: Box<dyn Read + Send> = match compression {
            Compression::Plain => Box::new(buffered),
            Compression::Gzip => Box::new(MultiGzDecoder::new(buffered)),
            // The decoder refuses windows above 128 MiB, so a hostile frame cannot ask for more
            // memory than that.
            Compression::Zstd => Box::new(
                zstd::stream::read::Decoder::with_buffer(buffered)
                    .map_err(|error| compression.error(error))?,
            ),
        };
        Ok(Self {
            compression,
            encoding,
            reader: encoding.decoded(reader),
        })
    }

    /// A stream that is not compressed, whatever its beginning looks like.
    #[must_use]
    pub fn plain(reader: impl Read + Send + 'static) -> Self {
        Self {
            compression: Compression::Plain,
            encoding: Encoding::Utf8,
            reader: Box::new(BufReader::with_capacity(
                READ_BUFFER_BYTES,
                Stoppable(reader),
            )),
        }
    }

    /// Whether its bytes are those of the file, so that reading can go on at any of them.
    #[must_use]
    pub fn is_verbatim(&self) -> bool {
        self.compression == Compression::Plain && self.encoding == Encoding::Utf8
    }

    /// Appends at most `limit` bytes to `buffer` and returns how many; fewer only at the end of the
    /// stream. What was read before an error is in the buffer.
    ///
    /// # Errors
    /// Fails if the stream is truncated or damaged or cannot be read, or if the process was asked
    /// to stop.
    pub fn read_more(&mut self, buffer: &mut Vec<u8>, limit: usize) -> Result<usize> {
        check_process()?;
        let result = (&mut self.reader).take(limit as u64).read_to_end(buffer);
        result.map_err(|error| self.compression.error(error))
    }
}

/// What a file's uncompressed beginning looks like, as far as its first bytes shows; for
/// recognising formats only.
#[must_use]
pub fn peek(head: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(mut stream) = Stream::new(io::Cursor::new(head.to_vec())) {
        // The head ends somewhere within the compressed stream: the error that says so is expected.
        let _ = stream.read_more(&mut bytes, storage::HEAD_BYTES);
    }
    bytes
}

/// Whether a head is the beginning of a zstd stream that shows nothing of what is inside.
#[must_use]
pub fn is_cut(head: &[u8]) -> bool {
    matches!(Compression::of(head), Ok(Compression::Zstd)) && peek(head).is_empty()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(bytes, 3).unwrap()
    }

    fn read_all(bytes: Vec<u8>) -> Result<Vec<u8>> {
        let mut stream = Stream::new(io::Cursor::new(bytes))?;
        let mut all = Vec::new();
        while stream.read_more(&mut all, 7)? == 7 {}
        Ok(all)
    }

    #[test]
    fn members_and_frames_are_joined_and_plain_text_is_left_alone() {
        let skippable = b"\x50\x2a\x4d\x18\x02\x00\x00\x00xx".to_vec();
        assert_eq!(
            read_all([gzip(b"ab"), gzip(b""), gzip(b"cd")].concat()).unwrap(),
            b"abcd"
        );
        assert_eq!(
            read_all([skippable, zstd(b"ab"), zstd(b"cd")].concat()).unwrap(),
            b"abcd"
        );
        assert_eq!(read_all(b"abcd".to_vec()).unwrap(), b"abcd");
        assert_eq!(read_all(Vec::new()).unwrap(), b"");
    }

    #[test]
    fn a_reader_that_returns_a_few_bytes_at_once_is_recognised() {
        struct Slow(io::Cursor<Vec<u8>>);
        impl Read for Slow {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let length = buffer.len().min(1);
                self.0.read(&mut buffer[..length])
            }
        }
        for bytes in [gzip(b"id\n1\n"), zstd(b"id\n1\n"), b"id\n1\n".to_vec()] {
            let mut stream = Stream::new(Slow(io::Cursor::new(bytes))).unwrap();
            let mut all = Vec::new();
            stream.read_more(&mut all, 100).unwrap();
            assert_eq!(all, b"id\n1\n");
        }
    }

    #[test]
    fn every_truncation_is_an_error_except_between_members() {
        let text: Vec<u8> = (0..2000_u32)
            .flat_map(|number| (number * number).to_string().into_bytes())
            .collect();
        for (name, whole) in [("gzip", gzip(&text)), ("zstd", zstd(&text))] {
            for length in 4..whole.len() {
                let error = read_all(whole[..length].to_vec()).unwrap_err();
                assert_eq!(
                    error.message(),
                    format!("cannot read the file: its {name} stream is truncated"),
                    "{length}"
                );
            }
            let error = read_all([whole, b"rubbish".to_vec()].concat()).unwrap_err();
            let hint = error.hint_text().unwrap();
            assert_eq!(
                hint.contains("bytes after its end"),
                name == "gzip",
                "{hint}"
            );
        }
        let mut damaged = gzip(&text);
        *damaged.iter_mut().nth_back(5).unwrap() ^= 1;
        assert_eq!(
            read_all(damaged).unwrap_err().message(),
            "cannot read the file: its gzip stream is damaged"
        );
    }

    #[test]
    fn other_compressions_are_named() {
        assert_eq!(
            Compression::of(b"PK\x03\x04...").unwrap_err().message(),
            "cannot read zip files"
        );
        assert_eq!(
            Compression::of(b"\xfd7zXZ\0").unwrap_err().message(),
            "cannot read xz files"
        );
    }

    #[test]
    fn a_peek_sees_the_text_behind_a_cut_off_head() {
        let text = b"id,name\n".repeat(3000);
        assert!(peek(&gzip(&text)[..60]).starts_with(b"id,name\n"));
        assert_eq!(peek(b"id"), b"id");
        assert_eq!(peek(b"\x1f\x8b"), b"");
    }
}
