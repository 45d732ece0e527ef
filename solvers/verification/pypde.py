"""The same problems solved by py-pde, a solver that shares no code with this one."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from pdenca.core.errors import BadInputError

from ..derivatives import StencilDerivatives
from ..equation import Equation
from ..equations import AllenCahn, Brusselator, CahnHilliard, GrayScott, Heat, Schnakenberg, SwiftHohenberg
from ..grid import Grid
from ..integrators import AdaptiveRungeKutta
from .invariants import rough_state
from .measurement import Measurement
from .problem import problem_of

_SECONDS_ALLOWED = 300


@dataclass(frozen=True, eq=False)
class SharedCase:
    """A problem that both programs can state: same grid, same second-order stencil, same walls.

    Arguments:
        equation: ours.
        boundary: name of the boundary of every axis.
        expressions: right-hand sides for py-pde, name of the field -> text.
        conditions: what py-pde calls the walls; None if periodic.
        length: side of the square (length).
        duration: time span of the run.
        num_cells: cells per side.
    """

    equation: Equation
    boundary: str
    expressions: dict[str, str]
    conditions: dict[str, float] | None
    length: float
    duration: float
    num_cells: int = 12

    @property
    def grid(self) -> Grid:
        """The common grid."""
        return Grid.uniform(self.num_cells, self.length / self.num_cells, self.boundary)

    def state(self) -> Tensor:
        """Return a rough start, ``"1 channel *space"``."""
        return rough_state(problem_of(self.equation, num_dims=2, length=self.length), self.grid)


SHARED_CASES: Final[dict[str, SharedCase]] = {
    "gray-scott, periodic": SharedCase(
        GrayScott(0.03, 0.06, diffusivity_a=2e-3, diffusivity_b=1e-3),
        "periodic",
        {
            "a": "2e-3 * laplace(a) - a * b**2 + 0.03 * (1 - a)",
            "b": "1e-3 * laplace(b) + a * b**2 - 0.09 * b",
        },
        None,
        1.0,
        5.0,
    ),
    "brusselator, no-flux": SharedCase(
        Brusselator(1.5, 2.5, 0.02, 0.1),
        "no-flux",
        {
            "u": "0.02 * laplace(u) + 1.5 - 3.5 * u + u**2 * v",
            "v": "0.1 * laplace(v) + 2.5 * u - u**2 * v",
        },
        {"derivative": 0.0},
        2.0,
        2.0,
    ),
    "schnakenberg, no-flux": SharedCase(
        Schnakenberg(0.1, 0.9, 1.0, 10.0),
        "no-flux",
        {"u": "laplace(u) + 0.1 - u + u**2 * v", "v": "10 * laplace(v) + 0.9 - u**2 * v"},
        {"derivative": 0.0},
        12.0,
        1.0,
    ),
    "allen-cahn, held walls": SharedCase(
        AllenCahn(0.3, 0.1),
        "dirichlet(0.5)",
        {"u": "0.3 * laplace(u) + u - u**3 + 0.1"},
        {"value": 0.5},
        6.0,
        2.0,
    ),
    "cahn-hilliard, no-flux": SharedCase(
        CahnHilliard(0.8, 0.5),
        "no-flux",
        {"c": "0.8 * laplace(c**3 - c - 0.5 * laplace(c))"},
        {"derivative": 0.0},
        8.0,
        1.0,
    ),
    "swift-hohenberg, periodic": SharedCase(
        SwiftHohenberg(0.3),
        "periodic",
        {"u": "0.3 * u - u - 2 * laplace(u) - laplace(laplace(u)) - u**3"},
        None,
        12.0,
        1.0,
    ),
    "heat, held walls": SharedCase(
        Heat(0.1), "dirichlet(1)", {"T": "0.1 * laplace(T)"}, {"value": 1.0}, 1.0, 0.5
    ),
}
"""Name -> case."""


def compare_with_pypde() -> Iterator[Measurement]:
    """Yield, for every shared case, the difference of the rates of change and that of the solutions.

    py-pde runs in a program of its own with its compiler switched off, which takes a minute off each case.

    Returns:
        Both relative to the largest value; rates pass below 1e-11, solutions below 1e-8, what both time
        integrations promise.

    Raises:
        BadInputError: if py-pde is not installed, or fails.
    """
    cases = {
        name: {
            "extent": case.grid.extent,
            "shape": case.grid.shape,
            "expressions": case.expressions,
            "conditions": case.conditions,
            "duration": case.duration,
            "state": case.state()[0].tolist(),
        }
        for name, case in SHARED_CASES.items()
    }
    began = time.perf_counter()
    answers = _ask(json.dumps(cases))
    seconds = (time.perf_counter() - began) / (2 * len(cases))
    for name, case in SHARED_CASES.items():
        state = case.state()
        rate = case.equation.rate(state, StencilDerivatives(case.grid, "order-2"))
        solver = AdaptiveRungeKutta(case.equation, case.grid, case.duration, 1e-11, 1e-12, "order-2")
        for what, ours, bound in (("rate", rate, 1e-11), ("last", solver(state), 1e-8)):
            theirs = torch.tensor(answers[name][what], dtype=torch.float64)
            difference = float((ours - theirs).abs().max() / theirs.abs().max())
            title = "difference of rates from py-pde" if what == "rate" else "difference from py-pde"
            setting = f"order-2, {name.partition(', ')[2]}, 2-D"
            yield Measurement(title, case.equation.name, setting, difference, 0.0, bound, seconds)


def _ask(cases: str) -> dict[str, Any]:
    program = [sys.executable, "-P", "-m", f"{__package__}.pypde_program"]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        program, input=cases, capture_output=True, text=True, env=environment, timeout=_SECONDS_ALLOWED
    )
    if done.returncode != 0:
        reason = (done.stderr.strip() or "no message").splitlines()[-1]
        raise BadInputError(
            f"py-pde could not be asked: {reason}; usual cure: pip install py-pde (0.50 or newer)"
        )
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers
