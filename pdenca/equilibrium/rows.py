"""A map on a batch of states seen as a map on rows: one flat vector per sample."""

from collections.abc import Callable
from typing import Any, Final, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdenca.core import BadInputError

Map = Callable[[Tensor], Tensor]
"""z -> f(z) on tensors whose first axis is the batch; the samples must not see each other."""

Rows = Float[Tensor, "batch entry"]
PerSample = Float[Tensor, " batch"]
Mask = Bool[Tensor, " batch"]


@runtime_checkable
class Selectable(Protocol):
    """A map that can be cut down to some samples, so that those that are done cost nothing any more."""

    def select(self, rows: Tensor) -> Map:
        """Return the map of the samples with these indices, in this order."""
        ...


class RowMap:
    """f on rows ``"batch entry"``, whatever the shape of a state.

    Arguments:
        step: the map.
        state: one batch of its states, which tells shape, type and device.

    Raises:
        BadInputError: for a map that is not deterministic, a state without a batch axis or one that is not
            real; later, when called, for results of another shape or type and for a map that changes its
            argument.
    """

    # below this share of samples at work, a map that can be cut down is
    _SHARE: Final = 0.5

    def __init__(self, step: Map, state: Tensor) -> None:
        if getattr(step, "deterministic", True) is False:
            raise BadInputError(
                "a step that draws random numbers has no fixed points, got deterministic = False; usual "
                "cure: let every cell fire (firing rate 1) and switch dropout off"
            )
        if state.ndim < 2 or state.numel() == 0 or state.dtype not in (torch.float32, torch.float64):
            raise BadInputError(
                "expected float32 or float64 states with a batch axis, 'batch ...', got "
                f"{tuple(state.shape)} of {state.dtype}; usual cure: state[None].float()"
            )
        self.step, self.shape, self.like = step, state.shape, state
        self._selectable = isinstance(step, Selectable)
        self._selected: tuple[Tensor, Map] | None = None

    def rows(self, states: Tensor) -> Rows:
        """Flatten states."""
        return states.reshape(self.shape[0], -1)

    def states(self, rows: Rows) -> Tensor:
        """Undo :meth:`rows`."""
        return rows.reshape(self.shape)

    def __call__(self, points: Rows) -> Rows:
        """Return f at every row."""
        return self.rows(self._checked(self.step, points.view(self.shape)))

    def part(self, indices: Tensor) -> "RowMap":
        """Return f on the rows of some samples alone.

        A step that cannot be cut down is fed zeros in place of the others.
        """
        if len(indices) == len(self.like):
            return self
        like = self.like[indices]
        if self._selectable:
            return RowMap(self.step.select(indices), like)  # type: ignore[attr-defined]

        def padded(states: Tensor) -> Tensor:
            everywhere = torch.zeros(self.like.shape, dtype=states.dtype, device=states.device)
            result: Tensor = self.step(everywhere.index_copy(0, indices, states))[indices]
            return result

        return RowMap(padded, like)

    def at(self, points: Rows, mask: Mask, otherwise: Rows) -> Rows:
        """Return f at the rows of ``mask``; of the others something that is not to be used.

        Arguments:
            points: one per sample.
            mask: which rows matter.
            otherwise: finite rows to feed to the map, or return, where they do not.
        """
        if self._selectable and int(mask.sum()) < self._SHARE * len(mask):
            indices = mask.nonzero().flatten()
            if self._selected is None or not torch.equal(self._selected[0], indices):
                self._selected = indices, self.step.select(indices)  # type: ignore[attr-defined]
            part = points[indices].view(-1, *self.shape[1:])
            values = otherwise.clone()
            values[indices] = self._checked(self._selected[1], part).reshape(len(indices), -1)
            return values
        return self(replaced(otherwise, mask, points))

    def _checked(self, step: Map, states: Tensor) -> Tensor:
        version = None if states.is_inference() else states._version
        result: Any = step(states)
        if not isinstance(result, Tensor) or result.shape != states.shape or result.dtype != states.dtype:
            got = (
                f"{tuple(result.shape)} of {result.dtype}"
                if isinstance(result, Tensor)
                else f"{type(result)}"
            )
            raise BadInputError(
                f"a map must return states like those it gets, {tuple(states.shape)} of {states.dtype}, got "
                f"{got}; usual cure: model and state of one type, no change of channels"
            )
        if version is not None and states._version != version:
            raise BadInputError(
                "the step changes its argument in place, so what it returns cannot be compared with what it "
                "was given; usual cure: state = state.clone() in the step"
            )
        return result


def positive_time(step: Map, time_step: float | None) -> float | None:
    """Return the time that one application takes, from the argument or the step's own attribute, or None.

    Raises:
        BadInputError: if it is not positive and finite.
    """
    told = getattr(step, "time_step", None) if time_step is None else time_step
    if not isinstance(told, int | float):
        return None
    if not 0 < told < float("inf"):
        raise BadInputError(f"time_step must be positive and finite, got {told}")
    return float(told)


def replaced(old: Rows, mask: Mask, new: Rows) -> Rows:
    """Return the new rows where the mask says so, the old ones elsewhere; without a copy if all are new."""
    return new if bool(mask.all()) else torch.where(mask[:, None], new, old)


def scaled(rows: Rows, factors: PerSample) -> Rows:
    """Multiply each row by its factor."""
    return rows * factors[:, None]


def sizes(rows: Rows) -> PerSample:
    """Euclidean norm of each row."""
    result: Tensor = torch.linalg.vector_norm(rows, dim=1)
    return result
