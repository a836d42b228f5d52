//! Gates: conditions on the facts of a report.
//!
//! Owns their language, `METRIC[(SUBJECT)] OPERATOR NUMBER`, and when one holds. It must not know
//! where facts come from, or what happens when a gate trips.

use std::fmt;

use crate::error::{Error, Result};

/// What a gate compares with: (subject, metric, value) of a fact.
pub type Measured<'a> = (&'a str, &'a str, f64);

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Less,
    AtMost,
    Greater,
    AtLeast,
    Equal,
    Unequal,
}

/// Spellings, those first that begin with another.
const OPERATORS: [(&str, Operator); 6] = [
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

/// A condition on facts, such as `roc_auc >= 0.75` or `js(age) < 0.1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    text: String,
    metric: String,
    /// The subject; empty for the whole, `*` for every subject.
    subject: String,
    operator: Operator,
    limit: f64,
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Gate {
    /// Reads a gate.
    ///
    /// # Errors
    /// A usage error for another text.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let wrong = || {
            Error::usage(format!("`{text}` is not a gate"))
                .hint("write `METRIC >= NUMBER` or `METRIC(SUBJECT) < NUMBER`: `roc_auc >= 0.75`")
        };
        let found = OPERATORS.iter().find_map(|(spelling, operator)| {
            let (left, right) = text.rsplit_once(spelling)?;
            // `<` is also the beginning of `<=`, whose number does not begin with `=`.
            Some((left.trim(), *operator, right.trim().parse::<f64>().ok()?))
        });
        let (left, operator, limit) = found.ok_or_else(wrong)?;
        let (metric, subject) = match left.strip_suffix(')') {
            Some(call) => call.split_once('(').ok_or_else(wrong)?,
            None => (left, ""),
        };
        // `quantile_0.5` has a point.
        let is_metric = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
        let metric = metric.trim();
        if !metric.starts_with(|letter: char| letter.is_ascii_alphabetic())
            || !metric.bytes().all(is_metric)
            || !limit.is_finite()
        {
            return Err(wrong());
        }
        Ok(Self {
            text: text.to_owned(),
            metric: metric.to_owned(),
            subject: subject.trim().to_owned(),
            operator,
            limit,
        })
    }

    /// Checks that `*` is not a part of the subject: it stands for every subject, not for a value.
    ///
    /// # Errors
    /// A usage error that names the form that is meant.
    pub fn check_star(&self) -> Result<()> {
        let parts = self.subject.split(',');
        let mut values = parts.filter_map(|part| part.trim().split_once('='));
        let Some((column, _)) = values.find(|(_, value)| value.trim() == "*") else {
            return Ok(());
        };
        let Self { metric, limit, .. } = self;
        let (operator, column) = (self.operator(), column.trim());
        let message = format!("the gate `{self}` has `*` for a value, which stands alone");
        Err(Error::usage(message).hint(format!(
            "write `{metric}(*) {operator} {limit}` for every segment, or name one: \
             `{metric}({column}=VALUE) {operator} {limit}`"
        )))
    }

    /// What is compared.
    #[must_use]
    pub fn metric(&self) -> &str {
        &self.metric
    }

    /// Whose value is compared: empty for the whole, `*` for every subject.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What the value is compared with.
    #[must_use]
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// How it is compared.
    #[must_use]
    pub fn operator(&self) -> &'static str {
        let found = OPERATORS.iter().find(|(_, one)| *one == self.operator);
        found.map_or("", |(spelling, _)| spelling)
    }

    /// Whether the gate is about this fact.
    #[must_use]
    pub fn is_about(&self, subject: &str, metric: &str) -> bool {
        metric == self.metric
            && match self.subject.as_str() {
                "*" => !subject.is_empty(),
                own => own == subject,
            }
    }

    /// Whether every value between the two is allowed, or none is; none if some are.
    #[must_use]
    pub fn allows(&self, low: f64, high: f64) -> Option<bool> {
        let ends = [self.holds(low), self.holds(high)];
        let is_point = matches!(self.operator, Operator::Equal | Operator::Unequal);
        if is_point && low < self.limit && self.limit < high {
            return None;
        }
        (ends[0] == ends[1]).then_some(ends[0])
    }

    /// How far a value is on the wrong side of the limit; negative on the right one.
    #[must_use]
    pub fn excess(&self, value: f64) -> f64 {
        match self.operator {
            _ if value.is_nan() => f64::INFINITY,
            Operator::Less | Operator::AtMost => value - self.limit,
            Operator::Greater | Operator::AtLeast => self.limit - value,
            Operator::Equal => (value - self.limit).abs(),
            Operator::Unequal => -(value - self.limit).abs(),
        }
    }

    #[expect(clippy::float_cmp, reason = "the user asks for equality")]
    fn holds(&self, value: f64) -> bool {
        match self.operator {
            Operator::Less => value < self.limit,
            Operator::AtMost => value <= self.limit,
            Operator::Greater => value > self.limit,
            Operator::AtLeast => value >= self.limit,
            Operator::Equal => value == self.limit,
            Operator::Unequal => !value.is_nan() && value != self.limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_names_facts_and_compares_values() {
        for (text, subject, metric, value, holds) in [
            ("roc_auc >= 0.8", "", "roc_auc", 0.8, true),
            ("roc_auc>0.79", "", "roc_auc", 0.8, true),
            ("roc_auc > 0.8", "", "roc_auc", 0.8, false),
            ("roc_auc == 8e-1", "", "roc_auc", 0.8, true),
            ("roc_auc != 0.8", "", "roc_auc", 0.8, false),
            (
                "roc_auc(region=south) > 0.8",
                "region=south",
                "roc_auc",
                0.9,
                true,
            ),
            ("roc_auc(*) >= 0.7", "region=north", "roc_auc", 0.7, true),
            ("roc_auc(*) > 0.8", "region=north", "roc_auc", 0.7, false),
            ("js(a (b)) < 0.1", "a (b)", "js", 0.05, true),
            ("quantile_0.5(p) < 0.9", "p", "quantile_0.5", 0.4, true),
            ("shift >= -1.5", "", "shift", -1.5, true),
            ("mcc > 0", "", "mcc", f64::NAN, false),
            ("mcc < 1", "", "mcc", f64::NAN, false),
            ("mcc != 0", "", "mcc", f64::NAN, false),
            ("mcc == 0", "", "mcc", f64::NAN, false),
        ] {
            let gate = Gate::parse(text).unwrap();
            assert!(gate.is_about(subject, metric), "{text}");
            assert_eq!(gate.allows(value, value), Some(holds), "{text}");
        }
        for (text, subject, metric) in [
            ("auc > 1", "", "roc_auc"),
            ("roc_auc(west) > 1", "", "roc_auc"),
            ("roc_auc(west) > 1", "east", "roc_auc"),
            ("shift(*) > 1", "", "shift"),
        ] {
            assert!(
                !Gate::parse(text).unwrap().is_about(subject, metric),
                "{text}"
            );
        }
    }

    #[test]
    fn a_star_stands_alone() {
        for text in ["roc_auc(region=*) >= 0.6", "f1(plan=pro, region = *) > 0.5"] {
            let error = Gate::parse(text).unwrap().check_star().unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
            let metric = text.split_once('(').unwrap().0;
            let hint = error.hint_text().unwrap();
            assert!(hint.starts_with(&format!("write `{metric}(*) >")), "{hint}");
            assert!(
                hint.contains(&format!("`{metric}(region=VALUE) >")),
                "{hint}"
            );
        }
        for text in [
            "roc_auc(*) >= 0.6",
            "js(a*b) < 1",
            "f1(region=n*) > 0.5",
            "f1 > 0",
        ] {
            assert!(Gate::parse(text).unwrap().check_star().is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_gate_is_a_usage_error() {
        for text in [
            "",
            "roc_auc",
            "roc_auc >=",
            ">= 1",
            "roc auc > 1",
            "0.5 > 1",
            "roc_auc => 1",
            "roc_auc = 1",
            "roc_auc > nan",
            "roc_auc > inf",
            "roc_auc) > 1",
            "roc_auc > 1 2",
        ] {
            assert!(Gate::parse(text).is_err(), "{text}");
        }
    }
}
