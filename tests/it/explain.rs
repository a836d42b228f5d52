//! `tallow explain`: how rows of a recorded run got their scores.

use serde_json::Value as Json;

use crate::harness::{Room, column, data, numbers, table};

/// A model's file, and its rows.
fn golden(name: &str) -> (String, String) {
    let model = [
        "model.ubj",
        "model.json",
        "model.txt",
        "model.cbm",
        "model.pkl",
        "model.joblib",
        "model.onnx",
        "model",
    ]
    .map(|file| data(&format!("golden/{name}/{file}")))
    .into_iter()
    .find(|path| path.exists())
    .unwrap_or_else(|| data(&format!("golden/{name}")));
    let rows = data(&format!("golden/{name}/input.parquet"));
    (model.display().to_string(), rows.display().to_string())
}

fn explained(room: &Room, arguments: &[&str]) -> Vec<Json> {
    let all = [&["explain"], arguments, &["--format", "json"]].concat();
    room.run(all).ok().json()["rows"]
        .as_array()
        .unwrap()
        .clone()
}

#[test]
fn the_way_through_the_trees_ends_at_the_leaves_of_the_library_and_adds_up() {
    let mut checked = 0;
    for name in [
        "xgboost_3.2_binary_ubj",
        "xgboost_3.2_missing",
        "lightgbm_4_7_0_binary",
        "lightgbm_4_7_0_zero_as_missing",
        "catboost_lossguide",
        "xgboost_3.2_softprob",
    ] {
        let (model, rows) = golden(name);
        if !std::path::Path::new(&rows).exists() {
            continue;
        }
        let room = Room::new();
        room.run([
            "score", "-qq", "--model", &model, &rows, "--output", "out/", "--raw",
        ])
        .ok();
        let leaves = data(&format!("golden/{name}/leaves.parquet"));
        let leaves = leaves.exists().then(|| table(&leaves));
        for row in [0, 7] {
            let found = explained(&room, &["out", "--row", &(row + 1).to_string()]).remove(0);
            let trees = found["trees"].as_array().unwrap();
            assert!(!trees.is_empty(), "{name}: {found}");
            for (number, tree) in trees.iter().enumerate() {
                let steps = tree["path"].as_array().unwrap();
                assert!(
                    steps.iter().all(|step| step["feature"].is_string()),
                    "{name}"
                );
                let Some(leaves) = &leaves else {
                    continue;
                };
                if leaves.num_columns() == trees.len() {
                    let expected = numbers(leaves.column(number))[row];
                    assert_eq!(
                        tree["leaf"].as_f64(),
                        Some(expected),
                        "{name} {row} {number}"
                    );
                    checked += 1;
                }
            }
            let margin = column(&table(&room.path("out/part-00000.parquet")), "prediction").len();
            assert!(margin > row, "{name}");
        }
    }
    assert!(checked > 20, "{checked} leaves were compared");
}

