//! The types of numbers in expressions: what `DuckDB` 2.0.1 writes for each, as a text, so that a
//! double, a decimal and an integer of the same value differ.

use arrow::array::*;

use super::*;

/// One row: a number of each kind, and nulls of some.
fn numbers() -> RecordBatch {
    let decimal = |digits: Option<i128>, precision: u8, scale: i8| {
        let array = Decimal128Array::from(vec![digits]);
        Arc::new(array.with_precision_and_scale(precision, scale).unwrap()) as ArrayRef
    };
    let columns: [(&str, ArrayRef); 14] = [
        ("i8", Arc::new(Int8Array::from(vec![5]))),
        ("i32", Arc::new(Int32Array::from(vec![7]))),
        ("i64", Arc::new(Int64Array::from(vec![16_777_217]))),
        ("u64", Arc::new(UInt64Array::from(vec![u64::MAX]))),
        ("f", Arc::new(Float32Array::from(vec![0.1]))),
        ("d", Arc::new(Float64Array::from(vec![2.5]))),
        ("dec", decimal(Some(110), 12, 2)),
        ("fine", decimal(Some(2345), 4, 3)),
        ("wide", decimal(Some(1234), 38, 2)),
        ("deep", decimal(Some(15 * 10_i128.pow(29)), 38, 30)),
        ("big", decimal(Some(99), 20, 0)),
        ("none", decimal(None, 12, 2)),
        ("wnone", decimal(None, 38, 2)),
        ("inone", Arc::new(Int64Array::from(vec![None]))),
    ];
    let columns = columns.map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn derived(name: &str, expression: &str) -> Derived {
    Derived {
        name: name.into(),
        expression: expression.into(),
    }
}

/// The value of the last of these columns, each derived from those before it, as a text.
fn text(expressions: &[&str]) -> String {
    let batch = numbers();
    let mut steps: Vec<Derived> = expressions
        .iter()
        .enumerate()
        .map(|(index, expression)| derived(&format!("step_{index}"), expression))
        .collect();
    let last = expressions.len() - 1;
    steps.push(derived("text", &format!("CAST(step_{last} AS VARCHAR)")));
    let query = Query::new(None, &steps, &batch.schema()).unwrap();
    let batch = match query.apply(&batch) {
        Ok(selection) => selection.batch,
        Err(error) => return error.to_string(),
    };
    let texts = batch.column_by_name("text").unwrap().as_string::<i32>();
    if texts.is_null(0) {
        return "-".to_owned();
    }
    texts.value(0).to_owned()
}

#[test]
fn functions_of_numbers_give_the_types_that_they_give_in_duckdb() {
    for (expression, expected) in [
        ("ceil(i8)", "5.0"),
        ("ceil(i64)", "16777217.0"),
        ("ceil(u64)", "1.8446744073709552e+19"),
        ("ceil(f)", "1.0"),
        ("ceil(d)", "3.0"),
        ("ceil(dec)", "2"),
        ("ceil(deep)", "2"),
        ("ceil(big)", "99"),
        ("floor(i8)", "5.0"),
        ("floor(i64)", "16777217.0"),
        ("floor(u64)", "1.8446744073709552e+19"),
        ("floor(f)", "0.0"),
        ("floor(d)", "2.0"),
        ("floor(dec)", "1"),
        ("floor(deep)", "1"),
        ("floor(big)", "99"),
        ("round(i8)", "5"),
        ("round(i64)", "16777217"),
        ("round(u64)", "18446744073709551615"),
        ("round(f)", "0.0"),
        ("round(d)", "3.0"),
        ("round(dec)", "1"),
        ("round(deep)", "2"),
        ("round(big)", "99"),
        ("trunc(i8)", "5"),
        ("trunc(i64)", "16777217"),
        ("trunc(u64)", "18446744073709551615"),
        ("trunc(f)", "0.0"),
        ("trunc(d)", "2.0"),
        ("trunc(dec)", "1"),
        ("trunc(deep)", "1"),
        ("trunc(big)", "99"),
        ("sign(i8)", "1"),
        ("sign(i64)", "1"),
        ("sign(u64)", "1"),
        ("sign(f)", "1"),
        ("sign(d)", "1"),
        ("sign(dec)", "1"),
        ("sign(deep)", "1"),
        ("sign(big)", "1"),
        ("abs(i8)", "5"),
        ("abs(i64)", "16777217"),
        ("abs(u64)", "18446744073709551615"),
        ("abs(f)", "0.1"),
        ("abs(d)", "2.5"),
        ("abs(dec)", "1.10"),
        ("abs(deep)", "1.500000000000000000000000000000"),
        ("abs(big)", "99"),
        ("round(dec, 1)", "1.1"),
        ("round(dec, -1)", "0"),
        ("round(i64, -2)", "16777200"),
        ("floor(u64 - 1)", "1.8446744073709552e+19"),
        ("floor(-i32)", "-7.0"),
        ("ceil(coalesce(inone, u64))", "1.8446744073709552e+19"),
        ("ceil(greatest(i8, i32))", "7.0"),
        ("floor(cast(dec as ubigint))", "1.0"),
        ("ceil(nullif(i32, 1))", "7.0"),
        ("i32 % 4", "3"),
        ("mod(dec, 7)", "1.10"),
        ("deep % 3", "1.5"),
        ("deep % 0.7", "0.100000000000000000000000000000"),
        ("u64 % 10", "5"),
        ("floor(case when true then 1 else u64 end)", "1.0"),
        ("floor(big + 0)", "99"),
        ("concat('b', floor(i64))", "b16777217.0"),
        ("f + ceil(i64)", "16777217.1"),
        ("floor(i32) / (f - 1)", "-7.777777983818531"),
    ] {
        assert_eq!(text(&[expression]), expected, "{expression}");
    }
}

#[test]
fn decimals_stay_decimals_in_the_type_that_duckdb_gives_them() {
    for (expression, expected) in [
        ("cast(0.5 + ceil(i32 - 7) as int)", "0"),
        ("coalesce(none, 0.3) * 7", "2.10"),
        ("coalesce(none, 0.1 + 0.2) * 7", "2.10"),
        ("coalesce(none, 0.5 * 2) * 7", "7.00"),
        ("coalesce(dec + 1, 0.125) * 7", "14.700"),
        ("greatest(dec * 2, 0.001) * 7", "15.400"),
        ("coalesce(dec, 0.1 + 0.2)", "1.10"),
        ("coalesce(none, dec * i32 * i32, 0.125)", "53.900"),
        ("coalesce(none * i32 * i32, 0.125)", "0.125"),
        ("coalesce(none * 2 * 2 * 2, 0.125)", "0.125"),
        ("coalesce(none * i64 * i64, 0.125)", "0.13"),
        ("coalesce(none * i64 * i64 * 1.0, 0.12345)", "0.123"),
        ("coalesce(wnone, 0.125)", "0.13"),
        ("coalesce(wnone, fine)", "2.35"),
        ("coalesce(wnone, deep)", "1.50"),
        ("coalesce(none, deep)", "1.5000000000000000000000000000"),
        ("least(deep, wide)", "1.50"),
        ("coalesce(wnone + 1, 0.125)", "0.13"),
        ("case when dec > 5 then wide else 2.345 end", "2.35"),
        ("case when dec > 5 then wide end", "-"),
        ("coalesce(inone, 0.5)", "0.5"),
        ("coalesce(inone, deep)", "1.500000000000000000000000000000"),
        ("coalesce(wnone, i64)", "16777217.00"),
        ("coalesce(none, u64)", "18446744073709551615.00"),
        ("coalesce(none, d)", "2.5"),
        ("coalesce(none, f)", "0.1"),
        ("coalesce(none, 1)", "1.00"),
        ("coalesce(none, 1e0)", "1.0"),
        ("coalesce(dec, 5000000000)", "1.10"),
        ("ifnull(none, 0.125)", "0.125"),
        ("nullif(dec, 0.125)", "1.10"),
        ("(dec + 1) + 0.125", "2.225"),
        ("(dec * 2 + 1) * 0.125 - fine", "-1.94500"),
        ("wide + 0.125", "12.465"),
        ("wide * 0.125", "1.54250"),
        ("wide - fine", "9.995"),
        ("deep + fine", "3.845000000000000000000000000000"),
        ("dec * dec * dec", "1.331000"),
        ("dec * dec + 0.00001", "1.21001"),
        ("0.1 + 0.2", "0.3"),
        ("0.1 * 3 * dec", "0.330"),
        ("dec + f", "1.2"),
        ("dec * d", "2.75"),
        ("dec / 3", "0.3666666666666667"),
        ("round(dec * 1.075, 2)", "1.18"),
        ("round(coalesce(none, fine), 1)", "2.3"),
        ("coalesce(round(none, 1), 0.125)", "0.125"),
        ("coalesce(trunc(none), 0.125)", "0.125"),
        ("coalesce(-none, 0.125)", "0.125"),
        ("coalesce(abs(none), 0.125)", "0.125"),
        ("coalesce(none * sign(dec), 0.12345)", "0.12345"),
        ("least(dec, i64, 0.001)", "0.001"),
        ("greatest(dec * 2, wide, 0.001)", "12.34"),
        ("coalesce(none % 7, 0.125)", "0.125"),
        (
            "coalesce(cast(null as decimal(30,10)) * cast(1 as decimal(30,10)), 0.125)",
            "0.12500000000000000000",
        ),
        ("coalesce(wnone, i32 * 0.125)", "0.88"),
        ("coalesce(cast(none as decimal(20, 1)), fine)", "2.345"),
        ("if(dec > 5, dec, fine)", "2.345"),
    ] {
        assert_eq!(text(&[expression]), expected, "{expression}");
    }
}
