"""Pieces cut from large frames: where they come from, and what of them is scored."""

import pytest
import torch

from pdenca.core import BadInputError
from pdenca.solvers import GrayScott, Grid, StencilDerivatives
from pdenca.symmetry import D2, D4
from pdenca.tasks.augmentation import cut_at_random, turned_at_random
from pdenca.tasks.model_settings import ModelSettings
from pdenca.tasks.models import build_automaton
from pdenca.tasks.settings import EmulationSettings
from pdenca.tasks.stage_settings import StageSettings
from pdenca.tasks.stages import build_stage
from pdenca.tasks.training_data import TrainingWindows, measure_scales


def test_pieces_are_pieces(generator):
    grid = Grid.uniform(8, 1.0)
    frames = torch.arange(2 * 3 * 1 * 8 * 8, dtype=torch.float64).view(2, 3, 1, 8, 8)
    context = {"feed_rate": torch.tensor([1.0, 2.0]), "place": frames[:, 0, 0].clone()}
    pieces, told = cut_at_random(frames, context, grid, 5, generator)
    assert pieces.shape == (2, 3, 1, 5, 5)
    assert torch.equal(told["feed_rate"], context["feed_rate"])
    assert torch.equal(told["place"], pieces[:, 0, 0])  # what varies in space is cut at the same place
    for window, piece in zip(frames, pieces, strict=True):
        start = int((window[0, 0] == piece[0, 0, 0, 0]).nonzero()[0] @ torch.tensor([8, 1]))
        expected = window.roll((-(start // 8), -(start % 8)), (-2, -1))[..., :5, :5]
        assert torch.equal(piece, expected)
    many = [cut_at_random(frames, context, grid, 5, generator)[0][0, 0, 0, 0, 0].item() for _ in range(60)]
    assert len(set(many)) > 20
    with pytest.raises(BadInputError, match="pieces of 9 cells cannot be cut out of frames of 8"):
        cut_at_random(frames, context, grid, 9, generator)


def test_between_walls_pieces_lie_inside(generator):
    frames = torch.arange(8.0 * 8.0).view(1, 1, 1, 8, 8)
    channel = Grid((8, 8), (1.0, 1.0), ("periodic", "no-flux"))
    corners = set()
    for _ in range(200):
        piece = cut_at_random(frames, {}, channel, 5, generator)[0][0, 0, 0]
        assert torch.equal(piece[0], torch.arange(5.0) + piece[0, 0])  # never put together across the wall
        corners.add(divmod(int(piece[0, 0]), 8))
    assert {row for row, _ in corners} == set(range(8))
    assert {column for _, column in corners} == set(range(4))


def test_nothing_is_turned_across_walls(generator):
    frames = torch.rand(2, 3, 1, 8, 8, generator=generator)
    channel = Grid((8, 8), (1.0, 1.0), ("periodic", "no-flux"))
    with pytest.raises(BadInputError, match="exchange axes of different spacing or boundary"):
        turned_at_random(frames, {}, channel, D4, generator)
    assert turned_at_random(frames, {}, channel, D2, generator)[0].shape == frames.shape


def test_what_comes_in_through_the_cut_does_not_reach_what_is_scored(generator):
    """The same rule on the whole frame and on a piece of it agree inside the margin, not at the edge."""
    grid = Grid.uniform(48, 1 / 64)
    equation = GrayScott(0.03, 0.06)
    state = torch.rand(1, 2, 48, 48, generator=generator, dtype=torch.float64)

    def march(fields, on):
        for _ in range(20):
            fields = fields + equation.rate(fields, StencilDerivatives(on, "order-2"))
        return fields

    whole = march(state, grid)[..., 8:40, 8:40]
    piece = march(state[..., 8:40, 8:40].contiguous(), Grid.uniform(32, 1 / 64))
    error = (whole - piece).abs()
    assert error[..., 10:-10, 10:-10].max() < 1e-3 * error.max()


def test_what_is_scored_of_a_piece_beside_a_wall_goes_as_in_the_whole_frame(generator):
    """Three steps of reach 1 stay within a margin of 3, also where the piece touches a wall."""
    channel = Grid((12, 12), (1 / 64, 1 / 64), ("periodic", "no-flux"))
    equation = GrayScott(0.03, 0.06)

    def march(fields, on):
        for _ in range(3):
            fields = fields + equation.rate(fields, StencilDerivatives(on, "order-2"))
        return fields

    state = torch.rand(20, 2, 12, 12, generator=generator, dtype=torch.float64)
    course = torch.stack((state, march(state, channel)), 1)
    pieces, _ = cut_at_random(course, {}, channel, 9, generator)
    found = march(pieces[:, 0], Grid.uniform(9, 1 / 64))
    torch.testing.assert_close(found[..., 3:-3, 3:-3], pieces[:, 1, :, 3:-3, 3:-3], rtol=0, atol=1e-14)
    assert (found - pieces[:, 1]).abs().amax() > 1e-3


def test_a_stage_counts_errors_in_units_of_their_time(dataset, monkeypatch):
    # these data are never fainter than they are on the whole: let them be for once
    faint = torch.linspace(0.001, 0.3, 64, dtype=torch.float64)[:, None].expand(-1, 2)
    monkeypatch.setattr(TrainingWindows, "spread", lambda self: faint)

    scales = measure_scales(dataset)
    windows = TrainingWindows(dataset, None, torch.float64)

    def residuals(**options):
        stage = StageSettings(num_steps=1, num_windows=3, **options)
        settings = EmulationSettings(stages=(stage,), model=ModelSettings(num_hidden_units=4))
        model = build_automaton(settings.model, scales)
        objective, _ = build_stage(
            model, number=0, item=stage, windows=windows, scales=scales, settings=settings
        )
        return objective.residuals(dict(model.named_parameters()), objective.batch(0)).detach(), objective

    rollout = {"objective": "rollout", "fitter": "gauss-newton"}
    of_all, _ = residuals(**rollout)
    own, objective = residuals(**rollout, unit="time")
    field_std = torch.tensor(scales.field_std, dtype=torch.float64)
    spread = objective.field_std[..., 0, 0]
    again = TrainingWindows(dataset, None, torch.float64)
    whole, _ = again.trajectories()
    for window, unit in zip(objective.windows, spread, strict=True):
        start = next(s for s in range(64) if (whole[:, s] == window[0]).flatten(1).all(1).any())
        expected = faint[start : start + 2].square().mean(0).sqrt()
        torch.testing.assert_close(unit, expected.minimum(field_std).maximum(0.02 * field_std))
    assert len({round(float(value), 9) for value in spread.flatten()}) > 1
    ratio = (field_std / spread)[:, None, :, None]
    torch.testing.assert_close(own.view(3, 1, 2, -1), of_all.view(3, 1, 2, -1) * ratio)
    # rates are counted likewise: an error in the rate becomes one in the field
    rates = {"objective": "derivative", "fitter": "levenberg-marquardt", "cells_per_window": 8}
    of_all, before = residuals(**rates)
    own, after = residuals(**rates, unit="time")
    change = before.samples[1] / after.samples[1]
    torch.testing.assert_close(own.view(-1, 2), of_all.view(-1, 2) * change)
    assert change.min() < 0.99 * change.max()


def test_a_stage_cuts_and_leaves_the_margin_out(dataset):
    scales = measure_scales(dataset)
    cells = TrainingWindows(dataset, None, torch.float64).grid.shape[0]
    crop = cells - 4
    stage = StageSettings(
        objective="rollout", fitter="gauss-newton", num_steps=1, num_windows=2, crop=crop, crop_margin=3
    )
    settings = EmulationSettings(stages=(stage,), model=ModelSettings(num_hidden_units=4))
    model = build_automaton(settings.model, scales)
    windows = TrainingWindows(dataset, None, torch.float64)
    objective, _ = build_stage(model, number=0, item=stage, windows=windows, scales=scales, settings=settings)
    batch = objective.batch(0)
    assert batch[0].shape[-2:] == (crop, crop)
    errors, _ = objective.roll(model, batch)
    assert errors.shape == (2, 1, 2, crop - 6, crop - 6)
    with pytest.raises(ValueError, match="a crop of 6 cells has nothing left inside a margin of 3"):
        StageSettings(objective="rollout", fitter="gauss-newton", num_steps=1, crop=6, crop_margin=3)
