"""Exports models with the `export` functions of `examples/`, as users copy them, and has tallow
check each package.

    python tests/examples/export_models.py path/to/tallow

Every set that scikit-learn brings along, estimators and pipelines, regressors, two classes and
more, labels that are integers, strings and booleans, several labels a row, every kind of category
and objective. TALLOW_EXAMPLES="xgboost lightgbm" runs these parts alone. What cannot be run here is
printed as NOT TESTED."""

import pathlib
import sys
import tempfile
import warnings

import pyarrow.parquet
from steps import attempt, expect, finish, has, run

warnings.filterwarnings("ignore")
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples"))


def checked(name, export, model, rows, target, **fitting):
    """Trains and exports a model; tallow replays the golden rows and binds the table, whose columns
    come in another order."""

    def work():
        package, table = WORK / name, WORK / f"{name}.parquet"
        model.fit(rows, target, **fitting)
        export(model, rows.sample(frac=1, random_state=1).head(60), package, name, "1")
        pyarrow.parquet.write_table(plain(rows[rows.columns[::-1]]), table)
        expect(name, run(TALLOW, "check", "--model", package, table))

    attempt(name, work)


def plain(rows):
    """The table as other programs write it, without pandas' categories."""
    table = pyarrow.Table.from_pandas(rows, preserve_index=False)
    for index, field in enumerate(table.schema):
        if pyarrow.types.is_dictionary(field.type):
            values = table[index].cast(field.type.value_type)
            table = table.set_column(index, field.name, values)
    return table


def class_sets():
    """Each set of classes, with labels of every type: all its classes, and two of them."""
    from sklearn import datasets

    for name in ["iris", "wine", "breast_cancer", "digits"]:
        rows, labels = getattr(datasets, f"load_{name}")(as_frame=True, return_X_y=True)
        if name == "digits":
            rows, labels = rows.iloc[:600], labels.iloc[:600]
        odd = labels % 2
        yield f"{name}_integers", rows, labels
        yield f"{name}_floats", rows, labels.astype(float)
        yield f"{name}_strings", rows, labels.map(lambda label: f"class {label}")
        yield f"{name}_two_integers", rows, odd
        yield f"{name}_two_strings", rows, odd.map({0: "even", 1: "odd"})
        yield f"{name}_booleans", rows, odd == 1


def number_sets():
    """Each set of numbers to be predicted; the last has three a row."""
    from sklearn import datasets

    for name in ["diabetes", "linnerud"]:
        yield name, *getattr(datasets, f"load_{name}")(as_frame=True, return_X_y=True)


def several_labels():
    """A set with two labels a row, which do not exclude each other."""
    import pandas as pd
    from sklearn import datasets

    rows, label = datasets.load_breast_cancer(as_frame=True, return_X_y=True)
    return rows, pd.DataFrame({"benign": label, "large": (rows["mean radius"] > 14).astype(int)})


def categories():
    """Tables with a category of each type, and a label that depends on it."""
    import numpy as np
    import pandas as pd

    generator = np.random.default_rng(1)
    codes = generator.integers(0, 2, 400)
    target = pd.Series(codes + generator.normal(0, 0.3, 400) > 0.5).astype(int)
    for kind, values in {
        "strings": ["Oslo", "Rome"],
        "integers": [7, 3],
        "floats": [1.5, 0.25],
        "booleans": [False, True],
    }.items():
        rows = pd.DataFrame(
            {
                "region": pd.Series(np.array(values)[codes]).astype("category"),
                "age": generator.normal(40, 12, 400),
            }
        )
        yield f"categories_{kind}", rows, target
        missing = rows.assign(region=rows["region"].mask(generator.random(400) < 0.1))
        yield f"categories_{kind}_with_nulls", missing, target


