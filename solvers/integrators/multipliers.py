"""What a spectral method multiplies each wave by: one number per field, or a matrix over the fields."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from torch import Tensor


class Multiplier(ABC):
    """A linear operator that acts on each wave by itself.

    Spectra are ``"batch field *modes"``: complex, real, or real with a last axis for (real, imaginary).

    Attributes:
        values: the numbers, in a layout that broadcasts against the spectra; the first axis is 1 or batch.
    """

    values: Tensor

    @abstractmethod
    def times(self, spectrum: Tensor) -> Tensor:
        """Return the product, newly made."""

    @abstractmethod
    def multiply(self, spectrum: Tensor) -> Tensor:
        """Overwrite a spectrum by its product."""

    def plus(self, total: Tensor, spectrum: Tensor) -> Tensor:
        """Return ``total`` plus the product, newly made; a spectrum of one channel counts for every field."""
        return self.add_to(total.clone(), spectrum)

    @abstractmethod
    def add_to(self, total: Tensor, spectrum: Tensor) -> Tensor:
        """Add the product to ``total``, in place; a spectrum of one channel counts for every field."""

    def rows(self, start: int, number: int) -> "Multiplier":
        """Return that of some trajectories; itself if it is the same for every trajectory."""
        return self if len(self.values) == 1 else type(self)(self.values[start : start + number])

    @abstractmethod
    def __init__(self, values: Tensor) -> None: ...


@final
@dataclass(frozen=True, eq=False)
class Diagonal(Multiplier):
    """One number for each field and wave.

    Arguments:
        values: (1 or batch, field, *modes).
    """

    values: Tensor

    def times(self, spectrum: Tensor) -> Tensor:
        """Return the product, newly made."""
        return spectrum * self.values

    def multiply(self, spectrum: Tensor) -> Tensor:
        """Overwrite a spectrum by its product."""
        return spectrum.mul_(self.values)

    def plus(self, total: Tensor, spectrum: Tensor) -> Tensor:
        """Return ``total`` plus the product, newly made."""
        return torch.addcmul(total, self.values, spectrum)

    def add_to(self, total: Tensor, spectrum: Tensor) -> Tensor:
        """Add the product to ``total``, in place."""
        return total.addcmul_(self.values, spectrum)


@final
@dataclass(frozen=True, eq=False)
class Coupled(Multiplier):
    """A matrix over the fields for each wave.

    Arguments:
        values: (1 or batch, field, field, *modes); the second axis is that of the result.
    """

    values: Tensor

    def times(self, spectrum: Tensor) -> Tensor:
        """Return the product, newly made."""
        total = spectrum[:, :1] * self.values[:, :, 0]
        for column in range(1, spectrum.shape[1]):
            total.addcmul_(self.values[:, :, column], spectrum[:, column : column + 1])
        return total

    def multiply(self, spectrum: Tensor) -> Tensor:
        """Overwrite a spectrum by its product."""
        return spectrum.copy_(self.times(spectrum))

    def add_to(self, total: Tensor, spectrum: Tensor) -> Tensor:
        """Add the product to ``total``, in place; a spectrum of one channel counts for every field."""
        if spectrum.shape[1] == 1:
            return total.addcmul_(self._row_sums, spectrum)
        for column in range(spectrum.shape[1]):
            total.addcmul_(self.values[:, :, column], spectrum[:, column : column + 1])
        return total

    @cached_property
    def _row_sums(self) -> Tensor:
        return self.values.sum(2)
