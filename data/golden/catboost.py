"""Makes the golden cases of CatBoost: `python data/golden/catboost.py`, and once more with an older
CatBoost on the path.

Needs catboost, numpy, pandas and pyarrow. Every case has its own seed, so the cases of either
version can be made alone: the version that runs makes the cases that name it, and those that name
none are made by 1.2.10. All numbers in `expected.parquet` and `leaves.parquet` are CatBoost's own.
"""

import json
import re
import shutil
import sys
from pathlib import Path

sys.path = [
    folder
    for folder in sys.path
    if Path(folder or ".").resolve() != Path(__file__).resolve().parent
]

import catboost  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

FOLDER = Path(__file__).resolve().parent
LATEST = "1.2.10"
COMMON = dict(verbose=0, allow_writing_files=False, thread_count=1, random_seed=7)
ROWS = 200
CASES = []


def case(about, version=LATEST):
    """Registers a function `case(rng)` that returns what `write` takes."""

    def register(function):
        CASES.append((function.__name__, about, version, function))
        return function

    return register


def numbers(rng, rows=400, columns=4, missing=False):
    frame = pd.DataFrame(
        rng.normal(size=(rows, columns)), columns=[f"x{column}" for column in range(columns)]
    )
    frame["x1"] = frame["x1"].astype("float32")
    frame["x2"] = np.round(frame["x2"] * 10)
    if missing:
        frame.loc[::7, "x0"] = np.nan
        frame.loc[::11, "x3"] = np.nan
    return frame


def signal(frame):
    filled = frame.fillna(-0.5).to_numpy(dtype="float64")
    return filled[:, 0] + np.sin(3 * filled[:, 1]) + 0.2 * filled[:, 2] * (filled[:, 3] > 0)


def classifier(frame, labels, **parameters):
    return catboost.CatBoostClassifier(
        **{**COMMON, "iterations": 12, "depth": 3, **parameters}
    ).fit(frame, labels)


def regressor(frame, target, **parameters):
    return catboost.CatBoostRegressor(**{**COMMON, "iterations": 12, "depth": 3, **parameters}).fit(
        frame, target
    )


def around_borders(model, frame):
    """Rows whose values lie on, just beside and between the f32 neighbours of the model's borders,
    and at the ends of the range."""
    values = [
        0.0,
        -0.0,
        np.inf,
        -np.inf,
        np.nan,
        5e-324,
        -5e-324,
        1e308,
        -1e308,
        3.4028235677973366e38,
        3.4028235e38,
    ]
    for borders in model.get_borders().values():
        for border in borders[:6]:
            single = np.float32(border)
            above, below = (
                np.nextafter(single, np.float32(np.inf)),
                np.nextafter(single, np.float32(-np.inf)),
            )
            for neighbour in (above, below):
                middle = (float(single) + float(neighbour)) / 2
                values += [
                    float(single),
                    float(neighbour),
                    middle,
                    np.nextafter(middle, np.inf),
                    np.nextafter(middle, -np.inf),
                ]
    rows = [
        {
            name: values[(row * 7 + place * 3) % len(values)]
            for place, name in enumerate(frame.columns)
        }
        for row in range(2 * len(values))
    ]
    return pd.DataFrame(rows, columns=frame.columns)


def column(values):
    return pa.array(values, type=pa.string()) if values.dtype == object else pa.array(values)


def margins_and_labels(model, frame, names):
    raw = np.asarray(model.predict(frame, prediction_type="RawFormulaVal"))
    return {
        f"margin{name}": raw[:, place] if raw.ndim == 2 else raw for place, name in enumerate(names)
    }


def labels_of(model, frame):
    found = np.asarray(model.predict(frame)).reshape(-1)
    if found.dtype == bool:
        return np.array([str(bool(label)) for label in found], dtype=object)
    whole = found.dtype.kind in "iu" or found.dtype.kind == "f" and (found == np.trunc(found)).all()
    return (
        found.astype("int64") if whole else np.array([str(label) for label in found], dtype=object)
    )


def binary(model, frame):
    probability = model.predict(frame, prediction_type="Probability")[:, 1]
    return {
        "probability": probability,
        "prediction": labels_of(model, frame),
        **margins_and_labels(model, frame, [""]),
    }


