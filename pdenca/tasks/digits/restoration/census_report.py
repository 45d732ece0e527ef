"""What a census of attractors says, in words, tables and a figure."""

import math
from collections.abc import Mapping

from matplotlib.figure import Figure

from pdenca import plots

from .census import Census
from .ends import Attractors, Probability
from .recovery import Recovery

MEANING = {"noise": "random states", "damaged": "damaged images", "between": "between two of those"}
TIMES = {"midway": "half-way", "at_end": "at the end"}
"""When lattices are damaged."""


def describe_census(found: Census) -> list[str]:
    """Return the census in markdown."""
    own = found.found
    lines = [
        f"{found.num_starts} starts followed for {found.num_rounds} rounds of {found.round_length} steps. "
        f"{_found(own)}",
        "",
        f"Largest valleys: {', '.join(_percent(item) for item in own.largest) or 'none'}. "
        f"Purity {own.purity:.3g}, mutual information {own.mutual_information:.3g}; "
        f"{own.num_classes_with_valley} classes have a valley of their own. Leading Lyapunov exponent "
        f"{own.lyapunov:.3g} per round.",
        "",
        f"Untrained, all its weights at random: {_found(found.untrained)} Purity "
        f"{found.untrained.purity:.3g}. Random states of the ends' covariance: "
        f"{_plural(found.noise_valleys, 'valley')}.",
        "",
        "| starts | ends | at rest and in a valley | at rest after | residual falls in | valleys "
        "| class of the image seen |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for name, family in found.families.items():
        rest = "" if family.settled_after is None else f"{family.settled_after:g} rounds"
        right = "" if family.right is None else f"{100 * family.right:.1f} %"
        lines.append(
            f"| {MEANING[name]} | {_kinds(family.kinds)} | {100 * family.held:.0f} % | {rest} "
            f"| {100 * family.falling:.0f} % of the rounds | {family.num_valleys} | {right} |"
        )
    lines += [
        "",
        "| damaged share of the cells | "
        + " | ".join(f"{share:g}" for share in found.at_end.returned)
        + " |",
        "|---|" + "---:|" * len(found.at_end.returned),
    ]
    for moment, recovery in _moments(found).items():
        for name, curve in _curves(recovery).items():
            lines.append(
                f"| {moment}: {name} | " + " | ".join(_percent(item) for item in curve.values()) + " |"
            )
    if found.intact is not None:
        lines += [
            "",
            f"{_percent(found.intact.share)} of the same starts end where they ended before, "
            f"{_percent(found.intact.same_class)} in what is seen as the same digit; of the ends before "
            f"{100 * found.intact.at_rest:.0f} % were at rest.",
        ]
    return lines


def census_figure(found: Census) -> Figure:
    """Draw how residuals fall, and how often damaged lattices come back."""
    rounds = list(range(1, found.num_rounds + 1))
    residuals = {
        # nothing moves any more where it is 0, which a logarithm has no place for
        MEANING[name]: [(rounds, [value or math.nan for value in family.residuals])]
        for name, family in found.families.items()
    }
    panels = {
        "residual": plots.LinePanel(residuals, "rounds", "median residual", "1", "1", ("linear", "log"))
    }
    for moment, recovery in _moments(found).items():
        panels[f"damaged {moment}"] = plots.LinePanel(
            {name: [_points(curve)] for name, curve in _curves(recovery).items()},
            "damaged share of the cells",
            "share of the lattices",
            "1",
            "1",
            ("linear", "linear"),
            marks=True,
        )
    return plots.line_panels(panels)


def _moments(found: Census) -> dict[str, Recovery]:
    return {meaning: getattr(found, name) for name, meaning in TIMES.items()}


def _curves(recovery: Recovery) -> dict[str, Mapping[float, Probability]]:
    return {
        "back in their place": recovery.returned,
        "seen as the same class": recovery.same_class,
        "answer of the true class": recovery.right,
    }


def _found(own: Attractors) -> str:
    return (
        f"{_plural(own.num_valleys, 'valley')} of two starts or more, {own.num_outside} starts in none; "
        f"ends: {_kinds(own.kinds)}. Ends within {own.tolerance:.2g} of each other, relative to their size, "
        f"count as the same; from {own.same_between[0]:.2g} to {own.same_between[1]:.2g} the count would be "
        "no other."
    )


def _kinds(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items())


def _points(values: Mapping[float, Probability]) -> tuple[list[float], list[float]]:
    return list(values), [share for share, _ in values.values()]


def _percent(item: Probability) -> str:
    return f"{100 * item[0]:.1f} ± {100 * item[1]:.1f} %"


def _plural(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
