"""Convolutions that cannot stretch: the norm of the operator, and kernels that are scaled below a bound."""

from collections.abc import Sequence
from typing import Final, Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdenca.core import BadInputError

# fields that are combined in one iteration
_DEPTH: Final = 8

Padding = Literal["circular", "zeros"]
Kernel = Float[Tensor, "out_channel in_channel *taps"]

_CONVOLUTIONS: Final = {
    1: torch.nn.functional.conv1d,
    2: torch.nn.functional.conv2d,
    3: torch.nn.functional.conv3d,
}


def convolve(weight: Kernel, state: Tensor, padding: Padding = "circular") -> Tensor:
    """Convolve ``"batch channel *space"`` to the same size.

    Raises:
        BadInputError: for kernels of even size, of other than 1 to 3 dimensions, or larger than a circular
            domain allows.
    """
    taps = weight.shape[2:]
    if len(taps) not in _CONVOLUTIONS or any(number % 2 == 0 for number in taps):
        raise BadInputError(f"expected a kernel of odd size in 1 to 3 dimensions, got taps {tuple(taps)}")
    if len(taps) != state.ndim - 2:
        raise BadInputError(f"a kernel of taps {tuple(taps)} does not fit {state.ndim - 2} space axes")
    reach = [number // 2 for number in taps]
    if padding == "zeros":
        return _CONVOLUTIONS[len(taps)](state, weight, padding=reach)
    if any(number > cells for number, cells in zip(reach, state.shape[2:], strict=True)):
        raise BadInputError(f"a kernel that reaches {reach} cells is too large for {tuple(state.shape[2:])}")
    sides = [side for number in reversed(reach) for side in (number, number)]
    return _CONVOLUTIONS[len(taps)](torch.nn.functional.pad(state, sides, mode="circular"), weight)


def _transposed(weight: Tensor, state: Tensor, size: Sequence[int], padding: Padding) -> Tensor:
    with torch.enable_grad():
        leaf = state.new_zeros(1, weight.shape[1], *size).requires_grad_()
        image = convolve(weight, leaf, padding)
    return torch.autograd.grad(image, leaf, state)[0]


def _leading_direction(
    weight: Tensor, start: Tensor, padding: Padding, max_iterations: int, tolerance: float
) -> tuple[Tensor, Tensor]:
    """Right and left singular fields (v, A v / ‖A v‖) of the largest singular value.

    Power iteration with AᵀA that looks for the best combination of its last few fields (restarted Lanczos):
    the largest singular values of a convolution lie close together, where plain power iteration creeps.
    """
    size, weight = start.shape[2:], weight.detach()
    right = start / torch.linalg.vector_norm(start)
    info = torch.finfo(weight.dtype)
    for _ in range(max_iterations):
        fields, images = [right.reshape(-1)], []
        for _ in range(_DEPTH):
            image = convolve(weight, fields[-1].view_as(start), padding)
            images.append(_transposed(weight, image, size, padding).reshape(-1))
            known, rest = torch.stack(fields), images[-1]
            for _ in range(2):  # once more against rounding
                rest = rest - (known @ rest) @ known
            length = torch.linalg.vector_norm(rest)
            if not bool(length > 100 * info.eps * torch.linalg.vector_norm(images[-1])):
                break
            fields.append(rest / length)
        known, pushed = torch.stack(fields[: len(images)]), torch.stack(images)
        matrix = known @ pushed.T
        if not bool(matrix.isfinite().all()):
            break
        values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
        right = vectors[:, -1] @ known
        error = torch.linalg.vector_norm(vectors[:, -1] @ pushed - values[-1] * right)
        right = (right / torch.linalg.vector_norm(right)).view_as(start)
        if bool(error <= max(tolerance, 20 * info.eps) * values[-1]):
            break
    left = convolve(weight, right, padding)
    return right, left / torch.linalg.vector_norm(left).clamp(min=info.tiny)


def _start(weight: Tensor, size: Sequence[int]) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, weight.shape[1], *size, generator=generator).to(weight)


