//! Challengers of a run: opened and bound to its rows, or dropped with a reason.
//!
//! Owns which of the run's options are theirs too: those that say how the data is read and what a
//! score means. Nothing that is wrong with a challenger fails the plan; only the options themselves
//! do.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::datatypes::{Field, Schema, SchemaRef};

use super::columns::{output_schema, refuse_duplicates, requested_columns, widened};
use super::import::import_options;
use super::memory::{Allowance, Needs, afford};
use super::needs::row_bytes;
use super::options::{
    binding_options, byte_size, check_offset, missing_values, seconds, set_threshold,
};
use super::{signed, text};
use crate::contract::Contract;
use crate::contract::binding::{BindingOptions, BoundInput, bind, fed_columns};
use crate::error::{Error, Result, shell_word};
use crate::feature::encode::Encoder;
use crate::feature::missing::MissingValues;
use crate::memory::Pool;
use crate::monitor::pairs::{PairObserver, Pairing};
use crate::monitor::scores::ScoreObserver;
use crate::package::Resolved;
use crate::package::open::{Identity, OpenedModel, open};
use crate::panics::caught;
use crate::pipeline::challenger::{Challenger, Challengers, State};
use crate::pipeline::rule::Rules;
use crate::pipeline::scoring::Scoring;
use crate::pipeline::selection::Selection;
use crate::process;
use crate::registry::name::Reference;
use crate::request::challenger::{Located, misnamed, name_of, split_name};
use crate::request::work::Work;
use crate::storage::{Location, find, read_unchanged};
use crate::table::dataset::Dataset;
use crate::table::name_index::NameIndex;

/// A challenger in the plan of a run.
#[derive(Clone, Debug)]
pub struct Contender {
    /// Its name in the run.
    pub name: String,
    /// Its model, as it was named.
    pub model: Location,
    /// The version of a registry's model that it is.
    pub resolved: Option<Resolved>,
    /// Which model it is, once it was opened.
    pub identity: Option<Identity>,
    /// Its index among the job's challengers; or why it is not one.
    pub index: Result<usize, String>,
}

/// What challengers are bound to.
pub(super) struct Champion<'a> {
    pub(super) dataset: &'a Dataset,
    /// The columns of the data.
    pub(super) schema: &'a SchemaRef,
    /// Those that the run reads, with the types that the files declare.
    pub(super) requested: &'a SchemaRef,
    /// The columns that may come along, derived ones included.
    pub(super) table: &'a Schema,
    /// The columns that come along.
    pub(super) along: &'a [String],
    /// The columns that the run's own model adds.
    pub(super) fields: Vec<Field>,
    /// The name of the run's own model.
    pub(super) name: &'a str,
    pub(super) threads: usize,
}

/// A challenger whose model was opened and bound.
pub(super) struct Bound {
    opened: OpenedModel,
    pub(super) identity: Identity,
    inputs: Vec<BoundInput>,
    missing: MissingValues,
    selection: Option<Selection>,
    offset_count: usize,
    /// The columns that it reads.
    pub(super) columns: SchemaRef,
}

impl Bound {
    /// The model with its encoder, bound to batches of `schema` and the columns that its package
    /// derives.
    pub(super) fn scoring(
        self,
        args: &Work,
        schema: &SchemaRef,
    ) -> Result<(Scoring, Option<Selection>)> {
        let schema = widened(self.selection.as_ref(), schema);
        let precision = self.opened.loaded.model.precision();
        let encoder = Encoder::new(self.inputs, &self.missing, precision)
            .showing_values(args.resources.show_values);
        let model = Arc::new(self.opened.loaded);
        let scoring = Scoring::new(model, encoder, &schema, args.outcome.raw)?;
        Ok((scoring.with_offsets(self.offset_count), self.selection))
    }
}

