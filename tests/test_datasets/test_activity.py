"""Dead and stationary trajectories, counted by hand."""

import numpy as np
import pytest

from pdenca.datasets.activity import HOMOGENEOUS_STD, STATIONARY_RMS, homogeneous_from, stationary_from


def waves(num_frames: int = 6) -> np.ndarray:
    x = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    times = np.arange(num_frames)[:, None]
    wave = np.sin(x[None] + times)
    return np.stack([wave, 2 * wave], axis=1)[None].astype(np.float32)


@pytest.mark.parametrize("frame", [0, 3, 5])
def test_the_first_homogeneous_frame(frame):
    data = waves()
    data[0, frame:] = 0.7
    assert homogeneous_from(data).tolist() == [frame]


def test_one_living_channel_is_enough():
    data = waves()
    data[:, 2:, 0] = 0.0
    assert homogeneous_from(data).tolist() == [-1]


def test_a_homogeneous_frame_in_the_middle_is_not_death():
    data = waves()
    data[0, 2] = 0.0
    assert homogeneous_from(data).tolist() == [-1]


@pytest.mark.parametrize(("amplitude", "expected"), [(0.9, 0), (1.1, -1)])
def test_the_threshold_is_the_standard_deviation(amplitude, expected):
    data = np.zeros((1, 4, 1, 8), dtype=np.float32)
    data[..., ::2] = amplitude * HOMOGENEOUS_STD
    data[..., 1::2] = -amplitude * HOMOGENEOUS_STD
    assert homogeneous_from(data).tolist() == [expected]


@pytest.mark.parametrize("frame", [0, 3, 4])
def test_the_first_frame_at_rest(frame):
    data = waves()
    data[0, frame:] = data[0, frame]
    assert stationary_from(data).tolist() == [frame]


@pytest.mark.parametrize(("factor", "expected"), [(0.9, 0), (1.1, -1)])
def test_the_threshold_is_the_change_per_frame(factor, expected):
    data = np.zeros((1, 5, 1, 8), dtype=np.float32) + np.arange(5, dtype=np.float32)[:, None, None]
    data *= factor * STATIONARY_RMS
    assert stationary_from(data).tolist() == [expected]


def test_a_single_frame_cannot_be_at_rest():
    assert stationary_from(waves(1)).tolist() == [-1]
