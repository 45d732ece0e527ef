"""The one padding that solvers and automata share, so that they can never disagree at the walls."""

from jaxtyping import Shaped
from torch import Tensor

from pdenca.core.errors import BadInputError

from .boundary import pad_axis
from .grid import Grid


def pad(
    state: Shaped[Tensor, "batch ..."], grid: Grid, radius: int, *, channels_last: bool = False
) -> Shaped[Tensor, "batch ..."]:
    """Pad every space axis by ``radius`` cells as the grid's boundaries say.

    Arguments:
        state: ``"batch channel *space"``, or ``"batch *space channel"`` when ``channels_last``.
        grid: the domain; its shape must be the state's space shape.
        radius: layers to add at each end of each axis; corners are filled consistently.
        channels_last: whether the channel axis is the last one.

    Returns:
        The padded state in the same layout.

    Raises:
        BadInputError: if the state's space shape is not the grid's, or ``radius`` exceeds the cells of an
            axis.
    """
    first, channel_axis = (1, state.ndim - 1) if channels_last else (2, 1)
    space = tuple(state.shape[first : state.ndim - 1 if channels_last else state.ndim])
    if space != grid.shape:
        raise BadInputError(
            f"the state's space shape {space} is not the grid's {grid.shape}; usual cure: pass the grid the "
            "state lives on, and channels_last=True for states with channels on the last axis"
        )
    for axis, boundary in enumerate(grid.boundaries, start=first):
        state = pad_axis(state, axis, boundary, radius, channel_axis)
    return state
