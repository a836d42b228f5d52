//! What expressions give: our own cases, and `DuckDB`'s answers for thousands more.

use arrow::array::*;
use arrow::datatypes::{Int32Type, TimeUnit};
use proptest::prelude::*;

use super::expression::MAX_OPERATORS;
use super::*;
use crate::error::Kind;

fn passengers() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "age",
            Arc::new(Int64Array::from(vec![Some(20), Some(30), None, Some(50)])),
        ),
        (
            "x",
            Arc::new(Float64Array::from(vec![1.5, -2.25, f64::NAN, 100.0])),
        ),
        (
            "name",
            Arc::new(StringArray::from(vec![
                Some("Ann"),
                Some("bob"),
                None,
                Some("Zo\u{eb}"),
            ])),
        ),
        (
            "ok",
            Arc::new(BooleanArray::from(vec![
                Some(true),
                Some(false),
                None,
                Some(true),
            ])),
        ),
        (
            "signup_date",
            Arc::new(Date32Array::from(vec![19_000, 19_723, 20_000, 19_722])),
        ),
        (
            "first name",
            Arc::new(StringArray::from(vec!["a b", " c ", "", "d"])),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap()
}

fn kept(filter: &str) -> Vec<usize> {
    let batch = passengers();
    let selection = Query::new(Some(filter), &[], &batch.schema())
        .unwrap()
        .apply(&batch)
        .unwrap();
    assert_eq!(
        selection.dropped() + selection.batch.num_rows(),
        batch.num_rows()
    );
    selection.kept_rows().collect()
}

/// The values of a derived column as text, nulls as `-`.
fn values(expression: &str) -> String {
    let batch = passengers();
    let derived = [Derived {
        name: "out".into(),
        expression: expression.into(),
    }];
    let query = Query::new(None, &derived, &batch.schema()).unwrap();
    let answer = query.apply(&batch).unwrap().batch;
    let empty = query.apply(&batch.slice(0, 0)).unwrap().batch;
    assert_eq!(empty.schema(), answer.schema());
    assert_eq!(*query.schema(), answer.schema());
    let column = answer.column_by_name("out").unwrap();
    let options = arrow::util::display::FormatOptions::default().with_null("-");
    let format = arrow::util::display::ArrayFormatter::try_new(column, &options).unwrap();
    (0..column.len())
        .map(|row| format.value(row).to_string())
        .collect::<Vec<_>>()
        .join(" ")
}

fn error_of(filter: &str) -> Error {
    let batch = passengers();
    let query = Query::new(Some(&format!("{filter} > 0")), &[], &batch.schema()).unwrap();
    query.apply(&batch).unwrap_err()
}

