"""A dataset whose files were damaged, exchanged or lost: what is told, what is moved, and that it goes on."""

import json
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest

from pdenca.core import BadInputError, FormatError, StorageError
from pdenca.datasets import (
    RECIPES,
    GrayScottRecipe,
    TrajectoryFile,
    check,
    generate,
    read_header,
    repair,
    stored_recipe,
)


@pytest.fixture(scope="module")
def small() -> GrayScottRecipe:
    return GrayScottRecipe(
        num_cells=8,
        spacing=1 / 16,
        num_trajectories=3,
        num_frames=4,
        time_step=2.0,
        num_start_frames=0,
        batch=1,
        regimes=("maze", "spots"),
        splits=("train", "test"),
        seed=3,
    )


@pytest.fixture(scope="module")
def whole(small, tmp_path_factory) -> Path:
    """Made without accident; do not change it."""
    return generate(small, tmp_path_factory.mktemp("small") / "whole", num_workers=1).out


@pytest.fixture
def own(whole, tmp_path) -> Path:
    """A copy to damage."""
    return shutil.copytree(whole, tmp_path / "own")


def maze(folder: Path, split: str = "train") -> Path:
    return folder / "data" / split / "gray_scott_maze_F_0.029_k_0.057.hdf5"


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_a_bit_of_the_numbers(path: Path) -> None:
    """The smallest damage there is: no reader notices it."""
    with TrajectoryFile(path) as file:
        before = file.read()
    with h5py.File(path) as raw:
        offset = raw["t0_fields/A"].id.get_chunk_info(1).byte_offset
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)
    with TrajectoryFile(path) as file:
        assert (file.read() != before).sum() == 1


def flip_bytes_of_the_structure(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8:200] = bytes(byte ^ 255 for byte in content[8:200])
    path.write_bytes(content)


def change_the_schema(path: Path) -> None:
    with h5py.File(path, "r+") as raw:
        raw.attrs["pdenca_schema"] = "99"


def other_settings(path: Path) -> None:
    with h5py.File(path, "r+") as raw:
        raw.attrs["settings"] = json.dumps({**json.loads(raw.attrs["settings"]), "seed": 4})


ACCIDENTS = {
    "truncated": (truncate, "damaged or not a trajectory file", FormatError),
    "empty": (empty, "damaged or not a trajectory file", FormatError),
    "flipped bit": (flip_a_bit_of_the_numbers, "its checksum differs", None),
    "flipped bytes": (flip_bytes_of_the_structure, "damaged or not a trajectory file", FormatError),
    "newer schema": (change_the_schema, "schema 99", FormatError),
    "other settings": (other_settings, "made with other settings", BadInputError),
}


@pytest.mark.parametrize("name", ACCIDENTS)
def test_a_bad_file_is_named_moved_aside_and_made_again(small, whole, own, name, assert_same):
    harm, told, refused = ACCIDENTS[name]
    path = maze(own)
    harm(path)
    before = contents(own)
    if refused is not None:  # a flipped bit only shows to who compares checksums
        with pytest.raises(refused) as caught:
            generate(small, own)
        assert str(path) in str(caught.value)
        assert contents(own) == before

    found = repair(own)
    (fault,) = found.faults
    assert fault.path == path
    assert told in fault.problem
    assert found.missing == (path,)
    assert (found.recipe_from, found.applied) == (None, False)
    assert contents(own) == before  # only told, nothing done

    assert repair(own, apply=True).faults == found.faults
    aside = own / "aside" / path.relative_to(own)
    assert fault.moved_to == aside
    assert contents(own) == {aside if item == path else item: data for item, data in before.items()}
    assert generate(small, own).num_solved == 3
    assert_same(whole, own)
    assert [item for item in check(own) if item.level == "error"] == []
    assert repair(own).faults == repair(own).missing == ()
    assert aside.exists()


def test_a_sound_dataset_needs_no_repair(own):
    before = contents(own)
    found = repair(own, apply=True)
    assert (found.faults, found.missing, found.recipe_from) == ((), (), None)
    assert contents(own) == before


