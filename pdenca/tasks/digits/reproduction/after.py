"""The page's parts on other damage, and on what is learned after digits."""

from collections.abc import Sequence
from typing import Final

from ...measuring import Measured, spread
from .measured import BEFORE, change_of_digits, percent
from .plan import JOINT, LEARNERS, MEMORY, OURS, learned_by, reader_of

_MEANING: Final = {
    "letters": "synthetic letters of fonts that the test letters are not of",
    "emnist-letters": "the letters of EMNIST",
    "fashion-mnist": "the clothes of Fashion-MNIST",
}


def other_damage(own: Sequence[Measured]) -> list[str]:
    """Return a table of damage that was not trained on."""
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


def learned_after(family: str, own: Sequence[Measured]) -> list[str]:
    """Return a table of what is left of digits when another family has been learned.

    Arguments:
        family: its name.
        own: its measurements.
    """
    lines = [
        f"## {family.capitalize()} after digits",
        "",
        f"The model `{OURS}`, trained on digits, goes on with {_MEANING[family]}. *Backward transfer*: what "
        "the judge tells right of restored digits, after less before, in points; with two families its "
        f"negative is the average forgetting. *{JOINT}* learns nothing after anything: it begins with random "
        "parameters and sees half of each family in every batch, for as many batches as the others take "
        "for digits and for the rest together; *beside digits alone* is what it tells right of digits less "
        f"what the model of digits alone does. `{MEMORY}` answers with the image that stands for a class: "
        "its PSNR says little, its accuracy whether it is the right class.",
        "",
        f"| how it is learned | digits, dB | digits, % | {family}, dB | {family}, % | backward transfer "
        "| beside digits alone |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    rows = [(learned_by(name, scheme), name) for name, of in LEARNERS.items() for scheme in (BEFORE, *of)]
    for row, learner in rows:
        cells = []
        for data, judge in (("mnist", "judge"), (family, reader_of(family))):
            group = [i.found for i in own if (i.key["model"], i.key["data"]) == (row, data)]
            cells.append(spread([item["psnr"][0] for item in group], "{:.2f}"))
            cells.append(spread([percent(item, judge) for item in group], "{:.2f}"))
        before = learned_by(learner, BEFORE)
        changed = (
            "" if row == before else spread(list(change_of_digits(own, row, before).values()), "{:+.2f}")
        )
        if any(cells):
            cells += ["", changed] if row == JOINT else [changed, ""]
            lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return [*lines, ""]
