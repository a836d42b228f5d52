//! An estimator's record with its path: attributes by type, errors by place.

use super::label::Label;
use super::sparse_matrix::SparseMatrix;
use crate::error::{Error, Result};
use crate::format::python::describe::{class_name, kind_of, texts};
use crate::format::python::numpy::{Array, Elements};
use crate::format::python::record::{Arena, Id, Value};

/// How a model leaves scikit-learn where it is not read.
const EXPORT: &str = "if skl2onnx converts all of its steps, export the model where it was \
                      trained, `skl2onnx.to_onnx(model, x[:1])`";

/// The same where there is no converter for what is refused.
const SAVE_ALONE: &str = "save the booster alone in its library's own format, and score the \
                          columns that it reads; skl2onnx has no converter of its own for it";

/// The deepest estimator in an estimator.
const DEPTH_LIMIT: usize = 40;

/// A record that an estimator is.
#[derive(Clone, Debug)]
pub(super) struct Object<'a> {
    pub(super) arena: &'a Arena,
    pub(super) id: Id,
    /// The steps that lead to it, such as `prep → cat`.
    path: Vec<String>,
}

/// A matrix of doubles, row after row.
pub(super) struct Matrix {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) values: Vec<f64>,
}

impl<'a> Object<'a> {
    /// The object that was saved.
    pub(super) fn root(arena: &'a Arena, id: Id) -> Self {
        Self {
            arena,
            id,
            path: Vec::new(),
        }
    }

    /// A part of this object.
    pub(super) fn part(&self, name: &str, id: Id) -> Result<Self> {
        if self.path.len() >= DEPTH_LIMIT {
            return Err(self.refuse("its parts are nested too deep"));
        }
        let mut path = self.path.clone();
        path.push(name.to_owned());
        Ok(Self {
            arena: self.arena,
            id,
            path,
        })
    }

    /// The part that an attribute is.
    pub(super) fn attribute(&self, name: &str) -> Result<Self> {
        self.part(name, self.need(name)?)
    }

    /// The package below `sklearn` and the name of its class; empty for other classes.
    pub(super) fn class(&self) -> (&'a str, &'a str) {
        let Some((module, name)) = self.arena.class(self.id) else {
            return ("", "");
        };
        match module.strip_prefix("sklearn.") {
            Some(rest) => (rest.split('.').next().unwrap_or_default(), name),
            None => ("", ""),
        }
    }

    /// Which step it is.
    pub(super) fn label(&self) -> Label {
        let class = class_name(self.arena, self.id);
        let class = class.unwrap_or_else(|| kind_of(self.arena, self.id));
        let class = class.rsplit('.').next().unwrap_or_default().to_owned();
        let path = if self.path.is_empty() {
            class.clone()
        } else {
            self.path.join(" → ")
        };
        Label { path, class }
    }

    /// The place and class of the object in messages.
    fn location(&self) -> String {
        let class = class_name(self.arena, self.id);
        let class = class.unwrap_or_else(|| kind_of(self.arena, self.id));
        if self.path.is_empty() {
            format!("`{class}`")
        } else {
            format!("`{class}` at `{}`", self.path.join(" → "))
        }
    }

    /// The error for an object of a class that is not known.
    pub(super) fn unknown(&self) -> Error {
        Error::contract(format!("{} is not supported", self.location())).hint(self.way_out())
    }

    /// The error for an object that is known but not so.
    pub(super) fn refuse(&self, message: &str) -> Error {
        Error::contract(format!("{}: {message}", self.location())).hint(self.way_out())
    }

