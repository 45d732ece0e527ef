import io

import numpy as np
import pytest
from PIL import Image

from pdenca.core import BadInputError
from pdenca.plots import FIGURES, FORMATS, errors, save, to_bytes

FIRST_BYTES = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_written_in_every_format(figures, tmp_path, name, file_format):
    path = save(figures[name], tmp_path / f"figure.{file_format}", dpi=60)
    content = path.read_bytes()
    assert content.startswith(FIRST_BYTES[file_format])
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    if file_format == "png":
        pixels = np.asarray(Image.open(io.BytesIO(content)).convert("L"))
        assert 0.01 < (pixels < 128).mean() < 0.9


@pytest.mark.parametrize("file_format", FORMATS)
def test_equal_figures_give_equal_bytes(file_format):
    def draw():
        figure = errors({"a": ([1.0, 2.0], [0.1, 0.2])}, metric="error")
        return to_bytes(figure, file_format, dpi=60)

    first = draw()
    assert draw() == first
    assert b"CreationDate" not in first
    assert b"<dc:date>" not in first


def test_another_suffix_is_refused_by_name(figures, tmp_path):
    for name in ("figure.jpg", "figure"):
        with pytest.raises(BadInputError, match=r"\.png, \.pdf or \.svg"):
            save(figures["errors"], tmp_path / name)
    with pytest.raises(BadInputError, match="png, pdf, svg"):
        to_bytes(figures["errors"], "jpg")
    assert list(tmp_path.iterdir()) == []


def test_a_figure_that_cannot_be_drawn_leaves_the_old_file_alone(figures, tmp_path, monkeypatch):
    path = tmp_path / "new" / "figure.PNG"
    save(figures["errors"], path, dpi=40)
    before = path.read_bytes()
    monkeypatch.setattr(
        figures["errors"], "savefig", lambda *_, **__: (_ for _ in ()).throw(RuntimeError("broken"))
    )
    with pytest.raises(RuntimeError, match="broken"):
        save(figures["errors"], path)
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1
