"""The pictures of what was measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pdenca.plots import LinePanel, heat_map, line_panels, save

from ...measuring import Measured, of_part

PREFIX: Final = "image-series"


def draw(results: Sequence[Measured], out: Path) -> list[Path]:
    """Draw recovery after damage, what is turned, and what is left of pruned rules; return the files."""
    made = []
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


def strip_of(model: str, seed: int) -> str:
    """Return the file name of the strip that shows a rule."""
    return f"{PREFIX}-{model.replace(', ', '-').replace(' ', '-')}-{seed}.png"
