"""Making a dataset: what it holds, and that no interruption changes a bit of it."""

import fcntl
import json
import os
import re
import shutil
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from pdenca.core import BadInputError, FormatError, NonFiniteError
from pdenca.datasets import (
    RECIPES,
    GrayScottRecipe,
    TrajectoryFile,
    check,
    generate,
    info,
    load_split,
    read_header,
)
from pdenca.solvers import GrayScott, equation_from_name, restrict, simulate


@pytest.fixture(scope="module")
def small() -> GrayScottRecipe:
    """Four parts per file, so that there is something to interrupt."""
    return GrayScottRecipe(
        num_cells=8,
        spacing=1 / 16,
        num_trajectories=4,
        num_frames=4,
        time_step=2.0,
        start_time_step=1.0,
        num_start_frames=1,
        batch=1,
        regimes=("maze",),
        splits=("train", "test"),
        seed=3,
    )


@pytest.fixture(scope="module")
def small_dataset(small, tmp_path_factory) -> Path:
    """Made without interruption; do not change it."""
    return generate(small, tmp_path_factory.mktemp("small") / "whole").out


@pytest.fixture
def own_small(small_dataset, tmp_path) -> Path:
    """A copy to change."""
    return shutil.copytree(small_dataset, tmp_path / "own")


def test_the_folder_is_laid_out_as_in_the_well(dataset, recipe, summary):
    assert {path.name for path in dataset.iterdir()} == {
        "data",
        "stats.yaml",
        "gray_scott.yaml",
        "README.md",
        "recipe.json",
        "SHA256SUMS",
    }
    assert {path.name for path in (dataset / "data").iterdir()} == set(GrayScottRecipe.available_splits)
    assert {path.name for path in (dataset / "data" / "train").iterdir()} == {
        "gray_scott_maze_F_0.029_k_0.057.hdf5",
        "gray_scott_spots_F_0.03_k_0.062.hdf5",
    }
    assert len(summary.files) == len(list((dataset / "data").rglob("*.hdf5"))) == 18
    assert summary.num_trajectories == summary.num_solved == 2 * (3 + 2 + 2 + 2 + 2 + 1 + 2 + 2 * 2)
    assert summary.seconds > 0
    metadata = yaml.safe_load((dataset / "gray_scott.yaml").read_text())
    assert metadata["spatial_resolution"] == [16, 16]
    assert metadata["field_names"] == {0: ["A", "B"], 1: [], 2: []}
    assert metadata["constant_scalar_names"] == ["F", "k"]
    assert metadata["n_trajectories_per_file"] == [3, 3]
    assert metadata["n_steps_per_trajectory"] == [12, 12]
    assert RECIPES["gray-scott"].from_json((dataset / "recipe.json").read_text()) == recipe


def test_shapes_and_grids_of_the_splits(dataset):
    splits = GrayScottRecipe.available_splits
    shapes = {split: load_split(dataset, split, ["maze"])[0][1].shape for split in splits}
    assert shapes["train"] == (3, 12, 2, 16, 16)
    assert shapes["ood_domain"] == (2, 5, 2, 32, 32)
    assert shapes["ood_domain_4x"] == (1, 5, 2, 64, 64)
    assert shapes["ood_horizon"] == (2, 48, 2, 16, 16)
    for split in splits:
        header = load_split(dataset, split, ["maze"])[0][0]
        assert header.grid.spacing == (1 / 32, 1 / 32)


def test_a_file_holds_all_it_takes_to_remake_it(dataset):
    """Solve one trajectory again from nothing but the attributes of its file."""
    path = dataset / "data" / "ood_ic" / "gray_scott_spots_F_0.03_k_0.062.hdf5"
    with TrajectoryFile(path) as file:
        header, stored = file.header, file.read(1)
    made = header.provenance
    again = GrayScottRecipe.from_json(made["settings"])
    shard = next(s for s in again.shards() if (s.split, s.regime) == (header.split, header.regime))
    generator = torch.Generator().manual_seed(header.seeds[1])
    fine = header.grid.refined(int(made["refine"]))
    frames = simulate(
        equation_from_name(header.equation, {**json.loads(made["equation_constants"]), **header.parameters}),
        header.grid,
        again.initial_state(shard, fine, generator),
        num_frames=header.num_frames,
        frame_interval=header.frame_interval,
        time_step=float(made["time_step"]),
        start_time_step=float(made["start_time_step"]),
        num_start_frames=int(made["num_start_frames"]),
        method=made["solver"],
        refine=int(made["refine"]),
        dtype=getattr(torch, made["dtype"]),
    )
    torch.testing.assert_close(frames.float(), torch.from_numpy(stored), rtol=0, atol=1e-6)
    assert made["torch_version"] == torch.__version__
    assert made["initial_condition"] == "fourier-noise"
    assert made["seed"] == again.seed


