"""`pdenca evaluate`: the table of scores, models and baselines alike."""

from pathlib import Path

import click

from .door import BadArgument, KnownName, examples, on_interrupt
from .progress import Progress, console


@click.command(
    "evaluate",
    short_help="Score runs beside all baselines.",
    epilog=examples(
        "pdenca evaluate runs/mlp --data data",
        "pdenca evaluate runs/mlp runs/paper --data data --split test --split ood_domain --out results",
    ),
)
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option("--data", required=True, type=click.Path(path_type=Path), metavar="DIR", help="The dataset.")
@click.option(
    "--split",
    "splits",
    multiple=True,
    metavar="NAME",
    help="Score on this split; may be repeated. Default: all there are, but train and valid.",
)
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write all rows to it."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of rows, curves and examples; default for a single RUN: RUN/evaluation.",
)
@click.option(
    "--start",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="FRAME",
    help="First of the four given frames; the prediction begins after them.",
)
@click.option(
    "--metric",
    type=KnownName("metric", lambda: _metrics()),
    default="pooled_vrmse",
    show_default=True,
    metavar="NAME",
    help="What the printed table shows.",
)
def evaluate_command(
    runs: tuple[Path, ...],
    data: Path,
    splits: tuple[str, ...],
    json_file: Path | None,
    out: Path | None,
    start: int,
    metric: str,
) -> None:
    """Score every RUN and all baselines on the same trajectories and print the table.

    A RUN is the folder of a training run, or a folder that holds one run per regime, which then count as one
    model. Models are named after their folders.
    """
    from pdenca.core import write_text
    from pdenca.datasets import splits_of
    from pdenca.evaluation import EvaluationSettings, rows_to_json
    from pdenca.tasks.emulation import evaluate_runs, list_splits
    from pdenca.tasks.figures import EVALUATION_FOLDER, count_rollouts, find_runs, pick, write_sources
    from pdenca.tasks.findings import degradation_table, tables

    named = {}
    for path in runs:
        name = path.resolve().name
        if name in named:
            raise BadArgument(f"two runs are called {name!r}; usual cure: rename one of the folders")
        named[name] = find_runs(path)
    known = splits_of(data)
    chosen = [pick("split", name, known) for name in splits] or list(list_splits(data))
    if out is None and len(runs) == 1:
        out = runs[0] / EVALUATION_FOLDER
    with on_interrupt("nothing was saved; run the same command again"), Progress("evaluate") as bar:
        results = evaluate_runs(
            named,
            data,
            chosen,
            EvaluationSettings(start=start),
            out=out,
            progress=count_rollouts(data, chosen, len(named), bar.update),
        )
    if out is not None:
        write_sources(out, named, data)
    if json_file is not None:
        write_text(json_file, rows_to_json(results.rows))
    for table in [*tables(results, metric), degradation_table(results, named)]:
        if table is not None:
            console().print(table.rich())
    if out is not None:
        click.echo(f"saved in {out}")


def _metrics() -> list[str]:
    from pdenca.evaluation import METRICS

    return list(METRICS)
