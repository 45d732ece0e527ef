"""generate, check, info: the way of a dataset, and its accidents."""

import shutil
import signal
import sys
import time

import h5py
import numpy as np
import pytest

from pdenca.datasets import TrajectoryFile, data_files


@pytest.fixture
def copied(dataset, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(dataset, tmp_path / "data")


def test_generate_then_check_then_info(call, dataset):
    checked = call("check", dataset)
    assert checked.exit_code == 0
    assert checked.stdout.splitlines()[-1].startswith("0 errors, ")
    described = call("info", dataset)
    assert described.exit_code == 0
    for words in ("gray_scott", "maze", "16 x 16", "ood_domain", "32 x 32"):
        assert words in described.stdout
    (file,) = data_files(dataset, "test")
    assert "split test" in call("info", file).stdout


def test_generate_again_keeps_what_is_there(call, dataset, tiny):
    before = {path: path.stat().st_mtime_ns for path in dataset.rglob("*.hdf5")}
    again = call("generate", "gray-scott", "--out", dataset, *tiny, "--splits", "test")
    assert again.exit_code == 0
    assert f"{8} trajectories in 4 files, 8 of them already there" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in dataset.rglob("*.hdf5")} == before


def test_flags_become_settings(call, tmp_path):
    flags = "--grid 8 --trajectories 1 --frames 3 --refine 1 --regimes worms,spots --splits test --seed 5"
    more = "--compression gzip --set num_test_trajectories=3 --set time_step=2 --set dtype=float32"
    result = call("generate", "gray-scott", "--out", tmp_path / "d", *flags.split(), *more.split())
    assert result.exit_code == 0
    files = data_files(tmp_path / "d", "test")
    assert len(files) == 2
    with TrajectoryFile(files[0]) as file, h5py.File(files[0]) as raw:
        assert file.header.shape == (3, 3, 2, 8, 8)
        made = file.header.provenance
        assert (made["seed"], made["refine"], made["time_step"], made["dtype"]) == (5, 1, 2.0, "float32")
        assert raw["t0_fields/A"].compression == "gzip"


def test_bad_settings_of_a_recipe(refused, tmp_path, dataset, tiny):
    start = ("generate", "gray-scott", "--out", tmp_path / "d")
    assert "did you mean 'maze'?" in refused(*start, "--regimes", "mase")
    assert "did you mean 'num_frames'?" in refused(*start, "--set", "num_frame=3")
    assert "the nearest that does is" in refused(*start, "--set", "time_step=3")
    assert "num_cells" in refused(*start, "--grid", "1")
    other = refused("generate", "gray-scott", "--out", dataset, *tiny, "--seed", "1")
    assert "seed is 0 there and 1 here" in other
    assert not (tmp_path / "d").exists()


def test_paths_that_cannot_be(refused, tmp_path):
    (tmp_path / "file").write_text("x")
    assert "expected a folder" in refused("generate", "gray-scott", "--out", tmp_path / "file")
    assert "Not a directory" in refused("generate", "gray-scott", "--out", tmp_path / "file" / "data")
    for command in ("check", "info"):
        assert str(tmp_path / "none") in refused(command, tmp_path / "none")
        assert "not a trajectory file" in refused(command, tmp_path / "file")


def test_a_truncated_file(refused, call, copied):
    (file,) = data_files(copied, "test")
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    for command in ("check", "info"):
        assert file.name in refused(command, copied)


def test_check_leaves_with_1_for_errors(call, copied):
    (file,) = data_files(copied, "test")
    with h5py.File(file, "r+") as raw:
        raw["t0_fields/A"][1, 2, 3, 4] = np.nan
    result = call("check", copied)
    assert result.exit_code == 1
    assert f"error: {file}: field A, trajectory 1, frame 2" in result.stdout
    assert "1 error, " in result.stdout.splitlines()[-1]


def test_strict_counts_warnings_as_errors(call, copied):
    (file,) = data_files(copied, "test")
    result = call("check", file)
    warnings = result.stdout.count("warning: ")
    strict = call("check", "--strict", file)
    assert strict.stdout.count("error: ") == warnings
    assert strict.exit_code == (1 if warnings else 0)


def test_interrupt_then_resume(program, call, tmp_path, tiny):
    """Ctrl-C in the middle leaves with 130; the same command then finishes the same dataset."""
    flags = ["gray-scott", *tiny, "--frames", "20", "--splits", "train,valid", "--set", "batch=1"]
    flags += ["--workers", "1"]
    out = tmp_path / "interrupted"
    running = program("generate", *flags, "--out", out)
    deadline = time.monotonic() + 60
    while not list(out.glob("parts/*/*/*.npz")) and time.monotonic() < deadline and running.poll() is None:
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 130, stderr
    assert stdout == ""
    assert "interrupted; run the same command again" in stderr
    assert "Traceback" not in stderr
    assert not list(out.rglob("*valid*/*.hdf5"))
    resumed = call("generate", *flags, "--out", out)
    assert resumed.exit_code == 0
    whole = tmp_path / "whole"
    assert call("generate", *flags, "--out", whole).exit_code == 0
    for split in ("train", "valid"):
        (one,), (other,) = data_files(out, split), data_files(whole, split)
        with TrajectoryFile(one) as first, TrajectoryFile(other) as second:
            np.testing.assert_array_equal(first.read(), second.read())