#[test]
fn an_explanation_has_the_values_the_coercions_and_the_score_of_the_output() {
    let room = Room::new();
    let (model, rows) = (data("demo/churn"), data("demo/customers.csv"));
    let (model, rows) = (model.display().to_string(), rows.display().to_string());
    room.run(["score", "-qq", "--model", &model, &rows, "--output", "out/"])
        .ok();
    let scores = table(&room.path("out/part-00000.parquet"));
    let probability = numbers(column(&scores, "probability"));
    let found = explained(&room, &["out", "--where", "customer_id = 'C-00021'"]);
    assert_eq!(found.len(), 1);
    let found = &found[0];
    assert_eq!(
        (&found["row"], &found["outcome"]),
        (&1.into(), &"scored".into())
    );
    assert_eq!(found["columns"]["customer_id"], "C-00021");
    assert!(
        found["model"]["digest"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
    let shown: f32 = found["scores"]["probability"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(f64::from(shown), probability[0]);
    let inputs = found["inputs"].as_array().unwrap();
    let of = |name: &str| {
        inputs
            .iter()
            .find(|input| input["feature"] == name)
            .unwrap()
    };
    assert_eq!(
        (&of("age")["value"], &of("age")["read"]),
        (&"35".into(), &"35".into())
    );
    let missing = of("total_charge");
    assert_eq!(missing["read"], "NaN");
    assert!(
        missing["coercions"].to_string().contains("missing"),
        "{missing}"
    );
    let margins = found["margins"][0].as_f64().unwrap();
    assert!((1.0 / (1.0 + (-margins).exp()) - probability[0]).abs() < 1e-6);
    let text = room.run(["explain", "out", "--row", "1"]).ok().stdout;
    assert!(text.starts_with("row 1 of "), "{text}");
    insta::assert_snapshot!("explain", text);
    let limited = explained(&room, &["out", "--where", "age > 0", "--max-rows", "3"]);
    assert_eq!(limited.len(), 3);
}

#[test]
fn trees_of_several_classes_name_the_class_that_each_votes_for() {
    for (name, is_several) in [
        ("xgboost_3.2_softprob", false),
        ("catboost_multiclass_text", true),
    ] {
        let (model, rows) = golden(name);
        let room = Room::new();
        room.run(["score", "-qq", "--model", &model, &rows, "--output", "out/"])
            .ok();
        let found = explained(&room, &["out", "--row", "3"]).remove(0);
        let margins = found["margins"].as_array().unwrap();
        let scores = found["scores"].as_object().unwrap();
        let class = |margin: usize| {
            let probabilities = scores
                .keys()
                .filter_map(|name| name.strip_prefix("probability_"));
            probabilities.map(str::to_owned).nth(margin).unwrap()
        };
        let trees = found["trees"].as_array().unwrap();
        for (number, tree) in trees.iter().enumerate() {
            let expected: Vec<usize> = if is_several {
                (0..margins.len()).collect()
            } else {
                vec![number % margins.len()]
            };
            let classes: Vec<String> = expected.iter().map(|margin| class(*margin)).collect();
            assert_eq!(
                tree["margins"],
                serde_json::json!(expected),
                "{name} {number}"
            );
            assert_eq!(
                tree["outputs"],
                serde_json::json!(classes),
                "{name} {number}"
            );
        }
        let text = room.run(["explain", "out", "--row", "3"]).ok().stdout;
        assert!(text.contains(&format!(" for {}", class(0))), "{text}");
    }
}

#[test]
fn categories_are_shown_by_their_names() {
    for (name, column, category) in [
        ("catboost_ctr_simple", "c0", "basic"),
        ("lightgbm_4_7_0_pandas_categorical", "city", "Wien"),
        ("xgboost_3.2_letters", "city", "Köln"),
    ] {
        let (model, rows) = golden(name);
        let room = Room::new();
        room.run(["score", "-qq", "--model", &model, &rows, "--output", "out/"])
            .ok();
        let text = room.run(["explain", "out", "--row", "2"]).ok().stdout;
        let line = format!("  {column:24} {category}");
        assert!(text.lines().any(|own| own == line), "{name}: {text}");
        if name.starts_with("catboost") {
            continue;
        }
        let found = explained(&room, &["out", "--row", "2"]).remove(0);
        let trees = found["trees"].as_array().unwrap();
        let steps = trees
            .iter()
            .flat_map(|tree| tree["path"].as_array().unwrap());
        let mut asked = steps.filter(|step| step["feature"] == column).peekable();
        assert!(asked.peek().is_some(), "{name}");
        for step in asked {
            assert_eq!(step["value"], category, "{name}");
            let test = step["test"].as_str().unwrap();
            let (_, set) = test.split_once('[').unwrap();
            let holds = set.split([',', ']']).any(|one| one.trim() == category);
            let is_yes = step["is_left"] == true;
            assert_eq!(holds != test.starts_with("not "), is_yes, "{name}: {step}");
        }
    }
}

#[test]
fn rows_that_were_rejected_or_filtered_are_explained_too() {
    let room = Room::new();
    let text = std::fs::read_to_string(data("demo/customers.csv")).unwrap();
    room.file("rows.csv", text.replacen(",35\n", ",abc\n", 1));
    let model = data("demo/churn").display().to_string();
    room.run([
        "score",
        "-qq",
        "--model",
        &model,
        "rows.csv",
        "--output",
        "out/",
        "--on-unseen",
        "age=reject",
        "--where",
        "region <> 'north'",
    ])
    .ok();
    let rejected = explained(&room, &["out", "--row", "1"]).remove(0);
    assert_eq!(rejected["outcome"], "rejected");
    assert!(
        rejected["reason"].as_str().unwrap().starts_with("age: "),
        "{rejected}"
    );
    let reason = "the run's `--where` removed it: region <> 'north'";
    let second = text.lines().nth(2).unwrap().split(',').next().unwrap();
    let by_key = format!("customer_id = '{second}'");
    for question in [["--row", "2"], ["--where", &by_key]] {
        let filtered = explained(&room, &[&["out"], &question[..]].concat()).remove(0);
        assert_eq!(
            (&filtered["outcome"], &filtered["row"]),
            (&"filtered".into(), &2.into())
        );
        assert_eq!(filtered["reason"], reason, "{question:?}");
    }
    // What is asked need not be about the columns of the run's own filter, nor match its rows.
    let all = explained(&room, &["out", "--where", "TRUE", "--max-rows", "1000"]);
    let north = |row: &Json| row["outcome"] == "filtered";
    let expected = text.lines().filter(|line| line.contains(",north,")).count();
    assert_eq!(
        (all.len(), all.iter().filter(|row| north(row)).count()),
        (200, expected)
    );
    let none = room
        .run(["explain", "out", "--where", "customer_id = 'x'"])
        .fails(3);
    assert!(
        none.stderr
            .contains("no row of the input satisfies `--where`"),
        "{none}"
    );
}

#[test]
fn rows_after_the_limit_of_a_run_are_not_explained() {
    let room = Room::new();
    let (model, rows) = (data("demo/churn"), data("demo/customers.csv"));
    let (model, rows) = (model.display().to_string(), rows.display().to_string());
    let line = [
        "score", "-qq", "--model", &model, &rows, "--output", "out/", "--limit", "3",
    ];
    room.run(line).ok();
    let all = explained(&room, &["out", "--where", "TRUE", "--max-rows", "1000"]);
    assert_eq!(all.len(), 3);
    assert_eq!(explained(&room, &["out", "--row", "3"]).len(), 1);
    let error = room.run(["explain", "out", "--row", "4"]).fails(2).stderr;
    assert!(error.contains("`--row 4`: the run read 3 rows"), "{error}");
}

#[test]
fn other_models_inputs_and_rows_are_refused() {
    let room = Room::new();
    std::fs::copy(data("demo/customers.csv"), room.path("rows.csv")).unwrap();
    std::fs::copy(data("demo/churn/model.ubj"), room.path("model.ubj")).unwrap();
    room.tallow("score -qq --model model.ubj rows.csv --output out/")
        .ok();
    for (arguments, code, message) in [
        (&["--row", "201"][..], 2, "the input has 200 rows"),
        (&["--row", "0"], 2, "the input has"),
        (
            &["--where", "region = 'nowhere'"],
            3,
            "no row of the input satisfies",
        ),
        (
            &["--where", "region ="],
            2,
            "cannot understand the expression",
        ),
        (&[], 2, "--row"),
    ] {
        let run = room.run([&["explain", "out"], arguments].concat());
        assert_eq!(run.code, code, "{arguments:?}: {run}");
        assert!(run.stderr.contains(message), "{arguments:?}: {run}");
    }
    let text = std::fs::read_to_string(room.path("rows.csv")).unwrap();
    room.file("rows.csv", text.replacen(",35\n", ",36\n", 1));
    let error = room.run(["explain", "out", "--row", "1"]).fails(3).stderr;
    assert!(error.contains("the input is another one"), "{error}");
}

/// The step of a name.
#[test]
fn an_output_that_was_replaced_since_is_not_explained_by_the_run_before() {
    let room = Room::new();
    std::fs::copy(data("demo/customers.csv"), room.path("rows.csv")).unwrap();
    std::fs::copy(data("demo/churn/model.ubj"), room.path("model.ubj")).unwrap();
    for output in ["out.parquet", "text.csv", "set/"] {
        let score = format!("score -qq --model model.ubj rows.csv --output {output}");
        room.tallow(&score).ok();
        let explain = format!("explain {output} --row 1");
        room.tallow(&explain).ok();
        let file = if output == "set/" {
            "set/part-00000.parquet"
        } else {
            output
        };
        // As another run, whose report lies elsewhere, or another program would replace it.
        let other = if output == "text.csv" {
            let text = std::fs::read_to_string(room.path(file)).unwrap();
            text.replacen("0.", "1.", 1).into_bytes()
        } else {
            room.tallow(
                "score -qq --model model.ubj rows.csv --output other.parquet --overwrite \
                 --threshold 0.3 --report none",
            )
            .ok();
            std::fs::read(room.path("other.parquet")).unwrap()
        };
        room.file(file, other);
        let error = room.tallow(&explain).fails(3).stderr;
        assert!(error.contains("it was replaced since"), "{error}");
        assert!(error.contains("hint: "), "{error}");
    }
    room.tallow("explain out.report.pq --row 1").ok();
    // What was archived can still be explained by its record.
    std::fs::remove_file(room.path("out.parquet")).unwrap();
    room.tallow("explain out.parquet --row 1").ok();
}

fn step<'a>(found: &'a Json, name: &str) -> &'a Json {
    let steps = found["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["name"] == name);
    step.unwrap_or_else(|| panic!("{name}: {found:#}"))
}

/// (name, value) of the outputs of a step.
fn outputs(step: &Json) -> Vec<(String, f64)> {
    let outputs = step["outputs"].as_array().unwrap();
    let text = |one: &Json, name: &str| one[name].as_str().unwrap().to_owned();
    outputs
        .iter()
        .map(|one| (text(one, "name"), text(one, "value").parse().unwrap()))
        .collect()
}

fn values(step: &Json) -> Vec<f64> {
    outputs(step).into_iter().map(|(_, value)| value).collect()
}

fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        let error = (found - expected).abs();
        assert!(error <= tolerance, "{found} instead of {expected}");
    }
}

