"""What shapes a restorer of digits and its training. Read from TOML, saved in every run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import pydantic

from pdenca.core import Settings
from pdenca.datasets.digits import SIDE

from ...experiment_files import read_experiment
from ...runs import FitSettings
from .damage import Damage

LATTICES: Final = ("ca", "gate", "hybrid")
"""Kinds of restorers that live on a lattice of cells."""


class GateSettings(Settings):
    """The network that sees the whole lattice.

    Arguments:
        first_step: the gate acts after this step of the automaton, counted from 1, ...
        every: ... and after every so many steps from there on.
        read_channels, read_side: what it reads: so many numbers at so many places along each axis.
        num_hidden: units.
        write_channels, write_side: what it writes, likewise.
        dropout: share of the units that is dropped in training.
    """

    first_step: pydantic.PositiveInt = 1
    every: pydantic.PositiveInt = 1
    read_channels: pydantic.PositiveInt = 1
    read_side: pydantic.PositiveInt = 32
    num_hidden: pydantic.PositiveInt = 1024
    write_channels: pydantic.PositiveInt = 1
    write_side: pydantic.PositiveInt = 16
    dropout: float = pydantic.Field(default=0.5, ge=0, lt=1)


class RestorerSettings(Settings):
    """The parts of a restorer.

    Arguments:
        kind: ``ca``: an automaton alone; ``gate``: the gate alone, as often; ``hybrid``: both in turn;
            ``auto-encoder``, ``u-net``: ordinary networks to compare with.
        told_mask: whether a model is told which pixels are known, or only sees the damaged image.
        keep_known: known pixels of the result are those of the damaged image.
        side: image cells along each side of the lattice, the image in its middle; at least 28.
        patch: image cells along each side of a cell of the lattice.
        num_channels: of a cell.
        num_steps: of the automaton.
        cell: ``normalised``: z <- norm(W relu(kernels * z)); ``residual``: z <- z + m(z), m(z) = W2 relu(W1
            (kernels * z) + b); ``saturating``: z <- tanh(z + m(z)), which holds what it has.
        kernels: 3 x 3, ``depthwise``: of one channel each; ``full``: from every channel to every feature.
        multiplier: features per channel.
        num_hidden: units of a cell (residual, saturating).
        injected: whether every step sees the damaged image, or only the first.
        largest_wound: in training, up to this share of the cells is zeroed after one of the steps but the
            last; share and step are drawn for every batch, the cells for every image.
        largest_delay: in half of the batches of training, up to so many steps are taken first, without a
            gradient: what is to last has to be seen when it is old.
        gate: of ``gate`` and ``hybrid``.
        width: channels of the ``u-net`` on the finest grid.
        num_code: numbers in the middle of the ``auto-encoder``.
    """

    kind: Literal["ca", "gate", "hybrid", "auto-encoder", "u-net"] = "hybrid"
    told_mask: bool = True
    keep_known: bool = False
    side: int = pydantic.Field(default=32, ge=SIDE, le=64)
    patch: int = pydantic.Field(default=1, ge=1, le=4)
    num_channels: int = pydantic.Field(default=16, ge=2)
    num_steps: pydantic.PositiveInt = 10
    cell: Literal["normalised", "residual", "saturating"] = "normalised"
    kernels: Literal["depthwise", "full"] = "depthwise"
    multiplier: pydantic.PositiveInt = 5
    num_hidden: pydantic.PositiveInt = 64
    injected: bool = False
    largest_wound: float = pydantic.Field(default=0.0, ge=0, le=1)
    largest_delay: int = pydantic.Field(default=0, ge=0)
    gate: GateSettings = GateSettings()
    width: pydantic.PositiveInt = 16
    num_code: pydantic.PositiveInt = 64

    @property
    def num_cells(self) -> int:
        """Cells along each side of the lattice."""
        return self.side // self.patch

    @pydantic.model_validator(mode="after")
    def _fits(self) -> "RestorerSettings":
        if self.side % self.patch or (self.side - SIDE) % 2:
            raise ValueError(
                f"a lattice of {self.side} image cells is not made of patches of {self.patch} with the image "
                "in its middle; usual cure: side 28 or 32, patch 1, 2 or 4"
            )
        gate = self.gate
        if self.kind in ("gate", "hybrid") and gate.first_step > self.num_steps:
            raise ValueError(
                f"the gate first acts after step {gate.first_step}, there are {self.num_steps}; usual cure: "
                "a smaller gate.first_step"
            )
        if self.largest_wound and self.num_steps < 2:
            raise ValueError(
                "a wound comes after a step and before another, there is 1; usual cure: more num_steps, or "
                "no largest_wound"
            )
        if self.kind in ("gate", "hybrid") and max(gate.read_side, gate.write_side) > self.num_cells:
            raise ValueError(
                f"the gate looks at {gate.read_side} and writes at {gate.write_side} places along a side of "
                f"{self.num_cells} cells; usual cure: at most as many places as cells"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _no_idle_option(self) -> "RestorerSettings":
        cells = {"cell", "kernels", "multiplier", "num_hidden", "injected"}
        lattice = {"side", "patch", "num_channels", "num_steps", "largest_wound", "largest_delay"}
        idle = {"width"} if self.kind != "u-net" else set()
        idle |= {"num_code"} if self.kind != "auto-encoder" else set()
        if self.kind not in LATTICES:
            idle |= cells | lattice
        if self.kind not in ("gate", "hybrid"):
            idle |= {"gate"}
        if self.kind == "gate":
            idle |= cells
        if self.cell == "normalised":
            idle |= {"num_hidden"}
        for name in sorted(idle):
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(
                    f"{name} plays no role in the kind {self.kind!r} with the cell {self.cell!r}; leave it "
                    "out"
                )
        return self


class RestorationSettings(FitSettings):
    """All that decides a training run, apart from the data.

    Arguments:
        model: the restorer.
        damage: what it has to restore.
        num_valid: training digits held out; the model is chosen by its loss on them.
        num_steps: batches.
        validate_every: batches between validations.
        noise: standard deviation of noise on the damaged image, in training alone.
        num_judged_steps: the loss is the mean over so many last steps of a lattice; more than one asks it to
            stay where it has come to.
        rest: how much it matters, beside the mean squared error, that a lattice comes to rest in these steps:
            weight of its state's relative motion.
        target: what a damaged image is to become, ``image``: itself, whole; ``prototype``: the image that
            stands for its class, see :func:`~pdenca.tasks.digits.restoration.training.prototypes`.
        trained: which parameters are, ``all`` or those of the ``gate``.
        replay: share of every batch that comes from what is not to be forgotten.

    The others are those of :class:`~pdenca.tasks.runs.FitSettings`.
    """

    model: RestorerSettings = RestorerSettings()
    damage: Damage = Damage()
    num_valid: pydantic.PositiveInt = 2000
    num_steps: pydantic.PositiveInt = 4000
    validate_every: pydantic.PositiveInt = 400
    noise: float = pydantic.Field(default=0.0, ge=0)
    num_judged_steps: pydantic.PositiveInt = 1
    rest: float = pydantic.Field(default=0.0, ge=0)
    target: Literal["image", "prototype"] = "image"
    trained: Literal["all", "gate"] = "all"
    replay: float = pydantic.Field(default=0.0, ge=0, lt=1)
    learning_rate: float = pydantic.Field(default=2e-3, gt=0)
    gradient: Literal["plain", "normalise", "clip"] = "clip"

    @pydantic.model_validator(mode="after")
    def _judged_steps(self) -> "RestorationSettings":
        most = self.model.num_steps if self.model.kind in LATTICES else 1
        if self.num_judged_steps > most:
            raise ValueError(
                f"num_judged_steps is {self.num_judged_steps}, the model has {most} steps to judge"
            )
        if self.rest and self.model.kind not in LATTICES:
            raise ValueError(f"the kind {self.model.kind!r} has no state that could rest; leave rest out")
        if self.rest and most < 2:
            raise ValueError(
                "rest weighs how a state moves from one step to the next, there is 1; usual cure: more "
                "model.num_steps, or no rest"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _has_what_is_trained(self) -> "RestorationSettings":
        if self.trained == "gate" and self.model.kind not in ("gate", "hybrid"):
            raise ValueError(f"the kind {self.model.kind!r} has no gate to train; usual cure: trained=all")
        return self


_FOLDER = Path(__file__).parent.parent.parent.parent / "experiments" / "digits" / "restore"

EXPERIMENTS: Final[dict[str, Path]] = {
    name: _FOLDER / f"{name}.toml"
    for name in (
        "ca",
        "gate",
        "hybrid",
        "hybrid-late",
        "auto-encoder",
        "u-net",
        "memory",
        "memory-ca",
        "memory-gate",
        "attractors",
    )
}


def load_restoration(
    name_or_path: str | Path, overrides: Mapping[str, str] | None = None
) -> RestorationSettings:
    """Read the settings of a restorer.

    Arguments:
        name_or_path: a key of :data:`EXPERIMENTS` or a TOML file.
        overrides: dotted place -> value as text, e.g. ``{"model.num_steps": "20"}``.

    Raises:
        BadInputError: for an unknown name, a file that cannot be read, an unknown place or a bad value.
    """
    return RestorationSettings.parse(read_experiment(EXPERIMENTS, name_or_path, overrides))
