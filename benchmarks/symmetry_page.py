"""The page and the figure of the symmetry study, drawn from its table."""

import csv
import math
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from pdenca.plots import study

RESULTS = Path(__file__).parent.parent / "docs" / "results"
FIGURE = RESULTS.parent / "figures" / "symmetry-study.png"
WINDOW = "13:30"
NEAR = 1.5
RIGHT = {"stream": ("C1", "D1-1"), "stretched diffusion": ("C1", "C2", "D1-0", "D1-1", "D2")}
"""Control -> the groups that are symmetries of its equation."""


class Entry(NamedTuple):
    """One line of the table; NaN is a roll-out that diverged."""

    part: str
    arm: str
    trajectories: str
    seed: int
    test: str
    window: str
    value: float


def read_table(path: Path) -> list[Entry]:
    """Read the table."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Entry(
                row["part"],
                row["arm"],
                row["trajectories"],
                int(row["seed"]),
                row["test"],
                row["window"],
                float(row["value"]) if row["value"] else math.nan,
            )
            for row in csv.DictReader(file)
        ]


def seeds(table: Iterable[Entry], **wanted: str) -> list[float]:
    """Return the values, one per seed, of the lines with these entries."""
    return [
        entry.value for entry in table if all(getattr(entry, key) == value for key, value in wanted.items())
    ]


def names(table: Iterable[Entry], key: str, part: str) -> list[str]:
    """Return the different entries of a column in one part of the table, in their order."""
    return list(dict.fromkeys(getattr(entry, key) for entry in table if entry.part == part))


def draw(table: list[Entry]) -> Figure:
    """Draw errors against the number of trajectories, and those of the control against the group."""
    tests = [name for name in names(table, "test", "study") if seeds(table, test=name, window=WINDOW)]
    arms, counts = names(table, "arm", "study"), names(table, "trajectories", "study")
    curves = {
        test: {
            arm: {
                int(count): seeds(table, part="study", arm=arm, trajectories=count, test=test, window=WINDOW)
                for count in counts
            }
            for arm in arms
        }
        for test in tests
    }
    choices = {
        control: {
            group: seeds(table, part=control, arm=group, test="test", window=WINDOW)
            for group in names(table, "arm", control)
        }
        for control in RIGHT
    }
    return study(curves, choices, RIGHT, measure=f"pooled VRMSE, frames {WINDOW}")


def page(table: list[Entry], facts: dict[str, Any]) -> str:
    """Return the page as markdown."""
    minutes = sum(facts["seconds"].values()) / 60
    lines = [
        "# Symmetry study",
        "",
        f"Made by `{facts['command']}` from `symmetry-study.csv`; {facts['processor']}, one thread beside "
        f"other programs, torch {facts['torch']}; {minutes:.0f} minutes. Settings: `symmetry-study.json`.",
        "",
        "![errors against training trajectories, and against the group](../figures/symmetry-study.png)",
        "",
        "## A symmetry that is there",
        "",
        "Gray-Scott on 64 x 64 cells, one regime (maze). All trajectories start from bars along axis 1. "
        "Kernels reach two cells, the rule is a pointwise network of eight units; each training trajectory "
        "gives four windows of 128 cells to derivative matching, then four pairs of frames are rolled out. "
        "*free*: any kernel; *free, augmented*: the same, every training window turned or mirrored at "
        "random; *isotropic kernels*: chosen by hand; *exact D4*: the free kernels constrained to D4. Pooled "
        "VRMSE of frames "
        f"{WINDOW}, median [smallest, largest] of {len(facts['seeds'])} seeds. *mirrored* and *turned* are "
        "the test trajectories flipped and turned by 90°, *other starts* begin from noise. "
        "Differences smaller than the spread of the seeds mean nothing.",
    ]
    for test in ("test", "mirrored", "turned", "other starts"):
        lines += ["", f"### {test}", "", *_by_count(table, test)]
    lines += ["", "### Data for equal error", "", *_equal_error(table)]
    lines += ["", "### Broken symmetry", "", *_residuals(table)]
    lines += ["", "## A symmetry that is not there", "", *_control(table)]
    return "\n".join(lines) + "\n"


def _by_count(table: list[Entry], test: str) -> list[str]:
    counts = names(table, "trajectories", "study")
    lines = ["| | parameters | " + " | ".join(counts) + " |", "|---|" + "---:|" * (len(counts) + 1)]
    for arm in names(table, "arm", "study"):
        cells = [
            _spread(seeds(table, part="study", arm=arm, trajectories=count, test=test, window=WINDOW))
            for count in counts
        ]
        size = seeds(table, part="study", arm=arm, test="parameters")[0]
        lines.append(f"| {arm} | {size:.0f} | " + " | ".join(cells) + " |")
    return lines


def _equal_error(table: list[Entry]) -> list[str]:
    """Return how few trajectories each arm needs for two errors: the free one's, and one near the lowest."""
    arms, counts = names(table, "arm", "study"), names(table, "trajectories", "study")
    tests = ("test", "mirrored", "turned", "other starts")
    medians = {
        (arm, test): [
            _median(seeds(table, part="study", arm=arm, trajectories=count, test=test, window=WINDOW))
            for count in counts
        ]
        for arm in arms
        for test in tests
    }
    goals = {
        f"at most that of *{arms[0]}* with {counts[-1]}": {
            test: medians[arms[0], test][-1] for test in tests
        },
        f"within {NEAR} times the lowest of all": {
            test: NEAR * min(min(medians[arm, test]) for arm in arms) for test in tests
        },
    }
    lines = ["Fewest trajectories with which the median is at most the number in the heading."]
    for goal, limits in goals.items():
        heading = " | ".join(f"{test} ({limits[test]:.3g})" for test in tests)
        lines += ["", f"The median {goal}:", "", f"| | {heading} |", "|---|" + "---:|" * len(tests)]
        for arm in arms:
            cells = []
            for test in tests:
                pairs = zip(counts, medians[arm, test], strict=True)
                enough = [count for count, value in pairs if value <= limits[test]]
                cells.append(enough[0] if enough else f"more than {counts[-1]}")
            lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    return lines


