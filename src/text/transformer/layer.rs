//! One layer over the packed tokens of a group of texts: attention, feed-forward, and the sums and
//! norms around them.

use super::attention::{Attention, AttentionScratch};
use super::distance::Positions;
use super::grid::Grid;
use super::linear::{Linear, Prepared};
use super::rotary::{Rotate, Rotations};
use crate::kernel::norm::Norm;
use crate::kernel::processor::Instructions;
use crate::kernel::product::{Activation, Finish};
use crate::text::encoder::architecture::NormOrder;

/// The weights of a layer, packed.
#[derive(Debug)]
pub(super) struct PackedLayer {
    /// Queries, keys and values side by side.
    pub(super) projection: Linear,
    pub(super) attention_output: Linear,
    pub(super) attention_norm: Option<Norm>,
    pub(super) feed_forward_norm: Option<Norm>,
    pub(super) up: Linear,
    /// This half goes through the activation, where the feed-forward part is gated.
    pub(super) gate: Option<Linear>,
    pub(super) down: Linear,
    pub(super) positions: Positions,
}

/// What differs between layers that may share weights, and what is common to all.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) attention: Attention,
    /// Base and size of the rotation.
    pub(super) rotation: Option<(f64, usize)>,
    pub(super) norm_order: NormOrder,
    pub(super) activation: Activation,
    pub(super) instructions: Instructions,
    /// Rows that go through the feed-forward part together.
    pub(super) block_rows: usize,
}

/// What a worker writes on.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    /// The rows that go from layer to layer.
    pub(super) stream: Grid,
    /// The same normalised, where norms come first; or what enters a projection of embeddings.
    pub(super) normed: Grid,
    projected: Grid,
    mixed: Grid,
    middle: Grid,
    pub(super) prepared: Prepared,
    attention: AttentionScratch,
    rotations: Rotations,
}

impl Workspace {
    /// Makes room for a group's tokens.
    pub(super) fn shape(&mut self, token_count: usize, hidden: usize) {
        self.stream.shape(token_count, hidden);
    }
}

impl Plan {
    /// Turns queries and keys by their positions.
    fn rotate(&self, [start, length]: [usize; 2], workspace: &mut Workspace) {
        let Some((base, size)) = self.rotation else {
            return;
        };
        let rotation = workspace.rotations.of(base, size, length);
        let stride = workspace.projected.stride();
        let rows = workspace.projected.from(start);
        let Attention {
            head_count,
            head_size,
            ..
        } = self.attention;
        // Keys lie alongside queries.
        self.instructions.run(Rotate {
            rotation,
            rows,
            stride,
            row_count: length,
            head_count: 2 * head_count,
            head_size,
        });
    }
}

impl PackedLayer {
    /// Takes the stream of `texts`, `[start, length]` each and `token_count` tokens together,
    /// through the layer.
    pub(super) fn forward(
        &self,
        plan: &Plan,
        texts: &[[usize; 2]],
        token_count: usize,
        workspace: &mut Workspace,
    ) {
        let blocks = token_count.div_ceil(plan.block_rows);
        let block = |index: usize| {
            [
                index * plan.block_rows,
                plan.block_rows.min(token_count - index * plan.block_rows),
            ]
        };
        let width = plan.attention.head_count * plan.attention.head_size;
        workspace.projected.shape(token_count, 3 * width);
        workspace.mixed.shape(token_count, width);
        (0..blocks).for_each(|index| self.project(plan, block(index), workspace));
        for text in texts {
            plan.rotate(*text, workspace);
            let Workspace {
                projected,
                mixed,
                attention,
                ..
            } = workspace;
            plan.attention.attend(
                plan.instructions,
                &self.positions,
                projected,
                *text,
                attention,
                mixed,
            );
        }
        for index in 0..blocks {
            self.join(plan, block(index), workspace);
            self.feed_forward(plan, block(index), workspace);
        }
    }

    /// Queries, keys and values.
    fn project(&self, plan: &Plan, [first, count]: [usize; 2], workspace: &mut Workspace) {
        let Workspace {
            stream,
            normed,
            projected,
            prepared,
            ..
        } = workspace;
        let rows = source(
            plan,
            self.attention_norm.as_ref(),
            [first, count],
            stream,
            normed,
        )
        .rows(position(plan, [first, count]));
        self.projection.prepare(plan.instructions, rows, prepared);
        let stride = projected.stride();
        self.projection
            .multiply(rows, prepared, Finish::Store, projected.from(first), stride);
    }

    /// Adds what attention gives to the stream.
    fn join(&self, plan: &Plan, [first, count]: [usize; 2], workspace: &mut Workspace) {
        let Workspace {
            stream,
            mixed,
            prepared,
            ..
        } = workspace;
        let rows = mixed.rows([first, count]);
        self.attention_output
            .prepare(plan.instructions, rows, prepared);
        let stride = stream.stride();
        self.attention_output
            .multiply(rows, prepared, Finish::Add, stream.from(first), stride);
        after(plan, self.attention_norm.as_ref(), [first, count], stream);
    }

    fn feed_forward(&self, plan: &Plan, [first, count]: [usize; 2], workspace: &mut Workspace) {
        let Workspace {
            stream,
            normed,
            middle,
            prepared,
            ..
        } = workspace;
        middle.shape(count, self.up.outer());
        let rows = source(
            plan,
            self.feed_forward_norm.as_ref(),
            [first, count],
            stream,
            normed,
        )
        .rows(position(plan, [first, count]));
        self.up.prepare(plan.instructions, rows, prepared);
        let stride = middle.stride();
        let activate = Finish::Activate(plan.activation);
        match &self.gate {
            None => self
                .up
                .multiply(rows, prepared, activate, middle.from(0), stride),
            Some(gate) => {
                gate.multiply(rows, prepared, activate, middle.from(0), stride);
                self.up
                    .multiply(rows, prepared, Finish::Multiply, middle.from(0), stride);
            }
        }
        let rows = middle.rows([0, count]);
        self.down.prepare(plan.instructions, rows, prepared);
        let stride = stream.stride();
        self.down
            .multiply(rows, prepared, Finish::Add, stream.from(first), stride);
        after(
            plan,
            self.feed_forward_norm.as_ref(),
            [first, count],
            stream,
        );
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let Self {
            projection,
            attention_output,
            attention_norm,
            feed_forward_norm,
            up,
            gate,
            down,
            positions,
        } = self;
        let linear = [projection, attention_output, up, down]
            .into_iter()
            .chain(gate)
            .map(Linear::memory_bytes)
            .sum::<usize>();
        linear
            + attention_norm
                .iter()
                .chain(feed_forward_norm)
                .map(Norm::memory_bytes)
                .sum::<usize>()
            + positions.memory_bytes()
    }
}

/// Where a block's rows lie in what [`source`] gives.
fn position(plan: &Plan, [first, count]: [usize; 2]) -> [usize; 2] {
    match plan.norm_order {
        NormOrder::Post => [first, count],
        NormOrder::Pre => [0, count],
    }
}

/// What a part of the layer reads: the stream, or a copy of the block that is normalised.
fn source<'a>(
    plan: &Plan,
    norm: Option<&Norm>,
    [first, count]: [usize; 2],
    stream: &'a Grid,
    normed: &'a mut Grid,
) -> &'a Grid {
    if plan.norm_order == NormOrder::Post {
        return stream;
    }
    normed.copy(stream, [first, count]);
    if let Some(norm) = norm {
        let stride = normed.stride();
        norm.apply(plan.instructions, normed.from(0), stride, count);
    }
    normed
}

/// Normalises a block of the stream where norms come last.
fn after(plan: &Plan, norm: Option<&Norm>, [first, count]: [usize; 2], stream: &mut Grid) {
    if let (NormOrder::Post, Some(norm)) = (plan.norm_order, norm) {
        let stride = stream.stride();
        norm.apply(plan.instructions, stream.from(first), stride, count);
    }
}
