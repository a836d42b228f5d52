//! XGBoost's files, sound and broken, and what is made of them.

use super::*;
use crate::contract::CategoryValue;
use crate::error::Kind;
use crate::feature::{Columns, FeatureBlock};
use crate::outcome::{Margins, Task};

/// Two features, two trees: `x < 0.5` with a missing value to the left, then a category of 1 or 3
/// to the right.
const MODEL: &str = r#"{"learner":{"attributes":{"best_iteration":"0"},"feature_names":["x","c"],"feature_types":["float","c"],
    "gradient_booster":{"model":{"gbtree_model_param":{"num_parallel_tree":"1","num_trees":"2"},"iteration_indptr":[0,1,2],"tree_info":[0,0],
    "trees":[
    {"base_weights":[0E0,1E0,2E0],"default_left":[1,0,0],"id":0,"left_children":[1,-1,-1],"right_children":[2,-1,-1],"parents":[2147483647,0,0],
    "split_conditions":[5E-1,1E0,2E0],"split_indices":[0,0,0],"tree_param":{"num_deleted":"0","num_feature":"2","num_nodes":"3","size_leaf_vector":"0"}},
    {"base_weights":[0E0,1E1,2E1],"categories":[1,3],"categories_nodes":[0],"categories_segments":[0],"categories_sizes":[2],"default_left":[0,0,0],
    "id":1,"left_children":[1,-1,-1],"right_children":[2,-1,-1],"parents":[2147483647,0,0],"split_conditions":[NaN,1E1,2E1],"split_indices":[1,0,0],
    "split_type":[1,0,0],"tree_param":{"num_deleted":"0","num_feature":"2","num_nodes":"3","size_leaf_vector":"0"}}]},"name":"gbtree"},
    "learner_model_param":{"base_score":"1E2","num_class":"0","num_feature":"2","num_target":"1"},"objective":{"name":"reg:squarederror"}},
    "version":[2,1,4]}"#;

fn load_bytes(bytes: &[u8], trees: TreeSelection) -> Result<LoadedModel> {
    let artefact = Artefact::new("model", bytes.to_vec());
    XgboostImporter.import(
        &artefact,
        &ImportOptions {
            trees,
            ..ImportOptions::default()
        },
    )
}

fn margins(model: &TrainedModel, rows: &[&[f32]]) -> Vec<f32> {
    let model = model.as_numeric().expect("a model of numbers");
    let mut columns = Columns::filled(rows.len(), model.feature_count(), 0.0);
    for (index, row) in rows.iter().enumerate() {
        row.iter()
            .enumerate()
            .for_each(|(feature, value)| columns.column_mut(feature)[index] = *value);
    }
    let margins = model
        .margins(&FeatureBlock::Single(columns))
        .expect("the block fits");
    if let Margins::Single(margins) = margins {
        margins
    } else {
        Vec::new()
    }
}

#[test]
fn trees_are_walked_and_added_as_the_file_states() {
    let loaded = load_bytes(MODEL.as_bytes(), TreeSelection::All).expect("a sound model");
    let rows: &[&[f32]] = &[
        &[0.4, 1.0],
        &[0.5, 2.0],
        &[f32::NAN, f32::NAN],
        &[0.0, 3.9],
        &[0.0, 1e9],
        &[0.0, -1.0],
    ];
    assert_eq!(
        margins(&loaded.model, rows),
        [121.0, 112.0, 121.0, 121.0, 111.0, 111.0]
    );
    assert_eq!(loaded.outcome.task, Task::Value);
    assert_eq!(loaded.contract.inputs[1].kind, InputKind::CategoryCode);
    assert_eq!(loaded.description.format_version.as_deref(), Some("2.1.4"));
}

