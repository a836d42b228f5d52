//! Failures on demand: in unit tests, an operation on files below a directory fails as on a disk
//! that is full or broken.
//!
//! The rest of the room asks before it touches anything. In the program itself nothing is asked and
//! no file is watched: what remains are functions that the compiler takes away. It must not know
//! who orders a failure, or what is in the files.

#[cfg(not(test))]
pub(super) use self::absent::{WatchedFile, before, read_length, watch};
#[cfg(test)]
pub(crate) use self::ordered::{Failure, Ordered};
#[cfg(test)]
pub(super) use self::ordered::{WatchedFile, before, read_length, watch};

#[cfg(not(test))]
mod absent {
    use std::fs::File;
    use std::io;
    use std::path::Path;

    pub(in super::super) type WatchedFile = File;

    #[expect(clippy::unnecessary_wraps, reason = "its twin in tests fails")]
    pub(in super::super) const fn before(_path: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(in super::super) const fn read_length(_path: &Path, length: usize) -> usize {
        length
    }

    pub(in super::super) fn watch(file: File, _path: &Path) -> File {
        file
    }
}

#[cfg(test)]
mod ordered {
    use std::fs::File;
    use std::io::{self, Write};
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    /// How the file system fails.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Failure {
        /// One operation fails, those after it do not.
        Once,
        /// Nothing works any more, as after the process has died or the disk was pulled out.
        FromThenOn,
        /// Nothing fails, but from the operation on a read returns a few bytes, however many are
        /// asked for.
        ShortReads,
    }

    #[derive(Debug)]
    struct Order {
        directory: PathBuf,
        number: u64,
        failure: Failure,
        kind: u64,
        asked: u64,
    }

    static ORDERS: Mutex<Vec<Order>> = Mutex::new(Vec::new());

    fn orders() -> MutexGuard<'static, Vec<Order>> {
        ORDERS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A failure that was ordered; it is withdrawn when this is dropped.
    #[derive(Debug)]
    pub(crate) struct Ordered(PathBuf);

    impl Ordered {
        /// Operation `number`, counted from 1, on what lies below `directory` will fail, with the
        /// error of this kind (see [`error`]). One order for a directory at a time.
        pub(crate) fn new(directory: &Path, number: u64, failure: Failure, kind: u64) -> Self {
            orders().push(Order {
                directory: directory.to_owned(),
                number,
                failure,
                kind,
                asked: 0,
            });
            Self(directory.to_owned())
        }

        /// Whether it has come.
        pub(crate) fn has_come(&self) -> bool {
            orders()
                .iter()
                .any(|order| order.directory == self.0 && order.asked >= order.number)
        }
    }

    impl Drop for Ordered {
        fn drop(&mut self) {
            orders().retain(|order| order.directory != self.0);
        }
    }

    /// A full disk, a broken one, a call that a signal interrupted. What is interrupted again and
    /// again is tried for ever, so a disk that fails from then on is full, broken or read-only.
    fn error(kind: u64, failure: Failure) -> io::Error {
        const ENOSPC: i32 = 28;
        const EIO: i32 = 5;
        const EINTR: i32 = 4;
        const EROFS: i32 = 30;
        let kinds: &[i32] = if failure == Failure::Once {
            &[ENOSPC, EIO, EINTR]
        } else {
            &[ENOSPC, EIO, EROFS]
        };
        io::Error::from_raw_os_error(kinds[(kind % kinds.len() as u64) as usize])
    }

    pub(in super::super) fn before(path: &Path) -> io::Result<()> {
        let mut orders = orders();
        let Some(order) = orders
            .iter_mut()
            .find(|order| path.starts_with(&order.directory))
        else {
            return Ok(());
        };
        order.asked += 1;
        let fails = match order.failure {
            Failure::Once => order.asked == order.number,
            Failure::FromThenOn => order.asked >= order.number,
            Failure::ShortReads => false,
        };
        if fails {
            Err(error(order.kind, order.failure))
        } else {
            Ok(())
        }
    }

    /// The bytes that the system reads at once, of so many that are asked for: a few where short
    /// reads were ordered.
    pub(in super::super) fn read_length(path: &Path, length: usize) -> usize {
        let orders = orders();
        let order = orders
            .iter()
            .find(|order| path.starts_with(&order.directory))
            .filter(|order| order.failure == Failure::ShortReads && order.asked >= order.number);
        order.map_or(length, |order| length.min(1 + (order.asked % 7) as usize))
    }

    /// A file of whose last write, if it fails, half is written.
    #[derive(Debug)]
    pub(in super::super) struct WatchedFile {
        file: File,
        path: PathBuf,
    }

    pub(in super::super) fn watch(file: File, path: &Path) -> WatchedFile {
        WatchedFile {
            file,
            path: path.to_owned(),
        }
    }

    impl WatchedFile {
        pub(in super::super) fn sync_all(&self) -> io::Result<()> {
            self.file.sync_all()
        }
    }

    impl Write for WatchedFile {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Err(error) = before(&self.path) {
                // A call that was interrupted has written nothing.
                if error.kind() != io::ErrorKind::Interrupted {
                    self.file.write_all(&bytes[..bytes.len() / 2])?;
                }
                return Err(error);
            }
            self.file.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.file.flush()
        }
    }
}
