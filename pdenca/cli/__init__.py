"""The door of pdenca: flags become settings here and go no further.

Nothing heavy is loaded before a command runs, so that help answers at once.
"""

import click

from .basins import basins_command
from .check import check_command, info_command
from .convert import convert_command
from .demo import demo_command
from .digits import digits_command
from .door import Door, examples
from .evaluate import evaluate_command
from .explain import explain_command
from .generate import generate_command
from .images import images_command
from .images_reproduce import reproduce_images_command
from .import_images import import_images_command
from .letters import letters_command
from .metanca import metanca_command
from .metanca_reproduce import reproduce_meta_command
from .pictures import plot_command, report_command
from .repair import repair_command
from .reproduce import reproduce_command
from .restore import restore_command
from .restore_pictures import landscape_command, regrow_command
from .rollout import rollout_command
from .simulate import simulate_command
from .steady import steady_command
from .sweep import sweep_command
from .train import train_command


@click.group(
    "pdenca",
    cls=Door,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples("pdenca demo --out demo", "pdenca generate gray-scott --out data"),
)
@click.version_option(package_name="pdenca", prog_name="pdenca")
@click.pass_context
def cli(context: click.Context) -> None:
    """Learn the local rule behind a pattern-forming system, and prove how far it can be trusted."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for _command in (
    demo_command,
    simulate_command,
    generate_command,
    convert_command,
    import_images_command,
    check_command,
    repair_command,
    info_command,
    train_command,
    evaluate_command,
    sweep_command,
    rollout_command,
    explain_command,
    steady_command,
    report_command,
    plot_command,
    digits_command,
    metanca_command,
    images_command,
):
    cli.add_command(_command)
digits_command.add_command(restore_command)
digits_command.add_command(letters_command)
restore_command.add_command(landscape_command)
restore_command.add_command(regrow_command)
restore_command.add_command(basins_command)
digits_command.add_command(reproduce_command)
metanca_command.add_command(reproduce_meta_command)
images_command.add_command(reproduce_images_command)


def main() -> None:
    """Run the command line; the entry point of the program ``pdenca``."""
    cli()


__all__ = ["cli", "main"]
