//! Chains of dense layers and tables of columns give what their operators give one by one.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, StringViewArray};

use super::answer::Answer;
use super::build::Builder;
use super::feed::Feed;
use super::operator::{Attribute, Definition};
use super::table::GraphModel;
use super::{ElementType, Graph, Tensor, Value, ValueId};
use crate::model::ColumnModel;
use crate::network::sample::noise;

/// A graph in the making, with what every node gave.
#[derive(Default)]
pub(super) struct Sketch {
    pub(super) builder: Builder,
    made: Vec<ValueId>,
}

impl Sketch {
    pub(super) fn node(
        &mut self,
        domain: &str,
        operator: &str,
        inputs: &[ValueId],
        attributes: &[(&str, Attribute)],
    ) -> ValueId {
        let definition = Definition {
            name: format!("n{}", self.made.len()),
            operator: operator.into(),
            domain: domain.into(),
            version: if domain.is_empty() { 20 } else { 3 },
            attributes: attributes
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect::<HashMap<_, _>>(),
            inputs: vec![true; inputs.len()],
            outputs: vec![true],
        };
        let inputs: Vec<Option<ValueId>> = inputs.iter().copied().map(Some).collect();
        self.made
            .push(self.builder.node(&definition, &inputs).unwrap()[0]);
        self.made[self.made.len() - 1]
    }

    pub(super) fn constant(&mut self, shape: Vec<usize>, values: Vec<f32>) -> ValueId {
        self.builder
            .constant(Tensor::new(shape, values).unwrap().into())
    }

    /// With every value an output, the last one first, no node may be put in the place of others.
    fn plain(self) -> Graph {
        let outputs = self.made.iter().rev().copied().collect();
        self.builder.finish(outputs)
    }

    pub(super) fn fused(self) -> Graph {
        let last = self.made[self.made.len() - 1];
        self.builder.finish(vec![last])
    }
}

fn perceptron() -> Sketch {
    let mut sketch = Sketch::default();
    let x = sketch.builder.input();
    let (w1, b1) = (
        sketch.constant(vec![40, 9], noise(360, 1)),
        sketch.constant(vec![40], noise(40, 2)),
    );
    let (w2, b2) = (
        sketch.constant(vec![40, 33], noise(40 * 33, 3)),
        sketch.constant(vec![1, 33], noise(33, 4)),
    );
    let (scale, w3) = (
        sketch.constant(vec![33], noise(33, 5)),
        sketch.constant(vec![33, 3], noise(99, 6)),
    );
    let transposed = [
        ("transB", Attribute::Int(1)),
        ("alpha", Attribute::Float(0.5)),
        ("beta", Attribute::Float(2.0)),
    ];
    let mut last = sketch.node("", "Gemm", &[x, w1, b1], &transposed);
    last = sketch.node("", "Relu", &[last], &[]);
    last = sketch.node("", "MatMul", &[last, w2], &[]);
    last = sketch.node("", "Add", &[b2, last], &[]);
    last = sketch.node("", "Tanh", &[last], &[]);
    last = sketch.node("", "Mul", &[last, scale], &[]);
    last = sketch.node("", "MatMul", &[last, w3], &[]);
    sketch.node("", "Sigmoid", &[last], &[]);
    sketch
}

#[test]
fn a_chain_of_dense_layers_is_one_node_with_the_operators_numbers() {
    let (fused, plain) = (perceptron().fused(), perceptron().plain());
    assert_eq!(fused.node_count(), 1);
    let rows = Value::from(Tensor::new(vec![300, 9], noise(2700, 7)).unwrap());
    let (found, expected) = (
        fused.run(vec![rows.clone()]).unwrap(),
        plain.run(vec![rows]).unwrap(),
    );
    let (found, expected) = (found[0].tensor().unwrap(), expected[0].tensor().unwrap());
    assert_eq!(found.shape(), expected.shape());
    for (found, expected) in found
        .values::<f32>()
        .unwrap()
        .iter()
        .zip(expected.values::<f32>().unwrap())
    {
        assert!(
            (found - expected).abs() < 1e-6,
            "{found}, the operators give {expected}"
        );
    }
}

