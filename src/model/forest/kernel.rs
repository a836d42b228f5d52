//! A forest ready to score: which kernel does which trees, for how many rows.
//!
//! Rows go through in slices; each segment of the trees adds to a slice's sums, in the ensemble's order, so that both kernels and any mixture of them give the same
//! bits. Then the sums are scaled, biased and laid out as margins.

use std::ops::Range;

use super::choice::{Estimate, Plan};
use super::compiled::Compiled;
use super::ensemble::{Ensemble, Tree};
use super::lanes::{Instructions, Processor, Rows, SLICE, Slice};
use super::program::Outline;
use super::real::Real;
use super::sliced::{Builder, Group, Workspace};
use crate::error::{Error, Result};
use crate::feature::{Columns, FeatureBlock, Precision};
use crate::model::{Margins, Model, Scratch};

/// How trees are evaluated; the result is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Row by row through the nodes.
    Walking,
    /// As bit logic on the conditions of 512 rows, wherever a tree allows it.
    Sliced(Instructions),
}

/// A tree ensemble, ready to score.
#[derive(Debug)]
pub struct Forest(Layout);

#[derive(Debug)]
enum Layout {
    Single(Engine<f32>),
    Double(Engine<f64>),
}

impl Forest {
    /// Checks the ensemble and lays it out, with the kernels that are estimated to be the fastest on this processor.
    ///
    /// # Errors
    /// What [`Ensemble::validate`] finds.
    pub fn new(ensemble: &Ensemble) -> Result<Self> {
        Self::planned(ensemble, Plan::fastest())
    }

    /// Checks the ensemble and lays it out for this kernel whatever it costs, to compare kernels; none if this processor cannot run it.
    ///
    /// # Errors
    /// What [`Ensemble::validate`] finds.
    pub fn with_kernel(ensemble: &Ensemble, kernel: Kernel) -> Result<Option<Self>> {
        Plan::only(kernel).map(|plan| Self::planned(ensemble, plan)).transpose()
    }

    fn planned(ensemble: &Ensemble, plan: Plan) -> Result<Self> {
        ensemble.validate()?;
        Ok(Self(match ensemble.precision {
            Precision::Single => Layout::Single(Engine::new(ensemble, plan)),
            Precision::Double => Layout::Double(Engine::new(ensemble, plan)),
            Precision::Native => return Err(Error::internal("a forest computes in one precision")),
        }))
    }
}

impl Model for Forest {
    fn family(&self) -> &'static str {
        "forest"
    }

    fn precision(&self) -> Precision {
        match &self.0 {
            Layout::Single(_) => Precision::Single,
            Layout::Double(_) => Precision::Double,
        }
    }

    fn feature_count(&self) -> usize {
        match &self.0 {
            Layout::Single(engine) => engine.feature_count,
            Layout::Double(engine) => engine.feature_count,
        }
    }

    fn margin_count(&self) -> usize {
        match &self.0 {
            Layout::Single(engine) => engine.base.len(),
            Layout::Double(engine) => engine.base.len(),
        }
    }

    fn scratch(&self) -> Scratch {
        match &self.0 {
            Layout::Single(_) => Scratch(Box::new(Working::<f32>::default())),
            Layout::Double(_) => Scratch(Box::new(Working::<f64>::default())),
        }
    }

    fn score(&self, block: &FeatureBlock, scratch: &mut Scratch, margins: &mut Margins) -> Result<()> {
        match (&self.0, block, margins) {
            (Layout::Single(engine), FeatureBlock::Single(columns), Margins::Single(margins)) => engine.score(columns, scratch, margins),
            (Layout::Double(engine), FeatureBlock::Double(columns), Margins::Double(margins)) => engine.score(columns, scratch, margins),
            _ => Err(Error::internal("a block of another precision than the forest's")),
        }
    }

    fn leaves(&self, block: &FeatureBlock) -> Result<Option<Vec<u32>>> {
        match (&self.0, block) {
            (Layout::Single(engine), FeatureBlock::Single(columns)) => engine.leaves(columns).map(Some),
            (Layout::Double(engine), FeatureBlock::Double(columns)) => engine.leaves(columns).map(Some),
            _ => Err(Error::internal("a block of another precision than the forest's")),
        }
    }

    fn memory_bytes(&self) -> usize {
        match &self.0 {
            Layout::Single(engine) => engine.memory_bytes(),
            Layout::Double(engine) => engine.memory_bytes(),
        }
    }
}

/// What scoring writes on.
#[derive(Debug)]
struct Working<T> {
    sums: Vec<Slice<T>>,
    workspace: Workspace,
}

impl<T> Default for Working<T> {
    fn default() -> Self {
        Self { sums: Vec::new(), workspace: Workspace::default() }
    }
}

/// Consecutive trees and how they are evaluated.
#[derive(Debug)]
enum Segment<T> {
    Walked(Range<usize>),
    Sliced(Group<T>),
}

/// An ensemble in one precision.
#[derive(Debug)]
struct Engine<T> {
    feature_count: usize,
    base: Vec<T>,
    scale: T,
    bias: Vec<T>,
    tree_count: usize,
    walking: Compiled<T>,
    segments: Vec<Segment<T>>,
    processor: Processor,
    /// Slices of fewer rows are walked.
    fewest_rows: usize,
}

