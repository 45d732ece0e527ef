"""`pdenca digits restore`: damaged digits made whole by a cellular automaton with a neural gate."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .digit_training import DATA, DATA_DIR, SAMPLE, families, train_on_digits, training_options
from .door import BadArgument, KnownName, examples
from .options import AS_JSON, REQUIRED_PNG, RUN
from .progress import Progress

if TYPE_CHECKING:
    from pdenca.tasks.digits.restoration import Damage

_KINDS = ("pixels", "blocks", "strokes", "noise")
_KIND = click.option(
    "--damage", "kind", type=click.Choice(_KINDS), help="Other damage than in training; default: the same."
)
_SHARE = click.option(
    "--share",
    type=click.FloatRange(0, 0.95),
    metavar="SHARE",
    help="How much of it: share of the pixels, or standard deviation of the noise; default: as in training.",
)
_TRY = "--sample --model memory --set num_steps=40 --set validate_every=20 --set num_valid=200 --out runs/try"


@click.group(
    "restore",
    short_help="Make damaged digits whole.",
    epilog=examples(
        f"pdenca digits restore train {_TRY}", "pdenca digits restore evaluate runs/try --sample"
    ),
)
def restore_command() -> None:
    """Restore digits most of whose pixels are blanked: a local rule, corrected by a gate that sees all."""


@restore_command.command(
    "train",
    short_help="Train a restorer.",
    epilog=examples(
        "pdenca digits restore train --model memory --out runs/memory",
        f"pdenca digits restore train {_TRY}",
        "pdenca digits restore train --model hybrid --set damage.kind=blocks --set damage.share=0.4 "
        "--out runs/blocks",
        "pdenca digits restore train --model memory --start runs/memory --set trained=gate --data letters "
        "--set replay=0.5 --replay-data mnist --out runs/letters",
    ),
)
@click.option(
    "--start",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Begin with the best parameters of a run of the same model; with --set trained=gate all but the "
    "gate stay as they are.",
)
@click.option(
    "--replay-data",
    type=KnownName("images", families),
    metavar="[mnist|fashion-mnist|emnist-letters|letters]",
    help="What is not to be forgotten: --set replay=0.5 takes half of every batch from it.",
)
@click.option(
    "--replay-dir", type=click.Path(path_type=Path), metavar="DIR", help="Its folder, as --data-dir is."
)
@training_options(
    model="memory",
    models="memory (a hybrid of our own), memory-ca and memory-gate (its two halves); attractors (an "
    "associative memory of ours); hybrid, hybrid-late, ca, gate (the recipe of the post, the gate from step "
    "5 on, and its two halves); auto-encoder, u-net; or a TOML file like theirs.",
    seeds="Of initial weights, held-out digits, batches, damage.",
    example="num_steps=2000 or damage.share=0.5",
)
def train_restorer_command(
    start: Path | None,
    replay_data: str | None,
    replay_dir: Path | None,
    **flags: Any,  # noqa: ANN401  # those of training_options
) -> None:
    """Train a restorer of digits, chosen by its error on a held-out part of the training digits.

    RUN becomes a folder with the settings, the course of the training (metrics.csv), the last and the best
    parameters (safetensors) and the environment.
    """
    from pdenca.datasets.digits.families import load_family
    from pdenca.tasks.digits.restoration import load_restoration, train_restorer

    if replay_dir is not None and replay_data is None:
        raise BadArgument("--replay-dir is the folder of --replay-data, which is missing")
    replayed = None
    if replay_data is not None:
        replayed = load_family(replay_data, "train", replay_dir, sample=flags["sample"])
    train = partial(train_restorer, start=start, replayed=replayed)
    command = "pdenca digits restore evaluate"
    train_on_digits(load_restoration, train, "mean squared error", command, **flags)


@restore_command.command(
    "evaluate",
    short_help="Judge restorers on the test digits.",
    epilog=examples(
        "pdenca digits restore evaluate runs/memory --judge runs/digits",
        "pdenca digits restore evaluate runs/memory runs/hybrid --fills --json",
        "pdenca digits restore evaluate runs/memory --damage blocks --share 0.4",
    ),
)
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@DATA
@DATA_DIR
@SAMPLE
@click.option(
    "--judge",
    "judges",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="A run of `pdenca digits classify train` that says which digit it sees; any number of them.",
)
@click.option(
    "--fills",
    is_flag=True,
    help="Beside them what needs no training: the input as it is, a harmonic fill, a Hopfield network of the "
    "training digits.",
)
@click.option(
    "--without-gate", is_flag=True, help="Beside every hybrid what it does when its gate is removed."
)
@click.option(
    "--wound",
    type=click.FloatRange(0, 1, min_open=True),
    metavar="SHARE",
    help="Beside every model made of cells what it does when this share of them is zeroed after half of the "
    "steps.",
)
@click.option(
    "--steps", type=click.IntRange(min=1), metavar="N", help="Run models made of cells for N steps."
)
@_KIND
@_SHARE
@AS_JSON
def evaluate_restorers_command(
    runs: tuple[Path, ...],
    data: str,
    data_dir: Path | None,
    sample: bool,
    judges: tuple[Path, ...],
    fills: bool,
    without_gate: bool,
    wound: float | None,
    steps: int | None,
    kind: str | None,
    share: float | None,
    as_json: bool,
) -> None:
    """Judge the best models of the RUNs, all on the same damaged test digits.

    PSNR is the mean over the images (data range 1), with its 95 % interval; the next columns say what the
    same errors would read with a data range of 2, and as the ratio of the mean error. The last ones are the
    shares of digits that the judges tell right. *mask*: whether a model is told which pixels are known.
    """
    from pdenca.datasets.digits.families import load_family
    from pdenca.tasks.digits import load_classifier
    from pdenca.tasks.digits.judging import check_classes
    from pdenca.tasks.digits.restoration import (
        LATTICES,
        describe,
        judge_restorer,
        load_restorer,
        shown_to,
    )
    from pdenca.tasks.digits.restoration.fills import training_free

    loaded = {run.name or str(run): load_restorer(run) for run in runs}
    if len(loaded) < len(runs):
        raise BadArgument("two RUNs have the same name; usual cure: other names, or one at a time")
    damages = {_other(settings.damage, kind, share) for _, settings in loaded.values()}
    if len(damages) > 1:
        raise BadArgument(
            "the RUNs restore different damage: "
            + "; ".join(sorted(damage.describe() for damage in damages))
            + "; usual cure: those of one kind at a time, or --damage and --share"
        )
    (damage,) = damages
    told = {run.name or str(run): load_classifier(run) for run in judges}
    if len(told) < len(judges):
        raise BadArgument("two judges have the same name; usual cure: other names, or one at a time")
    kinds = {model.settings.kind for model, _ in loaded.values()}
    for flag, given, fits, needed in (
        ("--steps", steps is not None, LATTICES, "a model made of cells"),
        ("--wound", wound is not None, LATTICES, "a model made of cells"),
        ("--without-gate", without_gate, ("hybrid",), "a hybrid"),
    ):
        if given and not kinds & set(fits):
            raise BadArgument(f"{flag} needs {needed}, and none of the RUNs is one; usual cure: leave it out")
    digits = load_family(data, "test", data_dir, sample=sample)
    for judge in told.values():
        check_classes(judge, digits)
    restorers: dict[str, tuple[Any, dict[str, Any]]] = {}
    for name, (model, _) in loaded.items():
        with_cells = model.settings.kind in LATTICES
        many = {"num_steps": steps} if with_cells else {}
        restorers[name] = (model, many)
        if without_gate and model.settings.kind == "hybrid":
            restorers[f"{name} without its gate"] = (model.without_gate(), many)
        if wound is not None and with_cells:
            restorers[f"{name}, {100 * wound:g} % of the cells zeroed"] = (model, {**many, "wound": wound})
    others = training_free(load_family(data, "train", data_dir, sample=sample), damage) if fills else {}
    found = []
    restorers |= {name: (fill, {}) for name, fill in others.items()}
    shown = {name: shown_to(restorer) for name, (restorer, _) in restorers.items()}
    for name, (restorer, how) in restorers.items():
        with Progress(f"evaluate {name}", "digits") as bar:
            found.append(
                judge_restorer(
                    name,
                    restorer,
                    digits,
                    damage,
                    told,
                    progress=lambda done, total: bar.update(done, total),
                    **how,
                )
            )
    if as_json:
        rows = [
            {**item.to_dict(), "mask": shown[item.name][0], "known_pixels": shown[item.name][1]}
            for item in found
        ]
        click.echo(json.dumps({"damage": damage.describe(), "models": rows}, indent=1))
        return
    click.echo(f"{damage.describe()}, {len(digits)} test images")
    for line in describe(found, shown):
        click.echo(line)


@restore_command.command(
    "show",
    short_help="Draw how digits are restored.",
    epilog=examples("pdenca digits restore show runs/memory --png film.png"),
)
@RUN
@DATA
@DATA_DIR
@SAMPLE
@click.option(
    "--digits",
    "num_digits",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    metavar="N",
    help="The first N test digits.",
)
@_KIND
@_SHARE
@REQUIRED_PNG
def show_restorer_command(
    run: Path,
    data: str,
    data_dir: Path | None,
    sample: bool,
    num_digits: int,
    kind: str | None,
    share: float | None,
    png: Path,
) -> None:
    """Draw the first test digits: as they are, damaged, and what could be read off step by step."""
    from pdenca import plots
    from pdenca.datasets.digits.families import load_family
    from pdenca.tasks.digits.restoration import film_strip, load_restorer

    model, settings = load_restorer(run)
    digits = load_family(data, "test", data_dir, sample=sample)
    damage = _other(settings.damage, kind, share)
    plots.save(film_strip(model, digits, damage, num_digits), png, 200)
    click.echo(f"{png}: {png.stat().st_size / 1e3:.2g} kB")


def _other(damage: "Damage", kind: str | None, share: float | None) -> "Damage":
    """Return the damage of a training with what is to be different."""
    told = {"kind": kind, "share": share}
    return damage.replace(**{name: value for name, value in told.items() if value is not None})
