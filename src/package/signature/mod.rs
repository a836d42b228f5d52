//! Signatures of models: `OpenSSF` Model Signing v1.0, with a key or a certificate.
//!
//! Owns the way from a signature file to the list of files that a trusted key vouches for, and
//! back. It must not know what the files hold: nothing is parsed before its digest is vouched for.
//!
//! A signature is a Sigstore bundle ([`bundle`]) over an in-toto statement ([`statement`]) that
//! lists every file with its digest. The order of verification:
//!
//! 1. the bundle's form: JSON of a limited size, the media type, one signature;
//! 2. the signature over the statement's bytes, with a key that the *user* trusts ([`trust`]);
//! 3. only then the statement: its types, its digest over all files, the files' names;
//! 4. the files: each has its digest, and none is there that is not listed.
//!
//! Files that the signer chose to ignore may be there. They are not vouched for, so tallow refuses
//! to read them.

mod bundle;
pub mod certificate;
mod digest;
pub mod key;
pub mod sign;
mod statement;
#[cfg(test)]
mod tests;
pub mod trust;
pub mod verify;

/// The name of a signature in a package's directory.
pub const SIGNATURE_NAME: &str = "model.sig";
