"""A student that becomes NaN ends the fit with an error that says when, and is put back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from darts import TimeSeries
from darts.models import DLinearModel, NLinearModel

from tests.helpers.models import fast
from tests.helpers.refusals import untouched
from tests.helpers.series import walk
from tskd import DistilledModel, Teacher

L, H = 4, 3
Y = walk(40)
# no shuffling, so that the newest window, of darts' first, is in the first batch
IN_ORDER = {"shuffle": False, "batch_size": 4}


def with_value(series: TimeSeries, step: int, value: float) -> TimeSeries:
    values = series.values().copy()
    values[step] = value
    return series.with_values(values)


def student(**kwargs: Any) -> NLinearModel:
    return NLinearModel(L, H, **fast(n_epochs=3, **kwargs))


HEAVY = with_value(Y.map(np.abs).astype("float64"), -1, 1e308)
LOST: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "data of 1e37": ({}, {"series": with_value(Y, -1, 1e37)}, "epoch 0, batch 0 .*loss is inf"),
    "late in the epoch": ({}, {"series": with_value(Y, 5, 1e37)}, "epoch 0, batch [78] .*loss is inf"),
    "a weight of 1e308": (
        {},
        {"sample_weight": with_value(Y.map(np.abs).astype("float64"), -1, 1e308)},
        "epoch 0, batch 0",
    ),
    "a large step": ({"optimizer_cls": torch.optim.SGD, "optimizer_kwargs": {"lr": 1e37}}, {}, "epoch 0, batch"),
}


@pytest.mark.parametrize("case", list(LOST))
@pytest.mark.parametrize(("balance", "fitted"), [(0.0, False), (0.5, True)], ids=["new", "fitted"])
def test_the_step_is_named_and_the_student_put_back(case: str, balance: float, fitted: bool) -> None:
    settings, given, message = LOST[case]
    model = student(**settings)
    if fitted:
        model.fit(Y * 0)
    distilled = DistilledModel(model, Teacher(DLinearModel(L, H, **fast()).fit(Y)), balance=balance)
    arguments = {"series": Y, "dataloader_kwargs": IN_ORDER} | given
    with untouched(model, distilled), pytest.raises(FloatingPointError, match=message):
        distilled.fit(**arguments)


def test_a_last_step_without_a_next_one_counts() -> None:
    """The loss of the only step is finite, its gradient is not."""
    model = student(optimizer_cls=torch.optim.SGD, optimizer_kwargs={"lr": 3e38})
    with untouched(model), pytest.raises(FloatingPointError, match=r"epoch 0, batch 0 .*loss is \d[\d.e+]*, "):
        DistilledModel(model).fit(Y * 100, epochs=1, dataloader_kwargs={"batch_size": 100})
