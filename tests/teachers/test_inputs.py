"""The inputs of a teacher, masks and all: which steps of which components it may read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries
from darts.models import LinearRegressionModel, NLinearModel, TiDEModel

from tests.helpers.models import fast
from tskd import Teacher
from tskd._core.model_inputs import ModelInputs
from tskd._core.series import SeriesBundle
from tskd._core.window_keys import WindowSampling
from tskd.privileged import CostlySensors, FutureHorizon, WayPoint

LENGTHS = (20, 14)


def counting(name: str, base: float, components: int = 1, first: int = 0, end: tuple[int, int] = LENGTHS) -> Any:
    """base + 100·series + 10·c + t / 100 at step t, one series for each target."""
    made = []
    for index, last in enumerate(end):
        values = np.arange(first, last)[:, None] / 100 + base + 100 * index + 10.0 * np.arange(components)
        columns = [f"{name}{number}" for number in range(components)]
        made.append(TimeSeries.from_times_and_values(pd.RangeIndex(first, last), values, columns=columns))
    return made


def inputs(teacher: Teacher, sampling: WindowSampling | None = None) -> ModelInputs:
    frame = pd.DataFrame({"place": [1.0]})
    targets = [target.with_static_covariates(frame) for target in counting("y", 0, 2)]
    privileged = {"p": counting("p", 1000, end=(30, 30)), "q": counting("q", 2000, end=(30, 30))}
    data = teacher.data_of(
        targets, counting("a", 3000), counting("b", 4000, end=(24, 18)), {n: privileged[n] for n in teacher.names}
    )
    return teacher.inputs_on(data, sampling)


def network(horizon: int = 3, **kwargs: Any) -> TiDEModel:
    return TiDEModel(4, horizon, **fast(**kwargs))


def masks(found: ModelInputs) -> dict[str, list[list[int]]]:
    return {slot: mask.int().tolist() for slot, mask in found.visible.items()}


def test_a_teacher_that_sees_all_that_there_is_has_no_masks() -> None:
    found = inputs(Teacher(network(), [FutureHorizon("p"), CostlySensors("q")]))
    assert masks(found) == {}
    assert found.past_covariates is not None and found.future_covariates is not None
    assert [list(one.components) for one in found.past_covariates] == [["a0", "CostlySensors:q:q0"]] * 2
    assert [list(one.components) for one in found.future_covariates] == [["b0", "FutureHorizon:p:p0"]] * 2
    assert found.series[1].has_static_covariates
    for index in range(2):
        # a series' own values, up to the end of its target
        (at_end,) = found.future_covariates[index][LENGTHS[index] - 1].values()
        assert at_end.tolist() == pytest.approx(
            [4000 + 100 * index + at_end[1] % 1, 1000 + 100 * index + at_end[1] % 1]
        )
        assert at_end[1] % 1 == pytest.approx((LENGTHS[index] - 1) / 100)


def test_the_lookback_of_each_source_is_its_own() -> None:
    """Deployable covariates everywhere; a horizon that is read from its first step with its lookback; a way point at
    its step alone, and the mark that it is known."""
    found = inputs(Teacher(network(), [FutureHorizon("p"), WayPoint("q", 2)]))
    assert masks(found) == {
        "future_covariates": [[1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 0, 0]],
        "historic_future_covariates": [[1, 1, 0, 0]] * 4,
    }


def test_a_blind_teacher_sees_no_lookback_of_anything() -> None:
    """The historic part of its future source may be the target's own past."""
    found = inputs(Teacher(network(), [FutureHorizon("p"), WayPoint("q", 2)], sees_inputs=False))
    assert masks(found) == {
        "past_target": [[0, 0]] * 4,
        "future_covariates": [[1, 0, 0], [1, 1, 1], [1, 0, 0]],
        "historic_future_covariates": [[0, 0, 0]] * 4,
    }
    assert found.past_covariates is None and not any(one.has_static_covariates for one in found.series)
    whole = inputs(Teacher(network(), FutureHorizon(), sees_inputs=False))
    assert masks(whole) == {"past_target": [[0, 0]] * 4, "historic_future_covariates": [[0, 0]] * 4}


def test_a_blind_teacher_takes_no_covariates_of_its_student() -> None:
    data = SeriesBundle.of(counting("y", 0, 2), counting("a", 3000), counting("b", 4000, end=(24, 18)))
    data = data.with_privileged({"p": counting("p", 1000, end=(30, 30))}, ["p"])
    found = Teacher(network(), FutureHorizon("p"), sees_inputs=False).inputs_on(data)
    assert found.past_covariates is None and found.future_covariates is not None
    assert list(found.future_covariates[0].components) == ["FutureHorizon:p:p0"]


def test_a_source_that_reads_as_far_as_the_longest_series_goes() -> None:
    """Lookback 4 and 16 steps after the origin are the 20 steps of the first series; 17 are more."""
    assert inputs(Teacher(network(), CostlySensors("p", until=16)), WindowSampling()).keys is not None
    with pytest.raises(ValueError, match="no window has what it reads"):
        inputs(Teacher(network(), CostlySensors("p", until=17)), WindowSampling())


def test_a_regression_may_have_lags_where_its_sources_show_something() -> None:
    model = LinearRegressionModel(lags=2, lags_future_covariates=[0, 1], output_chunk_length=3)
    inputs(Teacher(model, FutureHorizon("p", end=2)))
    beyond = LinearRegressionModel(lags=2, lags_future_covariates=[1, 2], output_chunk_length=3)
    with pytest.raises(ValueError, match=r"at steps \[3\] after the origin"):
        inputs(Teacher(beyond, FutureHorizon("p", end=2)))


@pytest.mark.parametrize("until, last", [(0, 16), (2, 18), (5, 19)])
def test_sensors_must_reach_the_last_origin(until: int, last: int) -> None:
    """Of a target of steps 0 to 19 and a horizon of 3, origins are up to step 16; nothing is read after step 19."""

    def given(end: int) -> ModelInputs:
        teacher = Teacher(network(), CostlySensors("p", until=until))
        sensors = counting("p", 0, end=(end + 1, end + 1))[:1]
        return teacher.inputs_on(SeriesBundle.of(counting("y", 0)[:1]).with_privileged({"p": sensors}, ["p"]))

    given(last)
    with pytest.raises(ValueError, match="but the windows need"):
        given(last - 1)


def test_a_teachers_own_target_is_cut_to_the_students() -> None:
    teacher = Teacher(NLinearModel(4, 3, **fast()), target="both")
    both = counting("y", 0, 3, first=-5, end=(25, 25))
    data = SeriesBundle.of(counting("y", 0, 2)).with_privileged({"both": both}, ["both"])
    found = teacher.inputs_on(data)
    assert [(one.start_time(), one.end_time()) for one in found.series] == [(0, 19), (0, 13)]
