//! A model package: a directory with `tallow.toml` and the artefacts that it lists.
//!
//! Owns the way from the directory to a model: manifest, digests, import, and what the manifest
//! adds to what the artefact says. It must not touch the disk: anyone who opens a package passes
//! [`Files`].

mod apply;
mod artefact;
pub mod card;
mod directory;
mod identity;
pub mod input;
mod lone_model;
pub mod manifest;
pub mod open;
pub mod output;
mod reading;
mod resolved;
pub mod signature;
#[cfg(test)]
mod tests;
pub mod text;
pub mod written;

pub use artefact::CheckedArtefact;
pub use input::Derived;
pub use manifest::Manifest;
pub use resolved::Resolved;

use self::apply::Networks;
use crate::contract::CategoryValue;
use crate::error::{Error, Result};
use crate::format::{self, Artefact, GraphFeatures, ImportOptions};
use crate::model::LoadedModel;
use crate::storage::{Location, Metadata};
use crate::text::encoder::assemble;

/// The manifest's name in a package's directory.
pub const MANIFEST_NAME: &str = "tallow.toml";

/// Where a network's weights lie if the manifest lists no artefact: the first of these.
pub const DEFAULT_WEIGHTS: [&str; 4] = ["model.safetensors", "model.pt", "model.pth", "model.bin"];

/// How a package reaches the disk; `storage` holds the functions.
#[derive(Clone, Copy)]
pub struct Files<'a> {
    /// The bytes of a file.
    pub read: &'a dyn Fn(&Location) -> Result<Vec<u8>>,
    /// The absolute path with every link followed, as `canonicalize` gives it.
    pub resolve: &'a dyn Fn(&Location) -> Result<Location>,
    /// What is known of a path; none if there is nothing of that name.
    pub find: &'a dyn Fn(&Location) -> Result<Option<Metadata>>,
    /// What the model's importer may use to read files alongside it.
    pub sidecars: Option<format::Sidecars>,
}

impl std::fmt::Debug for Files<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Files")
    }
}

/// Where a package's golden rows lie, and how near the answers must be.
#[derive(Clone, Debug, PartialEq)]
pub struct GoldenRows {
    /// The rows.
    pub rows: Location,
    /// The answers.
    pub expected: Location,
    /// The largest difference of a number, relative to the number, or to 1 if that is more.
    pub tolerance: f64,
}

/// A package, opened: its artefacts have the digests that the manifest lists.
#[derive(Clone, Debug)]
pub struct Package {
    /// The directory.
    pub directory: Location,
    /// What `tallow.toml` says.
    pub manifest: Manifest,
    /// The artefacts, the model first, with the digests that were found.
    pub artefacts: Vec<CheckedArtefact>,
}

impl Package {
    /// Opens a package and loads its model, with all that the manifest adds to it.
    ///
    /// # Errors
    /// [`crate::error::Kind::Contract`] for a manifest that is wrong or does not fit the model;
    /// [`crate::error::Kind::Trust`] for an artefact with another digest or outside the directory;
    /// else what the format's importer says.
    pub fn open(
        directory: &Location,
        files: Files<'_>,
        options: &ImportOptions,
    ) -> Result<(Self, LoadedModel)> {
        let path = directory.join(MANIFEST_NAME);
        let manifest =
            Manifest::parse(&(files.read)(&path)?).map_err(|error| error.at_path(&path))?;
        if let Some(model) =
            directory::find(&manifest, directory, files).map_err(|error| error.at_path(&path))?
        {
            let (artefacts, loaded) = open_text(&manifest, directory, &model, files, options)?;
            return Ok((
                Self {
                    directory: directory.to_owned(),
                    manifest,
                    artefacts,
                },
                loaded,
            ));
        }
        let (artefacts, model) = artefact::read_all(&manifest, directory, files)
            .map_err(|error| error.at_path(&path))?;
        let package = Self {
            directory: directory.to_owned(),
            manifest,
            artefacts,
        };
        let mut loaded = package.import(&model, options)?;
        package
            .apply(&mut loaded)
            .map_err(|error| error.at_path(&path))?;
        Ok((package, loaded))
    }

    /// The golden rows of the package in this directory, if it has any; the model is not opened.
    ///
    /// # Errors
    /// A contract error for a manifest that is wrong; a trust error for rows outside the directory.
    pub fn golden_rows(directory: &Location, files: Files<'_>) -> Result<Option<GoldenRows>> {
        let path = directory.join(MANIFEST_NAME);
        let manifest =
            Manifest::parse(&(files.read)(&path)?).map_err(|error| error.at_path(&path))?;
        let Some(golden) = manifest.golden else {
            return Ok(None);
        };
        let inside = |name: &Location| {
            artefact::inside(directory, name, files).map_err(|error| error.at_path(&path))
        };
        Ok(Some(GoldenRows {
            rows: inside(&golden.rows)?,
            expected: inside(&golden.expected)?,
            tolerance: golden.tolerance,
        }))
    }

