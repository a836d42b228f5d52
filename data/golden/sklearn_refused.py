"""Models that scikit-learn itself does not answer one row at a time, which tallow refuses.

Run with scikit-learn 1.0: before 1.3, gradient boosting of several classes adds its trees to the
probabilities of `init` as if the rows of that array came one after another, and those of naive
Bayes and of quadratic discriminants come column after column.
"""

import pathlib

import joblib
import numpy as np
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HOSTILE = pathlib.Path(__file__).resolve().parent.parent / "hostile"

rng = np.random.RandomState(7)
rows = rng.rand(90, 2)
classes = (rows.sum(axis=1) * 1.5).astype(int).clip(0, 2)
first = make_pipeline(StandardScaler(), GaussianNB())
model = GradientBoostingClassifier(n_estimators=2, max_depth=1, init=first, random_state=7)
model.fit(rows, classes)
alone = np.concatenate([model.predict_proba(rows[row : row + 1]) for row in range(len(rows))])
assert np.abs(alone - model.predict_proba(rows)).max() > 1e-3
joblib.dump(model, HOSTILE / "boosting_on_bayes.joblib", compress=("zlib", 9))
