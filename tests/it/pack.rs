//! Packages that `tallow pack` makes: of every kind of model, the same bytes each time, and proving
//! themselves.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::golden::{cases, read};
use crate::harness::{Room, Run, data};
use crate::mlflow::{SIGNATURE, mlmodel};
use crate::recovery::files;
use crate::text_models::{lay_out, table_of};

const DEMO: &str = "--model-version 7 --golden-rows 20";

/// `tallow pack` of the demo's model with everything.
fn pack_demo(room: &Room, output: &str, more: &str) -> Run {
    let (model, rows) = (data("demo/churn"), data("demo/customers.parquet"));
    let (model, rows) = (model.display(), rows.display());
    let key = data("signatures/prime256v1.key");
    room.tallow(&format!(
        "pack {model} --output {output} {DEMO} --data {rows} --golden {rows} --sign-key {} {more}",
        key.display()
    ))
}

#[test]
fn the_card_of_a_package_that_is_packed_again_has_what_it_keeps() {
    let room = Room::new();
    pack_demo(&room, "churn", "").ok();
    let key = data("signatures/prime256v1.key");
    let again = format!(
        "pack churn --output again --model-version 8 --sign-key {}",
        key.display()
    );
    room.tallow(&again).ok();
    let text = |name: &str| std::fs::read_to_string(room.path(name)).unwrap();
    for part in ["20 golden rows", "2,000 rows"] {
        assert!(
            text("churn/README.md").contains(part),
            "{part}: {}",
            text("churn/README.md")
        );
        assert!(
            text("again/README.md").contains(part),
            "{part}: {}",
            text("again/README.md")
        );
    }
}

#[test]
fn a_package_has_the_same_bytes_each_time_and_proves_itself() {
    let room = Room::new();
    insta::assert_snapshot!("pack", pack_demo(&room, "churn", "").ok().stdout);
    std::fs::create_dir(room.path("other")).unwrap();
    pack_demo(&room, "other/churn", "").ok();
    let (first, second) = (files(&room.path("churn")), files(&room.path("other/churn")));
    assert!(first == second, "other bytes");
    assert_eq!(
        first.keys().collect::<Vec<_>>(),
        [
            "README.md",
            "baseline.parquet",
            "golden_expected.parquet",
            "golden_rows.parquet",
            "model.sig",
            "model.ubj",
            "tallow.toml"
        ]
    );
    let text = |name: &str| std::fs::read_to_string(room.path(name)).unwrap();
    insta::assert_snapshot!("pack_manifest", text("churn/tallow.toml"));
    insta::assert_snapshot!("pack_card", text("churn/README.md"));
    let (rows, key) = (
        data("demo/customers.parquet"),
        data("signatures/prime256v1.pub"),
    );
    let (rows, key) = (rows.display(), key.display());
    room.tallow(&format!("verify churn --key {key}")).ok();
    let checked = room
        .tallow(&format!(
            "check --model churn {rows} --require-signature {key}"
        ))
        .ok();
    assert!(
        checked.stdout.contains("golden  20 rows agree"),
        "{checked}"
    );
    let drift = room
        .tallow(&format!("drift churn/baseline.parquet {rows}"))
        .ok();
    // Booleans are numbers to the model.
    assert!(drift.stdout.contains("9 columns"), "{drift}");
    let inspected = room.tallow("inspect churn").ok().stdout;
    for shown in [
        "golden           golden_rows",
        "baseline         base",
        "card             README",
        "## Intended use",
    ] {
        assert!(inspected.contains(shown), "{shown}: {inspected}");
    }
    // Anything else than the model's answers is noticed.
    room.file("churn/model.ubj", "{}");
    room.tallow(&format!("check --model churn {rows}")).fails(6);
}

