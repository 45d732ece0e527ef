"""Every attribute that a file has is needed: without it, or with nonsense in it, the checker names it."""

import json

import h5py
import numpy as np
import pytest

from pdenca.core import Field
from pdenca.datasets import TrajectorySet, check, write_trajectories
from pdenca.datasets.format import PROVENANCE
from pdenca.datasets.own_rules import broken_own_rules
from pdenca.datasets.rules import broken_well_rules
from pdenca.solvers import Grid

INTERNAL = {"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST"}
"""What HDF5 writes to know its scales; the checker asks HDF5 itself."""


def full_set() -> TrajectorySet:
    """Return all that the layout has: kinds of fields, parameters and boundaries, provenance."""
    random = np.random.default_rng(0)
    shape = (4, 3)
    words = {name: "words" for name in PROVENANCE}
    numbers = {"time_step": 0.5, "dealiasing": 1.0, "refine": 2, "seed": 3}
    texts = {"equation_constants": json.dumps({"feed_rate": 0.03}), "settings": "{}"}
    return TrajectorySet(
        dataset_name="all",
        equation="gray-scott",
        regime="every",
        split="train",
        fields=(Field("A"), Field("v", "m/s", "vector")),
        grid=Grid(shape, (0.5, 0.25), ("dirichlet(1, 0.5)", "periodic")),
        frame_interval=2.5,
        parameters={"feed_rate": 0.03},
        varying_parameters={
            "kill_rate": np.array([0.1, 1 / 3]),
            "diffusivity": random.random((1, *shape), dtype=np.float32),
            "forcing": random.random((2, *shape), dtype=np.float32),
        },
        data=random.random((2, 6, 3, *shape), dtype=np.float32),
        seeds=(1, 2),
        provenance={**words, **numbers, **texts, "num_start_frames": 1, "start_time_step": 0.25},
    )


def attributes_of(path) -> list[tuple[str, str]]:
    """Return (object, attribute) of everything in a file."""
    found = []
    with h5py.File(path) as file:
        places = ["/"]
        file.visit(lambda name: places.append(f"/{name}"))
        for place in places:
            found += [(place, name) for name in file[place].attrs if name not in INTERNAL]
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "whole.hdf5"
    write_trajectories(path, full_set())
    return path


@pytest.fixture(scope="module")
def attributes(whole) -> list[tuple[str, str]]:
    found = attributes_of(whole)
    assert len(found) > 100, "the file has everything"
    return found


def complaints(path) -> list[str]:
    with h5py.File(path) as file:
        return [*broken_well_rules(file)] or [*broken_own_rules(file, path)]


def names_it(message: str, place: str, name: str) -> bool:
    return repr(name) in message and (place == "/" or place.rsplit("/", 1)[-1] in message)


def nonsense(value: object) -> object:
    """Return something of another type."""
    return 7 if isinstance(value, str | np.bool_) or np.ndim(value) else "nonsense"


def test_the_file_itself_is_sound(whole):
    assert complaints(whole) == []
    assert [item for item in check(whole) if item.level == "error"] == []


@pytest.mark.parametrize(
    "fault",
    ["removed", *(pytest.param(name, marks=pytest.mark.slow) for name in ("nonsense", "empty"))],
)
def test_the_checker_names_every_attribute_that_is_broken(whole, attributes, tmp_path, fault):
    path = tmp_path / "broken.hdf5"
    content = whole.read_bytes()
    missed = []
    for place, name in attributes:
        path.write_bytes(content)
        with h5py.File(path, "r+") as file:
            value = file[place].attrs[name]
            if fault == "empty" and not isinstance(value, str):
                continue
            del file[place].attrs[name]
            if fault != "removed":
                file[place].attrs[name] = "" if fault == "empty" else nonsense(value)
        found = complaints(path)
        if not any(names_it(message, place, name) for message in found):
            missed.append((place, name, found))
        path.unlink()
    assert missed == []
