//! The model card: Markdown with the front matter of Hugging Face and the nine headings of "Model
//! Cards for Model Reporting" (Mitchell et al., 2019).
//!
//! Owns which heading holds which facts, and that text of the user's survives when a card is
//! written again: only what stands between tallow's own marks is replaced. It must not know where
//! facts come from.

use std::fmt::Write;

use crate::storage::{self, Location};

/// The card's name in a package; hubs show a file of this name.
pub const CARD_NAME: &str = "README.md";

/// The key of the model's name in the front matter.
const NAME_KEY: &str = "model_name:";

/// The most bytes of a model card that are read.
const CARD_BYTES: u64 = 256 << 10;

/// A heading, the name of its mark, and what the user should write below it.
struct Section {
    heading: &'static str,
    mark: &'static str,
    prompt: &'static str,
}

const SECTIONS: [Section; 9] = [
    Section {
        heading: "Model details",
        mark: "details",
        prompt: "Who made the model, when and how? What is its licence, and who answers questions?",
    },
    Section {
        heading: "Intended use",
        mark: "use",
        prompt: "Which decisions is the model made for, and which not?",
    },
    Section {
        heading: "Factors",
        mark: "factors",
        prompt: "For which groups, regions or instruments may the results differ?",
    },
    Section {
        heading: "Metrics",
        mark: "metrics",
        prompt: "Which metrics matter, why, and which threshold was chosen?",
    },
    Section {
        heading: "Evaluation data",
        mark: "evaluation",
        prompt: "Which data was the model evaluated on, and why that?",
    },
    Section {
        heading: "Training data",
        mark: "training",
        prompt: "Which data was the model trained on, of which time?",
    },
    Section {
        heading: "Quantitative analyses",
        mark: "analyses",
        prompt: "How good is the model, overall and for each group?",
    },
    Section {
        heading: "Ethical considerations",
        mark: "ethics",
        prompt: "Which risks and harms were considered, and what was done about them?",
    },
    Section {
        heading: "Caveats and recommendations",
        mark: "caveats",
        prompt: "What else should a user of the model know?",
    },
];

