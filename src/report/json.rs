//! The report as one JSON object on one line, for Airflow's XCom and for `jq`.

use serde_json::{Map, Number, Value as Json, json};

use super::facts::{Fact, Value};
use super::renderer::{Rendered, Renderer, Report};
use crate::error::{Error, Result};
use crate::escape;
use crate::storage::Location;

/// The report's sections and its head in one object.
#[derive(Clone, Copy, Debug)]
pub struct JsonLine;

impl JsonLine {
    /// The text, each line ended by a line break.
    #[must_use]
    pub fn text(&self, report: &Report<'_>) -> String {
        let mut object = sections(report.facts);
        object.extend(report.head.clone());
        format!("{}\n", escape::json(&Json::Object(object).to_string()))
    }
}

impl Renderer for JsonLine {
    fn name(&self) -> &'static str {
        "json"
    }

    fn render(&self, report: &Report<'_>) -> Result<Rendered> {
        Ok(Rendered::Text(self.text(report)))
    }
}

/// Facts as `{section: {subject: {metric: value}}}`; facts about the run as a whole lie directly in
/// their section. Infinite and NaN numbers, which JSON is missing, are texts.
#[must_use]
pub fn sections(facts: &[Fact]) -> Map<String, Json> {
    let mut sections = Map::new();
    for fact in facts {
        let section = object(
            sections
                .entry(fact.section.clone())
                .or_insert_with(|| json!({})),
        );
        let location = if fact.subject.is_empty() {
            section
        } else {
            object(
                section
                    .entry(fact.subject.clone())
                    .or_insert_with(|| json!({})),
            )
        };
        location.insert(fact.metric.clone(), value(&fact.value));
    }
    sections
}

/// The object that a value is; a value that is none is replaced by an empty one.
fn object(value: &mut Json) -> &mut Map<String, Json> {
    if !value.is_object() {
        *value = json!({});
    }
    value
        .as_object_mut()
        .expect("the line above made it an object")
}

fn value(value: &Value) -> Json {
    match value {
        Value::Text(text) => Json::from(text.clone()),
        Value::Number(number)
            if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 =>
        {
            Json::from(*number as i64)
        }
        Value::Number(number) => {
            Number::from_f64(*number).map_or_else(|| Json::from(number.to_string()), Json::Number)
        }
    }
}

/// An error as one JSON object: status, exit code, message, place, causes and hint.
#[must_use]
pub fn failure(error: &Error) -> Map<String, Json> {
    let (heading, code) = error.kind().heading_and_code();
    let causes: Vec<String> = error.causes().map(ToString::to_string).collect();
    let location = error.location();
    let rendered = json!({
        "kind": heading,
        "message": error.message(),
        "path": location.path.as_ref().map(Location::from),
        "row": location.row,
        "column": location.column,
        "node": location.node,
        "causes": causes,
        "hint": error.hint_text(),
    });
    [
        ("status", "failed".into()),
        ("exit_code", code.into()),
        ("error", rendered),
    ]
    .map(|(name, value): (&str, Json)| (name.to_owned(), value))
    .into_iter()
    .collect()
}
