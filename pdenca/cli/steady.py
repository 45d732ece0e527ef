"""`pdenca steady`: straight to the pattern that stays."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .door import Assignment, BadArgument, Names, examples, find_modules_here, numbers, on_interrupt
from .options import PNG
from .progress import Progress

if TYPE_CHECKING:
    from pdenca.tasks.steady import SteadyReport

OF_RUN = ("data", "split", "regimes", "trajectories", "method", "rollout", "from_last")
OF_EQUATION = ("preset", "assignments", "num_cells", "spacing", "boundary", "starts", "seed")


@click.command(
    "steady",
    short_help="Find the steady patterns of a trained rule, or of an equation.",
    epilog=examples(
        "pdenca steady runs/steady --data data --rollout",
        "pdenca steady runs/steady --data data --split ood_params --method anderson --json steady.json",
        "pdenca steady schnakenberg --preset spots --grid 48 --boundary no-flux --png spots.png",
    ),
)
@click.argument("what", metavar="RUN|EQUATION")
@click.option(
    "--data", type=click.Path(path_type=Path), metavar="DIR", help="Of a rule: start from this dataset."
)
@click.option("--split", metavar="NAME", help="Start from this split of it; default: test.")
@click.option("--regimes", type=Names("regime"), metavar="A,B", help="Some of its regimes; default: all.")
@click.option(
    "--trajectories", type=click.IntRange(min=1), metavar="N", help="The first N of each file; default: all."
)
@click.option(
    "--method",
    type=click.Choice(("pseudo-transient", "newton-krylov", "anderson", "broyden", "picard")),
    help="pseudo-transient, the default, goes the roll-out's way in long implicit steps; picard rolls out "
    "only; the others finish a roll-out that has become slow.",
)
@click.option(
    "--rollout", is_flag=True, help="Roll the rule out alone, too: how long it takes, where it ends."
)
@click.option(
    "--from-last",
    is_flag=True,
    help="Start from the last frames, the data's own steady states: how far the rule moves them.",
)
@click.option("--preset", metavar="NAME", help="Of an equation: where to begin from; default: its first.")
@click.option(
    "--set",
    "assignments",
    type=Assignment(),
    multiple=True,
    help="A constant of the equation, e.g. feed_rate=0.03.",
)
@click.option("--grid", "num_cells", type=click.IntRange(min=4), metavar="N", help="Cells along each side.")
@click.option("--spacing", type=float, metavar="H", help="Size of a cell.")
@click.option("--boundary", metavar="NAME", help="Of every axis: periodic, no-flux, dirichlet.")
@click.option("--starts", type=click.IntRange(min=1), metavar="N", help="Initial states; default: 1.")
@click.option("--seed", type=int, metavar="N", help="Of the first initial state; default: 0.")
@click.option("--max-time", type=float, metavar="T", help="When to give up; default: 10000.")
@click.option(
    "--tolerance",
    type=float,
    metavar="R",
    help="Relative change per time that counts as rest; default: 1e-8, of equations 1e-10.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="The patterns, as .npz."
)
@click.option("--json", "table", type=click.Path(path_type=Path), metavar="FILE", help="All numbers.")
@PNG
def steady_command(
    what: str,
    output: Path | None,
    table: Path | None,
    png: Path | None,
    max_time: float | None,
    tolerance: float | None,
    **values: Any,  # noqa: ANN401  # the rest of the flags
) -> None:
    """Find the equilibrium that each start tends to, and say whether it is a stable pattern.

    Of the rule trained in RUN, from the first frames of a dataset and beside its last ones; or of EQUATION,
    by march and Newton's method. A start that dies out, ends in an unstable state or never rests is reported
    as such: "no stable patterned equilibrium from this start".
    """
    if output is not None and output.suffix != ".npz":
        raise BadArgument(f"{output.name!r} ends in {output.suffix!r}; expected .npz")
    is_run = Path(what).is_dir()
    for parameter in click.get_current_context().command.params:
        misplaced = parameter.name in (OF_EQUATION if is_run else OF_RUN)
        if misplaced and values[str(parameter.name)] not in (None, False, ()):
            raise BadArgument(f"{parameter.opts[0]} is for {'an equation' if is_run else 'a trained rule'}")
    with on_interrupt("nothing was written"), Progress("steady") as bar:
        if is_run:
            report = _of_run(Path(what), max_time, tolerance, values, bar)
        else:
            report = _of_equation(what, max_time, tolerance, values, bar)
    click.echo(report.describe())
    for path, write in ((output, report.write_npz), (table, report.write_json), (png, report.draw)):
        if path is not None:
            write(path)
            click.echo(f"{path}: {path.stat().st_size / 1e3:.2g} kB")


def _of_run(
    run: Path, max_time: float | None, tolerance: float | None, values: dict[str, Any], bar: Progress
) -> "SteadyReport":
    if values["data"] is None:
        raise BadArgument("a rule settles from the starts of a dataset; expected --data DIR")
    from pdenca.tasks.explanation import single_run
    from pdenca.tasks.models import load_run
    from pdenca.tasks.steady import SettleSettings, steady_of_rule

    chosen = {"method": values["method"], "max_time": max_time, "rate_tolerance": tolerance}
    settings = SettleSettings.parse({name: value for name, value in chosen.items() if value is not None})
    return steady_of_rule(
        load_run(single_run(run)),
        values["data"],
        values["split"] or "test",
        settings=settings,
        regimes=values["regimes"],
        num_trajectories=values["trajectories"],
        compare_rollout=values["rollout"],
        from_last=values["from_last"],
        progress=bar.update,
    )


def _of_equation(
    equation: str, max_time: float | None, tolerance: float | None, values: dict[str, Any], bar: Progress
) -> "SteadyReport":
    from pdenca.tasks.steady import steady_of_equation

    find_modules_here()
    constants = numbers(values["assignments"])
    names = ("num_cells", "spacing", "boundary")
    return steady_of_equation(
        equation,
        values["preset"],
        parameters=constants,
        changes={name: values[name] for name in names if values[name] is not None},
        num_starts=values["starts"] or 1,
        max_time=10_000.0 if max_time is None else max_time,
        tolerance=1e-10 if tolerance is None else tolerance,
        seed=values["seed"] or 0,
        progress=bar.update,
    )
