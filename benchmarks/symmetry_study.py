"""The symmetry study: what does a symmetry that is built in, learned or left out change?

    python benchmarks/symmetry_study.py --out runs/symmetry-study

First part: Gray-Scott, which looks the same turned and mirrored, learned from trajectories that all start
from bars along one axis, as data from one apparatus would; four ways to treat the symmetry, 1 to 16 training
trajectories, three seeds. Second part, the control: equations that do prefer a direction, where
the wrong symmetry must lose and the data must choose (by validation error) one that fits.

Writes into docs/results: symmetry-study.csv (every number), symmetry-study.json (settings, hardware,
seconds) and symmetry-study.md, and docs/figures/symmetry-study.png; the last two are drawn from the csv.
Resumable: what is trained or scored already is kept. `--page` only draws again.
"""

import argparse
import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from study import Clock
from symmetry_page import FIGURE, RESULTS, draw, page, read_table
from torch import Tensor

from pdenca.core import rollout, write_text
from pdenca.datasets import GrayScottRecipe, Recipe, generate, load_split
from pdenca.datasets.recipes.advection_diffusion import AdvectionDiffusionRecipe
from pdenca.datasets.recipes.pattern import Point
from pdenca.datasets.shard import Shard
from pdenca.evaluation import pooled_vrmse
from pdenca.plots import save
from pdenca.solvers import Grid
from pdenca.solvers.initial_conditions import gaussian_blobs
from pdenca.symmetry import D4, Group, act, equivariance_residuals
from pdenca.tasks.emulation import EmulationSettings, NeuralEmulator, environment, load_run, train_emulator
from pdenca.tasks.settings import NUM_GIVEN

COLUMNS = ("part", "arm", "trajectories", "seed", "test", "window", "value")
WINDOWS = ((1, 1), (6, 12), (13, 30))
TRAJECTORIES = (1, 2, 4, 8, 16)
SEEDS = (0, 1, 2)
ARMS: dict[str, dict[str, Any]] = {
    "free": {"perception": "group-kernels", "group": "C1"},
    "free, augmented": {"perception": "group-kernels", "group": "C1"},
    "isotropic kernels": {"perception": "isotropic-kernels"},
    "exact D4": {"perception": "group-kernels", "group": "D4"},
}
AUGMENTED = "free, augmented"
GROUPS_TRIED = ("C1", "C2", "D1-0", "D1-1", "D2", "D4")
STUDY_TESTS = {
    "test": ("test", "identity"),
    "mirrored": ("test", "flip axis 0"),
    "turned": ("test", "rotate 90"),
    "other starts": ("ood_ic", "identity"),
}
"""Name of the test -> split of the data and how its trajectories are moved."""

CONTROL_TESTS = {"valid": ("valid", "identity"), "test": ("test", "identity")}


class BarsRecipe(GrayScottRecipe):
    """Gray-Scott from blobs drawn out fourfold along axis 1; ``ood_ic`` has noise without a direction."""

    dataset_name: str = "gray_scott_bars"
    splits: tuple[str, ...] = ("train", "valid", "test", "ood_ic")
    regimes: tuple[str, ...] = ("maze",)
    num_valid_trajectories: int | None = 3
    num_test_trajectories: int | None = 6
    num_frames: int = 45

    def initial_state(self, shard: Shard, grid: Grid, generator: torch.Generator) -> Tensor:
        """Draw bars: round blobs on a domain that is four times as long as wide, seen as a square."""
        if shard.initial_condition == "fourier-noise":
            return super().initial_state(shard, grid, generator)
        squeezed = Grid(grid.shape, (grid.spacing[0], grid.spacing[1] / 4), grid.boundaries)
        return gaussian_blobs(squeezed, generator, 1, density=(10.0, 100.0))


class StreamRecipe(AdvectionDiffusionRecipe):
    """Stains carried along axis 0: only the mirror that turns axis 1 round is a symmetry."""

    constants: ClassVar[Mapping[str, Any]] = {"diffusivity": 0.005}
    regimes: tuple[str, ...] | None = ("along",)
    splits: tuple[str, ...] = ("train", "valid", "test")
    num_cells: int = 64
    num_trajectories: int = 2
    num_frames: int = 45
    frame_interval: float = 0.02  # less than a cell of drift, so that frames can be interpolated in time
    time_step: float = 0.02


