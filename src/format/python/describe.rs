//! What users are shown of a Python file: its classes, versions and columns.
//!
//! Owns the walk from the saved object down to its parts, which stops at nothing it does not know.
//! It must not know what any class computes.

use std::collections::HashSet;

use super::container::{Compression, Document};
use super::record::{Arena, Id, Value};
use super::trust::made_class;
use crate::count;
use crate::model::Description;

/// The most parts that are listed.
const PARTS_LIMIT: usize = 200;

/// The deepest part that is listed.
const DEPTH_LIMIT: usize = 20;

/// The most columns that are named.
const COLUMNS_LIMIT: usize = 200;

/// The longest text of a file that is shown.
const TEXT_CHARACTERS: usize = 120;

/// Attributes that are parameters, copies of what was fitted, or of no use once it was.
const UNSHOWN: [&str; 20] = [
    "_metadata_request",
    "_random_state",
    "_rng",
    "base_estimator",
    "cv",
    "cv_results_",
    "estimator",
    "estimator_",
    "init",
    "init_",
    "loss_",
    "n_jobs",
    "output_indices_",
    "random_state",
    "scorer_",
    "scoring",
    "transformer",
    "transformers",
    "estimators",
    "regressor",
];

/// The module and name of a record's class as users write it, without private modules.
pub(crate) fn class_name(arena: &Arena, id: Id) -> Option<String> {
    let Some((module, name)) = arena.class(id) else {
        return class_by_value(arena, id);
    };
    let public = module.split('.').take_while(|part| !part.starts_with('_'));
    let parts: Vec<&str> = public.chain(std::iter::once(name)).collect();
    Some(shown(&parts.join(".")))
}

/// The name of a class that cloudpickle or dill wrote out whole, such as one of a notebook.
fn class_by_value(arena: &Arena, id: Id) -> Option<String> {
    let class = arena.record(arena.record(id)?.class)?;
    made_class(arena, class.class, class.arguments).map(|name| shown(&name))
}

/// A text of the file on one line, cut where it is long.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .filter(|one| !one.is_control())
        .take(TEXT_CHARACTERS)
        .collect();
    if text.chars().nth(TEXT_CHARACTERS).is_some() {
        shown.push('…');
    }
    shown
}

/// What kind of value stands where a model should.
pub(crate) fn kind_of(arena: &Arena, id: Id) -> String {
    match arena.get(id) {
        Value::Record(_) => class_name(arena, id).unwrap_or_else(|| "an object".into()),
        Value::None => "None".into(),
        Value::Boolean(_) => "a boolean".into(),
        Value::Integer(_) | Value::Huge => "an integer".into(),
        Value::Float(_) => "a float".into(),
        Value::Text(_) | Value::Surrogates => "a text".into(),
        Value::Bytes(_) => "bytes".into(),
        Value::Tuple(items) => format!("a tuple of {}", items.len()),
        Value::List(items) => format!("a list of {}", items.len()),
        Value::Set(items) => format!("a set of {}", items.len()),
        Value::Dict(pairs) => format!("a dictionary of {}", pairs.len()),
        Value::Global { .. } => match arena.global(id) {
            Some((module, name)) => format!("the name `{}`", shown(&format!("{module}.{name}"))),
            None => "a name".into(),
        },
        Value::DataType(data_type) => format!("the type {data_type}"),
        Value::Array(array) => format!("an array of {} {:?}", array.data_type, array.shape),
        Value::Persistent(_) => "a value that is kept elsewhere".into(),
    }
}

/// The library's version that wrote the object, or a part of it.
pub(crate) fn library_version(document: &Document) -> Option<String> {
    let arena = &document.arena;
    let own = arena.attribute(document.root, "_sklearn_version");
    let mut ids = own.into_iter().chain(
        parts(document)
            .into_iter()
            .filter_map(|part| arena.attribute(part.id, "_sklearn_version")),
    );
    ids.find_map(|id| arena.text(id)).map(shown)
}

/// The names of the columns that the object was fitted on, or its first part that knows any.
pub(crate) fn column_names(document: &Document) -> Option<Vec<String>> {
    let arena = &document.arena;
    let names = |id: Id| {
        let names = arena.attribute(id, "feature_names_in_")?;
        let list = arena.array(names)?;
        texts(arena, list)
    };
    let parts = parts(document);
    names(document.root).or_else(|| parts.iter().find_map(|part| names(part.id)))
}

/// The texts of an array, of fixed length or objects.
pub(crate) fn texts(arena: &Arena, array: &super::numpy::Array) -> Option<Vec<String>> {
    use super::numpy::Elements;
    match &array.elements {
        Elements::Objects(list) => {
            let list = arena.items(*list)?;
            list.iter()
                .map(|id| arena.text(*id).map(str::to_owned))
                .collect()
        }
        _ => array.texts().ok(),
    }
}

/// A part of the saved object.
struct Part {
    path: String,
    id: Id,
}

