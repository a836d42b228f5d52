//! What is signed: an in-toto statement that lists files and their digests.
//!
//! Owns its form (Model Signing v1.0, predicate), and what must be true of it before a file is
//! compared with it. It must not read files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::digest::{Algorithm, DIGEST_BYTES};
use crate::digest::{from_hexadecimal, hexadecimal};
use crate::error::{Error, Result};
use crate::storage::Location;

const TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "https://model_signing/signature/v1.0";

/// The predicate of versions before 1.0.
const OLD_PREDICATE_TYPE: &str = "https://model_signing/Digests/v0.1";

/// The name of the only file of a model that is a file.
pub(super) const ITSELF: &str = ".";

/// Names at the top of a directory that no signer counts as part of a model.
pub(super) const GIT_NAMES: [&str; 4] = [".git", ".gitattributes", ".github", ".gitignore"];

#[derive(Debug, Deserialize, Serialize)]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: serde_json::Value,
}

#[derive(Debug, Deserialize, Serialize)]
struct Subject {
    name: String,
    digest: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Predicate {
    serialization: Serialization,
    resources: Vec<Resource>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Serialization {
    method: String,
    hash_type: String,
    #[serde(default)]
    allow_symlinks: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shard_size: Option<f64>,
    #[serde(default)]
    ignore_paths: Vec<String>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Resource {
    name: String,
    algorithm: String,
    digest: String,
}

/// A piece of a file, and its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where it begins, and where it ends; a whole file has none.
    pub(super) range: Option<(u64, u64)>,
    pub(super) algorithm: Algorithm,
    pub(super) digest: Vec<u8>,
}

/// The files that a statement lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    /// The model's name.
    pub(super) name: String,
    /// The digest over all of them.
    pub(super) digest: String,
    /// Files by their names, and their pieces in order.
    pub(super) files: BTreeMap<String, Vec<Piece>>,
    /// Files and directories that need not be listed.
    pub(super) ignored: Vec<String>,
    /// Whether files are listed by their pieces, so that empty ones are not.
    pub(super) has_pieces: bool,
}

impl Listed {
    /// Reads a statement whose signature was verified.
    pub(super) fn parse(payload: &[u8]) -> Result<Self> {
        let statement: Statement = serde_json::from_slice(payload)
            .map_err(|error| broken("it is not an in-toto statement").because(error))?;
        if statement.kind != TYPE {
            return Err(broken(&format!("its type is `{}`", statement.kind)));
        }
        if statement.predicate_type == OLD_PREDICATE_TYPE {
            return Err(
                broken("it was made by a version before Model Signing v1.0").hint("sign again")
            );
        }
        if statement.predicate_type != PREDICATE_TYPE {
            return Err(broken(&format!(
                "its predicate is `{}`",
                statement.predicate_type
            )));
        }
        let [subject] = statement.subject.as_slice() else {
            return Err(broken(&format!(
                "it has {} subjects",
                statement.subject.len()
            )));
        };
        let predicate: Predicate = serde_json::from_value(statement.predicate)
            .map_err(|error| broken("its predicate cannot be read").because(error))?;
        let mut listed = Self {
            name: subject.name.clone(),
            ignored: predicate.serialization.ignore_paths.clone(),
            has_pieces: predicate.serialization.method == "shards",
            ..Self::default()
        };
        let mut root = Sha256::new();
        for resource in &predicate.resources {
            root.update(listed.add(resource, &predicate.serialization)?);
        }
        listed.digest = hexadecimal(&root.finalize());
        if subject.digest.get("sha256") != Some(&listed.digest) {
            return Err(broken(
                "its digest is not the one of the files that it lists",
            ));
        }
        Ok(listed)
    }

