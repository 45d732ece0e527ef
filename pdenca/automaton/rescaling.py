"""An automaton on a finer or coarser lattice than it was trained on: the same rule in physical units.

A trained step of time dt on cells of size h stands for a step of the equation,

    z(t + dt) ≈ K z + E * dt R(S z),    K = 1 + dt T,

with T the transport, S the sample and E the emission kernel, and R the reaction per unit time. On cells of
size h' an explicit rule needs n ≈ (h/h')² as many steps to stay stable. What the new kernels have to do to a
wave of wavenumber k is known wherever the old lattice has that wave, |k_a| <= π/h:

    K'(k) = K(k)^(1/n),  S'(k) = S(k)^(1/n),  E'(k) = E(k)^(1/n),

and shorter waves, which the rule has never met, are to be damped as the kernel's second moment says,
exp(-D |k|² dt/n), and at least like the shortest wave it knows. Of the new kernels, of the same reach in
cells, the second moment follows exactly, (h/h')²/n times the old one, and the higher ones by least squares,
weighted by 1/|k|² so that long waves are met best. To first order this is the factor (h/h')^(2m)/n on the
moment of order 2m. That factor alone asks more of a learned kernel than it knows: high moments are only
loosely determined by patterns of several cells' wavelength, and at h/2 they would count 4 and 16 times as
much as the second one; so scaled, the two trained rules tried blew up within a few frames.

The reaction is a rate fitted to steps of dt. An explicit step makes an error dt/2 R'R, which a fitted rate
makes up for; with steps of dt' = dt/n only 1/n of that is needed. So the new rate is, to second order,

    R'(z) = 2 R(z) - R(z + (dt - dt')/2 R(z)),

two evaluations of the rule a step.

Crossed kernels are matrices of kernels, affine in the parameters. What leads from a channel to itself at the
parameters' centre follows the above; the rest, which is small where transport is mostly diffusion, follows
to first order, K'_ij(k) = K_ij(k) / n for i unlike j, and waves the old lattice does not have are left out.
"""

import copy
import math
from itertools import permutations

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError

from .automaton import Automaton
from .lattice import shells
from .moments import UNIT, own_moments
from .perception import IsotropicKernels
from .rule import LocalRule, TransportReaction
from .update import Increment

POINTS_PER_AXIS = 24
LEAST_SYMBOL = 1e-3
"""A wave that a kernel wipes out or turns round is taken for one it damps to this share."""

UNMET_WEIGHT = 0.05
"""Weight of waves the old lattice does not have, beside those it has: enough to keep them damped."""


class FinerReaction(LocalRule):
    """A reaction fitted to steps of one size, for smaller ones: R' = 2 R(z) - R(z + shift R(z)).

    Arguments:
        reaction: R, a rate of change with one output per feature.
        shift: half the difference of the time steps (time).
    """

    def __init__(self, reaction: LocalRule, shift: float) -> None:
        super().__init__()
        self.reaction, self.shift = reaction, shift

    def forward(
        self, features: Float[Tensor, "*cells feature"], parameters: Float[Tensor, "*cells_or_1 parameter"]
    ) -> Float[Tensor, "*cells channel"]:
        """Return the rate for the smaller steps."""
        rate: Tensor = self.reaction(features, parameters)
        moved: Tensor = self.reaction(features + self.shift * rate, parameters)
        return 2 * rate - moved


def can_rescale(automaton: Automaton) -> bool:
    """Tell whether :func:`rescaled` knows what the parts of an automaton mean in physical units."""
    return (
        isinstance(automaton.perception, IsotropicKernels)
        and isinstance(automaton.rule, TransportReaction)
        and isinstance(automaton.update, Increment)
    )


def substeps_for(reference_spacing: float, spacing: float) -> int:
    """Return ceil((h/h')²), the smaller steps that an explicit rule needs for one of its own; at least 1."""
    return max(1, math.ceil((reference_spacing / spacing) ** 2 * (1 - 1e-9)))


