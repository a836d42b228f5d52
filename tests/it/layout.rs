//! What lies where: readers' patterns match predictions alone, and data sets of earlier versions
//! are still read.

use crate::harness::{Room, column, data, table, texts};
use crate::recovery::{SCORE, correct, room};

/// The paths of all files of a room's directory, sorted.
fn all_files(room: &Room, directory: &str) -> Vec<String> {
    let root = room.path(directory);
    let (mut found, mut open) = (Vec::new(), vec![root.clone()]);
    while let Some(path) = open.pop() {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(
                    path.strip_prefix(&root)
                        .unwrap()
                        .to_string_lossy()
                        .into_owned(),
                );
            }
        }
    }
    found.sort();
    found
}

/// What `DuckDB` and polars match with `'directory/**/*.parquet'`: hidden names too.
fn matched(room: &Room, directory: &str) -> Vec<String> {
    let pattern = room.path(directory).join("**/*.parquet");
    let paths = glob::glob(pattern.to_str().unwrap()).unwrap();
    paths
        .map(|path| {
            path.unwrap()
                .strip_prefix(room.path(directory))
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

#[test]
fn patterns_over_a_data_set_match_predictions_alone() {
    let room = room();
    for (name, further) in [("plain", ""), ("sorted", "--partition-by region")] {
        // First an unfinished run: none of its parts may be read.
        room.tallow(&format!(
            "{SCORE} --output {name}/ {further} --max-errors 100"
        ))
        .fails(4);
        assert!(
            all_files(&room, name)
                .iter()
                .any(|path| path.ends_with(".staged")),
            "nothing is waiting"
        );
        assert_eq!(
            matched(&room, name),
            Vec::<String>::new(),
            "{name}, unfinished"
        );
        room.tallow(&format!("{SCORE} --output {name}/ {further}"))
            .ok();
        let found = matched(&room, name);
        let rows: usize = found
            .iter()
            .map(|path| table(&room.path(name).join(path)).num_rows())
            .sum();
        assert_eq!(rows, 3 * 7_001 - 210, "{name}");
        for path in all_files(&room, name)
            .iter()
            .filter(|path| !found.contains(path))
        {
            let is_own = path == "_SUCCESS" || path.starts_with("_tallow/");
            assert!(
                is_own
                    && (path == "_SUCCESS"
                        || matches!(path.rsplit('.').next(), Some("pq" | "json"))),
                "{name}: {path}"
            );
        }
        let top = |path: &&String| !path.contains('/');
        assert_eq!(
            found.iter().filter(top).count(),
            if further.is_empty() { 22 } else { 0 }
        );
    }
}

#[test]
fn patterns_alongside_single_files_match_predictions_alone() {
    let room = room();
    std::fs::create_dir(room.path("out")).unwrap();
    let score = SCORE.replace(" --rows-per-part 1000", "");
    room.tallow(&format!("{score} --output out/a.parquet --max-errors 9"))
        .fails(4);
    assert_eq!(
        all_files(&room, "out"),
        ["a.rejected.pq", "a.unfinished.report.pq"]
    );
    room.tallow(&format!("{score} --output out/a.parquet")).ok();
    room.tallow(&format!("{score} --output out/b.csv")).ok();
    assert_eq!(
        all_files(&room, "out"),
        [
            "a.parquet",
            "a.rejected.pq",
            "a.report.pq",
            "b.csv",
            "b.rejected.pq",
            "b.report.pq"
        ]
    );
    assert_eq!(matched(&room, "out"), ["a.parquet"]);
    assert_eq!(room.table("out/a.rejected.pq").num_rows(), 210);
    assert!(
        room.tallow("inspect out/a.report.pq")
            .ok()
            .stdout
            .starts_with("report\n")
    );
}

#[test]
fn what_earlier_versions_wrote_alongside_an_output_goes_when_that_is_replaced() {
    let room = room();
    let score = SCORE.replace(" --rows-per-part 1000", "");
    room.tallow(&format!("{score} --output a.parquet")).ok();
    let old = [
        ("a.report.pq", "a.report.parquet"),
        ("a.rejected.pq", "a.rejected.parquet"),
    ];
    old.iter()
        .for_each(|(new, old)| std::fs::rename(room.path(new), room.path(old)).unwrap());
    // The old report is the one that the guard compares with, and that says that nothing is left to
    // do.
    let run = room
        .tallow(&format!(
            "{} --output a.parquet --overwrite --max-row-delta 10%",
            score.replace(" in-2.parquet", "")
        ))
        .fails(5);
    assert!(
        run.stderr.contains("`a.report.parquet`") || run.stderr.contains("(`a.report.parquet`"),
        "{run}"
    );
    room.tallow(&format!(
        "{score} --output a.parquet --skip-code 99 --rejected none"
    ))
    .fails(99);
    room.file("b.report.parquet", "precious");
    for output in ["a.parquet", "b.parquet"] {
        room.tallow(&format!("{score} --output {output} --overwrite"))
            .ok();
    }
    let names: Vec<String> = room
        .listing()
        .into_iter()
        .filter(|name| name.starts_with("a.") || name.starts_with("b."))
        .collect();
    let left = [
        "a.parquet",
        "a.rejected.pq",
        "a.report.pq",
        "b.parquet",
        "b.rejected.pq",
        "b.report.parquet",
        "b.report.pq",
    ];
    assert_eq!(names, left, "only what is a run's own goes");
}

/// A data set that commit f84714c wrote, in the layout of the first version, in a room as it was
/// made in. `data/earlier/ORIGIN.md` shows which commit it was.
fn earlier_data_set() -> Room {
    let room = Room::new();
    assert!(
        std::process::Command::new("cp")
            .arg("-r")
            .arg(data("earlier/set"))
            .arg(room.path("set"))
            .status()
            .unwrap()
            .success()
    );
    for name in ["good.json", "rows.csv"] {
        room.file(name, std::fs::read(data("earlier").join(name)).unwrap());
    }
    let path = room.path("set/_manifest.json");
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let missing = manifest["configuration"]["--missing"].as_array().unwrap();
    assert_eq!(missing.len(), 8, "the next commit writes no default words");
    manifest["working_directory"] = room
        .path("")
        .canonicalize()
        .unwrap()
        .to_string_lossy()
        .into_owned()
        .into();
    manifest["tool_version"] = env!("CARGO_PKG_VERSION").into();
    std::fs::write(&path, manifest.to_string()).unwrap();
    room
}

const EARLIER: &str = "score --model good.json rows.csv --output set/ --rows-per-part 4 --on-null \
                       a=reject --trees best";

#[test]
fn a_data_set_of_the_earlier_layout_is_inspected_guarded_and_found_done() {
    let room = earlier_data_set();
    let run = room.tallow("inspect set").ok();
    assert!(
        run.stdout.starts_with("data set\n") && run.stdout.contains("complete         yes"),
        "{run}"
    );
    assert!(
        room.tallow("inspect set/_report.parquet")
            .ok()
            .stdout
            .starts_with("report\n")
    );
    let run = room.tallow(&format!("{EARLIER} --skip-code 99")).fails(99);
    assert!(
        run.stderr
            .contains("it is there, made from the same inputs by the same model"),
        "{run}"
    );
    room.file("rows.csv", "id,a,b\n1,0.25,0.5\n");
    let run = room
        .tallow(&format!("{EARLIER} --overwrite --max-row-delta 30%"))
        .fails(5);
    assert!(run.stderr.contains("(`set/_report.parquet`)"), "{run}");
    room.tallow(&format!("{EARLIER} --overwrite")).ok();
    let left = [
        "_SUCCESS",
        "_tallow/manifest.json",
        "_tallow/observed/part-00000.pq",
        "_tallow/report.pq",
        "part-00000.parquet",
    ];
    assert_eq!(
        all_files(&room, "set"),
        left,
        "nothing of the old data set is left"
    );
}

#[test]
fn rows_of_a_data_set_of_the_earlier_layout_are_corrected() {
    let room = earlier_data_set();
    let rejected = |name: &str| table(&room.path(name)).num_rows();
    assert_eq!(
        [
            rejected("set/_rejected/part-00000.parquet"),
            rejected("set/_rejected/part-00001.parquet")
        ],
        [1, 1]
    );
    std::fs::create_dir_all(room.path("set/_tallow/rejected")).unwrap();
    std::fs::rename(
        room.path("set/_rejected/part-00000.parquet"),
        room.path("set/_tallow/rejected/part-00000.pq"),
    )
    .unwrap();
    correct(&room, "set", "part-00000", 1);
    std::fs::rename(
        room.path("set/_tallow/rejected/part-00000.pq"),
        room.path("set/_rejected/part-00000.parquet"),
    )
    .unwrap();
    let run = room.tallow("retry set --format json").ok();
    assert_eq!(
        (
            &run.json()["ledger"]["scored"],
            &run.json()["ledger"]["rejected"]
        ),
        (&9.into(), &1.into()),
        "{run}"
    );
    let found = all_files(&room, "set");
    for name in [
        "_manifest.json",
        "_report.parquet",
        "_rejected/part-00000.parquet",
    ] {
        assert!(
            !found.contains(&name.to_owned()),
            "{name} of the earlier layout is left: {found:?}"
        );
    }
    for name in [
        "_tallow/manifest.json",
        "_tallow/report.pq",
        "_tallow/corrections/part-00000.pq",
        "_rejected/part-00001.parquet",
    ] {
        assert!(found.contains(&name.to_owned()), "{name}: {found:?}");
    }
    assert!(
        room.tallow("inspect set")
            .ok()
            .stdout
            .contains("complete         yes")
    );
    // What no run has touched since lies where it was, and is found there.
    let rows = table(&room.path("set/_rejected/part-00001.parquet"));
    let value = |name: &str| texts(column(&rows, name))[0].clone().unwrap();
    let line = format!(
        "{},0.5,0.5,{},{}\n",
        value("id"),
        value("rejected_file"),
        value("rejected_row")
    );
    room.file(
        "mended.csv",
        format!("id,a,b,rejected_file,rejected_row\n{line}"),
    );
    let run = room
        .tallow("retry set --corrected mended.csv --format json")
        .ok();
    assert_eq!(run.json()["ledger"]["scored"], 10, "{run}");
    assert_eq!(matched(&room, "set").len(), 3);
}

#[test]
fn a_publication_that_the_earlier_version_began_is_finished() {
    let room = earlier_data_set();
    let set = |name: &str| room.path("set").join(name);
    let move_to = |from: &str, to: &str| {
        std::fs::create_dir_all(set(to).parent().unwrap()).unwrap();
        std::fs::rename(set(from), set(to)).unwrap();
    };
    move_to("_manifest.json", "_tallow/manifest.json");
    move_to("part-00001.parquet", "_tallow/staged/part-00001.parquet");
    move_to("_report.parquet", "_tallow/staged/_report.parquet");
    std::fs::remove_file(set("_SUCCESS")).unwrap();
    let run = room.tallow(&format!("{EARLIER} --skip-code 99")).fails(99);
    assert!(
        run.stderr
            .starts_with("finished the publication that an earlier run had begun\n"),
        "{run}"
    );
    assert!(
        set("_SUCCESS").exists()
            && set("part-00001.parquet").exists()
            && set("_report.parquet").exists()
    );
    let left = Some("_tallow")
        .filter(|name| set(name).exists())
        .map(|_| all_files(&room, "set/_tallow"));
    assert_eq!(left, None, "the earlier layout keeps nothing there");
}
