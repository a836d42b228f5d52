//! What a format of models is: a model's files, what a user may ask of an import, and the traits of
//! importers.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::model::{Description, LoadedModel};
use crate::storage::Location;
use crate::text::encoder::parts::TextOptions;

/// How an importer reaches files alongside the model's own; `storage` holds the functions.
#[derive(Clone, Copy, Debug)]
pub struct Sidecars {
    /// The bytes of a file.
    pub read: fn(&Location) -> Result<Vec<u8>>,
    /// The absolute path with every link followed, as `canonicalize` gives it.
    pub resolve: fn(&Location) -> Result<Location>,
}

impl Sidecars {
    /// The bytes of a file in the directory or below.
    ///
    /// # Errors
    /// A trust error for a name that leads out of the directory, by itself or through a link.
    pub fn read_within(self, directory: &Location, name: &Location) -> Result<Vec<u8>> {
        check_plain(name)?;
        let path = directory.join(name);
        if (self.resolve)(&path)?.starts_with((self.resolve)(directory)?) {
            (self.read)(&path)
        } else {
            Err(outside(name))
        }
    }
}

/// Refuses a name that leads out of its directory by itself.
fn check_plain(name: &Location) -> Result<()> {
    if !name.leads_down() || name.is_empty() {
        return Err(outside(name));
    }
    Ok(())
}

fn outside(name: &Location) -> Error {
    Error::trust(format!(
        "the model refers to `{}`, which is outside its directory",
        name.display()
    ))
    .hint("export the model again with all of its data alongside it")
}

/// A model file, read whole.
#[derive(Clone, Debug)]
pub struct Artefact {
    /// Where it was read; used in messages and as the last resort of recognition.
    pub path: Location,
    /// Its content.
    pub bytes: Bytes,
    /// How files alongside it are read, if they may be.
    pub sidecars: Option<Sidecars>,
}

impl Artefact {
    /// A model file alone.
    #[must_use]
    pub fn new(path: impl Into<Location>, bytes: impl Into<Bytes>) -> Self {
        Self {
            path: path.into(),
            bytes: bytes.into(),
            sidecars: None,
        }
    }

    /// The bytes of a file in the model's own directory or below.
    ///
    /// # Errors
    /// A trust error for a name that leads out of the directory, by itself or through a link; a
    /// contract error if nothing alongside the model may be read.
    pub fn read_sidecar(&self, name: &Location) -> Result<Vec<u8>> {
        let sidecars = self.sidecars.ok_or_else(|| unreachable_from_here(name));
        check_plain(name)?;
        sidecars?.read_within(&self.path.directory(), name)
    }

    /// The first bytes, enough to recognise any format by.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.bytes[..self.bytes.len().min(4096)]
    }
}

/// The name of the fact that a file does not hold the labels of its classes.
pub const LABELS: &str = "labels";

/// How many of the trees to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TreeSelection {
    /// As many as the library that would score the file.
    #[default]
    Library,
    /// Up to the best iteration where the file stores one, else all.
    Best,
    /// All that the file holds.
    All,
    /// The first N boosting rounds.
    First(usize),
}

/// Which object of the original library a file was saved from, where something besides the file
/// says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SavedFrom {
    /// Only the file itself can say.
    #[default]
    Unknown,
    /// The library's own booster, such as `xgboost.Booster`.
    Booster,
    /// An estimator of the scikit-learn interface, such as `XGBClassifier`.
    Estimator,
}

/// What a user may ask of an import.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// How many of the trees to use.
    pub trees: TreeSelection,
    /// What the model was saved from.
    pub saved_from: SavedFrom,
    /// How many virtual ensembles CatBoost's models are read as, to say how sure they are.
    pub virtual_ensembles: Option<usize>,
    /// The texts of categories that a package lists, by input: for files that do not hold them
    /// whole.
    pub categories: Vec<(String, Vec<String>)>,
    /// Whether the model is only looked at: what cannot be run is then described, not refused.
    pub for_inspection: bool,
    /// Whether a file that calls what no model needs is described, too: the caller then refuses it.
    pub describes_untrusted: bool,
    /// What is asked of a text model.
    pub text: TextOptions,
    /// The number of features, for models that leave it open.
    pub feature_count: Option<usize>,
    /// The columns that feed inputs of a graph, as the user names them: `input=a,b`.
    pub graph_features: Vec<GraphFeatures>,
    /// The axes of a graph's inputs that count rows, as the user names them.
    pub rows_axes: Vec<RowsAxis>,
}

/// The columns that feed one input of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphFeatures {
    /// The input's name.
    pub input: String,
    /// The columns, in the order of the input's values.
    pub columns: Vec<String>,
}

/// The axis of a graph's input that counts rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsAxis {
    /// The input's name.
    pub input: String,
    /// The axis, from 0; none if the input holds the values of one row.
    pub axis: Option<usize>,
}

/// The files of a model: one file, or a directory.
pub trait ModelFiles {
    /// The path of the file or directory, for messages and names.
    fn path(&self) -> &Location;

