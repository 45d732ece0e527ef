"""The dataset card (README.md) and The Well's metadata file, written from the files themselves."""

import math
import string
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from pdenca.core import write_text
from pdenca.solvers.integrators import options_of

from .activity import HOMOGENEOUS_STD, STATIONARY_RMS
from .format import well_boundary
from .header import SPACE_NAMES, SYMBOLS, Header, describe_time_steps
from .inactive import Inactive
from .recipe import Recipe
from .shard import PURPOSES, Split
from .wavelength import measure_wavelength

UNSEEN: tuple[Split, ...] = ("ood_params", "ood_params_interp", "ood_params_extrap")
"""The splits with other parameters, whose wavelengths are told too."""


def write_card(
    path: Path | str,
    recipe: Recipe,
    headers: Sequence[Header],
    dead: Sequence[Inactive],
    stationary: Sequence[Inactive],
) -> None:
    """Write the dataset card from the recipe's template.

    Arguments:
        path: usually ``README.md`` in the dataset's folder.
        recipe: the settings; names the template and fills in its own values.
        headers: of all files.
        dead: trajectories that become homogeneous.
        stationary: trajectories that come to rest otherwise.
    """
    first = headers[0]
    size = sum(4 * math.prod(header.shape) for header in headers)
    versions = sorted({_versions(header) for header in headers})
    values = {
        "dataset_name": recipe.dataset_name,
        "equation": first.equation,
        "recipe": recipe.name,
        "num_cells": str(recipe.num_cells),
        "spacing": f"{recipe.spacing:g}",
        "side": f"{recipe.spacing * recipe.num_cells:g}",
        "frame_interval": f"{recipe.frame_interval:g}",
        "num_dims": str(recipe.num_dims),
        "boundary": recipe.boundary,
        "method": _method(recipe),
        "refinement": _refinement(recipe),
        "wavelengths": _wavelengths(headers),
        "time_steps": describe_time_steps(first.provenance),
        "dtype": recipe.dtype,
        "refine": str(recipe.refine),
        "seed": str(recipe.seed),
        "batch": str(recipe.batch),
        "dealiasing": f"{float(first.provenance['dealiasing']):.3g}",
        "splits": "\n".join(_split_row(split, headers) for split in recipe.splits),
        "versions": "; ".join(versions),
        "size": f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:.2f} GB",
        "seconds": f"{sum(float(header.provenance['solver_seconds']) for header in headers):.1f}",
        "homogeneous_std": f"{HOMOGENEOUS_STD:g}",
        "stationary_rms": f"{STATIONARY_RMS:g}",
        "inactive": _inactive(dead, stationary),
        **recipe.card_values(),
    }
    template = resources.files("pdenca.datasets").joinpath("cards", recipe.card).read_text(encoding="utf-8")
    write_text(path, string.Template(template).substitute(values))


def _method(recipe: Recipe) -> str:
    known = {
        "etdrk4": "pseudo-spectral ETDRK4 (Cox and Matthews 2002; Kassam and Trefethen 2005)",
        "adaptive": "Dormand-Prince 5(4), which chooses its steps by their error",
        "auto": "whichever method suits the equation and its boundaries",
    }
    text = known.get(recipe.method, f"the method {recipe.method!r}")
    own = options_of(recipe.method)
    if "stencil" in own:
        text += f", on finite differences ({recipe.stencil})"
    if "dealiasing" in own:
        kept = "all" if recipe.dealiasing == 1 else f"{recipe.dealiasing:.3g} of the"
        text += f", {kept} waves of each axis kept in the nonlinear term"
    if recipe.tolerance is not None:
        text += f", tolerance {recipe.tolerance:g}"
    return text


def _refinement(recipe: Recipe) -> str:
    if recipe.refine == 1:
        return "on the stored grid"
    return (
        f"on a grid {recipe.refine} times finer per axis than the stored one; each stored frame is the "
        "spectral restriction of the fine one"
    )


def _wavelengths(headers: Sequence[Header]) -> str:
    """One row per regime of the first split and of the splits with unseen parameters."""
    rows = ["| split | regime | wavelength | in cells |", "|---|---|---|---|"]
    for header in headers:
        if header.split in (headers[0].split, *UNSEEN) and header.path is not None:
            length = measure_wavelength(header.path)
            cells = length / max(header.grid.spacing)
            values = f"{length:.3g} | {cells:.3g}" if math.isfinite(length) else "no pattern in the end | "
            rows.append(f"| `{header.split}` | {header.regime} | {values} |")
    return "\n".join(rows)


def _versions(header: Header) -> str:
    names = ("pdenca", "torch", "numpy", "h5py")
    return ", ".join(f"{name} {header.provenance[f'{name}_version']}" for name in names)


def _split_row(split: Split, headers: Sequence[Header]) -> str:
    own = [header for header in headers if header.split == split]
    cells = " x ".join(map(str, own[0].grid.shape))
    regimes = ", ".join(dict.fromkeys(header.regime for header in own))
    start = ", ".join(dict.fromkeys(str(header.provenance["initial_condition"]) for header in own))
    return (
        f"| `{split}` | {start} | {cells} | {regimes} | {own[0].num_trajectories} | {own[0].num_frames} | "
        f"{PURPOSES[split]} |"
    )


def _inactive(dead: Sequence[Inactive], stationary: Sequence[Inactive]) -> str:
    if not dead and not stationary:
        return "None: every trajectory is alive to its last frame."
    rows = ["| file | trajectory | what | from frame |", "|---|---|---|---|"]
    for items, what in ((dead, "dead"), (stationary, "stationary")):
        for item in items:
            rows.append(
                f"| {item.file.parent.name}/{item.file.name} | {item.trajectory} | {what} | {item.frame} |"
            )
    return "\n".join(rows)


def write_metadata(path: Path | str, headers: Sequence[Header]) -> None:
    """Write ``<dataset_name>.yaml`` with the keys of The Well's metadata, about the training split.

    Arguments:
        path: where to.
        headers: of all files; those of the first split count, as The Well's format has one resolution.
    """
    own = [header for header in headers if header.split == headers[0].split]
    first = own[0]
    vectors = {item.name: item.kind == "vector" for item in first.fields}
    axes = SPACE_NAMES[: first.grid.num_dims]
    names = {
        0: [name for name, vector in vectors.items() if not vector],
        1: [f"{name}_{axis}" for name, vector in vectors.items() if vector for axis in axes],
        2: [],
    }
    content: dict[str, Any] = {
        "dataset_name": first.dataset_name,
        "n_spatial_dims": first.grid.num_dims,
        "spatial_resolution": list(first.grid.shape),
        "scalar_names": [],
        "constant_scalar_names": [
            SYMBOLS.get(name, name) for name in first.parameter_names if name not in first.parameters_in_space
        ],
        "field_names": names,
        "constant_field_names": {
            0: [SYMBOLS.get(name, name) for name in first.parameters_in_space],
            1: [],
            2: [],
        },
        "boundary_condition_types": sorted({well_boundary(name) for name in first.grid.boundaries}),
        "n_files": len(own),
        "n_trajectories_per_file": [header.num_trajectories for header in own],
        "n_steps_per_trajectory": [header.num_frames for header in own],
        "grid_type": "cartesian",
    }
    write_text(path, yaml.safe_dump(content, sort_keys=False))
