//! CatBoost's CTRs as projections over the model's inputs: which are used, what their tables hold.
//!
//! Owns the fractions, in CatBoost's own arithmetic (`TModelCtr::Calc`: every step in single
//! precision). It must not know either file format or how rows are scored.

use std::collections::{BTreeSet, HashMap};

use super::stored::{Counts, Ctr, CtrTable, CtrType, Question, Stored, StoredTree};
use super::trees::{Positions, threshold, unlisted};
use crate::contract::{Contract, HashedCategories, HashedCode};
use crate::error::{Error, Result};
use crate::forest::ctr::{CtrForest, FloatPart, OneHot, Projection, Table, only_category};
use crate::model::{Description, NumericModel};

/// The CTRs that the used trees ask for, grouped by what is hashed together.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    groups: Vec<Group>,
    /// Of each CTR its group and its column there.
    columns: Vec<Option<(usize, usize)>>,
    /// Whether the model has CTRs, used or not.
    is_empty: bool,
}

/// The CTRs of one projection.
#[derive(Debug)]
struct Group {
    /// A table of the projection.
    table: usize,
    /// CTRs by index, in the order of their columns.
    ctrs: Vec<usize>,
}

impl Statistics {
    /// Those of the first `tree_count` trees.
    ///
    /// # Errors
    /// Fails at a CTR that asks for a class that its table does not count.
    pub(super) fn new(stored: &Stored, tree_count: usize) -> Result<Self> {
        let trees = stored.trees.iter().take(tree_count);
        let used: BTreeSet<usize> = trees
            .flat_map(StoredTree::questions)
            .filter_map(|question| match question {
                Question::Ctr { ctr, .. } => Some(ctr),
                _ => None,
            })
            .collect();
        let mut groups: Vec<Group> = Vec::new();
        let (mut by_projection, mut columns) = (HashMap::new(), vec![None; stored.ctrs.len()]);
        for index in used {
            let ctr = &stored.ctrs[index];
            let table = &stored.tables[ctr.table];
            check(ctr, table).map_err(|error| error.at_node(format!("CTR {index}")))?;
            let group = *by_projection
                .entry(table.projection.key())
                .or_insert(groups.len());
            if group == groups.len() {
                groups.push(Group {
                    table: ctr.table,
                    ctrs: Vec::new(),
                });
            }
            columns[index] = Some((group, groups[group].ctrs.len()));
            groups[group].ctrs.push(index);
        }
        Ok(Self {
            groups,
            columns,
            is_empty: stored.ctrs.is_empty(),
        })
    }

    /// Whether the model has no CTRs.
    pub(super) fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// The number of CTRs that are used.
    pub(super) fn ctr_count(&self) -> usize {
        self.groups.iter().map(|group| group.ctrs.len()).sum()
    }

    /// The column of each CTR behind so many of the model's own; none if it is not used.
    pub(super) fn positions(&self, input_count: usize) -> Result<Vec<Option<u32>>> {
        let mut next = input_count;
        let mut firsts = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            firsts.push(next);
            next += group.ctrs.len();
        }
        let position = |(group, column): (usize, usize)| {
            u32::try_from(firsts[group] + column).map_err(|_| Error::failed("too many features"))
        };
        self.columns
            .iter()
            .map(|slot| slot.map(position).transpose())
            .collect()
    }

    /// What is known of the categories of a feature: those of its own table, which training
    /// filled, and those that conditions ask for.
    pub(super) fn categories(
        stored: &Stored,
        feature: u32,
        asked: Option<&BTreeSet<u32>>,
    ) -> HashedCategories {
        let is_own = |table: &&CtrTable| {
            table.projection.categories == [feature]
                && table.projection.floats.is_empty()
                && table.projection.one_hots.is_empty()
        };
        let own = stored.tables.iter().find(is_own);
        let from_table = own.into_iter().flat_map(|table| &table.hashes);
        let mut hashes: Vec<u32> = from_table
            .filter_map(|&hash| only_category(hash))
            .chain(asked.into_iter().flatten().copied())
            .chain(stored.texts.iter().flatten().map(|(_, hash)| *hash))
            .collect();
        hashes.sort_unstable();
        hashes.dedup();
        let is_complete = own.is_some() || stored.texts.is_some();
        HashedCategories {
            hashes,
            code: HashedCode::Hash { is_complete },
        }
    }

    /// The model over the inputs, by the model over inputs and CTRs.
    pub(super) fn over(
        &self,
        inner: Box<dyn NumericModel>,
        stored: &Stored,
        contract: &Contract,
        positions: &Positions,
        description: &mut Description,
    ) -> Result<Box<dyn NumericModel>> {
        if self.is_empty {
            return Ok(inner);
        }
        let mut projections = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            projections.push(projection(group, stored, positions)?);
        }
        let mut one_hots = Vec::new();
        let mut categories = Vec::new();
        for (position, codes) in positions.categories.values() {
            categories.push(*position as usize);
            let mut codes: Vec<(u32, u32)> = codes
                .iter()
                .filter_map(|(&hash, codes)| Some((hash, *codes.first()?)))
                .collect();
            codes.sort_unstable();
            if !codes.is_empty() {
                one_hots.push(OneHot {
                    feature: *position as usize,
                    codes,
                });
            }
        }
        categories.sort_unstable();
        let model = CtrForest::new(
            inner,
            contract.inputs.len(),
            categories,
            one_hots,
            projections,
        )?;
        let facts = [
            ("ctr_features", self.ctr_count()),
            ("ctr_projections", self.groups.len()),
            ("ctr_categories", model.known_count()),
        ];
        description
            .facts
            .extend(facts.map(|(name, count)| (name.to_owned(), count.to_string())));
        Ok(Box::new(model))
    }
}

