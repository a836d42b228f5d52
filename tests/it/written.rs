//! Texts that SQL makes of columns which the model reads as numbers and the file holds as text.

use crate::harness::{Room, column, data, table, texts};

/// A room with the rows and the model of this test.
fn room() -> Room {
    let room = Room::new();
    let read = |path: &str| std::fs::read(data(path)).unwrap();
    room.file("good.json", read("hostile/good.json"));
    room.file("rows.csv", read("golden/sql_written/rows.csv"));
    room
}

fn ids(output: &str) -> Vec<String> {
    let rows = output.lines().skip(1);
    rows.map(|row| row.split(',').next().unwrap().to_owned())
        .collect()
}

/// By DuckDB over the text of the file: `data/golden/sql_written.py`.
#[test]
fn a_text_of_a_number_is_the_text_that_stands_in_the_file() {
    let room = room();
    let mut cases = csv::Reader::from_path(data("golden/sql_written/cases.csv")).unwrap();
    let score = |expression: &str, more: &[&str]| {
        let line = "score -qq --model good.json rows.csv --output - --report none --on-null null \
                    --on-unseen null --where";
        let line: Vec<&str> = line.split_whitespace().chain([expression]).collect();
        room.run([&line, more].concat()).ok().stdout
    };
    let mut wrong = Vec::new();
    for case in cases.records() {
        let case = case.unwrap();
        let (expression, expected) = (&case[0], case[1].split_whitespace().collect::<Vec<_>>());
        for more in [&[][..], &["--passthrough", "all"]] {
            let found = ids(&score(expression, more));
            if found != expected {
                wrong.push(format!(
                    "{expression} {more:?}: {found:?}, not {expected:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_see_the_text_of_the_file_and_missing_texts_are_null() {
    let room = room();
    let line = "score --model good.json rows.csv --report out.pq --on-null null --on-unseen null \
                --missing abc --missing -999 --output out.csv";
    let line: Vec<&str> = line.split_whitespace().collect();
    let rules = [
        "spelled: CAST(a AS VARCHAR) = '2.50'",
        "joined: a || '!' = '1!'",
        "missing: CAST(a AS VARCHAR) IS NULL",
    ];
    let rules: Vec<&str> = rules.iter().flat_map(|rule| ["--rule", rule]).collect();
    room.run([&line[..], &rules].concat()).ok();
    let facts = table(&room.path("out.pq"));
    let [subjects, metrics, values] =
        ["subject", "metric", "value"].map(|name| texts(column(&facts, name)));
    let compliance = |rule: &str| {
        let is_own = |row: &usize| {
            subjects[*row].as_deref() == Some(rule)
                && metrics[*row].as_deref() == Some("compliance")
        };
        let row = (0..facts.num_rows()).find(is_own).unwrap();
        values[row].as_deref().unwrap().parse::<f64>().unwrap()
    };
    let rows = 21.0;
    for (rule, met) in [("spelled", 1.0), ("joined", 1.0), ("missing", 3.0)] {
        let found = compliance(rule);
        assert!((found - met / rows).abs() < 1e-12, "{rule}: {found}");
    }
    let kept = "score -qq --model good.json rows.csv --output - --report none --on-null null \
                --missing abc --missing -999 --where";
    let kept: Vec<&str> = kept.split_whitespace().collect();
    let run = room.run([&kept[..], &["CAST(a AS VARCHAR) IS NULL"]].concat());
    assert_eq!(ids(&run.ok().stdout), ["6", "19", "20"]);
}

#[test]
fn derived_columns_of_texts_are_those_of_the_file() {
    let room = room();
    room.file(
        "package/tallow.toml",
        "name = \"written\"\nversion = \"1\"\n\n[[artefacts]]\npath = \"good.json\"\n\n\
         [[derived]]\nname = \"spelled\"\nexpression = \"CAST(a AS VARCHAR)\"\n\n\
         [[derived]]\nname = \"both\"\nexpression = \"a || '/' || spelled\"\n",
    );
    room.file(
        "package/good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    let line = "score -qq --model package rows.csv --output - --report none --on-null null \
                --on-unseen null --passthrough id,spelled,both";
    let run = room.run(line.split_whitespace()).ok();
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(lines[2].starts_with("1,2.50,2.50/2.50,"), "{run}");
    assert!(lines[3].starts_with("2,1e1,1e1/1e1,"), "{run}");
    assert!(lines[7].starts_with("6,,,"), "{run}");
    assert!(
        lines[15].starts_with("14,9007199254740993,9007199254740993/"),
        "{run}"
    );
}
