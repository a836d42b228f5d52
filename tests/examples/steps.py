"""What the programs in this directory share: steps that pass or fail, counted at the end."""

import importlib.util
import os
import subprocess
import sys
import traceback

FAILED, SKIPPED, DONE = [], [], []


def has(*names):
    """Whether these modules are installed; the calling part is NOT TESTED otherwise."""
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


def finish(title, parts):
    """Runs the parts, those in TALLOW_EXAMPLES if it is set, and exits."""
    chosen = os.environ.get("TALLOW_EXAMPLES", "").split()
    for part in parts:
        if not chosen or part.__name__ in chosen:
            attempt(part.__name__, part)
            print(f"{part.__name__}: {len(DONE)} steps passed so far", flush=True)
    print(f"{title}: {len(DONE)} steps passed")
    for line in SKIPPED:
        print(f"!!! NOT TESTED: {line} !!!")
    for line in FAILED:
        print(f"FAILED {line}")
    sys.exit(1 if FAILED else 0)
