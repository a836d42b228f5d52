//! What a model reads, counted in the bins of a baseline.
//!
//! Owns the observer and what it counts of each input: rows, missing values, NaN, infinities,
//! extremes, moments, and the rows in the baseline's bins or categories. All of it adds up in any
//! order. It must not know verdicts or facts.

use std::any::Any;
use std::sync::Arc;

use super::bins::{Binned, FrozenBins};
use super::known::{KnownCategories, KnownCounts};
use super::moments::{Moments, Scale};
use super::profile::{ColumnProfile, Kind, Profile};
use super::reading::{InputReader, Reading, Reals, Scratch};
use crate::background;
use crate::error::{Error, Result};
use crate::feature::Precision;
use crate::kernel::tally::Extremes;
use crate::pipeline::observer::{EncodedBlock, Observer, Partial, ScoredPortion};
use crate::statistics::bytes::{Reader, Writer};
use crate::statistics::categories::{BUCKETS, Categories, MAX_CATEGORIES};
use crate::statistics::distribution::Distribution;
use crate::statistics::quantile_sketch::MAX_BUCKETS;

/// What of an input is counted.
#[derive(Debug)]
pub enum Counting {
    /// Numbers in the baseline's bins.
    Bins(Box<FrozenBins>, Scale),
    /// Numbers that the baseline has no bins for.
    Numbers(Scale),
    /// Categories of a baseline that counts every one of its own.
    Known(KnownCategories),
    /// Other categories.
    Categories,
    /// Only whether there is a value.
    Presence,
}

/// An input and how it is counted.
#[derive(Debug)]
pub struct Counted {
    /// The input.
    pub reader: InputReader,
    /// Its number among the first arm's inputs.
    pub index: usize,
    /// What is counted.
    pub counting: Counting,
}

/// How numbers get to the model.
#[derive(Clone, Copy, Debug)]
pub struct Precisions {
    /// What the model rounds them to.
    pub model: Precision,
    /// What blocks hold them in; none where columns keep their types.
    pub block: Option<Precision>,
}

impl Precisions {
    /// The bins of a baseline, ready to be counted in.
    fn bins(self, baseline: &Distribution) -> Option<FrozenBins> {
        let bins = FrozenBins::new(baseline, |value| match self.model {
            Precision::Single => f64::from(value as f32),
            Precision::Double => value,
        })?;
        match self.block {
            Some(Precision::Single) => _ = f32::cells(&bins),
            Some(Precision::Double) => _ = f64::cells(&bins),
            None => {}
        }
        Some(bins)
    }
}

/// Observes what the model reads.
#[derive(Debug)]
pub struct BaselineObserver {
    columns: Vec<Counted>,
    /// Of the baseline: what was counted against another one is of no use.
    digest: u128,
}

impl BaselineObserver {
    /// The observer of inputs against a baseline with this digest.
    ///
    /// # Errors
    /// Fails only if a thread does.
    pub fn new(
        inputs: Vec<(usize, InputReader)>,
        baseline: &Profile,
        digest: u128,
        precisions: Precisions,
    ) -> Result<Self> {
        let counting = |(_, reader): &(usize, InputReader)| {
            let known = baseline.column(&reader.column);
            let kind = known.map(ColumnProfile::kind);
            let scale = known.map_or(Scale::exact(), |known| {
                Scale::new(known.numbers.mean(), known.numbers.standard_deviation())
            });
            let bins = || precisions.bins(&known?.numbers);
            let categories = || {
                let known = known.filter(|_| kind == Some(Kind::Categories));
                let known = known.and_then(|known| KnownCategories::of(&known.categories));
                known.map_or(Counting::Categories, Counting::Known)
            };
            match (reader.reading, kind) {
                (Reading::Presence, _) => Counting::Presence,
                (Reading::Numbers | Reading::Codes, Some(Kind::Numbers)) => bins()
                    .map_or(Counting::Numbers(scale), |bins| {
                        Counting::Bins(Box::new(bins), scale)
                    }),
                (Reading::Texts | Reading::Codes, _) => categories(),
                (Reading::Numbers, Some(Kind::Categories)) if reader.may_be_texts() => categories(),
                (Reading::Numbers, _) => Counting::Numbers(scale),
            }
        };
        let countings = background::each(&inputs, |_| MAX_BUCKETS, counting)?;
        let columns = inputs.into_iter().zip(countings);
        let columns = columns.map(|((index, reader), counting)| Counted {
            reader,
            index,
            counting,
        });
        Ok(Self {
            columns: columns.collect(),
            digest,
        })
    }

