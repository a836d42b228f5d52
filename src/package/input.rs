//! Inputs as a manifest states them: names, kinds, words for missing values, categories.
//!
//! Owns the checks of one input. It must not know how a column meets it.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::contract::{CategoryValue, ColumnType, Policy};
use crate::error::{Error, Result};

/// What is known of an input.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputEntry {
    /// The column's name.
    pub name: String,
    /// The type that the column must have.
    pub r#type: Option<ColumnType>,
    /// What it holds; by default `category` where there are categories, else what the artefact
    /// says, else `number`.
    pub kind: Option<KindName>,
    /// The values of a category, in the order of the model's codes.
    pub categories: Option<Vec<Category>>,
    /// What to do with null.
    pub on_null: Option<Policy>,
    /// What to do with a value outside the categories, or with text that is not a number.
    pub on_unseen: Option<Policy>,
    /// Values that stand for a missing one, such as `-999` or `["unknown", -1]`.
    pub missing: Option<Sentinels>,
    /// For networks: what is taken away from the number.
    pub mean: Option<f64>,
    /// For networks: what the difference is divided by.
    pub scale: Option<f64>,
    /// For networks: the prefix of the embedding table that the code is looked up in.
    pub embedding: Option<String>,
    /// For networks: whether the category takes as many positions as it has values.
    #[serde(default)]
    pub one_hot: bool,
    /// Whether a table without this column is refused; if not, the column counts as null in every
    /// row.
    #[serde(default = "required")]
    pub required: bool,
    /// Whom to ask about the column; only passed on.
    pub owner: Option<String>,
}

const fn required() -> bool {
    true
}

/// What an input holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KindName {
    /// A number.
    Number,
    /// A value, looked up in `categories`.
    Category,
    /// The model's own code of a category.
    Code,
}

/// One value that stands for a missing one, or several.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(
    untagged,
    expecting = "`missing` is a number, a text or a list of these"
)]
pub enum Sentinels {
    /// One.
    One(Category),
    /// Several.
    Several(Vec<Category>),
}

impl Sentinels {
    /// The values as texts.
    #[must_use]
    pub fn tokens(&self) -> Vec<String> {
        let values = match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Several(values) => values.as_slice(),
        };
        values
            .iter()
            .map(|value| CategoryValue::from(value).to_string())
            .collect()
    }
}

/// A value of a category.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "a category is a text, a number, true or false")]
pub enum Category {
    /// True or false.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// A text.
    Text(String),
}

impl From<&Category> for CategoryValue {
    fn from(category: &Category) -> Self {
        match category {
            Category::Boolean(value) => Self::Boolean(*value),
            Category::Integer(value) => Self::Integer(*value),
            Category::Number(value) => Self::Number(*value),
            Category::Text(value) => Self::Text(value.clone()),
        }
    }
}

/// A column made of other columns.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derived {
    /// The new column's name.
    pub name: String,
    /// A SQL expression over the table's columns; only carried here.
    pub expression: String,
}

impl InputEntry {
    pub(super) fn check(&self) -> Result<()> {
        let refuse = |message: &str| Err(Error::contract(message));
        if self.categories.is_some() && matches!(self.kind, Some(KindName::Number | KindName::Code))
        {
            return refuse("`categories` are for `kind = \"category\"`");
        }
        let is_category = self.categories.is_some()
            || matches!(self.kind, Some(KindName::Category | KindName::Code));
        if is_category && (self.mean.is_some() || self.scale.is_some()) {
            return refuse("`mean` and `scale` are for numbers, and this is a category");
        }
        if let Some(categories) = &self.categories {
            let known: BTreeSet<String> = categories
                .iter()
                .map(|category| format!("{category:?}"))
                .collect();
            if known.len() < categories.len() || categories.is_empty() {
                return refuse("`categories` are empty or name a value twice");
            }
        }
        for (key, policy) in [("on_null", self.on_null), ("on_unseen", self.on_unseen)] {
            if matches!(policy, Some(Policy::Default(value)) if !value.is_finite()) {
                return refuse(&format!("the default of `{key}` is not a finite number"));
            }
        }
        if !self.required && matches!(self.on_null, None | Some(Policy::Error)) {
            return Err(Error::contract(
                "`required = false` needs an `on_null` with the value that the model reads instead",
            )
            .hint(
                "add `on_null = { default = 0 }`, `on_null = \"null\"` or `on_null = \"reject\"`",
            ));
        }
        Ok(())
    }
}
