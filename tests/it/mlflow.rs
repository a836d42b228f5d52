//! `MLflow` model directories: the file that `MLmodel` names, under its signature.

use crate::harness::{Room, column, data, table, texts};

pub(crate) const SIGNATURE: &str = "signature:\n  inputs: '[{\"type\": \"float\", \
    \"name\": \"x0\"}, \
                         {\"type\": \"float\", \"name\": \"x1\"}, {\"type\": \"float\", \"name\": \
                         \"x2\"},\n    {\"type\": \"float\", \"name\": \"x3\"}, {\"type\": \
                         \"float\", \"name\": \"x4\"}, {\"type\": \"float\", \"name\": \
                         \"x5\"}]'\n  outputs: null\n";

pub(crate) fn mlmodel(flavour: &str, file: &str, rest: &str) -> String {
    format!(
        "artifact_path: model\nflavors:\n  {flavour}:\n    code: null\n    data: {file}\n  \
         python_function:\n    data: {file}\n    loader_module: mlflow.{flavour}\n    \
         python_version: 3.12.1\nmlflow_version: 3.1.4\nmodel_uuid: 0f0e\n{rest}"
    )
}

#[test]
fn a_signature_names_the_columns_of_a_model_without_names() {
    let room = Room::new();
    let case = data("golden/onnx_logistic_nameless");
    room.file("model/MLmodel", mlmodel("onnx", "model.onnx", SIGNATURE));
    room.file(
        "model/model.onnx",
        std::fs::read(case.join("model.onnx")).unwrap(),
    );
    room.file("model/conda.yaml", "name: env\n");
    room.file(
        "rows.parquet",
        std::fs::read(case.join("input.parquet")).unwrap(),
    );
    let run = room.tallow("inspect model").ok();
    assert!(
        run.stdout.contains("mlflow_flavour   onnx of MLflow 3.1.4") && run.stdout.contains("x5 "),
        "{run}"
    );
    room.tallow("score --model model rows.parquet --output out.parquet --passthrough none")
        .ok();
    let plain = "score --model model/model.onnx rows.parquet --output plain.parquet --passthrough \
                 none --features x0,x1,x2,x3,x4,x5";
    room.tallow(plain).ok();
    assert_eq!(
        table(&room.path("out.parquet")).columns(),
        table(&room.path("plain.parquet")).columns()
    );
}

#[test]
fn a_signature_decides_about_types() {
    let room = Room::new();
    let case = data("golden/onnx_logistic_nameless");
    room.file(
        "model/MLmodel",
        mlmodel("onnx", "model.onnx", &SIGNATURE.replace("float", "long")),
    );
    room.file(
        "model/model.onnx",
        std::fs::read(case.join("model.onnx")).unwrap(),
    );
    room.file(
        "rows.parquet",
        std::fs::read(case.join("input.parquet")).unwrap(),
    );
    let run = room.tallow("check --model model rows.parquet").fails(3);
    assert!(run.stderr.contains("requires int64"), "{run}");
}

#[test]
fn other_libraries_flavours_are_read_by_their_importers() {
    for (flavour, case, file) in [
        ("xgboost", "xgboost_3.2_binary_ubj", "model.ubj"),
        ("lightgbm", "lightgbm_4_7_0_binary", "model.lgb"),
        ("catboost", "catboost_rmse", "model.cb"),
        ("catboost", "catboost_cbm_numbers", "model.cb"),
    ] {
        let room = Room::new();
        let model = std::fs::read_dir(data("golden").join(case))
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let model = model
            .filter(|path| {
                path.file_name()
                    .unwrap()
                    .to_string_lossy()
                    .starts_with("model.")
            })
            .min()
            .unwrap();
        room.file("model/MLmodel", mlmodel(flavour, file, ""));
        room.file(&format!("model/{file}"), std::fs::read(model).unwrap());
        let run = room.tallow("inspect model").ok();
        assert!(
            run.stdout.contains(&format!("format           {flavour}")),
            "{run}"
        );
    }
}

#[test]
fn what_leads_out_of_the_directory_or_is_a_pickle_is_refused() {
    let room = Room::new();
    room.file(
        "outside.onnx",
        std::fs::read(data("golden/onnx_logistic_nameless/model.onnx")).unwrap(),
    );
    room.file("model/MLmodel", mlmodel("onnx", "../outside.onnx", ""));
    room.tallow("inspect model").fails(6);
    room.file("model/MLmodel", mlmodel("lightgbm", "model.pkl", ""));
    room.file("rows.csv", "x0,x1\n1,2\n");
    room.file(
        "model/model.pkl",
        std::fs::read(data("hostile/pickled.pkl")).unwrap(),
    );
    let run = room.tallow("check --model model rows.csv").fails(3);
    assert!(
        run.stderr
            .contains("the file holds a dictionary of 1, not a model"),
        "{run}"
    );
    room.file(
        "model/MLmodel",
        "flavors:\n  sklearn:\n    pickled_model: model.pkl\n",
    );
    let run = room.tallow("check --model model rows.csv").fails(3);
    assert!(
        run.stderr
            .contains("the file holds a dictionary of 1, not a model"),
        "{run}"
    );
    room.file(
        "model/MLmodel",
        "flavors:\n  python_function:\n    python_model: python_model.pkl\n",
    );
    let run = room.tallow("inspect model").fails(6);
    assert!(
        run.stderr
            .contains("its Python model `python_model.pkl` is code"),
        "{run}"
    );
    room.file("model/MLmodel", "flavors: |\n  text\n");
    let run = room.tallow("inspect model").fails(3);
    assert!(run.stderr.contains("line 1"), "{run}");
}

