"""The proof that every equation and every integrator is right, as one table.

    python benchmarks/verification.py

Writes into docs/results: verification.csv (every measurement), verification.json (versions, hardware,
seconds) and verification.md (what they mean, and a summary). Exits with 1 if anything fails.
"""

import argparse
import csv
import importlib.metadata
import json
import math
import platform
import sys
import time
from pathlib import Path

import torch

from pdenca.core import write_text
from pdenca.core.errors import BadInputError
from pdenca.solvers import EQUATIONS
from pdenca.solvers.equations import preset_of
from pdenca.solvers.verification import MEASUREMENTS, Measurement, Scope, compare_with_pypde
from pdenca.tasks.emulation import environment

RESULTS = Path(__file__).parent.parent / "docs" / "results"
COLUMNS = ("kind", "what", "equation", "setting", "measured", "low", "high", "passed", "seconds")
MEANING = {
    "space": (
        "Order in the cell size. A formula u* is made a steady solution by the source -F(u*), "
        "differentiated automatically without grid; one implicit Euler step of the discrete equation leaves "
        "u* by its error in space, walls included. Fitted over four grids, three in two "
        "dimensions. Spectral: the fitted decay of "
        "the error with the number of cells over the one that the formula has by construction (1 is exact)."
    ),
    "time": (
        "Order in the time step, fitted over four steps against SciPy's DOP853 at a tolerance of 1e-12 on "
        "the same grid. An integrator that is exact whatever its step shows its error instead; the adaptive "
        "one its error over its tolerance, the worst of 1e-5, 1e-7 and 1e-9."
    ),
    "manufactured": (
        "Order at which the integrator itself approaches a chosen u*(x, t) that moves in space and time, "
        "made a solution by a source with a clock. Grid and step are refined together (spectral methods: "
        "the step only). Not for spectral methods on Cahn-Hilliard, whose nonlinear term stands under "
        "derivatives."
    ),
    "exact": (
        "The same for solutions in closed form: decaying waves, a carried wave, the Ablowitz-Zeppetella "
        "front, standing and moving walls between phases, a plane wave of complex Ginzburg-Landau."
    ),
    "scipy": (
        "Largest difference from SciPy on a square of 8 x 8 cells after two typical times, in units of the "
        "variation of the fields."
    ),
    "invariants": (
        "Difference between the change of the mean and the integral of the equation's budget (rounding only "
        "where the mean is conserved); the largest rise of the free energy from step to step over its whole "
        "fall."
    ),
    "symmetry": (
        "Largest difference between marching a turned or mirrored noisy state and turning the marched one, "
        "over the symmetries of the square. Advection-diffusion has a direction: there the defect must be "
        "seen."
    ),
    "growth": (
        "Growth rate of a small wave, beside linear theory; for Brusselator and Schnakenberg also at 0.98, "
        "1, 1.02 and 1.2 times the Turing threshold of the literature, where at 1 the rate must vanish."
    ),
    "py-pde": (
        "Largest relative difference of rates of change and of solutions from py-pde: same grid, stencil "
        "and walls, another program."
    ),
}


