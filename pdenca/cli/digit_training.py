"""What all commands on digits share: which images, where they are, how a training is told and reported."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from .door import KnownName, on_interrupt
from .options import RESUME, RUN_OUT, THREADS, Decorator, all_of, setting
from .progress import Progress, training_course
from .training import ADVICE, overrides_of, tell_trained, use_threads


def families() -> Iterable[str]:
    """Return the names of the images that there are."""
    from pdenca.datasets.digits.families import FAMILIES

    return FAMILIES


MNIST = "mnist"
DATA = click.option(
    "--data",
    type=KnownName("images", families),
    default=MNIST,
    show_default=True,
    metavar="[mnist|fashion-mnist|emnist-letters|letters]",
    help="Which images: MNIST's digits, clothes, handwritten letters, or synthetic letters.",
)
DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder with the four IDX files of --data, or other data in this format. Default: the variable "
    "PDENCA_DATA, or else the cache, filled from public mirrors (synthetic letters: made there).",
)
SAMPLE = click.option(
    "--sample",
    is_flag=True,
    help="Use the 1,000 training and 500 test digits that come with pdenca, or 520 and 260 letters.",
)


def training_options(*, model: str, models: str, seeds: str, example: str) -> Decorator:
    """Return the options of a training on digits.

    Arguments:
        model: the experiment by default.
        models: what experiments there are.
        seeds: what the seed decides.
        example: of another setting.
    """
    return all_of(
        DATA,
        DATA_DIR,
        RUN_OUT,
        click.option("--model", default=model, show_default=True, metavar="NAME", help=models),
        click.option("--seed", type=int, metavar="N", help=seeds),
        setting(example),
        RESUME,
        SAMPLE,
        THREADS,
    )


def train_on_digits(
    load: Callable[..., Any],
    train: Callable[..., Path],
    score_name: str,
    next_command: str,
    *,
    data: str,
    data_dir: Path | None,
    out: Path,
    model: str,
    seed: int | None,
    assignments: tuple[tuple[str, str], ...],
    resume: bool,
    sample: bool,
    threads: int | None,
) -> None:
    """Read the settings, train, and say how it went and what comes next.

    Arguments:
        load: (name or path, overrides) -> settings.
        train: (digits, run, settings, resume, progress) -> the run's folder.
        score_name: of what the model is chosen by.
        next_command: without RUN.
        data, data_dir, out, model, seed, assignments, resume, sample, threads: the flags.
    """
    from pdenca.datasets.digits.families import load_family

    use_threads(threads)
    settings = load(model, overrides_of(assignments, seed))
    digits = load_family(data, "train", data_dir, sample=sample)
    with on_interrupt(ADVICE), Progress("train") as bar:
        run = train(digits, out, settings, resume=resume, progress=training_course(bar))
    which = "" if data == MNIST else f" --data {data}"
    where = " --sample" if sample else "" if data_dir is None else f" --data-dir {data_dir}"
    tell_trained(run, f"{score_name} on held-out digits", f"{next_command} {run}{which}{where}", "model")
