//! The inputs and outputs of an exported encoder: what each input takes of a tokenized text, and
//! which output answers a task.
//!
//! Owns their names and the shapes that they may have. It must not run graphs.

use super::family::Described;
use super::parts::{GraphInput, GraphPart, Parts, TextTask};
use crate::error::{Error, Result};
use crate::graph::ElementType;

/// The output that sentence-transformers' own modules are part of.
pub(super) const SENTENCE: &str = "sentence_embedding";

/// The output of heads.
const LOGITS: &str = "logits";

/// What an input takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feed {
    Ids,
    /// 1 for every token, because nothing is padded.
    Mask,
    Types,
    /// The rows of the table of positions that the encoder itself would take: from `first` on.
    Positions(First),
}

/// The row of the table of positions that an encoder takes for a text's first token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct First {
    row: u32,
    /// A token that takes the row before and does not count.
    padding_id: Option<u32>,
}

impl First {
    pub(super) fn of(described: &Described) -> Self {
        let positions = described.architecture.embedding.positions;
        Self {
            row: positions.map_or(0, |positions| positions.first as u32),
            padding_id: positions.and_then(|positions| positions.padding_id),
        }
    }

    /// The rows for the tokens of a text.
    pub(super) fn rows(self, ids: &[u32]) -> impl Iterator<Item = u32> {
        let mut next = self.row;
        ids.iter().map(move |id| {
            if self.padding_id == Some(*id) {
                return self.row.saturating_sub(1);
            }
            next = next.saturating_add(1);
            next - 1
        })
    }
}

/// The input that takes positions.
const POSITIONS: &str = "position_ids";

/// The inputs that the tokenizer can feed.
const FEEDS: [(&str, Feed); 3] = [
    ("input_ids", Feed::Ids),
    ("attention_mask", Feed::Mask),
    ("token_type_ids", Feed::Types),
];

/// What each input takes; `goes_alone` is set where an input has room for one text. `positions`:
/// the first of a text, where the architecture is known.
pub(super) fn feeds(
    inputs: &[GraphInput],
    positions: Option<First>,
    goes_alone: &mut bool,
) -> Result<Vec<(Feed, bool)>> {
    let feeds: Vec<(Feed, bool)> = inputs
        .iter()
        .map(|input| feed(input, positions, goes_alone))
        .collect::<Result<_>>()?;
    if feeds.iter().any(|(feed, _)| *feed == Feed::Ids) {
        return Ok(feeds);
    }
    Err(Error::contract("the graph has no input `input_ids`").hint(SCORE_THE_FILE))
}

const SCORE_THE_FILE: &str =
    "to score the graph by itself, without the tokenizer, give the file: `--model …/model.onnx`";

fn feed(
    input: &GraphInput,
    positions: Option<First>,
    goes_alone: &mut bool,
) -> Result<(Feed, bool)> {
    let name = &input.name;
    let positions = positions.map(|first| (POSITIONS, Feed::Positions(first)));
    let mut known = FEEDS.into_iter().chain(positions);
    let Some((_, feed)) = known.find(|(known, _)| known == name) else {
        let known = FEEDS.map(|(name, _)| format!("`{name}`")).join(", ");
        return Err(Error::contract(format!(
            "the tokenizer has nothing for the graph's input `{name}`, only for {known}"
        ))
        .hint(format!("export the model without it, or {SCORE_THE_FILE}")));
    };
    let is_wide = match input.element {
        Some(ElementType::Int64) => true,
        Some(ElementType::Int32) => false,
        _ => {
            return Err(Error::contract(format!(
                "the graph's input `{name}` does not take integers of 64 or 32 bits"
            )));
        }
    };
    match input.shape.as_deref() {
        None | Some([None, None]) => {}
        Some([Some(1), None]) => *goes_alone = true,
        Some([_, Some(length)]) => {
            return Err(Error::contract(format!(
                "the graph's input `{name}` has room for exactly {length} tokens"
            ))
            .hint(
                "export the model with open axes: `torch.onnx.export(…, dynamic_axes={\
                 'input_ids': {0: 'batch', 1: 'sequence'}, …})`, or by optimum",
            ));
        }
        Some(other) => {
            return Err(Error::contract(format!(
                "the graph's input `{name}` has {} axes or a fixed number of texts, expected \
                 texts × tokens",
                other.len()
            )));
        }
    }
    Ok((feed, is_wide))
}

/// The output that answers the task: the names that optimum writes, else the first one.
pub(super) fn output(parts: &Parts, part: &GraphPart, task: TextTask) -> Result<usize> {
    let find = |name: &str| part.outputs.iter().position(|output| output == name);
    let first = || {
        let first = part.outputs.first();
        first.filter(|output| *output != LOGITS).map(|_| 0)
    };
    let found = match task {
        // Behind optimum's own export of sentence-transformers there are no modules any more: they
        // are in the graph.
        TextTask::Embedding if parts.modules.is_none() && find(SENTENCE).is_some() => {
            find(SENTENCE)
        }
        TextTask::Embedding => find("last_hidden_state")
            .or_else(|| find("token_embeddings"))
            .or_else(first),
        _ => find(LOGITS).or(if part.outputs.len() == 1 {
            Some(0)
        } else {
            None
        }),
    };
    found.ok_or_else(|| no_answer(part, task))
}

pub(super) fn no_answer(part: &GraphPart, task: TextTask) -> Error {
    let outputs: Vec<String> = part
        .outputs
        .iter()
        .map(|output| format!("`{output}`"))
        .collect();
    let (expected, export) = match task {
        TextTask::Embedding => ("a vector for each token", "feature-extraction"),
        TextTask::Classification | TextTask::Reranking => {
            ("logits for each text", "text-classification")
        }
        TextTask::TokenClassification => ("logits for each token", "token-classification"),
    };
    Error::contract(format!(
        "the graph does not give {expected}; its outputs are {}",
        outputs.join(", ")
    ))
    .hint(format!(
        "export it for that: `optimum-cli export onnx --model DIRECTORY --task {export} OUTPUT`, \
         or name its own task with `--task`"
    ))
}