    /// The digest of the baseline.
    #[must_use]
    pub fn baseline_digest(&self) -> u128 {
        self.digest
    }

    /// The inputs.
    #[must_use]
    pub fn columns(&self) -> &[Counted] {
        &self.columns
    }

    /// What the bins take, and what a portion's counts take.
    #[must_use]
    pub fn byte_counts(&self) -> (u64, u64) {
        let bins = |column: &Counted| match &column.counting {
            Counting::Bins(bins, _) => (bins.byte_count(), (bins.len() + 1) * size_of::<u64>()),
            Counting::Known(known) => (known.byte_count(), known.len() * size_of::<u64>()),
            Counting::Categories => (0, MAX_CATEGORIES * CATEGORY_BYTES + BUCKETS * 8),
            Counting::Numbers(_) | Counting::Presence => (0, 0),
        };
        self.columns.iter().map(bins).fold((0, 0), |sum, one| {
            (sum.0 + one.0 as u64, sum.1 + (one.1 + COLUMN_BYTES) as u64)
        })
    }

    fn counts(&self) -> InputCounts {
        let columns = self.columns.iter().map(|column| ColumnCounts {
            values: match &column.counting {
                Counting::Bins(bins, _) => Values::Numbers {
                    bins: vec![0; bins.len() + 1],
                    moments: Moments::default(),
                },
                Counting::Numbers(_) => Values::Numbers {
                    bins: Vec::new(),
                    moments: Moments::default(),
                },
                Counting::Known(known) => Values::Known(known.no_counts()),
                Counting::Categories => Values::Categories(Categories::default()),
                Counting::Presence => Values::Presence,
            },
            ..ColumnCounts::default()
        });
        InputCounts {
            columns: columns.collect(),
            digest: self.digest,
            scratch: Scratch::default(),
        }
    }
}

/// What a category takes in memory: its text, and its part of a tree's node.
const CATEGORY_BYTES: usize = 160;

/// What a column's counts take besides bins.
const COLUMN_BYTES: usize = 512;

impl Observer for Arc<BaselineObserver> {
    fn name(&self) -> &'static str {
        "inputs"
    }

    fn version(&self) -> u32 {
        4
    }

    fn empty(&self) -> Box<dyn Partial> {
        Box::new(self.counts())
    }

    fn observe(&self, _portion: &ScoredPortion<'_>) -> Result<Box<dyn Partial>> {
        // All is seen in blocks.
        Ok(self.empty())
    }

    fn watches_blocks(&self) -> bool {
        true
    }

    fn observe_block(&self, partial: &mut dyn Partial, block: &EncodedBlock<'_>) -> Result<()> {
        let partial: &mut dyn Any = partial;
        let counts: &mut InputCounts = partial
            .downcast_mut()
            .ok_or_else(|| Error::internal("not counts of inputs"))?;
        let InputCounts {
            columns, scratch, ..
        } = counts;
        self.columns
            .iter()
            .zip(columns)
            .try_for_each(|(column, counts)| counts.observe(column, block, scratch))
    }

    fn needs_only_scores(&self) -> bool {
        false
    }

    fn partial_of(&self, bytes: &[u8]) -> Option<Box<dyn Partial>> {
        let mut counts = self.counts();
        counts.read(&mut Reader::new(bytes))?;
        Some(Box::new(counts))
    }
}

/// Counts of a column's values.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Values {
    /// Numbers: rows in each bin and of NaN; none without bins.
    Numbers {
        /// Rows of each bin, then of NaN.
        bins: Vec<u64>,
        /// The finite ones.
        moments: Moments,
    },
    /// Categories of the baseline, and all others.
    Known(KnownCounts),
    /// Categories.
    Categories(Categories),
    /// Nothing.
    #[default]
    Presence,
}

