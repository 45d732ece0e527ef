"""The page of what was measured, with the abstract's claims beside."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from ...measuring import Measured, by_model, of_part, spread
from .claims import goals, verdicts
from .measured import by_network, depth_of, held_out, least_and_stay, lost, seed_means
from .plan import (
    BETWEEN,
    BY_ADAM,
    COPIED,
    FOLLOWED,
    LEAK,
    MODELS,
    NUM_ZERO_OUTS,
    OF_RIVALS,
    PARTS,
    RANDOM,
    RULES_OF_IMAGES,
    SPLIT,
)


def page(results: Sequence[Measured], facts: Mapping[str, Any]) -> str:
    """Return the page as markdown."""
    lines = [
        "# Rules that write networks",
        "",
        f"Made by `{facts['command']}`; every number stands in `metanca.json`. {facts['processor']}, "
        f"{facts['threads']} thread, torch {facts['torch']}; {sum(facts['seconds'].values()) / 60:.0f} "
        f"minutes of work. Training seeds: {_seeds(results)}.",
        "",
        "Networks are judged on test examples that nothing was trained or chosen by, "
        f"{facts['settings']['num_samples']} samples of each. A seed's number is the mean over its samples; "
        "of seeds the median [smallest, largest]. The rules are told where a weight is and nothing of the "
        "data: what they write, they have learned in training.",
        "",
        *_verdicts(results),
        *_folds(of_part(results, "folds")),
        *_signals(of_part(results, "signals")),
        *_stability(of_part(results, "stability")),
        *_robustness(of_part(results, "robustness")),
        *_architectures(of_part(results, "architectures")),
        *_learning(of_part(results, "learning")),
        *_missing(results),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _seeds(results: Sequence[Measured]) -> str:
    """Return the seeds, and those of which parts where these have others."""
    parts: dict[tuple[int, ...], list[str]] = {}
    for part in PARTS:
        seeds = tuple(sorted({item.key["seed"] for item in of_part(results, part)}))
        if seeds:
            parts.setdefault(seeds, []).append(part)
    told = [f"{', '.join(map(str, seeds))} ({', '.join(names)})" for seeds, names in parts.items()]
    return "; ".join(told)


def _missing(results: Sequence[Measured]) -> list[str]:
    missing = [part for part in PARTS if not of_part(results, part)]
    return [f"Not measured yet: {', '.join(missing)}."] if missing else []


def _folds(own: Sequence[Measured]) -> list[str]:
    if not own:
        return []
    lines = [
        "## Irises",
        "",
        f"Five stratified folds, {len({item.key['seed'] for item in own})} seeds: test accuracy in percent, "
        "of the runs (a fold and a seed each).",
        "",
        "| rule | network | trained on | runs | mean | median [smallest, largest] | worst sample | differ "
        "| alike |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for model in dict.fromkeys(item.key["model"] for item in own):
        for name, group in by_network([item for item in own if item.key["model"] == model]).items():
            right = [100 * item["accuracy"] for item in group]
            lines.append(
                f"| {model} | {name} | {_yes(group)} | {len(group)} | {statistics.mean(right):.2f} "
                f"| {spread(right, '{:.2f}')} | {100 * min(item['lowest'] for item in group):.1f} "
                f"| {100 * statistics.mean(item['disagreement'] for item in group):.2f} % "
                f"| {statistics.mean(item['similarity'] for item in group):.3f} |"
            )
    return [
        *lines,
        "",
        "*differ*: share of examples on which two samples differ; *alike*: mean cosine of their weights.",
        "",
    ]


def _signals(own: Sequence[Measured]) -> list[str]:
    if not own:
        return []
    lines = [
        "## What a rule can know",
        "",
        "Test accuracy in percent. Above, what is left when a trained rule loses a signal; below, rules that "
        "never had it. Without codes nothing tells one input or class from another: with exchangeable starts "
        "the expected accuracy is one over the classes, whatever the rule, and so it is for untrained ones. "
        "Irises: the first of the five folds, 30 flowers.",
        "",
    ]
    images = set(RULES_OF_IMAGES)
    for chosen in ([item for item in own if (item.key["model"] in images) is told] for told in (False, True)):
        groups: dict[tuple[str, str], list[Measured]] = {}
        for item in chosen:
            groups.setdefault((item.key["model"], item.key["signals"]), []).append(item)
        names = list(by_network(chosen))
        if names:
            lines += ["| rule | given | " + " | ".join(names) + " |", "|---|---|" + "---:|" * len(names)]
        for (model, signals), group in groups.items():
            found = by_network(group)
            cells = [spread([100 * item["accuracy"] for item in found[name]], "{:.1f}") for name in names]
            lines.append(f"| {model} | {signals} | " + " | ".join(cells) + " |")
        lines += [""] if names else []
    return lines


def _stability(own: Sequence[Measured]) -> list[str]:
    if not own:
        return []
    found = own[0].found
    longest = found["updates"][-1]
    lines = [
        "## Stability",
        "",
        f"{FOLLOWED}, updated {longest:,} times, looked at after each of the first 200 and then every "
        f"{found['every']}: after how many updates the cross-entropy is least, how many more it stays within "
        "10 % of that (mean over the samples), and accuracy after as many updates as in training and at the "
        "end; one fold, on test examples, where the abstract takes the training loss. *pool*: samples begin "
        f"where earlier ones ended; *zeroed*: some of them damaged; *leak*: a weight forgets {LEAK:g} of its "
        "state whenever it is updated, which the published rule does not. Rules with a pool are trained with "
        "eight samples in a training step, others with four; of the eight one is fresh with leak, two are "
        "without.",
        "",
        "| rule | least after | within 10 % for | accuracy, % | at the end | worst sample at the end |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, group in by_model(own, tuple(MODELS)).items():
        early = [100 * item["accuracy"][item["updates"].index(item["trained_for"])] for item in group]
        lines.append(
            f"| {name} | {spread([least_and_stay(item)[0] for item in group], '{:.0f}')} "
            f"| {spread([least_and_stay(item)[1] for item in group], '{:.0f}')} "
            f"| {spread(early, '{:.1f}')} "
            f"| {spread([100 * item['accuracy'][-1] for item in group], '{:.1f}')} "
            f"| {spread([100 * item['lowest_accuracy'][-1] for item in group], '{:.1f}')} |"
        )
    return [*lines, "", "![accuracy and cross-entropy over local updates](metanca-stability.png)", ""]


def _robustness(own: Sequence[Measured]) -> list[str]:
    if not own:
        return []
    lines = [
        "## Robustness",
        "",
        f"{FOLLOWED}: {NUM_ZERO_OUTS} times, every {BETWEEN} updates, one whole layer and 30 % of the other "
        "weights are zeroed with all they hide. Mean test accuracy before the first, right after a zero-out "
        f"and one update, and {BETWEEN} updates after it: the worst of the {NUM_ZERO_OUTS}; *lost*: points "
        "from before the first to that worst, seed by seed.",
        "",
        "| rule | before, % | worst after 1 update | worst after all | last | lost |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, group in by_model(own, tuple(MODELS)).items():
        before, hurt, back, last, gone = ([] for _ in range(5))
        for item in group:
            places, right = item["zero_outs"], [100 * value for value in item["accuracy"]]
            before.append(right[places[0]])
            hurt.append(min(right[place + 1] for place in places))
            back.append(min(right[place + BETWEEN] for place in places))
            last.append(right[-1])
            gone.append(lost(item))
        cells = [spread(values, "{:.1f}") for values in (before, hurt, back, last, gone)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return [
        *lines,
        "",
        f"![accuracy and cross-entropy, {BETWEEN} updates after every zero-out](metanca-robustness.png)",
        "",
    ]


def _architectures(own: Sequence[Measured]) -> list[str]:
    if not own:
        return []
    models = list(dict.fromkeys(item.key["model"] for item in own))
    lines = [
        "## Architectures",
        "",
        "Test accuracy in percent on MNIST's 10,000 test digits, 28 x 28 pixels "
        f"(*{SPLIT}*: trained on four fifths of all 70,000, judged by the fifth, as the abstract's); bold: "
        "the rule was trained on it.",
        "",
        "| network | " + " | ".join(models) + " |",
        "|---|" + "---:|" * len(models),
    ]
    for name in by_network(own):
        cells = []
        for model in models:
            found = by_network([item for item in own if item.key["model"] == model]).get(name, [])
            told = spread([100 * item["accuracy"] for item in found], "{:.1f}")
            cells.append(f"**{told}**" if found and found[0]["trained"] else told)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    apart = held_out(own)
    for depth in sorted({depth_of(name) for name in apart}):
        names = {name for name in apart if depth_of(name) == depth}
        cells = [
            spread(seed_means([item for item in own if item.key["model"] == model], names), "{:.1f}")
            for model in models
        ]
        told = f"| *mean of {len(names)} with {depth} layers that no rule was trained on* | "
        lines.append(told + " | ".join(cells) + " |")
    return [
        *lines,
        "",
        f"*{BY_ADAM}*: every network is trained for itself; its 784-10 is the linear classifier. *{COPIED}*: "
        "the one of the six networks that Adam trained best, its weights put into all others wherever they "
        f"have such a weight. *{RANDOM}*: as torch begins them. *alone*: weights hear no neighbours. "
        "*hypernetwork*: nor do they take more than one step, in which all weights are written by their "
        "codes.",
        "",
        "![accuracy by network and rule](metanca-architectures.png)",
        "",
        *_samples(own),
    ]


def _samples(own: Sequence[Measured]) -> list[str]:
    """Return how the sampled networks of a seed spread."""
    lines = [
        f"Over the samples of a seed, *{OF_RIVALS}*: worst and best, their standard deviation, the share of "
        "digits on which two differ, and the mean cosine of their weights.",
        "",
        "| network | worst, % | best, % | deviation, points | differ, % | alike |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, group in by_network([item for item in own if item.key["model"] == OF_RIVALS]).items():
        cells = [
            spread([factor * item[key] for item in group], form)
            for key, factor, form in (
                ("lowest", 100, "{:.1f}"),
                ("highest", 100, "{:.1f}"),
                ("deviation", 100, "{:.2f}"),
                ("disagreement", 100, "{:.2f}"),
                ("similarity", 1, "{:.3f}"),
            )
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return [*lines, ""] if len(lines) > 4 else []


def _verdicts(results: Sequence[Measured]) -> list[str]:
    """Return goals and the abstract's claims, each with what was measured."""
    reached = [f"| {goal} | {measured} | {verdict} |" for goal, measured, verdict in goals(results)]
    claimed = [f"| {claim} | {measured} | {verdict} |" for claim, measured, verdict in verdicts(results)]
    lines: list[str] = []
    if reached:
        lines += ["## Goals", "", "| goal | measured | |", "|---|---|---|", *reached, ""]
    if claimed:
        lines += ["## The abstract's claims", "", "| claim | measured | |", "|---|---|---|", *claimed, ""]
    return lines


