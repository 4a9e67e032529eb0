"""Named data sets: what is in them, and that a gap is filled from the past alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from statsmodels.datasets import co2

from tskd.datasets import DataSet, fill_from_past, load, names


@pytest.fixture(scope="module")
def data() -> DataSet:
    return load("co2")


@pytest.fixture(scope="module")
def raw() -> pd.Series:
    return co2.load_pandas().data["co2"]


def test_co2_is_the_change_from_one_four_week_mean_to_the_next(data: DataSet, raw: pd.Series) -> None:
    stamp = data.series.time_index[400]
    assert stamp not in data.filled
    this = raw[stamp : stamp + pd.Timedelta(weeks=3)]
    before = raw[stamp - pd.Timedelta(weeks=4) : stamp - pd.Timedelta(weeks=1)]
    assert len(this) == len(before) == 4
    value = data.series[stamp].values().item()
    assert value == pytest.approx(this.mean() - before.mean(), abs=1e-4)


def test_weekly_co2_averages_to_the_deployable_series(data: DataSet) -> None:
    assert data.series.freq_str == "4W-SAT" and data.privileged["weekly"].freq_str == "W-SAT"
    assert list(data.series.components) == list(data.privileged["weekly"].components) == ["co2"]
    fine = data.privileged["weekly"].to_series()
    for stamp in data.series.time_index[[0, 1, 300, -1]]:
        month = fine[stamp : stamp + pd.Timedelta(weeks=3)]
        assert len(month) == 4
        assert data.series[stamp].values().item() == pytest.approx(month.mean(), abs=1e-5)


def test_co2_is_complete_and_split_in_order(data: DataSet) -> None:
    for series in (data.series, data.privileged["weekly"]):
        assert np.isfinite(series.values()).all()
    assert data.series.start_time() < data.validation_start < data.test_start < data.series.end_time()
    assert str(data.test_start.year) == "1985"


def test_steps_that_rest_on_filled_weeks_are_known(data: DataSet, raw: pd.Series) -> None:
    weeks = pd.Timedelta(weeks=1)
    missing = {stamp for stamp in data.series.time_index if raw[stamp - 4 * weeks : stamp + 3 * weeks].isna().any()}
    assert missing == data.filled
    assert any(stamp > data.test_start for stamp in missing)


def test_a_gap_is_filled_with_the_year_before_and_the_last_change() -> None:
    # the change over a period of 2 that is known at step 2 is 3 - 1
    assert fill_from_past(np.array([1, 2, 3, np.nan, np.nan, 6.0]), period=2).tolist() == [1, 2, 3, 4, 5, 6]


def test_the_last_value_is_carried_on_where_there_is_no_year_before() -> None:
    assert fill_from_past(np.array([1, np.nan, np.nan, 5.0]), period=3).tolist() == [1, 1, 1, 5]


def test_gaps_are_filled_from_the_past_only(raw: pd.Series) -> None:
    values = raw.to_numpy()
    filled = fill_from_past(values, period=52)
    gaps = np.flatnonzero(np.isnan(values))
    assert len(gaps) == 59 and np.isfinite(filled).all()
    for gap in gaps[::6]:
        later = values.copy()
        later[gap + 1 :] = np.where(np.arange(len(values) - gap - 1) % 2, 1e6, np.nan)
        assert fill_from_past(later, period=52)[gap] == filled[gap]


def test_measured_values_stay(raw: pd.Series) -> None:
    values = raw.to_numpy()
    known = ~np.isnan(values)
    assert (fill_from_past(values, period=52)[known] == values[known]).all()


def test_a_series_that_starts_with_a_gap_is_refused() -> None:
    with pytest.raises(ValueError, match="first value is NaN"):
        fill_from_past(np.array([np.nan, 1.0]), period=1)


def test_an_unknown_name_gets_the_nearest() -> None:
    assert names() == ["co2"]
    with pytest.raises(ValueError, match="Did you mean 'co2'"):
        load("c02")


def test_a_split_out_of_order_is_refused(data: DataSet) -> None:
    with pytest.raises(ValueError, match="in order"):
        replace(data, test_start=data.validation_start)
