//! `tallow verify`: verifies the signature of a model.

use serde_json::json;

use super::console::Console;
use super::page::Page;
use super::trust;
use crate::count::counted;
use crate::error::Result;
use crate::plan::signed::verify_model;
use crate::request::signature::Verify;

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
