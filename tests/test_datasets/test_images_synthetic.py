"""Glyphs, a growing pattern and a microscope, all made by code."""

import numpy as np
import pytest
import torch
from PIL import Image

from pdenca.core import BadInputError
from pdenca.datasets import TrajectoryFile
from pdenca.datasets.images import GLYPHS, branching, draw_glyph, import_images, microscopy, to_images


@pytest.mark.parametrize("name", list(GLYPHS))
def test_glyphs_are_the_same_at_any_size(name):
    small, large = draw_glyph(name, 24), draw_glyph(name, 96)
    for glyph in (small, large):
        assert glyph.min() == 0
        assert glyph.max() == 1
        assert (glyph[:3] <= glyph[3:] + 1e-6).all(), "colours are multiplied by alpha"
        edges = (glyph[3] > 0) & (glyph[3] < 1)
        assert edges.any(), "edges are smooth"
        assert 0.15 < float(glyph[3].mean()) < 0.8
        outermost = torch.stack([glyph[3, 0], glyph[3, -1], glyph[3, :, 0], glyph[3, :, -1]])
        assert outermost.max() < 0.5, "it fits into the square"
    reduced = large.unflatten(2, (24, 4)).unflatten(1, (24, 4)).mean((2, 4))
    torch.testing.assert_close(small, reduced, rtol=0, atol=0.13)
    assert float((small - reduced).abs().mean()) < 0.01


def test_glyphs_stand_upright():
    smiley, heart, star = (to_images(draw_glyph(name, 64).numpy()) for name in ("smiley", "heart", "star"))
    assert smiley[2, :32].sum() != smiley[2, 32:].sum()
    np.testing.assert_allclose(smiley, smiley[..., ::-1], atol=1e-6)  # left and right
    widths = (heart[3] > 0.5).sum(1)
    assert widths[20] > 2 * widths[50], "the tip of a heart is below"
    assert star[3, 10, 30:34].min() > 0.9, "a star has a point on top"
    assert star[3, 55, 30:34].max() < 0.1, "and a notch below"
    assert len({draw_glyph(name, 16).sum().item() for name in GLYPHS}) == len(GLYPHS)


def test_glyphs_survive_png(tmp_path):
    glyph = draw_glyph("leaf", 20)
    picture = (np.moveaxis(to_images(glyph.numpy()), 0, -1) * 255).round().astype(np.uint8)
    for number in (1, 2):
        Image.fromarray(picture).save(tmp_path / f"leaf{number}.png")
    path = import_images(tmp_path, tmp_path / "a.hdf5", interval=1, spacing=1)
    with TrajectoryFile(path) as file:
        assert file.header.channel_names == ("red", "green", "blue", "alpha")
        np.testing.assert_allclose(file.read()[0, 1], glyph.numpy(), atol=0.5 / 255 + 1e-6)


def test_unknown_glyphs():
    with pytest.raises(BadInputError, match=r"'frown' of 9 cells.*smiley, heart, star, leaf"):
        draw_glyph("frown", 9)
    with pytest.raises(BadInputError, match="1 cell or more"):
        draw_glyph("star", 0)


def test_branches_grow_and_stay():
    frames = branching(8, 48, seed=5)
    assert frames.shape == (8, 1, 48, 48)
    assert (frames.min(), frames.max()) == (0, 1)
    covered = frames.flatten(1).mean(1)
    assert (frames.diff(dim=0) >= 0).all(), "what has grown stays"
    assert (covered.diff() > 0).all(), "it grows in every frame"
    assert 0.1 < float(covered[-1]) < 0.5
    assert frames[:, :, [0, -1]].max() == 0, "the edge stays free"
    torch.testing.assert_close(frames, branching(8, 48, seed=5), rtol=0, atol=0)
    assert (frames[-1] != branching(8, 48, seed=6)[-1]).any()
    with pytest.raises(BadInputError, match="at least 2 frames and 16 cells, got 1 and 48"):
        branching(1, 48)


def test_photons_scatter_like_the_root_of_brightness():
    plain = torch.tensor([0.2, 0.8])[None, None, :, None].expand(3, 1, 2, 4000).contiguous()
    seen = microscopy(plain, noise=0.2, drift=0, seed=3, background=0.1)
    mean, spread = seen.mean((0, 1, 3)), seen.std((0, 1, 3))
    torch.testing.assert_close(mean, torch.tensor([0.3, 0.9]), rtol=0.02, atol=0)
    torch.testing.assert_close(spread, 0.2 * torch.tensor([0.3, 0.9]).sqrt(), rtol=0.05, atol=0)
    torch.testing.assert_close(seen, microscopy(plain, 0.2, 0, 3, 0.1), rtol=0, atol=0)
    assert (seen != microscopy(plain, 0.2, 0, 4, 0.1)).any()


def test_samples_drift_by_parts_of_a_cell():
    axis = torch.arange(40.0)
    spot = torch.exp(-((axis[:, None] - 19) ** 2 + (axis - 23) ** 2) / 18)[None, None].repeat(6, 1, 1, 1)
    seen = microscopy(spot, noise=0, drift=0.7, seed=1, background=0)
    torch.testing.assert_close(seen[0], spot[0], rtol=0, atol=1e-5)
    weights = seen[:, 0] / seen[:, 0].sum((1, 2), keepdim=True)
    centre = torch.stack([(weights.sum(2) * axis).sum(1), (weights.sum(1) * axis).sum(1)], 1)
    generator = torch.Generator().manual_seed(1)
    moves = 0.7 * torch.randn(6, 2, generator=generator, dtype=torch.float64)
    moves[0] = 0
    expected = torch.tensor([19.0, 23.0]) + moves.cumsum(0).float()
    torch.testing.assert_close(centre, expected, rtol=0, atol=0.02)
    with pytest.raises(BadInputError, match="must be at least 0"):
        microscopy(-spot)
