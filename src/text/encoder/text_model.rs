//! A text model: columns of texts in, finished columns out.
//!
//! Owns the order of work. Rows are tokenized, ordered by their number of tokens and packed into
//! batches of about as many tokens as are fastest; the answers go back to their rows. Nothing is
//! padded, and a row's answer does not depend on the rows alongside it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, Float32Array, StringViewArray};
use arrow::datatypes::{DataType, Field};
use tokenizers::Encoding;

use super::architecture::Positions;
use super::classes::{Classes, present};
use super::entities::{self, Entity, Tagging};
use super::head::Head;
use super::packed::{Forward, PackedTokens, Pass};
use super::pooling::{Pooling, mean};
use super::tokenizer::{Failure, TextTokenizer, Tokens};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::model::{ColumnModel, ColumnScores, ColumnWorker, Counter, Model};

/// Rows of a portion: few enough that all workers have some until the end, since a row takes
/// milliseconds.
const PORTION_ROWS: usize = 256;

/// Texts, or chunks of them, in the batches that padding is reckoned by: what sentence-transformers
/// takes by default.
const PADDED_BATCH_ROWS: usize = 32;

/// What becomes of the encoder's vectors.
#[derive(Debug)]
pub(super) enum Reading {
    /// One vector for each text; of this many tokens at its beginning none is pooled.
    Embedding {
        pooling: Pooling,
        passed_over: usize,
    },
    /// Labels for each text.
    Classification { head: Head, classes: Classes },
    /// Entities in each text.
    Tokens { head: Head, tagging: Tagging },
}

/// What the encoder's tables allow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tables {
    pub(super) hidden: usize,
    pub(super) vocabulary: usize,
    pub(super) type_count: usize,
    pub(super) positions: Option<Positions>,
}

/// A text model, ready to score.
#[derive(Debug)]
pub struct TextModel {
    pub(super) tokenizer: TextTokenizer,
    pub(super) forward: Box<dyn Forward>,
    pub(super) tables: Tables,
    pub(super) reading: Reading,
    /// Columns that it reads: 1, or 2 for pairs.
    pub(super) input_count: usize,
}

/// What every worker counts, in the order of [`Counts::by_counter`].
const COUNTERS: [Counter; 2] = [
    Counter {
        metric: "tokens",
        unit: "tokens",
    },
    Counter {
        metric: "padding_avoided",
        unit: "tokens",
    },
];

/// What is counted of a block of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    tokens: u64,
    padding_avoided: u64,
    /// Texts of which only the beginning was read.
    truncated: u64,
}

impl Counts {
    fn of(rows: &[Option<Tokens>]) -> Self {
        let read = || rows.iter().flatten();
        let lengths: Vec<u64> = read()
            .flat_map(|tokens| tokens.pieces.iter().map(|piece| piece.len() as u64))
            .collect();
        let padding = |batch: &[u64]| {
            batch.iter().max().map_or(0, |max| max * batch.len() as u64) - batch.iter().sum::<u64>()
        };
        Self {
            tokens: lengths.iter().sum(),
            padding_avoided: lengths.chunks(PADDED_BATCH_ROWS).map(padding).sum(),
            truncated: read().filter(|tokens| tokens.is_truncated).count() as u64,
        }
    }

    /// For each of [`COUNTERS`], what is added to it.
    fn by_counter(self) -> Vec<u64> {
        vec![self.tokens, self.padding_avoided]
    }
}

/// Per-worker scratch space for scoring.
struct Workspace<'a> {
    pass: Box<dyn Pass + 'a>,
    packed: PackedTokens,
    hidden: Vec<f32>,
    /// The rows whose texts the tokenizer refused, each with its reason.
    refused: Vec<(usize, String)>,
}

/// One text's piece on its way through the encoder.
struct Piece<'a> {
    row: usize,
    encoding: &'a Encoding,
}

impl TextModel {
    /// The columns that come out.
    pub(super) fn fields(&self) -> Vec<Field> {
        match &self.reading {
            Reading::Embedding { pooling, .. } => {
                let item = Arc::new(Field::new_list_field(DataType::Float32, true));
                vec![Field::new(
                    "embedding",
                    DataType::FixedSizeList(item, pooling.dimensions as i32),
                    true,
                )]
            }
            Reading::Classification { classes, .. } => classes.fields(),
            Reading::Tokens { .. } => vec![entities::field()],
        }
    }

