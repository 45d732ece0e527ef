"""An explanation as tables and sentences, as JSON, and as a figure."""

import json
import math
from collections.abc import Iterator
from typing import Any

from matplotlib.figure import Figure

from pdenca import plots
from pdenca.automaton import FixedKernels
from pdenca.evaluation import ResultsTable

from .explaining import Explanation
from .moments import KernelReading
from .reading import ReactionReading, written

ALIKE = 1e-9
SHOWN_ORDERS = (0, 1, 2, 4, 6)
HEADINGS = ("constant", "∂", "∂²", "∂⁴", "∂⁶")


def describe(explanation: Explanation) -> Iterator[str | ResultsTable]:
    """Yield an explanation as paragraphs and tables, in the order in which to read them."""
    e = explanation
    yield (
        f"{e.model}: {e.num_parameters} parameters, {e.steps_per_frame} steps of {e.time_step:g} per frame, "
        f"spacing {e.spacing:g}; equation {e.equation}.\nRead at {e.cells}.\nWaves: {e.waves}."
    )
    yield from e.notes
    if e.kernels:
        yield moments_table(e)
        if any(kernel.exact_name for kernel in e.kernels):
            yield waves_table(e)
    yield step_table(e)
    for reaction in e.reactions:
        yield from _reaction(reaction)
    if e.polynomials is not None:
        at = ", ".join(f"{name} = {value:g}" for name, value in e.polynomials_at.items())
        rows = zip(e.fields, e.polynomials, strict=True)
        lines = [f"  {field}: {written(_largest_first(terms))}" for field, terms in rows]
        yield (
            "The proposal of a step is a cubic polynomial of the fields, exactly"
            + (f" (at {at}):\n" if at else ":\n")
            + "\n".join(lines)
        )


def moments_table(explanation: Explanation) -> ResultsTable:
    """Return which derivatives each kernel takes, in brackets in units of the exact kernel's."""
    lines = []
    for name, kernel in _different(explanation).items():
        for label, direction in _distinct(kernel).items():
            values = kernel.moments[direction]
            cells = [_moment(kernel, direction, order, values[order]) for order in SHOWN_ORDERS]
            lines.append((name, label, *cells))
    title = "Kernels as derivatives (length^order; transport per time); in brackets relative to exact"
    return ResultsTable(title, ("kernel", "along", *HEADINGS), tuple(lines))


def waves_table(explanation: Explanation) -> ResultsTable:
    """Return how far each kernel is from isotropy and from the exact one, wave by wave."""
    lines = tuple(
        (
            name,
            kernel.exact_name,
            _percent(kernel.isotropy_error),
            "-" if kernel.agreement is None else str(kernel.agreement),
            *(_percent(kernel.symbol_errors.get(k)) for k in explanation.wavenumbers),
        )
        for name, kernel in _different(explanation).items()
        if kernel.exact_name
    )
    heads = ("kernel", "exact", "isotropy error", "agrees to order", *_wave_heads(explanation))
    return ResultsTable("Kernels: difference from the exact ones (T: the equation's transport)", heads, lines)


def step_table(explanation: Explanation) -> ResultsTable:
    """Return the diffusivities, of the transport alone and of the whole step."""
    step, lines = explanation.step, []
    alone = {
        kernel.taps.field: kernel.moments["x"][2]
        for kernel in explanation.kernels
        if kernel.taps.kind == "transport" and kernel.taps.source == kernel.taps.field
    }
    for number, field in enumerate(step.fields):
        exact = None if step.exact_diffusivities is None else step.exact_diffusivities[number]
        true = None if explanation.diffusivities is None else explanation.diffusivities[number]
        own = step.diffusivities[number]
        lines.append(
            (
                field,
                _number(alone.get(field)),
                _number(true),
                _percent(_relative(alone.get(field), true), sign=True),
                _number(own),
                _number(exact),
                _percent(_relative(own, exact), sign=True),
            )
        )
    errors = ", ".join(
        f"{_percent(error)} at {head}"
        for head, error in zip(_wave_heads(explanation), step.errors.values(), strict=False)
    )
    heads = ("field", "D, transport", "true", "error", "D, whole step", "exact flow", "error")
    title = (
        "Diffusivities; the whole step (with sample, reaction and emission) linearised at the sampled states"
    )
    if errors:
        title += f"\nIts difference from the exact flow: {errors}"
    return ResultsTable(title, heads, tuple(lines))


