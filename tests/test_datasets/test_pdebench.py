"""Small files in PDEBench's exact layouts are read, and nothing that they do not say is made up."""

import h5py
import numpy as np
import pytest

from pdenca.core import BadInputError, Field, FormatError
from pdenca.datasets import PDEBenchFile, TrajectoryFile, open_trajectories, write_trajectories

CONFIG = """work_dir: /somewhere
name: 2d_diff-react
sim:
  Du: {Du}
  Dv: 0.005
  k: 5E-3
  t: 5
  tdim: 4
  x_left: -1.0
  x_right: 1.0
  xdim: 6
  y_bottom: -1.0
  y_top: 1.0
  ydim: 6
  n: 1
  seed: {seed}
"""


def centres(count: int, first: float = 0.0, last: float = 1.0) -> np.ndarray:
    width = (last - first) / count
    return np.linspace(first + width / 2, last - width / 2, count)


def diffusion_reaction(path, seeds=(0, 1, 10), diffusivities=(1e-3, 1e-3, 1e-3), name="2d_diff-react"):
    """Write what PDEBench's generator of its 2-D diffusion-reaction writes, and return the numbers."""
    random = np.random.default_rng(1)
    data = random.standard_normal((len(seeds), 4, 6, 5, 2)).astype(np.float32)
    with h5py.File(path, "a") as file:
        for values, seed, diffusivity in zip(data, seeds, diffusivities, strict=True):
            options = {"dtype": "float32", "compression": "lzf"}
            key = str(seed).zfill(4)
            file.create_dataset(f"{key}/data", data=values, **options)
            file.create_dataset(f"{key}/grid/x", data=centres(6, -1, 1), **options)
            file.create_dataset(f"{key}/grid/y", data=centres(5, -1, 1), **options)
            file.create_dataset(f"{key}/grid/t", data=np.linspace(0, 0.15, 4), **options)
            config = CONFIG.format(seed=seed, Du=diffusivity).replace("2d_diff-react", name)
            file[key].attrs["config"] = config
    return np.moveaxis(data, -1, 2)


def advection(path, num_times=5):
    """Write what PDEBench's merge of the 1-D problems writes: one time more than there are frames."""
    data = np.random.default_rng(2).random((3, 4, 8), dtype=np.float32)
    with h5py.File(path, "w") as file:
        file.create_dataset("tensor", data=data)
        file.create_dataset("x-coordinate", data=centres(8).astype(np.float32))
        file.create_dataset("t-coordinate", data=(np.arange(num_times) * 0.01).astype(np.float32))
        file.attrs["beta"] = 0.4
    return data[:, :, None]


def test_one_group_per_seed(tmp_path):
    path = tmp_path / "2D_diff-react_NA_NA.h5"
    data = diffusion_reaction(path)
    with PDEBenchFile(path) as file:
        header = file.header
        np.testing.assert_array_equal(file.read(), data)
        np.testing.assert_array_equal(file.read(1, slice(1, 3)), data[1:2, 1:3])
        np.testing.assert_array_equal(file.read(slice(0, 3, 2), slice(None, None, 2)), data[::2, ::2])
        assert {name: value.item() for name, value in file.parameters(2).items()} == pytest.approx(
            header.parameters
        )
    assert header.shape == data.shape
    assert header.fields == (Field("u"), Field("v"))
    assert header.equation == "fitzhugh-nagumo"
    assert header.parameters == {
        "diffusivity_u": 1e-3,
        "diffusivity_v": 5e-3,
        "threshold": 5e-3,
        "recovery_rate": 1.0,
        "recovery_decay": 1.0,
    }
    assert header.seeds == (0, 1, 10)
    assert header.grid.boundaries == ("no-flux", "no-flux")
    assert header.grid.spacing == pytest.approx((2 / 6, 2 / 5))
    assert header.frame_interval == pytest.approx(0.05)
    assert "seed: 0" in header.provenance["pdebench_config"]
    assert header.provenance["not_read"] == "x begins at -0.833333; y begins at -0.8"


