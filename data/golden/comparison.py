"""Two tables of predictions, labels and what numpy, SciPy, statsmodels and scikit-learn say of
them: the cases of `compare`.

Run with scikit-learn 1.9.1, SciPy 1.17.1, statsmodels, pandas and pyarrow: `python comparison.py`.
Writes `comparison_*/`.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from sklearn import metrics as m
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.weightstats import ztest

HERE = Path(__file__).parent
rng = np.random.default_rng(20261130)


def write(name, a, b, labels, expected):
    folder = HERE / f"comparison_{name}"
    folder.mkdir(exist_ok=True)
    a.to_parquet(folder / "a.parquet", index=False)
    b.sample(frac=1, random_state=7).to_parquet(folder / "b.parquet", index=False)
    labels.to_csv(folder / "labels.csv", index=False)
    numbers = {key: float(value) for key, value in expected.items()}
    (folder / "expected.json").write_text(json.dumps(numbers, indent=1) + "\n")


def placements(score, label):
    positive, negative = score[label == 1], score[label == 0]
    ranks = stats.rankdata(score)
    of_positive = (ranks[label == 1] - stats.rankdata(positive)) / len(negative)
    of_negative = 1 - (ranks[label == 0] - stats.rankdata(negative)) / len(positive)
    return of_positive, of_negative


def delong(a, b, label):
    (a10, a01), (b10, b01) = placements(a, label), placements(b, label)
    s = np.cov([a10, b10]) / len(a10) + np.cov([a01, b01]) / len(a01)
    variance = s[0, 0] + s[1, 1] - 2 * s[0, 1]
    difference = b10.mean() - a10.mean()
    z = difference / np.sqrt(variance)
    reach = stats.norm.ppf(0.975) * np.sqrt(variance)
    return {
        "roc_auc_difference": difference,
        "roc_auc_difference_low": difference - reach,
        "roc_auc_difference_high": difference + reach,
        "roc_auc_p": 2 * stats.norm.sf(abs(z)),
    }


def scores(a, b):
    d = b - a
    quantiles = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99]
    ranks = [stats.rankdata(one) for one in (a, b)]
    tenths = [np.floor((r - 0.5) * 10 / len(a)).astype(int) for r in ranks]
    ordered = np.sort(a)
    edges = np.unique([ordered[int(np.ceil(len(a) * k / 10)) - 1] for k in range(1, 10)])
    edges = edges[edges < ordered[-1]]
    left, right = (
        np.bincount(np.searchsorted(edges, one, side="left"), minlength=len(edges) + 1)
        for one in (a, b)
    )
    p, q = ((one + 0.5) / (len(a) + 0.5 * len(one)) for one in (left, right))
    return {
        "rank_correlation": stats.spearmanr(a, b).statistic,
        "decile_swaps": np.sum(tenths[0] != tenths[1]),
        "psi": np.sum((p - q) * np.log(p / q)),
        "mean_difference": d.mean(),
        "mean_absolute_difference": np.abs(d).mean(),
        "difference_min": d.min(),
        "difference_max": d.max(),
        "max_absolute_difference": np.abs(d).max(),
        **{f"difference_p{int(q * 100):02}": np.quantile(d, q) for q in quantiles},
    }


def loss(name, a, b):
    d = b - a
    z, p = ztest(d)
    reach = stats.norm.ppf(0.975) * d.std(ddof=1) / np.sqrt(len(d))
    return {
        f"{name}_a": a.mean(),
        f"{name}_b": b.mean(),
        f"{name}_difference": d.mean(),
        f"{name}_difference_low": d.mean() - reach,
        f"{name}_difference_high": d.mean() + reach,
        f"{name}_p": p,
    }


def correctness(right_a, right_b):
    table = [
        [np.sum(right_a & right_b), np.sum(right_a & ~right_b)],
        [np.sum(~right_a & right_b), np.sum(~right_a & ~right_b)],
    ]
    return {
        "accuracy_a": right_a.mean(),
        "accuracy_b": right_b.mean(),
        "accuracy_difference": right_b.mean() - right_a.mean(),
        "accuracy_p": mcnemar(table, exact=True).pvalue,
    }


def binary_facts(a, b, called_a, called_b, label):
    expected = {
        "agreement": np.mean(called_a == called_b),
        "flips": np.sum(called_a != called_b),
        **scores(a, b),
        "roc_auc_a": m.roc_auc_score(label, a),
        "roc_auc_b": m.roc_auc_score(label, b),
        **delong(a, b, label),
        **correctness(called_a == label, called_b == label),
    }
    for side, score, called in (("a", a, called_a), ("b", b, called_b)):
        expected |= {
            f"average_precision_{side}": m.average_precision_score(label, score),
            f"f1_{side}": m.f1_score(label, called),
            f"precision_{side}": m.precision_score(label, called),
            f"recall_{side}": m.recall_score(label, called),
            f"balanced_accuracy_{side}": m.balanced_accuracy_score(label, called),
            f"mcc_{side}": m.matthews_corrcoef(label, called),
        }
    log = [-np.log(np.where(label == 1, s, 1 - s)) for s in (a, b)]
    brier = [(s - label) ** 2 for s in (a, b)]
    return expected | loss("log_loss", *log) | loss("brier", *brier)


def binary():
    n = 700
    truth = rng.beta(2, 3, n)
    a = np.round(np.clip(truth + rng.normal(0, 0.12, n), 0.01, 0.99), 2)
    b = np.round(np.clip(truth + rng.normal(0, 0.08, n), 0.01, 0.99), 3)
    label = (rng.random(n) < truth).astype(int)
    called_a, called_b = (a >= 0.5).astype(int), (b >= 0.45).astype(int)
    region = rng.choice(["north", "south"], n)
    ids = [f"c{i:04}" for i in range(n)]
    frame = lambda score, called: pd.DataFrame(
        {
            "id": ids,
            "region": region,
            "probability": score,
            "prediction": np.where(called, "yes", "no"),
        }
    )
    expected = binary_facts(a, b, called_a, called_b, label)
    for name in ("north", "south"):
        part = region == name
        of = binary_facts(a[part], b[part], called_a[part], called_b[part], label[part])
        expected |= {f"region={name}/{key}": value for key, value in of.items()}
    labels = pd.DataFrame({"id": ids, "outcome": np.where(label == 1, "yes", "no")})
    write("binary", frame(a, called_a), frame(b, called_b), labels, expected)


def classes():
    n, names = 500, ["bird", "cat", "dog"]
    truth = rng.dirichlet([1, 1, 1], n)
    label = np.array([rng.choice(3, p=p) for p in truth])
    sides = []
    for noise in (0.6, 0.3):
        noisy = truth * np.exp(rng.normal(0, noise, (n, 3)))
        sides.append(noisy / noisy.sum(axis=1, keepdims=True))
    a, b = sides
    called = [one.argmax(axis=1) for one in sides]
    d = np.abs(b - a).sum(axis=1) / 2
    one_hot = np.eye(3)[label]
    expected = {
        "agreement": np.mean(called[0] == called[1]),
        "flips": np.sum(called[0] != called[1]),
        "mean_difference": d.mean(),
        "difference_p50": np.quantile(d, 0.5),
        "difference_max": d.max(),
        **correctness(called[0] == label, called[1] == label),
        **loss("log_loss", *(-np.log(one[np.arange(n), label]) for one in sides)),
        **loss("brier", *(((one - one_hot) ** 2).sum(axis=1) for one in sides)),
    }
    def frame(score, called, order):
        columns = {f"probability_{names[k]}": score[:, k] for k in order}
        return pd.DataFrame({"id": range(n), "prediction": [names[k] for k in called], **columns})

    labels = pd.DataFrame({"id": range(n), "outcome": [names[k] for k in label]})
    tables = frame(a, called[0], [0, 1, 2]), frame(b, called[1], [2, 0, 1])
    write("classes", *tables, labels, expected)


def regression():
    n = 600
    value = rng.gamma(2, 50, n)
    a, b = value + rng.normal(3, 12, n), value + rng.normal(0, 10, n)
    mse = [(one - value) ** 2 for one in (a, b)]
    expected = {
        **scores(a, b),
        **loss("mae", np.abs(a - value), np.abs(b - value)),
        **loss("mse", *mse),
        "rmse_a": np.sqrt(mse[0].mean()),
        "rmse_b": np.sqrt(mse[1].mean()),
        "agreement": np.mean(np.abs(b - a) <= 5),
    }
    frame = lambda score: pd.DataFrame({"id": range(n), "prediction": score})
    labels = pd.DataFrame({"id": range(n), "outcome": value})
    write("regression", frame(a), frame(b), labels, expected)


binary()
classes()
regression()
