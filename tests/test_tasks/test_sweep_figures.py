"""Figures of a sweep come from its table alone, and show what diverged."""

import csv
import itertools
from collections.abc import Iterable
from pathlib import Path

import matplotlib.text
import pytest

from pdenca import plots
from pdenca.core import BadInputError, FormatError
from pdenca.tasks.sweep import FigureSettings, draw_figures
from pdenca.tasks.sweep.grid import COLUMNS


def write(out: Path, axes: dict[str, Iterable[object]], seeds=(0, 1), splits=("test",), **more) -> Path:
    """Write a table in which the value of a run tells its place; ``diverged`` runs have no scores."""
    diverged = more.get("diverged", lambda choices, seed: False)
    lines = []
    for values in itertools.product(*axes.values()):
        choices = dict(zip(axes, map(str, values), strict=True))
        for seed in seeds:
            run = {"run": f"{choices},{seed}", **choices, "seed": seed, "model": "mlp", "status": "done"}
            run |= {"scored_on": "data", "regimes": "all"}
            if diverged(choices, seed):
                lines.append({**run, "status": "diverged", "reason": "all is lost"})
                continue
            for number, split in enumerate(splits):
                value = sum(len(text) for text in choices.values()) + seed / 10 + 10 * number
                lines += [
                    {
                        **run,
                        **place,
                        "split": split,
                        "regime": "all",
                        "metric": "pooled_vrmse",
                        "value": value,
                    }
                    for place in ({"window": "1"}, {"window": "6:12"})
                ]
    for number, split in enumerate(splits):
        beside = {"model": "persistence", "status": "done", "scored_on": "data", "regimes": "all"}
        place = {"split": split, "regime": "all", "metric": "pooled_vrmse", "window": "6:12"}
        lines.append({**beside, **place, "value": 20 + number})
    out.mkdir(parents=True, exist_ok=True)
    with (out / "table.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, (*COLUMNS[0], *axes, *COLUMNS[1]), restval="")
        writer.writeheader()
        writer.writerows(lines)
    return out


@pytest.fixture
def figures(monkeypatch) -> dict[str, object]:
    """File name -> figure, of all that are saved."""
    found: dict[str, object] = {}
    save = plots.save

    def keep(figure, path, dpi=40):
        found[path.name] = figure
        return save(figure, path, dpi)

    monkeypatch.setattr(plots, "save", keep)
    return found


def words(figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text) if text.get_text()]


def test_one_axis_of_numbers_gives_lines_and_crosses(tmp_path, figures):
    out = write(
        tmp_path / "out",
        {"steps": [10, 1, 200]},
        splits=("test", "ood_ic"),
        diverged=lambda choices, seed: choices["steps"] == "200" and seed == 1,
    )
    drawn = draw_figures(out, FigureSettings())
    assert [path.name for path in drawn.paths] == ["pooled_vrmse-lines.png"]
    assert drawn.remarks == []
    assert drawn.paths[0].is_file()
    figure = figures["pooled_vrmse-lines.png"]
    test, ood = figure.axes
    assert (test.get_title("left"), ood.get_title("left")) == ("test", "ood_ic")
    assert test.get_xscale() == "log"
    first, second, crosses, persistence = test.lines
    assert first.get_xydata().tolist() == [[1, 1], [10, 2], [200, 3]]  # the second window, sorted
    assert second.get_xydata()[:2].tolist() == [[1, 1.1], [10, 2.1]]
    assert (crosses.get_marker(), crosses.get_xdata().tolist()) == ("x", [200])
    assert set(persistence.get_ydata()) == {20}
    assert {"mlp", "persistence", "diverged", "pooled_vrmse, frames 6:12"} <= set(words(figure))
    before = drawn.paths[0].read_bytes()
    assert draw_figures(out, FigureSettings()).paths[0].read_bytes() == before


