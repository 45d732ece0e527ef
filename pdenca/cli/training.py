"""What all commands that train say and hear alike."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click

ADVICE: Final = "run the same command with --resume to go on where it stopped"
"""For whoever interrupts a training."""


def overrides_of(assignments: Iterable[tuple[str, str]], seed: int | None) -> dict[str, str]:
    """Return the settings that --set and --seed change."""
    overrides = dict(assignments)
    if seed is not None:
        overrides["seed"] = str(seed)
    return overrides


def use_threads(threads: int | None) -> None:
    """Let torch have so many threads; None: as many as it likes."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)


def tell_trained(run: Path, measure: str, following: str, what: str = "rule") -> None:
    """Say how good the best model of a run is, and which command is next.

    Arguments:
        run: its folder.
        measure: that it was chosen by.
        following: the next command.
        what: was trained.
    """
    from pdenca.tasks.training_record import kept_score

    score, untrained = kept_score(run)
    remark = f", that of the untrained {what}: no step made it better" if untrained else ""
    click.echo(f"{run}: trained, best {measure} {score:.3g}{remark}")
    click.echo(f"next: {following}")
