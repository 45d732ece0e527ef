"""Reading the TOML files of experiments, with single settings put in other places of them."""

import copy
import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pdenca.core import BadInputError


def read_experiment(
    known: Mapping[str, Path], name_or_path: str | Path, overrides: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Read the table of an experiment, not validated yet.

    Arguments:
        known: name -> TOML file.
        name_or_path: one of these names, or a TOML file.
        overrides: dotted place -> value, e.g. ``{"model.radius": 2, "stages.0.num_steps": "10"}``; a text is
            read as TOML, and stands for itself if it is no TOML value.

    Returns:
        The table with the overrides in place.

    Raises:
        BadInputError: for an unknown name, a file that cannot be read, or a place that is no setting.
    """
    path = known.get(str(name_or_path), Path(name_or_path))
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise BadInputError(f"{path} is not a valid TOML file: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        near = difflib.get_close_matches(str(name_or_path), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)} or a TOML file"
        reason = "" if isinstance(error, FileNotFoundError) else f" ({type(error).__name__})"
        raise BadInputError(f"no experiment {str(name_or_path)!r}{reason}: {hint}") from None
    for place, value in (overrides or {}).items():
        # a copy, since a later place may lie within this value
        _put(table, place, _toml_value(value) if isinstance(value, str) else copy.deepcopy(value))
    return table


def _toml_value(text: str) -> Any:  # noqa: ANN401
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _put(table: dict[str, Any], place: str, value: Any) -> None:  # noqa: ANN401
    *parents, last = place.split(".")
    inner: Any = table
    for part in parents:
        if isinstance(inner, list):
            if not part.isdigit() or int(part) >= len(inner):
                raise BadInputError(
                    f"setting {place!r}: there are stages 0 to {len(inner) - 1}, got {part!r}"
                )
            inner = inner[int(part)]
        else:
            inner = inner.setdefault(part, {})
        if not isinstance(inner, dict | list):
            raise BadInputError(f"setting {place!r}: {part!r} is a value, not a group of settings")
    if isinstance(inner, list):
        raise BadInputError(f"setting {place!r} names a stage, not a setting of it")
    inner[last] = value
