//! What an estimator in an estimator answers: probabilities, decisions, classes or values, as
//! columns that the outer one reads.
//!
//! Owns the way from an estimator's engine and link to these columns. It must not know what the
//! outer estimator does with them.

use super::column::{Column, Step};
use super::engine::Engine;
use super::fitted::Fitted;
use super::formula::{Formula, logistic};
use super::inputs::Inputs;
use super::object::Object;
use crate::error::Result;
use crate::outcome::{Label, Link, Shown, Task};

/// An estimator's margins as columns, and what they mean.
pub(super) struct Answer {
    margins: Vec<Column>,
    pub(super) task: Task,
    link: Link,
}

/// Computes the margins of an estimator.
///
/// # Errors
/// Those of its translation.
pub(super) fn answer(object: &Object, columns: &[Column], inputs: &mut Inputs) -> Result<Answer> {
    let (columns, fitted) = inputs.finish(object, columns.to_vec())?;
    let Fitted {
        engine,
        task,
        link,
        takes_missing,
    } = fitted;
    if !takes_missing {
        inputs.reject_missing(&columns);
    }
    let margins = inputs.push_reading(columns, engine, !takes_missing);
    inputs.check_bytes(object)?;
    Ok(Answer {
        margins,
        task,
        link,
    })
}

impl Answer {
    /// The labels of the classes; none for a regression.
    pub(super) fn labels(&self) -> Option<Vec<Label>> {
        match &self.task {
            Task::Binary { labels, .. } => Some(labels.to_vec()),
            Task::Classes { labels, .. } => Some(labels.clone()),
            Task::Listed(shown) => shown.iter().find_map(|one| one.labels.clone()),
            _ => None,
        }
    }

    /// Whether its margins are decisions before a link.
    fn has_decisions(&self) -> bool {
        match &self.task {
            Task::Binary { .. } => self.link != Link::Identity,
            Task::Classes { probabilities, .. } => !probabilities || self.link != Link::Identity,
            _ => false,
        }
    }

    /// The probabilities, one column a class; none if it has none.
    pub(super) fn probabilities(&self, inputs: &mut Inputs) -> Option<Vec<Column>> {
        match &self.task {
            Task::Binary { .. } => {
                let positive = self.margins[0].clone();
                let positive = match self.link {
                    Link::Logistic { slope } => {
                        let slope = (slope != 1.0).then_some(Step::Multiply(slope));
                        positive.then(slope).then([Step::Function(logistic)])
                    }
                    _ => positive,
                };
                let negative = positive
                    .clone()
                    .then([Step::Multiply(-1.0), Step::Add(1.0)]);
                Some(vec![negative, positive])
            }
            Task::Classes {
                probabilities: true,
                ..
            } => Some(match self.link {
                Link::Softmax => {
                    let width = self.margins.len();
                    inputs.push(
                        self.margins.clone(),
                        Engine::Formula(Formula::softmax(width)),
                    )
                }
                Link::Logistic { slope } => self
                    .margins
                    .iter()
                    .map(|margin| {
                        let steps = [Step::Multiply(slope), Step::Function(logistic)];
                        margin.clone().then(steps)
                    })
                    .collect(),
                _ => self.margins.clone(),
            }),
            Task::Listed(shown) => of_listed(shown, &self.margins),
            _ => None,
        }
    }

    /// The index of the class that is predicted, or the values of a regression.
    pub(super) fn predictions(&self, inputs: &mut Inputs) -> Vec<Column> {
        match &self.task {
            Task::Binary { threshold, .. } => {
                let positive = self.probabilities(inputs).and_then(|mut all| all.pop());
                let step = Step::AtLeast(*threshold);
                positive
                    .into_iter()
                    .map(|one| one.then([step.clone()]))
                    .collect()
            }
            Task::Classes { .. } => {
                inputs.push(self.margins.clone(), Engine::Formula(Formula::largest()))
            }
            Task::Listed(shown) => {
                let found = shown.iter().position(|one| one.labels.is_some());
                found
                    .map(|index| self.margins[index].clone())
                    .into_iter()
                    .collect()
            }
            _ if self.link == Link::Exponential => self
                .margins
                .iter()
                .map(|margin| margin.clone().then([Step::Function(f64::exp)]))
                .collect(),
            _ => self.margins.clone(),
        }
    }

    /// Decisions where there are any: one column for two classes, else one a class.
    pub(super) fn decisions(&self) -> Option<Vec<Column>> {
        if !self.has_decisions() {
            return None;
        }
        Some(match (&self.task, self.margins.len()) {
            (Task::Classes { labels, .. }, 2) if labels.len() == 2 => {
                vec![self.margins[1].clone()]
            }
            _ => self.margins.clone(),
        })
    }
}

/// The probabilities of a member, one column a class of the outer estimator, whose classes are
/// numbered from 0 for the member.
pub(super) fn probabilities(
    member: &Object,
    answer: &Answer,
    class_count: usize,
    inputs: &mut Inputs,
) -> Result<Option<Vec<Column>>> {
    let Some(columns) = answer.probabilities(inputs) else {
        return Ok(None);
    };
    if columns.len() == class_count {
        return Ok(Some(columns));
    }
    // It saw some of the classes only.
    let labels = answer.labels().unwrap_or_default();
    let at = |label: &Label| match label {
        Label::Integer(class) => usize::try_from(*class)
            .ok()
            .filter(|class| *class < class_count),
        Label::Text(_) => None,
    };
    let classes: Option<Vec<usize>> = labels.iter().map(at).collect();
    let classes = classes
        .filter(|classes| classes.len() == columns.len())
        .ok_or_else(|| member.refuse("its classes are not those of the estimator around it"))?;
    let formula = Formula::new("pipeline", class_count, 0, move |values, output| {
        for (class, value) in classes.iter().zip(values) {
            output[*class] = *value;
        }
    });
    Ok(Some(inputs.push(columns, Engine::Formula(formula))))
}

/// The probabilities among listed columns.
fn of_listed(shown: &[Shown], margins: &[Column]) -> Option<Vec<Column>> {
    let with = |test: &dyn Fn(&str) -> bool| -> Vec<Column> {
        let chosen = shown.iter().zip(margins).filter(|(one, _)| test(&one.name));
        chosen.map(|(_, margin)| margin.clone()).collect()
    };
    let mut positive = with(&|name| name == "probability");
    if let Some(positive) = positive.pop() {
        let negative = positive
            .clone()
            .then([Step::Multiply(-1.0), Step::Add(1.0)]);
        return Some(vec![negative, positive]);
    }
    let all = with(&|name| name.starts_with("probability_"));
    (!all.is_empty()).then_some(all)
}
