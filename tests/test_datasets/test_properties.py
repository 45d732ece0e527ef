"""Properties over random files: what is written is read, what is written obeys, windows are exactly all."""

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import torch

from pdenca.core import Field
from pdenca.datasets import (
    TrajectoryFile,
    TrajectorySet,
    Windows,
    convert,
    open_xarray,
    read_header,
    write_trajectories,
)
from pdenca.datasets.format.schema import RESERVED
from pdenca.datasets.own_rules import ROOT, broken_own_rules
from pdenca.datasets.rules import broken_well_rules
from pdenca.solvers import Grid

TAKEN = {*RESERVED, *ROOT, "n_spatial_dims", "n_trajectories", "simulation_parameters", "pdenca_schema"}
TAKEN |= {"F", "k", "path", "shape", "parameters", "seeds", "provenance", "num_frames", "fields"}
TAKEN |= {"remark", "dose", "tries"}

floats32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
numbers = st.floats(-1e30, 1e30, allow_nan=False).filter(lambda value: value == 0 or abs(value) > 1e-30)
words = st.from_regex(r"[A-Za-zα-ωé_][A-Za-zα-ωé_0-9 ]{0,6}[A-Za-z0-9]", fullmatch=True).filter(
    lambda name: name not in TAKEN and not name.startswith("num_")
)


def walls(channels: int) -> st.SearchStrategy[str]:
    """Return boundaries that fit so many channels."""
    held = st.lists(numbers, min_size=1, max_size=min(2, channels))
    names = held.map(lambda values: f"dirichlet({', '.join(map(repr, values))})")
    return st.one_of(st.sampled_from(["periodic", "no-flux", "dirichlet"]), names)


@st.composite
def drafts(draw: st.DrawFn) -> dict[str, Any]:
    """Draw trajectories of any size, with any kind of field, boundary and parameter, as plain values.

    The checks of pdenca's own classes draw random numbers, which Hypothesis does not allow in here.
    """
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    count, frames = draw(st.integers(1, 3)), draw(st.integers(1, 9))
    names = draw(st.lists(words, min_size=2, max_size=7, unique=True))
    num_fields = draw(st.integers(1, len(names) - 1))
    kinds = st.sampled_from(["scalar", "pseudoscalar", "vector"])
    units = st.sampled_from(["1", "m/s", "K", "µm²"])
    fields = [(name, draw(units), draw(kinds)) for name in names[:num_fields]]
    channels = sum(len(shape) if kind == "vector" else 1 for _, _, kind in fields)
    parameters: dict[str, float] = {}
    varying: dict[str, np.ndarray] = {}
    for name in names[num_fields:]:
        kind = draw(st.sampled_from(["number", "trajectory", "shared", "space"]))
        if kind == "number":
            parameters[name] = draw(numbers)
        elif kind == "trajectory":
            varying[name] = draw(hnp.arrays(np.float64, (count,), elements=numbers))
        else:
            rows = 1 if kind == "shared" else count
            varying[name] = draw(hnp.arrays(np.float32, (rows, *shape), elements=floats32))
    texts = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=8)
    return {
        "dataset_name": draw(words),
        "equation": draw(st.sampled_from(["none", "unknown", "emulated gray-scott"])),
        "regime": draw(words),
        "split": draw(words),
        "fields": fields,
        "grid": (shape, [draw(st.floats(1e-3, 1e3)) for _ in shape], [draw(walls(channels)) for _ in shape]),
        "frame_interval": draw(st.floats(1e-3, 1e3)),
        "parameters": parameters,
        "varying_parameters": varying,
        "data": draw(hnp.arrays(np.float32, (count, frames, channels, *shape), elements=floats32)),
        "seeds": draw(st.sampled_from([(), tuple(range(count)), tuple(2**62 + i for i in range(count))])),
        "provenance": {"remark": draw(texts), "dose": draw(numbers), "tries": draw(st.integers(-9, 2**40))},
    }


def built(draft: dict[str, Any]) -> TrajectorySet:
    """Build the trajectories of a draft."""
    shape, spacing, names = draft["grid"]
    fields = tuple(Field(name, unit, kind) for name, unit, kind in draft["fields"])
    return TrajectorySet(**{**draft, "fields": fields, "grid": Grid(shape, tuple(spacing), tuple(names))})


