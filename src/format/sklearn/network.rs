//! Multi-layer perceptrons.
//!
//! Source: `sklearn/neural_network/_multilayer_perceptron.py` of 0.24 to 1.9.

use std::sync::Arc;

use super::engine::Engine;
use super::fitted::{Fitted, same_count};
use super::formula::{Formula, logistic, softmax};
use super::labels::{labels, task_of};
use super::object::{Object, reals};
use crate::error::Result;
use crate::model::trace;
use crate::outcome::{Shown, Task};

/// A layer: one row of weights an input.
struct Layer {
    inputs: usize,
    outputs: usize,
    weights: Vec<f64>,
    intercepts: Vec<f64>,
}

impl Layer {
    fn run(&self, values: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.outputs];
        for (value, row) in values.iter().zip(self.weights.chunks_exact(self.outputs)) {
            for (sum, weight) in sums.iter_mut().zip(row) {
                *sum += value * weight;
            }
        }
        sums.iter_mut()
            .zip(&self.intercepts)
            .for_each(|(sum, intercept)| *sum += intercept);
        sums
    }
}

fn layers(object: &Object, count: usize) -> Result<Vec<Layer>> {
    let unfit = || object.refuse("its layers do not fit each other");
    let (coefficients, intercepts) = (object.list("coefs_")?, object.list("intercepts_")?);
    let mut inputs = count;
    let mut layers = Vec::new();
    for (weights, starts) in coefficients.iter().zip(intercepts) {
        let weights = reals(object.arena, *weights).ok_or_else(unfit)?;
        let intercepts = reals(object.arena, *starts).ok_or_else(unfit)?;
        let outputs = intercepts.len();
        if outputs == 0 || inputs.checked_mul(outputs) != Some(weights.len()) {
            return Err(unfit());
        }
        layers.push(Layer {
            inputs,
            outputs,
            weights,
            intercepts,
        });
        inputs = outputs;
    }
    if layers.is_empty() || coefficients.len() != intercepts.len() {
        return Err(unfit());
    }
    same_count(object, layers[0].inputs, count)?;
    Ok(layers)
}

fn activation(object: &Object, name: &str) -> Result<fn(f64) -> f64> {
    Ok(match name {
        "identity" => |value| value,
        "logistic" => logistic,
        "tanh" => f64::tanh,
        "relu" => |value: f64| value.max(0.0),
        other => {
            return Err(object.refuse(&format!("the activation `{other}` is not known")));
        }
    })
}

/// All layers.
struct Network {
    layers: Vec<Layer>,
    inner: fn(f64) -> f64,
    outer: fn(f64) -> f64,
    is_softmax: bool,
    /// What the activations of the inner layers and of the last are called.
    names: [String; 2],
}

impl Network {
    fn new(object: &Object, count: usize) -> Result<Self> {
        object.need("out_activation_")?;
        let names = ["activation", "out_activation_"].map(|name| object.text(name).to_owned());
        let is_softmax = names[1] == "softmax";
        let outer = if is_softmax {
            f64::abs
        } else {
            activation(object, &names[1])?
        };
        Ok(Self {
            layers: layers(object, count)?,
            inner: activation(object, &names[0])?,
            outer,
            is_softmax,
            names,
        })
    }

    /// What each layer makes of a row; `each` is called with the layer's number.
    fn run(&self, values: &[f64], mut each: impl FnMut(usize, &[f64])) -> Vec<f64> {
        let mut values = values.to_vec();
        for (index, layer) in self.layers.iter().enumerate() {
            values = layer.run(&values);
            let is_last = index + 1 == self.layers.len();
            if is_last && self.is_softmax {
                softmax(&mut values);
            } else {
                let function = if is_last { self.outer } else { self.inner };
                values
                    .iter_mut()
                    .for_each(|value| *value = function(*value));
            }
            each(index, &values);
        }
        values
    }

    /// What each layer makes of a row, for explanations.
    fn notes(&self, values: &[f64]) -> Vec<trace::Step> {
        let mut steps = Vec::new();
        self.run(values, |index, made| {
            let layer = &self.layers[index];
            let activation = &self.names[usize::from(index + 1 == self.layers.len())];
            let output = |(index, value): (usize, &f64)| trace::Value {
                name: format!("[{index}]"),
                value: value.to_string(),
            };
            steps.push(trace::Step {
                name: format!("layer {}", index + 1),
                operation: format!("dense {} → {}, {activation}", layer.inputs, layer.outputs),
                outputs: made.iter().enumerate().map(output).collect(),
                ..trace::Step::default()
            });
        });
        steps
    }
}

/// `MLPClassifier` and `MLPRegressor`.
pub(super) fn fitted(object: &Object, count: usize) -> Result<Fitted> {
    let network = Arc::new(Network::new(object, count)?);
    let layers = &network.layers;
    let width = layers.last().map_or(1, |layer| layer.outputs);
    let numbers = layers.iter().map(|layer| layer.weights.len()).sum();
    let task = task(object, width, network.is_softmax)?;
    let is_listed = matches!(task, Task::Listed(_));
    let outputs = if is_listed { 2 * width } else { width };
    let noted = Arc::clone(&network);
    let formula = Formula::new("network", outputs, numbers, move |values, output| {
        let values = network.run(values, |_, _| ());
        if is_listed {
            for (to, value) in output.iter_mut().zip(&values) {
                *to = f64::from(u8::from(*value > 0.5));
            }
            output[width..].copy_from_slice(&values);
        } else {
            output.copy_from_slice(&values);
        }
    });
    let formula = formula.noting(move |values| noted.notes(values));
    Ok(Fitted::plain(Engine::Formula(formula), task))
}

fn task(object: &Object, width: usize, is_softmax: bool) -> Result<Task> {
    if object.class().1 == "MLPRegressor" {
        return Ok(match width {
            1 => Task::Value,
            _ => Task::Values((0..width).map(|output| output.to_string()).collect()),
        });
    }
    let labels = labels(object)?;
    match (labels.len(), width) {
        (2, 1) => Ok(task_of(labels)),
        (classes, width) if classes == width && is_softmax => Ok(Task::Classes {
            labels,
            probabilities: true,
        }),
        (classes, width) if classes == width => {
            let flags = vec![
                crate::outcome::Label::Integer(0),
                crate::outcome::Label::Integer(1),
            ];
            let named = |start: &str| -> Vec<String> {
                labels
                    .iter()
                    .map(|label| format!("{start}_{label}"))
                    .collect()
            };
            let predicted = named("prediction")
                .into_iter()
                .map(|name| Shown::label(name, flags.clone()));
            let odds = named("probability").into_iter().map(Shown::number);
            Ok(Task::Listed(predicted.chain(odds).collect()))
        }
        _ => Err(object.refuse("its outputs do not fit its classes")),
    }
}