def test_two_axes_give_lines_and_a_map(tmp_path, figures):
    out = write(
        tmp_path / "out",
        {"size": ["small", "larger"], "steps": [1, 20]},
        seeds=(0, 1, 2),
        diverged=lambda choices, seed: choices == {"size": "small", "steps": "20"} or seed == 2,
    )
    names = [path.name for path in draw_figures(out, FigureSettings(format="svg")).paths]
    assert names == ["pooled_vrmse-lines.svg", "pooled_vrmse-test-map.svg"]
    assert {"size = small", "size = larger"} <= set(words(figures[names[0]]))
    (axes,) = figures[names[1]].axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "20"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["small", "larger"]
    shown = words(axes)
    assert shown.count("diverged") == 1  # all seeds
    assert {"6 to diverged", "7 to diverged", "8 to diverged"} <= set(shown)  # one of three
    assert any("persistence 20" in text for text in shown)
    turned = draw_figures(out, FigureSettings(across="size")).paths
    assert [path.name for path in turned] == ["pooled_vrmse-test-map.png"]
    (axes,) = figures[turned[0].name].axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["small", "larger"]


def test_an_axis_of_names_is_a_map_of_splits(tmp_path, figures):
    out = write(tmp_path / "out", {"size": ["a", "bb"]}, splits=("test", "ood_ic"), seeds=(0,))
    (path,) = draw_figures(out, FigureSettings()).paths
    (axes,) = figures[path.name].axes
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == ["test (persistence 20.0)", "ood_ic (persistence 21.0)"]
    assert {"1", "2", "11", "12"} <= set(words(axes))


def test_more_axes_and_splits_give_more_figures(tmp_path, figures):
    axes = {"steps": [1, 2], "rule": ["x", "yy"], "noise": [0.0, 0.1]}
    out = write(tmp_path / "out", axes, seeds=(0,), splits=("a", "b", "c", "d"))
    names = {path.name for path in draw_figures(out, FigureSettings(window="1")).paths}
    lines = {f"pooled_vrmse-{part}-noise={n}-lines.png" for part in ("a-b-c", "d") for n in ("0.0", "0.1")}
    assert names == lines | {f"pooled_vrmse-{s}-noise={n}-map.png" for s in "abcd" for n in ("0.0", "0.1")}
    assert "pooled_vrmse, frames 1, noise = 0.1" in words(figures["pooled_vrmse-d-noise=0.1-lines.png"])


def test_what_diverged_altogether_is_said(tmp_path):
    out = write(
        tmp_path / "out",
        {"steps": [1, 2], "rule": ["x", "y"], "noise": [0.0, 0.1]},
        diverged=lambda choices, seed: choices["noise"] == "0.1",
    )
    drawn = draw_figures(out, FigureSettings())
    (remark,) = drawn.remarks
    assert remark.startswith("pooled_vrmse-test-noise=0.1-map: expected at least one finite number")
    assert len(drawn.paths) == 3  # crosses alone make lines


def test_what_cannot_be_drawn_is_refused(tmp_path):
    with pytest.raises(BadInputError, match=r"no table.csv yet"):
        draw_figures(tmp_path, FigureSettings())
    with pytest.raises(BadInputError, match="no axis"):
        draw_figures(write(tmp_path / "none", {}), FigureSettings())
    with pytest.raises(BadInputError, match="no run of the sweep"):
        draw_figures(write(tmp_path / "empty", {"steps": []}), FigureSettings())
    out = write(tmp_path / "out", {"steps": [1, 2]})
    for choices, message in (
        ({"metrics": ("well_vrmse",)}, "the table has no 'well_vrmse'"),
        ({"window": "6:13"}, "unknown window '6:13': did you mean '6:12'"),
        ({"regime": "maze"}, "unknown regime 'maze'"),
        ({"across": "step"}, "unknown axis 'step': did you mean 'steps'"),
    ):
        with pytest.raises(BadInputError, match=message):
            draw_figures(out, FigureSettings.parse(choices))
    lost = write(tmp_path / "lost", {"steps": [1]}, diverged=lambda choices, seed: True)
    assert draw_figures(lost, FigureSettings()).paths  # crosses beside persistence
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "table.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FormatError, match="not the table of a sweep"):
        draw_figures(tmp_path / "other", FigureSettings())
