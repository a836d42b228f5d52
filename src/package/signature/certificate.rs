//! Certificates: from a signer's own to an authority that the user trusts.
//!
//! Owns the check of a chain (RFC 5280, the part that signing needs): names, signatures, validity,
//! authorities' constraints, the right to sign. It must not know what is signed.

use std::time::Duration;

use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RsaParameters, UnparsedPublicKey,
};
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

use super::key::{PublicKey, Sha, pem_blocks};
use crate::error::{Error, Result};
use crate::process::rfc3339;

/// The longest chain that is followed.
const LONGEST_CHAIN: usize = 10;

/// `id-kp-codeSigning` (RFC 5280, 4.2.1.12).
const CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";

/// What signs certificates: ECDSA with SHA-256, SHA-384 and SHA-512 (RFC 5758), and RSA with the
/// padding of PKCS #1 and the same digests (RFC 8017).
const ALGORITHMS: [(&str, Algorithm); 6] = [
    ("1.2.840.10045.4.3.2", Algorithm::Ecdsa(Sha::Sha256)),
    ("1.2.840.10045.4.3.3", Algorithm::Ecdsa(Sha::Sha384)),
    ("1.2.840.10045.4.3.4", Algorithm::Ecdsa(Sha::Sha512)),
    (
        "1.2.840.113549.1.1.11",
        Algorithm::Rsa(&RSA_PKCS1_2048_8192_SHA256),
    ),
    (
        "1.2.840.113549.1.1.12",
        Algorithm::Rsa(&RSA_PKCS1_2048_8192_SHA384),
    ),
    (
        "1.2.840.113549.1.1.13",
        Algorithm::Rsa(&RSA_PKCS1_2048_8192_SHA512),
    ),
];

/// Keys of RSA (RFC 3279).
const RSA_KEY: &str = "1.2.840.113549.1.1.1";

/// How a certificate is signed.
#[derive(Clone, Copy)]
enum Algorithm {
    Ecdsa(Sha),
    Rsa(&'static RsaParameters),
}

/// Extensions that are understood (RFC 5280): others that are critical are refused.
const UNDERSTOOD: [&str; 3] = ["2.5.29.15", "2.5.29.19", "2.5.29.37"];

/// A certificate.
#[derive(Clone, Debug)]
pub struct Authority {
    certificate: Box<Certificate>,
    der: Vec<u8>,
}

impl Authority {
    /// The certificates of a PEM file, in order; empty if it holds none.
    ///
    /// # Errors
    /// A usage error if one cannot be read.
    pub fn from_pem(text: &[u8]) -> Result<Vec<Self>> {
        let blocks = pem_blocks(text)?
            .into_iter()
            .filter(|block| block.label == "CERTIFICATE");
        blocks
            .map(|block| {
                Self::from_der(block.der)
                    .ok_or_else(|| Error::usage("cannot read a certificate of the file"))
            })
            .collect()
    }

    fn from_der(der: Vec<u8>) -> Option<Self> {
        let certificate = Box::new(Certificate::from_der(&der).ok()?);
        Some(Self { certificate, der })
    }

    /// Its bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its public key, if it is on a curve that we know.
    #[must_use]
    pub fn key(&self) -> Option<PublicKey> {
        let info = self.certificate.tbs_certificate().subject_public_key_info();
        PublicKey::from_der(&info.to_der().ok()?)
    }

    /// Whom it names.
    #[must_use]
    pub fn subject(&self) -> String {
        self.certificate.tbs_certificate().subject().to_string()
    }

    fn check_validity(&self, time: u64) -> Result<()> {
        let validity = self.certificate.tbs_certificate().validity();
        let duration = Duration::from_secs(time);
        let (from, to) = (
            validity.not_before.to_unix_duration(),
            validity.not_after.to_unix_duration(),
        );
        if from <= duration && duration <= to {
            return Ok(());
        }
        Err(Error::trust(format!(
            "the certificate of `{}` is valid from {} to {}, and not at {}",
            self.subject(),
            rfc3339(from.as_secs()),
            rfc3339(to.as_secs()),
            rfc3339(time)
        ))
        .hint("sign again with a new certificate, or say when it was signed: `--signature-time`"))
    }

    /// Refuses critical extensions that are not understood.
    fn check_extensions(&self) -> Result<()> {
        let extensions = self.certificate.tbs_certificate().extensions();
        let unknown = extensions.into_iter().flatten().find(|extension| {
            extension.critical && !UNDERSTOOD.contains(&extension.extn_id.to_string().as_str())
        });
        match unknown {
            Some(extension) => Err(self.wrong(&format!(
                "has a critical extension `{}` that tallow does not know",
                extension.extn_id
            ))),
            None => Ok(()),
        }
    }

    fn wrong(&self, what: &str) -> Error {
        Error::trust(format!("the certificate of `{}` {what}", self.subject()))
    }

    fn usage(&self) -> Result<Option<KeyUsage>> {
        let found = self
            .certificate
            .tbs_certificate()
            .get_extension::<KeyUsage>();
        Ok(found
            .map_err(|_| self.wrong("has a key usage that cannot be read"))?
            .map(|(_, usage)| usage))
    }

