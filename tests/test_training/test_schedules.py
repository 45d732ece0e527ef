"""Schedules: where a learning rate begins, peaks and ends."""

import pytest
import torch

from pdenca.training.schedules import SCHEDULES, one_cycle


@pytest.mark.parametrize("name", SCHEDULES)
def test_no_schedule_exceeds_its_rate_or_falls_below_nothing(name):
    factors = [SCHEDULES[name](step, 50) for step in range(60)]
    assert all(0 <= factor <= 1 for factor in factors)


def test_one_cycle_is_torch_s():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    num_steps = 100
    # torch counts to its last step, so that its peak lies one step earlier
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1.0, total_steps=num_steps, cycle_momentum=False, final_div_factor=1e9
    )
    for step in range(num_steps - 1):
        assert one_cycle(step, num_steps) == pytest.approx(theirs.get_last_lr()[0], abs=0.06)
        optimizer.step()
        theirs.step()
    assert one_cycle(0, num_steps) == pytest.approx(1 / 25)
    assert one_cycle(30, num_steps) == 1
    assert one_cycle(num_steps, num_steps) == pytest.approx(0)
