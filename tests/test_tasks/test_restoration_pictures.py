"""Landscapes and regrowth: measured on maps that are known, and against loops over single states."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image

from pdenca.core import BadInputError, NonFiniteError
from pdenca.datasets.digits import Digits, load_digits
from pdenca.tasks.digits.restoration import Damage, RestorerSettings, build_restorer, judging
from pdenca.tasks.digits.restoration.landscape import landscape, landscape_figure
from pdenca.tasks.digits.restoration.lattice import LatticeBody
from pdenca.tasks.digits.restoration.models import Restorer
from pdenca.tasks.digits.restoration.pictures import damaged_as_judged, upright
from pdenca.tasks.digits.restoration.plane import Plane
from pdenca.tasks.digits.restoration.regrowth import HELD, regrow, save_regrowth
from pdenca.training import step_generator

SMALL = {
    "kind": "hybrid", "side": 28, "patch": 2, "num_channels": 4, "num_steps": 4, "cell": "residual",
    "num_hidden": 6, "injected": True,
    "gate": {"first_step": 2, "every": 2, "read_side": 7, "write_side": 7, "num_hidden": 5},
}  # fmt: skip
RATE = 0.25


@pytest.fixture(scope="module")
def digits():
    return load_digits("test", sample=True)


def random_restorer(seed=0, **changes):
    model = build_restorer(RestorerSettings.parse(SMALL | changes), seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():  # what starts at zero hides what it would do
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.1, generator=generator)
    return model


@dataclass(frozen=True)
class Towards:
    target: torch.Tensor
    time_step: float = 1.0
    deterministic: bool = True

    def __call__(self, state):
        return state + RATE * (self.target - state)


class Contraction(LatticeBody):
    """z -> z + RATE (w - z): everything runs into w = 2 E x, or into 1 if the steps do not see x."""

    def step(self, number, told):
        seen = self.encoder(told)
        return Towards(2 * seen if self.settings.injected else torch.ones_like(seen))


def contraction(injected=True):
    settings = RestorerSettings(kind="ca", num_channels=3, injected=injected)
    model = Restorer(settings, Contraction(settings, torch.Generator().manual_seed(0)))
    with torch.no_grad():
        model.body.encoder.weight.normal_(generator=torch.Generator().manual_seed(1))
    return model


# --- landscape


def test_the_energy_of_a_contraction_is_the_distance_from_its_target(digits):
    model = contraction()
    found = landscape(model, digits, Damage(), num_points=9, num_rounds=80)
    assert found.chosen == (0, 1, 2)
    assert found.names == ("7", "2", "1")
    assert float(found.end_energy.max()) < 1e-6
    assert found.saliency.isnan().all()
    places = torch.cartesian_prod(found.across, found.upwards)
    weights = found.plane.weights(places)
    inside = (weights > 0).all(1)
    assert 5 < inside.sum() < 60
    # the ends are affine in what is seen, so within the triangle every point is at rest
    assert float(found.energy.view(-1)[inside].max()) < 1e-6
    # beyond it what is seen is that of the corner or the side, known here without the model
    weights = weights.clamp(min=0)
    targets = weights / weights.sum(1, keepdim=True) @ found.plane.corners
    moved = RATE * (targets - places)
    reached = found.plane.states(places + moved).flatten(1).norm(dim=1)
    torch.testing.assert_close(found.energy.view(-1), moved.norm(dim=1) / reached, rtol=1e-4, atol=1e-6)


def test_paths_of_a_contraction_run_straight_and_leave_the_plane(digits):
    model = contraction()
    found = landscape(model, digits, Damage(), num_points=3, num_rounds=10)
    assert found.paths.shape == (3, 12, 2)
    assert found.distances.shape == (3, 12)
    # z_t = (2 - (1 - RATE)^t) E x
    way = (2 - (1 - RATE) ** torch.arange(12, dtype=torch.float64)) / (2 - (1 - RATE) ** 11)
    _, damaged, known = damaged_as_judged(digits, Damage(), (0, 1, 2))
    with torch.no_grad():
        starts = model.body.encoder(model.body.lift(model.seen(damaged, known)))
    ends = found.plane.states(found.plane.corners)
    for number in range(3):
        states = way[:, None, None, None] * ends[number]
        torch.testing.assert_close(found.paths[number], found.plane.places(states), rtol=1e-4, atol=1e-3)
        torch.testing.assert_close(
            found.distances[number], found.plane.distances(states), rtol=1e-4, atol=1e-3
        )
    torch.testing.assert_close(found.plane.distances(starts), found.distances[:, 0])
    assert float(found.distances[:, 0].min()) > 1
    assert float(found.distances[:, -1].max()) < 1e-9


def test_a_restorer_that_forgets_its_digits_has_no_plane(digits):
    with pytest.raises(BadInputError, match="one place or on a line"):
        landscape(contraction(injected=False), digits, Damage(), num_points=3)
    line = torch.randn(1, 2, 3, 3) * torch.tensor([1.0, 2.0, 4.0])[:, None, None, None]
    with pytest.raises(BadInputError, match="one place or on a line"):
        Plane.through(line)


def test_energy_and_saliency_are_those_of_single_states(digits):
    model = random_restorer()
    chosen = (4, 251, 0)  # the second is damaged among others than the first 250
    found = landscape(model, digits, Damage(share=0.5), chosen=chosen, num_points=5, num_rounds=3)
    assert model.training  # as it was
    assert found.names == tuple(str(int(digits.labels[number])) for number in chosen)
    body = model.eval().body
    images = digits.images[:500].float() / 255
    first, second = (
        Damage(share=0.5)(images[at : at + 250], step_generator(0, "test damage", at)) for at in (0, 250)
    )
    seen = torch.stack(
        [torch.stack([part[at] for part in which], 0) for which, at in ((first, 4), (second, 1), (first, 0))]
    )
    with torch.no_grad():
        told = body.lift(seen)
        runs = dict(body.states(seen, 2 + 3 * 2))
        ends = runs[8].double()
        torch.testing.assert_close(found.plane.places(ends), found.plane.corners)
        torch.testing.assert_close(found.plane.states(found.plane.corners), ends)
        for number in (0, 1, 2, 3):
            torch.testing.assert_close(found.plane.places(runs[2 + 2 * number]), found.paths[:, 1 + number])
        origin, axes = found.plane.origin, found.plane.axes
        torch.testing.assert_close(axes.flatten(1) @ axes.flatten(1).T, torch.eye(2, dtype=torch.float64))
        for column, row in ((0, 0), (2, 3), (4, 1)):
            place = torch.stack((found.across[column], found.upwards[row]))
            state = (origin + place[0] * axes[0] + place[1] * axes[1])[None].float()
            # the weights of the point, by areas
            areas = [
                torch.linalg.det(
                    torch.cat(
                        (found.plane.corners.index_copy(0, torch.tensor([i]), place[None]), torch.ones(3, 1)),
                        1,
                    )
                )
                for i in range(3)
            ]
            weights = (torch.stack(areas) / sum(areas)).clamp(min=0)
            weights = (weights / weights.sum()).float()
            following = body.round(sum(w * part[None] for w, part in zip(weights, told, strict=True)))(state)
            energy = (following - state).norm() / following.norm()
            torch.testing.assert_close(found.energy[column, row].float(), energy, rtol=1e-3, atol=1e-6)
            saliency = body.gate(state).norm() / state.norm()
            assert saliency > 1e-3
            torch.testing.assert_close(found.saliency[column, row].float(), saliency, rtol=1e-4, atol=1e-7)
        torch.testing.assert_close(found.read_off, body.observe(runs[8]))


def test_the_grid_reaches_beyond_the_triangle(digits):
    found = landscape(contraction(), digits, Damage(), num_points=4, num_rounds=5, margin=0.5)
    low, high = found.plane.corners.amin(0), found.plane.corners.amax(0)
    reach = 0.5 * float((high - low).max())
    for axis, places in enumerate((found.across, found.upwards)):
        assert float(places[0]) == pytest.approx(float(low[axis]) - reach)
        assert float(places[-1]) == pytest.approx(float(high[axis]) + reach)


def test_known_pixels_are_read_off_if_the_restorer_keeps_them(digits):
    model = random_restorer(keep_known=True)
    found = landscape(model, digits, Damage(), num_points=2, num_rounds=1)
    _, damaged, known = damaged_as_judged(digits, Damage(), (0, 1, 2))
    assert torch.equal(found.read_off[known > 0], damaged[known > 0])
    assert not torch.equal(found.read_off[known == 0], damaged[known == 0])


def test_a_landscape_is_drawn_and_told(digits):
    found = landscape(random_restorer(), digits, Damage(), chosen=(2, 5, 0), num_points=6, num_rounds=2)
    assert found.names == ("1", "1", "7")
    lines = found.describe()
    assert len(lines) == 4
    assert "digit 5 (1): starts" in lines[1]
    assert "after 2 rounds" in lines[1]
    figure = landscape_figure(found)
    plane, bar, *pictures = figure.axes
    assert "energy" in bar.get_ylabel()
    assert "saliency" in plane.get_title(loc="left")
    assert len(pictures) == 3
    for number, panel in enumerate(pictures):
        assert f"path starts {float(found.distances[number, 0]):#.3g}".rstrip(".") in panel.get_xlabel()
        np.testing.assert_allclose(
            panel.images[0].get_array(), upright(found.read_off[number].clamp(0, 1)).T, rtol=1e-6
        )
        np.testing.assert_allclose(plane.lines[3 * number].get_xydata()[-1], found.plane.corners[number])


def test_what_gives_no_landscape_is_refused(digits):
    model = random_restorer()
    for told, message in (
        ({"chosen": (0, 0, 1)}, "three different ones"),
        ({"chosen": (0, 1)}, "three different ones"),
        ({"chosen": (0, 1, 500)}, "expected 0 to 499"),
        ({"num_points": 1}, "expected at least 2"),
        ({"num_rounds": 0}, "expected at least 2"),
        ({"margin": float("nan")}, "expected at least 2"),
    ):
        with pytest.raises(BadInputError, match=message):
            landscape(model, digits, Damage(), **told)
    with pytest.raises(BadInputError, match="are of 2 classes"):
        landscape(model, Digits(digits.images[:2], digits.labels[:2]), Damage())
    network = build_restorer(RestorerSettings(kind="u-net", width=2))
    with pytest.raises(BadInputError, match="has no cells"):
        landscape(network, digits, Damage())
    with torch.no_grad():
        model.body.automaton.rule.parameters().__next__().mul_(1e30)
    with pytest.raises(NonFiniteError, match="fewer rounds"):
        landscape(model, digits, Damage(), num_points=2)


# --- regrowth


def test_digits_are_wounded_half_way_as_in_the_evaluation(digits):
    model = random_restorer(keep_known=True)
    found = regrow(model, digits, Damage(), 3, share=0.3, num_steps=7)
    assert found.film.shape == (3, 8, 28, 28)
    assert found.wounded == 3
    assert found.lost.flatten(1).sum(1).tolist() == [4 * round(0.3 * 14**2)] * 3
    with torch.no_grad():
        model.eval()
        damaged, known = Damage()(digits.images[:250].float() / 255, step_generator(0, "test damage", 0))
        wound = judging._wound(model, 250, 7, 0.3, 0)
        film = model.film(damaged, known, num_steps=7, wound=wound)
        healthy = model.film(damaged, known, num_steps=7)
    assert torch.equal(found.film[:, 0], damaged[:3])
    torch.testing.assert_close(found.film[:, 1:], film[:3])
    torch.testing.assert_close(found.film[:, 1:3], healthy[:3, :2])
    assert not torch.allclose(found.film[:, 3], healthy[:3, 2])
    marked = found.marked()
    assert torch.equal(marked.isnan().any(3).any(2).any(0), torch.arange(8) == 3)
    assert torch.equal(marked[:, 3].isnan(), found.lost)


def test_a_movie_has_a_frame_per_step_and_the_wound_is_grey(digits, tmp_path):
    found = regrow(random_restorer(), digits, Damage(), 4, share=0.4, num_steps=6)
    path = save_regrowth(found, tmp_path / "regrow.gif")
    with Image.open(path) as movie:
        assert movie.n_frames == 7
        shown, durations = [], []
        for number in range(7):
            movie.seek(number)
            shown.append(np.asarray(movie.convert("RGB")).astype(int))
            durations.append(movie.info["duration"])
    assert durations == [1200, 200, 200, 1200, 200, 200, 1200]
    assert durations[0] == HELD * durations[1]
    scale = round(300 / 56)
    left = 8 + 2 * (56 * scale + 12)
    panels = [frame[26 : 26 + 56 * scale, left : left + 56 * scale][2::scale, 2::scale] for frame in shown]
    grey = np.stack([(panel == 217).all(-1) for panel in panels])
    lost = found.lost.numpy()
    sheet = np.block([[lost[0], lost[1]], [lost[2], lost[3]]])
    np.testing.assert_array_equal(grey[3], sheet)
    assert not grey[[0, 1, 2, 4, 5, 6]].any()
    # the start is the damaged input, and stays beside it: brighter is more ink
    damaged = found.film[:, 0].numpy()
    ink = np.block([[damaged[0], damaged[1]], [damaged[2], damaged[3]]])
    assert np.corrcoef(panels[0].sum(-1).ravel(), ink.ravel())[0, 1] > 0.95


def test_long_films_keep_the_wound(digits, tmp_path, monkeypatch):
    monkeypatch.setattr("pdenca.tasks.digits.restoration.regrowth.MOST_STEPS", 4)
    found = regrow(random_restorer(), digits, Damage(), 1, num_steps=15)
    with Image.open(save_regrowth(found, tmp_path / "regrow.webp")) as movie:
        assert movie.n_frames == 6  # every fourth of 0 to 15, and 7


def test_what_cannot_regrow_is_refused(digits, tmp_path):
    model = random_restorer()
    for told, message in (
        ({"num_digits": 0}, "expected 1 to 500"),
        ({"num_digits": 501}, "expected 1 to 500"),
        ({"share": 0.0}, "more than 0 and up to 1"),
        ({"share": 1.5}, "more than 0 and up to 1"),
        ({"num_steps": 0}, "at least 1 step"),
    ):
        with pytest.raises(BadInputError, match=message):
            regrow(model, digits, Damage(), **told)
    with pytest.raises(BadInputError, match="has no cells"):
        regrow(build_restorer(RestorerSettings(kind="auto-encoder", num_code=2)), digits, Damage())
    with pytest.raises(BadInputError, match=r"saved as \.mp4"):
        save_regrowth(regrow(model, digits, Damage()), tmp_path / "regrow.png")