def scikit_learn():
    if not has("sklearn", "skl2onnx", "pandas"):
        return
    from export_sklearn import export
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.linear_model import (
        LinearRegression,
        LogisticRegression,
        Ridge,
        RidgeClassifier,
        SGDClassifier,
    )
    from sklearn.model_selection import GridSearchCV
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
    from sklearn.svm import LinearSVC

    def columns(rows, model):
        scaled = ColumnTransformer([("all", StandardScaler(), list(rows.columns))])
        return make_pipeline(scaled, model)

    def logistic():
        return LogisticRegression(max_iter=30)

    for name, rows, labels in class_sets():
        for kind, model in {
            "bare": logistic(),
            "forest": RandomForestClassifier(5, random_state=1),
            "margin": LinearSVC(),
            "ridge": columns(rows, RidgeClassifier()),
            "pipeline": make_pipeline(StandardScaler(), SGDClassifier(random_state=1)),
            "columns": columns(rows, logistic()),
        }.items():
            checked(f"sklearn_{name}_{kind}", export, model, rows, labels)
    checked(
        "sklearn_search",
        export,
        GridSearchCV(columns(rows, logistic()), {"logisticregression__C": [0.5, 1.0]}, cv=2),
        rows,
        labels,
    )
    for name, rows, labels in categories():
        if "floats" in name or "nulls" in name:
            continue  # skl2onnx does not convert encoders of them.
        # The export itself makes pandas' categories plain.
        for kind, table in {"": rows, "_plain": plain(rows).to_pandas()}.items():
            encoded = ColumnTransformer(
                [("region", OneHotEncoder(), ["region"]), ("age", StandardScaler(), ["age"])]
            )
            model = make_pipeline(encoded, logistic())
            checked(f"sklearn_{name}{kind}", export, model, table, labels)
    scaled = make_union(
        ColumnTransformer([("age", StandardScaler(), ["age"])]),
        ColumnTransformer([("too", MinMaxScaler(), ["age", "region"])]),
    )
    _, rows, labels = next(categories())
    flags = rows.assign(region=rows["region"] == "Rome")
    checked("sklearn_union", export, make_pipeline(scaled, logistic()), flags, labels)
    for name, rows, target in number_sets():
        for kind, model in {
            "bare": LinearRegression(),
            "pipeline": make_pipeline(StandardScaler(), Ridge()),
            "columns": columns(rows, Ridge()),
            "forest": RandomForestRegressor(5, random_state=1),
        }.items():
            checked(f"sklearn_{name}_{kind}", export, model, rows, target)
    checked("sklearn_several_numbers", export, MultiOutputRegressor(Ridge()), rows, target)
    rows, labels = several_labels()
    for kind, model in {
        "forest": RandomForestClassifier(5, random_state=1),
        "network": make_pipeline(StandardScaler(), MLPClassifier((4,), max_iter=20)),
        "each": MultiOutputClassifier(logistic()),
        "one_to_rest": OneVsRestClassifier(logistic()),
        "columns": columns(rows, MultiOutputClassifier(logistic())),
    }.items():
        checked(f"sklearn_several_labels_{kind}", export, model, rows, labels)


