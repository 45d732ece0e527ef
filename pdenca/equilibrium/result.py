"""What a search for fixed points hands back."""

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

from pdenca.core import IncompleteError

REASONS = ("converged", "max evaluations", "not finite", "stagnated", "diverged", "not repeatable")


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """Where a search ended, sample by sample; not necessarily at a fixed point: see ``converged``.

    Nothing here says that the fixed point is *stable*: Newton's and quasi-Newton methods find unstable ones
    too. See :func:`~pdenca.equilibrium.stability_of`.

    Arguments:
        state: the iterate of smallest relative residual, z (unit of the state).
        converged: whether the tolerances hold there, by a fresh evaluation.
        residuals: ‖f(z) - z‖ / ‖f(z)‖ at ``state``, of f itself, undamped; infinite if f is not finite.
        rates: ``residuals`` per unit of time (1/time); None if no time step is known.
        history: relative residual of every evaluation of a sample in order; NaN after its last one.
        evaluations: of f, not counting the one that verifies the result.
        products: of the Jacobian with vectors; each costs about one to three evaluations.
        reason: why the search ended: "converged"; "max evaluations"; "not finite": f gave a NaN or an
            infinity, or the start held one; "stagnated": the residual no longer fell; "diverged": the state
            grew without bound; "not repeatable": the verification did not find what the search had found.
    """

    state: Float[Tensor, " batch *shape"]
    converged: Bool[Tensor, " batch"]
    residuals: Float[Tensor, " batch"]
    rates: Float[Tensor, " batch"] | None
    history: Float[Tensor, "evaluation batch"]
    evaluations: Int[Tensor, " batch"]
    products: Int[Tensor, " batch"]
    reason: tuple[str, ...]

    def require_converged(self) -> "FixedPoint":
        """Return self.

        Raises:
            IncompleteError: if a sample did not converge.
        """
        failed = [number for number, fine in enumerate(self.converged.tolist()) if not fine]
        if failed:
            worst = failed[0]
            raise IncompleteError(
                f"{len(failed)} of {len(self.reason)} samples reached no fixed point; sample {worst}: "
                f"{self.reason[worst]}, relative residual {float(self.residuals[worst]):.2e}; usual cure: "
                "more max_evaluations, another method or start, or a larger tolerance"
            )
        return self
