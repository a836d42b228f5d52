"""Makes the golden cases of LightGBM: `python lightgbm.py` with the LightGBM version to be recorded
on PYTHONPATH.

The cases of one run carry that version in their names: run it with 2.3.1, 3.3.5 and 4.7.0. Seed
20240229; two runs of one version on one machine give the same bytes. Expected numbers come from the
model file, loaded again by LightGBM itself."""

import json
import pathlib
import sys
import warnings

HERE = pathlib.Path(__file__).resolve().parent
sys.path = [
    entry for entry in sys.path if pathlib.Path(entry or ".").resolve() != HERE
]  # this file is named like the library

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

SEED = 20240229
VERSION = lightgbm.__version__
MAJOR = int(VERSION[0])
ROWS = 60
BASE = {
    "verbose": -1,
    "num_threads": 1,
    "seed": SEED,
    "num_leaves": 7,
    "min_data_in_leaf": 8,
    "learning_rate": 0.3,
    "deterministic": True,
}
warnings.filterwarnings("ignore")


def numbers(seed=SEED, missing=0.15, zeros=0.1, columns=4):
    """Rows of doubles with NaN and zeros, and a score that depends on all of them."""
    random = np.random.RandomState(seed)
    x = random.normal(size=(600, columns))
    x[random.rand(*x.shape) < zeros] = 0.0
    signal = (
        x[:, 0]
        + np.abs(x[:, 1])
        + np.where(x[:, 2] > 0.3, 1.5, 0.0)
        + 0.3 * random.normal(size=600)
    )
    x[random.rand(*x.shape) < missing] = np.nan
    return x, signal


def with_edges(x, booster):
    """The first rows, then specials, then values exactly on the model's thresholds and one step
    beside them."""
    rows = x[:ROWS].copy()
    specials = [
        0.0,
        -0.0,
        np.inf,
        -np.inf,
        np.nan,
        1e-36,
        -1e-36,
        1e-35,
        -1e-35,
        float(np.float32(1e-35)),
        -float(np.float32(1e-35)),
        1e300,
        5e-324,
    ]
    thresholds = []
    for line in booster.model_to_string().splitlines():
        if line.startswith("threshold="):
            thresholds += [float(word) for word in line[10:].split()]
    thresholds = sorted(set(thresholds))[:4]
    values = specials + [
        edge
        for value in thresholds
        for edge in (value, np.nextafter(value, np.inf), np.nextafter(value, -np.inf))
    ]
    extra = np.tile(rows[0], (len(values) * x.shape[1], 1))
    for index, value in enumerate(values):
        for column in range(x.shape[1]):
            extra[index * x.shape[1] + column, column] = value
    return np.vstack([rows, extra])


def expected(booster, data, kind, classes, rounds):
    """The columns of `tallow score --raw`, from LightGBM's own predict."""
    use = {} if rounds is None else {"num_iteration": rounds}
    score, raw = booster.predict(data, **use), booster.predict(data, raw_score=True, **use)
    if "average_output" in booster.model_to_string():
        raw = raw / (
            rounds or booster.num_trees() // max(classes, 1)
        )  # tallow's margin is the average
    columns = {}
    if kind == "binary":
        columns["probability"], columns["prediction"] = score, (score > 0.5).astype(np.int64)
    elif kind == "classes":
        columns["prediction"] = score.argmax(axis=1).astype(np.int64)
        columns.update({f"probability_{label}": score[:, label] for label in range(classes)})
    elif kind == "values":
        columns.update({f"prediction_{label}": score[:, label] for label in range(classes)})
    else:
        columns["prediction"] = score
    if kind in ("classes", "values"):
        columns.update({f"margin_{label}": raw[:, label] for label in range(classes)})
    else:
        columns["margin"] = raw
    leaves = booster.predict(data, pred_leaf=True, **use).astype(np.int32).reshape(len(data), -1)
    return columns, {f"tree_{index}": leaves[:, index] for index in range(leaves.shape[1])}


