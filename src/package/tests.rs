//! Packages that open, packages that must not, and what a manifest may say of a model.

use std::collections::BTreeMap;

use super::manifest::Manifest;
use super::{Files, Package, apply};
use crate::contract::{
    CategoryValue, Contract, Input, InputKind, NativeElement, NativeType, Policy, RowShape, Width,
};
use crate::error::{Error, Kind, Result};
use crate::format::ImportOptions;
use crate::model::LoadedModel;
use crate::network::sample::{noise, safetensors};
use crate::outcome::{Label, Link, Outcome, Task};
use crate::storage::Location;
use crate::storage::Metadata;

const NETWORK: &str = r#"
name = "churn"
version = "7"
task = "binary"

[[inputs]]
name = "city"
type = "string"
categories = ["berlin", "paris"]
embedding = "e"
on_unseen = { default = 2 }

[[inputs]]
name = "age"
mean = 40
scale = 12.5
on_null = "reject"

[[derived]]
name = "age"
expression = "year(now()) - birth_year"

[[network.layers]]
kind = "linear"
weights = "0"

[outputs]
labels = ["stays", "leaves"]
threshold = 0.4
"#;

fn weights() -> Vec<u8> {
    safetensors(&[
        ("e.weight", &[3, 2], noise(6, 1)),
        ("0.weight", &[1, 3], noise(3, 2)),
        ("0.bias", &[1], noise(1, 3)),
    ])
}

fn open(manifest: &str) -> Result<(Package, LoadedModel)> {
    let held = BTreeMap::from([
        (
            Location::from("p/tallow.toml"),
            manifest.as_bytes().to_vec(),
        ),
        (Location::from("p/model.safetensors"), weights()),
    ]);
    let read = |path: &Location| {
        held.get(path)
            .cloned()
            .ok_or_else(|| Error::failed("no such file").at_path(path))
    };
    let resolve = |path: &Location| Ok(path.to_owned());
    let find = |path: &Location| Ok(held.get(path).map(|bytes| plain_file(bytes.len())));
    Package::open(
        &Location::from("p"),
        Files {
            read: &read,
            resolve: &resolve,
            find: &find,
            sidecars: None,
        },
        &ImportOptions::default(),
    )
}

fn plain_file(byte_count: usize) -> Metadata {
    Metadata {
        byte_count: byte_count as u64,
        is_directory: false,
        is_file: true,
    }
}

fn refused(manifest: &str) -> Error {
    open(manifest).unwrap_err()
}

#[test]
fn a_package_gives_a_network_its_contract_and_outcome() {
    let (package, loaded) = open(NETWORK).unwrap();
    assert_eq!(
        (
            package.manifest.version.as_deref(),
            package.derived().len(),
            package.artefacts[0].byte_count
        ),
        (Some("7"), 1, weights().len() as u64)
    );
    let [city, age] = loaded.contract.inputs.as_slice() else {
        panic!("two inputs")
    };
    assert!(matches!(&city.kind, InputKind::Category(vocabulary)
            if vocabulary.values[1] == CategoryValue::Text("paris".into())));
    assert_eq!(
        (city.on_null, city.on_unseen),
        (Policy::Error, Policy::Default(2.0))
    );
    assert_eq!(
        (&age.kind, age.on_null, age.on_unseen),
        (&InputKind::Number, Policy::Reject, Policy::Error)
    );
    let labels = [Label::Text("stays".into()), Label::Text("leaves".into())];
    assert_eq!(
        loaded.outcome,
        Outcome {
            task: Task::Binary {
                labels,
                threshold: 0.4
            },
            link: Link::Logistic { slope: 1.0 }
        }
    );
    assert_eq!(
        (
            loaded.model.family(),
            loaded.model.feature_count(),
            loaded.description.format.as_str()
        ),
        ("network", 2, "safetensors")
    );
}

#[test]
fn codes_of_an_embedding_are_a_vocabulary_of_their_own() {
    let (_, loaded) = open(
        &NETWORK
            .replace("categories = [\"berlin\", \"paris\"]", "kind = \"code\"")
            .replace("\"string\"", "\"int32\""),
    )
    .unwrap();
    let InputKind::Category(vocabulary) = &loaded.contract.inputs[0].kind else {
        panic!("a vocabulary")
    };
    assert_eq!(vocabulary.values, [0, 1, 2].map(CategoryValue::Integer));
}