def convolution_norm(
    weight: Kernel,
    size: Sequence[int],
    *,
    padding: Padding = "circular",
    max_iterations: int = 100,
    tolerance: float = 1e-5,
) -> Float[Tensor, ""]:
    """Return the largest singular value of a convolution as an operator on a domain, differentiably.

        σ = max ‖W * z‖ / ‖z‖,

    by restarted Lanczos iteration with the convolution and its transpose. This is not the spectral norm of
    the kernel reshaped to a matrix, which can be smaller by up to the square root of the number of taps and
    so does not bound what the convolution does.

    Arguments:
        weight: the kernel.
        size: cells per axis of the domain.
        padding: "circular" or "zeros".
        max_iterations: at most, of 8 products each.
        tolerance: of ‖AᵀA v - σ² v‖ / σ² for the singular field v. σ is approached from below, and off by
            less than half of this relative to itself, mostly by its square.

    Returns:
        σ, with ∂σ/∂W = u ∂(W * v) of the singular fields u, v; where the largest one is degenerate, a
        subgradient.

    Raises:
        BadInputError: for a kernel that does not fit.

    Source: Sedghi et al., The singular values of convolutional layers (ICLR 2019); Miyato et al. (ICLR 2018)
    for the derivative.
    """
    with torch.no_grad():
        right, left = _leading_direction(weight, _start(weight, size), padding, max_iterations, tolerance)
    return (left * convolve(weight, right, padding)).sum()


def capped_convolution(
    weight: Kernel,
    size: Sequence[int],
    *,
    largest: float = 0.9,
    padding: Padding = "circular",
    max_iterations: int = 100,
    tolerance: float = 1e-5,
) -> Kernel:
    """Scale a kernel so that its operator norm is at most ``largest``; smaller ones are left alone.

        W ↦ W min(1, largest / σ(W)),

    differentiable through σ. With activations that do not stretch (ReLU, tanh) z ↦ activation(W * z + x)
    is then a contraction, with one fixed point that plain iteration finds, for any domain up to this size
    ("zeros"), and on this domain ("circular").

    Arguments:
        weight: the kernel, as many channels out as in for a map of states to states.
        size: cells per axis.
        largest: the bound, positive.
        padding: "circular" or "zeros".
        max_iterations: as of :func:`convolution_norm`.
        tolerance: as there.

    Raises:
        BadInputError: for a kernel or a bound that does not fit.
    """
    _require_bound(largest)
    norm = convolution_norm(weight, size, padding=padding, max_iterations=max_iterations, tolerance=tolerance)
    return _scaled(weight, norm, largest)


@final
class OperatorCap(nn.Module):
    """:func:`capped_convolution` as a parametrisation of a layer's weight, which starts where it last ended.

        torch.nn.utils.parametrize.register_parametrization(layer, "weight", OperatorCap(layer.weight, size))

    Arguments:
        weight: of the layer, for its shape.
        size: cells per axis.
        largest: the bound.
        padding: "circular" or "zeros".
        max_iterations: as of :func:`convolution_norm`, per call.
        tolerance: as there.
    """

    direction: Tensor

    def __init__(
        self,
        weight: Kernel,
        size: Sequence[int],
        *,
        largest: float = 0.9,
        padding: Padding = "circular",
        max_iterations: int = 10,
        tolerance: float = 1e-3,
    ) -> None:
        super().__init__()
        _require_bound(largest)
        self.largest, self.padding, self.tolerance = largest, padding, tolerance
        self.max_iterations = max_iterations
        with torch.no_grad():
            first, _ = _leading_direction(weight, _start(weight, size), padding, 100, tolerance)
        self.register_buffer("direction", first)

    def forward(self, weight: Kernel) -> Kernel:
        """Return the capped kernel; in training, remember the singular field for the next call."""
        with torch.no_grad():
            right, left = _leading_direction(
                weight, self.direction, self.padding, self.max_iterations, self.tolerance
            )
            if self.training:
                self.direction.copy_(right)
        return _scaled(weight, (left * convolve(weight, right, self.padding)).sum(), self.largest)


def _require_bound(largest: float) -> None:
    if not 0 < largest < float("inf"):
        raise BadInputError(f"largest must be positive and finite, got {largest}")


def _scaled(weight: Kernel, norm: Float[Tensor, ""], largest: float) -> Kernel:
    return weight * (largest / norm.clamp(min=largest))