def write(
    name,
    about,
    booster,
    table,
    data,
    kind="value",
    classes=0,
    arguments=(),
    used_rounds=None,
    shuffle=False,
    margin_tolerance=0,
):
    folder = HERE / f"lightgbm_{VERSION.replace('.', '_')}_{name}"
    folder.mkdir(exist_ok=True)
    booster.save_model(str(folder / "model.txt"), num_iteration=-1)
    if not isinstance(booster, Moved):
        booster = lightgbm.Booster(model_file=str(folder / "model.txt"))
    columns, leaves = expected(booster, data, kind, classes, used_rounds)
    order = list(table)
    if shuffle:
        order = [order[index] for index in np.random.RandomState(SEED).permutation(len(order))]
    ordered = {"id": pa.array(np.arange(len(data), dtype=np.int64))} | {
        column: table[column] for column in order
    }
    save(folder / "input.parquet", ordered)
    save(
        folder / "expected.parquet",
        {column: pa.array(values) for column, values in columns.items()},
    )
    save(folder / "leaves.parquet", {column: pa.array(values) for column, values in leaves.items()})
    case = {
        "model": "model.txt",
        "tolerance": 1e-12,
        "margin_tolerance": margin_tolerance,
        "arguments": list(arguments),
    }
    (folder / "case.json").write_text(json.dumps(case) + "\n")
    (folder / "ORIGIN.md").write_text(
        f"{about}\n\nMade by `data/golden/lightgbm.py` with LightGBM {VERSION}, seed {SEED}.\n"
    )


def save(path, columns):
    pq.write_table(
        pa.table(columns), path, compression="zstd", use_dictionary=False, write_statistics=False
    )


def doubles(x, names, nulls=True):
    return {name: pa.array(x[:, index], from_pandas=nulls) for index, name in enumerate(names)}


def train(parameters, x, y, rounds=4, names=None, **keywords):
    data = lightgbm.Dataset(
        x,
        np.asarray(y, dtype=np.float32),
        feature_name=names or "auto",
        free_raw_data=False,
        **keywords,
    )
    return lightgbm.train(BASE | parameters, data, rounds)


def numeric_case(
    name, about, parameters, y_of, rounds=4, kind="value", classes=0, x=None, **keywords
):
    values, signal = numbers()
    values = values if x is None else x
    names = ["age", "income", "score", "visits"]
    booster = train(parameters, values, y_of(signal), rounds, names)
    rows = with_edges(values, booster)
    write(name, about, booster, doubles(rows, names), rows, kind, classes, **keywords)


def objectives():
    positive = lambda signal: np.exp(signal / 3)
    numeric_case(
        "binary",
        "Binary, `sigmoid` 0.7, NaN as missing.",
        {"objective": "binary", "sigmoid": 0.7},
        lambda s: s > 1.2,
        kind="binary",
        shuffle=True,
    )
    numeric_case(
        "multiclass",
        "Softmax over three classes.",
        {"objective": "multiclass", "num_class": 3},
        lambda s: np.digitize(s, [0.5, 1.5]),
        3,
        "classes",
        3,
    )
    numeric_case("regression", "Least squares.", {"objective": "regression"}, lambda s: s)
    numeric_case("tweedie", "Tweedie: exponential link.", {"objective": "tweedie"}, positive)
    if MAJOR == 3:
        return
    numeric_case(
        "multiclassova",
        "One against all, `sigmoid` 1.3.",
        {"objective": "multiclassova", "num_class": 3, "sigmoid": 1.3},
        lambda s: np.digitize(s, [0.5, 1.5]),
        3,
        "classes",
        3,
    )
    numeric_case(
        "cross_entropy_lambda",
        "Cross entropy in intensity: ln(1 + exp).",
        {"objective": "cross_entropy_lambda"},
        lambda s: 1 / (1 + np.exp(-s)),
    )
    numeric_case(
        "reg_sqrt",
        "`reg_sqrt`: the signed square of the margin.",
        {"objective": "regression", "reg_sqrt": True},
        lambda s: s,
    )
    if MAJOR == 2:
        return
    for objective in ("regression_l1", "huber", "fair", "quantile", "mape"):
        numeric_case(
            objective, f"Objective `{objective}`.", {"objective": objective}, lambda s: s, 3
        )
    numeric_case(
        "quantile_sqrt",
        "`reg_sqrt` with `quantile`.",
        {"objective": "quantile", "reg_sqrt": True, "alpha": 0.8},
        lambda s: s,
        3,
    )
    for objective in ("poisson", "gamma"):
        numeric_case(
            objective,
            f"Objective `{objective}`: exponential link.",
            {"objective": objective},
            positive,
            3,
        )
    numeric_case(
        "cross_entropy",
        "Cross entropy of labels in [0, 1].",
        {"objective": "cross_entropy"},
        lambda s: 1 / (1 + np.exp(-s)),
        3,
    )