#[test]
fn a_manifest_that_is_wrong_is_refused_by_line_and_key() {
    let unknown = refused(&NETWORK.replace("mean = 40", "average = 40"));
    assert_eq!(unknown.location().node.as_deref(), Some("line 15"));
    assert!(
        unknown.message().starts_with(
            "cannot read the manifest: unknown field `average`, expected one of `name`, `type`"
        ),
        "{unknown}"
    );
    assert_eq!(
        (unknown.kind(), unknown.location().path.as_deref()),
        (Kind::Contract, Some(std::ffi::OsStr::new("p/tallow.toml")))
    );
    let layer = refused(&NETWORK.replace("weights = \"0\"", "weight = \"0\""));
    assert!(
        layer
            .message()
            .contains("unknown field `weight`, expected `weights` or `bias`"),
        "{layer}"
    );
    assert_eq!(layer.location().node.as_deref(), Some("line 23"));
    let kind = refused(&NETWORK.replace("\"linear\"", "\"dense\""));
    assert!(
        kind.message()
            .contains("unknown variant `dense`, expected one of `linear`"),
        "{kind}"
    );
    let policy = refused(&NETWORK.replace("\"reject\"", "\"skip\""));
    assert!(
        policy.message().contains(
            "unknown variant `skip`, expected one of `error`, `reject`, `null`, `default`"
        ),
        "{policy}"
    );
    assert_eq!(policy.location().node.as_deref(), Some("line 17"));
    assert_eq!(
        refused("name = \"x\"\nname = \"y\"")
            .location()
            .node
            .as_deref(),
        Some("line 2")
    );
    assert_eq!(
        refused("name = ").location().node.as_deref(),
        Some("line 1")
    );
    assert_eq!(
        Manifest::parse(b"name = \"\xff\"").unwrap_err().message(),
        "the manifest is not UTF-8 text"
    );
}

#[test]
fn contradictions_are_named() {
    let message = |from: &str, to: &str| {
        let error = refused(&NETWORK.replacen(from, to, 1));
        assert_eq!(error.kind(), Kind::Contract, "{error}");
        error.message().to_owned()
    };
    assert_eq!(
        message("name = \"churn\"", "name = \"\""),
        "the manifest's `name` is empty"
    );
    assert_eq!(
        message("name = \"age\"", "name = \"city\""),
        "the manifest names the input `city` twice"
    );
    assert_eq!(
        message("\"paris\"", "\"berlin\""),
        "`categories` are empty or name a value twice"
    );
    assert_eq!(
        message("\"paris\"", "\"paris\", \"rome\", \"oslo\""),
        "4 categories for an embedding of 3 codes"
    );
    assert_eq!(
        message("default = 2", "default = 3"),
        "the default of `on_unseen` is `3`, and the embedding has the codes 0 to 2"
    );
    assert_eq!(
        message("default = 2", "default = nan"),
        "the default of `on_unseen` is not a finite number"
    );
    assert_eq!(
        message("scale = 12.5", "scale = 0"),
        "cannot standardise by `mean = 40` and `scale = 0`"
    );
    assert_eq!(
        message("embedding = \"e\"", "one_hot = true\nmean = 1"),
        "`mean` and `scale` are for numbers, and this is a category"
    );
    assert_eq!(
        message("on_unseen", "required = false\non_unseen"),
        "`required = false` needs an `on_null` with the value that the model reads instead"
    );
    assert_eq!(
        message("threshold = 0.4", "threshold = 4"),
        "`threshold = 4` is not a probability"
    );
    assert_eq!(
        message("\"leaves\"", "\"leaves\", \"?\""),
        "the manifest lists 3 labels for 2 classes"
    );
    assert_eq!(
        message("threshold = 0.4", "link = \"softmax\""),
        "`link = \"softmax\"` over one margin is always 1"
    );
    assert_eq!(
        message("threshold = 0.4", "names = [\"a\"]"),
        "`names` are for several numbers a row"
    );
    assert_eq!(
        message("task = \"binary\"", "task = \"classes\"\n"),
        "`link = \"softmax\"` over one margin is always 1"
    );
    assert_eq!(
        message("task = \"binary\"", ""),
        "`labels` are for classes, and the model gives numbers"
    );
}

