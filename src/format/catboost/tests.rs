//! CatBoost models: what a file says, and what is refused.

use super::*;
use crate::feature::{Columns, FeatureBlock, Precision};
use crate::format::pair_rows::margins as score;
use crate::model::Scores;
use crate::model::Wants;
use crate::outcome::Margins;
use crate::outcome::{Label, Link};

const FLOATS: &str = r#""float_features": [
        {"feature_index": 0, "flat_feature_index": 1, "feature_id": "b", "has_nans": false, "nan_value_treatment": "AsTrue", "borders": [0.5]},
        {"feature_index": 1, "flat_feature_index": 0, "feature_id": "a", "has_nans": true, "nan_value_treatment": "AsTrue", "borders": [1.5]}]"#;
const SPLITS: &str = r#"{"split_type": "FloatFeature", "float_feature_index": 0, "border": 0.5, "split_index": 0},
        {"split_type": "FloatFeature", "float_feature_index": 1, "border": 1.5, "split_index": 1}"#;

fn symmetric() -> String {
    format!(
        r#"{{"features_info": {{{FLOATS}}}, "model_info": {{"params": {{"loss_function": {{"type": "RMSE", "params": {{}}}}}}}},
            "oblivious_trees": [{{"leaf_values": [1, 2, 4, 8], "leaf_weights": [1, 1, 1, 1], "splits": [{SPLITS}]}}], "scale_and_bias": [10, [0.5]]}}"#
    )
}

fn branching() -> String {
    let split = SPLITS.split_inclusive('}').next().unwrap();
    format!(
        r#"{{"features_info": {{{FLOATS}}}, "model_info": {{}},
            "trees": [{{"split": {split}, "left": {{"value": 1.25, "weight": 3}}, "right": {{"value": 2, "weight": 1}}}}], "scale_and_bias": [1, [0]]}}"#
    )
}

fn load(json: &str) -> Result<LoadedModel> {
    let artefact = Artefact::new("model.json", json.as_bytes().to_vec());
    assert!(CatBoost.recognises(&artefact));
    CatBoost.import(&artefact, &ImportOptions::default())
}

fn refusal(json: &str) -> String {
    let error = load(json).unwrap_err();
    format!(
        "{error}{}",
        std::error::Error::source(&error)
            .map(|source| format!(": {source}"))
            .unwrap_or_default()
    )
}

