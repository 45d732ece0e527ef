"""Fourier neural operators, dense and factorised, from the library of their authors."""

import warnings
from typing import Any, ClassVar, final

from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError
from pdenca.solvers.grid import Grid

from .body import FrameBody


@final
class FourierOperator(FrameBody):
    """An FNO: layers that multiply the longest waves by learned matrices, beside 1 x 1 maps.

    It sees the whole domain at once and takes the box as periodic. Waves are counted per box, not per
    length: on a larger domain the same weights act on longer waves. It works in float32, as the library does.

    The network comes from the package neuraloperator (MIT licence; 2.0.0 of October 2025 is its last
    release) because "an FNO" in tables means that implementation: a rival written here would invite the
    question whether it is as good.

    Arguments:
        num_inputs, num_outputs: channels.
        num_dims: axes of space.
        width: hidden channels.
        num_modes: waves kept along each axis, both signs counted: |index| <= num_modes / 2. Keep more than
            twice as many as a box holds wavelengths of the pattern.
        num_layers: Fourier layers.
        rank: below 1, the weights are a Tucker product of about this fraction of the numbers (a TFNO).
        tell_position: whether the cells' coordinates are inputs. On a periodic box they break the symmetry
            under translations.

    Raises:
        BadInputError: if the package is not installed.

    References:
        Z. Li et al., ICLR 2021, arXiv 2010.08895, eq. 4 and 5; J. Kossaifi et al., "Multi-grid tensorized
        Fourier neural operator", TMLR 2024, arXiv 2310.00120 (TFNO).
    """

    single_precision: ClassVar[bool] = True

    def __init__(
        self,
        num_inputs: int,
        num_outputs: int,
        num_dims: int,
        *,
        width: int = 32,
        num_modes: int = 32,
        num_layers: int = 4,
        rank: float = 1.0,
        tell_position: bool = False,
    ) -> None:
        super().__init__()
        dense, factorised = _library()
        options: dict[str, Any] = {
            "n_modes": (num_modes,) * num_dims,
            "in_channels": num_inputs,
            "out_channels": num_outputs,
            "hidden_channels": width,
            "n_layers": num_layers,
            "positional_embedding": "grid" if tell_position else None,
        }
        self.operator = dense(**options) if rank == 1 else factorised(**options, rank=rank)

    @property
    def radius(self) -> None:
        """The whole domain."""
        return

    def forward(
        self, features: Float[Tensor, "batch input *space"], grid: Grid
    ) -> Float[Tensor, "batch output *space"]:
        """Return the outputs in every cell."""
        result: Tensor = self.operator(features)
        return result


def _library() -> tuple[Any, Any]:
    """Return the classes FNO and TFNO, imported when asked for: it takes seconds."""
    try:
        with warnings.catch_warnings():  # the import changes the filters of the whole process
            from neuralop.models import FNO, TFNO
    except ImportError as error:
        raise BadInputError(
            f"FNO and TFNO need the package neuraloperator ({error}); usual cure: "
            "pip install 'pdenca[baselines]'"
        ) from None
    return FNO, TFNO
