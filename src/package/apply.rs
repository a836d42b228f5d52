//! What a manifest adds to a model: a network's inputs, tighter contracts, names and thresholds.
//!
//! Owns the rules of what a manifest may change. A manifest may say more than the artefact, never
//! the opposite of it.

use std::collections::BTreeMap;

use super::input::{InputEntry, KindName};
use super::manifest::Manifest;
use super::output::{LabelName, LinkName, TaskName};
use crate::contract::{CategoryValue, Contract, Input, InputKind, Policy, Vocabulary};
use crate::count::counted;
use crate::error::{Error, Result};
use crate::format::safetensors::weights;
use crate::format::{Artefact, refuse};
use crate::model::{Description, LoadedModel, NumericModel, TrainedModel};
use crate::network::{Architecture, Encoding, Network};
use crate::outcome::{Label, Link, Outcome, Task};

/// A manifest that describes a network.
pub(super) struct Networks<'a> {
    pub(super) manifest: &'a Manifest,
    pub(super) architecture: &'a Architecture,
}

impl Networks<'_> {
    pub(super) fn load(&self, artefact: &Artefact) -> Result<LoadedModel> {
        let entries = &self.manifest.inputs;
        if entries.is_empty() {
            return Err(Error::contract(
                "the manifest of a network must list its `[[inputs]]`, in the order of the first \
                 layer",
            ));
        }
        let encodings = entries
            .iter()
            .map(|entry| encoding(entry).map_err(|error| error.at_column(&entry.name)))
            .collect::<Result<Vec<_>>>()?;
        refuse(artefact)?;
        let weights = weights(&artefact.bytes)?;
        let network = Network::load(self.architecture, &encodings, &weights)?;
        let inputs = entries.iter().enumerate().map(|(index, entry)| {
            input(entry, network.codes(index)).map_err(|error| error.at_column(&entry.name))
        });
        let contract = Contract {
            inputs: inputs.collect::<Result<_>>()?,
            named: true,
            ..Contract::default()
        };
        let facts = vec![
            (
                "layers".to_owned(),
                self.architecture.layers.len().to_string(),
            ),
            (
                "parameters".to_owned(),
                network.parameter_count().to_string(),
            ),
        ];
        let outcome = Outcome {
            task: plain_task(network.margin_count()),
            link: Link::Identity,
        };
        let description = Description {
            format: "safetensors".to_owned(),
            format_version: None,
            facts,
            sidecars: Vec::new(),
        };
        Ok(LoadedModel {
            model: TrainedModel::numeric(network),
            contract,
            outcome,
            description,
        })
    }
}

fn encoding(entry: &InputEntry) -> Result<Encoding> {
    match (&entry.embedding, entry.one_hot, &entry.categories) {
        (Some(_), true, _) => Err(Error::contract(
            "an input has either `embedding` or `one_hot`",
        )),
        (Some(_), false, _) if entry.kind == Some(KindName::Number) => Err(Error::contract(
            "an embedding is for `kind = \"category\"` or `kind = \"code\"`",
        )),
        (Some(weights), false, _) => Ok(Encoding::Embedding {
            weights: weights.clone(),
        }),
        (None, true, Some(categories)) => Ok(Encoding::OneHot {
            categories: categories.len(),
        }),
        (None, true, None) => Err(Error::contract("`one_hot` needs `categories`")),
        (None, false, _) => {
            let (mean, scale) = (
                entry.mean.unwrap_or(0.0) as f32,
                entry.scale.unwrap_or(1.0) as f32,
            );
            if mean.is_finite() && scale.is_normal() {
                Ok(Encoding::Number { mean, scale })
            } else {
                Err(Error::contract(format!(
                    "cannot standardise by `mean = {mean}` and `scale = {scale}`"
                ))
                .hint("`scale` must not be 0"))
            }
        }
    }
}

