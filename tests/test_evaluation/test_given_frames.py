"""Frames that a model is given are never scored, wherever a rollout starts and however many are given."""

from dataclasses import replace

import hypothesis
import hypothesis.strategies as st
import torch

from pdenca.evaluation import EvaluationSettings, evaluate


@hypothesis.given(
    num_given=st.integers(1, 4), start=st.integers(0, 3), rest=st.integers(2, 5), factor=st.floats(0.2, 1)
)
@hypothesis.settings(max_examples=10, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_what_is_given_has_no_part_in_the_score(make_case, decay, num_given, start, rest, factor):
    """Spoiling what a model that sees one frame does not look at changes nothing; all that follows counts."""
    settings = EvaluationSettings(
        num_given=num_given, start=start, windows=((1, 1), (1, rest)), num_bootstrap=5, dtype="float64"
    )
    case = make_case(num_frames=start + num_given + rest, num_trajectories=2)
    spoilt = case.truth.clone()
    spoilt[:, : start + num_given - 1] = 1e6
    models = {"m": decay(factor)}
    rows = evaluate([case], models, settings).rows
    assert rows == evaluate([replace(case, truth=spoilt)], models, settings).rows
    assert {row.window for row in rows if row.metric == "well_nrmse"} == {"1", f"1:{rest}"}
    for frame in range(start + num_given, start + num_given + rest):
        other = case.truth.clone()
        other[:, frame] += torch.linspace(1, 2, 8)
        changed = evaluate([replace(case, truth=other)], models, settings).rows
        assert changed != rows, f"frame {frame} is predicted, so it must count"
