//! A path to a model: a file, a package with `tallow.toml`, an `MLflow` model directory, or a
//! directory that holds one model file.
//!
//! Owns which file is meant and its digest. What is in the file is the importers' business, what is
//! in a manifest the package's.

use sha2::{Digest, Sha256};

pub use super::identity::Identity;
use super::lone_model::{missing_model, only_model_in};
use super::reading::{self, Found, ModelFolder, SIDECARS, read_file};
use crate::digest::{from_hexadecimal, hexadecimal, sidecar};
use crate::error::{Error, Result};
use crate::format::mlflow::MLMODEL;
use crate::format::{
    ImportOptions, Imported, huggingface, import, recognised, unrecognised, with_parts,
};
use crate::model::{Description, LoadedModel};
use crate::package::card::CARD_NAME;
use crate::package::manifest::{DriftEntry, GateEntry, RuleEntry};
use crate::package::{CheckedArtefact, Files, GoldenRows, Manifest, Package};
use crate::query::Derived;
use crate::storage::{Location, find, metadata};

/// How a package's files are read.
const FILES: Files<'_> = Files {
    read: &SIDECARS.read,
    resolve: &SIDECARS.resolve,
    find: &|path| find(path),
    sidecars: Some(SIDECARS),
};

/// The manifest's name.
pub const MANIFEST: &str = "tallow.toml";

/// Files that make a directory a model's: a package's, `MLflow`'s, TensorFlow's and
/// sentence-transformers'.
pub const MODEL_MARKS: [&str; 4] = [MANIFEST, MLMODEL, "saved_model.pb", huggingface::MODULES];

/// A model and where it came from.
#[derive(Debug)]
pub struct OpenedModel {
    /// The model.
    pub loaded: LoadedModel,
    /// The file or directory that was opened.
    pub path: Location,
    /// Its name: the manifest's, else the file's.
    pub name: String,
    /// Its version, where the manifest says so.
    pub version: Option<String>,
    /// SHA-256 of the file, and of files alongside it that hold parts of it; of a package, of its
    /// manifest and files.
    pub digest: String,
    /// SHA-256 of the model's own file or directory, the same in and out of a package.
    pub file_digest: String,
    /// Columns that the manifest derives.
    pub derived: Vec<Derived>,
    /// Conditions on rows that the manifest states.
    pub rules: Vec<RuleEntry>,
    /// The files and directories that the manifest lists.
    pub artefacts: Vec<CheckedArtefact>,
    /// (name, value) of what a package has besides its model.
    pub provided: Vec<(String, String)>,
    /// What a package's runs watch.
    pub monitoring: PackageMonitoring,
    /// The files that were read, the model's own first: their paths, and their names relative to
    /// the model's directory. Empty for a package, whose manifest lists them.
    pub files: Vec<(Location, Location)>,
}

/// What a package's runs watch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PackageMonitoring {
    /// The baseline profile.
    pub baseline: Option<Location>,
    /// The reference performance.
    pub reference: Option<Location>,
    /// Conditions on runs and evaluations.
    pub gates: Vec<GateEntry>,
    /// When a column has drifted.
    pub drift: DriftEntry,
    /// (column, whom to ask about it).
    pub owners: Vec<(String, String)>,
}

impl PackageMonitoring {
    fn of(directory: &Location, manifest: &Manifest) -> Result<Self> {
        let profile = manifest.baseline.as_ref().map(|baseline| &baseline.profile);
        let reference = manifest.reference.as_ref().map(|entry| &entry.performance);
        for (what, path) in [
            ("baseline profile", profile),
            ("reference performance", reference),
        ] {
            if let Some(outside) = path.filter(|path| !path.leads_down()) {
                let error = Error::trust(format!("the {what} lies outside the package"));
                return Err(error.at_path(outside));
            }
        }
        let owners = manifest.inputs.iter().filter_map(|entry| {
            let owner = entry.owner.as_ref()?;
            Some((entry.name.clone(), owner.clone()))
        });
        Ok(Self {
            baseline: profile.map(|path| directory.join(path)),
            reference: reference.map(|path| directory.join(path)),
            gates: manifest.gates.clone(),
            drift: manifest.drift,
            owners: owners.collect(),
        })
    }
}

impl OpenedModel {
    /// A directory that an importer took.
    fn imported(imported: Imported, path: &Location) -> Self {
        let Imported {
            loaded,
            digest,
            name,
            version,
        } = imported;
        let model = Self::of(loaded, path, digest.unwrap_or_default());
        Self {
            name: name.unwrap_or_else(|| model.name.clone()),
            version,
            ..model
        }
    }

    /// A model without a manifest.
    fn of(loaded: LoadedModel, path: &Location, digest: String) -> Self {
        Self {
            loaded,
            path: path.to_owned(),
            name: stem(path),
            version: None,
            file_digest: digest.clone(),
            digest,
            derived: Vec::new(),
            rules: Vec::new(),
            artefacts: Vec::new(),
            provided: Vec::new(),
            monitoring: PackageMonitoring::default(),
            files: Vec::new(),
        }
    }

    /// The same with the files of a model that is in one file, and those that hold parts of it.
    fn in_file(self, file: &Location) -> Self {
        let directory = file.parent().unwrap_or_default();
        let own = file.file_name().map(Location::from);
        let sidecars = self.loaded.description.sidecars.iter();
        let sidecars = sidecars.map(|(name, _)| Location::from(name));
        let files = own.into_iter().chain(sidecars);
        let files = files.map(|name| (directory.join(&name), name)).collect();
        Self { files, ..self }
    }

