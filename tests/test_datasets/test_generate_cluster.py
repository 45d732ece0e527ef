"""The workers of a dask.distributed cluster make the same bits as this process, and some may be lost."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pdenca.core import BadInputError, IncompleteError, NonFiniteError
from pdenca.datasets import GrayScottRecipe, generate
from pdenca.datasets.generation import cluster as module
from pdenca.datasets.generation.parts import Batch

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def small() -> GrayScottRecipe:
    return GrayScottRecipe(
        num_cells=8,
        spacing=1 / 16,
        num_trajectories=4,
        num_frames=6,
        time_step=2.0,
        num_start_frames=0,
        batch=1,
        regimes=("maze",),
        splits=("train", "test"),
        seed=3,
    )


@pytest.fixture(scope="module")
def whole(small, tmp_path_factory) -> Path:
    """Made by this process alone; do not change it."""
    return generate(small, tmp_path_factory.mktemp("small") / "whole", num_workers=1).out


@pytest.fixture(scope="module")
def threads() -> Iterator[str]:
    """A cluster with one worker, a thread of this process; its address."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=":0"
    ) as running:
        yield running.scheduler_address


@pytest.mark.parametrize("shared", [True, False], ids=["shared folder", "frames sent back"])
def test_a_cluster_makes_the_same(small, whole, threads, tmp_path, monkeypatch, shared, assert_same):
    monkeypatch.chdir(tmp_path)  # a worker's own folder is another one than the caller's
    looked: list[bool] = []

    def look(token: Path) -> bool:
        looked.append(token.is_absolute() and token.exists())
        return shared

    monkeypatch.setattr(module, "_is_shared", look)
    seen: list[tuple[int, int, str]] = []
    summary = generate(small, Path("out"), lambda *report: seen.append(report), cluster=threads)
    assert summary.num_solved == 6
    assert looked == [True] * 6
    assert {item[0] for item in seen} == set(range(7))
    assert_same(whole, tmp_path / "out")
    assert not list(Path("out").rglob("*.partial"))
    assert generate(small, Path("out"), cluster=threads).num_solved == 0


def test_other_versions_are_refused_in_one_sentence(small, threads, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "versions", lambda: {"pdenca": "0.0.1", "torch": "0.1", "numpy": "1"})
    with pytest.raises(BadInputError, match=r"has pdenca .* instead of 0\.0\.1, torch .* instead of 0\.1"):
        generate(small, tmp_path / "out", cluster=threads)
    assert not list((tmp_path / "out").rglob("*.npz"))
    monkeypatch.undo()
    ours = {**module.versions(), "torch": "0.1"}
    batch = Batch(small.shards()[0], 0, (1,), tmp_path / "000000.npz")
    late = module.solve_there(small, batch, ours, tmp_path)  # a worker that came later asks before it solves
    assert isinstance(late, BadInputError)
    assert "instead of 0.1, so that" in str(late)


def test_differences_name_what_is_missing():
    ours = {"pdenca": "1", "torch": "2", "numpy": "3"}
    assert module.differences(ours, dict(ours)) == ""
    assert module.differences(ours, {"torch": "2", "numpy": "4"}) == (
        "pdenca (none) instead of 1, numpy 4 instead of 3"
    )


def test_errors_of_a_batch_arrive(small, threads, tmp_path):
    wild = small.replace(time_step=10.0, frame_interval=200.0, diffusivity_a=1e-9, diffusivity_b=1e-9)
    with pytest.raises(NonFiniteError, match=r"train/maze, batch 00000.: trajectory 0"):
        generate(wild.replace(num_frames=9), tmp_path / "out", cluster=threads)


def test_an_interrupt_keeps_what_is_finished(small, whole, threads, tmp_path, assert_same):
    def stop(done: int, total: int, message: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(small, tmp_path / "out", stop, cluster=threads)
    assert generate(small, tmp_path / "out", num_workers=1).num_solved <= 4
    assert_same(whole, tmp_path / "out")


def test_nobody_answers(small, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.5)
    with pytest.raises(
        BadInputError, match=r"no scheduler of dask.distributed answers at 'tcp://127.0.0.1:1'"
    ):
        generate(small, tmp_path / "out", cluster="tcp://127.0.0.1:1")
    with pytest.raises(BadInputError, match=r"no scheduler of dask.distributed answers at 'nonsense://'"):
        generate(small, tmp_path / "out", cluster="nonsense://")


def test_without_the_extra(small, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(BadInputError, match=r"pip install 'pdenca\[cluster\]'"):
        generate(small, tmp_path / "out", cluster="tcp://127.0.0.1:1")


@pytest.mark.slow
def test_lost_workers_cost_their_batches_only(small, whole, tmp_path, assert_same):
    """One worker is killed in the middle: the result is the same. All are lost for good: it is told."""
    longer = small.replace(num_cells=16, num_frames=40)
    generate(longer, tmp_path / "one", num_workers=1)
    killed: list[int] = []
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as running:

        def kill(done: int, total: int, message: str) -> None:
            if done == 2 and not killed:
                killed.append(next(iter(running.workers.values())).pid)
                os.kill(killed[0], signal.SIGKILL)

        summary = generate(longer, tmp_path / "two", kill, cluster=running.scheduler_address)
        assert summary.num_solved == 6
        assert killed
        assert_same(tmp_path / "one", tmp_path / "two")


DEADLY = """
import os, signal
import pdenca.datasets.generation.cluster as module
from pdenca.datasets.generation.parts import solve

def deadly(recipe, batch, device):
    if batch.shard.split == "test":
        os.kill(os.getpid(), signal.SIGKILL)
    return solve(recipe, batch, device)

module.solve = deadly
"""


@pytest.mark.slow
def test_a_batch_that_kills_every_worker_is_left_out(small, whole, tmp_path):
    """The others are made; the message names the one that is missing."""
    script = tmp_path / "deadly.py"
    script.write_text(DEADLY)
    recipe = small.replace(num_test_trajectories=1)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", preload=[str(script)]
        ) as running,
        pytest.raises(IncompleteError, match=r"1 of 5 batches are missing: test/maze, batch 000000 \(4 work"),
    ):
        generate(recipe, tmp_path / "out", cluster=running.scheduler_address)
    assert generate(recipe, tmp_path / "out", num_workers=1).num_solved == 1
