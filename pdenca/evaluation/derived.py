"""Splits that need no files: cases made from stored ones.

A derived split asks something else of the same trajectories: other frame intervals (``ood_dt_...``), noise
on what is given (``ood_noise_...``), a piece of the pattern cut out (``ood_damage``), the same start turned
or mirrored (``ood_rotation...``).
"""

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError
from pdenca.solvers.equation import Equation
from pdenca.solvers.grid import Grid
from pdenca.solvers.simulate import simulate
from pdenca.solvers.spectral import interpolate
from pdenca.symmetry import D4

from .settings import Case, EvaluationSettings
from .turned import rotated, symmetries_of


def strided(case: Case, stride: int, settings: EvaluationSettings | None = None) -> Case:
    """Keep every ``stride``-th frame from the first on: the model is asked for longer intervals.

    The given frames are as far apart as the predicted ones, so the prediction starts at a later time than in
    the stored split: after frame ``stride`` (start + num_given - 1).

    Arguments:
        case: the stored one.
        stride: at least 2.
        settings: the protocol.

    Raises:
        BadInputError: if fewer frames are left than are given, plus one.
    """
    settings = settings or EvaluationSettings()
    if stride < 2:
        raise BadInputError(f"a stride is at least 2 frames, got {stride}")
    truth = case.truth[:, ::stride]
    _require_frames(case, truth.shape[1], settings, f"a stride of {stride}")
    return replace(
        case,
        truth=truth,
        frame_interval=case.frame_interval * stride,
        note=f"{case.split}, one frame in {stride}",
    )