def test_frames_are_the_restriction_of_a_finer_solution(dataset, recipe):
    """Not the solution on the stored grid: that one differs, the restricted one does not."""
    shard = recipe.shards()[0]
    equation = recipe.equation(shard)
    assert isinstance(equation, GrayScott)
    fine = shard.grid.refined(2)
    state = recipe.initial_state(shard, fine, torch.Generator().manual_seed(shard.trajectory_seeds[0]))
    settings = {"num_frames": 12, "frame_interval": 10.0, "time_step": 2.0}
    settings |= {"start_time_step": 1.0, "num_start_frames": 1}
    truth = simulate(equation, fine, state, **settings)[0]
    coarse = simulate(equation, shard.grid, restrict(state, fine, shard.grid), **settings)[0]
    stored = load_split(dataset, "train", ["maze"])[0][1][0].double()
    torch.testing.assert_close(restrict(truth, fine, shard.grid), stored, rtol=0, atol=1e-6)
    assert (coarse - stored).abs().max() > 1e-3


def test_trajectories_do_not_depend_on_their_batch(small, small_dataset, tmp_path, arrays):
    generate(small.replace(batch=3), tmp_path / "three")
    one, three = arrays(small_dataset), arrays(tmp_path / "three")
    for name, values in one.items():
        np.testing.assert_array_equal(values[:, 0], three[name][:, 0])  # initial states: the very same
        np.testing.assert_allclose(values, three[name], rtol=0, atol=1e-6)  # later: but for rounding


def test_more_trajectories_keep_the_first_ones(small, small_dataset, tmp_path, arrays):
    generate(small.replace(num_trajectories=6), tmp_path / "six")
    four, six = arrays(small_dataset), arrays(tmp_path / "six")
    for name, values in four.items():
        np.testing.assert_array_equal(values, six[name][: len(values)])


def test_steps_of_their_own_for_the_first_frames(small, tmp_path):
    """They act on the frames they are for, are told by file and card, and can be switched off."""
    recipe = small.replace(splits=("train",), num_trajectories=1)
    with_start, without = (
        generate(item, tmp_path / str(item.num_start_frames)).files[0]
        for item in (recipe, recipe.replace(num_start_frames=0))
    )
    made = read_header(with_start).provenance
    assert (made["time_step"], made["start_time_step"], made["num_start_frames"]) == (2.0, 1.0, 1)
    assert "time step 2 (1 until frame 1)" in (tmp_path / "1" / "README.md").read_text()
    made = read_header(without).provenance
    assert (made["time_step"], made["num_start_frames"]) == (2.0, 0)
    assert "start_time_step" not in made
    assert "time step 2,\nin float64" in (tmp_path / "0" / "README.md").read_text()
    assert "etdrk4, time step 2, 2 times finer" in info(without)["solver"]
    assert {item.level for path in (with_start, without) for item in check(path)} <= {"warning"}
    with TrajectoryFile(with_start) as file, TrajectoryFile(without) as other:
        changes = np.abs(file.read() - other.read()).max((0, 2, 3, 4))
    assert changes[0] == 0
    assert changes[1] > 1e-6


def test_no_two_trajectories_are_alike(dataset):
    starts = [
        start.numpy().tobytes()
        for split in ("train", "valid", "test", "ood_horizon", "ood_params")
        for _, data in load_split(dataset, split)
        for start in data[:, 0]
    ]
    assert len(set(starts)) == len(starts)


def test_the_card_tells_the_facts(dataset, recipe):
    card = (dataset / "README.md").read_text()
    assert "$" not in card
    for fact in (
        "dA/dt",
        "| maze | 0.029 | 0.057 |",
        "16 x 16",
        "64 x 64",
        "time step 2 (1 until frame 1)",
        "float64",
        "fourier-noise",
    ):
        assert fact in card
    assert "(0.026, 0.055), (0.031, 0.058)" in card
    assert str(len(recipe.splits)) != "0"
    assert all(f"| `{split}` |" in card for split in recipe.splits)


