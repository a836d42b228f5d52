//! What each kind of storage does.
//!
//! Owns the traits that the local file system ([`super::local`]) and the standard streams
//! ([`super::streams`]) implement. Everything that is read, written, published or locked passes
//! here; no caller names a kind. It must not know what the files hold.

use std::ffi::OsStr;
use std::fmt::Debug;
use std::io::{Read, Write};

use super::file::SharedFile;
use super::identity::Identity;
use super::location::Location;
use super::metadata::Metadata;
use crate::error::Result;

/// A kind of storage. Its calls block; its errors name the location and what was being done.
pub trait Store: Debug + Send + Sync {
    /// What is known about a location; none if there is nothing of that name.
    ///
    /// # Errors
    /// Fails if the storage refuses to say.
    fn find(&self, location: &Location) -> Result<Option<Metadata>>;

    /// Which file it is and in which state; none if there is nothing of that name.
    ///
    /// # Errors
    /// Fails if the storage refuses to say.
    fn identity(&self, location: &Location) -> Result<Option<Identity>>;

    /// Whether users who do not own the file may read or change it.
    ///
    /// # Errors
    /// Fails if there is nothing of that name.
    fn is_open_to_others(&self, location: &Location) -> Result<bool>;

    /// The one name that a location has however it is spelled: without links and `..`.
    ///
    /// # Errors
    /// Fails if there is nothing of that name.
    fn canonical(&self, location: &Location) -> Result<Location>;

    /// The same location from every working directory; links and `..` stay as they are.
    fn absolute(&self, location: &Location) -> Location;

    /// All that is in a directory, sorted by name.
    ///
    /// # Errors
    /// Fails if it is not a directory or may not be read.
    fn list(&self, directory: &Location) -> Result<Vec<Location>>;

    /// Opens a plain file for reading.
    ///
    /// # Errors
    /// Fails if it is missing, is no plain file, or may not be read.
    fn open(&self, location: &Location) -> Result<SharedFile>;

    /// Begins a file that appears when it is published.
    ///
    /// # Errors
    /// Fails if the name is a directory's, is taken and must not be replaced, or nothing can be
    /// created there.
    fn create(&self, location: &Location, overwrite: bool) -> Result<Box<dyn Pending>>;

    /// Begins a directory that appears when it is published.
    ///
    /// # Errors
    /// As [`Store::create`].
    fn stage(&self, location: &Location, overwrite: bool) -> Result<Box<dyn Staged>>;

    /// Opens a file to add lines to, and creates it if it is not there.
    ///
    /// # Errors
    /// Fails if it is a directory or may not be written.
    fn append(&self, location: &Location) -> Result<Box<dyn Lines>>;

    /// Makes a directory and those above it, unless they are there, and their names durable.
    ///
    /// # Errors
    /// Fails if something of that name is not a directory or the storage refuses.
    fn make_directory(&self, location: &Location) -> Result<()>;

    /// Removes a file; that it is not there is no error.
    ///
    /// # Errors
    /// Fails if the storage refuses.
    fn remove(&self, location: &Location) -> Result<()>;

    /// Takes the lock of this name, in a directory that exists, for `owner`.
    ///
    /// # Errors
    /// [`crate::error::Kind::Busy`] at once, with the owner's name, if another process holds it;
    /// fails if the lock cannot be made, or the name is that of something else.
    fn lock(&self, location: &Location, owner: &str) -> Result<Box<dyn Held>>;

    /// The files below a directory, which need not be there.
    ///
    /// # Errors
    /// Fails for a kind of storage that has no directories.
    fn tree(&self, root: &Location) -> Result<Box<dyn Tree>>;
}

/// The files below one directory. Names lead down from it; no link among them is followed.
pub trait Tree {
    /// What is known of a file; none if there is nothing of that name. A link is neither a file nor
    /// a directory.
    ///
    /// # Errors
    /// Fails if the storage refuses to say, or a directory on the way is a link.
    fn find(&self, below: &Location) -> Result<Option<Metadata>>;

    /// The names of all files in the directory `below`, or in the root for an empty name, and its
    /// directories, sorted; links are among the files. None if it is not there.
    ///
    /// # Errors
    /// Fails if a directory may not be read, or is a link.
    fn files(&self, below: &Location) -> Result<Vec<Location>>;

    /// Opens a file; none if it is not there.
    ///
    /// # Errors
    /// Fails if it is not a plain file, or a link leads there.
    fn open(&self, below: &Location) -> Result<Option<SharedFile>>;

