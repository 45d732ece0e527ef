"""Training windows turned, mirrored and cut at random."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError
from pdenca.evaluation.turned import require_symmetric
from pdenca.solvers.grid import Grid
from pdenca.symmetry import Group, act


def turned_at_random(
    frames: Float[Tensor, "window time channel *space"],
    context: Mapping[str, Tensor],
    grid: Grid,
    group: Group,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "window time channel *space"], dict[str, Tensor]]:
    """Move every window by an element of a group drawn for it, parameters in space along with it.

    What comes out is data of the same equation only if the group is a symmetry of it. All stored fields are
    scalars.

    Arguments:
        frames: the windows.
        context: their parameters, (window,) or (window, *space).
        grid: the domain.
        group: the elements to draw from, all equally likely.
        generator: the choice.

    Raises:
        BadInputError: if the group does not fit the grid, its cells or its walls.
    """
    for element in group:
        require_symmetric(grid, element)
    choice = torch.randint(group.order, (len(frames),), generator=generator).tolist()
    elements = [group.elements[number] for number in choice]
    moved = torch.stack([act(element, window) for element, window in zip(elements, frames, strict=True)])
    parameters = {
        name: value
        if value.ndim == 1
        else torch.stack(
            [act(element, field[None, None])[0, 0] for element, field in zip(elements, value, strict=True)]
        )
        for name, value in context.items()
    }
    return moved, parameters


def require_cuttable(grid: Grid, num_cells: int) -> None:
    """Refuse pieces of so many cells along each side that cannot be cut out of frames on this grid.

    Raises:
        BadInputError: if the pieces are larger than the frames.
    """
    if num_cells > min(grid.shape):
        raise BadInputError(
            f"pieces of {num_cells} cells cannot be cut out of frames of {min(grid.shape)}; usual cure: a "
            "smaller crop, or none"
        )


def cut_at_random(
    frames: Float[Tensor, "window time channel *space"],
    context: Mapping[str, Tensor],
    grid: Grid,
    num_cells: int,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "window time channel *cut"], dict[str, Tensor]]:
    """Cut a smaller square (cube) out of every window, each at a random place.

    Large frames hold more of the same; many small pieces of different trajectories teach more for the same
    number of cells. What flows in through the cut edges is unknown, so a strip along them must not be scored.
    Along a periodic axis a piece may lie across the edge of the frame; between walls it lies inside, and a
    wall it touches counts as one of its cut edges.

    Arguments:
        frames: windows of frames.
        context: parameters of each window; those that vary in space are cut alike.
        grid: the domain.
        num_cells: cells along each side of the pieces.
        generator: chooses the places.

    Raises:
        BadInputError: if the pieces are larger than the frames.
    """
    require_cuttable(grid, num_cells)
    space = frames.shape[3:]
    num_places = [
        cells if boundary == "periodic" else cells - num_cells + 1
        for cells, boundary in zip(space, grid.boundaries, strict=True)
    ]
    places = [[int(torch.randint(count, (1,), generator=generator)) for count in num_places] for _ in frames]

    def cut(values: Tensor) -> Tensor:
        axes = tuple(range(-len(space), 0))
        pieces = [
            value.roll([-start for start in place], axes)[(..., *(slice(num_cells) for _ in space))]
            for value, place in zip(values, places, strict=True)
        ]
        return torch.stack(pieces)

    return cut(frames), {name: cut(value) if value.ndim > 1 else value for name, value in context.items()}
