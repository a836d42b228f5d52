//! Rows of a recorded run, with everything that made their scores.
//!
//! Owns the way from a manifest to one row's values, and the checks that model and input are those
//! of the run. It must not know how that is shown. Contributions of features will come in here.

use arrow::array::RecordBatch;
use serde_json::{Map, Value as Json};

use super::caller::Caller;
use super::corrected_row::CorrectedRun;
use super::explained_values::{derived, name_outputs, named, passed, read_text, text};
use super::follow::Followed;
use super::named_model;
use super::own_filter::{OwnFilter, own_filter};
use super::record::recorded;
use super::replay::{recorded_request, refuse_missing_model};
use super::retry::names_of;
use super::retry_request::without_output_keys;
use super::same_models::check_models;
use crate::error::{Error, Result};
use crate::feature::verdict::Origin;
use crate::interrupt::Interrupt;
use crate::outcome::Margins;
use crate::output::manifest::Manifest;
use crate::pipeline::arm::{MODEL, MODEL_VERSION};
use crate::plan::{Plan, identity, keys};
use crate::report::explanation::{Explanation, InputValue};
use crate::request::keys::Keys;
use crate::request::work::Resources;
use crate::storage::Location;
use crate::table::dataset::Position;

/// Rows that are read at once.
const PORTION_ROWS: u64 = 1 << 16;

/// The outcome of a row that was not scored.
const REJECTED: &str = "rejected";

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Explain {
    /// The data set.
    pub directory: Location,
    /// The number of a row of the input, from 1.
    pub row: Option<u64>,
    /// Rows that satisfy an expression.
    pub filter: Option<String>,
    /// The most rows that are explained.
    pub max_rows: usize,
    /// Keys of encrypted files; none for those of the run.
    pub keys: Keys,
}

/// Explains rows of a data set.
///
/// # Errors
/// A contract error if the model or an input is another one than then, or no row is meant; whatever
/// ends the scoring of a row.
pub fn explain(
    asked: &Explain,
    caller: &Caller,
    interrupt: &Interrupt,
) -> Result<Vec<Explanation>> {
    let recorded = recorded(&asked.directory)?;
    recorded.refuse_replaced(&asked.directory, interrupt)?;
    let manifest = recorded.manifest;
    let is_there = caller.working_directory == manifest.working_directory;
    let base = if is_there {
        Location::default()
    } else {
        manifest.working_directory.clone()
    };
    let resources = Resources::default();
    let mut request =
        recorded_request(&resources, &asked.keys, &manifest, &base, &asked.directory)?;
    without_output_keys(&mut request);
    keys::install(&request.keys)?;
    refuse_missing_model(&request.work)?;
    named_model::locate(&mut request.work, None, &caller.local, &caller.trust)?;
    let names = names_of(&manifest, &base);
    let filter_text = request.work.rows.filter.clone();
    let own_filter = own_filter(&mut request, asked.filter.as_deref(), &names)?;
    let plan = Plan::resolve(&request, &names)?;
    check_models(&plan, &manifest)?;
    let explainer = Explainer {
        followed: Followed::all(&request, &plan)?,
        corrected: CorrectedRun::find(&manifest, &recorded.directory, &plan.job)?,
        own_filter,
        filter_text,
        plan: &plan,
        manifest: &manifest,
        interrupt,
    };
    explainer.rows(asked)
}

struct Explainer<'a> {
    plan: &'a Plan,
    manifest: &'a Manifest,
    /// The models, in the order of the arms.
    followed: Vec<Followed>,
    /// The rows that `retry` corrected.
    corrected: Option<CorrectedRun>,
    own_filter: Option<OwnFilter>,
    /// The run's `--where`.
    filter_text: Option<String>,
    interrupt: &'a Interrupt,
}

