"""What is said of steady patterns, in words, numbers and pictures."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from pdenca import plots
from pdenca.core import atomic_path, write_text

SENTENCES: Final = {
    "steady": "stable pattern",
    "dead": "no stable patterned equilibrium from this start: it dies out",
    "unstable": "no stable patterned equilibrium from this start: only an unstable one",
    "undecided": "an equilibrium whose stability is undecided",
    "travelling": "no stable patterned equilibrium from this start: it travels",
    "unsettled": "no stable patterned equilibrium from this start",
    "not finite": "no equilibrium: it leaves the finite numbers",
}
"""Verdict -> what is said of it."""


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """One start and what became of it; NaN where a number is unknown or was not asked for.

    Attributes:
        name: file and trajectory, or equation and preset.
        verdict: a key of :data:`SENTENCES`.
        reason: in words.
        rate: relative change per time that is left under the map itself (1/time).
        reference_rate: the same under the equation with exact derivatives on this grid (1/time).
        error: root mean square distance from the steady state of the data over its standard deviation in
            space, fields pooled.
        contrast: spatial standard deviation, fields pooled, over that of the data's steady state; without
            data over the size of the fields.
        structure_distance, area_distance, histogram_distance: between this pattern and the data's as
            statistics, see :func:`pdenca.evaluation.pattern_distances`.
        growth_rate: of the slowest perturbation (1/time).
        evaluations: of the map, rolling out and solving.
        products: of the Jacobian with vectors.
        time: rolled out or marched (time).
        rollout_error: distance between this equilibrium and where the roll-out alone ends, as ``error``.
        rollout_evaluations: of the map that the roll-out alone took to rest as far; infinite if it did not.
    """

    name: str
    verdict: str
    reason: str
    rate: float
    reference_rate: float = math.nan
    error: float = math.nan
    contrast: float = math.nan
    structure_distance: float = math.nan
    area_distance: float = math.nan
    histogram_distance: float = math.nan
    growth_rate: float = math.nan
    evaluations: float = math.nan
    products: float = math.nan
    time: float = math.nan
    rollout_error: float = math.nan
    rollout_evaluations: float = math.nan

    def describe(self) -> str:
        """Return one line."""
        told = [f"change left {self.rate:.1e}"]
        for value, text in (
            (self.reference_rate, "under the equation {:.1e}"),
            (self.error, "error {:.3g}"),
            (self.contrast, "contrast {:.3g}"),
            (self.structure_distance, "structure {:.2g} apart"),
            (self.growth_rate, "slowest perturbation {:+.2g}"),
            (self.evaluations, "{:g} evaluations"),
            (self.products, "{:g} products"),
            (self.time, "rolled out to t = {:g}"),
            (self.rollout_evaluations, "roll-out alone {:g} evaluations"),
            (self.rollout_error, "which ends {:.2g} away"),
        ):
            if not math.isnan(value):
                told.append(text.format(value))
        return f"{self.name}: {SENTENCES[self.verdict]} ({self.reason}); {', '.join(told)}"


@dataclass(frozen=True, eq=False)
class SteadyReport:
    """The steady patterns of a rule or an equation.

    Attributes:
        title: what was asked.
        patterns: one per start.
        states: the equilibria, or where the search ended, one array per pattern.
        targets: the steady states of the data, likewise; empty without data.
        fields: names of the channels.
        seconds: wall time of rolling out and solving, stability included.
        memory: the process' peak by then (bytes), libraries and data included.
    """

    title: str
    patterns: tuple[Pattern, ...]
    states: tuple[Float[np.ndarray, " channel *_space"], ...]
    targets: tuple[Float[np.ndarray, " channel *_space"], ...]
    fields: tuple[str, ...]
    seconds: float
    memory: int

    def describe(self) -> str:
        """Return one line per start, and a summary."""
        counts = {name: sum(item.verdict == name for item in self.patterns) for name in SENTENCES}
        summary = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        number = len(self.patterns)
        last = f"{number} start{'s' if number > 1 else ''}: {summary}; {self.seconds:.1f} s, "
        last += f"peak memory of the process {self.memory / 1e6:.0f} MB"
        return "\n".join((self.title, *(item.describe() for item in self.patterns), last))

    def write_json(self, path: Path) -> None:
        """Write all numbers; those that are unknown or infinite are null."""
        rows = [
            {key: value if _plain(value) else None for key, value in asdict(item).items()}
            for item in self.patterns
        ]
        table = {
            "title": self.title,
            "seconds": round(self.seconds, 3),
            "memory": self.memory,
            "patterns": rows,
        }
        write_text(path, json.dumps(table, indent=1) + "\n")

    def write_npz(self, path: Path) -> None:
        """Write the equilibria as ``state_0``, ... and the steady states of the data as ``target_0``, ..."""
        arrays: dict[str, Any] = {
            "fields": np.array(self.fields),
            "names": np.array([item.name for item in self.patterns]),
            **{f"state_{number}": state for number, state in enumerate(self.states)},
            **{f"target_{number}": target for number, target in enumerate(self.targets)},
        }
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)

    def draw(self, path: Path, most: int = 8) -> None:
        """Save a picture of the first field of the first patterns, each followed by that of the data.

        Of a box the middle plane is shown.
        """
        shown, notes = {}, {}
        for number, item in enumerate(self.patterns[:most]):
            shown[item.name] = _plane(self.states[number])
            notes[item.name] = item.verdict
            if self.targets:
                shown[f"{item.name}, data"] = _plane(self.targets[number])
        plots.save(plots.contact_sheet(shown, notes=notes), path, 200)


def _plain(value: object) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _plane(state: np.ndarray) -> np.ndarray:
    field: np.ndarray = state[0]
    if field.ndim == 1:
        return np.broadcast_to(field[:, None], (len(field), max(2, len(field) // 4)))
    return field if field.ndim == 2 else field[..., field.shape[2] // 2]
