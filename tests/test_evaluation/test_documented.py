"""The guide names every metric and every split that needs no files."""

from pathlib import Path

import pytest

from pdenca.evaluation import DERIVED, METRICS

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"


@pytest.mark.parametrize("name", [*METRICS, *DERIVED])
def test_the_guide_names_it(name):
    text = GUIDE.read_text(encoding="utf-8")
    assert f"`{name}`" in text or (name == "pooled_vrmse" and "Pooled VRMSE" in text)