    /// What to do with a model that is not supported.
    fn way_out(&self) -> &'static str {
        let module = self.arena.class(self.id).map_or("", |(module, _)| module);
        let library = module.split('.').next().unwrap_or_default();
        if ["xgboost", "lightgbm", "catboost"].contains(&library) {
            SAVE_ALONE
        } else {
            EXPORT
        }
    }

    /// The error for an attribute of another form than those that are known, or for an object that
    /// was never fitted.
    fn broken(&self, name: &str, expected: &str) -> Error {
        // Parameters are there before.
        let is_of_a_fit = name.starts_with('_') || name.ends_with('_');
        if is_of_a_fit && self.is_never_fitted() {
            return self.unfitted();
        }
        self.refuse(&format!("`{name}` is not {expected}"))
    }

    /// The error for an estimator that was never fitted.
    pub(super) fn unfitted(&self) -> Error {
        Error::failed(format!("{} was never fitted", self.location()))
            .hint("fit the estimator, then save it again")
    }

    /// Whether it is an estimator without what fitting adds: attributes whose names end with an
    /// underscore.
    fn is_never_fitted(&self) -> bool {
        let state = self.arena.record(self.id).and_then(|record| record.state);
        let pairs = state.and_then(|state| self.arena.pairs(state));
        let names = pairs.unwrap_or_default().iter();
        let mut names = names.filter_map(|(name, _)| self.arena.text(*name));
        let is_fitted = |name: &str| name.ends_with('_') && !name.ends_with("__");
        self.find("_sklearn_version").is_some() && !names.any(is_fitted)
    }

    /// An attribute that may be missing; `None` counts as missing.
    pub(super) fn find(&self, name: &str) -> Option<Id> {
        let found = self.arena.attribute(self.id, name)?;
        (!matches!(self.arena.get(found), Value::None)).then_some(found)
    }

    /// An attribute.
    pub(super) fn need(&self, name: &str) -> Result<Id> {
        self.find(name).ok_or_else(|| self.broken(name, "there"))
    }

    /// Whether the object has the attribute, be it `None`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.arena.attribute(self.id, name).is_some()
    }

    /// A text parameter; empty if it is something else or missing.
    pub(super) fn text(&self, name: &str) -> &'a str {
        self.find(name)
            .and_then(|id| self.arena.text(id))
            .unwrap_or_default()
    }

    /// A boolean parameter; false if it is missing.
    pub(super) fn flag(&self, name: &str) -> bool {
        let found = self.find(name).and_then(|id| real(self.arena, id));
        found.is_some_and(|value| value != 0.0)
    }

    /// A number.
    pub(super) fn real(&self, name: &str) -> Result<f64> {
        let id = self.need(name)?;
        real(self.arena, id).ok_or_else(|| self.broken(name, "a number"))
    }

    /// The elements of a list or tuple.
    pub(super) fn list(&self, name: &str) -> Result<&'a [Id]> {
        let id = self.need(name)?;
        let list = match self.arena.get(id) {
            Value::Array(array) => match array.elements {
                Elements::Objects(list) => list,
                _ => id,
            },
            _ => id,
        };
        let found = self.arena.items(list);
        found.ok_or_else(|| self.broken(name, "a list"))
    }

    /// An array.
    pub(super) fn array(&self, name: &str) -> Result<&'a Array> {
        let id = self.need(name)?;
        self.arena
            .array(id)
            .ok_or_else(|| self.broken(name, "an array"))
    }

    /// The doubles of an array or number.
    pub(super) fn reals(&self, name: &str) -> Result<Vec<f64>> {
        let id = self.need(name)?;
        reals(self.arena, id).ok_or_else(|| self.broken(name, "an array of numbers"))
    }

    /// A matrix; an array of one axis is one row. A sparse matrix is laid out.
    pub(super) fn matrix(&self, name: &str) -> Result<Matrix> {
        let id = self.need(name)?;
        if self.is_sparse(name) {
            return SparseMatrix::of(self, name)?.laid_out(self);
        }
        let shape = self.arena.array(id).map_or(&[][..], |array| &array.shape);
        let (rows, columns) = match *shape {
            [columns] => (1, columns),
            [rows, columns] => (rows, columns),
            _ => return Err(self.broken(name, "a matrix")),
        };
        Ok(Matrix {
            rows,
            columns,
            values: self.reals(name)?,
        })
    }

    /// Whether an attribute is a sparse matrix.
    pub(super) fn is_sparse(&self, name: &str) -> bool {
        let class = self.find(name).and_then(|id| self.arena.class(id));
        class.is_some_and(|(module, _)| module.starts_with("scipy.sparse"))
    }

    /// The texts of an array.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<String>> {
        texts(self.arena, self.arena.array(self.find(name)?)?)
    }

    /// Which of two versions of scikit-learn fitted it: whether it is at least this one.
    pub(super) fn is_since(&self, major: u32, minor: u32) -> bool {
        let mut parts = self.text("_sklearn_version").split('.').map(|part| {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u32>().unwrap_or(0)
        });
        let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        version >= (major, minor)
    }
}

/// A value as a number.
pub(super) fn real(arena: &Arena, id: Id) -> Option<f64> {
    match arena.get(id) {
        Value::Integer(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        Value::Boolean(value) => Some(f64::from(u8::from(*value))),
        _ => None,
    }
}

/// A value as numbers: an array, one of objects too, a list, or one number.
pub(super) fn reals(arena: &Arena, id: Id) -> Option<Vec<f64>> {
    let all = |items: &[Id]| items.iter().map(|item| real(arena, *item)).collect();
    match arena.get(id) {
        Value::Array(array) => match &array.elements {
            Elements::Objects(list) => all(arena.items(*list)?),
            _ => array.reals().ok(),
        },
        Value::List(items) | Value::Tuple(items) => all(items),
        _ => real(arena, id).map(|value| vec![value]),
    }
}

/// A list of positions.
pub(super) fn positions(arena: &Arena, id: Id) -> Option<Vec<usize>> {
    let values = reals(arena, id)?;
    let is_position = |value: &&f64| **value >= 0.0 && value.fract() == 0.0;
    (values.iter().filter(is_position).count() == values.len())
        .then(|| values.into_iter().map(|value| value as usize).collect())
}

/// One number a column of an attribute; none if there is no such attribute.
pub(super) fn by_column(object: &Object, name: &str, count: usize) -> Result<Option<Vec<f64>>> {
    if object.find(name).is_none() {
        return Ok(None);
    }
    let values = object.reals(name)?;
    if values.len() != count {
        let message = format!("`{name}` has {} values for {count} columns", values.len());
        return Err(object.refuse(&message));
    }
    Ok(Some(values))
}
