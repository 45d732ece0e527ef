"""What the runs of classifiers and restorers, and of rules that write networks, have in common."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, Literal, TypeVar

import pydantic
from torch import nn

from pdenca.core import BadInputError, FormatError, Settings, write_text
from pdenca.training import FirstOrder
from pdenca.training.checkpoint import load_tree
from pdenca.training.fitters.base import trainable
from pdenca.training.loop import BEST, LAST, METRICS

from .emulation import environment

SETTINGS: Final = "settings.json"
DATA: Final = "data.json"


class FitSettings(Settings):
    """What every training on examples needs to be told.

    Arguments:
        seed: of initial weights, held-out examples, batches and all that is random in them.
        batch_size: examples per step.
        optimizer, learning_rate, schedule, weight_decay, gradient: of the first-order fitter.
        max_seconds: time budget of training; None: no limit.
    """

    seed: int = pydantic.Field(default=0, ge=0)
    batch_size: pydantic.PositiveInt = 64
    optimizer: Literal["adam", "nadam", "adamw", "sgd", "soap"] = "adamw"
    learning_rate: float = pydantic.Field(default=5e-3, gt=0)
    schedule: Literal["constant", "cosine", "exponential", "one-cycle"] = "one-cycle"
    weight_decay: float = pydantic.Field(default=0.01, ge=0)
    gradient: Literal["plain", "normalise", "clip"] = "plain"
    max_seconds: float | None = pydantic.Field(default=None, gt=0)


S = TypeVar("S", bound=FitSettings)
M = TypeVar("M", bound=nn.Module)


def build_fitter(model: nn.Module, num_steps: int, settings: FitSettings) -> FirstOrder:
    """Return the fitter of a run of so many steps."""
    return FirstOrder(
        model,
        optimizer=settings.optimizer,
        learning_rate=settings.learning_rate,
        schedule=settings.schedule,
        num_steps=num_steps,
        gradient=settings.gradient,
        weight_decay=settings.weight_decay if settings.optimizer in ("adamw", "soap") else None,
    )


@dataclass(frozen=True)
class RunKind(Generic[S]):
    """The folders of one kind of model.

    Arguments:
        settings: the class of their settings.
        name: what they hold, e.g. "a digit classifier".
        command: that makes one.
    """

    settings: type[S]
    name: str
    command: str

    def prepare(
        self,
        run: Path,
        settings: S,
        data: Mapping[str, int | str],
        resume: bool,
    ) -> None:
        """Write what a run is made of, or make sure that a run to resume is made of the same.

        Arguments:
            run: the folder.
            settings: all of them.
            data: facts that tell what is learned from any other data.
            resume: whether the folder may hold a run.

        Raises:
            BadInputError: if the run exists and ``resume`` is not set, or is resumed with other settings or
                data.
        """
        told = json.dumps(dict(data))
        if any((run / name).exists() for name in (LAST, BEST, METRICS)):
            if not resume:
                raise BadInputError(
                    f"{run} already holds a training run; usual cure: --resume to continue it, or another "
                    "--out"
                )
            before = self.read(run)
            same = before.replace(max_seconds=settings.max_seconds) == settings
            if not same or (run / DATA).read_text(encoding="utf-8") != told:
                raise BadInputError(
                    f"{run} was made with other settings or data; usual cure: resume with the same ones, or "
                    "another --out"
                )
        for left in run.glob(".*.partial"):  # of a sitting that was killed while it wrote
            left.unlink()
        write_text(run / SETTINGS, settings.to_json())
        write_text(run / DATA, told)
        write_text(run / "environment.json", json.dumps(environment(), indent=1))

    def read(self, run: Path) -> S:
        """Return the settings of a run.

        Raises:
            FormatError: if the folder holds no run of this kind.
        """
        path = run / SETTINGS
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise FormatError(
                f"{run} holds no run of {self.name}; usual cure: `{self.command} --out {run}`"
            ) from None
        try:
            return self.settings.from_json(text)
        except BadInputError as error:
            raise FormatError(f"{path} is not of {self.name} ({error}); usual cure: another RUN") from None

    def data(self, run: Path) -> dict[str, int | str]:
        """Return what was told of the data that a run was made of.

        Raises:
            FormatError: if that is missing or damaged.
        """
        path = run / DATA
        try:
            found: dict[str, int | str] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise FormatError(f"{path} is missing or damaged ({error}); usual cure: train again") from None
        return found

    def load_best(self, run: Path, model: M) -> M:
        """Give a model the best parameters of its run, and switch it to evaluation.

        Raises:
            FormatError: if they do not fit.
        """
        parameters = load_tree(run / BEST)["parameters"]
        own = trainable(model)
        if own.keys() != parameters.keys() or any(own[n].shape != parameters[n].shape for n in own):
            raise FormatError(f"{run / BEST} does not fit {run / SETTINGS}; usual cure: train again")
        for name, value in parameters.items():
            own[name].data.copy_(value)
        return model.eval()
