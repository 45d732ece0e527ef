"""Every planted fault is found, and honest data pass."""

import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from pdenca.core import FormatError
from pdenca.datasets import (
    Finding,
    GrayScottRecipe,
    TrajectoryFile,
    TrajectorySet,
    check,
    generate,
    read_header,
    write_trajectories,
)
from pdenca.datasets.format import PROVENANCE


def errors(findings: list[Finding]) -> list[Finding]:
    return [item for item in findings if item.level == "error"]


def test_an_honest_dataset_has_no_errors(dataset):
    assert errors(check(dataset)) == []


def test_the_same_files_are_meant_by_folders_and_lists(dataset):
    files = sorted((dataset / "data" / "test").iterdir())
    assert check(dataset / "data" / "test") == check(files) == check([files[0], *files])


def attribute(place: str, name: str, value: object = None):
    """Return a fault: delete an attribute, or set it."""

    def plant(file: h5py.File) -> None:
        del file[place].attrs[name]
        if value is not None:
            file[place].attrs[name] = value

    return plant


def replaced(place: str, change):
    """Return a fault: replace a dataset's values; the hard link in /dimensions goes along."""

    def plant(file: h5py.File) -> None:
        file[place][...] = change(file[place][...])

    return plant


def removed(place: str):
    def plant(file: h5py.File) -> None:
        del file[place]

    return plant


def moved_scale(file: h5py.File) -> None:
    values = file["dimensions/x"][...]
    flags = dict(file["dimensions/x"].attrs)
    del file["dimensions/x"]
    copy = file["dimensions"].create_dataset("x", data=values)
    copy.attrs.update(sample_varying=flags["sample_varying"], time_varying=flags["time_varying"])


def detached_scale(file: h5py.File) -> None:
    file["t0_fields/A"].dims[1].detach_scale(file["time"])


def wider_field(file: h5py.File) -> None:
    data, flags = file["t0_fields/A"][...], dict(file["t0_fields/A"].attrs)
    names = ("sample_varying", "time_varying", "dim_varying")
    del file["t0_fields/A"]
    wide = file["t0_fields"].create_dataset("A", data=data.astype(np.float64))
    wide.attrs.update({name: flags[name] for name in names})
    for axis, name in enumerate(("sample", "time", "x", "y")):
        wide.dims[axis].attach_scale(file[name])


def short_field(file: h5py.File) -> None:
    flags = dict(file["t0_fields/A"].attrs)
    data = file["t0_fields/A"][:, :-1]
    del file["t0_fields/A"]
    file["t0_fields"].create_dataset("A", data=data)
    for name in ("sample_varying", "time_varying", "dim_varying"):
        file["t0_fields/A"].attrs[name] = flags[name]


def integer_mask(file: h5py.File) -> None:
    mask = file["boundary_conditions/x_periodic/mask"][...]
    del file["boundary_conditions/x_periodic/mask"]
    file["boundary_conditions/x_periodic"].create_dataset("mask", data=mask.astype(np.int8))


