"""How a trajectory ends: dead, steady, travelling, periodic, chaotic, or undecided."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.core.errors import BadInputError

from ..grid import Grid
from .lyapunov import largest_lyapunov_exponent
from .shift import best_shift

_SHIFTED_PAIRS: Final = 5


@dataclass(frozen=True)
class EndThresholds:
    """Where :func:`classify_end` draws its lines; all are ratios.

    Arguments:
        dead: spatial standard deviation over the field's size.
        steady: relative change that the last rate would make in as much time as the trajectory has run.
        growing: rate of the last quarter over that of the quarter before, from which the trajectory is
            leaving a state instead of nearing one.
        recurrence: distance to the state one period earlier over the largest distance on the way.
        travelling: distance that the best shift leaves over the distance without a shift.
        amplitude: relative change of the amplitude between the earlier and the later periods.
        sigmas: standard errors by which a Lyapunov exponent must differ from 0.
    """

    dead: float = 1e-3
    steady: float = 1e-2
    growing: float = 1.05
    recurrence: float = 0.05
    travelling: float = 0.05
    amplitude: float = 0.05
    sigmas: float = 4.0


@dataclass(frozen=True)
class EndOfTrajectory:
    """How one trajectory ends, and the numbers that say so.

    Arguments:
        verdict: "dead", "steady", "travelling", "periodic", "chaotic" or "undecided".
        reason: in words.
        contrast: largest spatial standard deviation of a field at the end, over the field's size.
        rate: rms change per unit of time at the end, over the size of the fields (1/time).
        rate_ratio: rate of the last quarter over that of the quarter before.
        period: of the best recurrence (time), nan if there is none.
        depth: distance after one period over the largest distance on the way, nan likewise.
        velocity: of the shift from frame to frame at the end (length/time per axis).
        shift_rest: distance that this shift leaves over the distance without it, 1 if shifts explain nothing.
        lyapunov: largest exponent, nan if no step was given or it was not needed (1/time).
        lyapunov_error: its standard error.
    """

    verdict: str
    reason: str
    contrast: float
    rate: float
    rate_ratio: float
    period: float
    depth: float
    velocity: tuple[float, ...]
    shift_rest: float
    lyapunov: float
    lyapunov_error: float


def classify_end(
    frames: Float[Tensor, "batch time channel *space"],
    grid: Grid,
    frame_interval: float,
    *,
    step: Callable[[Tensor], Tensor] | None = None,
    time_step: float = 1.0,
    num_intervals: int = 200,
    thresholds: EndThresholds | None = None,
) -> list[EndOfTrajectory]:
    """Say how each trajectory ends, by its second half.

    All distances are rms over space and fields, each field in units of its size: its largest rms in time,
    mean included. In this order:

    1. *steady* if at its last rate of change it would change by less than ``steady`` in as much time as it
       has run, and the rate does not grow (a trajectory that leaves a saddle is slow too); *dead* if moreover
       the fields are homogeneous. The rate is per unit of time: frames that lie close together are no more
       steady.
    2. *travelling* if on periodic axes one frame is the shifted copy of the one before, and late frames are
       shifted copies of earlier ones.
    3. *periodic* if the trajectory comes back: the mean distance between states a time τ apart rises and
       falls to ``recurrence`` of its height at τ = period, at least two of which must fit into the second
       half. A pattern that comes back shifted is periodic in a moving frame, which the reason says.
    4. *chaotic* if ``step`` is given and the largest Lyapunov exponent is positive.

    What is none of these is *undecided*, with the reason: transients, tori, intermittency, or simply too few
    frames.

    Arguments:
        frames: stored states, at least 16.
        grid: of the frames.
        frame_interval: time between them.
        step: the solver or model itself, on ``"batch channel *space"``, for the Lyapunov exponent; without
            it nothing is called chaotic.
        time_step: of ``step``.
        num_intervals: of the Lyapunov exponent, each one a frame interval long (or a step, if that is
            longer); a fifth as many are run before.
        thresholds: where the lines are.

    Returns:
        One verdict per trajectory.

    Raises:
        BadInputError: for fewer than 16 frames, frames of another grid, or times that are not positive.
        NonFiniteError: if the state leaves the finite numbers while the Lyapunov exponent is measured.
    """
    if frames.shape[1] < 16 or tuple(frames.shape[3:]) != grid.shape:
        raise BadInputError(
            f"expected at least 16 frames on a grid of {grid.shape} cells, got shape {tuple(frames.shape)}"
        )
    if not (frame_interval > 0 and time_step > 0 and num_intervals >= 10):
        raise BadInputError(
            "expected frame_interval > 0, time_step > 0 and num_intervals >= 10, got "
            f"{frame_interval}, {time_step} and {num_intervals}"
        )
    lines = thresholds or EndThresholds()
    ends = [_classify(trajectory, grid, frame_interval, lines) for trajectory in frames.double()]
    if step is None or all(end.verdict != "undecided" or math.isnan(end.rate) for end in ends):
        return ends
    steps = max(1, round(frame_interval / time_step))
    found = largest_lyapunov_exponent(
        step,
        frames[:, -1].double(),
        num_intervals=num_intervals,
        time_step=time_step,
        steps_per_interval=steps,
        num_discarded=num_intervals // 5,
    )
    numbers = zip(found.exponent.tolist(), found.standard_error.tolist(), strict=True)
    return [
        _with_exponent(end, exponent, error, lines)
        if end.verdict == "undecided" and not math.isnan(end.rate)
        else end
        for end, (exponent, error) in zip(ends, numbers, strict=True)
    ]


def _classify(trajectory: Tensor, grid: Grid, frame_interval: float, lines: EndThresholds) -> EndOfTrajectory:
    nan = math.nan
    nowhere = (nan,) * grid.num_dims
    if not torch.isfinite(trajectory).all():
        return EndOfTrajectory(
            "undecided", "a frame is not finite", nan, nan, nan, nan, nan, nowhere, nan, nan, nan
        )
    cells = trajectory.flatten(2)
    size = cells.pow(2).mean(2).sqrt().amax(0)
    size = torch.where(size > 0, size, 1.0)
    frames = trajectory / size.reshape(1, -1, *(1,) * grid.num_dims)
    contrast = float(frames[-1].flatten(1).std(1, correction=0).max())
    rates = _distances(frames[1:], frames[:-1]) / frame_interval
    quarter = max(1, len(rates) // 4)
    rate, before = float(rates[-quarter:].mean()), float(rates[-2 * quarter : -quarter].mean())
    ratio = rate / before if before > 0 else (1.0 if rate == 0 else math.inf)
    end = EndOfTrajectory("undecided", "", contrast, rate, ratio, nan, nan, nowhere, 1.0, nan, nan)

    change = rate * frame_interval * len(rates)
    if change < lines.steady:
        if ratio > lines.growing and change > 1e-9:
            return dataclasses.replace(
                end, reason=f"slow, {change:.1e} of its size in its whole time, but its rate grows"
            )
        verdict = "dead" if contrast < lines.dead else "steady"
        reason = f"at its last rate it would change by {change:.1e} of its size in its whole time"
        return dataclasses.replace(end, verdict=verdict, reason=reason)
    late = frames[len(frames) // 2 :]
    end = _with_shift(end, late, grid, frame_interval)
    if end.shift_rest < lines.travelling:
        velocity = ", ".join(f"{part:.3g}" for part in end.velocity)
        return dataclasses.replace(
            end, verdict="travelling", reason=f"a pattern of constant shape moves at ({velocity})"
        )
    return _with_period(end, late, grid, frame_interval, lines)


def _with_shift(end: EndOfTrajectory, late: Tensor, grid: Grid, frame_interval: float) -> EndOfTrajectory:
    """Whether shifts explain the change from frame to frame, and over half of the frames."""
    if "periodic" not in grid.boundaries or end.contrast < 1e-12:
        return end
    chosen = torch.linspace(0, len(late) - 2, min(_SHIFTED_PAIRS, len(late) - 1)).round().long().tolist()
    shifts, rests = [], []
    for index in chosen:
        shift, rest = best_shift(late[index], late[index + 1], grid)
        shifts.append(shift)
        rests.append(rest / max(_distance(late[index + 1], late[index]), 1e-300))
    _, rest = best_shift(late[len(late) // 2], late[-1], grid)
    deviation = late[-1] - late[-1].flatten(1).mean(1).reshape(-1, *(1,) * grid.num_dims)
    rests.append(rest / _distance(deviation, torch.zeros_like(deviation)))
    velocity = torch.stack(shifts).median(0).values / frame_interval
    return dataclasses.replace(end, velocity=tuple(velocity.tolist()), shift_rest=min(1.0, max(rests)))


def _with_period(
    end: EndOfTrajectory, late: Tensor, grid: Grid, frame_interval: float, lines: EndThresholds
) -> EndOfTrajectory:
    flat = late.flatten(1)
    products = flat @ flat.T / grid.num_cells
    powers = products.diagonal()
    squares = [0.0]
    for lag in range(1, len(late) // 2 + 1):
        pairs = powers[lag:] + powers[:-lag] - 2 * products.diagonal(lag)
        squares.append(max(0.0, float(pairs.mean())))
    period, depth = _recurrence(squares, lines.recurrence)
    frame = ""
    if not depth < lines.recurrence and "periodic" in grid.boundaries:
        rests = _shifted_distances(late, grid)
        moving = _recurrence(rests, lines.recurrence)
        if moving[1] < lines.recurrence:
            (period, depth), frame = moving, " in a moving frame"
    end = dataclasses.replace(end, period=period * frame_interval, depth=depth)
    if not depth < lines.recurrence:
        back = "never turns back" if math.isnan(depth) else f"comes back to {depth:.2g} of its way at best"
        return dataclasses.replace(
            end,
            reason=f"neither slow nor moving nor periodic: it {back}; its rate, {end.rate:.2e} of its size, "
            f"is {end.rate_ratio:.3g} times that of the quarter before",
        )
    span = round(len(late) // 2 // period * period)
    recent, earlier = _amplitude(late[-span:]), _amplitude(late[-2 * span : -span])
    if abs(recent / earlier - 1) > lines.amplitude:
        return dataclasses.replace(
            end,
            reason=f"it oscillates with period {end.period:.4g}, but its amplitude changes by a factor of "
            f"{recent / earlier:.3g} in {span * frame_interval:.3g}",
        )
    reason = f"it comes back{frame} after {end.period:.4g} to {depth:.1e} of its way"
    return dataclasses.replace(end, verdict="periodic", reason=reason)


def _shifted_distances(late: Tensor, grid: Grid) -> list[float]:
    """Mean squared distances of frames some lags apart, each pair shifted to match best."""
    last = len(late) - 1
    references = torch.linspace(last // 2 + 1, last, _SHIFTED_PAIRS).round().long().tolist()
    return [
        sum(best_shift(late[at - lag], late[at], grid)[1] ** 2 for at in references) / len(references)
        for lag in range(last // 2 + 1)
    ]


def _recurrence(squares: list[float], enough: float) -> tuple[float, float]:
    """The first lag (in frames) at which a squared distance falls to ``enough``² of its height, or the best.

    A quartic through five points finds minima between frames.
    """
    minima: list[tuple[float, float]] = []
    for lag in range(2, len(squares) - 1):
        if not (squares[lag] <= squares[lag - 1] and squares[lag] <= squares[lag + 1]):
            continue
        height = max(squares[:lag])
        first = max(0, min(lag - 2, len(squares) - 5))
        window = np.arange(first, min(first + 5, len(squares)))
        fit = np.polynomial.Polynomial.fit(window, [squares[k] for k in window], len(window) - 1)
        fine = np.linspace(lag - 1, lag + 1, 401)
        values = fit(fine)
        lowest = int(values.argmin())
        if height > 0:
            minima.append((float(fine[lowest]), math.sqrt(max(0.0, float(values[lowest])) / height)))
        if minima and minima[-1][1] < enough:
            break
    if not minima:
        return math.nan, math.nan
    period, depth = min(minima, key=lambda minimum: minimum[1])
    for part, shallow in minima:
        # spikes that few frames resolve may be met well only after several periods
        parts = round(period / part)
        if shallow < 4 * enough and abs(period / part - parts) < 0.03 * parts:
            return period / parts, depth
    return period, depth


def _with_exponent(
    end: EndOfTrajectory, exponent: float, error: float, lines: EndThresholds
) -> EndOfTrajectory:
    end = dataclasses.replace(end, lyapunov=exponent, lyapunov_error=error)
    number = f"largest Lyapunov exponent {exponent:.3g} ± {error:.1g}"
    if exponent > lines.sigmas * error:
        return dataclasses.replace(end, verdict="chaotic", reason=f"no recurrence, {number}")
    return dataclasses.replace(end, reason=f"{end.reason}; {number}")


def _distances(first: Tensor, second: Tensor) -> Tensor:
    """Distances of frames "time channel *space", root of the mean over space of the sum over fields."""
    return (first - second).flatten(2).pow(2).sum(1).mean(1).sqrt()


def _distance(first: Tensor, second: Tensor) -> float:
    return float(_distances(first[None], second[None]))


def _amplitude(frames: Tensor) -> float:
    """The rms deviation from the mean in time."""
    return float((frames - frames.mean(0)).pow(2).mean().sqrt())
