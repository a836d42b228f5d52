//! What goes through a stream, in a file without a name: written from the beginning to the end,
//! then read at any position.
//!
//! Where the process has keys of encryption the file is sealed like other rows that are put aside.
//! It must not know which stream it is or what is in it.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::Location;
use super::file::SharedFile;
use super::identity::Identity;
use super::read_at::ReadAt;
use super::spill::{Extent, PIECE_BYTES, SpillFile};
use crate::error::Result;

/// How many opened pieces are kept for reads of few bytes.
const RECENT_PIECES: usize = 8;

/// What is written of a stream so far.
#[derive(Debug)]
pub(super) struct Spool {
    file: SpillFile,
    buffer: Vec<u8>,
    /// Pieces on the disk, of [`PIECE_BYTES`] each but for the last.
    pieces: Vec<Extent>,
    byte_count: u64,
}

/// All of a stream.
#[derive(Debug)]
pub(super) enum Spooled {
    /// A file that holds its bytes.
    Plain(File),
    /// One that holds them sealed.
    Sealed(SharedFile),
}

impl Spool {
    /// Begins a file on the disk of a directory.
    ///
    /// # Errors
    /// As [`SpillFile::of_rows`].
    pub(super) fn create(directory: impl Into<Location>) -> Result<Self> {
        SpillFile::of_rows(directory).map(Self::of)
    }

    fn of(file: SpillFile) -> Self {
        Self {
            file,
            buffer: Vec::with_capacity(PIECE_BYTES),
            pieces: Vec::new(),
            byte_count: 0,
        }
    }

    /// How many bytes were written.
    pub(super) fn byte_count(&self) -> u64 {
        self.byte_count
    }

    /// Writes further bytes of the stream.
    ///
    /// # Errors
    /// Fails if they cannot be put away.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.byte_count += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = PIECE_BYTES - self.buffer.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            if self.buffer.len() == PIECE_BYTES {
                self.put_away()?;
            }
            bytes = later;
        }
        Ok(())
    }

    fn put_away(&mut self) -> Result<()> {
        self.pieces.push(self.file.append(&self.buffer)?);
        self.buffer.clear();
        Ok(())
    }

    /// All that was written.
    ///
    /// # Errors
    /// Fails if the rest cannot be put away.
    pub(super) fn end(mut self, name: &Location) -> Result<Spooled> {
        if !self.buffer.is_empty() {
            self.put_away()?;
        }
        if !self.file.is_sealed() {
            return Ok(Spooled::Plain(self.file.into_file()));
        }
        let identity = Identity::of(&self.file.metadata()?).with_byte_count(self.byte_count);
        let sealed = Sealed {
            file: self.file,
            pieces: self.pieces,
            recent: Mutex::default(),
        };
        let shared = SharedFile::new(Arc::new(sealed), name.clone(), identity);
        Ok(Spooled::Sealed(shared))
    }
}

/// A piece and its number.
type Numbered = (usize, Arc<Vec<u8>>);

/// Sealed pieces of a stream, which are opened as they are read.
#[derive(Debug)]
struct Sealed {
    file: SpillFile,
    pieces: Vec<Extent>,
    /// Those opened last, the newest one at the end.
    recent: Mutex<VecDeque<Numbered>>,
}

impl Sealed {
    /// The piece that has the byte at `offset`, and where it is in there; none past the end.
    fn piece_at(&self, offset: u64) -> io::Result<Option<(Arc<Vec<u8>>, usize)>> {
        let number = usize::try_from(offset / PIECE_BYTES as u64).unwrap_or(usize::MAX);
        let Some(extent) = self.pieces.get(number) else {
            return Ok(None);
        };
        let within = (offset % PIECE_BYTES as u64) as usize;
        let recent = || self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let known = recent().iter().find(|(own, _)| *own == number).cloned();
        if let Some((_, piece)) = known {
            return Ok(Some((piece, within)));
        }
        let piece = Arc::new(self.file.read(*extent).map_err(io::Error::other)?);
        let mut recent = recent();
        if recent.len() == RECENT_PIECES {
            recent.pop_front();
        }
        recent.push_back((number, Arc::clone(&piece)));
        Ok(Some((piece, within)))
    }
}

