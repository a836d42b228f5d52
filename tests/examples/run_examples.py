"""Runs everything in `examples/` as a user would, and the commands of README and the guide.

    python tests/examples/run_examples.py path/to/tallow

The small models that the export scripts train by themselves (`export_models.py` tries `export` on
many more); the line for cron under cron's own PATH; the units for systemd; the DAG in Airflow; each
block of code in README and `src/guide` that has Python in it, with the blocks before it. What
cannot be run here is printed as NOT TESTED."""

import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from steps import FAILED, SKIPPED, expect, finish, has, run

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


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
        table, output = package / "golden_rows.parquet", WORK / f"main_{kind}.parquet"
        expect(f"export_{kind}.py: check", run(TALLOW, "check", "--model", package, table))
        expect(
            f"export_{kind}.py: score",
            run(TALLOW, "score", "--quiet", "--model", package, table, "--output", output),
        )


def place_service(day, bad_rows=0):
    """The directories that the schedulers' examples name, below the working directory, and tallow
    in the PATH that they set. The first rows of the day may have a contract that nobody offers."""
    import pyarrow.compute
    import pyarrow.parquet

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
    rows = pyarrow.parquet.read_table(ROOT / "data/demo/customers.parquet")
    contracts = rows["contract"].to_pylist()
    contracts[:bad_rows] = ["weekly"] * bad_rows
    rows = rows.set_column(rows.schema.get_field_index("contract"), "contract", [contracts])
    pyarrow.parquet.write_table(rows, service / "data/customers" / day / "customers.parquet")
    return service


def localized(text):
    return text.replace("/srv/", f"{WORK}/srv/").replace("/usr/local/bin", f"{WORK}/bin")


def nightly(name, path, command, day):
    """The command as the scheduler runs it: on good rows, with few bad rows, with too many of them,
    and with a table that is too small. No run may print a warning that comes every night."""
    environment = {"PATH": path, "HOME": str(WORK)}
    output = place_service(day) / "scores" / f"{day}.parquet"
    too_small = command.replace("--min-rows 1000", "--min-rows 100000000")
    for case, line, bad_rows, code in [
        ("", command, 0, 0),
        (": few bad rows", command, 10, 0),
        (": too many bad rows", command, 100, 4),
        (": too few rows", too_small, 0, 5),
    ]:
        for old in output.parent.iterdir():
            old.unlink()
        place_service(day, bad_rows)
        found = run("/bin/sh", "-c", line, env=environment)
        expect(f"{name}{case}", found, code)
        if output.exists() != (code == 0):
            FAILED.append(f"{name}{case}: output exists: {output.exists()}")
        if "has no effect" in found[1] or (not bad_rows and code == 0 and "warning" in found[1]):
            FAILED.append(f"{name}{case}: {found[1][:300]}")


def yesterday():
    return subprocess.run(
        ["date", "-d", "yesterday", "+%F"], capture_output=True, text=True, check=True
    ).stdout.strip()


def cron():
    if not has("pyarrow"):
        return
    lines = localized((EXAMPLES / "nightly.cron").read_text()).splitlines()
    path = next(line.removeprefix("PATH=") for line in lines if line.startswith("PATH="))
    command = (
        next(line for line in lines if line[:1].isdigit()).split(None, 5)[5].replace("\\%", "%")
    )
    nightly("nightly.cron", path, command, yesterday())


def systemd():
    if not has("pyarrow"):
        return
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
    if not has("airflow", "pyarrow"):
        return
    day, home = "2026-01-31", WORK / "airflow"
    service = place_service(day, bad_rows=10)
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
        "1990 of 2000 rows scored, 10 rejected" not in found[1]
        or not (service / "scores" / day / "_SUCCESS").exists()
    ):
        FAILED.append(f"airflow dags test: no scores: {found[1].strip()[-900:]}")
    # A package whose gate fails and asks for another training.
    day, package = "2026-02-01", service / "models/gated"
    place_service(day)
    pack = [WORK / "bin/tallow", "pack", conf["model"], "--name", "churn", "--output", package]
    expect("tallow pack --gate", run(*pack, "--gate", "mean(probability) < 0.1"))
    manifest = package / "tallow.toml"
    gates = manifest.read_text().replace("[[gates]]", '[[gates]]\non_trip = "retrain"')
    manifest.write_text(gates)
    conf["model"] = str(package)
    found = run(
        *program, "dags", "test", "churn_scores", day, "--conf", json.dumps(conf), env=environment
    )
    is_published = (service / "scores" / day / "_SUCCESS").exists()
    expected = ["python train_churn.py", "the only gate failed"]
    if is_published or not all(text in found[1] for text in expected):
        FAILED.append(f"airflow dags test: no retraining: {found[1].strip()[-900:]}")


