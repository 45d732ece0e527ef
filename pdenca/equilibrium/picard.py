"""Plain iteration."""

from typing import final

from pydantic import Field

from .method import Method
from .rows import replaced
from .search import Search


@final
class Picard(Method):
    """z ← (1 - d) z + d f(z): what the step itself does, or a damped version of it.

    Converges only to fixed points that are stable under the (damped) iteration, linearly with the spectral
    radius of (1 - d) I + d J. The one method that finds what a roll-out finds, and for strong contractions
    the cheapest. A pattern that grows from noise has a residual that does not fall for a long time; so
    patience is without limit here.

    Arguments:
        damping: d, above 0 and at most 1 (no damping).
    """

    patience: int = Field(default=0, ge=0)
    damping: float = Field(default=1.0, gt=0, le=1)

    def run(self, search: Search) -> None:
        """Iterate."""
        points = search.fed
        while bool(search.active.any()):
            values = search.evaluate(points)
            moved = values if self.damping == 1 else points + self.damping * (values - points)
            # rows that are done may hold a NaN, which no reduction over the batch should meet
            points = replaced(search.fed, search.active, moved)
