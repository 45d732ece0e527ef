"""What is in a file or a dataset, in a few lines."""

from collections.abc import Iterator
from pathlib import Path

from pdenca.core import BadInputError

from .format import read_header
from .header import Header, describe_time_steps
from .inactive import find_inactive
from .layout import data_files, is_dataset, splits_of
from .statistics import FILE_NAME as STATISTICS_NAME
from .statistics import read_stats


def info(path: Path | str) -> dict[str, str]:
    """Describe a file or a dataset's folder.

    Arguments:
        path: an HDF5 file, or a dataset's folder.

    Returns:
        Label -> text, in the order in which to show them.

    Raises:
        BadInputError: if the path is neither.
        FormatError: if a file is damaged.
    """
    path = Path(path)
    if path.is_file():
        return _file_info(path)
    if is_dataset(path):
        return _dataset_info(path)
    raise BadInputError(f"{path} is neither a file nor a dataset's folder; usual cure: check the path")


def _file_info(path: Path) -> dict[str, str]:
    header = read_header(path)
    dead, stationary = find_inactive([path])
    made = header.provenance
    lines = {
        "dataset": f"{header.dataset_name}, split {header.split}, regime {header.regime}",
        "equation": ", ".join([header.equation, *_parameters(header)]),
        "fields": ", ".join(f"{item.name} [{item.unit}]" for item in header.fields),
        "grid": _grid(header),
        "trajectories": f"{header.num_trajectories}, {_activity(len(dead), len(stationary))}",
        "frames": f"{header.num_frames}, {describe_times(header)}",
        "size": _size(path.stat().st_size),
    }
    if "initial_condition" in made:
        lines["start"] = f"{made['initial_condition']}, seed {made.get('seed')}"
    if "time_step" in made:
        lines["solver"] = (
            f"{made.get('solver')}, {describe_time_steps(made)}, {made.get('refine')} times finer, "
            f"{made.get('dtype')}"
        )
    elif "solver" in made:
        lines["solver"] = str(made["solver"])
    if "value_scaling" in made:
        lines["values"] = str(made["value_scaling"])
    if "not_read" in made:
        lines["not read"] = str(made["not_read"])
    if "converted_from" in made:
        lines["from"] = str(made["converted_from"])
    if "pdenca_version" in made:
        versions = [f"{name} {made.get(f'{name}_version')}" for name in ("pdenca", "torch", "numpy", "h5py")]
        lines["made with"] = ", ".join(versions)
    return lines


def describe_times(header: Header) -> str:
    """Return when the frames of a file were taken, e.g. ``every 2, t = 0 to 20``."""
    return f"{_how_often(header)}, t = 0 to {header.frame_times[-1]:g}{_unit(header, 'time_unit')}"


def describe_grid(header: Header) -> str:
    """Return how many cells of which size there are, e.g. ``64 x 64 cells of 0.65 um``."""
    spacing = ", ".join(f"{h:g}" for h in dict.fromkeys(header.grid.spacing))
    return f"{' x '.join(map(str, header.grid.shape))} cells of {spacing}{_unit(header, 'length_unit')}"


def _how_often(header: Header) -> str:
    interval = f"{header.frame_interval:g}{_unit(header, 'time_unit')}"
    if not header.times:
        return f"every {interval}"
    steps = header.regular_steps
    return f"at irregular times, {int(steps.sum())} of {len(steps)} steps of {interval}"


def _unit(header: Header, name: str) -> str:
    """Return a unit that the file tells, to be put after a number; empty if there is none."""
    unit = str(header.provenance.get(name, "1"))
    return "" if unit == "1" else f" {unit}"


def _parameters(header: Header) -> Iterator[str]:
    for name, value in header.parameters.items():
        yield f"{name} {value:g}"
    for name, values in header.varying_parameters.items():
        numbers, place = values[:], "in space" if values.ndim > 1 else "by trajectory"
        yield f"{name} {numbers.min():g} to {numbers.max():g} {place}"


def _dataset_info(path: Path) -> dict[str, str]:
    lines: dict[str, str] = {}
    total = 0
    for split in splits_of(path):
        files = data_files(path, split)
        headers = [read_header(file) for file in files]
        total += sum(file.stat().st_size for file in files)
        dead, stationary = find_inactive(files)
        first = headers[0]
        lines.setdefault("dataset", first.dataset_name)
        lines.setdefault("equation", first.equation)
        lines.setdefault("fields", ", ".join(first.channel_names))
        regimes = ", ".join(dict.fromkeys(header.regime for header in headers))
        count = sum(header.num_trajectories for header in headers)
        lines[split] = (
            f"{len(files)} files ({regimes}), {count} trajectories of {first.num_frames} frames "
            f"{_how_often(first)}, {_grid(first)}, {_activity(len(dead), len(stationary))}"
        )
    if (path / STATISTICS_NAME).exists():
        stats = read_stats(path)
        lines["mean"] = ", ".join(f"{name} {value}" for name, value in stats.mean.items())
        lines["std"] = ", ".join(f"{name} {value}" for name, value in stats.std.items())
    lines["size"] = _size(total)
    return lines


def _grid(header: Header) -> str:
    return f"{describe_grid(header)}, {', '.join(dict.fromkeys(header.grid.boundaries))}"


def _activity(num_dead: int, num_stationary: int) -> str:
    if not num_dead and not num_stationary:
        return "all alive"
    return f"{num_dead} dead, {num_stationary} stationary"


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes < 1e9 else f"{num_bytes / 1e9:.2f} GB"
