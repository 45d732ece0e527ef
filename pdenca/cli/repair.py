"""`pdenca repair`: what is wrong with a dataset's folder, and how to go on."""

from pathlib import Path

import click

from .door import KnownName, examples, find_modules_here
from .generate import recipe_names


@click.command(
    "repair",
    short_help="Find damaged files of a dataset and move them aside.",
    epilog=examples("pdenca repair data", "pdenca repair data --apply && pdenca generate --resume data"),
)
@click.argument("dataset", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--apply", is_flag=True, help="Move the files; without it they are only named.")
@click.option(
    "--recipe",
    type=KnownName("recipe", recipe_names),
    metavar="NAME",
    help="Which recipe made the dataset, if several could have.",
)
def repair_command(dataset: Path, apply: bool, recipe: str | None) -> None:
    """Find the files in DIR that are damaged, incomplete or foreign, and move them to DIR/aside.

    Compares every file with its checksum (SHA256SUMS) and with the recipe; restores a recipe.json that was
    lost. Nothing is deleted. Afterwards `pdenca generate --resume DIR` makes what is missing.
    """
    from pdenca.datasets import RECIPES, repair

    find_modules_here()  # the recipe may name an equation of one's own
    found = repair(dataset, apply=apply, recipe_class=RECIPES[recipe] if recipe is not None else None)
    for fault in found.faults:
        verb = "moved to" if apply else "would go to"
        click.echo(f"{fault.path}: {fault.problem}; {verb} {fault.moved_to}")
    if found.recipe_from is not None:
        verb = "restored" if apply else "can be restored"
        click.echo(f"{dataset / 'recipe.json'}: {verb} from {found.recipe_from}")
    wrong = bool(found.faults) or found.recipe_from is not None
    click.echo(f"{len(found.faults)} files to move aside, {len(found.missing)} to make")
    if wrong and not apply:
        click.echo(f"nothing was changed; next: pdenca repair {dataset} --apply")
    elif found.missing:
        click.echo(f"next: pdenca generate --resume {dataset}")
