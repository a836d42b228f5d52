"""Makes the golden cases of CatBoost models with CTR features, and a matrix of random ones.

    python data/golden/catboost_ctr.py                        the cases of this version of CatBoost
    python data/golden/catboost_ctr.py --matrix FOLDER 120    random models of seeds 0 to 119

Needs catboost (1.2.10; for the older cases 0.24.4 and 1.0.6), numpy, pandas and pyarrow. All
numbers are answers of the trained model itself: CatBoost's own reader of JSON cuts the sums of mean
CTRs to integers. `TALLOW_CATBOOST_MATRIX=FOLDER cargo test --test it catboost_matrix` scores a
matrix. 1.2.10 also makes `data/hostile/catboost_*.cbm`, models that are not supported.
"""

import json
import re
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path = [folder for folder in sys.path if Path(folder or ".").resolve() != HERE]

import catboost  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

HOSTILE = HERE.parent / "hostile"
VERSION = catboost.__version__
LATEST = "1.2.10"
COMMON = dict(verbose=0, allow_writing_files=False, thread_count=1)
TEXTS = ["basic", "plus", "pro", "ünïcode, \"quoted\"", " ", "", "007", "7", "NA"]
TEXTS += ["a text that is longer than sixteen letters"]


def texts(rng, rows, count):
    more = [f"value {number}" for number in range(count - len(TEXTS))]
    return rng.choice(np.array(TEXTS[:count] + more, dtype=object), rows)


def category_places(frame):
    return [place for place, name in enumerate(frame) if name.startswith("c")]


def data(rng, rows, kinds, missing, sizes):
    """Floats `x0` to `x2`, and a category `c<number>` of each kind."""
    frame = pd.DataFrame({
        "x0": rng.normal(size=rows),
        "x1": rng.normal(size=rows).astype("float32"),
        "x2": np.round(rng.normal(size=rows) * 4),
    })
    if missing:
        frame.loc[rng.random(rows) < 0.2, "x0"] = np.nan
        frame.loc[rng.random(rows) < 0.1, "x1"] = np.nan
    for number, (kind, size) in enumerate(zip(kinds, sizes)):
        whole = rng.integers(-2, size, rows)
        frame[f"c{number}"] = {
            "text": lambda: texts(rng, rows, size),
            "integer": lambda: whole * (2**61 if size == 5 else 1),
            "small": lambda: whole.astype("int8"),
            "unsigned": lambda: rng.choice(np.array([3, 2**63, 2**64 - 1], dtype="u8"), rows),
            "boolean": lambda: rng.random(rows) > 0.5,
            "dictionary": lambda: pd.Categorical(texts(rng, rows, size)),
        }[kind]()
    return frame


def effect(rng, column):
    known = sorted(set(column.astype(str)))
    effects = dict(zip(known, rng.normal(size=len(known))))
    return column.astype(str).map(effects).to_numpy(dtype=float)


def signal(rng, frame):
    names = [name for name in frame if name.startswith("c")]
    gate = frame["x1"].fillna(0).to_numpy() > 0
    total = frame["x0"].fillna(-0.5).to_numpy() + 0.2 * frame["x2"].to_numpy() * gate
    for name in names:
        total = total + effect(rng, frame[name]) * (1.5 if name == "c0" else 1)
    if len(names) > 1:
        pairs = frame[names[0]].astype(str) + "|" + frame[names[1]].astype(str)
        total = total + effect(rng, pairs)
    return total + rng.normal(size=len(frame)) * 0.3


def target_of(rng, loss, total):
    scaled = (total - total.mean()) / total.std()
    name = loss.split(":")[0]
    if name in ("Logloss", "CrossEntropy"):
        return (scaled > 0.1).astype(int) if name == "Logloss" else 1 / (1 + np.exp(-scaled))
    if name in ("MultiClass", "MultiClassOneVsAll"):
        names = np.array(["high", "low", "middle"], dtype=object)
        return names[np.digitize(scaled, [-0.6, 0.5])]
    if name == "MultiLogloss":
        other = rng.random(len(scaled)) + scaled > 0.3
        return np.stack([scaled > 0, other], axis=1).astype(int)
    if name == "MultiRMSE":
        other = 3 - scaled + rng.normal(size=len(scaled)) * 0.1
        return np.stack([scaled, other], axis=1)
    return rng.poisson(np.exp(scaled / 2)) if name == "Poisson" else scaled


