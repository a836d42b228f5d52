//! Keys on the curves P-256, P-384 and P-521, as PEM files hold them.
//!
//! Owns which algorithm signs with which curve: ECDSA with SHA-256, SHA-384 and SHA-512. It must
//! not know what is signed.

use sha2::{Digest, Sha256, Sha384, Sha512};

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::signature::{Signer, Verifier};
use p256::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePublicKey, LineEnding};

use crate::digest::hexadecimal;
use crate::error::{Error, Result};

/// The most bytes of a key file.
pub const KEY_BYTES_LIMIT: u64 = 1 << 20;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// On P-256.
    P256(p256::ecdsa::VerifyingKey),
    /// On P-384.
    P384(p384::ecdsa::VerifyingKey),
    /// On P-521.
    P521(p521::ecdsa::VerifyingKey),
}

/// A private key.
#[derive(Clone)]
pub enum PrivateKey {
    /// On P-256.
    P256(p256::ecdsa::SigningKey),
    /// On P-384.
    P384(p384::ecdsa::SigningKey),
    /// On P-521.
    P521(p521::ecdsa::SigningKey),
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrivateKey")
    }
}

impl PublicKey {
    /// The key of a `SubjectPublicKeyInfo` in DER.
    #[must_use]
    pub fn from_der(der: &[u8]) -> Option<Self> {
        let p256 = || {
            p256::ecdsa::VerifyingKey::from_public_key_der(der)
                .ok()
                .map(Self::P256)
        };
        let p384 = || {
            p384::ecdsa::VerifyingKey::from_public_key_der(der)
                .ok()
                .map(Self::P384)
        };
        let p521 = || {
            p521::ecdsa::VerifyingKey::from_public_key_der(der)
                .ok()
                .map(Self::P521)
        };
        p256().or_else(p384).or_else(p521)
    }

    /// The only key of a PEM file.
    ///
    /// # Errors
    /// A usage error if the file holds no such key, or a private one.
    pub fn from_pem(text: &[u8]) -> Result<Self> {
        let blocks = pem_blocks(text)?;
        if blocks
            .iter()
            .any(|block| block.label.ends_with("PRIVATE KEY"))
        {
            return Err(
                Error::usage("the file holds a private key; a public key was expected")
                    .hint("openssl pkey -in KEY.pem -pubout -out KEY.pub"),
            );
        }
        match blocks.as_slice() {
            [block] if block.label == "PUBLIC KEY" => {
                Self::from_der(&block.der).ok_or_else(|| unsupported("public"))
            }
            _ => Err(
                Error::usage("the file does not hold one public key in PEM form")
                    .hint("openssl pkey -in KEY.pem -pubout -out KEY.pub"),
            ),
        }
    }

    /// The key as OpenSSL writes it, in PEM.
    ///
    /// # Errors
    /// Never, for a key that could be read.
    pub fn to_pem(&self) -> Result<String> {
        let text = match self {
            Self::P256(key) => key.to_public_key_pem(LineEnding::LF),
            Self::P384(key) => key.to_public_key_pem(LineEnding::LF),
            Self::P521(key) => key.to_public_key_pem(LineEnding::LF),
        };
        text.map_err(|error| Error::internal("a key without PEM").because(error))
    }

    /// The SHA-256 of the key's PEM text: how signatures and lists of revoked keys name it.
    ///
    /// # Errors
    /// As [`PublicKey::to_pem`].
    pub fn fingerprint(&self) -> Result<String> {
        Ok(hexadecimal(&Sha256::digest(self.to_pem()?)))
    }

    /// Whether a signature in DER is this key's over the message.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::P256(key) => p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::P384(key) => p384::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::P521(key) => p521::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
        }
    }
}

/// A digest that certificates are signed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sha {
    Sha256,
    Sha384,
    Sha512,
}

impl Sha {
    /// The digest, as a number of at least so many bytes.
    fn number(self, message: &[u8], byte_count: usize) -> Vec<u8> {
        let digest = match self {
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        };
        let mut number = vec![0; byte_count.saturating_sub(digest.len())];
        number.extend(digest);
        number
    }
}

impl PublicKey {
    /// Whether a signature in DER is this key's over a digest of the message, which need not be the
    /// one that goes with the curve.
    #[must_use]
    pub(super) fn verify_with(&self, sha: Sha, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::P256(key) => p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|own| key.verify_prehash(&sha.number(message, 32), &own).is_ok()),
            Self::P384(key) => p384::ecdsa::Signature::from_der(signature)
                .is_ok_and(|own| key.verify_prehash(&sha.number(message, 48), &own).is_ok()),
            Self::P521(key) => p521::ecdsa::Signature::from_der(signature)
                .is_ok_and(|own| key.verify_prehash(&sha.number(message, 66), &own).is_ok()),
        }
    }
}

