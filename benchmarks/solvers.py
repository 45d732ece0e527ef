"""Time to a given error, and cell updates per second, beside py-pde, exponax, SciPy, JAX, numpy and plain C.

    python benchmarks/solvers.py            # four to six minutes, on a machine that does nothing else
    python benchmarks/solvers.py --quick    # a minute, to see that it works; writes nothing unless --out

Everything on one thread of one core; seconds are those of the processor, the median of alternating runs, with
numbers below the smallest normal one taken as 0 for everybody. Compiling is timed apart. Writes
docs/results/solvers.csv (every run), solvers.json (settings, hardware, versions, seconds) and solvers.md (the
tables). Needs the extras ``bench`` (or ``test``) and JAX, which comes with exponax.
"""

import argparse
import importlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import numpy as np
import solver_rivals as rivals
import torch
from solver_page import CELLS, END, Contender, Result, page, write_rows

from pdenca.core import write_text
from pdenca.solvers import (
    EULER,
    INITIAL_CONDITIONS,
    INTEGRATORS,
    GrayScott,
    Grid,
    RungeKutta,
    SpectralETDRK4,
    restrict,
)
from pdenca.tasks.emulation import environment

RESULTS = Path(__file__).parent.parent / "docs" / "results"
LENGTH = rivals.LENGTH
SIZES = (("128² x 1", 1, 128), ("128² x 16", 16, 128), ("256² x 1", 1, 256))
EQUATION = GrayScott(
    rivals.FEED, rivals.KILL, diffusivity_a=rivals.DIFFUSIVITIES[0], diffusivity_b=rivals.DIFFUSIVITIES[1]
)
GRID = Grid.uniform(CELLS, LENGTH / CELLS)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one start, few contenders, one run each")
    parser.add_argument("--out", type=Path, help="folder of the results; default docs/results, or none")
    options = parser.parse_args()
    out = options.out or (None if options.quick else RESULTS)
    pin_to_one_core()
    began = time.perf_counter()
    seeds = (0,) if options.quick else (0, 1, 2)
    say("the finer solutions")
    references, checks = zip(*(reference(seed, options.quick) for seed in seeds), strict=True)
    contenders = everybody(options.quick)
    results = race(contenders, seeds, references, 1 if options.quick else 3)
    speeds = updates_per_second(options.quick)
    facts = {
        "command": "python benchmarks/solvers.py" + (" --quick" if options.quick else ""),
        "starts": len(seeds),
        "reference_checks": {
            name: max(check[name] for check in checks if name in check) for name in checks[0]
        },
        **machine(),
        "wall_seconds": round(time.perf_counter() - began, 1),
        **environment(),
        **{name: version(name) for name in ("numba", "scipy", "jax", "py-pde", "exponax") if has(name)},
        "updates_per_second": speeds,
    }
    text = page(results, facts)
    print(text)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_rows(results, out / "solvers.csv")
        write_text(out / "solvers.json", json.dumps(facts, indent=1) + "\n")
        write_text(out / "solvers.md", text)


def pin_to_one_core() -> None:
    """One thread on one core, and no denormals, for everybody."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def say(what: str) -> None:
    """Tell how far it is."""
    print(what, file=sys.stderr, flush=True)


def has(name: str) -> bool:
    """Tell whether a package is installed."""
    try:
        importlib.import_module({"py-pde": "pde"}.get(name, name))
    except ImportError:
        return False
    return True


def start(seed: int, cells: int) -> torch.Tensor:
    """The same blobs on any grid."""
    grid = Grid.uniform(cells, LENGTH / cells)
    return INITIAL_CONDITIONS["gaussian-blobs"](grid, torch.Generator().manual_seed(seed), 1)


def on_common_grid(end: np.ndarray) -> torch.Tensor:
    """What the common grid sees of a result."""
    fine = Grid.uniform(end.shape[-1], LENGTH / end.shape[-1])
    return restrict(torch.from_numpy(np.asarray(end, np.float64))[None], fine, GRID)[0]


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The larger of the two fields' relative L2 errors."""
    axes = (-2, -1)
    return float(((found - expected).square().sum(axes) / expected.square().sum(axes)).sqrt().max())


