"""Thirty nights of a job, as a new user would run it from README and the guide.

    python tests/examples/thirty_nights.py path/to/tallow [DIRECTORY]

Every night scores the day's customers next to the baseline, with gates, and evaluates the run of
three nights before, whose labels have come by then. Night 8 has a file that is cut off, nights 16
to 22 have higher charges and a payment method that nobody knows, night 25 lacks a column, and from
night 27 on the model has a new version. Of every night the terminal says the right thing in at most
ten lines: that is checked, and so are the pages, one of each drifted night and one of all. Only the
standard library is needed."""

import csv
import json
import pathlib
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEMO = ROOT / "data" / "demo"
NIGHTS = 30
CUT, DRIFT, WITHOUT, UPDATE, DELAY = 8, range(16, 23), 25, 27, 3
ROWS = 600
MAX_LINES = 10
GATES = ["js(*) < 0.25", "unseen_rate(*) <= 0.02", "missing_rate(*) <= 0.25", "drifted_share <= 0.1",
         "mean(probability) <= 0.6"]


def expect(condition, what, run):
    if not condition:
        sys.exit(f"{what}\n{run.args}\nexit {run.returncode}\n{run.stdout}{run.stderr}")


def main():
    tallow = str(pathlib.Path(sys.argv[1]).resolve())
    keep = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory() as room:
        work = keep or pathlib.Path(room)
        work.mkdir(parents=True, exist_ok=True)
        nights(tallow, work)


def nights(tallow, work):
    def run(*arguments):
        return subprocess.run(
            [tallow, *map(str, arguments)], capture_output=True, text=True, cwd=work
        )

    for version in ["7", "8"]:
        made = run("pack", DEMO / "churn", "--name", "churn", "--model-version", version,
                   "--output", f"model_{version}")
        expect(made.returncode == 0, "no package", made)
    # All columns of the demo's Parquet file as CSV, for the days to be drawn from.
    made = run("score", "--model", DEMO / "churn", DEMO / "customers.parquet", "--output",
               "customers.csv", "--passthrough", "all", "--report", "none")
    expect(made.returncode == 0, "no customers", made)
    with open(work / "customers.csv", newline="") as file:
        customers = list(csv.DictReader(file))
    for row in customers:
        del row["probability"], row["prediction"]
    write(work / "before.csv", customers)
    made = run("profile", "before.csv", "--output", "baseline.pq")
    expect(made.returncode == 0, "no baseline", made)
    made = run("profile", "before.csv", "--model", "model_7", "--output", "usual.pq")
    expect(made.returncode == 0, "no baseline of the model", made)
    with open(DEMO / "outcomes.csv", newline="") as file:
        outcomes = {row["customer_id"]: row["churned"] for row in csv.DictReader(file)}
    for night in range(1, NIGHTS + 1):
        rows = random.Random(night).sample(customers, ROWS)
        write_day(work, night, rows)
        labels = [row["customer_id"] for row in rows if row["customer_id"] in outcomes]
        with open(work / f"labels_{night:02}.csv", "w", newline="") as file:
            csv.writer(file).writerows(
                [["customer_id", "churned"], *([name, outcomes[name]] for name in labels)]
            )
        one_night(run, work, night)
    history(run, work)


