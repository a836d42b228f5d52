//! SQL over rows: filters and derived columns, evaluated by polars.
//!
//! Owns the step from an expression's text to its value for every row of a record batch. It must not know models or files. The one
//! user of polars in this room, with its helpers `expression` (one of them: parsing, evaluating), `row_wise` (which are let through),
//! `temporal` (dates as text) and `polars_bridge` (types).
//!
//! **What works** (each is tested): column names, case-exact, in double quotes where they hold spaces or are words of SQL; numbers,
//! `'text'`, `TRUE`, `NULL`, `DATE '2024-01-31'`, `TIMESTAMP '2024-01-31 10:00:00'`, `INTERVAL '1 day'` added to either;
//! `+ - * / // %`, `= <> < <= > >=`, `AND OR NOT`, `||`; `BETWEEN`, `IN (…)` with literals, `IS [NOT] NULL`, `IS DISTINCT FROM`,
//! `LIKE`, `ILIKE`, `REGEXP`, `STARTS_WITH`; `CASE WHEN`, `COALESCE`, `IFNULL`, `NULLIF`, `GREATEST`, `LEAST`; `CAST`, `TRY_CAST`;
//! `ABS CEIL FLOOR ROUND SIGN SQRT EXP LN LOG LOG2 LOG10 LOG1P POWER MOD` and the trigonometric functions; `LOWER UPPER LENGTH
//! TRIM LTRIM RTRIM LPAD RPAD LEFT RIGHT SUBSTR REPLACE REVERSE CONCAT CONCAT_WS SPLIT_PART STRPOS`; `EXTRACT`, `DATE_PART`,
//! `STRFTIME`, `STRPTIME` and `DATE` with a format.
//!
//! **How it counts** (polars' rules): `/` divides as floats, `//` rounds down; integers wrap on overflow; NaN equals NaN and is
//! greater than every number; a comparison with null is null, and a filter that is null drops its row. All branches of `CASE` are
//! computed for all rows, so a `CAST` that fails for a row that its branch excludes still stops the run: use `TRY_CAST`. A column of
//! dates or timestamps also compares with plain text, `'2024-01-31'` (see `temporal`). `SUBSTR` needs a literal start. `STRPOS` of null is 0.
//!
//! **Row by row only.** Aggregates, windows, sorts and subqueries are refused, since batches are cut arbitrarily; see `row_wise`.
//! polars' SQL has neither `RANDOM` nor `NOW` or `CURRENT_TIMESTAMP`, so the answer is a function of the row.
//!
//! **Threads.** A [`Query`] is immutable and may be applied from many threads at once. Each step is one projection, which polars'
//! in-memory engine evaluates on the calling thread; a kernel that wants parallelism enters polars' own pool with `install`, which
//! parks the caller until its job is done. Neither we nor the engine hold a lock across that, and jobs of that pool never call back
//! into ours, so workers wait for one another at most, never in a circle. A panic inside polars is caught and becomes an error.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use polars::prelude::{Column, DataFrame, Scalar};

use super::expression::Expression;
use super::polars_bridge;
use crate::error::{Error, Result};

/// Names of our own columns in polars' frames; no file that people write has control characters in its column names.
const ROWS: &str = "\u{1}rows";
const VERDICT: &str = "\u{1}verdict";

/// A column to be computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// The new column's name.
    pub name: String,
    /// The SQL expression that gives its values.
    pub expression: String,
}

/// The rows of a batch that a query lets through.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The rows that passed, with the derived columns appended.
    pub batch: RecordBatch,
    /// For each row of the input whether it passed, without nulls; none if all did.
    pub kept: Option<BooleanArray>,
}

impl Selection {
    /// The number of rows that the filter took out.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.kept.as_ref().map_or(0, BooleanArray::false_count)
    }

    /// The positions in the input of the rows that passed, in order.
    pub fn kept_rows(&self) -> impl Iterator<Item = usize> + '_ {
        let passed = self.batch.num_rows();
        let all = if self.kept.is_none() { passed } else { 0 };
        (0..all).chain(self.kept.iter().flat_map(|kept| kept.values().set_indices()))
    }
}

