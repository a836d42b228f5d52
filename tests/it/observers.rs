//! What a run shows of itself, however it ends: metrics, lineage, the log, and the object on
//! standard output.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use regex::Regex;
use serde_json::Value as Json;

use crate::harness::{Room, Run, column, data, texts};

const SCORE: &str =
    "score --model good.json rows.csv --output out.parquet --overwrite --on-null a=reject";

/// Airflow's variables.
const AIRFLOW: [(&str, &str); 4] = [
    ("AIRFLOW_CTX_DAG_ID", "nightly"),
    ("AIRFLOW_CTX_TASK_ID", "churn"),
    (
        "AIRFLOW_CTX_DAG_RUN_ID",
        "scheduled__2026-11-20T00:00:00+00:00",
    ),
    ("AIRFLOW_CTX_TRY_NUMBER", "2"),
];

fn room() -> Room {
    let room = Room::new();
    room.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    room.file("rows.csv", "id,a,b\n1,0.1,0.9\n2,NA,0.2\n3,0.8,NA\n");
    room
}

/// A room with a run that lasts until it is stopped.
fn long_room() -> Room {
    let room = room();
    room.file(
        "rows.csv",
        format!("id,a,b\n{}", "1,0.25,0.5\n".repeat(300_000)),
    );
    room
}

fn read(room: &Room, name: &str) -> String {
    std::fs::read_to_string(room.path(name)).unwrap()
}

/// The value of a metric's only sample; the file is checked against the grammar of the format on
/// the way.
#[track_caller]
fn metric(room: &Room, name: &str) -> f64 {
    let text = read(room, "m.prom");
    let sample = Regex::new(r#"^([a-z_]+)\{[a-z]+="(?:[^"\\]|\\[\\n"])*"(?:,[a-z]+="(?:[^"\\]|\\[\\n"])*")*\} ([0-9.]+)$"#).unwrap();
    let (mut found, mut declared) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            declared.push(rest.strip_suffix(" gauge").unwrap().to_owned());
        } else if !line.starts_with("# HELP ") {
            let captures = sample
                .captures(line)
                .unwrap_or_else(|| panic!("no sample: {line}"));
            assert_eq!(
                declared.last().map(String::as_str),
                Some(&captures[1]),
                "samples follow their type"
            );
            if &captures[1] == name {
                found.push(captures[2].parse().unwrap());
            }
        }
    }
    assert!(
        text.ends_with('\n') && found.len() == 1,
        "{name} in\n{text}"
    );
    found[0]
}

fn events(room: &Room, name: &str) -> Vec<Json> {
    read(room, name)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn types(events: &[Json]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["eventType"].as_str().unwrap())
        .collect()
}

#[test]
fn metrics_report_every_run_and_keep_the_time_of_the_last_success() {
    let room = room();
    room.tallow(&format!("{SCORE} --metrics-file m.prom")).ok();
    let success = metric(&room, "tallow_last_success_timestamp_seconds");
    assert!(success > 1.7e9 && success == metric(&room, "tallow_last_run_timestamp_seconds"));
    assert_eq!(
        ["in", "scored", "rejected", "filtered"]
            .map(|kind| metric(&room, &format!("tallow_rows_{kind}"))),
        [3.0, 2.0, 1.0, 0.0]
    );
    assert_eq!(
        metric(&room, "tallow_output_bytes"),
        std::fs::metadata(room.path("out.parquet")).unwrap().len() as f64
    );
    assert!(
        metric(&room, "tallow_peak_memory_bytes") > 1e6
            && metric(&room, "tallow_processor_seconds") >= 0.0
    );
    let text = read(&room, "m.prom");
    assert!(
        text.contains("tallow_missing_values{job=\"good\",model=\"good\",column=\"b\"} 1\n"),
        "{text}"
    );
    let earlier = text.replace(&format!("}} {success}"), "} 1700000000");
    room.file("m.prom", &earlier);
    room.tallow(&format!("{SCORE} --metrics-file m.prom --max-errors 0"))
        .fails(4);
    assert_eq!(
        metric(&room, "tallow_last_success_timestamp_seconds"),
        1.7e9
    );
    assert_eq!(
        (
            metric(&room, "tallow_last_exit_code"),
            metric(&room, "tallow_rows_rejected")
        ),
        (4.0, 1.0)
    );
    assert!(metric(&room, "tallow_last_run_timestamp_seconds") >= success);
    assert_eq!(
        room.listing(),
        [
            "good.json",
            "m.prom",
            "out.parquet",
            "out.rejected.pq",
            "out.report.pq",
            "out.unfinished.report.pq",
            "rows.csv"
        ]
    );
}

