"""One clean Dataset that can be saved again."""

import numpy as np
import pytest
import xarray

from pdenca.core import Field, FormatError
from pdenca.datasets import open_xarray, write_trajectories


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