X, A = "boundary_conditions/x_periodic", "t0_fields/A"
FAULTS = {
    # The Well's rules
    "no dataset_name": (attribute("/", "dataset_name"), "'dataset_name' is missing"),
    "number as dataset_name": (attribute("/", "dataset_name", 3), "'dataset_name' must be a string"),
    "no grid_type": (attribute("/", "grid_type"), "'grid_type' is missing"),
    "no n_spatial_dims": (attribute("/", "n_spatial_dims"), "'n_spatial_dims' is missing"),
    "text as n_spatial_dims": (attribute("/", "n_spatial_dims", "2"), "must be a whole number"),
    "wrong n_spatial_dims": (attribute("/", "n_spatial_dims", 3), "'n_spatial_dims' says 3"),
    "no n_trajectories": (attribute("/", "n_trajectories"), "'n_trajectories' is missing"),
    "wrong n_trajectories": (attribute("/", "n_trajectories", 5), "expected \\(5, 12, 16, 16\\)"),
    "no simulation_parameters": (
        attribute("/", "simulation_parameters"),
        "'simulation_parameters' is missing",
    ),
    "text as simulation_parameters": (
        attribute("/", "simulation_parameters", "F"),
        "must be a list of strings",
    ),
    "parameter not at the root": (attribute("/", "k"), "'k' is listed .* not a root attribute"),
    "parameter not a scalar": (removed("scalars/k"), "'k' is listed .* not in /scalars"),
    "no dimensions": (removed("dimensions"), "group /dimensions is missing"),
    "no boundary_conditions": (removed("boundary_conditions"), "group /boundary_conditions is missing"),
    "no scalars": (removed("scalars"), "group /scalars is missing"),
    "no t0_fields": (removed("t0_fields"), "group /t0_fields is missing"),
    "no t1_fields": (removed("t1_fields"), "group /t1_fields is missing"),
    "no t2_fields": (removed("t2_fields"), "group /t2_fields is missing"),
    "no spatial_dims": (attribute("dimensions", "spatial_dims"), "'spatial_dims' of /dimensions is missing"),
    "text as spatial_dims": (attribute("dimensions", "spatial_dims", "xy"), "must be a list of strings"),
    "no time": (removed("dimensions/time"), "/dimensions/time is missing"),
    "no coordinate": (removed("dimensions/y"), "/dimensions/y is missing"),
    "constant time": (attribute("time", "time_varying", np.bool_(False)), "/dimensions/time must be true"),
    "time without flag": (
        attribute("time", "sample_varying"),
        "'sample_varying' of .*time must be true or false",
    ),
    "number as flag": (attribute("x", "time_varying", 0), "'time_varying' of .*x must be true or false"),
    "coordinate that varies": (attribute("x", "time_varying", np.bool_(True)), "does not fit its attributes"),
    "no field_names": (attribute("t0_fields", "field_names"), "'field_names' of /t0_fields is missing"),
    "no t2 field_names": (attribute("t2_fields", "field_names"), "'field_names' of /t2_fields is missing"),
    "no scalar field_names": (attribute("scalars", "field_names"), "'field_names' of /scalars is missing"),
    "field without dim_varying": (
        attribute(A, "dim_varying"),
        "'dim_varying' of /t0_fields/A must be a list",
    ),
    "too many dim_varying": (attribute(A, "dim_varying", np.ones(3, bool)), "must have 2 entries"),
    "constant axis": (attribute(A, "dim_varying", np.array([True, False])), "/t0_fields/A has shape"),
    "constant field": (attribute(A, "time_varying", np.bool_(False)), "/t0_fields/A has shape"),
    "missing field": (removed(A), "/t0_fields/A is listed in 'field_names' but missing"),
    "short field": (short_field, "/t0_fields/A has shape \\(3, 11, 16, 16\\), expected \\(3, 12, 16, 16\\)"),
    "varying scalar": (attribute("scalars/F", "sample_varying", np.bool_(True)), "/scalars/F has shape"),
    "no bc_type": (attribute(X, "bc_type"), "'bc_type' of .*x_periodic must be a string"),
    "unknown bc_type": (
        attribute(X, "bc_type", "NEUMANN"),
        "'NEUMANN', expected one of WALL, OPEN, PERIODIC",
    ),
    "no associated_dims": (attribute(X, "associated_dims"), "'associated_dims' of .* is missing"),
    "text as associated_dims": (
        attribute(X, "associated_dims", "x"),
        "'associated_dims' of .* must be a list",
    ),
    "no associated_fields": (attribute(X, "associated_fields"), "'associated_fields' of .* is missing"),
    "strange associated_dims": (
        attribute(X, "associated_dims", np.array(["z"], dtype=h5py.string_dtype())),
        "associated with 'z'",
    ),
    "boundary without flag": (attribute(X, "time_varying"), "'time_varying' of .*x_periodic"),
    "no mask": (removed(f"{X}/mask"), "has no mask"),
    "integer mask": (integer_mask, "expected \\(16,\\) of bool"),
    "open mask": (replaced(f"{X}/mask", np.zeros_like), "must be true at both ends"),
    # ours and xarray's
    "no schema": (attribute("/", "pdenca_schema"), "'pdenca_schema' is None"),
    "no equation": (attribute("/", "equation"), "'equation' is missing"),
    "no grid": (attribute("/", "grid"), "'grid' is missing"),
    "no frame_interval": (attribute("/", "frame_interval"), "'frame_interval' is missing"),
    **{
        f"no {name}": (attribute("/", name), f"{name!r} is missing")
        for name in (*PROVENANCE, "start_time_step")
    },
    "broken grid": (attribute("/", "grid", "{}"), "contradict the rest"),
    "other fields": (attribute("/", "field_names", '["A", "C"]'), "contradict the rest"),
    "no scale": (removed("sample"), "/sample is not a dimension scale"),
    "copied scale": (moved_scale, "must be the same dataset"),
    "detached scale": (detached_scale, "lacks the scales"),
    "double precision": (wider_field, "is float64, expected float32"),
    "stretched time": (replaced("time", lambda t: t * 2), "/time is not 0, 1, 2"),
    "late time": (replaced("time", lambda t: t + 10), "/time is not 0, 1, 2"),
    "shifted cells": (replaced("x", lambda x: x + 0.01), "/x does not hold the cell centres"),
    "other boundary": (attribute(X, "bc_type", "WALL"), "the grid says 'periodic'"),
    "other parameter at the root": (attribute("/", "k", 0.058), "0.058 at the root and 0.057"),
    "other scalar": (replaced("scalars/F", lambda f: f * 1.001), "the parameter 'F' is 0.029 at the root"),
    "other regime": (attribute("/", "regime", "spots"), "renamed or its attributes were changed"),
    "other split": (attribute("/", "split", "test"), "renamed or its attributes were changed"),
    "seeds repeated": (replaced("trajectories/seed", np.zeros_like), "two trajectories have the same seed"),
    "other activity": (
        replaced("trajectories/homogeneous_from_frame", lambda f: f + 3),
        "changed after writing",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_the_layout_is_found(maze, fault):
    plant, message = FAULTS[fault]
    with h5py.File(maze, "r+") as file:
        plant(file)
    found = errors(check(maze))
    assert found, fault
    assert all(item.file == maze for item in found)
    assert re.search(message, " | ".join(item.message for item in found)), found


def test_a_renamed_file_is_found(maze):
    other = maze.with_name("gray_scott_maze_F_0.03_k_0.057.hdf5")
    maze.rename(other)
    assert "renamed" in errors(check(other))[0].message


@pytest.mark.parametrize("size", [0.0, 0.3, 0.999])
def test_a_truncated_file_is_one_sentence(own_dataset, maze, size):
    content = maze.read_bytes()
    maze.write_bytes(content[: int(size * len(content))])
    with pytest.raises(FormatError, match="damaged") as caught:
        check(own_dataset)
    assert maze.name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_overwritten_structure_is_found(maze):
    content = bytearray(maze.read_bytes())
    content[600:2600] = bytes(2000)
    maze.write_bytes(content)
    with pytest.raises(FormatError, match="damaged"):
        check(maze)


def test_something_else_is_no_trajectory_file(tmp_path):
    (tmp_path / "notes.hdf5").write_text("not HDF5")
    with pytest.raises(FormatError, match="damaged or not a trajectory file"):
        check(tmp_path / "notes.hdf5")
    with pytest.raises(FormatError, match="does not exist"):
        check(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="holds no"):
        check(tmp_path / "empty")


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("99", "was written by a newer pdenca \\(schema 99, this version reads 1 and 2\\)"),
        ("0", "has the schema '0', this version reads 1 and 2"),
        ("draft", "has the schema 'draft'"),
    ],
)
def test_another_version_of_the_layout_is_one_sentence(maze, schema, message):
    with h5py.File(maze, "r+") as file:
        file.attrs["pdenca_schema"] = schema
    for read in (check, read_header):
        with pytest.raises(FormatError, match=message) as caught:
            read(maze)
        assert maze.name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_hdf5_of_another_layout_is_one_sentence(tmp_path):
    path = tmp_path / "tensor.hdf5"
    with h5py.File(path, "w") as file:
        file["tensor"] = np.zeros((1, 2, 3))
    with pytest.raises(FormatError, match="neither ours nor The Well's; usual cure: `pdenca convert`"):
        check(path)


