"""Where things lie in a dataset's folder: The Well's layout."""

from collections.abc import Iterable
from pathlib import Path

from pdenca.core import BadInputError, FormatError

from .format import read_header

DATA_FOLDER = "data"
ENDINGS = (".hdf5", ".h5")


def is_dataset(path: Path | str) -> bool:
    """Tell whether a path is the folder of a dataset, i.e. has a ``data`` folder."""
    return (Path(path) / DATA_FOLDER).is_dir()


def splits_of(dataset: Path | str) -> tuple[str, ...]:
    """Return the splits of a dataset's folder that hold files; train, valid, test first, then by name.

    Raises:
        FormatError: if it is not a dataset's folder.
    """
    if not is_dataset(dataset):
        raise FormatError(
            f"{dataset} is not a dataset: it has no folder {DATA_FOLDER!r}; usual cure: `pdenca generate`"
        )
    first = ("train", "valid", "test")
    names = {path.parent.name for path in (Path(dataset) / DATA_FOLDER).glob("*/*") if path.suffix in ENDINGS}
    return tuple(sorted(names, key=lambda name: (first.index(name) if name in first else len(first), name)))


def data_files(dataset: Path | str, split: str, regimes: Iterable[str] | None = None) -> list[Path]:
    """Return the files of one split, sorted by name.

    Arguments:
        dataset: the dataset's folder.
        split: one of its splits.
        regimes: keep only files of these regimes.

    Raises:
        FormatError: if it is not a dataset's folder or a file is damaged.
        BadInputError: if it has no such split or regime.
    """
    splits = splits_of(dataset)
    if split not in splits:
        raise BadInputError(
            f"{dataset} has no split {split!r}; expected one of {', '.join(splits) or '(none made yet)'}"
        )
    folder = Path(dataset) / DATA_FOLDER / split
    paths = sorted(
        path for path in folder.iterdir() if path.suffix in ENDINGS and not path.name.startswith(".")
    )
    if regimes is None:
        return paths
    wanted = list(regimes)
    found = {path: read_header(path).regime for path in paths}
    known = sorted(set(found.values()))
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise BadInputError(
            f"split {split!r} has no regime {', '.join(unknown) or '(none)'}; expected some of "
            f"{', '.join(known)}"
        )
    return [path for path in paths if found[path] in wanted]


def expand(paths: Iterable[Path | str] | Path | str) -> list[Path]:
    """Return the data files meant by files, split folders and dataset folders, in order, each once.

    Raises:
        FormatError: for a path that does not exist or a folder without data files.
    """
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    found: dict[Path, None] = {}
    for item in map(Path, given):
        if item.is_dir():
            root = item / DATA_FOLDER if is_dataset(item) else item
            inside = sorted(
                path for path in root.rglob("*") if path.suffix in ENDINGS and not path.name.startswith(".")
            )
            if not inside:
                raise FormatError(
                    f"{item} holds no {' or '.join(ENDINGS)} file; usual cure: `pdenca generate`"
                )
            found.update(dict.fromkeys(inside))
        elif item.is_file():
            found[item] = None
        else:
            raise FormatError(f"{item} does not exist; usual cure: check the path, or `pdenca generate`")
    return list(found)
