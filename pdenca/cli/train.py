"""`pdenca train`: from a dataset to an emulator."""

from pathlib import Path

import click

from .door import Assignment, BadArgument, Names, examples, on_interrupt
from .progress import Progress, training_course

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
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="RUN", help="Folder of the run."
)
@click.option(
    "--mode",
    type=click.Choice(tuple(MODES)),
    help="What counts: predictions frame by frame, or where the automaton comes to rest beside the last "
    "frames (of a steady-* dataset). Default: as the model's settings say.",
)
@click.option(
    "--model",
    metavar="NAME",
    help="An automaton (mlp, polynomial, founding-paper, steady), a network (cnn, unet, fno, tfno; in "
    "published sizes unet-well, cnextunet-well, fno-well, tfno-well, fno-pdebench, unet-pdebench), "
    "or a TOML file like theirs. Default: mlp, with --mode equilibrium steady.",
)
@click.option("--seed", type=int, metavar="N", help="Of initial weights, windows, noise and masks.")
@click.option("--regimes", type=Names("regime"), metavar="A,B", help="Train on these only; default: all.")
@click.option(
    "--set",
    "assignments",
    type=Assignment(),
    multiple=True,
    help="Any other setting, e.g. model.radius=2 or stages.0.num_steps=20.",
)
@click.option("--resume", is_flag=True, help="Continue the run in RUN; the result is the same bit for bit.")
@click.option(
    "--threads", type=click.IntRange(min=1), metavar="N", help="Threads of the processor; default: all."
)
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
    import torch

    from pdenca.tasks.emulation import load_experiment, train_emulator
    from pdenca.tasks.training_record import kept_score

    if threads is not None:
        torch.set_num_threads(threads)
    overrides = dict(assignments)
    if seed is not None:
        overrides["seed"] = str(seed)
    settings = load_experiment(model or MODES[mode or "rollout"], overrides)
    if mode is not None and settings.validation != mode:
        raise BadArgument(
            f"--mode {mode} with --model {model}, whose best model is chosen by its {settings.validation}; "
            f"expected --mode {settings.validation}, or --set validation={mode}"
        )
    with (
        on_interrupt("run the same command with --resume to go on where it stopped"),
        Progress("train") as bar,
    ):
        run = train_emulator(
            data,
            out,
            settings,
            resume=resume,
            regimes=regimes,
            progress=training_course(bar),
            compile_steps=compile_steps,
        )
    score, untrained = kept_score(run)
    remark = ", that of the untrained model: no step made it better" if untrained else ""
    click.echo(f"{run}: trained, best validation score {score:.3g}{remark}")
    command = "steady" if settings.validation == "equilibrium" else "evaluate"
    click.echo(f"next: pdenca {command} {run} --data {data}")
