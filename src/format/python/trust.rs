//! Which calls a file would make if Python loaded it, and which of them no model needs.
//!
//! Owns the lists of names. Nothing is ever called here; a file whose calls lead outside the known
//! libraries is refused all the same, by the names, as a service to anyone who would load it in
//! Python. Objects of unknown classes are no calls: they become an error where something reads
//! them.

use super::record::{Arena, Id, Origin};
use crate::error::{Error, Result};

/// Packages whose functions and classes models are made of.
const PACKAGES: [&str; 26] = [
    "numpy",
    "scipy",
    "sklearn",
    "joblib",
    "collections",
    "copyreg",
    "copy_reg",
    "_codecs",
    "pandas",
    "functools",
    "xgboost",
    "lightgbm",
    "catboost",
    "_catboost",
    "torch",
    "cloudpickle",
    "dill",
    "_loss",
    "datetime",
    "decimal",
    "pyarrow",
    "polars",
    "imblearn",
    "category_encoders",
    "skops",
    "uuid",
];

/// What the language itself makes: its containers and numbers.
const BUILTINS: [&str; 16] = [
    "bool",
    "bytearray",
    "bytes",
    "complex",
    "dict",
    "float",
    "frozenset",
    "int",
    "list",
    "long",
    "object",
    "range",
    "set",
    "slice",
    "str",
    "tuple",
];

/// Modules of the standard library that reach the machine: not even an object of theirs belongs in
/// a model.
const MACHINE: [&str; 31] = [
    "_posixsubprocess",
    "asyncio",
    "bdb",
    "code",
    "codeop",
    "commands",
    "ctypes",
    "ftplib",
    "http",
    "importlib",
    "marshal",
    "multiprocessing",
    "nt",
    "os",
    "pdb",
    "pickle",
    "pip",
    "posix",
    "pty",
    "runpy",
    "shutil",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "sys",
    "tempfile",
    "timeit",
    "trace",
    "urllib",
    "webbrowser",
];

/// Names in known packages that load or run something else.
const RUNNING: [&str; 22] = [
    "__import__",
    "check_output",
    "compile",
    "eval",
    "exec",
    "exec_command",
    "execfile",
    "getoutput",
    "import_module",
    "load",
    "loads",
    "loadtxt",
    "open",
    "query",
    "read_pickle",
    "run",
    "run_command",
    "runstring",
    "save",
    "system",
    "to_pickle",
    "unpickle",
];

/// The most calls that are remembered; a message names a few.
const REMEMBERED: usize = 8;

/// Calls that no model needs, by name.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    names: Vec<String>,
    count: usize,
    /// How many make a function of code.
    functions: usize,
    /// Classes that the file holds whole, whose functions these may be.
    classes: Vec<String>,
}

/// The module and name of the class that a call makes, as cloudpickle and dill write one that they
/// cannot import, such as one of a notebook.
pub(super) fn made_class(arena: &Arena, callee: Id, arguments: Option<Id>) -> Option<String> {
    let (_, maker) = arena.global(callee)?;
    if !["_make_skeleton_class", "_create_type"].contains(&maker) {
        return None;
    }
    let [_, name, _, attributes, ..] = arena.items(arguments?)? else {
        return None;
    };
    let module = arena.entry(*attributes, "__module__");
    let module = module.and_then(|id| arena.text(id)).unwrap_or("__main__");
    Some(format!("{module}.{}", arena.text(*name)?))
}

/// Whether a callee is one of the language's own types, as cloudpickle refers to them.
fn is_maker(arena: &Arena, callee: Id) -> bool {
    arena
        .class(callee)
        .is_some_and(|(module, name)| module.starts_with("cloudpickle") && name == "_builtin_type")
}

/// The name of the function whose code a call makes: behind the name of its file among the
/// arguments.
fn code_name(arena: &Arena, callee: Id, arguments: Option<Id>) -> Option<String> {
    const SHOWN: usize = 60;
    if !is_maker(arena, callee) {
        return None;
    }
    let kind = arena.items(arena.record(callee)?.arguments?)?.first()?;
    if arena.text(*kind) != Some("CodeType") {
        return None;
    }
    let texts = arena.items(arguments?)?.iter();
    let name = texts.filter_map(|id| arena.text(*id)).nth(1)?;
    Some(
        name.chars()
            .filter(|one| !one.is_control())
            .take(SHOWN)
            .collect(),
    )
}

