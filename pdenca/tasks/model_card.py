"""The card of a model that is shipped: what it was trained on, how good it is, where it ends.

Everything in it is read off the run, its dataset and its evaluation.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from pdenca.core import BadInputError, write_text
from pdenca.datasets import data_files, read_header
from pdenca.evaluation import ALL_REGIMES, format_number, format_table, load_rows
from pdenca.training.loop import BEST

from .explanation import explain
from .models import SCALES, SETTINGS, NeuralEmulator, load_run
from .pretrained import CARD
from .stage_settings import StageSettings
from .training_record import kept_score, read_metrics

SHIPPED = (SETTINGS, SCALES, BEST)
LARGEST = 200_000
"""A shipped file may have so many bytes."""


def ship_model(
    run: Path,
    folder: Path,
    name: str,
    *,
    data: Path | None = None,
    results: Sequence[Path] = (),
    note: str = "",
) -> Path:
    """Copy what a model needs out of a run, and write its card beside it.

    Arguments:
        run: the run's folder.
        folder: where the model is to lie; what is there is replaced.
        name: of the model.
        data: the dataset it was trained on, described and used to read the rule.
        results: folders of evaluations, one of them of this run; their rows become the tables.
        note: a paragraph on how it was made.

    Returns:
        The card.

    Raises:
        BadInputError: if a file is too large to be shipped, or the results are not about this run.
        FormatError: if the run, the dataset or the results are damaged.
    """
    emulator = load_run(run)
    card = "\n".join(_card(emulator, run, name, data, results, note))
    for file in SHIPPED:
        size = (run / file).stat().st_size
        if size > LARGEST:
            raise BadInputError(
                f"{run / file} has {size} bytes, at most {LARGEST} are shipped; usual cure: a smaller model"
            )
    folder.mkdir(parents=True, exist_ok=True)
    for file in SHIPPED:
        shutil.copyfile(run / file, folder / file)
    write_text(folder / CARD, card)
    return folder / CARD


def _card(
    emulator: NeuralEmulator, run: Path, name: str, data: Path | None, results: Sequence[Path], note: str
) -> Iterator[str]:
    scales, settings = emulator.scales, emulator.settings
    yield f"# {name}\n"
    yield (
        f"A rule of {emulator.num_parameters} parameters that advances {' and '.join(scales.field_names)} of "
        f"{scales.equation} by {scales.frame_interval:g} time units on square cells of "
        f"{scales.spacing:g}, told {', '.join(scales.parameter_names) or 'no parameter'}.\n"
    )
    yield f"    pdenca rollout --pretrained {name} --truth\n    pdenca explain --pretrained {name}\n"
    yield f'    pdenca.load_pretrained("{name}").bind(grid, parameters)  # a step of one frame\n'
    yield "## What it is\n"
    changed = settings.network or settings.model
    yield "\n".join(f"- {key}: {_plain(value)}" for key, value in changed.model_dump().items()) + "\n"
    yield "## What it was trained on\n"
    yield from _data(emulator, data)
    yield "## How it was trained\n"
    yield from _training(emulator, run)
    if note:
        yield f"{note.strip()}\n"
    if results:
        yield "## How good it is\n"
        yield from _scores(run, results)
    if data is not None and settings.network is None:
        yield "## What it has learnt\n"
        yield from _reading(emulator, data)
    yield "## Limits\n"
    yield from _limits(emulator)
    yield "## Licence\n"
    yield "MIT, as pdenca. The training data are solutions that pdenca made; nobody else's data are in it."
    yield ""


def _data(emulator: NeuralEmulator, data: Path | None) -> Iterator[str]:
    scales = emulator.scales
    pairs = list(dict.fromkeys(scales.parameter_pairs))
    if len(pairs) <= 6:
        told = "; ".join(_named(emulator, pair) for pair in pairs)
        yield f"Parameter sets: {told}.\n"
    else:
        yield f"{len(pairs)} parameter sets: {_ranges(emulator)}.\n"
    if data is None:
        return
    header = read_header(data_files(data, "train")[0])
    count = sum(read_header(path).num_trajectories for path in data_files(data, "train"))
    cells = " x ".join(map(str, header.grid.shape))
    yield (
        f"Dataset {header.dataset_name}: {count} training trajectories of {header.num_frames} frames, "
        f"{cells} cells, {', '.join(dict.fromkeys(header.grid.boundaries))}; solved by "
        f"{header.provenance.get('solver', 'an unnamed method')} on a grid "
        f"{header.provenance.get('refine', 1)} times as fine.\n"
    )
    recipe = data / "recipe.json"
    if recipe.is_file():
        yield f"Its recipe:\n\n    {json.dumps(json.loads(recipe.read_text(encoding='utf-8')))}\n"


def _training(emulator: NeuralEmulator, run: Path) -> Iterator[str]:
    settings = emulator.settings
    for number, stage in enumerate(settings.stages, start=1):
        default = {key: field.default for key, field in StageSettings.model_fields.items()}
        own = {key: value for key, value in stage.model_dump().items() if value != default[key]}
        yield f"{number}. " + ", ".join(f"{key} {_plain(value)}" for key, value in own.items())
    rows = read_metrics(run)
    score, _ = kept_score(run)
    seconds = max(row["seconds"] for row in rows)
    where = _environment(run)
    yield (
        f"\nSeed {settings.seed}, {settings.dtype}, {seconds:.0f} seconds{where}. Best validation score "
        f"{score:.4g} (geometric mean of the pooled VRMSE of frames 1, 6:12, 13:30 of new starts).\n"
    )


def _environment(run: Path) -> str:
    try:
        told = json.loads((run / "environment.json").read_text(encoding="utf-8"))
        return f" on {told['processor']} ({told['threads']} threads, torch {told['torch']})"
    except (OSError, ValueError, KeyError):
        return ""


def _scores(run: Path, results: Sequence[Path]) -> Iterator[str]:
    found = [row for folder in results for row in load_rows(folder / "rows.json")]
    # baselines may stand in several evaluations
    rows = list({(r.model, r.split, r.regime, r.metric, r.window): r for r in reversed(found)}.values())[::-1]
    models = list(dict.fromkeys(row.model for row in rows))
    if run.resolve().name not in models:
        raise BadInputError(
            f"the results score {', '.join(models)}, not {run.resolve().name}; usual cure: the evaluation of "
            "this run"
        )
    splits = dict.fromkeys(
        row.split for row in rows if row.metric == "pooled_vrmse" and row.regime == ALL_REGIMES
    )
    yield (
        "Pooled VRMSE after four given frames (0 is perfect, 1 the spatial mean), 95 % intervals. This model "
        f"is the row {run.resolve().name}.\n"
    )
    for split in splits:
        yield f"`{split}`\n\n{format_table(rows, split=split).markdown()}"


def _reading(emulator: NeuralEmulator, data: Path) -> Iterator[str]:
    found = explain(emulator, data)
    yield f"Read by `pdenca explain` at {found.cells}, the time step taken out:\n"
    for reaction in found.reactions:
        yield f"    learned   d{reaction.field}/dt = {reaction.equation}"
        if reaction.true_equation is not None:
            yield f"    equation  d{reaction.field}/dt = {reaction.true_equation}"
    yield ""
    for number, field in enumerate(found.fields):
        own = found.step.diffusivities[number]
        if found.step.exact_diffusivities is not None:
            exact = found.step.exact_diffusivities[number]
            yield f"- the diffusivity of {field} in a whole step is {own:.4g}, in the exact flow {exact:.4g}"
    yield ""


def _limits(emulator: NeuralEmulator) -> Iterator[str]:
    scales = emulator.scales
    yield (
        f"- Parameters: trained on {_ranges(emulator)}"
        + (f", {len(set(scales.parameter_pairs))} sets only" if len(set(scales.parameter_pairs)) < 10 else "")
        + "; beyond and between them nothing is promised. `pdenca rollout` warns."
    )
    values = ", ".join(
        f"{name} {low:.3g} to {high:.3g}"
        for name, low, high in zip(scales.field_names, scales.field_low, scales.field_high, strict=True)
    )
    yield f"- Concentrations: {values}; a rule that was fitted to data is a guess outside of them."
    yield (
        f"- Cells of {scales.spacing:g}: what it learnt to correct is the error of that grid. The other "
        "constants of the equation are fixed."
    )
    yield "- Chaotic patterns part from the truth in time, as those of any solver do.\n"


def _named(emulator: NeuralEmulator, pair: tuple[float, ...]) -> str:
    names = emulator.scales.parameter_names
    return ", ".join(f"{name} {value:g}" for name, value in zip(names, pair, strict=True))


def _ranges(emulator: NeuralEmulator) -> str:
    columns = zip(*emulator.scales.parameter_pairs, strict=True)
    parts = [
        f"{name} {format_number(min(values))} to {format_number(max(values))}"
        for name, values in zip(emulator.scales.parameter_names, columns, strict=True)
    ]
    return ", ".join(parts) or "no parameter"


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
