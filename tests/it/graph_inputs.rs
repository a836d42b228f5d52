//! What feeds a graph's inputs: numbers that their types do not hold, which axis counts rows,
//! several matrices, lists of lists, fields of structs.
//!
//! The models are those of `data/golden/onnx_rows.py`; what they answer is ONNX Runtime 1.31's, or
//! the number itself where they pass it on.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float32Array, Float64Array, Int64Array, ListArray,
    RecordBatch, StructArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Fields, Float32Type, Int64Type, UInt64Type};

use crate::harness::{Room, Run, column, data, numbers};

fn score(room: &Room, model: &str, further: &str) -> Run {
    let model = data(&format!("golden/onnx_inputs/{model}.onnx"));
    room.tallow(&format!(
        "score --model {} --output out.parquet --overwrite --passthrough none --format json \
         {further}",
        model.display()
    ))
}

fn rows(room: &Room, columns: Vec<(&str, ArrayRef)>) {
    room.parquet(
        "rows.parquet",
        &RecordBatch::try_from_iter_with_nullable(
            columns
                .into_iter()
                .map(|(name, column)| (name, column, true)),
        )
        .unwrap(),
        64,
    );
}

fn answers(room: &Room) -> Vec<f64> {
    numbers(column(&room.table("out.parquet"), "prediction"))
}

fn lists(rows: &[Vec<f64>]) -> ArrayRef {
    let rows = rows
        .iter()
        .map(|row| Some(row.iter().map(|value| Some(*value)).collect::<Vec<_>>()));
    Arc::new(ListArray::from_iter_primitive::<
        arrow::datatypes::Float64Type,
        _,
        _,
    >(rows))
}

#[test]
fn numbers_that_a_type_does_not_hold_stop_at_their_row_or_follow_the_policy() {
    let room = Room::new();
    // (model, the column, what fits of it)
    let cases: Vec<(&str, ArrayRef, &[f64])> = vec![
        (
            "int32",
            Arc::new(Int64Array::from(vec![1, (1 << 31) - 1, 1 << 31])),
            &[1.0, 2_147_483_647.0],
        ),
        (
            "int32",
            Arc::new(Int64Array::from(vec![-5, -(1 << 31), -(1 << 31) - 1])),
            &[-5.0, -2_147_483_648.0],
        ),
        (
            "int8",
            Arc::new(Float64Array::from(vec![-128.0, 127.0, 128.0])),
            &[-128.0, 127.0],
        ),
        (
            "uint8",
            Arc::new(Int64Array::from(vec![0, 255, 300])),
            &[0.0, 255.0],
        ),
        (
            "uint8",
            Arc::new(Int64Array::from(vec![0, 7, -1])),
            &[0.0, 7.0],
        ),
        (
            "uint8",
            Arc::new(Float64Array::from(vec![0.0, 7.0, 12.7])),
            &[0.0, 7.0],
        ),
        (
            "uint32",
            Arc::new(UInt64Array::from(vec![0, (1 << 32) - 1, 1 << 32])),
            &[0.0, 4_294_967_295.0],
        ),
        (
            "uint32",
            Arc::new(
                Decimal128Array::from(vec![700, 100, 1250])
                    .with_precision_and_scale(9, 2)
                    .unwrap(),
            ),
            &[7.0, 1.0],
        ),
        (
            "float",
            Arc::new(Float64Array::from(vec![1.5, f64::INFINITY, 1e300])),
            &[1.5, f64::INFINITY],
        ),
        (
            "float16",
            Arc::new(Float64Array::from(vec![0.5, 65_504.0, 70_000.0])),
            &[0.5, 65_504.0],
        ),
        (
            "float16",
            Arc::new(Int64Array::from(vec![3, -1_000, -100_000])),
            &[3.0, -1_000.0],
        ),
    ];
    for (model, values, fit) in cases {
        rows(&room, vec![("x", values.clone())]);
        let run = score(&room, model, "rows.parquet").fails(1);
        assert!(
            run.stderr.contains("row 3, column `x`") && run.stderr.contains("--on-unseen x=reject"),
            "{model}: {run}"
        );
        let run = score(&room, model, "rows.parquet --on-unseen reject").ok();
        assert_eq!(answers(&room), fit, "{model}");
        assert_eq!(run.json()["ledger"]["rejected"], 1, "{model}");
        assert_eq!(run.json()["coercions"]["x"]["does_not_fit"], 1, "{run}");
        score(&room, model, "rows.parquet --on-unseen x=1").ok();
        assert_eq!(answers(&room), [fit, &[1.0]].concat(), "{model}");
        // The same in a list.
        let wide = arrow::compute::cast(&values, &DataType::Float64).unwrap();
        let matrix: Vec<Vec<f64>> = wide
            .as_primitive::<arrow::datatypes::Float64Type>()
            .values()
            .iter()
            .map(|value| vec![1.0, *value])
            .collect();
        rows(&room, vec![("x", lists(&matrix))]);
        let model = format!("{model}_matrix");
        let run = score(&room, &model, "rows.parquet").fails(1);
        assert!(run.stderr.contains("row 3, column `x`"), "{model}: {run}");
        assert_eq!(
            score(&room, &model, "rows.parquet --on-unseen reject")
                .ok()
                .json()["ledger"]["rejected"],
            1,
            "{model}"
        );
        // And in a matrix of columns.
        rows(&room, vec![("a", values.clone()), ("b", values)]);
        let run = score(&room, &model, "rows.parquet --features a,b").fails(1);
        assert!(run.stderr.contains("row 3, column `a`"), "{model}: {run}");
    }
    let run = score(&room, "uint8", "rows.parquet --rename a=x").fails(1);
    assert!(
        run.stderr.contains("a number is too large")
            || run
                .stderr
                .contains("outside the range of `uint8`, 0 to 255"),
        "{run}"
    );
}

