"""What a step may know of its own Jacobian's inverse."""

from typing import Protocol, runtime_checkable

from jaxtyping import Int
from torch import Tensor

from .rows import PerSample


@runtime_checkable
class Preconditioner(Protocol):
    """b ↦ roughly (σ + I - J)⁻¹ b, linear, cheap and separate for each sample.

    One that has a method ``told`` hears how many products each sample's solve took, to be better next time.

    Attributes:
        products: of the Jacobian with vectors that each sample's cost to make; one number, or one for each.
    """

    @property
    def products(self) -> int | Tensor:
        """Products that it cost."""
        ...

    def __call__(self, right: Tensor, shift: PerSample) -> Tensor:
        """Return the solution for states ``right`` and σ > 0 of every sample."""
        ...


@runtime_checkable
class Learning(Protocol):
    """A preconditioner that is told how well it did."""

    def told(self, products: Int[Tensor, " batch"]) -> None:
        """Hear how many products the solve of each sample took."""
        ...


@runtime_checkable
class Preconditioned(Protocol):
    """A step that helps to solve systems with its Jacobian.

    It should be :class:`~pdenca.equilibrium.Selectable` too: of a map that cannot be cut down, the samples
    that are left when others are done are solved without help.
    """

    def preconditioner(self, states: Tensor) -> Preconditioner:
        """Return the preconditioner near these states."""
        ...