def test_constants_that_differ_between_seeds_are_one_per_trajectory(tmp_path):
    path = tmp_path / "2D_diff-react_NA_NA.h5"
    diffusion_reaction(path, diffusivities=(1e-3, 2e-3, 4e-3))
    with PDEBenchFile(path) as file:
        assert "diffusivity_u" not in file.header.parameters
        assert file.header.varying_parameters["diffusivity_u"].tolist() == [1e-3, 2e-3, 4e-3]
        assert file.parameters(2)["diffusivity_u"].item() == pytest.approx(4e-3)


def test_one_array_with_a_time_too_many(tmp_path):
    path = tmp_path / "1D_Advection_Sols_beta0.4.hdf5"
    data = advection(path)
    with PDEBenchFile(path) as file:
        np.testing.assert_array_equal(file.read(), data)
        np.testing.assert_array_equal(file.read(-1, slice(-2, None)), data[2:, 2:])
        header = file.header
    assert header.shape == data.shape == (3, 4, 1, 8)
    assert header.fields == (Field("u"),)
    assert header.parameters == {"beta": 0.4}
    assert header.equation == "unknown"
    assert header.grid.boundaries == ("periodic",)
    assert header.frame_interval == pytest.approx(0.01)
    assert header.seeds == ()
    assert "not_read" not in header.provenance


def test_channels_may_be_the_last_axis(tmp_path):
    path = tmp_path / "1D_Burgers.hdf5"
    data = np.random.default_rng(3).random((2, 3, 4, 5, 2), dtype=np.float32)
    with h5py.File(path, "w") as file:
        file["tensor"] = data
        for axis, count in (("x", 4), ("y", 5)):
            file[f"{axis}-coordinate"] = centres(count)
        file["t-coordinate"] = np.arange(3.0)
    with PDEBenchFile(path) as file:
        np.testing.assert_array_equal(file.read(slice(1, 2)), np.moveaxis(data, -1, 2)[1:])
        assert [item.name for item in file.header.fields] == ["u", "v"]


def test_a_coefficient_is_a_parameter_that_varies_in_space(tmp_path):
    path = tmp_path / "2D_DarcyFlow_beta0.1_Train.hdf5"
    random = np.random.default_rng(4)
    solution, coefficient = (random.random((3, 1, 4, 5), dtype=np.float32) for _ in range(2))
    with h5py.File(path, "w") as file:
        file["tensor"], file["nu"] = solution, coefficient[:, 0]
        file["x-coordinate"], file["y-coordinate"] = centres(4), centres(5)
        file.attrs["beta"] = 0.1
    with PDEBenchFile(path) as file:
        assert file.header.shape == (3, 1, 1, 4, 5)
        assert file.header.grid.boundaries == ("dirichlet(0)", "dirichlet(0)")
        assert file.header.parameters_in_space == ("nu",)
        np.testing.assert_array_equal(file.parameters(1)["nu"], coefficient[1, 0])
        np.testing.assert_array_equal(file.header.context(2, first=1)["nu"], coefficient[1:, 0])


@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_compressible_flow_has_one_array_per_field(tmp_path, num_dims):
    path = tmp_path / f"{num_dims}D_CFD_Rand_Eta0.1_Zeta0.1_periodic_Train.hdf5"
    space, axes = (4, 5, 6)[:num_dims], "xyz"[:num_dims]
    random = np.random.default_rng(5)
    names = ["density", "pressure", *(f"V{axis}" for axis in axes)]
    data = random.random((2, 3, len(names), *space), dtype=np.float32)
    with h5py.File(path, "w") as file:
        for channel, name in enumerate(names):
            file[name] = data[:, :, channel]
        for axis, count in zip(axes, space, strict=True):
            file[f"{axis}-coordinate"] = centres(count)
        file["t-coordinate"] = np.arange(4) * 0.05
        file.attrs["eta"], file.attrs["zeta"] = 0.1, 0.1
    with PDEBenchFile(path) as file:
        np.testing.assert_array_equal(file.read(), data)
        assert file.header.channel_names == (
            "density",
            "pressure",
            *(f"velocity_{axis}" for axis in axes),
        )
        assert file.header.fields[2] == Field("velocity", kind="vector")
        assert file.header.grid.boundaries == ("periodic",) * num_dims
        assert file.header.parameters == {"eta": 0.1, "zeta": 0.1}


