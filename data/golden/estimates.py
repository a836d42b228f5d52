"""What labels are expected to show, for src/monitor/estimate: printed, and embedded in its tests.

Confidence-based estimation as NannyML 0.13 does it: an isotonic calibrator for each class against
all others (scikit-learn's IsotonicRegression), divided by their sum, each row counted as a part of
every class; metrics averaged over classes. Rows are closed formulas.

    python data/golden/estimates.py
"""

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import f1_score, roc_auc_score


def bands():
    """Two classes: the quantiles of metrics of labels drawn from calibrated probabilities."""
    i = np.arange(2000)
    label = ((31 * i + 7) % 97 < (17 * i) % 53).astype(int)
    score = ((17 * i) % 53) / 53 * 0.6 + ((7919 * i) % 1009) / 1009 * 0.4
    score = np.clip(score, 0.001, 0.999)
    fitted = IsotonicRegression(out_of_bounds="clip", increasing=True).fit(score, label)
    probability, called = fitted.predict(score), (score >= 0.5).astype(int)
    random = np.random.default_rng(7)
    drawn = [(random.random(2000) < probability).astype(int) for _ in range(4000)]
    for name, values in [
        ("f1", [f1_score(labels, called) for labels in drawn]),
        ("roc_auc", [roc_auc_score(labels, score) for labels in drawn]),
    ]:
        print(name, np.quantile(values, [0.025, 0.975]))


def classes():
    """Three classes."""
    i = np.arange(600)
    raw = np.stack(
        [(17 * i) % 53 / 53 + 0.1, (31 * i + 5) % 47 / 47 + 0.1, (7919 * i) % 101 / 101 + 0.1], 1
    )
    score = raw / raw.sum(1, keepdims=True)
    noise = np.stack([(13 * i) % 29 / 29, (11 * i + 3) % 23 / 23, (29 * i) % 31 / 31], 1)
    label, called = (raw + noise).argmax(1), score.argmax(1)
    calibrated = np.stack(
        [
            IsotonicRegression(out_of_bounds="clip", increasing=True)
            .fit(score[:, k], label == k)
            .predict(score[:, k])
            for k in range(3)
        ],
        1,
    )
    calibrated /= calibrated.sum(1, keepdims=True)
    metrics = {"accuracy": calibrated[i, called].mean()}
    by_class = {"precision": [], "recall": [], "f1": [], "specificity": [], "roc_auc": []}
    for k in range(3):
        own, is_called = calibrated[:, k], called == k
        tp, fp = own[is_called].sum(), (1 - own[is_called]).sum()
        fn, tn = own[~is_called].sum(), (1 - own[~is_called]).sum()
        by_class["precision"].append(tp / (tp + fp))
        by_class["recall"].append(tp / (tp + fn))
        by_class["f1"].append(tp / (tp + (fp + fn) / 2))
        by_class["specificity"].append(tn / (tn + fp))
        distinct, group = np.unique(score[:, k], return_inverse=True)
        positive, negative = np.bincount(group, own), np.bincount(group, 1 - own)
        above = positive.sum() - np.cumsum(positive)
        area = (negative * (above + positive / 2)).sum()
        by_class["roc_auc"].append(area / (positive.sum() * negative.sum()))
    metrics.update({f"{name}_macro": np.mean(values) for name, values in by_class.items()})
    for name, value in metrics.items():
        print(name, repr(float(value)))


if __name__ == "__main__":
    bands()
    classes()
