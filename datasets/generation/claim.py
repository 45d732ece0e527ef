"""Whose folder it is: one recipe, nothing of anybody else."""

import json
from pathlib import Path

from pdenca.core import BadInputError, FormatError, write_text

from ..layout import DATA_FOLDER
from ..recipe import Recipe
from ..statistics import FILE_NAME as STATISTICS_NAME

RECIPE_NAME = "recipe.json"
CARD_NAME = "README.md"


def claim(recipe: Recipe, out: Path) -> Recipe:
    """Return the recipe of the folder, which is the given one with the splits that are already there.

    Raises:
        BadInputError: if the folder holds a dataset with other settings, or files of somebody else.
        FormatError: if its recipe.json is damaged.
    """
    path = out / RECIPE_NAME
    if not path.exists():
        ours = (DATA_FOLDER, STATISTICS_NAME, CARD_NAME, f"{recipe.dataset_name}.yaml")
        foreign = [name for name in ours if (out / name).exists()]
        if foreign:
            raise BadInputError(
                f"{out} already holds {', '.join(foreign)} but no {RECIPE_NAME}, so it was not made by "
                "`pdenca generate`; usual cure: choose an empty folder"
            )
    else:
        recipe = _merge(recipe, path, out)
    for stale in out.rglob(".*.partial"):  # left by a killed run; nobody else is writing, we hold the lock
        stale.unlink(missing_ok=True)
    write_text(path, recipe.to_json() + "\n")
    return recipe


def _merge(recipe: Recipe, path: Path, out: Path) -> Recipe:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        splits = known.pop("splits")
        known = recipe.complete_settings(known)
    except (json.JSONDecodeError, KeyError, AttributeError, TypeError, UnicodeDecodeError) as error:
        raise FormatError(
            f"{path} is damaged ({error}); usual cure: `pdenca repair {out} --apply`, or choose an empty "
            "folder"
        ) from error
    wanted = recipe.files_settings()
    different = [name for name in {**known, **wanted} if known.get(name) != wanted.get(name)]
    if different:
        listed = ", ".join(
            f"{name} is {known.get(name)!r} there and {wanted.get(name)!r} here" for name in different
        )
        raise BadInputError(
            f"{out} holds a dataset with other settings ({listed}); usual cure: choose another folder, or "
            "the same settings"
        )
    return recipe.replace(splits=tuple(dict.fromkeys([*splits, *recipe.splits])))
