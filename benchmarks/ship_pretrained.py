"""Make a run one of the models that come with the package, with a card.

    python benchmarks/ship_pretrained.py runs/mlp gray-scott --data data --results runs/mlp/evaluation

The name must stand in PRETRAINED (pdenca/tasks/pretrained.py). Everything in the card is read off the run,
its dataset and its evaluations; --note adds a paragraph.
"""

import argparse
from pathlib import Path

from pdenca.tasks.model_card import ship_model
from pdenca.tasks.pretrained import PRETRAINED

PLACE = Path(__file__).parent.parent / "pdenca" / "pretrained"


def main() -> None:
    """Copy the run's settings, scales and best parameters, and write the card."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("name", choices=list(PRETRAINED), help="of the model")
    parser.add_argument("--data", type=Path, help="the dataset of the training")
    parser.add_argument(
        "--results", type=Path, action="append", default=[], help="folder of an evaluation; may be repeated"
    )
    parser.add_argument("--note", default="", help="how it was made, what else is to be known")
    options = parser.parse_args()
    card = ship_model(
        options.run,
        PLACE / PRETRAINED[options.name],
        options.name,
        data=options.data,
        results=options.results,
        note=options.note,
    )
    print(f"{card}: {card.stat().st_size} bytes")


if __name__ == "__main__":
    main()
