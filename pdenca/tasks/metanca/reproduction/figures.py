"""The pictures of what was measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pdenca.plots import LinePanel, heat_map, line_panels, save

from ...measuring import Measured, of_part
from .measured import by_network
from .plan import BETWEEN, MODELS, RIVALS

LEFT_OUT: Final = 1
"""Looks before the first update, which a logarithmic axis has no place for."""


def draw(results: Sequence[Measured], out: Path) -> list[Path]:
    """Draw what was measured of stability, robustness and architectures; return the files."""
    made = _map(of_part(results, "architectures"), out)
    for part, scale in (("stability", "log"), ("robustness", "linear")):
        own = sorted(of_part(results, part), key=lambda item: list(MODELS).index(item.key["model"]))
        if not own:
            continue
        panels = {}
        for name, key, factor in (("accuracy", "accuracy", 100.0), ("cross-entropy", "cross_entropy", 1.0)):
            lines: dict[str, list[tuple[list[float], list[float]]]] = {}
            for item in own:
                looks, places = _looks(item.found)
                values = [factor * item.found[key][look] for look in looks]
                lines.setdefault(item.key["model"], []).append((places, values))
            panels[name] = LinePanel(
                lines,
                "local updates" if part == "stability" else "zero-outs",
                name,
                unit="%" if key == "accuracy" else "",
                scales=(scale, "linear" if key == "accuracy" else "log"),  # type: ignore[arg-type]
            )
        made.append(save(line_panels(panels), out / f"metanca-{part}.png"))
    return made


def _looks(found: Mapping[str, Any]) -> tuple[list[int], list[float]]:
    """Return which looks are drawn, and where: all, or between zero-outs what has come back by the next."""
    if found["zero_outs"]:
        looks = [found["zero_outs"][0], *(place + BETWEEN for place in found["zero_outs"])]
        return looks, [float(number) for number in range(len(looks))]
    looks = list(range(LEFT_OUT, len(found["updates"])))
    return looks, [float(found["updates"][look]) for look in looks]


def _map(own: Sequence[Measured], out: Path) -> list[Path]:
    if not own:
        return []
    models = list(dict.fromkeys(item.key["model"] for item in own))
    found = {model: by_network([item for item in own if item.key["model"] == model]) for model in models}
    cells = {
        (name, model): [100.0 * network["accuracy"] for network in found[model].get(name, [])]
        for name in by_network(own)
        for model in models
    }
    framed = [
        (name, model)
        for model in models
        for name, networks in found[model].items()
        if model not in RIVALS and networks[0]["trained"]
    ]
    picture = heat_map(
        cells,
        "test accuracy",
        unit="%",
        across="rule",
        down="network",
        limits=(50.0, 100.0),
        outlined=framed,
        outline="the rule was trained on it",
    )
    return [save(picture, out / "metanca-architectures.png")]