/// The rows of a golden case, scored into `out/`.
fn scored(name: &str) -> Room {
    let (model, rows) = golden(name);
    let room = Room::new();
    let mut arguments = vec!["score", "-qq", "--model", &model, &rows, "--output", "out/"];
    arguments.extend(["--on-null", "null", "--on-unseen", "null"]);
    let case = std::fs::read(data(&format!("golden/{name}/case.json"))).unwrap();
    let case: Json = serde_json::from_slice(&case).unwrap();
    let own = case["arguments"].as_array().into_iter().flatten();
    arguments.extend(own.map(|one| one.as_str().unwrap()));
    room.run(arguments).ok();
    room
}

/// `model[:-1].transform(x)`, `coef_ * x` and `decision_function` of scikit-learn 1.9.1.
#[test]
fn the_steps_of_a_pipeline_have_the_values_of_scikit_learn() {
    let room = scored("sklearn_1_9_1_mixed_logistic");
    let expected = [
        (
            1,
            [
                1.035_936_182_176_445,
                -0.670_876_602_762_259,
                -1.738_921_105_285_570_6,
            ],
            [
                -1.319_277_079_681_006_3,
                -0.150_570_959_848_262_13,
                -5.677_963_966_575_794,
            ],
            -5.321_207_46,
        ),
        (
            8,
            [
                0.035_455_626_702_751_86,
                0.188_579_270_339_852_36,
                -0.769_540_538_924_458_6,
            ],
            [
                -0.045_153_163_350_654_48,
                0.042_324_567_030_129_03,
                -2.512_720_926_528_080_3,
            ],
            -0.688_944_98,
        ),
    ];
    for (row, scaled, products, margin) in expected {
        let found = explained(&room, &["out", "--row", &row.to_string()]).remove(0);
        let prep = step(&found, "prep");
        assert_eq!(prep["operation"], "ColumnTransformer");
        let mut all = scaled.to_vec();
        all.extend([0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        close(&values(prep), &all, 1e-15);
        let scaler = step(&found, "prep → num → standardscaler");
        assert_eq!(scaler["operation"], "StandardScaler");
        close(&values(scaler), &scaled, 1e-15);
        let names: Vec<String> = outputs(scaler).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["age", "income", "ratio"]);
        let encoder = step(&found, "prep → cat");
        let bern = outputs(encoder)
            .into_iter()
            .find(|(name, _)| name == "city = Bern");
        assert_eq!(bern.map(|(_, value)| value), Some(1.0), "{encoder}");
        let sum = &step(&found, "clf")["sums"][0];
        let terms = sum["terms"].as_array().unwrap();
        assert_eq!(terms.len(), 11);
        let own: Vec<f64> = terms
            .iter()
            .map(|term| term["product"].as_f64().unwrap())
            .collect();
        close(&own[..3], &products, 1e-14);
        close(&own[3..5], &[0.0, 1.865_604_875_313_887_6], 1e-14);
        close(&own[8..10], &[0.0, 0.207_831_005_246_654_57], 1e-14);
        assert_eq!(terms[4]["feature"], "city = Bern");
        close(
            &[sum["intercept"].as_f64().unwrap()],
            &[-0.246_831_34],
            1e-8,
        );
        close(&[sum["sum"].as_f64().unwrap()], &[margin], 1e-8);
        close(&[found["margins"][0].as_f64().unwrap()], &[margin], 1e-8);
        assert_eq!(found["link"], "1 / (1 + exp(-margin))");
    }
    let text = room.run(["explain", "out", "--row", "1"]).ok().stdout;
    let text = text.lines().skip_while(|line| !line.starts_with("inputs"));
    insta::assert_snapshot!("explain_pipeline", text.collect::<Vec<_>>().join("\n"));
}

/// The trees of a forest in a pickle: their leaves, divided by their number, are the margins.
#[test]
fn trees_in_a_pickle_are_followed_and_add_up() {
    let room = scored("sklearn_0_24_2_mixed_forest");
    let found = explained(&room, &["out", "--row", "1"]).remove(0);
    let trees = found["trees"].as_array().unwrap();
    assert!(!trees.is_empty(), "{found:#}");
    let branches = trees
        .iter()
        .flat_map(|tree| tree["path"].as_array().unwrap());
    for branch in branches {
        assert!(
            branch["feature"]
                .as_str()
                .is_some_and(|name| !name.is_empty())
        );
    }
    let sum: f64 = trees
        .iter()
        .map(|tree| tree["values"][0].as_f64().unwrap())
        .sum();
    let margin = found["margins"][0].as_f64().unwrap();
    let mean = sum / trees.len() as f64;
    assert!((sum - margin).abs() < 1e-9 || (mean - margin).abs() < 1e-9);
}

/// The layers, decisions and neighbours of scikit-learn 1.9.1: its `coefs_` by hand and
/// `predict_proba`, `decision_function` of both shapes, `kneighbors`.
#[test]
fn networks_support_vectors_and_neighbours_in_a_pickle_have_the_values_of_scikit_learn() {
    let room = scored("sklearn_1_9_1_network_relu");
    let found = explained(&room, &["out", "--row", "1"]).remove(0);
    let first = step(&found, "mlpclassifier → layer 1");
    assert_eq!(first["operation"], "dense 3 → 8, relu");
    let mut expected = [0.0; 8];
    (expected[0], expected[7]) = (0.180_007_428_993_458_67, 1.254_807_888_196_998_2);
    close(&values(first), &expected, 1e-14);
    let second = [
        0.0,
        0.898_333_674_516_824_6,
        0.0,
        0.523_160_267_931_888,
        0.0,
    ];
    close(
        &values(step(&found, "mlpclassifier → layer 2")),
        &second,
        1e-14,
    );
    let last = step(&found, "mlpclassifier → layer 3");
    assert_eq!(last["operation"], "dense 5 → 3, softmax");
    let odds = [
        0.351_949_663_247_382_47,
        0.431_434_778_247_825_33,
        0.216_615_558_504_792_1,
    ];
    close(&values(last), &odds, 1e-14);

    let room = scored("sklearn_1_9_1_svc_rbf");
    let found = explained(&room, &["out", "--row", "1"]).remove(0);
    let pairs = step(&found, "svc → support vectors");
    assert_eq!(pairs["operation"], "rbf kernel of 210 vectors");
    let expected = [
        1.749_938_469_297_978_7,
        1.491_684_307_270_358_7,
        0.455_076_231_302_487_03,
    ];
    close(&values(pairs), &expected, 1e-12);
    let names: Vec<String> = outputs(pairs).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["0 or 1", "0 or 2", "1 or 2"]);
    let sums = pairs["sums"].as_array().unwrap();
    let term = &sums[0]["terms"][0];
    close(
        &[term["value"].as_f64().unwrap()],
        &[0.059_010_430_834_624_16],
        1e-14,
    );
    for (sum, expected) in sums.iter().zip(expected) {
        let terms = sum["terms"].as_array().unwrap().iter();
        let products: f64 = terms.map(|term| term["product"].as_f64().unwrap()).sum();
        let intercept = sum["intercept"].as_f64().unwrap();
        close(&[products + intercept], &[expected], 1e-12);
    }
    assert_eq!(sums[0]["terms"].as_array().unwrap().len(), 58 + 95);
    let decisions = [
        2.254_747_058_482_410_5,
        0.811_918_668_209_248_3,
        -0.220_214_765_003_797_14,
    ];
    close(&values(step(&found, "svc → decisions")), &decisions, 1e-12);

    let room = scored("sklearn_1_9_1_neighbours");
    let found = explained(&room, &["out", "--row", "1"]).remove(0);
    let near = outputs(step(&found, "kneighborsclassifier → neighbours"));
    let (rows, distances): (Vec<String>, Vec<f64>) = near.into_iter().unzip();
    let expected = [0, 263, 85, 2, 66].map(|row| format!("row {row}: 0"));
    assert_eq!(rows, expected);
    let expected = [
        4.605_962_233_839_023e-8,
        0.325_638_583_708_793_4,
        0.408_896_359_584_380_7,
        0.457_606_409_656_600_15,
        0.488_326_726_197_449_4,
    ];
    close(&distances, &expected, 1e-7);
}