def _learning(own: Sequence[Measured]) -> list[str]:
    if not own:
        return []
    lines = [
        "## Rules that learn",
        "",
        "A rule that is told no places but shown examples, trained on MNIST (means over 2 x 2 pixels) with "
        "pixels and classes in another order in every training step. Test accuracy in percent of what it "
        "writes when it is shown other data; beside it a linear classifier trained by Adam, on the same "
        "lesson and on all training examples: once on all of these and once with a fifth held out to choose "
        "by, of which the better one counts.",
        "",
        "| shown | network | accuracy | linear, same lesson | linear, all examples |",
        "|---|---|---:|---:|---:|",
    ]
    groups: dict[str, list[Measured]] = {}
    for item in own:
        groups.setdefault(item.key["data"], []).append(item)
    for data, group in groups.items():
        shown = f"{data}, {group[0].found['shown']} of {group[0].found['examples']:,}"
        linear = [
            spread([100 * item.found["linear"][name] for item in group], "{:.1f}")
            for name in ("lesson", "all")
        ]
        for name, found in by_network(group).items():
            right = spread([100 * item["accuracy"] for item in found], "{:.1f}")
            lines.append(f"| {shown} | {name} | {right} | {linear[0]} | {linear[1]} |")
    return [*lines, ""]


def _yes(group: Sequence[Mapping[str, Any]]) -> str:
    return "yes" if group[0]["trained"] else "no"
