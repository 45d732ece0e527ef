"""`pdenca import-images`: image time series as trajectories."""

import json
from pathlib import Path

import click

from .door import Names, examples, on_interrupt


@click.command(
    "import-images",
    short_help="Make trajectories of image time series.",
    epilog=examples(
        "pdenca import-images frames --out colony.hdf5 --interval 10min --spacing 0.65um",
        "pdenca import-images stack.tif --out cells.hdf5 --interval 2min --spacing 0.3um "
        "--channels nucleus,membrane",
        "pdenca import-images frames --out root.hdf5 --times times.csv --spacing 5um --mask tissue.png",
    ),
)
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR_OR_FILE...")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The file to make: .hdf5 or .h5.",
)
@click.option("--interval", metavar="T", help="Time between frames: 10min, 30s, 2h, or a plain number.")
@click.option(
    "--times",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="In place of --interval: a text file with a time on each line, or NAME,TIME.",
)
@click.option(
    "--spacing", required=True, metavar="L", help="Size of a pixel: 0.65um, or along x and y: 0.65um,0.7um."
)
@click.option(
    "--channels",
    type=Names("channel"),
    metavar="A,B",
    help="Names of the channels; default: intensity, or red,green,blue.",
)
@click.option(
    "--alpha/--no-alpha",
    default=None,
    help="Keep the alpha channel or not; default: unless it is the same everywhere.",
)
@click.option(
    "--mask",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="An image that is not 0 where there is tissue; it becomes a parameter that varies in space.",
)
@click.option(
    "--boundary",
    default="no-flux",
    show_default=True,
    metavar="NAME",
    help="What lies beyond the edges: periodic, no-flux, zeros, or dirichlet(0), which holds the edge at 0.",
)
@click.option(
    "--axes",
    metavar="LETTERS",
    help="What the axes of a TIFF are, if it tells wrongly: TYX, TCYX; T time, C channel, Y row, X column.",
)
@click.option("--name", metavar="NAME", help="Name of the dataset; default: that of the file or folder.")
@click.option("--compression", type=click.Choice(["gzip"]), help="Smaller files that read slower.")
def import_images_command(
    sources: tuple[Path, ...],
    out: Path,
    interval: str | None,
    times: Path | None,
    spacing: str,
    channels: tuple[str, ...] | None,
    alpha: bool | None,
    mask: Path | None,
    boundary: str,
    axes: str | None,
    name: str | None,
    compression: str | None,
) -> None:
    """Write folders of frames, TIFF stacks or GIFs as one file of trajectories.

    Files of a folder are frames in natural order, frame2 before frame10; numbers that are not there leave
    gaps in the times. A folder of folders or of stacks, or several DIR_OR_FILE, make several trajectories.
    Whole numbers are scaled by the range of their type to 0 to 1.
    """
    from pdenca.datasets import read_header
    from pdenca.datasets.images import import_images
    from pdenca.datasets.info import describe_grid, describe_times

    with on_interrupt("nothing was written"):
        path = import_images(
            sources[0] if len(sources) == 1 else sources,
            out,
            interval=interval,
            times=times,
            spacing=spacing.split(",") if "," in spacing else spacing,
            channels=channels,
            alpha=alpha,
            mask=mask,
            boundary=boundary,
            axes=axes,
            name=name,
            compression="gzip" if compression else None,
        )
    header = read_header(path)
    made, count = header.provenance, header.num_trajectories
    click.echo(
        f"{path}: {count} {'trajectory' if count == 1 else 'trajectories'} of {header.num_frames} frames, "
        f"{describe_times(header)}, {describe_grid(header)}, {', '.join(header.channel_names)}"
    )
    click.echo(f"  values: {made['value_scaling']}")
    if "missing_frames" in made:
        missing = [str(number) for number in json.loads(made["missing_frames"])]
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        click.echo(f"  missing: frames {', '.join(missing[:10])}{more}; the times have gaps there")
    if header.parameters_in_space:
        click.echo(f"  in space: {', '.join(header.parameters_in_space)}")
    if "not_read" in made:
        click.echo(f"  not read: {made['not_read']}")