def test_a_boundary_that_the_file_does_not_tell_must_be_told(tmp_path):
    path = tmp_path / "something.h5"
    diffusion_reaction(path, name="radial dam")
    with pytest.raises(BadInputError, match="usual cure: --boundary"):
        PDEBenchFile(path)
    with PDEBenchFile(path, "periodic") as file:
        assert file.header.grid.boundaries == ("periodic", "periodic")
        assert file.header.parameters == {"Du": 1e-3, "Dv": 5e-3, "k": 5e-3}, "another equation's names"
    with open_trajectories(path, ("no-flux", "dirichlet(1)")) as file:
        assert file.header.grid.boundaries == ("no-flux", "dirichlet(1)")
    with pytest.raises(BadInputError, match="'mirror' is unknown"):
        PDEBenchFile(path, "mirror")


def test_only_what_is_asked_for_is_read(tmp_path, monkeypatch):
    """The largest piece that leaves the file is one trajectory's frames."""
    path = tmp_path / "1D_Advection_Sols_beta0.4.hdf5"
    advection(path)
    shapes = []
    original = h5py.Dataset.__getitem__

    def spy(self, key, *more, **options):
        values = original(self, key, *more, **options)
        shapes.append((self.name, np.shape(values)))
        return values

    with PDEBenchFile(path) as file:
        monkeypatch.setattr(h5py.Dataset, "__getitem__", spy)
        file.read(1, slice(1, 3))
    assert shapes == [("/tensor", (1, 2, 8))]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file["t-coordinate"].__setitem__(2, 9.0), "its time is not equally spaced"),
        (lambda file: file["x-coordinate"].__setitem__(2, 9.0), "coordinate x is not equally spaced"),
    ],
)
def test_coordinates_that_are_not_equally_spaced_are_refused(tmp_path, change, message):
    path = tmp_path / "1D_Advection.hdf5"
    advection(path)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(FormatError, match=message) as caught:
        PDEBenchFile(path)
    assert "\n" not in str(caught.value)


def test_contradictions_are_one_sentence(tmp_path):
    path = tmp_path / "1D_Advection.hdf5"
    advection(path, num_times=2)
    with pytest.raises(FormatError, match="2 times do not fit 4 frames"):
        PDEBenchFile(path)
    diffusion_reaction(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        del file["0001/data"]
        file["0001/data"] = np.zeros((3, 6, 5, 2), dtype=np.float32)
    with pytest.raises(FormatError, match="different shapes"):
        PDEBenchFile(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["velocity"] = np.zeros(3)
    with pytest.raises(FormatError, match="none of PDEBench's layouts"):
        PDEBenchFile(tmp_path / "b.h5")
    with pytest.raises(FormatError, match="neither ours nor The Well's"):
        open_trajectories(tmp_path / "b.h5")
    content = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "c.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(FormatError, match="is damaged"):
        open_trajectories(tmp_path / "c.h5")


def test_the_right_reader_is_chosen(tmp_path, make_set):
    write_trajectories(tmp_path / "ours.hdf5", make_set())
    with open_trajectories(tmp_path / "ours.hdf5") as file:
        assert isinstance(file, TrajectoryFile)
    with pytest.raises(BadInputError, match="tells its boundaries itself"):
        open_trajectories(tmp_path / "ours.hdf5", "no-flux")
    path = tmp_path / "1D_Advection.hdf5"
    data = advection(path)
    with open_trajectories(path) as file:
        assert isinstance(file, PDEBenchFile)
        homogeneous, stationary = file.activity()
        assert (homogeneous == -1).all()
        assert (stationary == -1).all()
    with pytest.raises(FormatError, match="cannot be read"):
        file.read(0)
    assert data.shape[0] == 3
