//! An A/B test: which models answer which share of the rows, and by which key.
//!
//! Owns the options of the split. Its models are opened and bound as challengers are, but what is
//! wrong with one ends the run: without it rows would have no answer.

use std::collections::{BTreeMap, HashSet};

use arrow::datatypes::{Schema, SchemaRef};
use serde_json::{Value as Json, json};

use super::challenger::{Bound, bound, names};
use super::columns::{positions, refuse_duplicates};
use super::list::all_items;
use super::options::share;
use crate::contract::renaming::column_names;
use crate::error::{Error, Result};
use crate::package::Resolved;
use crate::package::open::Identity;
use crate::pipeline::arm::{Arm, Arms};
use crate::pipeline::split::{Split, check_key};
use crate::request::work::Work;
use crate::table::dataset::Dataset;
use crate::table::spelling::{did_you_mean, did_you_mean_column};

/// A model that answers a share of the rows.
#[derive(Clone, Debug)]
pub struct SplitArm {
    /// Its name in the run.
    pub name: String,
    /// Its share, from 0 to 1.
    pub share: f64,
    /// Which model it is.
    pub identity: Identity,
    /// The version of a registry's model that it is.
    pub resolved: Option<Resolved>,
}

/// A split, with the models but the run's own opened and bound.
pub(super) struct PlannedSplit {
    keys: Vec<String>,
    salt: String,
    bound: Vec<Bound>,
    /// The models, in the order of their shares.
    pub(super) arms: Vec<SplitArm>,
}

/// The split of a run, if there is one.
///
/// # Errors
/// A usage error for options that contradict each other; whatever is wrong with a model.
pub(super) fn resolve(
    args: &Work,
    dataset: &Dataset,
    schema: &SchemaRef,
) -> Result<Option<PlannedSplit>> {
    let options = &args.challengers;
    if options.split.is_empty() {
        let others = [
            ("--split-by", !options.split_by.is_empty()),
            ("--split-salt", options.split_salt.is_some()),
        ];
        return match others.iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => Err(Error::usage(format!(
                "`{flag}` does nothing without `--split`"
            ))
            .hint("name the share of a challenger: `--split NAME=10%`")),
            None => Ok(None),
        };
    }
    if options.split_by.is_empty() {
        return Err(
            Error::usage("`--split` needs the key that decides about a row")
                .hint("name its columns: `--split-by customer_id`"),
        );
    }
    let keys = all_items("--split-by", &options.split_by)?;
    for key in &keys {
        let Some((_, field)) = schema.column_with_name(key) else {
            let error = Error::contract("`--split-by` names a column that is not in the data");
            let hint = did_you_mean_column(key, &column_names(schema));
            return Err(error.at_column(key).hint(hint));
        };
        check_key(key, field.data_type())?;
    }
    let shares = shares(args)?;
    let mut planned = PlannedSplit {
        keys,
        salt: options.split_salt.clone().unwrap_or_default(),
        bound: Vec::new(),
        arms: Vec::new(),
    };
    for (name, share) in shares {
        let located = options.located.iter().find(|one| one.name == name);
        let located =
            located.ok_or_else(|| Error::internal("a challenger that was not looked up"))?;
        let one = bound(args, located, dataset, schema).map_err(|error| {
            let message = format!("the challenger `{name}` cannot answer its share of the rows");
            Error::new(error.kind(), message).because(error)
        })?;
        planned.arms.push(SplitArm {
            name,
            share,
            identity: one.identity.clone(),
            resolved: located.resolved.clone(),
        });
        planned.bound.push(one);
    }
    Ok(Some(planned))
}