def test_foreign_files_and_broken_statistics_are_moved(small, whole, own, assert_same):
    foreign = own / "data" / "train" / "holiday.hdf5"
    shutil.copy(maze(own), foreign)
    (own / "data" / "train" / "notes.txt").write_text("mine")
    (own / "stats.yaml").write_text("mean: [")
    found = repair(own, apply=True)
    assert [(fault.path, fault.problem.split(" ")[0]) for fault in found.faults] == [
        (foreign, "not"),
        (own / "stats.yaml", "is"),
    ]
    shutil.copy(maze(own), foreign)
    again = repair(own, apply=True)  # what is aside already is not overwritten
    assert again.faults[0].moved_to.name == "holiday.hdf5.1"
    assert generate(small, own).num_solved == 0
    assert_same(whole, own)
    assert (own / "data" / "train" / "notes.txt").read_text() == "mine"


def test_files_without_checksums_are_read_in_full(own):
    (own / "SHA256SUMS").unlink()
    assert repair(own).faults == ()
    with h5py.File(maze(own), "r+") as raw:
        raw["t0_fields/B"][2, 1, 3, 4] = np.nan
    (fault,) = repair(own).faults
    assert fault.problem == "trajectory 2 is not finite"


def test_checksums_are_those_of_the_files(whole):
    import hashlib

    lines = (whole / "SHA256SUMS").read_text().splitlines()
    assert len(lines) == 4
    for line in lines:
        digest, _, name = line.partition("  ")
        assert hashlib.sha256((whole / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("content", [None, b"{", b"\xff\xfe", b"[1]", b'{"dataset_nome": "gray_scott"}'])
def test_a_lost_recipe_is_restored_from_the_files(small, whole, own, content, assert_same):
    path = own / "recipe.json"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(FormatError, match=r"recipe.json"):
        stored_recipe(own)
    found = repair(own, apply=True)
    assert found.recipe_from == maze(own, "test")
    assert [fault.path for fault in found.faults] == ([] if content is None else [path])
    assert stored_recipe(own) == small
    assert generate(small, own).num_solved == 0
    assert_same(whole, own)


def test_a_folder_that_is_no_dataset(tmp_path):
    with pytest.raises(FormatError, match=r"holds no recipe.json.* no data file there tells the settings"):
        repair(tmp_path)
    with pytest.raises(BadInputError, match="is not a folder"):
        repair(tmp_path / "none")


def test_a_damaged_part_is_named_and_made_again(small, whole, tmp_path, assert_same):
    out = tmp_path / "out"

    def stop(done: int, total: int, message: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(small, out, stop, num_workers=1)
    first, second = sorted((out / "parts").rglob("*.npz"))
    truncate(first)
    content = bytearray(second.read_bytes())
    content[len(content) // 2] ^= 1
    second.write_bytes(content)
    with pytest.raises(FormatError, match=rf"{first.name} is damaged.*pdenca repair"):
        generate(small, out)
    found = repair(out, apply=True)
    assert [fault.path for fault in found.faults] == [first, second]
    assert len(found.missing) == 4
    assert generate(small, out).num_solved == 10
    assert_same(whole, out)


def test_a_folder_says_its_recipe(small, own, tmp_path):
    assert stored_recipe(own) == small
    assert stored_recipe(own, GrayScottRecipe) == small
    with pytest.raises(BadInputError, match="settings of another recipe than schnakenberg"):
        stored_recipe(own, RECIPES["schnakenberg"])
    with pytest.raises(FormatError, match="nothing was begun there"):
        stored_recipe(tmp_path / "none")


@contextmanager
def room_for(num_bytes: int) -> Iterator[None]:
    """Let no file grow beyond some size: what a full disk does, and without root rights."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("num_bytes", "file", "num_parts"),
    [(1000, "000000.npz", 0), (50_000, "gray_scott_maze", 3)],
    ids=["a part", "a file"],
)
def test_a_full_disk_costs_only_the_unfinished_file(
    small, whole, tmp_path, num_bytes, file, num_parts, assert_same
):
    out = tmp_path / "out"
    with (
        room_for(num_bytes),
        pytest.raises(StorageError, match=rf"{file}.* cannot be written .*run the same command again"),
    ):
        generate(small, out, num_workers=1)
    assert len(list((out / "parts").rglob("*.npz"))) == num_parts
    assert not [path for path in out.rglob("*") if path.suffix in (".partial", ".hdf5")]
    generate(small, out)
    assert_same(whole, out)


def test_a_full_disk_at_the_end_keeps_all_files(small, whole, own, assert_same):
    (own / "stats.yaml").unlink()
    with room_for(100), pytest.raises(StorageError, match=str(own)):
        generate(small, own)
    generate(small, own)
    assert_same(whole, own)
    assert read_header(maze(own)).seeds == read_header(maze(whole)).seeds