    fn answer(
        &self,
        columns: &[&StringViewArray],
        workspace: &mut Workspace<'_>,
    ) -> Result<(Vec<ArrayRef>, Counts)> {
        let row_count = columns.first().map_or(0, Array::len);
        let refused = &mut workspace.refused;
        let rows = (0..row_count)
            .map(|row| match self.tokens(columns, row) {
                Ok(tokens) => Ok(tokens),
                Err(Failure::Text(reason)) => {
                    refused.push((row, reason));
                    Ok(None)
                }
                Err(Failure::Run(error)) => Err(error),
            })
            .collect::<Result<Vec<Option<Tokens>>>>()?;
        let pieces = || {
            rows.iter().enumerate().flat_map(|(row, tokens)| {
                tokens.iter().flat_map(move |tokens| {
                    tokens
                        .pieces
                        .iter()
                        .map(move |encoding| Piece { row, encoding })
                })
            })
        };
        let pieces: Vec<Piece<'_>> = pieces().collect();
        let mut read: Vec<Vec<f32>> = vec![Vec::new(); pieces.len()];
        for batch in self.batches(&pieces) {
            interrupt::check_process()?;
            self.pack(&pieces, &batch, &mut workspace.packed)?;
            workspace
                .pass
                .hidden(&workspace.packed, &mut workspace.hidden)?;
            let (starts, width) = (workspace.packed.starts(), self.tables.hidden);
            for (index, piece) in batch.iter().enumerate() {
                let [start, end] = if self.forward.is_pooled() {
                    [index, index + 1]
                } else {
                    [starts[index], starts[index + 1]]
                };
                read[*piece] = self.read(&workspace.hidden[start * width..end * width]);
            }
        }
        Ok((
            self.columns(columns, &rows, &pieces, read)?,
            Counts::of(&rows),
        ))
    }

    fn tokens(
        &self,
        columns: &[&StringViewArray],
        row: usize,
    ) -> std::result::Result<Option<Tokens>, Failure> {
        // A text may be long, so between any two the process may stop.
        interrupt::check_process()?;
        if columns.iter().any(|column| column.is_null(row)) {
            return Ok(None);
        }
        let pair = columns.get(1).map(|column| column.value(row));
        self.tokenizer.tokens(columns[0].value(row), pair).map(Some)
    }

