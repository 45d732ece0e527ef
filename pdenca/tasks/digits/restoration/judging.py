"""How well digits are restored, by numbers and by judges that tell them apart."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import torch
from torch import Tensor

from pdenca.core import BadInputError
from pdenca.datasets.digits import Digits
from pdenca.training import step_generator

from ..classifier import DigitClassifier
from ..judging import judging, pieces, wilson_interval
from .damage import Damage
from .fills import MaskedInput
from .flops import count_flops
from .lattice import LatticeBody, Wound
from .measures import mean_interval, psnr, ssim
from .models import Restorer

Restore = Callable[[Tensor, Tensor], Tensor]
"""(damaged, known) -> restored, all "batch 28 28"."""

DOUBLE_RANGE: Final = 6.0206
"""What a PSNR gains if the data are said to range over 2 instead of 1 (dB): 20 log10 2."""


@dataclass(frozen=True)
class Verdict:
    """What one judge says of restored digits: share that is told right, and its 95 % interval by Wilson."""

    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class Restored:
    """A restorer on some digits.

    Arguments:
        name: of the restorer.
        num_images: how many.
        num_exact: of them, restored to the last bit; their PSNR is infinite, and they are left out of its
            mean.
        psnr: mean over the images of 10 log10(1 / mse) (dB), data range 1, and its 95 % interval.
        psnr_of_mean: 10 log10(1 / mean mse) (dB), which is lower.
        ssim: mean structural similarity.
        psnr_by_step: the same mean after each step of a lattice; of others one number.
        verdicts: by judge.
        num_parameters: learned numbers; 0 where nothing is learned.
        flops: per image, see :func:`~pdenca.tasks.digits.restoration.flops.count_flops`; None where what is
            done is not what that counts.
        milliseconds: per image, in batches.
    """

    name: str
    num_images: int
    num_exact: int
    psnr: tuple[float, float, float]
    psnr_of_mean: float
    ssim: float
    psnr_by_step: tuple[float, ...]
    verdicts: Mapping[str, Verdict]
    num_parameters: int
    flops: int | None
    milliseconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers by name."""
        return asdict(self)


