//! Programs that are damaged, hostile, or of operators that are not known.

use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::format::python::archive::Archive;

fn kept(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/golden");
    std::fs::read(folder.join(name).join("model.pt2")).unwrap()
}

fn import(bytes: Vec<u8>) -> Result<LoadedModel> {
    ExportedProgram.import(
        &Artefact::new("model.pt2", bytes),
        &ImportOptions::default(),
    )
}

fn message(bytes: Vec<u8>) -> String {
    let error = import(bytes).unwrap_err();
    format!(
        "{} ({})",
        error.message(),
        error.location().node.clone().unwrap_or_default()
    )
}

/// An archive of these entries, stored.
fn archive(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let offset = file.len() as u32;
        let sizes = (content.len() as u32).to_le_bytes();
        let header = [
            crc32fast::hash(content).to_le_bytes().as_slice(),
            &sizes,
            &sizes,
            &(name.len() as u16).to_le_bytes(),
        ]
        .concat();
        file.extend([b"PK\x03\x04".as_slice(), &[0; 10], &header, &[0; 2]].concat());
        file.extend([name.as_bytes(), content].concat());
        directory.extend([b"PK\x01\x02".as_slice(), &[0; 12], &header, &[0; 12]].concat());
        directory.extend([&offset.to_le_bytes(), name.as_bytes()].concat());
    }
    let (start, size) = (file.len() as u32, directory.len() as u32);
    let count = (entries.len() as u16).to_le_bytes();
    file.extend(directory);
    let end = [
        b"PK\x05\x06".as_slice(),
        &[0; 4],
        &count,
        &count,
        &size.to_le_bytes(),
        &start.to_le_bytes(),
        &[0; 2],
    ];
    file.extend(end.concat());
    file
}

/// A case's archive with its program or its list of weights changed.
fn changed(name: &str, list: bool, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let bytes = kept(name);
    let names = crate::format::python::archive::directory_names(&bytes).unwrap();
    let mut from = Archive::open(bytes.into()).unwrap();
    let ending = if list {
        "weights_config.json"
    } else {
        "models/model.json"
    };
    let mut change = Some(change);
    let entries: Vec<(&str, Vec<u8>)> = names
        .iter()
        .map(|name| {
            let mut content = from.read(name).unwrap().to_vec();
            if name.ends_with(ending) {
                let mut tree: Value = serde_json::from_slice(&content).unwrap();
                change.take().unwrap()(&mut tree);
                content = tree.to_string().into_bytes();
            }
            (name.as_str(), content)
        })
        .collect();
    archive(&entries)
}

fn nodes(tree: &mut Value) -> &mut Vec<Value> {
    tree["graph_module"]["graph"]["nodes"]
        .as_array_mut()
        .unwrap()
}

#[test]
fn operators_that_are_not_known_are_named_with_their_nodes() {
    let unknown = changed("pt2_shared", false, |tree| {
        for node in nodes(tree) {
            if node["target"] == "torch.ops.aten.relu.default" {
                node["target"] = json!("torch.ops.mylib.fancy.default");
            }
        }
    });
    assert_eq!(
        message(unknown.clone()),
        "the program uses an operator that tallow does not have: `mylib.fancy.default` at `relu` ()"
    );
    // Inspection shows the rest.
    let options = ImportOptions {
        for_inspection: true,
        ..ImportOptions::default()
    };
    let loaded = ExportedProgram.import(&Artefact::new("model.pt2", unknown), &options);
    let facts = loaded.unwrap().description.facts;
    assert!(
        facts
            .iter()
            .any(|(_, fact)| fact.contains("mylib.fancy.default × 1")),
        "{facts:?}"
    );
}

#[test]
fn training_mode_is_refused() {
    let training = changed("pt2_tabular", false, |tree| {
        for node in nodes(tree) {
            for input in node["inputs"].as_array_mut().unwrap() {
                if input["name"] == "training" {
                    input["arg"] = json!({"as_bool": true});
                }
            }
        }
    });
    assert!(message(training).contains("training mode"));
}

