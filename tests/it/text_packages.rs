//! Text models with a manifest: digests of all that is read, settings that a user may overrule,
//! golden rows.

use std::fmt::Write;

use arrow::array::{Array, AsArray, ListArray, RecordBatch};
use arrow::datatypes::Float32Type;
use serde_json::Value as Json;

use crate::harness::{Room, Run, column, numbers};
use crate::text_models::{lay_out, score, table_of};

const TEXTS: [Option<&str>; 5] = [
    Some("the quick brown fox"),
    None,
    Some(""),
    Some("jumps over the lazy dog and runs away"),
    Some("a fox, a dog, a fox and another dog"),
];

/// The vectors that a run wrote.
fn vectors(room: &Room) -> Vec<Option<Vec<f64>>> {
    let found = room.table("out.parquet");
    let vectors: ListArray = column(&found, "embedding").as_list::<i32>().clone();
    (0..vectors.len())
        .map(|row| (!vectors.is_null(row)).then(|| numbers(&vectors.value(row))))
        .collect()
}

fn manifest(room: &Room, directory: &str, text: &str) {
    room.file(
        &format!("{directory}/tallow.toml"),
        format!("name = \"sentences\"\nversion = \"3\"\n{text}"),
    );
}

/// Moves the model below a package's own directory.
fn into_package(room: &Room) {
    std::fs::create_dir(room.path("package")).unwrap();
    std::fs::rename(room.path("model"), room.path("package/model")).unwrap();
}

fn score_package(room: &Room, line: &str) -> Run {
    room.tallow(&format!(
        "score --model package texts.parquet --output out.parquet --overwrite {line}"
    ))
}

fn digest_of(run: &Run) -> String {
    run.json()["facts"]["digest"]
        .as_str()
        .unwrap()
        .strip_prefix("sha256:")
        .unwrap()
        .to_owned()
}

#[test]
fn a_package_made_for_bytes_gives_what_the_flag_gives_and_the_flag_overrules_it() {
    let room = Room::new();
    lay_out(&room, "bert_mean");
    table_of(&room, &TEXTS);
    let answers = |line: &str| {
        let report = score(&room, &format!("--format json {line}")).ok().json();
        (report["model"]["arithmetic"].clone(), vectors(&room))
    };
    let (bytes, single) = (answers("--precision int8"), answers("--precision f32"));
    assert!(bytes.0 == "int8" && bytes.1 != single.1);
    manifest(&room, "model", "[text]\nprecision = \"int8\"\n");
    assert_eq!(answers(""), bytes);
    assert_eq!(answers("--precision f32"), single);
    let shown = room.tallow("inspect model").ok().stdout;
    for part in [
        "name             sentences",
        "version          3",
        "format           huggingface",
        "arithmetic       int8",
        "artefacts\n  .   ",
    ] {
        assert!(shown.contains(part), "no `{part}` in\n{shown}");
    }
    into_package(&room);
    std::fs::remove_file(room.path("package/model/tallow.toml")).unwrap();
    manifest(
        &room,
        "package",
        "[[artefacts]]\npath = \"model\"\n[text]\nprecision = \"int8\"\n",
    );
    let report = score_package(&room, "--format json").ok().json();
    assert_eq!(
        (
            &report["model"]["arithmetic"],
            &report["model"]["name"],
            vectors(&room)
        ),
        (&"int8".into(), &"sentences".into(), bytes.1)
    );
}

