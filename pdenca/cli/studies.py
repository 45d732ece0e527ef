"""What the commands that do all experiments of a task share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .digit_training import SAMPLE, THREADS
from .door import BadArgument, Names

Command = Callable[..., None]


def study_options(*, parts: str, table: str, sample: str | None = None) -> Callable[[Command], Command]:
    """Return the options of a study.

    Arguments:
        parts: names of the parts, for the help.
        table: name of the file with all numbers.
        sample: what --sample uses; by default what it does for digits.
    """
    path = click.Path(path_type=Path)
    options = (
        click.option("--out", required=True, type=path, metavar="DIR", help="Folder of runs and results."),
        click.option("--seeds", type=Names("seed"), metavar="0,1,2", help="Of training; default: 0,1,2."),
        click.option("--parts", type=Names("part"), metavar="A,B", help=f"Some of {parts}; default: all."),
        click.option(
            "--keep",
            type=path,
            metavar="FILE",
            help=f"A {table} of before: what it has is not measured again.",
        ),
        click.option(
            "--quick",
            is_flag=True,
            help="A few steps and starts: to see that all works, not to measure.",
        ),
        click.option(
            "--data-dir",
            type=path,
            metavar="DIR",
            help="Folder with MNIST's four IDX files; default: the variable PDENCA_DATA, or else the cache.",
        ),
        SAMPLE if sample is None else click.option("--sample", is_flag=True, help=sample),
        THREADS,
    )

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def study_settings(
    quick: dict[str, Any] | None, seeds: tuple[str, ...] | None, **names: tuple[str, ...] | None
) -> dict[str, Any]:
    """Return what the flags say.

    Arguments:
        quick: settings of a quick study, if that is asked for.
        seeds: as they were typed.
        names: setting -> names, if there are any.

    Raises:
        BadArgument: for seeds that are no numbers.
    """
    told = dict(quick or {})
    told |= {name: list(values) for name, values in names.items() if values}
    if seeds:
        if not all(seed.isdigit() for seed in seeds):
            raise BadArgument(f"got the seeds {','.join(seeds)}; expected whole numbers, e.g. 0,1,2")
        told["seeds"] = [int(seed) for seed in seeds]
    return told
