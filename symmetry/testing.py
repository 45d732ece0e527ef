"""Does a step commute with a symmetry? Measured exactly, for any step: solver, automaton, baseline."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError, NonFiniteError, Repeated, Step
from pdenca.core.field import Kind

from .actions import act, translate
from .groups import Group

ROUND_OFF_UNITS = 256
"""How many machine epsilons per step :func:`assert_equivariant` forgives unless told otherwise."""


def round_off(dtype: torch.dtype, num_steps: int = 1) -> float:
    """Return the relative difference that rounding alone may cause.

    A rotated sum is added up in another order, so an equivariant step agrees with its rotated self only up to
    rounding: 256 machine epsilons per step, that is 3.1e-5 in float32 and 5.7e-14 in float64 for one step.

    Arguments:
        dtype: floating point type of the state.
        num_steps: how many steps are taken.

    Returns:
        The tolerance, relative to the largest value of the result.
    """
    return ROUND_OFF_UNITS * num_steps * torch.finfo(dtype).eps


def equivariance_residuals(
    step: Step,
    group: Group,
    state: Float[Tensor, "batch channel *space"],
    kinds: Sequence[Kind] | None = None,
    num_steps: int = 1,
    translations: Sequence[Sequence[int]] = (),
) -> dict[str, float]:
    """Measure how far a step is from commuting with a group.

    For every element g the residual is max |step(g x) - g step(x)| / max |step(x)|, the maxima over all
    cells, channels and trajectories: 0 up to rounding for an equivariant step, and for one that prefers a
    direction of the order of what that preference changes.

    Arguments:
        step: a deterministic step. A context that varies in space breaks the symmetry of the step by itself.
        group: the rotations and reflections to try; square grids unless it is C2 or D2.
        state: where to begin; random values show most, a symmetric state shows little.
        kinds: how the fields transform, as in :func:`pdenca.symmetry.act`; None: all scalars.
        num_steps: how many steps to take before comparing.
        translations: shifts in whole cells per axis to try as well, meaningful on periodic domains only.

    Returns:
        Element name, or ``"shift (1, 0)"``, -> residual.

    Raises:
        BadInputError: if the step is random, or if the state is constant in space or the result zero, so that
            nothing could fail.
        NonFiniteError: if the step makes values that are not finite.
    """
    if not step.deterministic:
        raise BadInputError(
            "got a step that is not deterministic: two runs differ with or without symmetry; usual cure: "
            "fix the firing masks or set the firing rate to 1"
        )
    pattern = state.flatten(2)
    if bool((pattern == pattern[..., :1]).all()):
        raise BadInputError(
            "the state is constant in space, so nothing can be seen; usual cure: torch.rand(...)"
        )
    many = Repeated(step, num_steps)

    def advance(fields: Tensor) -> Tensor:
        advanced = many(fields)
        if not torch.isfinite(advanced).all():
            raise NonFiniteError(
                f"the step made values that are not finite within {num_steps} steps; usual cure: a smaller "
                "time step or an initial state in the range the step was made for"
            )
        return advanced

    moves: dict[str, Callable[[Tensor], Tensor]] = {
        element.name: partial(act, element, kinds=kinds) for element in group
    }
    moves |= {f"shift {tuple(shift)}": partial(translate, shift) for shift in translations}
    with torch.no_grad():
        result = advance(state)
        scale = float(result.abs().max())
        if scale == 0:
            raise BadInputError(
                "the step's result is zero everywhere, so nothing can be seen; usual cure: torch.rand(...)"
            )
        return {
            name: float((advance(move(state)) - move(result)).abs().max()) / scale
            for name, move in moves.items()
        }


def assert_equivariant(
    step: Step,
    group: Group,
    state: Float[Tensor, "batch channel *space"],
    kinds: Sequence[Kind] | None = None,
    num_steps: int = 1,
    translations: Sequence[Sequence[int]] = (),
    tolerance: float | None = None,
) -> None:
    """Fail unless a step commutes with every element of a group, up to rounding.

    Arguments:
        step: a deterministic step.
        group: the rotations and reflections to try.
        state: where to begin; random values show most.
        kinds: how the fields transform; None: all scalars.
        num_steps: how many steps to take before comparing; an unstable or chaotic step amplifies rounding, so
            keep it small.
        translations: shifts in whole cells per axis to try as well.
        tolerance: largest residual allowed; None: :func:`round_off` of the state's dtype.

    Raises:
        AssertionError: with the worst element, its residual and the usual cure.
        BadInputError: as in :func:`equivariance_residuals`.
        NonFiniteError: as in :func:`equivariance_residuals`.
    """
    residuals = equivariance_residuals(step, group, state, kinds, num_steps, translations)
    allowed = round_off(state.dtype, num_steps) if tolerance is None else tolerance
    worst = max(residuals, key=lambda name: residuals[name])
    if residuals[worst] > allowed:
        num_failed = sum(residual > allowed for residual in residuals.values())
        raise AssertionError(
            f"the step does not commute with {worst!r}: residual {residuals[worst]:.3g}, expected at most "
            f"{allowed:.3g} ({num_failed} of {len(residuals)} moves fail, {group.name}, {num_steps} steps); "
            "usual cure: constrain the layers to the group, or check boundaries, stencil and field kinds"
        )
