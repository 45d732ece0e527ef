"""`pdenca explain`: the rule made readable."""

from pathlib import Path

import click

from .door import BadArgument, examples
from .options import PictureFile, seed_of
from .progress import console


@click.command(
    "explain",
    short_help="Write a learned rule as derivatives and an equation.",
    epilog=examples(
        "pdenca explain runs/mlp --data data",
        "pdenca explain runs/mlp --data data --json rule.json --figure rule.pdf",
        "pdenca explain --pretrained gray-scott",
    ),
)
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option("--pretrained", metavar="NAME", help="A model that comes with pdenca, instead of RUN.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The dataset of the training; its cells say where the reaction matters. Default: that of the "
    "evaluation of RUN, if there was one, else the box of the training range.",
)
@click.option(
    "--tolerance",
    type=float,
    default=0.05,
    show_default=True,
    metavar="SHARE",
    help="What is left of a rate below this share is not worth another term.",
)
@seed_of("the choice of cells")
@click.option("--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write all of it.")
@click.option(
    "--figure",
    type=PictureFile(),
    metavar="FILE",
    help="Kernels and their errors, .png/.pdf/.svg.",
)
def explain_command(
    run: Path | None,
    pretrained: str | None,
    data: Path | None,
    tolerance: float,
    seed: int,
    json_file: Path | None,
    figure: Path | None,
) -> None:
    """Write the rule of RUN as derivatives and an equation, beside the true ones.

    Kernels: which derivatives they take and how far they are from the exact ones. The whole step: what it
    does to a wave. The reaction: a sparse polynomial found without knowing the equation, then the equation's
    own terms with the learned coefficients.
    """
    from pdenca.core import write_text
    from pdenca.evaluation import ResultsTable
    from pdenca.plots import save
    from pdenca.tasks.explanation import data_of, describe, draw, explain, single_run, to_json
    from pdenca.tasks.models import load_run
    from pdenca.tasks.pretrained import load_pretrained

    if (run is None) == (pretrained is None):
        raise BadArgument("expected either RUN or --pretrained NAME, and not both")
    if pretrained is not None:
        emulator = load_pretrained(pretrained)
    else:
        assert run is not None, "checked above"
        path = single_run(run)
        emulator = load_run(path)
        data = data or data_of(path)
    found = explain(emulator, data, tolerance=tolerance, seed=seed)
    out = console()
    for part in describe(found):
        if isinstance(part, ResultsTable):
            out.print(part.rich())
        else:
            out.print(part, markup=False, soft_wrap=True)
            out.print()
    if json_file is not None:
        write_text(json_file, to_json(found))
        click.echo(f"{json_file}: everything above, and the taps")
    if figure is not None:
        save(draw(found), figure, 200)
        click.echo(f"{figure}: kernels and their errors")