/// The names of the challengers that were asked for.
///
/// # Errors
/// A usage error for two models of one name, and for limits without a challenger.
pub fn names(args: &Work, champion: &str) -> Result<Vec<String>> {
    let options = &args.challengers;
    let limits = [
        ("--challenger-time", options.challenger_time.is_some()),
        ("--challenger-memory", options.challenger_memory.is_some()),
    ];
    if let Some((flag, _)) = limits.iter().find(|(_, is_given)| *is_given)
        && options.challenger.is_empty()
    {
        return Err(
            Error::usage(format!("`{flag}` does nothing without `--challenger`"))
                .hint(format!("add `--challenger MODEL`, or remove `{flag}`")),
        );
    }
    options.challenger.iter().try_for_each(refuse_misnamed)?;
    let names: Vec<String> = options.challenger.iter().map(name_of).collect();
    // They are names of files, and some file systems do not tell case apart.
    let mut seen = HashSet::from([champion.to_lowercase()]);
    match names.iter().find(|name| !seen.insert(name.to_lowercase())) {
        None => Ok(names),
        Some(name) => Err(
            Error::usage(format!("two models of the run are called `{name}`"))
                .hint("give the challenger a name of its own: `--challenger NAME=MODEL`"),
        ),
    }
}

/// Refuses `NAME=MODEL` with a name that is none. A path may hold a `=`, too: one that is there, or
/// whose end is no model.
fn refuse_misnamed(text: &Location) -> Result<()> {
    let Some((name, model)) = misnamed(text) else {
        return refuse_taken_apart(text);
    };
    let is_model = || {
        let is_reference = model.to_str().and_then(Reference::parse).is_some();
        Ok(is_reference || !model.is_empty() && find(&model)?.is_some())
    };
    if find(text)?.is_some() || name.contains('/') && !is_model()? {
        return Ok(());
    }
    let text = text.to_string_lossy();
    let message = if model.is_empty() {
        format!("`--challenger {text}` names no model")
    } else {
        format!("`--challenger {text}`: `{name}` cannot be the name of a challenger")
    };
    Err(Error::usage(message).hint(
        "write `--challenger NAME=MODEL`; a name has letters, digits, `.`, `_` and `-`, and begins \
         with a letter or digit",
    ))
}

/// Refuses a path that is there and is read as `NAME=MODEL`, where no such model is.
fn refuse_taken_apart(text: &Location) -> Result<()> {
    let (Some(name), model) = split_name(text) else {
        return Ok(());
    };
    let is_reference = model.to_str().and_then(Reference::parse).is_some();
    if is_reference || find(&model)?.is_some() || find(text)?.is_none() {
        return Ok(());
    }
    let text = text.to_string_lossy();
    let message = format!("`--challenger {text}` is read as a model called `{name}`");
    let path = shell_word(&format!("./{text}"));
    Err(Error::usage(message)
        .at_path(&model)
        .because("no such file or directory")
        .hint(format!("for the path, write `--challenger {path}`")))
}

