//! What an open file of any kind of storage does.

use std::fmt::Debug;
use std::io;

/// An open file that is read at any position by any number of threads.
pub trait ReadAt: Debug + Send + Sync {
    /// Reads at most `buffer.len()` bytes from `offset` on; 0 means the end of the file.
    ///
    /// # Errors
    /// Fails if the bytes cannot be read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    /// Fails if the file ends before or cannot be read.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Adds what is read from `offset` on, into memory that is not cleared first, until there are
    /// at least `min` bytes more or the file ends.
    ///
    /// # Errors
    /// Fails if the bytes cannot be read.
    fn append_to(&self, bytes: &mut Vec<u8>, min: usize, offset: u64) -> io::Result<()>;
}