/// A layer, GELU written out in either order, and another layer.
fn with_gelu(halves_last: bool) -> Sketch {
    let mut sketch = Sketch::default();
    let x = sketch.builder.input();
    let (first, second) = (
        sketch.constant(vec![9, 20], noise(180, 1)),
        sketch.constant(vec![20, 4], noise(80, 2)),
    );
    let [root, one, half] =
        [std::f32::consts::SQRT_2, 1.0, 0.5].map(|number| sketch.constant(vec![], vec![number]));
    let x = sketch.node("", "MatMul", &[x, first], &[]);
    let scaled = sketch.node("", "Div", &[x, root], &[]);
    let error = sketch.node("", "Erf", &[scaled], &[]);
    let sum = sketch.node("", "Add", &[error, one], &[]);
    let gelu = if halves_last {
        let product = sketch.node("", "Mul", &[x, sum], &[]);
        sketch.node("", "Mul", &[product, half], &[])
    } else {
        let halved = sketch.node("", "Mul", &[x, half], &[]);
        sketch.node("", "Mul", &[halved, sum], &[])
    };
    sketch.node("", "MatMul", &[gelu, second], &[]);
    sketch
}

#[test]
fn a_gelu_that_is_written_out_is_part_of_its_chain() {
    for halves_last in [true, false] {
        let (fused, plain) = (
            with_gelu(halves_last).fused(),
            with_gelu(halves_last).plain(),
        );
        assert_eq!((fused.node_count(), plain.node_count()), (1, 7));
        let rows = Value::from(Tensor::new(vec![50, 9], noise(450, 3)).unwrap());
        let (found, expected) = (
            fused.run(vec![rows.clone()]).unwrap(),
            plain.run(vec![rows]).unwrap(),
        );
        let expected = expected[0]
            .tensor()
            .unwrap()
            .values::<f32>()
            .unwrap()
            .to_vec();
        for (found, expected) in found[0]
            .tensor()
            .unwrap()
            .values::<f32>()
            .unwrap()
            .iter()
            .zip(expected)
        {
            assert!(
                (found - expected).abs() < 1e-5,
                "{found}, the operators give {expected}"
            );
        }
    }
}

#[test]
fn a_row_of_a_chain_has_the_same_bits_alone_and_in_any_batch() {
    let graph = perceptron().fused();
    let values = noise(2700, 8);
    let run = |rows: &[f32]| {
        graph
            .run(vec![
                Tensor::new(vec![rows.len() / 9, 9], rows.to_vec())
                    .unwrap()
                    .into(),
            ])
            .unwrap()
    };
    let together = run(&values);
    let together = together[0].tensor().unwrap().values::<f32>().unwrap();
    for (row, expected) in values.chunks(9).zip(together.chunks(3)) {
        assert_eq!(
            run(row)[0].tensor().unwrap().values::<f32>().unwrap(),
            expected
        );
    }
}

#[test]
fn a_chain_takes_tensors_of_more_axes_and_no_rows() {
    let mut sketch = Sketch::default();
    let x = sketch.builder.input();
    let (w, b) = (
        sketch.constant(vec![2, 3], vec![1.0, 0.0, 2.0, 0.0, 1.0, 1.0]),
        sketch.constant(vec![3], vec![0.5, 0.0, -1.0]),
    );
    let product = sketch.node("", "MatMul", &[x, w], &[]);
    sketch.node("", "Add", &[product, b], &[]);
    let graph = sketch.fused();
    let run = |shape: Vec<usize>, values: Vec<f32>| {
        graph
            .run(vec![Tensor::new(shape, values).unwrap().into()])
            .unwrap()[0]
            .tensor()
            .unwrap()
            .clone()
    };
    let cube = run(vec![2, 1, 2], vec![1.0, 2.0, 3.0, 4.0]);
    assert_eq!(
        (cube.shape(), cube.values::<f32>().unwrap()),
        (&[2, 1, 3][..], &[1.5, 2.0, 3.0, 3.5, 4.0, 9.0][..])
    );
    assert_eq!(run(vec![2], vec![1.0, 2.0]).shape(), [3]);
    assert_eq!(run(vec![0, 2], vec![]).shape(), [0, 3]);
}

