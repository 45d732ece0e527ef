"""Convolution kernels that commute with a group: a basis of all of them, by group averaging."""

import itertools
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError
from pdenca.core.field import Kind

from .actions import channel_map
from .groups import Element, Group

Index = tuple[int, ...]
"""Place in a kernel: output channel, input channel, then one offset per axis, in -radius ... radius."""


def kernel_basis(
    group: Group, kinds_in: Sequence[Kind], kinds_out: Sequence[Kind], radius: int
) -> Float[Tensor, "member out in *taps"]:
    """Return an orthonormal basis of the equivariant kernels.

    A kernel K, applied as (K f)_o(x) = Σ_i Σ_s K_oi(s) f_i(x + s), commutes with every g of the group if

        K(M s) = R_out(g) K(s) R_in(g)^-1,

    M the matrix of g and R how the fields transform (1 for a scalar, det M for a pseudoscalar, M for a
    vector). Averaging any kernel over the group projects onto these. All matrices are signed permutations, so
    the average of a single tap is a signed sum over its orbit, or nothing if two elements bring it back with
    opposite signs; different orbits do not overlap. The basis is therefore exact, one member per orbit.

    Arguments:
        group: the symmetries; its number of axes is the kernel's.
        kinds_in: how the input fields transform, in channel order.
        kinds_out: likewise of the output fields.
        radius: reach in cells; the kernel has (2 radius + 1) taps along each axis.

    Returns:
        float64; ``member`` counts the free numbers of an equivariant kernel and may be 0. A kernel is
        ``einsum("m, m... -> ...", weights, basis)``.

    Raises:
        BadInputError: for a negative radius or no fields.

    Source: group averaging as in T. Cohen, M. Welling, Steerable CNNs, arXiv 1612.08498, section 2.
    """
    if radius < 0 or not kinds_in or not kinds_out:
        raise BadInputError(
            f"a kernel needs a radius of at least 0 and fields on both sides, got radius {radius}, "
            f"{tuple(kinds_in)} -> {tuple(kinds_out)}"
        )
    num_out, num_in = (count_channels(kinds, group.num_dims) for kinds in (kinds_out, kinds_in))
    moves = [_Move(element, kinds_in, kinds_out) for element in group]
    shape = (num_out, num_in, *(2 * radius + 1,) * group.num_dims)
    seen: set[Index] = set()
    members = []
    for index in _indices(num_out, num_in, radius, group.num_dims):
        if index in seen:
            continue
        member = torch.zeros(shape, dtype=torch.float64)
        for move in moves:
            image, sign = move(index)
            seen.add(image)
            out, into, *offsets = image
            member[(out, into, *(offset + radius for offset in offsets))] += sign
        if bool(member.any()):
            members.append(member / member.norm())
    return torch.stack(members) if members else torch.zeros(0, *shape, dtype=torch.float64)


class _Move:
    """Where a group element takes a tap of a kernel, and with which sign."""

    def __init__(self, element: Element, kinds_in: Sequence[Kind], kinds_out: Sequence[Kind]) -> None:
        self._axes, self._signs = element.source_axes, element.signs
        self._outputs = _destinations(element, kinds_out)
        self._inputs = _destinations(element, kinds_in)

    def __call__(self, index: Index) -> tuple[Index, int]:
        out, into, *offset = index
        new_out, sign_out = self._outputs[out]
        new_in, sign_in = self._inputs[into]
        moved = tuple(sign * offset[axis] for axis, sign in zip(self._axes, self._signs, strict=True))
        return (new_out, new_in, *moved), sign_out * sign_in


def _destinations(element: Element, kinds: Sequence[Kind]) -> dict[int, tuple[int, int]]:
    sources, signs = channel_map(element, kinds, count_channels(kinds, element.num_dims))
    return {
        source: (channel, sign) for channel, (source, sign) in enumerate(zip(sources, signs, strict=True))
    }


def _indices(num_out: int, num_in: int, radius: int, num_dims: int) -> Iterator[Index]:
    offsets = itertools.product(range(-radius, radius + 1), repeat=num_dims)
    for offset, out, into in itertools.product(offsets, range(num_out), range(num_in)):
        yield (out, into, *offset)


def count_channels(kinds: Sequence[Kind], num_dims: int) -> int:
    """Return how many channels fields of these kinds take: a vector one per space axis, the others one."""
    return sum(num_dims if kind == "vector" else 1 for kind in kinds)


def field_blocks(kinds: Sequence[Kind], num_dims: int) -> list[int]:
    """Return, for every channel, the number of the field that it belongs to."""
    return [number for number, kind in enumerate(kinds) for _ in range(num_dims if kind == "vector" else 1)]
