//! Events of a run for lineage catalogues: what was read, what was written, how it ended.
//!
//! One START and one COMPLETE, FAIL or ABORT per run. Owns the form of events and of the
//! identifiers in them; it must not know where events go.
//!
//! Source: OpenLineage 2-0-2 and its facets, each with the version named in [`facet`]. Data sets on
//! a local disk are named by its naming rules: namespace `file`, name the absolute path.

use arrow::datatypes::Schema;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use crate::storage::Location;

/// Who makes the events.
const PRODUCER: &str = concat!("urn:tallow:", env!("CARGO_PKG_VERSION"));

/// The schema of an event.
const EVENT_SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

/// The namespace of data sets on a local disk.
const FILE_NAMESPACE: &str = "file";

/// What an event says of its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// It begins.
    Start,
    /// It is done.
    Complete,
    /// It failed.
    Fail,
    /// It was stopped.
    Abort,
}

impl EventType {
    const fn name(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Complete => "COMPLETE",
            Self::Fail => "FAIL",
            Self::Abort => "ABORT",
        }
    }
}

/// Rows and bytes of a data set that a run read or wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Rows.
    pub rows: u64,
    /// Bytes, where known.
    pub bytes: Option<u64>,
}

/// A file or directory that a run reads or writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineageDataset {
    /// Where it lies: absolute.
    pub path: Location,
    /// (name, type) of its columns, where known.
    pub columns: Vec<(String, String)>,
    /// What was read or written of it, once that is known.
    pub statistics: Option<Statistics>,
    /// (name, fields) of further facets of an input: what was found of it.
    pub found: Vec<(&'static str, Json)>,
}

impl LineageDataset {
    /// A data set of which nothing was read or written yet.
    #[must_use]
    pub fn new(path: Location, schema: &Schema) -> Self {
        let columns = schema
            .fields()
            .iter()
            .map(|field| (field.name().clone(), field.data_type().to_string()))
            .collect();
        Self {
            path,
            columns,
            statistics: None,
            found: Vec::new(),
        }
    }
}

/// The run that started this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentRun {
    /// The namespace of its job.
    pub namespace: String,
    /// The name of its job.
    pub job: String,
    /// Its identifier: a UUID.
    pub run_id: String,
}

/// A run as its events describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunLineage {
    /// The run's identifier: a UUID of its own for every attempt.
    pub run_id: String,
    /// The namespace of its job.
    pub namespace: String,
    /// The name of its job.
    pub job: String,
    /// The run that started it.
    pub parent: Option<ParentRun>,
    /// (key, value) of what else is to be found by.
    pub tags: Vec<(String, String)>,
    /// What it reads.
    pub inputs: Vec<LineageDataset>,
    /// What it writes.
    pub outputs: Vec<LineageDataset>,
}

impl RunLineage {
    /// The event at `time` (RFC 3339, UTC); `error` is what a user would be told.
    #[must_use]
    pub fn event(&self, event_type: EventType, time: &str, error: Option<&str>) -> Json {
        let dataset = |dataset: &LineageDataset, role: &Role| role.dataset(dataset);
        json!({
            "eventType": event_type.name(),
            "eventTime": time,
            "producer": PRODUCER,
            "schemaURL": EVENT_SCHEMA,
            "run": {"runId": self.run_id, "facets": self.run_facets(error)},
            "job": {"namespace": self.namespace, "name": self.job,
                "facets": {"jobType": facet("jobType", json!(
                    {"processingType": "BATCH", "integration": "TALLOW",
                    "jobType": "JOB"}))}},
            "inputs": self.inputs.iter().map(|one| dataset(one, &INPUT)).collect::<Vec<_>>(),
            "outputs": self.outputs.iter().map(|one| dataset(one, &OUTPUT)).collect::<Vec<_>>(),
        })
    }

