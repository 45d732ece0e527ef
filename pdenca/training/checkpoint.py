"""Checkpoints: safetensors files, whole or absent, without pickle.

A checkpoint is a tree of dicts and lists with tensors and plain values at its leaves. The tensors are stored
as such, the rest as JSON in the file's metadata.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pdenca.core import FormatError, atomic_path

_TENSOR = "tensor:"


def save_tree(path: Path, tree: Mapping[str, Any]) -> None:
    """Write a tree of tensors and plain values atomically.

    Arguments:
        path: the file to make.
        tree: nested dicts (with str keys) and lists of tensors, numbers, strings, None.
    """
    tensors: dict[str, Tensor] = {}

    def strip(value: Any, name: str) -> Any:  # noqa: ANN401
        if isinstance(value, Tensor):
            tensors[name] = value.detach().cpu().contiguous().clone()
            return _TENSOR + name
        if isinstance(value, Mapping):
            return {key: strip(item, f"{name}/{key}") for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [strip(item, f"{name}/{number}") for number, item in enumerate(value)]
        return value

    skeleton = strip(tree, "")
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"skeleton": json.dumps(skeleton)})


def load_tree(path: Path) -> dict[str, Any]:
    """Read what :func:`save_tree` wrote.

    Raises:
        FormatError: if the file is missing, damaged or something else.
    """
    if not path.is_file():
        raise FormatError(f"there is no checkpoint {path}; usual cure: train first, with `pdenca train`")
    try:
        with safe_open(path, framework="pt") as file:
            skeleton = json.loads((file.metadata() or {})["skeleton"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise FormatError(
            f"{path} is damaged or no checkpoint of pdenca ({error}); usual cure: train again or restore a "
            "copy"
        ) from None

    def fill(value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, str) and value.startswith(_TENSOR):
            return tensors[value.removeprefix(_TENSOR)]
        if isinstance(value, dict):
            return {key: fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [fill(item) for item in value]
        return value

    filled: dict[str, Any] = fill(skeleton)
    return filled


def copy_tree(tree: Any) -> Any:  # noqa: ANN401
    """Copy a tree, tensors included."""
    if isinstance(tree, Tensor):
        return tree.detach().clone()
    if isinstance(tree, dict):
        return {key: copy_tree(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [copy_tree(value) for value in tree]
    return tree


def parameters_equal(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    """Whether two sets of parameters are equal, bit for bit."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