#[test]
fn the_first_split_is_the_lowest_bit_and_scale_and_bias_come_last() {
    let loaded = load(&symmetric()).unwrap();
    assert_eq!(
        loaded
            .contract
            .inputs
            .iter()
            .map(|input| input.name.as_str())
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert_eq!(
        score(&loaded, &[(0.0, 0.0), (0.0, 1.0), (2.0, 0.0), (2.0, 1.0)]),
        [10.5, 20.5, 40.5, 80.5]
    );
}

#[test]
fn nan_goes_right_only_where_training_had_nan_and_the_border_itself_goes_left() {
    let loaded = load(&symmetric()).unwrap();
    assert_eq!(
        score(
            &loaded,
            &[
                (f64::NAN, f64::NAN),
                (1.5, 0.5),
                (1.500_000_01, 0.500_000_1)
            ]
        ),
        [40.5, 10.5, 20.5]
    );
}

#[test]
fn a_branching_tree_goes_right_above_its_border() {
    assert_eq!(
        score(&load(&branching()).unwrap(), &[(0.0, 0.5), (0.0, 0.6)]),
        [1.25, 2.0]
    );
}

#[test]
fn classes_that_training_lacked_have_a_margin_of_minus_infinity() {
    let json = symmetric()
            .replace("[1, 2, 4, 8]", "[1, 2, 3, 4, 5, 6, 7, 8]")
            .replace("[10, [0.5]]", "[1, [0, 0]]")
            .replace("\"RMSE\"", "\"MultiClass\"")
            .replace("\"model_info\": {", r#""model_info": {"class_params": {"class_to_label": [0, 2], "classes_count": 3, "class_names": []}, "#);
    let loaded = load(&json).unwrap();
    assert_eq!(score(&loaded, &[(0.0, 1.0)]), [3.0, f64::NEG_INFINITY, 4.0]);
    assert_eq!(
        loaded.outcome.task,
        Task::Classes {
            labels: (0..3).map(Label::Integer).collect(),
            probabilities: true
        }
    );
    assert!(
        refusal(&json.replace("\"classes_count\": 3", "\"classes_count\": 4000000000"))
            .contains("4000000000 classes")
    );
    assert!(
        refusal(&json.replace("[0, 2]", "[2, 2]"))
            .contains("class `2` is not an index of a class, or is a duplicate")
    );
    assert!(refusal(&json.replace("[0, 2]", "[0, 1, 2]")).contains("3 classes for 2 outputs"));
}

#[test]
fn a_binary_model_calls_a_margin_of_zero_negative() {
    let json = symmetric().replace("\"RMSE\"", "\"Logloss\"").replace(
            "\"model_info\": {",
            r#""model_info": {"class_params": {"class_label_type": "String", "class_to_label": [0, 1], "class_names": ["no", "yes"]}, "#,
        );
    let outcome = load(&json).unwrap().outcome;
    let labels = [Label::Text("no".into()), Label::Text("yes".into())];
    assert_eq!(
        outcome.task,
        Task::Binary {
            labels,
            threshold: 0.5_f64.next_up()
        }
    );
    assert_eq!(outcome.link, Link::Logistic { slope: 1.0 });
}

#[test]
fn a_category_is_found_as_text_and_as_a_number_by_its_hash() {
    let categorical = r#""cat_features_hash": [{"hash": 4294967295, "value": "7"}, {"hash": 5, "value": "x"}],
            "categorical_features": [{"feature_index": 0, "flat_feature_index": 2, "feature_id": "c", "values": [-1]}]"#;
    let with = |categories: &str| {
        let split = r#"{"split_type": "OneHotFeature", "cat_feature_index": 0, "value": -1, "split_index": 2}"#;
        let json = symmetric().replace(FLOATS, &format!("{FLOATS}, {categories}"));
        json.replace(SPLITS.split_inclusive('}').next().unwrap(), split)
    };
    let loaded = load(&with(categorical)).unwrap();
    let values = [
        CategoryValue::Text("7".into()),
        CategoryValue::Text("x".into()),
        CategoryValue::Integer(7),
    ];
    let InputKind::Category(vocabulary) = &loaded.contract.inputs[2].kind else {
        panic!("no category")
    };
    assert_eq!(vocabulary.values, values);
    let mut columns = Columns::filled(4, 3, 0.0);
    columns
        .column_mut(2)
        .copy_from_slice(&[0.0, 1.0, 2.0, UNSEEN_CODE]);
    let wants = Wants {
        offsets: None,
        leaves: true,
    };
    let mut scores = Scores::empty(Precision::Double);
    let block = FeatureBlock::Double(columns);
    let model = loaded.model.as_numeric().unwrap();
    model.worker().score(&block, &wants, &mut scores).unwrap();
    assert_eq!(scores.leaves.unwrap(), [1, 0, 1, 0]);
    let hashes_only = with(categorical.split_once(",\n").unwrap().1);
    let kind = &load(&hashes_only).unwrap().contract.inputs[2].kind;
    assert_eq!(
        *kind,
        InputKind::HashedCategory(HashedCategories {
            hashes: vec![u32::MAX],
            code: HashedCode::Position { other: UNSEEN_CODE }
        })
    );
    assert!(
        refusal(&hashes_only.replace("\"value\": -1", "\"value\": 5000000000"))
            .contains("`5000000000`, which is not a hash")
    );
}

#[test]
fn what_is_not_supported_is_named() {
    let info = |more: &str| symmetric().replace(FLOATS, &format!("{FLOATS}, {more}"));
    assert!(
        refusal(&info(r#""text_features": [{"feature_id": "review"}]"#))
            .starts_with("text features are not supported: `review`")
    );
    assert!(
        refusal(&symmetric().replace("RMSE", "RMSEWithUncertainty"))
            .contains("`RMSEWithUncertainty` has two values a leaf")
    );
    assert!(
        refusal(&symmetric().replacen("FloatFeature", "EstimatedFeature", 1))
            .contains("`EstimatedFeature` is not supported (tree 0, split 0)")
    );
}

/// A CTR of one category, `red` of which training saw 3 of 4 in the second class; JSON without
/// its numbers.
fn counted(data: &str, split: &str) -> String {
    let features = r#""categorical_features": [{"feature_index": 0, "flat_feature_index": 2,
            "feature_id": "c"}], "ctrs": [{"identifier": "i", "ctr_type": "Borders",
            "borders": [7.5], "elements": [{"cat_feature_index": 0,
            "combination_element": "cat_feature_value"}], "target_border_idx": 0,
            "prior_numerator": 0.5, "prior_denomerator": 1, "shift": 0, "scale": 15}]"#;
    symmetric()
        .replace(FLOATS, &format!("{FLOATS}, {features}"))
        .replace(
            "\"oblivious_trees\"",
            &format!("\"ctr_data\": {data}, \"oblivious_trees\""),
        )
        .replace(SPLITS.split_inclusive('}').next().unwrap(), split)
}

/// The hash of the category 7 alone.
const COUNTS: &str = r#"{"i": {"hash_map": ["18446744073709551615", 9, 9, "HASH", 1, 3],
        "hash_stride": 3, "counter_denominator": 0}}"#;
