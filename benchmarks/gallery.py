"""The gallery of all equations: docs/gallery.md, its pictures, and the table of equations in the README.

    python benchmarks/gallery.py
    python benchmarks/gallery.py --only schnakenberg,brusselator   # solve these anew, keep the others

What was solved is kept in --out, so that an interrupted run goes on.
"""

import argparse
import pickle
import time
from pathlib import Path

import torch

from pdenca.core import atomic_path, write_text
from pdenca.solvers import EQUATIONS
from pdenca.tasks.emulation import environment
from pdenca.tasks.gallery import Shown, put_table, show, write_gallery

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def main() -> None:
    """Solve what is not solved yet, then draw and write everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/gallery"), help="folder of what was solved")
    parser.add_argument("--only", default="", help="equations to solve anew, separated by commas")
    parser.add_argument("--table-only", action="store_true", help="only the table of the README")
    options = parser.parse_args()
    readme = ROOT / "README.md"
    write_text(readme, put_table(readme.read_text(encoding="utf-8")))
    if options.table_only:
        return
    anew = set(filter(None, options.only.split(",")))
    shown: dict[str, list[Shown]] = {}
    for name, equation in EQUATIONS.items():
        shown[name] = [solved(name, preset, options.out, name in anew) for preset in equation.presets]
    seconds = sum(item.seconds for items in shown.values() for item in items)
    facts = environment()
    sentence = (
        f"Made by `python benchmarks/gallery.py`; {seconds:.0f} s of solving on {facts['processor']}, "
        f"{torch.get_num_threads()} threads, torch {facts['torch']}; seed 0 throughout."
    )
    write_gallery(DOCS / "gallery.md", DOCS / "figures" / "gallery", shown, sentence)


def solved(name: str, preset: str, out: Path, anew: bool) -> Shown:
    """Return a preset's picture, from the folder if it is there and was made from the same values."""
    path = out / f"{name}-{preset}.pickle"
    if path.is_file() and not anew:
        with path.open("rb") as file:
            kept: Shown = pickle.load(file)
        if kept.values == EQUATIONS[name].presets[preset]:
            return kept
    began = time.monotonic()
    found = show(name, preset)
    print(f"{name}, {preset}: {found.method}, {time.monotonic() - began:.1f} s", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        pickle.dump(found, file)
    return found


if __name__ == "__main__":
    main()
