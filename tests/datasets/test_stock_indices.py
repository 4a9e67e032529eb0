"""The stock indices: returns and ranges by hand, and a step that is a day of trading."""

from __future__ import annotations

import importlib
import math
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from darts.utils.utils import n_steps_between

from tskd import datasets
from tskd.datasets import DataSet
from tskd.datasets.stock_indices import trading_day

pytest.importorskip("arch", reason="arch is not installed")


@pytest.fixture(scope="module", params=["sp500", "nasdaq"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def data(name: str) -> DataSet:
    return datasets.load(name)


@pytest.fixture(scope="module")
def table(name: str) -> pd.DataFrame:
    return importlib.import_module(f"arch.data.{name}").load()


def test_the_largest_day_is_what_its_prices_say() -> None:
    """13 October 2008: 1,003.349976 after 899.219971; it went from 912.75 to 1,006.929993."""
    data, day = datasets.load("sp500"), pd.Timestamp("2008-10-13")
    assert data.series[day].values().item() == pytest.approx(100 * math.log(1003.349976 / 899.219971), rel=1e-5)
    assert data.privileged["range"][day].values().item() == pytest.approx(
        100 * math.log(1006.929993 / 912.75), rel=1e-5
    )
    assert data.series.values().argmax() == data.series.time_index.get_loc(day)


def test_every_day_is_that_of_the_table_but_the_first(data: DataSet, table: pd.DataFrame) -> None:
    close, high, low = (table[column].to_numpy() for column in ("Close", "High", "Low"))
    assert list(data.series.time_index) == list(table.index[1:])
    np.testing.assert_allclose(data.series.values().ravel(), 100 * np.abs(np.log(close[1:] / close[:-1])), atol=2e-5)
    np.testing.assert_allclose(data.privileged["range"].values().ravel(), 100 * np.log(high / low)[1:], rtol=1e-5)
    assert list(data.series.components) == ["absolute return"] and not data.filled


def test_the_range_holds_all_that_the_price_did_from_the_opening_on(data: DataSet, table: pd.DataFrame) -> None:
    change, spread = data.series.values().ravel(), data.privileged["range"].values().ravel()
    inside = 100 * np.abs(np.log(table["Close"].to_numpy() / table["Open"].to_numpy()))[1:]
    assert (spread >= inside - 1e-4).all()
    # of a random walk without drift it is 2
    assert 1.5 < spread.mean() / change.mean() < 2.1


def test_the_last_two_years_are_for_the_test_and_the_one_before_for_validation(data: DataSet) -> None:
    times = data.series.time_index
    assert (data.validation_start, data.test_start) == (pd.Timestamp("2016-01-04"), pd.Timestamp("2017-01-03"))
    parts = [(times < data.validation_start).sum(), (times < data.test_start).sum(), len(times)]
    assert [int(part) for part in np.diff(parts, prepend=0)] == [4276, 252, 502]


def test_a_step_is_a_day_of_trading(data: DataSet) -> None:
    times = data.series.time_index
    closed = pd.Timestamp("2001-09-11")
    assert closed not in times
    before, after = pd.Timestamp("2001-09-10"), pd.Timestamp("2001-09-17")
    assert before + data.series.freq == after
    assert n_steps_between(end=times[-1], start=times[0], freq=data.series.freq) == len(times) - 1
    cut = data.series[before:after]
    assert len(cut) == 2 and cut.freq == data.series.freq


def test_a_weekday_without_trade_is_a_holiday() -> None:
    days = pd.DatetimeIndex(["2024-01-02", "2024-01-04", "2024-01-05", "2024-01-08"])
    step = trading_day(days)
    assert list(pd.date_range(days[0], days[-1], freq=step)) == list(days)
    assert days[-1] + step == pd.Timestamp("2024-01-09")


def test_without_the_package_the_message_installs_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, f"arch.data.{name}", None)
    with pytest.raises(ImportError, match=rf"Data set '{name}' needs arch: pip install 'tskd\[arch\]'"):
        datasets.load(name)


def test_the_listing_says_where_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from tskd.datasets.availability import listing

    def state() -> Any:
        return next(line.split("  ")[-1] for line in listing().splitlines() if line.startswith(f"{name} "))

    assert state().strip() == "in arch"
    monkeypatch.setattr("tskd.datasets.availability.is_installed", lambda package: package != "arch")
    assert state().strip() == "needs arch"
