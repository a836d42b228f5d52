"""Texts that SQL makes of numbers which stand as text in a CSV file, by DuckDB 2.0.1:
`data/golden/sql_written/{rows,cases}.csv`.

DuckDB reads the columns as text (`all_varchar`), so that it sees what stands in the file, as tallow
does of columns that a model reads as numbers. Where an expression uses the number itself, DuckDB is
asked for `TRY_CAST(… AS DOUBLE)`."""

import csv
import pathlib

import duckdb

HERE = pathlib.Path(__file__).parent / "sql_written"
A = ["1", "2.50", "1e1", "007", "-0", "+3", "", "1_000", " 4", "0x10", "2e5", "inf", ".5", "5.",
     "9007199254740993", "-1.0", "1E-3", "12345678901234567890", "0.1", "abc", "-999"]  # fmt: skip
B = ["2", "", "0", "1.0", "01"]

with open(HERE / "rows.csv", "w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["id", "a", "b"])
    writer.writerows([number, a, B[number % 5]] for number, a in enumerate(A))

# `#a` is the number.
CASES = [
    "CAST(a AS VARCHAR) = '1'",
    "a::TEXT = '2.50'",
    "TRY_CAST(a AS VARCHAR) = '007'",
    "CAST(a AS VARCHAR) IN ('1', '1e1', '-0', '0.1')",
    "CAST(a AS VARCHAR) <> '1'",
    "CAST(a AS VARCHAR) < '2'",
    "CAST(a AS VARCHAR) BETWEEN '1' AND '2'",
    "CAST(a AS VARCHAR) IS NULL",
    "CAST(a AS VARCHAR) IS NOT NULL",
    "COALESCE(CAST(a AS VARCHAR), 'none') = 'none'",
    "a || 'x' = '1x'",
    "'#' || a || '#' || b || '#' = '#2.50##'",
    "'#' || a || '#' || b = '#007#1.0'",
    "a || b IS NULL",
    "concat(a, '-', b) = '2.50-'",
    "concat(a, '-', b) LIKE '%-1.0'",
    "concat_ws('|', a, b) LIKE '%|01'",
    "concat_ws('|', 'x', a, b) = 'x|1|2'",
    "LENGTH(CAST(a AS VARCHAR)) = 3",
    "UPPER(CAST(a AS VARCHAR)) = '1E1'",
    "LOWER(a::VARCHAR) LIKE '%e%'",
    "CAST(a AS VARCHAR) LIKE '%.%'",
    "CAST(a AS VARCHAR) ILIKE '%E%'",
    "regexp_matches(CAST(a AS VARCHAR), '^0[0-9]+$')",
    "STRPOS(CAST(a AS VARCHAR), '.') > 1",
    "RIGHT(CAST(a AS VARCHAR), 1) = '0'",
    "LEFT(CAST(a AS VARCHAR), 1) = '0'",
    "SUBSTR(CAST(a AS VARCHAR), 2, 1) = '.'",
    "REPLACE(CAST(a AS VARCHAR), '.', '') = '250'",
    "REVERSE(CAST(a AS VARCHAR)) = '700'",
    "TRIM(CAST(a AS VARCHAR)) = '4'",
    "starts_with(CAST(a AS VARCHAR), '9007199254740993')",
    "ends_with(CAST(a AS VARCHAR), '.')",
    "CASE WHEN #a > 1 THEN CAST(a AS VARCHAR) ELSE 'low' END = '2.50'",
    "CAST(a AS VARCHAR) = '1e1' AND #a = 10",
    "CAST(a AS VARCHAR) <> '1e1' OR #a > 5",
    "NULLIF(CAST(a AS VARCHAR), '1') IS NULL",
    "CAST(b AS VARCHAR) = CAST(a AS VARCHAR)",
    "CAST(CAST(a AS VARCHAR) || '1' AS VARCHAR) = '1e11'",
    "TRY_CAST(CAST(a AS VARCHAR) AS DOUBLE) = 2.5",
    "NOT (CAST(a AS VARCHAR) = '1')",
    "#a = 1",
    "#a + #b = 3",
]

database = duckdb.connect()
database.execute(f"CREATE TABLE rows AS FROM read_csv('{HERE / 'rows.csv'}', all_varchar = true)")
with open(HERE / "cases.csv", "w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["expression", "ids"])
    for case in CASES:
        own = case
        for column in "ab":
            own = own.replace(f"#{column}", f"TRY_CAST({column} AS DOUBLE)")
        ids = database.execute(f"SELECT id FROM rows WHERE {own} ORDER BY rowid").fetchall()
        expression = case.replace("#a", "a").replace("#b", "b")
        writer.writerow([expression, " ".join(row[0] for row in ids)])
