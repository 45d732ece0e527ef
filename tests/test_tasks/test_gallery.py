"""The table of equations in the README is that of the dict; the gallery page shows every preset."""

from pathlib import Path

import numpy as np
import pytest

from pdenca.solvers import EQUATIONS
from pdenca.tasks.gallery import Shown, equation_table, formula, put_table, summary, table_row, write_gallery

ROOT = Path(__file__).parent.parent.parent


def test_the_readme_shows_the_equations_there_are():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert put_table(text) == text, "usual cure: python benchmarks/gallery.py --table-only"
    assert all(f"| `{name}` |" in text for name in EQUATIONS)


@pytest.mark.parametrize("name", EQUATIONS)
def test_every_equation_tells_its_formula_and_what_it_is_in_one_sentence(name):
    assert "∂" in formula(EQUATIONS[name])
    assert "\n\n" not in formula(EQUATIONS[name])
    assert 10 < len(summary(EQUATIONS[name])) < 140
    assert EQUATIONS[name].presets


@pytest.mark.parametrize("name", EQUATIONS)
def test_the_gallery_page_is_up_to_date(name):
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert f"## {name}\n" in page, "usual cure: python benchmarks/gallery.py"
    assert formula(EQUATIONS[name]) in page
    assert (ROOT / "docs" / "figures" / "gallery" / f"{name}.png").stat().st_size < 1e6
    for preset, values in EQUATIONS[name].presets.items():
        assert table_row((preset, values.description)).removesuffix(" |") in page


def test_a_table_needs_its_marks():
    with pytest.raises(ValueError, match="expected the lines"):
        put_table("no marks")
    assert equation_table().count("\n") == 1 + len(EQUATIONS)


def test_the_page_is_written_from_what_was_solved(tmp_path):
    preset = EQUATIONS["gray-scott"].presets["maze"]
    item = Shown("gray-scott", "maze", preset, np.eye(8), 50.0, "B", "etdrk4, time step 1", 0.5)
    write_gallery(tmp_path / "gallery.md", tmp_path / "figures", {"gray-scott": [item]}, "Made today.")
    text = (tmp_path / "gallery.md").read_text(encoding="utf-8")
    assert "![gray-scott: maze](figures/gray-scott.png)" in text
    assert f"feed_rate = {preset.parameters['feed_rate']:g}" in text
    assert (tmp_path / "figures" / "gray-scott.png").is_file()
