"""Python files of all protocols and containers, and what Python itself reads from them.

    python data/golden/pickles.py DIRECTORY [--all]

Files go by VALUE_WAY_VERSION; what they hold is in VALUE_VERSION.outline, or in FILE.outline where
it differs: one line a value, by its path. The lines are made of the objects
that `pickle.load` and its like give, never of the file. Without --all only the small cases are made
that are kept in data/golden/pickles; with it about 130 estimators in every protocol more, for a run
with TALLOW_PICKLES=DIRECTORY. The kept files are of scikit-learn 0.24.2 (numpy 1.23, joblib 1.2,
Python 3.9) and 1.9.1 (numpy 2.4, joblib 1.6, skops, cloudpickle and dill). Seeds are fixed.
"""

import collections
import pathlib
import pickle
import sys
import warnings
import zipfile
import zlib

import joblib
import numpy as np
import scipy.sparse
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

warnings.filterwarnings("ignore")
VERSION = sklearn.__version__
# Attributes that no model is computed from.
UNREAD = {"random_state", "_random_state", "loss_", "_loss", "_metadata_request", "_rng"}


def outline(value, path, lines):
    """Appends a line for each value below this one."""
    if value is None:
        lines.append(f"{path} = None")
    elif isinstance(value, (bool, np.bool_)):
        lines.append(f"{path} = {bool(value)}")
    elif isinstance(value, (int, np.integer)):
        small = -(2**63) <= int(value) < 2**63
        lines.append(f"{path} = {int(value)}" if small else f"{path} = huge")
    elif isinstance(value, (float, np.floating)):
        bits = np.float64(value).view(np.uint64)
        lines.append(f"{path} = float {int(bits):016x}" if value == value else f"{path} = nan")
    elif isinstance(value, str):
        lines.append(f"{path} = text {zlib.crc32(value.encode()):08x}")
    elif isinstance(value, (bytes, bytearray)):
        lines.append(f"{path} = bytes {len(value)} {zlib.crc32(bytes(value)):08x}")
    elif isinstance(value, np.ndarray):
        array(value, path, lines)
    elif isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        lines.append(f"{path} = {kind} of {len(value)}")
        for index, item in enumerate(value):
            outline(item, f"{path}[{index}]", lines)
    elif isinstance(value, (set, frozenset)):
        lines.append(f"{path} = set of {len(value)}")
    elif isinstance(value, dict) and type(value) in (
        dict,
        collections.OrderedDict,
        collections.defaultdict,
    ):
        lines.append(f"{path} = dict of {len(value)}")
        for key in value:
            if isinstance(key, str):
                outline(value[key], f"{path}.{key}", lines)
    elif scipy.sparse.issparse(value):
        array(value.data, f"{path}.data", lines)
        array(value.indices, f"{path}.indices", lines)
        array(value.indptr, f"{path}.indptr", lines)
    elif type(value).__module__.startswith("sklearn.") and hasattr(value, "__getstate__"):
        state = value.__getstate__()
        lines.append(f"{path} = {type(value).__module__}.{type(value).__name__}")
        if isinstance(state, dict):
            for key in state:
                if key not in UNREAD:
                    outline(state[key], f"{path}.{key}", lines)
    else:
        lines.append(f"{path} = object")


def array(value, path, lines):
    shape = "x".join(str(length) for length in value.shape)
    if value.dtype == object:
        lines.append(f"{path} = array object {shape}")
        for index, item in enumerate(value.ravel()):
            outline(item, f"{path}[{index}]", lines)
    elif value.dtype.names:
        lines.append(f"{path} = array fields {shape}")
        for name in value.dtype.names:
            array(value[name], f"{path}.{name}", lines)
    elif value.dtype.kind in "biuf":
        plain = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
        code = value.dtype.kind + str(value.dtype.itemsize)
        # NaN has many bit patterns; files keep them.
        lines.append(f"{path} = array {code} {shape} {zlib.crc32(plain.tobytes()):08x}")
    elif value.dtype.kind == "U":
        text = "\0".join(value.ravel().tolist())
        lines.append(f"{path} = array text {shape} {zlib.crc32(text.encode()):08x}")
    else:
        lines.append(f"{path} = array other {shape}")


class Writer:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)

    def write(self, name, content, loaded):
        version = VERSION.replace(".", "_")
        lines = []
        outline(loaded, "", lines)
        (self.directory / f"{name}_{version}").write_bytes(content)
        text = "\n".join(lines) + "\n"
        shared = self.directory / f"{name.split('_')[0]}_{version}.outline"
        if shared.exists() and shared.read_text() != text:
            shared = self.directory / f"{name}_{version}.outline"
        shared.write_text(text)

    def pickled(self, name, value, protocols):
        for protocol in protocols:
            content = pickle.dumps(value, protocol)
            self.write(f"{name}_p{protocol}", content, pickle.loads(content))

    def dumped(self, name, value, ways):
        for way, options in ways.items():
            path = self.directory / "work.joblib"
            joblib.dump(value, path, **options)
            self.write(f"{name}_joblib_{way}", path.read_bytes(), joblib.load(path))
            path.unlink()


