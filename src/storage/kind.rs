//! Which kind of storage a location is in.

use super::local::Local;
use super::location::Location;
use super::store::Store;
use super::streams::Streams;

impl Location {
    /// The storage that has it.
    pub(super) fn store(&self) -> &'static dyn Store {
        if self.is_stream() { &Streams } else { &Local }
    }
}
