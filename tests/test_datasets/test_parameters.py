"""Parameters that are numbers, one value per trajectory, or fields in space; and walls that hold values."""

import h5py
import numpy as np
import pytest
import torch

from pdenca.core import BadInputError, Field, NonFiniteError
from pdenca.datasets import TrajectoryFile, Windows, load_split, read_header, write_trajectories
from pdenca.datasets.own_rules import broken_own_rules
from pdenca.datasets.rules import broken_well_rules
from pdenca.solvers import Grid


@pytest.fixture
def varied(make_set):
    """Three trajectories with every kind of parameter."""
    random = np.random.default_rng(0)
    return make_set(
        num_trajectories=3,
        parameters={"strength": 2.0},
        varying_parameters={
            "feed_rate": np.array([0.1, 1 / 3, 0.029]),
            "diffusivity": random.random((1, 4, 6), dtype=np.float32),
            "forcing": random.random((3, 4, 6), dtype=np.float32),
        },
    )


def test_they_come_back(varied, tmp_path):
    path = tmp_path / "a.hdf5"
    write_trajectories(path, varied)
    header = read_header(path)
    assert header.parameters == {"strength": 2.0}
    assert header.parameter_names == ("strength", "feed_rate", "diffusivity", "forcing")
    assert header.parameters_in_space == ("diffusivity", "forcing")
    for name, values in varied.varying_parameters.items():
        stored = header.varying_parameters[name]
        assert (stored.shape, stored.ndim, len(stored)) == (values.shape, values.ndim, len(values))
        np.testing.assert_array_equal(stored[:], values)
        np.testing.assert_array_equal(np.asarray(stored), values)
    assert header.fields == varied.fields, "constant fields are parameters, not channels"


def test_the_well_lists_them_as_scalars_and_constant_fields(varied, tmp_path):
    path = tmp_path / "a.hdf5"
    write_trajectories(path, varied)
    with h5py.File(path) as file:
        assert [*broken_well_rules(file)] == []
        assert [*broken_own_rules(file, path)] == []
        assert file["scalars"].attrs["field_names"].tolist() == ["strength", "F"]
        assert file["scalars/F"].shape == (3,)
        assert file["scalars/F"].attrs["sample_varying"]
        assert file.attrs["simulation_parameters"].tolist() == ["strength"]
        assert file["t0_fields"].attrs["field_names"].tolist() == ["A", "B", "diffusivity", "forcing"]
        for name, shape in (("diffusivity", (4, 6)), ("forcing", (3, 4, 6))):
            data = file["t0_fields"][name]
            assert data.shape == shape
            assert not data.attrs["time_varying"]
            assert data.attrs["sample_varying"] == (len(shape) == 3)


def test_a_context_holds_those_of_the_trajectories_asked_for(varied, tmp_path):
    write_trajectories(tmp_path / "a.hdf5", varied)
    for header in (varied.header, read_header(tmp_path / "a.hdf5")):
        context = header.context(2, first=1)
        assert {name: tuple(value.shape) for name, value in context.items()} == {
            "strength": (2,),
            "feed_rate": (2,),
            "diffusivity": (2, 4, 6),
            "forcing": (2, 4, 6),
        }
        assert all(value.dtype == torch.float32 for value in context.values())
        assert context["feed_rate"].tolist() == pytest.approx([1 / 3, 0.029])
        np.testing.assert_array_equal(context["forcing"], varied.varying_parameters["forcing"][1:])
        np.testing.assert_array_equal(context["diffusivity"][1], varied.varying_parameters["diffusivity"][0])
        with pytest.raises(BadInputError, match="trajectories 1 to 3 are asked for, the file holds 3"):
            header.context(3, first=1)


def test_windows_tell_each_its_own(varied, tmp_path):
    (tmp_path / "data" / "train").mkdir(parents=True)
    write_trajectories(tmp_path / "data" / "train" / "a.hdf5", varied)
    windows = Windows(tmp_path, 5)
    for index in range(3):
        _, told = windows[index]
        assert told["strength"].item() == 2.0
        assert told["feed_rate"].item() == pytest.approx(varied.varying_parameters["feed_rate"][index])
        np.testing.assert_array_equal(told["forcing"], varied.varying_parameters["forcing"][index])
        np.testing.assert_array_equal(told["diffusivity"], varied.varying_parameters["diffusivity"][0])
    ((_, context),) = torch.utils.data.DataLoader(windows, batch_size=3)
    windows.close()
    ((header, data),) = load_split(tmp_path, "train")
    for name, values in header.context(len(data)).items():
        torch.testing.assert_close(context[name], values, rtol=0, atol=0)


