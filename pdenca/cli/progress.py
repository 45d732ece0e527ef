"""What is shown while a command works: a bar on a terminal, now and then a line in a log."""

import math
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    import rich.console

    from pdenca.training import TrainingProgress

LINE_EVERY = 10.0
"""Seconds between two lines where there is no terminal."""
WIDTH = 120
"""Columns of tables where there is no terminal."""


class Progress:
    """Shows how far something is, on stderr; use it in a ``with`` block.

    Arguments:
        title: what is going on.
        unit: what is counted, to show beside the bar how many of it are done; by default only the share is.
    """

    def __init__(self, title: str, unit: str | None = None) -> None:
        import rich.progress

        self._title = title
        self._unit = unit
        self._told = time.monotonic()
        self._console = console(stderr=True)
        self._bar = rich.progress.Progress(
            "[progress.description]{task.description}",
            rich.progress.BarColumn(),
            rich.progress.TaskProgressColumn(),
            *([rich.progress.MofNCompleteColumn(), rich.progress.TextColumn(unit)] if unit else []),
            rich.progress.TimeElapsedColumn(),
            rich.progress.TextColumn("{task.fields[message]}", markup=False),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=None, message="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, done: float | int, total: float | int, message: str = "") -> None:
        """Show that ``done`` of ``total`` is reached, and what is going on."""
        self._bar.update(self._task, completed=done, total=total, message=message)
        if not self._console.is_terminal and time.monotonic() - self._told >= LINE_EVERY:
            self._told = time.monotonic()
            share = f"{100 * done / total:.0f} %" if total else ""
            count = f"{done} of {total} {self._unit}," if self._unit else ""
            click.echo(" ".join(part for part in (self._title, share, count, message) if part), err=True)

    def enter(self, title: str) -> None:
        """Begin another part: from here on the bar carries its title; logs get a line."""
        if title != self._title:
            self._title, self._told = title, time.monotonic()
            self._bar.reset(self._task, description=title, message="")
            if not self._console.is_terminal:
                click.echo(title, err=True)

    def say(self, sentence: str) -> None:
        """Write a line that stays, above the bar."""
        self._console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def training_course(bar: Progress) -> "Callable[[TrainingProgress], None]":
    """Return what a training tells after every step, for the bar: stage, loss, the best validation so far."""
    best = math.inf

    def show(now: "TrainingProgress") -> None:
        nonlocal best
        if now.validation is not None and math.isfinite(now.validation):
            best = min(best, now.validation)
        stage = f"{now.stage}, " if now.num_stages > 1 else ""
        known = f", best validation {best:.3g}" if math.isfinite(best) else ""
        share = now.stage_index + now.step / now.num_steps
        bar.update(share, now.num_stages, f"{stage}loss {now.loss:.3g}{known}")
        if now.message is not None and now.message != "converged":
            bar.say(f"{stage}step {now.step}: {now.message}")

    return show


def console(stderr: bool = False) -> "rich.console.Console":
    """Return where tables go: as wide as the terminal, or 120 columns in a file or pipe."""
    import rich.console

    made = rich.console.Console(stderr=stderr, highlight=False)
    return made if made.is_terminal else rich.console.Console(stderr=stderr, highlight=False, width=WIDTH)
