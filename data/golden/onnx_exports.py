"""The matrix of exported networks: PyTorch by both exporters in every operator set that they write,
scored by tallow and ONNX Runtime.

    python data/golden/onnx_exports.py TALLOW_BINARY [--only NAME,...] [--folder FOLDER]
    python data/golden/onnx_exports.py TALLOW_BINARY --folder FOLDER --golden data/golden

The last form also keeps a few of them as golden cases.

Needs numpy, pyarrow, torch, onnx, onnxscript, onnxruntime. Each network has random weights and is
scored on 50 rows; tallow must agree with ONNX Runtime to 1e-4 (relative, or absolute below 1; of
half precision to 2e-3; of quantised networks in all but rows at a rounding tie). `--folder` keeps
the files, and what lies there is not exported again. Exports that the exporter itself or ONNX
Runtime refuses are counted apart. An exporter may write another operator set than it was asked for:
both are shown."""

import argparse
import collections
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import nn
from torch.nn import functional

warnings.filterwarnings("ignore")
ROWS, TOLERANCE = 50, 1e-4
OPERATOR_SETS = range(13, 22)
KEPT = [
    "tabular_legacy_13",
    "lstm_legacy_15",
    "transformer_legacy_17",
    "unet_legacy_18",
    "movements_legacy_19",
    "heads_dynamo_20",
    "masked_legacy_21",
    "quantised_images_legacy_16",
]


class Residual(nn.Module):
    """Two convolutions with batch normalisation beside a shortcut."""

    def __init__(self, inward, outward, stride):
        super().__init__()
        self.one, self.two = (
            nn.Conv2d(inward, outward, 3, stride, 1, bias=False),
            nn.Conv2d(outward, outward, 3, 1, 1, bias=False),
        )
        self.norm_one, self.norm_two = nn.BatchNorm2d(outward), nn.BatchNorm2d(outward)
        self.short = (
            nn.Identity()
            if stride == 1
            else nn.Sequential(
                nn.Conv2d(inward, outward, 1, stride, bias=False), nn.BatchNorm2d(outward)
            )
        )

    def forward(self, x):
        y = functional.relu(self.norm_one(self.one(x)))
        return functional.relu(self.norm_two(self.two(y)) + self.short(x))


def resnet():
    """ResNet-18's shape, narrow."""
    stages = [Residual(8, 8, 1), Residual(8, 8, 1)]
    for width in (8, 16, 32):
        stages += [Residual(width, 2 * width, 2), Residual(2 * width, 2 * width, 1)]
    stem = [
        nn.Conv2d(3, 8, 7, 2, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    ]
    return nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 5))


class Recurrent(nn.Module):
    """A sequence through a recurrent layer, both ways, the last step to a number."""

    def __init__(self, kind, **options):
        super().__init__()
        self.layer = getattr(nn, kind)(4, 12, batch_first=True, **options)
        self.head = nn.Linear(24 if options.get("bidirectional") else 12, 1)

    def forward(self, x):
        return self.head(self.layer(x)[0][:, -1])


class Tokens(nn.Module):
    """Token numbers through embeddings and two transformer layers, the mean to classes."""

    def __init__(self, norm_first=False, activation="gelu"):
        super().__init__()
        self.words, self.places = nn.Embedding(40, 16), nn.Parameter(torch.randn(10, 16))
        layer = nn.TransformerEncoderLayer(
            16, 4, 32, 0.1, activation, batch_first=True, norm_first=norm_first
        )
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 3)

    def forward(self, tokens):
        return torch.softmax(self.head(self.layers(self.words(tokens) + self.places).mean(1)), -1)


