"""What benchmarks/solvers.py measured, as rows and as tables."""

import csv
import dataclasses
import math
import statistics
from collections.abc import Callable
from pathlib import Path

import solver_rivals as rivals

CELLS, END = 128, 100.0
LEVELS = (1e-2, 1e-3)
PACKAGES = ("torch", "numba", "jax", "py-pde", "exponax", "scipy")
COLUMNS = ("package", "method", "cells", "time_step", "start", "error", "seconds", "first_call_seconds")


@dataclasses.dataclass(frozen=True)
class Contender:
    """One way to the end time.

    Arguments:
        package: whose.
        method: scheme, order in space, precision and dealiasing in words.
        cells: of its grid, along one side.
        time_step: its step, or its tolerance.
        make: builds the function from start to end.
    """

    package: str
    method: str
    cells: int
    time_step: float
    make: Callable[[], rivals.Run]


@dataclasses.dataclass
class Result:
    """What one contender made of one start."""

    contender: Contender
    start: int
    error: float
    seconds: float
    first_call: float


def write_rows(results: list[Result], path: Path) -> None:
    """Write every run."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for result in results:
            item = result.contender
            place = (item.package, item.method, item.cells, item.time_step, result.start)
            writer.writerow(
                [*place, f"{result.error:.3g}", f"{result.seconds:.4g}", f"{result.first_call:.3g}"]
            )


def page(results: list[Result], facts: dict) -> str:
    """Return the tables as markdown."""
    checks = facts["reference_checks"]
    floor = checks["floor of the grid"]
    levels = {f"{level:g}": level for level in LEVELS} | {f"{1.5 * floor:.2g} (floor)": 1.5 * floor}
    versions = [f"{name} {facts[name]}" for name in PACKAGES if name in facts]
    moves = [f"{value:.1e} ({name})" for name, value in checks.items() if name != "floor of the grid"]
    lines = [
        "# Speed of the solvers",
        "",
        f"Made by `{facts['command']}` in {facts['wall_seconds']:.0f} s; {facts['processor']}, one thread on "
        f"one core, {', '.join(versions)}. Seconds are those of the processor, without compiling.",
        "",
        "## Seconds to a given error",
        "",
        f"Gray-Scott maze (F = {rivals.FEED}, k = {rivals.KILL}) on [0, 2]², periodic, from Gaussian blobs "
        f"at t = 0 to t = {END:g}; one trajectory at a time, median over {facts['starts']} start(s). Error: "
        f"relative L2 of the worse field on {CELLS} x {CELLS} cells against ETDRK4 in float64 on {2 * CELLS} "
        f"x {2 * CELLS}, which itself moves by {', '.join(moves)}. A spectral solution on {CELLS} x {CELLS} "
        f"that is exact in time is {floor:.1e} off: the last column asks for 1.5 times that. Every method "
        "takes the cheapest of its settings (cells, step) that reaches the level; the csv has all of them.",
        "",
        "| | method | " + " | ".join(levels) + " | best error | first call, s |",
        "|---|---|" + "---:|" * (len(levels) + 2),
    ]
    best: dict[tuple[str, str], float] = {}
    for package, method in dict.fromkeys((r.contender.package, r.contender.method) for r in results):
        own = [r for r in results if (r.contender.package, r.contender.method) == (package, method)]
        cells = []
        for name, level in levels.items():
            seconds = seconds_to(own, level)
            cells.append("not reached" if seconds is None else f"{seconds:.3g}")
            if seconds is not None:
                best[package, name] = min(seconds, best.get((package, name), math.inf))
        lowest = max(min(r.error for r in own if r.start == which) for which in {r.start for r in own})
        first = statistics.median(r.first_call for r in own)
        lines.append(f"| {package} | {method} | {' | '.join(cells)} | {lowest:.1e} | {first:.1f} |")
    lines += ["", "Fastest of each package, times slower than pdenca's:", ""]
    lines += ["| | " + " | ".join(levels) + " |", "|---|" + "---:|" * len(levels)]
    for package in dict.fromkeys(r.contender.package for r in results):
        ratios = [
            f"{best[package, name] / best['pdenca', name]:.1f}"
            if (package, name) in best and ("pdenca", name) in best
            else "not reached"
            for name in levels
        ]
        lines.append(f"| {package} | {' | '.join(ratios)} |")
    speeds = facts["updates_per_second"]
    sizes = list(dict.fromkeys(size for row in speeds.values() for size in row))
    lines += [
        "",
        "## Cell updates per second",
        "",
        "Millions, explicit Euler with the five-point stencil, float32 (py-pde with numba: float64); "
        "cells x trajectories.",
        "",
        "| | " + " | ".join(sizes) + " |",
        "|---|" + "---:|" * len(sizes),
    ]
    for name, row in sorted(speeds.items(), key=lambda item: -next(iter(item[1].values()))):
        cells = [f"{row[size]:.0f}" if size in row else "" for size in sizes]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    if "triad_memory_gb_per_s" in facts:
        lines += [
            "",
            f"One core moves {facts['triad_memory_gb_per_s']:g} GB/s to and from memory and "
            f"{facts['triad_cache_gb_per_s']:g} GB/s within its cache (a = b + s c). An update reads and "
            "writes at least 16 bytes, so a step that went through memory could make at most "
            f"{1e3 * facts['triad_memory_gb_per_s'] / 16:.0f} million updates per second.",
        ]
    return "\n".join(lines) + "\n"


def seconds_to(results: list[Result], level: float) -> float | None:
    """Median over the starts of the cheapest setting within the level; None if a start has none."""
    cheapest = []
    for which in {result.start for result in results}:
        fits = [r.seconds for r in results if r.start == which and r.error <= level]
        if not fits:
            return None
        cheapest.append(min(fits))
    return statistics.median(cheapest)