def several(model, frame, labels):
    probabilities = model.predict(frame, prediction_type="Probability")
    named = {f"probability_{label}": probabilities[:, place] for place, label in enumerate(labels)}
    return {
        "prediction": labels_of(model, frame),
        **named,
        **margins_and_labels(model, frame, [f"_{label}" for label in labels]),
    }


def value(model, frame, raw=None):
    raw = raw or (lambda: model.predict(frame, prediction_type="RawFormulaVal"))
    return {"prediction": model.predict(frame), "margin": raw()}


def values(model, frame, names):
    predictions = model.predict(frame)
    named = {f"prediction_{name}": predictions[:, place] for place, name in enumerate(names)}
    return {**named, **margins_and_labels(model, frame, [f"_{name}" for name in names])}


def write(
    name,
    about,
    model,
    frame,
    expected,
    arguments=(),
    pool=None,
    order=1,
    trees=0,
    stores_pool=True,
    more=None,
):
    folder = FOLDER / f"catboost_{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path = folder / "model.json"
    model.save_model(
        str(path), format="json", **({"pool": pool} if pool is not None and stores_pool else {})
    )
    text = path.read_text()
    text = re.sub(r'(model_guid"\s*:\s*)"[^"]*"', r'\1"00000000-00000000-00000000-00000000"', text)
    text = re.sub(r'(train_finish_time"\s*:\s*)"[^"]*"', r'\1"2026-01-01T00:00:00Z"', text)
    # Indentation is dropped for size; every token stays as CatBoost wrote it.
    path.write_text(re.sub(r"\n\s*", "", text))
    # Leaves are numbered as CatBoost numbers them when it reads this file.
    read = catboost.CatBoost()
    read.load_model(str(path), format="json")
    leaves = read.calc_leaf_indexes(frame_pool(frame, pool), ntree_end=trees)
    fields = {str(key): pa.Array.from_pandas(frame[key]) for key in frame.columns[::order]}
    table = pa.table(
        {"id": pa.array(np.arange(len(frame), dtype="int64")), **fields, **(more or {})}
    )
    pq.write_table(table, folder / "input.parquet", compression="zstd")
    pq.write_table(
        pa.table({key: column(np.asarray(found)) for key, found in expected.items()}),
        folder / "expected.parquet",
        compression="zstd",
    )
    named = {
        f"tree_{tree}": pa.array(leaves[:, tree].astype("int32")) for tree in range(leaves.shape[1])
    }
    pq.write_table(pa.table(named), folder / "leaves.parquet", compression="zstd")
    facts = {
        "model": "model.json",
        "tolerance": 1e-9,
        "margin_tolerance": 0,
        "arguments": list(arguments),
    }
    (folder / "case.json").write_text(json.dumps(facts, indent=2) + "\n")
    origin = (
        f"# {folder.name}\n\n{about}\n\nMade by `data/golden/catboost.py` with CatBoost "
        f"{catboost.__version__}, seed {seed_of(name)}.\n"
    )
    (folder / "ORIGIN.md").write_text(origin)


def frame_pool(frame, pool):
    categories = pool.get_cat_feature_indices() if pool is not None else []
    return catboost.Pool(frame, cat_features=categories)


def seed_of(name):
    return sum(name.encode()) % 1000


@case(
    "Two classes, symmetric trees, float64 and float32 features with missing values (`nan_mode` "
    "Min)."
)
def binary_nan(rng):
    frame = numbers(rng, missing=True)
    model = classifier(frame, (signal(frame) > 0).astype(int))
    return dict(model=model, frame=frame[:ROWS], expected=binary(model, frame[:ROWS]), order=-1)


@case("Missing values go right: `nan_mode` Max.")
def nan_max(rng):
    frame = numbers(rng, missing=True)
    model = classifier(frame, (signal(frame) > 0).astype(int), nan_mode="Max")
    return dict(model=model, frame=frame[:ROWS], expected=binary(model, frame[:ROWS]))


