"""Every family of scikit-learn's estimators, scored from its own files: golden cases and a matrix.

    python data/golden/sklearn_families.py [CASE…]               keep the small cases
    python data/golden/sklearn_families.py --make FOLDER         fit, save, and predict into FOLDER
    python data/golden/sklearn_families.py --score FOLDER TALLOW score FOLDER, print a table

`--make` is run once with each version of scikit-learn, `--score` once with any Python that has
pandas and pyarrow: it scores all that lies in the folder and compares. Expected numbers are the
estimator's own, in f64. The seed is 20261129.
"""

import collections
import json
import pathlib
import pickle
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).resolve().parent
# The scripts beside this one are called as the libraries whose cases they make.
sys.path = [path for path in sys.path if pathlib.Path(path or ".").resolve() != HERE]
SEED = 20261129
ROWS = 300
NUMBERS = ["age", "income", "ratio"]
TEXTS = ["city", "plan"]


def table(rows=ROWS):
    rng = np.random.RandomState(SEED)
    frame = pd.DataFrame(
        {
            "age": rng.randint(18, 90, rows).astype(float),
            "income": np.exp(rng.randn(rows) + 8),
            "ratio": rng.randn(rows),
            "city": rng.choice(["Bern", "Basel", "Zürich", "Chur"], rows, p=[0.4, 0.3, 0.25, 0.05]),
            "plan": rng.choice(["a", "b"], rows),
        }
    )
    score = frame["ratio"] + (frame["city"] == "Bern") - (frame["age"] > 50)
    score = score + rng.randn(rows) * 0.3
    words = ["good", "bad", "The", "very", "Café", "naïve", "ΣΊΣΥΦΟΣ", "it's", "a_b", "3kg", "नमस्ते"]
    chosen = [rng.choice(words, rng.randint(1, 9)) for _ in range(rows)]
    frame["note"] = [", ".join(some) if len(some) % 2 else " ".join(some) for some in chosen]
    return frame, score.to_numpy()


def labels(score, kind):
    if kind == "two":
        return (score > 0).astype(int)
    if kind == "texts":
        return np.where(score > 0, "yes", "no")
    if kind == "three":
        return np.digitize(score, [-0.5, 0.7])
    if kind == "names":
        return np.array(["low", "middle", "high"])[np.digitize(score, [-0.5, 0.7])]
    if kind == "values":
        return np.stack([score, score**2], axis=1)
    if kind == "flags":
        return np.stack([score > 0, score > 0.5], axis=1).astype(int)
    if kind == "classes":
        return np.stack([(score > 0).astype(int), np.digitize(score, [-0.5, 0.7])], axis=1)
    if kind == "none":
        return None
    return score if kind == "value" else np.exp(score)


def since():
    import sklearn

    return tuple(int(part) for part in sklearn.__version__.split(".")[:2])