/// The parts in the order of the file, each record once.
fn parts(document: &Document) -> Vec<Part> {
    let mut found = Vec::new();
    let mut seen = HashSet::from([document.root]);
    walk(&document.arena, document.root, "", 0, &mut seen, &mut found);
    found
}

fn walk(
    arena: &Arena,
    id: Id,
    path: &str,
    depth: usize,
    seen: &mut HashSet<Id>,
    found: &mut Vec<Part>,
) {
    if depth > DEPTH_LIMIT {
        return;
    }
    for (name, part) in below(arena, id) {
        if found.len() >= PARTS_LIMIT || !seen.insert(part) {
            continue;
        }
        let path = match name.as_str() {
            // The names of the steps say more than that they are steps.
            "steps" | "transformers_" | "transformer_list" => path.to_owned(),
            _ if path.is_empty() => name,
            _ => format!("{path} → {name}"),
        };
        if is_part(arena, part) {
            found.push(Part {
                path: path.clone(),
                id: part,
            });
        }
        walk(arena, part, &path, depth + 1, seen, found);
    }
}

/// Whether a record is a part worth naming.
fn is_part(arena: &Arena, id: Id) -> bool {
    let module = arena.class(id).map_or("", |(module, _)| module);
    let unshown = [
        "_loss",
        "builtins",
        "numpy",
        "scipy",
        "sklearn._loss",
        "sklearn.utils",
        "sklearn.tree._tree",
    ];
    arena.record(id).is_some() && !unshown.iter().any(|start| module.starts_with(start))
}

/// Values in which parts may lie, by name: attributes, elements of lists, named pairs.
fn below(arena: &Arena, id: Id) -> Vec<(String, Id)> {
    let holds = |id: Id| {
        matches!(
            arena.get(id),
            Value::Record(_) | Value::List(_) | Value::Tuple(_) | Value::Dict(_) | Value::Array(_)
        )
    };
    let mut found = Vec::new();
    match arena.get(id) {
        Value::Record(record) => {
            let pairs = record
                .state
                .and_then(|state| arena.pairs(state))
                .unwrap_or_default();
            for (key, value) in pairs.iter().chain(&record.pairs) {
                let key = arena.text(*key).unwrap_or_default();
                if !UNSHOWN.contains(&key) && holds(*value) {
                    found.push((shown(key), *value));
                }
            }
        }
        Value::Dict(pairs) => {
            let named = pairs
                .iter()
                .filter(|(_, value)| holds(*value))
                .take(PARTS_LIMIT);
            found.extend(named.map(|(key, value)| {
                (
                    arena.text(*key).map_or_else(|| "?".to_owned(), shown),
                    *value,
                )
            }));
        }
        Value::Array(array) => {
            if let super::numpy::Elements::Objects(list) = array.elements {
                let first = arena.items(list).unwrap_or_default().iter().take(3);
                found.extend(
                    first
                        .filter(|id| holds(**id))
                        .map(|id| ("0".to_owned(), *id)),
                );
            }
        }
        Value::List(items) | Value::Tuple(items) => found.extend(listed(arena, items, holds)),
        _ => {}
    }
    found
}

/// Parts of a list: of (name, part) by their names, else by number; of neighbours of one class only
/// the first.
fn listed(arena: &Arena, items: &[Id], holds: impl Fn(Id) -> bool) -> Vec<(String, Id)> {
    let mut found = Vec::new();
    let mut before = None;
    for (index, item) in items.iter().take(PARTS_LIMIT).enumerate() {
        let named = match arena.get(*item) {
            Value::Tuple(pair) if pair.len() >= 2 => {
                arena.text(pair[0]).map(|name| (shown(name), pair[1]))
            }
            _ => None,
        };
        let class = arena.class(*item);
        match named {
            Some((name, part)) if holds(part) => found.push((name, part)),
            None if holds(*item) && (class.is_none() || class != before) => {
                found.push((index.to_string(), *item));
            }
            Some(_) | None => {}
        }
        before = class;
    }
    found
}

/// What is known of a file, for `inspect` and for reports.
pub(crate) fn describe(document: &Document) -> Description {
    let arena = &document.arena;
    let mut facts = vec![("class".to_owned(), kind_of(arena, document.root))];
    let mut fact = |name: String, value: String| {
        if !facts.iter().any(|(other, _)| *other == name) {
            facts.push((name, value));
        }
    };
    if let Some(protocol) = document.protocol {
        fact("protocol".into(), protocol.to_string());
    }
    if document.compression != Compression::None {
        fact("compression".into(), document.compression.name().into());
    }
    fact("values".into(), arena.len().to_string());
    if let Some(names) = column_names(document) {
        let names = names.iter().map(|name| shown(name));
        fact(
            "columns".into(),
            count::listed(names, COLUMNS_LIMIT, ", ", ""),
        );
    }
    for part in parts(document) {
        if let Some(class) = class_name(arena, part.id) {
            fact(part.path, class);
        }
    }
    Description {
        format: document.kind.into(),
        format_version: library_version(document).map(|version| format!("scikit-learn {version}")),
        facts,
        sidecars: Vec::new(),
    }
}
