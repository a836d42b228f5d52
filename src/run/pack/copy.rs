//! The files of a model, copied into its package and listed.
//!
//! Owns which files of a package are kept. It must not know what is in them.

use super::{BASELINE, MANIFEST_BYTES_LIMIT, Packing, REFERENCE, golden};
use crate::error::{Error, Result};
use crate::package::MANIFEST_NAME;
use crate::package::card::CARD_NAME;
use crate::package::open::OpenedModel;
use crate::package::signature::SIGNATURE_NAME;
use crate::package::signature::verify::refuse_link;
use crate::package::written::WrittenManifest;
use crate::plan::text::reads_texts;
use crate::storage::{
    Location, SharedFile, TEMPORARY_PREFIX, create_unsynced_below, files_below, read,
};

impl Packing<'_> {
    /// Copies the model's files and lists them, or takes over the manifest of a package.
    pub(super) fn copy(&mut self, opened: &OpenedModel) -> Result<()> {
        let model = &self.request.model;
        if opened.files.is_empty() {
            for name in files_below(model, "")? {
                if is_kept(&name) {
                    refuse_link(model, &name)?;
                    self.copy_file(&model.join(&name), &name)?;
                }
            }
            let manifest = read(model.join(MANIFEST_NAME), MANIFEST_BYTES_LIMIT)?;
            self.manifest = WrittenManifest::parse(&manifest)
                .map_err(|error| error.at_path(model.join(MANIFEST_NAME)))?;
            return Ok(());
        }
        // A pipeline of scikit-learn may read texts too, and is one file.
        let is_described = |name: &Location| {
            ["config.json", "modules.json"]
                .iter()
                .any(|known| name.ends_with(known))
        };
        let is_text = reads_texts(&opened.loaded.contract)
            && opened.files.iter().any(|(_, name)| is_described(name));
        let directory = Location::from(if is_text { "model" } else { "" });
        for (path, name) in &opened.files {
            self.copy_model_file(path, &directory.join(name))?;
        }
        self.manifest.set("name", &opened.name);
        let own = match opened.files.first() {
            Some((_, name)) if !is_text => name,
            _ => &directory,
        };
        self.manifest.set_artefact(own, None);
        Ok(())
    }

    fn copy_model_file(&self, path: &Location, name: &Location) -> Result<()> {
        if is_made(name) {
            return Err(Error::usage(format!(
                "the model has a file that would be replaced by the package's `{}`",
                name.display()
            ))
            .at_path(path)
            .hint("rename the file"));
        }
        self.copy_file(path, name)
    }

    fn copy_file(&self, path: &Location, name: &Location) -> Result<()> {
        let mut source = SharedFile::open(path)?.reader();
        create_unsynced_below(self.directory, name, &mut source)?;
        Ok(())
    }
}

/// Whether a file of a package is taken over when it is packed again. Signatures are made anew.
fn is_kept(name: &Location) -> bool {
    let first = name.names().next();
    let first = first.map(|first| first.to_string_lossy().into_owned());
    let own = name.file_name().unwrap_or_default().to_string_lossy();
    let is_git = first.is_some_and(|first| first.starts_with(".git"));
    let is_rewritten = [MANIFEST_NAME, CARD_NAME, SIGNATURE_NAME];
    !is_git && !own.starts_with(TEMPORARY_PREFIX) && !is_rewritten.iter().any(|own| *name == *own)
}

/// Whether packing makes a file of this name.
fn is_made(name: &Location) -> bool {
    let made = [
        MANIFEST_NAME,
        CARD_NAME,
        SIGNATURE_NAME,
        BASELINE,
        REFERENCE,
    ];
    let mut made = made.into_iter().chain(golden::NAMES);
    made.any(|own| *name == *own)
}
