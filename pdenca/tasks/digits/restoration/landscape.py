"""The energy of a restorer over the plane through three of its ends, and the paths that lead there."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from pdenca import plots
from pdenca.core import BadInputError, NonFiniteError
from pdenca.datasets.digits import Digits
from pdenca.evaluation import format_number

from ..judging import judging
from .damage import Damage
from .lattice import LatticeBody
from .models import Restorer
from .pictures import cells_of, damaged_as_judged, upright
from .plane import Places, Plane, States

_AT_ONCE: Final = 100  # states


@dataclass(frozen=True, eq=False)
class Landscape:
    """What :func:`landscape` finds. Lengths are Euclidean, over all cells and channels.

    Arguments:
        names: classes of the three digits.
        chosen: their numbers.
        plane: through the three ends.
        across, upwards: the places along its axes.
        energy: ‖f(z) - z‖ / ‖f(z)‖, there.
        saliency: ‖gate(z)‖ / ‖z‖, there; NaN without a gate.
        end_energy: at the three ends.
        paths: where the three paths run, seen from above: z_0, then after every correction by the gate.
        distances: how far from the plane they run; 0 at the end, to rounding.
        read_off: the digits that are read off at the ends, grey values.
        num_rounds: that the paths go.
    """

    names: tuple[str, ...]
    chosen: tuple[int, ...]
    plane: Plane
    across: Float[Tensor, " column"]
    upwards: Float[Tensor, " row"]
    energy: Float[Tensor, "column row"]
    saliency: Float[Tensor, "column row"]
    end_energy: Float[Tensor, " 3"]
    paths: Float[Tensor, "3 time 2"]
    distances: Float[Tensor, "3 time"]
    read_off: Float[Tensor, "3 28 28"]
    num_rounds: int

    def describe(self) -> list[str]:
        """Return a line for every path: how far off the plane it starts, and whether its end is one."""
        corners = self.plane.corners
        lines = [
            f"digit {number} ({name}): starts {format_number(off[0])} from the plane, ends "
            f"{format_number(off[-1])} from it after {self.num_rounds} rounds; another round moves the "
            f"state by {format_number(energy)} of its size"
            for number, name, off, energy in zip(
                self.chosen, self.names, self.distances.tolist(), self.end_energy.tolist(), strict=True
            )
        ]
        sides = (format_number(float((corners[i] - corners[i - 1]).norm())) for i in range(3))
        return [*lines, f"for comparison, the ends are {', '.join(sides)} from each other"]


def landscape(
    restorer: Restorer,
    digits: Digits,
    damage: Damage,
    *,
    chosen: Sequence[int] | None = None,
    num_points: int = 33,
    margin: float = 0.25,
    num_rounds: int = 60,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Landscape:
    """Measure over a plane of states how little a round of steps would change them.

        e(z) = ‖f(z) - z‖ / ‖f(z)‖,   s(z) = ‖gate(z)‖ / ‖z‖,

    with f the map that a long run repeats, all steps from one correction by the gate to the next. The plane
    goes through the states in which three damaged digits end. The saliency s asks the gate at z itself, not
    after the steps before it.

    Arguments:
        restorer: a trained one, with cells.
        digits: whole ones.
        damage: what is done to them, as in the evaluation.
        chosen: numbers of three digits, counted from 0; by default the first three of different classes.
        num_points: along each axis of the plane.
        margin: how far the grid reaches beyond the triangle of the ends, as a share of the longer side of the
            box around it.
        num_rounds: after so many a path ends.
        seed: of the damage; 0 is that of the evaluation.
        progress: told how many points are done, of how many.

    Raises:
        BadInputError: for a restorer without cells, numbers that are not of three digits, or ends on a line.
        NonFiniteError: if a path leaves all bounds.

    Limits:
        The energy is a residual and no Lyapunov function: it may grow along a path, and a valley of it need
        hold no attractor. A plane is one section of thousands of dimensions; between the ends it passes
        states that no run visits, and the paths run beside it: ``distances`` tells how far.

        If the steps see the damaged image, every end belongs to a map of its own. What the cells see is then
        interpolated with the barycentric weights of the point. Beyond the triangle negative weights are set
        to 0 and the others made to sum to 1, so that the cells see no image with negative ink. At the corners
        it is exactly what the run saw. The ends are attractors only if ``end_energy`` is small.
    """
    body = cells_of(restorer)
    picked = _three(digits) if chosen is None else tuple(chosen)
    if len(picked) != 3 or len(set(picked)) != 3:
        raise BadInputError(f"got the digits {list(picked)}; expected three different ones, for a plane")
    if num_points < 2 or num_rounds < 1 or not margin >= 0:
        raise BadInputError(
            f"got {num_points} points, {num_rounds} rounds and a margin of {margin}; expected at least 2, 1 "
            "and 0"
        )
    _, damaged, known = damaged_as_judged(digits, damage, picked, seed)
    with judging(restorer):
        seen = restorer.seen(damaged, known)
        told = body.lift(seen)
        path = torch.stack(list(_path(body, seen, num_rounds)), 1)
        ends = path[:, -1]
        if not ends.isfinite().all():
            raise NonFiniteError(
                f"a path is no longer finite after {num_rounds} rounds; usual cure: fewer rounds, or a "
                "restorer that has been trained with num_judged_steps above 1"
            )
        plane = Plane.through(ends)
        axes = _axes(plane, num_points, margin)
        places = torch.cartesian_prod(*axes)
        measured = []
        for number, part in enumerate(places.split(_AT_ONCE)):
            measured.append(_measure(body, plane, part, told))
            if progress is not None:
                progress(number * _AT_ONCE + len(part), len(places))
        energy, saliency = (
            torch.cat(part).view(num_points, num_points) for part in zip(*measured, strict=True)
        )
        read_off = body.observe(ends)
        if restorer.settings.keep_known:
            read_off = torch.where(known > 0, damaged, read_off)
        return Landscape(
            names=tuple(digits.classes[int(digits.labels[number])] for number in picked),
            chosen=picked,
            plane=plane,
            across=axes[0],
            upwards=axes[1],
            energy=energy,
            saliency=saliency,
            end_energy=_residual(body, ends, told),
            paths=torch.stack([plane.places(states) for states in path]),
            distances=torch.stack([plane.distances(states) for states in path]),
            read_off=read_off,
            num_rounds=num_rounds,
        )


def landscape_figure(found: Landscape) -> Figure:
    """Draw a landscape: energy as colours, saliency as lines, the ends, their digits and the paths.

    Under every digit stands how far from the plane its path starts, and the energy at its end.
    """
    marks = {}
    for number, name in enumerate(found.names):
        start, energy = float(found.distances[number, 0]), float(found.end_energy[number])
        # two digits of one class need two names; zero-width spaces are not seen
        marks[name + "\u200b" * found.names[:number].count(name)] = plots.Landmark(
            place=found.plane.corners[number],
            path=found.paths[number],
            picture=upright(found.read_off[number].clamp(0, 1)),
            note=f"path starts {format_number(start)}\nfrom the plane,\n"
            f"ends with e = {format_number(energy)}",
        )
    return plots.section(
        found.energy,
        found.across,
        found.upwards,
        marks,
        measure="energy ‖f(z) − z‖ / ‖f(z)‖",
        contours=found.saliency,
        contour_measure="saliency of the gate ‖gate(z)‖ / ‖z‖",
        axis_labels=("along the plane through three ends", "along the plane, second axis"),
    )


def _three(digits: Digits) -> tuple[int, ...]:
    firsts: dict[int, int] = {}
    for number, label in enumerate(digits.labels.tolist()):
        firsts.setdefault(label, number)
        if len(firsts) == 3:
            return tuple(firsts.values())
    raise BadInputError(
        f"the {len(digits)} digits are of {len(firsts)} classes, expected at least 3; usual cure: more data, "
        "or three digits by their numbers"
    )


def _path(body: LatticeBody, seen: Float[Tensor, "batch input 28 28"], num_rounds: int) -> Iterator[States]:
    """Yield the start, and the state after the gate's first correction and after every round from there."""
    first, length = body.settings.gate.first_step, body.round_length
    yield body.encoder(body.lift(seen))
    for number, state in body.states(seen, first + num_rounds * length):
        if number >= first and (number - first) % length == 0:
            yield state


