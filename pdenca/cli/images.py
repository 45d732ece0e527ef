"""`pdenca images`: rules that pass through a series of images and hold the last one."""

import json
from pathlib import Path

import click

from .door import BadArgument, KnownName, Names, examples, on_interrupt
from .options import AS_JSON, REQUIRED_PNG, RESUME, RUN, RUN_OUT, THREADS, seed_of, setting
from .progress import Progress, training_course
from .training import ADVICE, overrides_of, tell_trained, use_threads

FILE = click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
HOLD = click.option(
    "--hold",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    metavar="N",
    help="Steps for which the last frame is held.",
)
SEED = seed_of("firing and of damage")


def _drawings() -> list[str]:
    from pdenca.tasks.images import DRAWINGS

    return list(DRAWINGS)


@click.group(
    "images",
    short_help="Rules for series of images.",
    epilog=examples(
        "pdenca images draw pictures --out pictures.hdf5",
        "pdenca images train pictures.hdf5 --out runs/pictures",
        "pdenca images evaluate runs/pictures pictures.hdf5",
    ),
)
def images_command() -> None:
    """Rules that pass through the frames of a series at their times, hold the last one, and grow it back.

    FILE is a file of image series, as `pdenca import-images` writes it from pictures of your own.
    """


@images_command.command(
    "draw",
    short_help="Draw an example series.",
    epilog=examples(
        "pdenca images draw pictures --out pictures.hdf5",
        "pdenca images draw microscopy --frames 8 --cells 96 --seed 3 --out series.hdf5",
    ),
)
@click.argument(
    "name", type=KnownName("drawing", _drawings), metavar="[pictures|sprout|branching|microscopy]"
)
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="An HDF5 file.")
@click.option("--frames", "num_frames", type=click.IntRange(min=2), default=3, show_default=True, metavar="N")
@click.option(
    "--cells",
    "num_cells",
    type=click.IntRange(min=16),
    default=64,
    show_default=True,
    metavar="N",
    help="Along each side.",
)
@seed_of("the pattern; the first picture")
@click.option(
    "--boundary",
    default="zeros",
    show_default=True,
    metavar="B",
    help="What a cell at the edge sees beyond: zeros, periodic, no-flux or dirichlet(0).",
)
def draw_command(name: str, out: Path, num_frames: int, num_cells: int, seed: int, boundary: str) -> None:
    """Draw pictures that turn into each other, the same after a single cell (sprout), a branching pattern
    that grows, or the same with the noise and the drift of a microscope.

    With zeros, cells beyond the edge are 0 in all channels; dirichlet(0) holds the edge itself at 0, so that
    a cell sees the negative of its mirror image beyond.
    """
    from pdenca.tasks.images import draw_series

    draw_series(name, out, num_frames=num_frames, num_cells=num_cells, seed=seed, boundary=boundary)
    click.echo(f"{out}: {num_frames} frames of {num_cells} x {num_cells} cells")
    click.echo(f"next: pdenca images train {out} --out runs/{name}")


@images_command.command(
    "train",
    short_help="Train a rule on a series.",
    epilog=examples(
        "pdenca images train pictures.hdf5 --out runs/pictures",
        "pdenca images train series.hdf5 --model growth --set distance.name=spectral --out runs/series",
        "pdenca images train pictures.hdf5 --out runs/pictures --resume",
    ),
)
@FILE
@RUN_OUT
@click.option(
    "--model",
    default="pictures",
    show_default=True,
    metavar="NAME",
    help="pictures or growth; or a TOML file like theirs.",
)
@click.option("--seed", type=int, metavar="N", help="Of the rule, pool, noise, damage and firing.")
@setting("rule.fire_rate=1.0 or steps_per_interval=48")
@RESUME
@THREADS
def train_images_command(
    file: Path,
    out: Path,
    model: str,
    seed: int | None,
    assignments: tuple[tuple[str, str], ...],
    resume: bool,
    threads: int | None,
) -> None:
    """Train a rule on the frames of FILE, chosen by its roll-out from the first one.

    RUN becomes a folder with the settings, the course of the training (metrics.csv), the last and the best
    parameters (safetensors) and the environment.
    """
    from pdenca.tasks.images import load_image_experiment, read_series_file, train_images

    use_threads(threads)
    settings = load_image_experiment(model, overrides_of(assignments, seed))
    series = read_series_file(file)
    with on_interrupt(ADVICE), Progress("train") as bar:
        run = train_images(series, out, settings, resume=resume, progress=training_course(bar))
    tell_trained(run, "mean squared error on the way and held", f"pdenca images evaluate {run} {file}")


