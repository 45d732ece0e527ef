"""Long work in phases that are done once, across sittings."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pdenca.core import FormatError, write_text
from pdenca.training import TrainingProgress

FILE: Final = "phases.json"
Tell = Callable[[float | int, float | int, str], None]
"""Called with how much is done, of how much, and a message."""
Progress = Callable[[str, float | int, float | int, str], None]
"""The same, after the name of the phase."""


class Phases:
    """Runs each phase once, and remembers across sittings which ones are finished and how long they took.

    Arguments:
        out: folder of the record.
        progress: (phase, how much is done, of how much, message), called while a phase works.

    Attributes:
        path: of the record.
        seconds: phase -> time it took, sittings that were cut short included.
        finished: the phases that are.

    Raises:
        FormatError: if the record is damaged.
    """

    def __init__(self, out: Path, progress: Progress | None) -> None:
        self.path = out / FILE
        self._progress = progress
        self.seconds: dict[str, float] = {}
        self.finished: list[str] = []
        if self.path.is_file():
            try:
                content = json.loads(self.path.read_text(encoding="utf-8"))
                self.seconds = {str(name): float(value) for name, value in content["seconds"].items()}
                self.finished = [str(name) for name in content["finished"]]
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise FormatError(f"{self.path} is damaged ({error}); usual cure: delete it") from error

    def run(self, name: str, work: Callable[[Tell], object], *, again: bool = False) -> None:
        """Do the work unless it was finished before; it is told how to report where it stands.

        ``again``: do it also if it was, because what it made is gone.
        """

        def tell(done: float | int, total: float | int, message: str) -> None:
            if self._progress:
                self._progress(name, done, total, message)

        if name in self.finished and not again:
            return
        tell(0, 1, "")
        before, began = self.seconds.get(name, 0.0), time.perf_counter()
        try:
            work(tell)
            if name not in self.finished:
                self.finished.append(name)
        finally:
            self.seconds[name] = round(before + time.perf_counter() - began, 1)
            content = {"seconds": self.seconds, "finished": self.finished}
            write_text(self.path, json.dumps(content, indent=1) + "\n")


def tell_training(tell: Tell, now: TrainingProgress) -> None:
    """Tell where a training stands."""
    score = "" if now.validation is None else f", validation {now.validation:.3g}"
    tell(
        now.stage_index + now.step / now.num_steps, now.num_stages, f"{now.stage}, loss {now.loss:.3g}{score}"
    )
