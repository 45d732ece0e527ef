"""Sobel differences and the mean beside them, forwards and back in as few passes as they take.

They are linear, and most of what fixed kernels cost. Differentiated operation by operation, every shifted
view would be filled with zeros and copied on the way back; the transpose of a sweep is a sweep as short.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

Parts = tuple[Tensor, ...]


def sobel_and_mean(padded: Float[Tensor, "batch *padded channel"], spacing: int = 1) -> Parts:
    """Return the Sobel difference along every space axis, and last the mean, of all cells but the outermost.

    Along its own axis the kernel of a difference is [-1, 0, 1] / 2, across the others [1, 2, 1] / 4; that of
    the mean is [1, 2, 1] / 4 along all.

    Arguments:
        padded: channels last, with ``spacing`` cells more at each end of every space axis.
        spacing: of the kernels' taps (cells).

    Returns:
        One tensor per axis and one more, without these cells.
    """
    return _swept(padded, spacing, True)


def binomial_mean(padded: Float[Tensor, "batch *padded channel"], spacing: int = 1) -> Tensor:
    """Return the mean of :func:`sobel_and_mean` alone, which takes less than half of the time."""
    return _swept(padded, spacing, False)[0]


def _swept(padded: Tensor, spacing: int, differences: bool) -> Parts:
    parts: Parts = _Sweep.apply(padded, spacing, differences)  # type: ignore[no-untyped-call]
    return parts


def _transposed(spacing: int, *parts: Tensor) -> Tensor:
    found: Tensor = _Transposed.apply(spacing, *parts)  # type: ignore[no-untyped-call]
    return found


class _Sweep(torch.autograd.Function):
    """The sweep. Linear: so is its derivative, and the derivative of that."""

    generate_vmap_rule = True

    # Any: autograd's contexts have no type
    @staticmethod
    def forward(padded: Tensor, spacing: int, differences: bool) -> Parts:
        mean = padded
        components: list[Tensor] = []
        axes = range(1, padded.ndim - 1)
        for axis in axes:
            if differences:
                smoothed = [_smoothed(part, axis, spacing) for part in components]
                components = [*smoothed, _difference(mean, axis, spacing)]
            mean = _smoothed(mean, axis, spacing)
        scale = 0.25 ** len(axes)
        return (*(part.mul_(2 * scale) for part in components), mean.mul_(scale))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, bool], output: Parts) -> None:  # noqa: ANN401
        """Keep no tensor: what is linear needs no point to be differentiated at."""
        ctx.how = inputs[1:]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        return _transposed(ctx.how[0], *gradients), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Parts:  # noqa: ANN401
        return _swept(tangent, *ctx.how)


class _Transposed(torch.autograd.Function):
    """The transpose of the sweep."""

    generate_vmap_rule = True

    @staticmethod
    def forward(spacing: int, *parts: Tensor) -> Tensor:
        *components, mean = parts
        num_dims = mean.ndim - 2
        scale = 0.25**num_dims
        mean = mean * scale
        components = [part * (2 * scale) for part in components]
        for axis in range(num_dims, 0, -1):
            mean = _spread(mean, axis, spacing, components.pop() if components else None)
            components = [_spread(part, axis, spacing) for part in components]
        return mean

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ANN401
        """Keep no tensor, as above."""
        ctx.how = inputs[0], len(inputs) > 2

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        return None, *_swept(gradient, *ctx.how)

    @staticmethod
    def jvp(ctx: Any, _: None, *tangents: Tensor) -> Tensor:  # noqa: ANN401
        return _transposed(ctx.how[0], *tangents)


def _three(values: Tensor, axis: int, spacing: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the views of a cell's neighbour before it, itself and the one after it, along an axis."""
    cells = values.shape[axis] - 2 * spacing
    before, itself, after = (values.narrow(axis, tap * spacing, cells) for tap in range(3))
    return before, itself, after


def _smoothed(values: Tensor, axis: int, spacing: int) -> Tensor:
    """Return four times the mean with the weights [1, 2, 1] / 4."""
    before, itself, after = _three(values, axis, spacing)
    return (before + after).add_(itself, alpha=2)


def _difference(values: Tensor, axis: int, spacing: int) -> Tensor:
    """Return twice the central difference."""
    before, _, after = _three(values, axis, spacing)
    return after - before


def _spread(values: Tensor, axis: int, spacing: int, differences: Tensor | None = None) -> Tensor:
    """Return the transpose of :func:`_smoothed`, plus that of :func:`_difference`."""
    first = values if differences is None else values - differences
    last = values if differences is None else values + differences
    shape = list(values.shape)
    shape[axis] += 2 * spacing
    wide = first.new_zeros(shape)
    before, itself, after = _three(wide, axis, spacing)
    before += first
    after += last
    itself.add_(values, alpha=2)
    return wide