@case(
    "`nan_mode` Forbidden: a feature without missing values in training reads NaN as below every "
    "border."
)
def nan_forbidden(rng):
    frame = numbers(rng)
    model = classifier(frame, (signal(frame) > 0).astype(int), nan_mode="Forbidden")
    frame.loc[::5, "x1"] = np.nan
    return dict(model=model, frame=frame[:ROWS], expected=binary(model, frame[:ROWS]))


@case("Labels that are texts, with another threshold than 0.5.")
def binary_text_threshold(rng):
    frame = numbers(rng)
    model = classifier(frame, np.where(signal(frame) > 0, "stay", "leave"))
    model.set_probability_threshold(0.35)
    return dict(model=model, frame=frame[:ROWS], expected=binary(model, frame[:ROWS]))


@case("Labels that are booleans.")
def binary_boolean(rng):
    frame = numbers(rng)
    model = classifier(frame, signal(frame) > 0, iterations=5)
    return dict(model=model, frame=frame[:60], expected=binary(model, frame[:60]))


@case("Cross entropy on probabilities: classes without names.")
def cross_entropy(rng):
    frame = numbers(rng)
    model = classifier(frame, 1 / (1 + np.exp(-signal(frame))), loss_function="CrossEntropy")
    return dict(model=model, frame=frame[:ROWS], expected=binary(model, frame[:ROWS]))


@case("Three classes named by integers that are not 0, 1, 2.")
def multiclass(rng):
    frame = numbers(rng, missing=True)
    model = classifier(
        frame, np.array([3, 7, 12])[np.digitize(signal(frame), [-0.5, 0.7])], iterations=6
    )
    return dict(
        model=model, frame=frame[:ROWS], expected=several(model, frame[:ROWS], [3, 7, 12]), order=-1
    )


@case("Three classes named by texts.")
def multiclass_text(rng):
    frame = numbers(rng)
    model = classifier(
        frame,
        np.array(["low", "middle", "high"])[np.digitize(signal(frame), [-0.5, 0.7])],
        iterations=6,
    )
    return dict(
        model=model,
        frame=frame[:ROWS],
        expected=several(model, frame[:ROWS], ["high", "low", "middle"]),
    )


@case("Five classes were declared, three were seen: the margin of the others is minus infinity.")
def multiclass_unseen(rng):
    frame = numbers(rng)
    labels = np.array([0, 2, 4])[np.digitize(signal(frame), [-0.5, 0.7])]
    model = classifier(frame, labels, iterations=5, loss_function="MultiClass", classes_count=5)
    return dict(model=model, frame=frame[:100], expected=several(model, frame[:100], range(5)))


@case("One against all: every class has its own probability.")
def one_vs_all(rng):
    frame = numbers(rng)
    model = classifier(
        frame,
        np.digitize(signal(frame), [-0.5, 0.7]),
        iterations=6,
        loss_function="MultiClassOneVsAll",
    )
    return dict(model=model, frame=frame[:ROWS], expected=several(model, frame[:ROWS], range(3)))


@case("Several labels a row (`MultiLogloss`): one class and one probability each.")
def multi_logloss(rng):
    frame = numbers(rng)
    model = classifier(
        frame,
        np.stack([signal(frame) > 0, frame["x3"] > 0], axis=1).astype(int),
        iterations=5,
        loss_function="MultiLogloss",
    )
    rows = frame[:100]
    probabilities = model.predict(rows, prediction_type="Probability")
    classes = np.asarray(model.predict(rows)).astype(np.int64)
    named = {f"prediction_{place}": classes[:, place] for place in range(2)}
    named |= {f"probability_{place}": probabilities[:, place] for place in range(2)}
    return dict(
        model=model, frame=rows, expected={**named, **margins_and_labels(model, rows, ["_0", "_1"])}
    )


@case(
    "Squared error with a bias (`boost_from_average`), as many trees as fill several of the "
    "evaluator's groups of four."
)
def rmse(rng):
    frame = numbers(rng, missing=True)
    model = regressor(frame, 100 + 7 * signal(frame), iterations=31, depth=2)
    return dict(model=model, frame=frame[:ROWS], expected=value(model, frame[:ROWS]), order=-1)