def modes():
    sampled = {"bagging_freq": 1, "bagging_fraction": 0.6}
    scaled = 1e-14  # sum / 3 and sum * (1 / 3) differ in the last place
    numeric_case(
        "rf",
        "Random forest: margins are averaged.",
        {"objective": "binary", "boosting": "rf"} | sampled,
        lambda s: s > 1.2,
        3,
        "binary",
        margin_tolerance=scaled,
    )
    numeric_case(
        "dart",
        "Dart: weights lie in the leaves.",
        {"objective": "regression", "boosting": "dart", "drop_rate": 0.5},
        lambda s: s,
        5,
    )
    numeric_case(
        "zero_as_missing",
        "`zero_as_missing`.",
        {"objective": "regression", "zero_as_missing": True},
        lambda s: s,
    )
    numeric_case(
        "use_missing_false",
        "`use_missing=false`: NaN is read as 0.",
        {"objective": "binary", "use_missing": False},
        lambda s: s > 1.2,
        kind="binary",
    )
    x, _ = numbers(missing=0)
    numeric_case(
        "no_missing",
        "Trained without NaN, scored with NaN.",
        {"objective": "regression"},
        lambda s: s,
        x=x,
    )
    numeric_case(
        "first_rounds",
        "The first two of five rounds.",
        {"objective": "multiclass", "num_class": 3},
        lambda s: np.digitize(s, [0.5, 1.5]),
        5,
        "classes",
        3,
        arguments=["--trees", "2"],
        used_rounds=2,
    )
    x, signal = numbers()
    booster = train({"objective": "regression"}, x, signal)
    rows = with_edges(x, booster)
    write(
        "nameless",
        "A NumPy matrix: the file has only placeholders.",
        booster,
        doubles(rows, list("dcba")),
        rows,
        arguments=["--features", "d,c,b,a"],
        shuffle=True,
    )
    booster = train(
        {"objective": "binary", "min_data_in_leaf": 599},
        x,
        signal > 1.2,
        2,
        ["age", "income", "score", "visits"],
    )
    write(
        "constant",
        "Trees of one leaf.",
        booster,
        doubles(x[:20], ["age", "income", "score", "visits"]),
        x[:20],
        "binary",
    )
    integers()
    singles()
    ranking()
    codes()
    pandas_strings()
    if MAJOR == 4:
        custom()
        pandas_numbers()
        linear()
        numeric_case(
            "rf_multiclass",
            "Random forest of three classes, first three of four rounds.",
            {"objective": "multiclass", "num_class": 3, "boosting": "rf"} | sampled,
            lambda s: np.digitize(s, [0.5, 1.5]),
            4,
            "classes",
            3,
            arguments=["--trees", "3"],
            used_rounds=3,
            margin_tolerance=scaled,
        )


def integers():
    random = np.random.RandomState(SEED)
    table = {
        "count": random.randint(-5, 40, 600).astype(np.int32),
        "big": random.randint(0, 2**53, 600).astype(np.int64),
        "flag": random.rand(600) < 0.4,
        "small": random.randint(0, 200, 600).astype(np.uint8),
    }
    x = np.column_stack([values.astype(np.float64) for values in table.values()])
    booster = train(
        {"objective": "regression"},
        x,
        table["count"] / 9 + table["big"] / 2**52 + table["flag"] + table["small"] / 100,
        5,
        list(table),
    )
    write(
        "integers",
        "Integer and boolean columns.",
        booster,
        {name: pa.array(values[:ROWS]) for name, values in table.items()},
        x[:ROWS],
        shuffle=True,
    )


def singles():
    x, signal = numbers()
    x = x.astype(np.float32)
    names = ["age", "income", "score", "visits"]
    booster = train({"objective": "regression"}, x, signal, 4, names)
    rows = with_edges(x.astype(np.float64), booster).astype(np.float32)
    write(
        "float32",
        "Columns of float32, widened before the comparison.",
        booster,
        doubles(rows, names),
        rows,
    )


