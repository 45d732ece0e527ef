"""What a training step of a rule that writes networks costs, and sampling a hundred of them.

    python benchmarks/meta_step.py [--threads 2] [--repeats 20]

All in one process, taken in turns so that a busy machine slows them alike: a training step of the rule of the
experiment `mnist` that writes 784-30-10 by ten local updates, a step of Adam on the weights of that network
itself with the same examples, and a hundred networks written by the rule. Writes docs/results/meta-step.json
and .md. Random digits: time does not depend on what they show.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from study import RESULTS

from pdenca.core import write_text
from pdenca.tasks.emulation import environment
from pdenca.tasks.metanca import build_rule, load_meta, writer
from pdenca.tasks.metanca.baselines import random_network
from pdenca.tasks.runs import build_fitter
from pdenca.training import FirstOrder, step_generator
from pdenca.training.objectives import Classification, LocalSteps, TaskNetworks

NETWORK = (784, 30, 10)
NUM_UPDATES, NUM_EXAMPLES, NUM_SAMPLES = 10, 2560, 100


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=20)
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    pieces = workloads()
    seconds: dict[str, list[float]] = {name: [] for name in pieces}
    for repeat in range(-2, told.repeats):  # two to warm up
        for name, work in pieces.items():
            began = time.perf_counter()
            work(repeat + 2)
            if repeat >= 0:
                seconds[name].append(time.perf_counter() - began)
    facts = {**environment(), "threads": told.threads, "repeats": told.repeats}
    write_text(RESULTS / "meta-step.json", json.dumps({"facts": facts, "seconds": seconds}, indent=1) + "\n")
    write_text(RESULTS / "meta-step.md", page(facts, seconds))


def workloads() -> dict[str, Callable[[int], object]]:
    """Return what is timed, called with the number of its turn."""
    settings = load_meta("mnist", {"networks": '["784-30-10"]', "rule.num_steps": str(NUM_UPDATES)})
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(NUM_EXAMPLES, NETWORK[0], generator=generator)
    labels = torch.randint(NETWORK[-1], (NUM_EXAMPLES,), generator=generator)
    rule = build_rule(settings.rule, (28, 28))
    bound = writer(rule, settings.rule, (NETWORK,), (28, 28))
    writing = TaskNetworks(
        rule,
        bound.lattice,
        bound.context,
        bound.begin,
        inputs,
        labels,
        activation=bound.activation,
        local_steps=AllSteps(NUM_UPDATES),
        batch_size=settings.batch_size,
    )
    fitter = build_fitter(rule, 10**6, settings)
    network = random_network(NETWORK)
    own = Classification(network, inputs, labels, batch_size=settings.batch_size, brightest=1.0)
    adam = FirstOrder(network, optimizer="adam", learning_rate=1e-3, num_steps=10**6)
    return {
        f"training step of the rule, {NUM_UPDATES} local updates": lambda turn: fitter.step(
            writing, writing.batch(turn)
        ),
        "step of Adam on the network itself": lambda turn: adam.step(own, own.batch(turn)),
        f"{NUM_SAMPLES} networks written, {NUM_UPDATES} local updates": lambda turn: bound.write(
            NUM_SAMPLES, step_generator(0, "samples", turn), NUM_UPDATES
        ),
    }


class AllSteps(LocalSteps):
    """Always as many local steps, where training draws from half as many on."""

    def draw(self, step: int, generator: torch.Generator) -> int:
        """Return that number."""
        return self.most


def page(facts: dict[str, object], seconds: dict[str, list[float]]) -> str:
    """Return the page as markdown."""
    lines = [
        "# Time of rules that write networks",
        "",
        f"Made by `python benchmarks/meta_step.py --threads {facts['threads']} --repeats "
        f"{facts['repeats']}`; {facts['processor']}, torch {facts['torch']}. The network is "
        f"{'-'.join(map(str, NETWORK))}, the rule that of the experiment `mnist`, 256 examples a step; "
        "measured in turns in one process, medians.",
        "",
        "| | ms | fastest | slowest | in steps of Adam |",
        "|---|---:|---:|---:|---:|",
    ]
    unit = statistics.median(seconds["step of Adam on the network itself"])
    for name, found in seconds.items():
        middle = statistics.median(found)
        numbers = [f"{1e3 * value:.3g}" for value in (middle, min(found), max(found))]
        lines.append(f"| {name} | {' | '.join(numbers)} | {middle / unit:.3g} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