@case("float64 values on and beside the float32 borders, signed zeros, infinities, subnormals.")
def borders(rng):
    frame = numbers(rng, columns=3)
    frame["x1"] = frame["x1"].astype("float64")
    frame["x0"] -= frame["x0"][3]
    model = regressor(frame, frame["x0"] + np.sin(3 * frame["x1"]) + 0.2 * frame["x2"])
    rows = around_borders(model, frame)
    return dict(model=model, frame=rows, expected=value(model, rows))


@case("The same values, with NaN as the greatest.")
def borders_nan_max(rng):
    frame = numbers(rng, columns=3)
    frame["x1"] = frame["x1"].astype("float64")
    frame.loc[::6, ["x0", "x1"]] = np.nan
    model = regressor(frame, signal(frame.assign(x3=1)), nan_mode="Max")
    rows = around_borders(model, frame)
    return dict(model=model, frame=rows, expected=value(model, rows))


@case("Counts: the prediction is the exponent of the margin.")
def poisson(rng):
    frame = numbers(rng)
    model = regressor(frame, rng.poisson(np.exp(signal(frame) / 2)), loss_function="Poisson")
    return dict(model=model, frame=frame[:ROWS], expected=value(model, frame[:ROWS]))


@case("Tweedie: the prediction is the exponent of the margin.")
def tweedie(rng):
    frame = numbers(rng)
    model = regressor(
        frame,
        np.exp(signal(frame) / 2) * (rng.random(len(frame)) > 0.4),
        loss_function="Tweedie:variance_power=1.5",
        iterations=5,
    )
    return dict(model=model, frame=frame[:100], expected=value(model, frame[:100]))


@case("The 90 % quantile.")
def quantile(rng):
    frame = numbers(rng)
    model = regressor(frame, signal(frame), loss_function="Quantile:alpha=0.9")
    return dict(model=model, frame=frame[:ROWS], expected=value(model, frame[:ROWS]))


@case("Two quantiles at once.")
def multi_quantile(rng):
    frame = numbers(rng)
    model = regressor(
        frame, signal(frame), loss_function="MultiQuantile:alpha=0.1,0.9", iterations=5
    )
    return dict(model=model, frame=frame[:100], expected=values(model, frame[:100], ["0.1", "0.9"]))


@case("Two targets at once, each with its own bias.")
def multi_rmse(rng):
    frame = numbers(rng)
    model = regressor(
        frame,
        np.stack([signal(frame), 3 - frame["x0"]], axis=1),
        loss_function="MultiRMSE",
        iterations=5,
    )
    return dict(model=model, frame=frame[:100], expected=values(model, frame[:100], [0, 1]))


@case("Depthwise trees with missing values.")
def depthwise(rng):
    frame = numbers(rng, missing=True)
    model = classifier(
        frame, (signal(frame) > 0).astype(int), grow_policy="Depthwise", depth=4, iterations=7
    )
    return dict(model=model, frame=frame[:ROWS], expected=binary(model, frame[:ROWS]), order=-1)


@case("Lossguide trees, three classes.")
def lossguide(rng):
    frame = numbers(rng, missing=True)
    labels = np.digitize(signal(frame), [-0.5, 0.7])
    model = classifier(
        frame,
        labels,
        grow_policy="Lossguide",
        max_leaves=9,
        iterations=5,
        loss_function="MultiClass",
    )
    return dict(model=model, frame=frame[:ROWS], expected=several(model, frame[:ROWS], range(3)))


@case("Lossguide regression with a bias and a scale.")
def lossguide_scaled(rng):
    frame = numbers(rng)
    model = regressor(frame, signal(frame), grow_policy="Lossguide", max_leaves=7, depth=6)
    model.set_scale_and_bias(1.7, [-3.3])
    return dict(model=model, frame=frame[:ROWS], expected=value(model, frame[:ROWS]))


@case("A scale and a bias that were set by hand.")
def scale_and_bias(rng):
    frame = numbers(rng)
    model = regressor(frame, signal(frame))
    model.set_scale_and_bias(0.37, [0.2])
    return dict(model=model, frame=frame[:ROWS], expected=value(model, frame[:ROWS]))


