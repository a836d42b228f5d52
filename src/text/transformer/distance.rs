//! What the distance between a query and a key adds to their score.
//!
//! Bucketed distances add a number for each head (MPNet); disentangled attention (DeBERTa) adds the
//! query's product with the distance's key and the key's product with the distance's query. Only
//! the rows of the position tables that a text's distances reach are multiplied.

#![expect(
    clippy::inline_always,
    reason = "a part that is not inlined is compiled without the instructions it was written for"
)]

use super::grid::Grid;
use super::softmax::View;
use crate::kernel::processor::Instructions;
use crate::kernel::product::lanes::{Lanes, Task};
use crate::kernel::product::{Dense, Finish, LINE, Rows};
use crate::text::encoder::architecture::{disentangled_index, relative_bucket};

/// How scores know distances, in one layer.
#[derive(Debug)]
pub(super) enum Positions {
    /// Not at all, or not by the scores.
    None,
    /// By a number for each head and bucket.
    Bucketed(Bucketed),
    /// By products with tables of positions.
    Disentangled(Disentangled),
}

/// A number for each bucket of `key − query` and each head.
#[derive(Clone, Debug)]
pub(super) struct Bucketed {
    /// \[buckets, heads\].
    pub(super) table: Vec<f32>,
    pub(super) head_count: usize,
    pub(super) bucket_count: usize,
    pub(super) max_distance: usize,
}

/// For each head the table's rows as columns of a product, where that term is on.
#[derive(Debug)]
pub(super) struct Disentangled {
    pub(super) keys: Option<Vec<Dense>>,
    pub(super) queries: Option<Vec<Dense>>,
    pub(super) span: usize,
    pub(super) bucket_count: Option<usize>,
    pub(super) max_distance: usize,
}

/// What is made of distances once and kept, and the products of one head and text.
#[derive(Debug, Default)]
pub(super) struct Distances {
    /// Distances below this are known.
    reach: usize,
    /// For each head the numbers of `key − query` from `1 − reach` to `reach − 1`.
    biases: Vec<f32>,
    /// Table rows of `query − key`, likewise.
    rows: Vec<u32>,
    /// Keys of the text by rows of the table.
    of_keys: Grid,
    /// Queries of a block by rows of the table.
    of_queries: Grid,
}

/// A block of queries of one head.
#[derive(Clone, Copy)]
pub(super) struct HeadBlock<'a> {
    pub(super) positions: &'a Positions,
    pub(super) head: usize,
    pub(super) view: View,
}

impl Positions {
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Bucketed(bucketed) => size_of_val(bucketed.table.as_slice()),
            Self::Disentangled(Disentangled { keys, queries, .. }) => keys
                .iter()
                .chain(queries)
                .flatten()
                .map(Dense::memory_bytes)
                .sum(),
        }
    }
}

impl Distances {
    /// Multiplies a head's keys by the positions' queries; to be called before the blocks of its
    /// queries.
    pub(super) fn meet_keys(&mut self, positions: &Positions, head: usize, keys: Rows<'_>) {
        self.reach_to(positions, keys.count);
        let Positions::Disentangled(Disentangled {
            queries: Some(tables),
            span,
            ..
        }) = positions
        else {
            return;
        };
        self.of_keys.shape(keys.count, 2 * span);
        let (range, stride) = (self.range(keys.count), self.of_keys.stride());
        tables[head].multiply_columns(keys, range, Finish::Store, self.of_keys.from(0), stride);
    }

    /// Adds what distances give to the scores of a block of queries; says what the sums must be
    /// multiplied by.
    pub(super) fn add(
        &mut self,
        instructions: Instructions,
        index: HeadBlock<'_>,
        queries: Rows<'_>,
        scale: f32,
        scores: &mut Grid,
    ) -> f32 {
        let HeadBlock {
            positions,
            head,
            view,
        } = index;
        match positions {
            Positions::None => scale,
            Positions::Bucketed(_) => {
                let biases =
                    &self.biases[head * (2 * self.reach - 1)..(head + 1) * (2 * self.reach - 1)];
                let stride = scores.stride();
                instructions.run(AddBias {
                    scores: scores.from(0),
                    stride,
                    biases,
                    middle: self.reach - 1,
                    view,
                    scale,
                });
                1.0
            }
            Positions::Disentangled(disentangled) => {
                self.add_products(disentangled, head, queries, view, scores);
                scale
            }
        }
    }

