"""One file that The Well and xarray read, and that is whole or absent."""

import tempfile
import warnings
from pathlib import Path

import h5py
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import xarray

from pdenca.core import BadInputError, Field, FormatError, NonFiniteError
from pdenca.datasets import TrajectoryFile, file_name, read_header, write_blocks, write_trajectories
from pdenca.datasets.rules import broken_well_rules
from pdenca.solvers import Grid

FIELDS = [
    (Field("A"),),
    (Field("A"), Field("B")),
    (Field("density", "kg"), Field("velocity", "m/s", "vector"), Field("curl", "1/s", "pseudoscalar")),
]


@hypothesis.given(
    shape=st.lists(st.integers(2, 5), min_size=1, max_size=3).map(tuple),
    num_trajectories=st.integers(1, 3),
    num_frames=st.integers(1, 10),
    fields=st.sampled_from(FIELDS),
    boundary=st.sampled_from(["periodic", "no-flux"]),
    compression=st.sampled_from([None, "gzip"]),
)
@hypothesis.settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_what_is_written_is_read(
    make_set, shape, num_trajectories, num_frames, fields, boundary, compression
):
    given = make_set(
        shape, num_trajectories, num_frames, fields, boundary, seeds=tuple(range(num_trajectories))
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.hdf5"
        write_trajectories(path, given, compression)
        with TrajectoryFile(path) as file:
            np.testing.assert_array_equal(file.read(), given.data)
            header = file.header
        with h5py.File(path) as raw:
            assert [*broken_well_rules(raw)] == []
    for name in ("dataset_name", "equation", "regime", "split", "fields", "grid", "frame_interval", "seeds"):
        assert getattr(header, name) == getattr(given, name)
    assert header.parameters == given.parameters
    assert header.shape == given.data.shape


def test_reading_some_of_it(make_set, tmp_path):
    given = make_set(num_trajectories=3, num_frames=9)
    write_trajectories(tmp_path / "a.hdf5", given)
    with TrajectoryFile(tmp_path / "a.hdf5") as file:
        np.testing.assert_array_equal(file.read(1, slice(2, 5)), given.data[1:2, 2:5])
        np.testing.assert_array_equal(file.read(-1), given.data[-1:])
        np.testing.assert_array_equal(file.read(slice(0, 3, 2), slice(None, None, 4)), given.data[::2, ::4])
        with pytest.raises(BadInputError, match="trajectory 3 does not exist"):
            file.read(3)
        with pytest.raises(BadInputError, match="forwards"):
            file.read(0, slice(None, None, -1))
    with pytest.raises(FormatError, match="cannot be read"):
        file.read(0)


def test_xarray_finds_names_and_coordinates_without_a_warning(make_set, tmp_path):
    given = make_set(shape=(4, 6), num_frames=5, seeds=(3, 4))
    path = tmp_path / "a.hdf5"
    write_trajectories(path, given)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with xarray.open_datatree(path, engine="h5netcdf") as tree:
            field = tree["t0_fields/B"]
            assert field.dims == ("sample", "time", "x", "y")
            np.testing.assert_allclose(field["time"], np.arange(5) * 2.5)
            np.testing.assert_allclose(field["x"], (np.arange(4) + 0.5) * 0.5)
            np.testing.assert_allclose(field["y"], (np.arange(6) + 0.5) * 0.25)
            np.testing.assert_array_equal(field.sel(sample=1, time=5.0), given.data[1, 2, 1])
            assert tree["scalars/F"].item() == pytest.approx(0.03)
            np.testing.assert_array_equal(tree["trajectories/seed"], [3, 4])
        with xarray.open_dataset(path, engine="h5netcdf", group="t0_fields") as group:
            assert set(group.coords) == {"sample", "time", "x", "y"}


def test_chunks_hold_eight_frames_of_one_trajectory(make_set, tmp_path):
    write_trajectories(tmp_path / "long.hdf5", make_set(num_frames=20))
    write_trajectories(tmp_path / "short.hdf5", make_set(num_frames=3), compression="gzip")
    with h5py.File(tmp_path / "long.hdf5") as file:
        assert file["t0_fields/A"].chunks == (1, 8, 4, 6)
        assert file["t0_fields/A"].compression is None
    with h5py.File(tmp_path / "short.hdf5") as file:
        assert file["t0_fields/A"].chunks == (1, 3, 4, 6)
        assert file["t0_fields/A"].compression == "gzip"


def test_equal_trajectories_give_equal_bytes(make_set, tmp_path):
    for name in ("a.hdf5", "b.hdf5"):
        write_trajectories(tmp_path / name, make_set())
    assert (tmp_path / "a.hdf5").read_bytes() == (tmp_path / "b.hdf5").read_bytes()


def test_dead_and_stationary_trajectories_are_noted(make_set, tmp_path):
    given = make_set(num_trajectories=3, num_frames=6)
    given.data[1, 2:] = 0.25
    given.data[2, 4:] = given.data[2, 4:5]
    write_trajectories(tmp_path / "a.hdf5", given)
    with TrajectoryFile(tmp_path / "a.hdf5") as file:
        homogeneous, stationary = file.activity()
    assert homogeneous.tolist() == [-1, 2, -1]
    assert stationary.tolist() == [-1, 2, 4]


def test_a_failed_write_leaves_the_old_file(make_set, tmp_path):
    path = tmp_path / "a.hdf5"
    write_trajectories(path, make_set())
    before = path.read_bytes()
    bad = make_set()
    bad.data[1, 3, 0, 2, 2] = np.nan
    with pytest.raises(NonFiniteError, match="trajectory 1, field A, frame 3"):
        write_trajectories(path, bad)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["a.hdf5"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fields": (Field("A"), Field("A"))}, "must differ"),
        ({"fields": (Field("A"),)}, "does not fit"),
        ({"fields": ()}, "at least one"),
        ({"grid": Grid.uniform(5, 1.0)}, "does not fit"),
        ({"frame_interval": 0.0}, "must be positive"),
        ({"seeds": (1,)}, "1 seeds for 2 trajectories"),
        ({"provenance": {"regime": "other"}}, "may not redefine"),
    ],
)
def test_what_does_not_fit_is_refused(make_set, tmp_path, changes, message):
    given = make_set()
    changed = type(given)(**{**vars(given), **changes})
    with pytest.raises(BadInputError, match=message):
        write_trajectories(tmp_path / "a.hdf5", changed)
    assert not (tmp_path / "a.hdf5").exists()


