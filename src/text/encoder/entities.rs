//! Labels of tokens as entities, by the rules of transformers' token classification pipeline.
//!
//! Owns the strategies and the column of lists. Places are counted in characters (Unicode scalar
//! values), as Python counts them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Builder, Int64Builder, ListArray, StringBuilder, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use tokenizers::Encoding;

use super::classes::{largest, softmax};
use super::parts::Aggregation;
use super::tokenizer::TextTokenizer;
use crate::error::{Error, Result};

/// The label of what is not an entity.
const OUTSIDE: &str = "O";

/// How tokens become entities.
#[derive(Clone, Debug)]
pub(super) struct Tagging {
    pub(super) labels: Vec<String>,
    pub(super) aggregation: Aggregation,
    /// The id of what the vocabulary is missing.
    pub(super) unknown_id: Option<u32>,
}

/// Something that was found in a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entity {
    word: String,
    label: String,
    score: f32,
    start: usize,
    end: usize,
}

/// A token and what the model says of it.
struct Tagged {
    word: String,
    scores: Vec<f32>,
    start: usize,
    end: usize,
    is_subword: bool,
}

impl Tagging {
    /// The entities of a text from the logits of its tokens, row-major.
    pub(super) fn entities(
        &self,
        text: &str,
        encoding: &Encoding,
        logits: &[f32],
        tokenizer: &TextTokenizer,
    ) -> Vec<Entity> {
        let tagged = self.tagged(text, encoding, logits, tokenizer);
        let labelled: Vec<Entity> = match self.aggregation {
            Aggregation::None | Aggregation::Simple => {
                tagged.into_iter().map(|token| self.alone(token)).collect()
            }
            strategy => words(&tagged)
                .into_iter()
                .map(|word| self.word(word, strategy, tokenizer))
                .collect(),
        };
        let found = if self.aggregation == Aggregation::None {
            labelled
        } else {
            grouped(&labelled, tokenizer)
        };
        found
            .into_iter()
            .filter(|entity| entity.label != OUTSIDE)
            .collect()
    }

    fn tagged(
        &self,
        text: &str,
        encoding: &Encoding,
        logits: &[f32],
        tokenizer: &TextTokenizer,
    ) -> Vec<Tagged> {
        let characters: Vec<char> = text.chars().collect();
        let marks_subwords = tokenizer.marks_subwords();
        let mut tagged = Vec::new();
        for (index, logits) in logits.chunks_exact(self.labels.len()).enumerate() {
            if encoding.get_special_tokens_mask()[index] == 1 {
                continue;
            }
            let ((start, end), id) = (encoding.get_offsets()[index], encoding.get_ids()[index]);
            let own = characters
                .get(start..end.min(characters.len()))
                .unwrap_or_default();
            let mut word = tokenizer.token(id);
            let mut is_subword = if marks_subwords {
                word.chars().count() != own.len()
            } else {
                let around = characters
                    .get(start.saturating_sub(1)..(start + 1).min(characters.len()))
                    .unwrap_or_default();
                start > 0 && !around.contains(&' ')
            };
            if Some(id) == self.unknown_id {
                (word, is_subword) = (own.iter().collect(), false);
            }
            tagged.push(Tagged {
                word,
                scores: softmax(logits),
                start,
                end,
                is_subword,
            });
        }
        tagged
    }

    fn alone(&self, token: Tagged) -> Entity {
        let label = largest(&token.scores);
        Entity {
            word: token.word,
            label: self.labels[label].clone(),
            score: token.scores[label],
            start: token.start,
            end: token.end,
        }
    }

