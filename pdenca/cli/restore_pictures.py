"""`pdenca digits restore landscape` and `regrow`: what lies between ends, and what wounds do."""

from pathlib import Path

import click

from .digit_training import DATA, DATA_DIR, SAMPLE
from .door import examples
from .options import REQUIRED_PNG, RUN
from .progress import Progress


@click.command(
    "landscape",
    short_help="Draw the energy between three restored digits.",
    epilog=examples(
        "pdenca digits restore landscape runs/memory --png landscape.png",
        "pdenca digits restore landscape runs/memory --digits 0 1 2 --points 65 --png landscape.pdf",
    ),
)
@RUN
@DATA
@DATA_DIR
@SAMPLE
@click.option(
    "--digits",
    "chosen",
    type=click.IntRange(min=0),
    nargs=3,
    metavar="I J K",
    help="Three test digits, counted from 0; default: the first three of different classes.",
)
@click.option(
    "--points",
    type=click.IntRange(min=2),
    default=33,
    show_default=True,
    metavar="N",
    help="Along each axis of the plane.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=60,
    show_default=True,
    metavar="N",
    help="After so many rounds, each up to a correction by the gate, a path ends.",
)
@REQUIRED_PNG
def landscape_command(
    run: Path,
    data: str,
    data_dir: Path | None,
    sample: bool,
    chosen: tuple[int, int, int] | None,
    points: int,
    rounds: int,
    png: Path,
) -> None:
    """Draw over the plane through three ends how much a round of steps would change each state.

    This energy is no Lyapunov function, and a plane is one section of thousands of dimensions: paths run
    beside it, and how far is printed. Contour lines show how strongly the gate would correct each state.
    """
    from pdenca import plots
    from pdenca.datasets.digits.families import load_family
    from pdenca.tasks.digits.restoration import load_restorer
    from pdenca.tasks.digits.restoration.landscape import landscape, landscape_figure
    from pdenca.tasks.digits.restoration.pictures import cells_of

    model, settings = load_restorer(run)
    cells_of(model)  # a wrong RUN is told before anything is fetched
    digits = load_family(data, "test", data_dir, sample=sample)
    with Progress("landscape", "points") as bar:
        found = landscape(
            model,
            digits,
            settings.damage,
            chosen=chosen,
            num_points=points,
            num_rounds=rounds,
            progress=lambda done, total: bar.update(done, total),
        )
    plots.save(landscape_figure(found), png, 200)
    for line in found.describe():
        click.echo(line)
    click.echo(f"{png}: {png.stat().st_size / 1e3:.2g} kB")


@click.command(
    "regrow",
    short_help="Film how digits grow back after a wound.",
    epilog=examples(
        "pdenca digits restore regrow runs/memory --movie regrow.gif",
        "pdenca digits restore regrow runs/memory --wound 0.5 --steps 60 --digits 6 --movie regrow.mp4",
    ),
)
@RUN
@DATA
@DATA_DIR
@SAMPLE
@click.option(
    "--digits",
    "num_digits",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    metavar="N",
    help="The first N test digits.",
)
@click.option(
    "--wound",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.3,
    show_default=True,
    metavar="SHARE",
    help="Of the cells, zeroed after half of the steps.",
)
@click.option(
    "--steps", type=click.IntRange(min=1), metavar="N", help="How many; default: as many as in training."
)
@click.option(
    "--movie",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Ends in .mp4, .gif or .webp.",
)
def regrow_command(
    run: Path,
    data: str,
    data_dir: Path | None,
    sample: bool,
    num_digits: int,
    wound: float,
    steps: int | None,
    movie: Path,
) -> None:
    """Film the first test digits: damaged, read off after every step, wounded half-way, and then on.

    Cells that have just lost their state are grey in that frame.
    """
    from pdenca import plots
    from pdenca.datasets.digits.families import load_family
    from pdenca.tasks.digits.restoration import load_restorer
    from pdenca.tasks.digits.restoration.pictures import cells_of
    from pdenca.tasks.digits.restoration.regrowth import regrow, save_regrowth

    plots.movie_format(movie)
    model, settings = load_restorer(run)
    cells_of(model)
    digits = load_family(data, "test", data_dir, sample=sample)
    found = regrow(model, digits, settings.damage, num_digits, share=wound, num_steps=steps)
    save_regrowth(found, movie)
    click.echo(
        f"{movie}: {num_digits} digits, {found.film.shape[1] - 1} steps, wounded after step {found.wounded}, "
        f"{movie.stat().st_size / 1e3:.2g} kB"
    )