def cases():
    """(name, estimator, labels, columns, whether missing values are scored)."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
    from sklearn.covariance import EllipticEnvelope
    from sklearn.decomposition import PCA, FastICA, IncrementalPCA, TruncatedSVD
    from sklearn.discriminant_analysis import (
        LinearDiscriminantAnalysis,
        QuadraticDiscriminantAnalysis,
    )
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.ensemble import (
        AdaBoostClassifier,
        AdaBoostRegressor,
        BaggingClassifier,
        BaggingRegressor,
        ExtraTreesClassifier,
        GradientBoostingClassifier,
        GradientBoostingRegressor,
        IsolationForest,
        RandomForestClassifier,
        RandomForestRegressor,
        StackingClassifier,
        StackingRegressor,
        VotingClassifier,
        VotingRegressor,
    )
    from sklearn.feature_selection import (
        RFE,
        SelectFdr,
        SelectFromModel,
        SelectKBest,
        SelectPercentile,
        VarianceThreshold,
        f_classif,
    )
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer, KNNImputer, MissingIndicator, SimpleImputer
    from sklearn.linear_model import (
        Lasso,
        LinearRegression,
        LogisticRegression,
        Ridge,
        RidgeClassifier,
        SGDClassifier,
    )
    from sklearn.mixture import GaussianMixture
    from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
    import scipy.special
    from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
    from sklearn.multioutput import (
        ClassifierChain,
        MultiOutputClassifier,
        MultiOutputRegressor,
        RegressorChain,
    )
    from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.neighbors import (
        KNeighborsClassifier,
        KNeighborsRegressor,
        LocalOutlierFactor,
        NearestCentroid,
        RadiusNeighborsClassifier,
    )
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
    from sklearn.preprocessing import (
        FunctionTransformer,
        KBinsDiscretizer,
        MaxAbsScaler,
        MinMaxScaler,
        Normalizer,
        OneHotEncoder,
        OrdinalEncoder,
        PolynomialFeatures,
        PowerTransformer,
        QuantileTransformer,
        RobustScaler,
        StandardScaler,
    )
    from sklearn.svm import SVC, SVR, LinearSVC, NuSVC, NuSVR, OneClassSVM
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    try:
        from sklearn.experimental import enable_hist_gradient_boosting  # noqa: F401
    except ImportError:
        pass
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    version = since()
    base = "estimator" if version >= (1, 2) else "base_estimator"
    small = dict(n_estimators=6, max_depth=4, random_state=0)
    rf = lambda: RandomForestClassifier(**small)
    tree = lambda depth=3: DecisionTreeClassifier(max_depth=depth, random_state=0)
    scaled = lambda *steps: make_pipeline(StandardScaler(), *steps)
    mixed = lambda *steps, text=None: make_pipeline(
        ColumnTransformer(
            [
                ("num", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
                ("cat", text or OneHotEncoder(handle_unknown="ignore"), TEXTS),
            ]
        ),
        *steps,
    )
    plain = lambda name, last, kind, missing=False: (name, last, kind, NUMBERS, missing)

    # Imputers that read whole rows, indicators, weights of transformers.
    for name, imputer in [
        ("knn_imputer", KNNImputer(n_neighbors=4)),
        ("knn_imputer_distance", KNNImputer(weights="distance", add_indicator=True)),
        ("iterative_imputer", IterativeImputer(random_state=0, max_iter=4)),
        ("iterative_imputer_ridge", IterativeImputer(Ridge(), random_state=0, max_value=0.5)),
        ("missing_indicator", FeatureUnion(
            [("fill", SimpleImputer()), ("flag", MissingIndicator(error_on_new=False))]
        )),
    ]:
        # Ages are integers, of which several are as near: numpy picks any of them.
        columns = ["income", "ratio"] if "knn" in name else NUMBERS
        yield name, make_pipeline(StandardScaler(), imputer, Ridge()), "value", columns, True
    weighted = ColumnTransformer(
        [("num", StandardScaler(), NUMBERS), ("cat", OneHotEncoder(), TEXTS)],
        transformer_weights={"num": 0.3, "cat": 2.5},
    )
    yield "weights_columns", make_pipeline(weighted, Ridge()), "value", NUMBERS + TEXTS, False
    union = FeatureUnion(
        [("a", StandardScaler()), ("b", MinMaxScaler())], transformer_weights={"b": 10.0}
    )
    yield plain("weights_union", make_pipeline(union, Ridge()), "value")

    # Kernels, and PLS.
    from sklearn.cross_decomposition import PLSRegression
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process import kernels as k
    from sklearn.kernel_approximation import Nystroem, RBFSampler
    from sklearn.kernel_ridge import KernelRidge

    process = lambda kernel: scaled(GaussianProcessRegressor(kernel, alpha=0.5, normalize_y=True))
    yield plain("gaussian_process", process(k.RBF([1.0, 2.0, 3.0]) + k.WhiteKernel()), "value")
    both = k.ConstantKernel(2.0) * k.Matern(1.5, nu=2.5) + k.DotProduct() ** 2
    yield plain("gaussian_process_sum", process(both), "value")
    yield plain("gaussian_process_other", process(k.RationalQuadratic() * k.Matern(nu=1.5)), "values")
    for name in ["rbf", "poly", "laplacian", "sigmoid", "cosine", "linear"]:
        yield plain(f"kernel_ridge_{name}", scaled(KernelRidge(kernel=name)), "value")
    yield plain("nystroem", scaled(Nystroem(n_components=20, random_state=0), Ridge()), "value")
    yield plain("rbf_sampler", scaled(RBFSampler(random_state=0, n_components=9), Ridge()), "value")
    yield plain("pls", PLSRegression(2), "value")
    yield plain("pls_values", PLSRegression(2), "values")
    yield plain("pls_unscaled", make_pipeline(StandardScaler(), PLSRegression(1, scale=False)), "value")

    yield from components(version, plain, scaled)

    # Ensembles of estimators.
    members = lambda: [("lr", scaled(LogisticRegression())), ("rf", rf()), ("nb", GaussianNB())]
    values = lambda: [("ridge", Ridge()), ("tree", DecisionTreeRegressor(max_depth=4))]
    yield plain("voting_soft", VotingClassifier(members(), voting="soft"), "two")
    yield plain(
        "voting_weights", VotingClassifier(members(), voting="soft", weights=[1, 2, 3]), "names"
    )
    yield plain("voting_hard", VotingClassifier(members()), "three")
    yield plain("voting_value", VotingRegressor(values(), weights=[0.3, 0.7]), "value")
    yield plain("stacking_two", StackingClassifier(members(), cv=3), "texts")
    yield plain("stacking_three", StackingClassifier(members(), cv=3, passthrough=True), "three")
    yield plain(
        "stacking_decisions",
        StackingClassifier(
            [("svc", scaled(LinearSVC(random_state=0))), ("ridge", scaled(RidgeClassifier()))], cv=3
        ),
        "two",
    )
    yield plain("stacking_value", StackingRegressor(values(), cv=3), "value")
    yield plain("bagging_trees", BaggingClassifier(**{base: tree()}, n_estimators=5, random_state=0), "three")
    yield plain(
        "bagging_features",
        BaggingClassifier(**{base: tree()}, n_estimators=5, max_features=2, random_state=0),
        "two",
    )
    yield plain(
        "bagging_linear",
        BaggingClassifier(**{base: scaled(LogisticRegression())}, n_estimators=4, random_state=0),
        "names",
    )
    yield plain(
        "bagging_votes",
        BaggingClassifier(**{base: scaled(LinearSVC(random_state=0))}, n_estimators=5, random_state=0),
        "three",
    )
    yield plain("bagging_value", BaggingRegressor(n_estimators=5, random_state=0), "value")
    yield plain("bagging_values", BaggingRegressor(**{base: DecisionTreeRegressor(max_depth=3)}, n_estimators=3, random_state=0), "values")
    yield plain(
        "bagging_values_linear",
        BaggingRegressor(**{base: Ridge()}, n_estimators=3, random_state=0),
        "values",
    )
    yield plain("ada_two", AdaBoostClassifier(n_estimators=8, random_state=0), "two")
    yield plain("ada_three", AdaBoostClassifier(n_estimators=8, random_state=0), "names")
    if version < (1, 6):
        for kind in ("two", "three"):
            yield plain(
                f"ada_samme_{kind}",
                AdaBoostClassifier(n_estimators=8, random_state=0, algorithm="SAMME"),
                kind,
            )
    yield plain(
        "ada_linear",
        AdaBoostClassifier(
            **{base: LogisticRegression()},
            n_estimators=4,
            random_state=0,
            **({} if version >= (1, 6) else {"algorithm": "SAMME"}),
        ),
        "two",
    )
    yield plain("ada_value", AdaBoostRegressor(n_estimators=8, random_state=0), "value")
    yield plain("forest_values", RandomForestRegressor(**small), "values")
    # Boosting that starts from an estimator, which reads single precision as the trees do.
    few = dict(n_estimators=5, random_state=0)
    yield plain("start_two", GradientBoostingClassifier(init=tree(), **few), "texts")
    yield plain("start_three", GradientBoostingClassifier(init=rf(), **few), "names")
    most = DummyClassifier(strategy="most_frequent")
    yield plain("start_most", GradientBoostingClassifier(init=most, loss="exponential", **few), "two")
    yield plain("start_value", GradientBoostingRegressor(init=RandomForestRegressor(**small), **few), "value")
    yield plain("start_single", GradientBoostingRegressor(init=scaled(Ridge()), **few), "value")
    linear = BaggingClassifier(**{base: LinearSVC(random_state=0)}, n_estimators=3, max_features=2, random_state=0)
    yield plain("calibrated_bagged", scaled(CalibratedClassifierCV(linear, cv=2)), "three")
    pairs = OneVsOneClassifier(LinearSVC(random_state=0))
    yield plain("calibrated_pairs", scaled(CalibratedClassifierCV(pairs, cv=2)), "three")

    # Calibration and thresholds.
    yield plain("calibrated_sigmoid", CalibratedClassifierCV(rf(), cv=3), "two")
    yield plain("calibrated_isotonic", CalibratedClassifierCV(rf(), cv=3, method="isotonic"), "three")
    yield plain(
        "calibrated_decisions",
        CalibratedClassifierCV(scaled(LinearSVC(random_state=0)), cv=3),
        "three",
    )
    yield plain(
        "calibrated_boosting",
        CalibratedClassifierCV(
            GradientBoostingClassifier(n_estimators=5, random_state=0), cv=2, method="isotonic"
        ),
        "two",
    )
    if version >= (1, 6):
        from sklearn.frozen import FrozenEstimator

        frame, score = table()
        fitted = rf().fit(frame[NUMBERS], labels(score, "two"))
        yield plain("calibrated_frozen", CalibratedClassifierCV(FrozenEstimator(fitted)), "two")
    if version >= (1, 8):
        yield plain(
            "calibrated_temperature", CalibratedClassifierCV(rf(), cv=3, method="temperature"), "three"
        )
        yield plain(
            "calibrated_temperature_two",
            CalibratedClassifierCV(scaled(LogisticRegression()), cv=3, method="temperature"),
            "two",
        )
    if version >= (1, 5):
        from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

        yield plain("threshold_fixed", FixedThresholdClassifier(rf(), threshold=0.3), "two")
        yield plain(
            "threshold_decision",
            FixedThresholdClassifier(
                scaled(LogisticRegression()), threshold=0.4, response_method="decision_function"
            ),
            "two",
        )
        for method in ("predict_proba", "decision_function"):
            yield plain(
                f"threshold_first_{method}",
                FixedThresholdClassifier(
                    scaled(LogisticRegression()), threshold=0.6, pos_label="no", response_method=method
                ),
                "texts",
            )
        yield plain("threshold_tuned", TunedThresholdClassifierCV(rf(), random_state=0), "two")
    yield plain("grid", GridSearchCV(scaled(SVC()), {"svc__C": [0.5, 1]}, cv=2), "three")
    yield plain(
        "randomized",
        RandomizedSearchCV(
            DecisionTreeClassifier(random_state=0), {"max_depth": [2, 3]}, n_iter=2, random_state=0
        ),
        "two",
    )

    # Targets that are transformed, several classes, several outputs.
    yield plain(
        "target_log",
        TransformedTargetRegressor(scaled(Ridge()), func=np.log, inverse_func=np.exp),
        "positive",
    )
    for name, transformer in (
        ("standard", StandardScaler()),
        ("min_max", MinMaxScaler()),
        ("power", PowerTransformer()),
        ("quantile", QuantileTransformer(n_quantiles=50)),
        ("quantile_normal", QuantileTransformer(n_quantiles=50, output_distribution="normal")),
    ):
        yield plain(
            f"target_{name}",
            TransformedTargetRegressor(scaled(Ridge()), transformer=transformer),
            "value",
        )
    yield plain("rest_logistic", OneVsRestClassifier(scaled(LogisticRegression())), "names")
    yield plain("rest_forest", OneVsRestClassifier(rf()), "three")
    yield plain("rest_two", OneVsRestClassifier(scaled(LogisticRegression())), "two")
    yield plain("rest_svc", OneVsRestClassifier(scaled(LinearSVC(random_state=0))), "three")
    yield plain("rest_flags", OneVsRestClassifier(scaled(LogisticRegression())), "flags")
    yield plain("one_vs_one", OneVsOneClassifier(scaled(LogisticRegression())), "names")
    yield plain("outputs_value", MultiOutputRegressor(Ridge()), "values")
    yield plain("outputs_boosting", MultiOutputRegressor(GradientBoostingRegressor(n_estimators=3, random_state=0)), "values")
    yield plain("outputs_classes", MultiOutputClassifier(rf()), "classes")
    for kind in ("flags", "classes"):
        yield plain(f"tree_{kind}", tree(), kind)
        yield plain(f"forest_{kind}", rf(), kind)
        yield plain(f"extra_trees_{kind}", ExtraTreesClassifier(**small), kind)
        yield plain(f"neighbours_{kind}", scaled(KNeighborsClassifier(4, weights="distance")), kind)
    if version >= (1, 7):
        for method in ("predict_proba", "decision_function"):
            chain = ClassifierChain(scaled(LogisticRegression()), chain_method=method)
            yield plain(f"chain_{method}", chain, "flags")
    yield plain("chain_value", RegressorChain(Ridge(), order=[1, 0]), "values")
    yield plain("chain_flags", ClassifierChain(scaled(LogisticRegression()), order=[1, 0]), "flags")

    # Trees with categories.
    if version >= (1, 0):
        coded = lambda last: make_pipeline(
            ColumnTransformer(
                [
                    (
                        "cat",
                        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan),
                        TEXTS,
                    )
                ],
                remainder="passthrough",
            ),
            last,
        )
        for kind in ("two", "three"):
            last = HistGradientBoostingClassifier(max_iter=8, categorical_features=[0, 1])
            yield (f"categories_{kind}", coded(last), kind, TEXTS + NUMBERS, True)
        last = HistGradientBoostingRegressor(max_iter=8, categorical_features=[0, 1])
        yield ("categories_value", coded(last), "value", TEXTS + NUMBERS, True)
    if version >= (1, 4):
        last = HistGradientBoostingClassifier(max_iter=8, categorical_features="from_dtype")
        yield ("categories_dtype", last, "three", NUMBERS + TEXTS, True)

    # Other models.
    for activation in ("relu", "tanh", "logistic", "identity"):
        network = MLPClassifier((8, 5), activation=activation, max_iter=60, random_state=0)
        yield plain(f"network_{activation}", scaled(network), "three")
    yield plain("network_two", scaled(MLPClassifier((6,), max_iter=60, random_state=0)), "texts")
    yield plain("network_value", scaled(MLPRegressor(hidden_layer_sizes=(6,), max_iter=60, random_state=0)), "value")
    yield plain("network_values", scaled(MLPRegressor(hidden_layer_sizes=(6,), max_iter=60, random_state=0)), "values")
    yield plain("network_flags", scaled(MLPClassifier((6,), max_iter=60, random_state=0)), "flags")
    yield plain("bayes_gaussian", GaussianNB(), "names")
    yield plain("bayes_gaussian_two", GaussianNB(), "two")
    yield plain("bayes_multinomial", make_pipeline(MinMaxScaler(), MultinomialNB()), "three")
    yield plain("bayes_complement", make_pipeline(MinMaxScaler(), ComplementNB()), "three")
    yield plain("bayes_bernoulli", scaled(BernoulliNB(binarize=0.2)), "three")
    bins = KBinsDiscretizer(n_bins=4, encode="ordinal", strategy="quantile")
    yield plain("bayes_categorical", make_pipeline(bins, CategoricalNB()), "three")
    yield plain("quadratic", scaled(QuadraticDiscriminantAnalysis()), "three")
    yield plain("quadratic_two", scaled(QuadraticDiscriminantAnalysis()), "two")
    yield plain("discriminant_two", scaled(LinearDiscriminantAnalysis()), "two")
    yield plain("neighbours", scaled(KNeighborsClassifier()), "three")
    yield plain("neighbours_two", scaled(KNeighborsClassifier(7, weights="distance")), "texts")
    yield plain("neighbours_brute", scaled(KNeighborsClassifier(p=1, algorithm="brute")), "names")
    yield plain("neighbours_value", scaled(KNeighborsRegressor(weights="distance")), "value")
    yield plain("neighbours_values", scaled(KNeighborsRegressor(metric="manhattan")), "values")
    for name, options in (
        ("weighted", dict(p=3, metric_params={"w": np.array([1.0, 0.5, 2.0])})),
        ("standardised", dict(metric="seuclidean", metric_params={"V": np.array([1.0, 2.0, 3.0])})),
        ("squared", dict(metric="sqeuclidean")),
        ("canberra", dict(metric="canberra")),
        ("bray_curtis", dict(metric="braycurtis")),
        ("correlation", dict(metric="correlation")),
        (
            "mahalanobis",
            dict(
                metric="mahalanobis",
                metric_params={"VI": np.array([[1.0, 0.2, 0.0], [0.2, 2.0, 0.1], [0.0, 0.1, 3.0]])},
            ),
        ),
    ):
        if name != "weighted" or version >= (1, 2):
            last = KNeighborsRegressor(4, algorithm="brute", **options)
            yield plain(f"neighbours_{name}", scaled(last), "value")
    # Two rows have no neighbours; one of the labels is none of the classes.
    for name, kind, label in (("two", "texts", "no"), ("new", "three", -7), ("most", "names", "most_frequent")):
        last = RadiusNeighborsClassifier(0.8, outlier_label=label, weights="distance")
        yield plain(f"radius_{name}", scaled(last), kind)
    yield plain("centroid", scaled(NearestCentroid()), "names")
    yield plain("centroid_manhattan", scaled(NearestCentroid(metric="manhattan")), "names")
    for kernel in ("rbf", "linear", "poly", "sigmoid"):
        yield plain(f"svc_{kernel}", scaled(SVC(kernel=kernel)), "three")
    yield plain("svc_two", scaled(SVC()), "texts")
    yield plain("svc_ties", scaled(SVC(break_ties=True)), "three")
    if version < (1, 9):
        yield plain("svc_odds", scaled(SVC(probability=True, random_state=0)), "names")
        yield plain("svc_odds_two", scaled(SVC(probability=True, random_state=0)), "two")
    yield plain("nu_svc", scaled(NuSVC(nu=0.3)), "two")
    yield plain("svr", scaled(SVR()), "value")
    yield plain("nu_svr", scaled(NuSVR(kernel="linear")), "value")
    yield plain("sgd_huber", scaled(SGDClassifier(loss="modified_huber", random_state=0)), "three")
    yield plain("sgd_huber_two", scaled(SGDClassifier(loss="modified_huber", random_state=0)), "two")
    yield plain("k_means", scaled(KMeans(4, n_init=2, random_state=0)), "none")
    yield plain("k_means_batches", scaled(MiniBatchKMeans(3, n_init=2, random_state=0)), "none")
    for shape in ("full", "tied", "diag", "spherical"):
        mixture = GaussianMixture(3, covariance_type=shape, random_state=0)
        yield plain(f"mixture_{shape}", scaled(mixture), "none")
    yield plain("isolation", IsolationForest(n_estimators=20, random_state=0), "none")
    yield plain(
        "isolation_features",
        IsolationForest(n_estimators=9, max_features=2, max_samples=64, contamination=0.1, random_state=0),
        "none",
    )
    yield plain("one_class", scaled(OneClassSVM(nu=0.2)), "none")
    yield plain("elliptic", scaled(EllipticEnvelope(random_state=0)), "none")
    yield plain("local_factor", scaled(LocalOutlierFactor(novelty=True)), "none")
    if version >= (1, 0):
        from sklearn.linear_model import SGDOneClassSVM

        yield plain("one_class_sgd", scaled(SGDOneClassSVM(random_state=0)), "none")
    for strategy in ("prior", "most_frequent"):
        yield plain(f"dummy_{strategy}", DummyClassifier(strategy=strategy), "names", True)
    yield plain("dummy_constant", DummyClassifier(strategy="constant", constant="no"), "texts", True)
    yield plain("dummy_mean", DummyRegressor(), "value", True)

    # Transformers.
    for name, step in (
        ("pca", PCA(2)),
        ("pca_whiten", PCA(2, whiten=True)),
        ("incremental_pca", IncrementalPCA(2)),
        ("svd", TruncatedSVD(2, random_state=0)),
        ("ica", FastICA(2, random_state=0, **({"whiten": "unit-variance"} if version >= (1, 1) else {}))),
        ("polynomial", PolynomialFeatures(3)),
        ("interactions", PolynomialFeatures(2, interaction_only=True, include_bias=False)),
        ("normalizer", Normalizer()),
        ("normalizer_max", Normalizer("max")),
        ("bins", KBinsDiscretizer(4, strategy="uniform")),
        ("bins_ordinal", KBinsDiscretizer(3, encode="ordinal", strategy="kmeans")),
        ("quantiles", QuantileTransformer(n_quantiles=40)),
        ("quantiles_normal", QuantileTransformer(n_quantiles=40, output_distribution="normal")),
        ("power", PowerTransformer()),
        ("box_cox", make_pipeline(MinMaxScaler((1, 2)), PowerTransformer(method="box-cox"))),
        ("k_means_distances", KMeans(3, n_init=2, random_state=0)),
        ("discriminant_axes", LinearDiscriminantAnalysis(n_components=1)),
        ("k_best", SelectKBest(f_classif, k=2)),
        ("percentile", SelectPercentile(f_classif, percentile=50)),
        ("discoveries", SelectFdr(f_classif, alpha=0.2)),
        ("variance", VarianceThreshold(0.5)),
        ("eliminated", RFE(LogisticRegression(), n_features_to_select=2)),
        ("from_linear", SelectFromModel(LogisticRegression())),
        ("from_ada", SelectFromModel(AdaBoostClassifier(n_estimators=4, random_state=0))),
        ("from_forest", SelectFromModel(RandomForestClassifier(**small))),
        ("from_boosting", SelectFromModel(GradientBoostingClassifier(n_estimators=4, random_state=0), threshold="0.5*median")),
    ):
        first = step if name == "box_cox" else scaled(step)
        yield plain(f"step_{name}", make_pipeline(first, LogisticRegression(max_iter=500)), "two")
    if version >= (1, 0):
        from sklearn.preprocessing import SplineTransformer

        for beyond in ("constant", "linear", "continue", "periodic"):
            spline = SplineTransformer(n_knots=4, extrapolation=beyond)
            yield plain(f"spline_{beyond}", scaled(spline, Ridge()), "value")
        spline = SplineTransformer(n_knots=3, degree=2, knots="quantile", include_bias=False)
        yield plain("spline_quadratic", scaled(spline, Ridge()), "value")
    for name in (
        "sign tan arcsin arccos arctan sinh cosh arcsinh arctanh exp2 positive reciprocal floor ceil trunc "
        "rint deg2rad rad2deg scipy.expit scipy.logit scipy.erf scipy.erfc scipy.ndtr"
    ).split():
        found = getattr(np, name) if "." not in name else getattr(scipy.special, name.split(".")[1])
        steps = make_pipeline(MinMaxScaler((0.05, 0.95), clip=True), FunctionTransformer(found))
        yield plain(f"function_{name.split('.')[-1]}", make_pipeline(steps, Ridge()), "value")
    # Numbers that a step made are categories: others are an error.
    bins = KBinsDiscretizer(4, encode="ordinal", strategy="uniform")
    yield plain("bins_one_hot", make_pipeline(bins, OneHotEncoder(), Ridge()), "value")
    columns = NUMBERS + TEXTS
    if version >= (1, 3):
        from sklearn.preprocessing import TargetEncoder

        yield ("target_encoder", mixed(Ridge(), text=TargetEncoder(random_state=0)), "value", columns, True)
        yield (
            "target_encoder_two",
            mixed(LogisticRegression(), text=TargetEncoder(random_state=0)),
            "two",
            columns,
            True,
        )
    if version >= (1, 4):
        yield (
            "target_encoder_three",
            mixed(LogisticRegression(), text=TargetEncoder(random_state=0)),
            "three",
            columns,
            True,
        )
    if version >= (1, 1):
        rare = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=3)
        yield ("rare_one_hot", mixed(LogisticRegression(), text=rare), "two", columns, True)
    if version >= (1, 3):
        rare = OrdinalEncoder(
            min_frequency=20, handle_unknown="use_encoded_value", unknown_value=-1,
            encoded_missing_value=-2,
        )
        yield ("rare_ordinal", mixed(rf(), text=rare), "two", columns, True)
    yield ("mixed_voting", mixed(VotingClassifier(members(), voting="soft")), "two", columns, True)
    if version >= (1, 0):
        yield ("mixed_calibrated", CalibratedClassifierCV(mixed(rf()), cv=2), "texts", columns, True)
    steps = [("num", MinMaxScaler(), NUMBERS), ("cat", OneHotEncoder(handle_unknown="ignore"), TEXTS)]
    sparse = ColumnTransformer(steps, sparse_threshold=1.0)
    last = KNeighborsRegressor(3)
    yield ("sparse_neighbours", make_pipeline(sparse, last), "value", columns, False)
    yield ("mixed_stacking", mixed(StackingClassifier(members()[:2], cv=2)), "three", columns, True)
    yield plain("transform_scaler", StandardScaler(), "none", True)
    # A scaler stores its mean even where it doesn't subtract it.
    parts = [
        ("unmeaned", StandardScaler(with_mean=False)),
        ("unscaled", StandardScaler(with_std=False)),
        ("uncentred", RobustScaler(with_centering=False)),
        ("centred", RobustScaler(with_scaling=False)),
        ("largest", MaxAbsScaler(clip=True) if version >= (1, 9) else MaxAbsScaler()),
    ]
    yield plain("union_scalers", make_pipeline(FeatureUnion(parts), Ridge()), "value")
    target = TransformedTargetRegressor(scaled(Ridge()), transformer=StandardScaler(with_mean=False))
    yield plain("target_unmeaned", target, "value")
    yield plain("transform_pca", scaled(PCA(2)), "none")
    yield ("transform_mixed", mixed(), "none", columns, True)
    yield from texts()
    yield from boosters(version, mixed, columns)


def texts():
    """Vectorisers: of the column of notes alone, and next to numbers."""
    from sklearn.compose import ColumnTransformer
    from sklearn.decomposition import TruncatedSVD
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.feature_extraction.text import (
        CountVectorizer,
        HashingVectorizer,
        TfidfTransformer,
        TfidfVectorizer,
    )
    from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
    from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from sklearn.svm import SVC, SVR, LinearSVC

    notes = ["note"]
    sgd = SGDClassifier(random_state=0)
    for name, steps, kind in (
        ("tfidf", (TfidfVectorizer(), LogisticRegression()), "two"),
        ("tfidf_ngrams", (TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression()), "names"),
        ("tfidf_stop", (TfidfVectorizer(stop_words="english", ngram_range=(1, 3), strip_accents="unicode"), Ridge()), "value"),
        ("tfidf_char", (TfidfVectorizer(analyzer="char", ngram_range=(1, 3)), LinearSVC(random_state=0)), "three"),
        ("tfidf_char_wb", (TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), norm="l1"), sgd), "three"),
        ("tfidf_ascii", (TfidfVectorizer(strip_accents="ascii", use_idf=False), Ridge()), "value"),
        ("tfidf_pattern", (TfidfVectorizer(token_pattern="[a-z]+", stop_words=["the"]), Ridge()), "value"),
        ("count", (CountVectorizer(), MultinomialNB()), "names"),
        ("count_two", (CountVectorizer(binary=True), ComplementNB()), "two"),
        ("count_bernoulli", (CountVectorizer(), BernoulliNB()), "three"),
        ("count_tfidf", (CountVectorizer(), TfidfTransformer(), MultinomialNB()), "texts"),
        ("tfidf_scaled", (TfidfVectorizer(), StandardScaler(with_mean=False), Ridge()), "value"),
        ("count_svd", (CountVectorizer(), TruncatedSVD(3, random_state=0), LogisticRegression()), "two"),
        ("count_forest", (CountVectorizer(), RandomForestClassifier(n_estimators=5, random_state=0)), "three"),
        # Estimators that keep rows of training, which are sparse.
        ("svc", (TfidfVectorizer(), SVC()), "three"),
        ("svc_poly", (CountVectorizer(), SVC(kernel="poly", degree=2)), "texts"),
        ("svr", (TfidfVectorizer(), SVR(kernel="linear")), "value"),
        ("tokens_bounds", (CountVectorizer(token_pattern=r"\b[a-zA-Z]{2,}\b"), Ridge()), "value"),
        ("tokens_group", (CountVectorizer(token_pattern=r"(\w+)'?[^\W\d]?"), Ridge()), "value"),
        ("hashing", (HashingVectorizer(n_features=64), LogisticRegression()), "two"),
        ("hashing_counts", (HashingVectorizer(n_features=32, alternate_sign=False, norm=None, binary=True), Ridge()), "value"),
    ):
        yield (f"notes_{name}", make_pipeline(*steps), kind, notes, False)
    prepared = lambda *steps: make_pipeline(
        ColumnTransformer(
            [
                ("note", TfidfVectorizer(), "note"),
                ("city", OneHotEncoder(handle_unknown="ignore"), ["city"]),
                ("num", StandardScaler(), ["ratio"]),
            ]
        ),
        *steps,
    )
    columns = ["ratio", "city", "note"]
    yield ("notes_mixed", prepared(LogisticRegression()), "texts", columns, False)
    yield ("notes_mixed_forest", prepared(RandomForestClassifier(n_estimators=5, random_state=0)), "three", columns, False)


def components(version, plain, scaled):
    """Decompositions, clusterings and classifiers beyond the plain products and trees."""
    import sklearn.cluster as cluster
    from sklearn.cross_decomposition import PLSSVD
    from sklearn.decomposition import (
        FactorAnalysis,
        KernelPCA,
        LatentDirichletAllocation,
        MiniBatchSparsePCA,
        SparsePCA,
    )
    from sklearn.ensemble import RandomTreesEmbedding
    from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
    from sklearn.feature_selection import RFE, RFECV, GenericUnivariateSelect, f_classif
    from sklearn.gaussian_process import GaussianProcessClassifier
    from sklearn.gaussian_process import kernels as k
    from sklearn.isotonic import IsotonicRegression
    from sklearn.kernel_approximation import AdditiveChi2Sampler, SkewedChi2Sampler
    from sklearn.linear_model import LogisticRegression, RANSACRegressor, Ridge
    from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
    from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier, NeighborhoodComponentsAnalysis
    from sklearn.neural_network import BernoulliRBM
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler
    from sklearn.random_projection import SparseRandomProjection
    from sklearn.semi_supervised import LabelPropagation, LabelSpreading, SelfTrainingClassifier
    from sklearn.tree import DecisionTreeClassifier

    for name, step in [
        ("factor_analysis", FactorAnalysis(2, random_state=0)),
        ("sparse_pca", SparsePCA(2, random_state=0)),
        ("sparse_pca_batches", MiniBatchSparsePCA(2, random_state=0)),
        ("kernel_pca_rbf", KernelPCA(3, kernel="rbf", gamma=0.2)),
        ("kernel_pca_poly", KernelPCA(2, kernel="poly", degree=2)),
        ("kernel_pca_cosine", KernelPCA(2, kernel="cosine")),
        ("neighborhood", NeighborhoodComponentsAnalysis(2, max_iter=5, random_state=0)),
        ("agglomeration", cluster.FeatureAgglomeration(2)),
        ("agglomeration_max", cluster.FeatureAgglomeration(2, pooling_func=np.max)),
        ("birch_distances", cluster.Birch(n_clusters=3)),
        ("embedding", RandomTreesEmbedding(5, max_depth=3, random_state=0)),
        ("projection_sparse", SparseRandomProjection(2, density=0.7, random_state=0)),
        ("generic_percentile", GenericUnivariateSelect(f_classif, mode="percentile", param=40)),
        ("generic_fdr", GenericUnivariateSelect(f_classif, mode="fdr", param=0.05)),
    ]:
        yield plain(f"part_{name}", scaled(step, LogisticRegression()), "three")
        if "birch" not in name:
            yield plain(f"made_{name}", scaled(step), "three")
    unit = lambda *steps: make_pipeline(MinMaxScaler(clip=True), *steps)
    yield plain("rbm", unit(BernoulliRBM(4, random_state=0, n_iter=3), LogisticRegression()), "two")
    yield plain("chi2_additive", unit(AdditiveChi2Sampler(sample_steps=2), Ridge()), "value")
    yield plain("chi2_skewed", unit(SkewedChi2Sampler(n_components=7, random_state=0), Ridge()), "value")
    yield plain("topics_numbers", unit(LatentDirichletAllocation(3, random_state=0, max_iter=2), Ridge()), "value")
    yield plain("tfidf_numbers", unit(TfidfTransformer(sublinear_tf=False), Ridge()), "value")
    topics = LatentDirichletAllocation(3, random_state=0, max_iter=2)
    topics = make_pipeline(CountVectorizer(), topics, LogisticRegression())
    yield ("notes_topics", topics, "texts", ["note"], False)
    yield plain("pls_svd", make_pipeline(PLSSVD(1)), "value")

    yield plain("birch", scaled(cluster.Birch(n_clusters=3)), "none")
    yield plain("birch_all", scaled(cluster.Birch(n_clusters=None, threshold=0.9)), "none")
    if version >= (1, 1):
        yield plain("bisecting", scaled(cluster.BisectingKMeans(5, random_state=0)), "none")
    for kind in ("full", "tied", "diag", "spherical"):
        mixture = BayesianGaussianMixture(n_components=3, covariance_type=kind, random_state=0)
        yield plain(f"mixture_bayes_{kind}", scaled(mixture), "none")
    prior = "dirichlet_distribution"
    mixture = BayesianGaussianMixture(n_components=2, weight_concentration_prior_type=prior, random_state=0)
    yield plain("mixture_bayes_prior", scaled(mixture), "none")
    yield plain("mixture_one", scaled(GaussianMixture(1, random_state=0)), "none")

    process = GaussianProcessClassifier
    yield plain("process_two", scaled(process(2.0 * k.RBF([1.0, 2.0, 3.0]), random_state=0)), "two")
    yield plain("process_three", scaled(process(random_state=0)), "names")
    noise = k.Matern(nu=1.5) + k.WhiteKernel(0.5) + k.DotProduct()
    yield plain("process_noise", scaled(process(noise, random_state=0)), "texts")

    yield plain("rfe_predicts", RFE(LogisticRegression(), n_features_to_select=2), "two")
    yield plain("rfe_cv_predicts", RFECV(DecisionTreeClassifier(max_depth=3, random_state=0), cv=3), "three")
    yield plain("ransac", RANSACRegressor(random_state=0), "value")
    yield ("isotonic", IsotonicRegression(out_of_bounds="clip"), "value", ["ratio"], False)
    yield ("isotonic_bounds", IsotonicRegression(increasing="auto"), "value", ["ratio"], False)
    yield plain("output_codes", OutputCodeClassifier(scaled(LogisticRegression()), random_state=0), "names")
    yield plain("output_codes_odds", OutputCodeClassifier(GaussianNB(), code_size=2, random_state=0), "three")
    for name, last in [("propagation", LabelPropagation), ("spreading", LabelSpreading)]:
        yield plain(f"{name}_rbf", scaled(last(gamma=2.0, max_iter=2000)), "three")
        yield plain(f"{name}_knn", scaled(last(kernel="knn", n_neighbors=5, max_iter=2000)), "two")
    # Those that have no decisions are calibrated by their probabilities.
    from sklearn.calibration import CalibratedClassifierCV

    for name, inner in [
        ("bayes", GaussianNB()),
        ("rest", OneVsRestClassifier(LogisticRegression())),
        ("rest_bayes", OneVsRestClassifier(GaussianNB())),
    ]:
        yield plain(f"calibrated_{name}_two", CalibratedClassifierCV(inner, cv=2), "two")
        steps = CalibratedClassifierCV(scaled(inner), cv=2, method="isotonic")
        yield plain(f"calibrated_{name}_three", steps, "three")
    yield plain("rest_bayes", OneVsRestClassifier(GaussianNB()), "three")
    # Two classes often have one neighbour each: up to 1.7 the last of them is predicted.
    yield plain("rest_ties", OneVsRestClassifier(scaled(KNeighborsClassifier(2))), "three")
    yield plain("pairs_bayes", OneVsOneClassifier(GaussianNB()), "names")
    yield plain("self_training", SelfTrainingClassifier(GaussianNB()), "two")
    yield plain("self_training_steps", scaled(SelfTrainingClassifier(GaussianNB())), "two")
    yield plain("rest_process", OneVsRestClassifier(scaled(process(random_state=0))), "three")


def boosters(version, mixed, columns):
    """Estimators of other libraries, where they are installed."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import VotingClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, OneHotEncoder

    small = dict(n_estimators=6, max_depth=3, random_state=0)
    # Many zeros: one in a sparse matrix is a missing value for XGBoost.
    sparse = lambda last: make_pipeline(
        ColumnTransformer(
            [("num", MinMaxScaler(), NUMBERS), ("cat", OneHotEncoder(handle_unknown="ignore"), TEXTS)],
            sparse_threshold=1.0,
        ),
        last,
    )
    try:
        from xgboost import XGBClassifier, XGBRegressor

        yield ("xgb_two", XGBClassifier(**small), "two", NUMBERS, True)
        yield ("xgb_three", XGBClassifier(**small), "three", NUMBERS, True)
        yield ("xgb_value", XGBRegressor(**small), "value", NUMBERS, True)
        yield ("xgb_missing", XGBRegressor(missing=-1.0, **small), "value", NUMBERS, False)
        yield ("xgb_booster", "xgb", "two", NUMBERS, True)
        yield ("xgb_sparse", sparse(XGBClassifier(**small)), "three", columns, False)
        yield ("xgb_notes", make_pipeline(TfidfVectorizer(), XGBClassifier(**small)), "two", ["note"], False)
        yield ("xgb_mixed", mixed(XGBClassifier(**small)), "three", columns, True)
        yield ("xgb_calibrated", CalibratedClassifierCV(XGBClassifier(**small), cv=2), "two", NUMBERS, True)
    except ImportError:
        pass
    try:
        from lightgbm import LGBMClassifier, LGBMRegressor
        from sklearn.multiclass import OneVsRestClassifier, OutputCodeClassifier

        small = dict(n_estimators=6, max_depth=3, random_state=0, verbose=-1)
        yield ("lgbm_two", LGBMClassifier(**small), "texts", NUMBERS, True)
        yield ("lgbm_three", LGBMClassifier(**small), "names", NUMBERS, True)
        yield ("lgbm_value", LGBMRegressor(**small), "value", NUMBERS, True)
        yield ("lgbm_booster", "lgbm", "value", NUMBERS, True)
        yield ("lgbm_sparse", sparse(LGBMClassifier(**small)), "three", columns, False)
        yield ("lgbm_mixed", mixed(LGBMClassifier(**small)), "names", columns, True)
        # These ask for decisions first, which LightGBM's classifier has from 4.7 on.
        yield ("lgbm_calibrated", CalibratedClassifierCV(LGBMClassifier(**small), cv=2), "three", NUMBERS, True)
        yield ("lgbm_codes", OutputCodeClassifier(LGBMClassifier(**small), random_state=0), "three", NUMBERS, True)
        # LightGBM stores a blank in a name as `_`.
        yield ("lgbm_blanks", LGBMClassifier(**small), "names", NUMBERS, True)
        yield ("lgbm_blanks_rest", OneVsRestClassifier(LGBMClassifier(**small)), "three", NUMBERS, True)
        yield (
            "lgbm_voting",
            VotingClassifier([("a", LGBMClassifier(**small)), ("b", LGBMClassifier(**small))], voting="soft"),
            "three",
            NUMBERS,
            True,
        )
    except ImportError:
        pass
    try:
        from catboost import CatBoostClassifier, CatBoostRegressor

        small = dict(iterations=6, depth=3, random_seed=0, verbose=0, allow_writing_files=False)
        yield ("cat_two", CatBoostClassifier(**small), "texts", NUMBERS, True)
        yield ("cat_three", CatBoostClassifier(**small), "three", NUMBERS, True)
        yield ("cat_value", CatBoostRegressor(**small), "value", NUMBERS, True)
        yield ("cat_features", CatBoostClassifier(cat_features=TEXTS, **small), "two", columns, False)
        yield ("cat_sparse", sparse(CatBoostClassifier(**small)), "texts", columns, False)
        yield ("cat_mixed", mixed(CatBoostClassifier(**small)), "texts", columns, True)
    except ImportError:
        pass


