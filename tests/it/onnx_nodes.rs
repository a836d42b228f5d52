//! The ONNX project's own backend node tests, run through the graph engine.
//!
//! `TALLOW_ONNX_NODE_TESTS` names a folder of them (`<case>/model.onnx`,
//! `<case>/test_data_set_<i>/{input,output}_<j>.pb`), as `data/golden/onnx_nodes.py` writes it;
//! without it the slice in `data/golden/onnx_nodes` is run. A case passes, is refused with a
//! contract error, or is wrong; one that is wrong fails the test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tallow::error::Kind;
use tallow::format::onnx::{OpenGraph, PortKind, open_graph, read_value};
use tallow::graph::{ElementType, Tensor, Value};

use crate::harness::data;

/// ONNX's own tolerances.
const RELATIVE: f64 = 1e-3;
const ABSOLUTE: f64 = 1e-7;

/// Two steps of a 16-bit float, where the reference rounds between operators that are one here, or
/// the other way round.
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
    std::env::var_os("TALLOW_ONNX_NODE_TESTS")
        .map_or_else(|| data("golden/onnx_nodes"), PathBuf::from)
}

fn sorted(directory: &Path, starts_with: &str) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| {
        path.file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with(starts_with)
    });
    paths.sort_by_key(|path| (path.to_string_lossy().len(), path.clone()));
    paths
}

#[test]
fn every_node_test_passes_or_is_refused() {
    judge(&folder(), false);
}

/// The nodes of ONNX Runtime's own domain (`data/golden/onnx_runtime.py`), with its numbers.
#[test]
fn fused_and_quantised_nodes_give_the_numbers_of_onnx_runtime() {
    let refused = judge(&data("golden/onnx_runtime"), false);
    assert!(refused.is_empty(), "{refused:?}");
}

/// Numbers that leave their integer type (`data/golden/onnx_integers.py`).
#[test]
fn integers_leave_their_types_as_in_onnx_runtime() {
    let refused = judge(&data("golden/onnx_integers"), true);
    assert!(refused.is_empty(), "{refused:?}");
}

/// Runs the cases of a folder, none of which may be wrong, not even in the last bit if `is_exact`;
/// returns those that are refused, by the reason.
#[expect(clippy::print_stdout, reason = "the summary of a long run")]
fn judge(folder: &Path, is_exact: bool) -> BTreeMap<String, Vec<String>> {
    let (mut passed, mut refused, mut wrong) =
        (0, BTreeMap::<String, Vec<String>>::new(), Vec::new());
    for case in sorted(folder, "test_") {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        match std::panic::catch_unwind(|| run(&case, is_exact))
            .unwrap_or_else(|_| Verdict::Wrong("panicked".into()))
        {
            Verdict::Passed => passed += 1,
            Verdict::Refused(reason) => refused.entry(reason).or_default().push(name),
            Verdict::Wrong(reason) => wrong.push(format!("{name}: {reason}")),
        }
    }
    let refused_count: usize = refused.values().map(Vec::len).sum();
    let reasons: Vec<String> = refused
        .iter()
        .map(|(reason, names)| format!("  {:4} {reason}: {}", names.len(), names.join(" ")))
        .collect();
    let summary = format!(
        "{passed} passed, {refused_count} refused, {} wrong",
        wrong.len()
    );
    println!("{}\n{summary}", reasons.join("\n"));
    assert!(wrong.is_empty(), "{summary}\n{}", wrong.join("\n"));
    assert!(passed > 0, "no cases in {}", folder.display());
    refused
}

fn run(case: &Path, is_exact: bool) -> Verdict {
    let opened = match open_graph(&std::fs::read(case.join("model.onnx")).unwrap()) {
        Ok(opened) => opened,
        Err(error) if error.kind() == Kind::Contract => {
            return Verdict::Refused(error.message().to_owned());
        }
        Err(error) => return Verdict::Wrong(format!("{error}{}", cause(&error))),
    };
    for set in sorted(case, "test_data_set_") {
        match run_set(&opened, &set, is_exact) {
            Ok(()) => {}
            Err(verdict) => return verdict,
        }
    }
    Verdict::Passed
}

