"""Runs everything in `examples/` as a user would, and the commands of README and the guide.

    python tests/examples/run_examples.py path/to/tallow

The exports on every set that scikit-learn brings along, for pipelines, bare estimators, regressors,
two classes and more; the line for cron under cron's own PATH; the units for systemd; the DAG in
Airflow; each block of code in README and `src/guide` that has Python in it, with the blocks before
it. What cannot be run here is printed as NOT TESTED."""

import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
import warnings

warnings.filterwarnings("ignore")
ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
sys.path.insert(0, str(EXAMPLES))
FAILED, SKIPPED, DONE = [], [], []


def has(*names):
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        SKIPPED.append(f"{sys._getframe(1).f_code.co_name}: no {', '.join(missing)}")
    return not missing


def run(*arguments, **more):
    done = subprocess.run(
        [str(argument) for argument in arguments],
        capture_output=True,
        text=True,
        timeout=300,
        **more,
    )
    return done.returncode, done.stdout + done.stderr


def expect(name, found, code=0):
    ok = found[0] == code
    if not ok:
        print(f"FAILED {name}", flush=True)
    (DONE if ok else FAILED).append(
        name if ok else f"{name}: exit {found[0]} instead of {code}: {found[1].strip()[-700:]}"
    )


def attempt(name, work):
    try:
        work()
    except Exception:
        FAILED.append(f"{name}: {traceback.format_exc(limit=-2).strip()[-700:]}")


def sets():
    from sklearn import datasets

    for name in ["iris", "wine", "breast_cancer", "digits", "diabetes", "linnerud"]:
        data = getattr(datasets, f"load_{name}")(as_frame=True)
        yield (
            name,
            data.data,
            data.target,
            name in ("diabetes", "linnerud"),
            [str(label) for label in getattr(data, "target_names", [])],
        )


def checked(name, export, rows):
    """Exports, has tallow replay the golden rows, and scores the table, whose columns come in
    another order."""

    def work():
        package = WORK / name
        export(package)
        rows[rows.columns[::-1]].to_parquet(WORK / f"{name}.parquet")
        expect(f"{name}: check", run(TALLOW, "check", "--model", package, WORK / f"{name}.parquet"))
        expect(
            f"{name}: score",
            run(
                TALLOW,
                "score",
                "--quiet",
                "--model",
                package,
                WORK / f"{name}.parquet",
                "--output",
                WORK / f"{name}.scores.parquet",
            ),
        )

    attempt(name, work)


def scikit_learn():
    if not has("sklearn", "skl2onnx", "pandas", "pyarrow"):
        return
    import export_sklearn
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    for name, rows, target, is_number, labels in sets():
        columns = lambda: ColumnTransformer([("all", StandardScaler(), list(rows.columns))])
        models = {
            "bare": LinearRegression() if is_number else LogisticRegression(max_iter=50),
            "pipeline": make_pipeline(
                StandardScaler(), Ridge() if is_number else LogisticRegression(max_iter=50)
            ),
            "columns": make_pipeline(
                columns(), Ridge() if is_number else LogisticRegression(max_iter=50)
            ),
            "forest": RandomForestRegressor(5, random_state=1)
            if is_number
            else RandomForestClassifier(5, random_state=1),
        }
        for kind, model in models.items():
            fitted = model.fit(rows, target)
            checked(
                f"sklearn_{name}_{kind}",
                lambda package: export_sklearn.export(fitted, rows.head(60), package, name, "1"),
                rows,
            )
        if name == "iris":
            named = LogisticRegression(max_iter=50).fit(rows, target.map(dict(enumerate(labels))))
            checked(
                "sklearn_iris_labels",
                lambda package: export_sklearn.export(named, rows.head(60), package, name, "1"),
                rows,
            )


def lightgbm():
    if not has("lightgbm", "sklearn", "pandas", "pyarrow"):
        return
    import export_lightgbm
    import lightgbm as library

    for name, rows, target, is_number, _ in sets():
        target = target if target.ndim == 1 else target.iloc[:, 0]
        make = library.LGBMRegressor if is_number else library.LGBMClassifier
        booster = make(n_estimators=5, verbose=-1, min_child_samples=2).fit(rows, target).booster_
        checked(
            f"lightgbm_{name}",
            lambda package: export_lightgbm.export(booster, rows.head(60), package, name, "1"),
            rows,
        )


def catboost():
    if not has("catboost", "sklearn", "pandas", "pyarrow"):
        return
    import catboost as library
    import export_catboost

    for name, rows, target, is_number, labels in sets():
        target = target if target.ndim == 1 else target.iloc[:, 0]
        make = library.CatBoostRegressor if is_number else library.CatBoostClassifier
        targets = [("", target)] + (
            [("_labels", target.map(dict(enumerate(labels))))] if name == "iris" else []
        )
        for kind, target in targets:
            pool = library.Pool(rows, target)
            model = make(iterations=5, depth=3, verbose=False, allow_writing_files=False).fit(pool)
            checked(
                f"catboost_{name}{kind}",
                lambda package: export_catboost.export(
                    model, pool, rows.head(60), package, name, "1"
                ),
                rows,
            )


