"""The one-shot rival: a network that maps parameters and start to the steady pattern at once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pdenca.baselines.networks import FrameNetwork
from pdenca.core import Context, write_text
from pdenca.solvers.grid import Grid
from pdenca.training import RolloutMatching, Stage, Training, TrainingProgress

from ..emulation import environment
from ..models import SCALES, SETTINGS, build_network
from ..settings import EmulationSettings
from ..stages import first_order
from ..training_data import DataScales, measure_scales
from ..validation import pooled_squares
from .starts import load_starts


def train_one_shot(
    data: Path,
    run: Path,
    settings: EmulationSettings,
    *,
    resume: bool = False,
    progress: Callable[[TrainingProgress], None] | None = None,
) -> FrameNetwork:
    """Train a network on (first frame, parameters) -> last frame, choosing the best on ``valid``.

    Arguments:
        data: the dataset's folder, of a ``steady-*`` recipe.
        run: the run's folder.
        settings: of a network with one stage; batch size, steps, patience and optimiser are taken from it.
        resume: continue a run that was cut short.
        progress: called after every training step.

    Returns:
        The trained network.
    """
    scales = _scales(data)
    model = build_network(settings, scales, dtype=torch.float32)
    (stage,) = settings.stages
    grid, context, pairs = _pairs(data, "train")
    std = torch.tensor(scales.field_std)

    def build(trained: Any) -> tuple[Any, Any]:  # noqa: ANN401
        objective = RolloutMatching(
            trained,
            pairs,
            context,
            grid,
            field_std=std,
            low=torch.tensor(scales.field_low),
            high=torch.tensor(scales.field_high),
            batch_size=stage.batch_size,
            seed=settings.seed,
        )
        return objective, first_order(trained, stage)

    def validate(trained: Any) -> float:  # noqa: ANN401
        return float(one_shot_errors(trained, data, "valid", scales).square().mean().sqrt())

    write_text(run / SETTINGS, settings.to_json())
    write_text(run / SCALES, scales.to_json())
    write_text(run / "environment.json", json.dumps(environment(), indent=1))
    stages = [Stage("1 one shot", stage.num_steps, build, stage.validate_every, stage.patience)]
    Training(model, stages, validate, run, progress, max_seconds=settings.max_seconds).run(resume)
    return model


@torch.no_grad()
def one_shot_errors(
    model: FrameNetwork,
    data: Path,
    split: str,
    scales: DataScales | None = None,
    num_trajectories: int | None = None,
) -> Float[Tensor, " trajectory"]:
    """Return the root mean square error of each predicted pattern over the true one's standard deviation.

    Of the first ``num_trajectories`` of each file those that end in a steady state.
    """
    scales = _scales(data) if scales is None else scales
    grid, context, pairs = _pairs(data, split, num_trajectories)
    predicted = model.bind(grid, context)(model.codec.lift(pairs[:, :1]))
    error = (model.codec.observe(predicted) - pairs[:, 1]).double()
    std = torch.tensor(scales.field_std, dtype=torch.float64)
    return pooled_squares(error, pairs[:, 1].double(), std).sqrt()


def _scales(data: Path) -> DataScales:
    """Return the scales of the data, a frame being the whole way to the end."""
    scales = measure_scales(data)
    return scales.replace(rate_scale=scales.field_std, frame_interval=1.0)


def _pairs(
    data: Path, split: str, num_trajectories: int | None = None
) -> tuple[Grid, Context, Float[Tensor, "trajectory two channel *space"]]:
    files = list(load_starts(data, split, num_trajectories=num_trajectories))
    pairs = torch.cat([torch.stack((item.first, item.last), 1)[item.settled] for item in files])
    names = files[0].context
    context = {name: torch.cat([item.context[name][item.settled] for item in files]) for name in names}
    return files[0].grid, {name: value.float() for name, value in context.items()}, pairs.float()