#[test]
fn a_value_that_others_read_ends_a_chain() {
    let mut sketch = Sketch::default();
    let x = sketch.builder.input();
    let w = sketch.constant(vec![2, 2], vec![1.0, 0.0, 0.0, 1.0]);
    let first = sketch.node("", "MatMul", &[x, w], &[]);
    let second = sketch.node("", "Relu", &[first], &[]);
    sketch.node("", "Sub", &[first, second], &[]);
    let graph = sketch.fused();
    assert_eq!(graph.node_count(), 3);
    let found = graph
        .run(vec![
            Tensor::new(vec![1, 2], vec![-2.0_f32, 3.0]).unwrap().into(),
        ])
        .unwrap();
    assert_eq!(
        found[0].tensor().unwrap().values::<f32>().unwrap(),
        [-2.0, 0.0]
    );
}

/// Two numbers imputed and scaled alongside a text's indicators, summed by a linear model, as
/// skl2onnx writes it.
fn pipeline(refuses_unknown: bool) -> Sketch {
    let mut sketch = Sketch::default();
    let (numbers, text) = (sketch.builder.input(), sketch.builder.input());
    let shape = sketch
        .builder
        .constant(Tensor::vector(vec![-1_i64, 3]).into());
    let floats = |values: &[f32]| Attribute::floats(values.iter().copied());
    let imputed = [
        ("imputed_value_floats", floats(&[5.0, 7.0])),
        ("replaced_value_float", Attribute::Float(f32::NAN)),
    ];
    let mut table = sketch.node("ai.onnx.ml", "Imputer", &[numbers], &imputed);
    table = sketch.node(
        "ai.onnx.ml",
        "Scaler",
        &[table],
        &[
            ("offset", floats(&[1.0, 2.0])),
            ("scale", floats(&[0.3, 0.7])),
        ],
    );
    let categories = ["a", "b", "ccc"].map(Arc::from).into_iter().collect();
    let zeros = Attribute::Int(i64::from(!refuses_unknown));
    let hot = sketch.node(
        "ai.onnx.ml",
        "OneHotEncoder",
        &[text],
        &[
            ("cats_strings", Attribute::Strings(categories)),
            ("zeros", zeros),
        ],
    );
    let flat = sketch.node("", "Reshape", &[hot, shape], &[]);
    let all = sketch.node("", "Concat", &[table, flat], &[("axis", Attribute::Int(1))]);
    let weights = [
        ("coefficients", floats(&[1.0, -2.0, 10.0, 20.0, 30.0])),
        ("intercepts", floats(&[100.0])),
    ];
    sketch.node("ai.onnx.ml", "LinearRegressor", &[all], &weights);
    sketch
}

fn feeds() -> Vec<Feed> {
    vec![
        Feed {
            element: ElementType::Float,
            row_shape: vec![Some(2)],
            column_count: 2,
            rows_axis: Some(0),
        },
        Feed {
            element: ElementType::String,
            row_shape: vec![Some(1)],
            column_count: 1,
            rows_axis: Some(0),
        },
    ]
}

fn columns(texts: &[&str]) -> Vec<ArrayRef> {
    let numbers = |from: f32| {
        Arc::new(
            (0..texts.len())
                .map(|row| {
                    if row % 3 == 1 {
                        f32::NAN
                    } else {
                        from + row as f32
                    }
                })
                .map(Some)
                .collect::<Float32Array>(),
        )
    };
    vec![
        numbers(0.25),
        numbers(-4.0),
        Arc::new(StringViewArray::from_iter_values(texts)),
    ]
}

#[test]
fn columns_reach_a_linear_model_without_tensors_and_with_the_operators_numbers() {
    let mut graph = pipeline(false).fused();
    let takes = graph.assemble(&[
        Some((ElementType::Float, 2)),
        Some((ElementType::String, 1)),
    ]);
    assert_eq!((takes, graph.node_count()), (vec![true, true], 2));
    let columns = columns(&["a", "ccc", "unseen", "", "b"]);
    let found = graph
        .run(vec![
            Value::Columns(columns[..2].to_vec()),
            Value::Columns(columns[2..].to_vec()),
        ])
        .unwrap();
    let tensors = [
        Tensor::new(
            vec![5, 2],
            vec![
                0.25,
                -4.0,
                f32::NAN,
                f32::NAN,
                2.25,
                -2.0,
                3.25,
                -1.0,
                f32::NAN,
                f32::NAN,
            ],
        )
        .unwrap(),
        Tensor::new(
            vec![5, 1],
            ["a", "ccc", "unseen", "", "b"]
                .map(Arc::<str>::from)
                .to_vec(),
        )
        .unwrap(),
    ];
    let expected = pipeline(false)
        .plain()
        .run(tensors.map(Value::from).to_vec())
        .unwrap();
    let values = |found: &[Value]| found[0].tensor().unwrap().values::<f32>().unwrap().to_vec();
    for (found, expected) in values(&found).iter().zip(values(&expected)) {
        assert!(
            (found - expected).abs() < 1e-5,
            "{found}, the operators give {expected}"
        );
    }
}

