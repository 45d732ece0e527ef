"""`pdenca simulate`: a quick look at an equation."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from .door import (
    Assignment,
    BadArgument,
    KnownName,
    examples,
    find_modules_here,
    numbers,
    on_interrupt,
    plain_value,
)
from .options import PNG, PictureFile, seed_of
from .progress import Progress


def _methods() -> Iterable[str]:
    from pdenca.solvers import INTEGRATORS

    return ("auto", *INTEGRATORS)


def _list_equations(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    from pdenca.solvers import EQUATIONS

    for name, equation in EQUATIONS.items():
        click.echo(f"{name}: {', '.join(field.name for field in equation.fields)}")
        for preset, values in equation.presets.items():
            click.echo(f"    {preset}: {values.description}")
    context.exit()


@click.command(
    "simulate",
    short_help="Solve an equation for a quick look: picture, movie, file.",
    epilog=examples(
        "pdenca simulate gray-scott --png maze.png",
        "pdenca simulate gray-scott --preset spirals --set feed_rate=0.02 --movie spirals.mp4",
        "pdenca simulate fisher-kpp --dims 1 --kymograph front.png",
        "pdenca simulate my_module:MyEquation --preset mine -o mine.hdf5",
    ),
)
@click.argument("equation")
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_equations,
    help="Show all equations with their presets, and leave.",
)
@click.option("--preset", metavar="NAME", help="Where to begin from; default: the equation's first.")
@click.option(
    "--set",
    "assignments",
    type=Assignment(),
    multiple=True,
    help="A constant of the equation, e.g. feed_rate=0.03.",
)
@click.option(
    "--set-start",
    "start_assignments",
    type=Assignment(),
    multiple=True,
    help="An option of the initial state, e.g. amplitude=0.1.",
)
@click.option("--start", "initial_condition", metavar="NAME", help="Another family of initial states.")
@click.option("--grid", "num_cells", type=click.IntRange(min=4), metavar="N", help="Cells along each side.")
@click.option("--spacing", type=float, metavar="H", help="Size of a cell.")
@click.option("--dims", "num_dims", type=click.IntRange(1, 3), metavar="N", help="Axes of space.")
@click.option(
    "--boundary", metavar="NAME", help="Of every axis: periodic, no-flux, dirichlet, 'dirichlet(1, 0)'."
)
@click.option(
    "--frames", "num_frames", type=click.IntRange(min=2), metavar="N", help="Frames, the start included."
)
@click.option("--interval", "frame_interval", type=float, metavar="T", help="Time between frames.")
@click.option(
    "--method",
    type=KnownName("method", _methods),
    default="auto",
    show_default=True,
    metavar="NAME",
    help="auto picks method and time step and says which; or a method by name.",
)
@click.option("--time-step", type=float, metavar="DT", help="Of a method that is given by name.")
@click.option(
    "--tolerance", type=float, metavar="E", help="Wanted accuracy of auto and adaptive; default: 1e-4."
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Of the processor; more pay from about 512 x 512 cells.",
)
@seed_of("the initial state")
@PNG
@click.option("--movie", type=click.Path(path_type=Path), metavar="FILE", help="Ends in .mp4, .gif or .webp.")
@click.option("--kymograph", type=PictureFile(), metavar="FILE", help="The middle line over time.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="A .hdf5 file like a dataset's."
)
def simulate_command(
    equation: str,
    preset: str | None,
    assignments: tuple[tuple[str, str], ...],
    start_assignments: tuple[tuple[str, str], ...],
    method: str,
    time_step: float | None,
    tolerance: float | None,
    threads: int,
    seed: int,
    png: Path | None,
    movie: Path | None,
    kymograph: Path | None,
    output: Path | None,
    **values: Any,  # noqa: ANN401  # the rest of the flags
) -> None:
    """Solve EQUATION from one of its presets and show what happens, without a dataset.

    EQUATION is a name of `pdenca simulate --list`, or module:Class for one of your own. Without any of --png,
    --movie, --kymograph and -o a picture EQUATION.png is made.
    """
    import torch

    from pdenca.plots import movie_format
    from pdenca.tasks.simulation import CHOOSES_STEPS, run_simulation, starting_values

    if time_step is not None and method in CHOOSES_STEPS:
        raise BadArgument(f"--method {method} picks its own steps; --time-step goes with the other methods")
    if tolerance is not None and method not in CHOOSES_STEPS:
        raise BadArgument(f"--method {method} has fixed steps; --tolerance goes with auto and adaptive")
    if movie is not None:
        movie_format(movie)
    if output is not None and output.suffix not in (".hdf5", ".h5"):
        raise BadArgument(f"{output.name!r} ends in {output.suffix!r}; expected .hdf5 or .h5")
    if not (png or movie or kymograph or output):
        png = Path(f"{equation.rpartition(':')[2]}.png")
    constants = numbers(assignments)
    if ":" in equation:
        find_modules_here()
    torch.set_num_threads(threads)
    changes = {name: value for name, value in values.items() if value is not None}
    if time_step is not None:
        changes["time_step"] = time_step
    if start_assignments:
        changes["initial_options"] = {key: plain_value(text) for key, text in start_assignments}
    if movie is not None and starting_values(equation, preset, changes).num_dims == 1:
        raise BadArgument("a movie needs two axes of space, got one; usual cure: --kymograph, or --dims 2")
    with on_interrupt("nothing was written"), Progress("simulate") as bar:
        found = run_simulation(
            equation,
            preset,
            parameters=constants,
            changes=changes,
            method=method,
            tolerance=tolerance,
            seed=seed,
            progress=bar.update,
        )
    click.echo(found.describe())
    for path, make in (
        (png, found.draw),
        (movie, found.film),
        (kymograph, found.draw_kymograph),
        (output, found.write),
    ):
        if path is not None:
            make(path)
            click.echo(f"{path}: {path.stat().st_size / 1e6:.2g} MB")
