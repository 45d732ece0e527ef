"""The page and the figure of the study of attractors, drawn from its table."""

import csv
import math
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from pdenca.plots import LinePanel, line_panels

RESULTS = Path(__file__).parent.parent / "docs" / "results"
FIGURE = RESULTS.parent / "figures" / "attractors.png"
COLUMNS = ("way", "seed", "metric", "setting", "value")
KINDS = ("disc", "scattered")


class Entry(NamedTuple):
    """One line of the table."""

    way: str
    seed: str
    metric: str
    setting: str
    value: float


def read_table(path: Path) -> list[Entry]:
    """Read the table."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Entry(*(row[name] for name in COLUMNS[:-1]), float(row["value"])) for row in csv.DictReader(file)
        ]


def choose(table: list[Entry], **wanted: str) -> list[Entry]:
    """Return the lines with these entries."""
    return [entry for entry in table if all(getattr(entry, key) == value for key, value in wanted.items())]


def draw(table: list[Entry]) -> Figure:
    """Draw return probability against damage, one line per training seed."""
    ways = list(dict.fromkeys(entry.way for entry in table))
    panels = {}
    for kind in KINDS:
        lines = {}
        for way in ways:
            found = choose(table, way=way, metric=f"return after {kind}")
            lines[way] = [
                (
                    [100 * float(entry.setting) for entry in found if entry.seed == seed],
                    [entry.value for entry in found if entry.seed == seed],
                )
                for seed in dict.fromkeys(entry.seed for entry in found)
            ]
        panels[f"{kind} cells erased" if kind == "scattered" else "a disc erased"] = LinePanel(
            lines, "damaged share (%)", "return probability", scales=("linear", "linear"), marks=True
        )
    return line_panels(panels)


def page(table: list[Entry], facts: dict[str, Any]) -> str:
    """Return the page."""
    settings = facts["settings"]
    ways = list(dict.fromkeys(entry.way for entry in table))

    def values(way: str, metric: str, **more: str) -> list[float]:
        return [entry.value for entry in choose(table, way=way, metric=metric, **more)]

    def count(way: str, metric: str) -> str:
        found = values(way, metric)
        return f"{sum(found):.0f} of {len(found)}"

    def grown(way: str) -> str:
        found = values(way, "steps to grow")
        never = sum(math.isnan(value) for value in found)
        stood = cell([value for value in found if not math.isnan(value)])
        return stood + (f"{', ' if stood else ''}never: {never}" if never else "")

    def rows(kind: str) -> list[str]:
        shares = list(dict.fromkeys(entry.setting for entry in choose(table, metric=f"return after {kind}")))
        head = [f"{float(share):g}" if kind == "noise" else f"{100 * float(share):g} %" for share in shares]
        lines = ["| way | " + " | ".join(head) + " |", "|---|" + "---:|" * len(shares)]
        for way in ways:
            cells = []
            for share in shares:
                p = values(way, f"return after {kind}", setting=share)
                errors = values(way, f"standard error after {kind}", setting=share)
                cells.append(
                    ", ".join(f"{one:.2f} ± {error:.2f}" for one, error in zip(p, errors, strict=True))
                )
            lines.append(f"| {way} | " + " | ".join(cells) + " |")
        return lines

    lines = [
        "# Attractors",
        "",
        f"Made by `{facts['command']}` from `attractors.csv`; {facts['processor']}, one thread beside other "
        f"programs, torch {facts['torch']}; {sum(facts['seconds'].values()) / 60:.0f} minutes. Settings: "
        "`attractors.json`.",
        "",
        f"A {settings['target']} on a torus of {settings['num_cells']} x {settings['num_cells']} cells, "
        f"grown from one cell by an automaton of {1 + settings['num_hidden_channels']} channels and "
        f"{settings['num_hidden_units']} hidden units. Training seeds finished: "
        + ", ".join(f"{way}: {len(set(entry.seed for entry in choose(table, way=way)))}" for way in ways)
        + ".",
        "",
        *(f"- **{way}**: {_meaning(way, settings)}." for way in ways),
        "",
        "## What grows, and whether it stays",
        "",
        "Errors are ‖visible - target‖ / ‖target‖; 1 is a blank state. Grown: first step with an error of at "
        f"most {facts['threshold']:g}. Residual: ‖f(z) - z‖ / ‖f(z)‖ of one step after 2000. Root: "
        "Newton-Krylov from there finds an equilibrium to 1e-8; stable by its leading eigenvalues. One "
        "number per training seed.",
        "",
        "| way | steps to grow | error, step 200 | step 2000 | residual | roots | stable | spectral radius |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {way} | {grown(way)} | {cell(values(way, 'error', setting='200'))} | "
            f"{cell(values(way, 'error', setting='2000'))} | {cell(values(way, 'residual'))} | "
            f"{count(way, 'root found')} | {count(way, 'stable')} | "
            f"{cell([v for v in values(way, 'spectral radius') if not math.isnan(v)])} |"
            for way in ways
        ),
        "",
        "The picture still stands after 2000 steps, and the automaton is at rest by then (residual at most "
        "1e-6): "
        + "; ".join(
            f"{way} {_share(values(way, 'error', setting='2000'), facts['threshold'])} and "
            f"{_share(values(way, 'residual'), 1e-6)}"
            for way in ways
        )
        + ". Where it stands without being at rest, it drifts or moves about the picture, which is then no "
        "attractor.",
        "",
        "## What training costs",
        "",
        "Memory: most bytes that autograd keeps for one gradient of a roll-out of "
        f"{settings['num_steps'][1]} steps. Equilibria found: share of the searches in the first and in the "
        "last quarter of that stage.",
        "",
        "| way | seconds | training steps | memory (MiB) | found, first quarter | last quarter |",
        "|---|---:|---:|---:|---:|---:|",
        *(
            f"| {way} | {cell(values(way, 'training seconds'))} | {cell(values(way, 'training steps'))} | "
            f"{cell([v / 2**20 for v in values(way, 'bytes kept')])} | "
            f"{cell(values(way, 'equilibria found', setting='first'))} | "
            f"{cell(values(way, 'equilibria found', setting='last'))} |"
            for way in ways
        ),
        "",
        "## Return after damage",
        "",
        "![return probability against damaged share](../figures/attractors.png)",
        "",
        "The state 200 steps after the seed is damaged; back means an error of at most "
        f"{facts['threshold']:g} after 150 further steps, so a rule whose picture is worse than that, "
        f"damaged or not, never comes back. {facts['num_trials']} trials each; p ± √(p (1 - p) / n) of every "
        "training seed, which is 0 where all trials agree.",
    ]
    for kind, what in (
        ("disc", "A disc of this share of all cells erased:"),
        ("scattered", "As many cells anywhere erased:"),
        ("noise", "White noise of this standard deviation in all cells and channels:"),
    ):
        lines += ["", what, "", *rows(kind)]
    return "\n".join(lines) + "\n"


def cell(values: list[float]) -> str:
    """Return the numbers, one per training seed."""
    return ", ".join(f"{value:.3g}" for value in values)


def _share(values: list[float], limit: float) -> str:
    return f"{sum(value <= limit for value in values)} of {len(values)}"


def _meaning(way: str, settings: dict[str, Any]) -> str:
    if way == "pool":
        return (
            "unrolled steps from a pool of own states, the worst replaced by the seed, others damaged "
            f"({settings['pool_training_steps']} training steps)"
        )
    if way == "equilibrium":
        return (
            f"{settings['warm_up_steps']} of those, then {settings['equilibrium_training_steps']} with the "
            "loss at the equilibrium that the roll-out leads to (phantom gradient), at the roll-out's end, "
            "and on how far that end is from rest"
        )
    if way == "implicit gradient":
        return "as equilibrium, with the exact gradient of the equilibrium"
    return "as equilibrium, without the unrolled training before"