def test_blocks_must_add_up(make_set, tmp_path):
    given = make_set(num_trajectories=3)
    write_blocks(tmp_path / "a.hdf5", given.header, [given.data[:1], given.data[1:]])
    with TrajectoryFile(tmp_path / "a.hdf5") as file:
        np.testing.assert_array_equal(file.read(), given.data)
    with pytest.raises(BadInputError, match="got 2 trajectories"):
        write_blocks(tmp_path / "b.hdf5", given.header, [given.data[:2]])
    with pytest.raises(BadInputError, match="does not fit"):
        write_blocks(tmp_path / "b.hdf5", given.header, [given.data, given.data[:1]])


def test_file_names_follow_the_well():
    parameters = {"feed_rate": 0.029, "kill_rate": 0.057}
    assert file_name("gray_scott", "maze", parameters) == "gray_scott_maze_F_0.029_k_0.057.hdf5"


def test_a_file_of_the_well_that_is_not_ours_is_read(make_set, tmp_path):
    given = make_set(parameters={"feed_rate": 0.029, "kill_rate": 0.057})
    path = tmp_path / "a.hdf5"
    write_trajectories(path, given)
    well = {
        "dataset_name",
        "grid_type",
        "n_spatial_dims",
        "n_trajectories",
        "simulation_parameters",
        "F",
        "k",
    }
    with h5py.File(path, "r+") as file:
        for name in set(file.attrs) - well:
            del file.attrs[name]
        del file["trajectories"]
    with TrajectoryFile(path) as file:
        np.testing.assert_array_equal(file.read(), given.data)
        assert file.activity()[0].tolist() == [-1, -1]
        header = file.header
    assert header.parameters == given.parameters
    assert header.equation == "unknown"
    assert header.frame_interval == 2.5
    assert header.grid.boundaries == ("periodic", "periodic")
    np.testing.assert_allclose(header.grid.spacing, given.grid.spacing, rtol=1e-6)


@pytest.mark.parametrize("size", [0, 100, 5000, -1])
def test_damaged_files_are_one_clear_sentence(make_set, tmp_path, size):
    path = tmp_path / "a.hdf5"
    write_trajectories(path, make_set())
    content = path.read_bytes()
    path.write_bytes(content[:size])
    with pytest.raises(FormatError, match="is damaged or not a trajectory file") as caught:
        read_header(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FormatError, match="is not a file"):
        read_header(tmp_path / "none.hdf5")


def test_the_context_of_a_header(make_set):
    context = make_set().header.context(3)
    assert context["feed_rate"].tolist() == pytest.approx([0.03] * 3)
    assert context["strength"].shape == (3,)
