"""`pdenca rollout`: what a model predicts, as a file, picture or movie."""

from pathlib import Path
from typing import Any

import click

from .door import Assignment, BadArgument, examples, numbers, on_interrupt, plain_value
from .options import PNG, PictureFile
from .progress import Progress

ENDINGS = (".hdf5", ".h5", ".npz")
OF_DATA = ("split", "trajectory")
OF_MADE = (
    "num_cells",
    "spacing",
    "boundary",
    "seed",
    "assignments",
    "initial_condition",
    "start_assignments",
    "truth",
    "png",
    "movie",
    "kymograph",
)


@click.command(
    "rollout",
    short_help="Write the trajectory that a model predicts.",
    epilog=examples(
        "pdenca rollout runs/mlp --data data -o predicted.hdf5",
        "pdenca rollout runs/mlp --data data --split ood_domain --frames 200 -o predicted.npz",
        "pdenca rollout --pretrained gray-scott --regime maze --grid 256 --movie maze.mp4",
        "pdenca rollout --pretrained gray-scott --set feed_rate=0.02 --truth --png beside.png",
    ),
)
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option("--pretrained", metavar="NAME", help="A model that comes with pdenca, instead of RUN.")
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR", help="Start from this dataset.")
@click.option("--split", metavar="NAME", help="Start from this split of it; default: test.")
@click.option(
    "--regime",
    metavar="NAME",
    help="Start from this regime; default: the first. Without --data: a preset of the equation.",
)
@click.option(
    "--trajectory", type=click.IntRange(min=0), metavar="N", help="Start from this trajectory; default: 0."
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
    help="How many frames to predict; default: to the end of the stored trajectory, without --data 100.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .hdf5 file like those of a dataset, or a .npz file.",
)
@click.option("--grid", "num_cells", type=click.IntRange(min=8), metavar="N", help="Cells along each side.")
@click.option("--spacing", type=float, metavar="H", help="Size of a cell; default: that of the training.")
@click.option("--boundary", metavar="NAME", help="Of every axis: periodic or no-flux.")
@click.option("--seed", type=int, metavar="N", help="Of the initial state; default: 0.")
@click.option(
    "--set", "assignments", type=Assignment(), multiple=True, help="A parameter, e.g. feed_rate=0.03."
)
@click.option("--initial", "initial_condition", metavar="NAME", help="Another family of initial states.")
@click.option(
    "--set-start",
    "start_assignments",
    type=Assignment(),
    multiple=True,
    help="An option of the initial state.",
)
@click.option("--truth", is_flag=True, help="Solve the reference beside it and print the errors.")
@PNG
@click.option("--movie", type=click.Path(path_type=Path), metavar="FILE", help="Ends in .mp4, .gif or .webp.")
@click.option("--kymograph", type=PictureFile(), metavar="FILE", help="The middle line over time.")
def rollout_command(
    run: Path | None,
    pretrained: str | None,
    data: Path | None,
    output: Path | None,
    **values: Any,  # noqa: ANN401  # the rest of the flags
) -> None:
    """Predict a trajectory with the model of RUN, or one that comes with pdenca.

    With --data it starts from a stored trajectory. Without, it starts from an initial state of the equation
    that is made here, and the options from --grid on say which; without any of -o, --png, --movie and
    --kymograph a picture NAME.png is made.

    The file begins with the last given frame, at time 0, and goes on with the predicted ones. A .npz file
    holds the arrays `prediction`, `truth` (as many frames as there are), `time` and `fields`. A prediction
    that becomes infinite can only be written as .npz.
    """
    if (run is None) == (pretrained is None):
        raise BadArgument("expected either RUN or --pretrained NAME, and not both")
    if output is not None and output.suffix not in ENDINGS:
        raise BadArgument(f"{output.name!r} ends in {output.suffix!r}; expected {' or '.join(ENDINGS)}")
    misplaced = OF_DATA if data is None else OF_MADE
    for parameter in click.get_current_context().command.params:
        given = values.get(str(parameter.name))
        if parameter.name in misplaced and given is not None and given is not False and given != ():
            needs = "needs" if data is None else "does not go with"
            raise BadArgument(f"{parameter.opts[0]} {needs} --data")
    if data is None:
        _roll_out_freely(run, pretrained, output, values)
    else:
        _roll_out_from_data(run, pretrained, data, output, values)


def _roll_out_from_data(
    run: Path | None, pretrained: str | None, data: Path, output: Path | None, values: dict[str, Any]
) -> None:
    if output is None:
        raise BadArgument("a roll-out from --data is written to a file; expected -o FILE")
    from pdenca.tasks.figures import find_runs
    from pdenca.tasks.prediction import predict_trajectory
    from pdenca.tasks.pretrained import pretrained_folder

    with on_interrupt("nothing was written"), Progress("rollout") as bar:
        predicted = predict_trajectory(
            find_runs(run) if run is not None else (pretrained_folder(str(pretrained)),),
            data,
            values["split"] or "test",
            regime=values["regime"],
            trajectory=values["trajectory"] or 0,
            start=values["start"],
            num_frames=values["frames"],
            progress=bar.update,
        )
    if output.suffix == ".npz":
        predicted.write_npz(output)
    else:
        predicted.write_hdf5(output)
    click.echo(f"{output}: {predicted.description}")


def _roll_out_freely(
    run: Path | None, pretrained: str | None, output: Path | None, values: dict[str, Any]
) -> None:
    import torch

    from pdenca.plots import movie_format
    from pdenca.tasks.explanation import single_run
    from pdenca.tasks.free_rollout import DEFAULT_FRAMES, free_rollout
    from pdenca.tasks.models import load_run
    from pdenca.tasks.pretrained import load_pretrained

    png, movie, kymograph = values["png"], values["movie"], values["kymograph"]
    if movie is not None:
        movie_format(movie)
    parameters = numbers(values["assignments"])
    for key, value in parameters.items():
        if isinstance(value, list):
            raise BadArgument(f"--set {key}={value}: expected a number")
    names = ("num_cells", "spacing", "boundary", "initial_condition")
    changes = {name: values[name] for name in names if values[name] is not None}
    if values["start_assignments"]:
        changes["initial_options"] = {key: plain_value(text) for key, text in values["start_assignments"]}
    if pretrained is not None:
        emulator = load_pretrained(pretrained, torch.float32)
    else:
        assert run is not None, "checked above"
        emulator = load_run(single_run(run), torch.float32)
    if not (output or png or movie or kymograph):
        png = Path(f"{emulator.name}.png")
    with on_interrupt("nothing was written"), Progress("rollout") as bar:
        found = free_rollout(
            emulator,
            values["regime"],
            parameters={key: float(value) for key, value in parameters.items()},
            changes=changes,
            num_frames=values["frames"] or DEFAULT_FRAMES,
            start=values["start"],
            seed=values["seed"] or 0,
            truth=values["truth"],
            progress=bar.update,
        )
    for warning in found.warnings:
        click.echo(f"pdenca: warning: {warning}", err=True)
    click.echo(found.describe())
    write = found.write_npz if output is not None and output.suffix == ".npz" else found.write_hdf5
    for path, make in (
        (png, found.draw),
        (movie, found.film),
        (kymograph, found.draw_kymograph),
        (output, write),
    ):
        if path is not None:
            make(path)
            click.echo(f"{path}: {path.stat().st_size / 1e6:.2g} MB")
