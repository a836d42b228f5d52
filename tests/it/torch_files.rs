//! Models whose files PyTorch saved: weights score as the same ones in safetensors do, bit for bit,
//! and MLflow's directories give the programs in them.

use arrow::array::RecordBatch;

use crate::harness::{Room, data, table};
use crate::text_models::{lay_out, score, table_of};

fn golden(name: &str) -> Vec<u8> {
    std::fs::read(data("golden").join(name)).unwrap()
}

/// The columns of a run's output.
fn out(room: &Room) -> RecordBatch {
    table(&room.path("out.parquet"))
}

#[test]
fn state_dictionaries_of_networks_score_as_safetensors_do() {
    let room = Room::new();
    let manifest = String::from_utf8(golden("network_binary/model/tallow.toml")).unwrap();
    let is_artefact = |line: &&str| {
        ["[[artefacts]]", "path = ", "sha256 = "]
            .iter()
            .any(|start| line.starts_with(start))
    };
    let lines: Vec<&str> = manifest.lines().filter(|line| !is_artefact(line)).collect();
    room.file("rows.parquet", golden("network_binary/input.parquet"));
    room.file("model/tallow.toml", lines.join("\n"));
    let run = || {
        room.tallow(
            "score --model model rows.parquet --output out.parquet --overwrite --passthrough none",
        )
        .ok();
        out(&room)
    };
    room.file(
        "model/model.safetensors",
        golden("network_binary/model/model.safetensors"),
    );
    let expected = run();
    std::fs::remove_file(room.path("model/model.safetensors")).unwrap();
    for weights in ["network.pt", "network_old.pt"] {
        room.file("model/model.pt", golden(&format!("torch/{weights}")));
        assert_eq!(run().columns(), expected.columns(), "{weights}");
    }
}

#[test]
fn state_dictionaries_of_text_models_score_as_safetensors_do() {
    let room = Room::new();
    table_of(&room, &[Some("the quick brown fox"), Some(""), Some("a")]);
    lay_out(&room, "bert_two");
    score(&room, "--raw").ok();
    let expected = out(&room);
    std::fs::remove_file(room.path("model/model.safetensors")).unwrap();
    for weights in ["bert_two.bin", "bert_two_old.bin"] {
        room.file(
            "model/pytorch_model.bin",
            golden(&format!("torch/{weights}")),
        );
        score(&room, "--raw").ok();
        assert_eq!(out(&room).columns(), expected.columns(), "{weights}");
    }
}

#[test]
fn mlflow_directories_of_pytorch_give_their_programs_and_refuse_pickled_modules() {
    let room = Room::new();
    room.file(
        "model/MLmodel",
        "flavors:\n  python_function:\n    data: data\n    loader_module: mlflow.pytorch\n  \
         pytorch:\n    code: null\n    model_data: data\n    pytorch_version: 2.15.0\n\
         mlflow_version: 3.17.2\nsignature:\n  inputs: '[{\"type\": \"tensor\", \
         \"tensor-spec\": {\"dtype\": \"float32\", \"shape\": [-1, 4]}}]'\n  outputs: null\n",
    );
    room.file("rows.parquet", golden("pt2_shared/input.parquet"));
    let line = "score --model model rows.parquet --output out.parquet --overwrite --passthrough \
                none --features f0,f1,f2,f3";
    let refused = room.tallow(line).fails(3);
    assert!(
        refused.stderr.contains("holds a pickled PyTorch module"),
        "{refused}"
    );
    room.file("model/data/model.pt2", golden("pt2_shared/model.pt2"));
    room.tallow(line).ok();
    let found = out(&room);
    room.file("model.pt2", golden("pt2_shared/model.pt2"));
    room.tallow(&line.replace("--model model ", "--model model.pt2 "))
        .ok();
    assert_eq!(found.columns(), out(&room).columns());
}