def spoilt(rng, frame):
    """Rows of the frame with categories that training never saw, floats on borders and NaN."""
    frame = frame.copy()
    for name in frame:
        hit = rng.random(len(frame)) < 0.15
        column = frame[name]
        if name.startswith("x"):
            frame.loc[rng.random(len(frame)) < 0.1, name] = np.nan
        elif isinstance(column.dtype, pd.CategoricalDtype):
            frame[name] = pd.Categorical(np.where(hit, "never seen", column.astype(str)))
        elif column.dtype == object or pd.api.types.is_string_dtype(column.dtype):
            frame[name] = np.where(hit, "never seen", column).astype(object)
        elif column.dtype.kind in "iu":
            frame[name] = np.where(hit, 77, column).astype(column.dtype)
    return frame


def answers(model, pool, loss):
    name = loss.split(":")[0]
    raw = np.asarray(model.predict(pool, prediction_type="RawFormulaVal"))
    if name in ("Logloss", "CrossEntropy"):
        probability = np.asarray(model.predict(pool, prediction_type="Probability"))[:, 1]
        labels = np.asarray(model.predict(pool, prediction_type="Class")).reshape(-1)
        labels = labels.astype("int64")
        return {"probability": probability, "prediction": labels, "margin": raw}
    if name in ("MultiClass", "MultiClassOneVsAll"):
        probabilities = np.asarray(model.predict(pool, prediction_type="Probability"))
        names = ["high", "low", "middle"]
        labels = np.asarray(model.predict(pool, prediction_type="Class")).reshape(-1).astype(str)
        named = {f"probability_{label}": probabilities[:, at] for at, label in enumerate(names)}
        margins = {f"margin_{label}": raw[:, at] for at, label in enumerate(names)}
        return {"prediction": labels, **named, **margins}
    if raw.ndim == 2:
        kind = "Probability" if name == "MultiLogloss" else "RawFormulaVal"
        linked = np.asarray(model.predict(pool, prediction_type=kind))
        named = {f"prediction_{place}": linked[:, place] for place in range(raw.shape[1])}
        return {**named, **{f"margin_{place}": raw[:, place] for place in range(raw.shape[1])}}
    if name == "Poisson":
        linked = np.asarray(model.predict(pool, prediction_type="Exponent"))
        return {"prediction": linked, "margin": raw}
    return {"prediction": raw, "margin": raw}


def array(values):
    is_text = np.asarray(values).dtype.kind in "OU"
    return pa.array(values, type=pa.string()) if is_text else pa.array(values)


def write(folder, about, model, rows, loss, pool=None, also=True):
    names = category_places(rows)
    asked = catboost.Pool(rows, cat_features=names)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model.save_model(str(folder / "model.cbm"))
    others = []
    if also:
        pools = {"pool": pool} if pool is not None else {}
        model.save_model(str(folder / "model.json"), format="json", **pools)
        # Indentation is dropped for size; every token stays as CatBoost wrote it.
        text = (folder / "model.json").read_text()
        (folder / "model.json").write_text(re.sub(r"\n\s*", "", text))
        others = ["model.json"]
    table = pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata()
    table = table.add_column(0, "id", pa.array(np.arange(len(rows), dtype="int64")))
    pq.write_table(table, folder / "input.parquet", compression="zstd")
    found = pa.table({name: array(values) for name, values in answers(model, asked, loss).items()})
    pq.write_table(found, folder / "expected.parquet", compression="zstd")
    leaves = np.asarray(model.calc_leaf_indexes(asked)).reshape(len(rows), -1)
    leaves = leaves.astype("int32")
    named = {f"tree_{tree}": pa.array(leaves[:, tree]) for tree in range(leaves.shape[1])}
    pq.write_table(pa.table(named), folder / "leaves.parquet", compression="zstd")
    # Older versions write no names into JSON without a pool.
    arguments = [] if VERSION == LATEST or pool is not None else ["--features", ",".join(rows)]
    facts = {"model": "model.cbm", "also": others, "tolerance": 1e-9, "margin_tolerance": 0}
    facts.update({"arguments": arguments} if arguments and also else {})
    (folder / "case.json").write_text(json.dumps(facts, indent=2) + "\n")
    made = f"Made by `data/golden/catboost_ctr.py` with CatBoost {VERSION}."
    origin = f"# {folder.name}\n\n{about}\n\n{made}\n"
    (folder / "ORIGIN.md").write_text(origin)


def train(frame, target, parameters):
    pool = catboost.Pool(frame, target, cat_features=category_places(frame))
    return catboost.CatBoost({**COMMON, **parameters}).fit(pool), pool


def fixed(name, about, kinds, sizes, parameters, rows=300, missing=False, with_pool=False,
          also=True):
    rng = np.random.default_rng(1)
    frame = data(rng, rows, kinds, missing, sizes)
    loss = parameters["loss_function"]
    target = target_of(rng, loss, signal(rng, frame))
    model, pool = train(frame, target, {"random_seed": 1, **parameters})
    pool = pool if with_pool else None
    write(HERE / f"catboost_{name}", about, model, spoilt(rng, frame)[:50], loss, pool, also)


