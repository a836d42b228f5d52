"""What a null is, what is dropped, and what an estimator of another library answers: golden cases.

    python data/golden/sklearn_nulls.py [CASE…]

Run with scikit-learn 1.9.1, XGBoost 3.2, LightGBM 4.7 and CatBoost 1.2. Expected numbers are
those of each pipeline's own `predict` and `predict_proba`. The seed is 20261130.

| cases | what they show |
|---|---|
| `null_…` | `None` among the categories has a code of its own; NaN is the encoder's missing value |
| `link_…` | composites read what `predict` and `predict_proba` of a member give, whatever its link |
| `own_…` | columns are called what they are: `prediction` and `probability` |
| `dropped_…` | columns that a `ColumnTransformer` drops are texts, dates, or not there |
| `passed_…` | categories that reach a library's estimator through other steps, or several of them |
"""

import sys
import warnings

import numpy as np
import pandas as pd

from sklearn_case import keep_case

warnings.filterwarnings("ignore")
SEED = 20261130
ROWS = 200
SHOWN = 40


def table(missing=None):
    """Numbers, texts with this missing value in `o`, a category, a date, and objects that are numbers
    or None."""
    rng = np.random.RandomState(SEED)
    frame = pd.DataFrame(
        {
            "x": rng.randn(ROWS),
            "z": rng.randn(ROWS),
            "o": pd.Series(rng.choice(["a", "b", missing], ROWS), dtype=object),
            "s": pd.Series(rng.choice(["u", "v", "w"], ROWS), dtype=object),
            "day": pd.Timestamp("2026-11-30") + pd.to_timedelta(np.arange(ROWS), "D"),
        }
    )
    # numpy makes a text of NaN.
    frame.loc[~frame["o"].isin(["a", "b"]), "o"] = missing
    frame["c"] = pd.Categorical(frame["s"])
    several = np.random.RandomState(SEED + 1).randint(0, 4, ROWS)
    frame["m"] = pd.Series([None if one == 3 else float(one) for one in several], dtype=object)
    return frame


def targets(frame):
    value = frame.x + frame.z**2 + frame.o.isna() * 2
    return {
        "value": value.to_numpy(),
        "share": 1 / (1 + np.exp(-value.to_numpy())),
        "two": (value > 1.2).astype(int).to_numpy(),
        "three": np.digitize(value, [0.5, 2]),
        "one": np.full(len(value), 7),
        "flags": np.stack([value > 1.2, frame.z > 0, frame.x > 0.3], axis=1).astype(int),
        "two_flags": np.stack([value > 1.2, frame.z > 0], axis=1).astype(int),
        "shares": np.stack([1 / (1 + np.exp(-value)), 1 / (1 + np.exp(value))], axis=1),
    }


