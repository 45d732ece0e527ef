"""`pdenca convert`: other people's files in our layout."""

from pathlib import Path

import click

from .door import BadArgument, examples, on_interrupt
from .progress import Progress


@click.command(
    "convert",
    short_help="Convert files of The Well or PDEBench.",
    epilog=examples(
        "pdenca convert 2D_diff-react_NA_NA.h5 --out data --split train --trajectories 0:900",
        "pdenca convert gray_scott_maze_F_0.029_k_0.057.hdf5 --out maze.hdf5 --equation gray-scott",
    ),
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR|FILE",
    help="A dataset's folder, or a .hdf5 file if there is one FILE.",
)
@click.option(
    "--boundary",
    metavar="NAME",
    help="What lies beyond the edges, which PDEBench's files do not say: periodic, no-flux, dirichlet(0).",
)
@click.option("--name", metavar="NAME", help="Name of the dataset; default: as in the file.")
@click.option("--equation", metavar="NAME", help="Name of the equation; default: as in the file.")
@click.option("--regime", metavar="NAME", help="Name of the parameter regime; default: as in the file.")
@click.option("--split", metavar="NAME", help="Split to put them into; default: as in the file.")
@click.option("--trajectories", metavar="START:STOP", help="Only these trajectories, e.g. 0:900.")
@click.option("--compression", type=click.Choice(["gzip"]), help="Smaller files that read slower.")
def convert_command(
    files: tuple[Path, ...],
    out: Path,
    boundary: str | None,
    name: str | None,
    equation: str | None,
    regime: str | None,
    split: str | None,
    trajectories: str | None,
    compression: str | None,
) -> None:
    """Write FILES of The Well, PDEBench or an older pdenca in pdenca's layout, which The Well reads too.

    What the layout has no place for is named. Statistics are made if the split is `train`.
    """
    from pdenca.datasets import convert

    with on_interrupt("files that were begun were not written"), Progress("convert", "trajectories") as bar:
        written = convert(
            files,
            out,
            boundary=boundary,
            dataset_name=name,
            equation=equation,
            regime=regime,
            split=split,
            trajectories=_slice(trajectories),
            compression="gzip" if compression else None,
            progress=bar.update,
        )
    for header in written:
        shape = " x ".join(map(str, header.grid.shape))
        click.echo(
            f"{header.path}: {header.num_trajectories} trajectories of {header.num_frames} frames, {shape} "
            f"cells, {', '.join(header.channel_names)}"
        )
        if "not_read" in header.provenance:
            click.echo(f"  not kept: {header.provenance['not_read']}")


def _slice(text: str | None) -> slice:
    if text is None:
        return slice(None)
    try:
        start, stop = (int(part) if part.strip() else None for part in text.split(":"))
    except ValueError:
        raise BadArgument(f"--trajectories is {text!r}; expected START:STOP, e.g. 0:900") from None
    return slice(start, stop)