/// Derived columns and a filter, bound to the columns of a table.
pub struct Query {
    columns: BTreeSet<String>,
    /// The derived columns that a later expression reads.
    derived_columns: BTreeSet<String>,
    schema: SchemaRef,
    derived: Vec<(Expression, FieldRef)>,
    filter: Option<Expression>,
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let derived: Vec<_> = self.derived.iter().map(|(step, _)| (step.target(), step.text())).collect();
        f.debug_struct("Query").field("derived", &derived).field("filter", &self.filter.as_ref().map(Expression::text)).finish_non_exhaustive()
    }
}

impl Query {
    /// Parses the expressions and binds them to a table of this schema. A derived column may use those before it, the filter all.
    ///
    /// # Errors
    /// A usage error for text that is no expression or looks at other rows; a contract error for a column that the table lacks or
    /// has already, for types that an expression does not fit, and for a filter that is not boolean.
    pub fn new(filter: Option<&str>, derived: &[Derived], schema: &Schema) -> Result<Self> {
        let mut query =
            Self { columns: BTreeSet::new(), derived_columns: BTreeSet::new(), schema: Arc::new(schema.clone()), derived: Vec::new(), filter: None };
        for column in derived {
            query.derive(column)?;
        }
        if let Some(text) = filter {
            query.filter_by(text)?;
        }
        Ok(query)
    }

    /// The columns of the table that the expressions read.
    #[must_use]
    pub fn columns(&self) -> &BTreeSet<String> {
        &self.columns
    }

    /// The derived columns that a later expression reads.
    #[must_use]
    pub fn derived_columns(&self) -> &BTreeSet<String> {
        &self.derived_columns
    }

    /// The table's columns, then the derived ones in their order.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Appends the derived columns and drops the rows that fail the filter. The batch holds at least [`Self::columns`], of the
    /// types that the query was bound to; rows keep their order.
    ///
    /// # Errors
    /// Fails if a value cannot be computed, such as a `CAST` of text that is no number.
    pub fn apply(&self, batch: &RecordBatch) -> Result<Selection> {
        let mut frame = self.frame(batch.num_rows(), |name| batch.column_by_name(name).cloned())?;
        let mut fields = batch.schema().fields().to_vec();
        let mut arrays = batch.columns().to_vec();
        for (step, field) in &self.derived {
            frame = step.evaluate(frame)?;
            arrays.push(step.array(&frame, field.data_type())?);
            fields.push(field.clone());
        }
        let wide = Schema::new_with_metadata(fields, batch.schema().metadata().clone());
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let wide = RecordBatch::try_new_with_options(Arc::new(wide), arrays, &options)
            .map_err(|source| Error::internal("derived columns do not fit their batch").because(source))?;
        let Some(filter) = &self.filter else { return Ok(Selection { batch: wide, kept: None }) };
        let kept = verdicts(&filter.array(&filter.evaluate(frame)?, &DataType::Boolean)?);
        if kept.false_count() == 0 {
            return Ok(Selection { batch: wide, kept: None });
        }
        let batch = filter_record_batch(&wide, &kept).map_err(|source| Error::internal("cannot take rows from a batch").because(source))?;
        Ok(Selection { batch, kept: Some(kept) })
    }

    fn derive(&mut self, column: &Derived) -> Result<()> {
        if self.schema.column_with_name(&column.name).is_some() {
            return Err(Error::contract(format!("the derived column `{}` has the name of a column that the table has", column.name))
                .hint("give the derived column another name"));
        }
        let step = self.bind(&column.name, &column.expression)?;
        let frame = step.check(self.rehearsal()?)?;
        let array = polars_bridge::to_arrow(step.column(&frame)?).ok_or_else(|| {
            Error::contract(format!("the expression `{}` gives a type that a column cannot have", step.text()))
                .at_column(&column.name)
                .hint("wrap it in a CAST, such as CAST(… AS DOUBLE) or CAST(… AS VARCHAR)")
        })?;
        let field = Arc::new(Field::new(&column.name, array.data_type().clone(), true));
        let mut fields = self.schema.fields().to_vec();
        fields.push(field.clone());
        self.schema = Arc::new(Schema::new_with_metadata(fields, self.schema.metadata().clone()));
        self.derived.push((step, field));
        Ok(())
    }

