//! Digests of files as signatures list them.
//!
//! Owns the algorithms. It must not know which digest is expected.

use sha2::{Digest, Sha256};

/// The number of a digest's bytes, by every algorithm.
pub(super) const DIGEST_BYTES: usize = 32;

/// How a digest is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// SHA-256, the default of Model Signing.
    Sha256,
    /// BLAKE3, 256 bits.
    Blake3,
}

impl Algorithm {
    /// The algorithm of a name; of digests of pieces it has their size:
    /// `sha256-sharded-1000000000`.
    pub(super) fn of(name: &str) -> Option<Self> {
        match name.split_once("-sharded-").map_or(name, |(name, _)| name) {
            "sha256" => Some(Self::Sha256),
            "blake3" => Some(Self::Blake3),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Blake3 => "blake3",
        }
    }

    pub(super) fn start(self) -> State {
        match self {
            Self::Sha256 => State::Sha256(Sha256::new()),
            Self::Blake3 => State::Blake3(Box::default()),
        }
    }
}

/// A digest of which not all bytes have come.
pub(super) enum State {
    Sha256(Sha256),
    Blake3(Box<blake3::Hasher>),
}

impl State {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(digest) => digest.update(bytes),
            Self::Blake3(digest) => _ = digest.update(bytes),
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        match self {
            Self::Sha256(digest) => digest.finalize().to_vec(),
            Self::Blake3(digest) => digest.finalize().as_bytes().to_vec(),
        }
    }
}