def spelt(name, frame):
    """The frame with the names that the case is about."""
    return frame.add_suffix(" a year") if "blanks" in name else frame


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
    if "ratio" in columns:
        frame["ratio"] = frame["ratio"].astype(np.float32).astype(float)
        # Beyond what training saw.
        frame.loc[3, "ratio"] = 6.5
        frame.loc[4, "ratio"] = -5.25
    return frame


def expected(model, frame, kind):
    from sklearn.base import is_classifier, is_outlier_detector

    frame = frame.copy()
    for column in frame:
        if frame[column].dtype == object or str(frame[column].dtype) == "str":
            frame[column] = frame[column].astype(object)
            frame[column] = frame[column].where(frame[column].notna(), np.nan)
    if list(frame) == ["note"]:
        frame = frame["note"]
    if type(model).__module__.startswith(("lightgbm.basic", "xgboost.core")):
        if type(model).__module__.startswith("xgboost"):
            import xgboost

            odds = model.predict(xgboost.DMatrix(frame))
            return pd.DataFrame({"probability": odds, "prediction": (odds > 0.5).astype(int)})
        return pd.DataFrame({"prediction": model.predict(frame)})
    if not hasattr(model, "predict"):
        found = model.transform(frame)
        found = found.toarray() if hasattr(found, "toarray") else np.asarray(found)
        return pd.DataFrame({f"#{index}": found[:, index] for index in range(found.shape[1])})
    found = {}
    prediction = np.asarray(model.predict(frame))
    if prediction.ndim == 2 and prediction.shape[1] == 1:
        prediction = prediction.ravel()
    if prediction.dtype == np.int32:
        # Numbers of clusters.
        prediction = prediction.astype(np.int64)
    outlier = hasattr(model, "decision_function") and set(np.unique(prediction)) <= {-1, 1}
    if kind == "none" and outlier and hasattr(model, "score_samples"):
        return pd.DataFrame({"prediction": prediction, "score": model.decision_function(frame)})
    if kind in ("values", "flags", "classes"):
        flags = kind == "flags" and "OneVsRest" in str(model) or "MLPClassifier" in str(model)
        for index in range(prediction.shape[1]):
            found[f"prediction_{index}"] = prediction[:, index]
        if hasattr(model, "predict_proba"):
            odds = model.predict_proba(frame)
            for index in range(prediction.shape[1]):
                own = odds[index] if isinstance(odds, list) else odds[:, index]
                if own.ndim == 1:
                    found[f"probability_{index}"] = own
                elif own.shape[1] == 2:
                    found[f"probability_{index}"] = own[:, 1]
                else:
                    for other in range(own.shape[1]):
                        found[f"probability_{index}_{other}"] = own[:, other]
        return pd.DataFrame(found)
    found["prediction"] = prediction
    if hasattr(model, "predict_proba") and (kind == "none" or is_classifier(model)):
        try:
            odds = model.predict_proba(frame)
        except AttributeError:
            return pd.DataFrame(found)
        names = [str(label) for label in getattr(model, "classes_", range(odds.shape[1]))]
        if len(names) == 2:
            found["probability"] = odds[:, 1]
        else:
            found.update((f"probability_{name}", odds[:, index]) for index, name in enumerate(names))
    return pd.DataFrame(found)


