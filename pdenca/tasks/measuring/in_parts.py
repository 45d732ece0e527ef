"""The parts of a study one after the other."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path


def in_parts(
    parts: Mapping[str, Callable[[], None]], chosen: Iterable[str], write: Callable[[], Path]
) -> Path:
    """Do parts of a study, and write its page after each, so that what is cut short has one, too.

    Arguments:
        parts: name -> what does it.
        chosen: names, one or more.
        write: makes the page of what there is by now.

    Returns:
        The page.
    """
    pages = []
    for name in chosen:
        parts[name]()
        pages.append(write())
    return pages[-1]
