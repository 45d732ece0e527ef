"""The pictures of what was measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pdenca.plots import LinePanel, line_panels, save

from ...measuring import Measured, of_part

LEFT_OUT: Final = 1
"""Looks before the first update, which a logarithmic axis has no place for."""


def draw(results: Sequence[Measured], out: Path) -> list[Path]:
    """Draw the courses of stability and robustness, if they were measured; return the files."""
    made = []
    for part, scale in (("stability", "log"), ("robustness", "linear")):
        own = of_part(results, part)
        if not own:
            continue
        panels = {}
        for name, key, factor in (("accuracy", "accuracy", 100.0), ("cross-entropy", "cross_entropy", 1.0)):
            lines: dict[str, list[tuple[list[float], list[float]]]] = {}
            for item in own:
                updates = [float(count) for count in item.found["updates"][LEFT_OUT:]]
                values = [factor * value for value in item.found[key][LEFT_OUT:]]
                lines.setdefault(item.key["model"], []).append((updates, values))
            panels[name] = LinePanel(
                lines,
                "local updates",
                name,
                unit="%" if key == "accuracy" else "",
                scales=(scale, "linear" if key == "accuracy" else "log"),  # type: ignore[arg-type]
            )
        made.append(save(line_panels(panels), out / f"metanca-{part}.png"))
    return made