fn refusal(filter: &str) -> Error {
    Query::new(Some(filter), &[], &passengers().schema()).unwrap_err()
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
        (
            "signup_date + INTERVAL '1 day' >= DATE '2024-01-01'",
            &[1, 2, 3],
        ),
        ("EXTRACT(YEAR FROM signup_date) = 2023", &[3]),
        ("signup_date >= '2024-01-01'", &[1, 2]),
        ("'2024-01-01' <= signup_date", &[1, 2]),
        ("signup_date = '2024-01-01' AND age > 1", &[1]),
        ("NOT signup_date <> '2024-01-01'", &[1]),
        ("signup_date BETWEEN '2023-12-31' AND '2024-01-01'", &[1, 3]),
        (
            "signup_date NOT BETWEEN '2023-12-31' AND '2024-01-01'",
            &[0, 2],
        ),
        ("signup_date IN ('2024-01-01', '2022-01-08')", &[0, 1]),
        ("signup_date NOT IN ('2024-01-01')", &[0, 2, 3]),
        ("signup_date IS NOT DISTINCT FROM '2024-01-01'", &[1]),
        (
            "CASE WHEN signup_date < '2024-01-01' THEN ok ELSE FALSE END",
            &[0, 3],
        ),
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
        ("-age // 8", "-2 -3 - -6"),
        ("age % 8", "4 6 - 2"),
        ("-age * 2", "-40 -60 - -100"),
        ("ABS(x)", "1.5 2.25 NaN 100.0"),
        ("ROUND(x, 1)", "1.5 -2.3 NaN 100.0"),
        ("CEIL(x)", "2.0 -2.0 NaN 100.0"),
        ("FLOOR(x)", "1.0 -3.0 NaN 100.0"),
        ("SQRT(x)", "1.224744871391589 NaN NaN 10.0"),
        ("POWER(x, 2)", "2.25 5.0625 NaN 10000.0"),
        ("LN(EXP(x))", "1.5 -2.25 NaN 100.0"),
        ("LOG10(x)", "0.17609125905568124 NaN NaN 2.0"),
        ("SIGN(x)", "1 -1 0 1"),
        ("COALESCE(age, 7)", "20 30 7 50"),
        ("IFNULL(name, 'nobody')", "Ann bob nobody Zo\u{eb}"),
        ("NULLIF(age, 30)", "20 - - 50"),
        ("GREATEST(age, 35)", "35 35 35 50"),
        ("LEAST(age, 35)", "20 30 35 35"),
        (
            "CASE WHEN age > 25 THEN 'old' WHEN age > 10 THEN 'young' ELSE 'unknown' END",
            "young old unknown old",
        ),
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
        ("STRPOS(name, 'o')", "0 2 - 2"),
        ("signup_date", "2022-01-08 2024-01-01 2024-10-04 2023-12-31"),
        (
            "STRFTIME(signup_date, '%Y/%m')",
            "2022/01 2024/01 2024/10 2023/12",
        ),
        (
            "STRPTIME('05.02.2024', '%d.%m.%Y')",
            "2024-02-05T00:00:00 2024-02-05T00:00:00 2024-02-05T00:00:00 2024-02-05T00:00:00",
        ),
        ("'same'", "same same same same"),
    ] {
        assert_eq!(values(expression), expected, "{expression}");
    }
}

/// DuckDB 2.0.1 says so of `DECIMAL(30, 4)` and its rounded value; as doubles the two are equal.
#[test]
fn decimals_of_more_than_38_digits_together_are_compared_exactly() {
    let g = Decimal128Array::from(vec![999_999_999_999_999_999_999_999_i128, 15_000])
        .with_precision_and_scale(30, 4)
        .unwrap();
    let rows = RecordBatch::try_from_iter([("g", Arc::new(g) as ArrayRef)]).unwrap();
    let query = |filter: &str| {
        let query = Query::new(Some(filter), &[], &rows.schema()).unwrap();
        query.apply(&rows).unwrap().batch.num_rows()
    };
    for (filter, count) in [
        ("g = ROUND(g)", 0),
        ("g <> ROUND(g)", 2),
        ("g < ROUND(g)", 2),
        ("g IS DISTINCT FROM ROUND(g)", 2),
        ("ROUND(g) >= g + 0.0001", 2),
        ("ROUND(g) = 100000000000000000000", 1),
        ("g IN (99999999999999999999.9999000000001)", 0),
        ("g IN (99999999999999999999.9999000000001, 1.5)", 1),
        ("g IN (99999999999999999999.9999000000000)", 1),
    ] {
        assert_eq!(query(filter), count, "{filter}");
    }
}

