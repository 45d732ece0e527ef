"""Levenberg-Marquardt: damped Gauss-Newton for small rules."""

from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.func import jacfwd, jacrev, vmap

from pdenca.core import NonFiniteError

from ..objectives import LeastSquares
from .base import FitReport, SmallGains, assign, flatten, trainable, unflatten


class LevenbergMarquardt:
    """Minimise a sum of squares by (JᵀJ + λ diag(JᵀJ)) Δ = -Jᵀr, with λ adapted to success.

    The damping is lowered five-fold after a step that lowers the loss and raised four-fold until one does.
    Scaling by the diagonal makes the steps indifferent to the units of the parameters, which differ a
    hundredfold between reaction terms and the high moments of a kernel. The Jacobian is taken sample by
    sample, backwards where a sample has fewer residuals than there are parameters, forwards otherwise, and
    only JᵀJ is kept.

    Limits: memory and time grow with the square of the number of parameters; meant for up to about a
    thousand.

    Arguments:
        automaton: the model.
        damping: first λ.
        tolerance: three relative gains in a row below it count as converged, unless the damping was so large
            that a step was a short one: then it is a plateau, from which later steps find away.
        chunk: samples whose Jacobian is held at once.

    Source: Marquardt, J. SIAM 11 (1963), eq. 18-20.
    """

    LARGEST_DAMPING: Final = 1e8
    SHORT_STEPS: Final = 1e-2
    """Damping from which a small gain tells of short steps, not of a minimum."""

    def __init__(
        self, automaton: nn.Module, *, damping: float = 1e-2, tolerance: float = 1e-3, chunk: int = 2048
    ) -> None:
        self.automaton, self.damping, self.chunk = automaton, damping, chunk
        self.gains = SmallGains(tolerance)

    def step(self, objective: LeastSquares, batch: tuple[Tensor, ...]) -> FitReport:
        """Take one accepted step, raising the damping as often as needed.

        Raises:
            NonFiniteError: if the residuals at the current parameters are not finite.
        """
        like = trainable(self.automaton)
        vector = flatten(like.values()).detach()
        matrix, gradient, cost = normal_equations(self.automaton, objective, batch, self.chunk)
        if not bool(torch.isfinite(cost)):
            raise NonFiniteError(
                "the residuals of the fit are not finite at its starting point; usual cure: check the data "
                "with `pdenca check` and start from another seed"
            )
        diagonal = matrix.diagonal()
        scale = torch.diag(diagonal + 1e-10 * diagonal.max())
        first = (part[0] for part in batch)
        count = len(batch[0]) * objective.sample_residuals(like, *first).numel()
        while self.damping < self.LARGEST_DAMPING:
            change = torch.linalg.solve(matrix + self.damping * scale, gradient)
            trial = vector - change.to(vector)
            trial_cost = sum_of_squares(objective, unflatten(trial, like), batch, self.chunk * 8)
            if bool(trial_cost < cost):  # NaN compares as false: the step is refused
                assign(self.automaton, trial)
                converged = self.gains.add(float(cost), float(trial_cost))
                if self.damping >= self.SHORT_STEPS:
                    converged, self.gains.count = False, 0
                self.damping = max(self.damping / 5, 1e-10)
                return FitReport(float(trial_cost) / count, self.damping, converged)
            self.damping *= 4
        return FitReport(float(cost) / count, self.damping, converged=True)

    def lower_rate(self) -> None:
        """Raise the damping a hundredfold."""
        self.damping *= 100

    def state(self) -> dict[str, Any]:
        """Return the damping and how many gains were small."""
        return {"damping": self.damping, "small_gains": self.gains.count}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore :meth:`state`."""
        self.damping, self.gains.count = float(state["damping"]), int(state["small_gains"])


def normal_equations(
    automaton: nn.Module, objective: LeastSquares, batch: tuple[Tensor, ...], chunk: int = 2048
) -> tuple[Tensor, Tensor, Tensor]:
    """Return (JᵀJ, Jᵀr, rᵀr) of an objective at the automaton's parameters, in float64.

    Arguments:
        automaton: the model.
        objective: offers ``sample_residuals``.
        batch: tensors whose first axis is the sample.
        chunk: samples whose Jacobian is held at once.
    """
    like = trainable(automaton)
    vector = flatten(like.values()).detach()

    def residuals(flat: Tensor, *sample: Tensor) -> Tensor:
        return objective.sample_residuals(unflatten(flat, like), *sample).reshape(-1)

    num_residuals = residuals(vector, *(part[0] for part in batch)).numel()
    differentiate = jacrev if num_residuals < vector.numel() else jacfwd

    def both(flat: Tensor, *sample: Tensor) -> tuple[Tensor, Tensor]:
        value = residuals(flat, *sample)
        return value, value

    jacobian = vmap(differentiate(both, has_aux=True), in_dims=(None, *(0 for _ in batch)))
    size = vector.numel()
    matrix = torch.zeros(size, size, dtype=torch.float64, device=vector.device)
    gradient = torch.zeros(size, dtype=torch.float64, device=vector.device)
    cost = torch.zeros((), dtype=torch.float64, device=vector.device)
    for part in zip(*(torch.split(tensor, chunk) for tensor in batch), strict=True):
        rows, values = jacobian(vector, *part)
        rows, values = rows.reshape(-1, size).double(), values.reshape(-1).double()
        matrix += rows.T @ rows
        gradient += rows.T @ values
        cost += values @ values
    return matrix, gradient, cost


def sum_of_squares(
    objective: LeastSquares, parameters: dict[str, Tensor], batch: tuple[Tensor, ...], chunk: int
) -> Tensor:
    """Return rᵀr at other parameters."""
    residuals = vmap(objective.sample_residuals, in_dims=(None, *(0 for _ in batch)))
    total = torch.zeros((), dtype=torch.float64, device=batch[0].device)
    with torch.no_grad():
        for part in zip(*(torch.split(tensor, chunk) for tensor in batch), strict=True):
            total += residuals(parameters, *part).double().square().sum()
    return total