impl ReadAt for Sealed {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let Some((piece, within)) = self.piece_at(offset + filled as u64)? else {
                break;
            };
            let rest = piece.get(within..).unwrap_or_default();
            let count = rest.len().min(buffer.len() - filled);
            if count == 0 {
                break;
            }
            buffer[filled..filled + count].copy_from_slice(&rest[..count]);
            filled += count;
        }
        Ok(filled)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        if self.read_at(buffer, offset)? < buffer.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    fn append_to(&self, bytes: &mut Vec<u8>, min: usize, offset: u64) -> io::Result<()> {
        let mut count = 0;
        while count < min {
            let Some((piece, within)) = self.piece_at(offset + count as u64)? else {
                break;
            };
            let rest = piece.get(within..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let taken = &rest[..rest.len().min(min - count)];
            bytes.try_reserve(taken.len())?;
            bytes.extend_from_slice(taken);
            count += taken.len();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::local::LocalFile;
    use crate::storage::seal;

    fn bytes(count: usize) -> Vec<u8> {
        (0..count)
            .map(|index| (index.wrapping_mul(2_654_435_761) >> 7) as u8)
            .collect()
    }

    fn spooled(content: &[u8], is_sealed: bool) -> SharedFile {
        let directory = tempfile::tempdir().unwrap();
        let file = SpillFile::create(directory.path()).unwrap();
        let key = is_sealed.then(|| seal::made_key().unwrap());
        let mut spool = Spool::of(file.sealed_by(key).unwrap());
        let mut left = content;
        for step in [1, 7, PIECE_BYTES - 9, 2, 3 * PIECE_BYTES].iter().cycle() {
            let (now, later) = left.split_at(left.len().min(*step));
            spool.write(now).unwrap();
            left = later;
            if left.is_empty() {
                break;
            }
        }
        assert_eq!(spool.byte_count(), content.len() as u64);
        match spool.end(&Location::from("-")).unwrap() {
            Spooled::Plain(file) => {
                assert!(!is_sealed);
                LocalFile::shared(file, "-".as_ref()).unwrap()
            }
            Spooled::Sealed(file) => {
                assert!(is_sealed);
                file
            }
        }
    }

    #[test]
    fn a_stream_is_read_at_any_position_whether_it_is_sealed_or_not() {
        let (one, few) = (PIECE_BYTES, RECENT_PIECES + 2);
        for count in [0, 1, one - 1, one, one + 1, 3 * one + 5, few * one] {
            let content = bytes(count);
            for is_sealed in [false, true] {
                let file = spooled(&content, is_sealed);
                assert_eq!(file.byte_count(), count as u64);
                assert!(file.whole(u64::MAX).unwrap() == content);
                let offsets = [0, 1, one - 3, one, 2 * one - 1, count, count + 1, 9 * count];
                for (offset, length) in offsets
                    .into_iter()
                    .flat_map(|offset| [0, 1, 8, one, 2 * one + 2].map(|length| (offset, length)))
                {
                    let start = offset.min(count);
                    let expected = &content[start..(start + length).min(count)];
                    let mut buffer = vec![0; length];
                    let read = file.read_at(&mut buffer, offset as u64).unwrap();
                    assert!(buffer[..read] == *expected, "{count} {offset} {length}");
                    let exact = file.bytes_at(length, offset as u64);
                    assert_eq!(exact.is_ok(), expected.len() == length);
                    assert!(exact.is_err() || exact.unwrap() == *expected);
                    let exact = file.read_exact_at(&mut buffer, offset as u64);
                    assert_eq!(exact.is_ok(), expected.len() == length);
                }
                let mut all = Vec::new();
                file.read_through(|piece| Ok(all.extend_from_slice(piece)))
                    .unwrap();
                assert!(all == content);
            }
        }
    }
}