#[test]
fn every_setting_of_a_package_is_the_flag_of_its_name_and_yields_to_it() {
    let room = Room::new();
    lay_out(&room, "nomic_prompts");
    table_of(&room, &TEXTS);
    let answers =
        |line: &str| score(&room, line).ok().code.to_string() + &format!("{:?}", vectors(&room));
    let cases = [
        ("prompt = \"query\"", "--prompt query", "--prompt none"),
        (
            "prompt_text = \"a dog: \"",
            "--prompt-text=dog",
            "--prompt query",
        ),
        ("dimensions = 6", "--dimensions 6", "--dimensions 9"),
        (
            "dimensions = 6\nnormalize = true",
            "--dimensions 6 --normalize",
            "--dimensions 6 --normalize=false",
        ),
        ("max_tokens = 5", "--max-tokens 5", "--max-tokens 8"),
        ("max_tokens = 5", "--max-tokens 5", "--chunk 8"),
        ("chunk = 6", "--chunk 6", "--chunk 7"),
        (
            "chunk = 6\nstride = 2",
            "--chunk 6 --stride 2",
            "--chunk 6 --stride 1",
        ),
        (
            "chunk = 6\nstride = 2",
            "--chunk 6 --stride 2",
            "--max-tokens 5",
        ),
        (
            "precision = \"f32-exact\"",
            "--precision f32-exact",
            "--precision int8",
        ),
    ];
    for (text, same, other) in cases {
        let _ = std::fs::remove_file(room.path("model/tallow.toml"));
        let overruled = answers(other);
        let flagged = if text.starts_with("prompt_text") {
            let run = [
                "score",
                "--model",
                "model",
                "texts.parquet",
                "--output",
                "out.parquet",
                "--overwrite",
                "--prompt-text",
                "a dog: ",
            ];
            room.run(run).ok().code.to_string() + &format!("{:?}", vectors(&room))
        } else {
            answers(same)
        };
        assert_ne!(flagged, overruled, "{text}");
        manifest(
            &room,
            "model",
            &format!("task = \"embedding\"\n[text]\n{text}\n"),
        );
        assert_eq!(answers(""), flagged, "{text}");
        assert_eq!(answers(other), overruled, "{text} and {other}");
    }
    lay_out(&room, "bert_entities");
    let words = |line: &str| {
        score(&room, line).ok();
        let found = room.table("out.parquet");
        let entities = column(&found, "entities").as_list::<i32>().clone();
        (0..entities.len())
            .map(|row| entities.value_length(row))
            .collect::<Vec<_>>()
    };
    let (all, simple) = (words("--aggregation none"), words("--aggregation simple"));
    assert_ne!(all, simple);
    manifest(&room, "model", "[text]\naggregation = \"none\"\n");
    assert_eq!((words(""), words("--aggregation simple")), (all, simple));
    // What was said of entities says nothing of vectors.
    manifest(
        &room,
        "model",
        "task = \"token-classification\"\n[text]\naggregation = \"none\"\n",
    );
    score(&room, "--task embedding").ok();
    assert_eq!(vectors(&room).len(), TEXTS.len());
}

#[test]
fn a_package_names_its_columns_of_texts_and_their_policies() {
    let room = Room::new();
    lay_out(&room, "bert_reranking");
    room.file(
        "pairs.csv",
        "query,passage,other\nfox,the quick brown fox,x\ndog,,y\n",
    );
    manifest(
        &room,
        "model",
        "task = \"reranking\"\n[[inputs]]\nname = \"query\"\n[[inputs]]\nname = \
         \"passage\"\non_null = \"reject\"\n",
    );
    let run = room
        .tallow("score --model model pairs.csv --output out.csv")
        .ok();
    assert!(run.stderr.contains("2 in = 1 scored + 1 rejected"), "{run}");
    let checked = room.tallow("check --model model pairs.csv").ok().stdout;
    assert!(
        checked.contains("<- query (string)") || checked.contains("query                    "),
        "{checked}"
    );
    let swapped = room
        .tallow("check --model model pairs.csv --text other --format json")
        .ok()
        .json();
    assert_eq!(
        swapped["binding"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["column"].clone())
            .collect::<Vec<_>>(),
        ["other", "passage"]
    );
    let shown = room.tallow("inspect model").ok().stdout;
    assert!(
        shown.contains("  query                    text\n  passage                  text\n"),
        "{shown}"
    );
    room.file("others.csv", "question,passage\nfox,the quick brown fox\n");
    let refused = room
        .tallow("score --model model others.csv --output out2.csv")
        .fails(3)
        .stderr;
    assert!(
        refused.contains("the model needs the column `query`, which is not in the data"),
        "{refused}"
    );
    manifest(
        &room,
        "model",
        "[[inputs]]\nname = \"body\"\n[[inputs]]\nname = \"passage\"\n[[derived]]\nname = \
         \"body\"\nexpression = \"query || ' ' || other\"\n",
    );
    room.tallow("score --model model pairs.csv --output out3.csv")
        .ok();
    manifest(
        &room,
        "model",
        "[[inputs]]\nname = \"a\"\n[[inputs]]\nname = \"b\"\n[[inputs]]\nname = \"c\"\n",
    );
    assert!(
        room.tallow("inspect model")
            .fails(3)
            .stderr
            .contains("a text model reads one column or two, and the manifest lists 3")
    );
    manifest(&room, "model", "[[inputs]]\nname = \"query\"\n");
    assert!(
        room.tallow("inspect model")
            .fails(3)
            .stderr
            .contains("the model reads 2 columns of texts, and the manifest lists 1 input")
    );
    lay_out(&room, "bert_two");
    manifest(
        &room,
        "model",
        "[[inputs]]\nname = \"passage\"\nrequired = false\non_null = \
         \"null\"\n[outputs]\nthreshold = 0.99999\n",
    );
    room.file("none.csv", "query\nfox\n");
    room.tallow("score --model model none.csv --output out4.csv")
        .ok();
    let labels = |line: &str| {
        room.tallow(&format!(
            "score --model model pairs.csv --output out5.parquet --overwrite {line}"
        ))
        .ok();
        crate::harness::texts(column(&room.table("out5.parquet"), "prediction"))
    };
    assert_ne!(labels(""), labels("--threshold 0"));
    room.tallow("score --model model pairs.csv --text-pair other --output out6.csv")
        .ok();
}

