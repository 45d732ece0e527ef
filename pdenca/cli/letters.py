"""`pdenca digits letters`: synthetic letters in the format of MNIST."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .door import examples
from .progress import Progress

if TYPE_CHECKING:
    from pdenca.datasets.digits import Digits


@click.command(
    "letters",
    short_help="Draw synthetic letters in MNIST's format.",
    epilog=examples(
        "pdenca digits letters --out letters",
        "pdenca digits letters --out more --fonts ~/fonts --train 2000 --test 300",
        "pdenca digits classify train --data letters --data-dir letters --out runs/reader",
    ),
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder of the files."
)
@click.option(
    "--fonts",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A folder with .ttf, .otf, .woff or .woff2 files, used beside those that come with the packages.",
)
@click.option(
    "--train",
    "num_train",
    type=click.IntRange(min=1),
    metavar="N",
    help="Images of each letter to train on; default: 600.",
)
@click.option(
    "--test",
    "num_test",
    type=click.IntRange(min=1),
    metavar="N",
    help="Images of each letter to test; default: 100.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Of all that is random.",
)
def letters_command(
    out: Path, fonts: Path | None, num_train: int | None, num_test: int | None, seed: int
) -> None:
    """Draw capital letters at random, from stroke and outline fonts, as four IDX files and classes.txt.

    No family of fonts is in both splits. The letters are synthetic and no substitute for handwritten ones.
    """
    from pdenca.datasets.digits.families import LETTERS_PER_CLASS
    from pdenca.datasets.digits.folders import refuse_full, write_folder
    from pdenca.datasets.letters import families_of, left_out

    refuse_full(out)
    told = {"train": num_train, "test": num_test}
    numbers = {split: told[split] or usual for split, usual in LETTERS_PER_CLASS.items()}
    splits = {split: _draw(split, number, seed, fonts) for split, number in numbers.items()}
    write_folder(out, splits)
    for split, letters in splits.items():
        click.echo(f"{out}: {len(letters)} letters to {split}, of {', '.join(families_of(split, fonts))}")
    without: dict[str, list[str]] = {}
    for name, reason in ({} if fonts is None else left_out(fonts)).items():
        without.setdefault(reason, []).append(name)
    for reason, names in without.items():
        others = f" and {len(names) - 1} more, each" if len(names) > 1 else ""
        click.echo(f"left out: {names[0]}{others} {reason}")
    click.echo(f"next: pdenca digits classify train --data letters --data-dir {out} --out RUN")


def _draw(split: str, number: int, seed: int, fonts: Path | None) -> "Digits":
    from pdenca.datasets.letters import make_letters

    with Progress(f"draw {split}", "letters") as bar:
        return make_letters(split, number, seed, fonts, progress=lambda done, total: bar.update(done, total))
