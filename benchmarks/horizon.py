"""A thousand frames: do the rules' patterns stay like the true ones, and how fast do neighbours part?

    python benchmarks/horizon.py --out runs/horizon --rules runs/emulation

The rules of the emulation study (recipe gray-scott-well, trained on 101 frames) predict 1000 frames in each
of the six regimes, on a domain of 64 x 64 of their cells. Runs so long part from their truth, so their
patterns are compared as statistics: the distances of structure factor, area fraction and histogram between
predicted and true runs of other starts, beside the 95 % range of the distances between true runs. The largest
Lyapunov exponents of rules and solvers say after how long nothing could follow. Writes
docs/results/horizon.csv, .json and .md. Resumable: what is made already is kept.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from study import RESULTS, Clock, Scored, choose, read_rows, table, write_rows

from pdenca.core import Emulator, write_text
from pdenca.datasets import generate
from pdenca.datasets.recipes.gray_scott_well import GrayScottWellRecipe
from pdenca.evaluation import ALL_REGIMES, DISTANCES, Case, EvaluationSettings, evaluate, load_rows
from pdenca.tasks.comparison import baseline_rows, load_cases
from pdenca.tasks.emulation import environment, load_run
from pdenca.tasks.rivals import RESOLUTION_FLOOR
from pdenca.tasks.training_data import measure_scales

SPLIT = "ood_horizon"
NUM_RUNS, NUM_FRAMES, NUM_CELLS = 7, 1000, 64
PATTERNS = EvaluationSettings(
    windows=((1, 100), (101, 1000)),
    pattern_window=(501, 1000),
    pattern_stride=10,
    example_frames=(),
    num_bootstrap=200,
)
# from frame 200 on, when the patterns have formed
EXPONENTS = EvaluationSettings(
    start=200,
    windows=((1, 1),),
    lyapunov_frames=100,
    lyapunov_discarded=20,
    dtype="float64",
    example_frames=(),
)
NUM_EXPONENTS = 2
KEPT = (*DISTANCES, "patterns_within", "diverged", "range_violation", "lyapunov_exponent")


def main() -> None:
    """Read the options, do what is left to do, write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/horizon"), help="folder of data and scores")
    parser.add_argument(
        "--rules", type=Path, default=Path("runs/emulation"), help="the emulation study's runs"
    )
    parser.add_argument(
        "--data", type=Path, default=Path("runs/gray-scott-well"), help="what they trained on"
    )
    parser.add_argument("--model", default="mlp-far", help="which of their models")
    parser.add_argument("--seeds", default="0,1,2", help="training seeds")
    parser.add_argument("--page", action="store_true", help="only draw the page from the table again")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.page:
        facts = json.loads((RESULTS / "horizon.json").read_text())
        write_text(RESULTS / "horizon.md", page(read_rows(RESULTS / "horizon.csv"), facts))
        return
    seeds = [int(text) for text in options.seeds.split(",")]
    runs = {seed: options.rules / f"seed-{seed}" / options.model for seed in seeds}
    clock, data = Clock(options.out / "seconds.json"), options.out / "data"
    recipe = GrayScottWellRecipe(
        num_cells=NUM_CELLS,
        # whose training split says in what units errors are counted; nothing is trained on it
        splits=("train", SPLIT),
        num_trajectories=1,
        num_pairs=0,
        num_horizon_trajectories=NUM_RUNS,
        # a long horizon is one of ten times as many frames as the recipe's other splits have
        num_frames=NUM_FRAMES // 10,
        num_horizon_frames=NUM_FRAMES + PATTERNS.num_given,
        batch=NUM_RUNS,
    )
    clock.once("generate", lambda: generate(recipe, data))
    rows: list[Scored] = []
    for seed, name, emulator in contestants(runs, options.data):
        for what, settings in (("patterns", PATTERNS), ("exponents", EXPONENTS)):
            label = f"{name}-{seed}" if seed is not None else name
            folder = options.out / what / label.replace(" ", "-").replace(",", "")
            exact = what == "exponents" and seed is not None
            model = load_run(runs[seed], torch.float64) if exact else emulator
            clock.once(
                f"{what} of {label}",
                lambda model=model, name=name, settings=settings, folder=folder: evaluate(
                    cases(data, settings), {name: model}, settings
                ).save(folder),
            )
            rows += [(seed, row) for row in load_rows(folder / "rows.json")]
    facts = {
        "command": "python benchmarks/horizon.py",
        "seeds": seeds,
        "runs": NUM_RUNS,
        "frames": NUM_FRAMES,
        "cells": NUM_CELLS,
        "exponents": EXPONENTS.model_dump(mode="json"),
        "seconds": clock.seconds,
        **environment(),
    }
    write_rows(RESULTS / "horizon.csv", rows, KEPT)
    write_text(RESULTS / "horizon.json", json.dumps(facts, indent=1) + "\n")
    write_text(RESULTS / "horizon.md", page(read_rows(RESULTS / "horizon.csv"), facts))