#[test]
fn a_run_that_never_got_to_know_its_model_keeps_the_labels_of_the_job() {
    let room = room();
    std::fs::create_dir(room.path("package")).unwrap();
    std::fs::rename(room.path("good.json"), room.path("package/model.json")).unwrap();
    let manifest = room.file(
        "package/tallow.toml",
        "name = \"ratio\"\n[[artefacts]]\npath = \"model.json\"\n",
    );
    let score = |further: &str| {
        room.tallow(&format!(
            "score --model package rows.csv --output o.parquet --overwrite --metrics-file m.prom \
             {further}"
        ))
    };
    let labelled = |labels: &str| {
        assert!(
            read(&room, "m.prom").contains(&format!("tallow_last_exit_code{{{labels}}}")),
            "{}",
            read(&room, "m.prom")
        );
    };
    score("").ok();
    labelled("job=\"ratio\",model=\"ratio\"");
    std::fs::write(
        &manifest,
        "name = \"ratio\"\n[[artefacts]]\npath = \"gone.json\"\n",
    )
    .unwrap();
    score("").fails(1);
    labelled("job=\"ratio\",model=\"ratio\"");
    score("--job-name other").fails(1);
    labelled("job=\"other\",model=\"package\"");
    room.tallow(
        "score --model package rows.csv --output missing/o.parquet \
            --metrics-file m.prom --job-name \
         other",
    )
    .fails(1);
    assert_eq!(metric(&room, "tallow_last_exit_code"), 1.0);
}

#[test]
fn nothing_to_do_is_a_success() {
    let room = room();
    let line = format!(
        "{} --skip-code 99 --metrics-file m.prom --lineage-file events.jsonl",
        SCORE.replace("--overwrite ", "")
    );
    room.tallow(&line).ok();
    assert_eq!(
        (
            metric(&room, "tallow_nothing_to_do"),
            metric(&room, "tallow_rows_in")
        ),
        (0.0, 3.0)
    );
    room.tallow(&line).fails(99);
    assert_eq!(
        (
            metric(&room, "tallow_last_exit_code"),
            metric(&room, "tallow_nothing_to_do")
        ),
        (99.0, 1.0)
    );
    assert!(
        !read(&room, "m.prom").contains("tallow_rows_"),
        "no alert on too few rows may fire"
    );
    assert_eq!(
        metric(&room, "tallow_last_success_timestamp_seconds"),
        metric(&room, "tallow_last_run_timestamp_seconds")
    );
    assert_eq!(
        types(&events(&room, "events.jsonl")),
        ["START", "COMPLETE", "START", "COMPLETE"]
    );
}

#[test]
fn a_run_that_corrects_is_reported_as_any_other() {
    let room = room();
    room.tallow("score --quiet --model good.json rows.csv --output out/ --on-null a=reject")
        .ok();
    let retry = |further: &str| {
        room.tallow(&format!(
            "retry out --metrics-file m.prom --lineage-file events.jsonl {further}"
        ))
    };
    retry("--job-name mending --skip-code 99").fails(99);
    assert_eq!(metric(&room, "tallow_last_exit_code"), 99.0);
    let rejected = room.table("out/_tallow/rejected/part-00000.pq");
    let a: arrow::array::ArrayRef =
        std::sync::Arc::new(arrow::array::StringArray::from(vec!["0.5"]));
    let columns = rejected
        .schema_ref()
        .fields()
        .iter()
        .zip(rejected.columns());
    let columns = columns.map(|(field, column)| {
        (
            field.name().clone(),
            if field.name() == "a" {
                a.clone()
            } else {
                column.clone()
            },
            true,
        )
    });
    room.parquet(
        "mended.parquet",
        &arrow::array::RecordBatch::try_from_iter_with_nullable(columns).unwrap(),
        9,
    );
    // From another directory: the files that tell of the run belong to the one it is started in.
    std::fs::create_dir(room.path("elsewhere")).unwrap();
    let mut command = room.command();
    command.current_dir(room.path("elsewhere")).args(
        "retry ../out --corrected ../mended.parquet --metrics-file m.prom --lineage-file e.jsonl"
            .split(' '),
    );
    assert!(command.status().unwrap().success());
    std::fs::rename(room.path("elsewhere/m.prom"), room.path("m.prom")).unwrap();
    assert_eq!(
        ["in", "scored", "rejected"].map(|kind| metric(&room, &format!("tallow_rows_{kind}"))),
        [3.0, 3.0, 0.0]
    );
    let rendered = [
        events(&room, "events.jsonl"),
        events(&room, "elsewhere/e.jsonl"),
    ]
    .concat();
    assert_eq!(types(&rendered), ["START", "COMPLETE", "START", "COMPLETE"]);
    assert_eq!(
        (&rendered[1]["job"]["name"], &rendered[3]["job"]["name"]),
        (&"mending".into(), &"good".into())
    );
    assert_eq!(
        rendered[3]["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"],
        3
    );
    room.tallow("retry gone --metrics-file m.prom").fails(1);
    assert_eq!(metric(&room, "tallow_last_exit_code"), 1.0);
    assert!(
        retry("--metrics-file events.jsonl")
            .fails(2)
            .stderr
            .contains("is given more than once")
    );
    let run = room
        .tallow("retry out --metrics-file same --lineage-file same")
        .fails(2);
    assert!(run.stderr.contains("have the same name"), "{run}");
}

