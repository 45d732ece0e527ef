"""The page of all results, drawn from the committed tables.

    python benchmarks/results_page.py

Reads docs/results/*.csv, writes docs/results.md. Run it after any of the studies.
"""

import json
import statistics
from collections.abc import Iterator

from steady_page import quality, read_patterns
from study import RESULTS, Scored, choose, equal_reach, read_rows, table

from pdenca.core import write_text

WINDOWS = ("1", "6:12", "13:30", "31:100")
PAGE = RESULTS.parent / "results.md"
OTHER_PAGES = {
    "costs": "what a prediction costs, beside solvers of equal error and of equal time",
    "horizon": "a thousand frames: whether patterns stay like true ones, and how fast neighbours part",
    "pdebench": "the default rule on PDEBench's diffusion-reaction, whose truth is a scheme of its reach",
    "optimiser-race": "error against seconds of training, for every optimiser on the same rule",
    "equilibria": "limits of roll-outs, memory and gradients of equilibria, on grids and on a graph",
    "digits-classify": "MNIST told apart at an equilibrium, and by the same cell unrolled or cut short",
    "founding-paper": "the founding paper's figures in its own setting, with what differs and why",
    "digits-restore": "digits restored from three tenths of their pixels, with the post's numbers and claims",
    "attractors": "automata trained to rest in a picture, what grows, and how often it returns after damage",
    "image-series": "series of images: what rules reach, hold and grow back, what they make of other starts",
    "meta-step": "what a training step of a rule that writes networks costs, and writing a hundred of them",
    "metanca": "rules that write the weights of other networks: what they know, and how long it stays",
    "verification": "every equation, integrator and boundary against exact solutions and fitted orders",
    "solvers": "time of the reference solvers beside other packages, at equal error",
}


def main() -> None:
    """Write the page."""
    lines = [
        "# Results",
        "",
        "Drawn by `python benchmarks/results_page.py` from the tables in `docs/results`; the page of each "
        "study names the command, seeds, hardware and time that made it, and has all splits and regimes. "
        "Errors of emulation are pooled VRMSE after four given frames: 0 is perfect, 1 the spatial mean of "
        "every true frame. Learned models: median over the training seeds, in brackets the smallest and "
        "largest.",
        *main_table(),
        *emulation(),
        *other_equations(),
        *symmetry(),
        *steady(),
        "",
        "## Further tables",
        "",
        *(
            f"- [{name}](results/{name}.md): {what}"
            for name, what in OTHER_PAGES.items()
            if (RESULTS / f"{name}.md").exists()  # what is not measured yet has no page
        ),
    ]
    write_text(PAGE, "\n".join(lines) + "\n")


def pooled(name: str, split: str) -> list[Scored]:
    """Return the pooled errors of a study on a split, all regimes together."""
    rows = read_rows(RESULTS / f"{name}.csv")
    return choose(rows, metric="pooled_vrmse", regime="all", split=split)


def main_table() -> Iterator[str]:
    """Yield the section of the main table."""
    yield from ("", "## [Gray-Scott on 64 x 64 cells](results/main-table.md)", "")
    yield "Three regimes, twelve training trajectories, the recipe of the demo with whole experiments."
    yield from ("", *table(pooled("main-table", "test"), WINDOWS))


def emulation() -> Iterator[str]:
    """Yield the section of the study on The Well's recipe."""
    if not (RESULTS / "emulation.csv").exists():
        return
    yield from ("", "## [The Well's Gray-Scott, 128 x 128 cells](results/emulation.md)", "")
    yield "Six regimes to be tested on, thirty-six sets of parameters to learn from."
    yield from ("", *table(pooled("emulation", "test"), WINDOWS))


def other_equations() -> Iterator[str]:
    """Yield the section of the other equations: error as a share of the best solver of equal reach."""
    if not (RESULTS / "other-equations.csv").exists():
        return
    rows = choose(read_rows(RESULTS / "other-equations.csv"), metric="pooled_vrmse", regime="all")
    equal = json.loads((RESULTS / "other-equations.json").read_text(encoding="utf-8"))["equal_reach"]
    windows = list(dict.fromkeys(row.window for _, row in rows))
    yield from ("", "## [Other equations](results/other-equations.md)", "")
    yield (
        "The same experiment, unchanged. Error of the default rule (median seed) divided by that of the "
        "better of the solvers of equal reach, which know the equations; below 1 the rule wins."
    )
    yield from ("", "| equation | " + " | ".join(windows) + " |", "|---|" + "---:|" * len(windows))
    for split in dict.fromkeys(row.split for _, row in rows):
        shares = []
        for window in windows:
            there = choose(rows, split=split, window=window)
            mine = statistics.median(row.value for _, row in choose(there, model="mlp"))
            solvers = equal_reach(there, equal[split.removesuffix(" test")])
            rivals = [row.value for name in solvers for _, row in choose(there, model=name)]
            shares.append(f"{mine / min(rivals):.2g}")
        yield f"| {split.removesuffix(' test')} | " + " | ".join(shares) + " |"


def symmetry() -> Iterator[str]:
    """Yield the section of the symmetry study."""
    facts = json.loads((RESULTS / "symmetry-study.json").read_text(encoding="utf-8"))
    yield from ("", "## [Symmetry](results/symmetry-study.md)", "")
    yield (
        "Kernels that are free, free with augmentation, chosen isotropic and exactly equivariant, over the "
        f"number of training trajectories, {len(facts['seeds'])} seeds; and equations that lack the symmetry."
    )
    yield from (
        "",
        "![errors against training trajectories, and against the group](figures/symmetry-study.png)",
    )


def steady() -> Iterator[str]:
    """Yield the section of the steady patterns."""
    rows = read_patterns(RESULTS / "steady-patterns.csv")
    yield from ("", "## [Steady patterns](results/steady-patterns.md)", "")
    yield (
        "Where a trained rule comes to rest between walls under a parameter that varies in space, found "
        "without rolling it out; error over the pattern's standard deviation, residual under the equation."
    )
    for equation in ("schnakenberg", "gray-scott"):
        chosen = [row for row in rows if (row["equation"], row["split"]) == (equation, "test")]
        if chosen:
            yield from ("", f"`steady-{equation}`:", "", *quality(chosen))


if __name__ == "__main__":
    main()
