//! Models by name: from a push to a score, a promotion, a rollback; runs that go on; signatures.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::harness::{Room, Run, data};
use crate::recovery::{SCORE, files, room};

/// The model that a data set's manifest or a file's JSON names.
fn version(run: &Run) -> String {
    run.json()["model"]["registry_version"].to_string()
}

/// A room with a registry that holds two versions of `churn`, the first of which is the champion.
pub(crate) fn registered() -> Room {
    let room = room();
    room.tallow(
        "registry push good.json --name churn --registry models --actor ann@ci --reason first",
    )
    .ok();
    let text = std::fs::read_to_string(room.path("good.json")).unwrap();
    room.file("next.json", format!("{text}\n"));
    room.tallow("registry push next.json --name churn --registry models --actor ann@ci")
        .ok();
    room.tallow("registry promote churn:1 champion --registry models --actor ann@ci")
        .ok();
    room
}

/// `tallow` with a cache and a state directory inside the room.
pub(crate) fn tallow(room: &Room, line: &str) -> Run {
    let home = room.path("home");
    let mut command = room.command();
    command
        .env("HOME", home)
        .env("TALLOW_REGISTRY", "models")
        .args(line.split_whitespace());
    let output = command.output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn an_alias_is_scored_promoted_and_rolled_back() {
    let room = registered();
    let score = |model: &str, output: &str| {
        tallow(
            &room,
            &format!("score --format json --model {model} in-0.parquet --output {output}"),
        )
    };
    let first = score("churn@champion", "first.parquet").ok();
    assert_eq!(version(&first), "1");
    let model = &first.json()["model"];
    let shown = tallow(&room, "inspect first.report.pq").ok().stdout;
    let line = |label: &str, text: &str| format!("  {label:16} {text}\n");
    assert!(shown.contains(&line("registered", "churn:1")), "{shown}");
    for metric in ["registry_digest", "log_head"] {
        let own = line(metric, model[metric].as_str().unwrap());
        assert!(shown.contains(&own), "{own} in {shown}");
    }
    assert_eq!(model["name"], "churn");
    assert_eq!(model["registry_reference"], "churn@champion");
    assert!(
        model["log_head"].as_str().unwrap().starts_with("3:"),
        "{model}"
    );
    // In the list of runs too: of a file by its report, of a data set by its manifest.
    score("churn@champion", "first/").ok();
    let runs = tallow(&room, "log first.parquet first --format json")
        .ok()
        .json();
    for run in runs["runs"].as_array().unwrap() {
        assert_eq!(run["registered"], "churn:1", "{runs}");
        assert_eq!(run["log_head"], model["log_head"], "{runs}");
    }
    let shown = tallow(&room, "log first.parquet first").ok().stdout;
    assert_eq!(shown.matches(" (churn:1)  ").count(), 2, "{shown}");
    tallow(
        &room,
        "score --quiet --model good.json in-0.parquet --output path.parquet",
    )
    .ok();
    let column = |name: &str| {
        let table = room.table(name);
        table
            .column_by_name("probability")
            .unwrap_or(table.column(table.num_columns() - 1))
            .clone()
    };
    assert_eq!(&column("first.parquet"), &column("path.parquet"));
    let promoted = tallow(
        &room,
        "registry promote churn:2 champion --expect 1 --reason better",
    )
    .ok();
    assert_eq!(
        promoted.stdout,
        "churn@champion is churn:2, before churn:1\n"
    );
    assert_eq!(
        version(&score("churn@champion", "second.parquet").ok()),
        "2"
    );
    assert_eq!(version(&score("churn:1", "third.parquet").ok()), "1");
    let back = tallow(&room, "registry rollback churn@champion").ok();
    assert_eq!(back.stdout, "churn@champion is churn:1, before churn:2\n");
    assert_eq!(
        version(&score("churn@champion", "fourth.parquet").ok()),
        "1"
    );
    let error = tallow(&room, "registry rollback churn@champion --expect 2").fails(1);
    assert!(
        error
            .stderr
            .contains("points at version 1, and version 2 was expected"),
        "{error}"
    );
    let checked = tallow(&room, "check --model churn@champion in-0.parquet").ok();
    assert!(checked.stdout.contains("churn"), "{checked}");
    let log = tallow(&room, "registry log churn --format json")
        .ok()
        .json();
    let actions: Vec<&str> = log["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["push", "push", "promote", "promote", "rollback"]);
    let head = log["log_head"].as_str().unwrap();
    tallow(&room, &format!("registry verify churn --head {head}")).ok();
    // A report's head proves that nothing was cut off since; so does this machine's memory.
    std::fs::remove_file(room.path("models/models/churn/log/000000000005.json")).unwrap();
    tallow(&room, &format!("registry verify churn --head {head}")).fails(6);
    let error = score("churn@champion", "fifth.parquet").fails(6);
    assert!(
        error.stderr.contains("was cut short or rewritten"),
        "{error}"
    );
}

#[test]
fn a_run_that_goes_on_keeps_the_version_that_it_began_with() {
    let room = registered();
    let line = SCORE
        .replace("good.json", "churn@champion")
        .replace("--quiet", "--format json");
    tallow(&room, &format!("{line} --output out/ --max-errors 100")).fails(4);
    tallow(&room, "registry promote churn:2 champion").ok();
    let run = tallow(&room, &format!("{line} --output out/")).ok();
    assert_eq!(version(&run), "1");
    let moved =
        "the run goes on with `churn:1`, with which it began; `churn@champion` is `churn:2` now";
    assert!(run.stderr.contains(moved), "{run}");
    tallow(&room, &format!("{SCORE} --output whole/")).ok();
    let predictions = |directory: &str| {
        let found = files(&room.path(directory)).into_iter();
        found
            .filter(|(name, _)| name.ends_with(".parquet"))
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
    };
    assert_eq!(predictions("out"), predictions("whole"));
    // A new run takes the new version; the old output is in its way.
    let error = tallow(&room, &format!("{line} --output out/")).fails(1);
    assert!(error.stderr.contains("these changed: the model"), "{error}");
    assert_eq!(
        version(&tallow(&room, &format!("{line} --output out/ --overwrite")).ok()),
        "2"
    );
    assert_eq!(
        version(&tallow(&room, &format!("{line} --output new/")).ok()),
        "2"
    );
}

#[test]
fn a_version_that_was_used_before_needs_no_registry() {
    let room = registered();
    let line = SCORE.replace("good.json", "churn@champion");
    tallow(&room, &format!("{line} --output out/ --max-errors 100")).fails(4);
    std::fs::rename(room.path("models"), room.path("away")).unwrap();
    let error = tallow(
        &room,
        "score --model churn@champion in-0.parquet --output x.parquet",
    )
    .fails(1);
    assert!(
        error.stderr.contains("the directory is not a registry"),
        "{error}"
    );
    // A run that goes on, and a version that was looked up before: it never changes.
    tallow(&room, &format!("{line} --output out/")).ok();
    let by_number = line.replace("churn@champion", "churn:1");
    let run = tallow(&room, &format!("{by_number} --output new.parquet")).ok();
    let warning = "warning: `churn:1` is taken from the cache of this machine";
    assert!(run.stderr.contains(warning), "{run}");
    let error = tallow(
        &room,
        "score --model churn:2 in-0.parquet --output x.parquet",
    )
    .fails(1);
    assert!(
        error.stderr.contains("the directory is not a registry"),
        "{error}"
    );
}

#[test]
fn names_and_times_that_lead_nowhere_say_what_to_type() {
    let room = registered();
    let error = |line: &str, code: i32| tallow(&room, line).fails(code).stderr;
    let cases = [
        (
            "score --model churn@latest in-0.parquet --output x.parquet",
            1,
        ),
        ("score --model chrun:1 in-0.parquet --output x.parquet", 1),
        ("score --model churn@ in-0.parquet --output x.parquet", 2),
        ("score --model churn:1x in-0.parquet --output x.parquet", 2),
        (
            "score --model churn@champion --as-of 2020-01-01 in-0.parquet --output x.parquet",
            1,
        ),
        (
            "score --model churn@champion --as-of noon in-0.parquet --output x.parquet",
            2,
        ),
        (
            "score --model good.json --as-of 2020-01-01 in-0.parquet --output x.parquet",
            2,
        ),
        ("registry promote churn champion", 2),
        ("registry promote churn:1 Champion", 2),
        ("registry rollback churn:1", 2),
        ("registry push in-0.parquet", 3),
        ("registry gc --older-than 1h", 2),
        ("registry verify churn --head 3", 2),
    ];
    let shown = cases
        .iter()
        .map(|(line, code)| format!("$ tallow {line}\n{}\n", error(line, *code)))
        .collect::<Vec<_>>()
        .concat();
    insta::assert_snapshot!("registry_errors", shown);
    let run = room
        .tallow("score --model churn@champion in-0.parquet --output x.parquet")
        .fails(2);
    assert!(run.stderr.contains("no registry was given"), "{run}");
    let run = room.tallow("registry list").fails(2);
    assert!(run.stderr.contains("no registry was given"), "{run}");
}

#[test]
fn a_log_that_was_cut_short_is_refused_by_every_verb_without_its_head() {
    let room = registered();
    tallow(&room, "registry promote churn:2 champion").ok();
    let log = room.path("models/models/churn/log");
    let mut entries: Vec<_> = std::fs::read_dir(&log).unwrap().collect();
    entries.sort_by_key(|entry| entry.as_ref().unwrap().path());
    std::fs::remove_file(entries.last().unwrap().as_ref().unwrap().path()).unwrap();
    for line in [
        "registry verify",
        "registry log churn",
        "registry promote churn:2 champion",
        "registry rollback churn@champion",
        "registry push good.json --name churn",
        "score --model churn@champion in-0.parquet --output x.parquet",
    ] {
        let run = tallow(&room, line).fails(6);
        assert!(
            run.stderr.contains("was cut short or rewritten"),
            "{line}: {run}"
        );
    }
    // Who never saw the registry cannot know; the log of another machine is added to.
    let run = room
        .command()
        .env("HOME", room.path("other"))
        .args(["registry", "log", "churn", "--registry", "models"])
        .output()
        .unwrap();
    assert!(run.status.success());
}

/// A package in the room, signed by the kept key.
#[test]
fn a_damaged_log_hides_no_other_model_from_a_list() {
    let room = registered();
    tallow(&room, "registry push good.json --name other").ok();
    room.file("models/models/churn/log/000000000001.json", "{}");
    let listed = tallow(&room, "registry list").fails(6);
    assert!(
        listed.stdout.contains("churn  its log cannot be read\n"),
        "{listed}"
    );
    assert!(listed.stdout.contains("other  1 version"), "{listed}");
    assert!(
        listed.stderr.contains("the registry has 1 fault"),
        "{listed}"
    );
    let listed = tallow(&room, "registry list --format json").fails(6);
    let listed = listed.stdout.lines().next().unwrap();
    let listed: serde_json::Value = serde_json::from_str(listed).unwrap();
    let models = listed["models"].as_array().unwrap();
    assert!(models[0]["error"].is_string(), "{listed}");
    assert_eq!(models[1]["model"], "other");
}

fn signed(room: &Room) {
    std::fs::create_dir(room.path("package")).unwrap();
    std::fs::copy(room.path("good.json"), room.path("package/model.json")).unwrap();
    let manifest = "name = \"churn\"\nversion = \"2.1\"\n[[artefacts]]\npath = \"model.json\"\n";
    room.file("package/tallow.toml", manifest);
    let key = data("signatures/prime256v1.key");
    tallow(room, &format!("sign package --key {}", key.display())).ok();
}

#[test]
fn a_model_that_must_be_signed_is_refused_before_it_is_parsed() {
    let room = registered();
    signed(&room);
    let key = data("signatures/prime256v1.pub");
    let other = data("signatures/secp384r1.pub");
    let verify = |key: &Path| tallow(&room, &format!("verify package --key {}", key.display()));
    assert!(verify(&key).ok().stdout.starts_with("verified: 2 files\n"));
    assert!(verify(&other).fails(6).stderr.contains("is not trusted"));
    let score = |model: &str, key: &Path| {
        let line = format!(
            "score --format json --model {model} in-0.parquet --output out.parquet --overwrite \
             --require-signature {}",
            key.display()
        );
        tallow(&room, &line)
    };
    let run = score("package", &key).ok();
    assert!(
        run.json()["model"]["signer"]
            .as_str()
            .unwrap()
            .starts_with("key "),
        "{run}"
    );
    score("package", &other).fails(6);
    assert!(
        score("good.json", &key)
            .fails(6)
            .stderr
            .contains("the model is not signed")
    );
    // Through the registry, where the signature is one of the version's files.
    tallow(&room, "registry push package --name signed").ok();
    assert_eq!(version(&score("signed:1", &key).ok()), "1");
    score("churn:1", &key).fails(6);
    // What is broken is refused for its signature, not for what a parser says of it.
    room.file("package/model.json", "{ broken");
    assert!(
        score("package", &key)
            .fails(6)
            .stderr
            .contains("not the one that was signed")
    );
    std::fs::copy(room.path("good.json"), room.path("package/model.json")).unwrap();
    room.file("package/extra.json", "{}");
    assert!(
        score("package", &key)
            .fails(6)
            .stderr
            .contains("a file is not signed")
    );
    std::fs::remove_file(room.path("package/extra.json")).unwrap();
    // As the user's configuration says.
    room.file("home/.config/tallow/key.pub", std::fs::read(&key).unwrap());
    let configuration = "[trust]\nrequire = true\nkeys = [\"key.pub\"]\n";
    room.file("home/.config/tallow/config.toml", configuration);
    let plain = |model: &str| {
        tallow(
            &room,
            &format!("score --model {model} in-0.parquet --output o.parquet --overwrite"),
        )
    };
    plain("package").ok();
    plain("good.json").fails(6);
    tallow(&room, "verify package").ok();
    let digest = score("package", &key).ok().json()["model"]["signed_digest"].clone();
    let revoked = format!("{configuration}revoked = [{digest}]\n");
    room.file("home/.config/tallow/config.toml", revoked);
    assert!(plain("package").fails(6).stderr.contains("was revoked"));
    // A file that was revoked is so in a package, too, whether signatures are required or not.
    let model = Sha256::digest(std::fs::read(room.path("good.json")).unwrap());
    let model = model
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    for digest in [format!("sha256:{model}"), model.to_ascii_uppercase()] {
        let revoked = format!("[trust]\nrevoked = [\"{digest}\"]\n");
        room.file("home/.config/tallow/config.toml", revoked);
        for model in ["package", "good.json", "churn:1"] {
            let refused = plain(model).fails(6);
            assert!(refused.stderr.contains("was revoked"), "{model}: {refused}");
        }
    }
    // So is a version, by the digest that the registry shows.
    room.file("home/.config/tallow/config.toml", "");
    let line = "score --model churn:1 in-0.parquet --output o.parquet --overwrite --format json";
    let digest = tallow(&room, line).ok().json()["model"]["registry_digest"].clone();
    let revoked = format!("[trust]\nrevoked = [{digest}]\n");
    room.file("home/.config/tallow/config.toml", revoked);
    assert!(plain("churn:1").fails(6).stderr.contains("was revoked"));
    plain("good.json").ok();
    for text in ["sha256:abc", "sha512:aa", "", &model[1..]] {
        let revoked = format!("[trust]\nrevoked = [\"{text}\"]\n");
        room.file("home/.config/tallow/config.toml", revoked);
        let refused = plain("good.json").fails(2);
        assert!(refused.stderr.contains("not a SHA-256 digest"), "{refused}");
    }
}

#[test]
fn what_cannot_be_signed_or_verified_explains_what_to_type() {
    let room = registered();
    signed(&room);
    let (key, public) = (
        data("signatures/prime256v1.key"),
        data("signatures/prime256v1.pub"),
    );
    let fails = |line: String, code: i32| tallow(&room, &line).fails(code).stderr;
    let again = fails(format!("sign package --key {}", key.display()), 1);
    assert!(again.contains("it exists already"), "{again}");
    tallow(
        &room,
        &format!("sign package --overwrite --key {}", key.display()),
    )
    .ok();
    let wrong = fails(format!("sign good.json --key {}", public.display()), 2);
    assert!(wrong.contains("does not hold a private key"), "{wrong}");
    let no_key = fails("verify package".to_owned(), 2);
    assert!(no_key.contains("--key KEY.pub"), "{no_key}");
    let private = fails(format!("verify package --key {}", key.display()), 2);
    assert!(private.contains("holds a private key"), "{private}");
    let unsigned = fails(format!("verify good.json --key {}", public.display()), 6);
    assert!(unsigned.contains("tallow sign good.json"), "{unsigned}");
    // To the files of a version, which are in a cache, nothing can be added.
    let required = data("signatures/prime256v1.pub");
    let required = required.display();
    for line in [
        format!("verify churn:1 --key {required}"),
        format!(
            "score --model churn:1 in-0.parquet --output x.parquet --require-signature {required}"
        ),
    ] {
        let error = tallow(&room, &line).fails(6).stderr;
        assert!(error.contains("the model is not signed"), "{error}");
        assert!(
            error.contains("sign the package and push it again"),
            "{error}"
        );
    }
    tallow(&room, &format!("sign good.json --key {}", key.display())).ok();
    tallow(
        &room,
        &format!("verify good.json --key {}", public.display()),
    )
    .ok();
}

#[test]
fn signed_scores_are_verified_to_the_last_file() {
    let room = room();
    let (key, public) = (
        data("signatures/prime256v1.key"),
        data("signatures/prime256v1.pub"),
    );
    let line = format!("{SCORE} --output out/ --sign-key {}", key.display());
    tallow(&room, &line).ok();
    let verify = |path: &str| {
        let line = format!("verify {path} --key {}", public.display());
        tallow(&room, &line)
    };
    let parts = files(&room.path("out")).into_iter();
    let parts: Vec<String> = parts
        .map(|(name, _)| name)
        .filter(|name| name.ends_with(".parquet"))
        .collect();
    let verified = verify("out").ok();
    assert!(verified.stdout.starts_with("verified: "), "{verified}");
    // The signature is over the manifest alone, so that other tools verify it as a file.
    verify("out/_tallow/manifest.json").ok();
    let error = tallow(
        &room,
        &format!(
            "verify out --key {}",
            data("signatures/secp384r1.pub").display()
        ),
    );
    assert!(error.fails(6).stderr.contains("is not trusted"));
    for name in [&parts[0], "_tallow/manifest.json", "_tallow/report.pq"] {
        let path = room.path(&format!("out/{name}"));
        let bytes = std::fs::read(&path).unwrap();
        let mut edited = bytes.clone();
        let middle = edited.len() / 2;
        edited[middle] ^= 1;
        std::fs::write(&path, edited).unwrap();
        let error = verify("out").fails(6);
        assert!(error.stderr.contains("that was signed"), "{name}: {error}");
        std::fs::write(&path, bytes).unwrap();
    }
    std::fs::copy(
        room.path(&format!("out/{}", parts[0])),
        room.path("out/part-99999.parquet"),
    )
    .unwrap();
    assert!(
        verify("out")
            .fails(6)
            .stderr
            .contains("a file is not signed")
    );
    std::fs::remove_file(room.path("out/part-99999.parquet")).unwrap();
    verify("out").ok();
    // Scored anew without a key, the data set is not signed.
    tallow(
        &room,
        &format!("{SCORE} --output out/ --restart --overwrite"),
    )
    .ok();
    assert!(
        verify("out")
            .fails(6)
            .stderr
            .contains("is not signed (`out/_tallow/manifest.json.sig`)")
    );
    tallow(&room, &format!("sign out --key {}", key.display())).ok();
    verify("out").ok();
}

#[test]
fn a_retry_signs_the_data_set_again() {
    let room = room();
    let (key, public) = (
        data("signatures/secp521r1.key"),
        data("signatures/secp521r1.pub"),
    );
    let line = format!("{SCORE} --output out/ --sign-key {}", key.display());
    tallow(&room, &line).ok();
    let before = std::fs::read(room.path("out/_tallow/manifest.json.sig")).unwrap();
    let rejected = room.listing_of("out/_tallow/rejected");
    let part = rejected[0].split('.').next().unwrap().to_owned();
    crate::recovery::correct(&room, "out", &part, 10);
    tallow(&room, "retry out").ok();
    let after = std::fs::read(room.path("out/_tallow/manifest.json.sig")).unwrap();
    assert_ne!(before, after);
    tallow(&room, &format!("verify out --key {}", public.display())).ok();
}

#[test]
fn a_signed_file_has_its_signature_next_to_it() {
    let room = room();
    let (key, public) = (
        data("signatures/prime256v1.key"),
        data("signatures/prime256v1.pub"),
    );
    let score = |more: &str| {
        let line = "score --quiet --model good.json in-0.parquet --on-null a=reject";
        tallow(&room, &format!("{line} --output out.parquet {more}"))
    };
    let signed = format!("--sign-key {}", key.display());
    let verify = || {
        let line = format!("verify out.parquet --key {}", public.display());
        tallow(&room, &line)
    };
    score(&signed).ok();
    verify().ok();
    score("--overwrite --raw").ok();
    assert!(verify().fails(6).stderr.contains("that was signed"));
    score(&format!("{signed} --overwrite")).ok();
    verify().ok();
    // The key is read before anything is written.
    let wrong = format!("--overwrite --sign-key {}", public.display());
    let error = score(&wrong).fails(2);
    assert!(
        error.stderr.contains("does not hold a private key"),
        "{error}"
    );
    verify().ok();
}

#[test]
fn metrics_lineage_and_evaluations_say_which_version_and_log() {
    let room = Room::new();
    let (model, customers) = (data("demo/churn"), data("demo/customers.csv"));
    let (model, customers) = (model.display(), customers.display());
    tallow(
        &room,
        &format!("pack {model} --output churn --model-version 2026.11"),
    )
    .ok();
    tallow(&room, "registry push churn").ok();
    let score = format!(
        "score -qq --model churn:1 {customers} --output scores.parquet --metrics-file m.prom \
         --lineage-file l.jsonl"
    );
    tallow(&room, &score).ok();
    let head = tallow(&room, "registry log churn --format json")
        .ok()
        .json();
    let head = head["log_head"].as_str().unwrap().to_owned();
    let metrics = std::fs::read_to_string(room.path("m.prom")).unwrap();
    let sample = format!("model=\"churn\",version=\"1\",log_head=\"{head}\"}} 1\n");
    assert!(metrics.contains(&sample), "{metrics}");
    let lineage = std::fs::read_to_string(room.path("l.jsonl")).unwrap();
    for tag in [
        format!("{{\"key\":\"registry_log_head\",\"source\":\"TALLOW\",\"value\":\"{head}\"}}"),
        "\"registry_version\"".to_owned(),
        "\"registry_model\"".to_owned(),
        "\"model_digest\"".to_owned(),
    ] {
        assert!(lineage.contains(&tag), "{tag}: {lineage}");
    }
    let report = room
        .tallow("inspect scores.report.pq --format json")
        .ok()
        .json();
    assert_eq!(report["model"]["log_head"], head.as_str(), "{report}");
    let replayed = tallow(&room, "replay scores.parquet --format json").ok();
    assert_eq!(replayed.json()["model"]["log_head"], head.as_str());
    let evaluate = format!(
        "evaluate scores.parquet --labels {} --key customer_id --label churned \
         --output evaluation.pq --format json",
        data("demo/outcomes.csv").display()
    );
    let found = tallow(&room, &evaluate).ok().json();
    assert_eq!(found["model"]["version"], "2026.11", "{found}");
    assert_eq!(found["model"]["name"], "churn");
    // The version that gates come from, and those that made the tables.
    let named = evaluate.replace("evaluation.pq", "named.pq") + " --model churn:1";
    let found = tallow(&room, &named).ok().json();
    assert_eq!(found["model"]["log_head"], head.as_str(), "{found}");
    let compare = "compare scores.parquet scores.parquet --key customer_id --format json";
    let found = tallow(&room, compare).ok().json();
    for side in ["a", "b"] {
        assert_eq!(found["models"][side]["log_head"], head.as_str(), "{found}");
        assert_eq!(found["models"][side]["registry_model"], "churn", "{found}");
    }
    // An evaluation and a comparison of one version are nothing to promote another one by.
    tallow(
        &room,
        &format!("pack {model} --output churn --overwrite --model-version 2026.12"),
    )
    .ok();
    tallow(&room, "registry push churn").ok();
    tallow(
        &room,
        "compare scores.parquet scores.parquet --key customer_id --output c.pq",
    )
    .ok();
    for flag in ["--evaluation evaluation.pq", "--comparison c.pq"] {
        let error = tallow(&room, &format!("registry promote churn:2 champion {flag}"));
        let error = error.fails(3).stderr;
        let expected = "the report is of `churn:1`, not of `churn:2`";
        assert!(error.contains(expected), "{error}");
        tallow(&room, &format!("registry promote churn:1 other {flag}")).ok();
    }
    let gate = "--comparison c.pq --gate flip_rate>0.5";
    let error = tallow(&room, &format!("registry promote churn:1 champion {gate}"));
    let error = error.fails(5).stderr;
    assert!(error.contains("`churn:1` is not promoted"), "{error}");
}

#[test]
fn gates_of_a_package_decide_about_its_promotion() {
    let room = Room::new();
    let (model, customers) = (data("demo/churn"), data("demo/customers.csv"));
    let (model, customers) = (model.display(), customers.display());
    let gates = "--gate roc_auc>=0.75 --gate brier<0.2";
    tallow(&room, &format!("pack {model} --output churn {gates}")).ok();
    tallow(&room, "registry push churn").ok();
    let score = format!("score -qq --model churn:1 {customers} --output scores.parquet");
    tallow(&room, &score).ok();
    let evaluate = format!(
        "evaluate scores.parquet --labels {} --key customer_id --label churned --by region \
         --output evaluation.pq",
        data("demo/outcomes.csv").display()
    );
    tallow(&room, &evaluate).ok();
    let promote = |more: &str| tallow(&room, &format!("registry promote churn:1 champion {more}"));
    let error = promote("").fails(2);
    assert!(
        error
            .stderr
            .contains("`churn:1` has 2 gates, and no evaluation is named"),
        "{error}"
    );
    let cases = [
        ("--evaluation evaluation.pq --gate roc_auc>=0.9", 5),
        ("--evaluation evaluation.pq --gate roc_auc(*)>=0.99", 5),
        ("--evaluation evaluation.pq --gate auc>=0.9", 2),
        ("--evaluation evaluation.pq --gate roc_auc", 2),
        ("--evaluation missing.pq", 1),
        ("--evaluation scores.parquet", 1),
        ("--evaluation evaluation.pq --skip-gates", 2),
    ];
    let shown = cases
        .iter()
        .map(|(more, code)| {
            let error = promote(more).fails(*code).stderr;
            format!("$ tallow registry promote churn:1 champion {more}\n{error}\n")
        })
        .collect::<Vec<_>>()
        .concat();
    insta::assert_snapshot!("promotion_errors", shown);
    let log = || {
        tallow(&room, "registry log churn --format json")
            .ok()
            .json()
    };
    assert_eq!(
        log()["entries"].as_array().unwrap().len(),
        1,
        "nothing was moved"
    );
    let done = promote("--evaluation evaluation.pq --gate accuracy>0.7").ok();
    assert_eq!(
        done.stdout,
        "churn@champion is churn:1\ngates that hold: roc_auc>=0.75, brier<0.2, accuracy>0.7\n"
    );
    let digest = &log()["entries"][1]["evaluation"];
    assert!(digest.as_str().unwrap().starts_with("sha256:"), "{digest}");
    // A gate that only warns.
    let manifest = std::fs::read_to_string(room.path("churn/tallow.toml")).unwrap();
    let warns = manifest.replace("\"roc_auc>=0.75\"", "\"roc_auc >= 0.9\"\nlevel = \"warn\"");
    room.file("churn/tallow.toml", warns);
    tallow(&room, "registry push churn").ok();
    let score = score.replace("churn:1", "churn:2") + " --overwrite";
    tallow(&room, &score).ok();
    tallow(&room, &(evaluate + " --overwrite")).ok();
    let done = tallow(
        &room,
        "registry promote churn:2 champion --evaluation evaluation.pq",
    )
    .ok();
    assert!(
        done.stdout
            .contains("gates that hold: brier<0.2\nwarning: `roc_auc >= 0.9`: 0.80"),
        "{done}"
    );
    tallow(&room, "registry rollback churn@champion").ok();
    tallow(&room, "registry promote churn:2 other --skip-gates").ok();
}

#[test]
fn a_report_of_another_version_promotes_nothing_though_no_package_states_one() {
    let room = Room::new();
    let demo = |name: &str| data(&format!("demo/{name}")).display().to_string();
    for (model, output) in [("churn", "one"), ("candidate.ubj", "two")] {
        let pack = format!("pack {} --name m --output {output}", demo(model));
        tallow(&room, &pack).ok();
        tallow(&room, &format!("registry push {output}")).ok();
    }
    let labels = format!(
        "--labels {} --key customer_id --label churned",
        demo("outcomes.csv")
    );
    for version in [1, 2] {
        let rows = demo("customers.csv");
        let output = format!("o{version}.parquet");
        let score = format!("score -qq --model m:{version} {rows} --output {output}");
        tallow(&room, &score).ok();
        let evaluate = format!("evaluate {output} {labels} --output e{version}.pq");
        tallow(&room, &evaluate).ok();
    }
    let compare = |a: u32, b: u32| {
        let line = format!("compare o{a}.parquet o{b}.parquet {labels} --output c{a}{b}.pq");
        tallow(&room, &line).ok();
    };
    compare(1, 2);
    compare(2, 1);
    for (flag, other, own) in [
        ("--evaluation", "e1.pq", "e2.pq"),
        ("--comparison", "c21.pq", "c12.pq"),
    ] {
        let promote = |report: &str| {
            tallow(
                &room,
                &format!("registry promote m:2 champion {flag} {report}"),
            )
        };
        let refused = promote(other).fails(3);
        let message = "the report is of `m:1`, not of `m:2`";
        assert!(refused.stderr.contains(message), "{refused}");
        promote(own).ok();
    }
}

#[test]
fn an_arm_of_an_evaluation_is_promoted_by_its_own_metrics() {
    let room = Room::new();
    let demo = |name: &str| data(&format!("demo/{name}")).display().to_string();
    for (model, version, gates) in [
        ("churn", "1.0", "--gate roc_auc>=0.75"),
        (
            "candidate.ubj",
            "2.0",
            "--gate roc_auc>=0.79 --gate rank>=1",
        ),
    ] {
        let pack = format!("pack {} --name churn --output {version}", demo(model));
        tallow(&room, &format!("{pack} --model-version {version} {gates}")).ok();
        tallow(&room, &format!("registry push {version}")).ok();
    }
    let rows = demo("customers.csv");
    let score = "score -qq --model churn:1 --challenger next=churn:2";
    tallow(&room, &format!("{score} {rows} --output day.parquet")).ok();
    // The same answers of a model that is named by its path.
    let score = format!("score -qq --model 2.0 {rows} --output by_path.parquet");
    tallow(&room, &score).ok();
    let labels = demo("outcomes.csv");
    let evaluate = |arms: &str, output: &str| {
        let line = format!("evaluate {arms} --labels {labels} --key customer_id --label churned");
        let line = format!("{line} --by region --output {output} --format json");
        tallow(&room, &line).ok().json()
    };
    let challenger = "day.parquet.challengers/next.pq";
    let both = evaluate(&format!("day.parquet --arm {challenger}"), "both.pq");
    let alone = evaluate(challenger, "alone.pq");
    let arms = &both["arms"];
    for (arm, version, label) in [("day", "1", "1.0"), ("next", "2", "2.0")] {
        assert_eq!(arms[arm]["registry_version"], version, "{arms}");
        assert_eq!(arms[arm]["registry_model"], "churn");
        assert_eq!(arms[arm]["version"], label);
        assert_eq!(arms[arm]["name"], "churn");
        let digest = arms[arm]["digest"].as_str().unwrap();
        assert!(digest.starts_with("sha256:"), "{digest}");
    }
    assert_eq!(arms["first"], "day");
    for metric in [
        "roc_auc",
        "roc_auc_low",
        "brier",
        "f1",
        "accuracy",
        "log_loss",
    ] {
        let own = &alone["evaluation"][metric];
        assert!(own.as_f64().is_some(), "{metric}: {alone}");
        assert_eq!(&arms["next"][metric], own, "{metric}");
        assert_eq!(arms["day"][metric], both["evaluation"][metric], "{metric}");
    }
    assert_eq!(alone["model"]["registry_version"], "2", "{alone}");
    // The value of an arm decides about a gate, wherever its interval ends.
    let [value, low, high] = ["roc_auc", "roc_auc_low", "roc_auc_high"]
        .map(|metric| arms["next"][metric].as_f64().unwrap());
    for (limit, code) in [
        (f64::midpoint(low, value), 0),
        (f64::midpoint(value, high), 5),
    ] {
        let line = format!(
            "evaluate day.parquet --arm {challenger} --labels {labels} --key customer_id --label \
             churned --gate roc_auc(next)>={limit}"
        );
        let run = tallow(&room, &line);
        assert_eq!(run.code, code, "{limit}: {run}");
    }
    let promote = |version: u32, report: &str, more: &str| {
        let line =
            format!("registry promote churn:{version} champion --evaluation {report} {more}");
        tallow(&room, &line)
    };
    let of = |report: &str, gate: &str, code: i32| {
        let run = promote(2, report, &format!("--gate {gate}"));
        if code == 0 { run.ok() } else { run.fails(code) }
    };
    // Between the areas of both: each arm is judged by its own.
    let area = |arm: &str| arms[arm]["roc_auc"].as_f64().unwrap();
    let limit = f64::midpoint(area("day"), area("next"));
    let (better, worse) = if area("day") > area("next") {
        (1, 2)
    } else {
        (2, 1)
    };
    let gate = format!("--gate roc_auc>={limit}");
    promote(better, "both.pq", &gate).ok();
    let error = promote(worse, "both.pq", &gate).fails(5).stderr;
    assert!(
        error.contains(&format!("`churn:{worse}` is not promoted")),
        "{error}"
    );
    of("both.pq", "roc_auc(*)>=0.7", 0);
    // Segments are of the first arm alone.
    promote(1, "both.pq", "--gate roc_auc(region=north)>=0.5").ok();
    let error = of("both.pq", "roc_auc(region=north)>=0.5", 2).stderr;
    assert!(error.contains("roc_auc(region=north)"), "{error}");
    evaluate("day.parquet --arm by_path.parquet", "paths.pq");
    of("paths.pq", "roc_auc>=0.7", 0);
    // Neither arm, or both.
    tallow(&room, "pack 1.0 --output 3.0 --model-version 3.0").ok();
    tallow(&room, "registry push 3.0").ok();
    let error = promote(3, "both.pq", "").fails(3).stderr;
    assert!(error.contains("the report is of `churn:1`"), "{error}");
    evaluate(&format!("{challenger} --arm twin={challenger}"), "twins.pq");
    let error = of("twins.pq", "roc_auc>=0.7", 3).stderr;
    assert!(
        error.contains("several arms of the report are of `churn:2`"),
        "{error}"
    );
    // The gates of one version on the answers of another.
    let line = format!(
        "evaluate day.parquet --model churn:2 --labels {labels} --key customer_id --label churned"
    );
    let run = tallow(&room, &line).ok();
    let warning = "the predictions are of `churn:1`, and the gates of `churn:2`";
    assert!(run.stderr.contains(warning), "{run}");
}

#[test]
fn names_of_models_are_verified_and_inspected() {
    let room = registered();
    tallow(&room, "inspect churn@champion").ok();
    let shown = tallow(&room, "inspect churn:1 --format json").ok().json();
    assert_eq!(shown["kind"], "model", "{shown}");
    room.file("churn:1", "a,b\n1,2\n");
    let shown = tallow(&room, "inspect churn:1 --format json").ok().json();
    assert_eq!(
        shown["kind"], "data",
        "a file of that name comes first: {shown}"
    );
    let error = tallow(&room, "inspect churn:9").fails(1).stderr;
    assert!(error.contains("churn:9"), "{error}");
    signed(&room);
    tallow(&room, "registry push package --name signed").ok();
    let key = data("signatures/prime256v1.pub");
    let other = data("signatures/secp384r1.pub");
    let verify = |key: &Path| tallow(&room, &format!("verify signed:1 --key {}", key.display()));
    assert!(verify(&key).ok().stdout.starts_with("verified: 2 files\n"));
    assert!(verify(&other).fails(6).stderr.contains("is not trusted"));
}

#[test]
fn nothing_is_kept_in_the_working_directory_where_no_home_is_known() {
    let room = registered();
    let homeless = |line: &str| {
        let mut command = room.command();
        command.env("HOME", "").args(line.split_whitespace());
        command.output().unwrap()
    };
    let before = room.listing();
    // What lies there is not the user's configuration either.
    room.file(".config/tallow/config.toml", "[trust]\nrequire = true\n");
    let shown = homeless("registry log churn --registry models");
    assert!(shown.status.success(), "{shown:?}");
    let score = "score --model churn@champion --registry models in-0.parquet --output o.parquet";
    let refused = homeless(score);
    let text = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(
        text.contains("hint: set `XDG_CACHE_HOME` or `HOME`"),
        "{text}"
    );
    std::fs::remove_dir_all(room.path(".config")).unwrap();
    assert_eq!(room.listing(), before);
}
