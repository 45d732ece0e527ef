"""`pdenca train`: from a dataset to an emulator."""

from pathlib import Path

import click

from .door import BadArgument, Names, examples, on_interrupt
from .options import RESUME, RUN_OUT, THREADS, setting
from .progress import Progress, training_course
from .training import ADVICE, overrides_of, tell_trained, use_threads

MODES = {"rollout": "mlp", "equilibrium": "steady"}
"""Mode -> the model that is trained if none is named."""


@click.command(
    "train",
    short_help="Train an emulator on a dataset.",
    epilog=examples(
        "pdenca train data --out runs/mlp",
        "pdenca train data --out runs/poly --model polynomial --set stages.0.num_steps=20",
        "pdenca train data --out runs/paper/maze --model founding-paper --regimes maze",
        "pdenca train data --out runs/unet --model unet --set max_seconds=600",
        "pdenca train steady-data --out runs/steady --mode equilibrium",
    ),
)
@click.argument("data", type=click.Path(path_type=Path), metavar="DIR")
@RUN_OUT
@click.option(
    "--mode",
    type=click.Choice(tuple(MODES)),
    help="What counts: predictions frame by frame, or where the automaton comes to rest beside the last "
    "frames (of a steady-* dataset). Default: as the model's settings say.",
)
@click.option(
    "--model",
    metavar="NAME",
    help="An automaton (mlp, mlp-far, polynomial, founding-paper, founding-study, steady), a network (cnn, "
    "unet, fno, tfno; in published sizes unet-well, cnextunet-well, fno-well, tfno-well, fno-pdebench, "
    "unet-pdebench), or a TOML file like theirs. Default: mlp, with --mode equilibrium steady.",
)
@click.option("--seed", type=int, metavar="N", help="Of initial weights, windows, noise and masks.")
@click.option("--regimes", type=Names("regime"), metavar="A,B", help="Train on these only; default: all.")
@setting("model.radius=2 or stages.0.num_steps=20")
@RESUME
@THREADS
@click.option(
    "--compile",
    "compile_steps",
    is_flag=True,
    help="Compile the roll-outs: half a minute slower to start, then faster; rounding may differ.",
)
def train_command(
    data: Path,
    out: Path,
    mode: str | None,
    model: str | None,
    seed: int | None,
    regimes: tuple[str, ...] | None,
    assignments: tuple[tuple[str, str], ...],
    resume: bool,
    threads: int | None,
    compile_steps: bool,
) -> None:
    """Train an emulator on the dataset in DIR.

    RUN becomes a folder with the settings, the course of the training (metrics.csv), the last and the best
    parameters (safetensors) and the environment.
    """
    from pdenca.tasks.emulation import load_experiment, train_emulator

    use_threads(threads)
    settings = load_experiment(model or MODES[mode or "rollout"], overrides_of(assignments, seed))
    if mode is not None and settings.validation != mode:
        raise BadArgument(
            f"--mode {mode} with --model {model}, whose best model is chosen by its {settings.validation}; "
            f"expected --mode {settings.validation}, or --set validation={mode}"
        )
    with on_interrupt(ADVICE), Progress("train") as bar:
        run = train_emulator(
            data,
            out,
            settings,
            resume=resume,
            regimes=regimes,
            progress=training_course(bar),
            compile_steps=compile_steps,
        )
    command = "steady" if settings.validation == "equilibrium" else "evaluate"
    tell_trained(run, "validation score", f"pdenca {command} {run} --data {data}", "model")
