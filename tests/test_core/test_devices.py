"""Names of devices."""

import pytest
import torch
from torch import nn

from pdenca.core import AUTO, BadInputError, device_named, device_of


def test_auto_is_a_gpu_only_when_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_named(AUTO) == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_named(AUTO) == torch.device("cuda")


def test_what_is_no_device_or_is_not_here_is_refused():
    assert device_named("cpu") == torch.device("cpu")
    with pytest.raises(BadInputError, match="there is no device 'gpu'"):
        device_named("gpu")
    with pytest.raises(BadInputError, match="torch finds no device 'cuda:99' here"):
        device_named("cuda:99")


def test_a_model_is_where_its_parameters_are():
    assert device_of(nn.Linear(2, 2, device="meta")) == torch.device("meta")
    assert device_of(nn.ReLU()) == torch.device("cpu")