/// The event of a run that is done, names and times that change put aside.
const COMPLETE: &str = r#"{
  "eventTime": "TIME",
  "eventType": "COMPLETE",
  "inputs": [
    {
      "facets": {
        "dataSource": {
          "_producer": "urn:tallow:VERSION",
          "_schemaURL": "https://openlineage.io/spec/facets/1-0-1/DatasourceDatasetFacet.json#/$defs/DatasourceDatasetFacet",
          "name": "file",
          "uri": "file://[ROOM]/rows.csv"
        },
        "schema": {
          "_producer": "urn:tallow:VERSION",
          "_schemaURL": "https://openlineage.io/spec/facets/1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet",
          "fields": [
            {
              "name": "id",
              "type": "Utf8"
            },
            {
              "name": "a",
              "type": "Utf8"
            },
            {
              "name": "b",
              "type": "Utf8"
            }
          ]
        }
      },
      "inputFacets": {
        "inputStatistics": {
          "_producer": "urn:tallow:VERSION",
          "_schemaURL": "https://openlineage.io/spec/facets/1-0-0/InputStatisticsInputDatasetFacet.json#/$defs/InputStatisticsInputDatasetFacet",
          "rowCount": 3,
          "size": 35
        }
      },
      "name": "[ROOM]/rows.csv",
      "namespace": "file"
    }
  ],
  "job": {
    "facets": {
      "jobType": {
        "_producer": "urn:tallow:VERSION",
        "_schemaURL": "https://openlineage.io/spec/facets/2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet",
        "integration": "TALLOW",
        "jobType": "JOB",
        "processingType": "BATCH"
      }
    },
    "name": "nightly_churn",
    "namespace": "default"
  },
  "outputs": [
    {
      "facets": {
        "dataSource": {
          "_producer": "urn:tallow:VERSION",
          "_schemaURL": "https://openlineage.io/spec/facets/1-0-1/DatasourceDatasetFacet.json#/$defs/DatasourceDatasetFacet",
          "name": "file",
          "uri": "file://[ROOM]/out.parquet"
        },
        "schema": {
          "_producer": "urn:tallow:VERSION",
          "_schemaURL": "https://openlineage.io/spec/facets/1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet",
          "fields": [
            {
              "name": "id",
              "type": "Utf8"
            },
            {
              "name": "probability",
              "type": "Float32"
            },
            {
              "name": "prediction",
              "type": "Int64"
            }
          ]
        }
      },
      "name": "[ROOM]/out.parquet",
      "namespace": "file",
      "outputFacets": {
        "outputStatistics": {
          "_producer": "urn:tallow:VERSION",
          "_schemaURL": "https://openlineage.io/spec/facets/1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet",
          "rowCount": 2,
          "size": "BYTES"
        }
      }
    }
  ],
  "producer": "urn:tallow:VERSION",
  "run": {
    "facets": {
      "parent": {
        "_producer": "urn:tallow:VERSION",
        "_schemaURL": "https://openlineage.io/spec/facets/1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet",
        "job": {
          "name": "nightly.churn",
          "namespace": "default"
        },
        "run": {
          "runId": "UUID"
        }
      },
      "processing_engine": {
        "_producer": "urn:tallow:VERSION",
        "_schemaURL": "https://openlineage.io/spec/facets/1-1-1/ProcessingEngineRunFacet.json#/$defs/ProcessingEngineRunFacet",
        "name": "tallow",
        "version": "VERSION"
      },
      "tags": {
        "_producer": "urn:tallow:VERSION",
        "_schemaURL": "https://openlineage.io/spec/facets/1-0-0/TagsRunFacet.json#/$defs/TagsRunFacet",
        "tags": [
          {
            "key": "model_name",
            "source": "TALLOW",
            "value": "good"
          },
          {
            "key": "model_digest",
            "source": "TALLOW",
            "value": "sha256:f4772169c51e76ce9404985e80321ebd2581fea726f91fb73bbf09bf0c53f631"
          },
          {
            "key": "tallow_run_id",
            "source": "TALLOW",
            "value": "RUN"
          }
        ]
      }
    },
    "runId": "UUID"
  },
  "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
}"#;

