//! `tallow verify`: verifies the signature of a model.

use serde_json::json;

use super::console::Console;
use super::page::Page;
use super::paths::locations;
use super::signature_args::{TrustArgs, VerifyArgs};
use super::trust;
use crate::count::counted;
use crate::error::Result;
use crate::plan::signed::verify_model;
use crate::request::signature::{TrustRequest, Verify};
use crate::storage::Location;

pub(super) fn run(mut request: Verify, console: &Console) -> Result<()> {
    trust::complete(&mut request.trust)?;
    let verified = verify_model(&request)?;
    let count = verified.files.len();
    if console.is_json() {
        return console.json(&json!({
            "signer": verified.signer,
            "digest": verified.digest,
            "files": count,
        }));
    }
    let mut page = Page::new(&format!("verified: {}", counted(count, "file")));
    page.fact("signed by", &verified.signer);
    page.fact("digest", &verified.digest);
    console.show(&page)
}

impl From<VerifyArgs> for Verify {
    fn from(args: VerifyArgs) -> Self {
        let VerifyArgs {
            model,
            key,
            signature,
            signature_time,
        } = args;
        let trust = TrustRequest {
            keys: locations(key),
            signature_time,
            ..TrustRequest::default()
        };
        Self {
            model: model.into(),
            signature: signature.map(Location::from),
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