/// What was counted of an input.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnCounts {
    /// Rows that were scored.
    pub rows: u64,
    /// Rows without a value.
    pub missing: u64,
    /// Rows of NaN that came in as such.
    pub nan: u64,
    /// Rows of +∞ and of −∞.
    pub infinite: [u64; 2],
    /// The least and the largest finite value.
    pub extremes: Option<(f64, f64)>,
    /// The values.
    pub values: Values,
}

impl ColumnCounts {
    /// The share of rows without a value; none for no rows.
    #[must_use]
    pub fn missing_rate(&self) -> Option<f64> {
        (self.rows > 0).then(|| (self.missing + self.nan) as f64 / self.rows as f64)
    }

    fn observe(
        &mut self,
        column: &Counted,
        block: &EncodedBlock<'_>,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let (reader, index) = (&column.reader, column.index);
        match (&column.counting, &mut self.values) {
            (Counting::Bins(..) | Counting::Numbers(_), Values::Numbers { .. }) => {
                match reader.reals(block, index, scratch)? {
                    Reals::Single(values) => self.observe_reals(values, column, block)?,
                    Reals::Double(values) => self.observe_reals(values, column, block)?,
                }
            }
            (Counting::Known(known), Values::Known(counts)) => {
                let found = reader.categories(block, index)?;
                self.rows += found.rows;
                self.missing += found.missing;
                for (text, count) in &found.texts {
                    known.add(counts, text, *count);
                }
            }
            (Counting::Categories, Values::Categories(categories)) => {
                let found = reader.categories(block, index)?;
                self.rows += found.rows;
                self.missing += found.missing;
                for (text, count) in &found.texts {
                    if reader.is_hidden {
                        categories.add_without_text(text, *count);
                    } else {
                        categories.add(text, *count);
                    }
                }
            }
            _ => {
                let (rows, missing) = reader.presence(block, index)?;
                self.rows += rows;
                self.missing += missing;
            }
        }
        Ok(())
    }

    fn observe_reals<T: Binned>(
        &mut self,
        values: &[T],
        column: &Counted,
        block: &EncodedBlock<'_>,
    ) -> Result<()> {
        let extremes = Extremes::of(values);
        let without = extremes.nan_count;
        let nan = column.reader.nan_among(block, column.index, without)?;
        self.rows += values.len() as u64;
        self.nan += nan;
        self.missing += without - nan;
        if let Values::Numbers { bins, moments } = &mut self.values {
            match &column.counting {
                Counting::Bins(frozen, scale) => {
                    frozen.count(values, without, bins);
                    moments.add_within(values, scale, &extremes);
                }
                Counting::Numbers(scale) => moments.add_within(values, scale, &extremes),
                Counting::Known(_) | Counting::Categories | Counting::Presence => {}
            }
        }
        self.observe_range(values, &extremes);
        Ok(())
    }

