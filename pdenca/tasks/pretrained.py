"""Models that come with the package: small runs, with a card each."""

import difflib
from importlib.resources import files
from pathlib import Path
from typing import Final

import torch

from pdenca.core import BadInputError, FormatError

from .models import NeuralEmulator, load_run

PRETRAINED: Final[dict[str, str]] = {"gray-scott": "gray_scott", "gray-scott-well": "gray_scott_well"}
"""Name -> folder in ``pdenca/pretrained``."""

CARD: Final = "card.md"


def pretrained_folder(name: str) -> Path:
    """Return the folder of a model that comes with the package: a run without its history, and a card.

    Raises:
        BadInputError: for an unknown name, naming the nearest.
        FormatError: if the package was not unpacked or is not whole.
    """
    if name not in PRETRAINED:
        near = difflib.get_close_matches(name, PRETRAINED, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise BadInputError(f"no pretrained model {name!r}: {hint}expected one of {', '.join(PRETRAINED)}")
    folder = Path(str(files("pdenca"))) / "pretrained" / PRETRAINED[name]
    if not folder.is_dir():
        raise FormatError(f"{folder} is missing; usual cure: install pdenca again, unpacked")
    return folder


def load_pretrained(name: str, dtype: torch.dtype = torch.float64) -> NeuralEmulator:
    """Load a model that comes with the package.

        emulator = pdenca.load_pretrained("gray-scott")
        step = emulator.bind(grid, {"feed_rate": F, "kill_rate": k})

    Arguments:
        name: a key of :data:`PRETRAINED`.
        dtype: floating point type to work in.

    Returns:
        The emulator; ``step`` advances ``"batch channel *space"`` by one frame of
        ``emulator.scales.frame_interval``.

    Raises:
        BadInputError: for an unknown name.
        FormatError: if a file of the package is damaged.
    """
    made = load_run(pretrained_folder(name), dtype)
    return NeuralEmulator(name, made.automaton, made.settings, made.scales)


def read_card(name: str) -> str:
    """Return the card of a model: what it was trained on, how good it is, where it ends.

    Raises:
        BadInputError: for an unknown name.
        FormatError: if the card is missing.
    """
    try:
        return (pretrained_folder(name) / CARD).read_text(encoding="utf-8")
    except OSError as error:
        raise FormatError(f"the card of {name!r} cannot be read: {error.strerror}") from None