def xgboost():
    if not has("xgboost", "sklearn", "pandas", "pyarrow"):
        return
    import export_xgboost
    import xgboost as library

    for name, rows, target, is_number, _ in sets():
        target = target if target.ndim == 1 else target.iloc[:, 0]
        estimator = (library.XGBRegressor if is_number else library.XGBClassifier)(
            n_estimators=5, max_depth=3
        ).fit(rows, target)
        checked(
            f"xgboost_{name}",
            lambda package: export_xgboost.export(estimator, rows.head(60), package, name, "1"),
            rows,
        )


def mains():
    """The small models that the scripts train by themselves."""
    needs = {
        "sklearn": ["sklearn", "skl2onnx"],
        "lightgbm": ["lightgbm"],
        "catboost": ["catboost"],
        "xgboost": ["xgboost"],
        "pytorch": ["torch", "onnx"],
        "tensorflow": ["tensorflow", "tf2onnx"],
    }
    for kind, modules in needs.items():
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        if missing:
            SKIPPED.append(f"export_{kind}.py: no {', '.join(missing)}")
            continue
        package = WORK / f"main_{kind}"
        expect(f"export_{kind}.py", run(sys.executable, EXAMPLES / f"export_{kind}.py", package))
        expect(
            f"export_{kind}.py: check",
            run(TALLOW, "check", "--model", package, package / "golden_rows.parquet"),
        )


def place_service(day):
    """The directories that the schedulers' examples name, below the working directory, and tallow
    in the PATH that they set."""
    service, commands = WORK / "srv", WORK / "bin"
    for folder in [
        service / "models",
        service / "data/customers" / day,
        service / "scores",
        commands,
    ]:
        folder.mkdir(parents=True, exist_ok=True)
    if not (service / "models/churn").exists():
        shutil.copytree(ROOT / "data/demo/churn", service / "models/churn")
        shutil.copy(TALLOW, commands / "tallow")
    shutil.copy(
        ROOT / "data/demo/customers.parquet", service / "data/customers" / day / "customers.parquet"
    )
    return service


def localized(text):
    return text.replace("/srv/", f"{WORK}/srv/").replace("/usr/local/bin", f"{WORK}/bin")


def nightly(name, path, command, day):
    """The command as the scheduler runs it, twice: the second time its guard trips, because the
    table is too small."""
    service = place_service(day)
    environment = {"PATH": path, "HOME": str(WORK)}
    output = service / "scores" / f"{day}.parquet"
    output.unlink(missing_ok=True)
    expect(name, run("/bin/sh", "-c", command, env=environment))
    if not output.exists():
        FAILED.append(f"{name}: no output")
    small = command.replace("--min-rows 1000", "--min-rows 100000000").replace(
        f"{service}/scores/", f"{service}/scores/small-"
    )
    expect(f"{name}: guard", run("/bin/sh", "-c", small, env=environment), 5)
    if list(service.glob("scores/small-*[0-9].parquet")):
        FAILED.append(f"{name}: an output although the guard tripped")


def yesterday():
    return subprocess.run(
        ["date", "-d", "yesterday", "+%F"], capture_output=True, text=True, check=True
    ).stdout.strip()


def cron():
    lines = localized((EXAMPLES / "nightly.cron").read_text()).splitlines()
    path = next(line.removeprefix("PATH=") for line in lines if line.startswith("PATH="))
    command = (
        next(line for line in lines if line[:1].isdigit()).split(None, 5)[5].replace("\\%", "%")
    )
    nightly("nightly.cron", path, command, yesterday())


def systemd():
    units = [EXAMPLES / "tallow-nightly.service", EXAMPLES / "tallow-nightly.timer"]
    start = next(
        line.removeprefix("ExecStart=/bin/sh -c ")
        for line in units[0].read_text().replace("\\\n", " ").splitlines()
        if line.startswith("ExecStart=")
    )
    nightly(
        "tallow-nightly.service",
        "/usr/bin:/bin",
        localized(start.strip("'").replace("$$", "$").replace("%%", "%")),
        yesterday(),
    )
    if shutil.which("systemd-analyze") is None:
        SKIPPED.append("systemd: no systemd-analyze")
        return
    copies = [WORK / unit.name for unit in units]
    for unit, copy in zip(units, copies):
        copy.write_text(localized(unit.read_text()).replace(f"{WORK}/srv/", "/srv/"))
    expect("systemd-analyze verify", run("systemd-analyze", "verify", *copies))


def airflow():
    if not has("airflow"):
        return
    day, home = "2026-01-31", WORK / "airflow"
    service = place_service(day)
    (home / "dags").mkdir(parents=True)
    shutil.copy(EXAMPLES / "airflow_dag.py", home / "dags/airflow_dag.py")
    environment = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "PATH": f"{WORK}/bin:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    program = [sys.executable, "-m", "airflow"]
    expect("airflow db migrate", run(*program, "db", "migrate", env=environment))
    conf = {
        "model": str(service / "models/churn"),
        "data": str(service / "data/customers"),
        "scores": str(service / "scores"),
        "min_rows": 10,
    }
    found = run(
        *program, "dags", "test", "churn_scores", day, "--conf", json.dumps(conf), env=environment
    )
    expect("airflow dags test", found)
    if (
        "rows scored, 0 rejected" not in found[1]
        or not (service / "scores" / day / "_SUCCESS").exists()
    ):
        FAILED.append(f"airflow dags test: no scores: {found[1].strip()[-900:]}")


