"""What a channel of a trajectory means."""

from dataclasses import dataclass
from typing import Literal, get_args

from .errors import BadInputError

Kind = Literal["scalar", "pseudoscalar", "vector"]


@dataclass(frozen=True)
class Field:
    """One named physical field, written by solvers, stored in files, read where a model is built.

    Arguments:
        name: the field's name, unique within a trajectory, e.g. ``"A"``.
        unit: its unit as written on an axis; ``"1"`` for dimensionless.
        kind: how it transforms under rotations and reflections of space: a ``"scalar"`` is carried along, a
            ``"pseudoscalar"`` also changes sign under reflections, a ``"vector"`` has one channel per space
            axis and is rotated with it.
    """

    name: str
    unit: str = "1"
    kind: Kind = "scalar"

    def __post_init__(self) -> None:
        if not self.name:
            raise BadInputError("a field needs a name, got an empty string; usual cure: Field('A')")
        if self.kind not in get_args(Kind):
            raise BadInputError(
                f"field kind {self.kind!r} is unknown; expected one of {', '.join(get_args(Kind))}"
            )
