"""stats.yaml against brute force."""

import numpy as np
import pytest
import torch
import yaml

from pdenca.core import BadInputError, Field, FormatError
from pdenca.datasets import (
    compute_statistics,
    data_files,
    load_split,
    read_stats,
    write_statistics,
    write_trajectories,
)


def test_the_statistics_of_a_dataset_are_those_of_the_pooled_training_data(dataset):
    data = [values.double().numpy() for _, values in load_split(dataset, "train")]
    stats = read_stats(dataset)
    for channel, name in enumerate(("A", "B")):
        pooled = np.concatenate([values[:, :, channel].ravel() for values in data])
        change = np.concatenate([np.diff(values[:, :, channel], axis=1).ravel() for values in data])
        for suffix, values in (("", pooled), ("_delta", change)):
            assert getattr(stats, "mean" + suffix)[name] == pytest.approx(values.mean(), rel=1e-7, abs=1e-9)
            assert getattr(stats, "std" + suffix)[name] == pytest.approx(values.std(), rel=1e-7)
            assert getattr(stats, "rms" + suffix)[name] == pytest.approx(
                np.sqrt((values**2).mean()), rel=1e-7
            )


def test_files_of_different_size_are_weighted(make_set, tmp_path):
    """The Well's formulas: mixture moments of the files, weighted by their number of values."""
    sets = [make_set(num_trajectories=3, num_frames=4), make_set(num_trajectories=1, num_frames=7)]
    sets[1].data[...] += 5
    for index, item in enumerate(sets):
        write_trajectories(tmp_path / f"{index}.hdf5", item)
    stats = compute_statistics(sorted(tmp_path.iterdir()))
    counts, means, variances = zip(
        *[
            (item.data[:, :, 0].size, item.data[:, :, 0].mean(dtype="f8"), item.data[:, :, 0].var(dtype="f8"))
            for item in sets
        ],
        strict=True,
    )
    weights = np.array(counts) / sum(counts)
    first = (weights * means).sum()
    second = (weights * (np.array(variances) + np.array(means) ** 2)).sum()
    assert stats.mean["A"] == pytest.approx(first, rel=1e-6)
    assert stats.std["A"] == pytest.approx(np.sqrt(second - first**2), rel=1e-6)
    assert stats.rms["A"] == pytest.approx(np.sqrt(second), rel=1e-6)


def test_a_large_mean_does_not_cost_digits(make_set, tmp_path):
    item = make_set(num_frames=6)
    item.data[...] = 4096 + np.round(item.data * 64) / 64
    write_trajectories(tmp_path / "a.hdf5", item)
    stats = compute_statistics([tmp_path / "a.hdf5"])
    assert stats.std["B"] == pytest.approx(item.data[:, :, 1].astype("f8").std(), rel=1e-12)


def test_vectors_have_one_number_per_component(make_set, tmp_path):
    item = make_set(fields=(Field("p"), Field("v", kind="vector")))
    write_trajectories(tmp_path / "a.hdf5", item)
    stats = compute_statistics([tmp_path / "a.hdf5"])
    write_statistics(tmp_path / "stats.yaml", stats)
    again = read_stats(tmp_path)
    assert again.mean["v"] == pytest.approx([item.data[:, :, 1].mean(), item.data[:, :, 2].mean()], rel=1e-5)
    torch.testing.assert_close(
        again.channel("std", ("p", "v")), torch.from_numpy(item.data.std((0, 1, 3, 4)))
    )


def test_what_is_written_is_yaml_with_the_keys_of_the_well(dataset):
    content = yaml.safe_load((dataset / "stats.yaml").read_text())
    assert set(content) == {"mean", "std", "rms", "mean_delta", "std_delta", "rms_delta"}
    assert all(isinstance(value, float) for table in content.values() for value in table.values())
    stats = read_stats(dataset)
    recomputed = compute_statistics(data_files(dataset, "train"))
    assert stats.channel("std", ("A", "B")).tolist() == recomputed.channel("std", ("A", "B")).tolist()


def test_bad_requests(dataset, make_set, tmp_path):
    stats = read_stats(dataset)
    with pytest.raises(BadInputError, match="statistic 'median' is unknown"):
        stats.channel("median", ("A",))
    with pytest.raises(BadInputError, match="no statistics of a field 'C'"):
        stats.channel("mean", ("C",))
    with pytest.raises(BadInputError, match="at least one file"):
        compute_statistics([])
    with pytest.raises(FormatError, match="is missing"):
        read_stats(tmp_path)
    write_trajectories(tmp_path / "a.hdf5", make_set(num_frames=1))
    with pytest.raises(BadInputError, match="one frame per trajectory"):
        compute_statistics([tmp_path / "a.hdf5"])
    write_trajectories(tmp_path / "a.hdf5", make_set())
    write_trajectories(tmp_path / "b.hdf5", make_set(fields=(Field("A"), Field("C"))))
    with pytest.raises(BadInputError, match="has the fields"):
        compute_statistics([tmp_path / "a.hdf5", tmp_path / "b.hdf5"])
