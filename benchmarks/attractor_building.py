"""Automata that come to rest in a picture: trained from a pool, or through their equilibria.

    python benchmarks/attractor_building.py --out runs/attractors

Four ways, three training seeds each: unrolled steps from a pool of own states, damaged now and then; some of
those, then equilibria by the phantom gradient, or by the implicit one; equilibria from the first step on.
Each is judged by what grows from the seed, how it stays, what kind of equilibrium it is, and how often it
comes back after damage.

Writes into docs/results: attractors.csv (every number), attractors.json (settings, hardware, seconds),
attractors.md, and docs/figures/attractors.png; page and figure are drawn from the csv. Resumable: parts that
are done are kept. `--page` only draws again, from the parts that are done.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from attractor_page import COLUMNS, FIGURE, RESULTS, draw, page, read_table
from equilibrium_memory import Kept
from study import Clock

from pdenca.automaton import Automaton
from pdenca.core import write_text
from pdenca.plots import save
from pdenca.tasks.attractors import (
    MODES,
    AttractorSettings,
    Mode,
    grow,
    objective_of,
    picture,
    rest_of,
    return_probabilities,
    seed_state,
    train,
)
from pdenca.tasks.emulation import environment
from pdenca.training import Training

Found = tuple[str, int, str, float | str, float]
"""Way, seed, metric, setting, value: a line of the table."""

SEEDS = (0, 1, 2)
SETTINGS = AttractorSettings()
NUM_TRIALS, THRESHOLD = 20, 0.2
SHARES = {
    "disc": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
    "scattered": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
    "noise": (0.1, 0.2, 0.4),
}


def main() -> None:
    """Read the options, do what is left to do, write the table, the page and the figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/attractors"), help="folder of finished parts")
    parser.add_argument("--page", action="store_true", help="only draw the table, page and figure")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # what decays to zero would make every step several times slower
    options.out.mkdir(parents=True, exist_ok=True)
    clock = Clock(options.out / "seconds.json")
    # the two that are compared come first: a study that is stopped half-way has these
    parts = [(mode, seed) for modes in (MODES[:2], MODES[2:]) for seed in SEEDS for mode in modes]
    for mode, seed in parts if not options.page else ():
        name = f"{mode} {seed}"
        clock.once(name, lambda name=name, mode=mode, seed=seed: _part(options.out, name, mode, seed))
    done = [name for name in (f"{mode} {seed}" for mode, seed in parts) if name in clock.seconds]
    if done:  # otherwise only the page is drawn again, from the committed table
        with (RESULTS / "attractors.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for name in done:
                with (options.out / f"{name}.csv").open(newline="", encoding="utf-8") as part:
                    writer.writerows(csv.reader(part))
        facts = {
            "command": "python benchmarks/attractor_building.py",
            "settings": json.loads(SETTINGS.to_json()),
            "seeds": SEEDS,
            "num_trials": NUM_TRIALS,
            "threshold": THRESHOLD,
            "seconds": clock.seconds,
            **environment(),
        }
        write_text(RESULTS / "attractors.json", json.dumps(facts, indent=1) + "\n")
    facts = json.loads((RESULTS / "attractors.json").read_text(encoding="utf-8"))
    table = read_table(RESULTS / "attractors.csv")
    write_text(RESULTS / "attractors.md", page(table, facts))
    save(draw(table), FIGURE, dpi=150)


def _part(folder: Path, name: str, mode: Mode, seed: int) -> None:
    run = folder / name
    automaton, training = train(SETTINGS, mode, run, seed=seed, resume=(run / "last.safetensors").exists())
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        for *place, value in measure(automaton, training, mode, seed):
            writer.writerow([*place, f"{value:.6g}"])


def measure(automaton: Automaton, training: Training[Automaton], mode: Mode, seed: int) -> Iterator[Found]:
    """Yield the lines of one training."""

    def line(metric: str, value: float, setting: float | str = "") -> Found:
        return (mode, seed, metric, setting, value)

    yield line("training seconds", training.seconds)
    yield line("training steps", training.total_steps)
    yield line("validation", training.best_score)
    yield line("divergences", training.divergences)
    # how many searches of the equilibrium stage found a root, in its first and its last quarter
    rows = [row for row in training.rows if row["stage"] == "equilibrium" and row["loss"] is not None]
    quarter = max(1, len(rows) // 4)
    for when, some in (("first", rows[:quarter]), ("last", rows[-quarter:])):
        if rows:
            missed = [_missed(row["event"]) / SETTINGS.batch_size for row in some]
            yield line("equilibria found", 1 - sum(missed) / len(missed), when)
    objective = objective_of(automaton, SETTINGS, mode, seed)
    kept = Kept()
    with torch.autograd.graph.saved_tensors_hooks(kept.pack, kept.unpack):
        indices, _, step = objective.batch(0)
        objective.loss((indices, SETTINGS.num_steps[1], step)).backward()
    yield line("bytes kept", kept.peak)
    target, grid = picture(SETTINGS.target, SETTINGS.num_cells), SETTINGS.grid
    grown = grow(
        automaton.bind(grid, {}, num_steps=1), seed_state(SETTINGS)[None], target, threshold=THRESHOLD
    )
    yield line("steps to grow", float("nan") if grown.steps_to_grow is None else grown.steps_to_grow)
    yield line("error", grown.error, 200)
    yield line("error", grown.held_error, 2000)
    yield line("largest error", grown.largest_error)
    yield line("residual", grown.residual)
    if not bool(grown.state.isfinite().all()):
        return
    rest = rest_of(automaton, grown.state, target, grid)
    yield line("root found", float(rest.found))
    yield line("error of the root", rest.error)
    yield line("distance of the root", rest.distance)
    yield line("spectral radius", rest.spectral_radius)
    yield line("stable", float(rest.verdict == "stable"), rest.verdict)
    yield line("small push returns", float(rest.returned))
    # damage what stands shortly after growth, as a user would: a rule that drifts may have lost it by 2000
    start = automaton.bind(grid, {}, num_steps=200)(seed_state(SETTINGS)[None]).detach()
    for kind, shares in SHARES.items():
        found = return_probabilities(
            automaton,
            SETTINGS,
            start,
            shares=shares,
            kind=kind,
            threshold=THRESHOLD,
            num_trials=NUM_TRIALS,
            seed=seed,
        )
        for share, (probability, error) in found.items():
            yield line(f"return after {kind}", probability, share)
            yield line(f"standard error after {kind}", error, share)


def _missed(event: str) -> int:
    notes = [note for note in event.split("; ") if note.endswith("equilibria not found")]
    return int(notes[0].split()[0]) if notes else 0


if __name__ == "__main__":
    main()