    fn word(&self, tokens: &[Tagged], strategy: Aggregation, tokenizer: &TextTokenizer) -> Entity {
        let top = |token: &Tagged| token.scores[largest(&token.scores)];
        let scores = match strategy {
            Aggregation::Max => {
                let surest = tokens.iter().enumerate().fold(0, |best, (index, token)| {
                    if top(token) > top(&tokens[best]) {
                        index
                    } else {
                        best
                    }
                });
                tokens[surest].scores.clone()
            }
            Aggregation::Average => {
                let sum =
                    |label: usize| tokens.iter().map(|token| token.scores[label]).sum::<f32>();
                (0..self.labels.len())
                    .map(|label| sum(label) / tokens.len() as f32)
                    .collect()
            }
            _ => tokens[0].scores.clone(),
        };
        let label = largest(&scores);
        Entity {
            word: tokenizer.joined(tokens.iter().map(|token| token.word.clone()).collect()),
            label: self.labels[label].clone(),
            score: scores[label],
            start: tokens[0].start,
            end: tokens[tokens.len() - 1].end,
        }
    }
}

/// The tokens of each word.
fn words(tokens: &[Tagged]) -> Vec<&[Tagged]> {
    tokens.chunk_by(|_, next| next.is_subword).collect()
}

/// Neighbours of one label together, unless a label begins anew.
fn grouped(entities: &[Entity], tokenizer: &TextTokenizer) -> Vec<Entity> {
    let groups = entities.chunk_by(|last, next| {
        let ((_, last), (begins, next)) = (tag(&last.label), tag(&next.label));
        last == next && !begins
    });
    let together = |group: &[Entity]| Entity {
        word: tokenizer.joined(group.iter().map(|entity| entity.word.clone()).collect()),
        label: group[0]
            .label
            .split_once('-')
            .map_or(group[0].label.as_str(), |(_, rest)| rest)
            .to_owned(),
        score: group.iter().map(|entity| entity.score).sum::<f32>() / group.len() as f32,
        start: group[0].start,
        end: group[group.len() - 1].end,
    };
    groups.map(together).collect()
}

/// (whether an entity begins, its kind).
fn tag(label: &str) -> (bool, &str) {
    match label.strip_prefix("B-") {
        Some(kind) => (true, kind),
        None => (false, label.strip_prefix("I-").unwrap_or(label)),
    }
}

fn parts() -> Fields {
    let field = |name: &str, data_type: DataType| Field::new(name, data_type, false);
    Fields::from(vec![
        field("word", DataType::Utf8),
        field("entity_group", DataType::Utf8),
        field("score", DataType::Float32),
        field("start", DataType::Int64),
        field("end", DataType::Int64),
    ])
}

/// The column: a list of structs.
pub(super) fn field() -> Field {
    Field::new(
        "entities",
        DataType::List(Arc::new(Field::new_list_field(
            DataType::Struct(parts()),
            true,
        ))),
        true,
    )
}

/// The column of rows whose entities these are; none for a row without a text.
pub(super) fn column(rows: &[Option<Vec<Entity>>]) -> Result<ArrayRef> {
    let (mut words, mut labels, mut scores) = (
        StringBuilder::new(),
        StringBuilder::new(),
        Float32Builder::new(),
    );
    let (mut starts, mut ends) = (Int64Builder::new(), Int64Builder::new());
    for entity in rows.iter().flatten().flatten() {
        words.append_value(&entity.word);
        labels.append_value(&entity.label);
        scores.append_value(entity.score);
        starts.append_value(entity.start as i64);
        ends.append_value(entity.end as i64);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(words.finish()),
        Arc::new(labels.finish()),
        Arc::new(scores.finish()),
        Arc::new(starts.finish()),
        Arc::new(ends.finish()),
    ];
    let offsets =
        OffsetBuffer::<i32>::from_lengths(rows.iter().map(|row| row.as_ref().map_or(0, Vec::len)));
    let nulls = rows.iter().map(Option::is_some).collect::<NullBuffer>();
    let item = Arc::new(Field::new_list_field(DataType::Struct(parts()), true));
    let list = StructArray::try_new(parts(), columns, None)
        .and_then(|values| ListArray::try_new(item, offsets, Arc::new(values), Some(nulls)));
    Ok(Arc::new(list.map_err(|error| {
        Error::internal("entities that make no column").because(error)
    })?))
}
