"""Named data sets: what is in them, and that a gap is filled from the past alone."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.datasets import co2

from tests.helpers.batteries import checks_of
from tskd import datasets
from tskd.datasets import DataSet, carry_forward, fill_from_past, names
from tskd.datasets.air_quality import AIR
from tskd.datasets.appliances import HOUSE
from tskd.datasets.beijing import BEIJING
from tskd.datasets.catalogue import CATALOGUE
from tskd.datasets.exchange import EXCHANGE
from tskd.datasets.files import series_of
from tskd.datasets.five_cities import SHANGHAI
from tskd.datasets.household import HOURLY, HOUSEHOLD, interpolated
from tskd.datasets.weather import JENA
from tskd.experiment.data.preparation import prepare
from tskd.testing import DataSetConformance

load = cache(datasets.load)  # each is read once for all tests
TWICE = "test_made_twice_it_is_the_same"


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


# ---- real data -------------------------------------------------------------------------------------------------------


def test_a_gap_at_the_start_of_a_stretch_is_refused() -> None:
    table = pd.DataFrame({"a": [np.nan, 1.0]}, index=pd.date_range("2020-01-01", periods=2, freq="h"))
    with pytest.raises(ValueError, match="column 'a' has no value at 2020-01-01 00:00:00, nor any before it"):
        series_of(carry_forward(table), ["a"])
    assert carry_forward(table[::-1])["a"].tolist() == [1, 1]


@cache
def battery(name: str) -> type[DataSetConformance]:
    return DataSetConformance.of(lambda: datasets.load(name), _made=load(name))


@pytest.mark.parametrize("name", sorted(CATALOGUE))
@pytest.mark.parametrize(
    "test", [pytest.param(test, marks=[pytest.mark.slow] * (test == TWICE)) for test in checks_of(DataSetConformance)]
)
def test_every_data_set_conforms(name: str, test: str, request: pytest.FixtureRequest) -> None:
    if package := CATALOGUE[name].package:
        pytest.importorskip(package, reason=f"{package} is not installed")
    else:
        request.getfixturevalue("data_folder")
    getattr(battery(name)(), test)()


REAL = sorted(name for name, entry in CATALOGUE.items() if entry.files)
BENCHMARKS = {
    # rows of the three parts, and test windows with the lookback and horizon after them; exchange and illness as the
    # common benchmark counts them
    "etth1": ([8640, 2880, 2880], 96, 96, 2785),
    "etth2": ([8640, 2880, 2880], 96, 96, 2785),
    "ettm1": ([34560, 11520, 11520], 96, 96, 11425),
    "ettm2": ([34560, 11520, 11520], 96, 96, 11425),
    "exchange": ([5311, 760, 1517], 96, 96, 1422),
    "household-hourly": ([24212, 3460, 6917], 96, 96, 6822),
    "illness": ([676, 97, 193], 36, 24, 170),
    "weather": ([36892, 5271, 10541], 96, 96, 10446),
    "beijing-all": ([24528, 3504, 7008], 96, 96, 6913),
}
STATED = {
    **{name: parts for name, (parts, *_) in BENCHMARKS.items()},
    "air-quality": [6726, 47 * 24, 62 * 24 + 15],
    "appliances": [108 * 144, 14 * 144, 14 * 144],
    "appliances-fine": [108 * 24, 14 * 24, 14 * 24],
    "beijing-neighbours-long": [1278 * 24, 91 * 24, 91 * 24],
    "household": [89 * 24, 30 * 24, 61 * 24],
    "shanghai-neighbours": [913 * 24, 91 * 24, 91 * 24],
}


@pytest.mark.parametrize("name", REAL)
def test_real_data_are_complete_and_split_as_stated(name: str, data_folder: Path) -> None:
    found = load(name)
    others = [found.past_covariates, found.future_covariates, *found.privileged.values()]
    for series in (found.series, *(other for other in others if other is not None)):
        assert np.isfinite(series.values()).all()
        assert series.values().min() > -150, "a number that means missing"
        assert series.start_time() <= found.series.start_time() and series.end_time() >= found.series.end_time()
    times = found.series.time_index
    parts = [(times < found.validation_start).sum(), (times < found.test_start).sum(), len(times)]
    lengths = [int(part) for part in np.diff(parts, prepend=0)]
    if name in STATED:
        assert lengths == STATED[name]
    else:
        assert 2000 <= lengths[0] <= 4000 and 1000 <= lengths[1] <= 1300 and lengths[2] >= 2000
    assert found.name == name and found.filled <= set(times)
    assert found.unit and found.licence and found.source and found.title and found.notes


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_the_catalogue_says_the_size_of_each(name: str, request: pytest.FixtureRequest) -> None:
    entry = CATALOGUE[name]
    if entry.package:
        pytest.importorskip(entry.package, reason=f"{entry.package} is not installed")
    else:
        request.getfixturevalue("data_folder")
    series = load(name).series
    assert (entry.rows, entry.targets) == (len(series), series.n_components)
    assert pd.Timedelta(entry.step) == series.time_index[1] - series.time_index[0]


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_every_window_of_the_test_part_counts(name: str, data_folder: Path) -> None:
    _, lookback, horizon, windows = BENCHMARKS[name]
    assert len(prepare(load(name), lookback, (1, horizon)).test.truth) == windows


@pytest.mark.parametrize(
    ("name", "rows"), [("beijing-neighbours-long", 24120), ("shanghai-neighbours", 15360), ("appliances", 9504)]
)
def test_four_folds_leave_rows_to_train_on(name: str, rows: int, data_folder: Path) -> None:
    data = load(name)
    times = data.series.time_index
    test, training = (times >= data.test_start).sum(), (times < data.validation_start).sum()
    assert training - 3 * test == rows


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


def test_beijing_as_a_whole_scores_no_hour_that_lacks_a_value(data_folder: Path) -> None:
    data, raw = load("beijing-all"), BEIJING.parquet()
    readings = raw.columns.drop(["datetime", "wd", "station"])
    lacking = raw[raw[readings].isna().any(axis=1)]["datetime"]
    assert data.filled == set(lacking[lacking >= data.series.start_time()])
    assert set(data.series.components) == {f"{s} {r}" for s in raw["station"].unique() for r in readings}
    station = raw[raw.station == "Dongsi"].set_index("datetime")
    for reading in readings[::4]:
        found = data.series[f"Dongsi {reading}"].values().ravel()
        np.testing.assert_allclose(found, station[reading].ffill()["2013-03-02":], rtol=1e-6)


def test_four_years_of_beijing_are_logarithms_of_the_short_stretch(data_folder: Path) -> None:
    long, short = load("beijing-neighbours-long"), load("beijing-neighbours")
    cut = long.series.slice_intersect(short.series)
    own, others = (np.log1p(s.values().astype("float64")) for s in (short.series, short.privileged["neighbours"]))
    np.testing.assert_allclose(cut.values(), own, rtol=1e-6)
    found = long.privileged["neighbours"].slice_intersect(short.series)
    np.testing.assert_allclose(found.values(), others - own, atol=2e-6)
    assert list(found.components) == list(short.privileged["neighbours"].components)
    assert {stamp for stamp in long.filled if stamp in cut.time_index} == short.filled
    assert long.past_covariates is None and long.unit == "log(1 + µg/m³)"


def test_shanghai_neighbours_are_filled_from_the_past_and_are_not_the_target(data_folder: Path) -> None:
    data, raw = load("shanghai-neighbours"), SHANGHAI.csv()
    raw.index = pd.DatetimeIndex(pd.to_datetime(raw[["year", "month", "day", "hour"]]))
    raw = raw["2013":]
    assert data.filled == set(raw.index[raw["PM_US Post"].isna()])
    # rows before any value of 2013 would rest on 2012; there are none
    own = np.log1p(raw["PM_US Post"].ffill().to_numpy())
    np.testing.assert_allclose(data.series.values().ravel(), own, rtol=1e-6)
    neighbours = data.privileged["neighbours"]
    assert list(neighbours.components) == ["Jingan", "Xuhui"]
    for site in neighbours.components:
        expected = np.log1p(raw[f"PM_{site}"].ffill().to_numpy()) - own
        np.testing.assert_allclose(neighbours[site].values().ravel(), expected, atol=2e-6)


def test_exchange_has_the_days_that_were_invented_for_it(data_folder: Path) -> None:
    data = load("exchange")
    assert data.series.freq_str == "D" and "invented" in data.notes
    assert (data.series.start_time(), data.series.end_time()) == (
        pd.Timestamp("1990-01-01"),
        pd.Timestamp("2010-10-10"),
    )
    first = EXCHANGE.csv().iloc[0, 1:].to_numpy("float32")
    np.testing.assert_array_equal(data.series.values()[0], first)


def test_illness_is_weekly_from_a_tuesday_on(data_folder: Path) -> None:
    data = load("illness")
    assert data.series.freq_str == "W-TUE" and data.series.start_time() == pd.Timestamp("2002-01-01")
    assert data.test_start == pd.Timestamp("2016-10-25") and not data.filled


def test_air_quality_takes_minus_200_as_missing(data_folder: Path) -> None:
    data, raw = load("air-quality"), AIR.csv(sep=";", decimal=",", nrows=9357)
    raw.index = data.series.time_index
    assert raw["Date"].iloc[-1] == "04/04/2005" and raw["Time"].iloc[-1] == "14.00.00"
    assert data.filled == set(raw.index[raw["NO2(GT)"] == -200]) and len(data.filled) == 1642
    kept = raw[raw["NO2(GT)"] != -200]["NO2(GT)"]
    for stamp in sorted(data.filled)[::100]:
        assert data.series[stamp].values().item() == kept[:stamp].iloc[-1]
    assert data.privileged["own"] == data.series
    assert list(data.privileged["analysers"].components) == ["CO", "NOx"]
    assert data.past_covariates is not None
    assert not [c for c in data.past_covariates.components if c.endswith("(GT)")]


def test_benzene_is_left_out_as_it_is_a_function_of_a_sensor(data_folder: Path) -> None:
    raw = AIR.csv(sep=";", decimal=",", nrows=9357)
    spread = raw.groupby("PT08.S2(NMHC)")["C6H6(GT)"].agg(["min", "max"])
    assert len(spread) > 1000 and (spread["max"] - spread["min"]).max() < 0.11  # to the last digit of the file


def test_appliances_have_noise_that_knows_nothing_and_weather_that_knows_the_next_hour(data_folder: Path) -> None:
    data = load("appliances")
    energy, noise = data.series.values().ravel(), data.privileged["noise"].values().ravel()
    raw = HOUSE.csv()
    assert (raw["rv1"] == raw["rv2"]).all() and data.privileged["noise"].n_components == 1
    assert abs(np.corrcoef(energy, noise)[0, 1]) < 0.03
    weather = data.privileged["weather"].values()
    between = data.series.time_index[1:-1].minute != 0
    bend = np.abs(np.diff(weather, 2, axis=0))
    assert bend[between].max() < 1e-3 < 1 < bend[~between].max()
    assert data.past_covariates is None


def test_ten_minutes_of_the_appliances_add_up_to_their_hour(data_folder: Path) -> None:
    data = load("appliances-fine")
    fine = data.privileged["fine"].values().reshape(-1, 6)
    np.testing.assert_array_equal(fine.sum(axis=1), data.series.values().ravel())
    assert data.privileged["fine"].start_time() == data.series.start_time()


def test_hours_that_were_interpolated_hold_the_last_hour_before_the_gap(data_folder: Path) -> None:
    data, minutes = load("household-hourly"), HOUSEHOLD.parquet().set_index("datetime")
    count = minutes["Global_active_power"].resample("1h").count()
    without = set(count.index[count == 0])
    assert len(without) == 61
    assert {stamp for stamp in data.filled if stamp in count.index} == without
    measured = HOURLY.parquet().set_index("Datetime").drop(index=list(data.filled))
    for stamp in sorted(data.filled)[::20]:
        np.testing.assert_allclose(data.series[stamp].values()[0], measured[:stamp].iloc[-1], rtol=1e-6)


def test_a_straight_line_is_told_from_a_bend() -> None:
    values = np.array([[0, 0], [1, 2], [2, 4], [3, 7], [4, 8], [4, 9.0]])
    assert interpolated(values).tolist() == [False, True, False, False, False, False]


def test_carbon_dioxide_at_jena_is_filled_from_the_past(data_folder: Path) -> None:
    data = load("weather-costly")
    raw = JENA.csv(index_col="date", parse_dates=True, encoding_errors="replace")["OT"]
    raw = raw[~raw.index.duplicated()]
    wrong = [stamp for stamp in raw.index[raw == -9999] if stamp in data.series.time_index]
    assert wrong
    good = raw[raw != -9999]
    for stamp in wrong:
        assert data.privileged["co2"][stamp].values().item() == pytest.approx(good[:stamp].iloc[-1])
    assert data.series == load("weather-future").series
