"""The founding paper's snapshots: the equation beside automata of several time samplings.

Drawn from runs and data, where they are at hand; the pictures are kept in docs/figures like those of tables.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from pdenca import plots
from pdenca.core import rollout
from pdenca.datasets import load_split
from pdenca.tasks.models import load_run
from pdenca.training.loop import BEST

SWEEP: Final = "founding-time-sampling"
TIMES: Final = (128, 512, 1024, 2048)
"""Numbers of time units after the start: the last is twice the horizon of training."""
PICTURE: Final = "founding-snapshots.png"
TITLE: Final = "Figs 4C and 5: snapshots"
THEIRS: Final = (
    "the second species of the equation and of automata at n = 2048 for several t, and on the way there for "
    "t = 32, from an unseen start."
)
DIFFERS: Final = "all in one picture, of one training seed and the first unseen start of twice the horizon."


def section(sweeps: Path, figures: Path) -> Iterator[str]:
    """Yield the section, and draw what there is.

    Arguments:
        sweeps: folder of the sweeps, with the data they learned from.
        figures: where the picture lies.
    """
    yield from (f"## {TITLE}", "", f"*Theirs*: {THEIRS} *Ours differs*: {DIFFERS}", "")
    runs = find_runs(sweeps)
    if runs and (sweeps / "data" / "t8").is_dir():
        plots.save(draw(runs, sweeps / "data" / "t8"), figures / PICTURE)
    if (figures / PICTURE).is_file():
        yield from (f"![{TITLE}](../figures/{PICTURE})", "")
    else:
        yield from (f"Not drawn yet: `pdenca sweep {SWEEP} --out runs/founding/{SWEEP}`.", "")


def find_runs(sweeps: Path) -> dict[str, Path]:
    """Return t -> its first run, shortest time first, as far as they are trained."""
    found = {}
    for folder in (sweeps / SWEEP / "runs").glob("time_sampling=*,seed=0"):
        if (folder / BEST).is_file():
            found[folder.name.removeprefix("time_sampling=").partition(",")[0]] = folder
    return dict(sorted(found.items(), key=lambda item: int(item[0])))


def draw(runs: dict[str, Path], data: Path):
    """Draw the second species of the equation above that of the automata, at the times of ``TIMES``."""
    header, frames = load_split(data, "ood_horizon")[0]
    interval = header.frame_interval
    places = [round(time / interval) for time in TIMES if time <= (header.num_frames - 1) * interval]
    rows = {"equation": [frames[0, place, 1:2] for place in places]}
    context = {name: value[:1].float() for name, value in header.context(1).items()}
    for name, folder in runs.items():
        rows[f"t = {name}"] = predicted(folder, frames[:1, :1], context, header, places)
    return plots.film_strip(rows, [f"n = {place * interval:g}" for place in places])


def predicted(
    run: Path, given: Tensor, context: dict[str, Tensor], header, places: list[int]
) -> list[Tensor]:
    """Return the second species that an automaton predicts from one given frame."""
    emulator = load_run(run, torch.float32).at_interval(header.frame_interval)
    step = emulator.bind(header.grid, context)
    with torch.no_grad():
        seen = rollout(step, emulator.codec.lift(given.float()), max(places), emulator.codec.observe)
    return [seen[0, place - 1, 1:2] for place in places]
