//! Which file is which, and in which state: what shows that a file was replaced or written to since
//! it was opened.
//!
//! It must not know who reads the file.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::Location;
use super::find::nothing_at;
use crate::count::counted;
use crate::error::{Error, Result};

/// Which file it is and in which state: a file that was replaced or written to has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    device: u64,
    inode: u64,
    byte_count: u64,
    /// Seconds and nanoseconds since 1970.
    modified: (i64, i64),
    /// When anything about it changed, which no one can set.
    changed: (i64, i64),
    /// Mode, owner, group and number of names: what changes it without a write.
    attributes: (u32, u32, u32, u64),
}

impl Identity {
    pub(super) fn of(found: &fs::Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            byte_count: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
            attributes: (found.mode(), found.uid(), found.gid(), found.nlink()),
        }
    }

    /// The same state of a file whose bytes are stored in another number of bytes.
    pub(super) fn with_byte_count(self, byte_count: u64) -> Self {
        Self { byte_count, ..self }
    }

    /// What is different in `now`, if anything is.
    #[must_use]
    pub(super) fn change_to(&self, now: &Self) -> Option<String> {
        if (self.device, self.inode) != (now.device, now.inode) {
            return Some("another file has its name now".to_owned());
        }
        if self.byte_count != now.byte_count {
            return Some(format!(
                "it had {} and has {}",
                counted(self.byte_count, "byte"),
                counted(now.byte_count, "byte")
            ));
        }
        if self.modified != now.modified {
            return Some("it was written to".to_owned());
        }
        // `chmod`, `chown` and `ln` show what they did. What leaves no other sign may be a write
        // whose time was put back, as `touch -r` does.
        let is_explained = self.changed == now.changed || self.attributes != now.attributes;
        (!is_explained).then(|| {
            "it was written to and its time put back, or it was renamed or given other extended \
             attributes"
                .to_owned()
        })
    }

    /// The size, in bytes.
    #[must_use]
    pub fn byte_count(&self) -> u64 {
        self.byte_count
    }

    /// When it was last written to, in seconds since 1970.
    #[must_use]
    pub fn modified_seconds(&self) -> i64 {
        self.modified.0
    }
}

/// Checks that a location still names the file that was read, in the state in which it was opened:
/// else no one knows which content was read.
///
/// # Errors
/// Fails if the file was removed, replaced or written to; the message says which.
pub fn check_unchanged(location: impl Into<Location>, identity: &Identity) -> Result<()> {
    let location = location.into();
    match location.store().identity(&location)? {
        Some(now) => identity
            .change_to(&now)
            .map_or(Ok(()), |change| Err(changed(&location, &change))),
        None => Err(changed(&location, "it is gone")),
    }
}

/// Whether anything was done to a file (written to, replaced, renamed) since the one at `other` was
/// written.
///
/// # Errors
/// Fails if one of them is not there or the storage refuses to say.
pub fn is_newer(location: impl Into<Location>, other: impl Into<Location>) -> Result<bool> {
    let [own, other] = [location.into(), other.into()].map(|location| {
        let found = location.store().identity(&location)?;
        found.ok_or_else(|| nothing_at(&location))
    });
    let (own, other) = (own?, other?);
    Ok(own.modified.max(own.changed) >= other.modified)
}

pub(super) fn changed(location: &Location, change: &str) -> Error {
    let error =
        Error::failed(format!("the file changed while it was in use: {change}")).at_path(location);
    error.hint(
        "run again once nothing writes to the inputs; to replace a file, write a new one and \
         rename it before the run",
    )
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;

    /// What is said of a file after `change`.
    fn said(change: impl Fn(&Path)) -> Option<String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.csv");
        fs::write(&path, "a\n1\n").unwrap();
        let identity = Identity::of(&fs::metadata(&path).unwrap());
        // Times are as coarse as the kernel's clock.
        std::thread::sleep(std::time::Duration::from_millis(30));
        change(&path);
        check_unchanged(&path, &identity)
            .err()
            .map(|error| error.message().to_owned())
    }

    fn time_of(path: &Path) -> std::time::SystemTime {
        fs::metadata(path).unwrap().modified().unwrap()
    }

    #[test]
    fn a_write_whose_time_is_put_back_is_noticed() {
        let rewritten = said(|path| {
            let time = time_of(path);
            fs::write(path, "a\n2\n").unwrap();
            let file = File::options().write(true).open(path).unwrap();
            file.set_times(FileTimes::new().set_modified(time)).unwrap();
            assert_eq!(time_of(path), time);
        });
        assert!(rewritten.unwrap().contains("its time put back"));
        assert!(
            said(|path| fs::write(path, "a\n2\n").unwrap())
                .unwrap()
                .ends_with("written to")
        );
    }

    #[test]
    fn another_mode_and_another_name_are_no_change_of_the_rows() {
        assert_eq!(said(|_| {}), None);
        assert_eq!(said(|path| drop(fs::read(path).unwrap())), None);
        let mode = |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(said(mode), None);
        assert_eq!(
            said(|path| fs::hard_link(path, path.with_extension("bak")).unwrap()),
            None
        );
    }
}
