//! What an estimator in an estimator answers: probabilities, decisions, classes or values, as
//! columns that the outer one reads.
//!
//! Owns the way from an estimator's engine and link to these columns. It must not know what the
//! outer estimator does with them.

use super::column::{Column, Step};
use super::engine::Engine;
use super::fitted::Fitted;
use super::formula::Formula;
use super::inputs::Inputs;
use super::labels::values_of;
use super::object::Object;
use crate::error::Result;
use crate::feature::Precision;
use crate::outcome::{Label, Link, Shown, Task};

/// An estimator's margins as columns, and what they mean.
pub(super) struct Answer {
    margins: Vec<Column>,
    pub(super) task: Task,
    link: Link,
    /// Whether its library computes links in single precision, as XGBoost does.
    is_single: bool,
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
    let is_single =
        matches!(&engine, Engine::Foreign(model) if model.precision() == Precision::Single);
    let margins = inputs.push_reading(columns, engine, !takes_missing);
    inputs.check_bytes(object)?;
    Ok(Answer {
        margins,
        task,
        link,
        is_single,
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
            Task::Binary { .. } => Some(self.both(inputs)),
            Task::Classes { labels, .. } if self.is_side(labels) => Some(self.both(inputs)),
            Task::Classes {
                probabilities: true,
                ..
            }
            | Task::Flags(_) => Some(self.scores(inputs)),
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
            Task::Classes { labels, .. } if self.is_side(labels) => {
                let scores = self.scores(inputs).into_iter();
                scores.map(|score| score.then([Step::Above(0.5)])).collect()
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
            Task::Flags(_) => {
                let odds = self.scores(inputs).into_iter();
                odds.map(|odds| odds.then([Step::Above(0.5)])).collect()
            }
            _ => self.scores(inputs),
        }
    }

    /// The same of each of several outputs, too.
    pub(super) fn all_predictions(&self, inputs: &mut Inputs) -> Vec<Column> {
        match &self.task {
            Task::Listed(shown) => {
                let own = shown.iter().zip(&self.margins);
                let own = own.filter(|(one, _)| one.labels.is_some());
                own.map(|(_, margin)| margin.clone()).collect()
            }
            _ => self.predictions(inputs),
        }
    }

    /// The values that are predicted: classes themselves, not their indices. None for classes that
    /// are no numbers.
    pub(super) fn predicted_values(&self, inputs: &mut Inputs) -> Option<Vec<Column>> {
        let labels: Vec<Vec<Label>> = match &self.task {
            Task::Listed(shown) => shown.iter().filter_map(|one| one.labels.clone()).collect(),
            _ => self.labels().into_iter().collect(),
        };
        let predicted = self.all_predictions(inputs);
        if labels.is_empty() {
            return Some(predicted);
        }
        let value = |(column, labels): (Column, &Vec<Label>)| {
            let values = values_of(labels)?;
            Some(column.then([Step::Table(values.into(), f64::NAN)]))
        };
        predicted.into_iter().zip(&labels).map(value).collect()
    }

    /// Of several outputs the probability of the second class of each; none for an output of one
    /// class, and none at all where there are no probabilities.
    pub(super) fn odds_of_outputs(&self, inputs: &mut Inputs) -> Option<Vec<Option<Column>>> {
        let shown = match &self.task {
            Task::Flags(_) => return Some(self.scores(inputs).into_iter().map(Some).collect()),
            Task::Listed(shown) => shown,
            _ => return None,
        };
        // The columns of an output of one class follow its label.
        let (mut sizes, mut odds, mut is_alone) = (Vec::new(), Vec::new(), false);
        for (one, margin) in shown.iter().zip(&self.margins) {
            match &one.labels {
                Some(labels) => {
                    is_alone = labels.len() == 1;
                    sizes.push(labels.len());
                }
                None if !is_alone => odds.push(margin.clone()),
                None => {}
            }
        }
        let expected = sizes.iter().filter(|size| **size != 1).count();
        if odds.len() != expected {
            return None;
        }
        let mut odds = odds.into_iter();
        let of_output = |size| if size == 1 { None } else { odds.next() };
        Some(sizes.into_iter().map(of_output).collect())
    }

    /// The margins after the link, in the precision in which the library computes it.
    fn scores(&self, inputs: &mut Inputs) -> Vec<Column> {
        let link = self.link;
        match (link, self.is_single) {
            (Link::Identity, _) => self.margins.clone(),
            (Link::Softmax | Link::MeanAndVariance, _) => {
                let formula = Formula::linked(link, self.margins.len());
                let linked = inputs.push(self.margins.clone(), Engine::Formula(formula));
                let rounded = linked.into_iter();
                rounded.map(|one| one.then(self.rounding())).collect()
            }
            (_, true) => self.each(move |margin| {
                let mut row = [margin as f32];
                link.apply_single(&mut row);
                f64::from(row[0])
            }),
            (_, false) => self.each(move |margin| {
                let mut row = [margin];
                link.apply_double(&mut row);
                row[0]
            }),
        }
    }

    /// A function of each margin alone.
    fn each(&self, function: impl Fn(f64) -> f64 + Clone + Send + Sync + 'static) -> Vec<Column> {
        let step = |margin: &Column| margin.clone().then([Step::mapping(function.clone())]);
        self.margins.iter().map(step).collect()
    }

    /// Rounds to single precision where the library computes in it.
    fn rounding(&self) -> Option<Step> {
        let single = Step::Function(|value| f64::from(value as f32));
        self.is_single.then_some(single)
    }

    /// The probabilities of two classes, of which the score is that of the second.
    fn both(&self, inputs: &mut Inputs) -> Vec<Column> {
        let positive = self.scores(inputs).swap_remove(0);
        let negative = positive
            .clone()
            .then([Step::Multiply(-1.0), Step::Add(1.0)])
            .then(self.rounding());
        vec![negative, positive]
    }

    /// Whether one score decides between two classes that it is no probability of: the second
    /// above 0.5. XGBoost's classifiers call it a probability nevertheless.
    fn is_side(&self, labels: &[Label]) -> bool {
        labels.len() == 2 && self.margins.len() == 1
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
