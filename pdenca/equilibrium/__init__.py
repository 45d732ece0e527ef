"""Fixed points z = f(z) of any map on a batch of states: found, differentiated through, judged.

    found = solve(step, start)                        # or picard, broyden, newton-krylov, ...
    state = fixed_point(step, start)                  # the same, with gradients
    (verdict,) = stability_of(step, found.state)      # is it one that the step itself would end in?

A map is any callable on tensors whose first axis is the batch; grids, graphs and automata are unknown here.
A fixed point is not trusted because a solver stopped: residuals are relative, per sample, of the map itself
and verified; unstable and non-isolated fixed points are told from stable ones.
"""

from .anderson import Anderson
from .broyden import Broyden
from .contraction import OperatorCap, capped_convolution, convolution_norm
from .gmres import LinearSolution, gmres
from .implicit import AdjointReport, EquilibriumRecord, EquilibriumSettings, fixed_point
from .layer import EquilibriumLayer
from .linearisation import Linearisation
from .method import Method
from .neutral import NullModes
from .newton_krylov import NewtonKrylov
from .picard import Picard
from .preconditioning import Learning, Preconditioned, Preconditioner
from .pseudo_transient import PseudoTransient
from .regularisers import attached_iterates, fixed_point_correction, jacobian_penalty
from .result import REASONS, FixedPoint
from .returning import PerturbedRollout, perturbed_rollout
from .rows import Map, RowMap, Selectable
from .search import Search
from .solve import SOLVERS, solve
from .stability import MapStability, stability_of

__all__ = [
    "REASONS",
    "SOLVERS",
    "AdjointReport",
    "Anderson",
    "Broyden",
    "EquilibriumLayer",
    "EquilibriumRecord",
    "EquilibriumSettings",
    "FixedPoint",
    "Learning",
    "LinearSolution",
    "Linearisation",
    "Map",
    "MapStability",
    "Method",
    "NewtonKrylov",
    "NullModes",
    "OperatorCap",
    "PerturbedRollout",
    "Picard",
    "Preconditioned",
    "Preconditioner",
    "PseudoTransient",
    "RowMap",
    "Search",
    "Selectable",
    "attached_iterates",
    "capped_convolution",
    "convolution_norm",
    "fixed_point",
    "fixed_point_correction",
    "gmres",
    "jacobian_penalty",
    "perturbed_rollout",
    "solve",
    "stability_of",
]
