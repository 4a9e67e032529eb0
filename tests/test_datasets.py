"""Named data sets: what is in them, and that a gap is filled from the past alone."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.datasets import co2

from tskd.datasets import DataSet, carry_forward, fill_from_past, load, names
from tskd.datasets.beijing import BEIJING
from tskd.datasets.files import File, series_of
from tskd.datasets.weather import JENA


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
    assert {"co2", "ett-loads", "beijing-neighbours", "weather-future"} <= set(names()) and names() == sorted(names())
    with pytest.raises(ValueError, match="Did you mean 'co2'"):
        load("c02")


def test_a_split_out_of_order_is_refused(data: DataSet) -> None:
    with pytest.raises(ValueError, match="in order"):
        replace(data, test_start=data.validation_start)


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TSKD_DATA", str(tmp_path))
    return tmp_path


def test_a_missing_file_is_named_with_its_source(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"'ETTh1.csv' \(from https:.*ETTh1.csv\) is not in the folder .*TSKD"):
        load("ett-loads")
    monkeypatch.delenv("TSKD_DATA")
    with pytest.raises(FileNotFoundError, match=r"'weather.csv' \(from https://.*name that in TSKD_DATA"):
        load("weather-future")


def test_another_file_of_the_same_name_is_refused(folder: Path) -> None:
    (folder / "ETTh1.csv").write_text("date,OT\n2016-07-01,1\n")
    with pytest.raises(ValueError, match=r"SHA-256 of its content is \w{64}, expected f18de3ad"):
        load("ett-loads")


def test_a_file_may_be_compressed_or_not(folder: Path) -> None:
    text = b"a,b\n1,2\n"
    file = File("some.csv", "nowhere", hashlib.sha256(text).hexdigest())
    (folder / "some.csv.gz").write_bytes(gzip.compress(text))
    assert file.csv().to_dict("list") == {"a": [1], "b": [2]}
    (folder / "some.csv").write_bytes(text)
    assert file.content() == text


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'tskd\[data\]'"):
        load("beijing-met")


def test_a_gap_at_the_start_of_a_stretch_is_refused() -> None:
    table = pd.DataFrame({"a": [np.nan, 1.0]}, index=pd.date_range("2020-01-01", periods=2, freq="h"))
    with pytest.raises(ValueError, match="column 'a' has no value at 2020-01-01 00:00:00, nor any before it"):
        series_of(carry_forward(table), ["a"])
    assert carry_forward(table[::-1])["a"].tolist() == [1, 1]


REAL = sorted(set(names()) - {"co2"})
STATED = {
    "etth1": [8640, 2880, 2880],
    "etth2": [8640, 2880, 2880],
    "ettm1": [34560, 11520, 11520],
    "household": [89 * 24, 30 * 24, 61 * 24],
    "weather": [36892, 5271, 10541],
}


@pytest.mark.parametrize("name", REAL)
def test_real_data_are_complete_and_split_as_stated(name: str, data_folder: Path) -> None:
    found = load(name)
    others = [found.past_covariates, found.future_covariates, *found.privileged.values()]
    for series in (found.series, *(other for other in others if other is not None)):
        assert np.isfinite(series.values()).all()
        assert series.start_time() <= found.series.start_time() and series.end_time() >= found.series.end_time()
    times = found.series.time_index
    parts = [(times < found.validation_start).sum(), (times < found.test_start).sum(), len(times)]
    lengths = [int(part) for part in np.diff(parts, prepend=0)]
    if name in STATED:
        assert lengths == STATED[name]
    else:
        assert 2000 <= lengths[0] <= 4000 and 1000 <= lengths[1] <= 1300 and lengths[2] >= 2000
    assert found.filled <= set(times) and found.unit and found.licence and found.source and found.title and found.notes


def test_ett_hours_are_the_quarter_hours_at_their_stamp(data_folder: Path) -> None:
    data = load("ett-fine")
    np.testing.assert_array_equal(data.privileged["fine"].values()[::4], data.series.values())


def test_weather_sentinels_doubles_and_gaps_are_filled_from_the_past(data_folder: Path) -> None:
    data = load("weather-future")
    assert data.filled == {pd.Timestamp("2020-05-29 10:00"), pd.Timestamp("2020-05-29 11:00")}
    raw = JENA.csv(index_col="date", encoding_errors="replace")
    for stamp in data.filled:
        assert data.series[stamp].values().item() == pytest.approx(raw.loc["2020-05-29 09:30:00", "T (degC)"])
    assert data.privileged["met"].values().min() > -100


def test_beijing_gaps_are_filled_from_the_past_and_known(data_folder: Path) -> None:
    data, raw = load("beijing-met"), BEIJING.parquet()
    station = raw[raw.station == "Aotizhongxin"].set_index("datetime")["PM2.5"]
    assert data.filled == {stamp for stamp in data.series.time_index if np.isnan(station[stamp])}
    for stamp in sorted(data.filled)[::20]:
        before = station[:stamp].dropna().iloc[-1]
        assert data.series[stamp].values().item() == pytest.approx(before)
    assert len(data.archive) == 11 and data.privileged["own"] == data.series
    others = load("beijing-neighbours").privileged["neighbours"]
    assert list(others.components) == [item.name for item in data.archive]
    cut = data.archive[0].series
    np.testing.assert_array_equal(others["Changping"].values()[: len(cut)], cut.values())
