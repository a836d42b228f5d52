//! The fact: one measured thing about a run.

use std::borrow::Cow;

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number; counts are exact to 2^53.
    Number(f64),
    /// A text, such as a digest or a version.
    Text(String),
}

/// One measured thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// The report's section: run, ledger, coercions, model, performance, scores.
    pub section: Cow<'static, str>,
    /// What it is about: a file, a column, a stage; empty for the run as a whole.
    pub subject: String,
    /// What was measured.
    pub metric: String,
    /// The measured value.
    pub value: Value,
    /// The unit: rows, seconds, bytes, …; empty for none.
    pub unit: Cow<'static, str>,
}

impl Fact {
    /// A number with its unit.
    #[must_use]
    pub fn number(
        section: &'static str,
        subject: impl Into<String>,
        metric: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) -> Self {
        Self {
            section: section.into(),
            subject: subject.into(),
            metric: metric.into(),
            // A sum of nothing is -0; a fact is 0.
            value: Value::Number(value + 0.0),
            unit: unit.into(),
        }
    }

    /// A count of things.
    #[must_use]
    pub fn count(
        section: &'static str,
        subject: impl Into<String>,
        metric: impl Into<String>,
        value: u64,
        unit: &'static str,
    ) -> Self {
        Self::number(section, subject, metric, value as f64, unit)
    }

    /// A text.
    #[must_use]
    pub fn text(
        section: &'static str,
        subject: impl Into<String>,
        metric: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        Self {
            section: section.into(),
            subject: subject.into(),
            metric: metric.into(),
            value: Value::Text(value.into()),
            unit: "".into(),
        }
    }

    /// The value, if it is a number.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        if let Value::Number(number) = self.value {
            Some(number)
        } else {
            None
        }
    }

    /// The value, if it is a text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value {
            Some(text)
        } else {
            None
        }
    }

    /// How the run ended, if that is what the fact says.
    #[must_use]
    pub fn as_status(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) if (&*self.section, self.metric.as_str()) == ("run", "status") => {
                Some(text)
            }
            _ => None,
        }
    }
}

/// A fact about `subject`, which is empty for the run as a whole.
#[must_use]
pub fn find<'a>(facts: &'a [Fact], section: &str, subject: &str, metric: &str) -> Option<&'a Fact> {
    facts
        .iter()
        .find(|fact| fact.section == section && fact.subject == subject && fact.metric == metric)
}

/// A text about the run as a whole.
#[must_use]
pub fn text<'a>(facts: &'a [Fact], section: &str, metric: &str) -> Option<&'a str> {
    match &find(facts, section, "", metric)?.value {
        Value::Text(text) => Some(text),
        Value::Number(_) => None,
    }
}

/// A number about `subject`, which is empty for the run as a whole.
#[must_use]
pub fn number(facts: &[Fact], section: &str, subject: &str, metric: &str) -> Option<f64> {
    find(facts, section, subject, metric)?.as_number()
}

/// The facts of a section.
pub fn of_section<'a>(facts: &'a [Fact], section: &'a str) -> impl Iterator<Item = &'a Fact> {
    facts.iter().filter(move |fact| fact.section == section)
}