#[test]
fn what_looks_at_other_rows_is_refused_by_name() {
    for (filter, name) in [
        ("x > AVG(x)", "AVG"),
        ("SUM(x) OVER () > 1", "SUM"),
        ("SUM(x) OVER (PARTITION BY age) > 1", "SUM"),
        ("SUM(x) OVER (ORDER BY age) > 1", "SUM"),
        ("COUNT(*) > 1", "COUNT"),
        ("MAX(x) > x", "MAX"),
        ("MEDIAN(x) > x", "MEDIAN"),
        ("STDDEV(x) > x", "STDDEV"),
        ("FIRST(x) > x", "FIRST"),
        ("LAG(x) OVER (ORDER BY age) > x", "LAG"),
        ("ROW_NUMBER() OVER (ORDER BY age) > 1", "ROW_NUMBER"),
    ] {
        let error = refusal(filter);
        assert_eq!(error.kind(), Kind::Usage, "{filter}");
        assert!(
            error.message().contains(&format!("its own row: `{name}")),
            "{filter}: {error}"
        );
    }
    // Of two moments it is no question of other rows or of the time of day.
    let error = refusal("AGE(signup_date, DATE '2020-01-01') > 1");
    let is_named = error
        .message()
        .ends_with("uses the function `AGE`, which is not supported");
    assert!(is_named, "{error}");
    assert!(error.hint_text().unwrap().contains("DATE_DIFF"));
    assert_eq!(
        refusal("AGE(signup_date) > 1")
            .message()
            .matches("its own row")
            .count(),
        1
    );
    let error = error_of("CAST(name AS INTEGER)");
    assert!(
        error.message().ends_with("a value cannot become INTEGER"),
        "{error}"
    );
    for filter in [
        "x > (SELECT 1)",
        "x IN (SELECT 1)",
        "EXISTS (SELECT 1)",
        "RANDOM() > 0.5",
        "NOW() > signup_date",
        "*",
        "COLUMNS('x') > 1",
    ] {
        assert_eq!(refusal(filter).kind(), Kind::Usage, "{filter}");
    }
    for filter in [
        "CURRENT_TIMESTAMP > signup_date",
        "CURRENT_DATE > signup_date",
        "TODAY() > signup_date",
        "UUID() = name",
    ] {
        assert!(
            matches!(refusal(filter).kind(), Kind::Usage | Kind::Contract),
            "{filter}"
        );
    }
}

#[test]
fn text_that_is_not_a_expression_is_a_usage_error_that_shows_it() {
    let long = vec!["age"; 5_000].join(" + ");
    for filter in [
        "age >",
        "age = 'x",
        "age AS y",
        "",
        "age; DROP",
        "SELECT age",
        "frobnicate(age)",
        "((((age",
        &long,
    ] {
        let error = refusal(filter);
        assert_eq!(error.kind(), Kind::Usage, "{filter}");
        assert!(
            error.message().contains(&filter[..filter.len().min(40)]),
            "{error}"
        );
    }
}

#[test]
fn names_and_types_that_do_not_fit_are_contract_errors() {
    let error = refusal("Age > 1");
    assert_eq!(
        (error.kind(), error.hint_text()),
        (Kind::Contract, Some("near names are `age`, `name`"))
    );
    assert_eq!(error.location().column.as_deref(), Some("Age"));
    for filter in [
        "age",
        "age + 1",
        "name > 1 + TRUE",
        "signup_date > 'soon'",
        "LOWER(age) = 'x'",
        "NULL",
    ] {
        assert_eq!(refusal(filter).kind(), Kind::Contract, "{filter}");
    }
    for (filter, reason) in [
        (
            "signup_date > 'soon'",
            "it is neither a date nor a timestamp",
        ),
        (
            "signup_date IN ('2024-01-01', '2024-01-01 12:00:00')",
            "a date has no time of day",
        ),
    ] {
        let error = refusal(filter);
        assert!(
            error.message().ends_with(reason)
                && error.hint_text().unwrap().contains("'2024-01-31'"),
            "{error}"
        );
    }
    let schema = Schema::new(vec![Field::new(
        "l",
        DataType::new_list(DataType::Int32, true),
        true,
    )]);
    let error = Query::new(Some("l IS NULL"), &[], &schema).unwrap_err();
    assert_eq!(
        (error.kind(), error.location().column.as_deref()),
        (Kind::Contract, Some("l"))
    );
    let taken = [Derived {
        name: "age".into(),
        expression: "x".into(),
    }];
    assert_eq!(
        Query::new(None, &taken, &passengers().schema())
            .unwrap_err()
            .kind(),
        Kind::Contract
    );
    let untyped = [Derived {
        name: "new".into(),
        expression: "NULL".into(),
    }];
    assert_eq!(
        Query::new(None, &untyped, &passengers().schema())
            .unwrap_err()
            .kind(),
        Kind::Contract
    );
}

