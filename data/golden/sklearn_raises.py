"""Rows that scikit-learn raises at, which are rejected: golden cases.

    python data/golden/sklearn_raises.py [CASE…]

Of the newer versions the cases are kept in which they differ from 1.5.2.
Run with scikit-learn 1.5.2, 1.6.1, 1.8.0 and 1.9.1. Each estimator is asked for one row at a time.
The expected rows are those that its own `predict` answers.

| cases | what they show |
|---|---|
| `raises_…` | trees and neighbours take missing values by version and by how they grow |
"""

import sys
import warnings

import numpy as np
import pandas as pd

from sklearn_case import keep_case

warnings.filterwarnings("ignore")
SEED = 20261130
ROWS = 80


def cases():
    """(name, estimator), all of which are fitted on numbers."""
    from sklearn.ensemble import AdaBoostRegressor, BaggingRegressor, ExtraTreesRegressor
    from sklearn.ensemble import IsolationForest, RandomForestRegressor
    from sklearn.neighbors import KNeighborsRegressor
    from sklearn.tree import DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

    grown = dict(max_depth=2, random_state=0)
    few = dict(n_estimators=2, random_state=0)
    up = [1, 0]
    absolute = DecisionTreeRegressor(criterion="absolute_error", **grown)
    yield "tree_plain", DecisionTreeRegressor(criterion="poisson", **grown)
    yield "tree_absolute", absolute
    yield "tree_random", DecisionTreeRegressor(splitter="random", **grown)
    yield "tree_extra", ExtraTreeRegressor(**grown)
    yield "tree_extra_best", ExtraTreeRegressor(splitter="best", **grown)
    yield "tree_classes_best", ExtraTreeClassifier(splitter="best", **grown)
    yield "forest_up", RandomForestRegressor(2, monotonic_cst=up, **grown)
    yield "forest_extra", ExtraTreesRegressor(2, **grown)
    yield "bagged", BaggingRegressor(absolute, **few)
    yield "boosted", AdaBoostRegressor(DecisionTreeRegressor(max_depth=1), **few)
    yield "isolation", IsolationForest(max_samples=8, **few)
    yield "neighbours", KNeighborsRegressor(3, metric="nan_euclidean")


def answered(model, rows):
    """What it answers for each row that it does not raise at."""
    found = []
    for row in range(len(rows)):
        one = rows.iloc[row : row + 1]
        try:
            found.append({"prediction": model.predict(one)[0]})
        except ValueError as error:
            assert "NaN" in str(error), error
            continue
        if hasattr(model, "predict_proba"):
            found[-1]["probability"] = model.predict_proba(one)[0, 1]
        if hasattr(model, "decision_function"):
            found[-1]["score"] = model.decision_function(one)[0]
    return pd.DataFrame(found)


def keep(names):
    rng = np.random.RandomState(SEED)
    frame = pd.DataFrame(rng.randn(ROWS, 2), columns=["x", "y"])
    value = np.exp(frame.x + frame.y)
    for name, model in cases():
        name = f"raises_{name}"
        if names and name not in names:
            continue
        model.fit(frame, value > 1 if "Classifier" in type(model).__name__ else value)
        rows = frame.head(12).copy()
        # Of a row without any value neighbours are a matter of order.
        rows.loc[[2, 5], "x"] = np.nan
        rows.loc[7, "y"] = np.nan
        found = answered(model, rows)
        if found["prediction"].dtype.kind == "b":
            found["prediction"] = found["prediction"].astype(str)
        keep_case(name, model, rows, found, what="rows are those that it answers")


if __name__ == "__main__":
    keep(sys.argv[1:])
