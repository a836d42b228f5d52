//! More of what the fuzzer begins with: directories of models, job files, SQL, flags, dialects of
//! delimited text, paths.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use parquet::arrow::ArrowWriter;

use super::seeds::{Case, read, tree, wide};
use crate::harness::data;
use crate::mlflow::{SIGNATURE, mlmodel};

fn case(files: Vec<(String, Vec<u8>)>, model: &str, data: &str, line: &str) -> Case {
    Case {
        files,
        model: model.to_owned(),
        data: data.to_owned(),
        line: line.to_owned().into(),
    }
}

fn file(name: &str, content: impl AsRef<[u8]>) -> (String, Vec<u8>) {
    (name.to_owned(), content.as_ref().to_vec())
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

/// The models below a folder of `data`, with a table that suits some of them.
fn models(folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = tree(&data(folder));
    files.retain(|(name, bytes)| {
        Path::new(name).extension().is_some_and(|end| end == "onnx") && bytes.len() < 40_000
    });
    files
}

const ROWS: &str = "id,a,b,x,y,data\n1,0.5,1,2,3,4\n2,0,0,0,0,0\n3,-1,1e3,7,7,7\n";

/// The ONNX project's node tests: every operator. Their runs are mutated in `onnx_nodes.rs`.
pub(super) fn nodes() -> Vec<Case> {
    let lines = ["inspect model.onnx", "check --model model.onnx rows.csv"];
    let models = models("golden/onnx_nodes").into_iter().enumerate();
    models
        .map(|(index, (_, bytes))| {
            let files = vec![file("model.onnx", bytes), file("rows.csv", ROWS)];
            case(files, "model.onnx", "rows.csv", lines[index % 2])
        })
        .collect()
}

/// Small graphs that ask for a lot of memory: what they may take bounds what they may work out.
pub(super) fn greedy() -> Vec<Case> {
    let lines = [
        "score --model model.onnx rows.csv --output out.csv --memory 300MiB --on-unseen null",
        "check --model model.onnx rows.csv --memory 300MiB",
        "inspect model.onnx",
    ];
    models("greedy")
        .into_iter()
        .flat_map(|(_, bytes)| {
            let files = vec![file("model.onnx", bytes), file("rows.csv", ROWS)];
            lines.map(|line| case(files.clone(), "model.onnx", "rows.csv", line))
        })
        .collect()
}

/// Directories of text models: configurations, tokenizers, weights.
pub(super) fn encoders() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut folders: Vec<_> = std::fs::read_dir(data("golden/text"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("case.json").exists())
        .collect();
    folders.sort();
    for folder in folders {
        let about: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.join("case.json")).unwrap()).unwrap();
        let tokenizer = about["tokenizer"].as_str().unwrap_or("wordpiece");
        let mut files = tree(&folder.join("model"));
        if files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 80_000 {
            continue;
        }
        files
            .iter_mut()
            .for_each(|(name, _)| name.insert_str(0, "model/"));
        files.push((
            "model/tokenizer.json".to_owned(),
            read(format!("golden/text/tokenizers/{tokenizer}.json")),
        ));
        files.push(file(
            "rows.csv",
            "id,text,b\n1,a small cat,x\n2,,y\n3,Ünïcode \u{1f600} 12345,z\n",
        ));
        for line in [
            "score --model model rows.csv --output out.parquet --text text",
            "score --model model rows.csv --output out.csv --text text --max-tokens 8",
            "inspect model",
        ] {
            cases.push(case(files.clone(), "model", "rows.csv", line));
        }
    }
    // The tokenizer is the part that decides most.
    let is_small = |case: &Case| case.files.iter().all(|(_, bytes)| bytes.len() < 70_000);
    cases.retain(is_small);
    cases
}