/// `MLflow` 3 keeps every logged model in a directory called `artifacts`; what it is called lies
/// elsewhere.
#[test]
fn a_model_in_a_directory_called_artifacts_has_its_own_name() {
    let room = Room::new();
    let model = std::fs::read(data("golden/lightgbm_4_7_0_binary/model.txt")).unwrap();
    let address = "artifact_path: file:///models/m-81/artifacts";
    let logged = mlmodel("lightgbm", "model.lgb", "run_id: 5b4f\nmodel_id: m-81\n")
        .replace("artifact_path: model", address);
    room.file("m-81/artifacts/MLmodel", &logged);
    room.file("m-81/artifacts/model.lgb", &model);
    let named = |expected: &[(&str, &str)]| {
        let run = room.tallow("inspect m-81/artifacts").ok();
        expected.iter().for_each(|(key, value)| {
            assert!(run.stdout.contains(&format!("{key:16} {value}\n")), "{run}");
        });
    };
    named(&[("name", "m-81"), ("mlflow_run", "5b4f")]);
    room.file(
        "m-81/artifacts/MLmodel",
        logged.replace(address, "artifact_path: churn"),
    );
    named(&[("name", "churn")]);
    room.file("m-81/artifacts/MLmodel", &logged);
    room.file(
        "m-81/meta.yaml",
        "artifact_location: file:///models/m-81/artifacts\nname: stays\nstatus: 2\n",
    );
    named(&[("name", "stays")]);
    room.file(
        "m-81/artifacts/registered_model_meta",
        "model_name: churn_reg\nmodel_version: '12'\n",
    );
    named(&[("name", "churn_reg"), ("version", "12")]);
}

/// Estimators of other libraries that `MLflow` saves as pickles.
#[test]
fn estimators_that_mlflow_pickles_are_read() {
    for (flavour, case) in [
        ("lightgbm", "sklearn_1_9_1_lgbm_three"),
        ("xgboost", "sklearn_1_9_1_xgb_two"),
    ] {
        let room = Room::new();
        let case = data("golden").join(case);
        let class = format!("code: null\n    model_class: {flavour}.sklearn.Estimator");
        room.file(
            "model/MLmodel",
            mlmodel(flavour, "model.pkl", "").replace("code: null", &class),
        );
        for (from, to) in [
            ("model.joblib", "model/model.pkl"),
            ("input.parquet", "rows.parquet"),
        ] {
            room.file(to, std::fs::read(case.join(from)).unwrap());
        }
        room.tallow("score --model model rows.parquet --output out.parquet --passthrough none")
            .ok();
        let expected = table(&case.join("expected.parquet"));
        let found = table(&room.path("out.parquet"));
        let labels = |batch| texts(column(batch, "prediction"));
        assert_eq!(labels(&found), labels(&expected), "{flavour}");
    }
}

/// The file of the flavour `sklearn` is scored as it is alone.
#[test]
fn sklearn_models_of_mlflow_are_read() {
    let room = Room::new();
    for (file, options) in [
        ("model.pkl", ""),
        ("model.skops", "    serialization_format: skops\n"),
    ] {
        let name = if file == "model.pkl" {
            "forest_p4_1_9_1"
        } else {
            "forest_skops_1_9_1"
        };
        let model = std::fs::read(data("golden/pickles").join(name)).unwrap();
        room.file(&format!("model/{file}"), model);
        room.file(
            "model/MLmodel",
            format!("flavors:\n  sklearn:\n    pickled_model: {file}\n{options}"),
        );
        let run = room.tallow("inspect model").ok();
        assert!(
            run.stdout
                .contains("sklearn.ensemble.RandomForestClassifier"),
            "{run}"
        );
    }
}

/// `xgboost_3.2_estimator` stops at its best iteration by `XGBClassifier.predict`; loaded as a
/// Booster it does not.
#[test]
fn the_class_that_mlflow_names_decides_about_early_stopping() {
    let room = Room::new();
    for (class, stops) in [
        ("xgboost.sklearn.XGBClassifier", true),
        ("xgboost.core.Booster", false),
    ] {
        let class = format!("code: null\n    model_class: {class}");
        room.file(
            "model/MLmodel",
            mlmodel("xgboost", "model.ubj", "").replace("code: null", &class),
        );
        room.file(
            "model/model.ubj",
            std::fs::read(data("golden/xgboost_3.2_estimator/model.ubj")).unwrap(),
        );
        let run = room.tallow("inspect model").ok();
        assert_eq!(run.stdout.contains("rounds_used"), stops, "{run}");
    }
}
