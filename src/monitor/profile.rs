//! What the columns of a table hold, summed up.
//!
//! Owns the profile of a table: per column counts, moments, quantiles, categories and distinct
//! values. Each part is a function of the column's values alone, so profiles of parts merge to the
//! profile of the whole, byte for byte. It must not know where tables come from or where profiles
//! go.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Schema};

use super::drift::Drift;
use super::number_column::{converted, doubles, each_hash};
use crate::error::{Error, Result};
use crate::statistics::bytes::{Reader, Writer};
use crate::statistics::categories::Categories;
use crate::statistics::distinct::Distinct;
use crate::statistics::distribution::Distribution;
use crate::statistics::hash::{of_bytes, of_number};

/// The version of the bytes of a column's profile.
pub const VERSION: u64 = 1;

/// What may be done where one side has times and the other numbers.
pub const OLD_TIMES: &str =
    "an earlier version counted times as numbers without a unit: make its profiles again";

/// What a column's values are taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Numbers; in profiles of earlier versions times too, in the column's own unit.
    Numbers,
    /// Text and booleans.
    Categories,
    /// Text without types: numbers if every value is one.
    Untyped,
    /// Anything else, of which only missing values are counted.
    Other,
    /// Dates and timestamps, in microseconds since 1970.
    Times,
    /// Times of day, in microseconds since midnight.
    TimesOfDay,
    /// Durations, in microseconds.
    Durations,
}

impl Kind {
    /// What a column of this type is taken for.
    #[must_use]
    pub fn of(data_type: &DataType, is_untyped: bool) -> Self {
        match data_type {
            DataType::Dictionary(_, value) => Self::of(value, is_untyped),
            DataType::Boolean => Self::Categories,
            DataType::Interval(_) => Self::Other,
            DataType::Time32(_) | DataType::Time64(_) => Self::TimesOfDay,
            DataType::Duration(_) => Self::Durations,
            text if text.is_string() && is_untyped => Self::Untyped,
            text if text.is_string() => Self::Categories,
            time if time.is_temporal() => Self::Times,
            number if number.is_numeric() => Self::Numbers,
            _ => Self::Other,
        }
    }

    /// The word in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Numbers => "numbers",
            Self::Categories => "categories",
            Self::Untyped => "untyped",
            Self::Other => "other",
            Self::Times => "times",
            Self::TimesOfDay => "times of day",
            Self::Durations => "durations",
        }
    }

    /// The kind of times that has this word; none of other words.
    #[must_use]
    pub fn time_of_name(word: &str) -> Option<Self> {
        let kinds = [Self::Times, Self::TimesOfDay, Self::Durations];
        kinds.into_iter().find(|kind| kind.name() == word)
    }

    /// Whether values are times, which are counted as numbers of one unit.
    #[must_use]
    pub const fn is_time(self) -> bool {
        matches!(self, Self::Times | Self::TimesOfDay | Self::Durations)
    }

    /// Whether values are counted as numbers.
    #[must_use]
    pub const fn has_numbers(self) -> bool {
        matches!(self, Self::Numbers) || self.is_time()
    }

    fn of_number(number: u64) -> Option<Self> {
        // The order of what is stored.
        let all = [
            Self::Numbers,
            Self::Categories,
            Self::Untyped,
            Self::Other,
            Self::Times,
            Self::TimesOfDay,
            Self::Durations,
        ];
        all.into_iter().find(|kind| *kind as u64 == number)
    }
}

/// A column, summed up.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnProfile {
    /// The column's name.
    pub name: String,
    kind: Kind,
    /// All rows.
    pub rows: u64,
    /// Rows without a value.
    pub missing: u64,
    /// The numbers among the values.
    pub numbers: Distribution,
    /// The values that are no numbers.
    not_numbers: u64,
    /// Values as categories.
    pub categories: Categories,
    /// Distinct values.
    pub distinct: Distinct,
}

/// A table, summed up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// The columns, in the table's order.
    pub columns: Vec<ColumnProfile>,
}

impl Profile {
    /// No rows yet of a table with these columns; those that `is_untyped` are text that may stand
    /// for numbers.
    #[must_use]
    pub fn new(schema: &Schema, is_untyped: &dyn Fn(&str) -> bool) -> Self {
        let column = |field: &std::sync::Arc<arrow::datatypes::Field>| {
            let name = field.name().clone();
            let kind = Kind::of(field.data_type(), is_untyped(&name));
            ColumnProfile::new(name, kind)
        };
        Self {
            columns: schema.fields().iter().map(column).collect(),
        }
    }

