"""The equations on show: the table of the README and the gallery page, both made from ``EQUATIONS``."""

import inspect
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pdenca import plots
from pdenca.core import write_text
from pdenca.solvers import EQUATIONS, Equation, Preset

from .simulation import Simulation, run_simulation

TABLE_MARKS = ("<!-- equations: made by benchmarks/gallery.py -->", "<!-- end of equations -->")
"""Between these lines of a Markdown file :func:`put_table` writes."""


@dataclass(frozen=True)
class Shown:
    """One preset of the gallery.

    Arguments:
        equation: key of the equation.
        preset: name of the preset.
        values: the preset itself.
        picture: the pattern, (x, y); of a one-dimensional run (time, x).
        time: of the picture.
        field: which field is shown.
        method: what the solver used.
        seconds: wall time of the solver.
    """

    equation: str
    preset: str
    values: Preset
    picture: np.ndarray
    time: float
    field: str
    method: str
    seconds: float


def formula(equation: type[Equation]) -> str:
    """Return the equation as its docstring writes it: the first indented block."""
    lines = inspect.getdoc(equation)
    block: list[str] = []
    for line in (lines or "").splitlines():
        if line.startswith("    "):
            block.append(line)
        elif block and line.strip():
            break
    return textwrap.dedent("\n".join(block)).strip()


def summary(equation: type[Equation]) -> str:
    """Return the first sentence of an equation's docstring, without its full stop."""
    return (inspect.getdoc(equation) or "").split("\n\n")[0].replace("\n", " ").rstrip(".")


def equation_table() -> str:
    """Return the equations as a Markdown table: name, what it is, fields, presets."""
    rows = ["| equation | what it is | fields | presets |", "|---|---|---|---|"]
    for name, equation in EQUATIONS.items():
        fields = ", ".join(field.name for field in equation.fields)
        rows.append(table_row((f"`{name}`", summary(equation), fields, ", ".join(equation.presets))))
    return "\n".join(rows)


def table_row(cells: Sequence[str]) -> str:
    """Return a row of a Markdown table; a bar inside a cell is escaped."""
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def put_table(text: str, table: str | None = None, marks: tuple[str, str] = TABLE_MARKS) -> str:
    """Return a Markdown text with the table between two marks made anew.

    Arguments:
        text: the whole text.
        table: the table; None: that of the equations.
        marks: lines before and after it.

    Raises:
        ValueError: if the marks are not there.
    """
    first, last = marks
    before, _, rest = text.partition(first)
    _, found, after = rest.partition(last)
    if not found:
        raise ValueError(f"expected the lines {first!r} and {last!r}")
    return f"{before}{first}\n\n{table or equation_table()}\n\n{last}{after}"


def show(equation: str, preset: str) -> Shown:
    """Solve one preset and keep the picture that the gallery shows.

    Of several fields the one whose pattern at the end is strongest, in units of its range over all times, is
    shown at the end; or, if the pattern fades, the last time it has half of its greatest contrast.
    """
    found = run_simulation(equation, preset)
    number = _most_telling(found)
    values = found.frames[:, number]
    if found.grid.num_dims == 3:
        values = values[..., found.grid.shape[2] // 2]
    contrast = values.reshape(len(values), -1).std(1)
    frame = int(np.flatnonzero(contrast >= contrast[1:].max() / 2)[-1])
    return Shown(
        equation=equation,
        preset=preset,
        values=found.preset,
        picture=values if found.grid.num_dims == 1 else values[frame],
        time=float(found.times[frame]),
        field=found.equation.fields[number].name,
        method=found.method,
        seconds=found.seconds,
    )


def write_gallery(page: Path, figures: Path, shown: Mapping[str, Sequence[Shown]], facts: str) -> None:
    """Write the gallery page and one picture per equation.

    Arguments:
        page: the Markdown file.
        figures: folder of the pictures.
        shown: key of the equation -> its presets.
        facts: a sentence on hardware and time.
    """
    parts = [
        "# Gallery",
        "Every equation with every one of its presets, from `EQUATIONS`. Each line below is a command: "
        "`pdenca simulate EQUATION --preset NAME --movie out.mp4` shows it moving.",
        facts,
    ]
    for name, presets in shown.items():
        picture = figures / f"{name}.png"
        figure = plots.contact_sheet({item.preset: item.picture for item in presets})
        plots.save(figure, picture, 110)
        equation = EQUATIONS[name]
        rows = ["| preset | pattern | values | box, time | solver |", "|---|---|---|---|---|"]
        rows += [_row(item) for item in presets]
        link = picture.relative_to(page.parent)
        parts += [
            f"## {name}",
            f"{summary(equation)}.",
            f"```\n{formula(equation)}\n```",
            f"![{name}: {', '.join(item.preset for item in presets)}]({link})",
            "\n".join(rows),
        ]
    write_text(page, "\n\n".join(parts) + "\n")


def _row(item: Shown) -> str:
    values = item.values
    constants = ", ".join(f"{key} = {_plain(value)}" for key, value in values.parameters.items())
    side = values.num_cells * values.spacing
    box = (
        f"side {side:g} ({values.num_cells} cells, {values.num_dims}-D, {values.boundary}), "
        f"t = {(values.num_frames - 1) * values.frame_interval:g}"
    )
    shown = f"{values.description}; {item.field} shown"
    cells = (item.preset, f"{shown} at t = {item.time:g}", constants, box, item.method)
    return table_row(cells)


def _plain(value: float | tuple[float, ...]) -> str:
    return (
        f"{value:g}" if isinstance(value, (int, float)) else f"({', '.join(f'{part:g}' for part in value)})"
    )


def _most_telling(found: Simulation) -> int:
    frames = found.frames
    spread = frames[-1].reshape(frames.shape[1], -1).std(1)
    return int(np.argmax(spread / (np.ptp(frames, axis=(0, *range(2, frames.ndim))) + 1e-300)))
