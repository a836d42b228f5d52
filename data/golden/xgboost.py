"""Makes the golden cases of XGBoost: python data/golden/xgboost.py [case ...]

Run once for each library version (1.0.2, 1.7.6, 2.1.4, 3.0.5, 3.2.0), with that version of xgboost
on PYTHONPATH; cases are named for the version that made them. Needs numpy, pandas, pyarrow,
scikit-learn. Every number comes of the seed below and of the library."""

import importlib.metadata
import json
import pathlib
import shutil
import sys
import tempfile

# This file has the library's own name: it must not be imported in the library's place.
sys.path = [
    place
    for place in sys.path
    if pathlib.Path(place).resolve() != pathlib.Path(__file__).parent.resolve()
]

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

if importlib.metadata.version("xgboost").startswith("1.0."):
    # It says `copy=False` and means what numpy 2 calls None.
    numpy_array = np.array
    np.array = lambda *values, copy=True, **options: numpy_array(*values, **options)

import xgboost as xgb

SEED = 20250117
HERE = pathlib.Path(__file__).parent
VERSION = xgb.__version__
SHORT = ".".join(VERSION.split(".")[:2])
ROWS, TRAIN_ROWS = 100, 400
CASES = {}


def case(versions, about):
    def register(make):
        if SHORT in versions.split():
            CASES[f"xgboost_{SHORT}_{make.__name__}"] = (make, about)
        return make

    return register


class Data:
    """Columns of several types, with missing values and signed zeros, and targets that depend on
    them."""

    def __init__(self, rng, rows):
        normal = rng.normal(size=(rows, 3))
        self.frame = pd.DataFrame(
            {
                "amount": normal[:, 0] * 40 + 10,
                "ratio": normal[:, 1].astype(np.float32),
                "age in years": rng.integers(18, 90, rows),
                "member": rng.random(rows) < 0.4,
                "height": normal[:, 2],
            }
        )
        self.frame.loc[rng.random(rows) < 0.15, "amount"] = np.nan
        self.frame.loc[rng.random(rows) < 0.15, "ratio"] = np.nan
        self.frame.loc[rng.random(rows) < 0.1, "height"] = 0.0
        self.frame.loc[rng.random(rows) < 0.1, "height"] = -0.0
        score = (
            self.frame["amount"].fillna(30) / 40
            + self.frame["height"]
            - (self.frame["age in years"] > 50)
            + self.frame["member"]
        )
        self.score = (score + 0.2 * rng.normal(size=rows)).to_numpy()
        self.binary = (self.score > 0.4).astype(int)
        self.classes = np.digitize(self.score, [-0.5, 0.3, 1.1])
        self.three = np.minimum(self.classes, 2)
        self.positive = np.exp(self.score / 2)
        self.counts = np.floor(self.positive).astype(int)


class Setting:
    def __init__(self, name):
        self.rng = np.random.default_rng([SEED, *name.encode()])
        self.train, self.test = Data(self.rng, TRAIN_ROWS), Data(self.rng, ROWS)


def train(setting, target, rounds=3, **parameters):
    parameters = {"max_depth": 3, "eta": 0.4, "seed": SEED % 1000, "nthread": 1, **parameters}
    matrix = target if isinstance(target, xgb.DMatrix) else xgb.DMatrix(setting.train.frame, target)
    return xgb.train(parameters, matrix, rounds)


def on_thresholds(setting, booster):
    """Puts thresholds of the model itself into the first rows."""
    for tree in trees_of(booster):
        for feature, threshold, left in zip(
            tree["split_indices"], tree["split_conditions"], tree["left_children"]
        ):
            name = (
                setting.test.frame.columns[feature]
                if feature < len(setting.test.frame.columns)
                else None
            )
            if left != -1 and name in ("amount", "ratio", "height"):
                setting.test.frame.loc[int(setting.rng.integers(0, 40)), name] = np.float32(
                    threshold
                )


def model_of(booster):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "model.json")
        booster.save_model(str(path))
        return json.loads(path.read_text())["learner"]


def trees_of(booster):
    gradient_booster = model_of(booster)["gradient_booster"]
    return gradient_booster.get("gbtree", gradient_booster)["model"].get("trees", [])