class Attention(nn.Module):
    """Scaled dot products with a mask of padding, as transformers' models write them."""

    def __init__(self):
        super().__init__()
        self.words, self.three, self.out = (
            nn.Embedding(40, 16, 0),
            nn.Linear(16, 48),
            nn.Linear(16, 1),
        )

    def forward(self, tokens):
        mask = (tokens != 0)[:, None, None, :]
        q, k, v = (
            part.view(-1, 10, 4, 4).transpose(1, 2)
            for part in self.three(self.words(tokens)).chunk(3, -1)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out(mixed.transpose(1, 2).reshape(-1, 10, 16)[:, 0])


class Tabular(nn.Module):
    """Two categories by embeddings beside two numbers."""

    def __init__(self):
        super().__init__()
        self.shop, self.day, self.norm = nn.Embedding(20, 6), nn.Embedding(7, 3), nn.BatchNorm1d(2)
        self.layers = nn.Sequential(
            nn.Linear(11, 32), nn.SiLU(), nn.LayerNorm(32), nn.Linear(32, 1)
        )

    def forward(self, shop, day, age, spent):
        numbers = self.norm(torch.cat([age, torch.log1p(spent.abs())], 1))
        return torch.sigmoid(
            self.layers(
                torch.cat([self.shop(shop).squeeze(1), self.day(day).squeeze(1), numbers], 1)
            )
        )


class Upscaled(nn.Module):
    """Down and up again, as segmentation does."""

    def __init__(self, mode):
        super().__init__()
        self.mode = mode
        self.down, self.up, self.last = (
            nn.Conv2d(3, 8, 3, 2, 1),
            nn.ConvTranspose2d(8, 8, 2, 2),
            nn.Conv2d(11, 2, 3, padding=1),
        )

    def forward(self, x):
        y = functional.gelu(self.down(x))
        larger = functional.interpolate(
            y,
            scale_factor=2,
            mode=self.mode,
            **({} if self.mode == "nearest" else {"align_corners": False}),
        )
        return self.last(torch.cat([x, larger + self.up(y)], 1)).mean((2, 3))


def mobile():
    """Convolutions by channel, squeeze and excitation by hard curves."""

    def block(inward, outward, stride):
        channel = nn.Conv2d(inward, inward, 3, stride, 1, groups=inward, bias=False)
        return nn.Sequential(
            channel,
            nn.BatchNorm2d(inward),
            nn.Hardswish(),
            nn.Conv2d(inward, outward, 1),
            nn.ReLU6(),
        )

    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1),
        nn.Hardsigmoid(),
        block(8, 16, 2),
        block(16, 16, 1),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 2),
    )


class Curves(nn.Module):
    """Many elementwise operators on one row."""

    def forward(self, x):
        first = torch.where(x > 0, torch.log1p(x.abs()), torch.exp(x) - 1)
        second = (
            functional.softplus(x)
            + functional.elu(x)
            + functional.leaky_relu(x)
            + functional.mish(x)
            + functional.selu(x)
            + torch.erf(x)
        )
        third = (
            torch.clamp(x, -1, 1) * torch.rsqrt(1 + x * x)
            + torch.atan(x)
            + torch.round(x)
            + torch.sign(x)
            + torch.fmod(x, 0.7)
        )
        spread = torch.cat([first, second, third], 1)
        return torch.stack(
            [
                spread.std(1),
                spread.var(1),
                spread.logsumexp(1),
                spread.norm(dim=1),
                spread.cumsum(1)[:, -1],
                spread.topk(3, 1).values.sum(1),
            ],
            1,
        )


class Fields(nn.Module):
    """FT-Transformer: every column a token, categories by embeddings, numbers by their own vectors,
    one token for the answer."""

    def __init__(self):
        super().__init__()
        self.words = nn.ModuleList(nn.Embedding(size, 16) for size in (20, 7))
        self.weight, self.bias, self.first = (
            nn.Parameter(torch.randn(3, 16)),
            nn.Parameter(torch.randn(3, 16)),
            nn.Parameter(torch.randn(1, 1, 16)),
        )
        layer = nn.TransformerEncoderLayer(
            16, 4, 32, 0.1, "relu", batch_first=True, norm_first=True
        )
        self.layers, self.head = (
            nn.TransformerEncoder(layer, 2, enable_nested_tensor=False),
            nn.Sequential(nn.LayerNorm(16), nn.ReLU(), nn.Linear(16, 1)),
        )

    def forward(self, shop, day, numbers):
        words = torch.stack(
            [word(column.squeeze(1)) for word, column in zip(self.words, (shop, day))], 1
        )
        tokens = torch.cat(
            [
                self.first.expand(numbers.shape[0], -1, -1),
                words,
                numbers.unsqueeze(-1) * self.weight + self.bias,
            ],
            1,
        )
        return self.head(self.layers(tokens)[:, 0])


