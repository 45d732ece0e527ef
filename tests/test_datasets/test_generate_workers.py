"""Many processes make the same bits as one, whichever of them die, and none outlives the run."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from pdenca.core import BadInputError, IncompleteError, NonFiniteError, StorageError, helpers
from pdenca.datasets import GrayScottRecipe, check, generate
from pdenca.datasets.generation import crew, processes


@pytest.fixture(scope="module")
def small() -> GrayScottRecipe:
    return GrayScottRecipe(
        num_cells=8,
        spacing=1 / 16,
        num_trajectories=5,
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


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    return [child for child in process.children() if "generation.worker" in " ".join(child.cmdline())]


def test_a_worker_that_is_killed_costs_one_batch_once(small, whole, tmp_path, assert_same):
    """Two workers, one killed in the middle of a batch: the others go on, every bit is the same."""
    seen: list[tuple[int, int, str]] = []
    killed: list[int] = []

    def watch(done: int, total: int, message: str) -> None:
        seen.append((done, total, message))
        if "frame" in message.split(";")[0] and not killed:
            worker = workers_of(psutil.Process())[0]
            killed.append(worker.pid)
            worker.kill()

    summary = generate(small, tmp_path / "two", watch, num_workers=2)
    assert summary.num_solved == 7
    assert_same(whole, tmp_path / "two")
    assert killed
    messages = [message for _, _, message in seen]
    assert any("was killed by SIGKILL" in text and "is tried once more" in text for text in messages)
    done = [item[0] for item in seen]
    assert done == sorted(done)
    assert seen[-1] == (7, 7, "done")
    assert [item for item in check(tmp_path / "two") if item.level == "error"] == []
    assert workers_of(psutil.Process()) == []
    assert not list((tmp_path / "two").rglob("*.partial"))


def test_batches_that_cannot_be_made_are_named_and_made_later(
    small, whole, tmp_path, monkeypatch, assert_same
):
    monkeypatch.setattr(processes, "PROGRAM", "raise SystemExit(3)")
    with pytest.raises(
        IncompleteError,
        match=r"7 of 7 batches are missing: .*batch 00000. \(.*exit code 3\).*the same command again",
    ):
        generate(small, tmp_path / "out", num_workers=2)
    assert not (tmp_path / "out" / "data").exists()
    assert generate(small, tmp_path / "out", num_workers=1).num_solved == 7
    assert_same(whole, tmp_path / "out")


def test_one_worker_is_this_process(small, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "PROGRAM", "raise SystemExit(3)")
    generate(small, tmp_path / "one", num_workers=1)
    monkeypatch.setattr(crew, "num_cores", lambda: 1)
    monkeypatch.setattr(crew, "LONG_SECONDS", -1.0)
    generate(small, tmp_path / "auto")


def test_long_work_is_handed_to_workers(small, tmp_path, monkeypatch):
    """The batch under way is given up, the rest, and it, go to as many workers as there are cores."""
    handed: dict[str, int] = {}

    def instead(recipe, batches, num_workers, listener):
        handed.update(batches=len(batches), num_workers=num_workers)
        return dict.fromkeys(batches, "not tried")

    monkeypatch.setattr(crew, "solve_with_processes", instead)
    monkeypatch.setattr(crew, "num_cores", lambda: 3)
    monkeypatch.setattr(crew, "LONG_SECONDS", -1.0)
    with pytest.raises(IncompleteError, match="7 of 7 batches"):
        generate(small, tmp_path / "out")
    assert handed == {"batches": 7, "num_workers": 3}


def test_workers_that_cannot_be_had(small, tmp_path):
    class LocalRecipe(GrayScottRecipe):
        pass

    with pytest.raises(BadInputError, match="at least 1, got 0"):
        generate(small, tmp_path / "out", num_workers=0)
    with pytest.raises(BadInputError, match=r"cannot import .*LocalRecipe"):
        generate(LocalRecipe(), tmp_path / "out", num_workers=2)
    with pytest.raises(BadInputError, match="one process solves all"):
        generate(small, tmp_path / "out", device="cuda", num_workers=2)
    assert not (tmp_path / "out").exists()


def test_num_cores_respects_the_affinity(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {4, 5, 6}, raising=False)
    assert helpers.num_cores() == 3


@pytest.mark.slow
def test_errors_of_workers_arrive_whole(small, tmp_path, monkeypatch):
    """A blow-up names its batch, a full disk its file, a class that is not there the class."""
    wild = small.replace(time_step=10.0, frame_interval=200.0, diffusivity_a=1e-9, diffusivity_b=1e-9)
    with pytest.raises(NonFiniteError, match=r"train/maze, batch 00000.: trajectory 0"):
        generate(wild.replace(num_frames=9), tmp_path / "wild", num_workers=2)
    preamble = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); "
    monkeypatch.setattr(processes, "PROGRAM", preamble + processes.PROGRAM)
    with pytest.raises(StorageError, match=r"00000.\.npz cannot be written \(File too large\)"):
        generate(small, tmp_path / "full", num_workers=2)
    assert not list((tmp_path / "full").rglob("*.partial"))


SCRIPT = """
    import sys
    from pdenca.datasets import GrayScottRecipe, generate

    class Mine(GrayScottRecipe):
        strength: float = 1.0

    def main():
        recipe = Mine(num_cells=8, spacing=1/16, num_trajectories=2, num_frames=4, regimes=("maze",), batch=1)
        generate(recipe, sys.argv[1], num_workers=2)

"""


@pytest.mark.slow
@pytest.mark.parametrize(("call", "code"), [('if __name__ == "__main__": main()', 0), ("main()", 1)])
def test_a_recipe_defined_in_a_script(tmp_path, call, code):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT) + call + "\n")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "out")], check=False, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr
    assert (tmp_path / "out" / "stats.yaml").exists() == (code == 0)
    assert ("usual cure: put the call under `if __name__ == '__main__':`" in done.stderr) == (code == 1)


def start(out: Path) -> subprocess.Popen[str]:
    """Begin a long run with two workers, and wait until both are at work."""
    arguments = "gray-scott --grid 32 --trajectories 6 --frames 300 --regimes maze --splits train "
    arguments += "--workers 2 --set batch=1"
    running = subprocess.Popen(
        [sys.executable, "-P", "-m", "pdenca", "generate", *arguments.split(), "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
    )
    deadline = time.monotonic() + 120
    while len(list(out.rglob("*.npz"))) < 1:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return running


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_the_run(tmp_path, sign):
    out = tmp_path / "out"
    running = start(out)
    workers = workers_of(psutil.Process(running.pid))
    assert len(workers) == 2
    kept = {path: path.read_bytes() for path in out.rglob("*.npz")}
    began = time.monotonic()
    running.send_signal(sign)
    _, stderr = running.communicate(timeout=30)
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
    assert time.monotonic() - began < 10
    if sign == signal.SIGINT:
        assert running.returncode == 130, stderr
        assert "interrupted; run the same command again" in stderr
        assert "Traceback" not in stderr
        assert not list(out.rglob("*.partial"))
    else:
        assert running.returncode == -sign
    assert all(path.read_bytes() == content for path, content in kept.items())
