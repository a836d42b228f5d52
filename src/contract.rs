//! What a model needs of a table: inputs by name and kind, and what to do with rows that lack them.
//!
//! Owns the inputs' description and the verdict on a row. Binding to a concrete schema is
//! [`crate::contract::binding`]. It must not know families or formats: an importer fills in a
//! [`Contract`], a manifest may tighten it.

pub mod binding;
pub(crate) mod fitting;
pub mod policies;
pub(crate) mod reads;
pub mod renaming;

use arrow::datatypes::DataType;

use self::renaming::Renaming;

/// A value that a category may have, as the training data held it.
#[derive(Clone, Debug, PartialEq)]
pub enum CategoryValue {
    /// A text.
    Text(String),
    /// An integer.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// True or false.
    Boolean(bool),
}

impl std::fmt::Display for CategoryValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(value) => f.write_str(value),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Boolean(value) => write!(f, "{value}"),
        }
    }
}

/// The categories of an input: the code of a value is its position.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    /// Values in the order of their codes.
    pub values: Vec<CategoryValue>,
    /// What the model reads for a value that is not in the list and is let through.
    pub unseen_code: f64,
}

impl PartialEq for Vocabulary {
    /// Codes that are NaN are equal: both are read as missing.
    fn eq(&self, other: &Self) -> bool {
        let codes = [self, other].map(|one| one.unseen_code);
        let is_same = codes[0] == codes[1] || codes.iter().all(|code| code.is_nan());
        is_same && self.values == other.values
    }
}

/// The categories of an input of which only hashes are known.
#[derive(Clone, Debug, PartialEq)]
pub struct HashedCategories {
    /// Hashes of the values' texts, as [`crate::feature::category_hash`] takes them.
    pub hashes: Vec<u32>,
    /// What the model reads for a value.
    pub code: HashedCode,
}

/// What a model reads for a category that it knows by hash.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HashedCode {
    /// The position of the value's hash; for any other hash this number. Whether training saw such
    /// a value is not known.
    Position {
        /// What is read for a hash that is not listed.
        other: f64,
    },
    /// The hash itself, listed or not.
    Hash {
        /// Whether every hash of training is listed, so that any other value is unseen.
        is_complete: bool,
    },
}

/// What an input holds.
#[derive(Clone, Debug, PartialEq)]
pub enum InputKind {
    /// Any number or boolean; integers are converted.
    Number,
    /// A categorical feature whose column holds the model's own integer codes.
    CategoryCode,
    /// A categorical feature whose column holds values, translated to codes by position.
    Category(Vocabulary),
    /// A categorical feature whose column holds texts, integers or booleans, translated to
    /// codes by their hash.
    HashedCategory(HashedCategories),
    /// Values in a type of the model's own, as graphs declare them.
    Native(NativeType),
    /// A text that a tokenizer reads; a missing one stays missing.
    Text,
}

/// A type that the inputs of graphs have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NativeType {
    /// What one value is.
    pub element: NativeElement,
    /// How many values a row has.
    pub width: Width,
    /// How they lie, for columns of lists of lists.
    pub shape: RowShape,
}

/// The most axes of a row that lists of lists may have.
const ROW_AXES: usize = 6;

/// The lengths of the axes of one row's values, outermost first; 0 for an axis of any length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowShape {
    rank: usize,
    lengths: [usize; ROW_AXES],
}

impl RowShape {
    /// The shape of these axes; of too many axes none is kept, so that only flat lists fit.
    #[must_use]
    pub fn new(axes: &[Option<usize>]) -> Self {
        let mut shape = Self::default();
        if axes.len() <= ROW_AXES {
            shape.rank = axes.len();
            shape
                .lengths
                .iter_mut()
                .zip(axes)
                .for_each(|(length, axis)| *length = axis.unwrap_or(0));
        }
        shape
    }

    /// The lengths of the axes, outermost first.
    #[must_use]
    pub fn axes(&self) -> &[usize] {
        &self.lengths[..self.rank]
    }
}

/// How many values of a column belong to one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// One: a column of plain values.
    One,
    /// So many: a column of lists.
    Exactly(usize),
    /// An integer of so many, at least once, and not in all rows the same: a column of lists.
    Multiple(usize),
}

impl Width {
    /// Whether a row with so many values fits.
    #[must_use]
    pub fn fits(self, count: usize) -> bool {
        match self {
            Self::One => count == 1,
            Self::Exactly(expected) => count == expected,
            Self::Multiple(unit) => count > 0 && count.is_multiple_of(unit.max(1)),
        }
    }
}