def fitted(name, model, kind, columns):
    frame, score = table()
    frame = spelt(name, frame[columns].copy())
    target = labels(score, kind)
    if "imputer" in name or "indicator" in name:
        # Training has gaps too; `ratio` has none.
        rng = np.random.RandomState(SEED + 2)
        for column in sorted({"age", "income"} & set(columns)):
            frame.loc[rng.rand(len(frame)) < 0.1, column] = np.nan
    if name == "categories_dtype":
        for column in TEXTS:
            frame[column] = frame[column].astype("category")
    if isinstance(model, str):
        if model == "xgb":
            import xgboost

            data = xgboost.DMatrix(frame, target)
            return xgboost.train({"objective": "binary:logistic", "max_depth": 3}, data, 5)
        import lightgbm

        return lightgbm.train({"verbose": -1}, lightgbm.Dataset(frame, target), 5)
    if columns == ["note"]:
        frame = frame["note"]
    if "process" in name and name != "gaussian_process":
        # They keep a matrix of rows by rows.
        frame, target = frame.head(60), target if target is None else target[:60]
    return model.fit(frame, target) if target is not None else model.fit(frame)


def make(folder):
    import joblib
    import sklearn

    folder = pathlib.Path(folder)
    for name, model, kind, columns, missing in cases():
        room = folder / f"{name}@{sklearn.__version__}"
        room.mkdir(parents=True, exist_ok=True)
        try:
            model = fitted(name, model, kind, columns)
            frame = spelt(name, rows(columns, missing))
            shown = frame
            if name == "categories_dtype":
                shown = frame.copy()
                training, _ = table()
                for column in TEXTS:
                    shown[column] = pd.Categorical(shown[column], categories=sorted(training[column].unique()))
                truth = expected_of_categories(model, shown, kind)
            else:
                truth = expected(model, frame, kind)
        except Exception as error:
            (room / "failed.txt").write_text(f"{type(error).__name__}: {error}")
            continue
        keep_case(room, model, frame, truth, columns, sklearn.__version__)


