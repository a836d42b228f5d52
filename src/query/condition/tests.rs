//! Conditions by polars against the same conditions by the room's own evaluator.

use std::sync::Arc;

use arrow::array::{
    AsArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array, Int64Array,
    StringArray, TimestampMicrosecondArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{Field, TimeUnit};

use super::*;
use crate::query::{Derived, Query};

/// Rows of every type, with nulls, both zeros, NaN, infinities and the ends of ranges.
#[expect(clippy::too_many_lines, reason = "a table of values")]
fn rows() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "i",
            Arc::new(Int64Array::from(vec![
                Some(0),
                Some(-7),
                None,
                Some(i64::MAX),
                Some(i64::MIN),
                Some(18),
                Some(3),
                Some(1),
            ])),
        ),
        (
            "j",
            Arc::new(Int32Array::from(vec![
                Some(2),
                Some(0),
                Some(5),
                None,
                Some(-1),
                Some(18),
                Some(-3),
                Some(1),
            ])),
        ),
        (
            "u",
            Arc::new(UInt64Array::from(vec![
                Some(u64::MAX),
                Some(0),
                None,
                Some(1),
                Some(2),
                Some(3),
                Some(18),
                Some(7),
            ])),
        ),
        (
            "x",
            Arc::new(Float64Array::from(vec![
                Some(0.0),
                Some(-0.0),
                Some(f64::NAN),
                Some(f64::INFINITY),
                Some(f64::NEG_INFINITY),
                None,
                Some(1.5),
                Some(1e300),
            ])),
        ),
        (
            "y",
            Arc::new(Float64Array::from(vec![
                Some(-0.0),
                Some(2.5),
                Some(f64::NAN),
                None,
                Some(0.0),
                Some(3.0),
                Some(1.5),
                Some(-1e300),
            ])),
        ),
        (
            "f",
            Arc::new(Float32Array::from(vec![
                Some(0.1),
                Some(f32::NAN),
                None,
                Some(-0.0),
                Some(1.5),
                Some(2.5),
                Some(18.0),
                Some(f32::MAX),
            ])),
        ),
        (
            "t",
            Arc::new(StringArray::from(vec![
                Some("north"),
                Some(""),
                None,
                Some("a text of more than twelve bytes"),
                Some("\u{e4}\u{f6}"),
                Some("NORTH"),
                Some("12"),
                Some("a\nb"),
            ])),
        ),
        (
            "s",
            Arc::new(StringArray::from(vec![
                Some("north"),
                None,
                Some("x"),
                Some("a text of more than twelve bytez"),
                Some("a"),
                Some("%"),
                Some("1x"),
                Some("^a"),
            ])),
        ),
        (
            "b",
            Arc::new(BooleanArray::from(vec![
                Some(true),
                Some(false),
                None,
                Some(true),
                None,
                Some(false),
                Some(true),
                Some(false),
            ])),
        ),
        (
            "d",
            Arc::new(Date32Array::from(vec![
                Some(0),
                Some(19_723),
                None,
                Some(-1),
                Some(i32::MAX),
                Some(20_000),
                Some(19_724),
                Some(1),
            ])),
        ),
        (
            "m",
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(0),
                Some(1_704_067_200_000_000),
                None,
                Some(-1),
                Some(i64::MAX),
                Some(1),
                Some(2),
                Some(1_704_067_200_000_001),
            ])),
        ),
        (
            "n",
            Arc::new(TimestampNanosecondArray::from(vec![
                Some(0),
                Some(1_704_067_200_000_000_000),
                None,
                Some(-1),
                Some(i64::MAX),
                Some(1),
                Some(2),
                Some(1),
            ])),
        ),
        (
            "a",
            Arc::new(
                Decimal128Array::from(vec![
                    Some(110),
                    Some(-110),
                    None,
                    Some(0),
                    Some(1_800),
                    Some(150),
                    Some(99_999_999),
                    Some(1),
                ])
                .with_precision_and_scale(12, 2)
                .unwrap(),
            ),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true)))
        .unwrap()
}