#[test]
fn an_input_that_another_operator_reads_stays_a_tensor() {
    let mut sketch = pipeline(false);
    let text = 1;
    let upper = sketch.node(
        "",
        "StringNormalizer",
        &[text],
        &[("case_change_action", Attribute::String("UPPER".into()))],
    );
    let outputs = vec![sketch.made[sketch.made.len() - 2], upper];
    let mut graph = sketch.builder.finish(outputs);
    assert_eq!(
        graph.assemble(&[
            Some((ElementType::Float, 2)),
            Some((ElementType::String, 1))
        ]),
        [true, false]
    );
}

#[test]
fn outputs_are_named_without_a_row_that_an_encoder_would_refuse() {
    let model = GraphModel::new(pipeline(true).fused(), feeds(), None).unwrap();
    let outline = model.run_empty().unwrap();
    assert!(
        model
            .run_zeros()
            .unwrap_err()
            .to_string()
            .contains("never seen")
    );
    let model = model
        .answered(
            vec![Answer::Column {
                output: 0,
                name: "prediction".into(),
            }],
            &outline,
        )
        .unwrap();
    assert_eq!(model.fields()[0].name(), "prediction");
    let scored = model.worker().score(&columns(&["a", "b"])).unwrap();
    assert_eq!(scored.columns[0].len(), 2);
    let refused = model.worker().score(&columns(&["a", "d"])).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("a category was never seen in training"),
        "{refused}"
    );
}