#[test]
fn lineage_reports_what_was_read_and_written() {
    let room = room();
    let mut command = room.command();
    command
        .envs(AIRFLOW)
        .args(format!("{SCORE} --lineage-file events.jsonl --job-name nightly_churn").split(' '));
    assert!(command.status().unwrap().success());
    let rendered = events(&room, "events.jsonl");
    assert_eq!(types(&rendered), ["START", "COMPLETE"]);
    assert_eq!(rendered[0]["run"]["runId"], rendered[1]["run"]["runId"]);
    assert!(rendered[0]["eventTime"].as_str() <= rendered[1]["eventTime"].as_str());
    let uuid = Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
        .unwrap();
    let time = Regex::new("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z").unwrap();
    let bytes = std::fs::metadata(room.path("out.parquet")).unwrap().len();
    let rejected = &rendered[1]["outputs"][1];
    assert!(
        rejected["name"]
            .as_str()
            .unwrap()
            .ends_with("/out.rejected.pq")
            && rejected["outputFacets"]["outputStatistics"]["rowCount"] == 1
    );
    let mut event = rendered[1].clone();
    event["run"]["facets"]["tags"]["tags"][2]["value"] = "RUN".into();
    event["outputs"].as_array_mut().unwrap().truncate(1);
    assert_eq!(
        event["outputs"][0]["outputFacets"]["outputStatistics"]["size"],
        bytes
    );
    event["outputs"][0]["outputFacets"]["outputStatistics"]["size"] = "BYTES".into();
    let text = serde_json::to_string_pretty(&event).unwrap();
    let text = text
        .replace(&*room.path("").to_string_lossy(), "[ROOM]/")
        .replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let text = time
        .replace_all(&uuid.replace_all(&text, "UUID"), "TIME")
        .into_owned();
    assert_eq!(text, COMPLETE);
}

