"""One clean Dataset that can be saved again."""

import importlib.util

import h5py
import numpy as np
import pytest
import xarray

from pdenca.core import Field, FormatError
from pdenca.datasets import TrajectoryFile, open_xarray, write_trajectories
from pdenca.solvers import Grid

ENGINES = ("h5netcdf", *(("netcdf4",) if importlib.util.find_spec("netCDF4") else ()))


def test_it_holds_everything_with_names(make_set, tmp_path):
    given = make_set(shape=(4, 6), fields=(Field("A"), Field("v", "m/s", "vector")), seeds=(5, 6))
    write_trajectories(tmp_path / "a.hdf5", given)
    with open_xarray(tmp_path / "a.hdf5") as data:
        assert data["A"].dims == ("sample", "time", "x", "y")
        assert data["v"].dims == ("sample", "time", "x", "y", "component")
        np.testing.assert_array_equal(data["v"].sel(component=1), given.data[:, :, 2])
        assert data["v"].attrs["units"] == "m/s"
        assert data["F"].item() == pytest.approx(0.03)
        assert data["seed"].values.tolist() == [5, 6]
        assert data.sizes == {"sample": 2, "time": 5, "x": 4, "y": 6, "component": 2}
        assert data.attrs["regime"] == "random"
        assert data["A"].sel(time=5.0).shape == (2, 4, 6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_everything_is_saved_and_read_again(make_set, tmp_path, num_dims, engine):
    """Values, coordinates and attributes, vectors and every kind of parameter, walls and floats exactly."""
    shape, axes = (4, 6, 5)[:num_dims], ("x", "y", "z")[:num_dims]
    random, walls = np.random.default_rng(1), ("dirichlet(1, 0.5)", "periodic", "no-flux")
    given = make_set(
        shape=shape,
        fields=(Field("A", "mol"), Field("v", "m/s", "vector")),
        grid=Grid(shape, (0.5, 0.25, 0.1)[:num_dims], walls[:num_dims]),
        seeds=(5, 2**62),
        parameters={"strength": 2.0},
        varying_parameters={
            "feed_rate": np.array([0.1, 1 / 3]),
            "dose": np.array([0.2, 1 / 7]),
            "diffusivity": random.random((1, *shape), dtype=np.float32),
            "forcing": random.random((2, *shape), dtype=np.float32),
        },
    )
    write_trajectories(tmp_path / "a.hdf5", given)
    with open_xarray(tmp_path / "a.hdf5") as data:
        assert set(data.data_vars) == {
            *("A", "v", "strength", "F", "dose", "diffusivity", "forcing", "seed"),
            *("homogeneous_from_frame", "stationary_from_frame"),
        }
        assert set(data.coords) == {"sample", "time", *axes, "component"}
        data.to_netcdf(tmp_path / "copy.nc", engine=engine)
        with xarray.open_dataset(tmp_path / "copy.nc", engine=engine) as again:
            xarray.testing.assert_identical(data.load(), again.load())
            np.testing.assert_array_equal(again["A"], given.data[:, :, 0])
            np.testing.assert_array_equal(np.moveaxis(again["v"].values, -1, 2), given.data[:, :, 1:])
            np.testing.assert_array_equal(again["F"], given.varying_parameters["feed_rate"])
            np.testing.assert_array_equal(again["dose"], given.varying_parameters["dose"])
            np.testing.assert_array_equal(again["diffusivity"], given.varying_parameters["diffusivity"][0])
            np.testing.assert_array_equal(again["forcing"], given.varying_parameters["forcing"])
            np.testing.assert_array_equal(again["seed"], given.seeds)
            assert again["forcing"].dims == ("sample", *axes)
            assert again["diffusivity"].dims == axes
            assert again["A"].dims == ("sample", "time", *axes)
            assert (again["A"].attrs["units"], again["v"].attrs["units"]) == ("mol", "m/s")
            assert again.attrs["grid"] == given.grid.to_json()
            for name, values in zip(axes, given.grid.coordinates(), strict=True):
                np.testing.assert_allclose(again[name], values, rtol=1e-6)


def test_files_of_the_well_have_no_names(make_set, tmp_path):
    write_trajectories(tmp_path / "a.hdf5", make_set())
    with h5py.File(tmp_path / "a.hdf5", "r+") as file:
        del file.attrs["pdenca_schema"]
    TrajectoryFile(tmp_path / "a.hdf5").close()
    with pytest.raises(FormatError, match="no names for its axes; usual cure: `pdenca convert`"):
        open_xarray(tmp_path / "a.hdf5")


def test_it_is_saved_and_read_again(maze, tmp_path):
    with open_xarray(maze) as data:
        data.to_netcdf(tmp_path / "copy.nc", engine="h5netcdf")
        with xarray.open_dataset(tmp_path / "copy.nc", engine="h5netcdf") as again:
            xarray.testing.assert_equal(data.load(), again.load())
            assert again["A"].attrs["sample_varying"] == 1
            assert again["time"].attrs["units"] == "s"


def test_it_reads_lazily(maze):
    with open_xarray(maze) as data:
        assert not data["A"].variable._in_memory


def test_a_damaged_file_is_one_sentence(maze):
    maze.write_bytes(maze.read_bytes()[:-100])
    with pytest.raises(FormatError, match="damaged"):
        open_xarray(maze)