def test_dead_trajectories_are_returned_and_listed(tmp_path):
    """At a kill rate where nothing survives (pure decay of B, slow return of A)."""
    recipe = GrayScottRecipe(
        num_cells=8,
        spacing=1 / 64,
        num_trajectories=2,
        num_frames=120,
        time_step=5.0,
        num_start_frames=0,
        refine=1,
        diffusivity_a=1e-3,
        diffusivity_b=1e-3,
        regimes=("spots",),
        splits=("train",),
    )
    summary = generate(recipe, tmp_path / "out")
    assert [(item.file, item.trajectory) for item in summary.dead] == [
        (summary.files[0], 0),
        (summary.files[0], 1),
    ]
    assert summary.stationary == ()
    card = (tmp_path / "out" / "README.md").read_text()
    for item in summary.dead:
        assert f"| train/{item.file.name} | {item.trajectory} | dead | {item.frame} |" in card
        with TrajectoryFile(item.file) as file:
            data = file.read(item.trajectory)[0]
        assert data[item.frame :].std(axis=(2, 3)).max() < 1e-4
        assert data[item.frame - 1].std(axis=(1, 2)).max() >= 1e-4
    levels = {(item.level, item.trajectory, item.frame) for item in check(tmp_path / "out")}
    assert levels == {("warning", item.trajectory, item.frame) for item in summary.dead}
    assert "2 dead" in info(tmp_path / "out")["train"]


def test_progress_counts_every_trajectory_once(small, tmp_path):
    seen: list[tuple[int, int, str]] = []
    generate(small, tmp_path / "out", lambda *report: seen.append(report))
    done = [report[0] for report in seen]
    assert done == sorted(done)
    assert {report[1] for report in seen} == {6}
    assert set(done) == set(range(7))
    assert seen[-1] == (6, 6, "done")
    messages = [report[2] for report in seen]
    # how many of the other file's frames are done by then is up to the processes
    assert any(re.fullmatch(r"train/maze: frame 2 of 4; \d+ of 24 frames, 0 dead", text) for text in messages)


def test_a_second_run_does_nothing(small, own_small):
    times = {path: path.stat().st_mtime_ns for path in (own_small / "data").rglob("*.hdf5")}
    second = generate(small, own_small)
    assert second.num_solved == 0
    assert set(second.files) == set(times)
    assert {path: path.stat().st_mtime_ns for path in second.files} == times