#[test]
fn lineage_reports_how_runs_fail_and_where_they_begin() {
    let room = room();
    let score =
        |further: &str| room.tallow(&format!("{SCORE} --lineage-file events.jsonl {further}"));
    score("--rename nobody=a").fails(3);
    score("--min-rows 9").fails(5);
    score("--max-errors 0").fails(4);
    let rendered = events(&room, "events.jsonl");
    assert_eq!(types(&rendered), ["START", "FAIL"].repeat(3));
    let error = |event: &Json| {
        event["run"]["facets"]["errorMessage"]["message"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(
        error(&rendered[1]).contains("`nobody`")
            && rendered[1]["inputs"].as_array().unwrap().is_empty()
    );
    assert!(
        error(&rendered[3]).contains("`--min-rows`")
            && rendered[3]["inputs"][0]["inputFacets"]["inputStatistics"]["rowCount"] == 3
    );
    assert!(error(&rendered[5]).contains("`--max-errors 0`"));
    assert_eq!(
        rendered[5]["inputs"][0]["inputFacets"]["inputStatistics"]["rowCount"],
        2
    );
    assert!(
        rendered[5]["outputs"][0]["outputFacets"].is_null(),
        "nothing was published"
    );
    let ids: std::collections::BTreeSet<String> = rendered
        .iter()
        .map(|event| event["run"]["runId"].to_string())
        .collect();
    assert_eq!(ids.len(), 3, "every attempt has an identifier of its own");
}

#[test]
fn the_same_work_has_one_name_and_every_attempt_at_it_another() {
    let room = room();
    let line = "score --model good.json rows.csv --output out/ --on-null a=reject --overwrite \
                --restart --format json --lineage-file events.jsonl";
    let attempts = [0, 1].map(|attempt| {
        let run = room.tallow(&format!("{line} --log-format json")).ok();
        let object = run.json();
        let rendered = events(&room, "events.jsonl").split_off(2 * attempt);
        let manifest: Json =
            serde_json::from_str(&read(&room, "out/_tallow/manifest.json")).unwrap();
        let logged = entries(&run).pop().unwrap();
        for other in [
            &object["run"]["invocation_id"],
            &manifest["invocation_id"],
            &logged["invocation_id"],
            &rendered[0]["run"]["runId"],
            &rendered[1]["run"]["runId"],
        ] {
            assert_eq!(&object["invocation_id"], other);
        }
        (
            object["run_id"].clone(),
            object["invocation_id"].clone(),
            std::fs::read(room.path("out/part-00000.parquet")).unwrap(),
        )
    });
    let [first, second] = attempts;
    assert_eq!(first.0, second.0);
    assert_ne!(first.1, second.1);
    assert!(
        first.2 == second.2,
        "the attempt's name is in no output file"
    );
    let failed = room
        .tallow("score --model gone.json rows.csv --output out.parquet --format json")
        .fails(1);
    assert!(failed.json()["invocation_id"].is_string(), "{failed}");
}

#[test]
fn a_parent_that_the_scheduler_names_is_reported() {
    let room = room();
    let parent = |variables: &[(&str, &str)]| {
        let mut command = room.command();
        command
            .envs(variables.iter().copied())
            .args(format!("{SCORE} --lineage-file events.jsonl").split(' '));
        assert!(command.status().unwrap().success());
        events(&room, "events.jsonl").pop().unwrap()["run"]["facets"]["parent"].take()
    };
    assert!(parent(&[]).is_null());
    assert_eq!(
        parent(&[AIRFLOW.as_slice(), &[("OPENLINEAGE_NAMESPACE", "prod")]].concat())["job"],
        serde_json::json!({"namespace": "prod", "name": "nightly.churn"})
    );
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let provided = format!("prod/nightly.score/{id}");
    let variables = [AIRFLOW.as_slice(), &[("OPENLINEAGE_PARENT_ID", &provided)]].concat();
    assert_eq!(parent(&variables)["run"]["runId"], id);
}

/// Starts a run that lasts, waits until `name` is there, disturbs it, and waits for its end.
fn disturb(room: &Room, line: &str, name: &str, disturbance: impl FnOnce(u32)) -> Output {
    let mut command = room.command();
    command
        .args(line.split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut run = command.spawn().unwrap();
    while !room.path(name).exists() {
        assert!(
            run.try_wait().unwrap().is_none(),
            "the run ended before it could be disturbed"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    disturbance(run.id());
    run.wait_with_output().unwrap()
}

/// The hidden file of the output, there once the run works.
fn working(room: &Room) -> impl Fn() -> bool + '_ {
    || {
        room.listing()
            .iter()
            .any(|name| name.starts_with(".tmp-out.parquet-"))
    }
}

#[test]
fn a_run_that_is_stopped_reports_it() {
    let room = long_room();
    let line = format!(
        "{SCORE} --threads 1 --batch-rows 16 --format json --log-format json --metrics-file \
         m.prom --lineage-file events.jsonl"
    );
    let output = disturb(&room, &line, "events.jsonl", |id| {
        while !working(&room)() {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(
            Command::new("kill")
                .args(["-TERM", &id.to_string()])
                .status()
                .unwrap()
                .success()
        );
    });
    assert_eq!(
        (output.status.code(), output.status.signal()),
        (Some(143), None)
    );
    assert_eq!(metric(&room, "tallow_last_exit_code"), 143.0);
    assert_eq!(metric(&room, "tallow_last_success_timestamp_seconds"), 0.0);
    assert_eq!(types(&events(&room, "events.jsonl")), ["START", "ABORT"]);
    let object: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&object["exit_code"], &object["status"]),
        (&143.into(), &"interrupted".into())
    );
    let lines: Vec<Json> = String::from_utf8(output.stderr)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let entry = lines.last().unwrap();
    assert_eq!(
        (&entry["level"], &entry["exit_code"], &entry["run_id"]),
        (&"error".into(), &143.into(), &object["run_id"])
    );
    assert!(
        lines.len() == 2
            && lines[0]["message"]
                .as_str()
                .unwrap()
                .starts_with("stopping"),
        "{lines:?}"
    );
}

#[test]
fn what_cannot_be_reported_is_a_warning_and_the_result_stays() {
    let room = room();
    let run = room
        .tallow(&format!(
            "{SCORE} --quiet --format json --lineage-file /dev/full"
        ))
        .ok();
    insta::assert_snapshot!(run.stderr, @r"
    warning: 1 of 3 rows were rejected (`out.parquet`)
    hint: each with its reason, they are in `out.rejected.pq`
    warning: cannot append to the file (`/dev/full`)
      caused by: No space left on device (os error 28)
    hint: free some space, or write to another disk
    ");
    let warnings = run.json()["warnings"].as_array().unwrap().len();
    assert_eq!((warnings, room.table("out.parquet").num_rows()), (1, 2));
    let run = room
        .tallow(&format!(
            "{SCORE} --format json --lineage-file /dev/full --max-errors 0"
        ))
        .fails(4);
    assert_eq!(
        (
            &run.json()["exit_code"],
            run.json()["warnings"].as_array().unwrap().len()
        ),
        (&4.into(), 1)
    );
    let room = long_room();
    std::fs::create_dir(room.path("metrics")).unwrap();
    let line = format!(
        "{SCORE} --quiet --threads 1 --batch-rows 16 --format json --metrics-file metrics/m.prom"
    );
    let output = disturb(&room, &line, "metrics", |_| {
        while !working(&room)() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::fs::remove_dir_all(room.path("metrics")).unwrap();
    });
    let (stdout, stderr) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(
        output.status.success() && stderr.starts_with("warning: "),
        "{stderr}"
    );
    let object: Json = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert!(
        object["warnings"][0]
            .as_str()
            .unwrap()
            .contains("metrics/m.prom"),
        "{object}"
    );
    assert_eq!(room.table("out.parquet").num_rows(), 300_000);
}

#[test]
fn files_that_cannot_be_opened_stop_the_run_before_its_first_row() {
    let room = room();
    let score = |further: &str| {
        room.tallow(&format!(
            "score --model good.json rows.csv --output out.parquet {further}"
        ))
    };
    for flag in ["--metrics-file", "--lineage-file"] {
        score(&format!("{flag} missing/file")).fails(1);
        score(&format!("{flag} .")).fails(1);
        let run = score(&format!("{flag} rows.csv")).fails(2);
        assert!(
            run.stderr
                .contains(&format!("`{flag}` names a file that holds something else")),
            "{run}"
        );
        score(&format!("{flag} good.json")).fails(2);
        score(&format!("{flag} ./out.parquet")).fails(2);
        score(&format!("--report r.parquet {flag} r.parquet")).fails(2);
    }
    let run = score("--metrics-file told --lineage-file told").fails(2);
    assert!(
        run.stderr
            .contains("`--metrics-file` and `--lineage-file` have the same name"),
        "{run}"
    );
    assert_eq!(room.listing(), ["good.json", "rows.csv"]);
}

/// The entries of a log as JSON; each must have time, level and message.
#[track_caller]
fn entries(run: &Run) -> Vec<Json> {
    let entries: Vec<Json> = run
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{run}")))
        .collect();
    for entry in &entries {
        assert!(
            ["time", "level", "message"]
                .iter()
                .all(|name| entry[name].is_string()),
            "{entry}"
        );
    }
    entries
}

#[test]
fn a_log_as_json_holds_an_object_in_every_line() {
    let room = room();
    let run = room
        .tallow(&format!("{SCORE} --log-format json --format json"))
        .ok();
    let summary = entries(&run).pop().unwrap();
    assert_eq!(
        (&summary["level"], &summary["summary"]),
        (&"info".into(), &run.json())
    );
    assert_eq!(summary["run_id"], run.json()["run_id"]);
    assert!(
        summary["message"]
            .as_str()
            .unwrap()
            .starts_with("good (xgboost) scored 2 rows in ")
    );
    let run = room
        .tallow(&format!("{SCORE} --log-format json --on-null error"))
        .fails(1);
    let mut error = entries(&run).pop().unwrap();
    (error["time"], error["run_id"], error["invocation_id"]) =
        ("TIME".into(), "RUN".into(), "UUID".into());
    insta::assert_snapshot!(error, @r#"{"column":"a","exit_code":1,"hint":"fix the row, or let the run continue: `--on-null a=reject` rejects such rows, `--on-null a=null` reads them as missing; `--missing` says which texts mean a missing value","invocation_id":"UUID","kind":"error","level":"error","message":"a value is missing","path":"rows.csv","row":2,"run_id":"RUN","time":"TIME"}"#);
    let run = room
        .tallow("score --log-format=json --no-such-flag")
        .fails(2);
    assert_eq!(
        (&entries(&run)[0]["kind"], &entries(&run)[0]["exit_code"]),
        (&"usage error".into(), &2.into())
    );
    let run = room.tallow("--log-format json").fails(2);
    assert!(
        entries(&run)[0]["message"]
            .as_str()
            .unwrap()
            .contains("requires a subcommand"),
        "{run}"
    );
    let run = room
        .tallow(&format!(
            "{SCORE} --log-format json --quiet --lineage-file /dev/full"
        ))
        .ok();
    let levels: Vec<Json> = entries(&run)
        .iter()
        .map(|entry| entry["level"].clone())
        .collect();
    assert_eq!(
        levels,
        ["warn", "warn"],
        "the rejected row, and what could not be written: {run}"
    );
    let output = room
        .command()
        .env("TALLOW_LOG_FORMAT", "json")
        .args(["inspect", "gone"])
        .output()
        .unwrap();
    assert_eq!(
        serde_json::from_slice::<Json>(&output.stderr).unwrap()["path"],
        "gone"
    );
    assert!(
        room.tallow("--help --log-format json")
            .ok()
            .stdout
            .contains("Usage:")
    );
}

#[test]
fn what_airflow_states_is_in_the_report_the_json_line_and_the_manifest() {
    let room = room();
    let score = |output: &str| -> Json {
        let line = format!("score --model good.json rows.csv --output {output} --format json");
        let output = room
            .command()
            .envs(AIRFLOW)
            .args(line.split(' '))
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let expected = serde_json::json!({"dag_id": "nightly", "task_id": "churn",
        "dag_run_id": AIRFLOW[2].1, "try_number": "2"});
    assert_eq!(score("out.parquet")["scheduler"], expected);
    assert_eq!(score("parts/")["scheduler"], expected);
    let manifest: Json = serde_json::from_str(&read(&room, "parts/_tallow/manifest.json")).unwrap();
    assert_eq!(manifest["scheduler"], expected);
    for report in ["out.report.pq", "parts/_tallow/report.pq"] {
        let table = room.table(report);
        let [sections, metrics, values] =
            ["section", "metric", "text"].map(|name| texts(column(&table, name)));
        let facts = sections
            .iter()
            .zip(metrics)
            .zip(values)
            .filter(|((section, _), _)| section.as_deref() == Some("scheduler"));
        let facts: serde_json::Map<String, Json> = facts
            .map(|((_, metric), value)| (metric.unwrap(), value.into()))
            .collect();
        assert_eq!(Json::Object(facts), expected, "{report}");
    }
}

#[test]
fn the_last_line_of_a_failure_is_an_object_with_the_exit_code() {
    let room = room();
    room.file("text.json", "no model");
    room.file(
        "package/tallow.toml",
        format!(
            "name = \"x\"\n[[artefacts]]\npath = \"m.json\"\nsha256 = \"{}\"\n",
            "0".repeat(64)
        ),
    );
    room.file(
        "package/m.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    room.tallow("score --quiet --model good.json rows.csv --output parts/")
        .ok();
    let cases = [
        (2, "score --no-such-flag"),
        (2, ""),
        (
            2,
            "score --model good.json rows.csv --output out.parquet --threads 0",
        ),
        (
            2,
            "score --model good.json rows.csv --output out.parquet --on-null a=perhaps",
        ),
        (
            2,
            "score --model good.json rows.csv --output rows.csv --overwrite",
        ),
        (
            3,
            "score --model good.json rows.csv --output out.parquet --rename nobody=a",
        ),
        (3, "check --model good.json rows.csv --rename nobody=a"),
        (
            4,
            "score --model good.json rows.csv --output out.parquet --on-null reject --max-errors 0",
        ),
        (
            4,
            "score --model good.json rows.csv --output over/ --on-null reject --max-errors 0 \
             --on-budget publish",
        ),
        (
            4,
            "score --model good.json rows.csv --output less/ --on-null reject --max-errors 0",
        ),
        (
            5,
            "score --model good.json rows.csv --output out.parquet --min-rows 9",
        ),
        (6, "score --model package rows.csv --output out.parquet"),
        (1, "score --model gone.json rows.csv --output out.parquet"),
        (3, "score --model text.json rows.csv --output out.parquet"),
        (1, "score --model good.json gone.csv --output out.parquet"),
        (
            1,
            "score --model good.json rows.csv --output missing/out.parquet",
        ),
        (
            1,
            "score --model good.json rows.csv --output out.parquet --on-null error",
        ),
        (1, "score --model good.json rows.csv --output parts/ --raw"),
        (
            1,
            "score --model good.json rows.csv --output out.parquet --metrics-file missing/m.prom",
        ),
        (
            99,
            "score --model good.json rows.csv --output parts/ --skip-code 99",
        ),
        (1, "inspect gone"),
        (1, "retry gone"),
    ];
    for (code, line) in cases {
        let run = room.tallow(&format!("{line} --format json")).fails(code);
        let object = run.json();
        assert_eq!(object["exit_code"], code, "{line}: {object}");
        assert!(
            object["status"].is_string() && (code == 99 || object["error"]["message"].is_string()),
            "{line}: {object}"
        );
        assert!(code == 99 || !run.stderr.is_empty(), "{line}");
    }
}

#[test]
fn a_run_that_finds_the_output_taken_reports_it_in_all_its_files() {
    let room = long_room();
    let line = format!("{SCORE} --quiet --threads 1 --batch-rows 16");
    disturb(&room, &line, ".out.parquet.lock", |id| {
        let run = room
            .tallow(&format!(
                "{SCORE} --format json --metrics-file m.prom --lineage-file events.jsonl"
            ))
            .fails(75);
        assert_eq!(
            (&run.json()["exit_code"], &run.json()["error"]["kind"]),
            (&75.into(), &"busy".into())
        );
        assert_eq!(metric(&room, "tallow_last_exit_code"), 75.0);
        assert_eq!(types(&events(&room, "events.jsonl")), ["START", "FAIL"]);
        assert!(
            Command::new("kill")
                .args(["-KILL", &id.to_string()])
                .status()
                .unwrap()
                .success()
        );
    });
}

#[test]
fn off_a_terminal_a_line_now_and_then_reports_how_far_a_run_came() {
    let room = Room::new();
    room.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    room.file(
        "rows.csv",
        format!("id,a,b\n{}", "1,0.25,0.5\n".repeat(1_000)),
    );
    let score =
        "score --model good.json rows.csv --batch-rows 100 --overwrite --output out.parquet";
    let lines = |further: &str| {
        let run = room.tallow(&format!("{score} {further}")).ok();
        run.stderr
            .lines()
            .filter(|line| line.contains(" rows, ") && line.ends_with(" rows/s"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let rendered = lines("--progress-seconds 0");
    assert_eq!(
        rendered.len(),
        11,
        "one for each batch, and one for none: {rendered:?}"
    );
    // Behind the time: `2026-11-28T02:10:34Z 100 rows, …`.
    let of_row = |line: &String| line.split_once("Z ").unwrap().1.to_owned();
    assert!(
        of_row(&rendered[1]).starts_with("100 rows, ")
            && of_row(&rendered[10]).starts_with("1,000 rows, "),
        "{rendered:?}"
    );
    assert_eq!(lines(""), Vec::<String>::new(), "not within 30 seconds");
    assert_eq!(lines("--progress-seconds 0 --quiet"), Vec::<String>::new());
    let run = room
        .tallow(&format!("{score} --progress-seconds 0 --log-format json"))
        .ok();
    let progress = run.stderr.lines().filter_map(|line| {
        serde_json::from_str::<serde_json::Value>(line)
            .unwrap()
            .get("progress")
            .cloned()
    });
    assert_eq!(
        progress
            .map(|progress| progress["rows"].clone())
            .max_by_key(Json::as_u64)
            .unwrap(),
        1_000
    );
}

/// What is written to a pipe that is not read is lost.
#[test]
fn lineage_is_not_written_to_a_pipe() {
    let room = Room::new();
    room.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    room.file("rows.csv", "a,b\n0.1,0.5\n");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        room.path("events"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let run = room
        .tallow("score --model good.json rows.csv --output out.parquet --lineage-file events")
        .fails(1);
    assert!(
        run.stderr
            .contains("cannot append to the file: it is a pipe"),
        "{run}"
    );
}
