//! Rows of a recorded run, with everything that made their scores.
//!
//! Owns the way from a manifest to one row's values, and the checks that model and input are those
//! of the run. It must not know how that is shown. Contributions of features will come in here.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::util::display::array_value_to_string;
use serde_json::{Map, Value as Json};

use super::caller::Caller;
use super::named_model;
use super::record::{Recorded, recorded};
use super::replay::recorded_request;
use super::retry::names_of;
use crate::error::{Error, Result};
use crate::feature::verdict::Origin;
use crate::forest::ensemble::{Child, Condition, Ensemble, Missing, Shape, Target, Test, Tree};
use crate::forest::record::recorded as recorded_trees;
use crate::interrupt::Interrupt;
use crate::outcome::Margins;
use crate::output::manifest::Manifest;
use crate::package::open::open;
use crate::pipeline::Job;
use crate::plan::import::import_options;
use crate::plan::{Plan, identity, keys};
use crate::report::explanation::{Explanation, InputValue, Step, TreePath};
use crate::request::Request;
use crate::request::keys::Keys;
use crate::request::work::Resources;
use crate::storage::Location;
use crate::table::dataset::Position;

/// Rows that are read at once.
const PORTION_ROWS: u64 = 1 << 16;

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
    let Recorded { manifest, .. } = recorded(&asked.directory)?;
    let is_there = caller.working_directory == manifest.working_directory;
    let base = if is_there {
        Location::default()
    } else {
        manifest.working_directory.clone()
    };
    let resources = Resources::default();
    let mut request =
        recorded_request(&resources, &asked.keys, &manifest, &base, &asked.directory)?;
    if let Some(filter) = &asked.filter {
        let rows = &mut request.work.rows;
        rows.filter = Some(match rows.filter.take() {
            Some(own) => format!("({own}) AND ({filter})"),
            None => filter.clone(),
        });
    }
    keys::install(&request.keys)?;
    named_model::locate(&mut request.work, None, &caller.local, &caller.trust)?;
    let plan = Plan::resolve(&request, None, &names_of(&manifest, &base))?;
    if plan.model.digest != manifest.identity.model_digest {
        let error = Error::contract("the model is another one than the run's");
        return Err(error
            .at_path(&plan.model.path)
            .hint("restore the model as it was when the data set was made"));
    }
    let explainer = Explainer {
        trees: trees_of(&request)?,
        plan: &plan,
        manifest: &manifest,
        interrupt,
    };
    explainer.rows(asked)
}

/// The model's trees, if it is one ensemble.
fn trees_of(request: &Request) -> Result<Option<Ensemble>> {
    let work = &request.work;
    let options = import_options(&work.binding, &work.outcome, &work.text)?;
    let (opened, mut ensembles) = recorded_trees(|| open(&work.model, &options));
    opened?;
    Ok(if ensembles.len() == 1 {
        ensembles.pop()
    } else {
        None
    })
}

struct Explainer<'a> {
    plan: &'a Plan,
    manifest: &'a Manifest,
    trees: Option<Ensemble>,
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
            before += portion.portion.row_count;
            if job.limit.is_some_and(|limit| first >= limit) {
                break;
            }
            let index = asked.row.map(|row| row.wrapping_sub(1));
            if index.is_some_and(|index| index < first || index >= before) {
                continue;
            }
            let (file, first_row) = (portion.file, portion.portion.first_row);
            let path = &job.dataset.files[file].path;
            let mut batch = (portion.portion.decode)().map_err(|error| error.at_path(path))?;
            let mut first_row = first_row;
            if let Some(index) = index {
                batch = batch.slice((index - first) as usize, 1);
                first_row += index - first;
            }
            let found = self.selected(&batch, (file, first_row), asked, explained.len())?;
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
            Some(row) => Error::usage(format!("`--row {row}`: the input has {before} rows"))
                .hint("rows are counted from 1, through all files of the input"),
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
        batch: &RecordBatch,
        (file, first_row): (usize, u64),
        asked: &Explain,
        known: usize,
    ) -> Result<Vec<Explanation>> {
        let job = &self.plan.job;
        let path = &job.dataset.files[file].path;
        let (rows, kept) = match &job.selection {
            Some(selection) => selection
                .apply(batch)
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
            return Ok(vec![Explanation {
                outcome: "filtered".to_owned(),
                ..self.begun(file, first_row)
            }]);
        }
        (0..rows.num_rows())
            .take(asked.max_rows.saturating_sub(known))
            .map(|row| self.one(&rows.slice(row, 1), file, number(row)))
            .collect()
    }

    /// What is known of every row.
    fn begun(&self, file: usize, row: u64) -> Explanation {
        let file = &self.plan.job.dataset.files[file];
        let mut model: Map<String, Json> = self
            .plan
            .model
            .named()
            .into_iter()
            .filter(|(name, _)| ["name", "version", "digest", "format"].contains(&name.as_str()))
            .map(|(name, value)| (name, value.into()))
            .collect();
        if let Some(resolved) = &self.manifest.identity.model_version {
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
        let arm = job
            .arms
            .iter()
            .next()
            .ok_or_else(|| Error::internal("a run without a model"))?;
        let scoring = &arm.scoring;
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
        let mut explanation = self.begun(file, number);
        if let Some((values, scores)) = &read {
            let is_single = matches!(scores.margins, Margins::Single(_));
            for (input, value) in inputs.iter_mut().zip(values) {
                input.read = Some(number_text(*value, is_single));
            }
            explanation.margins = match &scores.margins {
                Margins::Single(margins) => margins.iter().map(|one| f64::from(*one)).collect(),
                Margins::Double(margins) => margins.clone(),
            };
            explanation.trees = self.paths(values, &explanation.margins, &inputs, is_single);
        }
        "scored".clone_into(&mut explanation.outcome);
        if let Some(rejection) = rejection {
            "rejected".clone_into(&mut explanation.outcome);
            let column = inputs
                .get(rejection.input)
                .map_or("", |input| &input.column);
            explanation.reason = Some(format!("{column}: {}", rejection.reason.message()));
        } else {
            let fields = scoring.fields();
            let names = fields.iter().map(|field| field.name().clone());
            explanation.scores = named(names.zip(&scored.columns));
        }
        explanation.inputs = inputs;
        explanation.columns = passed(job, row);
        explanation.derived = derived(job, row);
        Ok(explanation)
    }

    /// The way through every tree, if the trees give the margins, to the bit.
    fn paths(
        &self,
        values: &[f64],
        margins: &[f64],
        inputs: &[InputValue],
        is_single: bool,
    ) -> Vec<TreePath> {
        let fits = |trees: &&Ensemble| {
            trees.frame.feature_count == values.len() && trees.score_row(values) == margins
        };
        let Some(ensemble) = self.trees.as_ref().filter(fits) else {
            return Vec::new();
        };
        let way = Way {
            values,
            inputs,
            is_single,
            margin_count: margins.len(),
        };
        let trees = ensemble.trees.iter().enumerate();
        trees
            .map(|(number, tree)| way.through(number, tree))
            .collect()
    }
}