def newer(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["pdenca_schema"] = "99"


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:600] + bytes(2000) + path.read_bytes()[2600:])


def foreign(path: Path) -> None:
    path.unlink()
    with h5py.File(path, "w") as file:
        file["numbers"] = np.zeros(3)


def text(path: Path) -> None:
    path.write_text("a,b\n1,2\n")


@pytest.mark.parametrize("accident", [newer, truncated, damaged, foreign, text])
def test_what_cannot_be_read_is_one_sentence_and_exit_code_2(maze, accident):
    from click.testing import CliRunner

    from pdenca.cli import cli

    accident(maze)
    for command in ("check", "info"):
        result = CliRunner().invoke(cli, [command, str(maze)], catch_exceptions=False)
        assert result.exit_code == 2, command
        assert result.stdout == ""
        assert str(maze) in result.stderr
        assert "usual cure" in result.stderr
        assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_planted_nan_is_found_where_it_is(maze, value):
    with h5py.File(maze, "r+") as file:
        file["t0_fields/B"][2, 7, 3, 4] = value
        file["t0_fields/B"][2, 9, 3, 4] = value
    found = [item for item in errors(check(maze)) if "finite" in item.message]
    assert [(item.field, item.trajectory, item.frame) for item in found] == [("B", 2, 7)]
    assert "2 values" in found[0].message


@pytest.mark.parametrize("frame", [6, 8, 11])
def test_a_scaled_frame_breaks_the_budget(maze, frame):
    with h5py.File(maze, "r+") as file:
        for name in ("A", "B"):
            file["t0_fields"][name][1, frame] *= 1.01
    found = [item for item in errors(check(maze)) if "too much" in item.message]
    assert [item.trajectory for item in found] == [1]
    assert found[0].frame in (frame - 1, frame)


