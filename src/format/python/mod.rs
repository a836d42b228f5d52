//! Files of Python: pickles, joblib and skops, read as data.
//!
//! Owns the way from the bytes of such a file to records; what estimators compute is
//! [`super::sklearn`]'s. A Python process would import modules and call functions to load one; here
//! nothing is imported and nothing called, so that reading a file is as safe as reading JSON.
//!
//! | file | owns |
//! |---|---|
//! | [`container`] | which kind of file it is, and what it is compressed with |
//! | [`archive`] | ZIP archives as untrusted bytes |
//! | [`machine`], [`cursor`], [`text`] | the opcodes of pickle, protocols 0 to 5 |
//! | [`construct`] | constructors that are understood: numpy's, the language's own, joblib's |
//! | [`skops`], [`npy`] | skops files to the same records |
//! | [`record`], [`numpy`] | the one record type: values by index, arrays as slices of the file |
//! | [`field`] | the numbers of an array, read in place |
//! | [`trust`] | calls that no model needs |
//! | [`describe`], [`import`] | what users are shown of a file, and how it is opened |
//!
//! The flow is container → machine or skops → [`record::Arena`] → description and translation.
//! Memory is bounded by the file: every opcode costs at least a byte, lengths are compared with the
//! bytes that are left, what is inflated is counted as it grows, and values that are written out
//! anew take no more than the file twice. Sharing is by index and never expanded here; anyone who
//! walks the records marks what was visited.

pub(crate) mod archive;
mod construct;
pub(super) mod container;
mod cursor;
pub(super) mod describe;
pub(super) mod field;
mod import;
mod machine;
mod npy;
pub(super) mod numpy;
pub(super) mod record;
mod skops;
#[cfg(test)]
mod tests;
mod text;
pub(crate) mod torch;
mod trust;

pub(crate) use self::import::Python;