@case("Ranking with YetiRank.")
def ranker(rng):
    frame = numbers(rng)
    groups = np.arange(len(frame)) // 10
    parameters = {**COMMON, "iterations": 10, "depth": 3, "loss_function": "YetiRank"}
    model = catboost.CatBoostRanker(**parameters).fit(
        frame, np.digitize(signal(frame), [-1, 0, 1]), group_id=groups
    )
    rows = frame[:ROWS]
    return dict(model=model, frame=rows, expected=value(model, rows, lambda: model.predict(rows)))


@case("Features without names: the columns are named on the command line, in the model's order.")
def nameless(rng):
    frame = numbers(rng)
    model = regressor(frame.to_numpy(), signal(frame))
    rows = frame[:ROWS].astype("float64")
    expected = value(model, rows.to_numpy())
    return dict(
        model=model,
        frame=rows,
        expected=expected,
        arguments=["--features", "x0,x1,x2,x3"],
        order=-1,
    )


@case("Only the first five trees.")
def first_trees(rng):
    frame = numbers(rng)
    model = regressor(frame, signal(frame))
    rows = frame[:ROWS]
    raw = model.predict(rows, ntree_end=5)
    return dict(
        model=model,
        frame=rows,
        expected={"prediction": raw, "margin": raw},
        arguments=["--trees", "5"],
        trees=5,
    )


def ensembles(name, about, loss, own, names):
    def make(rng):
        frame = numbers(rng, missing=True)
        target = signal(frame) + rng.normal(size=len(frame))
        target = (
            target
            if loss.startswith("RMSE")
            else np.digitize(target, [-0.5, 0.7] if loss == "MultiClass" else [0.2])
        )
        model = catboost.CatBoost(
            {
                **COMMON,
                "iterations": 23,
                "depth": 3,
                "loss_function": loss,
                "posterior_sampling": True,
            }
        ).fit(frame, target)
        rows = frame[:ROWS]
        measures = model.virtual_ensembles_predict(
            rows, prediction_type="TotalUncertainty", virtual_ensembles_count=4
        )
        more = {name: measures[:, place] for place, name in enumerate(names)}
        return dict(
            model=model,
            frame=rows,
            expected={**own(model, rows), **more},
            arguments=["--virtual-ensembles", "4"],
        )

    make.__name__ = name
    case(about)(make)


regression = ["ensemble_mean", "knowledge_uncertainty"]
classification = ["data_uncertainty", "total_uncertainty"]
raw_values = lambda model, frame: dict.fromkeys(["prediction", "margin"], model.predict(frame))
raw_binary = lambda model, frame: {
    **binary(model, frame),
    "prediction": model.predict(frame, prediction_type="Class").astype("int64").reshape(-1),
}


def raw_pairs(model, frame):
    raw = model.predict(frame, prediction_type="RawFormulaVal")
    linked = {"prediction_mean": raw[:, 0], "prediction_variance": np.exp(2 * raw[:, 1])}
    return {**linked, "margin_mean": raw[:, 0], "margin_variance": raw[:, 1]}


def raw_several(model, frame):
    return {
        **several(model, frame, [0, 1, 2]),
        "prediction": model.predict(frame, prediction_type="Class").astype("int64").reshape(-1),
    }


ensembles("ensembles_rmse", "Virtual ensembles of a regression.", "RMSE", raw_values, regression)
ensembles(
    "ensembles_uncertainty",
    "Virtual ensembles of a mean and a variance.",
    "RMSEWithUncertainty",
    raw_pairs,
    [*regression, "data_uncertainty"],
)
ensembles(
    "ensembles_binary", "Virtual ensembles of two classes.", "Logloss", raw_binary, classification
)
ensembles(
    "ensembles_classes",
    "Virtual ensembles of three classes.",
    "MultiClass",
    raw_several,
    classification,
)


@case("A mean and a variance.")
def uncertainty(rng):
    frame = numbers(rng, missing=True)
    model = regressor(
        frame, signal(frame) + rng.normal(size=len(frame)), loss_function="RMSEWithUncertainty"
    )
    return dict(
        model=model, frame=frame[:ROWS], expected=values(model, frame[:ROWS], ["mean", "variance"])
    )


