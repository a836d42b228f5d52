//! Files with their names attached: reading by position, and writing that appears whole or not at
//! all.
//!
//! A [`Location`] names a file, a [`Store`] is a kind of storage that has it: the local file system
//! or the standard streams. The functions and types of this room ask the store of a location, and
//! nothing in the crate goes around them, so that every error names the path and what was being
//! done. It must not know what is in the files: formats and reports come to it with bytes.

mod append;
mod below;
mod copy;
mod fault;
mod file;
mod find;
mod identity;
mod kind;
mod local;
mod location;
mod lock;
mod metadata;
mod path_text;
mod pending;
mod pinned;
mod read_at;
mod seal;
mod spill;
mod spool;
mod staged;
mod store;
mod streams;
mod vouched;
mod watch;

pub use self::append::AppendFile;
pub use self::below::{
    create_below, create_unsynced_below, files_below, find_below, make_directories_below,
    open_below, read_below, remove_below, remove_empty_directory_below, rename_below,
    replace_below, sync_below, sync_file_system,
};
#[cfg(test)]
pub(crate) use self::fault::{Failure, Ordered};
pub use self::file::{FileReader, HEAD_BYTES, SharedFile, read, read_head};
pub use self::find::{
    absolute, canonical, find, is_open_to_others, list, make_directory, metadata, remove,
};
pub use self::identity::{Identity, check_unchanged, is_newer};
pub use self::local::io_error;
pub use self::location::{CHECK_SPELLING, Location};
pub use self::lock::Lock;
pub use self::metadata::Metadata;
pub use self::pending::PendingFile;
pub use self::pinned::Pins;
pub use self::read_at::ReadAt;
pub use self::seal::seal_rows;
pub use self::spill::{Extent, SpillFile};
pub use self::staged::StagedDirectory;
pub use self::store::{Held, Lines, Pending, Staged, Store, Tree};
pub use self::vouched::Vouched;
pub use self::watch::read_unchanged;

/// How temporary files begin: hidden, and swept by their owners once they are old.
pub const TEMPORARY_PREFIX: &str = ".tmp-";
