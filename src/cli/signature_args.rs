//! Arguments of signatures: clap derives only.

use std::path::PathBuf;

use clap::Args;

use super::paths::locations;
use super::registry_args::LookupArgs;
use crate::request::signature::{TrustRequest, Verify};
use crate::storage::Location;

/// `tallow sign`
///
/// The signature is a bundle of `OpenSSF` Model Signing v1.0 and covers every file of the model.
#[derive(Clone, Debug, Args)]
pub struct SignArgs {
    /// A package, another model directory, or a model file
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
    /// The private key: PEM, on P-256, P-384 or P-521
    ///
    /// `openssl ecparam -name prime256v1 -genkey -noout -out KEY.pem` makes one.
    #[arg(long, value_name = "KEY")]
    pub key: PathBuf,
    /// The key's certificate, and those between it and an authority
    #[arg(long, value_name = "FILE")]
    pub certificate: Vec<PathBuf>,
    /// The signature file [default: `model.sig` in a directory, else `FILE.sig`]
    #[arg(long, value_name = "FILE")]
    pub signature: Option<PathBuf>,
    /// Replace an existing signature
    #[arg(long)]
    pub overwrite: bool,
}

/// `tallow verify`
#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// A package, another model directory, a model file, a data set, or a name in a registry
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
    /// A trusted public key, or the certificate of an authority; may be repeated
    ///
    /// [default: `keys` of `[trust]` in the configuration file]
    #[arg(long, value_name = "KEY")]
    pub key: Vec<PathBuf>,
    /// The signature file [default: `model.sig` in a directory, else `FILE.sig`]
    #[arg(long, value_name = "FILE")]
    pub signature: Option<PathBuf>,
    /// When certificates must be valid [default: now]
    #[arg(long, value_name = "TIME")]
    pub signature_time: Option<String>,
    /// Where names of models are looked up
    #[command(flatten)]
    pub lookup: LookupArgs,
}

/// Whose signature a model must have.
#[derive(Clone, Debug, Args)]
pub struct TrustArgs {
    /// Fail (exit 6) unless the model is signed by this key or authority; may be repeated
    ///
    /// A PEM file with a public key or a certificate. The signature is verified before any file of
    /// the model is parsed. `require = true` under `[trust]` in the configuration file requires a
    /// signature of every model.
    #[arg(long, value_name = "KEY", help_heading = "Registry")]
    pub require_signature: Vec<PathBuf>,
    /// When certificates must be valid [default: now]
    #[arg(long, value_name = "TIME", help_heading = "Registry")]
    pub signature_time: Option<String>,
}

impl From<VerifyArgs> for Verify {
    fn from(args: VerifyArgs) -> Self {
        let VerifyArgs {
            model,
            key,
            signature,
            signature_time,
            lookup: _,
        } = args;
        let trust = TrustRequest {
            keys: locations(key),
            signature_time,
            ..TrustRequest::default()
        };
        Self {
            model: model.into(),
            signature: signature.map(Location::from),
            is_registered: false,
            trust,
        }
    }
}

impl From<TrustArgs> for TrustRequest {
    fn from(args: TrustArgs) -> Self {
        let TrustArgs {
            require_signature,
            signature_time,
        } = args;
        Self {
            keys: locations(require_signature),
            signature_time,
            ..Self::default()
        }
    }
}
