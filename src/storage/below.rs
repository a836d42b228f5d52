//! Files below a directory, through no link, whatever kind of storage it is in.
//!
//! A data set's directory may be written to by others. The location of the directory itself is the
//! user's, and its links are followed; below it a link is an error wherever it leads. It must not
//! know what the files hold.

use std::io::Read;

use super::copy::copy;
use super::file::SharedFile;
use super::metadata::Metadata;
use super::pending::PendingFile;
use super::store::Tree;
use super::{Location, io_error};
use crate::error::Result;

fn tree(root: impl Into<Location>) -> Result<Box<dyn Tree>> {
    let root = root.into();
    root.store().tree(&root)
}

/// What is known of a file below `root`; none if there is nothing of that name. A link is neither a
/// file nor a directory.
///
/// # Errors
/// Fails if the storage refuses to say, or a directory on the way is a link.
pub fn find_below(
    root: impl Into<Location>,
    below: impl Into<Location>,
) -> Result<Option<Metadata>> {
    tree(root)?.find(&below.into())
}

/// The whole of a file below `root`, which may be at most `limit_bytes` long.
///
/// # Errors
/// Fails if it is not there, is longer, is not a plain file, or a link leads there.
pub fn read_below(
    root: impl Into<Location>,
    below: impl Into<Location>,
    limit_bytes: u64,
) -> Result<Vec<u8>> {
    let (root, below) = (root.into(), below.into());
    let missing = || {
        let error = rustix::io::Errno::NOENT.into();
        io_error("cannot open the file", error).at_path(root.join(&below))
    };
    let file = tree(&root)?.open(&below)?.ok_or_else(missing)?;
    file.whole(limit_bytes)
}

/// Opens a file below `root`; none if it is not there.
///
/// # Errors
/// Fails if it is not a plain file, or a link leads there.
pub fn open_below(
    root: impl Into<Location>,
    below: impl Into<Location>,
) -> Result<Option<SharedFile>> {
    tree(root)?.open(&below.into())
}

/// Creates a file below `root` with all bytes of `source`, and missing directories on the way.
/// Returns false, and changes nothing, if the name is taken. A process that is killed leaves at
/// most a temporary file.
///
/// # Errors
/// Fails if `source` does, if the storage refuses, or if a directory on the way is a link. The file
/// may exist after a failure to make its name durable.
pub fn create_below(
    root: impl Into<Location>,
    below: impl Into<Location>,
    source: &mut dyn Read,
) -> Result<bool> {
    tree(root)?.create_new(&below.into(), source, true)
}

/// As [`create_below`], for many files at once: after a power failure the file may be missing or
/// hold other bytes, unless [`sync_file_system`] was called in between.
///
/// # Errors
/// As [`create_below`].
pub fn create_unsynced_below(
    root: impl Into<Location>,
    below: impl Into<Location>,
    source: &mut dyn Read,
) -> Result<bool> {
    tree(root)?.create_new(&below.into(), source, false)
}

/// Replaces a file below `root`, in one step, with all bytes of `source`, or creates it.
///
/// # Errors
/// As [`create_below`].
pub fn replace_below(
    root: impl Into<Location>,
    below: impl Into<Location>,
    source: &mut dyn Read,
) -> Result<()> {
    let mut file = PendingFile::create_below(root, below)?;
    copy(source, &mut file)
        .map_err(|failure| failure.named("cannot write the file", file.path()))?;
    file.publish(true)
}

/// Removes a file below `root`, or a link of its name; that it is not there is no error.
///
/// # Errors
/// Fails if the storage refuses, or a directory on the way is a link.
pub fn remove_below(root: impl Into<Location>, below: impl Into<Location>) -> Result<()> {
    tree(root)?.remove(&below.into())
}

/// Removes a directory below `root` if nothing is in it.
pub fn remove_empty_directory_below(root: impl Into<Location>, below: impl Into<Location>) {
    if let Ok(tree) = tree(root) {
        tree.remove_empty_directory(&below.into());
    }
}

/// Makes the directories of a file below `root`, which must be there.
///
/// # Errors
/// Fails if something else has a name on the way or the storage refuses.
pub fn make_directories_below(root: impl Into<Location>, below: impl Into<Location>) -> Result<()> {
    tree(root)?.make_directories(&below.into())
}

/// Gives a file below `root` another name there, and that name's directories if they are missing. A
/// file that it replaces, if it `replaces` one, hands on who may read and write it. The name is
/// durable once its directories are synced.
///
/// # Errors
/// Fails if there is no such file, if the name is taken and may not be replaced, or a directory on
/// the way is a link.
pub fn rename_below(
    root: impl Into<Location>,
    from: impl Into<Location>,
    to: impl Into<Location>,
    replaces: bool,
) -> Result<()> {
    tree(root)?.rename(&from.into(), &to.into(), replaces)
}

/// Makes the names in a directory below `root`, or in `root` itself for an empty name, durable.
///
/// # Errors
/// Fails if the storage refuses.
pub fn sync_below(root: impl Into<Location>, below: impl Into<Location>) -> Result<()> {
    tree(root)?.sync(&below.into())
}

/// Makes all that was written to the storage of `root` durable: for many directories that is sooner
/// done.
///
/// # Errors
/// Fails if the storage refuses.
pub fn sync_file_system(root: impl Into<Location>) -> Result<()> {
    tree(root)?.sync_all()
}

/// The names, below `root`, of all files in the directory `below`, or in `root` for an empty name,
/// and its directories; links are among the files. None if it is not there.
///
/// # Errors
/// Fails if a directory may not be read, or is a link.
pub fn files_below(root: impl Into<Location>, below: impl Into<Location>) -> Result<Vec<Location>> {
    tree(root)?.files(&below.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        replace_below(directory.path(), "a/file", &mut &b"first"[..]).unwrap();
        replace_below(directory.path(), "a/file", &mut &b"second"[..]).unwrap();
        assert_eq!(
            std::fs::read(directory.path().join("a/file")).unwrap(),
            b"second"
        );
    }
}
