"""Measurements that are made once, with what has to be trained for them."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pdenca.core import BadInputError, FormatError, Settings, write_text

from ..emulation import environment
from ..phases import Phases, Progress, Tell
from .measured import Key, Measured
from .table import Courses, Table

Page = Callable[[Sequence[Measured], Mapping[str, Any]], str]
"""(results, facts) -> markdown."""


class Measuring:
    """A folder of measurements, each a file of its own, and of the runs that they are of.

    A run is trained when the first measurement asks for it. What has been measured, here or in a table that
    is kept, is not measured again; what was cut short goes on.

    Arguments:
        out: the folder.
        kept: what was measured elsewhere.
        progress: told the phase and how far it is.

    Raises:
        FormatError: if the folder's record is damaged.
    """

    def __init__(self, out: Path, kept: Table, progress: Progress | None) -> None:
        self.out, self.kept = out, kept
        self.phases = Phases(out, progress)
        self._training: dict[Path, Callable[[Tell], None]] = {}
        self._wanted: dict[Path, tuple[object, Callable[[Path], object]]] = {}

    def needs(
        self, run: Path, train: Callable[[Tell], None], wanted: object, read: Callable[[Path], object]
    ) -> Path:
        """Say how a run is trained, what it is to have been trained by, and how to read by what it was."""
        self._training[run], self._wanted[run] = train, (wanted, read)
        return run

    def trained(self, run: Path) -> Path:
        """Train a run unless it was before.

        Raises:
            BadInputError: if it was trained by something else than was asked for.
        """
        self.phases.run(f"train {run.name}", self._training[run])
        wanted, read = self._wanted[run]
        if read(run) != wanted:
            raise BadInputError(
                f"{run} was trained with other settings; usual cure: another --out, or the settings of before"
            )
        return run

    def measure(self, key: Key, work: Callable[[Tell], Mapping[str, Any]], run: Path | None = None) -> None:
        """Measure something of a run, or of none, unless that was done before."""
        place = ", ".join(str(value) for value in key.values())
        path = self.out / "results" / f"{place}.json"
        known = self.kept.has(key) or (place in self.phases.finished and path.is_file())
        if run is not None and (run.is_dir() or not known):
            self.trained(run)
        if known:
            return
        self.phases.run(
            place, lambda tell: write_text(path, json.dumps({"key": key, "found": work(tell)})), again=True
        )

    def results(self) -> list[Measured]:
        """Return what has been measured.

        Raises:
            FormatError: if a file is damaged.
        """
        found = []
        for path in sorted((self.out / "results").glob("*.json")):
            try:
                content = json.loads(path.read_text(encoding="utf-8"))
                found.append(Measured(content["key"], content["found"]))
            except (ValueError, KeyError, TypeError) as error:
                raise FormatError(
                    f"{path} is damaged ({error}); usual cure: delete it and {self.phases.path}"
                ) from None
        measured = [item.key for item in found]
        return found + [item for item in self.kept.results if item.key not in measured]

    def write(self, stem: str, command: str, settings: Settings, courses: Courses, page: Page) -> Path:
        """Write table and page of what is there by now; return the page."""
        facts = {
            "command": command,
            "settings": json.loads(settings.to_json()),
            "courses": courses,
            "seconds": {**self.kept.seconds, **self.phases.seconds},
            **environment(),
        }
        facts["processor"] = self.kept.with_processor(str(facts["processor"]))
        results = self.results()
        content = {"facts": facts, "results": [vars(item) for item in results]}
        write_text(self.out / f"{stem}.json", _lines(content))
        path = self.out / f"{stem}.md"
        write_text(path, page(results, facts))
        return path


def _lines(content: Mapping[str, Any]) -> str:
    """Return JSON with a line for every entry, but lists of numbers on one."""
    text = json.dumps(content, indent=1)
    return (
        re.sub(r'\[\n[^\[\]{}"]+\]', lambda found: "[" + " ".join(found[0][1:-1].split()) + "]", text) + "\n"
    )


def by_count(tell: Tell) -> Callable[[int, int], None]:
    """Return what hears how many pieces of how many are done."""
    return lambda done, total: tell(done, total, "")