/// Conditions that the room's own evaluator computes for every row.
const TOTAL: &[&str] = &[
    "1 IN (2, 3)",
    "NOT (1 IN (2))",
    "1 IN (1) AND TRUE",
    "i > 0",
    "i >= j",
    "i = 18 OR j <> 18",
    "NOT (i > 0)",
    "i > 0 AND x > 0",
    "i > 0 OR x > 0",
    "i IS NULL",
    "x IS NOT NULL",
    "b",
    "NOT b",
    "b IS TRUE",
    "b IS NOT TRUE",
    "b IS FALSE",
    "b IS NOT FALSE",
    "b AND NULL",
    "b OR NULL",
    "(i > 0) = b",
    "x = y",
    "x <> y",
    "x < y",
    "x <= y",
    "x > y",
    "x >= 0",
    "x > 1e308",
    "x = 0",
    "x IS DISTINCT FROM y",
    "x IS NOT DISTINCT FROM y",
    "isnan(x)",
    "isinf(x)",
    "isfinite(x) AND x <> 0",
    "f = 0.1",
    "f = x",
    "f < 1.5",
    "f >= i",
    "isnan(f)",
    "i = x",
    "i < 0.5",
    "i >= 17.99",
    "j BETWEEN -1 AND 2",
    "j NOT BETWEEN -1 AND 2",
    "i BETWEEN j AND 100",
    "x BETWEEN -0.0 AND 2",
    "i IN (0, 18)",
    "i NOT IN (0, 18)",
    "i IN (0, NULL)",
    "i NOT IN (0, NULL)",
    "i IN (0, 1.5, 18)",
    "i IN (j, 3)",
    "x IN (0, 1.5)",
    "x IN (CAST('nan' AS DOUBLE))",
    "t IN ('north', '')",
    "t NOT IN ('north')",
    "t IN ('12', 'a text of more than twelve bytes')",
    "u > 18446744073709551614",
    "u = i",
    "u IN (0, 18446744073709551615)",
    "a = 1.1",
    "a > 0",
    "a >= 1.105",
    "a < i",
    "a = x",
    "a BETWEEN -1.1 AND 18",
    "a IN (1.1, 18)",
    "t = s",
    "t < s",
    "t = ''",
    "t > 'n'",
    "t LIKE 'n%'",
    "t LIKE '%\u{f6}'",
    "t LIKE '_'",
    "t LIKE 'a_b'",
    "t LIKE '1.'",
    "t NOT LIKE '%o%'",
    "t ILIKE 'NO%'",
    "t LIKE s",
    "regexp_matches(t, '^[a-z]+$')",
    "regexp_matches(t, 'o')",
    "regexp_full_match(t, '[a-z]+')",
    "length(t) = 2",
    "length(t) BETWEEN 1 AND 5",
    "lower(t) = 'north'",
    "starts_with(t, 'no')",
    "d >= DATE '2024-01-01'",
    "d = '2024-01-01'",
    "d BETWEEN '1970-01-01' AND '2024-01-02'",
    "m >= '2024-01-01'",
    "m = TIMESTAMP '2024-01-01 00:00:00'",
    "n = TIMESTAMP '2024-01-01 00:00:00'",
    "year(m) = 2024",
    "x + y > 0",
    "x - y = 0",
    "x * 2 >= y",
    "x / y > 1",
    "x / 0 > 0",
    "i / j > 1",
    "CAST(j AS DOUBLE) / 2 > 0.5",
    "CASE WHEN j > 0 THEN i > 0 ELSE x > 0 END",
    "coalesce(i, 0) >= 0",
    "nullif(j, 5) IS NULL",
    "TRY_CAST(t AS BIGINT) IS NOT NULL",
    "t IS NULL OR TRY_CAST(t AS BIGINT) = 12",
    "greatest(i, j) > 5",
    "round(x, 1) = 1.5",
    "TRUE",
    "FALSE",
    "NULL",
    "1 = 1 AND i = i",
    "NOT NULL AND b",
    "x % 2 = 1.5",
    "-x > 0",
    "abs(x) > 1",
];

/// The room's own evaluator: a filter over the rows.
fn own(text: &str, rows: &RecordBatch) -> Vec<bool> {
    let derived = Derived {
        name: "met".to_owned(),
        expression: format!("({text}) IS TRUE"),
    };
    let query = Query::new(None, &[derived], &rows.schema()).unwrap();
    let met = query.apply(rows).unwrap();
    let met = met.batch.column_by_name("met").unwrap();
    met.as_boolean().iter().map(Option::unwrap).collect()
}

