//! A pipeline that reads texts: columns of several types in, finished columns out.
//!
//! Owns the way from a native block to the pipeline's numbers and texts, and from its margins to
//! the columns of its outcome. Texts that an imputer leaves come out as they are.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, StringArray, StringViewArray};
use arrow::datatypes::Float64Type;

use super::pipeline::{Columnar, ColumnarWorker};
use crate::contract::{Contract, InputKind, NativeElement, NativeType, RowShape, Width};
use crate::error::{Error, Result};
use crate::feature::{Columns, FeatureBlock, Precision};
use crate::model::{
    ColumnModel, ColumnScores, ColumnWorker, Description, LoadedModel, Model, NumericModel, Scores,
    TrainedModel, Wants, trace,
};
use crate::outcome::{Finished, Link, Outcome, Task};

/// The numbers that one worker's block may hold.
const BLOCK_NUMBERS: usize = 1 << 22;

/// A pipeline that reads texts.
#[derive(Debug)]
struct Textual {
    pipeline: Columnar,
    outcome: Outcome,
    /// Which inputs are texts.
    texts: Vec<bool>,
    /// The outputs that are texts.
    passed: Vec<Passed>,
}

/// An output that is a text of the table.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) output: usize,
    pub(super) input: usize,
    /// What takes the place of a missing one.
    pub(super) filled: String,
}

/// The same at work on one thread.
#[derive(Debug)]
struct TextualWorker<'a> {
    model: &'a Textual,
    worker: ColumnarWorker<'a>,
}

/// The model of a pipeline that reads texts.
pub(super) fn loaded(
    pipeline: Columnar,
    mut contract: Contract,
    outcome: Outcome,
    passed: Vec<Passed>,
) -> LoadedModel {
    let is_text = |kind: &InputKind| *kind == InputKind::Text;
    let texts = contract
        .inputs
        .iter()
        .map(|input| is_text(&input.kind))
        .collect();
    for input in &mut contract.inputs {
        if input.kind == InputKind::Number {
            input.kind = InputKind::Native(NativeType {
                element: NativeElement::Double,
                width: Width::One,
                shape: RowShape::default(),
            });
        }
    }
    let fields = outcome.fields(pipeline.margin_count(), Some(Precision::Double), false);
    let classes = match &outcome.task {
        Task::Binary { labels, .. } => Some(labels.clone()),
        _ => None,
    };
    let model = Textual {
        pipeline,
        outcome,
        texts,
        passed,
    };
    LoadedModel {
        model: TrainedModel::columnar(model),
        contract,
        outcome: Outcome {
            task: Task::Columns(Finished {
                fields,
                classes,
                threshold: None,
            }),
            link: Link::Identity,
        },
        description: Description::default(),
    }
}

impl Model for Textual {
    fn family(&self) -> &'static str {
        self.pipeline.family()
    }

    fn feature_count(&self) -> usize {
        self.pipeline.feature_count()
    }

    fn memory_bytes(&self) -> usize {
        self.pipeline.memory_bytes()
    }

    fn block_rows(&self) -> Option<usize> {
        let widest = self.pipeline.widest();
        (widest > 1 << 10).then(|| (BLOCK_NUMBERS / widest).max(1))
    }
}

impl ColumnModel for Textual {
    fn worker(&self) -> Box<dyn ColumnWorker + '_> {
        Box::new(TextualWorker {
            model: self,
            worker: self.pipeline.own_worker(),
        })
    }
}

impl ColumnWorker for TextualWorker<'_> {
    fn score(&mut self, arrays: &[ArrayRef]) -> Result<ColumnScores> {
        let internal = || Error::internal("a block of another shape than the pipeline's");
        let rows = arrays.first().map_or(0, arrow::array::Array::len);
        if rows == 0 {
            return Ok(ColumnScores::default());
        }
        if arrays.len() != self.model.texts.len() {
            return Err(internal());
        }
        let mut numbers = Columns::filled(rows, arrays.len(), f64::NAN);
        let mut texts: Vec<(usize, &StringViewArray)> = Vec::new();
        for (index, (array, is_text)) in arrays.iter().zip(&self.model.texts).enumerate() {
            if *is_text {
                texts.push((index, array.as_string_view_opt().ok_or_else(internal)?));
            } else {
                let array: &Float64Array = array
                    .as_primitive_opt::<Float64Type>()
                    .ok_or_else(internal)?;
                let values = numbers.column_mut(index).iter_mut().zip(array.iter());
                values.for_each(|(to, from)| *to = from.unwrap_or(f64::NAN));
            }
        }
        let mut own = Scores::empty(Precision::Double);
        let block = FeatureBlock::Double(numbers);
        self.worker
            .run(&block, &texts, &Wants::default(), &mut own)?;
        let width = self.model.pipeline.margin_count();
        if trace::is_followed() {
            note_link(self.model.outcome.link);
        }
        let mut columns = self.model.outcome.columns(&own.margins, width, false);
        for Passed {
            output,
            input,
            filled,
        } in &self.model.passed
        {
            let text = texts.iter().find(|(index, _)| index == input);
            let (_, text) = text.ok_or_else(internal)?;
            let values = text.iter().map(|value| Some(value.unwrap_or(filled)));
            let column = columns.get_mut(*output).ok_or_else(internal)?;
            *column = Arc::new(values.collect::<StringArray>());
        }
        Ok(ColumnScores {
            columns,
            unfit: own.refused,
            ..ColumnScores::default()
        })
    }
}

/// Notes how the margins become scores.
fn note_link(link: Link) {
    if link != Link::Identity {
        trace::note_step(trace::Step {
            name: "link".to_owned(),
            operation: link.formula(),
            ..trace::Step::default()
        });
    }
}
