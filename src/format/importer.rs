//! What a format of models is: files read whole, what a user may ask of an import, and the trait of
//! importers.

use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};
use crate::model::LoadedModel;
use crate::text::encoder::parts::TextOptions;

/// How an importer reaches files beside the model's own; `storage` holds the functions.
#[derive(Clone, Copy, Debug)]
pub struct Beside {
    /// The bytes of a file.
    pub read: fn(&Path) -> Result<Vec<u8>>,
    /// The absolute path with every link followed, as `canonicalize` gives it.
    pub resolve: fn(&Path) -> Result<PathBuf>,
}

/// A model file, read whole.
#[derive(Clone, Debug)]
pub struct Artefact {
    /// Where it was read; used in messages and as the last resort of recognition.
    pub path: PathBuf,
    /// Its content.
    pub bytes: Vec<u8>,
    /// How files beside it are read, if they may be.
    pub beside: Option<Beside>,
}

impl Artefact {
    /// A model file alone.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, bytes: Vec<u8>) -> Self {
        Self {
            path: path.into(),
            bytes,
            beside: None,
        }
    }

    /// The bytes of a file in the model's own directory or below.
    ///
    /// # Errors
    /// A trust error for a name that leads out of the directory, by itself or through a link; a
    /// contract error if nothing beside the model may be read.
    pub fn read_beside(&self, name: &Path) -> Result<Vec<u8>> {
        let refuse = || {
            Error::trust(format!(
                "the model wants `{}`, which lies outside its directory",
                name.display()
            ))
            .hint("export the model again with all of its data beside it")
        };
        let is_plain = name
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !is_plain || name.as_os_str().is_empty() {
            return Err(refuse());
        }
        let beside = self.beside.ok_or_else(|| {
            Error::contract(format!(
                "the model wants `{}`, which cannot be reached from here",
                name.display()
            ))
        })?;
        let directory = self
            .path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let path = directory.join(name);
        if (beside.resolve)(&path)?.starts_with((beside.resolve)(directory)?) {
            (beside.read)(&path)
        } else {
            Err(refuse())
        }
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

/// One format: recognises its files and turns them into a model.
pub trait Importer: Sync {
    /// The format's name as users write it.
    fn name(&self) -> &'static str;

    /// What it reads, for help and README: versions and files.
    fn reads(&self) -> &'static str;

    /// Whether the content, not the name, is of this format. Must be cheap and must not fail.
    fn recognises(&self, artefact: &Artefact) -> bool;

    /// Whether a file that begins so may be of this format; of a large file this is asked before
    /// the rest is read.
    fn may_begin(&self, head: &Artefact) -> bool {
        self.recognises(head)
    }

    /// Parses and translates.
    ///
    /// # Errors
    /// [`Failed`](crate::error::Kind::Failed) for a broken file, with the node where it breaks;
    /// [`Contract`](crate::error::Kind::Contract) for a feature that is not supported.
    fn import(&self, artefact: &Artefact, options: &ImportOptions) -> Result<LoadedModel>;
}

/// Whether `path` ends in this extension, in any case; the last resort of recognition.
#[must_use]
pub fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(extension))
}
