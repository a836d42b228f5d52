//! What an estimator of the scikit-learn interface left in an XGBoost file: the attribute
//! `scikit_learn`, JSON in JSON.
//!
//! Owns the attribute: since 1.6 it holds the estimator's kind, before that all of its parameters,
//! among them the labels of its classes and the value that stood for a missing one. It must not
//! know trees or columns. Source: `XGBModel.save_model` of 1.0 to 3.2.

use crate::contract::Contract;
use crate::format::wire::json;
use crate::format::wire::value::{Object, Value};
use crate::model::Description;
use crate::outcome::{Label, Outcome, Task};

/// The attribute's name.
pub(super) const ATTRIBUTE: &str = "scikit_learn";

/// What the attribute says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Estimator {
    /// The labels of the classes, in the order of their codes; empty if it does not say.
    pub classes: Vec<Label>,
    /// The number that stood for a missing value in training; none for NaN.
    pub missing: Option<f32>,
}

impl Estimator {
    /// Reads the attribute's text; what is not in it, or of another form, it does not say.
    pub(super) fn parse(text: &str) -> Self {
        let Ok(Value::Object(mut meta)) = json::read(text.as_bytes(), &[]) else {
            return Self::default();
        };
        let classes = if meta.has("classes_") {
            classes(&mut meta)
        } else {
            None
        };
        let missing = match meta.take("missing") {
            Some(Value::Integer(value)) => Some(value as f32),
            Some(Value::Float(value)) if !value.is_nan() => Some(value),
            _ => None,
        };
        Self {
            classes: classes.unwrap_or_default(),
            missing,
        }
    }

    /// Names the classes as the estimator's `predict` did.
    pub(super) fn name_classes(&self, outcome: &mut Outcome) {
        match (&mut outcome.task, self.classes.as_slice()) {
            (Task::Binary { labels, .. }, [negative, positive]) => {
                *labels = [negative.clone(), positive.clone()];
            }
            (Task::Classes { labels, .. }, classes) if labels.len() == classes.len() => {
                classes.clone_into(labels);
            }
            _ => {}
        }
    }
}

impl Estimator {
    /// Lets the number that stood for a missing value in training stand for one again.
    pub(super) fn mark_missing(&self, contract: &mut Contract, description: &mut Description) {
        let Some(missing) = self.missing else { return };
        contract
            .inputs
            .iter_mut()
            .for_each(|input| input.missing.push(missing.to_string()));
        description
            .facts
            .push(("missing_value".to_owned(), missing.to_string()));
    }
}

/// Labels are texts, numbers or booleans; all texts if any is one.
fn classes(meta: &mut Object) -> Option<Vec<Label>> {
    let label = |value| match value {
        Value::Text(text) => Some(Label::Text(text)),
        Value::Integer(value) => Some(Label::Integer(value)),
        Value::Float(value) if value.fract() == 0.0 => Some(Label::Integer(value as i64)),
        Value::Boolean(true) => Some(Label::Text("True".to_owned())),
        Value::Boolean(false) => Some(Label::Text("False".to_owned())),
        _ => None,
    };
    let labels: Vec<Label> = meta
        .list("classes_")
        .ok()?
        .into_iter()
        .map(label)
        .collect::<Option<_>>()?;
    let texts = labels
        .iter()
        .filter(|label| matches!(label, Label::Text(_)))
        .count();
    (texts == 0 || texts == labels.len()).then_some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{ABOVE_HALF, Link};

    /// The first is what xgboost 1.0.2 wrote, shortened; the second what 3.2 writes.
    #[test]
    fn old_estimators_report_their_labels_and_their_missing_value() {
        let text = r#"{"n_estimators": 30, "max_depth": null, "missing": -999, "kwargs": {}, "classes_": ["no", "yes"], "n_classes_": 2}"#;
        let old = Estimator::parse(text);
        assert_eq!(old.missing, Some(-999.0));
        let numbers = [Label::Integer(0), Label::Integer(1)];
        let mut outcome = Outcome {
            task: Task::Binary {
                labels: numbers,
                threshold: ABOVE_HALF,
            },
            link: Link::Logistic { slope: 1.0 },
        };
        old.name_classes(&mut outcome);
        let named = [Label::Text("no".into()), Label::Text("yes".into())];
        assert!(matches!(&outcome.task, Task::Binary { labels, .. } if *labels == named));
        assert_eq!(
            Estimator::parse(r#"{"_estimator_type": "classifier"}"#),
            Estimator::default()
        );
        assert_eq!(
            Estimator::parse(r#"{"missing": NaN, "classes_": [0, "a"]}"#),
            Estimator::default()
        );
        assert_eq!(
            Estimator::parse(r#"{"classes_": [1.0, 3.0]}"#).classes,
            [Label::Integer(1), Label::Integer(3)]
        );
        assert_eq!(Estimator::parse("not JSON"), Estimator::default());
    }
}
