"""`pdenca images reproduce`: all experiments on series of images in one go."""

from pathlib import Path

import click

from .door import Names, examples
from .studies import run_study, study_options, study_settings
from .training import use_threads

QUICK = {
    "seeds": [0],
    "num_cells": 20,
    "hold": 12,
    "num_trials": 5,
    "overrides": {
        "num_steps": "4",
        "validate_every": "2",
        "validated_hold": "4",
        "steps_per_interval": "4",
        "hold_steps": "4",
    },
}


@click.command(
    "reproduce",
    short_help="Do all experiments on series of images.",
    epilog=examples(
        "pdenca images reproduce --out runs/images",
        "pdenca images reproduce --out runs/images --parts courses,regrowth --models pictures --seeds 0",
        "pdenca images reproduce --quick --out runs/try",
    ),
)
@study_options(
    parts="courses, regrowth, basin, symmetry, starts, changes, pruning",
    table="image-series.json",
    mnist=False,
)
@click.option("--models", type=Names("model"), metavar="A,B", help="Some of the rules; default: all.")
def reproduce_images_command(
    out: Path,
    seeds: tuple[str, ...] | None,
    models: tuple[str, ...] | None,
    parts: tuple[str, ...] | None,
    keep: Path | None,
    quick: bool,
    threads: int | None,
) -> None:
    """Draw series, train rules on them, and see what they reach, hold, grow back and make of other starts.

    What is in DIR already is kept, so the same command goes on with what was cut short. At the end, and after
    every part, DIR has image-series.md, a page, image-series.json with all numbers, and pictures.
    """
    from pdenca.tasks.images.reproduction import ImageReproductionSettings, reproduce_images

    use_threads(threads)
    told = study_settings(QUICK if quick else None, seeds, parts=parts, models=models)
    settings = ImageReproductionSettings.parse(told)
    run_study(lambda tell: reproduce_images(out, settings, keep=keep, progress=tell))