#[test]
fn packing_again_keeps_what_the_user_wrote() {
    let room = Room::new();
    pack_demo(&room, "churn", "").ok();
    let error = pack_demo(&room, "churn", "").fails(1);
    assert!(error.stderr.contains("already"), "{error}");
    let card = std::fs::read_to_string(room.path("churn/README.md")).unwrap();
    let prompt = "<!-- Which decisions is the model made for, and which not? -->";
    assert!(card.contains(prompt));
    room.file(
        "churn/README.md",
        card.replace(prompt, "Offers to customers only."),
    );
    let manifest = std::fs::read_to_string(room.path("churn/tallow.toml")).unwrap();
    let manifest = manifest.replacen(
        "type = \"int32\"",
        "type = \"int64\"\non_unseen = \"reject\"",
        1,
    );
    room.file(
        "churn/tallow.toml",
        format!("description = \"Ours.\"\n{manifest}"),
    );
    // A package is a model, too; its own directory may be replaced by the new one.
    let key = data("signatures/secp384r1.key");
    let line = format!(
        "pack churn --output churn --overwrite --model-version 8 --sign-key {}",
        key.display()
    );
    room.tallow(&line).ok();
    let card = std::fs::read_to_string(room.path("churn/README.md")).unwrap();
    assert!(card.contains("Offers to customers only.") && card.contains("| version | 8 |"));
    let manifest = std::fs::read_to_string(room.path("churn/tallow.toml")).unwrap();
    assert!(room.path("churn/baseline.parquet").exists(), "{manifest}");
    for kept in [
        "description = \"Ours.\"",
        "on_unseen = \"reject\"",
        "type = \"int64\"",
        "[golden]",
    ] {
        assert!(manifest.contains(kept), "{kept}: {manifest}");
    }
    let key = data("signatures/secp384r1.pub");
    room.tallow(&format!("verify churn --key {}", key.display()))
        .ok();
    let rows = data("demo/customers.parquet");
    room.tallow(&format!("check --model churn {}", rows.display()))
        .ok();
    assert_eq!(room.listing(), ["churn"]);
}

#[test]
fn what_is_to_be_typed_next_works_and_both_digests_say_what_they_are_of() {
    let room = Room::new();
    let model = data("demo/churn/model.ubj");
    room.file("model.ubj", std::fs::read(model).unwrap());
    for (name, pushed) in [("Churn Model", "churn-model"), ("churn", "churn")] {
        let packed = room.run(["pack", "model.ubj", "--output", name, "--name", name]);
        let page = packed.ok().stdout;
        let fact = |label: &str| {
            let line = page.lines().find(|line| line.trim().starts_with(label));
            line.unwrap_or_else(|| panic!("{label}: {page}"))
                .trim()
                .trim_start_matches(label)
                .trim()
                .to_owned()
        };
        let quoted = if name == "churn" {
            "churn".to_owned()
        } else {
            format!("'{name}' --name {pushed}")
        };
        assert_eq!(fact("next"), format!("tallow registry push {quoted}"));
        let run = room.run([
            "registry",
            "push",
            name,
            "--name",
            pushed,
            "--registry",
            "models",
        ]);
        let shown = run.ok().stdout;
        let digest = fact("model digest");
        let of_model = format!("digest of the model   {digest} (as in reports)");
        assert!(shown.contains(&of_model), "{shown}");
        let resolved = format!("{pushed}:1 pushed: 3 files");
        assert!(shown.contains(&resolved), "{shown}");
        let score = format!(
            "score --model {pushed}:1 --registry models {} --output {pushed}.parquet --format json",
            data("demo/customers.csv").display()
        );
        let scored = room.tallow(&score).ok().json()["model"].clone();
        assert_eq!(scored["digest"], *digest, "{scored}");
        let of_version = scored["registry_digest"].as_str().unwrap();
        let of_version = format!("digest of the version {of_version} (all files)");
        assert!(shown.contains(&of_version), "{shown}");
    }
}

