"""What all distances between images have in common."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError


@dataclass(frozen=True)
class Distance(ABC):
    """How far images are from those that are wanted: one number per pair, differentiable in both.

    A distance is a function of the images alone: what it draws at random it draws from its own seed, anew in
    every call and the same every time. Its gradient is finite wherever the images are, also where they are
    equal or zero. A NaN in an image is a NaN in its distance.
    """

    def __call__(
        self, found: Float[Tensor, "batch channel *space"], wanted: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, " batch"]:
        """Return the distance of each pair.

        Arguments:
            found: what there is.
            wanted: what there should be.

        Raises:
            BadInputError: if the shapes differ, or :meth:`require` refuses one of them.
        """
        require_same_shape(found, wanted)
        self.require(found)
        self.require(wanted)
        return self.measure(found, wanted)

    def require(self, images: Float[Tensor, "batch channel *space"]) -> None:
        """Refuse images that this distance cannot compare, and a missing package, before work has begun.

        Raises:
            BadInputError: with the cure.
        """
        if images.ndim < 3:
            raise BadInputError(
                f"got images of shape {tuple(images.shape)}, expected (batch, channel, *space); usual cure: "
                "images[None] for a single one"
            )

    @abstractmethod
    def measure(
        self, found: Float[Tensor, "batch channel *space"], wanted: Float[Tensor, "batch channel *space"]
    ) -> Float[Tensor, " batch"]:
        """Return the distance of each pair, both of which :meth:`require` has let pass."""


def as_unit(measure: Callable[[Tensor, Tensor], Tensor], before: Tensor, after: Tensor) -> float:
    """Return the mean distance of frames from those before, to count something else in.

    Raises:
        BadInputError: if it is zero or not finite.
    """
    found = float(measure(before, after).double().mean())
    if not 0 < found < math.inf:
        raise BadInputError(
            f"the distance between the first two frames is {found:g} and cannot be a unit; usual cure: "
            'overflow_unit = "absolute", or another distance'
        )
    return found


def require_same_shape(found: Tensor, wanted: Tensor) -> None:
    """Refuse images that would only be compared after broadcasting.

    Raises:
        BadInputError: if the shapes differ.
    """
    if found.shape != wanted.shape:
        raise BadInputError(
            f"got images of shape {tuple(found.shape)} and wanted ones of {tuple(wanted.shape)}; expected "
            "the same shape; usual cure: wanted.expand_as(found) where one picture is wanted of all"
        )


def root(squares: Float[Tensor, "*numbers"]) -> Float[Tensor, "*numbers"]:
    """Return √squares, with the derivative 0 where they vanish: the least slope that a norm has there."""
    positive = squares != 0  # a NaN goes on to the root, and so does what is negative by mistake
    return torch.where(positive, torch.where(positive, squares, 1.0).sqrt(), 0.0)


def require_positive(name: str, value: float | int) -> None:
    """Refuse a setting that is not above zero, or not finite.

    Raises:
        BadInputError: naming it.
    """
    if not 0 < value < math.inf:
        raise BadInputError(f"{name} got {value}, expected a finite number above 0")


def require_not_negative(name: str, value: float | int) -> None:
    """Refuse a setting below zero, or not finite.

    Raises:
        BadInputError: naming it.
    """
    if not 0 <= value < math.inf:
        raise BadInputError(f"{name} got {value}, expected a finite number, 0 or more")