/// Two trees of one question, their nodes and votes listed in this order.
fn listed_trees(order: [usize; 6], leaves: [usize; 4]) -> Graph {
    let mut sketch = Sketch::default();
    let x = sketch.builder.input();
    let ints = |all: [i64; 6]| Attribute::integers(order.iter().map(|index| all[*index]));
    let votes = |all: [i64; 4]| Attribute::integers(leaves.iter().map(|index| all[*index]));
    let modes = ["BRANCH_LEQ", "LEAF", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF"];
    let attributes = [
        ("nodes_treeids", ints([4, 4, 4, 9, 9, 9])),
        ("nodes_nodeids", ints([0, 1, 2, 7, 3, 5])),
        ("nodes_featureids", ints([0, 0, 0, 1, 0, 0])),
        ("nodes_truenodeids", ints([1, 0, 0, 3, 0, 0])),
        ("nodes_falsenodeids", ints([2, 0, 0, 5, 0, 0])),
        (
            "nodes_modes",
            Attribute::Strings(order.iter().map(|index| Arc::from(modes[*index])).collect()),
        ),
        (
            "nodes_values",
            Attribute::floats(
                order
                    .iter()
                    .map(|index| [0.5, 0.0, 0.0, 2.0, 0.0, 0.0][*index]),
            ),
        ),
        ("target_treeids", votes([4, 4, 9, 9])),
        ("target_nodeids", votes([1, 2, 3, 5])),
        ("target_ids", votes([0; 4])),
        (
            "target_weights",
            Attribute::floats(leaves.iter().map(|index| [1.0, 2.0, 10.0, 20.0][*index])),
        ),
    ];
    sketch.node("ai.onnx.ml", "TreeEnsembleRegressor", &[x], &attributes);
    sketch.fused()
}

#[test]
fn graphs_of_trees_are_known_to_keep_rows_apart_and_products_are_not() {
    assert!(listed_trees([0, 1, 2, 3, 4, 5], [0, 1, 2, 3]).keeps_rows_apart());
    let mut sketch = Sketch::default();
    let (x, weight) = (
        sketch.builder.input(),
        sketch.constant(vec![2, 2], vec![1.0; 4]),
    );
    sketch.node("", "MatMul", &[x, weight], &[]);
    assert!(!sketch.fused().keeps_rows_apart());
}

#[test]
fn trees_mean_the_same_in_whatever_order_their_nodes_and_votes_are_listed() {
    let rows = Tensor::new(vec![4, 2], vec![0.0_f32, 0.0, 1.0, 0.0, 0.0, 3.0, 1.0, 3.0]).unwrap();
    // The first node of a tree is its root, wherever the others lie.
    for (order, leaves) in [
        ([0, 1, 2, 3, 4, 5], [0, 1, 2, 3]),
        ([3, 0, 5, 2, 4, 1], [3, 0, 2, 1]),
    ] {
        let trees = listed_trees(order, leaves);
        let found = trees.run(vec![rows.clone().into()]).unwrap();
        assert_eq!(
            found[0].tensor().unwrap().values::<f32>().unwrap(),
            [11.0, 12.0, 21.0, 22.0]
        );
    }
}

#[test]
fn a_row_of_a_graph_that_scales_by_all_rows_has_the_same_score_alone_and_alongside_larger_ones() {
    let mut sketch = Sketch::default();
    let x = sketch.builder.input();
    let definition = Definition {
        name: "q".into(),
        operator: "DynamicQuantizeLinear".into(),
        domain: String::new(),
        version: 20,
        attributes: HashMap::new(),
        inputs: vec![true],
        outputs: vec![true; 3],
    };
    let quantised = sketch.builder.node(&definition, &[Some(x)]).unwrap();
    sketch.node("", "DequantizeLinear", &quantised, &[]);
    let feed = Feed {
        element: ElementType::Float,
        row_shape: vec![Some(2)],
        column_count: 2,
        rows_axis: Some(0),
    };
    let model = GraphModel::new(sketch.fused(), vec![feed], None).unwrap();
    let outline = model.run_empty().unwrap();
    let model = model
        .answered(
            vec![Answer::Column {
                output: 0,
                name: "y".into(),
            }],
            &outline,
        )
        .unwrap();
    let score = |rows: &[[f32; 2]]| {
        let column = |index: usize| {
            Arc::new(Float32Array::from_iter_values(
                rows.iter().map(|row| row[index]),
            )) as ArrayRef
        };
        let scored = model.worker().score(&[column(0), column(1)]).unwrap();
        scored.columns[0].slice(0, 1).to_data()
    };
    assert_eq!(score(&[[0.3, -0.7]]), score(&[[0.3, -0.7], [900.0, -3.0]]));
}

#[test]
fn the_largest_and_the_distinct_values_are_found_among_missing_ones() {
    let values: Vec<f32> = noise(300, 9)
        .into_iter()
        .enumerate()
        .map(|(index, value)| if index % 3 == 0 { f32::NAN } else { value })
        .collect();
    let distinct: std::collections::HashSet<u32> = values
        .iter()
        .filter(|value| !value.is_nan())
        .map(|value| value.to_bits())
        .collect();
    for wants_max in [0, 1] {
        let mut sketch = Sketch::default();
        let x = sketch.builder.input();
        let count = sketch.builder.constant(Tensor::vector(vec![3_i64]).into());
        sketch.node(
            "",
            "TopK",
            &[x, count],
            &[("largest", Attribute::Int(wants_max))],
        );
        let found = sketch
            .fused()
            .run(vec![Tensor::vector(values.clone()).into()])
            .unwrap();
        let found = found[0].tensor().unwrap().values::<f32>().unwrap().to_vec();
        let least = values.iter().copied().fold(f32::INFINITY, f32::min);
        assert!(
            if wants_max == 1 {
                found.iter().all(|value| value.is_nan())
            } else {
                found[0] == least
            },
            "{found:?}"
        );
    }
    let mut sketch = Sketch::default();
    let x = sketch.builder.input();
    sketch.node("", "Unique", &[x], &[]);
    let found = sketch
        .fused()
        .run(vec![Tensor::vector(values).into()])
        .unwrap();
    assert_eq!(found[0].tensor().unwrap().len(), distinct.len() + 1);
}