    /// Begins a file that replaces one of its name when it is published; missing directories are
    /// made.
    ///
    /// # Errors
    /// Fails if a directory of that name is there, or nothing can be created.
    fn create(&self, below: &Location) -> Result<Box<dyn Pending>>;

    /// Creates a file with all bytes of `source`, and missing directories on the way. Returns
    /// false, and changes nothing, if the name is taken. Unless it `is_durable`, a power failure
    /// may lose it until [`Tree::sync_all`].
    ///
    /// # Errors
    /// Fails if `source` does, if the storage refuses, or if a directory on the way is a link. The
    /// file may exist after a failure to make its name durable.
    fn create_new(&self, below: &Location, source: &mut dyn Read, is_durable: bool)
    -> Result<bool>;

    /// Gives a file another name, and that name's directories if they are missing. A file that it
    /// replaces, if it `replaces` one, hands on who may read and write it. The name is durable once
    /// its directories are synced.
    ///
    /// # Errors
    /// Fails if there is no such file, if the name is taken and may not be replaced, or a directory
    /// on the way is a link.
    fn rename(&self, from: &Location, to: &Location, replaces: bool) -> Result<()>;

    /// Removes a file, or a link of its name; that it is not there is no error.
    ///
    /// # Errors
    /// Fails if the storage refuses, or a directory on the way is a link.
    fn remove(&self, below: &Location) -> Result<()>;

    /// Removes a directory if nothing is in it.
    fn remove_empty_directory(&self, below: &Location);

    /// Makes the directories of a file below the root, which must be there.
    ///
    /// # Errors
    /// Fails if something else has a name on the way or the storage refuses.
    fn make_directories(&self, below: &Location) -> Result<()>;

    /// Makes the names in a directory, or in the root for an empty name, durable.
    ///
    /// # Errors
    /// Fails if the storage refuses.
    fn sync(&self, below: &Location) -> Result<()>;

    /// Makes all that was written there durable: for many directories that is sooner done.
    ///
    /// # Errors
    /// Fails if the storage refuses.
    fn sync_all(&self) -> Result<()>;

    /// As [`Store::lock`], in directories that are made for the lock through no link, and removed
    /// with it if nothing else is left there.
    ///
    /// # Errors
    /// As [`Store::lock`].
    fn lock(&self, below: &Location, owner: &str) -> Result<Box<dyn Held>>;
}

/// A file that is being written and has no name yet. Dropped unpublished, it is gone.
pub trait Pending: Debug + Send + Write {
    /// The bytes written so far.
    ///
    /// # Errors
    /// Fails if what is buffered cannot be written.
    fn byte_count(&mut self) -> Result<u64>;

    /// Makes the bytes durable and gives the file its name, in one step.
    ///
    /// # Errors
    /// Fails if the name was taken meanwhile and may not be replaced, or the storage is full; the
    /// file is then gone.
    fn publish(self: Box<Self>, overwrite: bool) -> Result<()>;

    /// The same under another name in its directory, where it replaces a file of that name.
    ///
    /// # Errors
    /// Fails if the storage is full, or has no names; the file is then gone.
    fn publish_as(self: Box<Self>, name: &OsStr) -> Result<()>;
}

/// A directory that is being filled under another name. Dropped unpublished, it is gone.
pub trait Staged: Debug {
    /// Where to write meanwhile.
    fn path(&self) -> &Location;

    /// Makes everything durable and gives the directory its name, in one step.
    ///
    /// # Errors
    /// Fails if the name was taken meanwhile and may not be replaced, or the storage refuses.
    fn publish(self: Box<Self>, overwrite: bool) -> Result<()>;
}

/// A file of lines that only grows.
pub trait Lines: Debug + Send + Sync {
    /// Appends a line, whole and durable, whatever other writers do.
    ///
    /// # Errors
    /// Fails if the storage refuses or is full.
    fn append_line(&self, line: &str) -> Result<()>;
}

/// A lock, held until it is dropped.
pub trait Held: Debug + Send + Sync {
    /// The name of an owner that ended without giving the lock back, if there was one.
    fn previous_owner(&self) -> Option<&str>;

    /// What that owner had noted last.
    fn previous_note(&self) -> Option<&str>;

    /// Leaves word of how far the owner came, in one line, for anyone who finds the lock left
    /// behind.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    fn note(&self, note: &str) -> Result<()>;

    /// Leaves the lock where it is when it is dropped, as if the process had died: the next owner
    /// hears of this one and of its note.
    fn leave_behind(&self);

    /// Takes [`leave_behind`](Held::leave_behind) back.
    fn give_back(&self);
}
