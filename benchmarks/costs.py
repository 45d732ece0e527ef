"""What a prediction costs: the default rule beside solvers of equal error and of equal time.

    python benchmarks/costs.py --data runs/main-table/data --run runs/main-table/seed-0/mlp

Scores the rule and the true equations at many settings (stencils of several orders with few to many
evaluations a frame, the spectral solver with one to ten steps) on the test trajectories, measures all of them
side by side on this machine, one trajectory at a time, and looks up the fastest solver that is as accurate
and the most accurate one that is as fast. Writes docs/results/costs.csv, .json and .md.
"""

import argparse
import csv
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from study import RESULTS

from pdenca.baselines import EquationFamily, EquationsOnGrid, SpectralOnGrid
from pdenca.core import Emulator, StabilityError, write_text
from pdenca.evaluation import Case, CostPoint, EvaluationSettings, compare_costs, evaluate
from pdenca.evaluation.settings import window_label
from pdenca.tasks.emulation import environment, load_cases, load_run
from pdenca.tasks.rivals import cost_of
from pdenca.tasks.training_data import DataScales, measure_scales

PREDICTED = ((1, 1), (6, 12), (13, 30))
WINDOWS = tuple(window_label(*window) for window in PREDICTED)
STENCILS = ("order-2", "order-4", "order-6", "order-8")
EVALUATIONS = (4, 8, 10, 12, 16, 20, 40)
SPECTRAL_STEPS = (1, 2, 3, 4, 5, 10)
REPEATS = 15
COLUMNS = ("model", "radius", "evaluations a frame", "milliseconds a frame", *WINDOWS)


def main() -> None:
    """Read the options, measure, write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("runs/main-table/data"), help="the dataset")
    parser.add_argument("--run", type=Path, default=Path("runs/main-table/seed-0/mlp"), help="of the rule")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rule = load_run(options.run, torch.float32)
    candidates = {rule.name: rule, **solvers(measure_scales(options.data))}
    lines = [
        line
        for name, emulator in candidates.items()
        if (line := measured(name, emulator, options.data)) is not None
    ]
    facts = {"command": "python benchmarks/costs.py", "run": rule.settings.seed, **environment()}
    with (RESULTS / "costs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    write_text(RESULTS / "costs.json", json.dumps(facts, indent=1) + "\n")
    write_text(RESULTS / "costs.md", page(lines, facts))


def solvers(scales: DataScales) -> dict[str, Emulator]:
    """Return the true equations at many settings."""
    family, interval = EquationFamily(scales.equation, scales.constants), scales.frame_interval
    found: dict[str, Emulator] = {
        f"{stencil}, {count} evaluations": EquationsOnGrid.equal_evaluations(family, interval, count, stencil)
        for stencil in STENCILS
        for count in EVALUATIONS
    }
    for steps in SPECTRAL_STEPS:
        found[f"spectral, {4 * steps} evaluations"] = SpectralOnGrid(family, interval, interval / steps)
    return found


def measured(name: str, emulator: Emulator, data: Path) -> dict[str, Any] | None:
    """Return a line of the table; None if the setting is unstable."""
    print(name, flush=True)
    settings = EvaluationSettings(windows=PREDICTED, num_bootstrap=1, example_frames=())

    def short(case: Case) -> Case:
        return replace(case, truth=case.truth[:, : settings.num_given + PREDICTED[-1][1]])

    cases, one = load_cases(data, ["test"]), next(iter(load_cases(data, ["test"], None, 1)))
    try:
        cost = cost_of(emulator, one, REPEATS)
    except StabilityError as error:
        print(f"  left out: {error}")
        return None
    results = evaluate((short(case) for case in cases), {name: emulator}, settings)
    errors = {
        row.window: row.value
        for row in results.rows
        if (row.metric, row.regime) == ("pooled_vrmse", "all") and row.window in WINDOWS
    }
    told = (name, cost.radius or "whole domain", cost.evaluations_per_frame, f"{cost.milliseconds:.4g}")
    return dict(zip(COLUMNS, (*told, *(f"{errors[window]:.4g}" for window in WINDOWS)), strict=True))


def page(lines: list[dict[str, Any]], facts: Mapping[str, Any]) -> str:
    """Return the page as markdown."""
    text = [
        "# What a prediction costs",
        "",
        f"Made by `{facts['command']}`: the default rule of the main table (seed {facts['run']}) and the "
        "true equations at many settings, on its test trajectories. Float32, one trajectory at a time, the "
        f"median of {REPEATS} repetitions; {facts['processor']}, {facts['threads']} thread, torch "
        f"{facts['torch']}. Errors are pooled VRMSE.",
        "",
        "| window | the rule | as accurate, fastest | the rule is faster by | as fast, most accurate | its "
        "error is larger by |",
        "|---|---:|---|---:|---|---:|",
    ]
    for window in WINDOWS:
        points = [
            CostPoint(line["model"], float(line["milliseconds a frame"]), float(line[window]))
            for line in lines
        ]
        found = compare_costs(points[0], points[1:])
        text.append(
            f"| {window} | {points[0].error:.3g} in {points[0].milliseconds:.3g} ms | "
            f"{_told(found.cheapest)} | {_times(found.speed_up)} | "
            f"{_told(found.best)} | {_times(found.error_ratio)} |"
        )
    text += ["", "| " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * (len(COLUMNS) - 1)]
    text += ["| " + " | ".join(str(value) for value in line.values()) + " |" for line in lines]
    return "\n".join(text) + "\n"


def _told(point: CostPoint | None) -> str:
    return "none" if point is None else f"{point.name}: {point.error:.3g} in {point.milliseconds:.3g} ms"


def _times(ratio: float) -> str:
    return f"{ratio:.2g}" if math.isfinite(ratio) else "-"


if __name__ == "__main__":
    main()