@images_command.command(
    "evaluate",
    short_help="Reach, hold and regrow: numbers.",
    epilog=examples(
        "pdenca images evaluate runs/pictures pictures.hdf5",
        "pdenca images evaluate runs/pictures pictures.hdf5 --damage erase,noise,paste,flip --share 0.4",
    ),
)
@RUN
@FILE
@HOLD
@click.option(
    "--damage",
    "damages",
    type=Names("damage"),
    default="erase",
    show_default=True,
    metavar="A,B",
    help="Of a disc: erase, noise, paste or flip.",
)
@click.option(
    "--share",
    type=click.FloatRange(0, 1),
    default=0.25,
    show_default=True,
    metavar="P",
    help="Of what is seen, that the disc holds at least.",
)
@click.option(
    "--trials",
    "num_trials",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    metavar="N",
    help="Places and times of each damage; 0: no damage.",
)
@click.option(
    "--regrow",
    "num_steps",
    type=click.IntRange(min=1),
    default=512,
    show_default=True,
    metavar="N",
    help="Steps after the damage.",
)
@click.option(
    "--prune",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    metavar="P",
    help="Without the smallest share P of its weights.",
)
@SEED
@AS_JSON
def evaluate_images_command(
    run: Path,
    file: Path,
    hold: int,
    damages: tuple[str, ...],
    share: float,
    num_trials: int,
    num_steps: int,
    prune: float,
    seed: int,
    as_json: bool,
) -> None:
    """Follow the best rule of RUN from the first frame of FILE, hold the last one, and damage it: in every
    trial anew, at another place and another time, drawn at random by the seed from all steps of the hold.

    Errors are mean squares over the smallest box around what is seen in the wanted frame.
    """
    import torch

    from pdenca.tasks.images import (
        DAMAGES,
        decades,
        follow,
        held_at,
        load_image_run,
        pruned,
        random_ages,
        read_series_file,
        regrow,
    )

    for name in damages:
        if name not in DAMAGES:
            raise BadArgument(f"there is no damage {name!r}; expected some of {', '.join(DAMAGES)}")
    series = read_series_file(file)
    model, settings = load_image_run(run, series)
    model = pruned(model, prune)
    with Progress("follow", "steps") as bar:
        course = follow(
            model,
            series,
            settings.steps_per_interval,
            hold=decades(hold),
            generator=torch.Generator().manual_seed(seed),
            progress=lambda done, total: bar.update(done, total),
        )
    ages = random_ages(hold, num_trials, seed)
    found = []
    if damages and num_trials:
        with Progress("hold", "steps") as bar:
            held = held_at(
                model,
                series,
                settings.steps_per_interval,
                ages,
                generator=torch.Generator().manual_seed(seed),
                progress=lambda done, total: bar.update(done, total),
            )
        for name in damages:
            with Progress(f"damage: {name}", "trials") as bar:
                found.append(
                    regrow(
                        model,
                        series,
                        held,
                        name,
                        share,
                        num_trials=num_trials,
                        steps=(num_steps,),
                        seed=seed,
                        progress=lambda done, total: bar.update(done, total),
                    )
                )
    if as_json:
        regrown = [item.to_dict() for item in found]
        told = {"course": course.to_dict(), "ages": ages, "regrowth": regrown}
        click.echo(json.dumps(told, indent=1))
        return
    click.echo("| steps | should show frame | error | over all cells |")
    click.echo("|---:|---:|---:|---:|")
    for line in zip(course.steps, course.wanted, course.errors, course.whole, strict=True):
        click.echo("| {} | {} | {:.3g} | {:.3g} |".format(*line))
    click.echo(f"largest error at any step from the last frame's time on: {course.peak:.3g}")
    if found:
        click.echo(f"damage {min(ages)} to {max(ages)} steps after the last frame's time")
        click.echo()
        click.echo(f"| damage of {100 * share:.3g} % | error before | right after | in the end | back |")
        click.echo("|---|---:|---:|---:|---:|")
    for item in found:
        numbers = item.to_dict()
        click.echo(
            f"| {item.damage} | {item.before:.3g} | {numbers['hurt']:.3g} | {numbers['errors'][-1]:.3g} "
            f"| {100 * item.back:.1f} % of {num_trials} |"
        )


