"""The page of what was measured, with the post's numbers and claims beside."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...measuring import Measured, of_part, spread
from ..restoration import load_restoration
from .beside import RANGE_OF_TWO, beside_the_post, by_step
from .claims import verdicts
from .measured import BARE, BEFORE, WOUNDED, backward_transfer, percent
from .plan import MODELS, RESTORING, SCHEMES


def page(results: Sequence[Measured], facts: Mapping[str, Any]) -> str:
    """Return the page as markdown."""
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
        *by_step(of_part(results, "models")),
        *beside_the_post(of_part(results, "models")),
        *_damage(of_part(results, "damage")),
        *_basins(of_part(results, "basins")),
        *_letters(of_part(results, "letters")),
    ]
    told = verdicts(results)
    if told:
        lines += ["## The post's claims", "", "| claim | measured | verdict |", "|---|---|---|"]
        lines += [f"| {claim} | {measured} | *{verdict}* |" for claim, measured, verdict in told]
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
    seeds = {name: {i.key["seed"] for i in own if i.key["model"] == name} for name in RESTORING}
    most = max(map(len, seeds.values()))
    none = [name for name, found in seeds.items() if not found]
    few = [f"{name} ({len(found)})" for name, found in seeds.items() if 0 < len(found) < most]
    told = [f"Not measured yet: {', '.join(none)}."] if none else []
    told += [f"With fewer seeds than others: {', '.join(few)}."] if few else []
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


def _damage(own: Sequence[Measured]) -> list[str]:
    if not own:
        return []
    models = list(dict.fromkeys(item.key["model"] for item in own))
    lines = [
        "## Other damage than in training",
        "",
        "Trained on 70 % of the pixels blanked; PSNR in dB, and what the judge tells right.",
        "",
        "| damage | " + " | ".join(models) + " |",
        "|---|" + "---:|" * len(models),
    ]
    for damage in dict.fromkeys(item.key["damage"] for item in own):
        cells = []
        for name in models:
            group = [i.found for i in own if (i.key["model"], i.key["damage"]) == (name, damage)]
            told = spread([item["psnr"][0] for item in group], "{:.2f}")
            right = spread([percent(item, "judge") for item in group], "{:.1f}")
            cells.append(f"{told}; {right} %" if group else "")
        lines.append(f"| {damage} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _basins(own: Sequence[Measured]) -> list[str]:
    if not own:
        return []
    lines = [
        "## Attractors",
        "",
        "A third of the starts each are random states, damaged test digits, and states between two of those; "
        "ends that are the same are a valley. *untrained*: valleys of a model of random parameters; *noise*: "
        "of random states with the ends' covariance. *back*: ends that are in their place again after 30 % "
        "of their cells are zeroed, and that are seen as the same digit.",
        "",
        "| model | seed | starts | ends | valleys | in none | of random states | purity "
        "| digits with a valley | untrained | noise | back | same digit | Lyapunov exponent |",
        "|---|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for item in own:
        found = item.found
        kinds: dict[str, int] = {}
        for family in found["families"].values():
            for kind, count in family["kinds"].items():
                kinds[kind] = kinds.get(kind, 0) + count
        ends = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        cells = [
            item.key["model"],
            str(item.key["seed"]),
            str(found["num_starts"]),
            ends,
            str(found["num_valleys"]),
            str(found["num_outside"]),
            str(found["families"]["noise"]["num_valleys"]),
            f"{found['purity']:.2f}",
            str(found["num_classes_with_valley"]),
            str(found["untrained_valleys"]),
            str(found["noise_valleys"]),
            *(f"{100 * found[name]['0.3'][0]:.0f} %" for name in ("returned", "same_class")),
            f"{found['lyapunov']:.3g}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def _letters(own: Sequence[Measured]) -> list[str]:
    if not own:
        return []
    lines = [
        "## Letters after digits",
        "",
        "The model `memory`, trained on digits, goes on with synthetic letters of fonts that the test "
        "letters are not of. *Backward transfer*: what the judge tells right of restored digits, after less "
        "before, in points; with two families its negative is the average forgetting.",
        "",
        "| how letters are learned | digits, dB | digits, % | letters, dB | letters, % | backward transfer |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for scheme in (BEFORE, *SCHEMES):
        cells = []
        for data, judge in (("mnist", "judge"), ("letters", "reader of letters")):
            group = [i.found for i in own if (i.key["model"], i.key["data"]) == (scheme, data)]
            cells.append(spread([item["psnr"][0] for item in group], "{:.2f}"))
            cells.append(spread([percent(item, judge) for item in group], "{:.2f}"))
        lost = backward_transfer(own, scheme)
        if any(cells):
            told = "" if scheme == BEFORE else spread(lost, "{:+.2f}")
            lines.append(f"| {scheme} | " + " | ".join([*cells, told]) + " |")
    return [*lines, ""]
