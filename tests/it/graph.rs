//! What users may ask of graphs: thresholds, policies, which file it is, what runs it.

use crate::harness::{Room, column, data, numbers, texts};

fn score(room: &Room, case: &str, further: &str) -> crate::harness::Run {
    let case = data(&format!("golden/{case}"));
    let (model, input) = (case.join("model.onnx"), case.join("input.parquet"));
    room.tallow(&format!(
        "score --model {} {} --output out.parquet --overwrite --passthrough none --format json \
         {further}",
        model.display(),
        input.display()
    ))
}

#[test]
fn a_threshold_labels_the_two_classes_of_a_graph_anew() {
    let room = Room::new();
    for (case, labels) in [
        ("onnx_logistic", ["0", "1"]),
        ("onnx_mixed", ["leaves", "stays"]),
    ] {
        score(&room, case, "").ok();
        let own = texts(column(&room.table("out.parquet"), "prediction"));
        let probabilities = numbers(column(&room.table("out.parquet"), "probability"));
        score(&room, case, "--threshold 0.5").ok();
        assert_eq!(
            texts(column(&room.table("out.parquet"), "prediction")),
            own,
            "{case}"
        );
        score(&room, case, "--threshold 0.8").ok();
        let strict = texts(column(&room.table("out.parquet"), "prediction"));
        let expected: Vec<Option<String>> = probabilities
            .iter()
            .map(|one| Some(labels[usize::from(*one >= 0.8)].to_owned()))
            .collect();
        assert_eq!(strict, expected, "{case}");
        assert_ne!(strict, own, "{case}");
    }
}

#[test]
fn what_a_graph_cannot_do_is_refused_with_the_reason() {
    let room = Room::new();
    let run = score(&room, "onnx_logistic_three", "--threshold 0.8").fails(2);
    assert!(
        run.stderr
            .contains("not a label with the probabilities of two"),
        "{run}"
    );
    let run = score(&room, "onnx_mixed", "--on-unseen city=reject").fails(2);
    assert!(
        run.stderr
            .contains("does not reach the categories of a graph")
            && run.stderr.contains("`city`"),
        "{run}"
    );
    score(&room, "onnx_mixed", "--on-unseen reject").ok();
}

#[test]
fn inspect_names_it_kernels_run_a_graph() {
    let room = Room::new();
    for (case, kernels) in [
        ("onnx_random_forest", "forest"),
        ("onnx_perceptron", "network"),
        ("onnx_logistic", "linear"),
    ] {
        let run = room
            .tallow(&format!(
                "inspect {}",
                data(&format!("golden/{case}/model.onnx")).display()
            ))
            .ok();
        let line = run
            .stdout
            .lines()
            .find(|line| line.trim_start().starts_with("runs_as"))
            .unwrap_or_else(|| panic!("{run}"));
        assert!(line.contains(kernels), "{line}");
        assert!(
            case != "onnx_random_forest" || !run.stdout.contains(" 0 B\n"),
            "a forest takes memory: {run}"
        );
    }
}

#[test]
fn the_digest_covers_external_data() {
    let room = Room::new();
    let case = data("golden/onnx_torch_heads_dynamo_20");
    room.file(
        "m/model.onnx",
        std::fs::read(case.join("model.onnx")).unwrap(),
    );
    let mut weights = std::fs::read(case.join("weights.bin")).unwrap();
    room.file("m/weights.bin", &weights);
    let digest = || {
        room.tallow("inspect m/model.onnx --format json")
            .ok()
            .json()["facts"]["digest"]
            .clone()
    };
    let (before, again) = (digest(), digest());
    weights[5] ^= 1;
    room.file("m/weights.bin", &weights);
    assert_eq!(before, again);
    assert_ne!(before, digest());
}

#[test]
fn text_that_is_not_a_table_is_distinguished_from_one() {
    let room = Room::new();
    room.file("notes", "dear colleagues,\nthe model is ready.\n");
    let run = room.tallow("inspect notes").fails(3);
    assert!(run.stderr.contains("neither a model nor a table"), "{run}");
    room.file("rows", "a;b\n1;\"x;\ny\"\n2;z\n");
    assert!(
        room.tallow("inspect rows").ok().stdout.starts_with("data"),
        "two columns"
    );
    room.file("words.txt", "word\none\ntwo\n");
    assert!(
        room.tallow("inspect words.txt")
            .ok()
            .stdout
            .starts_with("data"),
        "the name says so"
    );
}

#[test]
fn categories_that_a_graphs_encoder_does_not_know_are_counted() {
    let room = Room::new();
    let model = data("golden/onnx_mixed/model.onnx");
    let line = |row: &str| format!("30,1000,3,{row},free\n");
    let rows: String = ["Nowhere", "Oslo", "", "Nowhere", "Rome"]
        .map(line)
        .concat();
    room.file("rows.csv", format!("age,income,visits,city,plan\n{rows}"));
    let run = room
        .tallow(&format!(
            "score --model {} rows.csv --output out.parquet --format json --on-null city=reject",
            model.display()
        ))
        .ok();
    let counted = &run.json()["coercions"]["city"];
    // The row that stands in for the rejected one is the first, whose city is unknown; it is not
    // counted twice.
    assert_eq!(
        (&counted["unseen"], &counted["missing"]),
        (&2.into(), &1.into()),
        "{run}"
    );
}
