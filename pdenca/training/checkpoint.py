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
from safetensors.torch import save
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
    skeleton = _strip(tree, "", tensors)
    with atomic_path(path) as temporary:
        # not save_file, whose files nobody else may read
        temporary.write_bytes(save(tensors, metadata={"skeleton": json.dumps(skeleton)}))


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
        filled: dict[str, Any] = _fill(skeleton, tensors)
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise FormatError(
            f"{path} is damaged or no checkpoint of pdenca ({error}); usual cure: train again or restore a "
            "copy"
        ) from None
    return filled


def _strip(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:  # noqa: ANN401
    """Move the tensors of a tree into a dict, leaving their names."""
    if isinstance(value, Tensor):
        tensors[name] = value.detach().cpu().contiguous().clone()
        return _TENSOR + name
    if isinstance(value, Mapping):
        return {key: _strip(item, f"{name}/{key}", tensors) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strip(item, f"{name}/{number}", tensors) for number, item in enumerate(value)]
    return value


def _fill(value: Any, tensors: dict[str, Tensor]) -> Any:  # noqa: ANN401
    """Put the tensors back where their names stand."""
    if isinstance(value, str) and value.startswith(_TENSOR):
        return tensors[value.removeprefix(_TENSOR)]
    if isinstance(value, dict):
        return {key: _fill(item, tensors) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, tensors) for item in value]
    return value


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