class Contextual(nn.Module):
    """TabTransformer: attention over the categories only, numbers beside it."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(27, 8)
        self.attention, self.norm = nn.MultiheadAttention(8, 2, batch_first=True), nn.LayerNorm(8)
        self.numbers, self.head = (
            nn.LayerNorm(3),
            nn.Sequential(nn.Linear(19, 16), nn.SELU(), nn.Linear(16, 2), nn.LogSoftmax(-1)),
        )

    def forward(self, shop, day, numbers):
        words = self.words(torch.cat([shop, day + 20], 1))
        words = self.norm(words + self.attention(words, words, words, need_weights=False)[0])
        return self.head(torch.cat([words.flatten(1), self.numbers(numbers)], 1))


class Autoencoder(nn.Module):
    """A row to a few numbers and back, with the error of each row beside it: two outputs."""

    def __init__(self):
        super().__init__()
        self.down, self.up = (
            nn.Sequential(nn.Linear(12, 6), nn.Tanh(), nn.Linear(6, 2)),
            nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 12)),
        )

    def forward(self, x):
        again = self.up(self.down(x))
        return again, ((again - x) ** 2).mean(1, keepdim=True)


class Heads(nn.Module):
    """One body, a class and a number and a vector as outputs."""

    def __init__(self):
        super().__init__()
        self.body, self.classes, self.number = (
            nn.Sequential(nn.Linear(9, 16), nn.ReLU()),
            nn.Linear(16, 3),
            nn.Linear(16, 1),
        )

    def forward(self, x):
        body = self.body(x)
        return (
            self.classes(body).argmax(1),
            self.number(body).squeeze(1),
            functional.normalize(body),
        )


class Unet(nn.Module):
    """Two steps down, two up, shortcuts between, bilinear with aligned corners."""

    def __init__(self):
        super().__init__()
        double = lambda inward, outward: nn.Sequential(
            nn.Conv2d(inward, outward, 3, padding=1), nn.BatchNorm2d(outward), nn.ReLU()
        )
        self.one, self.two, self.three, self.four, self.five = (
            double(1, 4),
            double(4, 8),
            double(8, 8),
            double(16, 4),
            double(8, 2),
        )
        self.pool, self.up = (
            nn.MaxPool2d(2),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
        )

    def forward(self, x):
        one = self.one(x)
        two = self.two(self.pool(one))
        four = self.four(torch.cat([self.up(self.three(self.pool(two))), two], 1))
        return self.five(torch.cat([self.up(four), one], 1)).argmax(1).float().mean(
            (1, 2)
        ).unsqueeze(1) + self.five(torch.cat([self.up(four), one], 1)).amax((2, 3))


class Inverted(nn.Module):
    """EfficientNet's block: wider, by channel, squeeze and excitation by SiLU and sigmoid,
    narrower, shortcut."""

    def __init__(self, width):
        super().__init__()
        wide = 4 * width
        self.first = nn.Sequential(
            nn.Conv2d(width, wide, 1, bias=False),
            nn.BatchNorm2d(wide),
            nn.SiLU(),
            nn.Conv2d(wide, wide, 5, 1, 2, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            nn.SiLU(),
        )
        self.squeeze = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(wide, 4, 1),
            nn.SiLU(),
            nn.Conv2d(4, wide, 1),
            nn.Sigmoid(),
        )
        self.last = nn.Sequential(nn.Conv2d(wide, width, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        y = self.first(x)
        return x + self.last(y * self.squeeze(y))


class Masked(nn.Module):
    """A GRU over padded tokens, the mean of the places that are none."""

    def __init__(self):
        super().__init__()
        self.words, self.layer, self.head = (
            nn.Embedding(40, 8, 0),
            nn.GRU(8, 8, batch_first=True, bidirectional=True),
            nn.Linear(16, 1),
        )

    def forward(self, tokens):
        mask = (tokens != 0).unsqueeze(-1).float()
        states = self.layer(self.words(tokens))[0]
        return self.head((states * mask).sum(1) / mask.sum(1).clamp(min=1))


class Movements(nn.Module):
    """Slices, pads, scatters, gathers and products by letters."""

    def __init__(self):
        super().__init__()
        self.factors = nn.Parameter(torch.randn(3, 4, 4))

    def forward(self, x):
        rows = x.view(-1, 3, 4)
        mixed = torch.einsum("bij,ijk->bik", rows, self.factors) + torch.einsum(
            "bij,bkj->bik", rows, rows
        ).sum(-1, keepdim=True)
        padded = functional.pad(mixed, (1, 2), value=0.5)[:, :, 1:-1:2]
        spread = torch.zeros_like(rows).scatter(2, rows.argsort(2), rows)
        picked = torch.gather(rows, 2, rows.argmax(2, keepdim=True).expand(-1, -1, 2))
        changed = rows.clone()
        changed[:, 1, 1:3] = 7.0
        return torch.cat(
            [
                padded.flatten(1),
                spread.flatten(1),
                picked.flatten(1),
                changed.flatten(1),
                torch.tril(rows @ rows.transpose(1, 2)).flatten(1),
                x.roll(2, 1),
                x.flip(1),
            ],
            1,
        )


class Warped(nn.Module):
    """A spatial transformer: an affine grid of its own for each image, sampled."""

    def __init__(self):
        super().__init__()
        self.angles = nn.Linear(64, 6)

    def forward(self, x):
        grid = functional.affine_grid(
            self.angles(x.flatten(1)).view(-1, 2, 3).tanh(),
            (x.shape[0], 1, 8, 8),
            align_corners=False,
        )
        return functional.grid_sample(x, grid, align_corners=False, padding_mode="border").flatten(
            1
        )


def networks():
    """(name, network, inputs by name): random rows for each."""
    floats = lambda *shape: torch.randn(ROWS, *shape)
    tokens = lambda: torch.randint(0, 40, (ROWS, 10))
    shop, day = lambda: torch.randint(0, 20, (ROWS, 1)), lambda: torch.randint(0, 7, (ROWS, 1))
    dense = nn.Sequential(
        nn.Linear(9, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(32, 16),
        nn.GELU(),
        nn.Linear(16, 1),
    )
    waves = nn.Sequential(
        nn.Conv1d(2, 8, 3, padding=1),
        nn.GroupNorm(2, 8),
        nn.PReLU(),
        nn.MaxPool1d(2),
        nn.Conv1d(8, 4, 3, dilation=2),
        nn.InstanceNorm1d(4),
        nn.Flatten(),
        nn.Linear(24, 3),
    )
    signal = nn.Sequential(
        nn.Unflatten(1, (1, 24)),
        nn.Conv1d(1, 6, 5, 2),
        nn.ELU(),
        nn.AvgPool1d(2),
        nn.Flatten(),
        nn.Linear(30, 1),
    )
    efficient = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1),
        Inverted(8),
        Inverted(8),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    )
    yield "mlp", dense, {"f": floats(9)}
    yield (
        "mlp_softmax",
        nn.Sequential(nn.Linear(9, 16), nn.Tanh(), nn.Linear(16, 4), nn.Softmax(-1)),
        {"x": floats(9)},
    )
    yield "resnet", resnet(), {"x": floats(3, 32, 32)}
    yield "lstm", Recurrent("LSTM", num_layers=2, bidirectional=True), {"x": floats(7, 4)}
    yield "gru", Recurrent("GRU", num_layers=2), {"x": floats(7, 4)}
    yield "rnn", Recurrent("RNN", bidirectional=True), {"x": floats(7, 4)}
    yield "transformer", Tokens(), {"x": tokens()}
    yield "transformer_norm_first", Tokens(True, "relu"), {"x": tokens()}
    yield "attention", Attention(), {"x": tokens()}
    yield "tabular", Tabular(), {"shop": shop(), "day": day(), "age": floats(1), "spent": floats(1)}
    yield "upscaled_nearest", Upscaled("nearest"), {"x": floats(3, 16, 16)}
    yield "upscaled_bilinear", Upscaled("bilinear"), {"x": floats(3, 16, 16)}
    yield "upscaled_bicubic", Upscaled("bicubic"), {"x": floats(3, 16, 16)}
    yield "mobile", mobile(), {"x": floats(3, 32, 32)}
    yield "waves", waves, {"x": floats(2, 20)}
    yield "curves", Curves(), {"f": floats(6)}
    yield "fields", Fields(), {"shop": shop(), "day": day(), "numbers": floats(3)}
    yield "contextual", Contextual(), {"shop": shop(), "day": day(), "numbers": floats(3)}
    yield "autoencoder", Autoencoder(), {"f": floats(12)}
    yield "heads", Heads(), {"x": floats(9)}
    yield "signal", signal, {"x": floats(24)}
    yield "unet", Unet(), {"x": floats(1, 16, 16)}
    yield "efficient", efficient, {"x": floats(3, 32, 32)}
    yield "masked", Masked(), {"x": tokens()}
    yield "movements", Movements(), {"x": floats(12)}
    yield "warped", Warped(), {"x": floats(1, 8, 8)}
    yield (
        "half",
        nn.Sequential(nn.Linear(9, 32), nn.ReLU(), nn.LayerNorm(32), nn.Linear(32, 2)).half(),
        {"x": floats(9).half()},
    )
    yield (
        "fixed",
        nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 2)),
        {"x": floats(2, 10)},
    )
    yield (
        "quantised_dense",
        nn.Sequential(nn.Linear(9, 32), nn.ReLU(), nn.Linear(32, 3)),
        {"x": floats(9)},
    )
    yield (
        "quantised_images",
        nn.Sequential(
            nn.Conv2d(3, 8, 3, 2),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 3),
        ),
        {"x": floats(3, 16, 16)},
    )


def export(name, network, inputs, path, dynamo, operator_set):
    outputs = {"autoencoder": ["again", "error"], "heads": ["class", "number", "vector"]}.get(
        name, ["answer"]
    )
    rows, names = tuple(inputs.values()), list(inputs)
    options = {
        "input_names": names,
        "output_names": outputs,
        "opset_version": operator_set,
        "dynamo": dynamo,
    }
    if name == "fixed":
        rows = tuple(values[:1] for values in rows)
    elif dynamo:
        batch = torch.export.Dim("rows", min=1)
        options["dynamic_shapes"] = tuple({0: batch} for _ in rows)
    else:
        options["dynamic_axes"] = {name: {0: "rows"} for name in [*names, *outputs]}
    torch.onnx.export(
        network,
        rows,
        str(path),
        **options,
        **({"external_data": False, "verbose": False} if dynamo else {}),
    )
    if name.startswith("quantised"):
        quantise(path, inputs)


def quantise(path, inputs):
    """Whole numbers of 8 bits between QuantizeLinear and DequantizeLinear, as
    onnxruntime.quantization makes them."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):
        rows = iter([{name: values.numpy() for name, values in inputs.items()}])

        def get_next(self):
            return next(self.rows, None)

    plain = path.with_suffix(".plain.onnx")
    path.rename(plain)
    quantize_static(str(plain), str(path), Reader(), quant_format=QuantFormat.QDQ)
    plain.unlink()


