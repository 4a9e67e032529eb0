"""A target that arrives k steps late: `output_chunk_shift=k` in the student, `CostlySensors(until=k)` in teachers."""

from __future__ import annotations

from typing import Any

import pytest
from darts import TimeSeries
from darts.models import DLinearModel, TiDEModel

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel, Teacher
from tskd.privileged import CostlySensors

H = 3


def moved(series: TimeSeries, first: int, last: int) -> TimeSeries:
    values = series.values(copy=True)
    values[first : last + 1] += 7
    return series.with_values(values)


@pytest.mark.parametrize("late", [1, 4])
def test_the_steps_that_have_not_arrived_change_no_forecast_of_the_student(late: int) -> None:
    settings: dict[str, Any] = fast(batch_size=16)
    train, test = [walk(60, 2, seed=2), walk(47, 2, seed=3)], walk(30, 2, seed=5)
    student = TiDEModel(8, H, output_chunk_shift=late, hidden_size=4, **settings)
    # not shifted: it forecasts the same steps, and sees the target up to the day itself
    teacher = Teacher(DLinearModel(10, late + H, **settings), CostlySensors("now", until=late), name="current")
    model = DistilledModel(student, teacher, balance=0.7).fit(train, privileged={"now": train})
    assert model.history[0]["weights"] == {"current": 1.0}

    def forecasts(series: TimeSeries) -> list[TimeSeries]:
        return model.historical_forecasts(series, retrain=False, forecast_horizon=H, last_points_only=False)

    reference = forecasts(test)
    assert len(reference) > 5
    for number in (0, len(reference) - 1):
        start = int(test.get_index_at_point(reference[number].start_time()))
        assert forecasts(moved(test, start - late, start + H))[number] == reference[number]
        assert forecasts(moved(test, start - late - 1, start - late - 1))[number] != reference[number]
