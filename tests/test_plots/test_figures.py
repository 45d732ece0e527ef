import math
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from pdenca.core import BadInputError
from pdenca.plots import FIGURES, Curve, errors, frames, kernels, race, spectra, symmetry, training


def texts(figure):
    return " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def panels(figure):
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def marked(figure, gid):
    return [line for line in figure.findobj(matplotlib.lines.Line2D) if str(line.get_gid()).startswith(gid)]


def legend(figure):
    return [text.get_text() for axes in figure.axes if axes.get_legend() for text in axes.get_legend().texts]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_a_figure_in_words_with_units_on_every_labelled_axis(figures, name):
    figure = figures[name]
    assert isinstance(figure, Figure)
    assert len(str(figure.get_label())) > 30
    labels = [label for axes in figure.axes for label in (axes.get_xlabel(), axes.get_ylabel()) if label]
    assert labels
    assert all("(" in label or label == "group element" for label in labels), labels


def test_pyplot_is_never_loaded_and_the_settings_are_left_alone():
    code = (
        "import sys, matplotlib; before = dict(matplotlib.rcParams); import pdenca.plots as plots;"
        "figure = plots.errors({'a': ([1.0, 2.0], [1.0, 1.0])}, metric='error');"
        "plots.to_bytes(figure, 'png');"
        "assert 'matplotlib.pyplot' not in sys.modules; assert dict(matplotlib.rcParams) == before"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_users_settings_do_not_change_the_figure(curves):
    plain = errors(curves, metric="VRMSE")
    with matplotlib.rc_context({"font.size": 20, "axes.labelsize": 30, "xtick.labelsize": 30}):
        other = errors(curves, metric="VRMSE")
    for axis in ("xaxis", "yaxis"):
        first, second = (getattr(figure.axes[0], axis) for figure in (plain, other))
        assert first.label.get_fontsize() == second.label.get_fontsize() == 8.0
        assert first.get_ticklabels()[0].get_fontsize() == second.get_ticklabels()[0].get_fontsize() == 7.0


def test_frames_have_one_panel_per_row_and_time(figures):
    assert len(panels(figures["frames"])) == 3 * (1 + 2 * 2)
    written = texts(figures["frames"])
    assert all(f"$t$ = {time} s" in written for time in (0, 720, 1440))
    assert "$x$ (mm)" in written
    assert "B (dimensionless)" in written


def test_frames_name_what_diverged_and_show_the_error_of_the_rest(figures, run):
    written = [[text.get_text() for text in axes.texts] for axes in panels(figures["frames"])]
    assert [("diverged" in row) for row in written[9:12]] == [False, True, True]
    assert not any("diverged" in row for row in written[:9])
    error = run.predictions["equivariant NCA"][6] - run.reference[6]
    assert f"RMS {np.sqrt(np.mean(error**2)):.2g}" in written[7][0]


def test_frames_share_the_range_of_the_reference_and_centre_the_error(figures, run):
    images = [axes.images[0] for axes in panels(figures["frames"])]
    shown = run.reference[[0, 6, 12]]
    for image in images[:6] + images[9:12]:
        assert image.get_clim() == (shown.min(), shown.max())
    limits = {image.get_clim() for image in images[6:9] + images[12:]}
    assert len(limits) == 1
    low, high = limits.pop()
    assert low == -high < 0


def test_frames_draw_the_first_axis_to_the_right_and_the_second_upwards():
    field = np.zeros((1, 6, 4))
    field[0, 5, 1] = 1.0
    figure = frames(field, {}, [0.0], (0.5, 2.0), field_name="A", shown=[0])
    image = panels(figure)[0].images[0]
    assert image.get_extent() == [0.0, 3.0, 0.0, 8.0]
    assert image.origin == "lower"
    assert image.get_array()[1, 5] == 1.0


def test_one_diverging_model_does_not_blank_out_the_errors_of_the_others():
    field = np.random.default_rng(0).random((1, 8, 8))
    figure = frames(field, {"good": field + 0.01, "wild": field * 1e6}, [0.0], 1.0, field_name="A")
    error_images = [axes.images[0] for axes in panels(figure)[2:3]]
    assert error_images[0].get_clim()[1] == np.ptp(field)
    bars = [axes for axes in figure.axes if axes.get_label() == "<colorbar>"]
    assert [bar._colorbar.extend for bar in bars] == ["max", "max", "neither", "max", "max"]


def test_frames_read_tensors(run):
    reference = torch.tensor(run.reference[:1], dtype=torch.float32, requires_grad=True)
    figure = frames(reference, {"same": reference}, torch.tensor([0]), 1.0, field_name="B")
    assert texts(figure).count("RMS 0") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reference": np.ones((3, 4))}, "2 axes"),
        ({"reference": np.full((3, 4, 4), np.nan)}, "not finite at index"),
        ({"predictions": {"a": np.ones((3, 4, 5))}}, "prediction 'a' has shape"),
        ({"times": [0.0]}, "one per frame"),
        ({"shown": [3]}, "frame 3"),
        ({"shown": []}, "empty"),
        ({"num_columns": 0}, "at least 1"),
        ({"error_limit": 0.0}, "error_limit is 0.0"),
        ({"spacing": (1.0, -1.0)}, "positive cell size"),
        ({"spacing": (1.0, 1.0, 1.0)}, "one for each of x and y"),
        ({"reference": np.ones((3, 4, 4), dtype=complex)}, "complex"),
    ],
)
def test_frames_refuse_what_they_cannot_draw(change, message):
    good = {
        "reference": np.ones((3, 4, 4)),
        "predictions": {},
        "times": range(3),
        "spacing": 1.0,
        "field_name": "A",
    }
    with pytest.raises(BadInputError, match=message):
        frames(**(good | change))


