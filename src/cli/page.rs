//! Text for standard output, line by line: whatever a name or a label holds, each line stays one
//! line and shows itself.

use crate::count::and_more;
use crate::escape;

/// The most inputs or columns that are listed for users; JSON has them all.
pub(super) const LISTED: usize = 60;

/// Lines to be shown.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// A page that begins with this line.
    pub(super) fn new(first: &str) -> Self {
        let mut page = Self::default();
        page.line(first);
        page
    }

    /// Adds a line.
    pub(super) fn line(&mut self, text: impl AsRef<str>) {
        self.0.push_str(&escape::line(text.as_ref()));
        self.0.push('\n');
    }

    /// Adds a line with a label in front.
    pub(super) fn fact(&mut self, label: &str, text: impl AsRef<str>) {
        self.line(format!("  {label:16} {}", text.as_ref()));
    }

    /// Adds the first `max` of the lines, and how many more there are, which JSON has.
    pub(super) fn list(&mut self, lines: impl IntoIterator<Item = String>, max: usize) {
        let mut lines = lines.into_iter();
        lines.by_ref().take(max).for_each(|line| self.line(line));
        let more = and_more(lines.count(), "");
        if !more.is_empty() {
            self.line(format!(" {more} (`--format json` lists them all)"));
        }
    }

    /// The whole text.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}