def leaf_ranks(booster, matrix, span):
    ids = (
        np.asarray(booster.predict(matrix, pred_leaf=True, **span))
        .reshape(matrix.num_row(), -1)
        .astype(int)
    )
    columns = {}
    for index, tree in enumerate(trees_of(booster)[: ids.shape[1]]):
        reached, waiting = [], [0]
        while waiting:
            node = waiting.pop()
            if tree["left_children"][node] == -1:
                reached.append(node)
            else:
                waiting += [tree["left_children"][node], tree["right_children"][node]]
        ranks = {node: rank for rank, node in enumerate(sorted(reached))}
        columns[f"tree_{index}"] = np.array([ranks[node] for node in ids[:, index]], dtype=np.int32)
    return columns


def expected(objective, scores, margins):
    scores, margins = np.asarray(scores, dtype=np.float32), np.asarray(margins, dtype=np.float32)
    several = margins.ndim == 2 and margins.shape[1] > 1
    names = [f"margin_{index}" for index in range(margins.shape[1])] if several else ["margin"]
    raw = dict(zip(names, margins.reshape(len(margins), -1).T))
    if objective == "multi:softmax":
        return {"prediction": scores.astype(np.int64), **raw}
    if objective == "multi:softprob":
        probabilities = {f"probability_{index}": column for index, column in enumerate(scores.T)}
        return {"prediction": scores.argmax(axis=1).astype(np.int64), **probabilities, **raw}
    if several and objective == "binary:logistic":
        flags = {f"prediction_{index}": (one > 0.5).astype(np.int64) for index, one in enumerate(scores.T)}
        return {**flags, **{f"probability_{index}": one for index, one in enumerate(scores.T)}, **raw}
    if several:
        return {**{f"prediction_{index}": column for index, column in enumerate(scores.T)}, **raw}
    scores = scores.reshape(-1)
    if objective == "binary:logistic":
        return {"probability": scores, "prediction": (scores > 0.5).astype(np.int64), **raw}
    return {"prediction": scores, **raw}


def write_table(path, columns):
    pq.write_table(
        pa.table(columns), path, compression="zstd", write_statistics=False, store_schema=False
    )


def write(
    name,
    about,
    setting,
    booster,
    *,
    matrix=None,
    frame=None,
    suffix="ubj",
    rounds=0,
    arguments=(),
    leaves=True,
    scores=None,
    margins=None,
    saved=None,
):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (saved or booster).save_model(str(folder / f"model.{suffix}"))
    matrix = xgb.DMatrix(setting.test.frame) if matrix is None else matrix
    span = {"iteration_range": (0, rounds)} if rounds else {}
    objective = model_of(booster)["objective"]["name"]
    scores = booster.predict(matrix, **span) if scores is None else scores
    margins = booster.predict(matrix, output_margin=True, **span) if margins is None else margins
    write_table(folder / "expected.parquet", expected(objective, scores, margins))
    frame = setting.test.frame if frame is None else frame
    shuffled = list(setting.rng.permutation(frame.columns))
    columns = {column: pa.array(frame[column], from_pandas=True) for column in shuffled}
    columns.setdefault("id", pa.array(np.arange(len(frame))))
    write_table(folder / "input.parquet", columns)
    if leaves:
        write_table(folder / "leaves.parquet", leaf_ranks(booster, matrix, span))
    # Up to 1.2 the library added the intercept after the trees; since then, reading the same file,
    # it starts there, and so does tallow.
    margin_tolerance = 5e-7 if SHORT == "1.0" else 0
    case = {
        "model": f"model.{suffix}",
        "tolerance": 2e-6,
        "margin_tolerance": margin_tolerance,
        "arguments": list(arguments),
    }
    (folder / "case.json").write_text(json.dumps(case, indent=1) + "\n")
    text = (
        f"# {name}\n\n{about}\n\nMade by `data/golden/xgboost.py` with XGBoost {VERSION}, seed "
        f"{SEED}.\n"
    )
    (folder / "ORIGIN.md").write_text(text)


def plain(name, about, target, suffix="ubj", **parameters):
    setting = Setting(name)
    booster = train(setting, getattr(setting.train, target), **parameters)
    on_thresholds(setting, booster)
    write(name, about, setting, booster, suffix=suffix)


ALL = "1.7 2.1 3.0 3.2"
OLD_AND_NEW = "1.7 3.2"


@case(
    ALL,
    "binary:logistic as JSON, pruned (nodes that nothing leads to), base_score given, missing "
    "values, zeros of both signs, values on thresholds",
)
def binary_json(name, about):
    plain(
        name,
        about,
        "binary",
        "json",
        objective="binary:logistic",
        base_score=0.3,
        gamma=1.0,
        tree_method="exact",
    )


