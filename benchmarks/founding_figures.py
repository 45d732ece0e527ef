"""The founding paper's figures from the tables of sweeps, and their page.

    python benchmarks/founding_figures.py --sweeps runs/founding --images runs

Reads table.csv of every sweep that is done (runs/founding/founding-noise/table.csv and so on), copies it to
docs/results, draws docs/figures/founding-*.png and writes docs/results/founding-paper.md. What was copied
before is drawn again from its copy; what is not measured yet is said to be so, with the command that does it.
"""

import argparse
import json
import math
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from founding_plan import COUNTERPARTS, INTRODUCTION, WITHOUT, Counterpart, Look
from founding_snapshots import section as snapshots
from matplotlib.figure import Figure

from pdenca import plots
from pdenca.core import write_text
from pdenca.tasks.measuring import spread
from pdenca.tasks.sweep import Table, read_table
from pdenca.tasks.sweep.table import FACTS, TABLE

DOCS = Path(__file__).parent.parent / "docs"
Values = Mapping[tuple[str, Look], Sequence[float]]
"""(value of the axes in words, look) -> numbers, one per seed; NaN: diverged."""


def main() -> None:
    """Draw and write what there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sweeps", type=Path, default=Path("runs/founding"), help="folders of the sweeps")
    parser.add_argument("--images", type=Path, default=Path("runs"), help="folders of the sweeps of images")
    parser.add_argument("--out", type=Path, default=DOCS, help="where results/ and figures/ are")
    told = parser.parse_args()
    print(make(told.sweeps, told.images, told.out))


def make(sweeps: Path, images: Path, out: Path) -> Path:
    """Draw and write what there is; return the page."""
    lines = ["# The founding paper's figures", "", *INTRODUCTION, ""]
    missing = []
    for item in COUNTERPARTS:
        table = find_table(item, images if item.of_images else sweeps, out / "results")
        lines += [f"## {item.title}", "", f"*Theirs*: {item.theirs} *Ours differs*: {item.differs}", ""]
        if table is None:
            missing.append(item.sweep)
            lines += [f"Not measured yet: `{item.command}`.", ""]
        else:
            lines += section(item, table, out / "figures")
            lacking = list(dict.fromkeys(not_measured(table)))
            lines += ["Not measured:", "", *(f"- {text}" for text in lacking), ""] if lacking else []
            lines += [_made_by(out / "results" / f"{item.sweep}.csv"), ""]
    lines += snapshots(sweeps, out / "figures")
    lines += ["## Without a counterpart here", "", *(f"- {text}" for text in WITHOUT), ""]
    if missing:
        lines += [f"Not measured yet: {', '.join(dict.fromkeys(missing))}.", ""]
    page = out / "results" / "founding-paper.md"
    write_text(page, "\n".join(lines).rstrip() + "\n")
    return page


def find_table(item: Counterpart, sweeps: Path, results: Path) -> Table | None:
    """Return the table of a sweep that is done, copied to the results; else the copy of before, if any."""
    made, kept = sweeps / item.sweep / TABLE, results / f"{item.sweep}.csv"
    if made.is_file() and _is_done(made.with_name(FACTS)):
        results.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made, kept)
        shutil.copyfile(made.with_name(FACTS), kept.with_suffix(".json"))
    return read_table(kept) if kept.is_file() else None


def _is_done(facts: Path) -> bool:
    """Return whether a sweep has come to its end, which a table that is being written does not tell."""
    if not facts.is_file():
        return False
    runs = dict(json.loads(facts.read_text(encoding="utf-8"))["runs"])
    planned: int = runs.pop("planned")
    return sum(runs.values()) == planned


def _made_by(table: Path) -> str:
    """Return what the facts beside a copied table say of how it was made."""
    facts = json.loads(table.with_suffix(".json").read_text(encoding="utf-8"))
    places = dict.fromkeys(str(own["processor"]) for own in facts["environments"])
    minutes = sum(facts["seconds"].values()) / 60
    return f"Made by `{facts['command']}`; {', '.join(places)}; {minutes:.0f} minutes of work."


def section(item: Counterpart, table: Table, figures: Path) -> Iterator[str]:
    """Yield what a table says, and draw it."""
    values, beside = numbers(item, table)
    names = list(dict.fromkeys(name for name, _ in values))
    # what diverged has a place in every column, but makes none
    scored = [key[1] for key, own in values.items() if any(map(math.isfinite, own))]
    looks = [look for look in item.looks if look in scored]
    if not looks:
        yield from ("Nothing of it is scored yet.", "")
        return
    yield "| " + ", ".join(table.axes) + " | " + " | ".join(look.words for look in looks) + " |"
    yield "|---|" + "---:|" * len(looks)
    for name in [*names, *beside]:
        source = values if name in names else beside[name]
        cells = [
            spread(list(source.get((name, look), ())), "{:.3g}") if name in names else _one(source, look)
            for look in looks
        ]
        yield f"| {name} | " + " | ".join(cells) + " |"
    picture = figures / f"{item.sweep}.png"
    plots.save(draw(item, table, values, beside, looks), picture)
    yield from ("", f"![{item.title}](../figures/{picture.name})", "")


def numbers(item: Counterpart, table: Table) -> tuple[Values, dict[str, dict[Look, float]]]:
    """Return the numbers of the runs, and those of what stands beside them."""
    found: dict[tuple[str, Look], list[float]] = {}
    beside: dict[str, dict[Look, float]] = {}
    for line in table.lines:
        name = ", ".join(line[axis] for axis in table.axes)
        if line["status"] == "diverged" and line["run"]:
            for look in item.looks:
                found.setdefault((name, look), []).append(math.nan)
            continue
        for look in item.looks:
            wanted = (look.split, look.metric, look.window)
            if (line["split"], line["metric"], line["window"]) != wanted or line["regime"] != "all":
                continue
            value = float(line["value"]) if line["value"] else math.nan
            if line["run"]:
                found.setdefault((name, look), []).append(value)
            else:
                # one per dataset or choice of regimes
                where = ", ".join(place for column, place in _places(table, line) if place)
                model = f"{line['model']} ({where})" if where else line["model"]
                beside.setdefault(model, {})[look] = value
    return found, beside


def _places(table: Table, line: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (column, value) of what lines without a run differ in."""
    for column in ("scored_on", "regimes"):
        if len({other[column] for other in table.lines if not other["run"] and column in other}) > 1:
            yield column, line[column]


