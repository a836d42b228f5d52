//! Lanes of any processor: bit logic on words.

use super::lanes::{Lanes, Task};
use super::slice::Mask;

/// Any processor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portable;

/// What the narrowest common register holds; the compiler's output, and the time that it takes,
/// grow with it.
type Words = [u64; 2];

impl Lanes for Portable {
    type Part = Words;

    const PARTS: usize = 4;

    fn vectorised<K: Task>(self, task: K) {
        task.run(self);
    }

    #[inline(always)]
    fn none(self) -> Words {
        [0; 2]
    }

    #[inline(always)]
    fn load(self, mask: &Mask, part: usize) -> Words {
        mask.0.as_chunks().0[part]
    }

    #[inline(always)]
    fn store(self, rows: Words, mask: &mut Mask, part: usize) {
        mask.0.as_chunks_mut().0[part] = rows;
    }

    #[inline(always)]
    fn choose(self, condition: Words, yes: Words, no: Words) -> Words {
        std::array::from_fn(|word| no[word] ^ (condition[word] & (yes[word] ^ no[word])))
    }

    #[inline(always)]
    fn split(self, low: Words, high: Words, condition: Words) -> Words {
        std::array::from_fn(|word| low[word] | (high[word] & !condition[word]))
    }

    #[inline(always)]
    fn xor(self, first: Words, second: Words) -> Words {
        std::array::from_fn(|word| first[word] ^ second[word])
    }
}
