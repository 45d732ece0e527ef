"""Other people's solvers for the Gray-Scott problem of benchmarks/solvers.py, and the machine's own limit.

Every maker returns a function that takes a start (2, cells, cells) and returns the end as a numpy array.
"""

import ctypes
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

FEED, KILL = 0.029, 0.057
DIFFUSIVITIES = (2e-5, 1e-5)
LENGTH = 2.0
Run = Callable[[np.ndarray], np.ndarray]


def exponax_run(cells: int, time_step: float, steps: int, order: int, dealiasing: float) -> Run:
    """Exponential time differencing by exponax, float32."""
    import exponax
    import jax
    import jax.numpy as jnp

    stepper = exponax.stepper.reaction.GrayScott(
        2,
        LENGTH,
        cells,
        time_step,
        diffusivity_1=DIFFUSIVITIES[0],
        diffusivity_2=DIFFUSIVITIES[1],
        feed_rate=FEED,
        kill_rate=KILL,
        order=order,
        dealiasing_fraction=dealiasing,
    )
    march = jax.jit(exponax.repeat(stepper, steps))
    return lambda start: np.asarray(march(jnp.asarray(start, jnp.float32)))


def pypde_run(
    cells: int, time_step: float, steps: int, solver: str, backend: str, length: float = LENGTH
) -> Run:
    """Finite differences of second order by py-pde; its steps are compiled at the first call."""
    import pde

    grid = pde.CartesianGrid([[0, length]] * 2, cells, periodic=True)
    a, b = DIFFUSIVITIES
    equation = pde.PDE(
        {
            "a": f"{a} * laplace(a) - a * b**2 + {FEED} * (1 - a)",
            "b": f"{b} * laplace(b) + a * b**2 - {FEED + KILL} * b",
        }
    )
    made = {"euler": pde.EulerSolver, "rk4": pde.RungeKuttaSolver}[solver](equation, backend=backend)
    march: list[Callable] = []

    def run(start: np.ndarray) -> np.ndarray:
        state = pde.FieldCollection([pde.ScalarField(grid, field) for field in start.astype(np.float64)])
        if not march:
            march.append(made.make_stepper(state, dt=time_step))
        march[0](state, 0.0, steps * time_step)
        return np.array(state.data)

    return run


def scipy_run(cells: int, end: float, tolerance: float) -> Run:
    """``scipy.integrate.solve_ivp`` (RK45) with the Laplacian by ``scipy.fft``, float64."""
    import scipy.fft
    from scipy.integrate import solve_ivp

    spacing = LENGTH / cells
    k = 2 * np.pi * np.fft.fftfreq(cells, spacing)
    last = 2 * np.pi * np.fft.rfftfreq(cells, spacing)
    symbol = -np.array(DIFFUSIVITIES)[:, None, None] * (k[:, None] ** 2 + last**2)

    def rate(_time: float, flat: np.ndarray) -> np.ndarray:
        state = flat.reshape(2, cells, cells)
        result = scipy.fft.irfft2(symbol * scipy.fft.rfft2(state), s=(cells, cells))
        conversion = state[0] * state[1] ** 2
        result[0] += FEED * (1 - state[0]) - conversion
        result[1] += conversion - (FEED + KILL) * state[1]
        return result.ravel()

    def run(start: np.ndarray) -> np.ndarray:
        flat = start.astype(np.float64).ravel()
        done = solve_ivp(rate, (0.0, end), flat, method="RK45", rtol=tolerance, atol=tolerance)
        return done.y[:, -1].reshape(start.shape)

    return run


