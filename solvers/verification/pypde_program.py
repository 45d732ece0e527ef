"""Solves what it reads from standard input with py-pde; run by :mod:`.pypde` as a program of its own."""

import importlib
import json
import sys
from typing import Any

import numpy as np


def main() -> None:
    """Read cases as JSON, write the rate of change and the final state of each as JSON."""
    pde: Any = importlib.import_module("pde")
    answers = {}
    for name, case in json.load(sys.stdin).items():
        bounds = [(0.0, side) for side in case["extent"]]
        grid = pde.CartesianGrid(bounds, case["shape"], periodic=case["conditions"] is None)
        fields = [pde.ScalarField(grid, np.array(values)) for values in case["state"]]
        state = pde.FieldCollection(fields) if len(fields) > 1 else fields[0]
        options = {} if case["conditions"] is None else {"bc": case["conditions"]}
        equation = pde.PDE(case["expressions"], **options)
        rate = equation.evolution_rate(state, 0.0)
        last = equation.solve(
            state,
            t_range=case["duration"],
            dt=None,
            solver="scipy",
            backend="numpy",
            tracker=None,
            method="DOP853",
            rtol=1e-11,
            atol=1e-12,
        )
        shape = (1, len(fields), *case["shape"])
        answers[name] = {
            key: value.data.reshape(shape).tolist() for key, value in (("rate", rate), ("last", last))
        }
    answers["version"] = pde.__version__
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
