"""Makes the golden cases of dense networks: python data/golden/network.py

Needs torch, safetensors, numpy, pyarrow. Deterministic: every case seeds torch and NumPy with its
own number. The expected numbers are PyTorch's own forward pass in single precision, in evaluation
mode, over the whole table at once."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent
ROWS = 200


def start(seed):
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    return np.random.default_rng(seed)


def shake(module):
    """Gives norms non-trivial statistics and weights, as training would."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d):
            part.running_mean.normal_(0.5, 2.0)
            part.running_var.uniform_(0.05, 9.0)
        if isinstance(part, (nn.BatchNorm1d, nn.LayerNorm)) and part.weight is not None:
            nn.init.normal_(part.weight, 1.0, 0.3)
            nn.init.normal_(part.bias, 0.0, 0.3)
    return module.eval()


def louder(module):
    """Moves the scores of an untrained network away from one half."""
    for parameter in module.parameters():
        parameter.mul_(2.0)


def numbers(rng, names, dtype=np.float32):
    return {
        name: (rng.normal(size=ROWS) * 10 ** rng.uniform(-1, 2) + rng.normal() * 5).astype(dtype)
        for name in names
    }


def standardise(columns, names):
    """The inputs of TOML and the tensor of PyTorch for the same standardised numbers."""
    entries, values = [], []
    for name in names:
        mean, scale = (
            round(float(columns[name].mean()), 3),
            round(float(columns[name].std()) + 0.001, 3),
        )
        entries.append(f'[[inputs]]\nname = "{name}"\nmean = {mean}\nscale = {scale}\n')
        values.append(
            (
                torch.from_numpy(columns[name].astype(np.float32))
                - torch.tensor(mean, dtype=torch.float32)
            )
            / torch.tensor(scale, dtype=torch.float32)
        )
    return "\n".join(entries), torch.stack(values, dim=1)


def layer(kind, **keys):
    lines = [f"{key} = {json.dumps(value)}" for key, value in {"kind": kind, **keys}.items()]
    return "[[network.layers]]\n" + "\n".join(lines) + "\n"


def write(case, seed, about, toml, tensors, columns, expected, order=None, task=None):
    folder = HERE / f"network_{case}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "model").mkdir(parents=True)
    weights = folder / "model" / "model.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    task = f'task = "{task}"\n' if task else ""
    head = f'name = "{case}"\nversion = "1"\n{task}description = """\n{about}"""\n'
    artefact = f'[[artefacts]]\npath = "model.safetensors"\nsha256 = "{digest}"\n'
    (folder / "model" / "tallow.toml").write_text("\n".join([head, artefact, *toml]))
    columns = {"id": np.arange(ROWS, dtype=np.int64), **columns}
    table = {name: columns[name] for name in (order or columns)}
    pq.write_table(pa.table(table), folder / "input.parquet", compression="zstd")
    pq.write_table(pa.table(expected), folder / "expected.parquet", compression="zstd")
    information = {"model": "model", "tolerance": 1e-5, "margin_tolerance": 1e-5, "arguments": []}
    (folder / "case.json").write_text(json.dumps(information, indent=2) + "\n")
    (folder / "ORIGIN.md").write_text(
        f"{about}\nMade by `data/golden/network.py` with PyTorch "
        f"{torch.__version__.split('+')[0]}, seed {seed}.\n"
    )


@torch.no_grad()
def binary():
    rng = start(11)
    names = ["age", "balance", "tenure", "visits"]
    columns = {**numbers(rng, names[:3]), "visits": rng.integers(0, 40, ROWS)}
    inputs, x = standardise(columns, names)
    net = shake(
        nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))
    )
    louder(net)
    net[4].bias.sub_(net(x).median())
    layers = [
        layer("linear", weights="0"),
        layer("relu"),
        layer("linear", weights="2"),
        layer("relu"),
        layer("linear", weights="4"),
    ]
    margin = net(x)[:, 0] * 1.0
    probability = torch.sigmoid(margin)
    expected = {
        "probability": probability.numpy(),
        "prediction": (probability >= 0.5).numpy().astype(np.int64),
        "margin": margin.numpy(),
    }
    write(
        "binary",
        11,
        "Two classes: ReLU layers, a sigmoid as the output's link, standardised numbers, one "
        "column of integers.\n",
        ['[outputs]\nlink = "logistic"\n', inputs, *layers],
        net.state_dict(),
        columns,
        expected,
        order=["tenure", "visits", "id", "balance", "age"],
    )


