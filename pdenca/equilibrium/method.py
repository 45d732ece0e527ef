"""What a method of search is: its options, and what it does."""

from abc import ABC, abstractmethod

from pydantic import Field

from pdenca.core import Settings

from .search import Search


class Method(Settings, ABC):
    """One way to search for z = f(z); its settings are its options.

    Arguments:
        patience: evaluations in which the best residual must fall by a tenth, else the search of a sample
            ends as "stagnated"; 0: never.
    """

    patience: int = Field(default=100, ge=0)

    @abstractmethod
    def run(self, search: Search) -> None:
        """Evaluate f by ``search.evaluate`` as long as ``search.active`` holds for any sample."""
