"""What stands beside the rules: networks that no rule writes, and what a rule of learning has to beat."""

import math
import statistics
from collections.abc import Sequence
from typing import Any, Final

from pdenca.automaton import Automaton, Lesson
from pdenca.datasets.tables import Examples, Standardising

from ...measuring import by_count
from ...phases import Tell
from ..baselines import judged, random_network, train_by_gradients
from ..evaluation import judge_networks
from ..model import writer
from ..settings import MetaSettings
from .plan import architectures

LINEAR_EPOCHS: Final = 30
LINEAR_EXAMPLES: Final = 40_000
"""Few examples are passed through more often, until so many have been seen."""
LINEAR_CHOICES: Final = (0.0, 0.2)
"""A linear classifier is trained on a whole lesson, and on what is left when some is held out to choose."""


def judge_trained(
    own: Examples,
    test: Examples,
    num_epochs: int,
    seed: int,
    tell: Tell,
    *,
    copied: Sequence[tuple[int, ...]] | None = None,
) -> dict[str, Any]:
    """Train every architecture by Adam; or only some of them, and copy the best of these into all others.

    Arguments:
        own, test: examples to train on and to judge by.
        num_epochs: passes through the first.
        seed: of weights and order.
        tell: told how many are trained.
        copied: the widths of those that are trained; None: all are, and nothing is copied.
    """
    every = architectures(own.inputs.shape[1], len(own.classes))
    trained = every if copied is None else copied
    found = []
    for number, widths in enumerate(trained):
        found.append(train_by_gradients(own, widths, num_epochs=num_epochs, seed=seed))
        tell(number + 1, len(trained), "-".join(map(str, widths)))
    if copied is not None:
        best = min(found, key=lambda network: network.held_out)
        found = [best if widths == best.widths else best.copied(widths, seed=seed) for widths in every]
    return {
        "networks": [
            {**network.score(test).to_dict(), "trained": math.isfinite(network.held_out)} for network in found
        ]
    }


def judge_random(own: Examples, test: Examples, num_samples: int, seed: int, tell: Tell) -> dict[str, Any]:
    """Judge as many networks of every architecture as a rule writes, as torch begins them."""
    scaled = Standardising.of(own, common=True)(test)
    every, found = architectures(own.inputs.shape[1], len(own.classes)), []
    for number, widths in enumerate(every):
        seeds = range(seed * num_samples, (seed + 1) * num_samples)
        right = [judged(random_network(widths, seed=own_seed), scaled)[1] for own_seed in seeds]
        told = {"accuracy": statistics.mean(right), "lowest": min(right), "highest": max(right)}
        name = "-".join(map(str, widths))
        found.append({"network": name, **told, "deviation": statistics.stdev(right), "trained": False})
        tell(number + 1, len(every), name)
    return {"networks": found}


def judge_learner(
    model: Automaton,
    settings: MetaSettings,
    own: Examples,
    test: Examples,
    num_samples: int,
    seed: int,
    tell: Tell,
) -> dict[str, Any]:
    """Show a rule of learning examples and judge what it writes, beside linear classifiers.

    Arguments:
        model: the rule.
        settings: with networks for these data; those with hidden layers are also judged with twice the width.
        own, test: examples to be shown of and to judge by, not standardised.
        num_samples: of every network.
        seed: of starts and of what is shown.
        tell: told how many networks are judged.
    """
    scale = Standardising.of(own, common=bool(own.image_shape))
    deep = [widths for widths in settings.widths if len(widths) > 2]
    wider = [(widths[0], *(2 * width for width in widths[1:-1]), widths[-1]) for widths in deep]
    found = judge_networks(
        model,
        settings,
        scale,
        test,
        [*settings.widths, *wider],
        num_samples=num_samples,
        lesson=own,
        seed=seed,
        progress=by_count(tell),
    )
    shown = writer(model, settings.rule, settings.widths[:1]).shown(own, seed).lattice.lesson
    assert isinstance(shown, Lesson), "the rule learns"
    lesson = Examples(shown.inputs, shown.labels, own.classes, own.image_shape)
    linear, ends = {}, (own.inputs.shape[1], len(own.classes))
    for name, examples in (("lesson", lesson), ("all", own)):
        epochs = max(LINEAR_EPOCHS, LINEAR_EXAMPLES // len(examples))
        rivals = [
            train_by_gradients(examples, ends, num_epochs=epochs, held_out=share, seed=seed)
            for share in LINEAR_CHOICES
        ]
        linear[name] = max(rival.score(test).accuracy for rival in rivals)  # the better one counts
    return {
        "networks": [item.to_dict() for item in found],
        "linear": linear,
        "shown": len(lesson),
        "examples": len(own),
    }
