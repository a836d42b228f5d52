//! Arguments to plan: every default resolved, every path opened or creatable, the model bound.
//!
//! All that can fail cheaply fails here, before the first row. After this no room looks at an
//! argument again, and nothing changes a plan that a run works on.

pub mod agreement;
mod bound;
pub mod challenger;
mod columns;
pub mod draft;
pub mod effect;
pub mod geo;
pub mod guard;
pub mod identity;
pub mod import;
pub mod keys;
pub mod list;
mod mask;
pub mod memory;
pub mod monitoring;
mod name;
mod needs;
mod opening;
pub mod options;
pub mod quality;
pub mod reading;
pub mod replay;
pub mod signed;
pub mod split;
pub mod target;
pub(crate) mod text;
mod warning;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use self::bound::{BoundColumns, Expressions};
use self::challenger::{Champion, Contender, afford_all};
use self::columns::{output_schema, positions, widened};
use self::draft::Draft;
use self::guard::{Guards, budget};
use self::memory::{Needs, before_rows};
use self::monitoring::Monitor;
use self::name::Name;
use self::needs::needs;
use self::opening::{OpenData, OpenModel};
use self::options::byte_size;
use self::split::SplitArm;
use self::target::Target;
use crate::contract::policies::check_names;
use crate::error::{Error, Result};
use crate::feature::encode::Encoder;
use crate::feature::token_use::TokenUses;
use crate::memory::Pool;
use crate::monitor::profiling::PROFILE;
use crate::package::Resolved;
use crate::package::open::{Identity, OpenedModel};
use crate::pipeline::Job;
use crate::pipeline::arm::{Arm, Arms};
use crate::pipeline::budget::Budget;
use crate::pipeline::challenger::Challengers;
use crate::pipeline::observer::Observer;
use crate::pipeline::scoring::Scoring;
use crate::process;
use crate::report::cost::Price;
use crate::request::Request;
use crate::request::monitoring::Monitoring;
use crate::request::work::Work;
use crate::storage::{Location, check_unchanged};
use crate::table::dataset_file::BadFile;

/// A run, ready to start. Nothing changes it: what is not known before the input was looked through
/// is part of its [`draft`].
#[derive(Debug)]
pub struct Plan {
    /// The work.
    pub job: Job,
    /// The run's name: a digest of model, data and options, so that the same work has the same
    /// name.
    pub run_id: String,
    name: Name,
    /// Which model scores, for the report and the output's footer.
    pub model: Identity,
    /// Which version of a registry's model it is, if it was named by one.
    pub model_version: Option<Resolved>,
    /// Files that cannot be read and are dropped, with the reason.
    pub bad_files: Vec<BadFile>,
    /// Files in directories that are not read, because their names do not end as those of tables
    /// do.
    pub ignored: Vec<Location>,
    needs: Needs,
    /// The models that were to score the same rows.
    pub challengers: Vec<Contender>,
    /// The models that answer a share of the rows.
    pub split: Vec<SplitArm>,
    /// Where results go; none for a dry run that names no output.
    pub target: Option<Target>,
    /// What is too strange about the input.
    pub guards: Guards,
    /// The file with what labelled rows of the model showed, which the estimates begin from.
    pub reference: Option<Location>,
    /// What is watched.
    pub monitor: Monitor,
    /// How many rows may be rejected.
    pub budget: Budget,
    /// The exit code of a run that has nothing to do.
    pub skip_code: Option<u8>,
    /// The options that show in the rows, by the names of their flags.
    configuration: BTreeMap<String, Json>,
    /// All options, for a later run that corrects this one.
    pub request: Map<String, Json>,
    /// What the user should look at, though the run can go on.
    pub warnings: Vec<Error>,
    /// Which of the values that stand for a missing one occur.
    missing_uses: TokenUses,
}

impl Plan {
    /// The plan of a request whose files are read as they are found; `names` are those of input
    /// files that are recorded under other names than their paths.
    ///
    /// # Errors
    /// As [`Draft::resolve`].
    pub fn resolve(request: &Request, names: &HashMap<Location, Location>) -> Result<Self> {
        Draft::resolve(request, None, names)?.finish(Vec::new(), |_| Ok(false))
    }

    /// Opens model and data, binds them and lays out the output's columns: a plan without a target
    /// and without limits.
    ///
    /// # Errors
    /// Whatever does not fit, in the order a user would check it: model, files, columns,
    /// expressions, output columns.
    pub fn bind(args: &Work) -> Result<Self> {
        let nothing = Monitoring {
            baseline: Some("none".into()),
            ..Monitoring::default()
        };
        Self::bind_watched(args, &nothing, None)
    }