def release_room(name):
    """A directory with the demo's customers, tallow and python in its PATH."""
    room = WORK / name
    (room / "bin").mkdir(parents=True)
    shutil.copy(TALLOW, room / "bin/tallow")
    (room / "bin/python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (room / "bin/python3").chmod(0o755)
    for file in ["customers.parquet", "outcomes.csv"]:
        shutil.copy(ROOT / "data/demo" / file, room / file)
    shutil.copytree(EXAMPLES, room / "examples")
    environment = os.environ | {
        "PATH": f"{room}/bin:{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(room / "cache"),
        "XDG_STATE_HOME": str(room / "state"),
    }
    return room, environment


def registry_log(room, environment):
    command = ["tallow", "registry", "log", "churn", "--registry", "registry"]
    return run(*command, cwd=room, env=environment)


def makefile():
    """Releases two models and one that a gate keeps back, and rolls back once: on a bad night after a
    release, not on one with the model of the night before."""
    if not has("xgboost", "sklearn", "pandas", "pyarrow"):
        return
    room, environment = release_room("make")
    make = lambda *more: run(
        "make", "-f", "examples/release.mk", *more, cwd=room, env=environment
    )
    expect("release.mk: first version", make("release", "VERSION=1.0"))
    expect("release.mk: a night", make("night", "NIGHT=scores/1"))
    expect("release.mk: second version", make("release", "VERSION=1.1", "TREES=90"))
    kept_back = make("release", "VERSION=1.2", "TREES=1")
    expect("release.mk: a version that is not good enough", kept_back, 2)
    if "gate tripped" not in kept_back[1]:
        FAILED.append(f"release.mk: no gate tripped: {kept_back[1][-500:]}")
    night = lambda name, *more: make("night", f"NIGHT=scores/{name}", "LAST_NIGHT=scores/1", *more)
    expect("release.mk: a bad night of a new model", night("2", "MAX_FLIP_RATE=-1"), 2)
    expect("release.mk: another night", night("3"))
    expect("release.mk: a bad night of the same model", night("4", "MAX_FLIP_RATE=-1"), 2)
    log = registry_log(room, environment)[1]
    if log.count("rollback @champion") != 1 or "rollback @champion to :1" not in log:
        FAILED.append(f"release.mk: not one rollback: {log}")


def workflow():
    """The steps of the GitHub workflow, as a runner would run them."""
    if not has("xgboost", "sklearn", "pandas", "pyarrow", "yaml"):
        return
    import yaml

    room, environment = release_room("workflow")
    flow = yaml.safe_load((EXAMPLES / "release.yml").read_text())
    environment |= {"TALLOW_REGISTRY": "registry", "TALLOW_ACTOR": "ann@github"}
    # The second version is compared with the first.
    for version in ["1.0", "1.1"]:
        environment["VERSION"] = version
        for step in flow["jobs"]["release"]["steps"]:
            if "run" in step:
                done = run("bash", "-e", "-c", step["run"], cwd=room, env=environment)
                expect(f"release.yml: {step['name']} {version}", done)
    log = registry_log(room, environment)[1]
    promotions = [f"promote @champion to :{version}" for version in (1, 2)]
    if not all(one in log for one in [*promotions, "ann@github"]):
        FAILED.append(f"release.yml: not promoted: {log}")


def life_cycle_dag():
    """Two days in Airflow, and a third on which too many decisions flip."""
    if not has("airflow", "xgboost", "sklearn", "pandas", "pyarrow"):
        return
    room, environment = release_room("life_cycle")
    home = room / "airflow"
    (home / "dags").mkdir(parents=True)
    shutil.copy(EXAMPLES / "life_cycle_dag.py", home / "dags/life_cycle_dag.py")
    environment |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
    }
    program = [sys.executable, "-m", "airflow"]
    expect("life_cycle_dag.py: db migrate", run(*program, "db", "migrate", env=environment))
    conf = {
        "python": sys.executable,
        "train": str(EXAMPLES / "train_churn.py"),
        "customers": str(room / "customers.parquet"),
        "outcomes": str(room / "outcomes.csv"),
        "registry": str(room / "registry"),
        "work": str(room / "work"),
    }
    days = [("2026-01-29", 60, 0.2), ("2026-01-30", 90, 0.2), ("2026-01-31", 90, -1)]
    for day, trees, rate in days:
        asked = json.dumps(conf | {"trees": trees, "max_flip_rate": rate})
        found = run(
            *program, "dags", "test", "churn_life_cycle", day, "--conf", asked, env=environment
        )
        expect(f"life_cycle_dag.py: {day}", found)
    log = registry_log(room, environment)[1]
    for entry in ["promote @champion to :1", "promote @champion to :2", "rollback @champion to :"]:
        if entry not in log:
            FAILED.append(f"life_cycle_dag.py: no `{entry}` in {log}")


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
    them. The words after `python` name modules that the block needs beyond the usual ones."""
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
                if not has(*words[1:]):
                    continue
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


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    TALLOW = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as temporary:
        WORK = pathlib.Path(temporary)
        finish("examples", [
            mains,
            from_rust,
            cron,
            systemd,
            text_model,
            papers,
            airflow,
            makefile,
            workflow,
            life_cycle_dag,
        ])