/// A network's input before the manifest's policies: nothing is missing and nothing is unseen
/// unless the manifest says so.
fn input(entry: &InputEntry, codes: Option<usize>) -> Result<Input> {
    let kind = match (codes, &entry.categories) {
        (None, _) => InputKind::Number,
        (Some(codes), Some(categories)) if categories.len() > codes => {
            return Err(Error::contract(format!(
                "{} for an embedding of {}",
                counted(categories.len(), "category"),
                counted(codes, "code")
            )));
        }
        (Some(_), None) if entry.kind == Some(KindName::Category) => return Err(no_categories()),
        (Some(codes), None) => InputKind::Category(vocabulary(
            (0..codes as i64).map(CategoryValue::Integer).collect(),
        )),
        (Some(_), Some(_)) => InputKind::CategoryCode,
    };
    for (key, policy) in [("on_null", entry.on_null), ("on_unseen", entry.on_unseen)] {
        if let (Some(Policy::Default(code)), Some(codes)) = (policy, codes)
            && !(code.fract() == 0.0 && (0.0..codes as f64).contains(&code))
        {
            return Err(Error::contract(format!(
                "the default of `{key}` is `{code}`, and the embedding has the codes 0 to {}",
                codes - 1
            )));
        }
    }
    Ok(Input {
        on_null: Policy::Error,
        on_unseen: Policy::Error,
        ..Input::of_kind(entry.name.clone(), kind)
    })
}

/// An unseen value that is let through is missing.
fn vocabulary(values: Vec<CategoryValue>) -> Vocabulary {
    Vocabulary {
        values,
        unseen_code: f64::NAN,
    }
}

fn no_categories() -> Error {
    Error::contract("`kind = \"category\"` needs `categories`, in the order of the model's codes")
        .hint("if the column holds the codes themselves, say `kind = \"code\"`")
}

/// Adds what the manifest says of inputs. The inputs of a model without names are named by the
/// manifest, in order.
pub(super) fn inputs(manifest: &Manifest, contract: &mut Contract) -> Result<()> {
    if manifest.inputs.is_empty() {
        return Ok(());
    }
    if !contract.named {
        name_inputs(&manifest.inputs, contract)?;
    }
    let mut entries: BTreeMap<&str, &InputEntry> = manifest
        .inputs
        .iter()
        .map(|entry| (entry.name.as_str(), entry))
        .collect();
    name_fields(&entries, &mut contract.inputs);
    for input in &mut contract.inputs {
        if let Some(entry) = entries.remove(input.name.as_str()) {
            tighten(input, entry).map_err(|error| error.at_column(&entry.name))?;
        }
    }
    if entries.is_empty() {
        return Ok(());
    }
    let unknown: Vec<String> = entries.keys().map(|name| format!("`{name}`")).collect();
    let message = format!(
        "the manifest lists inputs that the model does not have: {}",
        unknown.join(", ")
    );
    Err(Error::contract(message).hint("correct the names under `[[inputs]]`, or remove them"))
}

/// Names inputs by the fields of structs that the manifest lists for them: `address.zip` is where
/// the model's `zip` lies, if the model has no input of the whole name, and one of the last part.
fn name_fields(entries: &BTreeMap<&str, &InputEntry>, inputs: &mut [Input]) {
    let is_input = |inputs: &[Input], name: &str| inputs.iter().any(|input| input.name == name);
    for path in entries.keys() {
        let Some((_, field)) = path.rsplit_once('.') else {
            continue;
        };
        let is_meant = !is_input(inputs, path) && !entries.contains_key(field);
        if let Some(input) = inputs
            .iter_mut()
            .find(|input| is_meant && input.name == field)
        {
            (*path).clone_into(&mut input.name);
        }
    }
}

fn name_inputs(entries: &[InputEntry], contract: &mut Contract) -> Result<()> {
    if let (Some(vector), [entry]) = (&contract.vector, entries)
        && contract.inputs.len() > 1
    {
        let input = Input {
            name: entry.name.clone(),
            ..Input::clone(vector)
        };
        *contract = Contract {
            inputs: vec![input],
            named: true,
            ..Contract::default()
        };
        return Ok(());
    }
    if entries.len() != contract.inputs.len() {
        let message = format!(
            "the model has {} without names, and the manifest lists {}",
            counted(contract.inputs.len(), "input"),
            entries.len()
        );
        return Err(Error::contract(message)
            .hint("list all `[[inputs]]`, in the order of the model's features"));
    }
    contract
        .inputs
        .iter_mut()
        .zip(entries)
        .for_each(|(input, entry)| input.name.clone_from(&entry.name));
    contract.named = true;
    Ok(())
}

