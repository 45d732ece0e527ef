"""Numbers with a unit: ``10min``, ``0.65um``, or plain ones. They are kept in the unit they were given in."""

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

from pdenca.core import BadInputError

Amount = float | int | str
"""A plain number, or a text such as ``"10min"``."""

TIMES: Final[Mapping[str, float]] = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
LENGTHS: Final[Mapping[str, float]] = {
    "nm": 1e-9,
    "um": 1e-6,
    "mm": 1e-3,
    "cm": 1e-2,
    "m": 1.0,
    "km": 1e3,
}
"""Unit -> how many seconds, or metres."""

PLAIN: Final = "1"
"""The unit of plain numbers."""

_SPELLINGS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("sec", "second", "seconds"), "s"),
    **dict.fromkeys(("minute", "minutes", "mins"), "min"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
    # the micro sign and the Greek letter look alike
    **dict.fromkeys(("\N{MICRO SIGN}m", "\N{GREEK SMALL LETTER MU}m", "micron", "microns"), "um"),
}
_AMOUNT: Final = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\W\d]*)\s*")


def parse_amount(amount: Amount, units: Mapping[str, float], what: str) -> tuple[float, str]:
    """Read a number and its unit.

    Arguments:
        amount: a number, or a text.
        units: the units that are understood, ``TIMES`` or ``LENGTHS``.
        what: what it is, for errors.

    Returns:
        The number and its unit, ``"1"`` if it has none.

    Raises:
        BadInputError: if it is no finite number, or the unit is not understood.

    >>> parse_amount("0.65 µm", LENGTHS, "the spacing"), parse_amount(10, TIMES, "the interval")
    ((0.65, 'um'), (10.0, '1'))
    """
    match = _AMOUNT.fullmatch(str(amount)) if not isinstance(amount, bool) else None
    example = "10min" if units is TIMES else "0.65um"
    if match is None or not math.isfinite(float(match[1])):
        raise BadInputError(
            f"{what} is {amount!r}; expected a number, with a unit or without, e.g. {example}"
        )
    unit = _SPELLINGS.get(match[2], match[2]) or PLAIN
    if unit != PLAIN and unit not in units:
        near = difflib.get_close_matches(unit.lower(), units, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise BadInputError(
            f"{what} is {amount!r}, whose unit {match[2]!r} is not understood: {hint}expected one of "
            f"{', '.join(units)}, or a plain number"
        )
    return float(match[1]), unit


def in_one_unit(
    amounts: Sequence[Amount], units: Mapping[str, float], what: str
) -> tuple[tuple[float, ...], str]:
    """Read several amounts in the unit of the first.

    Arguments:
        amounts: at least one.
        units: the units that are understood.
        what: what they are, for errors.

    Returns:
        The numbers and their unit.

    Raises:
        BadInputError: if one is not understood, or some have a unit and others have none.
    """
    found = [parse_amount(amount, units, what) for amount in amounts]
    unit = found[0][1]
    for amount, (_, own) in zip(amounts, found, strict=True):
        if (own == PLAIN) != (unit == PLAIN):
            raise BadInputError(
                f"{what}: {amounts[0]!r} and {amount!r} are not alike; expected a unit for all or for none"
            )
    return tuple(value if own == unit else value * (units[own] / units[unit]) for value, own in found), unit