@torch.no_grad()
def multiclass():
    rng = start(12)
    names = [f"x{i}" for i in range(6)]
    columns = numbers(rng, names, np.float64)
    inputs, x = standardise(columns, names)
    net = shake(
        nn.Sequential(nn.Linear(6, 24), nn.SiLU(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 4))
    )
    louder(net)
    layers = [
        layer("linear", weights="0"),
        layer("silu"),
        layer("linear", weights="2"),
        layer("tanh"),
        layer("linear", weights="4"),
    ]
    labels = ["basic", "gold", "none", "plus"]
    margins = net(x)
    probabilities = torch.softmax(margins, dim=1)
    expected = {"prediction": [labels[i] for i in margins.argmax(dim=1)]}
    expected |= {
        f"probability_{label}": probabilities[:, i].numpy() for i, label in enumerate(labels)
    }
    expected |= {f"margin_{label}": margins[:, i].numpy() for i, label in enumerate(labels)}
    outputs = f'[outputs]\nlink = "softmax"\nlabels = {json.dumps(labels)}\n'
    write(
        "multiclass",
        12,
        "Four classes with text labels: SiLU and tanh, softmax as the output's link.\n",
        [outputs, inputs, *layers],
        net.state_dict(),
        columns,
        expected,
    )


@torch.no_grad()
def regression():
    rng = start(13)
    names = ["area", "rooms", "year"]
    columns = numbers(rng, names)
    entries = "\n".join(f'[[inputs]]\nname = "{name}"\n' for name in names)
    x = torch.stack([torch.from_numpy(columns[name]) for name in names], dim=1)
    net = shake(
        nn.Sequential(
            nn.BatchNorm1d(3),
            nn.Linear(3, 20),
            nn.BatchNorm1d(20),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(20, 1, bias=False),
        )
    )
    layers = [
        layer("batch_norm", weights="0"),
        layer("linear", weights="1"),
        layer("batch_norm", weights="2"),
        layer("relu"),
        layer("dropout", p=0.5),
        layer("linear", weights="5", bias=False),
    ]
    prediction = net(x)[:, 0] * 1.0
    write(
        "batch_norm",
        13,
        "Regression: batch norm with running statistics on raw inputs and inside, dropout, a "
        "layer without bias.\n",
        [entries, *layers],
        net.state_dict(),
        columns,
        {"prediction": prediction.numpy(), "margin": prediction.numpy()},
        task="regression",
    )


class Block(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.norm, self.up, self.down = (
            nn.LayerNorm(width),
            nn.Linear(width, hidden),
            nn.Linear(hidden, width),
        )

    def forward(self, x):
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))


@torch.no_grad()
def residual():
    rng = start(14)
    names = [f"sensor_{i}" for i in range(5)]
    columns = numbers(rng, names)
    inputs, x = standardise(columns, names)
    net = shake(
        nn.Sequential(
            nn.Linear(5, 16),
            Block(16, 32),
            Block(16, 32),
            nn.LayerNorm(16),
            nn.GELU("tanh"),
            nn.Linear(16, 1),
        )
    )

    def block(i):
        parts = [
            f'{{ kind = "layer_norm", weights = "{i}.norm" }}',
            f'{{ kind = "linear", weights = "{i}.up" }}',
            '{ kind = "gelu" }',
            f'{{ kind = "linear", weights = "{i}.down" }}',
        ]
        return (
            '[[network.layers]]\nkind = "residual"\nlayers = [\n'
            + "".join(f"  {part},\n" for part in parts)
            + "]\n"
        )

    layers = [
        layer("linear", weights="0"),
        block(1),
        block(2),
        layer("layer_norm", weights="3"),
        layer("gelu_tanh"),
        layer("linear", weights="5"),
    ]
    prediction = net(x)[:, 0] * 1.0
    write(
        "residual",
        14,
        "Regression: residual blocks of layer norm and exact GELU, then the tanh form of GELU.\n",
        [inputs, *layers],
        net.state_dict(),
        columns,
        {"prediction": prediction.numpy(), "margin": prediction.numpy()},
    )


