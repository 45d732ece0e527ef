"""`pdenca metanca`: rules that write the weights of other networks."""

import json
from pathlib import Path

import click

from .digit_training import SAMPLE
from .door import BadArgument, Names, examples, on_interrupt
from .options import AS_JSON, DEVICE, REQUIRED_PNG, RESUME, RUN, RUN_OUT, THREADS, seed_of, setting
from .progress import Progress, training_course
from .training import ADVICE, overrides_of, tell_trained, use_threads

DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder with the four IDX files of the rule's images, or of those it is taught; default: the "
    "variable PDENCA_DATA, or else the cache.",
)
SAMPLES = click.option(
    "--samples",
    "num_samples",
    type=click.IntRange(min=2),
    default=100,
    show_default=True,
    metavar="N",
    help="Of every network.",
)
STEPS = click.option(
    "--steps", "num_steps", type=click.IntRange(min=1), metavar="N", help="Local steps; default: as trained."
)
SEED = seed_of("starts and firing")


@click.group(
    "metanca",
    short_help="Rules that write the weights of other networks.",
    epilog=examples("pdenca metanca train --model iris --out runs/iris", "pdenca metanca evaluate runs/iris"),
)
def metanca_command() -> None:
    """Rules that write the weights of other networks.

    Every weight is a cell; it sees itself and its neighbours in the network, and one small rule updates all.
    """


@metanca_command.command(
    "train",
    short_help="Train a rule through the networks that it writes.",
    epilog=examples(
        "pdenca metanca train --model iris --out runs/iris",
        "pdenca metanca train --model iris --set pool_size=32 --set num_damaged=1 --out runs/robust",
        "pdenca metanca train --model mnist-14 --sample --set num_steps=40 --out runs/try",
    ),
)
@RUN_OUT
@click.option(
    "--model",
    default="iris",
    show_default=True,
    metavar="NAME",
    help="iris, mnist, mnist-14 (means over 2 x 2 pixels) or learner; or a TOML file like theirs.",
)
@click.option("--networks", type=Names("network"), metavar="A,B", help="Trained on these, e.g. 784-30-10.")
@click.option("--seed", type=int, metavar="N", help="Of the rule, held-out examples, starts and batches.")
@setting("num_steps=2000 or rule.num_hidden=16")
@RESUME
@DATA_DIR
@SAMPLE
@DEVICE
@THREADS
def train_meta_command(
    out: Path,
    model: str,
    networks: tuple[str, ...] | None,
    seed: int | None,
    assignments: tuple[tuple[str, str], ...],
    resume: bool,
    data_dir: Path | None,
    sample: bool,
    device: str,
    threads: int | None,
) -> None:
    """Train a rule, chosen by the cross-entropy of fresh networks on held-out training examples.

    RUN becomes a folder with the settings, the course of the training (metrics.csv), the last and the best
    parameters (safetensors) and the environment.
    """
    from pdenca.core import device_named
    from pdenca.tasks.metanca import load_meta, train_meta
    from pdenca.tasks.metanca.data import load_examples

    use_threads(threads)
    where_to = device_named(device)
    overrides = overrides_of(assignments, seed)
    if networks is not None:
        overrides["networks"] = json.dumps(networks)
    settings = load_meta(model, overrides)
    own = load_examples(settings, "train", data_dir, sample=sample)
    with on_interrupt(ADVICE), Progress("train") as bar:
        run = train_meta(own, out, settings, resume=resume, progress=training_course(bar), device=where_to)
    where = " --sample" if sample else "" if data_dir is None else f" --data-dir {data_dir}"
    tell_trained(run, "cross-entropy on held-out examples", f"pdenca metanca evaluate {run}{where}")


