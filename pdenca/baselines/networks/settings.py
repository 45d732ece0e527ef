"""The settings of a network and what is built from them."""

from typing import ClassVar, Final, Literal

import pydantic
import torch

from pdenca.core import Settings

from .body import FrameBody
from .convnext_u_net import ConvNextUNet
from .dilated_cnn import DilatedCNN
from .fourier import FourierOperator
from .u_net import UNet


class NetworkSettings(Settings):
    """A network that predicts whole frames.

    Arguments:
        architecture: ``dilated-cnn``, ``u-net``, ``convnext-u-net``, ``fno`` or ``tfno``.
        num_given_frames: how many frames it sees.
        parameters_as_input: whether it is told the equation's parameters.
        width: channels (of U-Nets on the finest grid).
        num_blocks: of the dilated CNN; of the ConvNeXt U-Net per level and way.
        dilations: of the convolutions in a block of the dilated CNN, in cells.
        num_levels: of the U-Nets: how often the cells are doubled.
        normalisation: of the U-Net: ``none`` or ``group``.
        activation: of the U-Net: ``gelu`` or ``tanh``.
        scale: of the ConvNeXt U-Net's blocks at the start.
        num_modes: of FNO and TFNO, waves along each axis, both signs counted.
        num_layers: of FNO and TFNO.
        rank: of the TFNO: fraction of the dense weights' size.
        tell_position: of FNO and TFNO: whether cells know where they are.
    """

    OPTIONS: ClassVar[dict[str, tuple[str, ...]]] = {
        "dilated-cnn": ("num_blocks", "dilations"),
        "u-net": ("num_levels", "normalisation", "activation"),
        "convnext-u-net": ("num_levels", "num_blocks", "scale"),
        "fno": ("num_modes", "num_layers", "tell_position"),
        "tfno": ("num_modes", "num_layers", "tell_position", "rank"),
    }

    architecture: Literal["dilated-cnn", "u-net", "convnext-u-net", "fno", "tfno"]
    num_given_frames: pydantic.PositiveInt = 1
    parameters_as_input: bool = True
    width: pydantic.PositiveInt = 32
    num_blocks: pydantic.PositiveInt = 2
    dilations: tuple[pydantic.PositiveInt, ...] = pydantic.Field(default=(1, 2, 4, 2, 1), min_length=1)
    num_levels: int = pydantic.Field(default=3, ge=1, le=8)
    normalisation: Literal["none", "group"] = "none"
    activation: Literal["gelu", "tanh"] = "gelu"
    scale: float = pydantic.Field(default=1e-6, gt=0)
    num_modes: int = pydantic.Field(default=32, ge=2)
    num_layers: pydantic.PositiveInt = 4
    rank: float = pydantic.Field(default=0.1, gt=0, lt=1)
    tell_position: bool = False

    @pydantic.model_validator(mode="after")
    def _no_idle_option(self) -> "NetworkSettings":
        used = self.OPTIONS[self.architecture]
        known = {name for names in self.OPTIONS.values() for name in names}
        for name in sorted(known - set(used)):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(
                    f"{name} plays no role in the architecture {self.architecture}; leave it out"
                )
        return self


BODIES: Final[dict[str, type[FrameBody]]] = {
    "dilated-cnn": DilatedCNN,
    "u-net": UNet,
    "convnext-u-net": ConvNextUNet,
    "fno": FourierOperator,
    "tfno": FourierOperator,
}


def build_body(
    settings: NetworkSettings, num_inputs: int, num_outputs: int, num_dims: int, seed: int
) -> FrameBody:
    """Build an untrained network in float32.

    Arguments:
        settings: which, and its sizes.
        num_inputs, num_outputs: channels.
        num_dims: axes of space.
        seed: of the initial weights.

    Raises:
        BadInputError: if it needs a package that is not installed.
    """
    options = {name: getattr(settings, name) for name in settings.OPTIONS[settings.architecture]}
    # torch's layers draw their weights from the global generator, which is put back
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return BODIES[settings.architecture](
            num_inputs, num_outputs, num_dims, width=settings.width, **options
        )