pub(super) fn tighten(input: &mut Input, entry: &InputEntry) -> Result<()> {
    input.required = entry.required;
    let is_number = input.kind == InputKind::Number;
    match (entry.kind, &entry.categories) {
        (_, Some(_)) if matches!(input.kind, InputKind::Native(_)) => {
            return Err(Error::contract(
                "`categories` are for other models: a graph knows its own",
            ));
        }
        (Some(KindName::Code), None) | (_, Some(_))
            if matches!(input.kind, InputKind::HashedCategory(_)) =>
        {
            return Err(Error::contract(
                "the model finds its categories by their hash: it needs neither `categories` nor \
                 `kind = \"code\"`",
            ));
        }
        (_, Some(categories)) => {
            let found = vocabulary(categories.iter().map(CategoryValue::from).collect());
            if matches!(&input.kind, InputKind::Category(known) if known.values != found.values) {
                return Err(Error::contract(
                    "the manifest lists other `categories` than the model was trained with",
                )
                .hint("remove `categories`: the model has its own"));
            }
            if !matches!(input.kind, InputKind::Category(_)) {
                input.kind = InputKind::Category(found);
            }
        }
        (Some(_), None) if matches!(input.kind, InputKind::Native(_)) => {
            return Err(Error::contract(
                "`kind` is for other models: a graph's inputs have the types that it declares",
            ));
        }
        (Some(KindName::Number), None) if !is_number => {
            return Err(Error::contract(
                "the manifest has `kind = \"number\"`, and the model reads a category",
            ));
        }
        (Some(KindName::Category), None)
            if !matches!(
                input.kind,
                InputKind::Category(_) | InputKind::HashedCategory(_)
            ) =>
        {
            return Err(no_categories());
        }
        (Some(KindName::Code), None) if is_number => {
            return Err(Error::contract(
                "the manifest has `kind = \"code\"`, and the model reads a number",
            ));
        }
        // A vocabulary of integers is a list of codes already, and says which codes there are.
        (Some(KindName::Code), None) if !is_code_list(&input.kind) => {
            input.kind = InputKind::CategoryCode;
        }
        _ => {}
    }
    input.column_type = entry.r#type.or(input.column_type);
    input.on_null = entry.on_null.unwrap_or(input.on_null);
    input.on_unseen = entry.on_unseen.unwrap_or(input.on_unseen);
    if let Some(missing) = &entry.missing {
        input.missing = missing.tokens();
    }
    Ok(())
}

fn is_code_list(kind: &InputKind) -> bool {
    let InputKind::Category(vocabulary) = kind else {
        return false;
    };
    vocabulary
        .values
        .iter()
        .zip(0..)
        .all(|(value, code)| *value == CategoryValue::Integer(code))
}

/// Adds what the manifest says of outputs.
pub(super) fn outputs(
    manifest: &Manifest,
    outcome: &mut Outcome,
    margin_count: usize,
) -> Result<()> {
    let outputs = &manifest.outputs;
    let task_link = || {
        manifest
            .network
            .as_ref()
            .and(manifest.task)
            .and_then(task_link)
    };
    if outputs.link.is_some() && matches!(outcome.task, Task::Columns(_) | Task::Listed(_)) {
        return Err(Error::contract(
            "`link` is for margins, and the model finishes its own columns",
        ));
    }
    if let Some(name) = outputs.link.or_else(task_link) {
        let link = link(name);
        // A logistic link may have a slope of its own.
        if std::mem::discriminant(&link) != std::mem::discriminant(&outcome.link) {
            *outcome = Outcome {
                task: task(link, margin_count)?,
                link,
            };
        }
    }
    if let Some(labels) = &outputs.labels {
        relabel(&mut outcome.task, labels)?;
    }
    if let Some(value) = outputs.threshold {
        outcome
            .task
            .set_threshold(value)
            .map_err(|error| Error::contract(error.message().to_owned()))?;
    }
    if let Some(names) = &outputs.names {
        rename(&mut outcome.task, names)?;
    }
    manifest
        .task
        .map_or(Ok(()), |name| agree(name, &outcome.task))
}

