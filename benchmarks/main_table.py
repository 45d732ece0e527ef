"""The main table: the demo's three models, three training seeds each, beside every baseline.

    python benchmarks/main_table.py --out runs/main-table

The demo's training data, whole experiments, more test data, seeds 0, 1, 2. Writes into docs/results:
main-table.csv (the rows of every seed), main-table.json (settings, hardware, seconds) and main-table.md (the
tables of the README, drawn from the csv). Resumable: what is trained or scored already is kept.
"""

import argparse
import json
from pathlib import Path

from study import RESULTS, Clock, Scored, table, write_rows

from pdenca.core import write_text
from pdenca.datasets import generate
from pdenca.evaluation import EvaluationSettings, load_rows
from pdenca.tasks.demo import DemoSettings
from pdenca.tasks.emulation import environment, evaluate_runs, load_experiment, load_run, train_emulator

WINDOWS = ("1", "6:12", "13:30", "31:100")


def main() -> None:
    """Read the options, do what is left to do, write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/main-table"), help="folder of data and runs")
    parser.add_argument("--seeds", default="0,1,2", help="training seeds")
    options = parser.parse_args()
    seeds = [int(text) for text in options.seeds.split(",")]
    # more to train and to test than the demo has time for; the training data are the demo's
    settings = DemoSettings(training={}, num_test_trajectories=3, num_domain_frames=34)
    clock = Clock(options.out / "seconds.json")
    data = options.out / "data"
    clock.once("generate", lambda: generate(settings.recipe(), data))
    rows: list[Scored] = []
    parameters: dict[str, int] = {}
    for seed in seeds:
        for model in settings.models:
            runs = train(model, seed, data, options.out, settings, clock)
            parameters[model] = load_run(runs[0]).num_parameters
            folder = options.out / "scores" / f"{model}-{seed}"
            clock.once(
                f"evaluate {model}, seed {seed}",
                lambda runs=runs, model=model, folder=folder: evaluate_runs(
                    {model: runs}, data, None, EvaluationSettings(), folder, with_baselines=False
                ),
            )
            rows += [(seed, row) for row in load_rows(folder / "rows.json")]
    folder = options.out / "scores" / "baselines"
    first = {"mlp": [options.out / "seed-0" / "mlp"]}
    clock.once("evaluate baselines", lambda: evaluate_runs(first, data, None, EvaluationSettings(), folder))
    rows += [(None, row) for row in load_rows(folder / "rows.json") if row.model not in settings.models]
    facts = {
        "command": f"python benchmarks/main_table.py --seeds {options.seeds}",
        "seeds": seeds,
        "parameters": parameters,
        "settings": json.loads(settings.to_json()),
        "seconds": clock.seconds,
        **environment(),
    }
    write_rows(RESULTS / "main-table.csv", rows)
    write_text(RESULTS / "main-table.json", json.dumps(facts, indent=1) + "\n")
    write_text(RESULTS / "main-table.md", page(rows, facts))


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
        f"{facts['threads']} thread(s), torch {facts['torch']}; {sum(seconds.values()) / 60:.0f} minutes.",
        "Pooled VRMSE after four given frames (lower is better; 1 is the spatial mean of every true frame). "
        "Learned models: median over the training seeds, in brackets the smallest and largest.",
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
