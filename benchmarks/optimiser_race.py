"""The race of optimisers: the same rule, the same data, the same loop; error against seconds.

    python benchmarks/optimiser_race.py --out runs/optimiser-race

Twice: from the untrained rule, and from where half a minute of derivative matching leaves it. Every fitter
minimises roll-outs four frames ahead, except the one that works cell by cell on rates; first-order
optimisers run at several learning rates with the first seed, and at the one that validates best with the
others. Writes
docs/results/optimiser-race.csv, optimiser-race.json and optimiser-race.md and
docs/figures/optimiser-race.png. Resumable.
"""

import argparse
import csv
import json
import math
import statistics
from functools import partial
from pathlib import Path
from typing import Any

import torch
from study import RESULTS, Clock

from pdenca.baselines import Persistence
from pdenca.core import NonFiniteError, write_text
from pdenca.datasets import generate
from pdenca.plots import race, save
from pdenca.tasks.demo import DemoSettings
from pdenca.tasks.emulation import (
    EmulationSettings,
    Validation,
    environment,
    load_experiment,
    train_emulator,
)
from pdenca.tasks.training_data import measure_scales

FIGURE = RESULTS.parent / "figures" / "optimiser-race.png"
ROLLOUT: dict[str, Any] = {"objective": "rollout", "horizon": 4, "num_windows": 18, "num_steps": 100000}
RATES = (1e-4, 1e-3, 1e-2)
BATCH = 6
STARTS = ("untrained", "after derivative matching")
COLUMNS = ("start", "method", "seed", "seconds", "validation")


def fitters() -> dict[str, dict[str, Any]]:
    """Return the stage of every method in the race."""
    derivative = {"objective": "derivative", "num_windows": 48, "cells_per_window": 256, "num_steps": 100000}
    found = {
        "levenberg-marquardt (rates)": {**derivative, "fitter": "levenberg-marquardt", "validate_every": 4},
        "gauss-newton": {**ROLLOUT, "fitter": "gauss-newton"},
        "lbfgs": {**ROLLOUT, "fitter": "lbfgs"},
    }
    for optimizer in ("adam", "nadam", "adamw", "sgd", "soap"):
        for rate in RATES:
            found[f"{optimizer} {rate:g}"] = {
                **ROLLOUT,
                "fitter": "first-order",
                "optimizer": optimizer,
                "learning_rate": rate,
                "batch_size": BATCH,
                "validate_every": 10,
            }
    return found