    /// Which model it is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let Description {
            format,
            format_version,
            facts,
            sidecars: _,
        } = self.loaded.description.clone();
        Identity {
            name: self.name.clone(),
            version: self.version.clone(),
            digest: format!("sha256:{}", self.digest),
            file_digest: format!("sha256:{}", self.file_digest),
            path: self.path.clone(),
            format,
            format_version,
            family: self.loaded.model.family(),
            further: facts,
        }
    }
}

/// Opens the model at `path`.
///
/// # Errors
/// Fails if nothing is there or the content is broken; a contract error if a directory does not
/// hold exactly one model; a trust error for files that could run code and for digests that do not
/// match.
pub fn open(path: &Location, options: &ImportOptions) -> Result<OpenedModel> {
    if path.is_stream() {
        return Err(Error::usage("a model is not read from standard input")
            .hint("name its file or directory; one called `-` is `./-`"));
    }
    let Some(found) = find(path)? else {
        return Err(missing_model(path)?);
    };
    if !found.is_directory {
        return open_file(path, path, options);
    }
    if find(path.join(MANIFEST))?.is_some() {
        return open_package(path, options);
    }
    let folder = ModelFolder::new(path);
    if let Some(importer) = recognised(&folder)? {
        let model = OpenedModel::imported(importer.import(&folder, options)?, path);
        return Ok(match folder.own_file() {
            Some(own) => model.in_file(&path.join(own)),
            None => OpenedModel {
                files: folder.files(),
                ..model
            },
        });
    }
    open_file(&only_model_in(path)?, path, options)
}

/// The golden rows of the model at `path`, if it is a package that has any.
///
/// # Errors
/// A contract error for a manifest that is wrong; a trust error for rows outside the package.
pub fn golden_rows(path: &Location) -> Result<Option<GoldenRows>> {
    if !metadata(path)?.is_directory || find(path.join(MANIFEST))?.is_none() {
        return Ok(None);
    }
    Package::golden_rows(path, FILES)
}

fn open_file(file: &Location, path: &Location, options: &ImportOptions) -> Result<OpenedModel> {
    let (artefact, _held) = match reading::find(file.to_owned())? {
        Found::Whole(artefact, held) => (artefact, held),
        Found::Ends(ends) => return unrecognised(&ends),
    };
    // The one takes about as long as the other.
    let (own, loaded) = sidecar(&artefact.bytes, || import(&artefact, options))?;
    let loaded = loaded?;
    let is_alone = loaded.description.sidecars.is_empty();
    let digest = if is_alone {
        own.into()
    } else {
        with_parts(Sha256::new().chain_update(own), &loaded.description).finalize()
    };
    let digest = hexadecimal(&digest);
    Ok(OpenedModel::of(loaded, path, digest).in_file(file))
}

fn open_package(path: &Location, options: &ImportOptions) -> Result<OpenedModel> {
    let (package, loaded) = Package::open(path, FILES, options)?;
    let mut digest = Sha256::new();
    digest.update(read_file(&path.join(MANIFEST))?);
    package
        .artefacts
        .iter()
        .for_each(|artefact| digest.update(&artefact.sha256));
    let digest = with_parts(digest, &loaded.description);
    let file_digest = file_digest(&package.artefacts, &loaded.description);
    let derived = package
        .derived()
        .iter()
        .map(|one| Derived {
            name: one.name.clone(),
            expression: one.expression.clone(),
        })
        .collect();
    let (name, version) = (
        package.manifest.name.clone(),
        package.manifest.version.clone(),
    );
    Ok(OpenedModel {
        name,
        version,
        derived,
        rules: package.manifest.rules.clone(),
        provided: provided(path, &package.manifest)?,
        monitoring: PackageMonitoring::of(path, &package.manifest)?,
        artefacts: package.artefacts,
        file_digest,
        ..OpenedModel::of(loaded, path, hexadecimal(&digest.finalize()))
    })
}

/// The digest that the model of a package has when it is opened without one.
fn file_digest(artefacts: &[CheckedArtefact], description: &Description) -> String {
    let own = artefacts.first().map_or("", |own| own.sha256.as_str());
    match from_hexadecimal(own).filter(|_| !description.sidecars.is_empty()) {
        Some(bytes) => {
            let digest = Sha256::new().chain_update(bytes);
            hexadecimal(&with_parts(digest, description).finalize())
        }
        None => own.to_owned(),
    }
}

/// What a package has besides its model.
fn provided(path: &Location, manifest: &Manifest) -> Result<Vec<(String, String)>> {
    let has_card = find(path.join(CARD_NAME))?.is_some();
    let gates: Vec<&str> = manifest
        .gates
        .iter()
        .map(|gate| gate.expression.as_str())
        .collect();
    let rules: Vec<&str> = manifest.rules.iter().map(RuleEntry::name).collect();
    let golden = manifest.golden.as_ref();
    let baseline = manifest.baseline.as_ref();
    let reference = manifest.reference.as_ref();
    let facts = [
        (
            "golden",
            golden.map(|golden| golden.rows.display().to_string()),
        ),
        (
            "baseline",
            baseline.map(|baseline| baseline.profile.display().to_string()),
        ),
        (
            "reference",
            reference.map(|reference| reference.performance.display().to_string()),
        ),
        ("rules", (!rules.is_empty()).then(|| rules.join(", "))),
        ("gates", (!gates.is_empty()).then(|| gates.join(", "))),
        ("card", has_card.then(|| CARD_NAME.to_owned())),
    ];
    let facts = facts.into_iter();
    Ok(facts
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect())
}

fn stem(path: &Location) -> String {
    path.file_stem().map_or_else(
        || "model".into(),
        |stem| stem.to_string_lossy().into_owned(),
    )
}
