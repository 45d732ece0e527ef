"""Whose recipe a folder holds: what is needed to go on without repeating the settings."""

import json
from pathlib import Path
from typing import Any

from pdenca.core import BadInputError, FormatError

from ..recipe import Recipe
from ..recipes import RECIPES
from .claim import RECIPE_NAME


def stored_recipe(out: Path | str, recipe_class: type[Recipe] | None = None) -> Recipe:
    """Read the recipe of a dataset's folder.

    Arguments:
        out: the folder, which :func:`pdenca.datasets.generate` began.
        recipe_class: the class of the recipe; by default the one of ``RECIPES`` that has these settings.

    Returns:
        The recipe with which ``generate`` continues.

    Raises:
        FormatError: if there is no recipe, it is damaged, or of no class of ``RECIPES``.
        BadInputError: if it could be of several classes.
    """
    path = Path(out) / RECIPE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise FormatError(
            f"{out} holds no {RECIPE_NAME}, so nothing was begun there; usual cure: check the path, or "
            "`pdenca generate RECIPE --out`"
        ) from None
    except UnicodeDecodeError as error:
        raise _damaged(path, error) from error
    return recipe_from_settings(text, path, recipe_class)


def recipe_from_settings(text: str, source: Path, recipe_class: type[Recipe] | None = None) -> Recipe:
    """Build the recipe that was saved as text; see :func:`stored_recipe`."""
    try:
        values: dict[str, Any] = dict(json.loads(text))
    except (ValueError, TypeError) as error:
        raise _damaged(source, error) from error
    if recipe_class is not None:
        complete = recipe_class.complete_settings(values)
        if complete.keys() != recipe_class.model_fields.keys():
            raise BadInputError(
                f"{source} holds the settings of another recipe than {recipe_class.name}; usual cure: leave "
                "the recipe out, the folder knows its own"
            )
        return recipe_class.parse(complete)
    fitting: list[Recipe] = []
    for known in RECIPES.values():
        complete = known.complete_settings(values)
        if complete.keys() != known.model_fields.keys():
            continue
        try:
            fitting.append(known.parse(complete))
        except BadInputError:
            continue
    named = [
        recipe
        for recipe in fitting
        if type(recipe).model_fields["dataset_name"].default == values.get("dataset_name")
    ]
    for found in (named, fitting):
        if len(found) == 1:
            return found[0]
    if not fitting:
        raise FormatError(
            f"{source} is damaged or of a recipe other than {', '.join(RECIPES)}; usual cure: name "
            f"the recipe that made the dataset, or `pdenca repair`"
        )
    names = ", ".join(recipe.name for recipe in fitting)
    raise BadInputError(
        f"the settings in {source} fit several recipes, {names}; usual cure: name the one that made the "
        "dataset"
    )


def _damaged(path: Path, error: Exception) -> FormatError:
    return FormatError(
        f"{path} is damaged ({error}); usual cure: `pdenca repair`, which restores it from the data files"
    )