def _residuals(table: list[Entry]) -> list[str]:
    counts = names(table, "trajectories", "study")
    lines = [
        "Largest residual |step(g z) - g step(z)| / |step(z)| of one frame over the eight elements of D4, in "
        "float64, largest of all seeds.",
        "",
        "| | " + " | ".join(counts) + " |",
        "|---|" + "---:|" * len(counts),
    ]
    for arm in names(table, "arm", "study"):
        worst = [
            max(seeds(table, part="study", arm=arm, trajectories=count, test="residual")) for count in counts
        ]
        lines.append(f"| {arm} | " + " | ".join(f"{value:.1e}" for value in worst) + " |")
    return lines


def _control(table: list[Entry]) -> list[str]:
    lines = [
        "Stains carried along axis 0 (*stream*: the only symmetry is the mirror that turns axis 1 round, "
        "D1-1), and stains that spread five times faster along axis 0 (*stretched diffusion*: D2). Free "
        "kernels constrained to each group, two training trajectories, rates only. The group with the lowest "
        f"median validation error is chosen; pooled VRMSE of frames {WINDOW}, median [smallest, largest]. "
        "Bold: groups that are symmetries of the equation. A model whose roll-out is worse after training "
        "than before is not kept: rows that are alike, with a symmetry they were not asked to have, are the "
        "untrained start, plain diffusion.",
    ]
    for control, right in RIGHT.items():
        groups = names(table, "arm", control)
        valid = {
            group: _median(seeds(table, part=control, arm=group, test="valid", window=WINDOW))
            for group in groups
        }
        chosen = min(groups, key=lambda group: valid[group])
        lines += [
            "",
            f"### {control}",
            "",
            f"Chosen by validation: **{chosen}**"
            + (", a symmetry of the equation." if chosen in right else ", which is no symmetry of it."),
            "",
            "| group | parameters | valid | test | residual over D4 |",
            "|---|---:|---:|---:|---:|",
        ]
        for group in groups:
            size = seeds(table, part=control, arm=group, test="parameters")[0]
            parts = [
                _spread(seeds(table, part=control, arm=group, test=test, window=WINDOW))
                for test in ("valid", "test")
            ]
            worst = max(seeds(table, part=control, arm=group, test="residual"))
            name = f"**{group}**" if group in right else group
            lines.append(f"| {name} | {size:.0f} | {parts[0]} | {parts[1]} | {worst:.1e} |")
    return lines


def _median(values: list[float]) -> float:
    return statistics.median(math.inf if math.isnan(value) else value for value in values)


def _spread(values: list[float]) -> str:
    ordered = sorted(values, key=lambda value: (math.isnan(value), value))
    text = ["diverged" if math.isnan(value) else f"{value:.3g}" for value in ordered]
    return f"{text[len(text) // 2]} [{text[0]}, {text[-1]}]"
