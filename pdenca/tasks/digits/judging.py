"""How good a classifier is, and whether its equilibria are ones."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any, Final

import torch
from jaxtyping import Int
from torch import Tensor, nn

from pdenca.core import BadInputError
from pdenca.datasets.digits import Digits
from pdenca.equilibrium import stability_of

from .classifier import DigitClassifier, Equilibrium, Unrolled, iterate

_BRIGHTEST: Final = 255.0
_AT_ONCE: Final = 250  # digits: enough for the processor, little enough for its caches
_CONFIDENT: Final = 1.959964  # standard deviations on either side of 95 %


@dataclass(frozen=True)
class Judgement:
    """A classifier on some digits.

    Arguments:
        num_images: how many.
        accuracy: share that is told right.
        low, high: its 95 % interval, by Wilson's score.
        cross_entropy: mean over the digits (nats).
        num_parameters: learned numbers.
        seconds: that telling them apart took.
        accuracy_after_one: the same model with its cell applied once instead; None without a cell.
        residual_median, residual_worst: relative residual ‖f(z) - z‖ / ‖f(z)‖ where the cell stopped; None
            without a cell.
        iterations_mean, iterations_most: of the search for the equilibrium; of the unrolled cell, as told.
        share_converged: digits whose equilibrium was found to tolerance; None if none is looked for.
        spectral_radius: largest |λ| of the Jacobian at the equilibria of the first ``num_spectra`` digits;
            below 1 each of them is stable. None if none is looked for.
        num_spectra: how many were looked at.
    """

    num_images: int
    accuracy: float
    low: float
    high: float
    cross_entropy: float
    num_parameters: int
    seconds: float
    accuracy_after_one: float | None = None
    residual_median: float | None = None
    residual_worst: float | None = None
    iterations_mean: float | None = None
    iterations_most: int | None = None
    share_converged: float | None = None
    spectral_radius: float | None = None
    num_spectra: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers by name."""
        return asdict(self)


def wilson_interval(num_right: int, num_all: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, by Wilson's score; it stays within 0 and 1.

    Source: Wilson, J. Am. Stat. Assoc. 22 (1927) 209.
    """
    share, z = num_right / num_all, _CONFIDENT
    middle = (share + z**2 / (2 * num_all)) / (1 + z**2 / num_all)
    reach = z / (1 + z**2 / num_all) * sqrt(share * (1 - share) / num_all + z**2 / (4 * num_all**2))
    return max(0.0, middle - reach), min(1.0, middle + reach)


@contextmanager
def judging(model: nn.Module) -> Iterator[None]:
    """Switch a model to evaluation, without gradients, and back to what it was."""
    was = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was)


def pieces(digits: Digits, size: int = _AT_ONCE) -> Iterator[tuple[Tensor, Int[Tensor, " image"]]]:
    """Yield grey values from 0 to 1 and labels, some digits at a time."""
    for start in range(0, len(digits), size):
        yield digits.images[start : start + size].float() / _BRIGHTEST, digits.labels[start : start + size]


def cross_entropy(model: DigitClassifier, digits: Digits) -> float:
    """Return the mean cross-entropy (nats), the score by which a model is chosen."""
    with judging(model):
        total = sum(
            float(nn.functional.cross_entropy(model(images), labels, reduction="sum"))
            for images, labels in pieces(digits)
        )
    return total / len(digits)


def check_classes(model: DigitClassifier, digits: Digits) -> None:
    """Make sure that a classifier and digits are of as many classes.

    Raises:
        BadInputError: if they are not.
    """
    if model.num_classes != len(digits.classes):
        raise BadInputError(
            f"the classifier tells {model.num_classes} classes apart, the test digits are of "
            f"{len(digits.classes)}; usual cure: --data and --data-dir as in its training"
        )


def judge(
    model: DigitClassifier,
    digits: Digits,
    *,
    num_spectra: int = 4,
    progress: Callable[[int, int], None] | None = None,
) -> Judgement:
    """Judge a classifier.

    Arguments:
        model: as trained.
        digits: which it has not been trained on, nor chosen by.
        num_spectra: at the equilibria of so many digits, the first ones, the spectral radius is looked for.
        progress: told how many digits are done, of how many.

    Raises:
        BadInputError: without digits, or for digits of another number of classes.
    """
    check_classes(model, digits)
    if not len(digits):
        raise BadInputError(
            "there is no digit to judge a classifier by; usual cure: a test file that has some"
        )
    done = right = right_after_one = 0
    entropy = seconds = 0.0
    residuals: list[Tensor] = []
    iterations: list[Tensor] = []
    converged: list[Tensor] = []
    with judging(model):
        for images, labels in pieces(digits):
            began = time.perf_counter()
            injected = model.encode(images)
            state = model.body(injected)
            scores = model.read(state)
            seconds += time.perf_counter() - began
            right += int((scores.argmax(1) == labels).sum())
            entropy += float(nn.functional.cross_entropy(scores, labels, reduction="sum"))
            if isinstance(model.body, Equilibrium | Unrolled):
                step = model.body.cell.step(injected)
                once = model.read(iterate(step, injected, 1))
                right_after_one += int((once.argmax(1) == labels).sum())
                following = step(state)
                residuals.append(_size(following - state) / _size(following).clamp(min=1e-30))
            if isinstance(model.body, Equilibrium):
                found = model.body.record.solution
                assert found is not None, "the body has just been called"
                iterations.append(found.evaluations)
                converged.append(found.converged)
            done += len(labels)
            if progress is not None:
                progress(done, len(digits))
        radius = _spectral_radius(model, digits, num_spectra)
    low, high = wilson_interval(right, len(digits))
    told: dict[str, Any] = {}
    if residuals:
        every = torch.cat(residuals)
        told |= {
            "accuracy_after_one": right_after_one / len(digits),
            "residual_median": float(every.median()),
            "residual_worst": float(every.max()),
        }
    if isinstance(model.body, Unrolled):
        told |= {
            "iterations_mean": float(model.body.num_iterations),
            "iterations_most": model.body.num_iterations,
        }
    if iterations:
        counts = torch.cat(iterations)
        told |= {
            "iterations_mean": float(counts.double().mean()),
            "iterations_most": int(counts.max()),
            "share_converged": float(torch.cat(converged).double().mean()),
            "spectral_radius": radius,
            "num_spectra": min(num_spectra, len(digits)),
        }
    return Judgement(
        num_images=len(digits),
        accuracy=right / len(digits),
        low=low,
        high=high,
        cross_entropy=entropy / len(digits),
        num_parameters=model.num_parameters,
        seconds=seconds,
        **told,
    )


def _size(states: Tensor) -> Tensor:
    size: Tensor = torch.linalg.vector_norm(states.flatten(1), dim=1)
    return size


def _spectral_radius(model: DigitClassifier, digits: Digits, num_spectra: int) -> float | None:
    """Return the largest spectral radius at the equilibria of the first digits; NaN if one was not found."""
    if not isinstance(model.body, Equilibrium) or not num_spectra:
        return None
    images, _ = next(pieces(digits, num_spectra))
    injected = model.encode(images)
    state = model.body(injected)
    verdicts = stability_of(model.body.cell.step(injected), state, num_eigenvalues=1, method="arnoldi")
    radii = torch.tensor([verdict.spectral_radius for verdict in verdicts])
    return float(radii.max())
