"""Models that come with the package, and how a run becomes one."""

import json
from importlib.resources import files

import numpy as np
import pytest
import torch

import pdenca
from pdenca.core import BadInputError, FormatError
from pdenca.solvers import Grid
from pdenca.symmetry import D4, assert_equivariant
from pdenca.tasks.free_rollout import free_rollout
from pdenca.tasks.model_card import ship_model
from pdenca.tasks.models import NeuralEmulator
from pdenca.tasks.pretrained import PRETRAINED, load_pretrained, pretrained_folder, read_card

NAMES = list(PRETRAINED)


@pytest.mark.parametrize("name", NAMES)
def test_the_files_are_there_and_small(name):
    folder = files("pdenca") / "pretrained" / PRETRAINED[name]
    for file in ("settings.json", "scales.json", "best.safetensors", "card.md"):
        assert 0 < len((folder / file).read_bytes()) < 200_000
    card = read_card(name)
    for words in (f"# {name}", "## Limits", "Best validation score", "MIT", "parameters"):
        assert words in card


@pytest.mark.parametrize("name", NAMES)
def test_a_pretrained_model_keeps_the_symmetries_of_the_square(name):
    emulator = pdenca.load_pretrained(name)
    assert isinstance(emulator, NeuralEmulator)
    assert emulator.name == name
    scales = emulator.scales
    context = {
        key: torch.full((1,), value, dtype=torch.float64)
        for key, value in zip(scales.parameter_names, scales.parameter_pairs[0], strict=True)
    }
    step = emulator.bind(Grid.uniform((16, 16), scales.spacing), context)
    state = torch.rand(1, 2, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert_equivariant(step, D4, 0.3 + 0.2 * state)


def test_gray_scott_runs_for_a_hundred_frames_and_beats_doing_nothing():
    emulator = load_pretrained("gray-scott", torch.float32)
    seen = []
    found = free_rollout(
        emulator,
        changes={"num_cells": 24},
        num_frames=31,
        seed=1,
        truth=True,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert found.frames.shape == found.truth.shape == (32, 2, 24, 24)
    assert np.isfinite(found.frames).all()
    np.testing.assert_array_equal(found.frames[0], found.truth[0])
    scores = found.scores()
    assert list(scores) == ["1", "6:12", "13:30", "31"]
    for window in ("1", "6:12", "13:30"):
        model, nothing = scores[window]
        assert model < 0.2 * nothing
    further = free_rollout(emulator, changes={"num_cells": 24}, num_frames=100, seed=1)
    assert np.isfinite(further.frames).all()
    np.testing.assert_allclose(further.frames[:32], found.frames, atol=1e-6)
    assert found.warnings == ()
    assert seen[-1][0] == seen[-1][1]
    assert "pooled VRMSE" in found.describe()


def test_what_lies_beyond_the_training_is_said():
    emulator = load_pretrained("gray-scott", torch.float32)
    changes = {"num_cells": 16, "spacing": emulator.scales.spacing / 2}
    found = free_rollout(
        emulator, "bubbles", parameters={"kill_rate": 0.08}, changes=changes, num_frames=1, start=0
    )
    words = " ".join(found.warnings)
    low, high = (f(pair[1] for pair in emulator.scales.parameter_pairs) for f in (min, max))
    assert f"kill_rate = 0.08 (trained on {low:g} to {high:g})" in words
    assert "cells of" in words
    assert found.truth is None
    assert found.scores() == {}
    assert "initial state of seed 0" in found.describe()


def test_unknown_names_and_constants():
    with pytest.raises(BadInputError, match="did you mean 'gray-scott'"):
        load_pretrained("grey-scott")
    with pytest.raises(BadInputError, match="not told diffusivity_a"):
        free_rollout(load_pretrained("gray-scott"), parameters={"diffusivity_a": 1e-5})
    with pytest.raises(BadInputError, match="no preset 'mase'"):
        free_rollout(load_pretrained("gray-scott"), "mase")
    with pytest.raises(AttributeError, match="no attribute 'load_pretrianed'"):
        pdenca.load_pretrianed  # noqa: B018


@pytest.fixture
def run(tmp_path):
    """A run with all its files, made from the shipped model."""
    folder = tmp_path / "run"
    folder.mkdir()
    source = pretrained_folder("gray-scott")
    for file in ("settings.json", "scales.json", "best.safetensors"):
        (folder / file).write_bytes((source / file).read_bytes())
    heads = "step,seconds,stage,loss,validation,learning_rate,event\n"
    rows = "0,0.5,start,,0.9,,\n1,2.0,1 derivative,0.1,0.25,1.0,\n2,3.0,1 derivative,0.1,nan,1.0,diverged\n"
    (folder / "metrics.csv").write_text(heads + rows)
    return folder


def test_a_run_is_shipped_with_a_card(run, tmp_path):
    row = {"model": "run", "split": "test", "regime": "all", "metric": "pooled_vrmse", "window": "1"}
    (tmp_path / "rows.json").write_text(json.dumps([{**row, "value": 0.125, "low": 0.1, "high": 0.2}]))
    card = ship_model(run, tmp_path / "shipped", "mine", results=[tmp_path], note="Made by hand.")
    words = card.read_text(encoding="utf-8")
    for part in (
        "# mine",
        "Best validation score 0.25",
        "3 seconds",
        "Made by hand.",
        "0.125",
        "the row run",
    ):
        assert part in words
    assert (tmp_path / "shipped" / "best.safetensors").read_bytes() == (run / "best.safetensors").read_bytes()
    assert not (tmp_path / "shipped" / "metrics.csv").exists()


def test_what_is_not_shipped(run, tmp_path, monkeypatch):
    (tmp_path / "rows.json").write_text("[]")
    with pytest.raises(BadInputError, match="not run"):
        ship_model(run, tmp_path / "shipped", "mine", results=[tmp_path])
    monkeypatch.setattr("pdenca.tasks.model_card.LARGEST", 10)
    with pytest.raises(BadInputError, match="at most 10 are shipped"):
        ship_model(run, tmp_path / "shipped", "mine")
    (run / "metrics.csv").unlink()
    with pytest.raises(FormatError, match=r"metrics\.csv"):
        ship_model(run, tmp_path / "shipped", "mine")
    assert not (tmp_path / "shipped").exists()
