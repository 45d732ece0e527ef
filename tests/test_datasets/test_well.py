"""The Well's own loader reads what we write."""

import h5py
import numpy as np
import pytest
import torch

from pdenca.core import Field
from pdenca.datasets import convert, load_split, read_header, read_stats, write_trajectories
from pdenca.datasets.card import write_metadata
from pdenca.solvers import Grid

pytestmark = pytest.mark.well
data = pytest.importorskip("the_well.data", reason="the-well is not installed; usual cure: the extra `well`")


def loader(dataset, split="train", **settings):
    from the_well.data.normalization import ZScoreNormalization

    values = {"n_steps_input": 4, "n_steps_output": 1, "use_normalization": True, **settings}
    return data.WellDataset(
        path=str(dataset), well_split_name=split, normalization_type=ZScoreNormalization, **values
    )


def test_every_window_of_a_split(dataset):
    windows = loader(dataset)
    assert len(windows) == 2 * 3 * (12 - 5 + 1)
    item = windows[9]
    assert item["input_fields"].shape == (4, 16, 16, 2)
    assert item["output_fields"].shape == (1, 16, 16, 2)
    assert item["constant_scalars"].tolist() == pytest.approx([0.029, 0.057])
    assert item["boundary_conditions"].tolist() == [[2, 2], [2, 2]]  # periodic at both ends of both axes
    assert item["space_grid"].shape == (16, 16, 2)
    np.testing.assert_allclose(item["space_grid"][:, 0, 0], (np.arange(16) + 0.5) / 32)
    assert item["input_time_grid"].tolist() == [0.0, 10.0, 20.0, 30.0]
    assert item["output_time_grid"].tolist() == [40.0]


def test_the_values_are_ours_normalised_by_our_statistics(dataset):
    item = loader(dataset)[9]  # second trajectory, frames 1 to 4
    stats = read_stats(dataset)
    ((_, values),) = load_split(dataset, "train", ["maze"])
    expected = (values[1, 1:5].movedim(1, -1) - stats.channel("mean", "AB")) / stats.channel("std", "AB")
    torch.testing.assert_close(item["input_fields"], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("split", ["valid", "ood_domain", "ood_params"])
def test_whole_trajectories(dataset, split):
    trajectories = loader(dataset, split, full_trajectory_mode=True, use_normalization=False)
    expected = [item for _, values in load_split(dataset, split) for item in values]
    assert len(trajectories) == len(expected)
    for index, values in enumerate(expected):
        item = trajectories[index]
        frames = torch.cat([item["input_fields"], item["output_fields"]])
        torch.testing.assert_close(frames, values.movedim(1, -1), rtol=0, atol=0)


def test_it_collates(dataset):
    batch = next(iter(torch.utils.data.DataLoader(loader(dataset), batch_size=5)))
    assert batch["input_fields"].shape == (5, 4, 16, 16, 2)
    assert torch.isfinite(batch["input_fields"]).all()


def test_its_description_fits_our_metadata(dataset):
    import yaml

    metadata = loader(dataset).metadata
    ours = yaml.safe_load((dataset / "gray_scott.yaml").read_text())
    for name in (
        "dataset_name",
        "n_spatial_dims",
        "constant_scalar_names",
        "field_names",
        "n_files",
        "grid_type",
    ):
        assert getattr(metadata, name) == ours[name], name
    assert tuple(metadata.spatial_resolution) == tuple(ours["spatial_resolution"])
    assert [*metadata.boundary_condition_types] == ours["boundary_condition_types"]
    assert [*metadata.n_trajectories_per_file] == ours["n_trajectories_per_file"]
    assert [*metadata.n_steps_per_trajectory] == ours["n_steps_per_trajectory"]


@pytest.mark.parametrize("num_dims", [1, 2, 3])
def test_walls_and_parameters_that_vary(make_set, tmp_path, num_dims):
    """Parameters by trajectory arrive as scalars, those in space as constant fields, held walls as walls."""
    shape = (4, 6, 5)[:num_dims]
    random = np.random.default_rng(0)
    given = make_set(
        shape=shape,
        fields=(Field("A"), Field("v", "m/s", "vector")),
        grid=Grid(shape, (0.5,) * num_dims, ("dirichlet(1, 0.5)", "periodic", "no-flux")[:num_dims]),
        parameters={"strength": 2.0},
        varying_parameters={
            "feed_rate": np.array([0.1, 0.2]),
            "diffusivity": random.random((1, *shape), dtype=np.float32),
            "forcing": random.random((2, *shape), dtype=np.float32),
        },
    )
    write_trajectories(tmp_path / "data" / "train" / "a.hdf5", given)
    windows = loader(tmp_path, use_normalization=False, n_steps_input=2)
    assert len(windows) == 2 * 3
    item = windows[4]  # second trajectory, frames 1 to 3
    frames = torch.cat([item["input_fields"], item["output_fields"]])
    torch.testing.assert_close(frames, torch.from_numpy(given.data[1, 1:4]).movedim(1, -1), rtol=0, atol=0)
    assert item["constant_scalars"].tolist() == pytest.approx([2.0, 0.2])
    fields = given.varying_parameters["diffusivity"][0], given.varying_parameters["forcing"][1]
    np.testing.assert_array_equal(item["constant_fields"], np.stack(fields, -1))
    assert item["boundary_conditions"].tolist() == [[0, 0], [2, 2], [0, 0]][:num_dims]


def test_what_was_converted_is_loaded(tmp_path):
    """PDEBench's file, by way of ours, in The Well's loader."""
    path = tmp_path / "1D_Burgers_Sols_Nu0.1.hdf5"
    values = np.random.default_rng(1).random((3, 6, 8), dtype=np.float32)
    with h5py.File(path, "w") as file:
        file["tensor"] = values
        file["x-coordinate"], file["t-coordinate"] = (np.arange(8) + 0.5) / 8, np.arange(7) * 0.01
        file.attrs["Nu"] = 0.1
    convert(path, tmp_path / "out", split="train")
    windows = loader(tmp_path / "out")
    assert len(windows) == 3 * 2
    stats = read_stats(tmp_path / "out")
    item = windows[3]
    expected = (torch.from_numpy(values[1, 1:5]) - stats.channel("mean", "u")) / stats.channel("std", "u")
    torch.testing.assert_close(item["input_fields"][..., 0], expected, rtol=1e-5, atol=1e-5)
    assert item["boundary_conditions"].tolist() == [[2, 2]]


def test_our_metadata_fit_walls_and_parameters_that_vary(make_set, tmp_path):
    import yaml

    path = tmp_path / "data" / "train" / "a.hdf5"
    given = make_set(
        boundary="dirichlet(0.5)",
        varying_parameters={"dose": np.array([0.1, 0.2]), "diffusivity": np.ones((1, 4, 6), np.float32)},
    )
    write_trajectories(path, given)
    write_metadata(tmp_path / "noise.yaml", [read_header(path)])
    ours = yaml.safe_load((tmp_path / "noise.yaml").read_text())
    metadata = loader(tmp_path, use_normalization=False).metadata
    for name in ("constant_scalar_names", "constant_field_names", "field_names"):
        assert getattr(metadata, name) == ours[name], name
    assert [*metadata.boundary_condition_types] == ours["boundary_condition_types"] == ["WALL"]
