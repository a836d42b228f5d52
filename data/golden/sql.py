"""Writes `sql/expressions.txt`: expressions of SQL with the values that DuckDB gives them, row by
row.

    pip install duckdb && python data/golden/sql.py

The test `src/query/tests.rs` computes the same expressions over the same rows, without DuckDB.
Whole numbers are BIGINT here (HUGEINT for `u`) and of narrower types there: tallow computes with 64
bits whatever the column's type. Each line holds an expression and one value for each row, between
tabs: `NULL`, `ERROR` where DuckDB stops, else the value cast to VARCHAR. What DuckDB refuses as a
whole is left out."""

import itertools
import pathlib

import duckdb

COLUMNS = {
    "a": (
        "BIGINT",
        [
            "5",
            "-7",
            "0",
            "NULL",
            "9223372036854775807",
            "-9223372036854775808",
            "1",
            "100",
            "-1",
            "2",
            "15",
            "-25",
        ],
    ),
    "b": ("BIGINT", ["2", "-2", "0", "3", "127", "-128", "NULL", "7", "-3", "100", "-15", "1"]),
    "u": (
        "HUGEINT",
        [
            "0",
            "1",
            "18446744073709551615",
            "NULL",
            "2",
            "3",
            "9223372036854775808",
            "7",
            "8",
            "9",
            "10",
            "11",
        ],
    ),
    "x": (
        "DOUBLE",
        [
            "1.5",
            "-2.5",
            "0",
            "0.0",
            "'nan'",
            "'inf'",
            "'-inf'",
            "NULL",
            "1e300",
            "0.1",
            "2.5",
            "-1e-5",
        ],
    ),
    "f": (
        "FLOAT",
        [
            "1.5",
            "0.1",
            "0.0",
            "'nan'",
            "NULL",
            "'inf'",
            "-2.5",
            "16777216",
            "0.5",
            "3",
            "-1",
            "1e-10",
        ],
    ),
    "d": (
        "DECIMAL(9,2)",
        [
            "1.25",
            "-1.25",
            "0",
            "NULL",
            "9999999.99",
            "-0.05",
            "2.50",
            "0.10",
            "0.30",
            "7.00",
            "-7.50",
            "12.34",
        ],
    ),
    "t": (
        "BOOLEAN",
        [
            "TRUE",
            "FALSE",
            "NULL",
            "TRUE",
            "FALSE",
            "NULL",
            "TRUE",
            "FALSE",
            "NULL",
            "TRUE",
            "FALSE",
            "NULL",
        ],
    ),
    "w": (
        "BOOLEAN",
        [
            "TRUE",
            "TRUE",
            "TRUE",
            "FALSE",
            "FALSE",
            "FALSE",
            "NULL",
            "NULL",
            "NULL",
            "TRUE",
            "FALSE",
            "NULL",
        ],
    ),
    "s": (
        "VARCHAR",
        [
            "'abc'",
            "''",
            "NULL",
            "'A_b%'",
            "'straße'",
            "'10'",
            "'-3.7'",
            "'  pad '",
            "'2024-01-31'",
            "'TRUE'",
            "'naïve'",
            "'x\\y'",
        ],
    ),
    "p": (
        "VARCHAR",
        [
            "'b'",
            "'%'",
            "'a%'",
            "'A\\_b%'",
            "'_tra%'",
            "NULL",
            "'-'",
            "' '",
            "'2024%'",
            "'t'",
            "'ï'",
            "'\\'",
        ],
    ),
    "e": (
        "DATE",
        [
            "'2024-01-31'",
            "'2024-02-29'",
            "'1969-12-31'",
            "NULL",
            "'2000-01-01'",
            "'1900-03-01'",
            "'2023-12-31'",
            "'2024-12-30'",
            "'2021-01-03'",
            "'1970-01-01'",
            "'0001-01-01'",
            "'9999-12-31'",
        ],
    ),
    "m": (
        "TIMESTAMP",
        [
            "'2024-01-31 10:00:00'",
            "'2024-02-29 23:59:59.999999'",
            "'1969-12-31 23:59:59.5'",
            "NULL",
            "'2000-01-01'",
            "'1900-03-01 12:30:00'",
            "'2023-12-31 00:00:01'",
            "'2024-12-30 06:07:08.09'",
            "'2021-01-03 01:00:00'",
            "'1970-01-01'",
            "'2024-03-31 02:30:00'",
            "'1960-06-15 11:22:33.000001'",
        ],
    ),
}
NUMBERS = ["a", "b", "u", "x", "f", "d"]
LITERALS = ["2", "-3", "0", "2.5", "0.1", "1e0", "NULL"]