def contestants(runs: Mapping[int, Path], data: Path) -> Iterator[tuple[int | None, str, Emulator]]:
    """Yield (training seed, name, emulator) of everything that predicts."""
    members = {seed: load_run(run, torch.float32) for seed, run in runs.items()}
    for seed, member in members.items():
        yield seed, member.name, member
    rivals = baseline_rows(list(members.values()), measure_scales(data))
    converged = next(name for name in rivals if name.endswith("evaluations")).rpartition(", ")[0]
    for name in (converged, RESOLUTION_FLOOR, "persistence"):
        yield None, name, rivals[name]


def cases(data: Path, settings: EvaluationSettings) -> Iterator[Case]:
    """Yield the regimes; for exponents a few runs, and no more frames than they need."""
    short = settings.lyapunov_frames > 0
    for case in load_cases(data, [SPLIT], None, NUM_EXPONENTS if short else None, settings):
        last = settings.start + settings.num_given + 1 if short else None
        yield replace(case, truth=case.truth[:, :last])


def page(rows: list[Scored], facts: Mapping[str, Any]) -> str:
    """Return the page as markdown."""
    regimes = [name for name in dict.fromkeys(row.regime for _, row in rows) if name != ALL_REGIMES]
    lines = [
        "# A thousand frames",
        "",
        f"Made by `{facts['command']}` from `horizon.csv`; {facts['processor']}, {facts['threads']} thread, "
        f"torch {facts['torch']}; {sum(facts['seconds'].values()) / 60:.0f} minutes of work; seeds "
        f"of training {', '.join(map(str, facts['seeds']))}. The rules are those of "
        "`python benchmarks/emulation.py`.",
        "",
        f"Rules trained on a tenth as many frames of 128 x 128 cells predict {facts['frames']} frames on "
        f"{facts['cells']} x {facts['cells']} cells of the same size, {facts['runs']} starts in each regime. "
        "Medians over the training seeds, in brackets the smallest and largest.",
        "",
        "## Patterns within the range of true ones",
        "",
        "1: the mean distance between predicted and true runs of other starts is, by structure factor, area "
        "fraction and histogram of both fields, at most the upper end of the 95 % range of the distances "
        f"between {facts['runs'] * (facts['runs'] - 1) // 2} pairs of true runs; frames 501 to 1000, every "
        "tenth.",
        "",
        *table(choose(rows, metric="patterns_within"), regimes, key="regime"),
        "",
        "## Share of runs that diverged",
        "",
        *table(
            [item for item in choose(rows, metric="diverged") if item[1].window == "101:1000"],
            regimes,
            key="regime",
        ),
    ]
    for distance in DISTANCES:
        found = choose(rows, metric=distance)
        lines += ["", f"## {distance.replace('_', ' ').capitalize()}", ""]
        upper = {row.regime: row.high for _, row in found}
        lines += table(found, regimes, key="regime")
        lines.append(
            "| upper end of the range of true runs | "
            + " | ".join(f"{upper[name]:.3g}" for name in regimes if name in upper)
            + " |"
        )
    lines += [
        "",
        "## Largest Lyapunov exponent",
        "",
        f"Per time unit, from frame {facts['exponents']['start']} on, over "
        f"{facts['exponents']['lyapunov_frames']} frames, {NUM_EXPONENTS} starts a regime; a frame is "
        "ten time units. A positive one says how fast any two predictions part that are not the same to "
        "begin with.",
        "",
        *table(choose(rows, metric="lyapunov_exponent"), regimes, key="regime"),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
