//! The page as a document: its head, its verdict and numbers, the list of its sections.
//!
//! Owns the markup around the sections. It must not know which sections there are.

use askama::Template;

use super::block::{Section, State, html, on_page};
use crate::escape;

/// The style sheet.
pub(super) const STYLE: &str = include_str!("style.css");

/// What a page may show.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Whether extremes of inputs, whole paths and messages about files are shown.
    pub show_values: bool,
}

/// A number at the top of the page.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) label: String,
    pub(super) value: String,
    pub(super) note: String,
    pub(super) state: State,
}

impl Key {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers format it for the key alone"
    )]
    pub(super) fn new(label: &str, value: String, note: String) -> Self {
        Self {
            label: label.to_owned(),
            value: on_page(&value),
            note,
            state: State::Ok,
        }
    }
}

/// A line of what to do.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) text: String,
    pub(super) code: String,
}

/// The page.
#[derive(Debug, Default, Template)]
#[template(path = "page.html", config = "src/report/page/askama.toml")]
pub(super) struct Page {
    pub(super) title: String,
    pub(super) style: &'static str,
    pub(super) eyebrow: Vec<String>,
    pub(super) name: String,
    pub(super) detail: String,
    pub(super) trouble: String,
    pub(super) verdict: String,
    pub(super) next: Vec<Step>,
    pub(super) keys: Vec<Key>,
    pub(super) strip: String,
    pub(super) sections: Vec<Section>,
    pub(super) footer: String,
}

/// A text that no character of turns around or hides.
pub(super) fn safe(text: &str) -> String {
    escape::line(text).into_owned()
}