    fn run_facets(&self, error: Option<&str>) -> Map<String, Json> {
        let engine = json!({"name": "tallow", "version": env!("CARGO_PKG_VERSION")});
        let parent = self.parent.as_ref();
        let parent = parent.map(|one| {
            json!({"job": {"namespace": one.namespace, "name": one.job},
            "run": {"runId": one.run_id}})
        });
        let tag =
            |tag: &(String, String)| json!({"key": tag.0, "value": tag.1, "source": "TALLOW"});
        let tags = (!self.tags.is_empty())
            .then(|| json!({"tags": self.tags.iter().map(tag).collect::<Vec<_>>()}));
        let error = error.map(|message| json!({"message": message, "programmingLanguage": "Rust"}));
        let facets = [
            ("processing_engine", Some(engine)),
            ("parent", parent),
            ("tags", tags),
            ("errorMessage", error),
        ];
        facets
            .into_iter()
            .filter_map(|(name, fields)| Some((name.to_owned(), facet(name, fields?))))
            .collect()
    }
}

/// What shows inputs from outputs in an event.
struct Role {
    facets: &'static str,
    statistics: &'static str,
}

const INPUT: Role = Role {
    facets: "inputFacets",
    statistics: "inputStatistics",
};
const OUTPUT: Role = Role {
    facets: "outputFacets",
    statistics: "outputStatistics",
};

impl Role {
    fn dataset(&self, dataset: &LineageDataset) -> Json {
        let LineageDataset {
            path,
            columns,
            statistics,
            found,
        } = dataset;
        let source = facet(
            "dataSource",
            json!({"name": FILE_NAMESPACE, "uri": file_uri(path)}),
        );
        let mut facets = Map::from_iter([("dataSource".to_owned(), source)]);
        if !columns.is_empty() {
            let fields: Vec<Json> = columns
                .iter()
                .map(|(name, data_type)| json!({"name": name, "type": data_type}))
                .collect();
            facets.insert(
                "schema".to_owned(),
                facet("schema", json!({"fields": fields})),
            );
        }
        let mut object =
            json!({"namespace": FILE_NAMESPACE, "name": path.to_string_lossy(), "facets": facets});
        if let Some(Statistics { rows, bytes }) = statistics {
            let mut fields = json!({"rowCount": rows});
            bytes
                .iter()
                .for_each(|bytes| fields["size"] = (*bytes).into());
            object[self.facets] = json!({self.statistics: facet(self.statistics, fields)});
        }
        for (name, fields) in found {
            object[self.facets][*name] = facet(name, fields.clone());
        }
        object
    }
}

/// A facet: its fields, its producer and the schema that it follows.
fn facet(name: &str, mut fields: Json) -> Json {
    let (version, schema) = match name {
        "processing_engine" => ("1-1-1", "ProcessingEngineRunFacet"),
        "parent" => ("1-2-0", "ParentRunFacet"),
        "tags" => ("1-0-0", "TagsRunFacet"),
        "errorMessage" => ("1-0-1", "ErrorMessageRunFacet"),
        "jobType" => ("2-0-4", "JobTypeJobFacet"),
        "dataSource" => ("1-0-1", "DatasourceDatasetFacet"),
        "schema" => ("1-2-0", "SchemaDatasetFacet"),
        "dataQualityMetrics" => ("1-0-2", "DataQualityMetricsInputDatasetFacet"),
        "dataQualityAssertions" => ("1-0-1", "DataQualityAssertionsDatasetFacet"),
        "inputStatistics" => ("1-0-0", "InputStatisticsInputDatasetFacet"),
        _ => ("1-0-2", "OutputStatisticsOutputDatasetFacet"),
    };
    fields["_producer"] = PRODUCER.into();
    fields["_schemaURL"] =
        format!("https://openlineage.io/spec/facets/{version}/{schema}.json#/$defs/{schema}")
            .into();
    fields
}

