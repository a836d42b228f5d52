//! The signature file: a Sigstore bundle that holds a DSSE envelope.
//!
//! Owns the file's form, and which bytes are signed: DSSE's pre-authentication encoding of the
//! payload exactly as it was decoded. It must not look into the payload.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The only form of bundle that Model Signing v1.0 has.
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// What the payload is.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The most bytes of a signature file: some hundred thousand files.
pub(super) const BYTES_LIMIT: u64 = 64 << 20;

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Envelope,
}

/// Who signed: a key or a chain of certificates.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<KeyHint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x509_certificate_chain: Option<Chain>,
    /// A certificate of Sigstore's own authority.
    #[serde(default, skip_serializing)]
    certificate: Option<serde_json::Value>,
    #[serde(default)]
    tlog_entries: Vec<serde_json::Value>,
}

#[derive(Debug, Deserialize, Serialize)]
struct KeyHint {
    #[serde(default)]
    hint: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Chain {
    certificates: Vec<RawCertificate>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct RawCertificate {
    raw_bytes: String,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<RawSignature>,
}

#[derive(Debug, Deserialize, Serialize)]
struct RawSignature {
    sig: String,
    #[serde(default)]
    keyid: String,
}

/// Who signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Signer {
    /// The key whose PEM text has this SHA-256; none if the file does not say.
    Key(Option<String>),
    /// Certificates in DER, the signer's own first.
    Certificates(Vec<Vec<u8>>),
}

/// A signature, its payload not yet trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the format names it so")]
pub(super) struct Signature {
    pub(super) signer: Signer,
    pub(super) payload: Vec<u8>,
    /// In DER.
    pub(super) signature: Vec<u8>,
}

impl Signature {
    /// Reads a signature file.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let broken = |what: &str| Error::trust(format!("cannot read the signature: {what}"));
        let bundle: Bundle = serde_json::from_slice(bytes)
            .map_err(|error| broken("it is not a Sigstore bundle").because(error))?;
        if bundle.media_type != MEDIA_TYPE {
            return Err(
                broken(&format!("its media type is `{}`", bundle.media_type)).hint(format!(
                    "sign again with Model Signing v1.0: `{MEDIA_TYPE}`"
                )),
            );
        }
        let Envelope {
            payload,
            payload_type,
            signatures,
        } = bundle.dsse_envelope;
        if payload_type != PAYLOAD_TYPE {
            return Err(broken(&format!(
                "its payload has the type `{payload_type}`"
            )));
        }
        let [signature] = signatures.as_slice() else {
            return Err(broken(&format!(
                "it has {} signatures instead of one",
                signatures.len()
            )));
        };
        let material = bundle.verification_material;
        let signer = match (material.public_key, material.x509_certificate_chain) {
            (Some(key), None) => Signer::Key(key.hint.filter(|hint| !hint.is_empty())),
            (None, Some(chain)) => {
                let decoded = chain.certificates.iter().map(|one| decode(&one.raw_bytes));
                let decoded: Option<Vec<_>> = decoded.collect();
                Signer::Certificates(decoded.ok_or_else(|| broken("a certificate is not base64"))?)
            }
            (None, None) if material.certificate.is_some() => {
                return Err(broken(
                    "it was signed through Sigstore, which tallow does not support",
                )
                .hint("sign with a key: `tallow sign PACKAGE --key KEY.pem`"));
            }
            _ => {
                return Err(broken(
                    "it names neither one key nor one chain of certificates",
                ));
            }
        };
        Ok(Self {
            signer,
            payload: decode(&payload).ok_or_else(|| broken("its payload is not base64"))?,
            signature: decode(&signature.sig)
                .ok_or_else(|| broken("its signature is not base64"))?,
        })
    }

    /// Writes a signature file.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut material = Material::default();
        match &self.signer {
            Signer::Key(hint) => material.public_key = Some(KeyHint { hint: hint.clone() }),
            Signer::Certificates(chain) => {
                let certificates = chain
                    .iter()
                    .map(|der| RawCertificate {
                        raw_bytes: STANDARD.encode(der),
                    })
                    .collect();
                material.x509_certificate_chain = Some(Chain { certificates });
            }
        }
        let bundle = Bundle {
            media_type: MEDIA_TYPE.to_owned(),
            verification_material: material,
            dsse_envelope: Envelope {
                payload: STANDARD.encode(&self.payload),
                payload_type: PAYLOAD_TYPE.to_owned(),
                signatures: vec![RawSignature {
                    sig: STANDARD.encode(&self.signature),
                    keyid: String::new(),
                }],
            },
        };
        serde_json::to_vec(&bundle)
            .map_err(|error| Error::internal("a signature without JSON").because(error))
    }
}

/// The bytes that are signed: DSSE's pre-authentication encoding (DSSE v1.0, protocol).
pub(super) fn signed_bytes(payload: &[u8]) -> Vec<u8> {
    let head = format!(
        "DSSEv1 {} {PAYLOAD_TYPE} {} ",
        PAYLOAD_TYPE.len(),
        payload.len()
    );
    [head.as_bytes(), payload].concat()
}

/// The bytes of a base64 text.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}