    /// The same of a run that does nothing but profile inputs and scores.
    ///
    /// # Errors
    /// As [`Plan::bind`].
    pub fn bind_profiled(args: &Work) -> Result<Self> {
        let profiled = Monitoring {
            baseline: Some("none".into()),
            profile: Some("auto".into()),
            ..Monitoring::default()
        };
        let mut plan = Self::bind_watched(args, &profiled, None)?;
        let is_profile = |one: &dyn Observer| one.name() == PROFILE;
        plan.job.observers.retain(|one| is_profile(&**one));
        Ok(plan)
    }

    /// The same of a whole request.
    ///
    /// # Errors
    /// As [`Plan::bind`]; a usage error for a price that is none.
    fn bind_priced(request: &Request) -> Result<Self> {
        let price = request.telemetry.price_per_hour.as_deref();
        let price = price.map(Price::parse).transpose()?;
        Self::bind_watched(&request.work, &request.monitoring, price.as_ref())
    }

    /// The same, with what watches the rows pass.
    ///
    /// # Errors
    /// As [`Plan::bind`], and for a baseline or gates that are wrong.
    #[expect(
        clippy::too_many_lines,
        reason = "the stages in their order, each in a line or two"
    )]
    fn bind_watched(args: &Work, monitoring: &Monitoring, price: Option<&Price>) -> Result<Self> {
        let Work {
            resolved,
            quality: requested_quality,
            outcome,
            resources,
            ..
        } = args;
        let memory = resources.memory.as_deref();
        let memory = memory.map(|text| byte_size("--memory", text)).transpose()?;
        Pool::of_process().set_limit(memory.map(before_rows));
        let model = opening::model(args)?;
        let threads = thread_count(resources.threads)?;
        let mut data = opening::data(args, &model.opened)?;
        let mut expressions = bound::expressions(args, &model, &data)?;
        let columns = bound::columns(args, &model, &mut data, &mut expressions)?;
        let OpenModel {
            mut opened,
            signed,
            pins: _pins,
            ..
        } = model;
        let OpenData {
            mut dataset,
            schema,
            bad_files,
            ignored,
            options: binding_options,
            missing,
            ..
        } = data;
        let Expressions {
            selection,
            mask,
            rules,
            rule_count,
            ..
        } = expressions;
        let BoundColumns {
            bound,
            along,
            requested,
            offset_rule,
            mut warnings,
        } = columns;
        let mut configuration = identity::configuration(args)?;
        configuration.extend(identity::encryption()?);
        configuration.extend(identity::hashing(&outcome.hash_columns)?);
        let split = split::resolve(args, &dataset, &schema)?;
        let requested = match &split {
            None => requested,
            Some(split) => {
                split.describe(&mut configuration);
                split.with_columns(&requested, &schema, &dataset)?
            }
        };
        let read_schema = dataset.as_read(&requested);
        let batch_schema = widened(selection.as_ref(), &read_schema);
        // That of the package is of its own model's rows alone.
        let of_package = opened.monitoring.reference.as_ref();
        let of_package = of_package.filter(|_| split.is_none());
        let named = quality::reference(requested_quality, of_package);
        let (known, digest, other_model) = quality::of_model(named, &opened.identity())?;
        let (reference, reference_path) = known.unzip();
        configuration.remove(identity::REFERENCE);
        let digest = digest.or_else(|| requested_quality.reference_digest.clone());
        configuration.extend(digest.map(|digest| (identity::REFERENCE.to_owned(), digest.into())));
        let name = Name::new(&configuration, &opened);
        let run_id = name.run_id(&dataset)?;
        let mut identity = named_identity(&opened, resolved.as_ref());
        split::name_champion(&identity, &mut configuration);
        identity.further.extend(signed);
        identity.further.extend(offset_rule.map(|rule| {
            let columns = binding_options.offset.join(", ");
            (
                "offset".to_owned(),
                format!("{columns}, {}", rule.describe()),
            )
        }));
        let show_values = resources.show_values;
        let encoder = Encoder::new(bound, &missing, opened.loaded.model.precision())
            .showing_values(show_values);
        let package = std::mem::take(&mut opened.monitoring);
        let scoring = Scoring::new(Arc::new(opened.loaded), encoder, &batch_schema, outcome.raw)?
            .with_offsets(binding_options.offset.len());
        let monitor = Monitor::new(monitoring, &package, &scoring, &mask, show_values)?;
        warnings.extend(monitor.without_estimates(other_model)?);
        let baseline = monitor.baseline.as_ref();
        warnings.extend(baseline.and_then(|one| one.of_another_model(&identity.origin())));
        let (observers, watch_bytes) = monitor.observers(&scoring, &mask);
        let table = widened(selection.as_ref(), &requested);
        let arm = Arm {
            name: identity.name.clone(),
            version: identity.version.clone(),
            scoring,
            selection: None,
            work: 0.into(),
        };
        let (arms, split) = match split {
            None => (Arms::one(arm), Vec::new()),
            Some(split) => split.into_arms(args, arm, &batch_schema, &read_schema)?,
        };
        let shown = mask.schema(&table);
        let output_schema = output_schema(&along, &shown, arms.fields())?;
        let needs = needs(&dataset, &arms, &output_schema, selection.is_some())
            .with_rules(&rules)
            .with_watching(watch_bytes);
        let before = process::memory_bytes().unwrap_or(0);
        let champion = Champion {
            dataset: &dataset,
            schema: &schema,
            requested: &requested,
            table: &shown,
            along: &along,
            fields: arms.fields(),
            name: &identity.name,
            threads,
        };
        let (mut challengers, mut contenders) = challenger::resolve(args, &champion)?;
        // What a model that could not be opened reads is not known.
        if binding_options.has_others && contenders.iter().all(|one| one.index.is_ok()) {
            let of_challengers = challengers.iter().flat_map(Challengers::inputs);
            let inputs = arms.inputs().chain(of_challengers);
            check_names(inputs, &binding_options, &missing.columns)?;
        }
        let (allowance, needs) = afford_all(
            memory,
            &champion,
            &needs,
            before,
            &mut challengers,
            &mut contenders,
        )?;
        allowance.keep(&mut dataset, memory.is_some());
        let rules = Arc::new(rules);
        let job = Job {
            output_schema,
            mask,
            passthrough: positions(&along, &batch_schema)?,
            table_schema: requested,
            observers: quality::observers(&arms, &rules, reference, requested_quality)?
                .into_iter()
                .chain(observers)
                .collect(),
            rules,
            limit: args.rows.limit,
            rows_per_part: None,
            threads: allowance.threads,
            memory_bytes: allowance.pressure_bytes,
            dataset: Arc::new(dataset),
            read_schema,
            selection,
            arms,
            challengers,
        };
        let monitor = monitor.bound(&job, &identity, &contenders, &split, price)?;
        warnings.extend(monitor.warning());
        warnings.extend(monitor.nothing_to_compare());
        warnings.extend(warning::of_monitoring(monitoring, &monitor, &job.rules));
        warnings.extend(effect::of_examples(
            requested_quality.rule_examples,
            rule_count,
        ));
        Ok(Self {
            job,
            monitor,
            reference: reference_path,
            run_id,
            name,
            model: identity,
            bad_files,
            ignored,
            needs,
            challengers: contenders,
            split,
            target: None,
            guards: Guards::default(),
            budget: Budget::default(),
            skip_code: None,
            configuration,
            model_version: resolved.clone(),
            request: Map::new(),
            warnings,
            missing_uses: missing.uses,
        })
    }

    /// Checks that every input is still what it was when it was opened.
    ///
    /// # Errors
    /// Fails for the first that was removed, replaced or written to.
    pub fn check_unchanged(&self) -> Result<()> {
        self.job
            .dataset
            .files
            .iter()
            .try_for_each(|file| check_unchanged(&file.path, &file.table.identity()))
    }

    /// Warnings of values that stand for a missing one and that no row holds, once every row was
    /// read.
    #[must_use]
    pub fn unmet_missing(&self, rows_in: u64) -> Vec<Error> {
        if rows_in == 0 || self.job.limit.is_some() {
            return Vec::new();
        }
        warning::unmet(self.missing_uses.unmet())
    }

    /// What the run is expected to take at most, in bytes; looks into the headers of all pages.
    ///
    /// # Errors
    /// Fails if a file cannot be opened again.
    pub fn estimated_bytes(&self) -> Result<u64> {
        let Job {
            dataset, threads, ..
        } = &self.job;
        let schema = self.job.file_schema();
        let demands = dataset.demands(schema, std::slice::from_ref(dataset.options()), true)?;
        Ok(demands
            .first()
            .map_or(0, |demand| self.needs.estimate(*threads, demand)))
    }
}

/// What model scores: the name and version of a registry count more than those of the file.
fn named_identity(opened: &OpenedModel, resolved: Option<&Resolved>) -> Identity {
    let mut identity = opened.identity();
    if let Some(resolved) = resolved {
        identity.name.clone_from(&resolved.model);
        identity
            .version
            .get_or_insert_with(|| resolved.version.to_string());
        identity.further.extend(resolved.facts());
    }
    identity
}

/// What affinity and the container's quota allow, unless the user says otherwise.
fn thread_count(requested: Option<usize>) -> Result<usize> {
    match requested {
        Some(0) => Err(Error::usage(
            "`--threads 0`: a run needs at least one thread",
        )),
        Some(count) if count > MAX_THREADS => Err(Error::usage(format!(
            "`--threads {count}` is more than the {MAX_THREADS} that make sense"
        ))),
        Some(count) => Ok(count),
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
    }
}

/// More workers than the largest machines have cores.
const MAX_THREADS: usize = 1024;