def cases():
    """(name, estimator, target, columns, missing value of `o`)."""
    import catboost
    import lightgbm
    import xgboost
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import BaggingClassifier, HistGradientBoostingClassifier
    from sklearn.ensemble import BaggingRegressor, RandomForestClassifier
    from sklearn.ensemble import StackingClassifier, StackingRegressor
    from sklearn.ensemble import VotingClassifier, VotingRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.naive_bayes import GaussianNB
    from sklearn.pipeline import FeatureUnion, make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

    forest = lambda: RandomForestClassifier(4, max_depth=3, random_state=0)
    logistic = LogisticRegression
    ordinal = lambda **more: OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, **more
    )
    one_hot = lambda: OneHotEncoder(handle_unknown="ignore")
    rest = lambda step, columns: ColumnTransformer([("o", step, columns)], remainder="passthrough")
    filled = lambda step, column="o", **how: make_pipeline(
        rest(make_pipeline(SimpleImputer(**how), step), [column]), logistic()
    )
    constant = dict(strategy="constant", fill_value="?")
    xgb = lambda kind="Regressor", **more: getattr(xgboost, f"XGB{kind}")(
        n_estimators=3, max_depth=2, **more
    )
    lgb = lambda kind="Regressor", **more: getattr(lightgbm, f"LGBM{kind}")(
        n_estimators=3, num_leaves=4, verbose=-1, **more
    )
    cat = lambda **more: catboost.CatBoostClassifier(
        iterations=3, depth=2, verbose=0, allow_writing_files=False, **more
    )
    kinds = {"none": None, "nan": np.nan}
    for kind, missing in kinds.items():
        yield f"null_ordinal_{kind}", make_pipeline(ordinal(), forest()), "two", ["o", "s"], missing
        coded = ordinal(encoded_missing_value=-2, min_frequency=60)
        yield f"null_coded_{kind}", make_pipeline(coded, forest()), "two", ["o", "s"], missing
        histogram = HistGradientBoostingClassifier(max_iter=3, categorical_features=["o"])
        yield f"null_histogram_{kind}", histogram, "two", ["o", "x"], missing
        encoders = FeatureUnion(
            [("a", one_hot()), ("b", TargetEncoder(random_state=0)), ("c", ordinal(encoded_missing_value=9))]
        )
        yield f"null_encoders_{kind}", make_pipeline(rest(encoders, ["o"]), logistic()), "two", ["o", "x"], missing
        yield f"null_filled_{kind}", filled(one_hot(), **constant), "two", ["o", "x"], missing
        yield f"null_frequent_{kind}", filled(ordinal(), strategy="most_frequent"), "two", ["o", "x"], missing
    frequent = filled(one_hot(), "m", strategy="most_frequent")
    yield "null_numbers_frequent", frequent, "two", ["m", "x"], None
    nine = filled(ordinal(), "m", strategy="constant", fill_value=9.0)
    yield "null_numbers_constant", nine, "two", ["m", "x"], None
    marked = filled(one_hot(), missing_values=None, **constant)
    yield "null_marked_none", marked, "two", ["o", "x"], None

    numbers = ["x", "z"]
    plain = lambda name, model, target, columns=numbers: (name, model, target, columns, None)
    members = [
        ("a", xgb(objective="reg:logistic")),
        ("b", xgb(objective="binary:logistic")),
        ("c", xgb(objective="count:poisson")),
        ("d", xgb("RFRegressor", objective="reg:logistic")),
        ("e", lgb(objective="cross_entropy")),
        ("f", lgb(objective="cross_entropy_lambda")),
        ("g", lgb(reg_sqrt=True)),
        ("h", lgb(objective="gamma")),
        ("i", Ridge()),
    ]
    yield plain("link_voting", VotingRegressor(members), "share")
    two = [("a", xgb(objective="binary:logistic")), ("b", lgb(objective="binary"))]
    yield plain("link_voting_two", VotingRegressor(two), "two")
    yield plain("link_stacking", StackingRegressor(members[:2] + members[4:7], cv=2), "share")
    bagged = BaggingRegressor(xgb(objective="reg:logistic"), n_estimators=2, random_state=0)
    yield plain("link_bagging", bagged, "share")
    yield plain("link_outputs", MultiOutputRegressor(xgb(objective="reg:logistic")), "shares")
    with_odds = lambda objective: xgb("Classifier", objective=objective)
    hard = [
        ("a", with_odds("binary:hinge")),
        ("b", with_odds("binary:logitraw")),
        ("c", lgb("Classifier", objective="cross_entropy")),
        ("d", GaussianNB()),
        ("e", logistic()),
    ]
    yield plain("link_hard", VotingClassifier(hard), "two")
    soft = [("a", with_odds("multi:softmax")), ("b", GaussianNB())]
    yield plain("link_soft", VotingClassifier(soft, voting="soft"), "three")
    for name, target in (("multi:softmax", "three"), ("binary:hinge", "two"), ("binary:logitraw", "two")):
        model = BaggingClassifier(with_odds(name), n_estimators=2, random_state=1)
        yield plain(f"link_bagging_{name.split(':')[1]}", model, target)
    stacked = StackingClassifier(hard[:2], stack_method="predict", cv=2)
    yield plain("link_stacked_predict", stacked, "two")
    for name, target in (("multi:softmax", "three"), ("binary:hinge", "two"), ("binary:logitraw", "two")):
        model = make_pipeline(StandardScaler(), with_odds(name))
        yield plain(f"own_{name.split(':')[1]}", model, target)
    yield plain("own_cross_entropy", lgb("Classifier", objective="cross_entropy"), "two")
    yield plain("own_regressor", xgb(objective="binary:logistic"), "two")
    yield plain("own_flags_xgb", make_pipeline(StandardScaler(), xgb("Classifier")), "flags")
    yield plain("own_flags_cat", cat(loss_function="MultiLogloss"), "flags")
    yield plain("own_flags_ridge", make_pipeline(StandardScaler(), RidgeClassifier()), "flags")
    yield plain("own_two_flags_ridge", RidgeClassifier(), "two_flags")
    yield plain("own_one_class", forest(), "one")
    yield plain("own_rest_of_values", OneVsRestClassifier(LinearRegression()), "three")

    every = ["s", "x", "day", "z"]
    scaled = lambda **more: ColumnTransformer([("n", StandardScaler(), ["z", "x"])], **more)
    yield plain("dropped_rest", make_pipeline(scaled(), logistic()), "two", every)
    step = ColumnTransformer(
        [("n", scaled(), ["s", "z", "x"]), ("d", "drop", ["day"])], remainder="drop"
    )
    yield plain("dropped_nested", make_pipeline(step, forest()), "two", every)
    union = FeatureUnion([("a", scaled()), ("b", ColumnTransformer([("h", one_hot(), ["s"])]))])
    yield plain("dropped_parts", make_pipeline(union, logistic()), "two", every)
    by_index = ColumnTransformer([("n", StandardScaler(), [1])])
    yield plain("dropped_nameless", make_pipeline(by_index, logistic()), "two", ["s", "x", "z"])

    passes = lambda: ColumnTransformer(
        [("s", StandardScaler(), ["x"])], remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    yield plain("passed_cat", make_pipeline(passes(), cat(cat_features=["s"])), "two", ["s", "x"])
    yield plain("passed_lgbm", make_pipeline(passes(), lgb("Classifier")), "two", ["c", "x"])
    categories = xgb("Classifier", enable_categorical=True)
    yield plain("passed_xgb", make_pipeline(passes(), categories), "two", ["c", "x"])
    histogram = HistGradientBoostingClassifier(max_iter=3, categorical_features="from_dtype")
    yield plain("passed_histogram", make_pipeline(passes(), histogram), "two", ["c", "x"])
    for name, member in (("lgbm", lgb("Classifier")), ("xgb", xgb("Classifier", enable_categorical=True))):
        yield plain(f"passed_calibrated_{name}", CalibratedClassifierCV(member, cv=2), "two", ["c", "x"])
    encoded = make_pipeline(ColumnTransformer([("c", one_hot(), ["c"])]), logistic())
    both = VotingClassifier([("a", lgb("Classifier")), ("b", encoded)], voting="soft")
    yield plain("passed_beside_encoder", both, "two", ["c", "x"])


def expected(model, frame, target):
    prediction = np.asarray(model.predict(frame))
    found = {}
    if target.ndim == 2:
        for output in range(target.shape[1]):
            found[f"prediction_{output}"] = prediction[:, output]
    else:
        found["prediction"] = prediction.reshape(-1)
    # The margin of `binary:logitraw`, which XGBoost gives for one, is no probability.
    last = getattr(model, "steps", [("", model)])[-1][1]
    raw = getattr(last, "objective", "") == "binary:logitraw"
    if hasattr(model, "predict_proba") and not raw:
        odds = np.asarray(model.predict_proba(frame))
        if target.ndim == 2:
            found.update((f"probability_{output}", one) for output, one in enumerate(odds.T))
        elif odds.shape[1] == 2:
            found["probability"] = odds[:, 1]
        else:
            names = zip(model.classes_, odds.T)
            found.update((f"probability_{label}", one) for label, one in names)
    found = pd.DataFrame(found)
    single = type(model).__module__.startswith("xgboost")
    for name in found:
        if found[name].dtype.kind == "f" and not single:
            found[name] = found[name].astype(float)
        if found[name].dtype.kind == "f" and name.startswith("prediction") and target.dtype.kind == "i":
            flags = found[name].isin([0, 1]).all() and not type(model).__name__.endswith("Regressor")
            found[name] = found[name].astype(np.int64) if flags else found[name]
        if found[name].dtype.kind == "i":
            found[name] = found[name].astype(np.int64)
    return found


def keep(names):
    for name, model, target, columns, missing in cases():
        if names and name not in names:
            continue
        frame = table(missing)
        target = targets(frame)[target]
        frame = frame[columns]
        is_named = name != "dropped_nameless"
        data = frame if is_named else frame.to_numpy(dtype=object)
        model.fit(data, target)
        rows = frame.head(SHOWN).copy()
        if name.startswith("null_") and "o" in rows and not "histogram" in name:
            rows.loc[3, "o"] = "unseen"
        truth = expected(model, rows if is_named else rows.to_numpy(dtype=object), target)
        if name == "dropped_rest":
            # scikit-learn does not miss what it drops.
            rows = rows.drop(columns="day")
            assert truth.equals(expected(model, rows, target))
        tolerance = 1e-6 if "xgb" in str(model).lower() else 1e-12
        arguments = [] if is_named else ["--features", ",".join(columns)]
        keep_case(name, model, rows, truth, tolerance, arguments)


if __name__ == "__main__":
    keep(sys.argv[1:])