#[test]
fn derived_columns_build_on_one_another_and_serve_the_filter() {
    let batch = passengers();
    let derived =
        [("decade", "age // 10"), ("next", "decade + 1")].map(|(name, expression)| Derived {
            name: name.into(),
            expression: expression.into(),
        });
    let query = Query::new(Some("next > 3 AND ok"), &derived, &batch.schema()).unwrap();
    assert_eq!(
        query
            .columns()
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        ["age", "ok"]
    );
    let selection = query.apply(&batch.project(&[3, 0]).unwrap()).unwrap();
    assert_eq!(selection.kept_rows().collect::<Vec<_>>(), [3]);
    assert_eq!(
        selection
            .batch
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect::<Vec<_>>(),
        ["ok", "age", "decade", "next"]
    );
    assert_eq!(
        selection
            .batch
            .column(3)
            .as_primitive::<arrow::datatypes::Int64Type>()
            .values(),
        &[6]
    );
}

#[test]
fn a_value_that_cannot_be_computed_fails_with_its_expression() {
    let batch = passengers();
    let derived = [Derived {
        name: "number".into(),
        expression: "CAST(name AS BIGINT)".into(),
    }];
    let error = Query::new(None, &derived, &batch.schema())
        .unwrap()
        .apply(&batch)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot compute the expression `CAST(name AS BIGINT)`: a value cannot become BIGINT, \
         in the derived column `number` of the package's manifest (row 1)"
    );
    assert_eq!(error.hint_text(), Some("`TRY_CAST` gives null there"));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn every_column_type_that_crosses_compares_as_its_value() {
    let dictionary: DictionaryArray<Int32Type> =
        vec![Some("a"), None, Some("b")].into_iter().collect();
    let columns: Vec<(ArrayRef, &str)> = vec![
        (
            Arc::new(Int8Array::from(vec![Some(-1), None, Some(2)])),
            "c = 2",
        ),
        (
            Arc::new(Int16Array::from(vec![Some(-1), None, Some(2)])),
            "c = 2",
        ),
        (
            Arc::new(UInt8Array::from(vec![Some(1), None, Some(255)])),
            "c = 255",
        ),
        (
            Arc::new(UInt16Array::from(vec![Some(1), None, Some(2)])),
            "c = 2",
        ),
        (
            Arc::new(UInt32Array::from(vec![Some(1), None, Some(2)])),
            "c = 2",
        ),
        (
            Arc::new(UInt64Array::from(vec![Some(1), None, Some(u64::MAX)])),
            "c > 2",
        ),
        (
            Arc::new(Float32Array::from(vec![Some(1.0), None, Some(2.5)])),
            "c = 2.5",
        ),
        (
            arrow::compute::cast(
                &Float32Array::from(vec![Some(1.0), None, Some(2.5)]),
                &DataType::Float16,
            )
            .unwrap(),
            "c = 2.5",
        ),
        (
            Arc::new(LargeStringArray::from(vec![Some("a"), None, Some("b")])),
            "c = 'b'",
        ),
        (
            Arc::new(StringViewArray::from(vec![Some("a"), None, Some("b")])),
            "c = 'b'",
        ),
        (Arc::new(dictionary), "c = 'b'"),
        (
            Arc::new(
                Decimal128Array::from(vec![Some(100), None, Some(250)])
                    .with_precision_and_scale(9, 2)
                    .unwrap(),
            ),
            "c = 2.5",
        ),
        (
            Arc::new(TimestampSecondArray::from(vec![
                Some(0),
                None,
                Some(86_400),
            ])),
            "c = TIMESTAMP '1970-01-02 00:00:00'",
        ),
        (
            Arc::new(TimestampMillisecondArray::from(vec![
                Some(0),
                None,
                Some(86_400_000),
            ])),
            "c >= DATE '1970-01-02'",
        ),
        (
            Arc::new(TimestampNanosecondArray::from(vec![
                Some(0),
                None,
                Some(86_400_000_000_000),
            ])),
            "c >= DATE '1970-01-02'",
        ),
        (
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(0), None, Some(86_400_000_000)])
                    .with_timezone("+02:00"),
            ),
            "c = '1970-01-02 00:00:00Z'",
        ),
        (
            Arc::new(TimestampSecondArray::from(vec![
                Some(0),
                None,
                Some(86_400),
            ])),
            "c = '1970-01-02'",
        ),
        (
            Arc::new(TimestampMillisecondArray::from(vec![
                Some(0),
                None,
                Some(86_400_001),
            ])),
            "c > '1970-01-02 00:00'",
        ),
        (
            Arc::new(TimestampNanosecondArray::from(vec![
                Some(0),
                None,
                Some(86_400_000_000_001),
            ])),
            "c IN ('1970-01-02T00:00:00.000000001')",
        ),
        (
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(0), None, Some(86_400_000_000)])
                    .with_timezone("+02:00"),
            ),
            "c BETWEEN '1970-01-02 02:00:00+02:00' AND '1970-01-02 00:00:00Z'",
        ),
    ];
    for (array, filter) in columns {
        let batch = RecordBatch::try_from_iter([("c", array)]).unwrap();
        let derived = [Derived {
            name: "copy".into(),
            expression: "c".into(),
        }];
        let selection = Query::new(Some(filter), &derived, &batch.schema())
            .unwrap()
            .apply(&batch)
            .unwrap();
        assert_eq!(
            selection.kept_rows().collect::<Vec<_>>(),
            [2],
            "{}",
            batch.schema()
        );
    }
    let nothing =
        RecordBatch::try_from_iter([("c", Arc::new(NullArray::new(2)) as ArrayRef)]).unwrap();
    assert_eq!(
        Query::new(Some("c IS NULL"), &[], &nothing.schema())
            .unwrap()
            .apply(&nothing)
            .unwrap()
            .dropped(),
        0
    );
    let late = RecordBatch::try_from_iter([(
        "c",
        Arc::new(TimestampSecondArray::from(vec![i64::MAX])) as ArrayRef,
    )])
    .unwrap();
    assert_eq!(
        Query::new(Some("c IS NULL"), &[], &late.schema())
            .unwrap()
            .apply(&late)
            .unwrap_err()
            .kind(),
        Kind::Failed
    );
    assert_eq!(
        copied_type(&late),
        DataType::Timestamp(TimeUnit::Second, None)
    );
}