def test_errors_mark_and_name_the_row_that_diverged(figures, run, curves):
    figure = figures["errors"]
    (cross,) = marked(figure, "diverged")
    value = curves["U-Net"][1]
    assert cross.get_gid() == "diverged: U-Net"
    assert cross.get_xydata().tolist() == [[600.0, value[4]]]
    assert legend(figure)[0] == "U-Net\ndiverged at t = 720 s"
    assert "diverged at t = 720 s" in figure.get_label()


def test_errors_are_logarithmic_with_bands_and_broken_do_nothing_lines(figures, curves):
    axes = figures["errors"].axes[0]
    assert axes.get_yscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (s)", "VRMSE (dimensionless)")
    assert len(axes.collections) == len(curves)
    styles = {line.get_label(): line.get_linestyle() for line in axes.get_legend().get_lines()}
    assert styles["persistence"] == styles["spatial-mean"] == "--"
    assert styles["FNO"] == "-"
    assert "95 % interval" in legend(figures["errors"])


def test_errors_never_draw_what_comes_after_the_first_value_that_is_not_finite():
    figure = errors({"a": Curve([1.0, 2, 3, 4], [0.1, np.inf, 0.3, 0.4])}, metric="error")
    line = figure.axes[0].get_lines()[0]
    assert line.get_xdata().tolist() == [1.0]
    assert legend(figure) == ["a\ndiverged at t = 2 s"]


def test_errors_tell_of_rows_that_never_were_finite_and_rows_that_are_zero():
    figure = errors(
        {"lost": ([1.0, 2], [np.nan] * 2), "exact": ([1.0, 2], [0.0, 0.0]), "part": ([1.0, 2], [0.0, 1.0])},
        metric="error",
    )
    assert legend(figure) == [
        "lost\ndiverged at t = 1 s",
        "part\n(zeros not drawn)",
        "exact\nexactly 0 throughout",
    ]
    assert len(marked(figure, "diverged")) == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({}, "empty"),
        ({"a": ([0.0, 1], [1.0])}, "shape"),
        ({"a": ([1.0, 0], [1.0, 1])}, "do not increase"),
        ({"a": ([0.0, 1], [1.0, -1])}, "negative"),
        ({"a": ([0.0],)}, "1 parts"),
        ({"a": ([], [])}, "no values"),
        ({"a": ([0.0], [1.0], [1.0, 2.0])}, "low of 'a'"),
    ],
)
def test_errors_refuse_what_they_cannot_draw(rows, message):
    with pytest.raises(BadInputError, match=message):
        errors(rows, metric="error")


def test_spectra_leave_out_the_mean_and_divide_by_the_reference(figures, spectra_rows):
    upper, lower = figures["spectra"].axes
    wavenumbers, rows = spectra_rows
    lines = {line.get_label().split("\n")[0]: line for line in upper.get_lines()}
    assert np.array_equal(lines["reference"].get_xdata(), wavenumbers[1:])
    ratios = [line.get_ydata() for line in lower.get_lines() if len(line.get_ydata()) == 24]
    assert any(np.allclose(ratio, (rows["FNO"] / rows["reference"])[1:]) for ratio in ratios)
    assert "U-Net\ndiverged" in legend(figures["spectra"])
    assert lower.get_xlabel() == "wavenumber, 1 / wavelength (cycles per mm)"
    assert np.prod(lower.get_ylim()) == pytest.approx(1.0)


def test_spectra_without_a_reference_have_one_chart_and_refuse_bad_input():
    figure = spectra([1.0, 2.0], {"a": [1.0, 0.0], "none": [0.0, 0.0]}, angular=True, length_unit="mm")
    assert len(figure.axes) == 1
    assert "rad per mm" in figure.axes[0].get_xlabel()
    assert legend(figure) == ["a", "none\nno power"]
    with pytest.raises(BadInputError, match="above zero"):
        spectra([0.0], {"a": [1.0]})
    with pytest.raises(BadInputError, match="power of 'a' has shape"):
        spectra([1.0, 2.0], {"a": [1.0]})


