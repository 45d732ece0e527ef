"""Kernels that are not learned."""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError
from pdenca.solvers.grid import Grid
from pdenca.solvers.padding import pad

from .lattice import average, differences_and_mean
from .perception import Gathered, Perception
from .sobel import binomial_mean


class FixedKernels(Perception):
    """Hard-coded kernels applied to every channel, as in the founding papers of neural cellular automata.

    ``identity``: the cell itself. ``average``: the mean over it and all cells that touch it. ``laplacian``:
    [1 2 1; 2 -12 2; 1 2 1] / 4, in units of one cell, the second-order Laplacian of Richardson et al. (2024),
    2-D only. ``gradient``: the Sobel differences along each axis, *not* invariant under rotations.
    ``gradient-norm``: their Euclidean norm, which is. The kernels are in units of cells: a rule built on them
    holds for the spacing it was trained at.

    The last three can look further: ``laplacian@2`` is the same kernel with its taps two cells apart, on the
    state smoothed before by [1 2 1; 2 4 2; 1 2 1] / 16, so that no cell between them is passed over, and
    ``laplacian@4`` that with taps four cells apart, on what was smoothed once more with taps two cells apart.
    News that travel a cell per step otherwise then travel three, or seven.

    Arguments:
        num_channels: channels of the state.
        kernels: names from the list above.
        num_dims: space axes, needed to count the gradient's components.

    Raises:
        BadInputError: for an unknown kernel or the Laplacian in other than two dimensions.

    Source: the wider kernels are Sobel's and Richardson's on the smoothed planes of the algorithme à trous,
    Holschneider et al. in Combes et al. (eds.), Wavelets (1989), p. 286.
    """

    KERNELS: Final = ("identity", "laplacian", "average", "gradient", "gradient-norm")
    SPACINGS: Final = (1, 2, 4)
    """Of a kernel's taps (cells)."""
    _ONE_SPACING: Final = ("identity", "average")

    def __init__(
        self, num_channels: int, kernels: tuple[str, ...] = ("identity", "laplacian"), num_dims: int = 2
    ) -> None:
        super().__init__()
        self.terms = tuple(self._term(kernel) for kernel in kernels)
        names = [name for name, _ in self.terms]
        if "laplacian" in names and num_dims != 2:
            raise BadInputError(
                f"the fixed Laplacian kernel is two-dimensional, got {num_dims} axes; "
                "usual cure: IsotropicKernels"
            )
        self.kernels = tuple(kernels)
        widest = max((spacing for _, spacing in self.terms), default=1)
        self.radius = 0 if set(names) == {"identity"} else 2 * widest - 1
        self.num_features = num_channels * sum(num_dims if name == "gradient" else 1 for name in names)

    @classmethod
    def _term(cls, kernel: str) -> tuple[str, int]:
        name, at, spacing = kernel.partition("@")
        spacings = [str(number) for number in cls.SPACINGS]
        wide = not at or (spacing in spacings and name not in cls._ONE_SPACING)
        if name not in cls.KERNELS or not wide:
            widened = [f"{known}@2" for known in cls.KERNELS if known not in cls._ONE_SPACING]
            raise BadInputError(
                f"kernel {kernel!r} is unknown; expected some of {', '.join((*cls.KERNELS, *widened))} or "
                "the last of these with @4"
            )
        return name, int(spacing or 1)

    def gather(self, state: Float[Tensor, "batch *space channel"], grid: Grid) -> Gathered:
        """Apply every kernel to every channel."""
        found: dict[tuple[str, int], tuple[Tensor, ...]] = {("identity", 1): (state,)}
        if ("average", 1) in self.terms:
            found["average", 1] = (average(state, grid),)
        smooth = state
        for spacing in self.SPACINGS:
            if not any(at >= spacing for name, at in self.terms if name not in self._ONE_SPACING):
                break
            components: tuple[Tensor, ...] = ()
            if {("gradient", spacing), ("gradient-norm", spacing)} & set(self.terms):
                components, mean = differences_and_mean(smooth, grid, spacing)
            else:
                mean = binomial_mean(pad(smooth, grid, spacing, channels_last=True), spacing)
            found["gradient", spacing] = components
            if ("laplacian", spacing) in self.terms:
                # [1 2 1; 2 4 2; 1 2 1] / 16 is the mean; four times what it adds is the kernel
                found["laplacian", spacing] = (4 * (mean - smooth),)
            if ("gradient-norm", spacing) in self.terms:
                # the added tiny number keeps the derivative at zero gradient finite
                square = torch.stack(components).square().sum(0)
                found["gradient-norm", spacing] = (square.add(1e-24).sqrt(),)
            smooth = mean
        return tuple(part for term in self.terms for part in found[term])

    def combine(self, gathered: Gathered, spacing: float, parameters: Tensor | None = None) -> Tensor:
        """Put the features side by side; nothing is learned here."""
        return torch.cat(gathered, dim=-1)
