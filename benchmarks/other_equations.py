"""The same recipe, unchanged, on other equations: does the rule beat the true equations on their own grid?

    python benchmarks/other_equations.py --out runs/other-equations

For every equation: data from the refined spectral teacher, the default experiment trained with every seed,
everything scored on ``test``. Nothing is set per equation but the grid: cells so large that the equations
themselves go wrong on them as much as on the grid of the Gray-Scott data (the stencil of order 6, converged
in time, by 0.5 to 1.6 % in one frame), and frames so far apart that in one the shortest wave decays as much
as there, by 16 powers of e. Writes docs/results/other-equations.csv, .json and .md. Resumable: what is made
already is kept.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from default_rule import train_and_score
from study import RESULTS, Clock, Scored, choose, equal_reach, table, write_rows

from pdenca.core import write_text
from pdenca.datasets import RECIPES
from pdenca.evaluation import EvaluationSettings
from pdenca.evaluation.settings import window_label
from pdenca.tasks.emulation import environment, load_experiment, load_run
from pdenca.tasks.rivals import equal_stencil
from pdenca.tasks.training_data import measure_scales

WINDOWS = ((1, 1), (6, 12), (13, 30), (31, 60))
DATA = {
    "num_cells": 48,
    "refine": 2,
    "num_frames": 65,
    "num_trajectories": 4,
    "num_valid_trajectories": 2,
    "num_test_trajectories": 16,
    "splits": ("train", "valid", "test"),
}
GRIDS: Mapping[str, Mapping[str, float]] = {
    # D dt 2 pi^2 / h^2 = 16
    "schnakenberg": {"spacing": 1.5, "frame_interval": 0.06, "time_step": 0.015},
    "fitzhugh-nagumo": {"spacing": 1.5, "frame_interval": 0.45, "time_step": 0.1125},
    "brusselator": {"spacing": 1.5, "frame_interval": 0.1125, "time_step": 0.028125},
    # (2 pi^2 / h^2 - 1)^2 dt = 15
    "swift-hohenberg": {"spacing": 1.5, "frame_interval": 0.25, "time_step": 0.05},
    # the oscillation sets the pace, not diffusion
    "complex-ginzburg-landau": {"spacing": 1.5, "frame_interval": 0.5, "time_step": 0.05},
}


def main() -> None:
    """Read the options, do what is left to do, write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/other-equations"), help="data and runs")
    parser.add_argument("--seeds", default="0,1,2", help="training seeds")
    parser.add_argument("--equations", default=",".join(GRIDS), help="which of them")
    options = parser.parse_args()
    torch.set_num_threads(1)
    seeds = [int(text) for text in options.seeds.split(",")]
    clock = Clock(options.out / "seconds.json")
    settings = EvaluationSettings(windows=WINDOWS, example_frames=())
    rows: dict[str, list[Scored]] = {}
    for name in options.equations.split(","):
        recipe = RECIPES[name].parse({**DATA, **GRIDS[name]})
        rows[name] = train_and_score(recipe, settings, seeds, options.out / name, clock)
    facts = {
        "command": "python benchmarks/other_equations.py",
        "seeds": seeds,
        "data": DATA,
        "grids": GRIDS,
        "settings": json.loads(load_experiment("mlp").to_json()),
        "equal_reach": {
            name: equal_stencil(
                [load_run(options.out / name / f"seed-{seeds[0]}" / "mlp")],
                measure_scales(options.out / name / "data"),
            )
            for name in rows
        },
        "seconds": clock.seconds,
        **environment(),
    }
    named = [
        (seed, replace(row, split=f"{name} {row.split}")) for name, part in rows.items() for seed, row in part
    ]
    write_rows(RESULTS / "other-equations.csv", named)
    write_text(RESULTS / "other-equations.json", json.dumps(facts, indent=1) + "\n")
    write_text(RESULTS / "other-equations.md", page(rows, facts))


def page(rows: Mapping[str, list[Scored]], facts: Mapping[str, Any]) -> str:
    """Return the page as markdown."""
    names = [window_label(*window) for window in WINDOWS]
    lines = [
        "# Other equations",
        "",
        f"Made by `{facts['command']}` from `other-equations.csv`; {facts['processor']}, "
        f"{facts['threads']} thread, torch {facts['torch']}; "
        f"{sum(facts['seconds'].values()) / 60:.0f} minutes of work; seeds of training "
        f"{', '.join(map(str, facts['seeds']))}.",
        "",
        "The default experiment, its file unchanged, on other equations. Per equation "
        f"{facts['data']['num_trajectories']} training trajectories of {facts['data']['num_frames']} frames "
        f"in each of four regimes, {facts['data']['num_cells']} x {facts['data']['num_cells']} cells, solved "
        "on cells half as large. Pooled VRMSE after four given frames, median over the training seeds, in "
        "brackets the smallest and largest.",
        "",
        "A rule looks 3 cells far. So does the stencil of order 6 for an equation of second order; for one "
        "of fourth order, whose biharmonic operator is a Laplacian of a Laplacian, that of order 2 looks 2 "
        "cells far and that of order 4 already 4.",
        "",
        "| equation | equal reach | windows below all solvers of it: every seed, upper end of its interval |",
        "|---|---|---|",
        *(
            f"| {name} | {facts['equal_reach'][name]} | "
            f"{', '.join(won(part, names, facts['equal_reach'][name])) or 'none'} |"
            for name, part in rows.items()
        ),
    ]
    for name, part in rows.items():
        pooled = choose(part, metric="pooled_vrmse", regime="all")
        lines += ["", f"## `{name}`", "", *table(pooled, names)]
    return "\n".join(lines) + "\n"


def won(rows: list[Scored], windows: list[str], stencil: str) -> list[str]:
    """Return the windows in which every seed's upper end is below all solvers of equal reach."""
    pooled = choose(rows, metric="pooled_vrmse", regime="all")
    rivals = equal_reach(pooled, stencil)
    found = []
    for window in windows:
        there = choose(pooled, window=window)
        mine = [row.high for _, row in choose(there, model="mlp")]
        theirs = [row.value for name in rivals for _, row in choose(there, model=name)]
        finite = [value for value in theirs if value is not None]
        if mine and finite and None not in mine and max(mine) < min(finite):
            found.append(window)
    return found


if __name__ == "__main__":
    main()