@images_command.command(
    "show",
    short_help="Draw what a rule shows, beside what it should.",
    epilog=examples("pdenca images show runs/pictures pictures.hdf5 --png strip.png"),
)
@RUN
@FILE
@HOLD
@SEED
@REQUIRED_PNG
def show_images_command(run: Path, file: Path, hold: int, seed: int, png: Path) -> None:
    """Draw the frames of FILE above what the best rule of RUN shows at their times, and while it holds."""
    from pdenca import plots
    from pdenca.tasks.images import draw_strip, load_image_run, read_series_file

    series = read_series_file(file)
    model, settings = load_image_run(run, series)
    plots.save(draw_strip(model, series, settings.steps_per_interval, hold=hold, seed=seed), png)
    click.echo(f"{png}: {series.name}, held for {hold} steps")


@images_command.command(
    "provoke",
    short_help="The smallest change of the start that breaks the outcome.",
    epilog=examples(
        "pdenca images provoke runs/pictures pictures.hdf5 --png changed.png",
        "pdenca images provoke runs/pictures pictures.hdf5 --hold 200 --threshold 0.05 --png changed.png",
    ),
)
@RUN
@FILE
@click.option(
    "--hold",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Steps after the last frame's time until the outcome is looked at.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, min_open=True),
    default=0.02,
    show_default=True,
    metavar="E",
    help="Mean squared error above which the outcome is broken.",
)
@SEED
@REQUIRED_PNG
def provoke_images_command(run: Path, file: Path, hold: int, threshold: float, seed: int, png: Path) -> None:
    """Look by gradients for the start that is changed least and breaks the outcome, and for the one that is
    changed most and does not.

    Sizes are relative to the norm of the true start. The outcome is judged with the firing masks that the
    search knew, with others, and beside random changes of the same size.
    """
    from pdenca import plots
    from pdenca.tasks.images import GOALS, find_change, load_image_run, read_series_file

    series = read_series_file(file)
    model, settings = load_image_run(run, series)
    found = []
    for goal in GOALS:
        with Progress(goal, "sizes") as bar:
            found.append(
                find_change(
                    model,
                    series,
                    settings.steps_per_interval,
                    goal,
                    hold=hold,
                    threshold=threshold,
                    seed=seed,
                    progress=lambda done, total: bar.update(done, total),
                )
            )
    click.echo("| change | size | error | other firing | random change |")
    click.echo("|---|---:|---:|---:|---:|")
    names = {"break": "smallest that breaks", "keep": "largest that does not"}
    for item in found:
        numbers = (item.size, item.error, item.again, item.random)
        click.echo(f"| {names[item.goal]} | " + " | ".join(f"{number:.3g}" for number in numbers) + " |")
    starts = [series.frames[0, 0], *(item.start for item in found)]
    notes = ["", *(f"changed by {item.size:.3g}" for item in found)]
    figure = plots.film_strip({"start": starts}, ["true", *(names[item.goal] for item in found)], notes=notes)
    plots.save(figure, png)
    click.echo(f"{png}: the true start and both changed ones")