impl PrivateKey {
    /// The key of a PEM file: PKCS#8, or SEC1 as `openssl ecparam -genkey` writes it.
    ///
    /// # Errors
    /// A usage error if the file holds no such key, or an encrypted one.
    pub fn from_pem(text: &[u8]) -> Result<Self> {
        let blocks = pem_blocks(text)?;
        if blocks
            .iter()
            .any(|block| block.label == "ENCRYPTED PRIVATE KEY" || block.is_encrypted)
        {
            return Err(Error::usage("the private key is encrypted")
                .hint("openssl pkey -in KEY.pem -out DECRYPTED.pem"));
        }
        let is_private = |block: &&PemBlock| block.label.ends_with("PRIVATE KEY");
        let block = blocks.iter().find(is_private).ok_or_else(|| {
            Error::usage("the file does not hold a private key in PEM form")
                .hint("openssl ecparam -name prime256v1 -genkey -noout -out KEY.pem")
        })?;
        let der = &block.der[..];
        let key = match block.label.as_str() {
            "PRIVATE KEY" => Self::from_pkcs8(der),
            "EC PRIVATE KEY" => Self::from_sec1(der),
            _ => None,
        };
        key.ok_or_else(|| unsupported("private"))
    }

    fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let p256 = || {
            p256::SecretKey::from_pkcs8_der(der)
                .ok()
                .map(|key| Self::P256(key.into()))
        };
        let p384 = || {
            p384::SecretKey::from_pkcs8_der(der)
                .ok()
                .map(|key| Self::P384(key.into()))
        };
        let p521 = || {
            p521::SecretKey::from_pkcs8_der(der)
                .ok()
                .map(|key| Self::P521(key.into()))
        };
        p256().or_else(p384).or_else(p521)
    }

    fn from_sec1(der: &[u8]) -> Option<Self> {
        let p256 = || {
            p256::SecretKey::from_sec1_der(der)
                .ok()
                .map(|key| Self::P256(key.into()))
        };
        let p384 = || {
            p384::SecretKey::from_sec1_der(der)
                .ok()
                .map(|key| Self::P384(key.into()))
        };
        let p521 = || {
            p521::SecretKey::from_sec1_der(der)
                .ok()
                .map(|key| Self::P521(key.into()))
        };
        p256().or_else(p384).or_else(p521)
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        match self {
            Self::P256(key) => PublicKey::P256(*key.verifying_key()),
            Self::P384(key) => PublicKey::P384(*key.verifying_key()),
            Self::P521(key) => PublicKey::P521(*key.verifying_key()),
        }
    }

    /// The signature over a message, in DER; the same for the same message (RFC 6979).
    ///
    /// # Errors
    /// Fails if the arithmetic does, which has a negligible probability.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let failed = |error| Error::failed("cannot sign").because(error);
        Ok(match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = key.try_sign(message).map_err(failed)?;
                signature.to_der().as_bytes().to_vec()
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature = key.try_sign(message).map_err(failed)?;
                signature.to_der().as_bytes().to_vec()
            }
            Self::P521(key) => {
                let signature: p521::ecdsa::Signature = key.try_sign(message).map_err(failed)?;
                signature.to_der().as_bytes().to_vec()
            }
        })
    }
}

fn unsupported(kind: &str) -> Error {
    Error::usage(format!(
        "the {kind} key is not on the curve P-256, P-384 or P-521"
    ))
    .hint("openssl ecparam -name prime256v1 -genkey -noout -out KEY.pem")
}

/// A block of a PEM file.
pub(super) struct PemBlock {
    pub(super) label: String,
    pub(super) der: Vec<u8>,
    /// Whether its headers say that it is encrypted.
    is_encrypted: bool,
}

/// The blocks of a PEM file; text between them is skipped.
pub(super) fn pem_blocks(text: &[u8]) -> Result<Vec<PemBlock>> {
    let broken = || Error::usage("cannot read the PEM file");
    let text = std::str::from_utf8(text).map_err(|_| broken())?;
    let (mut blocks, mut lines) = (Vec::new(), text.lines().map(str::trim));
    while let Some(line) = lines.next() {
        let Some(label) = line
            .strip_prefix("-----BEGIN ")
            .and_then(|rest| rest.strip_suffix("-----"))
        else {
            continue;
        };
        let end = format!("-----END {label}-----");
        let (mut digits, mut is_encrypted) = (String::new(), false);
        loop {
            let line = lines.next().ok_or_else(broken)?;
            if line == end {
                break;
            }
            if line.contains(':') {
                is_encrypted |= line.contains("ENCRYPTED");
            } else {
                digits.push_str(line);
            }
        }
        let der = if is_encrypted {
            Vec::new()
        } else {
            super::bundle::decode(&digits).ok_or_else(broken)?
        };
        blocks.push(PemBlock {
            label: label.to_owned(),
            der,
            is_encrypted,
        });
    }
    Ok(blocks)
}