fn copied_type(batch: &RecordBatch) -> DataType {
    let derived = [Derived {
        name: "copy".into(),
        expression: "c".into(),
    }];
    Query::new(None, &derived, &batch.schema())
        .unwrap()
        .schema()
        .field(1)
        .data_type()
        .clone()
}

#[test]
fn the_longest_chain_that_is_let_through_fits_a_small_stack() {
    let chain = vec!["1"; MAX_OPERATORS - 2].join("+") + " > age";
    let words = vec!["ok"; MAX_OPERATORS / 2].join(" OR ");
    let nots = "NOT ".repeat(MAX_OPERATORS - 1) + "ok";
    let parentheses = "(".repeat(MAX_OPERATORS / 2 - 1) + "ok" + &")".repeat(MAX_OPERATORS / 2 - 1);
    let cases = "CASE WHEN ok THEN ok ELSE ".repeat(60) + "ok" + &" END".repeat(60);
    let list = format!(
        "age IN ({})",
        (0..8_000)
            .map(|id| id.to_string())
            .collect::<Vec<_>>()
            .join(",")
    );
    let batch = passengers();
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
    std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn many_threads_may_apply_one_query() {
    let batch = passengers();
    let derived = [Derived {
        name: "y".into(),
        expression: "COALESCE(x, 0) * 2".into(),
    }];
    let query = Query::new(
        Some("age IN (20, 30) OR name LIKE 'Z%'"),
        &derived,
        &batch.schema(),
    )
    .unwrap();
    let expected = query.apply(&batch).unwrap().batch;
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                (0..50).for_each(|_| assert_eq!(query.apply(&batch).unwrap().batch, expected));
            });
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_cut_into_batches_changes_no_row(
        rows in proptest::collection::vec((
            proptest::option::of(-5i64..5), proptest::option::of(-2.0f64..2.0),
                "[ab%]{0,3}"), 0..60),
        cuts in proptest::collection::vec(0usize..60, 0..5),
    ) {
        let batch = RecordBatch::try_from_iter([
            (
                "a",
                Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()) as ArrayRef,
            ),
            (
                "b",
                Arc::new(rows.iter().map(|row| row.1).collect::<Float64Array>()),
            ),
            (
                "c",
                Arc::new(
                    rows.iter()
                        .map(|row| Some(row.2.as_str()))
                        .collect::<StringArray>(),
                ),
            ),
        ])
        .unwrap();
        let derived = [Derived {
            name: "d".into(),
            expression: "CASE WHEN a > 0 THEN b / a ELSE LENGTH(c) END".into(),
        }];
        let query = Query::new(
            Some("(d >= 0 AND c LIKE '%a%') OR a IN (1, -3) OR b IS NULL"),
            &derived,
            &batch.schema(),
        )
        .unwrap();
        let whole = query.apply(&batch).unwrap();
        let mut edges: Vec<usize> = cuts
            .into_iter()
            .map(|cut| cut.min(rows.len()))
            .chain([0, rows.len()])
            .collect();
        edges.sort_unstable();
        let mut positions = Vec::new();
        let mut parts = Vec::new();
        for edge in edges.windows(2) {
            let part = query
                .apply(&batch.slice(edge[0], edge[1] - edge[0]))
                .unwrap();
            positions.extend(part.kept_rows().map(|row| row + edge[0]));
            parts.push(part.batch);
        }
        prop_assert_eq!(positions, whole.kept_rows().collect::<Vec<_>>());
        prop_assert_eq!(
            arrow::compute::concat_batches(whole.batch.schema_ref(), &parts).unwrap(),
            whole.batch
        );
    }
}

