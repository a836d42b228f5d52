//! Text encoders on own kernels: the whole forward pass over packed tokens as one operation.
//!
//! Owns the arithmetic of every architecture that [`crate::text::encoder::architecture`]
//! describes, on the packed products of [`crate::kernel::product`]; what differs between them is
//! data. Weights are packed once at load, in single precision or as bytes; everything between two
//! products is computed on vectors of 16 numbers while it lies in a cache, and nothing is allocated
//! once a worker's buffers have grown. Knows nothing of files, tokenizers or threads.
//!
//! The numbers of a text have the same bits alone, in any batch and in any order. AVX-512 and AVX2
//! give the same bits, in single precision and in bytes; the portable arithmetic rounds
//! products and sums apart. On tiles of AMX products of bytes are the same bits again, those of
//! single precision err by 4e-6 of their size ([`crate::kernel::product`]).
//!
//! # Shape of the pass
//!
//! Whole texts are grouped until a group has enough tokens to make good use of the weights that
//! stream by, and not so many that what lies between two products leaves the second-level cache. A
//! layer projects the group to queries, keys and values, attends text by text and head by head, and
//! then takes block after block of rows through output, norm and the feed-forward part, whose
//! middle is the widest of all and never larger than a block.
//!
//! Measured with the weights of MiniLM-L6 on texts of 29 tokens on average, one core in November
//! 2026 (Emerald Rapids with AMX, shared machine; tokens a second of processor time, medians of
//! runs in turn): single precision 11 800 (7 100 with AVX-512), bytes 32 000 (18 000 with VNNI of
//! AVX-512, before the softmax was corrected); ONNX Runtime 1.31 on the same core 5 900 and, in
//! bytes, 13 100. Cosine of bytes to single precision 0.9981 in the mean and 0.9959 at worst of 2
//! 000 texts (ONNX Runtime 0.988 and 0.978). Of the time in bytes products take 45 %, GELU 9,
//! making bytes 8, attention 15, norms 3 %. What cost most by surprise: one subtraction in the
//! softmax whose result was a subnormal number, 9 % of everything.

mod attention;
mod build;
mod distance;
mod embed;
mod grid;
mod group_size;
mod layer;
mod linear;
mod rotary;
mod softmax;
#[cfg(test)]
mod tests;
mod transposed;

pub use self::linear::Arithmetic;

use self::embed::Embed;
use self::layer::{PackedLayer, Plan, Workspace};
use crate::error::Result;
use crate::kernel::norm::Norm;
use crate::kernel::processor::Instructions;
use crate::text::encoder::architecture::Architecture;
use crate::text::encoder::packed::{Forward, PackedTokens, Pass};
use crate::text::encoder::weights::Weights;

/// An encoder, packed.
#[derive(Debug)]
pub struct Transformer {
    embed: Embed,
    /// Shared ones once.
    layers: Vec<PackedLayer>,
    /// For each layer in order which of the weights it uses, and how.
    plans: Vec<(usize, Plan)>,
    final_norm: Option<Norm>,
    hidden: usize,
    /// Tokens of a group.
    group_tokens: usize,
    instructions: Instructions,
}

impl Transformer {
    /// Packs weights of the architecture's shapes for the best instructions of this processor.
    ///
    /// # Errors
    /// Fails with [`crate::error::Kind::Contract`] for weights of other shapes, and for weights
    /// that bytes cannot stand for.
    pub fn new(
        architecture: &Architecture,
        weights: &Weights,
        arithmetic: Arithmetic,
    ) -> Result<Self> {
        Self::with(
            Instructions::available()[0],
            architecture,
            weights,
            arithmetic,
        )
    }

    /// The same for these instructions.
    ///
    /// # Errors
    /// As [`Self::new`], and if the processor does not have them.
    pub fn with(
        instructions: Instructions,
        architecture: &Architecture,
        weights: &Weights,
        arithmetic: Arithmetic,
    ) -> Result<Self> {
        build::transformer(instructions, architecture, weights, arithmetic)
    }

    /// Groups of whole texts: `[first text, texts]`.
    fn groups(&self, starts: &[usize]) -> Vec<[usize; 2]> {
        let mut groups: Vec<[usize; 2]> = Vec::new();
        for text in 0..starts.len().saturating_sub(1) {
            match groups.last_mut() {
                Some([first, count]) if starts[text + 1] - starts[*first] <= self.group_tokens => {
                    *count += 1;
                }
                _ => groups.push([text, 1]),
            }
        }
        groups
    }

    /// The last hidden states of a group of texts, appended.
    fn append(
        &self,
        tokens: &PackedTokens,
        [first, count]: [usize; 2],
        workspace: &mut Workspace,
        out: &mut Vec<f32>,
    ) {
        let starts = &tokens.starts()[first..=first + count];
        let (start, end) = (starts[0], starts[count]);
        if start == end {
            return;
        }
        let texts: Vec<[usize; 2]> = starts
            .windows(2)
            .filter(|pair| pair[0] < pair[1])
            .map(|pair| [pair[0] - start, pair[1] - pair[0]])
            .collect();
        workspace.shape(end - start, self.hidden);
        let ids = (start..end).map(|token| {
            [
                tokens.ids()[token],
                tokens.types()[token],
                tokens.positions()[token],
            ]
        });
        self.embed.enter(
            self.instructions,
            ids,
            &mut workspace.normed,
            &mut workspace.prepared,
            &mut workspace.stream,
        );
        for (weights, plan) in &self.plans {
            self.layers[*weights].forward(plan, &texts, end - start, workspace);
        }
        if let Some(norm) = &self.final_norm {
            let stride = workspace.stream.stride();
            norm.apply(
                self.instructions,
                workspace.stream.from(0),
                stride,
                end - start,
            );
        }
        (0..end - start).for_each(|row| out.extend_from_slice(workspace.stream.row(row)));
    }
}

/// A transformer at work on one thread.
struct TransformerPass<'a> {
    transformer: &'a Transformer,
    workspace: Workspace,
}

impl Pass for TransformerPass<'_> {
    fn hidden(&mut self, tokens: &PackedTokens, out: &mut Vec<f32>) -> Result<()> {
        let transformer = self.transformer;
        out.clear();
        out.reserve(tokens.token_count() * transformer.hidden);
        transformer.embed.check(tokens)?;
        for group in transformer.groups(tokens.starts()) {
            transformer.append(tokens, group, &mut self.workspace, out);
        }
        Ok(())
    }
}

impl Forward for Transformer {
    fn pass(&self) -> Box<dyn Pass + '_> {
        Box::new(TransformerPass {
            transformer: self,
            workspace: Workspace::default(),
        })
    }

    fn batch_tokens(&self) -> usize {
        self.group_tokens
    }

    fn memory_bytes(&self) -> usize {
        let norm = self.final_norm.as_ref().map_or(0, Norm::memory_bytes);
        self.embed.memory_bytes()
            + self
                .layers
                .iter()
                .map(PackedLayer::memory_bytes)
                .sum::<usize>()
            + norm
    }
}
