//! Lists that a node gives by name, in little memory: those of a forest are as long as the forest
//! has nodes.

use std::borrow::Cow;
use std::sync::Arc;

/// A list of integers, as narrow as they allow.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the types say it")]
pub enum IntegerList {
    Narrow(Vec<i16>),
    Short(Vec<i32>),
    Long(Vec<i64>),
}

impl Default for IntegerList {
    fn default() -> Self {
        Self::Narrow(Vec::new())
    }
}

impl IntegerList {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Narrow(values) => values.len(),
            Self::Short(values) => values.len(),
            Self::Long(values) => values.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number at this place, which there is.
    #[must_use]
    pub fn get(&self, index: usize) -> i64 {
        match self {
            Self::Narrow(values) => values[index].into(),
            Self::Short(values) => values[index].into(),
            Self::Long(values) => values[index],
        }
    }

    /// All numbers in their order.
    pub fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        (0..self.len()).map(|index| self.get(index))
    }

    /// All numbers in their order.
    #[must_use]
    pub fn to_vec(&self) -> Vec<i64> {
        self.iter().collect()
    }

    /// All numbers in 16 bits, if they are kept so.
    #[must_use]
    pub fn narrow(&self) -> Option<Cow<'_, [i16]>> {
        if let Self::Narrow(values) = self {
            Some(values.into())
        } else {
            None
        }
    }

    /// All numbers in 32 bits, if they are kept in no more.
    #[must_use]
    pub fn short(&self) -> Option<Cow<'_, [i32]>> {
        match self {
            Self::Narrow(values) => Some(values.iter().copied().map(i32::from).collect()),
            Self::Short(values) => Some(values.into()),
            Self::Long(_) => None,
        }
    }

    /// All numbers in 64 bits.
    #[must_use]
    pub fn long(&self) -> Cow<'_, [i64]> {
        if let Self::Long(values) = self {
            values.into()
        } else {
            self.iter().collect()
        }
    }

    /// Adds a number.
    pub fn push(&mut self, value: i64) {
        match self {
            Self::Narrow(values) if i16::try_from(value).is_ok() => values.push(value as i16),
            Self::Short(values) if i32::try_from(value).is_ok() => values.push(value as i32),
            Self::Long(values) => values.push(value),
            _ => {
                self.widen();
                self.push(value);
            }
        }
    }

    /// The same numbers in the next wider type.
    pub fn widen(&mut self) {
        match self {
            Self::Narrow(values) => {
                *self = Self::Short(values.iter().copied().map(i32::from).collect());
            }
            Self::Short(values) => {
                *self = Self::Long(values.iter().copied().map(i64::from).collect());
            }
            Self::Long(_) => {}
        }
    }
}

impl FromIterator<i64> for IntegerList {
    fn from_iter<I: IntoIterator<Item = i64>>(values: I) -> Self {
        Self::Long(values.into_iter().collect())
    }
}

/// A list of texts, each distinct one kept once: a forest lists the kind of every node.
#[derive(Clone, Debug, Default)]
pub struct TextList {
    /// The distinct texts.
    pub distinct: Vec<Arc<str>>,
    /// For each text of the list its index among the distinct ones.
    pub indices: Arc<Vec<u32>>,
}

impl TextList {
    /// The texts in their order.
    #[must_use]
    pub fn to_vec(&self) -> Vec<Arc<str>> {
        self.indices
            .iter()
            .map(|index| self.distinct[*index as usize].clone())
            .collect()
    }
}

impl FromIterator<Arc<str>> for TextList {
    fn from_iter<I: IntoIterator<Item = Arc<str>>>(texts: I) -> Self {
        let distinct: Vec<Arc<str>> = texts.into_iter().collect();
        Self {
            indices: Arc::new((0..distinct.len() as u32).collect()),
            distinct,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_grows_wider_with_its_numbers_and_keeps_them() {
        let mut list = IntegerList::default();
        let numbers = [0, -1, 32_767, 32_768, -1 << 31, 1 << 31, 5];
        for (count, number) in numbers.into_iter().enumerate() {
            list.push(number);
            assert_eq!(list.to_vec(), numbers[..=count]);
            assert_eq!(
                (list.narrow().is_some(), list.short().is_some()),
                (count < 3, count < 5)
            );
            assert_eq!(*list.long(), numbers[..=count]);
        }
    }
}
