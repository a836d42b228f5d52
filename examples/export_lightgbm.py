"""How do I export a LightGBM model as a package that tallow scores?

    python examples/export_lightgbm.py churn_package
    tallow check --model churn_package customers.parquet

Needs lightgbm, pandas, pyarrow. `export` is what you copy; the rest trains a small model to show it
on."""

import hashlib
import json
import pathlib
import sys

import lightgbm
import numpy as np
import pandas as pd


def export(model, rows, directory, name, version):
    """Writes a booster, or an estimator of the scikit-learn interface, with `rows`, a data frame of
    its features in the order of training, as golden rows.

    LightGBM keeps no labels: the classes of a booster are numbers from 0. The package names those
    of an estimator; boolean ones become 0 and 1."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    booster = getattr(model, "booster_", model)
    booster.save_model(directory / "model.txt")
    # LightGBM writes names with `_` for a blank; the golden rows keep the table's own.
    if [str(name).replace(" ", "_") for name in rows] != booster.feature_name():
        raise SystemExit(f"rows need the columns {booster.feature_name()}, in this order")
    rows.to_parquet(directory / "golden_rows.parquet", index=False)
    scores = booster.predict(rows)
    text = booster.model_to_string()
    is_binary, is_multiclass = "objective=binary" in text, "objective=multiclass" in text
    labels = []
    if is_binary or is_multiclass:
        class_count = 2 if is_binary else scores.shape[1]
        labels = np.asarray(getattr(model, "classes_", range(class_count))).tolist()
        labels = [label if isinstance(label, str) else int(label) for label in labels]
    if is_binary:
        chosen = np.where(scores > 0.5, labels[1], labels[0])
        answers = {"probability": scores, "prediction": chosen}
    elif is_multiclass:
        answers = {"prediction": np.array(labels)[scores.argmax(axis=1)]} | {
            f"probability_{label}": scores[:, index] for index, label in enumerate(labels)
        }
    elif scores.ndim == 2:
        answers = {f"prediction_{index}": column for index, column in enumerate(scores.T)}
    else:
        answers = {"prediction": scores}
    pd.DataFrame(answers).to_parquet(directory / "golden_expected.parquet", index=False)
    digest = hashlib.sha256((directory / "model.txt").read_bytes()).hexdigest()
    outputs = f"\n[outputs]\nlabels = {json.dumps(labels, ensure_ascii=False)}\n" if labels else ""
    (directory / "tallow.toml").write_text(
        f"""\
name = {json.dumps(name)}
version = {json.dumps(version)}

[[artefacts]]
path = "model.txt"
sha256 = "{digest}"
{outputs}
[golden]
rows = "golden_rows.parquet"
expected = "golden_expected.parquet"
tolerance = 1e-12
""",
        encoding="utf-8",
    )


def main():
    generator = np.random.default_rng(1)
    rows = pd.DataFrame(
        {
            "age": generator.normal(40, 12, 2000),
            "visits": generator.integers(0, 30, 2000),
            "city": generator.choice(["Oslo", "Rome", "Paris"], 2000),
        }
    )
    rows.loc[::11, "age"] = np.nan
    stays = (rows.visits + 10 * (rows.city == "Rome") + generator.normal(0, 5, 2000) > 18).astype(
        int
    )
    rows["city"] = rows["city"].astype("category")
    booster = lightgbm.train(
        {"objective": "binary", "verbose": -1}, lightgbm.Dataset(rows, stays), 30
    )
    export(booster, rows.head(50), sys.argv[1], "stays", "1")


if __name__ == "__main__":
    main()
