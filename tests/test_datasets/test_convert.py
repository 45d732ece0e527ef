"""Other people's files become ours, and what they cannot bring along is named."""

import shutil

import h5py
import numpy as np
import pytest
import torch

from pdenca.core import BadInputError, Field, FormatError
from pdenca.datasets import (
    TrajectoryFile,
    Windows,
    check,
    convert,
    info,
    load_split,
    open_trajectories,
    read_header,
    read_stats,
    splits_of,
    write_trajectories,
)
from pdenca.datasets.rules import broken_well_rules


def names(*values: str) -> np.ndarray:
    return np.array(values, dtype=h5py.string_dtype())


def well_file(path, num_trajectories=3, num_frames=6, shape=(4, 5), open_edge=False):
    """Write a file as The Well's documentation lays it out, with every kind of thing that it allows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(6)
    flags = {"sample_varying": True, "time_varying": True}
    content = {}
    with h5py.File(path, "w") as file:
        file.attrs.update(dataset_name="flow", grid_type="cartesian", n_spatial_dims=2)
        file.attrs.update(n_trajectories=num_trajectories, Re=100.0)
        file.attrs["simulation_parameters"] = names("Re")
        dimensions = file.create_group("dimensions")
        dimensions.attrs["spatial_dims"] = names("x", "y")
        for name, values in (
            ("time", 5 + 0.25 * np.arange(num_frames)),
            ("x", -1 + (np.arange(shape[0]) + 0.5) * 0.5),
            ("y", (np.arange(shape[1]) + 0.5) * 0.2),
        ):
            item = dimensions.create_dataset(name, data=values.astype(np.float32))
            item.attrs.update(sample_varying=False, time_varying=name == "time")
        edges = file.create_group("boundary_conditions")
        for axis, kind, length in (
            ("x", "OPEN" if open_edge else "WALL", shape[0]),
            ("y", "PERIODIC", shape[1]),
        ):
            item = edges.create_group(f"{axis}_{kind.lower()}")
            item.attrs.update(bc_type=kind, sample_varying=False, time_varying=False)
            item.attrs["associated_dims"] = names(axis)
            item.attrs["associated_fields"] = names()
            mask = np.zeros(length, dtype=bool)
            mask[[0, -1]] = True
            item["mask"] = mask
        scalars = file.create_group("scalars")
        scalars.attrs["field_names"] = names("Re", "angle", "dose")
        for name, values, varies, in_time in (
            ("Re", np.float32(100), False, False),
            ("angle", np.arange(num_trajectories, dtype=np.float32) / 3, True, False),
            ("dose", np.arange(num_frames, dtype=np.float32), False, True),
        ):
            scalars[name] = values
            scalars[name].attrs.update(sample_varying=varies, time_varying=in_time)
        sample, time = (num_trajectories,), (num_frames,)
        for group, listed in (
            (
                "t0_fields",
                {"c": (*sample, *time, *shape), "mask": shape, "speed": (*sample, *shape), "rain": time},
            ),
            ("t1_fields", {"v": (*sample, *time, *shape, 2)}),
            ("t2_fields", {"D": (*sample, *time, *shape, 2, 2)}),
        ):
            fields = file.create_group(group)
            fields.attrs["field_names"] = names(*listed)
            for name, size in listed.items():
                content[name] = random.random(size, dtype=np.float32)
                fields[name] = content[name]
                fields[name].attrs.update(**flags, dim_varying=np.array([True, True]))
        file["t0_fields/mask"].attrs.update(sample_varying=False, time_varying=False)
        file["t0_fields/speed"].attrs.update(time_varying=False)
        file["t0_fields/rain"].attrs.update(sample_varying=False, dim_varying=np.array([False, False]))
    return content


def test_a_file_of_the_well_with_everything_in_it(tmp_path):
    path = tmp_path / "train" / "flow.hdf5"
    content = well_file(path)
    with h5py.File(path) as file:
        assert [*broken_well_rules(file)] == [], "the example itself must obey"
    with open_trajectories(path) as file:
        header = file.header
        data = file.read(slice(1, 3), slice(0, 6, 2))
        told = file.parameters(2)
    assert header.fields == (Field("c"), Field("rain"), Field("v", kind="vector"))
    np.testing.assert_array_equal(data[:, :, 0], content["c"][1:3, ::2])
    np.testing.assert_array_equal(
        data[:, :, 1], np.broadcast_to(content["rain"][::2, None, None], (2, 3, 4, 5))
    )
    np.testing.assert_array_equal(data[:, :, 2:], np.moveaxis(content["v"][1:3, ::2], -1, 2))
    assert header.parameters == {"Re": 100.0}
    np.testing.assert_array_equal(told["mask"], content["mask"])
    np.testing.assert_array_equal(told["speed"], content["speed"][2])
    assert told["angle"].item() == pytest.approx(2 / 3)
    assert header.grid.boundaries == ("no-flux", "periodic")
    assert header.grid.spacing == pytest.approx((0.5, 0.2))
    assert header.frame_interval == 0.25
    assert header.split == "train"
    assert header.provenance["not_read"] == (
        "the tensor field D; the scalar dose, which varies in time; time begins at 5; x begins at -0.75"
    )


def test_converting_it_keeps_numbers_and_names_what_is_lost(tmp_path):
    path = tmp_path / "train" / "flow.hdf5"
    content = well_file(path, open_edge=True)
    done = []
    (header,) = convert(path, tmp_path / "out", equation="flow", progress=lambda *count: done.append(count))
    assert done == [(1, 3), (2, 3), (3, 3)]
    assert header.path == tmp_path / "out" / "data" / "train" / "flow_unknown_Re_100.hdf5"
    assert check(tmp_path / "out") == []
    with TrajectoryFile(path) as before, TrajectoryFile(header.path) as after:
        np.testing.assert_array_equal(before.read(), after.read())
        for name, value in before.parameters(1).items():
            torch.testing.assert_close(after.parameters(1)[name], value)
    assert after.header.equation == "flow"
    assert after.header.provenance["converted_from"] == "flow.hdf5"
    assert "the open boundary x_open, taken for no-flux" in after.header.provenance["not_read"]
    assert "the open boundary" in info(header.path)["not read"]
    assert info(header.path)["from"] == "flow.hdf5"
    assert read_stats(tmp_path / "out").mean["c"] == pytest.approx(content["c"].mean(dtype=np.float64))
    ((_, values),) = load_split(tmp_path / "out", "train")
    assert values.shape == (3, 6, 4, 4, 5)
    windows = Windows(tmp_path / "out", 6)
    np.testing.assert_array_equal(windows[2][1]["speed"], content["speed"][2])
    windows.close()


def test_some_trajectories_into_one_file(tmp_path):
    path = tmp_path / "train" / "flow.hdf5"
    content = well_file(path)
    out = tmp_path / "some.hdf5"
    convert(path, out, trajectories=slice(1, None), compression="gzip", regime="slow", split="test")
    header = read_header(out)
    assert (header.num_trajectories, header.regime, header.split) == (2, "slow", "test")
    np.testing.assert_array_equal(header.varying_parameters["speed"][:], content["speed"][1:])
    np.testing.assert_array_equal(header.varying_parameters["mask"][:], content["mask"][None])
    with h5py.File(out) as file:
        assert file["t0_fields/c"].compression == "gzip"
    with pytest.raises(BadInputError, match="none of them in 3::"):
        convert(path, tmp_path / "none.hdf5", trajectories=slice(3, None))


def test_nothing_is_overwritten_or_mixed_up(tmp_path):
    path = tmp_path / "train" / "flow.hdf5"
    well_file(path)
    convert(path, tmp_path / "out")
    with pytest.raises(BadInputError, match="is there already"):
        convert(path, tmp_path / "out")
    with pytest.raises(BadInputError, match="2 files do not go into one"):
        convert([path, path], tmp_path / "out.hdf5")


def test_what_is_not_finite_is_told_with_its_place(tmp_path):
    path = tmp_path / "train" / "flow.hdf5"
    well_file(path)
    with h5py.File(path, "r+") as file:
        file["t0_fields/c"][2, 4, 1, 1] = np.nan
    with pytest.raises(FormatError, match="trajectory 2, field c, frame 4 is not finite; usual cure: leave"):
        convert(path, tmp_path / "out")
    assert not [*tmp_path.rglob("out/**/*.hdf5")]
    convert(path, tmp_path / "out", trajectories=slice(0, 2))


def test_our_own_files_of_the_first_schema_are_brought_up_to_date(maze, tmp_path):
    with h5py.File(maze, "r+") as file:
        file.attrs["pdenca_schema"] = "1"
    assert [item for item in check(maze) if item.level == "error"] == []
    out = tmp_path / "new.hdf5"
    convert(maze, out)
    with TrajectoryFile(maze) as before, TrajectoryFile(out) as after:
        assert (before.schema, after.schema) == ("1", "2")
        assert before.header.provenance == after.header.provenance
        assert before.header.seeds == after.header.seeds
        np.testing.assert_array_equal(before.read(), after.read())
    assert [item for item in check(out) if item.level == "error"] == []


def test_pdebench_becomes_a_dataset(tmp_path):
    path = tmp_path / "1D_Advection_Sols_beta0.4.hdf5"
    data = np.random.default_rng(2).random((5, 4, 8), dtype=np.float32)
    with h5py.File(path, "w") as file:
        file["tensor"] = data
        file["x-coordinate"] = (np.arange(8) + 0.5) / 8
        file["t-coordinate"] = np.arange(5) * 0.01
        file.attrs["beta"] = 0.4
    out = tmp_path / "out"
    for split, chosen in (("train", slice(0, 3)), ("test", slice(3, None))):
        convert(path, out, dataset_name="advection", regime="slow", split=split, trajectories=chosen)
    assert splits_of(out) == ("train", "test")
    assert check(out) == []
    ((header, values),) = load_split(out, "test")
    np.testing.assert_array_equal(values[:, :, 0], data[3:])
    assert header.parameters == {"beta": 0.4}
    assert header.path.name == "advection_slow_beta_0.4.hdf5"


def irregular_time(file: h5py.File) -> None:
    file["dimensions/time"][2] = 5.3


def spherical(file: h5py.File) -> None:
    file.attrs["grid_type"] = "spherical"


def no_fields(file: h5py.File) -> None:
    del file["t0_fields"].attrs["field_names"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (irregular_time, "time is not equally spaced"),
        (spherical, "its grid is spherical, only cartesian"),
        (no_fields, "field_names"),
    ],
)
def test_what_has_no_place_at_all_is_one_sentence(tmp_path, change, message):
    path = tmp_path / "train" / "flow.hdf5"
    well_file(path)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(FormatError, match=message) as caught:
        convert(path, tmp_path / "out.hdf5")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_walls_with_values_are_dirichlet(make_set, tmp_path):
    """Ours without our own attributes is a foreign file: the values tell the wall."""
    from pdenca.solvers import Grid

    path = tmp_path / "a.hdf5"
    grid = Grid((4, 6), (0.5, 0.25), ("dirichlet(1, 0.5)", "no-flux"))
    write_trajectories(path, make_set(grid=grid))
    with h5py.File(path, "r+") as file:
        for name in ("pdenca_schema", "grid"):
            del file.attrs[name]
    assert read_header(path).grid.boundaries == ("dirichlet(1.0, 0.5)", "no-flux")


def test_the_command(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from pdenca.cli import cli

    def run(*args):
        return CliRunner().invoke(cli, [str(arg) for arg in args], catch_exceptions=False)

    path = tmp_path / "train" / "flow.hdf5"
    well_file(path)
    result = run("convert", path, "--out", tmp_path / "out", "--name", "river", "--trajectories", "0:2")
    assert result.exit_code == 0
    assert (
        "river_unknown_Re_100.hdf5: 2 trajectories of 6 frames, 4 x 5 cells, c, rain, v_x, v_y"
        in result.stdout
    )
    assert "not kept: the tensor field D" in result.stdout
    assert run("check", tmp_path / "out").exit_code == 0
    for wrong in ("1", "a:b", "1:2:3"):
        refused = run("convert", path, "--out", tmp_path / "b.hdf5", "--trajectories", wrong)
        assert refused.exit_code == 2
        assert "expected START:STOP" in refused.stderr
    shutil.copy(path, tmp_path / "cut.hdf5")
    (tmp_path / "cut.hdf5").write_bytes(path.read_bytes()[:900])
    refused = run("convert", tmp_path / "cut.hdf5", "--out", tmp_path / "c.hdf5")
    assert refused.exit_code == 2
    assert refused.stderr.count("\n") == 1
    assert not (tmp_path / "c.hdf5").exists()
