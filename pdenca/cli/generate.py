"""`pdenca generate`: from a recipe to a dataset."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from .door import Assignment, KnownName, Names, examples, on_interrupt, plain_value
from .progress import Progress


def _recipes() -> Iterable[str]:
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
    ),
)
@click.argument("recipe", type=KnownName("recipe", _recipes))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder of the dataset."
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
    help="Gray-Scott: gliders, bubbles, maze, worms, spirals, spots.",
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
    "--set",
    "assignments",
    type=Assignment(),
    multiple=True,
    help="Any other setting of the recipe, e.g. num_test_trajectories=4.",
)
def generate_command(
    recipe: str,
    out: Path,
    compression: str,
    assignments: tuple[tuple[str, str], ...],
    **settings: Any,  # noqa: ANN401  # the rest of the flags
) -> None:
    """Make the dataset of RECIPE (gray-scott), or finish one that was begun.

    The trajectories are HDF5 files that The Well's loader and xarray read. Run the same command again after
    an interruption: what is finished is kept, and the result is the same bit for bit.
    """
    from pdenca.datasets import RECIPES, generate

    values: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    values |= {key: plain_value(text) for key, text in assignments}
    chosen = RECIPES[recipe].parse(values)
    with on_interrupt("run the same command again to go on where it stopped"), Progress("generate") as bar:
        summary = generate(
            chosen, out, progress=bar.update, compression="gzip" if compression == "gzip" else None
        )
    kept = summary.num_trajectories - summary.num_solved
    already = f", {kept} of them already there" if kept else ""
    click.echo(
        f"{out}: {summary.num_trajectories} trajectories in {len(summary.files)} files{already}, "
        f"{summary.seconds:.1f} s"
    )
    for what, found in (("dead", summary.dead), ("stationary", summary.stationary)):
        if found:
            click.echo(f"{len(found)} trajectories become {what}; {out / 'README.md'} names them")
