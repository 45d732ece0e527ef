"""Series that show different things: damage takes its share of what each of them shows."""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pdenca.training import SequenceMatching, erase, step_generator
from pdenca.training.objectives.sequence import Batch


class SeveralSeries(SequenceMatching):
    """Matching of several series at once, whose damage is counted in the live cells of each by itself.

    Arguments:
        *told: as of :class:`~pdenca.training.SequenceMatching`.
        live: of every series, the cells whose damage counts.
        num_copies: entries per series.
        damaged: chance of every old state of a training step to be damaged.
        most_damage: largest share of the live cells of its series that a damage takes.
        **named: as of :class:`~pdenca.training.SequenceMatching`.
    """

    def __init__(
        self,
        *told: Any,  # noqa: ANN401
        live: Bool[Tensor, " series *space"],
        num_copies: int,
        damaged: float,
        most_damage: float,
        **named: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(*told, num_copies=num_copies, **named)
        self.live_of_entries = live.repeat_interleave(num_copies, dim=0)
        self.chance, self.largest = damaged, most_damage

    def starts(self, batch: Batch) -> Float[Tensor, "entry slot channel *space"]:
        """Return what the transitions begin from; a damage takes the noise of its cells along."""
        states = super().starts(batch)
        entries, step = batch
        generator = step_generator(self.seed, "damage", step)
        for place, entry in enumerate(entries.tolist()):
            chance, share = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
            if chance < self.chance:
                held = states[place : place + 1, -1]
                states[place : place + 1, -1] = erase(
                    held, self.largest * share, self.grid, generator, live=self.live_of_entries[entry]
                )
        return states
