"""A student that becomes NaN ends the fit with an error that says when, and is put back."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from darts import TimeSeries
from darts.models import DLinearModel, NLinearModel, TiDEModel
from torch import Tensor, nn

from tests.helpers.models import fast
from tests.helpers.refusals import refused, untouched
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


def placed(value: float, series: TimeSeries = Y) -> TimeSeries:
    return series.with_static_covariates(pd.DataFrame({"height": [0.5], "place": [value]}))


def with_places() -> TiDEModel:
    sizes = {"hidden_size": 4, "decoder_output_dim": 2, "temporal_decoder_hidden": 3}
    return TiDEModel(L, H, use_static_covariates=True, **sizes, **fast())


UNKNOWN: dict[str, dict[str, Any]] = {
    "series": {"series": placed(math.nan)},
    "series[1]": {"series": [placed(1.0), placed(-math.inf, walk(31, seed=3))]},
    "val_series": {"series": placed(1.0), "val_series": placed(math.nan, walk(31, seed=3))},
}


@pytest.mark.parametrize("what", list(UNKNOWN))
def test_static_covariates_that_are_no_finite_numbers_are_refused(what: str, steps: list[str]) -> None:
    """They reach every window, and would make every weight NaN in the first step."""
    student = with_places()
    model = DistilledModel(student, Teacher(DLinearModel(L, H, **fast()), name="a"))
    with untouched(model, student):
        message = rf"^{re.escape(what)} has missing or infinite static covariates \['place'\]"
        refused(lambda: model.fit(**UNKNOWN[what]), ValueError, message)
    assert not steps
    model.fit(placed(1.0))
    refused(lambda: model.predict(H, placed(math.nan)), ValueError, "static covariates", "place")


class NeverANumber(nn.Module):
    """A loss that is NaN from its third batch on."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def forward(self, forecast: Tensor, labels: Tensor) -> Tensor:
        self.seen += 1
        return (forecast - labels).square().mean() * (math.nan if self.seen > 2 else 1)


def test_large_static_covariates() -> None:
    student = with_places()
    model = DistilledModel(student)
    with untouched(student), pytest.raises(FloatingPointError, match=r"epoch 0, batch 0 .*loss is inf"):
        model.fit(placed(1e37))


@pytest.mark.parametrize("balance", [0.0, 0.5])
def test_a_loss_of_ones_own_that_becomes_nan(balance: float) -> None:
    model = student(loss_fn=NeverANumber())
    distilled = DistilledModel(model, Teacher(DLinearModel(L, H, **fast()).fit(Y)), balance=balance)
    with untouched(model), pytest.raises(FloatingPointError, match=r"epoch 0, batch 2 .*loss is nan"):
        distilled.fit(Y, dataloader_kwargs=IN_ORDER)


def test_a_teacher_whose_answers_are_too_large() -> None:
    given = Teacher.from_series(with_value(Y, -1, 1e37), name="given")
    model = student()
    with untouched(model), pytest.raises(FloatingPointError, match=r"epoch 0, batch 0 .*loss is inf"):
        DistilledModel(model, given).fit(Y, dataloader_kwargs=IN_ORDER)