def test_kernels_write_every_weight_and_moment_on_one_symmetric_range(figures, kernel_rows):
    figure = figures["kernels"]
    drawn = [axes for axes in panels(figure) if axes.get_visible()]
    assert len(drawn) == len(kernel_rows)
    assert {axes.images[0].get_clim() for axes in drawn} == {(-20 / 6, 20 / 6)}
    numbers = [text.get_text() for text in drawn[0].texts]
    assert sorted(numbers) == sorted(["0.167"] * 4 + ["0.667"] * 4 + ["−3.33"])
    assert "$m_{xx}$ = 2" in drawn[0].get_xlabel()
    assert "weight (1/mm²)" in texts(figure)
    gradient = {text.get_position(): text.get_text() for text in drawn[1].texts}
    assert gradient[1, 0] == "0.25"
    assert gradient[-1, 0] == "−0.25"


def test_kernels_refuse_what_is_no_kernel():
    with pytest.raises(BadInputError, match="empty"):
        kernels([])
    with pytest.raises(BadInputError, match="kernel 'a'"):
        kernels([("a", np.ones(3), {})])
    with pytest.raises(BadInputError, match="not finite"):
        kernels([("a", np.full((3, 3), np.inf), {})])


def test_symmetry_shows_exact_zeros_and_lost_elements_apart(figures, residuals):
    axes = figures["symmetry"].axes[0]
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_yticklabels()] == list(residuals["FNO"])
    hollow = [
        line for line in axes.get_lines() if line.get_markerfacecolor() == "white" and len(line.get_xdata())
    ]
    assert sorted(line.get_color() for line in hollow) == sorted(["#0072B2", "#009E73"])
    written = texts(figures["symmetry"])
    assert all(words in written for words in ("exactly 0", "diverged", "round-off level 1e−6"))
    dots = next(line for line in axes.get_lines() if line.get_label() == "FNO")
    assert sorted(dots.get_xdata()) == pytest.approx(sorted(residuals["FNO"].values()))


def test_symmetry_refuses_bad_input():
    for rows, tolerance, message in (
        ({}, 1e-6, "empty"),
        ({"a": {}}, 1e-6, "no group element"),
        ({"a": {"g": -1.0}}, 1e-6, "negative"),
        ({"a": {"g": 1.0}}, 0.0, "tolerance"),
    ):
        with pytest.raises(BadInputError, match=message):
            symmetry(rows, tolerance)


def test_training_marks_divergence_and_stages(figures):
    upper, lower = figures["training"].axes
    (cross,) = marked(figures["training"], "divergence")
    assert cross.get_xdata().tolist() == [pytest.approx(248.0)]
    assert any("diverged at\n248 s" in label for label in legend(figures["training"]))
    assert [text.get_text() for text in upper.texts] == ["one step", "unroll 4", "unroll 16"]
    shaded = [patch.get_extents().bounds for patch in upper.patches]
    assert len(shaded) == 1
    assert lower.get_xlabel() == "time trained (s)"
    assert upper.get_yscale() == "log"


def test_training_tells_what_was_not_measured_from_what_diverged():
    rows = [
        {"seconds": 0.0, "loss": 1.0},
        {"seconds": 1.0, "loss": None, "validation": 0.5},
        {"seconds": 2.0, "loss": None},
        {"seconds": 3.0, "validation": None},
        {"seconds": 4.0, "loss": 0.5, "validation": float("inf")},
    ]
    figure = training(rows)
    assert len(figure.axes) == 1
    assert marked(figure, "divergence")[0].get_xdata().tolist() == [2.0, 4.0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "empty"),
        ([{"loss": 1.0}], "no seconds"),
        ([{"seconds": 2.0, "loss": 1.0}, {"seconds": 1.0, "loss": 1.0}], "go back"),
    ],
)
def test_training_refuses_what_it_cannot_draw(rows, message):
    with pytest.raises(BadInputError, match=message):
        training(rows)


def test_a_race_draws_the_lowest_error_so_far_and_names_what_never_finished():
    figure = race(
        {
            "untrained": {"adam": [((1, 2, 4), (0.5, 0.7, 0.2))], "sgd": [((1, 2), (math.nan, math.nan))]},
            "trained": {"adam": [((1, 3), (0.4, 0.1)), ((2, 3), (0.3, 0.2))]},
        },
        measure="validation error",
    )
    left, right = panels(figure)
    drawn = [line.get_ydata() for line in left.get_lines()]
    np.testing.assert_allclose(drawn[0], (0.5, 0.5, 0.2))
    assert len(right.get_lines()) == 2
    assert "adam 0.1" in str(figure.get_label())
    assert "sgd" not in str(figure.get_label())
    # the legend names what stands in one of the panels only
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["adam", "sgd"]
    assert "time of training (s)" in texts(figure)
    with pytest.raises(BadInputError, match="at least one panel"):
        race({})
    with pytest.raises(BadInputError, match="'adam' has 1 seconds and 2 errors"):
        race({"untrained": {"adam": [((1.0,), (0.5, 0.2))]}})
