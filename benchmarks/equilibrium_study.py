"""An automaton iterated for ever and an equilibrium model are one: limits, memory, gradients.

    python benchmarks/equilibrium_study.py --out runs/equilibria

Random automata in float64 on a torus, between no-flux walls and on a random graph. First: where the step
contracts, every search ends in the limit of the roll-out; where it does not, a search may find a root that
the roll-out leaves. Second: memory of one training gradient, each in a process of its own. Third: gradients
against that of a dense linear solve.

Writes into docs/results: equilibria.csv (every number), equilibria.json (settings, hardware, seconds),
equilibria.md, and docs/figures/equilibria-*.png; pages and figures are drawn from the csv. Resumable: parts
that are done are kept. `--page` only draws again.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from equilibrium_maps import DIFFUSIVITY, NUM_CHANNELS, NUM_UNITS, TIME_STEP, bound, lattices, replacing
from equilibrium_page import COLUMNS, FIGURES, RESULTS, draw, page, read_table
from study import Clock
from torch import Tensor

from pdenca.automaton import BoundAutomaton
from pdenca.core import write_text
from pdenca.equilibrium import EquilibriumRecord, EquilibriumSettings, fixed_point, solve, stability_of
from pdenca.plots import save
from pdenca.tasks.emulation import environment

Found = tuple[str, str, str, int | str, str, str, float]
"""A line of the table."""

NUM_CELLS, FEWER_CELLS = 12, 8
SEEDS = (0, 1, 2, 3, 4)
METHODS = ("picard", "anderson", "broyden", "newton-krylov")
CONTRACTING, EXPANDING = 0.95, 3.0
PUSH = 1e-6
NUM_STEPS, EVERY = 300, 10
THRESHOLDS = tuple(10.0 ** (-power / 2) for power in range(25))
FORWARD = (16, 32, 64, 128, 256, 512)
REPEATS = 5
RADII = (0.5, 0.9, 0.99)
# not 1: the fixed point of that seed is lost before its spectral radius is 0.99
GRADIENT_SEEDS = (0, 2, 3)
GRADIENTS: dict[str, dict[str, Any]] = {
    "implicit": {},
    "jacobian-free": {"gradient": "jacobian-free"},
    **{f"phantom {steps}": {"gradient": "phantom", "phantom_steps": steps} for steps in (1, 3, 5, 10)},
}


def main() -> None:
    """Read the options, do what is left to do, write the table, the page and the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/equilibria"), help="folder of finished parts")
    parser.add_argument("--page", action="store_true", help="only draw the page and figures of the table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.page:
        options.out.mkdir(parents=True, exist_ok=True)
        clock = Clock(options.out / "seconds.json")
        for name, part in PARTS.items():
            clock.once(name, lambda name=name, part=part: _write(options.out / f"{name}.csv", part()))
        with (RESULTS / "equilibria.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for name in PARTS:
                with (options.out / f"{name}.csv").open(newline="", encoding="utf-8") as part_file:
                    writer.writerows(csv.reader(part_file))
        facts = {
            "command": "python benchmarks/equilibrium_study.py",
            "num_cells": NUM_CELLS,
            "fewer_cells": FEWER_CELLS,
            "num_channels": NUM_CHANNELS,
            "num_units": NUM_UNITS,
            "time_step": TIME_STEP,
            "diffusivity": DIFFUSIVITY,
            "coupling": {"contracting": CONTRACTING, "expanding": EXPANDING},
            "push": PUSH,
            "num_steps": NUM_STEPS,
            "seeds": SEEDS,
            "gradient_seeds": GRADIENT_SEEDS,
            "seconds": clock.seconds,
            **environment(),
        }
        write_text(RESULTS / "equilibria.json", json.dumps(facts, indent=1) + "\n")
    facts = json.loads((RESULTS / "equilibria.json").read_text(encoding="utf-8"))
    table = read_table(RESULTS / "equilibria.csv")
    write_text(RESULTS / "equilibria.md", page(table, facts))
    for name, figure in draw(table).items():
        save(figure, FIGURES / f"equilibria-{name}.png", dpi=150)


def _write(path: Path, lines: Iterator[Found]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        for *place, value in lines:
            writer.writerow([*place, f"{value:.6g}"])


class Watched:
    """A step that remembers how far from the limit it was asked at each of its evaluations."""

    def __init__(self, step: BoundAutomaton, limit: Tensor) -> None:
        self.step, self.limit, self.time_step = step, limit, step.time_step
        self.differences: list[float] = []

    def __call__(self, state: Tensor) -> Tensor:
        """Take the step."""
        self.differences.append(difference(state, self.limit))
        return self.step(state)


@torch.no_grad()
def difference(state: Tensor, limit: Tensor) -> float:
    """Return ‖z - limit‖ / ‖limit‖."""
    return float((state - limit).norm() / limit.norm())


@torch.no_grad()
def limits() -> Iterator[Found]:
    """Search where the step contracts, and compare with the limit of the roll-out."""
    for lattice_name, lattice in lattices(NUM_CELLS).items():
        for seed in SEEDS:
            step, start = bound(lattice, seed, CONTRACTING)

            def line(
                method: str, setting: float | str, metric: str, value: float, place=(lattice_name, seed)
            ) -> Found:
                return ("limits", place[0], method, place[1], f"{setting:.2e}", metric, value)

            limit, trail = start, []
            for _ in range(3000):
                trail.append(limit)
                limit = step(limit)
            yield line("roll-out", 0, "residual of the limit", difference(step(limit), limit))
            for method in METHODS:
                courses = _course(step, start, method, limit)
                best, crossed = float("inf"), 0
                for cost, residual, distance in courses:
                    best = min(best, residual)
                    while crossed < len(THRESHOLDS) and best <= THRESHOLDS[crossed]:
                        yield line(method, THRESHOLDS[crossed], "evaluations", cost)
                        yield line(method, THRESHOLDS[crossed], "residual", max(residual, 1e-17))
                        yield line(method, THRESHOLDS[crossed], "difference", max(distance, 1e-17))
                        crossed += 1
                found = solve(step, start, method=method, tolerance=1e-12, max_evaluations=2000)
                yield line(method, 1e-12, "converged", float(found.converged))
                yield line(method, 1e-12, "difference at the end", difference(found.state, limit))
                if method == "picard":
                    # plain iteration is the roll-out: the same states, bit for bit
                    steps = int(found.evaluations) - 1
                    yield line(
                        method, steps, "difference to the roll-out", difference(found.state, trail[steps])
                    )
            (verdict,) = stability_of(step, limit)
            yield line("roll-out", 0, "spectral radius", verdict.spectral_radius)


def _course(
    step: BoundAutomaton, start: Tensor, method: str, limit: Tensor
) -> list[tuple[int, float, float]]:
    """Return (evaluations and products so far, residual, difference to the limit) along a search."""
    if method != "newton-krylov":
        watched = Watched(step, limit)
        found = solve(watched, start, method=method, tolerance=1e-12, max_evaluations=2000)
        residuals = found.history[:, 0].tolist()
        places = zip(residuals, watched.differences, strict=False)  # the last evaluation verifies
        return [(number, *place) for number, place in enumerate(places, 1)]
    course = []
    for number in range(1, 12):
        found = solve(step, start, method=method, tolerance=1e-12, max_evaluations=number)
        cost = int(found.evaluations + found.products)
        course.append((cost, float(found.residuals), difference(found.state, limit)))
        if bool(found.converged):
            break
    return course


@torch.no_grad()
def roots() -> Iterator[Found]:
    """Push a root that a search found, and see whether the roll-out goes back to it."""
    for lattice_name, lattice in lattices(NUM_CELLS).items():
        for kind, coupling, supply in (("contracting", CONTRACTING, 1.0), ("expanding", EXPANDING, 0.3)):
            for seed in SEEDS:
                step, start = bound(lattice, seed, coupling, supply)
                found = solve(
                    step, start, method="newton-krylov", tolerance=1e-12, max_evaluations=60, patience=0
                )
                (verdict,) = stability_of(step, found.state)
                place = ("roots", lattice_name, kind, seed)
                yield (*place, "root", "converged", float(found.converged))
                yield (*place, "root", "residual", float(found.residuals))
                yield (*place, "root", "spectral radius", verdict.spectral_radius)
                yield (*place, "root", "stable", float(verdict.verdict == "stable"))
                yield (*place, "root", "unstable", float(verdict.verdict == "unstable"))
                noise = torch.randn(
                    start.shape, generator=torch.Generator().manual_seed(seed), dtype=start.dtype
                )
                state = found.state + PUSH * found.state.norm() * noise / noise.norm()
                for number in range(NUM_STEPS + 1):
                    if number % EVERY == 0:
                        distance = max(difference(state, found.state), 1e-17)
                        yield (*place, str(number), "distance", distance)
                    state = step(state)
                yield (*place, "end", "residual", difference(step(state), state))


def memory() -> Iterator[Found]:
    """Measure the memory of one gradient, each time in a new process."""
    program = Path(__file__).with_name("equilibrium_memory.py")
    # tensors get pages of their own: else the size of the process tells how its heap is cut up
    variables = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "16384", "OMP_NUM_THREADS": "1"}
    for kind in ("implicit", "unrolled"):
        for steps in FORWARD:
            done = subprocess.run(
                [sys.executable, "-P", str(program), kind, str(steps)],
                check=True,
                capture_output=True,
                text=True,
                env=variables,
            )
            found = json.loads(done.stdout)
            if found["evaluations"] != steps:
                raise RuntimeError(f"{kind} took {found['evaluations']} evaluations, expected {steps}")
            for metric in ("resident", "kept"):
                yield ("memory", "torus", kind, 0, str(steps), metric, found[metric])


def gradients() -> Iterator[Found]:
    """Compare kinds of gradients with that of a dense solve, at fixed points of given spectral radius."""
    lattice = lattices(FEWER_CELLS)["graph"]
    for radius in RADII:
        for seed in GRADIENT_SEEDS:
            step, point = _at_radius(lattice, seed, radius)
            generator = torch.Generator().manual_seed(seed)
            target = torch.rand(point.shape, generator=generator, dtype=point.dtype)
            parameters = list(step.automaton.parameters())

            def gradient(find: Callable[[], Tensor], target=target, parameters=parameters) -> Tensor:
                loss = (find() - target).square().mean()
                return torch.cat([part.flatten() for part in torch.autograd.grad(loss, parameters)])

            exact = _dense(step, point, target, parameters)

            def lines(
                name: str, find: Callable[[], Tensor], gradient=gradient, exact=exact, place=(radius, seed)
            ) -> Iterator[Found]:
                seconds = []
                for _ in range(REPEATS):
                    began = time.perf_counter()
                    found = gradient(find)
                    seconds.append(time.perf_counter() - began)
                here = ("gradients", "graph", name, place[1], str(place[0]))
                yield (*here, "relative error", max(difference(found, exact), 1e-17))
                yield (*here, "cosine", float(found @ exact / found.norm() / exact.norm()))
                yield (*here, "seconds", min(seconds))

            for name, options in GRADIENTS.items():
                settings = EquilibriumSettings(
                    tolerance=1e-11, backward_tolerance=1e-10, backward_products=500, **options
                )
                record = EquilibriumRecord()
                yield from lines(
                    name,
                    lambda settings=settings, record=record, step=step, point=point: fixed_point(
                        step, point, settings, record=record
                    ),
                )
                if record.adjoint is not None:
                    products = int(record.adjoint.products[0])
                    yield ("gradients", "graph", name, seed, str(radius), "products", products)
            steps = int(torch.tensor(1e-12).log() / torch.tensor(radius).log())
            yield from lines(
                "unrolled from zero", lambda step=step, steps=steps, point=point: _roll(step, point, steps)
            )
            yield ("gradients", "graph", "unrolled from zero", seed, str(radius), "products", steps)


def _roll(step: BoundAutomaton, like: Tensor, steps: int) -> Tensor:
    state = torch.zeros_like(like)
    for _ in range(steps):
        state = step(state)
    return state


def _at_radius(lattice: Any, seed: int, radius: float) -> tuple[BoundAutomaton, Tensor]:
    """Return a random step z <- gain · W2 tanh(...) whose fixed point has this spectral radius."""

    def at(gain: float, near: Tensor | None = None) -> tuple[float, BoundAutomaton, Tensor]:
        step, start = replacing(lattice, seed, gain)
        near = start if near is None else near
        found = solve(step, near, tolerance=1e-13, max_evaluations=3000, patience=0)
        matrix = _jacobian(step, found.state)
        return float(torch.linalg.eigvals(matrix).abs().max()), step, found.state

    # each search starts from the state of the largest gain below, to stay on one branch of fixed points
    low, high, state = 0.0, 0.1, None
    while (found := at(high, state))[0] < radius:
        low, high, state = high, 1.1 * high, found[2]
    for _ in range(14):
        middle = (low + high) / 2
        found = at(middle, state)
        if found[0] < radius:
            low, state = middle, found[2]
        else:
            high = middle
    reached, step, state = at(low, state)
    if abs(reached - radius) > 1e-3 or difference(step(state), state) > 1e-12:
        raise RuntimeError(f"seed {seed}: no fixed point of spectral radius {radius}, nearest {reached}")
    return step, state.detach()


def _jacobian(step: BoundAutomaton, state: Tensor) -> Tensor:
    matrix = torch.autograd.functional.jacobian(step, state)
    return matrix.reshape(state.numel(), state.numel())


def _dense(step: BoundAutomaton, point: Tensor, target: Tensor, parameters: list[Tensor]) -> Tensor:
    """Return the gradient of the mean square by a dense solve of (I - Jᵀ) w = g."""
    slope = 2 * (point - target).flatten() / point.numel()
    matrix = torch.eye(point.numel(), dtype=point.dtype) - _jacobian(step, point)
    weights = torch.linalg.solve(matrix.T, slope)
    image = step(point)
    parts = torch.autograd.grad(image, parameters, weights.view_as(image))
    return torch.cat([part.flatten() for part in parts])


PARTS: dict[str, Callable[[], Iterator[Found]]] = {
    "limits": limits,
    "roots": roots,
    "memory": memory,
    "gradients": gradients,
}

if __name__ == "__main__":
    main()