#[test]
fn polars_and_the_own_evaluator_agree_on_every_row() {
    let rows = rows();
    let conditions = Conditions::new(TOTAL, &rows.schema(), &BTreeSet::new()).unwrap();
    let found = conditions.hold(&rows).unwrap();
    // A slice begins in the middle of bytes of bits and of texts.
    let part = rows.slice(3, 4);
    let found_of_part = conditions.hold(&part).unwrap();
    for ((text, found), of_part) in TOTAL.iter().zip(found).zip(found_of_part) {
        let expected = own(text, &rows);
        let all: Vec<bool> = found.iter().map(Option::unwrap).collect();
        assert_eq!(all, expected, "{text}");
        let part: Vec<bool> = of_part.iter().map(Option::unwrap).collect();
        assert_eq!(part, expected[3..7], "{text}, a slice");
    }
}

#[test]
fn ordinary_conditions_are_computed_by_polars_alone() {
    let schema = rows().schema();
    let computed = |text: &str| {
        Conditions::new(&[text], &schema, &BTreeSet::new())
            .unwrap()
            .computed_count()
    };
    for text in [
        "i BETWEEN 0 AND 120",
        "x > 0 AND (t IN ('a', 'b') OR t IS NULL)",
        "a >= 0.5",
        "d >= DATE '2024-01-01'",
        "length(t) <= 10 AND regexp_matches(t, '^[A-Z]+$')",
        "x / y > 2",
    ] {
        assert_eq!(computed(text), 0, "{text}");
    }
    assert_eq!(computed("lower(t) = 'x' OR i + 1 > j"), 2);
}

#[test]
fn a_row_for_which_a_condition_cannot_be_computed_does_not_meet_it() {
    let rows = rows();
    let texts = [
        "i + 1 > 0",
        "CAST(t AS BIGINT) > 0",
        "i // j = 1",
        "i % j >= 0",
    ];
    let conditions = Conditions::new(&texts, &rows.schema(), &BTreeSet::new()).unwrap();
    let met: Vec<Vec<usize>> = conditions
        .hold(&rows)
        .unwrap()
        .iter()
        .map(|met| met.values().set_indices().collect())
        .collect();
    assert_eq!(
        met,
        [vec![0, 5, 6, 7], vec![6], vec![5, 7], vec![0, 4, 5, 6, 7]]
    );
}

#[test]
fn a_condition_that_nests_as_deep_as_is_allowed_is_computed() {
    let rows = rows();
    let deep = format!("{}b", "NOT ".repeat(180));
    let chain = format!("i > 0{}", " OR i > 0".repeat(60));
    let texts = [deep.as_str(), chain.as_str()];
    let conditions = Conditions::new(&texts, &rows.schema(), &BTreeSet::new()).unwrap();
    let found = conditions.hold(&rows).unwrap();
    assert_eq!(found[0].true_count(), 3);
    assert_eq!(found[1].true_count(), 4);
}

#[test]
fn names_that_mean_something_to_polars_are_names() {
    let column = |values: [i64; 2]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
    let rows = RecordBatch::try_from_iter([
        ("*", column([1, 2])),
        ("^.*$", column([2, 1])),
        ("c0", column([0, 9])),
    ])
    .unwrap();
    let texts = ["\"*\" < \"^.*$\"", "c0 = 9", "\"^.*$\" > 1"];
    let found = Conditions::new(&texts, &rows.schema(), &BTreeSet::new())
        .unwrap()
        .hold(&rows)
        .unwrap();
    let found: Vec<Vec<bool>> = found
        .iter()
        .map(|met| met.iter().map(Option::unwrap).collect())
        .collect();
    assert_eq!(found, [[true, false], [false, true], [true, false]]);
}

#[test]
fn what_is_not_a_condition_is_refused_before_the_first_row() {
    let schema = Schema::new(vec![
        Field::new("i", DataType::Int64, true),
        Field::new("m", DataType::Timestamp(TimeUnit::Microsecond, None), true),
    ]);
    for (text, part) in [
        ("i + 1", "not true or false"),
        ("k > 1", "does not have"),
        ("sum(i) > 1", "more than its own row"),
        ("i >", "cannot understand"),
        ("m > 1", "cannot be compared"),
        ("now() > m", "more than its own row"),
    ] {
        let error = Conditions::new(&[text], &schema, &BTreeSet::new()).unwrap_err();
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
}
