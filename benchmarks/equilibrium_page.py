"""The page and the figures of the study of equilibria, drawn from its table."""

import csv
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from pdenca.plots import LinePanel, line_panels

RESULTS = Path(__file__).parent.parent / "docs" / "results"
FIGURES = RESULTS.parent / "figures"
COLUMNS = ("part", "lattice", "method", "seed", "setting", "metric", "value")
LATTICES = ("torus", "walls", "graph")
MEBIBYTE = 2**20
AT_REST = 1e-6


class Entry(NamedTuple):
    """One line of the table."""

    part: str
    lattice: str
    method: str
    seed: str
    setting: str
    metric: str
    value: float


def read_table(path: Path) -> list[Entry]:
    """Read the table."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Entry(*(row[name] for name in COLUMNS[:-1]), float(row["value"])) for row in csv.DictReader(file)
        ]


def choose(table: Iterable[Entry], **wanted: str) -> list[Entry]:
    """Return the lines with these entries."""
    return [entry for entry in table if all(getattr(entry, key) == value for key, value in wanted.items())]


def names(table: Iterable[Entry], key: str) -> list[str]:
    """Return the different entries of a column in their order."""
    return list(dict.fromkeys(getattr(entry, key) for entry in table))


def numbers(table: Iterable[Entry], **wanted: str) -> list[float]:
    """Return the values of the lines with these entries."""
    return [entry.value for entry in choose(table, **wanted)]


def draw(table: list[Entry]) -> dict[str, Figure]:
    """Draw the three figures."""
    return {"search": _search(table), "memory": _memory(table), "gradients": _gradients(table)}


def _search(table: list[Entry]) -> Figure:
    panels = {}
    searches = choose(table, part="limits")
    for lattice in LATTICES:
        here = choose(searches, lattice=lattice)
        lines = {}
        for method in names(choose(here, metric="evaluations"), "method"):
            mine = choose(here, method=method)
            lines["picard = roll-out" if method == "picard" else method] = [
                (
                    numbers(mine, seed=seed, metric="evaluations"),
                    numbers(mine, seed=seed, metric="residual"),
                )
                for seed in names(mine, "seed")
            ]
        panels[lattice] = LinePanel(lines, "evaluations and\nproducts with J", "relative residual")
    pushed = choose(table, part="roots", metric="distance")
    panels["roll-out from the root"] = LinePanel(
        {
            f"{kind} step": [
                (
                    [float(entry.setting) for entry in one],
                    [entry.value for entry in one],
                )
                for lattice in LATTICES
                for seed in names(pushed, "seed")
                if (one := choose(pushed, lattice=lattice, method=kind, seed=seed))
            ]
            for kind in names(pushed, "method")
        },
        "steps",
        "relative distance",
    )
    return line_panels(panels, height=3.0)


def _memory(table: list[Entry]) -> Figure:
    here = choose(table, part="memory")
    headings = {"resident": "growth of the process", "kept": "tensors kept by autograd"}
    panels = {}
    for metric, heading in headings.items():
        lines = {}
        for kind in names(here, "method"):
            mine = choose(here, method=kind, metric=metric)
            steps = names(mine, "setting")
            peaks = [statistics.median(numbers(mine, setting=step)) / MEBIBYTE for step in steps]
            lines[kind] = [([int(step) for step in steps], peaks)]
        panels[heading] = LinePanel(
            lines,
            "forward iterations",
            "peak memory",
            unit="MiB",
            scales=("log", "log"),
            marks=True,
            ticks=[int(step) for step in steps],
        )
    return line_panels(panels, height=2.7)


def _gradients(table: list[Entry]) -> Figure:
    here = choose(table, part="gradients")
    panels = {}
    for radius in names(here, "setting"):
        lines = {}
        there = choose(here, setting=radius)
        for label, methods in _families(names(there, "method")).items():
            lines[label] = [
                (
                    [1e3 * numbers(there, method=name, seed=seed, metric="seconds")[0] for name in methods],
                    [numbers(there, method=name, seed=seed, metric="relative error")[0] for name in methods],
                )
                for seed in names(there, "seed")
            ]
        panels[f"spectral radius {radius}"] = LinePanel(
            lines, "time of a gradient", "relative error", "ms", scales=("log", "log"), marks=True
        )
    return line_panels(panels, height=2.9)


def _families(methods: list[str]) -> dict[str, list[str]]:
    phantom = [name for name in methods if name.startswith("phantom")]
    label = "phantom " + ", ".join(name.split()[1] for name in phantom)
    families = {name: [name] for name in methods if name not in phantom}
    return {**families, label: phantom}


def page(table: list[Entry], facts: dict[str, Any]) -> str:
    """Return the page as markdown."""
    minutes = sum(facts["seconds"].values()) / 60
    lines = [
        "# Equilibria",
        "",
        f"Made by `{facts['command']}` from `equilibria.csv`; {facts['processor']}, one thread beside other "
        f"programs, torch {facts['torch']}; {minutes:.0f} minutes. Settings: `equilibria.json`.",
        "",
        *_page_limits(table, facts),
        *_page_roots(table, facts),
        *_page_memory(table),
        *_page_gradients(table, facts),
    ]
    return "\n".join(lines) + "\n"


def _page_limits(table: list[Entry], facts: dict[str, Any]) -> list[str]:
    here = choose(table, part="limits")
    coupling = facts["coupling"]["contracting"]
    bound = 1 - facts["time_step"] * (1 - coupling)
    radii = numbers(here, metric="spectral radius")
    failed = numbers(here, metric="converged").count(0.0)
    lines = [
        "## The limit of the roll-out is the solution",
        "",
        "![relative residual against evaluations](../figures/equilibria-search.png)",
        "",
        f"z <- z + Δt [D L z - z + W2 tanh(W1 z + v p)] with random weights and a random field p, "
        f"{facts['num_channels']} channels, {facts['num_cells']} x {facts['num_cells']} cells or "
        f"{facts['num_cells'] ** 2} nodes, {len(facts['seeds'])} seeds, float64. ‖W1‖ ‖W2‖ = {coupling}, so "
        f"that every step contracts by at least {bound:.4g} in the largest length of a cell's state; "
        f"spectral radii at the limits are {min(radii):.3f} to {max(radii):.3f}. The limit is the state "
        f"after 3000 steps (largest residual {max(numbers(here, metric='residual of the limit')):.1e}). "
        f"Picard's iterate is the roll-out: largest difference "
        f"{max(numbers(here, metric='difference to the roll-out')):.1g}. Searches to a relative residual of "
        f"1e-12 that failed: {failed} of {len(numbers(here, metric='converged'))}.",
        "",
        "Evaluations, and products with the Jacobian where there are any, until the residual is below 1e-6 "
        "and 1e-10: median [smallest, largest] over the seeds. Difference: of the solution at 1e-12 to the "
        "limit of the roll-out, relative, largest over the seeds.",
        "",
        "| lattice | method | to 1e-6 | to 1e-10 | difference |",
        "|---|---|---:|---:|---:|",
    ]
    for lattice in LATTICES:
        for method in names(choose(here, metric="evaluations"), "method"):
            mine = choose(here, lattice=lattice, method=method)
            cells = [
                _spread(numbers(mine, metric="evaluations", setting=setting), ".0f")
                for setting in ("1.00e-06", "1.00e-10")
            ]
            worst = max(numbers(mine, metric="difference at the end"))
            lines.append(f"| {lattice} | {method} | {' | '.join(cells)} | {worst:.1e} |")
    return lines


def _page_roots(table: list[Entry], facts: dict[str, Any]) -> list[str]:
    here = choose(table, part="roots")
    lines = [
        "",
        "## A root need not be where the roll-out ends",
        "",
        f"The same automata, and others with ‖W1‖ ‖W2‖ = {facts['coupling']['expanding']} and a weaker field "
        f"p. Newton-Krylov from the zero state, then a push by {facts['push']:.0e} of the root's size and a "
        "roll-out. The residual of a root says nothing of its stability; `stability_of` does, before any "
        f"roll-out. Numbers of seeds; spectral radius and distance of the roll-out from the root after "
        f"{facts['num_steps']} steps (relative): median [smallest, largest]; at rest: seeds whose roll-out "
        f"has a relative residual below {AT_REST:.0e} by then, at the root or elsewhere.",
        "",
        "| lattice | step | roots found | judged stable | judged unstable | spectral radius | "
        "distance at the end | at rest there |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for lattice in LATTICES:
        for kind in names(here, "method"):
            mine = choose(here, lattice=lattice, method=kind)
            counts = [
                f"{sum(numbers(mine, setting='root', metric=metric)):.0f}"
                for metric in ("converged", "stable", "unstable")
            ]
            last = max((entry.setting for entry in choose(mine, metric="distance")), key=float)
            radius = _spread(numbers(mine, setting="root", metric="spectral radius"), ".3f")
            distance = _spread(numbers(mine, setting=last, metric="distance"), ".1e")
            resting = sum(value < AT_REST for value in numbers(mine, setting="end", metric="residual"))
            cells = " | ".join((*counts, radius, distance, str(resting)))
            lines.append(f"| {lattice} | {kind} | {cells} |")
    return lines


def _page_memory(table: list[Entry]) -> list[str]:
    here = choose(table, part="memory")
    kinds, steps = names(here, "method"), names(here, "setting")
    lines = [
        "",
        "## Memory of a training gradient",
        "",
        "![peak memory against forward iterations](../figures/equilibria-memory.png)",
        "",
        "A growing automaton of 16 channels and 64 units on 32 x 32 cells, float32. *Process*: how much the "
        "process grew at most (every tensor has pages of its own here, so that a heap in pieces does not "
        "count); *kept*: the most that autograd kept of tensors at a time. MiB, a new process for every "
        "number. The implicit gradient keeps one application and the ten states of GMRES, however long the "
        "search.",
        "",
        "| gradient | measure | " + " | ".join(steps) + " | 512 over 16 |",
        "|---|---|" + "---:|" * (len(steps) + 1),
    ]
    for kind in kinds:
        for metric, label in (("resident", "process"), ("kept", "kept")):
            mine = choose(here, method=kind, metric=metric)
            peaks = [statistics.median(numbers(mine, setting=step)) / MEBIBYTE for step in steps]
            cells = " | ".join(f"{value:.2f}" for value in peaks)
            lines.append(f"| {kind} | {label} | {cells} | {peaks[-1] / peaks[0]:.3g} |")
    return lines


def _page_gradients(table: list[Entry], facts: dict[str, Any]) -> list[str]:
    here = choose(table, part="gradients")
    lines = [
        "",
        "## Kinds of gradients",
        "",
        "![relative error of gradients against time](../figures/equilibria-gradients.png)",
        "",
        "z <- gain · W2 tanh(W1 [z, L z] + v p) on a graph of "
        f"{facts['fewer_cells'] ** 2} nodes, the gain chosen for a given spectral radius ρ at the fixed "
        "point. Gradient of a mean square with respect to all weights against that of a dense solve of (I - "
        "Jᵀ) w = g; least time of five, of loss and gradient for a state that is solved already, except for "
        "*unrolled from zero*, which is the whole roll-out of n steps, ρ^n = 1e-12. Products: with Jᵀ, or "
        "steps unrolled. Median over the seeds, of the cosine the smallest. Seeds "
        f"{', '.join(map(str, facts['gradient_seeds']))}: that of 1 loses its fixed point before its radius "
        "is 0.99.",
        "",
        "| spectral radius | gradient | relative error | cosine | products | ms |",
        "|---:|---|---:|---:|---:|---:|",
    ]
    for radius in names(here, "setting"):
        for method in names(choose(here, setting=radius), "method"):
            mine = choose(here, setting=radius, method=method)
            error = statistics.median(numbers(mine, metric="relative error"))
            seconds = statistics.median(numbers(mine, metric="seconds"))
            products = numbers(mine, metric="products")
            spent = f"{statistics.median(products):.0f}" if products else ""
            cosine = min(numbers(mine, metric="cosine"))
            lines.append(
                f"| {radius} | {method} | {error:.1e} | {cosine:.4f} | {spent} | {1e3 * seconds:.2g} |"
            )
    return lines


def _spread(values: list[float], form: str) -> str:
    if not values:
        return ""
    text = [f"{value:{form}}" for value in sorted(values)]
    return f"{text[len(text) // 2]} [{text[0]}, {text[-1]}]"
