"""The matrix of scikit-learn pipelines: every family that skl2onnx exports, scored by tallow, ONNX
Runtime and scikit-learn.

    python data/golden/onnx_matrix.py TALLOW_BINARY [--only NAME,...] [--keep NAME,...]

Needs numpy, pandas, pyarrow, scikit-learn, skl2onnx, onnx, onnxruntime. Each pipeline is trained,
exported and scored on 200 rows that it was not trained on, with missing values, unseen categories
and string labels where its columns have such. tallow must agree with ONNX Runtime to 1e-5
(relative, or absolute below 1; labels exactly, unless the two greatest scores are within 1e-5) and
with scikit-learn's labels and numbers to 1e-3, which is what single precision leaves of distances
and kernels. `--keep` writes the named ones as golden cases beside this file."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import skl2onnx
import sklearn
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn import (
    calibration,
    cluster,
    compose,
    cross_decomposition,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_selection,
    gaussian_process,
    impute,
)
from sklearn import (
    linear_model as linear,
    mixture,
    multiclass,
    multioutput,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    random_projection,
    svm,
    tree,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.pipeline import make_pipeline, make_union

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).parent
TRAINED, SCORED = 400, 200
# A step function of the scores: the last bit of an exponential decides between two steps.
STEPPED = {"calibrated_isotonic_two", "calibrated_isotonic_three"}
MOST_STEPPED_ROWS = 4
# Differences of large numbers in single precision, in ONNX Runtime and here.
LOOSER = {"gaussian_process_regression": 1e-4}


def numbers():
    generator = np.random.default_rng(3)
    x = generator.normal(0, 1, (TRAINED + SCORED, 5)).astype(np.float32)
    x[:, 3] = np.abs(x[:, 3])
    return pd.DataFrame(x, columns=list("abcde"))


def target(x, kind):
    generator = np.random.default_rng(4)
    score = 2 * x["a"].fillna(0) - x["b"] * x["c"] + 0.3 * x["d"] + generator.normal(0, 0.3, len(x))
    if kind == "number":
        return score.to_numpy(np.float32)
    if kind == "count":
        return np.round(np.exp(np.clip(score, -2, 3))).to_numpy() + 1
    if kind == "two":
        return (score > 0).astype(int).to_numpy()
    return np.array(["low", "middle", "high"], dtype=object)[np.digitize(score, [-1, 1])]


def mixed():
    generator = np.random.default_rng(5)
    x = numbers()[["a", "b", "c", "d"]]
    x["visits"] = generator.integers(0, 30, len(x))
    x["city"] = generator.choice(["Oslo", "Paris", "Rome", "New York"], len(x))
    x["plan"] = generator.choice(["free", "basic", "pro"], len(x))
    x.loc[generator.random(len(x)) < 0.1, "a"] = np.nan
    return x


def texts():
    generator = np.random.default_rng(6)
    words = ["good", "bad", "fast", "slow", "cheap", "dear", "new", "old", "red", "blue"]
    return pd.DataFrame(
        {
            "text": [
                " ".join(generator.choice(words, generator.integers(3, 9)))
                for _ in range(TRAINED + SCORED)
            ]
        }
    )


def cases():
    """(name, model, kind of target, kind of table)"""
    log = lambda: linear.LogisticRegression(max_iter=2000)
    small = dict(random_state=0)
    trees = dict(n_estimators=8, random_state=0)
    classifiers = {
        "logistic": log(),
        "logistic_cv": linear.LogisticRegressionCV(Cs=3, max_iter=2000),
        "ridge_classifier": linear.RidgeClassifier(),
        "ridge_classifier_cv": linear.RidgeClassifierCV(),
        "sgd_log": linear.SGDClassifier(loss="log_loss", **small),
        "sgd_hinge": linear.SGDClassifier(**small),
        "perceptron": linear.Perceptron(**small),
        "linear_svc": svm.LinearSVC(**small),
        "svc_linear": svm.SVC(kernel="linear", probability=True, **small),
        "svc_poly": svm.SVC(kernel="poly", probability=True, **small),
        "svc_sigmoid": svm.SVC(kernel="sigmoid", probability=True, **small),
        "svc_plain": svm.SVC(),
        "nu_svc": svm.NuSVC(probability=True, **small),
        "neighbours": neighbors.KNeighborsClassifier(),
        "neighbours_distance": neighbors.KNeighborsClassifier(weights="distance"),
        "radius_neighbours": neighbors.RadiusNeighborsClassifier(
            radius=6.0, outlier_label="most_frequent"
        ),
        "gaussian_bayes": naive_bayes.GaussianNB(),
        "bernoulli_bayes": naive_bayes.BernoulliNB(),
        "tree": tree.DecisionTreeClassifier(max_depth=5, **small),
        "extra_tree": tree.ExtraTreeClassifier(max_depth=6, **small),
        "forest": ensemble.RandomForestClassifier(max_depth=5, **trees),
        "extra_trees": ensemble.ExtraTreesClassifier(max_depth=5, **trees),
        "boosting": ensemble.GradientBoostingClassifier(**trees),
        "histogram_boosting": ensemble.HistGradientBoostingClassifier(max_iter=8, **small),
        "ada_boost": ensemble.AdaBoostClassifier(**trees),
        "bagging": ensemble.BaggingClassifier(tree.DecisionTreeClassifier(max_depth=4), **trees),
        "voting": ensemble.VotingClassifier(
            [("a", log()), ("b", tree.DecisionTreeClassifier(max_depth=3, **small))],
            voting="soft",
            flatten_transform=False,
        ),
        "voting_hard": ensemble.VotingClassifier(
            [
                ("a", log()),
                ("b", tree.DecisionTreeClassifier(max_depth=3, **small)),
                ("c", naive_bayes.GaussianNB()),
            ],
            flatten_transform=False,
        ),
        "stacking": ensemble.StackingClassifier(
            [("a", log()), ("b", tree.DecisionTreeClassifier(max_depth=3, **small))], log()
        ),
        "one_vs_rest": multiclass.OneVsRestClassifier(log()),
        "one_vs_one": multiclass.OneVsOneClassifier(log()),
        "output_code": multiclass.OutputCodeClassifier(log(), **small),
        "calibrated": calibration.CalibratedClassifierCV(log(), cv=2),
        "calibrated_isotonic": calibration.CalibratedClassifierCV(
            naive_bayes.GaussianNB(), cv=2, method="isotonic"
        ),
        "perceptron_relu": neural_network.MLPClassifier(
            hidden_layer_sizes=(16, 8), max_iter=300, **small
        ),
        "perceptron_tanh": neural_network.MLPClassifier(
            hidden_layer_sizes=(16,), activation="tanh", max_iter=300, **small
        ),
        "perceptron_logistic": neural_network.MLPClassifier(
            hidden_layer_sizes=(16,), activation="logistic", max_iter=300, **small
        ),
        "discriminant": discriminant_analysis.LinearDiscriminantAnalysis(),
        "quadratic_discriminant": discriminant_analysis.QuadraticDiscriminantAnalysis(),
        "gaussian_process": gaussian_process.GaussianProcessClassifier(**small),
    }
    for name, model in classifiers.items():
        yield f"{name}_two", model, "two", "numbers"
        if name not in ("gaussian_process",):
            yield f"{name}_three", sklearn.base.clone(model), "three", "numbers"
    regressors = {
        "linear": linear.LinearRegression(),
        "ridge": linear.Ridge(),
        "ridge_cv": linear.RidgeCV(),
        "lasso": linear.Lasso(0.1),
        "lasso_cv": linear.LassoCV(),
        "lasso_lars": linear.LassoLars(0.01),
        "elastic_net": linear.ElasticNet(0.1),
        "elastic_net_cv": linear.ElasticNetCV(),
        "bayesian_ridge": linear.BayesianRidge(),
        "ard": linear.ARDRegression(),
        "huber": linear.HuberRegressor(),
        "theil_sen": linear.TheilSenRegressor(**small),
        "ransac": linear.RANSACRegressor(**small),
        "sgd": linear.SGDRegressor(**small),
        "quantile": linear.QuantileRegressor(alpha=0.01),
        "matching_pursuit": linear.OrthogonalMatchingPursuit(),
        "lars": linear.Lars(),
        "linear_svr": svm.LinearSVR(**small),
        "svr": svm.SVR(),
        "nu_svr": svm.NuSVR(),
        "svr_poly": svm.SVR(kernel="poly"),
        "neighbours_regression": neighbors.KNeighborsRegressor(),
        "radius_neighbours_regression": neighbors.RadiusNeighborsRegressor(radius=6.0),
        "tree_regression": tree.DecisionTreeRegressor(max_depth=6, **small),
        "extra_tree_regression": tree.ExtraTreeRegressor(max_depth=6, **small),
        "forest_regression": ensemble.RandomForestRegressor(max_depth=5, **trees),
        "extra_trees_regression": ensemble.ExtraTreesRegressor(max_depth=5, **trees),
        "boosting_regression": ensemble.GradientBoostingRegressor(**trees),
        "histogram_boosting_regression": ensemble.HistGradientBoostingRegressor(
            max_iter=8, **small
        ),
        "ada_boost_regression": ensemble.AdaBoostRegressor(**trees),
        "bagging_regression": ensemble.BaggingRegressor(**trees),
        "voting_regression": ensemble.VotingRegressor(
            [("a", linear.LinearRegression()), ("b", tree.DecisionTreeRegressor(max_depth=3))]
        ),
        "stacking_regression": ensemble.StackingRegressor(
            [("a", linear.LinearRegression()), ("b", tree.DecisionTreeRegressor(max_depth=3))],
            linear.Ridge(),
        ),
        "perceptron_regression": neural_network.MLPRegressor(
            hidden_layer_sizes=(16,), max_iter=500, **small
        ),
        "gaussian_process_regression": gaussian_process.GaussianProcessRegressor(
            gaussian_process.kernels.RBF(2.0) + gaussian_process.kernels.WhiteKernel(), **small
        ),
        "least_squares": cross_decomposition.PLSRegression(2),
        "kernel_pca_regression": make_pipeline(
            decomposition.KernelPCA(3, kernel="rbf", gamma=0.1), linear.Ridge()
        ),
        "transformed_target": compose.TransformedTargetRegressor(linear.Ridge()),
        "isolation_forest": ensemble.IsolationForest(**trees),
        "one_class": svm.OneClassSVM(),
    }
    for name, model in regressors.items():
        yield name, model, "number", "numbers"
    for name, model in {
        "poisson": linear.PoissonRegressor(),
        "tweedie": linear.TweedieRegressor(power=1.5, link="log"),
        "gamma": linear.GammaRegressor(),
    }.items():
        yield name, model, "count", "numbers"
    scaled = preprocessing.StandardScaler
    transformers = {
        "min_max": preprocessing.MinMaxScaler(clip=True),
        "max_abs": preprocessing.MaxAbsScaler(),
        "robust": preprocessing.RobustScaler(),
        "normalizer_l1": preprocessing.Normalizer("l1"),
        "normalizer_max": preprocessing.Normalizer("max"),
        "binarizer": preprocessing.Binarizer(threshold=0.2),
        "bins": preprocessing.KBinsDiscretizer(4, encode="onehot-dense"),
        "bins_ordinal": preprocessing.KBinsDiscretizer(4, encode="ordinal"),
        "polynomial": make_pipeline(preprocessing.PolynomialFeatures(2), scaled()),
        "power": preprocessing.PowerTransformer(),
        "quantiles": preprocessing.QuantileTransformer(n_quantiles=20, random_state=0),
        "principal": decomposition.PCA(3),
        "principal_whitened": decomposition.PCA(3, whiten=True),
        "incremental_principal": decomposition.IncrementalPCA(3),
        "truncated_svd": decomposition.TruncatedSVD(3, random_state=0),
        "kernel_principal": decomposition.KernelPCA(3, kernel="rbf"),
        "best": feature_selection.SelectKBest(k=3),
        "percentile": feature_selection.SelectPercentile(percentile=60),
        "variance": feature_selection.VarianceThreshold(0.5),
        "from_model": feature_selection.SelectFromModel(
            tree.DecisionTreeClassifier(random_state=0)
        ),
        "elimination": feature_selection.RFE(log(), n_features_to_select=3),
        "projection": random_projection.GaussianRandomProjection(3, random_state=0),
        "union": make_union(scaled(), decomposition.PCA(2)),
        "clusters": make_pipeline(scaled(), cluster.KMeans(4, n_init=2, random_state=0)),
    }
    for name, model in transformers.items():
        yield f"{name}_logistic", make_pipeline(model, log()), "three", "numbers"
    for name, model in {
        "k_means": cluster.KMeans(4, n_init=2, random_state=0),
        "mini_batch_k_means": cluster.MiniBatchKMeans(4, n_init=2, random_state=0),
        "mixture": mixture.GaussianMixture(3, random_state=0),
    }.items():
        yield name, make_pipeline(scaled(), model), "number", "numbers"
    for name, filler in {
        "mean": impute.SimpleImputer(),
        "median": impute.SimpleImputer(strategy="median"),
        "constant": impute.SimpleImputer(strategy="constant", fill_value=-1.0),
        "nearest": impute.KNNImputer(),
    }.items():
        yield f"impute_{name}", make_pipeline(filler, scaled(), log()), "three", "missing"
    columns = lambda encoder, last: make_pipeline(
        compose.ColumnTransformer(
            [
                ("n", make_pipeline(impute.SimpleImputer(), scaled()), ["a", "b", "c", "d"]),
                ("v", scaled(), ["visits"]),
                ("t", encoder, ["city", "plan"]),
            ]
        ),
        last,
    )
    hot, ordinal = (
        lambda: preprocessing.OneHotEncoder(handle_unknown="ignore"),
        lambda: preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    )
    yield "mixed_logistic", columns(hot(), log()), "three", "mixed"
    yield (
        "mixed_forest",
        columns(hot(), ensemble.RandomForestClassifier(max_depth=5, **trees)),
        "two",
        "mixed",
    )
    yield (
        "mixed_perceptron",
        columns(
            hot(), neural_network.MLPClassifier(hidden_layer_sizes=(16,), max_iter=300, **small)
        ),
        "two",
        "mixed",
    )
    yield (
        "mixed_ordinal",
        columns(ordinal(), ensemble.GradientBoostingRegressor(**trees)),
        "number",
        "mixed",
    )
    yield "mixed_ridge", columns(hot(), linear.Ridge()), "number", "mixed"
    yield "mixed_known", columns(preprocessing.OneHotEncoder(), log()), "two", "mixed_known"
    yield (
        "mixed_first",
        columns(preprocessing.OneHotEncoder(drop="first"), log()),
        "two",
        "mixed_known",
    )
    yield (
        "mixed_frequent",
        columns(
            preprocessing.OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=100),
            log(),
        ),
        "two",
        "mixed_known",
    )
    for name, vectorizer in {
        "count": CountVectorizer(),
        "pairs": CountVectorizer(ngram_range=(1, 2)),
        "tfidf": TfidfVectorizer(),
    }.items():
        yield (
            f"words_{name}",
            make_pipeline(compose.ColumnTransformer([("t", vectorizer, "text")]), log()),
            "words",
            "texts",
        )
    yield (
        "counts_bayes",
        make_pipeline(preprocessing.Binarizer(), naive_bayes.MultinomialNB()),
        "two",
        "numbers",
    )
    yield (
        "complement_bayes",
        make_pipeline(preprocessing.MinMaxScaler(clip=True), naive_bayes.ComplementNB()),
        "three",
        "numbers",
    )
    yield "several_targets", multioutput.MultiOutputRegressor(linear.Ridge()), "several", "numbers"


def table(kind):
    if kind in ("mixed", "mixed_known"):
        return mixed()
    if kind == "texts":
        return texts()
    x = numbers()
    if kind == "missing":
        x = x.mask(np.random.default_rng(8).random(x.shape) < 0.1)
    return x


def train(name, model, kind, table_kind):
    x = table(table_kind)
    if kind == "words":
        y = np.where(x["text"].str.contains("good"), "liked", "not liked")
    elif kind == "several":
        y = np.stack([target(x, "number"), 2 * x["a"]], axis=1)
    else:
        y = target(x, kind)
    rows = x.iloc[TRAINED:].reset_index(drop=True)
    is_matrix = table_kind in ("numbers", "missing")
    model.fit(x.iloc[:TRAINED].to_numpy() if is_matrix else x.iloc[:TRAINED], y[:TRAINED])
    if table_kind == "mixed":
        rows.loc[::17, "city"] = "Atlantis"
    if is_matrix:
        types, feed, own = (
            [("X", FloatTensorType([None, x.shape[1]]))],
            {"X": rows.to_numpy()},
            rows.to_numpy(),
        )
    else:
        port = lambda column: {"f": FloatTensorType, "i": Int64TensorType}.get(
            column.dtype.kind, StringTensorType
        )([None, 1])
        types, own = [(column, port(x[column])) for column in x], rows
        feed = {
            column: rows[column]
            .to_numpy()
            .astype(object if isinstance(types[place][1], StringTensorType) else rows[column].dtype)
            .reshape(-1, 1)
            for place, column in enumerate(x)
        }
    last = model.steps[-1][1] if isinstance(model, pipeline.Pipeline) else model
    options = {id(model): {"zipmap": False}} if sklearn.base.is_classifier(last) else None
    versions = {"": 18, "ai.onnx.ml": 3}
    try:
        exported = to_onnx(model, initial_types=types, options=options, target_opset=versions)
    except NameError:
        # Some classifiers know no such option.
        exported = to_onnx(model, initial_types=types, target_opset=versions)
    if is_matrix:
        entry = exported.metadata_props.add()
        entry.key, entry.value = "feature_names", json.dumps(list(x))
    used = {port.name for port in exported.graph.input}
    return exported, rows, {key: value for key, value in feed.items() if key in used}, own


def named(exported, outputs, model):
    """ONNX Runtime's answers under the names that tallow gives them."""
    names = [port.name for port in exported.graph.output]
    # Labels that are picked from a list lie side by side.
    outputs = [value.reshape(-1) if value.shape == (1, SCORED) else value for value in outputs]
    width = lambda value: int(np.prod(value.shape[1:])) if value.ndim > 1 else 1
    if (
        len(outputs) == 2
        and width(outputs[0]) == 1
        and outputs[0].dtype.kind in "iOU"
        and outputs[1].dtype.kind == "f"
        and width(outputs[1]) > 1
    ):
        scores = outputs[1].reshape(len(outputs[1]), -1)
        classes = getattr(model, "classes_", None)
        classes = (
            range(scores.shape[1])
            if classes is None or len(classes) != scores.shape[1]
            else classes
        )
        label = {"prediction": outputs[0].reshape(-1)}
        return label | (
            {"probability": scores[:, 1]}
            if scores.shape[1] == 2
            else {f"probability_{label}": scores[:, place] for place, label in enumerate(classes)}
        )
    if len(outputs) == 1 and width(outputs[0]) == 1:
        return {"prediction": outputs[0].reshape(-1)}
    return {
        name: value.reshape(len(value), -1) if width(value) > 1 else value.reshape(-1)
        for name, value in zip(names, outputs)
    }


