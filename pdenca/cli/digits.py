"""`pdenca digits`: handwritten digits on the same automata."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .digit_training import DATA, DATA_DIR, SAMPLE, train_on_digits, training_options
from .door import examples
from .options import AS_JSON, RUN
from .progress import Progress

if TYPE_CHECKING:
    from pdenca.tasks.digits import Judgement

_TRY = "--sample --set num_epochs=3 --set num_valid=200 --set batch_size=16 --out runs/try"


@click.group(
    "digits",
    short_help="Handwritten digits: tell them apart at an equilibrium, restore damaged ones.",
    epilog=examples(
        "pdenca digits classify train --out runs/digits",
        "pdenca digits classify evaluate runs/digits",
        "pdenca digits restore train --out runs/memory",
    ),
)
def digits_command() -> None:
    """Tasks on handwritten digits, on the same automata, training loop and equilibria as everything else."""


@digits_command.group(
    "classify",
    short_help="Train and judge classifiers.",
    epilog=examples(
        f"pdenca digits classify train {_TRY}", "pdenca digits classify evaluate runs/try --sample"
    ),
)
def classify_command() -> None:
    """Tell digits apart: an automaton is iterated to its equilibrium, and the class is read off there."""


@classify_command.command(
    "train",
    short_help="Train a classifier.",
    epilog=examples(
        "pdenca digits classify train --out runs/digits",
        f"pdenca digits classify train {_TRY}",
        "pdenca digits classify train --data-dir mnist --model explicit --seed 1 --out runs/explicit",
        "pdenca digits classify train --data letters --out runs/reader",
    ),
)
@training_options(
    model="implicit",
    models="implicit, unrolled (the same cell, back-propagated through), explicit (a stack of convolutions), "
    "or a TOML file like theirs.",
    seeds="Of initial weights, held-out digits and batches.",
    example="num_epochs=3 or network.largest_norm=0.8",
)
def train_classifier_command(**flags: Any) -> None:  # noqa: ANN401  # those of training_options
    """Train a classifier of digits, chosen by a held-out part of the training digits.

    RUN becomes a folder with the settings, the course of the training (metrics.csv), the last and the best
    parameters (safetensors) and the environment.
    """
    from pdenca.tasks.digits import load_digit_experiment, train_classifier
    from pdenca.tasks.digits.classify import with_classes_of

    train_on_digits(
        load_digit_experiment,
        lambda digits, run, settings, **more: train_classifier(
            digits, run, with_classes_of(digits, settings), **more
        ),
        "cross-entropy",
        "pdenca digits classify evaluate",
        **flags,
    )


@classify_command.command(
    "evaluate",
    short_help="Judge a classifier on the test digits.",
    epilog=examples(
        "pdenca digits classify evaluate runs/digits",
        "pdenca digits classify evaluate runs/digits --data-dir mnist --json",
    ),
)
@RUN
@DATA
@DATA_DIR
@SAMPLE
@click.option(
    "--spectra",
    type=click.IntRange(min=0),
    default=4,
    show_default=True,
    metavar="N",
    help="Find the spectral radius at the equilibria of so many digits.",
)
@AS_JSON
def evaluate_classifier_command(
    run: Path, data: str, data_dir: Path | None, sample: bool, spectra: int, as_json: bool
) -> None:
    """Judge the best model of RUN on the test digits, and whether its equilibria are ones."""
    from pdenca.datasets.digits.families import load_family
    from pdenca.tasks.digits import evaluate_classifier, load_classifier

    load_classifier(run)  # a wrong RUN is told before anything is fetched
    digits = load_family(data, "test", data_dir, sample=sample)
    with Progress("evaluate", "digits") as bar:
        found = evaluate_classifier(
            run, digits, num_spectra=spectra, progress=lambda done, total: bar.update(done, total)
        )
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=1))
    else:
        for line in _sentences(found):
            click.echo(line)


def _sentences(found: "Judgement") -> list[str]:
    lines = [
        f"accuracy {found.accuracy:.2%} on {found.num_images} test digits, 95 % interval {found.low:.2%} to "
        f"{found.high:.2%}",
        f"parameters {found.num_parameters}, {found.seconds:.1f} s",
    ]
    if found.accuracy_after_one is not None:
        lines.append(f"accuracy {found.accuracy_after_one:.2%} with one iteration instead")
        lines.append(
            f"relative residual {found.residual_median:.1e} (median), {found.residual_worst:.1e} (worst), "
            f"after {found.iterations_mean:.1f} iterations (mean), {found.iterations_most} (most)"
        )
    if found.share_converged is not None:
        lines.append(f"equilibrium found to tolerance for {found.share_converged:.2%} of the digits")
    if found.spectral_radius is not None:
        stable = "stable" if found.spectral_radius < 1 else "not stable"
        lines.append(
            f"spectral radius at the equilibria of {found.num_spectra} digits: at most "
            f"{found.spectral_radius:.3f}, {stable}"
        )
    return lines