/// Opens and binds all challengers.
///
/// # Errors
/// A usage error for options that are wrong, whatever the challengers are.
pub(super) fn resolve(
    args: &Work,
    champion: &Champion<'_>,
) -> Result<(Option<Challengers>, Vec<Contender>)> {
    names(args, champion.name)?;
    let options = &args.challengers;
    if options.located.is_empty() || !options.split.is_empty() {
        return Ok((None, Vec::new()));
    }
    let max_seconds = options.challenger_time.as_deref();
    let max_seconds = max_seconds
        .map(|text| seconds("--challenger-time", text))
        .transpose()?;
    let most = options.challenger_memory.as_deref();
    let most = most
        .map(|text| byte_size("--challenger-memory", text))
        .transpose()?;
    let pool = Pool::of_process();
    let (limit, is_limited) = (pool.limit(), args.resources.memory.is_some());
    let mut budget = most.unwrap_or_else(|| pool.left() / 2).min(pool.left());
    let mut contenders = Vec::new();
    let mut bound = Vec::new();
    for located in &options.located {
        // What loading takes more is refused.
        pool.set_limit(Some(pool.used().saturating_add(budget)));
        let opened = caught("the model cannot be loaded", || {
            self::bound(args, located, champion.dataset, champion.schema)
        });
        let opened = opened.and_then(|bound| {
            let bytes = bytes_of(&bound, champion.threads);
            if bytes <= budget {
                budget -= bytes;
                return Ok(bound);
            }
            let error = Error::failed(format!(
                "it needs {} MiB of memory, and challengers have {} MiB left",
                bytes.div_ceil(1 << 20),
                budget >> 20
            ));
            Err(error.hint("`--challenger-memory SIZE` allows more"))
        });
        let mut contender = Contender {
            name: located.name.clone(),
            model: located.model.clone(),
            resolved: located.resolved.clone(),
            identity: None,
            index: Ok(bound.len()),
        };
        match opened {
            Ok(one) => {
                contender.identity = Some(one.identity.clone());
                bound.push((contenders.len(), one));
            }
            Err(error) => contender.index = Err(error.in_one_line()),
        }
        contenders.push(contender);
    }
    pool.set_limit(is_limited.then_some(limit));
    let own = champion.requested;
    let own_index = NameIndex::new(own);
    let is_further = |field: &Field| own_index.position(field.name()).is_none();
    let read: HashSet<String> = bound
        .iter()
        .flat_map(|(_, one)| one.columns.fields())
        .chain(own.fields())
        .map(|field| field.name().clone())
        .collect();
    let all = champion.schema.fields().iter();
    let all = all.filter(|field| read.contains(field.name()));
    let read_schema = champion
        .dataset
        .as_read(&Schema::new(all.cloned().collect::<Vec<_>>()));
    let own_names = own.fields().iter().map(|field| field.name());
    let read_index = NameIndex::new(&read_schema);
    let own_positions = own_names.filter_map(|name| read_index.position(name));
    let further = read_schema.fields().iter().enumerate();
    let further = further.filter(|(_, field)| is_further(field));
    let mut challengers = Challengers {
        arms: Vec::new(),
        own: own_positions.collect(),
        further: further.map(|(index, _)| index).collect(),
        read_schema: read_schema.clone(),
        max_seconds,
        worker_bytes: budget / champion.threads.max(1) as u64,
        champion_work: AtomicU64::new(0),
    };
    for (position, one) in bound {
        let reads_further = one.columns.fields().iter().any(|field| is_further(field));
        let name = contenders[position].name.clone();
        let arm = caught("the model cannot be bound", || {
            arm(args, champion, &challengers, one, name, reads_further)
        });
        contenders[position].index = match arm {
            Ok(arm) => {
                challengers.arms.push(arm);
                Ok(challengers.arms.len() - 1)
            }
            Err(error) => Err(error.in_one_line()),
        };
    }
    let challengers = Some(challengers).filter(|all| !all.arms.is_empty());
    Ok((challengers, contenders))
}

/// What a challenger holds: its model, and what all workers need for it.
fn bytes_of(bound: &Bound, threads: usize) -> u64 {
    let model = &bound.opened.loaded.model;
    (model.memory_bytes() as u64)
        .saturating_add((model.worker_bytes() as u64).saturating_mul(threads as u64))
}

/// The run's work as that of a challenger.
///
/// # Errors
/// Fails if its model was not found.
pub fn own_work(args: &Work, located: &Located) -> Result<Work> {
    let path = located.path.clone().map_err(Error::failed)?;
    let mut own = args.clone();
    own.model = path;
    own.resolved.clone_from(&located.resolved);
    own.binding.rows_axis.clear();
    own.outcome.virtual_ensembles = None;
    own.challengers = crate::request::challenger::Challengers::default();
    Ok(own)
}

/// Opens a challenger and binds it to the data, of this schema.
pub(super) fn bound(
    args: &Work,
    located: &Located,
    dataset: &Dataset,
    schema: &SchemaRef,
) -> Result<Bound> {
    let own = own_work(args, located)?;
    let import_options = import_options(&own.binding, &own.outcome, &own.text)?;
    let (vouched, signed) = signed::verified(&own)?;
    let open = || read_unchanged(|| open(&own.model, &import_options));
    let mut opened = signed::guarded(vouched.as_ref(), open)?;
    signed::refuse_revoked(&own, &opened)?;
    let reads_texts = text::reads_texts(&opened.loaded.contract);
    if !reads_texts {
        set_threshold(&mut opened, own.outcome.threshold)?;
    }
    let contract = &opened.loaded.contract;
    let mut options = BindingOptions {
        renaming: contract.renaming,
        has_others: true,
        ..binding_options(&own.binding)?
    };
    keep_own(&mut options, contract);
    let mut missing = missing_values(&own.rows.missing, dataset.is_text())?;
    (missing.spelt_numbers, missing.number_format) =
        (dataset.spelt_numbers(), dataset.options().numbers);
    let fed = fed_columns(contract, schema, &options)?;
    let mut selection = Selection::new(None, &opened.derived, schema, &fed, &missing)?;
    let wide = widened(selection.as_ref(), schema);
    if reads_texts && options.features.is_none() {
        options.features = text::columns(&own.text, contract, &wide, dataset.is_text())?;
    }
    check_offset(&opened, &options.offset)?;
    let inputs = bind(contract, &wide, dataset, &options)?;
    if let Some(selection) = &mut selection {
        selection.keep_only(|name| inputs.iter().any(|one| one.column == name));
    }
    let columns = requested_columns(&inputs, &[], selection.as_ref(), &Rules::default(), schema);
    refuse_duplicates(&columns, dataset)?;
    let mut identity = opened.identity();
    if let Some(resolved) = &located.resolved {
        identity
            .version
            .get_or_insert_with(|| resolved.version.to_string());
        identity.further.extend(resolved.facts());
    }
    identity.further.extend(signed);
    Ok(Bound {
        opened,
        identity,
        inputs,
        missing,
        selection,
        offset_count: options.offset.len(),
        columns,
    })
}

