"""Checkpoints: what goes in comes out, and what is damaged is refused."""

import math

import pytest
import torch
from safetensors.torch import save_file

from pdenca.core import FormatError
from pdenca.training.checkpoint import copy_tree, load_tree, parameters_equal, save_tree


@pytest.fixture
def tree():
    return {
        "parameters": {"a.b": torch.rand(3, 2, dtype=torch.float64), "empty": torch.zeros(0, 2)},
        "list": [torch.tensor(7), None, "text", 0.1 + 0.2, [1, True, {"deep": torch.ones(1).half()}]],
        "score": math.inf,
        "nothing": {},
        "none": None,
    }


def equal(first, second):
    if isinstance(first, torch.Tensor):
        return first.dtype == second.dtype and first.shape == second.shape and torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(equal(first[key], second[key]) for key in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(equal, first, second))
    return type(first) is type(second) and first == second


def test_a_tree_comes_back_as_it_was(tree, tmp_path):
    path = tmp_path / "new folder" / "file.safetensors"
    save_tree(path, tree)
    assert equal(load_tree(path), tree)
    save_tree(path, {"value": 1})
    assert load_tree(path) == {"value": 1}
    assert [item.name for item in path.parent.iterdir()] == ["file.safetensors"]


def test_tensors_that_share_memory_or_are_views(tmp_path):
    base = torch.arange(12.0).view(3, 4)
    tree = {"base": base, "turned": base.T, "row": base[1], "leaf": base.clone().requires_grad_()}
    save_tree(tmp_path / "file", tree)
    loaded = load_tree(tmp_path / "file")
    assert equal(loaded, tree)
    assert not loaded["leaf"].requires_grad


def test_nan_comes_back_as_nan(tmp_path):
    save_tree(tmp_path / "file", {"score": math.nan, "tensor": torch.tensor([math.nan, 1.0])})
    loaded = load_tree(tmp_path / "file")
    assert math.isnan(loaded["score"])
    assert loaded["tensor"].isnan().tolist() == [True, False]


def test_a_failed_save_leaves_the_old_file(tree, tmp_path):
    path = tmp_path / "file"
    save_tree(path, tree)
    with pytest.raises(TypeError):
        save_tree(path, {"value": object()})
    assert equal(load_tree(path), tree)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("damage", ["cut", "emptied", "overwritten", "foreign", "folder", "missing"])
def test_damage_is_a_format_error(damage, tree, tmp_path):
    path = tmp_path / "file.safetensors"
    save_tree(path, tree)
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) - 9])
    elif damage == "emptied":
        path.write_bytes(b"")
    elif damage == "overwritten":
        path.write_bytes(b"\0" * len(content))
    elif damage == "foreign":
        save_file({"weights": torch.ones(2)}, path)
    else:
        path.unlink()
        if damage == "folder":
            path.mkdir()
    with pytest.raises(FormatError, match=r"file\.safetensors.*usual cure"):
        load_tree(path)


def test_every_cut_is_noticed(tree, tmp_path):
    path = tmp_path / "file"
    save_tree(path, tree)
    content = path.read_bytes()
    for length in range(0, len(content), 37):
        path.write_bytes(content[:length])
        with pytest.raises(FormatError):
            load_tree(path)


def test_copies_do_not_share(tree):
    copied = copy_tree(tree)
    assert equal(copied, tree)
    copied["parameters"]["a.b"].zero_()
    copied["list"][4].append(2)
    assert tree["parameters"]["a.b"].any()
    assert len(tree["list"][4]) == 3


def test_equality_of_parameters_is_exact():
    first = {"a": torch.ones(2), "b": torch.zeros(1)}
    assert parameters_equal(first, copy_tree(first))
    assert not parameters_equal(first, {"a": torch.ones(2)})
    assert not parameters_equal(first, {**first, "b": torch.tensor([1e-45])})
