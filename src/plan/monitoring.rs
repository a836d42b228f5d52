//! What a run watches, resolved: its baseline, its limits, its gates, its profile.
//!
//! Owns the defaults of a package, and which facts a gate of this run can read. It must not know
//! what was found: that is the report's.

use std::sync::Arc;

use super::challenger::Contender;
use super::needs::WatchBytes;
use super::options::share_of_one;
use super::signed;
use super::split::SplitArm;
use crate::contract::binding::BoundInput;
use crate::error::{Error, Result};
use crate::feature::Precision;
use crate::format::ImportOptions;
use crate::monitor::against::{BaselineObserver, Precisions};
use crate::monitor::drift::Limits;
use crate::monitor::gate::Gate;
use crate::monitor::judgement::PlannedGate;
use crate::monitor::pairs::Pairing;
use crate::monitor::profile::Profile;
use crate::monitor::profile_table::read_with_digest;
use crate::monitor::profiling::ProfileObserver;
use crate::monitor::reading::InputReader;
use crate::package::open::{Identity, PackageMonitoring, open};
use crate::pipeline::mask::Mask;
use crate::pipeline::observer::Observer;
use crate::pipeline::scoring::Scoring;
use crate::pipeline::{Job, Outcomes};
use crate::report::control::{self, History};
use crate::report::cost::{Cost, PRICE, PRICE_PER_MILLION_ROWS, Price};
use crate::report::monitoring::{self as facts, Offer};
use crate::report::run::{self, RunContext};
use crate::report::{drift, models};
use crate::request::monitoring::{Monitoring, OnGate};
use crate::request::work::Work;
use crate::storage::Location;
use crate::table::origin::{Origin, of_file};
use crate::table::spelling::did_you_mean;

/// What inputs and scores are compared with.
#[derive(Debug)]
pub struct Baseline {
    /// The profile.
    pub profile: Profile,
    /// Its digest.
    pub digest: u128,
    /// Where it was read.
    pub path: Location,
    /// The model whose scores are in it, if it says so.
    pub model: Option<Origin>,
}

impl Baseline {
    /// The warning that its scores are not those of `scoring`.
    #[must_use]
    pub fn of_another_model(&self, scoring: &Origin) -> Option<Error> {
        let model = self.model.as_ref();
        model
            .filter(|model| model.is_other_than(scoring))
            .map(|model| other_scores(&model.title()).at_path(&self.path))
    }
}

/// The warning that the scores of a baseline are of `another` model.
#[must_use]
pub fn other_scores(another: &str) -> Error {
    let message = format!(
        "the baseline's scores are of another model, {another}: distances of scores show the \
         change of the model, too"
    );
    let hint = "`tallow profile TABLE --model MODEL` makes a baseline of this one";
    Error::contract(message).hint(hint)
}

/// What a run watches.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own that the user sets"
)]
pub struct Monitor {
    /// What inputs and scores are compared with.
    pub baseline: Option<Baseline>,
    /// When a column has drifted.
    pub limits: Limits,
    /// The gates, the package's first.
    pub gates: Vec<PlannedGate>,
    /// Gates of the package that are about facts that no run has: those of evaluations.
    pub other_gates: Vec<Gate>,
    /// Whether the output is published if a gate fails.
    pub publishes: bool,
    /// Whether a gate that cannot be decided fails.
    pub is_strict: bool,
    /// Where the profile goes: a path, or `auto`.
    pub profile: Option<Location>,
    /// Whether facts may hold values of rows: the extremes of inputs.
    pub shows_values: bool,
    /// (column, whom to ask about it).
    pub owners: Vec<(String, String)>,
    /// What counts inputs; none if nothing is asked of them.
    pub observer: Option<Arc<BaselineObserver>>,
    /// The facts that gates can read.
    pub offers: Vec<Offer>,
    /// Facts of earlier runs.
    pub history: Option<History>,
    /// Whether limits of drift are learnt from them.
    pub is_learning: bool,
    /// Whether the user wants no baseline.
    is_switched_off: bool,
    /// Gates, each with whether it is the package's.
    unresolved: Vec<(PlannedGate, bool)>,
}