#[test]
fn text_that_is_a_number_of_another_type_is_distinguished_from_text_that_is_none() {
    let room = Room::new();
    room.file("rows.csv", "x\n12\n12.7\n");
    assert!(
        score(&room, "uint8", "rows.csv")
            .fails(1)
            .stderr
            .contains("a number has a fraction, and the model reads integers")
    );
    room.file("rows.csv", "x\n12\n256\n");
    assert!(
        score(&room, "uint8", "rows.csv")
            .fails(1)
            .stderr
            .contains("outside the range of `uint8`, 0 to 255")
    );
    room.file("rows.csv", "x\n12\nabc\n");
    assert!(
        score(&room, "uint8", "rows.csv")
            .fails(1)
            .stderr
            .contains("a text is not a number")
    );
    room.file("rows.csv", "x\n1.5\n1e39\n");
    assert!(
        score(&room, "float", "rows.csv")
            .fails(1)
            .stderr
            .contains("a number is too large for `float32`")
    );
}

#[test]
fn unsigned_integers_of_64_bits_pass_whole() {
    let room = Room::new();
    let all = vec![0, 9_007_199_254_740_993, u64::MAX];
    rows(&room, vec![("x", Arc::new(UInt64Array::from(all.clone())))]);
    score(&room, "uint64", "rows.parquet").ok();
    assert_eq!(
        column(&room.table("out.parquet"), "prediction")
            .as_primitive::<UInt64Type>()
            .values()
            .to_vec(),
        all
    );
    rows(&room, vec![("x", Arc::new(Int64Array::from(vec![5, -1])))]);
    let run = score(&room, "uint64", "rows.parquet").fails(1);
    assert!(
        run.stderr
            .contains("outside the range of `uint64`, 0 to 18446744073709551615")
            && run.stderr.contains("row 2"),
        "{run}"
    );
    room.file("rows.csv", "x\n18446744073709551615\n");
    score(&room, "uint64", "rows.csv").ok();
    assert_eq!(
        column(&room.table("out.parquet"), "prediction")
            .as_primitive::<UInt64Type>()
            .values()
            .to_vec(),
        [u64::MAX]
    );
}

#[test]
fn the_sign_of_a_large_unsigned_integer_is_1() {
    let room = Room::new();
    let all = vec![0, 1, 1 << 63, u64::MAX];
    rows(&room, vec![("x", Arc::new(UInt64Array::from(all)))]);
    score(&room, "uint64_sign", "rows.parquet").ok();
    let found = room.table("out.parquet");
    let found = column(&found, "prediction").as_primitive::<UInt64Type>();
    assert_eq!(found.values().to_vec(), [0, 1, 1, 1]);
}

#[test]
fn an_axis_that_is_called_rows_and_that_no_output_follows_is_in_doubt() {
    let room = Room::new();
    let windows: Vec<Vec<f64>> = [[1.0; 4], [2.0; 4], [0.5; 4]].map(Vec::from).to_vec();
    rows(&room, vec![("x", lists(&windows))]);
    let run = score(&room, "misnamed", "rows.parquet").fails(3);
    assert!(
        run.stderr
            .contains("does not say which axis of the input `x`")
            && run.stderr.contains("--rows-axis x=0"),
        "{run}"
    );
    // ONNX Runtime's answers for all rows at once.
    score(&room, "misnamed", "rows.parquet --rows-axis x=0").ok();
    assert_eq!(answers(&room), [4.0, 8.0, 2.0]);
}