def column(values):
    """An Arrow column of rows: plain numbers, or lists of one length."""
    flat = values.reshape(len(values), -1)
    return (
        pa.array(flat[:, 0])
        if flat.shape[1] == 1
        else pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), flat.shape[1])
    )


def write_rows(path, inputs):
    """A matrix called `f` as columns of its own, everything else as one column."""
    columns = {}
    for name, values in ((name, tensor.numpy()) for name, tensor in inputs.items()):
        if name == "f":
            columns.update(
                {f"f{place}": pa.array(values[:, place]) for place in range(values.shape[1])}
            )
        else:
            columns[name] = column(
                values.astype(np.float32) if values.dtype == np.float16 else values
            )
    pq.write_table(pa.table(columns), path)


def reference(model, inputs):
    """ONNX Runtime's outputs by name, each rows × numbers."""
    session = onnxruntime.InferenceSession(str(model))
    names = [one.name for one in session.get_outputs()]
    given = {one.name: tensor.numpy() for one, tensor in zip(session.get_inputs(), inputs.values())}
    if session.get_inputs()[0].shape[0] == 1:
        runs = [
            session.run(None, {name: values[row : row + 1] for name, values in given.items()})
            for row in range(ROWS)
        ]
        arrays = [np.concatenate(parts) for parts in zip(*runs)]
    else:
        arrays = session.run(None, given)
    return {
        name: np.asarray(array, dtype=np.float64).reshape(len(array), -1)
        for name, array in zip(names, arrays)
    }


