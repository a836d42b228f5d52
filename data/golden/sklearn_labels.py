"""Several labels in stacking, and regressors between classes: golden cases.

    python data/golden/sklearn_labels.py [CASE…]

Of the older version a few cases are kept.
Run with scikit-learn 1.9.1 and CatBoost 1.2, then with scikit-learn 1.5.2. Expected numbers are
those of each estimator's own `predict`. Those of `probability_…` are the second class's of the
last estimator's `predict_proba`: `StackingClassifier` itself gives the first class's of labels.

| cases | what they show |
|---|---|
| `labels_stack_…` | members and last estimators of every shape of probabilities |
| `labels_prefit` | members that were fitted before read the classes, not their numbers |
| `labels_pairs_…` | regressors in `OneVsOneClassifier`, which vote only with 0 and 1 |
| `labels_neighbours`, `labels_constant` | several outputs of classes |
"""

import copy
import sys
import warnings

import numpy as np
import pandas as pd

from sklearn_case import keep_case

warnings.filterwarnings("ignore")
SEED = 20261130
ROWS = 200
SHOWN = 40


def table():
    rng = np.random.RandomState(SEED)
    return pd.DataFrame(rng.randn(ROWS, 3), columns=["x", "y", "z"])


def targets(frame):
    value = frame.x + frame.z**2
    flags = np.stack([value > 1.2, frame.z > 0, frame.x > 0.3], axis=1).astype(int)
    with_constant = flags.copy()
    with_constant[:, 1] = 0
    return {
        "two": (value > 1.2).astype(int).to_numpy(),
        "far": np.where(value > 1.2, 9, 4),
        "three": np.digitize(value, [0.5, 2]),
        "flags": flags,
        "two_flags": flags[:, :2],
        "ones_and_twos": flags + 1,
        "with_constant": with_constant,
        "classes": np.stack([np.digitize(value, [0.5, 2]), flags[:, 1], flags[:, 2]], axis=1),
    }


def cases(frame, target):
    """(name, estimator, target)."""
    from sklearn.dummy import DummyClassifier
    from sklearn.ensemble import RandomForestClassifier, StackingClassifier
    from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
    from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
    from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier, RadiusNeighborsClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    forest = lambda: RandomForestClassifier(3, max_depth=3, random_state=0)
    near = lambda: make_pipeline(StandardScaler(), KNeighborsClassifier(3))
    network = lambda: MLPClassifier((4,), max_iter=30, random_state=0)
    stack = lambda members, last, **more: StackingClassifier(
        [(f"m{index}", member) for index, member in enumerate(members)],
        final_estimator=last,
        **{"cv": 2, **more},
    )
    rest = lambda: OneVsRestClassifier(LogisticRegression())
    yield "labels_stack_trees", stack([forest(), near(), network()], forest()), "flags"
    two = stack([forest(), network(), rest()], near(), passthrough=True)
    yield "labels_stack_two", two, "two_flags"
    decided = stack([RidgeClassifier(), OneVsRestClassifier(LinearSVC())], RidgeClassifier())
    yield "labels_stack_decided", decided, "ones_and_twos"
    predicted = [forest(), network(), MultiOutputClassifier(LinearSVC())]
    yield "labels_stack_predicted", stack(predicted, network(), stack_method="predict"), "flags"
    bayes = MultiOutputClassifier(GaussianNB())
    yield "labels_stack_outputs", stack([bayes, DummyClassifier()], bayes), "flags"
    constant = stack([forest(), near()], DecisionTreeClassifier(max_depth=3, random_state=0))
    yield "labels_stack_constant", constant, "with_constant"
    inner = stack([forest()], forest()).fit(frame, target["flags"])
    chain = ClassifierChain(LogisticRegression()).fit(frame, target["flags"])
    before = stack([inner, chain], forest(), cv="prefit")
    yield "labels_stack_fitted", before, "flags"
    tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(frame, target["far"])
    members = [tree, RidgeClassifier().fit(frame, target["far"])]
    before = stack(members, LogisticRegression(), cv="prefit", stack_method="predict")
    yield "labels_prefit", before, "far"
    yield "labels_pairs_three", OneVsOneClassifier(Ridge()), "three"
    tree = DecisionTreeRegressor(max_depth=3, random_state=0)
    yield "labels_pairs_two", OneVsOneClassifier(tree), "two"
    outliers = dict(weights="distance", outlier_label="most_frequent")
    yield "labels_neighbours", RadiusNeighborsClassifier(2.5, **outliers), "classes"
    yield "labels_constant", make_pipeline(StandardScaler(), DummyClassifier()), "classes"
    yield "labels_frequent", DummyClassifier(strategy="most_frequent"), "flags"
    yield "labels_chosen", DummyClassifier(strategy="constant", constant=[2, 0, 1]), "classes"


def odds(model, frame):
    """Of each label the probability of the second class, or of all of more."""
    from sklearn.ensemble import StackingClassifier

    if isinstance(model, StackingClassifier):
        frame, model = model.transform(frame), model.final_estimator_
    if not hasattr(model, "predict_proba"):
        return
    found = model.predict_proba(frame)
    if isinstance(found, list):
        for own, classes in zip(found, model.classes_):
            yield list(own.T[1:] if own.shape[1] == 2 else own.T), classes
    else:
        for own in found.T:
            yield [own], [0, 1]


def expected(model, frame, target):
    prediction = np.asarray(model.predict(frame))
    found = {}
    if target.ndim == 1:
        found["prediction"] = prediction
        if hasattr(model, "predict_proba"):
            found["probability"] = model.predict_proba(frame)[:, 1]
        return pd.DataFrame(found)
    for output in range(target.shape[1]):
        found[f"prediction_{output}"] = prediction[:, output].astype(np.int64)
    for output, (own, classes) in enumerate(odds(model, frame)):
        if len(own) == 1 and len(classes) == 2:
            found[f"probability_{output}"] = own[0]
        else:
            found.update((f"probability_{output}_{label}", one) for label, one in zip(classes, own))
    return pd.DataFrame(found)


def keep(names):
    frame = table()
    target = targets(frame)
    for name, model, kind in cases(frame, target):
        if names and name not in names:
            continue
        model.fit(frame, target[kind])
        rows = frame.head(SHOWN)
        # Predicting leaves traces in some models.
        truth = expected(copy.deepcopy(model), rows, target[kind])
        keep_case(name, model, rows, truth)


if __name__ == "__main__":
    keep(sys.argv[1:])
