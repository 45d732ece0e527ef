"""Windows: how many, which, and nothing across the end of a trajectory."""

import copy
import pickle

import numpy as np
import pytest
import torch

from pdenca.core import BadInputError, Field, FormatError
from pdenca.datasets import Windows, data_files, load_split, splits_of, write_trajectories


@pytest.fixture
def numbered(make_set, tmp_path):
    """Two files whose values tell file, trajectory and frame: 100 file + 10 trajectory + frame."""
    for index, (trajectories, frames) in enumerate([(2, 7), (3, 5)]):
        item = make_set(
            num_trajectories=trajectories, num_frames=frames, parameters={"feed_rate": index + 0.5}
        )
        item.data[...] = (
            100 * index
            + 10 * np.arange(trajectories)[:, None, None, None, None]
            + np.arange(frames)[:, None, None, None]
        )
        write_trajectories(tmp_path / f"{index}.hdf5", item)
    return tmp_path


@pytest.mark.parametrize("num_frames", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_windows_are_exactly_those_that_fit(numbered, num_frames, stride):
    windows = Windows(numbered, num_frames, stride)
    expected = [
        (100 * index + 10 * trajectory + start, index + 0.5)
        for index, (trajectories, frames) in enumerate([(2, 7), (3, 5)])
        for trajectory in range(trajectories)
        for start in range(0, frames - num_frames + 1, stride)
    ]
    assert len(windows) == len(expected)
    for (frames, parameters), (first, feed_rate) in zip(
        [windows[i] for i in range(len(windows))], expected, strict=True
    ):
        assert frames.shape == (num_frames, 2, 4, 6)
        assert frames.dtype == torch.float32
        assert frames[:, 0, 0, 0].tolist() == [first + k for k in range(num_frames)]
        assert parameters["feed_rate"].item() == feed_rate
        assert parameters["feed_rate"].shape == ()
    windows.close()


def test_every_channel_and_cell_is_where_it_was(dataset):
    windows = Windows(dataset / "data" / "train", 4, regimes=["spots"])
    ((_, data),) = load_split(dataset, "train", ["spots"])
    assert len(windows) == 3 * (12 - 4 + 1)
    torch.testing.assert_close(windows[10][0], data[1, 1:5], rtol=0, atol=0)
    torch.testing.assert_close(windows[-1][0], data[2, 8:], rtol=0, atol=0)
    assert windows.locate(10) == (0, 1, 1)
    assert windows[0][1]["kill_rate"].item() == pytest.approx(0.062)
    windows.close()


def test_the_sequence_ends(numbered):
    windows = Windows(numbered, 5)
    assert len(windows) == 9
    for index in (9, -10):
        with pytest.raises(IndexError, match=f"window {index} does not exist"):
            windows[index]


@pytest.mark.parametrize("context", ["fork", "forkserver"])
def test_workers_open_their_own_files(numbered, fork_server, context):
    """Workers that inherit the parent's open files, and workers that get a pickled copy."""
    windows = Windows(numbered, 3)
    alone = [windows[index][0] for index in range(len(windows))]  # the parent's handles are open now
    loader = torch.utils.data.DataLoader(
        windows, batch_size=4, num_workers=1, multiprocessing_context=context
    )
    batches = list(loader)
    torch.testing.assert_close(torch.cat([frames for frames, _ in batches]), torch.stack(alone))
    assert batches[0][1]["feed_rate"].shape == (4,)
    windows.close()


def test_copies_do_not_share_files(numbered):
    windows = Windows(numbered, 3)
    first = windows[0][0]
    for other in (pickle.loads(pickle.dumps(windows)), copy.copy(windows)):
        torch.testing.assert_close(other[0][0], first)
        other.close()
    torch.testing.assert_close(windows[0][0], first)
    windows.close()


def test_bad_requests(numbered, make_set, dataset):
    with pytest.raises(BadInputError, match="has 5 frames per trajectory, windows need 6"):
        Windows(numbered, 6)
    with pytest.raises(BadInputError, match="at least 1"):
        Windows(numbered, 0)
    with pytest.raises(BadInputError, match="at least 1"):
        Windows(numbered, 2, stride=0)
    with pytest.raises(BadInputError, match="unknown regime mace; expected some of random"):
        Windows(numbered, 2, regimes=["mace"])
    with pytest.raises(BadInputError, match="differ in grid"):
        Windows([dataset / "data" / "train", dataset / "data" / "ood_domain"], 2)
    write_trajectories(numbered / "2.hdf5", make_set(fields=(Field("A"), Field("C"))))
    with pytest.raises(BadInputError, match="differ in fields"):
        Windows(numbered, 2)
    with pytest.raises(FormatError, match="does not exist"):
        Windows(numbered / "none", 2)


def test_loading_a_split(dataset, recipe):
    loaded = load_split(dataset, "ood_params")
    assert len(loaded) == 4
    for header, data in loaded:
        assert header.split == "ood_params"
        assert data.shape == header.shape == (2, 12, 2, 16, 16)
        assert data.dtype == torch.float32
    assert [header.regime for header, _ in load_split(dataset, "test", ["spots"])] == ["spots"]
    assert load_split(dataset, "ood_domain")[0][1].shape == (2, 5, 2, 32, 32)


def test_the_splits_of_a_folder(dataset, tmp_path):
    assert splits_of(dataset)[:3] == ("train", "valid", "test")
    assert set(splits_of(dataset)[3:]) == {
        "ood_ic",
        "ood_domain",
        "ood_domain_4x",
        "ood_horizon",
        "ood_params",
    }
    with pytest.raises(FormatError, match="is not a dataset"):
        splits_of(tmp_path)
    with pytest.raises(BadInputError, match="has no split 'trial'; expected one of train, valid"):
        data_files(dataset, "trial")
    with pytest.raises(BadInputError, match="has no regime mace; expected some of maze, spots"):
        load_split(dataset, "train", ["mace"])
