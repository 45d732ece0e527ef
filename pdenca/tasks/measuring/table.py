"""What a table holds that was measured somewhere else."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pdenca.core import BadInputError, FormatError

from .measured import Measured

Courses = Mapping[str, Mapping[str, Any]]
"""Model -> what decides how it is trained: all its settings, so that a changed default is noticed."""


@dataclass(frozen=True)
class Table:
    """Results that are kept.

    Arguments:
        results: what was measured.
        seconds: phase -> time it took.
        processor: where; "" for nothing at all.
    """

    results: tuple[Measured, ...]
    seconds: Mapping[str, float]
    processor: str

    def has(self, key: Mapping[str, Any]) -> bool:
        """Return whether this has been measured."""
        return any(item.key == key for item in self.results)

    def with_processor(self, name: str) -> str:
        """Return all processors, with this one."""
        return name if not self.processor or name in self.processor else f"{self.processor} and {name}"


NOTHING: Final = Table((), {}, "")


def read_table(path: Path, courses: Courses) -> Table:
    """Read a table that :meth:`~pdenca.tasks.measuring.Measuring.write` has written.

    Arguments:
        path: of the table.
        courses: how models are trained now.

    Raises:
        BadInputError: if there is none, or its models were trained in another way.
        FormatError: if it is damaged.
    """
    if not path.is_file():
        raise BadInputError(f"there is no file {path}; expected the table of a study, e.g. {path.stem}.json")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        facts = content["facts"]
        results = tuple(Measured(item["key"], item["found"]) for item in content["results"])
        table = Table(results, dict(facts["seconds"]), str(facts["processor"]))
        trained, overrides = dict(facts["courses"]), facts["settings"]["overrides"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"{path} is damaged ({error!r}); expected the table of a study") from None
    if overrides:
        raise BadInputError(f"the models of {path} were trained on shorter courses; usual cure: without it")
    present = {item.key.get("model") for item in results}
    for name, told in courses.items():
        if name in present and trained.get(name) != told:
            raise BadInputError(
                f"{name} of {path} was trained in another way, {_different(trained.get(name), told)}; usual "
                "cure: without this table"
            )
    return table


def _different(before: object, now: Mapping[str, Any], place: str = "") -> str:
    """Return what differs, the first few of it."""
    if not isinstance(before, Mapping):
        return f"{place.rstrip('.')} {before}, not {now}".lstrip()
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    told = [
        _different(before.get(name), now[name], f"{place}{name}.")
        if isinstance(now.get(name), Mapping) and isinstance(before.get(name), Mapping)
        else f"{place}{name} {before.get(name)}, not {now.get(name)}"
        for name in names[:3]
    ]
    return "; ".join(told) + (" and more" if len(names) > len(told) else "")
