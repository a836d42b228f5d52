//! What is known of a location without opening it.

/// What a storage says about a location, symbolic links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The size, in bytes.
    pub byte_count: u64,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Whether it is a plain file: no directory, pipe, socket or device.
    pub is_file: bool,
}
