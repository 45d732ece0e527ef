"""Examples in docstrings do what they say. pytest cannot collect them itself: the folders are mapped."""

import doctest
import importlib


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