@case("A baseline, which is added to what the trees say.")
def baseline(rng):
    frame = numbers(rng, missing=True)
    moved = rng.normal(size=len(frame)) * 2
    pool = catboost.Pool(frame, (signal(frame) > 0).astype(int), baseline=moved)
    model = catboost.CatBoostClassifier(**COMMON, iterations=12, depth=3).fit(pool)
    rows, more = frame[:ROWS], {"exposure": moved[:ROWS]}
    expected = binary(model, catboost.Pool(rows, baseline=moved[:ROWS]))
    return dict(
        model=model, frame=rows, expected=expected, arguments=["--offset", "exposure"], more=more
    )


@case("A baseline of three classes, a column for each.")
def baseline_classes(rng):
    frame = numbers(rng)
    moved = rng.normal(size=(len(frame), 3))
    pool = catboost.Pool(frame, np.digitize(signal(frame), [-0.5, 0.7]), baseline=moved)
    model = catboost.CatBoostClassifier(
        **COMMON, iterations=6, depth=3, loss_function="MultiClass"
    ).fit(pool)
    rows, more = frame[:ROWS], {f"base{place}": moved[:ROWS, place] for place in range(3)}
    expected = several(model, catboost.Pool(rows, baseline=moved[:ROWS]), [0, 1, 2])
    return dict(
        model=model,
        frame=rows,
        expected=expected,
        arguments=["--offset", ",".join(more)],
        more=more,
    )


@case("The sum of two models.")
def summed(rng):
    frame = numbers(rng)
    parts = [
        regressor(frame, signal(frame), iterations=4),
        regressor(frame, signal(frame) ** 2, iterations=4),
    ]
    model = catboost.sum_models(parts, weights=[0.25, 2.0])
    rows = frame[:100]
    raw = model.predict(rows)
    return dict(model=model, frame=rows, expected={"prediction": raw, "margin": raw})


def categories(rng, rows=400):
    frame = pd.DataFrame(
        {
            "plan": rng.choice(["basic", "plus", "pro", 'ünïcode, "quoted"', " "], rows),
            "income": rng.normal(size=rows),
            "region": rng.choice([1, 2, 3, 40], rows).astype("int64"),
            "digits": rng.choice(["1", "2", "03"], rows),
            "active": rng.random(rows) > 0.5,
        }
    )
    return frame, (frame["plan"] == "pro") * 1.5 + (frame["region"] == 2) - (
        frame["digits"] == "03"
    ) + frame["income"] * frame["active"]


def one_hot_case(rng, make, finish):
    frame, target = categories(rng)
    pool = catboost.Pool(frame, finish(target), cat_features=["plan", "region", "digits", "active"])
    model = make(pool)
    rows = frame[:ROWS].copy()
    rows.loc[::9, "plan"] = "never seen"
    rows.loc[::10, "region"] = 41
    rows.loc[::13, "digits"] = "3"
    return model, rows, pool


@case(
    "One-hot categories: texts, integers, booleans, values that training never saw. Saved with "
    "its pool, which names the categories."
)
def one_hot(rng):
    make = lambda pool: catboost.CatBoostClassifier(
        **COMMON, iterations=14, depth=3, one_hot_max_size=10
    ).fit(pool)
    model, rows, pool = one_hot_case(rng, make, lambda target: (target > 0.3).astype(int))
    return dict(
        model=model,
        frame=rows,
        expected=binary(model, catboost.Pool(rows, cat_features=[0, 2, 3, 4])),
        pool=pool,
        order=-1,
    )


@case("One-hot categories in depthwise trees.")
def one_hot_depthwise(rng):
    make = lambda pool: catboost.CatBoostRegressor(
        **COMMON, iterations=6, depth=4, one_hot_max_size=10, grow_policy="Depthwise"
    ).fit(pool)
    model, rows, pool = one_hot_case(rng, make, lambda target: target)
    return dict(
        model=model,
        frame=rows,
        expected=value(model, catboost.Pool(rows, cat_features=[0, 2, 3, 4])),
        pool=pool,
    )