/// All that is read of the case `bert_mean`.
const fn files_read() -> [&'static str; 9] {
    [
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "sentence_bert_config.json",
        "config_sentence_transformers.json",
        "model.safetensors",
        "modules.json",
        "1_Pooling/config.json",
        "2_Normalize/config.json",
    ]
}

/// A byte changed in the middle, where weights, words and settings lie.
fn tampered(bytes: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    let index = bytes.len() / 2;
    changed[index] ^= 1;
    changed
}

#[test]
fn a_changed_missing_or_added_file_is_not_trusted_where_the_directory_is_listed() {
    let room = Room::new();
    lay_out(&room, "bert_mean");
    table_of(&room, &TEXTS);
    let digest = digest_of(&room.tallow("inspect model --format json").ok());
    manifest(
        &room,
        "model",
        &format!("[[artefacts]]\npath = \".\"\nsha256 = \"{digest}\"\n"),
    );
    score(&room, "").ok();
    let shown = room.tallow("inspect model --format json").ok().json();
    assert_eq!(
        shown["artefacts"][0]["sha256"],
        Json::from(digest.clone()),
        "{shown:#}"
    );
    for name in files_read() {
        let path = room.path("model").join(name);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, tampered(&whole)).unwrap();
        let run = score(&room, "").fails(6);
        assert!(
            run.stderr
                .contains("the artefact `.` is not the one that the manifest lists"),
            "{name}: {run}"
        );
        std::fs::remove_file(&path).unwrap();
        score(&room, "").fails(6);
        std::fs::write(&path, whole).unwrap();
    }
    // It would be read too.
    room.file("model/2_Normalize/model.safetensors", "{}");
    score(&room, "").fails(6);
    std::fs::remove_file(room.path("model/2_Normalize/model.safetensors")).unwrap();
    room.file("model/README.md", "nothing reads this");
    score(&room, "").ok();
}

#[test]
fn a_changed_or_unlisted_file_is_not_trusted_where_the_files_are_listed() {
    use sha2::{Digest, Sha256};
    let room = Room::new();
    lay_out(&room, "bert_mean");
    table_of(&room, &TEXTS);
    score(&room, "").ok();
    let raw = vectors(&room);
    into_package(&room);
    room.file("package/card.md", "# Sentences");
    let entry = |name: &str| {
        let bytes = std::fs::read(room.path("package").join(name)).unwrap();
        let digest = Sha256::digest(&bytes)
            .iter()
            .fold(String::new(), |mut text, byte| {
                write!(text, "{byte:02x}").unwrap();
                text
            });
        format!("[[artefacts]]\npath = \"{name}\"\nsha256 = \"{digest}\"\n")
    };
    let all = files_read()
        .iter()
        .map(|name| entry(&format!("model/{name}")))
        .collect::<String>()
        + &entry("card.md");
    manifest(&room, "package", &all);
    score_package(&room, "").ok();
    assert_eq!(vectors(&room), raw);
    assert_eq!(
        room.tallow("inspect package --format json").ok().json()["artefacts"]
            .as_array()
            .unwrap()
            .len(),
        10
    );
    for name in files_read()
        .iter()
        .map(|name| format!("model/{name}"))
        .chain(["card.md".to_owned()])
    {
        let path = room.path("package").join(&name);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, tampered(&whole)).unwrap();
        let run = score_package(&room, "").fails(6);
        assert!(
            run.stderr.contains(&format!(
                "the artefact `{name}` is not the one that the manifest lists"
            )),
            "{name}: {run}"
        );
        std::fs::write(&path, whole).unwrap();
        if name != "card.md" {
            manifest(&room, "package", &all.replace(&entry(&name), ""));
            let run = score_package(&room, "").fails(6);
            assert!(
                run.stderr.contains(&format!(
                    "the model reads `{name}`, which the manifest does not list"
                )),
                "{name}: {run}"
            );
            manifest(&room, "package", &all);
        }
    }
    room.file("package/model/2_Normalize/model.safetensors", "{}");
    assert!(
        score_package(&room, "")
            .fails(6)
            .stderr
            .contains("`model/2_Normalize/model.safetensors`")
    );
}

