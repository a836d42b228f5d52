//! A forest ready to score: every tree laid out for the kernel that does it.
//!
//! Owns the choice of a precision. How rows pass the trees is `engine`'s.

use super::Kernel;
use super::cost_model::Plan;
use super::engine::{Engine, Working};
use super::ensemble::{Ensemble, Frame, Tree};
use super::record::Kept;
use crate::error::{Error, Result};
use crate::feature::{Columns, FeatureBlock, Precision};
use crate::model::{Model, NumericModel, OffsetRule, Scores, Wants, Worker, trace};
use crate::outcome::Margins;

/// A tree ensemble, ready to score.
#[derive(Debug)]
pub struct Forest {
    layout: Layout,
    offset_rule: Option<OffsetRule>,
    /// The trees, where rows are to be followed through them.
    kept: Option<Kept>,
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
        let kept = Kept::begun(frame);
        let mut keeper = kept.as_ref().map(Kept::keeper);
        let trees = trees.into_iter().inspect(move |tree| {
            if let (Ok(tree), Some(keep)) = (tree, &mut keeper) {
                keep(tree);
            }
        });
        let layout = match frame.precision {
            Precision::Single => Layout::Single(Engine::new(frame, trees, plan)?),
            Precision::Double => Layout::Double(Engine::new(frame, trees, plan)?),
        };
        Ok(Self {
            layout,
            offset_rule: None,
            kept,
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
        use super::lane_number::LaneNumber;
        use super::layout::Segment;

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
        self.score_block(workspace, block, offsets, margins)?;
        if let Some(kept) = self.kept.as_ref().filter(|_| trace::is_followed()) {
            kept.follow(block, margins, offsets.is_some());
        }
        Ok(())
    }

    fn score_block(
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
