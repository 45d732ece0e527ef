"""Figures, animations and the report page, drawn from arrays and tables alone.

Nothing here knows a model or a file format.

Every figure is a function that returns a :class:`matplotlib.figure.Figure` (pyplot is never used). Those of a
run or an evaluation have one line in :data:`FIGURES`; :func:`snapshots`, :func:`kymograph` and
:func:`save_movie` show a single trajectory.
"""

from collections.abc import Callable

from matplotlib.figure import Figure

from .animation import ANIMATION_FORMATS, animate
from .contact_sheet import contact_sheet
from .error_curves import Curve, errors
from .film_strip import film_strip
from .frame_panels import frames
from .heat_map import heat_map
from .kernel_panels import kernels
from .line_panels import LinePanel, line_panels
from .movie import MOVIE_FORMATS, movie_format, save_movie
from .race import race
from .report import Section, render
from .result_tables import ROW_KEYS
from .rule_panels import rule
from .saving import FORMATS, save, to_bytes
from .section_panels import Landmark, section
from .snapshots import snapshots
from .space_time import kymograph
from .spectrum_curves import spectra
from .study_panels import study
from .symmetry_dots import symmetry
from .training_curves import training

FIGURES: dict[str, Callable[..., Figure]] = {
    "frames": frames,
    "errors": errors,
    "spectra": spectra,
    "kernels": kernels,
    "symmetry": symmetry,
    "training": training,
}
"""Name -> the function that draws it."""

__all__ = [
    "ANIMATION_FORMATS",
    "FIGURES",
    "FORMATS",
    "MOVIE_FORMATS",
    "ROW_KEYS",
    "Curve",
    "Landmark",
    "LinePanel",
    "Section",
    "animate",
    "contact_sheet",
    "errors",
    "film_strip",
    "frames",
    "heat_map",
    "kernels",
    "kymograph",
    "line_panels",
    "movie_format",
    "race",
    "render",
    "rule",
    "save",
    "save_movie",
    "section",
    "snapshots",
    "spectra",
    "study",
    "symmetry",
    "to_bytes",
    "training",
]
