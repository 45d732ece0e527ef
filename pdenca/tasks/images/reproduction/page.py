"""The page of what was measured, with the goals beside."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...measuring import Measured, by_model, of_part, spread, worst
from .goals import errors_at_times, goals
from .plan import (
    BACK,
    BROKEN,
    CHANGES,
    GROWN,
    HELD,
    LARGEST_CHANGE,
    LATER,
    LOOKS,
    MODELS,
    PARTS,
    REACHED,
    SHARE,
    SOON,
)

ORDER: Final = tuple(MODELS)


def page(
    results: Sequence[Measured], facts: Mapping[str, Any], *, strips: Sequence[tuple[str, str]] = ()
) -> str:
    """Return the page as markdown.

    Arguments:
        results: what was measured.
        facts: command, settings, hardware, seconds.
        strips: (rule, file) of the pictures that show rules at work.
    """
    seeds = sorted({item.key["seed"] for item in results})
    cells = facts["settings"]["num_cells"]
    lines = [
        "# Series of images",
        "",
        f"Made by `{facts['command']}`; every number stands in `image-series.json`. {facts['processor']}, "
        f"{facts['threads']} thread, torch {facts['torch']}; {sum(facts['seconds'].values()) / 60:.0f} "
        f"minutes of work. Training seeds: {', '.join(map(str, seeds))}.",
        "",
        f"One rule passes through the frames of a series on {cells} x {cells} cells and holds the last one. "
        "Errors are mean squares over the smallest box around what is seen in the wanted frame; firing masks "
        "are not those of training. Of seeds the median [smallest, largest].",
        "",
        *goals(results, facts, seeds),
        *_courses(of_part(results, "courses"), facts, strips),
        *_regrowth(of_part(results, "regrowth")),
        *_basin(of_part(results, "basin")),
        *_symmetry(of_part(results, "symmetry")),
        *_starts(of_part(results, "starts")),
        *_changes(of_part(results, "changes")),
        *_pruning(of_part(results, "pruning")),
        *_missing(results),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _missing(results: Sequence[Measured]) -> list[str]:
    missing = [part for part in PARTS if not of_part(results, part)]
    return [f"Not measured yet: {', '.join(missing)}."] if missing else []


def _courses(
    own: Sequence[Measured], facts: Mapping[str, Any], strips: Sequence[tuple[str, str]]
) -> list[str]:
    if not own:
        return []
    lines = [
        "## Reach and hold",
        "",
        "Largest error of the frames at their times, and of the last one at any step from its time on, every "
        "one looked at; beside them what the first frame would score if nothing were done. *Reached*: seeds "
        f"whose frames all are within {REACHED:g} at their times; *kept*: those whose last frame stays "
        f"within {HELD:g}. {_coverage(own)}",
        "",
        "| rule | parameters | minutes | at the frames' times | while held | held for, steps | nothing done "
        "| reached | kept |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, group in by_model(own, ORDER).items():
        reached = [worst(errors_at_times(item)) for item in group]
        held = [float(item["peak"]) for item in group]
        still = [max(item["nothing_done"]) for item in group]
        minutes = [
            seconds / 60
            for phase, seconds in facts["seconds"].items()
            if phase.startswith("train ") and phase.removeprefix("train ").rpartition("-")[0] == name
        ]
        longest = group[0]["steps"][-1] - group[0]["steps"][len(errors_at_times(group[0])) - 1]
        lines.append(
            f"| {name} | {group[0]['parameters']:,} | {spread(minutes, '{:.1f}')} "
            f"| {spread(reached, '{:.2g}')} | {spread(held, '{:.2g}')} | {longest:,} "
            f"| {statistics.median(still):.2g} | {_share(reached, REACHED)} | {_share(held, HELD)} |"
        )
    shown = [f"![{name}]({file})" for name, file in strips]
    drawn = "![mean of what is seen, and size of the error, against time](image-series-courses.png)"
    return [*lines, "", drawn, "", "Above what should be seen, below what is:", "", *_spaced(shown)]


def _coverage(own: Sequence[Measured]) -> str:
    """Return how much of the lattice the targets cover, drawing by drawing."""
    covered: dict[str, list[float]] = {}
    for item in own:
        covered.setdefault(MODELS[item.key["model"]].drawing, []).extend(item.found["seen"][1:])
    told = [f"{name} {100 * min(seen):.0f} to {100 * max(seen):.0f} %" for name, seen in covered.items()]
    return f"Targets cover of the lattice: {', '.join(told)}."


def _share(errors: Sequence[float], limit: float) -> str:
    return f"{sum(error <= limit for error in errors)} of {len(errors)}"


def _spaced(blocks: Sequence[str]) -> list[str]:
    return [line for block in blocks for line in (block, "")]


def _regrowth(own: Sequence[Measured]) -> list[str]:
    if not own:
        return []
    lines = [
        "## Regrowth",
        "",
        f"A disc with {100 * SHARE:g} % of what is seen is damaged, in every trial at another place and "
        f"after another number of steps, drawn at random from the {own[0].found['hold']:,} of the hold by "
        "the seed of training. *Erase* empties it, *noise* draws it at random, *paste* shows what is half a "
        "lattice away, *flip* its place in the mirror, along the axis that changes the picture most. Errors "
        f"before and after, medians of the trials; *back*: share of them below {BACK:g} after {LOOKS[-1]} "
        "steps.",
        "",
        "| rule | damage | trials | before, worst | right after | after "
        + " | ".join(map(str, LOOKS))
        + " | back, % |",
        "|---|---|---:|---:|---:|" + "---:|" * len(LOOKS) + "---:|",
    ]
    damages = dict.fromkeys(item.key["damage"] for item in own)
    for damage in damages:
        hurt = [item for item in own if item.key["damage"] == damage]
        for name, group in by_model(hurt, ORDER).items():
            looks = zip(*(item["errors"] for item in group), strict=True)
            cells = [
                str(group[0]["trials"]),
                spread([item["before"] for item in group], "{:.2g}"),
                spread([item["hurt"] for item in group], "{:.2g}"),
                *(f"{statistics.median(errors):.2g}" for errors in looks),
                spread([100 * item["back"] for item in group], "{:.0f}"),
            ]
            lines.append(f"| {name} | {damage} | " + " | ".join(cells) + " |")
    return [*lines, "", "![error after damage](image-series-regrowth.png)", ""]


def _basin(own: Sequence[Measured]) -> list[str]:
    if not own:
        return []
    first = own[0].found
    lines = [
        "## How much damage",
        "",
        f"The same with discs of other sizes, {first['trials']} trials each: how many of them are below "
        f"{BACK:g} after {first['steps']} steps, %. All of what is seen at the right, with whatever lies "
        "between.",
        "",
        "| rule | damage | " + " | ".join(f"{100 * share:g} %" for share in first["shares"]) + " |",
        "|---|---|" + "---:|" * len(first["shares"]),
    ]
    for damage in dict.fromkeys(item.key["damage"] for item in own):
        hurt = [item for item in own if item.key["damage"] == damage]
        for name, group in by_model(hurt, ORDER).items():
            back = zip(*(item["back"] for item in group), strict=True)
            cells = [spread([100 * share for share in values], "{:.0f}") for values in back]
            lines.append(f"| {name} | {damage} | " + " | ".join(cells) + " |")
    return [*lines, "", "![how many come back from how much damage](image-series-basin.png)", ""]


def _symmetry(own: Sequence[Measured]) -> list[str]:
    if not own:
        return []
    groups = by_model(own, ORDER)
    lines = [
        "## Turned, mirrored, shifted",
        "",
        "The first frame is moved, and errors are counted from frames moved alike: largest at the frames' "
        f"times; after {LATER:,} steps of holding. Rules were trained on frames as they are. *isotropic*: a "
        "rule that sees the length of gradients only, and so looks the same turned and mirrored. *Turned in "
        "training*: one that sees all of gradients, and was trained on the frames in all eight ways, for as "
        "many steps.",
        "",
        "| first frame | " + " | ".join(f"{name}: times | held" for name in groups) + " |",
        "|---|" + "---:|---:|" * len(groups),
    ]
    first = next(iter(groups.values()))[0]
    at_times = max(first["wanted"])
    for moved in first["errors"]:
        cells = []
        for group in groups.values():
            cells.append(spread([worst(item["errors"][moved][:at_times]) for item in group], "{:.2g}"))
            cells.append(spread([item["errors"][moved][-1] for item in group], "{:.2g}"))
        lines.append(f"| {moved} | " + " | ".join(cells) + " |")
    return [*lines, "", "![error of moved frames](image-series-symmetry.png)", ""]


def _starts(own: Sequence[Measured]) -> list[str]:
    if not own:
        return []
    lines = [
        "## Other starts",
        "",
        f"Rules of pictures know one outcome: its error after {LATER:,} steps of holding. Rules of growth "
        f"begin with frame {GROWN} of other series of their kind and are compared with what these become at "
        "the end. *Nothing done*: the start itself.",
        "",
        "| rule | start | error | nothing done |",
        "|---|---|---:|---:|",
    ]
    for name, group in by_model(own, ORDER).items():
        for start in group[0]["starts"]:
            found = [item["starts"][start] for item in group]
            lines.append(
                f"| {name} | {start} | {spread([item['end'] for item in found], '{:.2g}')} "
                f"| {spread([item['nothing_done'] for item in found], '{:.2g}')} |"
            )
    return [*lines, ""]


def _changes(own: Sequence[Measured]) -> list[str]:
    told = [item for item in own if "refused" not in item.found]
    if not own:
        return []
    lines = [
        "## The smallest change that breaks",
        "",
        f"Broken: an error above {BROKEN:g} at the last frame's time. Looked for by gradients, so neither is "
        "proven the smallest or largest there is. Sizes are relative to the first frame, *inf* where nothing "
        f"broke the outcome; none larger than {LARGEST_CHANGE:g} was tried, so where the largest that does "
        "not reaches that, there may be larger ones. Errors of the outcome with the firing that the search "
        "knew, with other firing, and after a random change of that size.",
        "",
        "| rule | change | size | error | other firing | random change |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for name, group in by_model(told, ORDER).items():
        for goal, words in CHANGES.items():
            cells = [
                spread([item[goal][number] for item in group], "{:.2g}")
                for number in ("size", "error", "again", "random")
            ]
            lines.append(f"| {name} | {words} | " + " | ".join(cells) + " |")
    refused = len(own) - len(told)
    note = [f"Of {refused} seeds the outcome is not reached, so that there is nothing to break.", ""]
    return [*lines, "", *(note if refused else [])]


def _pruning(own: Sequence[Measured]) -> list[str]:
    if not own:
        return []
    shares = own[0].found["shares"]
    lines = [
        "## Fewer weights",
        "",
        f"Mean error on the way and held for {SOON} steps, without the smallest weights.",
        "",
        "| rule | " + " | ".join(f"{100 * share:g} %" for share in shares) + " |",
        "|---|" + "---:|" * len(shares),
    ]
    for name, group in by_model(own, ORDER).items():
        errors = zip(*(item["errors"] for item in group), strict=True)
        lines.append(f"| {name} | " + " | ".join(spread(list(values), "{:.2g}") for values in errors) + " |")
    return [*lines, "", "![error of pruned rules](image-series-pruning.png)", ""]