def write(path, rows, names=None):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, names or list(rows[0]), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def write_day(work, night, rows):
    """The table that the source delivers for a night."""
    rows = [dict(row) for row in rows]
    names = list(rows[0])
    if night in DRIFT:
        for index, row in enumerate(rows):
            if row["monthly_charge"]:
                row["monthly_charge"] = f"{float(row['monthly_charge']) * 1.5:.2f}"
            if index % 10 == 0:
                row["payment_method"] = "crypto"
    if night == WITHOUT:
        names.remove("total_charge")
    write(work / f"day_{night:02}.csv", rows, names)
    if night == CUT:
        # The last line ends within a quoted cell.
        text = (work / f"day_{night:02}.csv").read_text()
        (work / f"day_{night:02}.csv").write_text(text[: len(text) // 2] + ',"cut')


def brief(night, run):
    """What the terminal says, which is short."""
    lines = (run.stdout + run.stderr).strip().splitlines()
    expect(len(lines) <= MAX_LINES, f"night {night}: {len(lines)} lines", run)
    return run


def one_night(run, work, night):
    model = "model_7" if night < UPDATE else "model_8"
    day, output = f"day_{night:02}.csv", f"scored_{night:02}.parquet"
    gates = [word for gate in GATES for word in ("--gate", gate)]
    command = ["score", "--model", model, day, "--output", output, "--price-per-hour", "0.40",
               "--on-unseen", "payment_method=null", "--baseline", "usual.pq", *gates]
    scored = brief(night, run(*command))
    said = scored.stdout + scored.stderr
    if night == CUT:
        expect(scored.returncode not in (0, 5) and day in said, "the cut file passed", scored)
        return
    if night == WITHOUT:
        expect(scored.returncode == 3, "a missing column passed", scored)
        expect("total_charge" in said and "hint" in said, "no hint", scored)
        return
    expect("scored 600 rows" in said, "not scored", scored)
    if night in DRIFT:
        withheld(run, work, night, scored, command)
    else:
        expect(scored.returncode == 0, "withheld", scored)
        expect("drift        0 of" in said and "all 5 gates passed" in said, "not calm", scored)
    compared = brief(night, run("drift", "baseline.pq", day, "--output", f"drift_{night:02}.pq"))
    expect(compared.returncode == 0, "not compared", compared)
    facts = json.loads(run("inspect", f"drift_{night:02}.pq", "--format", "json").stdout)["drift"]
    drifted = {name for name, one in facts.items()
               if isinstance(one, dict) and one["verdict"] == "drift"}
    columns = drifted - {"customer_id", "signup_date"}
    expected = {"monthly_charge", "payment_method"} if night in DRIFT else set()
    expect(columns == expected, f"night {night}: drifted {columns}", compared)
    for name in expected:
        expect(name in compared.stdout, f"{name} is not named", compared)
    before = night - DELAY
    if before >= 1 and (work / f"scored_{before:02}.parquet").exists():
        labelled = brief(night, run(
            "evaluate", f"scored_{before:02}.parquet", "--label", "churned", "--labels",
            f"labels_{before:02}.csv", "--key", "customer_id", "--positive", "1", "--by", "region",
            "--output", f"evaluation_{before:02}.pq"))
        expect(labelled.returncode == 0, "not evaluated", labelled)
        for part in ["ROC AUC 0.", "region=", "rows without label"]:
            expect(part in labelled.stdout, f"nothing of `{part}`", labelled)


def withheld(run, work, night, scored, command):
    """A drifted night: nothing is published, both columns are named, the page shows them, and the
    user publishes the output as it is."""
    said = scored.stdout + scored.stderr
    expect(scored.returncode == 5, "a drifted night passed", scored)
    for part in ["of 5 gates failed", "monthly_charge", "payment_method", "withheld", "hint",
                 "report"]:
        expect(part in said, f"night {night}: nothing of `{part}`", scored)
    output = f"scored_{night:02}.parquet"
    expect(not (work / output).exists(), "published", scored)
    name = f"withheld_{night:02}.html"
    page = run("report", output, "--output", name)
    expect(page.returncode == 0, "no page of a withheld night", page)
    text = (work / name).read_text()
    for part in ["withheld", "js(monthly_charge)", "payment_method", "unseen_rate"]:
        expect(part in text, f"the page of night {night} does not show {part}", page)
    published = brief(night, run(*command, "--on-gate", "publish"))
    expect(published.returncode == 5 and (work / output).exists(), "not published", published)


def history(run, work):
    page = run("report", "scored_*.report.pq", "drift_*.pq", "evaluation_*.pq", "--output",
               "nights.html", "--overwrite")
    expect(page.returncode == 0, "no page", page)
    text = (work / "nights.html").read_text()
    for part in ["28 runs", "js(monthly_charge)", "roc_auc", "versions 7, 8"]:
        expect(part in text, f"the page does not show {part}", page)
    expect(len(text) < 400_000, f"the page has {len(text)} bytes", page)
    print(f"{NIGHTS} nights on {work / 'nights.html'}")


if __name__ == "__main__":
    main()
