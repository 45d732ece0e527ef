"""The pictures of what was measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pdenca.plots import LinePanel, heat_map, line_panels, save

from ...measuring import Measured, of_part
from .plan import OURS

PREFIX: Final = "image-series"


def draw(results: Sequence[Measured], out: Path) -> list[Path]:
    """Draw all pictures but the strips; return the files."""
    made = []
    courses = of_part(results, "courses")
    if courses:
        made.append(save(line_panels(_against_time(courses)), out / f"{PREFIX}-courses.png"))
    regrown = of_part(results, "regrowth")
    if regrown:
        panels = {}
        for damage in dict.fromkeys(item.key["damage"] for item in regrown):
            lines: dict[str, list[tuple[list[float], list[float]]]] = {}
            for item in regrown:
                if item.key["damage"] == damage:
                    found = item.found
                    steps = [1.0, *(float(step) for step in found["steps"])]
                    lines.setdefault(item.key["model"], []).append((steps, [found["hurt"], *found["errors"]]))
            panels[damage] = LinePanel(
                lines, "steps after the damage", "error", scales=("log", "log"), broken="diverged"
            )
        made.append(save(line_panels(panels), out / f"{PREFIX}-regrowth.png"))
    hurt = of_part(results, "basin")
    if hurt:
        made.append(save(line_panels(_basins(hurt)), out / f"{PREFIX}-basin.png"))
    turned = of_part(results, "symmetry")
    if turned:
        cells: dict[tuple[str, str], list[float]] = {}
        for item in turned:
            for name, errors in item.found["errors"].items():
                cells.setdefault((name, item.key["model"]), []).append(errors[-1])
        picture = heat_map(cells, "error while held", across="rule", down="first frame", scale="log")
        made.append(save(picture, out / f"{PREFIX}-symmetry.png"))
    thinned = of_part(results, "pruning")
    if thinned:
        kept: dict[str, list[tuple[list[float], list[float]]]] = {}
        for item in thinned:
            shares = [100 * share for share in item.found["shares"]]
            kept.setdefault(item.key["model"], []).append((shares, item.found["errors"]))
        panel = LinePanel(
            kept, "smallest weights taken away", "error", across_unit="%", marks=True, broken="diverged"
        )
        made.append(save(line_panels({"pruning": panel}), out / f"{PREFIX}-pruning.png"))
    return made


Lines = dict[str, list[tuple[list[float], list[float]]]]


def _against_time(courses: Sequence[Measured]) -> dict[str, LinePanel]:
    """Return the panels of what is seen on the mean, and of the size of the error, from the start on."""
    means: Lines = {}
    sizes: Lines = {}
    for item in courses:
        found = item.found
        steps = [float(step) for step in found["steps"]]
        if item.key["model"] == OURS:
            means.setdefault(f"{OURS}, wanted", [(steps, found["wanted_means"])])
        means.setdefault(item.key["model"], []).append((steps, found["means"]))
        sizes.setdefault(item.key["model"], []).append((steps, found["absolute"]))
    return {
        "mean": LinePanel(
            means, "step", "mean over the lattice", scales=("log", "linear"), broken="diverged"
        ),
        "error": LinePanel(sizes, "step", "mean |error|", scales=("log", "log"), broken="diverged"),
    }


def _basins(hurt: Sequence[Measured]) -> dict[str, LinePanel]:
    """Return a panel per damage: how many come back, against its size."""
    panels: dict[str, Lines] = {}
    for item in hurt:
        lines = panels.setdefault(item.key["damage"], {})
        shares = [100 * share for share in item.found["shares"]]
        lines.setdefault(item.key["model"], []).append((shares, [100 * back for back in item.found["back"]]))
    return {
        damage: LinePanel(
            lines, "damaged", "come back", across_unit="%", unit="%", scales=("linear", "linear"), marks=True
        )
        for damage, lines in panels.items()
    }


def strip_of(model: str, seed: int) -> str:
    """Return the file name of the strip that shows a rule."""
    return f"{PREFIX}-{model.replace(', ', '-').replace(' ', '-')}-{seed}.png"
