//! Support vector machines with libsvm's arithmetic: decisions, votes and coupled probabilities.
//!
//! Sources: `sklearn/svm/_base.py` of 0.24 to 1.9 and `svm.cpp` of libsvm 3.25
//! (`svm_predict_values`, `multiclass_probability`).

use std::sync::Arc;

use super::column::Column;
use super::coupling::{coupled, sigmoid};
use super::engine::Engine;
use super::fitted::{Finished, Fitted};
use super::formula::{Formula, dot, largest, pairwise};
use super::inputs::{Inputs, numbers};
use super::labels::labels;
use super::object::{Matrix, Object};
use super::svm_kernel::{Kernel, Vectors};
use crate::error::Result;
use crate::outcome::{Shown, Task};

/// A machine: its vectors and their coefficients.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    kernel: Kernel,
    vectors: Vectors,
    /// One row for each class but one.
    pub(super) coefficients: Vec<f64>,
    pub(super) intercepts: Vec<f64>,
    /// The vectors of each class.
    counts: Vec<usize>,
}

impl Machine {
    /// Reads the fitted attributes.
    ///
    /// # Errors
    /// A contract error for kernels that are not known; fails for shapes that do not fit.
    pub(super) fn new(object: &Object, count: usize) -> Result<Self> {
        let vectors = Vectors::of(object, count)?;
        let Matrix {
            rows,
            values: coefficients,
            columns,
        } = object.matrix("_dual_coef_")?;
        let intercepts = object.reals("_intercept_")?;
        let counts = ["_n_support", "n_support_"]
            .into_iter()
            .find(|name| object.find(name).is_some())
            .unwrap_or("_n_support");
        let counts: Vec<usize> = object
            .reals(counts)?
            .into_iter()
            .map(|one| one as usize)
            .collect();
        let is_fitting = columns == vectors.len() && rows > 0 && !intercepts.is_empty();
        if !is_fitting {
            return Err(object.refuse("its coefficients do not fit its vectors"));
        }
        Ok(Self {
            kernel: Kernel::of(object)?,
            vectors,
            coefficients,
            intercepts,
            counts,
        })
    }

    fn numbers(&self) -> usize {
        self.vectors.number_count() + self.coefficients.len()
    }

    /// The number of vectors.
    pub(super) fn len(&self) -> usize {
        self.vectors.len()
    }

    /// The kernel's name.
    pub(super) fn kernel_name(&self) -> &'static str {
        self.kernel.name()
    }

    /// The vectors of a class, and their coefficients in a row.
    pub(super) fn coefficients_of(
        &self,
        class: usize,
        row: usize,
    ) -> impl Iterator<Item = (usize, f64)> + '_ {
        let start: usize = self.counts[..class].iter().sum();
        let vectors = start..start + self.counts[class];
        let row = row * self.len();
        vectors.map(move |vector| (vector, self.coefficients[row + vector]))
    }

    /// The kernel of a row and each vector.
    pub(super) fn kernels(&self, values: &[f64]) -> Vec<f64> {
        self.vectors.kernels(self.kernel, values)
    }

    /// The sum over all vectors, plus the intercept.
    fn sum(&self, values: &[f64]) -> f64 {
        dot(&self.kernels(values), &self.coefficients) + self.intercepts[0]
    }

    /// The decision of a machine with one side.
    pub(super) fn decision(self) -> Formula {
        let noted = Arc::new(self);
        let machine = Arc::clone(&noted);
        let formula = Formula::new("svm", 1, machine.numbers(), move |values, output| {
            output[0] = machine.sum(values);
        });
        formula.noting(move |values| noted.note_sum(values))
    }

    /// The decision of each pair of classes, as libsvm numbers them: positive for the first.
    fn pairs(&self, values: &[f64]) -> Vec<f64> {
        let kernels = self.kernels(values);
        let total = kernels.len();
        let mut starts = vec![0];
        for count in &self.counts {
            starts.push(starts[starts.len() - 1] + count);
        }
        let mut decisions = Vec::with_capacity(self.intercepts.len());
        let classes = self.counts.len();
        for one in 0..classes {
            for other in one + 1..classes {
                let part = |class: usize, row: usize| -> f64 {
                    let range = starts[class]..starts[class + 1];
                    let own = &self.coefficients[row * total..(row + 1) * total];
                    dot(&kernels[range.clone()], &own[range])
                };
                let intercept = self.intercepts[decisions.len()];
                decisions.push(part(one, other - 1) + part(other, one) + intercept);
            }
        }
        decisions
    }

    /// Fails if the shapes do not make pairs of so many classes.
    fn check_pairs(&self, object: &Object, classes: usize) -> Result<()> {
        let total = self.len();
        let is_fitting = self.counts.len() == classes
            && self.counts.iter().sum::<usize>() == total
            && self.intercepts.len() == classes * (classes - 1) / 2
            && self.coefficients.len() == (classes - 1) * total;
        if is_fitting {
            return Ok(());
        }
        Err(object.refuse("its vectors do not fit its classes"))
    }
}