/// Every value between nodes as ONNX Runtime 1.31 computes it, and the products of a linear model.
#[test]
fn the_nodes_of_a_graph_have_the_values_of_onnx_runtime() {
    let room = scored("onnx_logistic");
    let found = explained(&room, &["out", "--row", "1"]).remove(0);
    let scaled = [
        -0.465_376_853_942_871_1,
        -1.032_987_356_185_913,
        -0.845_998_704_433_441_2,
        0.407_604_455_947_876,
        0.280_220_896_005_630_5,
        2.638_221_740_722_656_2,
    ];
    close(&values(step(&found, "Scaler")), &scaled, 1e-6);
    let linear = step(&found, "LinearClassifier");
    assert_eq!(linear["operation"], "LinearClassifier");
    let sums = linear["sums"].as_array().unwrap();
    assert_eq!(sums.len(), 2, "{linear}");
    let coefficient = -0.749_690_175_056_457_5;
    let term = &sums[0]["terms"][0];
    close(
        &[term["product"].as_f64().unwrap()],
        &[scaled[0] * coefficient],
        1e-6,
    );
    let sum = sums[0]["sum"].as_f64().unwrap();
    close(
        &[1.0 / (1.0 + (-sum).exp())],
        &[0.628_715_753_555_297_9],
        1e-6,
    );
    let probabilities = [0.628_715_753_555_297_9, 0.371_284_216_642_379_76];
    close(&values(linear)[1..], &probabilities, 1e-6);

    let room = scored("onnx_mixed_forest");
    let found = explained(&room, &["out", "--row", "1"]).remove(0);
    close(
        &values(step(&found, "Imputer")),
        &[56.755_92, 32_719.64],
        1e-2,
    );
    close(
        &values(step(&found, "OneHotEncoder1")),
        &[0.0, 0.0, 1.0],
        0.0,
    );
    let merged = outputs(step(&found, "Concat2"));
    assert_eq!(merged[9], ("transformed_column[9]".to_owned(), 1.0));
    let trees = found["trees"].as_array().unwrap();
    assert!(!trees.is_empty(), "{found:#}");
    assert!(
        trees
            .iter()
            .all(|tree| tree["step"] == "TreeEnsembleClassifier")
    );
    let sum: f64 = trees
        .iter()
        .map(|tree| tree["values"][0].as_f64().unwrap())
        .sum();
    close(&[sum], &[0.419_808_149_337_768_55], 1e-5);
}