EVERY_TYPE = ["Borders:TargetBorderCount=2", "Buckets", "BinarizedTargetMeanValue", "Counter"]
EVERY_KIND = ["integer", "boolean", "dictionary", "unsigned", "small"]


def latest():
    small = dict(iterations=6, depth=3, loss_function="Logloss")
    simple = {**small, "max_ctr_complexity": 1}
    value = {**simple, "loss_function": "RMSE", "iterations": 12}
    about = "CTRs of single categories, with the defaults of CatBoost. Saved with the pool."
    fixed("ctr_simple", about, ["text", "text"], [9, 6], simple, with_pool=True)
    about = "Categories of every kind: integers of all widths, booleans, dictionaries."
    parameters = {**value, "one_hot_max_size": 2}
    fixed("ctr_kinds", about, EVERY_KIND, [5, 2, 7, 3, 6], parameters, also=False)
    about = "Every type of CTR, alone and combined with floats, one-hot features and each other."
    parameters = {**small, "loss_function": "RMSE", "iterations": 9, "depth": 5, "nan_mode": "Max"}
    parameters |= {"max_ctr_complexity": 4, "one_hot_max_size": 3}
    parameters |= {"simple_ctr": EVERY_TYPE, "combinations_ctr": EVERY_TYPE}
    kinds = ["text", "integer", "boolean", "text"]
    fixed("ctr_combined", about, kinds, [5, 4, 2, 3], parameters, 120, missing=True, also=False)
    branching = {"grow_policy": "Lossguide", "max_leaves": 7}
    parameters = {**small, **branching, "loss_function": "MultiClass", "iterations": 4}
    about, parameters = "Three classes in lossguide trees.", {**parameters, "max_ctr_complexity": 2}
    fixed("ctr_lossguide", about, ["text", "integer"], [6, 5], parameters, 150)
    about = "Depthwise trees with buckets and means."
    parameters = {**value, "iterations": 6, "grow_policy": "Depthwise", "depth": 4}
    parameters |= {"simple_ctr": ["Buckets:TargetBorderCount=3", "BinarizedTargetMeanValue"]}
    fixed("ctr_depthwise", about, ["text", "text"], [6, 4], parameters, also=False)
    about = "Two targets, whose CTRs count each its own: JSON mixes them up."
    parameters = {**value, "loss_function": "MultiRMSE", "iterations": 5, "one_hot_max_size": 1}
    fixed("ctr_targets", about, ["text", "text"], [6, 4], parameters, also=False)
    about = "Numbers alone, in CatBoost's own format."
    numeric = {**small, "loss_function": "RMSE", "iterations": 12}
    fixed("cbm_numbers", about, [], [], numeric, missing=True, also=False)
    about = "Numbers alone in lossguide trees, in CatBoost's own format."
    parameters = {**numeric, **branching, "max_leaves": 9, "depth": 6}
    fixed("cbm_lossguide", about, [], [], parameters, missing=True, also=False)
    about = "One-hot categories in CatBoost's own format."
    kinds, parameters = ["text", "integer", "boolean"], {**numeric, "one_hot_max_size": 12}
    fixed("cbm_one_hot", about, kinds, [6, 4, 2], parameters, also=False)
    summed()
    hostile()


def summed():
    rng = np.random.default_rng(11)
    frame = data(rng, 200, ["text", "text"], True, [7, 4])
    total = signal(rng, frame)
    common = dict(iterations=4, depth=3, loss_function="RMSE", max_ctr_complexity=1)
    halves = ((1, 1.0), (2, 0.5))
    parts = [train(frame, total * scale, {"random_seed": seed, **common})[0]
             for seed, scale in halves]
    model = catboost.sum_models(parts, weights=[0.25, 2.0])
    about, rows = "The sum of two models with CTRs.", spoilt(rng, frame)[:50]
    write(HERE / "catboost_ctr_summed", about, model, rows, "RMSE", also=False)


def hostile():
    """Models that are not supported; `tests/it/hostile.rs` lists them."""
    rng = np.random.default_rng(3)
    target = rng.normal(size=30)
    words = np.array(["good", "bad", "ugly", "fine"], dtype=object)
    review = [" ".join(rng.choice(words, 3)) for _ in target]
    pool = catboost.Pool(pd.DataFrame({"review": review}), target, text_features=["review"])
    common = dict(**COMMON, iterations=1, depth=1, random_seed=3)
    model = catboost.CatBoostRegressor(**common).fit(pool)
    model.save_model(str(HOSTILE / "catboost_text.cbm"))
    frame = pd.DataFrame({"vector": list(rng.normal(size=(30, 2)))})
    pool = catboost.Pool(frame, target, embedding_features=["vector"])
    model = catboost.CatBoostRegressor(**common).fit(pool)
    model.save_model(str(HOSTILE / "catboost_embedding.cbm"))