def reference(seed: int, quick: bool) -> tuple[torch.Tensor, dict[str, float]]:
    """The twice-finer spectral solution, and how far from it finer steps and cells are."""

    def solve(cells: int, time_step: float) -> torch.Tensor:
        solver = SpectralETDRK4(EQUATION, Grid.uniform(cells, LENGTH / cells), time_step)
        return on_common_grid(solver.march(start(seed, cells), round(END / time_step))[0].numpy())

    step = 0.5 if quick else 0.25
    best = solve(2 * CELLS, step)
    checks = {"twice the step": relative_error(solve(2 * CELLS, 2 * step), best)}
    floor = relative_error(solve(CELLS, step), best)
    checks["floor of the grid"] = floor
    if seed == 0 and not quick:
        checks["three times the cells instead of twice"] = relative_error(solve(3 * CELLS, 2 * step), best)
    return best, checks


def everybody(quick: bool) -> list[Contender]:
    """All contenders that are installed; of each the settings that could win at some level."""
    entries: list[Contender] = []

    def add(package: str, method: str, ladder: list[tuple[int, float]], make: Callable) -> None:
        entries.extend(
            Contender(package, method, cells, step, lambda cells=cells, step=step: make(cells, step))
            for cells, step in ladder
        )

    float32, float64 = torch.float32, torch.float64
    coarse = [(128, 2.0), (128, 1.0), (128, 0.5)]
    fine = [(192, 2.0), (192, 1.0), (192, 0.5), (256, 1.0), (256, 0.5)]
    add("pdenca", "etdrk4, float32", coarse + fine, lambda *at: ours("etdrk4", float32, *at))
    add("pdenca", "etdrk4, float64", coarse, lambda *at: ours("etdrk4", float64, *at))
    add("pdenca", "etdrk2, float32", [(128, 0.5), (128, 0.25)], lambda *at: ours("etdrk2", float32, *at))
    half = [(128, 1.0), (192, 1.0), (256, 1.0)]
    add(
        "pdenca",
        "etdrk4, float32, dealiased 1/2",
        half,
        lambda *at: ours("etdrk4", float32, *at, dealiasing=0.5),
    )
    for order, ladder in (
        ("order-4", [(128, 1.0), (192, 1.0), (256, 0.625)]),
        ("order-6", [(128, 1.0), (160, 1.0), (192, 1.0), (256, 0.625), (320, 0.4), (384, 0.3125)]),
    ):
        add(
            "pdenca",
            f"rk4 {order} fused, float32",
            ladder,
            lambda *at, order=order: ours("rk4", float32, *at, stencil=order),
        )
    if has("exponax"):
        add("exponax", "ETDRK4, float32", coarse + fine, lambda *at: by_exponax(4, 1.0, *at))
        add("exponax", "ETDRK2, float32", [(128, 0.5), (128, 0.25)], lambda *at: by_exponax(2, 1.0, *at))
        add("exponax", "ETDRK4, float32, dealiased 1/2", half, lambda *at: by_exponax(4, 0.5, *at))
    if has("py-pde"):
        euler = [(128, 0.5), (256, 0.5), (512, 0.1)]
        add("py-pde", "Euler (jax)", euler, lambda *at: by_pypde("euler", *at))
        add("py-pde", "RK4 (jax)", [(128, 1.0), (256, 0.625), (512, 0.25)], lambda *at: by_pypde("rk4", *at))
    add(
        "SciPy",
        "solve_ivp RK45, FFT, float64 (time step: tolerance)",
        [(128, 1e-2), (128, 1e-3), (128, 1e-4), (192, 1e-4)],
        lambda cells, tolerance: rivals.scipy_run(cells, END, tolerance),
    )
    return [item for item in entries if item.cells <= 160] if quick else entries


def ours(method: str, dtype: torch.dtype, cells: int, time_step: float, **options: object) -> rivals.Run:
    """One of our integrators; the explicit ones as kernels by numba."""
    grid = Grid.uniform(cells, LENGTH / cells)
    if method.startswith("etd"):
        options["dtype"] = dtype
    else:
        options["backend"] = "numba"
    solver = INTEGRATORS[method](EQUATION, grid, time_step, **options)
    steps = round(END / time_step)
    return lambda state: solver.march(torch.from_numpy(state).to(dtype)[None], steps)[0].numpy()


def by_exponax(order: int, dealiasing: float, cells: int, time_step: float) -> rivals.Run:
    """exponax, see there."""
    return rivals.exponax_run(cells, time_step, round(END / time_step), order, dealiasing)


def by_pypde(scheme: str, cells: int, time_step: float) -> rivals.Run:
    """py-pde with its fastest backend, see there."""
    return rivals.pypde_run(cells, time_step, round(END / time_step), scheme, "jax")


