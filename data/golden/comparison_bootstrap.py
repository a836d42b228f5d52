"""Intervals of differences by SciPy's paired bootstrap: what those of `compare` must be near to.

Run after `comparison.py`, with scikit-learn 1.9.1, SciPy 1.17.1, pandas and pyarrow. Writes
`comparison_*/bootstrap.json`: the ends of percentile intervals of 95 %, of 9,999 resamples.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from sklearn import metrics as m

HERE = Path(__file__).parent
SEED = 20261130


def joined(name, key):
    folder = HERE / f"comparison_{name}"
    a, b = (pd.read_parquet(folder / f"{side}.parquet") for side in "ab")
    rows = a.merge(b, on=key, suffixes=("_a", "_b"))
    return rows.merge(pd.read_csv(folder / "labels.csv"), on=key)


def interval(metric, label, first, second):
    """`metric(label, column)` of the second less that of the first."""
    found = stats.bootstrap(
        (label, first, second),
        lambda y, a, b: metric(y, b) - metric(y, a),
        paired=True,
        vectorized=False,
        n_resamples=9999,
        method="percentile",
        rng=np.random.default_rng(SEED),
    )
    return [float(end) for end in found.confidence_interval]


def write(name, found):
    ends = {}
    for metric, (low, high) in found.items():
        ends |= {f"{metric}_difference_low": low, f"{metric}_difference_high": high}
    text = json.dumps(ends, indent=1) + "\n"
    (HERE / f"comparison_{name}" / "bootstrap.json").write_text(text)


def ks(label, score):
    positive, negative = (np.sort(score[label == one]) for one in (1, 0))
    shares = [
        np.searchsorted(one, score, side="right") / len(one) for one in (positive, negative)
    ]
    return np.max(np.abs(shares[0] - shares[1]))


def average_precision(label, score):
    order = np.argsort(-score, kind="stable")
    hits, score = np.cumsum(label[order]), score[order]
    last = np.flatnonzero(np.append(score[1:] != score[:-1], True))
    return np.sum(np.diff(hits[last], prepend=0) * hits[last] / (last + 1)) / hits[-1]


def counts(label, called):
    return np.bincount(2 * label + called, minlength=4)


def f1(label, called):
    _, false, missed, hits = counts(label, called)
    return 2 * hits / (2 * hits + false + missed)


def precision(label, called):
    _, false, _, hits = counts(label, called)
    return hits / (hits + false)


def recall(label, called):
    _, _, missed, hits = counts(label, called)
    return hits / (hits + missed)


def balanced_accuracy(label, called):
    right, false, missed, hits = counts(label, called)
    return (hits / (hits + missed) + right / (right + false)) / 2


def mcc(label, called):
    right, false, missed, hits = (int(count) for count in counts(label, called))
    sums = (hits + false, hits + missed, right + false, right + missed)
    return (hits * right - false * missed) / np.sqrt(float(np.prod(sums)))


def checked(name, metric, label, column):
    """The metric, which on all rows is scikit-learn's; resampling calls it too often for that."""
    of_scores = {"average_precision": m.average_precision_score}
    known = of_scores.get(name) or getattr(m, f"{name}_score", m.matthews_corrcoef)
    expected = ks_2samp(label, column) if name == "ks" else known(label, column)
    assert abs(metric(label, column) - expected) < 1e-12, name
    return metric


def ks_2samp(label, score):
    return stats.ks_2samp(score[label == 1], score[label == 0], method="asymp").statistic


def binary():
    rows = joined("binary", "id")
    label = (rows["outcome"] == "yes").to_numpy().astype(int)
    called = [(rows[f"prediction_{side}"] == "yes").to_numpy().astype(int) for side in "ab"]
    scores = [rows[f"probability_{side}"].to_numpy() for side in "ab"]
    found = {}
    for metric in (f1, precision, recall, balanced_accuracy, mcc, average_precision, ks):
        name = metric.__name__
        columns = scores if name in ("average_precision", "ks") else called
        found[name] = interval(checked(name, metric, label, columns[0]), label, *columns)
    write("binary", found)


def rmse(value, predicted):
    return np.sqrt(np.mean((predicted - value) ** 2))


def regression():
    rows = joined("regression", "id")
    sides = (rows[f"prediction_{side}"].to_numpy() for side in "ab")
    value = rows["outcome"].to_numpy()
    write("regression", {"rmse": interval(rmse, value, *sides)})


binary()
regression()
