"""From the files of a dataset to the cases that models are scored on, stored and derived ones."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pdenca.core import BadInputError
from pdenca.datasets import Header, data_files, load_split, read_header, splits_of
from pdenca.evaluation import DERIVED, Case, EvaluationSettings, derived_names
from pdenca.solvers.equation import Equation
from pdenca.solvers.equations import equation_from_name
from pdenca.solvers.parameters import Constant

from .training_data import measure_scales


def list_splits(data: Path) -> tuple[str, ...]:
    """Return the splits that models are scored on: ``test`` and all ``ood_*``."""
    return tuple(name for name in splits_of(data) if name not in ("train", "valid"))


def known_splits(data: Path) -> tuple[str, ...]:
    """Return all names of splits that can be asked for: the stored ones, and those derived from them."""
    stored = splits_of(data)
    derived = [name for name, made in DERIVED.items() if made.base in stored]
    families = [name for name in ("ood_dt", "ood_noise") if any(name in item for item in derived)]
    return (*stored, *(name for name in (*families, *derived) if name not in stored))


def expand_splits(data: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Replace the name of a family of derived splits by its members, each once, in order."""
    stored = splits_of(data)
    found: list[str] = []
    for name in names:
        found += [name] if name in stored else derived_names(name) or [name]
    return tuple(dict.fromkeys(found))


def count_cases(data: Path, split: str) -> int:
    """Return how many cases :func:`load_cases` yields of a split."""
    if split in splits_of(data) or split not in DERIVED:
        return len(data_files(data, split))
    made = DERIVED[split]
    return sum(made.count(read_header(path).grid) for path in data_files(data, made.base))


def load_cases(
    data: Path,
    splits: Sequence[str],
    regimes: Iterable[str] | None = None,
    max_trajectories: int | None = None,
    settings: EvaluationSettings | None = None,
) -> Iterator[Case]:
    """Yield the cases of some splits, one file at a time.

    Arguments:
        data: the dataset's folder; its training split gives standard deviations and ranges.
        splits: which splits, stored ones or names of :data:`~pdenca.evaluation.DERIVED`.
        regimes: which regimes; all by default.
        max_trajectories: at most this many of each file.
        settings: the protocol, which derived splits depend on: given frames, start and seed.

    Raises:
        BadInputError: for an unknown split, or a derived one that this dataset cannot have.
    """
    chosen = None if regimes is None else list(regimes)
    settings = settings or EvaluationSettings()
    scales = measure_scales(data)
    stored = splits_of(data)
    for split in splits:
        derived = None if split in stored else DERIVED.get(split)
        base = split if derived is None else derived.base
        if derived is not None and base not in stored:
            raise BadInputError(
                f"split {split!r} is made from {base!r}, which {data} does not have; it has "
                f"{', '.join(stored)}; usual cure: generate {base!r}"
            )
        for header, frames in load_split(data, base, chosen):
            truth = frames[:max_trajectories]
            case = Case(
                base,
                header.regime,
                truth,
                header.grid,
                header.context(len(truth)),
                header.frame_interval,
                header.channel_names,
                scales.field_std,
                scales.field_low,
                scales.field_high,
                families_of(header, len(truth)),
                equation_of(header, len(truth)),
                [item.kind for item in header.fields],
            )
            if derived is None:
                yield case
            else:
                yield from derived.cases(split, case, settings)


def families_of(header: Header, count: int) -> tuple[str, ...] | None:
    """Return the family of starts of the first trajectories of a file; None if it is the same for all.

    Files of two families name both, joined by a plus: the first half of the trajectories is of the first one.
    """
    names = str(header.provenance.get("initial_condition", "")).split("+")
    if len(names) != 2:
        return None
    half = (header.num_trajectories + 1) // 2
    return tuple(names[number >= half] for number in range(count))


def equation_of(header: Header, count: int) -> Equation | None:
    """Return the equation behind the first trajectories of a file, None if the file does not tell."""
    if header.equation == "unknown":
        return None
    told: dict[str, Constant] = {**header.constants, **header.parameters}
    told |= {name: header.context(count)[name].double() for name in header.varying_parameters}
    try:
        return equation_from_name(header.equation, told)
    except BadInputError:  # one's own, whose class is not at hand, or parameters by other names
        return None