/// The share of each challenger, in the order in which they were named.
fn shares(args: &Work) -> Result<Vec<(String, f64)>> {
    let mut shares: Vec<(String, f64)> = Vec::new();
    let known = names(args, "")?;
    for text in &args.challengers.split {
        let wrong = || {
            Error::usage(format!("`--split {text}` is not of the form NAME=SHARE"))
                .hint("write the challenger's name and its share of the rows: `--split next=10%`")
        };
        let (name, part) = text.rsplit_once('=').ok_or_else(wrong)?;
        if !known.iter().any(|one| one == name) {
            let error = Error::usage(format!("`--split {text}` names no challenger"));
            let otherwise = "name its model: `--challenger NAME=MODEL`";
            let names = known.iter().map(String::as_str);
            return Err(error.hint(did_you_mean(name, &names, otherwise)));
        }
        if shares.iter().any(|(other, _)| other == name) {
            return Err(Error::usage(format!("`--split` names `{name}` twice"))
                .hint("give each challenger one share"));
        }
        shares.push((name.to_owned(), share("--split", part, true)?));
    }
    let all: f64 = shares.iter().map(|(_, share)| share).sum();
    if all > 1.0 + 1e-9 {
        let message = format!("`--split` gives {} % of the rows away", all * 100.0);
        return Err(Error::usage(message).hint("the shares of all challengers are at most 100 %"));
    }
    match known
        .iter()
        .find(|name| shares.iter().all(|(other, _)| other != *name))
    {
        None => Ok(shares),
        Some(name) => Err(Error::usage(format!(
            "the challenger `{name}` has no share of the rows"
        ))
        .hint(format!(
            "add `--split {name}=10%`, or compare it in a run without `--split`"
        ))),
    }
}

/// Adds what the run's own model is called to what is described of a split, if there is one.
pub(super) fn name_champion(champion: &Identity, configuration: &mut BTreeMap<String, Json>) {
    if let Some(Json::Object(split)) = configuration.get_mut("--split") {
        let own = json!({"model": champion.name, "version": champion.version});
        split.insert("champion".to_owned(), own);
    }
}

impl PlannedSplit {
    /// The columns that are read for all models, in the table's order.
    ///
    /// # Errors
    /// A contract error for a name that two columns have.
    pub(super) fn with_columns(
        &self,
        own: &Schema,
        schema: &Schema,
        dataset: &Dataset,
    ) -> Result<SchemaRef> {
        let names: HashSet<&str> = self
            .bound
            .iter()
            .flat_map(|one| one.columns.fields())
            .chain(own.fields())
            .map(|field| field.name().as_str())
            .chain(self.keys.iter().map(String::as_str))
            .collect();
        let fields = schema.fields().iter();
        let fields = fields.filter(|field| names.contains(field.name().as_str()));
        let all: SchemaRef = Schema::new(fields.cloned().collect::<Vec<_>>()).into();
        refuse_duplicates(&all, dataset)?;
        Ok(all)
    }

    /// What of it shows in the rows, for the run's identity.
    pub(super) fn describe(&self, configuration: &mut BTreeMap<String, Json>) {
        let arms = self.arms.iter().map(|arm| {
            json!({
                "name": arm.name, "share": arm.share, "model": arm.identity.name,
                "version": arm.identity.version, "digest": arm.identity.digest,
                "resolved": arm.resolved
            })
        });
        let split = json!({
            "by": self.keys, "salt": self.salt, "arms": arms.collect::<Vec<_>>()
        });
        configuration.insert("--split".to_owned(), split);
    }

    /// The run's models, of which `champion` is the first; `batch` has all columns of a portion,
    /// `read` those that are read.
    ///
    /// # Errors
    /// A contract error if models answer with different columns.
    pub(super) fn into_arms(
        self,
        args: &Work,
        champion: Arm,
        batch: &Schema,
        read: &SchemaRef,
    ) -> Result<(Arms, Vec<SplitArm>)> {
        if self.arms.iter().any(|arm| arm.name == champion.name) {
            let message = format!("two models of the run are called `{}`", champion.name);
            return Err(Error::usage(message)
                .hint("give the challenger a name of its own: `--challenger NAME=MODEL`"));
        }
        let shares: Vec<f64> = self.arms.iter().map(|arm| arm.share).collect();
        let split = Split::new(positions(&self.keys, batch)?, self.salt, &shares);
        let mut arms = vec![champion];
        for (bound, arm) in self.bound.into_iter().zip(&self.arms) {
            let version = bound.identity.version.clone();
            let (scoring, selection) = bound.scoring(args, read)?;
            arms.push(Arm {
                name: arm.name.clone(),
                version,
                scoring,
                selection,
                work: 0.into(),
            });
        }
        Ok((Arms::several(arms, split)?, self.arms))
    }
}