def ranking():
    names = ["age", "income", "score", "visits"]
    for objective in ["lambdarank"] + (["rank_xendcg"] if MAJOR == 4 else []):
        x, signal = numbers()
        booster = train(
            {"objective": objective},
            x,
            np.digitize(signal, [0, 1, 2]),
            3,
            names,
            group=np.full(30, 20, dtype=np.int32),
        )
        write(objective, f"Ranking, `{objective}`.", booster, doubles(x[:ROWS], names), x[:ROWS])


def codes():
    random = np.random.RandomState(SEED)
    x = np.column_stack(
        [random.randint(0, 70, 600), random.normal(size=600), random.randint(0, 5, 600)]
    ).astype(np.float64)
    y = np.sin(x[:, 0] * 7) + x[:, 1] / 4 + np.where(x[:, 2] == 3, 1.0, 0.0)
    x[random.rand(600) < 0.1, 0] = np.nan
    names = ["shop", "price", "weekday"]
    parameters = {
        "objective": "regression",
        "min_data_per_group": 5,
        "cat_smooth": 1,
        "num_leaves": 8,
    }
    for name, extra in (
        ("codes", {}),
        ("codes_zero_as_missing", {"zero_as_missing": True}),
        ("codes_use_missing_false", {"use_missing": False}),
    ):
        booster = train(parameters | extra, x, y, 4, names, categorical_feature=[0, 2])
        odd = np.array(
            [
                -1,
                -0.5,
                -7,
                0.0,
                -0.0,
                0.9,
                3.7,
                69.999,
                70,
                71,
                1000,
                1e9,
                2147483647,
                np.nan,
                3,
                31,
                32,
                33,
                63,
                64,
            ]
        )
        extra_rows = np.vstack(
            [
                np.column_stack([odd, np.zeros(len(odd)), np.full(len(odd), 3.0)]),
                np.column_stack([np.full(len(odd), 5.0), np.zeros(len(odd)), odd]),
            ]
        )
        rows = np.vstack([x[:ROWS], extra_rows])
        write(
            name,
            "Categories as numbers: unseen, negative, cut and missing codes.",
            booster,
            doubles(rows, names),
            rows,
            shuffle=True,
        )


def pandas_frame():
    random = np.random.RandomState(SEED)
    frame = pd.DataFrame(
        {
            "city": random.choice(["Köln", "Oslo", "a b", "Łódź", "Wien", "Riga"], 600),
            "price": random.normal(size=600),
            "grade": random.choice([3, 10, -4, 20], 600),
            "always": ["same"] * 600,
        }
    )
    y = (
        frame["city"].map(
            {"Köln": 1.0, "Oslo": -1.0, "a b": 2.0, "Łódź": 0.5, "Wien": 0.0, "Riga": -2.0}
        )
        + frame["price"] / 4
        + (frame["grade"] == 10) * 1.5
    )
    missing = random.rand(600) < 0.1
    return frame, y.to_numpy(dtype=np.float32), missing


def pandas_strings():
    frame, y, missing = pandas_frame()
    as_categories(
        "pandas_categorical",
        "Pandas categories of text, integers and one constant; unseen and null ones; columns in "
        "another order.",
        frame,
        y,
        missing,
        [
            ("city", "Paris"),
            ("city", "köln"),
            ("city", None),
            ("grade", 5),
            ("grade", 1000),
            ("grade", None),
        ],
    )


def pandas_numbers():
    frame, y, missing = pandas_frame()
    frame["grade"] = frame["grade"].map({3: 0.5, 10: 1.25, -4: -2.0, 20: 1e10})
    frame["always"] = np.arange(600) % 3 == 0
    as_categories(
        "pandas_floats",
        "Pandas categories of floats and booleans.",
        frame,
        y,
        missing,
        [("grade", 0.75), ("grade", None), ("always", None), ("always", True)],
    )