/// A table of one row, with the columns that `data/golden/sql.py` makes, in types of all kinds.
fn golden_row(header: &[Vec<&str>], row: usize) -> RecordBatch {
    let column = |line: &Vec<&str>| -> ArrayRef {
        let text = Some(line[row + 2]).filter(|text| *text != "NULL");
        let array: ArrayRef = Arc::new(StringArray::from(vec![text]));
        let target = match (line[0], line[1]) {
            ("b", _) => DataType::Int16,
            (_, "BIGINT") => DataType::Int64,
            (_, "HUGEINT") => DataType::UInt64,
            (_, "DOUBLE") => DataType::Float64,
            (_, "FLOAT") => DataType::Float32,
            (_, "DECIMAL(9,2)") => DataType::Decimal128(9, 2),
            (_, "BOOLEAN") => DataType::Boolean,
            (_, "DATE") => DataType::Date32,
            (_, "TIMESTAMP") => DataType::Timestamp(TimeUnit::Microsecond, None),
            _ => DataType::Utf8,
        };
        let options = arrow::compute::CastOptions {
            safe: false,
            ..Default::default()
        };
        arrow::compute::cast_with_options(&array, &target, &options).unwrap()
    };
    RecordBatch::try_from_iter_with_nullable(
        header.iter().map(|line| (line[0], column(line), true)),
    )
    .unwrap()
}

/// A value as `DuckDB` writes it, once it is cast to text.
fn golden_text(array: &ArrayRef) -> String {
    let array = value::canonical(array).unwrap().unwrap();
    conversion::cell(&array, 0).map_or_else(|| "NULL".to_owned(), |cell| conversion::text(&cell))
}

/// The same text, or the same number but for the last bits of a function of reals.
fn is_same(found: &str, requested: &str, is_single: bool) -> bool {
    let requested = requested
        .strip_prefix('-')
        .filter(|rest| *rest == "nan")
        .unwrap_or(requested);
    if found == requested {
        return true;
    }
    match (found.parse::<f64>(), requested.parse::<f64>()) {
        (Ok(found), Ok(requested)) if is_single => found as f32 == requested as f32,
        (Ok(found), Ok(requested)) => {
            (found - requested).abs() <= 1e-14 * requested.abs()
                || found.is_nan() && requested.is_nan()
        }
        _ => false,
    }
}

/// Where the answer is another on purpose; each with its reason.
const STRICTER: [(&str, &str); 1] = [(
    r"^(u|d) % (d|u|2\.5|0\.1)$",
    "exact here; DuckDB computes with doubles alongside HUGEINT",
)];

