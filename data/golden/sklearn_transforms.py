"""Pipelines that only transform, and what their columns are called: golden cases.

    python data/golden/sklearn_transforms.py [CASE…]

Of the older version a few cases are kept.
Run with scikit-learn 1.9.1 and with 1.5.2. Expected columns are those of each pipeline's own
`transform`, under the names of its `get_feature_names_out`.

| cases | what they show |
|---|---|
| `transforms_text…` | texts that an imputer leaves, next to numbers and categories |
| `transforms_…` | names of scalers, encoders, imputers, selectors, components, unions |
"""

import sys
import warnings

import numpy as np
import pandas as pd

from sklearn_case import keep_case

warnings.filterwarnings("ignore")
SEED = 20261130
ROWS = 120
SHOWN = 30


def table():
    rng = np.random.RandomState(SEED)
    frame = pd.DataFrame(rng.randn(ROWS, 3), columns=["x", "y", "z"])
    frame["s"] = pd.Series(rng.choice(list("uvw"), ROWS, p=[0.6, 0.3, 0.1]), dtype=object)
    frame["o"] = pd.Series(rng.choice(["a", "b", "?"], ROWS), dtype=object).replace("?", np.nan)
    frame["p"] = frame["o"].astype("string")
    frame["n"] = rng.choice([3, 1, 7], ROWS)
    frame["f"] = rng.choice([0.5, 1.0, 20.0], ROWS)
    frame["m"] = frame["x"].mask(frame["y"] > 0.5)
    return frame


def cases():
    """(name, transformer, columns)."""
    from sklearn.compose import ColumnTransformer
    from sklearn.decomposition import PCA, TruncatedSVD
    from sklearn.feature_selection import SelectKBest, VarianceThreshold
    from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
    from sklearn.kernel_approximation import Nystroem
    from sklearn.pipeline import FeatureUnion, make_pipeline
    from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder
    from sklearn.preprocessing import PowerTransformer, StandardScaler

    filled = lambda **more: SimpleImputer(strategy="constant", fill_value="?", **more)
    yield "text", SimpleImputer(strategy="most_frequent"), ["o", "s"]
    yield "text_na", filled(missing_values=pd.NA), ["p"]
    mixed = [
        ("n", StandardScaler(), ["x", "y"]),
        ("o", make_pipeline(filled(), "passthrough"), ["o"]),
        ("h", OneHotEncoder(), ["s"]),
    ]
    yield "text_mixed", ColumnTransformer(mixed, remainder="passthrough"), ["x", "o", "s", "y", "z"]
    short = dict(remainder="passthrough", verbose_feature_names_out=False)
    yield "text_short", ColumnTransformer([mixed[1], mixed[0]], **short), ["o", "x", "y", "z"]
    encoders = [
        ("rare", OneHotEncoder(min_frequency=20, handle_unknown="infrequent_if_exist"), ["s"]),
        ("first", OneHotEncoder(drop="first"), ["n", "f"]),
        ("missing", OneHotEncoder(), ["o"]),
        ("codes", OrdinalEncoder(), ["s", "n"]),
        ("dropped", "drop", ["z"]),
    ]
    yield "encoders", ColumnTransformer(encoders), ["s", "n", "f", "o", "z"]
    steps = make_pipeline(SimpleImputer(add_indicator=True), MinMaxScaler())
    yield "indicator", steps, ["x", "m"]
    yield "neighbours", KNNImputer(add_indicator=True), ["m", "x"]
    yield "missing", FeatureUnion([("i", MissingIndicator()), ("v", KNNImputer())]), ["x", "m"]
    components = FeatureUnion(
        [
            ("p", make_pipeline(StandardScaler(), PCA(2))),
            ("t", TruncatedSVD(1, algorithm="arpack")),
            ("n", Nystroem(n_components=3, random_state=0)),
            ("w", PowerTransformer()),
        ]
    )
    yield "components", components, ["x", "y", "z"]
    chosen = make_pipeline(VarianceThreshold(), SelectKBest(k=2), StandardScaler())
    yield "chosen", chosen, ["z", "x", "n"]


def keep(names):
    frame = table()
    for name, model, columns in cases():
        if names and name not in names:
            continue
        model.fit(frame[columns], (frame.x > 0).astype(int))
        rows = frame[columns].head(SHOWN)
        found = model.transform(rows)
        found = found.toarray() if hasattr(found, "toarray") else np.asarray(found)
        truth = pd.DataFrame(found, columns=list(model.get_feature_names_out()))
        for column in truth:
            is_text = truth[column].map(lambda value: isinstance(value, str)).all()
            truth[column] = truth[column].astype(str if is_text else float)
        keep_case(f"transforms_{name}", model, rows, truth, what="columns are its own")


if __name__ == "__main__":
    keep(sys.argv[1:])
