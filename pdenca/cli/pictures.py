"""`pdenca plot` and `pdenca report`: results to look at."""

from pathlib import Path

import click

from .door import KnownName, examples
from .options import PictureFile
from .progress import Progress

FIGURES = ("frames", "errors", "spectra", "kernels", "symmetry", "training")
_moved = click.option(
    "--data", type=click.Path(path_type=Path), metavar="DIR", help="The dataset, if it was moved since."
)


@click.command(
    "plot",
    short_help="Draw one figure of a run or an evaluation.",
    epilog=examples(
        "pdenca plot runs/mlp --figure errors --split ood_domain -o errors.pdf",
        "pdenca plot demo --figure frames --regime spirals --field A -o frames.png",
    ),
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--figure",
    required=True,
    type=KnownName("figure", lambda: FIGURES),
    metavar="NAME",
    help=f"{', '.join(FIGURES)}.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=PictureFile(),
    metavar="FILE",
    help="Ends in .png, .pdf or .svg.",
)
@click.option("--split", metavar="NAME", help="Which data; default: test.")
@click.option("--regime", metavar="NAME", help="Which regime; default: the first, or all in `errors`.")
@click.option("--field", metavar="NAME", help="Which field; default: the last.")
@click.option("--model", metavar="NAME", help="Show this model only; default: all, or the first of the runs.")
@click.option(
    "--dpi", type=click.IntRange(min=30), default=300, show_default=True, metavar="N", help="Dots per inch."
)
@_moved
def plot_command(
    run: Path,
    figure: str,
    output: Path,
    split: str | None,
    regime: str | None,
    field: str | None,
    model: str | None,
    dpi: int,
    data: Path | None,
) -> None:
    """Draw one figure of RUN: the folder of a run, of an evaluation or of a demo.

    All but `kernels` and `training` need an evaluated RUN (`pdenca evaluate`).
    """
    from pdenca.plots import save
    from pdenca.tasks.figures import Choice, Subject, draw

    save(draw(figure, Subject(run, data), Choice(split, regime, field, model)), output, dpi)
    click.echo(f"{output}: {figure}")


@click.command(
    "report",
    short_help="Write everything about a run on one page.",
    epilog=examples("pdenca report runs/mlp", "pdenca report demo"),
)
@click.argument("run", type=click.Path(path_type=Path))
@_moved
def report_command(run: Path, data: Path | None) -> None:
    """Write RUN/report.html: tables, figures, an animation, settings, and where the models lose.

    RUN is the folder of an evaluated run, of an evaluation or of a demo. The page needs no other file and
    loads nothing from anywhere.
    """
    from pdenca.tasks.report import write_report

    command = f"pdenca report {run}" + (f" --data {data}" if data is not None else "")
    with Progress("report") as bar:
        path = write_report(
            run,
            data=data,
            command=command,
            progress=lambda message, done, total: bar.update(done, total, message),
        )
    click.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
