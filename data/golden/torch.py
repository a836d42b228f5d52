"""Checkpoints of PyTorch in both forms, and the same tensors as safetensors.

    python data/golden/torch.py

Made with PyTorch 2.15: views of shared storages, a transposed matrix, a tensor with an offset,
halves, integers, booleans, a scalar, an empty tensor, a parameter. The seed is 20261129.
"""

import collections
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
# The script is called as the library that it imports.
sys.path = [path for path in sys.path if pathlib.Path(path or ".").resolve() != HERE]

import torch
from safetensors.torch import save_file

torch.manual_seed(20261129)
shared = torch.randn(6, 4)
state = collections.OrderedDict(
    {
        "0.weight": shared[:3],
        "0.bias": shared[:, 1],
        "turned": shared.t(),
        "part": shared[2:5, 1:3],
        "half": torch.randn(5).half(),
        "brain": torch.randn(2, 2).bfloat16(),
        "double": torch.randn(3).double(),
        "steps": torch.tensor(7),
        "ids": torch.arange(4, dtype=torch.int32),
        "flags": torch.tensor([True, False, True]),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.randn(2)),
        "spread": torch.tensor([1.5]).expand(4),
    }
)
room = HERE / "torch"
room.mkdir(exist_ok=True)
torch.save(state, room / "zip.pt")
torch.save({"epoch": 3, "state_dict": state}, room / "inside.pt")
torch.save(state, room / "old.pt", _use_new_zipfile_serialization=False)
torch.save(torch.nn.Sequential(torch.nn.Linear(2, 1)), room / "module.pt")
save_file({name: tensor.detach().contiguous().clone() for name, tensor in state.items()}, room / "expected.safetensors")