@metanca_command.command(
    "evaluate",
    short_help="Judge the networks that a rule writes.",
    epilog=examples(
        "pdenca metanca evaluate runs/iris",
        'pdenca metanca evaluate runs/iris --networks 4-15-3,4-10-10-3 --signals "all,no neighbours"',
        "pdenca metanca evaluate runs/learner --taught iris",
    ),
)
@RUN
@click.option(
    "--networks", type=Names("network"), metavar="A,B", help="To write; default: those of the training."
)
@SAMPLES
@STEPS
@click.option(
    "--signals",
    type=Names("signal"),
    default="all",
    show_default=True,
    metavar="A,B",
    help="What the rule is given: all, codes permuted, no codes, no neighbours; untrained: it does nothing.",
)
@click.option(
    "--taught",
    metavar="DATA",
    help="Other data for a rule that learns (rule.lesson_size): iris, mnist, fashion-mnist or letters, the "
    "last three also with -14. It is shown their training examples and judged by their test examples.",
)
@SEED
@DATA_DIR
@SAMPLE
@DEVICE
@AS_JSON
def evaluate_meta_command(
    run: Path,
    networks: tuple[str, ...] | None,
    num_samples: int,
    num_steps: int | None,
    signals: tuple[str, ...],
    taught: str | None,
    seed: int,
    data_dir: Path | None,
    sample: bool,
    device: str,
    as_json: bool,
) -> None:
    """Let the best rule of RUN write networks from fresh starts, and judge them by the test examples.

    Accuracy: mean over the samples [worst, best]. Differ: share of examples on which two samples differ.
    Alike: mean cosine between the weights of two samples.
    """
    from pdenca.automaton import widths_from_name
    from pdenca.core import device_named
    from pdenca.datasets.tables import Standardising
    from pdenca.tasks.metanca.data import load_examples, of_other_data
    from pdenca.tasks.metanca.evaluation import SIGNALS, judge_networks
    from pdenca.tasks.metanca.settings import DATA
    from pdenca.tasks.metanca.training import load_meta_run

    for name in signals:
        if name not in SIGNALS:
            raise BadArgument(f"there is no signal {name!r}; expected some of {', '.join(SIGNALS)}")
    model, settings, scale = load_meta_run(run, device_named(device))
    learns = bool(settings.rule.lesson_size)
    if taught is not None:
        if not learns or taught not in DATA:
            known = f"one of {', '.join(DATA)}"
            wanted = known if learns else "nothing: this rule does not learn, rule.lesson_size is 0"
            raise BadArgument(f"--taught: got {taught!r}; expected {wanted}")
        settings = of_other_data(settings, taught)  # type: ignore[arg-type]  # one of them, as was checked
    lesson = load_examples(settings, "train", data_dir, sample=sample) if learns else None
    if taught is not None and lesson is not None:
        scale = Standardising.of(lesson, common=bool(lesson.image_shape))
    widths = [widths_from_name(name) for name in (networks or settings.networks)]
    data = load_examples(settings, "test", data_dir, sample=sample)
    found = []
    for name in signals:
        with Progress(f"evaluate, {name}", "networks") as bar:
            found += judge_networks(
                model,
                settings,
                scale,
                data,
                widths,
                num_samples=num_samples,
                num_steps=num_steps,
                signals=name,  # type: ignore[arg-type]  # one of them, as was checked
                lesson=lesson,
                seed=seed,
                progress=lambda done, total: bar.update(done, total),
            )
    if as_json:
        click.echo(json.dumps([item.to_dict() for item in found], indent=1))
        return
    click.echo(f"{len(data)} test examples, {num_samples} samples of every network")
    click.echo("| network | trained on | signals | accuracy, % | cross-entropy | differ, % | alike |")
    click.echo("|---|---|---|---:|---:|---:|---:|")
    for item in found:
        right = f"{100 * item.accuracy:.2f} [{100 * item.lowest:.2f}, {100 * item.highest:.2f}]"
        click.echo(
            f"| {item.network} | {'yes' if item.trained else 'no'} | {item.signals} | {right} "
            f"| {item.cross_entropy:.3g} | {100 * item.disagreement:.2f} | {item.similarity:.3f} |"
        )