def main() -> None:
    """Read the options, run what is left, write table, page and figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/optimiser-race"), help="folder of data and runs"
    )
    parser.add_argument("--seconds", type=float, default=120.0, help="training time of each run")
    parser.add_argument("--seeds", default="0", help="training seeds")
    parser.add_argument("--page", action="store_true", help="only draw from the table again")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.page:
        run_all(options.out, options.seconds, [int(text) for text in options.seeds.split(",")])
    with (RESULTS / "optimiser-race.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    facts = json.loads((RESULTS / "optimiser-race.json").read_text(encoding="utf-8"))
    write_text(RESULTS / "optimiser-race.md", page(rows, facts))
    draw(rows)


def run_all(out: Path, seconds: float, seeds: list[int]) -> None:
    """Make the data, run every method from both starts, write the table."""
    clock = Clock(out / "seconds.json")
    data = out / "data"
    recipe = DemoSettings().recipe().model_copy(update={"splits": ("train", "valid")})
    clock.once("generate", lambda: generate(recipe, data))
    rows: list[dict[str, str]] = []
    for start in STARTS:
        racing = [
            name
            for name, stage in fitters().items()
            if start == STARTS[0] or stage["objective"] != "derivative"  # it is the other start
        ]
        for seed in seeds:
            for name in racing:
                run = out / start.replace(" ", "-") / name.replace(" ", "-") / str(seed)
                settings = settings_of(start, fitters()[name], seed, seconds)
                clock.once(f"{start}, {name}, seed {seed}", partial(go, data, run, settings))
                points = [(start, name, str(seed), str(at), str(error)) for at, error in course(run)]
                rows += [dict(zip(COLUMNS, point, strict=True)) for point in points]
            racing = winners(rows, start)
    with (RESULTS / "optimiser-race.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    listed = ",".join(map(str, seeds))
    scales = measure_scales(data)
    validate = Validation(data, None, scales, 30, torch.float32)
    facts = {
        "command": f"python benchmarks/optimiser_race.py --seconds {seconds:g} --seeds {listed}",
        "persistence": validate(Persistence(scales.frame_interval)),
        "clock": clock.seconds,
        **environment(),
    }
    write_text(RESULTS / "optimiser-race.json", json.dumps(facts, indent=1) + "\n")


def settings_of(start: str, stage: dict[str, Any], seed: int, seconds: float) -> EmulationSettings:
    """Return the default rule with this one stage, after derivative matching if that is the start."""
    settings = load_experiment("mlp", {"seed": str(seed)})
    first = settings.stages[:1] if start != STARTS[0] else ()
    values = settings.model_dump(mode="json")
    values["stages"] = [*(item.model_dump(mode="json", exclude_unset=True) for item in first), stage]
    return EmulationSettings.parse({**values, "max_seconds": seconds})


def go(data: Path, run: Path, settings: EmulationSettings) -> None:
    """Train; a run that diverges for good has lost the race, which its table of metrics says."""
    try:
        train_emulator(data, run, settings, resume=True)
    except NonFiniteError as error:
        print(f"{run}: {error}", flush=True)


def course(run: Path) -> list[tuple[float, float]]:
    """Return (seconds, validation error) of every validation of a run; NaN where it diverged."""
    with (run / "metrics.csv").open(encoding="utf-8") as file:
        return [
            (float(row["seconds"]), float(row["validation"] or "nan"))
            for row in csv.DictReader(file)
            if row["validation"] or "diverged" in row["event"]
        ]


def draw(rows: list[dict[str, str]]) -> None:
    """Draw the best learning rate of every method."""
    panels: dict[str, dict[str, list[tuple[list[float], list[float]]]]] = {}
    for start in STARTS:
        for name in winners(rows, start):
            seeds = dict.fromkeys(row["seed"] for row in rows)
            for seed in seeds:
                chosen = [
                    row for row in rows if (row["start"], row["method"], row["seed"]) == (start, name, seed)
                ]
                seconds = [max(float(row["seconds"]), 0.1) for row in chosen]
                errors = [float(row["validation"]) for row in chosen]
                panels.setdefault(start, {}).setdefault(family(name), []).append((seconds, errors))
    save(race(panels, measure="validation error"), FIGURE)


def family(name: str) -> str:
    """Return the name of a method without its learning rate."""
    words = name.split()
    return words[0] if len(words) == 2 and words[1][0].isdigit() else name


def winners(rows: list[dict[str, str]], start: str) -> list[str]:
    """Return of each family the learning rate with the lowest validation error of the first seed."""
    best: dict[str, tuple[float, str]] = {}
    rows = [row for row in rows if row["seed"] == rows[0]["seed"]]
    for name in dict.fromkeys(row["method"] for row in rows if row["start"] == start):
        score = reached(rows, start, name, math.inf)
        if family(name) not in best or score < best[family(name)][0]:
            best[family(name)] = (score, name)
    return [name for _, name in best.values()]


def reached(rows: list[dict[str, str]], start: str, name: str, seconds: float) -> float:
    """Return the lowest validation error within a time, median over seeds."""
    per_seed: dict[str, float] = {}
    for row in rows:
        if (row["start"], row["method"]) == (start, name) and float(row["seconds"]) <= seconds:
            error = float(row["validation"])
            lowest = per_seed.get(row["seed"], math.inf)
            per_seed[row["seed"]] = lowest if math.isnan(error) else min(lowest, error)
    return statistics.median(per_seed.values()) if per_seed else math.inf


def page(rows: list[dict[str, str]], facts: dict[str, Any]) -> str:
    """Return the page as markdown."""
    lines = [
        "# The race of optimisers",
        "",
        f"Made by `{facts['command']}`; {facts['processor']}, one thread, torch {facts['torch']}. The "
        "default rule (`mlp`) on the demo's data; the error is the validation score by which models are "
        "chosen (geometric mean of the pooled VRMSE over frames 1, 6:12 and 13:30). Doing nothing scores "
        f"{facts['persistence']:.3g}. First-order methods: batches of {BATCH} windows, the learning rate "
        f"that validates best of {', '.join(f'{rate:g}' for rate in RATES)} with the first seed. Number of "
        f"seeds: {len(dict.fromkeys(row['seed'] for row in rows))}; medians over them.",
        "",
        "![race](../figures/optimiser-race.png)",
    ]
    longest = max(float(row["seconds"]) for row in rows)
    marks = [*(mark for mark in (10, 20, 40, 80, 160) if mark < longest), math.ceil(longest)]
    for start in STARTS:
        lines += ["", f"## {start.capitalize()}", ""]
        lines += [
            "| method | " + " | ".join(f"{mark} s" for mark in marks) + " |",
            "|---|" + "---:|" * len(marks),
        ]
        for name in winners(rows, start):
            values = [reached(rows, start, name, mark) for mark in marks]
            cells = ["" if math.isinf(value) else f"{value:.3g}" for value in values]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