/// Directories of `MLflow`.
pub(super) fn mlflow() -> Vec<Case> {
    let golden = "golden/onnx_logistic_nameless";
    let with = |yaml: String, name: &str, model: Vec<u8>| {
        let files = vec![
            file("model/MLmodel", yaml),
            (format!("model/{name}"), model),
            file("model/conda.yaml", "name: env\n"),
            file("rows.parquet", read(format!("{golden}/input.parquet"))),
        ];
        case(files, "model", "rows.parquet", "")
    };
    let quoted = "flavors: {onnx: {data: 'model.onnx', \"onnx_version\": 1.2}}\n\
                  mlflow_version: 2.0.0 # comment\nsignature: !!null\nnotes: |\n  text\n  more\n\
                  other: >-\n  folded\nlist:\n- 1\n- [a, b]\n- {c: d}\n";
    let good = read("hostile/good.json");
    vec![
        with(
            mlmodel("onnx", "model.onnx", SIGNATURE),
            "model.onnx",
            read(format!("{golden}/model.onnx")),
        ),
        with(
            quoted.to_owned(),
            "model.onnx",
            read(format!("{golden}/model.onnx")),
        ),
        with(mlmodel("xgboost", "model.json", ""), "model.json", good),
    ]
}

/// Job files.
pub(super) fn jobs() -> Vec<Case> {
    let short = "version = 1\nmodel = \"good.json\"\ninputs = [\"good.parquet\"]\noutput = \
                 \"out.parquet\"\n";
    let long = format!(
        "{short}# more\nthreads = 2\nbatch_rows = 5\non_null = [\"a=reject\", \"b=0\"]\n\
            where = \"a \
         > 0.1\"\npassthrough = [\"id\"]\nraw = true\nthreshold = 0.3\nmemory = \"1GiB\"\n\
         max_error_rate = \"10%\"\nlimit = 9\noverwrite = true\n"
    );
    let files = |job: &str| {
        vec![
            file("job.toml", job),
            file("good.json", read("hostile/good.json")),
            file("good.parquet", read("hostile/good.parquet")),
        ]
    };
    let mut cases = Vec::new();
    for job in [short, &long] {
        for line in [
            "score --job job.toml",
            "check --job job.toml",
            "score --job=job.toml --print-job",
        ] {
            cases.push(case(files(job), "good.json", "good.parquet", line));
        }
    }
    cases
}

/// Expressions, as filters and as derived columns.
pub(super) fn expressions() -> Vec<Case> {
    let text = String::from_utf8(read("golden/sql/expressions.txt")).unwrap();
    let mut lines = text.lines();
    let columns = lines
        .by_ref()
        .take_while(|line| !line.is_empty())
        .map(|line| {
            let mut parts = line.split('\t');
            let (name, kind) = (parts.next().unwrap(), parts.next().unwrap());
            let values = parts.map(|value| (value != "NULL").then_some(value));
            let values: ArrayRef = Arc::new(values.collect::<StringArray>());
            (name, cast(&values, &arrow_type(kind)).unwrap())
        });
    let rows = parquet(&RecordBatch::try_from_iter(columns).unwrap());
    let model = read("hostile/good.json");
    let mut cases = Vec::new();
    for (index, line) in lines.enumerate().filter(|(index, _)| index % 11 == 0) {
        let expression = line.split('\t').next().unwrap_or_default();
        let mut files = vec![
            file("good.json", &model),
            file("rows.parquet", &rows),
            file("@where", expression),
        ];
        let whole = "score --model good.json rows.parquet --output out.csv --on-null reject \
                     --passthrough all --where={@where}";
        cases.push(case(files.clone(), "good.json", "rows.parquet", whole));
        files[2] = file("@where", format!("({expression}) IS NOT NULL"));
        cases.push(case(files.clone(), "good.json", "rows.parquet", whole));
        if index % 55 == 0 {
            let manifest = format!(
                "name = \"p\"\n[[artefacts]]\npath = \"good.json\"\n[[derived]]\nname = \
                 \"a\"\nexpression = '''{expression}'''\n"
            );
            let files = vec![
                file("p/good.json", &model),
                file("rows.parquet", &rows),
                file("p/tallow.toml", manifest),
            ];
            let line = "score --model p rows.parquet --output out.csv --on-null reject";
            cases.push(case(files, "p", "rows.parquet", line));
        }
    }
    cases
}