impl<T: Real> Engine<T> {
    fn new(ensemble: &Ensemble, plan: Plan) -> Self {
        let numbers = |values: &[f64]| values.iter().map(|&value| T::from_double(value)).collect();
        let (segments, estimate) = Cutter::new(ensemble, &plan).cut();
        Self {
            feature_count: ensemble.feature_count,
            base: numbers(&ensemble.base),
            scale: T::from_double(ensemble.scale),
            bias: numbers(&ensemble.bias),
            tree_count: ensemble.trees.len(),
            walking: Compiled::new(ensemble),
            segments,
            processor: plan.processor,
            fewest_rows: plan.fewest_rows(estimate),
        }
    }

    fn check(&self, columns: &Columns<T>) -> Result<()> {
        if columns.row_count() > 0 && columns.feature_count() != self.feature_count {
            return Err(Error::internal(format!("a block of {} features for a forest of {}", columns.feature_count(), self.feature_count)));
        }
        Ok(())
    }

    fn score(&self, columns: &Columns<T>, scratch: &mut Scratch, margins: &mut Vec<T>) -> Result<()> {
        self.check(columns)?;
        if !scratch.0.is::<Working<T>>() {
            scratch.0 = Box::new(Working::<T>::default());
        }
        let working = scratch.0.downcast_mut::<Working<T>>().ok_or_else(|| Error::internal("a scratch of another model"))?;
        working.sums.resize(self.base.len(), Slice::default());
        margins.clear();
        margins.reserve(columns.row_count() * self.base.len());
        for first in (0..columns.row_count()).step_by(SLICE) {
            let rows = Rows { columns, first, count: SLICE.min(columns.row_count() - first) };
            self.add(rows, working);
            self.finish(&working.sums, rows.count, margins);
        }
        Ok(())
    }

    fn add(&self, rows: Rows<'_, T>, working: &mut Working<T>) {
        for (sums, &base) in working.sums.iter_mut().zip(&self.base) {
            sums.0[..rows.count].fill(base);
        }
        if rows.count < self.fewest_rows {
            return self.walking.add(0..self.tree_count, rows, &mut working.sums);
        }
        for segment in &self.segments {
            match segment {
                Segment::Walked(trees) => self.walking.add(trees.clone(), rows, &mut working.sums),
                Segment::Sliced(group) => group.add(rows, &mut working.sums, self.processor, &mut working.workspace),
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
            margins[first..].iter_mut().for_each(|margin| *margin = *margin * self.scale);
        }
        if !self.bias.is_empty() {
            let rows = margins[first..].chunks_exact_mut(self.base.len());
            rows.flat_map(|row| row.iter_mut().zip(&self.bias)).for_each(|(margin, bias)| *margin = *margin + *bias);
        }
    }

    fn leaves(&self, columns: &Columns<T>) -> Result<Vec<u32>> {
        self.check(columns)?;
        Ok(self.walking.leaves(columns))
    }

    fn memory_bytes(&self) -> usize {
        let segments = self.segments.iter().map(|segment| if let Segment::Sliced(group) = segment { group.memory_bytes() } else { 0 });
        self.walking.memory_bytes() + segments.sum::<usize>()
    }
}

/// Cuts an ensemble's trees into segments.
struct Cutter<'a, T> {
    ensemble: &'a Ensemble,
    plan: &'a Plan,
    segments: Vec<Segment<T>>,
    /// The group that is being filled, and its first tree.
    builder: Option<(usize, Builder<T>)>,
    /// Of the group that is being filled, its conditions not counted.
    trees: Estimate,
    /// Of all groups.
    total: Estimate,
}

impl<'a, T: Real> Cutter<'a, T> {
    fn new(ensemble: &'a Ensemble, plan: &'a Plan) -> Self {
        Self { ensemble, plan, segments: Vec::new(), builder: None, trees: Estimate::default(), total: Estimate::default() }
    }

    fn cut(mut self) -> (Vec<Segment<T>>, Estimate) {
        for (index, tree) in self.ensemble.trees.iter().enumerate() {
            let outline = Outline::of(tree);
            if let Some(estimate) = self.plan.estimate(tree, &outline, self.ensemble.precision, self.ensemble.margin_count()) {
                self.slice(index, tree, &outline, estimate);
            } else {
                self.close(index);
                self.walk(index..index + 1);
            }
        }
        self.close(self.ensemble.trees.len());
        (self.segments, self.total)
    }

    fn slice(&mut self, index: usize, tree: &Tree, outline: &Outline, estimate: Estimate) {
        if !self.builder.as_mut().is_some_and(|(_, builder)| builder.push(tree, outline)) {
            self.close(index);
            let mut builder = Builder::new(self.ensemble.margin_count(), self.plan.processor);
            builder.push(tree, outline);
            self.builder = Some((index, builder));
        }
        self.trees += estimate;
    }

    /// Ends the group before the tree `end`.
    fn close(&mut self, end: usize) {
        let Some((start, builder)) = self.builder.take() else { return };
        let trees = std::mem::take(&mut self.trees);
        let group = builder.finish();
        match self.plan.judge(trees, group.counts()) {
            Some(estimate) => {
                self.total += estimate;
                self.segments.push(Segment::Sliced(group));
            }
            None => self.walk(start..end),
        }
    }

    fn walk(&mut self, trees: Range<usize>) {
        match self.segments.last_mut() {
            Some(Segment::Walked(before)) => before.end = trees.end,
            _ => self.segments.push(Segment::Walked(trees)),
        }
    }
}