#[test]
fn packing_without_a_key_warns_of_a_signature_that_is_dropped() {
    let room = Room::new();
    let model = data("demo/churn/model.ubj");
    room.file("model.ubj", std::fs::read(model).unwrap());
    let key = data("signatures/prime256v1.key").display().to_string();
    let quiet = room.tallow("pack model.ubj --output unsigned").ok();
    assert_eq!(quiet.stderr, "");
    room.tallow(&format!("pack model.ubj --output churn --sign-key {key}"))
        .ok();
    room.tallow(&format!("sign model.ubj --key {key}")).ok();
    for (line, signature) in [
        ("pack churn --output again", "churn/model.sig"),
        (
            "pack churn --output churn --overwrite --model-version 2",
            "churn/model.sig",
        ),
        ("pack model.ubj --output of-file", "model.ubj.sig"),
    ] {
        let output = line.split_whitespace().nth(3).unwrap();
        let run = room.tallow(line).ok();
        let warning = format!(
            "warning: the package is not signed, and what it was made of was ({signature:?})\n\
             hint: tallow sign {output} --key KEY.pem, or pack with `--sign-key KEY.pem`\n"
        );
        assert_eq!(run.stderr, warning.replace('"', "`"), "{line}: {run}");
        let signed = format!("{line} --overwrite --sign-key {key}").replacen(
            "--overwrite --model-version 2 --overwrite",
            "--overwrite",
            1,
        );
        assert_eq!(room.tallow(&signed).ok().stderr, "", "{signed}");
    }
}

#[test]
fn gates_and_rules_that_a_package_loses_are_named() {
    let room = Room::new();
    let model = data("demo/churn/model.ubj");
    room.file("model.ubj", std::fs::read(model).unwrap());
    let pack = |more: &[&str]| {
        let line = "pack model.ubj --output churn --overwrite".split(' ');
        room.run(line.chain(more.iter().copied())).ok().stderr
    };
    let conditions = ["--gate", "roc_auc >= 0.7", "--rule", "age >= 18"];
    assert_eq!(pack(&conditions), "");
    assert_eq!(pack(&conditions), "", "packed again");
    assert_eq!(
        pack(&["--gate", "roc_auc >= 0.8"]),
        "warning: the earlier package has gates that this one does not have: `roc_auc >= 0.7`\n\
         hint: to keep them: `--gate 'roc_auc >= 0.7'`\n\
         warning: the earlier package has rules that this one does not have: `age >= 18`\n\
         hint: to keep them: `--rule 'age >= 18'`\n"
    );
    // A package that is packed keeps its own, unless others take their place.
    let again = "pack churn --output again".split(' ');
    assert_eq!(room.run(again.clone()).ok().stderr, "");
    std::fs::remove_dir_all(room.path("again")).unwrap();
    let other = room.run(again.chain(["--gate", "accuracy >= 0.5"])).ok();
    assert!(
        other.stderr.contains("does not have: `roc_auc >= 0.8`"),
        "{other}"
    );
}

#[test]
fn packing_replaces_no_file_of_somebody_else() {
    let room = Room::new();
    let model = data("demo/churn/model.ubj");
    room.file("model.ubj", std::fs::read(model).unwrap());
    room.tallow("pack model.ubj --output churn").ok();
    for name in ["NOTES.md", "data/rows.csv", ".git/config", "model.ubj.bak"] {
        room.file(&format!("churn/{name}"), "mine");
        let line = "pack model.ubj --output churn --overwrite";
        let refused = room.tallow(line).fails(2).stderr;
        assert!(refused.contains(&format!("`churn/{name}`")), "{refused}");
        assert_eq!(
            std::fs::read(room.path(&format!("churn/{name}"))).unwrap(),
            b"mine"
        );
        std::fs::remove_file(room.path(&format!("churn/{name}"))).unwrap();
    }
    // Packed again itself, a package takes along what lies in it.
    room.file("churn/NOTES.md", "mine");
    room.tallow("pack churn --output churn --overwrite --model-version 2")
        .ok();
    assert_eq!(std::fs::read(room.path("churn/NOTES.md")).unwrap(), b"mine");
}