class Embedded(nn.Module):
    def __init__(self):
        super().__init__()
        self.city, self.plan = nn.Embedding(7, 4), nn.Embedding(4, 3)
        self.body = nn.Sequential(nn.Linear(4 + 3 + 2, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, city, plan, x):
        return self.body(torch.cat([self.city(city), self.plan(plan), x], dim=1))


@torch.no_grad()
def embedding():
    rng = start(15)
    cities = ["athens", "berlin", "cairo", "delhi", "essen", "florence"]
    plans = ["basic", "free", "gold"]
    columns = numbers(rng, ["income", "age"])
    city = rng.integers(0, 7, ROWS)  # code 6 is what training gave to cities it had not seen
    plan = rng.integers(0, 4, ROWS)  # code 3 is what training gave to null
    columns["city"] = pa.array([cities[i] if i < 6 else f"new {row}" for row, i in enumerate(city)])
    columns["plan"] = pa.array([plans[i] if i < 3 else None for i in plan])
    numeric, x = standardise(columns, ["income", "age"])
    categorical = (
        '[[inputs]]\nname = "city"\ntype = "string"\ncategories = '
        f'{json.dumps(cities)}\nembedding = "city"\non_unseen = {{ default = 6 }}\n\n'
        f'[[inputs]]\nname = "plan"\ncategories = {json.dumps(plans)}\nembedding = '
        '"plan"\non_null = { default = 3 }\n'
    )
    net = shake(Embedded())
    louder(net)
    layers = [layer("linear", weights="body.0"), layer("relu"), layer("linear", weights="body.2")]
    margin = net(torch.from_numpy(city), torch.from_numpy(plan), x)[:, 0] * 1.0
    probability = torch.sigmoid(margin)
    expected = {
        "probability": probability.numpy(),
        "prediction": ["stays" if p < 0.4 else "leaves" for p in probability],
        "margin": margin.numpy(),
    }
    outputs = '[outputs]\nlink = "logistic"\nlabels = ["stays", "leaves"]\nthreshold = 0.4\n'
    write(
        "embedding",
        15,
        "Two classes by name: embeddings of two text columns, one with unseen values and one with "
        "nulls, beside standardised numbers.\n",
        [outputs, categorical, numeric, *layers],
        net.state_dict(),
        columns,
        expected,
        order=["age", "plan", "id", "income", "city"],
    )


@torch.no_grad()
def half():
    rng = start(16)
    names = ["a", "b", "c"]
    columns = numbers(rng, names)
    inputs, x = standardise(columns, names)
    net = shake(nn.Sequential(nn.Linear(3, 40), nn.ReLU(), nn.Linear(40, 2))).half()
    tensors = net.state_dict()
    margins = net.float()(x)
    layers = [layer("linear", weights="0"), layer("relu"), layer("linear", weights="2")]
    expected = {
        f"prediction_{name}": margins[:, i].numpy() for i, name in enumerate(["low", "high"])
    }
    expected |= {f"margin_{name}": margins[:, i].numpy() for i, name in enumerate(["low", "high"])}
    write(
        "half",
        16,
        "Two numbers a row from weights kept in half precision, computed in single precision.\n",
        ['[outputs]\nnames = ["low", "high"]\n', inputs, *layers],
        tensors,
        columns,
        expected,
        task="values",
    )


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.shop = nn.Embedding(9, 3)
        self.skip, self.up, self.down = nn.Linear(8, 12), nn.Linear(8, 20), nn.Linear(20, 12)
        self.norm, self.head = nn.BatchNorm1d(12, affine=False), nn.Linear(12, 3)

    def forward(self, shop, x, grade):
        x = torch.cat([self.shop(shop), x, nn.functional.one_hot(grade, 3).float()], dim=1)
        x = self.skip(x) + self.down(nn.functional.elu(self.up(x)))
        return self.head(nn.functional.leaky_relu(self.norm(x), 0.2))


@torch.no_grad()
def mixed():
    rng = start(17)
    columns = numbers(rng, ["price", "weight"], np.float64)
    shop, grade = rng.integers(0, 9, ROWS), rng.integers(0, 3, ROWS)
    columns |= {"shop": shop, "grade": grade * 10}
    numeric, x = standardise(columns, ["price", "weight"])
    shops = '[[inputs]]\nname = "shop"\ntype = "int64"\nkind = "code"\nembedding = "shop"\n'
    grades = '[[inputs]]\nname = "grade"\ncategories = [0, 10, 20]\none_hot = true\n'
    net = shake(Mixed())
    louder(net)
    block = (
        '[[network.layers]]\nkind = "residual"\nlayers = [\n  { kind = "linear", weights = "up" '
        '},\n  { kind = "elu" },\n'
        '  { kind = "linear", weights = "down" },\n]\nshortcut = [{ kind = "linear", weights = '
        '"skip" }]\n'
    )
    layers = [
        block,
        layer("batch_norm", weights="norm", affine=False),
        layer("leaky_relu", slope=0.2),
        layer("linear", weights="head"),
    ]
    margins = net(torch.from_numpy(shop), x, torch.from_numpy(grade))
    probabilities = torch.softmax(margins, dim=1)
    expected = {"prediction": margins.argmax(dim=1).numpy()}
    expected |= {f"probability_{label}": probabilities[:, label].numpy() for label in range(3)}
    expected |= {f"margin_{label}": margins[:, label].numpy() for label in range(3)}
    write(
        "mixed",
        17,
        "Three classes by number: an embedding by code, numbers and a one-hot category; a "
        "residual block with a shortcut, ELU, leaky ReLU.\n",
        [shops, numeric, grades, *layers],
        net.state_dict(),
        columns,
        expected,
        order=["grade", "weight", "id", "price", "shop"],
        task="classes",
    )


if __name__ == "__main__":
    for case in (binary, multiclass, regression, residual, embedding, half, mixed):
        case()