def jax_euler(kind: str, factors: tuple[float, ...], steps: int) -> Run:
    """Explicit Euler with the five-point stencil under ``jax.lax.scan``, float32, a batch of states."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    spread_a, spread_b, feed, loss = factors

    def laplacian(u):
        if kind == "roll":
            return sum(jnp.roll(u, shift, axis) for axis in (-1, -2) for shift in (1, -1)) - 4 * u
        padded = jnp.pad(u, [(0, 0)] * (u.ndim - 2) + [(1, 1)] * 2, mode="wrap")
        if kind == "pad-slice":
            inner = slice(1, -1)
            neighbours = (
                padded[..., :-2, inner]
                + padded[..., 2:, inner]
                + padded[..., inner, :-2]
                + padded[..., inner, 2:]
            )
            return neighbours - 4 * u
        weights = jnp.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], jnp.float32)[None, None]
        flat = padded.reshape(-1, 1, *padded.shape[-2:])
        return lax.conv_general_dilated(flat, weights, (1, 1), "VALID").reshape(u.shape)

    def step(state, _):
        a, b = state
        conversion = a * b * b
        return (
            a + spread_a * laplacian(a) - conversion + feed * (1 - a),
            b + spread_b * laplacian(b) + conversion - loss * b,
        ), None

    march = jax.jit(lambda state: lax.scan(step, state, None, length=steps)[0])

    def run(start: np.ndarray) -> np.ndarray:
        a, b = march((jnp.asarray(start[:, 0]), jnp.asarray(start[:, 1])))
        return np.stack((np.asarray(a), np.asarray(b)), 1)

    return run


def numpy_euler(factors: tuple[float, ...], steps: int) -> Run:
    """Explicit Euler with the five-point stencil by ``numpy.roll``, float32."""
    spread_a, spread_b, feed, loss = (np.float32(value) for value in factors)

    def laplacian(u: np.ndarray) -> np.ndarray:
        return sum(np.roll(u, shift, axis) for axis in (-1, -2) for shift in (1, -1)) - np.float32(4) * u

    def run(start: np.ndarray) -> np.ndarray:
        a, b = start[:, 0], start[:, 1]
        for _ in range(steps):
            conversion = a * b * b
            a, b = (
                a + spread_a * laplacian(a) - conversion + feed * (np.float32(1) - a),
                b + spread_b * laplacian(b) + conversion - loss * b,
            )
        return np.stack((a, b), 1)

    return run


# rows padded by one cache line on each side, so that the inner loop is free of indices that wrap round
_C_SOURCE = """
#include <string.h>
#define LINE 16
static void wrap(float *u, int n, int row) {
  for (int field = 0; field < 2; field++, u += (size_t)(n + 2) * row) {
    for (int i = 1; i <= n; i++) {
      u[i * row + LINE - 1] = u[i * row + LINE + n - 1];
      u[i * row + LINE + n] = u[i * row + LINE];
    }
    memcpy(u + LINE - 1, u + n * row + LINE - 1, sizeof(float) * (n + 2));
    memcpy(u + (n + 1) * row + LINE - 1, u + row + LINE - 1, sizeof(float) * (n + 2));
  }
}
void march(float *restrict u, float *restrict v, int n, int steps, float pa, float pb, float f, float l) {
  int row = n + 2 * LINE;
  size_t plane = (size_t)(n + 2) * row;
  for (int s = 0; s < steps; s++) {
    wrap(u, n, row);
    for (int i = 1; i <= n; i++) {
      const float *restrict a = u + i * row + LINE;
      const float *restrict b = u + plane + i * row + LINE;
      float *restrict x = v + i * row + LINE;
      float *restrict y = v + plane + i * row + LINE;
#pragma GCC ivdep
      for (int j = 0; j < n; j++) {
        float c = a[j] * b[j] * b[j];
        float la = a[j - row] + a[j + row] + a[j - 1] + a[j + 1] - 4 * a[j];
        float lb = b[j - row] + b[j + row] + b[j - 1] + b[j + 1] - 4 * b[j];
        x[j] = a[j] + (pa * la - c + f * (1 - a[j]));
        y[j] = b[j] + (pb * lb + c - l * b[j]);
      }
    }
    float *t = u; u = v; v = t;
  }
}
void triad(float *restrict a, const float *restrict b, const float *restrict c, long n, int repeats) {
  for (int r = 0; r < repeats; r++)
    for (long i = 0; i < n; i++) a[i] = b[i] + (0.5f + r) * c[i];
}
"""


def c_library() -> ctypes.CDLL | None:
    """The hand-written stencil and a bandwidth loop, compiled now; None without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    folder = Path(tempfile.mkdtemp())
    (folder / "limit.c").write_text(_C_SOURCE)
    flags = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
    command = [compiler, *flags, "limit.c", "-o", "limit.so"]
    if subprocess.run(command, cwd=folder, capture_output=True).returncode != 0:
        return None
    library = ctypes.CDLL(str(folder / "limit.so"))
    shutil.rmtree(folder)
    return library


def c_euler(library: ctypes.CDLL, factors: tuple[float, ...], steps: int) -> Run:
    """Explicit Euler in C; ``steps`` must be even, so that the result is back in the first buffer."""

    def run(start: np.ndarray) -> np.ndarray:
        cells = start.shape[-1]
        result = np.empty_like(start)
        u, v = (_aligned((2, cells + 2, cells + 32)) for _ in range(2))
        for number, state in enumerate(start):
            u[:, 1:-1, 16:-16] = state
            library.march(
                ctypes.c_void_p(u.ctypes.data),
                ctypes.c_void_p(v.ctypes.data),
                cells,
                steps,
                *(ctypes.c_float(value) for value in factors),
            )
            result[number] = u[:, 1:-1, 16:-16]
        return result

    return run


def bandwidth(library: ctypes.CDLL, num_bytes: int) -> float:
    """GB/s of a[i] = b[i] + s c[i] over three arrays of ``num_bytes`` each, the best of five."""
    a, b, c = (_aligned((num_bytes // 4,)) for _ in range(3))
    b[:], c[:] = 1.0, 2.0
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (a, b, c)]
    repeats = max(1, 300_000_000 // (3 * num_bytes))
    best = np.inf
    for _ in range(5):
        began = time.process_time()
        library.triad(*pointers, ctypes.c_long(a.size), repeats)
        best = min(best, time.process_time() - began)
    return 3 * num_bytes * repeats / best / 1e9


def _aligned(shape: tuple[int, ...]) -> np.ndarray:
    size = int(np.prod(shape))
    raw = np.zeros(size + 16, np.float32)
    first = (-raw.ctypes.data // 4) % 16
    return raw[first : first + size].reshape(shape)
