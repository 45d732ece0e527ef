"""How far a model can be trusted: metrics, spectra, and the one pipeline that scores every model alike."""

from pdenca.solvers.power_spectrum import (
    RadialSpectrum,
    SpectrumShells,
    dominant_wavenumber,
    radial_spectrum,
)

from .bootstrap import Estimate, pooled_estimate
from .budgets import relative_budget_residual
from .cost import CostPoint, SolverComparison, compare_costs, milliseconds_per_frame
from .derived import (
    DERIVED,
    Derived,
    damaged,
    derived_names,
    finer_frames,
    noisy,
    strided,
)
from .evaluate import Progress, evaluate
from .metrics import (
    WELL_EPSILON,
    CorrelationTime,
    VrmseParts,
    correlation_time,
    is_patterned,
    mean_squared_error,
    pearson_correlation,
    pooled_vrmse,
    range_violation,
    spatial_variance,
    vrmse_parts,
    well_nrmse,
    well_vrmse,
)
from .patterns import (
    DISTANCES,
    PatternSummary,
    PatternVerdict,
    compare_patterns,
    judge_patterns,
    pattern_distances,
    summarise_patterns,
)
from .pdebench import fourier_rmse, pdebench_nrmse
from .results import Curve, CurvePoint, Example, Refusal, Results, Row, load_rows, rows_to_json
from .scoring import METRICS
from .settings import ALL_REGIMES, Case, EvaluationSettings, window_label
from .shifts import Degradation, degradation
from .spectra import log_spectral_distance, wavelength_error
from .tables import ResultsTable, format_degradation, format_number, format_table
from .turned import rotated

__all__ = [
    "ALL_REGIMES",
    "DERIVED",
    "DISTANCES",
    "METRICS",
    "WELL_EPSILON",
    "Case",
    "CorrelationTime",
    "CostPoint",
    "Curve",
    "CurvePoint",
    "Degradation",
    "Derived",
    "Estimate",
    "EvaluationSettings",
    "Example",
    "PatternSummary",
    "PatternVerdict",
    "Progress",
    "RadialSpectrum",
    "Refusal",
    "Results",
    "ResultsTable",
    "Row",
    "SolverComparison",
    "SpectrumShells",
    "VrmseParts",
    "compare_costs",
    "compare_patterns",
    "correlation_time",
    "damaged",
    "degradation",
    "derived_names",
    "dominant_wavenumber",
    "evaluate",
    "finer_frames",
    "format_degradation",
    "format_number",
    "format_table",
    "fourier_rmse",
    "is_patterned",
    "judge_patterns",
    "load_rows",
    "log_spectral_distance",
    "mean_squared_error",
    "milliseconds_per_frame",
    "noisy",
    "pattern_distances",
    "pdebench_nrmse",
    "pearson_correlation",
    "pooled_estimate",
    "pooled_vrmse",
    "radial_spectrum",
    "range_violation",
    "relative_budget_residual",
    "rotated",
    "rows_to_json",
    "spatial_variance",
    "strided",
    "summarise_patterns",
    "vrmse_parts",
    "wavelength_error",
    "well_nrmse",
    "well_vrmse",
    "window_label",
]