    /// The pieces of each batch, short ones first; at least one in each.
    fn batches(&self, pieces: &[Piece<'_>]) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..pieces.len()).collect();
        order.sort_by_key(|piece| pieces[*piece].encoding.len());
        let most = self.forward.batch_tokens();
        let (mut batches, mut count) = (Vec::<Vec<usize>>::new(), 0);
        for piece in order {
            let length = pieces[piece].encoding.len();
            if let Some(batch) = batches.last_mut().filter(|_| count + length <= most) {
                batch.push(piece);
            } else {
                batches.push(vec![piece]);
                count = 0;
            }
            count += length;
        }
        batches
    }

    fn pack(&self, pieces: &[Piece<'_>], batch: &[usize], packed: &mut PackedTokens) -> Result<()> {
        packed.clear();
        let Tables {
            vocabulary,
            type_count,
            positions,
            ..
        } = self.tables;
        for piece in batch {
            let encoding = pieces[*piece].encoding;
            let ids = encoding.get_ids();
            if let Some(id) = ids.iter().find(|id| **id as usize >= vocabulary) {
                return Err(Error::failed(format!(
                    "the tokenizer gives the token {id}, the model has {vocabulary}"
                ))
                .hint(OTHER_TOKENIZER));
            }
            let max_type = u32::try_from(type_count)
                .unwrap_or(u32::MAX)
                .saturating_sub(1);
            let types: Vec<u32> = encoding
                .get_type_ids()
                .iter()
                .map(|kind| (*kind).min(max_type))
                .collect();
            packed.push(ids, &types, positions);
        }
        Ok(())
    }

    /// What is kept of a piece's token vectors.
    fn read(&self, hidden: &[f32]) -> Vec<f32> {
        let width = self.tables.hidden;
        match &self.reading {
            Reading::Embedding {
                pooling,
                passed_over,
            } => pooling.vector(hidden, width, *passed_over),
            Reading::Classification { head, .. } if head.is_mean => {
                head.logits(&mean(hidden, width))
            }
            Reading::Classification { head, .. } => match hidden.get(..width) {
                Some(first) => head.logits(first),
                None => head.logits(&vec![0.0; width]),
            },
            Reading::Tokens { head, .. } => head.logits(hidden),
        }
    }

    fn columns(
        &self,
        texts: &[&StringViewArray],
        rows: &[Option<Tokens>],
        pieces: &[Piece<'_>],
        read: Vec<Vec<f32>>,
    ) -> Result<Vec<ArrayRef>> {
        let mut of_rows: Vec<Option<Vec<Vec<f32>>>> = rows
            .iter()
            .map(|row| row.as_ref().map(|_| Vec::new()))
            .collect();
        for (piece, read) in pieces.iter().zip(read) {
            of_rows[piece.row].get_or_insert_default().push(read);
        }
        match &self.reading {
            Reading::Embedding { pooling, .. } => {
                vectors(pooling, of_rows).map(|column| vec![column])
            }
            Reading::Classification { classes, .. } => {
                let logits: Vec<Option<Vec<f32>>> = of_rows
                    .into_iter()
                    .map(|row| row.and_then(|mut pieces| pieces.pop()))
                    .collect();
                Ok(classes.columns(&logits))
            }
            Reading::Tokens { tagging, .. } => {
                let entities = |row: usize| -> Option<Vec<Entity>> {
                    let (encoding, logits) = (
                        rows[row].as_ref()?.pieces.first()?,
                        of_rows[row].as_ref()?.first()?,
                    );
                    Some(tagging.entities(texts[0].value(row), encoding, logits, &self.tokenizer))
                };
                let entities: Vec<Option<Vec<Entity>>> = (0..rows.len()).map(entities).collect();
                entities::column(&entities).map(|column| vec![column])
            }
        }
    }
}

/// What to do about ids that the model does not have.
pub(super) const OTHER_TOKENIZER: &str =
    "tokenizer.json belongs to another model: download both again from the same source";

fn vectors(pooling: &Pooling, rows: Vec<Option<Vec<Vec<f32>>>>) -> Result<ArrayRef> {
    let is_present = present(&rows);
    let mut values = Vec::with_capacity(rows.len() * pooling.dimensions);
    rows.into_iter()
        .for_each(|row| values.extend(pooling.finished(row.unwrap_or_default())));
    let item = Arc::new(Field::new_list_field(DataType::Float32, true));
    let nulls = arrow::buffer::NullBuffer::new(is_present.values().clone());
    let column = FixedSizeListArray::try_new(
        item,
        pooling.dimensions as i32,
        Arc::new(Float32Array::from(values)),
        Some(nulls),
    );
    Ok(Arc::new(column.map_err(|error| {
        Error::internal("vectors of different lengths").because(error)
    })?))
}

impl Model for TextModel {
    fn family(&self) -> &'static str {
        "encoder"
    }

    fn feature_count(&self) -> usize {
        self.input_count
    }

    fn memory_bytes(&self) -> usize {
        let behind = match &self.reading {
            Reading::Embedding { pooling, .. } => pooling.memory_bytes(),
            Reading::Classification { head, .. } | Reading::Tokens { head, .. } => {
                head.memory_bytes()
            }
        };
        self.forward.memory_bytes() + behind
    }

    fn block_rows(&self) -> Option<usize> {
        Some(PORTION_ROWS)
    }

    fn portion_rows(&self) -> Option<usize> {
        Some(self.forward.portion_rows().unwrap_or(PORTION_ROWS))
    }
}

impl ColumnModel for TextModel {
    fn worker(&self) -> Box<dyn ColumnWorker + '_> {
        Box::new(TextWorker {
            model: self,
            workspace: Workspace {
                pass: self.forward.pass(),
                packed: PackedTokens::default(),
                hidden: Vec::new(),
                refused: Vec::new(),
            },
        })
    }

    fn counters(&self) -> &'static [Counter] {
        &COUNTERS
    }
}

/// A text model at work on one thread.
struct TextWorker<'a> {
    model: &'a TextModel,
    workspace: Workspace<'a>,
}

impl std::fmt::Debug for TextWorker<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextWorker").finish_non_exhaustive()
    }
}

impl ColumnWorker for TextWorker<'_> {
    fn score(&mut self, columns: &[ArrayRef]) -> Result<ColumnScores> {
        let texts: Vec<&StringViewArray> = columns
            .iter()
            .filter_map(|column| column.as_string_view_opt())
            .collect();
        let row_count = columns.first().map_or(0, Array::len);
        if row_count > 0 && (texts.len() != columns.len() || texts.len() != self.model.input_count)
        {
            return Err(Error::internal(format!(
                "a block of {} columns of texts for a model of {}",
                texts.len(),
                self.model.input_count
            )));
        }
        let (columns, counts) = self.model.answer(&texts, &mut self.workspace)?;
        Ok(ColumnScores {
            columns,
            truncated_count: counts.truncated,
            counts: counts.by_counter(),
            refused: std::mem::take(&mut self.workspace.refused),
            ..ColumnScores::default()
        })
    }
}
