//! Which model it is: what reports, outputs and users are reported of it.
//!
//! Owns its names, its digests and what its format shows. It must not know how a model is opened.

use crate::storage::Location;
use crate::table::origin::Origin;

/// Which model it is: what reports, outputs and users are reported of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name: the manifest's, else the file's.
    pub name: String,
    /// Its version, where the manifest says so.
    pub version: Option<String>,
    /// `sha256:` and the digest of the file; of a package, of its manifest and files.
    pub digest: String,
    /// `sha256:` and the digest of the model's own file, the same in and out of a package.
    pub file_digest: String,
    /// The file or directory that was opened.
    pub path: Location,
    /// The format's name, such as `xgboost`.
    pub format: String,
    /// The version of the library or format that wrote it, where the file says so.
    pub format_version: Option<String>,
    /// The family's name: `forest`, `linear`, `network`, …
    pub family: &'static str,
    /// What else the format shows, in the order in which it should be shown.
    pub further: Vec<(String, String)>,
}

impl Identity {
    /// What footers of files say of the model that made them.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin {
            name: self.name.clone(),
            version: self.version.clone(),
            digest: self.digest.clone(),
            file_digest: self.file_digest.clone(),
        }
    }

    /// What else the format shows under this name.
    #[must_use]
    pub fn detail(&self, name: &str) -> Option<&str> {
        self.further
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// The value of a fact as a number, where it is a plain one that the format shows, such as a
    /// count; names and versions stay texts.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        const LONGEST: usize = 15;
        let value = self.detail(name).filter(|value| value.len() <= LONGEST)?;
        let digits = value.strip_prefix('-').unwrap_or(value);
        let parts: Vec<&str> = digits.split('.').collect();
        let is_plain = parts.len() <= 2
            && parts
                .iter()
                .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
        let is_identifier = ["mlflow_model_uuid", "mlflow_run"].contains(&name)
            || digits.len() > 1 && digits.starts_with('0') && parts.len() == 1;
        if is_plain && !is_identifier {
            value.parse().ok()
        } else {
            None
        }
    }

    /// (name, value) of all that is known, in the order of the report.
    #[must_use]
    pub fn named(&self) -> Vec<(String, String)> {
        let own = [
            ("name", Some(self.name.clone())),
            ("version", self.version.clone()),
            ("digest", Some(self.digest.clone())),
            ("path", Some(self.path.display().to_string())),
            ("format", Some(self.format.clone())),
            ("format_version", self.format_version.clone()),
            ("family", Some(self.family.to_owned())),
        ];
        let own = own
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        own.chain(self.further.iter().cloned()).collect()
    }
}