impl Monitor {
    /// Reads options and baseline. Gates are resolved by [`Monitor::with_gates`], once the job is
    /// known.
    ///
    /// # Errors
    /// A usage error for limits and gates that are none; fails if the baseline cannot be read.
    pub fn new(
        request: &Monitoring,
        package: &PackageMonitoring,
        scoring: &Scoring,
        mask: &Mask,
        shows_values: bool,
    ) -> Result<Self> {
        let named = match &request.baseline {
            Some(path) if path.as_os_str() == "none" => None,
            Some(path) => Some(path),
            None => package.baseline.as_ref(),
        };
        let baseline = named
            .map(|path| {
                let (profile, digest) = read_with_digest(path)?;
                Ok::<_, Error>(Baseline {
                    profile,
                    digest,
                    path: path.clone(),
                    model: of_file(path),
                })
            })
            .transpose()?;
        let limits = limits(request, package)?;
        let of_package = package.gates.iter();
        let of_package = of_package.map(|entry| Ok((PlannedGate::of_package(entry)?, true)));
        let own = request.gate.iter();
        let own = own.map(|text| Ok((PlannedGate::of_flag(text)?, false)));
        let gates: Vec<_> = of_package.chain(own).collect::<Result<_>>()?;
        let mut monitor = Self {
            baseline,
            limits,
            publishes: request.on_gate == OnGate::Publish,
            is_strict: request.strict_gates,
            profile: request.profile.clone(),
            shows_values,
            owners: package.owners.clone(),
            history: request.history.as_ref().map(History::read).transpose()?,
            is_learning: request.max_js.is_none() && package.drift.max_js.is_none(),
            unresolved: gates,
            is_switched_off: request
                .baseline
                .as_ref()
                .is_some_and(|path| path.as_os_str() == "none"),
            ..Self::default()
        };
        let reads_inputs = |(PlannedGate { gate, .. }, _): &(PlannedGate, bool)| {
            facts::INPUT_METRICS.contains(&gate.metric())
                && readers(scoring, mask)
                    .iter()
                    .any(|(_, reader)| gate.subject() == "*" || gate.subject() == reader.column)
        };
        let watches = monitor.baseline.is_some()
            || monitor.profile.is_some()
            || monitor.unresolved.iter().any(reads_inputs);
        if watches {
            let none = Profile::default();
            let baseline = monitor.baseline.as_ref().map(|baseline| &baseline.profile);
            let digest = monitor.baseline.as_ref().map(|baseline| baseline.digest);
            let precisions = Precisions {
                model: scoring
                    .model()
                    .model
                    .precision()
                    .unwrap_or(Precision::Double),
                block: scoring.encoder().precision(),
            };
            let observer = BaselineObserver::new(
                readers(scoring, mask),
                baseline.unwrap_or(&none),
                digest.unwrap_or_else(|| none.digest()),
                precisions,
            )?;
            monitor.observer = Some(Arc::new(observer));
        }
        Ok(monitor)
    }

    /// The warning that there are no estimates, because the reference is `of_another_model`.
    ///
    /// # Errors
    /// That error itself if a gate reads estimates.
    pub fn without_estimates(&self, of_another_model: Option<Error>) -> Result<Option<Error>> {
        let Some(error) = of_another_model else {
            return Ok(None);
        };
        let reads_estimates = |gate: &&Gate| {
            let name = gate.metric().strip_prefix(facts::ESTIMATED);
            name.is_some_and(|name| !name.starts_with("loss"))
        };
        let gates = self.unresolved.iter().map(|(planned, _)| &planned.gate);
        match gates.clone().find(reads_estimates) {
            Some(gate) => Err(error.adding(&format!(", and the gate `{gate}` reads an estimate"))),
            None => Ok(Some(error.adding(", so there are no estimates"))),
        }
    }