/// As PyTorch computes them from the same tensors.
#[test]
fn the_layers_of_a_network_have_the_values_of_pytorch() {
    let room = scored("network_mixed");
    let found = explained(&room, &["out", "--row", "1"]).remove(0);
    let inputs = [
        -3.662_643_909_454_345_7,
        0.133_356_124_162_673_95,
        3.558_326_482_772_827,
        1.074_171_662_330_627_4,
        -0.451_101_213_693_618_8,
        1.0,
        0.0,
        0.0,
    ];
    close(&values(step(&found, "inputs")), &inputs, 1e-6);
    let layers: Vec<&Json> = found["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| step["name"] == "layer")
        .collect();
    let operations: Vec<&str> = layers
        .iter()
        .map(|layer| layer["operation"].as_str().unwrap())
        .collect();
    assert_eq!(operations[0], "dense 8 → 20", "{operations:?}");
    let up = [
        -2.055_129_051_208_496,
        -2.109_204_769_134_521_5,
        0.086_827_144_026_756_29,
    ];
    close(&values(layers[0])[..3], &up, 1e-5);
    let sum = operations
        .iter()
        .position(|one| *one == "sum of both branches");
    let expected = [
        2.132_858_276_367_187_5,
        -3.771_237_134_933_471_7,
        1.305_418_610_572_815,
    ];
    close(&values(layers[sum.unwrap()])[..3], &expected, 1e-5);
    let head = [
        -1.337_371_826_171_875,
        0.459_070_026_874_542_24,
        0.299_345_165_491_104_1,
    ];
    close(&values(layers.last().unwrap()), &head, 1e-5);
    assert_eq!(found["link"], "softmax(margins)");
}

#[test]
fn a_row_of_an_ab_test_is_explained_by_the_model_that_answered_it() {
    let room = Room::new();
    let (model, rows) = (data("demo/churn"), data("demo/customers.csv"));
    std::fs::copy(data("demo/churn/model.ubj"), room.path("next.ubj")).unwrap();
    let (model, rows) = (model.display().to_string(), rows.display().to_string());
    let arguments = [
        "score",
        "-qq",
        "--model",
        &model,
        &rows,
        "--output",
        "out/",
        "--challenger",
        "next=next.ubj",
        "--split",
        "next=50%",
        "--split-by",
        "customer_id",
    ];
    room.run(arguments).ok();
    let scores = table(&room.path("out/part-00000.parquet"));
    let models = crate::harness::texts(column(&scores, "model"));
    let probability = numbers(column(&scores, "probability"));
    for name in ["churn", "next"] {
        let row = models
            .iter()
            .position(|model| model.as_deref() == Some(name))
            .unwrap();
        let found = explained(&room, &["out", "--row", &(row + 1).to_string()]).remove(0);
        assert_eq!(found["scores"]["model"], name, "{found:#}");
        assert_eq!(
            found["model"]["name"],
            if name == "next" { "next" } else { "churn" }
        );
        let shown: f64 = found["scores"]["probability"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!((shown - probability[row]).abs() < 1e-7);
        assert!(!found["trees"].as_array().unwrap().is_empty());
    }
    std::fs::remove_file(room.path("next.ubj")).unwrap();
    std::fs::copy(data("hostile/good.json"), room.path("next.ubj")).unwrap();
    let error = room.run(["explain", "out", "--row", "1"]);
    assert!(error.code != 0, "{error}");
}

/// XGBoost's `gblinear`: the products of what is present, the intercept, and the margin that they
/// make; of several classes each its own.
#[test]
fn the_terms_of_a_linear_model_are_its_margins() {
    for (name, outputs) in [
        ("xgboost_3.2_linearbinary", 1),
        ("xgboost_3.2_linearmulti", 4),
    ] {
        let room = scored(name);
        for row in ["1", "5"] {
            let found = explained(&room, &["out", "--row", row]).remove(0);
            let margins = found["margins"].as_array().unwrap();
            let steps = found["steps"].as_array().unwrap();
            assert_eq!(steps.len(), 1, "{name}: {found:#}");
            let sums = steps[0]["sums"].as_array().unwrap();
            assert_eq!((sums.len(), margins.len()), (outputs, outputs), "{name}");
            for (sum, margin) in sums.iter().zip(margins) {
                let terms = sum["terms"].as_array().unwrap();
                let product = |term: &Json| term["product"].as_f64().unwrap();
                let total = sum["intercept"].as_f64().unwrap();
                let total: f64 = total + terms.iter().map(product).sum::<f64>();
                assert_eq!(&sum["sum"], margin, "{name}");
                close(&[total], &[margin.as_f64().unwrap()], 1e-5);
                for term in terms {
                    let factors = ["value", "coefficient"].map(|one| term[one].as_f64().unwrap());
                    close(&[product(term)], &[factors[0] * factors[1]], 1e-6);
                }
            }
        }
    }
}

#[test]
fn a_corrected_row_that_the_filter_removed_has_its_correction() {
    let room = crate::recovery::room();
    let filter = "--where coalesce(a,0.5)>0.3";
    let line = format!("{} {filter} --output out/", crate::recovery::SCORE);
    room.tallow(&line).ok();
    crate::recovery::correct(&room, "out", "part-00000", 10);
    room.tallow("retry -qq out").ok();
    let found = explained(&room, &["out", "--row", "8"]).remove(0);
    assert_eq!(found["outcome"], "filtered", "{found}");
    let correction = &found["correction"];
    assert_eq!(correction["is_kept"], true, "{found}");
    assert_eq!(correction["rejected_because"], "a: a value is missing");
}

#[test]
fn a_row_that_was_corrected_is_explained_as_it_was_scored() {
    let room = crate::recovery::room();
    let line = format!("{} --output out/", crate::recovery::SCORE);
    room.tallow(&line).ok();
    crate::recovery::correct(&room, "out", "part-00000", 10);
    room.tallow("retry -qq out").ok();
    let shown = |row: &str| explained(&room, &["out", "--row", row]).remove(0);
    // Rows 8, 108, … were rejected: `a` is null there.
    let corrected = shown("8");
    assert_eq!(corrected["outcome"], "scored", "{corrected}");
    let correction = &corrected["correction"];
    assert_eq!(correction["table"], "out/_tallow/corrections/part-00000.pq");
    assert_eq!(correction["is_kept"], true);
    assert_eq!(correction["rejected_because"], "a: a value is missing");
    assert_eq!(corrected["inputs"][0]["value"], "0.25", "{corrected}");
    let part = table(&room.path("out/part-00000.parquet"));
    let ids = crate::harness::texts(column(&part, "id"));
    let row = ids
        .iter()
        .position(|id| id.as_deref() == Some("7"))
        .unwrap();
    let name = part.schema().fields().last().unwrap().name().clone();
    let own = crate::harness::texts(column(&part, &name))[row]
        .clone()
        .unwrap();
    let score: f64 = own.parse().unwrap();
    let explained_score: f64 = corrected["scores"][&name]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((score - explained_score).abs() < 1e-6, "{corrected}");
    let by_filter = explained(&room, &["out", "--where", "id = 7"]).remove(0);
    assert_eq!(by_filter, corrected);
    let text = room.tallow("explain out --row 8").ok().stdout;
    for line in [
        "row 8 of in-0.parquet: scored\n",
        "  rejected before          a: a value is missing\n",
        "  corrected                by `retry`, which finished at ",
        "its values are those of `out/_tallow/corrections/part-00000.pq`\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    // A row of another part was not corrected, one that was never bad has no correction.
    let rejected = shown("1108");
    assert_eq!(rejected["outcome"], "rejected", "{rejected}");
    assert!(rejected.get("correction").is_none(), "{rejected}");
    assert!(shown("9").get("correction").is_none());
    // Without the corrected values it is not `rejected` and nothing else.
    std::fs::remove_file(room.path("out/_tallow/corrections/part-00000.pq")).unwrap();
    let text = room.tallow("explain out --row 8").ok().stdout;
    assert!(text.contains("row 8 of in-0.parquet: rejected\n"), "{text}");
    assert!(
        text.contains("which had the corrected values, is gone; look for the row's score"),
        "{text}"
    );
}
