"""Where tensors live."""

from typing import Final

import torch
from torch import nn

from .errors import BadInputError

AUTO: Final = "auto"
"""A GPU when there is one, else the processor."""


def device_named(name: str) -> torch.device:
    """Return the device of this name.

    Arguments:
        name: :data:`AUTO`, or a name of torch's, e.g. ``cpu`` or ``cuda:1``.

    Raises:
        BadInputError: for a name that is none, or a device that this machine does not have.
    """
    if name == AUTO:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise BadInputError(
            f"there is no device {name!r}; expected {AUTO}, cpu, or a name of torch's such as cuda:0"
        ) from None
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise BadInputError(f"torch finds no device {name!r} here; usual cure: {AUTO}, or cpu") from None
    return device


def device_of(model: nn.Module) -> torch.device:
    """Return where a model's parameters live; the processor for a model without any."""
    first = next(model.parameters(), None)
    return torch.device("cpu") if first is None else first.device
