"""A data set from a file of one's own: what is read of it, and what each mistake is told."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from darts import TimeSeries

from tskd._core import optional_imports
from tskd.datasets import DataSet

ROWS = 23
NAMES = ["Usage (kWh)", "T °C: out", "2"]
"""Odd ones: blanks, brackets, a colon, a number."""


def table(rows: int = ROWS, freq: str = "15min") -> pd.DataFrame:
    """`Usage (kWh)` counts the rows, `T °C: out` is half of that, and `2` twice."""
    count = np.arange(rows)
    columns = dict(zip(NAMES, (count, count / 2, 2 * count), strict=True))
    return pd.DataFrame({"date": pd.date_range("2018-01-01", periods=rows, freq=freq), **columns, "day": "Monday"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    table().to_csv(tmp_path / "steel.csv", index=False)
    return tmp_path


def read(path: Path, **changes: Any) -> DataSet:
    given: dict[str, Any] = {"time": "date", "target": NAMES[0], "validation_start": 0.5, "test_start": 0.75}
    return DataSet.from_file(path, **given | changes)


# ---- what is read ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
def test_columns_become_series(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"steel{ending}"
    table().to_parquet(path) if ending == ".parquet" else table().to_csv(path, index=False)
    data = read(path, target=NAMES[:2], past=[NAMES[2]], future=NAMES[2], privileged={"other": [NAMES[2], NAMES[0]]})
    assert data.name == "steel" and data.source == path.name
    assert list(data.series.components) == NAMES[:2]
    np.testing.assert_array_equal(data.series.values()[[0, 7, 22]], [[0, 0], [7, 3.5], [22, 11]])
    assert data.series.freq_str == "15min" and data.series.end_time() == pd.Timestamp("2018-01-01 05:30")
    for series in (data.past_covariates, data.future_covariates):
        assert series is not None and series.values()[-1].item() == 44
    assert data.privileged["other"].values()[3].tolist() == [6, 3]
    # of 23 rows 11.5 and 17.25 lie before
    assert data.validation_start == pd.Timestamp("2018-01-01 02:45")
    assert data.test_start == pd.Timestamp("2018-01-01 04:15")


def test_empty_fields_and_rows_that_are_not_there_are_missing_values(tmp_path: Path) -> None:
    gappy = table().drop(index=[5, 6, 11])
    gappy.loc[9, NAMES[0]] = np.nan
    gappy.to_csv(tmp_path / "gappy.csv", index=False)
    values = read(tmp_path / "gappy.csv", freq="15min").series.values()[:, 0]
    assert len(values) == ROWS and np.flatnonzero(np.isnan(values)).tolist() == [5, 6, 9, 11]
    assert values[12] == 12


def test_a_privileged_series_comes_from_a_finer_file(folder: Path) -> None:
    (folder / "finer").mkdir()
    fine = table(5 * ROWS, "3min").rename(columns={"date": "at"}).drop(index=[4])
    fine.to_csv(folder / "finer" / "minutes.csv", index=False)
    finer = {"file": "finer/minutes.csv", "columns": [NAMES[1]], "time": "at", "freq": "3min"}
    data = read(folder / "steel.csv", privileged={"fine": finer, "same": NAMES[2]})
    series = data.privileged["fine"]
    assert series.freq_str == "3min" and len(series) == 115
    assert series.values()[7].item() == 3.5 and np.isnan(series.values()[4]).all()


def test_one_of_several_series_is_read(tmp_path: Path) -> None:
    both = pd.concat([table().assign(site=7), table(rows=29).assign(site="north", **{NAMES[0]: -1.0})])
    both.to_csv(tmp_path / "sites.csv.gz", index=False)
    south, north = (read(tmp_path / "sites.csv.gz", series={"site": name}) for name in (7, "north"))
    assert (south.name, len(south.series), north.name, len(north.series)) == ("sites 7", 23, "sites north", 29)
    assert south.series.values()[4].item() == 4 and north.series.values()[4].item() == -1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("t;x\n" + "".join(f"2.1.2020 0{hour}:00;{hour},5\n" for hour in range(9)), "2020-01-02 08:00"),
        ("t\tx\n" + "".join(f"0{1 + day}/02/2020\t{day}.5\n" for day in range(9)), "2020-02-09"),
        ("﻿t, x\r\n" + "".join(f"2020020{1 + day}, {day}.5\r\n" for day in range(9)), "2020-02-09"),
        ("t,x\n" + "".join(f"2020-0{1 + month}-01,{month}.5\n" for month in range(9)), "2020-09-01"),
        (
            "t,x\n2020-01-01,0.5\n" + "".join(f"2020-01-01 0{hour}:00:00,{hour}.5\n" for hour in range(1, 9)),
            "2020-01-01 08:00",
        ),
    ],
    ids=[
        "semicolons and decimal commas",
        "tabs, day first",
        "byte-order mark, compact dates",
        "months",
        "bare midnight",
    ],
)
def test_the_habits_of_other_programs(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "own.csv").write_text(text, encoding="utf-8")
    data = read(tmp_path / "own.csv", time="t", target="x")
    np.testing.assert_array_equal(data.series.values()[:, 0], np.arange(9) + 0.5)
    assert data.series.end_time() == pd.Timestamp(expected)


@pytest.mark.parametrize("freq", ["B", "W-WED", "ME"])
def test_a_step_of_the_calendar_is_kept(tmp_path: Path, freq: str) -> None:
    table(12, freq).to_csv(tmp_path / "own.csv", index=False)
    for given in (None, freq):
        assert read(tmp_path / "own.csv", freq=given).series.freq_str == freq


def test_rows_may_be_numbered(tmp_path: Path) -> None:
    pd.DataFrame({"n": range(100, 160, 3), "x": range(20)}).to_csv(tmp_path / "n.csv", index=False)
    data = read(tmp_path / "n.csv", time="n", target="x", test_start=148)
    assert (data.validation_start, data.test_start, data.series.freq) == (130, 148, 3)


# ---- the split -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "row"),
    [
        (0.29, 29),
        (np.float32(0.5), 50),
        ("2020-01-03", 48),
        ("2020-01-03 05:00", 53),
        (pd.Timestamp("2020-01-03").date(), 48),
        (pd.Timestamp("2020-01-03").to_pydatetime(), 48),
    ],
)
def test_a_split_by_share_or_date(given: Any, row: int) -> None:
    times = pd.date_range("2020-01-01", periods=100, freq="h")
    series = TimeSeries.from_times_and_values(times, np.arange(100.0))
    data = DataSet("mine", series, validation_start=given, test_start=0.999)
    assert data.validation_start == times[row] and data.test_start == times[99]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"validation_start": 1.5}, r"validation_start=1.5: give a share of the rows above 0 and below 1"),
        ({"test_start": 0.0}, r"test_start=0: give a share"),
        ({"test_start": "01/02/2018"}, r"test_start='01/02/2018': give a date such as 2018-08-01, or a share"),
        ({"test_start": "2018-13-01"}, "test_start='2018-13-01' is no date"),
        ({"test_start": "2018-01-01 04:00+01:00"}, "test_start='2018-01-01 04:00.01:00' has a time zone.*to UTC"),
        ({"validation_start": pd.Timestamp("2018-01-01 01:00Z")}, "validation_start=.* has a time zone.*to UTC"),
        ({"validation_start": 0.75, "test_start": 0.5}, "the split must lie in order inside the series"),
        ({"test_start": "2018-01-01 04:01"}, "is no time stamp of the series; the next is 2018-01-01 04:15"),
    ],
)
def test_a_split_that_cannot_be(folder: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(folder / "steel.csv", **change)


# ---- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": "Date"}, "steel.csv has no column 'Date', given as time. Did you mean 'date'"),
        ({"target": ["usage (kwh)"]}, r"given as target. Did you mean 'Usage \(kWh\)'"),
        ({"target": "wholly unlike"}, "no column 'wholly unlike', given as target. There are: 'Usage"),
        ({"past": ["T °C out"]}, "given as past. Did you mean 'T °C: out'"),
        ({"future": ["3"]}, "no column '3', given as future. There are"),
        ({"privileged": {"all": ["dya"]}}, "no column 'dya', given as privileged series 'all'. Did you mean 'day'"),
        ({"past": "day"}, "past: column 'day' of steel.csv holds 'Monday', which is no number"),
        ({"past": ["2", "2"]}, "past: column '2' is given twice"),
        ({"future": [NAMES[0]]}, r"future: 'Usage \(kWh\)' is a target"),
        ({"target": []}, "target: give at least one column of steel.csv"),
        ({"target": "date"}, "target: column 'date' holds the time stamps"),
        ({"freq": "15?"}, r"freq='15\?' is no frequency of pandas, such as 15min"),
        ({"freq": "min"}, "freq='min' is not the step of the rows, most of which lie 00:15:00 apart"),
        ({"freq": "30min"}, r"2018-01-01 00:15:00 \(row 2\) is not on the grid of freq='30min'"),
        ({"series": "day"}, "'day' of steel.csv names 1 series.*series: {day: Monday}"),
        ({"series": {"day": "Tuesday"}}, "no rows whose 'day' is 'Tuesday'. There are: 'Monday'"),
        ({"series": {"dag": "Monday"}}, "no column 'dag', given as series. Did you mean 'day'"),
        ({"privileged": {"fine": {"file": "fine.csv"}}}, "privileged series 'fine': give its columns"),
        ({"privileged": {"fine": {"file": "x.csv", "column": ["a"]}}}, "unknown key 'column'. Did you mean 'columns'"),
        (
            {"privileged": {"fine": {"file": "steal.csv", "columns": "2"}}},
            "no file .*steal.csv. Did you mean 'steel.csv'",
        ),
    ],
)
def test_a_mistake_is_named(folder: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read(folder / "steel.csv", **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": 3}, "target=3: give the name of a column, or a list of names"),
        ({"past": [1]}, r"past=\[1\]: give the name of a column"),
        ({"privileged": [NAMES[2]]}, "privileged must be a dict of columns by name, got list"),
    ],
)
def test_a_wrong_type_is_named(folder: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        read(folder / "steel.csv", **change)


def stamps(*texts: str) -> str:
    return "t,x\n" + "".join(f"{text},{number}\n" for number, text in enumerate(texts))


HOURS = [f"2020-10-25 0{hour}:00" for hour in range(6)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (stamps(*HOURS[:3], *HOURS[2:]), r"02:00:00 is given twice \(row 4\), one of 1 such.*convert to UTC"),
        (
            stamps(*HOURS[:2], HOURS[3], HOURS[2]),
            r"02:00:00 \(row 4\) is earlier than the row before it; sort the file",
        ),
        (stamps(*(f"{hour}:00+01:00" for hour in HOURS)), r"\+01:00 is a time stamp of a time zone. Convert to UTC"),
        (stamps(*HOURS[:3], "2020-10-25 03:00:00Z"), "03:00:00Z is a time stamp of a time zone"),
        (stamps(*HOURS[:3], *HOURS[4:]), "most by 01:00:00, but .* by 02:00:00; if 1 row is missing, give freq: h"),
        (
            stamps(*(f"2021-03-28 0{hour}:00" for hour in (0, 1, 3, 4, 5))),
            "03:00:00 by 02:00:00; if the clock was set forward, convert to UTC; if 1 row is missing, give freq: h",
        ),
        (stamps(*HOURS, "2020-10-25 05:20"), "not equally far apart.*; resample the file to equal steps"),
        (stamps("2020-01-01", "2020-02-01", "2020-03-01", "2020-06-01"), "if 2 rows are missing, give freq: MS"),
        (stamps(*(f"2020-01-0{day}" for day in (1, 2, 3, 7, 8))), "if 1 row is missing, give freq: B"),
        (stamps("yesterday", *HOURS), "column 't' cannot be read as time stamps"),
        (stamps(*HOURS[:2], "", HOURS[2]), "row 3 has no time stamp"),
        (stamps(*(f"1/2/2020 0{hour}:00" for hour in range(9))), "may be 2020-01-02 or 2020-02-01; write dates as"),
        (stamps("0.5", "1.5", "2.5"), "0.5 is no time stamp; give dates, or whole numbers"),
        (stamps("3", "4", "6"), "3 and 4, but 4 and 6; number all rows, or give dates"),
        (stamps(*HOURS[:2]), "2 rows are too few for a series"),
        ("t,x\n", "own.csv has no rows"),
        ("", "own.csv is empty"),
        ("t,x,x\n1,2,3\n", "2 columns are called 'x'; give each a name of its own"),
        ("t,x\n1,2,3\n2,3,4\n3,4,5\n", "some rows have more fields than the first line has names"),
        ("t,x\n1,2\n2,3,4\n", "own.csv cannot be read as a CSV file"),
    ],
)
def test_stamps_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "own.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "own.csv", time="t", target="x")


def test_a_parquet_file_of_a_time_zone(tmp_path: Path) -> None:
    zoned = table().assign(date=lambda frame: frame.date.dt.tz_localize("Europe/Berlin"))
    zoned.to_parquet(tmp_path / "zoned.parquet")
    with pytest.raises(ValueError, match=r"of a time zone\. Convert to UTC"):
        read(tmp_path / "zoned.parquet")


def test_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("steel.pkl", "steel.xlsx", "steel"):
        with pytest.raises(ValueError, match=r"must be a file whose name ends in .csv, .csv.gz or .parquet"):
            read(tmp_path / name)
    for name in ("folder.csv", "https://example.org/steel.csv"):
        (tmp_path / "folder.csv").mkdir(exist_ok=True)
        with pytest.raises(FileNotFoundError, match="there is no file"):
            read(tmp_path / name)
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"t,x\n1,2\n" * 99)[:-9])
    with pytest.raises(ValueError, match=r"cut.csv.gz cannot be decompressed"):
        read(tmp_path / "cut.csv.gz")
    (tmp_path / "latin.csv").write_bytes("t,°C\n1,2\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin.csv is not in UTF-8 \(byte 2\)"):
        read(tmp_path / "latin.csv")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="cannot be read as a Parquet file"):
        read(tmp_path / "bad.parquet")
    monkeypatch.setattr(optional_imports, "is_installed", lambda package: package != "pyarrow")
    with pytest.raises(ImportError, match=r"needs pyarrow: pip install 'tskd\[data\]'"):
        read(tmp_path / "bad.parquet")
