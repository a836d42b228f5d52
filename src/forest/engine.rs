//! An ensemble in one precision, at work: rows to sums, sums to margins, and rows to leaves.
//!
//! Rows go through in slices; each segment of the trees adds to a slice's sums, in the ensemble's
//! order, so that all kernels and any mixture of them give the same bits. Then the sums are scaled,
//! biased and laid out as margins. It must not know precisions other than its own.

use std::iter;

use super::compiled::Compiled;
use super::cost_model::Plan;
use super::ensemble::{Frame, Tree};
use super::lane_number::{LaneNumber, Ranked};
use super::layout::{LayoutBuilder, Segment};
use super::processor::Processor;
use super::program::Outline;
use super::slice::{Rows, SLICE, Slice};
use super::sliced::Workspace;
use crate::background::ahead;
use crate::error::{Error, Result};
use crate::feature::Columns;
use crate::interrupt::check_process;
use crate::model::OffsetRule;

/// What scoring writes on.
#[derive(Debug)]
pub(super) struct Working<T> {
    sums: Vec<Slice<T>>,
    workspace: Workspace,
}

impl<T> Default for Working<T> {
    fn default() -> Self {
        Self {
            sums: Vec::new(),
            workspace: Workspace::default(),
        }
    }
}

/// An ensemble in one precision.
#[derive(Debug)]
pub(super) struct Engine<T> {
    pub(super) feature_count: usize,
    pub(super) base: Vec<T>,
    scale: T,
    bias: Vec<T>,
    tree_count: usize,
    /// The trees that are walked.
    walking: Compiled<T>,
    pub(super) segments: Vec<Segment<T>>,
    processor: Processor,
}

impl<T: LaneNumber> Engine<T> {
    pub(super) fn new(
        frame: &Frame,
        trees: impl IntoIterator<Item = Result<Tree>, IntoIter: Send>,
        plan: &Plan,
    ) -> Result<Self> {
        let (mut trees, mut is_broken) = (trees.into_iter().enumerate(), false);
        let checked = iter::from_fn(|| {
            // What follows a broken tree is not worth reading.
            let (index, tree) = if is_broken { None } else { trees.next() }?;
            let checked = tree.and_then(|tree| {
                tree.validate(frame, index)
                    .map(|visit| (Outline::new(&tree, visit), tree))
            });
            is_broken = checked.is_err();
            Some(checked)
        });
        let weigh = |one: &Result<(Outline, Tree)>| {
            one.as_ref().map_or(usize::MAX, |(outline, tree)| {
                outline.weight() + tree.leaf_values.len()
            })
        };
        let mut planter = LayoutBuilder::new(frame, plan);
        let tree_count = ahead(checked, weigh, |trees| {
            let mut plant = |(outline, tree): (Outline, Tree)| planter.plant(tree, &outline);
            trees
                .map(|tree| tree.and_then(&mut plant))
                .try_fold(0, |count, planted| planted.map(|()| count + 1))
        })??;
        let (walking, segments) = planter.finish();
        if segments.iter().map(Segment::tree_count).sum::<usize>() != tree_count {
            return Err(Error::internal("trees were lost between the kernels"));
        }
        let numbers = |values: &[f64]| values.iter().map(|&value| T::from_double(value)).collect();
        Ok(Self {
            feature_count: frame.feature_count,
            base: numbers(&frame.base),
            scale: T::from_double(frame.scale),
            bias: numbers(&frame.bias),
            tree_count,
            walking,
            segments,
            processor: plan.processor,
        })
    }

    fn check<V: Copy>(&self, columns: &Columns<V>) -> Result<()> {
        if columns.row_count() > 0 && columns.feature_count() != self.feature_count {
            return Err(Error::internal(format!(
                "a block of {} features for a forest of {}",
                columns.feature_count(),
                self.feature_count
            )));
        }
        Ok(())
    }