#[test]
fn a_tensor_that_is_changed_in_place_and_read_under_another_name_is_refused() {
    let stale = changed("pt2_movements", false, |tree| {
        let all = nodes(tree);
        let at = all
            .iter()
            .position(|node| node["target"] == "torch.ops.aten.view.default");
        let view = all[at.unwrap()].clone();
        let name = view["outputs"][0]["as_tensor"]["name"].clone();
        let relu = json!({
            "target": "torch.ops.aten.relu_.default",
            "inputs": [{"name": "self", "arg": {"as_tensor": {"name": name}}, "kind": 1}],
            "outputs": [{"as_tensor": {"name": "changed"}}],
        });
        all.insert(at.unwrap() + 1, relu);
        let values = &mut tree["graph_module"]["graph"]["tensor_values"];
        values["changed"] = values[name.as_str().unwrap()].clone();
    });
    assert!(message(stale).contains("in place"));
}

#[test]
fn weights_that_do_not_fit_their_bytes_are_refused() {
    let first = |tree: &mut Value, change: &dyn Fn(&mut Value)| {
        for (_, payload) in tree["config"].as_object_mut().unwrap() {
            change(&mut payload["tensor_meta"]);
        }
    };
    let far = |key: &'static str, value: Value| {
        message(changed("pt2_shared", true, |tree| {
            first(tree, &|meta| meta[key] = value.clone());
        }))
    };
    let huge = json!({"as_int": 1_u64 << 62});
    for (key, value) in [
        ("storage_offset", json!({"as_int": 1_000_000})),
        ("storage_offset", json!({"as_int": -1})),
        ("storage_offset", huge.clone()),
        ("sizes", json!([huge, huge])),
        ("sizes", json!([{"as_int": 4}])),
        ("strides", json!([huge, huge])),
        ("strides", json!([])),
    ] {
        let found = far(key, value.clone());
        assert!(found.contains("does not fit"), "{key} {value}: {found}");
    }
    assert!(far("layout", json!(1)).contains("sparse"));
    assert!(far("dtype", json!(10)).contains("complex"));
    // A tensor of one element that is read over and over.
    let bomb = changed("pt2_shared", true, |tree| {
        first(tree, &|meta| {
            meta["sizes"] = json!([{"as_int": 1_u64 << 40}]);
            meta["strides"] = json!([{"as_int": 0}]);
        });
    });
    assert!(message(bomb).contains("does not fit"));
    let pickled = changed("pt2_shared", true, |tree| {
        for (_, payload) in tree["config"].as_object_mut().unwrap() {
            payload["use_pickle"] = json!(true);
        }
    });
    assert!(message(pickled).contains("Python object"));
}

#[test]
fn machine_code_and_newer_schemas_are_refused() {
    let compiled = archive(&[("m/data/aotinductor/model/a.so", b"\x7fELF".to_vec())]);
    assert_eq!(import(compiled).unwrap_err().kind(), Kind::Trust);
    let newer = changed("pt2_shared", false, |tree| {
        tree["schema_version"]["major"] = json!(9);
    });
    assert!(message(newer).contains("schema 9."));
}

#[test]
fn programs_that_make_no_sense_are_errors() {
    for target in ["tensor_values", "nodes"] {
        let broken = changed("pt2_shared", false, |tree| {
            tree["graph_module"]["graph"][target] = json!([]);
        });
        assert!(import(broken).is_err(), "{target}");
    }
    let cycle = changed("pt2_shared", false, |tree| {
        nodes(tree).reverse();
    });
    assert!(message(cycle).contains("before"));
    let deep = "[".repeat(1 << 20);
    let nested = archive(&[("m/models/model.json", deep.into_bytes())]);
    assert!(message(nested).contains("not such a program"));
}

#[test]
fn archives_cut_or_damaged_anywhere_are_errors_and_never_a_panic() {
    for name in ["pt2_plain_old", "pt2_plain_folder", "pt2_shared"] {
        let bytes = kept(name);
        for end in (0..bytes.len()).step_by(37) {
            assert!(
                import(bytes[..end].to_vec()).is_err(),
                "{name} cut at {end}"
            );
        }
        for at in (0..bytes.len()).step_by(61) {
            for byte in [0, 0xff, bytes[at] ^ 1] {
                let mut damaged = bytes.clone();
                damaged[at] = byte;
                let _ = import(damaged);
            }
        }
    }
}