    /// What watches the rows pass, and what it takes.
    #[must_use]
    pub fn observers(
        &self,
        scoring: &Scoring,
        mask: &Mask,
    ) -> (Vec<Box<dyn Observer>>, WatchBytes) {
        let mut observers: Vec<Box<dyn Observer>> = Vec::new();
        let mut bytes = WatchBytes::default();
        if let Some(observer) = &self.observer {
            let (held, portion) = observer.byte_counts();
            bytes.held += held;
            bytes.portion += portion;
            observers.push(Box::new(observer.clone()));
        }
        if self.profile.is_some() {
            let profile = profile_observer(scoring, mask);
            bytes.gathered += profile.profile_bytes();
            observers.push(Box::new(profile));
        }
        (observers, bytes)
    }

    /// The same with the gates that the facts of this job and model can decide.
    ///
    /// # Errors
    /// A usage error for a gate of a flag that reads a fact that cannot exist.
    pub fn bound(
        self,
        job: &Job,
        model: &Identity,
        challengers: &[Contender],
        split: &[SplitArm],
        price: Option<&Price>,
    ) -> Result<Self> {
        let context = RunContext::of_nothing(model.clone());
        let mut known = run::facts(job, &Outcomes::new(job), &context);
        known.extend(run::facts_of_rows(job, &Cost::of_nothing(price.cloned())));
        let mut offers = offers(job, &self, &known);
        if !challengers.is_empty() {
            offers.extend(offers_of_challengers(job, &model.name, challengers));
        }
        if !split.is_empty() {
            offers.extend(offers_of_split(&model.name, split));
        }
        self.with_gates(offers)
    }

    /// The same with the gates that these facts can decide.
    ///
    /// # Errors
    /// A usage error for a gate of a flag that reads a fact that cannot exist.
    fn with_gates(mut self, offers: Vec<Offer>) -> Result<Self> {
        for (planned, is_of_package) in std::mem::take(&mut self.unresolved) {
            match self.check_gate(&planned.gate, &offers) {
                Err(_) if is_of_package => self.other_gates.push(planned.gate),
                Err(error) => return Err(error),
                Ok(()) => self.gates.push(planned),
            }
        }
        self.offers = offers;
        Ok(self)
    }

    fn check_gate(&self, gate: &Gate, offers: &[Offer]) -> Result<()> {
        let is_meant = |offer: &&Offer| offer.has_metric(gate.metric());
        let meant: Vec<&Offer> = offers.iter().filter(is_meant).collect();
        let otherwise = "`tallow check` lists the facts that gates can read";
        if meant.is_empty() {
            let error = Error::usage(format!(
                "the gate `{gate}` reads a fact that this run does not have"
            ));
            let is_of_drift = facts::DRIFT_METRICS.contains(&gate.metric());
            if is_of_drift && self.baseline.is_none() {
                return Err(error.hint("pass `--baseline FILE`: drift needs a profile to compare"));
            }
            if control::METRICS.contains(&gate.metric()) && self.history.is_none() {
                return Err(error.hint("pass `--history DIR`: it compares with earlier reports"));
            }
            if [PRICE, PRICE_PER_MILLION_ROWS].contains(&gate.metric()) {
                return Err(error.hint("pass `--price-per-hour AMOUNT`: it gives the run a price"));
            }
            let pair_metrics = [&models::LABEL_METRICS[..], &models::SCORE_METRICS].concat();
            if pair_metrics.contains(&gate.metric()) {
                return Err(error.hint("pass `--challenger MODEL`: it compares two models"));
            }
            let names = offers.iter().map(|offer| offer.metric.as_str());
            return Err(error.hint(did_you_mean(gate.metric(), &names, otherwise)));
        }
        let is_of_models = |offer: &&Offer| offer.section == models::SECTION;
        let what = if meant.iter().all(is_of_models) {
            "model"
        } else {
            "column"
        };
        if meant.iter().any(|offer| offer.has_subject(gate.subject())) {
            return Ok(());
        }
        let subjects = meant.iter().flat_map(|offer| offer.subjects());
        let (message, hint) = if gate.subject().is_empty() {
            let metric = gate.metric();
            (
                format!("the gate `{gate}` names no {what}"),
                format!(
                    "write `{metric}({})`, or `{metric}(*)` for every one",
                    what.to_uppercase()
                ),
            )
        } else {
            (
                format!("the gate `{gate}` reads a {what} that does not exist"),
                did_you_mean(gate.subject(), &subjects, otherwise),
            )
        };
        Err(Error::usage(message).hint(hint))
    }