    /// Whether its key may sign models.
    fn check_may_sign(&self) -> Result<()> {
        if self.usage()?.is_some_and(|usage| usage.digital_signature()) {
            return Ok(());
        }
        let extended = self
            .certificate
            .tbs_certificate()
            .get_extension::<ExtendedKeyUsage>();
        let extended =
            extended.map_err(|_| self.wrong("has an extended key usage that cannot be read"))?;
        let signs_code = extended
            .is_some_and(|(_, usage)| usage.0.iter().any(|one| one.to_string() == CODE_SIGNING));
        if signs_code {
            return Ok(());
        }
        Err(self.wrong("does not allow its key to sign").hint(
            "the certificate needs the key usage `digitalSignature` or the extended key usage \
                 `codeSigning`",
        ))
    }

    /// Whether it may sign certificates, with `below` others between it and the signer's own.
    fn check_may_certify(&self, below: usize) -> Result<()> {
        let constraints = self
            .certificate
            .tbs_certificate()
            .get_extension::<BasicConstraints>();
        let constraints =
            constraints.map_err(|_| self.wrong("has constraints that cannot be read"))?;
        let is_authority = constraints
            .as_ref()
            .is_some_and(|(_, constraints)| constraints.ca);
        if !is_authority || self.usage()?.is_some_and(|usage| !usage.key_cert_sign()) {
            return Err(self.wrong("does not allow it to sign other certificates"));
        }
        let longest = constraints.and_then(|(_, constraints)| constraints.path_len_constraint);
        if longest.is_some_and(|longest| below > usize::from(longest)) {
            return Err(self.wrong("allows fewer certificates below it"));
        }
        Ok(())
    }

    /// Whether it names itself as the issuer of the other one.
    fn is_issuer_of(&self, other: &Self) -> bool {
        self.certificate.tbs_certificate().subject() == other.certificate.tbs_certificate().issuer()
    }

    /// Whether it signed the other one.
    fn has_signed(&self, other: &Self) -> bool {
        let certificate = &other.certificate;
        let algorithm = certificate.signature_algorithm();
        let (Ok(message), Some(signature)) = (
            certificate.tbs_certificate().to_der(),
            certificate.signature().as_bytes(),
        ) else {
            return false;
        };
        self.is_issuer_of(other)
            && algorithm == certificate.tbs_certificate().signature()
            && match other.algorithm() {
                Some(Algorithm::Ecdsa(sha)) => self
                    .key()
                    .is_some_and(|key| key.verify_with(sha, &message, signature)),
                Some(Algorithm::Rsa(parameters)) => self.rsa_key().is_some_and(|key| {
                    UnparsedPublicKey::new(parameters, key)
                        .verify(&message, signature)
                        .is_ok()
                }),
                None => false,
            }
    }

    /// How it is signed, if that is an algorithm that is known.
    fn algorithm(&self) -> Option<Algorithm> {
        let own = self.certificate.signature_algorithm().oid.to_string();
        let mut known = ALGORITHMS.into_iter();
        known.find_map(|(name, algorithm)| (name == own).then_some(algorithm))
    }

    /// Its public key in the form of PKCS #1, if it is one of RSA.
    fn rsa_key(&self) -> Option<&[u8]> {
        let info = self.certificate.tbs_certificate().subject_public_key_info();
        let is_rsa = info.algorithm.oid.to_string() == RSA_KEY;
        info.subject_public_key.as_bytes().filter(|_| is_rsa)
    }
}

/// The key of a chain's first certificate and its subject, if the chain leads to an authority.
pub(super) fn verify(
    chain: &[Vec<u8>],
    authorities: &[Authority],
    time: u64,
) -> Result<(PublicKey, String)> {
    if authorities.is_empty() {
        return Err(Error::trust(
            "the model was signed with a certificate, and no authority is trusted",
        )
        .hint("name the authority's certificate: `--key AUTHORITY.pem`"));
    }
    let parsed = chain.iter().map(|der| Authority::from_der(der.clone()));
    let parsed: Option<Vec<Authority>> = parsed.collect();
    let parsed =
        parsed.ok_or_else(|| Error::trust("cannot read a certificate of the signature"))?;
    let own = parsed
        .first()
        .ok_or_else(|| Error::trust("the signature has no certificate"))?;
    own.check_validity(time)?;
    own.check_extensions()?;
    own.check_may_sign()?;
    let key = own
        .key()
        .ok_or_else(|| own.wrong("has a key that is not on P-256, P-384 or P-521"))?;
    let mut last = own;
    for below in 0..LONGEST_CHAIN {
        if authorities
            .iter()
            .any(|authority| authority.der == last.der)
        {
            return Ok((key, own.subject()));
        }
        if let Some(authority) = authorities
            .iter()
            .find(|authority| authority.has_signed(last))
        {
            authority.check_validity(time)?;
            authority.check_extensions()?;
            authority.check_may_certify(below)?;
            return Ok((key, own.subject()));
        }
        let next = parsed
            .iter()
            .find(|next| next.der != last.der && next.has_signed(last));
        let Some(next) = next else { break };
        next.check_validity(time)?;
        next.check_extensions()?;
        next.check_may_certify(below)?;
        last = next;
    }
    let error = Error::trust(format!(
        "the certificate of `{}` does not lead to a trusted authority",
        own.subject()
    ));
    let is_named = authorities.iter().any(|one| one.is_issuer_of(last));
    Err(match last.algorithm() {
        None if is_named => error.hint(format!(
            "`{}` is signed with the algorithm {}, and tallow knows ECDSA and RSA (PKCS #1) with \
             SHA-256, SHA-384 or SHA-512",
            last.subject(),
            last.certificate.signature_algorithm().oid
        )),
        _ => error,
    })
}
