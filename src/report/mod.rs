//! What happened: facts in long form, as a table, and what renderers make of them.
//!
//! One row is one fact (section, subject, metric, value, unit), so that a year of reports is one
//! table. Facts are aggregates; no value of a row ever gets here. Rendering gives text and bytes;
//! who prints or writes them is not known here.

pub mod arms;
pub mod attribution;
pub mod comparison;
pub mod comparison_lines;
pub mod comparison_verdict;
pub mod compat;
pub mod control;
pub mod cost;
pub mod drift;
pub mod drift_lines;
pub mod estimates;
pub mod evaluation;
pub mod evaluation_lines;
mod evaluation_summary;
pub mod explanation;
pub mod facts;
pub mod gate_hints;
pub mod gate_names;
pub mod gates;
pub mod history;
pub mod json;
pub mod models;
pub mod moment;
pub mod monitoring;
pub mod number;
pub mod openlineage;
pub mod overlay;
pub mod page;
pub mod previous;
pub mod prometheus;
pub mod quality;
pub mod renderer;
pub mod run;
mod score_lines;
pub mod scores;
pub mod spark;
pub mod stored;
pub mod summary;
pub mod table;
pub mod text;
mod value_group;
mod value_lines;
pub mod watch_lines;
pub mod watch_metrics;
mod weight;
pub mod width;

pub use facts::{Fact, Value};
use renderer::Renderer;

/// Every renderer of reports.
pub static RENDERERS: &[&dyn Renderer] = &[
    &text::Text,
    &json::JsonLine,
    &prometheus::Prometheus,
    &openlineage::OpenLineage,
    &table::Table,
];

/// The renderer of this name.
#[must_use]
pub fn renderer(name: &str) -> Option<&'static dyn Renderer> {
    RENDERERS
        .iter()
        .find(|renderer| renderer.name() == name)
        .copied()
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::renderer::{Detail, Rendered, Report};
    use super::*;

    #[test]
    fn every_renderer_has_a_file_of_its_name_and_keeps_each_line_whole() {
        let name = "a\nb\u{1b}[1m\"";
        let facts = [
            Fact::text("run", "", "status", "done"),
            Fact::text("model", "", "name", name),
            Fact::count("coercions", name, "missing", 3, "values"),
            Fact::count("scores", name, "count_yes", 2, "rows"),
        ];
        for renderer in RENDERERS {
            for detail in [Detail::Summary, Detail::Verbose, Detail::All] {
                let report = Report {
                    head: Map::from_iter([("run_id".to_owned(), json!(name))]),
                    facts: &facts,
                    detail,
                    lines_around: 0,
                };
                let text = match renderer.render(&report).unwrap() {
                    Rendered::Text(text) => text,
                    Rendered::Table(table) => {
                        let read = table::from_table(&table).unwrap();
                        assert!(read.iter().all(|(run_id, _)| run_id == name));
                        assert_eq!(read.len(), facts.len());
                        continue;
                    }
                };
                assert!(text.ends_with('\n'), "{}", renderer.name());
                let is_broken = text.lines().any(|line| line.starts_with('b'));
                assert!(!is_broken && !text.contains('\u{1b}'), "{text}");
            }
            let file = format!("src/report/{}.rs", renderer.name());
            let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
            assert!(root.join(&file).exists(), "no file {file}");
        }
        assert!(renderer("parquet").is_none());
    }
}