@case(ALL, "binary:logistic as UBJSON, the library's own base_score")
def binary_ubj(name, about):
    plain(name, about, "binary", objective="binary:logistic", tree_method="hist")


@case(OLD_AND_NEW, "binary:logitraw: the margin is the prediction, base_score is a margin")
def logitraw(name, about):
    plain(name, about, "binary", objective="binary:logitraw", base_score=0.25)


@case(OLD_AND_NEW, "binary:hinge: 0 or 1")
def hinge(name, about):
    plain(name, about, "binary", objective="binary:hinge")


@case(ALL, "multi:softprob, four classes")
def softprob(name, about):
    plain(
        name,
        about,
        "classes",
        "json" if SHORT == "3.2" else "ubj",
        objective="multi:softprob",
        num_class=4,
        rounds=2,
    )


@case(OLD_AND_NEW, "multi:softmax: only the class")
def softmax(name, about):
    plain(name, about, "classes", objective="multi:softmax", num_class=4, rounds=2)


@case(ALL, "reg:squarederror")
def squared(name, about):
    plain(name, about, "score", objective="reg:squarederror")


@case(OLD_AND_NEW, "reg:absoluteerror: leaves refreshed after each round")
def absolute(name, about):
    plain(name, about, "score", objective="reg:absoluteerror")


@case(OLD_AND_NEW, "reg:squaredlogerror")
def squaredlog(name, about):
    plain(name, about, "positive", objective="reg:squaredlogerror")


@case("3.2", "reg:pseudohubererror")
def pseudohuber(name, about):
    plain(name, about, "score", objective="reg:pseudohubererror")


@case(OLD_AND_NEW, "reg:gamma: base_score is a mean")
def gamma(name, about):
    plain(name, about, "positive", objective="reg:gamma")


@case("3.2", "reg:tweedie")
def tweedie(name, about):
    plain(name, about, "positive", objective="reg:tweedie", tweedie_variance_power=1.3)


@case(OLD_AND_NEW, "count:poisson, base_score given")
def poisson(name, about):
    plain(name, about, "counts", objective="count:poisson", base_score=1.7)


@case("3.2", "reg:logistic: one number, no classes")
def reglogistic(name, about):
    plain(name, about, "binary", objective="reg:logistic")


@case("2.1 3.0 3.2", "reg:quantileerror with three alphas")
def quantile(name, about):
    plain(
        name,
        about,
        "score",
        objective="reg:quantileerror",
        quantile_alpha=[0.1, 0.5, 0.9],
        rounds=2,
    )


@case("3.2", "survival:cox")
def cox(name, about):
    plain(name, about, "positive", objective="survival:cox")


@case(OLD_AND_NEW, "survival:aft")
def aft(name, about):
    setting = Setting(name)
    matrix = xgb.DMatrix(setting.train.frame)
    matrix.set_float_info("label_lower_bound", setting.train.positive)
    matrix.set_float_info(
        "label_upper_bound", setting.train.positive * np.where(setting.train.binary, 1, 3)
    )
    booster = train(setting, matrix, objective="survival:aft", aft_loss_distribution="logistic")
    on_thresholds(setting, booster)
    write(name, about, setting, booster)


