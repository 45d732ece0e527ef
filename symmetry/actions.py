"""How rotations, reflections and shifts of space act on fields: the only place that turns anything round."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError
from pdenca.core.field import Kind

from .groups import Element


def act(
    element: Element,
    state: Float[Tensor, "batch channel *space"],
    kinds: Sequence[Kind] | None = None,
) -> Float[Tensor, "batch channel *space"]:
    """Rotate or reflect fields about the centre of their grid.

    For a field f and an element g with matrix M the result is (g f)(x) = R f(M^-1 x) with R = 1 for a scalar,
    R = det M for a pseudoscalar and R = M for a vector. Cell-centred square lattices are carried onto
    themselves, so this only moves numbers and changes signs: it is exact, and act(g, act(h, f)) = act(gh, f)
    bit for bit.

    Arguments:
        element: which rotation or reflection; has to act on as many axes as the state has.
        state: the fields.
        kinds: how the fields transform, in channel order; a ``"vector"`` takes as many consecutive channels
            as there are space axes. None: every channel is a scalar.

    Returns:
        The moved fields, same shape.

    Raises:
        BadInputError: if the numbers of axes differ, if the element swaps axes of different length, or if the
            kinds do not add up to the number of channels.

    The spacing of the grid does not enter: on a grid with different spacings per axis a swap of the axes is
    exact on the numbers but no rotation of physical space.
    """
    space = tuple(state.shape[2:])
    if element.num_dims != len(space):
        raise BadInputError(
            f"{element.name!r} acts on {element.num_dims} space axes, got a state of shape "
            f"{tuple(state.shape)} with {len(space)}; expected 'batch channel *space'"
        )
    moved_space = tuple(space[axis] for axis in element.source_axes)
    if moved_space != space:
        raise BadInputError(
            f"{element.name!r} would turn a grid of {_times(space)} cells into one of {_times(moved_space)}; "
            "expected equal lengths along the axes it swaps; usual cure: a square grid, or the group D2 "
            "(half turns and flips)"
        )
    moved = state.permute(0, 1, *(2 + axis for axis in element.source_axes))
    turned = [2 + axis for axis, sign in enumerate(element.signs) if sign < 0]
    if turned:
        moved = moved.flip(turned)
    if kinds is None:
        return moved
    sources, signs = channel_map(element, kinds, state.shape[1])
    factor = torch.tensor(signs, dtype=state.dtype, device=state.device).reshape(-1, *(1 for _ in space))
    return moved[:, sources] * factor


def translate(
    shift: Sequence[int], state: Float[Tensor, "batch channel *space"]
) -> Float[Tensor, "batch channel *space"]:
    """Shift fields around a periodic domain: f(x) -> f(x - shift).

    Arguments:
        shift: whole cells per space axis; what leaves on one side comes back on the other.
        state: the fields.

    Returns:
        The shifted fields, same shape.

    Raises:
        BadInputError: if ``shift`` does not have one number per space axis.
    """
    if len(shift) != state.ndim - 2:
        raise BadInputError(
            f"shift {tuple(shift)} has {len(shift)} numbers, expected one per space axis of the state of "
            f"shape {tuple(state.shape)}"
        )
    return state.roll(tuple(shift), dims=tuple(range(2, state.ndim)))


def channel_map(element: Element, kinds: Sequence[Kind], num_channels: int) -> tuple[list[int], list[int]]:
    """Return, for every channel of the image, the channel it comes from and the sign it gets."""
    sources: list[int] = []
    signs: list[int] = []
    for kind in kinds:
        first = len(sources)
        if kind == "vector":
            sources += [first + axis for axis in element.source_axes]
            signs += element.signs
        else:
            sources.append(first)
            signs.append(element.determinant if kind == "pseudoscalar" else 1)
    if len(sources) != num_channels:
        raise BadInputError(
            f"kinds {tuple(kinds)} describe {len(sources)} channels in {element.num_dims} dimensions, the "
            f"state has {num_channels}; usual cure: one kind per field, hidden channels as 'scalar'"
        )
    return sources, signs


def _times(lengths: tuple[int, ...]) -> str:
    return " x ".join(map(str, lengths))
