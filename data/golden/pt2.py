"""Makes the `pt2_*` cases: programs of `torch.export`, and PyTorch's own answers.

    python -P data/golden/pt2.py                 # the kept cases, alongside this file
    python -P data/golden/pt2.py --matrix FOLDER # every network below, for a wider check

Each case holds `model.pt2`, `input.parquet`, `expected.parquet`, `case.json` and `ORIGIN.md`.
Layouts of PyTorch up to 2.7 and of 2.8 are written with the functions that those versions call
(`torch._export.serde`), in the archives that they write.
"""

import argparse
import io
import json
import pathlib
import shutil
import warnings
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")
ROWS = 17
BATCH = torch.export.Dim("batch", min=2)


class Tabular(nn.Module):
    """Numbers and categories, as most tabular networks have them."""

    def __init__(self):
        super().__init__()
        self.kind = nn.Embedding(6, 3)
        self.norm = nn.BatchNorm1d(7)
        self.first = nn.Linear(7, 12)
        self.second = nn.Linear(12, 8)
        self.layer = nn.LayerNorm(8)
        self.last = nn.Linear(8, 3)

    def forward(self, numbers, kind):
        x = torch.cat([numbers, self.kind(kind)], dim=1)
        x = F.relu(self.first(self.norm(x)))
        x = F.dropout(x, 0.3, self.training)
        x = self.layer(F.gelu(self.second(x)))
        scores = self.last(x)
        return {"probability": scores.softmax(1), "class": scores.argmax(1)}


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(4, 16), nn.ReLU(inplace=True), nn.Dropout(0.1), nn.Linear(16, 1), nn.Sigmoid()
        )

    def forward(self, x):
        return self.layers(x).squeeze(1)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Linear(1, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.last = nn.Linear(8, 1)

    def forward(self, x):
        tokens = self.tokens(x.unsqueeze(-1))
        return self.last(self.encoder(tokens).mean(1))


class Attended(nn.Module):
    """Attention whose weights are asked for, and one with a mask."""

    def __init__(self):
        super().__init__()
        self.tokens = nn.Linear(1, 8)
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        mask = torch.ones(5, 5).tril().bool()
        self.register_buffer("mask", mask)

    def forward(self, x):
        t = self.tokens(x.unsqueeze(-1))
        y, weights = self.attend(t, t, t, need_weights=True)
        z = F.scaled_dot_product_attention(t, t, t, attn_mask=self.mask)
        c = F.scaled_dot_product_attention(t[:, None], t[:, None], t[:, None], is_causal=True)
        return y.mean((1, 2)), weights.amax(2), z.sum(1) + c[:, 0].sum(1)


class Convolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(1, 4, 3, padding=1),
            nn.BatchNorm1d(4),
            nn.SiLU(),
            nn.MaxPool1d(2),
            nn.Conv1d(4, 6, 3, padding="same", groups=2),
            nn.GroupNorm(3, 6),
            nn.LeakyReLU(0.1),
            nn.ConvTranspose1d(6, 4, 2, stride=2),
            nn.InstanceNorm1d(4),
            nn.AvgPool1d(3, 2, 1),
            nn.AdaptiveAvgPool1d(1),
            nn.Flatten(),
            nn.Linear(4, 2),
        )

    def forward(self, x):
        return self.layers(x.unsqueeze(1))


class Image(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 3, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(12, 2),
        )

    def forward(self, x):
        return self.layers(x.view(-1, 1, 4, 4)).log_softmax(-1)


