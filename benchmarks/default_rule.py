"""The default experiment on data of any recipe: trained with every seed, scored beside all baselines."""

import csv
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from study import Clock, Scored

from pdenca.core import BadInputError
from pdenca.datasets import Recipe, generate
from pdenca.evaluation import EvaluationSettings, load_rows
from pdenca.tasks.emulation import (
    EmulationSettings,
    evaluate_runs,
    load_experiment,
    load_run,
    train_emulator,
)

PIECES: Mapping[str, str] = {
    "stages.0.num_windows": "108",
    "stages.0.num_steps": "100",
    "stages.0.validate_every": "100",
    "stages.1.num_windows": "108",
    "stages.1.crop": "48",
    "stages.1.crop_margin": "6",
    "stages.2.num_windows": "108",
    "stages.2.crop": "48",
    "stages.2.crop_margin": "6",
    "stages.2.num_steps": "4",
}
"""Settings for data of 128 x 128 cells: pieces of many frames instead of few whole ones."""


def train_once(clock: Clock, name: str, data: Path, run: Path, experiment: EmulationSettings) -> None:
    """Train a run unless that was done before; refuse one that was trained by other settings."""
    clock.once(name, partial(train_emulator, data, run, experiment, resume=True), partial(_seconds, run))
    if load_run(run).settings != experiment:
        raise BadInputError(f"{run} was trained with other settings; usual cure: another --out")


def _seconds(run: Path) -> float:
    """Return what a run says its training took, in all sittings."""
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return float(list(csv.DictReader(file))[-1]["seconds"])


def train_and_score(
    recipe: Recipe,
    settings: EvaluationSettings,
    seeds: list[int],
    folder: Path,
    clock: Clock,
    overrides: Mapping[str, str] | None = None,
) -> list[Scored]:
    """Make a dataset, train the default experiment on it with every seed, return all rows.

    Arguments:
        recipe: of the data.
        settings: how it is scored.
        seeds: of the training.
        folder: of data, runs and scores.
        clock: remembers what is done.
        overrides: settings of the experiment that are not those of its file.
    """
    name, data = recipe.name, folder / "data"
    clock.once(f"generate {name}", lambda: generate(recipe, data))
    rows: list[Scored] = []
    for seed in seeds:
        run, scores = folder / f"seed-{seed}" / "mlp", folder / "scores" / f"mlp-{seed}"
        experiment = load_experiment("mlp", {**(overrides or {}), "seed": str(seed)})
        train_once(clock, f"train {name}, seed {seed}", data, run, experiment)
        score = partial(evaluate_runs, {"mlp": run}, data, None, settings, scores, with_baselines=False)
        clock.once(f"score {name}, seed {seed}", score)
        rows += [(seed, row) for row in load_rows(scores / "rows.json")]
    scores, first = folder / "scores" / "baselines", folder / f"seed-{seeds[0]}" / "mlp"
    clock.once(
        f"score {name}, baselines", lambda: evaluate_runs({"mlp": first}, data, None, settings, scores)
    )
    return rows + [(None, row) for row in load_rows(scores / "rows.json") if row.model != "mlp"]
