//! `AttributeProto`: what a node says of itself, its lists as narrow as their numbers allow.
//!
//! Owns the one message whose lists are as long as a model is large: a forest's are nine numbers
//! and a text for each node. They are read once, while they are passed.

use std::collections::HashMap;
use std::sync::Arc;

use super::schema::{Graph, SparseTensorProto, TensorProto};
use crate::error::Result;
use crate::format::wire::protobuf::{Key, Message, Wire};
use crate::graph::lists::IntegerList;

/// Attributes that say how a forest grew, not what it answers; they are as long as it has nodes.
pub(super) const UNREAD: [&str; 2] = ["nodes_hitrates", "nodes_hitrates_as_tensor"];

#[derive(Debug, Default)]
pub(super) struct AttributeProto<'a> {
    pub(super) name: &'a str,
    pub(super) reference: &'a str,
    pub(super) kind: i64,
    pub(super) float: f32,
    pub(super) int: i64,
    pub(super) string: &'a [u8],
    pub(super) tensor: Option<TensorProto<'a>>,
    pub(super) graph: Option<Box<Graph<'a>>>,
    pub(super) floats: Arc<Vec<f32>>,
    pub(super) ints: Arc<IntegerList>,
    pub(super) strings: StringList<'a>,
    pub(super) tensors: Vec<TensorProto<'a>>,
    pub(super) sparse: Option<SparseTensorProto<'a>>,
}

/// The texts of a list, as bytes, each distinct one kept once.
#[derive(Debug, Default)]
pub(super) struct StringList<'a> {
    pub(super) distinct: Vec<&'a [u8]>,
    /// For each text of the list its index among the distinct ones.
    pub(super) indices: Arc<Vec<u32>>,
}

impl<'a> StringList<'a> {
    /// All texts in their order.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + '_ {
        self.indices
            .iter()
            .map(|index| self.distinct[*index as usize])
    }
}

const FLOATS: Key = Key::fixed32(7);
const INTS: Key = Key::varint(8);
const STRINGS: Key = Key::bytes(9);

impl<'a> AttributeProto<'a> {
    pub(super) fn inside(wire: Wire<'a>) -> Result<Self> {
        Self::read(wire.message()?)
    }

    pub(super) fn read(mut message: Message<'a>) -> Result<Self> {
        let mut attribute = Self::default();
        let (mut floats, mut ints, mut strings) =
            (Vec::new(), IntegerList::default(), Strings::default());
        while let Some((number, wire)) = message.next()? {
            match number {
                1 => attribute.name = wire.text()?,
                2 => attribute.float = wire.float()?,
                3 => attribute.int = wire.integer()?,
                4 => attribute.string = wire.bytes()?,
                5 => attribute.tensor = Some(TensorProto::inside(wire)?),
                6 => attribute.graph = Some(Box::new(Graph::inside(wire)?)),
                7..=9 if UNREAD.contains(&attribute.name) => [FLOATS, INTS, STRINGS]
                    .into_iter()
                    .for_each(|key| message.pass(key)),
                7 => {
                    wire.floats(&mut floats)?;
                    // Memory that is not touched costs nothing; what cannot be had at once may be
                    // had piece by piece.
                    let _ = floats.try_reserve(message.most(FLOATS));
                    message.fixed32s(FLOATS, |value| floats.push(value));
                }
                8 => {
                    let mut first = Vec::new();
                    wire.integers(&mut first)?;
                    first.into_iter().for_each(|value| ints.push(value));
                    read_ints(&mut message, &mut ints);
                }
                9 => {
                    strings.push(wire.bytes()?);
                    message.parts(STRINGS, |bytes| strings.push(bytes));
                }
                10 => attribute.tensors.push(TensorProto::inside(wire)?),
                22 => attribute.sparse = Some(SparseTensorProto::inside(wire)?),
                20 => attribute.kind = wire.integer()?,
                21 => attribute.reference = wire.text()?,
                _ => {}
            }
        }
        floats.shrink_to_fit();
        (attribute.floats, attribute.ints, attribute.strings) =
            (Arc::new(floats), Arc::new(ints), strings.finish());
        Ok(attribute)
    }
}

/// The numbers of a list that follow, as narrow as they allow.
fn read_ints(message: &mut Message, ints: &mut IntegerList) {
    macro_rules! read {
        ($values:ident, $type:ty) => {{
            let (before, count, mut fit) = (*message, $values.len(), true);
            let _ = $values.try_reserve(message.most(INTS));
            message.varints(INTS, |value| {
                fit &= <$type>::try_from(value as i64).is_ok();
                $values.push(value as $type);
            });
            if fit {
                $values.shrink_to_fit();
                return;
            }
            $values.truncate(count);
            *message = before;
        }};
    }
    loop {
        match ints {
            IntegerList::Narrow(values) => read!(values, i16),
            IntegerList::Short(values) => read!(values, i32),
            IntegerList::Long(values) => read!(values, i64),
        }
        ints.widen();
    }
}

/// A list of texts that is being read.
#[derive(Default)]
struct Strings<'a> {
    distinct: Vec<&'a [u8]>,
    indices: Vec<u32>,
    known: HashMap<&'a [u8], u32, ahash::RandomState>,
    /// The kinds of a tree's nodes are two that take turns.
    recent: [Option<(&'a [u8], u32)>; 2],
}

impl<'a> Strings<'a> {
    fn push(&mut self, bytes: &'a [u8]) {
        let known = self
            .recent
            .iter()
            .flatten()
            .find(|(text, _)| *text == bytes)
            .copied();
        let index = known.map_or_else(|| self.index(bytes), |(_, index)| index);
        self.indices.push(index);
    }

    fn index(&mut self, bytes: &'a [u8]) -> u32 {
        let index = *self.known.entry(bytes).or_insert_with(|| {
            self.distinct.push(bytes);
            self.distinct.len() as u32 - 1
        });
        self.recent = [Some((bytes, index)), self.recent[0]];
        index
    }

    fn finish(self) -> StringList<'a> {
        StringList {
            distinct: self.distinct,
            indices: Arc::new(self.indices),
        }
    }
}