    /// The warning that the baseline has no column of this run.
    #[must_use]
    pub fn nothing_to_compare(&self) -> Option<Error> {
        let baseline = self.baseline.as_ref()?;
        let mut compared = self
            .offers
            .iter()
            .filter(|offer| offer.section == drift::SECTION)
            .flat_map(Offer::subjects);
        compared.next().is_none().then(|| {
            let message = "the baseline has none of this run's columns: neither an input nor a \
                           score is compared";
            let error = Error::contract(message).at_path(&baseline.path);
            error.hint("`tallow profile TABLE --model MODEL` makes a baseline of this model")
        })
    }

    /// The warning that gates of the package about drift have nothing to be judged by.
    #[must_use]
    pub fn warning(&self) -> Option<Error> {
        let is_of_run = |gate: &&Gate| {
            facts::DRIFT_METRICS.contains(&gate.metric())
                || facts::INPUT_METRICS.contains(&gate.metric())
        };
        let unjudged: Vec<String> = self
            .other_gates
            .iter()
            .filter(is_of_run)
            .map(|gate| format!("`{gate}`"))
            .collect();
        let message = format!(
            "gates of the package are not judged, because this run does not have their facts: {}",
            unjudged.join(", ")
        );
        (!unjudged.is_empty() && !self.is_switched_off).then(|| {
            Error::failed(message).hint(
                "`--baseline FILE` gives them a profile to compare with; `--baseline none` says \
                 that none is needed",
            )
        })
    }

    /// A digest of the baseline's content, if there is one.
    #[must_use]
    pub fn baseline_digest(&self) -> Option<String> {
        let observer = self.observer.as_ref().filter(|_| self.baseline.is_some())?;
        Some(format!("{:032x}", observer.baseline_digest()))
    }

    /// The owner of a column, if the package names one.
    #[must_use]
    pub fn owner(&self, column: &str) -> Option<&str> {
        let found = self.owners.iter().find(|(name, _)| name == column);
        found.map(|(_, owner)| owner.as_str())
    }
}

/// The profile of the inputs and scores of a model; of inputs that the outputs hash or leave out,
/// only how many values there are.
#[must_use]
pub fn profile_observer(scoring: &Scoring, mask: &Mask) -> ProfileObserver {
    ProfileObserver::new(readers(scoring, mask), scoring.fields())
}

/// The inputs, one for each column, with their numbers.
fn readers(scoring: &Scoring, mask: &Mask) -> Vec<(usize, InputReader)> {
    let encoder = scoring.encoder();
    let features = encoder.inputs().len() - scoring.offset_count();
    let mut readers: Vec<(usize, InputReader)> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (index, (bound, sentinels)) in encoder.inputs_with_sentinels().enumerate().take(features) {
        let BoundInput { column, .. } = bound;
        if seen.insert(column.clone()) {
            let mut reader = InputReader::new(bound, sentinels);
            reader.is_hidden = mask.covers(column);
            readers.push((index, reader));
        }
    }
    readers
}

fn limits(request: &Monitoring, package: &PackageMonitoring) -> Result<Limits> {
    let default = Limits::default();
    Ok(Limits {
        js: share_of_one("--max-js", request.max_js.or(package.drift.max_js))?
            .unwrap_or(default.js),
        ks: share_of_one("--max-ks", request.max_ks.or(package.drift.max_ks))?
            .unwrap_or(default.ks),
    })
}

