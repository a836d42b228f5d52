//! A forest ready to score: every tree laid out for the kernel that does it.
//!
//! Rows go through in slices; each segment of the trees adds to a slice's sums, in the ensemble's
//! order, so that all kernels and any mixture of them give the same bits. Then the sums are scaled,
//! biased and laid out as margins.

use std::iter;

use super::Kernel;
use super::compiled::Compiled;
use super::cost_model::Plan;
use super::ensemble::{Ensemble, Frame, Tree};
use super::lane_number::{LaneNumber, Ranked};
use super::layout::{LayoutBuilder, Segment};
use super::processor::Processor;
use super::program::Outline;
use super::record;
use super::slice::{Rows, SLICE, Slice};
use super::sliced::Workspace;
use crate::background::ahead;
use crate::error::{Error, Result};
use crate::feature::{Columns, FeatureBlock, Precision};
use crate::model::{Model, NumericModel, OffsetRule, Scores, Wants, Worker};
use crate::outcome::Margins;

/// A tree ensemble, ready to score.
#[derive(Debug)]
pub struct Forest {
    layout: Layout,
    offset_rule: Option<OffsetRule>,
}

#[derive(Debug)]
enum Layout {
    Single(Engine<f32>),
    Double(Engine<f64>),
}

impl Forest {
    /// Checks the trees one after the other and lays each out at once, with the kernel that is
    /// estimated to be the fastest on this processor.
    ///
    /// # Errors
    /// Those of the trees, and what [`Frame::validate`] and [`Tree::validate`] find.
    pub fn new(
        frame: &Frame,
        trees: impl IntoIterator<Item = Result<Tree>, IntoIter: Send>,
    ) -> Result<Self> {
        Self::planned(frame, trees, &Plan::fastest())
    }

    /// The same of an ensemble that is at hand.
    ///
    /// # Errors
    /// What [`Frame::validate`] and [`Tree::validate`] find.
    pub fn of(ensemble: Ensemble) -> Result<Self> {
        Self::new(&ensemble.frame, ensemble.trees.into_iter().map(Ok))
    }

    /// The ensemble laid out for this kernel whatever it costs, to compare kernels; none if this
    /// processor cannot run it.
    ///
    /// # Errors
    /// What [`Frame::validate`] and [`Tree::validate`] find.
    pub fn with_kernel(ensemble: Ensemble, kernel: Kernel) -> Result<Option<Self>> {
        Plan::only(kernel)
            .map(|plan| Self::planned(&ensemble.frame, ensemble.trees.into_iter().map(Ok), &plan))
            .transpose()
    }

    pub(super) fn planned(
        frame: &Frame,
        trees: impl IntoIterator<Item = Result<Tree>, IntoIter: Send>,
        plan: &Plan,
    ) -> Result<Self> {
        frame.validate()?;
        let record = record::begun(frame);
        let trees = trees.into_iter().inspect(move |tree| {
            if let Ok(tree) = tree {
                record::note(record.as_ref(), tree);
            }
        });
        let layout = match frame.precision {
            Precision::Single => Layout::Single(Engine::new(frame, trees, plan)?),
            Precision::Double => Layout::Double(Engine::new(frame, trees, plan)?),
        };
        Ok(Self {
            layout,
            offset_rule: None,
        })
    }

    /// The same forest, which takes offsets by this rule.
    #[must_use]
    pub fn with_offsets(self, rule: OffsetRule) -> Self {
        Self {
            offset_rule: Some(rule),
            ..self
        }
    }
}

#[cfg(test)]
impl Forest {
    /// For each segment how many rows are few; none if its trees are walked.
    pub(super) fn small_batch(&self) -> Vec<Option<usize>> {
        fn of<T: LaneNumber>(segments: &[Segment<T>]) -> Vec<Option<usize>> {
            segments
                .iter()
                .map(|segment| {
                    if let Segment::Sliced(group) = segment {
                        Some(group.small_batch())
                    } else {
                        None
                    }
                })
                .collect()
        }
        match &self.layout {
            Layout::Single(engine) => of(&engine.segments),
            Layout::Double(engine) => of(&engine.segments),
        }
    }
}

impl Model for Forest {
    fn family(&self) -> &'static str {
        "forest"
    }

    fn feature_count(&self) -> usize {
        match &self.layout {
            Layout::Single(engine) => engine.feature_count,
            Layout::Double(engine) => engine.feature_count,
        }
    }

    fn memory_bytes(&self) -> usize {
        match &self.layout {
            Layout::Single(engine) => engine.memory_bytes(),
            Layout::Double(engine) => engine.memory_bytes(),
        }
    }
}

impl NumericModel for Forest {
    fn precision(&self) -> Precision {
        match &self.layout {
            Layout::Single(_) => Precision::Single,
            Layout::Double(_) => Precision::Double,
        }
    }

    fn takes_single(&self) -> bool {
        match &self.layout {
            Layout::Single(_) => true,
            // Offsets come with the features, and are not of single precision.
            Layout::Double(engine) => !engine.walks() && self.offset_rule.is_none(),
        }
    }

