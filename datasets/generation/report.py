"""How far a run is: trajectories, frames, dead ones, and the time that is left."""

import math
import time
from collections.abc import Callable, Iterable

from ..shard import Shard
from .parts import Batch

Progress = Callable[[int, int, str], None]
"""Called with (trajectories done, trajectories in all, what is going on)."""

MIN_SECONDS = 1.0
"""No estimate of the time left before this."""


class Report:
    """Counts what is done and passes it on in words.

    Arguments:
        progress: who wants to know, if anybody.
        shards: all files of the dataset.
    """

    def __init__(self, progress: Progress | None, shards: Iterable[Shard]) -> None:
        self._progress = progress
        shards = list(shards)
        self.total = sum(shard.num_trajectories for shard in shards)
        self.done = 0
        self.num_dead = 0
        self._total_frames = sum(shard.num_trajectories * shard.num_frames for shard in shards)
        self._done_frames = 0
        self._work = sum(shard.num_trajectories * _work(shard) for shard in shards)
        self._solved_work = 0.0  # by this run
        self._under_way: dict[Batch, int] = {}
        self._started = time.monotonic()

    def found(self, shard: Shard, num_trajectories: int, num_dead: int) -> None:
        """Count trajectories that were there already."""
        self.done += num_trajectories
        self.num_dead += num_dead
        self._done_frames += num_trajectories * shard.num_frames
        self._work -= num_trajectories * _work(shard)

    def frame(self, batch: Batch, number: int) -> None:
        """Frame ``number`` of a batch is solved."""
        self._under_way[batch] = number
        self.tell(f"{batch.file}: frame {number} of {batch.shard.num_frames}")

    def dropped(self, batch: Batch) -> None:
        """A batch was given up half-way."""
        self._under_way.pop(batch, None)

    def solved(self, batch: Batch, num_dead: int) -> None:
        """A batch is done."""
        self._under_way.pop(batch, None)
        count = len(batch.seeds)
        self.done += count
        self.num_dead += num_dead
        self._done_frames += count * batch.shard.num_frames
        self._solved_work += count * _work(batch.shard)
        self.tell(batch.file)

    def seconds_left(self) -> float | None:
        """Estimate the time left, from the cells times frames per second of this run; None at first."""
        seconds = time.monotonic() - self._started
        done = self._solved_work + sum(
            len(batch.seeds) * _work(batch.shard) * number / batch.shard.num_frames
            for batch, number in self._under_way.items()
        )
        if seconds < MIN_SECONDS or not done:
            return None
        return seconds * (self._work - done) / done

    def tell(self, message: str, with_numbers: bool = True) -> None:
        """Pass on what is going on."""
        if self._progress:
            text = f"{message}; {self._numbers()}" if with_numbers else message
            self._progress(self.done, self.total, text)

    def _numbers(self) -> str:
        frames = self._done_frames + sum(
            len(batch.seeds) * number for batch, number in self._under_way.items()
        )
        words = [f"{frames:,} of {self._total_frames:,} frames", f"{self.num_dead} dead"]
        left = self.seconds_left()
        return ", ".join(words if left is None else [*words, f"{in_words(left)} left"])


def _work(shard: Shard) -> float:
    """Cost of one trajectory, in cells times frames."""
    return float(math.prod(shard.grid.shape) * shard.num_frames)


def in_words(seconds: float) -> str:
    """Return a rough time, e.g. ``40 s``, ``12 min`` or ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