impl Explainer<'_> {
    fn rows(&self, asked: &Explain) -> Result<Vec<Explanation>> {
        let job = &self.plan.job;
        let mut portions = job.dataset.portions(&job.read_schema, Position::default());
        let (mut before, mut explained) = (0, Vec::new());
        let mut checked = None;
        while let Some(portion) = portions.next_portion(PORTION_ROWS)? {
            self.interrupt.check()?;
            let first = before;
            if job.limit.is_some_and(|limit| first >= limit) {
                break;
            }
            before += portion.portion.row_count;
            let end = job.limit.map_or(before, |limit| before.min(limit));
            let index = asked.row.map(|row| row.wrapping_sub(1));
            if index.is_some_and(|index| index < first || index >= end) {
                continue;
            }
            let (file, first_row) = (portion.file, portion.portion.first_row);
            let path = &job.dataset.files[file].path;
            let mut batch = (portion.portion.decode)().map_err(|error| error.at_path(path))?;
            batch = batch.slice(0, (end - first) as usize);
            let mut first_row = first_row;
            if let Some(index) = index {
                batch = batch.slice((index - first) as usize, 1);
                first_row += index - first;
            }
            let found = self.selected(batch, (file, first_row), asked, explained.len())?;
            if !found.is_empty() && checked != Some(file) {
                self.check_input(file)?;
                checked = Some(file);
            }
            explained.extend(found);
            if index.is_some() || explained.len() >= asked.max_rows {
                break;
            }
        }
        if !explained.is_empty() {
            return Ok(explained);
        }
        Err(match asked.row {
            Some(row) => {
                let has = match job.limit {
                    Some(limit) if limit <= before => format!("the run read {limit} rows"),
                    _ => format!("the input has {before} rows"),
                };
                Error::usage(format!("`--row {row}`: {has}"))
                    .hint("rows are counted from 1, through all files of the input")
            }
            None => {
                Error::contract("no row of the input satisfies `--where`").at_path(&asked.directory)
            }
        })
    }

    /// An input must be the one that the manifest records.
    fn check_input(&self, file: usize) -> Result<()> {
        let file = &self.plan.job.dataset.files[file];
        let seen = identity::input_without_digest(file);
        let mut recorded = self.manifest.identity.inputs.iter();
        let own = recorded.find(|input| input.path == seen.path);
        // The record of a single file has no digests.
        let now = if own.is_some_and(|input| input.digest.is_empty()) {
            seen
        } else {
            identity::input(file, self.interrupt)?
        };
        let is_it = own.is_some_and(|input| {
            input.digest == now.digest
                && (!now.digest.is_empty()
                    || (input.bytes, &input.modified) == (now.bytes, &now.modified))
        });
        if is_it {
            return Ok(());
        }
        let error = Error::contract("the input is another one than the run's");
        Err(error
            .at_path(&now.path)
            .hint("restore the input as it was when the data set was made"))
    }

    /// The rows of a batch that pass the filter, explained.
    fn selected(
        &self,
        batch: RecordBatch,
        (file, first_row): (usize, u64),
        asked: &Explain,
        known: usize,
    ) -> Result<Vec<Explanation>> {
        let job = &self.plan.job;
        let path = &job.dataset.files[file].path;
        let of_input = batch.clone();
        let batch = match &self.corrected {
            Some(corrected) => corrected.apply(batch, file, first_row)?,
            None => batch,
        };
        let (rows, kept) = match &job.selection {
            Some(selection) => selection
                .apply(&batch)
                .map_err(|error| error.map_row(|row| row + first_row).at_path(path))?,
            None => (batch.clone(), None),
        };
        let number = |row: usize| {
            let row = kept
                .as_ref()
                .map_or(row as u64, |kept| u64::from(kept[row]));
            first_row + row
        };
        if asked.row.is_some() && rows.num_rows() == 0 {
            let found = self.filtered(file, first_row);
            return Ok(vec![
                self.with_correction(found, &of_input, file, first_row)?,
            ]);
        }
        (0..rows.num_rows())
            .take(asked.max_rows.saturating_sub(known))
            .map(|index| {
                let (row, number) = (rows.slice(index, 1), number(index));
                let found = match &self.own_filter {
                    Some(own) if !own.keeps(&row)? => self.filtered(file, number),
                    _ => self.one(&row, file, number)?,
                };
                let of_input = of_input.slice((number - first_row) as usize, 1);
                self.with_correction(found, &of_input, file, number)
            })
            .collect()
    }

    /// The explanation of a row with what `retry` did to it; `of_input` is the row as the run read
    /// it.
    fn with_correction(
        &self,
        found: Explanation,
        of_input: &RecordBatch,
        file: usize,
        number: u64,
    ) -> Result<Explanation> {
        let is_rejected = found.outcome == REJECTED;
        let corrected = self.corrected.as_ref();
        let Some(mut correction) =
            corrected.and_then(|rows| rows.of_row((file, number), is_rejected))
        else {
            return Ok(found);
        };
        if correction.is_kept {
            let before = match &self.plan.job.selection {
                Some(selection) => selection.apply(of_input)?.0,
                None => of_input.clone(),
            };
            if before.num_rows() > 0 {
                correction.rejected_because = self.one(&before, file, number)?.reason;
            }
        }
        Ok(Explanation {
            correction: Some(correction),
            ..found
        })
    }

    /// A row that the run's own filter removed.
    fn filtered(&self, file: usize, row: u64) -> Explanation {
        let filter = self.filter_text.as_deref().unwrap_or_default();
        Explanation {
            outcome: "filtered".to_owned(),
            reason: Some(format!("the run's `--where` removed it: {filter}")),
            ..self.begun(file, row, 0)
        }
    }

    /// What is known of every row that an arm answers.
    fn begun(&self, file: usize, row: u64, arm: usize) -> Explanation {
        let file = &self.plan.job.dataset.files[file];
        let further = arm.checked_sub(1).and_then(|arm| self.plan.split.get(arm));
        let (identity, resolved) = match further {
            Some(arm) => (&arm.identity, &arm.resolved),
            None => (&self.plan.model, &self.manifest.identity.model_version),
        };
        let mut model: Map<String, Json> = identity
            .named()
            .into_iter()
            .filter(|(name, _)| ["name", "version", "digest", "format"].contains(&name.as_str()))
            .map(|(name, value)| (name, value.into()))
            .collect();
        if let Some(resolved) = resolved {
            let facts = resolved.facts().into_iter();
            model.extend(facts.map(|(name, value)| (name, value.into())));
        }
        Explanation {
            file: file.name.display().to_string(),
            row: row + 1,
            model,
            ..Explanation::default()
        }
    }

    fn one(&self, row: &RecordBatch, file: usize, number: u64) -> Result<Explanation> {
        let job = &self.plan.job;
        let all = row;
        let (index, arm, row) = job.arms.of_row(all, job.read_schema.fields().len())?;
        let (scoring, row) = (&arm.scoring, &row);
        let origin = Origin {
            path: &job.dataset.files[file].path,
            kept_rows: None,
            first_row: number,
        };
        let block = scoring.scorer().score(row, 0..1, origin, None)?;
        let scored = scoring.gather(vec![block])?;
        let rejection = scored.rejections.first();
        let read = match rejection {
            None => scoring.features(row, 0, origin)?,
            Some(_) => None,
        };
        let mut inputs: Vec<InputValue> = scoring
            .encoder()
            .inputs()
            .zip(&scored.coercions)
            .map(|(bound, coercions)| InputValue {
                feature: bound.input.name.clone(),
                column: bound.column.clone(),
                value: row.column_by_name(&bound.column).and_then(text),
                read: None,
                coercions: coercions
                    .named()
                    .into_iter()
                    .filter(|(_, count)| *count > 0)
                    .map(|(name, _)| name.to_owned())
                    .collect(),
            })
            .collect();
        let mut explanation = self.begun(file, number, index);
        if let Some((values, scores)) = &read {
            let is_single = matches!(scores.margins, Margins::Single(_));
            let bound = scoring.encoder().inputs();
            for ((input, bound), value) in inputs.iter_mut().zip(bound).zip(values) {
                input.read = read_text(&bound.input.kind, *value, is_single);
            }
            explanation.margins = match &scores.margins {
                Margins::Single(margins) => margins.iter().map(|one| f64::from(*one)).collect(),
                Margins::Double(margins) => margins.clone(),
            };
        }
        "scored".clone_into(&mut explanation.outcome);
        if let Some(rejection) = rejection {
            REJECTED.clone_into(&mut explanation.outcome);
            let column = inputs
                .get(rejection.input)
                .map_or("", |input| &input.column);
            explanation.reason = Some(format!("{column}: {}", rejection.reason.message()));
        } else {
            let fields = scoring.fields();
            let names = fields.iter().map(|field| field.name().clone());
            explanation.scores = named(names.zip(&scored.columns));
            let read = read.map(|(_, scores)| scores.margins);
            if job.arms.is_split() {
                let named = [
                    (MODEL, Some(&arm.name)),
                    (MODEL_VERSION, arm.version.as_ref()),
                ];
                let named = named.map(|(name, value)| (name.to_owned(), value.cloned().into()));
                explanation.scores.extend(named);
            }
            let trace = self.followed[index].follow(scoring, row, origin, read.as_ref())?;
            (explanation.steps, explanation.trees) = (trace.steps, trace.trees);
            name_outputs(&mut explanation.trees, &scoring.model().outcome.task);
            let is_margin = !explanation.margins.is_empty();
            explanation.link = is_margin.then(|| scoring.model().outcome.link.formula());
        }
        explanation.inputs = inputs;
        explanation.columns = passed(job, all);
        explanation.derived = derived(job, row);
        Ok(explanation)
    }
}
