"""`pdenca rollout`: what a model predicts, as a file."""

from pathlib import Path

import click

from .door import BadArgument, examples, on_interrupt
from .progress import Progress

ENDINGS = (".hdf5", ".h5", ".npz")


@click.command(
    "rollout",
    short_help="Write the trajectory that a run predicts.",
    epilog=examples(
        "pdenca rollout runs/mlp --data data -o predicted.hdf5",
        "pdenca rollout runs/mlp --data data --split ood_domain --frames 200 -o predicted.npz",
    ),
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", required=True, type=click.Path(path_type=Path), metavar="DIR", help="The dataset.")
@click.option("--split", default="test", show_default=True, metavar="NAME", help="Start from this split.")
@click.option("--regime", metavar="NAME", help="Start from this regime; default: the first.")
@click.option(
    "--trajectory",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Start from this trajectory.",
)
@click.option(
    "--start",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    metavar="N",
    help="The last frame the model is given; frame 0 is the initial state.",
)
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many frames to predict; default: to the end of the stored trajectory.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .hdf5 file like those of a dataset, or a .npz file.",
)
def rollout_command(
    run: Path,
    data: Path,
    split: str,
    regime: str | None,
    trajectory: int,
    start: int,
    frames: int | None,
    output: Path,
) -> None:
    """Predict a trajectory with the model of RUN from a stored one.

    The file begins with the last given frame, at time 0, and goes on with the predicted ones. A .npz file
    holds the arrays `prediction`, `truth` (as many frames as are stored), `time` and `fields`. A prediction
    that becomes infinite can only be written as .npz.
    """
    if output.suffix not in ENDINGS:
        raise BadArgument(f"{output.name!r} ends in {output.suffix!r}; expected {' or '.join(ENDINGS)}")
    from pdenca.tasks.figures import find_runs
    from pdenca.tasks.prediction import predict_trajectory

    with on_interrupt("nothing was written"), Progress("rollout") as bar:
        predicted = predict_trajectory(
            find_runs(run),
            data,
            split,
            regime=regime,
            trajectory=trajectory,
            start=start,
            num_frames=frames,
            progress=bar.update,
        )
    if output.suffix == ".npz":
        predicted.write_npz(output)
    else:
        predicted.write_hdf5(output)
    click.echo(f"{output}: {predicted.description}")
