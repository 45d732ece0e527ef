"""A model is told parameters that vary from trajectory to trajectory and in space."""

import math

import h5py
import numpy as np
import pytest
import torch

from pdenca.core import BadInputError, Field, LastFrame
from pdenca.datasets import TrajectorySet, compute_statistics, write_statistics, write_trajectories
from pdenca.solvers import Grid
from pdenca.tasks.emulation import load_cases
from pdenca.tasks.models import build_automaton
from pdenca.tasks.settings import load_experiment
from pdenca.tasks.training_data import TrainingWindows, measure_scales
from pdenca.tasks.validation import EquilibriumValidation

DOSE = np.array([0.1, 0.2, 0.6])


@pytest.fixture(scope="module")
def varied(tmp_path_factory):
    """A dataset whose trajectories have a dose each and a forcing that varies in space."""
    out, random = tmp_path_factory.mktemp("varied"), np.random.default_rng(0)
    for split in ("train", "test"):
        content = TrajectorySet(
            dataset_name="varied",
            equation="none",
            regime="noise",
            split=split,
            fields=(Field("A"), Field("B")),
            grid=Grid.uniform(8, 0.5),
            frame_interval=1.0,
            parameters={"feed_rate": 0.03},
            varying_parameters={"dose": DOSE, "forcing": random.random((3, 8, 8), dtype=np.float32)},
            data=random.random((3, 6, 2, 8, 8), dtype=np.float32),
        )
        write_trajectories(out / "data" / split / "varied_noise_F_0.03.hdf5", content)
    write_statistics(
        out / "stats.yaml", compute_statistics([out / "data" / "train" / "varied_noise_F_0.03.hdf5"])
    )
    return out


def test_scales_see_every_trajectory(varied):
    scales = measure_scales(varied)
    assert scales.parameter_names == ("feed_rate", "dose", "forcing")
    assert scales.parameter_centre[:2] == pytest.approx((0.03, DOSE.mean()))
    assert scales.parameter_scale[1] == pytest.approx(DOSE.std())
    # uniform noise in space, not what is left of it in the means
    assert scales.parameter_scale[2] == pytest.approx(12**-0.5, rel=0.1)
    assert [pair[1] for pair in scales.parameter_pairs] == pytest.approx(DOSE)


def test_the_rule_is_told_and_listens(varied):
    windows = TrainingWindows(varied, None, torch.float64)
    frames, context, _ = windows.draw(4, 3, torch.Generator().manual_seed(0))
    assert {name: tuple(value.shape) for name, value in context.items()} == {
        "feed_rate": (4,),
        "dose": (4,),
        "forcing": (4, 8, 8),
    }
    automaton = build_automaton(load_experiment("mlp").model, measure_scales(varied), seed=0).double()
    with torch.no_grad():
        for value in automaton.parameters():
            value.copy_(torch.randn(value.shape, generator=torch.Generator().manual_seed(1)) / 10)

    def advanced(told):
        step = automaton.bind(windows.grid, told, torch.Generator().manual_seed(0))
        return step(automaton.codec.lift(frames[:, :2]))

    before = advanced(context)
    for name in ("dose", "forcing"):
        assert not torch.equal(before, advanced({**context, name: 2 * context[name]})), name
    (case,) = load_cases(varied, ["test"], None, 2)
    assert case.context["forcing"].shape == (2, 8, 8)
    np.testing.assert_allclose(case.context["dose"], DOSE[:2], rtol=1e-6)


@pytest.fixture(scope="module")
def steady(tmp_path_factory):
    """Two trajectories of 12 frames, of which only the second ends in a steady state."""
    out, random = tmp_path_factory.mktemp("steady"), np.random.default_rng(1)
    for split in ("train", "valid"):
        data = random.random((2, 12, 1, 8, 8), dtype=np.float32)
        data[:, -1] += 5
        content = TrajectorySet(
            dataset_name="steady",
            equation="none",
            regime="noise",
            split=split,
            fields=(Field("A"),),
            grid=Grid.uniform(8, 0.5),
            frame_interval=1.0,
            parameters={"feed_rate": 0.03},
            data=data,
            provenance={"steady_converged": "[0.0, 1.0]"},
        )
        write_trajectories(out / "data" / split / "steady_noise_F_0.03.hdf5", content)
    write_statistics(
        out / "stats.yaml", compute_statistics([out / "data" / "train" / "steady_noise_F_0.03.hdf5"])
    )
    return out


def test_windows_leave_out_the_steady_state(steady):
    windows = TrainingWindows(steady, None, torch.float32)
    assert windows.num_frames == 11
    assert windows.settled().tolist() == [False, True]
    frames, _, starts = windows.draw(64, 3, torch.Generator().manual_seed(0))
    assert max(starts) == 8
    assert frames.max() < 2


class Scaled:
    """An emulator that multiplies the state in every frame."""

    codec = LastFrame()

    def __init__(self, factor):
        self.factor = factor

    def bind(self, lattice, context, generator=None):
        factor = self.factor

        class Times:
            time_step, deterministic = 1.0, True

            def __call__(self, state):
                return factor * state

        return Times()


def test_validation_asks_whether_steady_states_are_held(steady):
    scales = measure_scales(steady)
    validate = EquilibriumValidation(steady, None, scales, 3, torch.float32)
    assert validate(Scaled(1.0)) == 0
    ((_, _, target),) = validate.parts
    assert len(target) == 1, "the other one is not steady"
    expected = (1.1**3 - 1) * target.double().square().mean().sqrt() / target.double().std(correction=0)
    assert validate(Scaled(1.1)) == pytest.approx(float(expected), rel=1e-5)
    assert validate(Scaled(1e20)) == math.inf


def test_data_without_steady_states_are_refused(steady, varied):
    windows = TrainingWindows(varied, None, torch.float32)
    assert windows.settled().all(), "files that do not tell are taken as they are"
    path = steady / "data" / "valid" / "steady_noise_F_0.03.hdf5"
    with h5py.File(path, "a") as file:
        file.attrs["steady_converged"] = "[0.0, 0.0]"
    with pytest.raises(BadInputError, match=r"no validation trajectory of .* ends in a steady state"):
        EquilibriumValidation(steady, None, measure_scales(steady), 3, torch.float32)