    fn add_products(
        &mut self,
        positions: &Disentangled,
        head: usize,
        queries: Rows<'_>,
        view: View,
        scores: &mut Grid,
    ) {
        let middle = self.reach - 1;
        if let Some(tables) = &positions.keys {
            self.of_queries.shape(queries.count, 2 * positions.span);
            let (range, stride) = (
                self.range(view.first_key + view.key_count),
                self.of_queries.stride(),
            );
            tables[head].multiply_columns(
                queries,
                range,
                Finish::Store,
                self.of_queries.from(0),
                stride,
            );
        }
        for row in 0..view.query_count {
            let query = view.first_query + row;
            let terms = positions.keys.is_some().then(|| self.of_queries.row(row));
            // The distance falls by one from key to key.
            let rows = self.rows[..=middle + query - view.first_key].iter().rev();
            for ((key, score), index) in scores.row_mut(row)[..view.key_count]
                .iter_mut()
                .enumerate()
                .zip(rows)
            {
                let of_query = terms.map_or(0.0, |terms| terms[*index as usize]);
                let of_key = if positions.queries.is_some() {
                    self.of_keys.row(view.first_key + key)[*index as usize]
                } else {
                    0.0
                };
                *score += of_query + of_key;
            }
        }
    }

    /// The table's rows that distances below `length` reach.
    fn range(&self, length: usize) -> std::ops::Range<usize> {
        let middle = self.reach - 1;
        let [least, most] =
            [middle + 1 - length, middle + length - 1].map(|index| self.rows[index] as usize);
        least..most + 1
    }

    /// Makes what is not yet known of distances below `length`.
    fn reach_to(&mut self, positions: &Positions, length: usize) {
        if length <= self.reach {
            return;
        }
        self.reach = length.next_power_of_two();
        let distances = 1 - self.reach as i64..self.reach as i64;
        match positions {
            Positions::None => {}
            Positions::Bucketed(Bucketed {
                table,
                head_count,
                bucket_count,
                max_distance,
            }) => {
                let buckets: Vec<usize> = distances
                    .map(|distance| relative_bucket(distance, *bucket_count, *max_distance))
                    .collect();
                let heads = 0..*head_count;
                self.biases = heads
                    .flat_map(|head| {
                        buckets
                            .iter()
                            .map(move |bucket| table[bucket * head_count + head])
                    })
                    .collect();
            }
            Positions::Disentangled(Disentangled {
                span,
                bucket_count,
                max_distance,
                ..
            }) => {
                self.rows = distances
                    .map(|distance| {
                        disentangled_index(distance, *span, *bucket_count, *max_distance) as u32
                    })
                    .collect();
            }
        }
    }
}

/// `score · scale + bias` of `key − query`.
struct AddBias<'a> {
    scores: &'a mut [f32],
    stride: usize,
    biases: &'a [f32],
    /// The place of distance 0.
    middle: usize,
    view: View,
    scale: f32,
}

impl Task for AddBias<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let View {
            first_query,
            query_count,
            first_key,
            key_count,
            ..
        } = self.view;
        let scale = lanes.splat(self.scale);
        for (row, scores) in self
            .scores
            .chunks_mut(self.stride)
            .take(query_count)
            .enumerate()
        {
            let biases = &self.biases[self.middle + first_key - first_query - row..][..key_count];
            let (lines, rest) = scores[..key_count].as_chunks_mut::<LINE>();
            let (bias_lines, last) = biases.as_chunks::<LINE>();
            for (line, bias) in lines.iter_mut().zip(bias_lines) {
                lanes.store(lanes.fused(lanes.load(line), scale, lanes.load(bias)), line);
            }
            if !rest.is_empty() {
                lanes.store_some(
                    lanes.fused(
                        lanes.load_some(rest, 0.0),
                        scale,
                        lanes.load_some(last, 0.0),
                    ),
                    rest,
                );
            }
        }
    }
}