@pytest.mark.parametrize("frame", [5, 7])
def test_swapped_frames_break_the_budget(maze, frame):
    with h5py.File(maze, "r+") as file:
        for name in ("A", "B"):
            data = file["t0_fields"][name]
            data[0, frame], data[0, frame + 1] = data[0, frame + 1], data[0, frame]
    found = [item for item in errors(check(maze)) if "too much" in item.message]
    assert [item.trajectory for item in found] == [0]


def test_other_parameters_break_the_budget(own_dataset, maze):
    """A file whose labels were all changed alike still betrays itself by its numbers."""
    with h5py.File(maze, "r+") as file:
        file.attrs["F"] = 0.031
        file["scalars/F"][...] = 0.031
        file.attrs["equation_constants"] = file.attrs["equation_constants"].replace("0.029", "0.031")
    other = maze.with_name("gray_scott_maze_F_0.031_k_0.057.hdf5")
    maze.rename(other)
    found = errors(check(other))
    assert len(found) == 3
    assert all("too much" in item.message for item in found)


def still(dataset: Path, values: float | None) -> Path:
    """Rewrite a file so that its second trajectory is homogeneous, or at rest, from frame 9 on."""
    path = dataset / "data" / "test" / "gray_scott_spots_F_0.03_k_0.062.hdf5"
    with TrajectoryFile(path) as file:
        data, header = file.read(), file.header
    data[1, 9:] = data[1, 9] if values is None else values
    names = ("dataset_name", "equation", "regime", "split", "fields", "grid", "frame_interval", "parameters")
    shared = {name: getattr(header, name) for name in (*names, "seeds", "provenance")}
    write_trajectories(path, TrajectorySet(data=data, **{**shared, "equation": "something else"}))
    return path


@pytest.mark.parametrize(("values", "word"), [(0.5, "dead"), (None, "stationary")])
def test_dead_and_stationary_trajectories_are_warnings_and_strict_makes_them_errors(
    own_dataset, values, word
):
    path = still(own_dataset, values)
    found = check(path)
    assert [(i.level, i.file, i.trajectory, i.frame) for i in found] == [("warning", path, 1, 9)]
    assert word in found[0].message
    assert str(found[0]).startswith(f"warning: {path}: trajectory 1, frame 9: {word}")
    assert [item.level for item in check(path, strict=True)] == ["error"]


def test_frames_too_far_apart_are_a_warning(own_dataset):
    """Two frames only, both in the first moments: nothing can be said about the budget."""
    recipe = GrayScottRecipe(
        num_cells=16,
        spacing=1 / 32,
        num_trajectories=1,
        num_frames=2,
        time_step=1.0,
        splits=("train",),
        regimes=("maze",),
    )
    out = own_dataset.parent / "short"
    generate(recipe, out)
    assert [(item.level, item.trajectory) for item in check(out)] == [("warning", 0)]
    assert "too far apart" in check(out)[0].message


def test_one_seed_in_two_files_is_found(own_dataset, maze):
    other = own_dataset / "data" / "test" / maze.name
    with h5py.File(maze) as source, h5py.File(other, "r+") as target:
        target["trajectories/seed"][1] = source["trajectories/seed"][2]
    found = errors(check(own_dataset))
    assert len(found) == 1
    assert "same seed" in found[0].message


def test_statistics_that_do_not_fit_are_found(own_dataset):
    path = own_dataset / "stats.yaml"
    text = path.read_text()
    line = next(item for item in text.splitlines() if item.startswith("  B:"))
    path.write_text(text.replace(line, "  B: 0.5", 1))
    found = errors(check(own_dataset))
    assert [(item.file, item.field) for item in found] == [(path, "B")]
    for folder in (own_dataset / "data").glob("ood_*"):
        shutil.rmtree(folder)  # they have no part in it
    path.write_text("mean: {A: 1.0}")
    assert "is not a table" in errors(check(own_dataset))[0].message
    path.unlink()
    assert "is missing" in errors(check(own_dataset))[0].message


def test_files_that_do_not_go_together_are_found(own_dataset):
    """The Well's loader wants one resolution per folder."""
    source = own_dataset / "data" / "ood_domain" / "gray_scott_maze_F_0.029_k_0.057.hdf5"
    target = own_dataset / "data" / "test" / source.name
    source.replace(target)
    with h5py.File(target, "r+") as file:
        file.attrs["split"] = "test"
    messages = [item.message for item in errors(check(own_dataset))]
    assert any("differ in grid" in message for message in messages)
    assert any("differ in num_frames" in message for message in messages)