    /// The file, if the model is one; none for a directory.
    fn file(&self) -> Option<&Artefact> {
        None
    }

    /// Whether the directory holds a file of this name; a file has none in it.
    ///
    /// # Errors
    /// Fails if the directory cannot be read.
    fn has(&self, name: &Location) -> Result<bool>;

    /// The bytes of a file of the directory; none if it holds none of this name.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    fn read(&self, name: &Location) -> Result<Option<Vec<u8>>>;

    /// A file of the directory as a model's own, which may have parts in files next to it.
    ///
    /// # Errors
    /// A trust error for a name that leads out of the directory; fails if the file cannot be read,
    /// or if only single files may be read here.
    fn artefact(&self, name: &Location) -> Result<Artefact> {
        Err(unreachable_from_here(name))
    }

    /// The name that the directory has once links are followed, and the bytes of the file `name`
    /// next to it, if there is one.
    ///
    /// # Errors
    /// Fails if either cannot be read.
    fn surroundings(&self, _name: &Location) -> Result<(Option<String>, Option<Vec<u8>>)> {
        Ok((None, None))
    }
}

fn unreachable_from_here(name: &Location) -> Error {
    Error::contract(format!(
        "the model refers to `{}`, which cannot be reached from here",
        name.display()
    ))
}

impl ModelFiles for Artefact {
    fn path(&self) -> &Location {
        &self.path
    }

    fn file(&self) -> Option<&Artefact> {
        Some(self)
    }

    fn has(&self, _name: &Location) -> Result<bool> {
        Ok(false)
    }

    fn read(&self, _name: &Location) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

/// What comes of a model's files.
#[derive(Debug)]
pub struct Imported {
    /// The model.
    pub loaded: LoadedModel,
    /// The SHA-256 of all files that were read, in hexadecimal digits; none where that is the
    /// digest of the model's own file.
    pub digest: Option<String>,
    /// The model's name, where the files name it.
    pub name: Option<String>,
    /// Its version, where the files have one.
    pub version: Option<String>,
}

impl From<LoadedModel> for Imported {
    fn from(loaded: LoadedModel) -> Self {
        Self {
            loaded,
            digest: None,
            name: None,
            version: None,
        }
    }
}

/// One format of models: recognises its files or directories and makes models of them.
pub trait Importer: Sync {
    /// The format's name as users write it.
    fn name(&self) -> &'static str;

    /// Whether the format's models are directories.
    fn is_of_directories(&self) -> bool;

    /// Whether the content, not the name, is of this format. Must be cheap.
    ///
    /// # Errors
    /// Fails if a directory cannot be read.
    fn recognises(&self, files: &dyn ModelFiles) -> Result<bool>;

    /// Whether a file that begins so may be of this format; of a large file this is asked before
    /// the rest is read.
    fn may_begin(&self, head: &Artefact) -> bool;

    /// Parses and translates.
    ///
    /// # Errors
    /// [`Failed`](crate::error::Kind::Failed) for a broken file, with the node where it breaks;
    /// [`Contract`](crate::error::Kind::Contract) for a feature that is not supported.
    fn import(&self, files: &dyn ModelFiles, options: &ImportOptions) -> Result<Imported>;
}

/// A format whose models are single files.
pub trait FileImporter: Sync {
    /// As [`Importer::name`].
    fn name(&self) -> &'static str;

    /// As [`Importer::recognises`]. Must not fail.
    fn recognises(&self, artefact: &Artefact) -> bool;

    /// As [`Importer::may_begin`].
    fn may_begin(&self, head: &Artefact) -> bool {
        self.recognises(head)
    }

    /// As [`Importer::import`].
    ///
    /// # Errors
    /// As [`Importer::import`].
    fn import(&self, artefact: &Artefact, options: &ImportOptions) -> Result<LoadedModel>;
}

impl<T: FileImporter> Importer for T {
    fn name(&self) -> &'static str {
        FileImporter::name(self)
    }

    fn is_of_directories(&self) -> bool {
        false
    }

    fn recognises(&self, files: &dyn ModelFiles) -> Result<bool> {
        let file = files.file();
        Ok(file.is_some_and(|file| FileImporter::recognises(self, file)))
    }

    fn may_begin(&self, head: &Artefact) -> bool {
        FileImporter::may_begin(self, head)
    }

    fn import(&self, files: &dyn ModelFiles, options: &ImportOptions) -> Result<Imported> {
        let file = files
            .file()
            .ok_or_else(|| Error::internal("a directory for a format of files"))?;
        FileImporter::import(self, file, options).map(Imported::from)
    }
}

/// The digest with the files next to the model's own that hold parts of it.
#[must_use]
pub fn with_parts(digest: Sha256, description: &Description) -> Sha256 {
    description
        .sidecars
        .iter()
        .fold(digest, |digest, (name, sha256)| {
            digest.chain_update(name.as_bytes()).chain_update(sha256)
        })
}

/// Whether `path` ends in this extension, in any case; the last resort of recognition.
#[must_use]
pub fn has_extension(path: &Location, extension: &str) -> bool {
    path.extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(extension))
}