def found(path):
    batch = pq.read_table(path)
    column = lambda name: batch.column(name).combine_chunks()
    return {
        name: np.stack(column(name).to_numpy(zero_copy_only=False))
        if pa.types.is_fixed_size_list(batch.schema.field(name).type)
        else column(name).to_numpy(zero_copy_only=False)
        for name in batch.schema.names
    }


def differences(wanted, given, tolerance, spared=0):
    if sorted(wanted) != sorted(given):
        return [f"columns {sorted(given)}, expected {sorted(wanted)}"]
    scores = (
        np.stack(
            [value for name, value in wanted.items() if name.startswith("probability_")], axis=1
        )
        if any(name.startswith("probability_") for name in wanted)
        else None
    )
    if "probability" in wanted:
        scores = np.stack([1 - wanted["probability"], wanted["probability"]], axis=1)
    found = []
    for name, value in wanted.items():
        if value.dtype.kind in "OUib":
            differs = np.asarray(value != given[name]).reshape(len(value), -1).any(axis=1)
            if scores is not None:
                ordered = np.sort(scores, axis=1)
                differs &= ordered[:, -1] - ordered[:, -2] > tolerance
            if differs.any():
                found.append(f"{name} differs in {differs.sum()} rows")
            continue
        gap = np.abs(value - given[name]) / np.maximum(np.abs(value), 1)
        gap = np.where(np.isnan(value) & np.isnan(given[name].astype(float)), 0, gap)
        if (~(gap <= tolerance)).reshape(len(gap), -1).any(axis=1).sum() > spared:
            found.append(f"{name} differs by {np.nanmax(gap):.2g}")
    return found


