import math

import pytest

from pdenca.plots.style import MODEL_COLOURS, amount, format_number, line_styles, quantity


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (1440.0, "1440"),
        (-2.0, "−2"),
        (0.0123456, "0.0123"),
        (1.5, "1.50"),
        (12345.6, "12346"),
        (1e-6, "1e−6"),
        (5.64e-7, "5.64e−7"),
        (2.5e9, "2.5e9"),
        (math.nan, "NaN"),
        (-math.inf, "−∞"),
    ],
)
def test_numbers_are_written_short_and_true(value, text):
    assert format_number(value) == text


def test_units_stand_beside_names_and_values():
    assert quantity("time", "s") == "time (s)"
    assert quantity("A", "1") == "A (dimensionless)"
    assert amount(120.0, "s") == "120 s"
    assert amount(0.5, "1") == "0.500"


def test_rows_are_told_apart_and_keep_the_colours_they_are_given():
    names = ["reference", *(f"model {index}" for index in range(8)), "persistence"]
    styles = line_styles(names, reference="reference", colours={"model 2": "#123456"})
    assert len({(style["color"], str(style["linestyle"])) for style in styles.values()}) == len(names)
    assert styles["reference"]["color"] == "#000000"
    assert styles["model 0"]["color"] == MODEL_COLOURS[0]
    assert styles["model 2"]["color"] == "#123456"
    assert styles["persistence"]["linestyle"] != "-"
