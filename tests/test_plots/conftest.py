"""A small Gray-Scott run, made by a loop here so that these tests need no other part of the package."""

from dataclasses import dataclass

import numpy as np
import pytest

from pdenca.plots import FIGURES


@dataclass(frozen=True)
class Run:
    times: np.ndarray
    reference: np.ndarray
    predictions: dict
    spacing: float


def _laplacian(field):
    axes = ((1, 0), (-1, 0), (1, 1), (-1, 1))
    return sum(np.roll(field, shift, axis) for shift, axis in axes) - 4 * field


def gray_scott(feed_rate, kill_rate, num_frames, num_cells=48, steps_between=120):
    random = np.random.default_rng(0)
    a, b = np.ones((num_cells, num_cells)), np.zeros((num_cells, num_cells))
    for _ in range(6):
        x, y = random.integers(4, num_cells - 10, size=2)
        a[x : x + 6, y : y + 5], b[x : x + 6, y : y + 5] = 0.5, 0.25
    frames = [b.copy()]
    for _ in range(num_frames - 1):
        for _ in range(steps_between):
            reaction = a * b * b
            a += 0.16 * _laplacian(a) - reaction + feed_rate * (1 - a)
            b += 0.08 * _laplacian(b) + reaction - (feed_rate + kill_rate) * b
        frames.append(b.copy())
    return np.stack(frames)


@pytest.fixture(scope="session")
def run():
    """Reference, two models that drift by different amounts, and one that diverges at frame 6."""
    reference = gray_scott(0.035, 0.060, 13)
    near = gray_scott(0.0351, 0.0601, 13)
    far = gray_scott(0.037, 0.060, 13)
    lost = far.copy()
    lost[4:] += 0.05 * np.exp(np.arange(9))[:, None, None]
    lost[6:] = np.nan
    times = np.arange(13) * 120.0
    return Run(times, reference, {"equivariant NCA": near, "FNO": far, "U-Net": lost}, spacing=0.02)


@pytest.fixture(scope="session")
def curves(run):
    def root_mean_square(prediction):
        return np.sqrt(np.mean((prediction - run.reference) ** 2, axis=(1, 2)))[1:]

    rows = {name: root_mean_square(field) for name, field in run.predictions.items()}
    rows["persistence"] = root_mean_square(np.broadcast_to(run.reference[:1], run.reference.shape))
    rows["spatial-mean"] = root_mean_square(
        np.broadcast_to(run.reference.mean((1, 2), keepdims=True), run.reference.shape)
    )
    return {name: (run.times[1:], value, value / 1.3, value * 1.3) for name, value in rows.items()}


@pytest.fixture(scope="session")
def spectra_rows(run):
    def shells(field):
        power = np.abs(np.fft.fft2(field)) ** 2 / field.size**2
        index = np.hypot(*np.meshgrid(*(np.fft.fftfreq(48, 1 / 48),) * 2)).round().astype(int)
        return np.bincount(index.ravel(), power.ravel())[:25]

    wavenumbers = np.arange(25) / (48 * run.spacing)
    rows = {"reference": shells(run.reference[-1])}
    rows |= {name: shells(field[-1]) for name, field in run.predictions.items()}
    return wavenumbers, rows


@pytest.fixture(scope="session")
def kernel_rows():
    laplacian = np.array([[1, 4, 1], [4, -20, 4], [1, 4, 1]]) / 6
    gradient = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]]) / 8
    random = np.random.default_rng(1)
    learned = laplacian + 0.03 * random.standard_normal((3, 3))
    wide = np.outer(*(np.array([1.0, 4, 6, 4, 1]),) * 2) / 256
    return [
        ("isotropic Laplacian", laplacian, {"sum": 0.0, r"$m_{xx}$": 2.0, r"$m_{yy}$": 2.0}),
        ("gradient in x", gradient, {"sum": 0.0, "$m_x$": 1.0}),
        ("learned 1", learned, {"sum": learned.sum(), r"$m_{xx}$": 1.97, r"$m_{yy}$": 2.03}),
        ("smoothing", wide, {"sum": 1.0}),
        ("learned 2", 0.5 * random.standard_normal((3, 3)), {}),
    ]


@pytest.fixture(scope="session")
def residuals():
    elements = [
        "rotate 90",
        "rotate 180",
        "rotate 270",
        "mirror x",
        "mirror y",
        "mirror diagonal",
        "mirror antidiagonal",
    ]
    random = np.random.default_rng(2)

    def row(level):
        return {element: float(level * 10 ** random.normal(0, 0.25)) for element in elements}

    exact = row(2e-7)
    exact["rotate 180"] = 0.0
    return {"equivariant NCA": exact, "FNO": row(3e-2), "U-Net": row(1e-2) | {"mirror x": float("nan")}}


@pytest.fixture(scope="session")
def metrics_rows():
    random = np.random.default_rng(3)
    rows = []
    for step in range(400):
        stage = "one step" if step < 150 else "unroll 4" if step < 300 else "unroll 16"
        loss = (0.3 * np.exp(-step / 60) + 2e-3 * (1 + (step >= 150))) * np.exp(random.normal(0, 0.25))
        row = {"step": step, "seconds": 0.8 * step, "loss": loss, "stage": stage}
        row["learning_rate"] = 3e-3 * 0.5 * (1 + np.cos(np.pi * step / 400)) + 1e-5
        row["validation"] = 1.4 * loss if step % 25 == 0 else None
        if step == 310:
            row["loss"] = float("nan")
        rows.append(row)
    return rows


@pytest.fixture(scope="session")
def figures(run, curves, spectra_rows, kernel_rows, residuals, metrics_rows):
    """Every figure of the dict, once, from the examples above."""
    one = {"equivariant NCA": run.predictions["equivariant NCA"], "U-Net": run.predictions["U-Net"]}
    arguments = {
        "frames": (
            (run.reference, one, run.times, run.spacing),
            {"field_name": "B", "length_unit": "mm", "num_columns": 3},
        ),
        "errors": ((curves,), {"metric": "VRMSE", "marks": {"end of training horizon": 600.0}}),
        "spectra": (spectra_rows, {"field_name": "B", "length_unit": "mm", "marks": {"resolved": 12.5}}),
        "kernels": ((kernel_rows,), {"unit": "1/mm²"}),
        "symmetry": ((residuals, 1e-6), {}),
        "training": ((metrics_rows,), {}),
    }
    return {name: FIGURES[name](*given, **options) for name, (given, options) in arguments.items()}