    /// Adds a resource and gives its digest's bytes.
    fn add(&mut self, resource: &Resource, serialization: &Serialization) -> Result<Vec<u8>> {
        let Resource {
            name,
            algorithm,
            digest,
        } = resource;
        let wrong = |what: &str| broken(&format!("`{name}` {what}"));
        let (path, range) = match serialization.method.as_str() {
            "files" => (name.as_str(), None),
            "shards" => {
                let (path, range) =
                    shard(name).ok_or_else(|| wrong("is not a file's name and a range"))?;
                (path, Some(range))
            }
            method => return Err(broken(&format!("it serializes by `{method}`"))),
        };
        let is_plain = Location::from(path).is_plain() && !path.contains('\0');
        if !is_plain && path != ITSELF {
            return Err(wrong("is not a path inside the model"));
        }
        let algorithm = Algorithm::of(algorithm).ok_or_else(|| {
            wrong(&format!(
                "has a digest by `{algorithm}`, which tallow does not support"
            ))
            .hint("sign again with `sha256`")
        })?;
        let digest = from_hexadecimal(digest)
            .filter(|digest| digest.len() == DIGEST_BYTES)
            .ok_or_else(|| wrong("has a digest of the wrong length"))?;
        let pieces = self.files.entry(path.to_owned()).or_default();
        let follows = match (range, pieces.last()) {
            (None | Some((0, _)), None) => true,
            (Some((start, _)), Some(last)) => last.range.is_some_and(|(_, end)| end == start),
            _ => false,
        };
        if !follows {
            return Err(wrong("is listed twice, or its pieces have gaps"));
        }
        pieces.push(Piece {
            range,
            algorithm,
            digest: digest.clone(),
        });
        Ok(digest)
    }

    /// The statement as bytes, for files whose digests are all of whole files.
    pub(super) fn to_payload(&self) -> Result<Vec<u8>> {
        let mut files: Vec<(Location, &Piece)> = self
            .files
            .iter()
            .filter_map(|(name, pieces)| Some((Location::from(name), pieces.first()?)))
            .collect();
        // By the parts of their names, as the reference implementation sorts.
        files.sort_by(|one, other| one.0.cmp(&other.0));
        let mut root = Sha256::new();
        let resources = files
            .iter()
            .map(|(path, piece)| {
                root.update(&piece.digest);
                Resource {
                    name: path.to_string_lossy().into_owned(),
                    algorithm: piece.algorithm.name().to_owned(),
                    digest: hexadecimal(&piece.digest),
                }
            })
            .collect();
        let predicate = Predicate {
            serialization: Serialization {
                method: "files".to_owned(),
                hash_type: Algorithm::Sha256.name().to_owned(),
                allow_symlinks: false,
                shard_size: None,
                ignore_paths: self.ignored.clone(),
            },
            resources,
        };
        let json = |error| Error::internal("a statement without JSON").because(error);
        let digest = BTreeMap::from([("sha256".to_owned(), hexadecimal(&root.finalize()))]);
        let statement = Statement {
            kind: TYPE.to_owned(),
            subject: vec![Subject {
                name: self.name.clone(),
                digest,
            }],
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: serde_json::to_value(predicate).map_err(json)?,
        };
        serde_json::to_vec_pretty(&statement).map_err(json)
    }

    /// Whether a file need not be listed.
    pub(super) fn ignores(&self, name: &str) -> bool {
        let ignored = self.ignored.iter().map(String::as_str);
        ignored.chain(GIT_NAMES).any(|ignored| {
            name == ignored
                || name
                    .strip_prefix(ignored)
                    .is_some_and(|rest| rest.starts_with('/'))
        })
    }
}

fn broken(what: &str) -> Error {
    Error::trust(format!("cannot read what is signed: {what}"))
}

/// `name:start:end`, a range that is not empty.
fn shard(name: &str) -> Option<(&str, (u64, u64))> {
    let (rest, end) = name.rsplit_once(':')?;
    let (path, start) = rest.rsplit_once(':')?;
    let range = (start.parse().ok()?, end.parse().ok()?);
    (range.0 < range.1).then_some((path, range))
}
