"""`pdenca check` and `pdenca info`: what is in a folder, and whether it can be trusted."""

import math
from pathlib import Path

import click

from .door import examples, find_modules_here
from .progress import console


@click.command(
    "check",
    short_help="Check files and datasets: layout, numbers, physics.",
    epilog=examples("pdenca check data", "pdenca check --strict data/data/test"),
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option("--strict", is_flag=True, help="Count warnings as errors, dead trajectories among them.")
@click.option(
    "--equation",
    "equations",
    multiple=True,
    metavar="MODULE:CLASS",
    help="An equation of your own, imported to check the budget of its files.",
)
@click.pass_context
def check_command(
    context: click.Context, paths: tuple[Path, ...], strict: bool, equations: tuple[str, ...]
) -> None:
    """Check trajectory files, split folders and dataset folders.

    Looks at the layout (The Well's rules and ours), at every number, at the exact budget of the equation, at
    seeds used twice, at dead trajectories and at the stored statistics. Exit code 0: no errors; 1: errors; 2:
    a file cannot be read at all: truncated, damaged, of another layout, or written by a newer pdenca.
    """
    from pdenca.datasets import check

    if equations:
        find_modules_here()
    findings = check(paths, strict, equations)
    for finding in findings:
        click.echo(str(finding))
    num_errors = sum(finding.level == "error" for finding in findings)
    num_warnings = len(findings) - num_errors
    click.echo(f"{_count(num_errors, 'error')}, {_count(num_warnings, 'warning')}")
    if num_errors:
        context.exit(1)


@click.command(
    "info",
    short_help="Describe a file, a dataset or a run.",
    epilog=examples("pdenca info data", "pdenca info run"),
)
@click.argument("path", type=click.Path(path_type=Path))
def info_command(path: Path) -> None:
    """Describe PATH: a trajectory file, a dataset's folder or a run's folder."""
    from pdenca.datasets import info
    from pdenca.tasks.figures import is_run

    show(_run_facts(path) if is_run(path) else info(path))


def _run_facts(run: Path) -> dict[str, str]:
    from pdenca.tasks.emulation import load_run
    from pdenca.tasks.training_record import read_metrics

    model = load_run(run)
    rows = read_metrics(run)
    scores = [row["validation"] for row in rows if math.isfinite(row.get("validation", math.nan))]
    told = ", ".join(model.automaton.context_names) or "nothing"
    reach = "the whole domain" if model.radius is None else f"{model.radius} cells far"
    return {
        "run": model.name,
        "equation": f"{model.scales.equation}, told {told}",
        "fields": ", ".join(model.scales.field_names),
        "parameters": str(model.num_parameters),
        "sees": f"{reach}, {model.evaluations_per_frame} times a frame",
        "works with": f"cells of {model.scales.spacing:g}, a frame every {model.scales.frame_interval:g}",
        "stages": ", ".join(f"{stage.objective} ({stage.fitter})" for stage in model.settings.stages),
        "seed": str(model.settings.seed),
        "trained": f"{rows[-1]['step']:.0f} steps, {rows[-1]['seconds']:.1f} s",
        "validation": f"best {min(scores):.3g}" if scores else "none",
    }


def show(facts: dict[str, str]) -> None:
    """Print names and values in two columns."""
    import rich.table
    from rich.markup import escape

    table = rich.table.Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(escape(name), escape(value))
    console().print(table)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