#[test]
fn a_graph_whose_rows_may_lie_along_several_axes_is_refused_with_the_flag_that_names_one() {
    let room = Room::new();
    let windows: Vec<Vec<f64>> = (0..5)
        .map(|row| {
            (0..6)
                .map(|index| f64::from(row * 6 + index) / 10.0)
                .collect()
        })
        .collect();
    rows(&room, vec![("x", lists(&windows))]);
    for model in ["doubtful", "nameless"] {
        let run = score(&room, model, "rows.parquet").fails(3);
        assert!(
            run.stderr
                .contains("does not say which axis of the input `x`")
                && run.stderr.contains("--rows-axis x=1"),
            "{model}: {run}"
        );
        score(&room, model, "rows.parquet --rows-axis x=1").ok();
        let all = room.table("out.parquet");
        // A row alone scores as among the others.
        rows(&room, vec![("x", lists(&windows[3..4]))]);
        score(&room, model, "rows.parquet --rows-axis x=1").ok();
        assert_eq!(
            column(&room.table("out.parquet"), "y").as_ref(),
            column(&all, "y").slice(3, 1).as_ref(),
            "{model}"
        );
        rows(&room, vec![("x", lists(&windows))]);
    }
    assert!(
        score(&room, "fixed", "rows.parquet")
            .fails(3)
            .stderr
            .contains("--rows-axis x=1")
    );
    let fixed = score(&room, "fixed", "rows.parquet --rows-axis x=1").ok();
    assert_eq!(fixed.json()["ledger"]["scored"], 5);
    assert!(
        score(&room, "doubtful", "rows.parquet --rows-axis y=1")
            .fails(2)
            .stderr
            .contains("not an input of the graph")
    );
    assert!(
        score(&room, "doubtful", "rows.parquet --rows-axis x=3")
            .fails(2)
            .stderr
            .contains("3 axes")
    );
    assert!(
        score(&room, "doubtful", "rows.parquet --rows-axis x")
            .fails(2)
            .stderr
            .contains("--rows-axis x=1")
    );
    let run = room
        .tallow(&format!(
            "check --model {} rows.parquet --rows-axis x=1",
            data("demo/churn").display()
        ))
        .fails(2);
    assert!(
        run.stderr.contains("`--rows-axis` is for ONNX graphs"),
        "{run}"
    );
    // The same in a package.
    std::fs::create_dir(room.path("p")).unwrap();
    std::fs::copy(
        data("golden/onnx_inputs/doubtful.onnx"),
        room.path("p/m.onnx"),
    )
    .unwrap();
    room.file(
        "p/tallow.toml",
        "name = \"p\"\n[[artefacts]]\npath = \"m.onnx\"\n[graph.rows_axis]\nx = 1\n",
    );
    room.tallow("score --model p rows.parquet --output p.parquet --passthrough none")
        .ok();
    score(&room, "doubtful", "rows.parquet --rows-axis x=1").ok();
    assert_eq!(
        room.table("p.parquet").columns(),
        room.table("out.parquet").columns()
    );
}

#[test]
fn each_of_several_matrices_takes_the_columns_that_it_is_given() {
    let room = Room::new();
    let of = |values: [f32; 2]| Arc::new(Float32Array::from(values.to_vec())) as ArrayRef;
    rows(
        &room,
        vec![
            ("a", of([1.0, 2.0])),
            ("b", of([3.0, 4.0])),
            ("c", of([5.0, 6.0])),
            ("d", of([7.0, 8.0])),
        ],
    );
    let wide = [
        1.0 * 10.0 + 3.0 * 100.0 + 5.0 + 7.0,
        2.0 * 10.0 + 4.0 * 100.0 + 6.0 + 8.0,
    ];
    for features in [
        "rows.parquet --features x_num=a,b --features x_cat=c,d",
        "rows.parquet --features x_cat=c,d x_num=a,b",
        "--features x_num=a,b x_cat=d,c rows.parquet",
    ] {
        score(&room, "two_matrices", features).ok();
        assert_eq!(answers(&room), wide, "{features}");
    }
    let run = score(&room, "two_matrices", "rows.parquet").fails(3);
    assert!(
        run.stderr
            .contains("--features x_num=a,b --features x_cat=a,b"),
        "{run}"
    );
    let run = score(
        &room,
        "two_matrices",
        "rows.parquet --features x_num=a,b,c --features x_cat=c,d",
    )
    .fails(3);
    assert!(
        run.stderr
            .contains("`--features` gives 3 columns for the input `x_num`, which reads 2"),
        "{run}"
    );
    let run = score(
        &room,
        "two_matrices",
        "rows.parquet --features x_num=a,b --features x_dog=c,d",
    )
    .fails(2);
    assert!(
        run.stderr
            .contains("`x_dog`, which is not an input of the graph"),
        "{run}"
    );
    let run = room
        .tallow(&format!(
            "check --model {} rows.parquet --features x=a --features y=b",
            data("demo/churn").display()
        ))
        .fails(2);
    assert!(
        run.stderr.contains("is for the inputs of an ONNX graph"),
        "{run}"
    );
    std::fs::create_dir(room.path("p")).unwrap();
    std::fs::copy(
        data("golden/onnx_inputs/two_matrices.onnx"),
        room.path("p/m.onnx"),
    )
    .unwrap();
    let manifest = "name = \"p\"\n[[artefacts]]\npath = \"m.onnx\"\n[[inputs]]\nname = \
                    \"a\"\non_null = { default = 1 }\n";
    room.file(
        "p/tallow.toml",
        format!("{manifest}[graph.features]\nx_num = [\"a\", \"b\"]\nx_cat = [\"c\", \"d\"]\n"),
    );
    room.tallow("score --model p rows.parquet --output p.parquet --passthrough none")
        .ok();
    assert_eq!(
        numbers(column(&room.table("p.parquet"), "prediction")),
        wide
    );
}