/// The gates of a package that is opened for nothing else.
///
/// # Errors
/// Fails if the model cannot be opened; a trust error for one that is not signed as it must be.
pub fn package_gates(work: &Work) -> Result<Vec<PlannedGate>> {
    let (vouched, _) = signed::verified(work)?;
    let options = ImportOptions {
        for_inspection: true,
        ..ImportOptions::default()
    };
    let open = || open(&work.model, &options);
    let opened = signed::guarded(vouched.as_ref(), open)?;
    signed::refuse_revoked(work, &opened)?;
    let gates = opened.monitoring.gates.iter();
    gates.map(PlannedGate::of_package).collect()
}

/// The facts that gates of a job can read; `known` are the facts of a run without rows.
fn offers(job: &Job, monitor: &Monitor, known: &[crate::report::Fact]) -> Vec<Offer> {
    let inputs: Vec<String> = job
        .arms
        .inputs()
        .map(|bound| bound.column.clone())
        .collect();
    let fields = job.arms.fields();
    let baseline = monitor.baseline.as_ref().map(|baseline| &baseline.profile);
    let mut offers = facts::offers(
        known,
        &inputs,
        &fields,
        monitor.observer.as_deref(),
        baseline,
    );
    let is_estimating = |one: &dyn Observer| ["performance", "loss"].contains(&one.name());
    if job.observers.iter().any(|one| is_estimating(&**one)) {
        offers.push(Offer {
            section: "estimates",
            metric: facts::ESTIMATED.to_owned(),
            subjects: vec![String::new()],
        });
    }
    if monitor.history.is_some() {
        let of_history = facts::history_offers(&offers);
        offers.extend(of_history);
    }
    offers
}

/// The facts of a run's own model and its challengers. One that could not be opened is offered too:
/// it drops out, and a gate that reads it trips.
fn offers_of_challengers(job: &Job, own: &str, challengers: &[Contender]) -> Vec<Offer> {
    let names: Vec<String> = challengers.iter().map(|one| one.name.clone()).collect();
    let fields = job.arms.fields();
    let paired = |name: &&String| {
        let mut arms = job.challengers.iter().flat_map(|all| &all.arms);
        let arm = arms.find(|arm| arm.name == **name);
        let pairing = arm.map(|arm| Pairing::new(&fields, &arm.scoring.fields()));
        pairing.map(|pairing| (pairing.labels.is_some(), pairing.scores.is_some()))
    };
    let with = |is_paired: fn((bool, bool)) -> bool| {
        let names = names
            .iter()
            .filter(|name| paired(name).is_none_or(is_paired));
        names.cloned().collect::<Vec<String>>()
    };
    let (labels, scores) = (with(|paired| paired.0), with(|paired| paired.1));
    let all: Vec<String> = std::iter::once(own.to_owned())
        .chain(names.clone())
        .collect();
    let sets: [(&[&str], &[String]); 4] = [
        (&models::MODEL_METRICS, &all),
        (&models::ROW_METRICS, &all),
        (&models::LABEL_METRICS, &labels),
        (&models::SCORE_METRICS, &scores),
    ];
    sets.iter()
        .filter(|(_, names)| !names.is_empty())
        .flat_map(|(metrics, names)| of_models(metrics, names))
        .collect()
}

/// The facts of the models of an A/B test.
fn offers_of_split(own: &str, split: &[SplitArm]) -> Vec<Offer> {
    let others: Vec<String> = split.iter().map(|arm| arm.name.clone()).collect();
    let all: Vec<String> = std::iter::once(own.to_owned())
        .chain(others.clone())
        .collect();
    let of_all = of_models(&models::MODEL_METRICS, &all);
    of_all.chain(of_models(&[models::SHARE], &others)).collect()
}

fn of_models<'a>(metrics: &'a [&str], subjects: &'a [String]) -> impl Iterator<Item = Offer> + 'a {
    metrics.iter().map(|metric| Offer {
        section: models::SECTION,
        metric: (*metric).to_owned(),
        subjects: subjects.to_vec(),
    })
}

/// Where the profile of a run goes: none for one that is a file of the data set.
#[must_use]
pub fn is_automatic(profile: &Location) -> bool {
    profile.as_os_str() == "auto"
}