def text_model():
    if not has("torch", "transformers"):
        return
    case = ROOT / "data/golden/text/bert_two"
    source = WORK / "bert_two"
    shutil.copytree(case / "model", source)
    shutil.copy(ROOT / "data/golden/text/tokenizers/wordpiece.json", source / "tokenizer.json")
    offline = os.environ | {"HF_HUB_OFFLINE": "1"}
    expect(
        "export_text_model.py",
        run(
            sys.executable,
            EXAMPLES / "export_text_model.py",
            source,
            WORK / "text_out",
            env=offline,
        ),
    )
    (WORK / "reviews.csv").write_text("text\nthe quick brown fox\na good review\n")
    scores = [WORK / f"{name}.text.parquet" for name in ["before", "after"]]
    for model, output in zip([source, WORK / "text_out"], scores):
        expect(
            f"{output.name}: score",
            run(
                TALLOW,
                "score",
                "--quiet",
                "--model",
                model,
                WORK / "reviews.csv",
                "--output",
                output,
            ),
        )
    import pyarrow.parquet

    if (
        all(output.exists() for output in scores)
        and len({str(pyarrow.parquet.read_table(output).to_pydict()) for output in scores}) > 1
    ):
        FAILED.append("export_text_model.py: the exported model has other scores")


def blocks(text):
    """The fenced blocks of a Markdown file: their words and their lines."""
    for info, body in re.findall(r"^```([^\n]+)\n(.*?)^```", text, flags=re.S | re.M):
        yield info.split(), body


def commands(words, body):
    """The commands of a block; in a session the lines after `$`, with those that they go on in."""
    if words[0] == "sh":
        return [body]
    return [step.removeprefix("$ ") for step in re.findall(r"^\$ (?:.*\\\n)*.*", body, flags=re.M)]


def papers():
    """README and the guide, as far as they need Python; tests/it/papers.rs runs the other blocks of
    them."""
    if not has("sklearn", "skl2onnx", "pandas", "pyarrow"):
        return
    for paper in [ROOT / "README.md", *sorted((ROOT / "src/guide").glob("*.md"))]:
        found = list(blocks(paper.read_text()))
        if not any("python" in words for words, _ in found):
            continue
        room = WORK / f"paper_{paper.stem}"
        (room / "bin").mkdir(parents=True)
        (room / "bin/tallow").symlink_to(TALLOW)
        (room / "bin/python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        (room / "bin/python").chmod(0o755)
        for folder in ["data", "examples"]:
            (room / folder).symlink_to(ROOT / folder)
        environment = os.environ | {"PATH": f"{room}/bin:{os.environ['PATH']}", "NO_COLOR": "1"}
        for words, body in found:
            if "unrun" in words or words[0] not in ("sh", "console", "python"):
                continue
            name = f"{paper.name}: {body.strip().splitlines()[0]}"
            if words[0] == "python":
                expect(name, run(sys.executable, "-c", body, cwd=room, env=environment))
                continue
            for command in commands(words, body):
                done = run("/bin/sh", "-c", command, cwd=room, env=environment)
                if words[0] == "sh" or "python" in words:
                    expect(name, done)
                if "python" in words and words[0] == "console":
                    printed = body.split(command, 1)[1].strip().splitlines()[0]
                    if printed not in done[1]:
                        FAILED.append(f"{name}: no line `{printed}` in {done[1]}")


def from_rust():
    """The example that `cargo test` builds next to tallow."""
    program = TALLOW.parent / "examples/score_from_rust"
    if not program.exists():
        SKIPPED.append("score_from_rust.rs: not built")
        return
    demo = ROOT / "data/demo"
    done = run(program, demo / "churn", demo / "customers.parquet")
    expect("score_from_rust.rs", done)
    if "976 rows, 0 rejected" not in done[1]:
        FAILED.append(f"score_from_rust.rs: {done[1][-300:]}")


def main():
    chosen = os.environ.get("TALLOW_EXAMPLES", "").split()
    for part in [
        scikit_learn,
        lightgbm,
        catboost,
        xgboost,
        mains,
        from_rust,
        cron,
        systemd,
        text_model,
        papers,
        airflow,
    ]:
        if not chosen or part.__name__ in chosen:
            attempt(part.__name__, part)
            print(f"{part.__name__}: {len(DONE)} steps passed so far", flush=True)
    print(f"examples: {len(DONE)} steps passed")
    for line in SKIPPED:
        print(f"!!! NOT TESTED: {line} !!!")
    for line in FAILED:
        print(f"FAILED {line}")
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    TALLOW = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as temporary:
        WORK = pathlib.Path(temporary)
        main()
