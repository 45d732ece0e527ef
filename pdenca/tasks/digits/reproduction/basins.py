"""The page's part on attractors."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...measuring import Measured, spread
from ..restoration.census_report import MEANING, TIMES

_CURVES: Final = {
    "returned": "back in their place",
    "same_class": "seen as the same class",
    "right": "answer of the true class",
}


def basins(own: Sequence[Measured]) -> list[str]:
    """Return what starts end in, how they get there, and what damage they survive, in tables."""
    if not own:
        return []
    return [
        "## Attractors",
        "",
        "A third of the starts each are random states, damaged test digits, and states between two of those. "
        "Ends within the *tolerance* of each other, relative to their size, are the same, and two or more of "
        "these are a valley; the tolerance is ten times the drift of the ends at rest, 0.001 to 0.05, and "
        "*from ... to* are those between which the count is the same. What *moves* has no place, and its "
        "valleys say little. *Largest*: share of the starts in the largest valley, its basin stability, with "
        "its standard error. *untrained*: the same network with all its weights at random, those too that "
        "training begins at zero, with starts of its own encoder and a tolerance of its own. *noise*: "
        "valleys of random states with the ends' covariance. The exponent is per round, from one correction "
        "by the gate to the next; where it is negative and ends still move, they are on their way, and more "
        "rounds (`pdenca digits restore basins --rounds`) tell where to.",
        "",
        *_found(own),
        *_ways(own),
        *_curves(own),
    ]


def _found(own: Sequence[Measured]) -> list[str]:
    lines = [
        "| model | seed | batches | starts | ends | tolerance | from ... to | valleys | in none | largest "
        "| purity | digits with a valley | noise | Lyapunov exponent |",
        "|---|---:|---:|---:|---|---:|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for item in own:
        for name, what in (("found", ""), ("untrained", ", untrained")):
            found, census = item.found[name], item.found
            largest = found["largest"][0] if found["largest"] else None
            cells = [
                f"{item.key['model']}{what}",
                str(item.key["seed"]),
                "" if what else str(census["batches"]),
                str(census["num_starts"]),
                ", ".join(f"{count} {kind}" for kind, count in found["kinds"].items()),
                f"{found['tolerance']:.2g}",
                " ... ".join(f"{value:.2g}" for value in found["same_between"] if math.isfinite(value)),
                str(found["num_valleys"]),
                str(found["num_outside"]),
                "" if largest is None else f"{100 * largest[0]:.1f} ± {100 * largest[1]:.1f} %",
                spread([found["purity"]], "{:.2f}"),
                str(found["num_classes_with_valley"]),
                "" if what else str(census["noise_valleys"]),
                spread([found["lyapunov"]], "{:.3g}"),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def _ways(own: Sequence[Measured]) -> list[str]:
    lines = [
        "How starts get there: median residual ‖f(z) - z‖ / ‖f(z)‖ of the first round and of the last, in "
        "how many rounds it falls, and how many starts end at rest and in a valley. Of seeds the median "
        "[smallest, largest].",
        "",
        "| model | starts | first residual | last residual | falls in, % | at rest and in a valley, % "
        "| valleys | purity | digits with a valley |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, group in _by_model(own).items():
        for family, meaning in MEANING.items():
            found = [item["families"][family] for item in group]
            cells = [
                name,
                meaning,
                spread([item["residuals"][0] for item in found], "{:.2g}"),
                spread([item["residuals"][-1] for item in found], "{:.2g}"),
                spread([100 * item["falling"] for item in found], "{:.0f}"),
                spread([100 * item["held"] for item in found], "{:.0f}"),
                spread([item["num_valleys"] for item in found], "{:g}"),
                spread([item["purity"] for item in found], "{:.2f}"),
                spread([item["num_classes_with_valley"] for item in found], "{:g}"),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def _curves(own: Sequence[Measured]) -> list[str]:
    shares = list(own[0].found["at_end"]["returned"])
    errors = [
        100 * error
        for item in own
        for moment in TIMES
        for name in _CURVES
        for _, error in item.found[moment][name].values()
        if math.isfinite(error)
    ]
    lines = [
        "Damage: cells lose their state in all channels and no longer see the image; known pixels over them "
        "are not put back. Half-way is after half of the steps of training, where starts without damage "
        "return because they are the same; the end is where the roll-out ends. The true class is that of the "
        "damaged test image. Percent; the standard error of one seed is at most "
        f"{max(errors, default=0.0):.1f} points. *diverged*: no start stays finite, and there is "
        "nothing to damage.",
        "",
        "| model | damaged | of them | "
        + " | ".join(f"{100 * float(share):.0f} %" for share in shares)
        + " |",
        "|---|---|---|" + "---:|" * len(shares),
    ]
    for name, group in _by_model(own).items():
        for moment, when in TIMES.items():
            for curve, what in _CURVES.items():
                told = [
                    spread([100 * item[moment][curve][share][0] for item in group], "{:.0f}")
                    for share in shares
                ]
                lines.append(f"| {name} | {when} | {what} | " + " | ".join(told) + " |")
    kept = [(item.key, item.found["intact"]) for item in own if item.found["intact"] is not None]
    if kept:
        lines += ["", "The same starts after as before:", ""]
        lines += [
            f"- *{key['model']}*, seed {key['seed']}: {100 * intact['share'][0]:.1f} ± "
            f"{100 * intact['share'][1]:.1f} % end within {intact['tolerance']:.2g} of where they ended, "
            f"{100 * intact['same_class'][0]:.1f} ± {100 * intact['same_class'][1]:.1f} % in what is seen as "
            f"the same digit; of the ends before {100 * intact['at_rest']:.0f} % were at rest."
            for key, intact in kept
        ]
    return [*lines, ""]


def _by_model(own: Sequence[Measured]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for item in own:
        found.setdefault(item.key["model"], []).append(item.found)
    return found
