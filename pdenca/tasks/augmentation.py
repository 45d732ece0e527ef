"""Training windows turned and mirrored at random: symmetry learned from data instead of built in."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.symmetry import Group, act


def turned_at_random(
    frames: Float[Tensor, "window time channel *space"],
    context: Mapping[str, Tensor],
    group: Group,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "window time channel *space"], dict[str, Tensor]]:
    """Move every window by an element of a group drawn for it, parameters in space along with it.

    What comes out is data of the same equation only if the group is a symmetry of it. All stored fields are
    scalars.

    Arguments:
        frames: the windows.
        context: their parameters, (window,) or (window, *space).
        group: the elements to draw from, all equally likely.
        generator: the choice.

    Raises:
        BadInputError: if the group does not fit the grid.
    """
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
