"""A table of before, taken over if all in it was made the way it would be made now."""

import json
from pathlib import Path

from pdenca.core import BadInputError

from ...measuring import Table, read_table
from .plan import CENSUS, ReproductionSettings, courses


def kept_table(path: Path, settings: ReproductionSettings) -> Table:
    """Read a table whose results are not to be measured again.

    Arguments:
        path: of the table.
        settings: by which they would be measured now.

    Raises:
        BadInputError: if there is none, or one of its models, judges or counts is of another course.
        FormatError: if it is damaged.
    """
    table = read_table(path, {})  # what it was trained by is looked at below, setting by setting
    before = json.loads(path.read_text(encoding="utf-8"))["facts"]["courses"]
    if CENSUS not in before:
        raise BadInputError(
            f"{path} is of an older form, which does not say by which settings all its models and judges "
            "were trained; usual cure: without this table"
        )
    now = courses(settings)
    present = {str(item.key["model"]) for item in table.results}
    counted = any(item.key["part"] == "basins" for item in table.results)
    for name in sorted((present & set(now)) | ({CENSUS} if counted else set())):
        then = before.get(name)
        if then is None:
            raise BadInputError(f"{path} does not say how {name} was trained; usual cure: without this table")
        other = sorted(place for place in {*then, *now[name]} if then.get(place) != now[name].get(place))
        if other:
            changed = ", ".join(f"{item} = {then.get(item)}, now {now[name].get(item)}" for item in other[:3])
            more = f" and {len(other) - 3} more" if len(other) > 3 else ""
            raise BadInputError(
                f"{name} of {path} was {'taken' if name == CENSUS else 'trained'} in another way: {changed}"
                f"{more}; usual cure: without this table"
            )
    return table
