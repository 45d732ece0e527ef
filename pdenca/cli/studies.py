"""What the commands that do all experiments of a task share."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .digit_training import SAMPLE
from .door import BadArgument, Names, on_interrupt
from .options import THREADS, Decorator, all_of
from .progress import Progress

if TYPE_CHECKING:
    from pdenca.tasks.phases import Progress as Told


def study_options(*, parts: str, table: str, sample: str | None = None, mnist: bool = True) -> Decorator:
    """Return the options of a study.

    Arguments:
        parts: names of the parts, for the help.
        table: name of the file with all numbers.
        sample: what --sample uses; by default what it does for digits.
        mnist: whether it needs MNIST at all.
    """
    path = click.Path(path_type=Path)
    data = (
        click.option(
            "--data-dir",
            type=path,
            metavar="DIR",
            help="Folder with MNIST's four IDX files; default: the variable PDENCA_DATA, or else the cache.",
        ),
        SAMPLE if sample is None else click.option("--sample", is_flag=True, help=sample),
    )
    return all_of(
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
        *(data if mnist else ()),
        THREADS,
    )


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


def run_study(work: "Callable[[Told], Path]") -> None:
    """Do a study and print its page.

    Arguments:
        work: takes whom to tell how far it is, and returns the page's file.
    """
    with on_interrupt("run the same command again to go on where it stopped"), Progress("reproduce") as bar:
        page = work(lambda phase, done, total, message: bar.update(done, total, f"{phase} {message}"))
    click.echo(page.read_text(encoding="utf-8"), nl=False)
    click.echo(f"\n{page}")
