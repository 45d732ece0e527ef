"""`pdenca sweep`: a grid of trainings, one table, figures from the table."""

from collections import Counter
from pathlib import Path

import click

from .door import BadArgument, examples, on_interrupt
from .progress import Progress


@click.command(
    "sweep",
    short_help="Train and score a grid of settings.",
    epilog=examples(
        "pdenca sweep grid.toml --out runs/grid --plan",
        "pdenca sweep grid.toml --out runs/grid --workers 8",
        "pdenca sweep grid.toml --out runs/grid --figures",
        "pdenca sweep founding-paper-steps --out runs/steps",
        "pdenca sweep images-steps --out runs/images-steps",
    ),
)
@click.argument("settings", metavar="SETTINGS")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder of runs and table."
)
@click.option("--plan", is_flag=True, help="List the runs and how far they are; train nothing.")
@click.option("--figures", is_flag=True, help="Draw the table that is in DIR; train nothing.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes that train, one thread each; default: one per core. The numbers are the same.",
)
def sweep_command(settings: str, out: Path, plan: bool, figures: bool, workers: int | None) -> None:
    """Train and score every combination of the axes in SETTINGS, a TOML file, with every seed.

    DIR gets table.csv, one line per run, split, regime, metric and window, table.json with what it rests on,
    and the runs themselves. All combinations are checked before the first is trained. One that diverges or
    fails is a line of the table and stops no other. What is trained are emulators, or, with
    `task = "images"`, rules for series of images.

    Run the same command again after an interruption, or with a larger grid: what is done is kept, and what
    was cut short goes on from its checkpoint.
    """
    from pdenca.tasks.sweep import draw_figures, load_sweep, plan_sweep, run_sweep

    if plan and figures:
        raise BadArgument("--plan and --figures are two things; usual cure: one after the other")
    sweep = load_sweep(settings)
    if figures:
        drawn = draw_figures(out, sweep.figures)
        for remark in drawn.remarks:
            click.echo(f"not drawn: {remark}")
        for path in drawn.paths:
            click.echo(str(path))
        return
    if plan:
        planned = plan_sweep(sweep, out)
        for item in planned:
            click.echo(f"{item.state:<9} {item.name}" + (f" ({item.reason})" if item.reason else ""))
        counts = Counter(item.state for item in planned)
        click.echo(
            f"{len(planned)} runs: " + ", ".join(f"{count} {state}" for state, count in counts.items())
        )
        return
    command = f"pdenca sweep {settings} --out {out}"
    with on_interrupt("run the same command again to go on where it stopped"), Progress("sweep") as bar:
        summary = run_sweep(sweep, out, num_workers=workers, command=command, tell=bar.update, say=bar.say)
    kept = summary.num_runs - summary.num_now
    before = f", {kept} of them already there" if kept else ""
    click.echo(f"{out}: {summary.num_runs} runs{before}, {len(summary.failed)} failed")
    for name, reason in summary.failed.items():
        click.echo(f"  {name}: {reason}")
    click.echo(f"{summary.table}, and what it rests on in {summary.facts.name}")
    if sweep.axes:
        click.echo(f"next: {command} --figures")
