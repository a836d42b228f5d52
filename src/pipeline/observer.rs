//! What watches rows pass: on the workers, portion by portion, merged in the order of the input.
//!
//! Owns the two traits and the collection of what was seen. An observer gets a portion once it is
//! scored and gives a partial. Partials are merged at delivery: of a part, for the part's record;
//! of the run, for its report. A part's partials are stored with it, so that a run that goes on
//! after it has them without reading anything again.

use std::any::Any;
use std::fmt;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::SchemaRef;

use super::scoring::Rejection;
use crate::error::{Error, Result};
use crate::feature::FeatureBlock;
use crate::feature::verdict::Origin;
use crate::storage::Location;

/// A portion that a worker has scored.
#[derive(Clone, Copy, Debug)]
pub struct ScoredPortion<'a> {
    /// The rows that the filter kept, rejected ones included, with the columns that are read and
    /// the derived ones, in the types that they are read as.
    pub rows: &'a RecordBatch,
    /// The rows that a policy or a rule rejected, by their indices in `rows`, in order.
    pub rejections: &'a [Rejection],
    /// The columns that the model adds, of the rows that were not rejected.
    pub scores: &'a [ArrayRef],
    /// For each of the run's conditions on rows, whether each of `rows` meets it.
    pub verdicts: &'a [BooleanArray],
    /// Where the rows are from.
    pub origin: Origin<'a>,
    /// What the run's own model answered, where those of a challenger are observed.
    pub champion: Option<ChampionScores<'a>>,
}

/// The answers of a run's own model to the rows that a challenger scored.
#[derive(Clone, Copy, Debug)]
pub struct ChampionScores<'a> {
    /// Its columns: a row for each of [`ScoredPortion::scores`], null where it rejected the row.
    pub scores: &'a [ArrayRef],
    /// A hash of each row's place in the input.
    pub keys: &'a [u64],
}

/// Rows of a portion that a worker has just encoded and scored.
#[derive(Clone, Copy, Debug)]
pub struct EncodedBlock<'a> {
    /// The columns that feed the arm's inputs.
    pub columns: &'a [ArrayRef],
    /// What the model reads of them.
    pub features: Features<'a>,
    /// The rows that a policy or a rule rejected, by their indices in the block, ascending.
    pub rejected: &'a [usize],
    /// The rows of the block.
    pub row_count: usize,
}

