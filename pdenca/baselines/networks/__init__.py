"""Networks that predict a whole stored frame: the usual learned rivals of an automaton."""

from .body import FrameBody, count_parameters
from .convnext_u_net import ConvNextUNet
from .dilated_cnn import DilatedCNN
from .fourier import FourierOperator
from .history import FrameHistory
from .network import BoundNetwork, FrameNetwork
from .settings import BODIES, NetworkSettings, build_body
from .u_net import UNet

__all__ = [
    "BODIES",
    "BoundNetwork",
    "ConvNextUNet",
    "DilatedCNN",
    "FourierOperator",
    "FrameBody",
    "FrameHistory",
    "FrameNetwork",
    "NetworkSettings",
    "UNet",
    "build_body",
    "count_parameters",
]