def answer(table, name):
    column = table.column(name).combine_chunks()
    flat = column.flatten() if pa.types.is_fixed_size_list(column.type) else column
    return np.asarray(flat, dtype=np.float64).reshape(len(column), -1)


def exported(name, network, inputs, folder, dynamo, operator_set):
    """None, or why there is no model in the folder."""
    model, failure = folder / "model.onnx", folder / "failure.txt"
    if failure.exists():
        return failure.read_text()
    if not (folder / "expected.npz").exists():
        try:
            export(name, network, inputs, model, dynamo, operator_set)
            np.savez(folder / "expected.npz", **reference(model, inputs))
        except Exception as error:
            failure.write_text(" ".join(str(error).split())[:100])
            return failure.read_text()
        write_rows(folder / "rows.parquet", inputs)
    return None


def verdict(tallow, name, network, inputs, folder, dynamo, operator_set):
    """(outcome, what there is to say)."""
    model, rows, out = folder / "model.onnx", folder / "rows.parquet", folder / "out.parquet"
    failure = exported(name, network, inputs, folder, dynamo, operator_set)
    if failure:
        return "not exported", failure
    actual = next(entry.version for entry in onnx.load(model).opset_import if entry.domain == "")
    command = [
        tallow,
        "score",
        "--model",
        str(model),
        str(rows),
        "--output",
        str(out),
        "--passthrough",
        "none",
        "--overwrite",
        "--quiet",
    ]
    command += ["--features", r"/^f\d+$/"] if "f" in inputs else []
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return "refused", done.stderr.strip().replace("\n", " ")[:300]
    expected, table = np.load(folder / "expected.npz"), pq.read_table(out)
    differences = []
    for one, wanted in expected.items():
        given = answer(table, one if one in table.column_names else "prediction")
        if given.shape != wanted.shape:
            return "wrong", f"shape {given.shape} for {wanted.shape}"
        differences.append(np.max(np.abs(given - wanted) / np.maximum(np.abs(wanted), 1), axis=1))
    worst = np.max(differences, axis=0)
    tolerance = 2e-3 if name == "half" else TOLERANCE
    far = int((~(worst <= tolerance)).sum())
    agrees = far == 0 or name.startswith("quantised") and far <= 2
    return ("agreed" if agrees else "wrong"), f"set {actual}, {np.max(worst):.1e}" + (
        f", {far} rows at a tie" if far and agrees else ""
    )