/// What a model reads of a block.
#[derive(Clone, Copy, Debug)]
pub enum Features<'a> {
    /// Numbers, one column for each input; NaN stands for a missing value.
    Numbers(&'a FeatureBlock),
    /// Columns in the types that a graph or a text model declares.
    Columns(&'a [ArrayRef]),
}

/// What is done with every block of the first arm; none if no observer watches.
pub type Watch<'a> = Option<&'a mut dyn FnMut(&EncodedBlock<'_>) -> Result<()>>;

/// Watches the portions of a run. What it gives for several portions, merged, must not depend on
/// their number, borders or order.
pub trait Observer: fmt::Debug + Send + Sync {
    /// The name that its partials are stored under, of its own among a run's observers.
    fn name(&self) -> &'static str;

    /// The version of the bytes that its partials are stored as, and of what they mean. Where
    /// either changes, what another version stored is made again. `monitor::layouts` pins them.
    fn version(&self) -> u32;

    /// What is seen of no rows.
    fn empty(&self) -> Box<dyn Partial>;

    /// What is seen of a portion; called on the worker.
    ///
    /// # Errors
    /// Fails if a column cannot be observed.
    fn observe(&self, portion: &ScoredPortion<'_>) -> Result<Box<dyn Partial>>;

    /// Adds what is seen of a portion to a partial; called on the worker.
    ///
    /// # Errors
    /// As [`Observer::observe`].
    fn observe_into(&self, partial: &mut dyn Partial, portion: &ScoredPortion<'_>) -> Result<()> {
        partial.absorb(self.observe(portion)?)
    }

    /// Whether its partials are too large to be made for every portion. Then each worker adds to
    /// one of its own until the part ends, and of a part that does not end nothing is seen.
    fn gathers(&self) -> bool {
        false
    }

    /// Whether it looks at the blocks of the first arm too.
    fn watches_blocks(&self) -> bool {
        false
    }

    /// Adds what is seen of a block to a partial of its portion; called on the worker, while the
    /// block is in its cache.
    ///
    /// # Errors
    /// Fails if a column cannot be observed.
    fn observe_block(&self, _partial: &mut dyn Partial, _block: &EncodedBlock<'_>) -> Result<()> {
        Ok(())
    }

    /// Whether it looks at [`ScoredPortion::scores`] alone. If so, what it sees of a part that
    /// another version made is found out from the part's output; if not, the part is made again.
    fn needs_only_scores(&self) -> bool;

    /// A partial from its bytes, which are of this [`Observer::version`]. None if they are of other
    /// columns or damaged.
    fn partial_of(&self, bytes: &[u8]) -> Option<Box<dyn Partial>>;
}

/// What an observer saw of some rows.
pub trait Partial: Any + fmt::Debug + Send {
    /// Adds what the same observer saw of other rows.
    ///
    /// # Errors
    /// An internal error if another observer gave `other`.
    fn merge(&mut self, other: &dyn Partial) -> Result<()>;

    /// The same where `other` is not needed further.
    ///
    /// # Errors
    /// As [`Partial::merge`].
    fn absorb(&mut self, other: Box<dyn Partial>) -> Result<()> {
        self.merge(&*other)
    }

    /// The bytes that [`Observer::partial_of`] reads.
    fn to_bytes(&self) -> Vec<u8>;
}

/// What all observers of a run saw of the same rows: one partial each, in the observers' order;
/// none of observers whose partials are somewhere else.
#[derive(Debug)]
pub struct Partials(Vec<Option<Box<dyn Partial>>>);

/// What an observer sees of scores alone, where [`Observer::needs_only_scores`]; rows have
/// `schema`.
///
/// # Errors
/// The observer's failure.
pub fn observe_scores(
    observer: &dyn Observer,
    schema: &SchemaRef,
    scores: &[ArrayRef],
) -> Result<Box<dyn Partial>> {
    observer.observe(&ScoredPortion {
        rows: &RecordBatch::new_empty(schema.clone()),
        rejections: &[],
        scores,
        verdicts: &[],
        origin: Origin {
            path: &Location::default(),
            kept_rows: None,
            first_row: 0,
        },
        champion: None,
    })
}

impl Partials {
    /// What is seen of no rows.
    #[must_use]
    pub fn empty(observers: &[Box<dyn Observer>]) -> Self {
        Self::of(observers, |_| true)
    }

    /// What those observers that `has` names see of no rows.
    #[must_use]
    pub fn of(observers: &[Box<dyn Observer>], has: impl Fn(&dyn Observer) -> bool) -> Self {
        let partials = observers
            .iter()
            .map(|observer| has(&**observer).then(|| observer.empty()));
        Self(partials.collect())
    }

    /// Partials of the same rows, in the observers' order.
    #[must_use]
    pub fn new(partials: Vec<Box<dyn Partial>>) -> Self {
        Self(partials.into_iter().map(Some).collect())
    }

    /// What the observers see of a portion.
    ///
    /// # Errors
    /// The first observer's failure.
    pub fn observe(observers: &[Box<dyn Observer>], portion: &ScoredPortion<'_>) -> Result<Self> {
        let seen = observers.iter().map(|observer| observer.observe(portion));
        seen.collect::<Result<_>>().map(Self::new)
    }

    /// Adds what the observers see of a portion.
    ///
    /// # Errors
    /// The first observer's failure.
    pub fn observe_more(
        &mut self,
        observers: &[Box<dyn Observer>],
        portion: &ScoredPortion<'_>,
    ) -> Result<()> {
        self.with(observers)
            .try_for_each(|(partial, observer)| observer.observe_into(partial, portion))
    }

    /// The partials that are here, with their observers.
    fn with<'a>(
        &'a mut self,
        observers: &'a [Box<dyn Observer>],
    ) -> impl Iterator<Item = (&'a mut dyn Partial, &'a dyn Observer)> {
        let all = self.0.iter_mut().zip(observers);
        all.filter_map(|(partial, observer)| Some((&mut **partial.as_mut()?, &**observer)))
    }

    /// Adds what the observers see of a block.
    ///
    /// # Errors
    /// The first observer's failure.
    pub fn observe_block(
        &mut self,
        observers: &[Box<dyn Observer>],
        block: &EncodedBlock<'_>,
    ) -> Result<()> {
        self.with(observers)
            .filter(|(_, observer)| observer.watches_blocks())
            .try_for_each(|(partial, observer)| observer.observe_block(partial, block))
    }

    /// Adds what the same observers saw of other rows.
    ///
    /// # Errors
    /// An internal error if they are not the same observers.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.check(other)?;
        let both = self.0.iter_mut().zip(&other.0);
        let mut both = both.filter_map(|(own, other)| own.as_mut().zip(other.as_ref()));
        both.try_for_each(|(own, other)| own.merge(&**other))
    }

    /// The same where `other` is not needed further.
    ///
    /// # Errors
    /// As [`Partials::merge`].
    pub fn absorb(&mut self, other: Self) -> Result<()> {
        self.check(&other)?;
        let both = self.0.iter_mut().zip(other.0);
        let mut both = both.filter_map(|(own, other)| own.as_mut().zip(other));
        both.try_for_each(|(own, other)| own.absorb(other))
    }

    /// Checks that all that `other` has is here too.
    fn check(&self, other: &Self) -> Result<()> {
        let mut both = self.0.iter().zip(&other.0);
        if self.0.len() == other.0.len()
            && both.all(|(own, other)| own.is_some() || other.is_none())
        {
            return Ok(());
        }
        Err(Error::internal("partials of other observers"))
    }

    /// The partial of this type, if an observer gives such.
    #[must_use]
    pub fn get<P: Partial>(&self) -> Option<&P> {
        self.iter().find_map(|partial| {
            let partial: &dyn Any = partial;
            partial.downcast_ref()
        })
    }

    /// The same, without what other observers saw.
    #[must_use]
    pub fn into_partial<P: Partial>(self) -> Option<P> {
        self.0.into_iter().flatten().find_map(|partial| {
            let partial: Box<dyn Any> = partial;
            partial.downcast().ok().map(|partial| *partial)
        })
    }

    /// The partials, in the observers' order.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Partial> {
        self.0.iter().flatten().map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::RecordBatchOptions;
    use arrow::datatypes::Schema;

    use super::*;

    /// Counts rows; needs no column.
    #[derive(Debug)]
    struct Rows;

    #[derive(Debug, PartialEq)]
    struct RowCount(u64);

    impl Observer for Rows {
        fn name(&self) -> &'static str {
            "rows"
        }

        fn version(&self) -> u32 {
            1
        }

        fn empty(&self) -> Box<dyn Partial> {
            Box::new(RowCount(0))
        }

        fn observe(&self, portion: &ScoredPortion<'_>) -> Result<Box<dyn Partial>> {
            Ok(Box::new(RowCount(portion.rows.num_rows() as u64)))
        }

        fn needs_only_scores(&self) -> bool {
            false
        }

        fn partial_of(&self, bytes: &[u8]) -> Option<Box<dyn Partial>> {
            Some(Box::new(RowCount(u64::from_le_bytes(
                bytes.try_into().ok()?,
            ))))
        }
    }

    impl Partial for RowCount {
        fn merge(&mut self, other: &dyn Partial) -> Result<()> {
            let other: &dyn Any = other;
            let other: &Self = other
                .downcast_ref()
                .ok_or_else(|| Error::internal("not a count of rows"))?;
            self.0 += other.0;
            Ok(())
        }

        fn to_bytes(&self) -> Vec<u8> {
            self.0.to_le_bytes().to_vec()
        }
    }

    #[test]
    fn several_observers_keep_their_partials_apart() {
        let observers: Vec<Box<dyn Observer>> = vec![Box::new(Rows), Box::new(Rows)];
        let three = RecordBatchOptions::new().with_row_count(Some(3));
        let rows = RecordBatch::try_new_with_options(Schema::empty().into(), vec![], &three);
        let rows = rows.unwrap();
        let portion = ScoredPortion {
            rows: &rows,
            rejections: &[],
            scores: &[],
            verdicts: &[],
            origin: Origin {
                path: &"a.csv".into(),
                kept_rows: None,
                first_row: 0,
            },
            champion: None,
        };
        let mut all = Partials::empty(&observers);
        all.merge(&Partials::observe(&observers, &portion).unwrap())
            .unwrap();
        let stored = all.iter().map(Partial::to_bytes).zip(&observers);
        let read = stored.map(|(bytes, observer)| observer.partial_of(&bytes).unwrap());
        let read = Partials::new(read.collect());
        assert_eq!(read.get::<RowCount>(), Some(&RowCount(3)));
        assert!(all.merge(&Partials::empty(&observers[..1])).is_err());
        let mut elsewhere = Partials::of(&observers, |_| false);
        elsewhere.observe_more(&observers, &portion).unwrap();
        assert_eq!(elsewhere.get::<RowCount>(), None);
        assert!(elsewhere.merge(&all).is_err());
        all.absorb(elsewhere).unwrap();
        all.observe_more(&observers, &portion).unwrap();
        assert_eq!(all.get::<RowCount>(), Some(&RowCount(6)));
    }
}