#[test]
fn the_best_iteration_is_taken_where_it_is_asked_for_and_shown() {
    let best = load_bytes(MODEL.as_bytes(), TreeSelection::Best).expect("a sound model");
    assert_eq!(margins(&best.model, &[&[0.0, 1.0]]), [101.0]);
    let fact = |name: &str| {
        best.description
            .facts
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    let rendered = "1 of 2, up to the best iteration, as `--trees best` asks";
    assert_eq!(
        (fact("best_iteration"), fact("rounds_used")),
        (Some("0"), Some(rendered))
    );
    let error = load_bytes(MODEL.as_bytes(), TreeSelection::First(3)).expect_err("too many");
    assert_eq!(
        (error.kind(), error.message()),
        (
            Kind::Usage,
            "cannot use 3 boosting rounds of a model that has 2"
        )
    );
    assert!(load_bytes(MODEL.as_bytes(), TreeSelection::First(0)).is_err());
}

/// xgboost 3.2: `Booster.predict` of this file gives 111, `XGBRegressor.predict` of the second one
/// 101.
#[test]
fn an_estimator_stops_at_the_best_iteration_and_a_booster_uses_all_trees() {
    let estimator = MODEL.replace(
        r#""attributes":{"#,
        r#""attributes":{"scikit_learn":"{\"_estimator_type\": \"regressor\"}","#,
    );
    let used = |text: &str, saved_from| {
        let options = ImportOptions {
            saved_from,
            ..ImportOptions::default()
        };
        let loaded = XgboostImporter
            .import(&Artefact::new("model", text.as_bytes().to_vec()), &options)
            .expect("a sound model");
        margins(&loaded.model, &[&[0.0, 1.0]])[0]
    };
    assert_eq!(
        [
            used(MODEL, SavedFrom::Unknown),
            used(&estimator, SavedFrom::Unknown)
        ],
        [121.0, 101.0]
    );
    assert_eq!(
        [
            used(MODEL, SavedFrom::Estimator),
            used(&estimator, SavedFrom::Booster)
        ],
        [101.0, 121.0]
    );
}

/// Writers other than XGBoost put numbers in quotes, or keep them where XGBoost quotes them.
#[test]
fn numbers_are_read_as_texts_and_texts_as_numbers() {
    let expected = margins(
        &load_bytes(MODEL.as_bytes(), TreeSelection::All)
            .expect("a sound model")
            .model,
        &[&[0.4, 1.0], &[0.6, 2.0]],
    );
    for (from, to) in [
        (r#""base_score":"1E2""#, r#""base_score":1E2"#),
        (r#""base_score":"1E2""#, r#""base_score":[100]"#),
        (r#""base_score":"1E2""#, r#""base_score":100"#),
        ("[5E-1,1E0,2E0]", r#"["5E-1","1E0","2E0"]"#),
        (
            r#""left_children":[1,-1,-1]"#,
            r#""left_children":["1","-1","-1"]"#,
        ),
        (
            r#""right_children":[2,-1,-1]"#,
            r#""right_children":[2.0,-1.0,-1.0]"#,
        ),
        (
            r#""num_feature":"2","num_nodes":"3""#,
            r#""num_feature":2,"num_nodes":3.0"#,
        ),
        (
            r#""num_feature":"2","num_target":"1""#,
            r#""num_feature":2,"num_target":1"#,
        ),
    ] {
        assert!(MODEL.contains(from), "{from}");
        let loaded = load_bytes(MODEL.replace(from, to).as_bytes(), TreeSelection::All)
            .unwrap_or_else(|error| panic!("{to}: {error}"));
        assert_eq!(
            margins(&loaded.model, &[&[0.4, 1.0], &[0.6, 2.0]]),
            expected,
            "{to}"
        );
    }
    let error = load_bytes(
        MODEL.replace("[1,-1,-1]", "[1.5,-1,-1]").as_bytes(),
        TreeSelection::All,
    )
    .expect_err("half a node");
    assert!(
        error
            .message()
            .contains("should hold a list of integers, not a fraction"),
        "{error}"
    );
}

#[test]
fn stored_categories_become_a_vocabulary_that_refuses_others() {
    let with = |categories: &str| {
        MODEL.replace(
            r#""iteration_indptr""#,
            &format!(r#""cats":{{"enc":[{categories}]}},"iteration_indptr""#),
        )
    };
    let text = with(r#"{"offsets":[],"values":[]},{"offsets":[0,1,3],"values":[97,98,99]}"#);
    let input = load_bytes(text.as_bytes(), TreeSelection::All)
        .expect("a sound model")
        .contract
        .inputs
        .remove(1);
    let InputKind::Category(vocabulary) = input.kind else {
        panic!("a vocabulary")
    };
    assert_eq!(
        vocabulary.values,
        [
            CategoryValue::Text("a".into()),
            CategoryValue::Text("bc".into())
        ]
    );
    assert_eq!(input.on_unseen, Policy::Error);
    let shifted = with(r#"{"offsets":[],"values":[]},{"offsets":[0,2,3],"values":[-61,-68,97]}"#);
    let error =
        load_bytes(shifted.as_bytes(), TreeSelection::All).expect_err("letters outside ASCII");
    assert_eq!(
        (error.kind(), error.location().column.as_deref()),
        (Kind::Contract, Some("c"))
    );
    // The bytes of `ü!a`, of which the last is lost.
    let lost = with(r#"{"offsets":[],"values":[]},{"offsets":[0,2,3],"values":[-61,-68,33]}"#);
    let with_list = |file: &str, list: &[&str]| {
        let categories = vec![(
            "c".to_owned(),
            list.iter().map(|&text| text.to_owned()).collect(),
        )];
        XgboostImporter.import(
            &Artefact::new("model", file.as_bytes().to_vec()),
            &ImportOptions {
                categories,
                ..ImportOptions::default()
            },
        )
    };
    let input = with_list(&lost, &["ü!", "a"])
        .expect("as many letters as the file says")
        .contract
        .inputs
        .remove(1);
    assert_eq!(
        (input.kind, input.on_unseen),
        (InputKind::CategoryCode, Policy::Error)
    );
    assert!(
        with_list(&shifted, &["ü", "a"]).is_ok(),
        "as many bytes as the file says"
    );
    for wrong in [&["a", "ü!"][..], &["ü!"], &["ü!", "a", "b"]] {
        let error = with_list(&lost, wrong).expect_err("other lengths");
        assert!(
            error
                .message()
                .ends_with("the file holds 2 categories of other lengths"),
            "{error}"
        );
    }
    for (file, wrong) in [(&lost, ["ö!", "a"]), (&shifted, ["ü!", "a"])] {
        let error = with_list(file, &wrong).expect_err("other texts");
        assert!(
            error
                .message()
                .ends_with("the file holds 2 categories of other texts"),
            "{error}"
        );
    }
    assert!(
        load_bytes(
            with(r#"{"offsets":[0,9],"values":[97]},{"offsets":[],"values":[]}"#).as_bytes(),
            TreeSelection::All
        )
        .is_err()
    );
    assert!(
        load_bytes(
            with(r#"{"offsets":[],"values":[]}"#).as_bytes(),
            TreeSelection::All
        )
        .is_err()
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn broken_models_name_what_is_wrong() {
    for (from, to, expected) in [
        (
            r#""left_children":[1,-1,-1]"#,
            r#""left_children":[0,-1,-1]"#,
            "the node is reached twice: the tree has a cycle (tree 0, node 0)",
        ),
        (
            r#""right_children":[2,-1,-1]"#,
            r#""right_children":[1,-1,-1]"#,
            "the node is reached twice: the tree has a cycle (tree 0, node 1)",
        ),
        (
            r#""left_children":[1,-1,-1]"#,
            r#""left_children":[7,-1,-1]"#,
            "a child of the node is not among the 3 nodes (tree 0, node 0)",
        ),
        (
            r#""right_children":[2,-1,-1]"#,
            r#""right_children":[-2,-1,-1]"#,
            "a child of the node is not among the 3 nodes (tree 0, node 0)",
        ),
        (
            "[5E-1,1E0,2E0]",
            "[NaN,1E0,2E0]",
            "the threshold is NaN (tree 0, node 0)",
        ),
        (
            "[5E-1,1E0,2E0]",
            "[5E-1,1E0]",
            "`num_nodes` says 3, but `split_conditions` has 2 entries (tree 0)",
        ),
        (
            "[5E-1,1E0,2E0]",
            r#"["x"]"#,
            "the field `split_conditions` should hold a list of numbers, not a text (tree 0)",
        ),
        (
            r#""split_indices":[0,0,0]"#,
            r#""split_indices":[2,0,0]"#,
            "splits on feature 2 of 2 (tree 0, node 0)",
        ),
        (
            r#""num_nodes":"3""#,
            r#""num_nodes":"4000000000""#,
            "`num_nodes` says 4000000000, but `left_children` has 3 entries (tree 0)",
        ),
        (
            r#""num_trees":"2""#,
            r#""num_trees":"99999999999""#,
            "`num_trees` says 99999999999, but there are 2 trees",
        ),
        (
            r#""num_class":"0""#,
            r#""num_class":"2000000000""#,
            "asks for 2000000000 outputs of a file of",
        ),
        (r#""num_target":"1""#, r#""num_target":"2""#, "prediction"),
        (
            r#""num_feature":"2","num_target""#,
            r#""num_feature":"4000000000","num_target""#,
            "2 feature names for 4000000000 features",
        ),
        (
            r#""size_leaf_vector":"0""#,
            r#""size_leaf_vector":"3""#,
            "leaves of 3 values in a model of 1 outputs (tree 0)",
        ),
        (
            r#""tree_info":[0,0]"#,
            r#""tree_info":[1,0]"#,
            "adds to output 1 of 1 (tree 0)",
        ),
        (
            r#""iteration_indptr":[0,1,2]"#,
            r#""iteration_indptr":[0,3,2]"#,
            "`iteration_indptr` does not rise from 0 to the 2 trees",
        ),
        (
            r#""iteration_indptr":[0,1,2]"#,
            r#""iteration_indptr":[]"#,
            "`iteration_indptr` does not rise from 0 to the 2 trees",
        ),
        (
            r#""categories_sizes":[2]"#,
            r#""categories_sizes":[9223372036854775807]"#,
            "node 0 has its categories at 0 + 9223372036854775807 of 2 (tree 1)",
        ),
        (
            r#""categories":[1,3]"#,
            r#""categories":[1,-3]"#,
            "a category code is negative or above 2^24 (tree 1, node 0)",
        ),
        (
            r#""split_type":[1,0,0]"#,
            r#""split_type":[1,1,0]"#,
            "do not agree (tree 1)",
        ),
        (
            r#""id":1"#,
            r#""id":0"#,
            "the field `id` holds 0, which is taken or too large (tree 1)",
        ),
        (
            r#""base_score":"1E2""#,
            r#""base_score":"nan""#,
            "the field `base_score` holds `nan`, which is not a finite number",
        ),
        (
            r#""base_score":"1E2""#,
            r#""base_score":"[1E0,2E0]""#,
            "`base_score` holds 2 numbers for 1 outputs",
        ),
        (
            r#""best_iteration":"0""#,
            r#""best_iteration":"x""#,
            "the attribute `best_iteration` holds `x`, which is not a round",
        ),
        (
            "reg:squarederror",
            "reg:other",
            "the objective `reg:other` is not supported",
        ),
        (
            r#""name":"gbtree""#,
            r#""name":"gbforest""#,
            "the booster `gbforest` is not supported",
        ),
        (
            r#""gradient_booster""#,
            r#""booster""#,
            "the field `gradient_booster` is missing",
        ),
    ] {
        assert!(MODEL.contains(from), "{from}");
        match load_bytes(MODEL.replacen(from, to, 1).as_bytes(), TreeSelection::All) {
            Ok(loaded) => assert!(
                format!("{:?}", loaded.outcome.task) == r#"Values(["0", "1"])"#,
                "{to}"
            ),
            Err(error) => assert!(error.to_string().contains(expected), "{to}: {error}"),
        }
    }
}

#[test]
fn truncated_and_damaged_files_fail_without_a_panic() {
    let ubjson = include_bytes!("../../../data/golden/xgboost_3.2_stored_ubj/model.ubj").as_slice();
    for bytes in [MODEL.as_bytes(), ubjson] {
        assert!(load_bytes(bytes, TreeSelection::All).is_ok());
        for length in 0..bytes.len() {
            assert!(
                load_bytes(&bytes[..length], TreeSelection::All).is_err(),
                "{length} bytes"
            );
        }
        for position in 0..bytes.len() {
            for byte in [0, 0xff, bytes[position] ^ 1, bytes[position] ^ 0x80] {
                let mut damaged = bytes.to_vec();
                damaged[position] = byte;
                if let Ok(loaded) = load_bytes(&damaged, TreeSelection::All) {
                    let row = vec![0.0; loaded.model.feature_count()];
                    assert_eq!(
                        margins(&loaded.model, &[&row]).len(),
                        loaded.model.margin_count()
                    );
                }
            }
        }
    }
}

#[test]
fn content_decides_and_old_formats_are_refused_with_a_way_out() {
    let binary = [
        vec![0; BINARY_PARAMETER_BYTES],
        12_u64.to_le_bytes().to_vec(),
        b"reg:logistic".to_vec(),
    ]
    .concat();
    for (head, expected) in [
        (b"{\"learner\":{".as_slice(), Some(Encoding::Json)),
        (
            b"\xef\xbb\xbf {\n \"version\": [1, 0, 0], \"learner\": {",
            Some(Encoding::Json),
        ),
        (b"{L\0\0\0\0\0\0\0\x07learner{", Some(Encoding::Ubjson)),
        (b"{i\x07learner{", Some(Encoding::Ubjson)),
        (b"binf\0\0\0\x3f", Some(Encoding::Binary)),
        (&binary, Some(Encoding::Binary)),
        (b"CONFIG-offset:\0", Some(Encoding::Snapshot)),
        (b"{\"Config\":{\"learner\":{", Some(Encoding::Snapshot)),
        (b"{\"features_info\":{", None),
        (b"tree\nversion=v4", None),
        (b"{", None),
        (b"", None),
    ] {
        assert_eq!(encoding(head), expected, "{}", head.escape_ascii());
    }
    let error = load_bytes(&binary, TreeSelection::All).expect_err("refused");
    assert_eq!(
        (error.kind(), error.message()),
        (
            Kind::Contract,
            "cannot read the binary format that XGBoost gave up"
        )
    );
    assert!(
        error
            .hint_text()
            .is_some_and(|hint| hint.contains("save_model(\"model.ubj\")"))
    );
}

#[test]
fn a_linear_booster_starts_every_output_at_the_first_intercept() {
    let text = r#"{"learner":{"attributes":{},"feature_names":[],"feature_types":[],
        "gradient_booster":{"model":{"weights":[1,2E0,1E1,2E1,5E-1,2.5E-1]},"name":"gblinear"},
        "learner_model_param":{"base_score":"[1E0,3E0]","num_class":"2","num_feature":"2"},"objective":{"name":"multi:softprob"}},"version":[3,2,0]}"#;
    let loaded = load_bytes(text.as_bytes(), TreeSelection::Best).expect("a sound model");
    assert_eq!(
        margins(&loaded.model, &[&[1.0, 1.0], &[f32::NAN, 1.0]]),
        [12.5, 23.25, 11.5, 21.25]
    );
    assert!(!loaded.contract.named);
    assert_eq!(
        load_bytes(text.as_bytes(), TreeSelection::First(1))
            .expect_err("no trees")
            .kind(),
        Kind::Usage
    );
    let error = load_bytes(
        text.replace(",2.5E-1]", "]").as_bytes(),
        TreeSelection::Best,
    )
    .expect_err("too few weights");
    assert_eq!(
        error.message(),
        "`weights` has 5 entries for 2 features and 2 outputs"
    );
}
