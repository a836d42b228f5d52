//! What graphs are found to be like, and what small files may make of them.

use super::answer::Answer;
use super::feed::Feed;
use super::operator::Attribute;
use super::table::GraphModel;
use super::tests::Sketch;
use super::{ElementType, Tensor, ValueId};
use crate::network::sample::noise;

/// A matrix input of `width` numbers, whatever `build` makes of it as the only answer.
fn model_of(width: usize, build: impl FnOnce(&mut Sketch, ValueId)) -> GraphModel {
    let mut sketch = Sketch::default();
    let x = sketch.builder.input();
    build(&mut sketch, x);
    let feed = Feed {
        element: ElementType::Float,
        row_shape: vec![Some(width)],
        column_count: 1,
        rows_axis: Some(0),
    };
    let model = GraphModel::new(sketch.fused(), vec![feed], None).unwrap();
    let outline = model.run_empty().unwrap();
    model
        .answered(
            vec![Answer::Column {
                output: 0,
                name: "y".into(),
            }],
            &outline,
        )
        .unwrap()
}

/// The values less their mean over the batch, spread to so many numbers a row that a few runs of a
/// few rows take too long.
fn mixing(sketch: &mut Sketch, x: ValueId, times: usize) {
    let axes = sketch.builder.constant(Tensor::vector(vec![0_i64]).into());
    let mean = sketch.node("", "ReduceMean", &[x, axes], &[]);
    let mut last = sketch.node("", "Sub", &[x, mean], &[]);
    let wide = sketch
        .builder
        .constant(Tensor::vector(vec![1_i64, 512]).into());
    for _ in 0..times {
        let spread = sketch.node("", "Tile", &[last, wide], &[]);
        let axes = sketch.builder.constant(Tensor::vector(vec![1_i64]).into());
        last = sketch.node("", "ReduceMax", &[spread, axes], &[]);
        let narrow = sketch
            .builder
            .constant(Tensor::vector(vec![1_i64, 512]).into());
        last = sketch.node("", "Tile", &[last, narrow], &[]);
    }
}

#[test]
fn graphs_whose_rows_change_each_other_run_row_by_row_even_if_they_are_too_slow_to_ask() {
    assert!(
        model_of(512, |sketch, x| mixing(sketch, x, 1))
            .runs_as()
            .ends_with("row by row")
    );
    assert!(
        model_of(512, |sketch, x| mixing(sketch, x, 400))
            .runs_as()
            .ends_with("row by row")
    );
    let plain = model_of(512, |sketch, x| {
        sketch.node("", "Abs", &[x], &[]);
    });
    assert!(!plain.runs_as().ends_with("row by row"));
}

#[test]
fn graphs_that_sort_rows_run_row_by_row_whichever_way_they_sort() {
    for largest in [0, 1] {
        let sorting = model_of(1, |sketch, x| {
            let shape = sketch.node("", "Shape", &[x], &[]);
            let first = sketch.builder.constant(Tensor::vector(vec![0_i64]).into());
            let rows = sketch.node("", "Gather", &[shape, first], &[]);
            let attributes = [
                ("axis", Attribute::Int(0)),
                ("largest", Attribute::Int(largest)),
            ];
            sketch.node("", "TopK", &[x, rows], &attributes);
        });
        assert!(sorting.runs_as().ends_with("row by row"), "{largest}");
    }
}

#[test]
fn weights_that_many_nodes_share_are_not_packed_for_each() {
    let mut sketch = Sketch::default();
    let mut last = sketch.builder.input();
    let weight = sketch.constant(vec![512, 512], noise(512 * 512, 1));
    for _ in 0..400 {
        last = sketch.node("", "MatMul", &[last, weight], &[]);
        // What no chain takes in.
        last = sketch.node("", "Softsign", &[last], &[]);
    }
    assert!(sketch.fused().memory_bytes() < 100 << 20);
}

#[test]
fn a_norm_whose_scale_goes_along_another_axis_is_that_of_the_definition() {
    let mut sketch = Sketch::default();
    let x = sketch.builder.input();
    let (scale, bias) = (
        sketch.constant(vec![3, 1], vec![1.0, 10.0, 100.0]),
        sketch.constant(vec![3, 1], vec![0.0, 1.0, 2.0]),
    );
    sketch.node("", "LayerNormalization", &[x, scale, bias], &[]);
    let rows = [1.0, 2.0, 3.0, 4.0, 0.0, 5.0, 6.0, 7.0, 9.0];
    let found = sketch
        .fused()
        .run(vec![
            Tensor::new(vec![1, 3, 3], rows.to_vec()).unwrap().into(),
        ])
        .unwrap();
    for (index, found) in found[0]
        .tensor()
        .unwrap()
        .values::<f32>()
        .unwrap()
        .iter()
        .enumerate()
    {
        let row = &rows[index / 3 * 3..index / 3 * 3 + 3];
        let mean = row.iter().sum::<f32>() / 3.0;
        let variance = row.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / 3.0;
        let expected = (rows[index] - mean) / (variance + 1e-5).sqrt()
            * [1.0, 10.0, 100.0][index / 3]
            + [0.0, 1.0, 2.0][index / 3];
        assert!(
            (found - expected).abs() < 1e-3,
            "{found} where {expected} is right"
        );
    }
}

#[test]
fn an_output_whose_length_follows_its_rows_by_steps_is_a_list() {
    let mut sketch = Sketch::default();
    let x = sketch.builder.input();
    let ends = [
        ("kernel_shape", Attribute::integers(vec![2])),
        ("strides", Attribute::integers(vec![2])),
    ];
    sketch.node("", "MaxPool", &[x], &ends);
    let feed = Feed {
        element: ElementType::Float,
        row_shape: vec![Some(1), None],
        column_count: 1,
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
    assert!(
        matches!(
            model.fields()[0].data_type(),
            arrow::datatypes::DataType::LargeList(_)
        ),
        "{:?}",
        model.fields()
    );
}
