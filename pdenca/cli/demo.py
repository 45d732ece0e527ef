"""`pdenca demo`: everything in one go."""

from pathlib import Path

import click

from .door import examples, on_interrupt
from .progress import Progress, console


@click.command(
    "demo",
    short_help="Data, models, scores, figures and a report in one go.",
    epilog=examples("pdenca demo", "pdenca demo --out quick --quick"),
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    metavar="DIR",
    help="Folder of everything.",
)
@click.option("--quick", is_flag=True, help="Half a minute on a tiny grid; the models stay bad.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Of the data and the models.",
)
def demo_command(out: Path, quick: bool, seed: int) -> None:
    """Make a Gray-Scott dataset, train three models, score them beside all baselines, write the report.

    Takes about eight minutes on two cores. Run the same command again after an interruption: what is finished
    is kept.
    """
    from pdenca.tasks.demo import DemoSettings, run_demo

    settings = DemoSettings.quick(seed) if quick else DemoSettings(seed=seed)
    command = f"pdenca demo --out {out}" + (" --quick" if quick else "") + (f" --seed {seed}" if seed else "")
    with on_interrupt(f"run `{command}` again to go on where it stopped"), Progress("demo") as bar:

        def show(phase: str, done: float | int, total: float | int, message: str) -> None:
            bar.enter(phase)
            bar.update(done, total, message)

        summary = run_demo(out, settings, command=command, progress=show)
    for table in summary.tables:
        console().print(table.rich())
    for phase, seconds in summary.seconds.items():
        click.echo(f"{phase:<32} {seconds:7.1f} s")
    click.echo(f"{'all':<32} {sum(summary.seconds.values()):7.1f} s")
    click.echo(f"report: {summary.report}")
