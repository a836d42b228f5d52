"""Predictions, labels and the metrics that scikit-learn gives for them: the cases of `evaluate`.

Run with scikit-learn 1.9.1, pandas and pyarrow: `python metrics.py`. Writes `metrics_*/`.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import metrics as m

HERE = Path(__file__).parent
rng = np.random.default_rng(20261129)


def write(name, predictions, labels, expected):
    folder = HERE / f"metrics_{name}"
    folder.mkdir(exist_ok=True)
    predictions.to_parquet(folder / "predictions.parquet", index=False)
    labels.to_csv(folder / "labels.csv", index=False)
    numbers = {key: float(value) for key, value in expected.items()}
    (folder / "expected.json").write_text(json.dumps(numbers, indent=1) + "\n")


def binary_metrics(label, score, called):
    precision, recall, f1, _ = m.precision_recall_fscore_support(
        label, called, average="binary", zero_division=0
    )
    fpr, tpr, _ = m.roc_curve(label, score)
    return {
        "roc_auc": m.roc_auc_score(label, score),
        "gini": 2 * m.roc_auc_score(label, score) - 1,
        "average_precision": m.average_precision_score(label, score),
        "ks": np.max(np.abs(tpr - fpr)),
        "log_loss": m.log_loss(label, score),
        "brier": m.brier_score_loss(label, score),
        "accuracy": m.accuracy_score(label, called),
        "balanced_accuracy": m.balanced_accuracy_score(label, called),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "mcc": m.matthews_corrcoef(label, called),
    }


def binary():
    n = 400
    score = np.round(rng.beta(2, 3, n), 2)
    label = (rng.random(n) < score).astype(int)
    called = (score >= 0.4).astype(int)
    region = rng.choice(["north", "south"], n)
    frame = pd.DataFrame({"id": np.arange(n), "region": region, "probability": score})
    frame["prediction"] = np.where(called == 1, "yes", "no")
    expected = binary_metrics(label, score, called)
    for name in ("north", "south"):
        part = region == name
        for key, value in binary_metrics(label[part], score[part], called[part]).items():
            expected[f"region={name}/{key}"] = value
    labels = pd.DataFrame({"id": np.arange(n), "outcome": np.where(label == 1, "yes", "no")})
    write("binary", frame, labels.sample(frac=1, random_state=1), expected)


def classes():
    n, names = 300, ["bird", "cat", "dog"]
    scores = rng.dirichlet([1.5, 1.0, 0.8], n)
    label = np.array([rng.choice(3, p=row) for row in scores])
    called = scores.argmax(axis=1)
    frame = pd.DataFrame({f"probability_{name}": scores[:, i] for i, name in enumerate(names)})
    frame.insert(0, "id", np.arange(n))
    frame.insert(1, "prediction", [names[i] for i in called])
    expected = {
        "accuracy": m.accuracy_score(label, called),
        "balanced_accuracy": m.balanced_accuracy_score(label, called),
        "mcc": m.matthews_corrcoef(label, called),
        "log_loss": m.log_loss(label, scores),
        "brier": m.brier_score_loss(label, scores),
        "roc_auc_macro": m.roc_auc_score(label, scores, multi_class="ovr"),
        "roc_auc_weighted": m.roc_auc_score(
            label, scores, multi_class="ovr", average="weighted"
        ),
    }
    for average in ("macro", "micro", "weighted"):
        three = m.precision_recall_fscore_support(label, called, average=average)[:3]
        for key, value in zip(("precision", "recall", "f1"), three):
            expected[f"{key}_{average}"] = value
    three = m.precision_recall_fscore_support(label, called)[:3]
    for key, values in zip(("precision", "recall", "f1"), three):
        for name, value in zip(names, values):
            expected[f"{key}[{name}]"] = value
    labels = pd.DataFrame({"id": np.arange(n), "outcome": [names[i] for i in label]})
    write("classes", frame, labels, expected)


def regression():
    n = 250
    value = np.round(rng.gamma(2, 50, n), 3)
    predicted = value * rng.normal(1, 0.2, n) + rng.normal(0, 5, n)
    size = np.abs(value) + np.abs(predicted)
    expected = {
        "mae": m.mean_absolute_error(value, predicted),
        "rmse": m.root_mean_squared_error(value, predicted),
        "r2": m.r2_score(value, predicted),
        "median_absolute_error": m.median_absolute_error(value, predicted),
        "mape": m.mean_absolute_percentage_error(value, predicted),
        "smape": np.mean(2 * np.abs(value - predicted) / size),
        "mean_error": np.mean(predicted - value),
    }
    frame = pd.DataFrame({"id": np.arange(n), "prediction": predicted})
    write("regression", frame, pd.DataFrame({"id": np.arange(n), "outcome": value}), expected)


def ranking():
    query = np.repeat(np.arange(20), 12)
    relevance = rng.integers(0, 4, len(query)) * (rng.random(len(query)) < 0.5)
    relevance[query == 7] = 0
    score = np.round(relevance * 0.3 + rng.normal(0, 1, len(query)), 1)
    ndcg, ap = [], []
    for one in np.unique(query[query != 7]):
        part = query == one
        ndcg.append(m.ndcg_score([relevance[part]], [score[part]]))
        ap.append(m.average_precision_score(relevance[part] > 0, score[part]))
    frame = pd.DataFrame({"id": np.arange(len(query)), "query": query, "prediction": score})
    labels = pd.DataFrame({"id": np.arange(len(query)), "outcome": relevance})
    expected = {"ndcg": np.mean(ndcg), "map": np.mean(ap), "groups_without_relevance": 1}
    write("ranking", frame, labels, expected)


for case in (binary, classes, regression, ranking):
    case()
