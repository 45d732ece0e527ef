"""Arguments and options that several commands have, each told once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from .door import Assignment

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


class PictureFile(click.Path):
    """Where a picture goes; a kind that cannot be written is refused before any work is done for it."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """Return the path if its ending is known."""
        path = Path(str(super().convert(value, param, ctx)))
        from pdenca.plots import FORMATS

        if path.suffix.removeprefix(".").lower() not in FORMATS:
            self.fail(f"{path.name!r} ends in {path.suffix!r}; expected .png, .pdf or .svg", param, ctx)
        return path


RUN: Final = click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
RUN_OUT: Final = click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="RUN", help="Folder of the run."
)
RESUME: Final = click.option(
    "--resume", is_flag=True, help="Continue the run in RUN; the result is the same bit for bit."
)
THREADS: Final = click.option(
    "--threads", type=click.IntRange(min=1), metavar="N", help="Threads of the processor; default: all."
)
DEVICE: Final = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="auto: a GPU when there is one, else the processor; cpu, cuda, cuda:1 ...",
)
AS_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON.")
_PICTURE: Final = "A picture (also .pdf, .svg)."
PNG: Final = click.option("--png", type=PictureFile(), metavar="FILE", help=_PICTURE)
REQUIRED_PNG: Final = click.option("--png", required=True, type=PictureFile(), metavar="FILE", help=_PICTURE)


def setting(examples: str) -> Decorator:
    """Return the option --set, which changes whatever has no option of its own.

    Arguments:
        examples: for the help.
    """
    return click.option(
        "--set",
        "assignments",
        type=Assignment(),
        multiple=True,
        help=f"Any other setting, e.g. {examples}.",
    )


def seed_of(what: str) -> Decorator:
    """Return the option --seed, 0 by default.

    Arguments:
        what: it decides, for the help.
    """
    return click.option("--seed", type=int, default=0, show_default=True, metavar="N", help=f"Of {what}.")


def all_of(*options: Decorator) -> Decorator:
    """Return several options as one decorator; help lists them in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
