//! `tallow inspect` of a model: what it is, and what it needs of a table.

use indicatif::HumanBytes;
use serde_json::{Value as Json, json};

use super::page::{LISTED, Page};
use crate::contract::{Contract, Input, InputKind, Width};
use crate::count::{counted, listed};
use crate::feature::Precision;
use crate::package::card;
use crate::package::open::{Identity, OpenedModel};

/// The most categories of an input that are listed for users.
const CATEGORIES_LISTED: usize = 6;

/// The page of a model, and the same as JSON.
pub(super) fn page(opened: &OpenedModel) -> (Page, Json) {
    let loaded = &opened.loaded;
    let mut page = Page::new("model");
    let shape = [
        (
            "precision".to_owned(),
            loaded
                .model
                .precision()
                .map_or("native", Precision::name)
                .to_owned(),
        ),
        (
            "memory".to_owned(),
            HumanBytes(loaded.model.memory_bytes() as u64).to_string(),
        ),
        (
            "inputs".to_owned(),
            loaded.contract.inputs.len().to_string(),
        ),
        ("named".to_owned(), naming(&loaded.contract).to_owned()),
        ("outputs".to_owned(), outputs(opened).join(", ")),
    ];
    let identity = opened.identity();
    let facts = identity.named();
    for (name, value) in facts.iter().chain(&shape).chain(&opened.provided) {
        page.fact(name, value);
    }
    page.line("inputs");
    inputs(&mut page, &loaded.contract);
    if !opened.artefacts.is_empty() {
        page.line("artefacts");
        opened.artefacts.iter().for_each(|one| {
            page.line(format!(
                "  {:24} sha256:{}",
                one.path.display().to_string(),
                one.sha256
            ));
        });
    }
    let card = card::read(&opened.path).map(|text| card::prose(&text));
    if let Some(card) = &card {
        page.line("card");
        let lines = card.lines().filter(|line| !line.trim().is_empty());
        page.list(lines.map(|line| format!("  {line}")), LISTED);
    }
    let object = json!({
        "kind": "model",
        "card": card,
        "facts": facts.iter().chain(&shape).chain(&opened.provided)
            .map(|(name, value)| (name.clone(), json_value(&identity, name, value)))
            .collect::<serde_json::Map<_, _>>(),
        "inputs": loaded.contract.inputs.iter()
            .map(|input| json!({"name": input.name, "kind": kind(input, usize::MAX)}))
            .collect::<Vec<_>>(),
        "artefacts": opened.artefacts.iter()
            .map(|one| json!({"path": one.path.text(), "sha256": one.sha256,
                "bytes": one.byte_count}))
            .collect::<Vec<_>>(),
        "derived": opened.derived.iter()
            .map(|derived| json!({"name": derived.name, "expression": derived.expression}))
            .collect::<Vec<_>>(),
    });
    (page, object)
}

/// A number for a fact that is one, such as a count of trees.
fn json_value(identity: &Identity, name: &str, value: &str) -> Json {
    match identity.number(name) {
        Some(number) if number.fract() == 0.0 => Json::from(number as i64),
        Some(number) => Json::from(number),
        None if name == "inputs" => value
            .parse::<u64>()
            .map_or_else(|_| Json::from(value), Json::from),
        None => Json::from(value),
    }
}

/// Whether the columns that feed the model are known by name.
fn naming(contract: &Contract) -> &'static str {
    match contract.inputs.first() {
        _ if contract.named => "yes",
        Some(input) if input.kind == InputKind::Text => {
            "no: `--text` names the column with the texts, if there are several"
        }
        _ => "no: `--features` must say which columns feed it",
    }
}

fn outputs(opened: &OpenedModel) -> Vec<String> {
    let loaded = &opened.loaded;
    loaded
        .outcome
        .fields(loaded.model.margin_count(), loaded.model.precision(), false)
        .iter()
        .map(|field| field.name().clone())
        .collect()
}

fn inputs(page: &mut Page, contract: &Contract) {
    let lines = contract
        .inputs
        .iter()
        .map(|input| format!("  {:24} {}", input.name, kind(input, CATEGORIES_LISTED)));
    page.list(lines, LISTED);
}

fn kind(input: &Input, most: usize) -> String {
    match &input.kind {
        InputKind::Number => "number".into(),
        InputKind::CategoryCode => "category code".into(),
        InputKind::Text => "text".into(),
        InputKind::HashedCategory(categories) if categories.hashes.is_empty() => {
            "category, known by its hash".into()
        }
        InputKind::HashedCategory(categories) => format!(
            "category, known by {}",
            counted(categories.hashes.len(), "hash")
        ),
        InputKind::Native(native) => {
            let element = format!("{:?}", native.element).to_lowercase();
            match native.width {
                Width::One => element,
                Width::Exactly(count) => format!("{count} × {element}"),
                Width::Multiple(1) => format!("? × {element}"),
                Width::Multiple(unit) => format!("? × {unit} × {element}"),
            }
        }
        InputKind::Category(vocabulary) => {
            format!("category: {}", listed(&vocabulary.values, most, ", ", ""))
        }
    }
}