#[test]
fn lists_of_lists_are_read_in_their_order_and_checked_against_the_shape() {
    let room = Room::new();
    let nested = |rows: &[&[&[f32]]]| -> ArrayRef {
        let inner = rows
            .iter()
            .flat_map(|row| row.iter())
            .map(|list| Some(list.iter().map(|value| Some(*value)).collect::<Vec<_>>()));
        let inner = ListArray::from_iter_primitive::<Float32Type, _, _>(inner);
        let offsets = arrow::buffer::OffsetBuffer::from_lengths(rows.iter().map(|row| row.len()));
        Arc::new(ListArray::new(
            Arc::new(Field::new_list_field(inner.data_type().clone(), true)),
            offsets,
            Arc::new(inner),
            None,
        ))
    };
    let whole: &[&[f32]] = &[&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]];
    rows(
        &room,
        vec![("x", nested(&[whole, &[&[0.0, 0.0, 1.0], &[0.0, 2.0, 1.0]]]))],
    );
    score(&room, "windows", "rows.parquet").ok();
    let found = room.table("out.parquet");
    let found = column(&found, "y").as_fixed_size_list_opt().map_or_else(
        || column(&found, "y").as_list::<i32>().values().clone(),
        |lists| lists.values().clone(),
    );
    assert_eq!(numbers(&found), [5.0, 7.0, 9.0, 0.0, 2.0, 2.0]);
    for other in [
        &[&[1.0, 2.0][..], &[3.0, 4.0], &[5.0, 6.0]][..],
        &[&[1.0, 2.0, 3.0], &[4.0, 5.0]],
        &[&[1.0, 2.0, 3.0]],
    ] {
        rows(&room, vec![("x", nested(&[whole, other]))]);
        let run = score(&room, "windows", "rows.parquet").fails(1);
        assert!(
            run.stderr.contains("row 2") && run.stderr.contains("lists of lists of 2 × 3 numbers"),
            "{run}"
        );
    }
}