    /// The columns that are made of other columns before the inputs are bound.
    #[must_use]
    pub fn derived(&self) -> &[Derived] {
        &self.manifest.derived
    }

    /// Adds to a loaded model what the manifest says of its inputs and outputs.
    ///
    /// # Errors
    /// [`crate::error::Kind::Contract`] for an input that the model does not have, and for whatever
    /// contradicts the model.
    pub fn apply(&self, loaded: &mut LoadedModel) -> Result<()> {
        if self.manifest.outputs.labels.is_some() {
            loaded
                .description
                .facts
                .retain(|(name, _)| name != format::LABELS);
        }
        apply::inputs(&self.manifest, &mut loaded.contract)?;
        apply::outputs(
            &self.manifest,
            &mut loaded.outcome,
            loaded.model.margin_count(),
        )
    }

    fn import(&self, model: &Artefact, options: &ImportOptions) -> Result<LoadedModel> {
        if let Some(architecture) = &self.manifest.network {
            let networks = Networks {
                manifest: &self.manifest,
                architecture,
            };
            return networks
                .load(model)
                .map_err(|error| error.at_path(&model.path));
        }
        self.refuse_network_keys()?;
        // One name may be that of a column of lists.
        let listed = Some(self.manifest.inputs.len()).filter(|count| *count > 1);
        let categories = self.manifest.inputs.iter().filter_map(|entry| {
            let texts = entry
                .categories
                .as_ref()?
                .iter()
                .map(|category| CategoryValue::from(category).to_string());
            Some((entry.name.clone(), texts.collect()))
        });
        let (feature_count, categories) = (options.feature_count.or(listed), categories.collect());
        let mut options = ImportOptions {
            categories,
            feature_count,
            ..options.clone()
        };
        if let Some(graph) = &self.manifest.graph {
            // What is asked on the command line counts last.
            options.rows_axes = [graph.rows_axes(), options.rows_axes].concat();
            let is_asked = |one: &GraphFeatures| {
                options
                    .graph_features
                    .iter()
                    .any(|other| other.input == one.input)
            };
            let own: Vec<GraphFeatures> = graph
                .graph_features()
                .into_iter()
                .filter(|one| !is_asked(one))
                .collect();
            options.graph_features = [own, options.graph_features].concat();
        }
        let loaded = format::import(model, &options)?;
        if self.manifest.graph.is_some() && loaded.model.family() != "graph" {
            return Err(Error::contract(
                "`[graph]` is for ONNX graphs, and the package's model is another",
            )
            .at_path(self.directory.join(MANIFEST_NAME))
            .hint("remove `[graph]`; columns and their order are listed under `[[inputs]]`"));
        }
        Ok(loaded)
    }

    fn refuse_network_keys(&self) -> Result<()> {
        let is_networks = |entry: &&input::InputEntry| {
            entry.mean.is_some()
                || entry.scale.is_some()
                || entry.embedding.is_some()
                || entry.one_hot
        };
        match self.manifest.inputs.iter().find(is_networks) {
            Some(entry) => Err(Error::contract(
                "`mean`, `scale`, `embedding` and `one_hot` are for networks, and the manifest \
                 has no `[network]`",
            )
            .at_path(self.directory.join(MANIFEST_NAME))
            .at_column(&entry.name)),
            None => Ok(()),
        }
    }
}

/// The text model of a package. Nothing of it is understood before all of its files have the
/// digests that are listed.
fn open_text(
    manifest: &Manifest,
    directory: &Location,
    model: &directory::ModelDirectory,
    files: Files<'_>,
    options: &ImportOptions,
) -> Result<(Vec<CheckedArtefact>, LoadedModel)> {
    let path = directory.join(MANIFEST_NAME);
    text::check(manifest).map_err(|error| error.at_path(&path))?;
    let (artefacts, parts) = directory::read(model, directory, files)?;
    let packaged = text::options(manifest).map_err(|error| error.at_path(&path))?;
    let mut loaded = assemble(parts, &options.text.clone().over(packaged)).map_err(|error| {
        text::at_manifest(error, manifest, &options.text, &path).at_path(model.within(directory))
    })?;
    text::apply(manifest, &mut loaded.contract, &options.text)
        .map_err(|error| error.at_path(&path))?;
    Ok((artefacts, loaded))
}
