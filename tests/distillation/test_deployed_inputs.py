"""Which steps a deployed student reads, one by one: a gap just beside them is none of its business."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries
from darts.models import TiDEModel

from tests.helpers.models import fast
from tskd.distillation.deployed_inputs import DeployedInputs, without_incomplete

END, LOOKBACK, CHUNK = 20, 4, 3
"""The origin, and the student's steps."""
INDICES: dict[str, Any] = {
    "whole numbers": pd.RangeIndex(40),
    "every third": pd.RangeIndex(7, 127, 3),
    "dates": pd.date_range("2020-01-01", periods=40, freq="h"),
}


def with_gap(step: int | None = None, index: Any = INDICES["whole numbers"]) -> TimeSeries:
    values = np.arange(40.0)
    if step is not None:
        values[step] = np.nan
    return TimeSeries.from_times_and_values(index, values)


def read(slot: str, n: int, shift: int = 0) -> list[int]:
    """Steps after the origin of which the student is told that they are missing, the same for every index."""
    student = TiDEModel(LOOKBACK, CHUNK, output_chunk_shift=shift, **fast())
    found = {}
    for name, index in INDICES.items():
        steps = []
        for step in range(40):
            given = {"series": with_gap(index=index)} | {slot: with_gap(step, index)}
            given["series"] = given["series"][: END + 1]
            if DeployedInputs(student, **given).missing(index[END], n):
                steps.append(step - END)
        found[name] = tuple(steps)
    (same,) = set(found.values())
    return list(same)


def test_the_lookback_is_read_and_no_step_before_it() -> None:
    assert read("series", 1) == read("series", 7) == [-3, -2, -1, 0]


def test_past_covariates_are_read_on_where_forecasts_go_on() -> None:
    assert read("past_covariates", 1) == read("past_covariates", 3) == [-3, -2, -1, 0]
    assert read("past_covariates", 5) == [-3, -2, -1, 0, 1, 2]


def test_future_covariates_are_read_to_the_end_of_the_chunk_or_of_the_forecast() -> None:
    assert read("future_covariates", 1) == list(range(-3, 4))
    assert read("future_covariates", 5) == list(range(-3, 6))
    assert read("future_covariates", 3, shift=2) == list(range(-3, 6))


@pytest.mark.parametrize("shift", [0, 2])
def test_forecasts_that_read_a_gap_are_left_out(shift: int) -> None:
    """Step 20 is missing: origins 20 to 23 read it, whose forecasts begin at the shift and one step more."""
    inputs = DeployedInputs(TiDEModel(LOOKBACK, CHUNK, output_chunk_shift=shift, **fast()), with_gap(20))
    whole = [with_gap()[origin + shift + 1 : origin + shift + 3] for origin in range(15, 30)]
    left, missing = without_incomplete(whole, inputs, 2, 1)
    assert missing == 4
    assert [one.start_time() - shift - 1 for one in left] == [*range(15, 20), *range(24, 30)]
    # of each forecast the last point alone
    last = TimeSeries.from_times_and_values(pd.RangeIndex(15 + shift + 2, 30 + shift + 2), np.ones(15))
    points, missing = without_incomplete(last, inputs, 2, 1)
    assert missing == 4
    assert (np.flatnonzero(np.isnan(points.values()[:, 0])) + 15).tolist() == [20, 21, 22, 23]