/// A name, a content, and the flags that it needs.
type Table<'a> = (&'a str, &'a [u8], &'a [(&'a str, &'a str)]);

/// An Arrow type for one of DuckDB's.
fn arrow_type(kind: &str) -> DataType {
    match kind {
        "BIGINT" => DataType::Int64,
        "HUGEINT" => DataType::UInt64,
        "DOUBLE" => DataType::Float64,
        "FLOAT" => DataType::Float32,
        "BOOLEAN" => DataType::Boolean,
        "DATE" => DataType::Date32,
        "TIMESTAMP" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "TINYINT" => DataType::Int8,
        "SMALLINT" => DataType::Int16,
        "INTEGER" => DataType::Int32,
        kind if kind.starts_with("DECIMAL") => DataType::Decimal128(20, 2),
        _ => DataType::Utf8,
    }
}

/// Values of flags, of every kind that has a syntax of its own.
pub(super) fn flags() -> Vec<Case> {
    let values = [
        ("rename", "number=id,shop=a"),
        ("features", "a,b"),
        ("features", "x=a,b"),
        ("rows-axis", "x=0"),
        ("on-null", "a=reject"),
        ("on-null", "0.5"),
        ("on-unseen", "b=null"),
        ("offset", "a"),
        ("where", "a > 0.2 AND name LIKE 'name %'"),
        ("limit", "10"),
        ("missing", "a=-999,0.5"),
        ("passthrough", "id,shop"),
        ("threshold", "0.25"),
        ("virtual-ensembles", "10"),
        ("trees", "3"),
        ("rows-per-part", "5"),
        ("bytes-per-part", "1KiB"),
        ("partition-by", "shop"),
        ("output-format", "csv"),
        ("text", "name"),
        ("prompt-text", "query: "),
        ("dimensions", "8"),
        ("max-tokens", "16"),
        ("chunk", "8"),
        ("stride", "2"),
        ("threads", "2"),
        ("batch-rows", "3"),
        ("memory", "300MiB"),
        ("progress-seconds", "1"),
        ("max-errors", "3"),
        ("max-error-rate", "5%"),
        ("min-rows", "1"),
        ("max-age", "36500d"),
        ("max-row-delta", "30%"),
        ("skip-code", "99"),
        ("job-name", "nightly"),
        ("types", "a=float64"),
        ("encoding", "latin1"),
    ];
    let rows = parquet(&wide());
    let verbs = [
        "score --model good.json rows.parquet --output out.csv",
        "score --model good.json rows.parquet --output out/",
        "check --model good.json rows.parquet",
    ];
    let mut cases = Vec::new();
    for (index, (flag, value)) in values.iter().enumerate() {
        let files = vec![
            file("good.json", read("hostile/good.json")),
            file("rows.parquet", &rows),
            file("@value", value),
            file("@other", values[(index * 7 + 3) % values.len()].1),
        ];
        let other = values[(index * 7 + 3) % values.len()].0;
        for verb in verbs {
            let line = format!("{verb} --{flag}={{@value}}");
            cases.push(case(files.clone(), "good.json", "rows.parquet", &line));
            if other != *flag {
                let line = format!("{line} --{other}={{@other}}");
                cases.push(case(files.clone(), "good.json", "rows.parquet", &line));
            }
        }
    }
    cases
}

