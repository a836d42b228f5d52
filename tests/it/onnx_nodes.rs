//! The ONNX project's own backend node tests, run through the graph engine.
//!
//! `TALLOW_ONNX_NODE_TESTS` names a folder of them (`<case>/model.onnx`, `<case>/test_data_set_<i>/{input,output}_<j>.pb`), as
//! `data/golden/onnx_nodes.py` writes it; without it the slice in `data/golden/onnx_nodes` is run. A case passes, is refused with a contract
//! error, or is wrong; one that is wrong fails the test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tallow::error::Kind;
use tallow::model::format::onnx::{OpenGraph, PortKind, open_graph, read_value};
use tallow::model::graph::{ElementType, Tensor, Value};

use crate::harness::data;

/// ONNX's own tolerances.
const RELATIVE: f64 = 1e-3;
const ABSOLUTE: f64 = 1e-7;

/// Two steps of a 16-bit float, where the reference rounds between operators that are one here, or the other way round.
fn relative(element: ElementType) -> f64 {
    match element {
        ElementType::Float16 => 2.0 / 1024.0,
        ElementType::Bfloat16 => 2.0 / 128.0,
        _ => RELATIVE,
    }
}

/// Damaged copies of each model.
const MUTATIONS: usize = 40;

enum Verdict {
    Passed,
    Refused(String),
    Wrong(String),
}

fn folder() -> PathBuf {
    std::env::var_os("TALLOW_ONNX_NODE_TESTS").map_or_else(|| data("golden/onnx_nodes"), PathBuf::from)
}

fn sorted(directory: &Path, starts_with: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with(starts_with));
    paths.sort_by_key(|path| (path.to_string_lossy().len(), path.clone()));
    paths
}

#[test]
fn every_node_test_passes_or_is_refused() {
    let (mut passed, mut refused, mut wrong) = (0, BTreeMap::<String, Vec<String>>::new(), Vec::new());
    for case in sorted(&folder(), "test_") {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        match std::panic::catch_unwind(|| run(&case)).unwrap_or_else(|_| Verdict::Wrong("panicked".into())) {
            Verdict::Passed => passed += 1,
            Verdict::Refused(reason) => refused.entry(reason).or_default().push(name),
            Verdict::Wrong(reason) => wrong.push(format!("{name}: {reason}")),
        }
    }
    let refused_count: usize = refused.values().map(Vec::len).sum();
    let reasons: Vec<String> = refused.iter().map(|(reason, names)| format!("  {:4} {reason}: {}", names.len(), names.join(" "))).collect();
    let summary = format!("{passed} passed, {refused_count} refused, {} wrong", wrong.len());
    println!("{}\n{summary}", reasons.join("\n"));
    assert!(wrong.is_empty(), "{summary}\n{}", wrong.join("\n"));
    assert!(passed > 0, "no cases in {}", folder().display());
}

fn run(case: &Path) -> Verdict {
    let opened = match open_graph(&std::fs::read(case.join("model.onnx")).unwrap()) {
        Ok(opened) => opened,
        Err(error) if error.kind() == Kind::Contract => return Verdict::Refused(error.message().to_owned()),
        Err(error) => return Verdict::Wrong(format!("{error}{}", cause(&error))),
    };
    for set in sorted(case, "test_data_set_") {
        match run_set(&opened, &set) {
            Ok(()) => {}
            Err(verdict) => return verdict,
        }
    }
    Verdict::Passed
}

fn cause(error: &tallow::error::Error) -> String {
    std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default()
}

fn run_set(opened: &OpenGraph, set: &Path) -> Result<(), Verdict> {
    let verdict = |error: tallow::error::Error| match error.kind() {
        Kind::Contract => Verdict::Refused(error.message().to_owned()),
        _ => Verdict::Wrong(format!("{error}{}", cause(&error))),
    };
    let read = |path: &Path, kind: &PortKind| read_value(&std::fs::read(path).unwrap(), kind).map_err(verdict);
    let inputs = sorted(set, "input_").iter().zip(&opened.inputs).map(|(path, port)| read(path, &port.kind)).collect::<Result<Vec<Value>, _>>()?;
    let outputs = opened.graph.run(inputs).map_err(verdict)?;
    for ((path, port), output) in sorted(set, "output_").iter().zip(&opened.outputs).zip(&outputs) {
        let expected = read(path, &port.kind)?;
        difference(&expected, output).map_or(Ok(()), |difference| Err(Verdict::Wrong(format!("`{}` {difference}", port.name))))?;
    }
    Ok(())
}

