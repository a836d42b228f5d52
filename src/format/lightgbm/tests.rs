//! LightGBM models: what a file says, and what is refused.

use super::text::tests::{BRANCHING, CONSTANT, file, sample};
use super::*;
use crate::contract::{CategoryValue, InputKind};
use crate::format::{TreeSelection, pair_rows};

fn load(text: &str, trees: TreeSelection) -> Result<LoadedModel> {
    LightGbm.import(
        &Artefact::new("model.txt", text.as_bytes().to_vec()),
        &ImportOptions {
            trees,
            ..ImportOptions::default()
        },
    )
}

fn refusal(text: &str) -> String {
    load(text, TreeSelection::Best)
        .map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
}

/// The margins of rows of (age, shop).
fn margins(text: &str, rows: &[(f64, f64)]) -> Vec<f64> {
    pair_rows::margins(&load(text, TreeSelection::Best).unwrap(), rows)
}

#[test]
fn categories_are_cut_to_whole_numbers_and_all_else_goes_right() {
    let rows: Vec<(f64, f64)> = [
        1.0,
        33.9,
        1.5,
        0.0,
        -1.0,
        -33.0,
        34.0,
        65.0,
        1e300,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
    ]
    .map(|shop| (9.0, shop))
    .into();
    let (member, other) = (-1.0 + 0.5, 1e-3 + 0.5);
    let expected = [
        member, member, member, other, other, other, other, other, other, other, other, other,
    ];
    assert_eq!(margins(&sample(), &rows), expected);
    assert_eq!(
        margins(
            &sample().replace("decision_type=10 1", "decision_type=10 9"),
            &rows[11..]
        ),
        [other]
    );
}

#[test]
fn the_three_missing_types_send_nan_and_zero_their_own_ways() {
    let rows = [
        (f64::NAN, 0.0),
        (0.0, 0.0),
        (-1e-36, 0.0),
        (0.5, 0.0),
        (0.5_f64.next_up(), 0.0),
    ];
    let (left, right) = (0.25 + 0.5, 1e-3 + 0.5);
    let with = |kind: &str| {
        margins(
            &sample().replace("decision_type=10 1", &format!("decision_type={kind:>2} 1")),
            &rows,
        )
    };
    assert_eq!(with("10"), [left, left, left, left, right], "NaN goes left");
    assert_eq!(
        with("8"),
        [right, left, left, left, right],
        "NaN goes right"
    );
    assert_eq!(
        with("4"),
        [right, right, right, left, right],
        "zero and NaN go right"
    );
    assert_eq!(with("2"), [left, left, left, left, right], "NaN is 0");
    assert_eq!(
        refusal(&sample().replace("decision_type=10 1", "decision_type=12 1")),
        "the decision type 12 has no meaning (node 0)"
    );
}

#[test]
fn values_within_the_zero_band_are_zero_to_a_threshold() {
    let with = |threshold: &str, age: f64| {
        let tree = BRANCHING.replace("threshold=0.5 0", &format!("threshold={threshold} 0"));
        margins(&file("regression", 1, &[&tree]), &[(age, 0.0)])[0].to_bits() == 0.25_f64.to_bits()
    };
    let band = f64::from(1e-35_f32);
    assert!(with("0", 1e-36) && with("0", band) && !with("0", band.next_up()));
    assert!(
        with("1.0000000180025095e-35", band)
            && !with("-1.0000000180025095e-35", -band)
            && with("-1.0000000180025095e-35", -2.0 * band)
    );
}

#[test]
fn a_forest_is_averaged_and_a_selection_counts_rounds() {
    let text = file(
        "multiclass num_class:2",
        2,
        &[CONSTANT, BRANCHING, CONSTANT, CONSTANT],
    );
    let averaged = text.replace("feature_names", "average_output\nfeature_names");
    assert_eq!(margins(&text, &[(0.0, 0.0)]), [1.0, 0.75]);
    assert_eq!(margins(&averaged, &[(0.0, 0.0)]), [0.5, 0.375]);
    let facts = load(&text, TreeSelection::First(1))
        .unwrap()
        .description
        .facts;
    assert!(facts.contains(&(
        "rounds_used".to_owned(),
        "1 of 2 (2 of 4 trees), as `--trees` asks".to_owned()
    )));
    for requested in [0, 3] {
        let error = load(&text, TreeSelection::First(requested)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot use {requested} boosting rounds of a model that has 2")
        );
    }
}