def expressions():
    operands = NUMBERS + LITERALS
    for left, right in itertools.product(operands, operands):
        if left in LITERALS and right in LITERALS and left != "2":
            continue
        for operator in ["+", "-", "*", "/", "%", "//"]:
            if operator == "//" and any(
                name in ("x", "f", "1e0", "2.5", "0.1", "d", "u") for name in (left, right)
            ):
                continue
            yield f"{left} {operator} {right}"
        for operator in [
            "=",
            "<>",
            "<",
            "<=",
            ">",
            ">=",
            "IS DISTINCT FROM",
            "IS NOT DISTINCT FROM",
        ]:
            yield f"{left} {operator} {right}"
    for name in NUMBERS + ["s", "e", "m", "t"]:
        yield from [
            f"{name} IS NULL",
            f"{name} IS NOT NULL",
            f"{name} = {name}",
            f"{name} = NULL",
            f"{name} <> NULL",
            f"CAST({name} AS VARCHAR)",
            f"COALESCE({name}, NULL)",
            name,
        ]
    for left, right in itertools.product(["t", "w", "TRUE", "FALSE", "NULL"], repeat=2):
        yield from [f"{left} AND {right}", f"{left} OR {right}", f"NOT ({left} AND {right})"]
    for name in ["t", "w", "NULL", "a > 0", "x > 1", "NOT t"]:
        for test in [
            "IS TRUE",
            "IS NOT TRUE",
            "IS FALSE",
            "IS NOT FALSE",
            "IS NULL",
            "IS NOT NULL",
        ]:
            yield f"({name}) {test}"
    for name in NUMBERS:
        for test in [
            "IN (1, 2)",
            "NOT IN (1, 2)",
            "IN (1, NULL)",
            "NOT IN (1, NULL)",
            "IN (NULL)",
            "IN (0, 2.5, 100)",
            "BETWEEN 0 AND 2",
            "NOT BETWEEN 0 AND 2",
            "BETWEEN NULL AND 2",
            "BETWEEN 0 AND NULL",
            "BETWEEN 2 AND 0",
            "BETWEEN -2.5 AND 1.25",
            "NOT IN (a, b)",
            "IN (x, 3)",
        ]:
            yield f"{name} {test}"
        for function in [
            "ABS",
            "CEIL",
            "CEILING",
            "FLOOR",
            "ROUND",
            "TRUNC",
            "SIGN",
            "SQRT",
            "CBRT",
            "EXP",
            "LN",
            "LOG",
            "LOG10",
            "LOG2",
            "SIN",
            "COS",
            "TAN",
            "ATAN",
            "DEGREES",
            "RADIANS",
            "-",
        ]:
            yield f"{function}({name})"
        for places in ["0", "1", "2", "-1", "-2"]:
            yield f"ROUND({name}, {places})"
        for other in ["2", "b", "NULL"]:
            yield from [
                f"MOD({name}, {other})",
                f"POWER({name}, {other})",
                f"GREATEST({name}, {other})",
                f"LEAST({name}, {other})",
                f"NULLIF({name}, {other})",
                f"COALESCE({name}, {other})",
                f"LOG({other}, {name})",
                f"ATAN2({name}, {other})",
            ]
        for target in [
            "BOOLEAN",
            "TINYINT",
            "SMALLINT",
            "INTEGER",
            "BIGINT",
            "UTINYINT",
            "UINTEGER",
            "FLOAT",
            "DOUBLE",
            "DECIMAL(9,1)",
            "DECIMAL(4,2)",
            "VARCHAR",
        ]:
            yield from [f"CAST({name} AS {target})", f"TRY_CAST({name} AS {target})"]
        yield from [
            f"CASE WHEN {name} > 1 THEN 'big' WHEN {name} > 0 THEN 'small' END",
            f"CASE WHEN {name} > 1 THEN {name} ELSE 0 END",
            f"CASE {name} WHEN 0 THEN 'none' WHEN 2 THEN 'two' ELSE 'more' END",
            f"{name} || '!'",
            f"CONCAT({name}, '-', b)",
            f"CASE WHEN b <> 0 THEN a % b ELSE NULL END",
            f"GREATEST({name}, x, 1)",
            f"LEAST({name}, x, 1)",
        ]
    for value in ["2.5", "3.5", "-2.5", "0.5", "2.45", "-0.5", "1e0", "2.5e0", "3.5e0", "0.5e0"]:
        yield from [
            f"ROUND({value})",
            f"CAST({value} AS INTEGER)",
            f"FLOOR({value})",
            f"CEIL({value})",
            f"ROUND({value}, 1)",
            f"TRUNC({value})",
            f"SIGN({value})",
        ]
    yield from [
        "0.1 + 0.2 = 0.3",
        "0.1 * 3",
        "1 / 3",
        "7 / 2",
        "7 // 2",
        "-7 // 2",
        "7 // (-2)",
        "-7 % 3",
        "7 % (-3)",
        "1.5 * 1.5",
        "a * 0.1",
        "a + 0.5 > 5",
        "1 + 2 * 3 - 4",
        "-(2)",
        "- a",
        "2 - -3",
        "NOT a > 0",
        "NOT a = 0 AND t",
        "9223372036854775807 - 1",
        "a > 1 AND x < 2 OR t",
        "PI()",
        "5 = '5'",
        "'a' < 'B'",
        "'' = ''",
        "1 IN (1, 2) AND 3 NOT IN (4)",
        "(a > 0) = t",
        "t = w",
        "t <> w",
        "t < w",
    ]
    for target in [
        "BOOLEAN",
        "TINYINT",
        "INTEGER",
        "BIGINT",
        "DOUBLE",
        "FLOAT",
        "DECIMAL(9,1)",
        "DATE",
        "TIMESTAMP",
        "VARCHAR",
    ]:
        yield from [f"TRY_CAST(s AS {target})", f"CAST(s AS {target})"]
    for text in [
        "12.7",
        "12.5",
        "-12.5",
        "1e3",
        "  7 ",
        "7x",
        "",
        "nan",
        "inf",
        "1.5e-2",
        "0012",
        "+5",
        "true",
        "f",
        "yes",
        "1",
        "300",
        "9223372036854775808",
    ]:
        for target in ["BIGINT", "TINYINT", "DOUBLE", "DECIMAL(9,1)", "BOOLEAN"]:
            yield f"TRY_CAST('{text}' AS {target})"
    for function in ["LOWER", "UPPER", "LENGTH", "TRIM", "LTRIM", "RTRIM", "REVERSE", "STRLEN"]:
        yield f"{function}(s)"
    for number in ["0", "1", "2", "-1", "-2", "10", "-10", "NULL", "b"]:
        yield from [
            f"LEFT(s, {number})",
            f"RIGHT(s, {number})",
            f"SUBSTR(s, {number})",
            f"SUBSTRING(s, {number}, 2)",
            f"SUBSTR(s, 2, {number})",
            f"REPEAT(s, {number})",
            f"LPAD(s, {number}, 'xy')",
            f"RPAD(s, {number}, 'xy')",
            f"SPLIT_PART(s, 'a', {number})",
        ]
    for pattern in [
        "'%'",
        "'a%'",
        "'%b%'",
        "'_b_'",
        "'A_b%'",
        "'%\\%%'",
        "'A\\_b%'",
        "''",
        "'%aß%'",
        "'stra_e'",
        "'STRASSE'",
        "NULL",
        "p",
        "s",
    ]:
        yield from [
            f"s LIKE {pattern}",
            f"s NOT LIKE {pattern}",
            f"s ILIKE {pattern}",
            f"s NOT ILIKE {pattern}",
        ]
    yield from [
        "s LIKE 'A!_b!%' ESCAPE '!'",
        "s LIKE '%!%%' ESCAPE '!'",
        "s NOT LIKE '%\\\\%' ESCAPE '\\'",
        "s LIKE 'x\\\\y' ESCAPE '\\'",
        "s SIMILAR TO '[a-z]+'",
        "REGEXP_MATCHES(s, '[0-9]')",
        "REGEXP_MATCHES(s, 'A', 'i')",
        "REGEXP_MATCHES(s, 'A', 'ic')",
        "REGEXP_FULL_MATCH(s, '[A-Z]+', 'i')",
        "REGEXP_FULL_MATCH(s, '[0-9-]+')",
    ]
    for text in ["'a'", "''", "'ab'", "' '", "p", "NULL", "'ß'"]:
        yield from [
            f"STRPOS(s, {text})",
            f"INSTR(s, {text})",
            f"REPLACE(s, {text}, 'zz')",
            f"REPLACE(s, 'a', {text})",
            f"s || {text}",
            f"{text} || s",
            f"CONCAT(s, {text})",
            f"CONCAT_WS({text}, s, p)",
            f"CONCAT_WS('-', s, {text}, p)",
            f"STARTS_WITH(s, {text})",
            f"ENDS_WITH(s, {text})",
            f"CONTAINS(s, {text})",
            f"TRIM(s, {text})",
            f"NULLIF(s, {text})",
            f"COALESCE(s, {text})",
            f"GREATEST(s, {text})",
            f"LEAST(s, {text})",
            f"s < {text}",
            f"s >= {text}",
            f"s = {text}",
            f"s <> {text}",
            f"s IN ({text}, 'abc')",
            f"s NOT IN ({text}, 'abc')",
            f"SPLIT_PART(s, {text}, 1)",
            f"POSITION({text} IN s)",
        ]
    for name in ["e", "m"]:
        for field in [
            "YEAR",
            "MONTH",
            "DAY",
            "HOUR",
            "MINUTE",
            "SECOND",
            "QUARTER",
            "WEEK",
            "DOW",
            "ISODOW",
            "DOY",
            "EPOCH",
            "CENTURY",
            "DECADE",
            "MILLENNIUM",
            "ISOYEAR",
            "MILLISECOND",
            "MICROSECOND",
        ]:
            if name == "m" or field not in (
                "HOUR",
                "MINUTE",
                "SECOND",
                "MILLISECOND",
                "MICROSECOND",
            ):
                yield from [
                    f"EXTRACT({field} FROM {name})",
                    f"DATE_PART('{field.lower()}', {name})",
                ]
        for field in ["year", "quarter", "month", "week", "day", "century", "decade"] + (
            ["hour", "minute", "second"] if name == "m" else []
        ):
            yield from [
                f"DATE_TRUNC('{field}', {name})",
                f"DATE_DIFF('{field}', {name}, TIMESTAMP '2024-03-01 12:00:00')",
            ]
        for span in [
            "1 day",
            "-1 day",
            "1 month",
            "13 months",
            "1 year",
            "2 weeks",
            "90 minutes",
            "36 hours",
            "1 second",
            "1 year 2 months 3 days",
        ]:
            yield from [f"{name} + INTERVAL '{span}'", f"{name} - INTERVAL '{span}'"]
        for other in [
            "DATE '2024-01-31'",
            "'2024-01-31'",
            "TIMESTAMP '2024-01-31 10:00:00'",
            "e",
            "m",
            "NULL",
        ]:
            for operator in ["=", "<>", "<", ">=", "IS DISTINCT FROM"]:
                yield f"{name} {operator} {other}"
        yield from [
            f"{name} BETWEEN '2000-01-01' AND '2024-01-31'",
            f"{name} IN ('2024-01-31', '1970-01-01')",
            f"{name} NOT IN ('2024-01-31', NULL)",
            f"STRFTIME({name}, '%Y/%m/%d %H:%M:%S %j %a %A %b %B %y %p %I %-d %-m %w %u %f')",
            f"CAST({name} AS DATE)",
            f"CAST({name} AS TIMESTAMP)",
            f"YEAR({name})",
            f"MONTH({name})",
            f"COALESCE({name}, DATE '2000-01-01')",
            f"GREATEST({name}, DATE '2000-01-01')",
        ]
    yield from [
        "e + 1",
        "e - 1",
        "e - DATE '2024-01-01'",
        "DATE '2024-01-01' - e",
        "1 + e",
        "e + b",
        "DATE '2024-03-31' - INTERVAL '1 month'",
        "TRY(CAST(s AS INTEGER))",
        "TRY(a + 1)",
        "TRY(1 // b)",
        "STRPTIME('05.02.2024', '%d.%m.%Y')",
        "STRPTIME('2024-02-05 15:04:09.25', '%Y-%m-%d %H:%M:%S.%f')",
        "IFNULL(s, 'none')",
        "COALESCE(a, b, 0)",
        "COALESCE(NULL, s, 'x')",
        "CASE WHEN t THEN 1 ELSE 2.5 END",
        "CASE WHEN t THEN a END",
        "CASE WHEN t IS NULL THEN 'n' WHEN t THEN 'y' ELSE s END",
        "CASE WHEN a = 0 THEN 0 ELSE 100 // a END",
        "CASE s WHEN 'abc' THEN 1 WHEN '' THEN 2 END",
        "IF(t, 'y', 'n')",
        "ISNAN(x)",
        "ISINF(x)",
        "ISFINITE(f)",
    ]


