"""How far a model can be trusted: metrics, spectra, and the one pipeline that scores every model alike."""

from pdenca.solvers.power_spectrum import (
    RadialSpectrum,
    SpectrumShells,
    dominant_wavenumber,
    radial_spectrum,
)

from .bootstrap import Estimate, pooled_estimate
from .evaluate import Progress, evaluate
from .metrics import (
    WELL_EPSILON,
    CorrelationTime,
    VrmseParts,
    correlation_time,
    is_patterned,
    mean_squared_error,
    nrmse,
    pearson_correlation,
    pooled_vrmse,
    range_violation,
    spatial_variance,
    vrmse_parts,
    well_vrmse,
)
from .results import Curve, CurvePoint, Example, Results, Row, load_rows, rows_to_json
from .scoring import METRICS
from .settings import ALL_REGIMES, Case, EvaluationSettings, window_label
from .shifts import Degradation, degradation
from .spectra import log_spectral_distance, wavelength_error
from .tables import ResultsTable, format_degradation, format_number, format_table

__all__ = [
    "ALL_REGIMES",
    "METRICS",
    "WELL_EPSILON",
    "Case",
    "CorrelationTime",
    "Curve",
    "CurvePoint",
    "Degradation",
    "Estimate",
    "EvaluationSettings",
    "Example",
    "Progress",
    "RadialSpectrum",
    "Results",
    "ResultsTable",
    "Row",
    "SpectrumShells",
    "VrmseParts",
    "correlation_time",
    "degradation",
    "dominant_wavenumber",
    "evaluate",
    "format_degradation",
    "format_number",
    "format_table",
    "is_patterned",
    "load_rows",
    "log_spectral_distance",
    "mean_squared_error",
    "nrmse",
    "pearson_correlation",
    "pooled_estimate",
    "pooled_vrmse",
    "radial_spectrum",
    "range_violation",
    "rows_to_json",
    "spatial_variance",
    "vrmse_parts",
    "wavelength_error",
    "well_vrmse",
    "window_label",
]