def hashed_categories(rng, rows=400):
    """Categories of all kinds that CatBoost takes, among them texts of every length class of its
    hash."""
    texts = [
        "",
        "a",
        "on",
        "two",
        "four",
        "eight ch",
        "nine char",
        "sixteen letters!",
        "seventeen letters",
    ]
    texts += [
        'ünïcode, "quoted"',
        "x" * 32,
        "y" * 33,
        "z" * 64,
        "w" * 65,
        "v" * 128,
        "u" * 129,
        "t" * 1000,
        "007",
        "7",
        "NA",
    ]
    frame = pd.DataFrame(
        {
            "text": rng.choice(texts, rows),
            "income": rng.normal(size=rows),
            "whole": rng.choice([0, -1, 7, 70_000, -(2**63), 2**63 - 1], rows),
            "unsigned": rng.choice(np.array([3, 2**63, 2**64 - 1], dtype="uint64"), rows),
            "small": rng.choice(np.array([-3, 4], dtype="int8"), rows),
            "active": rng.random(rows) > 0.5,
        }
    )
    effects = {text: effect for text, effect in zip(texts, rng.normal(size=len(texts)) * 2)}
    target = (
        frame["text"].map(effects)
        + (frame["whole"] == -(2**63)) * 1.5
        - (frame["unsigned"] == 2**64 - 1)
        + (frame["small"] == 4) * 0.7
    )
    return frame, target + frame["income"] * frame["active"]


def hashed_case(rng, make):
    frame, target = hashed_categories(rng)
    indices = [place for place, name in enumerate(frame.columns) if name != "income"]
    pool = catboost.Pool(frame, target, cat_features=indices)
    model = make(pool)
    rows = frame[:ROWS].copy()
    rows.loc[::9, "text"] = "never seen"
    rows.loc[::10, "whole"] = 41
    return dict(
        model=model,
        frame=rows,
        expected=value(model, catboost.Pool(rows, cat_features=indices)),
        pool=pool,
        stores_pool=False,
    )


@case("One-hot categories, saved without the pool: the file holds hashes alone.")
def hashes(rng):
    return hashed_case(
        rng,
        lambda pool: catboost.CatBoostRegressor(
            **COMMON, iterations=40, depth=4, one_hot_max_size=50
        ).fit(pool),
    )


@case("One-hot categories in depthwise trees, saved without the pool.")
def hashes_depthwise(rng):
    make = lambda pool: catboost.CatBoostRegressor(
        **COMMON, iterations=10, depth=5, one_hot_max_size=50, grow_policy="Depthwise"
    ).fit(pool)
    return hashed_case(rng, make)


@case("Two classes, written by an older version.", version="1.2.2")
def v122_binary(rng):
    frame = numbers(rng, missing=True)
    model = classifier(frame, (signal(frame) > 0).astype(int))
    return dict(model=model, frame=frame[:ROWS], expected=binary(model, frame[:ROWS]))


@case("Three classes in lossguide trees, written by an older version.", version="1.2.2")
def v122_lossguide(rng):
    frame = numbers(rng, missing=True)
    labels = np.array(["a", "b", "c"])[np.digitize(signal(frame), [-0.5, 0.7])]
    model = classifier(
        frame,
        labels,
        grow_policy="Lossguide",
        max_leaves=7,
        iterations=4,
        loss_function="MultiClass",
    )
    return dict(model=model, frame=frame[:ROWS], expected=several(model, frame[:ROWS], "abc"))


@case("One-hot categories, written by an older version.", version="1.2.2")
def v122_one_hot(rng):
    make = lambda pool: catboost.CatBoostRegressor(
        **COMMON, iterations=12, depth=3, one_hot_max_size=10
    ).fit(pool)
    model, rows, pool = one_hot_case(rng, make, lambda target: target)
    return dict(
        model=model,
        frame=rows,
        expected=value(model, catboost.Pool(rows, cat_features=[0, 2, 3, 4])),
        pool=pool,
    )


def main():
    for name, about, version, function in CASES:
        if version == catboost.__version__ and (len(sys.argv) == 1 or name in sys.argv[1:]):
            write(name, about, **function(np.random.default_rng(seed_of(name))))
            print(f"catboost_{name}")


if __name__ == "__main__":
    main()
