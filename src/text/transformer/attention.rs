//! Attention of one text: every head's queries against its keys, and the values mixed by what comes
//! of it.
//!
//! A head's keys are turned into the columns of a product and its values packed as they are; both
//! are small and are used by all queries. Queries go in blocks of some dozens of rows, so that no
//! more scores are held at a time than a block has, however long the text; a window narrows the
//! keys of a block to those near it. Sums over keys go from the first to the last: what a text gets
//! does not depend on the texts alongside it.

use super::distance::{Distances, HeadBlock, Positions};
use super::grid::Grid;
use super::softmax::{Scale, Softmax, View};
use super::transposed::Columns;
use crate::kernel::processor::Instructions;
use crate::kernel::product::{LINE, Rows};

/// Queries of a block, at most: four of the product's highest tiles, whose scores of 2 000 keys
/// take half a megabyte.
const MAX_QUERIES: usize = 56;

/// What attention is like in a layer.
#[derive(Debug)]
pub(super) struct Attention {
    pub(super) head_count: usize,
    pub(super) head_size: usize,
    /// What scores are multiplied by.
    pub(super) scale: f32,
    /// The largest distance at which a token sees another.
    pub(super) window: Option<usize>,
}

/// What attention writes on.
#[derive(Debug, Default)]
pub(super) struct AttentionScratch {
    keys: Columns,
    values: Columns,
    scores: Grid,
    factors: Vec<f32>,
    distances: Distances,
}

/// Queries, keys and values of one head of a text.
#[derive(Clone, Copy)]
struct Head<'a> {
    number: usize,
    queries: Rows<'a>,
    keys: Rows<'a>,
    values: Rows<'a>,
}

impl Attention {
    /// Mixes the values of a text, the rows `[start, length]`: `projected` holds queries, keys and
    /// values side by side, `mixed` gets a row for each token.
    pub(super) fn attend(
        &self,
        instructions: Instructions,
        positions: &Positions,
        projected: &Grid,
        [start, length]: [usize; 2],
        scratch: &mut AttentionScratch,
        mixed: &mut Grid,
    ) {
        let width = self.head_count * self.head_size;
        let all = projected.rows([start, length]);
        let part = |first: usize| Rows {
            values: &all.values[first..],
            width: self.head_size,
            ..all
        };
        for number in 0..self.head_count {
            let first = number * self.head_size;
            let head = Head {
                number,
                queries: part(first),
                keys: part(width + first),
                values: part(2 * width + first),
            };
            scratch.keys.turn(instructions, head.keys);
            scratch.values.copy(head.values);
            scratch.distances.meet_keys(positions, number, head.keys);
            let blocks = length.div_ceil(MAX_QUERIES);
            for block in 0..blocks {
                let view = self.view(
                    length,
                    [block * length / blocks, (block + 1) * length / blocks],
                );
                self.share(instructions, positions, &head, view, scratch);
                let stride = mixed.stride();
                self.mix(
                    instructions,
                    view,
                    scratch,
                    &mut mixed.from(start + view.first_query)[first..],
                    stride,
                );
            }
        }
    }

    /// The keys that the queries from `first` to `end` may see, from the beginning of a panel on.
    fn view(&self, length: usize, [first, end]: [usize; 2]) -> View {
        let window = self.window.filter(|window| *window + 1 < length);
        let (least, most) = window.map_or((0, length), |window| {
            (first.saturating_sub(window), (end + window).min(length))
        });
        let first_key = least / (2 * LINE) * 2 * LINE;
        View {
            first_query: first,
            query_count: end - first,
            first_key,
            key_count: most - first_key,
            window,
        }
    }

    /// Which share of each key's value each query gets, but for the factors.
    fn share(
        &self,
        instructions: Instructions,
        positions: &Positions,
        head: &Head<'_>,
        view: View,
        scratch: &mut AttentionScratch,
    ) {
        let AttentionScratch {
            keys,
            scores,
            factors,
            distances,
            ..
        } = scratch;
        let queries = Rows {
            values: &head.queries.values[view.first_query * head.queries.stride..],
            count: view.query_count,
            ..head.queries
        };
        scores.shape(view.query_count, view.key_count.next_multiple_of(2 * LINE));
        let stride = scores.stride();
        keys.multiply(
            instructions,
            queries,
            0..self.head_size,
            view.first_key..view.first_key + view.key_count,
            scores.from(0),
            stride,
        );
        let scale = distances.add(
            instructions,
            HeadBlock {
                positions,
                head: head.number,
                view,
            },
            queries,
            self.scale,
            scores,
        );
        instructions.run(Softmax {
            scores: scores.from(0),
            stride,
            view,
            scale,
            factors,
        });
    }

    /// The values in these shares.
    fn mix(
        &self,
        instructions: Instructions,
        view: View,
        scratch: &AttentionScratch,
        out: &mut [f32],
        stride: usize,
    ) {
        let shares = Rows {
            width: view.key_count,
            ..scratch.scores.rows([0, view.query_count])
        };
        let keys = view.first_key..view.first_key + view.key_count;
        scratch
            .values
            .multiply(instructions, shares, keys, 0..self.head_size, out, stride);
        instructions.run(Scale {
            rows: out,
            stride,
            width: self.head_size,
            factors: &scratch.factors,
        });
    }
}
