//! Files with their names attached: reading by position, and writing that appears whole or not at
//! all.
//!
//! The only user of `std::fs` in the crate, so that every error names the path and what was being
//! done. It must not know what is in the files: formats and reports come to it with bytes.

mod append;
mod below;
mod create;
mod directory;
mod fault;
mod file;
mod identity;
mod location;
mod lock;
mod path;
mod path_text;
mod pending;
mod spill;
mod staged;
mod vouched;
mod watch;

pub use self::append::AppendFile;
pub use self::below::{
    files_below, find_below, make_directories_below, open_below, read_below, remove_below,
    remove_empty_directory_below, rename_below, sync_below, sync_file_system,
};
pub use self::create::{TEMPORARY_PREFIX, create_below, create_unsynced_below, replace_below};
pub use self::directory::{make_directory, sync};
#[cfg(test)]
pub(crate) use self::fault::{Failure, Ordered};
pub use self::file::{FileReader, HEAD_BYTES, SharedFile, read, read_head};
pub use self::identity::{Identity, check_unchanged, is_newer};
pub use self::location::Location;
pub use self::lock::Lock;
pub use self::path::{
    Metadata, absolute, canonical, find, io_error, is_open_to_others, list, metadata, remove,
};
pub use self::pending::PendingFile;
pub use self::spill::{Extent, SpillFile};
pub use self::staged::StagedDirectory;
pub use self::vouched::Vouched;
pub use self::watch::read_unchanged;