class Recurrent(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.cell = kind(2, 5, batch_first=True, **options)
        width = 5 * (2 if options.get("bidirectional") else 1)
        self.last = nn.Linear(width, 2)

    def forward(self, x):
        steps = x.view(x.shape[0], 4, 2)
        y, state = self.cell(steps)
        state = state[0] if isinstance(state, tuple) else state
        return self.last(y[:, -1]) + state.sum((0, 2), keepdim=False)[:, None]


class TimeFirst(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRU(2, 5, num_layers=2, bias=False)

    def forward(self, x):
        return self.cell(x.view(x.shape[0], 4, 2).transpose(0, 1))[0][-1]


class Activations(nn.Module):
    KINDS = [
        nn.ReLU6(), nn.Hardtanh(-0.5, 0.7), nn.ELU(0.7), nn.SELU(), nn.CELU(1.3), nn.GELU("tanh"),
        nn.Mish(), nn.Softplus(), nn.Softplus(2.0, 5.0), nn.Hardsigmoid(), nn.Hardswish(),
        nn.LogSigmoid(), nn.Softshrink(0.3), nn.Hardshrink(0.2), nn.Softsign(), nn.Tanhshrink(),
        nn.Threshold(0.1, -2.0), nn.PReLU(), nn.PReLU(4), nn.Softmin(1), nn.LogSoftmax(1), nn.Tanh(),
    ]

    def __init__(self):
        super().__init__()
        self.kinds = nn.ModuleList(self.KINDS)
        self.gate = nn.Linear(4, 8)

    def forward(self, x):
        parts = [kind(x) for kind in self.kinds]
        return torch.cat([*parts, F.glu(self.gate(x))], 1)


class Arithmetic(nn.Module):
    """Operators that work on each element."""

    def forward(self, x):
        y = x.flip(1)
        positive = x.abs() + 0.1
        parts = [
            x + 2 * y, torch.add(x, y, alpha=3), 1 - x, torch.sub(x, y, alpha=0.5), x * y, x / 3,
            x / positive, torch.div(x, 0.3, rounding_mode="floor"),
            torch.div(x, 0.3, rounding_mode="trunc"), x // 0.7, x % 0.7, torch.fmod(x, 0.7),
            x % -0.7, x**2, positive**1.7, positive**0.5, 2.0**x, positive.rsqrt(),
            positive.log2(), positive.log10(), x.abs().log1p(), (x * 1e-4).expm1(), x.exp2(),
            x.sin(), x.cos(), x.tanh(), x.atan(), x.erf(), x.sign(), x.floor(), x.ceil(),
            x.round(), x.trunc(), x.frac(), x.reciprocal(), x.square(), x.clamp(-0.5, 0.5),
            x.clamp(min=0.1), x.clamp_max(0.2), torch.maximum(x, y), torch.minimum(x, y),
            torch.where(x > 0, x, y), x.masked_fill(x < 0, -1.0), torch.lerp(x, y, 0.3),
            torch.addcmul(x, x, y, value=0.5), torch.addcdiv(x, y, positive),
            torch.nan_to_num(x / 0.0, nan=1.5), (x == y).float(), (x != 0.5).double().float(),
            ((x >= 0) & (y <= 0)).int().float(), (x.isnan() | ~x.isfinite()).float(),
            torch.logical_xor(x > 0, y > 0).long() + x, (x.long() // 2).float(),
            (x.long() % 3).float(), torch.relu(x).add_(1.0), F.normalize(x, dim=1),
            x.to(torch.float64).sqrt().nan_to_num(0.0).float(), torch.where(x > 0.2, 1.0, 0.0),
            x.half().float(), x.bfloat16().float(), torch.rsub(x, y, alpha=2),
        ]
        return torch.stack(parts, 1).flatten(1)


class Movements(nn.Module):
    """Operators that move elements."""

    def __init__(self):
        super().__init__()
        self.register_buffer("order", torch.tensor([3, 0, 2]))
        self.register_buffer("edges", torch.tensor([-0.5, 0.0, 0.5]))

    def forward(self, x):
        n = x.shape[0]
        wide = x[:, None, :].expand(n, 3, 4)
        cube = x.view(n, 2, 2)
        a, b = x.chunk(2, dim=1)
        c, d, e = x.split([1, 2, 1], dim=1)
        u, v = cube.unbind(1)
        one_hot = F.one_hot(torch.bucketize(x[:, 0].contiguous(), self.edges), 4).float()
        parts = [
            wide.reshape(n, 12), x.repeat(1, 2), cube.transpose(1, 2).reshape(n, -1),
            cube.permute(2, 0, 1).permute(1, 0, 2).flatten(1), torch.cat([b, a], 1),
            torch.stack([c.squeeze(1), e.squeeze(-1)], 1), d, u, v, x[:, 1:3], x[:, ::2], x[:, -1:],
            x.roll(1, 1), F.pad(x, (1, 2), value=0.5), F.pad(x[:, None], (1, 1), mode="replicate")[:, 0],
            x.index_select(1, self.order), x[:, self.order], x.tile(1, 2), one_hot,
            torch.gather(x, 1, x.argsort(1)), cube.tril().flatten(1), cube.triu(1).flatten(1),
            x.repeat_interleave(2, 1), x.narrow(1, 1, 2), cube.movedim(1, 2).flatten(1),
            torch.arange(4).float() * x, torch.full((n, 2), 0.5) + a, torch.zeros_like(x) + x,
            torch.ones(n, 1) * x, x.new_full((n, 1), 2.0), torch.einsum("nij,njk->nik", cube, cube).flatten(1),
            cube.unflatten(2, (1, 2)).flatten(1), x.unsqueeze(2).squeeze(2).view_as(x),
        ]
        return torch.cat(parts, 1)


class Reductions(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Bilinear(2, 2, 3)

    def forward(self, x):
        cube = x.view(-1, 2, 2)
        top, index = x.topk(2, 1)
        low, _ = x.sort(1)
        largest, at = cube.max(2)
        parts = [
            x.sum(1, keepdim=True), x.mean(1, keepdim=True), cube.mean((1, 2))[:, None], x.prod(1, keepdim=True),
            x.amax(1, keepdim=True), x.amin(1)[:, None], x.logsumexp(1)[:, None], x.var(1)[:, None],
            x.std(1, unbiased=False, keepdim=True), torch.var_mean(x, 1)[0][:, None],
            x.norm(dim=1)[:, None], torch.linalg.vector_norm(x, 1, 1)[:, None],
            torch.linalg.vector_norm(x, 3, 1)[:, None], x.cumsum(1), top, index.float(), low, largest, at.float(),
            x.argmax(1)[:, None].float(), x.argmin(1, keepdim=True).float(), (x > 0).any(1)[:, None].float(),
            (x > 0).all(1, keepdim=True).float(), (x > 0).sum(1)[:, None].float(),
            F.cosine_similarity(x[:, :2], x[:, 2:])[:, None], F.pairwise_distance(x[:, :2], x[:, 2:])[:, None],
            self.mix(x[:, :2], x[:, 2:]), torch.baddbmm(cube, cube, cube, alpha=0.5).flatten(1),
            torch.bmm(cube, cube).flatten(1), (cube @ cube).flatten(1), F.rms_norm(x, (4,)),
            F.layer_norm(cube, (2, 2)).flatten(1), F.group_norm(x, 2), x.softmax(1, dtype=torch.float64).float(),
        ]
        return torch.cat(parts, 1)


def numbers(width, seed=1):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(ROWS, width)).astype("f4"))


def shared():
    """Weights that share a storage, and one that is a view of another."""
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 4)
            self.b = nn.Linear(4, 4)
            self.b.weight = self.a.weight
            self.register_buffer("turned", torch.randn(3, 4).t())
            self.register_buffer("part", torch.randn(10)[2:6], persistent=False)

        def forward(self, x):
            return (self.b(torch.relu(self.a(x))) + self.part) @ self.turned

    return Shared()


def networks():
    """Name, module, inputs, options of the export."""
    four, eight = numbers(4), numbers(8)
    kinds = torch.from_numpy(np.random.default_rng(2).integers(0, 6, ROWS))
    yield "tabular", Tabular(), (four, kinds), {}
    yield "plain", Plain(), (four,), {}
    yield "plain_fixed", Plain(), (four,), {"fixed": True}
    yield "plain_double", Plain().double(), (four.double(),), {}
    yield "plain_half", Plain().half(), (four.half(),), {"tolerance": 2e-3}
    yield "plain_bfloat", Plain().bfloat16(), (four,), {"tolerance": 2e-2, "wrap": True}
    yield "shared", shared(), (four,), {}
    yield "attention", Attention(), (numbers(5),), {}
    yield "attended", Attended(), (numbers(5),), {}
    yield "convolution", Convolution(), (eight,), {}
    yield "image", Image(), (numbers(16),), {}
    yield "lstm", Recurrent(nn.LSTM, num_layers=2, bidirectional=True), (eight,), {}
    yield "gru", Recurrent(nn.GRU, num_layers=2), (eight,), {}
    yield "rnn", Recurrent(nn.RNN, nonlinearity="relu"), (eight,), {}
    yield "time_first", TimeFirst(), (eight,), {}
    yield "activations", Activations(), (four,), {}
    yield "arithmetic", Arithmetic(), (four,), {"tolerance": 1e-4}
    yield "movements", Movements(), (four,), {}
    yield "reductions", Reductions(), (four,), {}


def trained(module, inputs):
    """Statistics and scales that are not the first ones."""
    torch.manual_seed(7)
    for name, value in module.state_dict().items():
        if value.is_floating_point() and "mask" not in name and "edges" not in name:
            noise = torch.rand_like(value) if "var" in name else torch.randn_like(value) * 0.3
            value.copy_(noise + (0.5 if "var" in name else 0.0))
    return module.eval()


def columns(inputs, names):
    """A column for each value of a row, and how they feed the inputs."""
    table, features = {}, []
    for name, value in zip(names, inputs):
        value = value.numpy()
        if len(inputs) == 1 and value.ndim == 2:
            table = {f"f{index}": value[:, index] for index in range(value.shape[1])}
            features.append(",".join(table))
        elif value.ndim == 1:
            table[name] = value
        else:
            own = [f"{name}_{index}" for index in range(value.shape[1])]
            table.update({one: value[:, index] for index, one in enumerate(own)})
            features.append(f"{name}={','.join(own)}")
    return table, [part for one in features for part in ("--features", one)]


def expected(answers):
    """The answers' columns, as tallow names them."""
    if not isinstance(answers, dict):
        several = isinstance(answers, (tuple, list))
        answers = dict(enumerate(answers)) if several else {"output": answers}
        answers = {f"output_{k}" if several else k: v for k, v in answers.items()}
    table = {}
    for name, value in answers.items():
        value = value.detach()
        value = value.float() if value.dtype in (torch.bfloat16, torch.float16) else value
        table[name] = value.numpy()
    if list(table) == ["probability", "class"]:
        shares = table.pop("probability")
        label = table.pop("class")
        return {"prediction": label, **{f"probability_{k}": shares[:, k] for k in range(shares.shape[1])}}
    result = {}
    for name, value in table.items():
        value = value.reshape(len(value), -1)
        if value.shape[1] == 1:
            result["prediction" if len(table) == 1 else name] = value[:, 0]
        else:
            result[name] = pa.FixedSizeListArray.from_arrays(pa.array(value.ravel()), value.shape[1])
    return result


class Wrapped(nn.Module):
    """Single precision outside, bfloat16 inside."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x.bfloat16()).float()


def old_archive(program, path, is_folder):
    """The archive of PyTorch up to 2.7, or of 2.8."""
    from torch._export.serde.serialize import serialize

    made = serialize(program)
    state = io.BytesIO()
    torch.save(dict(program.state_dict), state)
    constants = io.BytesIO()
    torch.save({k: v for k, v in program.constants.items() if isinstance(v, torch.Tensor)}, constants)
    with zipfile.ZipFile(path, "w") as archive:
        if is_folder:
            archive.writestr("model/archive_format", "pt2")
            archive.writestr("model/byteorder", "little")
            archive.writestr("model/models/model.json", made.exported_program)
            archive.writestr("model/data/weights/model.pt", state.getvalue())
            archive.writestr("model/data/constants/model.pt", constants.getvalue())
            archive.writestr("model/data/sample_inputs/model.pt", made.example_inputs)
        else:
            archive.writestr("version", "8.8")
            archive.writestr("serialized_exported_program.json", made.exported_program)
            archive.writestr("serialized_state_dict.pt", state.getvalue())
            archive.writestr("serialized_constants.pt", constants.getvalue())
            archive.writestr("serialized_example_inputs.pt", made.example_inputs)


def small(path):
    """Drops what nothing reads from an archive: samples and traces of the exporting program."""
    source = zipfile.ZipFile(path)
    entries = {name: source.read(name) for name in source.namelist() if "sample_inputs" not in name}
    source.close()
    for name in entries:
        if "/models/" in name or name.endswith("program.json"):
            program = json.loads(entries[name])
            for node in program["graph_module"]["graph"]["nodes"]:
                node["metadata"] = {}
            entries[name] = json.dumps(program).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            kind = zipfile.ZIP_DEFLATED if name.endswith(".json") else zipfile.ZIP_STORED
            archive.writestr(zipfile.ZipInfo(name), content, kind)


def write(folder, name, module, inputs, options, layout="new", decompose=False):
    case = folder / f"pt2_{name}"
    shutil.rmtree(case, ignore_errors=True)
    case.mkdir(parents=True)
    torch.manual_seed(3)
    module = trained(module, inputs)
    if options.get("wrap"):
        module = Wrapped(module).eval()
    shapes = None if options.get("fixed") else tuple({0: BATCH} for _ in inputs)
    with torch.no_grad():
        answers = module(*inputs)
        fed = tuple(one[:1] for one in inputs) if options.get("fixed") else inputs
        program = torch.export.export(module, fed, dynamic_shapes=shapes)
    names = [spec.arg.name for spec in program.graph_signature.input_specs if "USER" in str(spec.kind)]
    if decompose:
        program = program.run_decompositions()
    if layout == "new":
        torch.export.save(program, case / "model.pt2")
        small(case / "model.pt2")
    else:
        old_archive(program, case / "model.pt2", layout == "folder")
        small(case / "model.pt2")
    table, features = columns(inputs, names)
    pq.write_table(pa.table(table), case / "input.parquet")
    pq.write_table(pa.table(expected(answers)), case / "expected.parquet")
    facts = {
        "model": "model.pt2",
        "tolerance": options.get("tolerance", 1e-5),
        "arguments": features,
        "raw": False,
    }
    (case / "case.json").write_text(json.dumps(facts, indent=1) + "\n")
    origin = f"`{name}` of `data/golden/pt2.py`, PyTorch {torch.__version__.split('+')[0]}.\n"
    (case / "ORIGIN.md").write_text(origin)


KEPT = ["tabular", "plain_half", "shared", "attended", "convolution", "lstm", "gru", "activations",
        "arithmetic", "movements", "reductions"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--matrix", type=pathlib.Path)
    folder = parser.parse_args().matrix
    home = folder or pathlib.Path(__file__).parent
    for name, module, inputs, options in networks():
        if folder or name in KEPT:
            write(home, name, module, inputs, options)
        if folder:
            write(home, f"{name}_split", module, inputs, options, decompose=True)
    for name, layout in [("plain_old", "old"), ("plain_folder", "folder")]:
        write(home, name, Plain(), (numbers(4),), {}, layout)
    write(home, "attention_split", Attention(), (numbers(5),), {}, decompose=True)


if __name__ == "__main__":
    main()
