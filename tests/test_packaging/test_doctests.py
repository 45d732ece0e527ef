"""Examples in docstrings do what they say. pytest cannot collect them itself: the folders are mapped."""

import doctest
import importlib
import re
from pathlib import Path


def test_docstring_examples(modules):
    num_examples = 0
    failed = []
    for name in modules:
        if name.endswith("__main__"):
            continue
        result = doctest.testmod(importlib.import_module(name))
        num_examples += result.attempted
        failed += [name] * result.failed
    assert not failed
    assert num_examples > 0


def test_the_examples_of_the_guide_run():
    text = (Path(__file__).parent.parent.parent / "docs" / "guide.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "guide.md", "exec"), names)
