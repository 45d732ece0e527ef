"""The page of what was measured, with the post's numbers and claims beside."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from ...measuring import Measured, of_part, spread
from ..restoration import load_restoration
from .after import learned_after, other_damage
from .basins import basins
from .beside import RANGE_OF_TWO, beside_the_post, by_step
from .claims import verdicts
from .goals import goals
from .measured import BARE, WOUNDED, by_seed, families, percent
from .plan import MODELS, OURS


def page(
    results: Sequence[Measured], facts: Mapping[str, Any], pictures: Mapping[str, str] | None = None
) -> str:
    """Return the page as markdown.

    Arguments:
        results: what was measured.
        facts: how.
        pictures: file beside the page -> what it shows.
    """
    pictures = {} if pictures is None else pictures
    seeds = sorted({item.key["seed"] for item in results if "seed" in item.key})
    lines = [
        "# Digits restored",
        "",
        f"Made by `{facts['command']}`; every number stands in `digits-restore.json`. {facts['processor']}, "
        f"{facts['threads']} thread, torch {facts['torch']}; {sum(facts['seconds'].values()) / 60:.0f} "
        f"minutes of work. Training seeds: {', '.join(map(str, seeds))}.",
        "",
        "MNIST with 70 % of the pixels blanked at random; 2,000 of the training digits are held out to "
        "choose models by, and all 10,000 test digits are restored. PSNR: mean over the images, data range 1 "
        f"(with range 2 every number reads {RANGE_OF_TWO:.2f} dB more). MFLOP per digit are counted by code. "
        "Of seeds the median [smallest, largest].",
        "",
        *_judges(of_part(results, "judges")),
        *_models(of_part(results, "models")),
        *_of_equal_size(results, facts["seconds"]),
        *by_step(of_part(results, "models")),
        *beside_the_post(of_part(results, "models")),
        *other_damage(of_part(results, "damage")),
        *basins(of_part(results, "basins")),
    ]
    for family, own in families(results).items():
        lines += learned_after(family, own)
    for name, words in pictures.items():
        lines += [f"![{words}]({name})", ""]
    told = verdicts(results)
    if told:
        lines += ["## The post's claims", "", "| claim | measured | verdict |", "|---|---|---|"]
        lines += [f"| {claim} | {measured} | *{verdict}* |" for claim, measured, verdict in told]
        lines.append("")
    if results:
        lines += goals(results, facts["seconds"])
    return "\n".join(lines).rstrip() + "\n"


def _judges(own: Sequence[Measured]) -> list[str]:
    if not own:
        return []
    told = "; ".join(f"{item.key['model']} {100 * item.found['accuracy']:.2f} %" for item in own)
    return [
        f"On whole test images the judges are right: {told}. No restorer is trained or chosen by them.",
        "",
    ]


def _models(own: Sequence[Measured]) -> list[str]:
    if not own:
        return []
    names = ["judge", "second judge"]
    lines = [
        "## Models",
        "",
        "*Mask*: whether a model is told which pixels are known; *kept*: known pixels of its answer are "
        f"those it was given. {_uncertainty(own)}",
        "",
        "| model | seeds | batches | parameters | MFLOP | mask | kept | PSNR, dB | SSIM | judge, % "
        "| second judge, % |",
        "|---|---:|---:|---:|---:|---|---|---:|---:|---:|---:|",
    ]
    present = list(dict.fromkeys(item.key["model"] for item in own))
    order = [name for name in MODELS if name in present]
    for name in [*(name for name in present if name not in MODELS), *order]:
        for variant in (None, BARE, WOUNDED):
            group = [i.found for i in own if (i.key["model"], i.key.get("variant")) == (name, variant)]
            if not group:
                continue
            first = group[0]
            learned = "batches" in first
            flops = "" if first["flops"] is None else f"{first['flops'] / 1e6:.3g}"
            cells = [
                name if variant is None else f"{name}, {variant}",
                str(len(group)) if learned else "",
                str(first.get("batches", "")),
                f"{first['num_parameters']:,}" if learned else "",
                flops,
                *_shown(name),
                spread([item["psnr"][0] for item in group], "{:.2f}"),
                spread([item["ssim"] for item in group], "{:.3f}"),
                *(spread([percent(item, judge) for item in group], "{:.2f}") for judge in names),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return [*lines, "", *_missing(own)]


def _missing(own: Sequence[Measured]) -> list[str]:
    """Return which models have fewer seeds than others, or none."""
    seeds = {name: {i.key["seed"] for i in own if i.key["model"] == name} for name in MODELS}
    most = max(map(len, seeds.values()))
    none = [name for name, found in seeds.items() if not found]
    few = [f"{name} ({len(found)})" for name, found in seeds.items() if 0 < len(found) < most]
    told = [f"Not measured yet: {', '.join(none)}."] if none else []
    told += [f"With fewer seeds than others: {', '.join(few)}."] if few else []
    return [" ".join(told), ""] if told else []


def _of_equal_size(results: Sequence[Measured], seconds: Mapping[str, float]) -> list[str]:
    """Return what the U-Nets are equal in, and which of them is better than ours."""
    ours, told = by_seed(results, OURS), []
    for name, start in (
        ("u-net-equal", "is equal in the number of its parameters and about equal in its time of training"),
        ("u-net", "is smaller"),
    ):
        both = sorted(set(ours) & set(by_seed(results, name)))
        if not both:
            continue
        pairs = [(ours[seed], by_seed(results, name)[seed]) for seed in both]
        own, other = pairs[0]
        times = [[seconds.get(f"train {model}-{seed}") for seed in both] for model in (name, OURS)]
        minutes = [f"{statistics.median(map(float, some)) / 60:.0f}" for some in times if all(some)]  # type: ignore[arg-type]
        spent = f", {minutes[0]} minutes to {minutes[1]}" if len(minutes) == 2 else ""
        better = [
            found["psnr"][0] > mine["psnr"][0] and percent(found, "judge") > percent(mine, "judge")
            for mine, found in pairs
        ]
        worse = [
            found["psnr"][0] < mine["psnr"][0] and percent(found, "judge") < percent(mine, "judge")
            for mine, found in pairs
        ]
        verdict = (
            "better in both" if all(better) else "worse in both" if all(worse) else "neither better nor worse"
        )
        told.append(
            f"`{name}` {start}: {other['num_parameters']:,} numbers to the {own['num_parameters']:,} of "
            f"`{OURS}`{spent}, and {other['flops'] / own['flops']:.2g} times its operations. It restores "
            f"{verdict}, by PSNR and by the judge."
        )
    return [" ".join(told), ""] if told else []


def _shown(name: str) -> tuple[str, str]:
    """Return whether a model is told the mask, and whether known pixels are kept."""
    if name not in MODELS:
        return "" if name == "damaged input" else "told", "yes"
    model = load_restoration(MODELS[name][0], dict(MODELS[name][1])).model
    return "told" if model.told_mask else "blind", "yes" if model.keep_known else "no"


def _uncertainty(own: Sequence[Measured]) -> str:
    """Return how well 10,000 images tell one model's means."""
    decibels = max((i.found["psnr"][2] - i.found["psnr"][1]) / 2 for i in own)
    judged = [verdict for item in own for verdict in item.found["verdicts"].values()]
    points = max(100 * (verdict["high"] - verdict["low"]) / 2 for verdict in judged)
    return (
        f"The 95 % interval of one model's mean over the images is at most {decibels:.2f} dB wide to each "
        f"side, of its accuracy {points:.2f} points."
    )