def main() -> None:
    """Measure everything, write the table, say what failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--equation", action="append", choices=EQUATIONS, help="only these; writes no files")
    parser.add_argument("--page", action="store_true", help="only draw the page again, from csv and json")
    options = parser.parse_args()
    if options.page:
        facts = json.loads((RESULTS / "verification.json").read_text(encoding="utf-8"))
        write_text(RESULTS / "verification.md", page(load_rows(), facts))
        return
    torch.set_num_threads(1)
    began = time.perf_counter()
    rows: list[tuple[str, Measurement]] = []
    for name in options.equation or EQUATIONS:
        equation = EQUATIONS[name].from_parameters(preset_of(EQUATIONS[name]).parameters)
        for kind, measure in MEASUREMENTS.items():
            rows += [(kind, found) for found in measure(equation, Scope())]
        rows += [("space", found) for found in MEASUREMENTS["space"](equation, Scope(num_dims=2))]
        print(f"{name}: {len(rows)} measurements, {time.perf_counter() - began:.0f} s", flush=True)
    if not options.equation:
        try:
            rows += [("py-pde", found) for found in compare_with_pypde()]
        except BadInputError as error:
            print(error)
    failed = [found for _, found in rows if not found.passed]
    for found in failed:
        print(found)
    if not options.equation:
        write(rows, time.perf_counter() - began)
    print(f"{len(rows)} measurements, {len(failed)} failed")
    sys.exit(1 if failed else 0)


def write(rows: list[tuple[str, Measurement]], seconds: float) -> None:
    """Write csv, json and md."""
    with (RESULTS / "verification.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for kind, found in rows:
            numbers = [f"{value:.8g}" for value in (found.measured, found.low, found.high)]
            verdict = "yes" if found.passed else "NO"
            words = (kind, found.what, found.equation, found.setting)
            writer.writerow([*words, *numbers, verdict, f"{found.seconds:.3f}"])
    facts = {
        "command": "python benchmarks/verification.py",
        "seconds": round(seconds, 1),
        "measurements": len(rows),
        "failed": sum(not found.passed for _, found in rows),
        "python": platform.python_version(),
        "scipy": importlib.metadata.version("scipy"),
        **environment(),
    }
    if any(kind == "py-pde" for kind, _ in rows):
        facts["py-pde"] = importlib.metadata.version("py-pde")
    write_text(RESULTS / "verification.json", json.dumps(facts, indent=1) + "\n")
    write_text(RESULTS / "verification.md", page(rows, facts))


def load_rows() -> list[tuple[str, Measurement]]:
    """Read the csv back."""
    with (RESULTS / "verification.csv").open(encoding="utf-8") as file:
        return [
            (
                row["kind"],
                Measurement(
                    *(row[name] for name in ("what", "equation", "setting")),
                    *(float(row[name]) for name in ("measured", "low", "high", "seconds")),
                ),
            )
            for row in csv.DictReader(file)
        ]


def page(rows: list[tuple[str, Measurement]], facts: dict) -> str:
    """Return the page: what is measured, how many pass, and the numbers in short."""
    names = list(dict.fromkeys(found.equation for _, found in rows))
    kinds = list(dict.fromkeys(kind for kind, _ in rows))
    versions = ", ".join(
        f"{name} {facts[name]}" for name in ("python", "torch", "scipy", "py-pde") if name in facts
    )
    lines = [
        "# Verification",
        "",
        f"Made by `{facts['command']}` in {facts['seconds'] / 60:.1f} minutes on one core of "
        f"{facts['processor']}; {versions}. {facts['measurements']} measurements, {facts['failed']} failed. "
        "Every one with its interval stands in [verification.csv](verification.csv); the slow tests repeat "
        "them all.",
        "",
        "Each measurement is one number that must lie in an interval, bounded on both sides where it can "
        "miss on both: an order that is too high is as suspect as one that is too low. Each is also shown to "
        "fail on a wrong equation, scheme, stencil or wall, in "
        "`tests/test_solvers/test_verification_fails.py`. "
        "Equations have the constants of their first preset; lengths and times are those of their patterns.",
        "",
        "How many pass, of how many:",
        "",
        "| equation | " + " | ".join(kinds) + " |",
        "|---|" + "---:|" * len(kinds),
    ]
    for name in names:
        cells = []
        for kind in kinds:
            own = [found.passed for other, found in rows if other == kind and found.equation == name]
            cells.append(f"{sum(own)}/{len(own)}" if own else "")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for kind in kinds:
        lines += ["", f"## {kind}", "", MEANING[kind], ""]
        draw = summary_of_growth if kind == "growth" else summary
        lines += draw([found for other, found in rows if other == kind])
    return "\n".join(lines) + "\n"


def summary(found: list[Measurement]) -> list[str]:
    """Return one line per quantity and method (or stencil): the range over equations and boundaries."""
    groups: dict[tuple[str, str, str], list[Measurement]] = {}
    for one in found:
        wanted = f"{one.low:.4g} to {one.high:.4g}" if one.low else f"at most {one.high:.2g}"
        key = (one.what, one.setting.split(",")[0], wanted.replace("to inf", "or more"))
        groups.setdefault(key, []).append(one)
    lines = [
        "| what | method | must be | smallest | largest | cases | passed |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for (what, method, wanted), group in groups.items():
        values = [one.measured for one in group]
        low, high = (math.nan, math.nan) if any(map(math.isnan, values)) else (min(values), max(values))
        passed = sum(one.passed for one in group)
        lines.append(f"| {what} | {method} | {wanted} | {low:.4g} | {high:.4g} | {len(group)} | {passed} |")
    return lines


def summary_of_growth(found: list[Measurement]) -> list[str]:
    """Return one line per wave, by the most accurate method."""
    lines = [
        "By etdrk4; the other spectral methods stand in the csv.",
        "",
        "| equation | wave | linear theory | measured | allowed difference | passed |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for one in found:
        method, _, wave = one.setting.split(", ", 2)
        if method != "etdrk4":
            continue
        theory, allowed = (one.low + one.high) / 2, (one.high - one.low) / 2
        lines.append(
            f"| {one.equation} | {wave} | {theory:.7g} | {one.measured:.7g} | {allowed:.1g} | "
            f"{'yes' if one.passed else 'NO'} |"
        )
    return lines


if __name__ == "__main__":
    main()
