"""Mean, standard deviation and RMS of every field and of its change per frame: The Well's ``stats.yaml``."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
import yaml
from jaxtyping import Float
from torch import Tensor

from pdenca.core import BadInputError, FormatError, write_text

from .format import TrajectoryFile

FILE_NAME = "stats.yaml"

Value = float | list[float]


@dataclass(frozen=True)
class Statistics:
    """Pooled over all trajectories, frames and cells of the training split; population variance.

    A ``delta`` is the change from one stored frame to the next. Each attribute maps a field's name to a
    number, or for a vector field to one number per component.

    Arguments:
        mean: <u>.
        std: sqrt(<u²> - <u>²).
        rms: sqrt(<u²>).
        mean_delta: mean of the changes.
        std_delta: their standard deviation.
        rms_delta: their root mean square.
    """

    mean: dict[str, Value]
    std: dict[str, Value]
    rms: dict[str, Value]
    mean_delta: dict[str, Value]
    std_delta: dict[str, Value]
    rms_delta: dict[str, Value]

    def channel(self, key: str, field_names: Iterable[str]) -> Float[Tensor, " channel"]:
        """Return one statistic as a float32 tensor, one number per channel.

        Arguments:
            key: ``"mean"``, ``"std"``, ``"rms"``, ``"mean_delta"``, ``"std_delta"`` or ``"rms_delta"``.
            field_names: the fields in channel order; a vector gives all its components.

        Raises:
            BadInputError: for an unknown key or field.
        """
        if key not in STATISTICS:
            raise BadInputError(f"statistic {key!r} is unknown; expected one of {', '.join(STATISTICS)}")
        table: dict[str, Value] = getattr(self, key)
        values: list[float] = []
        for name in field_names:
            if name not in table:
                raise BadInputError(f"no statistics of a field {name!r}; expected one of {', '.join(table)}")
            value = table[name]
            values += value if isinstance(value, list) else [value]
        return torch.tensor(values, dtype=torch.float32)


STATISTICS = tuple(item.name for item in fields(Statistics))


class _Moments:
    """Count, mean and second central moment, merged pairwise so that no digits are lost (Chan 1979)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self.squares = 0.0

    def add(self, values: np.ndarray) -> None:
        count, mean = values.size, float(values.mean(dtype=np.float64))
        squares = float(((values - np.float64(mean)) ** 2).sum(dtype=np.float64))
        total = self.count + count
        shift = mean - self.mean
        self.squares += squares + shift**2 * self.count * count / total
        self.mean += shift * count / total
        self.count = total

    def summary(self) -> tuple[float, float, float]:
        variance = self.squares / self.count
        return self.mean, variance**0.5, (variance + self.mean**2) ** 0.5


def compute_statistics(paths: Iterable[Path | str]) -> Statistics:
    """Compute the statistics of some files in float64, one trajectory in memory at a time.

    Arguments:
        paths: the training files; all must have the same fields and at least two frames.

    Returns:
        The Well's six statistics (formulas of its ``compute_statistics.py``: moments of the pooled data).
        Changes are those within one frame interval; where frames are at irregular times, others do not count.

    Raises:
        BadInputError: without files, with different fields, or with single frames.
        FormatError: if a file is damaged.
    """
    values: list[_Moments] = []
    changes: list[_Moments] = []
    layout: list[tuple[str, int]] | None = None
    for path in paths:
        with TrajectoryFile(path) as file:
            num_dims = file.header.grid.num_dims
            own = [(item.name, num_dims if item.kind == "vector" else 1) for item in file.header.fields]
            if layout is None:
                layout = own
                values = [_Moments() for _ in range(file.header.num_channels)]
                changes = [_Moments() for _ in range(file.header.num_channels)]
            if own != layout:
                raise BadInputError(f"{path} has the fields {own}, the files before have {layout}")
            if file.header.num_frames < 2:
                raise BadInputError(f"{path} has one frame per trajectory; statistics of the change need two")
            steps = file.header.regular_steps if file.header.times else None
            if steps is not None and not steps.any():
                raise BadInputError(
                    f"{path} has no frame one frame interval ({file.header.frame_interval:g}) after another; "
                    "statistics of the change need some"
                )
            for trajectory in range(file.header.num_trajectories):
                data = file.read(trajectory)[0].astype(np.float64)
                for channel in range(data.shape[1]):
                    values[channel].add(data[:, channel])
                    change = np.diff(data[:, channel], axis=0)
                    changes[channel].add(change if steps is None else change[steps])
    if layout is None:
        raise BadInputError("statistics need at least one file; usual cure: generate the train split")
    tables = [*zip(*(moments.summary() for moments in values), strict=True)]
    tables += zip(*(moments.summary() for moments in changes), strict=True)
    return Statistics(*(_by_field(table, layout) for table in tables))


def _by_field(numbers: tuple[float, ...], layout: list[tuple[str, int]]) -> dict[str, Value]:
    result: dict[str, Value] = {}
    start = 0
    for name, width in layout:
        result[name] = numbers[start] if width == 1 else list(numbers[start : start + width])
        start += width
    return result


def write_statistics(path: Path | str, statistics: Statistics) -> None:
    """Write ``stats.yaml`` atomically, with the nine digits that make a float32 exact."""
    lines = []
    for key, table in asdict(statistics).items():
        lines.append(f"{key}:")
        for name, value in table.items():
            text = f"[{', '.join(map(_number, value))}]" if isinstance(value, list) else _number(value)
            lines.append(f"  {name}: {text}")
    write_text(path, "\n".join(lines) + "\n")


def _number(value: float) -> str:
    return f"{value:.8e}"


def read_stats(dataset: Path | str) -> Statistics:
    """Read the training statistics of a dataset.

    Arguments:
        dataset: the dataset's folder (or its ``stats.yaml``).

    Returns:
        The statistics.

    Raises:
        FormatError: if the file is missing or lacks one of The Well's six keys.
    """
    path = Path(dataset)
    path = path / FILE_NAME if path.is_dir() else path
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        tables = {
            key: {str(name): _value(value) for name, value in content[key].items()} for key in STATISTICS
        }
    except FileNotFoundError:
        raise FormatError(
            f"{path} is missing; usual cure: run `pdenca generate` to its end, it writes the statistics last"
        ) from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path} is not a table of {', '.join(STATISTICS)} ({error})") from error
    return Statistics(**tables)


def _value(value: object) -> Value:
    return [float(item) for item in value] if isinstance(value, list) else float(value)  # type: ignore[arg-type]
