"""What each file of a dataset must be, whether it is there, and whether there is room for it."""

import hashlib
import json
import math
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from pdenca.core import BadInputError

from ..format import read_header
from ..header import Header, file_name
from ..layout import DATA_FOLDER
from ..recipe import Recipe
from ..shard import Shard


def target_of(recipe: Recipe, shard: Shard, out: Path) -> Path:
    """Return where the file of a shard belongs."""
    return out / DATA_FOLDER / shard.split / file_name(recipe.dataset_name, shard.regime, shard.parameters)


def is_complete(recipe: Recipe, shard: Shard, out: Path) -> bool:
    """Tell whether the file of a shard is there.

    Raises:
        BadInputError: if a file made with other settings is there.
        FormatError: if it is damaged.
    """
    path = target_of(recipe, shard, out)
    if not path.exists():
        return False
    if not is_as_planned(recipe, shard, read_header(path)):
        raise BadInputError(
            f"{path} was made with other settings; usual cure: choose another folder, or move the file aside "
            f"with `pdenca repair {out}`"
        )
    return True


def is_as_planned(recipe: Recipe, shard: Shard, found: Header) -> bool:
    """Tell whether a file's header is what the recipe gives for this shard."""
    expected = header_of(recipe, shard, seconds=0.0)
    keys = ("equation", "regime", "split", "fields", "grid", "frame_interval", "parameters", "shape", "seeds")
    return all(getattr(found, key) == getattr(expected, key) for key in keys) and _settings(
        recipe, found
    ) == _settings(recipe, expected)


def _settings(recipe: Recipe, header: Header) -> dict[str, Any]:
    settings = recipe.complete_settings(json.loads(header.provenance.get("settings", "{}")))
    settings.pop("splits", None)
    return settings


def header_of(recipe: Recipe, shard: Shard, seconds: float) -> Header:
    """Return the header of a shard's file; ``seconds`` is what the solver took."""
    equation = recipe.equation(shard)
    constants = vars(equation)  # a frozen dataclass: its constants
    return Header(
        dataset_name=recipe.dataset_name,
        equation=recipe.stored_equation(shard),
        regime=shard.regime,
        split=shard.split,
        fields=equation.fields,
        grid=shard.grid,
        frame_interval=recipe.frame_interval,
        parameters=dict(shard.parameters),
        num_trajectories=shard.num_trajectories,
        num_frames=shard.num_frames,
        seeds=shard.trajectory_seeds,
        provenance={
            "initial_condition": shard.initial_condition,
            "solver": recipe.method,
            "time_step": recipe.time_step,
            "num_start_frames": recipe.num_start_frames,
            **({"start_time_step": recipe.start_time_step} if recipe.num_start_frames else {}),
            "dealiasing": recipe.dealiasing,
            "refine": recipe.solver_options(shard)["refine"],
            "dtype": recipe.dtype,
            "seed": recipe.seed,
            "equation_constants": json.dumps(constants),
            "settings": recipe.to_json(),
            "pdenca_version": version("pdenca"),
            "torch_version": str(torch.__version__),
            "numpy_version": np.__version__,
            "h5py_version": h5py.__version__,
            "solver_seconds": seconds,
        },
    )


def fingerprint(recipe: Recipe, shard: Shard, device: torch.device) -> str:
    """Name everything that the bits of a part depend on, so that no part of another run is mixed in."""
    header = header_of(recipe, shard, seconds=0.0)
    settings: dict[str, Any] = {**header.provenance, "settings": recipe.files_settings()}
    text = json.dumps(
        [settings, shard.trajectory_seeds, shard.parameters, shard.num_frames, device.type], sort_keys=True
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def require_space(recipe: Recipe, missing: list[Shard], out: Path) -> None:
    """Refuse a dataset that cannot fit: all missing files, and once more the parts of the largest."""
    sizes = [4 * math.prod(header_of(recipe, shard, seconds=0.0).shape) for shard in missing]
    need = sum(sizes) + max(sizes, default=0)
    free = shutil.disk_usage(out).free
    if need > free:
        raise BadInputError(
            f"the dataset needs {need / 1e9:.1f} GB, the disk of {out} has {free / 1e9:.1f} GB free; "
            "usual cure: fewer trajectories or frames, or another disk"
        )