@metanca_command.command(
    "sample",
    short_help="Write networks to a file.",
    epilog=examples("pdenca metanca sample runs/iris 4-15-3 --out networks.safetensors"),
)
@RUN
@click.argument("network")
@click.option(
    "--samples",
    "num_samples",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="How many.",
)
@STEPS
@SEED
@DATA_DIR
@SAMPLE
@DEVICE
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A safetensors file: for sample k, k.0.weight, k.0.bias, k.2.weight and so on.",
)
def sample_meta_command(
    run: Path,
    network: str,
    num_samples: int,
    num_steps: int | None,
    seed: int,
    data_dir: Path | None,
    sample: bool,
    device: str,
    out: Path,
) -> None:
    """Write NETWORK, e.g. 784-30-10, as often as asked for, without a gradient step.

    A rule that learns (rule.lesson_size) is shown training examples meanwhile; other rules need no data.

    The tensors of sample k are the state of an ordinary torch.nn.Sequential of linear layers and activations.
    Its inputs have to be standardised by the mean and deviation in the file's metadata.
    """
    from pdenca.automaton import widths_from_name
    from pdenca.core import device_named
    from pdenca.tasks.metanca.data import load_examples
    from pdenca.tasks.metanca.sampling import sample_networks, save_networks

    if out.suffix != ".safetensors":
        raise BadArgument(f"{out.name!r} ends in {out.suffix!r}; expected .safetensors")
    networks = sample_networks(
        run,
        widths_from_name(network),
        num_samples,
        num_steps=num_steps,
        lesson=lambda settings: load_examples(settings, "train", data_dir, sample=sample),
        seed=seed,
        device=device_named(device),
    )
    save_networks(networks, out)
    click.echo(f"{out}: {num_samples} networks {network}")


@metanca_command.command(
    "show",
    short_help="Draw what becomes of networks over many local steps.",
    epilog=examples(
        "pdenca metanca show runs/iris 4-10-3 --png course.png",
        "pdenca metanca show runs/iris 4-10-3 --updates 300 --zero-outs 10 --png recovery.png",
    ),
)
@RUN
@click.argument("network")
@click.option(
    "--updates",
    "num_updates",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="Local steps.",
)
@click.option(
    "--zero-outs",
    "num_zero_outs",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="How often, evenly spread, a layer and 30 % of the other weights are zeroed.",
)
@click.option(
    "--samples",
    "num_samples",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="Networks.",
)
@SEED
@DATA_DIR
@SAMPLE
@DEVICE
@REQUIRED_PNG
def show_meta_command(
    run: Path,
    network: str,
    num_updates: int,
    num_zero_outs: int,
    num_samples: int,
    seed: int,
    data_dir: Path | None,
    sample: bool,
    device: str,
    png: Path,
) -> None:
    """Draw accuracy and cross-entropy of fresh networks, one line each, on the test examples."""
    from pdenca import plots
    from pdenca.automaton import widths_from_name
    from pdenca.core import device_named
    from pdenca.tasks.metanca.course import follow
    from pdenca.tasks.metanca.data import image_shape_of, load_examples
    from pdenca.tasks.metanca.model import writer
    from pdenca.tasks.metanca.training import check_networks, load_meta_run

    if num_zero_outs and num_zero_outs >= num_updates:
        raise BadArgument(f"{num_zero_outs} zero-outs do not fit in {num_updates} updates")
    model, settings, scale = load_meta_run(run, device_named(device))
    widths = widths_from_name(network)
    data = load_examples(settings, "test", data_dir, sample=sample)
    check_networks((widths,), data)
    bound = writer(model, settings.rule, (widths,), image_shape_of(settings))
    if settings.rule.lesson_size:
        bound = bound.shown(scale(load_examples(settings, "train", data_dir, sample=sample)), seed)
    gap = num_updates // (num_zero_outs + 1)
    with Progress("follow", "updates") as bar:
        course = follow(
            bound,
            scale(data),
            num_updates=num_updates,
            every=max(1, num_updates // 500),
            num_samples=num_samples,
            zero_outs=tuple(gap * (number + 1) for number in range(num_zero_outs)),
            seed=seed,
            progress=lambda done, total: bar.update(done, total),
        )
    times = course.updates.numpy()
    right, loss = 100 * course.accuracy.numpy(), course.cross_entropy.numpy()
    panels = {
        "accuracy": plots.LinePanel(
            {network: [(times, line) for line in right.T]}, "local updates", "accuracy", unit="%",
            scales=("linear", "linear"),
        ),
        "loss": plots.LinePanel(
            {network: [(times, line) for line in loss.T]}, "local updates", "cross-entropy"
        ),
    }  # fmt: skip
    plots.save(plots.line_panels(panels), png)
    best, stays = course.stays()
    click.echo(
        f"{network}: {right[-1].mean():.2f} % right after {num_updates} updates; least cross-entropy after "
        f"{best.double().median():.0f} (median), within 10 % of it for {stays.double().median():.0f} more"
    )
    click.echo(f"wrote {png}")
