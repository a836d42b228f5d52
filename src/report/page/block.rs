//! What a page is made of: sections of tables, figures and notes.
//!
//! Owns the parts, and the escaping of text. It must not know what a fact is.

use askama::Template;

use super::svg::Svg;
use crate::escape;
use crate::report::number;

/// How something stands; the order is that of a page, the worst first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// A limit of level fail is crossed.
    Fail,
    /// A limit of level warn is crossed, or a column drifted that no gate reads.
    Warn,
    /// It cannot be decided.
    Undecided,
    /// Within its limit.
    #[default]
    Ok,
}

impl State {
    /// The name of its shape.
    #[must_use]
    pub const fn icon(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Undecided => "undecided",
            Self::Ok => "ok",
        }
    }

    /// The class of a number that it colours; empty where nothing is wrong.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Fail => "fail bad",
            Self::Warn => "warn",
            Self::Undecided | Self::Ok => "",
        }
    }

    /// The class of a value in a table.
    #[must_use]
    pub const fn text_class(self) -> &'static str {
        match self {
            Self::Fail => "hot",
            Self::Warn => "hotw",
            Self::Undecided | Self::Ok => "",
        }
    }
}

/// A part of a page under its own heading.
#[derive(Debug, Default)]
pub struct Section {
    /// The anchor.
    pub id: &'static str,
    /// The heading.
    pub title: String,
    /// Whether it is about the last of several runs.
    pub is_of_last_run: bool,
    /// What the list of sections says of it.
    pub note: String,
    /// Whether that is trouble.
    pub state: State,
    /// The first paragraph.
    pub lead: String,
    /// The rest.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Debug)]
pub enum Block {
    /// A table.
    Table(Table),
    /// One figure.
    Figure(Figure),
    /// A fact over time.
    Trend(Trend),
    /// Pieces next to each other: the class of the grid, then the pieces.
    Grid(&'static str, Vec<Block>),
    /// A heading within the section.
    Heading(String),
    /// Small print.
    Note(String),
    /// Names and values.
    Facts(Vec<(String, String)>),
    /// What the shapes mean.
    Legend(Vec<(Svg, String)>),
}

/// A head of a column.
#[derive(Clone, Debug)]
pub struct Head {
    /// Its text.
    pub text: String,
    /// Its class: `r` for numbers, `opt` for what a phone leaves out.
    pub class: &'static str,
}

impl Head {
    /// A head of this class.
    #[must_use]
    pub fn new(text: impl AsRef<str>, class: &'static str) -> Self {
        Self {
            text: escape::line(text.as_ref()).into_owned(),
            class,
        }
    }
}

/// A cell of a table.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    /// Its text.
    pub text: String,
    /// A second line in small print.
    pub note: String,
    /// Its class.
    pub class: String,
    /// Whether the text is code or the name of a column.
    pub is_code: bool,
    /// Whether it names its row.
    pub is_head: bool,
    /// A state, whose shape goes in front of the text.
    pub state: Option<State>,
    /// A small chart.
    pub chart: Svg,
}

impl Cell {
    /// Text.
    #[must_use]
    pub fn text(text: impl AsRef<str>) -> Self {
        Self {
            text: escape::line(text.as_ref()).into_owned(),
            ..Self::default()
        }
    }

    /// A number, which is set to the right; zeros and unknown ones are grey.
    #[must_use]
    pub fn number(text: impl Into<String>) -> Self {
        let text = text.into();
        let is_faint = ["0", "0%", number::UNKNOWN].contains(&&*text);
        Self {
            class: if is_faint { "r nw mute" } else { "r nw" }.to_owned(),
            text: on_page(&text),
            ..Self::default()
        }
    }

    /// The name of a row.
    #[must_use]
    pub fn head(text: impl AsRef<str>) -> Self {
        Self {
            is_head: true,
            ..Self::text(text)
        }
    }

    /// The name of a column of the data, or an expression, as the name of a row.
    #[must_use]
    pub fn code(text: impl AsRef<str>) -> Self {
        Self {
            is_code: true,
            ..Self::head(text)
        }
    }

    /// A state with its word.
    #[must_use]
    pub fn state(state: State, word: impl AsRef<str>) -> Self {
        Self {
            state: Some(state),
            ..Self::text(word)
        }
    }