def test_windows_refuse_files_that_do_not_collate(varied, make_set, tmp_path):
    write_trajectories(tmp_path / "a.hdf5", varied)
    numbers = {"strength": 2.0, "feed_rate": 1.0, "diffusivity": 1.0, "forcing": 0.0}
    write_trajectories(tmp_path / "b.hdf5", make_set(parameters=numbers))
    with pytest.raises(BadInputError, match="differ in parameters_in_space"):
        Windows(tmp_path, 2)
    write_trajectories(tmp_path / "b.hdf5", make_set(parameters={"strength": 2.0}))
    with pytest.raises(BadInputError, match="differ in parameter_names"):
        Windows(tmp_path, 2)


@pytest.mark.parametrize(
    ("parameters", "varying", "message"),
    [
        ({}, {"k": np.zeros(3)}, r"'k' has shape \(3,\); expected \(2,\), \(1, 4, 6\) or \(2, 4, 6\)"),
        ({}, {"k": np.zeros((4, 6))}, r"'k' has shape \(4, 6\)"),
        ({"A": 1.0}, {}, "names of fields and parameters must differ"),
        ({"k": 1.0}, {"k": np.zeros(2)}, "names of fields and parameters must differ"),
        ({"x": 1.0}, {}, "cannot be called 'x'"),
        ({}, {"a/b": np.zeros(2)}, "cannot be called 'a/b'"),
        ({"grid": 1.0}, {}, "may not redefine the attribute 'grid'"),
    ],
)
def test_what_does_not_fit_is_refused(make_set, tmp_path, parameters, varying, message):
    with pytest.raises(BadInputError, match=message):
        write_trajectories(tmp_path / "a.hdf5", make_set(parameters=parameters, varying_parameters=varying))
    assert not (tmp_path / "a.hdf5").exists()


def test_a_parameter_that_is_not_finite_is_refused(make_set, tmp_path):
    with pytest.raises(NonFiniteError, match="'k' is not finite"):
        write_trajectories(tmp_path / "a.hdf5", make_set(varying_parameters={"k": np.array([1.0, np.nan])}))


def test_walls_that_hold_values(make_set, tmp_path):
    path = tmp_path / "a.hdf5"
    fields = (Field("A"), Field("v", "m/s", "vector"))
    grid = Grid((4, 6), (0.5, 0.25), ("dirichlet(1, 0.1)", "periodic"))
    write_trajectories(path, make_set(fields=fields, grid=grid))
    assert read_header(path).grid == grid
    with h5py.File(path) as file:
        assert [*broken_well_rules(file)] == []
        assert [*broken_own_rules(file, path)] == []
        walls = file["boundary_conditions"]
        assert sorted(walls) == ["x_wall_A", "x_wall_v", "y_periodic"]
        for name, values in (("A", [1, 1]), ("v", [[0.1, 0.0]] * 2)):
            item = walls[f"x_wall_{name}"]
            assert item.attrs["bc_type"] == "WALL"
            assert item.attrs["pdenca_bc"] == "dirichlet(1, 0.1)"
            assert item.attrs["associated_fields"].tolist() == [name]
            np.testing.assert_array_equal(item["values"], np.float32(values))
        assert "values" not in walls["y_periodic"]


def test_more_values_than_channels_are_refused(make_set, tmp_path):
    grid = Grid((4, 6), (0.5, 0.25), ("dirichlet(1, 0, 0)", "periodic"))
    with pytest.raises(BadInputError, match="more values than the 2 channels"):
        write_trajectories(tmp_path / "a.hdf5", make_set(grid=grid))


def test_one_file_at_a_time_is_read_by_trajectory(varied, tmp_path):
    write_trajectories(tmp_path / "a.hdf5", varied)
    with TrajectoryFile(tmp_path / "a.hdf5") as file:
        told = file.parameters(-1)
        np.testing.assert_array_equal(told["forcing"], varied.varying_parameters["forcing"][2])
        with pytest.raises(BadInputError, match="trajectory 3 does not exist"):
            file.parameters(3)