def sklearn_answers(model, own, wanted):
    """scikit-learn's answers in the same columns, where it gives such."""
    if "probability" in wanted or any(name.startswith("probability_") for name in wanted):
        if not hasattr(model, "predict_proba"):
            return {"prediction": np.asarray(model.predict(own))}
        scores = np.asarray(model.predict_proba(own))
        answers = (
            {"probability": scores[:, 1]}
            if "probability" in wanted
            else {
                name: scores[:, place]
                for place, name in enumerate(
                    name for name in wanted if name.startswith("probability_")
                )
            }
        )
        return answers | {"prediction": np.asarray(model.predict(own))}
    if list(wanted) == ["prediction"]:
        return {"prediction": np.asarray(model.predict(own)).reshape(-1)}
    return {}


def keep(name, exported, rows, wanted):
    folder = HERE / f"onnx_matrix_{name}"
    folder.mkdir(exist_ok=True)
    onnx.save(exported, folder / "model.onnx")
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), folder / "input.parquet")
    column = lambda value: (
        pa.FixedSizeListArray.from_arrays(pa.array(value.reshape(-1)), value.shape[1])
        if value.ndim == 2
        else pa.array(value)
    )
    pq.write_table(
        pa.table({key: column(value) for key, value in wanted.items()}), folder / "expected.parquet"
    )
    (folder / "case.json").write_text(
        json.dumps({"model": "model.onnx", "tolerance": 1e-5, "margin_tolerance": 1e-5}) + "\n"
    )
    versions = (
        f"scikit-learn {sklearn.__version__}, skl2onnx {skl2onnx.__version__}, ONNX Runtime "
        f"{onnxruntime.__version__}"
    )
    (folder / "ORIGIN.md").write_text(
        f"# onnx_matrix_{name}\n\nMade by `data/golden/onnx_matrix.py --keep {name}` with "
        f"{versions}; the expected numbers are ONNX Runtime's.\n"
    )


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("tallow")
    arguments.add_argument("--only", default="")
    arguments.add_argument("--keep", default="")
    arguments = arguments.parse_args()
    count = {"agree": 0, "not exported": 0, "wrong": 0}
    for name, model, kind, table_kind in cases():
        if arguments.only and name not in arguments.only.split(","):
            continue
        try:
            exported, rows, feed, own = train(name, model, kind, table_kind)
            session = onnxruntime.InferenceSession(
                exported.SerializeToString(), providers=["CPUExecutionProvider"]
            )
            outputs = session.run(None, feed)
        except Exception as error:
            count["not exported"] += 1
            print(
                f"{name:32} not exported: "
                f"{str(error).splitlines()[0][:90] if str(error) else type(error).__name__}",
                flush=True,
            )
            continue
        wanted = named(exported, outputs, model)
        with tempfile.TemporaryDirectory() as room:
            room = pathlib.Path(room)
            onnx.save(exported, room / "model.onnx")
            # Columns in another order than the model's, with one that it does not know.
            pq.write_table(
                pa.Table.from_pandas(
                    rows[rows.columns[::-1]].assign(unused=1), preserve_index=False
                ),
                room / "input.parquet",
            )
            command = [
                arguments.tallow,
                "score",
                "--model",
                room / "model.onnx",
                room / "input.parquet",
                "--output",
                room / "out.parquet",
                "--passthrough",
                "none",
                "--quiet",
            ]
            run = subprocess.run(command, capture_output=True, text=True)
            problems = (
                [run.stderr.strip().splitlines()[0]]
                if run.returncode
                else differences(
                    wanted,
                    found(room / "out.parquet"),
                    LOOSER.get(name, 1e-5),
                    MOST_STEPPED_ROWS if name in STEPPED else 0,
                )
            )
            remarks = []
            if not run.returncode:
                theirs = sklearn_answers(model, own, wanted)
                given = found(room / "out.parquet")
                if all(key in given for key in theirs):
                    remarks = differences(theirs, {key: given[key] for key in theirs}, 1e-3)
        count["wrong" if problems else "agree"] += 1
        verdict = "WRONG: " + "; ".join(problems) if problems else "agrees"
        remark = " (scikit-learn: " + "; ".join(remarks) + ")" if remarks else ""
        print(f"{name:32} {verdict}{remark}", flush=True)
        if name in arguments.keep.split(","):
            keep(name, exported, rows, wanted)
    print(", ".join(f"{number} {what}" for what, number in count.items()))
    sys.exit(count["wrong"] > 0)


if __name__ == "__main__":
    main()
