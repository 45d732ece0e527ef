"""A rule on a finer periodic lattice, with neighbours as far away as it learned them."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError, Context, Step
from pdenca.solvers.grid import Grid

from .automaton import Automaton
from .perception import spacing_of
from .rescaling import can_rescale, rescaled

Finer = Literal["substeps", "interleaved"]
"""How a rule works on finer cells than it was trained on."""


@dataclass(frozen=True, eq=False)
class Interleaved:
    """A Step on a lattice ``factor`` times as fine: every cell looks ``factor`` cells away.

    The fine lattice falls into factor^d coarse ones, each of which the rule advances as it was trained to,
    with the same time step. In physical units nothing about the rule has changed, so it is as accurate and as
    stable as on its own cells, and no better: the fine cells' own differences are not used. The coarse
    lattices do not see each other, so what differs between neighbouring cells by noise is never smoothed.

    Arguments:
        step: on the coarse lattice, bound to the parameters of every coarse lattice, see :meth:`bind`.
        factor: how much finer the lattice is.
        coarse: the lattice of the step.
    """

    step: Step
    factor: int
    coarse: Grid

    @classmethod
    def bind(
        cls,
        automaton: Automaton,
        lattice: Grid,
        context: Context,
        factor: int,
        generator: torch.Generator | None = None,
    ) -> "Interleaved":
        """Bind an automaton to a lattice ``factor`` times finer than its own.

        Raises:
            BadInputError: unless the lattice is periodic and its cells divide by the factor.
        """
        if not lattice.is_periodic or any(cells % factor for cells in lattice.shape):
            raise BadInputError(
                f"a rule can look every {factor}th cell away on a periodic grid whose cells divide by "
                f"{factor}, got {lattice.shape} cells with boundaries {lattice.boundaries}; usual cure: "
                "substeps"
            )
        shape = tuple(cells // factor for cells in lattice.shape)
        coarse = Grid(shape, tuple(h * factor for h in lattice.spacing), lattice.boundaries)
        parts = factor**lattice.num_dims
        told = {
            name: value.repeat_interleave(parts, 0)
            if value.ndim == 1
            else _split(value[:, None], factor)[:, 0]
            for name, value in context.items()
        }
        return cls(automaton.bind(coarse, told, generator), factor, coarse)

    @property
    def time_step(self) -> float:
        """That of the step."""
        return self.step.time_step

    @property
    def deterministic(self) -> bool:
        """Deterministic exactly if the step is."""
        return self.step.deterministic

    def __call__(self, state: Float[Tensor, "batch channel *space"]) -> Float[Tensor, "batch channel *space"]:
        """Advance every coarse lattice."""
        return _join(self.step(_split(state, self.factor)), self.factor)


def _split(state: Tensor, factor: int) -> Tensor:
    """Make the interleaved coarse lattices entries of the batch."""
    axes = state.ndim - 2
    for axis in range(axes):  # every split axis becomes (coarse cells, factor)
        state = state.unflatten(2 + 2 * axis, (-1, factor))
    inner = [3 + 2 * axis for axis in range(axes)]
    outer = [2 + 2 * axis for axis in range(axes)]
    return state.permute(0, *inner, 1, *outer).flatten(0, axes)


def _join(state: Tensor, factor: int) -> Tensor:
    """Undo :func:`_split`."""
    axes = state.ndim - 2
    state = state.unflatten(0, (-1, *(factor,) * axes))
    order = [0, 1 + axes]
    for axis in range(axes):
        order += [2 + axes + axis, 1 + axis]
    state = state.permute(order)
    for axis in range(axes):
        state = state.flatten(2 + axis, 3 + axis)
    return state


def bind_anywhere(
    automaton: Automaton,
    reference_spacing: float,
    lattice: Grid,
    context: Context,
    generator: torch.Generator | None = None,
    finer: Finer = "substeps",
) -> Step:
    """Bind an automaton to a lattice of any spacing, so that it stays the same rule in physical units.

    On the spacing of training it is bound as it is. On finer cells ``"substeps"`` converts its kernels and
    takes ceil((h0/h)²) smaller steps for each of its own (:func:`~pdenca.automaton.rescaling.rescaled`), and
    ``"interleaved"`` lets it look every n-th cell away. Rules whose parts have no known meaning in physical
    units are always interleaved. On coarser cells the kernels are converted and the steps stay.

    Arguments:
        automaton: trained at ``reference_spacing``.
        reference_spacing: h0 (length).
        lattice: the grid.
        context: parameter values.
        generator: source of firing masks.
        finer: what to do on finer cells.

    Raises:
        BadInputError: if the rule cannot work at this spacing.
    """
    spacing = spacing_of(lattice)
    ratio = reference_spacing / spacing
    if math.isclose(ratio, 1, rel_tol=1e-6):
        return automaton.bind(lattice, context, generator)
    known = can_rescale(automaton)
    whole = round(ratio) if round(ratio) > 1 and math.isclose(ratio, round(ratio), rel_tol=1e-6) else 0
    if whole and (finer == "interleaved" or not known):
        return Interleaved.bind(automaton, lattice, context, whole, generator)
    if not known or (finer == "interleaved" and ratio > 1):
        raise BadInputError(
            f"the rule was trained on cells of size {reference_spacing:g} and has no meaning on cells of "
            f"{spacing:g}; usual cure: isotropic kernels with substeps, or a spacing that divides that of "
            "training"
        )
    return rescaled(automaton, spacing).bind(lattice, context, generator)