def ranking(name, about, objective):
    setting = Setting(name)
    matrix = xgb.DMatrix(setting.train.frame, setting.train.classes)
    matrix.set_group([20] * (TRAIN_ROWS // 20))
    booster = train(setting, matrix, objective=objective)
    on_thresholds(setting, booster)
    write(name, about, setting, booster)


@case(OLD_AND_NEW, "rank:pairwise")
def rankpairwise(name, about):
    ranking(name, about, "rank:pairwise")


@case("3.2", "rank:ndcg")
def rankndcg(name, about):
    ranking(name, about, "rank:ndcg")


@case(ALL, "a boosted random forest: num_parallel_tree 3")
def parallel(name, about):
    plain(
        name,
        about,
        "binary",
        objective="binary:logistic",
        num_parallel_tree=3,
        subsample=0.5,
        colsample_bynode=0.6,
        rounds=2,
    )


def stopped(name, **more):
    setting = Setting(name)
    held_out = Data(setting.rng, 100)
    noise = setting.rng.random(TRAIN_ROWS) < 0.35
    target = np.where(noise, 1 - setting.train.binary, setting.train.binary)
    classifier = xgb.XGBClassifier(
        n_estimators=30,
        max_depth=2,
        learning_rate=0.6,
        early_stopping_rounds=4,
        n_jobs=1,
        random_state=7,
        **more,
    )
    classifier.fit(
        setting.train.frame, target, eval_set=[(held_out.frame, held_out.binary)], verbose=False
    )
    booster = classifier.get_booster()
    on_thresholds(setting, booster)
    assert classifier.best_iteration + 1 < booster.num_boosted_rounds()
    return setting, classifier, booster


@case(
    ALL,
    "early stopping: the file of a booster, what scikit-learn's wrapper predicts with the stored "
    "best_iteration",
)
def best(name, about):
    setting, classifier, booster = stopped(name)
    scores = classifier.predict_proba(setting.test.frame)[:, 1]
    margins = classifier.predict(setting.test.frame, output_margin=True)
    write(
        name,
        about,
        setting,
        booster,
        rounds=classifier.best_iteration + 1,
        scores=scores,
        margins=margins,
        arguments=["--trees", "best"],
    )


@case(
    "3.2",
    "early stopping: the file of an estimator, whose own predict stops at the stored "
    "best_iteration; a random forest in each round",
)
def estimator(name, about):
    setting, classifier, booster = stopped(name, num_parallel_tree=2, subsample=0.8)
    scores = classifier.predict_proba(setting.test.frame)[:, 1]
    margins = classifier.predict(setting.test.frame, output_margin=True)
    write(
        name,
        about,
        setting,
        booster,
        rounds=classifier.best_iteration + 1,
        scores=scores,
        margins=margins,
        saved=classifier,
    )


@case("3.2", "a tie: the classifier says the first class where the probability is 0.5")
def tie(name, about):
    setting = Setting(name)
    classifier = xgb.XGBClassifier(
        n_estimators=2, gamma=1e9, n_jobs=1, base_score=0.5, reg_lambda=1e12
    )
    classifier.fit(setting.train.frame, setting.train.binary)
    assert (classifier.predict_proba(setting.test.frame)[:, 1] == 0.5).any()
    assert (classifier.predict(setting.test.frame) == 0).all()
    write(name, about, setting, classifier.get_booster())


@case(OLD_AND_NEW, "early stopping: what the native Booster predicts, with all trees")
def alltrees(name, about):
    setting, _, booster = stopped(name)
    write(name, about, setting, booster)


@case("3.2", "the first two rounds of three classes")
def firsttrees(name, about):
    setting = Setting(name)
    booster = train(
        setting,
        np.minimum(setting.train.classes, 2),
        objective="multi:softprob",
        num_class=3,
        rounds=3,
    )
    write(name, about, setting, booster, rounds=2, arguments=["--trees", "2"])


@case(ALL, "dart: each tree weighted")
def dart(name, about):
    plain(
        name,
        about,
        "binary",
        "json" if SHORT == "3.0" else "ubj",
        booster="dart",
        objective="binary:logistic",
        rate_drop=0.5,
        rounds=6,
    )


def linear(name, about, target, **parameters):
    setting = Setting(name)
    booster = train(
        setting,
        getattr(setting.train, target),
        booster="gblinear",
        updater="coord_descent",
        **parameters,
    )
    write(name, about, setting, booster, leaves=False)


@case(OLD_AND_NEW, "gblinear, binary:logistic")
def linearbinary(name, about):
    linear(name, about, "binary", objective="binary:logistic", max_depth=None, base_score=0.4)


@case(OLD_AND_NEW, "gblinear, multi:softprob")
def linearmulti(name, about):
    linear(name, about, "classes", objective="multi:softprob", num_class=4, max_depth=None)


CITIES = np.array(["Ulm", "Cologne", "Bonn", "Kiel", "Jena", "Trier", "Hof"])


def coded(name, about, **parameters):
    setting = Setting(name)
    for data, rows, unseen in (
        (setting.train, TRAIN_ROWS, []),
        (setting.test, ROWS, [7, 40, 1000]),
    ):
        data.frame = pd.DataFrame({"amount": data.frame["amount"], "height": data.frame["height"]})
        codes = setting.rng.integers(0, 7, rows).astype(float)
        data.score = data.score + np.array([2, -1, 0.5, -2, 1, 0, -0.5])[codes.astype(int)]
        codes[: len(unseen)] = unseen
        codes[setting.rng.random(rows) < 0.1] = np.nan
        data.frame["city"] = codes
    types = ["q", "q", "c"]
    names = list(setting.train.frame.columns)
    dense = lambda data, label=None: xgb.DMatrix(
        data.frame.to_numpy(),
        label,
        feature_names=names,
        feature_types=types,
        enable_categorical=True,
    )
    booster = train(
        setting,
        dense(setting.train, setting.train.score),
        objective="reg:squarederror",
        tree_method="hist",
        **parameters,
    )
    assert any(tree["categories"] for tree in trees_of(booster))
    on_thresholds(setting, booster)
    frame = setting.test.frame.assign(city=setting.test.frame["city"].astype("Int64"))
    write(name, about, setting, booster, matrix=dense(setting.test), frame=frame)


@case(ALL, "categorical codes, one-hot splits; codes that training never saw, and null")
def onehot(name, about):
    coded(name, about, max_cat_to_onehot=16)


@case(ALL, "categorical codes, partition splits; codes that training never saw, and null")
def partition(name, about):
    coded(name, about, max_cat_to_onehot=1)


def stored(name, about, suffix):
    setting = Setting(name)
    for data, rows in ((setting.train, TRAIN_ROWS), (setting.test, ROWS)):
        data.frame = pd.DataFrame({"amount": data.frame["amount"], "height": data.frame["height"]})
        city, floor = setting.rng.integers(0, 7, rows), setting.rng.integers(0, 5, rows)
        data.score = (
            data.score
            + np.array([2, -1, 0.5, -2, 1, 0, -0.5])[city]
            + np.array([0, 1, -1, 2, -2])[floor]
        )
        data.frame["city"] = pd.Categorical(
            np.where(setting.rng.random(rows) < 0.1, None, CITIES[city]), categories=CITIES
        )
        data.frame["floor"] = pd.Categorical(
            np.array([-3, 10, 2**40, 7, 0])[floor], categories=[-3, 10, 2**40, 7, 0]
        )
    matrix = xgb.DMatrix(setting.train.frame, setting.train.score, enable_categorical=True)
    booster = train(
        setting, matrix, objective="reg:squarederror", tree_method="hist", max_cat_to_onehot=3
    )
    on_thresholds(setting, booster)
    matrix = xgb.DMatrix(setting.test.frame, enable_categorical=True)
    frame = setting.test.frame.assign(
        city=setting.test.frame["city"].astype(object),
        floor=setting.test.frame["floor"].astype("int64"),
    )
    write(name, about, setting, booster, matrix=matrix, frame=frame, suffix=suffix)


@case(
    "3.2", "categories stored with the model, texts and whole numbers, not in sorted order; UBJSON"
)
def stored_ubj(name, about):
    stored(name, about, "ubj")


@case("3.2", "categories stored with the model, texts and whole numbers, not in sorted order; JSON")
def stored_json(name, about):
    stored(name, about, "json")


@case(
    "3.2", "categories with letters outside ASCII, which the file holds cut; a package lists them"
)
def letters(name, about):
    setting = Setting(name)
    cities = ["Ulm", "Köln", "Bonn", "São Paulo", "東京"]
    for data, rows in ((setting.train, TRAIN_ROWS), (setting.test, ROWS)):
        city = setting.rng.integers(0, 5, rows)
        data.frame = pd.DataFrame(
            {
                "amount": data.frame["amount"],
                "city": pd.Categorical([cities[code] for code in city], categories=cities),
            }
        )
        data.score = data.score + np.array([2, -1, 0.5, -2, 1])[city]
    matrix = xgb.DMatrix(setting.train.frame, setting.train.score, enable_categorical=True)
    booster = train(
        setting, matrix, objective="reg:squarederror", tree_method="hist", max_cat_to_onehot=3
    )
    matrix = xgb.DMatrix(setting.test.frame, enable_categorical=True)
    frame = setting.test.frame.assign(city=setting.test.frame["city"].astype(object))
    write(name, about, setting, booster, matrix=matrix, frame=frame)
    folder = HERE / name
    package = folder / "model"
    package.mkdir()
    (folder / "model.ubj").rename(package / "model.ubj")
    quoted = ", ".join(f'"{city}"' for city in cities)
    manifest = (
        'name = "letters"\n\n[[artefacts]]\npath = "model.ubj"\n\n[[inputs]]\nname = '
        f'"city"\ncategories = [{quoted}]\n'
    )
    (package / "tallow.toml").write_text(manifest, encoding="utf-8")
    facts = json.loads((folder / "case.json").read_text())
    (folder / "case.json").write_text(json.dumps({**facts, "model": "model"}, indent=1) + "\n")


@case("2.1 3.0 3.2", "multi_output_tree: leaves that hold a vector")
def multioutput(name, about):
    setting = Setting(name)
    target = np.stack(
        [setting.train.score, setting.train.positive, -(setting.train.score**2)], axis=1
    )
    booster = train(
        setting,
        target,
        objective="reg:squarederror",
        multi_strategy="multi_output_tree",
        tree_method="hist",
        rounds=4,
    )
    on_thresholds(setting, booster)
    write(name, about, setting, booster, suffix="json" if SHORT == "3.0" else "ubj")


@case("1.7 2.1 3.2", "several targets, one tree for each")
def multitarget(name, about):
    setting = Setting(name)
    target = np.stack([setting.train.score, setting.train.positive], axis=1)
    booster = train(setting, target, objective="reg:squarederror", tree_method="hist", rounds=3)
    on_thresholds(setting, booster)
    write(name, about, setting, booster)


@case("3.2", "several labels at once: binary:logistic with three targets, a base_score each")
def multilabel(name, about):
    setting = Setting(name)
    target = np.stack(
        [setting.train.binary, setting.train.classes > 2, setting.train.frame["member"]], axis=1
    ).astype(int)
    booster = train(setting, target, objective="binary:logistic", tree_method="hist", rounds=3)
    on_thresholds(setting, booster)
    write(name, about, setting, booster)


@case(OLD_AND_NEW, "a model without feature names: the columns are named on the command line")
def nameless(name, about):
    setting = Setting(name)
    names = list(setting.train.frame.columns)
    dense = lambda data: data.frame.to_numpy(dtype=np.float64)
    booster = train(
        setting,
        xgb.DMatrix(dense(setting.train), setting.train.binary),
        objective="binary:logistic",
    )
    on_thresholds(setting, booster)
    write(
        name,
        about,
        setting,
        booster,
        matrix=xgb.DMatrix(dense(setting.test)),
        arguments=["--features", ",".join(names)],
    )


@case(
    "1.0",
    "the oldest JSON: directions as booleans, numbers of 17 digits, no names, no bounds of "
    "rounds, no number of parallel trees",
)
def oldest(name, about):
    setting = Setting(name)
    names = list(setting.train.frame.columns)
    dense = lambda data: data.frame.to_numpy(dtype=np.float64)
    booster = train(
        setting,
        xgb.DMatrix(dense(setting.train), setting.train.classes),
        objective="multi:softprob",
        num_class=4,
        base_score=0.3,
        rounds=2,
    )
    on_thresholds(setting, booster)
    write(
        name,
        about,
        setting,
        booster,
        matrix=xgb.DMatrix(dense(setting.test)),
        suffix="json",
        arguments=["--features", ",".join(names)],
    )


@case("1.0", "the oldest JSON: a boosted random forest, base_score as a probability of six digits")
def oldestparallel(name, about):
    setting = Setting(name)
    names = list(setting.train.frame.columns)
    dense = lambda data: data.frame.to_numpy(dtype=np.float64)
    matrix = xgb.DMatrix(dense(setting.train), setting.train.binary)
    booster = train(
        setting,
        matrix,
        objective="binary:logistic",
        num_parallel_tree=2,
        subsample=0.5,
        base_score=0.3,
        rounds=2,
    )
    on_thresholds(setting, booster)
    write(
        name,
        about,
        setting,
        booster,
        matrix=xgb.DMatrix(dense(setting.test)),
        suffix="json",
        arguments=["--features", ",".join(names)],
    )


@case("3.2", "infinite values, by the library's in-place prediction, the only one that takes them")
def infinite(name, about):
    setting = Setting(name)
    booster = train(setting, setting.train.binary, objective="binary:logistic")
    on_thresholds(setting, booster)
    for row, (column, value) in enumerate(
        zip(["amount", "ratio", "height"] * 2, [np.inf, -np.inf] * 3)
    ):
        setting.test.frame.loc[row, column] = value
    frame = setting.test.frame
    margins = booster.inplace_predict(frame, predict_type="margin")
    write(
        name,
        about,
        setting,
        booster,
        matrix=xgb.DMatrix(frame.replace([np.inf, -np.inf], 0)),
        leaves=False,
        scores=booster.inplace_predict(frame),
        margins=margins,
    )


@case(
    "3.2",
    "category codes that are none: fractions, negative, too large, infinite; by the library's "
    "in-place prediction, which takes them all",
)
def oddcodes(name, about):
    setting = Setting(name)
    for data, rows in ((setting.train, TRAIN_ROWS), (setting.test, ROWS)):
        city = setting.rng.integers(0, 7, rows).astype(float)
        data.score = data.score + np.array([-2, -1, 0.5, 2, 1, 0, -0.5])[city.astype(int)]
        data.frame = pd.DataFrame(
            {"amount": data.frame["amount"], "height": data.frame["height"], "city": city}
        )
    odd = [
        -0.5,
        -1,
        -0.0,
        0.5,
        1.7,
        6.999,
        -0.999,
        -1e-30,
        1e-30,
        7,
        2.0**24 - 1,
        2.0**24,
        2.0**31,
        1e30,
        -1e30,
        np.inf,
        -np.inf,
        np.nan,
    ]
    # Each code three times, beside other values, so that it meets several trees' questions.
    setting.test.frame.loc[: 3 * len(odd) - 1, "city"] = odd * 3
    names, types = list(setting.train.frame.columns), ["q", "q", "c"]
    matrix = xgb.DMatrix(
        setting.train.frame.to_numpy(),
        setting.train.score,
        feature_names=names,
        feature_types=types,
        enable_categorical=True,
    )
    booster = train(
        setting,
        matrix,
        objective="reg:squarederror",
        tree_method="hist",
        max_cat_to_onehot=4,
        rounds=6,
    )
    rows = setting.test.frame.to_numpy()
    scores, margins = (
        booster.inplace_predict(rows, validate_features=False),
        booster.inplace_predict(rows, predict_type="margin", validate_features=False),
    )
    finite = np.isfinite(rows[:, 2]) | np.isnan(rows[:, 2])
    also = xgb.DMatrix(
        rows[finite], feature_names=names, feature_types=types, enable_categorical=True
    )
    assert (booster.predict(also) == scores[finite]).all()
    write(name, about, setting, booster, leaves=False, scores=scores, margins=margins, matrix=also)


def offset(name, about, target, width, objective, **parameters):
    setting = Setting(name)
    margins = lambda rows: setting.rng.normal(size=(rows, width)).astype(np.float32) * 3
    train_matrix = xgb.DMatrix(
        setting.train.frame, getattr(setting.train, target), base_margin=margins(TRAIN_ROWS)
    )
    booster = train(setting, train_matrix, objective=objective, **parameters)
    on_thresholds(setting, booster)
    moved = margins(ROWS)
    columns = {f"exposure {index}": moved[:, index] for index in range(width)}
    matrix = xgb.DMatrix(setting.test.frame, base_margin=moved)
    arguments = ["--offset", ",".join(columns)]
    leaves = parameters.get("booster") != "gblinear"
    write(
        name,
        about,
        setting,
        booster,
        matrix=matrix,
        frame=setting.test.frame.assign(**columns),
        arguments=arguments,
        leaves=leaves,
    )


@case("3.2", "base_margin: the margin starts there in place of base_score")
def offsetbinary(name, about):
    offset(name, about, "binary", 1, "binary:logistic", base_score=0.2)


@case("3.2", "base_margin of a dart booster with a logarithmic link")
def offsetdart(name, about):
    offset(name, about, "counts", 1, "count:poisson", booster="dart", rate_drop=0.5, rounds=5)


@case("3.2", "base_margin of three classes, a column for each")
def offsetclasses(name, about):
    offset(name, about, "three", 3, "multi:softprob", num_class=3)


@case("3.2", "base_margin of gblinear")
def offsetlinear(name, about):
    offset(
        name,
        about,
        "score",
        1,
        "reg:squarederror",
        booster="gblinear",
        updater="coord_descent",
        base_score=3,
        max_depth=None,
    )


@case("3.2", "no tree finds a split: every tree is one leaf")
def stumps(name, about):
    plain(name, about, "score", objective="reg:squarederror", gamma=1e9, rounds=2)


if __name__ == "__main__":
    for chosen, (make, about) in CASES.items():
        if len(sys.argv) == 1 or chosen in sys.argv[1:]:
            print(chosen)
            make(chosen, about)