def race(
    contenders: list[Contender], seeds: tuple[int, ...], references: tuple[torch.Tensor, ...], repeats: int
) -> list[Result]:
    """Run everybody on every start, taking turns; what takes more than a second runs once."""
    runs, first_calls = [], []
    states = {
        cells: [start(seed, cells)[0].numpy() for seed in seeds] for cells in {c.cells for c in contenders}
    }
    say(f"first calls of {len(contenders)} settings")
    for item in contenders:
        began = time.perf_counter()
        run = item.make()
        run(states[item.cells][0])
        first_calls.append(time.perf_counter() - began)
        runs.append(run)
    results: dict[tuple[int, int], Result] = {}
    seconds: dict[tuple[int, int], list[float]] = {}
    for repeat in range(repeats):
        say(f"race {repeat + 1} of {repeats}")
        for number, (item, run) in enumerate(zip(contenders, runs, strict=True)):
            for which, expected in enumerate(references):
                key = number, which
                if seconds.get(key, [0.0])[0] > 1:
                    continue
                state = states[item.cells][which]
                began = time.process_time()
                end = run(state)
                seconds.setdefault(key, []).append(time.process_time() - began)
                if key not in results:
                    error = relative_error(on_common_grid(end), expected)
                    results[key] = Result(item, which, error, 0.0, first_calls[number])
    for key, result in results.items():
        result.seconds = statistics.median(seconds[key])
        result.first_call -= result.seconds
    return list(results.values())


def updates_per_second(quick: bool) -> dict[str, dict[str, float]]:
    """Millions of cell updates per second of explicit Euler with the five-point stencil."""
    table: dict[str, dict[str, float]] = {}
    for label, batch, cells in SIZES:
        steps = 2 * max(1, round((1e7 if quick else 4e7) / (batch * cells**2)))
        say(f"cell updates, {label}")
        tiles = cells // CELLS
        batch_of_starts = start(0, CELLS).float().repeat(batch, 1, tiles, tiles).numpy()
        runs = updaters(steps, cells, batch, quick)
        expected = None
        times: dict[str, list[float]] = {name: [] for name in runs}
        for name, run in runs.items():
            end = run(batch_of_starts)  # compiles
            expected = end if expected is None else expected
            if np.abs(end - expected).max() > 1e-2:
                raise SystemExit(f"{name} gives another result than {next(iter(runs))}: nothing is measured")
        for _ in range(2 if quick else 5):
            for name, run in runs.items():
                began = time.process_time()
                run(batch_of_starts)
                times[name].append(time.process_time() - began)
        for name, values in times.items():
            speed = batch * cells**2 * steps / statistics.median(values) / 1e6
            table.setdefault(name, {})[label] = round(speed, 1)
    return table


def updaters(steps: int, cells: int, batch: int, quick: bool) -> dict[str, rivals.Run]:
    """Name -> explicit Euler with Δt = 1 on a batch (batch, 2, cells, cells) of the common spacing."""
    spacing = LENGTH / CELLS

    def mine(backend: str) -> rivals.Run:
        solver = RungeKutta(EQUATION, Grid.uniform(cells, spacing), 1.0, "order-2", EULER, backend)
        return lambda states: solver.march(torch.from_numpy(states), steps).numpy()

    diffusions = (diffusivity / spacing**2 for diffusivity in rivals.DIFFUSIVITIES)
    factors = (*diffusions, rivals.FEED, rivals.FEED + rivals.KILL)
    library = rivals.c_library()
    runs = {"pdenca, fused by numba": mine("numba")}
    if library is not None:
        runs["plain C, -O3 -march=native -ffast-math"] = rivals.c_euler(library, factors, steps)
    if has("jax"):
        for kind in ("roll",) if quick else ("conv", "pad-slice", "roll"):
            runs[f"JAX scan, {kind}"] = rivals.jax_euler(kind, factors, steps)
    if has("py-pde") and batch == 1:
        for backend in ("jax",) if quick or cells > CELLS else ("jax", "numba"):
            one = rivals.pypde_run(cells, 1.0, steps, "euler", backend, spacing * cells)
            runs[f"py-pde, {backend}"] = lambda states, one=one: one(states[0])[None]
    if not quick and cells == CELLS:
        runs["pdenca, torch.compile"] = mine("compile")
    runs["pdenca, eager (in place)"] = mine("eager")
    runs["numpy, roll"] = rivals.numpy_euler(factors, steps)
    return runs


def machine() -> dict[str, float]:
    """The bandwidth of one core, GB/s, where a C compiler measures it."""
    library = rivals.c_library()
    if library is None:
        return {}
    return {
        "triad_memory_gb_per_s": round(rivals.bandwidth(library, 64_000_000), 1),
        "triad_cache_gb_per_s": round(rivals.bandwidth(library, 256_000), 1),
    }


if __name__ == "__main__":
    main()