def noisy(case: Case, level: float, settings: EvaluationSettings | None = None) -> Case:
    """Add Gaussian noise to the given frames; what is predicted is still the undisturbed truth.

    Every cell, field and given frame gets its own draw of standard deviation ``level`` times that of the
    field over the training data. Drawn from the protocol's seed, split and regime, so that all models see the
    same. A model is as good as can be where it loses no more than the solver does.

    Arguments:
        case: the stored one.
        level: in units of the field's standard deviation, positive.
        settings: the protocol: which frames are given, and the seed.
    """
    settings = settings or EvaluationSettings()
    if not (math.isfinite(level) and level > 0):
        raise BadInputError(f"a noise level is a positive number, got {level}")
    seen = slice(settings.start, settings.start + settings.num_given)
    seed = zlib.crc32(f"noise/{settings.seed}/{case.split}/{case.regime}/{level}".encode())
    truth = case.truth.clone()
    given = truth[:, seen]
    draws = torch.randn(given.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    std = torch.as_tensor(case.field_std, dtype=torch.float64).cpu()
    std = std.view(-1, *(1,) * case.grid.num_dims)
    truth[:, seen] = given + (level * std * draws).to(given)
    return replace(case, truth=truth, note=f"{case.split} with noise of {level:g} std on the given frames")


def damaged(
    case: Case,
    equation: Equation,
    settings: EvaluationSettings | None = None,
    *,
    radius: float = 0.15,
    fill: Sequence[float] | None = None,
    time_step: float | None = None,
    refine: int = 2,
) -> Case:
    """Blank a disc of the last given frame and solve the equation from there on.

    Inside the disc every field takes its value at rest; the edge is a tanh two cells wide, so that the
    solver's waves can carry it. The centre is drawn for each trajectory. The new truth is solved on a grid
    ``refine`` times as fine from the damaged frame, interpolated by its waves, and restricted back: it is
    what the equation makes of the damaged state, not the stored trajectory. Given frames before the last one
    stay as they were, so a model that looks at several sees the damage happen.

    Arguments:
        case: the stored one.
        equation: what to solve, with the parameters of the case.
        settings: the protocol: which frame is the last given one, and the seed of the centres.
        radius: of the disc, as a share of the shortest side of the domain, in (0, 0.5).
        fill: values inside the disc; None for the equation's first homogeneous state.
        time_step: of ETDRK4; None picks method and step for an error of 1e-5 in a frame.
        refine: how much finer the solver's grid is.

    Raises:
        BadInputError: for a radius out of range, or without ``fill`` for an equation that names no state at
            rest.
    """
    settings = settings or EvaluationSettings()
    if not 0 < radius < 0.5:
        raise BadInputError(f"the radius is a share of the domain's side in (0, 0.5), got {radius}")
    last = settings.start + settings.num_given - 1
    _require_frames(case, case.truth.shape[1], settings, "damage")
    state = case.truth[:, last].double()
    rest = _rest(equation, fill, state)
    inside = _discs(case, radius, settings.seed)[:, None]
    state = inside * rest + (1 - inside) * state
    frames = _solve(case, equation, state, case.truth.shape[1] - last, case.frame_interval, time_step, refine)
    truth = torch.cat([case.truth[:, :last], frames.to(case.truth)], dim=1)
    note = f"{case.split} with a disc blanked; the truth is solved again from the damaged frame"
    return replace(case, truth=truth, note=note)


def finer_frames(
    case: Case,
    equation: Equation,
    settings: EvaluationSettings | None = None,
    *,
    factor: int = 2,
    num_frames: int = 100,
    time_step: float | None = None,
    refine: int = 2,
) -> Case:
    """Solve the equation again from the last given frame, with ``factor`` frames in each frame interval.

    Models that take several steps a frame can be asked for a part of one. There is no finer history than what
    is stored: all given frames repeat the last one, as far as a model looks back.

    Arguments:
        case: the stored one.
        equation: what to solve, with the parameters of the case.
        settings: the protocol: which frames are given.
        factor: frames per stored interval, at least 2.
        num_frames: longest prediction, in new frames.
        time_step: of ETDRK4; None picks method and step for an error of 1e-5 in a frame.
        refine: how much finer the solver's grid is.
    """
    settings = settings or EvaluationSettings()
    if factor < 2:
        raise BadInputError(f"frames are made finer by a factor of at least 2, got {factor}")
    last = settings.start + settings.num_given - 1
    _require_frames(case, case.truth.shape[1], settings, "finer frames")
    state, interval = case.truth[:, last].double(), case.frame_interval / factor
    count = min(num_frames, factor * (case.truth.shape[1] - 1 - last)) + 1
    frames = _solve(case, equation, state, count, interval, time_step, refine).to(case.truth)
    truth = torch.cat([frames[:, :1].expand(-1, last, *frames.shape[2:]), frames], dim=1)
    note = f"{case.split} solved again with {factor} frames in each interval"
    return replace(case, truth=truth, frame_interval=interval, note=note)


def _require_frames(case: Case, count: int, settings: EvaluationSettings, what: str) -> None:
    if count < settings.start + settings.num_given + 1:
        raise BadInputError(
            f"{what} leaves {count} frames of {case.split}/{case.regime}, of which {settings.num_given} from "
            f"{settings.start} on are given; usual cure: a split with more frames"
        )


def _rest(equation: Equation, fill: Sequence[float] | None, like: Tensor) -> Tensor:
    """Return the values inside the disc, "batch or 1, channel, 1..."."""
    states = equation.homogeneous_states()
    if fill is None and not states:
        raise BadInputError(
            f"equation {equation.name!r} names no homogeneous state to blank with; usual cure: "
            "fill=(value of each field)"
        )
    values = [torch.as_tensor(value, dtype=like.dtype).reshape(-1) for value in (fill or states[0])]
    if len(values) != like.shape[1]:
        raise BadInputError(f"fill has {len(values)} values for {like.shape[1]} fields")
    return torch.stack(torch.broadcast_tensors(*values), dim=1).view(-1, len(values), *(1,) * (like.ndim - 2))


def _discs(case: Case, radius: float, seed: int) -> Tensor:
    """Return 1 inside a disc of each trajectory, 0 outside."""
    grid = case.grid
    generator = torch.Generator().manual_seed(
        zlib.crc32(f"damage/{seed}/{case.split}/{case.regime}".encode())
    )
    centres = torch.rand(len(case.truth), grid.num_dims, generator=generator, dtype=torch.float64)
    squares: Tensor | float = 0.0
    for axis, (x, side) in enumerate(zip(grid.coordinates(), grid.extent, strict=True)):
        away = (x - centres[:, axis : axis + 1] * side).abs()
        if grid.boundaries[axis] == "periodic":
            away = torch.minimum(away, side - away)
        shape = [len(centres), *(-1 if other == axis else 1 for other in range(grid.num_dims))]
        squares = squares + away.square().view(shape)
    assert isinstance(squares, Tensor)
    edge = 2 * max(grid.spacing)
    return 0.5 * (1 - torch.tanh((squares.sqrt() - radius * min(grid.extent)) / edge))


def _solve(
    case: Case,
    equation: Equation,
    state: Tensor,
    num_frames: int,
    interval: float,
    time_step: float | None,
    refine: int,
) -> Float[Tensor, "batch time channel *space"]:
    """Solve on a finer grid and restrict; the first frame is the restricted start."""
    grid: Grid = case.grid
    fine = grid.refined(refine)
    start = interpolate(state, grid, fine)
    method = {"method": "auto", "tolerance": 1e-5} if time_step is None else {"time_step": time_step}
    return simulate(
        equation, grid, start, num_frames=num_frames, frame_interval=interval, refine=refine, **method
    )


@dataclass(frozen=True)
class Derived:
    """A split made from a stored one.

    Attributes:
        base: the stored split.
        summary: what is new, for tables of splits.
        make: case and protocol -> cases, whose split is still that of the base.
        count: how many cases come of one, on a grid.
        whole: needs all frames of the base, not only as many as are scored.
    """

    base: str
    summary: str
    make: Callable[[Case, EvaluationSettings], Iterator[Case]]
    count: Callable[[Grid], int] = lambda grid: 1
    whole: bool = False

    def cases(self, name: str, case: Case, settings: EvaluationSettings) -> Iterator[Case]:
        """Yield the cases of this split, called ``name``, that come of a stored case.

        They end with the last frame that some window scores; what follows would cost time and tell nothing.
        """
        windows = [*settings.windows, *([settings.pattern_window] if settings.pattern_window else [])]
        longest = settings.start + settings.num_given + max(last for _, last in windows)
        frames = case.truth.shape[1] if self.whole else longest
        note = f"{self.base}, {self.summary}"
        made = self.make(replace(case, truth=case.truth[:, :frames]), settings)
        for number, item in enumerate(made):
            yield replace(
                item, truth=item.truth[:, :longest], split=name, note=note, same_trajectories=number > 0
            )


def _strides(case: Case, settings: EvaluationSettings, stride: int) -> Iterator[Case]:
    yield strided(case, stride, settings)


def _noises(case: Case, settings: EvaluationSettings, level: float) -> Iterator[Case]:
    yield noisy(case, level, settings)


def _rotations(case: Case, settings: EvaluationSettings) -> Iterator[Case]:
    for element in symmetries_of(case.grid).elements[1:]:
        yield rotated(case, element)


def _quarter_turn(case: Case, settings: EvaluationSettings) -> Iterator[Case]:
    group = symmetries_of(case.grid)
    if group is not D4:
        raise BadInputError(f"a quarter turn needs a square grid, got {case.grid}; usual cure: ood_rotation")
    yield rotated(case, D4["rotate 90"])


def _damages(case: Case, settings: EvaluationSettings) -> Iterator[Case]:
    yield damaged(case, _equation(case), settings)


def _halves(case: Case, settings: EvaluationSettings) -> Iterator[Case]:
    yield finer_frames(case, _equation(case), settings)


def _equation(case: Case) -> Equation:
    if case.equation is None:
        raise BadInputError(
            f"the equation behind {case.split}/{case.regime} is not known, so nothing can be solved again; "
            "usual cure: leave this split out"
        )
    return case.equation


DERIVED: Final[dict[str, Derived]] = {
    "ood_dt_half": Derived("test", "half the frame interval, truth solved again", _halves),
    "ood_dt_2": Derived("test", "twice the frame interval", partial(_strides, stride=2), whole=True),
    "ood_dt_5": Derived("test", "five times the frame interval", partial(_strides, stride=5), whole=True),
    "ood_noise_0.01": Derived("test", "noise of 0.01 std on the given frames", partial(_noises, level=0.01)),
    "ood_noise_0.03": Derived("test", "noise of 0.03 std on the given frames", partial(_noises, level=0.03)),
    "ood_noise_0.1": Derived("test", "noise of 0.1 std on the given frames", partial(_noises, level=0.1)),
    "ood_damage": Derived("test", "a disc of the last given frame at rest, truth solved again", _damages),
    "ood_rotation": Derived(
        "test",
        "turned and mirrored, every symmetry of the grid",
        _rotations,
        lambda grid: symmetries_of(grid).order - 1,
    ),
    "ood_rotation_90": Derived("test", "turned by a quarter", _quarter_turn),
}
"""Name -> how a derived split is made; ``ood_dt`` and ``ood_noise`` stand for all that begin so."""


def derived_names(name: str) -> tuple[str, ...]:
    """Return the derived splits a name means: itself, or all of its family (``ood_noise``); () if none."""
    if name in DERIVED:
        return (name,)
    return tuple(known for known in DERIVED if known.startswith(f"{name}_"))