#[test]
fn expressions_give_what_duckdb_gives() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/data/golden/sql/expressions.txt"
    );
    let text = std::fs::read_to_string(path).unwrap();
    let (header, cases) = text.split_once("\n\n").unwrap();
    let header: Vec<Vec<&str>> = header
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let rows: Vec<RecordBatch> = (0..header[0].len() - 2)
        .map(|row| golden_row(&header, row))
        .collect();
    let stricter: Vec<regex::Regex> = STRICTER
        .iter()
        .map(|(pattern, _)| regex::Regex::new(pattern).unwrap())
        .collect();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for line in cases.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        if stricter.iter().any(|pattern| pattern.is_match(fields[0])) {
            continue;
        }
        let derived = [Derived {
            name: "out".into(),
            expression: format!("CASE WHEN TRUE THEN ({}) END", fields[0]),
        }];
        let query = match Query::new(None, &derived, &rows[0].schema()) {
            Ok(query) => query,
            Err(_)
                if fields[1..]
                    .iter()
                    .all(|value| *value == "ERROR" || *value == "NULL") =>
            {
                continue;
            }
            Err(error) => {
                wrong.push(format!("{}: refused: {error}", fields[0]));
                continue;
            }
        };
        for (row, batch) in rows.iter().enumerate() {
            let requested = if fields.len() == 2 {
                fields[1]
            } else {
                fields[row + 1]
            };
            let is_single =
                query.schema().field_with_name("out").unwrap().data_type() == &DataType::Float32;
            let found = match query.apply(batch) {
                Ok(selection) => golden_text(selection.batch.column_by_name("out").unwrap()),
                Err(_) => "ERROR".to_owned(),
            };
            count += 1;
            if !is_same(&found, requested, is_single) {
                wrong.push(format!(
                    "{} (row {row}): {found}, DuckDB {requested}",
                    fields[0]
                ));
                break;
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count} values differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(count > 30_000, "{count} values");
}

#[test]
fn numbers_never_wrap_and_the_row_that_is_too_large_is_named() {
    let batch = RecordBatch::try_from_iter([
        (
            "a",
            Arc::new(Int8Array::from(vec![100, 127, -128])) as ArrayRef,
        ),
        ("b", Arc::new(Int64Array::from(vec![1, 2, i64::MAX]))),
    ])
    .unwrap();
    let value = |expression: &str| {
        let derived = [Derived {
            name: "out".into(),
            expression: expression.into(),
        }];
        Query::new(None, &derived, &batch.schema())
            .unwrap()
            .apply(&batch)
            .map(|found| found.batch.column(2).clone())
    };
    let product = value("a * a").unwrap();
    assert_eq!(
        product
            .as_primitive::<arrow::datatypes::Int64Type>()
            .values(),
        &[10_000, 16_129, 16_384]
    );
    for expression in [
        "b + 1",
        "b * 2",
        "-(a * b * b)",
        "ABS(a) - b - b - 1000",
        "CAST(b AS INTEGER)",
        "CAST(a * 10 AS TINYINT)",
    ] {
        let error = value(expression).unwrap_err();
        assert!(
            error.location().row.is_some() && error.hint_text().is_some(),
            "{expression}: {error}"
        );
    }
    assert_eq!(value("b + 1").unwrap_err().location().row, Some(3));
    assert_eq!(value("TRY(b + 1)").unwrap().null_count(), 1);
    assert_eq!(
        value("CAST(a AS SMALLINT)").unwrap().data_type(),
        &DataType::Int16
    );
}

#[test]
fn what_an_expression_makes_is_bounded() {
    let batch = RecordBatch::try_from_iter([(
        "s",
        Arc::new(StringArray::from(vec!["abc"; 600])) as ArrayRef,
    )])
    .unwrap();
    for expression in [
        "LPAD(s, 2000000000, 'x')",
        "REPEAT(s, 1000000000)",
        "REPLACE(REPEAT(s, 100000), 'a', REPEAT('b', 100000))",
        "REPEAT(s, 340000)",
        "RPAD(s, 9000000000000000000, 'x')",
    ] {
        let derived = [Derived {
            name: "out".into(),
            expression: expression.into(),
        }];
        let error = Query::new(None, &derived, &batch.schema())
            .unwrap()
            .apply(&batch)
            .unwrap_err();
        assert!(error.message().contains(" MiB"), "{expression}: {error}");
    }
    let twofold: Vec<Derived> = (0..40)
        .map(|step| {
            let before = if step == 0 {
                "s".to_owned()
            } else {
                format!("d{}", step - 1)
            };
            Derived {
                name: format!("d{step}"),
                expression: format!("{before} || {before}"),
            }
        })
        .collect();
    let mut query = Query::new(None, &twofold, &batch.schema()).unwrap();
    assert!(query.apply(&batch).unwrap_err().message().contains(" MiB"));
    query.keep_only(|name| name == "d3");
    let kept = query.apply(&batch).unwrap().batch;
    assert_eq!(
        (
            kept.num_columns(),
            kept.column_by_name("d3")
                .unwrap()
                .as_string::<i32>()
                .value(0)
                .len()
        ),
        (5, 48)
    );
    query.keep_only(|_| false);
    assert_eq!(query.apply(&batch).unwrap().batch.num_columns(), 1);
}

