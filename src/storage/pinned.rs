//! Files whose bytes are kept in memory for a while: what opens one of their names meanwhile, on
//! any thread, reads the bytes that were verified.
//!
//! Owns the list for the process. It must not know what verified them.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::identity::Identity;
use super::location::Location;
use super::read_at::ReadAt;

static COUNT: AtomicUsize = AtomicUsize::new(0);
static FILES: Mutex<Vec<Pinned>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Pinned {
    name: Location,
    file: Arc<InMemory>,
    identity: Identity,
}

/// Names that lead to bytes in memory, until this is dropped.
#[derive(Debug, Default)]
pub struct Pins(Vec<Location>);

impl Pins {
    /// Pins one more file, of which these are all the bytes.
    pub(super) fn add(&mut self, name: &Location, identity: Identity, bytes: Vec<u8>) {
        let name = name.tidied();
        files().push(Pinned {
            name: name.clone(),
            file: Arc::new(InMemory(bytes)),
            identity,
        });
        COUNT.fetch_add(1, Ordering::Release);
        self.0.push(name);
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        let mut files = files();
        for name in &self.0 {
            if let Some(index) = files.iter().position(|pinned| pinned.name == *name) {
                files.remove(index);
                COUNT.fetch_sub(1, Ordering::Release);
            }
        }
    }
}

fn files() -> MutexGuard<'static, Vec<Pinned>> {
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The file that is pinned under a name, and which one it was.
pub(super) fn find(location: &Location) -> Option<(Arc<dyn ReadAt>, Identity)> {
    if COUNT.load(Ordering::Acquire) == 0 {
        return None;
    }
    let name = location.tidied();
    let files = files();
    let found = files.iter().find(|pinned| pinned.name == name)?;
    Some((found.file.clone(), found.identity))
}

/// A file's bytes.
#[derive(Debug)]
struct InMemory(Vec<u8>);

impl InMemory {
    fn from(&self, offset: u64) -> &[u8] {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        self.0.get(offset..).unwrap_or_default()
    }
}

impl ReadAt for InMemory {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        io::Read::read(&mut self.from(offset), buffer)
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        io::Read::read_exact(&mut self.from(offset), buffer)
    }

    fn append_to(&self, bytes: &mut Vec<u8>, min: usize, offset: u64) -> io::Result<()> {
        let rest = self.from(offset);
        let rest = &rest[..rest.len().min(min)];
        bytes.try_reserve(rest.len())?;
        bytes.extend_from_slice(rest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::SharedFile;

    #[test]
    fn a_pinned_file_stays_as_it_was_on_every_thread_until_it_is_let_go() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("in");
        std::fs::write(&path, b"0123456789").unwrap();
        let file = SharedFile::open(&path).unwrap();
        let bytes = file.whole(100).unwrap();
        let mut pins = Pins::default();
        pins.add(file.path(), file.identity(), bytes);
        std::fs::remove_file(&path).unwrap();
        let read = || {
            let file = SharedFile::open(&path)?;
            assert_eq!(file.byte_count(), 10);
            let mut rest = [0; 4];
            assert_eq!(file.read_at(&mut rest, 8)?, 2);
            assert_eq!(file.read_at(&mut rest, 80)?, 0);
            assert!(file.read_exact_at(&mut rest, 8).is_err());
            assert!(file.bytes_at(4, 8).is_err());
            assert_eq!(file.bytes_at(4, 2)?, b"2345");
            assert!(file.whole(9).is_err());
            file.whole(10)
        };
        let found = std::thread::scope(|scope| scope.spawn(read).join().unwrap());
        assert_eq!(found.unwrap(), b"0123456789");
        assert!(SharedFile::reopen(&path, &file.identity()).is_ok());
        drop(pins);
        assert!(read().is_err());
    }
}
