//! Whom the user trusts: keys, certificates of authorities, and what was revoked.
//!
//! Owns the decision whether a signature is a trusted one. It must not know where the user wrote it
//! down.

use super::bundle::{Signature, Signer, signed_bytes};
use super::certificate::{self, Authority};
use super::key::PublicKey;
use crate::error::{Error, Result};

/// Whom the user trusts.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Public keys.
    pub keys: Vec<PublicKey>,
    /// Certificates of authorities.
    pub authorities: Vec<Authority>,
    /// Digests that are not trusted by whichever key they are signed, without `sha256:`: of keys,
    /// of models as signatures name them, of files.
    pub revoked: Vec<String>,
    /// The time at which certificates must be valid, in seconds since 1970.
    pub time: u64,
}

impl Trust {
    /// Adds the key or the certificates of a PEM file.
    ///
    /// # Errors
    /// A usage error if it holds neither.
    pub fn add_pem(&mut self, text: &[u8]) -> Result<()> {
        let authorities = Authority::from_pem(text)?;
        if authorities.is_empty() {
            self.keys.push(PublicKey::from_pem(text)?);
        }
        self.authorities.extend(authorities);
        Ok(())
    }

    /// Whether no key is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.authorities.is_empty()
    }

    /// Whether a digest, in hexadecimal digits with or without `sha256:`, was revoked.
    #[must_use]
    pub fn is_revoked(&self, digest: &str) -> bool {
        let mut revoked = self.revoked.iter();
        revoked.any(|revoked| digits(revoked).eq_ignore_ascii_case(digits(digest)))
    }

    /// The name of the trusted signer whose signature this is.
    pub(super) fn signer_of(&self, signature: &Signature) -> Result<String> {
        let message = signed_bytes(&signature.payload);
        match &signature.signer {
            Signer::Key(hint) => self.key_of(hint.as_deref(), &message, &signature.signature),
            Signer::Certificates(chain) => {
                let (key, name) = certificate::verify(chain, &self.authorities, self.time)?;
                let fingerprint = key.fingerprint()?;
                self.check_key(&fingerprint)?;
                if key.verify(&message, &signature.signature) {
                    Ok(format!("certificate {name}"))
                } else {
                    Err(Error::trust(
                        "the signature is not the one of its certificate's key",
                    ))
                }
            }
        }
    }

    fn key_of(&self, hint: Option<&str>, message: &[u8], signature: &[u8]) -> Result<String> {
        if self.keys.is_empty() {
            return Err(
                Error::trust("the model was signed with a key, and no key is trusted")
                    .hint("name the signer's public key: `--key KEY.pub`"),
            );
        }
        let mut trusted = Vec::new();
        for key in &self.keys {
            let fingerprint = key.fingerprint()?;
            // The hint only says which key to try.
            if hint.is_none_or(|hint| hint == fingerprint) {
                self.check_key(&fingerprint)?;
                if key.verify(message, signature) {
                    return Ok(format!("key {fingerprint}"));
                }
            }
            trusted.push(fingerprint);
        }
        let is_known = hint.is_none_or(|hint| trusted.iter().any(|known| known == hint));
        let message = match hint {
            Some(hint) if !is_known => {
                format!("the model was signed with the key `{hint}`, which is not trusted")
            }
            _ => "the signature is not one of a trusted key".to_owned(),
        };
        Err(Error::trust(message).hint(format!("trusted: {}", trusted.join(", "))))
    }

    fn check_key(&self, fingerprint: &str) -> Result<()> {
        if self.is_revoked(fingerprint) {
            return Err(Error::trust(format!(
                "the signer's key `{fingerprint}` was revoked"
            )));
        }
        Ok(())
    }
}

/// The digits of a digest that may say its algorithm.
fn digits(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}