/// `SVR` and `NuSVR`.
pub(super) fn regressor(object: &Object, count: usize) -> Result<Fitted> {
    let machine = Machine::new(object, count)?;
    let engine = Engine::Formula(machine.decision());
    Ok(Fitted::plain(engine, Task::Value))
}

/// The machine of a classifier and the number of its classes.
fn of_classes(object: &Object, count: usize) -> Result<(Machine, usize)> {
    let classes = labels(object)?.len();
    if classes < 2 {
        return Err(object.refuse("a classifier of one class is not supported"));
    }
    let machine = Machine::new(object, count)?;
    machine.check_pairs(object, classes)?;
    Ok((machine, classes))
}

/// `decision_function`: one column for two classes, else one a class or one a pair.
pub(super) fn decisions(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    numbers(object, columns, inputs)?;
    let labels = labels(object)?;
    let (machine, classes) = of_classes(object, columns.len())?;
    let (machine, noted) = shared(machine);
    let by_pair = object.text("decision_function_shape") == "ovo" && classes > 2;
    let width = match classes {
        2 => 1,
        _ if by_pair => machine.intercepts.len(),
        _ => classes,
    };
    let formula = Formula::new("svm", width, machine.numbers(), move |values, output| {
        let pairs = machine.pairs(values);
        match classes {
            2 => output[0] = -pairs[0],
            _ if by_pair => output.copy_from_slice(&pairs),
            _ => pairwise(classes, output, |pair| {
                (Some(pairs[pair] < 0.0), -pairs[pair])
            }),
        }
    });
    let formula = formula.noting(move |values| noted.note_pairs(values, &labels));
    Ok(inputs.compute(columns.to_vec(), formula))
}

/// A machine for its formula, and for what explains it.
fn shared(machine: Machine) -> (Arc<Machine>, Arc<Machine>) {
    let machine = Arc::new(machine);
    (Arc::clone(&machine), machine)
}

/// The class that most pairs vote for; of several the first.
fn voted(pairs: &[f64], classes: usize) -> usize {
    let mut votes = vec![0.0; classes];
    let mut pair = 0;
    for one in 0..classes {
        for other in one + 1..classes {
            votes[if pairs[pair] > 0.0 { one } else { other }] += 1.0;
            pair += 1;
        }
    }
    largest(&votes)
}

/// `SVC` and `NuSVC`: the class by votes of pairs, and probabilities where there are any.
pub(super) fn classifier(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Finished> {
    numbers(object, columns, inputs)?;
    let labels = labels(object)?;
    let (machine, classes) = of_classes(object, columns.len())?;
    let attribute = |own: &str, public: &str| {
        let name = if object.find(own).is_some() {
            own
        } else {
            public
        };
        object
            .find(name)
            .map_or(Ok(Vec::new()), |_| object.reals(name))
    };
    let slopes = attribute("_probA", "probA_")?;
    let starts = attribute("_probB", "probB_")?;
    let has_odds = object.flag("probability") || object.flag("_effective_probability");
    let has_odds = has_odds && !slopes.is_empty();
    if has_odds && (slopes.len() != machine.intercepts.len() || starts.len() != slopes.len()) {
        return Err(object.refuse("its probabilities do not fit its pairs of classes"));
    }
    let breaks_ties = object.flag("break_ties") && classes > 2;
    if breaks_ties && object.text("decision_function_shape") == "ovo" {
        return Err(object.refuse("`break_ties` needs the decisions of classes, not of pairs"));
    }
    let width = if has_odds { 1 + classes } else { 1 };
    let (machine, noted) = shared(machine);
    let formula = Formula::new("svm", width, machine.numbers(), move |values, output| {
        let pairs = machine.pairs(values);
        output[0] = if breaks_ties {
            let mut decisions = vec![0.0; classes];
            pairwise(classes, &mut decisions, |pair| {
                (Some(pairs[pair] < 0.0), -pairs[pair])
            });
            largest(&decisions)
        } else {
            voted(&pairs, classes)
        } as f64;
        if has_odds {
            let odds: Vec<f64> = pairs
                .iter()
                .zip(slopes.iter().zip(&starts))
                .map(|(decision, (slope, start))| sigmoid(*decision, *slope, *start))
                .collect();
            output[1..].copy_from_slice(&coupled(&odds, classes));
        }
    });
    let names = labels.clone();
    let formula = formula.noting(move |values| noted.note_pairs(values, &names));
    let made = inputs.compute(columns.to_vec(), formula);
    let mut shown = Vec::new();
    let predicted = Shown::label("prediction", labels.clone());
    if !has_odds {
        return Ok((made, Fitted::columns(Task::Listed(vec![predicted]))));
    }
    if classes == 2 {
        shown.extend([Shown::number("probability"), predicted]);
        let made = vec![made[2].clone(), made[0].clone()];
        return Ok((made, Fitted::columns(Task::Listed(shown))));
    }
    shown.push(predicted);
    let names = labels.iter().map(|label| format!("probability_{label}"));
    shown.extend(names.map(Shown::number));
    Ok((made, Fitted::columns(Task::Listed(shown))))
}