/// What one value of a graph's input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NativeElement {
    /// A number of half precision.
    Float16,
    /// A number of 16 bits with the range of single precision.
    Bfloat16,
    /// A number of single precision.
    Float,
    /// A number of double precision.
    Double,
    /// An integer of this type.
    Integer(ColumnType),
    /// True or false.
    Boolean,
    /// A text.
    Text,
}

impl NativeElement {
    /// Whether it is a floating-point number.
    #[must_use]
    pub const fn is_real(self) -> bool {
        matches!(
            self,
            Self::Float16 | Self::Bfloat16 | Self::Float | Self::Double
        )
    }

    /// The type's name, as ONNX and numpy write it.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Float => "float32".to_owned(),
            Self::Double => "float64".to_owned(),
            Self::Integer(integer) => type_name(integer),
            Self::Text => "string".to_owned(),
            other => format!("{other:?}").to_lowercase(),
        }
    }
}

/// A column type that a manifest may insist on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are the types' own")]
pub enum ColumnType {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Float,
    Double,
    String,
}

impl ColumnType {
    /// The type of a column's values; none for a column that no input can insist on.
    #[must_use]
    pub fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean,
            DataType::Int8 => Self::Int8,
            DataType::Int16 => Self::Int16,
            DataType::Int32 => Self::Int32,
            DataType::Int64 => Self::Int64,
            DataType::UInt8 => Self::Uint8,
            DataType::UInt16 => Self::Uint16,
            DataType::UInt32 => Self::Uint32,
            DataType::UInt64 => Self::Uint64,
            DataType::Float16 | DataType::Float32 => Self::Float,
            DataType::Float64 => Self::Double,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::String,
            DataType::Dictionary(_, values) => return Self::of(values),
            _ => return None,
        })
    }
}

/// What to do with a value that an input cannot take.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Stop the run.
    Error,
    /// Leave the row out and count it.
    Reject,
    /// Let the model see a missing value.
    Null,
    /// Put this number in its place; of a category with a vocabulary, the one of this code.
    Default(f64),
}

/// The numbers that an input takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberRange {
    /// All, infinite ones too.
    All,
    /// Those that are finite in the model's precision.
    Finite,
    /// Those that are finite in single precision, in which scikit-learn's trees read their
    /// features.
    Single,
}

/// One input of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The column's name; for models without names the library's own placeholder, such as `f0`.
    pub name: String,
    /// What it holds.
    pub kind: InputKind,
    /// The type that the manifest insists on, if any.
    pub column_type: Option<ColumnType>,
    /// Whether the table must have the column; one that need not and is not there is null in every
    /// row.
    pub required: bool,
    /// What to do with null (and, in floating-point columns, NaN).
    pub on_null: Policy,
    /// What to do with a value outside the vocabulary, or with text that is not a number.
    pub on_unseen: Policy,
    /// Values that stand for a missing one, as texts; a number among them is compared as a number.
    pub missing: Vec<String>,
    /// Which numbers it takes; others are treated as `on_unseen` says.
    pub numbers: NumberRange,
}

impl Input {
    /// A numeric input that takes null as missing and stops at text that is not a number.
    #[must_use]
    pub fn number(name: impl Into<String>) -> Self {
        Self {
            on_unseen: Policy::Error,
            ..Self::of_kind(name, InputKind::Number)
        }
    }

    /// An input of another kind that takes null as missing and lets unseen values through as the
    /// model itself treats them.
    #[must_use]
    pub fn of_kind(name: impl Into<String>, kind: InputKind) -> Self {
        let (on_null, on_unseen) = (Policy::Null, Policy::Null);
        Self {
            name: name.into(),
            kind,
            column_type: None,
            required: true,
            on_null,
            on_unseen,
            missing: Vec::new(),
            numbers: NumberRange::All,
        }
    }
}

/// All that a model needs of a table, in the order of its features.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contract {
    /// One per feature.
    pub inputs: Vec<Input>,
    /// Whether the names are real; if not, the user must say which columns are meant.
    pub named: bool,
    /// A column of lists that can feed all inputs at once, where the model reads one matrix.
    pub vector: Option<Box<Input>>,
    /// How the library that wrote the model changed the names.
    pub renaming: Renaming,
}

/// A declared type's name as `tallow.toml` writes it.
#[must_use]
pub fn type_name(declared: ColumnType) -> String {
    format!("{declared:?}").to_lowercase()
}
