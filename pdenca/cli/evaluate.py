"""`pdenca evaluate`: the table of scores, models and baselines alike."""

from pathlib import Path
from typing import Literal

import click

from .door import BadArgument, KnownName, examples, on_interrupt
from .progress import Progress, console


@click.command(
    "evaluate",
    short_help="Score runs beside all baselines.",
    epilog=examples(
        "pdenca evaluate runs/mlp --data data",
        "pdenca evaluate runs/mlp runs/paper --data data --split test --split ood_domain --out results",
        "pdenca evaluate runs/mlp --data data --splits test,ood_noise,ood_rotation,ood_damage",
        "pdenca evaluate runs/mlp --data data --splits ood_horizon --patterns 901:1000",
    ),
)
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option("--data", required=True, type=click.Path(path_type=Path), metavar="DIR", help="The dataset.")
@click.option(
    "--split",
    "--splits",
    "splits",
    multiple=True,
    metavar="NAME,...",
    help="Score on these splits; may be repeated. Those without files are made from test: ood_dt "
    "(ood_dt_half, ood_dt_2, ood_dt_5), ood_noise (ood_noise_0.01, 0.03, 0.1), ood_damage, "
    "ood_rotation, ood_rotation_90. "
    "Default: all that have files, but train and valid.",
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
    "--patterns",
    metavar="FIRST:LAST",
    help="Compare the patterns of these predicted frames as statistics, with the range of reference runs.",
)
@click.option(
    "--lyapunov",
    type=click.IntRange(min=10),
    metavar="FRAMES",
    help="Measure the largest Lyapunov exponent over so many frames, in float64.",
)
@click.option(
    "--symmetry",
    type=click.IntRange(min=1),
    metavar="FRAMES",
    help="Measure how far every model is from the symmetries of the grid after so many frames.",
)
@click.option(
    "--finer",
    type=click.Choice(["substeps", "interleaved"]),
    default="substeps",
    show_default=True,
    help="How automata work on finer cells than they were trained on: with converted kernels and smaller "
    "steps, or with neighbours as many cells further away.",
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
    patterns: str | None,
    lyapunov: int | None,
    symmetry: int | None,
    finer: Literal["substeps", "interleaved"],
    metric: str,
) -> None:
    """Score every RUN and all baselines on the same trajectories and print the table.

    A RUN is the folder of a training run, or a folder that holds one run per regime, which then count as one
    model. Models are named after their folders.
    """
    from pdenca.core import write_text
    from pdenca.evaluation import EvaluationSettings, rows_to_json
    from pdenca.tasks.comparison import count_rollouts
    from pdenca.tasks.emulation import evaluate_runs, list_splits
    from pdenca.tasks.figures import EVALUATION_FOLDER, find_runs, pick, write_sources
    from pdenca.tasks.findings import degradation_table, remarks, tables
    from pdenca.tasks.splits import expand_splits, known_splits

    named = {}
    for path in runs:
        name = path.resolve().name
        if name in named:
            raise BadArgument(f"two runs are called {name!r}; usual cure: rename one of the folders")
        named[name] = find_runs(path)
    known = known_splits(data)
    asked = [name.strip() for text in splits for name in text.split(",")]
    chosen = list(expand_splits(data, [pick("split", name, known) for name in asked]) or list_splits(data))
    settings = EvaluationSettings(
        start=start,
        pattern_window=None if patterns is None else _window(patterns),
        lyapunov_frames=lyapunov or 0,
        symmetry_frames=symmetry or 0,
        dtype="float64" if lyapunov else "float32",
    )
    if out is None and len(runs) == 1:
        out = runs[0] / EVALUATION_FOLDER
    with on_interrupt("nothing was saved; run the same command again"), Progress("evaluate") as bar:
        results = evaluate_runs(
            named,
            data,
            chosen,
            settings,
            out=out,
            progress=count_rollouts(data, chosen, len(named), bar.update),
            finer=finer,
        )
    if out is not None:
        write_sources(out, named, data)
    if json_file is not None:
        write_text(json_file, rows_to_json(results.rows))
    for table in [*tables(results, metric), degradation_table(results, named)]:
        if table is not None:
            console().print(table.rich())
    for remark in remarks(results):
        click.echo(remark)
    if out is not None:
        click.echo(f"saved in {out}")


def _window(text: str) -> tuple[int, int]:
    first, colon, last = text.partition(":")
    if not (colon and first.isdigit() and last.isdigit() and 1 <= int(first) <= int(last)):
        raise BadArgument(
            f"--patterns takes predicted frames as FIRST:LAST with 1 <= FIRST <= LAST, got {text!r}; usual "
            "cure: --patterns 901:1000"
        )
    return int(first), int(last)


def _metrics() -> list[str]:
    from pdenca.evaluation import METRICS

    return list(METRICS)
