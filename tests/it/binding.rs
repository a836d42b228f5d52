//! How columns meet the model: by name, with types and policies, or not at all.

use crate::harness::{Room, column, data, numbers};

/// A model of the columns `a` and `b`, and these rows.
fn room(rows: &str) -> Room {
    let room = Room::new();
    room.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    room.file("rows.csv", rows);
    room
}

fn score(room: &Room, flags: &str) -> crate::harness::Run {
    room.tallow(&format!(
        "score --model good.json rows.csv --output out.parquet --overwrite --format json {flags}"
    ))
}

/// A model of two features without names, `f0` and `f1`, and these rows.
fn nameless_room(rows: &str) -> Room {
    let room = room(rows);
    let named = std::fs::read_to_string(data("hostile/good.json")).unwrap();
    let nameless = named.replacen(r#""feature_names":["a","b"]"#, r#""feature_names":[]"#, 1);
    assert_ne!(named, nameless);
    room.file("good.json", nameless);
    room
}

#[test]
fn a_regex_takes_columns_in_the_order_of_the_data_and_warns_of_it() {
    let room = nameless_room("x,b,a\n1,0.9,0.1\n");
    let warning = "\
        warning: `--features '/^[ab]$/'` feeds the model in the order of the data: `b`, `a`\nhint: \
                   if that is the order of training, write it down: `--features b,a`\n";
    let rendered = score(&room, "--features /^[ab]$/").ok();
    assert!(rendered.stderr.starts_with(warning), "{rendered}");
    let checked = room
        .tallow("check --model good.json rows.csv --features /^[ab]$/")
        .ok();
    assert_eq!(checked.stderr, warning);
    assert!(
        !score(&room, "--features b,a")
            .ok()
            .stderr
            .contains("warning")
    );
    assert!(
        score(&room, "--features /^[ab]$/ --quiet")
            .ok()
            .stderr
            .contains("warning"),
        "a warning is not a summary"
    );
    assert!(
        score(&room, "--features /^[ab]$/ -qq")
            .ok()
            .stderr
            .is_empty()
    );
}

#[test]
fn who_asks_for_more_is_reported_which_column_feeds_which_feature() {
    let room = nameless_room("x,b,a\n1,0.9,0.1\n");
    let lines = "features of the model, and the columns that feed them\n  \
        f0                       <- a \
         (string)\n  f1                       <- b (string)\n";
    assert!(
        score(&room, "--features a,b -v")
            .ok()
            .stderr
            .contains(lines)
    );
    assert!(
        room.tallow("check --model good.json rows.csv --features a,b")
            .ok()
            .stdout
            .contains(lines)
    );
    assert!(
        !score(&room, "--features a,b")
            .ok()
            .stderr
            .contains("features of the model")
    );
    let logged = score(&room, "--features a,b -v --log-format json").ok();
    assert!(
        logged
            .stderr
            .contains(r#""binding":[{"column":"a","input":"f0","type":"Utf8"}"#),
        "{logged}"
    );
}

#[test]
fn a_derived_column_that_nothing_reads_is_named() {
    let room = room("a,b\n0.1,0.9\n");
    std::fs::create_dir(room.path("package")).unwrap();
    std::fs::rename(room.path("good.json"), room.path("package/model.json")).unwrap();
    let derived = |name: &str, expression: &str| {
        format!("[[derived]]\nname = \"{name}\"\nexpression = \"{expression}\"\n")
    };
    let derived =
        derived("half", "a / 2") + &derived("quarter", "half / 2") + &derived("both", "a + b");
    room.file(
        "package/tallow.toml",
        format!("name = \"unread\"\n[[artefacts]]\npath = \"model.json\"\n{derived}"),
    );
    let score = |flags: &[&str]| {
        let fixed = [
            "score",
            "--model",
            "package",
            "rows.csv",
            "--output",
            "out.parquet",
            "--overwrite",
        ];
        room.run(fixed.iter().chain(flags)).ok().stderr
    };
    assert!(score(&[]).starts_with(
        "warning: the derived columns `quarter`, `both` are read by nothing\nhint: correct the \
         name under `[[derived]]`"
    ));
    assert!(
        score(&["--where", "both > 0"])
            .starts_with("warning: the derived column `quarter` is read by nothing\n")
    );
    assert!(!score(&["--where", "both > 0", "--passthrough", "quarter"]).contains("warning"));
}

#[test]
fn the_order_of_columns_does_not_matter() {
    let straight = room("a,b\n0.1,0.9\n0.8,0.2\n");
    let crossed = room("x,b,a\n1,0.9,0.1\n2,0.2,0.8\n");
    score(&straight, "").ok();
    score(&crossed, "").ok();
    let probability = |room: &Room| numbers(column(&room.table("out.parquet"), "probability"));
    assert_eq!(probability(&straight), probability(&crossed));
}

#[test]
fn a_missing_column_is_named_with_what_may_be_meant() {
    let run = score(&room("A,b\n0.1,0.9\n"), "").fails(3);
    insta::assert_snapshot!(run.stderr, @r"
    contract error: the model needs the column `a`, which is not in the data (`rows.csv`)
    hint: the data has `A`: if that is meant, pass `--rename A=a`
    ");
    score(&room("A,b\n0.1,0.9\n"), "--rename A=a").ok();
    let run = score(&room("c,d\n1,2\n"), "").fails(3);
    assert!(run.stderr.contains("columns `a`, `b`"), "{run}");
    let run = score(&room("A ,b\n1,2\n"), "").fails(3);
    assert!(run.stderr.contains("pass `--rename 'A =a'`"), "{run}");
    score(&room("a,b\n1,2\n"), "--rename nobody=a").fails(3);
}

#[test]
fn a_file_of_another_delimiter_is_distinguished_from_one_without_the_columns() {
    for (rows, flag) in [
        ("id;a;b\n1;0.1;0.9\n", "';'"),
        ("id\ta\tb\n1\t0.1\t0.9\n", "tab"),
        ("id|a|b\n1|0.1|0.9\n", "'|'"),
    ] {
        let room = room(rows);
        let run = score(&room, "").fails(3);
        assert!(
            run.stderr.contains(&format!("pass `--delimiter {flag}`")),
            "{run}"
        );
        score(&room, &format!("--delimiter {}", flag.trim_matches('\''))).ok();
    }
    let run = score(&room("\"id\";\"a\"\n1;2\n"), "").fails(3);
    assert!(!run.stderr.contains('\\'), "{run}");
    let run = score(&room("a,b\n1,2\n"), "--delimiter ;").fails(3);
    assert!(run.stderr.contains("pass `--delimiter ,`"), "{run}");
    assert!(
        !score(&room("note\nx\n"), "")
            .fails(3)
            .stderr
            .contains("--delimiter")
    );
}

#[test]
fn the_name_that_was_nearly_typed_is_suggested() {
    let rooms = room("charge,b,a\n1,0.9,0.1\n");
    for (flags, code, name) in [
        ("--rename chrage=c", 3, "charge"),
        ("--passthrough Charge", 3, "charge"),
        ("--on-null A=reject", 2, "a"),
        ("--on-unseen B=reject", 2, "b"),
    ] {
        let run = score(&rooms, flags).fails(code);
        assert!(
            run.stderr
                .ends_with(&format!("hint: did you mean `{name}`?\n")),
            "{run}"
        );
    }
    let run = score(&rooms, "--rename nobody=c").fails(3);
    let listed = "hint: the columns are `charge`, `b`, `a`\n";
    assert!(run.stderr.ends_with(listed), "{run}");
}

#[test]
fn a_number_in_the_stead_of_a_category_is_the_one_that_is_spelled_so() {
    let room = Room::new();
    let model = data("golden/lightgbm_4_7_0_pandas_categorical/model.txt");
    let score = |grade: &str, policy: &str| {
        let rows = format!("price,grade,always,city\n0.5,{grade},same,Riga\n");
        room.file("rows.csv", rows);
        let line = "score -qq --overwrite rows.csv --output out.csv --passthrough none --model";
        room.tallow(&format!("{line} {} {policy}", model.display()))
    };
    let answer = |grade: &str, policy: &str| {
        score(grade, policy).ok();
        std::fs::read_to_string(room.path("out.csv")).unwrap()
    };
    let missing = answer("", "");
    let mut answers = vec![missing];
    for grade in ["-4", "3", "10", "20"] {
        let own = answer(grade, "");
        assert_eq!(answer("", &format!("--on-null grade={grade}")), own);
        assert_eq!(answer("99", &format!("--on-unseen grade={grade}")), own);
        answers.push(own);
    }
    answers.dedup();
    assert!(
        answers.len() > 2,
        "the model asks for the grade: {answers:?}"
    );
    for (policy, column, hint) in [
        (
            "--on-null grade=2",
            "grade",
            "pass a category that is a number",
        ),
        (
            "--on-unseen grade=0",
            "grade",
            "pass a category that is a number",
        ),
        (
            "--on-null city=2",
            "city",
            "pass a category that is a number",
        ),
        ("--on-null 0", "city", "`--on-null 0 --on-null city=null`"),
    ] {
        let error = score("", policy).fails(2).stderr;
        assert!(
            error.contains(&format!("column `{column}`")) && error.contains(hint),
            "{policy}: {error}"
        );
    }
}

#[test]
fn policies_decide_about_missing_values() {
    let rows = "id,a,b\n1,NA,0.9\n2,0.8,0.2\n";
    assert_eq!(
        score(&room(rows), "").ok().json()["coercions"]["a"]["missing"],
        1
    );
    let rejected = score(&room(rows), "--on-null reject").ok().json();
    assert_eq!(
        (
            &rejected["ledger"]["rejected"],
            &rejected["ledger"]["scored"]
        ),
        (&1.into(), &1.into())
    );
    assert_eq!(
        score(&room(rows), "--on-null a=0.5").ok().json()["coercions"]["a"]["defaulted"],
        1
    );
    let run = score(&room(rows), "--on-null b=reject --on-null a=error").fails(1);
    assert!(
        run.stderr
            .starts_with("error: a value is missing (`rows.csv`, row 1, column `a`)"),
        "{run}"
    );
    let run = score(&room(rows), "--on-null nobody=reject").fails(2);
    assert!(
        run.stderr.contains(
            "`--on-null` names `nobody`, which is not an input of the model\nhint: `tallow check` \
             shows"
        ),
        "{run}"
    );
    for number in [
        "perhaps", "nan", "NaN", "inf", "-inf", "infinity", "1e999", "",
    ] {
        score(&room(rows), &format!("--on-null a={number}")).fails(2);
        score(&room(rows), &format!("--on-unseen a={number}")).fails(2);
    }
    assert_eq!(
        score(&room(rows), "--missing 0.8 --on-unseen null")
            .ok()
            .json()["coercions"]["a"]["not_a_number"],
        1
    );
}

#[test]
fn an_unseen_category_stops_the_run_where_the_library_would_unless_a_policy_lets_it_go_on() {
    let demo = Room::new();
    demo.file(
        "model.ubj",
        std::fs::read(data("demo/churn/model.ubj")).unwrap(),
    );
    let text = std::fs::read_to_string(data("demo/customers.csv"))
        .unwrap()
        .replacen("month-to-month", "by the hour", 3);
    let row = text
        .lines()
        .position(|line| line.contains("by the hour"))
        .unwrap();
    demo.file("customers.csv", text);
    let score = |flags: &str| {
        demo.tallow(&format!(
            "score --model model.ubj customers.csv --output out.parquet --overwrite --format json \
             {flags}"
        ))
    };
    let run = score("").fails(1);
    let rendered = format!(
        "error: a category was never seen in training (`customers.csv`, row {row}, column \
         `contract`)"
    );
    assert!(
        run.stderr.starts_with(&rendered) && run.stderr.contains("`--on-unseen contract=reject`"),
        "{run}"
    );
    assert!(!demo.path("out.parquet").exists());
    let json = score("--on-unseen reject").ok().json();
    assert_eq!(json["rejections"]["contract"]["unseen_category"], 3);
    assert_eq!(json["ledger"]["scored"], 197);
    let json = score("--on-unseen contract=null").ok().json();
    assert_eq!(
        (
            &json["ledger"]["scored"],
            &json["coercions"]["contract"]["unseen"]
        ),
        (&200.into(), &3.into())
    );
}

#[test]
fn expressions_that_do_not_fit_report_it() {
    let rows = room("a,b,c\n0.1,0.9,x\n");
    let with = |filter: &str| {
        rows.run([
            "score",
            "--model",
            "good.json",
            "rows.csv",
            "--output",
            "out.parquet",
            "--where",
            filter,
        ])
    };
    with("a > ").fails(2);
    with("a > avg(a)").fails(2);
    with("nobody > 1").fails(3);
    with("a + 1").fails(3);
    insta::assert_snapshot!(with("c > 1").fails(3).stderr, @r"
    contract error: the expression `c > 1` does not fit the table's columns: VARCHAR cannot be compared with BIGINT
    hint: `c` is text: for delimited text pass `--types c=float64`, which reads numbers as `--decimal` and `--thousands` say; else write `CAST(c AS DOUBLE)`
    ");
    insta::assert_snapshot!(with("c = true").fails(3).stderr, @r"
    contract error: the expression `c = true` does not fit the table's columns: VARCHAR cannot be compared with BOOLEAN
    hint: `c` is text: for delimited text pass `--types c=boolean`; else write `CAST(c AS BOOLEAN)`
    ");
    insta::assert_snapshot!(with("CAST(c AS BIGINT) > 1").fails(1).stderr, @r"
    error: cannot compute the expression `CAST(c AS BIGINT) > 1`: a value cannot become BIGINT (`rows.csv`, row 1)
    hint: `TRY_CAST` gives null there
    ");
    with("a > 0.05 AND c = 'x'").ok();
}

#[test]
fn files_of_different_schemas_are_unified_or_refused_before_the_first_row() {
    let room = room("a,b\n0.1,0.9\n");
    room.file("more.csv", "b,a,note\n0.9,0.1,hello\n");
    room.tallow("score --model good.json rows.csv more.csv --output out.parquet")
        .ok();
    assert_eq!(room.table("out.parquet").num_rows(), 2);
    room.file("less.csv", "a\n0.1\n");
    let run = room
        .tallow("score --model good.json rows.csv less.csv --output x.parquet")
        .fails(3);
    assert!(
        run.stderr.contains("`less.csv`") && run.stderr.contains("`b`"),
        "{run}"
    );
    std::fs::copy(data("hostile/good.parquet"), room.path("good.parquet")).unwrap();
    room.tallow("score --model good.json rows.csv good.parquet --output x.parquet")
        .fails(3);
}

#[test]
fn a_package_derives_columns_and_insists_on_types() {
    let room = room("a,c\n0.1,9\n0.8,2\n");
    std::fs::create_dir(room.path("package")).unwrap();
    std::fs::rename(room.path("good.json"), room.path("package/model.json")).unwrap();
    let manifest = "name = \"ratio\"\nversion = \"3\"\n[[artefacts]]\npath = \
                    \"model.json\"\n[[derived]]\nname = \"b\"\nexpression = \"CAST(c AS DOUBLE) / \
                    10\"\n";
    room.file("package/tallow.toml", manifest);
    let json = room
        .tallow("score --model package rows.csv --output out.parquet --format json")
        .ok()
        .json();
    assert_eq!(
        (&json["model"]["name"], &json["model"]["version"]),
        (&"ratio".into(), &"3".into())
    );
    room.file("typed.csv", "a,b\n0.1,0.9\n0.8,0.2\n");
    std::fs::rename(room.path("package/model.json"), room.path("model.json")).unwrap();
    room.tallow("score --model model.json typed.csv --output typed.parquet")
        .ok();
    assert_eq!(
        numbers(column(&room.table("out.parquet"), "probability")),
        numbers(column(&room.table("typed.parquet"), "probability"))
    );
    std::fs::rename(room.path("model.json"), room.path("package/model.json")).unwrap();
    room.file(
        "package/tallow.toml",
        manifest.replace(
            "path = \"model.json\"",
            &format!("path = \"model.json\"\nsha256 = \"{}\"", "0".repeat(64)),
        ),
    );
    let run = room
        .tallow("score --model package rows.csv --output y.parquet")
        .fails(6);
    assert!(run.stderr.starts_with("trust error"), "{run}");
}

#[test]
fn an_integer_that_does_not_fit_stops_the_run_before_the_first_row() {
    use arrow::array::{ArrayRef, Float32Array, Int64Array, RecordBatch};
    use std::sync::Arc;
    let room = room("");
    std::fs::create_dir(room.path("package")).unwrap();
    std::fs::rename(room.path("good.json"), room.path("package/model.json")).unwrap();
    room.file(
        "package/tallow.toml",
        "name = \"typed\"\n[[artefacts]]\npath = \"model.json\"\n[[inputs]]\nname = \"a\"\ntype = \
         \"int32\"\n",
    );
    let rows = |last: i64| {
        let b: ArrayRef = Arc::new(Float32Array::from(vec![0.1, 0.2]));
        RecordBatch::try_from_iter([
            ("a", Arc::new(Int64Array::from(vec![1, last])) as ArrayRef),
            ("b", b),
        ])
        .unwrap()
    };
    room.parquet("fits.parquet", &rows(2), 10);
    room.parquet("wide.parquet", &rows(1 << 40), 10);
    room.tallow("score --model package fits.parquet --output out.parquet")
        .ok();
    let run = room
        .tallow("score --model package wide.parquet --output no.parquet")
        .fails(3);
    assert!(
        run.stderr.contains("requires int32") && run.stderr.contains("column `a`"),
        "{run}"
    );
}

#[test]
fn a_run_never_writes_over_what_it_reads() {
    let room = room("a,b\n0.1,0.9\n");
    std::fs::create_dir(room.path("model")).unwrap();
    std::fs::copy(room.path("good.json"), room.path("model/good.json")).unwrap();
    for flags in [
        "--model good.json rows.csv --output rows.csv",
        "--model good.json rows.csv --output ./rows.csv",
        "--model good.json rows.csv --output out.parquet --report rows.csv",
        "--model good.json rows.csv --output good.json",
        "--model model rows.csv --output model/good.json",
        "--model model rows.csv --output model/new.parquet",
    ] {
        room.tallow(&format!("score --overwrite {flags}")).fails(2);
    }
    assert_eq!(room.listing(), ["good.json", "model", "rows.csv"]);
    assert_eq!(
        std::fs::read(room.path("good.json")).unwrap(),
        std::fs::read(data("hostile/good.json")).unwrap()
    );
}

#[test]
fn names_repeated_are_refused() {
    let room = room("id,a,b\n1,0.1,0.9\n");
    score(&room, "--passthrough id,id").fails(3);
    score(&room, "--features a,a").fails(2);
    score(&room, "--features b,a").ok();
    score(&room, "--features /^[ab]{1,2}$/").ok();
    score(&room, "--features /^[ab]").fails(2);
    score(&room, "--rename a=c --rename a=d").fails(2);
    score(&room, "--rename id=").fails(2);
    let run = score(&room, "--rename id=a").fails(3);
    insta::assert_snapshot!(run.stderr, @r"
    contract error: `--rename id=a` gives a name that another column of the data has (column `a`)
    hint: rename that one too: `--rename id=a --rename a=a_before`
    ");
    score(&room, "--rename id=a --rename a=a_before").ok();
    score(&room, "--rename b=a --rename a=b").ok();
}

#[test]
fn a_declared_integer_is_insisted_on_in_text_too() {
    let room = room("a,b\n1,0.9\n1.7,0.9\n99999999999,0.9\n");
    std::fs::create_dir(room.path("package")).unwrap();
    std::fs::rename(room.path("good.json"), room.path("package/model.json")).unwrap();
    room.file(
        "package/tallow.toml",
        "name = \"typed\"\n[[artefacts]]\npath = \"model.json\"\n[[inputs]]\nname = \"a\"\ntype = \
         \"int32\"\n",
    );
    let run = room
        .tallow("score --model package rows.csv --output out.parquet")
        .fails(1);
    assert!(run.stderr.contains("row 2, column `a`"), "{run}");
    let json = room
        .tallow(
            "score --model package rows.csv --output out.parquet --on-unseen reject --format json",
        )
        .ok()
        .json();
    assert_eq!(json["ledger"]["rejected"], 2);
}

#[test]
fn dictionaries_of_any_value_are_read() {
    use arrow::array::{
        ArrayRef, BooleanArray, Decimal128Array, DictionaryArray, Float32Array, Int8Array,
        RecordBatch,
    };
    use arrow::datatypes::Int8Type;
    use std::sync::Arc;
    let room = room("");
    let keys = || Int8Array::from(vec![Some(0), Some(1), None]);
    let boolean: ArrayRef = Arc::new(DictionaryArray::<Int8Type>::new(
        keys(),
        Arc::new(BooleanArray::from(vec![true, false])),
    ));
    let prices = Decimal128Array::from(vec![110, 250])
        .with_precision_and_scale(9, 2)
        .unwrap();
    let prices: ArrayRef = Arc::new(DictionaryArray::<Int8Type>::new(keys(), Arc::new(prices)));
    let b: ArrayRef = Arc::new(Float32Array::from(vec![0.1, 0.2, 0.3]));
    room.parquet(
        "in.parquet",
        &RecordBatch::try_from_iter([("a", boolean), ("price", prices), ("b", b)]).unwrap(),
        10,
    );
    room.tallow("score --model good.json in.parquet --output out.csv")
        .ok();
    let text = std::fs::read_to_string(room.path("out.csv")).unwrap();
    let prices: Vec<&str> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap())
        .collect();
    assert_eq!(prices, ["1.10", "2.50", ""]);
}

#[test]
fn digits_that_the_model_cannot_hold_are_counted_as_rounded() {
    use arrow::array::{ArrayRef, Decimal128Array, Decimal256Array, RecordBatch};
    use arrow::datatypes::i256;
    use std::sync::Arc;
    let rounded = |room: &Room, input: &str| {
        let run = room
            .tallow(&format!(
                "score --model good.json {input} --output out.parquet --overwrite --format json"
            ))
            .ok()
            .json();
        let count = |column: &str| run["coercions"][column]["rounded"].as_u64().unwrap_or(0);
        (count("a"), count("b"))
    };
    // The model computes in single precision: 2^24 is held, the next integer is not.
    let room = room(
        "a,b\n16777216,0.1\n16777217,1e30\n-9007199254740993,33554432\n16777217.5,\
         123456789012345678901234567890\n",
    );
    assert_eq!(rounded(&room, "rows.csv"), (2, 1));
    let digits = [10, 1_234_567_891, 838_860_800, 99_999_999_999_999_999];
    let narrow = Decimal128Array::from(digits.to_vec())
        .with_precision_and_scale(38, 2)
        .unwrap();
    let wide = Decimal256Array::from(digits.map(|digits| Some(i256::from_i128(digits))).to_vec())
        .with_precision_and_scale(76, 0)
        .unwrap();
    room.parquet(
        "in.parquet",
        &RecordBatch::try_from_iter([("a", Arc::new(narrow) as ArrayRef), ("b", Arc::new(wide))])
            .unwrap(),
        10,
    );
    assert_eq!(rounded(&room, "in.parquet"), (2, 2));
    // Expressions compute with all digits of decimals.
    let run = room
        .tallow(
            "score --model good.json in.parquet --output p.parquet --format json --where \
             a>999999999999999.98",
        )
        .ok();
    assert_eq!(run.json()["ledger"]["scored"], 1, "{run}");
}

#[test]
fn a_position_that_contradicts_a_name_is_warned_of() {
    let room = room("b,a\n0.9,0.1\n");
    let rendered = score(&room, "--features b,a").ok();
    let warning = "warning: `--features` feeds the model's features with columns of other names, \
                   by position: `a <- b`, `b <- a`\n";
    assert!(rendered.stderr.starts_with(warning), "{rendered}");
    assert!(
        !score(&room, "--features a,b")
            .ok()
            .stderr
            .contains("warning")
    );
}

#[test]
fn a_file_that_is_repeated_is_warned_of() {
    let room = room("a,b\n0.1,0.9\n");
    let rendered = room
        .tallow("score --model good.json rows.csv ./rows.csv --output out.parquet")
        .ok();
    assert!(
        rendered.stderr.starts_with(
            "warning: a file that is given more than once is scored as often: `./rows.csv`\n"
        ),
        "{rendered}"
    );
}

#[test]
fn variables_of_the_environment_stand_for_flags() {
    let room = room("a,b\n0.1,0.9\n");
    let run = |value: &str| {
        room.command()
            .env("TALLOW_QUIET", value)
            .env("TALLOW_MODEL", "good.json")
            .env("TALLOW_OUTPUT", "o.parquet")
            .args(["score", "rows.csv", "--overwrite"])
            .output()
            .unwrap()
    };
    assert!(run("1").stderr.is_empty() && run("yes").status.success());
    assert!(!run("0").stderr.is_empty() && !run("").stderr.is_empty());
    let json = |variables: &[(&str, &str)], flags: &[&str]| -> serde_json::Value {
        let work = [
            "score",
            "rows.csv",
            "--overwrite",
            "--model",
            "good.json",
            "--output",
            "o.parquet",
        ];
        let output = room
            .command()
            .envs(variables.iter().copied())
            .args(work)
            .args(flags)
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let variables = [("TALLOW_FORMAT", "json"), ("TALLOW_THREADS", "3")];
    assert_eq!(json(&variables, &[])["performance"]["threads"], 3);
    assert_eq!(
        json(&variables, &["--threads", "2"])["performance"]["threads"],
        2,
        "a flag wins"
    );
    let named: Vec<(&str, &str)> = VARIABLES.iter().map(|name| (*name, "")).collect();
    assert_eq!(
        json(&named, &["--format", "json"])["status"],
        "done",
        "what is empty counts as not set"
    );
}

/// Every variable that stands for a flag.
const VARIABLES: [&str; 12] = [
    "TALLOW_ACTOR",
    "TALLOW_FORMAT",
    "TALLOW_JOB",
    "TALLOW_LOG_FORMAT",
    "TALLOW_MEMORY",
    "TALLOW_QUIET",
    "TALLOW_REGISTRY",
    "TALLOW_MODEL",
    "TALLOW_OUTPUT",
    "TALLOW_COLOR",
    "TALLOW_PROGRESS_SECONDS",
    "TALLOW_THREADS",
];

#[test]
fn every_variable_of_the_environment_is_known_here() {
    fn variables(command: &clap::Command) -> Vec<String> {
        let own = command
            .get_arguments()
            .filter_map(|argument| Some(argument.get_env()?.to_string_lossy().into_owned()));
        own.chain(command.get_subcommands().flat_map(variables))
            .collect()
    }
    let mut found = variables(&<tallow::cli::args::Cli as clap::CommandFactory>::command());
    found.sort();
    found.dedup();
    let mut known = VARIABLES.to_vec();
    known.sort_unstable();
    assert_eq!(found, known);
}

#[test]
fn a_graph_that_refuses_a_category_names_its_row_and_minds_no_rejected_one() {
    let room = Room::new();
    let model = data("golden/onnx_mixed_known/model.onnx");
    let line = |file: &str, further: &str| {
        format!(
            "score --model {} {file} --output out.parquet --overwrite --format json {further}",
            model.display()
        )
    };
    room.file(
        "unseen.csv",
        "age,income,visits,city,plan\n30,1000,3,Oslo,free\n31,1000,2,Atlantis,pro\n32,1000,2,Rome,\
         pro\n",
    );
    let run = room.tallow(&line("unseen.csv", "")).fails(1);
    assert!(
        run.stderr.contains("a category was never seen in training")
            && run.stderr.contains("`unseen.csv`, row 2"),
        "{run}"
    );
    room.file(
        "nulls.csv",
        "age,income,visits,city,plan\n30,1000,3,,free\n31,1000,2,Paris,pro\n",
    );
    let run = room
        .tallow(&line("nulls.csv", "--on-null city=reject"))
        .ok();
    assert_eq!(
        (
            &run.json()["ledger"]["scored"],
            &run.json()["ledger"]["rejected"]
        ),
        (&1.into(), &1.into())
    );
    room.file("all.csv", "age,income,visits,city,plan\n30,1000,3,,free\n");
    let run = room
        .tallow(&line("all.csv", "--on-null city=reject"))
        .fails(4);
    assert_eq!(
        (
            &run.json()["ledger"]["scored"],
            &run.json()["ledger"]["rejected"]
        ),
        (&0.into(), &1.into())
    );
}
