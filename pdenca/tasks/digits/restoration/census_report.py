"""What a census of attractors says, in words, tables and a figure."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from pdenca import plots

from .census import Census, Probability

MEANING = {"noise": "random states", "damaged": "damaged images", "between": "between two of those"}


def describe_census(found: Census) -> list[str]:
    """Return the census in markdown."""
    lines = [
        f"{found.num_starts} starts followed for {found.num_rounds} rounds of {found.round_length} steps: "
        f"{_plural(found.num_valleys, 'valley')} of two starts or more, {found.num_outside} starts in none. "
        f"Ends within {found.tolerance:.2g} of each other, relative to their size, count as the same; "
        f"from {found.same_between[0]:.2g} to {found.same_between[1]:.2g} the count would be no other. "
        f"Untrained: {_plural(found.untrained_valleys, 'valley')}. Random states of the same covariance: "
        f"{found.noise_valleys}.",
        "",
        f"Largest valleys: {', '.join(_percent(item) for item in found.largest) or 'none'}. "
        f"Purity {found.purity:.3g}, mutual information {found.mutual_information:.3g}; "
        f"{found.num_classes_with_valley} classes have a valley of their own. Leading Lyapunov exponent "
        f"{found.lyapunov:.3g} per step.",
        "",
        "| starts | ends | at rest after | residual falls in | valleys | class of the image seen |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for name, family in found.families.items():
        kinds = ", ".join(f"{count} {kind}" for kind, count in family.kinds.items())
        rest = "" if family.settled_after is None else f"{family.settled_after:g} rounds"
        right = "" if family.right is None else f"{100 * family.right:.1f} %"
        lines.append(
            f"| {MEANING[name]} | {kinds} | {rest} | {100 * family.falling:.0f} % of them | "
            f"{family.num_valleys} | {right} |"
        )
    lines += [
        "",
        "| damaged share of the cells | " + " | ".join(f"{share:g}" for share in found.returned) + " |",
        "|---|" + "---:|" * len(found.returned),
        "| back in their place | " + " | ".join(_percent(item) for item in found.returned.values()) + " |",
        "| seen as the same class | "
        + " | ".join(_percent(item) for item in found.same_class.values())
        + " |",
    ]
    return lines


def census_figure(found: Census) -> Figure:
    """Draw how residuals fall, and how often damaged ends come back."""
    rounds = list(range(1, found.num_rounds + 1))
    residuals = {
        MEANING[name]: [(rounds, list(family.residuals)[: len(rounds)])]
        for name, family in found.families.items()
    }
    return plots.line_panels(
        {
            "residual": plots.LinePanel(residuals, "rounds", "median residual", "1", "1", ("linear", "log")),
            "after damage": plots.LinePanel(
                {
                    "back in their place": [_curve(found.returned)],
                    "seen as the same class": [_curve(found.same_class)],
                },
                "damaged share of the cells",
                "share of the ends",
                "1",
                "1",
                ("linear", "linear"),
                marks=True,
            ),
        }
    )


def _curve(values: Mapping[float, Probability]) -> tuple[list[float], list[float]]:
    return list(values), [share for share, _ in values.values()]


def _percent(item: Probability) -> str:
    return f"{100 * item[0]:.1f} ± {100 * item[1]:.1f} %"


def _plural(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