def expected_of_categories(model, frame, kind):
    odds = model.predict_proba(frame)
    found = {"prediction": model.predict(frame)}
    found.update((f"probability_{name}", odds[:, index]) for index, name in enumerate(model.classes_))
    return pd.DataFrame(found)


def save(frame, path):
    """Writes a small file: zstd, and nothing of pandas."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    texts = [field.name for field in found.schema if "string" in str(field.type)]
    pq.write_table(found, path, compression="zstd", compression_level=19, use_dictionary=texts, write_statistics=False)


def dump(model, room):
    """Saves the model as the room's name says; gives the file's name."""
    if room.name.endswith("_skops"):
        import skops.io

        skops.io.dump(model, room / "model.skops", compression=zipfile.ZIP_DEFLATED, compresslevel=9)
        return "model.skops"
    if room.name.endswith("_pickle"):
        (room / "model.pkl").write_bytes(pickle.dumps(model))
        return "model.pkl"
    import joblib

    joblib.dump(model, room / "model.joblib", compress=("zlib", 9))
    return "model.joblib"


def keep_case(room, model, frame, truth, columns, version):
    saved = dump(model, room)
    if not type(model).__module__.startswith("xgboost"):
        # In a pipeline all numbers are doubles.
        truth = truth.astype({name: float for name in truth if truth[name].dtype == np.float32})
    save(frame, room / "input.parquet")
    save(truth, room / "expected.parquet")
    module = type(model).__module__
    named = since() >= (1, 0) or module.startswith(("xgboost", "lightgbm"))
    # Dummies do not say how many columns they read, from 1.0 to 1.4.
    named &= since() >= (1, 5) or not module.startswith("sklearn.dummy")
    named &= columns != ["note"] and "IsotonicRegression" not in str(model)
    # Up to 1.2 these fit LightGBM on an array, and have no names themselves.
    named &= since() >= (1, 3) or room.name.split("@")[0] not in ("lgbm_blanks_rest", "lgbm_calibrated", "lgbm_codes")
    arguments = [] if named else ["--features", ",".join(frame)]
    boosted = any(part in str(model).lower() for part in ("xgb", "xgboost"))
    # scikit-learn computes where these start in single precision.
    boosted |= room.name.startswith("start_single") or "_start_single" in room.name
    # Sums of large terms that nearly cancel, whose order is that of the library for matrices.
    summed = any(name in str(model) for name in ("KernelRidge", "KNNImputer", "GaussianProcess", "KernelPCA"))
    # Distances of rows near a centre, by products that cancel.
    cancelled = "Birch" in str(model)
    case = {
        "model": saved,
        "tolerance": 1e-6 if boosted or cancelled else 1e-9 if summed else 1e-12,
        "raw": False,
        "arguments": arguments,
    }
    (room / "case.json").write_text(json.dumps(case) + "\n")
    (room / "ORIGIN.md").write_text(
        f"# {room.name}\n\nMade by `data/golden/sklearn_families.py` with scikit-learn {version} and "
        f"numpy {np.__version__}; the expected numbers are scikit-learn's.\n"
    )


def difference(truth, found, tolerance):
    if len(truth) != len(found):
        return f"{len(found)} rows instead of {len(truth)}"
    if any(str(name).startswith("#") for name in truth):
        if truth.shape[1] != found.shape[1]:
            return f"{found.shape[1]} columns instead of {truth.shape[1]}"
        found = found.set_axis(list(truth), axis=1)
    if set(truth) != set(found):
        return f"columns {list(found)} instead of {list(truth)}"
    worst = 0.0
    for column in truth:
        one, other = truth[column].to_numpy(), found[column].to_numpy()
        if one.dtype.kind in "OUT" or str(one.dtype) == "str":
            if (one.astype(str) != other.astype(str)).any():
                return f"{column}: another label"
            continue
        one, other = one.astype(float), other.astype(float)
        if np.isnan(one).sum() != np.isnan(other).sum():
            return f"{column}: missing values differ"
        scale = np.maximum(np.abs(one), 1e-3)
        worst = max(worst, float(np.nanmax(np.abs(one - other) / scale, initial=0.0)))
    return worst


def score(folder, tallow):
    folder = pathlib.Path(folder).resolve()
    worst = {}
    for room in sorted(folder.iterdir()):
        if not (room / "case.json").exists():
            if (room / "failed.txt").exists():
                print(f"{room.name:36} not made: {(room / 'failed.txt').read_text()[:160]}")
            continue
        case = json.loads((room / "case.json").read_text())
        out = room / "out.parquet"
        arguments = ["score", "--model", "model.joblib", "input.parquet", "--output", "out.parquet"]
        arguments += ["--passthrough", "none", "--quiet", "--overwrite", *case["arguments"]]
        run = subprocess.run([tallow, *arguments], cwd=room, capture_output=True, text=True)
        if run.returncode:
            worst[room.name] = " ".join(run.stderr.split())[:220]
            continue
        truth, found = pd.read_parquet(room / "expected.parquet"), pd.read_parquet(out)
        one = difference(truth, found, case["tolerance"])
        good = isinstance(one, float) and one <= case["tolerance"]
        worst[room.name] = one if good else f"! {one}"
    for name, one in worst.items():
        if not isinstance(one, float):
            print(f"{name:36} {one}")
    by_version = collections.defaultdict(lambda: [0, 0, 0.0])
    for name, one in worst.items():
        counts = by_version[name.split("@")[1]]
        counts[1] += 1
        if isinstance(one, float):
            counts[0] += 1
            counts[2] = max(counts[2], one)
    print("\n| scikit-learn | pipelines | within tolerance | largest difference |\n|---|---|---|---|")
    for version, (good, count, largest) in sorted(by_version.items(), key=lambda one: [int(part) for part in one[0].split(".")]):
        print(f"| {version} | {count} | {good} | {largest:.1e} |")
    good = sum(isinstance(one, float) for one in worst.values())
    print(f"{good} of {len(worst)}")
    return good == len(worst)


KEPT = (
    "start_two",
    "start_three",
    "start_single",
    "radius_new",
    "radius_most",
    "target_quantile_normal",
    "calibrated_bagged",
    "bins_one_hot",
    "function_sign",
    "function_ndtr",
    "calibrated_pairs",
    "step_from_ada",
    "notes_svc",
    "notes_svc_poly",
    "sparse_neighbours",
    "notes_tokens_bounds",
    "xgb_sparse",
    "xgb_notes",
    "voting_weights",
    "stacking_three",
    "bagging_features",
    "ada_three",
    "calibrated_isotonic",
    "calibrated_bayes_two",
    "calibrated_rest_three",
    "pairs_bayes",
    "target_log",
    "rest_flags",
    "categories_three",
    "svc_odds",
    "isolation",
    "rare_one_hot",
    "knn_imputer_distance",
    "iterative_imputer",
    "kernel_ridge_poly",
    "part_factor_analysis",
    "part_sparse_pca",
    "part_agglomeration_max",
    "rbm",
    "chi2_additive",
    "topics_numbers",
    "notes_topics",
    "birch",
    "bisecting",
    "mixture_bayes_tied",
    "mixture_one",
    "process_two",
    "rfe_predicts",
    "isotonic_bounds",
    "output_codes",
    "spreading_rbf",
    "self_training",
    "pls_values",
    "weights_columns",
    "step_polynomial",
    "lgbm_three",
    "xgb_two",
    "lgbm_mixed",
    "lgbm_blanks",
    "lgbm_blanks_rest",
    "cat_features",
    "notes_mixed",
    "notes_count_tfidf",
    "lgbm_calibrated",
    "lgbm_codes",
    "notes_tfidf_scaled",
    "target_unmeaned",
    "union_scalers",
    "part_embedding",
    "part_projection_sparse",
    "rest_ties",
    "network_relu",
    "svc_rbf",
    "neighbours",
    "neighbours_weighted",
    "neighbours_bray_curtis",
    "centroid_manhattan",
    "bagging_values",
    "bagging_values_linear",
    "tree_flags",
    "threshold_first_predict_proba",
)


# Those that are kept in other forms, too.
OTHERS = {
    "part_embedding": ("_skops", "_pickle"),
    "part_projection_sparse": ("_skops", "_pickle"),
    "process_two": ("_skops",),
    "mixture_bayes_tied": ("_skops", "_pickle"),
    "birch": ("_pickle",),
    "output_codes": ("_skops", "_pickle"),
    "lgbm_blanks": ("_skops", "_pickle"),
}


def keep(names):
    import sklearn

    for name, model, kind, columns, missing in cases():
        if name not in names:
            continue
        model = fitted(name, model, kind, columns)
        frame = spelt(name, rows(columns, missing))
        truth = expected(model, frame, kind)
        for ending in ("", *OTHERS.get(name, ())):
            if ending and since() < (1, 9):
                continue
            room = HERE / f"sklearn_{sklearn.__version__.replace('.', '_')}_{name}{ending}"
            room.mkdir(exist_ok=True)
            keep_case(room, model, frame, truth, columns, sklearn.__version__)


if __name__ == "__main__":
    if "--make" in sys.argv:
        make(sys.argv[sys.argv.index("--make") + 1])
    elif "--score" in sys.argv:
        at = sys.argv.index("--score")
        sys.exit(not score(sys.argv[at + 1], sys.argv[at + 2]))
    else:
        keep(sys.argv[1:] or KEPT)
