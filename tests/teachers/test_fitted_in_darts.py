"""Teachers that were fitted in plain darts, with a privileged series as a covariate under its own names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from darts import TimeSeries, concatenate
from darts.models import LinearRegressionModel, NLinearModel, TiDEModel

from tests.helpers.models import fast
from tests.helpers.series import walk
from tskd import DistilledModel, Teacher
from tskd.privileged import CostlySensors, FutureHorizon

H, L = 3, 4
Y, KNOWN = walk(60, 2), walk(66, seed=1, name="known")
LAB, WEATHER = walk(60, 2, seed=2, name="lab"), walk(66, seed=3, name="weather")
PRIVILEGED = {"lab": LAB, "weather": WEATHER}


def plain(kind: str) -> Any:
    if kind == "network":
        return TiDEModel(L, H, **fast())
    return LinearRegressionModel(L, lags_past_covariates=L, lags_future_covariates=(L, H), output_chunk_length=H)


def beside(*series: TimeSeries) -> TimeSeries:
    return concatenate([one.slice_intersect(series[0]) for one in series], axis=1)


@pytest.mark.parametrize("kind", ["network", "regression"])
def test_its_answers_are_those_of_darts(kind: str) -> None:
    """Sensors behind a deployable past covariate, the future of another series alone."""
    past = KNOWN[:60]
    fitted = plain(kind).fit(Y, past_covariates=beside(past, LAB), future_covariates=WEATHER)
    teacher = Teacher(fitted, [CostlySensors("lab"), FutureHorizon("weather")], name="seer")
    found = teacher.historical_forecasts(Y, past, privileged=PRIVILEGED)
    expected = fitted.historical_forecasts(
        Y,
        beside(past, LAB),
        WEATHER,
        forecast_horizon=H,
        retrain=False,
        last_points_only=False,
    )
    assert len(found) == len(expected) == 60 - L - H + 1
    for one, other in zip(found, expected, strict=True):
        assert isinstance(one, TimeSeries) and one.time_index.equals(other.time_index)
        np.testing.assert_allclose(one.values(), other.values(), rtol=1e-5, atol=1e-6)
    student = DistilledModel(NLinearModel(L, H, **fast()), teacher)
    student.fit(Y, past_covariates=past, privileged=PRIVILEGED)
    assert student.teachers[0] is teacher


def test_its_answers_where_series_had_several_names() -> None:
    """darts keeps no names after a fit on several series, and counts are checked by the network's shapes."""
    other = walk(40, 2, seed=5, name="z")
    fitted = plain("network").fit([Y, other], past_covariates=[LAB, LAB], future_covariates=[WEATHER, WEATHER])
    teacher = Teacher(fitted, [CostlySensors("lab"), FutureHorizon("weather")], name="seer")
    assert len(teacher.historical_forecasts(other, privileged=PRIVILEGED)) == 40 - L - H + 1
    with pytest.raises(ValueError, match="teacher 'seer': it was fitted with components"):
        teacher.historical_forecasts(other, privileged={"lab": LAB["lab0"], "weather": WEATHER})


def test_a_covariate_of_another_name_is_matched_by_its_source() -> None:
    renamed = LAB.with_columns_renamed(["lab0", "lab1"], ["a", "b"])
    fitted = plain("regression").fit(Y, past_covariates=renamed, future_covariates=WEATHER)
    teacher = Teacher(fitted, [CostlySensors("lab"), FutureHorizon("weather")], name="seer")
    assert len(teacher.historical_forecasts(Y, privileged=PRIVILEGED)) == 60 - L - H + 1


@pytest.mark.parametrize("by_darts", [True, False], ids=["fitted by darts", "fitted by Teacher"])
def test_columns_that_would_be_mixed_are_refused(by_darts: bool) -> None:
    """The sources in another order than the columns, or one series' components; a source of more columns; none."""
    pair = {"one": walk(60, seed=7, name="one"), "two": walk(60, seed=8, name="two")}
    sources = [CostlySensors("one"), CostlySensors("two")]
    model = LinearRegressionModel(L, lags_past_covariates=L, output_chunk_length=H)
    if by_darts:
        fitted = model.fit(Y, past_covariates=beside(*pair.values()))
    else:
        fitted = Teacher(model, sources, name="seer").fit(Y, privileged=pair).model
    right, wrong = (Teacher(fitted, given, name="seer") for given in (sources, sources[::-1]))
    assert len(right.historical_forecasts(Y, privileged=pair)) == 60 - L - H + 1
    with pytest.raises(ValueError, match=r"past_covariates of teacher 'seer' has components .*columns would be mixed"):
        wrong.historical_forecasts(Y, privileged=pair)
    more = pair | {"two": LAB}
    with pytest.raises(ValueError, match=r"past_covariates of teacher 'seer' has components .*give as many components"):
        DistilledModel(NLinearModel(L, H, **fast()), right).fit(Y, privileged=more)
    with pytest.raises(ValueError, match=r"teacher 'seer' was fitted with past_covariates .* declare their source"):
        Teacher(fitted, name="seer").historical_forecasts(Y)


def test_a_gap_in_a_component_with_lags_of_its_own_is_found_by_position() -> None:
    """Lags by the names of the training series: a gap at lag −2 of the first, which reads −1 alone, does no harm."""
    lags: Any = {"lab0": [-1], "lab1": [-3, -1]}
    fitted = LinearRegressionModel(2, lags_past_covariates=lags, output_chunk_length=H).fit(Y, past_covariates=LAB)
    teacher = Teacher(fitted, CostlySensors("lab"), name="seer")
    gap = LAB.values().copy()
    gap[30, 0] = np.nan
    counts = [
        len(teacher.historical_forecasts(Y, privileged={"lab": LAB.with_values(values)}))
        for values in (LAB.values(), gap)
    ]
    assert counts[0] - counts[1] == 1
