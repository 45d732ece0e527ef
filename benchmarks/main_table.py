"""The main table: the demo's three models and four networks, three seeds each, beside every baseline.

    python benchmarks/main_table.py --out runs/main-table

The demo's training data, whole experiments, more test data, seeds 0, 1, 2. Writes into docs/results:
main-table.csv (the rows of every seed), main-table.json (settings, hardware, seconds) and main-table.md (the
tables of the README, drawn from the csv). Resumable: what is trained or scored already is kept; `--keep`
leaves what the committed table has as it is and measures the rest.
"""

import argparse
import json
import re
from collections.abc import Mapping
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from study import RESULTS, Clock, Committed, Scored, choose, costs, hardware, table, write_rows

from pdenca.core import write_text
from pdenca.datasets import generate
from pdenca.evaluation import EvaluationSettings, load_rows
from pdenca.tasks.demo import DemoSettings
from pdenca.tasks.emulation import evaluate_runs, load_experiment, load_run, train_emulator
from pdenca.tasks.gallery import put_table
from pdenca.training.loop import BEST

MODELS = ("mlp", "polynomial", "founding-paper", "cnn", "unet", "fno", "tfno")
BASELINES = "evaluate baselines"
MARKS = ("<!-- main table: made by benchmarks/main_table.py -->", "<!-- end of main table -->")
WINDOWS = ("1", "6:12", "13:30", "31:100")


def main() -> None:
    """Read the options, do what is left to do, write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/main-table"), help="folder of data and runs")
    parser.add_argument("--seeds", default="0,1,2", help="training seeds")
    parser.add_argument("--models", default=",".join(MODELS), help="which models to train and score")
    parser.add_argument(
        "--keep", action="store_true", help="keep what the committed table has, measure the rest"
    )
    options = parser.parse_args()
    seeds = [int(text) for text in options.seeds.split(",")]
    kept = Committed("main-table") if options.keep else None
    # more to train and to test than the demo has time for; the training data are the demo's
    settings = DemoSettings(training={}, num_test_trajectories=3, num_domain_frames=34)
    clock = Clock(options.out / "seconds.json")
    data = options.out / "data"
    clock.once("generate", lambda: generate(settings.recipe(), data))
    for model, seed in product(options.models.split(","), seeds):
        work = f"evaluate {model}, seed {seed}"
        if kept and kept.has(work):
            continue
        runs = train(model, seed, data, options.out, settings, clock)
        folder = scores_of(options.out, model, seed)
        score = partial(
            evaluate_runs, {model: runs}, data, None, EvaluationSettings(), folder, with_baselines=False
        )
        clock.once(work, score)
    if not (kept and kept.has(BASELINES)):
        # the solvers of equal reach are told by a rule
        first = {"mlp": [options.out / "seed-0" / "mlp"]}
        folder = options.out / "scores" / "baselines"
        clock.once(BASELINES, lambda: evaluate_runs(first, data, None, EvaluationSettings(), folder))
    rows, parameters = collect(options.out, clock)
    before: Mapping[str, Any] = kept.facts if kept else {}
    if kept:
        rows += kept.rows_besides(rows)
    rows.sort(key=_in_order)
    facts = {
        "command": "python benchmarks/main_table.py",
        "seeds": sorted({seed for seed, _ in rows if seed is not None}),
        "parameters": before.get("parameters", {}) | parameters,
        "settings": json.loads(settings.to_json()),
        "seconds": before.get("seconds", {}) | clock.seconds,
        **hardware(before or None, worked=bool(clock.seconds)),
    }
    write_rows(RESULTS / "main-table.csv", rows)
    write_text(RESULTS / "main-table.json", json.dumps(facts, indent=1) + "\n")
    write_text(RESULTS / "main-table.md", page(rows, facts))
    readme = RESULTS.parent.parent / "README.md"
    tested = choose(rows, metric="pooled_vrmse", regime="all", split="test")
    write_text(
        readme, put_table(readme.read_text(encoding="utf-8"), "\n".join(table(tested, WINDOWS)), MARKS)
    )


def scores_of(out: Path, model: str, seed: int) -> Path:
    """Return where the scores of a model lie."""
    return out / "scores" / f"{model}-{seed}"


def collect(out: Path, clock: Clock) -> tuple[list[Scored], dict[str, int]]:
    """Return the rows of all that was measured in this folder, and how many parameters its models have."""
    rows: list[Scored] = []
    parameters: dict[str, int] = {}
    for work in clock.seconds:
        found = re.fullmatch(r"evaluate ([\w-]+), seed (\d+)", work)
        if found:
            model, seed = found[1], int(found[2])
            run = out / f"seed-{seed}" / model
            parameters[model] = load_run(
                run if (run / BEST).is_file() else next(run.iterdir())
            ).num_parameters
            rows += [(seed, row) for row in load_rows(scores_of(out, model, seed) / "rows.json")]
    if BASELINES in clock.seconds:
        found_rows = load_rows(out / "scores" / "baselines" / "rows.json")
        rows += [(None, row) for row in found_rows if row.model not in MODELS]
    return rows, parameters


def _in_order(item: Scored) -> tuple[int, int, int]:
    """Splits as the recipe has them; rules, networks, what is not trained."""
    seed, row = item
    model = list(MODELS).index(row.model) if row.model in MODELS else len(MODELS)
    return list(DemoSettings().splits).index(row.split), model, -1 if seed is None else seed


def train(model: str, seed: int, data: Path, out: Path, settings: DemoSettings, clock: Clock) -> list[Path]:
    """Train one network, or one per regime; return their folders."""
    groups = [(name,) for name in settings.regimes] if model in settings.per_regime else [None]
    runs = []
    for regimes in groups:
        run = out / f"seed-{seed}" / model / (regimes[0] if regimes else "")
        experiment = load_experiment(model, {**settings.training.get(model, {}), "seed": str(seed)})
        label = f"train {model}" + (f" {regimes[0]}" if regimes else "") + f", seed {seed}"
        clock.once(
            label,
            lambda run=run, experiment=experiment, regimes=regimes: train_emulator(
                data, run, experiment, resume=True, regimes=regimes
            ),
        )
        runs.append(run)
    return runs


def page(rows: list[Scored], facts: dict) -> str:
    """Return the tables as markdown."""
    pooled = [item for item in rows if item[1].metric == "pooled_vrmse" and item[1].regime == "all"]
    splits = list(dict.fromkeys(row.split for _, row in pooled))
    seconds = facts["seconds"]
    lines = [
        "# Main table",
        "",
        f"Made by `{facts['command']}` from `main-table.csv`; {facts['processor']}, "
        f"{facts['threads']} thread(s), torch {facts['torch']}; {sum(seconds.values()) / 60:.0f} minutes; "
        f"seeds of training {', '.join(map(str, facts['seeds']))}.",
        "Pooled VRMSE after four given frames (lower is better; 1 is the spatial mean of every true frame). "
        "Learned models: median over the training seeds, in brackets the smallest and largest.",
        "",
        *costs(facts),
    ]
    for split in splits:
        lines += [
            "",
            f"## `{split}`",
            "",
            *table([item for item in pooled if item[1].split == split], WINDOWS),
        ]
    lines += ["", "## Leaving the range of the training data", ""]
    violation = [item for item in rows if item[1].metric == "range_violation" and item[1].regime == "all"]
    lines += [
        "Largest distance beyond the training data's range, in units of that range, over all frames.",
        "",
    ]
    lines += table(violation, columns=splits, key="split", worst=True)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
