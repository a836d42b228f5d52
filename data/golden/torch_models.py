"""Weights of golden models as PyTorch saves them: `data/golden/torch/network*.pt`, `bert_two*.bin`.

    python -P data/golden/torch_models.py

The tensors are those of `network_binary` and `text/bert_two`, so that the scores must be the same,
bit for bit. In the forms of `torch.save` since 1.6 and before; with a tied tensor and a view.
"""

import pathlib

import torch
from safetensors.torch import load_file

HERE = pathlib.Path(__file__).resolve().parent


def write(source, name, ending):
    state = load_file(HERE / source / "model" / "model.safetensors")
    # Views of one storage, as they are after `t()` and slicing in training code.
    for key, tensor in state.items():
        if tensor.dim() == 2:
            state[key] = tensor.t().contiguous().t()
    torch.save(state, HERE / "torch" / f"{name}.{ending}")
    old = HERE / "torch" / f"{name}_old.{ending}"
    torch.save(state, old, _use_new_zipfile_serialization=False)


write("network_binary", "network", "pt")
write("text/bert_two", "bert_two", "bin")
