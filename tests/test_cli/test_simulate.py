"""`pdenca simulate`: every output, refusals before any work, a user's own equation."""

import sys
import textwrap

import numpy as np
import pytest
from PIL import Image

from pdenca.datasets import TrajectoryFile
from pdenca.solvers import EQUATIONS

SMALL = ["--grid", "16", "--frames", "4"]


def test_it_makes_picture_movie_kymograph_and_file_and_says_what_it_did(call, tmp_path):
    names = {"png": "a.png", "movie": "a.gif", "kymograph": "k.pdf", "output": "a.hdf5"}
    paths = {flag: tmp_path / name for flag, name in names.items()}
    flags = [part for flag, path in paths.items() for part in (f"--{flag}", path)]
    result = call("simulate", "gray-scott", "--preset", "spots", *SMALL, "--set", "feed_rate=0.031", *flags)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("gray-scott, spots: ")
    assert "16 x 16 cells" in result.stdout
    assert "etdrk4" in result.stdout  # what auto picked on a periodic grid
    for path in paths.values():
        assert f"{path}: " in result.stdout
    with Image.open(paths["movie"]) as movie:
        assert movie.n_frames == 4
    with Image.open(paths["png"]) as picture:
        assert picture.width > 300
    with TrajectoryFile(paths["output"]) as file:
        assert file.header.parameters["feed_rate"] == 0.031
        assert file.header.regime == "spots"
        assert file.header.shape == (1, 4, 2, 16, 16)


def test_the_same_seed_gives_the_same_run(call, tmp_path):
    data = []
    for number, seed in enumerate((3, 3, 4)):
        path = tmp_path / f"{number}.hdf5"
        assert call("simulate", "gray-scott", *SMALL, "--seed", seed, "-o", path).exit_code == 0
        with TrajectoryFile(path) as file:
            data.append(file.read(0))
    np.testing.assert_array_equal(data[0], data[1])
    assert np.abs(data[0] - data[2]).max() > 0.1


def test_without_a_flag_for_output_it_draws_a_picture_here(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("simulate", "gray-scott", *SMALL).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["gray-scott.png"]


def test_one_dimension_is_a_kymograph_and_three_a_plane(call, tmp_path):
    for dims in (1, 3):
        path = tmp_path / f"{dims}.png"
        result = call("simulate", "gray-scott", "--grid", 12, "--frames", 3, "--dims", dims, "--png", path)
        assert result.exit_code == 0, result.output
        assert path.stat().st_size > 5000


def test_list_names_every_equation_and_preset(call):
    output = call("simulate", "--list").stdout
    for name, equation in EQUATIONS.items():
        assert f"{name}: " in output
        for preset in equation.presets:
            assert f"    {preset}: " in output


def test_an_equation_of_the_users_own(call, tmp_path, monkeypatch, request):
    request.addfinalizer(lambda: sys.modules.pop("my_bistable", None))
    (tmp_path / "my_bistable.py").write_text(
        textwrap.dedent(
            '''
            from dataclasses import dataclass
            from typing import ClassVar

            from pdenca.core import Field
            from pdenca.solvers import Preset, ReactionDiffusion


            @dataclass(frozen=True, eq=False)
            class Bistable(ReactionDiffusion):
                """A front between two states."""

                name: ClassVar = "bistable"
                fields: ClassVar = (Field("u"),)
                presets: ClassVar = {
                    "front": Preset(
                        "two phases", {"threshold": 0.4}, "smooth-noise",
                        {"means": (0.4,), "amplitudes": (0.5,)},
                        num_cells=16, spacing=1.0, num_frames=3, frame_interval=1.0, time_step=0.5,
                    )
                }
                threshold: float = 0.3

                def parameters(self):
                    return {"threshold": self.threshold}

                def diffusivities(self):
                    return (1.0,)

                def reaction(self, state):
                    return state * (1 - state) * (state - self.threshold)
            '''
        )
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "u.hdf5"
    result = call("simulate", "my_bistable:Bistable", "--set", "threshold=0.35", "-o", out)
    assert result.exit_code == 0, result.output
    with TrajectoryFile(out) as file:
        assert file.header.parameters == {"threshold": 0.35}


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["gray-skot"], "did you mean 'gray-scott'?"),
        (["gray-scott", "--preset", "mazes"], "did you mean 'maze'?"),
        (["gray-scott", "--set", "feed=0.03"], "no parameter 'feed'"),
        (["gray-scott", "--set", "feed_rate"], "expected key=value"),
        (["gray-scott", "--set", "feed_rate=abc"], "--set feed_rate=abc: expected a number"),
        (["gray-scott", "--set", "feed_rate=true"], "--set feed_rate=true: expected a number"),
        (["gray-scott", "--set", "diffusivity_a=[1, true]"], "expected a number, or one per axis"),
        (["gray-scott", "--method", "etdrk3"], "unknown method 'etdrk3': did you mean 'etdrk4'?"),
        (["gray-scott", "--time-step", "1"], "--method auto picks its own steps"),
        (["gray-scott", "--method", "rk4", "--tolerance", "1"], "--method rk4 has fixed steps"),
        (["gray-scott", "--boundary", "wall"], "boundary 'wall' is unknown"),
        (["gray-scott", "--boundary", "zeros"], "no solution of an equation has the boundary 'zeros'"),
        (["gray-scott", "--start", "gauss"], "initial condition 'gauss' is unknown"),
        (["gray-scott", "--movie", "m.avi"], ".mp4, .gif or .webp"),
        (["gray-scott", "--png", "m.bmp"], "expected .png, .pdf or .svg"),
        (["gray-scott", "-o", "m.nc"], "expected .hdf5 or .h5"),
        (["gray-scott", "--dims", "1", "--movie", "m.gif", *SMALL], "a movie needs two axes of space"),
        (["no.such.module:Equation"], "cannot import module 'no.such.module'"),
    ],
)
def test_refusals(refused, tmp_path, monkeypatch, flags, sentence):
    monkeypatch.chdir(tmp_path)
    assert sentence in refused("simulate", *flags)
    assert list(tmp_path.iterdir()) == []
