"""`pdenca digits reproduce`: all experiments on restored digits in one go."""

from pathlib import Path

import click

from .door import BadArgument, Names, examples
from .studies import run_study, study_options, study_settings
from .training import use_threads


@click.command(
    "reproduce",
    short_help="Do all experiments on restored digits.",
    epilog=examples(
        "pdenca digits reproduce --out runs/digits-restore",
        "pdenca digits reproduce --out runs/digits-restore --seeds 0 --parts models --models memory,u-net",
        "pdenca digits reproduce --out runs/more --keep docs/results/digits-restore.json --seeds 0,1,2,3",
        "pdenca digits reproduce --parts letters --family emnist-letters --family-dir emnist --out runs/e",
        "pdenca digits reproduce --sample --quick --out runs/try",
    ),
)
@study_options(parts="models, damage, basins, letters, pictures", table="digits-restore.json")
@click.option("--models", type=Names("model"), metavar="A,B", help="Some of the models; default: all.")
@click.option(
    "--family",
    type=click.Choice(["letters", "emnist-letters", "fashion-mnist"]),
    default="letters",
    show_default=True,
    help="What the part letters learns after digits.",
)
@click.option(
    "--family-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder with its files; default: letters are made in the cache, Fashion-MNIST is fetched or found "
    "below PDENCA_DATA.",
)
def reproduce_command(
    out: Path,
    seeds: tuple[str, ...] | None,
    parts: tuple[str, ...] | None,
    models: tuple[str, ...] | None,
    keep: Path | None,
    quick: bool,
    data_dir: Path | None,
    family: str,
    family_dir: Path | None,
    sample: bool,
    threads: int | None,
) -> None:
    """Train judges and restorers, restore the test set, count attractors, learn letters after digits, draw.

    What is in DIR already is kept, so the same command goes on with what was cut short. At the end, and after
    every part, DIR has digits-restore.md, a page with the published numbers and claims beside ours, and
    digits-restore.json with all numbers.
    """
    from pdenca.datasets.digits import Digits
    from pdenca.datasets.digits.families import load_family
    from pdenca.tasks.digits.reproduction import ReproductionSettings, reproduce

    use_threads(threads)
    told = study_settings(QUICK if quick else None, seeds, parts=parts, models=models)
    settings = ReproductionSettings.parse({**told, "family": family})
    folders = {"mnist": data_dir, family: family_dir}
    if family_dir is not None and "letters" not in settings.parts:
        raise BadArgument(
            "--family-dir is the folder of what the part letters learns, which is not among --parts"
        )
    if "letters" in settings.parts:
        load_family(family, "test", family_dir, sample=sample)  # missing files are told before any work

    def load(name: str, split: str) -> Digits:
        return load_family(name, split, folders[name], sample=sample)

    run_study(lambda tell: reproduce(out, settings, load, keep=keep, progress=tell))


QUICK = {
    "seeds": [0],
    "num_starts": 12,
    "num_rounds": 33,
    "overrides": {"num_steps": "4", "validate_every": "2", "num_valid": "100", "batch_size": "8"},
    "judge_overrides": {"num_epochs": "1", "num_valid": "100"},
}