    /// A chart.
    #[must_use]
    pub fn chart(class: &str, chart: Svg) -> Self {
        Self {
            class: class.to_owned(),
            chart,
            ..Self::default()
        }
    }

    /// With small print.
    #[must_use]
    pub fn noted(mut self, note: impl AsRef<str>) -> Self {
        self.note = escape::line(note.as_ref()).into_owned();
        self
    }

    /// With another class as well.
    #[must_use]
    pub fn with_class(mut self, class: &str) -> Self {
        format!("{} {class}", self.class)
            .trim()
            .clone_into(&mut self.class);
        self
    }

    /// Coloured as trouble, where it is some.
    #[must_use]
    pub fn marked(self, state: State) -> Self {
        self.with_class(state.text_class())
    }
}

/// A table in a frame that scrolls on narrow screens.
#[derive(Debug, Default, Template)]
#[template(path = "table.html", config = "src/report/page/askama.toml")]
pub struct Table {
    /// What it shows, for screen readers.
    pub label: String,
    /// Its class.
    pub class: &'static str,
    /// Whether names of rows stay in view on a phone.
    pub is_sticky: bool,
    /// The heads.
    pub heads: Vec<Head>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
    /// If not empty, the table is folded away behind this text.
    pub fold: String,
}

impl Table {
    /// A table with these heads: `(text, class)`.
    #[must_use]
    pub fn new(label: &str, heads: &[(&str, &'static str)]) -> Self {
        let heads = heads.iter().map(|&(text, class)| Head::new(text, class));
        Self {
            label: label.to_owned(),
            heads: heads.collect(),
            ..Self::default()
        }
    }
}

/// A chart with its heading.
#[derive(Debug, Default, Template)]
#[template(path = "figure.html", config = "src/report/page/askama.toml")]
pub struct Figure {
    /// The heading.
    pub title: String,
    /// Whether the heading is the name of a column.
    pub is_code: bool,
    /// What it shows, in one sentence.
    pub caption: String,
    /// The class of its frame: which sides have room for ticks.
    pub class: &'static str,
    /// The chart.
    pub chart: Svg,
    /// HTML below the chart: its values as a table, or nothing.
    pub values: String,
}

/// A fact over time.
#[derive(Debug, Default, Template)]
#[template(path = "trend.html", config = "src/report/page/askama.toml")]
pub struct Trend {
    /// The fact.
    pub name: String,
    /// Its last value.
    pub value: String,
    /// Whether that is outside its range.
    pub state: State,
    /// What is to be said of it.
    pub remark: String,
    /// The usual range.
    pub usual: String,
    /// The chart.
    pub chart: Svg,
}

/// Text as HTML.
#[must_use]
pub fn html(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 16);
    for character in escape::line(text).chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A sentence whose numbers have the minus sign of print.
#[must_use]
pub fn with_minus(sentence: &str) -> String {
    let mut letters = sentence.chars().peekable();
    let (mut text, mut before) = (String::with_capacity(sentence.len()), ' ');
    while let Some(letter) = letters.next() {
        let is_sign = letter == '-'
            && matches!(before, ' ' | '(')
            && letters.peek().is_some_and(char::is_ascii_digit);
        text.push(if is_sign { '\u{2212}' } else { letter });
        before = letter;
    }
    text
}

/// A number with the minus sign of print.
#[must_use]
pub fn on_page(number: &str) -> String {
    match number.strip_prefix('-') {
        Some(size) => format!("\u{2212}{size}"),
        None => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_numbers_are_minus_signs_and_hyphens_stay() {
        let shown = with_minus("ROC AUC -0.0026 (-0.0072 to +0.0020), 2026-11-28, log-odds - 1");
        assert_eq!(shown.matches('\u{2212}').count(), 2, "{shown}");
        let back = shown.replace('\u{2212}', "-");
        assert_eq!(
            back,
            "ROC AUC -0.0026 (-0.0072 to +0.0020), 2026-11-28, log-odds - 1"
        );
        assert!(shown.contains("\u{2212}0.0026 (\u{2212}0.0072"), "{shown}");
    }
}
