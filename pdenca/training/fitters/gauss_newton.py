"""Gauss-Newton without a matrix: damped steps by conjugate gradients on products with the Jacobian."""

import math
from collections.abc import Callable
from typing import Any, Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdenca.core import NonFiniteError

from ..objectives import Residuals
from .base import FitReport, SmallGains, assign, flatten, trainable, unflatten

Vector = Float[Tensor, " parameter"]


class GaussNewton:
    """Minimise a sum of squares by (JᵀJ + λ diag M) Δ = -Jᵀr, solved by preconditioned conjugate gradients.

    J is never formed: Jᵀ u is a backward pass, J v a backward pass through that one, together a few times the
    price of the roll-out itself, whatever the number of parameters. M approximates JᵀJ and makes few
    iterations enough:

    - ``metric``, the normal matrix of derivative matching, where the caller has one: dense, and brought to
      the scale of this objective by one product. Parameters it does not see (an emission, which acts beyond
      the cell) get their own diagonal entries, by one product each;
    - else the diagonal of JᵀJ, estimated from products with random signs.

    λ is lowered after a step that lowers the loss and raised four-fold until one does.

    Arguments:
        model: what is fitted.
        metric: JᵀJ of a related and cheaper objective, up to a factor.
        damping: first λ.
        iterations: most conjugate-gradient iterations per step.
        forcing: relative residual at which they stop.
        tolerance: three relative gains in a row below it count as converged.
        seed: of the random signs.

    Source: Nocedal and Wright, Numerical Optimization (2006), algorithm 5.3 and section 10.3; Bekas et al.,
    Appl. Numer. Math. 57 (2007) 1214 for the diagonal.
    """

    LARGEST_DAMPING: Final = 1e8
    NUM_PROBES: Final = 32

    def __init__(
        self,
        model: nn.Module,
        *,
        metric: Tensor | None = None,
        damping: float = 1e-3,
        iterations: int = 20,
        forcing: float = 0.03,
        tolerance: float = 1e-3,
        seed: int = 0,
    ) -> None:
        self.model, self.metric, self.damping = model, metric, damping
        self.gains = SmallGains(tolerance)
        self.iterations, self.forcing, self.seed = iterations, forcing, seed
        self.num_steps = 0

    def step(self, objective: Residuals, batch: Any) -> FitReport:  # noqa: ANN401
        """Take one accepted step, raising the damping as often as needed.

        Raises:
            NonFiniteError: if the residuals at the current parameters are not finite.
        """
        jacobian = Jacobian(self.model, objective, batch)
        cost = mean_square(jacobian.residuals)
        if not math.isfinite(cost):
            raise NonFiniteError(
                "the residuals of the fit are not finite at its starting point; usual cure: a stage of "
                "derivative matching before, fewer frames ahead, or another seed"
            )
        slope = jacobian.transposed(jacobian.residuals)
        metric = self._metric(jacobian, slope)
        self.num_steps += 1
        while self.damping < self.LARGEST_DAMPING:

            def product(direction: Tensor) -> Tensor:
                curved = jacobian.transposed(jacobian.times(direction))
                return curved + (self.damping * metric.diagonal * direction).to(direction)

            change = conjugate_gradients(
                product, slope, metric.inverse(self.damping), self.iterations, self.forcing
            )
            trial = jacobian.here - change
            with torch.no_grad():
                trial_cost = mean_square(objective.residuals(unflatten(trial, trainable(self.model)), batch))
            if trial_cost < cost:  # NaN compares as false: the step is refused
                assign(self.model, trial)
                self.damping = max(self.damping / 5, 1e-8)
                return FitReport(trial_cost, self.damping, converged=self.gains.add(cost, trial_cost))
            self.damping *= 4
        self.damping = self.LARGEST_DAMPING
        return FitReport(cost, self.damping, converged=True)

    def _metric(self, jacobian: "Jacobian", slope: Tensor) -> "_Metric":
        if self.metric is None:
            generator = torch.Generator().manual_seed(self.seed + 7919 * self.num_steps)
            return _Metric(jacobian.estimate_diagonal(self.NUM_PROBES, generator))
        matrix = self.metric.clone()
        seen = matrix.diagonal() > 0
        direction = torch.where(seen, _Metric(matrix).inverse(1e-3)(slope), 0)
        expected = float(direction.double() @ matrix @ direction.double())
        matrix *= jacobian.squared(direction) / expected if expected > 0 else 1.0
        for number in (~seen).nonzero().flatten().tolist():
            matrix[number, number] = jacobian.squared(_unit(number, slope))
        return _Metric(matrix)

    def lower_rate(self) -> None:
        """Raise the damping a hundredfold."""
        self.damping *= 100

    def state(self) -> dict[str, Any]:
        """Return the damping, small gains, the metric and the number of steps, which seeds the signs."""
        return {
            "damping": self.damping,
            "small_gains": self.gains.count,
            "num_steps": self.num_steps,
            "metric": self.metric,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore :meth:`state`."""
        self.damping, self.num_steps = float(state["damping"]), int(state["num_steps"])
        self.gains.count = int(state["small_gains"])
        self.metric = state["metric"]


class Jacobian:
    """The derivative J of the residuals at the model's parameters, as products; scaled by 1 / √count.

    Arguments:
        model: what is fitted.
        objective: offers the residuals.
        batch: their data.
    """

    def __init__(self, model: nn.Module, objective: Residuals, batch: Any) -> None:  # noqa: ANN401
        like = trainable(model)
        self.here = flatten(like.values()).detach()
        with torch.enable_grad():
            self._at = self.here.clone().requires_grad_()
            self._values = objective.residuals(unflatten(self._at, like), batch)
            self._dual = torch.zeros_like(self._values, requires_grad=True)
            # Jᵀ u as a function of u: what differentiates it once more is J v
            (self._pulled,) = torch.autograd.grad(self._values, self._at, self._dual, create_graph=True)
        self._count = self._values.numel()

    @property
    def residuals(self) -> Tensor:
        """The residuals r."""
        return self._values.detach()

    def transposed(self, vector: Tensor) -> Tensor:
        """Return Jᵀ u / count."""
        (product,) = torch.autograd.grad(self._values, self._at, vector, retain_graph=True)
        return product / self._count

    def times(self, direction: Tensor) -> Tensor:
        """Return J v."""
        (product,) = torch.autograd.grad(self._pulled, self._dual, direction, retain_graph=True)
        return product

    def squared(self, direction: Tensor) -> float:
        """Return |J v|² / count."""
        return mean_square(self.times(direction))

    def estimate_diagonal(self, num_probes: int, generator: torch.Generator) -> Tensor:
        """Estimate the diagonal of JᵀJ / count from products with random signs, in float64."""
        diagonal = torch.zeros_like(self.here, dtype=torch.float64)
        for _ in range(num_probes):
            signs = torch.randint(2, (self._count,), generator=generator).to(self._values) * 2 - 1
            diagonal += self.transposed(signs).double().square() * (self._count / num_probes)
        return diagonal


def _unit(number: int, like: Tensor) -> Tensor:
    direction = torch.zeros_like(like)
    direction[number] = 1
    return direction


class _Metric:
    """An approximate JᵀJ, dense or diagonal, in float64: scale of the damping, and preconditioner."""

    def __init__(self, values: Tensor) -> None:
        diagonal = values if values.ndim == 1 else values.diagonal()
        # what these data cannot tell apart still gets some stiffness
        self._floor = 1e-8 * float(diagonal.max())
        self._matrix = None if values.ndim == 1 else values
        self.diagonal = diagonal + self._floor

    def inverse(self, damping: float) -> Callable[[Tensor], Tensor]:
        """Return what solves (M + λ diag M) y = v."""
        if self._matrix is None:
            scale = (1 + damping) * self.diagonal
            return lambda vector: (vector.double() / scale).to(vector)
        damped = self._matrix + torch.diag(damping * self.diagonal + self._floor)
        factor = torch.linalg.cholesky(damped)
        return lambda vector: torch.cholesky_solve(vector.double()[:, None], factor)[:, 0].to(vector)


def mean_square(values: Tensor) -> float:
    """Return the mean of squares, summed in float64."""
    return float(values.detach().double().square().mean())


def conjugate_gradients(
    product: Callable[[Tensor], Tensor],
    right: Vector,
    precondition: Callable[[Tensor], Tensor],
    iterations: int,
    forcing: float,
) -> Vector:
    """Solve A x = b for a symmetric positive definite A given by its products.

    Arguments:
        product: v -> A v.
        right: b.
        precondition: v -> approximately A⁻¹ v, symmetric positive definite.
        iterations: most iterations.
        forcing: residual, relative to b in the preconditioner's norm, at which to stop.

    Returns:
        The last iterate; a direction of negative curvature, possible through rounding only, ends the
        iteration.
    """
    solution = torch.zeros_like(right)
    residual = right.clone()
    scaled = precondition(residual)
    direction = scaled
    squared = first = float(residual.double() @ scaled.double())
    for _ in range(iterations):
        if not squared > forcing**2 * first:
            break
        image = product(direction)
        curvature = float(direction.double() @ image.double())
        if not curvature > 0:
            break
        length = squared / curvature
        solution = solution + length * direction
        residual = residual - length * image
        scaled = precondition(residual)
        following = float(residual.double() @ scaled.double())
        direction = scaled + following / squared * direction
        squared = following
    return solution