/// What tallow knows of a model, for its card.
#[derive(Clone, Debug, Default)]
pub struct CardFacts {
    /// The model's name.
    pub name: String,
    /// Lines of the front matter, such as (`license`, `mit`), that a user may have written
    /// otherwise.
    pub front_matter: Vec<(String, String)>,
    /// Lines of the front matter that say which model it is: those of an earlier card are of
    /// another one.
    pub identity: Vec<(String, String)>,
    /// Markdown for sections, by the name of their mark.
    pub sections: Vec<(&'static str, String)>,
}

/// The card of a package; none where it has none that can be read as text.
#[must_use]
pub fn read(package: &Location) -> Option<String> {
    String::from_utf8(storage::read(package.join(CARD_NAME), CARD_BYTES).ok()?).ok()
}

/// A card without its front matter and comments.
#[must_use]
pub fn prose(text: &str) -> String {
    let rest = text.strip_prefix("---\n");
    let body = rest.and_then(|rest| Some(rest.split_once("\n---")?.1));
    let mut is_comment = false;
    let mut prose = String::new();
    for line in body.unwrap_or(text).lines() {
        let trimmed = line.trim();
        let begins = trimmed.starts_with("<!--");
        let ends = trimmed.ends_with("-->");
        is_comment = (is_comment || begins) && !ends;
        if !(is_comment || begins || ends) {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

/// The card: `earlier` with tallow's own parts replaced, or a new one.
#[must_use]
pub fn card(facts: &CardFacts, earlier: Option<&str>) -> String {
    let earlier = earlier.unwrap_or_default().replace("\r\n", "\n");
    let (front, body) = split(&earlier);
    let mut text = front_matter(facts, front);
    let mut body = body.trim_start_matches('\n').to_owned();
    let title = format!("# {}", facts.name.replace(['\n', '\r'], " "));
    if body.trim().is_empty() {
        body = format!("{title}\n");
    } else if let Some(earlier) = earlier_title(front, &body) {
        body = body.replacen(&earlier, &title, 1);
    }
    for section in &SECTIONS {
        let own = facts
            .sections
            .iter()
            .find(|(mark, _)| *mark == section.mark)
            .map(|(_, markdown)| markdown.trim());
        body = with_section(&body, section, own);
    }
    text.push('\n');
    text.push_str(body.trim_end());
    text.push('\n');
    text
}

/// The lines between `---` and `---` at the top, and the rest.
fn split(text: &str) -> (Option<&str>, &str) {
    let inner = text
        .strip_prefix("---\n")
        .and_then(|rest| rest.split_once("\n---\n"));
    match inner {
        Some((front, body)) => (Some(front), body),
        None => (None, text),
    }
}

/// The first line of a card as tallow wrote it: the name that its front matter has.
fn earlier_title(front: Option<&str>, body: &str) -> Option<String> {
    let name = front?
        .lines()
        .find_map(|line| line.strip_prefix(NAME_KEY))?;
    let name = name.trim();
    let name = serde_json::from_str(name).unwrap_or_else(|_| name.to_owned());
    let title = format!("# {name}");
    (body.lines().next() == Some(&title)).then_some(title)
}

/// The user's lines, and those that are missing.
fn front_matter(facts: &CardFacts, earlier: Option<&str>) -> String {
    let earlier = earlier.unwrap_or_default().lines();
    let mut lines: Vec<String> = earlier.map(str::to_owned).collect();
    for (key, value) in &facts.identity {
        let is_own = |line: &&mut String| {
            let own = line.split_once(':');
            own.is_some_and(|(own, _)| own == key)
        };
        if let Some(line) = lines.iter_mut().find(is_own) {
            *line = format!("{key}: {value}");
        }
    }
    for (key, value) in facts.identity.iter().chain(&facts.front_matter) {
        let is_there = lines
            .iter()
            .any(|line| line.split_once(':').is_some_and(|(own, _)| own == key));
        if !is_there {
            lines.push(format!("{key}: {value}"));
        }
    }
    format!("---\n{}\n---\n", lines.join("\n"))
}

fn with_section(body: &str, section: &Section, own: Option<&str>) -> String {
    let (begin, end) = (
        format!("<!-- tallow:{} -->", section.mark),
        format!("<!-- /tallow:{} -->", section.mark),
    );
    let block = own.map(|own| format!("{begin}\n\n{own}\n\n{end}"));
    // Tallow's own part is replaced where it stands.
    if let Some((before, rest)) = body.split_once(&begin)
        && let Some((_, after)) = rest.split_once(&end)
    {
        let empty = format!("{begin}\n{end}");
        return format!("{before}{}{after}", block.as_ref().unwrap_or(&empty));
    }
    let heading = body.lines().find(|line| is_heading(line, section.heading));
    match (heading, block) {
        (Some(_), None) => body.to_owned(),
        (Some(heading), Some(block)) => body.replacen(heading, &format!("{heading}\n\n{block}"), 1),
        (None, block) => {
            let mut text = body.trim_end().to_owned();
            // Writing to a string cannot fail.
            let _ = write!(text, "\n\n## {}\n", section.heading);
            if let Some(block) = block {
                let _ = write!(text, "\n{block}\n");
            }
            let _ = write!(text, "\n<!-- {} -->\n", section.prompt);
            text
        }
    }
}

fn is_heading(line: &str, heading: &str) -> bool {
    let title = line.trim_start_matches('#');
    title.len() < line.len() && title.trim().eq_ignore_ascii_case(heading)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(trees: u32) -> CardFacts {
        CardFacts {
            name: "churn".into(),
            identity: vec![
                ("model_name".into(), "churn".into()),
                ("library_name".into(), "xgboost".into()),
            ],
            front_matter: vec![("tags".into(), "[tallow]".into())],
            sections: vec![("details", format!("| trees | {trees} |"))],
        }
    }

    #[test]
    fn a_new_card_has_front_matter_and_nine_headings() {
        let text = card(&facts(60), None);
        assert!(text.starts_with(
            "---\nmodel_name: churn\nlibrary_name: xgboost\ntags: [tallow]\n---\n\n# churn\n"
        ));
        let headings: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("## "))
            .collect();
        assert_eq!(headings, SECTIONS.map(|section| section.heading));
        assert!(text.contains("<!-- tallow:details -->\n\n| trees | 60 |\n\n<!-- /tallow:details"));
        assert_eq!(card(&facts(60), Some(&text)), text, "written again");
    }

    #[test]
    fn text_of_the_user_is_kept_and_facts_are_replaced() {
        let text = card(&facts(60), None);
        let edited = text
            .replace("tags: [tallow]", "license: mit\ntags: [mine]")
            .replace("# churn\n", "# Churn, a model\n\nWritten by Ann.\n")
            .replace(
                "<!-- Which decisions is the model made for, and which not? -->",
                "Retention offers only.",
            );
        let again = card(&facts(80), Some(&edited.replace('\n', "\r\n")));
        assert!(again.starts_with(
            "---\nmodel_name: churn\nlibrary_name: xgboost\nlicense: mit\ntags: [mine]\n---\n\n\
             # Churn, a model\n\nWritten by Ann.\n"
        ));
        assert!(again.contains("| trees | 80 |") && !again.contains("| trees | 60 |"));
        assert!(again.contains("## Intended use\n\nRetention offers only.\n"));
        assert_eq!(again.matches("## ").count(), 9);
    }

    #[test]
    fn a_card_is_of_the_model_that_is_packed_now() {
        let text = card(&facts(60), None).replace("# churn\n", "# churn\n\nWritten by Ann.\n");
        let mut other = facts(60);
        other.name = "a: b".into();
        other.identity = vec![
            ("model_name".into(), "\"a: b\"".into()),
            ("library_name".into(), "lightgbm".into()),
        ];
        let other = card(&other, Some(&text));
        let head = "---\nmodel_name: \"a: b\"\nlibrary_name: lightgbm\ntags: [tallow]\n---\n\n\
                    # a: b\n\nWritten by Ann.\n";
        assert!(other.starts_with(head), "{other}");
        assert_eq!(card(&facts(60), Some(&other)), text);
    }

    #[test]
    fn a_card_of_another_maker_gets_the_facts_below_its_headings() {
        let other = "Our model.\n\n### Model Details\n\nMade by Ann.\n";
        let text = card(&facts(60), Some(other));
        assert!(
            text.contains("Our model.\n\n### Model Details\n\n<!-- tallow:details -->"),
            "{text}"
        );
        assert!(text.contains("<!-- /tallow:details -->\n\nMade by Ann.\n"));
        assert_eq!(text.matches("\n## ").count(), 8);
    }
}