impl Calls {
    /// Notes a call or an object, if no model needs it.
    pub(super) fn note(
        &mut self,
        arena: &Arena,
        callee: Id,
        arguments: Option<Id>,
        origin: Origin,
    ) {
        if let Some(name) = code_name(arena, callee, arguments) {
            self.functions += 1;
            return self.push(format!("a function that the file holds as code, `{name}`"));
        }
        if let Some(class) = made_class(arena, callee, arguments)
            && self.classes.len() < REMEMBERED
        {
            self.classes.push(class);
        }
        let name = match arena.global(callee) {
            Some((module, name)) if is_known(module, name, origin) => return,
            Some((module, name)) => format!("{module}.{name}"),
            None if origin == Origin::Object => return,
            None if self.functions > 0 && is_maker(arena, callee) => return,
            None => "a function that the file makes itself".to_owned(),
        };
        self.push(name);
    }

    /// Whether all of them make functions that the file holds as code, as cloudpickle writes what
    /// it cannot import.
    pub(crate) fn are_functions(&self) -> bool {
        self.functions > 0 && self.functions == self.count
    }

    fn push(&mut self, name: String) {
        self.count += 1;
        if self.names.len() < REMEMBERED && !self.names.contains(&name) {
            self.names.push(name);
        }
    }

    /// Fails if there are any.
    ///
    /// # Errors
    /// A trust error that names them.
    pub(crate) fn refuse(&self) -> Result<()> {
        if self.names.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = self.names.iter().map(|name| named(name)).collect();
        let classes: Vec<String> = self.classes.iter().map(|name| named(name)).collect();
        let of_classes = match classes.as_slice() {
            [] => String::new(),
            [one] => format!(" (it holds the class {one} as code)"),
            all => format!(" (it holds the classes {} as code)", all.join(", ")),
        };
        Err(Error::trust(format!(
            "the file would call {} when Python loads it{of_classes}; tallow has called nothing",
            names.join(", ")
        ))
        .hint(
            "no model needs such calls: do not load the file in Python, and ask where it is from; \
             a model with functions of its own must be exported, `skl2onnx.to_onnx(model, x[:1])`",
        ))
    }
}

/// A name as messages show it: short, and on one line.
fn named(name: &str) -> String {
    const SHOWN: usize = 120;
    let shown: String = name
        .chars()
        .filter(|one| !one.is_control())
        .take(SHOWN)
        .collect();
    if name.starts_with("a function") {
        shown
    } else {
        format!("`{shown}`")
    }
}

fn is_known(module: &str, name: &str, origin: Origin) -> bool {
    let package = module.split('.').next().unwrap_or_default();
    if origin == Origin::Object {
        return !MACHINE.contains(&package);
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    match package {
        "builtins" | "__builtin__" => BUILTINS.contains(&name),
        _ => PACKAGES.contains(&package) && !RUNNING.contains(&last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_models_are_known_and_others_are_not() {
        use Origin::{Call, Object};
        for (module, name, origin, expected) in [
            ("numpy.core.multiarray", "_reconstruct", Call, true),
            ("sklearn.tree._tree", "Tree", Call, true),
            ("builtins", "set", Call, true),
            ("os", "system", Call, false),
            ("posix", "system", Call, false),
            ("builtins", "eval", Call, false),
            ("builtins", "getattr", Call, false),
            ("numpy.testing._private.utils", "runstring", Call, false),
            ("joblib", "load", Call, false),
            ("numpyx", "array", Call, false),
            ("mylib", "make", Call, false),
            ("mylib", "Encoder", Object, true),
            ("subprocess", "Popen", Object, false),
        ] {
            assert_eq!(
                is_known(module, name, origin),
                expected,
                "{module}.{name} {origin:?}"
            );
        }
    }
}
