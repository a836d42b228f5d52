//! The profile of a run: the model's inputs as it reads them, then its scores.
//!
//! Owns the observer. What a profile holds is [`super::profile`]'s.

use std::any::Any;

use arrow::datatypes::Field;

use super::profile::{ColumnProfile, Kind, Profile};
use super::reading::{InputReader, Numbers, Reading};
use crate::error::{Error, Result};
use crate::pipeline::observer::{EncodedBlock, Observer, Partial, ScoredPortion};
use crate::statistics::bytes::{Reader, Writer};
use crate::statistics::quantile_sketch::{BUCKET_BYTES, MAX_BUCKETS};

/// The name of this observer.
pub const PROFILE: &str = "profile";

/// Profiles inputs and scores.
#[derive(Debug)]
pub struct ProfileObserver {
    inputs: Vec<(usize, InputReader)>,
    /// Scores with their positions among the columns that the model adds.
    scores: Vec<(usize, Field)>,
}

/// A profile of some rows of a run.
#[derive(Debug)]
pub struct RunProfile {
    /// Inputs, then scores.
    pub profile: Profile,
    scratch: Numbers,
}

impl ProfileObserver {
    /// The observer of these inputs, each with its number among the first arm's, and scores.
    #[must_use]
    pub fn new(inputs: Vec<(usize, InputReader)>, scores: Vec<Field>) -> Self {
        let is_input = |name: &str| inputs.iter().any(|(_, reader)| reader.column == name);
        let scores = scores
            .into_iter()
            .enumerate()
            .filter(|(_, field)| !is_input(field.name()))
            .collect();
        Self { inputs, scores }
    }

    /// What a profile takes at most.
    #[must_use]
    pub fn profile_bytes(&self) -> u64 {
        let bytes = |column: &ColumnProfile| match column.kind() {
            Kind::Other => SMALL_BYTES,
            kind if kind.has_numbers() => SKETCH_BYTES + SMALL_BYTES,
            _ => COLUMN_BYTES,
        };
        self.profile().columns.iter().map(bytes).sum()
    }

    fn profile(&self) -> Profile {
        let inputs = self.inputs.iter().map(|(_, reader)| {
            let kind = match reader.profiled() {
                Reading::Numbers => Kind::Numbers,
                Reading::Codes | Reading::Texts => Kind::Categories,
                Reading::Presence => Kind::Other,
            };
            ColumnProfile::new(reader.column.clone(), kind)
        });
        let scores = self.scores.iter().map(|(_, field)| {
            let kind = Kind::of(field.data_type(), false);
            ColumnProfile::new(field.name().clone(), kind)
        });
        Profile {
            columns: inputs.chain(scores).collect(),
        }
    }
}

/// What a column's sketch takes at most.
const SKETCH_BYTES: u64 = (MAX_BUCKETS * BUCKET_BYTES) as u64;

/// What a column takes besides its sketch and its categories: sums, registers, and the hashes that
/// they grew from.
const SMALL_BYTES: u64 = 24 << 10;

/// What a column's profile takes at most: its sketch; the smaller tables that it grew from, its
/// categories, its registers.
pub const COLUMN_BYTES: u64 = SKETCH_BYTES + (88 << 10);

impl Observer for ProfileObserver {
    fn name(&self) -> &'static str {
        PROFILE
    }

    fn version(&self) -> u32 {
        3
    }

    fn empty(&self) -> Box<dyn Partial> {
        Box::new(RunProfile {
            profile: self.profile(),
            scratch: Numbers::default(),
        })
    }

    fn observe(&self, portion: &ScoredPortion<'_>) -> Result<Box<dyn Partial>> {
        let mut partial = self.empty();
        self.observe_into(&mut *partial, portion)?;
        Ok(partial)
    }

    fn observe_into(&self, partial: &mut dyn Partial, portion: &ScoredPortion<'_>) -> Result<()> {
        let partial: &mut dyn Any = partial;
        let RunProfile { profile, .. } = partial.downcast_mut().ok_or_else(not_a_profile)?;
        let columns = profile.columns.iter_mut().skip(self.inputs.len());
        for (column, (position, _)) in columns.zip(&self.scores) {
            let scores = portion.scores.get(*position);
            let scores = scores.ok_or_else(|| Error::internal("a column of scores is missing"))?;
            column.observe(scores)?;
        }
        Ok(())
    }

    fn gathers(&self) -> bool {
        true
    }

    fn watches_blocks(&self) -> bool {
        true
    }

    fn observe_block(&self, partial: &mut dyn Partial, block: &EncodedBlock<'_>) -> Result<()> {
        let partial: &mut dyn Any = partial;
        let RunProfile { profile, scratch } = partial.downcast_mut().ok_or_else(not_a_profile)?;
        for ((index, reader), column) in self.inputs.iter().zip(&mut profile.columns) {
            match reader.profiled() {
                Reading::Numbers => {
                    reader.numbers(block, *index, scratch)?;
                    let Numbers {
                        values,
                        missing,
                        nan,
                    } = scratch;
                    values.retain(|value| !value.is_nan());
                    values.extend((0..*nan).map(|_| f64::NAN));
                    column.observe_values(values, *missing);
                }
                Reading::Codes | Reading::Texts => {
                    let found = reader.categories(block, *index)?;
                    let mut others = found.rows - found.missing;
                    for (text, count) in &found.texts {
                        column.observe_category(text, *count);
                        others -= count;
                    }
                    column.observe_missing(found.missing);
                    column.observe_others(others);
                }
                Reading::Presence => {
                    let (rows, missing) = reader.counts(block, *index, scratch)?;
                    column.observe_missing(missing);
                    column.observe_others(rows - missing);
                }
            }
        }
        Ok(())
    }

    fn needs_only_scores(&self) -> bool {
        false
    }

    fn partial_of(&self, bytes: &[u8]) -> Option<Box<dyn Partial>> {
        let profile = read(&mut Reader::new(bytes))?;
        let mut own = self.profile();
        own.merge(&profile).ok()?;
        Some(Box::new(RunProfile {
            profile: own,
            scratch: Numbers::default(),
        }))
    }
}

impl Partial for RunProfile {
    fn merge(&mut self, other: &dyn Partial) -> Result<()> {
        let other: &dyn Any = other;
        let other: &Self = other.downcast_ref().ok_or_else(not_a_profile)?;
        self.profile.merge(&other.profile)
    }

    fn absorb(&mut self, other: Box<dyn Partial>) -> Result<()> {
        let other: Box<dyn Any> = other;
        let other: Box<Self> = other.downcast().map_err(|_| not_a_profile())?;
        if self.profile.columns.iter().all(|column| column.rows == 0) {
            self.profile = other.profile;
            return Ok(());
        }
        self.profile.merge(&other.profile)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.integer(self.profile.columns.len() as u64);
        for column in &self.profile.columns {
            writer.bytes(&column.to_bytes());
        }
        writer.into_bytes()
    }
}

fn not_a_profile() -> Error {
    Error::internal("not a profile")
}

fn read(reader: &mut Reader) -> Option<Profile> {
    let mut profile = Profile::default();
    for _ in 0..reader.length()? {
        profile
            .columns
            .push(ColumnProfile::of_bytes(reader.bytes()?)?);
    }
    reader.is_at_end().then_some(profile)
}
