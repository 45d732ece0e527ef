"""Where a weight is, in numbers: what a rule may be told, and what lets it remember one solution."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.automaton import FeedForward
from pdenca.core import BadInputError

NUM_OF_LAYER = 5
"""Numbers of a code, the first ones, that tell the layer and nothing of neurons."""
_LONGEST = 64.0  # neurons, of the slowest wave of a number


def position_codes(
    lattice: FeedForward, num_waves: int = 4, image_shape: tuple[int, ...] = ()
) -> Float[Tensor, "1 code cell"]:
    """Return the code of every weight:

        [first, last, from the front / 4, from the back / 4, bias | source | target],

    A neuron's code is the sines and cosines of its number, with ``num_waves`` wavelengths from 2π to 64
    neurons. Inputs that are cells of an image have two sets of cosines instead, cos(π f (row + ½) / height)
    for f = 1 ... 2 ``num_waves``, and of the column likewise. A bias has no source: zeros.

    Arguments:
        lattice: the networks.
        num_waves: wavelengths.
        image_shape: height and width of the inputs if they are an image, row by row; else ().

    Raises:
        BadInputError: without waves, or for networks of other inputs than the image has cells.
    """
    if num_waves < 1:
        raise BadInputError(f"a code needs one wavelength or more, got {num_waves}")
    cells = math.prod(image_shape)
    if image_shape and any(widths[0] != cells for widths in lattice.networks):
        raise BadInputError(
            f"images of {' x '.join(map(str, image_shape))} cells go into {cells} inputs, got networks of "
            f"{', '.join(str(widths[0]) for widths in lattice.networks)}"
        )
    length = 4 * num_waves if image_shape else 2 * num_waves
    parts = []
    for layer in lattice.layers:
        depth = len(lattice.layers_of(layer.network))
        back = depth - 1 - layer.number
        place = torch.tensor([layer.number == 0, back == 0, layer.number / 4, back / 4, 0.0])
        sources = _numbers(layer.num_sources, num_waves, length)
        if image_shape and layer.number == 0:
            sources[:cells] = _places(image_shape, 2 * num_waves)
        targets = _numbers(layer.num_targets, num_waves, 2 * num_waves)
        code = torch.cat(
            (
                place.expand(layer.num_sources, layer.num_targets, -1),
                sources[:, None].expand(-1, layer.num_targets, -1),
                targets.expand(layer.num_sources, -1, -1),
            ),
            dim=-1,
        ).contiguous()
        if lattice.biases:
            code[-1, :, 4] = 1
            code[-1, :, NUM_OF_LAYER : NUM_OF_LAYER + length] = 0
        parts.append(code.flatten(0, 1))
    return torch.cat(parts).T[None].contiguous()


def columns_of_neurons(num_waves: int, of_images: bool) -> tuple[list[int], list[int]]:
    """Return which numbers of a code tell of the source of a weight, and which of its target.

    Both hear of the layer, the source also whether it is the constant of biases.

    Arguments:
        num_waves: as for :func:`position_codes`.
        of_images: whether inputs are cells of an image.
    """
    middle = NUM_OF_LAYER + (4 if of_images else 2) * num_waves
    of_target = [*range(NUM_OF_LAYER - 1), *range(middle, middle + 2 * num_waves)]
    return list(range(middle)), of_target


def _numbers(count: int, num_waves: int, length: int) -> Float[Tensor, "neuron code"]:
    slowest = 2 * math.pi / _LONGEST
    frequencies = torch.logspace(0, math.log10(slowest), num_waves)
    phases = torch.arange(count)[:, None] * frequencies
    waves = torch.cat((phases.sin(), phases.cos()), dim=1)
    return torch.nn.functional.pad(waves, (0, length - 2 * num_waves))


def _places(shape: tuple[int, ...], count: int) -> Float[Tensor, "cell code"]:
    frequencies = torch.arange(1, count + 1)
    rows, columns = (
        torch.cos(math.pi * (torch.arange(size)[:, None] + 0.5) / size * frequencies) for size in shape
    )
    both = torch.cat(
        (rows[:, None].expand(-1, len(columns), -1), columns[None].expand(len(rows), -1, -1)), dim=-1
    )
    return both.flatten(0, 1)
