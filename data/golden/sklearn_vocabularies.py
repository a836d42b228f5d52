"""Readers of one column that know different categories of it: golden cases.

    python data/golden/sklearn_vocabularies.py [CASE…]

Run with scikit-learn 1.9.1, XGBoost 3.2 and LightGBM 4.7. Expected numbers are those of each
pipeline's own `predict` and `predict_proba`; rows that it raises at are left out.

| cases | what they show |
|---|---|
| `vocabularies_…` | encoders, boosters and members of folds whose categories differ |
"""

import sys
import warnings

import numpy as np
import pandas as pd

from sklearn_case import keep_case

warnings.filterwarnings("ignore")
SEED = 20261130
ROWS = 160
SHOWN = 40


def table():
    """Texts with missing ones in `o`, rare ones in `s`, integers, and a category."""
    rng = np.random.RandomState(SEED)
    frame = pd.DataFrame({"x": rng.randn(ROWS)})
    frame["s"] = pd.Series(rng.choice(list("uvwz"), ROWS, p=[0.5, 0.3, 0.17, 0.03]), dtype=object)
    frame["o"] = pd.Series(rng.choice(["a", "b", "?"], ROWS), dtype=object).replace("?", np.nan)
    frame["n"] = rng.choice([3, 1, 7, 5], ROWS)
    frame["c"] = pd.Categorical(frame["s"], categories=["w", "q", "v", "u", "z"])
    return frame


def cases():
    """(name, estimator, columns)."""
    import lightgbm
    import xgboost
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import BaggingClassifier, VotingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import FeatureUnion, make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

    logistic = LogisticRegression
    listed = lambda known: {"categories": [list(one) for one in known]} if known else {}
    hot = lambda *known, **more: OneHotEncoder(
        **{"handle_unknown": "ignore", **more, **listed(known)}
    )
    codes = lambda *known, **more: OrdinalEncoder(
        **{"handle_unknown": "use_encoded_value", "unknown_value": -1, **more},
        **listed(known),
    )
    union = lambda *steps: FeatureUnion([(f"e{index}", step) for index, step in enumerate(steps)])
    on = lambda columns, *steps: ColumnTransformer(
        [(f"t{index}", step, columns) for index, step in enumerate(steps)]
    )
    ended = lambda step: make_pipeline(step, logistic())
    yield "encoders", ended(on(["s"], hot("vu"), codes("zwvu"), hot())), ["s"]
    yield "numbers", ended(on(["n"], hot([1, 7]), codes([1.0, 3.0, 5.0], dtype=float))), ["n"]
    coded = codes(["b", "a"], encoded_missing_value=4)
    missing = on(["o"], hot(["b", np.nan]), coded, hot(["a"], min_frequency=2))
    yield "missing", ended(missing), ["o"]
    filled = make_pipeline(SimpleImputer(strategy="constant", fill_value="?"), hot(["?", "b"]))
    yield "imputed", ended(union(filled, TargetEncoder(random_state=0), codes("ab"))), ["o"]
    strict = on(["s"], codes("uvw", handle_unknown="error", unknown_value=None), hot("zyxwvu"))
    yield "strict", ended(strict), ["s"]
    rare = ended(ColumnTransformer([("h", hot(), ["s"])], remainder="passthrough"))
    yield "folds", CalibratedClassifierCV(rare, cv=8), ["s", "x"]
    bagged = BaggingClassifier(ended(hot()), n_estimators=6, max_samples=0.2, random_state=0)
    yield "bagged", bagged, ["s"]
    members = lambda booster: VotingClassifier(
        [("a", booster), ("b", make_pipeline(on(["c"], hot()), logistic()))], voting="soft"
    )
    lgb = lightgbm.LGBMClassifier(n_estimators=3, num_leaves=4, min_child_samples=2, verbose=-1)
    xgb = xgboost.XGBClassifier(n_estimators=3, max_depth=2, enable_categorical=True)
    yield "lightgbm", members(lgb), ["c", "x"]
    yield "xgboost", members(xgb), ["c", "x"]


def fit(model, name, frame, target):
    """Fits on what the encoders know; the strict one does not see every row."""
    known = frame["s"] != "z" if name == "strict" else np.full(len(frame), True)
    return model.fit(frame[known], target[known])


def keep(names):
    frame = table()
    target = (frame.x + (frame.s == "v") + frame.o.isna() + (frame.n == 7) > 0.8).astype(int)
    for name, model, columns in cases():
        if names and name not in names:
            continue
        fit(model, name, frame[columns], target)
        rows = frame[columns].head(SHOWN).copy()
        if "c" not in rows:
            changed = {"s": ["unseen", "z"], "o": ["unseen", np.nan], "n": [9, 5]}
            for column in rows.columns.intersection(list(changed)):
                rows.loc[[3, 4], column] = changed[column]
        kept = [row for row in range(len(rows)) if not raises(model, rows.iloc[row : row + 1])]
        assert (len(kept) < len(rows)) == (name == "strict"), name
        truth = pd.DataFrame(
            {
                "prediction": model.predict(rows.iloc[kept]).astype(np.int64),
                "probability": model.predict_proba(rows.iloc[kept])[:, 1].astype(float),
            }
        )
        tolerance = 1e-6 if name == "xgboost" else 1e-12
        keep_case(f"vocabularies_{name}", model, rows, truth, tolerance)


def raises(model, row):
    try:
        model.predict(row)
    except ValueError as error:
        assert "unknown categories" in str(error), error
        return True
    return False


if __name__ == "__main__":
    keep(sys.argv[1:])
