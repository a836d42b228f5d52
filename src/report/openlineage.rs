//! Events of a run for lineage catalogues: what was read, what was written, how it ended.
//!
//! One START and one COMPLETE, FAIL or ABORT per run. Owns the form of events and of the
//! identifiers in them; it must not know where events go.
//!
//! Source: OpenLineage 2-0-2 and its facets, each with the version named in [`facet`]. Data sets on
//! a local disk are named by its naming rules: namespace `file`, name the absolute path.

use arrow::datatypes::Schema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use super::facts::{Fact, number};
use super::renderer::{Rendered, Renderer, Report};
use super::watch_metrics;
use crate::error::{Error, Result};
use crate::storage::Location;

/// Who makes the events.
const PRODUCER: &str = concat!("urn:tallow:", env!("CARGO_PKG_VERSION"));

/// The schema of an event.
const EVENT_SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

/// The namespace of data sets on a local disk.
const FILE_NAMESPACE: &str = "file";

/// What an event says of its run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum EventType {
    /// It begins.
    #[default]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Statistics {
    /// Rows.
    pub rows: u64,
    /// Bytes, where known.
    pub bytes: Option<u64>,
}

/// A file or directory that a run reads or writes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct LineageDataset {
    /// Where it lies: absolute.
    pub path: Location,
    /// (name, type) of its columns, where known.
    pub columns: Vec<(String, String)>,
    /// What was read or written of it, once that is known.
    pub statistics: Option<Statistics>,
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
        }
    }
}

/// The run that started this one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ParentRun {
    /// The namespace of its job.
    pub namespace: String,
    /// The name of its job.
    pub job: String,
    /// Its identifier: a UUID.
    pub run_id: String,
}

/// The head of a report that is rendered as an event: all but its facts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Event {
    /// What it says of its run.
    pub event_type: EventType,
    /// When: RFC 3339, UTC.
    pub time: String,
    /// What a user would read, if the run failed.
    pub error: Option<String>,
    /// The run.
    pub lineage: RunLineage,
}

impl Event {
    /// The head as a [`Report`] takes it.
    ///
    /// # Errors
    /// An internal error if it has no form in JSON.
    pub fn into_object(self) -> Result<Map<String, Json>> {
        let internal = |error| Error::internal("a head without a form in JSON").because(error);
        match serde_json::to_value(self).map_err(internal)? {
            Json::Object(head) => Ok(head),
            _ => Ok(Map::new()),
        }
    }
}

/// Renders one event, on one line; facts say what was found of the inputs.
#[derive(Clone, Copy, Debug)]
pub struct OpenLineage;

impl OpenLineage {
    /// The event. A head without an [`Event`] gives the start of a run of which nothing is known.
    #[must_use]
    pub fn text(&self, report: &Report<'_>) -> String {
        let head = serde_json::from_value(Json::Object(report.head.clone()));
        let head: Event = head.unwrap_or_default();
        format!("{}\n", head.lineage.event(&head, report.facts))
    }
}

impl Renderer for OpenLineage {
    fn name(&self) -> &'static str {
        "openlineage"
    }

    fn render(&self, report: &Report<'_>) -> Result<Rendered> {
        Ok(Rendered::Text(self.text(report)))
    }
}

/// A run as its events describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
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
    fn event(&self, head: &Event, facts: &[Fact]) -> Json {
        let Event {
            event_type,
            time,
            error,
            lineage: _,
        } = head;
        let error = error.as_deref();
        let found = found(self.inputs.len(), facts);
        let input = |dataset: &LineageDataset| INPUT.dataset(dataset, &found);
        let output = |dataset: &LineageDataset| OUTPUT.dataset(dataset, &[]);
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
            "inputs": self.inputs.iter().map(input).collect::<Vec<_>>(),
            "outputs": self.outputs.iter().map(output).collect::<Vec<_>>(),
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

/// (name, fields) of what facts say of each input: of their values only where there is one input,
/// because facts are about all inputs together.
fn found(input_count: usize, facts: &[Fact]) -> Vec<(&'static str, Json)> {
    let row_count = number(facts, "ledger", "", "rows_in").unwrap_or(0.0) as u64;
    let quality = (input_count == 1).then(|| watch_metrics::quality(facts, row_count));
    [
        ("dataQualityMetrics", quality.flatten()),
        ("dataQualityAssertions", watch_metrics::assertions(facts)),
    ]
    .into_iter()
    .filter_map(|(name, fields)| Some((name, fields?)))
    .collect()
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
    fn dataset(&self, dataset: &LineageDataset, found: &[(&'static str, Json)]) -> Json {
        let LineageDataset {
            path,
            columns,
            statistics,
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

    use super::super::renderer::Detail;
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
        let head = Event {
            event_type: EventType::Fail,
            time: "2026-11-21T00:00:00.000Z".into(),
            error: Some("it broke".into()),
            lineage: run,
        };
        let report = Report {
            head: head.into_object().unwrap(),
            facts: &[],
            detail: Detail::All,
            lines_around: 0,
        };
        let event: Json = serde_json::from_str(&OpenLineage.text(&report)).unwrap();
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