/// Whether a table counts what a CTR asks for.
fn check(ctr: &Ctr, table: &CtrTable) -> Result<()> {
    let rows = table.counts.row_count();
    if rows != table.hashes.len() {
        return Err(Error::failed(format!(
            "{} hashes, but counts of {rows}",
            table.hashes.len()
        )));
    }
    let Counts::Classes(width, _) = table.counts else {
        return Ok(());
    };
    // Of two classes there is one border, whatever its number.
    let is_counted = match table.kind {
        CtrType::Borders => width == 2 || ctr.target_border + 1 < width,
        _ => ctr.target_border < width,
    };
    if is_counted {
        Ok(())
    } else {
        Err(Error::failed(format!(
            "{} of class {} of {width}",
            table.kind.name(),
            ctr.target_border
        )))
    }
}

fn projection(group: &Group, stored: &Stored, positions: &Positions) -> Result<Projection> {
    let parts = &stored.tables[group.table].projection;
    let category = |feature: u32| {
        let found = positions.categories.get(&feature);
        found
            .map(|(position, _)| *position as usize)
            .ok_or_else(|| unlisted("categorical", feature))
    };
    let float = |&(feature, border): &(u32, f32)| {
        let found = positions.floats.get(&feature);
        let &(position, missing) = found.ok_or_else(|| unlisted("float", feature))?;
        Ok(FloatPart {
            feature: position as usize,
            threshold: threshold(border),
            missing,
        })
    };
    let categories = parts.categories.iter().map(|&feature| category(feature));
    let one_hots = parts.one_hots.iter();
    Ok(Projection {
        categories: categories.collect::<Result<_>>()?,
        floats: parts.floats.iter().map(float).collect::<Result<_>>()?,
        one_hots: one_hots
            .map(|&(feature, hash)| Ok((category(feature)?, hash)))
            .collect::<Result<_>>()?,
        table: values(group, stored)?,
    })
}

/// The values of a group's CTRs for every hash that one of its tables has.
fn values(group: &Group, stored: &Stored) -> Result<Table> {
    let of = |index: &usize| {
        (
            &stored.ctrs[*index],
            &stored.tables[stored.ctrs[*index].table],
        )
    };
    let unknown: Vec<f32> = group
        .ctrs
        .iter()
        .map(|index| {
            let (ctr, table) = of(index);
            ctr.value(table.unknown())
        })
        .collect();
    let sizes = group.ctrs.iter().map(|index| of(index).1.hashes.len());
    let mut found = Table::new(sizes.max().unwrap_or(0), &unknown)?;
    let mut tables: Vec<usize> = group
        .ctrs
        .iter()
        .map(|&ctr| stored.ctrs[ctr].table)
        .collect();
    tables.sort_unstable();
    tables.dedup();
    for index in tables {
        let table = &stored.tables[index];
        let columns: Vec<(usize, &Ctr)> = group
            .ctrs
            .iter()
            .map(|&ctr| &stored.ctrs[ctr])
            .enumerate()
            .filter(|(_, ctr)| ctr.table == index)
            .collect();
        for (row, &hash) in table.hashes.iter().enumerate() {
            let values = found.row_mut(hash)?;
            for &(column, ctr) in &columns {
                values[column] = ctr.value(table.fraction(row, ctr.target_border));
            }
        }
    }
    Ok(found)
}