    fn observe_range<T: Binned>(&mut self, values: &[T], extremes: &Extremes<T>) {
        let (mut min, mut max) = (extremes.min.double(), extremes.max.double());
        if min.is_infinite() || max.is_infinite() {
            let values = || values.iter().map(|value| value.double());
            let count = |infinity: f64| values().filter(|one| *one == infinity).count() as u64;
            self.infinite[0] += count(f64::INFINITY);
            self.infinite[1] += count(f64::NEG_INFINITY);
            let finite = values().filter(|value| value.is_finite());
            (min, max) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), value| {
                (min.min(value), max.max(value))
            });
        }
        if min <= max {
            self.stretch(min + 0.0, max + 0.0);
        }
    }

    fn stretch(&mut self, min: f64, max: f64) {
        let (least, most) = self.extremes.unwrap_or((min, max));
        self.extremes = Some((least.min(min), most.max(max)));
    }

    /// The finite values among those in bins: those of the infinities are in the outer bins.
    #[must_use]
    pub fn finite_bins(&self) -> Vec<u64> {
        let Values::Numbers { bins, .. } = &self.values else {
            return Vec::new();
        };
        let mut bins = bins.clone();
        bins.pop();
        if let Some(last) = bins.last_mut() {
            *last = last.saturating_sub(self.infinite[0]);
        }
        if let Some(first) = bins.first_mut() {
            *first = first.saturating_sub(self.infinite[1]);
        }
        bins
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        self.rows += other.rows;
        self.missing += other.missing;
        self.nan += other.nan;
        self.infinite[0] += other.infinite[0];
        self.infinite[1] += other.infinite[1];
        if let Some((min, max)) = other.extremes {
            self.stretch(min, max);
        }
        match (&mut self.values, &other.values) {
            (
                Values::Numbers { bins, moments },
                Values::Numbers {
                    bins: other_bins,
                    moments: other_moments,
                },
            ) if bins.len() == other_bins.len() => {
                bins.iter_mut()
                    .zip(other_bins)
                    .for_each(|(own, other)| *own += other);
                moments.merge(other_moments);
            }
            (Values::Known(own), Values::Known(other)) => own.merge(other),
            (Values::Categories(own), Values::Categories(other)) => own.merge(other),
            (Values::Presence, Values::Presence) => {}
            _ => return Err(Error::internal("counts of other inputs")),
        }
        Ok(())
    }

    fn write(&self, writer: &mut Writer) {
        [self.rows, self.missing, self.nan]
            .into_iter()
            .chain(self.infinite)
            .for_each(|count| writer.integer(count));
        writer.integer(u64::from(self.extremes.is_some()));
        if let Some((min, max)) = self.extremes {
            writer.integer(min.to_bits());
            writer.integer(max.to_bits());
        }
        match &self.values {
            Values::Numbers { bins, moments } => {
                bins.iter().for_each(|count| writer.integer(*count));
                moments.write(writer);
            }
            Values::Known(KnownCounts { counts, unseen }) => {
                counts.iter().for_each(|count| writer.integer(*count));
                writer.integer(*unseen);
            }
            Values::Categories(categories) => categories.write(writer),
            Values::Presence => {}
        }
    }

    /// Reads counts of the same column.
    fn read(&mut self, reader: &mut Reader) -> Option<()> {
        self.rows = reader.count()?;
        self.missing = reader.count()?;
        self.nan = reader.count()?;
        self.infinite = [reader.count()?, reader.count()?];
        self.extremes = match reader.integer()? {
            0 => None,
            1 => {
                let [min, max] = [reader.integer()?, reader.integer()?].map(f64::from_bits);
                (min.is_finite() && max.is_finite() && min <= max).then_some(())?;
                Some((min, max))
            }
            _ => return None,
        };
        match &mut self.values {
            Values::Numbers { bins, moments } => {
                for count in bins.iter_mut() {
                    *count = reader.count()?;
                }
                *moments = Moments::read(reader)?;
            }
            Values::Known(KnownCounts { counts, unseen }) => {
                for count in counts.iter_mut() {
                    *count = reader.count()?;
                }
                *unseen = reader.count()?;
            }
            Values::Categories(categories) => *categories = Categories::read(reader)?,
            Values::Presence => {}
        }
        Some(())
    }
}

/// What was counted of all inputs.
#[derive(Debug)]
pub struct InputCounts {
    /// One for each of the observer's columns.
    pub columns: Vec<ColumnCounts>,
    digest: u128,
    scratch: Scratch,
}

impl InputCounts {
    fn read(&mut self, reader: &mut Reader) -> Option<()> {
        let digest = u128::from(reader.integer()?) << 64 | u128::from(reader.integer()?);
        (digest == self.digest && reader.integer()? == self.columns.len() as u64).then_some(())?;
        for column in &mut self.columns {
            column.read(reader)?;
        }
        reader.is_at_end().then_some(())
    }
}

impl Partial for InputCounts {
    fn merge(&mut self, other: &dyn Partial) -> Result<()> {
        let other: &dyn Any = other;
        let other: &Self = other
            .downcast_ref()
            .filter(|other: &&Self| other.columns.len() == self.columns.len())
            .ok_or_else(|| Error::internal("counts of other inputs"))?;
        self.columns
            .iter_mut()
            .zip(&other.columns)
            .try_for_each(|(own, other)| own.merge(other))
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.integer((self.digest >> 64) as u64);
        writer.integer(self.digest as u64);
        writer.integer(self.columns.len() as u64);
        self.columns
            .iter()
            .for_each(|column| column.write(&mut writer));
        writer.into_bytes()
    }
}