    pub(super) fn score<V: Ranked<T>>(
        &self,
        columns: &Columns<V>,
        offsets: Option<(&Columns<T>, OffsetRule)>,
        working: &mut Working<T>,
        margins: &mut Vec<T>,
    ) -> Result<()> {
        self.check(columns)?;
        let fits = |(offsets, _): (&Columns<T>, OffsetRule)| {
            offsets.row_count() == columns.row_count()
                && (offsets.row_count() == 0 || offsets.feature_count() == self.base.len())
        };
        if !offsets.is_none_or(fits) {
            return Err(Error::internal("offsets of another shape than the margins"));
        }
        let (starts, added) = match offsets {
            Some((offsets, OffsetRule::Start)) => (Some(offsets), None),
            Some((offsets, OffsetRule::Added)) => (None, Some((offsets, false))),
            Some((offsets, OffsetRule::AddedSingle)) => (None, Some((offsets, true))),
            None => (None, None),
        };
        working.sums.resize(self.base.len(), Slice::default());
        margins.clear();
        margins.reserve(columns.row_count() * self.base.len());
        for rows in slices(columns) {
            check_process()?;
            self.add(rows, starts, working);
            self.finish(&working.sums, rows.count, margins);
        }
        if let Some((offsets, as_single)) = added {
            add_offsets(margins, self.base.len(), offsets, as_single);
        }
        Ok(())
    }

    fn add<V: Ranked<T>>(
        &self,
        rows: Rows<'_, V>,
        starts: Option<&Columns<T>>,
        working: &mut Working<T>,
    ) {
        for (margin, (sums, &base)) in working.sums.iter_mut().zip(&self.base).enumerate() {
            let sums = &mut sums.0[..rows.count];
            match starts {
                Some(starts) => sums
                    .copy_from_slice(&starts.column(margin)[rows.first..rows.first + rows.count]),
                None => sums.fill(base),
            }
        }
        for segment in &self.segments {
            match segment {
                Segment::Walked(trees) => {
                    if let Some(rows) = V::walked(rows) {
                        self.walking.add(trees.clone(), rows, &mut working.sums);
                    }
                }
                Segment::Sliced(group) => group.add(
                    rows,
                    &mut working.sums,
                    self.processor,
                    &mut working.workspace,
                ),
            }
        }
    }

    /// Sums to margins.
    fn finish(&self, sums: &[Slice<T>], row_count: usize, margins: &mut Vec<T>) {
        let is_scaled = self.scale.to_double().to_bits() != 1.0_f64.to_bits();
        let first = margins.len();
        for row in 0..row_count {
            margins.extend(sums.iter().map(|sums| sums.0[row]));
        }
        if is_scaled {
            margins[first..]
                .iter_mut()
                .for_each(|margin| *margin = *margin * self.scale);
        }
        if !self.bias.is_empty() {
            let rows = margins[first..].chunks_exact_mut(self.base.len());
            rows.flat_map(|row| row.iter_mut().zip(&self.bias))
                .for_each(|(margin, bias)| *margin = *margin + *bias);
        }
    }

    /// Whether trees are walked.
    pub(super) fn walks(&self) -> bool {
        let mut segments = self.segments.iter();
        segments.any(|segment| matches!(segment, Segment::Walked(_)))
    }

    pub(super) fn leaves(&self, columns: &Columns<T>) -> Result<Vec<u32>> {
        self.check(columns)?;
        let mut leaves = vec![0; columns.row_count() * self.tree_count];
        let mut workspace = Workspace::default();
        for rows in slices(columns) {
            let mut first_tree = 0;
            for segment in &self.segments {
                let put = |row: usize, tree: usize, leaf: u32| {
                    leaves[(rows.first + row) * self.tree_count + first_tree + tree] = leaf;
                };
                first_tree += match segment {
                    Segment::Walked(trees) => self.walking.leaves(trees.clone(), rows, put),
                    Segment::Sliced(group) => {
                        group.leaves(rows, self.processor, &mut workspace, put)
                    }
                };
            }
        }
        Ok(leaves)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let segments = self.segments.iter().map(|segment| {
            if let Segment::Sliced(group) = segment {
                group.memory_bytes()
            } else {
                0
            }
        });
        self.walking.memory_bytes() + segments.sum::<usize>()
    }
}

/// Adds to each of the `width` margins of a row its offset, rounded to single precision if
/// `as_single`.
fn add_offsets<T: LaneNumber>(
    margins: &mut [T],
    width: usize,
    offsets: &Columns<T>,
    as_single: bool,
) {
    for output in 0..width {
        for (margin, &offset) in margins
            .iter_mut()
            .skip(output)
            .step_by(width)
            .zip(offsets.column(output))
        {
            let offset = if as_single {
                T::from_double(f64::from(offset.to_double() as f32))
            } else {
                offset
            };
            *margin = *margin + offset;
        }
    }
}

/// The rows of a block, slice by slice.
fn slices<T: Copy>(columns: &Columns<T>) -> impl Iterator<Item = Rows<'_, T>> {
    let starts = (0..columns.row_count()).step_by(SLICE);
    starts.map(|first| Rows {
        columns,
        first,
        count: SLICE.min(columns.row_count() - first),
    })
}