#[test]
fn objectives_have_their_links() {
    let link = |objective: &str| outcome(Some(objective), 1).map(|outcome| outcome.link);
    assert_eq!(
        link("binary sigmoid:0.7").unwrap(),
        Link::Logistic { slope: 0.7 }
    );
    assert_eq!(link("quantile sqrt alpha:0.9").unwrap(), Link::SignedSquare);
    assert_eq!(link("poisson sqrt").unwrap(), Link::Exponential);
    assert_eq!(link("cross_entropy_lambda").unwrap(), Link::SoftPlus);
    assert_eq!(
        link("binary sigmoid:nan").unwrap_err().to_string(),
        "the objective's `sigmoid` is `nan`"
    );
    assert_eq!(
        link("wizardry").unwrap_err().to_string(),
        "LightGBM's objective `wizardry` is not supported"
    );
    assert_eq!(
        outcome(Some("binary"), 2).unwrap_err().to_string(),
        "the objective `binary` with 2 trees a round"
    );
    assert_eq!(
        outcome(None, 2).unwrap().task,
        Task::Values(vec!["0".into(), "1".into()])
    );
}

#[test]
fn broken_trees_are_refused_with_their_position() {
    for (from, to, message) in [
        (
            "right_child=1 -3",
            "right_child=9 -3",
            "leads to node 9 of 2 (tree 0, node 0)",
        ),
        (
            "right_child=1 -3",
            "right_child=0 -3",
            "leads to node 0, which is reached twice: the tree has a cycle (tree 0, node 0)",
        ),
        (
            "right_child=1 -3",
            "right_child=1 -9",
            "leads to leaf 8 of 3 (tree 0, node 1)",
        ),
        (
            "left_child=-1 -2",
            "left_child=-1 -2147483648",
            "leads to leaf 2147483647 of 3 (tree 0, node 1)",
        ),
        (
            "threshold=0.5 0",
            "threshold=nan 0",
            "the threshold is NaN (tree 0, node 0)",
        ),
        (
            "threshold=0.5 0",
            "threshold=0.5 1",
            "asks for set 1 of 1 sets of categories (node 1)",
        ),
        (
            "threshold=0.5 0",
            "threshold=0.5 -inf",
            "asks for set -inf of 1 sets of categories (node 1)",
        ),
        (
            "decision_type=10 1",
            "decision_type=1 1",
            "asks for set 0.5 of 1 sets of categories (node 0)",
        ),
        (
            "split_feature=0 1",
            "split_feature=7 1",
            "splits on feature 7 of 2 (tree 0, node 0)",
        ),
    ] {
        assert_eq!(
            refusal(&file("regression", 1, &[&BRANCHING.replace(from, to)])),
            message,
            "{to}"
        );
    }
    assert_eq!(
        refusal(&file("regression", 1, &[])),
        "0 trees do not make rounds of 1 trees"
    );
    assert_eq!(
        refusal(&file("multiclass", 9_000_000, &[CONSTANT])),
        "1 trees do not make rounds of 9000000 trees"
    );
}

#[test]
fn inputs_are_numbers_codes_or_pandas_categories() {
    let kinds = |text: &str| {
        load(text, TreeSelection::Best).map(|model| {
            model
                .contract
                .inputs
                .into_iter()
                .map(|input| input.kind)
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(
        kinds(&sample()).unwrap(),
        [InputKind::Number, InputKind::CategoryCode]
    );
    let named = |text: &str| load(text, TreeSelection::Best).unwrap().contract.named;
    assert!(named(&sample()) && !named(&sample().replace("age shop", "Column_0 Column_1")));
    let list = (0..40)
        .map(|code| format!("\"shop {code}\""))
        .collect::<Vec<_>>()
        .join(", ");
    let kinds_with = |categories: &str| kinds(&sample().replace("null", categories));
    let found = kinds_with(&format!("[[{list}]]")).unwrap();
    let InputKind::Category(vocabulary) = &found[1] else {
        panic!("{found:?}")
    };
    assert_eq!(
        (&vocabulary.values[3], vocabulary.unseen_code.is_nan()),
        (&CategoryValue::Text("shop 3".into()), true)
    );
    let message = "cannot determine which features the 1 lists of \
            `pandas_categorical` belong to: \
                       `shop` has more codes than its list has values";
    assert_eq!(
        kinds_with("[[1.5, true]]").unwrap_err().to_string(),
        message
    );
    let message = "cannot determine which features the 2 lists of \
            `pandas_categorical` belong to: \
                       1 features are categorical";
    assert_eq!(
        kinds_with(&format!("[[{list}], [1]]"))
            .unwrap_err()
            .to_string(),
        message
    );
}

#[test]
fn a_constant_column_takes_a_list_only_where_that_is_certain() {
    let text = sample()
        .replace("[categorical_feature: 1]\n", "")
        .replace("[0:9]", "none");
    let list = (0..40)
        .map(|code| code.to_string())
        .collect::<Vec<_>>()
        .join(", ");
    let two = load(
        &text.replace("null", &format!("[[\"same\"], [{list}]]")),
        TreeSelection::Best,
    )
    .unwrap();
    assert!(
        two.contract
            .inputs
            .iter()
            .all(|input| matches!(input.kind, InputKind::Category(_)))
    );
    let one = load(
        &text.replace("null", &format!("[[{list}]]")),
        TreeSelection::Best,
    )
    .unwrap();
    assert_eq!(one.contract.inputs[0].kind, InputKind::Number);
}
