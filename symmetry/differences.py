"""The kernels of a group told by derivatives: which products of finite differences commute with it."""

import itertools
import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError

from .groups import Element, Group

Powers = tuple[int, ...]
"""How often a kernel differentiates along each axis."""


@dataclass(frozen=True)
class DifferenceBasis:
    """A basis of the kernels between scalars that commute with a group, by order of derivative.

    Along one axis the central differences of order 0 ... 2r (even orders δ^2j, odd ones half of
    δ^2j (shift forwards - shift backwards)) span all kernels of 2r + 1 taps, and their products over the
    axes, δ^p = δ_1^p1 δ_2^p2 ..., all kernels of the square or cube. A rotation or reflection takes a product
    to another one, with a sign if it turns round an axis of odd order, so that the average over a group is a
    signed sum over an orbit of products:

        member m = Σ_{p in orbit m} σ_mp δ^p   ~   Σ_{p in orbit m} σ_mp h^|p| ∂^p.

    It spans the same kernels as :func:`~pdenca.symmetry.kernel_basis`; the members are not orthogonal, but
    each weighs derivatives of one order |p|, so a weight means something and scales with the spacing as
    h^-|p|. The average itself, the cell, is no member: a homogeneous state gives zero.

    Arguments:
        group: the symmetries.
        radius: reach r (cells), at least 0.

    Raises:
        BadInputError: for a negative reach.
    """

    group: Group
    radius: int

    def __post_init__(self) -> None:
        if self.radius < 0:
            raise BadInputError(f"a kernel needs a radius of at least 0, got {self.radius}")

    @cached_property
    def powers(self) -> tuple[Powers, ...]:
        """All products of differences but the cell itself, of low order first."""
        found = itertools.product(range(2 * self.radius + 1), repeat=self.group.num_dims)
        ordered = sorted(found, key=lambda powers: (sum(powers), [-power for power in powers]))
        return tuple(ordered[1:])

    @cached_property
    def signs(self) -> Float[Tensor, "member product"]:
        """Return σ: +1 or -1 where a product belongs to a member, else 0; every product to one at most."""
        place = {powers: number for number, powers in enumerate(self.powers)}
        seen: set[Powers] = set()
        rows = []
        for powers in self.powers:
            if powers in seen:
                continue
            images = [_image(element, powers) for element in self.group]
            seen |= {image for image, _ in images}
            row = torch.zeros(len(self.powers), dtype=torch.float64)
            for image, sign in images:
                row[place[image]] += sign
            if bool(row.any()):
                rows.append(row.sign() * row[place[powers]].sign())
        return torch.stack(rows) if rows else torch.zeros(0, len(self.powers), dtype=torch.float64)

    @cached_property
    def names(self) -> tuple[Powers, ...]:
        """The first product of each member."""
        return tuple(self.powers[int(row.abs().argmax())] for row in self.signs)

    @property
    def orders(self) -> tuple[int, ...]:
        """The order of derivative of each member."""
        return tuple(sum(powers) for powers in self.names)

    @cached_property
    def kernels(self) -> Float[Tensor, " member *taps"]:
        """The members as kernels, applied as Σ_s K(s) f(x + s)."""
        size = 2 * self.radius + 1
        products = torch.zeros(len(self.powers), *(size,) * self.group.num_dims, dtype=torch.float64)
        for number, powers in enumerate(self.powers):
            product = torch.ones((), dtype=torch.float64)
            for power in powers:
                product = product[..., None] * difference(power, self.radius)
            products[number] = product
        return torch.einsum("mp, p... -> m...", self.signs, products)

    def average(
        self, weights: Float[Tensor, "other channel"], basis: "DifferenceBasis"
    ) -> Float[Tensor, "member channel"]:
        """Return the weights, in this basis, of the average over this group of kernels of another basis.

        Arguments:
            weights: of the kernels, one row per member of ``basis``.
            basis: of any group on as many axes, and of at most this reach.

        Raises:
            BadInputError: if it does not fit.
        """
        if basis.group.num_dims != self.group.num_dims or basis.radius > self.radius:
            raise BadInputError(
                f"kernels of reach {basis.radius} on {basis.group.num_dims} axes do not fit a basis of reach "
                f"{self.radius} on {self.group.num_dims}"
            )
        place = {powers: number for number, powers in enumerate(self.powers)}
        spread = torch.zeros(len(self.powers), len(basis.powers), dtype=torch.float64)
        for number, powers in enumerate(basis.powers):
            spread[place[powers], number] = 1
        sizes = self.signs.abs().sum(1, keepdim=True)
        matrix = (self.signs / sizes) @ spread @ basis.signs.T
        return matrix.to(weights) @ weights


def difference(order: int, radius: int) -> Float[Tensor, " tap"]:
    """Return the central difference of an order as 2 radius + 1 taps, applied as Σ_s K(s) f(x + s).

    [1, -2, 1] for 2, [-1, 0, 1] / 2 for 1, their repeated products for higher orders; ≈ h^order ∂^order with
    an error of relative order h².

    Raises:
        BadInputError: if the order needs more taps.
    """
    if not 0 <= order <= 2 * radius:
        raise BadInputError(f"a kernel of reach {radius} has differences up to {2 * radius}, got {order}")
    half = order // 2
    even = torch.zeros(2 * radius + 1, dtype=torch.float64)
    for step in range(-half, half + 1):
        even[radius + step] = (-1) ** (half + step) * math.comb(2 * half, half + step)
    if order % 2 == 0:
        return even
    return (even.roll(1) - even.roll(-1)) / 2


def _image(element: Element, powers: Powers) -> tuple[Powers, int]:
    """Return which product an element makes of a product, and with which sign."""
    sign = 1
    for axis, source in enumerate(element.source_axes):
        if element.signs[axis] < 0 and powers[source] % 2:
            sign = -sign
    return tuple(powers[source] for source in element.source_axes), sign
