"""What is wrong in a dataset's folder, and how generation can continue: bad files move, none is deleted."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pdenca.core import BadInputError, FormatError, write_text
from pdenca.core.alone import alone

from ..format import TrajectoryFile, read_header
from ..layout import DATA_FOLDER, ENDINGS
from ..recipe import Recipe
from ..statistics import FILE_NAME as STATISTICS_NAME
from ..statistics import read_stats
from .assembly import PARTS_FOLDER
from .checksums import checksum_of, read_checksums
from .claim import RECIPE_NAME
from .files import is_as_planned, target_of
from .parts import read_part
from .resume import recipe_from_settings, stored_recipe

ASIDE_FOLDER = "aside"


@dataclass(frozen=True)
class Fault:
    """A file that stands in the way.

    Arguments:
        path: the file.
        problem: what is wrong with it, in a few words.
        moved_to: where it is moved, inside the dataset's folder.
    """

    path: Path
    problem: str
    moved_to: Path


@dataclass(frozen=True)
class Diagnosis:
    """What :func:`repair` found.

    Arguments:
        faults: files that stand in the way of :func:`pdenca.datasets.generate`.
        recipe_from: the data file from which the recipe is restored; None if the folder's own is sound.
        missing: data files that generation will make, the ones moved aside among them.
        applied: whether the files were moved.
    """

    faults: tuple[Fault, ...]
    recipe_from: Path | None
    missing: tuple[Path, ...]
    applied: bool


def repair(dataset: Path | str, apply: bool = False, recipe_class: type[Recipe] | None = None) -> Diagnosis:
    """Find the files of a dataset that are damaged, incomplete or foreign, and move them aside.

    Looked at: the recipe, every data file (read in full, compared with ``SHA256SUMS`` and the recipe), parts
    of a run that was interrupted, the statistics. The files go to ``aside/`` in the same folder, nothing is
    deleted; :func:`pdenca.datasets.generate` with the same recipe then makes what is missing.

    Arguments:
        dataset: the folder.
        apply: move the files; by default only say what is wrong.
        recipe_class: the class of the recipe; by default one of ``RECIPES``.

    Returns:
        What was found.

    Raises:
        BadInputError: if it is no folder of ``generate``, or one is working there.
        FormatError: if the recipe is lost and no data file tells it.
    """
    out = Path(dataset)
    if not out.is_dir():
        raise BadInputError(f"{out} is not a folder; usual cure: check the path")
    with alone(out, "generating"):
        recipe, source = _recipe(out, recipe_class)
        faults = [_fault(out, path, problem) for path, problem in _problems(out, recipe, source)]
        if apply:
            for fault in faults:
                fault.moved_to.parent.mkdir(parents=True, exist_ok=True)
                fault.path.rename(fault.moved_to)
            if source is not None:
                write_text(out / RECIPE_NAME, recipe.to_json() + "\n")
        bad = {fault.path for fault in faults}
        targets = [target_of(recipe, shard, out) for shard in recipe.shards()]
        missing = tuple(path for path in targets if path in bad or not path.exists())
    return Diagnosis(tuple(faults), source, missing, apply)


def _recipe(out: Path, recipe_class: type[Recipe] | None) -> tuple[Recipe, Path | None]:
    """Return the recipe, and the data file that tells it if the folder's own is lost."""
    try:
        return stored_recipe(out, recipe_class), None
    except FormatError as error:
        lost = error
    told: dict[Path, tuple[str, str]] = {}
    for path in _data_files(out):
        try:
            header = read_header(path)
        except FormatError:
            continue
        if "settings" in header.provenance:
            told[path] = header.split, str(header.provenance["settings"])
    for path, (_, text) in told.items():
        recipe = recipe_from_settings(text, path, recipe_class)
        splits = [split for split, _ in told.values() if split in recipe.available_splits]
        return recipe.replace(splits=tuple(dict.fromkeys([*recipe.splits, *splits]))), path
    raise FormatError(
        f"{str(lost).split(';')[0]}, and no data file there tells the settings; usual cure: `pdenca "
        "generate` into an empty folder"
    )


def _data_files(out: Path) -> list[Path]:
    return sorted(
        path
        for path in (out / DATA_FOLDER).rglob("*")
        if path.suffix in ENDINGS and not path.name.startswith(".")
    )


def _fault(out: Path, path: Path, problem: str) -> Fault:
    place = out / ASIDE_FOLDER / path.relative_to(out)
    number = 1
    while place.exists():
        place = place.with_name(f"{path.name}.{number}")
        number += 1
    return Fault(path, problem, place)


def _problems(out: Path, recipe: Recipe, source: Path | None) -> Iterator[tuple[Path, str]]:
    if source is not None and (out / RECIPE_NAME).exists():
        yield out / RECIPE_NAME, "damaged; it is restored from a data file"
    planned = {target_of(recipe, shard, out): shard for shard in recipe.shards()}
    checksums = read_checksums(out)
    for path in _data_files(out):
        if path not in planned:
            yield path, "not a file of this recipe"
            continue
        try:
            as_planned = is_as_planned(recipe, planned[path], read_header(path))
        except FormatError as error:
            yield path, _short(error)
            continue
        if not as_planned:
            yield path, "made with other settings"
            continue
        expected = checksums.get(path.relative_to(out).as_posix())
        if expected is not None and checksum_of(path) != expected:
            yield path, "changed after it was written (its checksum differs)"
        elif expected is None:
            yield from _unreadable(path)
    for part in sorted((out / PARTS_FOLDER).rglob("*.npz")):
        try:
            for name in ("frames", "seconds", "num_dead"):
                read_part(part, name)
        except FormatError as error:
            yield part, _short(error)
    if (out / STATISTICS_NAME).exists():
        try:
            read_stats(out)
        except FormatError as error:
            yield out / STATISTICS_NAME, _short(error)


def _unreadable(path: Path) -> Iterator[tuple[Path, str]]:
    """Read all numbers of a file that has no checksum."""
    try:
        with TrajectoryFile(path) as file:
            for trajectory in range(file.header.num_trajectories):
                if not np.isfinite(file.read(trajectory)).all():
                    yield path, f"trajectory {trajectory} is not finite"
                    return
    except FormatError as error:
        yield path, _short(error)


def _short(error: FormatError) -> str:
    """Return what an error says, without the path, which is shown beside it, and the cure, which is this."""
    return str(error).split("; usual cure")[0].partition(" ")[2]
