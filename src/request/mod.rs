//! What is asked for: the options of a run, without the command line.
//!
//! Owns the form in which options are kept: a manifest of a data set holds a [`Request`] as JSON, a
//! job file as TOML, both flat, with keys named as the flags. It must not know clap, nor what an
//! option's value means: the plan checks it.

pub mod challenger;
pub mod compare;
pub mod comparison;
pub mod evaluation;
pub mod inspection;
pub mod keys;
pub mod merging;
pub mod monitoring;
pub mod output;
pub mod pack;
pub mod registry;
pub mod report_page;
pub mod rows;
pub mod signature;
pub mod text;
pub mod work;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use self::keys::Keys;
use self::monitoring::Monitoring;
use self::output::{Limits, Output, Telemetry};
use self::work::Work;

/// The version of what [`Request`] writes.
pub const VERSION: u32 = 1;

/// The groups that options lay in before there was a version.
const EARLIER_GROUPS: [&str; 7] = [
    "work",
    "output",
    "binding",
    "rows",
    "outcome",
    "text",
    "resources",
];

/// A run as it was asked for, defaults included.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Request {
    /// The version of this form.
    pub version: u32,
    /// What is scored by what.
    #[serde(flatten)]
    pub work: Work,
    /// Where results go.
    #[serde(flatten)]
    pub output: Output,
    /// Keys of encrypted files.
    #[serde(flatten)]
    pub keys: Keys,
    /// Limits that stop the run.
    #[serde(flatten)]
    pub limits: Limits,
    /// What is watched.
    #[serde(flatten)]
    pub monitoring: Monitoring,
    /// Notifications: metrics, lineage and logs.
    #[serde(flatten)]
    pub telemetry: Telemetry,
}

impl Request {
    /// Reads what a manifest holds, of this version or of one before there were versions.
    ///
    /// # Errors
    /// Fails if an option has a value of the wrong type.
    pub fn from_json(json: Json) -> serde_json::Result<Self> {
        serde_json::from_value(Json::Object(flattened(json)))
    }

    /// The options by the names of their flags, with `_` for `-`.
    ///
    /// # Errors
    /// Never, unless a value has no form as JSON.
    pub fn to_json(&self) -> serde_json::Result<Map<String, Json>> {
        Ok(flattened(serde_json::to_value(self)?))
    }

    /// The same without the options that have their default.
    ///
    /// # Errors
    /// As [`Self::to_json`].
    pub fn changed_options(&self) -> serde_json::Result<Map<String, Json>> {
        let defaults = Self::default().to_json()?;
        let mut options = self.to_json()?;
        options.retain(|name, value| defaults.get(name) != Some(value));
        Ok(options)
    }
}

/// An object whose groups are dissolved.
fn flattened(json: Json) -> Map<String, Json> {
    let Json::Object(object) = json else {
        return Map::new();
    };
    let mut flat = Map::new();
    for (name, value) in object {
        match value {
            Json::Object(_) if EARLIER_GROUPS.contains(&name.as_str()) && !is_bytes(&value) => {
                flat.extend(flattened(value));
            }
            value => _ = flat.insert(name, value),
        }
    }
    flat
}

/// Whether an object is a path that is not UTF-8, as `path_text` writes it.
fn is_bytes(value: &Json) -> bool {
    value.get("bytes").is_some_and(Json::is_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_back_from_json() {
        let mut request = Request {
            version: VERSION,
            ..Request::default()
        };
        request.work.model = "models/churn".into();
        request.work.inputs = vec!["a.parquet".into(), "b/*.csv".into()];
        request.work.rows.filter = Some("a > 1".to_owned());
        request.work.rows.text.skip_rows = 2;
        request.work.text.text = Some("review".to_owned());
        request.limits.max_error_rate = Some("1%".to_owned());
        let json = request.to_json().unwrap();
        assert_eq!(json["where"], "a > 1");
        assert_eq!(Request::from_json(Json::Object(json)).unwrap(), request);
        let changed: Vec<String> = request
            .changed_options()
            .unwrap()
            .into_iter()
            .map(|one| one.0)
            .collect();
        let expected = [
            "inputs",
            "max_error_rate",
            "model",
            "skip_rows",
            "text",
            "version",
            "where",
        ];
        assert_eq!(changed, expected);
    }

    #[test]
    fn groups_of_earlier_manifests_are_dissolved() {
        let json = serde_json::json!({
            "work": {
                "model": "m.json", "inputs": ["a.csv"],
                "binding": {"features": "a,b", "on_null": ["a=reject"],
                    "on_unseen": [], "rename": []},
                "rows": {"where": "a > 1", "limit": null, "on_bad_file": "skip", "delimiter": ";"},
                "outcome": {"passthrough": ["id"], "raw": true, "threshold": null, "trees": "best"},
                "text": {"text": "review"},
                "resources": {"threads": 2, "batch_rows": null, "memory": null}
            },
            "output": {"output": "out/", "overwrite": true, "restart": false,
                "partition_by": ["day"]}
        });
        let request = Request::from_json(json).unwrap();
        assert_eq!(request.version, 0);
        assert_eq!(
            request.work.binding.features.as_deref(),
            Some(&["a,b".to_owned()][..])
        );
        assert_eq!(request.work.rows.text.delimiter.as_deref(), Some(";"));
        assert_eq!(request.work.rows.text.quote, "\"");
        assert_eq!(request.work.text.text.as_deref(), Some("review"));
        assert_eq!(request.work.resources.threads, Some(2));
        assert_eq!(request.output.partition_by, ["day"]);
    }
}
