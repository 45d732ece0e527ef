"""What no file of the repository may say: where one developer's machine keeps things."""

import re

# written in pieces, so that this file does not say them itself
REGISTRIES = ["pypi" + ".org", "python" + "hosted.org", "download." + "pytorch.org", "test.pypi" + ".org"]
REGISTRIES += ["registry." + "npmjs", "conda." + "anaconda.org", "extra-" + "index-url", "--find-" + "links"]
PLACES = re.compile(r"(?<![\w.])/(?:work|home|Users|root|opt|mnt)/\w")


def test_no_registry_hosts(text_files, root):
    found = []
    for path in text_files:
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{path.relative_to(root)}: {name}" for name in REGISTRIES if name in text]
    assert not found, found


def test_no_paths_of_one_machine(text_files, root):
    found = []
    for path in text_files:
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{path.relative_to(root)}: {match.group()}" for match in PLACES.finditer(text)]
    assert not found, found


def test_there_was_something_to_read(text_files):
    names = {path.name for path in text_files}
    assert {"pyproject.toml", "Makefile", "README.md", "test_text.py"} <= names


def test_the_pattern_of_places_knows_one():
    assert PLACES.search("data in /" + "home/somebody")
    assert not PLACES.search("see https://example.org/home/page and a/work/b")
