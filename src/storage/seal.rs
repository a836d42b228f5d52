//! A cipher for rows that are put aside on a disk: AES-256-GCM under a key that is made at random,
//! that this process alone knows, and that is gone with it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use crate::error::{Error, Result};

/// What a sealed piece takes more than its bytes.
pub(super) const TAG_BYTES: usize = 16;

/// Whether rows that are put aside are sealed.
static IS_ASKED: AtomicBool = AtomicBool::new(false);

/// The key, once it is needed.
static KEY: OnceLock<LessSafeKey> = OnceLock::new();

/// Seals rows that are put aside from now on, or leaves them as they are.
pub fn seal_rows(is_asked: bool) {
    IS_ASKED.store(is_asked, Ordering::Relaxed);
}

/// The key of this process; none if rows are not sealed.
///
/// # Errors
/// Fails if the system gives no random bytes.
pub(super) fn key() -> Result<Option<&'static LessSafeKey>> {
    if IS_ASKED.load(Ordering::Relaxed) {
        made_key().map(Some)
    } else {
        Ok(None)
    }
}

/// The key of this process.
///
/// # Errors
/// Fails if the system gives no random bytes.
pub(super) fn made_key() -> Result<&'static LessSafeKey> {
    if let Some(key) = KEY.get() {
        return Ok(key);
    }
    let mut bytes = [0; 32];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Error::failed("the system gives no random bytes to encrypt rows with"))?;
    let key = UnboundKey::new(&AES_256_GCM, &bytes);
    let key = key.map_err(|_| Error::internal("a key of another length than the cipher's"))?;
    Ok(KEY.get_or_init(|| LessSafeKey::new(key)))
}

/// Seals a piece in place. No two pieces of a process may have the same file and offset.
///
/// # Errors
/// An internal error for a piece that is too large for the cipher.
pub(super) fn seal(
    key: &LessSafeKey,
    (file, offset): (u32, u64),
    piece: &mut Vec<u8>,
) -> Result<()> {
    key.seal_in_place_append_tag(nonce(file, offset), Aad::empty(), piece)
        .map_err(|_| Error::internal("rows that cannot be encrypted"))
}

/// Opens a sealed piece in place; returns its bytes.
///
/// # Errors
/// Fails if it is not what was sealed.
pub(super) fn open<'a>(
    key: &LessSafeKey,
    (file, offset): (u32, u64),
    piece: &'a mut [u8],
) -> Result<&'a [u8]> {
    let opened = key.open_in_place(nonce(file, offset), Aad::empty(), piece);
    match opened {
        Ok(bytes) => Ok(bytes),
        Err(_) => Err(Error::failed(
            "rows that were put aside were changed on the disk",
        )),
    }
}

fn nonce(file: u32, offset: u64) -> Nonce {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&file.to_le_bytes());
    bytes[4..].copy_from_slice(&offset.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}