def older():
    tag = "ctr_v" + VERSION.replace(".", "")
    parameters = dict(loss_function="Logloss", iterations=5, depth=3, max_ctr_complexity=2)
    about, also = "CTRs, simple and combined, by an older version.", VERSION == "0.24.4"
    fixed(tag, about, ["text", "integer"], [6, 3], parameters, 150, with_pool=True, also=also)
    about = "Lossguide trees with CTRs, by an older version."
    parameters.update(grow_policy="Lossguide", max_leaves=7, max_ctr_complexity=1)
    parameters.update(loss_function="RMSE")
    fixed(f"{tag}_lossguide", about, ["text", "boolean"], [6, 2], parameters, 150, also=False)


def ctr_list(rng, loss):
    kinds = ["Borders", "Borders:TargetBorderCount=3", "Buckets", "Buckets:TargetBorderCount=2"]
    kinds += ["Borders:TargetBorderType=Uniform:TargetBorderCount=2", "BinarizedTargetMeanValue"]
    kinds += ["Counter", "Borders:CtrBorderCount=5", "Counter:CtrBorderCount=31:Prior=0.7"]
    if loss in CLASSIFIERS:
        kinds = [kind for kind in kinds if ":Target" not in kind]
    return [str(kind) for kind in rng.choice(kinds, rng.integers(1, 4), replace=False)]


CLASSIFIERS = ["Logloss", "MultiClass", "CrossEntropy", "MultiClassOneVsAll"]
LOSSES = ["RMSE", *CLASSIFIERS, "Quantile:alpha=0.3", "Poisson", "MultiLogloss", "MultiRMSE"]
KINDS = ["text", "integer", "small", "unsigned", "boolean", "dictionary"]


def random_case(folder, seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 5))
    kinds = [str(kind) for kind in rng.choice(KINDS, count)]
    kinds[0] = str(rng.choice(["text", "integer", "dictionary"]))
    sizes = [int(size) for size in rng.choice([2, 3, 5, 9, 30, 120], count)]
    losses = LOSSES if VERSION == LATEST else LOSSES[:7]
    loss = losses[seed % len(losses)]
    shape = ["SymmetricTree", "Depthwise", "Lossguide"][seed // len(losses) % 3]
    if loss.startswith(("MultiLog", "MultiRMSE")):
        shape = "SymmetricTree"
    parameters = dict(
        loss_function=loss,
        iterations=int(rng.integers(3, 15)),
        depth=int(rng.integers(2, 7)),
        grow_policy=shape,
        random_seed=seed,
        max_ctr_complexity=int(rng.integers(1, 5)),
        one_hot_max_size=int(rng.choice([1, 2, 3, 6])),
        nan_mode=str(rng.choice(["Min", "Max"])),
        border_count=int(rng.choice([5, 32, 254])),
        counter_calc_method=str(rng.choice(["SkipTest", "Full"])),
        learning_rate=0.3,
    )
    if rng.random() < 0.6:
        parameters["simple_ctr"] = ctr_list(rng, loss)
    if rng.random() < 0.6:
        parameters["combinations_ctr"] = ctr_list(rng, loss)
    if rng.random() < 0.2:
        parameters["store_all_simple_ctr"] = True
    frame = data(rng, int(rng.choice([80, 300, 900])), kinds, bool(rng.random() < 0.6), sizes)
    total = signal(rng, frame)
    also = not loss.startswith(("MultiLog", "MultiRMSE"))
    try:
        target = target_of(rng, loss, total)
        model, pool = train(frame, target, parameters)
        about = json.dumps(parameters)
        if seed % 5 == 0 and loss in ("RMSE", "Poisson"):
            other, _ = train(frame, target, {**parameters, "random_seed": seed + 1000})
            model = catboost.sum_models([model, other], weights=[0.5, 1.5])
            about = "the sum of two: " + about
        # JSON does not tell the tables of several cuts of the target apart.
        cuts = parameters.get("simple_ctr", []) + parameters.get("combinations_ctr", [])
        also = also and not any("Target" in cut for cut in cuts)
        rows = spoilt(rng, frame)[:200]
        write(folder, about, model, rows, loss, pool if seed % 2 else None, also)
    except catboost.CatBoostError as error:
        shutil.rmtree(folder, ignore_errors=True)
        print(f"seed {seed}: {str(error)[:200]} {parameters}")


def main():
    if sys.argv[1:2] == ["--matrix"]:
        for seed in range(int(sys.argv[3])):
            random_case(Path(sys.argv[2]) / f"catboost_{VERSION}_{seed:03}", seed)
    elif VERSION == LATEST:
        latest()
    else:
        older()


if __name__ == "__main__":
    main()