def as_categories(name, about, frame, y, missing, odd):
    cats = ["city", "grade", "always"]
    trained = frame.copy()
    trained.loc[missing, "city"] = None
    for column in cats:
        trained[column] = trained[column].astype("category")
    parameters = {"objective": "regression", "min_data_per_group": 5, "cat_smooth": 1}
    data = lightgbm.Dataset(trained, y, free_raw_data=False)
    booster = lightgbm.train(BASE | parameters, data, 4)
    rows = frame.astype({column: object for column in cats}).iloc[:ROWS].reset_index(drop=True)
    rows.loc[missing[:ROWS], "city"] = None
    for column, value in odd:
        row = rows.iloc[[1]].copy()
        row[column] = pd.Series([value], index=row.index, dtype=object)
        rows = pd.concat([rows, row], ignore_index=True)
    table = {column: pa.array(list(rows[column])) for column in rows}
    scored = rows.astype({"price": float})
    for column in cats:
        scored[column] = pd.Categorical(rows[column])
    write(name, about, booster, table, scored, shuffle=True)


def custom():
    x, signal = numbers()
    names = ["age", "income", "score", "visits"]
    data = lightgbm.Dataset(x, signal.astype(np.float32), feature_name=names)
    target = np.column_stack([signal, -signal])
    gradient = lambda scores, _: (scores - target, np.ones_like(target))
    booster = lightgbm.train(BASE | {"objective": gradient, "num_class": 2}, data, 3)
    rows = with_edges(x, booster)
    write(
        "custom",
        "A custom objective with two margins.",
        booster,
        doubles(rows, names),
        rows,
        "values",
        2,
    )


def offset():
    names = ["age", "income", "score", "visits"]
    x, signal = numbers()
    moved = np.random.RandomState(SEED).normal(size=(len(x), 3)) * 2
    for name, width, parameters, y in (
        ("offset", 1, {"objective": "binary", "sigmoid": 0.7}, signal > 1.2),
        (
            "offset_classes",
            3,
            {"objective": "multiclass", "num_class": 3},
            np.digitize(signal, [0.5, 1.5]),
        ),
    ):
        # LightGBM takes the scores of several classes class after class.
        booster = train(parameters, x, y, 4, names, init_score=moved[:, :width].ravel(order="F"))
        rows = x[:ROWS]
        columns = {f"exposure_{index}": pa.array(moved[:ROWS, index]) for index in range(width)}
        kind = "binary" if width == 1 else "classes"
        arguments = ["--offset", ",".join(columns)]
        about = (
            "`init_score`: predict leaves it out, and the user adds it to the raw scores before "
            "the link."
        )
        write(
            name,
            about,
            Moved(booster, moved[:ROWS, :width]),
            doubles(rows, names) | columns,
            rows,
            kind,
            width,
            arguments,
        )


class Moved:
    """A booster whose raw scores are moved, as LightGBM's documentation says users have to."""

    def __init__(self, booster, moved):
        self.booster, self.moved = booster, moved if moved.shape[1] > 1 else moved[:, 0]

    def save_model(self, path, **use):
        self.booster.save_model(path, **use)

    def model_to_string(self):
        return self.booster.model_to_string()

    def predict(self, data, raw_score=False, pred_leaf=False):
        if pred_leaf:
            return self.booster.predict(data, pred_leaf=True)
        raw = self.booster.predict(data, raw_score=True) + self.moved
        if raw_score:
            return raw
        if raw.ndim == 1:
            return 1 / (1 + np.exp(-0.7 * raw))
        powers = np.exp(raw - raw.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)


def linear():
    names = ["age", "income", "score", "visits"]
    x, signal = numbers()
    booster = train({"objective": "regression", "linear_tree": True}, x, signal, 4, names)
    rows = with_edges(x, booster)
    write(
        "linear_tree",
        "Linear leaves, rows with NaN, infinities and tiny values.",
        booster,
        doubles(rows, names),
        rows,
    )
    booster = train(
        {"objective": "regression", "linear_tree": True, "min_data_in_leaf": 500},
        x,
        signal,
        2,
        names,
    )
    write(
        "linear_constant",
        "`linear_tree` with trees of one leaf.",
        booster,
        doubles(rows[:30], names),
        rows[:30],
    )


if len(sys.argv) > 1:
    # One group alone: `python lightgbm.py offset`.
    for group in sys.argv[1:]:
        globals()[group]()
    sys.exit()
objectives()
if MAJOR == 4:
    offset()
if MAJOR != 3:
    modes()
else:
    codes()
    pandas_strings()
    linear()