    fn filter_by(&mut self, text: &str) -> Result<()> {
        let step = self.bind(VERDICT, text)?;
        let frame = step.check(self.rehearsal()?)?;
        let verdict = step.column(&frame)?.dtype().clone();
        if verdict != polars::prelude::DataType::Boolean {
            return Err(Error::contract(format!("the filter `{text}` gives `{verdict}`, not true or false"))
                .hint("compare it with something, such as `amount > 0`"));
        }
        self.filter = Some(step);
        Ok(())
    }

    /// Parses an expression and notes the columns of the table that it reads.
    fn bind(&mut self, target: &str, text: &str) -> Result<Expression> {
        let (expression, columns) = Expression::parse(text, target, &self.schema)?;
        let is_derived = |name: &String| self.derived.iter().any(|(earlier, _)| earlier.target() == name);
        let (derived, read): (Vec<String>, Vec<String>) = columns.into_iter().partition(is_derived);
        self.derived_columns.extend(derived);
        self.columns.extend(read);
        Ok(expression)
    }

    /// A frame without rows that has every column an expression may read so far.
    fn rehearsal(&self) -> Result<DataFrame> {
        let empty = |name: &str| self.schema.field_with_name(name).ok().map(|field| new_empty_array(field.data_type()));
        let mut frame = self.frame(0, empty)?;
        for (step, _) in &self.derived {
            frame = step.evaluate(frame)?;
        }
        Ok(frame)
    }

    fn frame(&self, row_count: usize, array: impl Fn(&str) -> Option<ArrayRef>) -> Result<DataFrame> {
        // A frame without columns would forget its number of rows.
        let mut columns = vec![Column::new_scalar(ROWS.into(), Scalar::from(0_i32), row_count)];
        for name in &self.columns {
            let array = array(name).ok_or_else(|| Error::internal("a batch lacks a column that an expression reads").at_column(name))?;
            columns.push(polars_bridge::to_polars(name, &array)?);
        }
        DataFrame::new(row_count, columns).map_err(|source| Error::internal("columns of a batch differ in length").because(source))
    }
}

/// Which rows pass; null does not.
fn verdicts(array: &ArrayRef) -> BooleanArray {
    array.as_boolean().iter().map(|verdict| Some(verdict == Some(true))).collect()
}

#[cfg(test)]
mod tests {
    use arrow::array::*;
    use arrow::datatypes::{Int32Type, TimeUnit};
    use proptest::prelude::*;

    use super::*;
    use crate::error::Kind;
    use crate::table::expression::MOST_OPERATORS;

