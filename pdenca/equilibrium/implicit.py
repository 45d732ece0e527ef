"""Fixed points as a differentiable function of whatever the map depends on."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor
from torch.autograd.function import once_differentiable

from pdenca.core import Settings

from .gmres import gmres
from .linearisation import Linearisation
from .neutral import NullModes, neutral_basis, without
from .result import FixedPoint
from .rows import Map, Mask, RowMap, sizes
from .solve import solve, solver

# share of a loss's gradient along a neutral direction from which on the loss counts as not invariant
_NOT_INVARIANT: Final = 1e-3


class EquilibriumSettings(Settings):
    """How a fixed point is searched for and differentiated.

    Arguments:
        method: of the search; see :func:`~pdenca.equilibrium.solve` for this and the next four.
        options: of the method.
        tolerance: of the relative residual.
        rate_tolerance: of the relative residual per time (1/time).
        max_evaluations: of the map.
        gradient: "implicit", exact at a fixed point; "jacobian-free", the derivative of one application, as
            if J were 0; "phantom", of ``phantom_steps`` applications. The last two need no linear solve and
            point downhill where the map is a contraction.
        phantom_steps: applications k.
        phantom_damping: d of (1 - d) z + d f(z) in each of them.
        backward_tolerance: relative residual of the linear system of "implicit".
        backward_products: products with Jᵀ at most.
        backward_basis: products per cycle of GMRES; this many states are stored during the backward pass.
        on_failure: "record" keeps quiet and leaves it to the record; "raise" raises when the search fails.
    """

    method: str = "anderson"
    options: dict[str, Any] = Field(default_factory=dict)
    tolerance: float = Field(default=1e-6, ge=0)
    rate_tolerance: float | None = Field(default=None, ge=0)
    max_evaluations: int = Field(default=200, ge=1)
    gradient: Literal["implicit", "jacobian-free", "phantom"] = "implicit"
    phantom_steps: int = Field(default=5, ge=1)
    phantom_damping: float = Field(default=1.0, gt=0, le=1)
    backward_tolerance: float = Field(default=1e-6, ge=0)
    backward_products: int = Field(default=200, ge=1)
    backward_basis: int = Field(default=50, ge=1)
    on_failure: Literal["record", "raise"] = "record"

    @model_validator(mode="after")
    def _check_method(self) -> "EquilibriumSettings":
        solver(self.method, self.options)
        return self


@dataclass(frozen=True, eq=False)
class AdjointReport:
    """How the linear system of a backward pass was solved, sample by sample.

    Arguments:
        residuals: ‖g - (I - Jᵀ) w‖ / ‖g‖, g without its neutral part.
        products: with Jᵀ.
        converged: whether the residual is below its tolerance.
        near_singular: whether I - J is singular, or nearly so, along a direction that g has a part in: the
            fixed point is not isolated, or close to a bifurcation, and a gradient along that direction does
            not exist or is huge.
        neutral_share: part of g along the null modes, which was left out; 0 if the loss is invariant.
        reason: "converged", "max products", "stagnated", "near-null direction", "loss not invariant" (of a
            converged solve: more than a thousandth of g was left out), "no fixed point" (no gradient flows
            from this sample) or "not finite" (the incoming gradient was not).
    """

    residuals: Float[Tensor, " batch"]
    products: Int[Tensor, " batch"]
    converged: Bool[Tensor, " batch"]
    near_singular: Bool[Tensor, " batch"]
    neutral_share: Float[Tensor, " batch"]
    reason: tuple[str, ...]


@dataclass
class EquilibriumRecord:
    """What happened in the last call of :func:`fixed_point` that was given this record.

    Arguments:
        solution: of the search.
        adjoint: of the last backward pass; None before, and for gradients without a linear system.
    """

    solution: FixedPoint | None = None
    adjoint: AdjointReport | None = None


def fixed_point(
    step: Map,
    start: Float[Tensor, " batch *shape"],
    settings: EquilibriumSettings | None = None,
    *,
    null_modes: NullModes | None = None,
    record: EquilibriumRecord | None = None,
) -> Float[Tensor, " batch *shape"]:
    """Return z = f(z), differentiable in everything that ``step`` holds or closes over.

    The search runs without a graph: its memory does not depend on how long it takes. By the implicit function
    theorem a change of parameters θ moves the fixed point by (I - J)⁻¹ ∂f/∂θ, so a gradient g = ∂loss/∂z
    becomes

        ∂loss/∂θ = wᵀ ∂f/∂θ,   (I - Jᵀ) w = g,

    solved by GMRES on products Jᵀw, whether or not the fixed point is stable. It is the gradient of the loss
    only as far as z is a fixed point: look into ``record``. No gradient goes to ``start``, on which a fixed
    point does not depend, and none flows twice: gradients of gradients are refused.

    Where symmetries turn one fixed point into a family, I - J is singular along ``null_modes`` T. Then the
    bordered system is solved in which a pattern may drift along T,

        P (I - Jᵀ) w = P g,   Tᵀ w = 0,   P = I - T Tᵀ,

    which gives the gradient of losses that do not change along T. The place of a pattern has no gradient; a
    loss that depends on it is reported as "loss not invariant", and only its invariant part is followed.

    Arguments:
        step: f; parameters, inputs and context are those that it closes over.
        start: z₀.
        settings: of search and gradient.
        null_modes: state -> neutral directions, where there are any.
        record: is told how the search and each backward pass went.

    Returns:
        The best state found, whatever the kind of gradient; attached to the graph also if the search stopped
        at once. Samples without a finite f(z) get no gradient.

    Raises:
        BadInputError: as :func:`~pdenca.equilibrium.solve`.
        IncompleteError: if a sample did not converge and ``on_failure`` is "raise".

    Source: Bai et al., Deep equilibrium models (NeurIPS 2019); Fung et al., JFB (AAAI 2022) for
    "jacobian-free"; Geng et al., On training implicit models (NeurIPS 2021), eq. 14, for "phantom".
    """
    settings = EquilibriumSettings() if settings is None else settings
    found = solve(
        step,
        start,
        method=settings.method,
        tolerance=settings.tolerance,
        rate_tolerance=settings.rate_tolerance,
        max_evaluations=settings.max_evaluations,
        **settings.options,
    )
    if record is not None:
        record.solution, record.adjoint = found, None
    if settings.on_failure == "raise":
        found.require_converged()
    if not torch.is_grad_enabled():
        return found.state
    map = RowMap(step, found.state)
    fine = found.residuals.isfinite()
    point = torch.where(fine[:, None], map.rows(found.state), 0)
    attached = point
    implicit = settings.gradient == "implicit"
    damping = settings.phantom_damping if settings.gradient == "phantom" else 1.0
    for _ in range(settings.phantom_steps if settings.gradient == "phantom" else 1):
        attached = (1 - damping) * attached + damping * map(attached) if damping < 1 else map(attached)
    if not attached.requires_grad:
        return found.state
    adjoint = _Adjoint(map, point, fine, settings, null_modes, record) if implicit else None
    result: Tensor = _Attach.apply(attached, map.rows(found.state), fine, adjoint)  # type: ignore[no-untyped-call]
    return map.states(result)


class _Attach(torch.autograd.Function):
    """The state, with gradients that go on into one or several applications of f at that state."""

    @staticmethod
    def forward(ctx: Any, attached: Tensor, state: Tensor, fine: Mask, adjoint: Any) -> Tensor:  # noqa: ANN401
        ctx.fine, ctx.adjoint = fine, adjoint
        return state.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:  # noqa: ANN401
        gradient = torch.where(ctx.fine[:, None], gradient, 0)
        return gradient if ctx.adjoint is None else ctx.adjoint(gradient), None, None, None


class _Adjoint:
    """Solves (I - Jᵀ) w = g and writes down how that went."""

    def __init__(
        self,
        map: RowMap,
        point: Tensor,
        fine: Mask,
        settings: EquilibriumSettings,
        null_modes: NullModes | None,
        record: EquilibriumRecord | None,
    ) -> None:
        self.map, self.point, self.fine, self.settings = map, point, fine, settings
        self.null_modes, self.record = null_modes, record

    @torch.no_grad()
    def __call__(self, gradient: Tensor) -> Tensor:
        known = gradient.isfinite().all(1)
        basis = None
        if self.null_modes is not None:
            basis = neutral_basis(self.null_modes, self.map, self.map.states(self.point))
        clean = torch.where(known[:, None], gradient, 0)
        right = without(clean, basis)
        linear = Linearisation(self.map, self.point)
        solved = gmres(
            lambda w: without(w - linear.transposed_times(w), basis),
            right,
            self.settings.backward_tolerance,
            max_products=self.settings.backward_products,
            basis_size=self.settings.backward_basis,
        )
        length = sizes(clean)
        share = torch.where(length > 0, sizes(clean - right) / length, 0)
        if self.record is not None:
            spent = solved.products >= self.settings.backward_products
            self.record.adjoint = AdjointReport(
                residuals=solved.residuals,
                products=solved.products,
                converged=solved.converged & known & self.fine,
                near_singular=solved.near_singular,
                neutral_share=share,
                reason=tuple(
                    map(
                        _reason,
                        self.fine.tolist(),
                        known.tolist(),
                        solved.converged.tolist(),
                        solved.near_singular.tolist(),
                        (share > _NOT_INVARIANT).tolist(),
                        spent.tolist(),
                    )
                ),
            )
        # a loss that is not finite stays so, for all to see
        return torch.where(known[:, None], solved.solution, gradient)


def _reason(fine: bool, known: bool, converged: bool, singular: bool, moves: bool, spent: bool) -> str:
    if not fine:
        return "no fixed point"
    if not known:
        return "not finite"
    if singular:
        return "near-null direction"
    if converged:
        return "loss not invariant" if moves else "converged"
    return "max products" if spent else "stagnated"