#[test]
fn nesting_without_end_is_refused() {
    let blocks = 20_000;
    let nested = format!(
        "name = \"x\"\n[network]\nlayers = {}{}",
        "[{ kind = \"residual\", layers = ".repeat(blocks),
        "[]".to_owned() + &"}]".repeat(blocks)
    );
    assert_eq!(
        Manifest::parse(nested.as_bytes()).unwrap_err().kind(),
        Kind::Contract
    );
    let dotted = format!("name = \"x\"\n{}a = 1", "a.".repeat(blocks));
    assert_eq!(
        Manifest::parse(dotted.as_bytes()).unwrap_err().kind(),
        Kind::Contract
    );
}

#[test]
fn a_manifest_cut_at_any_length_never_panics() {
    (0..NETWORK.len()).for_each(|length| drop(open(&NETWORK[..length])));
}

#[test]
fn an_artefact_with_another_digest_is_not_trusted() {
    let digest = "0".repeat(64);
    let listed =
        format!("{NETWORK}\n[[artefacts]]\npath = \"model.safetensors\"\nsha256 = \"{digest}\"\n");
    let error = refused(&listed);
    assert_eq!((error.kind(), error.kind().exit_code()), (Kind::Trust, 6));
    let found = open(NETWORK).unwrap().0.artefacts[0].sha256.clone();
    assert!(
        error.message().contains(&digest) && error.message().contains(&found),
        "{error}"
    );
    assert!(open(&listed.replace(&digest, &found.to_uppercase())).is_ok());
    assert_eq!(
        refused(&listed.replace(&digest, "abc")).message(),
        "`sha256 = \"abc\"` is not 64 hexadecimal digits"
    );
}

#[test]
fn an_artefact_outside_the_package_is_not_read() {
    for path in ["../model.safetensors", "/etc/passwd", "a/../../x", ""] {
        let error = refused(&format!("{NETWORK}\n[[artefacts]]\npath = \"{path}\"\n"));
        assert_eq!(
            (error.kind(), error.message()),
            (
                Kind::Trust,
                format!("the artefact `{path}` lies outside the package").as_str()
            )
        );
    }
}

#[test]
fn a_link_out_of_the_package_is_not_followed() {
    let read = |path: &Location| {
        if path.ends_with("tallow.toml") {
            Ok(NETWORK.as_bytes().to_vec())
        } else {
            Err(Error::internal("the artefact was read"))
        }
    };
    let resolve = |path: &Location| {
        let is_model = path.ends_with("model.safetensors");
        let secret = Location::from("secret");
        Ok(Location::from("/").join(if is_model { &secret } else { path }))
    };
    let find = |_: &Location| Ok(Some(plain_file(1)));
    let opened = Package::open(
        &Location::from("p"),
        Files {
            read: &read,
            resolve: &resolve,
            find: &find,
            sidecars: None,
        },
        &ImportOptions::default(),
    );
    assert_eq!(
        opened.unwrap_err().message(),
        "the artefact `model.safetensors` lies outside the package"
    );
}

fn manifest(inputs: &str) -> Manifest {
    Manifest::parse(format!("name = \"x\"\n{inputs}").as_bytes()).unwrap()
}

#[test]
fn inputs_of_another_format_are_tightened_by_name() {
    let mut contract = Contract {
        inputs: vec![
            Input::number("a"),
            Input::of_kind("b", InputKind::CategoryCode),
        ],
        named: true,
        ..Contract::default()
    };
    let said = manifest(
        "[[inputs]]\nname = \"b\"\ncategories = [1, 2.5, true, \"x\"]\non_unseen = \
         \"reject\"\n[[inputs]]\nname = \"a\"\ntype = \"double\"\non_null = { default = -1 }",
    );
    apply::inputs(&said, &mut contract).unwrap();
    assert_eq!(
        (contract.inputs[0].on_null, contract.inputs[1].on_unseen),
        (Policy::Default(-1.0), Policy::Reject)
    );
    let InputKind::Category(vocabulary) = &contract.inputs[1].kind else {
        panic!("a vocabulary")
    };
    let expected = [
        CategoryValue::Integer(1),
        CategoryValue::Number(2.5),
        CategoryValue::Boolean(true),
        CategoryValue::Text("x".into()),
    ];
    assert_eq!(vocabulary.values, expected);
    let unknown = apply::inputs(
        &manifest("[[inputs]]\nname = \"c\"\n[[inputs]]\nname = \"a\"\n[[inputs]]\nname = \"d\""),
        &mut contract,
    )
    .unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "the manifest lists inputs that the model does not have: `c`, `d`"
    );
    let number = apply::inputs(
        &manifest("[[inputs]]\nname = \"b\"\nkind = \"number\""),
        &mut contract,
    )
    .unwrap_err();
    assert_eq!(
        number.to_string(),
        "the manifest has `kind = \"number\"`, and the model reads a category (column `b`)"
    );
    let mut outcome = Outcome {
        task: Task::Value,
        link: Link::Identity,
    };
    let task = apply::outputs(&manifest("task = \"binary\""), &mut outcome, 1).unwrap_err();
    assert_eq!(
        task.message(),
        "the manifest has the task binary, and the model returns one number a row"
    );
    let other = apply::inputs(
        &manifest("[[inputs]]\nname = \"b\"\ncategories = [2, 1]"),
        &mut contract,
    )
    .unwrap_err();
    assert_eq!(
        other.message(),
        "the manifest lists other `categories` than the model was trained with"
    );
}

