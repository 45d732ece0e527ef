"""The Well's own loader reads what we write."""

import numpy as np
import pytest
import torch

from pdenca.datasets import load_split, read_stats

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
