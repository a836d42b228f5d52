//! Weights to a packed encoder: shapes checked, matrices packed, everything read from candle's
//! tensors once.

use candle_core::{DType, Tensor};

use super::attention::Attention;
use super::distance::{Bucketed, Disentangled, Positions};
use super::embed::{Embed, Table};
use super::layer::{PackedLayer, Plan};
use super::linear::{Arithmetic, Linear};
use super::{Transformer, group_size};
use crate::error::{Error, Result};
use crate::kernel::norm::Norm;
use crate::kernel::processor::Instructions;
use crate::kernel::product::{Activation, Dense};
use crate::text::encoder::architecture::{self, Architecture, AttentionPositions, Projection};
use crate::text::encoder::weights::{self, EmbeddingWeights, LayerWeights, Weights};

/// What packing needs to know everywhere.
struct Builder<'a> {
    instructions: Instructions,
    arithmetic: Arithmetic,
    architecture: &'a Architecture,
}

/// Packs an encoder.
pub(super) fn transformer(
    instructions: Instructions,
    architecture: &Architecture,
    weights: &Weights,
    arithmetic: Arithmetic,
) -> Result<Transformer> {
    let builder = Builder {
        instructions,
        arithmetic,
        architecture,
    };
    let hidden = architecture.hidden;
    if architecture
        .layers
        .iter()
        .any(|layer| layer.weights >= weights.layers.len())
    {
        return Err(Error::contract(format!(
            "weights of {} layers for an encoder that names more",
            weights.layers.len()
        )));
    }
    let bucketed = weights
        .relative_bias
        .as_ref()
        .map(|table| builder.bucketed(table))
        .transpose()?
        .flatten();
    let layers = weights.layers.iter().enumerate();
    let layers = layers.map(|(index, layer)| {
        builder
            .layer(layer, bucketed.as_ref())
            .map_err(|error| error.at_node(format!("layer {index}")))
    });
    Ok(Transformer {
        embed: builder
            .embed(&weights.embedding)
            .map_err(|error| error.at_node("the embedding".to_owned()))?,
        layers: layers.collect::<Result<_>>()?,
        plans: architecture
            .layers
            .iter()
            .map(|layer| (layer.weights, builder.plan(layer)))
            .collect(),
        final_norm: weights
            .final_norm
            .as_ref()
            .map(|norm| builder.norm(norm, hidden))
            .transpose()?,
        hidden,
        group_tokens: group_size::GROUP_TOKENS,
        instructions,
    })
}