def test_a_dataset_is_finished_from_its_folder(call, refused, copied):
    (file,) = data_files(copied, "valid")
    file.unlink()
    result = call("generate", "--resume", copied)
    assert result.exit_code == 0
    assert f"{copied}: 8 trajectories in 4 files, 6 of them already there" in result.stdout
    assert file.exists()
    assert call("generate", "gray-scott", "--resume", copied, "--workers", "1").exit_code == 0
    assert "takes all settings from the folder" in refused("generate", "--resume", copied, "--seed", "1")
    assert "takes all settings from the folder" in refused("generate", "--resume", copied, "--out", "x")
    assert "nothing was begun there" in refused("generate", "--resume", copied / "data")


def test_repair_then_resume(call, refused, copied):
    """A truncated file: named, moved aside, made again."""
    (file,) = data_files(copied, "test")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert "pdenca repair" in refused("generate", "--resume", copied)
    told = call("repair", copied)
    assert told.exit_code == 0
    aside = copied / "aside" / "data" / "test" / file.name
    assert f"{file}: is damaged" in told.stdout
    assert f"would go to {aside}" in told.stdout
    assert told.stdout.endswith(f"nothing was changed; next: pdenca repair {copied} --apply\n")
    assert not aside.exists()
    done = call("repair", copied, "--apply")
    assert f"moved to {aside}" in done.stdout
    assert f"1 files to move aside, 1 to make\nnext: pdenca generate --resume {copied}\n" in done.stdout
    assert call("generate", "--resume", copied).exit_code == 0
    assert call("check", copied).exit_code == 0
    assert "0 files to move aside, 0 to make" in call("repair", copied).stdout


def test_a_recipe_an_equation_or_a_folder(refused, tmp_path):
    assert "expected one of RECIPE, --equation and --resume" in refused("generate", "--out", tmp_path)
    both = refused("generate", "gray-scott", "--equation", "heat", "--out", tmp_path)
    assert "expected one of RECIPE, --equation and --resume" in both
    assert "missing option --out" in refused("generate", "gray-scott")
    assert "no scheduler" in refused(
        "generate", "gray-scott", "--out", tmp_path / "d", "--cluster", "tcp://127.0.0.1:1"
    )
    assert "a cluster are its own" in refused(
        "generate", "gray-scott", "--out", tmp_path / "d", "--cluster", "tcp://x:1", "--workers", "2"
    )


OWN_EQUATION = '''
from dataclasses import dataclass
from typing import ClassVar

from pdenca.core import Field
from pdenca.solvers import ReactionDiffusion

@dataclass(frozen=True, eq=False)
class Decay(ReactionDiffusion):
    """Decays while it spreads."""

    name: ClassVar[str] = "decay"
    fields: ClassVar[tuple[Field, ...]] = (Field("u"),)

    rate_of_decay: float = 0.1

    def parameters(self):
        return {"rate_of_decay": self.rate_of_decay}

    def diffusivities(self):
        return (0.01,)

    def reaction(self, state):
        return -self.rate_of_decay * state
'''


def test_an_equation_of_ones_own_in_the_current_folder(call, tmp_path, monkeypatch):
    """It is found, its settings come from --set, and --resume finds it again."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_equations.py").write_text(OWN_EQUATION)
    flags = "--grid 8 --trajectories 2 --frames 3 --splits train --set frame_interval=1 --set time_step=0.5"
    own = (
        "parameters={rate_of_decay=0.3}",
        "initial_condition=smooth-noise",
        "initial_options={means=[1.0], amplitudes=[0.5]}",
    )
    sets = [word for item in own for word in ("--set", item)]
    made = call("generate", "--equation", "own_equations:Decay", "--out", "d", *flags.split(), *sets)
    assert made.exit_code == 0, made.output
    (file,) = data_files(tmp_path / "d", "train")
    before = file.read_bytes()
    with TrajectoryFile(file) as opened:
        assert opened.header.parameters == {"rate_of_decay": 0.3}
        data = opened.read()
    file.unlink()
    assert call("generate", "--resume", "d").exit_code == 0
    with TrajectoryFile(file) as opened:
        np.testing.assert_array_equal(opened.read(), data)
    assert len(file.read_bytes()) == len(before)
    (tmp_path / "d" / "recipe.json").unlink()
    sys.path.remove(str(tmp_path))  # as in a program of its own
    repaired = call("repair", "d", "--apply")
    assert repaired.exit_code == 0, repaired.output
    assert "restored" in repaired.stdout


def test_an_equation_by_name(call, tmp_path):
    flags = "--grid 16 --trajectories 1 --frames 3 --splits train"
    made = call("generate", "--equation", "allen-cahn", "--out", tmp_path / "d", *flags.split())
    assert made.exit_code == 0, made.output
    assert "allen-cahn" in call("info", tmp_path / "d").stdout