/// The link of a network whose manifest names the task alone; other formats say their own.
fn task_link(task: TaskName) -> Option<LinkName> {
    match task {
        TaskName::Binary => Some(LinkName::Logistic),
        TaskName::Classes => Some(LinkName::Softmax),
        _ => None,
    }
}

fn link(name: LinkName) -> Link {
    match name {
        LinkName::Identity => Link::Identity,
        LinkName::Logistic => Link::Logistic { slope: 1.0 },
        LinkName::Softmax => Link::Softmax,
        LinkName::Exponential => Link::Exponential,
    }
}

/// What margins mean by their link and number alone.
fn task(link: Link, margin_count: usize) -> Result<Task> {
    match (link, margin_count) {
        (Link::Logistic { .. }, 1) => Ok(Task::Binary {
            labels: [Label::Integer(0), Label::Integer(1)],
            threshold: 0.5,
        }),
        (Link::Softmax, 1) => Err(Error::contract(
            "`link = \"softmax\"` over one margin is always 1",
        )
        .hint("say `link = \"logistic\"` for two classes with one margin")),
        (Link::Softmax, _) => Ok(Task::Classes {
            labels: (0..margin_count as i64).map(Label::Integer).collect(),
            probabilities: true,
        }),
        _ => Ok(plain_task(margin_count)),
    }
}

fn plain_task(margin_count: usize) -> Task {
    if margin_count == 1 {
        Task::Value
    } else {
        Task::Values((0..margin_count).map(|margin| margin.to_string()).collect())
    }
}

fn relabel(task: &mut Task, names: &[LabelName]) -> Result<()> {
    let found: Vec<Label> = names.iter().map(Label::from).collect();
    let expected = match task {
        Task::Binary { labels, .. } => match <[Label; 2]>::try_from(found.clone()) {
            Ok(found) => {
                *labels = found;
                return Ok(());
            }
            Err(_) => 2,
        },
        Task::Classes { labels, .. } if labels.len() == found.len() => {
            *labels = found;
            return Ok(());
        }
        Task::Classes { labels, .. } => labels.len(),
        Task::Columns(_) | Task::Listed(_) => {
            return Err(Error::contract("`labels` are the model's own"));
        }
        Task::Uncertain(uncertain) => return relabel(&mut uncertain.own, names),
        Task::Value | Task::Values(_) | Task::Flags(_) => {
            return Err(
                Error::contract("`labels` are for classes, and the model gives numbers").hint(
                    "say `link = \"logistic\"` or `link = \"softmax\"` under `[outputs]` if the \
                     numbers are margins of classes",
                ),
            );
        }
    };
    Err(Error::contract(format!(
        "the manifest lists {} for {}",
        counted(found.len(), "label"),
        counted(expected, "class")
    )))
}

fn rename(task: &mut Task, names: &[String]) -> Result<()> {
    if let Task::Uncertain(uncertain) = task {
        return rename(&mut uncertain.own, names);
    }
    let (Task::Values(known) | Task::Flags(known)) = task else {
        return Err(Error::contract("`names` are for several numbers a row"));
    };
    if known.len() != names.len() {
        return Err(Error::contract(format!(
            "the manifest lists {} for {} a row",
            counted(names.len(), "name"),
            counted(known.len(), "number")
        )));
    }
    names.clone_into(known);
    Ok(())
}

fn agree(name: TaskName, task: &Task) -> Result<()> {
    let (fits, found) = match task {
        // A graph finishes its own columns, whatever they mean.
        Task::Columns(_) | Task::Listed(_) => return Ok(()),
        Task::Uncertain(uncertain) => return agree(name, &uncertain.own),
        Task::Value => (
            matches!(
                name,
                TaskName::Regression | TaskName::Counts | TaskName::Ranking
            ),
            "one number a row",
        ),
        Task::Values(_) | Task::Flags(_) => (name == TaskName::Values, "several numbers a row"),
        Task::Binary { .. } => (name == TaskName::Binary, "two classes with one margin"),
        Task::Classes { .. } => (
            name == TaskName::Classes,
            "several classes with one margin each",
        ),
    };
    if fits {
        return Ok(());
    }
    Err(Error::contract(format!(
        "the manifest has the task {}, and the model returns {found}",
        name.name()
    )))
}