#[test]
fn nothing_outside_a_package_is_read() {
    let room = Room::new();
    lay_out(&room, "bert_mean");
    table_of(&room, &TEXTS);
    let refused = |text: &str, what: &str| {
        manifest(&room, "package", text);
        let run = score_package(&room, "").fails(6);
        assert!(run.stderr.contains(what), "no `{what}` in {run}");
    };
    for path in ["../model", "../package", "/tmp", ""] {
        refused(
            &format!("[[artefacts]]\npath = \"{path}\"\n[text]\n"),
            &format!("the artefact `{path}` lies outside the package"),
        );
    }
    std::os::unix::fs::symlink(room.path("model"), room.path("package/linked")).unwrap();
    refused(
        "[[artefacts]]\npath = \"linked\"\n",
        "the artefact `linked` lies outside the package",
    );
    std::fs::remove_file(room.path("package/linked")).unwrap();
    std::fs::rename(room.path("model"), room.path("package/model")).unwrap();
    manifest(&room, "package", "[[artefacts]]\npath = \"./model/\"\n");
    score_package(&room, "").ok();
    for name in [
        "model.safetensors",
        "tokenizer.json",
        "1_Pooling/config.json",
    ] {
        let (inside, outside) = (room.path("package/model").join(name), room.path("outside"));
        std::fs::rename(&inside, &outside).unwrap();
        std::os::unix::fs::symlink(&outside, &inside).unwrap();
        refused(
            "[[artefacts]]\npath = \"model\"\n",
            &format!("the artefact `model/{name}` lies outside the package"),
        );
        std::fs::remove_file(&inside).unwrap();
        std::fs::rename(&outside, &inside).unwrap();
    }
}

#[test]
fn a_manifest_that_does_not_fit_a_text_model_names_its_location_and_what_instead() {
    let room = Room::new();
    lay_out(&room, "bert_mean");
    table_of(&room, &TEXTS);
    let refused = |text: &str, parts: &[&str]| {
        manifest(&room, "model", text);
        let run = score(&room, "").fails(3);
        for part in parts {
            assert!(run.stderr.contains(part), "no `{part}` in {run}");
        }
    };
    refused(
        "[text]\nprecison = \"int8\"\n",
        &[
            "unknown field `precison`",
            "line 4",
            "did you mean `precision`?",
        ],
    );
    refused("[text]\nmax-tokens = 9\n", &["did you mean `max_tokens`?"]);
    refused(
        "[text]\nprecision = \"int-8\"\n",
        &[
            "unknown variant `int-8`, expected one of `f32`, `f32-exact`, `int8`",
            "did you mean `int8`?",
        ],
    );
    refused(
        "[text]\ndevice = \"cuda:0\"\n",
        &["a matter of each run: `--device`"],
    );
    refused(
        "[text]\ntext = \"review\"\n",
        &["`[[inputs]]` with `name = \"review\"`"],
    );
    refused(
        "[text]\ntask = \"embedding\"\n",
        &["`task` stands above all tables"],
    );
    refused(
        "[text]\nthreshold = 0.5\n",
        &["`threshold` is a key of `[outputs]`"],
    );
    refused(
        "[text]\nmax_tokens = 65\n",
        &[
            "(`model/tallow.toml`)",
            "the manifest's `max_tokens` does not fit",
            "room for 64 tokens",
            "correct `max_tokens`",
        ],
    );
    refused("[text]\nmax_tokens = -1\n", &["line 4"]);
    refused(
        "[text]\nstride = 4\n",
        &["`--stride` needs `--chunk`", "correct `stride`"],
    );
    refused(
        "[text]\naggregation = \"max\"\n",
        &[
            "has no effect on a model whose task is embedding",
            "correct `aggregation`",
        ],
    );
    refused(
        "[text]\nprompt = \"query\"\nprompt_text = \"x\"\n",
        &["exclude each other"],
    );
    refused(
        "task = \"classification\"\n",
        &["it is a `BertModel`", "correct `task`"],
    );
    refused(
        "task = \"binary\"\n",
        &[
            "the task binary, which is not a task of text models",
            "`embedding`, `classification`",
        ],
    );
    refused(
        "[outputs]\nthreshold = 0.4\n",
        &["`--threshold` has no effect", "correct `threshold`"],
    );
    refused(
        "[outputs]\nlabels = [\"a\", \"b\"]\n",
        &["`labels` of `[outputs]` is for other models"],
    );
    refused(
        "[[inputs]]\nname = \"text\"\nkind = \"number\"\n",
        &["`kind` is for columns of values", "column `text`"],
    );
    refused(
        "[[inputs]]\nname = \"text\"\n[[inputs]]\nname = \"other\"\n",
        &["`--text-pair` has no effect", "correct `inputs`"],
    );
    refused(
        "[network]\nlayers = []\n[text]\n",
        &["either a `[network]` or a `[text]`"],
    );
    manifest(&room, "model", "[text]\nmax_tokens = 65\n");
    score(&room, "--max-tokens 20").ok();
    room.file("model.json", "{}");
    std::fs::remove_dir_all(room.path("model")).unwrap();
    room.file("model/model.json", "{}");
    refused(
        "[[artefacts]]\npath = \"model.json\"\n[text]\n",
        &["`[text]` is for text models, and `model.json` is none"],
    );
    refused("[text]\n", &["has no `config.json`"]);
    refused(
        "[[artefacts]]\npath = \".\"\n",
        &["the artefact `.` is a directory, and no text model's"],
    );
    room.file("model/tokenizer.json", "{}");
    room.file("model/config.json", "{}");
    refused("", &["the text model has no `model.safetensors`"]);
}