impl CtrTable {
    /// The numerator and denominator of a category that is not in the table.
    fn unknown(&self) -> [f32; 2] {
        match self.kind {
            CtrType::Counter | CtrType::FeatureFreq => [0.0, self.denominator as f32],
            _ => [0.0; 2],
        }
    }

    /// The numerator and denominator of a row of the table.
    fn fraction(&self, row: usize, target_border: usize) -> [f32; 2] {
        match &self.counts {
            Counts::Single(counts) => [counts[row] as f32, self.denominator as f32],
            Counts::Means(means) => [means[row].0, means[row].1 as f32],
            Counts::Classes(width, counts) => {
                let counts = &counts[row * width..][..*width];
                let sum = |counts: &[i32]| {
                    counts
                        .iter()
                        .fold(0, |sum: i32, &count| sum.wrapping_add(count))
                };
                let good = match self.kind {
                    CtrType::Buckets => counts[target_border],
                    _ if *width == 2 => counts[1],
                    _ => sum(&counts[target_border + 1..]),
                };
                [good as f32, sum(counts) as f32]
            }
        }
    }
}

impl Ctr {
    fn value(&self, [good, total]: [f32; 2]) -> f32 {
        let [numerator, denominator] = self.prior;
        ((good + numerator) / (total + denominator) + self.shift) * self.scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::catboost::stored;

    const CTR: Ctr = Ctr {
        table: 0,
        target_border: 1,
        prior: [0.5, 1.0],
        shift: -0.25,
        scale: 15.0,
    };

    fn table(kind: CtrType, counts: Counts) -> CtrTable {
        CtrTable {
            projection: stored::Projection::default(),
            kind,
            classifier: 0,
            hashes: vec![7],
            counts,
            denominator: 40,
        }
    }

    /// Worked out by hand from the formulas of `TModelCtr::Calc` and `CalcCtrs`.
    #[test]
    fn every_type_has_its_fraction() {
        let classes = || Counts::Classes(3, vec![5, 2, 9]);
        let means = || Counts::Means(vec![(3.25, 8)]);
        let cases = [
            (CtrType::Borders, classes(), [9.0, 16.0], [0.0, 0.0]),
            (CtrType::Buckets, classes(), [2.0, 16.0], [0.0, 0.0]),
            (
                CtrType::BinarizedTargetMeanValue,
                means(),
                [3.25, 8.0],
                [0.0, 0.0],
            ),
            (
                CtrType::FloatTargetMeanValue,
                means(),
                [3.25, 8.0],
                [0.0, 0.0],
            ),
            (
                CtrType::Counter,
                Counts::Single(vec![12]),
                [12.0, 40.0],
                [0.0, 40.0],
            ),
            (
                CtrType::FeatureFreq,
                Counts::Single(vec![12]),
                [12.0, 40.0],
                [0.0, 40.0],
            ),
        ];
        for (kind, counts, known, unknown) in cases {
            let table = table(kind, counts);
            assert_eq!(table.fraction(0, 1), known, "{kind:?}");
            assert_eq!(table.unknown(), unknown, "{kind:?}");
        }
        assert_eq!(CTR.value([9.0, 16.0]), ((9.5_f32 / 17.0) - 0.25) * 15.0);
    }

    #[test]
    fn a_class_that_is_not_counted_is_refused() {
        let cases = [
            (CtrType::Borders, 1, false),
            (CtrType::Borders, 2, true),
            (CtrType::Borders, 3, true),
            (CtrType::Buckets, 1, false),
            (CtrType::Buckets, 2, true),
        ];
        for (kind, width, is_counted) in cases {
            let table = table(kind, Counts::Classes(width, vec![5; width]));
            assert_eq!(check(&CTR, &table).is_ok(), is_counted, "{kind:?} {width}");
        }
        let table = table(CtrType::Borders, Counts::Classes(1, vec![5]));
        let message = check(&CTR, &table).unwrap_err().to_string();
        assert!(message.contains("Borders of class 1 of 1"), "{message}");
    }
}