#[test]
fn columns_that_mlflow_calls_optional_are_packed() {
    let room = Room::new();
    let signature = "signature:\n  inputs: '[{\"type\": \"double\", \"name\": \"a\"}, \
                     {\"type\": \"double\", \"name\": \"b\", \"required\": false}]'\n  \
                     outputs: null\n";
    let described = mlmodel("xgboost", "model.json", signature);
    room.file("logged/MLmodel", described);
    let bytes = std::fs::read(data("hostile/good.json")).unwrap();
    room.file("logged/model.json", bytes);
    let rows = room.file("rows.csv", "a,b\n1,2\n,3\n3,\n");
    packed(&room, &room.path("logged"), &rows, &[]).unwrap();
    let manifest = std::fs::read_to_string(room.path("package/tallow.toml")).unwrap();
    assert!(
        manifest.contains("type = \"double\"\nrequired = false\non_null = \"null\"\n"),
        "{manifest}"
    );
    room.file("alone.csv", "a\n1\n");
    for model in ["logged", "package"] {
        room.tallow(&format!(
            "score -qq --model {model} rows.csv --output {model}.out.csv"
        ))
        .ok();
        room.tallow(&format!(
            "score -qq --model {model} alone.csv --output {model}.a.csv"
        ))
        .ok();
    }
    let read = |name: &str| std::fs::read(room.path(name)).unwrap();
    assert_eq!(read("logged.out.csv"), read("package.out.csv"));
    assert_eq!(read("logged.a.csv"), read("package.a.csv"));
}

/// Packs a model with golden rows of `rows`, and checks the package against `rows`.
fn packed(room: &Room, model: &Path, rows: &Path, features: &[String]) -> Result<(), String> {
    let (model, rows) = (model.to_str().unwrap(), rows.to_str().unwrap());
    drop(std::fs::remove_dir_all(room.path("package")));
    let mut line = vec![
        "pack", model, "--output", "package", "--golden", rows, "--data", rows,
    ];
    line.extend(features.iter().map(String::as_str));
    let run = room.run(&line);
    if run
        .stderr
        .contains("golden rows need answers of other names")
    {
        // A pipeline that only transforms gives columns under the names that it read.
        let packed = room.run(["pack", model, "--output", "package", "--data", rows]);
        return if packed.code == 0 && run.code == 3 {
            Ok(())
        } else {
            Err(format!("{model}: {packed}"))
        };
    }
    if run.code != 0 {
        return Err(format!("{model}: {run}"));
    }
    let check = ["check", "--model", "package", rows];
    let run = room.run(check);
    if run.code != 0 || !run.stdout.contains("  golden  ") {
        return Err(format!("{model}: {run}"));
    }
    Ok(())
}