def rescaled(automaton: Automaton, spacing: float, num_substeps: int | None = None) -> Automaton:
    """Return the automaton for another spacing and ``num_substeps`` smaller steps for each of its own.

    Arguments:
        automaton: trained; isotropic kernels, crossed or not, transport plus reaction, increments.
        spacing: the new cell size h' (length).
        num_substeps: n; None for :func:`substeps_for`.

    Returns:
        A copy with kernels, time step and steps per frame of its own; at the same spacing and one substep
        equal to the original.

    Raises:
        BadInputError: for other parts, which have no known meaning in physical units, or a count below 1.

    Measured on Gray-Scott (maze and gliders, cells of half the size, pooled VRMSE of frames 6:12): a
    polynomial rule of reach 3 went from 0.038 to 0.058, an MLP whose sample kernel had strayed far from a
    blur from 0.020 to 0.10. :class:`~pdenca.automaton.Interleaved` keeps either score, on periodic grids.
    """
    if not can_rescale(automaton):
        raise BadInputError(
            "only isotropic kernels with transport and reaction can be brought to another spacing, got "
            f"{type(automaton.perception).__name__} and {type(automaton.rule).__name__}; usual cure: the "
            "spacing of training, or a whole fraction of it on a periodic grid"
        )
    perception = automaton.perception
    assert isinstance(perception, IsotropicKernels)
    count = substeps_for(perception.reference_spacing, spacing) if num_substeps is None else num_substeps
    if count < 1:
        raise BadInputError(f"a step is replaced by at least one, got {count}")
    ratio = perception.reference_spacing / spacing
    other = copy.deepcopy(automaton)
    other.time_step = automaton.time_step / count
    other.steps_per_frame = automaton.steps_per_frame * count
    moved, emission = other.perception, other.emission
    assert isinstance(moved, IsotropicKernels)
    dims, step = perception.num_dims, automaton.time_step
    with torch.no_grad():
        transport = _converted(perception.transport * step, perception.radius, dims, ratio, count)
        moved.transport.copy_(transport / other.time_step)
        if perception.sample_radius:
            moved.sample.copy_(_converted(perception.sample, perception.sample_radius, dims, ratio, count))
        moved.reference_spacing = spacing
        if emission is not None:
            emission.moments.copy_(_converted(emission.moments, emission.radius, dims, ratio, count))
            emission.reference_spacing = spacing
    if count > 1:
        rule = other.rule
        assert isinstance(rule, TransportReaction)
        rule.reaction = FinerReaction(rule.reaction, (automaton.time_step - other.time_step) / 2)
    return other


def _converted(moments: Tensor, radius: int, num_dims: int, ratio: float, count: int) -> Tensor:
    """Return the moments of (1 + kernel)^(1/count) - 1 on the other lattice; see above for crossed ones."""
    if ratio == 1 and count == 1:
        return moments.clone()
    if moments.ndim == 2:
        return _fitted(moments, radius, num_dims, ratio, count, diffusive=True)
    own = _fitted(own_moments(moments), radius, num_dims, ratio, count, diffusive=True)
    rest = _fitted(moments.flatten(1), radius, num_dims, ratio, count, diffusive=False).view_as(moments)
    own_moments(rest).copy_(own)
    return rest


def _fitted(
    moments: Float[Tensor, "moment kernel"],
    radius: int,
    num_dims: int,
    ratio: float,
    count: int,
    diffusive: bool,
) -> Float[Tensor, "moment kernel"]:
    """Return the moments of kernels that do to the new lattice's waves what they should.

    Arguments:
        moments: on the old lattice.
        radius: reach (cells).
        num_dims: space axes.
        ratio: spacing of the old lattice / that of the new one.
        count: steps on the new lattice for one on the old one.
        diffusive: whether a kernel damps what it is added to, and its root is taken; else a share of it is.
    """
    angles = (torch.arange(POINTS_PER_AXIS, dtype=torch.float64) + 0.5) * math.pi / POINTS_PER_AXIS
    new = torch.stack(torch.meshgrid(*[angles] * num_dims, indexing="ij"), dim=-1).flatten(0, -2)
    old = ratio * new  # the phase k h of the same wave on the old lattice
    known = (old <= math.pi * (1 + 1e-12)).all(dim=-1)
    learned = UNIT * moments.double().cpu()
    symbol = 1 + _waves(old.clamp_max(math.pi), radius, num_dims) @ learned
    if diffusive:
        diffused = (-learned[0] * old.square().sum(-1, keepdim=True)).exp()
        symbol = torch.where(known[:, None], symbol, torch.minimum(symbol, diffused))
        target = symbol.clamp_min(LEAST_SYMBOL) ** (1 / count) - 1
    else:
        target = torch.where(known[:, None], (symbol - 1) / count, 0.0)
    weight = torch.where(known, 1.0, UNMET_WEIGHT) / new.square().sum(-1)
    basis = UNIT * _waves(new, radius, num_dims)
    second = moments[:1].double().cpu() * ratio**2 / count  # long waves: the diffusivity is kept exactly
    rest = weight[:, None] * (target - basis[:, :1] * second)
    higher = torch.linalg.lstsq(basis[:, 1:] * weight[:, None], rest).solution
    return torch.cat([second, higher]).to(moments)


def _waves(angles: Tensor, radius: int, num_dims: int) -> Tensor:
    """Return what each moment does to each wave: symmetrised products of powers of -4 sin²(k h / 2)."""
    second = -4 * (angles / 2).sin().square()
    columns = [
        torch.stack(
            [
                torch.stack([second[:, axis] ** power for axis, power in enumerate(powers)]).prod(0)
                for powers in set(permutations(name))
            ]
        ).sum(0)
        for name in shells(radius, num_dims)[1:]
    ]
    return torch.stack(columns, dim=1)
