//! The manual: one Markdown file a topic, shown by `tallow guide` and here.
//!
//! Owns the texts and their order. It must not know how they are shown.

#![allow(clippy::doc_markdown, reason = "the manual is prose for users")]

pub mod layout;

/// One topic of the manual.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    /// The name as users type it.
    pub name: &'static str,
    /// What it is about, in one line.
    pub summary: &'static str,
    /// The Markdown text.
    pub text: &'static str,
}

macro_rules! topics {
    ($($module:ident $file:literal $summary:literal)*) => {
        $(#[doc = include_str!(concat!($file, ".md"))] pub mod $module {})*

        /// Every topic, in reading order.
        pub const TOPICS: &[Topic] = &[
            $(Topic { name: $file, summary: $summary, text: include_str!(concat!($file, ".md")) }),*
        ];
    };
}

topics! {
    getting_started "getting-started" "Install tallow and score a first table"
    models "models" "Model formats, how to save them, columns that come out"
    scikit_learn "scikit-learn" "Pipelines and networks through ONNX"
    text "text" "Embeddings, labels and entities from text models"
    packages "packages" "tallow.toml: types, policies, digests, golden rows"
    data "data" "Tables, columns, SQL filters, delimited text, missing values"
    data_sets "data-sets" "Directories of parts, partitions, atomic replacement"
    recovery "recovery" "Crashes, signals, bad rows, broken files, retry"
    monitoring "monitoring" "Reports, Prometheus metrics, OpenLineage, guards, drift, evaluation"
    reports "reports" "HTML pages of a night or of many, trends, cost"
    life_cycle "life-cycle" "A registry of models, aliases, rollback, signatures"
    privacy "privacy" "Encrypted Parquet, hashed and dropped columns"
    performance "performance" "Speed compared with the original libraries"
    memory "memory" "What --memory caps, and measured peaks"
    limits "limits" "What tallow does not do"
    exit_codes "exit-codes" "What each exit code means"
}

/// The list of topics, a line each.
#[must_use]
pub fn contents() -> String {
    let mut text = "Topics of the manual; read one with `tallow guide TOPIC`:\n\n".to_owned();
    for topic in TOPICS {
        text += &format!("  {:16} {}\n", topic.name, topic.summary);
    }
    text
}

/// The topic of this name; case and `_` for `-` do not matter.
#[must_use]
pub fn find(name: &str) -> Option<&'static Topic> {
    let name = plain(name);
    TOPICS.iter().find(|topic| topic.name == name)
}

/// The topic whose name nearly is this one: it contains it, or differs by few letters.
#[must_use]
pub fn nearest(name: &str) -> Option<&'static Topic> {
    let name = plain(name);
    let distance = |topic: &&Topic| {
        let is_part = name.len() > 2 && topic.name.contains(&name);
        if is_part { 0 } else { edits(&name, topic.name) }
    };
    let near = TOPICS.iter().min_by_key(distance)?;
    (distance(&near) <= MAX_TYPING_ERRORS.min(name.len() / 3)).then_some(near)
}

/// Letters by which a name may differ and still be meant; of a short one a third.
const MAX_TYPING_ERRORS: usize = 2;

/// A section of a topic.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// The topic.
    pub topic: &'static Topic,
    /// The heading of the section.
    pub heading: &'static str,
}

/// The section that is most about a word: its heading has it, or its text has it most often.
#[must_use]
pub fn section_about(word: &str) -> Option<Section> {
    let word = stem(&word.trim().to_lowercase());
    let mut best: Option<(usize, Section)> = None;
    for topic in TOPICS {
        let sections = topic
            .text
            .split("\n## ")
            .flat_map(|part| part.split("\n### "));
        for text in sections {
            let (heading, body) = text.split_once('\n').unwrap_or((text, ""));
            let heading = heading.trim_start_matches("# ");
            let count = weight(heading, &word) + occurrences(body, &word);
            if count > best.map_or(0, |(most, _)| most) {
                best = Some((count, Section { topic, heading }));
            }
        }
    }
    best.map(|(_, section)| section)
}

/// More for a heading that has the word than any text has words, most for one that begins with it.
fn weight(heading: &str, word: &str) -> usize {
    let first = heading.split(' ').next().unwrap_or_default();
    let begins = occurrences(first, word) > 0;
    1000 * usize::from(occurrences(heading, word) > 0) + 500 * usize::from(begins)
}

/// How often a text has a word, in the singular or the plural.
fn occurrences(text: &str, word: &str) -> usize {
    let words = text.split(|letter: char| !letter.is_alphanumeric());
    words
        .filter(|other| stem(&other.to_lowercase()) == word)
        .count()
}

/// `gates` is `gate`; short words stay.
fn stem(word: &str) -> String {
    match word.strip_suffix('s') {
        Some(stem) if stem.len() > 2 => stem.to_owned(),
        _ => word.to_owned(),
    }
}

fn plain(name: &str) -> String {
    name.trim()
        .trim_end_matches(".md")
        .to_lowercase()
        .replace(['_', ' '], "-")
}

/// The Levenshtein distance: insertions, deletions and replacements of characters.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_found_as_users_spell_them() {
        for name in ["data-sets", "Data_Sets", "data sets", "data-sets.md"] {
            assert_eq!(
                find(name).map(|topic| topic.name),
                Some("data-sets"),
                "{name}"
            );
        }
        assert!(find("").is_none() && find("data-set").is_none());
    }

    #[test]
    fn an_unknown_topic_has_a_nearest_one() {
        let cases = [
            ("mdels", "models"),
            ("exit", "exit-codes"),
            ("learn", "scikit-learn"),
            ("Recover", "recovery"),
            ("data-set", "data-sets"),
            ("memroy", "memory"),
        ];
        for (name, expected) in cases {
            assert_eq!(nearest(name).unwrap().name, expected, "{name}");
        }
        for name in ["job", "csv", "gates", "s3", "labels"] {
            assert!(nearest(name).is_none(), "{name}");
        }
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
    }

    #[test]
    fn a_word_is_found_in_headings_and_then_in_texts() {
        let cases = [
            ("job", "getting-started", "Job files"),
            ("csv", "data", "CSV and other delimited text"),
            ("parquet", "data", "Parquet types"),
            ("gates", "monitoring", "Gates"),
            ("gate", "monitoring", "Gates"),
            ("s3", "limits", "Inputs and outputs"),
            ("cron", "getting-started", "On a schedule"),
            ("joblib", "models", "Pickle, joblib and skops"),
            ("Replay", "life-cycle", "Replay"),
        ];
        for (word, topic, heading) in cases {
            let found = section_about(word).unwrap();
            assert_eq!(
                (found.topic.name, found.heading),
                (topic, heading),
                "{word}"
            );
        }
        assert!(section_about("xyzzy").is_none());
    }
}