#[test]
fn every_kind_of_model_can_be_packed() {
    let room = Room::new();
    let mut failures = Vec::new();
    let (mut families, mut count) = (std::collections::BTreeSet::new(), 0);
    for directory in cases() {
        let case = read(&directory);
        let name = directory
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let has_no_names = case.arguments.iter().any(|one| one == "--features");
        // Every case without names, and every fifth of those that need no flags.
        count += u32::from(case.arguments.is_empty());
        if !has_no_names && (!case.arguments.is_empty() || count % 5 != 0) {
            continue;
        }
        families.insert(name.split('_').next().unwrap().to_owned());
        let features = if has_no_names {
            &case.arguments[..2]
        } else {
            &[]
        };
        let rows = directory.join("input.parquet");
        failures.extend(packed(&room, &directory.join(&case.model), &rows, features).err());
    }
    assert!(families.len() >= 6, "{families:?}");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn directories_of_text_models_and_of_mlflow_can_be_packed() {
    let room = Room::new();
    let case = data("golden/onnx_logistic_nameless");
    room.file("logged/MLmodel", mlmodel("onnx", "model.onnx", SIGNATURE));
    let bytes = std::fs::read(case.join("model.onnx")).unwrap();
    room.file("logged/model.onnx", bytes);
    let rows = case.join("input.parquet");
    packed(&room, &room.path("logged"), &rows, &[]).unwrap();
    let text = lay_out(&room, "bert_mean");
    let rows = table_of(
        &room,
        &[Some("a fox"), Some("jumps over the lazy dog"), None],
    );
    room.file(
        "model/README.md",
        "Made by us.\n\n## Training data\n\nBooks.\n",
    );
    packed(
        &room,
        &text,
        &rows,
        &["--features".to_owned(), "text".to_owned()],
    )
    .unwrap();
    let card = std::fs::read_to_string(room.path("package/README.md")).unwrap();
    assert!(
        card.contains("Made by us.\n") && card.contains("Books."),
        "{card}"
    );
    let manifest = std::fs::read_to_string(room.path("package/tallow.toml")).unwrap();
    assert!(
        manifest.contains("path = \"model\"\nsha256 = "),
        "{manifest}"
    );
}

#[test]
fn answers_of_the_original_library_are_compared_and_kept() {
    let room = Room::new();
    let rows = data("demo/customers.parquet");
    let model = data("demo/churn");
    room.tallow(&format!(
        "score -qq --model {} {} --output answered.parquet --passthrough all",
        model.display(),
        rows.display()
    ))
    .ok();
    // Another name: the output has a `probability` of its own.
    let table = room.table("answered.parquet");
    let names = table.schema();
    let columns = names
        .fields()
        .iter()
        .zip(table.columns())
        .filter_map(|(field, column)| {
            let name = field.name().as_str();
            let name = if name == "probability" {
                "by_xgboost"
            } else {
                name
            };
            (name != "prediction").then(|| (name.to_owned(), column.clone(), true))
        });
    let answered = arrow::array::RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    room.parquet("rows.parquet", &answered, 1000);
    let line = format!(
        "pack {} --output churn --golden rows.parquet",
        model.display()
    );
    let run = room.tallow(&format!("{line} --original by_xgboost")).ok();
    assert!(
        run.stdout
            .contains("100 rows, equal to the original library's"),
        "{run}"
    );
    let expected = room.table("churn/golden_expected.parquet");
    assert!(expected.column_by_name("original_probability").is_some());
    let rows = room.table("churn/golden_rows.parquet");
    assert!(
        rows.column_by_name("by_xgboost").is_none(),
        "only what the model reads"
    );
    assert!(rows.column_by_name("customer_id").is_none());
    room.tallow("check --model churn rows.parquet").ok();
    let error = room
        .tallow(&format!("{line} --overwrite --original age"))
        .fails(3);
    assert!(
        error.stderr.contains("differ from the original library's"),
        "{error}"
    );
    let error = room
        .tallow(&format!("{line} --overwrite --original by_xgbost"))
        .fails(3);
    assert_eq!(
        error.stderr,
        "contract error: `--original` names a column that the golden rows do not have (column \
         `by_xgbost`)\nhint: did you mean `by_xgboost`?\n"
    );
    assert!(
        room.path("churn/tallow.toml").exists(),
        "the package is kept"
    );
    assert!(!room.listing().iter().any(|name| name.starts_with(".tmp-")));
}

/// The demo's customers scored, with what their labels showed in `reference.json`.
fn with_reference(room: &Room) {
    let [model, rows, labels] = ["churn", "customers.parquet", "outcomes.csv"]
        .map(|name| data("demo").join(name).display().to_string());
    room.tallow(&format!(
        "score -qq --model {model} {rows} --output p.parquet"
    ))
    .ok();
    room.tallow(&format!(
        "evaluate p.parquet --label churned --labels {labels} --key customer_id \
         --save-reference reference.json"
    ))
    .ok();
}

#[test]
fn a_package_estimates_its_performance_by_its_own_reference() {
    let room = Room::new();
    with_reference(&room);
    let rows = data("demo/customers.parquet");
    let packed = pack_demo(&room, "churn", "--reference reference.json").ok();
    assert!(packed.stdout.contains("reference "), "{packed}");
    let card = std::fs::read_to_string(room.path("churn/README.md")).unwrap();
    let analyses = card.split("## Quantitative analyses").nth(1).unwrap();
    assert!(analyses.contains("| roc_auc | 0."), "{card}");
    let score = |model: &str, more: &str| {
        let line = format!(
            "score -q --model {model} {} --output q.parquet --overwrite --format json {more}",
            rows.display()
        );
        room.tallow(&line).ok().json()
    };
    let found = score("churn", "");
    assert!(found["estimates"]["estimated_roc_auc"].is_number());
    let named = score("churn", "--reference reference.json");
    let plain = data("demo/churn").display().to_string();
    let raw = score(&plain, "--reference reference.json");
    assert_eq!(found["estimates"], named["estimates"]);
    assert_eq!(found["estimates"], raw["estimates"]);
    assert!(score("churn", "--reference none")["estimates"].is_null());
    assert!(score(&plain, "")["estimates"].is_null());
    // Rows that other models answer say nothing of this one.
    let split = format!("--challenger b={plain} --split b=50% --split-by customer_id");
    assert!(score("churn", &split)["estimates"].is_null());
    let inspected = room.tallow("inspect churn").ok().stdout;
    assert!(inspected.contains("reference.json"), "{inspected}");
    // Packed again, it is kept; what a gate reads of it is there.
    room.tallow("pack churn --output churn --overwrite --gate estimated_roc_auc>0.99")
        .ok();
    let tripped = room
        .tallow(&format!(
            "score -q --model churn {} --output r.parquet",
            rows.display()
        ))
        .fails(5);
    assert!(tripped.stderr.contains("estimated_roc_auc"), "{tripped}");
    // The file is signed like the others.
    let key = data("signatures/prime256v1");
    let (key, public) = (
        format!("{}.key", key.display()),
        format!("{}.pub", key.display()),
    );
    room.tallow(&format!("sign churn --key {key} --overwrite"))
        .ok();
    let reference = std::fs::read_to_string(room.path("churn/reference.json")).unwrap();
    room.file("churn/reference.json", format!("{reference} "));
    let line = format!(
        "score -q --model churn {} --output s.parquet --require-signature {public}",
        rows.display()
    );
    room.tallow(&line).fails(6);
}

#[test]
fn a_reference_of_another_model_is_left_out_with_a_warning() {
    let room = Room::new();
    with_reference(&room);
    let rows = data("demo/customers.parquet");
    let reference = std::fs::read_to_string(room.path("reference.json")).unwrap();
    let digest = reference.split("\"digest\":\"sha256:").nth(1).unwrap();
    let digest = &digest[..64];
    let model = std::fs::read(data("demo/churn/model.ubj")).unwrap();
    let own = tallow::digest::hexadecimal(&Sha256::digest(&model));
    assert_eq!(digest, own, "the digest of the model's own file");
    let named = "\"model\":{\"name\":\"churn\"";
    assert!(reference.contains(named), "{reference}");
    room.file("other.json", reference.replace(digest, &"0".repeat(64)));
    let start = reference.find("\"model\":").unwrap();
    let end = start + reference[start..].find("},").unwrap() + 2;
    let older = format!("{}{}", &reference[..start], &reference[end..]);
    room.file(
        "older.json",
        older.replace("\"version\":2", "\"version\":1"),
    );
    let churn = data("demo/churn").display().to_string();
    let raw = data("demo/churn/model.ubj").display().to_string();
    let score = |model: &str, more: &str| {
        room.tallow(&format!(
            "score --model {model} {} --output q.parquet --overwrite --format json {more}",
            rows.display()
        ))
    };
    let known = score(&churn, "--reference reference.json").ok().json();
    let known = &known["estimates"];
    assert!(known["estimated_roc_auc"].is_number());
    for more in ["--reference older.json", "--reference reference.json"] {
        let run = score(&raw, &format!("{more} --on-unseen null")).ok();
        assert_eq!(
            run.json()["estimates"]["reference_rows"],
            known["reference_rows"]
        );
        assert!(!run.stderr.contains("another model"), "{run}");
    }
    let other = score(&churn, "--reference other.json").ok();
    assert!(other.json()["estimates"].is_null(), "{other}");
    for part in [
        "the reference is of another model, `churn`",
        "so there are no estimates (`other.json`)",
        "tallow evaluate --save-reference FILE",
    ] {
        assert!(other.stderr.contains(part), "{part} in {other}");
    }
    let gated = score(
        &churn,
        "--reference other.json --gate estimated_roc_auc>0.5",
    )
    .fails(3);
    let part = "and the gate `estimated_roc_auc>0.5` reads an estimate";
    assert!(gated.stderr.contains(part), "{gated}");
    let checked = room
        .tallow(&format!(
            "check --model {churn} {} --reference other.json",
            rows.display()
        ))
        .ok();
    assert!(checked.stderr.contains("of another model"), "{checked}");
    assert!(!checked.stdout.contains("reference "), "{checked}");
    let packed = pack_demo(&room, "churn", "--reference other.json").fails(3);
    assert!(packed.stderr.contains("of another model"), "{packed}");
    // What is packed stays, and is of the model wherever that lies.
    pack_demo(&room, "churn", "--reference reference.json").ok();
    let found = score("churn", "").ok().json();
    assert_eq!(&found["estimates"], known);
    let labels = data("demo/outcomes.csv");
    room.tallow(&format!(
        "evaluate q.parquet --label churned --labels {} --key customer_id --save-reference \
         of_package.json",
        labels.display()
    ))
    .ok();
    let again = std::fs::read_to_string(room.path("of_package.json")).unwrap();
    assert!(again.contains(digest), "{again}");
}

#[test]
fn a_reference_of_other_scores_is_not_packed() {
    let room = Room::new();
    with_reference(&room);
    let reference = std::fs::read_to_string(room.path("reference.json")).unwrap();
    room.file(
        "other.json",
        reference.replace("\"score\":\"probability\"", "\"score\":\"chance\""),
    );
    for (name, part) in [("other.json", "chance"), ("p.parquet", "not a reference")] {
        let error = pack_demo(&room, "churn", &format!("--reference {name}")).fails(3);
        assert!(error.stderr.contains(part), "{error}");
        assert!(error.stderr.contains(name), "{error}");
    }
    pack_demo(&room, "churn", "--reference reference.json").ok();
    std::fs::remove_file(room.path("churn/reference.json")).unwrap();
    let error = room.tallow("pack churn --output again").fails(3);
    assert!(
        error
            .stderr
            .contains("the reference performance of the manifest is missing"),
        "{error}"
    );
    let manifest = std::fs::read_to_string(room.path("churn/tallow.toml")).unwrap();
    room.file(
        "churn/tallow.toml",
        manifest.replace("\"reference.json\"", "\"../reference.json\""),
    );
    let error = room.tallow("inspect churn").fails(6);
    assert!(
        error
            .stderr
            .contains("the reference performance lies outside the package"),
        "{error}"
    );
}

#[test]
fn every_file_that_is_read_of_a_package_must_be_signed() {
    let room = Room::new();
    with_reference(&room);
    let rows = data("demo/customers.parquet");
    let key = data("signatures/prime256v1");
    let (key, public) = (
        format!("{}.key", key.display()),
        format!("{}.pub", key.display()),
    );
    let manifest = room.path("churn/tallow.toml");
    let score = |verb: &str| {
        room.tallow(&format!(
            "{verb} --model churn {} --require-signature {public}",
            rows.display()
        ))
    };
    // No signature covers files of these names.
    for hidden in [".github", ".gitignore"] {
        for name in [
            "baseline.parquet",
            "reference.json",
            "golden_rows.parquet",
            "golden_expected.parquet",
            "model.ubj",
        ] {
            pack_demo(&room, "churn", "--overwrite --reference reference.json").ok();
            let unsigned = if hidden == ".github" {
                format!("{hidden}/{name}")
            } else {
                hidden.to_owned()
            };
            std::fs::create_dir_all(room.path("churn").join(&unsigned).parent().unwrap()).unwrap();
            std::fs::rename(
                room.path("churn").join(name),
                room.path("churn").join(&unsigned),
            )
            .unwrap();
            let text = std::fs::read_to_string(&manifest).unwrap();
            let listed = format!("= \"{name}\"");
            assert!(text.contains(&listed), "{name}: {text}");
            let text = text.replace(&listed, &format!("= \"{unsigned}\""));
            std::fs::write(&manifest, text).unwrap();
            room.tallow(&format!("sign churn --key {key} --overwrite"))
                .ok();
            let refused = room.tallow(&format!("verify churn --key {public}"));
            assert!(refused.fails(6).stderr.contains("is not signed"), "{name}");
            let refused = score("check").fails(6);
            assert!(
                refused.stderr.contains("is not signed"),
                "{name}: {refused}"
            );
            if !name.starts_with("golden") {
                let refused = score("score -q --output p2.parquet").fails(6);
                assert!(refused.stderr.contains(&unsigned), "{name}: {refused}");
            }
        }
    }
}

#[test]
fn rules_are_packed_and_applied() {
    let room = Room::new();
    let (model, rows) = (data("demo/churn"), data("demo/customers.parquet"));
    let pack = |more: &[&str]| {
        let mut line = vec![
            "pack",
            model.to_str().unwrap(),
            "--output",
            "churn",
            "--overwrite",
        ];
        line.extend(more);
        room.run(line)
    };
    pack(&[
        "--rule",
        "grown: age >= 30; mostly=50%; on-fail=reject",
        "--rule",
        "age < 200",
    ])
    .ok();
    let manifest = std::fs::read_to_string(room.path("churn/tallow.toml")).unwrap();
    for part in [
        "name = \"grown\"",
        "mostly = 0.5",
        "on_fail = \"reject\"",
        "\"age < 200\"",
    ] {
        assert!(manifest.contains(part), "{part}: {manifest}");
    }
    let line = format!(
        "score -q --model churn {} --output p.parquet --format json",
        rows.display()
    );
    let found = room.tallow(&line).ok().json();
    assert!(
        found["quality"]["grown"]["compliance"].as_f64().unwrap() < 1.0,
        "{found}"
    );
    assert!(found["quality"]["age < 200"].is_object(), "{found}");
    let error = pack(&["--rule", "grown:"]).fails(2);
    assert!(error.stderr.contains("has no expression"), "{error}");
}

#[test]
fn what_cannot_be_packed_explains_what_to_type() {
    let room = Room::new();
    let model = data("demo/churn");
    let model = model.display();
    room.file("rows.csv", "a,b\n1,2\n");
    room.file("taken/notes.txt", "mine");
    room.tallow(&format!("pack {model} --output package")).ok();
    room.tallow(&format!("pack {model} --output linked")).ok();
    std::os::unix::fs::symlink("/etc/hostname", room.path("linked/notes")).unwrap();
    let text: String = [
        format!("pack {model} --output taken"),
        format!("pack {model} --output taken --overwrite"),
        format!("pack {model} --output missing/churn"),
        "pack package --output package/inside".to_owned(),
        "pack linked --output churn".to_owned(),
        "registry push linked --registry models".to_owned(),
        format!("pack {model} --output churn --golden rows.csv"),
        format!("pack {model} --output churn --data rows.csv"),
        format!("pack {model} --output churn --golden nothing.parquet"),
        format!("pack {model} --output churn --original x"),
        format!("pack {model} --output churn --features a,b"),
        format!("pack {model} --output churn --golden-rows 0"),
        format!("pack {model} --output churn --card missing.md"),
        "pack rows.csv --output churn".to_owned(),
    ]
    .iter()
    .map(|line| {
        let run = room.tallow(line);
        assert_ne!(run.code, 0, "{line}");
        format!("$ tallow {line}\n{}\n", run.stderr).replace(&model.to_string(), "MODEL")
    })
    .collect();
    insta::assert_snapshot!("pack_errors", text);
    assert_eq!(
        room.listing(),
        ["linked", "models", "package", "rows.csv", "taken"]
    );
    assert_eq!(room.listing_of("taken"), ["notes.txt"]);
}

#[test]
fn hidden_and_empty_files_next_to_a_signed_model_are_not_read() {
    let room = Room::new();
    let good = std::fs::read(data("hostile/good.json")).unwrap();
    room.file("signed/good.json", good);
    // What model-signing never lists, either.
    room.file("signed/.gitignore", "*.log\n");
    room.file("signed/empty", "");
    let key = |name: &str| data(&format!("signatures/{name}")).display().to_string();
    let (private, public) = (key("prime256v1.key"), key("prime256v1.pub"));
    room.tallow(&format!("sign signed --key {private}")).ok();
    room.tallow(&format!("verify signed --key {public}")).ok();
    // One that is no model of ours, too.
    room.file("signed/good.json", "{}");
    room.tallow(&format!("sign signed --key {private} --overwrite"))
        .ok();
    room.tallow(&format!("verify signed --key {public}")).ok();
}