/// Delimited text as other programs write it, with the flags that read it.
pub(super) fn dialects() -> Vec<Case> {
    let english =
        "id,a,b,note\n1,0.25,0.5,x\n2,,NA,\"quoted, with\n\"\"breaks\"\"\"\r\n3,1e3,-0.5,é\n";
    let german = "sep=;\r\nid;a;b\r\n1;1.234,5;0,5\r\n2;;7\r\n";
    let escaped = "id,a,b,note\n1,0.5,1,\"say \\\"hi\\\"\"\n2,\\N,3,tab\\\there\n";
    let utf16: Vec<u8> = "\u{feff}id,a,b\r\n1,0.5,é\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let preamble = "# made by hand\nreport of today\n\nid,a,b\n1,0.5,0.25\n# a comment\n2,1,2\n";
    let texts: [Table; 9] = [
        ("rows.csv", english.as_bytes(), &[("missing", "NA")]),
        (
            "rows.csv",
            german.as_bytes(),
            &[("decimal", ","), ("thousands", ".")],
        ),
        (
            "rows.csv",
            escaped.as_bytes(),
            &[("escape", "\\"), ("missing", "\\N")],
        ),
        ("rows.csv", &utf16, &[("encoding", "utf-16")]),
        (
            "rows.csv",
            preamble.as_bytes(),
            &[("comment", "#"), ("skip-rows", "2")],
        ),
        (
            "rows.csv",
            b"id|a|b\n1|0.5|'x|y'\n",
            &[("delimiter", "|"), ("quote", "'")],
        ),
        (
            "rows.csv",
            english.as_bytes(),
            &[("types", "id=int64,a=float64"), ("quote", "none")],
        ),
        ("rows.tsv", b"id\ta\tb\n1\t0.5\t 1 \n", &[("trim", "")]),
        (
            "rows.csv",
            b"1,0.5,0.25\n2,1,1\n",
            &[("no-header", ""), ("rename", "column_2=a,column_3=b")],
        ),
    ];
    let mut cases = Vec::new();
    for (name, text, flags) in texts {
        let mut files = vec![
            file(name, text),
            file("good.json", read("hostile/good.json")),
        ];
        let mut line = format!(
            "score --model good.json {name} --output out.csv --on-null reject --on-unseen reject"
        );
        for (flag, value) in flags {
            if value.is_empty() {
                line += &format!(" --{flag}");
            } else {
                line += &format!(" --{flag}={{@{flag}}}");
                files.push(file(&format!("@{flag}"), value));
            }
        }
        let inspect = format!("inspect {name}");
        cases.push(case(files.clone(), "good.json", name, &line));
        cases.push(case(files.clone(), "good.json", name, &inspect));
        let to_parquet = line.replace("out.csv", "out.parquet --passthrough all");
        cases.push(case(files, "good.json", name, &to_parquet));
    }
    cases
}

/// Names of files and directories, patterns, partitions.
pub(super) fn paths() -> Vec<Case> {
    let good = || {
        vec![
            file("good.json", read("hostile/good.json")),
            file("@path-one", "shop=north"),
            file("@path-two", "shop=south%20east"),
            file("@path-file", "rows.csv"),
            file("@path-pattern", "data/*/r*.{csv,parquet}"),
            file("data/{@path-one}/{@path-file}", "id,a,b\n1,0.5,0.5\n"),
            file("data/{@path-two}/{@path-file}", "id,a,b\n2,0.25,1\n"),
        ]
    };
    [
        "score --model good.json data --output out.csv --passthrough all",
        "score --model good.json data --output out/ --partition-by shop --passthrough all",
        "score --model good.json {@path-pattern} --output out.csv",
        "score --model good.json data/{@path-one}/{@path-file} --output out.parquet",
        "score --model good.json data --output out.csv --passthrough all --any-ending",
        "score --model {@path-file} data --output out.csv",
        "check --model good.json {@path-pattern} {@path-two}",
        "inspect {@path-pattern}",
        "inspect data/{@path-one}",
        "retry {@path-one}",
    ]
    .map(|line| case(good(), "good.json", "data", line))
    .to_vec()
}