#[test]
fn a_field_of_a_struct_feeds_the_input_of_its_path() {
    let room = Room::new();
    let zip: ArrayRef = Arc::new(Float32Array::from(vec![1.0, 2.0, 3.0]));
    let fields: Fields = vec![Field::new("zip", DataType::Float32, true)].into();
    let address: ArrayRef = Arc::new(StructArray::new(
        fields,
        vec![zip],
        Some(vec![true, false, true].into()),
    ));
    rows(
        &room,
        vec![
            ("id", Arc::new(Int64Array::from(vec![7, 8, 9]))),
            ("address", address),
        ],
    );
    score(
        &room,
        "float",
        "rows.parquet --features address.zip --on-null address.zip=reject",
    )
    .ok();
    assert_eq!(answers(&room), [1.0, 3.0]);
    let run = score(&room, "float", "rows.parquet --rename id=zip").fails(3);
    assert!(run.stderr.contains("`x`"), "{run}");
    let run = score(&room, "float", "rows.parquet --features zip").fails(3);
    assert!(
        run.stderr
            .contains("`zip` lies inside a struct, as `address.zip`: name all columns"),
        "{run}"
    );
    // A package names the field of the struct for the model's own name.
    room.file(
        "package/tallow.toml",
        "name = \"paths\"\nversion = \"1\"\n[[artefacts]]\npath = \"model.onnx\"\n\
         [[inputs]]\nname = \"address.x\"\non_null = \"reject\"\n",
    );
    std::fs::copy(
        data("golden/onnx_inputs/float.onnx"),
        room.path("package/model.onnx"),
    )
    .unwrap();
    let x: ArrayRef = Arc::new(Float32Array::from(vec![5.0, 6.0]));
    let fields: Fields = vec![Field::new("x", DataType::Float32, true)].into();
    let nested: ArrayRef = Arc::new(StructArray::new(fields, vec![x], None));
    room.parquet(
        "nested.parquet",
        &RecordBatch::try_from_iter([("address", nested)]).unwrap(),
        10,
    );
    room.tallow("score --model package nested.parquet --output nested_out.parquet")
        .ok();
    let found = room.table("nested_out.parquet");
    assert_eq!(
        column(&found, "prediction")
            .as_primitive::<Float32Type>()
            .values()
            .to_vec(),
        [5.0, 6.0]
    );
    // The struct comes along whole.
    let model = data("golden/onnx_inputs/float.onnx");
    room.tallow(&format!(
        "score --model {} rows.parquet --output all.parquet --features address.zip --on-null 0",
        model.display()
    ))
    .ok();
    let all = room.table("all.parquet");
    assert_eq!(
        all.schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect::<Vec<_>>(),
        ["id", "address", "prediction"]
    );
    assert_eq!(
        column(&all, "id")
            .as_primitive::<Int64Type>()
            .values()
            .to_vec(),
        [7, 8, 9]
    );
    assert_eq!(column(&all, "address").null_count(), 1);
}

#[test]
fn outputs_and_inputs_without_rows_belong_to_one_row() {
    let room = Room::new();
    rows(
        &room,
        vec![
            ("x", lists(&[vec![1.0, 3.0], vec![2.0, 6.0]])),
            ("factor", Arc::new(Float32Array::from(vec![10.0, 100.0]))),
        ],
    );
    score(&room, "whole", "rows.parquet").ok();
    let found = room.table("out.parquet");
    assert_eq!(numbers(column(&found, "mean")), [2.0, 4.0]);
    let flat = |name: &str| {
        numbers(column(&found, name).as_fixed_size_list_opt().map_or_else(
            || column(&found, name).as_list::<i32>().values(),
            |lists| lists.values(),
        ))
    };
    assert_eq!(flat("constant"), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
    assert_eq!(flat("scaled"), [10.0, 30.0, 200.0, 600.0]);
}

#[test]
fn sparse_initializers_are_what_they_hold() {
    let room = Room::new();
    rows(&room, vec![("x", lists(&[vec![1.0, 10.0, 100.0]]))]);
    score(&room, "sparse", "rows.parquet").ok();
    let found = room.table("out.parquet");
    let found = column(&found, "y").as_fixed_size_list_opt().map_or_else(
        || column(&found, "y").as_list::<i32>().values().clone(),
        |lists| lists.values().clone(),
    );
    assert_eq!(numbers(&found), [300.0, 2.0]);
}

#[test]
fn two_labels_and_their_scores_keep_the_outputs_own_names() {
    let room = Room::new();
    rows(
        &room,
        vec![("x", lists(&[vec![1.0, 3.0, 2.0], vec![9.0, 0.0, 5.0]]))],
    );
    score(&room, "two_labels", "rows.parquet").ok();
    let found = room.table("out.parquet");
    assert_eq!(
        (
            numbers(column(&found, "first")),
            numbers(column(&found, "second"))
        ),
        (vec![1.0, 0.0], vec![0.0, 1.0])
    );
    assert!(found.column_by_name("scores").is_some());
}

#[test]
fn the_hint_for_a_graph_without_names_is_what_to_type() {
    let room = Room::new();
    let number = |value: f32| Arc::new(Float32Array::from(vec![value])) as ArrayRef;
    rows(
        &room,
        vec![("width", number(1.0)), ("the height", number(2.0))],
    );
    let run = score(&room, "float_matrix", "rows.parquet").fails(3);
    assert!(
        run.stderr.contains("--features 'width,the height'"),
        "{run}"
    );
    rows(
        &room,
        vec![
            ("id", number(7.0)),
            ("width", number(1.0)),
            ("height", number(2.0)),
        ],
    );
    let run = score(&room, "float_matrix", "rows.parquet").fails(3);
    assert!(
        run.stderr
            .contains("in the order of training: `--features a,b,c`"),
        "{run}"
    );
}
