//! Where predictions come from: what the footers of their files say.
//!
//! Owns the keys that a run writes into Parquet files, and what files agree on. It must not know
//! runs.

use serde::{Deserialize, Serialize};

use super::dataset::Dataset;
use super::parquet::footer_value;
use crate::storage::Location;

/// The key, in a Parquet file's footer, of the run's name.
pub const RUN_ID: &str = "tallow.run_id";

/// The key of the model's name.
pub const MODEL_NAME: &str = "tallow.model_name";

/// The key of the model's version.
pub const MODEL_VERSION: &str = "tallow.model_version";

/// The key of the model's digest.
pub const MODEL_DIGEST: &str = "tallow.model_digest";

/// The key of the digest of the model's own file, where the model's digest is that of a package.
pub const MODEL_FILE_DIGEST: &str = "tallow.model_file_digest";

/// The key of the models of an A/B test, in the place of those of one model.
pub const SPLIT_MODELS: &str = "tallow.split_models";

/// A model of an A/B test, which answered some of the rows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct SplitModel {
    /// What the column `model` calls it.
    pub arm: String,
    /// Its name, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its version, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its digest: `sha256:…`.
    pub digest: String,
}

impl SplitModel {
    /// (name, value) of what a report says of it.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let known = [
            ("name", self.name.as_deref()),
            ("version", self.version.as_deref()),
            ("digest", Some(self.digest.as_str())),
        ];
        let known = known.into_iter();
        known.filter_map(|(name, value)| Some((name, value?)))
    }
}

/// The model that made predictions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Its name.
    pub name: String,
    /// Its version, if it has one.
    pub version: Option<String>,
    /// Its digest: `sha256:…`.
    pub digest: String,
    /// That of its own file, the same in and out of a package.
    pub file_digest: String,
}

impl Origin {
    /// (name, value) of what a report says of it.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let known = [
            ("name", Some(&self.name)),
            ("version", self.version.as_ref()),
            ("digest", Some(&self.digest)),
        ];
        let known = known.into_iter();
        known.filter_map(|(name, value)| Some((name, value?.as_str())))
    }

    /// (key, value) of what a footer says of it.
    #[must_use]
    pub fn footer(&self) -> Vec<(String, String)> {
        let file_digest = Some(&self.file_digest).filter(|own| **own != self.digest);
        let pairs = [
            (MODEL_NAME, Some(&self.name)),
            (MODEL_VERSION, self.version.as_ref()),
            (MODEL_DIGEST, Some(&self.digest)),
            (MODEL_FILE_DIGEST, file_digest),
        ];
        let known = pairs.into_iter();
        known
            .filter_map(|(key, value)| Some((key.to_owned(), value?.clone())))
            .collect()
    }

    /// Its name and its version.
    #[must_use]
    pub fn title(&self) -> String {
        let Self { name, version, .. } = self;
        version
            .as_ref()
            .map_or_else(|| name.clone(), |version| format!("{name} {version}"))
    }

    /// Whether it is another model than this one: the same file is the same model, in whatever
    /// package it is.
    #[must_use]
    pub fn is_other_than(&self, other: &Self) -> bool {
        self.digest != other.digest && self.file_digest != other.file_digest
    }
}

/// The model that all files of a table were made by; none if one does not say, or they differ.
#[must_use]
pub fn origin(table: &Dataset) -> Option<Origin> {
    of_files(table.files.iter().map(|file| &file.path))
}

/// The model that all of these files were made by; none if one does not say, or they differ.
#[must_use]
pub fn of_files<'a>(paths: impl Iterator<Item = &'a Location>) -> Option<Origin> {
    agreed(paths.map(of_file))
}

/// What all say; none if one does not say, or they differ.
fn agreed<T: PartialEq>(mut all: impl Iterator<Item = Option<T>>) -> Option<T> {
    let first = all.next()??;
    all.all(|other| other.as_ref() == Some(&first))
        .then_some(first)
}

/// The model that made a file, as its footer says.
#[must_use]
pub fn of_file(path: &Location) -> Option<Origin> {
    let digest = footer_value(path, MODEL_DIGEST)?;
    Some(Origin {
        name: footer_value(path, MODEL_NAME)?,
        version: footer_value(path, MODEL_VERSION),
        file_digest: footer_value(path, MODEL_FILE_DIGEST).unwrap_or_else(|| digest.clone()),
        digest,
    })
}

/// The run that all files of a table were written by; none if one does not say, or they differ.
#[must_use]
pub fn run_id(table: &Dataset) -> Option<String> {
    let files = table.files.iter();
    agreed(files.map(|file| footer_value(&file.path, RUN_ID)))
}

/// The models of the A/B test that made a table: those of its first file that names some.
#[must_use]
pub fn split_models(table: &Dataset) -> Vec<SplitModel> {
    let mut texts = table
        .files
        .iter()
        .filter_map(|file| footer_value(&file.path, SPLIT_MODELS));
    let models = texts
        .next()
        .and_then(|text| serde_json::from_str(&text).ok());
    models.unwrap_or_default()
}

/// Whether a file of a table names the model, or the models, that made it.
#[must_use]
pub fn names_models(table: &Dataset) -> bool {
    table.files.iter().any(|file| {
        [MODEL_DIGEST, SPLIT_MODELS]
            .iter()
            .any(|key| footer_value(&file.path, key).is_some())
    })
}
