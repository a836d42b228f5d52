//! Settings in JSON, as Hugging Face directories hold them: values by name and kind.
//!
//! Owns the checks of single values. Every number is hostile until checked. What they mean is
//! [`super::family`]'s business.

use serde_json::{Map, Value as Json};

use super::architecture::Activation;
use crate::error::{Error, Result};

/// A JSON object with settings.
#[derive(Clone, Debug, Default)]
pub struct Config(Map<String, Json>);

impl Config {
    /// # Errors
    /// Fails if the bytes are no JSON object.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        match serde_json::from_slice(bytes) {
            Ok(Json::Object(object)) => Ok(Self(object)),
            Ok(_) => Err(Error::failed("the settings are not a JSON object")),
            Err(error) => Err(Error::failed("cannot read the settings").because(error)),
        }
    }

    /// The value under the first of these names that has one.
    #[must_use]
    pub fn value(&self, names: &[&str]) -> Option<&Json> {
        names
            .iter()
            .find_map(|name| self.0.get(*name))
            .filter(|value| !value.is_null())
    }

    /// A text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.value(&[name])?.as_str()
    }

    /// A boolean, or `default`.
    #[must_use]
    pub fn boolean(&self, name: &str, default: bool) -> bool {
        self.value(&[name])
            .and_then(Json::as_bool)
            .unwrap_or(default)
    }

    /// The settings under this name, if they are an object.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<Self> {
        self.value(&[name])
            .and_then(Json::as_object)
            .cloned()
            .map(Self)
    }

    /// The names of all settings.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// An integer above 0, at most `most`; none if it is not there.
    pub(super) fn count(&self, names: &[&str], most: usize) -> Result<Option<usize>> {
        let Some(value) = self.value(names) else {
            return Ok(None);
        };
        match value
            .as_u64()
            .and_then(|count| usize::try_from(count).ok())
            .filter(|count| (1..=most).contains(count))
        {
            Some(count) => Ok(Some(count)),
            None => Err(Error::contract(format!(
                "`{}` is `{value}`, expected an integer from 1 to {most}",
                names[0]
            ))),
        }
    }

    pub(super) fn width(&self, names: &[&str]) -> Result<usize> {
        self.count(names, super::family::MAX_WIDTH)?
            .ok_or_else(|| Error::contract(format!("the settings have no `{}`", names[0])))
    }

    pub(super) fn real(&self, names: &[&str], default: f64) -> Result<f64> {
        match self.value(names) {
            None => Ok(default),
            Some(value) => value
                .as_f64()
                .filter(|value| value.is_finite() && *value > 0.0)
                .ok_or_else(|| {
                    Error::contract(format!(
                        "`{}` is `{value}`, expected a number above 0",
                        names[0]
                    ))
                }),
        }
    }

    pub(super) fn activation(&self, names: &[&str], default: Activation) -> Result<Activation> {
        let Some(value) = self.value(names) else {
            return Ok(default);
        };
        value.as_str().and_then(Activation::named).ok_or_else(|| {
            Error::contract(format!("the activation {value} is not supported"))
                .hint("known ones: gelu, gelu_new, gelu_pytorch_tanh, relu, silu, tanh")
        })
    }

    /// The curve of a classification head's layer.
    ///
    /// # Errors
    /// A contract error for a name that is not known.
    pub fn head_activation(&self, name: &str) -> Result<Activation> {
        self.activation(&[name], Activation::Gelu)
    }

    /// Fails if a setting says what the forward pass does not do.
    pub(super) fn refuse(&self, name: &str, is_refused: impl Fn(&Json) -> bool) -> Result<()> {
        match self.value(&[name]).filter(|value| is_refused(value)) {
            Some(value) => Err(Error::contract(format!(
                "`{name}` is `{value}`, which is not supported"
            ))),
            None => Ok(()),
        }
    }
}