#[test]
fn a_model_without_names_takes_all_of_them_from_the_manifest() {
    let mut contract = Contract {
        inputs: vec![Input::number("f0"), Input::number("f1")],
        named: false,
        ..Contract::default()
    };
    let error = apply::inputs(&manifest("[[inputs]]\nname = \"a\""), &mut contract).unwrap_err();
    assert_eq!(
        error.message(),
        "the model has 2 inputs without names, and the manifest lists 1"
    );
    apply::inputs(
        &manifest("[[inputs]]\nname = \"a\"\n[[inputs]]\nname = \"b\""),
        &mut contract,
    )
    .unwrap();
    assert_eq!(
        (contract.inputs[1].name.as_str(), contract.named),
        ("b", true)
    );
}

#[test]
fn one_name_for_a_matrix_is_that_of_a_column_of_lists() {
    let native = |width| {
        InputKind::Native(NativeType {
            element: NativeElement::Float,
            width,
            shape: RowShape::default(),
        })
    };
    let inputs = ["f0", "f1"]
        .map(|name| Input::of_kind(name, native(Width::One)))
        .to_vec();
    let mut contract = Contract {
        inputs,
        named: false,
        vector: Some(Box::new(Input::of_kind("x", native(Width::Exactly(2))))),
        ..Contract::default()
    };
    apply::inputs(
        &manifest("[[inputs]]\nname = \"embedding\"\non_null = \"reject\""),
        &mut contract,
    )
    .unwrap();
    let [input] = contract.inputs.as_slice() else {
        panic!("one input")
    };
    assert_eq!(
        (input.name.as_str(), &input.kind, input.on_null),
        ("embedding", &native(Width::Exactly(2)), Policy::Reject)
    );
}

#[test]
fn a_logistic_link_keeps_the_slope_of_the_model() {
    let task = Task::Binary {
        labels: [Label::Integer(0), Label::Integer(1)],
        threshold: 0.5,
    };
    let mut outcome = Outcome {
        task,
        link: Link::Logistic { slope: 2.0 },
    };
    apply::outputs(
        &manifest("[outputs]\nlink = \"logistic\"\nlabels = [-1, 1]"),
        &mut outcome,
        1,
    )
    .unwrap();
    assert_eq!(outcome.link, Link::Logistic { slope: 2.0 });
    assert!(matches!(
        outcome.task,
        Task::Binary {
            labels: [Label::Integer(-1), Label::Integer(1)],
            ..
        }
    ));
}

#[test]
fn a_package_of_another_format_has_no_network_keys() {
    let error = refused(
        "name = \"x\"\n[[artefacts]]\npath = \"model.safetensors\"\n[[inputs]]\nname = \
         \"a\"\nmean = 1",
    );
    assert_eq!(
        error.to_string(),
        "`mean`, `scale`, `embedding` and `one_hot` are for networks, and the manifest has no \
         `[network]` (`p/tallow.toml`, column `a`)"
    );
    assert_eq!(
        refused("name = \"x\"").message(),
        "the manifest lists no artefact"
    );
    let weights = refused("name = \"x\"\n[[artefacts]]\npath = \"model.safetensors\"");
    assert_eq!(
        weights.message(),
        "a safetensors file holds weights, but not the layers that they belong to"
    );
    assert!(
        weights
            .hint_text()
            .unwrap_or_default()
            .contains("[[network.layers]]")
    );
}
