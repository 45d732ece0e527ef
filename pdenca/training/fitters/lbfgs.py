"""L-BFGS in the metric of a Gauss-Newton matrix."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..objectives import Objective
from .base import FitReport, assign, flatten, trainable


class PreconditionedLBFGS:
    """Minimise a roll-out loss with L-BFGS after a linear change of variables.

    The parameters are written p = p0 + B q with B Bᵀ = (JᵀJ + ε)⁻¹, JᵀJ being the normal matrix of derivative
    matching at p0. In q all directions that the data can tell apart are of like stiffness, so that a
    quasi-Newton method needs tens of evaluations where it would stall in p. Each step makes a few iterations
    with a strong Wolfe line search; the objective must give the same value whenever it is asked.

    Arguments:
        automaton: the model; p0 are its parameters now.
        metric: JᵀJ.
        damping: ε relative to the largest eigenvalue of JᵀJ.
        iterations: iterations per step.
        history: pairs of vectors remembered.
        tolerance: relative gain of a step below which the fit counts as converged.

    Source: Nocedal, Math. Comput. 35 (1980); the line search is torch's.
    """

    def __init__(
        self,
        automaton: nn.Module,
        metric: Tensor,
        *,
        damping: float = 1e-6,
        iterations: int = 5,
        history: int = 30,
        tolerance: float = 1e-4,
    ) -> None:
        self.automaton, self.tolerance = automaton, tolerance
        self.anchor = flatten(trainable(automaton).values()).detach().clone()
        values, vectors = torch.linalg.eigh(metric)
        values = values.clamp_min(0) + damping * values.max()
        # contiguous as it will be when read back from a checkpoint: rounding depends on the layout
        self.basis = (vectors / values.sqrt()).to(self.anchor).contiguous()
        self.iterations, self.history = iterations, history
        self.learning_rate = 1.0
        self._start(torch.zeros_like(self.anchor))

    def _start(self, coordinates: Tensor) -> None:
        self.coordinates = coordinates.requires_grad_()
        self.optimizer: Any = torch.optim.LBFGS(
            [self.coordinates],
            lr=self.learning_rate,
            max_iter=self.iterations,
            history_size=self.history,
            line_search_fn="strong_wolfe",
            tolerance_grad=0.0,
            tolerance_change=0.0,
        )

    def step(self, objective: Objective, batch: Any) -> FitReport:  # noqa: ANN401
        """Make ``iterations`` iterations on the batch."""
        evaluate = self._closure(objective, batch)
        before = float(self.optimizer.step(evaluate))  # torch returns the loss before the step
        vector = (self.anchor + self.basis @ self.coordinates).detach()
        assign(self.automaton, vector)
        with torch.no_grad():
            after = float(objective.loss(batch))
        return FitReport(
            after, self.learning_rate, converged=0 <= before - after <= self.tolerance * abs(before)
        )

    def _closure(self, objective: Objective, batch: Any) -> Callable[[], Tensor]:  # noqa: ANN401
        parameters = trainable(self.automaton)

        def evaluate() -> Tensor:
            assign(self.automaton, (self.anchor + self.basis @ self.coordinates).detach())
            with torch.enable_grad():
                loss = objective.loss(batch)
                # an emission plays no part in derivative matching
                slopes = torch.autograd.grad(loss, list(parameters.values()), materialize_grads=True)
            self.coordinates.grad = self.basis.T @ flatten(slopes)
            return loss.detach()

        return evaluate

    def lower_rate(self) -> None:
        """Halve the first step length and forget the curvature learned so far."""
        self.learning_rate /= 2
        self._start(self.coordinates.detach().clone())

    def state(self) -> dict[str, Any]:
        """Return the change of variables, the position in it and the optimiser's memory."""
        return {
            "anchor": self.anchor,
            "basis": self.basis,
            "coordinates": self.coordinates.detach(),
            "learning_rate": self.learning_rate,
            "memory": dict(self.optimizer.state.get(self.coordinates, {})),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore :meth:`state`."""
        self.anchor, self.basis = state["anchor"], state["basis"]
        self.learning_rate = float(state["learning_rate"])
        self._start(state["coordinates"].clone())
        if state["memory"]:
            self.optimizer.state[self.coordinates].update(state["memory"])