class StretchedRecipe(StreamRecipe):
    """Stains that spread five times faster along axis 0: half turns and both mirrors are symmetries."""

    constants: ClassVar[Mapping[str, Any]] = {"diffusivity": (0.01, 0.002)}
    trained: ClassVar[Mapping[str, Point]] = {"stretched": {"velocity_x": 0.0, "velocity_y": 0.0}}
    dataset_name: str = "stretched_diffusion"
    regimes: tuple[str, ...] | None = ("stretched",)


CONTROLS: dict[str, type[Recipe]] = {"stream": StreamRecipe, "stretched diffusion": StretchedRecipe}


def main() -> None:
    """Read the options, do what is left to do, write the table, the page and the figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/symmetry-study"), help="folder of data and runs"
    )
    parser.add_argument("--page", action="store_true", help="only draw page and figure from the table again")
    options = parser.parse_args()
    if not options.page:
        torch.set_num_threads(1)
        clock = Clock(options.out / "seconds.json")
        rows = study(options.out, clock) + control(options.out, clock)
        with (RESULTS / "symmetry-study.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows((COLUMNS, *rows))
        facts = {
            "command": "python benchmarks/symmetry_study.py",
            "seeds": SEEDS,
            "arms": ARMS,
            "recipes": {
                name: json.loads(recipe().to_json())
                for name, recipe in {"study": BarsRecipe, **CONTROLS}.items()
            },
            "training": json.loads(study_settings("exact D4", 16, 0).to_json()),
            "training of the control": json.loads(control_settings("C1", 0).to_json()),
            "seconds": clock.seconds,
            **environment(),
        }
        write_text(RESULTS / "symmetry-study.json", json.dumps(facts, indent=1) + "\n")
    facts = json.loads((RESULTS / "symmetry-study.json").read_text(encoding="utf-8"))
    table = read_table(RESULTS / "symmetry-study.csv")
    write_text(RESULTS / "symmetry-study.md", page(table, facts))
    save(draw(table), FIGURE, dpi=150)


def study_settings(arm: str, trajectories: int, seed: int) -> EmulationSettings:
    """Return how one cell of the study is trained."""
    extra = {"augment": "D4"} if arm == AUGMENTED else {}
    stages = [
        # every trajectory gives four windows, of which 128 cells are seen
        {
            "objective": "derivative",
            "fitter": "levenberg-marquardt",
            "num_steps": 40,
            "num_windows": 4 * trajectories,
            "cells_per_window": 128,
            "validate_every": 8,
        },
        {
            "objective": "rollout",
            "fitter": "lbfgs",
            "horizon": 2,
            "num_windows": 4,
            "num_steps": 4,
            "cells_per_window": 64,
            "validate_every": 2,
        },
    ]
    model = {
        **ARMS[arm],
        "radius": 2,
        "sample_radius": 1,
        "num_hidden_units": 8,
        "parameters_as_input": False,
    }
    return EmulationSettings.parse(
        {
            "model": model,
            "stages": [{**stage, **extra} for stage in stages],
            "seed": seed,
            "train_trajectories": trajectories,
            "dtype": "float32",
        }
    )


def control_settings(group: str, seed: int) -> EmulationSettings:
    """Return how one cell of the control is trained; the equations are linear, so rates are enough."""
    stage = {
        "objective": "derivative",
        "fitter": "levenberg-marquardt",
        "num_steps": 20,
        "num_windows": 4,
        "cells_per_window": 256,
        "validate_every": 5,
    }
    model = {
        "perception": "group-kernels",
        "group": group,
        "radius": 1,
        "sample_radius": 0,
        "num_hidden_units": 3,
        "parameters_as_input": False,
    }
    return EmulationSettings.parse({"model": model, "stages": [stage], "seed": seed})


def study(out: Path, clock: Clock) -> list[tuple[Any, ...]]:
    """Train and score every arm, number of trajectories and seed."""
    data = out / "gray-scott-bars"
    clock.once("generate gray-scott bars", lambda: generate(BarsRecipe(), data))
    rows: list[tuple[Any, ...]] = []
    for seed in SEEDS:
        for trajectories in TRAJECTORIES:
            for arm in ARMS:
                settings = study_settings(arm, trajectories, seed)
                name = f"{arm.replace(', ', '-').replace(' ', '-')}-{trajectories}-{seed}"
                found = cell(name, settings, data, STUDY_TESTS, out, clock)
                rows += [("study", arm, trajectories, seed, *item) for item in found]
    return rows


def control(out: Path, clock: Clock) -> list[tuple[Any, ...]]:
    """Train and score every group on equations with a direction."""
    rows: list[tuple[Any, ...]] = []
    for control_name, recipe in CONTROLS.items():
        data = out / control_name.replace(" ", "-")
        clock.once(f"generate {control_name}", lambda recipe=recipe, data=data: generate(recipe(), data))
        for seed in SEEDS:
            for group in GROUPS_TRIED:
                name = f"{data.name}-{group}-{seed}"
                found = cell(name, control_settings(group, seed), data, CONTROL_TESTS, out, clock)
                rows += [(control_name, group, "", seed, *item) for item in found]
    return rows


def cell(
    name: str,
    settings: EmulationSettings,
    data: Path,
    tests: Mapping[str, tuple[str, str]],
    out: Path,
    clock: Clock,
) -> list[tuple[str, str, str]]:
    """Train one model, score it, and return (test, window, value) rows; from its file if that is there."""
    run, file = out / "runs" / name, out / "scores" / f"{name}.json"

    def work() -> None:
        train_emulator(data, run, settings, resume=True)
        found = errors(load_run(run, torch.float32), data, tests)
        emulator = load_run(run)
        found += [("residual", element, value) for element, value in residuals(emulator, data).items()]
        found.append(("parameters", "", float(emulator.num_parameters)))
        write_text(file, json.dumps(found))

    clock.once(name, work)
    loaded = json.loads(file.read_text(encoding="utf-8"))
    return [(test, window, "" if math.isnan(value) else f"{value:.5g}") for test, window, value in loaded]


def errors(
    emulator: NeuralEmulator, data: Path, tests: Mapping[str, tuple[str, str]]
) -> list[tuple[str, str, float]]:
    """Return the pooled VRMSE of every test and window; all trajectories are rolled out in one batch."""
    truths, contexts, owners = [], [], []
    for test, (split, move) in tests.items():
        for header, stored in load_split(data, split):
            truths.append(torch.stack([act(D4[move], trajectory) for trajectory in stored]))
            contexts.append(header.context(len(stored)))
            owners += [test] * len(stored)
            grid = header.grid
    last = NUM_GIVEN + WINDOWS[-1][1]
    truth = torch.cat([frames[:, :last] for frames in truths])
    names = contexts[0]
    context = {name: torch.cat([part[name] for part in contexts]).to(truth) for name in names}
    with torch.no_grad():
        state = emulator.codec.lift(truth[:, :NUM_GIVEN])
        prediction = rollout(emulator.bind(grid, context), state, last - NUM_GIVEN).double()
    truth = truth[:, NUM_GIVEN:].double()
    std = torch.tensor(emulator.scales.field_std, dtype=torch.float64)
    found = []
    for test in tests:
        own = torch.tensor([owner == test for owner in owners])
        for first, end in WINDOWS:
            inside = slice(first - 1, end)
            value = float(pooled_vrmse(prediction[own, inside], truth[own, inside], std))
            found.append((test, f"{first}:{end}" if first < end else f"{first}", value))
    return found


def residuals(emulator: NeuralEmulator, data: Path, group: Group = D4) -> dict[str, float]:
    """Return how far one frame is from commuting with every element, on a frame of the test split."""
    header, stored = load_split(data, "test")[0]
    context = {key: value.double() for key, value in header.context(1).items()}
    step = emulator.bind(header.grid, context)
    return equivariance_residuals(step, group, stored[:1, NUM_GIVEN - 1].double(), emulator.kinds)


if __name__ == "__main__":
    main()