def terms_table(reaction: ReactionReading) -> ResultsTable:
    """Return the coefficients of the equation's terms, learned and true."""
    lines = tuple(
        (
            term.name,
            f"{term.equation:.4g}",
            f"{term.learned:.4g}",
            _percent(term.error, sign=True),
            f"{term.learned_step:.4g}",
            f"{term.perfect_step:.4g}",
        )
        for term in reaction.terms
    )
    heads = ("term", "equation", "learned rate", "error", "learned step", "perfect step")
    return ResultsTable(f"d{reaction.field}/dt in the equation's own terms", heads, lines)


def to_json(explanation: Explanation) -> str:
    """Return everything as JSON text; wavenumbers are in rad/length, errors are shares, not percent."""
    e = explanation
    content: dict[str, Any] = {
        "model": e.model,
        "equation": e.equation,
        "num_parameters": e.num_parameters,
        "fields": e.fields,
        "time_step": e.time_step,
        "steps_per_frame": e.steps_per_frame,
        "spacing": e.spacing,
        "cells": e.cells,
        "waves": e.waves,
        "wavenumbers": e.wavenumbers,
        "diffusivities": e.diffusivities,
        "notes": e.notes,
        "kernels": [
            {
                "kind": kernel.taps.kind,
                "field": kernel.taps.field,
                "source": kernel.taps.source,
                "taps": kernel.taps.weights.tolist(),
                "moments": kernel.moments,
                "exact": kernel.exact_name or None,
                "exact_moments": kernel.exact_moments,
                "isotropy_error": kernel.isotropy_error,
                "agrees_to_order": kernel.agreement,
                "symbol_errors": list(kernel.symbol_errors.values()),
            }
            for kernel in e.kernels
        ],
        "step": {
            "diffusivities": e.step.diffusivities,
            "exact_diffusivities": e.step.exact_diffusivities,
            "errors": list(e.step.errors.values()),
        },
        "reactions": [
            {
                **{key: value for key, value in vars(reaction).items() if key != "terms"},
                "r_squared": reaction.r_squared,
                "missing": reaction.missing,
                "superfluous": reaction.superfluous,
                "terms": [{**vars(term), "error": term.error} for term in reaction.terms],
            }
            for reaction in e.reactions
        ],
        "polynomials": e.polynomials,
        "polynomials_at": e.polynomials_at,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def draw(explanation: Explanation) -> Figure:
    """Draw the kernels with their taps, and below them their error over the wavenumber."""
    e = explanation
    shown = _different(e)
    entries = [
        (name, _plane(kernel), {"∂²": kernel.moments["x"][2], "∂⁴": kernel.moments["x"][4]})
        for name, kernel in shown.items()
    ]
    curves = {name: list(kernel.curve.values()) for name, kernel in shown.items() if kernel.curve}
    wavenumbers = list(next(kernel.curve for kernel in e.kernels if kernel.curve)) if curves else []
    if e.step.curve:
        curves["whole step"] = list(e.step.curve.values())
        wavenumbers = list(e.step.curve)
    marks = dict(zip(_wave_heads(e), e.wavenumbers, strict=True))
    return plots.rule(entries, wavenumbers, curves, marks=marks, title=e.model)


def _reaction(reaction: ReactionReading) -> Iterator[str | ResultsTable]:
    quality = f"R² = {reaction.r_squared:.5f}, {_percent(reaction.unexplained)} unexplained"
    if not reaction.coefficients:
        quality = "it leaves homogeneous states as they are"
    lines = [f"learned   d{reaction.field}/dt = {reaction.equation}   ({quality})"]
    if reaction.true_equation is not None:
        left = reaction.true_unexplained or 0.0
        what = "" if left < 1e-6 else f"   (no polynomial of the library: {_percent(left)} unexplained)"
        lines.append(f"equation  d{reaction.field}/dt = {reaction.true_equation}{what}")
        if reaction.missing or reaction.superfluous:
            parts = [
                f"{word} {', '.join(names)}"
                for word, names in (("lacks", reaction.missing), ("adds", reaction.superfluous))
                if names
            ]
            lines.append(f"The learned one {' and '.join(parts)}.")
    yield "\n".join(lines)
    if reaction.true_equation is None:
        return
    yield terms_table(reaction)
    yield (
        f"These terms leave {_percent(reaction.terms_unexplained)} of the learned rate. It differs from the "
        f"equation's by {_percent(reaction.error)}, and one step from a perfect one by "
        f"{_percent(reaction.step_error)} (root mean squares, in standard deviations). "
        f"The finite step alone changes the rate by {_percent(reaction.time_step_effect)}: the columns "
        "`step` have absorbed it, the others have it taken out."
    )


def _different(explanation: Explanation) -> dict[str, KernelReading]:
    """Return name -> kernel; a fixed kernel, the same for every channel, once."""
    found: dict[str, KernelReading] = {}
    for kernel in explanation.kernels:
        fixed = kernel.taps.kind.split()[0] in FixedKernels.KERNELS
        found.setdefault(f"{kernel.taps.kind} (all channels)" if fixed else kernel.taps.name, kernel)
    return found


def _distinct(kernel: KernelReading) -> dict[str, str]:
    """Return label -> direction, axes and diagonals that are alike together."""
    groups = {
        "axes": [name for name in kernel.moments if len(name) == 1],
        "diagonals": [name for name in kernel.moments if len(name) > 1],
    }
    found = {}
    for label, names in groups.items():
        # a plane's diagonals and a cube's differ in their sixth moments even if all symmetries hold
        alike = names and all(_alike(kernel, names[0], name) for name in names)
        found.update({label: names[0]} if alike and len(names) > 1 else {name: name for name in names})
    return found


def _alike(kernel: KernelReading, first: str, second: str) -> bool:
    pairs = zip(kernel.moments[first], kernel.moments[second], strict=True)
    return all(math.isclose(a, b, rel_tol=ALIKE, abs_tol=ALIKE * abs(a) + 1e-18) for a, b in pairs)


def _moment(kernel: KernelReading, direction: str, order: int, value: float) -> str:
    ratio = kernel.ratio(direction, order)
    # what is left of a sum of taps that cancel is rounding
    largest = float(kernel.taps.weights.abs().max())
    reach = max(kernel.taps.weights.shape) * kernel.spacing
    if abs(value) <= 1e-12 * largest * reach**order and ratio is None:
        return "0"
    return f"{value:.4g}" + ("" if ratio is None else f" ({ratio:.4g})")


def _wave_heads(explanation: Explanation) -> list[str]:
    return [f"{2 * math.pi / (k * explanation.spacing):.3g} cells" for k in explanation.wavenumbers]


def _largest_first(terms: dict[str, float]) -> dict[str, float]:
    kept = {name: value for name, value in terms.items() if value != 0}
    return dict(sorted(kept.items(), key=lambda item: -abs(item[1])))


def _plane(kernel: KernelReading) -> Any:  # noqa: ANN401  # an array of two axes
    taps = kernel.taps.weights.detach().cpu().numpy()
    while taps.ndim > 2:
        taps = taps[..., taps.shape[-1] // 2]
    return taps[:, None] if taps.ndim == 1 else taps


def _relative(value: float | None, reference: float | None) -> float | None:
    return None if value is None or not reference else value / reference - 1


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _percent(value: float | None, sign: bool = False) -> str:
    if value is None:
        return "-"
    return f"{100 * value:{'+' if sign else ''}.3g} %"
