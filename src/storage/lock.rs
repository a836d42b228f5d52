//! One writer per output: a lock with its owner's name in it.

use super::Location;
use super::store::Held;
use crate::error::Result;

/// A lock that is held until it is dropped. It ends with its process, however that ends; one that
/// was left behind by a process that was killed is taken over.
#[derive(Debug)]
pub struct Lock(Box<dyn Held>);

impl Lock {
    /// Takes the lock of a name, in a directory that exists; `owner`, which begins with `process `,
    /// is named to anyone who comes next.
    ///
    /// # Errors
    /// [`crate::error::Kind::Busy`] at once, with the owner's name, if another process holds it;
    /// fails if the lock cannot be made, or the name is that of something else.
    pub fn acquire(location: impl Into<Location>, owner: &str) -> Result<Self> {
        let location = location.into();
        location.store().lock(&location, owner).map(Self)
    }

    /// Takes the lock at `below`, in directories below `root` that are made for it through no link,
    /// and removed with it if nothing else is left there.
    ///
    /// # Errors
    /// As [`Lock::acquire`].
    pub fn acquire_inside(
        root: impl Into<Location>,
        below: impl Into<Location>,
        owner: &str,
    ) -> Result<Self> {
        let root = root.into();
        let tree = root.store().tree(&root)?;
        tree.lock(&below.into(), owner).map(Self)
    }

    /// The name of an owner that ended without giving the lock back, if there was one.
    #[must_use]
    pub fn previous_owner(&self) -> Option<&str> {
        self.0.previous_owner()
    }

    /// What that owner had noted last, or one before it that none has made out of date. It stays
    /// in the lock, for the next one, until this owner notes something itself.
    #[must_use]
    pub fn previous_note(&self) -> Option<&str> {
        self.0.previous_note()
    }

    /// Leaves word of how far the owner came, in one line, for anyone who finds the lock left
    /// behind.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub fn note(&self, note: &str) -> Result<()> {
        self.0.note(note)
    }

    /// Leaves the lock where it is when it is given back, as if the process had died: the next
    /// owner hears of this one and of its note.
    pub fn leave_behind(&self) {
        self.0.leave_behind();
    }

    /// Takes [`Lock::leave_behind`] back: nothing is left to do for the next owner.
    pub fn give_back(&self) {
        self.0.give_back();
    }
}