/// A row on its way through trees.
struct Way<'a> {
    values: &'a [f64],
    inputs: &'a [InputValue],
    is_single: bool,
    margin_count: usize,
}

impl Way<'_> {
    fn through(&self, number: usize, tree: &Tree) -> TreePath {
        let mut path = Vec::new();
        match &tree.shape {
            Shape::Symmetric(conditions) => {
                let steps = conditions.iter().enumerate();
                path.extend(steps.map(|(node, condition)| self.step(node, condition)));
            }
            Shape::Branching { root, nodes } => {
                let mut child = *root;
                while let Child::Node(node) = child {
                    let Some(found) = nodes.get(node as usize) else {
                        break;
                    };
                    let step = self.step(node as usize, &found.condition);
                    child = if step.is_left {
                        found.left
                    } else {
                        found.right
                    };
                    path.push(step);
                }
            }
        }
        let leaf = tree.leaf(self.values);
        let values = match tree.target {
            Target::Margin(_) => tree.leaf_values.get(leaf..=leaf),
            Target::All => {
                let first = leaf * self.margin_count;
                tree.leaf_values.get(first..first + self.margin_count)
            }
        };
        TreePath {
            tree: number,
            path,
            leaf,
            values: values.unwrap_or_default().to_vec(),
        }
    }

    fn step(&self, node: usize, condition: &Condition) -> Step {
        let feature = condition.feature as usize;
        let value = self.values.get(feature).copied().unwrap_or(f64::NAN);
        let name = self.inputs.get(feature).map(|input| input.feature.clone());
        let missing = match condition.missing {
            Missing::Nan { left: true } => " or missing",
            Missing::ZeroOrNan { left: true } => ", or 0 or missing",
            Missing::ZeroOrNan { left: false } => ", and neither 0 nor missing",
            Missing::Nan { left: false } | Missing::NanIsZero => "",
        };
        let test = match &condition.test {
            Test::Less(threshold) => format!("< {}", number_text(*threshold, self.is_single)),
            Test::LessOrEqual(threshold) => {
                format!("<= {}", number_text(*threshold, self.is_single))
            }
            Test::In(categories) => format!("in {categories:?}"),
            Test::NotIn(categories) => format!("not in {categories:?}"),
        };
        Step {
            node,
            feature: name.unwrap_or_else(|| feature.to_string()),
            test: format!("{test}{missing}"),
            value: number_text(value, self.is_single),
            is_left: condition.goes_left(value),
        }
    }
}

/// A number with the digits of its precision.
fn number_text(value: f64, is_single: bool) -> String {
    if is_single {
        (value as f32).to_string()
    } else {
        value.to_string()
    }
}

/// The value of the only row; none if it is missing.
fn text(column: &ArrayRef) -> Option<String> {
    if column.is_null(0) {
        return None;
    }
    array_value_to_string(column, 0).ok()
}

fn named<'a>(columns: impl Iterator<Item = (String, &'a ArrayRef)>) -> Map<String, Json> {
    columns
        .map(|(name, column)| (name, text(column).map_or(Json::Null, Json::from)))
        .collect()
}

/// The columns that come along.
fn passed(job: &Job, row: &RecordBatch) -> Map<String, Json> {
    let schema = row.schema();
    let columns = job.passthrough.iter();
    let columns = columns.filter(|index| !job.mask.covers(schema.field(**index).name()));
    named(columns.map(|index| (schema.field(*index).name().clone(), row.column(*index))))
}

/// The columns that expressions add.
fn derived(job: &Job, row: &RecordBatch) -> Map<String, Json> {
    let schema = row.schema();
    let known = job.read_schema.fields().len();
    let fields = schema.fields().iter().zip(row.columns()).skip(known);
    named(fields.map(|(field, column)| (field.name().clone(), column)))
}
