"""The recipes, one file each: what `pdenca generate NAME` makes."""

from typing import Final

from ..recipe import Recipe
from .advection_diffusion import AdvectionDiffusionRecipe
from .allen_cahn import AllenCahnRecipe
from .brusselator import BrusselatorRecipe
from .cahn_hilliard import CahnHilliardRecipe
from .complex_ginzburg_landau import ComplexGinzburgLandauRecipe
from .fisher_kpp import FisherKPPRecipe
from .fitzhugh_nagumo import FitzHughNagumoRecipe
from .fitzhugh_nagumo_pdebench import FitzHughNagumoPDEBenchRecipe
from .gierer_meinhardt import GiererMeinhardtRecipe
from .gray_scott import GrayScottRecipe
from .gray_scott_founding import GrayScottFoundingRecipe
from .gray_scott_well import GrayScottWellRecipe
from .gray_scott_well_original import GrayScottWellOriginalRecipe
from .own import EquationRecipe
from .pattern import PatternRecipe, Start
from .schnakenberg import SchnakenbergRecipe
from .steady_gray_scott import SteadyGrayScottRecipe
from .steady_gray_scott_torus import SteadyGrayScottTorusRecipe
from .steady_schnakenberg import SteadySchnakenbergRecipe
from .swift_hohenberg import SwiftHohenbergRecipe

RECIPES: Final[dict[str, type[Recipe]]] = {
    "gray-scott": GrayScottRecipe,
    "gray-scott-well": GrayScottWellRecipe,
    "gray-scott-well-original": GrayScottWellOriginalRecipe,
    "gray-scott-founding": GrayScottFoundingRecipe,
    "fitzhugh-nagumo": FitzHughNagumoRecipe,
    "fitzhugh-nagumo-pdebench": FitzHughNagumoPDEBenchRecipe,
    "brusselator": BrusselatorRecipe,
    "schnakenberg": SchnakenbergRecipe,
    "gierer-meinhardt": GiererMeinhardtRecipe,
    "swift-hohenberg": SwiftHohenbergRecipe,
    "cahn-hilliard": CahnHilliardRecipe,
    "allen-cahn": AllenCahnRecipe,
    "fisher-kpp": FisherKPPRecipe,
    "complex-ginzburg-landau": ComplexGinzburgLandauRecipe,
    "advection-diffusion": AdvectionDiffusionRecipe,
    "steady-schnakenberg": SteadySchnakenbergRecipe,
    "steady-gray-scott": SteadyGrayScottRecipe,
    "steady-gray-scott-torus": SteadyGrayScottTorusRecipe,
    "equation": EquationRecipe,
}
"""Name -> recipe; the only list of them."""

__all__ = ["RECIPES", "EquationRecipe", "GrayScottRecipe", "GrayScottWellRecipe", "PatternRecipe", "Start"]
