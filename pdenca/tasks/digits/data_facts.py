"""What tells the data of a run on digits from any other."""

import hashlib
from pathlib import Path

from pdenca.datasets.digits import Digits
from pdenca.training.loop import BEST


def facts_of(
    digits: Digits, start: Path | None = None, replayed: Digits | None = None
) -> dict[str, int | str]:
    """Return how many digits there are, and fingerprints of all that a run is made of.

    Arguments:
        digits: what is learned.
        start: a run whose best parameters this one begins with.
        replayed: what is not to be forgotten.
    """
    facts: dict[str, int | str] = {"num_digits": len(digits), "sha256": _fingerprint(digits)}
    if start is not None:
        facts["start"] = hashlib.sha256((start / BEST).read_bytes()).hexdigest()
    if replayed is not None:
        facts["replayed"] = _fingerprint(replayed)
    return facts


def _fingerprint(digits: Digits) -> str:
    content = digits.images.numpy().tobytes() + digits.labels.numpy().tobytes()
    return hashlib.sha256(content).hexdigest()