#[test]
fn golden_vectors_and_entities_are_replayed() {
    let room = Room::new();
    for (case, answer) in [
        ("bert_mean", "embedding"),
        ("bert_entities", "entities"),
        ("deberta_labels", "prediction"),
    ] {
        lay_out(&room, case);
        table_of(&room, &TEXTS);
        let golden =
            "[golden]\nrows = \"golden_rows.parquet\"\nexpected = \"golden_expected.parquet\"\n";
        let text = format!(
            "[[inputs]]\nname = \"text\"\n{}{golden}",
            if case == "bert_mean" {
                "[text]\nprecision = \"int8\"\n"
            } else {
                ""
            }
        );
        manifest(&room, "model", &text);
        std::fs::copy(
            room.path("texts.parquet"),
            room.path("model/golden_rows.parquet"),
        )
        .unwrap();
        room.tallow(
            "score --model model texts.parquet --output model/../golden_expected.parquet \
             --overwrite --passthrough none",
        )
        .ok();
        std::fs::rename(
            room.path("golden_expected.parquet"),
            room.path("model/golden_expected.parquet"),
        )
        .unwrap();
        // The user's flags are about the user's data.
        let run = room
            .tallow("check --model model texts.parquet --precision f32 --max-tokens 5")
            .ok();
        assert!(run.stdout.contains("golden  5 rows agree"), "{case}: {run}");
        let expected = room.table("model/golden_expected.parquet");
        let transposed = expected.slice(0, 3);
        let transposed = arrow::compute::concat_batches(
            &expected.schema(),
            [&transposed, &expected.slice(4, 1), &expected.slice(3, 1)],
        )
        .unwrap();
        room.parquet("model/golden_expected.parquet", &transposed, 10);
        let run = room.tallow("check --model model texts.parquet").fails(3);
        assert!(
            run.stderr
                .contains("the model does not give its golden rows' answers")
                && run.stderr.contains("row 4"),
            "{case}: {run}"
        );
        assert!(
            run.stderr.contains(&format!("column `{answer}")),
            "{case}: {run}"
        );
    }
    lay_out(&room, "bert_mean");
    table_of(&room, &TEXTS);
    let widths = vectors_of(&room, "--dimensions 3");
    assert!(widths.value(0).as_primitive::<Float32Type>().len() == 3);
    let batch = RecordBatch::try_from_iter([(
        "embedding",
        std::sync::Arc::new(widths) as arrow::array::ArrayRef,
    )])
    .unwrap();
    manifest(
        &room,
        "model",
        "[golden]\nrows = \"golden_rows.parquet\"\nexpected = \"golden_expected.parquet\"\n",
    );
    std::fs::copy(
        room.path("texts.parquet"),
        room.path("model/golden_rows.parquet"),
    )
    .unwrap();
    room.parquet("model/golden_expected.parquet", &batch, 10);
    let run = room.tallow("check --model model texts.parquet").fails(3);
    assert!(
        run.stderr
            .contains("`a list of 32`, expected `a list of 3`"),
        "{run}"
    );
}

fn vectors_of(room: &Room, line: &str) -> ListArray {
    score(room, line).ok();
    column(&room.table("out.parquet"), "embedding")
        .as_list::<i32>()
        .clone()
}
