//! `tallow sign`: signs a model.

use serde_json::json;

use super::console::Console;
use super::page::Page;
use super::signature_args::SignArgs;
use crate::error::Result;
use crate::path_text;
use crate::plan::signed::sign_model;
use crate::request::signature::Sign;

pub(super) fn run(request: &Sign, console: &Console) -> Result<()> {
    let signature = path_text::text(&sign_model(request)?);
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
            model,
            key,
            certificates: certificate,
            signature,
            overwrite,
        }
    }
}