const CTR_SPLIT: &str = r#"{"split_type": "OnlineCtr", "border": 7.5, "split_index": 2}"#;

fn counts() -> String {
    let hash = crate::forest::ctr::step(0, crate::forest::ctr::part(7));
    COUNTS.replace("HASH", &hash.to_string())
}

#[test]
fn a_ctr_is_read_from_its_table_and_the_empty_bucket_is_not() {
    let loaded = load(&counted(&counts(), CTR_SPLIT)).unwrap();
    assert_eq!(
        loaded.contract.inputs[2].kind,
        InputKind::HashedCategory(HashedCategories {
            hashes: vec![7],
            code: HashedCode::Hash { is_complete: true }
        })
    );
    let mut columns = Columns::filled(4, 3, 0.0);
    columns
        .column_mut(2)
        .copy_from_slice(&[7.0, 8.0, f64::NAN, f64::from(u32::MAX)]);
    let block = FeatureBlock::Double(columns);
    let margins = loaded.model.as_numeric().unwrap().margins(&block).unwrap();
    // (3 + 0.5) / (4 + 1) · 15 = 10.5 is above the border, (0 + 0.5) / (0 + 1) · 15 = 7.5 not.
    assert_eq!(margins, Margins::Double(vec![20.5, 10.5, 10.5, 10.5]));
}

