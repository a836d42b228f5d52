//! How much of a change between two outputs is the data's, and how much the model's: each run's
//! inputs are scored by the model of the other.
//!
//! Owns the four means and how a change is divided: by Shapley's value of two factors, each factor
//! gets the mean of what it changes before and after the other one. Nothing is written. Which runs
//! they were, their records say.

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};

use super::caller::Caller;
use super::named_model;
use super::record::{Recorded, recorded};
use super::replay::{check_inputs, recorded_request};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::pipeline::observer::Partials;
use crate::pipeline::part::PartAccount;
use crate::pipeline::scoring::Rejection;
use crate::pipeline::{self, Control, Input, Outcomes, Receiver};
use crate::plan::{Plan, keys};
use crate::report::attribution::Attribution;
use crate::request::challenger::Challengers;
use crate::request::keys::Keys;
use crate::request::work::{Binding, Prediction, Resources, Work};
use crate::storage::Location;

/// The columns whose mean is taken where no one is named.
const SCORES: [&str; 2] = ["probability", "prediction"];

/// A recorded run, and what was asked of it.
struct Side {
    work: Work,
    digest: String,
    path: Location,
}

/// Divides the change of the mean of `score` from the first output to the second.
///
/// # Errors
/// Fails if an output has no record; a contract error if an input or a model is gone or another
/// one, or if a model cannot score the inputs of the other run.
pub(super) fn attribute(
    paths: [&Location; 2],
    score: Option<&str>,
    caller: &Caller,
    interrupt: &Interrupt,
) -> Result<Attribution> {
    let [first, second] = paths.map(|path| side(path, caller, interrupt));
    let sides = [first?, second?];
    let mut means = [[0.0; 2]; 2];
    let mut column = score.map(str::to_owned);
    for (data, of_data) in sides.iter().enumerate() {
        for (model, of_model) in sides.iter().enumerate() {
            let mean = cell(of_data, of_model, &mut column, interrupt);
            means[data][model] = mean.map_err(|error| {
                if data == model {
                    return error;
                }
                let message = "a model cannot score the inputs of the other run";
                Error::new(error.kind(), message)
                    .at_path(&of_data.path)
                    .because(error)
            })?;
        }
    }
    Ok(Attribution {
        column: column.unwrap_or_default(),
        means,
    })
}

fn side(path: &Location, caller: &Caller, interrupt: &Interrupt) -> Result<Side> {
    let recorded = recorded(path)?;
    recorded.refuse_replaced(path, interrupt)?;
    let Recorded { manifest, .. } = recorded;
    let is_there = caller.working_directory == manifest.working_directory;
    let base = if is_there {
        Location::default()
    } else {
        manifest.working_directory.clone()
    };
    check_inputs(&manifest, &base)?;
    let (resources, named) = (Resources::default(), Keys::default());
    let mut request = recorded_request(&resources, &named, &manifest, &base, path)?;
    keys::add_inputs(&request.keys);
    named_model::locate(&mut request.work, None, &caller.local, &caller.trust)?;
    Ok(Side {
        work: request.work,
        digest: manifest.identity.model_digest,
        path: path.clone(),
    })
}

/// The inputs of one run, as it read them, for the model of another.
fn crossed(data: &Work, model: &Work) -> Work {
    Work {
        inputs: data.inputs.clone(),
        rows: data.rows.clone(),
        binding: Binding {
            rename: data.binding.rename.clone(),
            ..model.binding.clone()
        },
        outcome: Prediction {
            passthrough: Some(vec!["none".to_owned()]),
            hash_columns: Vec::new(),
            drop_columns: Vec::new(),
            ..model.outcome.clone()
        },
        challengers: Challengers::default(),
        ..model.clone()
    }
}

/// The mean of the scores that the model of one run gives the inputs of another.
fn cell(
    data: &Side,
    model: &Side,
    column: &mut Option<String>,
    interrupt: &Interrupt,
) -> Result<f64> {
    let plan = Plan::bind(&crossed(&data.work, &model.work))?;
    if plan.model.digest != model.digest {
        let error = Error::contract("the model is another one than the run's");
        return Err(error
            .at_path(&plan.model.path)
            .hint("restore the model as it was when the output was made"));
    }
    let schema = &plan.job.output_schema;
    let name = column.get_or_insert_with(|| {
        let known = SCORES.into_iter();
        let mut known = known.filter(|name| schema.column_with_name(name).is_some());
        known.next().unwrap_or_default().to_owned()
    });
    if schema.column_with_name(name).is_none() {
        let error = Error::usage("`--attribute` needs a column of scores that both models give");
        return Err(error
            .at_column(name.as_str())
            .hint("name it: `--score COLUMN`"));
    }
    let mut mean = Mean {
        column: name.clone(),
        sum: 0.0,
        count: 0,
    };
    let control = Control {
        interrupt: interrupt.clone(),
        ..Control::default()
    };
    pipeline::run(
        &plan.job,
        Input::whole(&plan.job),
        &mut mean,
        &control,
        &mut Outcomes::new(&plan.job),
        Vec::new(),
        &|_| {},
    )?;
    Ok(mean.sum / mean.count as f64)
}

/// The mean of a column, of rows in the order of the input.
struct Mean {
    column: String,
    sum: f64,
    count: u64,
}

impl Receiver for Mean {
    fn write(&mut self, _part: u64, output: &RecordBatch) -> Result<()> {
        let Some(column) = output.column_by_name(&self.column) else {
            return Err(Error::internal("scores without their column"));
        };
        let numbers = cast(column, &DataType::Float64).map_err(|error| {
            Error::contract("`--attribute` needs a column of numbers")
                .at_column(&self.column)
                .because(error)
        })?;
        for number in numbers.as_primitive::<Float64Type>().iter().flatten() {
            self.sum += number;
            self.count += 1;
        }
        Ok(())
    }

    fn reject(
        &mut self,
        _part: u64,
        _file: usize,
        _rows: &RecordBatch,
        _rejections: &[Rejection],
    ) -> Result<()> {
        Ok(())
    }

    fn end_part(&mut self, _account: &PartAccount, _seen: &Partials) -> Result<()> {
        Ok(())
    }
}
