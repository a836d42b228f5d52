//! `tallow sign`: signs a model.

use serde_json::json;

use super::console::Console;
use super::page::Page;
use super::paths::locations;
use super::signature_args::SignArgs;
use crate::error::Result;
use crate::plan::signed::sign_model;
use crate::request::signature::Sign;
use crate::storage::Location;

pub(super) fn run(request: &Sign, console: &Console) -> Result<()> {
    let signature = sign_model(request)?.text();
    if console.is_json() {
        console.json(&json!({ "signature": signature }))
    } else {
        console.show(&Page::new(&format!("signed: {signature}")))
    }
}

impl From<SignArgs> for Sign {
    fn from(args: SignArgs) -> Self {
        let SignArgs {
            model,
            key,
            certificate,
            signature,
            overwrite,
        } = args;
        Self {
            model: model.into(),
            key: key.into(),
            certificates: locations(certificate),
            signature: signature.map(Location::from),
            overwrite,
        }
    }
}