/// A path as a URI (RFC 8089), bytes outside the unreserved characters escaped.
fn file_uri(path: &Location) -> String {
    let mut uri = String::from("file://");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(*byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

/// An identifier for a run that began this many milliseconds after 1970: a UUID of version 7 (RFC
/// 9562), which OpenLineage recommends because they sort by time. What would be random in it is a
/// digest of `seed`, which must be another for every run.
#[must_use]
pub fn time_ordered_uuid(milliseconds: u64, seed: &str) -> String {
    let mut bytes = digest_bytes(seed);
    bytes[..6].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
    uuid(bytes, 7)
}

/// The identifier of something that has a name: the same for the same name. A UUID of version 8
/// (RFC 9562, B.2) with a SHA-256 digest in it.
#[must_use]
pub fn name_uuid(name: &str) -> String {
    uuid(digest_bytes(name), 8)
}

fn digest_bytes(text: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(text)[..16]);
    bytes
}

fn uuid(mut bytes: [u8; 16], version: u8) -> String {
    bytes[6] = bytes[6] & 0x0f | version << 4;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = crate::digest::hexadecimal(&bytes);
    [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ]
    .join("-")
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field};

    use super::*;

    #[test]
    fn identifiers_are_uuids_of_their_version() {
        // RFC 9562, A.6: the same time gives the same first 48 bits.
        assert_eq!(
            time_ordered_uuid(0x017F_22E2_79B0, "run"),
            "017f22e2-79b0-780b-96fc-3ccd14c65be5"
        );
        assert_ne!(
            time_ordered_uuid(0x017F_22E2_79B0, "run"),
            time_ordered_uuid(0x017F_22E2_79B0, "another")
        );
        let named = name_uuid("dag/task");
        assert!(
            named.len() == 36
                && named.as_bytes()[14] == b'8'
                && b"89ab".contains(&named.as_bytes()[19]),
            "{named}"
        );
        assert_eq!(named, name_uuid("dag/task"));
    }

    #[test]
    fn a_path_becomes_a_uri() {
        assert_eq!(
            file_uri(&Location::from("/data/a b#ü%.csv")),
            "file:///data/a%20b%23%C3%BC%25.csv"
        );
    }

    #[test]
    fn an_event_holds_all_that_the_standard_asks_for() {
        let schema = Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("a", DataType::Float32, true),
        ]);
        let mut input = LineageDataset::new("/data/in.csv".into(), &schema);
        input.statistics = Some(Statistics {
            rows: 7,
            bytes: Some(99),
        });
        let parent = ParentRun {
            namespace: "airflow".into(),
            job: "dag.task".into(),
            run_id: name_uuid("x"),
        };
        let run = RunLineage {
            run_id: time_ordered_uuid(1, "x"),
            namespace: "default".into(),
            job: "nightly".into(),
            parent: Some(parent),
            tags: vec![("model_digest".into(), "sha256:00".into())],
            inputs: vec![input],
            outputs: vec![LineageDataset::new("/data/out".into(), &Schema::empty())],
        };
        let event = run.event(
            EventType::Fail,
            "2026-11-21T00:00:00.000Z",
            Some("it broke"),
        );
        assert_eq!(
            (&event["eventType"], &event["schemaURL"]),
            (&"FAIL".into(), &EVENT_SCHEMA.into())
        );
        assert_eq!(event["job"]["namespace"], "default");
        assert_eq!(
            event["inputs"][0]["facets"]["schema"]["fields"][1],
            json!({"name": "a", "type": "Float32"})
        );
        assert_eq!(
            event["inputs"][0]["inputFacets"]["inputStatistics"]["size"],
            99
        );
        assert!(
            event["outputs"][0]["facets"]["schema"].is_null()
                && event["outputs"][0]["outputFacets"].is_null()
        );
        let facets = &event["run"]["facets"];
        assert_eq!(
            (
                &facets["errorMessage"]["message"],
                &facets["errorMessage"]["programmingLanguage"]
            ),
            (&"it broke".into(), &"Rust".into())
        );
        assert_eq!(
            (
                &facets["parent"]["job"]["name"],
                &facets["parent"]["run"]["runId"]
            ),
            (&"dag.task".into(), &name_uuid("x").into())
        );
        assert_eq!(facets["tags"]["tags"][0]["value"], "sha256:00");
        let facets = [
            facets,
            &event["job"]["facets"],
            &event["inputs"][0]["facets"],
            &event["inputs"][0]["inputFacets"],
        ];
        for facet in facets
            .iter()
            .flat_map(|facets| facets.as_object().unwrap().values())
        {
            assert!(
                facet["_producer"] == PRODUCER
                    && facet["_schemaURL"]
                        .as_str()
                        .unwrap()
                        .starts_with("https://openlineage.io/spec/facets/")
            );
        }
    }
}