def lightgbm():
    if not has("lightgbm", "sklearn", "pandas"):
        return
    import lightgbm as library
    from export_lightgbm import export

    def export_booster(model, *more):
        export(model.booster_, *more)

    small = {"n_estimators": 5, "min_child_samples": 2, "verbose": -1, "n_jobs": 1}
    for name, rows, labels in class_sets():
        checked(f"lightgbm_{name}", export, library.LGBMClassifier(**small), rows, labels)
    for name, rows, labels in categories():
        model = library.LGBMClassifier(**small, min_data_per_group=1, cat_smooth=1)
        checked(f"lightgbm_{name}", export, model, rows, labels)
        checked(f"lightgbm_{name}_booster", export_booster, model, rows, labels)
    for objective in ["multiclass", "multiclassova"]:
        rows, labels = next(class_sets())[1:]
        model = library.LGBMClassifier(objective=objective, **small)
        checked(f"lightgbm_{objective}_booster", export_booster, model, rows, labels)
    for name, rows, target in number_sets():
        target = target if target.ndim == 1 else target.iloc[:, 0]
        for objective in ["regression", "l1", "huber", "quantile", "poisson", "gamma", "tweedie"]:
            model = library.LGBMRegressor(objective=objective, **small)
            checked(f"lightgbm_{name}_{objective}", export, model, rows, target)
        model = library.LGBMRegressor(objective="cross_entropy", **small)
        checked(f"lightgbm_{name}_shares", export, model, rows, target / target.max())
        group = [len(rows) // 2, len(rows) - len(rows) // 2]
        levels = (target.rank(pct=True) * 4).astype(int)
        checked(
            f"lightgbm_{name}_rank", export, library.LGBMRanker(**small), rows, levels, group=group
        )
    rows, labels = several_labels()
    model = library.LGBMClassifier(**(small | {"n_estimators": 200}), early_stopping_rounds=2)
    checked(
        "lightgbm_best_round",
        export,
        model,
        rows,
        labels["large"],
        eval_set=[(rows[:200], 1 - labels["large"][:200])],
    )


def catboost():
    if not has("catboost", "sklearn", "pandas"):
        return
    import catboost as library
    from export_catboost import export

    small = {"iterations": 5, "depth": 3, "verbose": False, "allow_writing_files": False}
    small |= {"thread_count": 1}
    for name, rows, labels in class_sets():
        checked(f"catboost_{name}", export, library.CatBoostClassifier(**small), rows, labels)
    for name, rows, labels in categories():
        if "floats" in name or "nulls" in name:
            continue  # CatBoost itself refuses them.
        for size in [1, 10]:
            model = library.CatBoostClassifier(
                **small, one_hot_max_size=size, cat_features=["region"]
            )
            # CatBoost reads the column's own type, not pandas' categories of it.
            plain = rows.assign(region=rows["region"].astype(rows["region"].cat.categories.dtype))
            checked(f"catboost_{name}_{size}", export, model, plain, labels)
    for loss in ["MultiClass", "MultiClassOneVsAll"]:
        for name, rows, labels in list(class_sets())[:4]:
            model = library.CatBoostClassifier(loss_function=loss, **small)
            checked(f"catboost_{name}_{loss}", export, model, rows, labels)
    for name, rows, target in number_sets():
        first = target if target.ndim == 1 else target.iloc[:, 0]
        for loss in [
            "RMSE",
            "MAE",
            "Quantile:alpha=0.9",
            "MultiQuantile:alpha=0.1,0.5,0.9",
            "RMSEWithUncertainty",
            "Poisson",
            "Tweedie:variance_power=1.5",
        ]:
            model = library.CatBoostRegressor(loss_function=loss, **small)
            checked(f"catboost_{name}_{loss.partition(':')[0]}", export, model, rows, first)
        model = library.CatBoostRanker(loss_function="YetiRank", **small)
        half = [int(index > len(rows) // 2) for index in range(len(rows))]
        checked(f"catboost_{name}_rank", export, model, rows, first / first.max(), group_id=half)
    model = library.CatBoostRegressor(loss_function="MultiRMSE", **small)
    checked("catboost_several_numbers", export, model, rows, target)
    for loss in ["MultiLogloss", "MultiCrossEntropy"]:
        model = library.CatBoostClassifier(loss_function=loss, **small)
        checked(f"catboost_several_labels_{loss}", export, model, *several_labels())


def xgboost():
    if not has("xgboost", "sklearn", "pandas"):
        return
    import numpy as np
    import xgboost as library
    from export_xgboost import export

    def export_booster(model, *more):
        export(model.get_booster(), *more)

    small = {"n_estimators": 5, "max_depth": 3, "n_jobs": 1}
    for name, rows, labels in class_sets():
        if "strings" in name:
            continue  # XGBoost itself refuses them.
        for kind, model in {
            "": library.XGBClassifier(**small),
            "_dart": library.XGBClassifier(booster="dart", **small),
            "_linear": library.XGBClassifier(booster="gblinear", n_estimators=5),
            "_forest": library.XGBRFClassifier(**small),
            "_missing": library.XGBClassifier(missing=0, **small),
        }.items():
            checked(f"xgboost_{name}{kind}", export, model, rows, labels)
        objectives = ["multi:softmax", "multi:softprob"]
        if labels.nunique() == 2:
            objectives = ["binary:logistic", "binary:hinge", "binary:logitraw"]
        for objective in objectives:
            model = library.XGBClassifier(objective=objective, **small)
            checked(f"xgboost_{name}_{objective[6:]}", export, model, rows, labels)
            checked(f"xgboost_{name}_{objective[6:]}_booster", export_booster, model, rows, labels)
    checked("xgboost_several_labels", export, library.XGBClassifier(**small), *several_labels())
    for name, rows, labels in categories():
        if "floats" in name or "booleans" in name:
            continue  # XGBoost itself refuses them.
        model = library.XGBClassifier(enable_categorical=True, **small)
        checked(f"xgboost_{name}", export, model, rows, labels)
        checked(f"xgboost_{name}_booster", export_booster, model, rows, labels)
    for name, rows, target in number_sets():
        first = target if target.ndim == 1 else target.iloc[:, 0]
        for objective in [
            "reg:squarederror",
            "reg:squaredlogerror",
            "reg:pseudohubererror",
            "reg:absoluteerror",
            "reg:gamma",
            "reg:tweedie",
            "count:poisson",
            "survival:cox",
        ]:
            model = library.XGBRegressor(objective=objective, **small)
            checked(f"xgboost_{name}_{objective[4:]}", export, model, rows, first)
        checked(
            f"xgboost_{name}_logistic",
            export,
            library.XGBRegressor(objective="reg:logistic", **small),
            rows,
            first / first.max(),
        )
        for alphas in [0.9, [0.1, 0.5, 0.9]]:
            model = library.XGBRegressor(
                objective="reg:quantileerror", quantile_alpha=np.array(alphas), **small
            )
            checked(f"xgboost_{name}_quantile_{np.size(alphas)}", export, model, rows, first)
        levels = (first.rank(pct=True) * 4).astype(int)
        half = [int(index > len(rows) // 2) for index in range(len(rows))]
        for objective in ["rank:ndcg", "rank:pairwise", "rank:map"]:
            relevance = levels // 3 if objective == "rank:map" else levels
            model = library.XGBRanker(objective=objective, **small)
            checked(f"xgboost_{name}_{objective[5:]}", export, model, rows, relevance, qid=half)
        attempt(f"xgboost_{name}_aft", lambda: survival(library, export, name, rows, first))
    checked("xgboost_several_numbers", export, library.XGBRegressor(**small), rows, target)
    rows, labels = several_labels()
    model = library.XGBClassifier(**(small | {"n_estimators": 200}), early_stopping_rounds=2)
    checked(
        "xgboost_best_round",
        export,
        model,
        rows,
        labels["large"],
        eval_set=[(rows[:200], 1 - labels["large"][:200])],
        verbose=False,
    )


def survival(library, export, name, rows, target):
    """A booster of accelerated failure times, which only the native interface trains."""
    data = library.DMatrix(rows)
    data.set_float_info("label_lower_bound", target)
    data.set_float_info("label_upper_bound", target * 1.5)
    package = WORK / f"xgboost_{name}_aft"
    booster = library.train({"objective": "survival:aft", "max_depth": 3}, data, 5)
    export(booster, rows, package, name, "1")
    expect(package.name, run(TALLOW, "check", "--model", package, package / "golden_rows.parquet"))


def networks():
    """Networks of PyTorch that give one number a row and several."""
    if not has("torch", "onnx"):
        return
    import torch
    from export_pytorch import export

    rows = next(number_sets())[1]
    for name, last in {
        "flat": [torch.nn.Linear(4, 1), torch.nn.Flatten(0)],
        "one": [torch.nn.Linear(4, 1)],
        "three": [torch.nn.Linear(4, 3), torch.nn.Softmax(1)],
    }.items():
        package = WORK / f"network_{name}"
        network = torch.nn.Sequential(torch.nn.Linear(rows.shape[1], 4), torch.nn.ReLU(), *last)
        export(network, rows.head(60), package, name, "1")
        table = package / "golden_rows.parquet"
        expect(package.name, run(TALLOW, "check", "--model", package, table))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    TALLOW = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as temporary:
        WORK = pathlib.Path(temporary)
        finish("exports", [scikit_learn, lightgbm, catboost, xgboost, networks])
