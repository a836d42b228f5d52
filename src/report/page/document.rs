//! The page as a document: its head, its verdict and numbers, the list of its sections.
//!
//! Owns the markup around the sections. It must not know which sections there are.

use std::fmt::{self, Display, Formatter};

use super::block::{Section, State, html, on_page};
use crate::escape;

/// The style sheet.
const STYLE: &str = include_str!("style.css");

/// The shapes of states, and the link that skips to the report.
const ICONS: &str = include_str!("icons.html");

/// What a page begins with. Its policy forbids every request.
const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">
<meta http-equiv=\"Content-Security-Policy\" \
content=\"default-src 'none'; style-src 'unsafe-inline'\">
<meta name=\"color-scheme\" content=\"light dark\">
<meta name=\"generator\" content=\"tallow\">
";

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
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) title: String,
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

impl Display for Page {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{HEAD}<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n",
            html(&self.title)
        )?;
        write!(f, "<body>\n{ICONS}<div class=\"page\">\n")?;
        self.header(f)?;
        f.write_str("<nav aria-label=\"Sections\"><ol>")?;
        for section in &self.sections {
            write!(
                f,
                "\n<li><a href=\"#{}\">{} <span class=\"{}\">{}</span></a></li>",
                section.id,
                html(&section.title),
                section.state.class(),
                html(&section.note)
            )?;
        }
        f.write_str("\n</ol></nav>\n<main id=\"main\">")?;
        self.sections
            .iter()
            .try_for_each(|section| section.fmt(f))?;
        let footer = html(&self.footer);
        write!(
            f,
            "\n</main>\n<footer>{footer}</footer>\n</div>\n</body>\n</html>\n"
        )
    }
}

impl Page {
    /// The verdict, the next step and the numbers that a reader looks for first.
    fn header(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("<header>\n<p class=\"eyebrow\">")?;
        for part in &self.eyebrow {
            write!(f, "<span>{}</span>", html(part))?;
        }
        let (name, detail) = (html(&self.name), html(&self.detail));
        write!(
            f,
            "</p>\n<h1>{name} <small>{detail}</small></h1>\n<p class=\"verdict\">"
        )?;
        if !self.trouble.is_empty() {
            write!(f, "<b>{}</b> ", html(&self.trouble))?;
        }
        writeln!(f, "{}</p>", html(&self.verdict))?;
        if !self.next.is_empty() {
            let calm = if self.trouble.is_empty() { " calm" } else { "" };
            write!(f, "<div class=\"next{calm}\"><p>What to do</p>")?;
            for Step { text, code } in &self.next {
                write!(f, "\n<p>{}", html(text))?;
                if !code.is_empty() {
                    write!(f, " <code>{}</code>", html(code))?;
                }
                f.write_str("</p>")?;
            }
            f.write_str("</div>\n")?;
        }
        if !self.keys.is_empty() {
            f.write_str("<dl class=\"key\">")?;
            for Key {
                label,
                value,
                note,
                state,
            } in &self.keys
            {
                write!(
                    f,
                    "\n<div><dt>{}</dt><dd class=\"{}\">{}<span class=\"sub\">{}</span></dd></div>",
                    html(label),
                    state.class(),
                    html(value),
                    html(note)
                )?;
            }
            f.write_str("\n</dl>\n")?;
        }
        writeln!(f, "{}</header>", self.strip)
    }
}

/// A text that no character of turns around or hides.
pub(super) fn safe(text: &str) -> String {
    escape::line(text).into_owned()
}