def _axes(plane: Plane, num_points: int, margin: float) -> tuple[Tensor, Tensor]:
    low, high = plane.corners.amin(0), plane.corners.amax(0)
    reach = margin * float((high - low).max())
    across, upwards = (
        torch.linspace(float(low[axis]) - reach, float(high[axis]) + reach, num_points, dtype=torch.float64)
        for axis in range(2)
    )
    return across, upwards


def _measure(
    body: LatticeBody, plane: Plane, places: Places, told: Float[Tensor, "3 patch side side"]
) -> tuple[Float[Tensor, " point"], Float[Tensor, " point"]]:
    """Return energy and saliency at some places."""
    states = plane.states(places).to(told)
    weights = plane.weights(places).clamp(min=0)
    weights = (weights / weights.sum(1, keepdim=True)).to(told)
    energy = _residual(body, states, torch.einsum("pt,tcij->pcij", weights, told))
    if body.gate is None:
        return energy, torch.full_like(energy, torch.nan)
    return energy, _size(body.gate(states)) / _size(states)


def _residual(
    body: LatticeBody, states: States, told: Float[Tensor, "point patch side side"]
) -> Float[Tensor, " point"]:
    following = body.round(told)(states)
    return _size(following - states) / _size(following)


def _size(states: States) -> Float[Tensor, " point"]:
    size: Tensor = torch.linalg.vector_norm(states.double().flatten(1), dim=1)
    return size