    fn margin_count(&self) -> usize {
        match &self.layout {
            Layout::Single(engine) => engine.base.len(),
            Layout::Double(engine) => engine.base.len(),
        }
    }

    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(ForestWorker {
            forest: self,
            workspace: self.workspace(),
        })
    }

    fn offset_rule(&self) -> Option<OffsetRule> {
        self.offset_rule
    }
}

/// A forest at work on one thread.
#[derive(Debug)]
struct ForestWorker<'a> {
    forest: &'a Forest,
    workspace: ForestWorkspace,
}

impl Worker for ForestWorker<'_> {
    fn score(
        &mut self,
        block: &FeatureBlock,
        wants: &Wants<'_>,
        scores: &mut Scores,
    ) -> Result<()> {
        scores.reset();
        let (workspace, margins) = (&mut self.workspace, &mut scores.margins);
        self.forest
            .score_on(workspace, block, wants.offsets, margins)?;
        if wants.leaves {
            scores.leaves = Some(self.forest.leaves(block)?);
        }
        Ok(())
    }
}

/// What one thread writes on, in the precision of its forest.
#[derive(Debug)]
pub(crate) struct ForestWorkspace(Typed);

#[derive(Debug)]
enum Typed {
    Single(Working<f32>),
    Double(Working<f64>),
}

impl Forest {
    /// What one thread writes on.
    pub(crate) fn workspace(&self) -> ForestWorkspace {
        ForestWorkspace(match &self.layout {
            Layout::Single(_) => Typed::Single(Working::default()),
            Layout::Double(_) => Typed::Double(Working::default()),
        })
    }

    /// The margins of a block, with an offset for each of them where the forest takes any.
    ///
    /// # Errors
    /// As [`Worker::score`]; an internal error for the workspace of a forest of the other
    /// precision.
    pub(crate) fn score_on(
        &self,
        workspace: &mut ForestWorkspace,
        block: &FeatureBlock,
        offsets: Option<&FeatureBlock>,
        margins: &mut Margins,
    ) -> Result<()> {
        let with_rule = |offsets| match self.offset_rule {
            Some(rule) => Ok((offsets, rule)),
            None => Err(Error::internal("offsets for a forest that takes none")),
        };
        let offsets = offsets.map(with_rule).transpose()?;
        match (&self.layout, &mut workspace.0, block, margins) {
            (
                Layout::Single(engine),
                Typed::Single(working),
                FeatureBlock::Single(columns),
                Margins::Single(margins),
            ) => {
                let offsets = offsets.map(|(offsets, rule)| match offsets {
                    FeatureBlock::Single(offsets) => Ok((offsets, rule)),
                    FeatureBlock::Double(_) => Err(other_precision()),
                });
                engine.score(columns, offsets.transpose()?, working, margins)
            }
            (
                Layout::Double(engine),
                Typed::Double(working),
                FeatureBlock::Double(columns),
                Margins::Double(margins),
            ) => {
                let offsets = offsets.map(|(offsets, rule)| match offsets {
                    FeatureBlock::Double(offsets) => Ok((offsets, rule)),
                    FeatureBlock::Single(_) => Err(other_precision()),
                });
                engine.score(columns, offsets.transpose()?, working, margins)
            }
            (
                Layout::Double(engine),
                Typed::Double(working),
                FeatureBlock::Single(columns),
                Margins::Double(margins),
            ) if offsets.is_none() && !engine.walks() => {
                engine.score(columns, None, working, margins)
            }
            _ => Err(other_precision()),
        }
    }

    /// The leaf of every tree for every row, see [`Scores::leaves`].
    ///
    /// # Errors
    /// Fails if `block` has another precision or shape than the forest's.
    pub(crate) fn leaves(&self, block: &FeatureBlock) -> Result<Vec<u32>> {
        match (&self.layout, block) {
            (Layout::Single(engine), FeatureBlock::Single(columns)) => engine.leaves(columns),
            (Layout::Double(engine), FeatureBlock::Double(columns)) => engine.leaves(columns),
            (Layout::Double(engine), FeatureBlock::Single(columns)) => {
                let mut wide = Columns::filled(columns.row_count(), columns.feature_count(), 0.0);
                for feature in 0..columns.feature_count() {
                    let values = wide.column_mut(feature).iter_mut();
                    values
                        .zip(columns.column(feature))
                        .for_each(|(wide, value)| *wide = f64::from(*value));
                }
                engine.leaves(&wide)
            }
            _ => Err(other_precision()),
        }
    }
}

fn other_precision() -> Error {
    Error::internal("a block of another precision than the forest's")
}

/// What scoring writes on.
#[derive(Debug)]
struct Working<T> {
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
struct Engine<T> {
    feature_count: usize,
    base: Vec<T>,
    scale: T,
    bias: Vec<T>,
    tree_count: usize,
    /// The trees that are walked.
    walking: Compiled<T>,
    segments: Vec<Segment<T>>,
    processor: Processor,
}

impl<T: LaneNumber> Engine<T> {
    fn new(
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

    fn score<V: Ranked<T>>(
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
    fn walks(&self) -> bool {
        let mut segments = self.segments.iter();
        segments.any(|segment| matches!(segment, Segment::Walked(_)))
    }

    fn leaves(&self, columns: &Columns<T>) -> Result<Vec<u32>> {
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

    fn memory_bytes(&self) -> usize {
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
