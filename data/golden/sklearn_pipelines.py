"""Golden cases of scikit-learn's own files, and a check of many more.

    python data/golden/sklearn_pipelines.py
    python data/golden/sklearn_pipelines.py --check PATH_OF_TALLOW

The first makes the cases that are kept, `sklearn_VERSION_NAME`; run it with scikit-learn 0.24.2 and
1.9.1. The second fits every pipeline below with the scikit-learn at hand, scores the rows with
tallow and prints the largest relative difference of each. Expected numbers are the estimator's own,
in f64. The seed is 20261129.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

import joblib
import numpy as np
import pandas as pd
import sklearn
from sklearn.base import is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Perceptron,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

try:
    from sklearn.experimental import enable_hist_gradient_boosting  # noqa: F401
except ImportError:
    pass
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).resolve().parent
VERSION = sklearn.__version__
SINCE = tuple(int(part) for part in VERSION.split(".")[:2])
SEED = 20261129
ROWS = 300


def table():
    rng = np.random.RandomState(SEED)
    frame = pd.DataFrame(
        {
            "age": rng.randint(18, 90, ROWS).astype(float),
            "income": np.exp(rng.randn(ROWS) + 8),
            "ratio": rng.randn(ROWS),
            "city": rng.choice(["Bern", "Basel", "Zürich", "Chur"], ROWS, p=[0.4, 0.3, 0.25, 0.05]),
            "plan": rng.choice(["a", "b"], ROWS),
        }
    )
    score = frame["ratio"] + (frame["city"] == "Bern") - (frame["age"] > 50) + rng.randn(ROWS) * 0.3
    return frame, score.to_numpy()


def labels(score, kind):
    if kind == "two":
        return (score > 0).astype(int)
    if kind == "texts":
        return np.where(score > 0, "yes", "no")
    if kind == "three":
        return np.digitize(score, [-0.5, 0.7])
    return score if kind == "value" else np.exp(score)


def dense(**options):
    return {("sparse_output" if SINCE >= (1, 2) else "sparse"): False, **options}


NUMBERS = ["age", "income", "ratio"]
TEXTS = ["city", "plan"]


def mixed(number=None, text=None, remainder="drop"):
    number = number or make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    text = text or OneHotEncoder(handle_unknown="ignore")
    return ColumnTransformer([("num", number, NUMBERS), ("cat", text, TEXTS)], remainder=remainder)


def cases():
    """(name, pipeline, labels, columns, whether missing and unseen values are scored)."""
    plain = lambda name, last, kind, missing=False: (name, last, kind, NUMBERS, missing)
    forest = dict(n_estimators=20, max_depth=6, random_state=0)
    trees_miss = {"tree": SINCE >= (1, 3), "rf": SINCE >= (1, 4), "et": SINCE >= (1, 6)}
    yield plain(
        "decision_tree",
        DecisionTreeClassifier(max_depth=5, random_state=0),
        "three",
        trees_miss["tree"],
    )
    yield plain(
        "decision_tree_value",
        DecisionTreeRegressor(max_depth=5, random_state=0),
        "value",
        trees_miss["tree"],
    )
    yield plain("forest_two", RandomForestClassifier(**forest), "two", trees_miss["rf"])
    yield plain("forest_texts", RandomForestClassifier(**forest), "texts", trees_miss["rf"])
    yield plain(
        "forest_three",
        RandomForestClassifier(**forest, class_weight="balanced"),
        "three",
        trees_miss["rf"],
    )
    yield plain("forest_value", RandomForestRegressor(**forest), "value", trees_miss["rf"])
    yield plain("extra_trees", ExtraTreesClassifier(**forest), "three", trees_miss["et"])
    yield plain("extra_trees_value", ExtraTreesRegressor(**forest), "value", trees_miss["et"])
    boosting = dict(n_estimators=15, random_state=0)
    yield plain("boosting_two", GradientBoostingClassifier(**boosting), "two")
    yield plain("boosting_three", GradientBoostingClassifier(**boosting), "three")
    yield plain(
        "boosting_exponential", GradientBoostingClassifier(loss="exponential", **boosting), "two"
    )
    yield plain("boosting_zero", GradientBoostingClassifier(init="zero", **boosting), "two")
    for loss in ("ls" if SINCE < (1, 0) else "squared_error", "huber", "quantile"):
        yield plain(f"boosting_{loss}", GradientBoostingRegressor(loss=loss, **boosting), "value")
    yield plain("histogram_two", HistGradientBoostingClassifier(max_iter=10), "two", True)
    yield plain("histogram_three", HistGradientBoostingClassifier(max_iter=10), "three", True)
    yield plain("histogram_value", HistGradientBoostingRegressor(max_iter=10), "value", True)
    yield plain(
        "histogram_poisson",
        HistGradientBoostingRegressor(max_iter=10, loss="poisson"),
        "positive",
        True,
    )
    scaled = lambda last: make_pipeline(StandardScaler(), last)
    for name, last, kind in (
        ("logistic_two", LogisticRegression(), "two"),
        ("logistic_three", LogisticRegression(), "three"),
        ("logistic_texts", LogisticRegression(), "texts"),
        (
            "sgd_log",
            SGDClassifier(loss="log_loss" if SINCE >= (1, 1) else "log", random_state=0),
            "three",
        ),
        ("sgd_hinge", SGDClassifier(random_state=0), "three"),
        ("linear_svc", LinearSVC(random_state=0), "two"),
        ("linear_svc_three", LinearSVC(random_state=0), "three"),
        ("ridge_classifier", RidgeClassifier(), "three"),
        ("perceptron", Perceptron(random_state=0), "two"),
        ("discriminant", LinearDiscriminantAnalysis(), "three"),
        ("linear", LinearRegression(), "value"),
        ("ridge", Ridge(), "value"),
        ("lasso", Lasso(alpha=0.01), "value"),
        ("elastic_net", ElasticNet(alpha=0.01), "value"),
        ("poisson", PoissonRegressor(), "positive"),
        ("tweedie", TweedieRegressor(power=1.5), "positive"),
    ):
        yield plain(name, scaled(last), kind)
    if SINCE < (1, 8):
        yield plain("logistic_ovr", scaled(LogisticRegression(multi_class="ovr")), "three")
        yield plain("logistic_both", scaled(LogisticRegression(multi_class="multinomial")), "two")
        yield plain(
            "liblinear",
            scaled(LogisticRegression(solver="liblinear")),
            "three" if SINCE < (1, 6) else "two",
        )
    for name, scaler in (
        ("robust", RobustScaler()),
        ("min_max", MinMaxScaler(feature_range=(-1, 2))),
        ("min_max_clip", MinMaxScaler(clip=True)),
        ("max_abs", MaxAbsScaler()),
        ("binarizer", Binarizer(threshold=0.25)),
        ("log1p", FunctionTransformer(np.log1p)),
        ("union", FeatureUnion([("a", StandardScaler()), ("b", MinMaxScaler())])),
    ):
        number = make_pipeline(SimpleImputer(), scaler) if name != "log1p" else None
        if name == "log1p":
            frame = ColumnTransformer([("log", scaler, ["income"])], remainder="passthrough")
            yield plain(name, make_pipeline(frame, StandardScaler(), Ridge()), "value")
        else:
            yield plain(name, make_pipeline(number, Ridge()), "value", True)
    indicator = SimpleImputer(add_indicator=True, strategy="mean")
    yield plain("indicator", make_pipeline(indicator, Ridge()), "value", True)
    columns = NUMBERS + TEXTS
    yield (
        "mixed_logistic",
        Pipeline([("prep", mixed()), ("clf", LogisticRegression(max_iter=500))]),
        "two",
        columns,
        True,
    )
    yield (
        "mixed_forest",
        Pipeline([("prep", mixed()), ("clf", RandomForestClassifier(**forest))]),
        "texts",
        columns,
        True,
    )
    yield (
        "mixed_boosting",
        Pipeline(
            [
                ("prep", mixed(text=OneHotEncoder(**dense(handle_unknown="ignore")))),
                ("clf", HistGradientBoostingClassifier(max_iter=5)),
            ]
        ),
        "three",
        columns,
        True,
    )
    unknown = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    filled = make_pipeline(SimpleImputer(strategy="most_frequent"), unknown)
    yield (
        "mixed_ordinal",
        Pipeline([("prep", mixed(text=filled)), ("clf", GradientBoostingClassifier(**boosting))]),
        "two",
        columns,
        True,
    )
    constant = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="none"),
        OneHotEncoder(handle_unknown="ignore"),
    )
    yield (
        "mixed_constant",
        Pipeline([("prep", mixed(text=constant)), ("reg", Ridge())]),
        "value",
        columns,
        True,
    )
    yield (
        "mixed_drop",
        Pipeline(
            [("prep", mixed(text=OneHotEncoder(drop="first"))), ("clf", LogisticRegression())]
        ),
        "two",
        columns,
        False,
    )
    if SINCE >= (1, 1):
        rare = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=20)
        yield (
            "mixed_rare",
            Pipeline([("prep", mixed(text=rare)), ("clf", LogisticRegression())]),
            "two",
            columns,
            True,
        )
    part = ColumnTransformer(
        [("cat", OneHotEncoder(handle_unknown="ignore"), TEXTS)], remainder="passthrough"
    )
    yield (
        "mixed_remainder",
        Pipeline([("prep", part), ("reg", RandomForestRegressor(**forest))]),
        "value",
        columns,
        False,
    )
    grid = GridSearchCV(
        Pipeline([("prep", mixed()), ("clf", LogisticRegression())]), {"clf__C": [0.1, 1]}, cv=2
    )
    yield ("searched", grid, "two", columns, True)


def rows(columns, missing):
    frame, _ = table()
    rng = np.random.RandomState(SEED + 1)
    frame = frame.head(60)[columns].copy().reset_index(drop=True)
    if missing:
        for column in columns:
            is_missing = rng.rand(len(frame)) < 0.15
            frame.loc[is_missing, column] = np.nan if column in NUMBERS else None
        if "city" in columns:
            frame.loc[rng.rand(len(frame)) < 0.1, "city"] = "Genève"
    frame["ratio"] = frame["ratio"].astype(np.float32).astype(float)
    return frame


def expected(model, frame):
    frame = frame.copy()
    for column in frame:
        if frame[column].dtype == object:
            frame[column] = frame[column].where(frame[column].notna(), np.nan)
    found = {"prediction": model.predict(frame)}
    if is_classifier(model):
        names = [str(label) for label in model.classes_]
        if hasattr(model, "predict_proba"):
            odds = model.predict_proba(frame)
            if len(names) == 2:
                found["probability"] = odds[:, 1]
            else:
                found.update(
                    (f"probability_{name}", odds[:, index]) for index, name in enumerate(names)
                )
    return pd.DataFrame(found)


def fitted(pipeline, kind, columns):
    frame, score = table()
    frame = frame[columns].copy()
    if kind != "value" or True:
        # Imputers learn of missing values; the first rows keep them out of pipelines without one.
        model = pipeline.fit(frame, labels(score, kind))
    return model


def with_gaps(pipeline, kind, columns):
    frame, score = table()
    frame = frame[columns].copy()
    for position, column in enumerate(columns):
        frame.loc[position::11, column] = np.nan
    return pipeline.fit(frame, labels(score, kind))


def check(tallow):
    worst = {}
    for name, pipeline, kind, columns, missing in cases():
        try:
            learns = missing and ("mixed" in name or "indicator" in name or "searched" in name)
            if (
                learns
                and name in ("indicator", "mixed_constant", "mixed_ordinal", "mixed_logistic")
                and not (SINCE < (1, 0) and name == "mixed_logistic")
            ):
                model = with_gaps(pipeline, kind, columns)
            else:
                model = fitted(pipeline, kind, columns)
            frame = rows(columns, missing)
            truth = expected(model, frame)
        except Exception as error:
            worst[name] = f"scikit-learn: {type(error).__name__}: {str(error)[:100]}"
            continue
        with tempfile.TemporaryDirectory() as directory:
            room = pathlib.Path(directory)
            joblib.dump(model, room / "model.joblib", compress=3)
            frame.to_parquet(room / "rows.parquet")
            arguments = [
                "score",
                "--model",
                "model.joblib",
                "rows.parquet",
                "--output",
                "out.parquet",
                "--passthrough",
                "none",
                "--quiet",
            ]
            if SINCE < (1, 0):
                arguments += ["--features", ",".join(columns)]
            run = subprocess.run([tallow, *arguments], cwd=room, capture_output=True, text=True)
            if run.returncode:
                worst[name] = run.stderr.strip()[:300]
                continue
            found = pd.read_parquet(room / "out.parquet")
        worst[name] = difference(truth, found)
    good = sum(isinstance(one, float) and one <= 1e-12 for one in worst.values())
    for name, one in worst.items():
        print(f"{name:24} {one}")
    print(f"scikit-learn {VERSION}: {good} of {len(worst)} within 1e-12")
    return good == len(worst)


def difference(truth, found):
    if len(truth) != len(found):
        return f"{len(found)} rows instead of {len(truth)}"
    if set(truth) != set(found):
        return f"columns {list(found)} instead of {list(truth)}"
    worst = 0.0
    for column in truth:
        one, other = truth[column].to_numpy(), found[column].to_numpy()
        if one.dtype.kind in "OU":
            if (one.astype(str) != other.astype(str)).any():
                return f"{column}: another label"
            continue
        one, other = one.astype(float), other.astype(float)
        scale = np.maximum(np.abs(one), 1e-300)
        worst = max(worst, float(np.nanmax(np.abs(one - other) / scale)))
        if np.isnan(one).sum() != np.isnan(other).sum():
            return f"{column}: missing values differ"
    return worst


KEPT = (
    "forest_three",
    "boosting_two",
    "histogram_value",
    "logistic_three",
    "mixed_logistic",
    "mixed_forest",
    "mixed_ordinal",
)


def keep():
    for name, pipeline, kind, columns, missing in cases():
        if name not in KEPT:
            continue
        if name == "forest_three":
            pipeline.set_params(n_estimators=4)
        if name in ("mixed_ordinal", "mixed_logistic") and SINCE >= (1, 0):
            model = with_gaps(pipeline, kind, columns)
        else:
            model = fitted(pipeline, kind, columns)
        directory = HERE / f"sklearn_{VERSION.replace('.', '_')}_{name}"
        directory.mkdir(exist_ok=True)
        joblib.dump(model, directory / "model.joblib", compress=("zlib", 9))
        frame = rows(columns, missing)
        frame.to_parquet(directory / "input.parquet")
        expected(model, frame).to_parquet(directory / "expected.parquet")
        arguments = [] if SINCE >= (1, 0) else ["--features", ",".join(columns)]
        case = {"model": "model.joblib", "tolerance": 1e-12, "raw": False, "arguments": arguments}
        (directory / "case.json").write_text(json.dumps(case) + "\n")
        (directory / "ORIGIN.md").write_text(
            f"# {directory.name}\n\nMade by `data/golden/sklearn_pipelines.py` with scikit-learn "
            f"{VERSION} and "
            f"numpy {np.__version__}; the expected numbers are scikit-learn's.\n"
        )


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(not check(sys.argv[sys.argv.index("--check") + 1]))
    keep()
