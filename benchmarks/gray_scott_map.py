"""The map of Gray-Scott: for which (feed, kill) do Gaussian blobs grow into a pattern that lives?

    python benchmarks/gray_scott_map.py          # a net of pairs -> docs/results/gray-scott-map.csv
    python benchmarks/gray_scott_map.py --pairs  # those of a recipe -> docs/results/gray-scott-pairs.csv

The region of the recipe `gray-scott-well` was drawn from the first table; the second checks its pairs. A box
of side 1 on 64 x 64 cells, The Well's diffusivities and blobs, solved to t = 4000 by ETDRK4 in float32, with
a time step of 2 (0.5 until t = 40), two sets of blobs per pair. The net follows the saddle-node line
k = sqrt(F)/2 - F, below which there are reacted homogeneous states, because patterns live close to it. About
three minutes on one core.
"""

import argparse
import csv
import math
import time
from pathlib import Path

import torch
from torch import Tensor

from pdenca.datasets.recipes.gray_scott_well import GrayScottWellRecipe
from pdenca.solvers import GrayScott, Grid, simulate
from pdenca.solvers.initial_conditions import gaussian_blobs
from pdenca.solvers.power_spectrum import dominant_wavenumber, radial_spectrum

RESULTS = Path(__file__).parent.parent / "docs" / "results"
FEED_RATES = (
    0.008,
    0.012,
    0.016,
    0.02,
    0.025,
    0.03,
    0.036,
    0.042,
    0.05,
    0.058,
    0.066,
    0.076,
    0.088,
    0.1,
    0.112,
)
OFFSETS = (-0.008, -0.006, -0.004, -0.002, 0.0, 0.002, 0.004, 0.006, 0.008, 0.01, 0.012)
COLUMNS = ("name", "feed_rate", "kill_rate", "start", "mean_b", "std_b", "change_b", "wavelength")
GRID = Grid.uniform(64, 1 / 64)
NUM_FRAMES = 401
INTERVAL = 10.0
SEEDS = (0, 1)
PAIRS_AT_ONCE = 4


def main() -> None:
    """Solve every pair and write one line per pair and start."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", action="store_true", help="the pairs of the recipe instead of the net")
    parser.add_argument("--out", type=Path, help="where to write the table")
    options = parser.parse_args()
    torch.set_num_threads(1)  # the batches are small
    names = recipe_pairs() if options.pairs else net_pairs()
    out = options.out or RESULTS / ("gray-scott-pairs.csv" if options.pairs else "gray-scott-map.csv")
    starts = torch.cat([gaussian_blobs(GRID, torch.Generator().manual_seed(seed), 1) for seed in SEEDS])
    began = time.monotonic()
    rows: list[tuple[str | float, ...]] = []
    pairs = list(names)
    for first in range(0, len(pairs), PAIRS_AT_ONCE):
        several = pairs[first : first + PAIRS_AT_ONCE]
        rows += [(names[line[0], line[1]], *line) for line in solve(several, starts)]
        done = min(first + PAIRS_AT_ONCE, len(pairs))
        print(f"{done} of {len(pairs)} pairs, {time.monotonic() - began:.0f} s", flush=True)
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def net_pairs() -> dict[tuple[float, float], str]:
    """Return the pairs of the net, (feed, kill) -> name."""
    kills = {feed: math.sqrt(feed) / 2 - feed for feed in FEED_RATES}
    return {(feed, round(kill + offset, 4)): "net" for feed, kill in kills.items() for offset in OFFSETS}


def recipe_pairs() -> dict[tuple[float, float], str]:
    """Return the pairs of the recipe, (feed, kill) -> split/regime."""
    recipe = GrayScottWellRecipe(splits=("train", "ood_params_interp", "ood_params_extrap"))
    return {
        (shard.parameters["feed_rate"], shard.parameters["kill_rate"]): f"{shard.split}/{shard.regime}"
        for shard in recipe.shards()
    }


def solve(pairs: list[tuple[float, float]], starts: Tensor) -> list[tuple[float, ...]]:
    """Return the lines of some pairs: what B looks like at the end, and how fast it still changes."""
    several = [pair for pair in pairs for _ in starts]
    feed, kill = (torch.tensor([pair[which] for pair in several]) for which in (0, 1))
    frames = simulate(
        GrayScott(feed, kill),
        GRID,
        starts.repeat(len(pairs), 1, 1, 1),
        num_frames=NUM_FRAMES,
        frame_interval=INTERVAL,
        time_step=2.0,
        start_time_step=0.5,
        num_start_frames=4,
        dtype=torch.float32,
    )[:, -2:, 1:]
    end = frames[:, 1, 0].flatten(1)
    change = (frames[:, 1] - frames[:, 0]).square().flatten(1).mean(1).sqrt()
    wavenumbers = dominant_wavenumber(radial_spectrum(frames[:, 1:].double(), GRID))[:, 0, 0]
    rows: list[tuple[float, ...]] = []
    for index, pair in enumerate(several):
        std = float(end[index].std(correction=0))
        wavelength = 1 / float(wavenumbers[index]) if std > 1e-3 else math.nan
        values = (float(end[index].mean()), std, float(change[index]), wavelength)
        rows.append((*pair, index % len(starts), *(float(f"{value:.4g}") for value in values)))
    return rows


if __name__ == "__main__":
    main()
