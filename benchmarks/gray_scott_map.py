"""The map of Gray-Scott: for which (feed, kill) do Gaussian blobs grow into a pattern that lives?

    python benchmarks/gray_scott_map.py

Writes docs/results/gray-scott-map.csv, from which the region of the recipe `gray-scott-well` was drawn. A box
of side 1 on 64 x 64 cells, the diffusivities and blobs of The Well, solved to t = 4000 by ETDRK4 in float32 with
a time step of 2 (0.5 until t = 40), two sets of blobs per pair. Pairs are laid out along the saddle-node line
k = sqrt(F)/2 - F, below which there are reacted homogeneous states, because patterns live close to it.
"""

import argparse
import csv
import math
import time
from pathlib import Path

import torch
from torch import Tensor

from pdenca.solvers import GrayScott, Grid, simulate
from pdenca.solvers.initial_conditions import gaussian_blobs
from pdenca.solvers.power_spectrum import dominant_wavenumber, radial_spectrum

RESULT = Path(__file__).parent.parent / "docs" / "results" / "gray-scott-map.csv"
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
COLUMNS = ("feed_rate", "kill_rate", "start", "mean_b", "std_b", "change_b", "wavelength")
GRID = Grid.uniform(64, 1 / 64)
NUM_FRAMES = 401
INTERVAL = 10.0
SEEDS = (0, 1)


def main() -> None:
    """Solve every pair and write one line per pair and start."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=RESULT, help="where to write the table")
    parser.add_argument("--pairs", type=int, default=4, help="pairs solved together")
    options = parser.parse_args()
    pairs = [
        (feed, round(math.sqrt(feed) / 2 - feed + offset, 4)) for feed in FEED_RATES for offset in OFFSETS
    ]
    starts = torch.cat([gaussian_blobs(GRID, torch.Generator().manual_seed(seed), 1) for seed in SEEDS])
    began = time.monotonic()
    rows: list[tuple[float | int, ...]] = []
    for first in range(0, len(pairs), options.pairs):
        rows += solve(pairs[first : first + options.pairs], starts)
        done = min(first + options.pairs, len(pairs))
        print(f"{done} of {len(pairs)} pairs, {time.monotonic() - began:.0f} s", flush=True)
        with options.out.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(rows)


def solve(pairs: list[tuple[float, float]], starts: Tensor) -> list[tuple[float | int, ...]]:
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
    rows: list[tuple[float | int, ...]] = []
    for index, pair in enumerate(several):
        std = float(end[index].std(correction=0))
        wavelength = 1 / float(wavenumbers[index]) if std > 1e-3 else math.nan
        values = (float(end[index].mean()), std, float(change[index]), wavelength)
        rows.append((*pair, index % len(starts), *(float(f"{value:.4g}") for value in values)))
    return rows


if __name__ == "__main__":
    main()
