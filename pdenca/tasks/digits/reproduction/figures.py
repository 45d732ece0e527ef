"""The pictures beside the page: of models, and of what was measured."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from pdenca import plots
from pdenca.datasets.digits import Digits

from ...measuring import Measured, of_part
from ..restoration import Damage, Restorer, film_strip
from ..restoration.census_report import MEANING, TIMES
from ..restoration.landscape import landscape, landscape_figure
from ..restoration.regrowth import regrow, save_regrowth
from .measured import percent
from .plan import MEMORY, SHARES

START: Final = "digits-restore"
_DENSITY: Final = 110  # dots per inch: pages are read on screens
Draw = Callable[[Restorer, Digits, Damage, Path], object]
"""(restorer, digits, damage, file) draws a picture."""


def of_model(name: str) -> dict[str, tuple[str, Draw]]:
    """Return the pictures of a model: file -> (what it shows, what draws it)."""
    found: dict[str, tuple[str, Draw]] = {
        f"{START}-film-{name}.png": (f"Digits restored step by step by {name}", _film)
    }
    if name == MEMORY:  # a plane through ends is for models that come to rest
        found[f"{START}-landscape-{name}.png"] = (
            f"Energy over the plane through three ends of {name}, with the saliency of its gate",
            _landscape,
        )
        found[f"{START}-regrow-{name}.gif"] = (
            f"Digits that lose 30 % of the cells of {name} and grow back",
            _regrowth,
        )
    return found


def _film(restorer: Restorer, digits: Digits, damage: Damage, file: Path) -> None:
    plots.save(film_strip(restorer, digits, damage), file, _DENSITY)


def _landscape(restorer: Restorer, digits: Digits, damage: Damage, file: Path) -> None:
    plots.save(landscape_figure(landscape(restorer, digits, damage)), file, _DENSITY)


def _regrowth(restorer: Restorer, digits: Digits, damage: Damage, file: Path) -> None:
    # twice as long as in training, so that there is a way before the wound and after it
    save_regrowth(regrow(restorer, digits, damage, num_steps=2 * restorer.num_steps), file)


def draw(results: Sequence[Measured], out: Path) -> dict[str, str]:
    """Draw what was measured of other damage and of attractors; return file -> what it shows."""
    made = {}
    for file, words, panels in (
        (
            f"{START}-damage.png",
            "PSNR and accuracy against the blanked share of the pixels",
            _damage(results),
        ),
        (
            f"{START}-returns.png",
            "What becomes of lattices, against the zeroed share of cells",
            _returns(results),
        ),
        (f"{START}-residuals.png", "Residual along the way of the starts", _residuals(results)),
    ):
        if panels:
            plots.save(plots.line_panels(panels), out / file, _DENSITY)
            made[file] = words
    return made


def _damage(results: Sequence[Measured]) -> dict[str, plots.LinePanel]:
    shares = {Damage(share=share).describe(): 100 * share for share in SHARES}
    lines: dict[tuple[str, object], list[Measured]] = {}
    for item in of_part(results, "damage"):
        if item.key["damage"] in shares:
            lines.setdefault((item.key["model"], item.key.get("seed")), []).append(item)
    if not lines:
        return {}
    drawn: dict[str, dict[str, list[tuple[list[float], list[float]]]]] = {"PSNR": {}, "accuracy": {}}
    for (name, _), group in lines.items():
        ordered = sorted(group, key=lambda item: shares[item.key["damage"]])
        across = [shares[item.key["damage"]] for item in ordered]
        levels = [float(item.found["psnr"][0]) for item in ordered]
        right = [percent(item.found, "judge") for item in ordered]
        drawn["PSNR"].setdefault(name, []).append((across, levels))
        drawn["accuracy"].setdefault(name, []).append((across, right))
    return {
        name: plots.LinePanel(found, "pixels blanked", name, "%", unit, ("linear", "linear"), marks=True)
        for (name, found), unit in zip(drawn.items(), ("dB", "%"), strict=True)
    }


def _returns(results: Sequence[Measured]) -> dict[str, plots.LinePanel]:
    panels = {}
    for moment, when in TIMES.items():
        for curve, what in (("returned", "back in their place"), ("right", "of the true class")):
            lines: dict[str, list[tuple[list[float], list[float]]]] = {}
            for item in of_part(results, "basins"):
                told = item.found[moment][curve]
                points = ([100 * float(share) for share in told], [100 * value[0] for value in told.values()])
                lines.setdefault(item.key["model"], []).append(points)
            if lines:
                panels[f"{when}: {what}"] = plots.LinePanel(
                    lines, "cells zeroed", "share", "%", "%", ("linear", "linear"), marks=True
                )
    return panels


def _residuals(results: Sequence[Measured]) -> dict[str, plots.LinePanel]:
    panels = {}
    for family, meaning in MEANING.items():
        lines: dict[str, list[tuple[list[float], list[float]]]] = {}
        for item in of_part(results, "basins"):
            values = item.found["families"][family]["residuals"]
            rounds = [float(number) for number in range(1, len(values) + 1)]
            # nothing moves any more where it is 0, which a logarithm has no place for
            lines.setdefault(item.key["model"], []).append((rounds, [value or math.nan for value in values]))
        if lines:
            panels[meaning] = plots.LinePanel(lines, "rounds", "median residual", "1", "1", ("linear", "log"))
    return panels