@hypothesis.given(draft=drafts(), compression=st.sampled_from([None, "gzip"]))
@hypothesis.settings(max_examples=25, suppress_health_check=[hypothesis.HealthCheck.too_slow])
def test_what_is_written_is_read_and_obeys_every_rule(draft, compression):
    given = built(draft)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.hdf5"
        write_trajectories(path, given, compression)
        with TrajectoryFile(path) as file:
            header = file.header
            np.testing.assert_array_equal(file.read(), given.data)
            for name, values in given.varying_parameters.items():
                np.testing.assert_array_equal(header.varying_parameters[name][:], values)
            last = file.parameters(-1)
        with h5py.File(path) as raw:
            assert [*broken_well_rules(raw)] == []
            assert [*broken_own_rules(raw, path)] == []
        expected = given.header
        for name in ("dataset_name", "equation", "regime", "split", "fields", "grid", "frame_interval"):
            assert getattr(header, name) == getattr(expected, name)
        for name in ("parameters", "seeds", "provenance", "shape"):
            assert getattr(header, name) == getattr(expected, name)
        assert {*header.varying_parameters} == {*given.varying_parameters}
        contexts = header.context(header.num_trajectories), expected.context(header.num_trajectories)
        assert {*contexts[0]} == {*contexts[1]} == {*last}
        for name, values in contexts[0].items():
            torch.testing.assert_close(values, contexts[1][name], rtol=0, atol=0)
            torch.testing.assert_close(last[name], values[-1], rtol=0, atol=0)


@hypothesis.given(draft=drafts())
@hypothesis.settings(max_examples=10, suppress_health_check=[hypothesis.HealthCheck.too_slow])
def test_a_copy_says_the_same_and_a_dataset_has_its_numbers(draft):
    given = built(draft)
    with tempfile.TemporaryDirectory() as folder:
        path, copy = Path(folder) / "file.hdf5", Path(folder) / "copy.hdf5"
        write_trajectories(path, given)
        convert(path, copy)
        with TrajectoryFile(path) as before, TrajectoryFile(copy) as after:
            assert replace(after.header, path=path) == before.header
            np.testing.assert_array_equal(after.read(), before.read())
        with open_xarray(path) as data:
            for item, channel in zip(given.header.fields, _first_channels(given), strict=True):
                values = data[item.name].values
                values = values[..., 0] if item.kind == "vector" else values
                np.testing.assert_array_equal(values, given.data[:, :, channel])


def _first_channels(given: TrajectorySet) -> list[int]:
    widths = [len(given.grid.shape) if item.kind == "vector" else 1 for item in given.fields]
    return [sum(widths[:index]) for index in range(len(widths))]


@hypothesis.given(
    files=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9)), min_size=1, max_size=3),
    num_frames=st.integers(1, 9),
    stride=st.integers(1, 4),
)
@hypothesis.settings(max_examples=25)
def test_windows_are_every_admissible_start_exactly_once(files, num_frames, stride):
    """Each frame's value tells file, trajectory and time, so that a window across an end would show."""
    hypothesis.assume(all(frames >= num_frames for _, frames in files))
    with tempfile.TemporaryDirectory() as folder:
        for index, (count, frames) in enumerate(files):
            codes = 1000 * index + 100 * np.arange(count)[:, None] + np.arange(frames)
            item = TrajectorySet(
                dataset_name="codes",
                equation="none",
                regime="none",
                split="train",
                fields=(Field("A"),),
                grid=Grid.uniform((2,), 1.0),
                frame_interval=1.0,
                parameters={},
                varying_parameters={"trajectory": 1000.0 * index + 100 * np.arange(count)},
                data=np.broadcast_to(codes[:, :, None, None], (count, frames, 1, 2)).astype(np.float32),
            )
            write_trajectories(Path(folder) / f"{index}.hdf5", item)
        windows = Windows(folder, num_frames, stride)
        seen: Counter[tuple[int, int, int]] = Counter()
        for index in range(len(windows)):
            frames, told = windows[index]
            number, trajectory, start = windows.locate(index)
            first = 1000 * number + 100 * trajectory + start
            assert frames[:, 0, 0].tolist() == [first + step for step in range(num_frames)]
            assert told["trajectory"].item() == first - start
            seen[number, trajectory, start] += 1
        windows.close()
        assert read_header(Path(folder) / "0.hdf5").num_trajectories == files[0][0]
    expected = [
        (index, trajectory, start)
        for index, (count, frames) in enumerate(files)
        for trajectory in range(count)
        for start in range(0, frames - num_frames + 1, stride)
    ]
    assert seen == Counter(expected)