def main():
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE t (k INTEGER, "
        f"{', '.join(f'{name} {kind}' for name, (kind, _) in COLUMNS.items())})"
    )
    count = len(next(iter(COLUMNS.values()))[1])
    for row in range(count):
        connection.execute(
            f"INSERT INTO t VALUES ({row}, "
            f"{', '.join(values[row] for _, values in COLUMNS.values())})"
        )
    lines = []
    for expression in dict.fromkeys(expressions()):
        values = []
        for row in range(count):
            try:
                value = connection.execute(
                    f"SELECT CAST(({expression}) AS VARCHAR) FROM (SELECT * FROM t WHERE k = {row})"
                ).fetchone()[0]
                values.append("NULL" if value is None else value)
            except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException):
                break
            except duckdb.Error:
                values.append("ERROR")
        if len(values) == count:
            shortened = values[:1] if len(set(values)) == 1 else values
            lines.append("\t".join([expression, *shortened]))
    path = pathlib.Path(__file__).parent / "sql" / "expressions.txt"
    path.parent.mkdir(exist_ok=True)
    header = [
        "\t".join([name, kind, *(value.strip("'") for value in values)])
        for name, (kind, values) in COLUMNS.items()
    ]
    path.write_text("\n".join([*header, "", *lines]) + "\n")
    print(len(lines), "expressions,", path.stat().st_size, "bytes, DuckDB", duckdb.__version__)


main()