def not_measured(table: Table) -> Iterator[str]:
    """Yield what could not be trained or scored, and why."""
    for line in table.lines:
        if line["status"] not in ("done", "diverged"):
            name = line["run"] or line["model"]
            split = f" on {line['split']}" if line["split"] else ""
            yield f"{name}{split}: {line['status']}, {line['reason']}"


def draw(
    item: Counterpart,
    table: Table,
    values: Values,
    beside: Mapping[str, Mapping[Look, float]],
    looks: Sequence[Look],
) -> Figure:
    """Draw lines along an axis of numbers, else a map of all values by all looks."""
    names = list(dict.fromkeys(name for name, _ in values))
    if len(table.axes) > 1 or not all(_number(name) for name in names):
        cells = {(name, look.words): values.get((name, look), []) for name in names for look in looks}
        cells |= {
            (name, look.words): [own[look]] for name, own in beside.items() for look in looks if look in own
        }
        return plots.heat_map(cells, item.measure, across="", down=", ".join(table.axes), scale="log")
    places = sorted(names, key=float)
    panels = {}
    for look in looks:
        runs = max(len(values.get((name, look), ())) for name in places)
        lines = {
            "rules": [
                tuple(zip(*points, strict=True))
                for seed in range(runs)
                if (points := _points(values, places, look, seed))
            ]
        }
        ends = [float(places[0]), float(places[-1])]
        lines |= {name: [(ends, [own[look]] * 2)] for name, own in beside.items() if look in own}
        panels[look.words] = plots.LinePanel(
            lines, table.axes[0], item.measure, scales=(item.scale, "log"), marks=True, broken="diverged"
        )
    return plots.line_panels(panels)


def _points(values: Values, places: Sequence[str], look: Look, seed: int) -> list[tuple[float, float]]:
    return [
        (float(name), values[name, look][seed]) for name in places if seed < len(values.get((name, look), ()))
    ]


def _one(own: Mapping[Look, float], look: Look) -> str:
    return "" if look not in own else spread([own[look]], "{:.3g}")


def _number(text: str) -> bool:
    return re.fullmatch(r"[-+0-9.e]+", text) is not None


if __name__ == "__main__":
    main()
