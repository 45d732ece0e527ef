"""How good the networks are that a rule writes, how they differ, and what the rule makes them from."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pdenca.automaton import Automaton, WeightPerception
from pdenca.core import BadInputError, device_of
from pdenca.datasets.tables import Examples, Standardising
from pdenca.training import step_generator

from .model import Writer, writer
from .settings import MetaSettings
from .training import check_networks

Signals = Literal["all", "codes permuted", "no codes", "no neighbours", "untrained"]
SIGNALS: Final[tuple[Signals, ...]] = ("all", "codes permuted", "no codes", "no neighbours", "untrained")
"""What is taken from a rule that was trained with all of it.

- all: nothing.
- codes permuted: the weights of a layer are told each other's place.
- no codes: every place is zeros.
- no neighbours: the means over neighbours are 0, as in a hypernetwork that knows places alone.
- untrained: the rule does nothing; the networks are random.
"""
_AT_ONCE: Final = 2**22  # numbers of hidden neurons in one piece of the evaluation


@dataclass(frozen=True)
class NetworkScore:
    """How good the sampled networks of one architecture are.

    Arguments:
        network: its widths.
        trained: whether the rule was trained on it.
        signals: what the rule was given.
        num_samples: how many were judged.
        accuracy: mean share of test examples that they tell right.
        lowest, highest: of a sample.
        deviation: standard deviation over the samples.
        cross_entropy: mean.
        disagreement: mean share of examples on which two samples differ.
        similarity: mean cosine of the angle between the weights of two samples; 1: they are the same.
    """

    network: str
    trained: bool
    signals: str
    num_samples: int
    accuracy: float
    lowest: float
    highest: float
    deviation: float
    cross_entropy: float
    disagreement: float
    similarity: float

    def to_dict(self) -> dict[str, Any]:
        """Return its numbers."""
        return asdict(self)


def judge_networks(
    automaton: Automaton,
    settings: MetaSettings,
    scale: Standardising,
    examples: Examples,
    networks: Sequence[tuple[int, ...]],
    *,
    num_samples: int = 100,
    num_steps: int | None = None,
    signals: Signals = "all",
    lesson: Examples | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[NetworkScore]:
    """Let a rule write networks from fresh random starts, and judge them.

    Arguments:
        automaton: the rule.
        settings: it was trained with.
        scale: inputs are standardised with.
        examples: to judge by, not yet standardised.
        networks: widths of each.
        num_samples: of every network, at least 2.
        num_steps: local steps; by default as many as in training.
        signals: what the rule is given, one of :data:`SIGNALS`.
        lesson: examples, not yet standardised, of which a rule that learns is shown some; not those to judge
            by. Other rules have no use for them.
        seed: of starts, firing and permutations.
        progress: called with (networks done, all).

    Raises:
        BadInputError: for networks that do not fit the examples, too few samples, signals that the rule does
            not have, or a rule that learns without a lesson.
    """
    check_networks(tuple(networks), examples)
    if num_samples < 2:
        raise BadInputError(f"the spread needs two samples or more, got {num_samples}")
    if settings.rule.lesson_size and lesson is None:
        raise BadInputError("this rule learns from examples while it writes; usual cure: a lesson")
    scaled, found = scale(examples).to(device_of(automaton)), []
    for done, widths in enumerate(networks):
        bound = with_signals(writer(automaton, settings.rule, (widths,), examples.image_shape), signals, seed)
        bound = bound if lesson is None else bound.shown(scale(lesson), seed)
        steps = 0 if signals == "untrained" else num_steps
        states = bound.write(num_samples, step_generator(seed, "samples"), steps)
        found.append(_score(bound, states, scaled, widths in settings.widths, signals))
        if progress:
            progress(done + 1, len(networks))
    return found


def with_signals(bound: Writer, signals: Signals, seed: int = 0) -> Writer:
    """Return a writer that is given less than it was trained with.

    Raises:
        BadInputError: if it has no such signal.
    """
    if signals in ("codes permuted", "no codes"):
        if bound.codes is None:
            raise BadInputError("this rule is not told where weights are; there are no codes to change")
        return replace(bound, codes=_changed(bound, signals == "no codes", seed))
    if signals == "no neighbours":
        if not isinstance(bound.automaton.perception, WeightPerception):
            raise BadInputError("only means over neighbours can be left out; this rule listens by attention")
        automaton = bound.automaton
        alone = WeightPerception(automaton.perception.num_features // 3, neighbours=False)
        deaf = Automaton(
            alone, automaton.rule, automaton.update, automaton.codec, context_names=automaton.context_names
        )
        return replace(bound, automaton=deaf)
    return bound


def _changed(bound: Writer, removed: bool, seed: int) -> Float[Tensor, "1 code cell"]:
    assert bound.codes is not None
    if removed:
        return torch.zeros_like(bound.codes)
    codes, generator = bound.codes.clone(), step_generator(seed, "permutation")
    for layer in bound.lattice.layers:
        order = torch.randperm(layer.num_sources * layer.num_targets, generator=generator)
        codes[..., layer.cells] = codes[..., layer.cells][..., order]
    return codes


@torch.no_grad()
def _score(bound: Writer, states: Tensor, examples: Examples, trained: bool, signals: str) -> NetworkScore:
    widths = bound.lattice.networks[0]
    size = max(1, _AT_ONCE // (len(examples) * max(widths[1:])))
    guesses, losses = [], []
    for piece in states.split(size):
        scores = bound.scores(piece, examples.inputs, 0)
        guesses.append(scores.argmax(-1))
        labels = examples.labels.expand(len(piece), -1)
        losses.append(
            torch.nn.functional.cross_entropy(scores.movedim(-1, 1), labels, reduction="none").mean(1)
        )
    guess = torch.cat(guesses)
    right = (guess == examples.labels).double().mean(1)
    return NetworkScore(
        network="-".join(map(str, widths)),
        trained=trained,
        signals=signals,
        num_samples=len(states),
        accuracy=float(right.mean()),
        lowest=float(right.min()),
        highest=float(right.max()),
        deviation=float(right.std()),
        cross_entropy=float(torch.cat(losses).mean()),
        disagreement=_disagreement(guess, len(examples.classes)),
        similarity=_similarity(bound.weights(states)),
    )


def _disagreement(guess: Int[Tensor, "sample example"], num_classes: int) -> float:
    """Return the mean share of examples on which two different samples differ."""
    count = len(guess)
    votes = torch.stack([(guess == label).sum(0) for label in range(num_classes)]).double()
    alike = (votes * (votes - 1)).sum(0) / (count * (count - 1))
    return float(1 - alike.mean())


def _similarity(weights: Float[Tensor, "sample cell"]) -> float:
    """Return the mean cosine between two different samples."""
    lengths = weights.double().norm(dim=1, keepdim=True)
    if not bool((lengths > 0).all()):
        return math.nan
    total = float((weights.double() / lengths).sum(0).square().sum())
    count = len(weights)
    return (total - count) / (count * (count - 1))