fn difference(expected: &Value, found: &Value) -> Option<String> {
    match (expected, found) {
        (Value::Tensor(expected), Value::Tensor(found)) => tensor_difference(expected, found),
        (Value::Sequence(expected), Value::Sequence(found)) => {
            if expected.len() != found.len() {
                return Some(format!("has {} values, expected {}", found.len(), expected.len()));
            }
            expected.iter().zip(found).find_map(|(expected, found)| difference(expected, found))
        }
        (Value::Optional(None), Value::Optional(None)) => None,
        (Value::Optional(Some(expected)), Value::Optional(Some(found))) => difference(expected, found),
        (Value::Optional(Some(expected)), found) => difference(expected, found),
        (expected, found) => Some(format!("is {}, expected {}", found.kind(), expected.kind())),
    }
}

fn tensor_difference(expected: &Tensor, found: &Tensor) -> Option<String> {
    let shape = |tensor: &Tensor| format!("{}{:?}", tensor.element_type().name(), tensor.shape());
    if expected.shape() != found.shape() || expected.element_type() != found.element_type() {
        return Some(format!("is {}, expected {}", shape(found), shape(expected)));
    }
    if expected.element_type() == ElementType::String {
        return (format!("{:?}", expected.data()) != format!("{:?}", found.data()))
            .then(|| format!("is {:?}, expected {:?}", found.data(), expected.data()));
    }
    let (wanted, given) = (expected.doubles().unwrap(), found.doubles().unwrap());
    let is_float = expected.element_type().is_float();
    let tolerance = relative(expected.element_type());
    // Where many numbers cancel out, what is left is as large as the last bit of the largest.
    let largest = wanted.iter().copied().filter(|value| value.is_finite()).fold(1.0, |largest: f64, value| largest.max(value.abs()));
    let near = |a: f64, b: f64| a == b || a.is_nan() && b.is_nan() || is_float && (a - b).abs() <= ABSOLUTE * largest + tolerance * a.abs();
    let place = wanted.iter().zip(&given).position(|(a, b)| !near(*a, *b))?;
    Some(format!("{} at {place} is {}, expected {}", shape(found), given[place], wanted[place]))
}

/// A number that looks random and is the same in every run.
fn scrambled(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

#[test]
fn damaged_node_tests_fail_without_a_panic() {
    let mut state = 7;
    for case in sorted(&data("golden/onnx_nodes"), "test_") {
        let whole = std::fs::read(case.join("model.onnx")).unwrap();
        let set = case.join("test_data_set_0");
        let ports = open_graph(&whole).unwrap().inputs;
        let read = |(path, port): (&PathBuf, &tallow::model::format::onnx::Port)| read_value(&std::fs::read(path).unwrap(), &port.kind).unwrap();
        let inputs: Vec<Value> = sorted(&set, "input_").iter().zip(&ports).map(read).collect();
        for turn in 0..MUTATIONS {
            let mut damaged = whole.clone();
            for _ in 0..=turn % 3 {
                let place = scrambled(&mut state) % damaged.len();
                damaged[place] = if turn % 2 == 0 { scrambled(&mut state) as u8 } else { [0, 1, 2, 3, 127, 255][scrambled(&mut state) % 6] };
            }
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                if let Ok(opened) = open_graph(&damaged) {
                    let _ = opened.graph.run(inputs.clone());
                    let mut turned = inputs.clone();
                    turned.reverse();
                    let _ = opened.graph.run(turned);
                }
            }));
            assert!(outcome.is_ok(), "{} with the mutation {turn}", case.display());
        }
    }
}