fn cause(error: &tallow::error::Error) -> String {
    std::error::Error::source(error)
        .map(|source| format!(": {source}"))
        .unwrap_or_default()
}

fn run_set(opened: &OpenGraph, set: &Path, is_exact: bool) -> Result<(), Verdict> {
    let verdict = |error: tallow::error::Error| match error.kind() {
        Kind::Contract => Verdict::Refused(error.message().to_owned()),
        _ => Verdict::Wrong(format!("{error}{}", cause(&error))),
    };
    let read = |path: &Path, kind: &PortKind| {
        read_value(&std::fs::read(path).unwrap(), kind).map_err(verdict)
    };
    let inputs = sorted(set, "input_")
        .iter()
        .zip(&opened.inputs)
        .map(|(path, port)| read(path, &port.kind))
        .collect::<Result<Vec<Value>, _>>()?;
    let outputs = opened.graph.run(inputs).map_err(verdict)?;
    for ((path, port), output) in sorted(set, "output_")
        .iter()
        .zip(&opened.outputs)
        .zip(&outputs)
    {
        let expected = read(path, &port.kind)?;
        difference(&expected, output, is_exact).map_or(Ok(()), |difference| {
            Err(Verdict::Wrong(format!("`{}` {difference}", port.name)))
        })?;
    }
    Ok(())
}

fn difference(expected: &Value, found: &Value, is_exact: bool) -> Option<String> {
    match (expected, found) {
        (Value::Tensor(expected), Value::Tensor(found)) => {
            tensor_difference(expected, found, is_exact)
        }
        (Value::Sequence(expected), Value::Sequence(found)) => {
            if expected.len() != found.len() {
                return Some(format!(
                    "has {} values, expected {}",
                    found.len(),
                    expected.len()
                ));
            }
            expected
                .iter()
                .zip(found)
                .find_map(|(expected, found)| difference(expected, found, is_exact))
        }
        (Value::Optional(None), Value::Optional(None)) => None,
        (Value::Optional(Some(expected)), Value::Optional(Some(found))) => {
            difference(expected, found, is_exact)
        }
        (Value::Optional(Some(expected)), found) => difference(expected, found, is_exact),
        (expected, found) => Some(format!("is {}, expected {}", found.kind(), expected.kind())),
    }
}

fn tensor_difference(expected: &Tensor, found: &Tensor, is_exact: bool) -> Option<String> {
    let shape = |tensor: &Tensor| format!("{}{:?}", tensor.element_type().name(), tensor.shape());
    if expected.shape() != found.shape() || expected.element_type() != found.element_type() {
        return Some(format!("is {}, expected {}", shape(found), shape(expected)));
    }
    if expected.element_type() == ElementType::String {
        return (format!("{:?}", expected.data()) != format!("{:?}", found.data()))
            .then(|| format!("is {:?}, expected {:?}", found.data(), expected.data()));
    }
    let is_float = expected.element_type().is_float();
    if !is_float && expected.element_type() != ElementType::Bool {
        return integer_difference(expected, found)
            .map(|difference| format!("{} {difference}", shape(found)));
    }
    let (requested, provided) = (expected.doubles().unwrap(), found.doubles().unwrap());
    let tolerance = relative(expected.element_type());
    // Where many numbers cancel out, what is left is as large as the last bit of the largest.
    let largest = requested
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .fold(1.0, |largest: f64, value| largest.max(value.abs()));
    let near = |a: f64, b: f64| {
        a == b
            || a.is_nan() && b.is_nan()
            || is_float && !is_exact && (a - b).abs() <= ABSOLUTE * largest + tolerance * a.abs()
    };
    let index = requested
        .iter()
        .zip(&provided)
        .position(|(a, b)| !near(*a, *b))?;
    Some(format!(
        "{} at {index} is {}, expected {}",
        shape(found),
        provided[index],
        requested[index]
    ))
}

/// The first integer that is another one, to the last digit.
fn integer_difference(expected: &Tensor, found: &Tensor) -> Option<String> {
    let digits = |tensor: &Tensor| -> Vec<String> {
        let all = format!("{:?}", tensor.data());
        let list =
            all.trim_matches(|symbol: char| symbol.is_alphanumeric() || "()".contains(symbol));
        let list = list.trim_matches(['[', ']']).split(", ");
        list.map(str::to_owned).collect()
    };
    let (expected, found) = (digits(expected), digits(found));
    let index = (0..expected.len()).find(|&index| expected[index] != found[index])?;
    Some(format!(
        "at {index} is {}, expected {}",
        found[index], expected[index]
    ))
}