    /// Takes in a batch of the table.
    ///
    /// # Errors
    /// An internal error if a column has another type than its values.
    pub fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
        self.columns
            .iter_mut()
            .zip(batch.columns())
            .try_for_each(|(profile, column)| profile.observe(column))
    }

    /// Adds the rows of another part of the table.
    ///
    /// # Errors
    /// A contract error for a profile of other columns.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.columns.len() != other.columns.len() {
            return Err(Error::contract(format!(
                "the profiles have {} and {} columns",
                self.columns.len(),
                other.columns.len()
            )));
        }
        for (own, other) in self.columns.iter_mut().zip(&other.columns) {
            if !own.merge(other) {
                let message = format!(
                    "the profiles have different columns: `{}` ({}) and `{}` ({})",
                    own.name,
                    own.kind.name(),
                    other.name,
                    other.kind.name()
                );
                let error = Error::contract(message);
                let kinds = [own.kind, other.kind];
                let is_older =
                    kinds.contains(&Kind::Numbers) && kinds.iter().any(|one| one.is_time());
                return Err(if own.name == other.name && is_older {
                    error.hint(OLD_TIMES)
                } else {
                    error
                });
            }
        }
        Ok(())
    }

    /// A number that other profiles do not have.
    #[must_use]
    pub fn digest(&self) -> u128 {
        let bytes: Vec<u8> = self
            .columns
            .iter()
            .flat_map(ColumnProfile::to_bytes)
            .collect();
        of_bytes(&bytes)
    }

    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnProfile> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl ColumnProfile {
    /// No rows yet of a column of this kind.
    #[must_use]
    pub fn new(name: String, kind: Kind) -> Self {
        Self {
            name,
            kind,
            rows: 0,
            missing: 0,
            numbers: Distribution::default(),
            not_numbers: 0,
            categories: Categories::default(),
            distinct: Distinct::default(),
        }
    }

    /// What the values are taken for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.kind {
            Kind::Untyped if self.not_numbers == 0 && self.numbers.count() > 0 => Kind::Numbers,
            Kind::Untyped => Kind::Categories,
            kind => kind,
        }
    }

    /// The share of rows without a value, NaN among them; none for no rows.
    #[must_use]
    pub fn missing_rate(&self) -> Option<f64> {
        let missing = self.missing + self.numbers.nan_count();
        (self.rows > 0).then(|| missing as f64 / self.rows as f64)
    }

    /// The distances of `current` from this column; none if one has numbers and the other not.
    #[must_use]
    pub fn drift(&self, current: &Self) -> Option<Drift> {
        match self.kind() {
            kind if kind != current.kind() => None,
            Kind::Categories => Some(Drift::of_categories(&self.categories, &current.categories)),
            kind if kind.has_numbers() => Some(Drift::of_numbers(&self.numbers, &current.numbers)),
            _ => None,
        }
    }

    /// Adds the rows of another part of the column; false, and nothing done, for a column of
    /// another name or kind.
    #[must_use]
    pub fn merge(&mut self, other: &Self) -> bool {
        let is_alike = self.name == other.name && self.kind == other.kind;
        if is_alike {
            self.rows += other.rows;
            self.missing += other.missing;
            self.not_numbers += other.not_numbers;
            self.numbers.merge(&other.numbers);
            self.categories.merge(&other.categories);
            self.distinct.merge(&other.distinct);
        }
        is_alike
    }

    /// The column as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.integer(VERSION);
        writer.text(&self.name);
        [self.kind as u64, self.rows, self.missing, self.not_numbers]
            .into_iter()
            .for_each(|number| writer.integer(number));
        self.numbers.write(&mut writer);
        self.categories.write(&mut writer);
        self.distinct.write(&mut writer);
        writer.into_bytes()
    }

    /// The column of these bytes; none for bytes that [`Self::to_bytes`] never gives.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        (reader.integer()? == VERSION).then_some(())?;
        let name = reader.text()?.to_owned();
        let kind = Kind::of_number(reader.integer()?)?;
        let [rows, missing, not_numbers] = [reader.count()?, reader.count()?, reader.count()?];
        let column = Self {
            name,
            kind,
            rows,
            missing,
            not_numbers,
            numbers: Distribution::read(&mut reader)?,
            categories: Categories::read(&mut reader)?,
            distinct: Distinct::read(&mut reader)?,
        };
        reader.is_at_end().then_some(column)
    }

    /// Takes in numbers as a model reads them, of rows of which `missing` more have no value; NaN
    /// among them came in as such.
    pub fn observe_values(&mut self, values: &[f64], missing: u64) {
        self.rows += values.len() as u64 + missing;
        self.missing += missing;
        self.numbers.observe_f64(values);
        values
            .iter()
            .filter(|number| !number.is_nan())
            .for_each(|number| self.distinct.add(of_number(*number)));
    }

    /// Takes in rows of a category.
    pub fn observe_category(&mut self, text: &str, count: u64) {
        let hash = of_bytes(text.as_bytes());
        self.rows += count;
        self.categories.add_hashed(hash, text, count);
        self.distinct.add(hash);
    }

    /// Takes in rows without a value.
    pub fn observe_missing(&mut self, count: u64) {
        self.rows += count;
        self.missing += count;
    }

    /// Takes in rows with values of which nothing is known.
    pub fn observe_others(&mut self, count: u64) {
        self.rows += count;
    }

    /// Takes in the values of an array.
    ///
    /// # Errors
    /// An internal error if the column has another type than its values.
    pub fn observe(&mut self, column: &ArrayRef) -> Result<()> {
        self.rows += column.len() as u64;
        match self.kind {
            Kind::Numbers | Kind::Times | Kind::TimesOfDay | Kind::Durations => {
                self.missing += column.logical_null_count() as u64;
                self.observe_numbers(column)
            }
            Kind::Categories | Kind::Untyped => {
                self.observe_texts(&converted(column, &DataType::Utf8)?);
                Ok(())
            }
            Kind::Other => {
                self.missing += column.logical_null_count() as u64;
                Ok(())
            }
        }
    }

    fn observe_numbers(&mut self, column: &ArrayRef) -> Result<()> {
        let numbers = doubles(column)?;
        let values: Vec<f64> = numbers.iter().flatten().collect();
        self.numbers.observe_f64(&values);
        let distinct = &mut self.distinct;
        each_hash(column, &numbers, |hash| distinct.add(hash))
    }

    fn observe_texts(&mut self, column: &ArrayRef) {
        let texts: &StringArray = column.as_string();
        // Delimited text has no other way to say that a value is missing.
        let has_value = |text: &&str| self.kind == Kind::Categories || !text.trim().is_empty();
        let mut counts: HashMap<&str, u64> = HashMap::new();
        for text in texts.iter().flatten().filter(has_value) {
            *counts.entry(text).or_default() += 1;
        }
        let present: u64 = counts.values().sum();
        self.missing += texts.len() as u64 - present;
        for (text, count) in counts {
            let hash = of_bytes(text.as_bytes());
            self.categories.add_hashed(hash, text, count);
            self.distinct.add(hash);
            if self.kind != Kind::Untyped {
                continue;
            }
            match text.trim().parse::<f64>() {
                Ok(number) => self.numbers.observe_times(number, count),
                Err(_) => self.not_numbers += count,
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use arrow::array::{BinaryArray, BooleanArray, Float32Array, TimestampMicrosecondArray};
    use proptest::prelude::*;

    use super::*;

    fn batch(numbers: &[f32], texts: &[Option<&str>]) -> RecordBatch {
        let rows = numbers.len();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("number", Arc::new(Float32Array::from(numbers.to_vec()))),
            ("text", Arc::new(StringArray::from(texts.to_vec()))),
            (
                "flag",
                Arc::new(
                    (0..rows)
                        .map(|row| (row % 3 > 0).then_some(row % 2 == 0))
                        .collect::<BooleanArray>(),
                ),
            ),
            (
                "time",
                Arc::new(TimestampMicrosecondArray::from_iter_values(
                    (0..rows as i64).map(|row| row * 1_000_000),
                )),
            ),
            (
                "bytes",
                Arc::new(
                    (0..rows)
                        .map(|row| (row % 2 == 0).then_some(b"x"))
                        .collect::<BinaryArray>(),
                ),
            ),
        ];
        RecordBatch::try_from_iter_with_nullable(
            columns
                .into_iter()
                .map(|(name, column)| (name, column, true)),
        )
        .unwrap()
    }

    pub(in crate::monitor) fn of(batches: &[RecordBatch], is_untyped: bool) -> Profile {
        let mut profile = Profile::new(&batches[0].schema(), &|_| is_untyped);
        batches
            .iter()
            .for_each(|batch| profile.observe(batch).unwrap());
        profile
    }

    pub(in crate::monitor) fn bytes(profile: &Profile) -> Vec<Vec<u8>> {
        profile
            .columns
            .iter()
            .map(ColumnProfile::to_bytes)
            .collect()
    }

    #[test]
    fn every_kind_of_column_is_counted() {
        let numbers = [1.5, f32::NAN, f32::INFINITY, -0.0, 1e30];
        let texts = [Some("a"), None, Some(""), Some("a"), Some("b")];
        let found = of(&[batch(&numbers, &texts)], false);
        let column = |name: &str| found.column(name).unwrap();
        assert_eq!(column("number").numbers.finite_count(), 3);
        assert_eq!(column("number").missing_rate(), Some(0.2), "NaN is missing");
        assert_eq!(column("number").distinct.estimate(), 4.0);
        assert_eq!(
            (column("text").missing, column("text").distinct.estimate()),
            (1, 3.0)
        );
        assert_eq!(
            (column("flag").kind(), column("flag").missing),
            (Kind::Categories, 2)
        );
        assert_eq!(column("time").numbers.max(), Some(4e6));
        assert_eq!(
            (column("bytes").kind(), column("bytes").missing),
            (Kind::Other, 2)
        );
        assert_eq!(column("time").kind(), Kind::Times);
    }

    #[test]
    fn times_of_an_earlier_version_are_not_compared_or_merged() {
        let new = of(&[batch(&[1.0, 2.0], &[None, None])], false);
        let mut old = new.clone();
        old.columns[3].kind = Kind::Numbers;
        assert!(old.columns[3].drift(&new.columns[3]).is_none());
        assert!(new.columns[3].drift(&new.columns[3]).is_some());
        let error = old.merge(&new).unwrap_err();
        assert_eq!(error.hint_text(), Some(OLD_TIMES));
        let stored = new.columns[3].to_bytes();
        assert_eq!(
            ColumnProfile::of_bytes(&stored).as_ref(),
            Some(&new.columns[3])
        );
    }

    #[test]
    fn text_without_types_is_numbers_only_if_every_value_is_one() {
        let kind = |texts: &[Option<&str>]| {
            let numbers = vec![0.0; texts.len()];
            let found = of(&[batch(&numbers, texts)], true);
            (found.columns[1].kind(), found.columns[1].missing)
        };
        assert_eq!(
            kind(&[Some("1"), Some(" 2.5 "), Some(""), None]),
            (Kind::Numbers, 2)
        );
        assert_eq!(kind(&[Some("1"), Some("x")]), (Kind::Categories, 0));
        assert_eq!(kind(&[Some(""), None]), (Kind::Categories, 2));
    }

    #[test]
    fn a_column_takes_less_than_150_kib_whatever_it_holds() {
        let mut texts = ColumnProfile::new("x".to_owned(), Kind::Untyped);
        for row in 0..20_000_u64 {
            let text = format!("{:064x}", of_number(row as f64));
            texts.observe_category(&text, 1 + row * row);
        }
        let mut numbers = ColumnProfile::new("x".to_owned(), Kind::Numbers);
        let wild = |row: u64| {
            let bits = of_number(row as f64) as u64;
            f64::from_bits(bits & !(0x7ff << 52) | (bits % 2046) << 52)
        };
        numbers.observe_values(&(0..20_000).map(wild).collect::<Vec<f64>>(), 3);
        for column in [&texts, &numbers] {
            let size = column.to_bytes().len();
            assert!(size < 150 << 10, "{size} bytes of {}", column.kind().name());
            assert_eq!(
                ColumnProfile::of_bytes(&column.to_bytes()).as_ref(),
                Some(column)
            );
        }
    }

    #[test]
    fn bytes_that_no_writer_made_are_refused() {
        let whole = of(&[batch(&[1.0], &[Some("a")])], false).columns[1].to_bytes();
        assert!(ColumnProfile::of_bytes(&whole).is_some());
        assert!(ColumnProfile::of_bytes(&whole[..whole.len() - 1]).is_none());
        assert!(ColumnProfile::of_bytes(&[&whole[..], &[0]].concat()).is_none());
        assert!(
            ColumnProfile::of_bytes(&[&[2], &whole[1..]].concat()).is_none(),
            "a later version"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_split_and_order_gives_the_same_bytes(
            rows in proptest::collection::vec((any::<f32>(), 0u8..20), 1..120),
            cut in 0usize..120,
            is_untyped in any::<bool>(),
        ) {
            let texts: Vec<String> = rows.iter().map(|row| row.1.to_string()).collect();
            let part = |rows: &[(f32, u8)], texts: &[String]| {
                let numbers: Vec<f32> = rows.iter().map(|row| row.0).collect();
                let texts: Vec<Option<&str>> =
                    texts.iter().map(|text| Some(text.as_str())).collect();
                batch(&numbers, &texts).project(&[0, 1]).unwrap()
            };
            let cut = cut.min(rows.len());
            let whole = of(&[part(&rows, &texts)], is_untyped);
            let parts = [
                part(&rows[cut..], &texts[cut..]),
                part(&rows[..cut], &texts[..cut]),
            ];
            prop_assert!(bytes(&of(&parts, is_untyped)) == bytes(&whole));
            let mut merged = of(&parts[..1], is_untyped);
            for (column, other) in merged
                .columns
                .iter_mut()
                .zip(of(&parts[1..], is_untyped).columns)
            {
                prop_assert!(column.merge(&other));
            }
            prop_assert!(bytes(&merged) == bytes(&whole));
            for column in &whole.columns {
                prop_assert!(ColumnProfile::of_bytes(&column.to_bytes()).as_ref() == Some(column));
            }
        }
    }
}