#[test]
fn a_derived_column_is_computed_for_the_rows_that_pass() {
    let batch = passengers();
    let derived = [Derived {
        name: "number".into(),
        expression: "CAST(\"first name\" AS BIGINT)".into(),
    }];
    let query = Query::new(Some("age > 1000"), &derived, &batch.schema()).unwrap();
    assert_eq!(query.apply(&batch).unwrap().batch.num_rows(), 0);
    let query = Query::new(Some("age > 25"), &derived, &batch.schema()).unwrap();
    assert_eq!(
        query.apply(&batch).unwrap_err().location().row,
        Some(2),
        "the row's own number, not that among those that passed"
    );
}

#[test]
fn what_versions_of_duckdb_compute_in_different_ways_is_refused() {
    let schema = Schema::new(vec![
        Field::new("d", DataType::Decimal128(9, 2), true),
        Field::new("u", DataType::UInt64, true),
        Field::new("x", DataType::Float64, true),
        Field::new("s", DataType::Utf8, true),
    ]);
    // DuckDB 2.0.1: `1.25 // 1` is 1.25, `fmod(-7, 3)` is 2, and `'Oslo' ~ 'slo'` is true.
    for (filter, part) in [
        ("d // 2 > 1", "TRUNC(a / b)"),
        ("7 // d > 1", "TRUNC(a / b)"),
        ("x // 2 > 1", "TRUNC(a / b)"),
        ("u // 2 > 1", "CAST(… AS BIGINT)"),
        ("fmod(x, 2) > 1", "MOD(a, b)"),
        ("s ~ 'slo'", "REGEXP_MATCHES"),
        ("s !~ 'slo'", "REGEXP_MATCHES"),
        ("s ~* 'slo'", "REGEXP_MATCHES"),
        ("s !~* 'slo'", "REGEXP_MATCHES"),
        ("REGEXP_MATCHES(s, 'a', 'g')", "`'c'` (case matters)"),
        ("REGEXP_MATCHES(s)", "it takes 2, or 3 with options"),
        ("YEAR(x, 2) = 1", "it takes 1"),
        ("COALESCE() = 1", "it takes 1 or more"),
    ] {
        let error = Query::new(Some(filter), &[], &schema).unwrap_err();
        assert!(
            error.hint_text().is_some_and(|hint| hint.contains(part)),
            "{filter}: {error}"
        );
    }
}

#[test]
fn the_hint_for_a_column_of_texts_names_it() {
    let texts = ["a b", "n", "region"].map(|name| Field::new(name, DataType::Utf8, true));
    let number = Field::new("x", DataType::Float64, true);
    let schema = Schema::new(texts.into_iter().chain([number]).collect::<Vec<_>>());
    for (filter, hint) in [
        (
            "region = 'n' AND n > 10",
            "for delimited text pass `--types n=float64`",
        ),
        ("n + 1 > 10", "`CAST(n AS DOUBLE)`"),
        ("SQRT(n) > 10", "`CAST(n AS DOUBLE)`"),
        ("n BETWEEN 1 AND x", "`CAST(n AS DOUBLE)`"),
        ("x IN (n, 1)", "`CAST(n AS DOUBLE)`"),
        (
            "\"a b\" > 10",
            "for delimited text pass `--types 'a b=float64'`, which",
        ),
        ("n > DATE '2024-01-01'", "`CAST(n AS DATE)`"),
    ] {
        let error = Query::new(Some(filter), &[], &schema).unwrap_err();
        assert!(
            error.hint_text().is_some_and(|own| own.contains(hint)),
            "{filter}: {error} {:?}",
            error.hint_text()
        );
    }
}