/// A number that looks random and is the same in every run.
fn scrambled(state: &mut u64) -> usize {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

/// Numbers that lengths, axes and positions should not be.
const EXTREMES: [i64; 8] = [0, -1, 1, i64::MIN, i64::MAX, 1 << 40, -(1 << 31), 1 << 28];

/// The same value with some of its numbers extreme.
fn distorted(value: &Value, state: &mut u64) -> Value {
    let Value::Tensor(tensor) = value else {
        return value.clone();
    };
    let shape = tensor.shape().to_vec();
    let tensor = match tensor.element_type() {
        ElementType::Int64 => {
            let mut values = tensor.values::<i64>().unwrap().to_vec();
            values.iter_mut().for_each(|value| {
                *value =
                    [*value, EXTREMES[scrambled(state) % EXTREMES.len()]][scrambled(state) % 2];
            });
            Tensor::new(shape, values)
        }
        ElementType::Float => {
            let extremes = [f32::NAN, f32::INFINITY, f32::MIN, 1e-38, -0.0, 1e9];
            let mut values = tensor.values::<f32>().unwrap().to_vec();
            values.iter_mut().for_each(|value| {
                *value = if scrambled(state).is_multiple_of(4) {
                    extremes[scrambled(state) % extremes.len()]
                } else {
                    *value
                }
            });
            Tensor::new(shape, values)
        }
        _ => return value.clone(),
    };
    Value::Tensor(tensor.unwrap())
}

/// `TALLOW_FUZZ_SECONDS` goes on for so long.
#[test]
fn damaged_node_tests_fail_without_a_panic() {
    let seconds = std::env::var("TALLOW_FUZZ_SECONDS")
        .ok()
        .map(|text| text.parse().expect("a number"));
    let end =
        seconds.map(|seconds| std::time::Instant::now() + std::time::Duration::from_secs(seconds));
    let mut state = seconds.map_or(7, |_| std::process::id().into());
    loop {
        for case in ["golden/onnx_nodes", "golden/onnx_runtime"]
            .iter()
            .flat_map(|folder| sorted(&data(folder), "test_"))
        {
            damage(&case, &mut state);
            if end.is_some_and(|end| std::time::Instant::now() > end) {
                return;
            }
        }
        if end.is_none() {
            return;
        }
    }
}

fn damage(case: &Path, state: &mut u64) {
    let whole = std::fs::read(case.join("model.onnx")).unwrap();
    let set = case.join("test_data_set_0");
    let ports = open_graph(&whole).unwrap().inputs;
    let read = |(path, port): (&PathBuf, &tallow::format::onnx::Port)| {
        read_value(&std::fs::read(path).unwrap(), &port.kind).unwrap()
    };
    let inputs: Vec<Value> = sorted(&set, "input_")
        .iter()
        .zip(&ports)
        .map(read)
        .collect();
    for turn in 0..MUTATIONS {
        let (began, mut damaged) = (*state, whole.clone());
        for _ in 0..=turn % 3 {
            let index = scrambled(state) % damaged.len();
            damaged[index] = if turn % 2 == 0 {
                scrambled(state) as u8
            } else {
                [0, 1, 2, 3, 127, 255][scrambled(state) % 6]
            };
        }
        let distorted: Vec<Value> = inputs.iter().map(|value| distorted(value, state)).collect();
        let time = std::time::Instant::now();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            if let Ok(opened) = open_graph(&damaged) {
                let _ = opened.graph.run(inputs.clone());
                let mut transposed = inputs.clone();
                transposed.reverse();
                let _ = opened.graph.run(transposed);
            }
            let _ = open_graph(&whole).unwrap().graph.run(distorted);
        }));
        assert!(
            outcome.is_ok(),
            "{} with the mutation {turn} of state {began}",
            case.display()
        );
        assert!(
            time.elapsed().as_secs() < 60,
            "{} takes long with the mutation {turn} of state {began}",
            case.display()
        );
    }
}