def judge_restorer(
    name: str,
    restorer: Restorer | Restore,
    digits: Digits,
    damage: Damage,
    judges: Mapping[str, DigitClassifier],
    *,
    num_steps: int | None = None,
    wound: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> Restored:
    """Let a restorer restore damaged digits, and judge what it makes of them.

    The damage is drawn from a seed of its own: every restorer meets the same. So is the wound, in which a
    random share of the cells loses its state, all channels of it, after half of the steps.

    Arguments:
        name: for the table.
        restorer: a trained one, or a function.
        digits: whole ones, which it has not been trained on, nor chosen by.
        damage: what is done to them.
        judges: name -> a classifier.
        num_steps: of a lattice; as many as in training by default.
        wound: share of the cells that are zeroed on the way, 0 to 1.
        progress: told how many digits are done, of how many.

    Raises:
        BadInputError: without digits, or for steps or a wound of what has no cells.
    """
    if (num_steps is not None or wound) and (
        not isinstance(restorer, Restorer) or not isinstance(restorer.body, LatticeBody)
    ):
        raise BadInputError(
            f"{name} answers at once and has no cells; usual cure: steps and wounds of automata and gates "
            "only"
        )
    if not len(digits):
        raise BadInputError("there is no digit to restore; usual cure: a test file that has some")
    model = restorer if isinstance(restorer, Restorer) else None
    ratios, similarities, errors, by_step = [], [], [], []
    right = dict.fromkeys(judges, 0)
    seconds, done = 0.0, 0
    for whole, labels in pieces(digits):
        damaged, known = damage(whole, step_generator(0, "test damage", done))
        began = time.perf_counter()
        if model is None:
            film = restorer(damaged, known)[:, None]
        else:
            with judging(model):
                hurt = _wound(model, len(whole), num_steps, wound, done)
                film = model.film(damaged, known, num_steps=num_steps, wound=hurt)
        seconds += time.perf_counter() - began
        restored = film[:, -1]
        ratios.append(psnr(restored, whole))
        similarities.append(ssim(restored, whole))
        errors.append((restored.double() - whole.double()).square().mean((1, 2)))
        by_step.append(torch.stack([psnr(frame, whole) for frame in film.unbind(1)], 1))
        for judge_name, judge in judges.items():
            with judging(judge):
                # judges have seen grey values only
                right[judge_name] += int((judge(restored.clamp(0, 1)).argmax(1) == labels).sum())
        done += len(labels)
        if progress is not None:
            progress(done, len(digits))
    if model is None:
        flops = _flops(restorer, digits, damage)
    else:
        with judging(model):
            flops = _flops(_last_of(model, num_steps), digits, damage)
    every = torch.cat(ratios)
    finite = every[every.isfinite()]
    steps = torch.cat(by_step)
    mean = float(torch.cat(errors).mean())
    return Restored(
        name=name,
        num_images=done,
        num_exact=int((every == torch.inf).sum()),
        psnr=mean_interval(finite),
        psnr_of_mean=float(-10 * torch.log10(torch.tensor(mean, dtype=torch.float64))),
        ssim=float(torch.cat(similarities).mean()),
        psnr_by_step=tuple(float(column[column.isfinite()].mean()) for column in steps.unbind(1)),
        verdicts={
            judge_name: Verdict(count / done, *wilson_interval(count, done))
            for judge_name, count in right.items()
        },
        num_parameters=0 if model is None else model.num_parameters,
        flops=flops,
        milliseconds=1e3 * seconds / done,
    )


def describe(found: Sequence[Restored], shown: Mapping[str, tuple[str, str]] | None = None) -> list[str]:
    """Return the table, in markdown.

    Arguments:
        found: a row each.
        shown: name -> (whether it is told the mask, whether known pixels are kept), see :func:`shown_to`.
    """
    judges = list(dict.fromkeys(name for item in found for name in item.verdicts))
    told = ["mask", "known pixels"] if shown is not None else []
    numbers = ["parameters", "MFLOP", "PSNR (dB)", "with range 2", "of the mean", "SSIM", *judges]
    lines = [
        "| " + " | ".join(["model", *told, *numbers]) + " |",
        "|---|" + "---|" * len(told) + "---:|" * len(numbers),
    ]
    for item in found:
        mean, low, high = item.psnr
        cells = [
            item.name,
            *(() if shown is None else shown[item.name]),
            f"{item.num_parameters:,}",
            "" if item.flops is None else f"{item.flops / 1e6:.3g}",
            f"{mean:.2f} [{low:.2f}, {high:.2f}]",
            f"{mean + DOUBLE_RANGE:.2f}",
            f"{item.psnr_of_mean:.2f}",
            f"{item.ssim:.3f}",
            *(f"{100 * item.verdicts[name].accuracy:.2f} %" for name in judges),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def shown_to(restorer: object) -> tuple[str, str]:
    """Return whether a restorer is told which pixels are known, and whether it keeps them."""
    if isinstance(restorer, Restorer):
        settings = restorer.settings
        return "told" if settings.told_mask else "blind", "kept" if settings.keep_known else "not kept"
    return "not used" if isinstance(restorer, MaskedInput) else "told", "kept"


def _wound(restorer: Restorer, batch: int, num_steps: int | None, share: float, done: int) -> Wound | None:
    if not share:
        return None
    assert isinstance(restorer.body, LatticeBody)  # others have been refused
    after = max(1, (num_steps or restorer.num_steps) // 2)
    return restorer.body.wound(batch, share, after, step_generator(0, "test wound", done))


def _last_of(restorer: Restorer, num_steps: int | None) -> Restore:
    return lambda damaged, known: restorer.film(damaged, known, 1, num_steps=num_steps)[:, -1]


def _flops(restore: Restore, digits: Digits, damage: Damage) -> int | None:
    """Return the operations for one image; None if none of those that are counted is done."""
    whole, _ = next(pieces(digits, 1))
    damaged, known = damage(whole, step_generator(0, "test damage", 0))
    with torch.no_grad():
        return count_flops(restore, damaged, known) or None
