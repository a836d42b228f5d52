//! `tallow verify`: verifies the signature of a model.

use serde_json::json;

use super::console::Console;
use super::page::Page;
use super::signature_args::VerifyArgs;
use super::trust;
use super::user::local;
use crate::count::counted;
use crate::error::Result;
use crate::plan::signed::verify_all;
use crate::request::signature::Verify;
use crate::run::named_model::find_named;
use crate::storage::Location;

pub(super) fn run(args: VerifyArgs, console: &Console) -> Result<()> {
    let registry = args.lookup.registry.clone().map(Location::from);
    let mut request = Verify::from(args);
    let named = request.model.clone();
    let warning = find_named(&mut request.model, registry.as_ref(), &local())?;
    request.is_registered = request.model != named;
    warning.iter().for_each(|warning| console.warning(warning));
    trust::complete(&mut request.trust)?;
    let verified = verify_all(&request)?;
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