#[test]
fn a_broken_ctr_names_its_location() {
    let cases = [
        (
            counts(),
            CTR_SPLIT.replace("\"split_index\": 2", "\"split_index\": 1"),
            "the index 1, which is not a CTR's (tree 0, split 0)",
        ),
        (
            counts(),
            CTR_SPLIT.replace(", \"split_index\": 2", ""),
            "is missing its feature or its value (tree 0, split 0)",
        ),
        (
            "{}".to_owned(),
            CTR_SPLIT.to_owned(),
            "the file has no counts of the CTR (CTR 0)",
        ),
        (
            counts().replace("\"hash_stride\": 3", "\"hash_stride\": 4"),
            CTR_SPLIT.to_owned(),
            "4 numbers for 2 hashes, 3 a hash (CTR 0)",
        ),
        (
            counts().replace("\"hash_stride\": 3", "\"hash_stride\": 0"),
            CTR_SPLIT.to_owned(),
            "4 numbers for 2 hashes, 0 a hash (CTR 0)",
        ),
        (
            counts().replace(", 9, 9", ", 9, 9, 9, 9, 9"),
            CTR_SPLIT.to_owned(),
            "7 numbers for 2 hashes, 2 a hash (CTR 0)",
        ),
        (
            counts().replace("\"184", "\"-184"),
            CTR_SPLIT.to_owned(),
            "`-18446744073709551615` is not a hash",
        ),
    ];
    for (data, split, expected) in cases {
        let message = refusal(&counted(&data, &split));
        assert!(message.contains(expected), "{message}");
    }
    let json = counted(&counts(), CTR_SPLIT);
    for (from, to, expected) in [
        (
            "\"ctr_type\": \"Borders\"",
            "\"ctr_type\": \"Guess\"",
            "CTRs of type `Guess` are not supported (CTR 0)",
        ),
        (
            "cat_feature_value",
            "text_value",
            "elements of type `text_value` are not supported (CTR 0)",
        ),
        (
            "[{\"cat_feature_index\": 0,",
            "[{\"cat_feature_index\": 3,",
            "categorical feature 3, which the file does not list",
        ),
    ] {
        let message = refusal(&json.replace(from, to));
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn several_cuts_of_the_target_are_refused_in_json_which_does_not_report_them_apart() {
    let json = counted(&counts(), CTR_SPLIT);
    let one = json
        .split("\"ctrs\": [")
        .nth(1)
        .unwrap()
        .split("}]")
        .next()
        .unwrap();
    let (start, rest) = json.split_once("\"ctrs\": [").unwrap();
    let end = rest.find("\"scale\": 15}]").unwrap() + "\"scale\": 15}".len();
    assert!(one.starts_with("{\"identifier\""));
    let twice = format!("{start}\"ctrs\": [{0}, {0}{1}", &rest[..end], &rest[end..]);
    assert!(load(&twice).is_ok());
    // The targets of survival are the two ends of an interval.
    for loss in ["MultiRMSE", "SurvivalAft:dist=Normal"] {
        let message = refusal(&twice.replace("\"RMSE\"", &format!("\"{loss}\"")));
        assert!(
            message.contains("which CatBoost's JSON does not distinguish"),
            "{loss}: {message}"
        );
    }
}

#[test]
fn a_broken_file_names_its_location() {
    let cases = [
        (
            "\"float_feature_index\": 0",
            "\"float_feature_index\": 9",
            "float feature 9, which the file does not list (tree 0, split 0)",
        ),
        ("[1, 2, 4, 8]", "[1, 2, 4]", "the tree has no leaf values"),
        (
            "[1, 2, 4, 8]",
            "[1, 2, 4, 8, 9]",
            "5 leaf values for 2 splits and 1 outputs a leaf (tree 0)",
        ),
        ("[1, 2, 4, 8]", "[]", "the tree has no leaf values"),
        (
            "\"border\": 0.5",
            "\"border\": NaN",
            "cannot read the CatBoost model",
        ),
        (
            "\"border\": 0.5",
            "\"border\": null",
            "is missing its feature or its value (tree 0, split 0)",
        ),
        (
            "\"border\": 0.5",
            "\"border\": 1e999",
            "cannot read the CatBoost model",
        ),
        (
            "\"flat_feature_index\": 1",
            "\"flat_feature_index\": 0",
            "two features have the index 0",
        ),
        (
            "\"feature_index\": 1",
            "\"feature_index\": 0",
            "two features have the same index",
        ),
        (
            "[10, [0.5]]",
            "[1, [1, 2, 3]]",
            "3 biases for 1 outputs (scale_and_bias)",
        ),
        (
            "\"AsTrue\"",
            "\"AsHeLikes\"",
            "unknown treatment of NaN `AsHeLikes` (float feature 0)",
        ),
        (
            "oblivious_trees\": [",
            "oblivious_trees\": [], \"x\": [",
            "the model holds no trees",
        ),
    ];
    for (from, to, expected) in cases {
        let message = refusal(&symmetric().replacen(from, to, 1));
        assert!(message.contains(expected), "{message}");
    }
    assert!(
        refusal(&branching().replace("\"right\"", "\"wrong\""))
            .contains("node 0 has neither a value nor a split with two branches (tree 0)")
    );
    assert!(
        refusal(&branching().replace("\"value\": 2,", "\"value\": [2, 3],"))
            .contains("leaf 1 has 2 values for 1 outputs (tree 0)")
    );
    let nameless = symmetric().replace("\"feature_id\"", "\"x\"");
    assert!(
        refusal(&nameless.replace(
            "\"flat_feature_index\": 1",
            "\"flat_feature_index\": 4000000000"
        ))
        .contains("feature 1 is not described")
    );
}

#[test]
fn absurd_depths_are_refused() {
    let many: Vec<&str> = vec![SPLITS; 40];
    assert!(
        refusal(&symmetric().replace(SPLITS, &many.join(", ")))
            .contains("too many splits (tree 0)")
    );
    let deep = format!(
        "{{\"features_info\": {{}}, \"trees\": [{}",
        "{\"left\": ".repeat(100_000)
    );
    assert!(refusal(&deep).contains("recursion limit exceeded"));
}

#[test]
fn no_truncation_panics_and_none_is_accepted() {
    for json in [symmetric(), branching()] {
        for length in 0..json.len() - 1 {
            let artefact = Artefact::new("model.json", json.as_bytes()[..length].to_vec());
            assert!(
                CatBoost
                    .import(&artefact, &ImportOptions::default())
                    .is_err(),
                "the first {length} bytes"
            );
        }
    }
}