def keep(folder, target):
    """A golden case of one exported network."""
    case, expected = target / f"onnx_torch_{folder.name}", np.load(folder / "expected.npz")
    case.mkdir(exist_ok=True)
    for source, name in [("model.onnx", "model.onnx"), ("rows.parquet", "input.parquet")]:
        shutil.copy(folder / source, case / name)
    if folder.name.startswith("heads"):
        (case / "weights.bin").unlink(missing_ok=True)
        beside = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
        onnx.save_model(onnx.load(case / "model.onnx"), case / "model.onnx", **beside)
    given = pq.read_table(folder / "out.parquet")
    columns = {
        name: expected[name if name in expected.files else expected.files[0]]
        for name in given.column_names
    }
    pq.write_table(
        pa.table(
            {
                name: column(values).cast(given.schema.field(name).type)
                for name, values in columns.items()
            }
        ),
        case / "expected.parquet",
    )
    (case / "case.json").write_text(
        json.dumps({"model": "model.onnx", "tolerance": TOLERANCE}) + "\n"
    )
    made = (
        f"Made by `data/golden/onnx_exports.py --golden` with PyTorch {torch.__version__}; the "
        f"expected numbers are ONNX Runtime {onnxruntime.__version__}'s."
    )
    (case / "ORIGIN.md").write_text(f"# {case.name}\n\n{made}\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tallow")
    parser.add_argument("--only", default="")
    parser.add_argument("--folder")
    parser.add_argument("--golden", type=pathlib.Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root, counts, sets = (
            pathlib.Path(options.folder or temporary),
            collections.Counter(),
            collections.Counter(),
        )
        for dynamo in (False, True):
            torch.manual_seed(7)
            for name, network, inputs in networks():
                if options.only and name not in options.only.split(","):
                    continue
                for operator_set in OPERATOR_SETS:
                    folder = root / f"{name}_{'dynamo' if dynamo else 'legacy'}_{operator_set}"
                    folder.mkdir(parents=True, exist_ok=True)
                    outcome, detail = verdict(
                        options.tallow, name, network.eval(), inputs, folder, dynamo, operator_set
                    )
                    counts[outcome] += 1
                    sets[(dynamo, detail.split(",")[0])] += outcome == "agreed"
                    print(f"{folder.name:40} {outcome:13} {detail}", flush=True)
        for name in KEPT if options.golden else []:
            keep(root / name, options.golden)
        for (dynamo, actual), count in sorted(sets.items()):
            if count:
                print(f"{'dynamo' if dynamo else 'legacy'} {actual}: {count} agreed")
        print(dict(counts))
        sys.exit(1 if counts["wrong"] or counts["refused"] else 0)


if __name__ == "__main__":
    main()