    fn people() -> RecordBatch {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("age", Arc::new(Int64Array::from(vec![Some(20), Some(30), None, Some(50)]))),
            ("x", Arc::new(Float64Array::from(vec![1.5, -2.25, f64::NAN, 100.0]))),
            ("name", Arc::new(StringArray::from(vec![Some("Ann"), Some("bob"), None, Some("Zo\u{eb}")]))),
            ("ok", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, Some(true)]))),
            ("signup_date", Arc::new(Date32Array::from(vec![19_000, 19_723, 20_000, 19_722]))),
            ("first name", Arc::new(StringArray::from(vec!["a b", " c ", "", "d"]))),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
    }

    fn kept(filter: &str) -> Vec<usize> {
        let batch = people();
        let selection = Query::new(Some(filter), &[], &batch.schema()).unwrap().apply(&batch).unwrap();
        assert_eq!(selection.dropped() + selection.batch.num_rows(), batch.num_rows());
        selection.kept_rows().collect()
    }

    /// The values of a derived column as text, nulls as `-`.
    fn values(expression: &str) -> String {
        let batch = people();
        let derived = [Derived { name: "out".into(), expression: expression.into() }];
        let query = Query::new(None, &derived, &batch.schema()).unwrap();
        let answer = query.apply(&batch).unwrap().batch;
        let empty = query.apply(&batch.slice(0, 0)).unwrap().batch;
        assert_eq!(empty.schema(), answer.schema());
        assert_eq!(*query.schema(), answer.schema());
        let column = answer.column_by_name("out").unwrap();
        let options = arrow::util::display::FormatOptions::default().with_null("-");
        let format = arrow::util::display::ArrayFormatter::try_new(column, &options).unwrap();
        (0..column.len()).map(|row| format.value(row).to_string()).collect::<Vec<_>>().join(" ")
    }

    fn refusal(filter: &str) -> Error {
        Query::new(Some(filter), &[], &people().schema()).unwrap_err()
    }

    #[test]
    fn filters_say_which_rows_pass() {
        for (filter, rows) in [
            ("age > 25", &[1, 3][..]),
            ("NOT age > 25", &[0]),
            ("age > 25 OR x > 1", &[0, 1, 2, 3]),
            ("age >= 20 AND age <> 30", &[0, 3]),
            ("age BETWEEN 20 AND 30", &[0, 1]),
            ("age IN (20, 50)", &[0, 3]),
            ("age NOT IN (20, 50)", &[1]),
            ("name IN ('bob', 'Ann')", &[0, 1]),
            ("age IS NULL", &[2]),
            ("age IS NOT NULL", &[0, 1, 3]),
            ("age IS DISTINCT FROM 20", &[1, 2, 3]),
            ("name LIKE '%o%'", &[1, 3]),
            ("name LIKE '_nn'", &[0]),
            ("name NOT LIKE 'A%'", &[1, 3]),
            ("name ILIKE 'B%'", &[1]),
            ("name REGEXP '^[A-Z]'", &[0, 3]),
            ("STARTS_WITH(name, 'A')", &[0]),
            ("ok", &[0, 3]),
            ("NOT ok", &[1]),
            ("TRUE", &[0, 1, 2, 3]),
            ("1 = 2", &[]),
            ("signup_date >= DATE '2024-01-01'", &[1, 2]),
            ("signup_date + INTERVAL '1 day' >= DATE '2024-01-01'", &[1, 2, 3]),
            ("EXTRACT(YEAR FROM signup_date) = 2023", &[3]),
            ("signup_date >= '2024-01-01'", &[1, 2]),
            ("'2024-01-01' <= signup_date", &[1, 2]),
            ("signup_date = '2024-01-01' AND age > 1", &[1]),
            ("NOT signup_date <> '2024-01-01'", &[1]),
            ("signup_date BETWEEN '2023-12-31' AND '2024-01-01'", &[1, 3]),
            ("signup_date NOT BETWEEN '2023-12-31' AND '2024-01-01'", &[0, 2]),
            ("signup_date IN ('2024-01-01', '2022-01-08')", &[0, 1]),
            ("signup_date NOT IN ('2024-01-01')", &[0, 2, 3]),
            ("signup_date IS NOT DISTINCT FROM '2024-01-01'", &[1]),
            ("CASE WHEN signup_date < '2024-01-01' THEN ok ELSE FALSE END", &[0, 3]),
            ("DATE_PART('month', signup_date) = 1", &[0, 1]),
            ("TRIM(\"first name\") = 'c'", &[1]),
            ("CASE WHEN age > 25 THEN x < 0 ELSE ok END", &[0, 1]),
            ("name || '!' = 'bob!'", &[1]),
            ("x = x", &[0, 1, 2, 3]),
        ] {
            assert_eq!(kept(filter), rows, "{filter}");
        }
    }

    #[test]
    fn expressions_give_values() {
        for (expression, expected) in [
            ("age + 1", "21 31 - 51"),
            ("age / 8", "2.5 3.75 - 6.25"),
            ("age // 8", "2 3 - 6"),
            ("age % 8", "4 6 - 2"),
            ("-age * 2", "-40 -60 - -100"),
            ("ABS(x)", "1.5 2.25 NaN 100.0"),
            ("ROUND(x, 1)", "1.5 -2.2 NaN 100.0"),
            ("CEIL(x)", "2.0 -2.0 NaN 100.0"),
            ("FLOOR(x)", "1.0 -3.0 NaN 100.0"),
            ("SQRT(x)", "1.224744871391589 NaN NaN 10.0"),
            ("POWER(x, 2)", "2.25 5.0625 NaN 10000.0"),
            ("LN(EXP(x))", "1.5 -2.25 NaN 100.0"),
            ("LOG10(x)", "0.17609125905568124 NaN NaN 2.0"),
            ("SIGN(x)", "1.0 -1.0 NaN 1.0"),
            ("COALESCE(age, 7)", "20 30 7 50"),
            ("IFNULL(name, 'nobody')", "Ann bob nobody Zo\u{eb}"),
            ("NULLIF(age, 30)", "20 - - 50"),
            ("GREATEST(age, 35)", "35 35 35 50"),
            ("LEAST(age, 35)", "20 30 35 35"),
            ("CASE WHEN age > 25 THEN 'old' WHEN age > 10 THEN 'young' ELSE 'unknown' END", "young old unknown old"),
            ("CAST(age AS DOUBLE)", "20.0 30.0 - 50.0"),
            ("CAST(x > 0 AS INTEGER)", "1 0 1 1"),
            ("CAST(age AS VARCHAR)", "20 30 - 50"),
            ("TRY_CAST(name AS BIGINT)", "- - - -"),
            ("LOWER(name)", "ann bob - zo\u{eb}"),
            ("UPPER(name)", "ANN BOB - ZO\u{cb}"),
            ("LENGTH(name)", "3 3 - 3"),
            ("SUBSTR(name, 2, 1)", "n o - o"),
            ("LEFT(name, 2)", "An bo - Zo"),
            ("RIGHT(name, 2)", "nn ob - o\u{eb}"),
            ("REPLACE(name, 'n', 'm')", "Amm bob - Zo\u{eb}"),
            ("CONCAT(name, '-', age)", "Ann-20 bob-30 - Zo\u{eb}-50"),
            ("SPLIT_PART(\"first name\", ' ', 2)", "b c  "),
            ("STRPOS(name, 'o')", "0 2 0 2"),
            ("signup_date", "2022-01-08 2024-01-01 2024-10-04 2023-12-31"),
            ("STRFTIME(signup_date, '%Y/%m')", "2022/01 2024/01 2024/10 2023/12"),
            ("STRPTIME('05.02.2024', '%d.%m.%Y')", "2024-02-05T00:00:00 2024-02-05T00:00:00 2024-02-05T00:00:00 2024-02-05T00:00:00"),
            ("'same'", "same same same same"),
        ] {
            assert_eq!(values(expression), expected, "{expression}");
        }
    }

    #[test]
    fn what_looks_at_other_rows_is_refused_by_name() {
        for (filter, name) in [
            ("x > AVG(x)", "AVG"),
            ("SUM(x) OVER () > 1", "SUM"),
            ("SUM(x) OVER (PARTITION BY age) > 1", "SUM"),
            ("SUM(x) OVER (ORDER BY age) > 1", "OVER"),
            ("COUNT(*) > 1", "COUNT"),
            ("MAX(x) > x", "MAX"),
            ("MEDIAN(x) > x", "MEDIAN"),
            ("STDDEV(x) > x", "STDDEV"),
            ("FIRST(x) > x", "FIRST"),
            ("LAG(x) OVER (ORDER BY age) > x", "OVER"),
            ("ROW_NUMBER() OVER (ORDER BY age) > 1", "OVER"),
            ("DATE(name) > DATE '2024-01-01'", "a date conversion without a format"),
        ] {
            let error = refusal(filter);
            assert_eq!(error.kind(), Kind::Usage, "{filter}");
            assert!(error.message().ends_with(&format!("`{name}`")), "{filter}: {error}");
        }
        for filter in ["x > (SELECT 1)", "x IN (SELECT 1)", "EXISTS (SELECT 1)", "RANDOM() > 0.5", "NOW() > signup_date", "*", "COLUMNS('x') > 1"] {
            assert_eq!(refusal(filter).kind(), Kind::Usage, "{filter}");
        }
        for filter in ["CURRENT_TIMESTAMP > signup_date", "CURRENT_DATE > signup_date"] {
            assert!(matches!(refusal(filter).kind(), Kind::Usage | Kind::Contract), "{filter}");
        }
    }

    #[test]
    fn text_that_is_no_expression_is_a_usage_error_that_shows_it() {
        let long = vec!["age"; 5_000].join(" + ");
        for filter in ["age >", "age = 'x", "age AS y", "", "age; DROP", "SELECT age", "frobnicate(age)", "((((age", &long] {
            let error = refusal(filter);
            assert_eq!(error.kind(), Kind::Usage, "{filter}");
            assert!(error.message().contains(&filter[..filter.len().min(40)]), "{error}");
        }
    }

    #[test]
    fn names_and_types_that_do_not_fit_are_contract_errors() {
        let error = refusal("Age > 1");
        assert_eq!((error.kind(), error.hint_text()), (Kind::Contract, Some("near names are `age`, `name`")));
        assert_eq!(error.place().column.as_deref(), Some("Age"));
        for filter in ["age", "age + 1", "name > 1 + TRUE", "signup_date > 'soon'", "LOWER(age) = 'x'", "NULL"] {
            assert_eq!(refusal(filter).kind(), Kind::Contract, "{filter}");
        }
        for (filter, reason) in [
            ("signup_date > 'soon'", "it is no date and no timestamp"),
            ("signup_date IN ('2024-01-01', '2024-01-01 12:00:00')", "the column holds dates, without a time of day"),
        ] {
            let error = refusal(filter);
            assert!(error.message().ends_with(reason) && error.hint_text().unwrap().contains("'2024-01-31'"), "{error}");
        }
        let error = refusal("signup_date + INTERVAL '1 day' > '2024-01-01'");
        assert!(error.hint_text().unwrap().contains("DATE '2024-01-31'"), "{error}");
        let schema = Schema::new(vec![Field::new("l", DataType::new_list(DataType::Int32, true), true)]);
        let error = Query::new(Some("l IS NULL"), &[], &schema).unwrap_err();
        assert_eq!((error.kind(), error.place().column.as_deref()), (Kind::Contract, Some("l")));
        let taken = [Derived { name: "age".into(), expression: "x".into() }];
        assert_eq!(Query::new(None, &taken, &people().schema()).unwrap_err().kind(), Kind::Contract);
        let untyped = [Derived { name: "new".into(), expression: "NULL".into() }];
        assert_eq!(Query::new(None, &untyped, &people().schema()).unwrap_err().kind(), Kind::Contract);
    }

    #[test]
    fn derived_columns_build_on_one_another_and_serve_the_filter() {
        let batch = people();
        let derived =
            [("decade", "age // 10"), ("next", "decade + 1")].map(|(name, expression)| Derived { name: name.into(), expression: expression.into() });
        let query = Query::new(Some("next > 3 AND ok"), &derived, &batch.schema()).unwrap();
        assert_eq!(query.columns().iter().map(String::as_str).collect::<Vec<_>>(), ["age", "ok"]);
        let selection = query.apply(&batch.project(&[3, 0]).unwrap()).unwrap();
        assert_eq!(selection.kept_rows().collect::<Vec<_>>(), [3]);
        assert_eq!(selection.batch.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), ["ok", "age", "decade", "next"]);
        assert_eq!(selection.batch.column(3).as_primitive::<arrow::datatypes::Int64Type>().values(), &[6]);
    }

    #[test]
    fn a_value_that_cannot_be_computed_fails_with_its_expression() {
        let batch = people();
        let derived = [Derived { name: "number".into(), expression: "CAST(name AS BIGINT)".into() }];
        let error = Query::new(None, &derived, &batch.schema()).unwrap().apply(&batch).unwrap_err();
        assert_eq!(error.to_string(), "cannot compute the expression `CAST(name AS BIGINT)`");
    }

    #[test]
    fn every_column_type_that_crosses_compares_as_its_value() {
        let dictionary: DictionaryArray<Int32Type> = vec![Some("a"), None, Some("b")].into_iter().collect();
        let columns: Vec<(ArrayRef, &str)> = vec![
            (Arc::new(Int8Array::from(vec![Some(-1), None, Some(2)])), "c = 2"),
            (Arc::new(Int16Array::from(vec![Some(-1), None, Some(2)])), "c = 2"),
            (Arc::new(UInt8Array::from(vec![Some(1), None, Some(255)])), "c = 255"),
            (Arc::new(UInt16Array::from(vec![Some(1), None, Some(2)])), "c = 2"),
            (Arc::new(UInt32Array::from(vec![Some(1), None, Some(2)])), "c = 2"),
            (Arc::new(UInt64Array::from(vec![Some(1), None, Some(u64::MAX)])), "c > 2"),
            (Arc::new(Float32Array::from(vec![Some(1.0), None, Some(2.5)])), "c = 2.5"),
            (arrow::compute::cast(&Float32Array::from(vec![Some(1.0), None, Some(2.5)]), &DataType::Float16).unwrap(), "c = 2.5"),
            (Arc::new(LargeStringArray::from(vec![Some("a"), None, Some("b")])), "c = 'b'"),
            (Arc::new(StringViewArray::from(vec![Some("a"), None, Some("b")])), "c = 'b'"),
            (Arc::new(dictionary), "c = 'b'"),
            (Arc::new(Decimal128Array::from(vec![Some(100), None, Some(250)]).with_precision_and_scale(9, 2).unwrap()), "c = 2.5"),
            (Arc::new(TimestampSecondArray::from(vec![Some(0), None, Some(86_400)])), "c = TIMESTAMP '1970-01-02 00:00:00'"),
            (Arc::new(TimestampMillisecondArray::from(vec![Some(0), None, Some(86_400_000)])), "c >= DATE '1970-01-02'"),
            (Arc::new(TimestampNanosecondArray::from(vec![Some(0), None, Some(86_400_000_000_000)])), "c >= DATE '1970-01-02'"),
            (
                Arc::new(TimestampMicrosecondArray::from(vec![Some(0), None, Some(86_400_000_000)]).with_timezone("+02:00")),
                "c = TIMESTAMP '1970-01-02 00:00:00'",
            ),
            (Arc::new(TimestampSecondArray::from(vec![Some(0), None, Some(86_400)])), "c = '1970-01-02'"),
            (Arc::new(TimestampMillisecondArray::from(vec![Some(0), None, Some(86_400_001)])), "c > '1970-01-02 00:00'"),
            (Arc::new(TimestampNanosecondArray::from(vec![Some(0), None, Some(86_400_000_000_001)])), "c IN ('1970-01-02T00:00:00.000000001')"),
            (
                Arc::new(TimestampMicrosecondArray::from(vec![Some(0), None, Some(86_400_000_000)]).with_timezone("+02:00")),
                "c BETWEEN '1970-01-02 02:00:00+02:00' AND '1970-01-02 00:00:00Z'",
            ),
        ];
        for (array, filter) in columns {
            let batch = RecordBatch::try_from_iter([("c", array)]).unwrap();
            let derived = [Derived { name: "copy".into(), expression: "c".into() }];
            let selection = Query::new(Some(filter), &derived, &batch.schema()).unwrap().apply(&batch).unwrap();
            assert_eq!(selection.kept_rows().collect::<Vec<_>>(), [2], "{}", batch.schema());
        }
        let nothing = RecordBatch::try_from_iter([("c", Arc::new(NullArray::new(2)) as ArrayRef)]).unwrap();
        assert_eq!(Query::new(Some("c IS NULL"), &[], &nothing.schema()).unwrap().apply(&nothing).unwrap().dropped(), 0);
        let late = RecordBatch::try_from_iter([("c", Arc::new(TimestampSecondArray::from(vec![i64::MAX])) as ArrayRef)]).unwrap();
        assert_eq!(Query::new(Some("c IS NULL"), &[], &late.schema()).unwrap().apply(&late).unwrap_err().kind(), Kind::Failed);
        assert_eq!(polars_bridge_unit(&late), DataType::Timestamp(TimeUnit::Millisecond, None));
    }

    fn polars_bridge_unit(batch: &RecordBatch) -> DataType {
        let derived = [Derived { name: "copy".into(), expression: "c".into() }];
        Query::new(None, &derived, &batch.schema()).unwrap().schema().field(1).data_type().clone()
    }

    #[test]
    fn the_longest_chain_that_is_let_through_fits_a_small_stack() {
        let chain = vec!["1"; MOST_OPERATORS - 2].join("+") + " > age";
        let words = vec!["ok"; MOST_OPERATORS / 2].join(" OR ");
        let nots = "NOT ".repeat(MOST_OPERATORS - 1) + "ok";
        let parentheses = "(".repeat(MOST_OPERATORS / 2 - 1) + "ok" + &")".repeat(MOST_OPERATORS / 2 - 1);
        let cases = "CASE WHEN ok THEN ok ELSE ".repeat(60) + "ok" + &" END".repeat(60);
        let list = format!("age IN ({})", (0..8_000).map(|id| id.to_string()).collect::<Vec<_>>().join(","));
        let batch = people();
        let run = move || {
            for filter in [&chain, &words, &list] {
                let query = Query::new(Some(filter.as_str()), &[], &batch.schema()).unwrap();
                query.apply(&batch).unwrap();
            }
            for filter in [&nots, &parentheses, &cases] {
                if let Ok(query) = Query::new(Some(filter.as_str()), &[], &batch.schema()) {
                    query.apply(&batch).unwrap();
                }
            }
        };
        std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap().join().unwrap();
    }

    #[test]
    fn many_threads_may_apply_one_query() {
        let batch = people();
        let derived = [Derived { name: "y".into(), expression: "COALESCE(x, 0) * 2".into() }];
        let query = Query::new(Some("age IN (20, 30) OR name LIKE 'Z%'"), &derived, &batch.schema()).unwrap();
        let expected = query.apply(&batch).unwrap().batch;
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..50).for_each(|_| assert_eq!(query.apply(&batch).unwrap().batch, expected)));
            }
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_cut_into_batches_changes_no_row(
            rows in proptest::collection::vec((proptest::option::of(-5i64..5), proptest::option::of(-2.0f64..2.0), "[ab%]{0,3}"), 0..60),
            cuts in proptest::collection::vec(0usize..60, 0..5),
        ) {
            let batch = RecordBatch::try_from_iter([
                ("a", Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()) as ArrayRef),
                ("b", Arc::new(rows.iter().map(|row| row.1).collect::<Float64Array>())),
                ("c", Arc::new(rows.iter().map(|row| Some(row.2.as_str())).collect::<StringArray>())),
            ]).unwrap();
            let derived = [Derived { name: "d".into(), expression: "CASE WHEN a > 0 THEN b / a ELSE LENGTH(c) END".into() }];
            let query = Query::new(Some("(d >= 0 AND c LIKE '%a%') OR a IN (1, -3) OR b IS NULL"), &derived, &batch.schema()).unwrap();
            let whole = query.apply(&batch).unwrap();
            let mut edges: Vec<usize> = cuts.into_iter().map(|cut| cut.min(rows.len())).chain([0, rows.len()]).collect();
            edges.sort_unstable();
            let mut positions = Vec::new();
            let mut parts = Vec::new();
            for edge in edges.windows(2) {
                let part = query.apply(&batch.slice(edge[0], edge[1] - edge[0])).unwrap();
                positions.extend(part.kept_rows().map(|row| row + edge[0]));
                parts.push(part.batch);
            }
            prop_assert_eq!(positions, whole.kept_rows().collect::<Vec<_>>());
            prop_assert_eq!(arrow::compute::concat_batches(whole.batch.schema_ref(), &parts).unwrap(), whole.batch);
        }
    }
}
