"""The post's table beside what was measured, and PSNR step by step."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...measuring import Measured, spread
from .measured import percent

RANGE_OF_TWO: Final = 6.0206
"""What PSNR gains if the data range is called 2 (dB)."""
PUBLISHED: Final = {"auto-encoder": (24.3, 82, 4800), "hybrid": (26.7, 94, 2400), "ca": (21.1, 64, 20)}
"""The post's PSNR (dB), accuracy (%) and MFLOP."""
_COURSE: Final = "The post trains for 40,000 batches of 64, here {batches:,}."
_REASONS: Final = {
    "auto-encoder": "Layers, strides and the million numbers are the post's, which counts {factor:.0f} times "
    "as many operations; two are counted here for a multiplication and an addition.",
    "hybrid": "The post counts {factor:.0f} times as many operations, more than its steps and its gate of a "
    "million numbers can take.",
    "ca": "Ten steps of two thousand numbers on 32 x 32 cells are {inverse:.2g} times the operations that "
    "the post counts.",
}


def beside_the_post(own: Sequence[Measured]) -> list[str]:
    """Return a table of the post's numbers and ours, with a sentence on each difference."""
    lines = [
        "## The post's numbers",
        "",
        f"A range of 2 adds {RANGE_OF_TWO:.2f} dB to every PSNR: the post does not say which one it takes. "
        "Its classifier is not described; ours are right on whole digits as told above.",
        "",
        "| model | PSNR, dB: post | range 1 | range 2 | accuracy, %: post | judge | MFLOP: post | counted |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    notes = []
    for name, (decibel, right, flops) in PUBLISHED.items():
        group = [i.found for i in own if i.key["model"] == name and "variant" not in i.key]
        if not group:
            continue
        levels = [item["psnr"][0] for item in group]
        shares = [percent(item, "judge") for item in group]
        counted = group[0]["flops"] / 1e6
        lines.append(
            f"| {name} | {decibel:g} | {spread(levels, '{:.2f}')} "
            f"| {spread([level + RANGE_OF_TWO for level in levels], '{:.2f}')} | {right:g} "
            f"| {spread(shares, '{:.2f}')} | {flops:,} | {counted:.3g} |"
        )
        gained, differs = statistics.median(levels) - decibel, statistics.median(shares) - right
        reason = _REASONS[name].format(factor=flops / counted, inverse=counted / flops)
        notes.append(
            f"- *{name}*: {gained:+.1f} dB with range 1, {gained + RANGE_OF_TWO:+.1f} dB with range 2, and "
            f"{differs:+.1f} points beside the post. {_COURSE.format(batches=group[0]['batches'])} {reason}"
        )
    return [*lines, "", *notes, ""] if notes else []


def by_step(own: Sequence[Measured]) -> list[str]:
    """Return a table of what could be read off after every step."""
    films: dict[str, list[Mapping[str, Any]]] = {}
    for item in own:
        if "variant" not in item.key and len(item.found["psnr_by_step"]) > 1:
            films.setdefault(item.key["model"], []).append(item.found)
    if not films:
        return []
    longest = max(len(group[0]["psnr_by_step"]) for group in films.values())
    lines = [
        "## Step by step",
        "",
        "PSNR of what the read-out, which is trained for the last step, sees after every step; dB, median of "
        "the seeds.",
        "",
        "| model | " + " | ".join(str(step + 1) for step in range(longest)) + " |",
        "|---|" + "---:|" * longest,
    ]
    for name, group in films.items():
        steps = zip(*(item["psnr_by_step"] for item in group), strict=True)
        told = [f"{statistics.median(values):.1f}" for values in steps]
        lines.append(f"| {name} | " + " | ".join(told + [""] * (longest - len(told))) + " |")
    return [*lines, ""]
