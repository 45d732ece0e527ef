"""`pdenca generate`: from a recipe to a dataset."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .door import (
    Assignment,
    BadArgument,
    KnownName,
    Names,
    examples,
    find_modules_here,
    on_interrupt,
    plain_value,
)
from .progress import Progress

if TYPE_CHECKING:
    from pdenca.datasets import Recipe


def recipe_names() -> Iterable[str]:
    """Return the names of all recipes."""
    from pdenca.datasets import RECIPES

    return RECIPES


def _splits() -> Iterable[str]:
    from pdenca.datasets import SPLITS

    return ("all", *SPLITS)


@click.command(
    "generate",
    short_help="Make a dataset, or finish one that was begun.",
    epilog=examples(
        "pdenca generate gray-scott --out data",
        "pdenca generate gray-scott --out data --regimes maze,spirals --splits all --trajectories 8",
        "pdenca generate gray-scott --out coarse --grid 32 --set spacing=0.03125 --set time_step=1",
        "pdenca generate --equation my_module:MyEquation --out mine",
        "pdenca generate --resume data",
        "pdenca generate gray-scott-well --out data --cluster tcp://host:8786",
    ),
)
@click.argument("recipe", required=False, type=KnownName("recipe", recipe_names))
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the dataset.")
@click.option(
    "--equation",
    metavar="NAME",
    help="Instead of RECIPE: any equation, by name or as module:Class (your own subclass of Equation).",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Finish the dataset in DIR with the settings stored there; needs no RECIPE.",
)
@click.option("--grid", "num_cells", type=int, metavar="N", help="Cells along each side of the stored grid.")
@click.option(
    "--trajectories", "num_trajectories", type=int, metavar="N", help="Training trajectories per regime."
)
@click.option(
    "--frames", "num_frames", type=int, metavar="N", help="Stored frames per trajectory, the first included."
)
@click.option("--seed", type=int, metavar="N", help="All trajectories' own seeds follow from it.")
@click.option(
    "--regimes",
    type=Names("regime"),
    metavar="A,B",
    help="Some of the recipe's; gray-scott has gliders, bubbles, maze, worms, spirals, spots.",
)
@click.option(
    "--splits",
    type=Names("split", _splits),
    metavar="A,B",
    help="train, valid, test, ood_ic, ood_domain, ood_domain_4x, ood_horizon, ood_params, ood_params_interp, "
    "ood_params_extrap, ood_resolution_fine, ood_resolution_coarse, ood_bc: what the recipe can make; or "
    "all of those.",
)
@click.option(
    "--refine", type=int, metavar="N", help="Solve on a grid this many times finer than the stored one."
)
@click.option(
    "--compression",
    type=KnownName("compression", lambda: ("none", "gzip")),
    default="none",
    show_default=True,
    metavar="NAME",
    help="none, or gzip: about 45 % smaller, some 15 times slower to read.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes that solve, one thread each; default: all cores, if it is worth it.",
)
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Solve on the workers of this dask.distributed scheduler, e.g. tcp://host:8786.",
)
@click.option(
    "--set",
    "assignments",
    type=Assignment(),
    multiple=True,
    help="Any other setting of the recipe, e.g. num_test_trajectories=4.",
)
def generate_command(
    recipe: str | None,
    out: Path | None,
    equation: str | None,
    resume: Path | None,
    compression: str,
    workers: int | None,
    cluster: str | None,
    assignments: tuple[tuple[str, str], ...],
    **settings: Any,  # noqa: ANN401  # the rest of the flags
) -> None:
    """Make the dataset of RECIPE, or finish one that was begun.

    \b
    RECIPE is one of
      gray-scott, gray-scott-well, gray-scott-well-original, gray-scott-founding,
      fitzhugh-nagumo, fitzhugh-nagumo-pdebench, brusselator, schnakenberg,
      gierer-meinhardt, swift-hohenberg, cahn-hilliard, allen-cahn,
      fisher-kpp, complex-ginzburg-landau, advection-diffusion,
      steady-schnakenberg, steady-gray-scott, steady-gray-scott-torus,
      equation (any of them, or your own: see --equation).

    The trajectories are HDF5 files that The Well's loader and xarray read.

    Run the same command again after an interruption: what is finished is kept, and the result is the same
    bit for bit, however many workers make it. Should a file be damaged, `pdenca repair` moves it aside.
    """
    from pdenca.datasets import generate

    values: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    values |= {key: plain_value(text) for key, text in assignments}
    chosen, folder = _choose(recipe, out, equation, resume, values)
    with (
        on_interrupt(f"run the same command again, or `pdenca generate --resume {folder}`, to go on"),
        Progress("generate", unit="trajectories") as bar,
    ):
        summary = generate(
            chosen,
            folder,
            progress=bar.update,
            compression="gzip" if compression == "gzip" else None,
            num_workers=workers,
            cluster=cluster,
        )
    kept = summary.num_trajectories - summary.num_solved
    already = f", {kept} of them already there" if kept else ""
    click.echo(
        f"{folder}: {summary.num_trajectories} trajectories in {len(summary.files)} files{already}, "
        f"{summary.seconds:.1f} s"
    )
    for what, found in (("dead", summary.dead), ("stationary", summary.stationary)):
        if found:
            click.echo(f"{len(found)} trajectories become {what}; {folder / 'README.md'} names them")


def _choose(
    name: str | None, out: Path | None, equation: str | None, resume: Path | None, values: dict[str, Any]
) -> tuple["Recipe", Path]:
    """Return the recipe and the folder that the flags mean."""
    from pdenca.datasets import RECIPES, stored_recipe

    if resume is not None or ":" in (equation or ""):
        find_modules_here()
    if resume is not None:
        if out is not None or equation is not None or values:
            raise BadArgument(
                "--resume takes all settings from the folder; usual cure: no --out, --equation or other "
                "settings beside it"
            )
        return stored_recipe(resume, RECIPES[name] if name is not None else None), resume
    if (name is None) == (equation is None):
        raise click.UsageError("expected one of RECIPE, --equation and --resume")
    if out is None:
        raise click.UsageError("missing option --out")
    if equation is None:
        assert name is not None, "one of them is given"
        return RECIPES[name].parse(values), out
    return RECIPES["equation"].parse({"equation_name": equation, **values}), out
