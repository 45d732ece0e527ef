"""`pdenca metanca reproduce`: all experiments on rules that write networks in one go."""

from pathlib import Path
from typing import Literal, cast

import click

from .door import examples
from .options import DEVICE
from .studies import run_study, study_options, study_settings
from .training import use_threads

QUICK = {
    "seeds": [0],
    "fold_seeds": [0],
    "num_samples": 3,
    "num_updates": 6,
    "gradient_epochs": 1,
    "overrides": {"num_steps": "4", "validate_every": "2", "rule.num_steps": "2", "batch_size": "16"},
}


@click.command(
    "reproduce",
    short_help="Do all experiments on rules that write networks.",
    epilog=examples(
        "pdenca metanca reproduce --out runs/metanca",
        "pdenca metanca reproduce --out runs/metanca --parts stability,robustness",
        "pdenca metanca reproduce --out runs/metanca --parts folds --model irises",
        "pdenca metanca reproduce --sample --quick --out runs/try",
    ),
)
@study_options(
    parts="folds, signals, stability, robustness, architectures, learning",
    table="metanca.json",
    sample="Use the 1,000 training and 500 test digits of MNIST that come with pdenca.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    help="One of the rules or of their rivals, as often as wanted; default: all.",
)
@DEVICE
def reproduce_meta_command(
    out: Path,
    seeds: tuple[str, ...] | None,
    parts: tuple[str, ...] | None,
    models: tuple[str, ...],
    keep: Path | None,
    quick: bool,
    data_dir: Path | None,
    sample: bool,
    device: str,
    threads: int | None,
) -> None:
    """Train rules, let them write networks of irises and of MNIST, and follow these for long.

    What is in DIR already is kept, so the same command goes on with what was cut short. At the end, and after
    every part, DIR has metanca.md, a page, metanca.json with all numbers, and pictures of long courses.
    """
    from pdenca.core import device_named
    from pdenca.datasets.tables import Examples
    from pdenca.tasks.metanca import MetaSettings
    from pdenca.tasks.metanca.data import load_examples
    from pdenca.tasks.metanca.reproduction import MetaReproductionSettings, reproduce_meta

    use_threads(threads)
    settings = MetaReproductionSettings.parse(
        study_settings(QUICK if quick else None, seeds, parts=parts, models=models or None)
    )

    def load(about: MetaSettings, split: str) -> Examples:
        folder = data_dir if about.data.startswith("mnist") else None  # it is MNIST's
        return load_examples(about, cast(Literal["train", "test"], split), folder, sample=sample)

    where = device_named(device)
    run_study(lambda tell: reproduce_meta(out, settings, load, keep=keep, progress=tell, device=where))
