"""`pdenca digits restore basins`: which attractors a restorer has."""

import json
from pathlib import Path

import click

from .digit_training import DATA, DATA_DIR, SAMPLE
from .door import examples
from .options import AS_JSON, PNG, RUN, seed_of
from .progress import Progress


@click.command(
    "basins",
    short_help="Count the valleys that starts fall into.",
    epilog=examples(
        "pdenca digits restore basins runs/memory --judge runs/digits",
        "pdenca digits restore basins runs/memory --judge runs/digits --starts 300 --png basins.png",
    ),
)
@RUN
@DATA
@DATA_DIR
@SAMPLE
@click.option(
    "--judge",
    required=True,
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="A run of `pdenca digits classify train` that says what it sees in an end.",
)
@click.option(
    "--starts",
    "num_starts",
    type=click.IntRange(min=6),
    default=1000,
    show_default=True,
    metavar="N",
    help="A third each: random states, damaged test images, and states between two of those.",
)
@click.option(
    "--rounds",
    "num_rounds",
    type=click.IntRange(min=33),
    default=200,
    show_default=True,
    metavar="N",
    help="How far each is followed: steps, or with a gate from one of its corrections to the next.",
)
@seed_of("starts and damage")
@PNG
@AS_JSON
def basins_command(
    run: Path,
    data: str,
    data_dir: Path | None,
    sample: bool,
    judge: Path,
    num_starts: int,
    num_rounds: int,
    seed: int,
    png: Path | None,
    as_json: bool,
) -> None:
    """Follow many starts for long, group their ends, and see which come back after part of them is zeroed.

    What is known of a memory is compared with an untrained model of the same shape and with random states.
    """
    from pdenca import plots
    from pdenca.datasets.digits.families import load_family
    from pdenca.tasks.digits import load_classifier
    from pdenca.tasks.digits.judging import check_classes
    from pdenca.tasks.digits.restoration import census_figure, describe_census, load_restorer, take_census

    model, settings = load_restorer(run)
    reader = load_classifier(judge)
    digits = load_family(data, "test", data_dir, sample=sample)
    check_classes(reader, digits)
    with Progress("follow", "steps") as bar:
        found = take_census(
            model,
            digits,
            settings.damage,
            reader,
            num_starts=num_starts,
            num_rounds=num_rounds,
            seed=seed,
            progress=bar.update,
        )
    if png is not None:
        plots.save(census_figure(found), png, 200)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=1))
        return
    for line in describe_census(found):
        click.echo(line)
    if png is not None:
        click.echo(f"\n{png}: {png.stat().st_size / 1e3:.2g} kB")