def test_splits_may_be_added_and_never_get_lost(small, own_small, arrays):
    out = own_small
    before = arrays(out)
    added = generate(small.replace(splits=("ood_ic",)), out)
    assert added.num_solved == 2
    after = arrays(out)
    assert set(after) - set(before) == {"data/ood_ic/gray_scott_maze_F_0.029_k_0.057.hdf5"}
    assert all(np.array_equal(after[name], values) for name, values in before.items())
    assert json.loads((out / "recipe.json").read_text())["splits"] == ["train", "test", "ood_ic"]
    assert "| `ood_ic` |" in (out / "README.md").read_text()
    assert [item for item in check(out) if item.level == "error"] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 4},
        {"num_trajectories": 5},
        {"num_cells": 16},
        {"regimes": ("spots",)},
        {"time_step": 1.0},
        {"start_time_step": 0.5},
    ],
)
def test_other_settings_are_refused_and_nothing_is_lost(small, own_small, changes):
    out = own_small
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(BadInputError, match=f"other settings \\(.*{next(iter(changes))} is") as caught:
        generate(small.replace(**changes), out)
    assert str(out) in str(caught.value)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_a_folder_of_somebody_else_is_refused(small, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(BadInputError, match=r"already holds README.md but no recipe.json"):
        generate(small, tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"
    with pytest.raises(BadInputError, match="is a file"):
        generate(small, tmp_path / "README.md")


def test_a_file_that_was_replaced_is_refused(small, dataset, own_small):
    out = own_small
    (file,) = (out / "data" / "train").iterdir()
    shutil.copy(dataset / "data" / "train" / file.name, file)
    with pytest.raises(BadInputError, match="was made with other settings"):
        generate(small, out)
    file.write_bytes(b"not HDF5")
    with pytest.raises(FormatError, match="damaged"):
        generate(small, out)
    (out / "recipe.json").write_text("{")
    with pytest.raises(FormatError, match=r"recipe.json is damaged"):
        generate(small, out)


def test_only_one_process_at_a_time(small, tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        with pytest.raises(BadInputError, match="another process is generating"):
            generate(small, tmp_path)
    finally:
        os.close(folder)
    assert generate(small, tmp_path).num_solved == 6


def test_a_disk_that_is_too_small_is_told_before_anything_is_solved(small, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10_000))
    with pytest.raises(BadInputError, match=r"needs .* GB"):
        generate(small, tmp_path / "out")
    assert not (tmp_path / "out" / "data").exists()


def test_a_blow_up_names_the_file(small, tmp_path):
    recipe = small.replace(
        time_step=10.0,
        num_start_frames=0,
        frame_interval=200.0,
        diffusivity_a=1e-9,
        diffusivity_b=1e-9,
        num_frames=9,
    )
    with pytest.raises(NonFiniteError, match="train/maze, batch 000000: trajectory 0"):
        generate(recipe, tmp_path / "out")


def test_gzip_on_request(small, small_dataset, tmp_path, assert_same):
    import h5py

    generate(small, tmp_path / "packed", compression="gzip")
    assert_same(small_dataset, tmp_path / "packed")
    for path in (tmp_path / "packed" / "data").rglob("*.hdf5"):
        with h5py.File(path) as file:
            assert file["t0_fields/A"].compression == "gzip"


def test_an_interrupted_run_continues(small, small_dataset, tmp_path, assert_same):
    out = tmp_path / "out"

    def stop(done: int, total: int, message: str) -> None:
        if done == 2 and "frame 3" in message:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(small, out, stop)
    assert not (out / "data").exists()
    assert len(list((out / "parts").rglob("*.npz"))) == 2
    assert generate(small, out).num_solved == 4
    assert_same(small_dataset, out)
    assert not (out / "parts").exists()


def test_parts_of_other_versions_are_not_mixed_in(small, tmp_path, monkeypatch):
    def stop(done: int, total: int, message: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(small, tmp_path / "out", stop)
    monkeypatch.setattr(torch, "__version__", "1.0")
    assert generate(small, tmp_path / "out").num_solved == 6


def kill_when(process: BaseProcess, out: Path, pattern: str, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(list(out.rglob(pattern))) < count:
        assert process.is_alive(), "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.kill()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL


# After the first part; while later parts are made; while or right after the first file is assembled.
MOMENTS = (("*.npz", 1), ("*.npz", 3), ("*.hdf5", 1))


@pytest.mark.parametrize(
    "moments", [MOMENTS[::2], pytest.param(MOMENTS + (("*.partial", 1),) * 4, marks=pytest.mark.slow)]
)
def test_a_killed_run_continues_bit_for_bit(small, tmp_path, fork_server, moments, assert_same):
    recipe = small.replace(num_cells=16, spacing=1 / 32, num_frames=12)
    whole = tmp_path / "whole"
    generate(recipe, whole)
    out = tmp_path / "out"
    for pattern, count in moments:
        process = fork_server.Process(target=generate, args=(recipe, out))
        process.start()
        kill_when(process, out, pattern, count)
        assert not (out / "stats.yaml").exists()
    # two workers share the files: any of them may be the first to be whole
    split = next(out.rglob("*.hdf5")).parent
    (split / ".left.hdf5.1.partial").write_text("a write that was cut off")
    summary = generate(recipe, out)
    assert summary.num_solved <= 2
    assert_same(whole, out)
    assert not [path for path in out.rglob("*") if "partial" in path.name or path.name == "parts"]
    assert [item for item in check(out) if item.level == "error"] == []


def test_files_are_described(dataset):
    lines = info(dataset)
    assert lines["dataset"] == "gray_scott"
    assert lines["fields"] == "A, B"
    assert "2 files (maze, spots), 6 trajectories of 12 frames every 10" in lines["train"]
    assert "16 x 16 cells of 0.03125, periodic" in lines["train"]
    assert "64 x 64" in lines["ood_domain_4x"]
    path = dataset / "data" / "train" / "gray_scott_maze_F_0.029_k_0.057.hdf5"
    lines = info(path)
    assert lines["equation"] == "gray-scott, feed_rate 0.029, kill_rate 0.057"
    assert lines["frames"] == "12, every 10, t = 0 to 110"
    assert lines["start"] == "gaussian-blobs, seed 7"
    assert lines["solver"] == "etdrk4, time step 2 (1 until frame 1), 2 times finer, float64"
    assert read_header(path).provenance["pdenca_version"] in lines["made with"]
    with pytest.raises(BadInputError, match="neither a file nor"):
        info(dataset / "none")
