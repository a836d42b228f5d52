//! From the files of a directory to a model: which task, which head, which cut, and what a user
//! should know of it.

use super::description::description;
use super::family::describe;
use super::head::Head;
use super::load::TensorFiles;
use super::parts::{Entry, Parts, TextOptions, TextTask};
use super::reading::{fitted, gives_types, loaded, reading};
use super::reads::{Reads, tokenizer};
use super::task::{refuse_options, task};
use super::text_model::{Tables, TextModel};
use super::unread::{self, PassOver};
use super::{bag, device, exported, forward, names, settings};
use crate::error::Result;
use crate::model::LoadedModel;

/// The model that the files are, for what the user wants of it.
///
/// # Errors
/// A contract error for what is not supported, does not fit together or was asked of the wrong
/// task; [`crate::error::Kind::Failed`] for broken files.
pub fn assemble(mut parts: Parts, options: &TextOptions) -> Result<LoadedModel> {
    settings::check(&parts)?;
    if let Some(graph) = parts.graph.take() {
        return exported::assemble(&parts, &graph, options);
    }
    if parts.entry == Entry::StaticEmbedding {
        return bag::assemble(parts, options);
    }
    let described = describe(&parts.config).map_err(|error| error.at_node("config.json"))?;
    let task = task(&parts, options)?;
    refuse_options(&parts, task, options)?;
    let device = device::open(options.processor)?;
    let content = std::mem::take(&mut parts.weights);
    let mut files = TensorFiles::open(&content)?;
    let weights = names::weights(&described, &mut files)?;
    let hidden = described.architecture.hidden;
    let (reading, is_pair) = reading(
        &parts,
        options,
        task,
        hidden,
        &mut |labels, is_per_token| {
            Head::load(&described, &parts.config, labels, is_per_token, &mut files)
        },
    )?;
    files.check()?;
    unread::check(described.family, &files, passed_over(&parts, options, task))?;
    let parameter_count = files.parameter_count;
    // What is packed next would lie in memory alongside it.
    drop(content);
    let mut tokenizer = tokenizer(
        &parts,
        options,
        task,
        Reads::encoder(&parts, &described),
        is_pair,
    )?;
    let reading = fitted(reading, &parts, &mut tokenizer)?;
    let embedding = &described.architecture.embedding;
    let tables = Tables {
        hidden: described.architecture.hidden,
        vocabulary: embedding.vocabulary,
        type_count: if gives_types(&parts) {
            embedding.type_count
        } else {
            1
        },
        positions: embedding.positions,
    };
    let description = description(
        &parts,
        options,
        task,
        &described,
        &tokenizer,
        &reading,
        parameter_count,
    );
    let forward = forward(
        described.architecture,
        weights,
        options.precision.unwrap_or_default(),
        device,
    )?;
    let model = TextModel {
        tokenizer,
        forward,
        tables,
        reading,
        input_count: if is_pair { 2 } else { 1 },
    };
    Ok(loaded(model, description))
}

/// Which tensors of heads the task may do without.
fn passed_over(parts: &Parts, options: &TextOptions, task: TextTask) -> PassOver {
    match task {
        TextTask::Embedding if options.task.is_some() => PassOver::All,
        TextTask::Embedding if parts.modules.is_some() => PassOver::Known,
        _ => PassOver::Other,
    }
}