def arrays():
    rng = np.random.RandomState(7)
    record = np.zeros(3, dtype=[("n", "<i4"), ("x", "<f8"), ("left", "u1")])
    record["n"], record["x"], record["left"] = [1, 2, 3], rng.rand(3), [1, 0, 1]
    padded = np.zeros(2, dtype=np.dtype([("a", "u1"), ("b", "<f8")], align=True))
    padded["a"], padded["b"] = [3, 4], [0.5, -0.5]
    return {
        "plain": rng.rand(5),
        "fortran": np.asfortranarray(rng.rand(3, 4)),
        "fortran3": np.asfortranarray(rng.rand(2, 3, 4)),
        "big": np.arange(4, dtype=">i4"),
        "big_floats": np.array([1.5, np.nan, -0.0, np.inf], dtype=">f8"),
        "half": np.array([1.5, -2.0], dtype="f2"),
        "small": np.array([-3, 4], dtype="i1"),
        "unsigned": np.array([2**63 + 5], dtype="u8"),
        "flags": np.array([True, False]),
        "texts": np.array(["aa", "b", "", "\u00fc\U0001f600"]),
        "objects": np.array(
            ["x", None, "\u00fc", 3, 2.5, np.str_("np"), float("nan")], dtype=object
        ),
        "grid": np.array([["a", "b"], ["c", "d"]], dtype=object),
        "grid_fortran": np.asfortranarray(np.array([["a", "b"], ["c", "d"]], dtype=object)),
        "empty": np.zeros((0, 3)),
        "none": np.zeros(3)[:0],
        "scalar": np.array(4.0),
        "view": np.arange(10.0)[::2],
        "record": record,
        "padded": padded,
        "dates": np.array(["2020-01-01"], dtype="M8[D]"),
        "complex": np.array([1 + 2j]),
        "numbers": [np.float64(3.25), np.float32(1.5), np.int64(-7), np.bool_(True), np.str_("s")],
        "integers": [0, 255, 256, 65536, -1, -(2**31), 2**31, 2**62, -(2**63), 2**63, 10**30],
        "floats": [0.1, -0.0, float("inf"), float("nan"), 1e-310],
        "sets": [{1, 2}, frozenset("abc"), set()],
        "dicts": [collections.OrderedDict(a=1, b=2), {"nested": {"deep": (1,)}}],
        "bytes": [b"", b"\x00\xff'\"\\", bytearray(b"ab")],
        "text": 'it\'s "quoted" \\ \n \t \u00e4\u20ac\U0001f600',
        "truths": (True, False, None),
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
        "shared": [record] * 3,
    }


def table():
    rng = np.random.RandomState(0)
    numbers = rng.randn(60, 2)
    texts = rng.choice(["a", "b", "c"], (60, 1)).astype(object)
    labels = (numbers[:, 0] > 0).astype(int)
    return np.concatenate([numbers.astype(object), texts], axis=1), labels


def model(last):
    numbers = Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler())])
    columns = ColumnTransformer([("num", numbers, [0, 1]), ("cat", OneHotEncoder(), [2])])
    return Pipeline([("prep", columns), ("clf", last)]).fit(*table())


def forest():
    return model(RandomForestClassifier(2, max_depth=2, random_state=0))


def ways():
    found = {
        "plain": {},
        "zlib": {"compress": 3},
        "gzip": {"compress": ("gzip", 3)},
        "p2": {"protocol": 2},
    }
    try:
        import lz4  # noqa: F401

        found["lz4"] = {"compress": ("lz4", 1)}
    except ImportError:
        pass
    return found


def kept(writer):
    writer.pickled("arrays", arrays(), range(6))
    writer.dumped("arrays", arrays(), ways())
    writer.pickled("forest", forest(), [4])
    boosting = model(GradientBoostingClassifier(n_estimators=2, max_depth=1, random_state=0))
    writer.dumped("boosting", boosting, {"plain": {}, "zlib": {"compress": 3}})
    try:
        import skops.io
    except ImportError:
        return
    for name, one in (("forest", forest()), ("boosting", boosting)):
        content = skops.io.dumps(one, compression=zipfile.ZIP_DEFLATED, compresslevel=9)
        trusted = skops.io.get_untrusted_types(data=content)
        writer.write(f"{name}_skops", content, skops.io.loads(content, trusted=trusted))
    try:
        import cloudpickle
        import dill
    except ImportError:
        return
    writer.write("forest_cloudpickle", cloudpickle.dumps(forest()), forest())
    writer.write("forest_dill", dill.dumps(forest()), forest())


def wide(writer):
    from sklearn.utils import all_estimators

    rng = np.random.RandomState(1)
    numbers = np.abs(rng.randn(40, 3))
    classes = rng.randint(0, 3, 40)
    classes[:3] = [0, 1, 2]
    made = 0
    for name, kind in all_estimators():
        try:
            estimator = kind()
            if "random_state" in estimator.get_params():
                estimator.set_params(random_state=0)
            if "n_estimators" in estimator.get_params():
                estimator.set_params(n_estimators=3)
            estimator.fit(numbers, classes)
            pickle.dumps(estimator)
        except Exception:
            continue
        try:
            writer.pickled(name, estimator, range(6))
        except RecursionError:  # an object that holds itself has no outline
            continue
        made += 1
        writer.dumped(name, estimator, {"plain": {}, "gzip": {"compress": ("gzip", 3)}})
    for last in (LogisticRegression(), RandomForestClassifier(5, random_state=0)):
        writer.dumped(f"pipeline_{type(last).__name__}", model(last), ways())
    print(made, "estimators of", VERSION)


if __name__ == "__main__":
    target = Writer(sys.argv[1])
    kept(target)
    if "--all" in sys.argv:
        wide(target)
