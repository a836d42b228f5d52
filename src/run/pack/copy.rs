//! The files of a model, copied into its package and listed.
//!
//! Owns which files of a package are kept. It must not know what is in them.

use super::{BASELINE, MANIFEST_BYTES_LIMIT, Packing, REFERENCE, golden};
use crate::error::{Error, Result};
use crate::package::card::CARD_NAME;
use crate::package::open::OpenedModel;
use crate::package::signature::SIGNATURE_NAME;
use crate::package::signature::verify::refuse_link;
use crate::package::written::WrittenManifest;
use crate::package::{DEFAULT_WEIGHTS, MANIFEST_NAME, Manifest};
use crate::plan::text::reads_texts;
use crate::request::pack::Pack;
use crate::storage::{
    Location, SharedFile, TEMPORARY_PREFIX, canonical, create_unsynced_below, files_below, read,
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

/// Refuses to replace a package with a file that is neither made by packing nor listed in its
/// manifest: somebody put it there. A package that is packed again itself takes it along.
pub(super) fn refuse_foreign(request: &Pack) -> Result<()> {
    let output = &request.output;
    let goes_along = canonical(output)? == canonical(&request.model)?;
    let manifest = read(output.join(MANIFEST_NAME), MANIFEST_BYTES_LIMIT)?;
    let own = Manifest::parse(&manifest).map_or_else(|_| Vec::new(), |manifest| listed(&manifest));
    for name in files_below(output, "")? {
        let is_own = is_made(&name) || own.iter().any(|own| name.starts_with(own));
        let stays = is_own || goes_along && is_kept(&name);
        if !stays {
            let message = "the package that would be replaced has a file that is not its own";
            return Err(Error::usage(message)
                .at_path(output.join(name))
                .hint("move the file, or name another directory"));
        }
    }
    Ok(())
}

/// The files and directories that a manifest names.
fn listed(manifest: &Manifest) -> Vec<Location> {
    let artefacts = manifest.artefacts.iter().map(|entry| entry.path.clone());
    let baseline = manifest.baseline.iter().map(|entry| entry.profile.clone());
    let reference = manifest.reference.iter();
    let reference = reference.map(|entry| entry.performance.clone());
    let golden = manifest.golden.iter();
    let golden = golden.flat_map(|entry| [entry.rows.clone(), entry.expected.clone()]);
    let weights = DEFAULT_WEIGHTS.map(Location::from).into_iter();
    let weights = weights.filter(|_| manifest.artefacts.is_empty());
    let all = artefacts.chain(baseline).chain(reference).chain(golden);
    all.chain(weights).collect()
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
