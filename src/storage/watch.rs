//! Several files that are read as one thing: none of them may change before the last one is read.
//!
//! Owns the list of what a thread reads whole meanwhile. It must not know what the files hold.

use super::Location;
use super::file::SharedFile;
use super::identity::{Identity, check_unchanged};
use crate::error::Result;
use std::cell::RefCell;

thread_local! {
    static READ: RefCell<Option<Vec<(Location, Identity)>>> = const { RefCell::new(None) };
}

/// Does `work`, and checks at its end that each file which it read whole, on this thread, is what
/// it was when it was opened.
///
/// # Errors
/// As `work`; fails if a file was removed, replaced or written to meanwhile, whatever `work` made
/// of it.
pub fn read_unchanged<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let outer = READ.replace(Some(Vec::new()));
    let result = work();
    let read = READ.replace(outer).unwrap_or_default();
    read.iter()
        .try_for_each(|(path, identity)| check_unchanged(path, identity))?;
    result
}

/// Notes that a file is read.
pub(super) fn note(file: &SharedFile) {
    READ.with_borrow_mut(|read| {
        read.iter_mut()
            .for_each(|read| read.push((file.path().clone(), file.identity())));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::read;

    #[test]
    fn what_changes_while_several_files_are_read_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let paths = ["a", "b"].map(|name| directory.path().join(name));
        paths
            .iter()
            .for_each(|path| std::fs::write(path, "old").unwrap());
        let both = |between: &dyn Fn()| {
            read_unchanged(|| {
                let first = read(&paths[0], 100)?;
                between();
                Ok((first, read(&paths[1], 100)?))
            })
        };
        assert_eq!(both(&|| {}).unwrap(), (b"old".to_vec(), b"old".to_vec()));
        assert_eq!(
            both(&|| std::fs::write(&paths[1], "newer").unwrap())
                .unwrap()
                .1,
            b"newer",
            "it was not open yet"
        );
        let change = |between: &dyn Fn()| both(between).unwrap_err().to_string();
        let message = change(&|| std::fs::write(&paths[0], "newer").unwrap());
        assert_eq!(
            message,
            format!(
                "the file changed while it was in use: it had 3 bytes and has 5 bytes (`{}`)",
                paths[0].display()
            )
        );
        assert!(
            change(&|| std::fs::rename(&paths[1], &paths[0]).unwrap())
                .contains("another file has its name now")
        );
    }
}
