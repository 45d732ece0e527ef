"""The recipes, one file each: what `pdenca generate NAME` makes."""

from typing import Final

from ..recipe import Recipe
from .gray_scott import GrayScottRecipe

RECIPES: Final[dict[str, type[Recipe]]] = {"gray-scott": GrayScottRecipe}

__all__ = ["RECIPES", "GrayScottRecipe"]
