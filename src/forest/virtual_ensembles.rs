//! Virtual ensembles: one boosted model read as several, cut short after more and more of its
//! trees, whose differences say how sure it is.
//!
//! Owns the cuts and the sums, those of CatBoost's `ApplyVirtualEnsembles`. It must not know
//! formats, columns or links.

use super::{Ensemble, Forest, ForestWorkspace, Frame, Tree};
use crate::count::counted;
use crate::error::{Error, Result};
use crate::feature::{FeatureBlock, Precision};
use crate::model::{Model, NumericModel, Scores, Wants, Worker};
use crate::outcome::Margins;

/// A model, then its readings: for each row the margins of all trees, then those of each reading.
#[derive(Debug)]
pub struct VirtualEnsembles {
    whole: Forest,
    /// The trees before the first reading's own, then the own trees of each reading.
    parts: Vec<Forest>,
    /// What the margins of each reading are multiplied by, since the trees after it would have
    /// shrunk them.
    scales: Vec<f64>,
}

impl VirtualEnsembles {
    /// `count` readings of the ensemble; `shrinkage` is what each iteration takes from all trees
    /// before it.
    ///
    /// # Errors
    /// A usage error for more readings than the trees allow; what [`Forest::of`] finds.
    pub fn new(ensemble: &Ensemble, count: usize, shrinkage: f32) -> Result<Self> {
        let tree_count = ensemble.trees.len();
        let period = count
            .checked_mul(2)
            .filter(|double| *double > 0)
            .map_or(0, |double| tree_count / double);
        if period == 0 || period * count >= tree_count {
            let message = format!(
                "{} are too few for {}",
                counted(tree_count, "tree"),
                counted(count, "virtual ensemble")
            );
            return Err(Error::usage(message)
                .hint("each needs two trees at least: ask for fewer with `--virtual-ensembles`"));
        }
        if !(0.0..1.0).contains(&shrinkage) {
            return Err(Error::failed(format!(
                "the model's shrinkage is {shrinkage}, and should be at least 0 and below 1"
            )));
        }
        let first = tree_count - period * count;
        let later = Frame {
            base: vec![0.0; ensemble.frame.base.len()],
            bias: Vec::new(),
            ..ensemble.frame.clone()
        };
        let forest = |frame: &Frame, trees: &[Tree]| {
            Forest::of(Ensemble {
                frame: frame.clone(),
                trees: trees.to_vec(),
            })
        };
        let mut parts = vec![forest(&ensemble.frame, &ensemble.trees[..first])?];
        for trees in ensemble.trees[first..].chunks(period) {
            parts.push(forest(&later, trees)?);
        }
        let scale = |reading: usize| {
            let trees_after = (period * (count - 1 - reading)) as f64;
            f64::from((1.0 - f64::from(shrinkage)).powf(-trees_after) as f32)
        };
        Ok(Self {
            whole: Forest::of(ensemble.clone())?,
            parts,
            scales: (0..count).map(scale).collect(),
        })
    }

    fn own_width(&self) -> usize {
        self.whole.margin_count()
    }
}

impl Model for VirtualEnsembles {
    fn family(&self) -> &'static str {
        self.whole.family()
    }

    fn feature_count(&self) -> usize {
        self.whole.feature_count()
    }

    fn memory_bytes(&self) -> usize {
        self.whole.memory_bytes() + self.parts.iter().map(Model::memory_bytes).sum::<usize>()
    }
}

impl NumericModel for VirtualEnsembles {
    fn precision(&self) -> Precision {
        Precision::Double
    }

    fn margin_count(&self) -> usize {
        self.own_width() * (self.scales.len() + 1)
    }

    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(EnsembleWorker {
            model: self,
            workspace: self.whole.workspace(),
        })
    }
}

/// Virtual ensembles at work on one thread.
#[derive(Debug)]
struct EnsembleWorker<'a> {
    model: &'a VirtualEnsembles,
    /// For every forest, all of which compute in double precision.
    workspace: ForestWorkspace,
}

impl EnsembleWorker<'_> {
    fn margins_of(&mut self, forest: &Forest, block: &FeatureBlock) -> Result<Vec<f64>> {
        let mut found = Margins::empty(Precision::Double);
        forest.score_on(&mut self.workspace, block, None, &mut found)?;
        match found {
            Margins::Double(found) => Ok(found),
            Margins::Single(_) => Err(Error::internal(
                "virtual ensembles compute in double precision",
            )),
        }
    }
}

impl Worker for EnsembleWorker<'_> {
    fn score(
        &mut self,
        block: &FeatureBlock,
        wants: &Wants<'_>,
        scores: &mut Scores,
    ) -> Result<()> {
        scores.reset();
        if wants.offsets.is_some() {
            return Err(Error::internal("offsets for a model that takes none"));
        }
        let model = self.model;
        let (width, all) = (model.own_width(), model.margin_count());
        let whole = self.margins_of(&model.whole, block)?;
        let mut rows = vec![0.0; whole.len() / width * all];
        let mut put = |values: &[f64], index: usize, scale: f64| {
            for (row, values) in rows.chunks_exact_mut(all).zip(values.chunks_exact(width)) {
                row[index * width..(index + 1) * width]
                    .iter_mut()
                    .zip(values)
                    .for_each(|(out, value)| *out = value * scale);
            }
        };
        put(&whole, 0, 1.0);
        let mut sums = self.margins_of(&model.parts[0], block)?;
        for (reading, (part, scale)) in model.parts[1..].iter().zip(&model.scales).enumerate() {
            sums.iter_mut()
                .zip(self.margins_of(part, block)?)
                .for_each(|(sum, value)| *sum += value);
            put(&sums, reading + 1, *scale);
        }
        scores.margins = Margins::Double(rows);
        if wants.leaves {
            scores.leaves = Some(model.whole.leaves(block)?);
        }
        Ok(())
    }
}
