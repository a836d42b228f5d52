//! The tokens of many texts one after the other, without padding, and the trait of what turns them
//! into vectors.
//!
//! Owns where a text begins and which position each of its tokens has. It must not know where texts
//! come from.

use super::architecture::Positions;
use crate::error::Result;

/// The tokens of many texts: those of text `t` lie at `starts[t] .. starts[t + 1]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackedTokens {
    ids: Vec<u32>,
    types: Vec<u32>,
    positions: Vec<u32>,
    starts: Vec<usize>,
}

impl PackedTokens {
    /// No text.
    #[must_use]
    pub fn new() -> Self {
        Self {
            ids: Vec::new(),
            types: Vec::new(),
            positions: Vec::new(),
            starts: vec![0],
        }
    }

    /// Forgets all texts, keeps the room.
    pub fn clear(&mut self) {
        self.ids.clear();
        self.types.clear();
        self.positions.clear();
        self.starts.clear();
        self.starts.push(0);
    }

    /// Adds a text: an id and a type for each token. `positions` is the architecture's table of
    /// absolute positions, if it has one.
    pub fn push(&mut self, ids: &[u32], types: &[u32], positions: Option<Positions>) {
        self.ids.extend_from_slice(ids);
        self.types.extend_from_slice(types);
        let (first, padding) = positions.map_or((0, None), |positions| {
            (positions.first, positions.padding_id)
        });
        let mut next = first as u32;
        self.positions.extend(ids.iter().map(|id| {
            if Some(*id) == padding {
                return (first as u32).saturating_sub(1);
            }
            next += 1;
            next - 1
        }));
        self.starts.push(self.ids.len());
    }

    /// The ids of all tokens, each below the vocabulary's size.
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The types of all tokens, each below the number of types (0 where there are none).
    #[must_use]
    pub fn types(&self) -> &[u32] {
        &self.types
    }

    /// The rows of all tokens in the table of absolute positions. Positions in the text, which
    /// attention asks for, count from 0 at each start.
    #[must_use]
    pub fn positions(&self) -> &[u32] {
        &self.positions
    }

    /// Where texts begin, and at last where the last one ends: one more than there are texts.
    #[must_use]
    pub fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// Tokens of all texts.
    #[must_use]
    pub fn token_count(&self) -> usize {
        self.ids.len()
    }

    /// Texts.
    #[must_use]
    pub fn text_count(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }
}

/// A forward pass at work on one thread, with the memory that it writes on.
pub trait Pass: Send {
    /// The last hidden states, row-major \[tokens × hidden\], into `out`, which is cleared first. A
    /// text may be empty of tokens. The numbers of a text do not depend on the texts alongside it;
    /// on another device than the CPU they may in their last digits.
    ///
    /// # Errors
    /// Fails if the engine underneath fails.
    fn hidden(&mut self, tokens: &PackedTokens, out: &mut Vec<f32>) -> Result<()>;
}

/// A forward pass: immutable, shared by all workers.
pub trait Forward: Send + Sync + std::fmt::Debug {
    /// The pass for one thread.
    fn pass(&self) -> Box<dyn Pass + '_>;

    /// Whether it gives one vector for each text, \[texts × hidden\], instead of one for each
    /// token.
    fn is_pooled(&self) -> bool {
        false
    }

    /// About how many tokens a batch should have to be fastest.
    fn batch_tokens(&self) -> usize;

    /// Rows of a portion, where few are slower.
    fn portion_rows(&self) -> Option<usize> {
        None
    }

    /// Bytes that it holds, shared by all workers.
    fn memory_bytes(&self) -> usize;
}