/// Drops what is said of columns that a model with names does not have.
fn keep_own(options: &mut BindingOptions, contract: &Contract) {
    if !contract.named {
        return;
    }
    options.features = None;
    let is_own =
        |column: &str| column == "*" || contract.inputs.iter().any(|input| input.name == column);
    options.on_null.retain(|(column, _)| is_own(column));
    options.on_unseen.retain(|(column, _)| is_own(column));
}

/// The challenger of the job.
fn arm(
    args: &Work,
    champion: &Champion<'_>,
    challengers: &Challengers,
    bound: Bound,
    name: String,
    reads_further: bool,
) -> Result<Challenger> {
    let (scoring, selection) = bound.scoring(args, &challengers.batch_schema())?;
    let fields = scoring.fields();
    let output_schema = output_schema(champion.along, champion.table, fields.clone())?;
    let pairing = Pairing::new(&champion.fields, &fields);
    Ok(Challenger {
        name,
        scoring: Arc::new(scoring),
        selection,
        output_schema,
        observers: vec![
            Box::new(ScoreObserver::new(fields)),
            Box::new(PairObserver::new(pairing)),
        ],
        reads_further,
        state: State::default(),
    })
}

/// What a run takes that its challengers share; `before` is what the process took without them.
fn with_challengers(needs: &Needs, challengers: &Challengers, before: u64) -> Needs {
    let mut all = *needs;
    let held = process::memory_bytes().unwrap_or(0).saturating_sub(before);
    all.resident_bytes += held;
    for arm in &challengers.arms {
        let scoring = &arm.scoring;
        all.block_bytes += scoring.block_bytes() as u64;
        all.model_bytes += scoring.model().model.worker_bytes() as u64;
        let fields: Vec<_> = scoring.fields().into_iter().map(Arc::new).collect();
        all.score_row_bytes += row_bytes(&fields);
        all.score_column_count += fields.len() as u64;
        all.output_count += 1;
        all.has_query |= arm.selection.is_some();
    }
    all
}

/// What a run and its challengers may have; those that do not fit into `--memory` are dropped, the
/// last ones first.
///
/// # Errors
/// As [`afford`] without challengers.
pub(super) fn afford_all(
    memory_bytes: Option<u64>,
    champion: &Champion<'_>,
    needs: &Needs,
    before: u64,
    challengers: &mut Option<Challengers>,
    contenders: &mut [Contender],
) -> Result<(Allowance, Needs)> {
    let (dataset, threads) = (champion.dataset, champion.threads);
    while let Some(all) = challengers {
        let shared = with_challengers(needs, all, before);
        let options = dataset.options();
        match afford(
            memory_bytes,
            threads,
            &shared,
            dataset,
            &all.read_schema,
            options,
        ) {
            Ok(allowance) => return Ok((allowance, shared)),
            Err(error) => {
                all.arms.pop();
                let last = all.arms.len();
                let reason = error.in_one_line();
                contenders
                    .iter_mut()
                    .filter(|contender| contender.index == Ok(last))
                    .for_each(|contender| contender.index = Err(reason.clone()));
                if all.arms.is_empty() {
                    *challengers = None;
                }
            }
        }
    }
    let read_schema = dataset.as_read(champion.requested);
    let options = dataset.options();
    afford(memory_bytes, threads, needs, dataset, &read_schema, options)
        .map(|allowance| (allowance, *needs))
}
