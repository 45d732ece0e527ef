"""Find z = f(z)."""

import difflib
import math
from typing import Any, Final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError

from .anderson import Anderson
from .broyden import Broyden
from .method import Method
from .newton_krylov import NewtonKrylov
from .picard import Picard
from .pseudo_transient import PseudoTransient
from .result import FixedPoint
from .rows import Map, RowMap, positive_time
from .search import Search

SOLVERS: Final[dict[str, type[Method]]] = {
    "picard": Picard,
    "anderson": Anderson,
    "broyden": Broyden,
    "newton-krylov": NewtonKrylov,
    "pseudo-transient": PseudoTransient,
}
"""Name -> method; the options of each are its settings."""


def solver(method: str, options: dict[str, Any]) -> Method:
    """Return the method of this name with these options.

    Raises:
        BadInputError: for a name that is not in ``SOLVERS`` or an option that the method does not have; both
            name the nearest one.
    """
    if method not in SOLVERS:
        near = difflib.get_close_matches(method, SOLVERS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known methods: {', '.join(SOLVERS)}"
        raise BadInputError(f"unknown method {method!r}: {hint}")
    try:
        return SOLVERS[method].parse(options)
    except BadInputError as error:
        raise BadInputError(f"method {method!r}: {error}") from None


@torch.no_grad()
def solve(
    step: Map,
    start: Float[Tensor, " batch *shape"],
    *,
    method: str = "anderson",
    tolerance: float = 1e-6,
    rate_tolerance: float | None = None,
    max_evaluations: int = 200,
    time_step: float | None = None,
    floor: float = 1e-12,
    **options: Any,  # noqa: ANN401  # checked by the method's settings
) -> FixedPoint:
    """Search for a fixed point z = f(z) of every sample of a batch.

    Each sample is searched for by itself: it stops when it is done, and a NaN in one does not touch the
    others, provided that the map keeps its samples apart (no statistics over the batch). A sample has
    converged where

        ‖f(z) - z‖ / (‖f(z)‖ + floor √n) <= tolerance,

    a measure without unit that is the same for all numbers of cells and channels, taken of the map itself
    whatever the damping, and verified by one more evaluation in the end. A map that is one short time step
    hardly changes *any* state; ``rate_tolerance`` bounds the same quantity divided by the time step, and both
    must hold. Where the state has grown to more than twice its size at the start, ‖f(z) - z‖ must also have
    fallen to a tenth of what it was there, lest z + 1 be solved by a huge z. Only points at which f was
    evaluated are returned.

    A pattern that a coarse grid pins drifts as slowly as the grid lets it, and its residual falls no further:
    "stagnated" at a tiny residual may mean no more than that.

    Arguments:
        step: f, any callable that maps states to states; samples along the first axis. One with a method
            ``select(indices)`` that returns the map of some samples is evaluated only where there is still
            work to do, once that is less than half of the batch; others are called with the whole batch.
        start: z₀ (unit of the state).
        method: "picard", "anderson", "broyden", "newton-krylov" or "pseudo-transient"; see :data:`SOLVERS`.
        tolerance: of the relative residual; float32 reaches about 1e-6.
        rate_tolerance: of the relative residual per time (1/time); needs a time step.
        max_evaluations: of f, for each sample; one more verifies.
        time_step: time that one application of f takes (time); by default the step's own ``time_step``.
        floor: root mean square of a state that counts as zero (unit of the state).
        options: of the method, e.g. ``damping`` of Picard or ``memory`` of Anderson, and ``patience`` of all.

    Returns:
        The best iterate and what is known about it; ``converged`` says for each sample whether it is a
        solution.

    Raises:
        BadInputError: for an unknown method or option, numbers out of range, a step that draws random
            numbers, changes its argument or returns other shapes than it gets.

    Source: stopping by the relative residual and returning the best iterate follow Bai et al., Deep
    equilibrium models (NeurIPS 2019).
    """
    chosen = solver(method, options)
    for name, value in (("tolerance", tolerance), ("rate_tolerance", rate_tolerance), ("floor", floor)):
        if value is not None and not (0 <= value < math.inf):
            raise BadInputError(f"{name} must be at least 0 and finite, got {value}")
    if max_evaluations < 1:
        raise BadInputError(f"max_evaluations must be at least 1, got {max_evaluations}")
    time_step = positive_time(step, time_step)
    if rate_tolerance is not None and time_step is None:
        raise BadInputError(
            "rate_tolerance needs the time that one application takes, got none; usual cure: time_step=..."
        )
    rows = RowMap(step, start)
    search = Search(
        rows,
        rows.rows(start.detach()),
        tolerance=tolerance,
        rate_tolerance=rate_tolerance,
        time_step=time_step,
        max_evaluations=max_evaluations,
        floor=floor,
        patience=chosen.patience,
    )
    chosen.run(search)
    return search.result()