impl Builder<'_> {
    fn plan(&self, layer: &architecture::Layer) -> Plan {
        let Architecture {
            head_count,
            head_size,
            score_scale,
            attention,
            norm_order,
            ..
        } = *self.architecture;
        let rotation = match (attention, layer.rotary_base) {
            (AttentionPositions::Rotary { size }, Some(base)) => Some((base, size.min(head_size))),
            _ => None,
        };
        Plan {
            attention: Attention {
                head_count,
                head_size,
                scale: score_scale as f32,
                window: layer.window,
            },
            rotation,
            norm_order,
            activation: activation(self.architecture.feed_forward.activation),
            instructions: self.instructions,
            block_rows: group_size::block_rows(self.architecture, self.arithmetic),
        }
    }

    fn layer(&self, layer: &LayerWeights, bucketed: Option<&Bucketed>) -> Result<PackedLayer> {
        let (hidden, width, size) = (
            self.architecture.hidden,
            self.architecture.attention_width(),
            self.architecture.feed_forward.size,
        );
        let norm =
            |norm: Option<&weights::Norm>| norm.map(|norm| self.norm(norm, hidden)).transpose();
        Ok(PackedLayer {
            projection: self
                .side_by_side([&layer.query, &layer.key, &layer.value], [hidden, width])?,
            attention_output: self.linear(&layer.attention_output, [width, hidden])?,
            attention_norm: norm(layer.attention_norm.as_ref())?,
            feed_forward_norm: norm(layer.feed_forward_norm.as_ref())?,
            up: self.linear(&layer.up, [hidden, size])?,
            gate: layer
                .gate
                .as_ref()
                .map(|gate| self.linear(gate, [hidden, size]))
                .transpose()?,
            down: self.linear(&layer.down, [size, hidden])?,
            positions: self.positions(layer, bucketed)?,
        })
    }

    /// A linear layer whose tensors must have these dimensions, `[in, out]`.
    fn linear(&self, linear: &weights::Linear, [inner, outer]: [usize; 2]) -> Result<Linear> {
        let weight = numbers(&linear.weight, &[outer, inner])?;
        let bias = linear
            .bias
            .as_ref()
            .map(|bias| numbers(bias, &[outer]))
            .transpose()?;
        Linear::new(
            self.instructions,
            self.arithmetic,
            [inner, outer],
            |row, column| weight[column * inner + row],
            bias.as_deref(),
        )
    }

    /// The same in all of single precision: the first rows decide much and cost little, so they are
    /// never bytes or parts.
    fn plain(&self, linear: &weights::Linear, [inner, outer]: [usize; 2]) -> Result<Linear> {
        let weight = numbers(&linear.weight, &[outer, inner])?;
        let bias = linear
            .bias
            .as_ref()
            .map(|bias| numbers(bias, &[outer]))
            .transpose()?;
        Dense::for_instructions(
            self.instructions,
            [inner, outer],
            |row, column| weight[column * inner + row],
            bias.as_deref(),
        )
        .map(Linear::Single)
    }

    /// Three linear layers that read the same rows, as one.
    fn side_by_side(
        &self,
        three: [&weights::Linear; 3],
        [inner, outer]: [usize; 2],
    ) -> Result<Linear> {
        let (mut weight, mut bias) = (
            Vec::with_capacity(3 * outer * inner),
            Vec::with_capacity(3 * outer),
        );
        for linear in three {
            weight.extend(numbers(&linear.weight, &[outer, inner])?);
            match &linear.bias {
                Some(numbers_of_bias) => bias.extend(numbers(numbers_of_bias, &[outer])?),
                None => bias.extend(std::iter::repeat_n(0.0, outer)),
            }
        }
        Linear::new(
            self.instructions,
            self.arithmetic,
            [inner, 3 * outer],
            |row, column| weight[column * inner + row],
            Some(&bias),
        )
    }

    fn norm(&self, norm: &weights::Norm, width: usize) -> Result<Norm> {
        let gain = numbers(&norm.weight, &[width])?;
        let shift = norm
            .bias
            .as_ref()
            .map_or_else(|| Ok(vec![0.0; width]), |bias| numbers(bias, &[width]))?;
        Ok(Norm {
            gain,
            shift,
            epsilon: self.architecture.epsilon as f32,
        })
    }

    fn embed(&self, weights: &EmbeddingWeights) -> Result<Embed> {
        let architecture::Embedding {
            vocabulary,
            width,
            positions,
            type_count,
            projection,
        } = self.architecture.embedding;
        let table = |tensor: &Tensor, rows: usize| {
            numbers(tensor, &[rows, width]).map(|values| Table { values, width })
        };
        let norm_width = if projection == Some(Projection::BeforeNorm) {
            self.architecture.hidden
        } else {
            width
        };
        let projection = match (projection, &weights.projection) {
            (Some(position), Some(linear)) => Some((
                position,
                self.plain(linear, [width, self.architecture.hidden])?,
            )),
            (None, None) if width == self.architecture.hidden => None,
            _ => {
                return Err(Error::contract(format!(
                    "no projection from {width} to {} numbers",
                    self.architecture.hidden
                )));
            }
        };
        Ok(Embed {
            words: table(&weights.words, vocabulary)?,
            types: weights
                .types
                .as_ref()
                .map(|types| table(types, type_count))
                .transpose()?,
            positions: weights
                .positions
                .as_ref()
                .zip(positions)
                .map(|(rows, positions)| table(rows, positions.count))
                .transpose()?,
            norm: weights
                .norm
                .as_ref()
                .map(|norm| self.norm(norm, norm_width))
                .transpose()?,
            projection,
        })
    }

    fn bucketed(&self, table: &Tensor) -> Result<Option<Bucketed>> {
        let AttentionPositions::Bucketed {
            bucket_count,
            max_distance,
        } = self.architecture.attention
        else {
            return Ok(None);
        };
        let head_count = self.architecture.head_count;
        Ok(Some(Bucketed {
            table: numbers(table, &[bucket_count, head_count])?,
            head_count,
            bucket_count,
            max_distance,
        }))
    }

    fn positions(&self, layer: &LayerWeights, bucketed: Option<&Bucketed>) -> Result<Positions> {
        let AttentionPositions::Disentangled {
            content_to_position,
            position_to_content,
            span,
            bucket_count,
            max_distance,
        } = self.architecture.attention
        else {
            return Ok(bucketed.map_or(Positions::None, |bucketed| {
                Positions::Bucketed(bucketed.clone())
            }));
        };
        let heads = |is_on: bool, table: &Option<Tensor>| {
            table
                .as_ref()
                .filter(|_| is_on)
                .map(|table| self.heads(table, 2 * span))
                .transpose()
        };
        Ok(Positions::Disentangled(Disentangled {
            keys: heads(content_to_position, &layer.position_key)?,
            queries: heads(position_to_content, &layer.position_query)?,
            span,
            bucket_count,
            max_distance,
        }))
    }

    /// For each head the rows of a table as the columns of a product.
    fn heads(&self, table: &Tensor, rows: usize) -> Result<Vec<Dense>> {
        let (width, size) = (
            self.architecture.attention_width(),
            self.architecture.head_size,
        );
        let values = numbers(table, &[rows, width])?;
        let head = |head: usize| {
            Dense::for_instructions(
                self.instructions,
                [size, rows],
                |position, row| values[row * width + head * size + position],
                None,
            )
        };
        (0..self.architecture.head_count).map(head).collect()
    }
}

fn activation(activation: architecture::Activation) -> Activation {
    match activation {
        architecture::Activation::Gelu => Activation::Gelu,
        architecture::Activation::GeluTanh => Activation::GeluTanh,
        architecture::Activation::Relu => Activation::Relu,
        architecture::Activation::Silu => Activation::Silu,
        architecture::Activation::Tanh => Activation::Tanh,
    }
}

/// A tensor's numbers, if it has these dimensions.
fn numbers(tensor: &Tensor, dimensions: &[usize]) -> Result<Vec<f32>> {
    if tensor.dims() != dimensions {
        return Err(Error::contract(format!(
            "a tensor of {:?} numbers where {dimensions:?} are expected",
            tensor.dims()
        )));
    }
    let values = tensor
        .flatten_all()
        .and_then(|tensor| tensor.to_dtype(DType::F32))
        .and_then(|tensor| tensor.to_vec1::<f32>());
    values.map_err(|error| Error::failed("cannot read an encoder's weights").because(error))
}
